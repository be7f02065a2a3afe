/* fish-strict.h - makes a call that has no place in a flow a compile error that names
 * what has.
 *
 * Include it last, in each file that holds flows: what it forbids, system headers need
 * for their own declarations. Each call below becomes an undeclared value whose name is
 * the advice, since an undeclared function would only be warned of:
 *
 *     error: 'use_fish_now_instead_of_time' undeclared
 *
 * Only calls are seen, for a macro with arguments is not expanded where no '(' follows:
 * a variable or member may be called time, and fish_defer(f, free, p) is as it should
 * be. That is also the way to allow one call, for example in main: (time)(NULL). A
 * member that is called needs it too, as in (file->read)(buf). What a macro cannot see
 * is looked for by fish-check-flows; docs/determinism.md has the rules and their
 * reasons.
 *
 * Left alone on purpose: abort and assert (a crash costs a re-run, no more); errno
 * (right after the call that set it; other flows change it in each step); rand_r,
 * random_r, erand48 (their state is the flow's own, and may begin with fish_random);
 * gmtime_r, timegm, snprintf, strtok_r (pure). */
#ifndef FISH_STRICT_H
#define FISH_STRICT_H

/* The '+' makes it no declarator: a system header that comes after this one is an error
 * at once, and does not by accident declare the very names that must stay undeclared. */

/* Time: a re-run happens later. What depends on TZ happens elsewhere, too. */
#undef time
#undef clock
#undef clock_gettime
#undef gettimeofday
#undef timespec_get
#undef ftime
#undef times
#define time(...)               +use_fish_now_instead_of_time
#define clock(...)              +use_fish_now_instead_of_clock
#define clock_gettime(...)      +use_fish_now_instead_of_clock_gettime
#define gettimeofday(...)       +use_fish_now_instead_of_gettimeofday
#define timespec_get(...)       +use_fish_now_instead_of_timespec_get
#define ftime(...)              +use_fish_now_instead_of_ftime
#define times(...)              +use_fish_now_instead_of_times
#undef localtime
#undef localtime_r
#undef mktime
#undef ctime
#undef ctime_r
#undef gmtime
#undef asctime
#define localtime(...)          +use_gmtime_r_instead_of_localtime
#define localtime_r(...)        +use_gmtime_r_instead_of_localtime_r
#define mktime(...)             +use_timegm_instead_of_mktime
#define ctime(...)              +use_gmtime_r_and_strftime_instead_of_ctime
#define ctime_r(...)            +use_gmtime_r_and_strftime_instead_of_ctime_r
#define gmtime(...)             +use_gmtime_r_instead_of_gmtime
#define asctime(...)            +use_strftime_instead_of_asctime

/* Chance: a re-run draws something else. */
#undef rand
#undef srand
#undef random
#undef srandom
#undef drand48
#undef lrand48
#undef mrand48
#undef srand48
#undef arc4random
#undef arc4random_uniform
#undef arc4random_buf
#undef getrandom
#undef getentropy
#define rand(...)               +use_fish_random_instead_of_rand
#define srand(...)              +use_fish_random_instead_of_srand
#define random(...)             +use_fish_random_instead_of_random
#define srandom(...)            +use_fish_random_instead_of_srandom
#define drand48(...)            +use_fish_random_instead_of_drand48
#define lrand48(...)            +use_fish_random_instead_of_lrand48
#define mrand48(...)            +use_fish_random_instead_of_mrand48
#define srand48(...)            +use_fish_random_instead_of_srand48
#define arc4random(...)         +use_fish_random_instead_of_arc4random
#define arc4random_uniform(...) +use_fish_random_instead_of_arc4random_uniform
#define arc4random_buf(...)     +use_fish_random_instead_of_arc4random_buf
#define getrandom(...)          +use_fish_random_instead_of_getrandom
#define getentropy(...)         +use_fish_random_instead_of_getentropy

/* Memory: parking drops the stack at any wait and with it the last pointer; each re-run
 * would leak. */
