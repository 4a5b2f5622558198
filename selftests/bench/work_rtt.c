// SPDX-License-Identifier: GPL-2.0-only
/*
 * Round trips: a request of a few bytes and an answer of as many, one at a time.
 * Client and server share CPU 0, or the client has CPU 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define CHECKED_TRIPS	64

enum { CLIENT, SERVER };

static bool answer(int in, int out, char *buf, size_t size)
{
	if (!read_full(in, buf, size))
		return false;
	write_full(out, buf, size);
	return true;
}

static void server(int in, int out, const struct job *job)
{
	struct side *side = &cell->side[SERVER];
	char *buf = buffer(job->size);

	for (int i = 0; i < CHECKED_TRIPS; i++)
		if (!answer(in, out, buf, job->size))
			cell_fail("the client has closed");
	side_begin(side);
	while (answer(in, out, buf, job->size))
		side->ops++;
	side_end(side);
}

static void trip(int in, int out, char *buf, size_t size)
{
	write_full(out, buf, size);
	if (!read_full(in, buf, size))
		cell_fail("the server has closed");
}

static void client(int in, int out, const struct job *job)
{
	struct side *side = &cell->side[CLIENT];
	char *buf = buffer(job->size);
	uint64_t end;

	for (int i = 0; i < CHECKED_TRIPS; i++) {
		pattern_fill(buf, job->size, i * job->size);
		trip(in, out, buf, job->size);
		if (!pattern_ok(buf, job->size, i * job->size))
			cell_fail("the answer differs from the request");
	}
	side_begin(side);
	end = side->t0 + settings.box_ns;
	do {
		for (int i = 0; i < 16; i++)
			trip(in, out, buf, job->size);
		side->ops += 16;
	} while (now_ns() < end);
	side_end(side);
}

static void busy_poll(const struct peer *peer, int fd, unsigned int us)
{
	int err;

	/* The others sleep: that is what they can do. */
	if (!peer->busy_poll)
		return;
	err = peer->busy_poll(fd, us);
	if (err == -ENOPROTOOPT)
		cell_skip("no busy polling in this %s: ENOPROTOOPT", peer->title);
	if (err)
		cell_fail("setsockopt for busy polling: %s", strerror(-err));
}

void work_rtt(const struct job *job, const struct peer *peer)
{
	struct side *c = &cell->side[CLIENT], *s = &cell->side[SERVER];
	struct sample *sample;
	int in[2], out[2];
	pid_t pid;

	if (peer->bit >= PEER_SHM) {
		limit_rtt(job, peer);
		return;
	}
	if (job->arg & RTT_CROSS && settings.cpus < 2)
		cell_skip("it is about two CPUs");
	peer_duplex(peer, job->type, in, out);
	if (job->arg & (RTT_BUSY | RTT_SLEEP))
		for (int i = 0; i < 2; i++)
			busy_poll(peer, in[i], job->arg & RTT_BUSY ?
				  settings.busy_us : 0);
	pid = cell_fork(0);
	if (!pid) {
		close(in[0]);
		close(out[0]);
		server(in[1], out[1], job);
		_exit(0);
	}
	close(in[1]);
	close(out[1]);
	pin(job->arg & RTT_CROSS ? 1 : 0);
	client(in[0], out[0], job);
	close(in[0]);
	close(out[0]);
	cell_join(pid);
	if (s->ops != c->ops)
		cell_fail("%llu answers to %llu requests", (unsigned long long)s->ops,
			  (unsigned long long)c->ops);
	sample = cell_sample(job->rows[0].id);
	sample->ns = c->t1 - c->t0;
	sample->ops = c->ops;
	sample->bytes = 2 * c->ops * job->size;
	sample->cpu_ns = c->cpu + s->cpu;
	sample->value = (double)sample->ns / c->ops;
}
