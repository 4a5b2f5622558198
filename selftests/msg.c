// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: datagrams and seqpacket.  Boundaries, room, who may send to whom,
 * and what is left when the other side goes.
 */
#include "rill_test_data.h"

#include <sys/epoll.h>

static char sink;

/* ---- both types, as ends of a pair ------------------------------------- */

FIXTURE(pair)
{
	int fd[2];
};

FIXTURE_VARIANT(pair)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(pair, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(pair, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(pair, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(pair, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(pair)
{
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
}

FIXTURE_TEARDOWN(pair)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

static const int sizes[] = {
	0, 1, 2, 31, 32, 511, 512, 513, 1000, 4095, 4096, 4097, 8192, 10000,
	32768, 65536, 100000,
};

TEST_F(pair, boundaries)
{
	char *buf = malloc(200000), *in = malloc(200000);
	unsigned int i;
	int dir;

	for (dir = 0; dir < 2; dir++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			rd_fill(buf, sizes[i], i, 0);
			ASSERT_EQ(sizes[i], SYS(send(self->fd[dir], buf, sizes[i], 0)));
			memset(in, 0, 200000);
			ASSERT_EQ(sizes[i], SYS(recv(self->fd[!dir], in, 200000, 0)));
			ASSERT_EQ(-1, rd_verify(in, sizes[i], i, 0));
			EXPECT_EQ(0, in[sizes[i]]);
		}
		/* Several in the queue at once, of sizes that do not look alike. */
		for (i = 0; i < 5; i++)
			ASSERT_EQ(sizes[i], SYS(send(self->fd[dir], buf, sizes[i], 0)));
		for (i = 0; i < 5; i++)
			ASSERT_EQ(sizes[i], SYS(recv(self->fd[!dir], in, 200000, 0)));
		EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[!dir], in, 1, MSG_DONTWAIT)));
	}
	free(buf);
	free(in);
}

TEST_F(pair, truncated)
{
	char buf[1000], in[1000];
	struct rd_msg m;

	rd_fill(buf, sizeof(buf), 1, 0);

	/* Cut, and the rest is gone. */
	ASSERT_EQ(1000, SYS(send(self->fd[0], buf, 1000, 0)));
	ASSERT_EQ(1, SYS(send(self->fd[0], "n", 1, 0)));
	memset(in, 0, sizeof(in));
	EXPECT_EQ(10, rd_recv(self->fd[1], in, 10, 0, &m));
	EXPECT_EQ(MSG_TRUNC, m.flags & MSG_TRUNC);
	EXPECT_EQ(-1, rd_verify(in, 10, 1, 0));
	EXPECT_EQ(0, in[10]);
	EXPECT_EQ(1, rd_recv(self->fd[1], in, 10, 0, &m));
	EXPECT_EQ(0, m.flags & MSG_TRUNC);
	EXPECT_EQ('n', in[0]);

	/* MSG_TRUNC: the real length. */
	ASSERT_EQ(1000, SYS(send(self->fd[0], buf, 1000, 0)));
	EXPECT_EQ(1000, rd_recv(self->fd[1], in, 10, MSG_TRUNC | MSG_PEEK, &m));
	EXPECT_EQ(MSG_TRUNC, m.flags & MSG_TRUNC);
	EXPECT_EQ(1000, rd_recv(self->fd[1], in, 10, MSG_TRUNC, &m));
	EXPECT_EQ(MSG_TRUNC, m.flags & MSG_TRUNC);
	ASSERT_EQ(10, SYS(send(self->fd[0], buf, 10, 0)));
	EXPECT_EQ(10, rd_recv(self->fd[1], in, 10, MSG_TRUNC, &m));
	EXPECT_EQ(0, m.flags & MSG_TRUNC);
	ASSERT_EQ(10, SYS(send(self->fd[0], buf, 10, 0)));
	EXPECT_EQ(10, rd_recv(self->fd[1], in, 20, MSG_TRUNC, &m));
	EXPECT_EQ(0, m.flags & MSG_TRUNC);

	/* Room for nothing takes the message all the same. */
	ASSERT_EQ(10, SYS(send(self->fd[0], buf, 10, 0)));
	EXPECT_EQ(0, rd_recv(self->fd[1], in, 0, 0, &m));
	EXPECT_EQ(MSG_TRUNC, m.flags & MSG_TRUNC);
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], in, 1, MSG_DONTWAIT)));
}

TEST_F(pair, scattered)
{
	char a[3], b[4097], c[1], in[5000];
	struct iovec out[] = {
		{ a, sizeof(a) }, { b, sizeof(b) }, { NULL, 0 }, { c, sizeof(c) },
	};
	struct iovec back[] = { { in, 1 }, { in + 1, 4000 }, { in + 4001, 999 } };

	rd_fill(a, 3, 9, 0);
	rd_fill(b, 4097, 9, 3);
	rd_fill(c, 1, 9, 4100);
	ASSERT_EQ(4101, SYS(writev(self->fd[0], out, 4)));
	ASSERT_EQ(4101, SYS(readv(self->fd[1], back, 3)));
	EXPECT_EQ(-1, rd_verify(in, 4101, 9, 0));
}

