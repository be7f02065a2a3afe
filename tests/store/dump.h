/* dump.h - all that a store tells of its flows as one text, to hold two stores against each
 * other.
 *
 * Surprise: what depends on retention is left out: an ended flow's result and history may
 * have gone in one of them. */
#ifndef FISH_TESTS_STORE_DUMP_H
#define FISH_TESTS_STORE_DUMP_H

#include "base/buf.h"
#include "fixture.h"

enum { DUMP_FLOWS_MAX = 3000 };

struct dump {
	struct buf *out;
	bool recovered[DUMP_FLOWS_MAX];
	struct store_load load;
	struct store_list list;
};

static inline void dump_recovered(void *owner, const struct store_load *l)
{
	struct dump *d = owner;
	unsigned number = flow_number(&l->flow);

	CHECK(number < DUMP_FLOWS_MAX);
	CHECK(!d->recovered[number]); /* each flow comes once */
	d->recovered[number] = true;
}

static inline void dump_row(struct buf *out, const struct store_row *row)
{
	uint32_t sum = 0;

	for (size_t k = 0; k < row->bytes.len; k++)
		sum = sum * 31 + (uint8_t)row->bytes.ptr[k];
	buf_printf(out, " %llu:%zu/%08x", (unsigned long long)row->seq, row->bytes.len, sum);
}

static inline void dump_loaded(struct store_load *l, int rc)
{
	struct dump *d = container_of(l, struct dump, load);
	const struct store_park *p = &l->park;
	unsigned number = flow_number(&l->flow);

	for (size_t i = 0; i < l->nrows; i++)
		rc = l->rows[i].last ? FISH_ENOTFOUND : rc;
	if (l->parked)
		buf_printf(d->out, "parked: parent %u key %d %u wake %lld hooks %u untaken %u%s ",
			flow_number(&p->parent), p->has_key, flow_number(&p->key),
			(long long)p->wake_ms, p->hooks, p->untaken, p->apart ? " apart" : "");
	if (rc == 0)
		CHECK(d->recovered[number] == !l->parked);
	else
		CHECK(!d->recovered[number]);
	if (rc < 0)
		return;
	buf_printf(d->out, "flow %u", number);
	for (size_t i = 0; i < l->nrows; i++)
		dump_row(d->out, &l->rows[i]);
	buf_puts(d->out, "\n");
}

static inline void dump_listed(struct store_list *l, int rc)
{
	struct dump *d = container_of(l, struct dump, list);

	CHECK(rc == 0);
	for (size_t i = 0; i < l->nended; i++)
		buf_printf(d->out, "ended %u at %lld seen %zu\n",
			flow_number(&l->ended[i].flow), (long long)l->ended[i].ended_ms,
			l->ended[i].seen.len);
	l->before = l->ret_next;
}

/* Everything, from a recovery, a load of each flow below so many, and the list of the ended. */
static inline void dump_below(struct fixture *fx, unsigned flows, struct buf *out)
{
	struct dump *d = xalloc(sizeof *d);
	struct store_recovery r = { .flow = dump_recovered, .owner = d };

	d->out = out;
	CHECK(store_recover(fx->s, &r, NULL) == 0);
	buf_printf(out, "parked %llu hooks %llu untaken %llu apart %llu %llu\n",
		(unsigned long long)r.ret_parked.flows,
		(unsigned long long)r.ret_parked.hooks,
		(unsigned long long)r.ret_parked.untaken,
		(unsigned long long)r.ret_parked.apart,
		(unsigned long long)r.ret_parked.apart_untaken);
	for (unsigned n = 0; n < flows; n++) {
		d->load = (struct store_load){ .flow = flow_id(n), .done = dump_loaded };
		store_load(fx->s, &d->load);
		settle(fx);
	}
	d->list = (struct store_list){ .limit = STORE_LIST_MAX, .done = dump_listed };
	do {
		store_list(fx->s, &d->list);
		settle(fx);
	} while (d->list.before != 0);
	free(d);
}

static inline void dump(struct fixture *fx, struct buf *out)
{
	dump_below(fx, DUMP_FLOWS_MAX, out);
}

#endif
