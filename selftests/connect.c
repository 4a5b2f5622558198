// SPDX-License-Identifier: GPL-2.0-only
/*
 * connect() in all its states: connected at once, in line, admitted, refused,
 * left, interrupted, timed out.
 */
#include "rill_test.h"

/* ---- what AF_UNIX promises too -------------------------------------------- */

FIXTURE(basic)
{
	struct rt_addr addr;
	int lfd;
};

FIXTURE_VARIANT(basic)
{
	enum rt_family family;
	int type;
	int other_type;
	int flags;
};

FIXTURE_VARIANT_ADD(basic, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM, .other_type = SOCK_SEQPACKET, .flags = 0,
};

FIXTURE_VARIANT_ADD(basic, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET, .other_type = SOCK_DGRAM, .flags = 0,
};

FIXTURE_VARIANT_ADD(basic, rill_stream_nonblock)
{
	.family = RT_RILL, .type = SOCK_STREAM, .other_type = SOCK_DGRAM, .flags = SOCK_NONBLOCK,
};

FIXTURE_VARIANT_ADD(basic, rill_seqpacket_nonblock)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET, .other_type = SOCK_STREAM,
	.flags = SOCK_NONBLOCK,
};

FIXTURE_VARIANT_ADD(basic, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM, .other_type = SOCK_SEQPACKET, .flags = 0,
};

FIXTURE_VARIANT_ADD(basic, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET, .other_type = SOCK_DGRAM, .flags = 0,
};

FIXTURE_VARIANT_ADD(basic, unix_stream_nonblock)
{
	.family = RT_UNIX, .type = SOCK_STREAM, .other_type = SOCK_DGRAM, .flags = SOCK_NONBLOCK,
};

FIXTURE_VARIANT_ADD(basic, unix_seqpacket_nonblock)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET, .other_type = SOCK_STREAM,
	.flags = SOCK_NONBLOCK,
};

FIXTURE_SETUP(basic)
{
	self->lfd = rt_listener(variant->family, variant->type, 8, &self->addr);
	ASSERT_LE(0, self->lfd);
}

FIXTURE_TEARDOWN(basic)
{
	close(self->lfd);
}

/* connect() needs no help of the accepting program. */
TEST_F(basic, at_once)
{
	struct rt_addr peer = { .len = sizeof(peer.ss) };
	int fd, sfd;

	fd = rt_client(variant->family, variant->type | variant->flags,
		       &self->addr);
	ASSERT_LE(0, fd);
	EXPECT_EQ(POLLOUT, rt_events(fd, POLLIN | POLLOUT));
	EXPECT_EQ(0, rt_so_error(fd));
	ASSERT_EQ(0, SYS(getpeername(fd, &peer.sa, &peer.len)));
	EXPECT_TRUE(rt_same_addr(variant->family, &self->addr, &peer));
	EXPECT_EQ(POLLIN, rt_events(self->lfd, POLLIN));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
	close(sfd);
	close(fd);
}

TEST_F(basic, data_before_accept)
{
	char buf[16] = "";
	int fd, sfd;

	fd = rt_client(variant->family, variant->type | variant->flags,
		       &self->addr);
	ASSERT_LE(0, fd);
	ASSERT_EQ(5, SYS(send(fd, "early", 5, 0)));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(5, SYS(recv(sfd, buf, sizeof(buf), MSG_DONTWAIT)));
	EXPECT_STREQ("early", buf);
	ASSERT_EQ(6, SYS(send(sfd, "answer", 6, 0)));
	EXPECT_EQ(6, SYS(recv(fd, buf, sizeof(buf), MSG_DONTWAIT)));
	EXPECT_STREQ("answer", buf);
	close(sfd);
	close(fd);
}

/* A client that is gone before accept() leaves its data, then the end. */
TEST_F(basic, closed_before_accept)
{
	char buf[16] = "";
	int fd, sfd;

	fd = rt_client(variant->family, variant->type | variant->flags,
		       &self->addr);
	ASSERT_LE(0, fd);
	ASSERT_EQ(4, SYS(send(fd, "will", 4, 0)));
	ASSERT_EQ(0, SYS(close(fd)));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(4, SYS(recv(sfd, buf, sizeof(buf), 0)));
	EXPECT_STREQ("will", buf);
	EXPECT_EQ(0, SYS(recv(sfd, buf, sizeof(buf), 0)));
	close(sfd);
}

TEST_F(basic, no_such_name)
{
	struct rt_addr none = rt_new_addr(variant->family);
	int fd = rt_socket(variant->family, variant->type | variant->flags);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &none));
	/* The failure is reported once, and leaves the socket as new. */
	EXPECT_EQ(0, rt_so_error(fd));
	EXPECT_EQ(POLLOUT | POLLHUP, rt_events(fd, POLLIN | POLLOUT));
	EXPECT_EQ(0, rt_connect(fd, &self->addr));
	close(fd);
}

TEST_F(basic, nobody_listens)
{
	struct rt_addr a = { .len = 0 };
	int bound, fd;

	bound = rt_bound(variant->family, variant->type, &a);
	ASSERT_LE(0, bound);
	fd = rt_socket(variant->family, variant->type | variant->flags);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &a));
	ASSERT_EQ(0, SYS(listen(bound, 1)));
	EXPECT_EQ(0, rt_connect(fd, &a));
	close(bound);
	close(fd);
}

