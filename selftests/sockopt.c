// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options and ioctls: what each says, what each does, and what becomes of every
 * wrong length and value.
 */
#include "rill_test_data.h"

#include <linux/bpf.h>
#include <linux/filter.h>

#ifndef SO_TIMESTAMP_NEW
#define SO_TIMESTAMP_NEW	63
#define SO_TIMESTAMPNS_NEW	64
#define SO_RCVTIMEO_NEW		66
#define SO_SNDTIMEO_NEW		67
#endif
#define SO_RCVTIMEO_OLD_NR	20
#define SO_SNDTIMEO_OLD_NR	21
#ifndef SIOCGSTAMP_OLD
#define SIOCGSTAMP_OLD		0x8906
#define SIOCGSTAMPNS_OLD	0x8907
#endif

/* A kernel_sock_timeval, which time64 programs pass. */
struct timeval64 {
	long long tv_sec;
	long long tv_usec;
};

static char sink;

FIXTURE(opt)
{
	int fd;		/* unconnected */
	int sv[2];
};

FIXTURE_VARIANT(opt)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(opt, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(opt, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(opt, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(opt, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(opt, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(opt, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(opt)
{
	signal(SIGPIPE, SIG_IGN);
	self->fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->sv));
}

FIXTURE_TEARDOWN(opt)
{
	close(self->fd);
	close(self->sv[0]);
	close(self->sv[1]);
}

static int get(int fd, int opt)
{
	return rt_get_int(fd, SOL_SOCKET, opt);
}

static int set(int fd, int opt, int v)
{
	return rt_set_int(fd, SOL_SOCKET, opt, v);
}

/* ---- what can only be read --------------------------------------------- */

TEST_F(opt, identity)
{
	struct rt_addr a = rt_new_addr(variant->family);
	unsigned int i;
	static const int ro[] = {
		SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN, SO_ERROR,
	};

	EXPECT_EQ(variant->type, get(self->fd, SO_TYPE));
	EXPECT_EQ(rt_af(variant->family), get(self->fd, SO_DOMAIN));
	EXPECT_EQ(0, get(self->fd, SO_PROTOCOL));
	EXPECT_EQ(0, get(self->fd, SO_ACCEPTCONN));
	EXPECT_EQ(0, get(self->fd, SO_ERROR));
	for (i = 0; i < ARRAY_SIZE(ro); i++) {
		/* errno: setsockopt ENOPROTOOPT */
		EXPECT_EQ(-ENOPROTOOPT, set(self->fd, ro[i], 1)) {
			TH_LOG("option %d", ro[i]);
		}
	}
	EXPECT_EQ(0, get(self->sv[0], SO_ACCEPTCONN));
	EXPECT_EQ(variant->type, get(self->sv[1], SO_TYPE));
	EXPECT_EQ(rt_af(variant->family), get(self->sv[1], SO_DOMAIN));
	if (variant->type == SOCK_DGRAM)
		return;
	ASSERT_EQ(0, rt_bind(self->fd, &a));
	ASSERT_EQ(0, listen(self->fd, 1));
	EXPECT_EQ(1, get(self->fd, SO_ACCEPTCONN));
}

TEST_F(opt, cookie)
{
	unsigned long long c[3] = { 0 }, again = 0;
	socklen_t len = sizeof(c[0]);
	int fds[3] = { self->fd, self->sv[0], self->sv[1] }, i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, getsockopt(fds[i], SOL_SOCKET, SO_COOKIE, &c[i], &len));
		EXPECT_EQ(sizeof(c[0]), len);
		EXPECT_NE(0, c[i]);
	}
	EXPECT_NE(c[0], c[1]);
	EXPECT_NE(c[1], c[2]);
	EXPECT_NE(c[0], c[2]);
	ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, SO_COOKIE, &again, &len));
	EXPECT_EQ(c[0], again);
}

TEST_F(opt, meminfo)
{
	__u32 m[9], empty;
	socklen_t len = sizeof(m);
	char buf[3000] = "";

	memset(m, 0xff, sizeof(m));
	ASSERT_EQ(0, getsockopt(self->sv[1], SOL_SOCKET, SO_MEMINFO, m, &len));
	EXPECT_EQ(sizeof(m), len);
	/* SK_MEMINFO_RCVBUF, SK_MEMINFO_SNDBUF */
	EXPECT_EQ(get(self->sv[1], SO_RCVBUF), (int)m[1]);
	EXPECT_EQ(get(self->sv[1], SO_SNDBUF), (int)m[3]);
	empty = m[0];
	EXPECT_EQ(0, empty);
	if (variant->type == SOCK_STREAM || variant->family == RT_UNIX)
		return;
	/* Charged to somebody, and given back. */
	ASSERT_EQ(3000, SYS(send(self->sv[0], buf, 3000, 0)));
	len = sizeof(m);
	ASSERT_EQ(0, getsockopt(self->sv[0], SOL_SOCKET, SO_MEMINFO, m, &len));
	EXPECT_EQ(3000, SYS(recv(self->sv[1], buf, 3000, 0)));
	len = sizeof(m);
	ASSERT_EQ(0, getsockopt(self->sv[0], SOL_SOCKET, SO_MEMINFO, m, &len));
	EXPECT_EQ(0, m[2]);
}

/* ---- buffers ----------------------------------------------------------- */

static long sysctl(const char *path)
{
	char buf[32];

	if (rt_read_file(path, buf, sizeof(buf)) <= 0)
		return -1;
	return atol(buf);
}

TEST_F(opt, buffers)
{
	static const int opts[2][2] = {
		{ SO_SNDBUF, 32 /* SO_SNDBUFFORCE */ },
		{ SO_RCVBUF, 33 /* SO_RCVBUFFORCE */ },
	};
	int i;

	for (i = 0; i < 2; i++) {
		long max = sysctl(i ? "/proc/sys/net/core/rmem_max" :
				      "/proc/sys/net/core/wmem_max");
		int least;

		EXPECT_EQ(0, set(self->fd, opts[i][0], 20000));
		EXPECT_EQ(40000, get(self->fd, opts[i][0]));
		/* A floor and a ceiling, no error. */
		EXPECT_EQ(0, set(self->fd, opts[i][0], 0));
		least = get(self->fd, opts[i][0]);
		EXPECT_LT(1000, least);
		EXPECT_GT(10000, least);
		EXPECT_EQ(0, set(self->fd, opts[i][0], 1));
		EXPECT_EQ(least, get(self->fd, opts[i][0]));
		if (max > 0) {
			EXPECT_EQ(0, set(self->fd, opts[i][0], INT_MAX));
			EXPECT_EQ(2 * max, get(self->fd, opts[i][0]));
			EXPECT_EQ(0, set(self->fd, opts[i][0], -1));
			EXPECT_EQ(2 * max, get(self->fd, opts[i][0]));
		}
		if (geteuid())
			continue;
		EXPECT_EQ(0, set(self->fd, opts[i][1], 50000000));
		EXPECT_EQ(100000000, get(self->fd, opts[i][0]));
	}
}

TEST_F(opt, force_needs_cap)
{
	pid_t pid = rt_fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		if (!geteuid())
			CHECK_EQ(0, rd_drop_cap(CAP_NET_ADMIN));
		/* errno: setsockopt EPERM */
		CHECK_EQ(-EPERM, set(self->fd, 32, 100000));
		CHECK_EQ(-EPERM, set(self->fd, 33, 100000));
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
}

