/* options.h - a hook's options as its HOOK entry holds them. Pure. */
#ifndef FISH_OPTIONS_H
#define FISH_OPTIONS_H

#include "wire/pack.h"

struct hook_options {
	int64_t      expires_ms;     /* after the spawn; 0: never */
	uint32_t     shots;          /* deliveries; 0: any number */
	bool         json;           /* others are refused */
	bool         release;        /* a message's memory goes with the next take */
	int64_t      reply_ms;       /* the sender is held so long; 0: not */
	int          reply_status;   /* what it is told then … */
	struct slice reply_body;     /* … and the bytes */
	struct slice from;           /* the sender's name; empty: nobody is checked */
	uint64_t     body_max;       /* bytes; 0: what the door lets in */
	bool         reply_given;    /* as header lines and any bytes; else reply_body is JSON */
	struct slice reply_lines;    /* "Name: value\r\n" */
	struct slice on, key;        /* the door's name and whose deliveries; empty: none */
};

/* Puts nothing when all are zero. */
void options_put(struct buf *out, const struct hook_options *o);
/* FISH_EFORMAT, or 0; no bytes are no options. The slice borrows. */
int  options_take(struct slice bytes, struct hook_options *ret_options);

#endif
