// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs that other socket families had, each looked for by name: those of
 * connections, names and lifetimes.  family_bugs_data.c has those of data and
 * options; README.md says which tests of other programs belong to the list.
 */
#include "family_bugs.h"

FIXTURE(bug)
{
};

FIXTURE_VARIANT(bug)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(bug, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(bug, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(bug, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(bug, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(bug)
{
	ASSERT_EQ(0, fb_alone());
}

FIXTURE_TEARDOWN(bug)
{
}

/* ---- connect() that fails ---------------------------------------------- */

#define FAILURES	40

/* Connects as nobody: how often it was told that it may not. */
static int denied(const struct rt_addr *a, int type)
{
	int i, n = 0, status;
	pid_t pid = rt_fork();

	if (pid)
		return pid < 0 ? pid :
		       (status = rt_wait_child(pid)) < 0 ? status :
		       WEXITSTATUS(status);
	if (rd_become(65534, 65534, NULL, 0))
		_exit(255);
	for (i = 0; i < FAILURES; i++) {
		int fd = rt_socket(RT_RILL, type);

		n += rt_connect(fd, a) == -EACCES;
		close(fd);
	}
	_exit(n);
}

/*
 * "Backlog count leaked on a failed connect": connections that came to nothing,
 * for each reason that there is, leave the queue and the line as they were, and
 * just as many as before fit into it.
 */
TEST_F(bug, backlog_count_leaked_by_failed_connects)
{
	int type = variant->type, other, lfd, full[2], in_line, fd, i;
	struct rt_addr a = { .len = 0 };
	struct rill_queue q;

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX tells nobody its count");
	other = type == SOCK_STREAM ? SOCK_SEQPACKET : SOCK_STREAM;
	lfd = rt_listener(RT_RILL, type, 1, &a);
	ASSERT_LE(0, lfd);

	for (i = 0; i < FAILURES; i++)
		EXPECT_EQ(-EPROTOTYPE, rt_client(RT_RILL, other, &a));
	ASSERT_EQ(0, rt_set_int(lfd, SOL_RILL, RILL_MODE, 0));
	EXPECT_EQ(FAILURES, denied(&a, type));
	ASSERT_EQ(0, rt_set_int(lfd, SOL_RILL, RILL_MODE, 0777));
	ASSERT_EQ(0, rt_queue(lfd, &q));
	EXPECT_EQ(0, q.rq_len);
	EXPECT_EQ(0, q.rq_waiting);

	/* Full, and one place in line. */
	ASSERT_EQ(0, rt_write_file("/proc/sys/net/rill/max_waiting", "1"));
	for (i = 0; i < 2; i++) {
		full[i] = rt_client(RT_RILL, type | SOCK_NONBLOCK, &a);
		ASSERT_LE(0, full[i]);
	}
	in_line = rt_socket(RT_RILL, type | SOCK_NONBLOCK);
	ASSERT_EQ(-EINPROGRESS, rt_connect(in_line, &a));
	for (i = 0; i < FAILURES; i++)
		EXPECT_EQ(-ECONNREFUSED, rt_client(RT_RILL, type | SOCK_NONBLOCK, &a));
	EXPECT_EQ(0, rt_disconnect(in_line));
	for (i = 0; i < FAILURES; i++) {
		/* Left with close(), with AF_UNSPEC, with shutdown(), timed out. */
		EXPECT_EQ(-EINPROGRESS, rt_connect(in_line, &a));
		EXPECT_EQ(0, rt_disconnect(in_line));
		EXPECT_EQ(-EINPROGRESS, rt_connect(in_line, &a));
		EXPECT_EQ(0, SYS(shutdown(in_line, SHUT_RDWR)));
		close(in_line);
		fd = rt_socket(RT_RILL, type);
		ASSERT_EQ(0, rt_set_timeo(fd, SO_SNDTIMEO, 1));
		EXPECT_EQ(-EINPROGRESS, rt_connect(fd, &a));
		close(fd);
		in_line = rt_socket(RT_RILL, type | SOCK_NONBLOCK);
		EXPECT_EQ(-EINPROGRESS, rt_connect(in_line, &a));
		close(in_line);
		in_line = rt_socket(RT_RILL, type | SOCK_NONBLOCK);
	}
	ASSERT_EQ(0, rt_queue(lfd, &q));
	EXPECT_EQ(2, q.rq_len);
	EXPECT_EQ(0, q.rq_waiting);
	EXPECT_EQ(0, rt_counter("waiting"));

	/* The two seats are there again, and the place in line, and no more. */
	for (i = 0; i < 2; i++) {
		fd = rt_accept(lfd, 0);
		ASSERT_LE(0, fd);
		EXPECT_TRUE(fb_talk_both(full[i], fd));
		close(fd);
		close(full[i]);
	}
	for (i = 0; i < 2; i++) {
		full[i] = rt_client(RT_RILL, type | SOCK_NONBLOCK, &a);
		EXPECT_LE(0, full[i]);
	}
	EXPECT_EQ(-EINPROGRESS, rt_connect(in_line, &a));
	EXPECT_EQ(-ECONNREFUSED, rt_client(RT_RILL, type | SOCK_NONBLOCK, &a));
	rd_say("%d connects failed for each of 3 reasons, %d left the line in each of 4 ways",
	       FAILURES, FAILURES);
	close(in_line);
	close(lfd);
	close(full[0]);
	close(full[1]);
	EXPECT_TRUE(fb_gone(RT_RILL));
}

/*
 * "Unbind imbalance after failed connects": a name is held exactly as long as
 * its socket is open, however often that one's connects have failed.
 */
TEST_F(bug, unbind_imbalance_after_failed_connects)
{
	int family = variant->family, type = variant->type, fd, lfd, cfd, i;
	struct rt_addr mine = { .len = 0 }, a = { .len = 0 }, nobody = rt_new_addr(family);
	struct rt_addr seen;
	struct sockaddr bad = { .sa_family = AF_INET };

	fd = rt_bound(family, type | SOCK_NONBLOCK, &mine);
	ASSERT_LE(0, fd);
	lfd = rt_listener(family, type, 0, &a);
	ASSERT_LE(0, lfd);
	cfd = rt_client(family, type, &a);
	ASSERT_LE(0, cfd);
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &nobody));
		EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &mine));
		EXPECT_GT(0, SYS(connect(fd, &bad, sizeof(bad))));
		if (family == RT_RILL) {
			EXPECT_EQ(-EINPROGRESS, rt_connect(fd, &a));
			EXPECT_EQ(0, rt_disconnect(fd));
		}
		EXPECT_EQ(-EADDRINUSE, rt_bound(family, type, &mine));
	}
	rd_say("%d rounds of %d connects that failed", i, family == RT_RILL ? 4 : 3);
	if (family == RT_RILL) {
		EXPECT_EQ(2, rt_counter("names"));
		/* Refused in line: the listener goes. */
		EXPECT_EQ(-EINPROGRESS, rt_connect(fd, &a));
		close(lfd);
		EXPECT_EQ(ECONNREFUSED, rt_so_error(fd));
		EXPECT_EQ(0, rt_disconnect(fd));
	} else {
		close(lfd);
	}
	close(cfd);

	/* It connects in the end, and its peer sees its name. */
	a.len = 0;
	lfd = rt_listener(family, type, 0, &a);
	ASSERT_LE(0, lfd);
	ASSERT_EQ(0, rt_connect(fd, &a));
	seen.len = sizeof(seen.ss);
	cfd = SYS(accept(lfd, &seen.sa, &seen.len));
	ASSERT_LE(0, cfd);
	EXPECT_TRUE(rt_same_addr(family, &mine, &seen));
	close(lfd);
	/* The listener is gone, and its connection still knows its name. */
	seen.len = sizeof(seen.ss);
	EXPECT_EQ(0, SYS(getpeername(fd, &seen.sa, &seen.len)));
	EXPECT_TRUE(rt_same_addr(family, &a, &seen));

	EXPECT_EQ(-EADDRINUSE, rt_bound(family, type, &mine));
	close(fd);
	fd = rt_bound(family, type, &mine);
	EXPECT_LE(0, fd);
	close(fd);
	close(cfd);
	EXPECT_TRUE(fb_gone(family));
}

