// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring: the requests a server and its clients live on, multishot and
 * cancelled, waiting and not.
 */
#include "rill_test.h"

#include <liburing.h>

/* Newer than the liburing of Debian 12; see enum io_uring_op. */
#define RT_IORING_OP_BIND	56
#define RT_IORING_OP_LISTEN	57

/* A completion, within the bound: its result; -ETIME (62) if none came. */
static int next_cqe(struct io_uring *io, __u64 *data, unsigned int *flags)
{
	struct __kernel_timespec ts = { .tv_sec = RT_WAIT_MS / 1000 };
	struct io_uring_cqe *cqe;
	int err;

	err = io_uring_wait_cqe_timeout(io, &cqe, &ts);
	if (err)
		return err;
	if (data)
		*data = cqe->user_data;
	if (flags)
		*flags = cqe->flags;
	err = cqe->res;
	io_uring_cqe_seen(io, cqe);
	return err;
}

static bool no_cqe(struct io_uring *io)
{
	struct io_uring_cqe *cqe;

	/* Lets completions that wait for this task run first. */
	io_uring_get_events(io);
	return io_uring_peek_cqe(io, &cqe) == -EAGAIN;
}

FIXTURE(uring)
{
	struct rt_addr addr;
	struct io_uring io;
	int fd[2];
	int lfd;
};