/* The room that a stream has is what both ends agree on, even when it shrinks. */
TEST_F(opt, buffers_hold_what_they_say)
{
	static const int bytes[] = { 1, 3000, 8192, 10000, 65536, 100000 };
	unsigned int i, j;

	if (variant->type != SOCK_STREAM || variant->family == RT_UNIX)
		SKIP(return, "the ring only: unix(7) counts memory");
	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		for (j = 0; j < ARRAY_SIZE(bytes); j++) {
			ASSERT_EQ(0, set(self->sv[0], SO_SNDBUF, bytes[i]));
			ASSERT_EQ(0, set(self->sv[1], SO_RCVBUF, bytes[j]));
			EXPECT_EQ(rt_capacity(self->sv[0], self->sv[1]),
				  rt_fill(self->sv[0], 777)) {
				TH_LOG("sndbuf %d rcvbuf %d", bytes[i], bytes[j]);
			}
			/* Smaller under what lies there: nothing is lost. */
			ASSERT_EQ(0, set(self->sv[1], SO_RCVBUF, 1));
			EXPECT_EQ(-EAGAIN, SYS(send(self->sv[0], "x", 1, MSG_DONTWAIT)));
			ASSERT_EQ(0, set(self->sv[1], SO_RCVBUF, bytes[j]));
			EXPECT_EQ(rt_capacity(self->sv[0], self->sv[1]),
				  rt_drain(self->sv[1], 1000));
		}
	}
}

/* A sender that sleeps on a full buffer goes on when it grows. */
static long do_send(void *arg)
{
	return SYS(send(*(int *)arg, "x", 1, 0));
}

TEST_F(opt, growing_wakes)
{
	struct rt_thread t;

	/* One of unix(7)'s datagram sockets may sleep at its peer instead. */
	if (variant->family == RT_UNIX && variant->type == SOCK_DGRAM)
		ASSERT_EQ(0, set(self->sv[1], SO_RCVBUF, 100000));
	ASSERT_EQ(0, set(self->sv[0], SO_SNDBUF, 2500));
	ASSERT_LT(0, rt_fill(self->sv[0], 1000));
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &self->sv[0]));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_sendto));
	ASSERT_EQ(0, set(self->sv[0], SO_SNDBUF, 50000));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(1, t.ret);
}

TEST_F(opt, rcvlowat)
{
	long cap;

	EXPECT_EQ(1, get(self->fd, SO_RCVLOWAT));
	EXPECT_EQ(0, set(self->fd, SO_RCVLOWAT, 100));
	EXPECT_EQ(100, get(self->fd, SO_RCVLOWAT));
	EXPECT_EQ(0, set(self->fd, SO_RCVLOWAT, 0));
	EXPECT_EQ(1, get(self->fd, SO_RCVLOWAT));
	EXPECT_EQ(0, set(self->fd, SO_RCVLOWAT, -5));
	EXPECT_EQ(INT_MAX, get(self->fd, SO_RCVLOWAT));

	/* unix(7) forgets it in poll(). */
	if (variant->type != SOCK_STREAM || variant->family == RT_UNIX)
		return;
	ASSERT_EQ(0, set(self->sv[1], SO_RCVLOWAT, 10));
	ASSERT_EQ(9, SYS(send(self->sv[0], "123456789", 9, 0)));
	EXPECT_EQ(0, rt_events(self->sv[1], POLLIN));
	ASSERT_EQ(1, SYS(send(self->sv[0], "0", 1, 0)));
	EXPECT_EQ(POLLIN, rt_events(self->sv[1], POLLIN));
	EXPECT_EQ(10, rt_drain(self->sv[1], 100));
	/* More than can ever be there would never wake: half of the room will. */
	ASSERT_EQ(0, set(self->sv[1], SO_RCVLOWAT, INT_MAX));
	cap = rt_capacity(self->sv[0], self->sv[1]);
	ASSERT_LT(0, rt_fill(self->sv[0], cap / 2));
	EXPECT_EQ(POLLIN, rt_events(self->sv[1], POLLIN));
	/* And the end is always told. */
	rt_drain(self->sv[1], 4096);
	ASSERT_EQ(0, shutdown(self->sv[0], SHUT_WR));
	EXPECT_EQ(POLLIN, rt_events(self->sv[1], POLLIN));
}

static long do_recv(void *arg)
{
	char buf[100];

	return SYS(recv(*(int *)arg, buf, sizeof(buf), 0));
}

TEST_F(opt, rcvlowat_recv)
{
	struct rt_thread t;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "streams only");
	ASSERT_EQ(0, set(self->sv[1], SO_RCVLOWAT, 10));
	ASSERT_EQ(0, rt_thread_start(&t, do_recv, &self->sv[1]));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_recvfrom));
	ASSERT_EQ(9, SYS(send(self->sv[0], "123456789", 9, 0)));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_recvfrom));
	ASSERT_EQ(3, SYS(send(self->sv[0], "012", 3, 0)));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(12, t.ret);
	/* Without waiting, what there is. */
	ASSERT_EQ(2, SYS(send(self->sv[0], "ab", 2, 0)));
	EXPECT_EQ(2, rt_drain(self->sv[1], 10));
}

/* ---- time-outs --------------------------------------------------------- */

TEST_F(opt, timeouts)
{
	static const int opts[2][2] = {
		{ SO_RCVTIMEO_OLD_NR, SO_RCVTIMEO_NEW },
		{ SO_SNDTIMEO_OLD_NR, SO_SNDTIMEO_NEW },
	};
	int i, old;

	for (i = 0; i < 2; i++) {
		for (old = 0; old < 2; old++) {
			/* On 64 bits both have the same layout. */
			struct timeval64 tv = { .tv_sec = 3, .tv_usec = 500000 }, got;
			socklen_t len = sizeof(got);
			int opt = opts[i][!old], twin = opts[i][old];

			EXPECT_EQ(0, SYS(setsockopt(self->fd, SOL_SOCKET, opt, &tv,
						    sizeof(tv))));
			memset(&got, 0xff, sizeof(got));
			ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, twin, &got, &len));
			EXPECT_EQ(sizeof(got), len);
			EXPECT_EQ(3, got.tv_sec);
			EXPECT_EQ(500000, got.tv_usec);
			/* Too many microseconds; then none: for ever. */
			tv.tv_usec = 1000000;
			/* errno: setsockopt EDOM */
			EXPECT_EQ(-EDOM, SYS(setsockopt(self->fd, SOL_SOCKET, opt, &tv,
							sizeof(tv))));
			tv.tv_usec = -1;
			EXPECT_EQ(-EDOM, SYS(setsockopt(self->fd, SOL_SOCKET, opt, &tv,
							sizeof(tv))));
			tv.tv_sec = 0;
			tv.tv_usec = 0;
			EXPECT_EQ(-EINVAL, SYS(setsockopt(self->fd, SOL_SOCKET, opt, &tv,
							  sizeof(tv) - 1)));
			EXPECT_EQ(0, SYS(setsockopt(self->fd, SOL_SOCKET, opt, &tv,
						    sizeof(tv))));
			ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, opt, &got, &len));
			EXPECT_EQ(0, got.tv_sec);
			EXPECT_EQ(0, got.tv_usec);
		}
	}
}

