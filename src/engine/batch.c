/* batch.c - gathers rows and outs, hands them to the store, lets the outs out or refuses them. */
#include "engine/batch.h"

#include "engine/call.h"
#include "engine/world.h"

#include <stdlib.h>

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
	list_init(&b->calls);
	list_init(&b->logs);
	list_init(&b->stopped);
	list_init(&b->parents);
	return b;
}

static void rows_free(struct batch *b)
{
	for (struct list *l; (l = list_shift(&b->rows));) {
		struct row *row = container_of(l, struct row, link);

		buf_fini(&row->bytes);
		free(row);
	}
	free(b->store_rows);
	free(b->store_ended);
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
	rows_free(b);
	for (struct list *l; (l = list_shift(&b->ended));)
		ended_free(container_of(l, struct ended, link));
	while (list_shift(&b->stopped)) {}
	while (list_shift(&b->parents)) {}
	free(b);
	return NULL;
}

bool batch_has_rows(const struct batch *b)
{
	return b->nrows > 0;
}

bool batch_has_outs(const struct batch *b)
{
	return !list_empty(&b->deliveries) || !list_empty(&b->starts) || !list_empty(&b->cancels)
	       || !list_empty(&b->calls) || !list_empty(&b->logs);
}

struct row *batch_row(struct batch *b, const struct id *flow, uint64_t seq)
{
	struct row *row = xalloc(sizeof *row);

	row->flow = *flow;
	row->seq = seq;
	buf_init(&row->bytes, SIZE_MAX);
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

	b->store_rows = xalloc(b->nrows * sizeof *b->store_rows);
	for (struct list *l = b->rows.next; l != &b->rows; l = l->next) {
		const struct row *row = container_of(l, struct row, link);

		b->store_rows[i++] = (struct store_row){
			.flow = row->flow, .seq = row->seq, .last = row->last, .bytes = buf_slice(&row->bytes) };
	}
	i = 0;
	b->store_ended = xalloc((b->nended + 1) * sizeof *b->store_ended);
	for (struct list *l = b->ended.next; l != &b->ended; l = l->next)
		b->store_ended[i++] = container_of(l, struct ended, link)->row;
	b->commit = (struct store_commit){
		.rows = b->store_rows, .nrows = b->nrows,
		.ended = b->store_ended, .nended = b->nended,
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
