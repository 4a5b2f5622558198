// SPDX-License-Identifier: GPL-2.0-only
/*
 * accept(): who is woken, what the new end is like, and how it races with
 * everything else that happens to a listener.
 */
#include "rill_test.h"

#include <sys/resource.h>

FIXTURE(accept)
{
	struct rt_addr addr;
	int lfd;
};

FIXTURE_VARIANT(accept)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(accept, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(accept, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(accept, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(accept, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(accept)
{
	self->lfd = rt_listener(variant->family, variant->type, 8, &self->addr);
	ASSERT_LE(0, self->lfd);
}

FIXTURE_TEARDOWN(accept)
{
	close(self->lfd);
}

/* How often a thread has gone to sleep: it tells whether it was woken. */
static long switches(pid_t tid)
{
	char path[64], buf[4096], *p;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	if (rt_read_file(path, buf, sizeof(buf)) <= 0)
		return -1;
	p = strstr(buf, "\nvoluntary_ctxt_switches:");
	return p ? atol(strchr(p, ':') + 1) : -1;
}

#define SLEEPERS	8

static int count_done(struct rt_call *c, bool *done, int n)
{
	int i, count = 0;

	for (i = 0; i < n; i++) {
		if (!done[i])
			done[i] = rt_thread_done(&c[i].t);
		count += done[i];
	}
	return count;
}

/* n connections wake n sleepers; the others do not so much as turn over. */
TEST_F(accept, one_sleeper_a_connection)
{
	struct rt_call c[SLEEPERS] = { };
	bool done[SLEEPERS] = { };
	long before[SLEEPERS];
	int client[3], i;

	for (i = 0; i < SLEEPERS; i++) {
		c[i].nr = SYS_accept;
		c[i].fd = self->lfd;
		ASSERT_EQ(0, rt_call_start(&c[i]));
	}
	for (i = 0; i < SLEEPERS; i++)
		ASSERT_TRUE(rt_call_sleeps(&c[i]));
	for (i = 0; i < SLEEPERS; i++)
		before[i] = switches(c[i].t.tid);
	for (i = 0; i < 3; i++) {
		client[i] = rt_client(variant->family, variant->type, &self->addr);
		ASSERT_LE(0, client[i]);
		ASSERT_TRUE(RT_UNTIL(count_done(c, done, SLEEPERS) == i + 1));
	}
	EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
	for (i = 0; i < SLEEPERS; i++) {
		if (done[i]) {
			EXPECT_LE(0, c[i].t.ret);
			close(c[i].t.ret);
			continue;
		}
		EXPECT_EQ(before[i], switches(c[i].t.tid));
		EXPECT_TRUE(rt_call_sleeps(&c[i]));
	}
	/* A listener that shuts down wakes everybody. */
	ASSERT_EQ(0, SYS(shutdown(self->lfd, SHUT_RDWR)));
	for (i = 0; i < SLEEPERS; i++) {
		if (!done[i])
			EXPECT_EQ(-EINVAL, rt_call_end(&c[i]));
	}
	for (i = 0; i < 3; i++)
		close(client[i]);
}

/* Connections that come at once wake a sleeper each. */
TEST_F(accept, burst_wakes_enough)
{
	int round;

	for (round = 0; round < 50; round++) {
		struct rt_call c[4] = { };
		int client[4], i;

		for (i = 0; i < 4; i++) {
			c[i].nr = SYS_accept;
			c[i].fd = self->lfd;
			ASSERT_EQ(0, rt_call_start(&c[i]));
		}
		for (i = 0; i < 4; i++) {
			client[i] = rt_client(variant->family, variant->type,
					      &self->addr);
			ASSERT_LE(0, client[i]);
		}
		for (i = 0; i < 4; i++) {
			long fd = rt_call_end(&c[i]);

			ASSERT_LE(0, fd);
			close(fd);
			close(client[i]);
		}
	}
}

struct gate {
	int lfd;
	atomic_int accepted;
};

static long keep_accepting(void *arg)
{
	struct gate *g = arg;

	for (;;) {
		int fd = SYS(accept(g->lfd, NULL, NULL));

		if (fd < 0)
			return fd;
		close(fd);
		atomic_fetch_add(&g->accepted, 1);
	}
}

/*
 * The second of two connections meets a sleeper that is just leaving with the
 * first: its wake-up must reach the other sleeper.  The pause between the two
 * is moved through that window.
 */
TEST_F_TIMEOUT(accept, two_in_a_row_wake_two, 60)
{
	struct gate g = { .lfd = self->lfd };
	struct rt_thread t[2];
	int i, round, spin;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, rt_thread_start(&t[i], keep_accepting, &g));
	for (round = 0; round < 3000; round++) {
		int fd[2];

		fd[0] = rt_client(variant->family, variant->type, &self->addr);
		for (spin = 0; spin < round % 300 * 20; spin++)
			atomic_signal_fence(memory_order_seq_cst);
		fd[1] = rt_client(variant->family, variant->type, &self->addr);
		ASSERT_LE(0, fd[0]);
		ASSERT_LE(0, fd[1]);
		if (atomic_load(&g.accepted) != 2 * round + 2)
			ASSERT_TRUE(RT_UNTIL(atomic_load(&g.accepted) ==
					     2 * round + 2));
		close(fd[0]);
		close(fd[1]);
	}
	ASSERT_EQ(0, SYS(shutdown(self->lfd, SHUT_RDWR)));
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_EQ(-EINVAL, t[i].ret);
	}
}

/*
 * A sleeper that a signal interrupts just as it is chosen for a connection
 * hands the wake-up on: the other sleeper gets the connection.
 */
TEST_F(accept, interrupted_sleeper_loses_nothing)
{
	int interrupted = 0, round;

	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	for (round = 0; round < 200; round++) {
		struct rt_call c[2] = { };
		long first, second;
		int client, extra;

		for (first = 0; first < 2; first++) {
			c[first].nr = SYS_accept;
			c[first].fd = self->lfd;
			ASSERT_EQ(0, rt_call_start(&c[first]));
			ASSERT_TRUE(rt_call_sleeps(&c[first]));
		}
		/* c[0] has slept longest, and is woken first. */
		if (round & 1)
			ASSERT_EQ(0, pthread_kill(c[0].t.thread, SIGUSR1));
		/* Once for certain; in the other rounds it is a race. */
		if (round == 1)
			EXPECT_EQ(-EINTR, rt_call_end(&c[0]));
		client = rt_client(variant->family, variant->type, &self->addr);
		ASSERT_LE(0, client);
		if (!(round & 1))
			pthread_kill(c[0].t.thread, SIGUSR1);
		extra = -1;
		first = rt_call_end(&c[0]);
		if (first == -EINTR) {
			interrupted++;
			second = rt_call_end(&c[1]);
			ASSERT_LE(0, second);
		} else {
			ASSERT_LE(0, first);
			close(first);
			extra = rt_client(variant->family, variant->type,
					  &self->addr);
			ASSERT_LE(0, extra);
			second = rt_call_end(&c[1]);
			ASSERT_LE(0, second);
		}
		EXPECT_EQ(0, rt_events(self->lfd, POLLIN));
		close(second);
		close(client);
		if (extra >= 0)
			close(extra);
	}
	EXPECT_LT(0, interrupted);
}

TEST_F(accept, nonblocking)
{
	ASSERT_EQ(0, rt_set_nonblock(self->lfd, true));
	EXPECT_EQ(-EAGAIN, SYS(accept(self->lfd, NULL, NULL)));
}

TEST_F(accept, timeout)
{
	struct rt_watch watch;

	ASSERT_EQ(0, rt_set_timeo(self->lfd, SO_RCVTIMEO, 100));
	watch = rt_watch_start();
	EXPECT_EQ(-EAGAIN, SYS(accept(self->lfd, NULL, NULL)));
	EXPECT_LE(100 - RT_TICK_MS, rt_watch_ms(&watch));
}

TEST_F(accept, signal)
{
	struct rt_call c = { .nr = SYS_accept, .fd = self->lfd };

	ASSERT_EQ(0, rt_catch(SIGUSR1, 0));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, rt_call_end(&c));
}

static atomic_int handled;

static void count_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

/* SA_RESTART goes on; with a time-out there is no restart, see signal(7). */
TEST_F(accept, signal_restart)
{
	struct sigaction sa = { .sa_handler = count_signal, .sa_flags = SA_RESTART };
	struct rt_call c = { .nr = SYS_accept, .fd = self->lfd };
	int client;

	ASSERT_EQ(0, SYS(sigaction(SIGUSR1, &sa, NULL)));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
	ASSERT_TRUE(RT_UNTIL(atomic_load(&handled) == 1));
	ASSERT_TRUE(rt_call_sleeps(&c));
	client = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, client);
	ASSERT_LE(0, rt_call_end(&c));
	close(c.t.ret);
	close(client);

	ASSERT_EQ(0, rt_set_timeo(self->lfd, SO_RCVTIMEO, RT_WAIT_MS));
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_EQ(0, pthread_kill(c.t.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, rt_call_end(&c));
}

TEST_F(accept, after_shutdown)
{
	struct rt_call c = { .nr = SYS_accept, .fd = self->lfd };
	struct rt_call p = { .nr = SYS_ppoll, .fd = self->lfd, .events = POLLIN };

	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_EQ(0, rt_call_start(&p));
	ASSERT_TRUE(rt_call_sleeps(&c));
	ASSERT_TRUE(rt_call_sleeps(&p));
	ASSERT_EQ(0, SYS(shutdown(self->lfd, SHUT_RD)));
	EXPECT_EQ(-EINVAL, rt_call_end(&c));
	EXPECT_EQ(POLLIN, rt_call_end(&p));
	EXPECT_EQ(-EINVAL, SYS(accept(self->lfd, NULL, NULL)));
	/* AF_UNIX says EAGAIN to those who do not wait, and they wait for ever. */
	ASSERT_EQ(0, rt_set_nonblock(self->lfd, true));
	EXPECT_EQ(variant->family == RT_RILL ? -EINVAL : -EAGAIN,
		  SYS(accept(self->lfd, NULL, NULL)));
	EXPECT_EQ(POLLIN | POLLRDHUP, rt_events(self->lfd, POLLIN | POLLRDHUP));
	EXPECT_EQ(-ECONNREFUSED,
		  rt_client(variant->family, variant->type, &self->addr));
	ASSERT_EQ(0, SYS(shutdown(self->lfd, SHUT_RDWR)));
	EXPECT_EQ(POLLIN | POLLRDHUP | POLLHUP,
		  rt_events(self->lfd, POLLIN | POLLRDHUP));
}

/* SHUT_WR alone means nothing to a listener. */
TEST_F(accept, shut_wr)
{
	int fd, sfd;

	ASSERT_EQ(0, SYS(shutdown(self->lfd, SHUT_WR)));
	fd = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, fd);
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	ASSERT_EQ(1, SYS(send(sfd, "x", 1, 0)));
	close(fd);
	close(sfd);
}