TEST_F(pair, empty_messages)
{
	struct pollfd p = { .fd = self->fd[1], .events = POLLIN };
	char c;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, SYS(send(self->fd[0], "", 0, 0)));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, poll(&p, 1, 0));
		EXPECT_EQ(0, SYS(recv(self->fd[1], &c, 1, MSG_DONTWAIT)));
	}
	EXPECT_EQ(1, SYS(recv(self->fd[1], &c, 1, MSG_DONTWAIT)));
	EXPECT_EQ('x', c);
	EXPECT_EQ(0, poll(&p, 1, 0));
	/* errno: recv EAGAIN */
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &c, 1, MSG_DONTWAIT)));
}

TEST_F(pair, too_big)
{
	int sndbuf, len;
	char *buf;

	/* Exactly at the border, as unix(7) counts: 32 bytes less. */
	ASSERT_EQ(0, rt_set_int(self->fd[0], SOL_SOCKET, SO_SNDBUF, 10000));
	sndbuf = rt_get_int(self->fd[0], SOL_SOCKET, SO_SNDBUF);
	buf = calloc(1, sndbuf + 1);
	len = sndbuf - 32;
	/* errno: send EMSGSIZE */
	EXPECT_EQ(-EMSGSIZE, SYS(send(self->fd[0], buf, len + 1, 0)));
	EXPECT_EQ(-EMSGSIZE, SYS(send(self->fd[0], buf, sndbuf, 0)));
	EXPECT_EQ(-EMSGSIZE, SYS(send(self->fd[0], buf, sndbuf, MSG_DONTWAIT)));
	/* The receiver never hears of it. */
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], buf, 1, MSG_DONTWAIT)));
	EXPECT_EQ(len, SYS(send(self->fd[0], buf, len, MSG_DONTWAIT)));
	EXPECT_EQ(len, SYS(recv(self->fd[1], buf, sndbuf, MSG_DONTWAIT)));
	free(buf);
}

TEST_F(pair, full)
{
	char buf[1000], c;
	struct timeval tv = { .tv_usec = 20000 };
	long n = 0, back = 0;
	ssize_t ret;

	memset(buf, 'f', sizeof(buf));
	while ((ret = SYS(send(self->fd[0], buf, sizeof(buf), MSG_DONTWAIT))) > 0)
		n++;
	/* errno: send EAGAIN */
	EXPECT_EQ(-EAGAIN, ret);
	EXPECT_LT(1, n);
	EXPECT_EQ(0, rt_events(self->fd[0], POLLOUT) & POLLOUT);
	/* A time-out says the same. */
	ASSERT_EQ(0, setsockopt(self->fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	EXPECT_EQ(-EAGAIN, SYS(send(self->fd[0], buf, sizeof(buf), 0)));
	while (SYS(recv(self->fd[1], buf, sizeof(buf), MSG_DONTWAIT)) == sizeof(buf))
		back++;
	/* None was dropped, none came twice. */
	EXPECT_EQ(n, back);
	EXPECT_EQ(POLLOUT, rt_events(self->fd[0], POLLOUT));
	EXPECT_EQ(1, SYS(send(self->fd[0], "x", 1, MSG_DONTWAIT)));
	EXPECT_EQ(1, SYS(recv(self->fd[1], &c, 1, MSG_DONTWAIT)));
	EXPECT_EQ('x', c);
}

/* EPOLLOUT and EAGAIN agree, at the smallest buffers too. */
TEST_F(pair, poll_tells_the_truth)
{
	char buf[2000] = "";
	int round, i;

	if (variant->family == RT_UNIX)
		SKIP(return, "unix(7) may say writable and then EAGAIN");
	ASSERT_EQ(0, rt_set_int(self->fd[0], SOL_SOCKET, SO_SNDBUF, 1));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVBUF, 1));
	for (round = 0; round < 50; round++) {
		for (i = 0; i < 1000; i++) {
			int out = rt_events(self->fd[0], POLLOUT) & POLLOUT;
			long ret = SYS(send(self->fd[0], buf, 1 + round * 10,
					    MSG_DONTWAIT));

			if (out)
				ASSERT_EQ(1 + round * 10, ret);
			if (ret == -EAGAIN)
				break;
		}
		ASSERT_LT(0, i);
		ASSERT_GT(1000, i);
		/* Whatever is left over comes out, then it is writable. */
		while (SYS(recv(self->fd[1], buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			;
		ASSERT_EQ(POLLOUT, rt_events(self->fd[0], POLLOUT));
	}
}

struct job {
	int fd;
	int len;
	struct rt_addr to;
};

static long do_send(void *arg)
{
	struct job *j = arg;
	char *buf = calloc(1, j->len + 1);
	long ret;

	ret = SYS(sendto(j->fd, buf, j->len, MSG_NOSIGNAL,
			 j->to.len ? &j->to.sa : NULL, j->to.len));
	free(buf);
	return ret;
}

static long do_recv(void *arg)
{
	struct job *j = arg;
	char buf[4096];

	return SYS(recv(j->fd, buf, sizeof(buf), 0));
}

/* Sends till there is no room left: the number of messages. */
static long fill(int fd, const struct rt_addr *to, int len)
{
	char *buf = calloc(1, len);
	long n = 0;

	while (SYS(sendto(fd, buf, len, MSG_DONTWAIT, to ? &to->sa : NULL,
			  to ? to->len : 0)) == len)
		n++;
	free(buf);
	return n;
}

TEST_F(pair, sender_woken_by_reader)
{
	struct job j = { .fd = self->fd[0], .len = 777 };
	struct rt_thread t;
	char buf[1000];
	long n, got = 0;

	n = fill(self->fd[0], NULL, 1000);
	ASSERT_LT(0, n);
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &j));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_sendto));
	while (got < n) {
		ASSERT_EQ(1000, SYS(recv(self->fd[1], buf, 1000, 0)));
		got++;
	}
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(777, t.ret);
	EXPECT_EQ(777, SYS(recv(self->fd[1], buf, 1000, MSG_DONTWAIT)));
}

