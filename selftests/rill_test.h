/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test programs of AF_RILL share.
 *
 * Errors: the helpers that tests build upon (rt_socket(), rt_listener(),
 * rt_pair()) return a negative errno and never assert, so that threads and
 * child processes may call them too: an ASSERT in a thread would longjmp() to
 * another stack.  SYS() gives any system call the same form.
 *
 * Time: nothing here sleeps in place of synchronising.  Helpers poll a
 * condition, at most RT_WAIT_MS long, and say whether it came true.
 */
#ifndef RILL_TEST_H
#define RILL_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/rill.h>
#include <linux/sockios.h>

/*
 * By how much longer to wait for the same: scripts/vm says it of debug kernels,
 * which are slower.
 */
static inline int rt_time_scale(void)
{
	const char *text = getenv("RILL_TIME_SCALE");
	int scale = text ? atoi(text) : 1;

	return scale >= 1 && scale <= 100 ? scale : 1;
}

/* It defines functions: for one source file of a program only. */
#ifndef RILL_TEST_NO_HARNESS
/* It has one time limit of a test and no knob: its alarm() is the place. */
#define alarm(seconds)	alarm((seconds) * rt_time_scale())
#include <kselftest_harness.h>
#undef alarm
#include "rill_test_only.h"

/* The harness has one of the two, by its release. */
static inline bool rt_failed(struct __test_metadata *t)
{
#ifdef __INC_STEP
	return !t->passed;
#else
	return !__test_passed(t);
#endif
}

static inline void rt_skip(struct __test_metadata *_metadata, const char *why)
{
	SKIP(return, "%s", why);
}

/* The harness's makes a pass of a test that has failed by then: here it stays failed. */
#undef SKIP
#define SKIP(statement, fmt, ...) do {					\
	char __why[256];						\
									\
	snprintf(__why, sizeof(__why), fmt, ##__VA_ARGS__);		\
	if (rt_failed(_metadata))					\
		TH_LOG("not skipped, as it has failed: %s", __why);	\
	else								\
		rt_skip(_metadata, __why);				\
	_metadata->trigger = 0;						\
	statement;							\
} while (0)
#endif

/* The bound of every wait: far above what emulation needs, below the harness's 30 s. */
#define RT_WAIT_MS	(20000 * rt_time_scale())

/*
 * A time-out counts ticks from the middle of one: it may be that much short, and
 * what was measured another millisecond, as the clock here counts whole ones.
 */
#define RT_TICK_MS	11

/* The result of a system call, or the negative errno. */
#define SYS(call) ({					\
	long __sys_ret;					\
							\
	errno = 0;					\
	__sys_ret = (long)(call);			\
	__sys_ret == -1 ? (long)-errno : __sys_ret;	\
})

/* Which family a variant tests; AF_UNIX is the control. */
enum rt_family {
	RT_RILL,
	RT_UNIX,
};

struct rt_addr {
	union {
		struct sockaddr		sa;
		struct sockaddr_rill	rill;
		struct sockaddr_un	un;
		struct sockaddr_storage	ss;
	};
	socklen_t len;
};

/*
 * The number in use.  Without the module this is -1, with which socket() says
 * EAFNOSUPPORT: a missing module is a failure of every test of the family.
 */
static inline int rt_rill_family(void)
{
	static int family = -2;
	char buf[16] = "";
	ssize_t n;
	int fd;

	if (family != -2)
		return family;
	family = -1;
	fd = open(RILL_FAMILY_PATH, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return family;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n > 0)
		family = atoi(buf);
	return family;
}

static inline int rt_af(enum rt_family family)
{
	return family == RT_RILL ? rt_rill_family() : AF_UNIX;
}

static inline long long rt_clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/*
 * The clock of ticks, as time-outs have it: in an emulated machine that had to wait
 * for its host several come at once, and a time-out that began before is short by
 * as many on any other.
 */
static inline long long rt_now_ms(void)
{
	return rt_clock_ms(CLOCK_MONOTONIC_COARSE);
}

/*
 * Whether something lasted as long as it had to.  The kernel advances the jiffies, and
 * only then the clock of ticks: a time-out on another CPU may be over in between, by
 * several ticks at once.  Then the exact clock says how long it was.  A time-out is
 * too short if it is by both.
 */
struct rt_watch {
	long long	ticks, exact;
};

