// SPDX-License-Identifier: GPL-2.0-only
/*
 * shutdown(): each half, from each end; EOF, EPIPE and SIGPIPE.
 */
#include "rill_test.h"
#include "rill_test_uffd.h"

static atomic_int sigpipes;

static void count_sigpipe(int sig)
{
	(void)sig;
	atomic_fetch_add(&sigpipes, 1);
}

FIXTURE(shutdown)
{
	int fd[2];	/* fd[0] is the end that shuts down */
	bool sigpipe;	/* EPIPE comes with SIGPIPE */
};

FIXTURE_VARIANT(shutdown)
{
	enum rt_family family;
	int type;
	bool accepted;	/* the accepted end shuts down, not the connected one */
};

FIXTURE_VARIANT_ADD(shutdown, rill_stream_connected)
{
	.family = RT_RILL, .type = SOCK_STREAM, .accepted = false,
};

FIXTURE_VARIANT_ADD(shutdown, rill_stream_accepted)
{
	.family = RT_RILL, .type = SOCK_STREAM, .accepted = true,
};

FIXTURE_VARIANT_ADD(shutdown, rill_seqpacket_connected)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET, .accepted = false,
};

FIXTURE_VARIANT_ADD(shutdown, rill_seqpacket_accepted)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET, .accepted = true,
};

FIXTURE_VARIANT_ADD(shutdown, unix_stream_connected)
{
	.family = RT_UNIX, .type = SOCK_STREAM, .accepted = false,
};

FIXTURE_VARIANT_ADD(shutdown, unix_stream_accepted)
{
	.family = RT_UNIX, .type = SOCK_STREAM, .accepted = true,
};

FIXTURE_VARIANT_ADD(shutdown, unix_seqpacket_connected)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET, .accepted = false,
};

FIXTURE_VARIANT_ADD(shutdown, unix_seqpacket_accepted)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET, .accepted = true,
};

FIXTURE_SETUP(shutdown)
{
	struct sigaction sa = { .sa_handler = count_sigpipe };
	int fd[2];

	ASSERT_EQ(0, SYS(sigaction(SIGPIPE, &sa, NULL)));
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
	self->fd[0] = fd[variant->accepted];
	self->fd[1] = fd[!variant->accepted];
	/* AF_UNIX sends none for messages. */
	self->sigpipe = variant->family == RT_RILL ||
			variant->type == SOCK_STREAM;
}

FIXTURE_TEARDOWN(shutdown)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

static char buf[65536];

static void expect_epipe(struct __test_metadata *_metadata, int fd, bool sigpipe)
{
	struct iovec iov = { .iov_base = buf, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int before = atomic_load(&sigpipes);

	EXPECT_EQ(-EPIPE, SYS(send(fd, buf, 1, MSG_NOSIGNAL)));
	EXPECT_EQ(-EPIPE, SYS(sendmsg(fd, &msg, MSG_NOSIGNAL)));
	EXPECT_EQ(-EPIPE, SYS(send(fd, buf, 1, MSG_NOSIGNAL | MSG_DONTWAIT)));
	EXPECT_EQ(before, atomic_load(&sigpipes));
	EXPECT_EQ(-EPIPE, SYS(send(fd, buf, 1, 0)));
	EXPECT_EQ(-EPIPE, SYS(write(fd, buf, 1)));
	EXPECT_EQ(-EPIPE, SYS(writev(fd, &iov, 1)));
	EXPECT_EQ(-EPIPE, SYS(sendmsg(fd, &msg, 0)));
	if (sigpipe)
		EXPECT_EQ(before + 4, atomic_load(&sigpipes));
}

static void expect_flows(struct __test_metadata *_metadata, int from, int to)
{
	ASSERT_EQ(4, SYS(send(from, "flow", 4, MSG_NOSIGNAL)));
	ASSERT_EQ(4, SYS(recv(to, buf, sizeof(buf), MSG_DONTWAIT)));
	EXPECT_EQ(0, memcmp(buf, "flow", 4));
}

TEST_F(shutdown, wr)
{
	int round;

	ASSERT_EQ(3, SYS(send(self->fd[0], "abc", 3, 0)));
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	for (round = 0; round < 2; round++) {
		expect_epipe(_metadata, self->fd[0], self->sigpipe);
		/* A second time changes nothing. */
		ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	}
	ASSERT_EQ(3, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, memcmp(buf, "abc", 3));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), MSG_DONTWAIT)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), MSG_PEEK)));
	/* The other direction lives on. */
	expect_flows(_metadata, self->fd[1], self->fd[0]);
}

