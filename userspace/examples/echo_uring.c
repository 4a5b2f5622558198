// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The echo service with io_uring: accepts, receives and sends are queued, and one
 * system call hands over many of them.
 *
 *	echo_uring NAME [CLIENTS]
 *
 * Serves until CLIENTS have come and gone, or for ever.
 */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <rill/rill.h>

struct client {
	int fd;
	size_t start, end;	/* what of buf is still to be sent back */
	char buf[16384];
};

static struct io_uring ring;
static int clients, full;	/* full: accept() is of no use until one leaves */
static long served;
static unsigned long long echoed;

static void die(const char *what, int err)
{
	fprintf(stderr, "echo_uring: %s: %s\n", what, rill_explain(err));
	exit(1);
}

/* Room in the queue; what stands in it is handed over if it is full. */
static struct io_uring_sqe *next_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	if (!sqe)
		die("io_uring_get_sqe", EBUSY);
	return sqe;
}

static void queue_accept(int listener)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	io_uring_sqe_set_data(sqe, NULL);
}

/* What the client needs next: its echo sent, or more to echo. */
static void queue_next(struct client *c)
{
	struct io_uring_sqe *sqe = next_sqe();

	if (c->start < c->end)
		io_uring_prep_send(sqe, c->fd, c->buf + c->start,
				   c->end - c->start, MSG_NOSIGNAL);
	else
		io_uring_prep_recv(sqe, c->fd, c->buf, sizeof(c->buf), 0);
	io_uring_sqe_set_data(sqe, c);
}

static void welcome(int listener, int fd)
{
	struct client *c;

	full = (fd == -EMFILE || fd == -ENFILE) && clients;
	if (full)
		return;
	if (fd < 0)
		die("accept", -fd);
	c = calloc(1, sizeof(*c));
	if (!c)
		die("calloc", errno);
	c->fd = fd;
	clients++;
	queue_next(c);
	queue_accept(listener);
}

static void done(struct client *c, int res, int listener)
{
	if (res == -EINTR || res == -EAGAIN) {
		queue_next(c);
	} else if (res <= 0) {
		close(c->fd);
		free(c);
		served++;
		clients--;
		if (full)
			queue_accept(listener);
		full = 0;
	} else if (c->start < c->end) {
		c->start += res;
		echoed += res;
		queue_next(c);
	} else {
		c->start = 0;
		c->end = res;
		queue_next(c);
	}
}

int main(int argc, char **argv)
{
	long limit = argc > 2 ? atol(argv[2]) : 0;
	struct io_uring_cqe *cqe;
	int listener, err;

	if (argc < 2) {
		fprintf(stderr, "usage: echo_uring NAME [CLIENTS]\n");
		return 2;
	}
	listener = rill_listen(argv[1], SOCK_STREAM, 128, 0);
	if (listener < 0)
		die("cannot listen", errno);
	err = io_uring_queue_init(256, &ring, 0);
	if (err)
		die("io_uring_queue_init", -err);
	queue_accept(listener);
	printf("echo_uring: listening on %s\n", argv[1]);
	fflush(stdout);

	while (!limit || served < limit) {
		err = io_uring_submit_and_wait(&ring, 1);
		if (err < 0 && err != -EINTR)
			die("io_uring_submit_and_wait", -err);
		while (!io_uring_peek_cqe(&ring, &cqe)) {
			struct client *c = io_uring_cqe_get_data(cqe);
			int res = cqe->res;

			io_uring_cqe_seen(&ring, cqe);
			if (c)
				done(c, res, listener);
			else
				welcome(listener, res);
		}
	}
	printf("echo_uring: %ld clients came and went, %llu bytes echoed\n",
	       served, echoed);
	io_uring_queue_exit(&ring);
	return 0;
}
