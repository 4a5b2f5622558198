// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit program on a 64-bit kernel: where its structures differ (time-outs,
 * control messages, message headers, filters, ioctls), and where they must not.
 */
#include "rill_test_fds.h"

#include <linux/filter.h>

#ifndef SYS_socketcall
#define SYS_socketcall		-1
#endif

/* The two layouts of a time, under the numbers that do not depend on libc. */
#define RCVTIMEO_OLD		20
#define SNDTIMEO_OLD		21
#define RCVTIMEO_NEW		66
#define SNDTIMEO_NEW		67
#define TIMESTAMP_OLD		29
#define TIMESTAMPNS_OLD		35
#define TIMESTAMP_NEW		63
#define TIMESTAMPNS_NEW		64
#define GSTAMP_OLD		0x8906
#define GSTAMP_NEW		_IOR(0x89, 0x06, long long[2])
#define GSTAMPNS_NEW		_IOR(0x89, 0x07, long long[2])

struct time32 {
	int sec;
	int sub;
};

struct time64 {
	long long sec;
	long long sub;
};

static char sink;

FIXTURE(compat)
{
	int fd[2];
};

FIXTURE_VARIANT(compat)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(compat, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(compat, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(compat, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(compat, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(compat, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_SETUP(compat)
{
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
}

FIXTURE_TEARDOWN(compat)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

/* The same on both sides, or every program would have to know. */
TEST(layout)
{
	EXPECT_EQ(4, sizeof(long));
	EXPECT_EQ(128, sizeof(struct sockaddr_rill));
	EXPECT_EQ(4, offsetof(struct sockaddr_rill, srl_name));
	EXPECT_EQ(8, sizeof(struct rill_owner));
	EXPECT_EQ(16, sizeof(struct rill_queue));
}

TEST_F(compat, timeouts)
{
	static const int opts[2][2] = {
		{ RCVTIMEO_OLD, RCVTIMEO_NEW }, { SNDTIMEO_OLD, SNDTIMEO_NEW },
	};
	int i;

	for (i = 0; i < 2; i++) {
		struct time32 t32 = { 3, 500000 };
		struct time64 t64 = { -1, -1 };
		socklen_t len;

		/* Set as one, read as the other. */
		ASSERT_EQ(0, SYS(setsockopt(self->fd[0], SOL_SOCKET, opts[i][0], &t32,
					    sizeof(t32))));
		len = sizeof(t64);
		ASSERT_EQ(0, SYS(getsockopt(self->fd[0], SOL_SOCKET, opts[i][1], &t64, &len)));
		EXPECT_EQ(sizeof(t64), len);
		EXPECT_EQ(3, t64.sec);
		EXPECT_EQ(500000, t64.sub);
		t64 = (struct time64){ 7, 300000 };
		ASSERT_EQ(0, SYS(setsockopt(self->fd[0], SOL_SOCKET, opts[i][1], &t64,
					    sizeof(t64))));
		len = sizeof(t32);
		ASSERT_EQ(0, SYS(getsockopt(self->fd[0], SOL_SOCKET, opts[i][0], &t32, &len)));
		EXPECT_EQ(sizeof(t32), len);
		EXPECT_EQ(7, t32.sec);
		EXPECT_EQ(300000, t32.sub);
		EXPECT_EQ(-EINVAL, SYS(setsockopt(self->fd[0], SOL_SOCKET, opts[i][0], &t32,
						  sizeof(t32) - 1)));
		EXPECT_EQ(-EINVAL, SYS(setsockopt(self->fd[0], SOL_SOCKET, opts[i][1], &t64,
						  sizeof(t64) - 1)));
	}
}

TEST_F(compat, timeouts_work)
{
	struct time32 t32 = { 0, 60000 };
	struct time64 t64 = { 0, 60000 };
	struct rt_watch watch = rt_watch_start();

	ASSERT_EQ(0, SYS(setsockopt(self->fd[1], SOL_SOCKET, RCVTIMEO_OLD, &t32, sizeof(t32))));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, 0)));
	EXPECT_LE(55, rt_watch_ms(&watch));
	watch = rt_watch_start();
	ASSERT_EQ(0, SYS(setsockopt(self->fd[1], SOL_SOCKET, RCVTIMEO_NEW, &t64, sizeof(t64))));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, 0)));
	EXPECT_LE(55, rt_watch_ms(&watch));
}

