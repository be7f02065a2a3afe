/* work.c - a flow whose sum takes a thread a while, and one that has nothing to wait for. */
#include <fish.h>

#include <unistd.h>

struct range {
	long long to;
	char      gate[200];     /* a file that the sum waits for, so that a test can stop in the middle */
};

static void sum(const void *arg, void *result)
{
	const struct range *r = arg;
	long long total = 0;

	while (r->gate[0] && access(r->gate, F_OK) != 0)
		usleep(1000);
	for (long long i = 1; i <= r->to; i++)
		total += i;
	*(long long *)result = total;
}

static void crunch(fish_flow *f, const fish_msg *in)
{
	struct range r = { .to = fish_int(in, "/to", 0) };
	long long total = 0;
	const char *gate = fish_str(in, "/gate");

	for (size_t i = 0; gate[i] && i + 1 < sizeof r.gate; i++)
		r.gate[i] = gate[i];
	fish_work(f, "sum", sum, &r, &total, sizeof total);
	fish_done(f, "{total: %lld}", total);
}

static void greet(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_done(f, "'hello'");
}

static const fish_def flows[] = { FISH_FLOW(crunch), FISH_FLOW(greet), FISH_END };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows });
}
