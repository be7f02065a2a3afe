/* pack_test.c - varints, tables of fields, and the packed lists inside entries. */
#include "wire/entry.h"
#include "wire/pack.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_slice(struct slice got, struct slice wanted)
{
	assert_int_equal(got.len, wanted.len);
	assert_true(slice_eq(got, wanted));
}

/* ---- varints ---- */

static void varints_come_back(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++)
		for (int delta = -1; delta <= 1; delta++) {
			uint64_t value = (UINT64_C(1) << bit) + (uint64_t)delta;
			uint64_t got = ~value;
			struct buf out;

			buf_init(&out, 10);
			varint_put(&out, value);
			struct slice rest = buf_slice(&out);

			assert_int_equal(varint_next(&rest, &got), 1);
			assert_int_equal(got, value);
			assert_int_equal(rest.len, 0);
			buf_fini(&out);
		}
}

static void other_varints_are_refused(void **state)
{
	(void)state;
	const struct slice bad[] = {
		SLICE_NONE,
		SLICE_LIT("\x80"),
		SLICE_LIT("\x80\x00"),                                       /* not the shortest 0 */
		SLICE_LIT("\xff\x80\x00"),
		SLICE_LIT("\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00"),
		SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff"),           /* cut */
		SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),       /* 65 bits */
		SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80\x01"),
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct slice rest = bad[i];
		uint64_t value = 77;

		assert_int_equal(varint_next(&rest, &value), FISH_EFORMAT);
		assert_int_equal(rest.len, bad[i].len);
		assert_int_equal(value, 77);
	}
}

/* ---- tables ---- */

enum colour { RED = 1, BLUE = 3 };

struct sample {
	bool         marked;
	enum colour  colour;       /* only of a marked one */
	uint8_t      small;
	int64_t      time_ms;
	struct slice text;
	int          untouched;
};

static const struct pack_field sample_fields[] = {
	PACK_SWITCH(struct sample, marked, 1, 1),
	PACK_RANGE(struct sample, colour, RED, BLUE),
	PACK_NUMBER(struct sample, small, UINT8_MAX),
	PACK_NUMBER(struct sample, time_ms, INT64_MAX),
	PACK_TEXT(struct sample, text),
};
static const struct pack_layout sample_layout = PACK_LAYOUT(sample_fields);

static void assert_packs(const struct sample *s, struct slice wanted)
{
	struct sample got = { .untouched = 55 };
	struct buf out;

	buf_init(&out, SIZE_MAX);
	pack_put(&out, &sample_layout, s);
	assert_slice(buf_slice(&out), wanted);
	assert_int_equal(pack_len(&sample_layout, s), wanted.len);
	struct slice rest = buf_slice(&out);

	assert_int_equal(pack_take(&rest, &sample_layout, &got), 1);
	assert_int_equal(rest.len, 0);
	assert_int_equal(got.marked, s->marked);
	assert_int_equal(got.colour, s->marked ? s->colour : 0);
	assert_int_equal(got.small, s->small);
	assert_int_equal(got.time_ms, s->time_ms);
	assert_slice(got.text, s->text);
	assert_int_equal(got.untouched, 55);
	buf_fini(&out);
}

static void tables_leave_out_what_a_switch_skips(void **state)
{
	(void)state;
	assert_packs(&(struct sample){ true, BLUE, 255, 1, SLICE_LIT("ab"), 0 },
	             SLICE_LIT("\1\3\xff\1\1\2ab"));
	assert_packs(&(struct sample){ false, BLUE, 7, 300, SLICE_NONE, 0 }, SLICE_LIT("\0\7\xac\2\0"));
}

/* Around the bytes that gather before they go out. */
static void texts_of_any_length_come_out_whole(void **state)
{
	(void)state;
	char text[400];
	char wanted[sizeof text + 16];

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)i;
	for (size_t len = 0; len < sizeof text; len++) {
		struct buf out;

		buf_init(&out, sizeof wanted);
		buf_put(&out, "\0\7\1", 3);
		varint_put(&out, len);
		buf_put(&out, text, len);
		memcpy(wanted, out.ptr, out.len);
		assert_packs(&(struct sample){ .small = 7, .time_ms = 1, .text = { text, len } },
		             (struct slice){ wanted, out.len });
		buf_fini(&out);
	}
}