FIXTURE_VARIANT(uring)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(uring, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(uring, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(uring, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(uring, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(uring)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, io_uring_queue_init(64, &self->io, 0));
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
	self->lfd = rt_listener(variant->family, variant->type, 0, &self->addr);
	ASSERT_LE(0, self->lfd);
}

FIXTURE_TEARDOWN(uring)
{
	io_uring_queue_exit(&self->io);
	close(self->fd[0]);
	close(self->fd[1]);
	close(self->lfd);
}

static void submit(struct __test_metadata *_metadata, struct io_uring *io,
		   struct io_uring_sqe *sqe, __u64 data)
{
	sqe->user_data = data;
	ASSERT_EQ(1, io_uring_submit(io));
}

static char buf[65536];

TEST_F(uring, send_recv)
{
	struct io_uring_sqe *sqe;

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_send(sqe, self->fd[0], "hello", 5, 0);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_EQ(5, next_cqe(&self->io, NULL, NULL));
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_recv(sqe, self->fd[1], buf, sizeof(buf), 0);
	submit(_metadata, &self->io, sqe, 2);
	EXPECT_EQ(5, next_cqe(&self->io, NULL, NULL));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
}

TEST_F(uring, read_write)
{
	struct iovec iov = { .iov_base = buf, .iov_len = 3 };
	struct io_uring_sqe *sqe;

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_write(sqe, self->fd[0], "abc", 3, 0);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_EQ(3, next_cqe(&self->io, NULL, NULL));
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_readv(sqe, self->fd[1], &iov, 1, 0);
	submit(_metadata, &self->io, sqe, 2);
	EXPECT_EQ(3, next_cqe(&self->io, NULL, NULL));
	EXPECT_EQ(0, memcmp(buf, "abc", 3));
}

/* A receive that was there first completes when there is something. */
TEST_F(uring, recv_waits)
{
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct io_uring_sqe *sqe;
	int how;

	for (how = 0; how < 2; how++) {
		sqe = io_uring_get_sqe(&self->io);
		if (how)
			io_uring_prep_recvmsg(sqe, self->fd[1], &msg, 0);
		else
			io_uring_prep_recv(sqe, self->fd[1], buf, sizeof(buf), 0);
		submit(_metadata, &self->io, sqe, 1);
		EXPECT_TRUE(no_cqe(&self->io));
		ASSERT_EQ(4, SYS(send(self->fd[0], "wait", 4, 0)));
		EXPECT_EQ(4, next_cqe(&self->io, NULL, NULL));
		EXPECT_EQ(0, memcmp(buf, "wait", 4));
	}
}

TEST_F(uring, recv_end)
{
	struct io_uring_sqe *sqe;

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_recv(sqe, self->fd[1], buf, sizeof(buf), 0);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_TRUE(no_cqe(&self->io));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(0, next_cqe(&self->io, NULL, NULL));
}

/* A worker of io_uring's is to receive, and finds nothing yet. */
TEST_F(uring, recv_from_a_worker)
{
	struct io_uring_sqe *sqe;

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_recv(sqe, self->fd[1], buf, sizeof(buf), 0);
	sqe->flags |= IOSQE_ASYNC;
	submit(_metadata, &self->io, sqe, 1);
	ASSERT_TRUE(RT_UNTIL(rt_io_worker_sleeps()));
	EXPECT_TRUE(no_cqe(&self->io));
	ASSERT_EQ(4, SYS(send(self->fd[0], "work", 4, 0)));
	EXPECT_EQ(4, next_cqe(&self->io, NULL, NULL));
	EXPECT_EQ(0, memcmp(buf, "work", 4));
}

TEST_F(uring, recv_waitall)
{
	struct io_uring_sqe *sqe;
	int i;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "MSG_WAITALL is for streams");
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_recv(sqe, self->fd[1], buf, 10, MSG_WAITALL);
	submit(_metadata, &self->io, sqe, 1);
	for (i = 0; i < 5; i++) {
		EXPECT_TRUE(no_cqe(&self->io));
		ASSERT_EQ(2, SYS(send(self->fd[0], "01234567890" + 2 * i, 2, 0)));
	}
	EXPECT_EQ(10, next_cqe(&self->io, NULL, NULL));
	EXPECT_EQ(0, memcmp(buf, "0123456789", 10));
}

/* A send that finds no room waits for it. */
TEST_F(uring, send_waits)
{
	struct io_uring_sqe *sqe;
	int how;

	for (how = 0; how < 2; how++) {
		ASSERT_LT(0, rt_fill(self->fd[0], 1000));
		/* There is room for a part of it, which does not go alone. */
		if (variant->type == SOCK_STREAM)
			ASSERT_EQ(500, SYS(recv(self->fd[1], buf, 500, MSG_DONTWAIT)));
		sqe = io_uring_get_sqe(&self->io);
		io_uring_prep_send(sqe, self->fd[0], buf, 1000, 0);
		if (how)
			sqe->flags |= IOSQE_ASYNC;
		submit(_metadata, &self->io, sqe, 1);
		if (how)
			ASSERT_TRUE(RT_UNTIL(rt_io_worker_sleeps()));
		EXPECT_TRUE(no_cqe(&self->io));
		ASSERT_LT(0, rt_drain(self->fd[1], sizeof(buf)));
		EXPECT_EQ(1000, next_cqe(&self->io, NULL, NULL));
		rt_drain(self->fd[1], sizeof(buf));
	}
}

TEST_F(uring, send_peer_closes)
{
	struct io_uring_sqe *sqe;
	int err;

	ASSERT_LT(0, rt_fill(self->fd[0],
			     variant->type == SOCK_STREAM ? 1 : 1000));
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_send(sqe, self->fd[0], buf, 1000, MSG_NOSIGNAL);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_TRUE(no_cqe(&self->io));
	ASSERT_EQ(0, SYS(close(self->fd[1])));
	self->fd[1] = -1;
	err = next_cqe(&self->io, NULL, NULL);
	/* As in wake.c: AF_UNIX's sender may take the reader's error. */
	if (variant->family == RT_RILL || err != -ECONNRESET)
		EXPECT_EQ(-EPIPE, err);
}

TEST_F(uring, accept)
{
	struct io_uring_sqe *sqe;
	int fd, sfd;

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_accept(sqe, self->lfd, NULL, NULL, SOCK_CLOEXEC);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_TRUE(no_cqe(&self->io));
	fd = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, fd);
	sfd = next_cqe(&self->io, NULL, NULL);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(sfd, F_GETFD));
	ASSERT_EQ(1, SYS(send(sfd, "x", 1, 0)));
	EXPECT_EQ(1, SYS(recv(fd, buf, 1, 0)));
	close(sfd);
	close(fd);
}

