/* sim_run.c - repeats one history event by event, or looks for one that breaks. See usage below. */
#include "crew.h"

#include <errno.h>
#include <getopt.h>

static const char usage[] =
	"usage: sim_run SEED [park|nopark]      tell one history, event by event\n"
	"       sim_run --count N               run N histories\n"
	"       sim_run --for SECONDS           run for so long: each seed with flows that park at\n"
	"                                       every wait, and with flows that never do\n"
	"  --first SEED     the first seed; else 1, or with --for a random one, which is printed\n"
	"  --jobs N         so many processes; else one for each core\n"
	"  --without RULE   plant a bug: leave out that rule of the engine (tests/sim/rules.h)\n"
	"A history that breaks a promise is printed with the command that repeats it, and ends the run.\n"
	"Exit status: 0 every promise held, 1 one was broken, 2 the command line makes no sense.\n";

static void say(void *owner, const char *line)
{
	(void)owner;
	puts(line);
}

static void print_stats(const struct sim_stats *t)
{
	printf("events %" PRIu64 ", turns %" PRIu64 ", crashes %" PRIu64 " (%" PRIu64
	       " kept the commit), commits %" PRIu64 ", failed %" PRIu64 ", journal writes %" PRIu64 "\n",
	       t->events, t->turns, t->crashes, t->crashes_kept, t->commits, t->commits_failed, t->writes);
	printf("flows %" PRIu64 ", parks %" PRIu64 ", diverged %" PRIu64 ", deliveries %" PRIu64 ", accepted %" PRIu64
	       ", duplicates %" PRIu64 ", 410 %" PRIu64 ", 503 %" PRIu64 ", taken %" PRIu64 ", calls %" PRIu64
	       ", of them repeated %" PRIu64 ", log lines %" PRIu64 ", references %" PRIu64 "\n",
	       t->flows, t->parks, t->diverged, t->deliveries, t->accepted, t->duplicates, t->gone, t->refused,
	       t->taken, t->calls, t->resent, t->logs, t->references);
	printf("deploys %" PRIu64 ", lives renewed %" PRIu64 ", effects %" PRIu64 ", works %" PRIu64 ", told %" PRIu64
	       ", published %" PRIu64 ", replies %" PRIu64 ", fallbacks %" PRIu64 "\n", t->deploys, t->renews,
	       t->effects, t->works, t->tells, t->publishes, t->replies, t->fallbacks);
}

static __attribute__((noreturn, format(printf, 1, 2))) void refuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "sim_run: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n%s", usage);
	va_end(ap);
	exit(2);
}

static uint64_t number(const char *what, const char *text, uint64_t min, uint64_t max)
{
	char *end = NULL;

	errno = 0;
	uint64_t value = strtoull(text, &end, 0);

	if (*text < '0' || *text > '9' || *end || errno || value < min || value > max)
		refuse("%s is a number from %" PRIu64 " to %" PRIu64 ", not \"%s\"", what, min, max, text);
	return value;
}

static uint64_t random_seed(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ((uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec) % UINT32_MAX * 1000;
}

static void both_parkings(uint64_t at, struct sim_options *o)
{
	o->seed -= at - at / 2;
	o->parking = at % 2 ? SIM_PARK_ALWAYS : SIM_PARK_NEVER;
}

static int tell_one(uint64_t rules_off, char *const *words, int n)
{
	struct sim_options o = { .rules_off = rules_off, .say = say };
	struct sim_result r;

	o.seed = number("SEED", words[0], 0, UINT64_MAX);
	if (n == 2 && strcmp(words[1], "park") == 0)
		o.parking = SIM_PARK_ALWAYS;
	else if (n == 2 && strcmp(words[1], "nopark") == 0)
		o.parking = SIM_PARK_NEVER;
	else if (n > 1)
		refuse("after SEED comes park, nopark or nothing, not \"%s\"", words[1]);
	sim_history(&o, &r);
	print_stats(&r.stats);
	printf("digest %016" PRIx64 ": %s\n", r.digest, r.broken ? r.why : "every promise held");
	return r.broken;
}

static int run_many(const struct crew_task *task)
{
	struct crew_found found;
	char command[200];

	if (task->seconds)
		printf("%" PRId64 " s from seed %" PRIu64 " on, %u at a time\n", task->seconds, task->first, task->jobs);
	crew_free(crew_run(task, &found));
	print_stats(&found.sum);
	if (found.failed)
		printf("seed %" PRIu64 ": %s; repeat: %s\n", found.options.seed, found.why,
		       crew_command(&found.options, command, sizeof command));
	else
		printf("%" PRIu64 " histories: every promise held\n", found.done);
	return found.failed;
}

static uint64_t rule_bit(const char *name)
{
	const struct planted *p = rule_named(name);

	if (!p || p->rule == RULES_END)
		refuse("the engine has no rule \"%s\"", name);
	return RULE_BIT(p->rule);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'c' }, { "for", required_argument, NULL, 's' },
		{ "first", required_argument, NULL, 'f' }, { "jobs", required_argument, NULL, 'j' },
		{ "without", required_argument, NULL, 'w' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	struct crew_task task = { .count = 0, .jobs = crew_cores(), .strict = true };
	bool has_first = false;

	for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (c == 'c')
			task.count = number("--count", optarg, 1, UINT64_MAX - 1);
		else if (c == 's')
			task.seconds = (int64_t)number("--for", optarg, 1, 365 * 86400);
		else if (c == 'f')
			task.first = number("--first", optarg, 0, UINT64_MAX);
		else if (c == 'j')
			task.jobs = (unsigned)number("--jobs", optarg, 1, CREW_MAX);
		else if (c == 'w')
			task.rules_off |= rule_bit(optarg);
		else if (c == 'h')
			return fputs(usage, stdout) < 0;
		else
			refuse("it does not know that");
		has_first = has_first || c == 'f';
	}
	if (optind < argc && (task.count || task.seconds || has_first))
		refuse("\"%s\" is one word too many", argv[optind]);
	if (optind + 2 < argc)
		refuse("\"%s\" is one word too many", argv[optind + 2]);
	if (optind < argc)
		return tell_one(task.rules_off, argv + optind, argc - optind);
	if (!task.count == !task.seconds)
		refuse("it wants a SEED, --count or --for");
	if (!has_first)
		task.first = task.seconds ? random_seed() : 1;
	if (task.seconds) {
		task.count = UINT64_MAX;
		task.plan = both_parkings;
	}
	return run_many(&task);
}