TEST_F(basic, to_itself)
{
	struct rt_addr a = { .len = 0 };
	int fd = rt_bound(variant->family, variant->type | variant->flags, &a);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &a));
	ASSERT_EQ(0, SYS(listen(fd, 1)));
	EXPECT_EQ(-EINVAL, rt_connect(fd, &a));
	close(fd);
}

TEST_F(basic, wrong_type)
{
	int fd = rt_socket(variant->family, variant->other_type | variant->flags);

	ASSERT_LE(0, fd);
	/* AF_UNIX looks abstract names up by type; only its paths say EPROTOTYPE. */
	EXPECT_EQ(variant->family == RT_RILL ? -EPROTOTYPE : -ECONNREFUSED,
		  rt_connect(fd, &self->addr));
	close(fd);
}

TEST_F(basic, twice)
{
	int fd, sfd;

	fd = rt_client(variant->family, variant->type | variant->flags,
		       &self->addr);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EISCONN, rt_connect(fd, &self->addr));
	sfd = rt_accept(self->lfd, variant->flags);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(-EISCONN, rt_connect(fd, &self->addr));
	/* The accepted end is connected, too. */
	EXPECT_EQ(-EISCONN, rt_connect(sfd, &self->addr));
	close(sfd);
	/* A connection whose peer has gone is still no new socket. */
	EXPECT_EQ(-EISCONN, rt_connect(fd, &self->addr));
	close(fd);
}

TEST_F(basic, unspec_when_connected)
{
	int fd = rt_client(variant->family, variant->type | variant->flags,
			   &self->addr);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, rt_disconnect(fd));
	EXPECT_EQ(1, SYS(send(fd, "x", 1, 0)));
	close(fd);
}

TEST_F(basic, from_a_listener)
{
	struct rt_addr a = { .len = 0 };
	int fd = rt_listener(variant->family, variant->type | variant->flags, 1,
			     &a);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, rt_connect(fd, &self->addr));
	close(fd);
}

TEST_F(basic, bound_client_is_named)
{
	struct rt_addr a = { .len = 0 }, seen = { .len = sizeof(seen.ss) };
	int fd, sfd;

	fd = rt_bound(variant->family, variant->type | variant->flags, &a);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rt_connect(fd, &self->addr));
	sfd = SYS(accept(self->lfd, &seen.sa, &seen.len));
	ASSERT_LE(0, sfd);
	EXPECT_TRUE(rt_same_addr(variant->family, &a, &seen));
	seen.len = sizeof(seen.ss);
	ASSERT_EQ(0, SYS(getpeername(sfd, &seen.sa, &seen.len)));
	EXPECT_TRUE(rt_same_addr(variant->family, &a, &seen));
	close(sfd);
	close(fd);
}

TEST_F(basic, listener_gone)
{
	int fd = rt_socket(variant->family, variant->type | variant->flags);
	struct rt_addr again = self->addr;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, SYS(close(self->lfd)));
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &self->addr));
	/* The name is free at once. */
	self->lfd = rt_listener(variant->family, variant->type, 1, &again);
	ASSERT_LE(0, self->lfd);
	EXPECT_EQ(0, rt_connect(fd, &self->addr));
	close(fd);
}

/* Two threads connect one socket: one of them does, the other hears EISCONN. */
TEST_F(basic, two_threads_one_socket)
{
	int i;

	for (i = 0; i < 100; i++) {
		struct rt_call c = { .nr = SYS_connect, .addr = &self->addr };
		long here, there;
		int sfd;

		c.fd = rt_socket(variant->family, variant->type | variant->flags);
		ASSERT_LE(0, c.fd);
		ASSERT_EQ(0, rt_call_start(&c));
		here = rt_connect(c.fd, &self->addr);
		there = rt_call_end(&c);
		EXPECT_EQ(-EISCONN, here + there) {
			TH_LOG("round %d: %ld and %ld", i, here, there);
		}
		sfd = rt_accept(self->lfd, 0);
		ASSERT_LE(0, sfd);
		EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
		close(sfd);
		close(c.fd);
	}
}

/* ---- the waiting line: AF_UNIX has none (EAGAIN, and nothing to poll for) ----- */

FIXTURE(line)
{
	struct rt_addr addr;
	int lfd;
	int filler;	/* the connection that fills the accept queue */
};

FIXTURE_VARIANT(line)
{
	int type;
};

