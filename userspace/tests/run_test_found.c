// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a review of the library has found: each case failed before its mend.
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#include "run_test.h"

/*
 * Somebody keeps the name of a port of UDP that he has given up, and another user
 * has the port now: who keeps on sending is not his for long.
 */
static void given_up(int arg)
{
	int x, y, keep, c, ready[2], left[2], end[2], got = 0;
	struct address a;
	char byte;
	pid_t pid;

	(void)arg;
	if (geteuid())
		SKIP("needs root");
	CHECK(pipe(ready) == 0 && pipe(left) == 0 && pipe(end) == 0);
	pid = as_nobody();
	if (!pid) {
		x = bound(TCP4, SOCK_DGRAM, &a);
		keep = syscall(SYS_dup, side_of());
		CHECK(keep >= 0);
		CHECK(write(ready[1], &a, sizeof(a)) == sizeof(a));
		CHECK(recv(x, &byte, 1, 0) == 1 && counted("run_received_rill") == 1);
		close(x);
		CHECK(write(left[1], "x", 1) == 1);
		close(end[1]);
		_exit(read(end[0], &byte, 1) != 0);
	}
	CHECK(read(ready[0], &a, sizeof(a)) == sizeof(a));
	c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(sendto(c, "1", 1, 0, &a.sa, a.len) == 1);
	CHECK(read(left[0], &byte, 1) == 1);
	y = syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0);
	CHECK(syscall(SYS_bind, y, &a.sa, a.len) == 0);
	for (int i = 0; i < 25 && !got; i++) {
		CHECK(sendto(c, "2", 1, 0, &a.sa, a.len) == 1);
		got = syscall(SYS_recvfrom, y, &byte, 1, MSG_DONTWAIT, NULL, NULL) == 1;
		usleep(100000);
	}
	close(end[1]);
	tap_wait(pid);
	CHECK(got);
}

/*
 * A receiver that is connected to a peer without Rill hears nobody else.  0x100:
 * the stranger does not ask the library; he sends by the bare name.
 */
static void stranger(int arg)
{
	int kind = arg & 0xff, s, peer, x;
	struct address a, b = { 0 };
	char buf[8];

	s = bound(kind, SOCK_DGRAM, &a);
	/* A port that was chosen would go with the peer. */
	close(s);
	s = socket(a.sa.sa_family, SOCK_DGRAM, 0);
	CHECK(bind(s, &a.sa, a.len) == 0);
	if (kind == TCP4)
		address(&b, TCP4);
	else
		b = a, b.un.sun_path[1] = 'R';
	peer = syscall(SYS_socket, a.sa.sa_family, SOCK_DGRAM, 0);
	CHECK(syscall(SYS_bind, peer, &b.sa, b.len) == 0);
	CHECK(getsockname(peer, &b.sa, &b.len) == 0);
	CHECK(connect(s, &b.sa, b.len) == 0);
	if (arg & 0x100) {
		struct sockaddr_rill addr = { .srl_family = family };
		struct address c;

		/* His address is true. */
		x = bound(TCP4, SOCK_DGRAM, &c);
		x = syscall(SYS_dup, side_last());
		snprintf(addr.srl_name, sizeof(addr.srl_name), "user/%u/udp/127.0.0.1:%u",
			 geteuid(), ntohs(a.in.sin_port));
		CHECK(syscall(SYS_sendto, x, "evil", 4, 0, &addr, sizeof(addr)) == 4);
	} else {
		x = socket(a.sa.sa_family, SOCK_DGRAM, 0);
		sendto(x, "evil", 4, 0, &a.sa, a.len);
	}
	CHECK(recv(s, buf, sizeof(buf), MSG_DONTWAIT) == -1 && errno == EAGAIN);
	CHECK(syscall(SYS_sendto, peer, "peer", 4, 0, &a.sa, a.len) == 4);
	CHECK(recv(s, buf, sizeof(buf), 0) == 4 && !memcmp(buf, "peer", 4));
	/* Whoever it is, once it is not connected any more. */
	a.sa.sa_family = AF_UNSPEC;
	CHECK(connect(s, &a.sa, sizeof(a.sa)) == 0);
	a.sa.sa_family = b.sa.sa_family;
	x = socket(a.sa.sa_family, SOCK_DGRAM, 0);
	CHECK(sendto(x, "more", 4, 0, &a.sa, a.len) == 4);
	CHECK(recv(s, buf, sizeof(buf), 0) == 4 && !memcmp(buf, "more", 4));
}

/* A program that may not write files, or has no room for them, is counted nowhere. */
static void no_room(int full)
{
	struct rlimit limit = { 0 };
	struct address a;
	static char page[4096];
	char path[64];
	int fd, l, c;

	if (full) {
		if (geteuid())
			SKIP("needs root");
		CHECK(unshare(CLONE_NEWNS) == 0);
		CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 || errno == EINVAL);
		CHECK(mkdir("/run/user", 0755) == 0 || errno == EEXIST);
		CHECK(mount("none", "/run/user", "tmpfs", 0, "size=8k") == 0);
		snprintf(path, sizeof(path), "/run/user/%u", geteuid());
		CHECK(mkdir(path, 0700) == 0);
		strcat(path, "/rill");
		CHECK(mkdir(path, 0700) == 0);
		strcat(path, "/full");
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		CHECK(fd >= 0);
		while (write(fd, page, sizeof(page)) > 0)
			;
		CHECK(errno == ENOSPC);
	} else {
		CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	}
	l = listener(TCP4, SOCK_STREAM, &a);
	c = client(SOCK_STREAM, &a);
	CHECK(raw_domain(c) == family);
	talk(c, accept(l, NULL, NULL));
	CHECK(counted("run_accept_rill") == -1);
	exit(0);	/* which writes, too */
}

