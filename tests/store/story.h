/* story.h - the broker's world in one process with its engine: an app that posts orders, a partner
 * that finds couriers, and both calling back; all they know outlives the process.
 *
 * What the world has seen stands in memory shared with the children that the story is told in, so a
 * power cut takes the engine and the store and leaves senders and partners as they were. Invariant:
 * a delivery that was told 200 is not sent again, but for one duplicate of some of them, so one that
 * got lost is missed by its flow for ever; a call with a known key has the known bytes. Surprise: all
 * checks end the process, as a child of a test does not come back to the test. */
#ifndef FISH_TESTS_STORE_STORY_H
#define FISH_TESTS_STORE_STORY_H

#include "fault_vfs.h"
#include "fixture.h"
#include "store/sqlite.h"
/* What the kit's asserts and clock need stands in there. */
#include "../unit/engine_kit.h"

#include <sys/mman.h>

enum { ORDERS = 6, NOTES = 3, POSTS_MAX = 64, CALLS_MAX = 64, MOVES_MAX = 4000,
	STORY_MS_MAX = 60000, REMIND_MS = 120, REMINDERS = 20, PAD_BYTES = 70000 };

/* Somebody's delivery: sent until it is told 200. */
struct story_post {
	char id[32], url[200], body[80];
	bool acked, on_its_way;    /* the second: in this process */
	bool padded;               /* with PAD_BYTES more, so that the store keeps it by itself */
	bool again;                /* one duplicate comes after it was told 200 */
};

/* A call as its partner remembers it. */
struct story_call {
	char key[32], path[16], body[400];
};

struct world {
	struct fixture fx;
	struct fault_disk *disk;
	struct sqlite_options options;
	int64_t now_ms;
	unsigned lives, opens_max;
	int64_t park_after_ms;
	uint64_t rules_off;        /* a planted bug */
	struct story_post posts[POSTS_MAX];
	size_t nposts;
	struct story_call calls[CALLS_MAX];
	size_t ncalls;
	bool opened;               /* the store is there */
	bool ended;                /* the region as well */
	uint64_t parks;            /* flows that went out of memory, in the life that came to the end */
	char said[1200];
};

/* ---- the flows ---- */

static const fish_peer app = { .name = "app", .url = "http://app", .give_up_ms = FISH_HOUR };

static inline void order(fish_flow *f, const fish_msg *in)
{
	const char *id = fish_str(in, "/id");
	fish_hook *taken = fish_spawn(f, "taken");
	fish_hook *notes = fish_spawn(f, "notes");

	fish_post(f, &partner, "/order", "{order: %s, url: %s, notes: %s}", id, fish_url(taken), fish_url(notes));
	const fish_msg *m = NULL;

	/* Deadlines of flows that are parked mostly; not for ever, each is a step of all later lives. */
	for (int i = 0; !m; i++)
		m = fish_next(taken, i < REMINDERS ? REMIND_MS : FISH_FOREVER);
	const char *courier = fish_str(m, "/courier");

	fish_sleep(f, 50);

	fish_hook *granted = fish_spawn(f, "granted");

	fish_post(f, &app, "/accept", "{order: %s, url: %s}", id, fish_url(granted));
	long long grant = fish_int(fish_next(granted, FISH_FOREVER), "/grant", -1);
	long long sum = 0;

	for (int i = 0; i < NOTES; i++)
		sum += fish_int(fish_next(notes, FISH_FOREVER), "/n", 1000);
	fish_post(f, &app, "/done", "{order: %s, courier: %s, grant: %lld, sum: %lld}", id, courier, grant, sum);
}

static inline void region(fish_flow *f, const fish_msg *in)
{
	fish_hook *orders = fish_spawn(f, "orders");

	(void)in;
	fish_post(f, &app, "/region", "{url: %s}", fish_url(orders));
	fish_each(orders, order);
}

