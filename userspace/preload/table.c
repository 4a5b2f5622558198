// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel does not tell about an fd, and the doubled sockets.
 *
 * Two levels, so that an fd of a million costs a page or two; a chunk is mapped
 * when first needed, published with one compare-and-swap, and never given back.
 *
 * A slot may be out of date, since not every close() passes here.  Who uses one
 * for more than a hint checks with the kernel; socket() begins a new one.
 *
 * Context: any, signal handlers too: no malloc(), and no lock in run_slot().
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "preload.h"

#define CHUNK	1024
#define CHUNKS	1024
#define LOCKS	64
/* Where the sides go, if the program may have so many fds. */
#define SIDE_MIN	800

static struct run_slot *_Atomic chunks[CHUNKS];
static atomic_flag locks[LOCKS];

struct run_pair run_pairs[RUN_PAIRS];
atomic_int run_pairs_used;

struct run_slot *run_slot(int fd, bool make)
{
	struct run_slot *chunk, *none = NULL;

	if (fd < 0 || fd >= CHUNK * CHUNKS)
		return NULL;
	chunk = atomic_load_explicit(&chunks[fd / CHUNK], memory_order_acquire);
	if (UNLIKELY(!chunk)) {
		size_t size = CHUNK * sizeof(*chunk);

		if (!make)
			return NULL;
		chunk = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (chunk == MAP_FAILED)
			return NULL;
		if (!atomic_compare_exchange_strong(&chunks[fd / CHUNK], &none, chunk)) {
			munmap(chunk, size);
			chunk = none;
		}
	}
	return chunk + fd % CHUNK;
}

enum run_kind run_kind(int fd)
{
	struct run_slot *slot = run_slot(fd, false);

	return slot ? atomic_load_explicit(&slot->kind, memory_order_acquire) : RUN_NONE;
}

/* The doubled socket that fd is, or NULL. */
struct run_pair *run_pair_of(int fd)
{
	struct run_slot *slot;

	if (!atomic_load_explicit(&run_pairs_used, memory_order_relaxed))
		return NULL;
	slot = run_slot(fd, false);
	if (!slot || atomic_load_explicit(&slot->kind, memory_order_acquire) != RUN_PAIR)
		return NULL;
	return &run_pairs[atomic_load(&slot->pair)];
}

/* Remember that side stands beside fd; NULL: no room. */
struct run_pair *run_pair_new(int fd, int side)
{
	struct run_slot *slot = run_slot(fd, true);

	if (!slot)
		return NULL;
	for (int i = 0; i < RUN_PAIRS; i++) {
		struct run_pair *p = &run_pairs[i];
		int none = 0;

		if (!atomic_compare_exchange_strong(&p->refs, &none, 1))
			continue;
		atomic_store(&p->side, side);
		run_side_mark(side);
		atomic_store(&slot->pair, i);
		return p;	/* the caller fills it in, then sets the kind */
	}
	return NULL;
}

void run_side_mark(int fd)
{
	struct run_slot *slot = run_slot(fd, true);

	if (slot)
		atomic_store(&slot->kind, RUN_SIDE);
}

struct of_pair {
	struct run_pair	*pair;
	bool		inherited;
};

static bool is_of_pair(struct run_slot *slot, const struct run_pair *p)
{
	return atomic_load(&slot->kind) == RUN_PAIR && &run_pairs[atomic_load(&slot->pair)] == p;
}

static void exec_one(int fd, struct run_slot *slot, void *arg)
{
	struct of_pair *of = arg;

	/* One that is closed by now gives -1. */
	if (is_of_pair(slot, of->pair) && !(real.fcntl(fd, F_GETFD) & FD_CLOEXEC))
		of->inherited = true;
}

/* The side goes over exec() if any fd of the socket does. */
void run_pair_exec(struct run_pair *p)
{
	struct of_pair of = { .pair = p };

	run_slots_each(0, INT32_MAX, exec_one, &of);
	real.fcntl(atomic_load(&p->side), F_SETFD, of.inherited ? 0 : FD_CLOEXEC);
}

struct end {
	struct run_pair	*pair;
	bool		block;
};

