/* seen_test.c - remembered message ids: their window, their bound, and any history against a list. */
#include "base/hash.h"
#include "engine/seen.h"
#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { KEYS = 400, ROUNDS = 60000 };
#define NOW INT64_C(1790000000000)

static struct id key_of(uint64_t n)
{
	struct id id = { { 0 } };
	uint64_t h = hash64_u64(HASH64_SEED, n);

	memcpy(id.b, &h, sizeof h);
	memcpy(id.b + sizeof h, &n, sizeof n);
	return id;
}

static void add(struct seen *s, uint64_t n, int64_t time_ms)
{
	seen_add(s, &(struct seen_entry){ .key = key_of(n), .time_ms = time_ms, .batch = n });
}

static const struct seen_entry *find(struct seen *s, uint64_t n, int64_t now_ms)
{
	struct id key = key_of(n);
	const struct seen_entry *e = seen_find(s, &key, now_ms);

	if (e)
		assert_memory_equal(&e->key, &key, sizeof key);
	return e;
}

static bool packed_find(struct slice packed, uint32_t hook, uint64_t n, int64_t now_ms)
{
	struct id key = key_of(n);

	struct reply told;

	return seen_packed_find(packed, hook, &key, now_ms, &told);
}

static void nothing_is_found_in_nothing(void **state)
{
	(void)state;
	struct seen *s = seen_new();

	assert_null(find(NULL, 1, NOW));
	assert_null(find(s, 1, NOW));
	assert_int_equal(seen_len(s), 0);
	assert_null(seen_free(s));
	assert_null(seen_free(NULL));
}

static void first_of_a_repeated_id_stays(void **state)
{
	(void)state;
	struct seen *s = seen_new();

	seen_add(s, &(struct seen_entry){ .key = key_of(1), .time_ms = NOW, .batch = 7 });
	seen_add(s, &(struct seen_entry){ .key = key_of(1), .time_ms = NOW + 5, .batch = 8 });
	const struct seen_entry *e = find(s, 1, NOW + 6);

	assert_non_null(e);
	assert_int_equal(e->time_ms, NOW);
	assert_int_equal(e->batch, 7);
	assert_int_equal(seen_len(s), 1);
	seen_free(s);
}

static void window_ends_to_the_millisecond(void **state)
{
	(void)state;
	struct seen *s = seen_new();

	add(s, 1, NOW);
	add(s, 2, NOW + 1);
	assert_non_null(find(s, 1, NOW + SEEN_WINDOW_MS));
	assert_null(find(s, 1, NOW + SEEN_WINDOW_MS + 1));
	assert_int_equal(seen_len(s), 1);
	assert_non_null(find(s, 2, NOW + SEEN_WINDOW_MS + 1));
	assert_null(find(s, 2, NOW + SEEN_WINDOW_MS + 2));
	assert_int_equal(seen_len(s), 0);
	add(s, 1, NOW + SEEN_WINDOW_MS + 3);
	assert_non_null(find(s, 1, NOW + SEEN_WINDOW_MS + 3));
	seen_free(s);
}

/* A restart feeds both entries of the journal without a look between them. */
static void id_accepted_anew_after_its_window_is_kept(void **state)
{
	(void)state;
	struct seen *s = seen_new();
	int64_t later = NOW + SEEN_WINDOW_MS + 1;

	add(s, 1, NOW);
	add(s, 2, NOW + 10);
	add(s, 1, later);
	const struct seen_entry *e = find(s, 1, later + SEEN_WINDOW_MS);

	assert_non_null(e);
	assert_int_equal(e->time_ms, later);
	assert_null(find(s, 2, later + SEEN_WINDOW_MS));
	seen_free(s);
}

static void oldest_go_when_there_are_too_many(void **state)
{
	(void)state;
	struct seen *s = seen_new();

	for (uint64_t i = 0; i < SEEN_PER_HOOK_MAX + 1000; i++) {
		add(s, i, NOW + (int64_t)i);
		if (i == SEEN_PER_HOOK_MAX - 1)
			assert_non_null(find(s, 0, NOW));
	}
	assert_int_equal(seen_len(s), SEEN_PER_HOOK_MAX);
	assert_null(find(s, 0, NOW));
	assert_null(find(s, 999, NOW));
	for (uint64_t i = 1000; i < SEEN_PER_HOOK_MAX + 1000; i++)
		assert_non_null(find(s, i, NOW));
	seen_free(s);
}