static int sides(void)
{
	int n = 0;

	for (int fd = 100; fd < 1024; fd++)
		n += raw_domain(fd) == family;
	return n;
}

static struct address race_to;
static pthread_barrier_t race_start;

static void *race_send(void *arg)
{
	pthread_barrier_wait(&race_start);
	CHECK(sendto(*(int *)arg, "x", 1, 0, &race_to.sa, race_to.len) == 1);
	return NULL;
}

/* The first datagrams of a socket, by threads at once: it has one side. */
static void race(int arg)
{
	int s = bound(TCP4, SOCK_DGRAM, &race_to), before = sides(), c;
	pthread_t threads[4];
	char byte;

	(void)arg;
	CHECK(before == 1);
	pthread_barrier_init(&race_start, NULL, 4);
	for (int i = 0; i < 100; i++) {
		c = socket(AF_INET, SOCK_DGRAM, 0);
		for (int j = 0; j < 4; j++)
			CHECK(!pthread_create(&threads[j], NULL, race_send, &c));
		for (int j = 0; j < 4; j++)
			CHECK(!pthread_join(threads[j], NULL));
		for (int j = 0; j < 4; j++)
			CHECK(recv(s, &byte, 1, 0) == 1);
		CHECK(sides() <= before + 1);
		close(c);
		CHECK(sides() == before);
	}
}

static void *log_blocked(void *arg)
{
	syslog(LOG_INFO, "blocked");
	return arg;
}

static void close_it(void *arg)
{
	close((long)arg);
}

static void *connect_blocked(void *arg)
{
	struct address *a = arg;
	int c = socket(AF_INET, SOCK_STREAM, 0);

	pthread_cleanup_push(close_it, (void *)(long)c);
	connect(c, &a->sa, a->len);
	pause();
	pthread_cleanup_pop(1);
	return NULL;
}

/* A thread that is cancelled in connect() or syslog() leaves nothing behind. */
static void cancelled_connect(int arg)
{
	struct address a;
	int l = bound(TCP4, SOCK_STREAM, &a), before = 0, after = 0;
	pthread_t thread;
	void *ret;

	(void)arg;
	CHECK(listen(l, 0) == 0);
	client(SOCK_STREAM, &a);
	for (int fd = 0; fd < 100; fd++)
		before += fcntl(fd, F_GETFD) >= 0;
	for (int i = 0; i < 8; i++) {
		CHECK(!pthread_create(&thread, NULL, connect_blocked, &a));
		/* Asleep, or on the way. */
		if (i & 1)
			other_asleep();
		CHECK(!pthread_cancel(thread) && !pthread_join(thread, &ret));
		CHECK(ret == PTHREAD_CANCELED);
	}
	for (int fd = 0; fd < 100; fd++)
		after += fcntl(fd, F_GETFD) >= 0;
	CHECK(before == after);
}

static void cancelled_syslog(int arg)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	char buf[8192];
	pthread_t thread;
	pid_t tid;
	void *ret;
	int s, c;

	(void)arg;
	if (!access("/dev/log", F_OK))
		SKIP("somebody has /dev/log");
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (bind(s, (struct sockaddr *)&un, sizeof(un)))
		SKIP("no /dev/log can be made");
	/* Until it is full: the next who logs must wait. */
	c = socket(AF_UNIX, SOCK_DGRAM, 0);
	while (sendto(c, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&un, sizeof(un)) == 1)
		;
	CHECK(!pthread_create(&thread, NULL, log_blocked, NULL));
	other_asleep();
	unlink(un.sun_path);
	CHECK(!pthread_cancel(thread));
	/* Who has the lock sleeps on; without it, as it should not be, it ends. */
	while ((tid = other_thread()) && !sleeps(tid))
		usleep(1000);
	while (recv(s, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	CHECK(!pthread_join(thread, &ret));
	/* Nobody holds the lock. */
	openlog("run_test", 0, LOG_USER);
	closelog();
}

/* The same socket twice in one list, for other events: each entry gets its own. */
static void poll_twice(int arg)
{
	struct address a;
	int s = bound(TCP4, SOCK_DGRAM, &a), c = socket(AF_INET, SOCK_DGRAM, 0);
	struct pollfd pfds[3] = { { .fd = s, .events = POLLPRI }, { .fd = s, .events = POLLIN },
				  { .fd = s, .events = POLLIN | POLLRDNORM } };

	(void)arg;
	CHECK(sendto(c, "x", 1, 0, &a.sa, a.len) == 1);
	CHECK(counted("run_sent_rill") == 1);
	CHECK(poll(pfds, 3, -1) == 2);
	CHECK(!pfds[0].revents && pfds[1].revents == POLLIN);
	CHECK(pfds[2].revents == (POLLIN | POLLRDNORM));
}

/* A number that dup() gave the socket before it listened, or was bound. */
static void dup_before(int type)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 7 }, got;
	int d, l, c, s, e = epoll_create1(0);
	struct address a;
	char byte;

	address(&a, TCP4);
	l = socket(AF_INET, type, 0);
	d = dup(l);
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, d, &ev) == 0);
	CHECK(bind(l, &a.sa, a.len) == 0);
	CHECK(type != SOCK_STREAM || listen(l, 8) == 0);
	CHECK(getsockname(l, &a.sa, &a.len) == 0);
	for (int i = 0; i < 2; i++) {
		if (type == SOCK_STREAM) {
			c = client(type, &a);
			CHECK(raw_domain(c) == family);
		} else {
			c = socket(AF_INET, type, 0);
			CHECK(sendto(c, "x", 1, 0, &a.sa, a.len) == 1);
		}
		CHECK(epoll_wait(e, &got, 1, WAIT_MS) == 1 && got.data.u64 == 7);
		readable(d, true);
		CHECK(!(fcntl(d, F_GETFL) & O_NONBLOCK));
		if (type == SOCK_STREAM) {
			s = accept(d, NULL, NULL);
			talk(c, s);
		} else {
			CHECK(recv(d, &byte, 1, 0) == 1);
		}
		if (!i)
			close(l);
	}
	CHECK(counted(type == SOCK_STREAM ? "run_accept_rill" : "run_received_rill") == 2);
	close(d);
	CHECK(type != SOCK_STREAM || side_of() < 0);
}

