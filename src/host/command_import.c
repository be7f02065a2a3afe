/* command_import.c - import: flows that were exported go on in a running server's store.
 *
 * Invariant: every line is judged before the first flow is sent, and the server judges them again.
 * Surprise: there is no import without a server, since it takes the program's flows to go on with one. */
#include "base/map.h"
#include "host/command_private.h"
#include "net/admin_client.h"
#include "wire/export.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	TRIES_MAX = 100, /* while the server says to come again, … */
	TRY_MS = 100,    /* … so often: ten seconds in all */
};

/* One flow's lines in what was read. */
struct piece {
	struct slice lines;
	char id[ID_TEXT_SIZE];
	struct id parent; /* zero: none */
	bool placed; /* in importing.order */
};

struct importing {
	struct run *run;
	struct buf text;
	struct piece *pieces; /* owned */
	size_t npieces, cap;
	struct map ids; /* of all pieces: their index and one */
	size_t *order; /* in which they are sent; owned */
	size_t imported, skipped, keys;
	struct buf skipped_ids; /* as JSON, without the brackets */
	struct bar bar;
};

static int read_all(struct importing *m, const char *name)
{
	FILE *from = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
	char block[64 << 10];
	size_t n = 0;

	if (from == NULL)
		return complain(m->run, "%s cannot be read: %s", name, strerror(errno));
	while ((n = fread(block, 1, sizeof(block), from)) > 0)
		buf_put(&m->text, block, n);
	int failed = ferror(from) != 0 ? errno : 0;

	if (from != stdin)
		fclose(from);
	if (failed != 0)
		return complain(m->run, "%s cannot be read: %s", name, strerror(failed));
	if (buf_failed(&m->text))
		return complain(m->run, "%s has more than %d bytes: bring it in in pieces", name,
			OUT_BYTES_MAX);
	return EXIT_DONE;
}

/* A flow's lines are all there. */
static int piece_end(struct importing *m, struct exported *x, struct slice lines, struct err *err)
{
	struct piece piece = { .lines = lines, .parent = x->parent };
	int rc = exported_end(x, err);

	if (rc < 0)
		return rc;
	id_text(&x->head.flow, piece.id);
	if (map_get(&m->ids, &x->head.flow) != NULL)
		return err_set(err, FISH_EFORMAT, "the flow %s is there twice", piece.id);
	map_put(&m->ids, &x->head.flow, (void *)(uintptr_t)(m->npieces + 1));
	if (m->npieces == m->cap) {
		m->cap = m->cap != 0 ? 2 * m->cap : 16;
		m->pieces = xrealloc(m->pieces, m->cap * sizeof *m->pieces);
	}
	m->pieces[m->npieces++] = piece;
	exported_fini(x);
	exported_init(x);
	return 0;
}

/* Judges line after line, and notes where flows begin. *ret_number: where it ended. */
static int judge(struct importing *m, struct exported *x, size_t *ret_number, struct err *err)
{
	struct slice rest = buf_slice(&m->text);
	struct slice lines = { rest.ptr, 0 };
	int rc = 0;

	while (rest.len > 0 && rc == 0) {
		const char *feed = memchr(rest.ptr, '\n', rest.len);
		size_t len = feed != NULL ? (size_t)(feed - rest.ptr) : rest.len;
		size_t taken = len + (feed != NULL ? 1 : 0);
		struct slice line = { rest.ptr, len };

		if (x->begun && export_is_head(line)) {
			rc = piece_end(m, x, lines, err);
			lines = (struct slice){ rest.ptr, 0 };
		}
		if (rc < 0)
			return rc;
		++*ret_number;
		rc = exported_line(x, line, err);
		lines.len += taken;
		rest.ptr += taken;
		rest.len -= taken;
		bar_show(&m->bar, "read", m->text.len - rest.len, m->text.len);
	}
	return rc < 0 ? rc : piece_end(m, x, lines, err);
}

static struct piece *parent_of(struct importing *m, const struct piece *p)
{
	uintptr_t number = (uintptr_t)map_get(&m->ids, &p->parent);

	return number != 0 && !m->pieces[number - 1].placed ? &m->pieces[number - 1] : NULL;
}

/* Parents before their children, which may be as old to the millisecond. */
static void put_in_order(struct importing *m)
{
	size_t n = 0;

	m->order = xalloc((m->npieces + 1) * sizeof *m->order);
	for (size_t i = 0; i < m->npieces; i++) {
		size_t first = n;

		/* Up to the eldest that has no place yet, and then these the other way round. */
		for (struct piece *p = &m->pieces[i]; p != NULL && !p->placed; p = parent_of(m, p)) {
			p->placed = true;
			m->order[n++] = (size_t)(p - m->pieces);
		}
		for (size_t last = n; last > first + 1; first++, last--) {
			size_t swapped = m->order[first];

			m->order[first] = m->order[last - 1];
			m->order[last - 1] = swapped;
		}
	}
}

static void pause_a_little(void)
{
	struct timespec for_ms = { 0, TRY_MS * 1000000L };

	nanosleep(&for_ms, NULL);
}