static inline struct rt_watch rt_watch_start(void)
{
	return (struct rt_watch){
		.ticks = rt_clock_ms(CLOCK_MONOTONIC_COARSE),
		.exact = rt_clock_ms(CLOCK_MONOTONIC),
	};
}

static inline long long rt_watch_ms(const struct rt_watch *w)
{
	long long ticks = rt_clock_ms(CLOCK_MONOTONIC_COARSE) - w->ticks;
	long long exact = rt_clock_ms(CLOCK_MONOTONIC) - w->exact;

	return ticks > exact ? ticks : exact;
}

/* A step of a bounded polling loop. */
static inline void rt_pause(void)
{
	struct timespec ts = { .tv_nsec = 1000000 };

	nanosleep(&ts, NULL);
}

/* Waits, bounded, until an expression is true; its value at the end. */
#define RT_UNTIL(cond) ({						\
	long long __until_end = rt_now_ms() + RT_WAIT_MS;		\
	bool __until_ok;						\
									\
	while (!(__until_ok = !!(cond)) && rt_now_ms() < __until_end)	\
		rt_pause();						\
	__until_ok;							\
})

/* ---- addresses --------------------------------------------------------- */

/* The address of a name: an abstract one for AF_UNIX. */
static inline struct rt_addr rt_addr(enum rt_family family, const char *name)
{
	size_t len = strlen(name);
	struct rt_addr a;

	memset(&a, 0, sizeof(a));
	if (family == RT_RILL) {
		if (len > RILL_NAME_SIZE)
			len = RILL_NAME_SIZE;
		a.rill.srl_family = (__kernel_sa_family_t)rt_rill_family();
		memcpy(a.rill.srl_name, name, len);
		a.len = offsetof(struct sockaddr_rill, srl_name) + len;
	} else {
		if (len > sizeof(a.un.sun_path) - 1)
			len = sizeof(a.un.sun_path) - 1;
		a.un.sun_family = AF_UNIX;
		memcpy(a.un.sun_path + 1, name, len);
		a.len = offsetof(struct sockaddr_un, sun_path) + 1 + len;
	}
	return a;
}

/* Did getsockname(), getpeername(), accept() or recvfrom() give this address? */
static inline bool rt_same_addr(enum rt_family family, const struct rt_addr *a,
				const struct rt_addr *seen)
{
	size_t off = offsetof(struct sockaddr_rill, srl_name);

	if (family == RT_UNIX)
		return seen->len == a->len && !memcmp(&a->un, &seen->un, a->len);
	/* What the kernel gives out ends in a NUL, which counts. */
	return seen->len == off + strlen(a->rill.srl_name) + 1 &&
	       a->rill.srl_family == seen->rill.srl_family &&
	       !seen->rill.srl_flags &&
	       !strcmp(a->rill.srl_name, seen->rill.srl_name);
}

/* A name that nobody else has: of this process, the next one. */
static inline const char *rt_name(void)
{
	static __thread char name[64];
	static atomic_uint n;

	snprintf(name, sizeof(name), "selftest/%d/%u", getpid(),
		 atomic_fetch_add(&n, 1));
	return name;
}

static inline struct rt_addr rt_new_addr(enum rt_family family)
{
	return rt_addr(family, rt_name());
}

/* ---- sockets: a file descriptor, 0 or a negative errno -------------------- */

/* type may carry SOCK_NONBLOCK and SOCK_CLOEXEC. */
static inline int rt_socket(enum rt_family family, int type)
{
	return SYS(socket(rt_af(family), type, 0));
}

static inline int rt_bind(int fd, const struct rt_addr *a)
{
	return SYS(bind(fd, &a->sa, a->len));
}

static inline int rt_connect(int fd, const struct rt_addr *a)
{
	return SYS(connect(fd, &a->sa, a->len));
}

/* AF_UNSPEC: leaves the line, dissolves an association. */
static inline int rt_disconnect(int fd)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };

	return SYS(connect(fd, &sa, sizeof(sa)));
}

