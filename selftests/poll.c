// SPDX-License-Identifier: GPL-2.0-only
/*
 * poll() and select(): the events of every state, and that they mean what they
 * say: who is told that a socket is writable can write.
 */
#include "rill_test.h"
#include "rill_test_cpu.h"

#include <sys/select.h>

#define ASK	(POLLIN | POLLOUT | POLLRDHUP | POLLPRI)

FIXTURE(poll)
{
	int fd[2];
};

FIXTURE_VARIANT(poll)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(poll, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(poll, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(poll, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(poll, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(poll)
{
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
}

FIXTURE_TEARDOWN(poll)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

/* ---- states ------------------------------------------------------------------ */

TEST_F(poll, never_connected)
{
	struct rt_addr a = { .len = 0 };
	int fd;

	fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, fd);
	EXPECT_EQ(POLLOUT | POLLHUP, rt_events(fd, ASK));
	a = rt_new_addr(variant->family);
	ASSERT_EQ(0, rt_bind(fd, &a));
	EXPECT_EQ(POLLOUT | POLLHUP, rt_events(fd, ASK));
	ASSERT_EQ(0, SYS(listen(fd, 1)));
	EXPECT_EQ(0, rt_events(fd, POLLIN | POLLRDHUP | POLLPRI));
	close(fd);
}

TEST_F(poll, input)
{
	char b;

	EXPECT_EQ(POLLOUT, rt_events(self->fd[0], ASK));
	EXPECT_EQ(POLLOUT, rt_events(self->fd[1], ASK));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(POLLIN | POLLOUT, rt_events(self->fd[1], ASK));
	EXPECT_EQ(POLLIN | POLLRDNORM,
		  rt_events(self->fd[1], POLLIN | POLLRDNORM));
	EXPECT_EQ(POLLOUT, rt_events(self->fd[0], ASK));
	EXPECT_EQ(POLLOUT | POLLWRNORM,
		  rt_events(self->fd[0], POLLOUT | POLLWRNORM));
	/* A look takes nothing away. */
	ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, MSG_PEEK)));
	EXPECT_EQ(POLLIN | POLLOUT, rt_events(self->fd[1], ASK));
	ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));
	EXPECT_EQ(POLLOUT, rt_events(self->fd[1], ASK));
}

TEST_F(poll, half_closed)
{
	char b;

	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP, rt_events(self->fd[1], ASK));
	/* RDHUP is told to those who ask. */
	EXPECT_EQ(POLLIN, rt_events(self->fd[1], POLLIN));
	ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));
	/* The end is readable, again and again. */
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP, rt_events(self->fd[1], ASK));
	ASSERT_EQ(0, SYS(recv(self->fd[1], &b, 1, 0)));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP, rt_events(self->fd[1], ASK));
	/* Who has shut down can still hear. */
	EXPECT_EQ(0, rt_events(self->fd[0], POLLIN | POLLRDHUP));
	ASSERT_EQ(1, SYS(send(self->fd[1], "y", 1, 0)));
	EXPECT_EQ(POLLIN, rt_events(self->fd[0], POLLIN | POLLRDHUP));
}

TEST_F(poll, both_halves_closed)
{
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	ASSERT_EQ(0, SYS(shutdown(self->fd[1], SHUT_WR)));
	EXPECT_EQ(POLLIN | POLLRDHUP | POLLHUP,
		  rt_events(self->fd[0], POLLIN | POLLRDHUP));
	EXPECT_EQ(POLLIN | POLLRDHUP | POLLHUP,
		  rt_events(self->fd[1], POLLIN | POLLRDHUP));
}

TEST_F(poll, peer_closed)
{
	char b;

	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLHUP,
		  rt_events(self->fd[1], ASK));
	/* HUP needs no asking. */
	EXPECT_EQ(POLLHUP, rt_events(self->fd[1], 0));
	ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLHUP,
		  rt_events(self->fd[1], ASK));
	ASSERT_EQ(0, SYS(recv(self->fd[1], &b, 1, 0)));
}