TEST_F(shutdown, rd)
{
	ASSERT_EQ(3, SYS(send(self->fd[1], "abc", 3, 0)));
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_RD)));
	expect_epipe(_metadata, self->fd[1], self->sigpipe);
	EXPECT_EQ(POLLIN | POLLRDHUP,
		  rt_events(self->fd[0], POLLIN | POLLRDHUP));
	/* What was sent before is there, then the end. */
	ASSERT_EQ(3, SYS(recv(self->fd[0], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, memcmp(buf, "abc", 3));
	EXPECT_EQ(0, SYS(recv(self->fd[0], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[0], buf, sizeof(buf), MSG_DONTWAIT)));
	expect_flows(_metadata, self->fd[0], self->fd[1]);
}

TEST_F(shutdown, rdwr)
{
	int end;

	ASSERT_EQ(3, SYS(send(self->fd[0], "abc", 3, 0)));
	ASSERT_EQ(3, SYS(send(self->fd[1], "def", 3, 0)));
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_RDWR)));
	for (end = 0; end < 2; end++) {
		expect_epipe(_metadata, self->fd[end], self->sigpipe);
		EXPECT_EQ(POLLIN | POLLRDHUP | POLLHUP,
			  rt_events(self->fd[end], POLLIN | POLLRDHUP));
		ASSERT_EQ(3, SYS(recv(self->fd[end], buf, sizeof(buf), 0)));
		EXPECT_EQ(0, memcmp(buf, end ? "abc" : "def", 3));
		EXPECT_EQ(0, SYS(recv(self->fd[end], buf, sizeof(buf), 0)));
	}
}

/* One half after the other makes the whole. */
TEST_F(shutdown, halves)
{
	int end;

	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_RD)));
	expect_flows(_metadata, self->fd[0], self->fd[1]);
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	for (end = 0; end < 2; end++) {
		expect_epipe(_metadata, self->fd[end], self->sigpipe);
		EXPECT_EQ(0, SYS(recv(self->fd[end], buf, sizeof(buf), 0)));
		EXPECT_EQ(POLLIN | POLLRDHUP | POLLHUP,
			  rt_events(self->fd[end], POLLIN | POLLRDHUP));
	}
}

TEST_F(shutdown, bad_how)
{
	EXPECT_EQ(-EINVAL, SYS(shutdown(self->fd[0], 3)));
	EXPECT_EQ(-EINVAL, SYS(shutdown(self->fd[0], -1)));
	EXPECT_EQ(-EINVAL, SYS(shutdown(self->fd[0], 1 << 30)));
	expect_flows(_metadata, self->fd[0], self->fd[1]);
	expect_flows(_metadata, self->fd[1], self->fd[0]);
}

TEST_F(shutdown, peer_closed)
{
	int how;

	ASSERT_EQ(0, SYS(close(self->fd[1])));
	self->fd[1] = -1;
	expect_epipe(_metadata, self->fd[0], self->sigpipe);
	for (how = SHUT_RD; how <= SHUT_RDWR; how++)
		EXPECT_EQ(0, SYS(shutdown(self->fd[0], how)));
	EXPECT_EQ(0, SYS(recv(self->fd[0], buf, sizeof(buf), 0)));
}

/* The end comes after the last byte, however full the ring is. */
TEST_F(shutdown, drains)
{
	long n;

	n = rt_fill(self->fd[0], 700);
	ASSERT_LT(0, n);
	ASSERT_EQ(0, SYS(shutdown(self->fd[0], SHUT_WR)));
	EXPECT_EQ(n, rt_drain(self->fd[1], 999));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
}

