/* scheme_table.c - the senders' schemes, one row each.
 *
 * Invariant: a row is all that there is to know of an HMAC scheme; docs/signatures.md has the same table,
 * and a test holds the two together. Surprise: "id" is also of headers that no signature covers, and
 * scheme_result says which it was. */
#include "wire/scheme_private.h"

#include <string.h>

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

const struct scheme_row scheme_rows[] = {
	{ .name = "standard-webhooks", .sender = "Standard Webhooks, v1 and v1a",
	  .header = "webhook-signature", .sign = "{id}.{ts}.{body}", .key = KEY_WEBHOOKS,
	  .encoding = ENCODING_BASE64, .list = ' ', .each = "v1,", .each_ed25519 = "v1a,",
	  .ts = "webhook-timestamp", .tolerance_s = 300, .id = "webhook-id",
	  .source = "standardwebhooks.com, specification; npm standardwebhooks" },
	{ .name = "svix", .sender = "Svix (webhook-* headers too, if no svix-* one came)",
	  .header = "svix-signature", .sign = "{id}.{ts}.{body}", .key = KEY_WEBHOOKS,
	  .encoding = ENCODING_BASE64, .list = ' ', .each = "v1,", .each_ed25519 = "v1a,",
	  .ts = "svix-timestamp", .tolerance_s = 300, .id = "svix-id", .otherwise = "standard-webhooks",
	  .source = "docs.svix.com, verifying webhooks; npm svix" },
	{ .name = "stripe", .sender = "Stripe", .header = "Stripe-Signature", .sign = "{ts}.{body}",
	  .list = ',', .each = "v1=", .ts = "t=", .tolerance_s = 300, .window = WINDOW_PAST,
	  .id = "/id", .needs_body = true, .source = "docs.stripe.com, webhook signatures; npm stripe" },
	{ .name = "github", .sender = "GitHub", .header = "X-Hub-Signature-256", .sign = "{body}",
	  .prefix = "sha256=", .id = "X-GitHub-Delivery",
	  .source = "docs.github.com, validating webhook deliveries; npm @octokit/webhooks-methods" },
	{ .name = "github-sha1", .sender = "GitHub, the older header", .header = "X-Hub-Signature",
	  .sign = "{body}", .algorithm = ALGORITHM_SHA1, .prefix = "sha1=", .id = "X-GitHub-Delivery",
	  .source = "docs.github.com, validating webhook deliveries" },
	{ .name = "meta", .sender = "Meta (Graph, WhatsApp, Messenger)", .header = "X-Hub-Signature-256",
	  .sign = "{body}", .prefix = "sha256=", .source = "developers.facebook.com, Graph API webhooks" },
	{ .name = "slack", .sender = "Slack", .header = "X-Slack-Signature", .sign = "v0:{ts}:{body}",
	  .prefix = "v0=", .ts = "X-Slack-Request-Timestamp", .tolerance_s = 300, .id = "/event_id",
	  .source = "docs.slack.dev, verifying requests; npm @slack/bolt, python slack_sdk" },
	{ .name = "zoom", .sender = "Zoom", .header = "x-zm-signature", .sign = "v0:{ts}:{body}",
	  .prefix = "v0=", .ts = "x-zm-request-timestamp", .tolerance_s = 300,
	  .source = "developers.zoom.us, using webhooks (the window is ours)" },
	{ .name = "shopify", .sender = "Shopify", .header = "X-Shopify-Hmac-SHA256", .sign = "{body}",
	  .encoding = ENCODING_BASE64, .id = "X-Shopify-Webhook-Id", .needs_body = true,
	  .source = "shopify.dev, deliver webhooks through HTTPS; npm @shopify/shopify-api" },
	{ .name = "hookdeck", .sender = "Hookdeck", .header = "x-hookdeck-signature", .sign = "{body}",
	  .encoding = ENCODING_BASE64, .id = "x-hookdeck-eventid",
	  .source = "hookdeck.com/docs, signature verification" },
	{ .name = "paddle", .sender = "Paddle Billing", .header = "Paddle-Signature", .sign = "{ts}:{body}",
	  .list = ';', .each = "h1=", .ts = "ts=", .tolerance_s = 5, .window = WINDOW_PAST,
	  .id = "/event_id",
	  .source = "developer.paddle.com, signature verification; npm @paddle/paddle-node-sdk" },
	{ .name = "square", .sender = "Square", .header = "x-square-hmacsha256-signature",
	  .sign = "{url}{body}", .encoding = ENCODING_BASE64, .id = "/event_id",
	  .source = "developer.squareup.com, validate webhooks; npm square" },
	{ .name = "discord", .sender = "Discord interactions", .header = "X-Signature-Ed25519",
	  .sign = "{ts}{body}", .algorithm = ALGORITHM_ED25519, .key = KEY_HEX,
	  .encoding = ENCODING_HEX_ANY_CASE, .ts = "X-Signature-Timestamp", .id = "/id",
	  .source = "discord.com/developers, interactions; npm discord-interactions" },
	{ .name = "linear", .sender = "Linear", .header = "Linear-Signature", .sign = "{body}",
	  .ts = "/webhookTimestamp", .time = TIME_NUMBER_MS, .tolerance_s = 60, .id = "Linear-Delivery",
	  .source = "linear.app/developers, webhooks; npm @linear/sdk" },
	{ .name = "box", .sender = "Box (the primary and the secondary key take turns as secrets)",
	  .header = "BOX-SIGNATURE-PRIMARY", .second = "BOX-SIGNATURE-SECONDARY", .sign = "{body}{ts}",
	  .encoding = ENCODING_BASE64, .ts = "BOX-DELIVERY-TIMESTAMP", .time = TIME_RFC3339,
	  .tolerance_s = 600, .id = "/id",
	  .fixed = { { "BOX-SIGNATURE-VERSION", "1" }, { "BOX-SIGNATURE-ALGORITHM", "HmacSHA256" } },
	  .source = "developer.box.com, webhook signatures; npm box-node-sdk" },
	{ .name = "intercom", .sender = "Intercom", .header = "X-Hub-Signature", .sign = "{body}",
	  .algorithm = ALGORITHM_SHA1, .prefix = "sha1=", .id = "/id",
	  .source = "developers.intercom.com, webhook notifications" },
	{ .name = "mailgun", .sender = "Mailgun (of the body it signs its signature object alone)",
	  .header = "/signature/signature", .sign = "{ts}{id}", .ts = "/signature/timestamp",
	  .id = "/signature/token", .source = "documentation.mailgun.com, securing webhooks" },
	{ .name = "dropbox", .sender = "Dropbox", .header = "X-Dropbox-Signature", .sign = "{body}",
	  .source = "dropbox.com/developers, webhooks" },
	{ .name = "x", .sender = "X (Twitter)", .header = "x-twitter-webhooks-signature", .sign = "{body}",
	  .encoding = ENCODING_BASE64, .prefix = "sha256=",
	  .source = "docs.x.com, securing webhooks" },
	{ .name = "websub", .sender = "WebSub hubs, whichever of the four methods they use",
	  .header = "X-Hub-Signature", .sign = "{body}", .algorithm = ALGORITHM_BY_METHOD,
	  .source = "w3.org/TR/websub, section 8" },
	{ .name = "websub-sha1", .sender = "WebSub, this method alone", .header = "X-Hub-Signature",
	  .sign = "{body}", .algorithm = ALGORITHM_SHA1, .prefix = "sha1=",
	  .source = "w3.org/TR/websub, section 8" },
	{ .name = "websub-sha256", .sender = "WebSub, this method alone", .header = "X-Hub-Signature",
	  .sign = "{body}", .prefix = "sha256=", .source = "w3.org/TR/websub, section 8" },
	{ .name = "websub-sha384", .sender = "WebSub, this method alone", .header = "X-Hub-Signature",
	  .sign = "{body}", .algorithm = ALGORITHM_SHA384, .prefix = "sha384=",
	  .source = "w3.org/TR/websub, section 8" },
	{ .name = "websub-sha512", .sender = "WebSub, this method alone", .header = "X-Hub-Signature",
	  .sign = "{body}", .algorithm = ALGORITHM_SHA512, .prefix = "sha512=",
	  .source = "w3.org/TR/websub, section 8" },
	{ .name = "twitch", .sender = "Twitch EventSub", .header = "Twitch-Eventsub-Message-Signature",
	  .sign = "{id}{ts}{body}", .prefix = "sha256=", .ts = "Twitch-Eventsub-Message-Timestamp",
	  .time = TIME_RFC3339, .tolerance_s = 600, .id = "Twitch-Eventsub-Message-Id",
	  .source = "dev.twitch.tv, handling webhook events" },
	{ .name = "outpost", .sender = "Outpost, default destination", .header = "x-outpost-signature",
	  .sign = "{body}", .prefix = "v0=", .list = ',', .id = "x-outpost-event-id",
	  .source = "outpost.hookdeck.com/docs, webhook destination" },
	{ .name = "convoy", .sender = "Convoy, simple signatures", .header = "X-Convoy-Signature",
	  .sign = "{body}", .id = "X-Convoy-Idempotency-Key", .source = "getconvoy.io/docs, signatures" },
	{ .name = "convoy-advanced", .sender = "Convoy, advanced signatures", .header = "X-Convoy-Signature",
	  .sign = "{ts},{body}", .list = ',', .each = "v#=", .ts = "t=", .tolerance_s = 300,
	  .id = "X-Convoy-Idempotency-Key", .source = "getconvoy.io/docs, signatures (the window is ours)" },
	{ .name = "twilio", .sender = "Twilio", .kind = KIND_TWILIO, .algorithm = ALGORITHM_SHA1,
	  .header = "X-Twilio-Signature",
	  .sign = "{url} and each parameter of the form, or bodySHA256 in the query",
	  .encoding = ENCODING_BASE64, .id = "I-Twilio-Idempotency-Token",
	  .source = "twilio.com/docs, webhooks security; npm twilio" },
	{ .name = "sns", .sender = "AWS SNS, SignatureVersion 1 and 2", .kind = KIND_SNS,
	  .header = "/Signature", .sign = "names and values of the signed members, a line each",
	  .encoding = ENCODING_BASE64, .id = "/MessageId",
	  .source = "docs.aws.amazon.com, verifying SNS messages; npm sns-validator" },
	{ .name = "sns-v2", .sender = "AWS SNS, SignatureVersion 2 alone", .kind = KIND_SNS,
	  .header = "/Signature", .sign = "names and values of the signed members, a line each",
	  .encoding = ENCODING_BASE64, .id = "/MessageId",
	  .source = "docs.aws.amazon.com, verifying SNS messages" },
	{ .name = "paypal", .sender = "PayPal (the secret is the webhook's id)", .kind = KIND_PAYPAL,
	  .header = "PAYPAL-TRANSMISSION-SIG", .sign = "{id}|{ts}|webhook id|CRC-32 of {body}",
	  .encoding = ENCODING_BASE64, .ts = "PAYPAL-TRANSMISSION-TIME", .time = TIME_RFC3339,
	  .id = "/id", .fixed = { { "PAYPAL-AUTH-ALGO", "SHA256withRSA" } },
	  .source = "developer.paypal.com, webhook signature verification" },
	{ .name = "rfc9421", .sender = "HTTP Message Signatures with Content-Digest", .kind = KIND_HTTP,
	  .header = "Signature", .sign = "the signature base", .key = KEY_BASE64,
	  .encoding = ENCODING_BASE64, .ts = "created", .tolerance_s = 300, .id = "nonce",
	  .source = "RFC 9421, RFC 9530" },
	{ .name = "gitlab", .sender = "GitLab, secret token", .kind = KIND_TOKEN, .header = "X-Gitlab-Token",
	  .sign = "nothing", .id = "X-Gitlab-Event-UUID", .source = "docs.gitlab.com, webhooks" },
	{ .name = "telegram", .sender = "Telegram bots (secret_token of setWebhook)", .kind = KIND_TOKEN,
	  .header = "X-Telegram-Bot-Api-Secret-Token", .sign = "nothing", .id = "/update_id",
	  .source = "core.telegram.org/bots/api, setWebhook" },
	/* What a user describes begins here: header and the rest are added by options. */
	{ .name = "hmac-sha256", .sender = "", .sign = "{body}", .source = "" },
	{ .name = "hmac-sha1", .sender = "", .sign = "{body}", .algorithm = ALGORITHM_SHA1, .source = "" },
	{ .name = "hmac-sha384", .sender = "", .sign = "{body}", .algorithm = ALGORITHM_SHA384, .source = "" },
	{ .name = "hmac-sha512", .sender = "", .sign = "{body}", .algorithm = ALGORITHM_SHA512, .source = "" },
	{ .name = "ed25519", .sender = "", .sign = "{body}", .algorithm = ALGORITHM_ED25519, .key = KEY_HEX,
	  .source = "" },
	{ .name = "token", .sender = "", .kind = KIND_TOKEN, .sign = "nothing", .source = "" },
};
const size_t scheme_nrows = COUNT(scheme_rows);

