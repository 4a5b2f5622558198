// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that travel beside data (SCM_RIGHTS): what may be sent, what a receive
 * gets, where one of a stream stops.  What becomes of files in flight when there
 * is nobody to get them is the matter of rights_end.c.
 */
#include "rill_test_fds.h"

#include <sys/mman.h>

FIXTURE(rights)
{
	int fd[2];
	int open;
};

FIXTURE_VARIANT(rights)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(rights, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(rights, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(rights, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(rights, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(rights, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(rights, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(rights)
{
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
	self->open = rr_count();
}

/* A test closes what it opened and received; nobody else has anything open. */
FIXTURE_TEARDOWN(rights)
{
	EXPECT_EQ(self->open, rr_count());
	close(self->fd[0]);
	close(self->fd[1]);
}

/* ---- there and back ----------------------------------------------------- */

TEST_F(rights, arrives)
{
	struct rr_pipe p;
	struct rr_msg m;
	char buf[8];

	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(3, rr_send_pipe(self->fd[0], "abc", 3, 0, &p));
	/* Nobody has it open, and it lives. */
	EXPECT_TRUE(rr_held(&p));
	ASSERT_EQ(3, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(0, memcmp(buf, "abc", 3));
	EXPECT_EQ(0, m.flags & (MSG_CTRUNC | MSG_TRUNC));
	ASSERT_EQ(1, m.n);
	EXPECT_FALSE(rr_cloexec(m.fd[0]));
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
	EXPECT_TRUE(rr_held(&p));
	rr_close(&m);
	EXPECT_TRUE(rr_gone(&p));

	/* The next data come alone. */
	ASSERT_EQ(1, SYS(send(self->fd[0], "d", 1, 0)));
	ASSERT_EQ(1, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(0, m.n);
	EXPECT_EQ(0, m.flags & MSG_CTRUNC);
	close(p.r);
}

TEST_F(rights, close_on_exec)
{
	struct rr_pipe p;
	struct rr_msg m;
	char c;

	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(1, rr_send_pipe(self->fd[0], "x", 1, 0, &p));
	ASSERT_EQ(1, rr_recv(self->fd[1], &c, 1, MSG_CMSG_CLOEXEC, &m));
	ASSERT_EQ(1, m.n);
	EXPECT_TRUE(rr_cloexec(m.fd[0]));
	rr_close(&m);
	close(p.r);
}

TEST_F(rights, in_order)
{
	struct rr_pipe p[10];
	struct rr_msg m;
	char c;
	int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, rr_pipe(&p[i]));
		ASSERT_EQ(1, rr_send_pipe(self->fd[0], &"0123456789"[i], 1, 0, &p[i]));
	}
	for (i = 0; i < 10; i++) {
		/* A stream has room for more, and gives one. */
		char buf[10];

		ASSERT_EQ(1, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
		EXPECT_EQ('0' + i, buf[0]);
		ASSERT_EQ(1, m.n);
		EXPECT_TRUE(rr_is_pipe(m.fd[0], &p[i]));
		rr_close(&m);
		EXPECT_TRUE(rr_gone(&p[i]));
		close(p[i].r);
	}
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &c, 1, MSG_DONTWAIT)));
}

/* In one file several times, and in the other direction. */
TEST_F(rights, most_that_go)
{
	int fds[RR_MAX + 1], i;
	struct rr_pipe p;
	struct rr_msg m;
	char c;

	ASSERT_EQ(0, rr_pipe(&p));
	for (i = 0; i <= RR_MAX; i++)
		fds[i] = p.w;
	/* errno: sendmsg EINVAL */
	EXPECT_EQ(-EINVAL, rr_send(self->fd[1], "x", 1, 0, fds, RR_MAX + 1));
	EXPECT_EQ(0, rt_drain(self->fd[0], 10));
	ASSERT_EQ(1, rr_send(self->fd[1], "x", 1, 0, fds, RR_MAX));
	close(p.w);
	EXPECT_TRUE(rr_held(&p));
	ASSERT_EQ(1, rr_recv(self->fd[0], &c, 1, 0, &m));
	ASSERT_EQ(RR_MAX, m.n);
	EXPECT_EQ(0, m.flags & MSG_CTRUNC);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
	EXPECT_TRUE(rr_is_pipe(m.fd[RR_MAX - 1], &p));
	rr_close(&m);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* Two control messages with files count as one. */
TEST_F(rights, in_several_messages)
{
	union {
		char buf[2 * CMSG_SPACE(RR_MAX * sizeof(int))];
		struct cmsghdr align;
	} u;
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf,
	};
	struct rr_pipe p[3];
	int i, first, fds[RR_MAX];
	struct cmsghdr *c;
	struct rr_msg m;
	char b;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, rr_pipe(&p[i]));
	for (i = 0; i < RR_MAX; i++)
		fds[i] = p[0].w;
	for (first = RR_MAX - 2; first <= RR_MAX - 1; first++) {
		memset(&u, 0, sizeof(u));
		msg.msg_controllen = CMSG_SPACE(first * sizeof(int)) +
				     CMSG_SPACE(2 * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(first * sizeof(int));
		memcpy(CMSG_DATA(c), fds, first * sizeof(int));
		c = CMSG_NXTHDR(&msg, c);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(c), &p[1].w, sizeof(int));
		memcpy(CMSG_DATA(c) + sizeof(int), &p[2].w, sizeof(int));
		EXPECT_EQ(first == RR_MAX - 2 ? 1 : -EINVAL,
			  SYS(sendmsg(self->fd[0], &msg, 0)));
	}
	for (i = 0; i < 3; i++)
		close(p[i].w);
	ASSERT_EQ(1, rr_recv(self->fd[1], &b, 1, 0, &m));
	ASSERT_EQ(RR_MAX, m.n);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &p[0]));
	EXPECT_TRUE(rr_is_pipe(m.fd[RR_MAX - 2], &p[1]));
	EXPECT_TRUE(rr_is_pipe(m.fd[RR_MAX - 1], &p[2]));
	rr_close(&m);
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(rr_gone(&p[i]));
		close(p[i].r);
	}
}

