// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network namespaces: names, counters and limits are each namespace's own, a
 * socket stays with the one it was made in, and one that dies leaves nothing.
 */
#include "rill_test_data.h"

#define WAITING	"/proc/sys/net/rill/max_waiting"

FIXTURE(netns)
{
	int ns[2];
};

FIXTURE_VARIANT(netns)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(netns, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(netns, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(netns, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

/* The control: abstract names are per namespace, too. */
FIXTURE_VARIANT_ADD(netns, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(netns, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

static int open_ns(void)
{
	return SYS(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

static int enter(int ns)
{
	return SYS(setns(ns, CLONE_NEWNET));
}

/* Two new namespaces; we are in the second. */
FIXTURE_SETUP(netns)
{
	int i;

	self->ns[0] = -1;
	self->ns[1] = -1;
	for (i = 0; i < 2; i++) {
		if (unshare(CLONE_NEWNET))
			SKIP(return, "needs root");
		self->ns[i] = open_ns();
		ASSERT_LE(0, self->ns[i]);
	}
}

FIXTURE_TEARDOWN(netns)
{
	close(self->ns[0]);
	close(self->ns[1]);
}

TEST_F(netns, names)
{
	struct rt_addr a = rt_new_addr(variant->family);
	int fd[2], cfd, i;
	char c;

	if (self->ns[1] < 0)
		return;
	/* The same name twice, and each sees its own. */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, enter(self->ns[i]));
		fd[i] = rt_bound(variant->family, variant->type, &a);
		ASSERT_LE(0, fd[i]);
		if (variant->type != SOCK_DGRAM)
			ASSERT_EQ(0, listen(fd[i], 5));
		EXPECT_EQ(-EADDRINUSE, rt_bound(variant->family, variant->type, &a));
	}
	for (i = 0; i < 2; i++) {
		int afd = fd[i];

		ASSERT_EQ(0, enter(self->ns[i]));
		cfd = rt_client(variant->family, variant->type, &a);
		ASSERT_LE(0, cfd);
		ASSERT_EQ(1, SYS(send(cfd, i ? "1" : "0", 1, 0)));
		if (variant->type != SOCK_DGRAM)
			afd = SYS(accept4(fd[i], NULL, NULL, SOCK_NONBLOCK));
		ASSERT_LE(0, afd);
		EXPECT_EQ(1, SYS(recv(afd, &c, 1, MSG_DONTWAIT)));
		EXPECT_EQ('0' + i, c);
		EXPECT_EQ(-EAGAIN, SYS(recv(afd, &c, 1, MSG_DONTWAIT)));
		close(cfd);
		if (afd != fd[i])
			close(afd);
	}
	/* One that closes says nothing about the other. */
	close(fd[0]);
	ASSERT_EQ(0, enter(self->ns[0]));
	EXPECT_EQ(-ECONNREFUSED, rt_client(variant->family, variant->type, &a));
	ASSERT_EQ(0, enter(self->ns[1]));
	cfd = rt_client(variant->family, variant->type, &a);
	EXPECT_LE(0, cfd);
	close(cfd);
	close(fd[1]);
}

/* A socket works where it was made, wherever its user has gone since. */
TEST_F(netns, socket_stays)
{
	struct rt_addr a = rt_new_addr(variant->family);
	int fd, cfd, other;

	if (self->ns[1] < 0)
		return;
	ASSERT_EQ(0, enter(self->ns[0]));
	fd = rt_socket(variant->family, variant->type);
	cfd = rt_socket(variant->family, variant->type);
	ASSERT_EQ(0, enter(self->ns[1]));
	other = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, cfd);
	ASSERT_LE(0, other);

	ASSERT_EQ(0, rt_bind(fd, &a));
	if (variant->type != SOCK_DGRAM)
		ASSERT_EQ(0, listen(fd, 5));
	EXPECT_EQ(-ECONNREFUSED, rt_connect(other, &a));
	EXPECT_EQ(0, rt_connect(cfd, &a));
	EXPECT_EQ(1, SYS(send(cfd, "x", 1, 0)));
	/* The accepted end is of the listener's. */
	if (variant->type != SOCK_DGRAM) {
		int afd = SYS(accept(fd, NULL, NULL));
		char c;

		ASSERT_LE(0, afd);
		EXPECT_EQ(1, SYS(recv(afd, &c, 1, 0)));
		close(afd);
	}
	EXPECT_EQ(0, rt_bind(other, &a));
	close(other);
	close(cfd);
	close(fd);
}

TEST_F(netns, sysctl)
{
	char buf[32];
	int i;

	if (self->ns[1] < 0 || variant->family == RT_UNIX)
		SKIP(return, "Rill's own");
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, enter(self->ns[i]));
		ASSERT_LT(0, rt_read_file(WAITING, buf, sizeof(buf)));
		EXPECT_STREQ("4096\n", buf);
		snprintf(buf, sizeof(buf), "%d\n", 10 + i);
		EXPECT_EQ(0, rt_write_file(WAITING, buf));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, enter(self->ns[i]));
		ASSERT_LT(0, rt_read_file(WAITING, buf, sizeof(buf)));
		EXPECT_EQ(10 + i, atoi(buf));
		EXPECT_EQ(-EINVAL, rt_write_file(WAITING, "-1\n"));
		EXPECT_EQ(-EINVAL, rt_write_file(WAITING, "2147483648\n"));
		EXPECT_EQ(-EINVAL, rt_write_file(WAITING, "many\n"));
		ASSERT_LT(0, rt_read_file(WAITING, buf, sizeof(buf)));
		EXPECT_EQ(10 + i, atoi(buf));
		EXPECT_EQ(0, rt_write_file(WAITING, "0\n"));
		EXPECT_EQ(0, rt_write_file(WAITING, "2147483647\n"));
	}
}

/* The line is bounded by the listener's namespace. */
TEST_F(netns, limit_is_the_listeners)
{
	struct rt_addr a = rt_new_addr(variant->family);
	int lfd, i, fd[5];

	if (self->ns[1] < 0 || variant->family == RT_UNIX || variant->type == SOCK_DGRAM)
		SKIP(return, "Rill's connections only");
	ASSERT_EQ(0, enter(self->ns[0]));
	ASSERT_EQ(0, rt_write_file(WAITING, "2\n"));
	lfd = rt_listener(RT_RILL, variant->type, 0, &a);
	ASSERT_LE(0, lfd);
	for (i = 0; i < 5; i++) {
		fd[i] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
		ASSERT_LE(0, fd[i]);
	}
	ASSERT_EQ(0, enter(self->ns[1]));
	EXPECT_EQ(0, rt_connect(fd[0], &a));
	EXPECT_EQ(-EINPROGRESS, rt_connect(fd[1], &a));
	EXPECT_EQ(-EINPROGRESS, rt_connect(fd[2], &a));
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd[3], &a));
	for (i = 0; i < 5; i++)
		close(fd[i]);
	close(lfd);
}