/* A bound socket; *a gets its new name, unless it holds one already. */
static inline int rt_bound(enum rt_family family, int type, struct rt_addr *a)
{
	int fd = rt_socket(family, type);
	int err;

	if (fd < 0)
		return fd;
	if (!a->len)
		*a = rt_new_addr(family);
	err = rt_bind(fd, a);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static inline int rt_listener(enum rt_family family, int type, int backlog,
			      struct rt_addr *a)
{
	int fd = rt_bound(family, type, a);
	int err;

	if (fd < 0)
		return fd;
	err = SYS(listen(fd, backlog));
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* A new socket connected to a: flags in type apply to the connect. */
static inline int rt_client(enum rt_family family, int type,
			    const struct rt_addr *a)
{
	int fd = rt_socket(family, type);
	int err;

	if (fd < 0)
		return fd;
	err = rt_connect(fd, a);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/*
 * Two ends that talk to each other, made with bind(), connect() and accept():
 * fd[0] connected, fd[1] accepted (SOCK_DGRAM: both bound, both connected).
 */
static inline int rt_pair(enum rt_family family, int type, int fd[2])
{
	int base = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct rt_addr a = { .len = 0 }, b = { .len = 0 };
	int err, lfd;

	fd[0] = -1;
	fd[1] = -1;
	if (base == SOCK_DGRAM) {
		fd[0] = rt_bound(family, type, &a);
		if (fd[0] < 0)
			return fd[0];
		fd[1] = rt_bound(family, type, &b);
		err = fd[1];
		if (err >= 0)
			err = rt_connect(fd[0], &b);
		if (!err)
			err = rt_connect(fd[1], &a);
		goto out;
	}
	lfd = rt_listener(family, base, 1, &a);
	if (lfd < 0)
		return lfd;
	fd[0] = rt_client(family, type, &a);
	err = fd[0];
	if (err >= 0) {
		fd[1] = SYS(accept4(lfd, NULL, NULL,
				    type & (SOCK_NONBLOCK | SOCK_CLOEXEC)));
		err = fd[1] < 0 ? fd[1] : 0;
	}
	close(lfd);
out:
	if (err) {
		if (fd[0] >= 0)
			close(fd[0]);
		if (fd[1] >= 0)
			close(fd[1]);
		fd[0] = -1;
		fd[1] = -1;
	}
	return err;
}

static inline int rt_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return SYS(fcntl(fd, F_SETFL, flags));
}

/* Is the running kernel this one or later? */
static inline bool rt_kernel_is(unsigned int major, unsigned int minor)
{
	unsigned int a = 0, b = 0;
	struct utsname un;

	return !uname(&un) && sscanf(un.release, "%u.%u", &a, &b) == 2 &&
	       (a > major || (a == major && b >= minor));
}

static inline int rt_set_int(int fd, int level, int opt, int val)
{
	return SYS(setsockopt(fd, level, opt, &val, sizeof(val)));
}

/* The option's value, or a negative errno (for options that are never negative). */
static inline int rt_get_int(int fd, int level, int opt)
{
	socklen_t len = sizeof(int);
	int val = 0;

	if (getsockopt(fd, level, opt, &val, &len))
		return -errno;
	return val;
}

/* opt: SO_RCVTIMEO or SO_SNDTIMEO. */
static inline int rt_set_timeo(int fd, int opt, int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	return SYS(setsockopt(fd, SOL_SOCKET, opt, &tv, sizeof(tv)));
}

static inline int rt_set_linger(int fd, int on, int seconds)
{
	struct linger l = { .l_onoff = on, .l_linger = seconds };

	return SYS(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
}

/* SO_ERROR as a positive errno: reading it clears it. */
static inline int rt_so_error(int fd)
{
	return rt_get_int(fd, SOL_SOCKET, SO_ERROR);
}

/* How many bytes a ring of this pair holds, as SPEC promises it. */
static inline long rt_capacity(int sender, int receiver)
{
	long snd = rt_get_int(sender, SOL_SOCKET, SO_SNDBUF);
	long rcv = rt_get_int(receiver, SOL_SOCKET, SO_RCVBUF);
	long cap = snd < rcv ? snd : rcv;
	long page = sysconf(_SC_PAGESIZE);

	return cap > page ? cap : page;
}

/* ---- poll ---------------------------------------------------------------- */

/* The events that hold now. */
static inline int rt_events(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, 0);

	return n < 0 ? -errno : n ? (unsigned short)p.revents : 0;
}

/* Waits, bounded, for one of the events: what holds then, 0 is a time-out. */
static inline int rt_poll(int fd, short events)
{
	long long end = rt_now_ms() + RT_WAIT_MS;
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do {
		long long left = end - rt_now_ms();

		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? (unsigned short)p.revents : 0;
}

/* accept4(), but never longer than the bound: a descriptor or a negative errno. */
static inline int rt_accept(int lfd, int flags)
{
	int events = rt_poll(lfd, POLLIN);

	if (events <= 0)
		return events ? events : -ETIMEDOUT;
	return SYS(accept4(lfd, NULL, NULL, flags));
}

/* ---- whole buffers ------------------------------------------------------- */

/* Sends all, waiting where it must: 0 or a negative errno. */
static inline int rt_send_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (!rt_poll(fd, POLLOUT))
				return -ETIMEDOUT;
			continue;
		}
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

/* Receives exactly len: 0, -ENODATA at an early end, or a negative errno. */
static inline int rt_recv_all(int fd, void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = recv(fd, p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (!rt_poll(fd, POLLIN))
				return -ETIMEDOUT;
			continue;
		}
		if (n < 0)
			return -errno;
		if (!n)
			return -ENODATA;
		p += n;
		len -= n;
	}
	return 0;
}

/*
 * Sends until there is no room, of a stream not for a single byte: the number of
 * bytes, or a negative errno.
 */
static inline long rt_fill(int fd, size_t chunk)
{
	bool stream = rt_get_int(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
	long total = 0;
	char *buf = calloc(1, chunk);

	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t n = send(fd, buf, chunk, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			total += n;
			continue;
		}
		if (errno == EAGAIN && stream && chunk > 1) {
			chunk /= 2;
			continue;
		}
		if (errno != EAGAIN)
			total = -errno;
		break;
	}
	free(buf);
	return total;
}

/* Receives until there is nothing: the number of bytes, or a negative errno. */
static inline long rt_drain(int fd, size_t chunk)
{
	long total = 0;
	char *buf = malloc(chunk);

	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t n = recv(fd, buf, chunk, MSG_DONTWAIT);

		if (n > 0) {
			total += n;
			continue;
		}
		if (n < 0 && errno != EAGAIN)
			total = -errno;
		break;
	}
	free(buf);
	return total;
}

