/* sim_past.c - durable history: kept by flow, and found again.
 *
 * It is taken from each commit's rows at the moment they become durable (sim_commit.c), never asked of
 * the engine or the store. */
#include "sim/sim_past.h"

#include "base/hash.h"
#include "sim/sim_world.h"
#include "wire/pack.h"

#include <stdlib.h>
#include <string.h>

struct past *past_of(struct sim *s, const struct id *id)
{
	struct past *p = map_get(&s->past_by_id, id);

	if (p)
		return p;
	p = xalloc(sizeof *p);
	p->id = *id;
	map_put(&s->past_by_id, id, p);
	if (s->npasts == s->pasts_cap) {
		s->pasts_cap = s->pasts_cap ? 2 * s->pasts_cap : 8;
		s->pasts = xrealloc(s->pasts, s->pasts_cap * sizeof *s->pasts);
	}
	s->pasts[s->npasts++] = p;
	return p;
}

void pasts_free(struct sim *s)
{
	for (size_t i = 0; i < s->npasts; i++) {
		struct past *p = s->pasts[i];

		for (size_t n = 0; n < p->nrows; n++)
			free(p->rows[n]);
		free(p->rows);
		free(p->entries);
		for (uint32_t epoch = 0; epoch < p->nlives; epoch++) {
			free(p->lives[epoch].steps);
			free(p->lives[epoch].sights);
		}
		free(p->lives);
		free(p);
	}
	free(s->pasts);
	map_fini(&s->past_by_id);
}

struct life *past_life(struct past *p, uint32_t epoch)
{
	while (p->nlives <= epoch) {
		p->lives = xrealloc(p->lives, (p->nlives + 1) * sizeof *p->lives);
		p->lives[p->nlives++] = (struct life){ .begins = SIZE_MAX };
	}
	return &p->lives[epoch];
}

struct sight *past_sight(struct past *p, uint32_t epoch, uint32_t step)
{
	struct life *life = past_life(p, epoch);

	if (step >= life->sights_cap) {
		size_t cap = life->sights_cap ? life->sights_cap : 16;

		while (step >= cap)
			cap *= 2;
		life->sights = xrealloc(life->sights, cap * sizeof *life->sights);
		memset(life->sights + life->sights_cap, 0, (cap - life->sights_cap) * sizeof *life->sights);
		life->sights_cap = cap;
	}
	return &life->sights[step];
}

bool past_fits(const struct past *p, uint64_t build)
{
	return p->n && p->lives[p->epoch].build == build;
}

bool past_answered(const struct past *p, uint32_t epoch, uint32_t step)
{
	size_t end = epoch < p->epoch ? p->lives[epoch + 1].begins : p->n;

	for (size_t i = p->lives[epoch].begins; i < end; i++)
		if (p->entries[i].kind == ENTRY_MESSAGE && p->entries[i].source == SOURCE_CALL
		    && p->entries[i].number == step)
			return true;
	return false;
}

const struct entry *past_start(const struct past *p)
{
	return p->n ? &p->entries[0] : NULL;
}

uint32_t uid_of(struct slice body)
{
	static const char mark[] = "\"uid\": ";
	uint32_t uid = 0;
	const char *at = body.len ? memmem(body.ptr, body.len, mark, sizeof mark - 1) : NULL;

	if (!at)
		return 0;
	for (at += sizeof mark - 1; at < body.ptr + body.len && *at >= '0' && *at <= '9'; at++)
		uid = 10 * uid + (uint32_t)(*at - '0');
	return uid;
}

bool past_closed(const struct past *p, uint32_t hook)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->entries[i].kind == ENTRY_CLOSED && p->entries[i].number == hook)
			return true;
	return false;
}

const struct entry *past_hook(const struct past *p, uint32_t hook)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->entries[i].kind == ENTRY_HOOK && p->entries[i].number == hook)
			return &p->entries[i];
	return NULL;
}

size_t past_before(const struct sim *s, const struct past *p)
{
	return p->last_row_in == s->result->stats.commits ? p->last_row_at : p->n;
}

