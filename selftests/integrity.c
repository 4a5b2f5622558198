// SPDX-License-Identifier: GPL-2.0-only
/*
 * A lot of data in random pieces, every byte compared and summed up: 1 GiB
 * through streams, in both directions at once, between threads and between
 * processes, with random flags, peeks, partial reads and buffer sizes; and
 * 64 MiB through datagrams and seqpacket each.
 *
 * RILL_SEED repeats a run as far as its decisions go; RILL_MIB is the amount.
 */
#include "rill_test_data.h"

#define MIB		1048576UL
#define BIGGEST		(192UL << 10)	/* longest send or receive */

/*
 * The byte at position p of direction d is table[(p + d * SHIFT) % PERIOD]: the
 * sender need not make it, and a piece that is lost or moved does not fit.
 */
#define PERIOD		1048573UL	/* a prime: nothing a kernel rounds to */
#define SHIFT		400009UL

static unsigned char table[PERIOD + BIGGEST + 8];
static unsigned long long seed;

static const unsigned char *at(int dir, __u64 pos)
{
	return table + (pos + dir * SHIFT) % PERIOD;
}

/* The sum of the bytes as words; true if they are what is expected. */
static bool compare(const unsigned char *got, const unsigned char *want, size_t len,
		    __u64 *sum)
{
	__u64 diff = 0, s = 0, a, b;

	while (len >= 8) {
		memcpy(&a, got, 8);
		memcpy(&b, want, 8);
		diff |= a ^ b;
		s += (a & 0x00ff00ff00ff00ffULL) + (a >> 8 & 0x00ff00ff00ff00ffULL);
		/* Folded before the 16-bit lanes can overflow. */
		if (s & 0x8000800080008000ULL) {
			*sum += (s & 0xffff) + (s >> 16 & 0xffff) + (s >> 32 & 0xffff) +
				(s >> 48);
			s = 0;
		}
		got += 8;
		want += 8;
		len -= 8;
	}
	*sum += (s & 0xffff) + (s >> 16 & 0xffff) + (s >> 32 & 0xffff) + (s >> 48);
	while (len--) {
		diff |= *got ^ *want++;
		*sum += *got++;
	}
	return !diff;
}

struct rng {
	__u64 x;
};

static __u32 rnd(struct rng *r)
{
	r->x ^= r->x << 13;
	r->x ^= r->x >> 7;
	r->x ^= r->x << 17;
	return r->x >> 16;
}

/* Small ones often, most of them long enough to get somewhere. */
static size_t rnd_size(struct rng *r, size_t max)
{
	size_t n;

	switch (rnd(r) % 16) {
	case 0:
		n = 1 + rnd(r) % 16;
		break;
	case 1:
		n = 1 + rnd(r) % 600;
		break;
	case 2:
		n = 4096 + rnd(r) % 3 - 1;
		break;
	case 3:
		n = 1 + rnd(r) % BIGGEST;
		break;
	default:
		n = 1 + rnd(r) % 60000;
	}
	return n < max ? n : max;
}

struct way {
	int fd;
	int dir;
	__u64 total;
	__u64 sum;
	__u64 calls, again, peeks;
	struct rng r;
	bool resize;
};

/* A text for the failure, and a negative errno for the caller. */
static long bad(struct way *w, const char *what, __u64 pos, long err)
{
	fprintf(stderr, "# direction %d at byte %llu: %s (%ld), seed %llu\n", w->dir,
		pos, what, err, seed);
	return err < 0 ? err : -EIO;
}

static bool wait_for(int fd, short ev)
{
	return rt_poll(fd, ev) > 0;
}

static long sender(void *arg)
{
	struct way *w = arg;
	__u64 pos = 0;

	while (pos < w->total) {
		size_t len = rnd_size(&w->r, w->total - pos);
		const unsigned char *p = at(w->dir, pos);
		struct iovec iov[3];
		int flags = MSG_NOSIGNAL;
		__u32 kind = rnd(&w->r) % 8;
		size_t k;
		long n;

		if (rnd(&w->r) % 4 == 0)
			flags |= MSG_MORE;
		switch (kind) {
		case 0:
			k = rnd(&w->r) % (len + 1);
			iov[0] = (struct iovec){ (void *)p, k / 2 };
			iov[1] = (struct iovec){ (void *)(p + k / 2), k - k / 2 };
			iov[2] = (struct iovec){ (void *)(p + k), len - k };
			n = SYS(writev(w->fd, iov, 3));
			break;
		case 1:
		case 2:
			n = SYS(send(w->fd, p, len, flags | MSG_DONTWAIT));
			break;
		default:
			n = SYS(send(w->fd, p, len, flags));
		}
		w->calls++;
		if (n == -EAGAIN && (kind == 1 || kind == 2)) {
			w->again++;
			if (!wait_for(w->fd, POLLOUT))
				return bad(w, "never writable again", pos, -ETIMEDOUT);
			continue;
		}
		if (n <= 0 || n > (long)len)
			return bad(w, "send", pos, n);
		compare(p, p, n, &w->sum);
		pos += n;
		if (w->resize && rnd(&w->r) % 512 == 0)
			rt_set_int(w->fd, SOL_SOCKET, SO_SNDBUF,
				   1 + rnd(&w->r) % 200000);
	}
	return SYS(shutdown(w->fd, SHUT_WR));
}

