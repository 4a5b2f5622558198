// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages by reference beside everything else: in a stream that also copies, with
 * credentials, in what SO_MEMINFO counts, through io_uring; and messages, into
 * and out of which splice() copies.
 */
#include "rill_test_file.h"

#include <liburing.h>
#include <linux/sock_diag.h>

static char buf[1 << 20];

/* ---- a stream of copies and references ------------------------------------- */

#define TOTAL		(64 * RF_MIB)
#define BIGGEST		(150UL << 10)

/* The byte at position p of the stream is that of the file at p % PERIOD. */
#define PERIOD		1048573UL

static char table[PERIOD + BIGGEST];

struct mix {
	struct rt_thread t;
	int		fd;
	int		file;
	int		pipe[2];
	__u64		x;		/* of the random numbers */
	long		total;
	bool		may_be_full;	/* the descriptor does not block */
	long		ops[4];
};

static unsigned int rnd(struct mix *m, unsigned int max)
{
	m->x ^= m->x << 13;
	m->x ^= m->x >> 7;
	m->x ^= m->x << 17;
	return (m->x >> 16) % max;
}

static size_t rnd_len(struct mix *m, size_t max)
{
	static const size_t most[] = { 16, 700, 5000, 20000, BIGGEST };
	size_t n = 1 + rnd(m, most[rnd(m, ARRAY_SIZE(most))]);

	/* Whole pages, now and then. */
	if (!rnd(m, 4))
		n = (n + 4095) & ~4095UL;
	return n < max ? n : max;
}

/* After -EAGAIN: wait until it may go on.  The errno, or 0 to try again. */
static long again(struct mix *m, long err, short events)
{
	if (err != -EAGAIN || !m->may_be_full)
		return err;
	return rt_poll(m->fd, events) > 0 ? 0 : -ETIMEDOUT;
}

/* All of the pipe into the socket. */
static long push(struct mix *m, long n)
{
	unsigned int flags = rnd(m, 2) ? SPLICE_F_MORE : 0;
	long left = n, k;

	while (left) {
		k = SYS(splice(m->pipe[0], NULL, m->fd, NULL, left, flags));
		if (!k)
			return -ENODATA;
		if (k < 0) {
			k = again(m, k, POLLOUT);
			if (k)
				return k;
		}
		left -= k;
	}
	return n;
}

static long write_once(struct mix *m, unsigned long at, size_t len)
{
	unsigned int how = rnd(m, 4);
	struct iovec iov = { .iov_base = table + at, .iov_len = len };
	loff_t off = at;
	long n;

	m->ops[how]++;
	switch (how) {
	case 0:
		return SYS(send(m->fd, table + at, len, rnd(m, 2) ? MSG_MORE : 0));
	case 1:
		return SYS(sendfile(m->fd, m->file, &off, len));
	case 2:
		n = SYS(splice(m->file, &off, m->pipe[1], NULL, len,
			       SPLICE_F_NONBLOCK));
		break;
	default:
		n = SYS(vmsplice(m->pipe[1], &iov, 1, SPLICE_F_NONBLOCK));
		break;
	}
	return n > 0 ? push(m, n) : n;
}

static long writer(void *arg)
{
	struct mix *m = arg;
	long pos = 0, n;

	while (pos < m->total) {
		unsigned long at = pos % PERIOD;
		size_t max = m->total - pos;

		/* The file ends where the period does. */
		if (max > PERIOD - at)
			max = PERIOD - at;
		n = write_once(m, at, rnd_len(m, max));
		if (n < 0)
			n = again(m, n, POLLOUT);
		if (n < 0)
			return n;
		pos += n;
	}
	return pos;
}

