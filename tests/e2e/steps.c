/* steps.c - one flow that takes every kind of step there is, in two lives.
 *
 * Invariant: what it asks of its partner and what it ends with follow from what it is sent alone, so that
 * two runs can be compared. Surprise: it computes with floats and sends all their digits; it keeps to the
 * four operations, each in a statement of its own, which every compiler must round in the same way. */
#include <fish.h>

#include <inttypes.h>
#include <string.h>

enum { GUESTS = 2, TERMS = 1000 };

static const fish_peer partner = { .name = "partner", .url = "${PARTNER_URL}" };

/* Padding on purpose: it is recorded, and must not be compared. */
struct effect {
	char   mark;
	double value;
};

static void harmonic(const void *arg, void *result)
{
	const int *terms = arg;
	double sum = 0;

	for (int i = 1; i <= *terms; i++)
		sum += 1.0 / i;
	*(double *)result = sum;
}

/* A delivery's child. Its parent's end would cancel it, so it says when it is done. */
static void guest(fish_flow *f, const fish_msg *in)
{
	fish_post(f, &partner, "/guest", "{name: %s}", fish_str(in, "/name"));
	fish_tell(f, fish_str(in, "/parent"), "door", "{seen: %s}", fish_str(in, "/name"));
}

/* Tells its parent's door what half of the number is, and ends with it. */
static void half(fish_flow *f, const fish_msg *in)
{
	double number = fish_num(in, "/number", 0);

	fish_sleep(f, 1);
	fish_tell(f, fish_str(in, "/parent"), "door", "{half: %g}", number / 2);
	fish_done(f, "{half: %g}", number / 2);
}

/* Waits for what never comes. */
static void idle(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_next(fish_spawn(f, "never"), FISH_FOREVER);
}

/* Messages, a wait that runs out, a sender that waits for a reply. Result: a number it was sent. */
static double hear(fish_flow *f, fish_hook *door, fish_hook *asked)
{
	const fish_msg *first = fish_next(door, FISH_FOREVER);
	double number = fish_num(first, "/number", 0);
	double third = number / 3;

	fish_post(f, &partner, "/third", "{short: %g, fixed: %f, exact: %s, in_e: %e}", third, third,
	          fish_fmt(f, "%.17g", third), third);
	if (fish_next(asked, 1))
		fish_fail(f, "asked too early");
	fish_post(f, &partner, "/ask", "{}");
	fish_hook *cancelled = fish_cancelled(f);
	const fish_msg *question = fish_any(f, FISH_FOREVER, door, asked, cancelled);
	if (question->hook != asked)
		fish_fail(f, "%s was not asked for", fish_name(question->hook));
	fish_reply(f, question, 201, "{answer: %f}", third * 2);
	return number;
}

/* Children, calls and a timer side by side; what is left over is cancelled. */
static void gather(fish_flow *f, double number, fish_hook *door)
{
	const char *const headers[] = { "X-Kind: gather", NULL };
	fish_hook *all[4];
	const fish_msg *got[4];

	all[0] = fish_child(f, half, "{number: %g, parent: %s}", number, fish_id(f));
	all[1] = fish_send(f, &partner, "/square", "{square: %f}", number * number);
	all[2] = fish_send_with(f, &(fish_request){ .to = &partner, .path = "/raw", .headers = headers,
	                                            .body = "\"raw\"", .len = 5 });
	all[3] = fish_child(f, idle, "null");
	size_t came = fish_gather(f, FISH_FOREVER, all, 4, 3, got);
	fish_cancel(all[3]);
	const fish_msg *last = fish_next(all[3], FISH_FOREVER);
	const fish_msg *told = fish_next(door, FISH_FOREVER);
	fish_hook *rang = fish_timer(f, 1);
	const fish_msg *ring = fish_any_of(f, FISH_FOREVER, &rang, 1);

	fish_post(f, &partner, "/gathered", "{came: %zu, half: %-s, told: %-s, idle: %d, ring: %s}", came,
	          fish_raw(got[0], "/half"), fish_raw(told, "/half"), last->status, fish_name(ring->hook));
}

/* Effects of one's own: in the flow, and on a thread. */
static void work(fish_flow *f, double number)
{
	struct effect effect = { .mark = 0 };
	int terms = TERMS;
	double sum = 0;

	while (fish_once(f, "seventh", &effect, sizeof effect)) {
		effect.mark = '7';
		effect.value = number / 7;
	}
	fish_work(f, "harmonic", harmonic, &terms, &sum, sizeof sum);
	const char *body = fish_fmt(f, "[%.17g, %.17g]", effect.value, sum);
	if (fish_patch(f, "tell what was worked"))
		fish_call(f, &(fish_request){ .to = &partner, .path = "/worked", .body = body,
		                              .len = strlen(body) });
	fish_log(f, "the seventh is %g, marked %c", effect.value, effect.mark);
}

static void steps(fish_flow *f, const fish_msg *in)
{
	long long life = fish_int(in, "/life", 1);
	fish_hook *door = fish_spawn(f, "door");
	fish_hook *asked = fish_spawn_with(f, "asked", &(fish_hook_options){
		.json = true, .expires_ms = FISH_DAY, .reply_ms = FISH_MINUTE, .reply_status = 504 });
	fish_hook *guests = fish_spawn_with(f, "guests", &(fish_hook_options){ .shots = GUESTS });
	uint64_t random = fish_random(f);
	long long begun = fish_now(f);

	fish_post(f, &partner, "/begin", "{life: %lld, door: %s, asked: %s, guests: %s, random: %s, key: %s}",
	          life, fish_url(door), fish_url(asked), fish_url(guests),
	          fish_fmt(f, "%016" PRIx64, random), fish_key(f, "mine"));
	double number = hear(f, door, asked);
	gather(f, number, door);
	work(f, number);

	fish_post(f, &partner, "/open", "{}");
	fish_each(guests, guest);
	for (int i = 0; i < GUESTS; i++)
		fish_next(door, FISH_FOREVER);
	fish_publish(f, "life", "{number: %lld, share: %g}", life, number / (double)life);
	fish_post(f, &partner, "/closing", "{life: %lld, random: %s, closed: %d, later: %d}", life,
	          fish_fmt(f, "%016" PRIx64, random), fish_closed(guests), fish_now(f) > begun);

	/* What came to the door meanwhile is had by the next life, or is left over. */
	if (life == 1)
		fish_renew(f, "{life: 2}");
	fish_close(door);
	const fish_msg *left = fish_next(door, FISH_FOREVER);
	fish_done(f, "{lives: %lld, number: %g, left: %-s}", life, number, fish_raw(left, ""));
}

static const fish_def flows[] = {
	FISH_FLOW(steps), FISH_FLOW(guest), FISH_FLOW(half), FISH_FLOW(idle), FISH_END };
static const fish_peer *const peers[] = { &partner, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers });
}