TEST_F(pair, sender_woken_by_close)
{
	struct job j = { .fd = self->fd[0], .len = 1000 };
	struct rt_thread t;
	int want;

	ASSERT_LT(0, fill(self->fd[0], NULL, 1000));
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &j));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_sendto));
	close(self->fd[1]);
	self->fd[1] = -1;
	ASSERT_TRUE(rt_thread_join(&t));
	/* errno: send ECONNREFUSED, send EPIPE */
	want = variant->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
	/* What send() tells of the same state afterwards: EPIPE; not unix(7). */
	if (variant->family == RT_UNIX && variant->type == SOCK_SEQPACKET)
		want = -ECONNRESET;
	EXPECT_EQ(want, t.ret);
}

TEST_F(pair, sender_woken_by_shutdown)
{
	struct job j = { .fd = self->fd[0], .len = 1000 };
	struct rt_thread t;

	if (variant->family == RT_UNIX && variant->type == SOCK_DGRAM)
		SKIP(return, "unix(7) lets the sender sleep on");
	ASSERT_LT(0, fill(self->fd[0], NULL, 1000));
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &j));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_sendto));
	ASSERT_EQ(0, shutdown(self->fd[1], SHUT_RD));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(-EPIPE, t.ret);
}

TEST_F(pair, reader_woken)
{
	struct job j = { .fd = self->fd[1] };
	struct rt_thread t;

	ASSERT_EQ(0, rt_thread_start(&t, do_recv, &j));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_recvfrom));
	ASSERT_EQ(0, SYS(send(self->fd[0], "", 0, 0)));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(0, t.ret);

	ASSERT_EQ(0, rt_thread_start(&t, do_recv, &j));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_recvfrom));
	ASSERT_EQ(5, SYS(send(self->fd[0], "hello", 5, 0)));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(5, t.ret);
}

/* One bigger than the receiver's whole buffer goes through an empty queue. */
TEST_F(pair, big_into_small)
{
	char *buf = malloc(100000);
	int i;

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVBUF, 1));
	ASSERT_GT(60000, rt_get_int(self->fd[1], SOL_SOCKET, SO_RCVBUF));
	for (i = 0; i < 20; i++) {
		rd_fill(buf, 60000, i, 0);
		ASSERT_EQ(60000, SYS(send(self->fd[0], buf, 60000, MSG_DONTWAIT)));
		if (variant->family == RT_RILL)
			EXPECT_EQ(-EAGAIN, SYS(send(self->fd[0], buf, 60000,
						    MSG_DONTWAIT)));
		memset(buf, 0, 60000);
		ASSERT_EQ(60000, SYS(recv(self->fd[1], buf, 100000, 0)));
		ASSERT_EQ(-1, rd_verify(buf, 60000, i, 0));
		while (SYS(recv(self->fd[1], buf, 1, MSG_DONTWAIT)) >= 0)
			;
	}
	free(buf);
}

TEST_F(pair, peek)
{
	char in[100];
	int i;

	ASSERT_EQ(5, SYS(send(self->fd[0], "first", 5, 0)));
	ASSERT_EQ(6, SYS(send(self->fd[0], "second", 6, 0)));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(5, SYS(recv(self->fd[1], in, 100, MSG_PEEK)));
		EXPECT_EQ(0, memcmp(in, "first", 5));
		/* A short peek loses nothing either. */
		ASSERT_EQ(2, SYS(recv(self->fd[1], in, 2, MSG_PEEK)));
	}
	ASSERT_EQ(5, SYS(recv(self->fd[1], in, 100, 0)));
	ASSERT_EQ(6, SYS(recv(self->fd[1], in, 100, 0)));
	EXPECT_EQ(0, memcmp(in, "second", 6));
}

TEST_F(pair, waitall_is_one_message)
{
	char in[100];

	ASSERT_EQ(5, SYS(send(self->fd[0], "first", 5, 0)));
	ASSERT_EQ(6, SYS(send(self->fd[0], "second", 6, 0)));
	EXPECT_EQ(5, SYS(recv(self->fd[1], in, 100, MSG_WAITALL)));
	EXPECT_EQ(6, SYS(recv(self->fd[1], in, 100, MSG_WAITALL)));
}

TEST_F(pair, more_does_not_join)
{
	char in[100];

	ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, MSG_MORE)));
	ASSERT_EQ(3, SYS(send(self->fd[0], "cde", 3, 0)));
	EXPECT_EQ(2, SYS(recv(self->fd[1], in, 100, MSG_DONTWAIT)));
	EXPECT_EQ(3, SYS(recv(self->fd[1], in, 100, MSG_DONTWAIT)));
}

TEST_F(pair, eor)
{
	struct rd_msg m;
	char in[10];

	/* Each message is a record by itself; as in unix(7) nothing says so. */
	ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, MSG_EOR)));
	EXPECT_EQ(2, rd_recv(self->fd[1], in, 10, 0, &m));
	EXPECT_EQ(0, m.flags & MSG_EOR);
}

