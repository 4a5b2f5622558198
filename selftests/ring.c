// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring under a stream: its capacity, that no byte is lost, doubled or
 * moved whatever the sizes, and the hand-over between writers and readers.
 * (The gibibyte is in integrity.c.)
 */
#include "rill_test.h"

static unsigned int rnd(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 8) % n;
}

/* The byte at a position of the stream; its period is no power of two. */
static unsigned char pattern(long pos)
{
	return (unsigned char)(pos % 251 ^ pos / 251 % 241);
}

static void fill_pattern(unsigned char *buf, long pos, long len)
{
	long i;

	for (i = 0; i < len; i++)
		buf[i] = pattern(pos + i);
}

/* The first position that is wrong, or -1. */
static long check_pattern(const unsigned char *buf, long pos, long len)
{
	long i;

	for (i = 0; i < len; i++) {
		if (buf[i] != pattern(pos + i))
			return pos + i;
	}
	return -1;
}

/* ---- what AF_UNIX promises too -------------------------------------------- */

FIXTURE(flow)
{
	int fd[2];
};

FIXTURE_VARIANT(flow)
{
	enum rt_family family;
	int buffer;	/* 0: the default */
};

FIXTURE_VARIANT_ADD(flow, rill_smallest)
{
	.family = RT_RILL, .buffer = 1,
};

FIXTURE_VARIANT_ADD(flow, rill_odd)
{
	.family = RT_RILL, .buffer = 9001,
};

FIXTURE_VARIANT_ADD(flow, rill_usual)
{
	.family = RT_RILL, .buffer = 0,
};

FIXTURE_VARIANT_ADD(flow, unix_smallest)
{
	.family = RT_UNIX, .buffer = 1,
};

FIXTURE_VARIANT_ADD(flow, unix_usual)
{
	.family = RT_UNIX, .buffer = 0,
};

static int set_buffers(const int fd[2], int size)
{
	int err, i;

	for (i = 0; size && i < 2; i++) {
		err = rt_set_int(fd[i], SOL_SOCKET, SO_SNDBUF, size);
		if (!err)
			err = rt_set_int(fd[i], SOL_SOCKET, SO_RCVBUF, size);
		if (err)
			return err;
	}
	return 0;
}

FIXTURE_SETUP(flow)
{
	ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, self->fd));
	ASSERT_EQ(0, set_buffers(self->fd, variant->buffer));
}

FIXTURE_TEARDOWN(flow)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

static unsigned char wbuf[300000], rbuf[300000];

/* Random sizes in and out, looks in between: each byte once, in its place. */
TEST_F_TIMEOUT(flow, random, 120)
{
	unsigned int seed = 42 + variant->buffer;
	long wpos = 0, rpos = 0;
	int i;

	for (i = 0; i < 30000; i++) {
		unsigned int max = i / 1000 & 1 ? 50 : i / 100 & 1 ? 5000 : 70000;
		bool fill = i / 50 & 1;
		long len = 1 + rnd(&seed, max), n;
		int inq = -1;

		switch (rnd(&seed, 4)) {
		case 0:
		case 1:
			if (!fill && rnd(&seed, 2))
				break;
			fill_pattern(wbuf, wpos, len);
			n = SYS(send(self->fd[0], wbuf, len, MSG_DONTWAIT));
			if (n != -EAGAIN) {
				ASSERT_LT(0, n);
				wpos += n;
			}
			break;
		case 2:
			n = SYS(recv(self->fd[1], rbuf, len,
				     MSG_DONTWAIT | MSG_PEEK));
			if (n != -EAGAIN) {
				ASSERT_LT(0, n);
				ASSERT_EQ(-1, check_pattern(rbuf, rpos, n));
			}
			ASSERT_EQ(0, SYS(ioctl(self->fd[1], SIOCINQ, &inq)));
			ASSERT_EQ(wpos - rpos, inq);
			break;
		case 3:
			if (fill && rnd(&seed, 2))
				break;
			n = SYS(recv(self->fd[1], rbuf, len, MSG_DONTWAIT));
			if (n == -EAGAIN) {
				ASSERT_EQ(wpos, rpos);
				break;
			}
			ASSERT_LT(0, n);
			ASSERT_EQ(-1, check_pattern(rbuf, rpos, n));
			rpos += n;
			break;
		}
	}
	while (rpos < wpos) {
		long n = SYS(recv(self->fd[1], rbuf, sizeof(rbuf), MSG_DONTWAIT));

		ASSERT_LT(0, n);
		ASSERT_EQ(-1, check_pattern(rbuf, rpos, n));
		rpos += n;
	}
	EXPECT_LT(100000, wpos);
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], rbuf, 1, MSG_DONTWAIT)));
}

