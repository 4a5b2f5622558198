/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For run_test: sockets of every kind made as programs make them, and looked at
 * by raw system calls, which pass no library.
 */
#ifndef RILL_TESTS_RUN_TEST_H
#define RILL_TESTS_RUN_TEST_H

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <syslog.h>
#include <sys/uio.h>
#include <time.h>

#include <rill/rill.h>
#include <linux/rill.h>

#include "tap.h"

#define NOBODY	65534
#define WAIT_MS	30000

enum { PATH, ABSTRACT, TCP4, TCP6, ANY4, ANY6 };

extern int family;

/* The parts of the test, each in its file. */
extern const struct tap_case how_cases[], wait_cases[], pass_cases[], ask_cases[], data_cases[];
extern const struct tap_case found_cases[];
extern const size_t how_count, wait_count, pass_count, ask_count, data_count, found_count;

/* What this program does when it is started as "run_test --as WORD [ARGUMENT...]". */
int how_main(const char *word, char **args);
int pass_main(const char *word, char **args);
int found_main(const char *word, char **args);

/* Becomes "rill run OPTION... -- run_test ARGUMENT...", with nothing inherited from ours. */
void exec_rill(char *const *options, char *const *args);
/* As exec_rill(), with another command; none: the options alone. */
void exec_rill_command(char *const *options, char *const *command);
long counted(const char *word);

static inline int raw_domain(int fd)
{
	int domain = -1;
	socklen_t len = sizeof(domain);

	syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	return domain;
}

/*
 * Does this thread, or process, sleep in a call that waits for a socket?  Which one
 * it is, is the library's business.
 */
static inline bool sleeps(pid_t tid)
{
	static const long calls[] = {
		SYS_accept, SYS_accept4, SYS_connect, SYS_poll, SYS_ppoll, SYS_recvfrom,
		SYS_recvmsg, SYS_sendmsg, SYS_sendto,
	};
	char path[64], line[512] = "", *end, state;
	long nr;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	end = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	state = end && end[1] ? end[2] : 0;
	fclose(f);
	if (state != 'S')
		return false;
	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	line[0] = '\0';
	nr = fgets(line, sizeof(line), f) ? strtol(line, &end, 10) : -1;
	fclose(f);
	for (size_t i = 0; i < TAP_COUNT(calls); i++)
		if (nr == calls[i] && end != line)
			return true;
	return false;
}

/* Wait until a child sleeps there. */
static inline void asleep(pid_t pid)
{
	for (int ms = 0; !sleeps(pid); ms++) {
		CHECK(ms < WAIT_MS && !kill(pid, 0));
		usleep(1000);
	}
}

/* The only other thread of this process, or 0. */
static inline pid_t other_thread(void)
{
	DIR *tasks = opendir("/proc/self/task");
	pid_t self = syscall(SYS_gettid), tid = 0;
	struct dirent *d;

	CHECK(tasks);
	while ((d = readdir(tasks)))
		if (atoi(d->d_name) && atoi(d->d_name) != self)
			tid = atoi(d->d_name);
	closedir(tasks);
	return tid;
}

/*
 * Wait until it sleeps there.  Asked for anew each time: a thread that was joined
 * before may still be seen for a moment.
 */
static inline void other_asleep(void)
{
	pid_t tid;

	for (int ms = 0; !(tid = other_thread()) || !sleeps(tid); ms++) {
		CHECK(ms < WAIT_MS);
		usleep(1000);
	}
}

/* A child with other rights, whose checks count. */
static inline pid_t as_nobody(void)
{
	pid_t pid = fork();

	if (!pid && (syscall(SYS_setgroups, 0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
		     setresuid(NOBODY, NOBODY, NOBODY)))
		_exit(1);
	return pid;
}

static inline int name_bind(const char *name, int type)
{
	struct sockaddr_rill addr = { .srl_family = family };
	int fd = syscall(SYS_socket, family, type, 0);

	strcpy(addr.srl_name, name);
	return syscall(SYS_bind, fd, &addr, sizeof(addr)) ? -1 : fd;
}

static inline int side_of(void)
{
	for (int fd = 100; fd < 1024; fd++)
		if (raw_domain(fd) == family)
			return fd;
	return -1;
}

static inline int side_last(void)
{
	for (int fd = 1023; fd >= 100; fd--)
		if (raw_domain(fd) == family)
			return fd;
	return -1;
}

static inline int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) ? -1 : value;
}

