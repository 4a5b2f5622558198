// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every way to send and to receive, and every flag.
 */
#include "rill_test_data.h"

#include <sys/sendfile.h>

static char sink;

FIXTURE(io)
{
	int fd[2];
};

FIXTURE_VARIANT(io)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(io, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(io, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(io, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(io, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(io, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(io, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(io)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
}

FIXTURE_TEARDOWN(io)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

/* ---- forms ------------------------------------------------------------- */

enum { BY_RW, BY_SENDRECV, BY_TOFROM, BY_RWV, BY_MSG, BY_MMSG, BY_FORMS };

static long put(int form, int fd, char *buf, size_t len)
{
	struct iovec iov[3] = {
		{ buf, len / 3 }, { buf + len / 3, 0 }, { buf + len / 3, len - len / 3 },
	};
	struct mmsghdr mm = { .msg_hdr = { .msg_iov = iov, .msg_iovlen = 3 } };
	long ret;

	switch (form) {
	case BY_RW:
		return SYS(write(fd, buf, len));
	case BY_SENDRECV:
		return SYS(send(fd, buf, len, 0));
	case BY_TOFROM:
		return SYS(sendto(fd, buf, len, 0, NULL, 0));
	case BY_RWV:
		return SYS(writev(fd, iov, 3));
	case BY_MSG:
		return SYS(sendmsg(fd, &mm.msg_hdr, 0));
	default:
		ret = SYS(sendmmsg(fd, &mm, 1, 0));
		return ret == 1 ? (long)mm.msg_len : ret;
	}
}

static long get(int form, int fd, char *buf, size_t len)
{
	struct iovec iov[3] = {
		{ buf, len / 2 }, { buf + len / 2, 0 }, { buf + len / 2, len - len / 2 },
	};
	struct mmsghdr mm = { .msg_hdr = { .msg_iov = iov, .msg_iovlen = 3 } };
	long ret;

	switch (form) {
	case BY_RW:
		return SYS(read(fd, buf, len));
	case BY_SENDRECV:
		return SYS(recv(fd, buf, len, 0));
	case BY_TOFROM:
		return SYS(recvfrom(fd, buf, len, 0, NULL, NULL));
	case BY_RWV:
		return SYS(readv(fd, iov, 3));
	case BY_MSG:
		return SYS(recvmsg(fd, &mm.msg_hdr, 0));
	default:
		ret = SYS(recvmmsg(fd, &mm, 1, 0, NULL));
		return ret == 1 ? (long)mm.msg_len : ret;
	}
}

TEST_F(io, forms)
{
	static const size_t sizes[] = { 1, 2, 7, 100, 4095, 4096, 4097, 9000, 20000 };
	char *out = malloc(20000), *in = malloc(40000);
	int from, to, dir;
	unsigned int i;

	for (from = 0; from < BY_FORMS; from++) {
		for (to = 0; to < BY_FORMS; to++) {
			for (i = 0; i < ARRAY_SIZE(sizes); i++) {
				long len = sizes[i];

				dir = i & 1;
				rd_fill(out, len, from * 100 + to, i);
				memset(in, 0, len + 1);
				ASSERT_EQ(len, put(from, self->fd[dir], out, len));
				/* For a stream: room for exactly that. */
				ASSERT_EQ(len, get(to, self->fd[!dir], in, len));
				ASSERT_EQ(-1, rd_verify(in, len, from * 100 + to, i)) {
					TH_LOG("form %d to %d, %ld bytes", from, to, len);
				}
			}
		}
	}
	free(out);
	free(in);
}

TEST_F(io, no_offsets)
{
	EXPECT_EQ(-ESPIPE, SYS(pwrite(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(-ESPIPE, SYS(pread(self->fd[1], &sink, 1, 0)));
	EXPECT_EQ(-ESPIPE, SYS(lseek(self->fd[0], 0, SEEK_SET)));
}

TEST_F(io, many_messages)
{
	struct mmsghdr out[8], in[8];
	struct iovec oiov[8], iiov[8];
	char obuf[8][100], ibuf[8][200];
	int i;

	memset(out, 0, sizeof(out));
	memset(in, 0, sizeof(in));
	for (i = 0; i < 8; i++) {
		rd_fill(obuf[i], 100, i, 0);
		oiov[i] = (struct iovec){ obuf[i], i + 1 };
		iiov[i] = (struct iovec){ ibuf[i], 200 };
		out[i].msg_hdr.msg_iov = &oiov[i];
		out[i].msg_hdr.msg_iovlen = 1;
		in[i].msg_hdr.msg_iov = &iiov[i];
		in[i].msg_hdr.msg_iovlen = 1;
	}
	ASSERT_EQ(8, SYS(sendmmsg(self->fd[0], out, 8, 0)));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(i + 1, (int)out[i].msg_len);

	if (variant->type == SOCK_STREAM) {
		ASSERT_EQ(1, SYS(recvmmsg(self->fd[1], in, 8, MSG_DONTWAIT, NULL)));
		EXPECT_EQ(36, (int)in[0].msg_len);
	} else {
		ASSERT_EQ(8, SYS(recvmmsg(self->fd[1], in, 8, MSG_DONTWAIT, NULL)));
		for (i = 0; i < 8; i++) {
			EXPECT_EQ(i + 1, (int)in[i].msg_len);
			EXPECT_EQ(-1, rd_verify(ibuf[i], i + 1, i, 0));
		}
	}
	EXPECT_EQ(-EAGAIN, SYS(recvmmsg(self->fd[1], in, 8, MSG_DONTWAIT, NULL)));

	/* MSG_WAITFORONE: what there is, without waiting for more. */
	ASSERT_EQ(3, SYS(sendmmsg(self->fd[0], out, 3, 0)));
	EXPECT_EQ(variant->type == SOCK_STREAM ? 1 : 3,
		  SYS(recvmmsg(self->fd[1], in, 8, MSG_WAITFORONE, NULL)));

	/* One that fails ends it; what went before counts. */
	out[2].msg_hdr.msg_iov = (void *)8;
	EXPECT_EQ(2, SYS(sendmmsg(self->fd[0], out, 8, 0)));
	EXPECT_EQ(3, rt_drain(self->fd[1], 100));
}

TEST_F(io, iovecs)
{
	struct iovec iov[1025];
	char *out = malloc(1025 * 5), *in = malloc(1025 * 5 + 1);
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1024 };
	long total = 0, got = 0;
	int i;

	for (i = 0; i < 1024; i++) {
		iov[i].iov_base = out + total;
		iov[i].iov_len = i % 6;		/* empty ones, too */
		total += i % 6;
	}
	rd_fill(out, total, 3, 0);
	ASSERT_EQ(total, SYS(sendmsg(self->fd[0], &msg, 0)));
	memset(in, 0, total + 1);
	for (i = 0; i < 1024; i++)
		iov[i].iov_base = in + ((char *)iov[i].iov_base - out);
	got = SYS(recvmsg(self->fd[1], &msg, 0));
	EXPECT_EQ(total, got);
	EXPECT_EQ(-1, rd_verify(in, total, 3, 0));
	/* errno: send EMSGSIZE */
	msg.msg_iovlen = 1025;
	EXPECT_EQ(-EMSGSIZE, SYS(sendmsg(self->fd[0], &msg, 0)));
	EXPECT_EQ(-EMSGSIZE, SYS(recvmsg(self->fd[1], &msg, MSG_DONTWAIT)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
	free(out);
	free(in);
}

TEST_F(io, nothing)
{
	struct msghdr none = { .msg_iovlen = 0 };

	if (variant->type != SOCK_STREAM)
		SKIP(return, "an empty message is a message: see msg.c");
	EXPECT_EQ(0, SYS(send(self->fd[0], NULL, 0, 0)));
	EXPECT_EQ(0, SYS(sendmsg(self->fd[0], &none, 0)));
	EXPECT_EQ(0, SYS(write(self->fd[0], NULL, 0)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
	EXPECT_EQ(0, rt_events(self->fd[1], POLLIN));
	/* unix(7) waits for a byte that it then does not take. */
	if (variant->family == RT_UNIX)
		return;
	EXPECT_EQ(0, SYS(recv(self->fd[1], NULL, 0, 0)));
	EXPECT_EQ(0, SYS(recvmsg(self->fd[1], &none, 0)));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], NULL, 0, 0)));
	EXPECT_EQ(1, SYS(recv(self->fd[1], &sink, 1, 0)));
}

TEST_F(io, null_pointers)
{
	EXPECT_EQ(-EFAULT, SYS(send(self->fd[0], NULL, 1, 0)));
	EXPECT_EQ(-EFAULT, SYS(sendmsg(self->fd[0], NULL, 0)));
	EXPECT_EQ(-EFAULT, SYS(recvmsg(self->fd[1], NULL, 0)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
}

/* ---- flags ------------------------------------------------------------- */

TEST_F(io, send_flags_taken)
{
	static const unsigned int good[] = {
		MSG_DONTROUTE, MSG_DONTWAIT, MSG_EOR, MSG_WAITALL, MSG_CONFIRM,
		MSG_NOSIGNAL, MSG_MORE, 0x4000000 /* MSG_ZEROCOPY */,
		0x40000 /* MSG_BATCH */,
	};
	unsigned int i;
	char c;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(1, SYS(send(self->fd[0], "x", 1, good[i]))) {
			TH_LOG("flag %#x", good[i]);
		}
		EXPECT_EQ(1, SYS(recv(self->fd[1], &c, 1, 0)));
	}
}

TEST_F(io, send_flags_refused)
{
	/* What the core keeps for itself, it may hide from us. */
	const unsigned int internal = 0x10000 | 0x20000 | 0x80000 | 0x100000 |
				      0x8000000;
	const unsigned int good = MSG_DONTROUTE | MSG_DONTWAIT | MSG_EOR | MSG_WAITALL |
				  MSG_CONFIRM | MSG_NOSIGNAL | MSG_MORE | 0x4000000 |
				  0x40000 | 0x80000000;
	int bit;

	if (variant->family == RT_UNIX)
		SKIP(return, "unix(7) ignores what it does not know");
	for (bit = 0; bit < 32; bit++) {
		unsigned int flag = 1U << bit;

		if (flag & (good | internal))
			continue;
		/* errno: send EOPNOTSUPP */
		EXPECT_EQ(-EOPNOTSUPP, SYS(send(self->fd[0], "x", 1, flag))) {
			TH_LOG("flag %#x", flag);
		}
	}
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
}

TEST_F(io, recv_flags)
{
	static const unsigned int good[] = {
		0, MSG_DONTWAIT, MSG_WAITALL, MSG_TRUNC, MSG_NOSIGNAL, MSG_CMSG_CLOEXEC,
	};
	static const unsigned int bad[] = {
		MSG_OOB, MSG_MORE, MSG_FASTOPEN, 0x200000, 0x400000, 0x800000,
		0x1000000, 0x2000000, 0x10000000,
	};
	unsigned int i;
	char c;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
		EXPECT_EQ(1, SYS(recv(self->fd[1], &c, 1, MSG_PEEK | good[i])));
		EXPECT_EQ(1, SYS(recv(self->fd[1], &c, 1, good[i]))) {
			TH_LOG("flag %#x", good[i]);
		}
	}
	if (variant->family == RT_UNIX)
		return;
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		/* errno: recv EOPNOTSUPP */
		EXPECT_EQ(-EOPNOTSUPP,
			  SYS(recv(self->fd[1], &c, 1, bad[i] | MSG_DONTWAIT))) {
			TH_LOG("flag %#x", bad[i]);
		}
	}
	/* There is no error queue, so it is empty. */
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &c, 1, MSG_ERRQUEUE)));
	EXPECT_EQ(1, SYS(recv(self->fd[1], &c, 1, MSG_DONTWAIT)));
}

TEST_F(io, dontwait)
{
	long n, total;

	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
	ASSERT_EQ(0, rt_set_nonblock(self->fd[1], true));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, 0)));
	EXPECT_EQ(-EAGAIN, SYS(read(self->fd[1], &sink, 1)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_PEEK)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_WAITALL)));
	total = rt_fill(self->fd[0], 1000);
	ASSERT_LT(0, total);
	ASSERT_EQ(0, rt_set_nonblock(self->fd[0], true));
	EXPECT_EQ(-EAGAIN, SYS(write(self->fd[0], "x", 1)));
	n = rt_drain(self->fd[1], 5000);
	EXPECT_EQ(total, n);
}