TEST_F(uring, accept_multishot)
{
	struct io_uring_sqe *sqe;
	unsigned int flags = 0;
	int fd[5], i, sfd;

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_multishot_accept(sqe, self->lfd, NULL, NULL, 0);
	submit(_metadata, &self->io, sqe, 7);
	for (i = 0; i < 5; i++) {
		__u64 data = 0;

		fd[i] = rt_client(variant->family, variant->type, &self->addr);
		ASSERT_LE(0, fd[i]);
		sfd = next_cqe(&self->io, &data, &flags);
		ASSERT_LE(0, sfd);
		EXPECT_EQ(7, data);
		EXPECT_TRUE(flags & IORING_CQE_F_MORE);
		close(sfd);
		close(fd[i]);
	}
	if (variant->family == RT_UNIX)
		return;
	/*
	 * The listener's end ends it, as with TCP.  (AF_UNIX's non-blocking
	 * accept() says EAGAIN even then, so the request never completes.)
	 */
	ASSERT_EQ(0, SYS(shutdown(self->lfd, SHUT_RDWR)));
	EXPECT_EQ(-EINVAL, next_cqe(&self->io, NULL, &flags));
	EXPECT_FALSE(flags & IORING_CQE_F_MORE);
}

TEST_F(uring, connect)
{
	struct io_uring_sqe *sqe;
	int fd;

	/* AF_UNIX looks for room before it looks at the socket's state. */
	ASSERT_EQ(0, SYS(listen(self->lfd, 4)));
	fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, fd);
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_connect(sqe, fd, &self->addr.sa, self->addr.len);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_EQ(0, next_cqe(&self->io, NULL, NULL));
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_connect(sqe, fd, &self->addr.sa, self->addr.len);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_EQ(-EISCONN, next_cqe(&self->io, NULL, NULL));
	close(fd);
}

/* The queue is full: the request completes when the connection is made. */
TEST_F(uring, connect_waits)
{
	struct io_uring_sqe *sqe;
	int fd, filler, how, sfd;

	for (how = 0; how < 2; how++) {
		filler = rt_client(variant->family, variant->type, &self->addr);
		ASSERT_LE(0, filler);
		fd = rt_socket(variant->family, variant->type);
		ASSERT_LE(0, fd);
		sqe = io_uring_get_sqe(&self->io);
		io_uring_prep_connect(sqe, fd, &self->addr.sa, self->addr.len);
		if (how)
			sqe->flags |= IOSQE_ASYNC;
		submit(_metadata, &self->io, sqe, 1);
		if (variant->family == RT_RILL)
			EXPECT_TRUE(rt_wait_line(self->lfd, 1));
		EXPECT_TRUE(no_cqe(&self->io));
		sfd = rt_accept(self->lfd, 0);
		ASSERT_LE(0, sfd);
		EXPECT_EQ(0, next_cqe(&self->io, NULL, NULL));
		close(sfd);
		sfd = rt_accept(self->lfd, 0);
		ASSERT_LE(0, sfd);
		ASSERT_EQ(1, SYS(send(fd, "x", 1, 0)));
		EXPECT_EQ(1, SYS(recv(sfd, buf, 1, 0)));
		close(sfd);
		close(fd);
		close(filler);
	}
}

TEST_F(uring, connect_refused)
{
	struct io_uring_sqe *sqe;
	int fd, filler;

	filler = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, filler);
	fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, fd);
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_connect(sqe, fd, &self->addr.sa, self->addr.len);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_TRUE(no_cqe(&self->io));
	ASSERT_EQ(0, SYS(close(self->lfd)));
	self->lfd = -1;
	EXPECT_EQ(-ECONNREFUSED, next_cqe(&self->io, NULL, NULL));
	close(fd);
	close(filler);
}

static long poll_once(struct __test_metadata *_metadata, struct io_uring *io,
		      int fd, unsigned int events)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(io);

	io_uring_prep_poll_add(sqe, fd, events);
	submit(_metadata, io, sqe, 1);
	return next_cqe(io, NULL, NULL);
}

TEST_F(uring, poll)
{
	struct io_uring_sqe *sqe;

	EXPECT_EQ(POLLOUT, poll_once(_metadata, &self->io, self->fd[1],
				     POLLIN | POLLOUT));
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_poll_add(sqe, self->fd[1], POLLIN | POLLRDHUP);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_TRUE(no_cqe(&self->io));
	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	EXPECT_EQ(POLLIN, next_cqe(&self->io, NULL, NULL));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(POLLIN | POLLRDHUP | POLLHUP,
		  poll_once(_metadata, &self->io, self->fd[1],
			    POLLIN | POLLRDHUP));
}

