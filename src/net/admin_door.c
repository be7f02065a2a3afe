/* admin_door.c - GET /doors and /doors/NAME: the program's named doors, and what came to one. */
#include "net/admin_private.h"

void admin_doors(struct admin *a, struct exchange *x)
{
	struct buf json;

	buf_init(&json, ADMIN_ANSWER_BYTES_MAX);
	buf_puts(&json, "{\"doors\": [");
	engine_list_doors(a->config.engine, &json);
	buf_puts(&json, "]}");
	admin_answer(x, 200, "", buf_slice(&json));
	buf_fini(&json);
}

void admin_door(struct admin *a, struct exchange *x, struct slice name)
{
	int shown = name.len > 60 ? 60 : (int)name.len;
	struct buf json;

	buf_init(&json, ADMIN_ANSWER_BYTES_MAX);
	if (engine_show_door(a->config.engine, name, &json))
		admin_answer(x, 200, "", buf_slice(&json));
	else
		admin_error(x, 404, "the program has no door '%.*s': GET /doors and 'show /in/' list them",
			shown, name.ptr);
	buf_fini(&json);
}
