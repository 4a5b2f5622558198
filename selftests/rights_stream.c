// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files beside the bytes of a stream: where a receive stops, what a partial send
 * carries, at every place of a page, with peeks, splice() and several threads.
 */
#include "rill_test_fds.h"

#include <sys/sendfile.h>

FIXTURE(stream)
{
	int fd[2];
	int open;
};

FIXTURE_VARIANT(stream)
{
	enum rt_family family;
};

FIXTURE_VARIANT_ADD(stream, rill)
{
	.family = RT_RILL,
};

FIXTURE_VARIANT_ADD(stream, unix)
{
	.family = RT_UNIX,
};

FIXTURE_SETUP(stream)
{
	ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, self->fd));
	self->open = rr_count();
}

FIXTURE_TEARDOWN(stream)
{
	EXPECT_EQ(self->open, rr_count());
	close(self->fd[0]);
	close(self->fd[1]);
}

/* ---- where a receive stops ------------------------------------------------ */

/* What comes before the files may come along, what comes behind them may not. */
TEST_F(stream, stops_behind_files)
{
	struct rr_pipe p;
	struct rr_msg m;
	char buf[16];

	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(2, SYS(send(self->fd[0], "aa", 2, 0)));
	ASSERT_EQ(3, rr_send_pipe(self->fd[0], "bbb", 3, 0, &p));
	ASSERT_EQ(4, SYS(send(self->fd[0], "cccc", 4, 0)));
	ASSERT_EQ(5, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(0, memcmp(buf, "aabbb", 5));
	ASSERT_EQ(1, m.n);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
	rr_close(&m);
	ASSERT_EQ(4, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(0, m.n);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* Also a caller that has no room for files, or wants all. */
TEST_F(stream, stops_for_everybody)
{
	struct rr_pipe p;
	char buf[16];
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rr_pipe(&p));
		ASSERT_EQ(2, rr_send_pipe(self->fd[0], "ab", 2, 0, &p));
		ASSERT_EQ(2, SYS(send(self->fd[0], "cd", 2, 0)));
		EXPECT_EQ(2, SYS(i == 0 ? recv(self->fd[1], buf, 4, MSG_WAITALL) :
				 i == 1 ? recv(self->fd[1], buf, 4, MSG_DONTWAIT) :
					  read(self->fd[1], buf, 4)));
		EXPECT_TRUE(rr_gone(&p));
		EXPECT_EQ(2, SYS(recv(self->fd[1], buf, 4, MSG_DONTWAIT)));
		close(p.r);
	}
}

/* Who waits for all gets what there is, when files end it. */
TEST_F(stream, ends_a_wait_for_all)
{
	char buf[16] = "";
	struct rt_call c = {
		.nr = SYS_recvfrom, .fd = self->fd[1], .buf = buf,
		.len = sizeof(buf), .flags = MSG_WAITALL,
	};
	struct rr_pipe p;

	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(1, SYS(send(self->fd[0], "a", 1, 0)));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(2, rr_send_pipe(self->fd[0], "bc", 2, 0, &p));
	EXPECT_EQ(3, rt_call_end(&c));
	EXPECT_STREQ("abc", buf);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* A peek that waits for more than can come, when files end it, does not. */
TEST_F(stream, ends_a_waiting_peek)
{
	char buf[16] = "";
	struct rt_call c = {
		.nr = SYS_recvfrom, .fd = self->fd[1], .buf = buf,
		.len = sizeof(buf), .flags = MSG_PEEK | MSG_WAITALL,
	};
	struct rr_pipe p;

	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(2, rr_send_pipe(self->fd[0], "bc", 2, 0, &p));
	EXPECT_EQ(2, rt_call_end(&c));
	EXPECT_STREQ("bc", buf);
	EXPECT_EQ(2, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* Files of two sends never come together. */
TEST_F(stream, one_send_at_a_time)
{
	struct rr_pipe p, q;
	struct rr_msg m;
	char buf[16];

	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(0, rr_pipe(&q));
	ASSERT_EQ(1, rr_send_pipe(self->fd[0], "a", 1, 0, &p));
	ASSERT_EQ(2, rr_send_pipe(self->fd[0], "bb", 2, 0, &q));
	ASSERT_EQ(1, rr_recv(self->fd[1], buf, sizeof(buf), MSG_WAITALL, &m));
	ASSERT_EQ(1, m.n);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
	rr_close(&m);
	ASSERT_EQ(2, rr_recv(self->fd[1], buf, sizeof(buf), MSG_WAITALL, &m));
	ASSERT_EQ(1, m.n);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &q));
	rr_close(&m);
	close(p.r);
	close(q.r);
}

/* The first byte has them; the rest is like any other byte. */
TEST_F(stream, with_the_first_byte)
{
	struct rr_pipe p;
	struct rr_msg m;
	char buf[16];

	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(4, rr_send_pipe(self->fd[0], "abcd", 4, 0, &p));
	ASSERT_EQ(2, SYS(send(self->fd[0], "ef", 2, 0)));
	ASSERT_EQ(1, rr_recv(self->fd[1], buf, 1, 0, &m));
	EXPECT_EQ(1, m.n);
	rr_close(&m);
	EXPECT_TRUE(rr_gone(&p));
	ASSERT_EQ(5, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(0, memcmp(buf, "bcdef", 5));
	EXPECT_EQ(0, m.n);
	EXPECT_EQ(0, m.flags & MSG_CTRUNC);
	close(p.r);
}

/* Wherever in a page, and across, it stops right behind what came with them. */
TEST_F(stream, at_every_place)
{
	static char buf[16384];
	size_t before, with, i, n = 0;
	struct rr_pipe p;
	struct rr_msg m;

	for (before = 1; before < 9000; before += before < 4000 ? 499 : 29) {
		with = 1 + before * 7 % 5000;
		ASSERT_EQ(0, rr_pipe(&p));
		rd_fill(buf, before, 5, n);
		ASSERT_EQ((long)before, SYS(send(self->fd[0], buf, before, 0)));
		rd_fill(buf, with, 5, n + before);
		ASSERT_EQ((long)with, rr_send_pipe(self->fd[0], buf, with, 0, &p));
		rd_fill(buf, 50, 5, n + before + with);
		ASSERT_EQ(50, SYS(send(self->fd[0], buf, 50, 0)));

		/* Some of what is before, then the rest with the files. */
		i = before / 3;
		ASSERT_EQ((long)i, rr_recv(self->fd[1], buf, i, 0, &m));
		EXPECT_EQ(-1, rd_verify(buf, i, 5, n));
		EXPECT_EQ(0, m.n);
		n += i;
		i = before + with - i;
		ASSERT_EQ((long)i, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m)) {
			TH_LOG("%zu before, %zu with files", before, with);
		}
		EXPECT_EQ(-1, rd_verify(buf, i, 5, n));
		ASSERT_EQ(1, m.n);
		EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
		rr_close(&m);
		n += i;
		ASSERT_EQ(50, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
		EXPECT_EQ(-1, rd_verify(buf, 50, 5, n));
		EXPECT_EQ(0, m.n);
		n += 50;
		close(p.r);
	}
}

/* Also where they begin in one pass over the ring and end in the next. */
TEST_F(stream, longer_than_a_pass)
{
	static char buf[100000];
	struct rr_pipe p;
	struct rr_msg m;

	ASSERT_EQ(0, rr_pipe(&p));
	rd_fill(buf, 50050, 6, 0);
	ASSERT_EQ(20000, SYS(send(self->fd[0], buf, 20000, 0)));
	ASSERT_EQ(30000, rr_send_pipe(self->fd[0], buf + 20000, 30000, 0, &p));
	ASSERT_EQ(50, SYS(send(self->fd[0], buf + 50000, 50, 0)));
	memset(buf, 0, sizeof(buf));
	ASSERT_EQ(50000, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	ASSERT_EQ(1, m.n);
	rr_close(&m);
	ASSERT_EQ(50, rr_recv(self->fd[1], buf + 50000, 50000, 0, &m));
	EXPECT_EQ(-1, rd_verify(buf, 50050, 6, 0));
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/*
 * Then, too, who waits for all does not wait for more; nor where a pass ends in
 * the middle of a page.
 */
TEST_F(stream, ends_a_wait_in_the_next_pass)
{
	static char buf[100000];
	struct rt_call c = {
		.nr = SYS_recvfrom, .fd = self->fd[1], .buf = buf + 500,
		.len = sizeof(buf) - 500, .flags = MSG_WAITALL,
	};
	struct rr_pipe p;

	ASSERT_EQ(0, rr_pipe(&p));
	rd_fill(buf, 50000, 7, 0);
	ASSERT_EQ(20000, SYS(send(self->fd[0], buf, 20000, 0)));
	ASSERT_EQ(30000, rr_send_pipe(self->fd[0], buf + 20000, 30000, 0, &p));
	memset(buf, 0, sizeof(buf));
	ASSERT_EQ(500, SYS(recv(self->fd[1], buf, 500, 0)));
	ASSERT_EQ(0, rt_call_start(&c));
	EXPECT_EQ(49500, rt_call_end(&c));
	EXPECT_EQ(-1, rd_verify(buf, 50000, 7, 0));
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* The credentials of another sender end a receive before his files. */
TEST_F(stream, other_credentials)
{
	struct rr_pipe p;
	struct rr_msg m;
	char buf[16];
	pid_t pid;

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(1, SYS(send(self->fd[0], "a", 1, 0)));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHECK_EQ(2, rr_send(self->fd[0], "bc", 2, 0, &p.w, 1));
		_exit(0);
	}
	ASSERT_EQ(0, rt_wait_child(pid));
	close(p.w);
	ASSERT_EQ(1, SYS(send(self->fd[0], "d", 1, 0)));

	ASSERT_EQ(1, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(getpid(), m.ucred.pid);
	EXPECT_EQ(0, m.n);
	EXPECT_TRUE(rr_held(&p));
	ASSERT_EQ(2, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(pid, m.ucred.pid);
	ASSERT_EQ(1, m.n);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
	rr_close(&m);
	ASSERT_EQ(1, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(getpid(), m.ucred.pid);
	EXPECT_EQ(0, m.n);
	close(p.r);
}

/* ---- peek ---------------------------------------------------------------- */

TEST_F(stream, peek_stops_too)
{
	struct rr_pipe p, q;
	struct rr_msg m;
	char buf[16];
	int i;

	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(0, rr_pipe(&q));
	ASSERT_EQ(2, rr_send_pipe(self->fd[0], "ab", 2, 0, &p));
	ASSERT_EQ(2, rr_send_pipe(self->fd[0], "cd", 2, 0, &q));
	ASSERT_EQ(2, SYS(send(self->fd[0], "ef", 2, 0)));
	for (i = 0; i < 3; i++) {
		/* It does not wait for more, whatever it hoped for. */
		ASSERT_EQ(2, rr_recv(self->fd[1], buf, sizeof(buf),
				     MSG_PEEK | (i == 1 ? MSG_WAITALL : 0), &m));
		EXPECT_EQ(0, memcmp(buf, "ab", 2));
		ASSERT_EQ(1, m.n);
		EXPECT_TRUE(rr_is_pipe(m.fd[0], &p));
		rr_close(&m);
	}
	ASSERT_EQ(1, rr_recv(self->fd[1], buf, 1, 0, &m));
	ASSERT_EQ(1, m.n);
	rr_close(&m);
	EXPECT_TRUE(rr_gone(&p));
	/* The rest of the first may come with what is next. */
	ASSERT_EQ(3, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(0, memcmp(buf, "bcd", 3));
	ASSERT_EQ(1, m.n);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &q));
	rr_close(&m);
	EXPECT_TRUE(rr_gone(&q));
	EXPECT_EQ(2, rt_drain(self->fd[1], 16));
	close(p.r);
	close(q.r);
}

/* Any byte of those that came with files has them, for a peek. */
TEST_F(stream, peek_offset)
{
	struct rr_pipe p, q;
	struct rr_msg m;
	char buf[16];
	int off;

	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(0, rr_pipe(&q));
	ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, 0)));
	ASSERT_EQ(3, rr_send_pipe(self->fd[0], "cde", 3, 0, &p));
	ASSERT_EQ(2, SYS(send(self->fd[0], "fg", 2, 0)));
	ASSERT_EQ(1, rr_send_pipe(self->fd[0], "h", 1, 0, &q));
	for (off = 2; off < 8; off++) {
		long want = off < 5 ? 5 - off : off == 7 ? 1 : 7 - off + 1;

		ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF, off));
		ASSERT_EQ(want, rr_recv(self->fd[1], buf, sizeof(buf), MSG_PEEK, &m)) {
			TH_LOG("at %d", off);
		}
		EXPECT_EQ(0, memcmp(buf, &"abcdefgh"[off], want));
		ASSERT_EQ(1, m.n);
		EXPECT_TRUE(rr_is_pipe(m.fd[0], off < 5 ? &p : &q));
		rr_close(&m);
		/* Without room the files stay, all the same. */
		ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF, off));
		EXPECT_EQ(want, SYS(recv(self->fd[1], buf, sizeof(buf), MSG_PEEK)));
	}
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF, -1));
	ASSERT_EQ(5, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(1, m.n);
	rr_close(&m);
	EXPECT_EQ(3, rt_drain(self->fd[1], 16));
	EXPECT_TRUE(rr_gone(&p));
	EXPECT_TRUE(rr_gone(&q));
	close(p.r);
	close(q.r);
}

