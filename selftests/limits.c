// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits: a memory cgroup that is full, RLIMIT_NOFILE, a full waiting line, and a
 * reader that never reads.  Each ends in a clear errno or a short count, takes no
 * more memory than it may, and is over when there is room again.
 */
#include "rill_test_data.h"

#include <sys/mount.h>

#define MIB		0x100000
#define LARGE		(24 * MIB)	/* buffers that hold far more than the cgroup */
#define ROOM		(6 * MIB)	/* for the cgroup, beside what it has */
#define CGROUP		"/sys/fs/cgroup"

#define MEM_RMEM	0		/* SK_MEMINFO_RMEM_ALLOC */

static char buf[MIB];

static long meminfo(int fd, int which)
{
	__u32 m[9] = { 0 };
	socklen_t len = sizeof(m);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, m, &len) ? -errno : (long)m[which];
}

/* ---- a memory cgroup --------------------------------------------------- */

FIXTURE(cgroup)
{
	char path[128];
	char why[128];
};

FIXTURE_VARIANT(cgroup)
{
	int type;
	size_t size;		/* of a send */
};

FIXTURE_VARIANT_ADD(cgroup, stream)
{
	.type = SOCK_STREAM, .size = MIB,
};

FIXTURE_VARIANT_ADD(cgroup, stream_small)
{
	.type = SOCK_STREAM, .size = 3000,
};

FIXTURE_VARIANT_ADD(cgroup, seqpacket)
{
	.type = SOCK_SEQPACKET, .size = 100000,
};

FIXTURE_VARIANT_ADD(cgroup, dgram)
{
	.type = SOCK_DGRAM, .size = 3000,
};

static int cg_write(const char *dir, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return rt_write_file(path, text);
}

/* A number that stands alone, or behind a word. */
static long long cg_read(const char *dir, const char *file, const char *word)
{
	char path[256], text[4096], *p;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (rt_read_file(path, text, sizeof(text)) <= 0)
		return -1;
	if (!word)
		return atoll(text);
	for (p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!strncmp(p, word, strlen(word)) && p[strlen(word)] == ' ')
			return atoll(p + strlen(word));
	return -1;
}

FIXTURE_SETUP(cgroup)
{
	char text[256] = "";

	if (access(CGROUP "/cgroup.controllers", R_OK))
		mount("cgroup2", CGROUP, "cgroup2", 0, NULL);
	rt_read_file(CGROUP "/cgroup.controllers", text, sizeof(text));
	if (!strstr(text, "memory")) {
		snprintf(self->why, sizeof(self->why),
			 "this kernel has no memory controller at " CGROUP);
		return;
	}
	ASSERT_EQ(0, cg_write(CGROUP, "cgroup.subtree_control", "+memory"));
	snprintf(self->path, sizeof(self->path), CGROUP "/rill-limits-%d",
		 getpid());
	ASSERT_EQ(0, SYS(mkdir(self->path, 0755)));
}

FIXTURE_TEARDOWN(cgroup)
{
	if (*self->path)
		EXPECT_TRUE(RT_UNTIL(!SYS(rmdir(self->path))));
}

static int enlarge(const int fd[2])
{
	for (int i = 0; i < 2; i++) {
		int err = rt_set_int(fd[i], SOL_SOCKET, SO_SNDBUFFORCE, LARGE);

		err = err ?: rt_set_int(fd[i], SOL_SOCKET, SO_RCVBUFFORCE, LARGE);
		if (err)
			return err;
	}
	return 0;
}

/* Sends until it is told why not; what was sent in all is in *total. */
static long send_until(int fd, size_t size, int flags, long *total)
{
	bool cut = false;
	long n;

	for (*total = 0; *total < LARGE; *total += n) {
		n = SYS(send(fd, buf, size, flags | MSG_NOSIGNAL));
		if (n < 0)
			return n;
		/* After a short count the next says why, or goes on. */
		CHECK(n > 0);
		cut |= n < (long)size;
	}
	return cut ? -EDOM : 0;
}

/* Without memory of its own: there is none to be had, and a page is worth a kill. */
static long drain(int fd)
{
	long total = 0, n;

	while ((n = SYS(recv(fd, buf, sizeof(buf), MSG_DONTWAIT))) > 0)
		total += n;
	return n == -EAGAIN ? total : n;
}