/* Several threads send, each its own sequence: no order within one is lost. */
#define SENDERS		4
#define EACH		2000

static long do_sequence(void *arg)
{
	struct job *j = arg;
	int i;

	for (i = 0; i < EACH; i++) {
		int m[40] = { j->len, i };
		size_t len = sizeof(int) * (2 + i % 38);
		long ret = SYS(send(j->fd, m, len, MSG_NOSIGNAL));

		if (ret != (long)len)
			return ret < 0 ? ret : -EIO;
	}
	return 0;
}

TEST_F(pair, order)
{
	struct rt_thread t[SENDERS];
	struct job j[SENDERS];
	int next[SENDERS] = { 0 }, m[64], i;

	for (i = 0; i < SENDERS; i++) {
		j[i] = (struct job){ .fd = self->fd[0], .len = i };
		ASSERT_EQ(0, rt_thread_start(&t[i], do_sequence, &j[i]));
	}
	for (i = 0; i < SENDERS * EACH; i++) {
		long ret = SYS(recv(self->fd[1], m, sizeof(m), 0));

		ASSERT_LT(4, ret);
		ASSERT_GT(SENDERS, (unsigned int)m[0]);
		ASSERT_EQ(next[m[0]], m[1]);
		ASSERT_EQ((long)sizeof(int) * (2 + m[1] % 38), ret);
		next[m[0]]++;
	}
	for (i = 0; i < SENDERS; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_EQ(0, t[i].ret);
	}
}

TEST_F(pair, oob)
{
	char c;

	/* errno: send EOPNOTSUPP, recv EOPNOTSUPP */
	EXPECT_EQ(-EOPNOTSUPP, SYS(send(self->fd[0], "x", 1, MSG_OOB)));
	EXPECT_EQ(-EOPNOTSUPP, SYS(recv(self->fd[1], &c, 1, MSG_OOB | MSG_DONTWAIT)));
}

TEST_F(pair, next_length)
{
	char in[3], c;
	int n = -1;

	ASSERT_EQ(0, ioctl(self->fd[1], FIONREAD, &n));
	EXPECT_EQ(0, n);
	ASSERT_EQ(10, SYS(send(self->fd[0], "0123456789", 10, 0)));
	ASSERT_EQ(3, SYS(send(self->fd[0], "012", 3, 0)));
	ASSERT_EQ(0, ioctl(self->fd[1], FIONREAD, &n));
	/* unix(7) counts the whole queue of a seqpacket socket. */
	if (variant->family == RT_RILL || variant->type == SOCK_DGRAM)
		EXPECT_EQ(10, n);
	ASSERT_EQ(1, SYS(recv(self->fd[1], &c, 1, 0)));
	ASSERT_EQ(0, ioctl(self->fd[1], FIONREAD, &n));
	EXPECT_EQ(3, n);
	/* Bytes of memory in flight. */
	ASSERT_EQ(0, ioctl(self->fd[0], SIOCOUTQ, &n));
	EXPECT_LE(3, n);
	ASSERT_EQ(3, SYS(recv(self->fd[1], in, 3, 0)));
	ASSERT_EQ(0, ioctl(self->fd[0], SIOCOUTQ, &n));
	EXPECT_EQ(0, n);
}

/* ---- datagrams --------------------------------------------------------- */

FIXTURE(dgram)
{
	struct rt_addr x, y;
	int xfd, yfd, zfd;	/* x and y bound, z not */
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
	self->xfd = rt_bound(variant->family, SOCK_DGRAM, &self->x);
	self->yfd = rt_bound(variant->family, SOCK_DGRAM, &self->y);
	self->zfd = rt_socket(variant->family, SOCK_DGRAM);
	ASSERT_LE(0, self->xfd);
	ASSERT_LE(0, self->yfd);
	ASSERT_LE(0, self->zfd);
}

FIXTURE_TEARDOWN(dgram)
{
	close(self->xfd);
	close(self->yfd);
	close(self->zfd);
}

static long send_to(int fd, const struct rt_addr *a)
{
	return SYS(sendto(fd, "x", 1, MSG_DONTWAIT, &a->sa, a->len));
}

TEST_F(dgram, no_destination)
{
	/* errno: send ENOTCONN */
	EXPECT_EQ(-ENOTCONN, SYS(send(self->zfd, "x", 1, 0)));
	EXPECT_EQ(-ENOTCONN, SYS(write(self->xfd, "x", 1)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->zfd, &sink, 1, MSG_DONTWAIT)));
}

TEST_F(dgram, nobody)
{
	struct rt_addr none = rt_new_addr(variant->family);

	EXPECT_EQ(-ECONNREFUSED, send_to(self->zfd, &none));
	/* errno: connect ECONNREFUSED */
	EXPECT_EQ(-ECONNREFUSED, rt_connect(self->zfd, &none));
	/* And nothing changed. */
	EXPECT_EQ(1, send_to(self->zfd, &self->x));
}

