// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers that cannot be touched, or not yet.  Of a stream what was copied
 * counts, a message goes whole or not at all; nothing is lost, nothing comes
 * twice; and whoever hangs in a copy hangs alone.
 */
#include "rill_test_data.h"
#include "rill_test_uffd.h"

#define PAGES	8
#define HOLE	4		/* index of the page that faults */
#define QUEUE	20000		/* bytes that a stream has on the way */

static char sink;

FIXTURE(fault)
{
	int fd[2];
	size_t page;
	char *map, *hole;
	char *data, *in;
};

FIXTURE_VARIANT(fault)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(fault, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(fault, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(fault, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(fault, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(fault, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_SETUP(fault)
{
	signal(SIGPIPE, SIG_IGN);
	self->page = sysconf(_SC_PAGESIZE);
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
	self->map = rd_map_hole(PAGES, HOLE);
	ASSERT_NE(NULL, self->map);
	self->hole = self->map + HOLE * self->page;
	self->data = malloc(2 * QUEUE);
	self->in = malloc(2 * QUEUE);
	rd_fill(self->data, 2 * QUEUE, 1, 0);
}

FIXTURE_TEARDOWN(fault)
{
	close(self->fd[0]);
	close(self->fd[1]);
	munmap(self->map, PAGES * self->page);
	free(self->data);
	free(self->in);
}

/* How much lies before the hole, and how much is asked for in all. */
static const int befores[] = {
	0, 1, 2, 7, 8, 9, 63, 64, 65, 511, 1000, 4095, 4096, 4097, 8191, 8192, 12000, 16384,
};

static const int beyonds[] = { 1, 8, 100, 4096, 5000, 10000 };

TEST_F(fault, send_stream)
{
	unsigned int i, j;
	__u64 sent = 0;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "streams only");
	for (i = 0; i < ARRAY_SIZE(befores); i++) {
		for (j = 0; j < ARRAY_SIZE(beyonds); j++) {
			long k = befores[i], n, want;

			rd_fill(self->hole - k, k, 2, sent);
			n = SYS(send(self->fd[0], self->hole - k, k + beyonds[j], 0));
			/* errno: send EFAULT */
			want = k ? k : -EFAULT;
			/* unix(7) may throw away the piece that faulted. */
			if (variant->family == RT_UNIX && n != k)
				want = -EFAULT;
			EXPECT_EQ(want, n) {
				TH_LOG("%ld before the hole, %d beyond", k, beyonds[j]);
			}
			ASSERT_GE(k, n);
			if (n < 0) {
				ASSERT_EQ(-EFAULT, n);
				continue;
			}
			ASSERT_EQ(0, rt_recv_all(self->fd[1], self->in, n));
			ASSERT_EQ(-1, rd_verify(self->in, n, 2, sent));
			sent += n;
			ASSERT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
		}
	}
	/* And it goes on as if nothing had been. */
	ASSERT_EQ(0, rt_send_all(self->fd[0], self->data, QUEUE));
	ASSERT_EQ(0, rt_recv_all(self->fd[1], self->in, QUEUE));
	EXPECT_EQ(-1, rd_verify(self->in, QUEUE, 1, 0));
}

/* The same, each send on top of what lies there unread. */
TEST_F(fault, send_stream_queued)
{
	unsigned int i;
	long total = 0;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "streams only");
	for (i = 0; i < ARRAY_SIZE(befores); i++) {
		long k = befores[i] % 3000, n;

		ASSERT_EQ(10, SYS(send(self->fd[0], self->data + total, 10, 0)));
		total += 10;
		rd_fill(self->hole - k, k, 1, total);
		n = SYS(send(self->fd[0], self->hole - k, k + 1, 0));
		ASSERT_TRUE(n > 0 || n == -EFAULT);
		if (n > 0)
			total += n;
	}
	ASSERT_GT(2 * QUEUE, total);
	ASSERT_EQ(0, rt_recv_all(self->fd[1], self->in, total));
	EXPECT_EQ(-1, rd_verify(self->in, total, 1, 0));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
}

TEST_F(fault, send_message)
{
	unsigned int i, j;

	if (variant->type == SOCK_STREAM)
		SKIP(return, "messages only");
	for (i = 0; i < ARRAY_SIZE(befores); i++) {
		for (j = 0; j < ARRAY_SIZE(beyonds); j++) {
			/* errno: send EFAULT */
			EXPECT_EQ(-EFAULT, SYS(send(self->fd[0], self->hole - befores[i],
						    befores[i] + beyonds[j], 0)));
		}
		/* Right up to the edge is fine. */
		rd_fill(self->hole - befores[i], befores[i], i, 0);
		ASSERT_EQ(befores[i], SYS(send(self->fd[0], self->hole - befores[i],
					       befores[i], 0)));
		ASSERT_EQ(befores[i], SYS(recv(self->fd[1], self->in, QUEUE, 0)));
		ASSERT_EQ(-1, rd_verify(self->in, befores[i], i, 0));
	}
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
}

/* Room for the failed ones was given back: the socket never fills up. */
TEST_F(fault, send_leaks_nothing)
{
	long before, after;
	int i, n;

	before = rt_fill(self->fd[0], 1000);
	ASSERT_EQ(before, rt_drain(self->fd[1], 1000));
	for (i = 0; i < 3000; i++)
		ASSERT_EQ(-EFAULT, SYS(send(self->fd[0], self->hole, 1000, MSG_DONTWAIT)));
	ASSERT_EQ(0, ioctl(self->fd[0], SIOCOUTQ, &n));
	EXPECT_EQ(0, n);
	after = rt_fill(self->fd[0], 1000);
	EXPECT_EQ(before, after);
}

TEST_F(fault, recv_stream)
{
	unsigned int i, j;
	__u64 sent = 0, got = 0;
	int peek;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "streams only");
	for (i = 0; i < ARRAY_SIZE(befores); i++) {
		for (j = 0; j < ARRAY_SIZE(beyonds); j++) {
			long k = befores[i], want = k + beyonds[j], n = 0;

			/* More than is asked for, sent in pieces. */
			while (sent < got + QUEUE) {
				long piece = 3001;

				rd_fill(self->in, piece, 3, sent);
				ASSERT_EQ(0, rt_send_all(self->fd[0], self->in, piece));
				sent += piece;
			}
			if (want > QUEUE)
				continue;
			for (peek = MSG_PEEK; peek >= 0; peek -= MSG_PEEK) {
				memset(self->hole - k, 0, k);
				n = SYS(recv(self->fd[1], self->hole - k, want, peek));
				/* errno: recv EFAULT */
				if (variant->family == RT_RILL)
					EXPECT_EQ(k ? k : -EFAULT, n) {
						TH_LOG("%ld before the hole, %d beyond",
						       k, beyonds[j]);
					}
				ASSERT_GE(k, n);
				ASSERT_TRUE(n > 0 || n == -EFAULT);
				if (n > 0)
					ASSERT_EQ(-1, rd_verify(self->hole - k, n, 3, got));
			}
			if (n > 0)
				got += n;
			/* What follows is what is next, from its first byte. */
			ASSERT_EQ(7, SYS(recv(self->fd[1], self->in, 7, 0)));
			ASSERT_EQ(-1, rd_verify(self->in, 7, 3, got));
			got += 7;
		}
	}
	ASSERT_EQ(0, rt_recv_all(self->fd[1], self->in, sent - got));
	EXPECT_EQ(-1, rd_verify(self->in, sent - got, 3, got));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
}

/* Told to wait for all: a fault in the middle is no reason to lose the start. */
TEST_F(fault, recv_waitall)
{
	if (variant->type != SOCK_STREAM || variant->family == RT_UNIX)
		SKIP(return, "Rill's stream only: unix(7) may refuse the whole piece");
	ASSERT_EQ(0, rt_send_all(self->fd[0], self->data, 5000));
	EXPECT_EQ(1000, SYS(recv(self->fd[1], self->hole - 1000, 5000, MSG_WAITALL)));
	EXPECT_EQ(-1, rd_verify(self->hole - 1000, 1000, 1, 0));
	ASSERT_EQ(0, rt_recv_all(self->fd[1], self->in, 4000));
	EXPECT_EQ(-1, rd_verify(self->in, 4000, 1, 1000));
}

TEST_F(fault, recv_message)
{
	unsigned int i;
	int peek;

	if (variant->type == SOCK_STREAM)
		SKIP(return, "messages only");
	for (i = 0; i < ARRAY_SIZE(befores); i++) {
		long k = befores[i];

		ASSERT_EQ(k + 1, SYS(send(self->fd[0], self->data, k + 1, 0)));
		ASSERT_EQ(2, SYS(send(self->fd[0], "hi", 2, 0)));
		for (peek = MSG_PEEK; peek >= 0; peek -= MSG_PEEK)
			EXPECT_EQ(-EFAULT, SYS(recv(self->fd[1], self->hole - k, k + 1,
						    peek)));
		/* unix(7) has thrown the message away by now. */
		if (variant->family == RT_RILL) {
			/* Still at the head, and complete. */
			ASSERT_EQ(k + 1, SYS(recv(self->fd[1], self->in, QUEUE, 0)));
			ASSERT_EQ(-1, rd_verify(self->in, k + 1, 1, 0));
		}
		ASSERT_EQ(2, SYS(recv(self->fd[1], self->in, QUEUE, 0)));
		EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
		/* One that is cut before the hole does not touch it. */
		ASSERT_EQ(k + 1, SYS(send(self->fd[0], self->data, k + 1, 0)));
		EXPECT_EQ(k, SYS(recv(self->fd[1], self->hole - k, k, 0)));
		EXPECT_EQ(-1, rd_verify(self->hole - k, k, 1, 0));
	}
}

/* The same bytes may be sent again from there, where they may only be read. */
TEST_F(fault, read_only)
{
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ));
	ASSERT_EQ(100, SYS(send(self->fd[0], self->map, 100, 0)));
	EXPECT_EQ(-EFAULT, SYS(recv(self->fd[1], self->map, 100, 0)));
}

