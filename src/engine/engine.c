/* engine.c - the turn: take in, run what is ready, commit, let effects out.
 *
 * Invariant: the time stands still while a flow has news that it has not seen, so that a deadline that
 * had not passed when an entry came has not passed when its flow runs. Surprise: flows run ahead of the disk; only what
 * leaves waits for it. */
#include "engine/engine.h"

#include "engine/hold.h"
#include "engine/run.h"
#include "engine/work.h"
#include "engine/world.h"

#include <stdlib.h>
#include <string.h>

enum {
	PARK_AFTER_MS      = 10 * 1000,
	RUN_AHEAD_BYTES    = 64 << 20,
	ROW_BYTES_MAX      = 300 << 20, /* three of it and an entry are less than the 10^9 that SQLite takes in a row */
	MEMORY_BYTES       = 1 << 30,
	AWAY_PAUSE_MS      = 500,       /* after the first commit that failed; doubles */
	AWAY_PAUSE_MAX_MS  = 15 * 1000,
};
_Static_assert(3 * (int64_t)ROW_BYTES_MAX < STORE_ROW_BYTES_MAX, "an ended flow's long slices fit a row");

static int check_program(const fish_program *p, struct err *err)
{
	for (const fish_def *d = p->flows; d && d->name; d++) {
		if (!*d->name || strlen(d->name) > NAME_BYTES_MAX || !d->fn)
			return err_set(err, FISH_EINVAL, "flow \"%.80s\" needs a name of 1 to %d bytes and a function",
			               d->name, NAME_BYTES_MAX);
		if (d->stack_bytes > CO_STACK_BYTES_MAX)
			return err_set(err, FISH_EINVAL, "flow \"%.80s\" asks for %zu bytes of stack, at most %d are given",
			               d->name, d->stack_bytes, CO_STACK_BYTES_MAX);
		for (const fish_def *o = p->flows; o < d; o++)
			if (strcmp(o->name, d->name) == 0)
				return err_set(err, FISH_EINVAL, "two flows are named \"%.80s\"", d->name);
	}
	return 0;
}

void engine_log(struct engine *e, const char *event, const char *fmt, ...)
{
	struct buf line;
	va_list ap;

	buf_init(&line, SIZE_MAX);
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	e->config.seams.log(e->config.seams.owner, event, buf_slice(&line));
	buf_fini(&line);
}

/* Expanded by the host, or as the program has them. */
static int take_senders(struct senders *ret, const struct engine_config *config, struct err *err)
{
	const fish_sender *const *listed = config->program->senders;
	size_t n = 0;

	while (listed && listed[n])
		n++;
	fish_sender *copies = xalloc((n + 1) * sizeof *copies);

	for (size_t i = 0; i < n; i++)
		copies[i] = config->senders ? config->senders[i] : *listed[i];
	int rc = senders_init(ret, copies, n, err);

	free(copies);
	return rc;
}

static void defaults_put(struct engine_config *c)
{
	if (!c->park_after_ms)
		c->park_after_ms = PARK_AFTER_MS;
	if (!c->memory_bytes)
		c->memory_bytes = MEMORY_BYTES;
	if (!c->steps_max)
		c->steps_max = STEPS_MAX_DEFAULT;
	if (!c->turn_steps_max)
		c->turn_steps_max = STEPS_PER_TURN;
	if (!c->run_ahead_bytes)
		c->run_ahead_bytes = RUN_AHEAD_BYTES;
	if (!c->row_bytes_max)
		c->row_bytes_max = ROW_BYTES_MAX;
	if (!c->ended_bytes_max)
		c->ended_bytes_max = ROW_BYTES_MAX;
}