/* Vectors cut anywhere. */
TEST_F(flow, vectors)
{
	unsigned int seed = 7;
	long wpos = 0, rpos = 0;
	int i, k;

	for (i = 0; i < 3000; i++) {
		struct iovec w[5], r[5];
		struct msghdr wmsg = { .msg_iov = w, .msg_iovlen = 5 };
		struct msghdr rmsg = { .msg_iov = r, .msg_iovlen = 5 };
		long n, off, roff;

		off = 0;
		roff = 0;
		for (k = 0; k < 5; k++) {
			/* Pieces of no length are pieces, too. */
			w[k].iov_base = wbuf + off;
			w[k].iov_len = rnd(&seed, 700);
			off += w[k].iov_len;
			r[k].iov_base = rbuf + roff;
			r[k].iov_len = rnd(&seed, 900);
			roff += r[k].iov_len;
		}
		fill_pattern(wbuf, wpos, off);
		n = SYS(sendmsg(self->fd[0], &wmsg, MSG_DONTWAIT));
		if (n != -EAGAIN)
			wpos += n;
		ASSERT_TRUE(n == -EAGAIN || (n >= 0 && n <= off));
		n = SYS(recvmsg(self->fd[1], &rmsg, MSG_DONTWAIT));
		if (n == -EAGAIN)
			continue;
		ASSERT_TRUE(n >= 0 && n <= roff);
		ASSERT_EQ(-1, check_pattern(rbuf, rpos, n));
		rpos += n;
	}
	EXPECT_LT(100000, rpos);
}

/* Byte for byte, many laps of the ring. */
TEST_F_TIMEOUT(flow, single_bytes, 60)
{
	long wpos = 0, rpos = 0;

	while (rpos < 60000) {
		unsigned char b = pattern(wpos);

		while (wpos - rpos < 1500 &&
		       send(self->fd[0], &b, 1, MSG_DONTWAIT) == 1) {
			wpos++;
			b = pattern(wpos);
		}
		do {
			ASSERT_EQ(1, SYS(recv(self->fd[1], &b, 1, MSG_DONTWAIT)));
			ASSERT_EQ(pattern(rpos), b);
			rpos++;
		} while (wpos - rpos > 700);
	}
}

/* ---- two threads --------------------------------------------------------------- */

struct pump {
	int fd;
	long total;
	unsigned int seed;
	unsigned int max;
	int flags;
};

static long write_pattern(void *arg)
{
	struct pump *p = arg;
	unsigned char *buf = malloc(p->max);
	long err = 0, pos = 0;

	while (buf && pos < p->total && !err) {
		long len = 1 + rnd(&p->seed, p->max);

		if (len > p->total - pos)
			len = p->total - pos;
		fill_pattern(buf, pos, len);
		err = rt_send_all(p->fd, buf, len);
		pos += len;
	}
	free(buf);
	return err;
}

static long read_pattern(void *arg)
{
	struct pump *p = arg;
	unsigned char *buf = malloc(p->max);
	long pos = 0;

	while (buf && pos < p->total) {
		long len = 1 + rnd(&p->seed, p->max), n;

		if (len > p->total - pos)
			len = p->total - pos;
		n = SYS(recv(p->fd, buf, len, p->flags));
		if (n <= 0 || (p->flags & MSG_WAITALL && n != len))
			pos = -EIO;
		else if (check_pattern(buf, pos, n) >= 0)
			pos = -EBADMSG;
		if (pos < 0)
			break;
		pos += n;
	}
	free(buf);
	return pos;
}

