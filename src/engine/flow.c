/* flow.c - a live flow's journal and door state: feeding, appending, deadlines, coming and going.
 *
 * Invariant: whatever flow_append does to a flow in memory, flow_feed does again from the store.
 * Surprise: appending to a parked flow does not load it first; the entry is durable before the code
 * runs, and the code finds it in its place when it does. */
#include "engine/flow.h"

#include "engine/hold.h"
#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>
#include <string.h>

struct flow *flow_new(struct engine *e, const struct id *id)
{
	struct flow *f = xalloc(sizeof *f);

	f->id = *id;
	f->engine = e;
	f->state = FLOW_PARKED;
	list_init(&f->sibling);
	list_init(&f->children);
	list_init(&f->parents_link);
	list_init(&f->ready);
	list_init(&f->idle);
	list_init(&f->cancelling);
	list_init(&f->calls);
	list_init(&f->holds);
	list_init(&f->watches);
	list_init(&f->stopped);
	list_init(&f->uncommitted);
	list_init(&f->leaving);
	buf_init(&f->born, SIZE_MAX);
	buf_init(&f->tail, SIZE_MAX);
	buf_init(&f->untaken, SIZE_MAX);
	map_put(&e->flows, id, f);
	return f;
}

static void children_orphan(struct flow *f)
{
	for (struct list *l; (l = list_shift(&f->children));)
		container_of(l, struct flow, sibling)->parent = NULL;
}

void flow_free(struct flow *f)
{
	struct engine *e = f->engine;

	holds_refuse(f);
	e->memory -= f->memory;
	f->run = run_drop(f->run);
	while (!list_empty(&f->calls))
		call_drop(container_of(f->calls.next, struct call, link));
	load_forget(f->load);
	children_orphan(f);
	list_remove(&f->sibling);
	list_remove(&f->parents_link);
	list_remove(&f->ready);
	list_remove(&f->idle);
	list_remove(&f->cancelling);
	list_remove(&f->stopped);
	list_remove(&f->uncommitted);
	list_remove(&f->leaving);
	heap_remove(&e->deadlines, &f->due);
	map_remove(&e->flows, &f->id);
	if (f->has_key && !f->parent_source && map_get(&e->start_keys, &f->key) == f)
		map_remove(&e->start_keys, &f->key);
	for (size_t i = 0; i < f->nhooks; i++) {
		free(f->hooks[i].name);
		free(f->hooks[i].each);
		free((char *)f->hooks[i].options.reply_body.ptr);
		free((char *)f->hooks[i].options.reply_lines.ptr);
		free((char *)f->hooks[i].options.from.ptr);
		free((char *)f->hooks[i].options.on.ptr);
		free((char *)f->hooks[i].options.key.ptr);
		seen_free(f->hooks[i].seen);
	}
	for (size_t i = 0; i < f->npublished; i++) {
		free(f->published[i].name);
		buf_fini(&f->published[i].body);
	}
	free(f->published);
	free(f->kids);
	buf_fini(&f->born);
	free(f->hooks);
	free(f->deadlines);
	free(f->name);
	free(f->base_url);
	free(f->why);
	buf_fini(&f->tail);
	buf_fini(&f->untaken);
	free(f);
}

struct hook *flow_hook(struct flow *f, uint32_t number)
{
	/* Numbers count up, so that the place is the number unless RENEW left some behind. */
	if (number < f->nhooks && f->hooks[number].number == number)
		return &f->hooks[number];
	for (size_t i = 0; i < f->nhooks; i++)
		if (f->hooks[i].number == number)
			return &f->hooks[i];
	return NULL;
}

bool flow_durable(const struct flow *f)
{
	return f->batch <= f->engine->durable_no;
}

uint64_t flow_children(const struct flow *f)
{
	return f->children_live + f->children_added - f->children_ended;
}

void flow_waiting_more(struct flow *f, uint32_t number, size_t n)
{
	struct hook *h = flow_hook(f, number);

	f->waiting_bytes += n;
	if (h)
		h->waiting_bytes += n;
}