TEST_F(netns, counters)
{
	struct rt_addr a = rt_new_addr(RT_RILL);
	struct rt_proc p;
	int fd;

	if (self->ns[1] < 0 || variant->family == RT_UNIX)
		SKIP(return, "Rill's own");
	EXPECT_EQ(0, rt_counter("sockets"));
	ASSERT_EQ(0, enter(self->ns[0]));
	fd = rt_bound(RT_RILL, variant->type, &a);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, rt_counter("bind_ok"));
	EXPECT_EQ(1, rt_counter("names"));
	EXPECT_EQ(1, rt_counter("sockets"));
	EXPECT_TRUE(rt_proc_find(rt_inode(fd), &p));
	ASSERT_EQ(0, enter(self->ns[1]));
	EXPECT_EQ(0, rt_counter("bind_ok"));
	EXPECT_EQ(0, rt_counter("names"));
	EXPECT_EQ(0, rt_counter("sockets"));
	EXPECT_FALSE(rt_proc_find(rt_inode(fd), &p));
	close(fd);
}

/* Names that the kernel chose are unique in each, and may be the same in both. */
TEST_F(netns, autobind)
{
	struct sockaddr sa = { .sa_family = rt_af(variant->family) };
	socklen_t len = variant->family == RT_RILL ? RILL_ADDR_MIN : sizeof(sa_family_t);
	int i, j, fd[2][50];

	if (self->ns[1] < 0)
		return;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, enter(self->ns[i]));
		for (j = 0; j < 50; j++) {
			fd[i][j] = rt_socket(variant->family, variant->type);
			ASSERT_EQ(0, SYS(bind(fd[i][j], &sa, len)));
		}
	}
	for (i = 0; i < 100; i++)
		close(fd[i & 1][i / 2]);
}

