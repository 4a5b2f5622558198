// SPDX-License-Identifier: GPL-2.0-only
/*
 * Servers with epoll: eight senders into one reader, and an echo server with a
 * thousand connections, all of them busy.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"

#define EVENTS	64

enum { SERVER, CLIENT };	/* and more clients behind it */

static int epoll_new(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		cell_fail("epoll_create1: %m");
	return fd;
}

static void epoll_add(int epoll, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev))
		cell_fail("epoll_ctl: %m");
}

static int epoll_next(int epoll, struct epoll_event *ev)
{
	int n = epoll_wait(epoll, ev, EVENTS, -1);

	if (n < 0)
		cell_fail("epoll_wait: %m");
	return n;
}

/* ---- many senders, one reader ---- */

/* The reader has CPU 0, the senders share the others. */
static int sender_cpu(unsigned int i)
{
	return settings.cpus < 2 ? 0 : 1 + i % (settings.cpus - 1);
}

static void fanin_sender(int fd, const struct job *job, struct side *side,
			 struct gate *gate)
{
	unsigned int stride = deadline_stride(job->size);
	char *buf = buffer(job->size);
	uint64_t end;

	pattern_fill(buf, job->size, 0);
	write_full(fd, buf, job->size);
	gate_wait(gate);
	side_begin(side);
	end = side->t0 + settings.box_ns;
	do {
		for (unsigned int i = 0; i < stride; i++)
			write_full(fd, buf, job->size);
		side->ops += stride;
	} while (now_ns() < end);
	side_end(side);
	side->bytes = side->ops * job->size;
	shutdown(fd, SHUT_WR);
	close(fd);
}

static void fanin_reader(int epoll, int left, const struct job *job)
{
	struct side *side = &cell->side[SERVER];
	struct epoll_event ev[EVENTS];
	char *buf = buffer(job->rsize);

	side_begin(side);
	while (left) {
		int n = epoll_next(epoll, ev);

		for (int i = 0; i < n; i++) {
			ssize_t len = get_some(ev[i].data.fd, buf, job->rsize);

			if (len > 0) {
				side->bytes += len;
				continue;
			}
			if (len < 0 && errno != ECONNRESET)
				cell_fail("read: %m");
			epoll_ctl(epoll, EPOLL_CTL_DEL, ev[i].data.fd, NULL);
			left--;
		}
	}
	side_end(side);
	side->ops = side->bytes / job->size;
}

void work_fanin(const struct job *job, const struct peer *peer)
{
	struct side *s = &cell->side[SERVER], *c = &cell->side[CLIENT], sum = { 0 };
	int in[2], out[2], n = job->arg, fd[CELL_SIDES];
	char *buf = buffer(job->size);
	pid_t pid[CELL_SIDES];
	int epoll = epoll_new();
	struct gate gate;

	gate_init(&gate);
	for (int i = 0; i < n; i++) {
		peer_duplex(peer, job->type, in, out);
		fd[i] = in[1];
		pid[i] = cell_fork(sender_cpu(i));
		if (!pid[i]) {
			for (int j = 0; j <= i; j++)
				close(fd[j]);
			fanin_sender(out[0], job, &c[i], &gate);
			_exit(0);
		}
		close(out[0]);
		if (in[0] != out[0]) {
			close(in[0]);
			close(out[1]);
		}
	}
	pin(0);
	for (int i = 0; i < n; i++) {
		if (!read_full(fd[i], buf, job->size) ||
		    !pattern_ok(buf, job->size, 0))
			cell_fail("the data differ from what was sent");
		epoll_add(epoll, fd[i]);
	}
	gate_open(&gate, n);
	fanin_reader(epoll, n, job);
	for (int i = 0; i < n; i++) {
		cell_join(pid[i]);
		sum.bytes += c[i].bytes;
		sum.cpu += c[i].cpu;
		if (!sum.t0 || c[i].t0 < sum.t0)
			sum.t0 = c[i].t0;
	}
	if (sum.bytes != s->bytes)
		cell_fail("%llu bytes were sent and %llu arrived",
			  (unsigned long long)sum.bytes, (unsigned long long)s->bytes);
	cell_sides(job, &sum, s);
}

