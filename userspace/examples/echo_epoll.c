// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * An echo server for many clients in one thread: epoll, non-blocking sockets.
 *
 *	echo_epoll NAME [CLIENTS]
 *
 * Serves until CLIENTS have come and gone, or for ever.  A client that does not
 * read its echo is not read from either, so nothing piles up in the server.
 * Its counterpart is many_clients.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <rill/rill.h>

struct client {
	int fd;
	size_t start, end;	/* what of buf is still to be sent back */
	char buf[16384];
};

static int ep, listener;
static int clients, full;	/* full: accept() is of no use until one leaves */
static long served;
static unsigned long long echoed;

static void die(const char *what)
{
	fprintf(stderr, "echo_epoll: %s: %s\n", what, rill_explain(errno));
	exit(1);
}

static void watch(int op, int fd, unsigned int events, void *who)
{
	struct epoll_event ev = { .events = events, .data.ptr = who };

	if (epoll_ctl(ep, op, fd, &ev) < 0)
		die("epoll_ctl");
}

/* All that wait now: accept until there is none left. */
static void welcome(void)
{
	struct client *c;
	int fd;

	while ((fd = rill_accept(listener, SOCK_NONBLOCK)) >= 0) {
		c = calloc(1, sizeof(*c));
		if (!c)
			die("calloc");
		c->fd = fd;
		watch(EPOLL_CTL_ADD, fd, EPOLLIN, c);
		clients++;
	}
	if ((errno == EMFILE || errno == ENFILE) && clients) {
		full = 1;
		watch(EPOLL_CTL_MOD, listener, 0, NULL);
	} else if (errno != EAGAIN) {
		die("accept");
	}
}

static void goodbye(struct client *c)
{
	close(c->fd);	/* also takes it out of the epoll set */
	free(c);
	served++;
	clients--;
	if (full) {
		full = 0;
		watch(EPOLL_CTL_MOD, listener, EPOLLIN, NULL);
	}
}

/* One read and one write a turn, so that no client starves the others. */
static void serve(struct client *c)
{
	ssize_t n;

	if (c->start == c->end) {
		n = read(c->fd, c->buf, sizeof(c->buf));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			goodbye(c);
			return;
		}
		c->start = 0;
		c->end = n;
	}
	n = send(c->fd, c->buf + c->start, c->end - c->start, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		goodbye(c);
		return;
	}
	if (n > 0) {
		c->start += n;
		echoed += n;
	}
	/* What is left goes first; then more may be read. */
	watch(EPOLL_CTL_MOD, c->fd, c->start < c->end ? EPOLLOUT : EPOLLIN, c);
}

int main(int argc, char **argv)
{
	long limit = argc > 2 ? atol(argv[2]) : 0;
	struct epoll_event ev[64];
	int n, i;

	if (argc < 2) {
		fprintf(stderr, "usage: echo_epoll NAME [CLIENTS]\n");
		return 2;
	}
	listener = rill_listen(argv[1], SOCK_STREAM, 128, SOCK_NONBLOCK);
	if (listener < 0)
		die("cannot listen");
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		die("epoll_create1");
	watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
	printf("echo_epoll: listening on %s\n", argv[1]);
	fflush(stdout);

	while (!limit || served < limit) {
		n = epoll_wait(ep, ev, 64, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (i = 0; i < n; i++) {
			if (ev[i].data.ptr)
				serve(ev[i].data.ptr);
			else
				welcome();
		}
	}
	printf("echo_epoll: %ld clients came and went, %llu bytes echoed\n",
	       served, echoed);
	return 0;
}