TEST_F(rights, with_credentials)
{
	struct rr_pipe p;
	struct rr_msg m;
	char c;

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(1, rr_send_pipe(self->fd[0], "x", 1, 0, &p));
	ASSERT_EQ(1, rr_recv(self->fd[1], &c, 1, 0, &m));
	EXPECT_TRUE(m.creds);
	EXPECT_EQ(getpid(), m.ucred.pid);
	EXPECT_EQ(geteuid(), m.ucred.uid);
	ASSERT_EQ(1, m.n);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
	rr_close(&m);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

TEST_F(rights, sendmmsg_recvmmsg)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u[4] = { 0 };
	struct mmsghdr mm[4] = { 0 };
	struct iovec iov[4];
	struct rr_pipe p[4];
	struct cmsghdr *c;
	char buf[4][8];
	int i, fd;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, rr_pipe(&p[i]));
		buf[i][0] = 'a' + i;
		iov[i] = (struct iovec){ buf[i], 1 };
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
		mm[i].msg_hdr.msg_control = &u[i];
		mm[i].msg_hdr.msg_controllen = sizeof(u[i]);
		c = CMSG_FIRSTHDR(&mm[i].msg_hdr);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &p[i].w, sizeof(int));
	}
	ASSERT_EQ(4, SYS(sendmmsg(self->fd[0], mm, 4, 0)));
	for (i = 0; i < 4; i++) {
		close(p[i].w);
		iov[i].iov_len = sizeof(buf[i]);
	}
	ASSERT_EQ(4, SYS(recvmmsg(self->fd[1], mm, 4, 0, NULL)));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(1, mm[i].msg_len);
		EXPECT_EQ('a' + i, buf[i][0]);
		c = CMSG_FIRSTHDR(&mm[i].msg_hdr);
		ASSERT_NE(NULL, c);
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		EXPECT_TRUE(rr_is_pipe(fd, &p[i]));
		close(fd);
		EXPECT_TRUE(rr_gone(&p[i]));
		close(p[i].r);
	}
}