TEST_F(dgram, only_the_peer)
{
	ASSERT_EQ(0, rt_connect(self->xfd, &self->y));
	/* errno: send EPERM, connect EPERM */
	EXPECT_EQ(-EPERM, send_to(self->zfd, &self->x));
	EXPECT_EQ(-EPERM, rt_connect(self->zfd, &self->x));
	EXPECT_EQ(1, send_to(self->yfd, &self->x));
	EXPECT_EQ(1, rt_drain(self->xfd, 10));

	/* Its own word dissolves it. */
	ASSERT_EQ(0, rt_disconnect(self->xfd));
	EXPECT_EQ(1, send_to(self->zfd, &self->x));
	EXPECT_EQ(-ENOTCONN, SYS(send(self->xfd, "x", 1, 0)));
	EXPECT_EQ(0, rt_connect(self->zfd, &self->x));
	EXPECT_EQ(1, SYS(send(self->zfd, "x", 1, 0)));
}

/* One that was connected first, to somebody who then connects elsewhere. */
TEST_F(dgram, peer_turns_away)
{
	ASSERT_EQ(0, rt_connect(self->zfd, &self->x));
	ASSERT_EQ(1, SYS(send(self->zfd, "1", 1, 0)));
	ASSERT_EQ(0, rt_connect(self->xfd, &self->y));
	EXPECT_EQ(-EPERM, SYS(send(self->zfd, "2", 1, 0)));
	ASSERT_EQ(0, rt_disconnect(self->xfd));
	EXPECT_EQ(1, SYS(send(self->zfd, "3", 1, 0)));
}

TEST_F(dgram, reconnect)
{
	struct rt_addr got = { .len = sizeof(got.ss) };

	ASSERT_EQ(0, rt_connect(self->zfd, &self->x));
	ASSERT_EQ(0, rt_connect(self->zfd, &self->y));
	ASSERT_EQ(1, SYS(send(self->zfd, "x", 1, 0)));
	EXPECT_EQ(0, rt_drain(self->xfd, 10));
	EXPECT_EQ(1, rt_drain(self->yfd, 10));
	/* A destination of its own goes before the peer. */
	EXPECT_EQ(1, send_to(self->zfd, &self->x));
	EXPECT_EQ(1, rt_drain(self->xfd, 10));
	ASSERT_EQ(0, rt_disconnect(self->zfd));
	EXPECT_EQ(-ENOTCONN, SYS(getpeername(self->zfd, &got.sa, &got.len)));
	/* Twice is as good as once. */
	EXPECT_EQ(0, rt_disconnect(self->zfd));
}

TEST_F(dgram, self)
{
	char c;

	ASSERT_EQ(0, rt_connect(self->xfd, &self->x));
	ASSERT_EQ(1, SYS(send(self->xfd, "s", 1, 0)));
	ASSERT_EQ(1, SYS(recv(self->xfd, &c, 1, MSG_DONTWAIT)));
	EXPECT_EQ('s', c);
	EXPECT_EQ(-EPERM, send_to(self->yfd, &self->x));
	ASSERT_EQ(0, rt_disconnect(self->xfd));
	/* Without connecting, too. */
	EXPECT_EQ(1, send_to(self->xfd, &self->x));
	EXPECT_EQ(1, rt_drain(self->xfd, 10));

	/* A full queue of one's own does not hang the close. */
	ASSERT_EQ(0, rt_connect(self->xfd, &self->x));
	ASSERT_LT(0, fill(self->xfd, NULL, 100));
}

TEST_F(dgram, receiver_dies)
{
	ASSERT_EQ(0, rt_connect(self->zfd, &self->x));
	ASSERT_EQ(1, SYS(send(self->zfd, "x", 1, 0)));
	close(self->xfd);
	self->xfd = -1;
	EXPECT_EQ(-ECONNREFUSED, SYS(send(self->zfd, "x", 1, 0)));
	/* The association is gone with it. */
	EXPECT_EQ(-ENOTCONN, SYS(send(self->zfd, "x", 1, 0)));
	/* Somebody else under the same name is not who it talked to. */
	self->xfd = rt_bound(variant->family, SOCK_DGRAM, &self->x);
	ASSERT_LE(0, self->xfd);
	EXPECT_EQ(-ENOTCONN, SYS(send(self->zfd, "x", 1, 0)));
	EXPECT_EQ(1, send_to(self->zfd, &self->x));
}

/* A datagram of one that is dead by now comes with its name. */
TEST_F(dgram, sender_dies)
{
	struct rt_addr got = { .len = sizeof(got.ss) };
	char c;

	ASSERT_EQ(1, send_to(self->yfd, &self->x));
	close(self->yfd);
	self->yfd = -1;
	ASSERT_EQ(1, SYS(recvfrom(self->xfd, &c, 1, 0, &got.sa, &got.len)));
	EXPECT_EQ(self->y.len + (variant->family == RT_RILL), got.len);
	EXPECT_EQ(0, memcmp(&got, &self->y, self->y.len));
}

TEST_F(dgram, answer)
{
	struct rt_addr from, me;
	char buf[10];

	/* z has no name: unix(7) sends it without one, unless SO_PASSCRED. */
	if (variant->family == RT_UNIX)
		ASSERT_EQ(0, rt_set_int(self->zfd, SOL_SOCKET, SO_PASSCRED, 1));
	ASSERT_EQ(1, send_to(self->zfd, &self->x));
	from.len = sizeof(from.ss);
	ASSERT_EQ(1, SYS(recvfrom(self->xfd, buf, 10, 0, &from.sa, &from.len)));
	me.len = sizeof(me.ss);
	ASSERT_EQ(0, getsockname(self->zfd, &me.sa, &me.len));
	EXPECT_EQ(me.len, from.len);
	EXPECT_EQ(0, memcmp(&me, &from, me.len));
	EXPECT_EQ(1, send_to(self->xfd, &from));
	from.len = sizeof(from.ss);
	EXPECT_EQ(1, SYS(recvfrom(self->zfd, buf, 10, 0, &from.sa, &from.len)));
	EXPECT_EQ(0, memcmp(&from, &self->x, self->x.len));
}

