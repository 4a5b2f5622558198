// SPDX-License-Identifier: GPL-2.0-only
/*
 * Busy polling: SO_BUSY_POLL, RILL_BUSY_POLL and their bounds; where a receive
 * looks for a while before it sleeps, where it must not, and what ends it.
 *
 * Each test has a network namespace of its own, so that its counters are exact,
 * and a processor for each side.  A reader is known to look, rather than to
 * sleep, because it runs in the kernel and no counter has moved.  Work of the
 * kernel's own may want its processor and end that at any time, as it should:
 * then the round says nothing, and the test takes another.
 */
#include "rill_test.h"
#include "rill_test_cpu.h"

#include <ctype.h>
#include <dirent.h>

#define MAX_US		"/proc/sys/net/rill/max_busy_poll_us"
#define UNASKED_US	"/proc/sys/net/rill/busy_poll_us"

/* Longer than any test: who looks so long without being stopped hangs. */
#define FOREVER_US	INT32_MAX
#define FOREVER		"2147483647"

#define ROUNDS		50

#ifndef SO_BUSY_POLL
#define SO_BUSY_POLL	46
#endif

static long long hits(void)
{
	return rt_counter("busy_poll_hit");
}

static long long misses(void)
{
	return rt_counter("busy_poll_miss");
}

/*
 * Puts RCU's threads where cpus says.  Each thread that ends, a reader for
 * instance, is freed after a grace period, and the thread that runs it wakes at
 * each tick meanwhile, on whatever processor it woke on last.
 */
static void rcu_threads_on(const cpu_set_t *cpus)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while (proc && (d = readdir(proc))) {
		char path[32], comm[32] = "";

		snprintf(path, sizeof(path), "/proc/%.10s/comm", d->d_name);
		if (isdigit(d->d_name[0]) &&
		    rt_read_file(path, comm, sizeof(comm)) > 0 &&
		    !strncmp(comm, "rcu", 3))
			sched_setaffinity(atoi(d->d_name), sizeof(*cpus), cpus);
	}
	if (proc)
		closedir(proc);
}

/* Ticks that a thread has run in the kernel, or -1. */
static long kernel_ticks(pid_t tid)
{
	char path[64], buf[512], *p;
	unsigned long ticks;

	/* Its own: /proc/TID would tell those of the whole process. */
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (rt_read_file(path, buf, sizeof(buf)) <= 0)
		return -1;
	p = strrchr(buf, ')');
	/* State, 10 numbers, then the user's ticks and the kernel's. */
	if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %lu",
			 &ticks) != 1)
		return -1;
	return ticks;
}

/* ---- options ------------------------------------------------------------ */

FIXTURE(option)
{
	int fd;
};

FIXTURE_VARIANT(option)
{
	int type;
};