/* No bytes: a message is one all the same, a stream has nothing to carry it. */
TEST_F(rights, no_bytes)
{
	struct rr_pipe p;
	struct rr_msg m;
	char c;

	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(0, rr_send_pipe(self->fd[0], "", 0, 0, &p));
	if (variant->type == SOCK_STREAM) {
		EXPECT_TRUE(rr_gone(&p));
		EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &c, 1, MSG_DONTWAIT)));
	} else {
		EXPECT_TRUE(rr_held(&p));
		ASSERT_EQ(0, rr_recv(self->fd[1], &c, 1, 0, &m));
		ASSERT_EQ(1, m.n);
		EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
		rr_close(&m);
		EXPECT_TRUE(rr_gone(&p));
	}
	close(p.r);
}

/* ---- what may not be sent -------------------------------------------------- */

TEST_F(rights, no_descriptor)
{
	struct rr_pipe p;
	int fds[2], i;

	ASSERT_EQ(0, rr_pipe(&p));
	fds[0] = p.w;
	for (i = 0; i < 3; i++) {
		fds[1] = i == 0 ? -1 : i == 1 ? INT_MAX : 1000;
		/* errno: sendmsg EBADF */
		EXPECT_EQ(-EBADF, rr_send(self->fd[0], "x", 1, 0, fds, 2));
		EXPECT_EQ(-EBADF, rr_send(self->fd[0], "x", 1, 0, fds + 1, 1));
	}
	/* Of no descriptor nothing comes, and nothing is wrong. */
	EXPECT_EQ(1, rr_send(self->fd[0], "x", 1, 0, fds, 0));
	EXPECT_EQ(1, rt_drain(self->fd[1], 10));
	close(p.w);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* Behind what is good, and in front of it. */
TEST_F(rights, bad_company)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct ucred uc = { .pid = getpid(), .uid = -1, .gid = getegid() };
	struct cmsghdr *c, *r;
	struct rr_pipe p;

	ASSERT_EQ(0, rr_pipe(&p));
	/* The file first, then credentials that nobody has. */
	memset(&u, 0, sizeof(u));
	r = CMSG_FIRSTHDR(&msg);
	r->cmsg_level = SOL_SOCKET;
	r->cmsg_type = SCM_RIGHTS;
	r->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(r), &p.w, sizeof(int));
	c = CMSG_NXTHDR(&msg, r);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(uc));
	memcpy(CMSG_DATA(c), &uc, sizeof(uc));
	EXPECT_EQ(-EINVAL, SYS(sendmsg(self->fd[0], &msg, 0)));
	/* Then a kind that there is not, and one that ends too early. */
	c->cmsg_type = 99;
	EXPECT_EQ(-EINVAL, SYS(sendmsg(self->fd[0], &msg, 0)));
	c->cmsg_len = sizeof(*c) - 1;
	EXPECT_EQ(-EINVAL, SYS(sendmsg(self->fd[0], &msg, 0)));
	c->cmsg_len = sizeof(u);
	EXPECT_EQ(-EINVAL, SYS(sendmsg(self->fd[0], &msg, 0)));
	/* The other way round. */
	uc.uid = geteuid();
	memset(&u, 0, sizeof(u));
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(uc));
	memcpy(CMSG_DATA(c), &uc, sizeof(uc));
	r = CMSG_NXTHDR(&msg, c);
	r->cmsg_level = SOL_SOCKET;
	r->cmsg_type = SCM_RIGHTS;
	r->cmsg_len = CMSG_LEN(sizeof(int));
	memset(CMSG_DATA(r), 0xff, sizeof(int));
	EXPECT_EQ(-EBADF, SYS(sendmsg(self->fd[0], &msg, 0)));

	EXPECT_EQ(0, rt_drain(self->fd[1], 10));
	close(p.w);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* ---- room for what came --------------------------------------------------- */

