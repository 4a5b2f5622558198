// SPDX-License-Identifier: GPL-2.0-only
/*
 * sendfile(), splice(), vmsplice() and tee() with streams: pages that come and
 * go by reference, what becomes of them, and full and closed ends.
 */
#include "rill_test_file.h"

static char buf[1 << 20];

static char pattern(int i)
{
	return "abcdefghijklmnopqrstuvwxyz"[i % 26];
}

/* ---- streams ---------------------------------------------------------------- */

FIXTURE(pages)
{
	int fd[2];
	int a[2];	/* pipes */
	int b[2];
	long page;
};

FIXTURE_VARIANT(pages)
{
	enum rt_family family;
};

FIXTURE_VARIANT_ADD(pages, rill)
{
	.family = RT_RILL,
};

FIXTURE_VARIANT_ADD(pages, unix)
{
	.family = RT_UNIX,
};

FIXTURE_SETUP(pages)
{
	signal(SIGPIPE, SIG_IGN);
	self->page = sysconf(_SC_PAGESIZE);
	ASSERT_EQ(0, pipe(self->a));
	ASSERT_EQ(0, pipe(self->b));
	ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, self->fd));
}

FIXTURE_TEARDOWN(pages)
{
	int i;

	for (i = 0; i < 2; i++) {
		close(self->fd[i]);
		close(self->a[i]);
		close(self->b[i]);
	}
}

TEST_F(pages, sendfile)
{
	long len = 5 * self->page + 123;
	int file = rf_make(len);
	off_t off = 0;

	ASSERT_LE(0, file);
	ASSERT_EQ(len, SYS(sendfile(self->fd[0], file, &off, 10 * len)));
	EXPECT_EQ(len, off);
	EXPECT_EQ(len, rf_queued(self->fd[1]));
	EXPECT_TRUE(rf_recv(self->fd[1], len, 0));

	/* From the middle of a page, over its end. */
	off = self->page - 7;
	ASSERT_EQ(20, SYS(sendfile(self->fd[0], file, &off, 20)));
	EXPECT_TRUE(rf_recv(self->fd[1], 20, self->page - 7));

	/* Nothing is sent of nothing. */
	off = 0;
	EXPECT_EQ(0, SYS(sendfile(self->fd[0], file, &off, 0)));
	off = len;
	EXPECT_EQ(0, SYS(sendfile(self->fd[0], file, &off, 1)));
	off = len + 10 * self->page;
	EXPECT_EQ(0, SYS(sendfile(self->fd[0], file, &off, 1)));
	EXPECT_EQ(0, rf_queued(self->fd[1]));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], buf, 1, MSG_DONTWAIT)));
	close(file);
}

static long do_sendfile(void *arg)
{
	const struct rt_call *c = arg;
	off_t off = (off_t)c->flags << 20;

	return SYS(sendfile(c->fd, c->events, &off, c->len));
}

/* Beyond 4 GiB, in a hole and behind it. */
TEST_F(pages, large_file)
{
	int file = memfd_create("large", MFD_CLOEXEC), i;
	struct rt_call c = {
		.fd = self->fd[0], .events = file, .flags = 5000,
		.len = 20 * RF_MIB + self->page,
	};
	off_t end = (5020LL << 20) + self->page;
	char *in = malloc(RF_MIB), *zero = calloc(1, RF_MIB);

	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, end));
	ASSERT_EQ(3, pwrite(file, "end", 3, end - 3));
	ASSERT_EQ(0, rt_thread_start(&c.t, do_sendfile, &c));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, rt_recv_all(self->fd[1], in, RF_MIB));
		ASSERT_EQ(0, memcmp(in, zero, RF_MIB));
	}
	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, self->page));
	EXPECT_EQ(0, memcmp(in, zero, self->page - 3));
	EXPECT_EQ(0, memcmp(in + self->page - 3, "end", 3));
	EXPECT_EQ((long)c.len, rt_call_end(&c));
	close(file);
	free(in);
	free(zero);
}

/*
 * No copy on the sending side: the pages are the file's own while they wait,
 * so a change of the file shows; and they go back with their last byte.
 */
