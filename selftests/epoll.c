// SPDX-License-Identifier: GPL-2.0-only
/*
 * epoll: level- and edge-triggered, ONESHOT, EXCLUSIVE, nested; and that an
 * edge-triggered program never waits for an event that has been.
 */
#include "rill_test.h"

FIXTURE(epoll)
{
	int fd[2];
	int ep;
};

FIXTURE_VARIANT(epoll)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(epoll, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(epoll, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(epoll, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(epoll, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(epoll)
{
	ASSERT_EQ(0, rt_pair(variant->family, variant->type | SOCK_NONBLOCK,
			     self->fd));
	self->ep = SYS(epoll_create1(EPOLL_CLOEXEC));
	ASSERT_LE(0, self->ep);
}

FIXTURE_TEARDOWN(epoll)
{
	close(self->ep);
	close(self->fd[0]);
	close(self->fd[1]);
}

static int ep_ctl(int ep, int op, int fd, unsigned int events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	return SYS(epoll_ctl(ep, op, fd, &ev));
}

/* One event: its bits, 0 if there is none within ms. */
static long ep_wait(int ep, int ms)
{
	struct epoll_event ev = { };
	int n;

	n = epoll_pwait(ep, &ev, 1, ms, NULL);
	return n < 0 ? -errno : n ? (long)ev.events : 0;
}

static long ep_wait_thread(void *arg)
{
	return ep_wait(*(int *)arg, RT_WAIT_MS);
}

TEST_F(epoll, level)
{
	char b;

	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->fd[1],
			    EPOLLIN | EPOLLRDHUP));
	EXPECT_EQ(0, ep_wait(self->ep, 0));
	ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, 0)));
	ASSERT_EQ(1, SYS(send(self->fd[0], "c", 1, 0)));
	EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
	EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
	ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));
	EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
	while (recv(self->fd[1], &b, 1, 0) > 0)
		;
	EXPECT_EQ(0, ep_wait(self->ep, 0));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(EPOLLIN | EPOLLRDHUP | EPOLLHUP, ep_wait(self->ep, 0));
	EXPECT_EQ(EPOLLIN | EPOLLRDHUP | EPOLLHUP, ep_wait(self->ep, 0));
}

/* Each send is an event, also on a ring that was not empty. */
TEST_F(epoll, edge_each_send)
{
	char b[64];
	int i;

	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->fd[1],
			    EPOLLIN | EPOLLET));
	EXPECT_EQ(0, ep_wait(self->ep, 0));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, 0)));
		EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
		EXPECT_EQ(0, ep_wait(self->ep, 0));
	}
	/* Reading a part of it is no event, and the next send is one again. */
	ASSERT_EQ(1, SYS(recv(self->fd[1], b, 1, 0)));
	EXPECT_EQ(0, ep_wait(self->ep, 0));
	ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, 0)));
	EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
	while (recv(self->fd[1], b, sizeof(b), 0) > 0)
		;
	EXPECT_EQ(0, ep_wait(self->ep, 0));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
}

/* The same for somebody who sleeps in epoll_wait(). */
TEST_F(epoll, edge_wakes_on_a_ring_not_empty)
{
	struct rt_thread t;
	int i;

	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->fd[1],
			    EPOLLIN | EPOLLET));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, rt_thread_start(&t, ep_wait_thread, &self->ep));
		ASSERT_TRUE(rt_thread_sleeps(&t, SYS_epoll_pwait));
		ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
		ASSERT_TRUE(rt_thread_join(&t));
		EXPECT_EQ(EPOLLIN, t.ret);
	}
}

/* Each way the connection may end is an edge. */
TEST_F(epoll, edge_ends)
{
	char b;

	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->fd[1],
			    EPOLLIN | EPOLLRDHUP | EPOLLET));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	EXPECT_EQ(EPOLLIN | EPOLLRDHUP, ep_wait(self->ep, 0));
	EXPECT_EQ(0, ep_wait(self->ep, 0));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(EPOLLIN | EPOLLRDHUP | EPOLLHUP, ep_wait(self->ep, 0));
	EXPECT_EQ(0, ep_wait(self->ep, 0));
	ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));
	ASSERT_EQ(0, SYS(recv(self->fd[1], &b, 1, 0)));
}

