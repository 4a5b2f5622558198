/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What rill_send_all(), rill_recv_all(), rill_msg_send() and rill_msg_recv()
 * promise, for a pair of stream sockets of any family: AF_RILL, and AF_UNIX as
 * the control.  The argument of each case is the family.
 */
#ifndef RILL_TESTS_STREAM_CASES_H
#define RILL_TESTS_STREAM_CASES_H

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <sys/types.h>
#include <rill/rill.h>
#include "tap.h"

#define BULK	(4u << 20)

static void make_pair(int family, int fds[2], int flags)
{
	CHECK(socketpair(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds) == 0);
}

static unsigned char pattern(size_t pos)
{
	return (unsigned char)((uint32_t)pos * 2654435761u >> 17);
}

static unsigned char *new_pattern(size_t len)
{
	unsigned char *p = malloc(len ? len : 1);
	size_t i;

	CHECK(p);
	for (i = 0; i < len; i++)
		p[i] = pattern(i);
	return p;
}

/* Sends BULK bytes in pieces of many sizes. */
static void bulk_send(int fd)
{
	unsigned char *data = new_pattern(BULK);
	size_t pos, n, done;
	unsigned int r = 1;

	for (pos = 0; pos < BULK; pos += n) {
		r = r * 1103515245u + 12345;
		n = (r >> 8) % 300000;
		if (n > BULK - pos)
			n = BULK - pos;
		CHECK(rill_send_all(fd, data + pos, n, 0, &done) == (ssize_t)n);
		CHECK(done == n);
	}
	free(data);
}

/* Receives it in pieces of other sizes, up to the end of the stream. */
static void bulk_recv(int fd)
{
	unsigned char *buf = malloc(200000);
	size_t pos, n, i, done;
	unsigned int r = 7;

	CHECK(buf);
	for (pos = 0; pos < BULK; pos += n) {
		r = r * 1103515245u + 12345;
		n = (r >> 8) % 200000;
		if (n > BULK - pos)
			n = BULK - pos;
		CHECK(rill_recv_all(fd, buf, n, 0, &done) == (ssize_t)n);
		CHECK(done == n);
		for (i = 0; i < n; i++)
			if (buf[i] != pattern(pos + i))
				break;
		CHECK(i == n);
	}
	CHECK(rill_recv_all(fd, buf, 1, 0, &done) == 0 && done == 0);
	free(buf);
}

static void bulk(int family, int flags)
{
	int fds[2];
	pid_t pid;

	make_pair(family, fds, flags);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(fds[1]);
		bulk_send(fds[0]);
		exit(0);
	}
	close(fds[0]);
	bulk_recv(fds[1]);
	tap_wait(pid);
}

static void test_bulk(int family)
{
	bulk(family, 0);
}

static void test_bulk_nonblock(int family)
{
	bulk(family, SOCK_NONBLOCK);
}

/* ---- signals ---- */

static volatile sig_atomic_t storm_signals;
/* Those of a child, where its parent waits for them: shared memory. */
static atomic_int *storm_child;

static void storm_handler(int sig)
{
	(void)sig;
	storm_signals++;
	if (storm_child)
		atomic_fetch_add(storm_child, 1);
}

/*
 * A signal every millisecond, which interrupts whatever sleeps.  SIGALRM stays
 * the watchdog of the case.
 */
static void storm_begin(void)
{
	struct sigaction sa = { .sa_handler = storm_handler };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec ts = { { 0, 1000000 }, { 0, 1000000 } };
	timer_t timer;

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	CHECK(timer_settime(timer, 0, &ts, NULL) == 0);
}

