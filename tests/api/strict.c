/* strict.c - one true call of each function that fish-strict.h forbids, each on a line of its own.
 *
 * strict_test.py compiles it four times over: as it stands, with fish-strict.h as the last include
 * (each line must be an error of the right words), with the names in parentheses (none may be), and
 * all that as C17 and C++20 by gcc and by clang. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timeb.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#ifdef __cplusplus
#include <algorithm>
#include <chrono>
#include <string>
#include <vector>
#else
#include <threads.h>
#endif

#include <fish.h>
#ifdef STRICT
#include <fish-strict.h>
#endif

/* What must stay as free as it is: names without a call, and calls that are pure. */
struct names {
	long time;
	int (*done)(void);
};

static inline long allowed(fish_flow *f, struct names *n, char *text)
{
	char out[64], *rest = NULL;
	unsigned seed = (unsigned)fish_random(f);
	struct tm tm;
	time_t at = (time_t)(fish_now(f) / FISH_SECOND);
	long time = n->time, exit = rand_r(&seed), read = n->done();
	const struct stat stat = { .st_dev = 0 };

	fish_defer(f, free, text);
	gmtime_r(&at, &tm);
	if (strftime(out, sizeof out, "%F", &tm) == 0 || !strtok_r(out, "-", &rest))
		abort();
	errno = 0;
	return time + exit + read + (long)stat.st_dev + strtol(out, NULL, 10) + timegm(&tm)
		+ snprintf(out, sizeof out, "%ld", time) + (long)sqrt(4.0);
}

struct all {
	void *p;
	char *s;
	char **sp;
	const char *text;
	int fd;
	int *ip;
	size_t n;
	FILE *file;
	time_t t;
	struct tm tm;
	struct timespec ts;
	struct timeval tv;
	struct timeb tb;
	struct tms tms;
	struct stat st;
	struct utsname un;
	struct itimerval it;
	struct pollfd pfd;
	struct epoll_event event;
	struct addrinfo *ai;
	struct sockaddr sa;
	fd_set set;
	pid_t pid;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_rwlock_t rwlock;
	pthread_cond_t cond;
	sem_t sem;
	jmp_buf jump;
	sigjmp_buf sigjump;
	char *const *argv;
#ifndef __cplusplus
	thrd_t thrd;
	mtx_t mtx;
	cnd_t cnd;
#endif
};

void *start(void *arg);
int start11(void *arg);
void at_exit(void);

