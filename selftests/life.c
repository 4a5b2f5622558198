// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lives that end: namespaces that die with everything alive in them, and
 * programs that are killed in the middle of a transfer.  Whoever talked to them
 * gets what was sent, then an end; and nothing is left of them.
 *
 * LIFE_NAMESPACES and LIFE_KILLS say how many; issue and README name 1000 each.
 * Unloading is module.sh's.
 */
#include "rill_test_fds.h"
#include "rill_test_left.h"

#define MANY_S		3600	/* the bound of the full sizes, emulated */

/* A child that is to be alone, or to end: never through the harness. */
#define DIE_IF(cond)	do { if (cond) _exit(2); } while (0)

/* ---- namespaces ---- */

/* Everything alive: listeners, queues and lines of them, pairs, messages. */
static void populate(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
	int fd[2], i, k, lfd;

	for (i = 0; i < 2; i++) {
		struct rt_addr a = { .len = 0 };

		lfd = rt_listener(RT_RILL, types[i], 1, &a);
		DIE_IF(lfd < 0);
		/* Two in the queue, two in line, with data. */
		for (k = 0; k < 4; k++) {
			fd[0] = rt_socket(RT_RILL, types[i] | SOCK_NONBLOCK);
			DIE_IF(fd[0] < 0);
			DIE_IF(rt_connect(fd[0], &a) != (k < 2 ? 0 : -EINPROGRESS));
			send(fd[0], "data", 4, MSG_NOSIGNAL);
		}
		DIE_IF(rt_pair(RT_RILL, types[i], fd));
		DIE_IF(send(fd[0], "data", 4, MSG_NOSIGNAL) != 4);
	}
	DIE_IF(rt_pair(RT_RILL, SOCK_DGRAM, fd));
	DIE_IF(send(fd[0], "data", 4, MSG_NOSIGNAL) != 4);
}

static long namespace_life(bool by_kill)
{
	pid_t pid = rt_fork();
	int status;

	if (pid < 0)
		return pid;
	if (!pid) {
		DIE_IF(unshare(CLONE_NEWNET));
		populate();
		if (by_kill)
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	status = rt_wait_child(pid);
	return status == (by_kill ? SIGKILL : 0) ? 0 : -ECHILD;
}

FIXTURE(life)
{
	struct rl_left before;
};

FIXTURE_SETUP(life)
{
	struct rl_left *b = &self->before;

	/* Once, so that what is made once is not taken for a loss. */
	ASSERT_EQ(0, namespace_life(false));
	/* Others' sockets may stay, which none should be. */
	rl_unused();
	rl_read(b, true);
	ASSERT_LE(0, b->refs);
}

FIXTURE_TEARDOWN(life)
{
}

static long namespaces(long from, long to, long n)
{
	long tenth = n / 10 ?: 1, i, err;

	for (i = from; i < to; i++) {
		err = namespace_life(i & 1);
		if (err)
			return err;
		if ((i + 1) % tenth == 0)
			rd_say("%ld of %ld namespaces", i + 1, n);
	}
	return 0;
}

TEST_F_TIMEOUT(life, namespaces, MANY_S)
{
	long n = rl_env("LIFE_NAMESPACES", 60), half = n / 2;
	long more = half <= 40 ? 20 : half < 2 * RL_MORE ? half / 2 : RL_MORE;
	struct rl_left middle;

	ASSERT_EQ(0, namespaces(0, half, n));
	EXPECT_TRUE(rl_back(&self->before, LONG_MAX));
	rl_read(&middle, true);
	ASSERT_EQ(0, namespaces(half, n, n));
	/*
	 * What is lost with each shows in both halves; what the kernel keeps once
	 * it had many, in the first.
	 */
	EXPECT_TRUE(rl_back(&middle, more) ||
		    !rl_slabs_grown(&self->before, &middle, more, true));
	EXPECT_TRUE(rl_back(&self->before, LONG_MAX));
	rd_say("%ld namespaces made and destroyed", n);
	rd_say("in each 2 listeners, 4 in queues, 4 in lines, 3 pairs, with data");
}

/* ---- kills ---- */

enum transfer {
	T_STREAM_OUT,		/* the child sends */
	T_STREAM_IN,		/* the child receives */
	T_STREAM_BOTH,
	T_SEQ_OUT,
	T_SEQ_IN,
	T_DGRAM_OUT,
	T_DGRAM_IN,
	T_SPLICE_OUT,
	T_IN_LINE,		/* the child stands in line */
	T_LISTENER,		/* the child listens; we are connected */
	T_N,
};

#define SEED	4711
#define PIECE	3000

static void child_send(int fd, bool messages)
{
	char buf[PIECE];
	__u64 pos = 0;

	for (;;) {
		size_t len = messages ? PIECE : 1 + rd_mix(pos) % PIECE;
		ssize_t n;

		rd_fill(buf, len, SEED, pos);
		n = send(fd, buf, len, MSG_NOSIGNAL);
		DIE_IF(n <= 0);
		pos += n;
	}
}

static void child_receive(int fd)
{
	char buf[PIECE];
	__u64 pos = 0;

	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		DIE_IF(n <= 0 || rd_verify(buf, n, SEED, pos) >= 0);
		pos += n;
	}
}