/* Before the fork: the child counts for its parent, too. */
static atomic_int *storm_share(void)
{
	void *page = mmap(NULL, sizeof(atomic_int), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	return page;
}

/* Until the child has had that many; ticks that come late are one. */
static void storm_wait_child(atomic_int *signals, int count)
{
	while (atomic_load(signals) < count)
		poll(NULL, 0, 1);
}

/* Sleeps until that many more signals have come: the other side sleeps too. */
static void storm_wait(int count)
{
	int end = storm_signals + count;

	while (storm_signals < end)
		poll(NULL, 0, 10);
}

static void test_bulk_storm(int family)
{
	atomic_int *signals = storm_share();
	int fds[2];
	pid_t pid;

	make_pair(family, fds, 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(fds[1]);
		storm_child = signals;
		storm_begin();
		storm_wait(20);
		bulk_send(fds[0]);
		/* Nobody read for 20 signals, and the pair holds less: it slept. */
		CHECK(storm_signals >= 40);
		exit(0);
	}
	close(fds[0]);
	storm_begin();
	{
		unsigned char first;

		/* Signals end this one, so the storm is a storm. */
		while (recv(fds[1], &first, 1, MSG_PEEK) != 1)
			CHECK(errno == EINTR);
	}
	storm_wait(60);
	storm_wait_child(signals, 40);
	bulk_recv(fds[1]);
	tap_wait(pid);
}

static void test_msg_storm(int family)
{
	static const size_t lengths[] = { 0, 1, 700000, 3, 65536, 250000 };
	unsigned char *buf, *data;
	size_t len, i, round;
	int fds[2];
	pid_t pid;

	make_pair(family, fds, 0);
	data = new_pattern(700000);
	buf = malloc(700000);
	CHECK(buf);
	pid = fork();
	CHECK(pid >= 0);
	storm_begin();
	for (round = 0; round < 5; round++) {
		for (i = 0; i < TAP_COUNT(lengths); i++) {
			if (pid == 0) {
				CHECK(rill_msg_send(fds[0], data, lengths[i]) == 0);
				continue;
			}
			/* Let the writer fill the socket and sleep. */
			storm_wait(3);
			CHECK(rill_msg_recv(fds[1], buf, 700000, &len) == 1);
			CHECK(len == lengths[i]);
			CHECK(memcmp(buf, data, len) == 0);
		}
	}
	free(data);
	free(buf);
	if (pid == 0)
		exit(0);
	tap_wait(pid);
}

/* ---- ends and errors ---- */

static void test_recv_all_eof(int family)
{
	char buf[32];
	size_t done;
	int fds[2];

	make_pair(family, fds, 0);
	CHECK(rill_send_all(fds[0], "0123456789", 10, 0, NULL) == 10);
	close(fds[0]);
	CHECK(rill_recv_all(fds[1], buf, 20, 0, &done) == 10);
	CHECK(done == 10 && memcmp(buf, "0123456789", 10) == 0);
	CHECK(rill_recv_all(fds[1], buf, 20, 0, &done) == 0);
	CHECK(done == 0);
}

static void test_recv_all_dontwait(int family)
{
	char buf[32];
	size_t done = 99;
	int fds[2];

	make_pair(family, fds, 0);
	CHECK_ERR(rill_recv_all(fds[1], buf, 10, MSG_DONTWAIT, &done), EAGAIN);
	CHECK(done == 0);
	CHECK(rill_send_all(fds[0], "01234", 5, 0, NULL) == 5);
	CHECK_ERR(rill_recv_all(fds[1], buf, 10, MSG_DONTWAIT, &done), EAGAIN);
	CHECK(done == 5 && memcmp(buf, "01234", 5) == 0);
}

static void test_send_all_dontwait(int family)
{
	unsigned char *data = new_pattern(BULK), *buf = malloc(BULK);
	size_t done, again;
	int fds[2];

	make_pair(family, fds, 0);
	CHECK(buf);
	CHECK_ERR(rill_send_all(fds[0], data, BULK, MSG_DONTWAIT, &done), EAGAIN);
	CHECK(done > 0 && done < BULK);
	/* What was counted has arrived, and nothing else. */
	CHECK(rill_recv_all(fds[1], buf, done, 0, NULL) == (ssize_t)done);
	CHECK(memcmp(buf, data, done) == 0);
	CHECK_ERR(rill_recv_all(fds[1], buf, 1, MSG_DONTWAIT, &again), EAGAIN);
	free(data);
	free(buf);
}

static void set_timeout(int fd, int option, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	CHECK(setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv)) == 0);
}

static void test_all_timeouts(int family)
{
	unsigned char *data = new_pattern(BULK);
	size_t done;
	int fds[2];

	make_pair(family, fds, 0);
	set_timeout(fds[0], SO_SNDTIMEO, 50);
	set_timeout(fds[0], SO_RCVTIMEO, 50);
	CHECK(rill_send_all(fds[1], "abc", 3, 0, NULL) == 3);
	CHECK_ERR(rill_recv_all(fds[0], data, 10, 0, &done), EAGAIN);
	CHECK(done == 3);
	CHECK_ERR(rill_send_all(fds[0], data, BULK, 0, &done), EAGAIN);
	CHECK(done > 0 && done < BULK);
	free(data);
}