/* Bound before fork(), and every child listens. */
static void listen_each(int kind)
{
	struct address a;
	int l = bound(kind, SOCK_STREAM, &a), ready[2], c[3];
	pid_t pids[3];
	char byte;

	CHECK(pipe(ready) == 0);
	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		CHECK(listen(l, 8) == 0);
		CHECK(!(fcntl(l, F_GETFL) & O_NONBLOCK));
		CHECK(write(ready[1], "x", 1) == 1);
		c[0] = accept(l, NULL, NULL);
		CHECK(c[0] >= 0 && write(c[0], "y", 1) == 1);
		_exit(0);
	}
	for (int i = 0; i < 3; i++)
		CHECK(read(ready[0], &byte, 1) == 1);
	for (int i = 0; i < 3; i++)
		asleep(pids[i]);
	for (int i = 0; i < 3; i++) {
		c[i] = i ? raw_client(SOCK_STREAM, &a) : client(SOCK_STREAM, &a);
		CHECK(raw_domain(c[i]) == (i ? a.sa.sa_family : family));
		CHECK(read(c[i], &byte, 1) == 1 && byte == 'y');
	}
	for (int i = 0; i < 3; i++)
		tap_wait(pids[i]);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* The file is not made non-blocking for others who have it. */
static void dgram_blocks(int kind)
{
	struct address a;
	int s = bound(kind, SOCK_DGRAM, &a), c = socket(a.sa.sa_family, SOCK_DGRAM, 0), on = 1;
	char byte;

	CHECK(side_of() > 0);
	CHECK(!(syscall(SYS_fcntl, s, F_GETFL) & O_NONBLOCK));
	CHECK(ioctl(s, FIONBIO, &on) == 0 && fcntl(s, F_GETFL) & O_NONBLOCK);
	CHECK_ERR(recv(s, &byte, 1, 0), EAGAIN);
	CHECK(fcntl(s, F_SETFL, 0) == 0);
	CHECK_ERR(recv(s, &byte, 1, MSG_DONTWAIT), EAGAIN);
	CHECK(sendto(c, "x", 1, 0, &a.sa, a.len) == 1);
	CHECK(recv(s, &byte, 1, 0) == 1);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* Several who came after a chmod() that the side did not know of: none is let in. */
static void chmod_window(int arg)
{
	mode_t old = umask(0);
	struct address a;
	int l = listener(PATH, SOCK_STREAM, &a), ready[2], end[2], c;
	char byte;
	pid_t pid;

	(void)arg;
	umask(old);
	if (geteuid())
		SKIP("needs root");
	CHECK(pipe(ready) == 0 && pipe(end) == 0);
	CHECK(syscall(SYS_chmod, a.un.sun_path, 0700) == 0);
	pid = as_nobody();
	if (!pid) {
		struct sockaddr_rill addr = { .srl_family = family };
		struct stat st;

		CHECK(stat(a.un.sun_path, &st) == 0);
		snprintf(addr.srl_name, sizeof(addr.srl_name), "user/0/unix/%llx:%llx",
			 (long long)st.st_dev, (long long)st.st_ino);
		for (int i = 0; i < 4; i++) {
			c = syscall(SYS_socket, family, SOCK_STREAM, 0);
			CHECK(syscall(SYS_connect, c, &addr, sizeof(addr)) == 0);
		}
		CHECK(write(ready[1], "x", 1) == 1);
		close(end[1]);
		_exit(read(end[0], &byte, 1) != 0);
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	c = client(SOCK_STREAM, &a);
	CHECK(raw_domain(c) == family);
	/* Ours is the first and the last. */
	talk(c, accept(l, NULL, NULL));
	CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	close(end[1]);
	tap_wait(pid);
	unlink(a.un.sun_path);
}

/* A program started without the listener does not keep its name. */
static void orphan(int arg)
{
	char *const args[] = { "run_test", "--as", "orphan", NULL };
	posix_spawn_file_actions_t actions;
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a);
	pid_t pid;

	(void)arg;
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_addclose(&actions, l) == 0);
	CHECK(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, args, environ) == 0);
	tap_wait(pid);
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == family);
}

/* A number that dup() gave a client's socket, in an epoll set. */
static void epoll_alias(int arg)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 9 }, got;
	int e = epoll_create1(0), l, c, d;
	struct address a;

	(void)arg;
	l = listener(TCP4, SOCK_STREAM, &a);
	c = socket(AF_INET, SOCK_STREAM, 0);
	d = dup(c);
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, d, &ev) == 0);
	CHECK(connect(c, &a.sa, a.len) == 0 && raw_domain(d) == family);
	CHECK(write(accept(l, NULL, NULL), "x", 1) == 1);
	CHECK(epoll_wait(e, &got, 1, WAIT_MS) == 1 && got.data.u64 == 9);
	CHECK(epoll_ctl(e, EPOLL_CTL_DEL, d, NULL) == 0);
}

/* A child past fork() closes a listener, and has another socket at its number. */
static void raw_fork(int arg)
{
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), one = 1;
	pid_t pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	(void)arg;
	if (!pid) {
		int pair[2];

		CHECK(close(l) == 0 && sides() == 0);
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pair[0] == l);
		CHECK(ioctl(l, FIONBIO, &one) == 0);
		CHECK(syscall(SYS_fcntl, l, F_GETFL) & O_NONBLOCK);
		_exit(0);
	}
	tap_wait(pid);
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == family);
}