TEST_F(fault, iovecs)
{
	struct iovec iov[3] = {
		{ self->data, 100 }, { self->hole, 10 }, { self->data + 110, 90 },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	long n;

	n = SYS(writev(self->fd[0], iov, 3));
	/* unix(7) may throw away the piece that faulted. */
	if (variant->type != SOCK_STREAM || variant->family == RT_RILL)
		EXPECT_EQ(variant->type == SOCK_STREAM ? 100 : -EFAULT, n);
	if (n > 0) {
		ASSERT_EQ(0, rt_recv_all(self->fd[1], self->in, n));
		EXPECT_EQ(-1, rd_verify(self->in, n, 1, 0));
	}
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));

	/* The list itself; a pointer into the kernel; lengths that overflow. */
	EXPECT_EQ(-EFAULT, SYS(writev(self->fd[0], (void *)self->hole, 3)));
	msg.msg_iov = (void *)(self->hole - sizeof(*iov));
	memset(self->hole - sizeof(*iov), 0, sizeof(*iov));
	EXPECT_EQ(-EFAULT, SYS(sendmsg(self->fd[0], &msg, 0)));
	EXPECT_EQ(-EFAULT, SYS(recvmsg(self->fd[1], &msg, MSG_DONTWAIT)));
	EXPECT_EQ(-EFAULT, SYS(send(self->fd[0], (void *)~0xfffUL, 10, 0)));
	EXPECT_EQ(-EFAULT, SYS(send(self->fd[0], (void *)(~0UL << 47), 10, 0)));
	msg.msg_iov = iov;
	iov[1].iov_base = self->data;
	iov[1].iov_len = -1;
	EXPECT_EQ(-EINVAL, SYS(sendmsg(self->fd[0], &msg, 0)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
}

TEST_F(fault, headers)
{
	struct mmsghdr *mm = (void *)(self->hole - sizeof(*mm));
	struct iovec iov = { .iov_base = self->data, .iov_len = 10 };

	EXPECT_EQ(-EFAULT, SYS(sendmsg(self->fd[0], (void *)self->hole, 0)));
	EXPECT_EQ(-EFAULT, SYS(sendmsg(self->fd[0], (void *)(self->hole - 8), 0)));
	EXPECT_EQ(-EFAULT, SYS(recvmsg(self->fd[1], (void *)(self->hole - 8), 0)));
	/* One good, the next not: the first counts. */
	memset(mm, 0, sizeof(*mm));
	mm->msg_hdr.msg_iov = &iov;
	mm->msg_hdr.msg_iovlen = 1;
	EXPECT_EQ(1, SYS(sendmmsg(self->fd[0], mm, 2, 0)));
	EXPECT_EQ(10, (int)mm->msg_len);
	EXPECT_EQ(1, SYS(recvmmsg(self->fd[1], mm, 2, MSG_DONTWAIT, NULL)));
	EXPECT_EQ(10, (int)mm->msg_len);
}

TEST_F(fault, control)
{
	struct iovec iov = { .iov_base = self->data, .iov_len = 10 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = self->hole, .msg_controllen = 64,
	};

	EXPECT_EQ(-EFAULT, SYS(sendmsg(self->fd[0], &msg, 0)));
	msg.msg_control = self->hole - sizeof(struct cmsghdr);
	EXPECT_EQ(-EFAULT, SYS(sendmsg(self->fd[0], &msg, 0)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));

	/* Where credentials cannot be put, the data come all the same. */
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	ASSERT_EQ(10, SYS(send(self->fd[0], self->data, 10, 0)));
	iov.iov_base = self->in;
	msg.msg_control = self->hole;
	msg.msg_controllen = 64;
	EXPECT_EQ(10, SYS(recvmsg(self->fd[1], &msg, 0)));
	EXPECT_EQ(-1, rd_verify(self->in, 10, 1, 0));
}

TEST_F(fault, options)
{
	socklen_t len = sizeof(int);
	int level, opt, v;

	for (level = 0; level < 2; level++) {
		if (level && variant->family == RT_UNIX)
			break;
		opt = level ? RILL_MODE : SO_RCVBUF;
		v = level ? SOL_RILL : SOL_SOCKET;
		/* errno: setsockopt EFAULT, getsockopt EFAULT */
		EXPECT_EQ(-EFAULT, SYS(setsockopt(self->fd[0], v, opt, self->hole, 4)));
		EXPECT_EQ(-EFAULT, SYS(setsockopt(self->fd[0], v, opt, self->hole - 2, 4)));
		EXPECT_EQ(-EFAULT, SYS(setsockopt(self->fd[0], v, opt, NULL, 4)));
		EXPECT_EQ(-EFAULT, SYS(getsockopt(self->fd[0], v, opt, self->hole, &len)));
		EXPECT_EQ(-EFAULT, SYS(getsockopt(self->fd[0], v, opt, &v,
						  (void *)self->hole)));
		EXPECT_EQ(-EFAULT, SYS(getsockopt(self->fd[0], v, opt, &v, NULL)));
	}
	if (variant->family == RT_UNIX)
		return;
	v = sizeof(struct rill_owner);
	len = v;
	EXPECT_EQ(-EFAULT, SYS(setsockopt(self->fd[0], SOL_RILL, RILL_OWNER,
					  self->hole - 4, v)));
	EXPECT_EQ(-EFAULT, SYS(getsockopt(self->fd[0], SOL_RILL, RILL_OWNER,
					  self->hole - 4, &len)));
	EXPECT_EQ(-EFAULT, SYS(setsockopt(self->fd[0], SOL_SOCKET, SO_PASSCRED,
					  self->hole, 4)));
}

TEST_F(fault, ioctls)
{
	/* errno: ioctl EFAULT */
	EXPECT_EQ(-EFAULT, SYS(ioctl(self->fd[0], FIONREAD, self->hole)));
	EXPECT_EQ(-EFAULT, SYS(ioctl(self->fd[0], SIOCOUTQ, self->hole)));
	EXPECT_EQ(-EFAULT, SYS(ioctl(self->fd[0], FIONBIO, self->hole)));
}

TEST_F(fault, names)
{
	struct rt_addr a = { .len = 0 };
	socklen_t len = 100;
	int lfd, cfd;

	/* The core takes the message first: it is gone, as for every family. */
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	if (variant->type == SOCK_DGRAM)
		EXPECT_EQ(-EFAULT, SYS(recvfrom(self->fd[1], &sink, 1, 0,
						(void *)self->hole, &len)));
	if (variant->type == SOCK_DGRAM)
		return;

	lfd = rt_listener(variant->family, variant->type, 2, &a);
	ASSERT_LE(0, lfd);
	cfd = rt_client(variant->family, variant->type, &a);
	ASSERT_LE(0, cfd);
	len = 100;
	/* errno: accept EFAULT */
	EXPECT_EQ(-EFAULT, SYS(accept(lfd, (void *)self->hole, &len)));
	EXPECT_NE(0, rt_poll(cfd, POLLIN) & POLLHUP);
	close(cfd);
	/* The listener is well. */
	cfd = rt_client(variant->family, variant->type, &a);
	ASSERT_LE(0, cfd);
	EXPECT_LE(0, SYS(accept(lfd, NULL, NULL)));
	close(cfd);
	close(lfd);
}

/* ---- a page that does not come until we say so ------------------------- */

FIXTURE(hang)
{
	int fd[2];
	int uffd;
	char *map;
	size_t page;
};

FIXTURE_VARIANT(hang)
{
	int type;
};

FIXTURE_VARIANT_ADD(hang, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(hang, dgram)
{
	.type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(hang, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(hang)
{
	signal(SIGPIPE, SIG_IGN);
	self->page = sysconf(_SC_PAGESIZE);
	self->map = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->uffd = rt_uffd(self->map, self->page);
	if (self->uffd < 0)
		SKIP(return, "no userfaultfd here (%d)", self->uffd);
	ASSERT_EQ(0, rt_pair(RT_RILL, variant->type, self->fd));
}

FIXTURE_TEARDOWN(hang)
{
	if (self->uffd >= 0) {
		close(self->fd[0]);
		close(self->fd[1]);
		close(self->uffd);
	}
}

struct job {
	int fd;
	char *buf;
	size_t len;
};

static long do_send(void *arg)
{
	struct job *j = arg;

	return SYS(send(j->fd, j->buf, j->len, 0));
}

static long do_recv(void *arg)
{
	struct job *j = arg;

	return SYS(recv(j->fd, j->buf, j->len, 0));
}

TEST_F(hang, reader)
{
	struct job j = { self->fd[1], self->map, 5 };
	struct rt_thread t;

	if (self->uffd < 0)
		return;
	ASSERT_EQ(5, SYS(send(self->fd[0], "hello", 5, 0)));
	ASSERT_EQ(0, rt_thread_start(&t, do_recv, &j));
	ASSERT_TRUE(rt_uffd_hangs(self->uffd));
	/* The writer knows nothing of it, nor does whoever looks. */
	EXPECT_EQ(3, SYS(send(self->fd[0], "and", 3, MSG_DONTWAIT)));
	EXPECT_EQ(POLLOUT, rt_events(self->fd[0], POLLOUT));
	EXPECT_EQ(POLLOUT, rt_events(self->fd[1], POLLOUT));
	EXPECT_EQ(1, SYS(send(self->fd[1], "b", 1, MSG_DONTWAIT)));
	EXPECT_EQ(1, SYS(recv(self->fd[0], &sink, 1, MSG_DONTWAIT)));
	EXPECT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	EXPECT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(0, SYS(shutdown(self->fd[1], SHUT_RDWR)));
	EXPECT_FALSE(rt_thread_done(&t));

	ASSERT_EQ(0, rt_uffd_fill(self->uffd, self->map, self->page));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(5, t.ret);
	EXPECT_EQ(0, memcmp(self->map, "hello", 5));
}

/* The sender resets while a reader hangs in what it sent. */
TEST_F(hang, reader_and_reset)
{
	struct job j = { self->fd[1], self->map, 5 };
	struct rt_thread t;

	if (self->uffd < 0)
		return;
	ASSERT_EQ(5, SYS(send(self->fd[0], "hello", 5, 0)));
	ASSERT_EQ(3, SYS(send(self->fd[0], "and", 3, 0)));
	ASSERT_EQ(0, rt_thread_start(&t, do_recv, &j));
	ASSERT_TRUE(rt_uffd_hangs(self->uffd));
	ASSERT_EQ(0, rt_set_linger(self->fd[0], 1, 0));
	EXPECT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_FALSE(rt_thread_done(&t));

	ASSERT_EQ(0, rt_uffd_fill(self->uffd, self->map, self->page));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(5, t.ret);
	EXPECT_EQ(0, memcmp(self->map, "hello", 5));
	if (variant->type == SOCK_DGRAM) {
		/* There is no connection to reset. */
		EXPECT_EQ(3, SYS(recv(self->fd[1], &sink, 1, MSG_TRUNC)));
		EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
	} else {
		EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
		EXPECT_EQ(0, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
	}
}

TEST_F(hang, writer)
{
	struct job j = { self->fd[0], self->map, 100 };
	struct rt_thread t;

	if (self->uffd < 0)
		return;
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &j));
	ASSERT_TRUE(rt_uffd_hangs(self->uffd));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], &sink, 1, MSG_DONTWAIT)));
	EXPECT_EQ(0, rt_events(self->fd[1], POLLIN));
	EXPECT_EQ(1, SYS(send(self->fd[1], "b", 1, MSG_DONTWAIT)));
	EXPECT_EQ(1, SYS(recv(self->fd[0], &sink, 1, MSG_DONTWAIT)));
	EXPECT_FALSE(rt_thread_done(&t));
	ASSERT_EQ(0, rt_uffd_fill(self->uffd, self->map, self->page));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(100, t.ret);
	EXPECT_EQ(100, rt_drain(self->fd[1], 200));
}