/* A read that faults within the bytes of the files has them, and goes on behind. */
TEST_F(stream, fault_inside)
{
	char *edge = rd_map_edge(1);
	struct rr_pipe p;
	struct rr_msg m;
	char buf[8];
	long n;

	ASSERT_NE(NULL, edge);
	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, 0)));
	ASSERT_EQ(4, rr_send_pipe(self->fd[0], "cdef", 4, 0, &p));
	/* Before them: what was read is told, the fault comes next time. */
	n = rr_recv(self->fd[1], edge - 2, 8, 0, &m);
	EXPECT_EQ(2, n);
	EXPECT_EQ(0, m.n);
	EXPECT_TRUE(rr_held(&p));
	n = rr_recv(self->fd[1], edge, 8, 0, &m);
	EXPECT_EQ(-EFAULT, n);
	EXPECT_TRUE(rr_held(&p));
	ASSERT_EQ(4, rr_recv(self->fd[1], buf, sizeof(buf), 0, &m));
	EXPECT_EQ(0, memcmp(buf, "cdef", 4));
	EXPECT_EQ(1, m.n);
	rr_close(&m);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* ---- large, and full --------------------------------------------------------- */

#define LARGE	1000000

struct large {
	int fd;
	int w;
};

static long send_large(void *arg)
{
	struct large *l = arg;
	char *buf = malloc(LARGE);
	long n;

	if (!buf)
		return -ENOMEM;
	rd_fill(buf, LARGE, 9, 0);
	n = rr_send(l->fd, buf, LARGE, 0, &l->w, 1);
	close(l->w);
	free(buf);
	return n;
}

