// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ancillary data: SCM_CREDENTIALS with SO_PASSCRED, who may claim what, how a
 * stream keeps the bytes of different senders apart.  Files: see rights.c.
 */
#include "rill_test_data.h"

#define UID_A	1001
#define GID_A	2001

static struct ucred me(void)
{
	struct ucred uc = { .pid = getpid(), .uid = geteuid(), .gid = getegid() };

	return uc;
}

FIXTURE(creds)
{
	int fd[2];
};

FIXTURE_VARIANT(creds)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(creds, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(creds, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(creds, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(creds, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(creds, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(creds, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(creds)
{
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
}

FIXTURE_TEARDOWN(creds)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

static int passcred(int fd, int on)
{
	return rt_set_int(fd, SOL_SOCKET, SO_PASSCRED, on);
}

/* Sends one byte as a child with these ids (0: as root). */
static int send_as(int fd, uid_t uid, const char *buf, size_t len, pid_t *pid)
{
	*pid = rt_fork();
	if (*pid < 0)
		return *pid;
	if (!*pid) {
		if (uid)
			CHECK_EQ(0, rd_become(uid, GID_A, NULL, 0));
		CHECK_EQ((long)len, send(fd, buf, len, 0));
		_exit(0);
	}
	return rt_wait_child(*pid);
}

TEST_F(creds, none_unless_asked)
{
	struct rd_msg m;
	char c;

	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
	EXPECT_EQ(0, m.controllen);
	EXPECT_EQ(0, m.flags & MSG_CTRUNC);
}

TEST_F(creds, asked_by_the_receiver)
{
	struct ucred uc, want = me();
	struct rd_msg m;
	pid_t pid;
	char c;

	ASSERT_EQ(0, passcred(self->fd[1], 1));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(want.pid, uc.pid);
	EXPECT_EQ(want.uid, uc.uid);
	EXPECT_EQ(want.gid, uc.gid);
	EXPECT_EQ(0, m.flags & MSG_CTRUNC);

	/* Of whoever sends, not of whoever connected. */
	if (geteuid())
		SKIP(return, "the rest needs root");
	ASSERT_EQ(0, send_as(self->fd[0], UID_A, "y", 1, &pid));
	ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	/* That process is gone: no number is shown, or the one it had. */
	EXPECT_EQ(UID_A, uc.uid);
	EXPECT_EQ(GID_A, uc.gid);
	EXPECT_TRUE(uc.pid == pid || uc.pid == 0);
}

TEST_F(creds, both_ways)
{
	struct ucred uc;
	struct rd_msg m;
	char c;

	ASSERT_EQ(0, passcred(self->fd[0], 1));
	ASSERT_EQ(1, SYS(send(self->fd[1], "x", 1, 0)));
	ASSERT_EQ(1, rd_recv(self->fd[0], &c, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(getpid(), uc.pid);
	/* The other end did not ask. */
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
	EXPECT_FALSE(rd_creds(&m, &uc));
	/* Off again. */
	ASSERT_EQ(0, passcred(self->fd[0], 0));
	ASSERT_EQ(1, SYS(send(self->fd[1], "x", 1, 0)));
	ASSERT_EQ(1, rd_recv(self->fd[0], &c, 1, 0, &m));
	EXPECT_FALSE(rd_creds(&m, &uc));
}

/* Asked by the sender before, by the receiver only when the bytes are there. */
TEST_F(creds, asked_by_the_sender)
{
	struct ucred uc;
	struct rd_msg m;
	char c;

	ASSERT_EQ(0, passcred(self->fd[0], 1));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_EQ(0, passcred(self->fd[1], 1));
	ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(getpid(), uc.pid);
	EXPECT_EQ(geteuid(), uc.uid);
}

/* Nobody asked when it was sent: nobody knows. */
TEST_F(creds, asked_too_late)
{
	struct ucred uc;
	struct rd_msg m;
	char c;

	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_EQ(0, passcred(self->fd[1], 1));
	ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(0, uc.pid);
	EXPECT_EQ(65534, uc.uid);
	EXPECT_EQ(65534, uc.gid);
}

/* Given by the sender: always there for who asks, even late. */
TEST_F(creds, given)
{
	struct ucred uc, mine = me();
	struct rd_msg m;
	char c;

	ASSERT_EQ(1, rd_send_cmsg(self->fd[0], "x", 1, 0, SOL_SOCKET,
				  SCM_CREDENTIALS, &mine, sizeof(mine)));
	ASSERT_EQ(0, passcred(self->fd[1], 1));
	ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(0, memcmp(&mine, &uc, sizeof(uc)));
	/* And not for who does not. */
	ASSERT_EQ(0, passcred(self->fd[1], 0));
	ASSERT_EQ(1, rd_send_cmsg(self->fd[0], "x", 1, 0, SOL_SOCKET,
				  SCM_CREDENTIALS, &mine, sizeof(mine)));
	ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
	EXPECT_FALSE(rd_creds(&m, &uc));
}

TEST_F(creds, root_may_claim)
{
	struct ucred uc, other = { .pid = 1, .uid = 12, .gid = 34 };
	struct rd_msg m;
	char c;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, passcred(self->fd[1], 1));
	ASSERT_EQ(1, rd_send_cmsg(self->fd[0], "x", 1, 0, SOL_SOCKET,
				  SCM_CREDENTIALS, &other, sizeof(other)));
	ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(0, memcmp(&other, &uc, sizeof(uc)));
}

static void claim(int fd, pid_t pid, uid_t uid, gid_t gid, long want, int line)
{
	struct ucred uc = { .pid = pid, .uid = uid, .gid = gid };
	long got = rd_send_cmsg(fd, "x", 1, MSG_DONTWAIT, SOL_SOCKET,
				SCM_CREDENTIALS, &uc, sizeof(uc));

	if (got == want)
		return;
	fprintf(stderr, "# line %d: pid %d uid %u gid %u: %ld, not %ld\n", line,
		pid, uid, gid, got, want);
	_exit(1);
}

TEST_F(creds, spoofing)
{
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root to be somebody else");
	ASSERT_EQ(0, passcred(self->fd[1], 1));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pid_t self_pid = getpid();

		CHECK_EQ(0, rd_become(UID_A, GID_A, NULL, 0));
		claim(self->fd[0], self_pid, UID_A, GID_A, 1, __LINE__);
		/* errno: send EPERM */
		claim(self->fd[0], self_pid, 0, GID_A, -EPERM, __LINE__);
		claim(self->fd[0], self_pid, UID_A, 0, -EPERM, __LINE__);
		claim(self->fd[0], getppid(), UID_A, GID_A, -EPERM, __LINE__);
		claim(self->fd[0], self_pid, UID_A + 1, GID_A, -EPERM, __LINE__);
		claim(self->fd[0], 0, UID_A, GID_A, -EPERM, __LINE__);
		claim(self->fd[0], self_pid, -1, GID_A, -EINVAL, __LINE__);
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
	/* One byte, not seven. */
	EXPECT_EQ(1, rt_drain(self->fd[1], 100));
}

TEST_F(creds, no_such_process)
{
	struct ucred uc = me();

	if (geteuid())
		SKIP(return, "needs root");
	uc.pid = 0x3fffffff;
	/* errno: send ESRCH */
	EXPECT_EQ(-ESRCH, rd_send_cmsg(self->fd[0], "x", 1, 0, SOL_SOCKET,
				       SCM_CREDENTIALS, &uc, sizeof(uc)));
	EXPECT_EQ(0, rt_drain(self->fd[1], 100));
}

TEST_F(creds, wrong_lengths)
{
	struct ucred mine = me();
	char data[64] = "";
	size_t len;

	memcpy(data, &mine, sizeof(mine));
	for (len = 0; len < sizeof(data); len++) {
		if (len == sizeof(struct ucred))
			continue;
		/* errno: send EINVAL */
		EXPECT_EQ(-EINVAL, rd_send_cmsg(self->fd[0], "x", 1, 0, SOL_SOCKET,
						SCM_CREDENTIALS, data, len)) {
			TH_LOG("length %zu", len);
		}
	}
	EXPECT_EQ(0, rt_drain(self->fd[1], 100));
}

/* A header that lies about its length, and a buffer too short for one. */
TEST_F(creds, broken_headers)
{
	static const size_t lens[] = { 0, 1, sizeof(struct cmsghdr) - 1, 1000, -1 };
	union {
		char buf[256];
		struct cmsghdr h;
	} u;
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		memset(&u, 0, sizeof(u));
		u.h.cmsg_level = SOL_SOCKET;
		u.h.cmsg_type = SCM_CREDENTIALS;
		u.h.cmsg_len = lens[i];
		msg.msg_controllen = CMSG_SPACE(sizeof(struct ucred));
		EXPECT_EQ(-EINVAL, SYS(sendmsg(self->fd[0], &msg, 0))) {
			TH_LOG("cmsg_len %zu", lens[i]);
		}
	}
	/* Too short to hold a header: there is none. */
	msg.msg_controllen = sizeof(struct cmsghdr) - 1;
	EXPECT_EQ(1, SYS(sendmsg(self->fd[0], &msg, 0)));
	EXPECT_EQ(1, rt_drain(self->fd[1], 100));
}

TEST_F(creds, other_kinds)
{
	int v = 0;

	/* errno: send EINVAL */
	EXPECT_EQ(-EINVAL, rd_send_cmsg(self->fd[0], "x", 1, 0, SOL_SOCKET, 99, &v, 4));
	EXPECT_EQ(0, rt_drain(self->fd[1], 100));
	/* What is meant for somebody else is not looked at. */
	EXPECT_EQ(1, rd_send_cmsg(self->fd[0], "x", 1, 0, 0, 8, &v, 4));
	EXPECT_EQ(1, rt_drain(self->fd[1], 100));
}

/* ---- not enough room for what came along ------------------------------- */

TEST_F(creds, short_control)
{
	union {
		char buf[128];
		struct cmsghdr h;
	} u;
	char c;
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	size_t size, i;

	ASSERT_EQ(0, passcred(self->fd[1], 1));
	for (size = 0; size <= CMSG_SPACE(sizeof(struct ucred)); size++) {
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = u.buf, .msg_controllen = size,
		};

		ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
		memset(&u, 0xa5, sizeof(u));
		ASSERT_EQ(1, SYS(recvmsg(self->fd[1], &msg, 0)));
		EXPECT_EQ(size < CMSG_LEN(sizeof(struct ucred)) ? MSG_CTRUNC : 0,
			  msg.msg_flags & MSG_CTRUNC) {
			TH_LOG("room for %zu", size);
		}
		EXPECT_GE(size, msg.msg_controllen);
		for (i = size; i < sizeof(u.buf); i++)
			ASSERT_EQ((char)0xa5, u.buf[i]);
	}
}

/* ---- a stream keeps senders apart -------------------------------------- */

/* Two processes write by turns into one end. */
TEST_F(creds, marks)
{
	struct ucred uc;
	struct rd_msg m;
	char buf[64];
	pid_t pid, kid[2];
	int turn[2][2], done[2], i, k;
	char c;

	ASSERT_EQ(0, passcred(self->fd[1], 1));
	ASSERT_EQ(0, pipe(done));
	for (k = 0; k < 2; k++) {
		ASSERT_EQ(0, pipe(turn[k]));
		pid = rt_fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			if (k && !geteuid())
				CHECK_EQ(0, rd_become(UID_A, GID_A, NULL, 0));
			close(turn[k][1]);
			/* Two writes a turn: those two may come as one. */
			while (read(turn[k][0], &c, 1) == 1) {
				CHECK_EQ(2, write(self->fd[0], k ? "BB" : "AA", 2));
				CHECK_EQ(1, write(self->fd[0], k ? "b" : "a", 1));
				CHECK_EQ(1, write(done[1], "d", 1));
			}
			_exit(0);
		}
		close(turn[k][0]);
		kid[k] = pid;
	}
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(1, write(turn[i & 1][1], "t", 1));
		ASSERT_EQ(1, read(done[0], &c, 1));
	}
	for (i = 0; i < 10; i++) {
		int got = 0;

		/* A peek sees the same bytes and leaves the mark. */
		ASSERT_LT(0, rd_recv(self->fd[1], buf, sizeof(buf), MSG_PEEK, &m));
		ASSERT_TRUE(rd_creds(&m, &uc));
		EXPECT_EQ(kid[i & 1], uc.pid);
		ASSERT_LT(0, rd_recv(self->fd[1], buf, 1, MSG_PEEK, &m));
		ASSERT_TRUE(rd_creds(&m, &uc));
		EXPECT_EQ(kid[i & 1], uc.pid);
		/* However big the buffer, and told to wait for all. */
		while (got < 3) {
			int flags = variant->type == SOCK_STREAM && i & 2 ?
				    MSG_WAITALL : 0;
			long n = rd_recv(self->fd[1], buf, sizeof(buf), flags, &m);

			ASSERT_LT(0, n);
			ASSERT_GE(3 - got, n);
			got += n;
			ASSERT_TRUE(rd_creds(&m, &uc));
			EXPECT_EQ(kid[i & 1], uc.pid);
			EXPECT_EQ(i & 1 && !geteuid() ? UID_A : geteuid(), uc.uid);
			while (n--)
				EXPECT_EQ(i & 1 ? 'B' : 'A', buf[n] & ~0x20);
		}
	}
	EXPECT_EQ(-EAGAIN, rd_recv(self->fd[1], buf, 1, MSG_DONTWAIT, &m));
	for (k = 0; k < 2; k++)
		close(turn[k][1]);
	for (k = 0; k < 2; k++)
		EXPECT_EQ(0, rt_wait_child(kid[k]));
	close(done[0]);
	close(done[1]);
}

/* A receiver that does not ask is not stopped by anything. */
TEST_F(creds, no_marks_unless_asked)
{
	char buf[64];
	pid_t pid;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "streams only");
	/* unix(7) keeps them apart whether asked or not, in some versions. */
	if (variant->family == RT_UNIX)
		SKIP(return, "differs between kernels");
	ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, 0)));
	ASSERT_EQ(0, send_as(self->fd[0], 0, "cd", 2, &pid));
	ASSERT_EQ(2, SYS(send(self->fd[0], "ef", 2, 0)));
	EXPECT_EQ(6, SYS(recv(self->fd[1], buf, 64, 0)));
	EXPECT_EQ(0, memcmp(buf, "abcdef", 6));
}