TEST_F(io, name_on_connected)
{
	struct rt_addr a = rt_new_addr(variant->family);

	if (variant->type != SOCK_STREAM)
		SKIP(return, "see msg.c");
	EXPECT_EQ(-EISCONN, SYS(sendto(self->fd[0], "x", 1, 0, &a.sa, a.len)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
}

TEST_F(io, unconnected)
{
	struct rt_addr a = rt_new_addr(variant->family);
	int fd;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "see msg.c");
	fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, fd);
	/* errno: send ENOTCONN, send EOPNOTSUPP, recv ENOTCONN */
	EXPECT_EQ(-ENOTCONN, SYS(send(fd, "x", 1, 0)));
	if (variant->type == SOCK_STREAM)
		EXPECT_EQ(-EOPNOTSUPP, SYS(sendto(fd, "x", 1, 0, &a.sa, a.len)));
	/* POSIX and tcp(7); a stream of unix(7) says EINVAL. */
	if (variant->family == RT_RILL || variant->type == SOCK_SEQPACKET)
		EXPECT_EQ(-ENOTCONN, SYS(recv(fd, &sink, 1, 0)));
	/* A listener has no data, either. */
	ASSERT_EQ(0, rt_bind(fd, &a));
	ASSERT_EQ(0, listen(fd, 1));
	EXPECT_EQ(-ENOTCONN, SYS(send(fd, "x", 1, 0)));
	if (variant->family == RT_RILL || variant->type == SOCK_SEQPACKET)
		EXPECT_EQ(-ENOTCONN, SYS(recv(fd, &sink, 1, 0)));
	close(fd);
}

