/* load.c - posts to a list of paths over so many connections and tells how long each answer took.
 *
 *     bench_load --to HOST:PORT|unix:/path --paths FILE [--connections C] [--seconds S] [--requests N]
 *                [--body TEXT] [--ids] [--once]
 *
 * One request at a time on each connection, kept alive, no pipelining; connection i takes the paths
 * i, i + C, … and begins anew at the end, or with --once stops there. A body's first STAMP_DIGITS digits after "@" become the time
 * of sending. --ids gives each request a webhook-id of its own. Prints one JSON object. Surprise: Fish
 * and nginx get their load from this one program, so that its own cost on a shared machine weighs
 * alike on both. */
#include "histogram.h"
#include "socket.h"

#include <getopt.h>
#include <stdbool.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MESSAGE_MAX = 16 << 10, EVENTS = 256, PATIENCE_MS = 20000 };

struct connection {
	int      fd;
	size_t   next;                        /* the path it posts to next */
	uint64_t sent_ns;
	size_t   got;                         /* bytes of the answer so far */
	char     answer[MESSAGE_MAX];
};

struct load {
	struct address     to;
	char              *text;              /* the file of paths, its line ends made NULs */
	const char       **paths;
	size_t             npaths;
	size_t             connections;
	const char        *body;
	bool               ids, once;
	uint64_t           seconds_ns;
	uint64_t           requests;          /* at most; 0: as many as there is time for */
	uint64_t           sent, answered;
	uint64_t           statuses[600];
	uint64_t           end_ns;
	struct histogram   took;
};

static void paths_read(struct load *l, const char *file)
{
	FILE *f = fopen(file, "r");
	size_t cap = 0;

	if (!f || getdelim(&l->text, &cap, '\0', f) <= 0)
		die(file);
	fclose(f);
	for (char *line = strtok(l->text, "\n"); line; line = strtok(NULL, "\n")) {
		if ((l->npaths & (l->npaths - 1)) == 0)
			l->paths = realloc(l->paths, (2 * l->npaths + 1) * sizeof *l->paths);
		l->paths[l->npaths++] = line;
	}
}

/* False: nothing is left to be sent. */
static bool post(struct load *l, struct connection *c)
{
	char text[MESSAGE_MAX];
	char id[64] = "";
	uint64_t now = now_ns();

	if (now >= l->end_ns || (l->requests && l->sent == l->requests) || (l->once && c->next >= l->npaths))
		return false;
	if (l->ids)
		snprintf(id, sizeof id, "webhook-id: msg_%016llx%08llx\r\n", (unsigned long long)now,
		         (unsigned long long)l->sent);
	int n = snprintf(text, sizeof text,
	                 "POST %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1\r\n"
	                 "Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
	                 l->paths[c->next % l->npaths], id, strlen(l->body), l->body);

	if (n <= 0 || (size_t)n >= sizeof text)
		die("the body is too long");
	char *at = memchr(text, '@', (size_t)n);

	if (at)
		stamp(at + 1, now);
	c->sent_ns = now;
	c->next += l->connections;
	if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
	l->sent++;
	return true;
}

/* Takes what has come; true when the answer is whole. */
static bool take(struct load *l, struct connection *c)
{
	ssize_t n = recv(c->fd, c->answer + c->got, sizeof c->answer - 1 - c->got, MSG_DONTWAIT);
	int status = 0;

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n == 0)
		errno = ECONNRESET;
	if (n <= 0)
		die("the server hung up");
	c->got += (size_t)n;
	c->answer[c->got] = '\0';
	if (!message_len(c->answer, c->got))
		return false;
	if (sscanf(c->answer, "HTTP/1.1 %3d", &status) != 1 || status < 100 || status > 599)
		die("no HTTP answer");
	c->got = 0;
	histogram_add(&l->took, now_ns() - c->sent_ns);
	l->statuses[status]++;
	l->answered++;
	return true;
}

/* Until nobody has anything to send or to wait for. */
static void run(struct load *l, struct connection *all, int epoll)
{
	struct epoll_event events[EVENTS];
	size_t waiting = 0;

	for (size_t i = 0; i < l->connections; i++)
		waiting += post(l, &all[i]);
	while (waiting) {
		int n = epoll_wait(epoll, events, EVENTS, PATIENCE_MS);

		if (n <= 0)
			die("no answer in 20 s");
		for (int i = 0; i < n; i++)
			if (take(l, events[i].data.ptr) && !post(l, events[i].data.ptr))
				waiting--;
	}
}

static void print(const struct load *l, uint64_t ns)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	printf("{\"answered\": %llu, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
	       "\"max_us\": %.1f, \"cpu_seconds\": %.3f, \"statuses\": {",
	       (unsigned long long)l->answered, (double)ns / 1e9, (double)histogram_at(&l->took, 0.5) / 1e3,
	       (double)histogram_at(&l->took, 0.99) / 1e3, (double)histogram_at(&l->took, 1) / 1e3,
	       (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	const char *comma = "";

	for (int i = 0; i < 600; i++)
		if (l->statuses[i]) {
			printf("%s\"%d\": %llu", comma, i, (unsigned long long)l->statuses[i]);
			comma = ", ";
		}
	printf("}}\n");
}

static void options(struct load *l, int argc, char **argv)
{
	static const struct option known[] = {
		{ "to", 1, NULL, 't' },       { "paths", 1, NULL, 'p' }, { "connections", 1, NULL, 'c' },
		{ "seconds", 1, NULL, 's' },  { "body", 1, NULL, 'b' },  { "requests", 1, NULL, 'n' },
		{ "ids", 0, NULL, 'i' },      { "once", 0, NULL, 'o' },  { NULL, 0, NULL, 0 },
	};

	for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;)
		switch (o) {
		case 't': l->to = address_of(optarg); break;
		case 'p': paths_read(l, optarg); break;
		case 'c': l->connections = strtoul(optarg, NULL, 10); break;
		case 's': l->seconds_ns = (uint64_t)(strtod(optarg, NULL) * 1e9); break;
		case 'n': l->requests = strtoull(optarg, NULL, 10); break;
		case 'b': l->body = optarg; break;
		case 'i': l->ids = true; break;
		case 'o': l->once = true; break;
		default: exit(2);
		}
	if (!l->to.len || !l->npaths || !l->connections) {
		fprintf(stderr, "bench_load: --to and --paths are needed; bench.py shows how\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct load *l = calloc(1, sizeof *l);

	l->connections = 1;
	l->body = "{}";
	l->seconds_ns = UINT64_MAX / 2;
	options(l, argc, argv);
	struct connection *all = calloc(l->connections, sizeof *all);
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (size_t i = 0; i < l->connections; i++) {
		struct epoll_event in = { .events = EPOLLIN, .data.ptr = &all[i] };

		all[i].next = i;
		all[i].fd = connect_to(&l->to);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &in) < 0)
			die("epoll_ctl");
	}
	uint64_t begun = now_ns();

	l->end_ns = begun + l->seconds_ns;
	run(l, all, epoll);
	print(l, now_ns() - begun);
	free(all);
	free(l->paths);
	free(l->text);
	free(l);
	return 0;
}
