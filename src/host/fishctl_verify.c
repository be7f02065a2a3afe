/* fishctl_verify.c - what fishctl prints: verdicts in words, signed headers, the list of schemes.
 *
 * Invariant: bytes of a request go to a terminal escaped. Surprise: here, unlike at the door, the reason
 * of a refusal is told in full, down to the bytes that a good signature would have covered. */
#include "host/fishctl.h"
#include "host/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES_MAX = 2000 };

static void print(struct buf *out)
{
	fwrite(out->ptr == NULL ? "" : out->ptr, 1, out->len, stdout);
	buf_fini(out);
}

/* ---- verify ---- */

static const char *id_words(enum scheme_id_from from)
{
	switch (from) {
	case SCHEME_ID_SIGNED:   return "signed";
	case SCHEME_ID_UNSIGNED: return "of a header that is not signed: dedupe by the body too";
	case SCHEME_ID_NONE:     break;
	}
	return "the sender gives none: dedupe by the body";
}

static void put_clock(struct buf *out, const struct scheme_result *result)
{
	if (!result->has_skew)
		return;
	buf_puts(out, "  clock    the timestamp is ");
	words_span(out, result->skew_ms < 0 ? -result->skew_ms : result->skew_ms);
	buf_puts(out, result->skew_ms < 0 ? " ahead of this clock\n" : " old\n");
}

/* Lines of what is signed stand one below the other; all else that could move a cursor is written out. */
static void put_signed(struct buf *out, const struct buf *shown)
{
	struct slice text = buf_slice(shown);
	size_t bytes = text.len;

	if (bytes == 0)
		return;
	text.len = bytes > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : bytes;
	buf_printf(out, "  signed   %zu bytes%s:\n", bytes,
	           bytes > SHOWN_BYTES_MAX ? ", of which the first are" : "");
	while (text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end == NULL ? text.len : (size_t)(end - text.ptr);

		buf_puts(out, "    | ");
		words_text(out, (struct slice){ text.ptr, len });
		buf_putc(out, '\n');
		text.ptr += len + (end != NULL);
		text.len -= len + (end != NULL);
	}
}

/* Where the certificate would have to come from. */
static void put_certificate(struct ctl *c, struct buf *out)
{
	struct scheme_result result;
	struct buf url;

	buf_init(&url, CTL_HEADER_BYTES_MAX);
	if (scheme_needs_certificate(c->scheme) && c->values[CTL_CERTIFICATE] == NULL &&
	    scheme_certificate_url(c->scheme, &c->request, &url, &result) == SCHEME_VALID) {
		buf_puts(out, "  needs    --certificate with what is at ");
		words_text(out, buf_slice(&url));
		buf_putc(out, '\n');
	}
	buf_fini(&url);
}

static void put_words(struct ctl *c, const struct scheme_result *result, const struct buf *shown,
                      struct buf *out)
{
	if (result->verdict == SCHEME_VALID) {
		buf_puts(out, "valid\n");
		buf_printf(out, "  id       %s%s(%s)\n", result->id, result->id_len > 0 ? " " : "",
		           id_words(result->id_from));
		if (c->nsecrets > 1)
			buf_printf(out, "  secret   of %s\n", c->secret_files[result->secret]);
		put_clock(out, result);
		return;
	}
	buf_printf(out, "refused: %s\n", scheme_verdict_name(result->verdict));
	buf_printf(out, "  means    %s\n", scheme_verdict_meaning(result->verdict));
	buf_printf(out, "  why      %s\n", result->why);
	put_certificate(c, out);
	put_clock(out, result);
	put_signed(out, shown);
}

static void put_member(struct buf *out, const char *name, struct slice text)
{
	buf_printf(out, ", \"%s\": ", name);
	buf_json_string(out, text);
}

static void put_json(struct ctl *c, const struct scheme_result *result, const struct buf *shown,
                     struct buf *out)
{
	bool valid = result->verdict == SCHEME_VALID;

	buf_printf(out, "{\"valid\": %s", valid ? "true" : "false");
	put_member(out, "scheme", slice_of(scheme_name(c->scheme)));
	put_member(out, "verdict", slice_of(scheme_verdict_name(result->verdict)));
	put_member(out, "why", slice_of(result->why));
	if (result->id_len > 0) {
		put_member(out, "id", slice_of(result->id));
		buf_printf(out, ", \"id_signed\": %s",
		           result->id_from == SCHEME_ID_SIGNED ? "true" : "false");
	}
	if (valid && c->nsecrets > 0)
		buf_printf(out, ", \"secret\": %zu", result->secret + 1);
	if (result->has_skew)
		buf_printf(out, ", \"skew_ms\": %" PRId64, result->skew_ms);
	if (!valid && shown->len > 0)
		put_member(out, "signed", buf_slice(shown));
	buf_puts(out, "}\n");
}

