// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs that other socket families had, each looked for by name: those of data,
 * addresses and options.  See family_bugs.c.
 */
#include "family_bugs.h"

#include <linux/filter.h>

FIXTURE(bug)
{
	int fd[2];
};

FIXTURE_VARIANT(bug)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(bug, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(bug, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(bug, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(bug, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(bug, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(bug, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_SETUP(bug)
{
	ASSERT_EQ(0, fb_alone());
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
}

FIXTURE_TEARDOWN(bug)
{
}

static void end_of(int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

/* ---- datagrams whose receiver goes ------------------------------------- */

static int watch(int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	return ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) ? -errno : ep;
}

static int seen(int ep, int ms)
{
	struct epoll_event ev = { };
	int n = epoll_wait(ep, &ev, 1, ms);

	return n < 0 ? -errno : n ? (int)ev.events : 0;
}

/*
 * "Datagram poll registered on a dead peer": a sender that waits for room at a
 * receiver stands in that one's queue.  The receiver goes, or the sender does,
 * or the sender turns to another; nobody is left behind in a dead queue, and the
 * poll says what counts now.
 */
TEST_F(bug, datagram_poll_registered_on_a_dead_peer)
{
	int family = variant->family, fd, ep, to, next, i;

	if (variant->type != SOCK_DGRAM)
		SKIP(return, "about datagrams");
	for (i = 0; i < 60; i++) {
		struct rt_addr a = { .len = 0 }, b = { .len = 0 };

		to = rt_bound(family, SOCK_DGRAM, &a);
		next = rt_bound(family, SOCK_DGRAM, &b);
		fd = rt_client(family, SOCK_DGRAM | SOCK_NONBLOCK, &a);
		ASSERT_LE(0, fd);
		/* The receiver is full, and SO_SNDBUF far from it. */
		ASSERT_EQ(0, rt_set_int(to, SOL_SOCKET, SO_RCVBUF, 8000));
		ASSERT_LT(0, rt_fill(fd, 2000));
		ep = watch(fd, i & 1 ? EPOLLOUT : EPOLLOUT | EPOLLET);
		ASSERT_LE(0, ep);
		ASSERT_EQ(0, seen(ep, 0));
		switch (i % 4) {
		case 0:
			close(to);
			EXPECT_TRUE(seen(ep, RT_WAIT_MS) & EPOLLOUT);
			EXPECT_EQ(-ECONNREFUSED, SYS(send(fd, "x", 1, MSG_NOSIGNAL)));
			ASSERT_EQ(0, rt_connect(fd, &b));
			EXPECT_TRUE(fb_talk(fd, next));
			break;
		case 1:
			/* Associated with another, while the first is full. */
			ASSERT_EQ(0, rt_connect(fd, &b));
			EXPECT_TRUE(seen(ep, RT_WAIT_MS) & EPOLLOUT);
			EXPECT_TRUE(fb_talk(fd, next));
			close(to);
			EXPECT_TRUE(fb_talk(fd, next));
			break;
		case 2:
			/* The sender goes first; the receiver reads on. */
			close(fd);
			fd = -1;
			EXPECT_LT(0, rt_drain(to, 2000));
			close(to);
			break;
		case 3:
			/* The set goes first. */
			close(ep);
			ep = -1;
			close(to);
			EXPECT_EQ(-ECONNREFUSED, SYS(send(fd, "x", 1, MSG_NOSIGNAL)));
			break;
		}
		close(ep);
		close(fd);
		close(next);
	}
	rd_say("%d rounds", i);
	end_of(self->fd);
	EXPECT_TRUE(fb_gone(family));
}

/* ---- copies that break off --------------------------------------------- */

static char out[70000], in[70000];

/*
 * "Partial copies that leave a broken message": a message is there as it was
 * sent, or it is not there; a stream has as many bytes as was said, and goes on
 * with the next.
 */
TEST_F(bug, partial_copies_leave_no_broken_message)
{
	static const int sizes[] = { 4097, 6000, 20000, 60000 };
	long page = sysconf(_SC_PAGESIZE), n, got;
	bool stream = variant->type == SOCK_STREAM;
	int holes = 0;
	unsigned int i;
	long hole;

	rd_fill(out, sizeof(out), 7, 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		long len = sizes[i];

		for (hole = 1; hole * page < len; hole += 3) {
			char *p = rd_map_hole(20, hole);
			struct mmsghdr m[3] = { };
			struct iovec iov[3];
			int k;

			ASSERT_NE(NULL, p);
			memcpy(p, out, hole * page);
			/* Out of memory with a hole. */
			n = SYS(send(self->fd[0], p, len, MSG_DONTWAIT | MSG_NOSIGNAL));
			if (stream) {
				EXPECT_TRUE(n == -EFAULT || (n > 0 && n <= hole * page));
				got = SYS(recv(self->fd[1], in, sizeof(in), MSG_DONTWAIT));
				EXPECT_EQ(n > 0 ? n : -EAGAIN, got);
				EXPECT_EQ(0, got > 0 ? memcmp(in, out, got) : 0);
			} else {
				EXPECT_EQ(-EFAULT, n);
				EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], in, sizeof(in),
							    MSG_DONTWAIT)));
			}
			/* The one in the middle of three. */
			for (k = 0; k < 3; k++) {
				iov[k].iov_base = k == 1 && !stream ? p : out + k;
				iov[k].iov_len = k == 1 && !stream ? len : 100;
				m[k].msg_hdr.msg_iov = &iov[k];
				m[k].msg_hdr.msg_iovlen = 1;
			}
			EXPECT_EQ(stream ? 3 : 1, SYS(sendmmsg(self->fd[0], m, 3,
							       MSG_DONTWAIT)));
			EXPECT_EQ(100, SYS(recv(self->fd[1], in, 100, MSG_DONTWAIT)));
			EXPECT_EQ(0, memcmp(in, out, 100));
			if (stream)
				EXPECT_EQ(200, SYS(recv(self->fd[1], in, 200,
							MSG_DONTWAIT)));
			EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], in, 1, MSG_DONTWAIT)));

			/* Into memory with a hole: it stays, whole, or the rest does. */
			ASSERT_EQ(0, rt_send_all(self->fd[0], out, len));
			n = SYS(recv(self->fd[1], p, len, MSG_DONTWAIT));
			EXPECT_TRUE(n == -EFAULT || (stream && n > 0 && n <= hole * page));
			n = n > 0 ? n : 0;
			EXPECT_EQ(0, memcmp(p, out, n));
			if (stream) {
				EXPECT_EQ(0, rt_recv_all(self->fd[1], in, len - n));
			} else if (variant->family == RT_UNIX) {
				/* AF_UNIX has lost it, for good. */
				memcpy(in, out, len);
			} else {
				EXPECT_EQ(len, SYS(recv(self->fd[1], in, sizeof(in),
							MSG_DONTWAIT)));
			}
			EXPECT_EQ(0, memcmp(in, out + n, len - n));
			EXPECT_EQ(0, rt_get_int(self->fd[1], SOL_SOCKET, SO_ERROR));
			munmap(p, 20 * page);
			holes++;
		}
	}
	rd_say("%d holes in messages of %u sizes", holes, i);
	EXPECT_TRUE(fb_talk(self->fd[0], self->fd[1]));
	end_of(self->fd);
	EXPECT_TRUE(fb_gone(variant->family));
}

