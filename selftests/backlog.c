// SPDX-License-Identifier: GPL-2.0-only
/*
 * The accept queue and the waiting line behind it: their sizes, who gets in,
 * and what becomes of everybody when the listener goes.
 */
#include "rill_test.h"

#include <sys/resource.h>

#define SOMAXCONN_PATH		"/proc/sys/net/core/somaxconn"
#define MAX_WAITING_PATH	"/proc/sys/net/rill/max_waiting"

/* A full queue: EAGAIN from AF_UNIX, which has no line; Rill's can be waited for. */
static int full_errno(enum rt_family family)
{
	return family == RT_RILL ? -EINPROGRESS : -EAGAIN;
}

/*
 * Connects until the queue is full, at most max clients: how many got in, or a
 * negative errno.  The one that did not is closed.
 */
static int fill_queue(enum rt_family family, int type, const struct rt_addr *a,
		      int *fds, int max)
{
	int n;

	for (n = 0; n < max; n++) {
		int err;

		fds[n] = rt_socket(family, type | SOCK_NONBLOCK);
		if (fds[n] < 0)
			return fds[n];
		err = rt_connect(fds[n], a);
		if (err == full_errno(family)) {
			close(fds[n]);
			break;
		}
		if (err)
			return err;
	}
	return n;
}

/* Accepts one connection and drops it. */
static int accept_one(int lfd)
{
	int fd = rt_accept(lfd, 0);

	return fd < 0 ? fd : SYS(close(fd));
}

static void close_all(int *fds, int n)
{
	while (n--)
		close(fds[n]);
}

static int raise_nofile(rlim_t n)
{
	struct rlimit r = { .rlim_cur = n, .rlim_max = n };

	return SYS(setrlimit(RLIMIT_NOFILE, &r));
}

/* ---- what AF_UNIX promises too -------------------------------------------- */

FIXTURE(size)
{
	struct rt_addr addr;
	int lfd;
};

FIXTURE_VARIANT(size)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(size, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(size, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(size, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(size, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(size)
{
	self->lfd = rt_listener(variant->family, variant->type, 0, &self->addr);
	ASSERT_LE(0, self->lfd);
}

FIXTURE_TEARDOWN(size)
{
	close(self->lfd);
}

/* The backlog plus one, as for TCP. */
TEST_F(size, capacity)
{
	static const int backlogs[] = { 0, 1, 2, 5, 30 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(backlogs); i++) {
		int fds[64], j, n;

		ASSERT_EQ(0, SYS(listen(self->lfd, backlogs[i])));
		n = fill_queue(variant->family, variant->type, &self->addr, fds,
			       ARRAY_SIZE(fds));
		EXPECT_EQ(backlogs[i] + 1, n);
		for (j = 0; j < n; j++)
			ASSERT_EQ(0, accept_one(self->lfd));
		EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
		close_all(fds, n);
	}
}

/* Every accept() frees one seat, whatever the connections do meanwhile. */
TEST_F(size, accept_frees_a_seat)
{
	int fds[8], i;

	ASSERT_EQ(0, SYS(listen(self->lfd, 1)));
	ASSERT_EQ(2, fill_queue(variant->family, variant->type, &self->addr,
				fds, 8));
	for (i = 0; i < 100; i++) {
		int more[2];

		/* A client that closes keeps its seat until it is accepted. */
		close(fds[0]);
		ASSERT_EQ(0, fill_queue(variant->family, variant->type,
					&self->addr, more, 2));
		ASSERT_EQ(0, accept_one(self->lfd));
		fds[0] = fds[1];
		ASSERT_EQ(1, fill_queue(variant->family, variant->type,
					&self->addr, &fds[1], 2));
	}
	close_all(fds, 2);
}

TEST_F(size, raised)
{
	int fds[16], n;

	n = fill_queue(variant->family, variant->type, &self->addr, fds, 16);
	ASSERT_EQ(1, n);
	ASSERT_EQ(0, SYS(listen(self->lfd, 3)));
	EXPECT_EQ(3, fill_queue(variant->family, variant->type, &self->addr,
				fds + n, 16 - n));
	close_all(fds, 4);
}

/* Nobody who is in is thrown out; nobody new gets in before there is room. */
TEST_F(size, lowered)
{
	int fds[16], i, more[4];

	ASSERT_EQ(0, SYS(listen(self->lfd, 4)));
	ASSERT_EQ(5, fill_queue(variant->family, variant->type, &self->addr,
				fds, 16));
	ASSERT_EQ(0, SYS(listen(self->lfd, 1)));
	for (i = 5; i > 1; i--) {
		EXPECT_EQ(0, fill_queue(variant->family, variant->type,
					&self->addr, more, 4));
		ASSERT_EQ(0, accept_one(self->lfd));
	}
	EXPECT_EQ(1, fill_queue(variant->family, variant->type, &self->addr,
				more, 4));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, accept_one(self->lfd));
	EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
	close(more[0]);
	close_all(fds, 5);
}

/* somaxconn belongs to the network namespace: ours, so nothing to restore. */
TEST_F(size, somaxconn)
{
	struct rt_addr a = { .len = 0 };
	int fds[16], lfd, n;

	if (SYS(unshare(CLONE_NEWNET)) == -EPERM)
		SKIP(return, "a namespace of its own needs root");
	ASSERT_EQ(0, rt_write_file(SOMAXCONN_PATH, "3"));
	lfd = rt_listener(variant->family, variant->type, 1000, &a);
	ASSERT_LE(0, lfd);
	n = fill_queue(variant->family, variant->type, &a, fds, 16);
	EXPECT_EQ(4, n);
	/* The limit is read by listen(), not later. */
	ASSERT_EQ(0, rt_write_file(SOMAXCONN_PATH, "5"));
	EXPECT_EQ(0, fill_queue(variant->family, variant->type, &a, fds + n, 4));
	/* A negative backlog means as much as there may be. */
	ASSERT_EQ(0, SYS(listen(lfd, -1)));
	n += fill_queue(variant->family, variant->type, &a, fds + n, 16 - n);
	EXPECT_EQ(6, n);
	close_all(fds, n);
	close(lfd);
}

/* Blocking, AF_UNIX has a kind of line as well. */
TEST_F(size, blocking_connect_waits)
{
	struct rt_call c = { .nr = SYS_connect, .addr = &self->addr };
	int filler;

	filler = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, filler);
	c.fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, c.fd);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, accept_one(self->lfd));
	EXPECT_EQ(0, rt_call_end(&c));
	close(c.fd);
	close(filler);
}