/* SIGPIPE has its default action here: it would end the case. */
static void test_epipe(int family)
{
	size_t done = 99;
	int fds[2];

	signal(SIGPIPE, SIG_DFL);
	make_pair(family, fds, 0);
	close(fds[1]);
	CHECK_ERR(rill_send_all(fds[0], "x", 1, 0, &done), EPIPE);
	CHECK(done == 0);
	CHECK_ERR(rill_msg_send(fds[0], "x", 1), EPIPE);
	CHECK_ERR(rill_msg_send(fds[0], NULL, 0), EPIPE);
}

static void test_reset(int family)
{
	char buf[8];
	int fds[2];

	make_pair(family, fds, 0);
	CHECK(rill_send_all(fds[0], "unread", 6, 0, NULL) == 6);
	close(fds[1]);
	CHECK_ERR(rill_recv_all(fds[0], buf, 8, 0, NULL), ECONNRESET);

	make_pair(family, fds, 0);
	CHECK(rill_send_all(fds[0], "unread", 6, 0, NULL) == 6);
	close(fds[1]);
	CHECK_ERR(rill_msg_recv(fds[0], buf, 8, NULL), ECONNRESET);
}

static void test_all_arguments(int family)
{
	int fds[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	size_t done = 99;
	char c = 0;

	CHECK(null >= 0);
	make_pair(family, fds, 0);
	CHECK(rill_send_all(fds[0], NULL, 0, 0, &done) == 0 && done == 0);
	done = 99;
	CHECK(rill_recv_all(fds[0], NULL, 0, 0, &done) == 0 && done == 0);
	CHECK_ERR(rill_send_all(fds[0], &c, (size_t)SSIZE_MAX + 1, 0, NULL), EINVAL);
	CHECK_ERR(rill_recv_all(fds[0], &c, (size_t)SSIZE_MAX + 1, 0, NULL), EINVAL);
	CHECK_ERR(rill_recv_all(fds[0], &c, 1, MSG_PEEK, &done), EINVAL);
	CHECK_ERR(rill_send_all(-1, &c, 1, 0, &done), EBADF);
	CHECK_ERR(rill_recv_all(-1, &c, 1, 0, &done), EBADF);
	CHECK_ERR(rill_msg_send(-1, &c, 1), EBADF);
	CHECK_ERR(rill_msg_recv(-1, &c, 1, &done), EBADF);
	CHECK_ERR(rill_send_all(null, &c, 1, 0, NULL), ENOTSOCK);
	CHECK_ERR(rill_recv_all(null, &c, 1, 0, NULL), ENOTSOCK);
	/* AF_UNIX has urgent data; AF_RILL refuses it. */
	if (family != AF_UNIX)
		CHECK_ERR(rill_send_all(fds[0], &c, 1, MSG_OOB, &done), EOPNOTSUPP);
}

/* ---- messages ---- */

static void test_msg_wire(int family)
{
	unsigned char buf[8];
	int fds[2];

	make_pair(family, fds, 0);
	CHECK(rill_msg_send(fds[0], "abc", 3) == 0);
	CHECK(rill_recv_all(fds[1], buf, 7, 0, NULL) == 7);
	CHECK(memcmp(buf, "\0\0\0\3abc", 7) == 0);
	CHECK(rill_msg_send(fds[0], NULL, 0) == 0);
	CHECK(rill_recv_all(fds[1], buf, 4, 0, NULL) == 4);
	CHECK(memcmp(buf, "\0\0\0\0", 4) == 0);
	CHECK_ERR(recv(fds[1], buf, 1, MSG_DONTWAIT), EAGAIN);
}

static void test_msg_lengths(int family)
{
	static const size_t lengths[] = {
		0, 1, 2, 3, 4, 5, 255, 256, 257, 4091, 4092, 4093, 4096, 65535,
		65536, 65537, 1000000,
	};
	unsigned char *data = new_pattern(1000000), *buf = malloc(1000000);
	size_t i, len;
	int fds[2];
	pid_t pid;

	CHECK(buf);
	make_pair(family, fds, 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(fds[1]);
		for (i = 0; i < TAP_COUNT(lengths); i++)
			CHECK(rill_msg_send(fds[0], data, lengths[i]) == 0);
		free(data);
		free(buf);
		exit(0);
	}
	close(fds[0]);
	for (i = 0; i < TAP_COUNT(lengths); i++) {
		/* Just enough room is enough. */
		CHECK(rill_msg_recv(fds[1], buf, lengths[i], &len) == 1);
		CHECK(len == lengths[i] && memcmp(buf, data, len) == 0);
	}
	CHECK(rill_msg_recv(fds[1], buf, 1000000, &len) == 0);
	CHECK(len == 0);
	tap_wait(pid);
	free(data);
	free(buf);
}

static void test_msg_too_long(int family)
{
	unsigned char *data = new_pattern(100000), buf[10];
	size_t len;
	int fds[2];

	make_pair(family, fds, 0);
	CHECK(rill_msg_send(fds[0], data, 11) == 0);
	CHECK(rill_msg_send(fds[0], "next", 4) == 0);
	CHECK_ERR(rill_msg_recv(fds[1], buf, 10, &len), EMSGSIZE);
	CHECK(len == 11);
	CHECK(rill_msg_recv(fds[1], buf, 10, &len) == 1);
	CHECK(len == 4 && memcmp(buf, "next", 4) == 0);

	/* Longer than any buffer inside, and with no room at all. */
	CHECK(rill_msg_send(fds[0], data, 100000) == 0);
	CHECK(rill_msg_send(fds[0], "", 0) == 0);
	CHECK_ERR(rill_msg_recv(fds[1], NULL, 0, &len), EMSGSIZE);
	CHECK(len == 100000);
	CHECK(rill_msg_recv(fds[1], NULL, 0, NULL) == 1);
	free(data);
#if SIZE_MAX > UINT32_MAX
	CHECK_ERR(rill_msg_send(fds[0], buf, (size_t)RILL_MSG_MAX + 1), EMSGSIZE);
	CHECK_ERR(recv(fds[1], buf, 1, MSG_DONTWAIT), EAGAIN);
#endif
}

/* The stream ends after @bytes of "length 5, hello". */
static void ends_after(int family, size_t bytes, size_t room, int err)
{
	char buf[16];
	size_t len;
	int fds[2];

	make_pair(family, fds, 0);
	CHECK(rill_send_all(fds[0], "\0\0\0\5hello", bytes, 0, NULL) ==
	      (ssize_t)bytes);
	close(fds[0]);
	if (err) {
		CHECK_ERR(rill_msg_recv(fds[1], buf, room, &len), err);
		return;
	}
	if (bytes) {
		CHECK(rill_msg_recv(fds[1], buf, room, &len) == 1);
		CHECK(len == 5 && memcmp(buf, "hello", 5) == 0);
	}
	CHECK(rill_msg_recv(fds[1], buf, room, &len) == 0);
}

static void test_msg_ends(int family)
{
	size_t bytes;

	ends_after(family, 0, 16, 0);
	for (bytes = 1; bytes < 9; bytes++)
		ends_after(family, bytes, 16, EPROTO);
	ends_after(family, 9, 16, 0);
	/* Also while a message that is too long is thrown away. */
	for (bytes = 4; bytes < 9; bytes++)
		ends_after(family, bytes, 2, EPROTO);
	ends_after(family, 9, 2, EMSGSIZE);
}

/* A message that comes byte by byte, to a non-blocking reader. */
static void test_msg_bytewise(int family)
{
	static const char wire[] = "\0\0\0\5hello";
	int fds[2], go[2];
	char buf[8], c;
	size_t len, i;
	pid_t pid;

	make_pair(family, fds, SOCK_NONBLOCK);
	CHECK(pipe(go) == 0);
	CHECK_ERR(rill_msg_recv(fds[1], buf, 8, &len), EAGAIN);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		storm_begin();
		for (i = 0; i < 9; i++) {
			CHECK(send(fds[0], wire + i, 1, 0) == 1);
			if (i == 0)
				CHECK(write(go[1], "", 1) == 1);
			/* Long enough for the reader to be asleep again. */
			storm_wait(5);
		}
		exit(0);
	}
	/* The first byte is there: from now on the call waits. */
	CHECK(read(go[0], &c, 1) == 1);
	CHECK(rill_msg_recv(fds[1], buf, 8, &len) == 1);
	CHECK(len == 5 && memcmp(buf, "hello", 5) == 0);
	tap_wait(pid);
	CHECK_ERR(rill_msg_recv(fds[1], buf, 8, &len), EAGAIN);
}