/* A reset is told without being asked for. */
TEST_F(epoll, reset)
{
	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->fd[1], EPOLLET));
	ASSERT_EQ(1, SYS(send(self->fd[1], "x", 1, 0)));
	ep_wait(self->ep, 0);
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(EPOLLERR | EPOLLHUP, ep_wait(self->ep, RT_WAIT_MS));
}

/* A writer that waits for the edge gets it once the reader has drained. */
TEST_F(epoll, edge_output_after_drain)
{
	int i;

	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->fd[0],
			    EPOLLOUT | EPOLLET));
	EXPECT_EQ(EPOLLOUT, ep_wait(self->ep, 0));
	for (i = 0; i < 10; i++) {
		ASSERT_LT(0, rt_fill(self->fd[0], i & 1 ? 1000 : 37));
		while (ep_wait(self->ep, 0))
			;
		EXPECT_EQ(0, ep_wait(self->ep, 0));
		ASSERT_LT(0, rt_drain(self->fd[1], i & 1 ? 37 : 4096));
		EXPECT_EQ(EPOLLOUT, ep_wait(self->ep, 0));
	}
}

/* And so it does if it sleeps, and if the reader takes its time. */
TEST_F(epoll, edge_output_wakes)
{
	struct rt_thread t;
	char buf[2000];

	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->fd[0],
			    EPOLLOUT | EPOLLET));
	ASSERT_LT(0, rt_fill(self->fd[0], 1000));
	while (ep_wait(self->ep, 0))
		;
	ASSERT_EQ(0, rt_thread_start(&t, ep_wait_thread, &self->ep));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_epoll_pwait));
	while (recv(self->fd[1], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(EPOLLOUT, t.ret);
	EXPECT_LT(0, SYS(send(self->fd[0], buf, 1000, 0)));
}

TEST_F(epoll, oneshot)
{
	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->fd[1],
			    EPOLLIN | EPOLLONESHOT));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
	ASSERT_EQ(1, SYS(send(self->fd[0], "y", 1, 0)));
	EXPECT_EQ(0, ep_wait(self->ep, 0));
	/* Armed again, it tells what is there. */
	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_MOD, self->fd[1],
			    EPOLLIN | EPOLLONESHOT | EPOLLET));
	EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
	ASSERT_EQ(1, SYS(send(self->fd[0], "z", 1, 0)));
	EXPECT_EQ(0, ep_wait(self->ep, 0));
}

TEST_F(epoll, nested)
{
	struct rt_thread t;
	int outer, top;
	char b;

	outer = SYS(epoll_create1(EPOLL_CLOEXEC));
	top = SYS(epoll_create1(EPOLL_CLOEXEC));
	ASSERT_LE(0, outer);
	ASSERT_LE(0, top);
	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->fd[1], EPOLLIN));
	ASSERT_EQ(0, ep_ctl(outer, EPOLL_CTL_ADD, self->ep, EPOLLIN));
	ASSERT_EQ(0, ep_ctl(top, EPOLL_CTL_ADD, outer, EPOLLIN | EPOLLET));
	EXPECT_EQ(0, ep_wait(top, 0));
	EXPECT_EQ(0, rt_events(outer, POLLIN));

	ASSERT_EQ(0, rt_thread_start(&t, ep_wait_thread, &top));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_epoll_pwait));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(EPOLLIN, t.ret);
	EXPECT_EQ(EPOLLIN, ep_wait(outer, 0));
	EXPECT_EQ(POLLIN, rt_events(outer, POLLIN));
	EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));

	/* On a ring that is not empty, too: nested entries count as waiters. */
	EXPECT_EQ(0, ep_wait(top, 0));
	ASSERT_EQ(0, rt_thread_start(&t, ep_wait_thread, &top));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_epoll_pwait));
	ASSERT_EQ(1, SYS(send(self->fd[0], "y", 1, 0)));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(EPOLLIN, t.ret);

	ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));
	if (variant->type == SOCK_STREAM)
		ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));
	rt_drain(self->fd[1], 16);
	EXPECT_EQ(0, ep_wait(outer, 0));
	close(top);
	close(outer);
}

