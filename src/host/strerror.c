/* strerror.c - a code in words, for programs that print one. */
#include "base/base.h"

const char *fish_strerror(int code)
{
	static const struct {
		int code;
		const char *words;
	} table[] = {
		{ FISH_OK, "all is well" },
		{ FISH_EINVAL, "an argument or flag is not as it must be" },
		{ FISH_ENOTFOUND, "no such flow, hook or file" },
		{ FISH_EGONE, "it has ended, closed or stopped" },
		{ FISH_ETOOBIG, "over a limit" },
		{ FISH_EBUSY,
			"in use by another, or too much is under way: try again later" },
		{ FISH_ESTORE, "the store is away: nothing was kept" },
		{ FISH_EIO, "the operating system refused" },
		{ FISH_ETIMEOUT, "not in time" },
		{ FISH_EFORMAT, "bytes that are not what they should be" },
		{ FISH_ESTOPPED,
			"the flow stands still: it diverged, or misused the library" },
		{ FISH_EFAILED, "the flow failed" },
		{ FISH_ECANCELLED, "the flow was cancelled" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].code == code)
			return table[i].words;
	}
	return "an unknown code";
}