#undef malloc
#undef calloc
#undef realloc
#undef reallocarray
#undef aligned_alloc
#undef posix_memalign
#undef free
#undef strdup
#undef strndup
#undef asprintf
#undef vasprintf
#undef open_memstream
#define malloc(...)             +use_fish_alloc_instead_of_malloc
#define calloc(...)             +use_fish_alloc_instead_of_calloc
#define realloc(...)            +use_fish_alloc_instead_of_realloc
#define reallocarray(...)       +use_fish_alloc_instead_of_reallocarray
#define aligned_alloc(...)      +use_fish_alloc_instead_of_aligned_alloc
#define posix_memalign(...)     +use_fish_alloc_instead_of_posix_memalign
#define free(...)               +use_fish_defer_instead_of_free
#define strdup(...)             +use_fish_fmt_instead_of_strdup
#define strndup(...)            +use_fish_fmt_instead_of_strndup
#define asprintf(...)           +use_fish_fmt_instead_of_asprintf
#define vasprintf(...)          +use_fish_fmt_instead_of_vasprintf
#define open_memstream(...)     +use_fish_fmt_instead_of_open_memstream

/* Hidden state that all flows of the thread share: a step in between, and it is
 * another's. */
#undef strtok
#undef setlocale
#define strtok(...)             +use_strtok_r_instead_of_strtok
#define setlocale(...)          +use_it_in_main_only_instead_of_setlocale

/* The process and its machine: another one after a restart. */
#undef getenv
#undef secure_getenv
#undef setenv
#undef unsetenv
#undef putenv
#undef getpid
#undef getppid
#undef gettid
#undef gethostname
#undef uname
#define getenv(...)             +use_the_input_or_fish_once_instead_of_getenv
#define secure_getenv(...)      +use_the_input_or_fish_once_instead_of_secure_getenv
#define setenv(...)             +use_a_variable_of_the_flow_instead_of_setenv
#define unsetenv(...)           +use_a_variable_of_the_flow_instead_of_unsetenv
#define putenv(...)             +use_a_variable_of_the_flow_instead_of_putenv
#define getpid(...)             +use_fish_id_instead_of_getpid
#define getppid(...)            +use_fish_id_instead_of_getppid
#define gettid(...)             +use_fish_id_instead_of_gettid
#define gethostname(...)        +use_the_input_or_fish_once_instead_of_gethostname
#define uname(...)              +use_the_input_or_fish_once_instead_of_uname

/* Waiting: it would hold up all flows, and be waited again in each re-run. */
#undef sleep
#undef usleep
#undef nanosleep
#undef clock_nanosleep
#undef thrd_sleep
#undef alarm
#undef setitimer
#undef poll
#undef ppoll
#undef select
#undef pselect
#undef epoll_wait
#undef pause
#define sleep(...)              +use_fish_sleep_instead_of_sleep
#define usleep(...)             +use_fish_sleep_instead_of_usleep
#define nanosleep(...)          +use_fish_sleep_instead_of_nanosleep
#define clock_nanosleep(...)    +use_fish_sleep_instead_of_clock_nanosleep
#define thrd_sleep(...)         +use_fish_sleep_instead_of_thrd_sleep
#define alarm(...)              +use_fish_timer_instead_of_alarm
#define setitimer(...)          +use_fish_timer_instead_of_setitimer
#define poll(...)               +use_fish_any_instead_of_poll
#define ppoll(...)              +use_fish_any_instead_of_ppoll
#define select(...)             +use_fish_any_instead_of_select
#define pselect(...)            +use_fish_any_instead_of_pselect
#define epoll_wait(...)         +use_fish_any_instead_of_epoll_wait
#define pause(...)              +use_fish_next_instead_of_pause

/* Files: they read otherwise in a re-run, and are written again. fish_once keeps what
 * was read; what may take long has its place in the function of fish_work, in a file of
 * its own or in parentheses. */