static void end_one(int fd, struct run_slot *slot, void *arg)
{
	struct end *end = arg;

	if (!is_of_pair(slot, end->pair))
		return;
	if (end->block)
		real.fcntl(fd, F_SETFL, real.fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	run_slot_forget(fd);
}

/* The side is of no use any more: the socket is as the program made it, under all fds. */
void run_pair_stop(struct run_pair *p)
{
	struct end end = { .pair = p, .block = p->listens && !atomic_load(&p->nonblock) };

	run_slots_each(0, INT32_MAX, end_one, &end);
}

/*
 * The socket goes where the side cannot follow.  Clients of a listener are refused
 * by the side, whoever else has it, and so go to the program's own.
 */
void run_pair_end(int fd)
{
	struct run_pair *p = run_pair_of(fd);

	if (!p)
		return;
	if (p->listens)
		real.shutdown(atomic_load(&p->side), SHUT_RD);
	run_pair_stop(p);
}

static void shadows_copy(const struct run_slot *from, struct run_slot *to)
{
	if (!to || to == from)
		return;
	memcpy(to->shadows, from->shadows, sizeof(to->shadows));
	to->n_shadows = from->n_shadows;
	to->shadow_ino = from->shadow_ino;
}

/* newfd is the same socket as fd. */
void run_pair_share(int fd, int newfd)
{
	struct run_slot *from = run_slot(fd, false), *to;

	if (!from || atomic_load(&from->kind) == RUN_NONE ||
	    atomic_load(&from->kind) == RUN_SIDE) {
		run_slot_forget(newfd);
		/* One that was moved: what was set on it is read of its dup, too. */
		if (from && from->n_shadows && from->shadow_ino)
			shadows_copy(from, run_slot(newfd, true));
		return;
	}
	to = run_slot(newfd, true);
	if (!to || to == from)
		return;
	run_slot_forget(newfd);
	from->dupped = true;
	shadows_copy(from, to);
	to->n_regs = 0;		/* registrations are of a number */
	to->regs_lost = false;
	to->options = from->options;
	to->inherits = from->inherits;
	to->own = from->own;
	to->dupped = true;
	/* Either number may change it from now on. */
	from->block = RUN_BLOCK_UNKNOWN;
	to->block = RUN_BLOCK_UNKNOWN;
	to->path_dev = from->path_dev;
	to->path_ino = from->path_ino;
	atomic_store(&to->pair, atomic_load(&from->pair));
	if (atomic_load(&from->kind) == RUN_PAIR)
		atomic_fetch_add(&run_pairs[atomic_load(&from->pair)].refs, 1);
	atomic_store(&to->kind, atomic_load(&from->kind));
	if (atomic_load(&to->kind) == RUN_PAIR)
		run_pair_exec(&run_pairs[atomic_load(&to->pair)]);
}

struct alias {
	int		fd;
	struct stat	st;
};

static void alias_share(int fd, struct run_slot *slot, void *arg)
{
	struct alias *alias = arg;
	struct run_slot *from = run_slot(alias->fd, true);
	struct run_pair *p = run_pair_of(alias->fd);
	struct stat st;

	if (fd == alias->fd || !p || atomic_load(&slot->kind) != RUN_FRESH || !slot->dupped ||
	    fstat(fd, &st) || st.st_ino != alias->st.st_ino || st.st_dev != alias->st.st_dev)
		return;
	atomic_store(&slot->pair, atomic_load(&from->pair));
	atomic_fetch_add(&p->refs, 1);
	atomic_store(&slot->kind, RUN_PAIR);
	run_regs_carry(fd, atomic_load(&p->side));
}

/* fd has been doubled: so are the numbers that dup() gave it before. */
void run_pair_aliases(int fd)
{
	struct run_slot *slot = run_slot(fd, true);
	struct alias alias = { .fd = fd };

	if (!slot->dupped || fstat(fd, &alias.st))
		return;
	run_slots_each(0, INT32_MAX, alias_share, &alias);
	run_pair_exec(run_pair_of(fd));
}

/* One fd less has the doubled socket; the last one takes the side along. */
void run_pair_drop(struct run_slot *slot)
{
	struct run_pair *p = &run_pairs[atomic_load(&slot->pair)];
	int side = atomic_load(&p->side);

	if (atomic_fetch_sub(&p->refs, 1) > 1) {
		run_pair_exec(p);
		return;
	}
	atomic_fetch_sub(&run_pairs_used, 1);
	run_slot(side, true)->kind = RUN_NONE;
	/* Somebody may have closed it past us, and the number be another's. */
	if (run_is_rill(side))
		run_close(side);
}

/* fd was closed, or is something else now. */
void run_slot_forget(int fd)
{
	struct run_slot *slot = run_slot(fd, false);
	uint8_t kind;

	if (!slot)
		return;
	kind = atomic_load(&slot->kind);
	/* Several threads may come here at once: one of them drops the pair. */
	do {
		if (kind == RUN_NONE || kind == RUN_SIDE)
			return;
	} while (!atomic_compare_exchange_weak(&slot->kind, &kind, RUN_NONE));
	if (kind == RUN_PAIR)
		run_pair_drop(slot);
}

/* A new socket, of which nothing is known yet. */
void run_slot_fresh(int fd)
{
	struct run_slot *slot = run_slot(fd, true);

	if (!slot)
		return;
	run_slot_forget(fd);
	slot->n_regs = 0;
	slot->n_shadows = 0;
	slot->shadow_ino = 0;
	slot->regs_lost = false;
	slot->options = false;
	slot->inherits = false;
	slot->own = false;
	slot->dupped = false;
	atomic_store(&slot->busy, false);
	slot->block = RUN_BLOCK_UNKNOWN;
	slot->path_ino = 0;
	slot->path_dev = 0;
	atomic_store(&slot->kind, RUN_FRESH);
}

/* Put a file of ours out of the way of the program's numbers. */
int run_side_move(int fd)
{
	struct rlimit limit;
	int min = SIDE_MIN, to;
	int cloexec = real.fcntl(fd, F_GETFD) & FD_CLOEXEC;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur <= SIDE_MIN + 100)
		min = (int)limit.rlim_cur / 4 * 3;
	to = real.fcntl(fd, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, min);
	if (to < 0)
		return fd;
	run_close(fd);
	return to;
}

void run_slots_each(int first, int last, void (*fn)(int fd, struct run_slot *, void *), void *arg)
{
	for (int i = first / CHUNK; i < CHUNKS && i * CHUNK <= last; i++) {
		struct run_slot *chunk = atomic_load(&chunks[i]);

		if (!chunk)
			continue;
		for (int j = 0; j < CHUNK; j++) {
			int fd = i * CHUNK + j;

			if (fd >= first && fd <= last && atomic_load(&chunk[j].kind))
				fn(fd, &chunk[j], arg);
		}
	}
}

void run_lock(int fd, sigset_t *saved)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, saved);
	while (atomic_flag_test_and_set_explicit(&locks[fd % LOCKS], memory_order_acquire))
		sched_yield();
}

void run_unlock(int fd, const sigset_t *saved)
{
	atomic_flag_clear_explicit(&locks[fd % LOCKS], memory_order_release);
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

void run_locks_reset(void)
{
	for (int i = 0; i < LOCKS; i++)
		atomic_flag_clear(&locks[i]);
}