FIXTURE_VARIANT_ADD(option, rill_stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(option, rill_seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(option, rill_dgram)
{
	.type = SOCK_DGRAM,
};

FIXTURE_SETUP(option)
{
	ASSERT_EQ(0, SYS(unshare(CLONE_NEWNET)));
	ASSERT_EQ(0, rt_write_file(UNASKED_US, "0"));
	self->fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(option)
{
	close(self->fd);
}

static int set_us(int fd, int us)
{
	return rt_set_int(fd, SOL_RILL, RILL_BUSY_POLL, us);
}

static int get_us(int fd)
{
	return rt_get_int(fd, SOL_RILL, RILL_BUSY_POLL);
}

TEST_F(option, values)
{
	long long wide = 50;
	socklen_t len = 2;
	int val = -1;
	char two[2] = { 0 };

	EXPECT_EQ(0, get_us(self->fd));
	EXPECT_EQ(0, set_us(self->fd, 50));
	EXPECT_EQ(50, get_us(self->fd));
	/* errno: setsockopt EINVAL */
	EXPECT_EQ(-EINVAL, set_us(self->fd, -1));
	EXPECT_EQ(-EINVAL, SYS(setsockopt(self->fd, SOL_RILL, RILL_BUSY_POLL,
					  two, sizeof(two))));
	EXPECT_EQ(-EINVAL, SYS(setsockopt(self->fd, SOL_RILL, RILL_BUSY_POLL,
					  &wide, sizeof(wide))));
	/* errno: setsockopt EFAULT */
	EXPECT_EQ(-EFAULT, SYS(setsockopt(self->fd, SOL_RILL, RILL_BUSY_POLL,
					  NULL, sizeof(val))));
	EXPECT_EQ(50, get_us(self->fd));
	/* Less room gets as much as fits. */
	EXPECT_EQ(0, SYS(getsockopt(self->fd, SOL_RILL, RILL_BUSY_POLL, two,
				    &len)));
	EXPECT_EQ(2, len);
	memcpy(&val, two, 2);
	EXPECT_EQ(50, val & 0xffff);
	EXPECT_EQ(0, set_us(self->fd, 0));
	EXPECT_EQ(0, get_us(self->fd));
}

/* The bound counts whenever it is asked, not when the option was set. */
TEST_F(option, bound)
{
	char buf[32];
	int fd;

	ASSERT_LT(0, rt_read_file(MAX_US, buf, sizeof(buf)));
	EXPECT_STREQ("200\n", buf);
	EXPECT_EQ(0, set_us(self->fd, FOREVER_US));
	EXPECT_EQ(200, get_us(self->fd));
	ASSERT_EQ(0, rt_write_file(MAX_US, "1000"));
	EXPECT_EQ(1000, get_us(self->fd));
	ASSERT_EQ(0, rt_write_file(MAX_US, FOREVER));
	EXPECT_EQ(FOREVER_US, get_us(self->fd));
	/* 0 forbids it. */
	ASSERT_EQ(0, rt_write_file(MAX_US, "0"));
	EXPECT_EQ(0, get_us(self->fd));
	EXPECT_EQ(0, set_us(self->fd, 10));
	EXPECT_EQ(0, get_us(self->fd));
	EXPECT_EQ(-EINVAL, rt_write_file(MAX_US, "-1"));
	EXPECT_EQ(-EINVAL, rt_write_file(MAX_US, "2147483648"));
	ASSERT_LT(0, rt_read_file(MAX_US, buf, sizeof(buf)));
	EXPECT_STREQ("0\n", buf);
	/* Each namespace has its own. */
	ASSERT_EQ(0, SYS(unshare(CLONE_NEWNET)));
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, set_us(fd, 10));
	EXPECT_EQ(10, get_us(fd));
	close(fd);
}

/* What a user without any capability may do. */
static int as_nobody(int fd)
{
	int err;

	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return 1;
	if (set_us(fd, 150) || get_us(fd) != 150)
		return 2;
	if (set_us(fd, 1000) || get_us(fd) != 200)
		return 3;
	/* The core's option: from some release on it is everybody's, too. */
	err = rt_set_int(fd, SOL_SOCKET, SO_BUSY_POLL, 30);
	if (err && err != -EPERM)
		return 4;
	if (rt_get_int(fd, SOL_SOCKET, SO_BUSY_POLL) != (err ? 20 : 30))
		return 5;
	if (rt_set_int(fd, SOL_SOCKET, SO_BUSY_POLL, 10))
		return 6;
	return rt_write_file(MAX_US, "100000") == -EACCES ? 0 : 7;
}

TEST_F(option, unprivileged)
{
	pid_t pid;

	ASSERT_EQ(0, rt_set_int(self->fd, SOL_SOCKET, SO_BUSY_POLL, 20));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(as_nobody(self->fd));
	EXPECT_EQ(0, rt_wait_child(pid));
	/* The options are apart, and one file's are both processes'. */
	EXPECT_EQ(10, rt_get_int(self->fd, SOL_SOCKET, SO_BUSY_POLL));
	EXPECT_EQ(200, get_us(self->fd));
}

/* The default of the namespace, until the option says something. */
TEST_F(option, unasked)
{
	EXPECT_EQ(0, get_us(self->fd));
	ASSERT_EQ(0, rt_write_file(UNASKED_US, "123"));
	EXPECT_EQ(123, get_us(self->fd));
	/* The bound is the option's. */
	ASSERT_EQ(0, rt_write_file(MAX_US, "50"));
	EXPECT_EQ(123, get_us(self->fd));
	EXPECT_EQ(0, set_us(self->fd, 70));
	EXPECT_EQ(50, get_us(self->fd));
	EXPECT_EQ(0, set_us(self->fd, 0));
	EXPECT_EQ(0, get_us(self->fd));
	EXPECT_EQ(-EINVAL, rt_write_file(UNASKED_US, "-1"));
}

TEST_F(option, inherited)
{
	struct rt_addr a = { .len = 0 };
	int lfd, cfd, sfd;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "has no listener");
	lfd = rt_listener(RT_RILL, variant->type, 5, &a);
	ASSERT_LE(0, lfd);
	ASSERT_EQ(0, set_us(lfd, 77));
	ASSERT_EQ(0, rt_set_int(lfd, SOL_SOCKET, SO_BUSY_POLL, 33));
	cfd = rt_client(RT_RILL, variant->type, &a);
	ASSERT_LE(0, cfd);
	sfd = rt_accept(lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(77, get_us(sfd));
	EXPECT_EQ(33, rt_get_int(sfd, SOL_SOCKET, SO_BUSY_POLL));
	/* It is the listener's, not the connector's. */
	EXPECT_EQ(0, get_us(cfd));
	EXPECT_EQ(0, set_us(sfd, 0));
	EXPECT_EQ(77, get_us(lfd));
	close(sfd);
	close(cfd);
	close(lfd);
}

/* ---- what a reader does -------------------------------------------------- */

/* Which of the options makes it look. */
enum how {
	BY_RILL,
	BY_SOCKET,
};

FIXTURE(busy)
{
	int sv[2];		/* [0] writes, on processor 0; [1] is read, on 1 */
	cpu_set_t cpus;
	char buf[64];
};

FIXTURE_VARIANT(busy)
{
	int type;
	enum how how;
};

FIXTURE_VARIANT_ADD(busy, rill_stream)
{
	.type = SOCK_STREAM, .how = BY_RILL,
};

FIXTURE_VARIANT_ADD(busy, rill_seqpacket)
{
	.type = SOCK_SEQPACKET, .how = BY_RILL,
};

FIXTURE_VARIANT_ADD(busy, rill_dgram)
{
	.type = SOCK_DGRAM, .how = BY_RILL,
};

FIXTURE_VARIANT_ADD(busy, core_stream)
{
	.type = SOCK_STREAM, .how = BY_SOCKET,
};

FIXTURE_VARIANT_ADD(busy, core_dgram)
{
	.type = SOCK_DGRAM, .how = BY_SOCKET,
};

static int set_how(int fd, enum how how, int us)
{
	return how == BY_RILL ? set_us(fd, us) :
	       rt_set_int(fd, SOL_SOCKET, SO_BUSY_POLL, us);
}

FIXTURE_SETUP(busy)
{
	cpu_set_t first;

	ASSERT_EQ(0, SYS(sched_getaffinity(0, sizeof(self->cpus), &self->cpus)));
	if (!CPU_ISSET(0, &self->cpus) || !CPU_ISSET(1, &self->cpus))
		SKIP(return, "needs two processors");
	ASSERT_EQ(0, rt_pin(0));
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	rcu_threads_on(&first);
	ASSERT_EQ(0, SYS(unshare(CLONE_NEWNET)));
	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	ASSERT_EQ(0, rt_pair(RT_RILL, variant->type, self->sv));
	ASSERT_EQ(0, rt_write_file(MAX_US, FOREVER));
	ASSERT_EQ(0, rt_write_file(UNASKED_US, "0"));
	ASSERT_EQ(0, set_how(self->sv[1], variant->how, FOREVER_US));
	/* So that the last write came from here. */
	ASSERT_EQ(1, SYS(send(self->sv[0], "x", 1, 0)));
	ASSERT_EQ(1, SYS(recv(self->sv[1], self->buf, 1, MSG_DONTWAIT)));
}

FIXTURE_TEARDOWN(busy)
{
	rcu_threads_on(&self->cpus);
	close(self->sv[0]);
	close(self->sv[1]);
}

/* A receive on processor 1, in a thread. */
struct reader {
	struct rt_call	call;
	char		buf[64];
	long long	hits;
	long long	misses;
};

static long reader_main(void *data)
{
	struct reader *r = data;
	long ret = rt_pin(1);

	if (!ret)
		ret = rt_call_main(&r->call);
	/* What its end leaves to the kernel is not to disturb the next one. */
	rt_pin(0);
	return ret;
}

static int reader_start(struct reader *r, int fd, size_t len, int flags)
{
	memset(r, 0, sizeof(*r));
	r->call.nr = SYS_recvfrom;
	r->call.fd = fd;
	r->call.buf = r->buf;
	r->call.len = len;
	r->call.flags = flags;
	r->hits = hits();
	r->misses = misses();
	return rt_thread_start(&r->call.t, reader_main, r);
}

/* It has neither found anything nor given up. */
static bool reader_undecided(const struct reader *r)
{
	return hits() == r->hits && misses() == r->misses;
}

/*
 * Waits until the reader has run in the kernel for some ticks, which nothing
 * but busy polling lets it do.  False: it sleeps, or is done.
 */
static bool reader_looks(struct reader *r)
{
	long first = -1, now = -1;
	pid_t tid = 0;
	bool settled;

	settled = RT_UNTIL(({
		tid = atomic_load(&r->call.t.tid);
		now = tid ? kernel_ticks(tid) : -1;
		if (first < 0)
			first = now;
		!reader_undecided(r) || (first >= 0 && now - first >= 3) ||
		(tid && rt_sleeps_in(tid, SYS_recvfrom));
	}));
	return settled && now - first >= 3 && reader_undecided(r);
}

/* Starts readers until one looks; the others get a byte, or what stops them. */
static bool reader_start_looking(struct reader *r, const int sv[2], size_t len,
				 int flags)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (reader_start(r, sv[1], len, flags))
			return false;
		if (reader_looks(r))
			return true;
		/* It sleeps: the kernel wanted its processor. */
		if (rt_send_all(sv[0], r->buf, len) ||
		    rt_call_end(&r->call) != (long)len)
			return false;
	}
	return false;
}