TEST_F(size, poll_listener)
{
	struct rt_call p = { .nr = SYS_ppoll, .fd = self->lfd, .events = POLLIN };
	int fd;

	EXPECT_EQ(0, rt_events(self->lfd, POLLIN | POLLOUT | POLLRDHUP));
	ASSERT_EQ(0, rt_call_start(&p));
	ASSERT_TRUE(rt_call_sleeps(&p));
	fd = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, fd);
	EXPECT_EQ(POLLIN, rt_call_end(&p));
	EXPECT_EQ(POLLIN, rt_events(self->lfd, POLLIN));
	ASSERT_EQ(0, accept_one(self->lfd));
	EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
	close(fd);
}

/* Queued connections die with the listener; nothing hangs, nothing is lost. */
TEST_F(size, close_resets_the_queued)
{
	int fds[8], i;
	char b;

	ASSERT_EQ(0, SYS(listen(self->lfd, 4)));
	ASSERT_EQ(5, fill_queue(variant->family, variant->type, &self->addr,
				fds, 8));
	ASSERT_EQ(1, SYS(send(fds[0], "x", 1, 0)));
	ASSERT_EQ(0, SYS(close(self->lfd)));
	for (i = 0; i < 5; i++) {
		int ev = rt_poll(fds[i], POLLIN | POLLRDHUP);

		EXPECT_EQ(POLLIN | POLLRDHUP | POLLHUP | POLLERR, ev);
		EXPECT_EQ(-ECONNRESET, SYS(recv(fds[i], &b, 1, 0)));
		EXPECT_EQ(0, SYS(recv(fds[i], &b, 1, 0)));
		EXPECT_EQ(-EPIPE, SYS(send(fds[i], "y", 1, MSG_NOSIGNAL)));
		close(fds[i]);
	}
	self->lfd = -1;
}

/* ---- the waiting line -------------------------------------------------------- */