TEST_F(pages, by_reference)
{
	long len = 3 * self->page;
	int file = rf_make(len);
	char in[16];
	off_t off = 0;

	ASSERT_LE(0, file);
	ASSERT_EQ(len, SYS(sendfile(self->fd[0], file, &off, len)));
	EXPECT_EQ(-EBUSY, rf_seal(file));
	ASSERT_EQ(7, pwrite(file, "CHANGED", 7, self->page + 10));

	ASSERT_TRUE(rf_recv(self->fd[1], self->page + 10, 0));
	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, 7));
	EXPECT_EQ(0, memcmp(in, "CHANGED", 7));
	/* The bytes behind are what they were, to the last. */
	ASSERT_TRUE(rf_recv(self->fd[1], len - self->page - 18,
			    self->page + 17));
	EXPECT_EQ(-EBUSY, rf_seal(file));
	ASSERT_TRUE(rf_recv(self->fd[1], 1, len - 1));
	EXPECT_EQ(0, rf_seal(file));

	/* The stream goes on with bytes of its own. */
	ASSERT_EQ(5, SYS(send(self->fd[0], "after", 5, 0)));
	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, 5));
	EXPECT_EQ(0, memcmp(in, "after", 5));
	close(file);
}

/* What was in the file is old bytes, or zeros; all that was sent arrives. */
TEST_F(pages, truncated_afterwards)
{
	long len = 4 * self->page, i;
	int file = rf_make(len);
	char *in = malloc(len), *want = malloc(len);
	off_t off = 0;

	ASSERT_LE(0, file);
	rd_fill(want, len, RF_SEED, 0);
	ASSERT_EQ(len, SYS(sendfile(self->fd[0], file, &off, len)));
	ASSERT_EQ(0, ftruncate(file, self->page + 100));
	ASSERT_EQ(0, ftruncate(file, 0));
	/* New pages take their place in the file, not in the stream. */
	memset(buf, '!', len);
	ASSERT_EQ(len, pwrite(file, buf, len, 0));
	ASSERT_EQ(5, SYS(send(self->fd[0], "after", 5, 0)));

	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, len));
	for (i = 0; i < len; i++) {
		if (in[i] && in[i] != want[i])
			break;
	}
	EXPECT_EQ(len, i);
	EXPECT_EQ(0, memcmp(in, want, self->page));
	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, 5));
	EXPECT_EQ(0, memcmp(in, "after", 5));
	ASSERT_EQ(len, pread(file, in, len, 0));
	EXPECT_EQ(0, memcmp(in, buf, len));
	close(file);
	free(in);
	free(want);
}

/* Small sends between pages of a file that nobody may write to. */
TEST_F(pages, file_is_never_written)
{
	long len = 20 * self->page, pos;
	int file = rf_make(len), ro, i;
	char path[64], in[600];
	loff_t off;

	ASSERT_LE(0, file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, ro);
	for (i = 0, pos = 0; i < 64; i++, pos += 1234) {
		off = pos;
		ASSERT_EQ(100, SYS(splice(ro, &off, self->a[1], NULL, 100, 0)));
		ASSERT_EQ(100, SYS(splice(self->a[0], NULL, self->fd[0], NULL,
					  100, 0)));
		memset(in, '!', sizeof(in));
		ASSERT_EQ(1 + i % 500, SYS(send(self->fd[0], in, 1 + i % 500, 0)));
		off = pos;
		ASSERT_EQ(50, SYS(sendfile(self->fd[0], ro, &off, 50)));

		ASSERT_TRUE(rf_recv(self->fd[1], 100, pos));
		ASSERT_EQ(0, rt_recv_all(self->fd[1], in, 1 + i % 500));
		EXPECT_EQ('!', in[0]);
		EXPECT_EQ('!', in[i % 500]);
		ASSERT_TRUE(rf_recv(self->fd[1], 50, pos));
	}
	EXPECT_TRUE(rf_intact(file, len));
	EXPECT_EQ(0, rf_seal(file));
	close(ro);
	close(file);
}

/* Whoever was to read them has gone: the pages go at once. */
TEST_F(pages, reader_closes)
{
	long len = 8 * self->page;
	int file = rf_make(len);
	off_t off = 0;

	ASSERT_LE(0, file);
	ASSERT_EQ(len, SYS(sendfile(self->fd[0], file, &off, len)));
	ASSERT_TRUE(rf_recv(self->fd[1], 100, 0));
	EXPECT_EQ(-EBUSY, rf_seal(file));
	close(self->fd[1]);
	self->fd[1] = -1;
	EXPECT_EQ(0, rf_seal(file));
	close(file);
}