/*
 * Waits until the call has ended; false if it goes on looking.  It is told by
 * the processor's time, which does not depend on the machine's other load.
 */
static bool reader_stops(struct reader *r)
{
	pid_t tid = atomic_load(&r->call.t.tid);
	long ticks = kernel_ticks(tid);

	return RT_UNTIL(r->call.t.ret != -EINPROGRESS ||
			kernel_ticks(tid) > ticks + 40) &&
	       r->call.t.ret != -EINPROGRESS;
}

/* The same for one that sleeps in the end. */
static bool reader_stops_looking(struct reader *r)
{
	pid_t tid = 0;
	long ticks = 0;

	return RT_UNTIL(({
		tid = atomic_load(&r->call.t.tid);
		ticks = tid ? kernel_ticks(tid) : 0;
		ticks > 40 || (tid && rt_sleeps_in(tid, SYS_recvfrom));
	})) && ticks <= 40;
}

TEST_F(busy, data_comes)
{
	bool found = false;
	struct reader r;
	int i;

	for (i = 0; i < ROUNDS && !found; i++) {
		ASSERT_TRUE(reader_start_looking(&r, self->sv, 1, 0));
		ASSERT_EQ(1, SYS(send(self->sv[0], "y", 1, 0)));
		ASSERT_EQ(1, rt_call_end(&r.call));
		EXPECT_EQ('y', r.buf[0]);
		/* It has found it without having slept. */
		found = hits() == r.hits + 1 && misses() == r.misses;
	}
	EXPECT_TRUE(found);
}

