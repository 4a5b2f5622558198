// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every sleeper against everything that must wake it.  The sleepers of
 * accept() are in accept.c, those of a connect() in line in connect.c, those
 * of poll() in poll.c.
 */
#include "rill_test.h"

FIXTURE(pair)
{
	int fd[2];
};

FIXTURE_VARIANT(pair)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(pair, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(pair, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(pair, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(pair, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(pair)
{
	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
}

FIXTURE_TEARDOWN(pair)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

static char recv_buf[65536];

static void sleep_in_recv(struct __test_metadata *_metadata, struct rt_call *c,
			  int fd, size_t len, int flags)
{
	*c = (struct rt_call){ .nr = SYS_recvfrom, .fd = fd, .buf = recv_buf,
			       .len = len, .flags = flags };
	ASSERT_EQ(0, rt_call_start(c));
	ASSERT_TRUE(rt_call_sleeps(c));
}

/* The ring is full, and the sender asleep. */
static long sleep_in_send(struct __test_metadata *_metadata, struct rt_call *c,
			  int fd, int type)
{
	static char msg[1000];
	long n;

	n = rt_fill(fd, type == SOCK_STREAM ? 1 : sizeof(msg));
	ASSERT_LT(0, n);
	*c = (struct rt_call){ .nr = SYS_sendto, .fd = fd, .buf = msg,
			       .len = sizeof(msg) };
	ASSERT_EQ(0, rt_call_start(c));
	ASSERT_TRUE(rt_call_sleeps(c));
	return n;
}

/* ---- recv ------------------------------------------------------------------- */

TEST_F(pair, recv_data)
{
	struct rt_call c;

	sleep_in_recv(_metadata, &c, self->fd[1], 10, 0);
	ASSERT_EQ(3, SYS(send(self->fd[0], "abc", 3, 0)));
	EXPECT_EQ(3, rt_call_end(&c));
}

TEST_F(pair, recv_own_shutdown)
{
	static const int hows[] = { SHUT_RD, SHUT_RDWR };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hows); i++) {
		struct rt_call c;
		int fd[2];

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		sleep_in_recv(_metadata, &c, fd[1], 10, 0);
		ASSERT_EQ(0, SYS(shutdown(fd[1], hows[i])));
		EXPECT_EQ(0, rt_call_end(&c));
		close(fd[0]);
		close(fd[1]);
	}
}

/* SHUT_WR says nothing about reading. */
TEST_F(pair, recv_survives_own_shut_wr)
{
	struct rt_call c;

	sleep_in_recv(_metadata, &c, self->fd[1], 10, 0);
	ASSERT_EQ(0, SYS(shutdown(self->fd[1], SHUT_WR)));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(1, rt_call_end(&c));
}

TEST_F(pair, recv_peer_shutdown)
{
	struct rt_call c;

	sleep_in_recv(_metadata, &c, self->fd[1], 10, 0);
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	EXPECT_EQ(0, rt_call_end(&c));
}

TEST_F(pair, recv_peer_closes)
{
	struct rt_call c;

	sleep_in_recv(_metadata, &c, self->fd[1], 10, 0);
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(0, rt_call_end(&c));
}

TEST_F(pair, recv_peer_resets)
{
	struct rt_call c;

	ASSERT_EQ(1, SYS(send(self->fd[1], "x", 1, 0)));
	sleep_in_recv(_metadata, &c, self->fd[1], 10, 0);
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(-ECONNRESET, rt_call_end(&c));
	EXPECT_EQ(0, SYS(recv(self->fd[1], recv_buf, 1, 0)));
}

TEST_F(pair, recv_signal)
{
	struct rt_call c;

	sleep_in_recv(_metadata, &c, self->fd[1], 10, 0);
	ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, rt_call_end(&c));
	/* Nothing is lost, nothing is left behind. */
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(1, SYS(recv(self->fd[1], recv_buf, 10, 0)));
}

TEST_F(pair, recv_timeout)
{
	struct rt_call c = { .nr = SYS_recvfrom, .fd = self->fd[1],
			     .buf = recv_buf, .len = 10 };

	ASSERT_EQ(0, rt_set_timeo(self->fd[1], SO_RCVTIMEO, 100));
	ASSERT_EQ(0, rt_call_start(&c));
	EXPECT_EQ(-EAGAIN, rt_call_end(&c));
	EXPECT_LE(100 - RT_TICK_MS, c.lasted_ms);
}

/* What was read counts, whatever ends the wait for the rest. */
TEST_F(pair, recv_waitall_partial)
{
	int how;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "MSG_WAITALL is for streams");
	for (how = 0; how < 4; how++) {
		struct rt_call c;
		int fd[2];

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		if (how == 3)
			ASSERT_EQ(0, rt_set_timeo(fd[1], SO_RCVTIMEO, 100));
		ASSERT_EQ(3, SYS(send(fd[0], "abc", 3, 0)));
		if (how < 3) {
			sleep_in_recv(_metadata, &c, fd[1], 10, MSG_WAITALL);
		} else {
			c = (struct rt_call){ .nr = SYS_recvfrom, .fd = fd[1],
					      .buf = recv_buf, .len = 10,
					      .flags = MSG_WAITALL };
			ASSERT_EQ(0, rt_call_start(&c));
		}
		if (how == 0)
			ASSERT_EQ(0, SYS(shutdown(fd[0], SHUT_WR)));
		if (how == 1)
			ASSERT_EQ(0, SYS(close(fd[0])));
		if (how == 2)
			ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
		EXPECT_EQ(3, rt_call_end(&c)) {
			TH_LOG("ended by %d", how);
		}
		EXPECT_EQ(0, memcmp(recv_buf, "abc", 3));
		if (how != 1)
			close(fd[0]);
		close(fd[1]);
	}
}