/*
 * A child takes a namespace with everything alive in it to the grave: a listener,
 * some in its queue, some in its line, data on the way, a socket from outside.
 */
TEST_F_TIMEOUT(netns, dies_with_all, 200)
{
	int i, n = variant->family == RT_RILL ? 200 : 20;

	if (self->ns[1] < 0)
		return;
	close(self->ns[0]);
	close(self->ns[1]);
	self->ns[0] = -1;
	self->ns[1] = -1;
	for (i = 0; i < n; i++) {
		struct rt_addr a = rt_new_addr(variant->family);
		pid_t pid = rt_fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			int k, fd, lfd;

			CHECK_EQ(0, unshare(CLONE_NEWNET));
			lfd = rt_bound(variant->family, variant->type, &a);
			CHECK(lfd >= 0);
			if (variant->type != SOCK_DGRAM)
				CHECK_EQ(0, listen(lfd, 1));
			for (k = 0; k < 5; k++) {
				fd = rt_socket(variant->family,
					       variant->type | SOCK_NONBLOCK);
				rt_connect(fd, &a);
				send(fd, "data", 4, MSG_NOSIGNAL);
			}
			CHECK(fd >= 0);
			if (i & 1)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		ASSERT_EQ(i & 1 ? SIGKILL : 0, rt_wait_child(pid));
	}
	/* The work that takes them down is done by others: see that it is not stuck. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, unshare(CLONE_NEWNET));
		if (variant->family == RT_RILL)
			EXPECT_EQ(0, rt_counter("sockets"));
	}
}

/* A socket keeps its namespace alive when nothing else does. */
TEST_F(netns, socket_keeps_it)
{
	struct rt_addr a = rt_new_addr(variant->family);
	int fd, cfd;

	if (self->ns[1] < 0)
		return;
	ASSERT_EQ(0, enter(self->ns[0]));
	fd = rt_socket(variant->family, variant->type);
	cfd = rt_socket(variant->family, variant->type);
	ASSERT_EQ(0, enter(self->ns[1]));
	close(self->ns[0]);
	self->ns[0] = -1;
	ASSERT_EQ(0, rt_bind(fd, &a));
	if (variant->type != SOCK_DGRAM)
		ASSERT_EQ(0, listen(fd, 1));
	EXPECT_EQ(0, rt_connect(cfd, &a));
	EXPECT_EQ(1, SYS(send(cfd, "x", 1, 0)));
	close(fd);
	close(cfd);
}

/* Threads in different namespaces at once. */
struct job {
	int ns;
	int type;
	enum rt_family family;
	struct rt_addr a;
};

static long in_ns(void *arg)
{
	struct job *j = arg;
	int i, err;

	err = enter(j->ns);
	if (err)
		return err;
	for (i = 0; i < 300; i++) {
		int fd = rt_bound(j->family, j->type, &j->a), cfd;

		if (fd < 0)
			return fd;
		if (j->type != SOCK_DGRAM)
			listen(fd, 1);
		cfd = rt_client(j->family, j->type, &j->a);
		if (cfd < 0)
			return cfd;
		close(fd);
		close(cfd);
	}
	return 0;
}

TEST_F(netns, at_once)
{
	struct rt_addr a = rt_new_addr(variant->family);
	struct rt_thread t[2];
	struct job j[2];
	int i;

	if (self->ns[1] < 0)
		return;
	/* One name: in one namespace they would be in each other's way. */
	for (i = 0; i < 2; i++) {
		j[i] = (struct job){ self->ns[i], variant->type, variant->family, a };
		ASSERT_EQ(0, rt_thread_start(&t[i], in_ns, &j[i]));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_EQ(0, t[i].ret);
	}
}

TEST_HARNESS_MAIN
