// SPDX-License-Identifier: GPL-2.0-only
/*
 * A small send into a stream goes in whole or not at all, and is seen whole: so
 * the records of several writers, and of several readers, stay in one piece, as
 * with unix(7).  Small is what a quarter of the ring holds, up to 32 KiB.
 */
#include "rill_test_data.h"
#include "rill_test_uffd.h"

#include <sys/sendfile.h>

#define STEPS		20000
#define WRITERS		3
#define RECORDS		2000

static char out[64 * 1024], in[256 * 1024];

FIXTURE(whole)
{
	int fd[2];
	long small;
};

FIXTURE_VARIANT(whole)
{
	enum rt_family family;
	int buffer;
};

FIXTURE_VARIANT_ADD(whole, rill)
{
	.family = RT_RILL,
};

FIXTURE_VARIANT_ADD(whole, rill_one_page)
{
	.family = RT_RILL, .buffer = 4096,
};

FIXTURE_VARIANT_ADD(whole, rill_odd)
{
	.family = RT_RILL, .buffer = 10001,
};

FIXTURE_VARIANT_ADD(whole, unix)
{
	.family = RT_UNIX,
};

FIXTURE_SETUP(whole)
{
	long capacity;

	ASSERT_EQ(0, rt_pair(variant->family, SOCK_STREAM, self->fd));
	if (variant->buffer) {
		ASSERT_EQ(0, rt_set_int(self->fd[0], SOL_SOCKET, SO_SNDBUF, variant->buffer));
		ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_RCVBUF, variant->buffer));
	}
	capacity = rt_capacity(self->fd[0], self->fd[1]);
	self->small = (capacity + 3) / 4;
	if (self->small > 32 * 1024)
		self->small = 32 * 1024;
}

FIXTURE_TEARDOWN(whole)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

/*
 * Sends of all sizes that are small, into a ring as full as it may be: each is
 * taken whole, or refused; and none is refused that poll() has promised.
 */
TEST_F(whole, none_is_cut)
{
	__u64 dice = 1, sent = 0, got = 0;
	int refused = 0, promised = 0, i;

	for (i = 0; i < STEPS; i++) {
		long len, n;
		int ready;

		dice = rd_mix(dice);
		len = 1 + (dice & 1 ? dice >> 8 & 127 : dice >> 8) % self->small;
		rd_fill(out, len, 1, sent);
		ready = rt_events(self->fd[0], POLLOUT);
		n = SYS(send(self->fd[0], out, len, MSG_DONTWAIT));
		if (n == len) {
			promised += ready == POLLOUT;
			sent += n;
			continue;
		}
		ASSERT_EQ(-EAGAIN, n) {
			TH_LOG("%ld of %ld bytes, step %d", n, len, i);
		}
		/* unix(7) counts memory, which poll() cannot know. */
		if (variant->family == RT_RILL)
			ASSERT_EQ(0, ready);
		refused++;
		/* Now and then all of it, or a few bytes. */
		len = dice >> 40 & 7 ? 1 + (dice >> 48) % 1000 : (long)sizeof(in);
		n = SYS(recv(self->fd[1], in, len, MSG_DONTWAIT));
		ASSERT_LT(0, n);
		ASSERT_EQ(-1, rd_verify(in, n, 1, got));
		got += n;
	}
	while (got < sent) {
		long n = SYS(recv(self->fd[1], in, sizeof(in), MSG_DONTWAIT));

		ASSERT_LT(0, n);
		ASSERT_EQ(-1, rd_verify(in, n, 1, got));
		got += n;
	}
	TH_LOG("%d sends, %d refused, %d promised", i, refused, promised);
	EXPECT_LT(STEPS / 100, refused);
	EXPECT_LT(0, promised);
}