/* So it does after a close. */
TEST_F(shutdown, close_drains)
{
	long n;

	n = rt_fill(self->fd[0], 700);
	ASSERT_LT(0, n);
	ASSERT_EQ(0, SYS(close(self->fd[0])));
	self->fd[0] = -1;
	EXPECT_EQ(n, rt_drain(self->fd[1], 999));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
}

struct last_words {
	int fd;
	int total;
};

static long say_and_close(void *arg)
{
	struct last_words *w = arg;
	int err = 0, i;

	for (i = 0; i < w->total && !err; i++)
		err = rt_send_all(w->fd, &i, sizeof(i));
	if (!err)
		err = SYS(w->total & 1 ? shutdown(w->fd, SHUT_WR) :
					 close(w->fd));
	return err;
}

/* Racing a reader, the end never comes before the last bytes. */
TEST_F_TIMEOUT(shutdown, last_words, 60)
{
	int round;

	/* It looks at the queue first, then at the end: what comes between is lost. */
	if (variant->family == RT_UNIX && variant->type == SOCK_SEQPACKET)
		SKIP(return, "unix(7) may miss the last messages");
	for (round = 0; round < 200; round++) {
		struct last_words w = { .total = 1 + round % 7 };
		struct rt_thread t;
		int fd[2], i;

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		w.fd = fd[variant->accepted];
		ASSERT_EQ(0, rt_thread_start(&t, say_and_close, &w));
		for (i = 0;; i++) {
			int number = -1;
			long err = rt_recv_all(fd[!variant->accepted], &number,
					       sizeof(number));

			if (err == -ENODATA)
				break;
			ASSERT_EQ(0, err);
			ASSERT_EQ(i, number);
		}
		EXPECT_EQ(w.total, i);
		ASSERT_TRUE(rt_thread_join(&t));
		EXPECT_EQ(0, t.ret);
		if (w.total & 1)
			close(w.fd);
		close(fd[!variant->accepted]);
	}
}

struct talker {
	struct rt_thread thread;
	int fd;
	long total;
	atomic_bool began;
};

static long talk(void *arg)
{
	static const char words[5000];
	struct talker *w = arg;

	for (;;) {
		long n = SYS(send(w->fd, words, sizeof(words), MSG_NOSIGNAL));

		if (n < 0)
			return n;
		w->total += n;
		atomic_store(&w->began, true);
	}
}

static long hear(void *arg)
{
	struct talker *w = arg;
	static char ears[16384];

	for (;;) {
		long n = SYS(recv(w->fd, ears, sizeof(ears), 0));

		if (n <= 0)
			return n;
		w->total += n;
	}
}

/* Against a thread that sends: what it was told is sent comes, before the end. */
TEST_F_TIMEOUT(shutdown, nothing_follows, 60)
{
	int round;

	/* As in last_words. */
	if (variant->family == RT_UNIX && variant->type == SOCK_SEQPACKET)
		SKIP(return, "unix(7) may miss the last messages");
	for (round = 0; round < 300; round++) {
		struct talker from = { }, to = { };
		int fd[2];

		ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
		from.fd = fd[variant->accepted];
		to.fd = fd[!variant->accepted];
		ASSERT_EQ(0, rt_thread_start(&from.thread, talk, &from));
		ASSERT_EQ(0, rt_thread_start(&to.thread, hear, &to));
		ASSERT_TRUE(RT_UNTIL(atomic_load(&from.began)));
		ASSERT_EQ(0, SYS(shutdown(from.fd, SHUT_WR)));
		ASSERT_TRUE(rt_thread_join(&to.thread));
		EXPECT_EQ(0, to.thread.ret);
		ASSERT_TRUE(rt_thread_join(&from.thread));
		EXPECT_EQ(-EPIPE, from.thread.ret);
		ASSERT_EQ(0, SYS(recv(to.fd, buf, sizeof(buf), MSG_DONTWAIT))) {
			TH_LOG("in round %d", round);
		}
		ASSERT_EQ(from.total, to.total);
		close(fd[0]);
		close(fd[1]);
	}
}