const struct scheme_row *scheme_row_find(struct slice name)
{
	for (size_t i = 0; i < scheme_nrows; i++)
		if (slice_eq(slice_of(scheme_rows[i].name), name))
			return &scheme_rows[i];
	return NULL;
}

/* ---- in words ---- */

static const char *algorithm_words(const struct scheme_row *row)
{
	switch (row->kind) {
	case KIND_SNS:
		return strcmp(row->name, "sns") == 0 ? "RSA with SHA-1 or SHA-256" : "RSA with SHA-256";
	case KIND_PAYPAL:
		return "RSA with SHA-256";
	case KIND_HTTP:
		return "by the key: HMAC-SHA256, ed25519, ECDSA, RSA";
	case KIND_TOKEN:
		return "none: the secret is sent along";
	case KIND_MAC:
	case KIND_TWILIO:
		break;
	}
	switch (row->algorithm) {
	case ALGORITHM_SHA256:    return row->each_ed25519 != NULL ? "HMAC-SHA256, ed25519" : "HMAC-SHA256";
	case ALGORITHM_SHA1:      return "HMAC-SHA1";
	case ALGORITHM_SHA384:    return "HMAC-SHA384";
	case ALGORITHM_SHA512:    return "HMAC-SHA512";
	case ALGORITHM_BY_METHOD: return "HMAC with SHA1, SHA256, SHA384 or SHA512";
	case ALGORITHM_ED25519:   return "ed25519";
	}
	__builtin_unreachable();
}

