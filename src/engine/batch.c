/* batch.c - gathers rows and outs, hands them to the store, lets the outs out or refuses them. */
#include "engine/batch.h"

#include "engine/call.h"
#include "engine/world.h"

#include <stdlib.h>

enum { ROWS_SPARE_MAX = 1024, ROW_BYTES_KEPT = 2 << 10 };

struct batch *batch_new(struct engine *e, uint64_t no)
{
	struct batch *b = xalloc(sizeof *b);

	b->engine = e;
	b->no = no;
	list_init(&b->rows);
	list_init(&b->ended);
	list_init(&b->deliveries);
	list_init(&b->starts);
	list_init(&b->cancels);
	list_init(&b->imports);
	list_init(&b->calls);
	list_init(&b->logs);
	list_init(&b->stopped);
	list_init(&b->parents);
	list_init(&b->leaving);
	return b;
}

static struct row *row_free(struct row *row)
{
	buf_fini(&row->bytes);
	free(row);
	return NULL;
}

void rows_free(struct engine *e)
{
	for (struct list *l; (l = list_shift(&e->rows_spare));)
		row_free(container_of(l, struct row, link));
	e->nrows_spare = 0;
}

/* Kept for the next batch, unless it grew large: to grow a buffer anew for each row costs more than
 * what is put into it. */
static void row_leave(struct engine *e, struct row *row)
{
	if (e->nrows_spare == ROWS_SPARE_MAX || row->bytes.cap > ROW_BYTES_KEPT) {
		row_free(row);
		return;
	}
	buf_reset(&row->bytes);
	list_unshift(&e->rows_spare, &row->link);
	e->nrows_spare++;
}

static struct row *row_take(struct engine *e)
{
	struct list *spare = list_shift(&e->rows_spare);
	struct row *row;

	if (spare) {
		e->nrows_spare--;
		return container_of(spare, struct row, link);
	}
	row = xalloc(sizeof *row);
	buf_init(&row->bytes, SIZE_MAX);
	return row;
}

static void ended_free(struct ended *x)
{
	buf_fini(&x->name);
	buf_fini(&x->result);
	buf_fini(&x->seen);
	buf_fini(&x->untaken);
	free(x);
}

struct batch *batch_free(struct batch *b)
{
	if (!b)
		return NULL;
	CHECK(!batch_has_outs(b));
	for (struct list *l; (l = list_shift(&b->rows));)
		row_leave(b->engine, container_of(l, struct row, link));
	free(b->store_rows);
	free(b->store_ended);
	free(b->store_parks);
	for (struct list *l; (l = list_shift(&b->ended));)
		ended_free(container_of(l, struct ended, link));
	while (list_shift(&b->stopped)) {}
	while (list_shift(&b->parents)) {}
	while (list_shift(&b->leaving)) {}
	free(b);
	return NULL;
}

bool batch_has_rows(const struct batch *b)
{
	return b->nrows > 0 || b->nleaving > 0;
}

bool batch_has_outs(const struct batch *b)
{
	return !list_empty(&b->deliveries) || !list_empty(&b->starts) || !list_empty(&b->cancels)
	       || !list_empty(&b->imports) || !list_empty(&b->calls) || !list_empty(&b->logs);
}

struct row *batch_row(struct batch *b, const struct id *flow, uint64_t seq)
{
	struct row *row = row_take(b->engine);

	row->flow = *flow;
	row->seq = seq;
	row->last = false;
	row->before = NULL;
	list_push(&b->rows, &row->link);
	b->nrows++;
	return row;
}

void batch_log(struct batch *b, const char *event, struct slice line)
{
	struct log_line *l = xalloc(sizeof *l);

	l->event = event;
	buf_init(&l->text, SIZE_MAX);
	buf_put_slice(&l->text, line);
	list_push(&b->logs, &l->link);
}

static void commit_done(struct store_commit *commit, int rc)
{
	struct batch *b = container_of(commit, struct batch, commit);

	engine_batch_done(b->engine, b, rc);
}

void batch_submit(struct batch *b)
{
	size_t i = 0;

	b->store_rows = xalloc((b->nrows + 1) * sizeof *b->store_rows);
	for (struct list *l = b->rows.next; l != &b->rows; l = l->next) {
		const struct row *row = container_of(l, struct row, link);

		b->store_rows[i++] = (struct store_row){
			.flow = row->flow, .seq = row->seq, .last = row->last,
			.from_seq = row->from_seq, .bytes = buf_slice(&row->bytes) };
	}
	i = 0;
	b->store_ended = xalloc((b->nended + 1) * sizeof *b->store_ended);
	for (struct list *l = b->ended.next; l != &b->ended; l = l->next)
		b->store_ended[i++] = container_of(l, struct ended, link)->row;
	b->store_parks = xalloc((b->nleaving + 1) * sizeof *b->store_parks);
	i = 0;
	for (struct list *l = b->leaving.next; l != &b->leaving; l = l->next)
		b->store_parks[i++] = container_of(l, struct flow, leaving)->park;
	b->commit = (struct store_commit){
		.rows = b->store_rows, .nrows = b->nrows,
		.ended = b->store_ended, .nended = b->nended,
		.parks = b->store_parks, .nparks = b->nleaving,
		.now_ms = b->engine->now_ms,
		.done = commit_done,
	};
	store_commit(b->engine->store, &b->commit);
}

/* Answers the askers; rc 0 lets each have the answer that was prepared for it. */
static void askers_answer(struct batch *b, int rc)
{
	for (struct list *l; (l = list_shift(&b->deliveries));) {
		struct delivery *d = container_of(l, struct delivery, link);

		if (rc)
			delivery_answer_set(d, SLICE_NONE);
		delivery_tell(d, rc ? 503 : d->status);
	}
	for (struct list *l; (l = list_shift(&b->starts));) {
		struct start *s = container_of(l, struct start, link);

		s->done(s, rc, &s->id, s->existed, rc ? "the store is away" : NULL);
	}
	for (struct list *l; (l = list_shift(&b->cancels));) {
		struct cancel *c = container_of(l, struct cancel, link);

		c->done(c, rc ? rc : c->rc);
	}
	for (struct list *l; (l = list_shift(&b->imports));) {
		struct import *im = container_of(l, struct import, link);

		b->engine->import = NULL;
		im->done(im, rc ? err_set(&im->err, rc, "the store is away just now") : 0);
	}
}

static void logs_out(struct batch *b, bool print)
{
	struct seams *s = &b->engine->config.seams;

	for (struct list *l; (l = list_shift(&b->logs));) {
		struct log_line *line = container_of(l, struct log_line, link);

		if (print)
			s->log(s->owner, line->event, buf_slice(&line->text));
		buf_fini(&line->text);
		free(line);
	}
}

void batch_release(struct batch *b)
{
	logs_out(b, true);
	for (struct list *l; (l = list_shift(&b->calls));)
		call_let_out(container_of(l, struct call, batch_link));
	for (struct list *l; (l = list_shift(&b->ended));) {
		struct ended *x = container_of(l, struct ended, link);

		watch_tell(x->flow, 0, x->row.status, x->row.result);
		flow_free(x->flow);
		ended_free(x);
	}
	leave_release(b);
	for (struct list *l; (l = list_shift(&b->stopped));)
		flow_tell_stopped(container_of(l, struct flow, stopped));
	askers_answer(b, 0);
}

void batch_refuse(struct batch *b)
{
	logs_out(b, false);
	while (list_shift(&b->calls)) {}          /* their flows go, and they with these */
	askers_answer(b, FISH_ESTORE);
}