/* ---- options ----------------------------------------------------------- */

static const struct {
	int level, name;
} options[] = {
	{ SOL_SOCKET, SO_RCVBUF }, { SOL_SOCKET, SO_SNDBUF },
	{ SOL_SOCKET, SO_RCVBUFFORCE }, { SOL_SOCKET, SO_SNDBUFFORCE },
	{ SOL_SOCKET, SO_RCVLOWAT }, { SOL_SOCKET, SO_PEEK_OFF },
	{ SOL_SOCKET, SO_RCVTIMEO }, { SOL_SOCKET, SO_SNDTIMEO },
	{ SOL_SOCKET, SO_LINGER }, { SOL_SOCKET, SO_PASSCRED },
	{ SOL_SOCKET, SO_TIMESTAMP }, { SOL_SOCKET, SO_PRIORITY },
	{ SOL_SOCKET, SO_BUSY_POLL }, { SOL_SOCKET, SO_ATTACH_FILTER },
	{ SOL_RILL, RILL_MODE }, { SOL_RILL, RILL_OWNER }, { SOL_RILL, RILL_QUEUE },
	{ SOL_RILL, RILL_BUSY_POLL }, { SOL_RILL, 0 }, { SOL_RILL, -1 },
	{ SOL_RILL, INT_MAX },
};