/* The files of a send that takes many passes come once, with its first byte. */
TEST_F(stream, large_send)
{
	struct large l = { .fd = self->fd[0] };
	struct rt_thread t;
	struct rr_pipe p;
	struct rr_msg m;
	char buf[5000];
	int files = 0;
	long n, done;

	ASSERT_EQ(0, rr_pipe(&p));
	l.w = p.w;
	ASSERT_EQ(0, rt_thread_start(&t, send_large, &l));
	for (done = 0; done < LARGE; done += n) {
		n = rr_recv(self->fd[1], buf, sizeof(buf), 0, &m);
		ASSERT_LT(0, n);
		EXPECT_EQ(-1, rd_verify(buf, n, 9, done));
		EXPECT_EQ(done ? 0 : 1, m.n);
		files += m.n;
		rr_close(&m);
	}
	EXPECT_EQ(1, files);
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(LARGE, t.ret);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* No room: nothing is sent, and nothing stays behind. */
TEST_F(stream, full)
{
	struct rr_pipe p;
	struct rr_msg m;
	long filled;
	char c;
	int i;

	filled = rt_fill(self->fd[0], 1000);
	ASSERT_LT(0, filled);
	/* AF_UNIX may have room for less. */
	filled += rt_fill(self->fd[0], 1);
	ASSERT_EQ(0, rr_pipe(&p));
	for (i = 0; i < 100; i++)
		EXPECT_EQ(-EAGAIN, rr_send(self->fd[0], "x", 1, MSG_DONTWAIT, &p.w, 1));
	close(p.w);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
	EXPECT_EQ(filled, rt_drain(self->fd[1], 4096));
	/* And when there is, the first that comes is right. */
	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(1, rr_send_pipe(self->fd[0], "x", 1, MSG_DONTWAIT, &p));
	ASSERT_EQ(1, rr_recv(self->fd[1], &c, 1, 0, &m));
	EXPECT_EQ(1, m.n);
	rr_close(&m);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* What fits takes the files along; the rest, sent by hand, does not. */
TEST_F(stream, partial_send)
{
	long cap, n, sent, done;
	struct rr_pipe p;
	struct rr_msg m;
	char *out, *in;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX does not fill its buffer to the byte");
	ASSERT_EQ(0, rt_set_int(self->fd[0], SOL_SOCKET, SO_SNDBUF, 16384));
	cap = rt_capacity(self->fd[0], self->fd[1]);
	out = malloc(2 * cap);
	in = malloc(2 * cap);
	ASSERT_TRUE(out && in);
	rd_fill(out, 2 * cap, 3, 0);
	ASSERT_EQ(cap - 100, SYS(send(self->fd[0], out, cap - 100, 0)));
	ASSERT_EQ(0, rr_pipe(&p));
	/* Nothing waits: what fits. */
	sent = rr_send_pipe(self->fd[0], out + cap - 100, cap, MSG_DONTWAIT, &p);
	EXPECT_EQ(100, sent);
	EXPECT_TRUE(rr_held(&p));
	for (done = 0; done < cap; done += n) {
		n = rr_recv(self->fd[1], in + done, 2 * cap, MSG_DONTWAIT, &m);
		ASSERT_LT(0, n);
		EXPECT_EQ(done + n == cap, m.n);
		rr_close(&m);
	}
	EXPECT_TRUE(rr_gone(&p));
	ASSERT_EQ(200, SYS(send(self->fd[0], out + cap, 200, 0)));
	ASSERT_EQ(200, rr_recv(self->fd[1], in + cap, 2 * cap, 0, &m));
	EXPECT_EQ(0, m.n);
	EXPECT_EQ(-1, rd_verify(in, cap + 200, 3, 0));
	free(out);
	free(in);
	close(p.r);
}

struct sender {
	int fd;
	int w;
	int flags;
	size_t len;
};

static long send_one(void *arg)
{
	struct sender *s = arg;
	char *buf = calloc(1, s->len);
	long ret = rr_send(s->fd, buf, s->len, s->flags, &s->w, 1);

	close(s->w);
	free(buf);
	return ret;
}

/* A sender that waits for room and is disturbed lets go of its files. */
TEST_F(stream, interrupted)
{
	struct sender s = { .fd = self->fd[0], .len = 1 };
	struct rt_thread t;
	struct rr_pipe p;

	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	ASSERT_LT(0, rt_fill(self->fd[0], 1000));
	ASSERT_LE(0, rt_fill(self->fd[0], 1));
	ASSERT_EQ(0, rr_pipe(&p));
	s.w = p.w;
	ASSERT_EQ(0, rt_thread_start(&t, send_one, &s));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_sendmsg));
	EXPECT_TRUE(rr_held(&p));
	pthread_kill(t.thread, SIGUSR1);
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(-EINTR, t.ret);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* One that waits gets there, files and all, when there is room. */
TEST_F(stream, waits_for_room)
{
	struct sender s = { .fd = self->fd[0], .len = 20000 };
	char buf[4096];
	struct rt_thread t;
	struct rr_pipe p;
	struct rr_msg m;
	long n, all, files = 0;

	all = rt_fill(self->fd[0], 1000);
	ASSERT_LT(0, all);
	all += rt_fill(self->fd[0], 1) + 20000;
	ASSERT_EQ(0, rr_pipe(&p));
	s.w = p.w;
	ASSERT_EQ(0, rt_thread_start(&t, send_one, &s));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_sendmsg));
	for (; all > 0; all -= n) {
		n = rr_recv(self->fd[1], buf, sizeof(buf), 0, &m);
		ASSERT_LT(0, n);
		files += m.n;
		rr_close(&m);
	}
	EXPECT_EQ(0, all);
	EXPECT_EQ(1, files);
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(20000, t.ret);
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
}

