/* sqlite_check_told.c - does a flow's row in parked say what its journal tells?
 *
 * The row is what is known of a flow that nobody reads: whose child it is, by which key it is found, how
 * many of its hooks are open, how many deliveries it has not taken. Invariant: entries are counted as the
 * engine counts them when it reads a flow. Surprise: when it wakes is not judged; a new build may wait
 * longer or shorter than the journal says, and writes nothing about that. */
#include "store/sqlite_check.h"

#include <inttypes.h>
#include <string.h>

struct told_hook {
	uint32_t number;
	bool closed;
};

void told_init(struct told *t)
{
	*t = (struct told){ .origin = false };
	buf_init(&t->hooks, SIZE_MAX);
}

void told_fini(struct told *t) { buf_fini(&t->hooks); }

static size_t hooks_len(const struct told *t) { return t->hooks.len / sizeof(struct told_hook); }

static struct told_hook *hook_at(const struct told *t, size_t i)
{
	return (struct told_hook *)(void *)t->hooks.ptr + i;
}

/* Its place, or where it would stand. */
static size_t hook_place(const struct told *t, uint32_t number)
{
	size_t low = 0;
	size_t high = hooks_len(t);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (hook_at(t, middle)->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct told_hook *hook_find(const struct told *t, uint32_t number)
{
	size_t i = hook_place(t, number);

	return i < hooks_len(t) && hook_at(t, i)->number == number ? hook_at(t, i) : NULL;
}

static void hook_add(struct told *t, uint32_t number, bool closed)
{
	struct told_hook hook = { number, closed };
	size_t i = hook_place(t, number);
	size_t n = hooks_len(t);

	buf_put(&t->hooks, &hook, sizeof hook);
	memmove(hook_at(t, i + 1), hook_at(t, i), (n - i) * sizeof hook);
	*hook_at(t, i) = hook;
}

/* DOOR has all that are of use; what stands before it is of another life. */
static void door(struct told *t, const struct entry *e)
{
	struct slice rest = e->hooks;
	struct entry_door_hook hook;

	buf_reset(&t->hooks);
	while (entry_door_hook_next(&rest, &hook) == 1) {
		if (hook_find(t, hook.number) == NULL)
			hook_add(t, hook.number, hook.closed);
	}
}

static void origin(struct told *t, const struct entry *e)
{
	t->origin = true;
	t->parent = e->source != 0 ? e->flow : (struct id){ { 0 } };
	t->has_key = e->has_key && e->source == 0;
	t->key = e->key;
}

void told_entry(struct told *t, const struct entry *e)
{
	struct told_hook *hook = NULL;

	switch (e->kind) {
	case ENTRY_START:
		origin(t, e);
		break;
	case ENTRY_DOOR:
		origin(t, e);
		door(t, e);
		break;
	case ENTRY_HOOK:
		if (hook_find(t, e->number) == NULL)
			hook_add(t, e->number, false);
		break;
	case ENTRY_CLOSED:
		if ((hook = hook_find(t, e->number)) != NULL)
			hook->closed = true;
		break;
	case ENTRY_MESSAGE:
		t->untaken += e->source == SOURCE_HOOK;
		break;
	case ENTRY_PROGRESS:
		t->progress = true;
		t->untaken = e->waiting;
		break;
	case ENTRY_TIMEOUT:
	case ENTRY_RESULT:
	case ENTRY_PATCH:
	case ENTRY_PUBLISH:
	case ENTRY_REPLY:
	case ENTRY_ANSWER:
	case ENTRY_CHILDREN:
	case ENTRY_CANCEL:
	case ENTRY_RENEW:
	case ENTRY_END:
	case ENTRY_BORN:
		break;
	}
}

static void judge_origin(struct check *c, const struct told *t, const struct store_park *park)
{
	if (!id_eq(&t->parent, &park->parent))
		check_found(c, &park->flow, "its row in parked names another parent than its journal");
	if (t->has_key != park->has_key || (t->has_key && !id_eq(&t->key, &park->key)))
		check_found(c, &park->flow, "its row in parked has another key than its journal");
}

void told_judge(struct check *c, const struct told *t, const struct store_park *park)
{
	uint64_t open = 0;

	if (t->origin)
		judge_origin(c, t, park);
	for (size_t i = 0; i < hooks_len(t); i++)
		open += !hook_at(t, i)->closed && !park->apart;
	if (open != park->hooks)
		check_found(c, &park->flow,
			"its row in parked says that it has %" PRIu32 " open hooks, its journal %" PRIu64,
			park->hooks, open);
	if (t->progress && t->untaken != park->untaken)
		check_found(c, &park->flow,
			"its row in parked says that it has %" PRIu32
			" deliveries not taken, its journal %" PRIu64,
			park->untaken, t->untaken);
}