/* A send of 100 bytes that hangs in the page it sends from. */
struct hang {
	struct rt_call send;
	int uffd;
};

/* 0, or a negative errno where there can be none. */
static int hang_make(struct hang *h, int fd)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *map = mmap(NULL, page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return -errno;
	*h = (struct hang){
		.send = {
			.nr = SYS_sendto, .fd = fd, .buf = map, .len = 100,
			.flags = MSG_NOSIGNAL,
		},
		.uffd = rt_uffd(map, page),
	};
	if (h->uffd >= 0)
		return 0;
	munmap(map, page);
	return h->uffd;
}

static int hang_begin(struct hang *h)
{
	return rt_call_start(&h->send) ?: rt_uffd_hangs(h->uffd) ? 0 : -ETIMEDOUT;
}

/* The page comes: what the send says, or a negative errno. */
static long hang_end(struct hang *h)
{
	size_t page = sysconf(_SC_PAGESIZE);
	long ret = rt_uffd_fill(h->uffd, h->send.buf, page) ?: rt_call_end(&h->send);

	close(h->uffd);
	munmap(h->send.buf, page);
	return ret;
}

/*
 * The same for a send that hangs: a stream of Rill's waits for it, as tcp(7); where
 * a message is made first, and in AF_UNIX, it finds the end, and sends nothing.
 */
TEST_F(shutdown, a_hanging_send)
{
	bool waits = variant->family == RT_RILL && variant->type == SOCK_STREAM;
	struct rt_call end = {
		.nr = SYS_shutdown, .fd = self->fd[0], .flags = SHUT_WR,
	};
	struct hang h;
	int err = hang_make(&h, self->fd[0]);

	if (err)
		SKIP(return, "no userfaultfd here (%d)", err);
	ASSERT_EQ(0, hang_begin(&h));
	ASSERT_EQ(0, rt_call_start(&end));
	EXPECT_EQ(0, waits ? !rt_call_sleeps(&end) : rt_call_end(&end));
	EXPECT_EQ(waits ? -EAGAIN : 0,
		  SYS(recv(self->fd[1], buf, sizeof(buf), MSG_DONTWAIT)));
	EXPECT_EQ(waits ? 0 : POLLIN | POLLRDHUP,
		  rt_events(self->fd[1], POLLIN | POLLRDHUP));
	EXPECT_EQ(waits ? 100 : -EPIPE, hang_end(&h));
	if (waits) {
		EXPECT_EQ(0, rt_call_end(&end));
		EXPECT_EQ(100, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	}
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(-EPIPE, SYS(send(self->fd[0], buf, 1, MSG_NOSIGNAL)));
}

/*
 * Meanwhile a signal changes nothing, and of SHUT_RDWR all that does not concern
 * the send is there: who would have to end the hang may be who sleeps.
 */
TEST_F(shutdown, a_hanging_send_and_others)
{
	struct rt_call r = {
		.nr = SYS_recvfrom, .fd = self->fd[0], .buf = buf, .len = 1,
	};
	struct rt_call end = {
		.nr = SYS_shutdown, .fd = self->fd[0], .flags = SHUT_RDWR,
	};
	struct hang h;
	int err;

	if (variant->family != RT_RILL || variant->type != SOCK_STREAM)
		SKIP(return, "shutdown() does not wait there");
	err = hang_make(&h, self->fd[0]);
	if (err)
		SKIP(return, "no userfaultfd here (%d)", err);
	ASSERT_EQ(0, rt_catch(SIGUSR1, SA_RESTART));
	ASSERT_EQ(0, hang_begin(&h));
	ASSERT_EQ(0, rt_call_start(&r));
	ASSERT_TRUE(rt_call_sleeps(&r));
	ASSERT_EQ(0, rt_call_start(&end));
	EXPECT_EQ(0, rt_call_end(&r));
	ASSERT_TRUE(rt_call_sleeps(&end));
	EXPECT_EQ(-EPIPE, SYS(send(self->fd[1], buf, 1, MSG_NOSIGNAL)));
	ASSERT_EQ(0, pthread_kill(end.t.thread, SIGUSR1));
	EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], buf, sizeof(buf), MSG_DONTWAIT)));
	EXPECT_TRUE(rt_call_sleeps(&end));
	EXPECT_EQ(100, hang_end(&h));
	EXPECT_EQ(0, rt_call_end(&end));
	EXPECT_EQ(100, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
}