FIXTURE(line)
{
	struct rt_addr addr;
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

/* In a namespace of its own, so that the counters are exact: needs root. */
FIXTURE_SETUP(line)
{
	ASSERT_EQ(0, SYS(unshare(CLONE_NEWNET)));
	ASSERT_EQ(0, raise_nofile(4096));
	self->lfd = rt_listener(RT_RILL, variant->type, 1, &self->addr);
	ASSERT_LE(0, self->lfd);
}

FIXTURE_TEARDOWN(line)
{
	close(self->lfd);
}

static void expect_queue(struct __test_metadata *_metadata, int lfd,
			 unsigned int len, unsigned int max, unsigned int waiting)
{
	struct rill_queue q;
	struct rt_proc p;

	ASSERT_EQ(0, rt_queue(lfd, &q));
	EXPECT_EQ(len, q.rq_len);
	EXPECT_EQ(max, q.rq_max);
	EXPECT_EQ(waiting, q.rq_waiting);
	EXPECT_EQ(waiting, rt_counter("waiting"));
	ASSERT_TRUE(rt_proc_find(rt_inode(lfd), &p));
	EXPECT_STREQ("LISTEN", p.state);
	EXPECT_EQ(len, p.recvq);
	EXPECT_EQ(max, p.sendq);
}

TEST_F(line, figures)
{
	struct rill_queue q;
	int fds[5], i;

	expect_queue(_metadata, self->lfd, 0, 2, 0);
	for (i = 0; i < 2; i++) {
		fds[i] = rt_client(RT_RILL, variant->type, &self->addr);
		ASSERT_LE(0, fds[i]);
		expect_queue(_metadata, self->lfd, i + 1, 2, 0);
	}
	for (; i < 5; i++) {
		fds[i] = rt_in_line(variant->type, &self->addr);
		ASSERT_LE(0, fds[i]);
		expect_queue(_metadata, self->lfd, 2, 2, i - 1);
	}
	ASSERT_EQ(0, accept_one(self->lfd));
	expect_queue(_metadata, self->lfd, 2, 2, 2);
	ASSERT_EQ(0, SYS(listen(self->lfd, 2)));
	expect_queue(_metadata, self->lfd, 3, 3, 1);
	ASSERT_EQ(0, SYS(listen(self->lfd, 0)));
	expect_queue(_metadata, self->lfd, 3, 1, 1);
	for (i = 2; i >= 1; i--) {
		ASSERT_EQ(0, accept_one(self->lfd));
		expect_queue(_metadata, self->lfd, i, 1, 1);
	}
	ASSERT_EQ(0, accept_one(self->lfd));
	expect_queue(_metadata, self->lfd, 1, 1, 0);
	ASSERT_EQ(0, accept_one(self->lfd));
	expect_queue(_metadata, self->lfd, 0, 1, 0);
	ASSERT_EQ(0, rt_queue(self->lfd, &q));
	EXPECT_EQ(4096, q.rq_waiting_max);
	close_all(fds, 5);
}

#define THOUSAND	1000

TEST_F(line, sleepers_see_a_raise)
{
	struct rt_call c[3] = { };
	int filler, i;

	ASSERT_EQ(0, SYS(listen(self->lfd, 0)));
	filler = rt_client(RT_RILL, variant->type, &self->addr);
	ASSERT_LE(0, filler);
	for (i = 0; i < 3; i++) {
		c[i].nr = SYS_connect;
		c[i].addr = &self->addr;
		c[i].fd = rt_socket(RT_RILL, variant->type);
		ASSERT_LE(0, c[i].fd);
		ASSERT_EQ(0, rt_call_start(&c[i]));
		ASSERT_TRUE(rt_wait_line(self->lfd, i + 1));
	}
	ASSERT_EQ(0, SYS(listen(self->lfd, 2)));
	EXPECT_EQ(0, rt_call_end(&c[0]));
	EXPECT_EQ(0, rt_call_end(&c[1]));
	EXPECT_TRUE(rt_call_sleeps(&c[2]));
	ASSERT_EQ(0, SYS(listen(self->lfd, 3)));
	EXPECT_EQ(0, rt_call_end(&c[2]));
	for (i = 0; i < 3; i++)
		close(c[i].fd);
	close(filler);
}

static long serve_thousand(void *arg)
{
	int lfd = *(int *)arg;
	int i;

	for (i = 0; i < THOUSAND; i++) {
		int number = -1, fd, err;

		fd = rt_accept(lfd, 0);
		if (fd < 0)
			return fd;
		err = rt_recv_all(fd, &number, sizeof(number));
		if (err)
			return err;
		if (number != i)
			return -EBADMSG;
		close(fd);
	}
	return 0;
}

/* A thousand connectors, a backlog of 1: each gets in, in its turn. */
TEST_F_TIMEOUT(line, thousand, 120)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLONESHOT };
	static int fds[THOUSAND];
	struct rt_thread server;
	int done = 0, ep, i;

	ep = SYS(epoll_create1(EPOLL_CLOEXEC));
	ASSERT_LE(0, ep);
	for (i = 0; i < THOUSAND; i++) {
		int want = i < 2 ? 0 : -EINPROGRESS;

		fds[i] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(want, rt_connect(fds[i], &self->addr));
		ev.data.u32 = i;
		ASSERT_EQ(0, SYS(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev)));
	}
	expect_queue(_metadata, self->lfd, 2, 2, THOUSAND - 2);
	ASSERT_EQ(0, rt_thread_start(&server, serve_thousand, &self->lfd));
	while (done < THOUSAND) {
		struct epoll_event evs[16];
		int n = SYS(epoll_wait(ep, evs, 16, RT_WAIT_MS));

		ASSERT_LT(0, n);
		for (i = 0; i < n; i++) {
			int number = evs[i].data.u32;

			EXPECT_EQ(EPOLLOUT, evs[i].events);
			ASSERT_EQ(sizeof(number), SYS(send(fds[number], &number,
							   sizeof(number), 0)));
			done++;
		}
	}
	ASSERT_TRUE(rt_thread_join(&server));
	EXPECT_EQ(0, server.ret);
	expect_queue(_metadata, self->lfd, 0, 2, 0);
	EXPECT_EQ(THOUSAND, rt_counter("accept_ok"));
	close_all(fds, THOUSAND);
	close(ep);
}