TEST_F(accept, flags)
{
	int flags[] = { 0, SOCK_NONBLOCK, SOCK_CLOEXEC,
			SOCK_NONBLOCK | SOCK_CLOEXEC };
	size_t i;

	/* O_NONBLOCK of the listener is not inherited. */
	ASSERT_EQ(0, rt_set_nonblock(self->lfd, true));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd, sfd;

		fd = rt_client(variant->family, variant->type, &self->addr);
		ASSERT_LE(0, fd);
		sfd = SYS(accept4(self->lfd, NULL, NULL, flags[i]));
		ASSERT_LE(0, sfd);
		EXPECT_EQ(flags[i] & SOCK_NONBLOCK ? O_NONBLOCK : 0,
			  fcntl(sfd, F_GETFL) & O_NONBLOCK);
		EXPECT_EQ(flags[i] & SOCK_CLOEXEC ? FD_CLOEXEC : 0,
			  fcntl(sfd, F_GETFD) & FD_CLOEXEC);
		close(sfd);
		close(fd);
	}
	EXPECT_EQ(-EINVAL, SYS(accept4(self->lfd, NULL, NULL, 1)));
}

TEST_F(accept, not_a_listener)
{
	struct rt_addr a = { .len = 0 };
	int fd;

	fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, SYS(accept(fd, NULL, NULL)));
	a = rt_new_addr(variant->family);
	ASSERT_EQ(0, rt_bind(fd, &a));
	EXPECT_EQ(-EINVAL, SYS(accept(fd, NULL, NULL)));
	ASSERT_EQ(0, rt_connect(fd, &self->addr));
	EXPECT_EQ(-EINVAL, SYS(accept(fd, NULL, NULL)));
	close(fd);
	fd = rt_bound(variant->family, SOCK_DGRAM, &(struct rt_addr){ });
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EOPNOTSUPP, SYS(accept(fd, NULL, NULL)));
	close(fd);
}