static void run_pumps(struct __test_metadata *_metadata, struct pump *w,
		      struct pump *r)
{
	struct rt_thread t[2];

	ASSERT_EQ(0, rt_thread_start(&t[0], write_pattern, w));
	ASSERT_EQ(0, rt_thread_start(&t[1], read_pattern, r));
	ASSERT_TRUE(rt_thread_join(&t[1]) || rt_thread_join(&t[1]));
	EXPECT_EQ(r->total, t[1].ret);
	ASSERT_TRUE(rt_thread_join(&t[0]));
	EXPECT_EQ(0, t[0].ret);
}

/* Large writes by a reader of small pieces, and the other way round. */
TEST_F_TIMEOUT(flow, blocking, 120)
{
	static const struct {
		unsigned int w, r;
		int flags;
	} sizes[] = {
		{ 200000, 3000, 0 },
		{ 3000, 200000, 0 },
		{ 50000, 50000, MSG_WAITALL },
		{ 100, 100, 0 },
		{ 4096, 4096, MSG_WAITALL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pump w = { .fd = self->fd[0], .total = 2 << 20,
				  .seed = i, .max = sizes[i].w };
		struct pump r = { .fd = self->fd[1], .total = 2 << 20,
				  .seed = ~i, .max = sizes[i].r,
				  .flags = sizes[i].flags };

		if (sizes[i].w == 100) {
			w.total = 1 << 18;
			r.total = 1 << 18;
		}
		run_pumps(_metadata, &w, &r);
	}
}

/* Both directions at once. */
TEST_F_TIMEOUT(flow, both_ways, 60)
{
	struct pump w = { .fd = self->fd[0], .total = 1 << 20, .seed = 1,
			  .max = 9000 };
	struct pump r = { .fd = self->fd[1], .total = 1 << 20, .seed = 2,
			  .max = 9000 };
	struct pump w2 = { .fd = self->fd[1], .total = 1 << 20, .seed = 3,
			   .max = 9000 };
	struct pump r2 = { .fd = self->fd[0], .total = 1 << 20, .seed = 4,
			   .max = 9000 };
	struct rt_thread t[2];

	ASSERT_EQ(0, rt_thread_start(&t[0], write_pattern, &w2));
	ASSERT_EQ(0, rt_thread_start(&t[1], read_pattern, &r2));
	run_pumps(_metadata, &w, &r);
	ASSERT_TRUE(rt_thread_join(&t[0]));
	ASSERT_TRUE(rt_thread_join(&t[1]));
	EXPECT_EQ(0, t[0].ret);
	EXPECT_EQ(r2.total, t[1].ret);
}

/* The capacity changes under way: nothing is lost, and nobody stays asleep. */
TEST_F_TIMEOUT(flow, capacity_changes, 60)
{
	struct pump w = { .fd = self->fd[0], .total = 8 << 20, .seed = 1,
			  .max = 20000 };
	struct pump r = { .fd = self->fd[1], .total = 8 << 20, .seed = 2,
			  .max = 20000 };
	unsigned int changes = 0, seed = 3;
	struct rt_thread t[2];

	ASSERT_EQ(0, rt_thread_start(&t[0], write_pattern, &w));
	ASSERT_EQ(0, rt_thread_start(&t[1], read_pattern, &r));
	while (!rt_thread_done(&t[1])) {
		int size = rnd(&seed, rnd(&seed, 2) ? 100000 : 3000);

		ASSERT_EQ(0, rt_set_int(self->fd[changes & 1], SOL_SOCKET,
					changes & 1 ? SO_RCVBUF : SO_SNDBUF,
					size));
		if (!(++changes & 15))
			rt_pause();
	}
	EXPECT_EQ(r.total, t[1].ret);
	ASSERT_TRUE(rt_thread_join(&t[0]));
	EXPECT_EQ(0, t[0].ret);
	EXPECT_LT(0, changes);
}

/* ---- several writers, several readers ---------------------------------------------- */

#define RECORDS		20000

struct record {
	unsigned int writer;
	unsigned int number;
};

struct crowd {
	int fd;
	unsigned int who;
	long long sum[2];
	long count;
	atomic_long *left;
};

static long write_records(void *arg)
{
	struct crowd *c = arg;
	unsigned int i;

	for (i = 0; i < RECORDS; i++) {
		struct record r = { .writer = c->who, .number = i };
		long n = SYS(send(c->fd, &r, sizeof(r), MSG_NOSIGNAL));

		if (n != sizeof(r))
			return n < 0 ? n : -EIO;
	}
	return 0;
}

/* Each reader sees each writer's records in their order. */
static long read_records(void *arg)
{
	long last[2] = { -1, -1 };
	struct crowd *c = arg;

	while (atomic_fetch_sub(c->left, 1) > 0) {
		struct record r = { .writer = 99 };
		long n = SYS(recv(c->fd, &r, sizeof(r), MSG_WAITALL));

		if (n != sizeof(r))
			return n < 0 ? n : -EIO;
		if (r.writer > 1 || (long)r.number <= last[r.writer])
			return -EBADMSG;
		last[r.writer] = r.number;
		c->sum[r.writer] += r.number;
		c->count++;
	}
	return 0;
}

/* Records stay whole, whoever reads them: whole.c says why. */
TEST_F_TIMEOUT(flow, two_writers_two_readers, 60)
{
	struct rt_thread wt[2], rt[2];
	struct crowd w[2] = { }, r[2] = { };
	atomic_long left = 2 * RECORDS;
	int fd[2], i;

	ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, fd));
	if (variant->buffer)
		ASSERT_EQ(0, set_buffers(fd, (variant->buffer + 4095) & ~4095));
	for (i = 0; i < 2; i++) {
		r[i].fd = fd[1];
		r[i].left = &left;
		ASSERT_EQ(0, rt_thread_start(&rt[i], read_records, &r[i]));
		w[i].fd = fd[0];
		w[i].who = i;
		ASSERT_EQ(0, rt_thread_start(&wt[i], write_records, &w[i]));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(rt_thread_join(&wt[i]));
		EXPECT_EQ(0, wt[i].ret);
	}
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(rt_thread_join(&rt[i]));
		EXPECT_EQ(0, rt[i].ret);
	}
	EXPECT_EQ(2 * RECORDS, r[0].count + r[1].count);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(RECORDS * (RECORDS - 1LL) / 2,
			  r[0].sum[i] + r[1].sum[i]);
	EXPECT_EQ(-EAGAIN, SYS(recv(fd[1], rbuf, 1, MSG_DONTWAIT)));
	close(fd[0]);
	close(fd[1]);
}