/* Written with credentials, read in single bytes: each has them. */
TEST_F(creds, byte_by_byte)
{
	struct ucred uc;
	struct rd_msg m;
	int i;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "streams only");
	ASSERT_EQ(0, passcred(self->fd[1], 1));
	ASSERT_EQ(10, SYS(send(self->fd[0], "0123456789", 10, 0)));
	for (i = 0; i < 10; i++) {
		char c;

		ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
		EXPECT_EQ('0' + i, c);
		ASSERT_TRUE(rd_creds(&m, &uc));
		EXPECT_EQ(getpid(), uc.pid);
	}
}

/* Many marks, in a ring that turns round many times. */
TEST_F(creds, thousands_of_marks)
{
	struct ucred uc, want = me();
	struct rd_msg m;
	char out[700], in[700];
	int i;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, passcred(self->fd[1], 1));
	for (i = 0; i < 5000; i++) {
		size_t len = 1 + i % 650;

		want.uid = i + 1;
		rd_fill(out, len, i, 0);
		ASSERT_EQ((long)len, rd_send_cmsg(self->fd[0], out, len, 0, SOL_SOCKET,
						  SCM_CREDENTIALS, &want, sizeof(want)));
		/* Always one behind, so that a mark lies inside. */
		if (!i)
			continue;
		len = 1 + (i - 1) % 650;
		ASSERT_EQ((long)len, rd_recv(self->fd[1], in, sizeof(in), 0, &m));
		ASSERT_EQ(-1, rd_verify(in, len, i - 1, 0));
		ASSERT_TRUE(rd_creds(&m, &uc));
		ASSERT_EQ(i, (int)uc.uid);
	}
}