/* The side has nowhere to go; arg: the program has every number. */
static void no_way(int full)
{
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), x = side_of();
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = x + 1;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	while (full && dup(STDIN_FILENO) >= 0)
		;
	CHECK(dup2(STDIN_FILENO, x) == x);
	CHECK(raw_domain(x) == -1);
	CHECK(close(x) == 0);
	if (full) {
		close(4 + (l == 4));
		CHECK(!(syscall(SYS_fcntl, l, F_GETFL) & O_NONBLOCK));
	}
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == (full ? AF_INET : family));
	CHECK(accept(l, NULL, NULL) >= 0);
}

static void *accept_one(void *arg)
{
	CHECK(accept(*(int *)arg, NULL, NULL) >= 0);
	return NULL;
}

/* The only other thread sleeps, and goes on to: it does not spin. */
static void sleeps_on(pthread_t thread)
{
	struct timespec used, later;
	clockid_t cpu;

	other_asleep();
	CHECK(!pthread_getcpuclockid(thread, &cpu) && !clock_gettime(cpu, &used));
	usleep(400000);
	CHECK(!clock_gettime(cpu, &later));
	CHECK((later.tv_sec - used.tv_sec) * 1000000000LL + later.tv_nsec - used.tv_nsec <
	      200000000);
}

/* Somebody closes the side past the library. */
static void side_gone(int other)
{
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), x = side_of();
	pthread_t thread;
	struct stat st;

	CHECK(syscall(SYS_close_range, x, x, 0) == 0);
	if (other)
		CHECK(syscall(SYS_dup3, STDIN_FILENO, x, 0) == x);
	CHECK(!pthread_create(&thread, NULL, accept_one, &l));
	sleeps_on(thread);
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == AF_INET);
	CHECK(!pthread_join(thread, NULL));
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == AF_INET);
	CHECK(accept(l, NULL, NULL) >= 0);
	CHECK(fstat(x, &st) == (other ? 0 : -1));
}

/* The longest path there is, which has no end. */
static void longest_path(int type)
{
	struct address a;
	int l, c, s;

	address(&a, PATH);
	memset(a.un.sun_path, 'p', sizeof(a.un.sun_path));
	memcpy(a.un.sun_path, "/tmp/", 5);
	l = socket(AF_UNIX, type, 0);
	CHECK(bind(l, &a.sa, a.len) == 0);
	c = socket(AF_UNIX, type, 0);
	if (type == SOCK_STREAM) {
		CHECK(listen(l, 8) == 0);
		CHECK(connect(c, &a.sa, a.len) == 0 && raw_domain(c) == family);
		s = accept(l, NULL, NULL);
		talk(c, s);
	} else {
		CHECK(sendto(c, "x", 1, 0, &a.sa, a.len) == 1);
		CHECK(recv(l, &s, sizeof(s), 0) == 1 && counted("run_received_rill") == 1);
	}
	memmove(&a.ss, a.un.sun_path, sizeof(a.un.sun_path));
	((char *)&a.ss)[sizeof(a.un.sun_path)] = '\0';
	CHECK(unlink((char *)&a.ss) == 0);
}

static void long_ident(int arg)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	static char ident[10000], line[20000];
	int s;

	(void)arg;
	if (!access("/dev/log", F_OK))
		SKIP("somebody has /dev/log");
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (bind(s, (struct sockaddr *)&un, sizeof(un)))
		SKIP("no /dev/log can be made");
	memset(ident, 'i', sizeof(ident) - 1);
	openlog(ident, LOG_PID, LOG_USER);
	syslog(LOG_INFO, "%s", ident);
	CHECK(recv(s, line, sizeof(line), MSG_DONTWAIT) == 8191);
	unlink(un.sun_path);
}