/* As after a restart; it would not end if each add over the bound sorted. */
static void newest_stay_whatever_the_order_they_came_in(void **state)
{
	(void)state;
	struct seen *s = seen_new();
	const uint64_t all = 2 * SEEN_PER_HOOK_MAX;

	for (uint64_t i = 0; i < all; i++)
		add(s, i, NOW + (int64_t)(i % 2 ? i : all - i));
	assert_int_equal(seen_len(s), SEEN_PER_HOOK_MAX);
	for (uint64_t i = 0; i < all; i += 97) {
		uint64_t at = i % 2 ? i : all - i;

		/* Half of all times are above the middle one. */
		if (at < SEEN_PER_HOOK_MAX)
			assert_null(find(s, i, NOW));
		else if (at > SEEN_PER_HOOK_MAX)
			assert_non_null(find(s, i, NOW));
	}
	seen_free(s);
}

static void unsorted_ids_leave_in_order_of_time(void **state)
{
	(void)state;
	struct seen *s = seen_new();
	const int64_t after[] = { 500, 100, 400, 200, 300 };

	for (uint64_t i = 0; i < 5; i++)
		add(s, i, NOW + after[i]);
	for (int64_t gone = 100; gone <= 500; gone += 100) {
		for (uint64_t i = 0; i < 5; i++)
			assert_int_equal(find(s, i, NOW + gone + SEEN_WINDOW_MS) != NULL, after[i] >= gone);
		assert_int_equal(seen_len(s), 6 - gone / 100);
	}
	seen_free(s);
}

/* ---- any history, against a list that is searched ---- */

struct model {
	struct seen_entry all[KEYS];
	size_t            len;
};

static struct seen_entry *model_known(struct model *m, const struct id *key)
{
	for (size_t i = 0; i < m->len; i++)
		if (id_eq(&m->all[i].key, key))
			return &m->all[i];
	return NULL;
}

static struct seen_entry *model_find(struct model *m, const struct id *key, int64_t now_ms)
{
	for (size_t i = 0; i < m->len;)
		if (m->all[i].time_ms + SEEN_WINDOW_MS < now_ms)
			m->all[i] = m->all[--m->len];
		else
			i++;
	return model_known(m, key);
}

static void model_add(struct model *m, const struct seen_entry *e)
{
	struct seen_entry *known = model_known(m, &e->key);

	if (!known)
		m->all[m->len++] = *e;
	else if (known->time_ms + SEEN_WINDOW_MS < e->time_ms)
		*known = *e;
}

static void assert_packs_alike(struct seen *s, struct model *m, int64_t now_ms)
{
	struct buf packed;

	buf_init(&packed, SIZE_MAX);
	seen_pack(&packed, 3, s);
	seen_pack(&packed, 4, s);
	for (uint64_t i = 0; i < KEYS; i++) {
		struct id key = key_of(i);
		bool there = model_find(m, &key, now_ms) != NULL;

		assert_int_equal(packed_find(buf_slice(&packed), 3, i, now_ms), there);
		assert_int_equal(packed_find(buf_slice(&packed), 4, i, now_ms), there);
		assert_false(packed_find(buf_slice(&packed), 5, i, now_ms));
	}
	buf_fini(&packed);
}