/* The ends of a socketpair stay unnamed: they know each other. */
TEST_F(dgram, socketpair_stays_unnamed)
{
	struct rt_addr got = { .len = sizeof(got.ss) };
	int sv[2];

	ASSERT_EQ(0, socketpair(rt_af(variant->family), SOCK_DGRAM, 0, sv));
	ASSERT_EQ(1, SYS(send(sv[0], "x", 1, 0)));
	ASSERT_EQ(0, getsockname(sv[0], &got.sa, &got.len));
	EXPECT_EQ(variant->family == RT_RILL ? 5 : 2, (int)got.len);
	close(sv[0]);
	close(sv[1]);
}

TEST_F(dgram, receiver_shut_down)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };

	/* No SIGPIPE for datagrams: it would kill us here. */
	sigaction(SIGPIPE, &sa, NULL);
	ASSERT_EQ(0, rt_connect(self->zfd, &self->x));
	ASSERT_EQ(0, shutdown(self->xfd, SHUT_RD));
	EXPECT_EQ(-EPIPE, SYS(send(self->zfd, "x", 1, 0)));
	EXPECT_EQ(-EPIPE, send_to(self->yfd, &self->x));
	EXPECT_EQ(0, SYS(recv(self->xfd, &sink, 1, 0)));
}

TEST_F(dgram, sender_shut_down)
{
	ASSERT_EQ(0, rt_connect(self->zfd, &self->x));
	ASSERT_EQ(0, shutdown(self->zfd, SHUT_WR));
	EXPECT_EQ(-EPIPE, SYS(send(self->zfd, "x", 1, 0)));
	EXPECT_EQ(0, rt_drain(self->xfd, 10));
}

/* What lies there can be read after SHUT_RD, then it is the end. */
TEST_F(dgram, drain_after_shutdown)
{
	char c;

	ASSERT_EQ(1, send_to(self->zfd, &self->x));
	ASSERT_EQ(0, shutdown(self->xfd, SHUT_RD));
	EXPECT_EQ(1, SYS(recv(self->xfd, &c, 1, 0)));
	EXPECT_EQ(0, SYS(recv(self->xfd, &c, 1, 0)));
}

/* A sleeper in sendto() of an unconnected socket. */
TEST_F(dgram, sendto_woken)
{
	struct job j = { .fd = self->zfd, .len = 100, .to = self->x };
	struct rt_thread t;
	long n, got;

	n = fill(self->yfd, &self->x, 100);
	ASSERT_LT(0, n);
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &j));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_sendto));
	got = rt_drain(self->xfd, 200);
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(100, t.ret);
	/* The sleeper may have come while we drained. */
	got += rt_drain(self->xfd, 200);
	EXPECT_EQ((n + 1) * 100, got);

	ASSERT_LT(0, fill(self->yfd, &self->x, 100));
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &j));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_sendto));
	close(self->xfd);
	self->xfd = -1;
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(-ECONNREFUSED, t.ret);
}

/* Full for one sender is full for the other; each is woken. */
TEST_F(dgram, pollout_of_this_receiver)
{
	struct rt_thread t[2];
	struct job j[2] = {
		{ .fd = self->zfd, .len = 50 }, { .fd = self->yfd, .len = 51 },
	};
	int i;

	ASSERT_EQ(0, rt_connect(self->zfd, &self->x));
	ASSERT_EQ(0, rt_connect(self->yfd, &self->x));
	ASSERT_LT(0, fill(self->zfd, NULL, 100));
	fill(self->yfd, NULL, 100);
	EXPECT_EQ(0, rt_events(self->zfd, POLLOUT));
	EXPECT_EQ(0, rt_events(self->yfd, POLLOUT));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, rt_thread_start(&t[i], do_send, &j[i]));
		ASSERT_TRUE(rt_thread_sleeps(&t[i], SYS_sendto));
	}
	ASSERT_LT(0, rt_drain(self->xfd, 200));
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_EQ(50 + i, t[i].ret);
	}
	rt_drain(self->xfd, 200);
	EXPECT_EQ(POLLOUT, rt_poll(self->zfd, POLLOUT));
	EXPECT_EQ(POLLOUT, rt_poll(self->yfd, POLLOUT));
}

/* After EAGAIN of a sendto() the poll of an unconnected sender waits, too. */
TEST_F(dgram, pollout_after_sendto)
{
	if (variant->family == RT_UNIX)
		SKIP(return, "unix(7) says writable at once: its callers spin");
	ASSERT_LT(0, fill(self->yfd, &self->x, 100));
	EXPECT_EQ(-EAGAIN, send_to(self->zfd, &self->x));
	EXPECT_EQ(0, rt_events(self->zfd, POLLOUT));
	ASSERT_LT(0, rt_drain(self->xfd, 200));
	EXPECT_EQ(POLLOUT, rt_poll(self->zfd, POLLOUT));
	EXPECT_EQ(1, send_to(self->zfd, &self->x));
}

