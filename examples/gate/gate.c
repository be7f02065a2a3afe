/* gate.c - lets a commit through when enough of its jobs have passed, as a CI gate does.
 *
 * The jobs run elsewhere for as long as they like and post their result to a URL of their
 * own. The gate knows as soon as it can be known, cancels what is still running, and says
 * so to the forge. Start it with
 *
 *     gate start gate '{"sha": "5f64439", "jobs": ["gcc", "clang", "arm"], "need": 2}'
 */
#include <fish.h>

enum { JOBS_MAX = 16 };

static const fish_peer runner = { .name = "runner", .url = "${RUNNER_URL}" };
static const fish_peer forge  = { .name = "forge",  .url = "${FORGE_URL}" };

static const char *job(fish_flow *f, const fish_msg *in, size_t i)
{
	return fish_str(in, fish_fmt(f, "/jobs/%zu", i));
}

/* Starts the i-th job. NULL: the runner would not have it, and no result will come. */
static fish_hook *start(fish_flow *f, const fish_msg *in, size_t i)
{
	/* One result each, so that a second callback (410) is never a second job. After the
	 * limit the hook closes by itself, and a wait for closed ones alone ends. */
	fish_hook_options once = {
		.shots = 1, .json = true, .expires_ms = fish_int(in, "/hour_ms", FISH_HOUR) };
	fish_hook *h = fish_spawn_with(f, fish_fmt(f, "job %zu", i), &once);
	const fish_msg *r = fish_post(f, &runner, "/run", "{job: %s, sha: %s, callback: %s}",
	                              job(f, in, i), fish_str(in, "/sha"), fish_url(h));

	if (fish_ok(r))
		return h;
	fish_close(h);
	return NULL;
}

static void gate(fish_flow *f, const fish_msg *in)
{
	fish_hook *running[JOBS_MAX];
	size_t n = fish_count(in, "/jobs");
	long long need = fish_int(in, "/need", (long long)n);
	long long good = 0;
	long long left = 0;

	if (n > JOBS_MAX)
		fish_fail(f, "%zu jobs, at most %d", n, JOBS_MAX);
	for (size_t i = 0; i < n; i++) {
		running[i] = start(f, in, i);
		left += running[i] != NULL;
	}

	/* Until there are enough, or can no longer be. NULL: the rest is out of time. */
	const fish_msg *m = NULL;
	while (good < need && good + left >= need
	       && (m = fish_any_of(f, FISH_FOREVER, running, n))) {
		left--;
		good += fish_true(m, "/passed");
		for (size_t i = 0; i < n; i++)
			if (running[i] == m->hook)
				running[i] = NULL;
	}

	for (size_t i = 0; i < n; i++)
		if (running[i])
			fish_post(f, &runner, "/cancel", "{job: %s}", job(f, in, i));
	const char *state = good >= need ? "success" : "failure";
	fish_post(f, &forge, "/status", "{sha: %s, state: %s}", fish_str(in, "/sha"), state);
	fish_done(f, "{state: %s, good: %lld, of: %zu}", state, good, n);
}

static const fish_def flows[] = { FISH_FLOW(gate), FISH_END };
static const fish_peer *const peers[] = { &runner, &forge, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers });
}