/* Whoever waits for it can be killed; the end comes first then. */
TEST_F(shutdown, a_hanging_send_and_kill)
{
	struct hang h;
	int err, status;
	pid_t pid;

	if (variant->family != RT_RILL || variant->type != SOCK_STREAM)
		SKIP(return, "shutdown() does not wait there");
	err = hang_make(&h, self->fd[0]);
	if (err)
		SKIP(return, "no userfaultfd here (%d)", err);
	ASSERT_EQ(0, hang_begin(&h));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(shutdown(self->fd[0], SHUT_WR) ? 1 : 0);
	EXPECT_TRUE(rt_wait_sleeping(pid, SYS_shutdown));
	ASSERT_EQ(0, SYS(kill(pid, SIGKILL)));
	status = rt_wait_child(pid);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_EQ(0, SYS(recv(self->fd[1], buf, sizeof(buf), 0)));
	EXPECT_EQ(100, hang_end(&h));
	EXPECT_EQ(-EPIPE, SYS(send(self->fd[0], buf, 1, MSG_NOSIGNAL)));
}

/* The reader closes meanwhile: that does not wait, and the last one out purges. */
TEST_F(shutdown, a_hanging_send_and_close)
{
	struct rt_call end = {
		.nr = SYS_shutdown, .fd = self->fd[0], .flags = SHUT_WR,
	};
	struct hang h;
	int err;

	if (variant->family != RT_RILL || variant->type != SOCK_STREAM)
		SKIP(return, "shutdown() does not wait there");
	err = hang_make(&h, self->fd[0]);
	if (err)
		SKIP(return, "no userfaultfd here (%d)", err);
	ASSERT_EQ(0, hang_begin(&h));
	ASSERT_EQ(0, rt_call_start(&end));
	ASSERT_TRUE(rt_call_sleeps(&end));
	ASSERT_EQ(0, SYS(close(self->fd[1])));
	self->fd[1] = -1;
	EXPECT_EQ(100, hang_end(&h));
	EXPECT_EQ(0, rt_call_end(&end));
	EXPECT_EQ(ECONNRESET, rt_get_int(self->fd[0], SOL_SOCKET, SO_ERROR));
}

/* SIGPIPE's default action, and that MSG_NOSIGNAL spares it. */
TEST_F(shutdown, sigpipe_kills)
{
	int status;
	pid_t pid;

	if (!self->sigpipe)
		SKIP(return, "AF_UNIX sends no SIGPIPE for messages");
	ASSERT_EQ(0, SYS(shutdown(self->fd[1], SHUT_RD)));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		signal(SIGPIPE, SIG_DFL);
		send(self->fd[0], "x", 1, MSG_NOSIGNAL);
		send(self->fd[0], "x", 1, 0);
		_exit(0);
	}
	status = rt_wait_child(pid);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

/* ---- not connected ------------------------------------------------------------- */

FIXTURE(alone)
{
	int fd;
};

