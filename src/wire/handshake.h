/* handshake.h - the answers that senders want before they deliver: is this URL yours? Pure.
 *
 * A request is answered only where that kind is expected, or any URL would be a mirror for strangers.
 * What is echoed is their text: capped, text/plain with nosniff or a JSON string, never a header line.
 * docs/senders.md has the kinds and their sources. */
#ifndef FISH_HANDSHAKE_H
#define FISH_HANDSHAKE_H

#include "base/buf.h"
#include "wire/http1.h"

enum { HANDSHAKE_ECHO_BYTES_MAX = 4096 };

/* kind, its name, is its request signed like a delivery, who does it */
#define HANDSHAKE_KINDS(EACH) \
	EACH(NONE,        "",            false, "nobody") \
	EACH(SLACK,       "slack",       true,  "Slack: url_verification") \
	EACH(META,        "meta",        false, "Meta, WhatsApp, Messenger: hub.verify_token") \
	EACH(WEBSUB,      "websub",      false, "WebSub hubs: hub.challenge for the topic asked for") \
	EACH(GRAPH,       "graph",       false, "Microsoft Graph: validationToken") \
	EACH(CLOUDEVENTS, "cloudevents", false, "CloudEvents HTTP webhooks: OPTIONS") \
	EACH(EVENTGRID,   "eventgrid",   false, "Azure Event Grid: SubscriptionValidation") \
	EACH(SNS,         "sns",         true,  "AWS SNS: SubscriptionConfirmation") \
	EACH(ZOOM,        "zoom",        true,  "Zoom: endpoint.url_validation") \
	EACH(DROPBOX,     "dropbox",     false, "Dropbox: challenge") \
	EACH(X,           "x",           false, "X: crc_token") \
	EACH(OKTA,        "okta",        false, "Okta: X-Okta-Verification-Challenge") \
	EACH(DISCORD,     "discord",     true,  "Discord: PING") \
	EACH(TWITCH,      "twitch",      true,  "Twitch: webhook_callback_verification") \
	EACH(PROBE,       "probe",       false, "Trello and others: HEAD or GET must find something")

#define HANDSHAKE_ENUM(id, name, is_signed, who) HANDSHAKE_##id,
enum handshake { HANDSHAKE_KINDS(HANDSHAKE_ENUM) };
#undef HANDSHAKE_ENUM

/* FISH_EINVAL: no kind has this name. */
int         handshake_of(struct slice name, enum handshake *ret_kind);
const char *handshake_name(enum handshake kind);
/* Must its signature be good before it is answered? */
bool        handshake_signed(enum handshake kind);

/* What there is to begin or to end by a question: only WebSub's hubs ask at the end too. */
enum handshake_use {
	HANDSHAKE_OPEN,                      /* a hook that waits: either */
	HANDSHAKE_STANDING,                  /* it is there for good: nothing is to end */
	HANDSHAKE_OVER,                      /* a closed hook: nothing is to begin */
};

struct handshake_request {                   /* all borrowed */
	struct slice              method, query;
	const struct http1_field *headers;   /* every line, in order */
	size_t                    nheaders;
	struct slice              body;
	const struct slice       *secrets;   /* as configured; the first one is answered with */
	size_t                    nsecrets;
	struct slice              token;     /* Meta's verify token, WebSub's topic, CloudEvents' allowed origin */
	enum handshake_use        use;
};

struct handshake_answer {
	int        status;
	struct buf lines;                    /* "Name: value\r\n" … */
	struct buf body;
	struct buf confirm;                  /* an https URL of the sender's own host, to be fetched; empty: none */
};

enum handshake_verdict {
	HANDSHAKE_NOT,                       /* this is none: an ordinary request */
	HANDSHAKE_ANSWERED,
};

void handshake_answer_init(struct handshake_answer *a);
void handshake_answer_fini(struct handshake_answer *a);
/* Fills *ret, which is fresh, when the request is of that kind: with the answer it wants, or with a
 * refusal (403, 404) when it names another token or topic, or would end what stands. */
enum handshake_verdict handshake_judge(enum handshake kind, const struct handshake_request *r,
                                       struct handshake_answer *ret);

#endif