/* The peer closed with unread data. */
TEST_F(poll, peer_reset)
{
	char b;

	ASSERT_EQ(1, SYS(send(self->fd[1], "x", 1, 0)));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR,
		  rt_events(self->fd[1], ASK));
	EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[1], &b, 1, 0)));
	/* Told once. */
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLHUP,
		  rt_events(self->fd[1], ASK));
	EXPECT_EQ(0, SYS(recv(self->fd[1], &b, 1, 0)));
}

TEST_F(poll, reset_told_by_so_error)
{
	char b;

	ASSERT_EQ(1, SYS(send(self->fd[1], "x", 1, 0)));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(ECONNRESET, rt_so_error(self->fd[1]));
	EXPECT_EQ(0, rt_so_error(self->fd[1]));
	EXPECT_EQ(0, SYS(recv(self->fd[1], &b, 1, 0)));
}

TEST_F(poll, select)
{
	struct timeval tv = { };
	fd_set r, w, e;

	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(self->fd[0], &r);
	FD_SET(self->fd[1], &r);
	FD_SET(self->fd[0], &w);
	FD_SET(self->fd[1], &e);
	EXPECT_EQ(2, SYS(select(self->fd[0] + self->fd[1] + 1, &r, &w, &e, &tv)));
	EXPECT_FALSE(FD_ISSET(self->fd[0], &r));
	EXPECT_TRUE(FD_ISSET(self->fd[1], &r));
	EXPECT_TRUE(FD_ISSET(self->fd[0], &w));
	EXPECT_FALSE(FD_ISSET(self->fd[1], &e));
}

static long select_readable(void *arg)
{
	struct timeval tv = { .tv_sec = RT_WAIT_MS / 1000 };
	int fd = *(int *)arg;
	fd_set r;

	FD_ZERO(&r);
	FD_SET(fd, &r);
	return SYS(select(fd + 1, &r, NULL, NULL, &tv));
}

TEST_F(poll, select_wakes)
{
	struct rt_thread t;

	ASSERT_EQ(0, rt_thread_start(&t, select_readable, &self->fd[1]));
	ASSERT_TRUE(rt_thread_sleeps(&t, -1));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(1, t.ret);
}

/* ---- a sleeper in poll() -------------------------------------------------------- */

enum wake {
	WAKE_DATA,
	WAKE_SHUT_WR,
	WAKE_CLOSE,
	WAKE_OWN_SHUT_RD,
};

static int do_wake(enum wake how, int *peer, int own)
{
	int fd = *peer;

	switch (how) {
	case WAKE_DATA:
		return SYS(send(fd, "x", 1, 0)) == 1 ? 0 : -EIO;
	case WAKE_SHUT_WR:
		return SYS(shutdown(fd, SHUT_WR));
	case WAKE_CLOSE:
		*peer = -1;
		return SYS(close(fd));
	case WAKE_OWN_SHUT_RD:
		return SYS(shutdown(own, SHUT_RD));
	}
	return -EINVAL;
}

TEST_F(poll, sleeper_for_input)
{
	static const int want[] = {
		[WAKE_DATA] = POLLIN,
		[WAKE_SHUT_WR] = POLLIN | POLLRDHUP,
		[WAKE_CLOSE] = POLLIN | POLLRDHUP | POLLHUP,
		[WAKE_OWN_SHUT_RD] = POLLIN | POLLRDHUP,
	};
	size_t how;

	for (how = 0; how < ARRAY_SIZE(want); how++) {
		struct rt_call c = { .nr = SYS_ppoll,
				     .events = POLLIN | POLLRDHUP };
		int fd[2];

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		c.fd = fd[1];
		ASSERT_EQ(0, rt_call_start(&c));
		ASSERT_TRUE(rt_call_sleeps(&c));
		ASSERT_EQ(0, do_wake(how, &fd[0], fd[1]));
		EXPECT_EQ(want[how], rt_call_end(&c)) {
			TH_LOG("wake-up %zu", how);
		}
		close(fd[0]);
		close(fd[1]);
	}
}