/* The reader closes meanwhile, and does not wait for the writer. */
TEST_F(hang, writer_whose_reader_goes)
{
	struct job j = { self->fd[0], self->map, 100 };
	struct rt_thread t;

	if (self->uffd < 0)
		return;
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &j));
	ASSERT_TRUE(rt_uffd_hangs(self->uffd));
	EXPECT_EQ(0, SYS(shutdown(self->fd[1], SHUT_RDWR)));
	EXPECT_EQ(0, SYS(close(self->fd[1])));
	self->fd[1] = -1;
	EXPECT_FALSE(rt_thread_done(&t));
	ASSERT_EQ(0, rt_uffd_fill(self->uffd, self->map, self->page));
	ASSERT_TRUE(rt_thread_join(&t));
	/* It had begun before the end: as of tcp(7), the next one learns of it. */
	EXPECT_TRUE(t.ret == 100 || t.ret == -EPIPE || t.ret == -ECONNREFUSED) {
		TH_LOG("send gave %ld", t.ret);
	}
	if (t.ret == 100)
		EXPECT_EQ(variant->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE,
			  SYS(send(self->fd[0], "x", 1, 0)));
}

/*
 * The same, but that the reader has read all that it can see.  Either the send
 * fails, or what it sent is lost, of which the next receive tells.
 */