/* A socket that closes leaves the set, asleep or not. */
TEST_F(epoll, closed_leaves_the_set)
{
	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->fd[1], EPOLLIN));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
	ASSERT_EQ(0, SYS(close(self->fd[1])));
	EXPECT_EQ(0, ep_wait(self->ep, 0));
	EXPECT_EQ(-EBADF, ep_ctl(self->ep, EPOLL_CTL_DEL, self->fd[1], 0));
	self->fd[1] = -1;
}

/* The peer goes on writing while the set goes. */
TEST_F(epoll, set_closes_first)
{
	int i;

	for (i = 0; i < 100; i++) {
		int ep = SYS(epoll_create1(0));

		ASSERT_LE(0, ep);
		ASSERT_EQ(0, ep_ctl(ep, EPOLL_CTL_ADD, self->fd[1],
				    EPOLLIN | EPOLLET));
		ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
		ASSERT_EQ(0, SYS(close(ep)));
		ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
		rt_drain(self->fd[1], 16);
	}
}

/* EPOLLOUT of a socket that was never connected, then of its connection. */
TEST_F(epoll, added_before_connect)
{
	struct rt_addr a = { .len = 0 };
	int fd, lfd;

	lfd = rt_listener(variant->family, variant->type, 1, &a);
	ASSERT_LE(0, lfd);
	fd = rt_socket(variant->family, variant->type | SOCK_NONBLOCK);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT));
	EXPECT_EQ(EPOLLOUT | EPOLLHUP, ep_wait(self->ep, 0));
	ASSERT_EQ(0, rt_connect(fd, &a));
	EXPECT_EQ(EPOLLOUT, ep_wait(self->ep, 0));
	close(fd);
	close(lfd);
}

/* ---- many waiters on one listener ------------------------------------------------- */

struct waiter {
	struct rt_thread t;
	int ep;
};

/* With EPOLLEXCLUSIVE one connection wakes one of the sets. */
TEST_F(epoll, exclusive)
{
	struct waiter w[4];
	struct rt_addr a = { .len = 0 };
	int awake = -1, next = -1, fd, i, lfd, second = -1;

	lfd = rt_listener(variant->family, variant->type | SOCK_NONBLOCK, 8, &a);
	ASSERT_LE(0, lfd);
	for (i = 0; i < 4; i++) {
		w[i].ep = SYS(epoll_create1(EPOLL_CLOEXEC));
		ASSERT_LE(0, w[i].ep);
		ASSERT_EQ(0, ep_ctl(w[i].ep, EPOLL_CTL_ADD, lfd,
				    EPOLLIN | EPOLLEXCLUSIVE));
		ASSERT_EQ(0, rt_thread_start(&w[i].t, ep_wait_thread, &w[i].ep));
		ASSERT_TRUE(rt_thread_sleeps(&w[i].t, SYS_epoll_pwait));
	}
	fd = rt_client(variant->family, variant->type, &a);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(RT_UNTIL(({
		for (i = 0; i < 4 && awake < 0; i++) {
			if (rt_thread_done(&w[i].t))
				awake = i;
		}
		awake >= 0;
	})));
	EXPECT_EQ(EPOLLIN, w[awake].t.ret);
	for (i = 0; i < 4; i++) {
		if (i != awake)
			EXPECT_TRUE(rt_thread_sleeps(&w[i].t, SYS_epoll_pwait));
	}
	/* Nobody has accepted it: the next connection wakes the next set. */
	second = rt_client(variant->family, variant->type, &a);
	ASSERT_LE(0, second);
	ASSERT_TRUE(RT_UNTIL(({
		for (i = 0; i < 4 && next < 0; i++) {
			if (i != awake && rt_thread_done(&w[i].t))
				next = i;
		}
		next >= 0;
	})));
	EXPECT_EQ(EPOLLIN, w[next].t.ret);
	/* The end wakes all. */
	ASSERT_EQ(0, SYS(shutdown(lfd, SHUT_RDWR)));
	for (i = 0; i < 4; i++) {
		if (i == awake || i == next)
			continue;
		ASSERT_TRUE(rt_thread_join(&w[i].t));
		EXPECT_EQ(EPOLLIN, w[i].t.ret & EPOLLIN);
	}
	for (i = 0; i < 4; i++)
		close(w[i].ep);
	close(fd);
	close(second);
	close(lfd);
}

