/* intents.c - payments that are confirmed over the one webhook URL that Stripe is given for all of them.
 *
 * The shop posts its orders to /in/orders, each of which starts a flow; Stripe's events come to /in/stripe,
 * and each goes to the flow that waits for its payment intent. One that is faster than the answer in which
 * Stripe names the intent is kept until the flow knows that name too. Who signs what is checked at the door.
 *
 *     curl -H 'Content-Type: application/json' -H "X-Shop-Signature: …" -d '{"order": "7", "amount": 1995}' …/in/orders
 */
#include <fish.h>

#include <string.h>

static const fish_peer stripe_api = { .name = "stripe", .url = "${STRIPE_URL}", .token = "${STRIPE_KEY}" };

/* While a secret is rolled over both are good: list them. */
static const char *const stripe_secrets[] = { "${STRIPE_WEBHOOK_SECRET}", NULL };
static const char *const shop_secrets[]   = { "${SHOP_SECRET}", NULL };

static const fish_sender stripe = { .name = "stripe", .scheme = "stripe", .secrets = stripe_secrets, .id = "/id" };
static const fish_sender shop = {
	.name = "shop", .secrets = shop_secrets, .id = "/order",
	.scheme = "hmac-sha256 header=X-Shop-Signature encoding=hex sign={body}" };

static void cancel(fish_flow *f, const char *order, const char *intent)
{
	fish_post(f, &stripe_api, fish_fmt(f, "/v1/payment_intents/%s/cancel", intent), "{}");
	fish_done(f, "{order: %s, paid: false}", order);
}

static void pay(fish_flow *f, const fish_msg *in)
{
	const char *order = fish_str(in, "/order");
	const fish_msg *made = fish_post(f, &stripe_api, "/v1/payment_intents",
	                                 "{amount: %lld, currency: 'eur', metadata: {order: %s}}",
	                                 fish_int(in, "/amount", 0), order);

	if (!fish_ok(made))
		fish_fail(f, "order %s: stripe said %d", order, made->status);
	const char *intent = fish_str(made, "/id");
	fish_hook *events = fish_spawn_with(f, "events", &(fish_hook_options){ .on = "stripe", .key = intent });
	fish_hook *late = fish_timer(f, fish_int(in, "/wait_ms", FISH_DAY));

	for (;;) {
		const fish_msg *event = fish_any(f, FISH_FOREVER, events, late);
		const char *type = fish_str(event, "/type");

		if (event->hook == late || strcmp(type, "payment_intent.canceled") == 0)
			cancel(f, order, intent);
		if (strcmp(type, "payment_intent.succeeded") == 0)
			fish_done(f, "{order: %s, paid: true, intent: %s}", order, intent);
		fish_log(f, "order %s: %s", order, type);      /* a failed try: the customer may try again */
	}
}

static const fish_def flows[] = { FISH_FLOW(pay), FISH_END };
static const fish_peer *const peers[] = { &stripe_api, NULL };
static const fish_sender *const senders[] = { &stripe, &shop, NULL };
static const fish_door orders = { .name = "orders", .from = &shop, .flow = pay };
static const fish_door events = { .name = "stripe", .from = &stripe, .key = "/data/object/id" };
static const fish_door *const doors[] = { &orders, &events, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){
		.flows = flows, .peers = peers, .senders = senders, .doors = doors });
}