static inline void do_time(struct all *a) { (void)a; (void)time(&a->t); }
static inline void do_clock(struct all *a) { (void)a; (void)clock(); }
static inline void do_clock_gettime(struct all *a) { (void)a; (void)clock_gettime(CLOCK_REALTIME, &a->ts); }
static inline void do_gettimeofday(struct all *a) { (void)a; (void)gettimeofday(&a->tv, NULL); }
static inline void do_timespec_get(struct all *a) { (void)a; (void)timespec_get(&a->ts, TIME_UTC); }
static inline void do_ftime(struct all *a) { (void)a; (void)ftime(&a->tb); }
static inline void do_times(struct all *a) { (void)a; (void)times(&a->tms); }
static inline void do_localtime(struct all *a) { (void)a; (void)localtime(&a->t); }
static inline void do_localtime_r(struct all *a) { (void)a; (void)localtime_r(&a->t, &a->tm); }
static inline void do_mktime(struct all *a) { (void)a; (void)mktime(&a->tm); }
static inline void do_ctime(struct all *a) { (void)a; (void)ctime(&a->t); }
static inline void do_ctime_r(struct all *a) { (void)a; (void)ctime_r(&a->t, a->s); }
static inline void do_gmtime(struct all *a) { (void)a; (void)gmtime(&a->t); }
static inline void do_asctime(struct all *a) { (void)a; (void)asctime(&a->tm); }
static inline void do_rand(struct all *a) { (void)a; (void)rand(); }
static inline void do_srand(struct all *a) { (void)a; (void)srand(1); }
static inline void do_random(struct all *a) { (void)a; (void)random(); }
static inline void do_srandom(struct all *a) { (void)a; (void)srandom(1); }
static inline void do_drand48(struct all *a) { (void)a; (void)drand48(); }
static inline void do_lrand48(struct all *a) { (void)a; (void)lrand48(); }
static inline void do_mrand48(struct all *a) { (void)a; (void)mrand48(); }
static inline void do_srand48(struct all *a) { (void)a; (void)srand48(1); }
static inline void do_arc4random(struct all *a) { (void)a; (void)arc4random(); }
static inline void do_arc4random_uniform(struct all *a) { (void)a; (void)arc4random_uniform(7); }
static inline void do_arc4random_buf(struct all *a) { (void)a; (void)arc4random_buf(a->p, a->n); }
static inline void do_getrandom(struct all *a) { (void)a; (void)getrandom(a->p, a->n, 0); }
static inline void do_getentropy(struct all *a) { (void)a; (void)getentropy(a->p, a->n); }
static inline void do_malloc(struct all *a) { (void)a; (void)malloc(a->n); }
static inline void do_calloc(struct all *a) { (void)a; (void)calloc(a->n, a->n); }
static inline void do_realloc(struct all *a) { (void)a; (void)realloc(a->p, a->n); }
static inline void do_reallocarray(struct all *a) { (void)a; (void)reallocarray(a->p, a->n, a->n); }
static inline void do_aligned_alloc(struct all *a) { (void)a; (void)aligned_alloc(a->n, a->n); }
static inline void do_posix_memalign(struct all *a) { (void)a; (void)posix_memalign(&a->p, a->n, a->n); }
static inline void do_free(struct all *a) { (void)a; (void)free(a->p); }
static inline void do_strdup(struct all *a) { (void)a; (void)strdup(a->text); }
static inline void do_strndup(struct all *a) { (void)a; (void)strndup(a->text, a->n); }
static inline void do_asprintf(struct all *a) { (void)a; (void)asprintf(a->sp, "%d", 1); }
static inline void do_vasprintf(struct all *a, va_list ap) { (void)a; (void)vasprintf(a->sp, "%d", ap); }
static inline void do_open_memstream(struct all *a) { (void)a; (void)open_memstream(a->sp, &a->n); }
static inline void do_strtok(struct all *a) { (void)a; (void)strtok(a->s, " "); }
static inline void do_setlocale(struct all *a) { (void)a; (void)setlocale(LC_ALL, ""); }
static inline void do_getenv(struct all *a) { (void)a; (void)getenv("HOME"); }
static inline void do_secure_getenv(struct all *a) { (void)a; (void)secure_getenv("HOME"); }
static inline void do_setenv(struct all *a) { (void)a; (void)setenv("HOME", "/", 1); }
static inline void do_unsetenv(struct all *a) { (void)a; (void)unsetenv("HOME"); }
static inline void do_putenv(struct all *a) { (void)a; (void)putenv(a->s); }
static inline void do_getpid(struct all *a) { (void)a; (void)getpid(); }
static inline void do_getppid(struct all *a) { (void)a; (void)getppid(); }
static inline void do_gettid(struct all *a) { (void)a; (void)gettid(); }
static inline void do_gethostname(struct all *a) { (void)a; (void)gethostname(a->s, a->n); }
static inline void do_uname(struct all *a) { (void)a; (void)uname(&a->un); }
static inline void do_sleep(struct all *a) { (void)a; (void)sleep(1); }
static inline void do_usleep(struct all *a) { (void)a; (void)usleep(1); }
static inline void do_nanosleep(struct all *a) { (void)a; (void)nanosleep(&a->ts, NULL); }
static inline void do_clock_nanosleep(struct all *a) { (void)a; (void)clock_nanosleep(CLOCK_REALTIME, 0, &a->ts, NULL); }
static inline void do_alarm(struct all *a) { (void)a; (void)alarm(1); }
static inline void do_setitimer(struct all *a) { (void)a; (void)setitimer(ITIMER_REAL, &a->it, NULL); }
static inline void do_poll(struct all *a) { (void)a; (void)poll(&a->pfd, 1, 0); }
static inline void do_ppoll(struct all *a) { (void)a; (void)ppoll(&a->pfd, 1, NULL, NULL); }
static inline void do_select(struct all *a) { (void)a; (void)select(1, &a->set, NULL, NULL, NULL); }
static inline void do_pselect(struct all *a) { (void)a; (void)pselect(1, &a->set, NULL, NULL, NULL, NULL); }
static inline void do_epoll_wait(struct all *a) { (void)a; (void)epoll_wait(a->fd, &a->event, 1, 0); }
static inline void do_pause(struct all *a) { (void)a; (void)pause(); }
static inline void do_fopen(struct all *a) { (void)a; (void)fopen(a->text, "r"); }
static inline void do_fdopen(struct all *a) { (void)a; (void)fdopen(a->fd, "r"); }
static inline void do_freopen(struct all *a) { (void)a; (void)freopen(a->text, "r", a->file); }
static inline void do_tmpfile(struct all *a) { (void)a; (void)tmpfile(); }
static inline void do_open(struct all *a) { (void)a; (void)open(a->text, O_RDONLY); }
static inline void do_openat(struct all *a) { (void)a; (void)openat(a->fd, a->text, O_RDONLY); }
static inline void do_creat(struct all *a) { (void)a; (void)creat(a->text, 0600); }
static inline void do_mkstemp(struct all *a) { (void)a; (void)mkstemp(a->s); }
static inline void do_opendir(struct all *a) { (void)a; (void)opendir(a->text); }
static inline void do_read(struct all *a) { (void)a; (void)read(a->fd, a->p, a->n); }
static inline void do_write(struct all *a) { (void)a; (void)write(a->fd, a->p, a->n); }
static inline void do_pread(struct all *a) { (void)a; (void)pread(a->fd, a->p, a->n, 0); }
static inline void do_pwrite(struct all *a) { (void)a; (void)pwrite(a->fd, a->p, a->n, 0); }
static inline void do_fread(struct all *a) { (void)a; (void)fread(a->p, a->n, 1, a->file); }
static inline void do_fwrite(struct all *a) { (void)a; (void)fwrite(a->p, a->n, 1, a->file); }
static inline void do_getline(struct all *a) { (void)a; (void)getline(a->sp, &a->n, a->file); }
static inline void do_stat(struct all *a) { (void)a; (void)stat(a->text, &a->st); }
static inline void do_lstat(struct all *a) { (void)a; (void)lstat(a->text, &a->st); }
static inline void do_access(struct all *a) { (void)a; (void)access(a->text, R_OK); }
static inline void do_readlink(struct all *a) { (void)a; (void)readlink(a->text, a->s, a->n); }
static inline void do_unlink(struct all *a) { (void)a; (void)unlink(a->text); }
static inline void do_rename(struct all *a) { (void)a; (void)rename(a->text, "b"); }
static inline void do_mkdir(struct all *a) { (void)a; (void)mkdir(a->text, 0700); }
static inline void do_rmdir(struct all *a) { (void)a; (void)rmdir(a->text); }
static inline void do_printf(struct all *a) { (void)a; (void)printf("%d", 1); }
static inline void do_vprintf(struct all *a, va_list ap) { (void)a; (void)vprintf("%d", ap); }
static inline void do_fprintf(struct all *a) { (void)a; (void)fprintf(a->file, "%d", 1); }
static inline void do_vfprintf(struct all *a, va_list ap) { (void)a; (void)vfprintf(a->file, "%d", ap); }
static inline void do_dprintf(struct all *a) { (void)a; (void)dprintf(a->fd, "%d", 1); }
static inline void do_puts(struct all *a) { (void)a; (void)puts(a->text); }
static inline void do_fputs(struct all *a) { (void)a; (void)fputs(a->text, a->file); }
static inline void do_putchar(struct all *a) { (void)a; (void)putchar('x'); }
static inline void do_fputc(struct all *a) { (void)a; (void)fputc('x', a->file); }
static inline void do_putc(struct all *a) { (void)a; (void)putc('x', a->file); }
static inline void do_perror(struct all *a) { (void)a; (void)perror(a->text); }
static inline void do_syslog(struct all *a) { (void)a; (void)syslog(LOG_INFO, "%d", 1); }
static inline void do_scanf(struct all *a) { (void)a; (void)scanf("%d", a->ip); }
static inline void do_fscanf(struct all *a) { (void)a; (void)fscanf(a->file, "%d", a->ip); }
static inline void do_fgets(struct all *a) { (void)a; (void)fgets(a->s, 1, a->file); }
static inline void do_fgetc(struct all *a) { (void)a; (void)fgetc(a->file); }
static inline void do_getc(struct all *a) { (void)a; (void)getc(a->file); }
static inline void do_getchar(struct all *a) { (void)a; (void)getchar(); }
static inline void do_socket(struct all *a) { (void)a; (void)socket(AF_INET, SOCK_STREAM, 0); }
static inline void do_connect(struct all *a) { (void)a; (void)connect(a->fd, &a->sa, sizeof a->sa); }
static inline void do_getaddrinfo(struct all *a) { (void)a; (void)getaddrinfo(a->text, a->text, NULL, &a->ai); }
static inline void do_gethostbyname(struct all *a) { (void)a; (void)gethostbyname(a->text); }
static inline void do_fork(struct all *a) { (void)a; (void)fork(); }
static inline void do_vfork(struct all *a) { (void)a; (void)vfork(); }
static inline void do_system(struct all *a) { (void)a; (void)system(a->text); }
static inline void do_popen(struct all *a) { (void)a; (void)popen(a->text, "r"); }
static inline void do_execv(struct all *a) { (void)a; (void)execv(a->text, a->argv); }
static inline void do_execvp(struct all *a) { (void)a; (void)execvp(a->text, a->argv); }
static inline void do_execve(struct all *a) { (void)a; (void)execve(a->text, a->argv, a->argv); }
static inline void do_posix_spawn(struct all *a) { (void)a; (void)posix_spawn(&a->pid, a->text, NULL, NULL, a->argv, a->argv); }
static inline void do_posix_spawnp(struct all *a) { (void)a; (void)posix_spawnp(&a->pid, a->text, NULL, NULL, a->argv, a->argv); }
static inline void do_waitpid(struct all *a) { (void)a; (void)waitpid(a->pid, a->ip, 0); }
static inline void do_pthread_create(struct all *a) { (void)a; (void)pthread_create(&a->thread, NULL, start, a); }
static inline void do_pthread_join(struct all *a) { (void)a; (void)pthread_join(a->thread, NULL); }
static inline void do_pthread_mutex_lock(struct all *a) { (void)a; (void)pthread_mutex_lock(&a->mutex); }
static inline void do_pthread_rwlock_rdlock(struct all *a) { (void)a; (void)pthread_rwlock_rdlock(&a->rwlock); }
static inline void do_pthread_rwlock_wrlock(struct all *a) { (void)a; (void)pthread_rwlock_wrlock(&a->rwlock); }
static inline void do_pthread_cond_wait(struct all *a) { (void)a; (void)pthread_cond_wait(&a->cond, &a->mutex); }
static inline void do_pthread_cond_timedwait(struct all *a) { (void)a; (void)pthread_cond_timedwait(&a->cond, &a->mutex, &a->ts); }
static inline void do_sem_wait(struct all *a) { (void)a; (void)sem_wait(&a->sem); }
static inline void do_exit(struct all *a) { (void)a; (void)exit(1); }
static inline void do__exit(struct all *a) { (void)a; (void)_exit(1); }
static inline void do__Exit(struct all *a) { (void)a; (void)_Exit(1); }
static inline void do_quick_exit(struct all *a) { (void)a; (void)quick_exit(1); }
static inline void do_pthread_exit(struct all *a) { (void)a; (void)pthread_exit(NULL); }
static inline void do_atexit(struct all *a) { (void)a; (void)atexit(at_exit); }
static inline void do_longjmp(struct all *a) { (void)a; (void)longjmp(a->jump, 1); }
static inline void do_siglongjmp(struct all *a) { (void)a; (void)siglongjmp(a->sigjump, 1); }
#ifndef __cplusplus
static inline void do_thrd_sleep(struct all *a) { (void)a; (void)thrd_sleep(&a->ts, NULL); }
static inline void do_remove(struct all *a) { (void)a; (void)remove(a->text); }
static inline void do_thrd_create(struct all *a) { (void)a; (void)thrd_create(&a->thrd, start11, a); }
static inline void do_thrd_join(struct all *a) { (void)a; (void)thrd_join(a->thrd, a->ip); }
static inline void do_mtx_lock(struct all *a) { (void)a; (void)mtx_lock(&a->mtx); }
static inline void do_cnd_wait(struct all *a) { (void)a; (void)cnd_wait(&a->cnd, &a->mtx); }
static inline void do_thrd_exit(struct all *a) { (void)a; (void)thrd_exit(1); }
#endif

/* Macros by right: there is nothing to call in parentheses. */
#ifndef PARENTHESES
static inline void do_setjmp(struct all *a) { (void)a; (void)setjmp(a->jump); }
static inline void do_sigsetjmp(struct all *a) { (void)a; (void)sigsetjmp(a->sigjump, 1); }
#endif