/* A process that sends so many bytes as send_by(turn[0]) says. */
static pid_t start_sender(int fd, int turn[2])
{
	pid_t child;
	long n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, turn))
		return -errno;
	child = rt_fork();
	if (child) {
		close(turn[1]);
		return child;
	}
	close(turn[0]);
	while (read(turn[1], &n, sizeof(n)) == sizeof(n)) {
		n = SYS(send(fd, out, n, MSG_DONTWAIT));
		if (write(turn[1], &n, sizeof(n)) < 0)
			break;
	}
	_exit(0);
}

static long send_by(int turn, long len)
{
	if (write(turn, &len, sizeof(len)) != sizeof(len) ||
	    read(turn, &len, sizeof(len)) != sizeof(len))
		return -EIO;
	return len;
}

/* The i-th of sends that come from this process and another in turn. */
static long send_in_turn(int fd, int turn, int i, long len)
{
	return i & 1 ? send_by(turn, len) : SYS(send(fd, out, len, MSG_DONTWAIT));
}

/*
 * Bytes of another sender take two slots of the ring, of which there is one for
 * 512 bytes: they run out before the bytes do.
 */
TEST_F(whole, nor_where_slots_are_few)
{
	long slots = rt_capacity(self->fd[0], self->fd[1]) / 512, n;
	/* No large page takes it all. */
	long len = self->small < 12000 ? self->small : 12000;
	int turn[2], refused = 0, taken = 0, i, j;
	pid_t child;

	if (slots < 16)
		slots = 16;
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	child = start_sender(self->fd[0], turn);
	ASSERT_LT(0, child);
	/* So many bytes of either in turn, and then a send of many slots. */
	for (j = slots > 40 ? slots - 40 : 0; j < slots + 4; j++) {
		for (i = 0; i < j / 2; i++) {
			n = send_in_turn(self->fd[0], turn[0], i + j + 1, 1);
			if (n != 1)
				break;
		}
		ASSERT_TRUE(i == j / 2 || n == -EAGAIN);
		n = SYS(send(self->fd[0], out, len, MSG_DONTWAIT));
		ASSERT_TRUE(n == len || n == -EAGAIN) {
			TH_LOG("%ld of %ld bytes behind %d", n, len, i);
		}
		*(n > 0 ? &taken : &refused) += 1;
		ASSERT_LE(0, rt_drain(self->fd[1], sizeof(in)));
	}
	TH_LOG("%d taken, %d refused", taken, refused);
	EXPECT_LT(0, taken);
	if (variant->family == RT_RILL)
		EXPECT_LT(0, refused);
	close(turn[0]);
	EXPECT_EQ(0, rt_wait_child(child));
}

/* By reference as by copy; before Linux 6.5 each page is a send of its own. */
TEST_F(whole, nor_by_reference)
{
	long len = self->small < 4000 ? self->small : 4000;
	int memfd = memfd_create("whole", 0);
	off_t at = 0;

	if (variant->family == RT_UNIX)
		SKIP(return, "before Linux 6.5 AF_UNIX adds pages to what is there, full or not");
	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, SYS(ftruncate(memfd, 4096)));
	ASSERT_EQ(0, rt_set_nonblock(self->fd[0], true));
	ASSERT_LT(0, rt_fill(self->fd[0], len));
	ASSERT_EQ(len / 2, SYS(recv(self->fd[1], in, len / 2, MSG_DONTWAIT)));
	EXPECT_EQ(-EAGAIN, SYS(sendfile(self->fd[0], memfd, &at, len)));
	EXPECT_EQ(0, rt_events(self->fd[0], POLLOUT));
	EXPECT_EQ(0, at);
	ASSERT_LT(0, rt_drain(self->fd[1], sizeof(in)));
	EXPECT_EQ(POLLOUT, rt_events(self->fd[0], POLLOUT));
	EXPECT_EQ(len, SYS(sendfile(self->fd[0], memfd, &at, len)));
	EXPECT_EQ(len, SYS(recv(self->fd[1], in, sizeof(in), MSG_DONTWAIT)));
	close(memfd);
}

struct stream_of {
	int fd;
	long len, number;
};

