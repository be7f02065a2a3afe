/* engine_story.h - a story is run again and again, each time with a fault at another moment, and must
 * come out the same.
 *
 * The world around the flow does its part by itself: it starts the flow until that is told 0, posts the
 * scripted deliveries until they are told 200 or 410, answers calls, ends works and lets time pass.
 * A moment is the completion of one request to the store. */
#ifndef FISH_ENGINE_STORY_H
#define FISH_ENGINE_STORY_H

#include "engine_kit.h"

enum { STORY_ROUNDS_MAX = 300, STORY_POSTS_MAX = 6, STORY_END_SIZE = 400 };

enum story_fault { FAULT_NONE, FAULT_LOST, FAULT_KEPT, FAULT_FAILS, FAULT_KINDS };

/* A delivery: to the URL that a call's body tells behind a word, once that call has come. */
struct story_post {
	const char *word;
	const char *body;
};

struct story {
	const fish_program *program;
	const char         *flow;
	struct story_post   posts[STORY_POSTS_MAX];
	const char         *end;          /* how it must come out */
	const char         *deaf;         /* calls of this path are answered 503; NULL: none are */
};

struct telling {
	const struct story *story;
	struct kit          kit;
	enum story_fault    fault;
	size_t              at, moment;   /* the fault comes at this moment; so many were */
	bool                told[STORY_POSTS_MAX];
};

/* One more request to the store is done, or what the fault makes of it. */
static inline void story_moment(struct telling *t)
{
	struct kit *k = &t->kit;

	if (++t->moment != t->at) {
		store_memory_complete(k->store, MEMORY_OK);
		return;
	}
	switch (t->fault) {
	case FAULT_LOST:
	case FAULT_KEPT:
		kit_crash(k, t->fault == FAULT_KEPT ? KIT_KEPT : KIT_LOST);
		store_memory_hold(k->store, true);
		break;
	case FAULT_FAILS:
		store_memory_complete(k->store, MEMORY_COMMIT_FAILS);
		break;
	case FAULT_NONE:
	case FAULT_KINDS:
		break;
	}
}

static inline void story_turn(struct telling *t)
{
	struct kit *k = &t->kit;

	for (int n = 0; n < KIT_TURNS_MAX; n++) {
		engine_turn(k->engine);
		if (engine_away(k->engine))
			k->now_ms += 500;
		else if (store_memory_pending(k->store))
			story_moment(t);
		else if (engine_idle(k->engine))
			return;
	}
	fail_msg("the engine does not come to rest");
}

static inline bool story_answer(struct telling *t)
{
	struct kit *k = &t->kit;

	for (size_t i = 0; i < k->nsent; i++) {
		struct attempt *a = k->sent[i].attempt;
		bool deaf = t->story->deaf && strstr(k->sent[i].url, t->story->deaf);

		if (!a)
			continue;
		k->sent[i].attempt = NULL;
		a->done(a, deaf ? 503 : 200, SLICE_NONE, SLICE_LIT("{\"ok\": 1}"), -1, NULL);
		return true;
	}
	return false;
}

static inline bool story_work(struct telling *t)
{
	struct kit *k = &t->kit;

	for (size_t i = 0; i < k->nworks; i++) {
		struct work_item *w = k->works[i];

		if (!w)
			continue;
		k->works[i] = NULL;
		w->fn(w->arg, w->result);
		w->done(w);
		return true;
	}
	return false;
}

static inline const char *story_url(struct kit *k, const char *word)
{
	for (size_t i = 0; i < k->nsent; i++) {
		const char *at = strstr(k->sent[i].body, word);

		if (at && strstr(at, "/h/"))
			return strstr(at, "/h/");
	}
	return NULL;
}

static inline bool story_post(struct telling *t)
{
	for (size_t i = 0; i < STORY_POSTS_MAX && t->story->posts[i].word; i++) {
		const struct story_post *p = &t->story->posts[i];
		const char *url = story_url(&t->kit, p->word);
		char id[16];
		struct knock n;

		if (t->told[i] || !url)
			continue;
		snprintf(id, sizeof id, "m%zu", i);
		kit_knock(&t->kit, &n, url, p->body, id);
		story_turn(t);
		/* Nobody answers what was asked of a process that has died. */
		t->told[i] = n.status != 0 && n.status != 503;
		return true;
	}
	return false;
}

/* The same key is the same flow, whenever it is asked for. */
static inline struct id story_start(struct telling *t)
{
	for (int n = 0; n < 5; n++) {
		struct launch l;

		kit_launch(&t->kit, &l, t->story->flow, "{}", "the story");
		story_turn(t);
		if (l.rc == 0)
			return l.id;
	}
	fail_msg("the story does not start");
	return (struct id){ { 0 } };
}

static inline void story_pass(struct telling *t)
{
	int64_t next_ms = engine_next_ms(t->kit.engine);

	t->kit.now_ms = next_ms > t->kit.now_ms && next_ms < t->kit.now_ms + FISH_HOUR ? next_ms
	                                                                           : t->kit.now_ms + 1;
}

/* Tells it once; how often the store was done with a request is handed back. */
static inline size_t story_tell(const struct story *story, int64_t park_after_ms, enum story_fault fault,
                                size_t at)
{
	struct telling t = { .story = story, .fault = fault, .at = at };
	struct kit *k = &t.kit;
	size_t moments = 0;

	kit_open(k, story->program, park_after_ms);
	store_memory_hold(k->store, true);
	struct id id = story_start(&t);

	for (int n = 0; n < STORY_ROUNDS_MAX && kit_figures(k).flows; n++) {
		story_turn(&t);
		moments = t.moment;
		if (!story_answer(&t) && !story_work(&t) && !story_post(&t))
			story_pass(&t);
	}
	store_memory_hold(k->store, false);
	const char *end = kit_end(k, id);

	if (strcmp(end, story->end) != 0)
		fail_msg("%s, fault %d at moment %zu: \"%s\", not \"%s\"\n%s", story->flow, (int)fault, at, end,
		         story->end, kit_show(k, id));
	kit_close(k);
	return moments;
}

/* Tells it without a fault, and with each fault at each moment. */
static inline void story_tell_all(const struct story *story, int64_t park_after_ms)
{
	size_t moments = story_tell(story, park_after_ms, FAULT_NONE, 0);

	assert_true(moments > 0);
	for (int fault = FAULT_LOST; fault < FAULT_KINDS; fault++)
		for (size_t at = 1; at <= moments; at++)
			story_tell(story, park_after_ms, (enum story_fault)fault, at);
}

#endif
