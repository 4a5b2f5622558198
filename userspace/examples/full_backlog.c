// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A full backlog is something to wait for, not an error: connect() on a
 * non-blocking socket says EINPROGRESS, poll() says when it is through, and
 * SO_ERROR says how it went.  AF_UNIX would say EAGAIN, with nothing to poll.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>
#include <linux/rill.h>

#define CHECK(what) do {						\
	if (!(what)) {							\
		fprintf(stderr, "full_backlog: not true: %s\n", #what);	\
		perror("full_backlog: the last error was");		\
		exit(1);						\
	}								\
} while (0)

static struct sockaddr_rill name = { RILL_FAMILY_DEFAULT, 0, "example/full" };

static int new_socket(void)
{
	int fd = socket(RILL_FAMILY_DEFAULT,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	return fd;
}

static void show_queue(int listener)
{
	struct rill_queue q;
	socklen_t len = sizeof(q);

	CHECK(getsockopt(listener, SOL_RILL, RILL_QUEUE, &q, &len) == 0);
	printf("full_backlog: %u of %u connections queued, %u in the waiting line\n",
	       q.rq_len, q.rq_max, q.rq_waiting);
}

int main(void)
{
	int listener = new_socket(), first = new_socket(), second = new_socket();
	struct pollfd pfd = { .fd = second, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int conn, err;
	char c;

	CHECK(bind(listener, (void *)&name, sizeof(name)) == 0);
	CHECK(listen(listener, 0) == 0);

	/* Backlog 0 has room for one. */
	CHECK(connect(first, (void *)&name, sizeof(name)) == 0);
	printf("full_backlog: the first connect() is through at once\n");

	CHECK(connect(second, (void *)&name, sizeof(name)) == -1);
	CHECK(errno == EINPROGRESS);
	printf("full_backlog: the second connect() says EINPROGRESS\n");
	CHECK(poll(&pfd, 1, 0) == 0);
	CHECK(connect(second, (void *)&name, sizeof(name)) == -1);
	CHECK(errno == EALREADY);
	show_queue(listener);

	/* One accept() makes room, and the connector is admitted. */
	conn = accept(listener, NULL, NULL);
	CHECK(conn >= 0);
	CHECK(poll(&pfd, 1, 10000) == 1 && (pfd.revents & POLLOUT));
	CHECK(getsockopt(second, SOL_SOCKET, SO_ERROR, &err, &len) == 0);
	CHECK(err == 0);
	printf("full_backlog: after an accept(), EPOLLOUT and SO_ERROR 0\n");
	show_queue(listener);

	/* It is a connection like any other, also before it is accepted. */
	CHECK(write(second, "!", 1) == 1);
	close(conn);
	conn = accept(listener, NULL, NULL);
	CHECK(conn >= 0);
	CHECK(read(conn, &c, 1) == 1 && c == '!');
	printf("full_backlog: a byte sent before accept() has arrived\n");
	return 0;
}
