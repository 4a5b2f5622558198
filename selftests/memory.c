// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of a stream's ring: how many it holds while bytes flow, and that a
 * quiet one holds none.  SO_MEMINFO tells; SK_MEMINFO_RMEM_ALLOC of the
 * receiving end is what its ring has allocated.  AF_UNIX counts something else
 * there, so there is no control.
 */
#include "rill_test_data.h"

/* The ring keeps so many pages besides those that hold unread bytes. */
#define KEPT_PAGES		(64 + 8)	/* and what the last slot has */
#define LARGE			0x100000	/* bytes, far more than they hold */

static char buf[1 << 20], other[1 << 20];

/* The worker comes by within two seconds of quiet. */
static bool wait_for_none(int fd)
{
	return RT_UNTIL(!rd_held(fd));
}

FIXTURE(memory)
{
	int fd[2];
	long page;
};

FIXTURE_SETUP(memory)
{
	self->page = sysconf(_SC_PAGESIZE);
	ASSERT_EQ(0, rt_pair(RT_RILL, SOCK_STREAM, self->fd));
}

FIXTURE_TEARDOWN(memory)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

TEST_F(memory, none_at_first)
{
	EXPECT_EQ(0, rd_held(self->fd[0]));
	EXPECT_EQ(0, rd_held(self->fd[1]));
}

static int enlarge(int fd)
{
	int err = rt_set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, LARGE);

	return err ?: rt_set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, LARGE);
}

/* To and fro: the same pages again and again. */
TEST_F(memory, steady_in_ping_pong)
{
	long most = 0, now;
	int i;

	for (i = 0; i < 5000; i++) {
		ASSERT_EQ(100, SYS(send(self->fd[0], buf, 100, 0)));
		ASSERT_EQ(100, SYS(recv(self->fd[1], buf, 200, 0)));
		now = rd_held(self->fd[1]);
		if (now > most)
			most = now;
	}
	EXPECT_LT(0, most);
	EXPECT_GE(3 * self->page, most);
	EXPECT_TRUE(wait_for_none(self->fd[1]));
}

/* A full ring holds what it carries; an empty one keeps a few, then none. */
TEST_F(memory, full_and_drained)
{
	long cap;
	int round;

	ASSERT_EQ(0, enlarge(self->fd[0]));
	ASSERT_EQ(0, enlarge(self->fd[1]));
	cap = rt_capacity(self->fd[0], self->fd[1]);
	ASSERT_LT(2 * KEPT_PAGES * self->page, cap);
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(cap, rt_fill(self->fd[0], 5000));
		EXPECT_LE(cap, rd_held(self->fd[1]));
		EXPECT_GE(cap + KEPT_PAGES * self->page, rd_held(self->fd[1]));
		ASSERT_EQ(cap, rt_drain(self->fd[1], sizeof(buf)));
		EXPECT_GE(KEPT_PAGES * self->page, rd_held(self->fd[1]));
	}
	EXPECT_TRUE(wait_for_none(self->fd[1]));
	/* And it works on from there. */
	ASSERT_EQ(cap, rt_fill(self->fd[0], 5000));
	ASSERT_EQ(cap, rt_drain(self->fd[1], sizeof(buf)));
	EXPECT_TRUE(wait_for_none(self->fd[1]));
}

/* Bytes that nobody reads stay: only a drained ring is quiet. */
TEST_F(memory, unread_bytes_stay)
{
	ASSERT_EQ(5, SYS(send(self->fd[0], "first", 5, 0)));
	ASSERT_EQ(5, SYS(recv(self->fd[1], buf, 5, 0)));
	ASSERT_EQ(6, SYS(send(self->fd[0], "second", 6, 0)));
	/* Another pair goes quiet meanwhile, by which the worker has run. */
	ASSERT_EQ(1, SYS(send(self->fd[1], "x", 1, 0)));
	ASSERT_EQ(1, SYS(recv(self->fd[0], buf, 1, 0)));
	ASSERT_TRUE(wait_for_none(self->fd[0]));
	EXPECT_LT(0, rd_held(self->fd[1]));
	ASSERT_EQ(6, SYS(recv(self->fd[1], buf, 10, 0)));
	EXPECT_EQ(0, memcmp(buf, "second", 6));
	EXPECT_TRUE(wait_for_none(self->fd[1]));
}

