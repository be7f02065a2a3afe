/* http1_answer.c - the head of an answer, and its body behind it.
 *
 * No Date, no Server, nothing that differs from run to run: what the caller wants
 * beside the framing it gives as whole lines. Surprise: 1xx, 204 and 304 carry neither
 * length nor body. */
#include "wire/http1.h"

#include <string.h>

const char *http1_reason(int status)
{
	static const struct { int status; const char *reason; } reasons[] = {
		{ 100, "Continue" }, { 101, "Switching Protocols" },
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
		{ 204, "No Content" },
		{ 301, "Moved Permanently" }, { 302, "Found" }, { 303, "See Other" },
		{ 304, "Not Modified" }, { 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 408, "Request Timeout" }, { 409, "Conflict" }, { 410, "Gone" },
		{ 411, "Length Required" }, { 412, "Precondition Failed" },
		{ 413, "Content Too Large" }, { 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" }, { 417, "Expectation Failed" },
		{ 421, "Misdirected Request" }, { 422, "Unprocessable Content" },
		{ 426, "Upgrade Required" }, { 428, "Precondition Required" },
		{ 429, "Too Many Requests" }, { 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" }, { 507, "Insufficient Storage" },
	};
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Status";
}

/* printf would be most of the price of a short answer. */
static void put_number(struct buf *out, size_t n)
{
	char digits[24];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	buf_put(out, digits + at, sizeof digits - at);
}

void http1_answer(struct buf *out, int status, const char *extra_lines, struct slice body,
	bool keep_alive)
{
	CHECK(status >= 100);
	CHECK(status <= 599);
	/* What nearly every delivery hears. */
	if (status == 200 && body.len == 0 && extra_lines[0] == '\0' && keep_alive) {
		buf_puts(out, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
		return;
	}
	bool bodiless = status < 200 || status == 204 || status == 304;
	buf_puts(out, "HTTP/1.1 ");
	put_number(out, (size_t)status);
	buf_putc(out, ' ');
	buf_puts(out, http1_reason(status));
	if (!bodiless) {
		buf_puts(out, "\r\nContent-Length: ");
		put_number(out, body.len);
	}
	buf_puts(out, "\r\n");
	buf_puts(out, extra_lines);
	buf_puts(out, keep_alive ? "\r\n" : "Connection: close\r\n\r\n");
	if (!bodiless)
		buf_put_slice(out, body);
}