/* None of it sleeps, whatever the options say. */
static void use(int from, int to)
{
	struct pollfd p = { .fd = to, .events = POLLIN | POLLOUT };
	char c;

	(void)SYS(send(from, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	(void)SYS(poll(&p, 1, 0));
	(void)SYS(recv(to, &c, 1, MSG_DONTWAIT | MSG_PEEK));
	(void)SYS(recv(to, &c, 1, MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL));
	(void)SYS(recv(to, &c, 1, MSG_DONTWAIT));
}

/*
 * "Option values of 0, -1, INT_MIN, INT_MAX and short or long lengths": each is
 * taken or refused, none hurts.  What SOL_SOCKET says to each is compared with
 * AF_UNIX in sockopt.c; here a pair that has them is used, and is well after.
 */
TEST_F_TIMEOUT(bug, option_values_at_their_bounds, 60)
{
	static const int vals[] = { 0, -1, INT_MIN, INT_MAX };
	static const int lens[] = { 0, 1, 3, 4, 5, 8, 16, 64, INT_MAX, -1 };
	static const int refused[] = { -EINVAL, -EFAULT, -EDOM, -ENOPROTOOPT, -EPERM,
				       -EOPNOTSUPP, -ENOMEM };
	int buf[16], fd[2];
	unsigned int o, v, l, i, k, tried = 0;
	socklen_t len;
	long ret;

	for (o = 0; o < ARRAY_SIZE(options); o++) {
		if (variant->family == RT_UNIX && options[o].level == SOL_RILL)
			continue;
		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		for (v = 0; v < ARRAY_SIZE(vals); v++) {
			for (l = 0; l < ARRAY_SIZE(lens); l++) {
				for (i = 0; i < 2; i++) {
					/* getsockopt() has written to it. */
					for (k = 0; k < ARRAY_SIZE(buf); k++)
						buf[k] = vals[v];
					ret = SYS(setsockopt(fd[i], options[o].level,
							     options[o].name, buf, lens[l]));
					for (k = 0; ret && k < ARRAY_SIZE(refused); k++)
						ret = ret == refused[k] ? 0 : ret;
					EXPECT_EQ(0, ret) {
						TH_LOG("option %d of %d: value %d, length %d",
						       options[o].name, options[o].level,
						       vals[v], lens[l]);
					}
					memset(buf, 0xa5, sizeof(buf));
					len = lens[l];
					ret = SYS(getsockopt(fd[i], options[o].level,
							     options[o].name, buf, &len));
					EXPECT_TRUE(ret || (int)len <= lens[l] || lens[l] < 0);
				}
				use(fd[0], fd[1]);
				use(fd[1], fd[0]);
			}
		}
		/* What a lingering close would wait for is read. */
		EXPECT_EQ(0, rt_set_linger(fd[0], 0, 0));
		EXPECT_EQ(0, rt_set_linger(fd[1], 0, 0));
		for (i = 0; i < 2; i++) {
			rt_set_int(fd[i], SOL_SOCKET, SO_RCVLOWAT, 1);
			rt_drain(fd[i], 100);
			rt_set_int(fd[i], SOL_SOCKET, SO_SNDBUF, 100000);
			rt_set_int(fd[i], SOL_SOCKET, SO_RCVBUF, 100000);
		}
		tried++;
		EXPECT_TRUE(fb_talk_both(fd[0], fd[1])) {
			TH_LOG("after option %d of %d", options[o].name, options[o].level);
		}
		end_of(fd);
	}
	rd_say("%u options, each with %zu values of %zu lengths", tried, ARRAY_SIZE(vals),
	       ARRAY_SIZE(lens));
	end_of(self->fd);
	EXPECT_TRUE(fb_gone(variant->family));
}

/*
 * "Buffer limits shrunk below what is queued": nothing of it is lost, no count
 * wraps, there is no room until it is below the new limit, and then there is.
 */
TEST_F(bug, limits_shrunk_below_what_is_queued)
{
	int family = variant->family, *fd = self->fd, i, which;
	long total, got;
	char c = 'x';

	for (which = 1; which < 4; which++) {
		struct rt_call w = { .nr = SYS_sendto, .buf = &c, .len = 1 };

		ASSERT_EQ(0, rt_set_int(fd[0], SOL_SOCKET, SO_SNDBUF, 50000));
		ASSERT_EQ(0, rt_set_int(fd[1], SOL_SOCKET, SO_RCVBUF, 50000));
		total = rt_fill(fd[0], 1000);
		ASSERT_LT(2000, total);
		/* One that sleeps for room sees the limits fall, and sleeps on. */
		w.fd = fd[0];
		ASSERT_EQ(0, rt_call_start(&w));
		ASSERT_TRUE(rt_call_sleeps(&w));
		for (i = 0; i < 20; i++) {
			if (which & 1)
				EXPECT_EQ(0, rt_set_int(fd[0], SOL_SOCKET, SO_SNDBUF, i));
			if (which & 2)
				EXPECT_EQ(0, rt_set_int(fd[1], SOL_SOCKET, SO_RCVBUF, i));
			EXPECT_EQ(0, rt_events(fd[0], POLLOUT));
			EXPECT_EQ(-EAGAIN, SYS(send(fd[0], "x", 1,
						    MSG_DONTWAIT | MSG_NOSIGNAL)));
		}
		EXPECT_TRUE(rt_call_sleeps(&w));
		EXPECT_EQ(POLLIN, rt_events(fd[1], POLLIN));
		/* All that was sent, and what the sleeper sends once there is room. */
		for (got = 0; got < total + 1;) {
			long n = rt_poll(fd[1], POLLIN) > 0 ?
				 SYS(recv(fd[1], in, sizeof(in), MSG_DONTWAIT)) : -ETIMEDOUT;

			ASSERT_LT(0, n);
			got += n;
		}
		EXPECT_EQ(total + 1, got);
		EXPECT_EQ(1, rt_call_end(&w));
		EXPECT_EQ(-EAGAIN, SYS(recv(fd[1], in, 1, MSG_DONTWAIT)));
		EXPECT_EQ(POLLOUT, rt_events(fd[0], POLLOUT));
		EXPECT_TRUE(fb_talk(fd[0], fd[1]));
		rd_say("limits shrunk %d times below %ld bytes, all of which came", i, total);
	}
	end_of(fd);
	EXPECT_TRUE(fb_gone(family));
}

/* ---- many at once, and an end ------------------------------------------ */

#define VLEN	8

struct many {
	int fd;
	long bytes;
	unsigned char buf[VLEN][64];
};

static long receive_many(void *arg)
{
	struct many *r = arg;
	struct mmsghdr m[VLEN] = { };
	struct iovec iov[VLEN];
	long n;
	int i;

	for (i = 0; i < VLEN; i++) {
		iov[i] = (struct iovec){ r->buf[i], sizeof(r->buf[i]) };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	n = SYS(recvmmsg(r->fd, m, VLEN, MSG_WAITFORONE, NULL));
	for (i = 0; i < n; i++)
		r->bytes += m[i].msg_len;
	return n;
}

/*
 * "recvmmsg() against close": a receiver of many sleeps, or is at work, as the
 * peer goes, or its own descriptor does, or its own end is shut down.
 */
TEST_F_TIMEOUT(bug, recvmmsg_against_close, 60)
{
	int family = variant->family, type = variant->type, fd[2], i;

	end_of(self->fd);
	for (i = 0; i < 150; i++) {
		struct many r = { };
		struct rt_thread t;
		int sent = i % 4, k, copy = -1;

		ASSERT_EQ(0, rt_pair(family, type, fd));
		r.fd = fd[1];
		ASSERT_EQ(0, rt_thread_start(&t, receive_many, &r));
		if (i % 3)
			ASSERT_TRUE(rt_thread_sleeps(&t, SYS_recvmmsg));
		for (k = 0; k < sent; k++)
			EXPECT_EQ(50, SYS(send(fd[0], out, 50, 0)));
		switch (i % 5) {
		case 0:
			/* A datagram socket does not mind. */
			close(fd[0]);
			fd[0] = -1;
			if (type == SOCK_DGRAM)
				EXPECT_EQ(0, SYS(shutdown(fd[1], SHUT_RD)));
			break;
		case 1:
			EXPECT_EQ(0, SYS(shutdown(fd[1], SHUT_RDWR)));
			break;
		case 2:
			/* The descriptor goes, the file is in use. */
			copy = dup(fd[1]);
			close(fd[1]);
			fd[1] = copy;
			EXPECT_EQ(0, SYS(shutdown(copy, SHUT_RD)));
			break;
		case 3:
			EXPECT_EQ(0, rt_set_linger(fd[0], 1, 0));
			close(fd[0]);
			fd[0] = -1;
			if (type == SOCK_DGRAM)
				EXPECT_EQ(0, SYS(shutdown(fd[1], SHUT_RD)));
			break;
		case 4:
			EXPECT_EQ(0, SYS(shutdown(fd[0], SHUT_WR)));
			if (type == SOCK_DGRAM)
				EXPECT_EQ(0, SYS(shutdown(fd[1], SHUT_RD)));
			break;
		}
		ASSERT_TRUE(rt_thread_join(&t)) {
			TH_LOG("round %d: recvmmsg() never came back", i);
		}
		/* At the end a message of nothing, for each that it has room for. */
		if (t.ret < 0)
			EXPECT_TRUE(t.ret == -ECONNRESET || t.ret == -EBADF) {
				TH_LOG("round %d: %ld", i, t.ret);
			}
		EXPECT_LE(r.bytes, 50 * sent);
		/* A stream's reads take 64 bytes each, and an end may come between. */
		EXPECT_TRUE(type == SOCK_STREAM || !(r.bytes % 50));
		close(fd[0]);
		close(fd[1]);
	}
	rd_say("%d rounds", i);
	EXPECT_TRUE(fb_gone(family));
}

/* ---- addresses --------------------------------------------------------- */

enum { GETSOCKNAME, GETPEERNAME, ACCEPT, RECVFROM, RECVMSG, RECVMMSG, WAYS };

/* An address by each call that gives one, into a buffer of poison. */
static long get_addr(int way, int fd, int peer, void *buf, socklen_t *len)
{
	struct iovec iov = { in, sizeof(in) };
	struct mmsghdr m = { .msg_hdr = {
		.msg_name = buf, .msg_namelen = *len, .msg_iov = &iov, .msg_iovlen = 1,
	} };
	long ret = 0;

	if (way >= RECVFROM && SYS(send(peer, "x", 1, 0)) != 1)
		return -EIO;
	switch (way) {
	case GETSOCKNAME:
		return SYS(getsockname(fd, buf, len));
	case GETPEERNAME:
		return SYS(getpeername(fd, buf, len));
	case ACCEPT:
		ret = SYS(accept(fd, buf, len));
		if (ret >= 0)
			close(ret);
		return ret < 0 ? ret : 0;
	case RECVFROM:
		ret = SYS(recvfrom(fd, in, 1, MSG_DONTWAIT, buf, len));
		return ret == 1 ? 0 : ret;
	case RECVMSG:
		ret = SYS(recvmsg(fd, &m.msg_hdr, MSG_DONTWAIT));
		break;
	case RECVMMSG:
		ret = SYS(recvmmsg(fd, &m, 1, MSG_DONTWAIT, NULL));
		break;
	}
	*len = m.msg_hdr.msg_namelen;
	return ret == 1 ? 0 : ret;
}

/*
 * "Uninitialised address bytes": an address is told twice, into memory of two
 * kinds of poison.  All bytes of its length are the same, and those behind it
 * are poison; also where the one who is told of has no name.
 */
TEST_F(bug, uninitialised_address_bytes)
{
	int family = variant->family, type = variant->type, way, named, i;
	unsigned char buf[2][300];
	socklen_t len[2];

	end_of(self->fd);
	for (named = 0; named < 2; named++) {
		struct rt_addr a = { .len = 0 }, b = { .len = 0 };
		int lfd, peer[2], fd = -1;

		lfd = type == SOCK_DGRAM ? rt_bound(family, type, &a) :
					   rt_listener(family, type, 4, &a);
		ASSERT_LE(0, lfd);
		for (i = 0; i < 2; i++) {
			peer[i] = named ? rt_bound(family, type, &b) :
					  rt_socket(family, type);
			ASSERT_LE(0, peer[i]);
			ASSERT_EQ(0, rt_connect(peer[i], &a));
			b.len = 0;
		}
		/* Of two that wait, one gives an end. */
		fd = type == SOCK_DGRAM ? lfd : SYS(accept(lfd, NULL, NULL));
		ASSERT_LE(0, fd);
		for (way = 0; way < WAYS; way++) {
			bool same = way != ACCEPT;
			int at = fd;

			if (type == SOCK_DGRAM && way == ACCEPT)
				continue;
			if (type == SOCK_DGRAM && way == GETPEERNAME)
				at = peer[0];
			if (way == ACCEPT) {
				close(rt_client(family, type, &a));
				at = lfd;
			}
			for (i = 0; i < 2; i++) {
				memset(buf[i], i ? 0x5a : 0xa5, sizeof(buf[i]));
				len[i] = sizeof(buf[i]);
				ASSERT_EQ(0, get_addr(way, at, peer[0], buf[i], &len[i]));
				ASSERT_LE(len[i], sizeof(struct sockaddr_storage));
				for (unsigned int k = len[i]; k < sizeof(buf[i]); k++)
					ASSERT_EQ(i ? 0x5a : 0xa5, buf[i][k]);
			}
			EXPECT_TRUE(!same || (len[0] == len[1] &&
					      !memcmp(buf[0], buf[1], len[0]))) {
				TH_LOG("way %d, %s, lengths %u and %u", way,
				       named ? "named" : "unnamed", len[0], len[1]);
			}
			/* What AF_RILL gives out is an address, from end to end. */
			if (family == RT_RILL && len[0]) {
				struct sockaddr_rill sr;

				memcpy(&sr, buf[0], sizeof(sr));
				EXPECT_EQ(rt_rill_family(), sr.srl_family);
				EXPECT_EQ(0, sr.srl_flags);
				EXPECT_EQ(len[0], RILL_ADDR_MIN + 1 +
						  strnlen(sr.srl_name, RILL_NAME_SIZE));
			}
		}
		if (fd != lfd)
			close(fd);
		close(lfd);
		close(peer[0]);
		close(peer[1]);
	}
	rd_say("%d ways to be told an address, of an end with a name and one without", WAYS);
	EXPECT_TRUE(fb_gone(family));
}

/*
 * "NULL msg_name": no address where one may be, with a length all the same, in
 * both directions.
 */
TEST_F(bug, null_msg_name)
{
	bool dgram = variant->type == SOCK_DGRAM;
	struct iovec iov = { out, 10 };
	socklen_t len = 128;
	struct msghdr msg;
	struct mmsghdr m;
	long want;
	int fd;

	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_namelen = 128;
	EXPECT_EQ(10, SYS(sendmsg(self->fd[0], &msg, 0)));
	EXPECT_EQ(10, SYS(sendto(self->fd[0], out, 10, 0, NULL, 0)));
	EXPECT_EQ(10, SYS(sendto(self->fd[0], out, 10, 0, NULL, 128)));
	memset(&m, 0, sizeof(m));
	m.msg_hdr = msg;
	EXPECT_EQ(1, SYS(sendmmsg(self->fd[0], &m, 1, 0)));

	EXPECT_EQ(10, SYS(recvfrom(self->fd[1], in, 10, 0, NULL, NULL)));
	len = 128;
	EXPECT_EQ(10, SYS(recvfrom(self->fd[1], in, 10, 0, NULL, &len)));
	iov.iov_base = in;
	msg.msg_namelen = 128;
	EXPECT_EQ(10, SYS(recvmsg(self->fd[1], &msg, 0)));
	EXPECT_EQ(NULL, msg.msg_name);
	m.msg_hdr = msg;
	m.msg_hdr.msg_namelen = 128;
	EXPECT_EQ(1, SYS(recvmmsg(self->fd[1], &m, 1, 0, NULL)));
	EXPECT_EQ(10, m.msg_len);

	/* Not connected: no address is no destination, and no crash. */
	fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, fd);
	iov.iov_base = out;
	msg.msg_namelen = 128;
	EXPECT_EQ(-ENOTCONN, SYS(sendmsg(fd, &msg, MSG_NOSIGNAL)));
	EXPECT_EQ(-ENOTCONN, SYS(sendto(fd, out, 10, MSG_NOSIGNAL, NULL, 128)));
	want = dgram ? -EAGAIN : -ENOTCONN;
	if (variant->family == RT_UNIX && variant->type == SOCK_STREAM)
		want = -EINVAL;
	EXPECT_EQ(want, SYS(recvmsg(fd, &msg, MSG_DONTWAIT)));
	EXPECT_EQ(-EFAULT, SYS(connect(fd, NULL, 128)));
	EXPECT_EQ(-EFAULT, SYS(bind(fd, NULL, 128)));
	EXPECT_GT(0, SYS(connect(fd, NULL, 0)));
	EXPECT_GT(0, SYS(bind(fd, NULL, 0)));
	len = 128;
	EXPECT_EQ(-EFAULT, SYS(getsockname(fd, NULL, &len)));
	close(fd);
	end_of(self->fd);
	EXPECT_TRUE(fb_gone(variant->family));
}

TEST_HARNESS_MAIN