FIXTURE_VARIANT_ADD(line, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(line, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(line)
{
	self->lfd = rt_listener(RT_RILL, variant->type, 0, &self->addr);
	ASSERT_LE(0, self->lfd);
	self->filler = rt_client(RT_RILL, variant->type, &self->addr);
	ASSERT_LE(0, self->filler);
}

FIXTURE_TEARDOWN(line)
{
	close(self->lfd);
	close(self->filler);
}

/* Accepts one connection, which admits the next in line. */
static int admit(int lfd)
{
	int fd = rt_accept(lfd, 0);

	return fd < 0 ? fd : SYS(close(fd));
}

static long waiting(int lfd)
{
	struct rill_queue q;
	int err = rt_queue(lfd, &q);

	return err ? err : (long)q.rq_waiting;
}

TEST_F(line, nonblocking_sequence)
{
	struct rt_addr peer = { .len = sizeof(peer.ss) };
	struct rt_proc p;
	char buf[8] = "";
	int fd, sfd;

	fd = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, rt_events(fd, POLLIN | POLLOUT | POLLRDHUP));
	EXPECT_EQ(-EALREADY, rt_connect(fd, &self->addr));
	EXPECT_EQ(-EALREADY, rt_connect(fd, &self->addr));
	EXPECT_EQ(0, rt_so_error(fd));
	EXPECT_EQ(-ENOTCONN, SYS(getpeername(fd, &peer.sa, &peer.len)));
	EXPECT_EQ(1, waiting(self->lfd));
	ASSERT_TRUE(rt_proc_find(rt_inode(fd), &p));
	EXPECT_STREQ("CONNECTING", p.state);

	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(POLLOUT, rt_poll(fd, POLLIN | POLLOUT | POLLRDHUP));
	EXPECT_EQ(0, waiting(self->lfd));
	EXPECT_EQ(0, rt_so_error(fd));
	ASSERT_TRUE(rt_proc_find(rt_inode(fd), &p));
	EXPECT_STREQ("CONNECTED", p.state);
	EXPECT_EQ(0, SYS(getpeername(fd, &peer.sa, &peer.len)));
	EXPECT_STREQ(self->addr.rill.srl_name, peer.rill.srl_name);
	/* The first connect() after completion says 0, as TCP's. */
	EXPECT_EQ(0, rt_connect(fd, &self->addr));
	EXPECT_EQ(-EISCONN, rt_connect(fd, &self->addr));
	EXPECT_EQ(-EISCONN, rt_connect(fd, &self->addr));

	ASSERT_EQ(3, SYS(send(fd, "abc", 3, 0)));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(3, SYS(recv(sfd, buf, sizeof(buf), MSG_DONTWAIT)));
	EXPECT_STREQ("abc", buf);
	close(sfd);
	close(fd);
}

/* Data may flow before any connect() or poll() noticed the admission. */
TEST_F(line, data_straight_after_admission)
{
	char buf[8] = "";
	int fd, sfd;

	fd = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, admit(self->lfd));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	ASSERT_EQ(2, SYS(send(sfd, "hi", 2, 0)));
	EXPECT_EQ(2, SYS(recv(fd, buf, sizeof(buf), 0)));
	EXPECT_STREQ("hi", buf);
	ASSERT_EQ(2, SYS(send(fd, "ho", 2, 0)));
	EXPECT_EQ(2, SYS(recv(sfd, buf, sizeof(buf), 0)));
	EXPECT_STREQ("ho", buf);
	EXPECT_EQ(0, rt_connect(fd, &self->addr));
	EXPECT_EQ(-EISCONN, rt_connect(fd, &self->addr));
	close(sfd);
	close(fd);
}

/* As TCP in SYN_SENT. */
TEST_F(line, io_nonblocking)
{
	char c = 0;
	int fd;

	fd = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EAGAIN, SYS(send(fd, "x", 1, 0)));
	EXPECT_EQ(-EAGAIN, SYS(recv(fd, &c, 1, 0)));
	ASSERT_EQ(0, rt_set_nonblock(fd, false));
	EXPECT_EQ(-EAGAIN, SYS(send(fd, "x", 1, MSG_DONTWAIT)));
	EXPECT_EQ(-EAGAIN, SYS(recv(fd, &c, 1, MSG_DONTWAIT)));
	EXPECT_EQ(1, waiting(self->lfd));
	close(fd);
}

TEST_F(line, send_waits)
{
	struct rt_call c = { .nr = SYS_sendto, .buf = "late", .len = 4 };
	char buf[8] = "";
	int sfd;

	c.fd = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_set_nonblock(c.fd, false));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(4, rt_call_end(&c));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(4, SYS(recv(sfd, buf, sizeof(buf), MSG_DONTWAIT)));
	EXPECT_STREQ("late", buf);
	close(sfd);
	close(c.fd);
}

TEST_F(line, recv_waits)
{
	char buf[8] = "";
	struct rt_call c = { .nr = SYS_recvfrom, .buf = buf, .len = sizeof(buf) };
	int sfd;

	c.fd = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_set_nonblock(c.fd, false));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, admit(self->lfd));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	/* Admitted is not arrived: it goes on sleeping until there is data. */
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(4, SYS(send(sfd, "data", 4, 0)));
	EXPECT_EQ(4, rt_call_end(&c));
	EXPECT_STREQ("data", buf);
	close(sfd);
	close(c.fd);
}