#undef fopen
#undef fdopen
#undef freopen
#undef tmpfile
#undef open
#undef openat
#undef creat
#undef mkstemp
#undef opendir
#undef read
#undef write
#undef pread
#undef pwrite
#undef fread
#undef fwrite
#undef getline
#undef stat
#undef lstat
#undef access
#undef readlink
#undef unlink
#undef rename
#undef mkdir
#undef rmdir
#define fopen(...)              +use_fish_once_or_fish_work_instead_of_fopen
#define fdopen(...)             +use_fish_once_or_fish_work_instead_of_fdopen
#define freopen(...)            +use_fish_once_or_fish_work_instead_of_freopen
#define tmpfile(...)            +use_fish_once_or_fish_work_instead_of_tmpfile
#define open(...)               +use_fish_once_or_fish_work_instead_of_open
#define openat(...)             +use_fish_once_or_fish_work_instead_of_openat
#define creat(...)              +use_fish_once_or_fish_work_instead_of_creat
#define mkstemp(...)            +use_fish_once_or_fish_work_instead_of_mkstemp
#define opendir(...)            +use_fish_once_or_fish_work_instead_of_opendir
#define read(...)               +use_fish_once_or_fish_work_instead_of_read
#define write(...)              +use_fish_once_or_fish_work_instead_of_write
#define pread(...)              +use_fish_once_or_fish_work_instead_of_pread
#define pwrite(...)             +use_fish_once_or_fish_work_instead_of_pwrite
#define fread(...)              +use_fish_once_or_fish_work_instead_of_fread
#define fwrite(...)             +use_fish_once_or_fish_work_instead_of_fwrite
#define getline(...)            +use_fish_once_or_fish_work_instead_of_getline
#define stat(...)               +use_fish_once_or_fish_work_instead_of_stat
#define lstat(...)              +use_fish_once_or_fish_work_instead_of_lstat
#define access(...)             +use_fish_once_or_fish_work_instead_of_access
#define readlink(...)           +use_fish_once_or_fish_work_instead_of_readlink
#define unlink(...)             +use_fish_once_or_fish_work_instead_of_unlink
#define rename(...)             +use_fish_once_or_fish_work_instead_of_rename
#define mkdir(...)              +use_fish_once_or_fish_work_instead_of_mkdir
#define rmdir(...)              +use_fish_once_or_fish_work_instead_of_rmdir
#ifndef __cplusplus             /* where std::remove is an algorithm that harms nobody */
#undef remove
#define remove(...)             +use_fish_once_or_fish_work_instead_of_remove
#endif

/* Words: a re-run would say them again; fish_log is silent until the code goes on live. */
#undef printf
#undef vprintf
#undef fprintf
#undef vfprintf
#undef dprintf
#undef puts
#undef fputs
#undef putchar
#undef fputc
#undef putc
#undef perror
#undef syslog
#define printf(...)             +use_fish_log_instead_of_printf
#define vprintf(...)            +use_fish_log_instead_of_vprintf
#define fprintf(...)            +use_fish_log_instead_of_fprintf
#define vfprintf(...)           +use_fish_log_instead_of_vfprintf
#define dprintf(...)            +use_fish_log_instead_of_dprintf
#define puts(...)               +use_fish_log_instead_of_puts
#define fputs(...)              +use_fish_log_instead_of_fputs
#define putchar(...)            +use_fish_log_instead_of_putchar
#define fputc(...)              +use_fish_log_instead_of_fputc
#define putc(...)               +use_fish_log_instead_of_putc
#define perror(...)             +use_fish_log_instead_of_perror
#define syslog(...)             +use_fish_log_instead_of_syslog
#undef scanf
#undef fscanf
#undef fgets
#undef fgetc
#undef getc
#undef getchar
#define scanf(...)              +use_fish_next_instead_of_scanf
#define fscanf(...)             +use_fish_once_or_fish_work_instead_of_fscanf
#define fgets(...)              +use_fish_once_or_fish_work_instead_of_fgets
#define fgetc(...)              +use_fish_once_or_fish_work_instead_of_fgetc
#define getc(...)               +use_fish_once_or_fish_work_instead_of_getc
#define getchar(...)            +use_fish_next_instead_of_getchar

