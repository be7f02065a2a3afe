/* command_check.c - check: is a store's file as it should be?
 *
 * Surprise: it asks no server; a file that one has open is refused. */
#include "host/command_private.h"
#include "store/store.h"

#include <inttypes.h>

enum { FOUND_SAID_MAX = 1000 };

struct checking {
	struct run *run;
	struct bar bar;
	uint64_t found;
};

static void on_found(void *owner, const struct id *flow, const char *words)
{
	struct checking *k = owner;
	struct buf *out = &k->run->out;
	bool json = k->run->config->json;
	char id[ID_TEXT_SIZE] = "";

	if (k->found++ >= FOUND_SAID_MAX)
		return;
	if (flow != NULL)
		id_text(flow, id);
	bar_end(&k->bar);
	if (!json) {
		buf_printf(out, "%s%s%s%s\n", flow != NULL ? "flow " : "", id,
			flow != NULL ? ": " : "", words);
		flush_out(k->run);
		return;
	}
	buf_printf(out, "%s\n  {\"flow\": ", k->found > 1 ? "," : "");
	if (flow != NULL)
		buf_json_string(out, slice_of(id));
	else
		buf_puts(out, "null");
	buf_puts(out, ", \"what\": ");
	buf_json_string(out, slice_of(words));
	buf_puts(out, "}");
}

static void on_progress(void *owner, uint64_t done, uint64_t all)
{
	struct checking *k = owner;

	bar_show(&k->bar, "check", done < all ? done : all, all);
}

int run_check(struct run *r)
{
	struct checking k = { .run = r };
	struct err err = { 0 };
	const char *file = r->config->args[0];

	bar_init(&k.bar, r->config);
	if (r->config->json)
		buf_puts(&r->out, "{\"found\": [");
	int rc = store_check_file(file,
		&(struct store_check){
			.found = on_found, .progress = on_progress, .owner = &k },
		&err);

	bar_end(&k.bar);
	if (rc < 0) {
		buf_reset(&r->out);
		return complain(r, "%s", err.text);
	}
	if (r->config->json)
		buf_printf(&r->out, "], \"damages\": %" PRIu64 "}\n", k.found);
	else if (k.found == 0)
		buf_printf(&r->out, "%s is clean\n", file);
	else
		buf_printf(&r->out, "%s is damaged: %" PRIu64 " things are wrong%s\n", file,
			k.found, k.found > FOUND_SAID_MAX ? ", the first of them told" : "");
	int exit_status = flush_out(r);

	return exit_status == EXIT_DONE && k.found > 0 ? EXIT_RUNTIME : exit_status;
}