/* Who waits for nothing but RDHUP is not woken by data, and is by the end. */
TEST_F(poll, sleeper_for_rdhup)
{
	struct rt_call c = { .nr = SYS_ppoll, .fd = self->fd[1],
			     .events = POLLRDHUP };

	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	EXPECT_EQ(POLLRDHUP, rt_call_end(&c));
}

/* Who waits to write learns that there is nobody to write to. */
TEST_F(poll, sleeper_for_output)
{
	struct rt_call c = { .nr = SYS_ppoll, .events = POLLOUT };
	int how;

	for (how = 0; how < 3; how++) {
		int fd[2];

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		ASSERT_LT(0, rt_fill(fd[0], 1024));
		EXPECT_EQ(0, rt_events(fd[0], POLLOUT));
		c.fd = fd[0];
		ASSERT_EQ(0, rt_call_start(&c));
		ASSERT_TRUE(rt_call_sleeps(&c));
		if (how == 0) {
			ASSERT_LT(0, rt_drain(fd[1], 4096));
			EXPECT_EQ(POLLOUT, rt_call_end(&c));
		} else if (how == 1) {
			ASSERT_EQ(0, SYS(close(fd[1])));
			fd[1] = -1;
			EXPECT_EQ(POLLHUP | POLLERR, rt_call_end(&c) & ~POLLOUT);
			/* AF_UNIX wakes just before it gives the memory back. */
			EXPECT_TRUE(RT_UNTIL(rt_events(fd[0], POLLOUT) & POLLOUT));
		} else {
			/* HUP comes with both halves only, but ends the sleep. */
			ASSERT_EQ(0, SYS(shutdown(fd[1], SHUT_RDWR)));
			EXPECT_EQ(POLLHUP, rt_call_end(&c) & POLLHUP);
		}
		close(fd[0]);
		close(fd[1]);
	}
}

/*
 * Who waits for room and sees the end come sees it in its first look: what wakes
 * it, on another CPU, has told it all.
 */
TEST_F_TIMEOUT(poll, the_end_is_seen_at_once, 60)
{
	struct rt_call c = { .nr = SYS_ppoll, .events = POLLOUT };
	long other = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	int round;

	for (round = 0; round < 200; round++) {
		int fd[2];

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		ASSERT_LT(0, rt_fill(fd[0], 1024));
		c.fd = fd[0];
		ASSERT_EQ(0, rt_pin(other));
		ASSERT_EQ(0, rt_call_start(&c));
		ASSERT_EQ(0, rt_pin(0));
		ASSERT_TRUE(rt_call_sleeps(&c));
		ASSERT_EQ(0, round % 2 ? SYS(shutdown(fd[1], SHUT_RDWR)) :
					 SYS(close(fd[1])));
		ASSERT_EQ(POLLHUP, rt_call_end(&c) & POLLHUP)
			TH_LOG("round %d", round);
		close(fd[0]);
		if (round % 2)
			close(fd[1]);
	}
}

/* ---- writable means writable ---------------------------------------------------- */

static unsigned int rnd_state = 12345;

static unsigned int rnd(unsigned int n)
{
	rnd_state = rnd_state * 1103515245 + 12345;
	return (rnd_state >> 8) % n;
}

/*
 * At the smallest buffers and at others: a send never says EAGAIN while poll
 * says writable, and a recv never while poll says readable.
 */