/* .. also if a message to another receiver goes well in between. */
TEST_F(dgram, pollout_after_another_sendto)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET };
	int epfd;

	if (variant->family == RT_UNIX)
		SKIP(return, "unix(7) says writable at once: its callers spin");
	epfd = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, epfd);
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, self->zfd, &ev));
	ASSERT_EQ(1, epoll_wait(epfd, &ev, 1, RT_WAIT_MS));
	ASSERT_LT(0, fill(self->yfd, &self->x, 100));
	EXPECT_EQ(-EAGAIN, send_to(self->zfd, &self->x));
	/* It has its event, and waits for the next. */
	EXPECT_EQ(0, rt_events(self->zfd, POLLOUT));
	EXPECT_EQ(1, send_to(self->zfd, &self->y));
	EXPECT_EQ(0, rt_events(self->zfd, POLLOUT));
	EXPECT_EQ(0, epoll_wait(epfd, &ev, 1, 0));
	ASSERT_LT(0, rt_drain(self->xfd, 200));
	EXPECT_EQ(1, epoll_wait(epfd, &ev, 1, RT_WAIT_MS));
	EXPECT_EQ(1, send_to(self->zfd, &self->x));
	close(epfd);
}

/* A full queue is writable again when its owner dies: the next send says why. */
TEST_F(dgram, pollout_when_receiver_dies)
{
	ASSERT_EQ(0, rt_connect(self->zfd, &self->x));
	ASSERT_LT(0, fill(self->zfd, NULL, 100));
	fill(self->yfd, &self->x, 100);
	EXPECT_EQ(0, rt_events(self->zfd, POLLOUT));
	close(self->xfd);
	self->xfd = -1;
	EXPECT_EQ(POLLOUT, rt_poll(self->zfd, POLLOUT) & POLLOUT);
	EXPECT_EQ(-ECONNREFUSED, SYS(send(self->zfd, "x", 1, 0)));
}

/* The sender's own SO_SNDBUF bounds all it has on the way. */
TEST_F(dgram, sndbuf_bounds)
{
	long n = 0;
	int used = 0;

	ASSERT_EQ(0, rt_set_int(self->zfd, SOL_SOCKET, SO_SNDBUF, 20000));
	ASSERT_EQ(0, rt_set_int(self->xfd, SOL_SOCKET, SO_RCVBUFFORCE, 10000000) &
		  rt_set_int(self->xfd, SOL_SOCKET, SO_RCVBUF, 100000));
	n = fill(self->zfd, &self->x, 3000);
	EXPECT_LT(0, n);
	EXPECT_GT(20, n);
	ASSERT_EQ(0, ioctl(self->zfd, SIOCOUTQ, &used));
	EXPECT_LT(n * 3000, used);
	EXPECT_EQ(0, rt_events(self->zfd, POLLOUT));
	rt_drain(self->xfd, 4000);
	EXPECT_EQ(POLLOUT, rt_poll(self->zfd, POLLOUT));
}

/* A sender that sleeps for it goes on when it grows, less than poll would want. */
TEST_F(dgram, sndbuf_grows)
{
	struct job j = { .fd = self->zfd, .len = 3000, .to = self->x };
	struct rt_thread t;
	int used = 0;

	if (variant->family == RT_UNIX)
		SKIP(return, "unix(7) wakes it with a quarter of SO_SNDBUF only");
	ASSERT_EQ(0, rt_set_int(self->zfd, SOL_SOCKET, SO_SNDBUF, 20000));
	ASSERT_EQ(0, rt_set_int(self->xfd, SOL_SOCKET, SO_RCVBUFFORCE, 10000000));
	ASSERT_LT(0, fill(self->zfd, &self->x, 3000));
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &j));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_sendto));
	ASSERT_EQ(0, ioctl(self->zfd, SIOCOUTQ, &used));
	ASSERT_LE(40000, used);
	/* The kernel doubles it. */
	ASSERT_EQ(0, rt_set_int(self->zfd, SOL_SOCKET, SO_SNDBUF, used));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(3000, t.ret);
}

/* .. and when one of its messages is read, whoever has the others. */
TEST_F(dgram, sndbuf_held_elsewhere)
{
	static char some[3000];
	struct job j = { .fd = self->zfd, .len = 3000 };
	struct rt_addr a = rt_new_addr(variant->family);
	struct rt_thread t;
	long n;
	int fd;

	if (variant->family == RT_UNIX)
		SKIP(return, "unix(7) wakes it with a quarter of SO_SNDBUF only");
	fd = rt_bound(variant->family, SOCK_DGRAM, &a);
	ASSERT_LE(0, fd);
	j.to = a;
	ASSERT_EQ(0, rt_set_int(self->zfd, SOL_SOCKET, SO_SNDBUF, 20000));
	ASSERT_EQ(0, rt_set_int(self->xfd, SOL_SOCKET, SO_RCVBUFFORCE, 10000000));
	ASSERT_EQ(3000, SYS(sendto(self->zfd, some, 3000, 0, &self->y.sa, self->y.len)));
	n = fill(self->zfd, &self->x, 3000);
	ASSERT_LT(3, n);
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &j));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_sendto));
	/* x never reads. */
	ASSERT_EQ(3000, rt_drain(self->yfd, 4000));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(3000, t.ret);
	close(fd);
}

