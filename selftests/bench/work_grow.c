// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the cost of a call grows with what else there is: names bound, pairs open
 * (hold.c has made them), connections in a listener's queue.  One thread
 * measures, so that nothing but the call counts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define BATCH		32
#define MIN_BATCHES	5
#define MAX_BATCHES	4096
#define SPARE_FILES	200

/* What is measured with. */
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

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/*
 * As the sample of a row: the median of the batches, which a pause of the whole
 * machine does not touch.
 */
static void measure(struct tools *t, batch_fn *batch, size_t row)
{
	static uint64_t took[MAX_BATCHES];
	struct sample *s = cell_sample(t->job->rows[row].id);
	uint64_t end, cpu;
	size_t n = 0;

	batch(t);		/* warm */
	cpu = cpu_ns();
	end = now_ns() + settings.box_ns / 3;
	do {
		took[n] = batch(t);
		s->ns += took[n++];
	} while (n < MIN_BATCHES || (n < MAX_BATCHES && now_ns() < end));
	s->cpu_ns = cpu_ns() - cpu;
	s->ops = n * BATCH;
	qsort(took, n, sizeof(*took), compare);
	s->value = (double)took[n / 2] / BATCH;
}

void work_grow(const struct job *job, const struct peer *peer)
{
	struct tools t;

	pin(0);
	hold_enter(job, peer);
	tools_init(&t, job, peer);
	measure(&t, batch_bind, 0);
	measure(&t, batch_connect, 1);
	measure(&t, job->arg & HOLD_PAIRS ? batch_send : batch_sendto, 2);
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
