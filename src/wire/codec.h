/* codec.h - the strict texts of bytes and times: hex, base64, decimal seconds, RFC 3339. Pure.
 *
 * Each value has one text that is read, but for the case of hex where it is asked for and for RFC 3339. */
#ifndef FISH_CODEC_H
#define FISH_CODEC_H

#include "base/buf.h"

enum codec_case { CODEC_LOWER, CODEC_ANY_CASE };

/* All of text into size bytes at ret_bytes; false when it is malformed or has not the room. Base64 is of the
 * standard alphabet, padded, and the bits that are left over are zero. */
bool codec_hex(struct slice text, enum codec_case wanted, uint8_t *ret_bytes, size_t size, size_t *ret_len);
bool codec_base64(struct slice text, uint8_t *ret_bytes, size_t size, size_t *ret_len);
/* 1 to 15 digits, no sign, no leading zero. */
bool codec_decimal(struct slice text, int64_t *ret_number);
/* "2026-11-23T10:14:00.25-07:00" as unix milliseconds; digits below a millisecond are dropped. The letters
 * T and Z are capitals; leap seconds are none. */
bool codec_rfc3339(struct slice text, int64_t *ret_ms);

void codec_put_hex(struct buf *out, const uint8_t *bytes, size_t len);       /* lower case */
void codec_put_base64(struct buf *out, const uint8_t *bytes, size_t len);
void codec_put_rfc3339(struct buf *out, int64_t ms);                         /* in UTC, to the second */

#endif