/* ---- pointers that go on to point -------------------------------------- */

/*
 * "A private pointer stale after reconnect": what a connector had at its first
 * listener (a place, a new end, a reference) is not there any more when it comes
 * to the next, whichever way it has left.
 */
TEST_F(bug, stale_pointer_after_reconnect)
{
	int type = variant->type, first, seat, second, fd, end, i;

	if (variant->family == RT_UNIX)
		SKIP(return, "has no line to leave");
	for (i = 0; i < 60; i++) {
		struct rt_addr a = { .len = 0 }, b = { .len = 0 };

		first = rt_listener(RT_RILL, type, 0, &a);
		second = rt_listener(RT_RILL, type, 0, &b);
		ASSERT_LE(0, first);
		ASSERT_LE(0, second);
		seat = rt_client(RT_RILL, type, &a);
		fd = rt_socket(RT_RILL, type | SOCK_NONBLOCK);
		ASSERT_EQ(-EINPROGRESS, rt_connect(fd, &a));
		switch (i % 3) {
		case 0:
			ASSERT_EQ(0, rt_disconnect(fd));
			break;
		case 1:
			ASSERT_EQ(0, SYS(shutdown(fd, SHUT_RD)));
			ASSERT_EQ(0, rt_disconnect(fd));
			break;
		case 2:
			ASSERT_EQ(0, SYS(shutdown(first, SHUT_RD)));
			ASSERT_EQ(ECONNREFUSED, rt_so_error(fd));
			ASSERT_EQ(0, rt_disconnect(fd));
		}
		ASSERT_EQ(0, rt_connect(fd, &b));
		/* The first one admits whoever is in its line: nobody. */
		end = SYS(accept(first, NULL, NULL));
		if (i % 3 == 2) {
			EXPECT_EQ(-EINVAL, end);
		} else {
			EXPECT_LE(0, end);
			EXPECT_EQ(0, rt_events(first, POLLIN));
			close(end);
		}
		end = SYS(accept(second, NULL, NULL));
		ASSERT_LE(0, end);
		EXPECT_TRUE(fb_talk_both(fd, end));
		close(i & 1 ? first : second);
		EXPECT_TRUE(fb_talk_both(fd, end));
		close(i & 1 ? second : first);
		EXPECT_TRUE(fb_talk_both(fd, end));
		close(fd);
		EXPECT_EQ(0, SYS(recv(end, &fd, 1, 0)));
		close(end);
		close(seat);
	}
	rd_say("%d rounds", i);
	EXPECT_TRUE(fb_gone(RT_RILL));
}