void flow_waiting_less(struct flow *f, uint32_t number, size_t n)
{
	struct hook *h = flow_hook(f, number);

	CHECK(f->waiting_bytes >= n);
	f->waiting_bytes -= n;
	if (h)
		h->waiting_bytes -= n;
}

void flow_waiting_none(struct flow *f)
{
	f->waiting_bytes = 0;
	for (size_t i = 0; i < f->nhooks; i++)
		f->hooks[i].waiting_bytes = 0;
}

/* ---- appending ---- */

/* May this entry move the flow on? */
static bool moves(enum entry_kind kind)
{
	switch (kind) {
	case ENTRY_MESSAGE:
	case ENTRY_TIMEOUT:
	case ENTRY_RESULT:
	case ENTRY_CLOSED:
	case ENTRY_CANCEL:
		return true;
	case ENTRY_START:
	case ENTRY_HOOK:
	case ENTRY_PATCH:
	case ENTRY_PUBLISH:
	case ENTRY_REPLY:
	case ENTRY_ANSWER:
	case ENTRY_CHILDREN:      /* tree.c wakes a closing parent */
	case ENTRY_PROGRESS:
	case ENTRY_RENEW:
	case ENTRY_BORN:
	case ENTRY_DOOR:
	case ENTRY_END:
		return false;
	}
	return false;
}

void flow_append(struct flow *f, struct entry *e)
{
	struct engine *en = f->engine;
	struct batch *b = en->gather;

	CHECK(f->state != FLOW_ENDED);
	if (f->row_batch != b->no || f->row->bytes.len >= en->config.row_bytes_max) {
		struct row *before = f->row_batch == b->no ? f->row : NULL;

		f->row = batch_row(b, &f->id, f->seq_next);
		f->row->before = before;
		f->row_batch = b->no;
	}
	struct buf *bytes = &f->row->bytes;
	size_t before = bytes->len;

	f->stored = false;
	leave_not(f);
	e->time_ms = en->now_ms;
	entry_put(bytes, e);
	CHECK(!buf_failed(bytes));
	b->bytes += bytes->len - before;
	f->batch = b->no;
	if (f->state == FLOW_LOADING)
		buf_put(&f->tail, bytes->ptr + before, bytes->len - before);
	uint64_t seq = f->seq_next;
	int rc = flow_feed(f, e);

	CHECK(rc == 0);                           /* we made it ourselves */
	f->row->from_seq = f->from_seq;
	if (f->run)
		run_feed(f->run, e, seq);
	else if (f->state == FLOW_STOPPED && e->kind == ENTRY_MESSAGE && e->source == SOURCE_HOOK)
		entry_put(&f->untaken, e);
	en->figures.entries++;
	if (moves(e->kind) && !(f->state == FLOW_PARKED && rule_off(en, RULE_WAKE_PARKED)))
		flow_wake(f);
}

void flow_wake(struct flow *f)
{
	switch (f->state) {
	case FLOW_PARKED:
		list_remove(&f->idle);
		if (f->run)
			flow_begin(f);
		else
			flow_load(f);
		break;
	case FLOW_WAITING:
		list_remove(&f->idle);
		list_push(&f->engine->ready, &f->ready);
		f->state = FLOW_READY;
		break;
	case FLOW_LOADING:        /* will run when its rows are there */
	case FLOW_READY:
	case FLOW_RUNNING:        /* looks again before it rests */
	case FLOW_STOPPED:
	case FLOW_ENDED:
		break;
	}
}

/* ---- deadlines ---- */

static void ring(struct flow *f, struct entry_deadline d)
{
	struct entry e = { .kind = ENTRY_TIMEOUT, .number = d.step };

	if (d.source == SOURCE_CANCEL)            /* CANCEL stands already: the second says that time is over */
		e = (struct entry){ .kind = ENTRY_CANCEL };
	if (d.source == SOURCE_HOOK)
		e = (struct entry){ .kind = ENTRY_CLOSED, .number = d.step, .name = SLICE_LIT("expired") };
	if (d.source == SOURCE_TIMER) {
		e.kind = ENTRY_MESSAGE;
		e.source = SOURCE_TIMER;
		e.status = 200;
	}
	flow_append(f, &e);
}