/* All that MSG_WAITALL wants, in pieces. */
TEST_F(busy, waitall)
{
	struct reader r;
	int i;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "is about bytes");
	ASSERT_TRUE(reader_start_looking(&r, self->sv, 4, MSG_WAITALL));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(1, SYS(send(self->sv[0], &"abcd"[i], 1, 0)));
	ASSERT_EQ(4, rt_call_end(&r.call));
	EXPECT_EQ(0, memcmp(r.buf, "abcd", 4));
}

/* Repeats, since something else may stop a reader that ignores the signal. */
TEST_F(busy, signal)
{
	int i;

	for (i = 0; i < 5; i++) {
		struct reader r;

		ASSERT_TRUE(reader_start_looking(&r, self->sv, 1, 0));
		ASSERT_EQ(0, pthread_kill(r.call.t.thread, SIGUSR1));
		EXPECT_TRUE(reader_stops(&r));
		EXPECT_EQ(-EINTR, r.call.t.ret);
		/* So that the thread ends in either case. */
		ASSERT_EQ(1, SYS(send(self->sv[0], "x", 1, 0)));
		ASSERT_TRUE(rt_thread_join(&r.call.t));
		rt_drain(self->sv[1], sizeof(self->buf));
		EXPECT_EQ(r.hits, hits());
	}
}