int engine_new(struct engine **ret, const struct engine_config *config, struct err *err)
{
	int rc = check_program(config->program, err);

	if (rc < 0)
		return rc;
	if (config->base_url && strlen(config->base_url) > BASE_URL_BYTES_MAX)
		return err_set(err, FISH_ETOOBIG, "the public URL has more than %d bytes", BASE_URL_BYTES_MAX);
	CHECK(config->store->nkeys > 0);
	struct senders senders = { .n = 0 };

	if ((rc = take_senders(&senders, config, err)) < 0)
		return rc;
	struct doors doors = { .n = 0 };

	if ((rc = doors_init(&doors, config, &senders, err)) < 0) {
		senders_fini(&senders);
		return rc;
	}
	struct engine *e = xalloc(sizeof *e);

	e->config = *config;
	e->doors = doors;
	e->senders = senders;
	defaults_put(&e->config);
	e->store = config->store;
	e->base_url = xstrndup(config->base_url ? config->base_url : "", config->base_url ? strlen(config->base_url) : 0);
	e->stacks = co_pool_new();
	e->ledger = ledger_new();
	e->tokens = token_ring_new(e->store->keys, e->store->nkeys);
	map_init(&e->flows);
	map_init(&e->start_keys);
	map_init(&e->fetching);
	heap_init(&e->deadlines);
	list_init(&e->fetches);
	list_init(&e->walks);
	heap_init(&e->holds);
	heap_init(&e->pauses);
	list_init(&e->ready);
	list_init(&e->starved);
	list_init(&e->paused);
	list_init(&e->idle);
	list_init(&e->cancelling);
	list_init(&e->loads);
	list_init(&e->works);
	list_init(&e->acts);
	list_init(&e->claims);
	list_init(&e->claims_asked);
	list_init(&e->uncommitted);
	list_init(&e->rows_spare);
	e->gather = batch_new(e, 1);
	e->away_pause_ms = AWAY_PAUSE_MS;
	e->now_ms = config->seams.now_ms(config->seams.owner);
	/* Set back between two runs: time goes on from where the store was, at the clock's pace. */
	if (e->now_ms < e->store->time_ms)
		e->ahead_ms = e->store->time_ms - e->now_ms;
	e->now_ms += e->ahead_ms;
	for (size_t i = 0; i < e->doors.n; i++)
		ledger_open_door(e->ledger, &e->doors.all[i].book, e->now_ms);
	*ret = e;
	return 0;
}

struct engine *engine_free(struct engine *e)
{
	if (!e)
		return NULL;
	/* An asker that asks again from within its answer is refused, and not by way of a closed store. */
	e->failed = true;
	e->store = NULL;
	batch_refuse(e->gather);
	if (e->inflight)
		batch_refuse(e->inflight);
	engine_forget(e);
	batch_refuse(e->gather);                  /* what deferred functions have logged */
	import_forget(e);
	works_drop(e);
	e->gather = batch_free(e->gather);
	e->inflight = batch_free(e->inflight);
	rows_free(e);
	loads_free(e);
	fetches_free(e);
	claims_free(e);
	walks_free(e);
	map_fini(&e->flows);
	map_fini(&e->start_keys);
	map_fini(&e->fetching);
	heap_fini(&e->deadlines);
	heap_fini(&e->holds);
	heap_fini(&e->pauses);
	co_pool_free(e->stacks);
	token_ring_free(e->tokens);
	doors_fini(&e->doors);
	senders_fini(&e->senders);
	ledger_free(e->ledger);
	free(e->base_url);
	free(e);
	return NULL;
}

int engine_recover(struct engine *e, struct err *err)
{
	return engine_rebuild(e, err);
}

void engine_set_base_url(struct engine *e, const char *base_url)
{
	free(e->base_url);
	e->base_url = xstrndup(base_url, strlen(base_url));
}

/* ---- small questions ---- */

int64_t engine_wait_until(int64_t from_ms, int64_t timeout_ms)
{
	if (timeout_ms <= 0)
		return from_ms;
	return timeout_ms > INT64_MAX - from_ms ? INT64_MAX : from_ms + timeout_ms;
}

const fish_def *engine_def(const struct engine *e, struct slice name)
{
	for (const fish_def *d = e->config.program->flows; d && d->name; d++)
		if (slice_eq(slice_of(d->name), name))
			return d;
	return NULL;
}

const fish_def *engine_def_of(const struct engine *e, fish_fn *fn)
{
	for (const fish_def *d = e->config.program->flows; d && d->name; d++)
		if (d->fn == fn)
			return d;
	return NULL;
}