/* In the cgroup, whose bound is set when all that is no data is there. */
static void fill_cgroup(const char *path, int type, size_t size)
{
	long total, again, ret;
	char text[32];
	int fd[2], i;

	memset(buf, 1, sizeof(buf));
	CHECK_EQ(0, rt_pair(RT_RILL, type, fd));
	CHECK_EQ(0, enlarge(fd));
	CHECK_EQ(0, rt_send_all(fd[0], buf, 10));
	CHECK_EQ(10, SYS(recv(fd[1], buf, 10, 0)));
	CHECK_EQ(0, cg_write(path, "cgroup.procs", "0"));
	CHECK_EQ(0, SYS(mlockall(MCL_CURRENT)));
	snprintf(text, sizeof(text), "%lld",
		 cg_read(path, "memory.current", NULL) + ROOM);
	CHECK_EQ(0, cg_write(path, "memory.max", text));

	for (i = 0; i < 3; i++) {
		/* One that may wait must not wait for what no reader gives. */
		ret = send_until(fd[0], size, i == 1 ? 0 : MSG_DONTWAIT, &total);
		/* errno: send ENOMEM */
		CHECK_EQ(-ENOMEM, ret);
		CHECK(total > ROOM / 4);
		CHECK(total <= 2 * ROOM);
		ret = send_until(fd[0], size, MSG_DONTWAIT, &again);
		CHECK_EQ(-ENOMEM, ret);
		CHECK(again < MIB);
		total += again;
		/* What was sent comes, and then there is room again. */
		CHECK_EQ(total, drain(fd[1]));
		printf("# %ld bytes were in flight, and then ENOMEM\n", total);
		fflush(stdout);
	}
	CHECK_EQ(0, rt_send_all(fd[0], buf, size));
	CHECK_EQ(size, drain(fd[1]));
	_exit(0);
}

TEST_F(cgroup, at_its_limit)
{
	int status;
	pid_t pid;

	if (*self->why)
		SKIP(return, "%s", self->why);
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid)
		fill_cgroup(self->path, variant->type, variant->size);
	status = rt_wait_child(pid);
	EXPECT_EQ(0, status);
	if (status == -ETIMEDOUT) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	EXPECT_LT(0, cg_read(self->path, "memory.events", "max"));
	EXPECT_EQ(0, cg_read(self->path, "memory.events", "oom_kill"));
}

/* ---- descriptors ------------------------------------------------------- */

FIXTURE(files)
{
	struct rlimit had;
	struct rt_addr a;
	int lfd, next;
};

FIXTURE_VARIANT(files)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(files, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(files, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(files, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_SETUP(files)
{
	ASSERT_EQ(0, unshare(CLONE_NEWNET));	/* counters of its own */
	self->lfd = rt_listener(variant->family, variant->type, 5, &self->a);
	ASSERT_LE(0, self->lfd);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &self->had));
	self->next = SYS(dup(self->lfd));
	ASSERT_EQ(0, close(self->next));
}

FIXTURE_TEARDOWN(files)
{
	setrlimit(RLIMIT_NOFILE, &self->had);
	close(self->lfd);
}

/* So many more descriptors may be opened. */
static int allow(const struct rlimit *had, int next, int more)
{
	struct rlimit r = { .rlim_cur = next + more, .rlim_max = had->rlim_max };

	return SYS(setrlimit(RLIMIT_NOFILE, &r));
}

static long sockets(enum rt_family family)
{
	return family == RT_RILL ? rt_counter("sockets") : 0;
}

TEST_F(files, socket)
{
	int pair[2];

	ASSERT_EQ(0, allow(&self->had, self->next, 0));
	/* errno: socket EMFILE */
	EXPECT_EQ(-EMFILE, rt_socket(variant->family, variant->type));
	/* errno: socketpair EMFILE */
	EXPECT_EQ(-EMFILE, SYS(socketpair(rt_af(variant->family), variant->type,
					  0, pair)));
	/* One is not enough for a pair, and is not lost. */
	ASSERT_EQ(0, allow(&self->had, self->next, 1));
	EXPECT_EQ(-EMFILE, SYS(socketpair(rt_af(variant->family), variant->type,
					  0, pair)));
	pair[0] = rt_socket(variant->family, variant->type);
	EXPECT_EQ(self->next, pair[0]);
	close(pair[0]);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &self->had));
	if (variant->family == RT_RILL)
		EXPECT_TRUE(RT_UNTIL(sockets(RT_RILL) == 1));
}

TEST_F(files, accept)
{
	int c = rt_client(variant->family, variant->type, &self->a), s, i;
	struct rill_queue q;

	ASSERT_LE(0, c);
	ASSERT_EQ(0, allow(&self->had, c + 1, 0));
	for (i = 0; i < 3; i++) {
		/* errno: accept EMFILE */
		EXPECT_EQ(-EMFILE, SYS(accept(self->lfd, NULL, NULL)));
	}
	/* The connection is where it was, and can be seen by poll(). */
	EXPECT_EQ(POLLIN, rt_events(self->lfd, POLLIN));
	if (variant->family == RT_RILL) {
		ASSERT_EQ(0, rt_queue(self->lfd, &q));
		EXPECT_EQ(1, q.rq_len);
	}
	ASSERT_EQ(0, rt_send_all(c, "x", 1));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &self->had));
	s = SYS(accept(self->lfd, NULL, NULL));
	ASSERT_LE(0, s);
	EXPECT_EQ(1, SYS(recv(s, buf, 2, 0)));
	close(s);
	close(c);
	if (variant->family == RT_RILL)
		EXPECT_TRUE(RT_UNTIL(sockets(RT_RILL) == 1));
}

