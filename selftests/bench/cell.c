// SPDX-License-Identifier: GPL-2.0-only
/*
 * One cell: a job with a peer, in a process group of its own, under a time
 * limit.
 *
 * The leader of the group does the job and forks what it needs.  All of them
 * hold the write end of a pipe: its end-of-file says that the last of them is
 * gone, and when that does not come in time, the whole group is killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define KILL_WAIT_MS	10000

struct cell *cell;

void cell_init(void)
{
	cell = mmap(NULL, sizeof(*cell), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (cell == MAP_FAILED) {
		perror("bench: mmap");
		exit(1);
	}
	/* Whoever loses its leader becomes ours to reap. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
}

/* The first word counts: a failure makes others fail. */
static void conclude(enum cell_status status, const char *fmt, va_list ap)
{
	enum cell_status was = CELL_NOTHING;

	if (__atomic_compare_exchange_n(&cell->status, &was, status, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ||
	    was == CELL_OK) {
		cell->status = status;
		vsnprintf(cell->why, sizeof(cell->why), fmt, ap);
	}
}

void cell_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conclude(CELL_SKIPPED, fmt, ap);
	va_end(ap);
	/* The others of the cell may wait for us. */
	kill(0, SIGKILL);
	_exit(0);
}

void cell_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conclude(CELL_FAILED, fmt, ap);
	va_end(ap);
	kill(0, SIGKILL);
	_exit(1);
}

struct sample *cell_sample(const char *row)
{
	struct sample *s;

	if (cell->nsamples == CELL_SAMPLES)
		cell_fail("more samples than there is room for");
	s = &cell->sample[cell->nsamples++];
	memset(s, 0, sizeof(*s));
	s->row = row;
	return s;
}

/*
 * What came from one side to the other, as the sample of the job's only row.
 * Time runs from the first write to the last read.
 */
void cell_sides(const struct job *job, const struct side *from,
		const struct side *to)
{
	struct sample *s = cell_sample(job->rows[0].id);

	s->ns = to->t1 - from->t0;
	s->bytes = to->bytes;
	s->ops = to->ops;
	s->lost = to->lost;
	s->cpu_ns = from->cpu + to->cpu;
	if (!to->ops || !to->bytes || to->t1 <= from->t0)
		cell_fail("nothing arrived");
	switch (job->rows[0].unit) {
	case UNIT_BYTES_S:
		s->value = s->bytes * 1e9 / s->ns;
		break;
	case UNIT_OPS_S:
		s->value = s->ops * 1e9 / s->ns;
		break;
	case UNIT_NS:
		s->value = (double)s->ns / s->ops;
		break;
	default:
		cell_fail("the unit of %s does not fit", job->rows[0].id);
	}
}

/* ---- gates ---- */

/*
 * gate_wait() says "ready" and blocks until gate_open(), which waits for n to be
 * ready.
 */
void gate_init(struct gate *gate)
{
	if (pipe(gate->ready) || pipe(gate->go))
		cell_fail("pipe: %m");
}

void gate_wait(struct gate *gate)
{
	char c = 0;

	if (write(gate->ready[1], &c, 1) != 1 || read(gate->go[0], &c, 1) != 1)
		cell_fail("the gate is broken: %m");
}

void gate_open(struct gate *gate, unsigned int n)
{
	char c;

	for (unsigned int i = 0; i < n; i++)
		if (read(gate->ready[0], &c, 1) != 1)
			cell_fail("the gate is broken: %m");
	for (unsigned int i = 0; i < n; i++)
		if (write(gate->go[1], &c, 1) != 1)
			cell_fail("the gate is broken: %m");
}

/* ---- processes ---- */

/* fork(), with the child on that CPU. */
pid_t cell_fork(int cpu)
{
	pid_t pid = fork();

	if (pid < 0)
		cell_fail("fork: %m");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(cpu);
	}
	return pid;
}

void cell_join(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			cell_fail("waitpid: %m");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		cell_fail("the other process of the cell ended with %#x", status);
}

static void __noreturn lead(const struct job *job, const struct peer *peer)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	use_socket_calls(peer->family);
	job->run(job, peer);
	if (cell->status == CELL_NOTHING) {
		if (!cell->nsamples)
			cell_fail("no sample");
		cell->status = CELL_OK;
	}
	_exit(0);
}

/* false: it did not end within ms. */
static bool wait_eof(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t end = now_ns() + ms * NSEC_PER_MSEC;
	int left = ms;

	while (poll(&p, 1, left) <= 0) {
		uint64_t now = now_ns();

		if (now >= end)
			return false;
		left = (end - now) / NSEC_PER_MSEC + 1;
	}
	return true;
}

void cell_run(const struct job *job, const struct peer *peer)
{
	unsigned int limit = (job->slow ? settings.slow_limit_s : settings.cell_limit_s) +
			     4 * settings.box_ns / NSEC_PER_SEC;
	int alive[2];
	pid_t pid;

	memset(cell, 0, sizeof(*cell));
	if (pipe2(alive, 0)) {
		perror("bench: pipe");
		exit(1);
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("bench: fork");
		exit(1);
	}
	if (!pid) {
		close(alive[0]);
		lead(job, peer);
	}
	setpgid(pid, pid);
	close(alive[1]);
	if (!wait_eof(alive[0], limit * 1000)) {
		kill(-pid, SIGKILL);
		cell->status = CELL_FAILED;
		snprintf(cell->why, sizeof(cell->why), "hung: killed after %u s%s",
			 limit, wait_eof(alive[0], KILL_WAIT_MS) ? "" :
			 ", and it cannot be killed");
	}
	close(alive[0]);
	kill(-pid, SIGKILL);
	/* The leader has ended, or cannot be killed: never block on it. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (cell->status == CELL_NOTHING) {
		cell->status = CELL_FAILED;
		snprintf(cell->why, sizeof(cell->why), "it died without a word");
	}
}