static void any_history_agrees_with_a_list(void **state)
{
	(void)state;
	struct model *m = xalloc(sizeof *m);
	struct seen *s = seen_new();
	uint64_t chance = HASH64_SEED;
	int64_t now = NOW;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		chance = hash64_u64(chance, i);
		struct id key = key_of((chance >> 8) % KEYS);

		now += (int64_t)((chance >> 24) % (SEEN_WINDOW_MS / 300));
		if ((chance >> 40) % 2 == 0) {
			const struct seen_entry *got = seen_find(s, &key, now);
			const struct seen_entry *wanted = model_find(m, &key, now);

			assert_int_equal(got != NULL, wanted != NULL);
			if (got) {
				assert_int_equal(got->time_ms, wanted->time_ms);
				assert_int_equal(got->batch, wanted->batch);
			}
			assert_int_equal(seen_len(s), m->len);
		} else {
			/* Now and then as a restart adds: out of order. */
			int64_t back = (chance >> 44) % 8 ? 0 : (int64_t)((chance >> 47) % SEEN_WINDOW_MS);
			struct seen_entry e = { .key = key, .time_ms = now - back, .batch = i };

			seen_add(s, &e);
			model_add(m, &e);
		}
		if (i % 5000 == 0)
			assert_packs_alike(s, m, now);
	}
	assert_in_range(m->len, 1, KEYS - 1);
	seen_free(s);
	free(m);
}

/* ---- the ended row ---- */

static void packed_ids_are_found_by_hook_and_window(void **state)
{
	(void)state;
	struct seen *one = seen_new();
	struct seen *none = seen_new();
	struct seen *two = seen_new();
	struct buf packed;

	add(one, 1, NOW);
	add(two, 2, NOW + 1);
	add(two, 1, NOW + 2);
	buf_init(&packed, SIZE_MAX);
	seen_pack(&packed, 1, one);
	seen_pack(&packed, 7, none);
	seen_pack(&packed, UINT32_MAX, two);
	struct slice row = buf_slice(&packed);

	assert_true(packed_find(row, 1, 1, NOW));
	assert_false(packed_find(row, 1, 2, NOW));
	assert_false(packed_find(row, 7, 1, NOW));
	assert_true(packed_find(row, UINT32_MAX, 2, NOW));
	assert_true(packed_find(row, UINT32_MAX, 1, NOW + 2 + SEEN_WINDOW_MS));
	assert_false(packed_find(row, 1, 1, NOW + 1 + SEEN_WINDOW_MS));
	assert_true(packed_find(row, 1, 1, NOW + SEEN_WINDOW_MS));
	assert_false(packed_find(SLICE_NONE, 1, 1, NOW));
	buf_fini(&packed);
	seen_free(one);
	seen_free(none);
	seen_free(two);
}

static void packed_holds_no_more_than_the_bound(void **state)
{
	(void)state;
	struct seen *s = seen_new();
	struct buf packed;
	uint64_t hook = 0;
	uint64_t n = 0;

	for (uint64_t i = 0; i < SEEN_PER_HOOK_MAX + 100; i++)
		add(s, i, NOW + (int64_t)(i ^ 1));
	buf_init(&packed, SIZE_MAX);
	seen_pack(&packed, 1, s);
	struct slice rest = buf_slice(&packed);

	assert_int_equal(varint_next(&rest, &hook), 1);
	assert_int_equal(varint_next(&rest, &n), 1);
	assert_int_equal(n, SEEN_PER_HOOK_MAX);
	assert_false(packed_find(buf_slice(&packed), 1, 99, NOW));
	assert_true(packed_find(buf_slice(&packed), 1, 100, NOW));
	buf_fini(&packed);
	seen_free(s);
}

