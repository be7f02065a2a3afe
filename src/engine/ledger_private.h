/* ledger_private.h - what ledger.c keeps and ledger_show.c tells, and nobody else sees. */
#ifndef FISH_LEDGER_PRIVATE_H
#define FISH_LEDGER_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "engine/ledger.h"

enum line_sort {
	SORT_KEPT,        /* with headers and body, and could be put back */
	SORT_NOBODY,      /* the same, but for nobody */
	SORT_BARE,        /* without these */
};
enum { SORTS = SORT_BARE + 1 };

/* One hook's, or one door's. */
struct book {
	struct id    flow;
	uint32_t     hook;
	int64_t      since_ms;            /* its first line's time; the counts begin there */
	uint64_t     counts[FATES];
	struct list  lines;               /* oldest first */
	size_t       nlines, nsort[SORTS], bytes;
	bool         stays;               /* a door's … */
	struct list  staying;             /* … and its place among these */
	struct book *next;                /* of the same flow, by number */
};

struct ledger_line {
	struct list  by_age, in_book;
	struct book *book;
	uint64_t     number;
	int64_t      time_ms;
	enum fate    fate;
	int          status;
	enum line_sort sort;
	bool         whole;               /* has headers and body */
	size_t       body_len;            /* as it was sent */
	size_t       size;                /* bytes that it takes */
	struct id    to;
	struct slice why, message_id, method, meta, body;   /* point into bytes */
	char         bytes[];
};

struct ledger {
	struct map  flows;                /* id → its first book */
	struct list lines, staying;
	size_t      nlines, bytes;
};

#endif