TEST_F(opt, timeouts_work)
{
	struct timeval64 tv = { .tv_usec = 60000 };
	struct rt_watch watch;
	int opt;

	for (opt = 0; opt < 2; opt++) {
		ASSERT_EQ(0, setsockopt(self->sv[1], SOL_SOCKET,
					opt ? SO_RCVTIMEO_NEW : SO_RCVTIMEO_OLD_NR,
					&tv, sizeof(tv)));
		watch = rt_watch_start();
		EXPECT_EQ(-EAGAIN, SYS(recv(self->sv[1], &sink, 1, 0)));
		EXPECT_LE(60 - RT_TICK_MS, rt_watch_ms(&watch));
	}
	ASSERT_LT(0, rt_fill(self->sv[0], 1000));
	for (opt = 0; opt < 2; opt++) {
		ASSERT_EQ(0, setsockopt(self->sv[0], SOL_SOCKET,
					opt ? SO_SNDTIMEO_NEW : SO_SNDTIMEO_OLD_NR,
					&tv, sizeof(tv)));
		watch = rt_watch_start();
		EXPECT_EQ(-EAGAIN, SYS(send(self->sv[0], "x", 1, 0)));
		EXPECT_LE(60 - RT_TICK_MS, rt_watch_ms(&watch));
	}
	/* A negative one does not wait at all. */
	rt_drain(self->sv[1], 4096);
	tv.tv_sec = -1;
	tv.tv_usec = 0;
	ASSERT_EQ(0, setsockopt(self->sv[1], SOL_SOCKET, SO_RCVTIMEO_OLD_NR, &tv,
				sizeof(tv)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->sv[1], &sink, 1, 0)));
}

/* ---- those that are kept and mean little here -------------------------- */

TEST_F(opt, booleans)
{
	static const int opts[] = {
		SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST, SO_DONTROUTE, SO_OOBINLINE,
		SO_RXQ_OVFL,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(opts); i++) {
		int opt = opts[i];

		EXPECT_EQ(0, get(self->fd, opt));
		EXPECT_EQ(0, set(self->fd, opt, 1)) {
			TH_LOG("option %d", opt);
		}
		EXPECT_NE(0, get(self->fd, opt));
		EXPECT_EQ(0, set(self->fd, opt, -1));
		EXPECT_NE(0, get(self->fd, opt));
		EXPECT_EQ(0, set(self->fd, opt, 0));
		EXPECT_EQ(0, get(self->fd, opt));
	}
	EXPECT_EQ(0, set(self->fd, SO_PRIORITY, 3));
	EXPECT_EQ(3, get(self->fd, SO_PRIORITY));
}

TEST_F(opt, linger)
{
	struct linger l = { 1, 7 };
	socklen_t len = sizeof(l);

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	memset(&l, 0xff, sizeof(l));
	ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, SO_LINGER, &l, &len));
	EXPECT_EQ(sizeof(l), len);
	EXPECT_EQ(1, l.l_onoff);
	EXPECT_EQ(7, l.l_linger);
	l.l_onoff = 0;
	EXPECT_EQ(-EINVAL, SYS(setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &l, 7)));
	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	len = sizeof(l);
	ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, SO_LINGER, &l, &len));
	EXPECT_EQ(0, l.l_onoff);
}

TEST_F(opt, passcred)
{
	int v;

	EXPECT_EQ(0, set(self->fd, SO_PASSCRED, 1));
	v = get(self->fd, SO_PASSCRED);
	/* Linux 7 answers for a list of families only. */
	/* errno: getsockopt EOPNOTSUPP */
	if (variant->family == RT_RILL && v == -EOPNOTSUPP)
		SKIP(return, "this kernel cannot read SO_PASSCRED for us");
	EXPECT_EQ(1, v);
	EXPECT_EQ(0, set(self->fd, SO_PASSCRED, 0));
	EXPECT_EQ(0, get(self->fd, SO_PASSCRED));
	EXPECT_EQ(0, set(self->fd, SO_PASSCRED, 42));
	EXPECT_EQ(1, get(self->fd, SO_PASSCRED));
	EXPECT_EQ(-EINVAL, SYS(setsockopt(self->fd, SOL_SOCKET, SO_PASSCRED, &v, 3)));
}

TEST_F(opt, unsupported)
{
	socklen_t len = 100;
	char buf[100];
	int ret;

	if (variant->family == RT_UNIX)
		SKIP(return, "what a module cannot answer");
	/* errno: getsockopt ENOPROTOOPT */
	EXPECT_EQ(-ENOPROTOOPT, SYS(getsockopt(self->sv[0], SOL_SOCKET, SO_PEERSEC, buf,
					       &len)));
	/* Where the core does not ask the family, before 6.3, it says yes. */
	ret = set(self->fd, SO_PASSSEC, 1);
	EXPECT_TRUE(!ret || ret == -ENOPROTOOPT);
	EXPECT_EQ(-ENOPROTOOPT, set(self->fd, 76 /* SO_PASSPIDFD */, 1));
	/* errno: setsockopt EOPNOTSUPP */
	EXPECT_EQ(-EOPNOTSUPP, set(self->fd, 60 /* SO_ZEROCOPY */, 1));
}

/* ---- every option with every wrong length and value -------------------- */

static const int lens[] = { -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 64, 4096, INT_MAX,
			    INT_MIN };
static const int vals[] = { 0, -1, INT_MIN, INT_MAX, 1 };

/* Options of which the two families may say different things, and why. */
static bool differs(int opt)
{
	switch (opt) {
	case SO_PASSCRED:	/* Linux 7: reading is refused */
	case SO_PASSSEC:	/* a module cannot */
	case SO_PEERSEC:
	case 76:		/* SO_PASSPIDFD */
	case 83:		/* SO_PASSRIGHTS: AF_UNIX only */
	case 84:		/* SO_INQ: streams of AF_UNIX and TCP only */
	case 60:		/* SO_ZEROCOPY */
	case SO_RCVLOWAT:	/* has a handler of its own */
	case SO_PEEK_OFF:
	case SO_REUSEPORT:
	case SO_DOMAIN:
	case SO_COOKIE:
	case 55:		/* SO_MEMINFO */
	case 61:		/* SO_TXTIME, SO_NETNS_COOKIE */
	case 71:
		return true;
	}
	return false;
}

/*
 * Whatever is thrown at SOL_SOCKET has the same result as for a socket of
 * AF_UNIX, and the socket works afterwards.
 */