TEST_F_TIMEOUT(poll, writable_means_writable, 60)
{
	static const int sizes[] = { 1, 3000, 10000, 100000 };
	static char buf[4096];
	size_t k;

	for (k = 0; k < ARRAY_SIZE(sizes); k++) {
		long sent = 0, received = 0;
		int fd[2], i, unwritable = 0;

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, rt_set_int(fd[i], SOL_SOCKET, SO_SNDBUF,
						sizes[k]));
			ASSERT_EQ(0, rt_set_int(fd[i], SOL_SOCKET, SO_RCVBUF,
						sizes[k]));
		}
		for (i = 0; i < 20000; i++) {
			long n;

			/* Now and then the reader falls behind, then catches up. */
			if ((i / 300 & 1 ? rnd(4) : rnd(8)) != 0) {
				int ev = rt_events(fd[0], POLLOUT);

				n = SYS(send(fd[0], buf, 1 + rnd(i & 1 ? 8 : 2000),
					     MSG_DONTWAIT));
				unwritable += !(ev & POLLOUT);
				if (ev & POLLOUT)
					ASSERT_LT(0, n);
				if (n <= 0)
					ASSERT_EQ(-EAGAIN, n);
				if (n > 0)
					sent += n;
			}
			if (i / 300 & 1) {
				int ev = rt_events(fd[1], POLLIN);

				n = SYS(recv(fd[1], buf, 1 + rnd(sizeof(buf)),
					     MSG_DONTWAIT | MSG_TRUNC));
				if (ev & POLLIN)
					ASSERT_LT(0, n);
				if (!(ev & POLLIN))
					ASSERT_EQ(-EAGAIN, n);
				if (n > 0)
					received += n;
			}
		}
		for (;;) {
			long n = SYS(recv(fd[1], buf, sizeof(buf),
					  MSG_DONTWAIT | MSG_TRUNC));

			if (n <= 0)
				break;
			received += n;
		}
		EXPECT_EQ(sent, received);
		EXPECT_LT(0, unwritable);
		EXPECT_EQ(POLLOUT, rt_events(fd[0], POLLOUT));
		close(fd[0]);
		close(fd[1]);
	}
}

/* A blocked poller for output is woken at every size, however small. */
TEST_F(poll, drained_is_writable)
{
	static const int sizes[] = { 1, 5000, 50000 };
	size_t k;

	for (k = 0; k < ARRAY_SIZE(sizes); k++) {
		struct rt_call c = { .nr = SYS_ppoll, .events = POLLOUT };
		int fd[2], round;

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		ASSERT_EQ(0, rt_set_int(fd[0], SOL_SOCKET, SO_SNDBUF, sizes[k]));
		ASSERT_EQ(0, rt_set_int(fd[1], SOL_SOCKET, SO_RCVBUF, sizes[k]));
		c.fd = fd[0];
		for (round = 0; round < 20; round++) {
			ASSERT_LT(0, rt_fill(fd[0], round & 1 ? 1 : 700));
			ASSERT_EQ(0, rt_call_start(&c));
			ASSERT_TRUE(rt_call_sleeps(&c));
			ASSERT_LT(0, rt_drain(fd[1], round & 1 ? 1000 : 50));
			EXPECT_EQ(POLLOUT, rt_call_end(&c));
			EXPECT_EQ(1, SYS(send(fd[0], "x", 1, MSG_DONTWAIT)));
		}
		close(fd[0]);
		close(fd[1]);
	}
}

/*
 * The message whose going makes just enough room wakes who polls: what it still
 * holds at that moment does not count.
 */