/* ---- who sleeps -------------------------------------------------------------- */

static inline pid_t rt_gettid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static inline ssize_t rt_read_file(const char *path, char *buf, size_t size)
{
	ssize_t n, total = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((size_t)total < size - 1) {
		n = read(fd, buf + total, size - 1 - total);
		if (n <= 0)
			break;
		total += n;
	}
	close(fd);
	buf[total] = '\0';
	return total;
}

static inline int rt_write_file(const char *path, const char *text)
{
	int fd, err = 0;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

/* The state letter of a thread or process: 0 if it is gone. */
static inline char rt_task_state(pid_t tid)
{
	char path[64], buf[512], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	if (rt_read_file(path, buf, sizeof(buf)) <= 0)
		return 0;
	p = strrchr(buf, ')');
	return p && p[1] == ' ' ? p[2] : 0;
}

/* Does this thread sleep inside that system call (nr -1: any)? */
static inline bool rt_sleeps_in(pid_t tid, long nr)
{
	char path[64], buf[512], *end, state = rt_task_state(tid);
	long seen;

	/* A lingering close() is killable only, which shows as D; shutdown() too. */
	if (state != 'S' && !(state == 'D' && (nr == SYS_close || nr == SYS_shutdown)))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	/* Not readable without ptrace rights: the state alone must do. */
	if (nr < 0 || rt_read_file(path, buf, sizeof(buf)) <= 0)
		return true;
	seen = strtol(buf, &end, 10);
	return end != buf && seen == nr && rt_task_state(tid) == state;
}

/*
 * Waits until a thread (or another process) sleeps in the system call nr, such
 * as SYS_recvfrom (for recv()), SYS_sendto (for send()), SYS_accept.
 */
static inline bool rt_wait_sleeping(pid_t tid, long nr)
{
	return RT_UNTIL(rt_sleeps_in(tid, nr));
}

/*
 * Waits until a worker of io_uring's has got the work, and sleeps in it, or has left
 * it to a poll and sleeps for more: they are threads of this process.
 */
static inline bool rt_io_worker_sleeps(void)
{
	DIR *tasks = opendir("/proc/self/task");
	bool found = false;
	struct dirent *d;

	while (tasks && !found && (d = readdir(tasks))) {
		char path[64], comm[32];

		snprintf(path, sizeof(path), "/proc/self/task/%.10s/comm", d->d_name);
		found = rt_read_file(path, comm, sizeof(comm)) > 0 &&
			!strncmp(comm, "iou-wrk", 7) && rt_task_state(atoi(d->d_name)) == 'S';
	}
	if (tasks)
		closedir(tasks);
	return found;
}

/* ---- threads --------------------------------------------------------------- */

/*
 * A thread that runs one function; what it returned is in ret after
 * rt_thread_join().
 */
struct rt_thread {
	long		(*fn)(void *arg);
	void		*arg;
	long		ret;
	pthread_t	thread;
	bool		joined;
	atomic_int	tid;
};

static inline void *rt_thread_main(void *data)
{
	struct rt_thread *t = data;

	atomic_store(&t->tid, rt_gettid());
	t->ret = t->fn(t->arg);
	return NULL;
}

static inline int rt_thread_start(struct rt_thread *t, long (*fn)(void *),
				  void *arg)
{
	t->fn = fn;
	t->arg = arg;
	t->ret = -EINPROGRESS;
	t->joined = false;
	atomic_store(&t->tid, 0);
	return -pthread_create(&t->thread, NULL, rt_thread_main, t);
}

/* Waits until the thread sleeps in the system call nr. */
static inline bool rt_thread_sleeps(struct rt_thread *t, long nr)
{
	return RT_UNTIL(atomic_load(&t->tid) &&
			rt_sleeps_in(atomic_load(&t->tid), nr));
}

/* The thread ended within the bound; t->ret is what fn returned. */
static inline bool rt_thread_join(struct rt_thread *t)
{
	struct timespec ts;

	if (t->joined)
		return true;
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += RT_WAIT_MS / 1000;
	t->joined = !pthread_timedjoin_np(t->thread, NULL, &ts);
	return t->joined;
}

/* Has the thread ended?  If so it is joined; rt_thread_join() knows. */
static inline bool rt_thread_done(struct rt_thread *t)
{
	if (!t->joined)
		t->joined = !pthread_tryjoin_np(t->thread, NULL);
	return t->joined;
}

/*
 * One system call in a thread of its own, for the tests that need a sleeper.
 * nr says which; set what it takes, rt_call_start(), rt_call_sleeps(), do what
 * should wake it, rt_call_end().
 */
struct rt_call {
	struct rt_thread	t;
	long			nr;
	int			fd;
	const struct rt_addr	*addr;		/* connect, sendto */
	void			*buf;		/* recv, send */
	size_t			len;
	int			flags;		/* recv, send, accept4; shutdown's how */
	short			events;		/* ppoll */
	long			lasted_ms;	/* long enough for a time-out? */
	long			exact_ms;	/* of CLOCK_MONOTONIC */
};

static inline long rt_call_main(void *data)
{
	struct rt_call *c = data;
	struct pollfd p = { .fd = c->fd, .events = c->events };
	struct rt_watch watch = rt_watch_start();
	long ret = -EDOM;

	switch (c->nr) {
	case SYS_accept:
		ret = SYS(accept(c->fd, NULL, NULL));
		break;
	case SYS_accept4:
		ret = SYS(accept4(c->fd, NULL, NULL, c->flags));
		break;
	case SYS_close:
		ret = SYS(close(c->fd));
		break;
	case SYS_connect:
		ret = rt_connect(c->fd, c->addr);
		break;
	case SYS_ppoll:
		ret = SYS(ppoll(&p, 1, NULL, NULL));
		if (ret > 0)
			ret = (unsigned short)p.revents;
		break;
	case SYS_read:
		ret = SYS(read(c->fd, c->buf, c->len));
		break;
	case SYS_recvfrom:
		ret = SYS(recv(c->fd, c->buf, c->len, c->flags));
		break;
	case SYS_sendto:
		ret = SYS(sendto(c->fd, c->buf, c->len, c->flags,
				 c->addr ? &c->addr->sa : NULL,
				 c->addr ? c->addr->len : 0));
		break;
	case SYS_shutdown:
		ret = SYS(shutdown(c->fd, c->flags));
		break;
	case SYS_write:
		ret = SYS(write(c->fd, c->buf, c->len));
		break;
	}
	c->lasted_ms = rt_watch_ms(&watch);
	c->exact_ms = rt_clock_ms(CLOCK_MONOTONIC) - watch.exact;
	return ret;
}

static inline int rt_call_start(struct rt_call *c)
{
	return rt_thread_start(&c->t, rt_call_main, c);
}

/* The call has been entered, and sleeps. */
static inline bool rt_call_sleeps(struct rt_call *c)
{
	return rt_thread_sleeps(&c->t, c->nr);
}

/* Waits, bounded, for the call's result: -ETIME if it never returns. */
static inline long rt_call_end(struct rt_call *c)
{
	return rt_thread_join(&c->t) ? c->t.ret : -ETIME;
}

/* A handler that does nothing: the signal interrupts, SA_RESTART or not. */
static inline void rt_on_signal(int sig)
{
	(void)sig;
}

static inline int rt_catch(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = rt_on_signal, .sa_flags = flags };

	return SYS(sigaction(sig, &sa, NULL));
}

