// SPDX-License-Identifier: GPL-2.0-only
/*
 * librill with the module loaded: every call, over AF_RILL; the stream helpers
 * over AF_UNIX too, as the control.  Prints TAP.
 *
 * Nothing waits by sleeping: where one side has to be asleep in the kernel, the
 * listener's RILL_QUEUE or the storm of signals (stream_cases.h) tells.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include "stream_cases.h"

/* A name that no other run of this test has. */
static const char *new_name(void)
{
	static char name[4][RILL_NAME_SIZE];
	static unsigned int n;
	char *p = name[n % 4];

	snprintf(p, RILL_NAME_SIZE, "librill_test/%d/%u", (int)getpid(), n++);
	return p;
}

static long long ms_now(void)
{
	struct timespec ts;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static int fd_flags(int fd)
{
	int fl = fcntl(fd, F_GETFL), cloexec = fcntl(fd, F_GETFD);

	CHECK(fl >= 0 && cloexec >= 0);
	CHECK(cloexec & FD_CLOEXEC);
	return fl & O_NONBLOCK;
}

static int type_of(int fd)
{
	socklen_t len = sizeof(int);
	int type;

	CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0);
	return type;
}

/* Says a byte over @fd and hears it at @to. */
static void check_talk(int fd, int to)
{
	char c = 0;

	CHECK(send(fd, "!", 1, MSG_NOSIGNAL) == 1);
	CHECK(recv(to, &c, 1, MSG_DONTWAIT) == 1 && c == '!');
}

/* ---- the family ---- */

static void test_family(int arg)
{
	FILE *f = fopen(RILL_FAMILY_PATH, "r");
	int family;

	(void)arg;
	CHECK(f);
	CHECK(fscanf(f, "%d", &family) == 1);
	fclose(f);
	CHECK(rill_family() == family);
	CHECK(rill_family() == family);
}

static void *family_thread(void *arg)
{
	int fds[2], i;

	for (i = 0; i < 100; i++) {
		CHECK(rill_family() == *(int *)arg);
		CHECK(rill_pair(SOCK_STREAM, 0, fds) == 0);
		check_talk(fds[0], fds[1]);
		close(fds[0]);
		close(fds[1]);
	}
	return NULL;
}