TEST_F_TIMEOUT(opt, set_as_unix, 120)
{
	char *edge = rd_map_edge(2), *p = edge - 4096;
	int opt, twin, fd;
	unsigned int i, j;

	if (variant->family == RT_UNIX)
		SKIP(return, "is itself the control");
	for (opt = 0; opt < 128; opt++) {
		fd = rt_socket(RT_RILL, variant->type);
		twin = rt_socket(RT_UNIX, variant->type);
		ASSERT_LE(0, fd);
		ASSERT_LE(0, twin);
		for (i = 0; i < ARRAY_SIZE(vals); i++) {
			for (j = 0; j < 4096; j += 4)
				memcpy(p + j, &vals[i], 4);
			for (j = 0; j < ARRAY_SIZE(lens); j++) {
				/* As much as there is; more is a fault, or not read. */
				char *at = lens[j] >= 0 && lens[j] <= 4096 ?
					   edge - lens[j] : p;
				long want, got;

				got = SYS(setsockopt(fd, SOL_SOCKET, opt, at, lens[j]));
				want = SYS(setsockopt(twin, SOL_SOCKET, opt, at, lens[j]));
				if (differs(opt) || want == got)
					continue;
				EXPECT_EQ(want, got) {
					TH_LOG("option %d, length %d, value %d", opt,
					       lens[j], vals[i]);
				}
			}
		}
		/* SO_LINGER may be on: nothing is unread, close() is at once. */
		close(fd);
		close(twin);
	}
	EXPECT_EQ(1, SYS(send(self->sv[0], "x", 1, 0)));
	EXPECT_EQ(1, SYS(recv(self->sv[1], &sink, 1, 0)));
}

TEST_F_TIMEOUT(opt, get_as_unix, 120)
{
	char buf[2][512];
	int opt, twin, fd;
	unsigned int j;

	if (variant->family == RT_UNIX)
		SKIP(return, "is itself the control");
	fd = rt_socket(RT_RILL, variant->type);
	twin = rt_socket(RT_UNIX, variant->type);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, twin);
	for (opt = 0; opt < 128; opt++) {
		for (j = 0; j < ARRAY_SIZE(lens); j++) {
			socklen_t len[2] = { lens[j], lens[j] };
			long want, got;

			memset(buf, 0xa5, sizeof(buf));
			got = SYS(getsockopt(fd, SOL_SOCKET, opt, buf[0], &len[0]));
			want = SYS(getsockopt(twin, SOL_SOCKET, opt, buf[1], &len[1]));
			if (!got && lens[j] >= 0 && lens[j] <= 256)
				EXPECT_EQ((char)0xa5, buf[0][lens[j]]) {
					TH_LOG("option %d wrote past %d", opt, lens[j]);
				}
			if (differs(opt))
				continue;
			EXPECT_EQ(want, got) {
				TH_LOG("option %d, length %d", opt, lens[j]);
			}
			EXPECT_EQ(len[1], len[0]) {
				TH_LOG("option %d, length %d", opt, lens[j]);
			}
			EXPECT_EQ(0, memcmp(buf[0], buf[1], sizeof(buf[0]))) {
				TH_LOG("value of option %d, length %d", opt, lens[j]);
			}
		}
	}
	close(fd);
	close(twin);
}

/* ---- SOL_RILL ---------------------------------------------------------- */

static int rill_set(int fd, int opt, const void *p, int len)
{
	return SYS(setsockopt(fd, SOL_RILL, opt, p, len));
}

/* An option of size bytes that reads as ~0, into room bytes of 0xa5. */
static void check_cut(struct __test_metadata *_metadata, const void *buf, int room,
		      socklen_t told, int size)
{
	const unsigned char *p = buf;
	int n = room < 0 ? 0 : room < size ? room : size, i;

	EXPECT_EQ(room < 0 ? room : n, (int)told);
	for (i = 0; i < 16; i++) {
		EXPECT_EQ(i < n ? 0xff : 0xa5, p[i]) {
			TH_LOG("byte %d of %d in room for %d", i, size, room);
		}
	}
}

TEST_F(opt, rill_lengths)
{
	__u32 buf[1024] = { 0 };
	unsigned int j;
	socklen_t len;

	if (variant->family == RT_UNIX)
		SKIP(return, "no such level");
	for (j = 0; j < ARRAY_SIZE(lens); j++) {
		int l = lens[j];

		/* errno: setsockopt EINVAL */
		if (l != sizeof(int))
			EXPECT_EQ(-EINVAL, rill_set(self->fd, RILL_MODE, buf, l)) {
				TH_LOG("length %d", l);
			}
		if (l != sizeof(struct rill_owner))
			EXPECT_EQ(-EINVAL, rill_set(self->fd, RILL_OWNER, buf, l)) {
				TH_LOG("length %d", l);
			}
		EXPECT_EQ(l < 0 ? -EINVAL : -ENOPROTOOPT,
			  rill_set(self->fd, RILL_QUEUE, buf, l));

		/* Read, it is cut to what there is room for, as everywhere. */
		len = l;
		memset(buf, 0xa5, sizeof(buf));
		/* errno: getsockopt EINVAL */
		EXPECT_EQ(l < 0 ? -EINVAL : 0,
			  SYS(getsockopt(self->fd, SOL_RILL, RILL_MODE, buf, &len))) {
			TH_LOG("length %d", l);
		}
		check_cut(_metadata, buf, l, len, 4);
		len = l;
		memset(buf, 0xa5, sizeof(buf));
		EXPECT_EQ(l < 0 ? -EINVAL : 0,
			  SYS(getsockopt(self->fd, SOL_RILL, RILL_OWNER, buf, &len))) {
			TH_LOG("length %d", l);
		}
		check_cut(_metadata, buf, l, len, 8);
	}
	/* None of it set anything. */
	EXPECT_EQ(-1, rt_get_int(self->fd, SOL_RILL, RILL_MODE));
}

TEST_F(opt, rill_unknown)
{
	static const int levels[] = { 0, 6, 17, 41, 255, SOL_RILL - 1, SOL_RILL + 1, -1 };
	int v = 1;
	unsigned int i;
	socklen_t len;
	int opt;

	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		len = sizeof(v);
		/* tcp(7) says so; unix(7) EOPNOTSUPP. */
		EXPECT_EQ(variant->family == RT_RILL ? -ENOPROTOOPT : -EOPNOTSUPP,
			  SYS(setsockopt(self->fd, levels[i], 1, &v, len)));
		EXPECT_EQ(variant->family == RT_RILL ? -ENOPROTOOPT : -EOPNOTSUPP,
			  SYS(getsockopt(self->fd, levels[i], 1, &v, &len)));
	}
	if (variant->family == RT_UNIX)
		return;
	for (opt = -2; opt < 64; opt++) {
		if (opt >= RILL_MODE && opt <= RILL_BUSY_POLL)
			continue;
		len = sizeof(v);
		EXPECT_EQ(-ENOPROTOOPT, SYS(getsockopt(self->fd, SOL_RILL, opt, &v, &len)));
		/* errno: setsockopt ENOPROTOOPT */
		EXPECT_EQ(-ENOPROTOOPT, rt_set_int(self->fd, SOL_RILL, opt, 1));
	}
	EXPECT_EQ(-ENOPROTOOPT, SYS(getsockopt(self->fd, SOL_RILL, INT_MAX, &v, &len)));
	EXPECT_EQ(-ENOPROTOOPT, SYS(getsockopt(self->fd, SOL_RILL, INT_MIN, &v, &len)));
}

