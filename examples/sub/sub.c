/* sub.c - subscribes to a topic for ever and hands each event on, in order and once.
 *
 * A flow's journal grows with what it sees, and a re-run reads it. So an endless flow begins
 * a new life now and then: fish_renew keeps its id, its URL and the events that nobody has
 * taken yet, and forgets all else but the new input. Cancel it, and it unsubscribes first:
 *
 *     sub start subscription '{"topic": "prices"}'
 *     sub cancel 01m83zy3091fg89j2kh2zvngk9
 */
#include <fish.h>

static const fish_peer hub  = { .name = "hub",  .url = "${HUB_URL}" };
static const fish_peer sink = { .name = "sink", .url = "${SINK_URL}" };

static void hand_on(fish_flow *f, long long n, const fish_msg *event)
{
	fish_post(f, &sink, "/event", "{n: %lld, event: %-s}", n, fish_raw(event, ""));
}

/* The end of the last life. Somebody cancelled the flow, which has 30 s left for this. */
static void wind_up(fish_flow *f, const fish_msg *in, fish_hook *events, long long seen)
{
	fish_post(f, &hub, "/unsubscribe", "{topic: %s, callback: %s}", fish_str(in, "/topic"),
	          fish_url(events));
	/* From here on the hub would hear 410. What it was told is kept has to be handed on. */
	fish_close(events);
	const fish_msg *m = NULL;
	while ((m = fish_next(events, 0)))
		hand_on(f, ++seen, m);
	fish_done(f, "{seen: %lld}", seen);
}

static void subscription(fish_flow *f, const fish_msg *in)
{
	long long hour = fish_int(in, "/hour_ms", FISH_HOUR);
	long long batch = fish_int(in, "/batch", 1000);
	long long seen = fish_int(in, "/seen", 0);
	fish_hook *events = fish_spawn(f, "events");      /* in each life the same URL */
	fish_hook *cancelled = fish_cancelled(f);

	/* The hub forgets us after a day; a life is shorter than that, and begins with this. */
	fish_post(f, &hub, "/subscribe", "{topic: %s, callback: %s, lease_s: %lld}",
	          fish_str(in, "/topic"), fish_url(events), 24 * hour / 1000);
	fish_hook *lease = fish_timer(f, 20 * hour);

	for (long long i = 0; i < batch; i++) {
		const fish_msg *m = fish_any(f, FISH_FOREVER, events, cancelled, lease);
		if (m->hook == lease)
			break;
		if (m->hook == cancelled)
			wind_up(f, in, events, seen);
		hand_on(f, ++seen, m);
	}
	fish_renew(f, "{topic: %s, seen: %lld, batch: %lld, hour_ms: %lld}", fish_str(in, "/topic"),
	           seen, batch, hour);
}

static const fish_def flows[] = { FISH_FLOW(subscription), FISH_END };
static const fish_peer *const peers[] = { &hub, &sink, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers });
}