/* Bytes of before there were header lines stay as they are; those with lines have a bit that no status has. */
static void what_was_told_is_packed_in_bytes_that_stay(void **state)
{
	(void)state;
	static const char *const packed_as[] = { "\xc8\1\2[]", "\xcc\x81\x80\x80\x08\6A: b\r\n\1\0", "\xc8\x81\x80\x80\x08\0\0" };
	static const size_t lens[] = { 5, 14, 7 };
	const struct reply told[] = {
		{ 200, SLICE_NONE, SLICE_LIT("[]") },
		{ 204, SLICE_LIT("A: b\r\n"), { "", 1 } },
		{ 200, { "", 0 }, SLICE_NONE },
	};

	for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
		struct seen *s = seen_new();
		struct seen *again = seen_new();
		struct id key = key_of(1);
		struct reply found;
		struct buf out;

		seen_add(s, &(struct seen_entry){ .key = key, .time_ms = NOW, .seq = 9 });
		seen_reply(s, 9, 1, &told[i]);
		buf_init(&out, SIZE_MAX);
		seen_pack(&out, 1, s);
		assert_true(out.len > lens[i]);
		assert_memory_equal(out.ptr + out.len - lens[i], packed_as[i], lens[i]);
		assert_true(seen_packed_find(buf_slice(&out), 1, &key, NOW, &found));
		assert_int_equal(found.status, told[i].status);
		assert_true(slice_eq(found.lines, told[i].lines) && slice_eq(found.body, told[i].body));
		assert_int_equal(found.lines.ptr == NULL, told[i].lines.ptr == NULL);
		buf_reset(&out);
		seen_keep(&out, s);
		assert_int_equal(seen_restore(again, buf_slice(&out)), 0);
		const struct reply *kept = &find(again, 1, NOW)->reply->told;

		assert_true(slice_eq(kept->lines, told[i].lines) && slice_eq(kept->body, told[i].body));
		assert_int_equal(kept->lines.ptr == NULL, told[i].lines.ptr == NULL);
		buf_fini(&out);
		seen_free(s);
		seen_free(again);
	}
}

/* Was: whatever a flow had told was kept, uncounted, a mebibyte for each message that a stranger thought of. */
static void replies_are_counted_and_bounded(void **state)
{
	(void)state;
	enum { BODY = 1 << 20, N = 40 };
	struct seen *s = seen_new();
	struct seen *again = seen_new();
	char *body = xalloc(BODY);
	struct buf out;
	size_t whole = 0;

	assert_int_equal(seen_bytes(NULL), 0);
	memset(body, 'x', BODY);
	buf_init(&out, SIZE_MAX);
	for (uint64_t i = 1; i <= N; i++) {
		seen_add(s, &(struct seen_entry){ .key = key_of(i), .time_ms = NOW, .seq = i });
		seen_reply(s, i, i, &(struct reply){ 418, SLICE_LIT("A: b\r\n"), { body, BODY } });
		assert_in_range(seen_bytes(s), BODY, REPLIES_PER_HOOK_BYTES_MAX + 8192);
	}
	for (uint64_t i = 1; i <= N; i++) {
		const struct seen_reply *r = find(s, i, NOW)->reply;

		assert_int_equal(r->told.status, 418);
		assert_int_equal(r->batch, i);
		assert_int_equal(r->told.body.len, r->told.lines.ptr ? BODY : 0);
		assert_true(whole == 0 || r->told.body.len == BODY);          /* those that stay are the youngest */
		whole += r->told.body.len == BODY;
	}
	assert_in_range(whole, 11, 16);
	seen_keep(&out, s);
	assert_int_equal(seen_restore(again, buf_slice(&out)), 0);
	assert_in_range(seen_bytes(again), 11 * BODY, REPLIES_PER_HOOK_BYTES_MAX + 8192);
	assert_null(find(s, 1, NOW + SEEN_WINDOW_MS + 1));
	assert_in_range(seen_bytes(s), 1, 8192);           /* they leave the count with their ids */
	buf_fini(&out);
	free(body);
	seen_free(s);
	seen_free(again);
}

