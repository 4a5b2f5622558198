// SPDX-License-Identifier: GPL-2.0-only
/*
 * socketpair() of each type: two ends without names.
 */
#include "rill_test.h"

FIXTURE(socketpair)
{
	int fd[2];
};

FIXTURE_VARIANT(socketpair)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(socketpair, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(socketpair, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(socketpair, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(socketpair, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(socketpair, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(socketpair, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_SETUP(socketpair)
{
	ASSERT_EQ(0, SYS(socketpair(rt_af(variant->family), variant->type, 0,
				    self->fd)));
}

FIXTURE_TEARDOWN(socketpair)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

static char buf[65536];

TEST_F(socketpair, both_ways)
{
	int end;

	for (end = 0; end < 2; end++) {
		EXPECT_EQ(POLLOUT, rt_events(self->fd[end], POLLIN | POLLOUT));
		ASSERT_EQ(5, SYS(send(self->fd[end], "hello", 5, 0)));
		EXPECT_EQ(POLLIN | POLLOUT,
			  rt_events(self->fd[!end], POLLIN | POLLOUT));
		ASSERT_EQ(5, SYS(recv(self->fd[!end], buf, sizeof(buf), 0)));
		EXPECT_EQ(0, memcmp(buf, "hello", 5));
		EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[end], buf, sizeof(buf),
					    MSG_DONTWAIT)));
	}
}

TEST_F(socketpair, boundaries)
{
	int i;

	for (i = 1; i <= 4; i++)
		ASSERT_EQ(i, SYS(send(self->fd[0], "abcd", i, 0)));
	if (variant->type == SOCK_STREAM) {
		EXPECT_EQ(10, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
		EXPECT_EQ(0, memcmp(buf, "aababcabcd", 10));
		return;
	}
	for (i = 1; i <= 4; i++)
		EXPECT_EQ(i, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
}

TEST_F(socketpair, names)
{
	socklen_t want = variant->family == RT_RILL ?
			 offsetof(struct sockaddr_rill, srl_name) + 1 :
			 sizeof(sa_family_t);
	int end;

	for (end = 0; end < 2; end++) {
		struct rt_addr a = { .len = sizeof(a.ss) };

		memset(&a.ss, 0xff, sizeof(a.ss));
		ASSERT_EQ(0, SYS(getsockname(self->fd[end], &a.sa, &a.len)));
		EXPECT_EQ(want, a.len);
		EXPECT_EQ(rt_af(variant->family), a.sa.sa_family);
		if (variant->family == RT_RILL) {
			EXPECT_EQ(0, a.rill.srl_flags);
			EXPECT_STREQ("", a.rill.srl_name);
		}
		a.len = sizeof(a.ss);
		ASSERT_EQ(0, SYS(getpeername(self->fd[end], &a.sa, &a.len)));
		EXPECT_EQ(want, a.len);
	}
	/* Sending does not give a datagram's end a name. */
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	if (variant->type == SOCK_DGRAM) {
		struct rt_addr a = { .len = sizeof(a.ss) };

		ASSERT_EQ(1, SYS(recvfrom(self->fd[1], buf, 1, 0, &a.sa,
					  &a.len)));
		EXPECT_EQ(0, a.len);
		a.len = sizeof(a.ss);
		ASSERT_EQ(0, SYS(getsockname(self->fd[0], &a.sa, &a.len)));
		EXPECT_EQ(want, a.len);
	}
}

TEST_F(socketpair, credentials)
{
	int end;

	for (end = 0; end < 2; end++) {
		struct ucred c = { };
		socklen_t len = sizeof(c);

		ASSERT_EQ(0, SYS(getsockopt(self->fd[end], SOL_SOCKET,
					    SO_PEERCRED, &c, &len)));
		EXPECT_EQ(getpid(), c.pid);
		EXPECT_EQ(geteuid(), c.uid);
		EXPECT_EQ(getegid(), c.gid);
	}
}

TEST_F(socketpair, options)
{
	int end;

	for (end = 0; end < 2; end++) {
		EXPECT_EQ(variant->type,
			  rt_get_int(self->fd[end], SOL_SOCKET, SO_TYPE));
		EXPECT_EQ(rt_af(variant->family),
			  rt_get_int(self->fd[end], SOL_SOCKET, SO_DOMAIN));
		EXPECT_EQ(0, rt_get_int(self->fd[end], SOL_SOCKET,
					SO_ACCEPTCONN));
		EXPECT_EQ(0, rt_so_error(self->fd[end]));
	}
}

TEST_F(socketpair, flags)
{
	int fd[2], i;

	ASSERT_EQ(0, SYS(socketpair(rt_af(variant->family),
				    variant->type | SOCK_NONBLOCK | SOCK_CLOEXEC,
				    0, fd)));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EAGAIN, SYS(recv(fd[i], buf, 1, 0)));
		EXPECT_EQ(FD_CLOEXEC, fcntl(fd[i], F_GETFD));
	}
	close(fd[0]);
	close(fd[1]);
}

TEST_F(socketpair, no_new_connection)
{
	struct rt_addr a = { .len = 0 };
	int lfd;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "a datagram socket may choose another peer");
	lfd = rt_listener(variant->family, variant->type, 1, &a);
	ASSERT_LE(0, lfd);
	EXPECT_EQ(-EISCONN, rt_connect(self->fd[0], &a));
	EXPECT_EQ(-EINVAL, SYS(listen(self->fd[0], 1)));
	EXPECT_EQ(-EINVAL, SYS(accept(self->fd[0], NULL, NULL)));
	close(lfd);
}

TEST_F(socketpair, close)
{
	ASSERT_EQ(3, SYS(send(self->fd[0], "end", 3, 0)));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(3, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	if (variant->type == SOCK_DGRAM) {
		/* No end of file: others might send, if they knew its name. */
		EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], buf, sizeof(buf),
					    MSG_DONTWAIT)));
		EXPECT_EQ(-ECONNREFUSED, SYS(send(self->fd[1], "x", 1, 0)));
		EXPECT_EQ(-ENOTCONN, SYS(send(self->fd[1], "x", 1, 0)));
	} else {
		EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
		EXPECT_EQ(-EPIPE, SYS(send(self->fd[1], "x", 1, MSG_NOSIGNAL)));
		EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLHUP,
			  rt_events(self->fd[1], POLLIN | POLLOUT | POLLRDHUP));
	}
}

