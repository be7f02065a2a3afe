/* export.h - a flow's journal as lines of JSON, and back. Pure; the way back is fuzzed.
 *
 * The first line tells of the flow: {"fish_flow": 1, "id": "…", "ended": false, "from_seq": 0, "next_seq": 9,
 * "keys": […], "sum": "…"}, where
 * fish_flow is the version of this form, next_seq is one more than the last entry's, sum is over all but the keys, and keys are those that its URLs were made with: {"id": 7, "mark": "…"},
 * and "secret" in base64 if that was asked for. An ended flow may have "untaken" and "seen" in base64, which
 * its journal does not tell. Each other line is one entry: "seq", "kind", "time_ms", those of
 * its fields that are not zero (a text as it is, or in base64 with "_base64" behind its name when it is no
 * UTF-8; see wire/entry.h for what they mean), and "entry", all its bytes in base64. Invariant: the lines
 * hold every byte of the journal, in entry. Surprise: so the other fields are for people and scripts, and
 * say nothing that entry does not; who reads the lines back refuses one in which they differ. */
#ifndef FISH_EXPORT_H
#define FISH_EXPORT_H

#include "base/buf.h"
#include "base/token.h"

enum {
	EXPORT_VERSION = 1,
	EXPORT_KEYS_MAX = 16,          /* of one flow */
	EXPORT_LINE_BYTES_MAX = 1 << 30,
};

struct export_key {
	struct token_key key;          /* secret: zero unless … */
	bool             has_secret;   /* … it is told */
	char             mark[TOKEN_MARK_SIZE];
};

struct export_head {
	struct id         flow;
	bool              ended;
	uint64_t          from_seq;    /* entries below it may be missing */
	uint64_t          next_seq;    /* of the entry that would come next */
	struct export_key keys[EXPORT_KEYS_MAX];
	size_t            nkeys;
	struct slice      untaken, seen;        /* ended: as in struct store_ended */
	struct id         sum;         /* over all this but the keys, and the entries */
};

void export_put_head(struct buf *out, const struct export_head *h);
/* What sum is to be; bytes: all entries, back to back. */
struct id export_sum(const struct export_head *h, struct slice bytes);
/* One line for each entry of a row. FISH_EFORMAT: they do not decode. */
int  export_put_row(struct buf *out, uint64_t seq, struct slice bytes);
/* Notes what the head tells of a row: its entries' end, and the keys that URLs were made with, the secrets and
 * marks of which are still to be filled in. */
void export_look_at(struct export_head *h, uint64_t seq, struct slice bytes);

/* A flow while its lines are read, and when they are. */
struct exported {
	struct export_head head;       /* untaken, seen: in the buffers below */
	struct buf         untaken, seen;
	struct buf         bytes;      /* all entries, back to back … */
	uint64_t           seq, next_seq;   /* … of which the first has number seq */
	bool               begun;      /* its head is there */
	bool               ends;       /* its END is */
	int64_t            newest_ms;  /* greatest time of an entry */
	/* Of START or DOOR: */
	bool               has_key;
	struct id          key;        /* of a start by key, when it has no parent */
	uint8_t            parent_source;   /* 0: none */
	struct id          parent;
};

void exported_init(struct exported *x);
void exported_fini(struct exported *x);
/* Takes one more line, without its line feed. FISH_EFORMAT: it is not what must come here; err says why. */
int  exported_line(struct exported *x, struct slice line, struct err *err);
/* After the last line. FISH_EFORMAT: lines are missing. */
int  exported_end(const struct exported *x, struct err *err);
/* Is this the first line of a flow? */
bool export_is_head(struct slice line);

#endif