TEST_F(compat, credentials)
{
	struct ucred uc, mine = { getpid(), geteuid(), getegid() };
	struct rd_msg m;

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_EQ(1, rd_recv(self->fd[1], &sink, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(0, memcmp(&mine, &uc, sizeof(uc)));
	/* Given by hand, through a header of 32 bits. */
	ASSERT_EQ(1, rd_send_cmsg(self->fd[0], "x", 1, 0, SOL_SOCKET, SCM_CREDENTIALS,
				  &mine, sizeof(mine)));
	ASSERT_EQ(1, rd_recv(self->fd[1], &sink, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(0, memcmp(&mine, &uc, sizeof(uc)));
	EXPECT_EQ(CMSG_SPACE(sizeof(uc)), m.controllen);
	EXPECT_EQ(-EINVAL, rd_send_cmsg(self->fd[0], "x", 1, 0, SOL_SOCKET,
					SCM_CREDENTIALS, &mine, sizeof(mine) - 1));
}

TEST_F(compat, files)
{
	struct rr_pipe p, q;
	struct rr_msg m;
	int two[2];

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(0, rr_pipe(&q));
	two[0] = p.w;
	two[1] = q.w;
	/* Both kinds in the layout of 32 bits. */
	ASSERT_EQ(1, rr_send(self->fd[0], "x", 1, 0, two, 2));
	ASSERT_EQ(1, rr_recv(self->fd[1], &sink, 1, MSG_CMSG_CLOEXEC, &m));
	EXPECT_EQ(0, m.flags & MSG_CTRUNC);
	EXPECT_TRUE(m.creds);
	EXPECT_EQ(getpid(), m.ucred.pid);
	ASSERT_EQ(2, m.n);
	EXPECT_TRUE(rr_cloexec(m.fd[0]));
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
	EXPECT_TRUE(rr_is_pipe(m.fd[1], &q));
	rr_close(&m);

	/* Room for the credentials and one of the two. */
	ASSERT_EQ(1, rr_send(self->fd[0], "x", 1, 0, two, 2));
	close(p.w);
	close(q.w);
	ASSERT_EQ(1, rr_recv_room(self->fd[1], &sink, 1, 0,
				  CMSG_SPACE(sizeof(struct ucred)) +
				  CMSG_LEN(sizeof(int)), &m));
	EXPECT_EQ(MSG_CTRUNC, m.flags & MSG_CTRUNC);
	ASSERT_EQ(1, m.n);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
	EXPECT_TRUE(rr_gone(&q));
	rr_close(&m);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
	close(q.r);
}

TEST_F(compat, short_control)
{
	char control[64], c;
	struct iovec iov = { &c, 1 };
	size_t size;

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	for (size = 0; size <= CMSG_LEN(sizeof(struct ucred)); size++) {
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control, .msg_controllen = size,
		};

		ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
		memset(control, 0xa5, sizeof(control));
		ASSERT_EQ(1, SYS(recvmsg(self->fd[1], &msg, 0)));
		EXPECT_EQ(size < CMSG_LEN(sizeof(struct ucred)) ? MSG_CTRUNC : 0,
			  msg.msg_flags & MSG_CTRUNC);
		EXPECT_EQ((char)0xa5, control[size]);
	}
}

TEST_F(compat, timestamps)
{
	static const struct {
		int opt;
		size_t size;
	} kinds[] = {
		{ TIMESTAMP_OLD, sizeof(struct time32) },
		{ TIMESTAMPNS_OLD, sizeof(struct time32) },
		{ TIMESTAMP_NEW, sizeof(struct time64) },
		{ TIMESTAMPNS_NEW, sizeof(struct time64) },
	};
	long long now = time(NULL);
	unsigned int i;

	if (variant->type == SOCK_STREAM)
		SKIP(return, "messages only");
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct rd_msg m;
		struct timespec after;
		long long sec;
		size_t len = 0;
		void *p;

		ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, kinds[i].opt, 1));
		ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
		ASSERT_EQ(1, rd_recv(self->fd[1], &sink, 1, 0, &m));
		p = rd_cmsg(&m, SOL_SOCKET, kinds[i].opt, &len);
		ASSERT_NE(NULL, p);
		ASSERT_EQ(kinds[i].size, len);
		sec = len == sizeof(struct time32) ? ((struct time32 *)p)->sec :
						     ((struct time64 *)p)->sec;
		EXPECT_LE(now - 1, sec);
		/* time() may be a tick behind. */
		ASSERT_EQ(0, clock_gettime(CLOCK_REALTIME, &after));
		EXPECT_GE(after.tv_sec, sec);
		ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, kinds[i].opt, 0));
	}
}

