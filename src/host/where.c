/* where.c - source places by elfutils' libdwfl.
 *
 * Surprise: all is opened and closed again for each place: a report is rare, and a long-lived handle
 * would keep the debug information of every library in memory. */
#include "host/where.h"

#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The file of an address and the number of its line; NULL if it has none. clang writes no index from
 * addresses to units (.debug_aranges), which is all that dwfl_module_getsrc goes by: without it each
 * unit is asked. */
static const char *source_of(Dwfl_Module *module, Dwarf_Addr at, int *ret_number)
{
	Dwfl_Line *indexed = dwfl_module_getsrc(module, at);
	Dwarf_Die *unit = NULL;
	Dwarf_Addr bias = 0;

	if (indexed != NULL)
		return dwfl_lineinfo(indexed, NULL, ret_number, NULL, NULL, NULL);
	while ((unit = dwfl_module_nextcu(module, unit, &bias)) != NULL) {
		Dwarf_Line *line = dwarf_haspc(unit, at - bias) > 0 ? dwarf_getsrc_die(unit, at - bias) : NULL;

		if (line != NULL && dwarf_lineno(line, ret_number) == 0)
			return dwarf_linesrc(line, NULL, NULL);
	}
	return NULL;
}

static void put_place(struct buf *out, Dwfl *dwfl, Dwarf_Addr at)
{
	Dwfl_Module *module = dwfl_addrmodule(dwfl, at);
	int number = 0;
	const char *file = module != NULL ? source_of(module, at, &number) : NULL;

	if (file != NULL) {
		buf_printf(out, "%s:%d", base_name(file), number);
		return;
	}
	GElf_Off offset = 0;
	GElf_Sym symbol;
	const char *name = module == NULL ? NULL
	                                  : dwfl_module_addrinfo(module, at, &offset, &symbol, NULL, NULL, NULL);

	if (name != NULL)
		buf_printf(out, "%s+0x%" PRIx64, name, (uint64_t)offset);
}

void where_put(struct buf *out, const void *return_address)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_linux_proc_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);

	if (dwfl == NULL)
		return;
	/* The call is before the address that it returns to. */
	if (dwfl_linux_proc_report(dwfl, getpid()) == 0 && dwfl_report_end(dwfl, NULL, NULL) == 0)
		put_place(out, dwfl, (Dwarf_Addr)(uintptr_t)return_address - 1);
	dwfl_end(dwfl);
}
