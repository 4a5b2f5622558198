// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocking hand-overs: threads at both ends of a pair send and receive pieces of
 * random size, so that both sides sleep and are woken all the time.  A wake-up
 * that is lost shows as a call that ends by its time-out; the sum and the count
 * of the bytes have to be right in the end.
 *
 * A hand-over is a call during which its thread gave up the processor, as the
 * kernel counts voluntary context switches.  With more threads an end that may
 * also have been for another thread's copy; with one it never is.
 *
 * By default each variant runs for a second.  HANDOVERS=10000000 has so many
 * made, over all the variants of AF_RILL, however long it takes, with busy
 * polling off.
 */
#include "rill_test.h"

#include <sys/resource.h>

#define BIGGEST		8192
#define MAX_THREADS	3
#define TIMEO_MS	(RT_WAIT_MS / 2)
#define SHARE_MS	1000
#define RILL_VARIANTS	10		/* below, without those that sleep seldom */
#define SELDOM		10		/* of which so much less is asked */

struct end {
	struct rt_thread	t;
	struct stress		*stress;
	unsigned int		seed;
	__u64			bytes, sum, calls, handovers;
};

struct stress {
	int			fd[2];
	int			type;
	long long		stop_ms;	/* 0: when there are enough */
	unsigned long long	enough;
	atomic_ullong		handovers;
	unsigned char		data[BIGGEST];
	__u64			sum[BIGGEST + 1];	/* of the first n bytes */
	struct end		writer[MAX_THREADS];
	struct end		reader[MAX_THREADS];
};

static long switches(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return ru.ru_nvcsw;
}

/* Has the call, before which there were so many switches, slept? */
static void count(struct end *e, long before)
{
	e->calls++;
	if (switches() == before)
		return;
	e->handovers++;
	atomic_fetch_add(&e->stress->handovers, 1);
}

static bool enough(struct stress *s)
{
	if (s->stop_ms)
		return rt_now_ms() >= s->stop_ms && atomic_load(&s->handovers);
	return atomic_load(&s->handovers) >= s->enough;
}

/* Mostly small: so the reader is done with it soon, and sleeps for the next. */
static size_t some_len(struct end *e)
{
	unsigned int r = rand_r(&e->seed);

	return 1 + (r >> 4) % (r % 8 ? 64 : BIGGEST);
}

/* 0 or the negative errno of a call; -EAGAIN is its time-out. */
static long writer(void *arg)
{
	struct end *e = arg;
	struct stress *s = e->stress;

	while (!enough(s)) {
		size_t len = some_len(e);
		long before = switches();
		long n = SYS(send(s->fd[0], s->data, len, MSG_NOSIGNAL));

		if (n < 0)
			return n;
		/* A time-out in the middle of a stream's send is a short count. */
		if ((size_t)n != len)
			return -ETIMEDOUT;
		count(e, before);
		e->bytes += n;
		e->sum += s->sum[n];
	}
	return 0;
}

static long reader(void *arg)
{
	unsigned char buf[BIGGEST];
	struct end *e = arg;
	struct stress *s = e->stress;

	for (;;) {
		size_t len = BIGGEST;
		long before, n, i;

		if (s->type == SOCK_STREAM)
			len = 1 + rand_r(&e->seed) % BIGGEST;
		before = switches();
		n = SYS(recv(s->fd[1], buf, len, 0));
		/* The end of a connection, or the empty datagram that stands for it. */
		if (n <= 0)
			return n;
		count(e, before);
		e->bytes += n;
		for (i = 0; i < n; i++)
			e->sum += buf[i];
	}
}

FIXTURE(handover) {
	struct stress *s;
};

FIXTURE_VARIANT(handover) {
	enum rt_family family;
	int type;
	int threads;
	int buf;		/* SO_SNDBUF and SO_RCVBUF; 0: the default */
	bool seldom;		/* its queue is long, so few calls sleep */
};

/* The number counts the threads at each end. */
FIXTURE_VARIANT_ADD(handover, rill_stream_1) {
	.family = RT_RILL, .type = SOCK_STREAM, .threads = 1,
};

FIXTURE_VARIANT_ADD(handover, rill_stream_2) {
	.family = RT_RILL, .type = SOCK_STREAM, .threads = 2,
};

FIXTURE_VARIANT_ADD(handover, rill_stream_3) {
	.family = RT_RILL, .type = SOCK_STREAM, .threads = 3,
};

FIXTURE_VARIANT_ADD(handover, rill_stream_1_small) {
	.family = RT_RILL, .type = SOCK_STREAM, .threads = 1, .buf = 1,
};

FIXTURE_VARIANT_ADD(handover, rill_stream_2_small) {
	.family = RT_RILL, .type = SOCK_STREAM, .threads = 2, .buf = 1,
};

FIXTURE_VARIANT_ADD(handover, rill_stream_3_small) {
	.family = RT_RILL, .type = SOCK_STREAM, .threads = 3, .buf = 1,
};

FIXTURE_VARIANT_ADD(handover, rill_seqpacket_1) {
	.family = RT_RILL, .type = SOCK_SEQPACKET, .threads = 1, .seldom = true,
};

FIXTURE_VARIANT_ADD(handover, rill_seqpacket_2_small) {
	.family = RT_RILL, .type = SOCK_SEQPACKET, .threads = 2, .buf = 8192,
};

FIXTURE_VARIANT_ADD(handover, rill_seqpacket_3_small) {
	.family = RT_RILL, .type = SOCK_SEQPACKET, .threads = 3, .buf = 8192,
};

FIXTURE_VARIANT_ADD(handover, rill_dgram_1) {
	.family = RT_RILL, .type = SOCK_DGRAM, .threads = 1, .seldom = true,
};