static void test_threads(int arg)
{
	pthread_t thread[8];
	FILE *f = fopen(RILL_FAMILY_PATH, "r");
	int family, i;

	(void)arg;
	/* Not rill_family(): the threads shall race for its first answer. */
	CHECK(f && fscanf(f, "%d", &family) == 1);
	fclose(f);
	for (i = 0; i < 8; i++)
		CHECK(pthread_create(&thread[i], NULL, family_thread, &family) == 0);
	for (i = 0; i < 8; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
}

static void test_socket(int type)
{
	int fd = rill_socket(type, 0);

	CHECK(fd >= 0 && type_of(fd) == type && fd_flags(fd) == 0);
	close(fd);
	fd = rill_socket(type, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(fd >= 0 && type_of(fd) == type && fd_flags(fd) == O_NONBLOCK);
	close(fd);
}

static void test_socket_errors(int arg)
{
	int fds[2];

	(void)arg;
	CHECK_ERR(rill_socket(SOCK_RAW, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(rill_socket(SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(rill_socket(SOCK_STREAM, 1 << 30), EINVAL);
	CHECK_ERR(rill_pair(SOCK_RAW, 0, fds), ESOCKTNOSUPPORT);
	CHECK_ERR(rill_pair(SOCK_STREAM, 1, fds), EINVAL);
	CHECK_ERR(rill_listen(new_name(), SOCK_DGRAM, 1, 0), EOPNOTSUPP);
	CHECK_ERR(rill_listen(new_name(), SOCK_STREAM, 1, 1), EINVAL);
	CHECK_ERR(rill_dgram(new_name(), 1), EINVAL);
}

static void test_pair(int type)
{
	int fds[2];

	CHECK(rill_pair(type, SOCK_NONBLOCK, fds) == 0);
	CHECK(fd_flags(fds[0]) == O_NONBLOCK && fd_flags(fds[1]) == O_NONBLOCK);
	CHECK(type_of(fds[0]) == type && type_of(fds[1]) == type);
	check_talk(fds[0], fds[1]);
	check_talk(fds[1], fds[0]);
}

/* ---- listen, accept, connect ---- */

static void test_connect(int type)
{
	const char *name = new_name();
	char got[RILL_NAME_SIZE];
	int l, c, a;

	l = rill_listen(name, type, 4, 0);
	CHECK(l >= 0 && fd_flags(l) == 0);
	c = rill_connect(name, type, 0, -1);
	CHECK(c >= 0 && fd_flags(c) == 0 && type_of(c) == type);
	a = rill_accept(l, SOCK_NONBLOCK);
	CHECK(a >= 0 && fd_flags(a) == O_NONBLOCK && type_of(a) == type);
	check_talk(c, a);
	check_talk(a, c);

	CHECK(rill_own_name(l, got) == (ssize_t)strlen(name) && !strcmp(got, name));
	CHECK(rill_own_name(a, got) > 0 && !strcmp(got, name));
	CHECK(rill_peer_name(c, got) > 0 && !strcmp(got, name));
	CHECK(rill_own_name(c, got) == 0 && !got[0]);
	CHECK(rill_peer_name(a, got) == 0 && !got[0]);
	CHECK_ERR(rill_peer_name(l, got), ENOTCONN);

	c = rill_connect(name, type, SOCK_NONBLOCK, 0);
	CHECK(c >= 0 && fd_flags(c) == O_NONBLOCK);
}

static void test_auto_name(int arg)
{
	char name[RILL_NAME_SIZE];
	int l, c;

	(void)arg;
	l = rill_listen("", SOCK_STREAM, 1, 0);
	CHECK(l >= 0);
	CHECK(rill_own_name(l, name) > 5 && !strncmp(name, "auto/", 5));
	c = rill_connect(name, SOCK_STREAM, 0, -1);
	CHECK(c >= 0);
	CHECK_ERR(rill_listen(name, SOCK_STREAM, 1, 0), EACCES);
}

static void test_names(int arg)
{
	char name[RILL_NAME_SIZE + 2], got[RILL_NAME_SIZE];
	int fd;

	(void)arg;
	memset(name, 'n', sizeof(name));
	snprintf(name, 40, "librill_test/%d/", (int)getpid());
	name[strlen(name)] = 'n';
	name[RILL_NAME_MAX + 1] = '\0';
	CHECK_ERR(rill_dgram(name, 0), ENAMETOOLONG);
	CHECK_ERR(rill_connect(name, SOCK_STREAM, 0, 0), ENAMETOOLONG);
	name[RILL_NAME_MAX] = '\0';
	fd = rill_dgram(name, 0);
	CHECK(fd >= 0);
	CHECK(rill_own_name(fd, got) == RILL_NAME_MAX && !strcmp(got, name));
	CHECK_ERR(rill_bind(fd, "second"), EINVAL);
	CHECK_ERR(rill_dgram(name, 0), EADDRINUSE);
	CHECK_ERR(rill_listen(name, SOCK_STREAM, 0, 0), EADDRINUSE);
	CHECK_ERR(rill_dgram("a\tb", 0), EINVAL);
	CHECK_ERR(rill_connect("a\177b", SOCK_STREAM, 0, 0), EINVAL);
	CHECK_ERR(rill_dgram("user/notanumber/x", 0), EACCES);
	close(fd);
	fd = rill_dgram(name, 0);
	CHECK(fd >= 0);
}

static void test_connect_errors(int arg)
{
	const char *name = new_name();
	int fd;

	(void)arg;
	CHECK_ERR(rill_connect(name, SOCK_STREAM, 0, -1), ECONNREFUSED);
	CHECK_ERR(rill_connect("", SOCK_STREAM, 0, -1), EINVAL);
	CHECK_ERR(rill_connect(name, SOCK_STREAM, 0, -2), EINVAL);
	CHECK_ERR(rill_connect(name, SOCK_RAW, 0, -1), ESOCKTNOSUPPORT);
	fd = rill_socket(SOCK_STREAM, 0);
	CHECK(fd >= 0 && rill_bind(fd, name) == 0);
	CHECK_ERR(rill_connect(name, SOCK_STREAM, 0, -1), ECONNREFUSED);
	CHECK_ERR(rill_connect(name, SOCK_SEQPACKET, 0, -1), EPROTOTYPE);
	CHECK_ERR(rill_connect(name, SOCK_DGRAM, 0, -1), EPROTOTYPE);
	CHECK(listen(fd, 1) == 0);
	CHECK(rill_connect(name, SOCK_STREAM, 0, -1) >= 0);
}

static void test_permission(int arg)
{
	const char *name = new_name();
	pid_t pid;
	int fd;

	(void)arg;
	if (geteuid())
		SKIP("needs root, to become somebody else");
	fd = rill_socket(SOCK_STREAM, 0);
	CHECK(fd >= 0);
	CHECK(rill_set_mode(fd, 0600) == 0);
	CHECK(rill_bind(fd, name) == 0 && listen(fd, 4) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(setgid(65534) == 0 && setuid(65534) == 0);
		CHECK_ERR(rill_connect(name, SOCK_STREAM, 0, -1), EACCES);
		CHECK_ERR(rill_listen("sys/librill_test", SOCK_STREAM, 1, 0), EACCES);
		CHECK_ERR(rill_set_owner(rill_socket(SOCK_STREAM, 0), 0, -1), EPERM);
		exit(0);
	}
	tap_wait(pid);
	CHECK(rill_connect(name, SOCK_STREAM, 0, -1) >= 0);
	CHECK(rill_set_mode(fd, 0666) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(setgid(65534) == 0 && setuid(65534) == 0);
		CHECK(rill_connect(name, SOCK_STREAM, 0, -1) >= 0);
		exit(0);
	}
	tap_wait(pid);
}

/* A listener with its one place taken. */
static int full_listener(const char *name, int *first)
{
	int l = rill_listen(name, SOCK_STREAM, 0, 0);

	CHECK(l >= 0);
	*first = rill_connect(name, SOCK_STREAM, 0, 0);
	CHECK(*first >= 0);
	return l;
}

static void wait_in_line(int l, unsigned int want)
{
	long long end = ms_now() + 60000;
	struct rill_queue q;

	do {
		CHECK(ms_now() < end);
		CHECK(rill_get_queue(l, &q) == 0);
		sched_yield();
	} while (q.rq_waiting != want);
}

static void test_connect_timeout(int storm)
{
	const char *name = new_name();
	struct rill_queue q;
	long long begin, took;
	int l, first;

	l = full_listener(name, &first);
	if (storm)
		storm_begin();
	CHECK_ERR(rill_connect(name, SOCK_STREAM, 0, 0), ETIMEDOUT);
	begin = ms_now();
	CHECK_ERR(rill_connect(name, SOCK_STREAM, 0, 300), ETIMEDOUT);
	took = ms_now() - begin;
	printf("# took %lld ms of 300\n", took);
	CHECK(took >= 299 && took < 30000);
	/* It has left the line. */
	CHECK(rill_get_queue(l, &q) == 0);
	CHECK(q.rq_waiting == 0 && q.rq_len == 1 && q.rq_max == 1);
}

static void test_connect_waits(int flags)
{
	const char *name = new_name();
	int l, first, fd, a;
	char buf[8];
	pid_t pid;

	l = full_listener(name, &first);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		storm_begin();
		fd = rill_connect(name, SOCK_STREAM, flags, 60000);
		CHECK(fd >= 0);
		CHECK(fd_flags(fd) == (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0));
		CHECK(rill_send_all(fd, "late", 4, 0, NULL) == 4);
		exit(0);
	}
	wait_in_line(l, 1);
	a = rill_accept(l, 0);
	CHECK(a >= 0);
	close(a);
	a = rill_accept(l, 0);
	CHECK(a >= 0);
	CHECK(rill_recv_all(a, buf, 8, 0, NULL) == 4 && !memcmp(buf, "late", 4));
	tap_wait(pid);
}

static void test_connect_refused_in_line(int arg)
{
	const char *name = new_name();
	int l, first;
	char c;
	pid_t pid;

	(void)arg;
	l = full_listener(name, &first);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(l);
		CHECK_ERR(rill_connect(name, SOCK_STREAM, 0, 60000), ECONNREFUSED);
		exit(0);
	}
	wait_in_line(l, 1);
	close(l);
	tap_wait(pid);
	CHECK_ERR(rill_recv_all(first, &c, 1, 0, NULL), ECONNRESET);
}

static void test_accept(int arg)
{
	atomic_int *signals = storm_share();
	const char *name = new_name();
	char c;
	int l, fd, go[2];
	pid_t pid;

	(void)arg;
	l = rill_listen(name, SOCK_STREAM, 4, SOCK_NONBLOCK);
	CHECK(l >= 0 && fd_flags(l) == O_NONBLOCK);
	CHECK_ERR(rill_accept(l, 0), EAGAIN);
	CHECK_ERR(rill_accept(l, 1), EINVAL);
	fd = rill_socket(SOCK_STREAM, 0);
	CHECK_ERR(rill_accept(fd, 0), EINVAL);
	CHECK_ERR(rill_accept(rill_dgram(NULL, 0), 0), EOPNOTSUPP);
	CHECK_ERR(rill_accept(-1, 0), EBADF);
	close(l);

	/* Signals do not end the wait; a time-out does. */
	l = rill_listen(name, SOCK_STREAM, 4, 0);
	CHECK(l >= 0);
	set_timeout(l, SO_RCVTIMEO, 50);
	CHECK_ERR(rill_accept(l, 0), EAGAIN);
	set_timeout(l, SO_RCVTIMEO, 0);
	CHECK(pipe(go) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		storm_child = signals;
		storm_begin();
		storm_wait(1);
		CHECK(write(go[1], "", 1) == 1);
		CHECK(rill_accept(l, 0) >= 0);
		CHECK(storm_signals > 10);
		exit(0);
	}
	CHECK(read(go[0], &c, 1) == 1);
	storm_begin();
	storm_wait(50);
	storm_wait_child(signals, 11);
	CHECK(rill_connect(name, SOCK_STREAM, 0, 0) >= 0);
	tap_wait(pid);
}

/* ---- datagrams ---- */

static void test_dgram(int arg)
{
	const char *name = new_name();
	char buf[64], from[RILL_NAME_SIZE], me[RILL_NAME_SIZE];
	int rx, tx;

	(void)arg;
	rx = rill_dgram(name, SOCK_NONBLOCK);
	CHECK(rx >= 0 && fd_flags(rx) == O_NONBLOCK && type_of(rx) == SOCK_DGRAM);
	tx = rill_dgram(NULL, 0);
	CHECK(tx >= 0 && rill_own_name(tx, me) == 0);
	CHECK_ERR(rill_recvfrom(rx, buf, 64, 0, from), EAGAIN);

	CHECK(rill_sendto(tx, "one", 3, 0, name) == 3);
	CHECK(rill_sendto(tx, NULL, 0, 0, name) == 0);
	CHECK(rill_sendto(tx, "three words here", 16, 0, name) == 16);
	CHECK(rill_own_name(tx, me) > 5 && !strncmp(me, "auto/", 5));

	CHECK(rill_recvfrom(rx, buf, 64, 0, from) == 3 && !memcmp(buf, "one", 3));
	CHECK(!strcmp(from, me));
	strcpy(from, "junk");
	CHECK(rill_recvfrom(rx, buf, 64, 0, from) == 0);
	CHECK(!strcmp(from, me));
	CHECK(rill_recvfrom(rx, buf, 5, MSG_TRUNC, NULL) == 16);
	CHECK(!memcmp(buf, "three", 5));
	CHECK_ERR(rill_recvfrom(rx, buf, 64, 0, from), EAGAIN);

	/* The answer finds its way. */
	CHECK(rill_sendto(rx, "back", 4, 0, me) == 4);
	CHECK(rill_recvfrom(tx, buf, 64, 0, from) == 4 && !strcmp(from, name));

	/* "" has a name at once. */
	close(tx);
	tx = rill_dgram("", 0);
	CHECK(tx >= 0 && rill_own_name(tx, me) > 5);

	/* The end of a pair has no name to tell. */
	{
		int fds[2];

		CHECK(rill_pair(SOCK_DGRAM, 0, fds) == 0);
		CHECK(send(fds[0], "x", 1, 0) == 1);
		strcpy(from, "junk");
		CHECK(rill_recvfrom(fds[1], buf, 64, 0, from) == 1);
		CHECK(!from[0]);
	}
}

static void test_dgram_errors(int arg)
{
	const char *name = new_name(), *other = new_name();
	char *big = calloc(1, 1 << 20);
	int rx, tx, peer, n;

	(void)arg;
	CHECK(big);
	tx = rill_dgram(NULL, SOCK_NONBLOCK);
	CHECK(tx >= 0);
	CHECK_ERR(rill_sendto(tx, "x", 1, 0, name), ECONNREFUSED);
	CHECK_ERR(rill_sendto(tx, "x", 1, 0, ""), EINVAL);
	CHECK_ERR(rill_sendto(tx, "x", 1, 0, "a\nb"), EINVAL);
	rx = rill_dgram(name, 0);
	CHECK(rx >= 0);
	CHECK_ERR(rill_sendto(tx, big, 1 << 20, 0, name), EMSGSIZE);
	CHECK(rill_listen(other, SOCK_STREAM, 0, 0) >= 0);
	CHECK_ERR(rill_sendto(tx, "x", 1, 0, other), EPROTOTYPE);

	/* A receiver that is full says so, and takes more afterwards. */
	for (n = 0; n < 1000000; n++)
		if (rill_sendto(tx, big, 1000, 0, name) < 0)
			break;
	CHECK(errno == EAGAIN && n > 0 && n < 1000000);
	while (n--)
		CHECK(rill_recvfrom(rx, big, 1 << 20, MSG_DONTWAIT, NULL) == 1000);
	CHECK_ERR(rill_recvfrom(rx, big, 1 << 20, MSG_DONTWAIT, NULL), EAGAIN);
	CHECK(rill_sendto(tx, big, 1000, 0, name) == 1000);

	/* One that is connected hears nobody else. */
	peer = rill_dgram(new_name(), 0);
	{
		char peername[RILL_NAME_SIZE];
		struct sockaddr_rill sa;
		socklen_t len;

		CHECK(rill_own_name(peer, peername) > 0);
		CHECK(rill_addr(&sa, &len, peername) == 0);
		CHECK(connect(rx, (struct sockaddr *)&sa, len) == 0);
		CHECK_ERR(rill_sendto(tx, "x", 1, 0, name), EPERM);
		CHECK_ERR(rill_connect(name, SOCK_DGRAM, 0, 0), EPERM);
		CHECK(rill_peer_name(rx, peername) > 0);
	}
	CHECK(shutdown(rx, SHUT_RD) == 0);
	CHECK_ERR(rill_sendto(peer, "x", 1, 0, name), EPIPE);
	free(big);
}

static void test_dgram_storm(int arg)
{
	const char *name = new_name();
	char buf[2048], c;
	int rx, tx, go[2], i;
	pid_t pid;

	(void)arg;
	memset(buf, 'd', sizeof(buf));
	rx = rill_dgram(name, 0);
	CHECK(rx >= 0 && pipe(go) == 0);
	pid = fork();
	CHECK(pid >= 0);
	storm_begin();
	if (pid == 0) {
		/* The other one sleeps in recvfrom() through these. */
		storm_wait(20);
		tx = rill_dgram(NULL, 0);
		for (i = 0; i < 2000; i++)
			CHECK(rill_sendto(tx, buf, i, 0, name) == i);
		CHECK(write(go[1], "", 1) == 1);
		exit(0);
	}
	CHECK(rill_recvfrom(rx, buf, sizeof(buf), 0, NULL) == 0);
	/* Now the sender fills the queue and sleeps. */
	storm_wait(50);
	for (i = 1; i < 2000; i++)
		CHECK(rill_recvfrom(rx, buf, sizeof(buf), 0, NULL) == i);
	while (read(go[0], &c, 1) != 1)
		CHECK(errno == EINTR);
	tap_wait(pid);
}

/* ---- options ---- */

static void test_mode(int arg)
{
	int fd = rill_socket(SOCK_STREAM, 0), mode = 99, a, c;
	const char *name = new_name();

	(void)arg;
	CHECK(fd >= 0);
	CHECK(rill_get_mode(fd, &mode) == 0 && mode == -1);
	CHECK_ERR(rill_set_mode(fd, 01000), EINVAL);
	CHECK_ERR(rill_set_mode(fd, -1), EINVAL);
	CHECK(rill_set_mode(fd, 0640) == 0);
	CHECK(rill_get_mode(fd, &mode) == 0 && mode == 0640);
	CHECK(rill_bind(fd, name) == 0);
	CHECK(rill_get_mode(fd, &mode) == 0 && mode == 0640);
	CHECK(rill_set_mode(fd, 0) == 0);
	CHECK(rill_get_mode(fd, &mode) == 0 && mode == 0);
	CHECK(rill_set_mode(fd, 0777) == 0);
	CHECK(listen(fd, 1) == 0);
	c = rill_connect(name, SOCK_STREAM, 0, 0);
	a = rill_accept(fd, 0);
	CHECK(c >= 0 && a >= 0);
	CHECK_ERR(rill_set_mode(a, 0700), EINVAL);
	close(fd);

	umask(027);
	fd = rill_dgram(new_name(), 0);
	CHECK(fd >= 0);
	CHECK(rill_get_mode(fd, &mode) == 0 && mode == 0750);
	close(fd);
	fd = rill_dgram("", 0);
	CHECK(rill_get_mode(fd, &mode) == 0 && mode == 0666);
}

static void test_owner(int arg)
{
	int fd = rill_socket(SOCK_STREAM, 0);
	uid_t uid = 5;
	gid_t gid = 5;

	(void)arg;
	CHECK(fd >= 0);
	CHECK(rill_get_owner(fd, &uid, &gid) == 0);
	CHECK(uid == (uid_t)-1 && gid == (gid_t)-1);
	CHECK(rill_bind(fd, new_name()) == 0);
	CHECK(rill_get_owner(fd, &uid, &gid) == 0);
	CHECK(uid == geteuid() && gid == getegid());
	CHECK(rill_get_owner(fd, NULL, NULL) == 0);
	if (geteuid())
		return;
	CHECK(rill_set_owner(fd, 1234, (gid_t)-1) == 0);
	CHECK(rill_get_owner(fd, &uid, &gid) == 0);
	CHECK(uid == 1234 && gid == getegid());
	CHECK(rill_set_owner(fd, (uid_t)-1, 4321) == 0);
	CHECK(rill_get_owner(fd, &uid, &gid) == 0);
	CHECK(uid == 1234 && gid == 4321);
}

static void test_busy_poll(int type)
{
	int fd = rill_socket(type, 0), usec = 5, unasked = -1;
	FILE *f = fopen("/proc/sys/net/rill/busy_poll_us", "r");

	CHECK(fd >= 0);
	/* Before it is set, what the namespace says has effect. */
	CHECK(f && fscanf(f, "%d", &unasked) == 1 && fclose(f) == 0);
	CHECK(rill_get_busy_poll(fd, &usec) == 0 && usec == unasked);
	CHECK(rill_set_busy_poll(fd, 1) == 0);
	CHECK(rill_get_busy_poll(fd, &usec) == 0 && usec == 1);
	CHECK_ERR(rill_set_busy_poll(fd, -1), EINVAL);
	/* What has effect is bounded. */
	CHECK(rill_set_busy_poll(fd, INT_MAX) == 0);
	CHECK(rill_get_busy_poll(fd, &usec) == 0 && usec >= 1 && usec < INT_MAX);
	CHECK(rill_set_busy_poll(fd, 0) == 0);
	CHECK(rill_get_busy_poll(fd, &usec) == 0 && usec == 0);
}

static void test_queue(int arg)
{
	const char *name = new_name();
	struct rill_queue q;
	int l, i;

	(void)arg;
	l = rill_listen(name, SOCK_STREAM, 2, 0);
	CHECK(l >= 0);
	CHECK(rill_get_queue(l, &q) == 0);
	CHECK(q.rq_len == 0 && q.rq_max == 3 && q.rq_waiting == 0);
	for (i = 1; i <= 3; i++) {
		CHECK(rill_connect(name, SOCK_STREAM, 0, 0) >= 0);
		CHECK(rill_get_queue(l, &q) == 0);
		CHECK(q.rq_len == (unsigned int)i && q.rq_waiting == 0);
	}
	CHECK_ERR(rill_get_queue(rill_socket(SOCK_STREAM, 0), &q), EINVAL);
	CHECK_ERR(rill_get_queue(rill_dgram(NULL, 0), &q), EINVAL);
}

/* A socket of another family, no socket, no descriptor. */
static void test_wrong_fd(int arg)
{
	char name[RILL_NAME_SIZE];
	struct rill_queue q;
	int fds[2], mode, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)arg;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	CHECK_ERR(rill_own_name(fds[0], name), EAFNOSUPPORT);
	CHECK_ERR(rill_peer_name(fds[0], name), EAFNOSUPPORT);
	errno = 0;
	CHECK(rill_get_mode(fds[0], &mode) == -1);
	CHECK(errno == ENOPROTOOPT || errno == EOPNOTSUPP);
	errno = 0;
	CHECK(rill_set_mode(fds[0], 0) == -1);
	CHECK(errno == ENOPROTOOPT || errno == EOPNOTSUPP);
	errno = 0;
	CHECK(rill_get_queue(fds[0], &q) == -1);
	CHECK(errno == ENOPROTOOPT || errno == EOPNOTSUPP);
	CHECK_ERR(rill_own_name(null, name), ENOTSOCK);
	CHECK_ERR(rill_get_mode(null, &mode), ENOTSOCK);
	CHECK_ERR(rill_own_name(-1, name), EBADF);
	CHECK_ERR(rill_peer_name(-1, name), EBADF);
	CHECK_ERR(rill_set_mode(-1, 0), EBADF);
	CHECK_ERR(rill_set_owner(-1, 0, 0), EBADF);
	CHECK_ERR(rill_get_owner(-1, NULL, NULL), EBADF);
	CHECK_ERR(rill_get_queue(-1, &q), EBADF);
	CHECK_ERR(rill_bind(-1, "x"), EBADF);
	CHECK_ERR(rill_bind(-1, ""), EBADF);
	CHECK_ERR(rill_sendto(-1, "x", 1, 0, "x"), EBADF);
	CHECK_ERR(rill_recvfrom(-1, name, 1, 0, NULL), EBADF);
}

/* No failing call may leave a descriptor behind. */
static void test_no_leak(int arg)
{
	int before = dup(0), after, i;

	(void)arg;
	CHECK(before >= 0);
	close(before);
	for (i = 0; i < 10; i++) {
		CHECK_ERR(rill_listen("auto/x", SOCK_STREAM, 0, 0), EACCES);
		CHECK_ERR(rill_listen(new_name(), SOCK_DGRAM, 0, 0), EOPNOTSUPP);
		CHECK_ERR(rill_dgram("auto/x", 0), EACCES);
		CHECK_ERR(rill_connect(new_name(), SOCK_STREAM, 0, 0), ECONNREFUSED);
	}
	after = dup(0);
	CHECK(after == before);
}

static const struct tap_case cases[] = {
	{ "rill_family", test_family, 0 },
	{ "rill_family and rill_pair from many threads", test_threads, 0 },
	{ "rill_socket: stream", test_socket, SOCK_STREAM },
	{ "rill_socket: datagram", test_socket, SOCK_DGRAM },
	{ "rill_socket: seqpacket", test_socket, SOCK_SEQPACKET },
	{ "rill_socket, rill_pair, rill_listen: errors", test_socket_errors, 0 },
	{ "rill_pair: stream", test_pair, SOCK_STREAM },
	{ "rill_pair: datagram", test_pair, SOCK_DGRAM },
	{ "rill_pair: seqpacket", test_pair, SOCK_SEQPACKET },
	{ "rill_listen, rill_accept, rill_connect: stream", test_connect, SOCK_STREAM },
	{ "rill_listen, rill_accept, rill_connect: seqpacket", test_connect,
	  SOCK_SEQPACKET },
	{ "rill_listen: the kernel chooses a name", test_auto_name, 0 },
	{ "rill_bind: names", test_names, 0 },
	{ "rill_connect: errors", test_connect_errors, 0 },
	{ "rill_connect: permission", test_permission, 0 },
	{ "rill_connect: time-out in line", test_connect_timeout, 0 },
	{ "rill_connect: time-out in line, in a storm of signals",
	  test_connect_timeout, 1 },
	{ "rill_connect: waits in line, blocking afterwards", test_connect_waits, 0 },
	{ "rill_connect: waits in line, non-blocking afterwards",
	  test_connect_waits, SOCK_NONBLOCK },
	{ "rill_connect: refused in line", test_connect_refused_in_line, 0 },
	{ "rill_accept", test_accept, 0 },
	{ "rill_dgram, rill_sendto, rill_recvfrom", test_dgram, 0 },
	{ "rill_dgram, rill_sendto: errors", test_dgram_errors, 0 },
	{ "rill_sendto, rill_recvfrom in a storm of signals", test_dgram_storm, 0 },
	{ "rill_set_mode, rill_get_mode", test_mode, 0 },
	{ "rill_set_owner, rill_get_owner", test_owner, 0 },
	{ "rill_set_busy_poll, rill_get_busy_poll: stream", test_busy_poll,
	  SOCK_STREAM },
	{ "rill_set_busy_poll, rill_get_busy_poll: datagrams", test_busy_poll,
	  SOCK_DGRAM },
	{ "rill_get_queue", test_queue, 0 },
	{ "wrong descriptors", test_wrong_fd, 0 },
	{ "no descriptor leaks", test_no_leak, 0 },
};

int main(void)
{
	/* In a process of its own, so that the cases begin with no cache. */
	if (access(RILL_FAMILY_PATH, F_OK) < 0 &&
	    socket(RILL_FAMILY_DEFAULT, SOCK_STREAM, 0) < 0) {
		printf("TAP version 13\n1..0 # SKIP the rill module is not loaded\n");
		return 4;
	}
	tap_begin(TAP_COUNT(cases) + 2 * TAP_COUNT(stream_cases));
	tap_run(cases, TAP_COUNT(cases), "");
	run_stream_cases(AF_UNIX, " (AF_UNIX)");
	run_stream_cases(rill_family(), " (AF_RILL)");
	return tap_end();
}