/* ---- the echo server ---- */

/* A message is so short that it never arrives in two parts. */
static bool echo_read(int fd, char *buf, size_t size)
{
	ssize_t n = get_some(fd, buf, size);

	if (n < 0 && errno != ECONNRESET)
		cell_fail("read: %m");
	if (n > 0 && n != (ssize_t)size)
		cell_fail("a message of %zu bytes arrived as %zd", size, n);
	return n > 0;
}

static void echo_server(const int *fd, int left, const struct job *job,
			struct gate *gate)
{
	struct side *side = &cell->side[SERVER];
	struct epoll_event ev[EVENTS];
	char *buf = buffer(job->size);
	int epoll = epoll_new();

	for (int i = 0; i < left; i++)
		epoll_add(epoll, fd[i]);
	gate_wait(gate);
	side_begin(side);
	while (left) {
		int n = epoll_next(epoll, ev);

		for (int i = 0; i < n; i++) {
			if (echo_read(ev[i].data.fd, buf, job->size)) {
				write_full(ev[i].data.fd, buf, job->size);
				side->ops++;
				continue;
			}
			epoll_ctl(epoll, EPOLL_CTL_DEL, ev[i].data.fd, NULL);
			left--;
		}
	}
	side_end(side);
}

/* Every connection has one message on its way, until the time is up. */
static void echo_client(const int *fd, int n, const struct job *job)
{
	struct side *side = &cell->side[CLIENT];
	struct epoll_event ev[EVENTS];
	char *buf = buffer(job->size);
	int epoll = epoll_new(), on_way = n;
	uint64_t end;

	pattern_fill(buf, job->size, 0);
	side_begin(side);
	end = side->t0 + settings.box_ns;
	for (int i = 0; i < n; i++) {
		epoll_add(epoll, fd[i]);
		write_full(fd[i], buf, job->size);
	}
	while (on_way) {
		int got = epoll_next(epoll, ev);
		bool more = now_ns() < end;

		for (int i = 0; i < got; i++) {
			if (!echo_read(ev[i].data.fd, buf, job->size))
				cell_fail("the server has closed");
			side->ops++;
			/* A full turn of them at least. */
			if (more || side->ops < (uint64_t)n)
				write_full(ev[i].data.fd, buf, job->size);
			else
				on_way--;
		}
	}
	side_end(side);
	if (!pattern_ok(buf, job->size, 0))
		cell_fail("the answer differs from the request");
}

void work_echo(const struct job *job, const struct peer *peer)
{
	struct side *s = &cell->side[SERVER], *c = &cell->side[CLIENT];
	int n = job->arg, pair[2], listener;
	int *fd[2] = { buffer(n * sizeof(int)), buffer(n * sizeof(int)) };
	struct gate gate;
	struct addr addr;
	pid_t pid;

	raise_nofile(2 * n + 100);
	gate_init(&gate);
	listener = peer_listen(peer, job->type, 8, &addr);
	for (int i = 0; i < n; i++) {
		peer_accepted(peer, job->type, listener, &addr, pair);
		fd[CLIENT][i] = pair[0];
		fd[SERVER][i] = pair[1];
	}
	pid = cell_fork(0);
	if (!pid) {
		for (int i = 0; i < n; i++)
			close(fd[CLIENT][i]);
		echo_server(fd[SERVER], n, job, &gate);
		_exit(0);
	}
	for (int i = 0; i < n; i++)
		close(fd[SERVER][i]);
	pin(1);
	gate_open(&gate, 1);
	echo_client(fd[CLIENT], n, job);
	for (int i = 0; i < n; i++)
		close(fd[CLIENT][i]);
	cell_join(pid);
	if (s->ops != c->ops)
		cell_fail("%llu answers to %llu requests", (unsigned long long)s->ops,
			  (unsigned long long)c->ops);
	c->bytes = 2 * c->ops * job->size;
	cell_sides(job, c, c);
	cell->sample[0].cpu_ns = c->cpu + s->cpu;
}