/* Without a free descriptor nothing is lost. */
TEST_F(accept, no_descriptor)
{
	struct rlimit saved, r;
	int fd, sfd;
	char b = 0;

	fd = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, SYS(send(fd, "k", 1, 0)));
	ASSERT_EQ(0, SYS(getrlimit(RLIMIT_NOFILE, &saved)));
	r = saved;
	r.rlim_cur = 0;
	ASSERT_EQ(0, SYS(setrlimit(RLIMIT_NOFILE, &r)));
	EXPECT_EQ(-EMFILE, SYS(accept(self->lfd, NULL, NULL)));
	ASSERT_EQ(0, SYS(setrlimit(RLIMIT_NOFILE, &saved)));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(1, SYS(recv(sfd, &b, 1, 0)));
	EXPECT_EQ('k', b);
	close(sfd);
	close(fd);
}

TEST_F(accept, addresses)
{
	struct rt_addr seen = { .len = sizeof(seen.ss) };
	socklen_t unnamed = variant->family == RT_RILL ?
			    offsetof(struct sockaddr_rill, srl_name) + 1 :
			    sizeof(sa_family_t);
	int fd, sfd;

	fd = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, fd);
	sfd = SYS(accept(self->lfd, &seen.sa, &seen.len));
	ASSERT_LE(0, sfd);
	EXPECT_EQ(unnamed, seen.len);
	EXPECT_EQ(rt_af(variant->family), seen.sa.sa_family);
	/* The new end has its listener's name. */
	seen.len = sizeof(seen.ss);
	ASSERT_EQ(0, SYS(getsockname(sfd, &seen.sa, &seen.len)));
	EXPECT_TRUE(rt_same_addr(variant->family, &self->addr, &seen));
	close(sfd);
	close(fd);
}

