// SPDX-License-Identifier: GPL-2.0-only
/*
 * One program run, in a working process with FZ_HELPERS threads more.
 *
 * Nothing may block for good: a timer interrupts the first thread again and
 * again, and what helpers are left with at the end is interrupted then.  A helper
 * that does not come back makes the process end, which kills it; if that does
 * not work either, the watching process will notice.
 *
 * Afterwards all is put back: descriptors, ids, namespace, settings.  So a
 * program means the same wherever it runs, and thousands need one process.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_USEC	4000	/* the first thread is interrupted */
#define ASYNC_NSEC	300000	/* a helper has so long before others go on */
#define STOP_TRIES	200

struct helper {
	pthread_t	thread;
	pid_t		tid;
	atomic_int	busy;		/* a futex */
	int		fail_fd;
	unsigned int	nr;
	struct fz_call	call;
};

static struct helper helpers[FZ_HELPERS];
static struct fz_env env;
static int fail_fd = -1, netns_fd, first_fd;
static char wrong[160];
static struct rlimit files_before;
static bool verbose_run;
static __thread bool failing;	/* a fault was asked for */

static long futex(atomic_int *at, int op, int val, const struct timespec *limit)
{
	return syscall(SYS_futex, at, op, val, limit, NULL, 0);
}

int fz_fd(struct fz_env *e, const struct fz_arg *arg)
{
	return arg->v >= 0 && arg->v < FZ_SLOTS ? e->slot[arg->v] : -1;
}

/* What the slot had stays open until the end, where all goes. */
void fz_slot_set(struct fz_env *e, int slot, int fd)
{
	if (slot >= 0 && slot < FZ_SLOTS)
		e->slot[slot] = fd;
}

static int fail_open(void)
{
	return open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);
}

static bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return done;
}

/* The nth that this thread makes from now on fails; 0: none. */
bool fz_fail_set(int fd, unsigned int nth)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", nth);

	return pwrite(fd, text, n, 0) == n;
}

/* Whether only what the module allocates counts; false: that cannot be had. */
bool fz_faults_of_module(bool only)
{
	static const char *const dir[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char path[128], from[32] = "0", to[32] = "0xffffffffffffffff";
	bool all = true;
	FILE *f = NULL;
	unsigned long base;

	if (only) {
		f = fopen("/sys/module/rill/sections/.text", "r");
		if (!f || fscanf(f, "%lx", &base) != 1)
			base = 0;
		if (f)
			fclose(f);
		if (!base)
			return false;
		snprintf(from, sizeof(from), "%#lx", base);
		snprintf(to, sizeof(to), "%#lx", base + FZ_TEXT_MAX);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(dir); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/require-start", dir[i]);
		all = write_to(path, from) && all;
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/require-end", dir[i]);
		all = write_to(path, to) && all;
	}
	return all;
}

/* What no call may return, whatever it was given. */
static void check(const struct fz_call *c, long ret)
{
	const struct fz_desc *d = &fz_descs[c->op];
	bool impossible = ret < -133;

	if (ret > 0 && d->arg[1].kind == FZ_BUF && d->arg[2].kind == FZ_FLAGS &&
	    d->arg[2].set == &fz_set_msg && !(c->arg[2].v & MSG_TRUNC))
		impossible = c->arg[1].it[0].a >= 0 && ret > c->arg[1].it[0].a;
	if (impossible && !*wrong) {
		int n = snprintf(wrong, sizeof(wrong), "returned %ld: ", ret);

		fz_print_call(c, wrong + n, sizeof(wrong) - n);
	}
}

static void make(const struct fz_call *c, int fail)
{
	char text[512];
	long ret;

	if (fz_may_not_fail(c))
		fail = -1;
	if (c->fail && fail >= 0) {
		failing = true;
		fz_fail_set(fail, c->fail);
	}
	errno = 0;
	ret = fz_descs[c->op].fn(&env, c);
	if (c->fail && fail >= 0) {
		fz_fail_set(fail, 0);
		failing = false;
	}
	check(c, ret);
	if (verbose_run) {
		fz_print_call(c, text, sizeof(text));
		if (ret < 0)
			printf("# %-60s -> %s\n", text, strerrorname_np(-ret) ?: "?");
		else
			printf("# %-60s -> %ld\n", text, ret);
		fflush(stdout);
	}
}

/* The first thread and one helper run on different CPUs, the rest anywhere. */
static void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *helper_main(void *arg)
{
	struct helper *h = arg;

	if (!h->nr)
		pin(1);

	h->fail_fd = fail_open();
	fz_cover_thread(1 + h->nr);
	h->tid = syscall(SYS_gettid);
	for (;;) {
		h->busy = 0;
		futex(&h->busy, FUTEX_WAKE_PRIVATE, 1, NULL);
		while (!h->busy)
			futex(&h->busy, FUTEX_WAIT_PRIVATE, 0, NULL);
		make(&h->call, h->fail_fd);
	}
	return NULL;
}

static struct helper *helper_free(void)
{
	for (int i = 0; i < FZ_HELPERS; i++)
		if (!helpers[i].busy)
			return &helpers[i];
	return NULL;
}

static void by_helper(const struct fz_call *c, bool wait)
{
	const struct timespec limit = { .tv_nsec = ASYNC_NSEC };
	struct helper *h = helper_free();

	if (!h) {
		make(c, fail_fd);
		return;
	}
	h->call = *c;
	h->busy = 1;
	futex(&h->busy, FUTEX_WAKE_PRIVATE, 1, NULL);
	if (wait)
		futex(&h->busy, FUTEX_WAIT_PRIVATE, 1, &limit);
}

static void tick(void)
{
	struct itimerval t = {
		.it_interval.tv_usec = TICK_USEC, .it_value.tv_usec = TICK_USEC,
	};

	setitimer(ITIMER_REAL, &t, NULL);
}

static void by_child(const struct fz_call *c)
{
	pid_t pid = fork();

	if (!pid) {
		tick();
		fz_cover_child();
		make(c, c->fail ? fail_open() : -1);
		fz_cover_child_end();
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* The helpers come back from whatever they are in.  False: one does not. */
static bool helpers_stop(void)
{
	const struct timespec limit = { .tv_nsec = ASYNC_NSEC };
	bool all = true;

	for (int i = 0; i < FZ_HELPERS; i++) {
		struct helper *h = &helpers[i];

		for (int n = 0; h->busy && n < (env.lingers ? STOP_TRIES / 20 : STOP_TRIES); n++) {
			syscall(SYS_tgkill, getpid(), h->tid, SIGUSR1);
			futex(&h->busy, FUTEX_WAIT_PRIVATE, 1, &limit);
		}
		all = all && !h->busy;
	}
	return all;
}

static void setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, value, strlen(value)) < 0)
			perror(path);
		close(fd);
	}
}

