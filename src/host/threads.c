/* threads.c - one uv_work_t for each function that is under way. */
#include "host/threads.h"

#include <stdlib.h>

struct job {
	uv_work_t         request;
	struct threads   *threads;
	struct work_item *item;
};

static void on_thread(uv_work_t *request)
{
	struct job *job = container_of(request, struct job, request);

	job->item->fn(job->item->arg, job->item->result);
}

static void after(uv_work_t *request, int status)
{
	struct job *job = container_of(request, struct job, request);
	struct threads *t = job->threads;

	(void)status;             /* nobody cancels */
	t->under_way--;
	if (!t->dropping) {
		job->item->done(job->item);
		t->wake(t->wake_arg);
	}
	free(job);
}

void threads_work(struct threads *t, struct work_item *item)
{
	struct job *job = xalloc(sizeof(*job));

	job->threads = t;
	job->item = item;
	t->under_way++;
	/* It fails only without a function to run. */
	CHECK(uv_queue_work(t->loop, &job->request, on_thread, after) == 0);
}

void threads_drop(struct threads *t)
{
	t->dropping = true;
	while (t->under_way > 0)
		uv_run(t->loop, UV_RUN_ONCE);
}