void flow_settle(struct flow *f)
{
	struct engine *e = f->engine;

	for (;;) {
		/* One that was interrupted has seen its news, or will: it gets no time for being asked. */
		if (f->state == FLOW_READY && !f->run->paused)
			engine_run_flow(e, f);
		if (f->state == FLOW_ENDED || !f->ndeadlines || f->deadlines[0].due_ms > e->now_ms)
			return;
		ring(f, f->deadlines[0]);
	}
}

void flow_ring(struct flow *f)
{
	while (f->state != FLOW_ENDED && f->ndeadlines && f->deadlines[0].due_ms <= f->engine->now_ms)
		ring(f, f->deadlines[0]);
}

/* ---- coming and going ---- */

/* About: what it holds by itself, ids and replies that duplicates hear among it, and its run with the pages
 * of its stack. */
static size_t memory_of(const struct flow *f)
{
	size_t n = sizeof *f + f->nhooks * sizeof *f->hooks + f->tail.cap + f->untaken.cap + f->seen_bytes;

	return f->run ? n + run_memory(f->run) : n;
}

/* Hooks are many in a long life: so each is counted when it changes, and not at each rest. */
void flow_seen(struct flow *f, struct hook *h)
{
	size_t bytes = seen_bytes(h->seen);

	f->seen_bytes += bytes - h->seen_bytes;
	h->seen_bytes = bytes;
}

static void count_memory(struct flow *f, size_t bytes)
{
	f->engine->memory += bytes - f->memory;
	f->memory = bytes;
}

void flow_stop(struct flow *f, const char *why)
{
	free(f->why);
	f->why = xstrndup(why, strlen(why));
	buf_reset(&f->untaken);
	if (f->run) {
		run_give_back(f->run);
		run_untaken(f->run, &f->untaken);
	}
	f->run = run_drop(f->run);
	count_memory(f, memory_of(f));
	f->state = FLOW_STOPPED;
	list_remove(&f->ready);
	list_remove(&f->idle);
	if (f->cancelled)
		tree_stopped(f);
	else if (flow_durable(f))
		flow_tell_stopped(f);
	else
		list_push(f->batch == f->engine->gather->no ? &f->engine->gather->stopped
		                                            : &f->engine->inflight->stopped, &f->stopped);
}

void flow_tell_stopped(struct flow *f)
{
	char id[ID_TEXT_SIZE];

	if (f->state != FLOW_STOPPED)
		return;
	id_text(&f->id, id);
	engine_log(f->engine, "flow.stopped", "flow=%s name=%s why=\"%s\"", id, f->name ? f->name : "?", f->why);
	watch_tell(f, FISH_ESTOPPED, 0, slice_of(f->why));
}

void flow_idle(struct flow *f)
{
	count_memory(f, memory_of(f));
	f->idle_since_ms = f->engine->now_ms;
	list_remove(&f->idle);
	list_push(&f->engine->idle, &f->idle);
}

void flow_rest(struct flow *f)
{
	CHECK(f->state == FLOW_WAITING);
	CHECK(flow_durable(f));
	f->run = run_drop(f->run);
	count_memory(f, memory_of(f));
	f->state = FLOW_PARKED;
	f->engine->figures.parks++;
}

/* What ended_put is told beside the flow. */
struct how_ended {
	enum end_status status;
	struct slice    result, untaken, seen;
	int64_t         ended_ms;
};

/* The oldest that are not too many for one row. Deliveries alone never are (FLOW_UNTAKEN_BYTES_MAX), but what flows
 * tell one another is not counted. The others stand in the journal, as long as that is kept. */
static struct slice untaken_cut(const struct flow *f, struct slice untaken)
{
	size_t max = f->engine->config.ended_bytes_max;
	struct slice rest = untaken;
	size_t fits = 0;
	char id[ID_TEXT_SIZE];
	struct entry e;

