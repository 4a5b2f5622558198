// SPDX-License-Identifier: GPL-2.0-only
/*
 * SO_LINGER: with 0 a close discards and resets at once, with n it waits until
 * the peer has read, killably, and never in a task that exits.  AF_UNIX
 * accepts the option and ignores it, so there is no control here.
 */
#include "rill_test.h"

#include <sys/mount.h>
#include <sys/stat.h>

/* More than a test may last: whoever waits that long fails. */
#define FOR_EVER	1000

FIXTURE(linger)
{
	int fd[2];	/* fd[0] is the end that lingers */
};

FIXTURE_VARIANT(linger)
{
	int type;
};

FIXTURE_VARIANT_ADD(linger, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(linger, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(linger)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, rt_pair(RT_RILL, variant->type, self->fd));
}

FIXTURE_TEARDOWN(linger)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

static char buf[65536];

/* ---- {1, 0}: discard and reset -------------------------------------------------- */

TEST_F(linger, zero_discards)
{
	ASSERT_EQ(0, rt_set_linger(self->fd[0], 1, 0));
	ASSERT_EQ(100, SYS(send(self->fd[0], buf, 100, 0)));
	ASSERT_EQ(50, SYS(send(self->fd[0], buf, 50, 0)));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR,
		  rt_events(self->fd[1], POLLIN | POLLOUT | POLLRDHUP));
	EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(-EPIPE, SYS(send(self->fd[1], buf, 1, MSG_NOSIGNAL)));
}

/* Nothing is left to read, nor to be counted. */
TEST_F(linger, zero_leaves_no_bytes)
{
	int n = -1;

	ASSERT_EQ(0, rt_set_linger(self->fd[0], 1, 0));
	ASSERT_LT(0, rt_fill(self->fd[0], 500));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(ECONNRESET, rt_so_error(self->fd[1]));
	EXPECT_EQ(0, SYS(ioctl(self->fd[1], SIOCINQ, &n)));
	EXPECT_EQ(0, n);
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), MSG_PEEK)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
}

/* A reset without anything in flight is a reset nevertheless, as TCP's. */
TEST_F(linger, zero_resets_an_idle_peer)
{
	struct rt_call c = { .nr = SYS_recvfrom, .fd = self->fd[1], .buf = buf,
			     .len = 10 };

	ASSERT_EQ(0, rt_set_linger(self->fd[0], 1, 0));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(-ECONNRESET, rt_call_end(&c));
}

TEST_F(linger, zero_wakes_a_writer)
{
	struct rt_call c = { .nr = SYS_sendto, .fd = self->fd[1], .buf = buf,
			     .len = 1000 };

	ASSERT_EQ(0, rt_set_linger(self->fd[0], 1, 0));
	ASSERT_LT(0, rt_fill(self->fd[1],
			     variant->type == SOCK_STREAM ? 1 : 1000));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(-EPIPE, rt_call_end(&c));
}

/* Also for a connection that nobody has accepted yet. */
TEST_F(linger, zero_before_accept)
{
	struct rt_addr a = { .len = 0 };
	int fd, lfd, sfd;

	lfd = rt_listener(RT_RILL, variant->type, 1, &a);
	ASSERT_LE(0, lfd);
	fd = rt_client(RT_RILL, variant->type, &a);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, SYS(send(fd, "x", 1, 0)));
	ASSERT_EQ(0, rt_set_linger(fd, 1, 0));
	ASSERT_EQ(0, SYS(close(fd)));
	sfd = rt_accept(lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(-ECONNRESET, SYS(recv(sfd, buf, 1, 0)));
	EXPECT_EQ(0, SYS(recv(sfd, buf, 1, 0)));
	close(sfd);
	close(lfd);
}

/* Message i of 500 bytes, all of them i: is this what the stream has at pos? */
static bool in_place(long pos, long n)
{
	long i;

	for (i = 0; i < n; i++) {
		if (buf[i] != (pos + i) / 500)
			return false;
	}
	return true;
}

struct zero_race {
	int fd;
	atomic_int go;
};

static long reset_when_told(void *arg)
{
	struct zero_race *r = arg;

	while (!atomic_load(&r->go))
		sched_yield();
	return SYS(close(r->fd));
}