/* The same, and the connector becomes a listener: the two share memory. */
TEST_F(bug, stale_place_in_line_of_a_new_listener)
{
	int type = variant->type, first, seat, fd, client, end, i;

	if (variant->family == RT_UNIX)
		SKIP(return, "has no line to leave");
	for (i = 0; i < 60; i++) {
		struct rt_addr a = { .len = 0 }, b = { .len = 0 };

		first = rt_listener(RT_RILL, type, 0, &a);
		ASSERT_LE(0, first);
		seat = rt_client(RT_RILL, type, &a);
		fd = rt_bound(RT_RILL, type | SOCK_NONBLOCK, &b);
		ASSERT_EQ(-EINPROGRESS, rt_connect(fd, &a));
		ASSERT_EQ(-EINVAL, SYS(listen(fd, 1)));
		if (i & 1) {
			ASSERT_EQ(0, rt_disconnect(fd));
		} else {
			ASSERT_EQ(0, SYS(shutdown(first, SHUT_RD)));
			ASSERT_EQ(ECONNREFUSED, rt_so_error(fd));
		}
		ASSERT_EQ(0, SYS(listen(fd, 1)));
		client = rt_client(RT_RILL, type, &b);
		ASSERT_LE(0, client);
		close(first);
		end = rt_accept(fd, 0);
		ASSERT_LE(0, end);
		EXPECT_TRUE(fb_talk_both(client, end));
		/* Closed with an embryo in its queue. */
		close(client);
		client = rt_client(RT_RILL, type, &b);
		close(fd);
		EXPECT_EQ(-ECONNRESET, SYS(recv(client, &fd, 1, 0)));
		close(client);
		close(end);
		close(seat);
	}
	rd_say("%d rounds", i);
	EXPECT_TRUE(fb_gone(RT_RILL));
}

/* ---- listeners that go ------------------------------------------------- */

/*
 * "Embryos of a closed listener": connections that nobody accepted, in each
 * state that they can be in, end with their listener.  Their connectors see it,
 * and nothing is left, of data neither.
 */