TEST_F(busy, dontwait)
{
	struct reader r;

	ASSERT_EQ(0, reader_start(&r, self->sv[1], 1, MSG_DONTWAIT));
	EXPECT_EQ(-EAGAIN, rt_call_end(&r.call));
	EXPECT_TRUE(reader_undecided(&r));
	ASSERT_EQ(0, rt_set_nonblock(self->sv[1], true));
	ASSERT_EQ(0, reader_start(&r, self->sv[1], 1, 0));
	EXPECT_EQ(-EAGAIN, rt_call_end(&r.call));
	EXPECT_TRUE(reader_undecided(&r));
}

/*
 * A reader that looks until its time-out asks the exact clock: the jiffies alone would
 * be short by a part of one, nearly always.  In an emulated machine now and then one
 * is, whose last part was a sleep: the jiffies may have been late as that began.
 */
TEST_F(busy, timeout)
{
	int i, looked = 0, in_time = 0;

	ASSERT_EQ(0, rt_set_timeo(self->sv[1], SO_RCVTIMEO, 100));
	for (i = 0; i < ROUNDS && looked < 5; i++) {
		struct reader r;

		ASSERT_EQ(0, reader_start(&r, self->sv[1], 1, 0));
		if (!reader_looks(&r)) {
			EXPECT_EQ(-EAGAIN, rt_call_end(&r.call));
			continue;
		}
		looked++;
		EXPECT_TRUE(reader_stops(&r));
		EXPECT_EQ(-EAGAIN, r.call.t.ret);
		EXPECT_LE(100 - RT_TICK_MS, r.call.lasted_ms);
		in_time += r.call.exact_ms >= 100;
		ASSERT_EQ(1, SYS(send(self->sv[0], "x", 1, 0)));
		ASSERT_TRUE(rt_thread_join(&r.call.t));
		rt_drain(self->sv[1], sizeof(self->buf));
		EXPECT_EQ(r.hits, hits());
		EXPECT_EQ(r.misses + 1, misses());
	}
	/* One has been met while it looked, at least. */
	EXPECT_LT(0, looked);
	EXPECT_LE(looked, 2 * in_time);
}

/* The time of the option is up: it sleeps, and what comes then wakes it. */
TEST_F(busy, gives_up)
{
	long long before = misses();
	struct reader r;
	int i;

	ASSERT_EQ(0, set_how(self->sv[1], variant->how, 1));
	for (i = 0; i < ROUNDS && misses() == before; i++) {
		ASSERT_EQ(0, reader_start(&r, self->sv[1], 1, 0));
		ASSERT_TRUE(reader_stops_looking(&r));
		EXPECT_EQ(r.hits, hits());
		ASSERT_EQ(1, SYS(send(self->sv[0], "y", 1, 0)));
		EXPECT_EQ(1, rt_call_end(&r.call));
	}
	/* It has looked, once at least. */
	EXPECT_LT(before, misses());
}

TEST_F(busy, switched_off)
{
	struct reader r;

	ASSERT_EQ(0, set_how(self->sv[1], variant->how, 0));
	ASSERT_EQ(0, reader_start(&r, self->sv[1], 1, 0));
	ASSERT_TRUE(rt_call_sleeps(&r.call));
	EXPECT_TRUE(reader_undecided(&r));
	ASSERT_EQ(1, SYS(send(self->sv[0], "y", 1, 0)));
	EXPECT_EQ(1, rt_call_end(&r.call));
	EXPECT_TRUE(reader_undecided(&r));
}