/* Asks until the server has room. *told is the caller's to free. */
static int send_piece(struct importing *m, const struct piece *p, struct admin_told *told)
{
	const struct run *r = m->run;
	bool keys = r->config->values[FLAG_WITH_KEYS] != NULL;
	struct err err = { 0 };

	for (int tries = 1;; tries++) {
		int rc = admin_ask(
			&(struct admin_ask){
				.socket = r->paths->socket.ptr,
				.method = "POST",
				.path = keys ? SLICE_LIT("/import?keys=1") : SLICE_LIT("/import"),
				.body = p->lines,
				.timeout_ms = ASK_TIMEOUT_MS,
			},
			told, &err);

		if (rc == FISH_ENOTFOUND)
			return complain(r,
				"no server answers at the socket %s, and it is the server that "
				"goes on with a flow: start one with '%s serve'",
				r->paths->socket.ptr, r->config->program);
		if (rc < 0)
			return complain(r,
				"the server at the socket %s: %s; the flow %s may be in: the same "
				"command with --skip-existing goes on",
				r->paths->socket.ptr, err.text, p->id);
		if (told->status != 503 || tries == TRIES_MAX)
			return EXIT_DONE;
		buf_fini(&told->body);
		*told = (struct admin_told){ 0 };
		pause_a_little();
	}
}

static void note_done(struct importing *m, const struct piece *p, const struct admin_told *told)
{
	struct run *r = m->run;
	bool skipped = told->status == 409;

	if (skipped) {
		m->skipped++;
	} else {
		json_t *json = json_loadb(
			told->body.ptr != NULL ? told->body.ptr : "", told->body.len, 0, NULL);

		m->imported++;
		m->keys += (size_t)json_integer_value(json_object_get(json, "keys"));
		json_decref(json);
	}
	if (!r->config->json) {
		buf_printf(&r->out, "%s %s\n", skipped ? "skipped " : "imported", p->id);
		return;
	}
	struct buf *ids = skipped ? &m->skipped_ids : &r->out;

	buf_printf(ids, "%s\"%s\"", (skipped ? m->skipped : m->imported) > 1 ? ", " : "", p->id);
}

static int import_all(struct importing *m)
{
	struct run *r = m->run;
	bool skips = r->config->values[FLAG_SKIP_EXISTING] != NULL;
	int exit_status = EXIT_DONE;

	for (size_t i = 0; i < m->npieces && exit_status == EXIT_DONE; i++) {
		const struct piece *p = &m->pieces[m->order[i]];
		struct admin_told told = { 0 };

		exit_status = send_piece(m, p, &told);
		bar_show(&m->bar, "import", i + 1, m->npieces);
		if (exit_status == EXIT_DONE && told.status != 201 && !(told.status == 409 && skips)) {
			bar_end(&m->bar);
			exit_status = complain_refused(r, &told);
			complain(r,
				"the flow %s is not imported, %zu of %zu are; the same command with "
				"--skip-existing goes on",
				p->id, m->imported, m->npieces);
		} else if (exit_status == EXIT_DONE) {
			note_done(m, p, &told);
		}
		buf_fini(&told.body);
	}
	return exit_status;
}

static int tell(struct importing *m, int exit_status)
{
	struct run *r = m->run;

	if (r->config->json) {
		buf_puts(&r->out, "], \"skipped\": [");
		buf_put_slice(&r->out, buf_slice(&m->skipped_ids));
		buf_printf(&r->out, "], \"keys\": %zu}\n", m->keys);
	} else if (m->keys > 0) {
		buf_printf(&r->out, "and %zu %s of URLs\n", m->keys, m->keys == 1 ? "key" : "keys");
	}
	int flushed = flush_out(r);

	return exit_status == EXIT_DONE ? flushed : exit_status;
}

int run_import(struct run *r)
{
	struct importing m = { .run = r };
	struct exported x;
	struct err err = { 0 };
	size_t number = 0;

	bar_init(&m.bar, r->config);
	buf_init(&m.text, OUT_BYTES_MAX);
	buf_init(&m.skipped_ids, OUT_BYTES_MAX);
	exported_init(&x);
	map_init(&m.ids);
	int exit_status = read_all(&m, r->config->args[0]);

	if (exit_status == EXIT_DONE && judge(&m, &x, &number, &err) < 0) {
		bar_end(&m.bar);
		exit_status = complain(r, "%s, line %zu: %s; nothing is imported",
			r->config->args[0], number, err.text);
	} else if (exit_status == EXIT_DONE) {
		buf_puts(&r->out, r->config->json ? "{\"imported\": [" : "");
		put_in_order(&m);
		exit_status = import_all(&m);
		bar_end(&m.bar);
		exit_status = tell(&m, exit_status);
	}
	exported_fini(&x);
	if (m.text.ptr != NULL)
		explicit_bzero(m.text.ptr, m.text.len); /* there may be secrets in it */
	buf_fini(&m.text);
	buf_fini(&m.skipped_ids);
	map_fini(&m.ids);
	free(m.order);
	free(m.pieces);
	return exit_status;
}