static const char *key_words(const struct scheme_row *row)
{
	if (row->kind == KIND_SNS)
		return "none";
	if (row->kind == KIND_HTTP)
		return "base64, or a public key in PEM";
	switch (row->key) {
	case KEY_TEXT:     return "text";
	case KEY_BASE64:   return "base64";
	case KEY_HEX:      return "hex";
	case KEY_WEBHOOKS: return "whsec_ or whpk_, base64";
	}
	__builtin_unreachable();
}

static const char *encoding_words(const struct scheme_row *row)
{
	if (row->kind == KIND_TOKEN)
		return "text";
	switch (row->encoding) {
	case ENCODING_HEX:          return "hex, lower case";
	case ENCODING_BASE64:       return "base64";
	case ENCODING_HEX_ANY_CASE: return "hex";
	}
	__builtin_unreachable();
}

static const char *or_none(const char *text) { return text == NULL ? "" : text; }

bool scheme_about(size_t index, struct scheme_about *ret_about)
{
	if (index >= scheme_nrows || scheme_rows[index].header == NULL)
		return false;
	const struct scheme_row *row = &scheme_rows[index];
	bool id_in_body = row->id != NULL && row->id[0] == '/';

	*ret_about = (struct scheme_about){
		.name = row->name,
		.sender = row->sender,
		.header = row->header,
		.ts = or_none(row->ts),
		.id = or_none(row->id),
		.sign = row->sign,
		.algorithm = algorithm_words(row),
		.key = key_words(row),
		.encoding = encoding_words(row),
		.source = row->source,
		.tolerance_s = row->tolerance_s,
		.past_only = row->window == WINDOW_PAST,
		.id_signed = id_in_body || row->kind == KIND_HTTP || scheme_signs(row, "{id}"),
	};
	return true;
}