/* A message is sent as a whole or not at all. */
static void test_msg_full(int family)
{
	unsigned char *data = new_pattern(BULK), *buf = malloc(BULK);
	size_t filled = 0, done;
	int fds[2];

	CHECK(buf);
	make_pair(family, fds, SOCK_NONBLOCK);
	/* Large pieces, then single bytes, until not one more goes in. */
	rill_send_all(fds[0], data, BULK, MSG_DONTWAIT, &filled);
	do {
		errno = 0;
		rill_send_all(fds[0], data, 1, MSG_DONTWAIT, &done);
		filled += done;
	} while (done);
	CHECK(errno == EAGAIN);
	CHECK_ERR(rill_msg_send(fds[0], data, 10), EAGAIN);
	while (filled) {
		size_t n = filled < BULK ? filled : BULK;

		CHECK(rill_recv_all(fds[1], buf, n, MSG_DONTWAIT, NULL) ==
		      (ssize_t)n);
		filled -= n;
	}
	CHECK_ERR(recv(fds[1], buf, 1, 0), EAGAIN);
	CHECK(rill_msg_send(fds[0], data, 10) == 0);
	CHECK(rill_msg_recv(fds[1], buf, 10, &done) == 1 && done == 10);
	free(data);
	free(buf);
}

static void test_msg_timeouts(int family)
{
	unsigned char *data = new_pattern(BULK), buf[8];
	size_t len;
	int fds[2];

	make_pair(family, fds, 0);
	set_timeout(fds[0], SO_SNDTIMEO, 50);
	set_timeout(fds[1], SO_RCVTIMEO, 50);
	CHECK_ERR(rill_msg_recv(fds[1], buf, 8, &len), EAGAIN);
	CHECK(rill_send_all(fds[0], "\0\0", 2, 0, NULL) == 2);
	CHECK_ERR(rill_msg_recv(fds[1], buf, 8, &len), ETIMEDOUT);
	CHECK(rill_send_all(fds[0], "\0\0\0\3ab", 6, 0, NULL) == 6);
	CHECK_ERR(rill_msg_recv(fds[1], buf, 8, &len), ETIMEDOUT);
	/* More than fits, and nobody reads. */
	CHECK_ERR(rill_msg_send(fds[0], data, BULK), ETIMEDOUT);
	CHECK_ERR(rill_msg_send(fds[0], data, BULK), EAGAIN);
	free(data);
}