/* Among births, which have no number, and ids that come again or late. */
static void a_reply_finds_its_message(void **state)
{
	(void)state;
	enum { N = 3000 };
	struct { uint64_t seq, batch; int64_t time_ms; } *m = xalloc(N * sizeof *m);
	struct seen *s = seen_new();
	uint64_t chance = HASH64_SEED;
	uint64_t seq = 1;
	int64_t now = NOW;

	for (uint64_t n = 0; n < N; n++) {
		chance = hash64_u64(chance, n);
		bool born = n / 500 % 2 == 1 && chance % 3 > 0;
		bool late = born && (chance >> 8) % 50 == 0;

		now += (int64_t)((chance >> 16) % 3);
		seq += 1 + (chance >> 24) % 3;
		m[n].seq = born ? 0 : seq;
		m[n].time_ms = late ? now - 500 : now;
		seen_add(s, &(struct seen_entry){ .key = key_of(n), .time_ms = m[n].time_ms, .seq = m[n].seq });
		if (n % 1000 == 999) {        /* one that had been forgotten by then */
			now += SEEN_WINDOW_MS + 1;
			m[n / 2].seq = ++seq;
			m[n / 2].batch = 0;
			seen_add(s, &(struct seen_entry){ .key = key_of(n / 2), .time_ms = now, .seq = seq });
		}
		if (n % 700 == 0)
			assert_int_equal(seen_len(s), n + 1);       /* which sorts them */
		uint64_t any = (chance >> 32) % (n + 1);

		seen_reply(s, m[any].seq ? m[any].seq : seq + 1, n + 1, &(struct reply){ .status = 200 });
		if (m[any].seq)
			m[any].batch = n + 1;
	}
	for (uint64_t n = 0; n < N; n++) {
		const struct seen_entry *e = find(s, n, NOW);

		assert_non_null(e);
		assert_int_equal(e->reply ? e->reply->batch : 0, m[n].batch);
	}
	seen_free(s);
	free(m);
}

/* Was: each reply walked through all ids, so that loading a flow with many took seconds. */
static void replies_to_many_cost_little(void **state)
{
	(void)state;
	struct seen *s = seen_new();
	const struct reply told = { .status = 200 };
	clock_t began = clock();

	for (uint64_t n = 1; n <= SEEN_PER_HOOK_MAX; n++)
		seen_add(s, &(struct seen_entry){ .key = key_of(n), .time_ms = NOW, .seq = 2 * n });
	for (uint64_t n = 1; n <= SEEN_PER_HOOK_MAX; n++) {
		seen_reply(s, 2 * n, 1, &told);
		seen_reply(s, 2 * n + 1, 1, &told);       /* a message that had no id */
	}
	assert_true(clock() - began < 2 * CLOCKS_PER_SEC);
	assert_non_null(find(s, 1, NOW)->reply);
	assert_non_null(find(s, SEEN_PER_HOOK_MAX, NOW)->reply);
	seen_free(s);
}

/* Cut anywhere, a row finds less, and nothing beyond its end is read. */
static void damaged_rows_find_nothing(void **state)
{
	(void)state;
	struct seen *s = seen_new();
	struct buf packed;
	struct id key = key_of(2);

	add(s, 1, NOW);
	add(s, 2, NOW);
	buf_init(&packed, SIZE_MAX);
	seen_pack(&packed, 1, s);
	for (size_t len = 0; len < packed.len; len++) {
		char *exact = xstrndup(packed.ptr, len);

		assert_false(seen_packed_find((struct slice){ exact, len }, 1, &key, NOW, &(struct reply){ 0 }));
		free(exact);
	}
	assert_false(seen_packed_find(SLICE_LIT("\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), 1, &key, NOW, &(struct reply){ 0 }));
	assert_false(seen_packed_find(SLICE_LIT("\1\1KKKKKKKKKKKKKKKK\x80\0"), 1, &key, NOW, &(struct reply){ 0 }));
	buf_fini(&packed);
	seen_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_found_in_nothing),
		cmocka_unit_test(first_of_a_repeated_id_stays),
		cmocka_unit_test(window_ends_to_the_millisecond),
		cmocka_unit_test(id_accepted_anew_after_its_window_is_kept),
		cmocka_unit_test(oldest_go_when_there_are_too_many),
		cmocka_unit_test(newest_stay_whatever_the_order_they_came_in),
		cmocka_unit_test(unsorted_ids_leave_in_order_of_time),
		cmocka_unit_test(any_history_agrees_with_a_list),
		cmocka_unit_test(packed_ids_are_found_by_hook_and_window),
		cmocka_unit_test(packed_holds_no_more_than_the_bound),
		cmocka_unit_test(what_was_told_is_packed_in_bytes_that_stay),
		cmocka_unit_test(a_reply_finds_its_message),
		cmocka_unit_test(replies_to_many_cost_little),
		cmocka_unit_test(replies_are_counted_and_bounded),
		cmocka_unit_test(damaged_rows_find_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