/* Some bytes into in: by recv(), behind a peek, or through a pipe. */
static long read_once(struct mix *m, char *in, size_t len)
{
	unsigned int how = rnd(m, 4);
	long n, k, done;

	m->ops[how]++;
	switch (how) {
	case 0:
		return SYS(recv(m->fd, in, len, 0));
	case 1:
		n = SYS(recv(m->fd, in, len, MSG_PEEK));
		if (n <= 0)
			return n;
		/* The same bytes, or the comparison will tell. */
		return SYS(recv(m->fd, in, 1 + rnd(m, n), 0));
	}
	n = SYS(splice(m->fd, NULL, m->pipe[1], NULL, len,
		       rnd(m, 2) ? SPLICE_F_MOVE : 0));
	for (done = 0; done < n; done += k) {
		k = SYS(read(m->pipe[0], in + done, n - done));
		if (k <= 0)
			return k ? k : -ENODATA;
	}
	return n;
}

static long reader(struct mix *m)
{
	char *in = malloc(BIGGEST);
	long pos = 0, n;

	while (pos < m->total) {
		n = read_once(m, in, rnd_len(m, BIGGEST));
		if (n < 0)
			n = again(m, n, POLLIN);
		if (n < 0) {
			pos = n;
			break;
		}
		if (memcmp(in, table + pos % PERIOD, n)) {
			fprintf(stderr, "# wrong from %ld on, %ld bytes\n", pos, n);
			pos = -EILSEQ;
			break;
		}
		pos += n;
	}
	free(in);
	return pos;
}

FIXTURE(mix)
{
	struct mix in;
	struct mix out;
};

FIXTURE_VARIANT(mix)
{
	enum rt_family family;
	bool nonblock;
	bool passcred;
};

FIXTURE_VARIANT_ADD(mix, rill)
{
	.family = RT_RILL,
};

FIXTURE_VARIANT_ADD(mix, rill_nonblock)
{
	.family = RT_RILL, .nonblock = true,
};

FIXTURE_VARIANT_ADD(mix, rill_passcred)
{
	.family = RT_RILL, .passcred = true,
};

FIXTURE_VARIANT_ADD(mix, unix)
{
	.family = RT_UNIX,
};

FIXTURE_SETUP(mix)
{
	const char *env = getenv("RILL_SEED");
	__u64 seed = env ? strtoull(env, NULL, 0) : (__u64)rt_now_ms();
	int fd[2];

	signal(SIGPIPE, SIG_IGN);
	TH_LOG("RILL_SEED=%llu", (unsigned long long)seed);
	ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, fd));
	self->in.fd = fd[0];
	self->out.fd = fd[1];
	self->in.x = rd_mix(seed) | 1;
	self->out.x = rd_mix(seed + 1) | 1;
	self->in.total = TOTAL;
	self->out.total = TOTAL;
	ASSERT_EQ(0, pipe(self->in.pipe));
	ASSERT_EQ(0, pipe(self->out.pipe));
	self->in.file = rf_make(PERIOD);
	ASSERT_LE(0, self->in.file);
	rd_fill(table, PERIOD, RF_SEED, 0);
	rd_fill(table + PERIOD, BIGGEST, RF_SEED, 0);
	self->in.may_be_full = variant->nonblock;
	self->out.may_be_full = variant->nonblock;
	ASSERT_EQ(0, rt_set_nonblock(fd[0], variant->nonblock));
	ASSERT_EQ(0, rt_set_nonblock(fd[1], variant->nonblock));
	ASSERT_EQ(0, rt_set_int(fd[1], SOL_SOCKET, SO_PASSCRED, variant->passcred));
}

FIXTURE_TEARDOWN(mix)
{
	close(self->in.fd);
	close(self->out.fd);
	close(self->in.file);
}

