/* pay.c - takes a payment that is confirmed by webhook, and undoes what came of it otherwise.
 *
 * What has been done is undone by plain code at the place where it failed. Each call goes
 * out with one Idempotency-Key however often the process dies in it, so that nobody is
 * charged or refunded twice. Start it with
 *
 *     pay start pay '{"order": "7", "amount": 1995}' --key order-7
 */
#include <fish.h>

static const fish_peer stripe = { .name = "stripe", .url = "${STRIPE_URL}", .token = "${STRIPE_KEY}" };
static const fish_peer shop   = { .name = "shop",   .url = "${SHOP_URL}" };

static void refund(fish_flow *f, const char *intent)
{
	const fish_msg *r = fish_post(f, &stripe, "/v1/refunds", "{payment_intent: %s}", intent);

	/* Here a person must look: the flow is kept as failed, with all that it did. */
	if (!fish_ok(r))
		fish_fail(f, "refund of %s: %d", intent, r->status);
}

static void pay(fish_flow *f, const fish_msg *in)
{
	const char *order = fish_str(in, "/order");
	long long amount = fish_int(in, "/amount", 0);

	if (amount <= 0)
		fish_fail(f, "order %s: amount %lld", order, amount);

	/* Only what can be read is taken; a webhook that is no JSON hears 400. */
	fish_hook *paid = fish_spawn_with(f, "paid", &(fish_hook_options){ .json = true });
	const fish_msg *intent = fish_post(f, &stripe, "/v1/payment_intents",
	                                   "{amount: %lld, currency: 'eur', metadata: {callback: %s}}",
	                                   amount, fish_url(paid));
	if (!fish_ok(intent))
		fish_fail(f, "stripe: %d", intent->status);
	const char *id = fish_str(intent, "/id");

	/* NULL, when nobody paid in time, reads as false too. */
	const fish_msg *event = fish_next(paid, 15 * fish_int(in, "/minute_ms", FISH_MINUTE));
	if (!fish_true(event, "/data/object/paid")) {
		const fish_msg *c = fish_post(f, &stripe,
		                              fish_fmt(f, "/v1/payment_intents/%s/cancel", id), "{}");

		/* It was paid while we gave up: what cannot be cancelled is given back. */
		if (!fish_ok(c))
			refund(f, id);
		fish_done(f, "{order: %s, paid: false, refunded: %-s}", order,
		          fish_ok(c) ? "false" : "true");
	}

	const fish_msg *sold = fish_post(f, &shop, "/paid", "{order: %s, at: %lld}", order, fish_now(f));
	if (!fish_ok(sold)) {         /* sold out in the meantime */
		refund(f, id);
		fish_done(f, "{order: %s, paid: false, refunded: true}", order);
	}
	fish_done(f, "{order: %s, paid: true, refunded: false}", order);
}

static const fish_def flows[] = { FISH_FLOW(pay), FISH_END };
static const fish_peer *const peers[] = { &stripe, &shop, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers });
}