static void put_back(void)
{
	const struct linger none = {};
	gid_t root = 0;

	if (env.ids) {
		syscall(SYS_setresuid, 0, 0, 0);
		syscall(SYS_setresgid, -1, 0, -1);
		syscall(SYS_setgroups, 1, &root);
	}
	umask(022);
	if (env.lingers)
		for (int fd = first_fd; fd < first_fd + 64; fd++)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	syscall(SYS_close_range, first_fd, ~0U, 0);
	if (env.netns && setns(netns_fd, CLONE_NEWNET))
		_exit(3);
	if (env.limited)
		setrlimit(RLIMIT_NOFILE, &files_before);
	if (env.leaves & FZ_LEAVES_TRACE)
		fz_trace_back();
	if (env.leaves & FZ_LEAVES_SYSCTL) {
		setting("/proc/sys/net/rill/max_waiting", "4096");
		setting("/proc/sys/net/rill/busy_poll_us", "50");
		setting("/proc/sys/net/rill/max_busy_poll_us", "200");
	}
	tick();
}

void fz_run(const struct fz_prog *prog, struct fz_verdict *verdict, bool verbose)
{
	memset(&env, 0, sizeof(env));
	for (int i = 0; i < FZ_SLOTS; i++)
		env.slot[i] = -1;
	*wrong = '\0';
	verbose_run = verbose;
	fz_cover_begin();

	for (unsigned int i = 0; i < prog->n; i++) {
		const struct fz_call *c = &prog->call[i];
		enum fz_mode mode = c->mode;

		env.leaves |= fz_descs[c->op].leaves;
		if (fz_descs[c->op].first && mode != FZ_FORK)
			mode = FZ_HERE;
		else if (env.lingers && fz_descs[c->op].closes && mode == FZ_HERE)
			mode = FZ_ASYNC;	/* no signal ends that */
		if (mode == FZ_FORK)
			by_child(c);
		else if (mode == FZ_HERE)
			make(c, fail_fd);
		else
			by_helper(c, mode == FZ_ASYNC);
	}
	verdict->calls = prog->n;
	verdict->stuck = !helpers_stop();
	put_back();
	fz_cover_end();
	memcpy(verdict->wrong, wrong, sizeof(wrong));
}

static void nothing(int sig)
{
	(void)sig;
}

/*
 * A fault of the fuzzer's own: say where.  But the copy that failed on request
 * may have been that of a signal's frame, which only ends the process.
 */
static void fault(int sig, siginfo_t *info, void *ctx)
{
	(void)ctx;
	if (failing)
		_exit(0);
	dprintf(1, "# signal %d at address %p\n", sig, info->si_addr);
	_exit(4);
}

int fz_run_init(void)
{
	struct sigaction bad = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO };
	static const int sent[] = { SIGUSR2, SIGPIPE, SIGIO, SIGURG };
	struct sigaction act = { .sa_handler = nothing };	/* no SA_RESTART */
	sigset_t set;

	sigaction(SIGALRM, &act, NULL);
	sigaction(SIGUSR1, &act, NULL);
	/* Those that sockets send are sent, and stay pending. */
	sigemptyset(&set);
	for (unsigned int i = 0; i < ARRAY_SIZE(sent); i++)
		sigaddset(&set, sent[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	getrlimit(RLIMIT_NOFILE, &files_before);
	sigaction(SIGSEGV, &bad, NULL);
	sigaction(SIGBUS, &bad, NULL);
	if (fz_mem_init())
		return -1;
	fz_trace_back();
	netns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	fail_fd = fail_open();
	fz_cover_thread(0);

	/* The timer is for the first thread. */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (unsigned int i = 0; i < FZ_HELPERS; i++) {
		struct helper *h = &helpers[i];

		h->nr = i;
		h->busy = 1;
		if (pthread_create(&h->thread, NULL, helper_main, h))
			return -1;
		while (h->busy)
			futex(&h->busy, FUTEX_WAIT_PRIVATE, 1, NULL);
	}
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	pin(0);
	first_fd = open("/dev/null", O_RDONLY);
	if (first_fd < 0)
		return -1;
	close(first_fd);
	tick();
	return 0;
}