FIXTURE_VARIANT_ADD(handover, rill_dgram_2_small) {
	.family = RT_RILL, .type = SOCK_DGRAM, .threads = 2, .buf = 8192,
};

FIXTURE_VARIANT_ADD(handover, rill_dgram_3_small) {
	.family = RT_RILL, .type = SOCK_DGRAM, .threads = 3, .buf = 8192,
};

FIXTURE_VARIANT_ADD(handover, unix_stream_2) {
	.family = RT_UNIX, .type = SOCK_STREAM, .threads = 2,
};

FIXTURE_VARIANT_ADD(handover, unix_seqpacket_2_small) {
	.family = RT_UNIX, .type = SOCK_SEQPACKET, .threads = 2, .buf = 8192,
};

FIXTURE_VARIANT_ADD(handover, unix_dgram_2_small) {
	.family = RT_UNIX, .type = SOCK_DGRAM, .threads = 2, .buf = 8192,
};

FIXTURE_SETUP(handover)
{
	const char *env = getenv("HANDOVERS");
	unsigned long long all = env ? strtoull(env, NULL, 0) : 0;
	unsigned int i;

	self->s = calloc(1, sizeof(*self->s));
	ASSERT_NE(NULL, self->s);
	self->s->type = variant->type;
	if (all && variant->family == RT_RILL)
		self->s->enough = (all + RILL_VARIANTS - 1) / RILL_VARIANTS /
				  (variant->seldom ? SELDOM : 1);
	else
		self->s->stop_ms = rt_now_ms() + SHARE_MS;
	for (i = 0; i < BIGGEST; i++) {
		self->s->data[i] = i * 7 + i / 256 + 1;
		self->s->sum[i + 1] = self->s->sum[i] + self->s->data[i];
	}
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->s->fd));
	for (i = 0; i < 2; i++) {
		int fd = self->s->fd[i];

		ASSERT_EQ(0, rt_set_timeo(fd, SO_RCVTIMEO, TIMEO_MS));
		ASSERT_EQ(0, rt_set_timeo(fd, SO_SNDTIMEO, TIMEO_MS));
		/* When they are counted, it sleeps at once and does not look first. */
		if (variant->family == RT_RILL && self->s->enough)
			ASSERT_EQ(0, rt_set_int(fd, SOL_RILL, RILL_BUSY_POLL, 0));
		if (!variant->buf)
			continue;
		ASSERT_EQ(0, rt_set_int(fd, SOL_SOCKET, SO_SNDBUF, variant->buf));
		ASSERT_EQ(0, rt_set_int(fd, SOL_SOCKET, SO_RCVBUF, variant->buf));
	}
}

FIXTURE_TEARDOWN(handover)
{
	close(self->s->fd[0]);
	close(self->s->fd[1]);
	free(self->s);
}

/* Waits for the threads, which their time-outs bound, and says how far they are. */
static void join(struct stress *s, struct end *ends, int n)
{
	long long said = rt_now_ms();
	int i;

	for (i = 0; i < n; i++) {
		while (!rt_thread_done(&ends[i].t)) {
			rt_pause();
			if (rt_now_ms() - said < 10000)
				continue;
			said = rt_now_ms();
			printf("# %llu hand-overs\n", atomic_load(&s->handovers));
			fflush(stdout);
		}
	}
}

static void add(struct end *to, const struct end *ends, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		to->bytes += ends[i].bytes;
		to->sum += ends[i].sum;
		to->calls += ends[i].calls;
		to->handovers += ends[i].handovers;
	}
}

TEST_F_TIMEOUT(handover, none_is_late, 36000)
{
	struct end wrote = {}, got = {};
	struct stress *s = self->s;
	long long start = rt_now_ms();
	int i, n = variant->threads;

	/* A hang that no time-out ends is a failure soon, unless it runs long. */
	if (s->stop_ms)
		alarm((SHARE_MS + 3 * TIMEO_MS) / 1000);
	for (i = 0; i < n; i++) {
		s->writer[i].stress = s;
		s->reader[i].stress = s;
		s->writer[i].seed = 2 * i + 1;
		s->reader[i].seed = 2 * i + 2;
		ASSERT_EQ(0, rt_thread_start(&s->reader[i].t, reader, &s->reader[i]));
		ASSERT_EQ(0, rt_thread_start(&s->writer[i].t, writer, &s->writer[i]));
	}
	join(s, s->writer, n);
	if (variant->type == SOCK_DGRAM) {
		for (i = 0; i < n; i++)
			EXPECT_EQ(0, SYS(send(s->fd[0], "", 0, 0)));
	} else {
		EXPECT_EQ(0, SYS(shutdown(s->fd[0], SHUT_WR)));
	}
	join(s, s->reader, n);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(0, s->writer[i].t.ret);
		EXPECT_EQ(0, s->reader[i].t.ret);
	}
	add(&wrote, s->writer, n);
	add(&got, s->reader, n);
	EXPECT_EQ(wrote.bytes, got.bytes);
	EXPECT_EQ(wrote.sum, got.sum);
	if (variant->type != SOCK_STREAM)
		EXPECT_EQ(wrote.calls, got.calls);
	/* It was about sleeping. */
	EXPECT_LT(0, wrote.handovers + got.handovers);
	printf("# %llu sends, %llu slept; %llu receives, %llu slept; %llu bytes, %lld ms\n",
	       wrote.calls, wrote.handovers, got.calls, got.handovers, got.bytes,
	       rt_now_ms() - start);
	fflush(stdout);
}

TEST_HARNESS_MAIN
