// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The echo service in one thread with poll(): portable, and its cost grows with
 * the number of clients.
 *
 *	echo_poll NAME [CLIENTS]
 *
 * Serves until CLIENTS have come and gone, or for ever.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <rill/rill.h>

#define MOST	1024	/* clients at a time; others wait in the accept queue */

struct client {
	size_t start, end;	/* what of buf is still to be sent back */
	char buf[16384];
};

/* Of the same index: [0] is the listener. */
static struct pollfd polls[1 + MOST];
static struct client *clients[1 + MOST];
static int used = 1;
static int most = MOST;		/* less where there are not so many files */
static long served;
static unsigned long long echoed;

static void die(const char *what)
{
	fprintf(stderr, "echo_poll: %s: %s\n", what, rill_explain(errno));
	exit(1);
}

static void welcome(void)
{
	int fd = rill_accept(polls[0].fd, SOCK_NONBLOCK);

	if (fd < 0) {
		if ((errno == EMFILE || errno == ENFILE) && used > 1)
			most = used - 1;
		else if (errno != EAGAIN)
			die("accept");
		return;
	}
	clients[used] = calloc(1, sizeof(*clients[used]));
	if (!clients[used])
		die("calloc");
	polls[used++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* The last one takes the place of the one that leaves. */
static void goodbye(int i)
{
	close(polls[i].fd);
	free(clients[i]);
	used--;
	polls[i] = polls[used];
	clients[i] = clients[used];
	served++;
}

/* Whether client i stays. */
static int serve(int i)
{
	struct client *c = clients[i];
	ssize_t n;

	if (c->start == c->end) {
		n = read(polls[i].fd, c->buf, sizeof(c->buf));
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		c->start = 0;
		c->end = n;
	}
	n = send(polls[i].fd, c->buf + c->start, c->end - c->start, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->start += n;
	echoed += n;
	/* A client that does not read its echo is not read from either. */
	polls[i].events = c->start < c->end ? POLLOUT : POLLIN;
	return 1;
}

int main(int argc, char **argv)
{
	long limit = argc > 2 ? atol(argv[2]) : 0;
	int i;

	if (argc < 2) {
		fprintf(stderr, "usage: echo_poll NAME [CLIENTS]\n");
		return 2;
	}
	polls[0].fd = rill_listen(argv[1], SOCK_STREAM, 128, SOCK_NONBLOCK);
	if (polls[0].fd < 0)
		die("cannot listen");
	printf("echo_poll: listening on %s\n", argv[1]);
	fflush(stdout);

	while (!limit || served < limit) {
		polls[0].events = used <= most ? POLLIN : 0;
		if (poll(polls, used, -1) < 0) {
			if (errno == EINTR)
				continue;
			die("poll");
		}
		/* Backwards, as goodbye() moves the last one. */
		for (i = used - 1; i > 0; i--)
			if (polls[i].revents && !serve(i))
				goodbye(i);
		if (polls[0].revents)
			welcome();
	}
	printf("echo_poll: %ld clients came and went, %llu bytes echoed\n",
	       served, echoed);
	return 0;
}