/* ---- the stream's own -------------------------------------------------- */

FIXTURE(stream)
{
	int fd[2];
};

FIXTURE_VARIANT(stream)
{
	enum rt_family family;
	int bufs;
};

FIXTURE_VARIANT_ADD(stream, rill)
{
	.family = RT_RILL,
};

FIXTURE_VARIANT_ADD(stream, rill_smallest)
{
	.family = RT_RILL, .bufs = 1,
};

FIXTURE_VARIANT_ADD(stream, unix)
{
	.family = RT_UNIX,
};

FIXTURE_SETUP(stream)
{
	int i;

	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, self->fd));
	for (i = 0; variant->bufs && i < 2; i++) {
		ASSERT_EQ(0, rt_set_int(self->fd[i], SOL_SOCKET, SO_SNDBUF, 1));
		ASSERT_EQ(0, rt_set_int(self->fd[i], SOL_SOCKET, SO_RCVBUF, 1));
	}
}

FIXTURE_TEARDOWN(stream)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

struct job {
	int fd;
	char *buf;
	size_t len;
	int flags;
};

static long do_recv(void *arg)
{
	struct job *j = arg;

	return SYS(recv(j->fd, j->buf, j->len, j->flags));
}

static long do_send(void *arg)
{
	struct job *j = arg;

	return SYS(send(j->fd, j->buf, j->len, j->flags));
}