TEST_F(socketpair, reset)
{
	ASSERT_EQ(1, SYS(send(self->fd[1], "x", 1, 0)));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	if (variant->type == SOCK_DGRAM) {
		EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], buf, 1, MSG_DONTWAIT)));
	} else {
		EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[1], buf, 1, 0)));
		EXPECT_EQ(0, SYS(recv(self->fd[1], buf, 1, 0)));
	}
}

/* Parent and child, as everybody uses it. */
TEST_F(socketpair, fork)
{
	int v = 21, status;
	pid_t pid;

	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(self->fd[0]);
		while (recv(self->fd[1], &v, sizeof(v), 0) == sizeof(v) && v) {
			v *= 2;
			if (send(self->fd[1], &v, sizeof(v), 0) != sizeof(v))
				_exit(1);
		}
		_exit(0);
	}
	close(self->fd[1]);
	self->fd[1] = -1;
	ASSERT_EQ(sizeof(v), SYS(send(self->fd[0], &v, sizeof(v), 0)));
	ASSERT_EQ(sizeof(v), SYS(recv(self->fd[0], &v, sizeof(v), 0)));
	EXPECT_EQ(42, v);
	v = 0;
	ASSERT_EQ(sizeof(v), SYS(send(self->fd[0], &v, sizeof(v), 0)));
	status = rt_wait_child(pid);
	EXPECT_TRUE(WIFEXITED(status) && !WEXITSTATUS(status));
	if (variant->type != SOCK_DGRAM)
		EXPECT_EQ(0, SYS(recv(self->fd[0], &v, sizeof(v), 0)));
}

/* Both ends at once, from two threads, thousands of times. */
static long close_it(void *arg)
{
	return SYS(close(*(int *)arg));
}

TEST_F(socketpair, close_races_close)
{
	int i;

	for (i = 0; i < 500; i++) {
		struct rt_thread t;
		int fd[2];

		ASSERT_EQ(0, SYS(socketpair(rt_af(variant->family),
					    variant->type, 0, fd)));
		ASSERT_EQ(1, SYS(send(fd[i & 1], "x", 1, 0)));
		ASSERT_EQ(0, rt_thread_start(&t, close_it, &fd[0]));
		ASSERT_EQ(0, SYS(close(fd[1])));
		ASSERT_TRUE(rt_thread_join(&t));
		EXPECT_EQ(0, t.ret);
	}
}

TEST(bad_types)
{
	int af = rt_rill_family(), fd[2];

	EXPECT_EQ(-ESOCKTNOSUPPORT, SYS(socketpair(af, SOCK_RAW, 0, fd)));
	EXPECT_EQ(-ESOCKTNOSUPPORT, SYS(socketpair(af, SOCK_RDM, 0, fd)));
	EXPECT_EQ(-EPROTONOSUPPORT, SYS(socketpair(af, SOCK_STREAM, 1, fd)));
	ASSERT_EQ(0, SYS(socketpair(af, SOCK_STREAM, af, fd)));
	close(fd[0]);
	close(fd[1]);
}

TEST_HARNESS_MAIN