TEST_F(opt, rill_queue)
{
	struct rt_addr a = rt_new_addr(variant->family);
	int cfd[5], i;
	__u32 want[4], got[5];
	socklen_t len;

	if (variant->family == RT_UNIX || variant->type == SOCK_DGRAM)
		SKIP(return, "Rill's listeners only");
	len = sizeof(got);
	EXPECT_EQ(-EINVAL, SYS(getsockopt(self->fd, SOL_RILL, RILL_QUEUE, got, &len)));
	EXPECT_EQ(-EINVAL, SYS(getsockopt(self->sv[0], SOL_RILL, RILL_QUEUE, got, &len)));
	ASSERT_EQ(0, rt_bind(self->fd, &a));
	EXPECT_EQ(-EINVAL, SYS(getsockopt(self->fd, SOL_RILL, RILL_QUEUE, got, &len)));
	ASSERT_EQ(0, listen(self->fd, 2));
	for (i = 0; i < 5; i++) {
		cfd[i] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
		ASSERT_LE(0, cfd[i]);
		/* errno: connect EINPROGRESS */
		EXPECT_EQ(i < 3 ? 0 : -EINPROGRESS, rt_connect(cfd[i], &a));
	}
	want[0] = 3;
	want[1] = 3;
	want[2] = 2;
	want[3] = sysctl("/proc/sys/net/rill/max_waiting");
	/* A buffer that is too short gets the first fields. */
	for (i = 0; i <= (int)sizeof(got); i++) {
		memset(got, 0xa5, sizeof(got));
		len = i;
		EXPECT_EQ(0, SYS(getsockopt(self->fd, SOL_RILL, RILL_QUEUE, got, &len))) {
			TH_LOG("length %d", i);
		}
		EXPECT_EQ(i < 16 ? i : 16, (int)len);
		EXPECT_EQ(0, memcmp(got, want, len));
		if (len < sizeof(got))
			EXPECT_EQ((char)0xa5, ((char *)got)[len]);
	}
	len = -1;
	EXPECT_EQ(-EINVAL, SYS(getsockopt(self->fd, SOL_RILL, RILL_QUEUE, got, &len)));
	for (i = 0; i < 5; i++)
		close(cfd[i]);
}

/* ---- messages: time stamps, filters ------------------------------------ */

TEST_F(opt, timestamps)
{
	static const struct {
		int opt, cmsg;
		bool ns;
	} kinds[] = {
		{ SO_TIMESTAMP, SCM_TIMESTAMP, false },
		{ SO_TIMESTAMPNS, SCM_TIMESTAMPNS, true },
		{ SO_TIMESTAMP_NEW, SO_TIMESTAMP_NEW, false },
		{ SO_TIMESTAMPNS_NEW, SO_TIMESTAMPNS_NEW, true },
	};
	unsigned int i;

	if (variant->type == SOCK_STREAM)
		SKIP(return, "messages only");
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct timespec before, after;
		struct timeval64 t;
		struct rd_msg m;
		long long ns, unit = kinds[i].ns ? 1 : 1000;
		size_t len;
		void *p;

		ASSERT_EQ(0, set(self->sv[1], kinds[i].opt, 1));
		EXPECT_EQ(1, get(self->sv[1], kinds[i].opt));
		clock_gettime(CLOCK_REALTIME, &before);
		ASSERT_EQ(1, SYS(send(self->sv[0], "x", 1, 0)));
		clock_gettime(CLOCK_REALTIME, &after);
		ASSERT_EQ(1, rd_recv(self->sv[1], &sink, 1, 0, &m));
		p = rd_cmsg(&m, SOL_SOCKET, kinds[i].cmsg, &len);
		ASSERT_NE(NULL, p) {
			TH_LOG("option %d", kinds[i].opt);
		}
		ASSERT_EQ(sizeof(t), len);
		memcpy(&t, p, sizeof(t));
		ns = t.tv_sec * 1000000000LL + t.tv_usec * unit;
		EXPECT_LE(before.tv_sec * 1000000000LL + before.tv_nsec - unit, ns);
		/* unix(7) stamps when it is read, if the sender did not know. */
		if (variant->family == RT_RILL)
			EXPECT_GE(after.tv_sec * 1000000000LL + after.tv_nsec, ns);
		ASSERT_EQ(0, set(self->sv[1], kinds[i].opt, 0));
		ASSERT_EQ(1, SYS(send(self->sv[0], "x", 1, 0)));
		ASSERT_EQ(1, rd_recv(self->sv[1], &sink, 1, 0, &m));
		EXPECT_EQ(0, m.controllen);
	}
}

TEST_F(opt, last_timestamp)
{
	struct timeval tv = { 0 };
	struct timespec ts = { 0 }, after;
	time_t now = time(NULL);

	if (variant->family == RT_UNIX || variant->type == SOCK_STREAM)
		SKIP(return, "Rill's messages only: unix(7) has no SIOCGSTAMP");
	/* errno: ioctl ENOENT */
	EXPECT_EQ(-ENOENT, SYS(ioctl(self->sv[1], SIOCGSTAMP_OLD, &tv)));
	/* Asking switched it on. */
	ASSERT_EQ(1, SYS(send(self->sv[0], "x", 1, 0)));
	ASSERT_EQ(1, SYS(recv(self->sv[1], &sink, 1, 0)));
	EXPECT_EQ(0, SYS(ioctl(self->sv[1], SIOCGSTAMP_OLD, &tv)));
	EXPECT_LE(now - 1, tv.tv_sec);
	/* Not time(), which may be a tick behind. */
	ASSERT_EQ(0, SYS(clock_gettime(CLOCK_REALTIME, &after)));
	EXPECT_GE(after.tv_sec, tv.tv_sec);
	EXPECT_EQ(0, SYS(ioctl(self->sv[1], SIOCGSTAMPNS_OLD, &ts)));
	EXPECT_EQ(tv.tv_sec, ts.tv_sec);
}

/* Drops what begins with 'd', cuts what begins with 't' to 3 bytes. */
static const struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'd', 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 't', 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 3),
	BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
};

static int attach(int fd)
{
	struct sock_fprog prog = {
		.len = ARRAY_SIZE(filter),
		.filter = (struct sock_filter *)filter,
	};

	return SYS(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
}

TEST_F(opt, filter)
{
	long long before = rt_counter("dgram_filtered");
	char buf[100];
	int i;

	ASSERT_EQ(0, attach(self->sv[1]));
	/* A dropped datagram is a success to the sender. */
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(4, SYS(send(self->sv[0], "drop", 4, 0)));
		EXPECT_EQ(8, SYS(send(self->sv[0], "truncate", 8, 0)));
		EXPECT_EQ(4, SYS(send(self->sv[0], "pass", 4, 0)));
		if (variant->type == SOCK_STREAM) {
			ASSERT_EQ(0, rt_recv_all(self->sv[1], buf, 16));
			EXPECT_EQ(0, memcmp(buf, "droptruncatepass", 16));
			continue;
		}
		/*
		 * Of connections a filter of ours sees nothing: it could only
		 * break them.  unix(7) filters seqpacket.
		 */
		if (variant->type == SOCK_SEQPACKET && variant->family == RT_RILL) {
			EXPECT_EQ(4, SYS(recv(self->sv[1], buf, 100, 0)));
			EXPECT_EQ(8, SYS(recv(self->sv[1], buf, 100, 0)));
		} else {
			EXPECT_EQ(3, SYS(recv(self->sv[1], buf, 100, MSG_DONTWAIT)));
			EXPECT_EQ(0, memcmp(buf, "tru", 3));
		}
		EXPECT_EQ(4, SYS(recv(self->sv[1], buf, 100, MSG_DONTWAIT)));
		EXPECT_EQ(0, memcmp(buf, "pass", 4));
	}
	if (variant->family == RT_RILL && variant->type == SOCK_DGRAM)
		EXPECT_EQ(before + 3, rt_counter("dgram_filtered"));
	/* Gone again. */
	ASSERT_EQ(0, set(self->sv[1], SO_DETACH_FILTER, 0));
	EXPECT_EQ(-ENOENT, set(self->sv[1], SO_DETACH_FILTER, 0));
	EXPECT_EQ(4, SYS(send(self->sv[0], "drop", 4, 0)));
	EXPECT_EQ(4, SYS(recv(self->sv[1], buf, 100, MSG_DONTWAIT)));
	/* Locked. */
	ASSERT_EQ(0, attach(self->sv[1]));
	ASSERT_EQ(0, set(self->sv[1], SO_LOCK_FILTER, 1));
	EXPECT_EQ(-EPERM, set(self->sv[1], SO_DETACH_FILTER, 0));
	EXPECT_EQ(-EPERM, set(self->sv[1], SO_LOCK_FILTER, 0));
	EXPECT_EQ(-EPERM, attach(self->sv[1]));
}