static void child_splice(int fd)
{
	char buf[PIECE];
	__u64 pos = 0;
	int p[2];

	DIE_IF(pipe(p));
	for (;;) {
		ssize_t n, left;

		rd_fill(buf, sizeof(buf), SEED, pos);
		DIE_IF(write(p[1], buf, sizeof(buf)) != sizeof(buf));
		for (left = sizeof(buf); left; left -= n) {
			n = splice(p[0], NULL, fd, NULL, left, 0);
			DIE_IF(n <= 0);
		}
		pos += sizeof(buf);
	}
}

static void *sender_thread(void *arg)
{
	child_send(*(int *)arg, false);
	return NULL;
}

/*
 * What is the child's alone: ends that know its pid and its credentials, by its
 * connect, its listener and what it sent, and a file in flight.  References that
 * nobody puts keep as many of each.
 */
static void child_own(void)
{
	int fd[2], p[2];

	DIE_IF(rt_pair(RT_RILL, SOCK_STREAM, fd));
	DIE_IF(rt_set_int(fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	DIE_IF(pipe(p));
	DIE_IF(rr_send(fd[0], "x", 1, 0, p, 1) != 1);
	close(p[0]);
}

static void child_main(enum transfer what, int fd, const struct rt_addr *a)
{
	pthread_t t;

	child_own();
	switch (what) {
	case T_STREAM_BOTH:
		DIE_IF(pthread_create(&t, NULL, sender_thread, &fd));
		child_receive(fd);
		break;
	case T_STREAM_OUT:
		child_send(fd, false);
		break;
	case T_SEQ_OUT:
	case T_DGRAM_OUT:
		child_send(fd, true);
		break;
	case T_SPLICE_OUT:
		child_splice(fd);
		break;
	case T_IN_LINE:
		fd = rt_socket(RT_RILL, SOCK_STREAM);
		rt_connect(fd, a);
		break;
	default:
		child_receive(fd);
	}
	_exit(3);
}

static int type_of(enum transfer what)
{
	switch (what) {
	case T_SEQ_OUT:
	case T_SEQ_IN:
		return SOCK_SEQPACKET;
	case T_DGRAM_OUT:
	case T_DGRAM_IN:
		return SOCK_DGRAM;
	default:
		return SOCK_STREAM;
	}
}

/* Let it run until so many bytes have gone one way or the other. */
static long transfer(int fd, bool send_too, bool receive, __u64 want, __u64 *got)
{
	long long end = rt_now_ms() + RT_WAIT_MS;
	char buf[PIECE];
	__u64 sent = 0;
	long n;

	while (sent + *got < want) {
		if (rt_now_ms() >= end)
			return -ETIMEDOUT;
		if (send_too) {
			rd_fill(buf, PIECE, SEED, sent);
			n = SYS(send(fd, buf, PIECE, MSG_DONTWAIT | MSG_NOSIGNAL));
			if (n < 0 && n != -EAGAIN)
				return n;
			sent += n > 0 ? n : 0;
		}
		if (receive) {
			n = SYS(recv(fd, buf, PIECE, MSG_DONTWAIT));
			if (n < 0 && n != -EAGAIN)
				return n;
			if (n > 0 && rd_verify(buf, n, SEED, *got) >= 0)
				return -EBADMSG;
			*got += n > 0 ? n : 0;
		}
		if (n == -EAGAIN)
			sched_yield();
	}
	return 0;
}

/* The other side is dead: all that it sent, then the end, and no hang. */
static long aftermath(int fd, enum transfer what, __u64 *got)
{
	bool dgram = type_of(what) == SOCK_DGRAM;
	char buf[PIECE];
	long n;

	for (;;) {
		n = SYS(recv(fd, buf, PIECE, dgram ? MSG_DONTWAIT : 0));
		if (n <= 0)
			break;
		if (rd_verify(buf, n, SEED, *got) >= 0)
			return -EBADMSG;
		*got += n;
	}
	if (dgram)
		return n == -EAGAIN ? 0 : n;
	if (n == -ECONNRESET)
		n = SYS(recv(fd, buf, 1, 0));
	if (n)
		return n;
	n = SYS(send(fd, buf, 1, MSG_NOSIGNAL));
	return n == -EPIPE ? 0 : n ?: -EIO;
}

static long killed_in_pair(enum transfer what, __u64 want, __u64 *bytes)
{
	bool in = what == T_STREAM_IN || what == T_SEQ_IN || what == T_DGRAM_IN;
	int fd[2], status;
	__u64 got = 0;
	pid_t pid;
	long err;

	err = rt_pair(RT_RILL, type_of(what), fd);
	if (err)
		return err;
	pid = rt_fork();
	if (!pid) {
		close(fd[0]);
		child_main(what, fd[1], NULL);
	}
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return pid;
	}
	err = transfer(fd[0], in || what == T_STREAM_BOTH, !in, want, &got);
	kill(pid, SIGKILL);
	status = rt_wait_child(pid);
	if (!err && status != SIGKILL)
		err = -ECHILD;
	if (!err)
		err = aftermath(fd[0], what, &got);
	*bytes += got;
	close(fd[0]);
	return err;
}

/* In line: it must be out of the line; who comes later has its place. */
static long killed_in_line(void)
{
	struct rt_addr a = { .len = 0 };
	int lfd = rt_listener(RT_RILL, SOCK_STREAM, 0, &a);
	int fd[3] = { -1, -1, -1 }, i;
	long err = 0;
	pid_t pid;

	if (lfd < 0)
		return lfd;
	fd[0] = rt_client(RT_RILL, SOCK_STREAM, &a);
	pid = rt_fork();
	if (!pid)
		child_main(T_IN_LINE, -1, &a);
	if (pid < 0 || fd[0] < 0 || !rt_wait_line(lfd, 1))
		err = -ETIMEDOUT;
	kill(pid, SIGKILL);
	if (rt_wait_child(pid) != SIGKILL || !rt_wait_line(lfd, 0))
		err = err ?: -ECHILD;
	fd[1] = rt_socket(RT_RILL, SOCK_STREAM | SOCK_NONBLOCK);
	if (!err && rt_connect(fd[1], &a) != -EINPROGRESS)
		err = -EPROTO;
	fd[2] = rt_accept(lfd, 0);
	if (!err && (fd[2] < 0 || rt_poll(fd[1], POLLOUT) != POLLOUT))
		err = -EPROTO;
	for (i = 0; i < 3; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	close(lfd);
	return err;
}

/* A listener with us in its queue and line: reset and refused. */
static long killed_listener(void)
{
	struct rt_addr a = rt_new_addr(RT_RILL);
	int p[2], fd[2], i;
	long err = 0;
	char c;
	pid_t pid;

	if (pipe(p))
		return -errno;
	pid = rt_fork();
	if (!pid) {
		DIE_IF(rt_listener(RT_RILL, SOCK_STREAM, 0, &a) < 0);
		DIE_IF(write(p[1], "x", 1) != 1);
		for (;;)
			pause();
	}
	close(p[1]);
	if (pid < 0 || read(p[0], &c, 1) != 1)
		err = -EPIPE;
	close(p[0]);
	fd[0] = rt_socket(RT_RILL, SOCK_STREAM | SOCK_NONBLOCK);
	fd[1] = rt_socket(RT_RILL, SOCK_STREAM | SOCK_NONBLOCK);
	if (!err && (rt_connect(fd[0], &a) || rt_connect(fd[1], &a) != -EINPROGRESS))
		err = -EPROTO;
	kill(pid, SIGKILL);
	if (rt_wait_child(pid) != SIGKILL)
		err = err ?: -ECHILD;
	if (!err && (rt_so_error(fd[0]) != ECONNRESET || rt_so_error(fd[1]) != ECONNREFUSED))
		err = -EPROTO;
	/* The name is free at once. */
	if (!err) {
		i = rt_bound(RT_RILL, SOCK_STREAM, &a);
		err = i < 0 ? i : 0;
		if (i >= 0)
			close(i);
	}
	close(fd[0]);
	close(fd[1]);
	return err;
}

TEST_F_TIMEOUT(life, kills, MANY_S)
{
	long n = rl_env("LIFE_KILLS", 100), i, tenth = n / 10 ?: 1;
	__u64 bytes = 0;

	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	rl_read(&self->before, true);
	for (i = 0; i < n; i++) {
		enum transfer what = i % T_N;
		long err;

		if (what == T_IN_LINE)
			err = killed_in_line();
		else if (what == T_LISTENER)
			err = killed_listener();
		else
			err = killed_in_pair(what, 1 + rd_mix(i) % 500000, &bytes);
		ASSERT_EQ(0, err) {
			TH_LOG("kill %ld, of kind %d", i, what);
		}
		if ((i + 1) % tenth == 0)
			rd_say("%ld of %ld kills", i + 1, n);
	}
	/* Nine in ten have something of their own that could be lost. */
	EXPECT_TRUE(rl_back(&self->before, n <= 40 ? 20 : n < 2 * RL_MORE ? n / 2 : RL_MORE));
	rd_say("%ld programs killed in the middle of a transfer, %llu MiB from them compared",
	       n, (unsigned long long)bytes >> 20);
}

TEST_HARNESS_MAIN
