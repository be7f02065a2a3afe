/* import.c - the lines of export.h read back into entries.
 *
 * Invariant: what is taken is what export writes, to the entry's last bit: an entry is put into a
 * line anew and the two must say the same. Surprise: "the same" is JSON's, so that a line may have
 * gone through a tool that writes it in another form; numbers above 2^53 may lose their last digits there. */
#include "wire/entry.h"
#include "wire/export.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/* As export_put_row writes them: digests are above what jansson takes for a whole number. */
enum { LINE_FLAGS = JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL };

/* One more than the value of a digit; 0: it is none. */
static uint8_t digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c - 'A' + 1);
	if (c >= 'a' && c <= 'z')
		return (uint8_t)(c - 'a' + 27);
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0' + 53);
	return c == '+' ? 63 : c == '/' ? 64 : 0;
}

/* Appends the bytes of a text in base64, which has one form only: padded, the last bits zero. */
static int take_base64(struct buf *out, struct slice text)
{
	size_t pad = 0;
	uint32_t bits = 0;
	int nbits = 0;

	if (text.len % 4 != 0)
		return FISH_EFORMAT;
	while (pad < 2 && text.len > pad && text.ptr[text.len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < text.len - pad; i++) {
		uint8_t value = digit_value(text.ptr[i]);

		if (value == 0)
			return FISH_EFORMAT;
		bits = (bits << 6 | (value - 1u)) & 0xffff;
		nbits += 6;
		if (nbits >= 8) {
			nbits -= 8;
			buf_putc(out, (char)(bits >> nbits));
		}
	}
	return (bits & ((UINT32_C(1) << nbits) - 1)) == 0 ? 0 : FISH_EFORMAT;
}

static struct slice text_at(const json_t *object, const char *name)
{
	const json_t *text = json_object_get(object, name);

	return (struct slice){ json_is_string(text) ? json_string_value(text) : NULL,
		json_string_length(text) };
}

/* A whole number that a double holds exactly: all there are in a head. */
static bool number_at(const json_t *object, const char *name, uint64_t *ret)
{
	const json_t *value = json_object_get(object, name);
	double number = json_is_real(value) ? json_real_value(value) : -1;

	if (!(number >= 0) || number > 9007199254740992.0)
		return false;
	*ret = (uint64_t)number;
	return (double)*ret == number;
}

void exported_init(struct exported *x)
{
	*x = (struct exported){ .begun = false };
	buf_init(&x->untaken, SIZE_MAX);
	buf_init(&x->seen, SIZE_MAX);
	buf_init(&x->bytes, SIZE_MAX);
}

void exported_fini(struct exported *x)
{
	explicit_bzero(x->head.keys, sizeof x->head.keys);
	buf_fini(&x->untaken);
	buf_fini(&x->seen);
	buf_fini(&x->bytes);
}

static bool take_key(const json_t *json, struct export_key *ret)
{
	struct slice mark = text_at(json, "mark");
	struct slice secret = text_at(json, "secret");
	uint64_t id = 0;
	struct buf bytes;

	if (!number_at(json, "id", &id) || id < 1 || id > UINT8_MAX ||
		mark.len != TOKEN_MARK_SIZE - 1)
		return false;
	*ret = (struct export_key){ .key = { .id = (uint8_t)id } };
	memcpy(ret->mark, mark.ptr, mark.len);
	if (json_object_get(json, "secret") == NULL)
		return true;
	buf_init(&bytes, TOKEN_SECRET_BYTES);
	ret->has_secret = take_base64(&bytes, secret) == 0 && !buf_failed(&bytes) &&
		bytes.len == TOKEN_SECRET_BYTES;
	if (ret->has_secret)
		memcpy(ret->key.secret, bytes.ptr, TOKEN_SECRET_BYTES);
	if (bytes.ptr != NULL)
		explicit_bzero(bytes.ptr, bytes.cap);
	buf_fini(&bytes);
	char own[TOKEN_MARK_SIZE];

	token_key_mark(&ret->key, own);
	return ret->has_secret && memcmp(own, ret->mark, sizeof own) == 0;
}

/* Messages of an ended flow that nobody took, one entry after the other. */
static bool are_messages(struct slice packed)
{
	struct entry e;
	int rc = 0;

	while ((rc = entry_next(&packed, &e)) == 1)
		if (e.kind != ENTRY_MESSAGE)
			return false;
	return rc == 0;
}

static int take_head(struct exported *x, const json_t *json, struct err *err)
{
	struct export_head *h = &x->head;
	const json_t *ended = json_object_get(json, "ended");
	const json_t *keys = json_object_get(json, "keys");
	uint64_t version = 0;

	if (!number_at(json, "fish_flow", &version))
		return err_set(err, FISH_EFORMAT,
			"a flow begins with a line that has \"fish_flow\", and this is another one");
	if (version != EXPORT_VERSION)
		return err_set(err, FISH_EFORMAT,
			"the flow is in form %" PRIu64 ", and this program reads form %d", version,
			EXPORT_VERSION);
	if (id_parse(text_at(json, "id"), &h->flow) < 0 || id_is_zero(&h->flow))
		return err_set(err, FISH_EFORMAT, "\"id\" is no flow's id");
	if (!json_is_boolean(ended) || !number_at(json, "from_seq", &h->from_seq) ||
		!number_at(json, "next_seq", &h->next_seq))
		return err_set(err, FISH_EFORMAT,
			"\"ended\", \"from_seq\" or \"next_seq\" is missing, or is not what it "
			"should be");
	h->ended = json_is_true(ended);
	if (id_parse(text_at(json, "sum"), &h->sum) < 0)
		return err_set(err, FISH_EFORMAT, "\"sum\" is missing or damaged");
	if (!json_is_array(keys) || json_array_size(keys) > EXPORT_KEYS_MAX)
		return err_set(err, FISH_EFORMAT, "\"keys\" is missing, or no list of keys");
	for (h->nkeys = 0; h->nkeys < json_array_size(keys); h->nkeys++)
		if (!take_key(json_array_get(keys, h->nkeys), &h->keys[h->nkeys]))
			return err_set(err, FISH_EFORMAT,
				"key %zu of \"keys\" is damaged: it needs \"id\" and \"mark\", "
				"and a secret must fit its mark",
				h->nkeys + 1);
	if (take_base64(&x->untaken, text_at(json, "untaken")) < 0 ||
		take_base64(&x->seen, text_at(json, "seen")) < 0 ||
		!are_messages(buf_slice(&x->untaken)))
		return err_set(err, FISH_EFORMAT, "\"untaken\" or \"seen\" is damaged");
	h->untaken = buf_slice(&x->untaken);
	h->seen = buf_slice(&x->seen);
	x->begun = true;
	return 0;
}

static void look_at(struct exported *x, const struct entry *e)
{
	x->ends = e->kind == ENTRY_END;
	if (e->time_ms > x->newest_ms)
		x->newest_ms = e->time_ms;
	if (e->kind != ENTRY_START && e->kind != ENTRY_DOOR)
		return;
	x->has_key = e->has_key && e->source == 0;
	x->key = e->key;
	x->parent_source = (uint8_t)e->source;
	x->parent = e->flow;
}

/* Does the line say what this entry's own line does? */
static bool says_the_same(const json_t *json, uint64_t seq, struct slice bytes)
{
	struct buf line;

	buf_init(&line, SIZE_MAX);
	int rc = export_put_row(&line, seq, bytes);
	json_t *own = rc == 0 ? json_loadb(line.ptr, line.len, LINE_FLAGS, NULL) : NULL;
	bool same = own != NULL && json_equal(own, json) != 0;

	json_decref(own);
	buf_fini(&line);
	return same;
}

static int take_entry(struct exported *x, const json_t *json, struct err *err)
{
	struct entry e;
	uint64_t seq = 0;
	size_t at = x->bytes.len;

	if (json_object_get(json, "fish_flow") != NULL)
		return err_set(err, FISH_EFORMAT, "another flow begins here");
	if (!number_at(json, "seq", &seq))
		return err_set(err, FISH_EFORMAT, "it is no entry: \"seq\" is missing");
	if (x->next_seq != 0 && seq != x->next_seq)
		return err_set(err, FISH_EFORMAT,
			"entry %" PRIu64 " was to come, and this is entry %" PRIu64
			": a line is missing, twice there or out of place",
			x->next_seq, seq);
	if (x->ends || seq >= x->head.next_seq)
		return err_set(err, FISH_EFORMAT, "the flow is to end before this entry");
	if (take_base64(&x->bytes, text_at(json, "entry")) < 0 || x->bytes.len == at)
		return err_set(err, FISH_EFORMAT, "\"entry\" is missing or damaged");
	struct slice bytes = { x->bytes.ptr + at, x->bytes.len - at };
	struct slice rest = bytes;

	if (entry_next(&rest, &e) != 1 || rest.len > 0)
		return err_set(err, FISH_EFORMAT, "\"entry\" holds no entry, or more than one");
	if (!says_the_same(json, seq, bytes))
		return err_set(err, FISH_EFORMAT,
			"what the line says and its \"entry\" differ: one of them was changed");
	if (x->next_seq == 0)
		x->seq = seq;
	x->next_seq = seq + 1;
	look_at(x, &e);
	return 0;
}

int exported_line(struct exported *x, struct slice line, struct err *err)
{
	json_error_t why = { .line = 0 };
	json_t *json = json_loadb(line.len > 0 ? line.ptr : "", line.len, LINE_FLAGS, &why);
	int rc = 0;

	if (!json_is_object(json))
		rc = err_set(err, FISH_EFORMAT, "it is no JSON object: %.100s",
			json == NULL ? why.text : "another value");
	else if (x->begun)
		rc = take_entry(x, json, err);
	else
		rc = take_head(x, json, err);
	json_decref(json);
	return rc;
}

int exported_end(const struct exported *x, struct err *err)
{
	if (!x->begun)
		return err_set(err, FISH_EFORMAT, "there is no flow in it");
	if (x->next_seq != x->head.next_seq || x->next_seq == 0)
		return err_set(err, FISH_EFORMAT,
			"the flow has entries up to %" PRIu64 ", and they end before %" PRIu64
			": the rest is missing",
			x->head.next_seq, x->next_seq);
	if (x->head.ended != x->ends)
		return err_set(err, FISH_EFORMAT,
			x->ends ? "the flow is said to live, and its last entry is its end"
				: "the flow is said to have ended, and its end is missing");
	struct id sum = export_sum(&x->head, buf_slice(&x->bytes));

	if (!id_eq(&sum, &x->head.sum))
		return err_set(err, FISH_EFORMAT,
			"the flow and its \"sum\" differ: its first line was changed");
	return 0;
}

bool export_is_head(struct slice line)
{
	static const char member[] = "\"fish_flow\"";

	if (memmem(line.len > 0 ? line.ptr : "", line.len, member, sizeof member - 1) == NULL)
		return false;
	json_t *json = json_loadb(line.ptr, line.len, LINE_FLAGS, NULL);
	bool is = json_object_get(json, "fish_flow") != NULL;

	json_decref(json);
	return is;
}