/* Sleeping I/O in line hears of the refusal. */
TEST_F(line, io_refused)
{
	char buf[8];
	struct rt_call r = { .nr = SYS_recvfrom, .buf = buf, .len = sizeof(buf) };
	struct rt_call s = { .nr = SYS_sendto, .buf = buf, .len = 1 };

	memset(buf, 0, sizeof(buf));
	r.fd = rt_in_line(variant->type, &self->addr);
	s.fd = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, r.fd);
	ASSERT_LE(0, s.fd);
	ASSERT_EQ(0, rt_set_nonblock(r.fd, false));
	ASSERT_EQ(0, rt_set_nonblock(s.fd, false));
	ASSERT_EQ(0, rt_call_start(&r));
	ASSERT_EQ(0, rt_call_start(&s));
	ASSERT_TRUE(rt_call_sleeps(&r));
	ASSERT_TRUE(rt_call_sleeps(&s));
	ASSERT_EQ(0, SYS(close(self->lfd)));
	EXPECT_EQ(-ECONNREFUSED, rt_call_end(&r));
	EXPECT_EQ(-ECONNREFUSED, rt_call_end(&s));
	close(r.fd);
	close(s.fd);
}

TEST_F(line, blocking)
{
	struct rt_call c = { .nr = SYS_connect, .addr = &self->addr };

	c.fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	EXPECT_EQ(1, waiting(self->lfd));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(0, rt_call_end(&c));
	/* The waiting call has said 0 itself: nothing is left to say. */
	EXPECT_EQ(-EISCONN, rt_connect(c.fd, &self->addr));
	close(c.fd);
}

TEST_F(line, signal_keeps_the_place)
{
	struct rt_call c = { .nr = SYS_connect, .addr = &self->addr };
	int later;

	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	c.fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
	ASSERT_EQ(-EINTR, rt_call_end(&c));
	EXPECT_EQ(1, waiting(self->lfd));
	EXPECT_EQ(0, rt_events(c.fd, POLLIN | POLLOUT));

	later = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, later);
	EXPECT_EQ(2, waiting(self->lfd));
	/* Another blocking connect() goes on waiting, and is still the first. */
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(0, rt_call_end(&c));
	EXPECT_EQ(1, waiting(self->lfd));
	EXPECT_EQ(0, rt_events(later, POLLOUT));
	close(later);
	close(c.fd);
}

static atomic_int handled;

static void count_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

TEST_F(line, restart_keeps_the_place)
{
	struct sigaction sa = { .sa_handler = count_signal, .sa_flags = SA_RESTART };
	struct rt_call c = { .nr = SYS_connect, .addr = &self->addr };
	int i, later;

	ASSERT_EQ(0, SYS(sigaction(SIGUSR1, &sa, NULL)));
	c.fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	later = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, later);
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
		ASSERT_TRUE(RT_UNTIL(atomic_load(&handled) == i));
		ASSERT_TRUE(rt_call_sleeps(&c));
		EXPECT_EQ(2, waiting(self->lfd));
	}
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(0, rt_call_end(&c));
	EXPECT_EQ(0, rt_events(later, POLLOUT));
	close(later);
	close(c.fd);
}

TEST_F(line, timeout_keeps_the_place)
{
	struct rt_watch watch;
	int fd, later;

	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rt_set_timeo(fd, SO_SNDTIMEO, 100));
	watch = rt_watch_start();
	EXPECT_EQ(-EINPROGRESS, rt_connect(fd, &self->addr));
	EXPECT_LE(100 - RT_TICK_MS, rt_watch_ms(&watch));
	EXPECT_EQ(1, waiting(self->lfd));
	later = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, later);
	/* It waits again, and keeps the place again. */
	watch = rt_watch_start();
	EXPECT_EQ(-EINPROGRESS, rt_connect(fd, &self->addr));
	EXPECT_LE(100 - RT_TICK_MS, rt_watch_ms(&watch));
	EXPECT_EQ(2, waiting(self->lfd));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(POLLOUT, rt_poll(fd, POLLOUT));
	EXPECT_EQ(0, rt_connect(fd, &self->addr));
	EXPECT_EQ(-EISCONN, rt_connect(fd, &self->addr));
	EXPECT_EQ(0, rt_events(later, POLLOUT));
	close(later);
	close(fd);
}

/* A socket may be asked without blocking for what a thread of it waits for. */
TEST_F(line, poll_beside_a_blocking_connect)
{
	struct rt_call c = { .nr = SYS_connect, .addr = &self->addr };
	struct rt_call p = { .nr = SYS_ppoll, .events = POLLOUT };

	c.fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	p.fd = c.fd;
	ASSERT_EQ(0, rt_call_start(&p));
	ASSERT_TRUE(rt_call_sleeps(&p));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(0, rt_call_end(&c));
	EXPECT_EQ(POLLOUT, rt_call_end(&p));
	close(c.fd);
}

TEST_F(line, unspec_leaves)
{
	int fd;

	fd = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, rt_disconnect(fd));
	EXPECT_EQ(0, waiting(self->lfd));
	/* As new: not connected, nothing pending. */
	EXPECT_EQ(POLLOUT | POLLHUP, rt_events(fd, POLLIN | POLLOUT));
	EXPECT_EQ(0, rt_so_error(fd));
	EXPECT_EQ(0, rt_disconnect(fd));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
	EXPECT_EQ(0, rt_connect(fd, &self->addr));
	EXPECT_EQ(-EISCONN, rt_connect(fd, &self->addr));
	close(fd);
}

/* A thread asleep in connect() learns that another one gave up for it. */
TEST_F(line, unspec_wakes)
{
	struct rt_call c = { .nr = SYS_connect, .addr = &self->addr };

	c.fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	EXPECT_EQ(0, rt_disconnect(c.fd));
	EXPECT_EQ(-ECONNABORTED, rt_call_end(&c));
	EXPECT_EQ(0, waiting(self->lfd));
	close(c.fd);
}