/* Every byte compared, and the file is what it was. */
TEST_F_TIMEOUT(mix, bytes, 120)
{
	int i;

	ASSERT_EQ(0, rt_thread_start(&self->in.t, writer, &self->in));
	ASSERT_EQ(TOTAL, reader(&self->out));
	ASSERT_TRUE(rt_thread_join(&self->in.t));
	EXPECT_EQ(TOTAL, self->in.t.ret);
	EXPECT_TRUE(rf_intact(self->in.file, PERIOD));
	EXPECT_EQ(0, rf_seal(self->in.file));
	for (i = 0; i < 4; i++) {
		EXPECT_LT(0, self->in.ops[i]);
		EXPECT_LT(0, self->out.ops[i]);
	}
}

/* ---- credentials, memory, io_uring ------------------------------------------ */

FIXTURE(beside)
{
	int fd[2];
	int a[2];
	long page;
};

FIXTURE_VARIANT(beside)
{
	enum rt_family family;
};

FIXTURE_VARIANT_ADD(beside, rill)
{
	.family = RT_RILL,
};

FIXTURE_VARIANT_ADD(beside, unix)
{
	.family = RT_UNIX,
};

FIXTURE_SETUP(beside)
{
	signal(SIGPIPE, SIG_IGN);
	self->page = sysconf(_SC_PAGESIZE);
	ASSERT_EQ(0, pipe(self->a));
	ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, self->fd));
}

FIXTURE_TEARDOWN(beside)
{
	close(self->fd[0]);
	close(self->fd[1]);
	close(self->a[0]);
	close(self->a[1]);
}

/* Bytes of a file come with the credentials of who sent them. */
TEST_F(beside, credentials)
{
	int file = rf_make(self->page);
	off_t off = 100;
	struct rd_msg m;
	struct ucred uc;
	pid_t child;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	ASSERT_EQ(3, SYS(send(self->fd[0], "abc", 3, 0)));
	child = rt_fork();
	ASSERT_LE(0, child);
	if (!child) {
		CHECK_EQ(200, SYS(sendfile(self->fd[0], file, &off, 200)));
		CHECK_EQ(2, SYS(send(self->fd[0], "de", 2, 0)));
		_exit(0);
	}
	ASSERT_EQ(0, rt_wait_child(child));
	off = 300;
	ASSERT_EQ(100, SYS(sendfile(self->fd[0], file, &off, 100)));

	ASSERT_EQ(3, rd_recv(self->fd[1], buf, 1000, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(getpid(), uc.pid);
	ASSERT_EQ(202, rd_recv(self->fd[1], buf, 1000, MSG_WAITALL, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(child, uc.pid);
	EXPECT_EQ(-1, rd_verify(buf, 200, RF_SEED, 100));
	EXPECT_EQ(0, memcmp(buf + 200, "de", 2));
	ASSERT_EQ(100, rd_recv(self->fd[1], buf, 1000, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(getpid(), uc.pid);
	EXPECT_EQ(-1, rd_verify(buf, 100, RF_SEED, 300));
	EXPECT_EQ(0, rf_seal(file));
	close(file);
}

/* A splice() stops where the sender changes, as a recv() does. */
TEST_F(beside, splice_stops_at_credentials)
{
	int i;

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	for (i = 0; i < 3; i++) {
		pid_t child = rt_fork();

		ASSERT_LE(0, child);
		if (!child) {
			CHECK_EQ(2, SYS(send(self->fd[0], "ab", 2, 0)));
			CHECK_EQ(1, SYS(send(self->fd[0], "c", 1, 0)));
			_exit(0);
		}
		ASSERT_EQ(0, rt_wait_child(child));
	}
	for (i = 0; i < 3; i++) {
		/* SO_RCVLOWAT does not make it go on. */
		ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVLOWAT, 3));
		ASSERT_EQ(3, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 100,
					0)));
		EXPECT_EQ(6 - 3 * i, rf_queued(self->fd[1]));
	}
	ASSERT_EQ(9, SYS(read(self->a[0], buf, 100)));
	EXPECT_EQ(0, memcmp(buf, "abcabcabc", 9));

	/* Nobody asks: it goes over it. */
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 0));
	ASSERT_EQ(3, SYS(send(self->fd[0], "abc", 3, 0)));
	ASSERT_EQ(3, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 100, 0)));
}

