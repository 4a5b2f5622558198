// SPDX-License-Identifier: GPL-2.0-only
/*
 * rill_diag.ko: dumps of many sockets, complete and without doubles, also while
 * they come and go; unloading in the middle of one, and loading by the next.
 *
 * Besides, for a figure of "rill ss":
 *	diag_many --hold N	keeps N sockets, connected pairs of one listener, until
 *				standard input ends
 */
#include "rill_test_diag.h"

FIXTURE(many)
{
	bool ready;
};

FIXTURE_VARIANT(many)
{
	int type;
};

FIXTURE_VARIANT_ADD(many, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(many, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(many, dgram)
{
	.type = SOCK_DGRAM,
};

/* A namespace of our own, in which there is nothing but ours. */
FIXTURE_SETUP(many)
{
	if (unshare(CLONE_NEWNET))
		SKIP(return, "needs root");
	self->ready = true;
}

FIXTURE_TEARDOWN(many)
{
}

static int count_all(void)
{
	struct dg_ask ask;

	dg_init(&ask);
	return dg_count(&ask);
}

struct seen {
	unsigned char	*at;		/* by inode - low */
	unsigned int	low, size;
	int		doubles;
	int		total;
};

static int seen_each(const struct dg_sock *s, void *arg)
{
	struct seen *seen = arg;
	unsigned int i = s->msg.rdm_ino - seen->low;

	seen->total++;
	if (i < seen->size && seen->at[i]++)
		seen->doubles++;
	return 0;
}

static int raise_files(int n)
{
	struct rlimit r = { .rlim_cur = n, .rlim_max = n };

	return SYS(setrlimit(RLIMIT_NOFILE, &r));
}

/* The range of the inodes of n sockets. */
static int seen_make(struct seen *seen, const int *fd, int n)
{
	unsigned int high = 0;
	int i;

	memset(seen, 0, sizeof(*seen));
	seen->low = ~0U;
	for (i = 0; i < n; i++) {
		unsigned int ino = rt_inode(fd[i]);

		if (ino < seen->low)
			seen->low = ino;
		if (ino > high)
			high = ino;
	}
	seen->size = high - seen->low + 1;
	seen->at = calloc(seen->size, 1);
	return seen->at ? 0 : -ENOMEM;
}

static int seen_count(const struct seen *seen, const int *fd, int n)
{
	int i, hits = 0;

	for (i = 0; i < n; i++)
		hits += seen->at[rt_inode(fd[i]) - seen->low] == 1;
	return hits;
}

#define MANY	21000

TEST_F_TIMEOUT(many, complete, 120)
{
	int *fd, i, nl;
	struct seen seen;
	struct dg_ask ask;

	if (!self->ready)
		return;
	ASSERT_EQ(0, raise_files(MANY + 100));
	fd = calloc(MANY, sizeof(*fd));
	for (i = 0; i < MANY; i++) {
		fd[i] = rt_socket(RT_RILL, variant->type);
		ASSERT_LE(0, fd[i]);
	}
	ASSERT_EQ(0, seen_make(&seen, fd, MANY));
	nl = dg_open();
	ASSERT_LE(0, nl);
	dg_init(&ask);
	ASSERT_EQ(0, dg_ask(nl, &ask, seen_each, &seen));
	EXPECT_EQ(MANY, seen.total);
	EXPECT_EQ(MANY, seen_count(&seen, fd, MANY));
	EXPECT_EQ(0, seen.doubles);

	/* What dies in the middle of a dump is told at most once; the rest once. */
	memset(seen.at, 0, seen.size);
	seen.total = 0;
	ASSERT_EQ(0, dg_send(nl, &ask));
	ASSERT_EQ(0, dg_recv(nl, true, seen_each, &seen));
	EXPECT_LT(0, seen.total);
	EXPECT_GT(MANY, seen.total);
	for (i = 0; i < MANY; i += 2) {
		close(fd[i]);
		fd[i / 2] = fd[i + 1];
	}
	while (!dg_recv(nl, true, seen_each, &seen))
		;
	EXPECT_EQ(MANY / 2, seen_count(&seen, fd, MANY / 2));
	EXPECT_EQ(0, seen.doubles);
	EXPECT_GT(MANY, seen.total);
	close(nl);
	for (i = 0; i < MANY / 2; i++)
		close(fd[i]);
	free(seen.at);
	free(fd);
}

static atomic_bool stop;

/* Connects, listens, queues and closes, in all orders. */
static long churn(void *arg)
{
	int type = *(int *)arg;
	struct rt_addr a;
	int fd[4], i;
	long n = 0;

	while (!atomic_load(&stop)) {
		a = rt_new_addr(RT_RILL);
		fd[0] = rt_bound(RT_RILL, type, &a);
		if (fd[0] < 0)
			return fd[0];
		if (type != SOCK_DGRAM)
			listen(fd[0], 0);
		for (i = 1; i < 4; i++) {
			fd[i] = rt_socket(RT_RILL, type | SOCK_NONBLOCK);
			if (fd[i] < 0)
				return fd[i];
			rt_connect(fd[i], &a);
			send(fd[i], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		}
		for (i = 0; i < 4; i++)
			close(fd[(n + i) & 3]);
		n++;
	}
	return n;
}

#define STILL	500

TEST_F_TIMEOUT(many, while_churning, 90)
{
	int type = variant->type, fd[STILL], i, nl;
	struct rt_thread t[3];
	struct seen seen;
	struct dg_ask ask;

	if (!self->ready)
		return;
	for (i = 0; i < STILL; i++) {
		fd[i] = rt_socket(RT_RILL, type);
		ASSERT_LE(0, fd[i]);
	}
	ASSERT_EQ(0, seen_make(&seen, fd, STILL));
	nl = dg_open();
	ASSERT_LE(0, nl);
	dg_init(&ask);
	atomic_store(&stop, false);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, rt_thread_start(&t[i], churn, &type));
	for (i = 0; i < 40; i++) {
		memset(seen.at, 0, seen.size);
		ASSERT_EQ(0, dg_ask(nl, &ask, seen_each, &seen));
		ASSERT_EQ(STILL, seen_count(&seen, fd, STILL));
	}
	atomic_store(&stop, true);
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_LT(0, t[i].ret);
	}
	EXPECT_EQ(0, seen.doubles);
	EXPECT_EQ(STILL, count_all());
	close(nl);
	for (i = 0; i < STILL; i++)
		close(fd[i]);
	free(seen.at);
	/* Nothing that a dump looked at is left. */
	EXPECT_TRUE(RT_UNTIL(!rt_counter("sockets")));
}

/* ---- the module comes and goes -------------------------------------------- */

static int remove_module(void)
{
	return SYS(syscall(SYS_delete_module, "rill_diag", O_NONBLOCK));
}

/* Would the kernel's helper find it?  By its path: a shell may have another. */
static bool is_installed(void)
{
	char helper[256], cmd[300];

	if (rt_read_file("/proc/sys/kernel/modprobe", helper, sizeof(helper)) <= 0)
		return false;
	helper[strcspn(helper, "\n")] = '\0';
	snprintf(cmd, sizeof(cmd), "%s -n rill_diag >/dev/null 2>&1", helper);
	return !system(cmd);
}

TEST_F(many, unload)
{
	struct dg_ask ask;
	int fd[2000], i, nl;

	if (!self->ready)
		return;
	if (!is_installed())
		SKIP(return, "rill_diag is not installed: it would not come back");
	ASSERT_EQ(0, raise_files(3000));
	for (i = 0; i < 2000; i++) {
		fd[i] = rt_socket(RT_RILL, variant->type);
		ASSERT_LE(0, fd[i]);
	}
	nl = dg_open();
	dg_init(&ask);
	/* A dump that was begun holds it, and whoever closes it lets go. */
	ASSERT_EQ(0, dg_send(nl, &ask));
	EXPECT_EQ(-EWOULDBLOCK, remove_module());
	ASSERT_EQ(0, dg_recv(nl, true, NULL, NULL));
	EXPECT_EQ(-EWOULDBLOCK, remove_module());
	close(nl);
	EXPECT_TRUE(RT_UNTIL(!remove_module()));
	EXPECT_EQ(-ENOENT, remove_module());
	/* The next question loads it again. */
	EXPECT_EQ(2000, count_all());
	for (i = 0; i < 2000; i++)
		close(fd[i]);
}

/* ---- for figures -------------------------------------------------------- */

static int hold(int n)
{
	struct rt_addr a = rt_addr(RT_RILL, "diag_many/hold");
	int lfd, i;
	char c;

	CHECK_EQ(0, raise_files(n + 100));
	lfd = rt_listener(RT_RILL, SOCK_STREAM, 1, &a);
	CHECK(lfd >= 0);
	for (i = 0; i < n / 2; i++) {
		CHECK(rt_client(RT_RILL, SOCK_STREAM, &a) >= 0);
		CHECK(SYS(accept(lfd, NULL, NULL)) >= 0);
	}
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}

/* The harness brings its own main(): ours comes before it. */
#define main harness_main
TEST_HARNESS_MAIN
#undef main

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--hold"))
		return hold(atoi(argv[2]));
	return harness_main(argc, argv);
}
