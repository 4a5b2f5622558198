// SPDX-License-Identifier: GPL-2.0-only
/*
 * O_ASYNC: a signal for data, connections, room and the end, with the file
 * descriptor and the band of events where F_SETSIG asks for them.
 */
#include "rill_test.h"

#define SIG	(SIGRTMIN + 3)

FIXTURE(sigio)
{
	int fd[2];
	sigset_t set;
};

FIXTURE_VARIANT(sigio)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(sigio, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(sigio, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(sigio, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(sigio, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(sigio, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(sigio, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

/* Blocked, so that sigtimedwait() is all that takes them. */
static int block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIG);
	sigaddset(set, SIGIO);
	return SYS(sigprocmask(SIG_BLOCK, set, NULL));
}

FIXTURE_SETUP(sigio)
{
	ASSERT_EQ(0, block_signals(&self->set));
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
}

FIXTURE_TEARDOWN(sigio)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

static int set_async(int fd, int sig, bool on)
{
	int err = SYS(fcntl(fd, F_SETOWN, getpid()));
	int flags;

	if (!err)
		err = SYS(fcntl(fd, F_SETSIG, sig));
	if (err)
		return err;
	flags = fcntl(fd, F_GETFL);
	flags = on ? flags | O_ASYNC : flags & ~O_ASYNC;
	return SYS(fcntl(fd, F_SETFL, flags));
}

/* The next signal, within the bound. */
static int next_signal(const sigset_t *set, siginfo_t *info)
{
	struct timespec ts = { .tv_sec = RT_WAIT_MS / 1000 };

	memset(info, 0, sizeof(*info));
	return SYS(sigtimedwait(set, info, &ts));
}

/* What is pending now: 0 if nothing. */
static int pending_signal(const sigset_t *set, siginfo_t *info)
{
	struct timespec ts = { };
	int sig;

	memset(info, 0, sizeof(*info));
	sig = SYS(sigtimedwait(set, info, &ts));
	return sig == -EAGAIN ? 0 : sig;
}

static void drop_pending(const sigset_t *set)
{
	siginfo_t info;

	while (pending_signal(set, &info) > 0)
		;
}

/* Drops signals until one of this descriptor tells one of these events. */
static bool wait_band(const sigset_t *set, int fd, long band)
{
	siginfo_t info;

	while (next_signal(set, &info) == SIG) {
		if (info.si_fd == fd && info.si_band & band)
			return true;
	}
	return false;
}

TEST_F(sigio, input)
{
	siginfo_t info;
	char b;
	int i;

	ASSERT_EQ(0, set_async(self->fd[1], SIG, true));
	drop_pending(&self->set);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
		ASSERT_EQ(SIG, next_signal(&self->set, &info));
		EXPECT_EQ(self->fd[1], info.si_fd);
		EXPECT_EQ(POLL_IN, info.si_code);
		EXPECT_TRUE(info.si_band & POLLIN);
		/* On a queue that was not empty, too: i == 1 left it so. */
		if (i != 1)
			ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));
		drop_pending(&self->set);
	}
}

TEST_F(sigio, plain_sigio)
{
	siginfo_t info;

	ASSERT_EQ(0, set_async(self->fd[1], 0, true));
	drop_pending(&self->set);
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(SIGIO, next_signal(&self->set, &info));
}

TEST_F(sigio, switched_off)
{
	siginfo_t info;

	ASSERT_EQ(0, set_async(self->fd[1], SIG, true));
	ASSERT_EQ(0, set_async(self->fd[1], SIG, false));
	drop_pending(&self->set);
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(0, pending_signal(&self->set, &info));
}

/* Room for a writer that found none. */
TEST_F(sigio, space)
{
	ASSERT_EQ(0, set_async(self->fd[0], SIG, true));
	ASSERT_LT(0, rt_fill(self->fd[0], 500));
	EXPECT_EQ(0, rt_events(self->fd[0], POLLOUT));
	drop_pending(&self->set);
	ASSERT_LT(0, rt_drain(self->fd[1], 1000));
	EXPECT_TRUE(wait_band(&self->set, self->fd[0], POLLOUT));
	EXPECT_EQ(POLLOUT, rt_events(self->fd[0], POLLOUT));
}

/* The same, and nobody but the send that got EAGAIN has asked. */
TEST_F(sigio, space_after_eagain)
{
	if (variant->family == RT_UNIX && variant->type != SOCK_STREAM)
		SKIP(return, "unix(7) does not tell of the peer's queue");
	ASSERT_EQ(0, set_async(self->fd[0], SIG, true));
	ASSERT_LT(0, rt_fill(self->fd[0], 500));
	drop_pending(&self->set);
	ASSERT_LT(0, rt_drain(self->fd[1], 1000));
	EXPECT_TRUE(wait_band(&self->set, self->fd[0], POLLOUT));
}

TEST_F(sigio, peer_shutdown)
{
	siginfo_t info;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "a datagram's peer has no end to tell");
	ASSERT_EQ(0, set_async(self->fd[1], SIG, true));
	drop_pending(&self->set);
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	ASSERT_EQ(SIG, next_signal(&self->set, &info));
	EXPECT_EQ(self->fd[1], info.si_fd);
}

