// SPDX-License-Identifier: GPL-2.0-only
/*
 * A lot of data in random pieces, every byte compared and summed up: 1 GiB
 * through streams, in both directions at once, between threads and between
 * processes, with random flags, peeks, partial reads and buffer sizes; and
 * 64 MiB through datagrams and seqpacket each.
 *
 * RILL_SEED repeats a run as far as its decisions go; RILL_MIB is the amount.
 *
 * With an argument, ./integrity GIB, it is a long run: so many gibibytes over the
 * three types in equal parts, in slices with a seed of their own, with figures as
 * it goes.  CAMPAIGN_SECONDS ends it after so long with status 3, and what its last
 * "# state" line says, in CAMPAIGN_STATE, goes on with it (scripts/campaign).
 */
#include "integrity_io.h"

static void set_buffers(struct rng *r, int fd)
{
	/* The small ones are slow, and soon seen. */
	static const int sizes[] = { 1, 2304, 8192, 30000, 65536, 106496, 150000, 212992 };
	__u32 k = rnd(r) % 16, l = rnd(r) % 16;

	rt_set_int(fd, SOL_SOCKET, SO_RCVBUF, sizes[k < 8 ? k : 7]);
	rt_set_int(fd, SOL_SOCKET, SO_SNDBUF, sizes[l < 8 ? l : 7]);
}

/* Both directions of one pair, in four threads. */
static long both_ways(struct rng *r, enum rt_family family, __u64 total, __u64 *calls,
		      struct way w[4])
{
	struct rt_thread t[4];
	int fd[2], i;
	long err;

	err = rt_pair(family, SOCK_STREAM, fd);
	if (err)
		return err;
	set_buffers(r, fd[0]);
	set_buffers(r, fd[1]);
	for (i = 0; i < 4; i++) {
		int end = i & 1, recv = i >> 1;

		/* Senders 0 and 1 at their own ends, receivers at the others. */
		w[i] = (struct way){
			.fd = fd[recv ? !end : end],
			.dir = end,
			.total = total,
			.resize = family == RT_RILL && rnd(r) % 4 == 0,
			.r = { rd_mix(r->x + i) | 1 },
		};
		err = rt_thread_start(&t[i], recv ? receiver : sender, &w[i]);
		if (err)
			return err;
	}
	for (i = 0; i < 4; i++) {
		/* The harness bounds this: no thread waits for ever in silence. */
		pthread_join(t[i].thread, NULL);
		if (t[i].ret)
			err = t[i].ret;
		*calls += w[i].calls;
	}
	close(fd[0]);
	close(fd[1]);
	return err;
}

/* n writers and a reader of messages. */
static long exchange(struct rng *r, int n, const int *fd, int rfd, __u64 total,
		     struct talk *sent, struct talk *got)
{
	struct rt_thread t[4];
	long err = 0, ret;
	char c;
	int i;

	memset(got, 0, sizeof(*got) * n);
	for (i = 0; i < n; i++) {
		sent[i] = (struct talk){
			.fd = fd[i], .id = i, .total = total / n,
			.r = { rd_mix(r->x + i) | 1 },
		};
		err = rt_thread_start(&t[i], talker, &sent[i]);
		if (err)
			return err;
	}
	ret = listener(rfd, n, sent, got, r);
	for (i = 0; i < n; i++) {
		if (!rt_thread_join(&t[i]))
			return -ETIMEDOUT;
		err = err ?: t[i].ret;
	}
	if (!ret && SYS(recv(rfd, &c, 1, MSG_DONTWAIT)) != -EAGAIN)
		ret = -EOVERFLOW;
	return ret ?: err;
}

FIXTURE(integrity)
{
	struct rng r;
	__u64 mib;
};

FIXTURE_VARIANT(integrity)
{
	enum rt_family family;
	unsigned int mib;	/* through streams; messages get 64 at most */
};

FIXTURE_VARIANT_ADD(integrity, rill)
{
	.family = RT_RILL, .mib = 1024,
};

FIXTURE_VARIANT_ADD(integrity, unix)
{
	.family = RT_UNIX, .mib = 64,
};

FIXTURE_SETUP(integrity)
{
	const char *s = getenv("RILL_SEED"), *m = getenv("RILL_MIB");

	seed = s ? strtoull(s, NULL, 0) : (unsigned long long)time(NULL) << 16 ^ getpid();
	self->r.x = rd_mix(seed) | 1;
	self->mib = m ? strtoull(m, NULL, 0) : variant->mib;
	ASSERT_EQ(0, make_table(&self->r));
	TH_LOG("RILL_SEED=%llu", seed);
}

FIXTURE_TEARDOWN(integrity)
{
}