static long held(int fd)
{
	__u32 m[SK_MEMINFO_VARS];
	socklen_t len = sizeof(m);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, m, &len))
		return -errno;
	return m[SK_MEMINFO_RMEM_ALLOC];
}

/* The ring counts the pages that it allocated, and keeps none that it lent. */
TEST_F(beside, memory)
{
	int file = rf_make(8 * self->page);
	off_t off = 0;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX counts something else");
	ASSERT_LE(0, file);
	ASSERT_EQ(8 * self->page, SYS(sendfile(self->fd[0], file, &off,
					       8 * self->page)));
	EXPECT_EQ(0, held(self->fd[1]));
	ASSERT_TRUE(rf_recv(self->fd[1], 8 * self->page, 0));

	ASSERT_EQ(0, rt_send_all(self->fd[0], buf, 16 * self->page));
	EXPECT_EQ(16 * self->page, held(self->fd[1]));
	ASSERT_EQ(0, rf_splice_all(self->fd[1], self->a[1], 16 * self->page));
	/* The last, which may be a large one, stays until the worker comes by. */
	EXPECT_GE(8 * self->page, held(self->fd[1]));
	EXPECT_TRUE(RT_UNTIL(!held(self->fd[1])));
	ASSERT_EQ(16 * self->page, SYS(read(self->a[0], buf, sizeof(buf))));
	close(file);
}

static int ring_splice(struct io_uring *io, int in, int out, unsigned int len)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(io);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_splice(sqe, in, -1, out, -1, len, 0);
	return io_uring_submit(io);
}

static int ring_result(struct io_uring *io)
{
	struct __kernel_timespec ts = { .tv_sec = RT_WAIT_MS / 1000 };
	struct io_uring_cqe *cqe;
	int err;

	err = io_uring_wait_cqe_timeout(io, &cqe, &ts);
	if (err)
		return err;
	err = cqe->res;
	io_uring_cqe_seen(io, cqe);
	return err;
}

TEST_F(beside, io_uring)
{
	int file = rf_make(3 * self->page);
	struct io_uring io;
	loff_t off = 0;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, io_uring_queue_init(8, &io, 0));
	/* Waits for the data, then takes them. */
	ASSERT_EQ(1, ring_splice(&io, self->fd[1], self->a[1], 100));
	ASSERT_TRUE(RT_UNTIL(rt_io_worker_sleeps()));
	EXPECT_EQ(0, io_uring_cq_ready(&io));
	ASSERT_EQ(5, SYS(send(self->fd[0], "hello", 5, 0)));
	EXPECT_EQ(5, ring_result(&io));
	ASSERT_EQ(5, SYS(read(self->a[0], buf, 100)));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));

	ASSERT_EQ(3 * self->page, SYS(splice(file, &off, self->a[1], NULL,
					     3 * self->page, 0)));
	ASSERT_EQ(1, ring_splice(&io, self->a[0], self->fd[0], 3 * self->page));
	EXPECT_EQ(3 * self->page, ring_result(&io));
	EXPECT_TRUE(rf_recv(self->fd[1], 3 * self->page, 0));
	EXPECT_EQ(0, rf_seal(file));

	/* The end, and nobody there. */
	ASSERT_EQ(3, SYS(write(self->a[1], "abc", 3)));
	close(self->fd[0]);
	self->fd[0] = -1;
	ASSERT_EQ(1, ring_splice(&io, self->fd[1], self->a[1], 100));
	EXPECT_EQ(0, ring_result(&io));
	ASSERT_EQ(1, ring_splice(&io, self->a[0], self->fd[1], 3));
	EXPECT_EQ(-EPIPE, ring_result(&io));
	io_uring_queue_exit(&io);
	close(file);
}

/* ---- messages ----------------------------------------------------------------- */