/* ---- before accept() --------------------------------------------------- */

/* The listener did not say yet what it wants: recorded in any case. */
struct wait_for_all {
	int		fd;
	struct rd_msg	m;
	char		buf[64];
};

static long wait_for_all(void *arg)
{
	struct wait_for_all *w = arg;

	return rd_recv(w->fd, w->buf, sizeof(w->buf), MSG_WAITALL, &w->m);
}

/*
 * Who waits for all stops where the bytes are of somebody else, also if these carry
 * no credentials, because nobody asks for any more, and the ring was empty meanwhile.
 */
TEST_F(creds, never_of_another)
{
	struct wait_for_all w = { .fd = self->fd[1] };
	struct rt_thread t;
	pid_t pid;
	int n;

	if (variant->family != RT_RILL || variant->type != SOCK_STREAM)
		SKIP(return, "about a ring");
	ASSERT_EQ(0, passcred(self->fd[1], 1));
	ASSERT_EQ(0, rt_thread_start(&t, wait_for_all, &w));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_recvmsg));
	ASSERT_EQ(0, send_as(self->fd[0], geteuid() ? 0 : UID_A, "0123456789", 10, &pid));
	ASSERT_TRUE(RT_UNTIL(!ioctl(self->fd[1], FIONREAD, &n) && !n));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_recvmsg));
	ASSERT_EQ(0, passcred(self->fd[1], 0));
	ASSERT_TRUE(RT_UNTIL(!rd_held(self->fd[1])));

	ASSERT_EQ(5, SYS(send(self->fd[0], "other", 5, 0)));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(10, t.ret);
	EXPECT_EQ(5, rt_drain(self->fd[1], 64));
}

