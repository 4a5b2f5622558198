// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a review of the library has found: each case failed before its mend.
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <sys/mount.h>
#include <sys/resource.h>

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
			usleep(30000);
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
	usleep(100000);
	unlink(un.sun_path);
	CHECK(!pthread_cancel(thread));
	usleep(100000);
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
	usleep(50000);
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

/* Somebody closes the side past the library. */
static void side_gone(int other)
{
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), x = side_of();
	pthread_t thread;
	struct stat st;
	clock_t used;

	CHECK(syscall(SYS_close_range, x, x, 0) == 0);
	if (other)
		CHECK(syscall(SYS_dup3, STDIN_FILENO, x, 0) == x);
	CHECK(!pthread_create(&thread, NULL, accept_one, &l));
	/* It sleeps. */
	used = clock();
	usleep(400000);
	CHECK(clock() - used < CLOCKS_PER_SEC / 5);
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

int found_main(const char *word, char **args)
{
	(void)args;
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
};

const size_t found_count = TAP_COUNT(found_cases);