/* The bound holds for one of the options only: the other is the core's. */
TEST_F(busy, forbidden)
{
	struct reader r;

	ASSERT_EQ(0, rt_write_file(MAX_US, "0"));
	if (variant->how == BY_SOCKET) {
		ASSERT_TRUE(reader_start_looking(&r, self->sv, 1, 0));
	} else {
		ASSERT_EQ(0, reader_start(&r, self->sv[1], 1, 0));
		ASSERT_TRUE(rt_call_sleeps(&r.call));
		EXPECT_TRUE(reader_undecided(&r));
	}
	ASSERT_EQ(1, SYS(send(self->sv[0], "y", 1, 0)));
	EXPECT_EQ(1, rt_call_end(&r.call));
}

/* Nobody can tell where the first write will come from: that is slept for. */
TEST_F(busy, nothing_came_yet)
{
	struct reader r;
	int sv[2];

	ASSERT_EQ(0, rt_pair(RT_RILL, variant->type, sv));
	ASSERT_EQ(0, set_how(sv[1], variant->how, FOREVER_US));
	ASSERT_EQ(0, reader_start(&r, sv[1], 1, 0));
	ASSERT_TRUE(rt_call_sleeps(&r.call));
	EXPECT_TRUE(reader_undecided(&r));
	ASSERT_EQ(1, SYS(send(sv[0], "y", 1, 0)));
	EXPECT_EQ(1, rt_call_end(&r.call));
	close(sv[0]);
	close(sv[1]);
}

/* The peer will send no more; a datagram socket says so itself. */
TEST_F(busy, shutdown)
{
	struct reader r;

	ASSERT_TRUE(reader_start_looking(&r, self->sv, 1, 0));
	ASSERT_EQ(0, variant->type == SOCK_DGRAM ?
		     SYS(shutdown(self->sv[1], SHUT_RD)) :
		     SYS(shutdown(self->sv[0], SHUT_WR)));
	EXPECT_EQ(0, rt_call_end(&r.call));
	/* The end is there at once now. */
	ASSERT_EQ(0, reader_start(&r, self->sv[1], 1, 0));
	EXPECT_EQ(0, rt_call_end(&r.call));
	EXPECT_TRUE(reader_undecided(&r));
}

TEST_F(busy, peer_closes)
{
	struct reader r;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "a datagram's peer has no end to tell");
	ASSERT_TRUE(reader_start_looking(&r, self->sv, 1, 0));
	ASSERT_EQ(0, SYS(close(self->sv[0])));
	self->sv[0] = -1;
	EXPECT_EQ(0, rt_call_end(&r.call));
}

TEST_F(busy, peer_resets)
{
	struct reader r;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "a datagram's peer has no end to tell");
	ASSERT_TRUE(reader_start_looking(&r, self->sv, 1, 0));
	ASSERT_EQ(0, rt_set_linger(self->sv[0], 1, 0));
	ASSERT_EQ(0, SYS(close(self->sv[0])));
	self->sv[0] = -1;
	EXPECT_EQ(-ECONNRESET, rt_call_end(&r.call));
}

/* While one looks, a call that does not wait is not held up by it. */
TEST_F(busy, another_thread)
{
	bool apart = false;
	int i;

	for (i = 0; i < ROUNDS && !apart; i++) {
		struct reader r;

		ASSERT_TRUE(reader_start_looking(&r, self->sv, 1, 0));
		EXPECT_EQ(-EAGAIN, SYS(recv(self->sv[1], self->buf, 1,
					    MSG_DONTWAIT)));
		EXPECT_EQ(-EAGAIN, SYS(recv(self->sv[1], self->buf, 1,
					    MSG_DONTWAIT | MSG_PEEK)));
		/* And the first one still looks. */
		apart = reader_undecided(&r);
		ASSERT_EQ(1, SYS(send(self->sv[0], "y", 1, 0)));
		ASSERT_EQ(1, rt_call_end(&r.call));
	}
	EXPECT_TRUE(apart);
}

