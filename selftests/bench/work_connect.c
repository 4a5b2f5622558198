// SPDX-License-Identifier: GPL-2.0-only
/*
 * connect() + accept() + close() of both ends: how many a second.  By a client
 * and a server on a CPU each, and by one thread that does all of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define BACKLOG	4096	/* TCP drops what does not fit, and asks a second later */

enum { CLIENT, SERVER };

/* The first connection carries a byte each way, and so proves that it is one. */
static void check(int from, int to)
{
	char c = 'c';

	write_full(from, &c, 1);
	c = 0;
	if (!read_full(to, &c, 1) || c != 'c')
		cell_fail("a new connection does not carry data");
}

static void client(const struct peer *peer, const struct job *job,
		   const struct addr *addr, struct gate *gate)
{
	struct side *side = &cell->side[CLIENT];
	uint64_t end;
	int fd;

	fd = peer_connect(peer, job->type, addr);
	check(fd, fd);
	close(fd);
	gate_wait(gate);
	side_begin(side);
	end = side->t0 + settings.box_ns;
	do {
		for (int i = 0; i < 4; i++)
			close(peer_connect(peer, job->type, addr));
		side->ops += 4;
	} while (now_ns() < end);
	side_end(side);
	/* One more, so that the server has one to see the end by. */
	__atomic_store_n(&cell->stop, 1, __ATOMIC_RELEASE);
	close(peer_connect(peer, job->type, addr));
}

void work_connect(const struct job *job, const struct peer *peer)
{
	struct side *c = &cell->side[CLIENT], *s = &cell->side[SERVER];
	struct gate gate;
	struct addr addr;
	int listener, fd;
	char byte;
	pid_t pid;

	gate_init(&gate);
	listener = peer_listen(peer, job->type, BACKLOG, &addr);
	pid = cell_fork(1);
	if (!pid) {
		client(peer, job, &addr, &gate);
		_exit(0);
	}
	pin(0);
	fd = accept(listener, NULL, NULL);
	if (fd < 0 || !read_full(fd, &byte, 1))
		cell_fail("accept: %m");
	write_full(fd, &byte, 1);
	close(fd);
	gate_open(&gate, 1);
	side_begin(s);
	/* Until all that the client made are through, and the one behind them. */
	do {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			cell_fail("accept: %m");
		close(fd);
		s->ops++;
	} while (!__atomic_load_n(&cell->stop, __ATOMIC_ACQUIRE) || s->ops <= c->ops);
	side_end(s);
	cell_join(pid);
	s->bytes = s->ops;	/* none, but something did happen */
	cell_sides(job, c, s);
	cell->sample[0].bytes = 0;
}

void work_connect_thread(const struct job *job, const struct peer *peer)
{
	struct side *side = &cell->side[0];
	struct addr addr;
	int listener, fd[2];
	uint64_t end;

	if (peer->connect_waits)
		cell_skip("connect() waits for accept(): not with one thread");
	pin(0);
	listener = peer_listen(peer, job->type, BACKLOG, &addr);
	peer_accepted(peer, job->type, listener, &addr, fd);
	check(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
	side_begin(side);
	end = side->t0 + settings.box_ns;
	do {
		for (int i = 0; i < 4; i++) {
			fd[0] = peer_connect(peer, job->type, &addr);
			fd[1] = accept(listener, NULL, NULL);
			if (fd[1] < 0)
				cell_fail("accept: %m");
			close(fd[0]);
			close(fd[1]);
		}
		side->ops += 4;
	} while (now_ns() < end);
	side_end(side);
	side->bytes = side->ops;
	cell_sides(job, side, side);
	cell->sample[0].bytes = 0;
	cell->sample[0].cpu_ns = side->cpu;
}
