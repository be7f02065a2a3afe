/* bodies.c - a flow that tells a partner what it was sent: byte by byte, and as its
 * readers see it. A reader on a body that is not JSON gives its default, and the partner
 * is told that, too. */
#include <fish.h>

static const fish_peer partner = { .name = "partner", .url = "${PARTNER_URL}" };

enum { NUMBER_DEFAULT = -7 };

static const char *const binary[] = { "Content-Type: application/octet-stream", NULL };

/* The bytes as they came, with no template in between. */
static void tell_bytes(fish_flow *f, const fish_msg *m)
{
	fish_call(f, &(fish_request){
		.to = &partner,
		.method = "POST",
		.path = "/bytes",
		.headers = binary,
		.body = m->body,
		.len = m->len,
	});
}

static void tell_read(fish_flow *f, const fish_msg *m)
{
	fish_post(f, &partner, "/read",
	          "{text: %s, number: %lld, real: %g, flag: %d, count: %zu, has: %d,"
	          " mark: %s, whole: %-s, inner: %-s}",
	          fish_str(m, "/text"), fish_int(m, "/number", NUMBER_DEFAULT),
	          fish_num(m, "/real", 0.5), fish_true(m, "/flag"),
	          fish_count(m, "/list"), fish_has(m, "/text"), fish_header(m, "x-mark"),
	          fish_raw(m, ""), fish_raw(m, "/inner"));
}

static void mirror(fish_flow *f, const fish_msg *in)
{
	long long messages = fish_int(in, "/messages", 1);
	fish_hook *inbox = fish_spawn(f, "inbox");

	fish_post(f, &partner, "/url", "{name: %s, url: %s}", fish_str(in, "/name"),
	          fish_url(inbox));
	for (long long i = 0; i < messages; i++) {
		const fish_msg *m = fish_next(inbox, FISH_MINUTE);

		if (!m)
			fish_fail(f, "message %lld never came", i);
		tell_bytes(f, m);
		tell_read(f, m);
	}
	fish_done(f, "{messages: %lld}", messages);
}

/* Whoever posts to the door starts a flow, too. */
static const fish_door door = { .name = "mirror", .flow = mirror, .open = true };
static const fish_door *const doors[] = { &door, NULL };
static const fish_def flows[] = { FISH_FLOW(mirror), FISH_END };
static const fish_peer *const peers[] = { &partner, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers, .doors = doors });
}