/* Every size of the buffer: as many as fit, the rest is closed, and it is told. */
TEST_F(rights, short_control)
{
	struct rr_pipe p[4];
	int fds[4], i, want;
	struct rr_msg m;
	size_t room;
	char c;

	for (room = 0; room <= CMSG_SPACE(4 * sizeof(int)); room++) {
		for (i = 0; i < 4; i++) {
			ASSERT_EQ(0, rr_pipe(&p[i]));
			fds[i] = p[i].w;
		}
		ASSERT_EQ(1, rr_send(self->fd[0], "x", 1, 0, fds, 4));
		for (i = 0; i < 4; i++)
			close(fds[i]);
		want = room <= CMSG_LEN(0) ? 0 : (room - CMSG_LEN(0)) / sizeof(int);
		if (want > 4)
			want = 4;
		ASSERT_EQ(1, rr_recv_room(self->fd[1], &c, 1, 0, room, &m));
		EXPECT_EQ(want, m.n) {
			TH_LOG("room %zu", room);
		}
		EXPECT_EQ(want < 4 ? MSG_CTRUNC : 0, m.flags & MSG_CTRUNC);
		for (i = 0; i < 4; i++) {
			EXPECT_TRUE(i < want ? rr_is_pipe(m.fd[i], &p[i]) :
					       rr_gone(&p[i]));
		}
		rr_close(&m);
		for (i = 0; i < 4; i++) {
			EXPECT_TRUE(rr_gone(&p[i]));
			close(p[i].r);
		}
	}
}

/* With credentials before them, which take the room. */
TEST_F(rights, short_behind_credentials)
{
	struct rr_pipe p;
	struct rr_msg m;
	size_t room;
	char c;

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	for (room = CMSG_SPACE(sizeof(struct ucred));
	     room <= CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int));
	     room++) {
		bool fits = room >= CMSG_SPACE(sizeof(struct ucred)) +
				    CMSG_LEN(sizeof(int));

		ASSERT_EQ(0, rr_pipe(&p));
		ASSERT_EQ(1, rr_send_pipe(self->fd[0], "x", 1, 0, &p));
		ASSERT_EQ(1, rr_recv_room(self->fd[1], &c, 1, 0, room, &m));
		EXPECT_TRUE(m.creds);
		EXPECT_EQ(fits, m.n);
		EXPECT_EQ(fits ? 0 : MSG_CTRUNC, m.flags & MSG_CTRUNC);
		EXPECT_EQ(fits, rr_held(&p));
		rr_close(&m);
		EXPECT_TRUE(rr_gone(&p));
		close(p.r);
	}
}

/* No buffer at all: the data come, the files are closed. */
TEST_F(rights, no_control)
{
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct rr_pipe p;
	char c[4];
	int i;

	for (i = 0; i < 5; i++) {
		iov = (struct iovec){ c, sizeof(c) };
		ASSERT_EQ(0, rr_pipe(&p));
		ASSERT_EQ(1, rr_send_pipe(self->fd[0], "x", 1, 0, &p));
		/* A peek takes nothing, with or without room. */
		EXPECT_EQ(1, SYS(recv(self->fd[1], c, sizeof(c), MSG_PEEK)));
		EXPECT_TRUE(rr_held(&p));
		switch (i) {
		case 0:
			EXPECT_EQ(1, SYS(read(self->fd[1], c, sizeof(c))));
			break;
		case 1:
			EXPECT_EQ(1, SYS(recv(self->fd[1], c, sizeof(c), 0)));
			break;
		case 2:
			EXPECT_EQ(1, SYS(readv(self->fd[1], &iov, 1)));
			break;
		case 3:
			EXPECT_EQ(1, SYS(recvmsg(self->fd[1], &msg, 0)));
			EXPECT_EQ(MSG_CTRUNC, msg.msg_flags & MSG_CTRUNC);
			break;
		case 4:
			/* A length without a buffer. */
			msg.msg_control = NULL;
			msg.msg_controllen = 64;
			EXPECT_EQ(1, SYS(recvmsg(self->fd[1], &msg, 0)));
			EXPECT_EQ(MSG_CTRUNC, msg.msg_flags & MSG_CTRUNC);
			break;
		}
		EXPECT_EQ('x', c[0]);
		EXPECT_TRUE(rr_gone(&p));
		close(p.r);
	}
}