/* Does pack_put end the process? In a child of its own, whose last words go nowhere. */
static bool put_aborts(const struct sample *s)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct buf out;

		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		buf_init(&out, SIZE_MAX);
		pack_put(&out, &sample_layout, s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void what_could_not_be_read_again_is_not_written(void **state)
{
	(void)state;
	assert_false(put_aborts(&(struct sample){ .time_ms = 0 }));
	assert_true(put_aborts(&(struct sample){ .time_ms = -1 }));
	assert_true(put_aborts(&(struct sample){ .marked = true }));
	assert_true(put_aborts(&(struct sample){ .marked = true, .colour = (enum colour)4 }));
}

/* ---- packed lists ---- */

static void packed_steps_come_back(void **state)
{
	(void)state;
	const struct entry_step steps[] = {
		{ STEP_SPAWN, 0, SLICE_LIT("taken") },
		{ STEP_POST, UINT32_MAX, SLICE_LIT("partner /order") },
		{ STEP_WAIT, 1, SLICE_NONE },
	};
	struct buf out;
	struct entry_step s;

	buf_init(&out, SIZE_MAX);
	for (size_t i = 0; i < 3; i++)
		entry_step_put(&out, &steps[i]);
	struct slice rest = buf_slice(&out);

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(entry_step_next(&rest, &s), 1);
		assert_int_equal(s.kind, steps[i].kind);
		assert_int_equal(s.content, steps[i].content);
		assert_slice(s.label, steps[i].label);
	}
	assert_int_equal(entry_step_next(&rest, &s), 0);
	for (size_t len = 1; len < strlen("..ltaken"); len++) {
		rest = (struct slice){ out.ptr, len };
		assert_int_equal(entry_step_next(&rest, &s), FISH_EFORMAT);
		assert_int_equal(rest.len, len);
	}
	buf_fini(&out);
}

static void packed_deadlines_come_back(void **state)
{
	(void)state;
	const struct entry_deadline deadlines[] = {
		{ SOURCE_TIMER, 0, 0 },
		{ SOURCE_WAIT, UINT32_MAX, INT64_MAX },
	};
	struct buf out;
	struct entry_deadline d;

	buf_init(&out, SIZE_MAX);
	for (size_t i = 0; i < 2; i++)
		entry_deadline_put(&out, &deadlines[i]);
	struct slice rest = buf_slice(&out);

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(entry_deadline_next(&rest, &d), 1);
		assert_int_equal(d.source, deadlines[i].source);
		assert_int_equal(d.step, deadlines[i].step);
		assert_int_equal(d.due_ms, deadlines[i].due_ms);
	}
	assert_int_equal(entry_deadline_next(&rest, &d), 0);
	rest = (struct slice){ out.ptr + 3, out.len - 4 };
	assert_int_equal(entry_deadline_next(&rest, &d), FISH_EFORMAT);
	rest = SLICE_LIT("\10\1\1");
	assert_int_equal(entry_deadline_next(&rest, &d), FISH_EFORMAT);
	buf_fini(&out);
}

static void packed_open_hooks_come_back(void **state)
{
	(void)state;
	const struct entry_open_hook hooks[] = {
		{ 1, SLICE_LIT("taken"), SLICE_NONE },
		{ UINT32_MAX, SLICE_LIT(""), SLICE_LIT("options") },
	};
	struct buf out;
	struct entry_open_hook h;

	buf_init(&out, SIZE_MAX);
	for (size_t i = 0; i < 2; i++)
		entry_open_hook_put(&out, &hooks[i]);
	struct slice rest = buf_slice(&out);

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(entry_open_hook_next(&rest, &h), 1);
		assert_int_equal(h.number, hooks[i].number);
		assert_slice(h.name, hooks[i].name);
		assert_slice(h.options, hooks[i].options);
	}
	assert_int_equal(entry_open_hook_next(&rest, &h), 0);
	rest = SLICE_LIT("\1\2x");
	assert_int_equal(entry_open_hook_next(&rest, &h), FISH_EFORMAT);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(varints_come_back),
		cmocka_unit_test(other_varints_are_refused),
		cmocka_unit_test(tables_leave_out_what_a_switch_skips),
		cmocka_unit_test(texts_of_any_length_come_out_whole),
		cmocka_unit_test(what_could_not_be_read_again_is_not_written),
		cmocka_unit_test(packed_steps_come_back),
		cmocka_unit_test(packed_deadlines_come_back),
		cmocka_unit_test(packed_open_hooks_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
