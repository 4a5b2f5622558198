// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagrams and sequenced packets, one way: as work_stream.c, message for
 * message.  A message of one byte says that no more will come; where messages
 * may be lost, it is said again until the reader has heard it, and the rate is
 * that of what arrived.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define CHECKED_MESSAGES	2	/* so many fit into any socket buffer */
#define END_SIZE		1

enum { FROM, TO };

static void send_message(int fd, const char *buf, size_t size)
{
	ssize_t n;

	/* UDP says so when the queue of the device is full. */
	while ((n = send(fd, buf, size, 0)) < 0 && errno == ENOBUFS)
		;
	if (n < 0 && errno == EMSGSIZE)
		cell_skip("messages of %zu bytes are too long for it", size);
	if (n != (ssize_t)size)
		cell_fail("send: %s", n < 0 ? strerror(errno) : "cut short");
}

static void send_end(const struct peer *peer, int fd, const char *buf)
{
	const struct timespec nap = { .tv_nsec = NSEC_PER_MSEC };

	do {
		if (send(fd, buf, END_SIZE, peer->lossy ? MSG_DONTWAIT : 0) < 0 &&
		    !peer->lossy)
			cell_fail("send: %m");
		if (!peer->lossy)
			return;
		nanosleep(&nap, NULL);
	} while (!__atomic_load_n(&cell->stop, __ATOMIC_ACQUIRE));
}

static void sender(const struct peer *peer, int fd, const struct job *job,
		   struct gate *gate)
{
	struct side *side = &cell->side[FROM];
	unsigned int stride = deadline_stride(job->size);
	char *buf = buffer(job->size);
	uint64_t end;

	for (int i = 0; i < CHECKED_MESSAGES; i++) {
		pattern_fill(buf, job->size, i * job->size);
		send_message(fd, buf, job->size);
	}
	gate_wait(gate);
	side_begin(side);
	end = side->t0 + settings.box_ns;
	do {
		for (unsigned int i = 0; i < stride; i++)
			send_message(fd, buf, job->size);
		side->ops += stride;
	} while (now_ns() < end);
	side_end(side);
	side->bytes = side->ops * job->size;
	send_end(peer, fd, buf);
}

/* The length of the next message; 0 is the end. */
static size_t receive(int fd, char *buf, const struct job *job)
{
	/* One more, to see it if a message is longer than it should be. */
	ssize_t n = recv(fd, buf, job->size + 1, 0);

	if (n < 0)
		cell_fail("recv: %m");
	if (n != END_SIZE && n != (ssize_t)job->size)
		cell_fail("a message of %zu bytes arrived as %zd", job->size, n);
	return n == END_SIZE ? 0 : n;
}

static void reader(int fd, const struct job *job, struct gate *gate)
{
	struct side *side = &cell->side[TO];
	char *buf = buffer(job->size + 1);

	for (int i = 0; i < CHECKED_MESSAGES; i++)
		if (!receive(fd, buf, job) ||
		    !pattern_ok(buf, job->size, i * job->size))
			cell_fail("a message differs from what was sent");
	gate_open(gate, 1);
	side_begin(side);
	while (receive(fd, buf, job))
		side->ops++;
	side_end(side);
	__atomic_store_n(&cell->stop, 1, __ATOMIC_RELEASE);
	side->bytes = side->ops * job->size;
}

void work_message(const struct job *job, const struct peer *peer)
{
	struct side *from = &cell->side[FROM], *to = &cell->side[TO];
	struct gate gate;
	pid_t pid;
	int fd[2];

	gate_init(&gate);
	peer_pair(peer, job->type, fd);
	pid = cell_fork(1);
	if (!pid) {
		/* Its own end stays open here: a datagram's peer must not go. */
		sender(peer, fd[0], job, &gate);
		_exit(0);
	}
	pin(0);
	reader(fd[1], job, &gate);
	cell_join(pid);
	if (to->ops > from->ops || (to->ops < from->ops && !peer->lossy))
		cell_fail("%llu messages were sent and %llu arrived",
			  (unsigned long long)from->ops, (unsigned long long)to->ops);
	to->lost = from->ops - to->ops;
	cell_sides(job, from, to);
}
