/* fault_power.c - what is durable on the fault disk: syncs bring it about, a power cut shows it.
 *
 * A write keeps its promise towards its neighbours: a torn write spoils no byte outside of
 * itself (SQLite calls that powersafe overwrite, and the unix VFS takes it for granted).
 * Surprise: what a file grew by may be there without its bytes, as zeros or as rubbish. */
#include "fault_private.h"

/* The file is len bytes long; what it grew by has no bytes of its own. */
static void kept_resize(struct fault_disk *d, int file, size_t len, const struct mood *m)
{
	struct file *f = &d->files[file];
	char *kept = disk_image(d, file, KEPT);

	if (len < f->kept_bytes)
		memset(kept + len, 0, f->kept_bytes - len);
	for (size_t i = f->kept_bytes; m != NULL && m->rubbish && i < len; i++)
		kept[i] = (char)disk_draw(d, 256);
	f->kept_bytes = len;
}

static void kept_write(struct fault_disk *d, int file, size_t offset, const char *bytes, size_t len,
	const struct mood *m)
{
	if (offset + len > d->files[file].kept_bytes)
		kept_resize(d, file, offset + len, m);
	memcpy(disk_image(d, file, KEPT) + offset, bytes, len);
}

static bool piece_is_kept(struct fault_disk *d, struct mood *m)
{
	if (m->over || disk_draw(d, 8) >= m->kept_of_8)
		m->over = m->ordered;
	else
		return true;
	return false;
}

/* One write at the time of a cut: each piece of it is there, or not, or half. */
static void kept_tear(struct fault_disk *d, int file, const struct record *r, const char *bytes,
	struct mood *m)
{
	for (size_t at = 0; at < r->len;) {
		size_t offset = r->offset + at;
		size_t len = FAULT_PIECE_BYTES - offset % FAULT_PIECE_BYTES;
		len = len < r->len - at ? len : r->len - at;
		if (piece_is_kept(d, m))
			kept_write(d, file, offset, bytes + at, len, m);
		else if (m->kept_of_8 > 0 && disk_draw(d, 8) == 0)
			kept_write(d, file, offset, bytes + at, (size_t)disk_draw(d, len + 1), m);
		at += len;
	}
}

/* Goes through what no sync has covered: all of it is kept (m NULL), or what the mood leaves. */
void disk_settle(struct fault_disk *d, int file, struct mood *m)
{
	struct file *f = &d->files[file];
	const char *log = disk_image(d, file, LOG);
	size_t at = 0;

	while (at < f->log_bytes) {
		struct record r;
		memcpy(&r, log + at, sizeof r);
		at += sizeof r;
		if (!r.truncates && m != NULL)
			kept_tear(d, file, &r, log + at, m);
		else if (!r.truncates)
			kept_write(d, file, r.offset, log + at, r.len, NULL);
		else if (m == NULL || piece_is_kept(d, m))
			kept_resize(d, file, r.offset, m);
		at += r.len;
	}
	f->log_bytes = 0;
}

struct mood disk_mood(struct fault_disk *d, enum fault_loss loss)
{
	static const unsigned kept_of_8[] = { 0, 1, 4, 7, 7, 8 };
	struct mood m = { .kept_of_8 = 0 };

	if (loss == FAULT_LOSES_ALL)
		return m;
	m.kept_of_8 = kept_of_8[disk_draw(d, sizeof kept_of_8 / sizeof kept_of_8[0])];
	m.ordered = disk_draw(d, 4) == 0;
	m.rubbish = disk_draw(d, 2) == 0;
	return m;
}

/* Of each name a beginning of what was done to it is kept. */
static void names_settle(struct fault_disk *d, const struct mood *m)
{
	bool over[FAULT_NAMES_MAX] = { false };

	for (size_t i = 0; i < d->nfolder; i++) {
		int name = d->folder[i].name;
		over[name] = over[name] || disk_draw(d, 8) >= m->kept_of_8;
		if (!over[name])
			d->names[name].kept = d->folder[i].file;
	}
	d->nfolder = 0;
	for (int i = 0; i < FAULT_NAMES_MAX; i++)
		d->names[i].now = d->names[i].kept;
}

void disk_cut(struct fault_disk *d, enum fault_loss loss)
{
	struct mood m = disk_mood(d, loss);

	names_settle(d, &m);
	for (int i = 0; i < FAULT_FILES_MAX; i++) {
		struct file *f = &d->files[i];
		size_t was_bytes = f->now_bytes;
		m.over = false;
		f->handles = 0;
		if (!f->used)
			continue;
		disk_settle(d, i, &m);
		/* It may have grown without any of the bytes. */
		if (m.kept_of_8 > 0 && was_bytes > f->kept_bytes && disk_draw(d, 4) == 0)
			kept_resize(d, i, was_bytes, &m);
		size_t len = was_bytes > f->kept_bytes ? was_bytes : f->kept_bytes;
		memcpy(disk_image(d, i, NOW), disk_image(d, i, KEPT), len);
		f->now_bytes = f->kept_bytes;
	}
	disk_tidy(d);
}