const fish_peer *engine_peer(const struct engine *e, const fish_peer *p)
{
	const fish_peer *const *listed = e->config.program->peers;

	for (size_t i = 0; e->config.peers && listed && listed[i]; i++)
		if (listed[i] == p)
			return &e->config.peers[i];
	return p;
}

struct id engine_new_id(struct engine *e)
{
	uint8_t chance[10];

	e->config.seams.entropy(e->config.seams.owner, chance, sizeof chance);
	return id_make(e->now_ms, chance);
}

bool engine_overfull(const struct engine *e)
{
	return e->gather->bytes >= e->config.run_ahead_bytes;
}

bool engine_crowded(const struct engine *e)
{
	return engine_overfull(e) || e->memory + e->gather->bytes > e->config.memory_bytes;
}

static void clock_look(struct engine *e)
{
	int64_t now_ms = e->config.seams.now_ms(e->config.seams.owner) + e->ahead_ms;

	if (now_ms > e->now_ms)
		e->now_ms = now_ms;
}

/* The loop may have slept since the last turn: what is handed in now comes now. While some flow has
 * news that it has not seen, the time stands still, or a deadline could pass between the two. */
void engine_catch_up(struct engine *e)
{
	if (list_empty(&e->ready) && list_empty(&e->acts))
		clock_look(e);
}

int64_t engine_now_ms(const struct engine *e)
{
	return e->now_ms;
}

bool engine_away(const struct engine *e)
{
	return e->away || e->failed || !e->store;
}

bool engine_idle(const struct engine *e)
{
	return !e->inflight && list_empty(&e->ready) && (list_empty(&e->paused) || e->winds_down)
	       && list_empty(&e->starved) && list_empty(&e->loads)
	       && list_empty(&e->fetches) && list_empty(&e->walks) && !e->due.asked
	       && list_empty(&e->acts) && list_empty(&e->claims) && list_empty(&e->claims_asked)
	       && list_empty(&e->cancelling) && !e->import && !batch_has_rows(e->gather) && !batch_has_outs(e->gather);
}

/* ---- the turn ---- */

void engine_run_flow(struct engine *e, struct flow *f)
{
	(void)e;
	list_remove(&f->ready);
	run_go(f->run);
}

/* Is some flow on its way from the store, or about to be asked for? */
static bool reads(const struct engine *e)
{
	return !list_empty(&e->loads) || !list_empty(&e->fetches) || !list_empty(&e->claims_asked) || e->due.asked || due_next_ms(e) <= e->now_ms;
}

static bool older(const struct flow *a, const struct flow *b)
{
	return memcmp(a->id.b, b->id.b, sizeof a->id.b) < 0;
}

/* A simulated engine runs nobody while another is still being read, and the oldest first: so who happens
 * to be in memory, and in which order a restart woke them, has no say in what they do to each other. */
static struct list *next_ready(struct engine *e)
{
	struct list *first = e->ready.next;

	if (!e->config.simulated || list_empty(&e->ready))
		return list_shift(&e->ready);
	if (reads(e))
		return NULL;
	for (struct list *l = first->next; l != &e->ready; l = l->next)
		if (older(container_of(l, struct flow, ready), container_of(first, struct flow, ready)))
			first = l;
	list_remove(first);
	return first;
}

/* Flows that have waited do not lie in the cache, and who runs one waits for memory again and again: so it is
 * asked for the next two while one runs. */
static void next_near(const struct engine *e)
{
	const struct list *next = e->ready.next;
	const struct list *after = next->next;

	if (next == &e->ready)
		return;
	const struct run *run = container_of(next, struct flow, ready)->run;
	if (run->co)
		co_near(run->co);
	if (after != &e->ready)
		bytes_near(container_of(after, struct flow, ready)->run->co, 1);
}

/* Starved flows are tried once a turn: a stack may have come free. */
static void run_ready(struct engine *e)
{
	struct list *l;

	while ((l = list_shift(&e->starved)))
		list_push(&e->ready, l);
	/* What flows did to others belongs to the batch that tells of it, full or not. */
	for (acts_do(e); !engine_overfull(e) && (l = next_ready(e)); acts_do(e)) {
		next_near(e);
		run_go(container_of(l, struct flow, ready)->run);
	}
	claims_do(e);                             /* a box that begins by it runs in the next turn */
}