/* Edge-triggered, each connection is an event. */
TEST_F(epoll, edge_listener)
{
	struct rt_addr a = { .len = 0 };
	int fd[3], i, lfd;

	lfd = rt_listener(variant->family, variant->type | SOCK_NONBLOCK, 8, &a);
	ASSERT_LE(0, lfd);
	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, lfd, EPOLLIN | EPOLLET));
	for (i = 0; i < 3; i++) {
		fd[i] = rt_client(variant->family, variant->type, &a);
		ASSERT_LE(0, fd[i]);
		EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
		EXPECT_EQ(0, ep_wait(self->ep, 0));
	}
	for (i = 0; i < 3; i++) {
		int sfd = SYS(accept(lfd, NULL, NULL));

		ASSERT_LE(0, sfd);
		close(sfd);
		close(fd[i]);
	}
	EXPECT_EQ(0, ep_wait(self->ep, 0));
	EXPECT_EQ(-EAGAIN, SYS(accept(lfd, NULL, NULL)));
	close(lfd);
}

/* ---- throughput: a lost event is a hang ------------------------------------------ */

#define STRESS_BYTES	(4 << 20)

struct pump {
	int fd;
	unsigned int seed;
};

static unsigned int rnd(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 8) % n;
}

static unsigned char pattern(long pos)
{
	return (unsigned char)(pos ^ (pos >> 8) ^ (pos >> 16));
}

/* Writes until EAGAIN, then waits for the edge. */
static long pump_out(void *arg)
{
	struct pump *p = arg;
	int ep = SYS(epoll_create1(0)), err;
	unsigned char buf[5000];
	long pos = 0;

	err = ep_ctl(ep, EPOLL_CTL_ADD, p->fd, EPOLLOUT | EPOLLET);
	while (!err && pos < STRESS_BYTES) {
		long i, len = 1 + rnd(&p->seed, sizeof(buf) - 1), n;

		if (len > STRESS_BYTES - pos)
			len = STRESS_BYTES - pos;
		for (i = 0; i < len; i++)
			buf[i] = pattern(pos + i);
		n = SYS(send(p->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT));
		if (n > 0)
			pos += n;
		else if (n != -EAGAIN)
			err = n;
		else if (!ep_wait(ep, RT_WAIT_MS))
			err = -ETIMEDOUT;
	}
	close(ep);
	return err;
}

/* Reads until EAGAIN, then waits for the edge. */
static long pump_in(void *arg)
{
	struct pump *p = arg;
	int ep = SYS(epoll_create1(0)), err;
	unsigned char buf[8000];
	long pos = 0;

	err = ep_ctl(ep, EPOLL_CTL_ADD, p->fd, EPOLLIN | EPOLLET);
	while (!err && pos < STRESS_BYTES) {
		long i, n;

		/* A message must not be cut: seqpacket reads in full. */
		n = SYS(recv(p->fd, buf, sizeof(buf), MSG_DONTWAIT));
		for (i = 0; i < n; i++) {
			if (buf[i] != pattern(pos + i))
				err = -EBADMSG;
		}
		if (n > 0)
			pos += n;
		else if (!n)
			err = -ENODATA;
		else if (n != -EAGAIN)
			err = n;
		else if (!ep_wait(ep, RT_WAIT_MS))
			err = -ETIMEDOUT;
	}
	close(ep);
	return err;
}

TEST_F_TIMEOUT(epoll, edge_both_ends, 120)
{
	static const int sizes[] = { 1, 10000, 0 };
	struct pump out = { .fd = self->fd[0], .seed = 1 };
	struct pump in = { .fd = self->fd[1], .seed = 2 };
	struct rt_thread t[2];
	size_t k;

	for (k = 0; k < ARRAY_SIZE(sizes); k++) {
		int fd[2];

		/* Messages of 5000 bytes do not fit into AF_UNIX's smallest buffer. */
		if (variant->type == SOCK_SEQPACKET && sizes[k] == 1)
			continue;
		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		if (sizes[k]) {
			ASSERT_EQ(0, rt_set_int(fd[0], SOL_SOCKET, SO_SNDBUF,
						sizes[k]));
			ASSERT_EQ(0, rt_set_int(fd[1], SOL_SOCKET, SO_RCVBUF,
						sizes[k]));
		}
		out.fd = fd[0];
		in.fd = fd[1];
		ASSERT_EQ(0, rt_thread_start(&t[0], pump_out, &out));
		ASSERT_EQ(0, rt_thread_start(&t[1], pump_in, &in));
		ASSERT_TRUE(rt_thread_join(&t[0]) || rt_thread_join(&t[0]));
		ASSERT_TRUE(rt_thread_join(&t[1]));
		EXPECT_EQ(0, t[0].ret);
		EXPECT_EQ(0, t[1].ret);
		close(fd[0]);
		close(fd[1]);
	}
}