TEST_F(accept, outlives_its_listener)
{
	char b = 0;
	int fd, sfd;

	fd = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, fd);
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	ASSERT_EQ(0, SYS(close(self->lfd)));
	self->lfd = -1;
	EXPECT_EQ(POLLOUT, rt_events(fd, POLLIN | POLLOUT | POLLRDHUP));
	ASSERT_EQ(1, SYS(send(fd, "a", 1, 0)));
	EXPECT_EQ(1, SYS(recv(sfd, &b, 1, 0)));
	ASSERT_EQ(1, SYS(send(sfd, "b", 1, 0)));
	EXPECT_EQ(1, SYS(recv(fd, &b, 1, 0)));
	EXPECT_EQ('b', b);
	close(sfd);
	close(fd);
}

TEST_F(accept, half_closed_before)
{
	char b = 0;
	int fd, sfd;

	fd = rt_client(variant->family, variant->type, &self->addr);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, SYS(send(fd, "q", 1, 0)));
	ASSERT_EQ(0, SYS(shutdown(fd, SHUT_WR)));
	sfd = rt_accept(self->lfd, 0);
	ASSERT_LE(0, sfd);
	EXPECT_EQ(1, SYS(recv(sfd, &b, 1, 0)));
	EXPECT_EQ(0, SYS(recv(sfd, &b, 1, 0)));
	ASSERT_EQ(1, SYS(send(sfd, "r", 1, 0)));
	EXPECT_EQ(1, SYS(recv(fd, &b, 1, 0)));
	EXPECT_EQ('r', b);
	close(sfd);
	close(fd);
}

/*
 * The new end inherits the listener's buffers and SO_RCVLOWAT as TCP's does
 * (AF_UNIX starts it with the defaults), and SO_PASSCRED as both do.
 */
TEST_F(accept, inherits)
{
	bool rill = variant->family == RT_RILL;
	int fd, i, sfd;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, rt_set_int(self->lfd, SOL_SOCKET, SO_RCVBUF,
					20000 + i * 5000));
		ASSERT_EQ(0, rt_set_int(self->lfd, SOL_SOCKET, SO_SNDBUF,
					30000 + i * 5000));
		ASSERT_EQ(0, rt_set_int(self->lfd, SOL_SOCKET, SO_RCVLOWAT,
					77 + i));
		ASSERT_EQ(0, rt_set_int(self->lfd, SOL_SOCKET, SO_PASSCRED, 1));
		fd = rt_client(variant->family, variant->type, &self->addr);
		ASSERT_LE(0, fd);
		sfd = rt_accept(self->lfd, 0);
		ASSERT_LE(0, sfd);
		if (rill) {
			EXPECT_EQ(40000 + i * 10000,
				  rt_get_int(sfd, SOL_SOCKET, SO_RCVBUF));
			EXPECT_EQ(60000 + i * 10000,
				  rt_get_int(sfd, SOL_SOCKET, SO_SNDBUF));
			EXPECT_EQ(77 + i,
				  rt_get_int(sfd, SOL_SOCKET, SO_RCVLOWAT));
		}
		/* Where the kernel lets a family of its own be asked: SPEC, Options. */
		if (rt_get_int(self->lfd, SOL_SOCKET, SO_PASSCRED) >= 0)
			EXPECT_EQ(1, rt_get_int(sfd, SOL_SOCKET, SO_PASSCRED));
		EXPECT_EQ(variant->type, rt_get_int(sfd, SOL_SOCKET, SO_TYPE));
		EXPECT_EQ(rt_af(variant->family),
			  rt_get_int(sfd, SOL_SOCKET, SO_DOMAIN));
		EXPECT_EQ(0, rt_get_int(sfd, SOL_SOCKET, SO_ACCEPTCONN));
		EXPECT_EQ(1, rt_get_int(self->lfd, SOL_SOCKET, SO_ACCEPTCONN));
		close(sfd);
		close(fd);
	}
}

