/* broker.c - finds a courier for each order that an app posts: the whole program.
 *
 * A region registers one webhook with the app, for good; each order posted there is a
 * flow of its own, which asks a partner for a courier and the app for its consent. Local
 * variables are the state and the order of the calls is the protocol. Kill the process
 * where you like: started again, each flow stands where it stood, and the URLs that are
 * out go on working. */
#include <fish.h>

/* Who is called. ${NAME} is taken from the environment once, when the server starts. */
static const fish_peer app     = { .name = "app",     .url = "${APP_URL}" };
static const fish_peer partner = { .name = "partner", .url = "${PARTNER_URL}" };

static void order(fish_flow *f, const fish_msg *in)
{
	const char *id = fish_str(in, "/id");

	/* The URL works before anybody has it, so that no answer can come too early. */
	fish_hook *taken = fish_spawn(f, "taken");
	fish_post(f, &partner, "/order", "{callback: %s, order: %-s}", fish_url(taken),
	          fish_raw(in, ""));
	if (!fish_next(taken, 5 * FISH_SECOND))
		return;       /* silence means no; who calls back later hears 410 */

	/* A courier stands ready, and now the app must want him. */
	fish_hook *granted = fish_spawn(f, "granted");
	const fish_msg *r = fish_post(f, &app, "/accept", "{order: %s, callback: %s}", id,
	                              fish_url(granted));
	if (!fish_ok(r))
		fish_fail(f, "app would not hear of order %s: %d", id, r->status);

	const fish_msg *g = fish_next(granted, 10 * FISH_MINUTE);
	if (!g)
		fish_fail(f, "no word on order %s", id);
	fish_done(f, "{order: %s, courier: %s}", id, fish_str(g, "/courier"));
}

static void region(fish_flow *f, const fish_msg *in)
{
	fish_hook *orders = fish_spawn(f, "orders");

	fish_post(f, &app, "/region", "{webhook_url: %s, region_id: %s}",
	          fish_url(orders), fish_str(in, "/region_id"));
	/* Every order posted there starts a flow, until the region is cancelled. */
	fish_each(orders, order);
}

static const fish_def flows[] = { FISH_FLOW(region), FISH_FLOW(order), FISH_END };
static const fish_peer *const peers[] = { &app, &partner, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers });
}