/* The discard meets a reader at work: what it gets is a prefix, then the reset. */
TEST_F_TIMEOUT(linger, zero_races_a_reader, 60)
{
	int i, round;

	for (round = 0; round < 300; round++) {
		struct zero_race r = { .go = 0 };
		struct rt_thread t;
		long got = 0, n;
		int fd[2];

		ASSERT_EQ(0, rt_pair(RT_RILL, variant->type, fd));
		ASSERT_EQ(0, rt_set_linger(fd[0], 1, 0));
		for (i = 0; i < 40; i++) {
			memset(buf, i, 500);
			ASSERT_EQ(500, SYS(send(fd[0], buf, 500, 0)));
		}
		r.fd = fd[0];
		ASSERT_EQ(0, rt_thread_start(&t, reset_when_told, &r));
		while ((n = SYS(recv(fd[1], buf, 500, 0))) > 0) {
			if (!got)
				atomic_store(&r.go, 1);
			ASSERT_TRUE(in_place(got, n)) {
				TH_LOG("round %d: after %ld bytes, message %d",
				       round, got, buf[0]);
			}
			got += n;
		}
		EXPECT_EQ(-ECONNRESET, n);
		EXPECT_EQ(0, SYS(recv(fd[1], buf, 500, 0)));
		ASSERT_TRUE(rt_thread_join(&t));
		EXPECT_EQ(0, t.ret);
		close(fd[1]);
	}
}

/* ---- {1, n}: wait until it is read -------------------------------------------------- */

static void begin_lingering(struct __test_metadata *_metadata, struct rt_call *c,
			    int *fd, int seconds)
{
	ASSERT_EQ(0, rt_set_linger(*fd, 1, seconds));
	*c = (struct rt_call){ .nr = SYS_close, .fd = *fd };
	*fd = -1;
	ASSERT_EQ(0, rt_call_start(c));
}

static void start_lingering(struct __test_metadata *_metadata, struct rt_call *c,
			    int *fd, int seconds)
{
	begin_lingering(_metadata, c, fd, seconds);
	ASSERT_TRUE(rt_call_sleeps(c));
}

TEST_F(linger, waits_until_read)
{
	struct rt_call c;

	ASSERT_EQ(100, SYS(send(self->fd[0], buf, 100, 0)));
	ASSERT_EQ(100, SYS(send(self->fd[0], buf, 100, 0)));
	start_lingering(_metadata, &c, &self->fd[0], FOR_EVER);
	/* A look is no reading, and a part is not all. */
	ASSERT_EQ(100, SYS(recv(self->fd[1], buf, 100, MSG_PEEK)));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(100, SYS(recv(self->fd[1], buf, 100, 0)));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(100, SYS(recv(self->fd[1], buf, 100, 0)));
	EXPECT_EQ(0, rt_call_end(&c));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, 100, 0)));
}