/* The writer has gone: they are read, then they go. */
TEST_F(pages, writer_closes)
{
	long len = 8 * self->page;
	int file = rf_make(len);
	off_t off = 0;

	ASSERT_LE(0, file);
	ASSERT_EQ(len, SYS(sendfile(self->fd[0], file, &off, len)));
	close(self->fd[0]);
	self->fd[0] = -1;
	EXPECT_EQ(-EBUSY, rf_seal(file));
	EXPECT_TRUE(rf_recv(self->fd[1], len, 0));
	EXPECT_EQ(0, rf_seal(file));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, 1, 0)));
	close(file);
}

/* SO_LINGER with 0 drops them; AF_UNIX does not know it. */
TEST_F(pages, writer_resets)
{
	long len = 8 * self->page;
	int file = rf_make(len);
	off_t off = 0;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX has no SO_LINGER");
	ASSERT_LE(0, file);
	ASSERT_EQ(len, SYS(sendfile(self->fd[0], file, &off, len)));
	ASSERT_EQ(0, rt_set_linger(self->fd[0], 1, 0));
	close(self->fd[0]);
	self->fd[0] = -1;
	EXPECT_EQ(-ECONNRESET, SYS(splice(self->fd[1], NULL, self->a[1], NULL,
					  len, 0)));
	EXPECT_EQ(0, rf_seal(file));
	close(file);
}

TEST_F(pages, peek)
{
	long len = 3 * self->page;
	int file = rf_make(len);
	char *in = malloc(len);
	off_t off = 0;
	int i;

	ASSERT_LE(0, file);
	ASSERT_EQ(len, SYS(sendfile(self->fd[0], file, &off, len)));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(len, SYS(recv(self->fd[1], in, len, MSG_PEEK)));
		EXPECT_EQ(-1, rd_verify(in, len, RF_SEED, 0));
	}
	EXPECT_EQ(-EBUSY, rf_seal(file));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF, 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(self->page, SYS(recv(self->fd[1], in, self->page,
					       MSG_PEEK)));
		EXPECT_EQ(-1, rd_verify(in, self->page, RF_SEED, i * self->page));
	}
	/* What is taken out moves the offset back, also if a pipe takes it. */
	ASSERT_EQ(100, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 100, 0)));
	EXPECT_EQ(2 * self->page - 100,
		  rt_get_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF));
	ASSERT_EQ(50, SYS(recv(self->fd[1], in, 50, MSG_PEEK)));
	EXPECT_EQ(-1, rd_verify(in, 50, RF_SEED, 2 * self->page));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF, -1));
	EXPECT_TRUE(rf_recv(self->fd[1], len - 100, 100));
	ASSERT_EQ(100, SYS(read(self->a[0], in, 100)));
	EXPECT_EQ(-1, rd_verify(in, 100, RF_SEED, 0));
	EXPECT_EQ(0, rf_seal(file));
	close(file);
	free(in);
}

/* Memory of this program: the reader sees what is there when it reads. */
TEST_F(pages, vmsplice)
{
	long len = 4 * self->page;
	char *mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { .iov_base = mem + 100, .iov_len = len - 200 };
	char *in = malloc(len);

	ASSERT_NE(MAP_FAILED, mem);
	rd_fill(mem, len, RF_SEED, 0);
	ASSERT_EQ(len - 200, SYS(vmsplice(self->a[1], &iov, 1, 0)));
	ASSERT_EQ(len - 200, SYS(splice(self->a[0], NULL, self->fd[0], NULL, len,
					0)));
	memset(mem + self->page, '#', 10);
	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, len - 200));
	EXPECT_EQ(-1, rd_verify(in, self->page - 100, RF_SEED, 100));
	EXPECT_EQ(0, memcmp(in + self->page - 100, "##########", 10));
	EXPECT_EQ(-1, rd_verify(in + self->page - 90, len - self->page - 110, RF_SEED,
				self->page + 10));
	/* They are gone before what was lent is read. */
	ASSERT_EQ(len - 200, SYS(vmsplice(self->a[1], &iov, 1, 0)));
	ASSERT_EQ(len - 200, SYS(splice(self->a[0], NULL, self->fd[0], NULL, len,
					0)));
	ASSERT_EQ(0, munmap(mem, len));
	ASSERT_EQ(0, rt_recv_all(self->fd[1], in, len - 200));
	EXPECT_EQ(-1, rd_verify(in, self->page - 100, RF_SEED, 100));
	free(in);
}