TEST_F(compat, ioctls)
{
	int n = -1, v = 1;

	ASSERT_EQ(10, SYS(send(self->fd[0], "0123456789", 10, 0)));
	EXPECT_EQ(0, SYS(ioctl(self->fd[1], FIONREAD, &n)));
	EXPECT_EQ(10, n);
	EXPECT_EQ(0, SYS(ioctl(self->fd[0], SIOCOUTQ, &n)));
	EXPECT_LE(10, n);
	EXPECT_EQ(10, rt_drain(self->fd[1], 20));
	EXPECT_EQ(0, SYS(ioctl(self->fd[1], FIONBIO, &v)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, 0)));
	EXPECT_EQ(-ENOTTY, SYS(ioctl(self->fd[0], 0x5401, &n)));
	EXPECT_EQ(-EFAULT, SYS(ioctl(self->fd[0], FIONREAD, 8)));
}

TEST_F(compat, last_timestamp)
{
	struct time64 t64 = { 0 };
	struct time32 t32 = { 0 };

	if (variant->family == RT_UNIX || variant->type == SOCK_STREAM)
		SKIP(return, "Rill's messages only: unix(7) has no SIOCGSTAMP");
	EXPECT_EQ(-ENOENT, SYS(ioctl(self->fd[1], GSTAMP_OLD, &t32)));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_EQ(1, SYS(recv(self->fd[1], &sink, 1, 0)));
	EXPECT_EQ(0, SYS(ioctl(self->fd[1], GSTAMP_OLD, &t32)));
	EXPECT_EQ(0, SYS(ioctl(self->fd[1], GSTAMP_NEW, &t64)));
	EXPECT_EQ(t32.sec, t64.sec);
	EXPECT_EQ(t32.sub, t64.sub);
	EXPECT_EQ(0, SYS(ioctl(self->fd[1], GSTAMPNS_NEW, &t64)));
	EXPECT_EQ(t32.sec, t64.sec);
	EXPECT_EQ(t32.sub, t64.sub / 1000);
}

TEST_F(compat, messages)
{
	struct mmsghdr out[4], in[4];
	struct iovec oiov[4], iiov[4][2];
	char obuf[4][64], ibuf[4][64];
	struct rt_addr from[4];
	int i, n;

	memset(out, 0, sizeof(out));
	memset(in, 0, sizeof(in));
	for (i = 0; i < 4; i++) {
		rd_fill(obuf[i], 64, i, 0);
		oiov[i] = (struct iovec){ obuf[i], 10 + i };
		out[i].msg_hdr.msg_iov = &oiov[i];
		out[i].msg_hdr.msg_iovlen = 1;
		iiov[i][0] = (struct iovec){ ibuf[i], 5 };
		iiov[i][1] = (struct iovec){ ibuf[i] + 5, 59 };
		in[i].msg_hdr.msg_iov = iiov[i];
		in[i].msg_hdr.msg_iovlen = 2;
		in[i].msg_hdr.msg_name = &from[i];
		in[i].msg_hdr.msg_namelen = sizeof(from[i].ss);
	}
	ASSERT_EQ(4, SYS(sendmmsg(self->fd[0], out, 4, 0)));
	n = SYS(recvmmsg(self->fd[1], in, 4, MSG_DONTWAIT, NULL));
	if (variant->type == SOCK_STREAM) {
		ASSERT_EQ(1, n);
		EXPECT_EQ(46, in[0].msg_len);
		return;
	}
	ASSERT_EQ(4, n);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(10 + i, (int)in[i].msg_len);
		EXPECT_EQ(-1, rd_verify(ibuf[i], 10 + i, i, 0));
		if (variant->type == SOCK_DGRAM)
			EXPECT_LT(5, in[i].msg_hdr.msg_namelen);
	}
}

TEST_F(compat, names)
{
	struct rt_addr a = { .len = 0 }, got;
	int fd = rt_bound(variant->family, variant->type, &a);

	ASSERT_LE(0, fd);
	memset(&got, 0, sizeof(got));
	got.len = sizeof(got.ss);
	ASSERT_EQ(0, getsockname(fd, &got.sa, &got.len));
	EXPECT_EQ(a.len + (variant->family == RT_RILL), got.len);
	EXPECT_EQ(0, memcmp(&a, &got, a.len));
	close(fd);
}