struct pong {
	int fd;
	int rounds;
};

static long pong(void *arg)
{
	struct pong *p = arg;
	int i, v;

	for (i = 0; i < p->rounds; i++) {
		if (recv(p->fd, &v, sizeof(v), 0) != sizeof(v))
			return -EIO;
		if (v != i)
			return -EBADMSG;
		v = ~v;
		if (send(p->fd, &v, sizeof(v), 0) != sizeof(v))
			return -EPIPE;
	}
	return 0;
}

/* The hand-over: each side sleeps until the other has answered, 100,000 times. */
TEST_F_TIMEOUT(flow, ping_pong, 240)
{
	struct pong p = { .fd = self->fd[1], .rounds = 100000 };
	struct rt_thread t;
	int i;

	/* Once at full length; the buffers make no difference to four bytes. */
	if (variant->buffer || variant->family == RT_UNIX)
		p.rounds = 2000;
	ASSERT_EQ(0, rt_thread_start(&t, pong, &p));
	for (i = 0; i < p.rounds; i++) {
		int v = i;

		ASSERT_EQ(sizeof(v), SYS(send(self->fd[0], &v, sizeof(v), 0)));
		ASSERT_EQ(sizeof(v), SYS(recv(self->fd[0], &v, sizeof(v), 0)));
		ASSERT_EQ(~i, v);
	}
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(0, t.ret);
}

