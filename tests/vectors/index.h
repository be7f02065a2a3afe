/* index.h - reads the tables of shared/vectors: lines of columns, the first line names them.
 *
 * The columns are found by name, so that a table with further ones is read as well. Surprise: the cells
 * point into the text of the table, which is cut up as it is read. */
#ifndef FISH_VECTORS_INDEX_H
#define FISH_VECTORS_INDEX_H

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 64, EXIT_SKIPPED = 77 };

struct index {
	const char *folder;
	char       *text;                    /* owned */
	char       *rest;                    /* of it: lines not read yet */
	char       *names[COLUMNS_MAX];
	char       *cells[COLUMNS_MAX];      /* of the line under way */
	size_t      ncolumns;
};

/* The folder of the vectors: the argument, or what the environment says, or beside the checkout. */
static inline const char *vectors_folder(int argc, char **argv)
{
	const char *folder = getenv("FISH_VECTORS");
	if (argc > 1)
		return argv[1];
	return folder != NULL ? folder : "../shared/vectors";
}

/* A whole file, with a NUL behind it; NONE when it cannot be read. */
static inline struct slice vectors_read(const char *folder, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/http1/%s", folder, name);
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return SLICE_NONE;
	struct buf bytes;
	char some[16 << 10];
	buf_init(&bytes, SIZE_MAX);
	buf_put(&bytes, "", 0);
	for (size_t n = 0; (n = fread(some, 1, sizeof some, f)) > 0;)
		buf_put(&bytes, some, n);
	fclose(f);
	size_t len = bytes.len;
	return (struct slice){ buf_take(&bytes), len };
}

static inline size_t index_split(char *line, char *cells[COLUMNS_MAX])
{
	size_t n = 0;
	for (char *cell; n < COLUMNS_MAX && (cell = strsep(&line, "\t")) != NULL;)
		cells[n++] = cell;
	return n;
}

static inline bool index_open(struct index *x, const char *folder, const char *name)
{
	*x = (struct index){ .folder = folder };
	x->text = (char *)(uintptr_t)vectors_read(folder, name).ptr;
	x->rest = x->text;
	if (x->text == NULL)
		return false;
	x->ncolumns = index_split(strsep(&x->rest, "\n"), x->names);
	return true;
}

static inline void index_close(struct index *x)
{
	free(x->text);
	x->text = NULL;
}

static inline bool index_next(struct index *x)
{
	char *line = NULL;
	while ((line = strsep(&x->rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		size_t n = index_split(line, x->cells);
		while (n < x->ncolumns)
			x->cells[n++] = (char *)(uintptr_t)"";
		return true;
	}
	return false;
}

/* A cell of the line under way; "" when there is no such column. */
static inline const char *index_cell(const struct index *x, const char *name)
{
	for (size_t i = 0; i < x->ncolumns; i++) {
		if (strcmp(x->names[i], name) == 0)
			return x->cells[i];
	}
	return "";
}

#endif