/* Dropped ones take no room: the sender never stalls on them. */
/* It hides nothing that the sender is told without it. */
TEST_F(opt, filter_and_refusals)
{
	long long before = rt_counter("dgram_filtered"), sent = rt_counter("dgram_sent");
	struct rt_addr a = rt_addr(RT_RILL, "filtered"), c = rt_addr(RT_RILL, "third");
	int i, fd[3], sv[2];

	if (variant->family != RT_RILL || variant->type != SOCK_DGRAM)
		SKIP(return, "Rill's datagrams only: unix(7) filters first");
	/* It takes none but those of a third. */
	for (i = 0; i < 3; i++) {
		fd[i] = rt_socket(RT_RILL, SOCK_DGRAM);
		ASSERT_LE(0, fd[i]);
	}
	ASSERT_EQ(0, rt_bind(fd[0], &a));
	ASSERT_EQ(0, rt_bind(fd[1], &c));
	ASSERT_EQ(0, rt_connect(fd[0], &c));
	ASSERT_EQ(0, attach(fd[0]));
	EXPECT_EQ(-EPERM, SYS(sendto(fd[2], "drop", 4, 0, &a.sa, a.len)));
	/* Either half shut down. */
	ASSERT_EQ(0, rt_pair(RT_RILL, SOCK_DGRAM, sv));
	ASSERT_EQ(0, attach(sv[1]));
	ASSERT_EQ(0, SYS(shutdown(sv[0], SHUT_WR)));
	EXPECT_EQ(-EPIPE, SYS(send(sv[0], "drop", 4, 0)));
	close(sv[0]);
	close(sv[1]);
	ASSERT_EQ(0, rt_pair(RT_RILL, SOCK_DGRAM, sv));
	ASSERT_EQ(0, attach(sv[1]));
	ASSERT_EQ(0, SYS(shutdown(sv[1], SHUT_RD)));
	EXPECT_EQ(-EPIPE, SYS(send(sv[0], "drop", 4, 0)));
	/* Gone: told once, and the association, too. */
	ASSERT_EQ(0, attach(self->sv[1]));
	ASSERT_EQ(0, SYS(close(self->sv[1])));
	self->sv[1] = -1;
	EXPECT_EQ(-ECONNREFUSED, SYS(send(self->sv[0], "drop", 4, 0)));
	EXPECT_EQ(-ENOTCONN, SYS(send(self->sv[0], "drop", 4, 0)));
	EXPECT_EQ(before, rt_counter("dgram_filtered"));
	EXPECT_EQ(sent, rt_counter("dgram_sent"));
	for (i = 0; i < 3; i++)
		close(fd[i]);
	close(sv[0]);
	close(sv[1]);
}

TEST_F(opt, filter_takes_no_room)
{
	char buf[1000];
	int i;

	if (variant->type != SOCK_DGRAM)
		SKIP(return, "datagrams only");
	memset(buf, 'd', sizeof(buf));
	ASSERT_EQ(0, attach(self->sv[1]));
	for (i = 0; i < 5000; i++)
		ASSERT_EQ(1000, SYS(send(self->sv[0], buf, 1000, MSG_DONTWAIT)));
	EXPECT_EQ(4, SYS(send(self->sv[0], "pass", 4, MSG_DONTWAIT)));
	EXPECT_EQ(4, rt_drain(self->sv[1], 100));
}

TEST_F(opt, rxq_ovfl)
{
	struct rd_msg m;
	__u32 drops;
	size_t len;
	int round, i;
	void *p;

	if (variant->family == RT_UNIX || variant->type != SOCK_DGRAM)
		SKIP(return, "Rill's datagrams only: unix(7) does not count");
	ASSERT_EQ(0, set(self->sv[1], SO_RXQ_OVFL, 1));
	ASSERT_EQ(0, attach(self->sv[1]));
	ASSERT_EQ(1, SYS(send(self->sv[0], "p", 1, 0)));
	ASSERT_EQ(1, rd_recv(self->sv[1], &sink, 1, 0, &m));
	EXPECT_EQ(NULL, rd_cmsg(&m, SOL_SOCKET, SO_RXQ_OVFL, &len));
	for (round = 1; round < 4; round++) {
		for (i = 0; i < 5; i++)
			ASSERT_EQ(1, SYS(send(self->sv[0], "d", 1, 0)));
		ASSERT_EQ(1, SYS(send(self->sv[0], "p", 1, 0)));
		ASSERT_EQ(1, rd_recv(self->sv[1], &sink, 1, 0, &m));
		p = rd_cmsg(&m, SOL_SOCKET, SO_RXQ_OVFL, &len);
		ASSERT_NE(NULL, p);
		ASSERT_EQ(sizeof(drops), len);
		memcpy(&drops, p, sizeof(drops));
		EXPECT_EQ(5 * round, (int)drops);
	}
}

/* A program that says one number to everything. */
static int load_bpf(int ret)
{
	struct bpf_insn prog[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = ret },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (unsigned long)prog,
		.insn_cnt = ARRAY_SIZE(prog),
		.license = (unsigned long)"GPL",
	};

	return SYS(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
}

TEST_F(opt, bpf)
{
	int none = load_bpf(0), all = load_bpf(-1), two = load_bpf(2);
	char buf[10];

	if (none == -EPERM)
		SKIP(return, "bpf() is not allowed here (%d)", none);
	ASSERT_LE(0, none);
	if (variant->type != SOCK_DGRAM)
		SKIP(return, "datagrams only");
	ASSERT_EQ(0, set(self->sv[1], SO_ATTACH_BPF, none));
	EXPECT_EQ(4, SYS(send(self->sv[0], "1234", 4, 0)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->sv[1], buf, 10, MSG_DONTWAIT)));
	ASSERT_EQ(0, set(self->sv[1], SO_ATTACH_BPF, two));
	EXPECT_EQ(4, SYS(send(self->sv[0], "1234", 4, 0)));
	EXPECT_EQ(2, SYS(recv(self->sv[1], buf, 10, MSG_DONTWAIT)));
	ASSERT_EQ(0, set(self->sv[1], SO_ATTACH_BPF, all));
	EXPECT_EQ(4, SYS(send(self->sv[0], "1234", 4, 0)));
	EXPECT_EQ(4, SYS(recv(self->sv[1], buf, 10, MSG_DONTWAIT)));
	ASSERT_EQ(0, set(self->sv[1], SO_DETACH_BPF, 0));
	close(none);
	close(all);
	close(two);
}

