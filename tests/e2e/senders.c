/* senders.c - flows whose hooks name their sender, three named doors, and a call with a token. Each hook's URL is
 * published, and a flow ends with what it was sent. At one door each CloudEvent starts a flow, as docs/senders.md has it. */
#include <fish.h>

#include <string.h>

static const char *const shared[] = { "${SECRET}", "${OLD_SECRET}", NULL };
static const char *const whsec[] = { "${WHSEC}", NULL };

static const fish_sender github = { .name = "github", .scheme = "github", .secrets = shared };
static const fish_sender stripe = { .name = "stripe", .scheme = "stripe", .secrets = shared, .id = "/id" };
static const fish_sender slack = { .name = "slack", .scheme = "slack", .secrets = shared };
static const fish_sender standard = { .name = "standard", .scheme = "standard-webhooks", .secrets = whsec };
static const fish_sender svix = { .name = "svix", .scheme = "svix", .secrets = whsec };
static const fish_sender zoom = { .name = "zoom", .scheme = "zoom", .secrets = shared };
static const fish_sender gitlab = { .name = "gitlab", .scheme = "gitlab", .secrets = shared };
static const fish_sender own = {
	.name = "own", .secrets = shared,
	.scheme = "hmac-sha256 header=X-Own prefix=v= encoding=hex sign={ts}.{url}.{body} ts=X-Own-Time tolerance=60" };
static const fish_sender meta = { .name = "meta", .scheme = "github", .secrets = shared, .handshake = "meta", .token = "${SECRET}" };
static const fish_sender cloudevents = { .name = "cloudevents", .handshake = "cloudevents", .id = "ce-id" };
static const fish_sender probe = { .name = "probe", .handshake = "probe" };
static const fish_sender mailgun = { .name = "mailgun", .scheme = "mailgun", .secrets = shared };
static const fish_sender twilio = { .name = "twilio", .scheme = "twilio", .secrets = shared };
static const fish_sender *const senders[] = {
	&github, &stripe, &slack, &standard, &svix, &zoom, &gitlab, &own, &meta, &cloudevents, &probe, &mailgun,
	&twilio, NULL };
static const fish_peer partner = {
	.name = "partner", .url = "${PARTNER_URL}", .token = "${PARTNER_TOKEN}", .secret = "${PARTNER_SECRET}", .give_up_ms = 1000 };
static const fish_peer *const peers[] = { &partner, NULL };

/* Takes from the sender that its input names: so many messages. */
static void take(fish_flow *f, const fish_msg *in)
{
	const char *name = fish_str(in, "/from");
	long long n = fish_int(in, "/messages", 1);
	size_t i = 0;

	while (senders[i] && strcmp(senders[i]->name, name) != 0)
		i++;
	if (!senders[i])
		fish_fail(f, "no sender is named %s", name);
	fish_hook *h = fish_spawn_with(f, "in", &(fish_hook_options){ .from = senders[i] });
	const char *last = "null";

	fish_publish(f, "url", "%s", fish_url(h));
	for (; n > 0; n--)
		last = fish_raw(fish_next(h, FISH_FOREVER), "");
	fish_done(f, "%-s", last);
}

/* Started by a door. */
static void start(fish_flow *f, const fish_msg *in)
{
	fish_done(f, "%-s", fish_raw(in, ""));
}

static void call(fish_flow *f, const fish_msg *in)
{
	fish_log(f, "told %d", fish_post(f, &partner, "/x", "%-s", fish_raw(in, ""))->status);
	fish_done(f, "null");
}

static void on_event(fish_flow *f, const fish_msg *in)
{
	fish_done(f, "{id: %s, type: %s, data: %-s}", fish_header(in, "ce-id"), fish_header(in, "ce-type"),
	          fish_raw(in, ""));
}

static const fish_def flows[] = { FISH_FLOW(take), FISH_FLOW(start), FISH_FLOW(call), FISH_FLOW(on_event), FISH_END };
static const fish_door keyed = { .name = "stripe", .from = &stripe, .key = "/id" };
static const fish_door starting = { .name = "github", .from = &github, .flow = start };
static const fish_door events = { .name = "events", .from = &cloudevents, .flow = on_event, .open = true };
static const fish_door *const doors[] = { &keyed, &starting, &events, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){
		.flows = flows, .senders = senders, .peers = peers, .doors = doors });
}