/* The network: Fish keeps what it said, and says it under one key. */
#undef socket
#undef connect
#undef getaddrinfo
#undef gethostbyname
#define socket(...)             +use_fish_post_or_fish_call_instead_of_socket
#define connect(...)            +use_fish_post_or_fish_call_instead_of_connect
#define getaddrinfo(...)        +use_fish_post_or_fish_call_instead_of_getaddrinfo
#define gethostbyname(...)      +use_fish_post_or_fish_call_instead_of_gethostbyname

/* Processes and threads: the flows of a server take turns on one thread, so that a lock
 * is never needed, and waited for is a standstill. */
#undef fork
#undef vfork
#undef system
#undef popen
#undef execv
#undef execvp
#undef execve
#undef posix_spawn
#undef posix_spawnp
#undef waitpid
#define fork(...)               +use_fish_work_instead_of_fork
#define vfork(...)              +use_fish_work_instead_of_vfork
#define system(...)             +use_fish_work_instead_of_system
#define popen(...)              +use_fish_work_instead_of_popen
#define execv(...)              +use_fish_work_instead_of_execv
#define execvp(...)             +use_fish_work_instead_of_execvp
#define execve(...)             +use_fish_work_instead_of_execve
#define posix_spawn(...)        +use_fish_work_instead_of_posix_spawn
#define posix_spawnp(...)       +use_fish_work_instead_of_posix_spawnp
#define waitpid(...)            +use_fish_work_instead_of_waitpid
#undef pthread_create
#undef pthread_join
#undef pthread_mutex_lock
#undef pthread_rwlock_rdlock
#undef pthread_rwlock_wrlock
#undef pthread_cond_wait
#undef pthread_cond_timedwait
#undef sem_wait
#undef thrd_create
#undef thrd_join
#undef mtx_lock
#undef cnd_wait
#define pthread_create(...)     +use_fish_work_or_fish_child_instead_of_pthread_create
#define pthread_join(...)       +use_fish_work_or_fish_child_instead_of_pthread_join
#define pthread_mutex_lock(...) +use_messages_between_flows_instead_of_pthread_mutex_lock
#define pthread_rwlock_rdlock(...) +use_messages_between_flows_instead_of_pthread_rwlock_rdlock
#define pthread_rwlock_wrlock(...) +use_messages_between_flows_instead_of_pthread_rwlock_wrlock
#define pthread_cond_wait(...)  +use_fish_next_instead_of_pthread_cond_wait
#define pthread_cond_timedwait(...) +use_fish_next_instead_of_pthread_cond_timedwait
#define sem_wait(...)           +use_fish_next_instead_of_sem_wait
#define thrd_create(...)        +use_fish_work_or_fish_child_instead_of_thrd_create
#define thrd_join(...)          +use_fish_work_or_fish_child_instead_of_thrd_join
#define mtx_lock(...)           +use_messages_between_flows_instead_of_mtx_lock
#define cnd_wait(...)           +use_fish_next_instead_of_cnd_wait

/* Ways out: exit takes the server along; a jump may leave a frame that Fish stands in. */
#undef exit
#undef _exit
#undef _Exit
#undef quick_exit
#undef pthread_exit
#undef thrd_exit
#undef atexit
#undef setjmp
#undef sigsetjmp
#undef longjmp
#undef siglongjmp
#define exit(...)               +use_fish_done_or_fish_fail_instead_of_exit
#define _exit(...)              +use_fish_done_or_fish_fail_instead_of__exit
#define _Exit(...)              +use_fish_done_or_fish_fail_instead_of__Exit
#define quick_exit(...)         +use_fish_done_or_fish_fail_instead_of_quick_exit
#define pthread_exit(...)       +use_fish_done_or_fish_fail_instead_of_pthread_exit
#define thrd_exit(...)          +use_fish_done_or_fish_fail_instead_of_thrd_exit
#define atexit(...)             +use_fish_defer_instead_of_atexit
#define setjmp(...)             +use_return_or_fish_fail_instead_of_setjmp
#define sigsetjmp(...)          +use_return_or_fish_fail_instead_of_sigsetjmp
#define longjmp(...)            +use_return_or_fish_fail_instead_of_longjmp
#define siglongjmp(...)         +use_return_or_fish_fail_instead_of_siglongjmp

#endif