static void fionread(int kind)
{
	struct address a;
	int s = bound(kind, SOCK_DGRAM, &a), c = socket(a.sa.sa_family, SOCK_DGRAM, 0), n = -1;

	CHECK(ioctl(s, FIONREAD, &n) == 0 && n == 0);
	CHECK(sendto(c, "hello", 5, 0, &a.sa, a.len) == 5);
	CHECK(counted("run_sent_rill") == 1);
	CHECK(ioctl(s, FIONREAD, &n) == 0 && n == 5);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* By the bare name of the side, as nobody: is he let in? */
static void let_in(int l, const struct sockaddr_rill *addr, bool yes)
{
	pid_t pid = as_nobody();

	if (!pid) {
		int c = syscall(SYS_socket, family, SOCK_STREAM, 0);

		if (yes)
			CHECK(syscall(SYS_connect, c, addr, sizeof(*addr)) == 0);
		else
			CHECK_ERR(syscall(SYS_connect, c, addr, sizeof(*addr)), EACCES);
		_exit(0);
	}
	tap_wait(pid);
	if (yes)
		CHECK(close(accept(l, NULL, NULL)) == 0);
}

/* The file is open to all; the directory that it is in is not. */
static void directory(int arg)
{
	/* user::rwx, user:NOBODY:---, group::rwx, mask::rwx, other::rwx */
	static const uint32_t acl[] = { 2, 0x70001, -1u, 0x2, NOBODY, 0x70004, -1u, 0x70010, -1u,
					0x70020, -1u };
	struct sockaddr_rill addr = { .srl_family = family };
	mode_t old = umask(0);
	struct address a;
	char dir[40], byte;
	struct stat st;
	int l;
	pid_t pid;

	(void)arg;
	if (geteuid())
		SKIP("needs root");
	snprintf(dir, sizeof(dir), "/tmp/run_test-dir-%d", getpid());
	CHECK(mkdir(dir, 0700) == 0);
	address(&a, PATH);
	snprintf(a.un.sun_path, sizeof(a.un.sun_path), "%s/s", dir);
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(l, &a.sa, a.len) == 0 && listen(l, 8) == 0);
	umask(old);
	CHECK(stat(a.un.sun_path, &st) == 0 && (st.st_mode & 0777) == 0777);
	snprintf(addr.srl_name, sizeof(addr.srl_name), "user/0/unix/%llx:%llx",
		 (long long)st.st_dev, (long long)st.st_ino);
	let_in(l, &addr, false);
	CHECK(chmod(dir, 0711) == 0);
	let_in(l, &addr, true);
	/* A group may enter; not the file's; this one is it. */
	CHECK(chown(dir, -1, NOBODY) == 0 && chmod(dir, 0710) == 0);
	let_in(l, &addr, false);
	CHECK(chown(a.un.sun_path, -1, NOBODY) == 0 && chmod(dir, 0710) == 0);
	let_in(l, &addr, true);
	/* Closed by somebody else: the side is told at accept(), which turns him away. */
	CHECK(syscall(SYS_chmod, dir, 0700) == 0);
	pid = as_nobody();
	if (!pid) {
		int c = syscall(SYS_socket, family, SOCK_STREAM, 0);

		CHECK(syscall(SYS_connect, c, &addr, sizeof(addr)) == 0);
		_exit(syscall(SYS_read, c, &byte, 1) > 0);
	}
	readable(l, true);
	CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	tap_wait(pid);
	let_in(l, &addr, false);
	/* Open, but for one of whom the mode does not speak. */
	CHECK(chmod(dir, 0755) == 0);
	let_in(l, &addr, true);
	if (!setxattr(a.un.sun_path, "system.posix_acl_access", acl, sizeof(acl), 0)) {
		CHECK(stat(a.un.sun_path, &st) == 0 && (st.st_mode & 0777) == 0777);
		CHECK(chmod(dir, 0755) == 0);
		let_in(l, &addr, false);
	}
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == family);
	unlink(a.un.sun_path);
	rmdir(dir);
}

#define CLOSES		3000
#define CLOSES_LEAST	100
#define CLOSES_SECONDS	20

static atomic_int close_go, close_done, close_end;
static int close_fd;

/* So that both leave at once; but the other one may need this processor. */
static void close_wait(atomic_int *count, int i)
{
	for (int n = 0; atomic_load(count) <= i && !atomic_load(&close_end); n++)
		if (n > 1000)
			sched_yield();
}

static void *close_other(void *arg)
{
	for (int i = 0;; i++) {
		close_wait(&close_go, i);
		if (atomic_load(&close_end))
			return arg;
		close(close_fd);
		atomic_fetch_add(&close_done, 1);
	}
}

/* Two threads close one listener at once: others stay doubled. */
static void close_twice(int arg)
{
	struct address keep, a;
	int l = listener(TCP4, SOCK_STREAM, &keep), c, i;
	time_t end = time(NULL) + CLOSES_SECONDS;
	pthread_t thread;

	(void)arg;
	CHECK(!pthread_create(&thread, NULL, close_other, NULL));
	for (i = 0; i < CLOSES && (i < CLOSES_LEAST || time(NULL) < end); i++) {
		close_fd = listener(ABSTRACT, SOCK_STREAM, &a);
		atomic_fetch_add(&close_go, 1);
		close(close_fd);
		close_wait(&close_done, i);
		CHECK(!(fcntl(l, F_GETFL) & O_NONBLOCK));
	}
	printf("# %d rounds\n", i);
	atomic_store(&close_end, 1);
	CHECK(!pthread_join(thread, NULL));
	c = client(SOCK_STREAM, &keep);
	CHECK(raw_domain(c) == family);
	talk(c, accept(l, NULL, NULL));
}

static int open_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 100; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A message of one byte and one file, by the bare name if there is one. */
static void send_file(int x, const char *name)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct sockaddr_rill addr = { .srl_family = family };
	struct iovec iov = { .iov_base = "f", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd = open("/dev/null", O_RDONLY);

	CHECK(fd >= 0);
	if (name) {
		snprintf(addr.srl_name, sizeof(addr.srl_name), "%s", name);
		msg.msg_name = &addr;
		msg.msg_namelen = sizeof(addr);
	}
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK(syscall(SYS_sendmsg, x, &msg, 0) == 1);
	close(fd);
}

static ssize_t receive(int s, char *control, size_t *len, int flags)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = *len };
	ssize_t n = recvmsg(s, &msg, flags | MSG_DONTWAIT);

	*len = msg.msg_controllen;
	return n;
}

/* Files with a datagram of a stranger, whom a connected receiver does not hear. */
static void stranger_files(int kind)
{
	static const int flags[] = { 0, MSG_PEEK };
	char name[RILL_NAME_SIZE], control[256];
	struct address a, b;
	int s = bound(kind, SOCK_DGRAM, &a), before, x;
	size_t len;

	b = a;
	if (kind == TCP4)
		address(&b, TCP4);
	else
		b.un.sun_path[1] = 'R';
	x = syscall(SYS_socket, a.sa.sa_family, SOCK_DGRAM, 0);
	CHECK(syscall(SYS_bind, x, &b.sa, b.len) == 0 && getsockname(x, &b.sa, &b.len) == 0);
	CHECK(connect(s, &b.sa, b.len) == 0);
	if (kind == TCP4)
		snprintf(name, sizeof(name), "user/%u/udp/127.0.0.1:%u", geteuid(),
			 ntohs(a.in.sin_port));
	else
		snprintf(name, sizeof(name), "user/%u/unix/@run_test-%d", geteuid(), getpid());
	x = syscall(SYS_socket, family, SOCK_DGRAM, 0);
	before = open_files();
	for (int i = 0; i < 2; i++) {
		send_file(x, name);
		len = sizeof(control);
		CHECK_ERR(receive(s, control, &len, flags[i]), EAGAIN);
		CHECK(open_files() == before);
	}
	CHECK(counted("run_accept_untrue") == 2);
}