/* The same with everybody asleep in a blocking connect(). */
TEST_F_TIMEOUT(line, hundred_sleepers, 120)
{
	static struct rt_call c[100];
	int i;

	for (i = 0; i < 100; i++) {
		c[i].nr = SYS_connect;
		c[i].addr = &self->addr;
		c[i].fd = rt_socket(RT_RILL, variant->type);
		ASSERT_LE(0, c[i].fd);
		ASSERT_EQ(0, rt_call_start(&c[i]));
		if (i >= 2)
			ASSERT_TRUE(rt_wait_line(self->lfd, i - 1));
	}
	for (i = 0; i < 100; i++) {
		struct rill_queue q;

		ASSERT_EQ(0, accept_one(self->lfd));
		ASSERT_EQ(0, rt_queue(self->lfd, &q));
		EXPECT_EQ(i < 98 ? 97 - i : 0, (int)q.rq_waiting);
		/* Who joined i-th is served i-th. */
		EXPECT_EQ(0, rt_call_end(&c[i]));
		if (i + 3 < 100)
			EXPECT_FALSE(rt_thread_done(&c[i + 3].t));
	}
	for (i = 0; i < 100; i++)
		close(c[i].fd);
}

/* A later listen() lets in as many as it makes room for, in order, at once. */
TEST_F_TIMEOUT(line, raise_admits_hundreds, 120)
{
	static int fds[500];
	int i;

	ASSERT_EQ(0, rt_write_file(SOMAXCONN_PATH, "4096"));
	for (i = 0; i < 500; i++) {
		fds[i] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(i < 2 ? 0 : -EINPROGRESS,
			  rt_connect(fds[i], &self->addr));
	}
	ASSERT_EQ(0, SYS(listen(self->lfd, 299)));
	expect_queue(_metadata, self->lfd, 300, 300, 200);
	for (i = 0; i < 500; i++)
		EXPECT_EQ(i < 300 ? POLLOUT : 0, rt_events(fds[i], POLLOUT));
	ASSERT_EQ(0, SYS(listen(self->lfd, 4096)));
	expect_queue(_metadata, self->lfd, 500, 4097, 0);
	for (i = 0; i < 500; i++) {
		EXPECT_EQ(POLLOUT, rt_events(fds[i], POLLOUT));
		ASSERT_EQ(0, accept_one(self->lfd));
	}
	expect_queue(_metadata, self->lfd, 0, 4097, 0);
	close_all(fds, 500);
}

static void expect_thousand_refused(struct __test_metadata *_metadata,
				    const int *fds, int queued)
{
	char b;
	int i;

	for (i = 0; i < THOUSAND; i++) {
		if (i < queued) {
			EXPECT_EQ(POLLIN | POLLRDHUP | POLLHUP | POLLERR,
				  rt_poll(fds[i], POLLIN | POLLRDHUP));
			EXPECT_EQ(-ECONNRESET, SYS(recv(fds[i], &b, 1, 0)));
			EXPECT_EQ(0, SYS(recv(fds[i], &b, 1, 0)));
		} else {
			EXPECT_EQ(POLLOUT | POLLHUP | POLLERR,
				  rt_poll(fds[i], POLLIN | POLLOUT));
			EXPECT_EQ(ECONNREFUSED, rt_so_error(fds[i]));
		}
	}
	EXPECT_EQ(0, rt_counter("waiting"));
}