TEST_F(poll, woken_at_the_boundary)
{
	struct rt_call p = { .nr = SYS_ppoll, .fd = self->fd[0], .events = POLLOUT };
	int weight = 0, q = 0, n = 2, i;
	char b = 0;

	if (variant->family != RT_RILL || variant->type != SOCK_SEQPACKET)
		SKIP(return, "Rill's messages only");
	ASSERT_EQ(1, SYS(send(self->fd[0], &b, 1, 0)));
	ASSERT_EQ(0, SYS(ioctl(self->fd[0], SIOCOUTQ, &weight)));
	ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));
	/* A quarter of the limit is n messages, and not one byte more. */
	while (2 * n * weight < 2304)
		n++;
	ASSERT_EQ(0, rt_set_int(self->fd[0], SOL_SOCKET, SO_SNDBUF, 2 * n * weight));
	ASSERT_EQ(4 * n * weight, rt_get_int(self->fd[0], SOL_SOCKET, SO_SNDBUF));
	for (i = 0; i <= n; i++)
		ASSERT_EQ(1, SYS(send(self->fd[0], &b, 1, MSG_DONTWAIT)));
	ASSERT_EQ(0, SYS(ioctl(self->fd[0], SIOCOUTQ, &q)));
	ASSERT_EQ((n + 1) * weight, q);
	EXPECT_EQ(0, rt_events(self->fd[0], POLLOUT));
	ASSERT_EQ(0, rt_call_start(&p));
	ASSERT_TRUE(rt_call_sleeps(&p));
	ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));
	EXPECT_EQ(POLLOUT, rt_call_end(&p));
}

/* ---- Rill's own figures (AF_UNIX counts an skb's memory, and ignores SO_RCVLOWAT) - */

FIXTURE(stream)
{
	int fd[2];
	long cap;
};

FIXTURE_VARIANT(stream)
{
	int buffer;	/* 0: the default */
};

FIXTURE_VARIANT_ADD(stream, smallest)
{
	.buffer = 1,
};

FIXTURE_VARIANT_ADD(stream, odd)
{
	.buffer = 5001,
};

FIXTURE_VARIANT_ADD(stream, usual)
{
	.buffer = 0,
};

FIXTURE_SETUP(stream)
{
	ASSERT_EQ(0, rt_pair(RT_RILL, SOCK_STREAM, self->fd));
	if (variant->buffer) {
		ASSERT_EQ(0, rt_set_int(self->fd[0], SOL_SOCKET, SO_SNDBUF,
					variant->buffer));
		ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVBUF,
					variant->buffer));
	}
	self->cap = rt_capacity(self->fd[0], self->fd[1]);
}

FIXTURE_TEARDOWN(stream)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

/* Writable at a quarter of the capacity free, not before, not later. */
TEST_F(stream, writable_at_a_quarter)
{
	long used = rt_fill(self->fd[0], 512);
	char b;

	EXPECT_EQ(self->cap, used);
	for (; used; used--) {
		bool want = used * 4 <= self->cap * 3;

		/* Near the limit byte by byte, elsewhere in strides. */
		EXPECT_EQ(want ? POLLOUT : 0, rt_events(self->fd[0], POLLOUT)) {
			TH_LOG("%ld of %ld used", used, self->cap);
			break;
		}
		if (labs(used * 4 - self->cap * 3) > 256 && used > 64) {
			char chunk[61];

			ASSERT_EQ(60, SYS(recv(self->fd[1], chunk, 60, 0)));
			used -= 59;
			continue;
		}
		ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));
	}
}

/* The sleeper wakes at the same point. */
TEST_F(stream, woken_at_a_quarter)
{
	struct rt_call c = { .nr = SYS_ppoll, .fd = self->fd[0],
			     .events = POLLOUT };
	long quarter = self->cap - self->cap * 3 / 4;
	static char buf[1 << 20];

	ASSERT_EQ(self->cap, rt_fill(self->fd[0], 512));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_GT(sizeof(buf), quarter);
	ASSERT_EQ(0, rt_recv_all(self->fd[1], buf, quarter - 1));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, rt_recv_all(self->fd[1], buf, 1));
	EXPECT_EQ(POLLOUT, rt_call_end(&c));
}