/* ---- splice --------------------------------------------------------------- */

/* Out of a stream: it stops behind what came with files, which are closed. */
TEST_F(stream, splice_out)
{
	struct rr_pipe p;
	char buf[16];
	int pp[2];

	ASSERT_EQ(0, pipe(pp));
	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(2, SYS(send(self->fd[0], "ab", 2, 0)));
	ASSERT_EQ(2, rr_send_pipe(self->fd[0], "cd", 2, 0, &p));
	ASSERT_EQ(2, SYS(send(self->fd[0], "ef", 2, 0)));
	EXPECT_EQ(4, SYS(splice(self->fd[1], NULL, pp[1], NULL, 100, SPLICE_F_NONBLOCK)));
	EXPECT_TRUE(rr_gone(&p));
	EXPECT_EQ(2, SYS(splice(self->fd[1], NULL, pp[1], NULL, 100, SPLICE_F_NONBLOCK)));
	EXPECT_EQ(6, SYS(read(pp[0], buf, sizeof(buf))));
	EXPECT_EQ(0, memcmp(buf, "abcdef", 6));
	close(pp[0]);
	close(pp[1]);
	close(p.r);
}

/* Into it: pages by reference before and behind, which know nothing of files. */
TEST_F(stream, splice_in)
{
	int file = memfd_create("rights", MFD_CLOEXEC), pp[2];
	struct rr_pipe p;
	struct rr_msg m;
	char buf[9000];

	/* Its sendpage() appended to what had come with files. */
	if (variant->family == RT_UNIX && !rt_kernel_is(6, 5)) {
		close(file);
		SKIP(return, "AF_UNIX before 6.5 glues them");
	}
	ASSERT_LE(0, file);
	rd_fill(buf, 9000, 8, 0);
	ASSERT_EQ(9000, SYS(write(file, buf, 9000)));
	ASSERT_EQ(0, rr_pipe(&p));
	ASSERT_EQ(0, pipe(pp));
	ASSERT_EQ(0, lseek(file, 0, SEEK_SET));
	ASSERT_EQ(5000, SYS(sendfile(self->fd[0], file, NULL, 5000)));
	ASSERT_EQ(6000, lseek(file, 6000, SEEK_SET));
	ASSERT_EQ(1000, rr_send_pipe(self->fd[0], buf + 5000, 1000, 0, &p));
	ASSERT_EQ(3000, SYS(splice(file, NULL, pp[1], NULL, 3000, 0)));
	ASSERT_EQ(3000, SYS(splice(pp[0], NULL, self->fd[0], NULL, 3000, 0)));
	memset(buf, 0, sizeof(buf));
	/* unix(7) up to 6.4 adds spliced pages to the message with the files. */
	ASSERT_EQ(6000, rr_recv(self->fd[1], buf,
				variant->family == RT_UNIX ? 6000 : sizeof(buf), 0, &m));
	EXPECT_EQ(1, m.n);
	rr_close(&m);
	ASSERT_EQ(3000, rr_recv(self->fd[1], buf + 6000, 3000, 0, &m));
	EXPECT_EQ(0, m.n);
	EXPECT_EQ(-1, rd_verify(buf, 9000, 8, 0));
	EXPECT_TRUE(rr_gone(&p));
	close(p.r);
	close(pp[0]);
	close(pp[1]);
	close(file);
}