/* ---- wake-ups, full and closed peers -------------------------------------------- */

/* splice() as a call of its own: from fd to events, len bytes, flags. */
static long do_splice(void *arg)
{
	struct rt_call *c = arg;
	struct rt_watch watch = rt_watch_start();
	long ret;

	ret = SYS(splice(c->fd, NULL, c->events, NULL, c->len, c->flags));
	c->lasted_ms = rt_watch_ms(&watch);
	return ret;
}

static int splice_start(struct rt_call *c, int in, int out, size_t len)
{
	memset(c, 0, sizeof(*c));
	c->nr = SYS_splice;
	c->fd = in;
	c->events = out;
	c->len = len;
	return rt_thread_start(&c->t, do_splice, c);
}

/* "There is more to come" keeps no reader from what there is. */
TEST_F(pages, more_wakes)
{
	struct rt_call c = {
		.nr = SYS_recvfrom, .fd = self->fd[1], .buf = buf, .len = 100,
	};
	int file = rf_make(100);
	off_t off = 0;

	ASSERT_LE(0, file);
	ASSERT_EQ(10, SYS(sendfile(self->a[1], file, &off, 10)));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(10, SYS(splice(self->a[0], NULL, self->fd[0], NULL, 10,
				 SPLICE_F_MORE)));
	ASSERT_EQ(10, rt_call_end(&c));
	EXPECT_EQ(-1, rd_verify(buf, 10, RF_SEED, 0));

	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(4, SYS(send(self->fd[0], "more", 4, MSG_MORE)));
	ASSERT_EQ(4, rt_call_end(&c));

	/* And of a file that has less than was asked for. */
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	off = 50;
	ASSERT_EQ(50, SYS(sendfile(self->fd[0], file, &off, RF_MIB)));
	ASSERT_EQ(50, rt_call_end(&c));
	EXPECT_EQ(-1, rd_verify(buf, 50, RF_SEED, 50));
	close(file);
}

/* Fills the socket with the file, whose bytes come back in rf_recv(). */
static long fill(int fd, int file)
{
	off_t off = 0;
	long n;

	rt_set_nonblock(fd, true);
	do {
		n = SYS(sendfile(fd, file, &off, 100000));
	} while (n > 0);
	rt_set_nonblock(fd, false);
	return n == -EAGAIN ? off : n;
}

TEST_F(pages, full_peer_nonblocking)
{
	int file = rf_make(4 * RF_MIB);
	loff_t off;
	long n;

	ASSERT_LE(0, file);
	n = fill(self->fd[0], file);
	ASSERT_LT(self->page, n);
	ASSERT_GT(4 * RF_MIB, n);
	if (variant->family == RT_RILL)
		EXPECT_GE(rt_capacity(self->fd[0], self->fd[1]), n);
	off = n;
	ASSERT_EQ(100, SYS(splice(file, &off, self->a[1], NULL, 100, 0)));
	ASSERT_EQ(0, rt_set_nonblock(self->fd[0], true));
	EXPECT_EQ(-EAGAIN, SYS(splice(self->a[0], NULL, self->fd[0], NULL, 100,
				      0)));
	EXPECT_EQ(0, rt_events(self->fd[0], POLLOUT));
	/* They are still there. */
	EXPECT_EQ(100, rf_queued(self->a[0]));
	EXPECT_TRUE(rf_recv(self->fd[1], n, 0));
	EXPECT_EQ(POLLOUT, rt_events(self->fd[0], POLLOUT));
	EXPECT_EQ(100, SYS(splice(self->a[0], NULL, self->fd[0], NULL, 100, 0)));
	EXPECT_TRUE(rf_recv(self->fd[1], 100, n));
	close(file);
}

