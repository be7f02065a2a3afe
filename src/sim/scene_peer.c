/* scene_peer.c - a program's peers as a test sees them: "${NAME}" is NAME.
 *
 * Surprise: the environment has no say, and nobody calls these URLs; they only have to be some. */
#include "sim/scene.h"

#include <string.h>

static const char *expanded(struct arena *arena, const char *before, const char *text)
{
	struct buf out;
	const char *at = text;

	if (!text || !strstr(text, "${"))
		return text;
	buf_init(&out, SIZE_MAX);
	buf_puts(&out, before);
	for (const char *name; (name = strstr(at, "${")); at = strchr(name, '}') + 1) {
		if (!strchr(name, '}'))
			break;
		buf_put(&out, at, (size_t)(name - at));
		buf_put(&out, name + 2, (size_t)(strchr(name, '}') - name - 2));
	}
	buf_puts(&out, at);
	const char *kept = arena_dup(arena, buf_slice(&out));

	buf_fini(&out);
	return kept;
}

fish_peer *scene_peers(struct arena *arena, const fish_program *p)
{
	size_t n = 0;

	while (p->peers && p->peers[n])
		n++;
	fish_peer *peers = arena_alloc(arena, (n + 1) * sizeof *peers);

	for (size_t i = 0; i < n; i++) {
		const char *url = p->peers[i]->url;

		peers[i] = *p->peers[i];
		peers[i].url = expanded(arena, url && strncmp(url, "${", 2) == 0 ? "http://" : "", url);
		peers[i].token = expanded(arena, "", peers[i].token);
		peers[i].secret = expanded(arena, "", peers[i].secret);
	}
	return peers;
}

/* No scenario has to sign: what comes to a hook counts as its sender's, and is known again by the id that
 * it gives. */
fish_sender *scene_senders(struct arena *arena, const fish_program *p)
{
	size_t n = 0;

	while (p->senders && p->senders[n])
		n++;
	fish_sender *senders = arena_alloc(arena, (n + 1) * sizeof *senders);

	for (size_t i = 0; i < n; i++)
		senders[i] = (fish_sender){ .name = p->senders[i]->name, .id = p->senders[i]->id };
	return senders;
}