TEST_F(linger, times_out)
{
	struct rt_call c;

	ASSERT_EQ(100, SYS(send(self->fd[0], buf, 100, 0)));
	/* Not seen asleep: a second may be over before anybody looks. */
	begin_lingering(_metadata, &c, &self->fd[0], 1);
	EXPECT_EQ(0, rt_call_end(&c));
	EXPECT_LE(1000 - RT_TICK_MS, c.lasted_ms);
	/* Late is not lost. */
	EXPECT_EQ(100, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
}

/* Nothing is under way: nothing to wait for. */
TEST_F(linger, nothing_to_wait_for)
{
	struct rt_call c = { .nr = SYS_close };

	ASSERT_EQ(0, rt_set_linger(self->fd[0], 1, FOR_EVER));
	ASSERT_EQ(10, SYS(send(self->fd[0], buf, 10, 0)));
	ASSERT_EQ(10, SYS(recv(self->fd[1], buf, 10, 0)));
	/* What lies here unread is the peer's to worry about. */
	ASSERT_EQ(10, SYS(send(self->fd[1], buf, 10, 0)));
	c.fd = self->fd[0];
	self->fd[0] = -1;
	ASSERT_EQ(0, rt_call_start(&c));
	EXPECT_EQ(0, rt_call_end(&c));
}

TEST_F(linger, switched_off)
{
	struct rt_call c = { .nr = SYS_close };

	ASSERT_EQ(0, rt_set_linger(self->fd[0], 0, FOR_EVER));
	ASSERT_EQ(10, SYS(send(self->fd[0], buf, 10, 0)));
	c.fd = self->fd[0];
	self->fd[0] = -1;
	ASSERT_EQ(0, rt_call_start(&c));
	EXPECT_EQ(0, rt_call_end(&c));
	EXPECT_EQ(10, SYS(recv(self->fd[1], buf, 10, 0)));
}

TEST_F(linger, peer_closes)
{
	struct rt_call c;

	ASSERT_EQ(10, SYS(send(self->fd[0], buf, 10, 0)));
	start_lingering(_metadata, &c, &self->fd[0], FOR_EVER);
	ASSERT_EQ(0, SYS(close(self->fd[1])));
	self->fd[1] = -1;
	EXPECT_EQ(0, rt_call_end(&c));
}

/* The peer sees the end while the close waits. */
TEST_F(linger, peer_is_told_at_once)
{
	struct rt_call c;

	ASSERT_EQ(10, SYS(send(self->fd[0], buf, 10, 0)));
	start_lingering(_metadata, &c, &self->fd[0], FOR_EVER);
	EXPECT_EQ(POLLRDHUP, rt_poll(self->fd[1], POLLRDHUP) & ~POLLHUP);
	EXPECT_EQ(POLLIN, rt_events(self->fd[1], POLLIN) & POLLIN);
	EXPECT_EQ(10, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, rt_call_end(&c));
}

/* What it leaves unread is a reset, after all that it had sent. */
TEST_F(linger, unread_input)
{
	struct rt_call c;

	ASSERT_EQ(10, SYS(send(self->fd[0], buf, 10, 0)));
	ASSERT_EQ(10, SYS(send(self->fd[1], buf, 10, 0)));
	start_lingering(_metadata, &c, &self->fd[0], FOR_EVER);
	/* While it waits: a poll knows. */
	EXPECT_EQ(POLLIN | POLLERR, rt_events(self->fd[1], POLLIN) & (POLLIN | POLLERR));
	EXPECT_EQ(10, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, rt_call_end(&c));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
}

/* Neither will read: that is no reason to wait for each other. */
TEST_F(linger, both_ends)
{
	struct rt_call c;

	ASSERT_EQ(10, SYS(send(self->fd[0], buf, 10, 0)));
	ASSERT_EQ(10, SYS(send(self->fd[1], buf, 10, 0)));
	ASSERT_EQ(0, rt_set_linger(self->fd[1], 1, FOR_EVER));
	start_lingering(_metadata, &c, &self->fd[0], FOR_EVER);
	ASSERT_EQ(0, SYS(close(self->fd[1])));
	self->fd[1] = -1;
	EXPECT_EQ(0, rt_call_end(&c));
}

/* A writer at the other end would wait for the close, which waits for its reads. */
TEST_F(linger, ends_a_writer)
{
	struct rt_call c, w = {
		.nr = SYS_sendto, .fd = self->fd[1], .buf = buf, .len = 100,
		.flags = MSG_NOSIGNAL,
	};

	ASSERT_EQ(10, SYS(send(self->fd[0], buf, 10, 0)));
	ASSERT_LT(0, rt_fill(self->fd[1], 100));
	ASSERT_EQ(0, rt_call_start(&w));
	ASSERT_TRUE(rt_call_sleeps(&w));
	start_lingering(_metadata, &c, &self->fd[0], FOR_EVER);
	EXPECT_EQ(-EPIPE, rt_call_end(&w));
	EXPECT_EQ(-EPIPE, SYS(send(self->fd[1], buf, 1, MSG_NOSIGNAL)));
	EXPECT_EQ(10, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, rt_call_end(&c));
	EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[1], buf, 1, 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, 1, 0)));
}

/* Nobody has accepted: it waits for the acceptor, and for its listener's end. */
TEST_F(linger, before_accept)
{
	struct rt_addr a = { .len = 0 };
	int fd, lfd, round;

	for (round = 0; round < 2; round++) {
		struct rt_call c;
		int sfd = -1;

		a.len = 0;
		lfd = rt_listener(RT_RILL, variant->type, 1, &a);
		ASSERT_LE(0, lfd);
		fd = rt_client(RT_RILL, variant->type, &a);
		ASSERT_LE(0, fd);
		ASSERT_EQ(1, SYS(send(fd, "x", 1, 0)));
		start_lingering(_metadata, &c, &fd, FOR_EVER);
		if (round) {
			ASSERT_EQ(0, SYS(close(lfd)));
		} else {
			sfd = rt_accept(lfd, 0);
			ASSERT_LE(0, sfd);
			ASSERT_EQ(1, SYS(recv(sfd, buf, 1, 0)));
		}
		EXPECT_EQ(0, rt_call_end(&c));
		if (!round)
			close(lfd);
		close(sfd);
	}
}

/* ---- it can be killed, and is no obstacle to an exit --------------------------------- */

enum leave {
	CLOSE_THEN_KILL,
	EXIT,
	KILL,
};