TEST_F(sigio, peer_closes)
{
	siginfo_t info;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "a datagram's peer has no end to tell");
	ASSERT_EQ(0, set_async(self->fd[1], SIG, true));
	drop_pending(&self->set);
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	ASSERT_EQ(SIG, next_signal(&self->set, &info));
	EXPECT_EQ(self->fd[1], info.si_fd);
	EXPECT_TRUE(info.si_code == POLL_HUP || info.si_code == POLL_IN ||
		    info.si_code == POLL_OUT);
}

/* The socket closes while somebody would still signal it. */
TEST_F(sigio, closed_owner)
{
	int i;

	for (i = 0; i < 100; i++) {
		int fd[2];

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		ASSERT_EQ(0, set_async(fd[1], SIG, true));
		ASSERT_EQ(1, SYS(send(fd[0], "x", 1, 0)));
		ASSERT_EQ(0, SYS(close(fd[1])));
		send(fd[0], "x", 1, MSG_NOSIGNAL);
		close(fd[0]);
	}
}

/* ---- connections ---------------------------------------------------------------- */

FIXTURE(conn)
{
	struct rt_addr addr;
	int lfd;
	sigset_t set;
};

FIXTURE_VARIANT(conn)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(conn, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(conn, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(conn, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(conn, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(conn)
{
	ASSERT_EQ(0, block_signals(&self->set));
	self->lfd = rt_listener(variant->family, variant->type, 0, &self->addr);
	ASSERT_LE(0, self->lfd);
}

FIXTURE_TEARDOWN(conn)
{
	close(self->lfd);
}

TEST_F(conn, arrives)
{
	siginfo_t info;
	int fd, sfd;

	ASSERT_EQ(0, set_async(self->lfd, SIG, true));
	drop_pending(&self->set);
	fd = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, fd);
	ASSERT_EQ(SIG, next_signal(&self->set, &info));
	EXPECT_EQ(self->lfd, info.si_fd);
	EXPECT_EQ(POLL_IN, info.si_code);
	/* The new end does not inherit it. */
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_FALSE(fcntl(sfd, F_GETFL) & O_ASYNC);
	drop_pending(&self->set);
	ASSERT_EQ(1, SYS(send(fd, "x", 1, 0)));
	EXPECT_EQ(0, pending_signal(&self->set, &info));
	close(sfd);
	close(fd);
}

/* A connector in line hears that it was admitted, or refused. */
TEST_F(conn, line)
{
	int fd, filler, how, sfd;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX has no line");
	for (how = 0; how < 2; how++) {
		filler = rt_client(variant->family, variant->type, &self->addr);
		ASSERT_LE(0, filler);
		fd = rt_socket(variant->family, variant->type | SOCK_NONBLOCK);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, set_async(fd, SIG, true));
		ASSERT_EQ(-EINPROGRESS, rt_connect(fd, &self->addr));
		drop_pending(&self->set);
		if (how) {
			siginfo_t info;

			ASSERT_EQ(0, SYS(close(self->lfd)));
			self->lfd = -1;
			ASSERT_EQ(SIG, next_signal(&self->set, &info));
			EXPECT_EQ(fd, info.si_fd);
			EXPECT_EQ(ECONNREFUSED, rt_so_error(fd));
		} else {
			sfd = rt_accept(self->lfd, 0);
			ASSERT_LE(0, sfd);
			EXPECT_TRUE(wait_band(&self->set, fd, POLLOUT));
			EXPECT_EQ(0, rt_connect(fd, &self->addr));
			close(sfd);
			sfd = rt_accept(self->lfd, 0);
			ASSERT_LE(0, sfd);
			close(sfd);
		}
		close(fd);
		close(filler);
	}
}

TEST_HARNESS_MAIN