TEST_F(bug, embryos_of_a_closed_listener)
{
	int family = variant->family, type = variant->type;
	int lfd, fd[4], line[3], i, how, n_line = family == RT_RILL ? 3 : 0;
	static char big[8000];
	char in[16];

	for (how = 0; how < 2 + (family == RT_RILL); how++) {
		struct rt_addr a = { .len = 0 }, b = { .len = 0 };
		int other = rt_listener(family, type, 8, &b);

		lfd = rt_listener(family, type, 3, &a);
		ASSERT_LE(0, lfd);
		for (i = 0; i < 4; i++) {
			fd[i] = rt_client(family, type | SOCK_NONBLOCK, &a);
			ASSERT_LE(0, fd[i]);
		}
		for (i = 0; i < n_line; i++) {
			line[i] = rt_socket(family, type | SOCK_NONBLOCK);
			ASSERT_EQ(-EINPROGRESS, rt_connect(line[i], &a));
		}
		/* One has sent, one has half closed, one is gone, one is idle. */
		EXPECT_EQ((long)sizeof(big), SYS(send(fd[0], big, sizeof(big), 0)));
		EXPECT_EQ(5, SYS(send(fd[1], "hello", 5, 0)));
		EXPECT_EQ(0, SYS(shutdown(fd[1], SHUT_WR)));
		EXPECT_EQ(5, SYS(send(fd[2], "hello", 5, 0)));
		close(fd[2]);
		if (n_line)
			close(line[1]);

		if (how == 2)
			EXPECT_EQ(0, SYS(shutdown(lfd, SHUT_RDWR)));
		if (how)
			close(lfd);
		else
			EXPECT_EQ(0, SYS(dup2(other, lfd)) - lfd);

		for (i = 0; i < 4; i++) {
			if (i == 2)
				continue;
			EXPECT_EQ(POLLHUP, rt_events(fd[i], POLLIN) & POLLHUP);
			EXPECT_EQ(-ECONNRESET, SYS(recv(fd[i], in, sizeof(in), 0)));
			EXPECT_EQ(0, SYS(recv(fd[i], in, sizeof(in), 0)));
			EXPECT_EQ(-EPIPE, SYS(send(fd[i], "x", 1, MSG_NOSIGNAL)));
			close(fd[i]);
		}
		for (i = 0; i < n_line; i++) {
			int end;

			if (i == 1)
				continue;
			EXPECT_EQ(ECONNREFUSED, rt_so_error(line[i]));
			EXPECT_EQ(-ENOTCONN, SYS(recv(line[i], in, 1, 0)));
			/* As good as new. */
			EXPECT_EQ(0, rt_disconnect(line[i]));
			EXPECT_EQ(0, rt_connect(line[i], &b));
			end = rt_accept(other, 0);
			ASSERT_LE(0, end);
			EXPECT_TRUE(fb_talk_both(line[i], end));
			close(line[i]);
			close(end);
		}
		if (!how)
			close(lfd);
		close(other);
	}
	rd_say("closed in %d ways, with 4 in the queue and %d in line", how, n_line);
	EXPECT_TRUE(fb_gone(family));
}

struct seeker {
	enum rt_family family;
	int type;
	struct rt_addr addr;
	atomic_int stop;
	atomic_int found, missed;
};

static long seek(void *arg)
{
	struct seeker *s = arg;
	long ret;
	int fd;

	while (!atomic_load(&s->stop)) {
		fd = rt_socket(s->family, s->type | SOCK_NONBLOCK);
		if (fd < 0)
			return fd;
		if (s->type == SOCK_DGRAM) {
			ret = SYS(sendto(fd, "x", 1, 0, &s->addr.sa, s->addr.len));
			ret = ret == 1 ? 0 : ret;
		} else {
			ret = rt_connect(fd, &s->addr);
		}
		close(fd);
		if (!ret || ret == -EINPROGRESS || ret == -EAGAIN)
			atomic_fetch_add(&s->found, 1);
		else if (ret == -ECONNREFUSED)
			atomic_fetch_add(&s->missed, 1);
		else
			return ret;
	}
	return 0;
}