TEST_F(stream, no_boundaries)
{
	char in[64];

	ASSERT_EQ(3, SYS(send(self->fd[0], "abc", 3, 0)));
	ASSERT_EQ(3, SYS(send(self->fd[0], "def", 3, MSG_EOR)));
	ASSERT_EQ(1, SYS(recv(self->fd[1], in, 1, 0)));
	ASSERT_EQ(5, SYS(recv(self->fd[1], in, 64, 0)));
	EXPECT_EQ(0, memcmp(in, "bcdef", 5));
}

/* A stream never cuts: MSG_TRUNC changes nothing (tcp(7) would throw away). */
TEST_F(stream, trunc)
{
	struct rd_msg m;
	char in[8] = "";

	ASSERT_EQ(6, SYS(send(self->fd[0], "abcdef", 6, 0)));
	EXPECT_EQ(2, rd_recv(self->fd[1], in, 2, MSG_TRUNC, &m));
	EXPECT_EQ(0, memcmp(in, "ab", 2));
	EXPECT_EQ(0, m.flags & MSG_TRUNC);
	EXPECT_EQ(4, rd_recv(self->fd[1], in, 8, 0, &m));
	EXPECT_EQ(0, memcmp(in, "cdef", 4));
}

TEST_F(stream, peek)
{
	char out[6000], in[6000];
	int n, i;

	rd_fill(out, sizeof(out), 5, 0);
	for (i = 0; i < 6; i++)
		ASSERT_EQ(500, SYS(send(self->fd[0], out + i * 500, 500, 0)));
	for (n = 1; n <= 3000; n += 333) {
		memset(in, 0, sizeof(in));
		ASSERT_EQ(n, SYS(recv(self->fd[1], in, n, MSG_PEEK)));
		ASSERT_EQ(-1, rd_verify(in, n, 5, 0));
	}
	ASSERT_EQ(3000, SYS(recv(self->fd[1], in, 6000, MSG_PEEK)));
	ASSERT_EQ(100, SYS(recv(self->fd[1], in, 100, 0)));
	ASSERT_EQ(2900, SYS(recv(self->fd[1], in, 6000, MSG_PEEK | MSG_DONTWAIT)));
	EXPECT_EQ(-1, rd_verify(in, 2900, 5, 100));
	ASSERT_EQ(2900, SYS(recv(self->fd[1], in, 6000, 0)));
	EXPECT_EQ(-1, rd_verify(in, 2900, 5, 100));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], in, 1, MSG_PEEK | MSG_DONTWAIT)));
	/* At the end a peek sees the end. */
	close(self->fd[0]);
	self->fd[0] = -1;
	EXPECT_EQ(0, SYS(recv(self->fd[1], in, 1, MSG_PEEK)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], in, 1, 0)));
}