#define SERVED	50
#define ROUNDS	20

static long serve_epoll(void *arg)
{
	int lfd = *(int *)arg, ep, left = SERVED;
	long err;

	ep = SYS(epoll_create1(0));
	err = ep_ctl(ep, EPOLL_CTL_ADD, lfd, EPOLLIN);
	while (!err && left) {
		struct epoll_event ev;
		char buf[256];
		long n;
		int fd;

		n = epoll_wait(ep, &ev, 1, RT_WAIT_MS);
		if (n != 1) {
			err = -ETIMEDOUT;
			break;
		}
		if (ev.data.fd == lfd) {
			fd = SYS(accept4(lfd, NULL, NULL, SOCK_NONBLOCK));
			if (fd >= 0)
				err = ep_ctl(ep, EPOLL_CTL_ADD, fd,
					     EPOLLIN | EPOLLRDHUP);
			continue;
		}
		fd = ev.data.fd;
		n = SYS(recv(fd, buf, sizeof(buf), 0));
		if (n > 0)
			err = rt_send_all(fd, buf, n);
		else if (n == -EAGAIN)
			continue;
		else if (n < 0)
			err = n;
		if (n <= 0) {
			close(fd);
			left--;
		}
	}
	close(ep);
	return err;
}

/* One epoll server, fifty clients, a backlog of one. */
TEST_F_TIMEOUT(epoll, server, 60)
{
	struct rt_addr a = { .len = 0 };
	struct rt_thread t;
	int fd[SERVED], i, lfd, round;

	lfd = rt_listener(variant->family, variant->type | SOCK_NONBLOCK, 1, &a);
	ASSERT_LE(0, lfd);
	ASSERT_EQ(0, rt_thread_start(&t, serve_epoll, &lfd));
	for (i = 0; i < SERVED; i++) {
		fd[i] = rt_client(variant->family, variant->type, &a);
		ASSERT_LE(0, fd[i]);
	}
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < SERVED; i++) {
			int v = i * 1000 + round;

			ASSERT_EQ(0, rt_send_all(fd[i], &v, sizeof(v)));
		}
		for (i = 0; i < SERVED; i++) {
			int v = -1;

			ASSERT_EQ(0, rt_recv_all(fd[i], &v, sizeof(v)));
			EXPECT_EQ(i * 1000 + round, v);
		}
	}
	for (i = 0; i < SERVED; i++)
		close(fd[i]);
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(0, t.ret);
	close(lfd);
}

/* ---- a connector in line: AF_UNIX has none ---------------------------------------- */

FIXTURE(line)
{
	struct rt_addr addr;
	int ep, fd, filler, lfd;
};

FIXTURE_VARIANT(line)
{
	int type;
	unsigned int edge;
};

FIXTURE_VARIANT_ADD(line, stream_level)
{
	.type = SOCK_STREAM, .edge = 0,
};

FIXTURE_VARIANT_ADD(line, stream_edge)
{
	.type = SOCK_STREAM, .edge = EPOLLET,
};

FIXTURE_VARIANT_ADD(line, seqpacket_edge)
{
	.type = SOCK_SEQPACKET, .edge = EPOLLET,
};

FIXTURE_SETUP(line)
{
	self->lfd = rt_listener(RT_RILL, variant->type, 0, &self->addr);
	ASSERT_LE(0, self->lfd);
	self->filler = rt_client(RT_RILL, variant->type, &self->addr);
	ASSERT_LE(0, self->filler);
	self->ep = SYS(epoll_create1(EPOLL_CLOEXEC));
	ASSERT_LE(0, self->ep);
	self->fd = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
	ASSERT_LE(0, self->fd);
	/* In the set before it is connected, as an event loop would have it. */
	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->fd,
			    EPOLLIN | EPOLLOUT | EPOLLRDHUP | variant->edge));
	EXPECT_EQ(EPOLLOUT | EPOLLHUP, ep_wait(self->ep, 0));
	ASSERT_EQ(-EINPROGRESS, rt_connect(self->fd, &self->addr));
	EXPECT_EQ(0, ep_wait(self->ep, 0));
}