TEST_F(creds, before_accept)
{
	struct rt_addr a = { .len = 0 };
	struct ucred uc;
	struct rd_msg m;
	int lfd, cfd, afd;
	char c;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "nothing to accept");
	lfd = rt_listener(variant->family, variant->type, 1, &a);
	ASSERT_LE(0, lfd);
	cfd = rt_client(variant->family, variant->type, &a);
	ASSERT_LE(0, cfd);
	ASSERT_EQ(1, SYS(send(cfd, "x", 1, 0)));
	afd = SYS(accept(lfd, NULL, NULL));
	ASSERT_LE(0, afd);
	ASSERT_EQ(0, passcred(afd, 1));
	ASSERT_EQ(1, rd_recv(afd, &c, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(getpid(), uc.pid);
	EXPECT_EQ(geteuid(), uc.uid);
	close(afd);
	close(cfd);

	/* On the listener it is for all that it accepts. */
	ASSERT_EQ(0, passcred(lfd, 1));
	cfd = rt_client(variant->family, variant->type, &a);
	ASSERT_LE(0, cfd);
	afd = SYS(accept(lfd, NULL, NULL));
	ASSERT_LE(0, afd);
	ASSERT_EQ(1, SYS(send(cfd, "x", 1, 0)));
	ASSERT_EQ(1, rd_recv(afd, &c, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(getpid(), uc.pid);
	close(afd);
	close(cfd);
	close(lfd);
}

/* ---- SO_PEERCRED and the like ------------------------------------------ */

static int peercred(int fd, struct ucred *uc)
{
	socklen_t len = sizeof(*uc);

	memset(uc, 0xa5, sizeof(*uc));
	return SYS(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, uc, &len));
}

TEST_F(creds, peer)
{
	struct rt_addr a = { .len = 0 };
	gid_t groups[] = { 3001, 3002, 3003 }, got[10];
	struct ucred uc;
	socklen_t len;
	int lfd, afd, go[2], cfd;
	pid_t pid;
	char c;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "no connections");
	if (geteuid())
		SKIP(return, "needs root");
	cfd = rt_socket(variant->family, variant->type);
	ASSERT_EQ(0, peercred(cfd, &uc));
	EXPECT_EQ(0, uc.pid);
	EXPECT_EQ((uid_t)-1, uc.uid);
	EXPECT_EQ((gid_t)-1, uc.gid);
	len = sizeof(got);
	/* errno: getsockopt ENODATA */
	EXPECT_EQ(-ENODATA, SYS(getsockopt(cfd, SOL_SOCKET, SO_PEERGROUPS, got, &len)));
	close(cfd);

	lfd = rt_listener(variant->family, variant->type, 1, &a);
	ASSERT_LE(0, lfd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, go));
	if (variant->family == RT_RILL)
		ASSERT_EQ(0, rt_set_int(lfd, SOL_RILL, RILL_MODE, 0777));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(go[0]);
		CHECK_EQ(0, rd_become(UID_A, GID_A, groups, 3));
		cfd = rt_client(variant->family, variant->type, &a);
		CHECK(cfd >= 0);
		/* The listener's, as they were at listen(). */
		CHECK_EQ(0, peercred(cfd, &uc));
		CHECK_EQ(getppid(), uc.pid);
		CHECK_EQ(0, uc.uid);
		CHECK_EQ(0, uc.gid);
		CHECK_EQ(1, write(go[1], "c", 1));
		CHECK_EQ(1, read(go[1], &c, 1));
		_exit(0);
	}
	ASSERT_EQ(1, read(go[0], &c, 1));
	afd = SYS(accept(lfd, NULL, NULL));
	ASSERT_LE(0, afd);
	ASSERT_EQ(0, peercred(afd, &uc));
	EXPECT_EQ(pid, uc.pid);
	EXPECT_EQ(UID_A, uc.uid);
	EXPECT_EQ(GID_A, uc.gid);

	len = sizeof(got);
	ASSERT_EQ(0, SYS(getsockopt(afd, SOL_SOCKET, SO_PEERGROUPS, got, &len)));
	EXPECT_EQ(sizeof(groups), len);
	EXPECT_EQ(0, memcmp(got, groups, sizeof(groups)));
	/* Too short: the length that is needed. */
	len = 4;
	/* errno: getsockopt ERANGE */
	EXPECT_EQ(-ERANGE, SYS(getsockopt(afd, SOL_SOCKET, SO_PEERGROUPS, got, &len)));
	EXPECT_EQ(sizeof(groups), len);

	ASSERT_EQ(1, write(go[0], "e", 1));
	EXPECT_EQ(0, rt_wait_child(pid));
	/* Gone, and still told. */
	ASSERT_EQ(0, peercred(afd, &uc));
	EXPECT_EQ(UID_A, uc.uid);
	close(afd);
	close(lfd);
}

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif

/* An accepted end whose connector is a process that was reaped; or an errno. */
static int peer_of_the_dead(enum rt_family family, int type)
{
	struct rt_addr a = { .len = 0 };
	int lfd = rt_listener(family, type, 1, &a), fd;
	pid_t pid;

	if (lfd < 0)
		return lfd;
	pid = rt_fork();
	if (!pid)
		_exit(rt_client(family, type, &a) < 0);
	fd = pid < 0 || rt_wait_child(pid) ? -ECHILD : rt_accept(lfd, 0);
	close(lfd);
	return fd;
}

TEST_F(creds, pidfd)
{
	socklen_t len = sizeof(int);
	int pidfd = -1, err, sv[2];
	char path[64], buf[256];

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "no connections");
	err = SYS(getsockopt(self->fd[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len));
	if (err == -ENOPROTOOPT)
		SKIP(return, "this kernel has no SO_PEERPIDFD");
	ASSERT_EQ(0, err);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	ASSERT_LT(0, rt_read_file(path, buf, sizeof(buf)));
	snprintf(path, sizeof(path), "Pid:\t%d\n", getpid());
	EXPECT_NE(NULL, strstr(buf, path));
	close(pidfd);

	/* Whoever connected has gone. */
	sv[0] = peer_of_the_dead(variant->family, variant->type);
	ASSERT_LE(0, sv[0]);
	len = sizeof(int);
	err = SYS(getsockopt(sv[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len));
	if (variant->family == RT_RILL) {
		/* errno: getsockopt ESRCH */
		EXPECT_EQ(rt_kernel_is(7, 0) ? -ESRCH : -EINVAL, err);
	}
	if (!err)
		close(pidfd);
	close(sv[0]);

	sv[0] = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, sv[0]);
	len = sizeof(int);
	EXPECT_EQ(-ENODATA, SYS(getsockopt(sv[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len)));
	close(sv[0]);
}

TEST_F(creds, socketpair_peer)
{
	struct ucred uc;
	int sv[2], i;

	ASSERT_EQ(0, socketpair(rt_af(variant->family), variant->type, 0, sv));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, peercred(sv[i], &uc));
		EXPECT_EQ(getpid(), uc.pid);
		EXPECT_EQ(geteuid(), uc.uid);
		EXPECT_EQ(getegid(), uc.gid);
		close(sv[i]);
	}
}

TEST_HARNESS_MAIN