TEST_F(stream, waitall)
{
	char *out = malloc(50000), *in = malloc(50000);
	struct job j = { self->fd[1], in, 50000, MSG_WAITALL };
	struct rt_thread t;

	rd_fill(out, 50000, 6, 0);
	/* Longer than the ring, in three parts. */
	ASSERT_EQ(0, rt_thread_start(&t, do_recv, &j));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_recvfrom));
	ASSERT_EQ(0, rt_send_all(self->fd[0], out, 1));
	EXPECT_FALSE(rt_thread_done(&t));
	ASSERT_EQ(0, rt_send_all(self->fd[0], out + 1, 40000));
	ASSERT_EQ(0, rt_send_all(self->fd[0], out + 40001, 9999));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(50000, t.ret);
	EXPECT_EQ(-1, rd_verify(in, 50000, 6, 0));

	/* The end cuts it short. */
	ASSERT_EQ(0, rt_thread_start(&t, do_recv, &j));
	ASSERT_EQ(0, rt_send_all(self->fd[0], out, 3000));
	ASSERT_EQ(0, shutdown(self->fd[0], SHUT_WR));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(3000, t.ret);
	free(out);
	free(in);
}

TEST_F(stream, waitall_timeout)
{
	struct timeval tv = { .tv_usec = 30000 };
	char in[100];

	ASSERT_EQ(0, setsockopt(self->fd[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	ASSERT_EQ(3, SYS(send(self->fd[0], "abc", 3, 0)));
	EXPECT_EQ(3, SYS(recv(self->fd[1], in, 100, MSG_WAITALL)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], in, 100, MSG_WAITALL)));
}

TEST_F(stream, waitall_dontwait)
{
	char in[100];

	ASSERT_EQ(3, SYS(send(self->fd[0], "abc", 3, 0)));
	EXPECT_EQ(3, SYS(recv(self->fd[1], in, 100, MSG_WAITALL | MSG_DONTWAIT)));
}

/* As tcp(7): a peek can wait for all; unix(7) hands out what there is. */
TEST_F(stream, peek_waitall)
{
	char in[3000];
	struct job j = { self->fd[1], in, 3000, MSG_PEEK | MSG_WAITALL };
	struct rt_thread t;
	char out[3000];
	int i;

	if (variant->family == RT_UNIX)
		SKIP(return, "unix(7) does not wait");
	rd_fill(out, 3000, 7, 0);
	ASSERT_EQ(0, rt_thread_start(&t, do_recv, &j));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_recvfrom));
	for (i = 0; i < 3; i++) {
		EXPECT_FALSE(rt_thread_done(&t));
		ASSERT_EQ(0, rt_send_all(self->fd[0], out + i * 1000, 1000));
	}
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(3000, t.ret);
	EXPECT_EQ(-1, rd_verify(in, 3000, 7, 0));
	EXPECT_EQ(3000, rt_drain(self->fd[1], 5000));
}