/* And so do those that sleep there to send or to receive. */
TEST_F(line, unspec_wakes_others)
{
	struct rt_call r = { .nr = SYS_recvfrom }, s = { .nr = SYS_sendto };
	char b[1];
	int fd;

	fd = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, SYS(fcntl(fd, F_SETFL, 0)));
	r.fd = fd;
	s.fd = fd;
	r.buf = b;
	s.buf = b;
	r.len = sizeof(b);
	s.len = sizeof(b);
	ASSERT_EQ(0, rt_call_start(&r));
	ASSERT_TRUE(rt_call_sleeps(&r));
	ASSERT_EQ(0, rt_call_start(&s));
	ASSERT_TRUE(rt_call_sleeps(&s));
	EXPECT_EQ(0, rt_disconnect(fd));
	EXPECT_EQ(-ECONNABORTED, rt_call_end(&r));
	EXPECT_EQ(-ECONNABORTED, rt_call_end(&s));
	/* Who did not wait for it learns that there is no connection. */
	EXPECT_EQ(-ENOTCONN, SYS(recv(fd, b, 1, 0)));
	EXPECT_EQ(-ENOTCONN, SYS(send(fd, b, 1, 0)));
	close(fd);
}

/* Of several, one is told why it was refused. */
TEST_F(line, refusal_wakes_others)
{
	struct rt_call c[2] = { { .nr = SYS_recvfrom }, { .nr = SYS_sendto } };
	long why[2];
	char b[1];
	int fd, i;

	fd = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, SYS(fcntl(fd, F_SETFL, 0)));
	for (i = 0; i < 2; i++) {
		c[i].fd = fd;
		c[i].buf = b;
		c[i].len = sizeof(b);
		ASSERT_EQ(0, rt_call_start(&c[i]));
		ASSERT_TRUE(rt_call_sleeps(&c[i]));
	}
	ASSERT_EQ(0, SYS(close(self->lfd)));
	self->lfd = -1;
	for (i = 0; i < 2; i++)
		why[i] = rt_call_end(&c[i]);
	EXPECT_TRUE((why[0] == -ECONNREFUSED && why[1] == -ECONNABORTED) ||
		    (why[1] == -ECONNREFUSED && why[0] == -ECONNABORTED)) {
		TH_LOG("%ld and %ld", why[0], why[1]);
	}
	close(fd);
}

/* Who leaves and joins again stands at the end. */
TEST_F(line, leaving_forfeits_the_place)
{
	int a, b;

	a = rt_in_line(variant->type, &self->addr);
	b = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	ASSERT_EQ(0, rt_disconnect(a));
	ASSERT_EQ(-EINPROGRESS, rt_connect(a, &self->addr));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(POLLOUT, rt_poll(b, POLLOUT));
	EXPECT_EQ(0, rt_events(a, POLLOUT));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(POLLOUT, rt_poll(a, POLLOUT));
	close(a);
	close(b);
}

TEST_F(line, close_leaves)
{
	int a, b, c, dupa;

	a = rt_in_line(variant->type, &self->addr);
	b = rt_in_line(variant->type, &self->addr);
	c = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	ASSERT_LE(0, c);
	/* The socket lives as long as one descriptor. */
	dupa = dup(a);
	ASSERT_LE(0, dupa);
	ASSERT_EQ(0, SYS(close(a)));
	EXPECT_EQ(3, waiting(self->lfd));
	ASSERT_EQ(0, SYS(close(b)));
	EXPECT_EQ(2, waiting(self->lfd));
	ASSERT_EQ(0, SYS(close(dupa)));
	EXPECT_EQ(1, waiting(self->lfd));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(POLLOUT, rt_poll(c, POLLOUT));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
	close(c);
}

TEST_F(line, kill_leaves)
{
	int status;
	pid_t pid;

	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int fd = rt_socket(RT_RILL, variant->type);

		_exit(rt_connect(fd, &self->addr) ? 1 : 2);
	}
	ASSERT_TRUE(rt_wait_sleeping(pid, SYS_connect));
	EXPECT_EQ(1, waiting(self->lfd));
	ASSERT_EQ(0, SYS(kill(pid, SIGKILL)));
	status = rt_wait_child(pid);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_TRUE(rt_wait_line(self->lfd, 0));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
}

TEST_F(line, shutdown_leaves)
{
	struct rt_call c = { .nr = SYS_connect, .addr = &self->addr };
	int fd;

	fd = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, fd);
	c.fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	EXPECT_EQ(2, waiting(self->lfd));

	EXPECT_EQ(0, rt_events(fd, POLLOUT));
	EXPECT_EQ(0, SYS(shutdown(fd, SHUT_RDWR)));
	EXPECT_EQ(1, waiting(self->lfd));
	/* Who polls is not to take that for a connection. */
	EXPECT_EQ(POLLOUT | POLLERR | POLLHUP, rt_events(fd, POLLOUT));
	EXPECT_EQ(ECONNABORTED, rt_get_int(fd, SOL_SOCKET, SO_ERROR));
	EXPECT_EQ(0, rt_get_int(fd, SOL_SOCKET, SO_ERROR));
	EXPECT_EQ(-ECONNABORTED, rt_connect(fd, &self->addr));
	EXPECT_EQ(0, SYS(shutdown(c.fd, SHUT_RDWR)));
	EXPECT_EQ(-ECONNABORTED, rt_call_end(&c));
	EXPECT_EQ(0, waiting(self->lfd));
	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
	close(c.fd);
	close(fd);
}