static long receiver(void *arg)
{
	struct way *w = arg;
	unsigned char *buf = malloc(BIGGEST + 8);
	__u64 pos = 0, ignored;
	long err = 0;

	while (!err) {
		size_t len = rnd_size(&w->r, BIGGEST), off = rnd(&w->r) % 8;
		struct iovec iov[3];
		__u32 kind = rnd(&w->r) % 16;
		int flags = 0;
		size_t k;
		long n;

		switch (kind) {
		case 0:
			flags = MSG_PEEK;
			break;
		case 1:
			flags = MSG_PEEK | MSG_DONTWAIT;
			break;
		case 2:
		case 3:
			flags = MSG_DONTWAIT;
			break;
		case 4:
		case 5:
			flags = MSG_WAITALL;
			break;
		}
		if (kind == 6) {
			k = rnd(&w->r) % (len + 1);
			iov[0] = (struct iovec){ buf + off, k / 2 };
			iov[1] = (struct iovec){ buf + off + k / 2, k - k / 2 };
			iov[2] = (struct iovec){ buf + off + k, len - k };
			n = SYS(readv(w->fd, iov, 3));
		} else {
			n = SYS(recv(w->fd, buf + off, len, flags));
		}
		w->calls++;
		if (n == -EAGAIN && flags & MSG_DONTWAIT) {
			w->again++;
			if (!wait_for(w->fd, POLLIN))
				err = bad(w, "never readable again", pos, -ETIMEDOUT);
			continue;
		}
		if (n < 0 || n > (long)len) {
			err = bad(w, "recv", pos, n);
			break;
		}
		if (!n) {
			if (pos != w->total)
				err = bad(w, "early end", pos, 0);
			break;
		}
		if (flags & MSG_WAITALL && n < (long)len && pos + n != w->total) {
			err = bad(w, "MSG_WAITALL came back early", pos, n);
			break;
		}
		if (!compare(buf + off, at(w->dir, pos), n,
			     flags & MSG_PEEK ? &ignored : &w->sum)) {
			err = bad(w, "wrong bytes", pos, n);
			break;
		}
		if (flags & MSG_PEEK)
			w->peeks++;
		else
			pos += n;
		if (w->resize && rnd(&w->r) % 512 == 0)
			rt_set_int(w->fd, SOL_SOCKET, SO_RCVBUF,
				   1 + rnd(&w->r) % 200000);
	}
	free(buf);
	return err;
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
	size_t i;

	seed = s ? strtoull(s, NULL, 0) : (unsigned long long)time(NULL) << 16 ^ getpid();
	self->r.x = rd_mix(seed) | 1;
	self->mib = m ? strtoull(m, NULL, 0) : variant->mib;
	/* The same seed gives the same table; %PERIOD must hold behind the end. */
	for (i = 0; i < PERIOD; i++)
		table[i] = rnd(&self->r);
	memcpy(table + PERIOD, table, BIGGEST + 8);
	TH_LOG("RILL_SEED=%llu", seed);
}

FIXTURE_TEARDOWN(integrity)
{
}

static void set_buffers(struct rng *r, int fd)
{
	static const int sizes[] = { 1, 2304, 8192, 30000, 106496, 106496, 106496, 212992 };

	rt_set_int(fd, SOL_SOCKET, SO_RCVBUF, sizes[rnd(r) % 8]);
	rt_set_int(fd, SOL_SOCKET, SO_SNDBUF, sizes[rnd(r) % 8]);
}

/* Four threads: both directions of one pair; the sums must agree. */
static long both_ways(struct __test_metadata *_metadata, struct rng *r,
		      enum rt_family family, __u64 total, __u64 *calls)
{
	struct way w[4];
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
	for (i = 0; i < 2 && !err; i++)
		EXPECT_EQ(w[i].sum, w[2 + i].sum);
	close(fd[0]);
	close(fd[1]);
	return err;
}

TEST_F_TIMEOUT(integrity, threads, 400)
{
	__u64 total = self->mib * MIB / 2, calls = 0;
	const int rounds = 8;
	long long start = rt_now_ms(), ms;
	int i;

	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, both_ways(_metadata, &self->r, variant->family,
				       total / rounds / 2 + rnd(&self->r) % 4096, &calls));
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

/* ---- messages ---------------------------------------------------------- */

#define LONGEST		60000

struct head {
	__u32 sender;
	__u32 len;	/* of the data behind this */
	__u64 seq;
	__u64 pos;
};