static int join_thousand(int type, const struct rt_addr *a, int *fds, int queued)
{
	int err, i;

	for (i = 0; i < THOUSAND; i++) {
		fds[i] = rt_socket(RT_RILL, type | SOCK_NONBLOCK);
		if (fds[i] < 0)
			return fds[i];
		err = rt_connect(fds[i], a);
		if (err != (i < queued ? 0 : -EINPROGRESS))
			return err ? err : -EISCONN;
	}
	return 0;
}

TEST_F_TIMEOUT(line, close_under_thousand, 120)
{
	static int fds[THOUSAND];

	ASSERT_EQ(0, SYS(listen(self->lfd, 9)));
	ASSERT_EQ(0, join_thousand(variant->type, &self->addr, fds, 10));
	/* Data that nobody will accept changes nothing. */
	ASSERT_EQ(1, SYS(send(fds[3], "x", 1, 0)));
	ASSERT_EQ(0, SYS(close(self->lfd)));
	expect_thousand_refused(_metadata, fds, 10);
	close_all(fds, THOUSAND);
	self->lfd = -1;
	EXPECT_TRUE(RT_UNTIL(!rt_counter("sockets")));
	EXPECT_EQ(0, rt_counter("names"));
}

TEST_F_TIMEOUT(line, shutdown_under_thousand, 120)
{
	static int fds[THOUSAND];

	ASSERT_EQ(0, SYS(listen(self->lfd, 9)));
	ASSERT_EQ(0, join_thousand(variant->type, &self->addr, fds, 10));
	ASSERT_EQ(0, SYS(shutdown(self->lfd, SHUT_RDWR)));
	expect_thousand_refused(_metadata, fds, 10);
	EXPECT_EQ(-EINVAL, SYS(accept(self->lfd, NULL, NULL)));
	close_all(fds, THOUSAND);
}

/* The connectors go, all at once, under a listener that stays. */
TEST_F_TIMEOUT(line, thousand_killed, 120)
{
	int ready[2], status;
	pid_t pid;
	char b;

	ASSERT_EQ(0, SYS(pipe(ready)));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		static int fds[THOUSAND];

		if (join_thousand(variant->type, &self->addr, fds, 2))
			_exit(1);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ASSERT_EQ(1, SYS(read(ready[0], &b, 1)));
	expect_queue(_metadata, self->lfd, 2, 2, THOUSAND - 2);
	ASSERT_EQ(0, SYS(kill(pid, SIGKILL)));
	status = rt_wait_child(pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_TRUE(rt_wait_line(self->lfd, 0));
	/* Those that were connected are still to be accepted, dead as they are. */
	expect_queue(_metadata, self->lfd, 2, 2, 0);
	ASSERT_EQ(0, accept_one(self->lfd));
	ASSERT_EQ(0, accept_one(self->lfd));
	EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
	close(ready[0]);
}

TEST_F(line, max_waiting)
{
	int a, b, c, fd, fillers[2];
	struct rill_queue q;

	ASSERT_EQ(0, rt_write_file(MAX_WAITING_PATH, "2"));
	ASSERT_EQ(0, rt_queue(self->lfd, &q));
	EXPECT_EQ(2, q.rq_waiting_max);
	fillers[0] = rt_client(RT_RILL, variant->type, &self->addr);
	fillers[1] = rt_client(RT_RILL, variant->type, &self->addr);
	ASSERT_LE(0, fillers[0]);
	ASSERT_LE(0, fillers[1]);
	a = rt_in_line(variant->type, &self->addr);
	b = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_EQ(0, rt_counter("connect_overflow"));
	EXPECT_EQ(-ECONNREFUSED, rt_in_line(variant->type, &self->addr));
	EXPECT_EQ(1, rt_counter("connect_overflow"));
	/* A blocking connect() is refused as well, at once. */
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &self->addr));
	EXPECT_EQ(2, rt_counter("connect_overflow"));
	EXPECT_EQ(0, rt_so_error(fd));

	/* A place that somebody leaves is a place. */
	ASSERT_EQ(0, rt_disconnect(a));
	c = rt_in_line(variant->type, &self->addr);
	ASSERT_LE(0, c);
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &self->addr));

	/* Less than there are: nobody is thrown out. */
	ASSERT_EQ(0, rt_write_file(MAX_WAITING_PATH, "0"));
	expect_queue(_metadata, self->lfd, 2, 2, 2);
	ASSERT_EQ(0, accept_one(self->lfd));
	EXPECT_EQ(POLLOUT, rt_poll(b, POLLOUT));
	EXPECT_EQ(0, rt_events(c, POLLOUT));
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &self->addr));
	ASSERT_EQ(0, accept_one(self->lfd));
	EXPECT_EQ(POLLOUT, rt_poll(c, POLLOUT));

	/* No line at all: room or refusal. */
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &self->addr));
	ASSERT_EQ(0, accept_one(self->lfd));
	EXPECT_EQ(0, rt_connect(fd, &self->addr));
	close(fd);
	close(a);
	close(b);
	close(c);
	close_all(fillers, 2);
}