/* More than can ever be there: it ends with a full ring, not never. */
TEST_F(stream, peek_waitall_too_much)
{
	long cap = rt_capacity(self->fd[0], self->fd[1]);
	char *in = malloc(cap * 4), *out = calloc(1, cap * 2);
	struct job j = { self->fd[1], in, cap * 4, MSG_PEEK | MSG_WAITALL };
	struct job s = { self->fd[0], out, cap * 2, 0 };
	struct rt_thread t, u;

	if (variant->family == RT_UNIX)
		SKIP(return, "unix(7) does not wait");
	ASSERT_EQ(0, rt_thread_start(&t, do_recv, &j));
	ASSERT_EQ(0, rt_thread_start(&u, do_send, &s));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_LT(0, t.ret);
	EXPECT_GE(cap, t.ret);
	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, cap * 2));
	ASSERT_TRUE(rt_thread_join(&u));
	EXPECT_EQ(cap * 2, u.ret);
	free(in);
	free(out);
}

/* A send bigger than the ring goes through as somebody reads. */
TEST_F(stream, big_send)
{
	size_t len = 3 << 20;
	char *out = malloc(len), *in = malloc(len);
	struct job j = { self->fd[0], out, len, 0 };
	struct rt_thread t;

	rd_fill(out, len, 8, 0);
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &j));
	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, len));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ((long)len, t.ret);
	EXPECT_EQ(-1, rd_verify(in, len, 8, 0));
	free(out);
	free(in);
}

/* Without waiting: what fitted counts, then EAGAIN; not a byte is lost. */
TEST_F(stream, partial_send)
{
	size_t len = 3 << 20;
	char *out = malloc(len), *in = malloc(len);
	long n;

	rd_fill(out, len, 9, 0);
	n = SYS(send(self->fd[0], out, len, MSG_DONTWAIT));
	ASSERT_LT(0, n);
	ASSERT_GT((long)len, n);
	if (variant->family == RT_RILL)
		EXPECT_EQ(rt_capacity(self->fd[0], self->fd[1]), n);
	EXPECT_EQ(-EAGAIN, SYS(send(self->fd[0], out + n, len - n, MSG_DONTWAIT)));
	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, n));
	EXPECT_EQ(-1, rd_verify(in, n, 9, 0));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], in, 1, MSG_DONTWAIT)));
	free(out);
	free(in);
}

