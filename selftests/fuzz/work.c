// SPDX-License-Identifier: GPL-2.0-only
/*
 * The working process: it takes a program, runs it, looks whether it reached
 * something new, and keeps it then, after all calls that have no part in it are
 * taken out.  All that is to outlive it stands in shared memory.
 */
#include "fuzz.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define NEW_MAX		64
#define LIFE		4.0	/* seconds */

double fz_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* False: the process is to end. */
static bool run(const struct fz_prog *prog)
{
	struct fz_state *st = fz_state;
	struct fz_verdict verdict;

	st->recent[st->nrecent % FZ_RECENT] = *prog;
	st->nrecent++;
	fz_run(prog, &verdict, false);
	st->calls += verdict.calls;
	if (*verdict.wrong && !st->is_wrong) {
		memcpy(st->wrong, verdict.wrong, sizeof(st->wrong));
		st->wrong_prog = *prog;
		st->is_wrong = true;
	}
	return !verdict.stuck && !st->is_wrong;
}

/* Take out calls while the program still reaches what is new. */
static bool minimise(struct fz_prog *prog, const uint16_t *list, unsigned int n)
{
	struct fz_prog less;

	for (int i = prog->n - 1; i >= 0; i--) {
		less = *prog;
		if (!fz_remove(&less, i))
			continue;
		if (!run(&less))
			return false;
		if (fz_cover_has(list, n))
			*prog = less;
	}
	for (unsigned int i = 0; i < prog->n; i++) {
		less = *prog;
		if (!less.call[i].mode && !less.call[i].fail)
			continue;
		less.call[i].mode = FZ_HERE;
		less.call[i].fail = 0;
		if (!run(&less))
			return false;
		if (fz_cover_has(list, n))
			*prog = less;
	}
	return true;
}

static void keep(const struct fz_prog *prog, bool blocks)
{
	struct fz_state *st = fz_state;
	unsigned int at = st->ncorpus;

	/* When it is full, ways give place, blocks do not. */
	if (at == FZ_CORPUS) {
		if (!blocks)
			return;
		for (at = st->nseeds; at < FZ_CORPUS; at++)
			if (!st->corpus[at].blocks)
				break;
		if (at == FZ_CORPUS)
			return;
	} else {
		st->ncorpus++;
	}
	st->corpus[at].prog = *prog;
	st->corpus[at].blocks = blocks;
	st->corpus[at].told = false;
}

static const struct fz_prog *pick(struct fz_rand *r)
{
	struct fz_state *st = fz_state;
	unsigned int n = st->ncorpus;

	if (!n)
		return NULL;
	/* What is young has been changed less often. */
	if (fz_below(r, 3) == 0 && n > 32)
		return &st->corpus[n - 1 - fz_below(r, n / 8)].prog;
	return &st->corpus[fz_below(r, n)].prog;
}

static void next(struct fz_rand *r, struct fz_prog *prog)
{
	const struct fz_prog *from = fz_below(r, 20) ? pick(r) : NULL;

	if (from) {
		*prog = *from;
		fz_change(r, prog, pick(r));
	} else {
		fz_make(r, prog);
	}
}

static bool fresh(void)
{
	struct fz_state *st = fz_state;
	uint16_t list[NEW_MAX];
	unsigned int n, edges;
	struct fz_prog prog;
	struct fz_rand r;
	bool go_on;

	r.s = fz_options.seed * 0x2545f4914f6cdd1dULL + st->progs++;
	next(&r, &prog);
	go_on = run(&prog);
	n = fz_cover_merge(list, NEW_MAX, &edges);
	if (n && go_on)
		go_on = minimise(&prog, list, n);
	if (n || edges)
		keep(&prog, n);
	return go_on;
}

static bool replay(uint64_t nr)
{
	struct fz_state *st = fz_state;
	uint16_t list[1];
	unsigned int edges;
	bool go_on;

	go_on = run(&st->corpus[nr].prog);
	if (fz_options.distill)
		fz_cover_map(st->map[nr]);
	fz_cover_merge(list, 1, &edges);
	return go_on;
}

int fz_work(double until, uint64_t replays, uint64_t calls)
{
	struct fz_state *st = fz_state;
	double end = fz_now() + LIFE;
	bool go_on = true;

	if (fz_run_init())
		return 2;
	while (go_on && fz_now() < end) {
		if (st->replayed < replays)
			go_on = replay(st->replayed++ % st->nseeds);
		else if (fz_now() < until && (!calls || st->calls < calls))
			go_on = fresh();
		else
			break;
	}
	/* The other threads may be in a call that only a kill ends. */
	_exit(0);
}