TEST_F(line, max_waiting_values)
{
	char buf[32];

	EXPECT_EQ(-EINVAL, rt_write_file(MAX_WAITING_PATH, "-1"));
	EXPECT_EQ(-EINVAL, rt_write_file(MAX_WAITING_PATH, "2147483648"));
	EXPECT_EQ(-EINVAL, rt_write_file(MAX_WAITING_PATH, "many"));
	ASSERT_LT(0, rt_read_file(MAX_WAITING_PATH, buf, sizeof(buf)));
	EXPECT_STREQ("4096\n", buf);
	EXPECT_EQ(0, rt_write_file(MAX_WAITING_PATH, "2147483647"));
	/* Another namespace has its own. */
	ASSERT_EQ(0, SYS(unshare(CLONE_NEWNET)));
	ASSERT_LT(0, rt_read_file(MAX_WAITING_PATH, buf, sizeof(buf)));
	EXPECT_STREQ("4096\n", buf);
}

/* Who leaves from the middle leaves the others in their order. */
TEST_F(line, leavers_in_the_middle)
{
	int fds[40], i;

	for (i = 0; i < 40; i++) {
		fds[i] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(i < 2 ? 0 : -EINPROGRESS,
			  rt_connect(fds[i], &self->addr));
	}
	for (i = 3; i < 40; i += 2)
		ASSERT_EQ(0, i % 4 == 1 ? rt_disconnect(fds[i]) :
					  SYS(close(fds[i])));
	expect_queue(_metadata, self->lfd, 2, 2, 19);
	for (i = 2; i < 40; i += 2) {
		EXPECT_EQ(0, rt_events(fds[i], POLLOUT));
		ASSERT_EQ(0, accept_one(self->lfd));
		EXPECT_EQ(POLLOUT, rt_poll(fds[i], POLLOUT));
	}
	expect_queue(_metadata, self->lfd, 2, 2, 0);
}

static atomic_int stop;

static long keep_leaving(void *arg)
{
	const struct rt_addr *a = arg;

	while (!atomic_load(&stop)) {
		int fd = rt_socket(RT_RILL, SOCK_STREAM | SOCK_NONBLOCK);
		int err = rt_connect(fd, a);

		if (err && err != -EINPROGRESS)
			return err;
		if (err && (fd & 1)) {
			err = rt_disconnect(fd);
			/* EINVAL: admitted in the meantime. */
			if (err && err != -EINVAL)
				return err;
		}
		close(fd);
	}
	return 0;
}

/* Joining and leaving while accept() admits: nobody is lost, the figures agree. */
TEST(leave_races_accept)
{
	struct rt_thread t[2];
	struct rt_addr a = { .len = 0 };
	struct rill_queue q;
	int i, lfd;

	lfd = rt_listener(RT_RILL, SOCK_STREAM, 1, &a);
	ASSERT_LE(0, lfd);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, rt_thread_start(&t[i], keep_leaving, &a));
	for (i = 0; i < 2000; i++)
		ASSERT_EQ(0, accept_one(lfd));
	atomic_store(&stop, 1);
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_EQ(0, t[i].ret);
	}
	ASSERT_EQ(0, rt_queue(lfd, &q));
	EXPECT_EQ(0, q.rq_waiting);
	EXPECT_GE(2, q.rq_len);
	while (q.rq_len--)
		ASSERT_EQ(0, accept_one(lfd));
	EXPECT_EQ(0, rt_events(lfd, POLLIN));
	close(lfd);
}

TEST_HARNESS_MAIN