/* ---- many at once --------------------------------------------------------------- */

#define WRITERS		3
#define READERS		2
#define RECORDS		200	/* of each writer */

/* As long as a power of two, so that a buffer holds no part of one. */
struct record {
	int writer;
	int nr;
	int with;		/* it has a file, which says the same */
	int pad;
};

struct crowd {
	int fd[2];
	int writer;
	atomic_int seen[WRITERS][RECORDS];
	atomic_int files;
};

static long crowd_write(void *arg)
{
	struct crowd *c = arg;
	struct record r = { 0 };
	int i, pp[2];
	long ret;

	r.writer = __atomic_fetch_add(&c->writer, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < RECORDS; i++) {
		r.nr = i;
		r.with = rd_mix(r.writer * RECORDS + i) % 3 == 0;
		if (r.with) {
			if (pipe(pp))
				return -errno;
			if (write(pp[1], &r, sizeof(r)) != sizeof(r))
				return -EIO;
			close(pp[1]);
			ret = rr_send(c->fd[0], &r, sizeof(r), 0, pp, 1);
			close(pp[0]);
		} else {
			ret = SYS(send(c->fd[0], &r, sizeof(r), MSG_NOSIGNAL));
		}
		if (ret != sizeof(r))
			return ret < 0 ? ret : -EMSGSIZE;
	}
	return 0;
}

