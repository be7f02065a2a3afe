/* sim_partner.c - the partner: takes every call, learns URLs from it, answers when chance says so.
 *
 * Surprise: it may answer one call differently when it is asked again, so that an answer that counts
 * twice shows. */
#include "engine/engine.h"
#include "sim/sim_world.h"

#include <stdlib.h>

struct asked {
	struct list     link;
	struct attempt *attempt;
};

void partner_send(void *owner, struct attempt *a)
{
	struct sim *s = owner;
	struct asked *asked = xalloc(sizeof *asked);

	asked->attempt = a;
	a->transport_data = asked;
	list_push(&s->attempts, &asked->link);
	s->nattempts++;
	sim_say(s, "call %.*s%.*s", (int)a->url.len, a->url.ptr, (int)a->body.len, a->body.ptr);
	check_send(s, a);
	sender_urls(s, a->body);
}

static void forget(struct sim *s, struct asked *asked)
{
	list_remove(&asked->link);
	free(asked);
	s->nattempts--;
}

void partner_abandon(void *owner, struct attempt *a)
{
	forget(owner, a->transport_data);
}

static int status_of(struct sim *s)
{
	static const int faults[] = { 0, 500, 503, 429, 408 };
	static const int answers[] = { 200, 200, 201, 404, 409 };

	if (!s->quiet && sim_percent(s, 40))
		return faults[sim_below(s, 5)];
	return answers[sim_below(s, 5)];
}

void partner_answer(struct sim *s)
{
	if (!s->nattempts)
		return;
	struct list *l = s->attempts.next;

	for (uint32_t n = sim_below(s, (uint32_t)s->nattempts); n > 0; n--)
		l = l->next;
	struct asked *asked = container_of(l, struct asked, link);
	struct attempt *a = asked->attempt;
	int status = status_of(s);
	struct buf body;

	forget(s, asked);
	buf_init(&body, SIZE_MAX);
	buf_printf(&body, "{\"v\": %u}", sim_below(s, 1000));
	int64_t retry_after_ms = status == 429 && sim_percent(s, 50) ? 300 : -1;

	sim_say(s, "answer %d to %.*s", status, (int)a->url.len, a->url.ptr);
	a->done(a, status, SLICE_LIT("content-type: application/json\n"),
	        status ? buf_slice(&body) : SLICE_NONE, retry_after_ms, status ? NULL : "connection reset");
	buf_fini(&body);
}