/* The time-out of a send in the middle: what went is told. */
TEST_F(stream, send_timeout)
{
	struct timeval tv = { .tv_usec = 30000 };
	size_t len = 3 << 20;
	char *out = calloc(1, len);
	long n;

	ASSERT_EQ(0, setsockopt(self->fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	n = SYS(send(self->fd[0], out, len, 0));
	EXPECT_LT(0, n);
	EXPECT_GT((long)len, n);
	EXPECT_EQ(-EAGAIN, SYS(send(self->fd[0], out, len, 0)));
	EXPECT_EQ(n, rt_drain(self->fd[1], 65536));
	free(out);
}

TEST_F(stream, more)
{
	char in[10];

	ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, MSG_MORE)));
	ASSERT_EQ(2, SYS(send(self->fd[0], "cd", 2, MSG_MORE)));
	ASSERT_EQ(1, SYS(send(self->fd[0], "e", 1, 0)));
	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, 5));
	EXPECT_EQ(0, memcmp(in, "abcde", 5));
	/* A promise of more that is not kept keeps nothing back. */
	ASSERT_EQ(2, SYS(send(self->fd[0], "fg", 2, MSG_MORE)));
	close(self->fd[0]);
	self->fd[0] = -1;
	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, 2));
	EXPECT_EQ(0, memcmp(in, "fg", 2));
	EXPECT_EQ(0, SYS(recv(self->fd[1], in, 1, 0)));
}

TEST_F(stream, gone)
{
	char in[10];
	int i;

	ASSERT_EQ(3, SYS(send(self->fd[0], "end", 3, 0)));
	close(self->fd[0]);
	self->fd[0] = -1;
	/* errno: send EPIPE */
	EXPECT_EQ(-EPIPE, SYS(send(self->fd[1], "x", 1, MSG_NOSIGNAL)));
	EXPECT_EQ(3, SYS(recv(self->fd[1], in, 10, 0)));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, SYS(recv(self->fd[1], in, 10, 0)));
	EXPECT_EQ(-EPIPE, SYS(write(self->fd[1], "x", 1)));
}

TEST_F(stream, reset)
{
	char in[10];

	ASSERT_EQ(3, SYS(send(self->fd[0], "for", 3, 0)));
	ASSERT_EQ(5, SYS(send(self->fd[1], "never", 5, 0)));
	close(self->fd[1]);
	self->fd[1] = -1;
	/* First the data, then what happened to ours. */
	EXPECT_EQ(5, SYS(recv(self->fd[0], in, 10, 0)));
	/* errno: recv ECONNRESET */
	EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[0], in, 10, 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[0], in, 10, 0)));
}

TEST_F(stream, queue_lengths)
{
	int n = -1;
	char in[10];

	ASSERT_EQ(0, ioctl(self->fd[1], FIONREAD, &n));
	EXPECT_EQ(0, n);
	ASSERT_EQ(7, SYS(send(self->fd[0], "1234567", 7, 0)));
	ASSERT_EQ(3, SYS(send(self->fd[0], "890", 3, 0)));
	ASSERT_EQ(0, ioctl(self->fd[1], SIOCINQ, &n));
	EXPECT_EQ(10, n);
	ASSERT_EQ(0, ioctl(self->fd[0], SIOCOUTQ, &n));
	/* unix(7) counts memory. */
	if (variant->family == RT_RILL)
		EXPECT_EQ(10, n);
	ASSERT_EQ(4, SYS(recv(self->fd[1], in, 4, 0)));
	ASSERT_EQ(0, ioctl(self->fd[1], FIONREAD, &n));
	EXPECT_EQ(6, n);
	ASSERT_EQ(0, ioctl(self->fd[0], SIOCOUTQ, &n));
	if (variant->family == RT_RILL)
		EXPECT_EQ(6, n);
	ASSERT_EQ(6, SYS(recv(self->fd[1], in, 10, 0)));
	ASSERT_EQ(0, ioctl(self->fd[0], SIOCOUTQ, &n));
	EXPECT_EQ(0, n);
}

/* ---- files and pipes --------------------------------------------------- */

#define FILE_LEN	300000