/* ---- races ------------------------------------------------------------------- */

#define CLIENTS		3
#define CONNECTS	300

struct stress {
	enum rt_family family;
	int type;
	struct rt_addr addr;
	int lfd;
	atomic_int accepted;
	atomic_llong sum;
};

static long stress_client(void *arg)
{
	struct stress *s = arg;
	int i;

	for (i = 0; i < CONNECTS; i++) {
		int answer = -1, err, fd;

		fd = rt_client(s->family, s->type, &s->addr);
		if (fd < 0)
			return fd;
		err = rt_send_all(fd, &i, sizeof(i));
		if (!err)
			err = rt_recv_all(fd, &answer, sizeof(answer));
		close(fd);
		if (err)
			return err;
		if (answer != ~i)
			return -EBADMSG;
	}
	return 0;
}

static long stress_server(void *arg)
{
	struct stress *s = arg;

	for (;;) {
		int err, fd, number, answer;

		fd = SYS(accept(s->lfd, NULL, NULL));
		if (fd == -EINVAL)
			return 0;
		if (fd < 0)
			return fd;
		err = rt_recv_all(fd, &number, sizeof(number));
		answer = ~number;
		if (!err)
			err = rt_send_all(fd, &answer, sizeof(answer));
		close(fd);
		if (err)
			return err;
		atomic_fetch_add(&s->accepted, 1);
		atomic_fetch_add(&s->sum, number);
	}
}

/* Blocking clients on a queue of one seat: everybody gets an answer, once. */
TEST_F_TIMEOUT(accept, stress, 120)
{
	struct stress s = { .family = variant->family, .type = variant->type };
	struct rt_thread client[CLIENTS], server[2];
	int i;

	s.lfd = rt_listener(variant->family, variant->type, 0, &s.addr);
	ASSERT_LE(0, s.lfd);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, rt_thread_start(&server[i], stress_server, &s));
	for (i = 0; i < CLIENTS; i++)
		ASSERT_EQ(0, rt_thread_start(&client[i], stress_client, &s));
	for (i = 0; i < CLIENTS; i++) {
		ASSERT_TRUE(rt_thread_join(&client[i]) ||
			    rt_thread_join(&client[i]));
		EXPECT_EQ(0, client[i].ret);
	}
	ASSERT_EQ(0, SYS(shutdown(s.lfd, SHUT_RDWR)));
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(rt_thread_join(&server[i]));
		EXPECT_EQ(0, server[i].ret);
	}
	EXPECT_EQ(CLIENTS * CONNECTS, s.accepted);
	EXPECT_EQ(CLIENTS * CONNECTS * (CONNECTS - 1LL) / 2, s.sum);
	close(s.lfd);
}

struct crossing {
	int fd[2];
	struct rt_addr addr[2];
	long want;
	pthread_barrier_t start;
};

static long cross(void *arg)
{
	struct crossing *x = arg;
	int i;

	for (i = 0; i < 1000; i++) {
		long err;

		pthread_barrier_wait(&x->start);
		err = rt_connect(x->fd[1], &x->addr[0]);
		if (err != x->want)
			return err ? err : -EISCONN;
	}
	return 0;
}