int ctl_verify(struct ctl *c)
{
	struct scheme_result result;
	struct buf shown;
	struct buf out;

	int rc = ctl_load(c);

	if (rc != CTL_YES)
		return rc;
	if (c->values[CTL_HEADERS] == NULL)
		return ctl_complain("--headers is missing");
	if (scheme_signs_url(c->scheme) && c->values[CTL_URL] == NULL)
		return ctl_complain("%s signs the public URL: --url is missing", scheme_name(c->scheme));
	ctl_warn_of_secrets(c);
	buf_init(&shown, CTL_BODY_BYTES_MAX);
	buf_init(&out, SIZE_MAX);
	c->request.shown = &shown;
	scheme_verify(c->scheme, &c->request, &result);
	if (c->values[CTL_JSON] != NULL)
		put_json(c, &result, &shown, &out);
	else
		put_words(c, &result, &shown, &out);
	print(&out);
	buf_fini(&shown);
	return result.verdict == SCHEME_VALID ? CTL_YES : CTL_NO;
}

/* ---- sign ---- */

/* As a terminal and curl's -H @file want lines. */
static void drop_returns(struct buf *lines)
{
	size_t kept = 0;

	for (size_t i = 0; i < lines->len; i++)
		if (lines->ptr[i] != '\r')
			lines->ptr[kept++] = lines->ptr[i];
	lines->len = kept;
}

int ctl_sign(struct ctl *c)
{
	struct err err = { .text = "" };
	struct buf lines;
	struct buf body;
	int rc = ctl_load(c);

	if (rc != CTL_YES)
		return rc;
	buf_init(&lines, SIZE_MAX);
	buf_init(&body, SIZE_MAX);
	if (scheme_sign(c->scheme, &c->request, slice_of(c->values[CTL_ID]), &lines, &body, &err) < 0)
		rc = ctl_complain("%s", err.text);
	drop_returns(&lines);
	print(&lines);
	print(&body);
	return rc;
}

/* ---- schemes ---- */

static void put_tolerance(struct buf *out, const struct scheme_about *a)
{
	if (a->tolerance_s == 0)
		buf_puts(out, "none");
	else
		buf_printf(out, "%d s%s", a->tolerance_s,
		           a->past_only ? ", into the past only" : " both ways");
}

static void put_id(struct buf *out, const struct scheme_about *a)
{
	if (a->id[0] == '\0')
		buf_puts(out, "none");
	else
		buf_printf(out, "%s%s", a->id, a->id_signed ? "" : " (not signed)");
}

/* A bar would end a table's cell. */
static void put_cell(struct buf *out, const char *text)
{
	buf_puts(out, " ");
	for (; *text != '\0'; text++) {
		if (*text == '|')
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
	buf_puts(out, " |");
}

static void put_markdown(struct buf *out, const struct scheme_about *a)
{
	struct buf id;
	struct buf tolerance;

	buf_init(&id, SIZE_MAX);
	buf_init(&tolerance, SIZE_MAX);
	put_id(&id, a);
	put_tolerance(&tolerance, a);
	buf_puts(out, "|");
	put_cell(out, a->name);
	put_cell(out, a->sender);
	put_cell(out, a->header);
	put_cell(out, a->sign);
	put_cell(out, a->algorithm);
	put_cell(out, a->key);
	put_cell(out, a->encoding);
	put_cell(out, a->ts[0] == '\0' ? "none" : a->ts);
	put_cell(out, tolerance.ptr);
	put_cell(out, id.ptr);
	put_cell(out, a->source);
	buf_puts(out, "\n");
	buf_fini(&id);
	buf_fini(&tolerance);
}

static void put_about_json(struct buf *out, const struct scheme_about *a, size_t i)
{
	buf_printf(out, "%s{\"name\": \"%s\"", i == 0 ? "[" : ",\n ", a->name);
	put_member(out, "sender", slice_of(a->sender));
	put_member(out, "header", slice_of(a->header));
	put_member(out, "sign", slice_of(a->sign));
	put_member(out, "algorithm", slice_of(a->algorithm));
	put_member(out, "key", slice_of(a->key));
	put_member(out, "encoding", slice_of(a->encoding));
	put_member(out, "timestamp", slice_of(a->ts));
	buf_printf(out, ", \"tolerance_s\": %d, \"past_only\": %s", a->tolerance_s,
	           a->past_only ? "true" : "false");
	put_member(out, "id", slice_of(a->id));
	buf_printf(out, ", \"id_signed\": %s", a->id_signed ? "true" : "false");
	put_member(out, "source", slice_of(a->source));
	buf_puts(out, "}");
}

static void put_plain(struct buf *out, const struct scheme_about *a)
{
	struct buf tolerance;

	buf_init(&tolerance, SIZE_MAX);
	put_tolerance(&tolerance, a);
	buf_printf(out, "%-18s %-34s %-27s %s\n", a->name, a->header, tolerance.ptr, a->sign);
	buf_fini(&tolerance);
}

int ctl_schemes(struct ctl *c)
{
	struct scheme_about about;
	struct buf out;

	if (c->scheme_text.len > 0)
		return ctl_complain("schemes takes no arguments");
	buf_init(&out, SIZE_MAX);
	for (size_t i = 0; scheme_about(i, &about); i++) {
		if (c->values[CTL_JSON] != NULL)
			put_about_json(&out, &about, i);
		else if (c->values[CTL_MARKDOWN] != NULL)
			put_markdown(&out, &about);
		else
			put_plain(&out, &about);
	}
	buf_puts(&out, c->values[CTL_JSON] != NULL ? "]\n" : "");
	print(&out);
	return CTL_YES;
}