static long poller_main(void *data)
{
	struct rt_call *c = data;
	int err = rt_pin(1);

	return err ? err : rt_call_main(c);
}

TEST_F(busy, poll_sleeps)
{
	struct rt_call c = {
		.nr = SYS_ppoll, .fd = self->sv[1], .events = POLLIN,
	};
	long long hit = hits(), miss = misses();

	ASSERT_EQ(0, rt_thread_start(&c.t, poller_main, &c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(1, SYS(send(self->sv[0], "y", 1, 0)));
	EXPECT_EQ(POLLIN, rt_call_end(&c));
	EXPECT_EQ(hit, hits());
	EXPECT_EQ(miss, misses());
}

static long epoll_main(void *data)
{
	struct epoll_event ev;
	int err = rt_pin(1);

	return err ? err : SYS(epoll_wait(*(int *)data, &ev, 1, RT_WAIT_MS));
}

TEST_F(busy, epoll_sleeps)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	long long hit = hits(), miss = misses();
	struct rt_thread t;
	int ep = epoll_create1(0);

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, SYS(epoll_ctl(ep, EPOLL_CTL_ADD, self->sv[1], &ev)));
	ASSERT_EQ(0, rt_thread_start(&t, epoll_main, &ep));
	ASSERT_TRUE(rt_thread_sleeps(&t, SYS_epoll_wait));
	ASSERT_EQ(1, SYS(send(self->sv[0], "y", 1, 0)));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(1, t.ret);
	EXPECT_EQ(hit, hits());
	EXPECT_EQ(miss, misses());
	close(ep);
}

/* ---- one processor ---------------------------------------------------------- */

#define EXCHANGES	200

struct echo {
	int	fd;
	int	cpu;
};

static long echo_main(void *data)
{
	struct echo *e = data;
	int err = rt_pin(e->cpu), i;
	char c;

	for (i = 0; !err && i < EXCHANGES; i++) {
		err = rt_recv_all(e->fd, &c, 1);
		if (!err)
			err = rt_send_all(e->fd, &c, 1);
	}
	return err;
}

/*
 * Reader and writer share a processor: nobody looks for what only the other
 * could do meanwhile, not once.
 */
TEST_F(busy, same_processor)
{
	struct echo e = { .fd = self->sv[1], .cpu = 0 };
	long long hit, miss;
	struct rt_thread t;
	char c;
	int i;

	ASSERT_EQ(0, set_how(self->sv[0], variant->how, FOREVER_US));
	/* The writer has been here before, in the set-up. */
	hit = hits();
	miss = misses();
	ASSERT_EQ(0, rt_thread_start(&t, echo_main, &e));
	for (i = 0; i < EXCHANGES; i++) {
		ASSERT_EQ(0, rt_send_all(self->sv[0], "z", 1));
		ASSERT_EQ(0, rt_recv_all(self->sv[0], &c, 1));
	}
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(0, t.ret);
	EXPECT_EQ(hit, hits());
	EXPECT_EQ(miss, misses());
}

/* The writer moves to the reader's processor, where it must get its turn. */
TEST_F(busy, writer_moves)
{
	struct reader r;

	ASSERT_TRUE(reader_start_looking(&r, self->sv, 1, 0));
	ASSERT_EQ(0, rt_pin(1));
	ASSERT_EQ(1, SYS(send(self->sv[0], "y", 1, 0)));
	ASSERT_EQ(1, rt_call_end(&r.call));
	/* From here on the last write came from that processor. */
	ASSERT_EQ(0, reader_start(&r, self->sv[1], 1, 0));
	ASSERT_TRUE(rt_call_sleeps(&r.call));
	EXPECT_TRUE(reader_undecided(&r));
	ASSERT_EQ(1, SYS(send(self->sv[0], "y", 1, 0)));
	EXPECT_EQ(1, rt_call_end(&r.call));
}

static atomic_bool crowd_runs, crowd_ends;

