/* approve.c - has a human approve something, reminds him, and asks his superior in the end.
 *
 * Each mail carries two links, and whichever is used first decides. The waits are days, so
 * that the process will be restarted in one of them: the flow stands where it stood, and
 * the links in mails that are a week old go on working. Start it with
 *
 *     approve start approval '{"what": "order 7", "manager": "mia@x.org", "director": "dora@x.org"}'
 */
#include <fish.h>

enum { ASKS_MAX = 3 };

static const fish_peer mail = { .name = "mail", .url = "${MAIL_URL}" };

struct links {
	fish_hook *yes;
	fish_hook *no;
};

/* One mail, and what came of it in time: NULL if nobody decided. */
static const fish_msg *ask(fish_flow *f, const fish_msg *in, const char *who, struct links l,
                           int64_t wait_ms)
{
	const fish_msg *sent = fish_post(f, &mail, "/send",
	                                 "{to: %s, what: %-s, approve: %s, reject: %s}", who,
	                                 fish_raw(in, "/what"), fish_url(l.yes), fish_url(l.no));

	/* Nobody reads what bounced. A click on an earlier mail is taken all the same. */
	return fish_any(f, fish_ok(sent) ? wait_ms : 0, l.yes, l.no);
}

static void approval(fish_flow *f, const fish_msg *in)
{
	int64_t day = fish_int(in, "/day_ms", FISH_DAY);
	const char *manager = fish_str(in, "/manager");
	const char *director = fish_str(in, "/director");

	/* Spawned once and in every mail: the reminder's links are those of the first mail. */
	struct links l = { .yes = fish_spawn(f, "yes") };
	l.no = fish_spawn(f, "no");

	const fish_msg *m = NULL;
	for (int i = 0; i < ASKS_MAX && !m; i++) {
		fish_publish(f, "asked", "{who: %s, mails: %d}", manager, i + 1);
		m = ask(f, in, manager, l, 2 * day);
	}
	/* The manager may still answer now, and be the first. */
	if (!m) {
		fish_publish(f, "asked", "{who: %s, mails: 1}", director);
		m = ask(f, in, director, l, 7 * day);
	}
	if (!m)
		fish_fail(f, "nobody decided");
	fish_done(f, "{approved: %-s, by: %s, why: %-s}", m->hook == l.yes ? "true" : "false",
	          fish_header(m, "x-user"), fish_raw(m, "/why"));
}

static const fish_def flows[] = { FISH_FLOW(approval), FISH_END };
static const fish_peer *const peers[] = { &mail, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers });
}