TEST_F(stream, rcvlowat)
{
	struct rt_call c = { .nr = SYS_ppoll, .fd = self->fd[1],
			     .events = POLLIN };
	char buf[200] = "";

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVLOWAT, 100));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(60, SYS(send(self->fd[0], buf, 60, 0)));
	EXPECT_EQ(0, rt_events(self->fd[1], POLLIN));
	ASSERT_EQ(39, SYS(send(self->fd[0], buf, 39, 0)));
	EXPECT_EQ(0, rt_events(self->fd[1], POLLIN));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(1, SYS(send(self->fd[0], buf, 1, 0)));
	EXPECT_EQ(POLLIN, rt_call_end(&c));
	/* What is there can be read without waiting for more. */
	EXPECT_EQ(30, SYS(recv(self->fd[1], buf, 30, MSG_DONTWAIT)));
	EXPECT_EQ(0, rt_events(self->fd[1], POLLIN));
	EXPECT_EQ(70, SYS(recv(self->fd[1], buf, sizeof(buf), MSG_DONTWAIT)));
}

/* A lower limit, or the end, makes readable what was not. */
TEST_F(stream, rcvlowat_changes)
{
	struct rt_call c = { .nr = SYS_ppoll, .fd = self->fd[1],
			     .events = POLLIN };
	char buf[50] = "";

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVLOWAT, 100));
	ASSERT_EQ(50, SYS(send(self->fd[0], buf, 50, 0)));
	EXPECT_EQ(0, rt_events(self->fd[1], POLLIN));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVLOWAT, 50));
	EXPECT_EQ(POLLIN, rt_events(self->fd[1], POLLIN));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVLOWAT, 100));
	EXPECT_EQ(0, rt_events(self->fd[1], POLLIN));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	EXPECT_EQ(POLLIN, rt_call_end(&c));
}

/* As TCP's: a lower limit tells those who wait that it is reached. */
TEST_F(stream, rcvlowat_lowered_wakes)
{
	struct rt_call c = { .nr = SYS_ppoll, .fd = self->fd[1],
			     .events = POLLIN };
	char buf[50] = "";

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVLOWAT, 100));
	ASSERT_EQ(50, SYS(send(self->fd[0], buf, 50, 0)));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVLOWAT, 50));
	EXPECT_EQ(POLLIN, rt_call_end(&c));
}

/* More than can ever come: half of the capacity counts, nobody hangs. */
TEST_F(stream, rcvlowat_beyond_capacity)
{
	struct rt_call c = { .nr = SYS_ppoll, .fd = self->fd[1],
			     .events = POLLIN };
	static char buf[1 << 20];
	long half = self->cap / 2;

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVLOWAT,
				1 << 30));
	/* Setting it may have raised SO_RCVBUF, as TCP's does. */
	self->cap = rt_capacity(self->fd[0], self->fd[1]);
	half = self->cap / 2;
	ASSERT_GT(sizeof(buf), half);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, rt_send_all(self->fd[0], buf, half - 1));
	EXPECT_EQ(0, rt_events(self->fd[1], POLLIN));
	EXPECT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(1, SYS(send(self->fd[0], buf, 1, 0)));
	EXPECT_EQ(POLLIN, rt_call_end(&c));
}

/* ---- datagrams --------------------------------------------------------------- */

FIXTURE(dgram)
{
	struct rt_addr addr, other_addr;
	int rx, other, tx;
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
	self->rx = rt_bound(variant->family, SOCK_DGRAM, &self->addr);
	self->other = rt_bound(variant->family, SOCK_DGRAM, &self->other_addr);
	self->tx = rt_socket(variant->family, SOCK_DGRAM);
	ASSERT_LE(0, self->rx);
	ASSERT_LE(0, self->other);
	ASSERT_LE(0, self->tx);
}

FIXTURE_TEARDOWN(dgram)
{
	close(self->rx);
	close(self->other);
	close(self->tx);
}

/* Sends to a name until its receiver is full. */
static int fill_dgram(int fd, const struct rt_addr *a)
{
	static const char msg[400];
	int n = 0;

	for (;;) {
		long err = SYS(sendto(fd, msg, sizeof(msg), MSG_DONTWAIT,
				      a ? &a->sa : NULL, a ? a->len : 0));

		if (err == -EAGAIN)
			return n;
		if (err < 0)
			return err;
		n++;
	}
}