/* ---- the waiting line -------------------------------------------------- */

#define MAX_WAITING	"/proc/sys/net/rill/max_waiting"

FIXTURE(line)
{
	struct rt_addr a;
	int lfd;
};

FIXTURE_VARIANT(line)
{
	int type;
};

FIXTURE_VARIANT_ADD(line, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(line, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(line)
{
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	self->lfd = rt_listener(RT_RILL, variant->type, 0, &self->a);
	ASSERT_LE(0, self->lfd);
}

FIXTURE_TEARDOWN(line)
{
	close(self->lfd);
}

TEST_F(line, full)
{
	enum { LINE = 3, TRIES = 50 };
	int fd[1 + LINE], extra, i;
	struct rill_queue q;
	long before;

	ASSERT_EQ(0, rt_write_file(MAX_WAITING, "3"));
	for (i = 0; i <= LINE; i++) {
		fd[i] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
		EXPECT_EQ(i ? -EINPROGRESS : 0, rt_connect(fd[i], &self->a));
	}
	before = rt_counter("sockets");
	extra = rt_socket(RT_RILL, variant->type);
	for (i = 0; i < TRIES; i++) {
		/* One that may wait is not made to wait for it. */
		ASSERT_EQ(0, rt_set_nonblock(extra, i & 1));
		/* errno: connect ECONNREFUSED */
		ASSERT_EQ(-ECONNREFUSED, rt_connect(extra, &self->a));
		ASSERT_EQ(0, rt_queue(self->lfd, &q));
		ASSERT_EQ(LINE, q.rq_waiting);
		ASSERT_EQ(LINE, q.rq_waiting_max);
	}
	EXPECT_EQ(TRIES, rt_counter("connect_overflow"));
	EXPECT_EQ(LINE, rt_counter("waiting"));
	/* Nothing stays of those that were refused. */
	EXPECT_TRUE(RT_UNTIL(rt_counter("sockets") == before + 1));

	/* One moves up, and the next may join. */
	ASSERT_EQ(0, close(rt_accept(self->lfd, 0)));
	ASSERT_EQ(0, rt_set_nonblock(extra, true));
	EXPECT_EQ(-EINPROGRESS, rt_connect(extra, &self->a));
	ASSERT_EQ(0, rt_queue(self->lfd, &q));
	EXPECT_EQ(LINE, q.rq_waiting);

	/* A bound that is lowered drops nobody; none is a bound, too. */
	ASSERT_EQ(0, rt_write_file(MAX_WAITING, "0"));
	for (i = 0; i <= LINE; i++)
		EXPECT_EQ(0, close(rt_accept(self->lfd, 0)));
	i = rt_client(RT_RILL, variant->type, &self->a);
	EXPECT_LE(0, i);
	EXPECT_EQ(-ECONNREFUSED, rt_client(RT_RILL, variant->type, &self->a));
	close(i);
	for (i = 0; i <= LINE; i++)
		close(fd[i]);
	close(extra);
	EXPECT_EQ(0, rt_counter("waiting"));
}

/* ---- a reader that never reads ----------------------------------------- */

FIXTURE(reader)
{
	int fd[2];
};

FIXTURE_VARIANT(reader)
{
	int type;
	size_t size;
};

FIXTURE_VARIANT_ADD(reader, stream)
{
	.type = SOCK_STREAM, .size = 20000,
};

FIXTURE_VARIANT_ADD(reader, stream_bytes)
{
	.type = SOCK_STREAM, .size = 1,
};

FIXTURE_VARIANT_ADD(reader, seqpacket)
{
	.type = SOCK_SEQPACKET, .size = 20000,
};

FIXTURE_VARIANT_ADD(reader, seqpacket_empty)
{
	.type = SOCK_SEQPACKET, .size = 0,
};

FIXTURE_VARIANT_ADD(reader, dgram)
{
	.type = SOCK_DGRAM, .size = 20000,
};

FIXTURE_VARIANT_ADD(reader, dgram_bytes)
{
	.type = SOCK_DGRAM, .size = 1,
};

FIXTURE_SETUP(reader)
{
	ASSERT_EQ(0, rt_pair(RT_RILL, variant->type, self->fd));
}

FIXTURE_TEARDOWN(reader)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

/* How many sends there was room for; at most so many. */
static long sends(int fd, size_t size, long most)
{
	long n, count;

	for (count = 0; count < most; count++) {
		n = SYS(send(fd, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL));
		if (n < 0)
			return n == -EAGAIN ? count : n;
	}
	return count;
}

TEST_F(reader, takes_so_much_and_no_more)
{
	long rcv = rt_get_int(self->fd[1], SOL_SOCKET, SO_RCVBUF);
	long snd = rt_get_int(self->fd[0], SOL_SOCKET, SO_SNDBUF);
	long page = sysconf(_SC_PAGESIZE), held, count, i;
	/* One message more than there is room for; or a page that is not full. */
	long most = rcv + 2 * variant->size + 16 * page;

	count = sends(self->fd[0], variant->size, 10000000);
	ASSERT_LT(0, count);
	EXPECT_EQ(0, rt_events(self->fd[0], POLLOUT));
	held = meminfo(self->fd[1], MEM_RMEM);
	EXPECT_LT(0, held);
	EXPECT_GE(most, held);
	/* A message has its price, however short it is. */
	if (variant->type != SOCK_STREAM) {
		EXPECT_GE(rcv / 512 + 1, count);
	} else {
		/* The last one may have been cut short. */
		most = (snd < rcv ? snd : rcv) + variant->size;
		EXPECT_GE(most, count * (long)variant->size);
	}
	/* To ask again and again changes nothing. */
	for (i = 0; i < 1000; i++) {
		/* errno: send EAGAIN */
		ASSERT_EQ(-EAGAIN, SYS(send(self->fd[0], buf,
					    variant->size, MSG_DONTWAIT)));
	}
	EXPECT_EQ(held, meminfo(self->fd[1], MEM_RMEM));
	/* Nor to wait for it for a while. */
	ASSERT_EQ(0, rt_set_timeo(self->fd[0], SO_SNDTIMEO, 50));
	EXPECT_EQ(-EAGAIN, SYS(send(self->fd[0], buf, variant->size, 0)));
	EXPECT_EQ(held, meminfo(self->fd[1], MEM_RMEM));
}

/* Many who send to one: it is the receiver's bound that counts. */
TEST(many_senders)
{
	enum { SENDERS = 100 };
	struct rt_addr a = { .len = 0 };
	int fd[SENDERS], to, i;
	long rcv, count = 0, n;

	to = rt_bound(RT_RILL, SOCK_DGRAM, &a);
	ASSERT_LE(0, to);
	rcv = rt_get_int(to, SOL_SOCKET, SO_RCVBUF);
	for (i = 0; i < SENDERS; i++) {
		fd[i] = rt_client(RT_RILL, SOCK_DGRAM, &a);
		ASSERT_LE(0, fd[i]);
		n = sends(fd[i], 10000, 1000000);
		ASSERT_LE(0, n);
		count += n;
	}
	EXPECT_LT(0, count);
	/* One message of each that was there first, at most, beside its fill. */
	EXPECT_GE(rcv + 32768, meminfo(to, MEM_RMEM));
	EXPECT_GE(rcv + 32768, count * 10000);
	for (i = 0; i < SENDERS; i++)
		close(fd[i]);
	close(to);
}

/* Nobody accepts: the queue and the line are bounded, and so is what is sent. */
TEST(nobody_accepts)
{
	enum { TRIES = 200, LINE = 20, BACKLOG = 9 };
	struct rt_addr a = { .len = 0 };
	int fd[TRIES], lfd, i, queued = 0, waiting = 0, refused = 0;
	char had[32];
	long n;

	ASSERT_LT(0, rt_read_file(MAX_WAITING, had, sizeof(had)));
	ASSERT_EQ(0, rt_write_file(MAX_WAITING, "20"));
	lfd = rt_listener(RT_RILL, SOCK_STREAM, BACKLOG, &a);
	ASSERT_LE(0, lfd);
	for (i = 0; i < TRIES; i++) {
		fd[i] = rt_socket(RT_RILL, SOCK_STREAM | SOCK_NONBLOCK);
		n = rt_connect(fd[i], &a);
		queued += !n;
		waiting += n == -EINPROGRESS;
		refused += n == -ECONNREFUSED;
		if (n)
			continue;
		n = rt_fill(fd[i], 20000);
		EXPECT_LT(0, n);
		EXPECT_GE(rt_capacity(fd[i], lfd), n);
	}
	EXPECT_EQ(BACKLOG + 1, queued);
	EXPECT_EQ(LINE, waiting);
	EXPECT_EQ(TRIES - LINE - BACKLOG - 1, refused);
	for (i = 0; i < TRIES; i++)
		close(fd[i]);
	close(lfd);
	EXPECT_EQ(0, rt_write_file(MAX_WAITING, had));
}

TEST_HARNESS_MAIN
