// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a measurement needs a lot of: names bound, pairs open.  Making them takes
 * longer than to measure beside them, so that a process of its own makes them
 * once, in a network namespace of its own, and keeps them through all rounds.  A
 * cell enters that namespace.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MAKE_LIMIT_MS	180000
#define END_LIMIT_MS	60000
#define SPARE_FILES	200

struct hold {
	const struct job *job;
	const struct peer *peer;
	pid_t	pid;
	int	netns;		/* below 0: there is none, see why */
	enum cell_status status;
	char	why[200];
};

static struct hold holds[32];
static size_t nholds;

static void make_names(const struct peer *peer, int n)
{
	struct addr addr;

	raise_nofile(n + SPARE_FILES);
	while (n--)
		peer_listen(peer, SOCK_DGRAM, -1, &addr);
}

static void make_pairs(const struct peer *peer, int n)
{
	struct addr addr;
	int listener, fd[2];

	raise_nofile(2 * n + SPARE_FILES);
	listener = peer_listen(peer, SOCK_STREAM, 8, &addr);
	while (n--)
		peer_accepted(peer, SOCK_STREAM, listener, &addr, fd);
}

static void __noreturn holder(const struct job *job, const struct peer *peer,
			      int ready)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET))
		cell_skip("no network namespace of its own: %m");
	if (job->arg & HOLD_PAIRS)
		make_pairs(peer, job->arg & HOLD_MASK);
	else
		make_names(peer, job->arg & HOLD_MASK);
	if (write(ready, "r", 1) != 1)
		cell_fail("write: %m");
	close(ready);
	for (;;)
		pause();
}

static bool is_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, MAKE_LIMIT_MS) == 1 && read(fd, &c, 1) == 1;
}

static int open_netns(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Have what this job needs with this peer. */
void hold_prepare(const struct job *job, const struct peer *peer)
{
	struct hold *hold = &holds[nholds++];
	int ready[2];

	if (nholds > ARRAY_SIZE(holds) || pipe2(ready, O_CLOEXEC)) {
		perror("bench: hold_prepare");
		exit(1);
	}
	hold->job = job;
	hold->peer = peer;
	hold->netns = -1;
	memset(cell, 0, sizeof(*cell));
	fprintf(stderr, "bench: making %d %s of %s\n", job->arg & HOLD_MASK,
		job->arg & HOLD_PAIRS ? "pairs" : "names", peer->title);
	fflush(NULL);
	hold->pid = fork();
	if (!hold->pid) {
		close(ready[0]);
		holder(job, peer, ready[1]);
	}
	close(ready[1]);
	if (hold->pid > 0 && is_ready(ready[0]))
		hold->netns = open_netns(hold->pid);
	close(ready[0]);
	if (hold->netns >= 0)
		return;
	hold->status = cell->status == CELL_SKIPPED ? CELL_SKIPPED : CELL_FAILED;
	snprintf(hold->why, sizeof(hold->why), "%s",
		 cell->why[0] ? cell->why : "making what is to be held took too long");
}

/* In a cell: go where they are. */
void hold_enter(const struct job *job, const struct peer *peer)
{
	for (size_t i = 0; i < nholds; i++) {
		const struct hold *hold = &holds[i];

		if (hold->job != job || hold->peer != peer)
			continue;
		if (hold->netns < 0 && hold->status == CELL_SKIPPED)
			cell_skip("%s", hold->why);
		if (hold->netns < 0)
			cell_fail("%s", hold->why);
		if (setns(hold->netns, CLONE_NEWNET))
			cell_fail("setns: %m");
		return;
	}
	cell_skip("not in a quick run: making so many takes too long");
}

/* Whoever reads the kernel log afterwards wants them gone. */
void hold_end(void)
{
	uint64_t end = now_ns() + END_LIMIT_MS * NSEC_PER_MSEC;
	const struct timespec nap = { .tv_nsec = 10 * NSEC_PER_MSEC };

	for (size_t i = 0; i < nholds; i++) {
		if (holds[i].netns >= 0)
			close(holds[i].netns);
		if (holds[i].pid > 0)
			kill(holds[i].pid, SIGKILL);
	}
	while (waitpid(-1, NULL, WNOHANG) >= 0 && now_ns() < end)
		nanosleep(&nap, NULL);
}