static long crowd_main(void *arg)
{
	int err = rt_pin(1);

	(void)arg;
	atomic_store(&crowd_runs, true);
	while (!err && !atomic_load(&crowd_ends))
		;
	return err;
}

/* Somebody else wants the reader's processor: the reader is out of the way. */
TEST_F(busy, crowded)
{
	struct rt_thread crowd;
	struct reader r;

	ASSERT_EQ(0, rt_thread_start(&crowd, crowd_main, NULL));
	ASSERT_TRUE(RT_UNTIL(atomic_load(&crowd_runs)));
	ASSERT_EQ(0, reader_start(&r, self->sv[1], 1, 0));
	ASSERT_TRUE(rt_call_sleeps(&r.call));
	EXPECT_TRUE(reader_undecided(&r));
	ASSERT_EQ(1, SYS(send(self->sv[0], "y", 1, 0)));
	EXPECT_EQ(1, rt_call_end(&r.call));
	atomic_store(&crowd_ends, true);
	ASSERT_TRUE(rt_thread_join(&crowd));
	EXPECT_EQ(0, crowd.ret);
}

/* Both look for each other, across processors; nothing is lost or doubled. */
TEST_F(busy, both_look)
{
	struct echo e = { .fd = self->sv[1], .cpu = 1 };
	long long hit = hits();
	struct rt_thread t;
	char c;
	int i;

	ASSERT_EQ(0, set_how(self->sv[0], variant->how, FOREVER_US));
	ASSERT_EQ(0, rt_thread_start(&t, echo_main, &e));
	for (i = 0; i < EXCHANGES; i++) {
		char b = i;

		ASSERT_EQ(0, rt_send_all(self->sv[0], &b, 1));
		ASSERT_EQ(0, rt_recv_all(self->sv[0], &c, 1));
		ASSERT_EQ(b, c);
	}
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(0, t.ret);
	EXPECT_LT(hit, hits());
}

/* ---- unasked --------------------------------------------------------------- */

#define WAITS		100
#define UNASKED_ROUNDS	10

static long wait_main(void *arg)
{
	const int *fd = arg;
	int err = rt_pin(1), i;
	char c;

	for (i = 0; i < WAITS && !err; i++)
		if (SYS(recv(*fd, &c, 1, 0)) != -EAGAIN)
			err = -EPROTO;
	return err;
}

/*
 * A socket that was told nothing looks for what the sysctl says; where it never
 * finds anything it tries 1, 2, 4, 8, 16, 32 and then 64 waits later.  A look
 * that another task ended early counts as a miss, but teaches nothing: then
 * there are more, so several sockets get a chance.
 */
TEST_F(busy, unasked)
{
	long long hit = hits(), miss, looks = 0;
	struct rt_thread t;
	int i, sv[2];
	char c;

	ASSERT_EQ(0, rt_write_file(UNASKED_US, "1"));
	for (i = 0; i < UNASKED_ROUNDS && (looks < 1 || looks > 7); i++) {
		if (i) {
			close(sv[0]);
			close(sv[1]);
		}
		ASSERT_EQ(0, rt_pair(RT_RILL, variant->type, sv));
		ASSERT_EQ(0, rt_set_timeo(sv[1], SO_RCVTIMEO, 4));
		ASSERT_EQ(1, SYS(send(sv[0], "x", 1, 0)));
		ASSERT_EQ(1, SYS(recv(sv[1], &c, 1, MSG_DONTWAIT)));
		miss = misses();
		ASSERT_EQ(0, rt_thread_start(&t, wait_main, &sv[1]));
		ASSERT_TRUE(rt_thread_join(&t));
		EXPECT_EQ(0, t.ret);
		EXPECT_EQ(hit, hits());
		looks = misses() - miss;
	}
	EXPECT_LE(1, looks);
	EXPECT_GE(7, looks);

	/* Told not to, it does not. */
	ASSERT_EQ(0, set_us(sv[1], 0));
	miss = misses();
	ASSERT_EQ(0, rt_thread_start(&t, wait_main, &sv[1]));
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(miss, misses());
	close(sv[0]);
	close(sv[1]);
}

TEST_HARNESS_MAIN