TEST_F(pages, full_peer_blocks)
{
	int file = rf_make(4 * RF_MIB);
	struct rt_call c;
	loff_t off;
	long n;

	ASSERT_LE(0, file);
	n = fill(self->fd[0], file);
	ASSERT_LT(self->page, n);
	off = n;
	ASSERT_EQ(5000, SYS(splice(file, &off, self->a[1], NULL, 5000, 0)));
	ASSERT_EQ(0, splice_start(&c, self->a[0], self->fd[0], 5000));
	ASSERT_TRUE(rt_call_sleeps(&c));
	EXPECT_TRUE(rf_recv(self->fd[1], n + 5000, 0));
	EXPECT_EQ(5000, rt_call_end(&c));
	close(file);
}

/* A large sendfile() into a small socket, with somebody who reads slowly. */
TEST_F(pages, sendfile_waits_for_room)
{
	int file = rf_make(RF_MIB);
	struct rt_call c = { .fd = self->fd[0], .events = file, .len = RF_MIB };
	size_t pos = 0, n = 1;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, rt_set_int(self->fd[0], SOL_SOCKET, SO_SNDBUF, 5000));
	ASSERT_EQ(0, rt_thread_start(&c.t, do_sendfile, &c));
	for (; pos < RF_MIB; pos += n, n = n * 3 % 9973) {
		if (n > RF_MIB - pos)
			n = RF_MIB - pos;
		ASSERT_TRUE(rf_recv(self->fd[1], n, pos));
	}
	EXPECT_EQ(RF_MIB, rt_call_end(&c));
	EXPECT_EQ(0, rf_seal(file));
	close(file);
}

TEST_F(pages, full_peer_timeout)
{
	int file = rf_make(4 * RF_MIB);
	struct rt_call c;
	long n;

	ASSERT_LE(0, file);
	n = fill(self->fd[0], file);
	ASSERT_LT(self->page, n);
	ASSERT_EQ(3, SYS(write(self->a[1], "abc", 3)));
	ASSERT_EQ(0, rt_set_timeo(self->fd[0], SO_SNDTIMEO, 100));
	ASSERT_EQ(0, splice_start(&c, self->a[0], self->fd[0], 3));
	EXPECT_EQ(-EAGAIN, rt_call_end(&c));
	EXPECT_LE(100 - RT_TICK_MS, c.lasted_ms);
	EXPECT_EQ(3, rf_queued(self->a[0]));
	EXPECT_TRUE(rf_recv(self->fd[1], n, 0));
	close(file);
}

TEST_F(pages, full_peer_signal)
{
	int file = rf_make(4 * RF_MIB);
	struct rt_call c;
	long n;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	n = fill(self->fd[0], file);
	ASSERT_LT(self->page, n);
	ASSERT_EQ(3, SYS(write(self->a[1], "abc", 3)));
	ASSERT_EQ(0, splice_start(&c, self->a[0], self->fd[0], 3));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, rt_call_end(&c));
	EXPECT_TRUE(rf_recv(self->fd[1], n, 0));
	close(file);
}

TEST_F(pages, full_peer_closes)
{
	int file = rf_make(4 * RF_MIB);
	struct rt_call c;

	ASSERT_LE(0, file);
	ASSERT_LT(self->page, fill(self->fd[0], file));
	ASSERT_EQ(3, SYS(write(self->a[1], "abc", 3)));
	ASSERT_EQ(0, splice_start(&c, self->a[0], self->fd[0], 3));
	ASSERT_TRUE(rt_call_sleeps(&c));
	close(self->fd[1]);
	self->fd[1] = -1;
	/* Unread bytes are lost: AF_UNIX tells a sender that sleeps of that. */
	EXPECT_EQ(variant->family == RT_RILL ? -EPIPE : -ECONNRESET,
		  rt_call_end(&c));
	EXPECT_EQ(0, rf_seal(file));
	close(file);
}

static atomic_int sigpipes;

static void on_sigpipe(int sig)
{
	(void)sig;
	atomic_fetch_add(&sigpipes, 1);
}