/* A writer that always finds the ring full, a reader that always finds it empty. */
TEST_F_TIMEOUT(flow, lock_step, 60)
{
	struct pump w = { .fd = self->fd[0], .total = 1 << 19, .seed = 1,
			  .max = 2 };
	struct pump r = { .fd = self->fd[1], .total = 1 << 19, .seed = 2,
			  .max = 100000 };

	w.total >>= 2;
	r.total >>= 2;
	run_pumps(_metadata, &w, &r);
}

/* ---- looking --------------------------------------------------------------------- */

TEST_F(flow, peek)
{
	int i;

	ASSERT_EQ(0, rt_send_all(self->fd[0], "abcdefgh", 8));
	for (i = 0; i < 5; i++) {
		memset(rbuf, 0, 16);
		EXPECT_EQ(8, SYS(recv(self->fd[1], rbuf, 16, MSG_PEEK)));
		EXPECT_STREQ("abcdefgh", (char *)rbuf);
	}
	EXPECT_EQ(3, SYS(recv(self->fd[1], rbuf, 3, 0)));
	EXPECT_EQ(5, SYS(recv(self->fd[1], rbuf, 16, MSG_PEEK)));
	EXPECT_EQ(0, memcmp(rbuf, "defgh", 5));
}

/* unix(7): the offset moves with each look, and back with each read. */
TEST_F(flow, peek_off)
{
	ASSERT_EQ(-1, rt_get_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF));
	ASSERT_EQ(0, rt_send_all(self->fd[0], "aabbccddee", 10));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF, 4));
	EXPECT_EQ(2, SYS(recv(self->fd[1], rbuf, 2, MSG_PEEK)));
	EXPECT_EQ(0, memcmp(rbuf, "cc", 2));
	EXPECT_EQ(6, rt_get_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF));
	EXPECT_EQ(2, SYS(recv(self->fd[1], rbuf, 2, MSG_PEEK)));
	EXPECT_EQ(0, memcmp(rbuf, "dd", 2));
	EXPECT_EQ(8, rt_get_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF));
	EXPECT_EQ(2, SYS(recv(self->fd[1], rbuf, 2, 0)));
	EXPECT_EQ(0, memcmp(rbuf, "aa", 2));
	EXPECT_EQ(6, rt_get_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF));
	EXPECT_EQ(2, SYS(recv(self->fd[1], rbuf, 16, MSG_PEEK)));
	EXPECT_EQ(0, memcmp(rbuf, "ee", 2));
	/* At the end there is nothing to look at. */
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], rbuf, 16,
				    MSG_PEEK | MSG_DONTWAIT)));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PEEK_OFF, -1));
	EXPECT_EQ(8, SYS(recv(self->fd[1], rbuf, 16, MSG_PEEK)));
	EXPECT_EQ(8, SYS(recv(self->fd[1], rbuf, 16, 0)));
	EXPECT_EQ(0, memcmp(rbuf, "bbccddee", 8));
}

/* ---- Rill's own figures (AF_UNIX counts an skb's memory) ------------------------------ */

FIXTURE(capacity)
{
	int fd[2];
	long cap;
};

FIXTURE_VARIANT(capacity)
{
	int snd, rcv;	/* 0: the default */
};

FIXTURE_VARIANT_ADD(capacity, smallest)
{
	.snd = 1, .rcv = 1,
};

FIXTURE_VARIANT_ADD(capacity, sender_bounds)
{
	.snd = 7777, .rcv = 60000,
};

FIXTURE_VARIANT_ADD(capacity, receiver_bounds)
{
	.snd = 60000, .rcv = 5555,
};

