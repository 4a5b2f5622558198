// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every way to wait, on sockets that were moved or will be: the masks of signals,
 * the timeouts, sets that are older than the connection.
 */
#define _GNU_SOURCE
#include "run_test.h"

enum { POLL, PPOLL, SELECT, PSELECT, EPOLL, EPOLL_PWAIT, EPOLL_PWAIT2, WAYS };

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	(void)sig;
	signals = signals + 1;
}

static int pwait2(int e, struct epoll_event *got, int n, const struct timespec *ts,
		  const sigset_t *mask)
{
#if __GLIBC_PREREQ(2, 35)
	return epoll_pwait2(e, got, n, ts, mask);
#else
	return syscall(SYS_epoll_pwait2, e, got, n, ts, mask, 8);
#endif
}

/* Wait until fd can be read; 1, 0 at the end of ms, -1. */
static int wait_way(int way, int e, int fd, int ms, const sigset_t *mask)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct epoll_event got = { 0 };
	fd_set set;
	int n;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	switch (way) {
	case POLL:
		return poll(&pfd, 1, ms);
	case PPOLL:
		return ppoll(&pfd, 1, &ts, mask);
	case SELECT:
		return select(fd + 1, &set, NULL, NULL, &tv);
	case PSELECT:
		return pselect(fd + 1, &set, NULL, NULL, &ts, mask);
	case EPOLL:
		n = epoll_wait(e, &got, 1, ms);
		break;
	case EPOLL_PWAIT:
		n = epoll_pwait(e, &got, 1, ms, mask);
		break;
	default:
		n = pwait2(e, &got, 1, &ts, mask);
	}
	CHECK(n <= 0 || (got.events == EPOLLIN && got.data.fd == fd));
	return n;
}

/* A listener, one end of a connection, and a datagram socket, in all ways. */
static void all_ways(int kind)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int e = epoll_create1(0), l, c, s, d, u;
	struct address a, to;
	char byte;

	l = listener(kind, SOCK_STREAM, &a);
	c = client(SOCK_STREAM, &a);
	s = accept(l, NULL, NULL);
	CHECK(raw_domain(c) == family && raw_domain(s) == family);
	ev.data.fd = l;
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, l, &ev) == 0);
	ev.data.fd = s;
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, s, &ev) == 0);
	for (int way = 0; way < WAYS; way++) {
		CHECK(wait_way(way, e, s, 0, NULL) == 0);
		CHECK(wait_way(way, e, s, 5, NULL) == 0);
		CHECK(write(c, "x", 1) == 1);
		CHECK(wait_way(way, e, s, WAIT_MS, NULL) == 1);
		CHECK(read(s, &byte, 1) == 1);
		CHECK(wait_way(way, e, l, 5, NULL) == 0);
		d = client(SOCK_STREAM, &a);
		CHECK(raw_domain(d) == family);
		CHECK(wait_way(way, e, l, WAIT_MS, NULL) == 1);
		CHECK(close(accept(l, NULL, NULL)) == 0);
		close(d);
	}
	if (kind == PATH)
		unlink(a.un.sun_path);
	close(e);
	e = epoll_create1(0);
	u = bound(kind, SOCK_DGRAM, &to);
	ev.data.fd = u;
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, u, &ev) == 0);
	d = socket(to.sa.sa_family, SOCK_DGRAM, 0);
	for (int way = 0; way < WAYS; way++) {
		CHECK(wait_way(way, e, u, 5, NULL) == 0);
		CHECK(sendto(d, "x", 1, 0, &to.sa, to.len) == 1);
		CHECK(wait_way(way, e, u, WAIT_MS, NULL) == 1);
		CHECK(recv(u, &byte, 1, 0) == 1);
	}
	CHECK(counted("run_sent_rill") == WAYS);
	if (kind == PATH)
		unlink(to.un.sun_path);
}

/* A signal that is let in only while the call waits ends it, and no other does. */
static void masks(int way)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct epoll_event ev = { .events = EPOLLIN };
	sigset_t blocked, open;
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), e = epoll_create1(0);

	ev.data.fd = l;
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, l, &ev) == 0);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &blocked, &open) == 0);
	kill(getpid(), SIGUSR1);
	CHECK(wait_way(way, e, l, 5, &blocked) == 0 && !signals);
	CHECK_ERR(wait_way(way, e, l, WAIT_MS, &open), EINTR);
	CHECK(signals == 1);
	/* What can be read goes first, or the signal does: but nothing is lost. */
	close(client(SOCK_STREAM, &a));
	CHECK(wait_way(way, e, l, WAIT_MS, &open) == 1);
}