TEST_F(hang, writer_whose_bytes_are_lost)
{
	struct job j = { self->fd[0], self->map, 100 };
	struct rt_thread t;

	if (self->uffd < 0)
		return;
	if (variant->type == SOCK_DGRAM)
		SKIP(return, "no connection to reset");
	ASSERT_EQ(5, SYS(send(self->fd[0], "hello", 5, 0)));
	ASSERT_EQ(5, rt_drain(self->fd[1], 5));
	ASSERT_EQ(0, rt_thread_start(&t, do_send, &j));
	ASSERT_TRUE(rt_uffd_hangs(self->uffd));
	EXPECT_EQ(0, SYS(close(self->fd[1])));
	self->fd[1] = -1;
	ASSERT_EQ(0, rt_uffd_fill(self->uffd, self->map, self->page));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(variant->type == SOCK_STREAM ? 100 : -EPIPE, t.ret);
	if (t.ret > 0) {
		EXPECT_EQ(POLLERR, rt_events(self->fd[0], POLLIN) & POLLERR);
		EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[0], &sink, 1, 0)));
	}
	EXPECT_EQ(0, SYS(recv(self->fd[0], &sink, 1, 0)));
	EXPECT_EQ(-EPIPE, SYS(send(self->fd[0], "x", 1, 0)));
}

/* A second reader behind it can be told to stop. */
TEST_F(hang, second_reader_is_interruptible)
{
	struct job j = { self->fd[1], self->map, 5 };
	struct job k = { self->fd[1], &sink, 1 };
	struct rt_thread t, u;

	if (self->uffd < 0)
		return;
	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	ASSERT_EQ(5, SYS(send(self->fd[0], "hello", 5, 0)));
	ASSERT_EQ(0, rt_thread_start(&t, do_recv, &j));
	ASSERT_TRUE(rt_uffd_hangs(self->uffd));
	ASSERT_EQ(0, rt_thread_start(&u, do_recv, &k));
	ASSERT_TRUE(rt_thread_sleeps(&u, SYS_recvfrom));
	ASSERT_EQ(0, pthread_kill(u.thread, SIGUSR1));
	ASSERT_TRUE(rt_thread_join(&u));
	EXPECT_EQ(-EINTR, u.ret);
	ASSERT_EQ(0, rt_uffd_fill(self->uffd, self->map, self->page));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(5, t.ret);
}

TEST_HARNESS_MAIN