/* ---- processes -------------------------------------------------------------- */

/* fork(), and the child dies with the test: 0 in the child. */
static inline pid_t rt_fork(void)
{
	pid_t parent = getpid();
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	return 0;
}

/* Waits, bounded: the wait status, or a negative errno. */
static inline int rt_wait_child(pid_t pid)
{
	long long end = rt_now_ms() + RT_WAIT_MS;
	int status = 0;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got)
			return got < 0 ? -errno : status;
		if (rt_now_ms() >= end)
			return -ETIMEDOUT;
		rt_pause();
	}
}

/* ---- what the module shows ---------------------------------------------------- */

static inline unsigned long rt_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : (unsigned long)st.st_ino;
}

/* A line of /proc/net/rill_stat, or -1. */
static inline long long rt_counter(const char *name)
{
	char key[64], line[256];
	long long val, found = -1;
	FILE *f;

	f = fopen("/proc/thread-self/net/rill_stat", "re");
	if (!f)
		return -1;
	while (found < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %lld", key, &val) == 2 &&
		    !strcmp(key, name))
			found = val;
	}
	fclose(f);
	return found;
}

/* A line of /proc/net/rill. */
struct rt_proc {
	char		type[16];
	char		state[16];
	unsigned long	inode;
	unsigned long	peer;
	unsigned long	recvq;
	unsigned long	sendq;
	unsigned int	uid;
	char		name[RILL_NAME_SIZE];
};