/* A process that alone holds the lingering end, with 10 bytes on their way. */
static pid_t lingering_child(int *fd, int other, enum leave how)
{
	pid_t pid;

	if (rt_set_linger(*fd, 1, FOR_EVER))
		return -EIO;
	if (send(*fd, buf, 10, 0) != 10)
		return -EIO;
	pid = rt_fork();
	if (pid < 0)
		return pid;
	if (!pid) {
		close(other);
		/* Until the parent has let go, the last close is not here. */
		raise(SIGSTOP);
		if (how == CLOSE_THEN_KILL)
			close(*fd);
		_exit(7);
	}
	close(*fd);
	*fd = -1;
	return pid;
}

TEST_F(linger, can_be_killed)
{
	int status;
	pid_t pid;

	pid = lingering_child(&self->fd[0], self->fd[1], CLOSE_THEN_KILL);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(RT_UNTIL(rt_task_state(pid) == 'T'));
	ASSERT_EQ(0, SYS(kill(pid, SIGCONT)));
	ASSERT_TRUE(rt_wait_sleeping(pid, SYS_close));
	/* Only a fatal signal ends it. */
	ASSERT_EQ(0, SYS(kill(pid, SIGCHLD)));
	ASSERT_TRUE(rt_wait_sleeping(pid, SYS_close));
	ASSERT_EQ(0, SYS(kill(pid, SIGKILL)));
	status = rt_wait_child(pid);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_EQ(10, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
}

/*
 * Or the machine could not sleep.  Only the freezer of cgroup v1 stops a task where
 * a suspend would; that of v2 uses signals.
 */
TEST_F(linger, can_be_frozen)
{
	char dir[] = "/tmp/freezer.XXXXXX", file[64], state[64];
	int status;
	pid_t pid;

	ASSERT_NE(NULL, mkdtemp(dir));
	if (mount("none", dir, "cgroup", 0, "freezer")) {
		rmdir(dir);
		SKIP(return, "no freezer of cgroup v1 here (errno %d)", errno);
	}
	snprintf(file, sizeof(file), "%s/linger", dir);
	ASSERT_EQ(0, SYS(mkdir(file, 0700)));
	pid = lingering_child(&self->fd[0], self->fd[1], CLOSE_THEN_KILL);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(RT_UNTIL(rt_task_state(pid) == 'T'));
	snprintf(file, sizeof(file), "%s/linger/cgroup.procs", dir);
	snprintf(state, sizeof(state), "%d", pid);
	ASSERT_EQ(0, rt_write_file(file, state));
	ASSERT_EQ(0, SYS(kill(pid, SIGCONT)));
	ASSERT_TRUE(rt_wait_sleeping(pid, SYS_close));

	snprintf(file, sizeof(file), "%s/linger/freezer.state", dir);
	EXPECT_EQ(0, rt_write_file(file, "FROZEN"));
	EXPECT_TRUE(RT_UNTIL(rt_read_file(file, state, sizeof(state)) > 0 &&
			     !strcmp(state, "FROZEN\n"))) {
		TH_LOG("the group is %s", state);
	}
	EXPECT_EQ(0, rt_write_file(file, "THAWED"));
	/* It waits on, until all is read. */
	EXPECT_TRUE(rt_wait_sleeping(pid, SYS_close));
	EXPECT_EQ(10, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	status = rt_wait_child(pid);
	EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	snprintf(file, sizeof(file), "%s/linger", dir);
	EXPECT_EQ(0, SYS(rmdir(file)));
	EXPECT_EQ(0, SYS(umount(dir)));
	EXPECT_EQ(0, SYS(rmdir(dir)));
}

TEST_F(linger, exit_does_not_wait)
{
	int status;
	pid_t pid;

	pid = lingering_child(&self->fd[0], self->fd[1], EXIT);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(RT_UNTIL(rt_task_state(pid) == 'T'));
	ASSERT_EQ(0, SYS(kill(pid, SIGCONT)));
	status = rt_wait_child(pid);
	EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	EXPECT_EQ(10, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
}

TEST_F(linger, a_kill_does_not_wait)
{
	int status;
	pid_t pid;

	pid = lingering_child(&self->fd[0], self->fd[1], KILL);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(RT_UNTIL(rt_task_state(pid) == 'T'));
	ASSERT_EQ(0, SYS(kill(pid, SIGKILL)));
	status = rt_wait_child(pid);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_EQ(10, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
}

TEST_HARNESS_MAIN