TEST_F(pair, recv_waitall_goes_on)
{
	struct rt_call c;
	int i;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "MSG_WAITALL is for streams");
	sleep_in_recv(_metadata, &c, self->fd[1], 10, MSG_WAITALL);
	for (i = 0; i < 9; i++) {
		ASSERT_EQ(1, SYS(send(self->fd[0], "0123456789" + i, 1, 0)));
		ASSERT_TRUE(rt_call_sleeps(&c));
	}
	ASSERT_EQ(1, SYS(send(self->fd[0], "9", 1, 0)));
	EXPECT_EQ(10, rt_call_end(&c));
	EXPECT_EQ(0, memcmp(recv_buf, "0123456789", 10));
}

/* All of them, if there is nothing to come for any of them. */
TEST_F(pair, many_readers)
{
	int how;

	for (how = 0; how < 3; how++) {
		struct rt_call c[6] = { };
		static char buf[6][8];
		int fd[2], i;

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		for (i = 0; i < 6; i++) {
			c[i].nr = SYS_recvfrom;
			c[i].fd = fd[1];
			c[i].buf = buf[i];
			c[i].len = 8;
			ASSERT_EQ(0, rt_call_start(&c[i]));
			ASSERT_TRUE(rt_call_sleeps(&c[i]));
		}
		if (how == 0)
			ASSERT_EQ(0, SYS(shutdown(fd[0], SHUT_WR)));
		if (how == 1)
			ASSERT_EQ(0, SYS(shutdown(fd[1], SHUT_RD)));
		if (how == 2)
			ASSERT_EQ(0, SYS(close(fd[0])));
		for (i = 0; i < 6; i++)
			EXPECT_EQ(0, rt_call_end(&c[i]));
		if (how != 2)
			close(fd[0]);
		close(fd[1]);
	}
}

/* Messages or pieces for everybody: everybody wakes. */
TEST_F(pair, many_readers_fed)
{
	struct rt_call c[6] = { };
	static char buf[6][8];
	int i;

	for (i = 0; i < 6; i++) {
		c[i].nr = SYS_recvfrom;
		c[i].fd = self->fd[1];
		c[i].buf = buf[i];
		c[i].len = 1;
		ASSERT_EQ(0, rt_call_start(&c[i]));
		ASSERT_TRUE(rt_call_sleeps(&c[i]));
	}
	if (variant->type == SOCK_STREAM) {
		/* One write holds enough for all of them. */
		ASSERT_EQ(6, SYS(send(self->fd[0], "abcdef", 6, 0)));
	} else {
		for (i = 0; i < 6; i++)
			ASSERT_EQ(1, SYS(send(self->fd[0], "m", 1, 0)));
	}
	for (i = 0; i < 6; i++)
		EXPECT_EQ(1, rt_call_end(&c[i]));
}

/* ---- send ------------------------------------------------------------------- */

TEST_F(pair, send_room)
{
	struct rt_call c;

	sleep_in_send(_metadata, &c, self->fd[0], variant->type);
	ASSERT_LT(0, rt_drain(self->fd[1], sizeof(recv_buf)));
	EXPECT_EQ(1000, rt_call_end(&c));
}