FIXTURE_VARIANT_ADD(capacity, usual)
{
	.snd = 0, .rcv = 0,
};

static int make_ring(int fd[2], int snd, int rcv)
{
	int err = rt_pair(RT_RILL, SOCK_STREAM, fd);

	if (!err && snd)
		err = rt_set_int(fd[0], SOL_SOCKET, SO_SNDBUF, snd);
	if (!err && rcv)
		err = rt_set_int(fd[1], SOL_SOCKET, SO_RCVBUF, rcv);
	return err;
}

FIXTURE_SETUP(capacity)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, make_ring(self->fd, variant->snd, variant->rcv));
	self->cap = rt_capacity(self->fd[0], self->fd[1]);
}

FIXTURE_TEARDOWN(capacity)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

/* max(page, min(SO_SNDBUF, SO_RCVBUF)) bytes, in pieces of whatever size. */
TEST_F_TIMEOUT(capacity, exact, 60)
{
	static const int chunks[] = { 1, 7, 512, 4095, 4096, 4097, 65536, 1 << 20 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		int fd[2];

		ASSERT_EQ(0, make_ring(fd, variant->snd, variant->rcv));
		EXPECT_EQ(self->cap, rt_fill(fd[0], chunks[i])) {
			TH_LOG("in pieces of %d", chunks[i]);
		}
		EXPECT_EQ(self->cap, rt_drain(fd[1], chunks[i]));
		/* And again, from wherever the ring stands now. */
		EXPECT_EQ(self->cap, rt_fill(fd[0], chunks[i]));
		/* The directions do not share it. */
		EXPECT_LT(0, rt_fill(fd[1], 4096));
		close(fd[0]);
		close(fd[1]);
	}
}

/*
 * What a send takes and a read gives follows from the bytes in the ring alone,
 * whatever pages and slots they lie in.
 */
TEST_F_TIMEOUT(capacity, exact_in_use, 60)
{
	unsigned int seed = 11;
	long used = 0;
	int i;

	for (i = 0; i < 40000; i++) {
		long len = 1 + rnd(&seed, i / 500 & 1 ? 20 : 9000), want, n;
		int q = -1;

		if (rnd(&seed, 16) < (i / 200 & 1 ? 10U : 6U)) {
			want = len < self->cap - used ? len : self->cap - used;
			/* What is small goes in whole or not at all: whole.c. */
			if (want < len && len <= (self->cap + 3) / 4)
				want = 0;
			n = SYS(send(self->fd[0], wbuf, len, MSG_DONTWAIT));
			ASSERT_EQ(want ?: -EAGAIN, n) {
				TH_LOG("step %d: %ld of %ld used, sent %ld", i,
				       used, self->cap, len);
			}
			used += want;
		} else {
			want = len < used ? len : used;
			n = SYS(recv(self->fd[1], rbuf, len, MSG_DONTWAIT));
			ASSERT_EQ(want ?: -EAGAIN, n);
			used -= want;
		}
		ASSERT_EQ(0, SYS(ioctl(self->fd[1], SIOCINQ, &q)));
		ASSERT_EQ(used, q);
		ASSERT_EQ(0, SYS(ioctl(self->fd[0], SIOCOUTQ, &q)));
		ASSERT_EQ(used, q);
	}
}

TEST_F(capacity, queues_of_both_directions)
{
	int q = -1;

	ASSERT_EQ(5, SYS(send(self->fd[0], wbuf, 5, 0)));
	ASSERT_EQ(3, SYS(send(self->fd[1], wbuf, 3, 0)));
	ASSERT_EQ(0, SYS(ioctl(self->fd[0], SIOCINQ, &q)));
	EXPECT_EQ(3, q);
	ASSERT_EQ(0, SYS(ioctl(self->fd[0], SIOCOUTQ, &q)));
	EXPECT_EQ(5, q);
	ASSERT_EQ(0, SYS(ioctl(self->fd[1], FIONREAD, &q)));
	EXPECT_EQ(5, q);
	ASSERT_EQ(0, SYS(ioctl(self->fd[1], TIOCOUTQ, &q)));
	EXPECT_EQ(3, q);
	/* After the peer's end: what is left to read, and nothing on its way. */
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	ASSERT_EQ(0, SYS(ioctl(self->fd[1], SIOCINQ, &q)));
	EXPECT_EQ(5, q);
	ASSERT_EQ(0, SYS(ioctl(self->fd[1], SIOCOUTQ, &q)));
	EXPECT_EQ(0, q);
}