TEST_F(line, bind_and_listen_refused)
{
	struct rt_addr a = rt_new_addr(RT_RILL);
	int fd;

	fd = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, rt_bind(fd, &a));
	EXPECT_EQ(-EINVAL, SYS(listen(fd, 1)));
	EXPECT_EQ(1, waiting(self->lfd));
	close(fd);
}

/* Who stood in line may listen later, and have a line of its own. */
TEST_F(line, then_a_listener)
{
	struct rt_addr a = rt_new_addr(RT_RILL);
	int fd, first, second, third;

	fd = rt_bound(RT_RILL, variant->type | SOCK_NONBLOCK, &a);
	ASSERT_LE(0, fd);
	ASSERT_EQ(-EINPROGRESS, rt_connect(fd, &self->addr));
	EXPECT_EQ(0, rt_disconnect(fd));
	ASSERT_EQ(0, SYS(listen(fd, 0)));
	first = rt_client(RT_RILL, variant->type, &a);
	ASSERT_LE(0, first);
	second = rt_in_line(variant->type, &a);
	ASSERT_LE(0, second);
	/* What leaves a line does nothing to one that others stand in. */
	EXPECT_EQ(-EINVAL, rt_disconnect(fd));
	EXPECT_EQ(1, waiting(fd));
	/* Nor does a second listen(), but that there is more room. */
	ASSERT_EQ(0, SYS(listen(fd, 1)));
	EXPECT_EQ(0, waiting(fd));
	EXPECT_EQ(POLLOUT, rt_events(second, POLLOUT));
	third = rt_in_line(variant->type, &a);
	ASSERT_LE(0, third);
	close(fd);
	EXPECT_EQ(ECONNRESET, rt_so_error(first));
	EXPECT_EQ(ECONNRESET, rt_so_error(second));
	EXPECT_EQ(ECONNREFUSED, rt_so_error(third));
	close(first);
	close(second);
	close(third);
}

#define NUMBERED	64

/* First come, first served: the clients' names tell who is who. */
TEST_F(line, order)
{
	char base[64];
	int fd[NUMBERED], i;

	snprintf(base, sizeof(base), "%s", rt_name());
	for (i = 0; i < NUMBERED; i++) {
		char name[RILL_NAME_SIZE];
		struct rt_addr a;

		snprintf(name, sizeof(name), "%s/%d", base, i);
		a = rt_addr(RT_RILL, name);
		fd[i] = rt_bound(RT_RILL, variant->type | SOCK_NONBLOCK, &a);
		ASSERT_LE(0, fd[i]);
		ASSERT_EQ(-EINPROGRESS, rt_connect(fd[i], &self->addr));
	}
	EXPECT_EQ(NUMBERED, waiting(self->lfd));
	ASSERT_EQ(0, admit(self->lfd));
	for (i = 0; i < NUMBERED; i++) {
		struct rt_addr seen = { .len = sizeof(seen.ss) };
		char name[RILL_NAME_SIZE];
		int sfd;

		snprintf(name, sizeof(name), "%s/%d", base, i);
		ASSERT_EQ(POLLIN, rt_poll(self->lfd, POLLIN));
		sfd = SYS(accept(self->lfd, &seen.sa, &seen.len));
		ASSERT_LE(0, sfd);
		EXPECT_STREQ(name, seen.rill.srl_name);
		close(sfd);
	}
	EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
	for (i = 0; i < NUMBERED; i++)
		close(fd[i]);
}

/* The seat that accept() frees belongs to the first in line. */
TEST_F(line, newcomer_waits)
{
	int first, second;

	first = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, first);
	ASSERT_EQ(0, admit(self->lfd));
	second = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, second);
	EXPECT_EQ(POLLOUT, rt_poll(first, POLLOUT));
	EXPECT_EQ(0, rt_events(second, POLLOUT));
	close(first);
	close(second);
}

static long accept_three(void *arg)
{
	char *seen = arg;
	int lfd = *(int *)arg, i;

	for (i = 0; i < 3; i++) {
		int fd = rt_accept(lfd, 0);

		if (fd < 0)
			return fd;
		if (recv(fd, &seen[i + sizeof(int)], 1, 0) != 1)
			return -EIO;
		close(fd);
	}
	return 0;
}

