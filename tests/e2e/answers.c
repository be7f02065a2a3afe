/* answers.c - a flow that answers its senders with headers and bytes of its own, by what they post. */
#include <fish.h>

#include <string.h>

#define TWIML "<?xml version=\"1.0\"?><Response><Say>gr\xc3\xbc\xc3\x9f dich</Say></Response>"

static void phone(fish_flow *f, const fish_msg *in)
{
	static const char *const xml[] = { "Content-Type: text/xml; charset=utf-8", "X-Call: 1", NULL };
	static const char *const text[] = { "Content-Type: text/plain", NULL };
	fish_hook *h = fish_spawn_with(f, "phone", &(fish_hook_options){
		.reply_ms = FISH_SECOND,
		.reply = &(fish_response){ .status = 503, .headers = text, .body = "busy\n", .len = 5 } });

	(void)in;
	fish_publish(f, "url", "%s", fish_url(h));
	for (;;) {
		const fish_msg *m = fish_next(h, FISH_FOREVER);

		if (strcmp(m->body, "call") == 0)
			fish_reply_with(f, m, &(fish_response){ .headers = xml, .body = TWIML, .len = strlen(TWIML) });
		else if (strcmp(m->body, "empty") == 0)
			fish_reply_with(f, m, &(fish_response){ .status = 204 });
		else if (strcmp(m->body, "blob") == 0)
			fish_reply_with(f, m, &(fish_response){ .status = 404, .body = "\0\r\n\377", .len = 4 });
		else if (strcmp(m->body, "end") == 0)
			break;
	}
}

static const fish_def flows[] = { FISH_FLOW(phone), FISH_END };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows });
}