TEST_F(pair, send_own_shutdown)
{
	struct rt_call c;

	if (variant->family == RT_UNIX && variant->type == SOCK_SEQPACKET)
		SKIP(return, "AF_UNIX sleeps at the peer, where this wakes nobody");
	sleep_in_send(_metadata, &c, self->fd[0], variant->type);
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	EXPECT_EQ(-EPIPE, rt_call_end(&c));
}

TEST_F(pair, send_peer_shutdown)
{
	struct rt_call c;

	sleep_in_send(_metadata, &c, self->fd[0], variant->type);
	ASSERT_EQ(0, SYS(shutdown(self->fd[1], SHUT_RD)));
	EXPECT_EQ(-EPIPE, rt_call_end(&c));
}

TEST_F(pair, send_peer_closes)
{
	struct rt_call c;
	long err;

	sleep_in_send(_metadata, &c, self->fd[0], variant->type);
	ASSERT_EQ(0, SYS(close(self->fd[1])));
	self->fd[1] = -1;
	err = rt_call_end(&c);
	/* AF_UNIX's sender may take the error that is meant for the reader. */
	if (variant->family == RT_RILL || err != -ECONNRESET)
		EXPECT_EQ(-EPIPE, err);
	if (variant->family == RT_RILL) {
		EXPECT_EQ(-ECONNRESET,
			  SYS(recv(self->fd[0], recv_buf, 1, 0)));
	}
	EXPECT_EQ(0, SYS(recv(self->fd[0], recv_buf, 1, 0)));
}

TEST_F(pair, send_signal)
{
	struct rt_call c;
	long n;

	n = sleep_in_send(_metadata, &c, self->fd[0], variant->type);
	ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, rt_call_end(&c));
	/* Not a byte of the interrupted send arrives. */
	EXPECT_EQ(n, rt_drain(self->fd[1], sizeof(recv_buf)));
}

TEST_F(pair, send_timeout)
{
	struct rt_call c = { .nr = SYS_sendto, .fd = self->fd[0],
			     .buf = recv_buf, .len = 1000 };
	long n;

	n = rt_fill(self->fd[0], variant->type == SOCK_STREAM ? 1 : 1000);
	ASSERT_LT(0, n);
	ASSERT_EQ(0, rt_set_timeo(self->fd[0], SO_SNDTIMEO, 100));
	ASSERT_EQ(0, rt_call_start(&c));
	EXPECT_EQ(-EAGAIN, rt_call_end(&c));
	EXPECT_LE(100 - RT_TICK_MS, c.lasted_ms);
	EXPECT_EQ(n, rt_drain(self->fd[1], sizeof(recv_buf)));
}

/* What was sent counts, whatever ends the wait for more room. */
TEST_F(pair, send_partial)
{
	static char big[4 << 20];
	int how;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "a message is sent as a whole");
	for (how = 0; how < 4; how++) {
		struct rt_call c = { .nr = SYS_sendto, .buf = big,
				     .len = sizeof(big) };
		int fd[2];
		long n;

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		c.fd = fd[0];
		if (how == 3)
			ASSERT_EQ(0, rt_set_timeo(fd[0], SO_SNDTIMEO, 100));
		ASSERT_EQ(0, rt_call_start(&c));
		if (how < 3)
			ASSERT_TRUE(rt_call_sleeps(&c));
		if (how == 0)
			ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
		if (how == 1)
			ASSERT_EQ(0, SYS(shutdown(fd[0], SHUT_WR)));
		if (how == 2)
			ASSERT_EQ(0, SYS(shutdown(fd[1], SHUT_RD)));
		n = rt_call_end(&c);
		EXPECT_LT(0, n);
		EXPECT_GT((long)sizeof(big), n);
		EXPECT_EQ(n, rt_drain(fd[1], sizeof(recv_buf)));
		close(fd[0]);
		close(fd[1]);
	}
}

TEST_F(pair, many_writers)
{
	struct rt_call c[5] = { };
	static char msg[100];
	int i;

	ASSERT_LT(0, rt_fill(self->fd[0],
			     variant->type == SOCK_STREAM ? 1 : sizeof(msg)));
	for (i = 0; i < 5; i++) {
		c[i].nr = SYS_sendto;
		c[i].fd = self->fd[0];
		c[i].buf = msg;
		c[i].len = sizeof(msg);
		ASSERT_EQ(0, rt_call_start(&c[i]));
		ASSERT_TRUE(rt_call_sleeps(&c[i]));
	}
	ASSERT_LT(0, rt_drain(self->fd[1], sizeof(recv_buf)));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(sizeof(msg), rt_call_end(&c[i]));
}

