/* admin_client.c - asks a running server over its unix socket.
 *
 * Surprise: libcurl would heed proxies from the environment even here, so it is told not
 * to. */
#include "net/admin_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

enum { ANSWER_BYTES_MAX = 320 << 20, CONNECT_TIMEOUT_MS = 5000 };

/* curl takes a short count as a failure, which a too long answer is. */
static size_t on_bytes(char *bytes, size_t one, size_t n, void *body)
{
	buf_put(body, bytes, one * n);
	return buf_failed(body) ? 0 : n;
}

void admin_escape(struct buf *out, struct slice text)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~";

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c != '\0' && strchr(plain, c) != NULL)
			buf_putc(out, c);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

/* Out of memory for a few lines is a CHECK, as for all our own small objects. */
static struct curl_slist *header_lines(const struct admin_ask *ask)
{
	struct curl_slist *lines =
		curl_slist_append(NULL, "Content-Type: application/json");
	struct buf key;

	CHECK(lines != NULL);
	/* A body of a megabyte need not wait for "100 Continue" over a socket of this
	 * machine. */
	lines = curl_slist_append(lines, "Expect:");
	CHECK(lines != NULL);
	if (ask->key == NULL)
		return lines;
	buf_init(&key, META_BYTES_MAX);
	buf_printf(&key, "Idempotency-Key: %s", ask->key);
	lines = curl_slist_append(lines, key.ptr);
	CHECK(lines != NULL);
	buf_fini(&key);
	return lines;
}

/* Whether anybody is there decides what the user is told to do. */
static int trouble(CURL *curl, CURLcode code, const char *words, struct err *err)
{
	long system = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &system);
	if (code == CURLE_COULDNT_CONNECT && system != EACCES)
		return err_set(err, FISH_ENOTFOUND, "nobody answers at the socket");
	if (code == CURLE_COULDNT_CONNECT)
		return err_set(err, FISH_EINVAL,
			"not permitted: the socket is its owner's alone");
	if (code == CURLE_URL_MALFORMAT)
		return err_set(err, FISH_EINVAL, "what was asked for is too long to ask");
	return err_set(err, FISH_EIO, "%.200s",
		words[0] != '\0' ? words : curl_easy_strerror(code));
}

int admin_ask(const struct admin_ask *ask, struct admin_told *ret, struct err *err)
{
	CURL *curl = curl_easy_init();
	char words[CURL_ERROR_SIZE] = "";
	struct buf url;
	struct curl_slist *lines = header_lines(ask);
	long status = 0;

	CHECK(curl != NULL);
	ret->status = 0;
	buf_init(&ret->body, ANSWER_BYTES_MAX);
	buf_init(&url, META_BYTES_MAX);
	buf_puts(&url, "http://fish");
	buf_put_slice(&url, ask->path);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, ask->socket);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_URL, url.ptr);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ask->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &ret->body);
	if (strcmp(ask->method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(
			curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
			ask->body.ptr != NULL ? ask->body.ptr : "");
	}
	CURLcode code = buf_failed(&url) ? CURLE_URL_MALFORMAT : curl_easy_perform(curl);
	int rc = code == CURLE_OK ? 0 : trouble(curl, code, words, err);

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	ret->status = (int)status;
	curl_slist_free_all(lines);
	curl_easy_cleanup(curl);
	buf_fini(&url);
	return rc;
}