TEST_F(dgram, listen_accept)
{
	/* errno: listen EOPNOTSUPP, accept EOPNOTSUPP */
	EXPECT_EQ(-EOPNOTSUPP, SYS(listen(self->xfd, 1)));
	EXPECT_EQ(-EOPNOTSUPP, SYS(accept(self->xfd, NULL, NULL)));
}

/* ---- seqpacket --------------------------------------------------------- */

FIXTURE(seq)
{
	int fd[2];
};

FIXTURE_VARIANT(seq)
{
	enum rt_family family;
};

FIXTURE_VARIANT_ADD(seq, rill)
{
	.family = RT_RILL,
};

FIXTURE_VARIANT_ADD(seq, unix)
{
	.family = RT_UNIX,
};

FIXTURE_SETUP(seq)
{
	ASSERT_EQ(0, rt_pair(variant->family, SOCK_SEQPACKET, self->fd));
}

FIXTURE_TEARDOWN(seq)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

TEST_F(seq, unconnected)
{
	int fd = rt_socket(variant->family, SOCK_SEQPACKET);
	struct rt_addr a = rt_new_addr(variant->family);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOTCONN, SYS(send(fd, "x", 1, 0)));
	/* errno: recv ENOTCONN */
	EXPECT_EQ(-ENOTCONN, SYS(recv(fd, &sink, 1, 0)));
	/* unix(7) looks at the state first, as for every send of seqpacket. */
	EXPECT_EQ(variant->family == RT_RILL ? -EOPNOTSUPP : -ENOTCONN,
		  send_to(fd, &a));
	close(fd);
	/* A connected seqpacket of unix(7) ignores the address. */
	/* errno: send EISCONN */
	EXPECT_EQ(variant->family == RT_RILL ? -EISCONN : 1, send_to(self->fd[0], &a));
}

/* End of file and an empty message read alike; poll tells them apart. */
TEST_F(seq, eof_or_empty)
{
	char c;

	ASSERT_EQ(0, SYS(send(self->fd[0], "", 0, 0)));
	EXPECT_EQ(POLLIN, rt_events(self->fd[1], POLLIN | POLLRDHUP));
	ASSERT_EQ(0, SYS(recv(self->fd[1], &c, 1, 0)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &c, 1, MSG_DONTWAIT)));

	ASSERT_EQ(0, SYS(send(self->fd[0], "", 0, 0)));
	ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, 0)));
	ASSERT_EQ(0, shutdown(self->fd[0], SHUT_WR));
	EXPECT_EQ(0, SYS(recv(self->fd[1], &c, 1, 0)));
	EXPECT_EQ(1, SYS(recv(self->fd[1], &c, 1, 0)));
	/* The rest of that message is gone, and this is the end. */
	EXPECT_EQ(0, SYS(recv(self->fd[1], &c, 1, 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], &c, 1, 0)));
	EXPECT_EQ(POLLIN | POLLRDHUP, rt_events(self->fd[1], POLLIN | POLLRDHUP));
	/* The other way still works. */
	EXPECT_EQ(1, SYS(send(self->fd[1], "x", 1, 0)));
	EXPECT_EQ(1, SYS(recv(self->fd[0], &c, 1, 0)));
}

TEST_F(seq, drain_then_eof)
{
	char buf[10];
	int i;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(i, SYS(send(self->fd[0], "01234", i, 0)));
	close(self->fd[0]);
	self->fd[0] = -1;
	for (i = 0; i < 5; i++)
		EXPECT_EQ(i, SYS(recv(self->fd[1], buf, 10, 0)));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, SYS(recv(self->fd[1], buf, 10, 0)));
}

TEST_F(seq, reset_after_drain)
{
	char buf[10];

	/* The peer leaves something unread: we learn it, after our own data. */
	ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, 0)));
	ASSERT_EQ(3, SYS(send(self->fd[1], "xyz", 3, 0)));
	close(self->fd[1]);
	self->fd[1] = -1;
	if (variant->family == RT_UNIX) {
		/* unix(7) tells it first, and then the data. */
		EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[0], buf, 10, 0)));
		EXPECT_EQ(3, SYS(recv(self->fd[0], buf, 10, 0)));
	} else {
		EXPECT_EQ(3, SYS(recv(self->fd[0], buf, 10, 0)));
		/* errno: recv ECONNRESET */
		EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[0], buf, 10, 0)));
	}
	EXPECT_EQ(0, SYS(recv(self->fd[0], buf, 10, 0)));
	EXPECT_EQ(-EPIPE, SYS(send(self->fd[0], "c", 1, MSG_NOSIGNAL)));
}

static atomic_int pipes;

static void on_pipe(int sig)
{
	pipes += sig == SIGPIPE;
}

TEST_F(seq, sigpipe)
{
	struct sigaction sa = { .sa_handler = on_pipe };

	/* unix(7) sends none for seqpacket, send(2) promises it. */
	if (variant->family == RT_UNIX)
		SKIP(return, "unix(7) has no SIGPIPE here");
	sigaction(SIGPIPE, &sa, NULL);
	close(self->fd[1]);
	self->fd[1] = -1;
	EXPECT_EQ(-EPIPE, SYS(send(self->fd[0], "x", 1, MSG_NOSIGNAL)));
	EXPECT_EQ(0, pipes);
	EXPECT_EQ(-EPIPE, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(1, pipes);
	EXPECT_EQ(-EPIPE, SYS(write(self->fd[0], "x", 1)));
	EXPECT_EQ(2, pipes);
}

TEST_HARNESS_MAIN