/* Nor does UDP know of files; what else comes along stays. */
static void udp_files(int arg)
{
	char name[RILL_NAME_SIZE], control[256];
	struct address a, b;
	int s = bound(TCP4, SOCK_DGRAM, &a), one = 1, before, x;
	struct msghdr msg = { .msg_control = control };
	size_t len;

	(void)arg;
	CHECK(setsockopt(s, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one)) == 0);
	bound(TCP4, SOCK_DGRAM, &b);
	x = syscall(SYS_dup, side_last());
	snprintf(name, sizeof(name), "user/%u/udp/127.0.0.1:%u", geteuid(), ntohs(a.in.sin_port));
	before = open_files();
	send_file(x, name);
	len = sizeof(control);
	CHECK(receive(s, control, &len, 0) == 1 && open_files() == before);
	msg.msg_controllen = len;
	CHECK(CMSG_FIRSTHDR(&msg) && CMSG_FIRSTHDR(&msg)->cmsg_type == SCM_TIMESTAMP);
	CHECK(!CMSG_NXTHDR(&msg, CMSG_FIRSTHDR(&msg)));
}

/* rillcat wants the credentials of a message, not the files that come with it. */
static void rillcat_files(int arg)
{
	struct sockaddr_rill addr = { .srl_family = family };
	char self[PATH_MAX] = "", path[64], byte;
	int out[2], x, n = 0;
	struct stat st;
	pid_t pid;

	(void)arg;
	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 30) > 0);
	strcpy(strrchr(self, '/'), "/../rillcat/rillcat");
	if (access(self, X_OK))
		strcpy(self, "rillcat");
	snprintf(addr.srl_name, sizeof(addr.srl_name), "run_test-%d", getpid());
	CHECK(pipe(out) == 0);
	pid = fork();
	if (!pid) {
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(out[1], 1);
		unsetenv("LD_PRELOAD");
		execlp(self, "rillcat", "-l", "-k", "-s", addr.srl_name, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	x = syscall(SYS_socket, family, SOCK_SEQPACKET, 0);
	while (syscall(SYS_connect, x, &addr, sizeof(addr))) {
		CHECK(errno == ECONNREFUSED && waitpid(pid, NULL, WNOHANG) == 0);
		usleep(10000);
	}
	for (int i = 0; i < 20; i++) {
		send_file(x, NULL);
		CHECK(read(out[0], &byte, 1) == 1);
	}
	for (int fd = 0; fd < 100; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		n += !lstat(path, &st);
	}
	CHECK(n > 3 && n < 20);
	kill(pid, SIGKILL);
}

/* Who sent what comes over a connection; 0x100: the same of one without Rill. */
static void from_whom(int arg)
{
	int kind = arg & 0xff, type = arg >> 9;
	bool raw = arg & 0x100;
	struct address a, from;
	int l = listener(kind, type, &a), fds[2];
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };

	fds[0] = raw ? raw_client(type, &a) : client(type, &a);
	fds[1] = accept(l, NULL, NULL);
	CHECK(raw_domain(fds[0]) == (raw ? a.sa.sa_family : family));
	for (int i = 0; i < 2; i++) {
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &from.ss,
				      .msg_namelen = sizeof(from.ss) };
		/* A client has no name; that of a server is the path. */
		bool path = kind == PATH && !i;

		CHECK(write(fds[!i], "b", 1) == 1 && write(fds[!i], "c", 1) == 1);
		from.len = sizeof(from.ss);
		CHECK(recvfrom(fds[i], &byte, 1, 0, &from.sa, &from.len) == 1);
		CHECK(path ? from.sa.sa_family == AF_UNIX : from.len == 0);
		CHECK(!path || !strcmp(from.un.sun_path, a.un.sun_path));
		CHECK(recvmsg(fds[i], &msg, 0) == 1);
		CHECK(msg.msg_namelen == from.len);
		CHECK(!path || !strcmp(from.un.sun_path, a.un.sun_path));
	}
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* What is sent without a copy is told of when it is gone: that is TCP's. */
static void zerocopy(int arg)
{
	char control[256], byte;
	struct pollfd pfd = { .events = 0 };
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), c, s, one = 1;
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };

	(void)arg;
	/* Of the client, before it connects. */
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(setsockopt(c, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) == 0);
	CHECK(connect(c, &a.sa, a.len) == 0 && raw_domain(c) == AF_INET);
	s = accept(l, NULL, NULL);
	CHECK(send(c, "x", 1, MSG_ZEROCOPY) == 1 && read(s, &byte, 1) == 1);
	pfd.fd = c;
	CHECK(poll(&pfd, 1, WAIT_MS) == 1 && pfd.revents == POLLERR);
	CHECK(recvmsg(c, &msg, MSG_ERRQUEUE) == 0 && CMSG_FIRSTHDR(&msg));
	/* Of a listener: its connections have it from there. */
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == family);
	CHECK(close(accept(l, NULL, NULL)) == 0);
	CHECK(setsockopt(l, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) == 0);
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == AF_INET && side_of() < 0);
	s = accept(l, NULL, NULL);
	CHECK(option(s, SOL_SOCKET, SO_ZEROCOPY) == 1);
	l = bound(TCP4, SOCK_STREAM, &a);
	CHECK(setsockopt(l, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) == 0);
	CHECK(listen(l, 8) == 0 && side_of() < 0);
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == AF_INET);
	/* And of UDP. */
	c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(setsockopt(c, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) == 0);
	address(&a, TCP4);
	CHECK(bind(c, &a.sa, a.len) == 0 && side_of() < 0);
}