/* The same while accept() runs on the other CPU. */
TEST_F(line, newcomer_never_overtakes)
{
	int round;

	ASSERT_EQ(0, admit(self->lfd));
	for (round = 0; round < 200; round++) {
		struct {
			int lfd;
			char who[3];
		} seen = { .lfd = self->lfd };
		struct rt_thread t;
		int a, b, c;

		a = rt_client(RT_RILL, variant->type, &self->addr);
		ASSERT_LE(0, a);
		ASSERT_EQ(1, SYS(send(a, "a", 1, 0)));
		b = rt_in_line(variant->type, &self->addr);
		ASSERT_LE(0, b);
		ASSERT_EQ(0, rt_set_nonblock(b, false));
		ASSERT_EQ(0, rt_thread_start(&t, accept_three, &seen));
		c = rt_client(RT_RILL, variant->type, &self->addr);
		ASSERT_LE(0, c);
		ASSERT_EQ(1, SYS(send(c, "c", 1, 0)));
		ASSERT_EQ(1, SYS(send(b, "b", 1, 0)));
		ASSERT_TRUE(rt_thread_join(&t));
		ASSERT_EQ(0, t.ret);
		EXPECT_EQ(0, memcmp("abc", seen.who, 3)) {
			TH_LOG("round %d: %.3s", round, seen.who);
		}
		close(a);
		close(b);
		close(c);
	}
}

/* ---- how waiting ends, for a sleeper and for a poller ----------------------- */

FIXTURE(outcome)
{
	struct rt_addr addr;
	struct rt_call call;
	int lfd;
	int filler;
};

FIXTURE_VARIANT(outcome)
{
	int type;
	bool nonblock;
};

FIXTURE_VARIANT_ADD(outcome, stream_blocking)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(outcome, stream_nonblock)
{
	.type = SOCK_STREAM, .nonblock = true,
};

FIXTURE_VARIANT_ADD(outcome, seqpacket_blocking)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(outcome, seqpacket_nonblock)
{
	.type = SOCK_SEQPACKET, .nonblock = true,
};

/* One connector in line: a thread asleep in connect(), or one in poll(). */
FIXTURE_SETUP(outcome)
{
	struct rt_call *c = &self->call;

	self->lfd = rt_listener(RT_RILL, variant->type, 0, &self->addr);
	ASSERT_LE(0, self->lfd);
	self->filler = rt_client(RT_RILL, variant->type, &self->addr);
	ASSERT_LE(0, self->filler);
	c->addr = &self->addr;
	if (variant->nonblock) {
		c->fd = rt_in_line(variant->type, &self->addr);
		c->nr = SYS_ppoll;
		c->events = POLLIN | POLLOUT | POLLRDHUP;
	} else {
		c->fd = rt_socket(RT_RILL, variant->type);
		c->nr = SYS_connect;
	}
	ASSERT_LE(0, c->fd);
	ASSERT_EQ(0, rt_call_start(c));
	ASSERT_TRUE(rt_call_sleeps(c));
}

FIXTURE_TEARDOWN(outcome)
{
	close(self->lfd);
	close(self->filler);
	close(self->call.fd);
}

static void expect_refused(struct __test_metadata *_metadata,
			   struct rt_call *c, bool nonblock)
{
	if (nonblock) {
		EXPECT_EQ(POLLERR | POLLHUP | POLLOUT, rt_call_end(c));
		EXPECT_EQ(ECONNREFUSED, rt_so_error(c->fd));
		EXPECT_EQ(0, rt_so_error(c->fd));
		/* Somebody took the error, as in TCP; then the socket is as new. */
		EXPECT_EQ(-ECONNABORTED, rt_connect(c->fd, c->addr));
	} else {
		EXPECT_EQ(-ECONNREFUSED, rt_call_end(c));
		EXPECT_EQ(0, rt_so_error(c->fd));
	}
}

TEST_F(outcome, admitted)
{
	struct rt_call *c = &self->call;

	ASSERT_EQ(0, admit(self->lfd));
	if (variant->nonblock) {
		EXPECT_EQ(POLLOUT, rt_call_end(c));
		EXPECT_EQ(0, rt_so_error(c->fd));
		EXPECT_EQ(0, rt_connect(c->fd, &self->addr));
	} else {
		EXPECT_EQ(0, rt_call_end(c));
	}
	EXPECT_EQ(-EISCONN, rt_connect(c->fd, &self->addr));
}

TEST_F(outcome, listener_closes)
{
	struct rt_addr again = self->addr;
	struct rt_call *c = &self->call;
	char b;

	ASSERT_EQ(0, SYS(close(self->lfd)));
	expect_refused(_metadata, c, variant->nonblock);
	/* Whoever was connected and not accepted is reset. */
	EXPECT_EQ(-ECONNRESET, SYS(recv(self->filler, &b, 1, 0)));
	/* The refused socket starts anew. */
	EXPECT_EQ(-ECONNREFUSED, rt_connect(c->fd, &self->addr));
	self->lfd = rt_listener(RT_RILL, variant->type, 1, &again);
	ASSERT_LE(0, self->lfd);
	EXPECT_EQ(0, rt_connect(c->fd, &self->addr));
	EXPECT_EQ(-EISCONN, rt_connect(c->fd, &self->addr));
}

TEST_F(outcome, listener_shuts_down)
{
	struct rt_call *c = &self->call;

	ASSERT_EQ(0, SYS(shutdown(self->lfd, SHUT_RDWR)));
	expect_refused(_metadata, c, variant->nonblock);
	/* The next listen() opens the door again. */
	ASSERT_EQ(0, SYS(listen(self->lfd, 1)));
	EXPECT_EQ(0, rt_connect(c->fd, &self->addr));
}