static long crowd_read(void *arg)
{
	struct crowd *c = arg;
	struct record r, f;
	struct rr_msg m;
	long ret;

	while ((ret = rr_recv(c->fd[1], &r, sizeof(r), 0, &m)) == sizeof(r)) {
		if (r.writer < 0 || r.writer >= WRITERS || r.nr < 0 || r.nr >= RECORDS)
			return -EBADMSG;
		if (m.n != r.with)
			return -ENOMSG;
		if (m.n && (read(m.fd[0], &f, sizeof(f)) != sizeof(f) ||
			    memcmp(&f, &r, sizeof(r))))
			return -EILSEQ;
		atomic_fetch_add(&c->files, m.n);
		rr_close(&m);
		atomic_fetch_add(&c->seen[r.writer][r.nr], 1);
	}
	return ret > 0 ? -EMSGSIZE : ret;
}

/* Each record is read with its own file and no other. */
TEST_F(stream, crowd)
{
	struct rt_thread w[WRITERS], r[READERS];
	static struct crowd c;
	int i, j, files = 0;

	memset(&c, 0, sizeof(c));
	c.fd[0] = self->fd[0];
	c.fd[1] = self->fd[1];
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, rt_thread_start(&r[i], crowd_read, &c));
	for (i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, rt_thread_start(&w[i], crowd_write, &c));
	for (i = 0; i < WRITERS; i++) {
		ASSERT_TRUE(rt_thread_join(&w[i]));
		EXPECT_EQ(0, w[i].ret);
	}
	ASSERT_EQ(0, shutdown(self->fd[0], SHUT_WR));
	for (i = 0; i < READERS; i++) {
		ASSERT_TRUE(rt_thread_join(&r[i]));
		EXPECT_EQ(0, r[i].ret);
	}
	for (i = 0; i < WRITERS; i++) {
		for (j = 0; j < RECORDS; j++) {
			EXPECT_EQ(1, atomic_load(&c.seen[i][j]));
			files += rd_mix(i * RECORDS + j) % 3 == 0;
		}
	}
	EXPECT_EQ(files, atomic_load(&c.files));
}

TEST_HARNESS_MAIN