static inline void readable(int fd, bool yes)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	CHECK(poll(&pfd, 1, yes ? WAIT_MS : 0) == yes);
}

/* The name that the kernel knows one end by. */
static inline const char *raw_name(int fd, bool peer)
{
	static struct sockaddr_rill addr;
	socklen_t len = sizeof(addr);

	memset(&addr, 0, sizeof(addr));
	return syscall(peer ? SYS_getpeername : SYS_getsockname, fd, &addr, &len) ? "" :
	       addr.srl_name;
}

/* Both ends of a connection talk to each other. */
static inline void talk(int a, int b)
{
	char buf[8] = "";

	CHECK(write(a, "ping", 4) == 4);
	CHECK(read(b, buf, 4) == 4 && !memcmp(buf, "ping", 4));
	CHECK(write(b, "pong", 4) == 4);
	CHECK(read(a, buf, 4) == 4 && !memcmp(buf, "pong", 4));
}

struct address {
	union {
		struct sockaddr		sa;
		struct sockaddr_un	un;
		struct sockaddr_in	in;
		struct sockaddr_in6	in6;
		struct sockaddr_storage	ss;
	};
	socklen_t len;
};

static inline void address(struct address *a, int kind)
{
	memset(a, 0, sizeof(*a));
	switch (kind) {
	case PATH:
		a->un.sun_family = AF_UNIX;
		a->len = sizeof(a->un);
		snprintf(a->un.sun_path, sizeof(a->un.sun_path), "/tmp/run_test-%d", getpid());
		unlink(a->un.sun_path);
		break;
	case ABSTRACT:
		a->un.sun_family = AF_UNIX;
		a->len = offsetof(struct sockaddr_un, sun_path) + 1 +
			 sprintf(a->un.sun_path + 1, "run_test-%d", getpid());
		break;
	case TCP4:
	case ANY4:
		a->in.sin_family = AF_INET;
		a->len = sizeof(a->in);
		a->in.sin_addr.s_addr = htonl(kind == TCP4 ? INADDR_LOOPBACK : INADDR_ANY);
		break;
	default:
		a->in6.sin6_family = AF_INET6;
		a->len = sizeof(a->in6);
		a->in6.sin6_addr = kind == TCP6 ? in6addr_loopback : in6addr_any;
	}
}

/* A bound socket; a gets its address, with the port that the kernel chose. */
static inline int bound(int kind, int type, struct address *a)
{
	int fd;

	address(a, kind);
	fd = socket(a->sa.sa_family, type, 0);
	CHECK(fd >= 0);
	CHECK(bind(fd, &a->sa, a->len) == 0);
	a->len = sizeof(a->ss);
	CHECK(getsockname(fd, &a->sa, &a->len) == 0);
	/* Where a client goes. */
	if (kind == ANY4)
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (kind == ANY6)
		a->in6.sin6_addr = in6addr_loopback;
	return fd;
}

static inline int listener(int kind, int type, struct address *a)
{
	int fd = bound(kind, type, a);

	CHECK(listen(fd, 8) == 0);
	return fd;
}

static inline int client(int type, const struct address *a)
{
	int fd = socket(a->sa.sa_family, type, 0);

	CHECK(fd >= 0);
	CHECK(connect(fd, &a->sa, a->len) == 0);
	return fd;
}

/* One that knows nothing of us. */
static inline int raw_client(int type, const struct address *a)
{
	int fd = syscall(SYS_socket, a->sa.sa_family, type, 0);

	CHECK(fd >= 0);
	CHECK(syscall(SYS_connect, fd, &a->sa, a->len) == 0);
	return fd;
}

#endif
