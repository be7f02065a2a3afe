/* story.c - the broker's program as the tests run it.
 *
 * The same calls in the same order as examples/broker/broker.c, but the order itself
 * tells how long to wait for its courier, so that a story is over in seconds. */
#include <fish.h>

static const fish_peer app     = { .name = "app",     .url = "${APP_URL}" };
static const fish_peer partner = { .name = "partner", .url = "${PARTNER_URL}" };

enum { WAIT_MS_DEFAULT = 300 };

static void order(fish_flow *f, const fish_msg *in)
{
	const char *id = fish_str(in, "/id");
	fish_hook *taken = fish_spawn(f, "taken");

	fish_post(f, &partner, "/order", "{callback: %s, order: %-s}", fish_url(taken),
	          fish_raw(in, ""));
	if (!fish_next(taken, fish_int(in, "/wait_ms", WAIT_MS_DEFAULT)))
		return;

	fish_hook *granted = fish_spawn(f, "granted");
	const fish_msg *r = fish_post(f, &app, "/accept", "{order: %s, callback: %s}", id,
	                              fish_url(granted));
	if (!fish_ok(r))
		fish_fail(f, "app would not hear of order %s: %d", id, r->status);

	const fish_msg *g = fish_next(granted, FISH_MINUTE);
	if (!g)
		fish_fail(f, "no word on order %s", id);
	fish_done(f, "{order: %s, courier: %s}", id, fish_str(g, "/courier"));
}

static void region(fish_flow *f, const fish_msg *in)
{
	fish_hook *orders = fish_spawn(f, "orders");

	fish_post(f, &app, "/region", "{webhook_url: %s, region_id: %s}",
	          fish_url(orders), fish_str(in, "/region_id"));
	fish_each(orders, order);
}

static const fish_def flows[] = { FISH_FLOW(region), FISH_FLOW(order), FISH_END };
static const fish_peer *const peers[] = { &app, &partner, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers });
}