static void listener_freed_under_a_lookup(struct __test_metadata *_metadata,
					  enum rt_family family, int type)
{
	struct seeker s = {
		.family = family, .type = type, .addr = rt_new_addr(family),
	};
	struct rt_thread t[2];
	int fd, i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, rt_thread_start(&t[i], seek, &s));
	for (i = 0; i < 1500; i++) {
		int before = atomic_load(&s.found);

		fd = type == SOCK_DGRAM ? rt_bound(family, type, &s.addr) :
					  rt_listener(family, type, 4, &s.addr);
		ASSERT_LE(0, fd);
		/* At times once it was found, at times at once. */
		if (!(i & 7))
			ASSERT_TRUE(RT_UNTIL(atomic_load(&s.found) > before));
		ASSERT_EQ(0, SYS(close(fd)));
	}
	rd_say("%d holders came and went; found %d times, missed %d", i,
	       atomic_load(&s.found), atomic_load(&s.missed));
	/* One that was shut down stays where it is, and takes nobody. */
	if (type != SOCK_DGRAM && family == RT_RILL) {
		int found;

		fd = rt_listener(family, type, 4, &s.addr);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, SYS(shutdown(fd, SHUT_RDWR)));
		i = atomic_load(&s.missed);
		ASSERT_TRUE(RT_UNTIL(atomic_load(&s.missed) > i + 2));
		found = atomic_load(&s.found);
		ASSERT_TRUE(RT_UNTIL(atomic_load(&s.missed) > i + 100));
		/* The other may have been on its way to count one all the time. */
		EXPECT_GE(found + 1, atomic_load(&s.found));
		close(fd);
	}
	atomic_store(&s.stop, 1);
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_EQ(0, t[i].ret);
	}
	EXPECT_LT(0, s.found);
	EXPECT_LT(0, s.missed);
	EXPECT_TRUE(fb_gone(family));
}

/* "Listener freed under a lookup": who finds a name has its holder, or nobody. */
TEST_F_TIMEOUT(bug, listener_freed_under_a_lookup, 120)
{
	listener_freed_under_a_lookup(_metadata, variant->family, variant->type);
}

/* The same for who sends to a name. */
TEST_F_TIMEOUT(bug, receiver_freed_under_a_lookup, 120)
{
	if (variant->type != SOCK_STREAM)
		SKIP(return, "once is enough");
	listener_freed_under_a_lookup(_metadata, variant->family, SOCK_DGRAM);
}

/* ---- the end, more than once ------------------------------------------- */

/*
 * "Double teardown after peer close, dup and fork": an end goes with its last
 * descriptor, whoever has it, and goes once.
 */
TEST_F(bug, double_teardown_after_peer_close_dup_and_fork)
{
	int family = variant->family, type = variant->type, fd[2], copy, i;
	int up[2], down[2];
	char in;

	for (i = 0; i < 40; i++) {
		pid_t pid;

		ASSERT_EQ(0, rt_pair(family, type, fd));
		copy = dup(fd[0]);
		ASSERT_LE(0, copy);
		close(fd[0]);
		EXPECT_TRUE(fb_talk_both(copy, fd[1]));

		/* A child closes its own, says so, and goes when it is told. */
		ASSERT_EQ(0, pipe(up));
		ASSERT_EQ(0, pipe(down));
		pid = rt_fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			close(down[1]);
			close(fd[1]);
			if (i & 1)
				CHECK_EQ(0, SYS(close(copy)));
			CHECK_EQ(1, write(up[1], "x", 1));
			CHECK_EQ(0, read(down[0], &in, 1));
			_exit(0);
		}
		close(down[0]);
		EXPECT_EQ(1, read(up[0], &in, 1));
		EXPECT_TRUE(fb_talk_both(copy, fd[1]));

		/* The peer goes first, or this end's copy here does. */
		if (i & 2) {
			close(fd[1]);
			EXPECT_EQ(0, SYS(recv(copy, &in, 1, 0)));
			EXPECT_EQ(-EPIPE, SYS(send(copy, "x", 1, MSG_NOSIGNAL)));
			EXPECT_EQ(0, SYS(shutdown(copy, SHUT_RDWR)));
			EXPECT_EQ(0, SYS(shutdown(copy, SHUT_RDWR)));
			close(copy);
			close(down[1]);
			EXPECT_EQ(0, rt_wait_child(pid));
		} else {
			close(copy);
			/* The child may have it still. */
			if (!(i & 1))
				EXPECT_EQ(-EAGAIN, SYS(recv(fd[1], &in, 1,
							    MSG_DONTWAIT)));
			close(down[1]);
			EXPECT_EQ(0, rt_wait_child(pid));
			EXPECT_EQ(0, SYS(recv(fd[1], &in, 1, 0)));
			EXPECT_EQ(0, SYS(shutdown(fd[1], SHUT_RDWR)));
			close(fd[1]);
		}
		close(up[0]);
		close(up[1]);
	}
	rd_say("%d rounds", i);
	EXPECT_TRUE(fb_gone(family));
}

TEST_HARNESS_MAIN