static void *receive_one(void *arg)
{
	char byte;

	CHECK(recv(*(int *)arg, &byte, 1, 0) == 1);
	return NULL;
}

/* Somebody closes a receiver's side past the library. */
static void receiver_side_gone(int other)
{
	struct address a;
	int s = bound(TCP4, SOCK_DGRAM, &a), x = side_of(), c;
	pthread_t thread;

	CHECK(syscall(SYS_close_range, x, x, 0) == 0);
	if (other)
		CHECK(syscall(SYS_dup3, STDIN_FILENO, x, 0) == x);
	CHECK(!pthread_create(&thread, NULL, receive_one, &s));
	sleeps_on(thread);
	c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(sendto(c, "x", 1, 0, &a.sa, a.len) == 1);
	CHECK(!pthread_join(thread, NULL));
}

/* Without the module the log's socket stays, too: a program may have no path to it soon. */
static void log_without(int arg)
{
	pid_t pid;

	(void)arg;
	if (geteuid())
		SKIP("needs root");
	if (!access("/dev/log", F_OK))
		SKIP("somebody has /dev/log");
	pid = fork();
	if (!pid) {
		CHECK(unshare(CLONE_NEWNS) == 0);
		CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 || errno == EINVAL);
		CHECK(mount("/dev/null", RILL_FAMILY_PATH, NULL, MS_BIND, NULL) == 0);
		execl("/proc/self/exe", "run_test", "--as", "log-without", (char *)NULL);
		_exit(127);
	}
	tap_wait(pid);
}

static int log_without_main(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	char line[256];

	CHECK(bind(s, (struct sockaddr *)&un, sizeof(un)) == 0);
	syslog(LOG_INFO, "before");
	CHECK(unlink(un.sun_path) == 0);
	CHECK(recv(s, line, sizeof(line), MSG_DONTWAIT) > 0);
	syslog(LOG_INFO, "after");
	CHECK(recv(s, line, sizeof(line), MSG_DONTWAIT) > 0);
	return 0;
}

/* One datagram to a receiver by its abstract name, from one who has this name. */
static void send_as(const char *name)
{
	struct sockaddr_rill addr = { .srl_family = family };
	int x = name_bind(name, SOCK_DGRAM);

	CHECK(x >= 0);
	snprintf(addr.srl_name, sizeof(addr.srl_name), "user/0/unix/@run_test");
	CHECK(syscall(SYS_sendto, x, "x", 1, 0, &addr, sizeof(addr)) == 1);
}

static size_t received_from(int s, struct address *from)
{
	char byte;

	memset(from, 0, sizeof(*from));
	from->len = sizeof(from->ss);
	CHECK(recvfrom(s, &byte, 1, MSG_DONTWAIT, &from->sa, &from->len) == 1);
	return from->len;
}

/* Senders of AF_UNIX with names of their own invention, and of another user. */
static void abstract_sender(int arg)
{
	const socklen_t head = offsetof(struct sockaddr_un, sun_path) + 1;
	struct address a = { .un.sun_family = AF_UNIX, .un.sun_path = "\0run_test" };
	struct address b = { .un.sun_family = AF_UNIX, .un.sun_path = "\0run_nobody" }, from;
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	char name[RILL_NAME_SIZE], byte;
	pid_t pid;

	(void)arg;
	if (geteuid())
		SKIP("needs root");
	a.len = head + 8;
	b.len = head + 10;
	CHECK(bind(s, &a.sa, a.len) == 0);
	send_as("user/0/unix/@friend");
	CHECK(received_from(s, &from) == head + 6 && !memcmp(from.un.sun_path + 1, "friend", 6));
	snprintf(name, sizeof(name), "user/0/unix/@%0110d", 0);
	send_as(name);
	CHECK(received_from(s, &from) == 0);
	send_as("other/unix/@victim");
	CHECK(received_from(s, &from) == 0);
	pid = as_nobody();
	if (!pid) {
		send_as("user/65534/unix/@victim");
		_exit(0);
	}
	tap_wait(pid);
	CHECK(received_from(s, &from) == 0);
	/* Who has a true one is told, and answered. */
	pid = as_nobody();
	if (!pid) {
		int c = socket(AF_UNIX, SOCK_DGRAM, 0);

		CHECK(bind(c, &b.sa, b.len) == 0);
		CHECK(sendto(c, "x", 1, 0, &a.sa, a.len) == 1);
		_exit(recv(c, &byte, 1, 0) != 1);
	}
	readable(s, true);
	CHECK(received_from(s, &from) == b.len && !memcmp(&from.un, &b.un, b.len));
	CHECK(sendto(s, "y", 1, 0, &from.sa, from.len) == 1);
	tap_wait(pid);
}

/* Beyond every number that there can be. */
static void range_beyond(int arg)
{
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a);

	(void)arg;
	CHECK(close_range(0x80000000u, ~0u, 0) == 0);
	CHECK(close_range(~0u, ~0u, 0) == 0);
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == family && accept(l, NULL, NULL) >= 0);
}

