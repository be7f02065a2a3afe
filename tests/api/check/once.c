/* once.c - loops of fish_once, whole and left half-way, and functions that may take no step.
 *
 * Read by fish-check-flows only. A line that ends in "finds: RULE" must give just that finding, and
 * every other line none. */
#include <fish.h>

bool fish_once(fish_flow *f, const char *name, void *result, size_t size);
void fish_work(fish_flow *f, const char *name, void (*fn)(const void *arg, void *result),
               const void *arg, void *result, size_t size);
int charge(int cents);

static void tell(fish_flow *f)
{
	fish_sleep(f, FISH_SECOND);
}

static void whole(fish_flow *f)
{
	int r = 0;

	while (fish_once(f, "charge", &r, sizeof r))
		r = charge(100);
	while (fish_once(f, "charge all", &r, sizeof r)) {
		for (int i = 0; i < 10; i++) {
			if (i == r)
				break;
			switch (charge(i)) {
			case 1:
				break;
			default:
				continue;
			}
		}
		if (r)
			continue;
		fish_log(f, "%d at %lld", r, fish_now(f));
	}
	for (; fish_once(f, "charge for", &r, sizeof r);)
		r = charge(100);
	tell(f);
}

static void left(fish_flow *f, fish_hook *h)
{
	int r = 0;

	while (fish_once(f, "sleeps", &r, sizeof r)) {
		fish_sleep(f, FISH_SECOND); /* finds: once-step */
		tell(f); /* finds: once-step */
		if (!fish_next(h, 1)) /* finds: once-step */
			r = 1;
	}
	while (fish_once(f, "breaks", &r, sizeof r)) {
		r = charge(100);
		if (r < 0)
			break; /* finds: once-leave */
		while (r)
			if (charge(1))
				goto out; /* finds: once-leave */
		switch (r) {
		case 2:
			return; /* finds: once-leave */
		}
	}
out:
	if (fish_once(f, "asked once", &r, sizeof r)) /* finds: once-loop */
		r = charge(100);
	while (fish_once(f, "ends", &r, sizeof r))
		if (charge(100) < 0)
			fish_fail(f, "no charge"); /* finds: once-step */
	while (fish_once(f, "outer", &r, sizeof r))
		while (fish_once(f, "inner", &r, sizeof r)) /* finds: once-step */
			r = charge(100);
}

static void say(void *f)
{
	fish_sleep(f, 1);
}

static void hash(const void *arg, void *result)
{
	*(int *)result = *(const int *)arg;
}

static void hash_and_sleep(const void *arg, void *result)
{
	hash(arg, result);
	fish_sleep(*(fish_flow *const *)arg, 1);
}

static void once(fish_flow *f, const fish_msg *in)
{
	int r = 0;

	(void)in;
	whole(f);
	left(f, fish_spawn(f, "left"));
	fish_defer(f, say, f); /* finds: callback */
	fish_work(f, "hash", hash, &r, &r, sizeof r);
	fish_work(f, "hash", hash_and_sleep, &f, &r, sizeof r); /* finds: callback */
}

const fish_def once_flows[] = { FISH_FLOW(once), FISH_END };