static long send_many(void *arg)
{
	struct stream_of *s = arg;
	long n;

	for (long i = 0; i < s->number; i++) {
		n = SYS(send(s->fd, out, s->len, MSG_NOSIGNAL));
		if (n != s->len)
			return n < 0 ? n : -EIO;
	}
	return 0;
}

/* Who looks all the time sees whole sends only. */
TEST_F_TIMEOUT(whole, none_is_seen_begun, 60)
{
	struct stream_of s = {
		.fd = self->fd[0], .len = self->small - self->small / 8, .number = RECORDS,
	};
	long left = s.len * s.number, n;
	struct rt_thread t;

	ASSERT_EQ(0, rt_thread_start(&t, send_many, &s));
	while (left) {
		n = SYS(recv(self->fd[1], in, sizeof(in), MSG_DONTWAIT));
		if (n == -EAGAIN) {
			/* With one CPU, it is the sender's turn. */
			sched_yield();
			ASSERT_FALSE(rt_thread_done(&t) && rt_events(self->fd[1], POLLIN) == 0);
			continue;
		}
		ASSERT_LT(0, n);
		/* All that the buffer takes, while more comes: the rest of the last. */
		if (n == sizeof(in) && n % s.len)
			n += SYS(recv(self->fd[1], in, s.len - n % s.len, MSG_DONTWAIT));
		EXPECT_EQ(0, n % s.len) {
			TH_LOG("%ld bytes of sends of %ld", n, s.len);
			break;
		}
		left -= n;
	}
	shutdown(self->fd[1], SHUT_RDWR);
	EXPECT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(0, t.ret);
}

/*
 * The last page is a large one with room, but the segment of slots is full: a mark
 * closes the page, and then the bytes take more slots than one.
 */
TEST(whole_behind_a_large_page)
{
	int fd[2], turn[2], before, behind, i;
	pid_t child;
	long n;

	for (before = 4; before < 10; before++) {
		for (behind = 9; behind < 18; behind++) {
			ASSERT_EQ(0, rt_pair(RT_RILL, SOCK_STREAM, fd));
			ASSERT_EQ(0, rt_set_int(fd[0], SOL_SOCKET, SO_SNDBUF, 12032));
			ASSERT_EQ(0, rt_set_int(fd[1], SOL_SOCKET, SO_RCVBUF, 12032));
			ASSERT_EQ(0, rt_set_int(fd[1], SOL_SOCKET, SO_PASSCRED, 1));
			child = start_sender(fd[0], turn);
			ASSERT_LT(0, child);
			for (i = 0; i < before; i++)
				ASSERT_EQ(1, send_in_turn(fd[0], turn[0], i, 1));
			ASSERT_EQ(16384, send_in_turn(fd[0], turn[0], i++, 16384));
			for (n = 1; n == 1 && i <= before + behind; i++)
				n = send_in_turn(fd[0], turn[0], i, 1);
			n = send_in_turn(fd[0], turn[0], i, 6000);
			ASSERT_TRUE(n == 6000 || n == -EAGAIN) {
				TH_LOG("%ld of 6000, %d before, %d behind", n, before, behind);
			}
			close(turn[0]);
			EXPECT_EQ(0, rt_wait_child(child));
			close(fd[0]);
			close(fd[1]);
		}
	}
}