/* ---- SO_PEEK_OFF ------------------------------------------------------- */

TEST_F(opt, peek_off)
{
	char buf[100];

	EXPECT_EQ(-1, rt_get_int(self->sv[1], SOL_SOCKET, SO_PEEK_OFF));
	ASSERT_EQ(0, set(self->sv[1], SO_PEEK_OFF, 0));
	ASSERT_EQ(10, SYS(send(self->sv[0], "0123456789", 10, 0)));
	if (variant->type != SOCK_STREAM) {
		/* Through one message bit by bit. */
		EXPECT_EQ(4, SYS(recv(self->sv[1], buf, 4, MSG_PEEK)));
		EXPECT_EQ(0, memcmp(buf, "0123", 4));
		EXPECT_EQ(4, get(self->sv[1], SO_PEEK_OFF));
		EXPECT_EQ(6, SYS(recv(self->sv[1], buf, 100, MSG_PEEK)));
		EXPECT_EQ(0, memcmp(buf, "456789", 6));
		/* A read starts at the start, and takes it back. */
		EXPECT_EQ(10, SYS(recv(self->sv[1], buf, 100, 0)));
		EXPECT_EQ(0, memcmp(buf, "0123456789", 10));
		EXPECT_EQ(0, get(self->sv[1], SO_PEEK_OFF));
		return;
	}
	EXPECT_EQ(4, SYS(recv(self->sv[1], buf, 4, MSG_PEEK)));
	EXPECT_EQ(0, memcmp(buf, "0123", 4));
	EXPECT_EQ(3, SYS(recv(self->sv[1], buf, 3, MSG_PEEK)));
	EXPECT_EQ(0, memcmp(buf, "456", 3));
	EXPECT_EQ(7, get(self->sv[1], SO_PEEK_OFF));
	/* A read takes from the front, and the offset goes back with it. */
	EXPECT_EQ(5, SYS(recv(self->sv[1], buf, 5, 0)));
	EXPECT_EQ(0, memcmp(buf, "01234", 5));
	EXPECT_EQ(2, get(self->sv[1], SO_PEEK_OFF));
	EXPECT_EQ(3, SYS(recv(self->sv[1], buf, 100, MSG_PEEK)));
	EXPECT_EQ(0, memcmp(buf, "789", 3));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->sv[1], buf, 1, MSG_PEEK | MSG_DONTWAIT)));
	/* What is new is seen from where we were. */
	ASSERT_EQ(2, SYS(send(self->sv[0], "ab", 2, 0)));
	EXPECT_EQ(2, SYS(recv(self->sv[1], buf, 100, MSG_PEEK | MSG_DONTWAIT)));
	EXPECT_EQ(0, memcmp(buf, "ab", 2));
	/* Off: from the front again. */
	ASSERT_EQ(0, set(self->sv[1], SO_PEEK_OFF, -1));
	EXPECT_EQ(7, SYS(recv(self->sv[1], buf, 100, MSG_PEEK)));
	EXPECT_EQ(7, SYS(recv(self->sv[1], buf, 100, 0)));
	EXPECT_EQ(0, memcmp(buf, "56789ab", 7));
}

/* A peek that waits behind its offset, and bytes that come. */
static long do_peek(void *arg)
{
	char c = 0;
	long ret = SYS(recv(*(int *)arg, &c, 1, MSG_PEEK));

	return ret == 1 ? c : ret;
}

TEST_F(opt, peek_off_waits)
{
	struct rt_thread t;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "streams only");
	/* unix(7) starts over when it has slept, in 6.1. */
	if (variant->family == RT_UNIX)
		SKIP(return, "differs between kernels");
	ASSERT_EQ(0, set(self->sv[1], SO_PEEK_OFF, 3));
	ASSERT_EQ(3, SYS(send(self->sv[0], "abc", 3, 0)));
	ASSERT_EQ(0, rt_thread_start(&t, do_peek, &self->sv[1]));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_recvfrom));
	ASSERT_EQ(1, SYS(send(self->sv[0], "d", 1, 0)));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ('d', t.ret);
}