/* Who wrote last is forgotten with the pages; a read that goes on does not care. */
TEST_F(memory, one_read_over_a_pause)
{
	struct rt_call call = {
		.nr = SYS_recvfrom, .fd = self->fd[1], .buf = buf, .len = 200,
		.flags = MSG_WAITALL,
	};

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	ASSERT_EQ(100, SYS(send(self->fd[0], other, 100, 0)));
	ASSERT_EQ(0, rt_call_start(&call));
	ASSERT_TRUE(rt_call_sleeps(&call));
	ASSERT_TRUE(wait_for_none(self->fd[1]));
	ASSERT_EQ(100, SYS(send(self->fd[0], other, 100, 0)));
	EXPECT_EQ(200, rt_call_end(&call));
}

/* A first send that fails leaves nothing behind, and nothing in the way. */
TEST_F(memory, first_send_fails)
{
	/* errno: send EFAULT */
	EXPECT_EQ(-EFAULT, SYS(send(self->fd[0], NULL, 100, 0)));
	EXPECT_EQ(0, rd_held(self->fd[1]));
	ASSERT_EQ(5, SYS(send(self->fd[0], "hello", 5, 0)));
	ASSERT_EQ(5, SYS(recv(self->fd[1], buf, 10, 0)));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
}

/* Many bytes at once go into large pages, which count as what they are. */
TEST_F(memory, large_pages)
{
	long cap = rt_capacity(self->fd[0], self->fd[1]), some, i;
	int round;

	/* Small spares make room for large ones. */
	ASSERT_EQ(cap, rt_fill(self->fd[0], 1000));
	ASSERT_EQ(cap, rt_drain(self->fd[1], sizeof(buf)));
	for (round = 0; round < 20; round++) {
		for (i = 0; i < cap; i++)
			other[i] = i + round;
		ASSERT_EQ(cap, SYS(send(self->fd[0], other, cap, MSG_DONTWAIT)));
		EXPECT_LE(cap, rd_held(self->fd[1]));
		EXPECT_GE(cap + KEPT_PAGES * self->page, rd_held(self->fd[1]));
		/* Some, and a small write into what the last one left. */
		some = 1 + 7919 * round % (cap - 1);
		ASSERT_EQ(0, rt_recv_all(self->fd[1], buf, some));
		ASSERT_EQ(1, SYS(send(self->fd[0], "!", 1, MSG_DONTWAIT)));
		ASSERT_EQ(0, rt_recv_all(self->fd[1], buf + some, cap - some + 1));
		ASSERT_EQ(0, memcmp(buf, other, cap));
		ASSERT_EQ('!', buf[cap]);
		EXPECT_GE(KEPT_PAGES * self->page, rd_held(self->fd[1]));
	}
	EXPECT_TRUE(wait_for_none(self->fd[1]));
}

/*
 * A large page is taken for many bytes, of which only the first can be read; a
 * page by reference behind it has it filled up no more.
 */
TEST_F(memory, first_bytes_of_large_pages)
{
	long page = self->page, most = 0, n = 0, now;
	char *map;
	int p[2];

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, SYS(munmap(map + page, page)));
	ASSERT_EQ(0, SYS(pipe(p)));
	for (;;) {
		long ret = SYS(send(self->fd[0], map + page - 1, 20000,
				    MSG_DONTWAIT));

		if (ret < 0) {
			EXPECT_EQ(-EAGAIN, ret);
			break;
		}
		ASSERT_EQ(1, ret);
		n++;
		ASSERT_EQ(1, SYS(write(p[1], "x", 1)));
		ret = SYS(splice(p[0], NULL, self->fd[0], NULL, 1,
				 SPLICE_F_NONBLOCK));
		now = rd_held(self->fd[1]);
		if (now > most)
			most = now;
		if (ret != 1)
			break;
		n++;
	}
	EXPECT_LT(32, n);
	/* 32 KiB each would be far more. */
	EXPECT_GE(rt_capacity(self->fd[0], self->fd[1]) +
		  (KEPT_PAGES + n) * page, most);
	EXPECT_EQ(n, rt_drain(self->fd[1], sizeof(buf)));
	EXPECT_TRUE(wait_for_none(self->fd[1]));
	close(p[0]);
	close(p[1]);
	munmap(map, page);
}