/* Somebody has the lock of the file of those that are gone, and keeps it. */
static void count_locked(int arg)
{
	struct address a;
	char path[64];
	int fd, status;
	pid_t pid;

	(void)arg;
	listener(TCP4, SOCK_STREAM, &a);
	CHECK(counted("run_listen_rill") == 1);
	snprintf(path, sizeof(path), "/run/user/%u/rill/exited.stat", geteuid());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0) {
		snprintf(path, sizeof(path), "/tmp/rill-%u/exited.stat", geteuid());
		fd = open(path, O_RDWR | O_CREAT, 0600);
	}
	CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
	pid = fork();
	if (!pid) {
		alarm(100);
		listener(TCP4, SOCK_STREAM, &a);
		exit(0);	/* which writes */
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	/* Its numbers are where they were. */
	strcpy(strrchr(path, '/'), "/");
	sprintf(path + strlen(path), "%d.stat", pid);
	CHECK(unlink(path) == 0);
	close(fd);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* Over a side's number, of a number that is no file. */
static void dup_nothing(int arg)
{
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), x = side_of();

	(void)arg;
	CHECK_ERR(dup2(x + 1, x), EBADF);
	CHECK_ERR(dup3(x + 1, x, O_CLOEXEC), EBADF);
	CHECK_ERR(dup3(STDIN_FILENO, x, O_APPEND), EINVAL);
	CHECK_ERR(dup3(x, x, 0), EINVAL);
	CHECK(sides() == 1 && side_of() == x);
	close(l);
	CHECK(sides() == 0);
}

/* A number that dup() gives a connection has the options, too. */
static void dup_options(int arg)
{
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), c = client(SOCK_STREAM, &a), v = 33, d;

	(void)arg;
	(void)l;
	CHECK(raw_domain(c) == family);
	CHECK(setsockopt(c, IPPROTO_TCP, TCP_KEEPIDLE, &v, sizeof(v)) == 0);
	d = dup(c);
	CHECK(option(d, IPPROTO_TCP, TCP_KEEPIDLE) == 33);
	CHECK(dup2(c, 60) == 60 && option(60, IPPROTO_TCP, TCP_KEEPIDLE) == 33);
	close(c);
	CHECK(option(d, IPPROTO_TCP, TCP_KEEPIDLE) == 33);
	/* Another connection at its number does not. */
	c = client(SOCK_STREAM, &a);
	CHECK(dup2(c, d) == d && option(d, IPPROTO_TCP, TCP_KEEPIDLE) == 7200);
}

int found_main(const char *word, char **args)
{
	(void)args;
	if (!strcmp(word, "log-without"))
		return log_without_main();
	if (!strcmp(word, "orphan")) {
		CHECK(sides() == 0);
		return 0;
	}
	return -1;
}

const struct tap_case found_cases[] = {
	{ "UDP, a port that was given up",	given_up, 0 },
	{ "UDP, a stranger and a connected receiver", stranger, TCP4 },
	{ "UDP, a stranger by the bare name",	stranger, TCP4 | 0x100 },
	{ "abstract name, a stranger and a connected receiver", stranger, ABSTRACT },
	{ "no file may grow",			no_room, 0 },
	{ "no room on the disk",		no_room, 1 },
	{ "first datagrams by threads",		race, 0 },
	{ "cancelled in connect",		cancelled_connect, 0 },
	{ "cancelled in syslog",		cancelled_syslog, 0 },
	{ "poll, a descriptor twice",		poll_twice, 0 },
	{ "a side without its listener",	orphan, 0 },
	{ "a client's dup in epoll",		epoll_alias, 0 },
	{ "a fork past the library",		raw_fork, 0 },
	{ "a side at the limit of files",	no_way, 0 },
	{ "a side, and no number is free",	no_way, 1 },
	{ "a side that was closed",		side_gone, 0 },
	{ "a side's number is another file's",	side_gone, 1 },
	{ "the longest path, stream",		longest_path, SOCK_STREAM },
	{ "the longest path, datagrams",	longest_path, SOCK_DGRAM },
	{ "syslog, a long name",		long_ident, 0 },
	{ "UDP, FIONREAD",			fionread, TCP4 },
	{ "datagrams by path, FIONREAD",	fionread, PATH },
	{ "clients after a chmod()",		chmod_window, 0 },
	{ "a listener's dup of before",		dup_before, SOCK_STREAM },
	{ "a receiver's dup of before",		dup_before, SOCK_DGRAM },
	{ "TCP, each child listens",		listen_each, TCP4 },
	{ "path, each child listens",		listen_each, PATH },
	{ "UDP, the flags of the file",		dgram_blocks, TCP4 },
	{ "datagrams by path, the flags of the file", dgram_blocks, PATH },
	{ "the placeholder's directory",	directory, 0 },
	{ "a listener, closed by two threads",	close_twice, 0 },
	{ "UDP, a stranger's files",		stranger_files, TCP4 },
	{ "abstract name, a stranger's files",	stranger_files, ABSTRACT },
	{ "UDP, files and a time",		udp_files, 0 },
	{ "rillcat, files with its messages",	rillcat_files, 0 },
	{ "TCP, recvfrom()",			from_whom, TCP4 | SOCK_STREAM << 9 },
	{ "TCP, recvfrom() without Rill",	from_whom, TCP4 | 0x100 | SOCK_STREAM << 9 },
	{ "path, recvfrom()",			from_whom, PATH | SOCK_STREAM << 9 },
	{ "path, recvfrom() without Rill",	from_whom, PATH | 0x100 | SOCK_STREAM << 9 },
	{ "seqpacket, recvfrom()",		from_whom, PATH | SOCK_SEQPACKET << 9 },
	{ "seqpacket, recvfrom() without Rill",	from_whom, PATH | 0x100 | SOCK_SEQPACKET << 9 },
	{ "SO_ZEROCOPY",			zerocopy, 0 },
	{ "a receiver's side that was closed",	receiver_side_gone, 0 },
	{ "a receiver's side is another file",	receiver_side_gone, 1 },
	{ "syslog without the module",		log_without, 0 },
	{ "abstract names of senders",		abstract_sender, 0 },
	{ "close_range() beyond all",		range_beyond, 0 },
	{ "the lock of the counters is taken",	count_locked, 0 },
	{ "dup2() of nothing over a side",	dup_nothing, 0 },
	{ "a connection's dup and its options",	dup_options, 0 },
};

const size_t found_count = TAP_COUNT(found_cases);