TEST_F(compat, options)
{
	struct rill_owner o;
	struct linger l = { 1, 5 };
	socklen_t len = sizeof(o);
	struct ucred uc;
	int v;

	EXPECT_EQ(0, SYS(setsockopt(self->fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l))));
	l.l_onoff = 0;
	EXPECT_EQ(0, SYS(setsockopt(self->fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l))));
	len = sizeof(uc);
	EXPECT_EQ(0, SYS(getsockopt(self->fd[0], SOL_SOCKET, SO_PEERCRED, &uc, &len)));
	EXPECT_EQ(sizeof(uc), len);
	if (variant->family == RT_UNIX)
		return;
	v = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, v);
	EXPECT_EQ(0, rt_set_int(v, SOL_RILL, RILL_MODE, 0640));
	EXPECT_EQ(0640, rt_get_int(v, SOL_RILL, RILL_MODE));
	o = (struct rill_owner){ geteuid(), getegid() };
	EXPECT_EQ(0, SYS(setsockopt(v, SOL_RILL, RILL_OWNER, &o, sizeof(o))));
	len = sizeof(o);
	EXPECT_EQ(0, SYS(getsockopt(v, SOL_RILL, RILL_OWNER, &o, &len)));
	EXPECT_EQ(geteuid(), o.ro_uid);
	close(v);
	if (variant->type != SOCK_DGRAM) {
		struct rt_addr a = { .len = 0 };
		struct rill_queue q;
		int lfd = rt_listener(RT_RILL, variant->type, 7, &a);

		ASSERT_EQ(0, rt_queue(lfd, &q));
		EXPECT_EQ(8, q.rq_max);
		EXPECT_EQ(0, q.rq_len);
		close(lfd);
	}
}

TEST_F(compat, filter)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'd', 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(code), .filter = code };

	if (variant->type != SOCK_DGRAM)
		SKIP(return, "datagrams only");
	ASSERT_EQ(0, SYS(setsockopt(self->fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog,
				    sizeof(prog))));
	EXPECT_EQ(4, SYS(send(self->fd[0], "drop", 4, 0)));
	EXPECT_EQ(4, SYS(send(self->fd[0], "pass", 4, 0)));
	EXPECT_EQ('p', SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)) == 1 ? sink : 0);
}

/* The way of old programs: all calls through one. */
TEST_F(compat, socketcall)
{
	struct rt_addr a = rt_new_addr(variant->family);
	unsigned long sock[3] = { rt_af(variant->family), variant->type, 0 };
	unsigned long bound[3] = { 0, (unsigned long)&a, a.len };
	unsigned long sent[4] = { self->fd[0], (unsigned long)"abc", 3, 0 };
	long fd;

	if (SYS_socketcall < 0)
		SKIP(return, "no socketcall() here");
	fd = SYS(syscall(SYS_socketcall, 1 /* SYS_SOCKET */, sock));
	ASSERT_LE(0, fd);
	bound[0] = fd;
	EXPECT_EQ(0, SYS(syscall(SYS_socketcall, 2 /* SYS_BIND */, bound)));
	EXPECT_EQ(3, SYS(syscall(SYS_socketcall, 9 /* SYS_SEND */, sent)));
	EXPECT_EQ(3, rt_drain(self->fd[1], 10));
	close(fd);
}

TEST_F(compat, connects)
{
	struct rt_addr a = { .len = 0 }, got = { .len = sizeof(got.ss) };
	int lfd, cfd, afd;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "no connections");
	lfd = rt_listener(variant->family, variant->type, 1, &a);
	ASSERT_LE(0, lfd);
	cfd = rt_client(variant->family, variant->type, &a);
	ASSERT_LE(0, cfd);
	afd = SYS(accept(lfd, &got.sa, &got.len));
	ASSERT_LE(0, afd);
	EXPECT_EQ(variant->family == RT_RILL ? 5 : 2, (int)got.len);
	ASSERT_EQ(5, SYS(send(cfd, "hello", 5, 0)));
	EXPECT_EQ(5, rt_drain(afd, 10));
	close(afd);
	close(cfd);
	close(lfd);
}

TEST_HARNESS_MAIN