static int make_file(__u64 seed)
{
	int fd = memfd_create("rill-selftest", MFD_CLOEXEC);
	char *buf = malloc(FILE_LEN);

	if (fd < 0)
		return -errno;
	rd_fill(buf, FILE_LEN, seed, 0);
	if (write(fd, buf, FILE_LEN) != FILE_LEN) {
		close(fd);
		fd = -EIO;
	}
	free(buf);
	return fd;
}

static long do_recv_all(void *arg)
{
	struct job *j = arg;

	return rt_recv_all(j->fd, j->buf, j->len);
}

TEST_F(stream, sendfile)
{
	char *in = malloc(FILE_LEN);
	struct job j = { self->fd[1], in, FILE_LEN, 0 };
	int file = make_file(20);
	struct rt_thread t;
	off_t off = 0;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, rt_thread_start(&t, do_recv_all, &j));
	while (off < FILE_LEN) {
		long n = SYS(sendfile(self->fd[0], file, &off, FILE_LEN - off));

		ASSERT_LT(0, n);
	}
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(0, t.ret);
	EXPECT_EQ(-1, rd_verify(in, FILE_LEN, 20, 0));
	close(file);
	free(in);
}

TEST_F(stream, splice)
{
	char *in = malloc(FILE_LEN);
	int a[2], b[2], file = make_file(21);
	long left = FILE_LEN;

	/* file, pipe, socket, pipe, memory. */
	ASSERT_LE(0, file);
	ASSERT_EQ(0, lseek(file, 0, SEEK_SET));
	ASSERT_EQ(0, pipe(a));
	ASSERT_EQ(0, pipe(b));
	while (left) {
		long n = SYS(splice(file, NULL, a[1], NULL, 4000, 0)), m, k, got;

		ASSERT_LT(0, n);
		for (m = 0; m < n; m += k) {
			k = SYS(splice(a[0], NULL, self->fd[0], NULL, n - m, SPLICE_F_MORE));
			ASSERT_LT(0, k);
		}
		for (m = 0; m < n; m += k) {
			k = SYS(splice(self->fd[1], NULL, b[1], NULL, n - m, 0));
			ASSERT_LT(0, k);
		}
		for (m = 0; m < n; m += got) {
			got = SYS(read(b[0], in + FILE_LEN - left + m, n - m));
			ASSERT_LT(0, got);
		}
		left -= n;
	}
	EXPECT_EQ(-1, rd_verify(in, FILE_LEN, 21, 0));
	/* Nothing there, then the end. */
	ASSERT_EQ(0, rt_set_nonblock(self->fd[1], true));
	EXPECT_EQ(-EAGAIN, SYS(splice(self->fd[1], NULL, b[1], NULL, 1, 0)));
	ASSERT_EQ(0, rt_set_nonblock(self->fd[1], false));
	close(self->fd[0]);
	self->fd[0] = -1;
	EXPECT_EQ(0, SYS(splice(self->fd[1], NULL, b[1], NULL, 1, 0)));
	close(file);
	free(in);
}

/* A page of a file that passes through must never be written to. */
TEST_F(stream, file_stays_as_it_is)
{
	char in[300], back[200];
	int p[2], file = make_file(22), i;
	loff_t off;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pipe(p));
	for (i = 0; i < 8; i++) {
		off = i * 5000;
		ASSERT_EQ(100, SYS(splice(file, &off, p[1], NULL, 100, 0)));
		ASSERT_EQ(100, SYS(splice(p[0], NULL, self->fd[0], NULL, 100, 0)));
		ASSERT_EQ(50, SYS(send(self->fd[0], memset(back, '!', 50), 50, 0)));
		ASSERT_EQ(200, SYS(pread(file, back, 200, i * 5000)));
		EXPECT_EQ(-1, rd_verify(back, 200, 22, i * 5000));
		ASSERT_EQ(0, rt_recv_all(self->fd[1], in, 150));
		EXPECT_EQ(-1, rd_verify(in, 100, 22, i * 5000));
		EXPECT_EQ('!', in[100]);
		EXPECT_EQ('!', in[149]);
	}
	close(p[0]);
	close(p[1]);
	close(file);
}

TEST_HARNESS_MAIN