/* Another thread's read moves the offset of a peek that sleeps. */
TEST_F(opt, peek_off_moves_while_it_waits)
{
	char buf[20];
	struct rt_thread t;

	if (variant->family == RT_UNIX)
		SKIP(return, "a peek of unix(7) that sleeps keeps its offset, in 6.1");
	ASSERT_EQ(0, set(self->sv[1], SO_PEEK_OFF, 10));
	ASSERT_EQ(10, SYS(send(self->sv[0], "0123456789", 10, 0)));
	ASSERT_EQ(0, rt_thread_start(&t, do_peek, &self->sv[1]));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_recvfrom));
	ASSERT_EQ(10, SYS(recv(self->sv[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, get(self->sv[1], SO_PEEK_OFF));
	ASSERT_EQ(5, SYS(send(self->sv[0], "abcde", 5, 0)));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ('a', t.ret);
	EXPECT_EQ(5, SYS(recv(self->sv[1], buf, sizeof(buf), MSG_DONTWAIT)));
}

/* A peek leaves an empty message behind as it does any other. */
TEST_F(opt, peek_off_past_an_empty_message)
{
	char buf[20];

	if (variant->type == SOCK_STREAM)
		SKIP(return, "messages only");
	ASSERT_EQ(0, set(self->sv[1], SO_PEEK_OFF, 0));
	ASSERT_EQ(0, SYS(send(self->sv[0], "", 0, 0)));
	ASSERT_EQ(3, SYS(send(self->sv[0], "abc", 3, 0)));
	ASSERT_EQ(0, SYS(send(self->sv[0], "", 0, 0)));
	ASSERT_EQ(2, SYS(send(self->sv[0], "de", 2, 0)));
	EXPECT_EQ(0, SYS(recv(self->sv[1], buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT)));
	EXPECT_EQ(3, SYS(recv(self->sv[1], buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT)));
	EXPECT_EQ(0, memcmp(buf, "abc", 3));
	EXPECT_EQ(3, get(self->sv[1], SO_PEEK_OFF));
	/* Reads take all of them, the empty ones too. */
	EXPECT_EQ(0, SYS(recv(self->sv[1], buf, sizeof(buf), MSG_DONTWAIT)));
	EXPECT_EQ(3, SYS(recv(self->sv[1], buf, sizeof(buf), MSG_DONTWAIT)));
	EXPECT_EQ(0, get(self->sv[1], SO_PEEK_OFF));
	EXPECT_EQ(0, SYS(recv(self->sv[1], buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT)));
	EXPECT_EQ(2, SYS(recv(self->sv[1], buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->sv[1], buf, sizeof(buf),
				    MSG_PEEK | MSG_DONTWAIT)));
	/* Switched off: from the first again, empty or not. */
	ASSERT_EQ(0, set(self->sv[1], SO_PEEK_OFF, -1));
	EXPECT_EQ(0, SYS(recv(self->sv[1], buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT)));
	EXPECT_EQ(0, SYS(recv(self->sv[1], buf, sizeof(buf), MSG_DONTWAIT)));
	EXPECT_EQ(2, SYS(recv(self->sv[1], buf, sizeof(buf), MSG_DONTWAIT)));
}

/*
 * A peek that hopes for more than a writer has room for is told each time that
 * the writer waits, also when room came by SO_SNDBUF and went again.
 */
TEST_F(opt, peek_and_a_shrunk_buffer)
{
	static char in[40000];
	struct rt_call peek = {
		.nr = SYS_recvfrom, .fd = self->sv[1], .buf = in, .len = 30000,
		.flags = MSG_PEEK | MSG_WAITALL,
	};
	struct rt_call more = {
		.nr = SYS_sendto, .fd = self->sv[0], .buf = "x", .len = 1,
	};
	long n;

	if (variant->type != SOCK_STREAM || variant->family == RT_UNIX)
		SKIP(return, "streams of AF_RILL only: others do not wait for so many");
	ASSERT_EQ(0, set(self->sv[0], SO_SNDBUF, 8192));
	n = rt_fill(self->sv[0], 1000);
	ASSERT_LT(0, n);
	ASSERT_GT(30000, n);
	ASSERT_EQ(0, set(self->sv[0], SO_SNDBUF, 100000));
	ASSERT_EQ(0, rt_call_start(&peek));
	ASSERT_TRUE(rt_call_sleeps(&peek));
	ASSERT_EQ(0, set(self->sv[0], SO_SNDBUF, 4096));
	ASSERT_EQ(0, rt_call_start(&more));
	EXPECT_EQ(n, rt_call_end(&peek));
	EXPECT_EQ(n, SYS(recv(self->sv[1], in, sizeof(in), 0)));
	EXPECT_EQ(1, rt_call_end(&more));
}

/* ---- ioctls ------------------------------------------------------------ */

TEST_F(opt, ioctls)
{
	struct rt_addr a = rt_new_addr(variant->family);
	int v = 1, n = -1;

	EXPECT_EQ(0, SYS(ioctl(self->sv[1], FIONBIO, &v)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->sv[1], &sink, 1, 0)));
	v = 0;
	EXPECT_EQ(0, SYS(ioctl(self->sv[1], FIONBIO, &v)));
	EXPECT_EQ(0, fcntl(self->sv[1], F_GETFL) & O_NONBLOCK);
	v = 1;
	EXPECT_EQ(0, SYS(ioctl(self->sv[1], FIOASYNC, &v)));
	EXPECT_EQ(O_ASYNC, fcntl(self->sv[1], F_GETFL) & O_ASYNC);
	v = 0;
	EXPECT_EQ(0, SYS(ioctl(self->sv[1], FIOASYNC, &v)));
	EXPECT_EQ(0, fcntl(self->sv[1], F_GETFL) & O_ASYNC);

	EXPECT_EQ(0, SYS(ioctl(self->fd, FIONREAD, &n)));
	EXPECT_EQ(0, n);
	/* errno: ioctl ENOTTY */
	EXPECT_EQ(-ENOTTY, SYS(ioctl(self->fd, 0x5401 /* TCGETS */, &n)));
	EXPECT_EQ(-ENOTTY, SYS(ioctl(self->fd, 0xdeadbeef, &n)));
	EXPECT_EQ(-ENOTTY, SYS(ioctl(self->fd, 0, &n)));
	if (variant->type == SOCK_DGRAM)
		return;
	ASSERT_EQ(0, rt_bind(self->fd, &a));
	ASSERT_EQ(0, listen(self->fd, 1));
	/* errno: ioctl EINVAL */
	EXPECT_EQ(-EINVAL, SYS(ioctl(self->fd, FIONREAD, &n)));
	/* unix(7) has an answer, of no use. */
	if (variant->family == RT_RILL)
		EXPECT_EQ(-EINVAL, SYS(ioctl(self->fd, SIOCOUTQ, &n)));
}

/* What a listener is told, its connections have. */
TEST_F(opt, inherited)
{
	struct rt_addr a = { .len = 0 };
	int lfd, cfd, afd;

	if (variant->type == SOCK_DGRAM || variant->family == RT_UNIX)
		SKIP(return, "Rill's connections: as tcp(7), other than unix(7)");
	lfd = rt_listener(RT_RILL, variant->type, 2, &a);
	ASSERT_LE(0, lfd);
	ASSERT_EQ(0, set(lfd, SO_RCVBUF, 12345));
	ASSERT_EQ(0, set(lfd, SO_SNDBUF, 23456));
	ASSERT_EQ(0, set(lfd, SO_RCVLOWAT, 17));
	cfd = rt_client(RT_RILL, variant->type, &a);
	ASSERT_LE(0, cfd);
	afd = SYS(accept(lfd, NULL, NULL));
	ASSERT_LE(0, afd);
	EXPECT_EQ(2 * 12345, get(afd, SO_RCVBUF));
	EXPECT_EQ(2 * 23456, get(afd, SO_SNDBUF));
	EXPECT_EQ(17, get(afd, SO_RCVLOWAT));
	close(afd);
	close(cfd);
	close(lfd);
}

/* ---- socket() and socketpair() themselves ------------------------------ */

TEST(create)
{
	int af = rt_rill_family(), sv[2], i;
	static const int types[] = { 0, SOCK_RAW, SOCK_RDM, 6, 7, 8, 9, SOCK_PACKET };

	for (i = 0; i < (int)ARRAY_SIZE(types); i++) {
		/* errno: socket ESOCKTNOSUPPORT */
		EXPECT_EQ(-ESOCKTNOSUPPORT, SYS(socket(af, types[i], 0))) {
			TH_LOG("type %d", types[i]);
		}
		/* errno: socketpair ESOCKTNOSUPPORT */
		EXPECT_EQ(-ESOCKTNOSUPPORT, SYS(socketpair(af, types[i], 0, sv)));
	}
	/* errno: socket EINVAL */
	EXPECT_EQ(-EINVAL, SYS(socket(af, 11, 0)));
	for (i = 1; i < 260; i++) {
		if (i == af)
			continue;
		/* errno: socket EPROTONOSUPPORT, socketpair EPROTONOSUPPORT */
		EXPECT_EQ(-EPROTONOSUPPORT, SYS(socket(af, SOCK_STREAM, i)));
		EXPECT_EQ(-EPROTONOSUPPORT, SYS(socketpair(af, SOCK_DGRAM, i, sv)));
	}
	EXPECT_EQ(-EPROTONOSUPPORT, SYS(socket(af, SOCK_DGRAM, -1)));
	EXPECT_EQ(-EPROTONOSUPPORT, SYS(socket(af, SOCK_DGRAM, INT_MAX)));
	/* Its own number is taken for 0, as PF_UNIX is. */
	i = SYS(socket(af, SOCK_STREAM, af));
	EXPECT_LE(0, i);
	close(i);
}

TEST(no_files_left)
{
	struct rlimit r = { .rlim_cur = 10, .rlim_max = 10 };
	int af = rt_rill_family(), sv[2], i;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &r));
	for (i = 0; i < 20; i++)
		if (SYS(socket(af, SOCK_STREAM, 0)) < 0)
			break;
	/* errno: socket EMFILE, socketpair EMFILE */
	EXPECT_EQ(-EMFILE, SYS(socket(af, SOCK_STREAM, 0)));
	EXPECT_EQ(-EMFILE, SYS(socketpair(af, SOCK_STREAM, 0, sv)));
}

TEST_HARNESS_MAIN
