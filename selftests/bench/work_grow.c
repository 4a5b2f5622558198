// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the cost of a call grows with what else there is: names bound, pairs open,
 * connections in a listener's queue.  One thread measures, so that nothing but
 * the call counts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"

#define BATCH		32
#define STEPS		3
#define SPARE_FILES	200

/* What is measured with, made before all else, while few files are open. */
struct tools {
	const struct job *job;
	const struct peer *peer;
	struct addr	addr;		/* of listener */
	int		listener;
	struct addr	to;		/* of dgram[1] */
	int		dgram[2];
	int		stream[2];
	char		buf[64];
};

static void tools_init(struct tools *t, const struct job *job,
		       const struct peer *peer)
{
	struct addr addr;

	memset(t, 0, sizeof(*t));
	t->job = job;
	t->peer = peer;
	t->listener = peer_listen(peer, SOCK_STREAM, 128, &t->addr);
	t->dgram[0] = peer_listen(peer, SOCK_DGRAM, -1, &addr);
	t->dgram[1] = peer_listen(peer, SOCK_DGRAM, -1, &t->to);
	peer_accepted(peer, SOCK_STREAM, t->listener, &t->addr, t->stream);
	pattern_fill(t->buf, sizeof(t->buf), 0);
}

typedef uint64_t batch_fn(struct tools *t);

/* bind() to a new name and close(), which gives it back. */
static uint64_t batch_bind(struct tools *t)
{
	static unsigned int next = 1U << 30;
	struct addr addr[BATCH];
	uint64_t begin;
	int fd[BATCH];

	for (int i = 0; i < BATCH; i++) {
		fd[i] = peer_socket(t->peer, SOCK_DGRAM);
		t->peer->address(&addr[i], next++);
	}
	begin = now_ns();
	for (int i = 0; i < BATCH; i++)
		if (bind(fd[i], &addr[i].sa, addr[i].len))
			cell_fail("bind: %m");
	for (int i = 0; i < BATCH; i++)
		close(fd[i]);
	return now_ns() - begin;
}

static uint64_t batch_connect(struct tools *t)
{
	uint64_t begin = now_ns();
	int fd[2];

	for (int i = 0; i < BATCH; i++) {
		fd[0] = peer_connect(t->peer, SOCK_STREAM, &t->addr);
		peer_no_time_wait(t->peer, fd[0]);
		fd[1] = accept(t->listener, NULL, NULL);
		if (fd[1] < 0)
			cell_fail("accept: %m");
		close(fd[0]);
		close(fd[1]);
	}
	return now_ns() - begin;
}

static void check(const struct tools *t, const char *buf, ssize_t n)
{
	if (n < 0)
		cell_fail("recv: %m");
	if (n != sizeof(t->buf) || memcmp(buf, t->buf, n))
		cell_fail("the data differ from what was sent");
}

/* To a name, which is looked up each time. */
static uint64_t batch_sendto(struct tools *t)
{
	char buf[sizeof(t->buf)];
	uint64_t begin = now_ns();
	ssize_t n;

	for (int i = 0; i < BATCH; i++) {
		n = sendto(t->dgram[0], t->buf, sizeof(t->buf), 0, &t->to.sa, t->to.len);
		if (n != sizeof(t->buf))
			cell_fail("sendto: %m");
		check(t, buf, recv(t->dgram[1], buf, sizeof(buf), 0));
	}
	return now_ns() - begin;
}

static uint64_t batch_send(struct tools *t)
{
	char buf[sizeof(t->buf)];
	uint64_t begin = now_ns();

	for (int i = 0; i < BATCH; i++) {
		if (send(t->stream[0], t->buf, sizeof(t->buf), 0) != sizeof(t->buf))
			cell_fail("send: %m");
		check(t, buf, recv(t->stream[1], buf, sizeof(buf), 0));
	}
	return now_ns() - begin;
}

/* The mean of one call, as the sample of a row. */
static void measure(struct tools *t, batch_fn *batch, size_t row)
{
	struct sample *s = cell_sample(t->job->rows[row].id);
	uint64_t end, cpu;

	batch(t);		/* warm */
	cpu = cpu_ns();
	end = now_ns() + settings.box_ns / 3;
	do {
		s->ns += batch(t);
		s->ops += BATCH;
	} while (now_ns() < end);
	s->cpu_ns = cpu_ns() - cpu;
	s->value = (double)s->ns / s->ops;
}

/* The rows of a step: bind, connect, send. */
static void measure_step(struct tools *t, int step, batch_fn *send)
{
	measure(t, batch_bind, 3 * step);
	measure(t, batch_connect, 3 * step + 1);
	measure(t, send, 3 * step + 2);
}

void work_grow_names(const struct job *job, const struct peer *peer)
{
	static const unsigned int names[STEPS] = { 10, 1000, 100000 };
	struct tools t;
	struct addr addr;
	unsigned int have = 3;	/* the tools' */

	pin(0);
	raise_nofile(names[STEPS - 1] + SPARE_FILES);
	tools_init(&t, job, peer);
	for (int step = 0; step < STEPS; step++) {
		for (; have < names[step]; have++)
			peer_listen(peer, SOCK_DGRAM, -1, &addr);
		measure_step(&t, step, batch_sendto);
	}
}

void work_grow_pairs(const struct job *job, const struct peer *peer)
{
	static const unsigned int pairs[STEPS] = { 10, 1000, 50000 };
	unsigned int have = 1;	/* the tools' */
	struct tools t;
	int fd[2];

	pin(0);
	raise_nofile(2 * pairs[STEPS - 1] + SPARE_FILES);
	tools_init(&t, job, peer);
	for (int step = 0; step < STEPS; step++) {
		for (; have < pairs[step]; have++)
			peer_accepted(peer, SOCK_STREAM, t.listener, &t.addr, fd);
		measure_step(&t, step, batch_send);
	}
}

/* A listener whose queue is full but for one place. */
void work_backlog(const struct job *job, const struct peer *peer)
{
	static const unsigned int backlog[] = { 10, 4096 };
	struct tools t;

	pin(0);
	memset(&t, 0, sizeof(t));
	t.job = job;
	t.peer = peer;
	for (size_t i = 0; i < ARRAY_SIZE(backlog); i++) {
		raise_nofile(backlog[i] + SPARE_FILES);
		t.listener = peer_listen(peer, SOCK_STREAM, backlog[i], &t.addr);
		for (unsigned int n = 1; n < backlog[i]; n++)
			peer_no_time_wait(peer,
					  peer_connect(peer, SOCK_STREAM, &t.addr));
		measure(&t, batch_connect, i);
	}
}