static const fish_def broker_flows[] = { FISH_FLOW(order), FISH_FLOW(region), FISH_END };
static const fish_program broker = { .flows = broker_flows };

/* ---- what the world knows ---- */

/* The text of a member in the JSON that the broker writes. */
static inline void member(const char *body, const char *name, char *ret, size_t size)
{
	char quoted[32];

	snprintf(quoted, sizeof quoted, "\"%s\":", name);
	const char *at = strstr(body, quoted);

	CHECK(at);
	at += strlen(quoted);
	at += strspn(at, " \"");
	snprintf(ret, size, "%.*s", (int)strcspn(at, "\","), at);
}

/* A delivery that the world will see to; known already, it must go to the same URL. */
static inline void promise(struct world *w, const char *id, const char *url, const char *body)
{
	for (size_t i = 0; i < w->nposts; i++)
		if (strcmp(w->posts[i].id, id) == 0) {
			CHECK(strcmp(w->posts[i].url, url) == 0);
			return;
		}
	CHECK(w->nposts < POSTS_MAX);
	struct story_post *p = &w->posts[w->nposts];

	*p = (struct story_post){ .acked = false };
	snprintf(p->id, sizeof p->id, "%s", id);
	snprintf(p->url, sizeof p->url, "%s", url);
	snprintf(p->body, sizeof p->body, "%s", body);
	p->padded = strncmp(id, "note0", 5) == 0;
	w->nposts++;
}

static inline void promise_of(struct world *w, const char *what, const char *order_id, const char *url,
                              const char *member_name, int value)
{
	char id[32];
	char body[80];

	snprintf(id, sizeof id, "%.7s-%.23s", what, order_id);
	snprintf(body, sizeof body, "{\"%s\": %d}", member_name, value);
	promise(w, id, url, body);
}

/* What follows from a call: deliveries to the URLs in it. */
static inline void call_heard(struct world *w, const struct sent *s, const char *path)
{
	char url[200];
	char id[24] = "";

	if (strcmp(path, "/done") == 0)
		return;
	member(s->body, "url", url, sizeof url);
	if (strcmp(path, "/region") == 0) {
		for (int i = 0; i < ORDERS; i++) {
			char name[24];
			char body[80];

			snprintf(name, sizeof name, "order-%d", i);
			snprintf(body, sizeof body, "{\"id\": \"%d\"}", i);
			promise(w, name, url, body);
		}
		return;
	}
	member(s->body, "order", id, sizeof id);
	if (strcmp(path, "/accept") == 0) {
		promise_of(w, "grant", id, url, "grant", 100 + atoi(id));
		return;
	}
	char text[80];

	snprintf(text, sizeof text, "{\"courier\": \"c%s\"}", id);
	char name[24];

	snprintf(name, sizeof name, "taken-%s", id);
	promise(w, name, url, text);
	member(s->body, "notes", url, sizeof url);
	for (int i = 0; i < NOTES; i++) {
		snprintf(name, sizeof name, "note%d", i);
		promise_of(w, name, id, url, "n", 1 << i);
	}
}

/* A call has come: one key is one call, and each call comes under one key. */
static inline void call_come(struct world *w, const struct sent *s)
{
	const char *path = strrchr(s->url, '/');

	for (size_t i = 0; i < w->ncalls; i++) {
		struct story_call *c = &w->calls[i];
		bool key = strcmp(c->key, s->key) == 0;
		bool body = strcmp(c->path, path) == 0 && strcmp(c->body, s->body) == 0;

		CHECK(key == body);
		if (key)
			return;
	}
	CHECK(w->ncalls < CALLS_MAX);
	call_heard(w, s, path);
	struct story_call *c = &w->calls[w->ncalls];

	snprintf(c->key, sizeof c->key, "%s", s->key);
	snprintf(c->path, sizeof c->path, "%s", path);
	snprintf(c->body, sizeof c->body, "%s", s->body);
	w->ncalls++;
}

#endif