FIXTURE(messages)
{
	int fd[2];
	int a[2];
	long page;
};

FIXTURE_VARIANT(messages)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(messages, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(messages, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(messages, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(messages, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_SETUP(messages)
{
	signal(SIGPIPE, SIG_IGN);
	self->page = sysconf(_SC_PAGESIZE);
	ASSERT_EQ(0, pipe(self->a));
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
}

FIXTURE_TEARDOWN(messages)
{
	close(self->fd[0]);
	close(self->fd[1]);
	close(self->a[0]);
	close(self->a[1]);
}

/* One message a page before Linux 6.5, larger ones later; copied in any case. */
TEST_F(messages, sendfile)
{
	long len = 3 * self->page + 100, pos = 0, n;
	int file = rf_make(len);
	off_t off = 0;

	ASSERT_LE(0, file);
	ASSERT_EQ(len, SYS(sendfile(self->fd[0], file, &off, len)));
	EXPECT_EQ(0, rf_seal(file));
	while (pos < len) {
		n = SYS(recv(self->fd[1], buf, sizeof(buf), MSG_DONTWAIT));
		ASSERT_LT(0, n);
		ASSERT_EQ(-1, rd_verify(buf, n, RF_SEED, pos));
		pos += n;
	}
	EXPECT_EQ(len, pos);
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], buf, 1, MSG_DONTWAIT)));
	close(file);
}

TEST_F(messages, splice)
{
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(3 + i, SYS(write(self->a[1], "abcdef", 3 + i)));
		ASSERT_EQ(3 + i, SYS(splice(self->a[0], NULL, self->fd[0], NULL,
					    3 + i, 0)));
	}
	ASSERT_EQ(3, SYS(recv(self->fd[1], buf, 100, 0)));
	EXPECT_EQ(0, memcmp(buf, "abc", 3));
	/* One message a call. */
	ASSERT_EQ(4, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 100, 0)));
	ASSERT_EQ(5, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 100, 0)));
	ASSERT_EQ(9, SYS(read(self->a[0], buf, 100)));
	EXPECT_EQ(0, memcmp(buf, "abcdabcde", 9));
}

TEST_F(messages, full_and_closed_peer)
{
	bool dgram = variant->type == SOCK_DGRAM;
	int file = rf_make(self->page);
	off_t off = 0;
	long err;
	int i;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, rt_set_nonblock(self->fd[0], true));
	for (i = 0; i < 100000; i++) {
		off = 0;
		if (sendfile(self->fd[0], file, &off, 1000) != 1000)
			break;
	}
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_LT(0, i);
	ASSERT_GT(100000, i);
	ASSERT_EQ(3, SYS(write(self->a[1], "abc", 3)));
	EXPECT_EQ(-EAGAIN, SYS(splice(self->a[0], NULL, self->fd[0], NULL, 3, 0)));
	EXPECT_EQ(3, rf_queued(self->a[0]));
	while (i--) {
		ASSERT_EQ(1000, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
		ASSERT_EQ(-1, rd_verify(buf, 1000, RF_SEED, 0));
	}
	EXPECT_EQ(3, SYS(splice(self->a[0], NULL, self->fd[0], NULL, 3, 0)));

	ASSERT_EQ(3, SYS(write(self->a[1], "abc", 3)));
	close(self->fd[1]);
	self->fd[1] = -1;
	err = SYS(splice(self->a[0], NULL, self->fd[0], NULL, 3, 0));
	/* A message is lost: AF_UNIX tells the first sender of that. */
	if (variant->family == RT_UNIX && !dgram && err == -ECONNRESET)
		err = SYS(splice(self->a[0], NULL, self->fd[0], NULL, 3, 0));
	EXPECT_EQ(dgram ? -ECONNREFUSED : -EPIPE, err);
	EXPECT_EQ(3, rf_queued(self->a[0]));
	close(file);
}

TEST_HARNESS_MAIN