TEST_F(pages, closed_peer)
{
	int file = rf_make(self->page), i;
	off_t off;

	ASSERT_LE(0, file);
	signal(SIGPIPE, on_sigpipe);
	ASSERT_EQ(3, SYS(write(self->a[1], "abc", 3)));
	close(self->fd[1]);
	self->fd[1] = -1;
	for (i = 0; i < 2; i++) {
		atomic_store(&sigpipes, 0);
		/* errno: splice EPIPE */
		EXPECT_EQ(-EPIPE, SYS(splice(self->a[0], NULL, self->fd[0], NULL,
					     3, 0)));
		EXPECT_EQ(1, atomic_load(&sigpipes));
		EXPECT_EQ(3, rf_queued(self->a[0]));
		off = 0;
		/* errno: sendfile EPIPE */
		EXPECT_EQ(-EPIPE, SYS(sendfile(self->fd[0], file, &off, 10)));
		EXPECT_EQ(2, atomic_load(&sigpipes));
		EXPECT_EQ(0, off);
	}
	EXPECT_EQ(0, rf_seal(file));
	close(file);
}

TEST_F(pages, shut_down)
{
	int file = rf_make(self->page), other[2];
	off_t off = 0;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, shutdown(self->fd[0], SHUT_WR));
	EXPECT_EQ(-EPIPE, SYS(sendfile(self->fd[0], file, &off, 10)));
	EXPECT_EQ(0, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 10, 0)));
	ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, other));
	ASSERT_EQ(0, shutdown(other[1], SHUT_RD));
	EXPECT_EQ(-EPIPE, SYS(sendfile(other[0], file, &off, 10)));
	close(other[0]);
	close(other[1]);
	close(file);
}

/* Not connected: as in tcp(7) for AF_RILL, see sockopt and connect tests. */
TEST_F(pages, not_connected)
{
	int fd = rt_socket(variant->family, SOCK_STREAM);
	long err = variant->family == RT_RILL ? -ENOTCONN : -EINVAL;

	ASSERT_LE(0, fd);
	ASSERT_EQ(3, SYS(write(self->a[1], "abc", 3)));
	EXPECT_EQ(-ENOTCONN, SYS(splice(self->a[0], NULL, fd, NULL, 3, 0)));
	EXPECT_EQ(err, SYS(splice(fd, NULL, self->b[1], NULL, 3, 0)));
	close(fd);
}

/* ---- into a pipe -------------------------------------------------------------- */

TEST_F(pages, out_waits)
{
	struct rt_call c;

	ASSERT_EQ(0, splice_start(&c, self->fd[1], self->a[1], 100));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(5, SYS(send(self->fd[0], "hello", 5, 0)));
	ASSERT_EQ(5, rt_call_end(&c));
	ASSERT_EQ(5, SYS(read(self->a[0], buf, 100)));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));

	/* SO_RCVTIMEO, a signal. */
	ASSERT_EQ(0, rt_set_timeo(self->fd[1], SO_RCVTIMEO, 100));
	ASSERT_EQ(0, splice_start(&c, self->fd[1], self->a[1], 100));
	EXPECT_EQ(-EAGAIN, rt_call_end(&c));
	EXPECT_LE(100 - RT_TICK_MS, c.lasted_ms);
	ASSERT_EQ(0, rt_set_timeo(self->fd[1], SO_RCVTIMEO, 0));
	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	ASSERT_EQ(0, splice_start(&c, self->fd[1], self->a[1], 100));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, rt_call_end(&c));

	/* The end comes while it waits. */
	ASSERT_EQ(0, splice_start(&c, self->fd[1], self->a[1], 100));
	ASSERT_TRUE(rt_call_sleeps(&c));
	close(self->fd[0]);
	self->fd[0] = -1;
	EXPECT_EQ(0, rt_call_end(&c));
	EXPECT_EQ(0, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 1, 0)));
}

TEST_F(pages, out_does_not_wait)
{
	/* errno: splice EAGAIN */
	EXPECT_EQ(-EAGAIN, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 1,
				      SPLICE_F_NONBLOCK)));
	ASSERT_EQ(0, rt_set_nonblock(self->fd[1], true));
	EXPECT_EQ(-EAGAIN, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 1, 0)));
	ASSERT_EQ(5, SYS(send(self->fd[0], "hello", 5, 0)));
	EXPECT_EQ(5, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 100,
				SPLICE_F_NONBLOCK)));
	/* Nothing asked for, nothing done. */
	EXPECT_EQ(0, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 0, 0)));
}

