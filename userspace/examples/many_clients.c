// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Many clients of an echo server at once, each of which checks every byte.
 *
 *	many_clients NAME [CLIENTS [KILOBYTES]]
 *
 * All connect before the first one sends.  Each sends its own sequence and
 * compares what comes back.  Exit status 0: every byte of every client is right.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <rill/rill.h>

struct client {
	unsigned int seed;
	size_t sent, got;
};

static void die(const char *what)
{
	fprintf(stderr, "many_clients: %s: %s\n", what, rill_explain(errno));
	exit(1);
}

/* The byte at @pos of the client with @seed. */
static unsigned char pattern(unsigned int seed, size_t pos)
{
	return (unsigned char)((seed + pos) * 2654435761u >> 13);
}

static void send_some(struct client *c, int fd, size_t total)
{
	unsigned char buf[4096];
	size_t n = total - c->sent, i;
	ssize_t ret;

	if (n > sizeof(buf))
		n = sizeof(buf);
	for (i = 0; i < n; i++)
		buf[i] = pattern(c->seed, c->sent + i);
	ret = send(fd, buf, n, MSG_NOSIGNAL);
	if (ret < 0 && errno != EAGAIN)
		die("send");
	if (ret > 0)
		c->sent += ret;
}

static void check_some(struct client *c, int fd)
{
	unsigned char buf[4096];
	ssize_t n, i;

	n = recv(fd, buf, sizeof(buf), 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		die("recv");
	for (i = 0; i < n; i++, c->got++) {
		if (buf[i] != pattern(c->seed, c->got)) {
			fprintf(stderr, "many_clients: client %u: byte %zu is wrong\n",
				c->seed, c->got);
			exit(1);
		}
	}
	if (n == 0) {
		fprintf(stderr, "many_clients: client %u: the server hung up\n",
			c->seed);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	int clients = argc > 2 ? atoi(argv[2]) : 100, open_ones, i;
	size_t total = (size_t)(argc > 3 ? atol(argv[3]) : 64) * 1024;
	struct pollfd *pfd;
	struct client *c;

	if (argc < 2 || clients < 1 || !total) {
		fprintf(stderr, "usage: many_clients NAME [CLIENTS [KILOBYTES]]\n");
		return 2;
	}
	pfd = calloc(clients, sizeof(*pfd));
	c = calloc(clients, sizeof(*c));
	if (!pfd || !c)
		die("calloc");
	for (i = 0; i < clients; i++) {
		c[i].seed = i;
		/* A full backlog makes this wait in line, not fail. */
		pfd[i].fd = rill_connect(argv[1], SOCK_STREAM, SOCK_NONBLOCK, 60000);
		if (pfd[i].fd < 0)
			die(argv[1]);
		pfd[i].events = POLLIN | POLLOUT;
	}
	printf("many_clients: %d connected\n", clients);

	for (open_ones = clients; open_ones;) {
		int n = poll(pfd, clients, 60000);

		if (n == 0)
			errno = ETIMEDOUT;
		if (n <= 0)
			die("poll");
		for (i = 0; i < clients; i++) {
			if (pfd[i].revents & POLLOUT)
				send_some(&c[i], pfd[i].fd, total);
			if (pfd[i].revents & (POLLIN | POLLHUP | POLLERR))
				check_some(&c[i], pfd[i].fd);
			if (c[i].sent == total)
				pfd[i].events = POLLIN;
			if (c[i].got == total && pfd[i].fd >= 0) {
				close(pfd[i].fd);
				pfd[i].fd = -1;
				open_ones--;
			}
		}
	}
	printf("many_clients: %d clients got back all of %zu bytes each, unchanged\n",
	       clients, total);
	return 0;
}