static const struct {
	const char *name;
	void (*run)(int family);
} stream_cases[] = {
	{ "send_all and recv_all move everything", test_bulk },
	{ "send_all and recv_all on non-blocking sockets", test_bulk_nonblock },
	{ "send_all and recv_all in a storm of signals", test_bulk_storm },
	{ "recv_all at the end of the stream", test_recv_all_eof },
	{ "recv_all with MSG_DONTWAIT", test_recv_all_dontwait },
	{ "send_all with MSG_DONTWAIT", test_send_all_dontwait },
	{ "send_all and recv_all with SO_SNDTIMEO, SO_RCVTIMEO", test_all_timeouts },
	{ "EPIPE without a signal", test_epipe },
	{ "ECONNRESET", test_reset },
	{ "arguments at their edges", test_all_arguments },
	{ "messages: what goes over the wire", test_msg_wire },
	{ "messages: many lengths", test_msg_lengths },
	{ "messages: too long, and in step afterwards", test_msg_too_long },
	{ "messages: the stream ends anywhere", test_msg_ends },
	{ "messages: byte by byte", test_msg_bytewise },
	{ "messages: all or nothing when the socket is full", test_msg_full },
	{ "messages: time-outs", test_msg_timeouts },
	{ "messages in a storm of signals", test_msg_storm },
};

static inline void run_stream_cases(int family, const char *suffix)
{
	size_t i;

	for (i = 0; i < TAP_COUNT(stream_cases); i++) {
		struct tap_case c = { stream_cases[i].name, stream_cases[i].run,
				      family };

		tap_run(&c, 1, suffix);
	}
}

#endif /* RILL_TESTS_STREAM_CASES_H */