struct talk {
	int fd;
	int id;
	__u64 total;
	__u64 sum;
	__u64 messages;
	struct rng r;
};

static long talker(void *arg)
{
	struct talk *t = arg;
	struct head h = { .sender = t->id };

	while (h.pos < t->total) {
		size_t max = t->total - h.pos < LONGEST ? t->total - h.pos : LONGEST;
		struct iovec iov[2] = { { &h, sizeof(h) } };
		struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
		int flags = MSG_NOSIGNAL;
		long n;

		h.len = rnd_size(&t->r, max);
		/* Now and then one of nothing but its head. */
		if (rnd(&t->r) % 32 == 0)
			h.len = 0;
		iov[1] = (struct iovec){ (void *)at(t->id, h.pos), h.len };
		if (rnd(&t->r) % 4 == 0)
			flags |= MSG_DONTWAIT;
		do {
			n = SYS(sendmsg(t->fd, &msg, flags));
			if (n == -EAGAIN && !wait_for(t->fd, POLLOUT))
				return -ETIMEDOUT;
		} while (n == -EAGAIN);
		if (n != (long)(sizeof(h) + h.len)) {
			fprintf(stderr, "# sender %d, message %llu: %ld, seed %llu\n",
				t->id, h.seq, n, seed);
			return n < 0 ? n : -EIO;
		}
		compare(iov[1].iov_base, iov[1].iov_base, h.len, &t->sum);
		h.pos += h.len;
		h.seq++;
	}
	t->messages = h.seq;
	return 0;
}

/* Takes n senders' messages until each said all; checks order and bytes. */
static long listener(int fd, int n, struct talk *sent, struct talk *got, struct rng *r)
{
	unsigned char *buf = malloc(sizeof(struct head) + LONGEST);
	__u64 seq[4] = { 0 }, pos[4] = { 0 }, ignored = 0;
	int left = n;
	long ret = 0;

	while (left && !ret) {
		size_t room = sizeof(struct head) + LONGEST;
		int flags = 0;
		struct head h;
		bool peek = rnd(r) % 16 == 0;

		if (peek)
			flags |= MSG_PEEK;
		/* A short buffer, and the true length all the same. */
		if (rnd(r) % 16 == 0) {
			room = sizeof(h) + rnd(r) % 5000;
			flags |= MSG_TRUNC;
		}
		ret = SYS(recv(fd, buf, room, flags));
		if (ret < (long)sizeof(h)) {
			ret = ret < 0 ? ret : -EBADMSG;
			break;
		}
		memcpy(&h, buf, sizeof(h));
		if (h.sender >= (unsigned int)n || h.seq != seq[h.sender] ||
		    h.pos != pos[h.sender] || ret != (long)(sizeof(h) + h.len)) {
			fprintf(stderr, "# message of %ld: sender %u seq %llu (%llu), seed %llu\n",
				ret, h.sender, h.seq, h.sender < 4 ? seq[h.sender] : 0, seed);
			ret = -EILSEQ;
			break;
		}
		ret = 0;
		if (room < sizeof(h) + h.len && !peek)
			compare(at(h.sender, h.pos), at(h.sender, h.pos), h.len,
				&got[h.sender].sum);
		else if (room < sizeof(h) + h.len)
			ret = compare(buf + sizeof(h), at(h.sender, h.pos), room - sizeof(h),
				      &ignored) ? 0 : -EBADMSG;
		else
			ret = compare(buf + sizeof(h), at(h.sender, h.pos), h.len,
				      peek ? &ignored : &got[h.sender].sum) ? 0 : -EBADMSG;
		if (peek)
			continue;
		seq[h.sender]++;
		pos[h.sender] += h.len;
		if (pos[h.sender] == sent[h.sender].total && h.len)
			left--;
	}
	free(buf);
	return ret;
}

static void run_messages(struct __test_metadata *_metadata, struct rng *r, int n,
			 const int *fd, int rfd, __u64 total, const char *what)
{
	struct talk sent[4], got[4];
	struct rt_thread t[4];
	long long start = rt_now_ms(), ms;
	__u64 messages = 0;
	int i;

	memset(got, 0, sizeof(got));
	for (i = 0; i < n; i++) {
		sent[i] = (struct talk){
			.fd = fd[i], .id = i, .total = total / n,
			.r = { rd_mix(r->x + i) | 1 },
		};
		ASSERT_EQ(0, rt_thread_start(&t[i], talker, &sent[i]));
	}
	ASSERT_EQ(0, listener(rfd, n, sent, got, r));
	for (i = 0; i < n; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_EQ(0, t[i].ret);
		EXPECT_EQ(sent[i].sum, got[i].sum);
		messages += sent[i].messages;
	}
	EXPECT_EQ(-EAGAIN, SYS(recv(rfd, got, 1, MSG_DONTWAIT)));
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

TEST_HARNESS_MAIN