TEST_F(uring, poll_multishot)
{
	struct io_uring_sqe *sqe;
	unsigned int flags = 0;
	int i;

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_poll_multishot(sqe, self->fd[1], POLLIN);
	submit(_metadata, &self->io, sqe, 3);
	for (i = 0; i < 5; i++) {
		EXPECT_TRUE(no_cqe(&self->io));
		/* Not read in between: each send is an event. */
		ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
		EXPECT_EQ(POLLIN, next_cqe(&self->io, NULL, &flags));
		EXPECT_TRUE(flags & IORING_CQE_F_MORE);
	}
}

/* A writer's poll completes once the reader has made room. */
TEST_F(uring, poll_output)
{
	struct io_uring_sqe *sqe;

	ASSERT_LT(0, rt_fill(self->fd[0], 1000));
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_poll_add(sqe, self->fd[0], POLLOUT);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_TRUE(no_cqe(&self->io));
	ASSERT_LT(0, rt_drain(self->fd[1], sizeof(buf)));
	EXPECT_EQ(POLLOUT, next_cqe(&self->io, NULL, NULL));
}

/* ---- provided buffers -------------------------------------------------------------- */

#define BUFS		8
#define BUF_SIZE	64
#define GROUP		5

static void provide(struct __test_metadata *_metadata, struct io_uring *io,
		    char *bufs, int n, int first)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(io);

	io_uring_prep_provide_buffers(sqe, bufs + first * BUF_SIZE, BUF_SIZE, n,
				      GROUP, first);
	submit(_metadata, io, sqe, 99);
	ASSERT_LE(0, next_cqe(io, NULL, NULL));
}

TEST_F(uring, recv_multishot)
{
	static char bufs[BUFS * BUF_SIZE];
	struct io_uring_sqe *sqe;
	unsigned int flags = 0;
	int i;

	provide(_metadata, &self->io, bufs, BUFS, 0);
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_recv_multishot(sqe, self->fd[1], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	submit(_metadata, &self->io, sqe, 4);
	for (i = 0; i < 3 * BUFS; i++) {
		char msg[16];
		int id;

		snprintf(msg, sizeof(msg), "number %05d", i);
		ASSERT_EQ(12, SYS(send(self->fd[0], msg, 12, 0)));
		ASSERT_EQ(12, next_cqe(&self->io, NULL, &flags));
		EXPECT_TRUE(flags & IORING_CQE_F_MORE);
		ASSERT_TRUE(flags & IORING_CQE_F_BUFFER);
		id = flags >> IORING_CQE_BUFFER_SHIFT;
		ASSERT_LE(0, id);
		ASSERT_GT(BUFS, id);
		EXPECT_EQ(0, memcmp(bufs + id * BUF_SIZE, msg, 12));
		provide(_metadata, &self->io, bufs, 1, id);
	}
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	EXPECT_EQ(0, next_cqe(&self->io, NULL, &flags));
	EXPECT_FALSE(flags & IORING_CQE_F_MORE);
}

/* Without a buffer left it stops, and what arrived stays to be read. */
TEST_F(uring, recv_multishot_runs_out)
{
	static char bufs[BUFS * BUF_SIZE];
	struct io_uring_sqe *sqe;
	unsigned int flags = 0;
	int i;

	provide(_metadata, &self->io, bufs, 2, 0);
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_recv_multishot(sqe, self->fd[1], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	submit(_metadata, &self->io, sqe, 4);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, SYS(send(self->fd[0], "abc" + i, 1, 0)));
		ASSERT_EQ(1, next_cqe(&self->io, NULL, &flags));
		EXPECT_TRUE(flags & IORING_CQE_F_BUFFER);
	}
	ASSERT_EQ(1, SYS(send(self->fd[0], "c", 1, 0)));
	EXPECT_EQ(-ENOBUFS, next_cqe(&self->io, NULL, &flags));
	EXPECT_FALSE(flags & IORING_CQE_F_MORE);
	EXPECT_EQ(1, SYS(recv(self->fd[1], buf, 10, MSG_DONTWAIT)));
	EXPECT_EQ('c', buf[0]);
}

