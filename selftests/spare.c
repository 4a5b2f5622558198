// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a message that was read serves the next one.  Nothing of the
 * first may show in the second, and what nobody needs is given back.
 * SO_MEMINFO tells how much is kept (fwd_alloc); unix(7) keeps none.
 */
#include "rill_test_data.h"

#include <linux/filter.h>
#include <linux/sock_diag.h>

#define LARGE	65536

static long meminfo(int fd, int what)
{
	__u32 m[SK_MEMINFO_VARS];
	socklen_t len = sizeof(m);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, m, &len))
		return -errno;
	return m[what];
}

static long kept(int fd)
{
	return meminfo(fd, SK_MEMINFO_FWD_ALLOC);
}

FIXTURE(spare)
{
	int fd[2];
	char *out, *in;
};

FIXTURE_VARIANT(spare)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(spare, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(spare, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(spare, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(spare, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(spare)
{
	self->out = malloc(LARGE + 1);
	self->in = malloc(LARGE + 1);
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
}

FIXTURE_TEARDOWN(spare)
{
	close(self->fd[0]);
	close(self->fd[1]);
	free(self->out);
	free(self->in);
}

/* Of every size that has a layout of its own, in an order that mixes them. */
static int pick_size(unsigned int i)
{
	static const int sizes[] = {
		0, 1, 64, 191, 192, 193, 500, 704, 705, 1024, 4000, 8192,
		16000, 16064, 16065, 20000, 40000, LARGE,
	};

	i = i * 2654435761u >> 16;
	return sizes[i % ARRAY_SIZE(sizes)];
}

/* What is read is what was sent, whatever stood there before. */
TEST_F(spare, content)
{
	unsigned int sent = 0, got = 0;
	long n;

	while (got < 4000) {
		/* As many as fit, at most 1 + got % 7. */
		for (unsigned int i = 0; i <= got % 7; i++) {
			rd_fill(self->out, pick_size(sent), sent, 0);
			n = SYS(send(self->fd[0], self->out, pick_size(sent),
				     MSG_DONTWAIT));
			if (n == -EAGAIN)
				break;
			ASSERT_EQ(pick_size(sent), n);
			sent++;
		}
		for (; got < sent; got++) {
			n = pick_size(got);
			self->in[n] = 'e';
			ASSERT_EQ(n, SYS(recv(self->fd[1], self->in, LARGE + 1,
					      MSG_DONTWAIT)));
			ASSERT_EQ(-1, rd_verify(self->in, n, got, 0));
			ASSERT_EQ('e', self->in[n]);
		}
		ASSERT_EQ(-EAGAIN, SYS(recv(self->fd[1], self->in, 1,
					    MSG_DONTWAIT)));
	}
}

/* A message that recorded no sender does not show an earlier one's. */
TEST_F(spare, credentials)
{
	struct rd_msg m;
	struct ucred uc;
	char c;

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	ASSERT_EQ(1, SYS(send(self->fd[0], "a", 1, 0)));
	ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(getpid(), uc.pid);
	EXPECT_EQ(getuid(), uc.uid);

	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 0));
	ASSERT_EQ(1, SYS(send(self->fd[0], "b", 1, 0)));
	ASSERT_EQ(0, rt_set_int(self->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	ASSERT_EQ(1, rd_recv(self->fd[1], &c, 1, 0, &m));
	EXPECT_EQ('b', c);
	ASSERT_TRUE(rd_creds(&m, &uc));
	EXPECT_EQ(0, uc.pid);
	EXPECT_EQ(65534, uc.uid);
}

/* A small message does not stand in a large one's memory. */
TEST_F(spare, size)
{
	/* With no pages of its own, which a small one could not use anyway. */
	ASSERT_EQ(16000, SYS(send(self->fd[0], self->out, 16000, 0)));
	ASSERT_EQ(16000, SYS(recv(self->fd[1], self->in, LARGE, 0)));
	ASSERT_EQ(1, SYS(send(self->fd[0], "a", 1, 0)));
	EXPECT_GE(4096, meminfo(self->fd[0], SK_MEMINFO_WMEM_ALLOC));
	EXPECT_GE(4096, meminfo(self->fd[1], SK_MEMINFO_RMEM_ALLOC));
	ASSERT_EQ(8000, SYS(send(self->fd[0], self->out, 8000, 0)));
	EXPECT_GE(40000, meminfo(self->fd[0], SK_MEMINFO_WMEM_ALLOC));
}

/* Send until there is no room; how many. */
static int burst(int fd, const char *buf, int len)
{
	int n = 0;

	while (send(fd, buf, len, MSG_DONTWAIT) == len)
		n++;
	return n;
}

static int drain(int fd, char *buf, int len)
{
	int n = 0;

	while (recv(fd, buf, len, MSG_DONTWAIT) == len)
		n++;
	return n;
}

static bool wait_kept(int fd, long at_most)
{
	long long end = rt_now_ms() + RT_WAIT_MS;

	while (kept(fd) > at_most && rt_now_ms() < end)
		rt_pause();
	return kept(fd) <= at_most;
}

/* Kept: never more than SO_RCVBUF with the queue, and none when it is quiet. */
TEST_F(spare, given_back)
{
	static const int sizes[] = { 1, 1000, 20000 };
	long limit = meminfo(self->fd[1], SK_MEMINFO_RCVBUF);
	int n;

	if (variant->family == RT_UNIX)
		SKIP(return, "unix(7) keeps none");
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		n = burst(self->fd[0], self->out, sizes[i]);
		EXPECT_EQ(0, kept(self->fd[1]));
		while (--n >= 0) {
			ASSERT_EQ(sizes[i], SYS(recv(self->fd[1], self->in,
						     LARGE, MSG_DONTWAIT)));
			ASSERT_GE(limit, kept(self->fd[1]) +
				  meminfo(self->fd[1], SK_MEMINFO_RMEM_ALLOC));
		}
		EXPECT_LT(limit / 2, kept(self->fd[1]));
		EXPECT_EQ(0, meminfo(self->fd[0], SK_MEMINFO_WMEM_ALLOC));
		EXPECT_TRUE(wait_kept(self->fd[1], 0));
	}
	EXPECT_EQ(0, kept(self->fd[0]));
}

/* What a burst needed goes also while fewer come and go. */
TEST_F(spare, shrinks)
{
	long long end = rt_now_ms() + RT_WAIT_MS;
	int n;

	if (variant->family == RT_UNIX)
		SKIP(return, "unix(7) keeps none");
	n = burst(self->fd[0], self->out, 1000);
	ASSERT_LT(20, n);
	ASSERT_EQ(n, drain(self->fd[1], self->in, 1000));
	ASSERT_LT(20 * 1000, kept(self->fd[1]));
	do {
		ASSERT_EQ(1000, SYS(send(self->fd[0], self->out, 1000, 0)));
		ASSERT_EQ(1000, SYS(recv(self->fd[1], self->in, 1000, 0)));
	} while (kept(self->fd[1]) > 8000 && rt_now_ms() < end);
	EXPECT_GE(8000, kept(self->fd[1]));
	EXPECT_LE(1000, kept(self->fd[1]));
}

/* A socket that closes takes them along: the module can go then. */
TEST_F(spare, closed_at_once)
{
	int i;

	for (i = 0; i < 200; i++) {
		int fd[2];

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		ASSERT_EQ(100, SYS(send(fd[0], self->out, 100, 0)));
		ASSERT_EQ(100, SYS(send(fd[1], self->out, 100, 0)));
		ASSERT_EQ(100, SYS(recv(fd[1], self->in, 100, 0)));
		ASSERT_EQ(100, SYS(recv(fd[0], self->in, 100, 0)));
		ASSERT_EQ(100, SYS(send(fd[0], self->out, 100, 0)));
		close(fd[i & 1]);
		close(fd[!(i & 1)]);
	}
}

/* The receiver's filter gives most of it back: what is left is little, and not kept. */
TEST_F(spare, cut_by_a_filter)
{
	struct sock_filter some = BPF_STMT(BPF_RET | BPF_K, 64);
	struct sock_fprog prog = { .len = 1, .filter = &some };

	if (variant->type != SOCK_DGRAM)
		SKIP(return, "only datagrams are filtered");
	if (variant->family != RT_RILL)
		SKIP(return, "unix(7) keeps none");
	ASSERT_EQ(0, setsockopt(self->fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	rd_fill(self->out, LARGE, 1, 0);
	ASSERT_EQ(LARGE, SYS(send(self->fd[0], self->out, LARGE, 0)));
	ASSERT_EQ(64, SYS(recv(self->fd[1], self->in, LARGE, 0)));
	EXPECT_EQ(-1, rd_verify(self->in, 64, 1, 0));
	EXPECT_EQ(0, kept(self->fd[1]));
	/* One that the filter leaves as it is serves the next. */
	ASSERT_EQ(50, SYS(send(self->fd[0], self->out, 50, 0)));
	ASSERT_EQ(50, SYS(recv(self->fd[1], self->in, LARGE, 0)));
	EXPECT_LT(0, kept(self->fd[1]));
}

TEST_HARNESS_MAIN