/* In a set before it is bound or connected; its number and its data stay. */
static void set_before(int kind)
{
	struct epoll_event ev = { .events = EPOLLIN }, got;
	struct timespec ts = { .tv_sec = WAIT_MS / 1000 };
	int e = epoll_create1(0), l, c, s, d;
	struct address a;

	address(&a, kind);
	l = socket(a.sa.sa_family, SOCK_STREAM, 0);
	c = socket(a.sa.sa_family, SOCK_STREAM, 0);
	d = l > c ? l : c;
	/* An unbound socket of TCP shows EPOLLHUP at once: only input is asked later. */
	ev.events = EPOLLIN | EPOLLONESHOT;
	ev.data.u64 = 0xfeedfacecafe0000ull;
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, l, &ev) == 0);
	ev.data.u64++;
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, c, &ev) == 0);
	CHECK(bind(l, &a.sa, a.len) == 0);
	CHECK(listen(l, 4) == 0);
	CHECK(getsockname(l, &a.sa, &a.len) == 0);
	if (kind == ANY6)
		a.in6.sin6_addr = in6addr_loopback;
	CHECK(connect(c, &a.sa, a.len) == 0);
	CHECK(raw_domain(c) == family);
	/* No number was used up that the program can see. */
	s = dup(0);
	CHECK(s == d + 1);
	close(s);
	ev.data.u64 = 0xfeedfacecafe0000ull;
	CHECK(epoll_ctl(e, EPOLL_CTL_MOD, l, &ev) == 0);
	CHECK(pwait2(e, &got, 1, &ts, NULL) == 1);
	CHECK(got.events == EPOLLIN && got.data.u64 == ev.data.u64);
	s = accept(l, NULL, NULL);
	ev.data.u64++;
	CHECK(epoll_ctl(e, EPOLL_CTL_MOD, c, &ev) == 0);
	CHECK(epoll_wait(e, &got, 1, 0) == 0);
	CHECK(write(s, "x", 1) == 1);
	CHECK(epoll_pwait(e, &got, 1, WAIT_MS, NULL) == 1);
	CHECK(got.events == EPOLLIN && got.data.u64 == ev.data.u64);
	CHECK(epoll_wait(e, &got, 1, 0) == 0);	/* once */
	CHECK(epoll_ctl(e, EPOLL_CTL_DEL, c, NULL) == 0);
	CHECK_ERR(epoll_ctl(e, EPOLL_CTL_DEL, c, NULL), ENOENT);
	CHECK(epoll_ctl(e, EPOLL_CTL_DEL, l, NULL) == 0);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* More sets than are remembered: the socket stays, and works. */
static void many_sets(int arg)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 9 }, got;
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), e[5], c, s;

	(void)arg;
	c = socket(AF_INET, SOCK_STREAM, 0);
	for (int i = 0; i < 5; i++) {
		e[i] = epoll_create1(0);
		CHECK(epoll_ctl(e[i], EPOLL_CTL_ADD, c, &ev) == 0);
	}
	CHECK(connect(c, &a.sa, a.len) == 0);
	CHECK(raw_domain(c) == AF_INET && counted("run_not_epoll") == 1);
	s = accept(l, NULL, NULL);
	CHECK(write(s, "x", 1) == 1);
	for (int i = 0; i < 5; i++)
		CHECK(epoll_wait(e[i], &got, 1, WAIT_MS) == 1 && got.data.u64 == 9);
}

/* Lists with more than the listener in them. */
static void lists(int arg)
{
	struct timeval tv = { .tv_sec = 0 };
	struct address a, b;
	int l = listener(TCP4, SOCK_STREAM, &a), m = listener(ABSTRACT, SOCK_STREAM, &b);
	int c = client(SOCK_STREAM, &a);
	struct pollfd pfds[] = {
		{ .fd = -1, .events = POLLIN },
		{ .fd = l, .events = POLLOUT },
		{ .fd = l, .events = POLLIN | POLLRDNORM },
		{ .fd = m, .events = POLLIN },
		{ .fd = c, .events = POLLIN | POLLOUT },
		{ .fd = l, .events = POLLIN },
		{ .fd = 99, .events = POLLIN },
	};
	fd_set in, out, except;

	(void)arg;
	CHECK(poll(pfds, TAP_COUNT(pfds), WAIT_MS) == 4);
	CHECK(!pfds[0].revents && !pfds[1].revents && !pfds[3].revents);
	CHECK(pfds[2].revents == (POLLIN | POLLRDNORM) && pfds[4].revents == POLLOUT);
	CHECK(pfds[5].revents == POLLIN && pfds[6].revents == POLLNVAL);
	FD_ZERO(&in);
	FD_ZERO(&except);
	FD_SET(l, &in);
	FD_SET(m, &in);
	FD_SET(c, &in);
	FD_SET(l, &except);
	out = in;
	CHECK(select(c + 1, &in, &out, &except, &tv) == 2);
	CHECK(FD_ISSET(l, &in) && !FD_ISSET(m, &in) && !FD_ISSET(c, &in));
	CHECK(!FD_ISSET(l, &out) && FD_ISSET(c, &out) && !FD_ISSET(l, &except));
	FD_SET(99, &in);
	CHECK_ERR(select(100, &in, NULL, NULL, &tv), EBADF);
}

const struct tap_case wait_cases[] = {
	{ "TCP, all ways to wait",		all_ways, TCP4 },
	{ "path, all ways to wait",		all_ways, PATH },
	{ "ppoll() lets a signal in",		masks, PPOLL },
	{ "pselect() lets a signal in",		masks, PSELECT },
	{ "epoll_pwait() lets a signal in",	masks, EPOLL_PWAIT },
	{ "epoll_pwait2() lets a signal in",	masks, EPOLL_PWAIT2 },
	{ "TCP, in epoll before all else",	set_before, TCP4 },
	{ "IPv6, in epoll before all else",	set_before, ANY6 },
	{ "path, in epoll before all else",	set_before, PATH },
	{ "abstract, in epoll before all else",	set_before, ABSTRACT },
	{ "in five epoll sets",			many_sets, 0 },
	{ "lists with others in them",		lists, 0 },
};

const size_t wait_count = TAP_COUNT(wait_cases);
