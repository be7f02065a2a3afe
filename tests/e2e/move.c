/* move.c - flows that come to stand in every way there is, for move_test to export and import.
 *
 * Each tells the partner its URLs, and ends with what it was sent. Surprise: with BUILD=renamed one asks
 * for a step that another build did not know. */
#include <fish.h>

#include <stdlib.h>
#include <string.h>

static const fish_peer partner = { .name = "partner", .url = "${PARTNER_URL}" };

static void tell(fish_flow *f, const char *name, const fish_hook *h)
{
	fish_post(f, &partner, "/url", "{name: %s, url: %s}", name, fish_url(h));
}

/* A message that it waits for, and one that it has not come to. */
static void waits(fish_flow *f, const fish_msg *in)
{
	fish_hook *go = fish_spawn(f, "go");
	fish_hook *box = fish_spawn(f, "box");

	tell(f, fish_str(in, "/name"), go);
	tell(f, fish_str(in, "/box"), box);
	const fish_msg *m = fish_next(go, FISH_FOREVER);
	const char *said = fish_str(m, "/text");
	const fish_msg *kept = fish_next(box, 0);

	fish_done(f, "{go: %s, box: %s}", said, fish_str(kept, "/text"));
}

static void timed(fish_flow *f, const fish_msg *in)
{
	fish_hook *hook = fish_spawn_with(f, "hook", &(fish_hook_options){
		.expires_ms = FISH_DAY, .reply_ms = FISH_MINUTE });
	fish_hook *rings = fish_timer(f, fish_int(in, "/ms", 1000));

	tell(f, fish_str(in, "/name"), hook);
	const fish_msg *first = fish_next(hook, FISH_FOREVER);

	fish_reply(f, first, 201, "{heard: %s}", fish_str(first, "/text"));
	const fish_msg *m = fish_any(f, FISH_FOREVER, rings, hook);

	fish_done(f, "{by: %s}", fish_name(m->hook));
}

/* A call that nobody answers: in doubt for ever. */
static void doubts(fish_flow *f, const fish_msg *in)
{
	fish_hook *hook = fish_spawn(f, "hook");

	tell(f, fish_str(in, "/name"), hook);
	const fish_msg *answer = fish_post(f, &partner, "/silent", "{callback: %s}", fish_url(hook));

	fish_done(f, "{status: %d}", answer->status);
}

static void renews(fish_flow *f, const fish_msg *in)
{
	long long life = fish_int(in, "/life", 1);
	fish_hook *go = fish_spawn(f, "go");

	if (life == 1)
		tell(f, fish_str(in, "/name"), go);
	const fish_msg *m = fish_next(go, FISH_FOREVER);

	if (life < 3)
		fish_renew(f, "{life: %lld, name: %s}", life + 1, fish_str(in, "/name"));
	fish_done(f, "{lives: %lld, last: %s}", life, fish_str(m, "/text"));
}

static void child(fish_flow *f, const fish_msg *in)
{
	fish_hook *go = fish_spawn(f, "go");

	tell(f, fish_str(in, "/name"), go);
	const fish_msg *m = fish_next(go, FISH_FOREVER);

	fish_done(f, "{text: %s}", fish_str(m, "/text"));
}

static void parent(fish_flow *f, const fish_msg *in)
{
	fish_hook *hook = fish_child(f, child, "{name: %s}", fish_str(in, "/child"));
	const fish_msg *m = fish_next(hook, FISH_FOREVER);

	fish_done(f, "{child: %s}", fish_str(m, "/text"));
}

static void changed(fish_flow *f, const fish_msg *in)
{
	const char *build = getenv("BUILD");
	fish_hook *go = fish_spawn(f, "go");

	if (build && strcmp(build, "renamed") == 0)
		fish_sleep(f, 1);
	tell(f, fish_str(in, "/name"), go);
	fish_next(go, FISH_FOREVER);
}

static const fish_def flows[] = {
	FISH_FLOW(waits), FISH_FLOW(timed), FISH_FLOW(doubts), FISH_FLOW(renews), FISH_FLOW(child),
	FISH_FLOW(parent), FISH_FLOW(changed), FISH_END };
static const fish_peer *const peers[] = { &partner, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers });
}