/* A page fault in the middle: until it is served nobody sees the beginning. */
TEST_F(whole, none_is_seen_in_part)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct rt_call c;
	int uffd, q = -1;
	char *map;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	uffd = rt_uffd(map + page, page);
	if (uffd < 0)
		SKIP(return, "no userfaultfd here (%d)", uffd);
	memset(map, 'u', page);
	/* 40 bytes are left of the ring's page, which is not to be given back. */
	ASSERT_EQ(page - 40, SYS(send(self->fd[0], out, page - 40, 0)));
	ASSERT_EQ(page - 41, SYS(recv(self->fd[1], in, page - 41, 0)));
	c = (struct rt_call){
		.nr = SYS_sendto, .fd = self->fd[0], .buf = map + page - 40, .len = 100,
	};
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_uffd_hangs(uffd));
	EXPECT_EQ(0, SYS(ioctl(self->fd[1], SIOCINQ, &q)));
	EXPECT_EQ(1, q);
	/* AF_UNIX counts its memory. */
	if (variant->family == RT_RILL) {
		EXPECT_EQ(0, SYS(ioctl(self->fd[0], SIOCOUTQ, &q)));
		EXPECT_EQ(1, q);
	}
	EXPECT_EQ(1, SYS(recv(self->fd[1], in, sizeof(in), MSG_DONTWAIT)));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], in, sizeof(in), MSG_DONTWAIT)));
	EXPECT_EQ(0, rt_events(self->fd[1], POLLIN));
	ASSERT_EQ(0, rt_uffd_fill(uffd, map + page, page));
	EXPECT_EQ(100, rt_call_end(&c));
	EXPECT_EQ(100, SYS(recv(self->fd[1], in, sizeof(in), MSG_DONTWAIT)));
	for (int i = 0; i < 100; i++)
		ASSERT_EQ('u', in[i]);
	close(uffd);
	munmap(map, 2 * page);
}

/* ---- several writers, several readers ---- */

struct record {
	__u32 writer, number, check;
};

struct worker {
	struct rt_thread thread;
	int fd, who;
	long records;
	unsigned int seen[WRITERS];
	atomic_long *left;
};

static __u32 check_of(const struct record *r)
{
	return rd_mix(r->writer * 1000003ULL + r->number);
}

static long write_records(void *arg)
{
	struct worker *w = arg;

	for (long i = 0; i < w->records; i++) {
		struct record r = { .writer = w->who, .number = i };
		long n;

		r.check = check_of(&r);
		n = SYS(send(w->fd, &r, sizeof(r), MSG_NOSIGNAL));
		if (n != sizeof(r))
			return n < 0 ? n : -EIO;
	}
	return 0;
}

static long read_records(void *arg)
{
	struct worker *w = arg;

	while (atomic_fetch_sub(w->left, 1) > 0) {
		struct record r = { };
		long n = SYS(recv(w->fd, &r, sizeof(r), MSG_WAITALL));

		if (n != sizeof(r))
			return n < 0 ? n : -EIO;
		if (r.check != check_of(&r) || r.writer >= WRITERS)
			return -EBADMSG;
		w->seen[r.writer]++;
	}
	return 0;
}

static void crowd(struct __test_metadata *_metadata, const int *fd, int readers)
{
	struct worker w[WRITERS] = { }, r[2] = { };
	atomic_long left = WRITERS * RECORDS;
	int i;

	for (i = 0; i < readers; i++) {
		r[i].fd = fd[1];
		r[i].left = &left;
		ASSERT_EQ(0, rt_thread_start(&r[i].thread, read_records, &r[i]));
	}
	for (i = 0; i < WRITERS; i++) {
		w[i].fd = fd[0];
		w[i].who = i;
		w[i].records = RECORDS;
		ASSERT_EQ(0, rt_thread_start(&w[i].thread, write_records, &w[i]));
	}
	/* Who finds a record torn stops to read, so the writers may have to be stopped. */
	for (i = 0; i < readers; i++) {
		EXPECT_TRUE(rt_thread_join(&r[i].thread));
		EXPECT_EQ(0, r[i].thread.ret);
	}
	shutdown(fd[1], SHUT_RDWR);
	for (i = 0; i < WRITERS; i++) {
		EXPECT_TRUE(rt_thread_join(&w[i].thread));
		EXPECT_EQ(0, w[i].thread.ret);
		EXPECT_EQ(RECORDS, r[0].seen[i] + r[1].seen[i]);
	}
}

TEST_F_TIMEOUT(whole, writers, 60)
{
	crowd(_metadata, self->fd, 1);
}

TEST_F_TIMEOUT(whole, writers_and_readers, 60)
{
	crowd(_metadata, self->fd, 2);
}

TEST_HARNESS_MAIN