/* A larger buffer is room at once, and wakes who waits for it, on either side. */
TEST_F(capacity, growing_wakes_the_writer)
{
	static const int opts[] = { SO_SNDBUFFORCE, SO_RCVBUFFORCE };
	struct rt_call c = { .nr = SYS_sendto, .buf = wbuf, .len = 1000 };
	int last;

	for (last = 0; last < 2; last++) {
		int fd[2];

		/* Before, the core does not tell the family of SO_RCVBUF. */
		if (last && !rt_kernel_is(6, 2))
			break;
		ASSERT_EQ(0, make_ring(fd, variant->snd, variant->rcv));
		ASSERT_EQ(self->cap, rt_fill(fd[0], 4096));
		c.fd = fd[0];
		ASSERT_EQ(0, rt_call_start(&c));
		ASSERT_TRUE(rt_call_sleeps(&c));
		/* Room comes with the second one. */
		ASSERT_EQ(0, rt_set_int(fd[!last], SOL_SOCKET, opts[!last],
					self->cap * 4));
		ASSERT_EQ(0, rt_set_int(fd[last], SOL_SOCKET, opts[last],
					self->cap * 4));
		EXPECT_EQ(1000, rt_call_end(&c)) {
			TH_LOG("last set: %s", last ? "SO_RCVBUF" : "SO_SNDBUF");
		}
		EXPECT_EQ(rt_capacity(fd[0], fd[1]) - self->cap - 1000,
			  rt_fill(fd[0], 4096));
		close(fd[0]);
		close(fd[1]);
	}
}

/*
 * A reader whose SO_RCVLOWAT is half of the capacity makes the ring larger: the
 * full ring is not readable any more, so the writer has to be let in.
 */
TEST_F(capacity, growing_past_the_low_mark)
{
	struct rt_call w = { .nr = SYS_sendto, .fd = self->fd[0], .buf = wbuf,
			     .len = sizeof(wbuf) };

	ASSERT_EQ(0, rt_set_int(self->fd[0], SOL_SOCKET, SO_SNDBUFFORCE,
				self->cap * 8));
	self->cap = rt_capacity(self->fd[0], self->fd[1]);
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVLOWAT, 1 << 20));
	self->cap = rt_capacity(self->fd[0], self->fd[1]);
	if (self->cap > (long)sizeof(wbuf) / 8)
		SKIP(return, "the smaller variants run it");
	ASSERT_EQ(self->cap, rt_fill(self->fd[0], 4096));
	ASSERT_EQ(0, rt_call_start(&w));
	ASSERT_TRUE(rt_call_sleeps(&w));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVBUFFORCE,
				self->cap * 4));
	EXPECT_EQ(POLLIN, rt_poll(self->fd[1], POLLIN));
	close(self->fd[1]);
	self->fd[1] = -1;
	EXPECT_NE(-ETIME, rt_call_end(&w));
}

/* A smaller one throws nothing away. */
TEST_F(capacity, shrinking_keeps_the_bytes)
{
	long cap;

	fill_pattern(wbuf, 0, self->cap);
	ASSERT_EQ(self->cap, SYS(send(self->fd[0], wbuf, self->cap,
				      MSG_DONTWAIT)));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVBUF, 1));
	cap = rt_capacity(self->fd[0], self->fd[1]);
	EXPECT_EQ(-EAGAIN, SYS(send(self->fd[0], wbuf, 1, MSG_DONTWAIT)));
	ASSERT_EQ(0, rt_recv_all(self->fd[1], rbuf, self->cap));
	EXPECT_EQ(-1, check_pattern(rbuf, 0, self->cap));
	EXPECT_EQ(cap, rt_fill(self->fd[0], 100));
}