/* ---- a peer process that dies ----------------------------------------------------- */

/* Forks a process that alone holds *fd; it reads nothing, and waits for the end. */
static pid_t give_to_child(int *fd, int other)
{
	int ready[2];
	char b;
	pid_t pid;

	if (pipe(ready))
		return -errno;
	pid = rt_fork();
	if (pid < 0)
		return pid;
	if (!pid) {
		close(other);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	close(*fd);
	*fd = -1;
	if (read(ready[0], &b, 1) != 1)
		pid = -EIO;
	close(ready[0]);
	return pid;
}

TEST_F(pair, recv_peer_killed)
{
	struct rt_call c;
	pid_t pid;

	pid = give_to_child(&self->fd[1], self->fd[0]);
	ASSERT_LT(0, pid);
	sleep_in_recv(_metadata, &c, self->fd[0], 10, 0);
	ASSERT_EQ(0, SYS(kill(pid, SIGKILL)));
	EXPECT_EQ(0, rt_call_end(&c));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLHUP,
		  rt_events(self->fd[0], POLLIN | POLLOUT | POLLRDHUP));
	EXPECT_TRUE(WIFSIGNALED(rt_wait_child(pid)));
}

TEST_F(pair, send_peer_killed)
{
	struct rt_call c;
	long err;
	pid_t pid;

	pid = give_to_child(&self->fd[1], self->fd[0]);
	ASSERT_LT(0, pid);
	sleep_in_send(_metadata, &c, self->fd[0], variant->type);
	ASSERT_EQ(0, SYS(kill(pid, SIGKILL)));
	err = rt_call_end(&c);
	/* As in send_peer_closes. */
	if (variant->family == RT_RILL || err != -ECONNRESET)
		EXPECT_EQ(-EPIPE, err);
	EXPECT_TRUE(WIFSIGNALED(rt_wait_child(pid)));
}

/* Sleepers can be killed themselves. */
TEST_F(pair, sleepers_are_killed)
{
	int op;

	for (op = 0; op < 2; op++) {
		int fd[2];
		pid_t pid;
		char b;

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		if (op)
			ASSERT_LT(0, rt_fill(fd[0], 100));
		pid = rt_fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			close(fd[1]);
			if (op)
				send(fd[0], recv_buf, 1000, 0);
			else
				recv(fd[0], recv_buf, 10, 0);
			_exit(0);
		}
		close(fd[0]);
		ASSERT_TRUE(rt_wait_sleeping(pid, op ? SYS_sendto : SYS_recvfrom));
		ASSERT_EQ(0, SYS(kill(pid, SIGKILL)));
		EXPECT_TRUE(WIFSIGNALED(rt_wait_child(pid)));
		/* The other end drains what there is, then sees the end. */
		if (op)
			ASSERT_LT(0, rt_drain(fd[1], sizeof(recv_buf)));
		EXPECT_EQ(0, SYS(recv(fd[1], &b, 1, 0)));
		close(fd[1]);
	}
}

/* ---- connect() to a full queue ------------------------------------------------------ */

FIXTURE(connect)
{
	struct rt_addr addr;
	struct rt_call c;
	int filler, lfd;
};

