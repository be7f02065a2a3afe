/* entry_random.h - any entry of any kind, for tests of what writes and reads them. */
#ifndef FISH_ENTRY_RANDOM_H
#define FISH_ENTRY_RANDOM_H

#include "base/hash.h"
#include "wire/entry.h"

#include <string.h>

enum { POOL_BYTES = 4096, LONG_BYTES = 3000 };

struct chance {
	uint64_t at;
	char     pool[POOL_BYTES];     /* texts are cut from it */
};

static inline void chance_init(struct chance *c, uint64_t seed)
{
	c->at = hash64_u64(HASH64_SEED, seed);
	for (size_t i = 0; i < sizeof c->pool; i++)
		c->pool[i] = (char)(hash64_u64(c->at, i) >> 32);
}

static inline uint64_t any(struct chance *c)
{
	c->at = hash64_u64(c->at, 1);
	return c->at;
}

/* Any number of bits is as likely as any other, so that each length of a varint comes up. */
static inline uint64_t any_number(struct chance *c, unsigned bits_max)
{
	unsigned bits = (unsigned)(any(c) >> 20) % (bits_max + 1);

	return bits ? (any(c) >> 1) >> (63 - (bits == 64 ? 63 : bits)) | (uint64_t)(bits == 64) << 63 : 0;
}

static inline uint32_t any_u32(struct chance *c)
{
	return (uint32_t)any_number(c, 32);
}

static inline struct slice any_text(struct chance *c)
{
	size_t len = (any(c) >> 20) % 20;

	if ((any(c) >> 20) % 16 == 0)
		len = (any(c) >> 20) % LONG_BYTES;
	return (struct slice){ c->pool + (any(c) >> 20) % (POOL_BYTES - LONG_BYTES), len };
}

static inline struct id any_id(struct chance *c)
{
	struct id id;

	memcpy(id.b, c->pool + (any(c) >> 20) % 1000, sizeof id.b);
	return id;
}

static inline void any_key(struct chance *c, struct entry *e)
{
	e->has_key = (any(c) >> 20) % 2;
	if (e->has_key)
		e->key = any_id(c);
}

static inline void any_origin(struct chance *c, struct entry *e)
{
	e->build = any_number(c, 64);
	e->key_id = (uint8_t)any(c);
	e->base_url = any_text(c);
}

static inline void make_start(struct chance *c, struct entry *e)
{
	e->name = any_text(c);
	e->body = any_text(c);
	e->meta = any_text(c);
	e->source = (any(c) >> 20) % 3 == 0 ? 0 : (any(c) >> 20) % 2 ? SOURCE_HOOK : SOURCE_CHILD;
	if (e->source) {
		e->flow = any_id(c);
		e->number = any_u32(c);
		e->epoch = any_u32(c);
	}
	any_key(c, e);
	any_origin(c, e);
}

static inline void make_progress(struct chance *c, struct entry *e)
{
	e->number = any_u32(c);
	e->digest = any_number(c, 64);
	e->build = any_number(c, 64);
	e->doubt = any_u32(c);
	e->waiting = any_u32(c);
	e->rest = (uint8_t)((any(c) >> 20) % (REST_NEEDS + 1));
	e->steps = any_text(c);
	e->deadlines = any_text(c);
}

static inline void make_renew(struct chance *c, struct entry *e)
{
	e->body = any_text(c);
	any_origin(c, e);
	e->hook_next = any_u32(c);
	e->now_ms = (int64_t)any_number(c, 63);
	e->hooks = any_text(c);
	e->untaken = any_text(c);
	e->seen = any_text(c);
}

static inline void make_door(struct chance *c, struct entry *e)
{
	e->name = any_text(c);
	e->source = (any(c) >> 20) % 3 == 0 ? 0 : (any(c) >> 20) % 2 ? SOURCE_HOOK : SOURCE_CHILD;
	if (e->source) {
		e->flow = any_id(c);
		e->number = any_u32(c);
		e->epoch = any_u32(c);
	}
	any_key(c, e);
	e->life = any_u32(c);
	e->started_ms = (int64_t)any_number(c, 63);
	e->added = any_number(c, 64);
	e->cancelled_ms = (int64_t)any_number(c, 63);
	e->message_seq = any_number(c, 64);
	e->hooks = any_text(c);
	e->published = any_text(c);
}

static inline void make_hook(struct chance *c, struct entry *e)
{
	e->number = any_u32(c);
	e->name = any_text(c);
	e->options = any_text(c);
	e->each = any_text(c);
}

static inline void make_message(struct chance *c, struct entry *e)
{
	e->source = (enum source)(1 + (any(c) >> 20) % 4);
	e->number = any_u32(c);
	e->status = (int)any_number(c, 31);
	any_key(c, e);
	e->meta = any_text(c);
	e->body = any_text(c);
}

/* Sets the fields that entry.h gives to the kind. */
static inline struct entry make(struct chance *c, enum entry_kind kind)
{
	struct entry e = { .kind = kind, .time_ms = (int64_t)any_number(c, 63) };

	switch (kind) {
	case ENTRY_START:
		make_start(c, &e);
		break;
	case ENTRY_HOOK:
		make_hook(c, &e);
		break;
	case ENTRY_MESSAGE:
		make_message(c, &e);
		break;
	case ENTRY_RESULT:
		e.body = any_text(c);
		e.number = any_u32(c);
		e.name = any_text(c);
		break;
	case ENTRY_CLOSED:
		e.name = any_text(c);
		e.number = any_u32(c);
		break;
	case ENTRY_TIMEOUT:
		e.number = any_u32(c);
		break;
	case ENTRY_PATCH:
		e.name = any_text(c);
		e.status = (any(c) >> 20) % 2;
		break;
	case ENTRY_PUBLISH:
		e.name = any_text(c);
		e.body = any_text(c);
		break;
	case ENTRY_REPLY:
		e.message_seq = any_number(c, 64);
		e.status = (int)any_number(c, 31);
		e.body = any_text(c);
		break;
	case ENTRY_ANSWER:
		e.message_seq = any_number(c, 64);
		e.status = (int)any_number(c, 31);
		e.meta = any_text(c);
		e.body = any_text(c);
		break;
	case ENTRY_CHILDREN:
		e.added = any_number(c, 64);
		e.ended = any_number(c, 64);
		break;
	case ENTRY_CANCEL:
		break;
	case ENTRY_BORN:
		e.born = any_text(c);
		break;
	case ENTRY_DOOR:
		make_door(c, &e);
		break;
	case ENTRY_PROGRESS:
		make_progress(c, &e);
		break;
	case ENTRY_RENEW:
		make_renew(c, &e);
		break;
	case ENTRY_END:
		e.status = (int)(1 + (any(c) >> 20) % 3);
		e.name = any_text(c);
		e.body = any_text(c);
		break;
	}
	return e;
}

#endif