TEST_F_TIMEOUT(integrity, threads, 400)
{
	__u64 total = self->mib * MIB / 2, calls = 0;
	const int rounds = 8;
	long long start = rt_now_ms(), ms;
	struct way w[4];
	int i;

	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, both_ways(&self->r, variant->family,
				       total / rounds / 2 + rnd(&self->r) % 4096, &calls, w));
		EXPECT_EQ(w[0].sum, w[2].sum);
		EXPECT_EQ(w[1].sum, w[3].sum);
	}
	ms = rt_now_ms() - start;
	TH_LOG("%llu MiB between threads in %lld ms, %llu calls, %llu MiB/s",
	       total / MIB, ms, calls, total / MIB * 1000 / (ms ? ms : 1));
}

/* The sum of what a child sent comes back through a pipe. */
TEST_F_TIMEOUT(integrity, processes, 400)
{
	__u64 total = self->mib * MIB / 2, calls = 0, sum;
	const int rounds = 8;
	long long start = rt_now_ms(), ms;
	int i;

	for (i = 0; i < rounds; i++) {
		struct way w = {
			.total = total / rounds + rnd(&self->r) % 4096,
			.r = { rd_mix(self->r.x) | 1 },
		};
		int fd[2], p[2];
		pid_t pid;

		ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, fd));
		ASSERT_EQ(0, pipe(p));
		set_buffers(&self->r, fd[0]);
		set_buffers(&self->r, fd[1]);
		pid = rt_fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			close(fd[1]);
			w.fd = fd[0];
			w.r.x ^= 0x5555;
			CHECK_EQ(0, sender(&w));
			CHECK_EQ(8, write(p[1], &w.sum, 8));
			_exit(0);
		}
		close(fd[0]);
		w.fd = fd[1];
		ASSERT_EQ(0, receiver(&w));
		ASSERT_EQ(8, read(p[0], &sum, 8));
		EXPECT_EQ(sum, w.sum);
		EXPECT_EQ(0, rt_wait_child(pid));
		calls += w.calls;
		close(fd[1]);
		close(p[0]);
		close(p[1]);
	}
	ms = rt_now_ms() - start;
	TH_LOG("%llu MiB between processes in %lld ms, %llu receives, %llu MiB/s",
	       total / MIB, ms, calls, total / MIB * 1000 / (ms ? ms : 1));
}

static void run_messages(struct __test_metadata *_metadata, struct rng *r, int n,
			 const int *fd, int rfd, __u64 total, const char *what)
{
	struct talk sent[4], got[4];
	long long start = rt_now_ms(), ms;
	__u64 messages = 0;
	int i;

	ASSERT_EQ(0, exchange(r, n, fd, rfd, total, sent, got));
	for (i = 0; i < n; i++) {
		EXPECT_EQ(sent[i].sum, got[i].sum);
		messages += sent[i].messages;
	}
	ms = rt_now_ms() - start;
	TH_LOG("%s: %llu MiB in %llu messages of %d senders in %lld ms, %llu MiB/s", what,
	       total / MIB, messages, n, ms, total / MIB * 1000 / (ms ? ms : 1));
}

TEST_F_TIMEOUT(integrity, seqpacket, 200)
{
	__u64 total = (self->mib < 64 ? self->mib : 64) * MIB;
	int fd[2];

	ASSERT_EQ(0, rt_pair(variant->family, SOCK_SEQPACKET, fd));
	run_messages(_metadata, &self->r, 1, fd, fd[1], total, "seqpacket");
	close(fd[0]);
	close(fd[1]);
}

TEST_F_TIMEOUT(integrity, dgram, 200)
{
	__u64 total = (self->mib < 64 ? self->mib : 64) * MIB;
	struct rt_addr a = { .len = 0 };
	int fd[3], rfd, i;

	rfd = rt_bound(variant->family, SOCK_DGRAM, &a);
	ASSERT_LE(0, rfd);
	for (i = 0; i < 3; i++) {
		fd[i] = rt_client(variant->family, SOCK_DGRAM, &a);
		ASSERT_LE(0, fd[i]);
	}
	run_messages(_metadata, &self->r, 3, fd, rfd, total, "dgram");
	for (i = 0; i < 3; i++)
		close(fd[i]);
	close(rfd);
}

/* ---- a long run -------------------------------------------------------- */

#define SLICE_MIB	48

static const char * const type_names[] = { "stream", "seqpacket", "dgram" };

struct campaign {
	unsigned long long seed, slice;
	unsigned long long bytes[3], calls[3], ms[3];
};

/* One slice of streams: both directions of a pair, and what they moved. */
static long slice_stream(struct rng *r, __u64 *bytes, __u64 *calls)
{
	struct way w[4];
	long err = both_ways(r, RT_RILL, SLICE_MIB / 2 * MIB + rnd(r) % 4096, calls, w);
	int i;

	for (i = 0; i < 2 && !err; i++) {
		*bytes += w[i].total;
		if (w[i].sum != w[2 + i].sum)
			err = -EUCLEAN;
	}
	return err;
}