/* Not more descriptors than the receiver may have. */
TEST_F(rights, no_descriptor_left)
{
	struct rlimit lim, old;
	struct rr_pipe p[4];
	struct rr_msg m;
	int fds[4], i;
	char c;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, rr_pipe(&p[i]));
		fds[i] = p[i].w;
	}
	ASSERT_EQ(1, rr_send(self->fd[0], "x", 1, 0, fds, 4));
	for (i = 0; i < 4; i++)
		close(fds[i]);
	/* Two numbers are free below this. */
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	lim = old;
	for (i = 0, lim.rlim_cur = 0; i < 2; lim.rlim_cur++)
		i += fcntl(lim.rlim_cur, F_GETFD) < 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &lim));
	EXPECT_EQ(1, rr_recv(self->fd[1], &c, 1, 0, &m));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_EQ(2, m.n);
	EXPECT_EQ(MSG_CTRUNC, m.flags & MSG_CTRUNC);
	EXPECT_TRUE(rr_gone(&p[2]));
	EXPECT_TRUE(rr_gone(&p[3]));
	rr_close(&m);
	for (i = 0; i < 4; i++) {
		EXPECT_TRUE(rr_gone(&p[i]));
		close(p[i].r);
	}
}

/* ---- peek ---------------------------------------------------------------- */

TEST_F(rights, peek_duplicates)
{
	struct rr_msg m, m2;
	struct rr_pipe p;
	char c;
	int i;

	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(1, rr_send_pipe(self->fd[0], "x", 1, 0, &p));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, rr_recv(self->fd[1], &c, 1, MSG_PEEK | MSG_CMSG_CLOEXEC, &m));
		ASSERT_EQ(1, m.n);
		EXPECT_TRUE(rr_cloexec(m.fd[0]));
		EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
		rr_close(&m);
		EXPECT_TRUE(rr_held(&p));
	}
	/* One that was looked at outlives the one that is taken. */
	ASSERT_EQ(1, rr_recv(self->fd[1], &c, 1, MSG_PEEK, &m));
	ASSERT_EQ(1, rr_recv(self->fd[1], &c, 1, 0, &m2));
	ASSERT_EQ(1, m2.n);
	rr_close(&m2);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
	rr_close(&m);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* ---- faults ---------------------------------------------------------------- */

/* A receive that cannot store the data leaves them, and the files with them. */
TEST_F(rights, fault_leaves_files)
{
	char *edge = rd_map_edge(1);
	struct rr_pipe p;
	struct rr_msg m;
	char buf[8];
	int i;

	if (variant->family == RT_UNIX && variant->type != SOCK_STREAM)
		SKIP(return, "AF_UNIX loses a message whose copy faults");
	ASSERT_NE(NULL, edge);
	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(4, rr_send_pipe(self->fd[0], "abcd", 4, 0, &p));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EFAULT, rr_recv(self->fd[1], edge, 4, 0, &m));
		EXPECT_EQ(-EFAULT, rr_recv(self->fd[1], edge, 4, MSG_PEEK, &m));
		EXPECT_TRUE(rr_held(&p));
	}
	ASSERT_EQ(4, rr_recv(self->fd[1], buf, sizeof(buf), MSG_PEEK, &m));
	EXPECT_EQ(1, m.n);
	rr_close(&m);
	ASSERT_EQ(4, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(0, memcmp(buf, "abcd", 4));
	ASSERT_EQ(1, m.n);
	rr_close(&m);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* And if nobody tries again, they are closed with the socket. */
TEST_F(rights, fault_then_close)
{
	char *edge = rd_map_edge(1);
	struct rr_pipe p;
	struct rr_msg m;

	ASSERT_NE(NULL, edge);
	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(4, rr_send_pipe(self->fd[0], "abcd", 4, 0, &p));
	EXPECT_EQ(-EFAULT, rr_recv(self->fd[1], edge, 4, 0, &m));
	close(self->fd[1]);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
	/* For the teardown. */
	self->fd[1] = dup(self->fd[0]);
}

/* A send that cannot fetch the data sends no files. */
TEST_F(rights, fault_sends_nothing)
{
	char *edge = rd_map_edge(1);
	struct rr_pipe p;
	char c;

	ASSERT_NE(NULL, edge);
	ASSERT_EQ(0, rr_pipe(&p));
	EXPECT_EQ(-EFAULT, rr_send_pipe(self->fd[0], edge, 4, 0, &p));
	EXPECT_TRUE(rr_gone(&p));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &c, 1, MSG_DONTWAIT)));
	close(p.r);
}

TEST_HARNESS_MAIN