TEST_F(pages, out_of_a_reset)
{
	ASSERT_EQ(1, SYS(send(self->fd[1], "x", 1, 0)));
	ASSERT_EQ(5, SYS(send(self->fd[0], "hello", 5, 0)));
	close(self->fd[0]);
	self->fd[0] = -1;
	EXPECT_EQ(5, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 100, 0)));
	/* errno: splice ECONNRESET */
	EXPECT_EQ(-ECONNRESET, SYS(splice(self->fd[1], NULL, self->a[1], NULL,
					  100, 0)));
	EXPECT_EQ(0, SYS(splice(self->fd[1], NULL, self->a[1], NULL, 100, 0)));
}

/* The pipe is full before the socket is empty: the rest stays. */
TEST_F(pages, out_to_a_full_pipe)
{
	long len = 3 * self->page;
	int file = rf_make(len);
	char *in = malloc(len);
	off_t off = 0;
	int i;

	ASSERT_LE(0, file);
	ASSERT_EQ(self->page, SYS(fcntl(self->a[1], F_SETPIPE_SZ, self->page)));
	ASSERT_EQ(len, SYS(sendfile(self->fd[0], file, &off, len)));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(self->page, SYS(splice(self->fd[1], NULL, self->a[1],
						 NULL, len, 0)));
		EXPECT_EQ(-EAGAIN, SYS(splice(self->fd[1], NULL, self->a[1], NULL,
					      len, SPLICE_F_NONBLOCK)));
		EXPECT_EQ(len - (i + 1) * self->page, rf_queued(self->fd[1]));
		ASSERT_EQ(self->page, SYS(read(self->a[0], in, len)));
		EXPECT_EQ(-1, rd_verify(in, self->page, RF_SEED, i * self->page));
	}
	EXPECT_EQ(0, rf_seal(file));
	close(file);
	free(in);
}

/* SO_RCVLOWAT is not waited for where the pipe has room for less. */
TEST_F(pages, out_lowat_and_full_pipe)
{
	struct rt_call c;
	int i;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX waits for SO_RCVLOWAT with a full pipe");
	ASSERT_EQ(self->page, SYS(fcntl(self->b[1], F_SETPIPE_SZ, self->page)));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVLOWAT, 1000));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(3, SYS(write(self->a[1], "abc", 3)));
		ASSERT_EQ(3, SYS(splice(self->a[0], NULL, self->fd[0], NULL, 3,
					0)));
	}
	ASSERT_EQ(0, splice_start(&c, self->fd[1], self->b[1], 1000));
	EXPECT_EQ(3, rt_call_end(&c));
	EXPECT_EQ(3, rf_queued(self->fd[1]));
}

/*
 * What a pipe, and a tee() of it, got is theirs: it stays while the socket goes
 * on with pages of its own.  In turn whole pages, and a page that is still open.
 */
TEST_F(pages, teed_bytes_stay)
{
	long sizes[] = { 3 * self->page, 100, self->page + 100, 8 * self->page };
	char *out = malloc(RF_MIB), *in = malloc(RF_MIB);
	unsigned int i;
	long n, k, sent;

	for (i = 0; i < 4 * ARRAY_SIZE(sizes); i++) {
		n = sizes[i % ARRAY_SIZE(sizes)];
		memset(out, pattern(i), n);
		ASSERT_EQ(0, rt_send_all(self->fd[0], out, n));
		for (k = 0; k < n;) {
			long m = SYS(splice(self->fd[1], NULL, self->a[1], NULL,
					    n - k, 0));

			ASSERT_LT(0, m);
			k += m;
		}
		ASSERT_EQ(n, SYS(tee(self->a[0], self->b[1], n, 0)));
		/* The pages would be used again now, were they free. */
		memset(out, '!', 40 * self->page);
		for (sent = 0; sent < 40 * self->page; sent += k) {
			k = 1 + sent * 7 % 9999;
			ASSERT_EQ(0, rt_send_all(self->fd[0], out, k));
			ASSERT_EQ(0, rt_recv_all(self->fd[1], in, k));
		}
		memset(out, pattern(i), n);
		ASSERT_EQ(n, SYS(read(self->a[0], in, n)));
		EXPECT_EQ(0, memcmp(in, out, n));
		memset(in, 0, n);
		ASSERT_EQ(n, SYS(read(self->b[0], in, n)));
		EXPECT_EQ(0, memcmp(in, out, n));
	}
	free(in);
	free(out);
}