bool is_reply(const struct entry *e)
{
	return e->kind == ENTRY_REPLY || e->kind == ENTRY_ANSWER;
}

struct answer answer_of(const struct entry *reply)
{
	struct answer a = { true, reply->status, reply->body, SLICE_NONE };

	if (reply->kind == ENTRY_ANSWER)
		a.lines = (struct slice){ reply->meta.len ? reply->meta.ptr : "", reply->meta.len };
	return a;
}

static struct answer reply_to(const struct past *p, size_t seq)
{
	for (size_t i = seq; i < p->n; i++)
		if (is_reply(&p->entries[i]) && p->entries[i].message_seq == seq)
			return answer_of(&p->entries[i]);
	return (struct answer){ .set = false };
}

struct answer past_reply(const struct past *p, uint32_t hook, uint32_t uid)
{
	struct answer found = { .set = false };

	for (size_t i = 0; i < p->n && !found.set; i++)
		if (takes_in(&p->entries[i], &p->id, &p->id, hook) && uid_of(p->entries[i].body) == uid)
			found = reply_to(p, i);
	return found;
}

bool past_took(const struct past *p, size_t seq)
{
	for (uint32_t epoch = 0; epoch <= p->epoch; epoch++)
		for (uint32_t step = 0; step < p->lives[epoch].confirmed; step++)
			for (uint32_t i = 0; i < p->lives[epoch].sights[step].ntakes; i++)
				if (p->lives[epoch].sights[step].takes[i] == seq)
					return true;
	return false;
}

bool seqs_have(struct slice packed, uint64_t seq)
{
	uint64_t n = 0;

	while (packed.len && varint_next(&packed, &n) == 1)
		if (n == seq)
			return true;
	return false;
}

bool takes_in(const struct entry *e, const struct id *owner, const struct id *flow, uint32_t hook)
{
	if (e->source != SOURCE_HOOK || e->number != hook)
		return false;
	if (e->kind == ENTRY_MESSAGE)
		return id_eq(owner, flow);
	return e->kind == ENTRY_START && id_eq(&e->flow, flow);
}

size_t past_holds(struct sim *s, const struct id *flow, uint32_t hook, uint32_t uid)
{
	size_t n = 0;
	const struct past *p = map_get(&s->past_by_id, flow);

	for (size_t i = 0; p && i < p->n; i++)
		n += takes_in(&p->entries[i], &p->id, flow, hook) && uid_of(p->entries[i].body) == uid;
	for (size_t i = 0; i < s->npasts; i++) {
		const struct entry *start = past_start(s->pasts[i]);

		n += start && takes_in(start, &s->pasts[i]->id, flow, hook) && uid_of(start->body) == uid;
	}
	return n;
}

void pasts_tell(struct sim *s)
{
	for (size_t i = 0; i < s->npasts; i++) {
		const struct past *p = s->pasts[i];
		char id[ID_TEXT_SIZE];
		uint32_t step = 0;
		uint32_t epoch = 0;

		id_text(&p->id, id);
		sim_say(s, "journal of %s", id);
		for (size_t n = 0; n < p->n; n++) {
			const struct entry *e = &p->entries[n];

			sim_say(s, "%4zu %8lld %s %u source %d %.*s%.*s", n, (long long)e->time_ms,
			        entry_kind_name(e->kind), e->number, (int)e->source, (int)e->name.len,
			        e->name.ptr, e->kind == ENTRY_PROGRESS ? 0 : (int)e->body.len, e->body.ptr);
			if (e->kind == ENTRY_RENEW) {
				step = 0;
				epoch++;
			}
			const struct life *life = &p->lives[epoch];

			for (; e->kind == ENTRY_PROGRESS && step < e->number && step < life->nsteps; step++)
				sim_say(s, "              step %u %s %.*s", step,
				        step_kind_name(life->steps[step].kind), (int)life->steps[step].label.len,
				        life->steps[step].label.ptr);
		}
	}
}
