/* admin_private.h - what the files of the admin listener share, and nobody else.
 *
 * admin.c guards and routes; admin_start.c starts flows and waits for their end;
 * admin_flow.c shows, cancels and retries one; admin_list.c lists them; admin_door.c tells of named doors;
 * admin_redeliver.c puts back what came for a flow or a door; admin_export.c exports a flow and brings one in;
 * admin_care.c has the store backed up. Invariant: an operation
 * stands in its admin's list from the moment the engine or store may call it back until
 * its exchange is answered. */
#ifndef FISH_ADMIN_PRIVATE_H
#define FISH_ADMIN_PRIVATE_H

#include "base/heap.h"
#include "net/admin.h"

enum {
	ADMIN_ANSWER_BYTES_MAX = 300 << 20,      /* more than the longest input, so that show can tell it */
	ADMIN_IMPORT_BYTES_MAX = 256 << 20,      /* of one flow's lines */
	ADMIN_PAGE_MAX         = 1000,
	ADMIN_PAGE_DEFAULT     = 100,
	ADMIN_LINE_BYTES_MAX   = 8 << 10,        /* limits of a request, named in its refusal */
	ADMIN_HEAD_BYTES_MAX   = 32 << 10,
	ADMIN_FIELDS_MAX       = 100,
};

struct admin {
	struct admin_config config;
	char               *token;         /* owned; NULL: none asked for */
	struct server      *server;
	struct list         ops;
	struct heap         waits;         /* those that wait for a flow's end, by when they give up */
	uv_timer_t          timer;         /* rings for the first of waits */
	bool                draining;
	void              (*done)(void *arg);
	void               *done_arg;
};

/* What every operation embeds first. */
struct admin_op {
	struct list      link;
	struct admin    *admin;
	struct exchange *x;
	struct buf       text;         /* a decoded name, or an answer in the making */
};

void *admin_op_new(struct admin *a, struct exchange *x, size_t bytes);
void  admin_op_free(struct admin_op *op);

/* Answers with JSON; extra_lines as in exchange_answer, without Content-Type. */
void admin_answer(struct exchange *x, int status, const char *extra_lines, struct slice json);
void admin_error(struct exchange *x, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* 503 with Retry-After: what was to be written was not. */
void admin_away(struct exchange *x);
/* The same where the memory, or what waits for the disk, is at its limit; why: the engine's words. */
void admin_busy(struct admin *a, struct exchange *x, const char *why);
/* The same for who only asked: there is no telling what is in the store. */
void admin_unknown(struct exchange *x);
/* {"id": …} with members of its own behind it, each beginning with a comma. */
void admin_answer_id(struct exchange *x, int status, const struct id *id, const char *members);
/* The words of a path that names no flow. */
void admin_no_flow(struct exchange *x, struct slice id_text);

void admin_start(struct admin *a, struct exchange *x, const struct http1 *req, struct slice name);
void admin_show(struct admin *a, struct exchange *x, struct slice id_text);
void admin_cancel(struct admin *a, struct exchange *x, struct slice id_text);
void admin_retry(struct admin *a, struct exchange *x, struct slice id_text);
void admin_redeliver(struct admin *a, struct exchange *x, const struct http1 *req, struct slice id_text);
void admin_redeliver_door(struct admin *a, struct exchange *x, const struct http1 *req, struct slice name);
void admin_doors(struct admin *a, struct exchange *x);
void admin_door(struct admin *a, struct exchange *x, struct slice name);
void admin_export(struct admin *a, struct exchange *x, const struct http1 *req, struct slice id_text);
void admin_import(struct admin *a, struct exchange *x, const struct http1 *req);
void admin_backup(struct admin *a, struct exchange *x, const struct http1 *req);
void admin_backup_look(struct admin *a, struct exchange *x);
void admin_list(struct admin *a, struct exchange *x, const struct http1 *req);

/* admin_start.c */
void admin_waits_arm(struct admin *a);       /* sets the timer for the first of waits */
void admin_waits_end(struct admin *a);       /* answers all of them now */

#endif