/* connect() reports the refusal if nobody asked SO_ERROR. */
TEST_F(outcome, refusal_told_by_connect)
{
	struct rt_addr again = self->addr;
	struct rt_call *c = &self->call;

	if (!variant->nonblock)
		SKIP(goto out, "a blocking connect() has told it already");
	ASSERT_EQ(0, SYS(close(self->lfd)));
	self->lfd = rt_listener(RT_RILL, variant->type, 1, &again);
	ASSERT_LE(0, self->lfd);
	EXPECT_EQ(POLLERR | POLLHUP | POLLOUT, rt_call_end(c));
	EXPECT_EQ(-ECONNREFUSED, rt_connect(c->fd, &self->addr));
	EXPECT_EQ(0, rt_so_error(c->fd));
	EXPECT_EQ(0, rt_connect(c->fd, &self->addr));
	return;
out:
	admit(self->lfd);
	rt_call_end(c);
}

/* The listener's process is killed. */
TEST_F(outcome, listener_killed)
{
	struct rt_addr addr = rt_new_addr(RT_RILL);
	struct rt_call c = { .addr = &addr };
	struct rt_call *first = &self->call;
	int ready[2], filler, status;
	pid_t pid;
	char b;

	ASSERT_EQ(0, admit(self->lfd));
	EXPECT_EQ(variant->nonblock ? POLLOUT : 0, rt_call_end(first));

	ASSERT_EQ(0, SYS(pipe(ready)));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (rt_listener(RT_RILL, variant->type, 0, &addr) < 0)
			_exit(1);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ASSERT_EQ(1, SYS(read(ready[0], &b, 1)));
	filler = rt_client(RT_RILL, variant->type, &addr);
	ASSERT_LE(0, filler);
	if (variant->nonblock) {
		c.fd = rt_in_line(variant->type, &addr);
		c.nr = SYS_ppoll;
		c.events = POLLIN | POLLOUT;
	} else {
		c.fd = rt_socket(RT_RILL, variant->type);
		c.nr = SYS_connect;
	}
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, SYS(kill(pid, SIGKILL)));
	expect_refused(_metadata, &c, variant->nonblock);
	status = rt_wait_child(pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(-ECONNRESET, SYS(recv(filler, &b, 1, 0)));
	close(filler);
	close(c.fd);
	close(ready[0]);
}

/* Every event is counted once: in a namespace of our own, so exactly. */
TEST(counters)
{
	struct rt_addr a = { .len = 0 };
	int fd, filler, lfd, queued;

	if (SYS(unshare(CLONE_NEWNET)) == -EPERM)
		SKIP(return, "a namespace of its own needs root");
	lfd = rt_listener(RT_RILL, SOCK_STREAM, 0, &a);
	ASSERT_LE(0, lfd);
	EXPECT_EQ(0, rt_counter("connect_ok"));
	filler = rt_client(RT_RILL, SOCK_STREAM, &a);
	ASSERT_LE(0, filler);
	EXPECT_EQ(1, rt_counter("connect_ok"));
	EXPECT_EQ(0, rt_counter("connect_waited"));
	EXPECT_EQ(0, rt_counter("waiting"));

	queued = rt_in_line(SOCK_STREAM, &a);
	ASSERT_LE(0, queued);
	EXPECT_EQ(1, rt_counter("waiting"));
	fd = rt_in_line(SOCK_STREAM, &a);
	ASSERT_LE(0, fd);
	EXPECT_EQ(2, rt_counter("waiting"));
	EXPECT_EQ(0, rt_counter("accept_ok"));
	ASSERT_EQ(0, admit(lfd));
	EXPECT_EQ(POLLOUT, rt_poll(queued, POLLOUT));
	EXPECT_EQ(1, rt_counter("accept_ok"));
	EXPECT_EQ(1, rt_counter("waiting"));
	EXPECT_LE(1, rt_counter("connect_waited"));
	EXPECT_EQ(2, rt_counter("connect_ok"));

	EXPECT_EQ(0, rt_counter("connect_left"));
	ASSERT_EQ(0, rt_disconnect(fd));
	EXPECT_EQ(1, rt_counter("connect_left"));
	EXPECT_EQ(0, rt_counter("waiting"));
	ASSERT_EQ(-EINPROGRESS, rt_connect(fd, &a));
	close(fd);
	EXPECT_EQ(2, rt_counter("connect_left"));
	EXPECT_EQ(0, rt_counter("waiting"));

	EXPECT_EQ(0, rt_counter("connect_noname"));
	close(lfd);
	fd = rt_socket(RT_RILL, SOCK_STREAM);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &a));
	EXPECT_EQ(1, rt_counter("connect_noname"));
	EXPECT_EQ(2, rt_counter("connect_ok"));
	EXPECT_EQ(0, rt_counter("connect_overflow"));
	close(fd);
	close(filler);
	close(queued);
}

/* AF_UNSPEC on a socket that never connected: AF_UNIX says EINVAL, TCP 0. */
TEST(unspec_unconnected)
{
	int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		int fd = rt_socket(RT_RILL, types[i]);

		ASSERT_LE(0, fd);
		EXPECT_EQ(0, rt_disconnect(fd));
		close(fd);
	}
}

TEST_HARNESS_MAIN