/* The same through a ring of buffers, which needs no request to give one back. */
TEST_F(uring, recv_multishot_buffer_ring)
{
	static char bufs[BUFS * BUF_SIZE];
	struct io_uring_buf_reg reg = { .ring_entries = BUFS, .bgid = GROUP };
	struct io_uring_buf_ring *br;
	struct io_uring_sqe *sqe;
	unsigned int flags = 0;
	int i, mask = io_uring_buf_ring_mask(BUFS);

	br = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		  MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	ASSERT_NE(MAP_FAILED, br);
	reg.ring_addr = (unsigned long)br;
	ASSERT_EQ(0, io_uring_register_buf_ring(&self->io, &reg, 0));
	io_uring_buf_ring_init(br);
	for (i = 0; i < BUFS; i++)
		io_uring_buf_ring_add(br, bufs + i * BUF_SIZE, BUF_SIZE, i, mask,
				      i);
	io_uring_buf_ring_advance(br, BUFS);

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_recv_multishot(sqe, self->fd[1], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	submit(_metadata, &self->io, sqe, 4);
	for (i = 0; i < 4 * BUFS; i++) {
		unsigned char len = 1 + i % BUF_SIZE;
		int id;

		memset(buf, i, len);
		ASSERT_EQ(len, SYS(send(self->fd[0], buf, len, 0)));
		ASSERT_EQ(len, next_cqe(&self->io, NULL, &flags));
		EXPECT_TRUE(flags & IORING_CQE_F_MORE);
		id = flags >> IORING_CQE_BUFFER_SHIFT;
		EXPECT_EQ(0, memcmp(bufs + id * BUF_SIZE, buf, len));
		io_uring_buf_ring_add(br, bufs + id * BUF_SIZE, BUF_SIZE, id,
				      mask, 0);
		io_uring_buf_ring_advance(br, 1);
	}
	munmap(br, 4096);
}

/* ---- cancel, link, close -------------------------------------------------------------- */

static void expect_cancelled(struct __test_metadata *_metadata,
			     struct io_uring *io, __u64 data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(io);
	int i, seen = 0;

	io_uring_prep_cancel64(sqe, data, 0);
	submit(_metadata, io, sqe, 1000);
	for (i = 0; i < 2; i++) {
		__u64 which = 0;
		int res = next_cqe(io, &which, NULL);

		if (which == data) {
			EXPECT_EQ(-ECANCELED, res);
			seen++;
		} else {
			EXPECT_EQ(1000, which);
			EXPECT_EQ(0, res);
		}
	}
	EXPECT_EQ(1, seen);
}

TEST_F(uring, cancel)
{
	struct io_uring_sqe *sqe;
	char b;

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_recv(sqe, self->fd[1], buf, sizeof(buf), 0);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_TRUE(no_cqe(&self->io));
	expect_cancelled(_metadata, &self->io, 1);
	ASSERT_EQ(1, SYS(send(self->fd[0], "k", 1, 0)));
	EXPECT_EQ(1, SYS(recv(self->fd[1], &b, 1, 0)));

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_multishot_accept(sqe, self->lfd, NULL, NULL, 0);
	submit(_metadata, &self->io, sqe, 2);
	expect_cancelled(_metadata, &self->io, 2);

	ASSERT_LT(0, rt_fill(self->fd[0], 1000));
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_send(sqe, self->fd[0], buf, 1000, 0);
	submit(_metadata, &self->io, sqe, 3);
	EXPECT_TRUE(no_cqe(&self->io));
	expect_cancelled(_metadata, &self->io, 3);
}

/* A cancelled connect stands in line still, as an interrupted one does. */
TEST_F(uring, cancel_connect)
{
	struct io_uring_sqe *sqe;
	int fd, filler, sfd;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX's connector waits in a worker");
	filler = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, filler);
	fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, fd);
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_connect(sqe, fd, &self->addr.sa, self->addr.len);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_TRUE(no_cqe(&self->io));
	expect_cancelled(_metadata, &self->io, 1);
	EXPECT_TRUE(rt_wait_line(self->lfd, 1));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(POLLOUT, rt_poll(fd, POLLOUT));
	EXPECT_EQ(0, rt_connect(fd, &self->addr));
	close(sfd);
	close(fd);
	close(filler);
}

TEST_F(uring, link_timeout)
{
	struct __kernel_timespec ts = { .tv_nsec = 50000000 };
	struct io_uring_sqe *sqe;
	unsigned int seen = 0;
	int i;

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_recv(sqe, self->fd[1], buf, sizeof(buf), 0);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = 1;
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_link_timeout(sqe, &ts, 0);
	sqe->user_data = 2;
	ASSERT_EQ(2, io_uring_submit(&self->io));
	for (i = 0; i < 2; i++) {
		__u64 data = 0;
		int res = next_cqe(&self->io, &data, NULL);

		EXPECT_EQ(data == 1 ? -ECANCELED : -ETIME, res);
		seen |= 1U << data;
	}
	/* Both: what never comes is -ETIME, too. */
	EXPECT_EQ(1U << 1 | 1U << 2, seen);
}