	if (untaken.len <= max)
		return untaken;
	while (entry_next(&rest, &e) == 1 && untaken.len - rest.len <= max)
		fits = untaken.len - rest.len;
	id_text(&f->id, id);
	engine_log(f->engine, "flow.cut", "flow=%s untaken_bytes=%zu kept_bytes=%zu", id, untaken.len, fits);
	return (struct slice){ untaken.ptr, fits };
}

/* Of the newest hooks as many as one row has room for: packed, ids take less than in memory. */
static void seen_put(struct buf *out, const struct flow *f)
{
	size_t max = f->engine->config.ended_bytes_max;
	size_t from = f->nhooks;

	while (from > 0 && seen_bytes(f->hooks[from - 1].seen) <= max)
		max -= seen_bytes(f->hooks[--from].seen);
	for (size_t i = from; i < f->nhooks; i++)
		if (f->hooks[i].seen)
			seen_pack(out, f->hooks[i].number, f->hooks[i].seen);
}

static void ended_put(struct flow *f, const struct how_ended *how)
{
	struct engine *e = f->engine;
	struct ended *x = xalloc(sizeof *x);

	buf_init(&x->name, SIZE_MAX);
	buf_init(&x->result, SIZE_MAX);
	buf_init(&x->seen, SIZE_MAX);
	buf_init(&x->untaken, SIZE_MAX);
	buf_puts(&x->name, f->name);
	buf_put_slice(&x->result, how->result);
	buf_put_slice(&x->untaken, untaken_cut(f, how->untaken));
	buf_put_slice(&x->seen, how->seen);
	if (!how->seen.len)
		seen_put(&x->seen, f);
	x->flow = f;
	x->row = (struct store_ended){
		.flow = f->id,
		.parent = f->parent_id,
		.parent_number = f->parent_number,
		.parent_source = (uint8_t)f->parent_source,
		.has_key = f->has_key,
		.key = f->key,
		.started_ms = f->started_ms,
		.ended_ms = how->ended_ms,
		.status = (uint8_t)how->status,
		.name = buf_slice(&x->name),
		.result = buf_slice(&x->result),
		.seen = buf_slice(&x->seen),
		.untaken = buf_slice(&x->untaken),
	};
	list_push(&e->gather->ended, &x->link);
	e->gather->nended++;
}

void flow_end(struct flow *f, enum end_status status, struct slice result, struct slice untaken)
{
	struct entry e = { .kind = ENTRY_END, .status = (int)status };

	if (status == END_DONE)
		e.body = result;
	else
		e.name = result;
	tree_flush(f);
	flow_append(f, &e);
	f->row->last = true;
	ended_put(f, &(struct how_ended){
		.status = status, .result = result, .untaken = untaken, .ended_ms = f->engine->now_ms });
	list_remove(&f->ready);
	list_remove(&f->idle);
	list_remove(&f->cancelling);
	heap_remove(&f->engine->deadlines, &f->due);
	f->ndeadlines = 0;
	f->state = FLOW_ENDED;
	f->engine->figures.ended += !flow_is_box(f);
	tree_child_ended(f, status, result);
	/* Who is told may send its next delivery from within. */
	holds_end(f);
}

void flow_has_ended(struct flow *f, struct slice entries, struct slice untaken, struct slice seen)
{
	struct how_ended how = { .untaken = untaken, .seen = seen };
	struct entry e;

	while (entry_next(&entries, &e) == 1)
		if (e.kind == ENTRY_END)
			how = (struct how_ended){
				.status = (enum end_status)e.status, .ended_ms = e.time_ms,
				.result = e.status == END_DONE ? e.body : e.name,
				.untaken = untaken, .seen = seen };
	CHECK(how.status);                        /* import.c has seen it */
	f->row->last = true;
	ended_put(f, &how);
	heap_remove(&f->engine->deadlines, &f->due);
	f->ndeadlines = 0;
	f->state = FLOW_ENDED;
}