/* Two bound sockets that connect to each other take the locks both ways round. */
TEST_F_TIMEOUT(accept, crossing_connects, 60)
{
	struct crossing x = { };
	struct rt_thread t;
	int i, round;

	for (round = 0; round < 2; round++) {
		long err = 0;

		for (i = 0; i < 2; i++) {
			x.addr[i].len = 0;
			x.fd[i] = round ? rt_listener(variant->family,
						      variant->type, 1,
						      &x.addr[i]) :
					  rt_bound(variant->family,
						   variant->type, &x.addr[i]);
			ASSERT_LE(0, x.fd[i]);
		}
		x.want = round ? -EINVAL : -ECONNREFUSED;
		ASSERT_EQ(0, pthread_barrier_init(&x.start, NULL, 2));
		ASSERT_EQ(0, rt_thread_start(&t, cross, &x));
		for (i = 0; i < 1000; i++) {
			pthread_barrier_wait(&x.start);
			err = rt_connect(x.fd[0], &x.addr[1]);
			EXPECT_EQ(x.want, err);
		}
		ASSERT_TRUE(rt_thread_join(&t));
		EXPECT_EQ(0, t.ret);
		close(x.fd[0]);
		close(x.fd[1]);
	}
}

/* The same with datagram sockets: both connects succeed, whoever is first. */
TEST_F_TIMEOUT(accept, crossing_datagram_connects, 60)
{
	struct crossing x = { .want = 0 };
	struct rt_thread t;
	int i;

	for (i = 0; i < 2; i++) {
		x.fd[i] = rt_bound(variant->family, SOCK_DGRAM, &x.addr[i]);
		ASSERT_LE(0, x.fd[i]);
	}
	ASSERT_EQ(0, pthread_barrier_init(&x.start, NULL, 2));
	ASSERT_EQ(0, rt_thread_start(&t, cross, &x));
	for (i = 0; i < 1000; i++) {
		pthread_barrier_wait(&x.start);
		EXPECT_EQ(0, rt_connect(x.fd[0], &x.addr[1]));
		if (i & 1)
			EXPECT_EQ(0, rt_disconnect(x.fd[0]));
	}
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(0, t.ret);
	close(x.fd[0]);
	close(x.fd[1]);
}

struct closing {
	enum rt_family family;
	int type;
	struct rt_addr addr;
	atomic_int stop;
	atomic_int connected;
	atomic_int refused;
};

static long connect_for_ever(void *arg)
{
	struct closing *x = arg;
	int i;

	for (i = 0; !atomic_load(&x->stop); i++) {
		int err, fd;
		char b;

		fd = rt_socket(x->family, x->type | (i & 1 ? SOCK_NONBLOCK : 0));
		if (fd < 0)
			return fd;
		err = rt_connect(fd, &x->addr);
		if (err == -EINPROGRESS) {
			/* Refused or admitted, but not forgotten. */
			int ev = rt_poll(fd, POLLOUT);

			err = ev ? -rt_so_error(fd) : -ETIMEDOUT;
		}
		if (!err) {
			atomic_fetch_add(&x->connected, 1);
			/* The listener never accepts: reset, or its end. */
			if (!rt_poll(fd, POLLIN))
				err = -ETIMEDOUT;
			else if (recv(fd, &b, 1, 0) > 0)
				err = -EBADMSG;
		} else if (err == -ECONNREFUSED) {
			atomic_fetch_add(&x->refused, 1);
			err = 0;
		} else if (err == -EAGAIN && x->family == RT_UNIX) {
			err = 0;
		}
		close(fd);
		if (err)
			return err;
	}
	return 0;
}

/* A listener that comes and goes under connectors: refused or reset, never stuck. */
TEST_F_TIMEOUT(accept, connect_to_a_closing_listener, 120)
{
	struct closing x = { .family = variant->family, .type = variant->type };
	struct rt_thread t[2];
	int i;

	x.addr = rt_new_addr(variant->family);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, rt_thread_start(&t[i], connect_for_ever, &x));
	for (i = 0; i < 300; i++) {
		int before = atomic_load(&x.connected);
		struct rt_addr a = x.addr;
		int lfd = rt_listener(variant->family, variant->type, i & 1, &a);

		ASSERT_LE(0, lfd);
		ASSERT_TRUE(RT_UNTIL(atomic_load(&x.connected) > before));
		if (i & 2)
			ASSERT_EQ(0, SYS(shutdown(lfd, SHUT_RDWR)));
		ASSERT_EQ(0, SYS(close(lfd)));
	}
	atomic_store(&x.stop, 1);
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_EQ(0, t[i].ret);
	}
	EXPECT_LT(0, x.refused);
}

TEST_HARNESS_MAIN