TEST_F(uring, shutdown_and_close)
{
	struct io_uring_sqe *sqe;

	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_shutdown(sqe, self->fd[0], SHUT_WR);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_EQ(0, next_cqe(&self->io, NULL, NULL));
	EXPECT_EQ(POLLIN | POLLRDHUP,
		  rt_events(self->fd[1], POLLIN | POLLRDHUP));
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_close(sqe, self->fd[0]);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_EQ(0, next_cqe(&self->io, NULL, NULL));
	self->fd[0] = -1;
	/* The file itself may go after the answer, as 7.2 was seen to have it. */
	EXPECT_TRUE(RT_UNTIL(rt_events(self->fd[1], POLLIN | POLLRDHUP) ==
			     (POLLIN | POLLRDHUP | POLLHUP)));
}

/* The ring goes while requests wait: they go with it, and hold no socket. */
TEST_F(uring, exit_with_requests)
{
	struct io_uring_sqe *sqe;
	struct io_uring io;

	ASSERT_EQ(0, io_uring_queue_init(8, &io, 0));
	sqe = io_uring_get_sqe(&io);
	io_uring_prep_recv(sqe, self->fd[0], buf, sizeof(buf), 0);
	submit(_metadata, &io, sqe, 1);
	sqe = io_uring_get_sqe(&io);
	io_uring_prep_accept(sqe, self->lfd, NULL, NULL, 0);
	submit(_metadata, &io, sqe, 2);
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	/* The request is all that holds it now. */
	EXPECT_EQ(0, rt_events(self->fd[1], POLLIN | POLLRDHUP));
	io_uring_queue_exit(&io);
	EXPECT_EQ(POLLIN | POLLRDHUP | POLLHUP,
		  rt_poll(self->fd[1], POLLIN | POLLRDHUP));
}

/* A close in a worker of io_uring's does not linger. */
TEST_F(uring, worker_does_not_linger)
{
	struct io_uring_sqe *sqe;

	ASSERT_EQ(1, SYS(send(self->fd[0], "x", 1, 0)));
	ASSERT_EQ(0, rt_set_linger(self->fd[0], 1, 1000));
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_close(sqe, self->fd[0]);
	sqe->flags |= IOSQE_ASYNC;
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_EQ(0, next_cqe(&self->io, NULL, NULL));
	self->fd[0] = -1;
	/* The completion may come before the last reference is gone. */
	EXPECT_EQ(POLLRDHUP | POLLHUP, rt_poll(self->fd[1], POLLRDHUP));
	EXPECT_EQ(1, SYS(recv(self->fd[1], buf, 10, 0)));
}

/* A message that had to wait for room comes whole: it is sent twice. */
TEST_F(uring, message_that_waits)
{
	char text[100], in[4000];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct io_uring_sqe *sqe;
	int n = 0;

	if (variant->type == SOCK_STREAM)
		SKIP(return, "streams have no messages");
	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX may send it empty");
	memset(text, 't', sizeof(text));
	/* The receiver's queue is to be full, not what the sender may send. */
	ASSERT_EQ(0, rt_set_int(self->fd[0], SOL_SOCKET, SO_SNDBUFFORCE, 1 << 22));
	while (SYS(send(self->fd[0], buf, sizeof(in), MSG_DONTWAIT)) > 0)
		n++;
	ASSERT_LT(0, n);
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_sendmsg(sqe, self->fd[0], &msg, 0);
	submit(_metadata, &self->io, sqe, 1);
	EXPECT_TRUE(no_cqe(&self->io));
	while (n--)
		ASSERT_EQ(sizeof(in), SYS(recv(self->fd[1], in, sizeof(in), 0)));
	EXPECT_EQ(sizeof(text), next_cqe(&self->io, NULL, NULL));
	ASSERT_EQ(sizeof(text), SYS(recv(self->fd[1], in, sizeof(in), 0)));
	EXPECT_EQ(0, memcmp(text, in, sizeof(text)));
}