FIXTURE_VARIANT(connect)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(connect, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(connect, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(connect, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(connect, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(connect)
{
	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	self->lfd = rt_listener(variant->family, variant->type, 0, &self->addr);
	ASSERT_LE(0, self->lfd);
	self->filler = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, self->filler);
	self->c.nr = SYS_connect;
	self->c.addr = &self->addr;
	self->c.fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, self->c.fd);
}

FIXTURE_TEARDOWN(connect)
{
	close(self->lfd);
	close(self->filler);
	close(self->c.fd);
}

TEST_F(connect, signal)
{
	ASSERT_EQ(0, rt_call_start(&self->c));
	ASSERT_TRUE(rt_call_sleeps(&self->c));
	ASSERT_EQ(0, pthread_kill(self->c.t.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, rt_call_end(&self->c));
}

/* AF_UNIX gives up, hence EAGAIN; Rill's connector stays in line, as TCP's. */
TEST_F(connect, timeout)
{
	ASSERT_EQ(0, rt_set_timeo(self->c.fd, SO_SNDTIMEO, 100));
	ASSERT_EQ(0, rt_call_start(&self->c));
	EXPECT_EQ(variant->family == RT_RILL ? -EINPROGRESS : -EAGAIN,
		  rt_call_end(&self->c));
	EXPECT_LE(100 - RT_TICK_MS, self->c.lasted_ms);
}

TEST_F(connect, listener_closes)
{
	ASSERT_EQ(0, rt_call_start(&self->c));
	ASSERT_TRUE(rt_call_sleeps(&self->c));
	ASSERT_EQ(0, SYS(close(self->lfd)));
	self->lfd = -1;
	EXPECT_EQ(-ECONNREFUSED, rt_call_end(&self->c));
}

TEST_F(connect, listener_shuts_down)
{
	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX's shutdown() does not wake connectors");
	ASSERT_EQ(0, rt_call_start(&self->c));
	ASSERT_TRUE(rt_call_sleeps(&self->c));
	ASSERT_EQ(0, SYS(shutdown(self->lfd, SHUT_RDWR)));
	EXPECT_EQ(-ECONNREFUSED, rt_call_end(&self->c));
}

TEST_F(connect, accept)
{
	int sfd;

	ASSERT_EQ(0, rt_call_start(&self->c));
	ASSERT_TRUE(rt_call_sleeps(&self->c));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(0, rt_call_end(&self->c));
	close(sfd);
}

/* ---- datagrams ---------------------------------------------------------------- */

FIXTURE(dgram)
{
	struct rt_addr addr;
	int rx, tx;
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
	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	self->rx = rt_bound(variant->family, SOCK_DGRAM, &self->addr);
	ASSERT_LE(0, self->rx);
	self->tx = rt_client(variant->family, SOCK_DGRAM, &self->addr);
	ASSERT_LE(0, self->tx);
}

FIXTURE_TEARDOWN(dgram)
{
	close(self->rx);
	close(self->tx);
}

TEST_F(dgram, recv_data)
{
	struct rt_call c;

	sleep_in_recv(_metadata, &c, self->rx, 10, 0);
	ASSERT_EQ(3, SYS(send(self->tx, "abc", 3, 0)));
	EXPECT_EQ(3, rt_call_end(&c));
}

TEST_F(dgram, recv_empty_message)
{
	struct rt_call c;

	sleep_in_recv(_metadata, &c, self->rx, 10, 0);
	ASSERT_EQ(0, SYS(send(self->tx, "", 0, 0)));
	EXPECT_EQ(0, rt_call_end(&c));
}

TEST_F(dgram, recv_own_shutdown)
{
	struct rt_call c;

	sleep_in_recv(_metadata, &c, self->rx, 10, 0);
	ASSERT_EQ(0, SYS(shutdown(self->rx, SHUT_RD)));
	EXPECT_EQ(0, rt_call_end(&c));
}

/* Somebody else may still send: the sender's end is no end here. */
TEST_F(dgram, recv_survives_a_sender)
{
	struct rt_call c;
	int other;

	sleep_in_recv(_metadata, &c, self->rx, 10, 0);
	ASSERT_EQ(0, SYS(close(self->tx)));
	self->tx = -1;
	ASSERT_TRUE(rt_call_sleeps(&c));
	other = rt_client(variant->family, SOCK_DGRAM, &self->addr);
	ASSERT_LE(0, other);
	ASSERT_EQ(1, SYS(send(other, "x", 1, 0)));
	EXPECT_EQ(1, rt_call_end(&c));
	close(other);
}

TEST_F(dgram, recv_signal)
{
	struct rt_call c;

	sleep_in_recv(_metadata, &c, self->rx, 10, 0);
	ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, rt_call_end(&c));
}

TEST_F(dgram, recv_timeout)
{
	struct rt_call c = { .nr = SYS_recvfrom, .fd = self->rx,
			     .buf = recv_buf, .len = 10 };

	ASSERT_EQ(0, rt_set_timeo(self->rx, SO_RCVTIMEO, 100));
	ASSERT_EQ(0, rt_call_start(&c));
	EXPECT_EQ(-EAGAIN, rt_call_end(&c));
	EXPECT_LE(100 - RT_TICK_MS, c.lasted_ms);
}

TEST_F(dgram, send_room)
{
	struct rt_call c;

	sleep_in_send(_metadata, &c, self->tx, SOCK_DGRAM);
	ASSERT_LT(0, rt_drain(self->rx, sizeof(recv_buf)));
	EXPECT_EQ(1000, rt_call_end(&c));
}

/* The room that somebody else's message took is room as well. */
TEST_F(dgram, send_waits_for_another_sender)
{
	struct rt_call c = { .nr = SYS_sendto, .buf = recv_buf, .len = 100 };

	ASSERT_LT(0, rt_fill(self->tx, 1000));
	c.fd = rt_client(variant->family, SOCK_DGRAM, &self->addr);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_LT(0, rt_drain(self->rx, sizeof(recv_buf)));
	EXPECT_EQ(100, rt_call_end(&c));
	close(c.fd);
}

TEST_F(dgram, sendto_room)
{
	struct rt_call c = { .nr = SYS_sendto, .addr = &self->addr,
			     .buf = recv_buf, .len = 100 };

	ASSERT_LT(0, rt_fill(self->tx, 1000));
	c.fd = rt_socket(variant->family, SOCK_DGRAM);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_LT(0, rt_drain(self->rx, sizeof(recv_buf)));
	EXPECT_EQ(100, rt_call_end(&c));
	close(c.fd);
}

TEST_F(dgram, send_receiver_closes)
{
	struct rt_call c;

	sleep_in_send(_metadata, &c, self->tx, SOCK_DGRAM);
	ASSERT_EQ(0, SYS(close(self->rx)));
	self->rx = -1;
	EXPECT_EQ(-ECONNREFUSED, rt_call_end(&c));
	/* The association is dissolved. */
	EXPECT_EQ(-ENOTCONN, SYS(send(self->tx, "x", 1, 0)));
}

/* It takes messages from its peer alone then (unix(7): EPERM). */
TEST_F(dgram, send_receiver_connects_elsewhere)
{
	struct rt_addr other = {};
	struct rt_call c;
	int fd;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX's first connect() does not wake senders");
	fd = rt_bound(variant->family, SOCK_DGRAM, &other);
	ASSERT_LE(0, fd);
	sleep_in_send(_metadata, &c, self->tx, SOCK_DGRAM);
	ASSERT_EQ(0, rt_connect(self->rx, &other));
	EXPECT_EQ(-EPERM, rt_call_end(&c));
	close(fd);
}

TEST_F(dgram, sendto_receiver_closes)
{
	struct rt_call c = { .nr = SYS_sendto, .addr = &self->addr,
			     .buf = recv_buf, .len = 100 };

	ASSERT_LT(0, rt_fill(self->tx, 1000));
	c.fd = rt_socket(variant->family, SOCK_DGRAM);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, SYS(close(self->rx)));
	self->rx = -1;
	EXPECT_EQ(-ECONNREFUSED, rt_call_end(&c));
	close(c.fd);
}

TEST_F(dgram, send_receiver_shuts_down)
{
	struct rt_call c;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX's shutdown() does not wake senders");
	sleep_in_send(_metadata, &c, self->tx, SOCK_DGRAM);
	ASSERT_EQ(0, SYS(shutdown(self->rx, SHUT_RD)));
	EXPECT_EQ(-EPIPE, rt_call_end(&c));
}

TEST_F(dgram, send_own_shutdown)
{
	struct rt_call c;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX sleeps at the peer, where this wakes nobody");
	sleep_in_send(_metadata, &c, self->tx, SOCK_DGRAM);
	ASSERT_EQ(0, SYS(shutdown(self->tx, SHUT_WR)));
	EXPECT_EQ(-EPIPE, rt_call_end(&c));
}

TEST_F(dgram, send_signal)
{
	struct rt_call c;

	sleep_in_send(_metadata, &c, self->tx, SOCK_DGRAM);
	ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, rt_call_end(&c));
}

TEST_F(dgram, send_timeout)
{
	struct rt_call c = { .nr = SYS_sendto, .fd = self->tx, .buf = recv_buf,
			     .len = 1000 };

	ASSERT_LT(0, rt_fill(self->tx, 1000));
	ASSERT_EQ(0, rt_set_timeo(self->tx, SO_SNDTIMEO, 100));
	ASSERT_EQ(0, rt_call_start(&c));
	EXPECT_EQ(-EAGAIN, rt_call_end(&c));
	EXPECT_LE(100 - RT_TICK_MS, c.lasted_ms);
}

TEST_HARNESS_MAIN