FIXTURE_TEARDOWN(line)
{
	close(self->ep);
	close(self->fd);
	close(self->filler);
	close(self->lfd);
}

TEST_F(line, admitted)
{
	struct rt_thread t;
	int sfd;

	ASSERT_EQ(0, rt_thread_start(&t, ep_wait_thread, &self->ep));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_epoll_pwait));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(EPOLLOUT, t.ret);
	EXPECT_EQ(variant->edge ? 0 : EPOLLOUT, ep_wait(self->ep, 0));
	EXPECT_EQ(0, rt_connect(self->fd, &self->addr));
	close(sfd);
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	ASSERT_EQ(1, SYS(send(sfd, "x", 1, 0)));
	EXPECT_EQ(EPOLLIN | EPOLLOUT, ep_wait(self->ep, 0));
	close(sfd);
}

TEST_F(line, refused)
{
	struct rt_thread t;

	ASSERT_EQ(0, rt_thread_start(&t, ep_wait_thread, &self->ep));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_epoll_pwait));
	ASSERT_EQ(0, SYS(close(self->lfd)));
	self->lfd = -1;
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(EPOLLERR | EPOLLHUP | EPOLLOUT, t.ret);
	EXPECT_EQ(ECONNREFUSED, rt_so_error(self->fd));
}

/* ---- datagrams ---------------------------------------------------------------- */

FIXTURE(dgram)
{
	int ep, rx, tx;
};

FIXTURE_VARIANT(dgram)
{
	enum rt_family family;
};

FIXTURE_VARIANT_ADD(dgram, rill)
{
	.family = RT_RILL,
};

FIXTURE_VARIANT_ADD(dgram, unix)
{
	.family = RT_UNIX,
};

FIXTURE_SETUP(dgram)
{
	struct rt_addr a = { .len = 0 };

	self->ep = SYS(epoll_create1(EPOLL_CLOEXEC));
	ASSERT_LE(0, self->ep);
	self->rx = rt_bound(variant->family, SOCK_DGRAM | SOCK_NONBLOCK, &a);
	ASSERT_LE(0, self->rx);
	self->tx = rt_client(variant->family, SOCK_DGRAM | SOCK_NONBLOCK, &a);
	ASSERT_LE(0, self->tx);
}

FIXTURE_TEARDOWN(dgram)
{
	close(self->ep);
	close(self->rx);
	close(self->tx);
}

TEST_F(dgram, edge_each_message)
{
	char b;
	int i;

	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->rx,
			    EPOLLIN | EPOLLET));
	EXPECT_EQ(0, ep_wait(self->ep, 0));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1, SYS(send(self->tx, "x", 1, 0)));
		EXPECT_EQ(EPOLLIN, ep_wait(self->ep, 0));
		EXPECT_EQ(0, ep_wait(self->ep, 0));
	}
	ASSERT_EQ(1, SYS(recv(self->rx, &b, 1, 0)));
	EXPECT_EQ(0, ep_wait(self->ep, 0));
}

TEST_F(dgram, edge_output_after_drain)
{
	struct rt_thread t;
	int i;

	ASSERT_EQ(0, ep_ctl(self->ep, EPOLL_CTL_ADD, self->tx,
			    EPOLLOUT | EPOLLET));
	EXPECT_EQ(EPOLLOUT, ep_wait(self->ep, 0));
	for (i = 0; i < 5; i++) {
		ASSERT_LT(0, rt_fill(self->tx, 300));
		/* Asked while full, so that it is known to wait. */
		EXPECT_EQ(0, rt_events(self->tx, POLLOUT));
		while (ep_wait(self->ep, 0))
			;
		ASSERT_EQ(0, rt_thread_start(&t, ep_wait_thread, &self->ep));
		ASSERT_TRUE(rt_thread_sleeps(&t, SYS_epoll_pwait));
		ASSERT_LT(0, rt_drain(self->rx, 300));
		ASSERT_TRUE(rt_thread_join(&t));
		EXPECT_EQ(EPOLLOUT, t.ret);
	}
}

TEST_HARNESS_MAIN