/* One of messages: one writer of a connection, or three to one name. */
static long slice_messages(struct rng *r, int type, __u64 *bytes, __u64 *calls)
{
	int n = type == SOCK_DGRAM ? 3 : 1, fd[3], rfd = -1, pair[2], i;
	struct rt_addr a = { .len = 0 };
	struct talk sent[4], got[4];
	long err;

	if (n == 1) {
		err = rt_pair(RT_RILL, type, pair);
		if (err)
			return err;
		fd[0] = pair[0];
		rfd = pair[1];
	} else {
		rfd = rt_bound(RT_RILL, type, &a);
		for (i = 0; i < n; i++) {
			fd[i] = rt_client(RT_RILL, type, &a);
			if (fd[i] < 0)
				return fd[i];
		}
	}
	if (rnd(r) % 2)
		rt_set_int(rfd, SOL_SOCKET, SO_RCVBUF, 2304 + rnd(r) % 300000);
	err = exchange(r, n, fd, rfd, SLICE_MIB * MIB, sent, got);
	for (i = 0; i < n; i++) {
		*bytes += sent[i].pos;
		*calls += sent[i].messages;
		if (!err && sent[i].sum != got[i].sum)
			err = -EUCLEAN;
		close(fd[i]);
	}
	close(rfd);
	return err;
}

static void campaign_say(const struct campaign *c, double gib)
{
	unsigned long long sum = c->bytes[0] + c->bytes[1] + c->bytes[2];
	int i;

	printf("# %.2f of %.2f GiB:", sum / 1073741824.0, gib);
	for (i = 0; i < 3; i++)
		printf(" %s %.2f GiB, %llu %s, %.2f GiB/s%s", type_names[i],
		       c->bytes[i] / 1073741824.0, c->calls[i], i ? "messages" : "calls",
		       c->bytes[i] / 1073741.824 / (c->ms[i] ?: 1),
		       i < 2 ? ";" : "\n");
	/* Between slices: who goes on with it does none of them twice. */
	printf("# state %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu\n", c->seed,
	       c->slice, c->bytes[0], c->bytes[1], c->bytes[2], c->calls[0], c->calls[1],
	       c->calls[2], c->ms[0], c->ms[1], c->ms[2]);
	fflush(stdout);
}

static int campaign_run(double gib)
{
	const char *state = getenv("CAMPAIGN_STATE"), *limit = getenv("CAMPAIGN_SECONDS");
	long long start = rt_now_ms(), end = start + (limit ? atoll(limit) : 1000000) * 1000;
	long long said = start, before;
	struct campaign c = { .seed = 0 };
	struct rng r;
	int which;
	long err;

	if (!state || sscanf(state, "%llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu",
			     &c.seed, &c.slice, &c.bytes[0], &c.bytes[1], &c.bytes[2],
			     &c.calls[0], &c.calls[1], &c.calls[2], &c.ms[0], &c.ms[1],
			     &c.ms[2]) != 11) {
		state = getenv("RILL_SEED");
		memset(&c, 0, sizeof(c));
		c.seed = state ? strtoull(state, NULL, 0) :
			 (unsigned long long)time(NULL) << 16 ^ getpid();
	}
	seed = c.seed;
	r.x = rd_mix(c.seed) | 1;
	printf("TAP version 13\n1..1\n# RILL_SEED=%llu, from slice %llu\n", c.seed, c.slice);
	fflush(stdout);
	err = make_table(&r);
	while (!err && c.bytes[0] + c.bytes[1] + c.bytes[2] < gib * 1073741824.0) {
		if (rt_now_ms() >= end) {
			campaign_say(&c, gib);
			printf("ok 1 - integrity: so far\n");
			return 3;
		}
		which = c.slice % 3;
		r.x = rd_mix(c.seed + c.slice) | 1;
		before = rt_now_ms();
		err = which ? slice_messages(&r, which == 1 ? SOCK_SEQPACKET : SOCK_DGRAM,
					     &c.bytes[which], &c.calls[which]) :
			      slice_stream(&r, &c.bytes[0], &c.calls[0]);
		c.ms[which] += rt_now_ms() - before;
		if (err)
			break;
		c.slice++;
		if (rt_now_ms() - said > 5000) {
			said = rt_now_ms();
			campaign_say(&c, gib);
		}
	}
	campaign_say(&c, gib);
	if (err)
		printf("# slice %llu of seed %llu: %s\n", c.slice, c.seed, strerror(-err));
	printf("%sok 1 - integrity: %.2f GiB over three types, each byte compared\n",
	       err ? "not " : "",
	       (c.bytes[0] + c.bytes[1] + c.bytes[2]) / 1073741824.0);
	return !!err;
}

/* The harness's main() is for who gives no argument. */
#define main harness_main
TEST_HARNESS_MAIN
#undef main

int main(int argc, char **argv)
{
	return argc > 1 ? campaign_run(atof(argv[1])) : harness_main(argc, argv);
}