TEST_F(dgram, states)
{
	char b;

	EXPECT_EQ(POLLOUT, rt_events(self->tx, ASK));
	EXPECT_EQ(POLLOUT, rt_events(self->rx, ASK));
	ASSERT_EQ(0, rt_connect(self->tx, &self->addr));
	EXPECT_EQ(POLLOUT, rt_events(self->tx, ASK));
	/* A datagram without bytes is a datagram. */
	ASSERT_EQ(0, SYS(send(self->tx, "", 0, 0)));
	EXPECT_EQ(POLLIN | POLLOUT, rt_events(self->rx, ASK));
	ASSERT_EQ(0, SYS(recv(self->rx, &b, 1, MSG_DONTWAIT)));
	EXPECT_EQ(POLLOUT, rt_events(self->rx, ASK));
	ASSERT_EQ(0, SYS(shutdown(self->rx, SHUT_RD)));
	EXPECT_EQ(POLLIN | POLLRDHUP, rt_events(self->rx, POLLIN | POLLRDHUP));
}

TEST_F(dgram, connected_sender_of_a_full_receiver)
{
	struct rt_call c = { .nr = SYS_ppoll, .fd = self->tx,
			     .events = POLLOUT };
	int n, second;

	ASSERT_EQ(0, rt_connect(self->tx, &self->addr));
	n = fill_dgram(self->tx, NULL);
	ASSERT_LT(1, n);
	EXPECT_EQ(0, rt_events(self->tx, POLLOUT));
	/* It is *this* sender that has no room: another's receiver is empty. */
	second = rt_client(variant->family, SOCK_DGRAM, &self->other_addr);
	ASSERT_LE(0, second);
	EXPECT_EQ(POLLOUT, rt_events(second, POLLOUT));
	ASSERT_EQ(1, SYS(send(second, "x", 1, MSG_DONTWAIT)));

	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(400L * n, rt_drain(self->rx, 400));
	EXPECT_EQ(POLLOUT, rt_call_end(&c));
	EXPECT_EQ(1, SYS(send(self->tx, "x", 1, MSG_DONTWAIT)));
	close(second);
}

/* Somebody else filled the receiver. */
TEST_F(dgram, filled_by_another)
{
	struct rt_call c = { .nr = SYS_ppoll, .fd = self->tx,
			     .events = POLLOUT };
	int n, second;

	ASSERT_EQ(0, rt_connect(self->tx, &self->addr));
	second = rt_client(variant->family, SOCK_DGRAM, &self->addr);
	ASSERT_LE(0, second);
	n = fill_dgram(second, NULL);
	ASSERT_LT(1, n);
	EXPECT_EQ(0, rt_events(self->tx, POLLOUT));
	EXPECT_EQ(-EAGAIN, SYS(send(self->tx, "x", 1, MSG_DONTWAIT)));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(400L * n, rt_drain(self->rx, 400));
	EXPECT_EQ(POLLOUT, rt_call_end(&c));
	EXPECT_EQ(POLLOUT, rt_events(second, POLLOUT));
	close(second);
}

/* Everybody who waits for room is told, not only the first. */
TEST_F(dgram, many_wait_for_room)
{
	struct rt_call c[6] = { };
	int i, n;

	ASSERT_EQ(0, rt_connect(self->tx, &self->addr));
	n = fill_dgram(self->tx, NULL);
	ASSERT_LT(1, n);
	for (i = 0; i < 6; i++) {
		c[i].nr = SYS_ppoll;
		c[i].events = POLLOUT;
		c[i].fd = rt_client(variant->family, SOCK_DGRAM, &self->addr);
		ASSERT_LE(0, c[i].fd);
		ASSERT_EQ(0, rt_call_start(&c[i]));
		ASSERT_TRUE(rt_call_sleeps(&c[i]));
	}
	ASSERT_EQ(400L * n, rt_drain(self->rx, 400));
	for (i = 0; i < 6; i++) {
		EXPECT_EQ(POLLOUT, rt_call_end(&c[i]));
		close(c[i].fd);
	}
}

