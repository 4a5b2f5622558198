// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The echo service with edge-triggered epoll: one epoll_ctl() a client for its
 * whole life.  An edge tells once: whoever sees it goes on until EAGAIN.
 *
 *	echo_edge NAME [CLIENTS]
 *
 * Serves until CLIENTS have come and gone, or for ever.  echo_epoll.c is the
 * level-triggered one.
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

static int ep;
static int clients, full;	/* full: accept() is of no use until one leaves */
static long served;
static unsigned long long echoed;

static void die(const char *what)
{
	fprintf(stderr, "echo_edge: %s: %s\n", what, rill_explain(errno));
	exit(1);
}

static void watch(int fd, unsigned int events, void *who)
{
	struct epoll_event ev = { .events = events | EPOLLET, .data.ptr = who };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("epoll_ctl");
}

static void welcome(int listener)
{
	struct client *c;
	int fd;

	while ((fd = rill_accept(listener, SOCK_NONBLOCK)) >= 0) {
		c = calloc(1, sizeof(*c));
		if (!c)
			die("calloc");
		c->fd = fd;
		watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, c);
		clients++;
	}
	full = (errno == EMFILE || errno == ENFILE) && clients;
	if (errno != EAGAIN && !full)
		die("accept");
}

/*
 * Until the socket has neither bytes to give nor room to take: only then does
 * another edge come.  0 if the client is gone.
 */
static int serve(struct client *c)
{
	ssize_t n;

	for (;;) {
		if (c->start == c->end) {
			n = read(c->fd, c->buf, sizeof(c->buf));
			if (!n)
				return 0;
			c->start = 0;
			c->end = n > 0 ? n : 0;
		} else {
			n = send(c->fd, c->buf + c->start, c->end - c->start,
				 MSG_NOSIGNAL);
			if (n > 0) {
				c->start += n;
				echoed += n;
			}
		}
		if (n < 0 && errno == EAGAIN)
			return 1;
		if (n < 0 && errno != EINTR)
			return 0;
	}
}

int main(int argc, char **argv)
{
	long limit = argc > 2 ? atol(argv[2]) : 0;
	struct epoll_event ev[64];
	int listener, n, i;

	if (argc < 2) {
		fprintf(stderr, "usage: echo_edge NAME [CLIENTS]\n");
		return 2;
	}
	listener = rill_listen(argv[1], SOCK_STREAM, 128, SOCK_NONBLOCK);
	if (listener < 0)
		die("cannot listen");
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		die("epoll_create1");
	watch(listener, EPOLLIN, NULL);
	printf("echo_edge: listening on %s\n", argv[1]);
	fflush(stdout);

	while (!limit || served < limit) {
		n = epoll_wait(ep, ev, 64, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (i = 0; i < n; i++) {
			struct client *c = ev[i].data.ptr;

			if (!c) {
				welcome(listener);
			} else if (!serve(c)) {
				close(c->fd);
				free(c);
				served++;
				clients--;
				if (full)	/* no other edge comes for those who wait */
					welcome(listener);
			}
		}
	}
	printf("echo_edge: %ld clients came and went, %llu bytes echoed\n",
	       served, echoed);
	return 0;
}