FIXTURE_VARIANT(alone)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(alone, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(alone, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(alone, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(alone, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(alone)
{
	self->fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(alone)
{
	close(self->fd);
}

/* POSIX and TCP say ENOTCONN where AF_UNIX says nothing. */
TEST_F(alone, unconnected)
{
	int want = variant->family == RT_RILL ? -ENOTCONN : 0, how;
	struct rt_addr a = rt_new_addr(variant->family);

	for (how = SHUT_RD; how <= SHUT_RDWR; how++)
		EXPECT_EQ(want, SYS(shutdown(self->fd, how)));
	EXPECT_EQ(-EINVAL, SYS(shutdown(self->fd, 3)));
	ASSERT_EQ(0, rt_bind(self->fd, &a));
	EXPECT_EQ(want, SYS(shutdown(self->fd, SHUT_RDWR)));
}

/* Having been refused is not having been connected. */
TEST_F(alone, failed_changes_nothing)
{
	struct rt_addr a = { .len = 0 };
	int lfd;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX remembers the shutdown()");
	EXPECT_EQ(-ENOTCONN, SYS(shutdown(self->fd, SHUT_RDWR)));
	lfd = rt_listener(variant->family, variant->type, 1, &a);
	ASSERT_LE(0, lfd);
	ASSERT_EQ(0, rt_connect(self->fd, &a));
	EXPECT_EQ(1, SYS(send(self->fd, "x", 1, 0)));
	close(lfd);
}

/* ---- datagrams ---------------------------------------------------------------- */

FIXTURE(dgram)
{
	struct rt_addr addr;
	int rx, tx;
};

FIXTURE_VARIANT(dgram)
{
	enum rt_family family;
};

FIXTURE_VARIANT_ADD(dgram, rill)
{
	.family = RT_RILL,
};

FIXTURE_VARIANT_ADD(dgram, unix)
{
	.family = RT_UNIX,
};

FIXTURE_SETUP(dgram)
{
	struct sigaction sa = { .sa_handler = count_sigpipe };

	ASSERT_EQ(0, SYS(sigaction(SIGPIPE, &sa, NULL)));
	self->rx = rt_bound(variant->family, SOCK_DGRAM, &self->addr);
	ASSERT_LE(0, self->rx);
	self->tx = rt_client(variant->family, SOCK_DGRAM, &self->addr);
	ASSERT_LE(0, self->tx);
}

FIXTURE_TEARDOWN(dgram)
{
	close(self->rx);
	close(self->tx);
}

TEST_F(dgram, wr)
{
	ASSERT_EQ(0, SYS(shutdown(self->tx, SHUT_WR)));
	EXPECT_EQ(-EPIPE, SYS(send(self->tx, "x", 1, 0)));
	EXPECT_EQ(-EPIPE, SYS(sendto(self->tx, "x", 1, 0, &self->addr.sa,
				     self->addr.len)));
	/* Datagrams never raise SIGPIPE. */
	EXPECT_EQ(0, atomic_load(&sigpipes));
}

TEST_F(dgram, rd)
{
	ASSERT_EQ(1, SYS(send(self->tx, "a", 1, 0)));
	ASSERT_EQ(0, SYS(shutdown(self->rx, SHUT_RD)));
	EXPECT_EQ(-EPIPE, SYS(send(self->tx, "b", 1, 0)));
	EXPECT_EQ(-EPIPE, SYS(sendto(self->tx, "b", 1, 0, &self->addr.sa,
				     self->addr.len)));
	EXPECT_EQ(0, atomic_load(&sigpipes));
	/* What came before is there; then there is nothing to wait for. */
	EXPECT_EQ(1, SYS(recv(self->rx, buf, sizeof(buf), 0)));
	EXPECT_EQ('a', buf[0]);
	EXPECT_EQ(0, SYS(recv(self->rx, buf, sizeof(buf), 0)));
}

TEST_F(dgram, unconnected)
{
	int fd = rt_socket(variant->family, SOCK_DGRAM), how;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, SYS(shutdown(fd, 3)));
	for (how = SHUT_RD; how <= SHUT_RDWR; how++)
		EXPECT_EQ(0, SYS(shutdown(fd, how)));
	EXPECT_EQ(-EPIPE, SYS(sendto(fd, "x", 1, 0, &self->addr.sa,
				     self->addr.len)));
	close(fd);
}

TEST_HARNESS_MAIN