/* What the closed end sent goes when it is read. */
TEST_F(memory, after_close)
{
	long n;

	ASSERT_EQ(0, enlarge(self->fd[0]));
	ASSERT_EQ(0, enlarge(self->fd[1]));
	ASSERT_LT(0, rt_fill(self->fd[0], 4000));
	n = rt_fill(self->fd[1], 4000);
	ASSERT_LT(0, n);
	ASSERT_EQ(0, close(self->fd[1]));
	self->fd[1] = -1;
	while (n > 0) {
		long some = n < (long)sizeof(buf) ? n : (long)sizeof(buf);

		ASSERT_EQ(0, rt_recv_all(self->fd[0], buf, some));
		n -= some;
	}
	EXPECT_GE(KEPT_PAGES * self->page, rd_held(self->fd[0]));
	EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[0], buf, 1, MSG_DONTWAIT)));
	EXPECT_EQ(0, SYS(recv(self->fd[0], buf, 1, MSG_DONTWAIT)));
}

/* A reset drops it all, with the next look at the latest. */
TEST_F(memory, after_reset)
{
	ASSERT_LT(0, rt_fill(self->fd[0], 4000));
	ASSERT_EQ(0, rt_set_linger(self->fd[0], 1, 0));
	ASSERT_EQ(0, close(self->fd[0]));
	self->fd[0] = -1;
	EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[1], buf, 1, MSG_DONTWAIT)));
	EXPECT_EQ(0, rd_held(self->fd[1]));
}

/* Small pieces with marks between them cannot make it hold more than it may. */
TEST_F(memory, marks_are_bounded)
{
	long cap = rt_capacity(self->fd[0], self->fd[1]), n = 0, i;
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	struct ucred cred = { .pid = getpid() };
	long ret;
	char c;

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	for (;;) {
		c = n;
		iov.iov_base = &c;
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_CREDENTIALS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(cred));
		cred.uid = n % 2;
		cred.gid = n % 2;
		memcpy(CMSG_DATA(cmsg), &cred, sizeof(cred));
		ret = SYS(sendmsg(self->fd[0], &msg, MSG_DONTWAIT));
		if (ret < 0)
			break;
		ASSERT_EQ(1, ret);
		ASSERT_GT(cap, ++n);
	}
	EXPECT_EQ(-EAGAIN, ret);
	EXPECT_LT(16, n);
	/*
	 * They share pages (a new one where the array of slots has doubled),
	 * and are far fewer than the bytes that would fit.
	 */
	EXPECT_GE(8 * self->page, rd_held(self->fd[1]));
	EXPECT_GE(cap / 512, n);
	EXPECT_EQ(POLLIN, rt_events(self->fd[1], POLLIN));
	EXPECT_EQ(0, rt_events(self->fd[0], POLLOUT));

	for (i = 0; i < n; i++) {
		iov.iov_base = buf;
		iov.iov_len = 10;
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		/* One byte a read: there is a mark before each. */
		ASSERT_EQ(1, SYS(recvmsg(self->fd[1], &msg, MSG_DONTWAIT)));
		ASSERT_EQ((char)i, buf[0]);
		cmsg = CMSG_FIRSTHDR(&msg);
		ASSERT_NE(NULL, cmsg);
		memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
		ASSERT_EQ(i % 2, cred.uid);
	}
	EXPECT_EQ(POLLOUT, rt_events(self->fd[0], POLLOUT));
	EXPECT_TRUE(wait_for_none(self->fd[1]));
}

TEST_HARNESS_MAIN