/* Where the kernel has them (6.11 and later). */
TEST_F(uring, bind_listen)
{
	struct rt_addr a = rt_new_addr(variant->family);
	struct io_uring_probe *probe;
	struct io_uring_sqe *sqe;
	int client, fd, sfd;
	bool have;

	probe = io_uring_get_probe_ring(&self->io);
	ASSERT_NE(NULL, probe);
	have = probe->last_op >= RT_IORING_OP_LISTEN &&
	       io_uring_opcode_supported(probe, RT_IORING_OP_BIND) &&
	       io_uring_opcode_supported(probe, RT_IORING_OP_LISTEN);
	io_uring_free_probe(probe);
	if (!have)
		SKIP(return, "this kernel's io_uring has no bind and listen");

	fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, fd);
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_rw(RT_IORING_OP_BIND, sqe, fd, &a.sa, 0, a.len);
	submit(_metadata, &self->io, sqe, 1);
	ASSERT_EQ(0, next_cqe(&self->io, NULL, NULL));
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_rw(RT_IORING_OP_LISTEN, sqe, fd, NULL, 3, 0);
	submit(_metadata, &self->io, sqe, 1);
	ASSERT_EQ(0, next_cqe(&self->io, NULL, NULL));
	client = rt_client(variant->family, variant->type, &a);
	ASSERT_LE(0, client);
	sfd = rt_accept(fd, 0);
	ASSERT_LE(0, sfd);
	close(sfd);
	close(client);
	close(fd);
}

/* ---- a server of many connections ------------------------------------------------------ */

#define CLIENTS	20
#define ROUNDS	50

static long ping(void *arg)
{
	struct rt_addr *a = arg;
	enum rt_family family = a->sa.sa_family == AF_UNIX ? RT_UNIX : RT_RILL;
	int fd[CLIENTS], i, round;

	for (i = 0; i < CLIENTS; i++) {
		fd[i] = rt_client(family, SOCK_STREAM, a);
		if (fd[i] < 0)
			return fd[i];
	}
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < CLIENTS; i++) {
			int v = round * CLIENTS + i, err;

			err = rt_send_all(fd[i], &v, sizeof(v));
			if (err)
				return err;
		}
		for (i = 0; i < CLIENTS; i++) {
			int v = -1, err;

			err = rt_recv_all(fd[i], &v, sizeof(v));
			if (err)
				return err;
			if (v != ~(round * CLIENTS + i))
				return -EBADMSG;
		}
	}
	for (i = 0; i < CLIENTS; i++)
		close(fd[i]);
	return 0;
}

enum { OP_ACCEPT = 1000, OP_RECV = 2000, OP_SEND = 3000 };

/* Multishot accept, a receive and a send a connection, all in one ring. */
TEST_F_TIMEOUT(uring, server, 60)
{
	static int values[1024];
	struct io_uring_sqe *sqe;
	struct rt_thread t;
	int left = CLIENTS;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "the streams' variants run it");
	sqe = io_uring_get_sqe(&self->io);
	io_uring_prep_multishot_accept(sqe, self->lfd, NULL, NULL, 0);
	submit(_metadata, &self->io, sqe, OP_ACCEPT);
	ASSERT_EQ(0, rt_thread_start(&t, ping, &self->addr));
	while (left) {
		__u64 data = 0;
		int fd, res;

		res = next_cqe(&self->io, &data, NULL);
		ASSERT_LE(0, res);
		fd = data % 1000;
		if (data == OP_ACCEPT) {
			fd = res;
			ASSERT_GT(1000, fd);
		}
		if (data >= OP_SEND)
			ASSERT_EQ(sizeof(int), res);
		if (data >= OP_RECV && !res) {
			close(fd);
			left--;
			continue;
		}
		sqe = io_uring_get_sqe(&self->io);
		ASSERT_NE(NULL, sqe);
		if (data >= OP_RECV && data < OP_SEND) {
			ASSERT_EQ(sizeof(int), res);
			values[fd] = ~values[fd];
			io_uring_prep_send(sqe, fd, &values[fd], sizeof(int), 0);
			data = OP_SEND + fd;
		} else {
			io_uring_prep_recv(sqe, fd, &values[fd], sizeof(int),
					   MSG_WAITALL);
			data = OP_RECV + fd;
		}
		submit(_metadata, &self->io, sqe, data);
	}
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(0, t.ret);
}

TEST_HARNESS_MAIN