static inline bool rt_proc_parse(const char *line, struct rt_proc *p)
{
	int pos = 0;

	memset(p, 0, sizeof(*p));
	if (sscanf(line, "%15s %15s %lu %lu %lu %lu %u %n", p->type, p->state,
		   &p->inode, &p->peer, &p->recvq, &p->sendq, &p->uid,
		   &pos) < 7 || !pos)
		return false;
	snprintf(p->name, sizeof(p->name), "%s", line + pos);
	p->name[strcspn(p->name, "\n")] = '\0';
	return true;
}

/* The line of the socket with this inode. */
static inline bool rt_proc_find(unsigned long inode, struct rt_proc *p)
{
	char line[512];
	bool found = false;
	FILE *f;

	f = fopen("/proc/thread-self/net/rill", "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = rt_proc_parse(line, p) && p->inode == inode;
	fclose(f);
	return found;
}

/* Waits until the socket is in a state, such as "CONNECTING". */
static inline bool rt_wait_state(int fd, const char *state)
{
	unsigned long inode = rt_inode(fd);
	struct rt_proc p;

	return RT_UNTIL(rt_proc_find(inode, &p) && !strcmp(p.state, state));
}

static inline int rt_queue(int fd, struct rill_queue *q)
{
	socklen_t len = sizeof(*q);

	return SYS(getsockopt(fd, SOL_RILL, RILL_QUEUE, q, &len));
}

/* A non-blocking socket of Rill's that stands in line, or a negative errno. */
static inline int rt_in_line(int type, const struct rt_addr *a)
{
	int fd = rt_socket(RT_RILL, type | SOCK_NONBLOCK);
	int err;

	if (fd < 0)
		return fd;
	err = rt_connect(fd, a);
	if (err == -EINPROGRESS)
		return fd;
	close(fd);
	return err ? err : -EISCONN;
}

/* Waits until this many connectors stand in the listener's line. */
static inline bool rt_wait_line(int lfd, unsigned int n)
{
	struct rill_queue q;

	return RT_UNTIL(!rt_queue(lfd, &q) && q.rq_waiting == n);
}

#endif /* RILL_TEST_H */