/* Once a turn, and at the end of those that wait to run: each has its share. */
static void go_on_paused(struct engine *e)
{
	for (struct list *l; !e->winds_down && (l = list_shift(&e->paused));)
		list_push(&e->ready, l);
}

static struct flow *next_due(struct engine *e)
{
	struct heap_node *first = heap_first(&e->deadlines);

	if (!first || first->due_ms > e->now_ms)
		return NULL;
	for (size_t i = 0; e->config.simulated && i < e->deadlines.len; i++) {
		struct heap_node *n = e->deadlines.nodes[i];
		struct flow *f = container_of(n, struct flow, due);

		if (n->due_ms > e->now_ms)
			continue;
		/* All of them are read before the first one rings. */
		if (f->state == FLOW_PARKED && !f->run)
			flow_load(f);
		if (older(f, container_of(first, struct flow, due)))
			first = n;
	}
	return e->config.simulated && reads(e) ? NULL : container_of(first, struct flow, due);
}

static void deadlines_ring(struct engine *e)
{
	struct flow *f;

	while (!engine_overfull(e) && (f = next_due(e)))
		flow_settle(f);
}

static void submit(struct engine *e)
{
	struct batch *b = e->gather;

	if (e->inflight)
		return;
	/* Simulated: a commit is what a whole round has come to, however many had to be read for it. */
	if (e->config.simulated && !engine_overfull(e) && (!list_empty(&e->ready) || reads(e)))
		return;
	for (struct list *l; (l = list_shift(&b->parents));)
		tree_flush(container_of(l, struct flow, parents_link));
	if (!batch_has_rows(b)) {
		batch_release(b);                 /* nothing before it is under way: all it rests on is durable */
		return;
	}
	e->inflight = b;
	e->gather = batch_new(e, b->no + 1);
	batch_submit(b);
}

static void wake_committed(struct engine *e)
{
	struct list *next;

	for (struct list *l = e->uncommitted.next; l != &e->uncommitted; l = next) {
		struct flow *f = container_of(l, struct flow, uncommitted);

		next = l->next;
		if (f->run && f->run->awaited > e->durable_no)
			continue;
		list_remove(&f->uncommitted);
		flow_wake(f);
	}
}

void engine_batch_done(struct engine *e, struct batch *b, int rc)
{
	CHECK(b == e->inflight);
	e->inflight = NULL;
	if (rc < 0) {
		e->failed = true;
		batch_refuse(b);
		batch_refuse(e->gather);
	} else {
		e->figures.commits++;
		e->durable_no = b->no;
		e->away_pause_ms = AWAY_PAUSE_MS;
		wake_committed(e);
		batch_release(b);
	}
	batch_free(b);
}

/* A commit that failed is a crash that spares the process. */
static void go_away(struct engine *e)
{
	int64_t pause_ms = e->config.simulated ? 0 : e->away_pause_ms;

	engine_log(e, "store.away", "for=%lldms why=\"a commit was rolled back; what came is refused with 503\"",
	           (long long)pause_ms);
	e->failed = false;
	e->away = true;
	e->away_until_ms = e->now_ms + pause_ms;
	e->away_pause_ms = 2 * e->away_pause_ms < AWAY_PAUSE_MAX_MS ? 2 * e->away_pause_ms : AWAY_PAUSE_MAX_MS;
	engine_forget(e);
	batch_refuse(e->gather);                  /* what came in since the commit failed */
	uint64_t no = e->gather->no;

	batch_free(e->gather);
	e->gather = batch_new(e, no + 1);
}

static bool come_back(struct engine *e)
{
	struct err err = { .code = 0 };

	if (e->now_ms < e->away_until_ms)
		return false;
	if (engine_rebuild(e, &err) < 0) {
		struct seams *s = &e->config.seams;

		s->log(s->owner, "store.unreadable", slice_of(err.text));
		check_failed("the store can be read again", __FILE__, __LINE__);
	}
	e->away = false;
	engine_log(e, "store.back", "flows=%zu", e->flows.len);
	return true;
}