/* MSG_WAITALL for more than fits; with MSG_PEEK, for all that can ever fit. */
TEST_F(capacity, waitall)
{
	struct pump w = { .fd = self->fd[0], .total = 250000, .max = 3000 };
	struct rt_thread t;
	long n;

	ASSERT_EQ(0, rt_thread_start(&t, write_pattern, &w));
	n = SYS(recv(self->fd[1], rbuf, w.total, MSG_WAITALL));
	EXPECT_EQ(w.total, n);
	EXPECT_EQ(-1, check_pattern(rbuf, 0, w.total));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(0, t.ret);

	ASSERT_EQ(0, rt_thread_start(&t, write_pattern, &w));
	n = SYS(recv(self->fd[1], rbuf, w.total, MSG_WAITALL | MSG_PEEK));
	/* The last send that does not fit waits for room. */
	EXPECT_LT((self->cap < w.total ? self->cap : w.total) - w.max, n);
	EXPECT_EQ(-1, check_pattern(rbuf, 0, n));
	n = SYS(recv(self->fd[1], rbuf, w.total, MSG_WAITALL));
	EXPECT_EQ(w.total, n);
	EXPECT_EQ(-1, check_pattern(rbuf, 0, w.total));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(0, t.ret);
}

/*
 * A reader that peeks for a full ring and a writer that polls for room: neither
 * goes on unless the reader is told that there is no more.
 */
TEST_F(capacity, peek_meets_poll)
{
	struct rt_call r = { .nr = SYS_recvfrom, .fd = self->fd[1], .buf = rbuf,
			     .len = self->cap, .flags = MSG_PEEK | MSG_WAITALL };
	long most = self->cap - self->cap / 8;

	ASSERT_EQ(0, rt_call_start(&r));
	ASSERT_TRUE(rt_call_sleeps(&r));
	ASSERT_EQ(most, SYS(send(self->fd[0], wbuf, most, MSG_DONTWAIT)));
	EXPECT_EQ(0, rt_events(self->fd[0], POLLOUT));
	EXPECT_EQ(most, rt_call_end(&r));
}

/* A signal ends a peek for more than there is: it gets what there is. */
TEST_F(capacity, peek_interrupted)
{
	struct rt_call r = { .nr = SYS_recvfrom, .fd = self->fd[1], .buf = rbuf,
			     .len = 200, .flags = MSG_PEEK | MSG_WAITALL };

	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	ASSERT_EQ(0, rt_call_start(&r));
	ASSERT_TRUE(rt_call_sleeps(&r));
	ASSERT_EQ(0, pthread_kill(r.t.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, rt_call_end(&r));

	ASSERT_EQ(100, SYS(send(self->fd[0], wbuf, 100, 0)));
	ASSERT_EQ(0, rt_call_start(&r));
	ASSERT_TRUE(rt_call_sleeps(&r));
	ASSERT_EQ(0, pthread_kill(r.t.thread, SIGUSR1));
	EXPECT_EQ(100, rt_call_end(&r));
	/* It has taken nothing. */
	EXPECT_EQ(100, SYS(recv(self->fd[1], rbuf, 200, MSG_DONTWAIT)));
}

/* recv() itself obeys SO_RCVLOWAT as poll() does. */
TEST_F(capacity, rcvlowat_in_recv)
{
	struct rt_call c = { .nr = SYS_recvfrom, .fd = self->fd[1], .buf = rbuf,
			     .len = 1000 };

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVLOWAT, 100));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(60, SYS(send(self->fd[0], wbuf, 60, 0)));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(60, SYS(send(self->fd[0], wbuf, 60, 0)));
	EXPECT_EQ(120, rt_call_end(&c));
}

TEST_HARNESS_MAIN