TEST_F(dgram, receiver_goes)
{
	struct rt_call c = { .nr = SYS_ppoll, .fd = self->tx,
			     .events = POLLOUT };

	ASSERT_EQ(0, rt_connect(self->tx, &self->addr));
	ASSERT_LT(1, fill_dgram(self->tx, NULL));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, SYS(close(self->rx)));
	self->rx = -1;
	EXPECT_EQ(POLLOUT, rt_call_end(&c) & POLLOUT);
	EXPECT_EQ(-ECONNREFUSED, SYS(send(self->tx, "x", 1, MSG_DONTWAIT)));
}

/* Writable means writable here, too, at the smallest buffers. */
TEST_F(dgram, writable_means_writable)
{
	static char buf[2048];
	int blocked = 0, i;

	ASSERT_EQ(0, rt_set_int(self->rx, SOL_SOCKET, SO_RCVBUF, 1));
	ASSERT_EQ(0, rt_set_int(self->tx, SOL_SOCKET, SO_SNDBUF, 1));
	ASSERT_EQ(0, rt_connect(self->tx, &self->addr));
	for (i = 0; i < 5000; i++) {
		int ev = rt_events(self->tx, POLLOUT);
		long n = SYS(send(self->tx, buf, rnd(sizeof(buf)), MSG_DONTWAIT));

		if (ev & POLLOUT)
			ASSERT_LE(0, n);
		if (n < 0) {
			ASSERT_EQ(-EAGAIN, n);
			blocked++;
		}
		if (!rnd(3))
			rt_drain(self->rx, sizeof(buf));
	}
	EXPECT_LT(0, blocked);
	rt_drain(self->rx, sizeof(buf));
	EXPECT_EQ(POLLOUT, rt_events(self->tx, POLLOUT));
}

/*
 * After EAGAIN to a name, an unconnected sender can wait for that receiver.
 * (AF_UNIX says writable at once, and lets it spin.)
 */
TEST(unconnected_sender_waits)
{
	struct rt_addr addr = { .len = 0 }, other_addr = { .len = 0 };
	struct rt_call c = { .nr = SYS_ppoll, .events = POLLOUT };
	int n, other, rx;

	rx = rt_bound(RT_RILL, SOCK_DGRAM, &addr);
	other = rt_bound(RT_RILL, SOCK_DGRAM, &other_addr);
	c.fd = rt_socket(RT_RILL, SOCK_DGRAM);
	ASSERT_LE(0, rx);
	ASSERT_LE(0, other);
	ASSERT_LE(0, c.fd);
	n = fill_dgram(c.fd, &addr);
	ASSERT_LT(1, n);
	EXPECT_EQ(0, rt_events(c.fd, POLLOUT));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(400L * n, rt_drain(rx, 400));
	EXPECT_EQ(POLLOUT, rt_call_end(&c));
	EXPECT_EQ(1, SYS(sendto(c.fd, "x", 1, MSG_DONTWAIT, &addr.sa, addr.len)));

	/* It waits for the one it heard EAGAIN of last, until that is gone. */
	ASSERT_LT(0, fill_dgram(c.fd, &addr));
	EXPECT_EQ(0, rt_events(c.fd, POLLOUT));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, SYS(close(rx)));
	EXPECT_EQ(POLLOUT, rt_call_end(&c) & POLLOUT);
	EXPECT_EQ(-ECONNREFUSED, SYS(sendto(c.fd, "x", 1, MSG_DONTWAIT,
					    &addr.sa, addr.len)));
	EXPECT_EQ(1, SYS(sendto(c.fd, "x", 1, MSG_DONTWAIT, &other_addr.sa,
				other_addr.len)));
	EXPECT_EQ(POLLOUT, rt_events(c.fd, POLLOUT));
	close(other);
	close(c.fd);
}

TEST_HARNESS_MAIN