/* File, pipe, socket, pipe, socket, pipe, file: nobody copies before the end. */
TEST_F(pages, chain)
{
	int second[2], from = rf_make(RF_MIB), to = rf_make(0);
	long len = 10 * self->page, pos;

	ASSERT_LE(0, from);
	ASSERT_LE(0, to);
	ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, second));
	ASSERT_EQ(0, lseek(from, 0, SEEK_SET));
	for (pos = 0; pos + len <= RF_MIB; pos += len) {
		ASSERT_EQ(0, rf_splice_all(from, self->a[1], len));
		ASSERT_EQ(0, rf_splice_all(self->a[0], self->fd[0], len));
		ASSERT_EQ(0, rf_splice_all(self->fd[1], self->b[1], len));
		ASSERT_EQ(0, rf_splice_all(self->b[0], second[0], len));
		ASSERT_EQ(0, rf_splice_all(second[1], self->a[1], len));
		if (!pos)
			EXPECT_EQ(-EBUSY, rf_seal(from));
		ASSERT_EQ(0, rf_splice_all(self->a[0], to, len));
	}
	EXPECT_TRUE(rf_intact(to, pos));
	EXPECT_TRUE(rf_intact(from, RF_MIB));
	EXPECT_EQ(0, rf_seal(from));
	EXPECT_EQ(0, rf_seal(to));
	close(second[0]);
	close(second[1]);
	close(from);
	close(to);
}

/* Bytes of a ring's own, through another socket and back into a file. */
TEST_F(pages, relay)
{
	int second[2], to = rf_make(0);
	long len = 7 * self->page + 77, pos = 0;
	char *out = malloc(len);
	int i;

	ASSERT_LE(0, to);
	ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, second));
	for (i = 0; i < 20; i++, pos += len) {
		rd_fill(out, len, RF_SEED, pos);
		ASSERT_EQ(0, rt_send_all(self->fd[0], out, len));
		ASSERT_EQ(0, rf_splice_all(self->fd[1], self->a[1], len));
		ASSERT_EQ(0, rf_splice_all(self->a[0], second[0], len));
		ASSERT_EQ(0, rf_splice_all(second[1], self->b[1], len));
		ASSERT_EQ(0, rf_splice_all(self->b[0], to, len));
	}
	EXPECT_TRUE(rf_intact(to, pos));
	close(second[0]);
	close(second[1]);
	close(to);
	free(out);
}

/* One byte a page: bounded, and writable again after it was read. */
TEST_F(pages, many_small_pieces)
{
	int file = rf_make(self->page), i;
	loff_t off = 0;
	long n;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX puts pieces together, and has another bound");
	ASSERT_LE(0, file);
	ASSERT_EQ(0, rt_set_nonblock(self->fd[0], true));
	for (i = 0; i < 100000; i++) {
		off = i % self->page;
		ASSERT_EQ(1, SYS(splice(file, &off, self->a[1], NULL, 1, 0)));
		n = SYS(splice(self->a[0], NULL, self->fd[0], NULL, 1, 0));
		if (n == -EAGAIN)
			break;
		ASSERT_EQ(1, n);
	}
	/* A slot for each 512 bytes of the capacity. */
	EXPECT_GE(rt_capacity(self->fd[0], self->fd[1]) / 512, i);
	ASSERT_LT(15, i);
	EXPECT_EQ(0, rt_events(self->fd[0], POLLOUT));
	EXPECT_EQ(i, rf_queued(self->fd[1]));
	for (n = 0; n < i; n++)
		ASSERT_TRUE(rf_recv(self->fd[1], 1, n % self->page));
	EXPECT_EQ(POLLOUT, rt_events(self->fd[0], POLLOUT));
	EXPECT_EQ(0, rf_queued(self->fd[1]));
	ASSERT_EQ(1, SYS(splice(self->a[0], NULL, self->fd[0], NULL, 1, 0)));
	ASSERT_EQ(1, SYS(recv(self->fd[1], buf, 10, 0)));
	EXPECT_EQ(0, rf_seal(file));
	close(file);
}

TEST_HARNESS_MAIN
