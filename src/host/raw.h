/* raw.h - values of a JSON text as they stand in it, to the byte. Pure.
 *
 * What a decoder has read it writes in its own way: 1.10 would come out as
 * 1.1000000000000001. So what is printed is cut out of the text. The text is one that a
 * decoder has accepted; in any other less may be found, and nothing outside is read. */
#ifndef FISH_RAW_H
#define FISH_RAW_H

#include "base/buf.h"

/* The value of the member of that name, which has nothing to escape; false: there is
 * none. */
bool raw_member(struct slice object, const char *name, struct slice *ret_value);
/* The next element. rest is the whole array at first, then what is left; false: that was
 * the last. */
bool raw_next(struct slice *rest, struct slice *ret_value);
/* The value on one line: line breaks between its parts become blanks. */
void raw_put_line(struct buf *out, struct slice value);

#endif