/* All of a turn but its commit. False: the store is away. */
static bool take_in(struct engine *e)
{
	/* What was handed in since the last turn came at the old time: it runs before the clock moves. And a
	 * flow that goes on now may come to rest with a deadline that has passed, as another build counts. */
	if (!engine_away(e)) {
		go_on_paused(e);
		run_ready(e);
	}
	clock_look(e);
	store_poll(e->store);
	if (e->failed)
		go_away(e);
	if (e->away && !come_back(e))
		return false;
	calls_ring(e);
	holds_ring(e);
	due_look(e);
	deadlines_ring(e);
	tree_walk(e);
	run_ready(e);
	leave_idle(e);
	return true;
}

bool engine_gather(struct engine *e)
{
	if (!take_in(e))
		return false;
	const struct batch *b = e->gather;

	return !e->inflight && (batch_has_rows(b) || batch_has_outs(b) || !list_empty(&b->parents));
}

void engine_turn(struct engine *e)
{
	if (!take_in(e))
		return;
	submit(e);
}

int64_t engine_next_ms(const struct engine *e)
{
	int64_t next = INT64_MAX;
	const struct heap_node *due = heap_first(&e->deadlines);
	const struct heap_node *pause = heap_first(&e->pauses);
	const struct heap_node *hold = heap_first(&e->holds);

	if (e->away)
		return e->away_until_ms;
	/* Without room nothing rings before the commit under way is done, and that is told. */
	if (due && !(e->inflight && engine_overfull(e)))
		next = due->due_ms;
	if (pause && pause->due_ms < next)
		next = pause->due_ms;
	if (hold && hold->due_ms < next)
		next = hold->due_ms;
	if (leave_next_ms(e) < next && leave_next_ms(e) > e->now_ms)
		next = leave_next_ms(e);
	if (due_next_ms(e) < next)
		next = due_next_ms(e) > e->now_ms ? due_next_ms(e) : e->now_ms;
	bool goes_on = !list_empty(&e->paused) && !e->winds_down && !(e->inflight && engine_overfull(e));
	bool has_more = !list_empty(&e->cancelling) || !list_empty(&e->acts) || !list_empty(&e->claims)
	                || (!list_empty(&e->ready) && !e->inflight) || goes_on;

	if (has_more && e->now_ms < next)
		next = e->now_ms;
	if (!list_empty(&e->starved) && e->now_ms + 10 < next)
		next = e->now_ms + 10;
	return next;
}

void engine_wind_down(struct engine *e)
{
	e->winds_down = true;
}

size_t engine_memory(const struct engine *e)
{
	return e->memory;
}

void engine_figures(const struct engine *e, struct engine_figures *ret)
{
	const struct flow *f;

	*ret = e->figures;
	ret->flows = ret->waiting = ret->parked = (size_t)(e->parked.flows - e->parked.apart);
	ret->hooks_open = (size_t)e->parked.hooks;
	ret->untaken = (size_t)(e->parked.untaken - e->parked.apart_untaken);
	ret->boxes = (size_t)e->parked.apart;
	ret->boxes_untaken = (size_t)e->parked.apart_untaken;
	ret->memory = e->memory;
	for (size_t i = 0; (f = map_each(&e->flows, &i));) {
		if (f->state == FLOW_ENDED)
			continue;
		ret->resident += f->run && f->run->co;
		ret->running += f->state == FLOW_READY || f->state == FLOW_LOADING;
		ret->stopped += f->state == FLOW_STOPPED;
		if (flow_is_box(f)) {
			ret->boxes++;
			ret->boxes_untaken += f->waiting;
			continue;
		}
		ret->flows++;
		ret->waiting += f->state == FLOW_WAITING || f->state == FLOW_PARKED;
		ret->closing += f->closing || f->cancelled;
		ret->untaken += f->waiting;
		for (size_t h = 0; h < f->nhooks; h++)
			ret->hooks_open += !f->hooks[h].closed;
		for (const struct list *l = f->calls.next; l != &f->calls; l = l->next)
			ret->calls++;
	}
}
