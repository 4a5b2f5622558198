// SPDX-License-Identifier: GPL-2.0-only
/*
 * close(), dup(), fcntl() and their kin: a side goes where its socket goes, and
 * is out of the program's reach.
 *
 * Context: also between fork() or vfork() and exec(), and in signal handlers: no
 * lock, no malloc().  A child of vfork() has its own fds and our memory: what it
 * does to its fds is done, and the tables stay the parent's.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "preload.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC	4
#endif

#define CHILD_FDS	256	/* how far a child of vfork() looks for a dup */

/*
 * Is the socket of fd also under a number outside first to last?  Only a child of
 * vfork() must ask so, whose own dups are in no table.
 */
static bool is_elsewhere(int fd, unsigned int first, unsigned int last)
{
	struct stat st, other;

	if (fstat(fd, &st))
		return true;	/* closed before: it may well be */
	for (unsigned int i = 0; i < CHILD_FDS; i++)
		if ((i < first || i > last) && !fstat(i, &other) && other.st_ino == st.st_ino &&
		    other.st_dev == st.st_dev)
			return true;
	return false;
}

/* The child of a vfork() closes a doubled socket: the side too, in its own table. */
static void child_close(int fd)
{
	struct run_pair *p = run_pair_of(fd);

	if (p && atomic_load(&p->refs) == 1 && !is_elsewhere(fd, fd, fd))
		run_close(atomic_load(&p->side));
}

/* It gives one to the program that it will start. */
static void child_inherit(int fd, int newfd)
{
	struct run_pair *p = run_pair_of(fd);

	if (p && !(real.fcntl(newfd, F_GETFD) & FD_CLOEXEC))
		real.fcntl(atomic_load(&p->side), F_SETFD, 0);
}

/* newfd was made from fd. */
static void share(int fd, int newfd)
{
	if (run_is_ours())
		run_pair_share(fd, newfd);
	else
		child_inherit(fd, newfd);
}

/* A system call, with nothing of the C library in between. */
static long run_raw(long number, const long *a)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = a[3];
	register long r8 __asm__("r8") = a[4];
	register long r9 __asm__("r9") = a[5];
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "0"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a[0];
	register long x1 __asm__("x1") = a[1];
	register long x2 __asm__("x2") = a[2];
	register long x3 __asm__("x3") = a[3];
	register long x4 __asm__("x4") = a[4];
	register long x5 __asm__("x5") = a[5];

	__asm__ volatile("svc 0" : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
#error "write the system call of this machine"
#endif
}

/* close() for our own files: a thread is not cancelled here.  Returns 0 or -1. */
int run_close(int fd)
{
	long a[6] = { fd };

	return run_raw(SYS_close, a) ? -1 : 0;
}

EXPORT int close(int fd)
{
	enum run_kind kind;

	if (UNLIKELY(!run_is_up))
		return syscall(SYS_close, fd);
	kind = run_kind(fd);
	if (LIKELY(kind == RUN_NONE))
		return real.close(fd);
	if (!run_is_ours()) {
		child_close(fd);
		return kind == RUN_SIDE ? 0 : real.close(fd);
	}
	if (kind == RUN_SIDE) {
		errno = EBADF;
		return -1;
	}
	run_slot_forget(fd);
	return real.close(fd);
}

EXPORT int fclose(FILE *file)
{
	RUN_ENTER();
	if (file) {
		int fd = fileno(file);

		if (fd >= 0 && run_kind(fd) != RUN_NONE && run_kind(fd) != RUN_SIDE &&
		    run_is_ours())
			run_slot_forget(fd);
	}
	return real.fclose(file);
}

struct range {
	unsigned int	first, last;
	int		sides[RUN_PAIRS];
	int		n;
	int		side;		/* whose sockets are looked for */
	bool		outside;	/* one of them is not in the range */
};

static void range_forget(int fd, struct run_slot *slot, void *arg)
{
	(void)arg;
	if (atomic_load(&slot->kind) != RUN_SIDE)
		run_slot_forget(fd);
}

static void range_sides(int fd, struct run_slot *slot, void *arg)
{
	struct range *r = arg;

	if (atomic_load(&slot->kind) == RUN_SIDE && r->n < RUN_PAIRS)
		r->sides[r->n++] = fd;
}

static void range_outside(int fd, struct run_slot *slot, void *arg)
{
	struct range *r = arg;

	if (atomic_load(&slot->kind) == RUN_PAIR &&
	    atomic_load(&run_pairs[atomic_load(&slot->pair)].side) == r->side &&
	    ((unsigned int)fd < r->first || (unsigned int)fd > r->last ||
	     is_elsewhere(fd, r->first, r->last)))
		r->outside = true;
}

/* A child of vfork(), whose tables are its parent's: which sides are to go? */
static void range_child(struct range *r)
{
	int n = 0;

	for (int i = 0; i < r->n; i++) {
		r->side = r->sides[i];
		r->outside = false;
		run_slots_each(0, INT32_MAX, range_outside, r);
		if (r->outside)
			r->sides[n++] = r->side;
	}
	r->n = n;
}

/*
 * Sides of sockets outside the range stay, so it is closed in the pieces between
 * them.  Those of sockets inside go with them.
 */
static int range_close(unsigned int first, unsigned int last, int flags)
{
	static __thread struct range r;
	bool ours = run_is_ours(), marks = flags & CLOSE_RANGE_CLOEXEC;
	unsigned int from = first;
	int max = last > INT32_MAX ? INT32_MAX : (int)last;

	if (first > last || first > INT32_MAX)
		return real.close_range(first, last, flags);
	r.first = first;
	r.last = last;
	r.n = 0;
	/* First the sockets, then what is left of the sides. */
	if (ours && !marks)
		run_slots_each(first, max, range_forget, NULL);
	run_slots_each(first, max, range_sides, &r);
	if (!ours && !marks)
		range_child(&r);
	for (int i = 0; i < r.n; i++) {
		if (from < (unsigned int)r.sides[i] &&
		    real.close_range(from, r.sides[i] - 1, flags))
			return -1;
		from = r.sides[i] + 1;
	}
	if (from <= last && real.close_range(from, last, flags))
		return -1;
	for (int i = 0; i < RUN_PAIRS && ours && marks; i++)
		if (atomic_load(&run_pairs[i].refs))
			run_pair_exec(&run_pairs[i]);
	return 0;
}

EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	RUN_ENTER();
	if (!atomic_load(&run_pairs_used))
		return real.close_range(first, last, flags);
	return range_close(first, last, flags);
}

EXPORT void closefrom(int first)
{
	RUN_ENTER();
	close_range(first < 0 ? 0 : first, ~0u, 0);
}

EXPORT int dup(int fd)
{
	int n;

	RUN_ENTER();
	if (run_kind(fd) == RUN_SIDE) {
		errno = EBADF;
		return -1;
	}
	n = real.dup(fd);
	if (n >= 0)
		share(fd, n);
	return n;
}

/* The file of from will be put over a side's number: the side moves on. */
static void make_way(int from, int fd)
{
	int to, cloexec;

	if (LIKELY(run_kind(fd) != RUN_SIDE) || !run_is_ours())
		return;
	/* It will not. */
	if (from == fd || real.fcntl(from, F_GETFD) < 0)
		return;
	for (int i = 0; i < RUN_PAIRS; i++) {
		struct run_pair *p = &run_pairs[i];

		if (!atomic_load(&p->refs) || atomic_load(&p->side) != fd)
			continue;
		cloexec = real.fcntl(fd, F_GETFD) & FD_CLOEXEC;
		to = real.fcntl(fd, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, fd + 1);
		if (to < 0)
			to = real.fcntl(fd, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, 3);
		if (to < 0) {
			/* Nowhere to go. */
			run_pair_stop(p);
			return;
		}
		/* Epoll entries of the old number end with it: see rill-run(1). */
		run_side_mark(to);
		atomic_store(&p->side, to);
		run_slot(fd, true)->kind = RUN_NONE;
		return;
	}
}

EXPORT int dup2(int fd, int newfd)
{
	int n;

	RUN_ENTER();
	if (fd == newfd)
		return real.dup2(fd, newfd);
	make_way(fd, newfd);
	n = real.dup2(fd, newfd);
	if (n >= 0)
		share(fd, newfd);
	return n;
}

EXPORT int dup3(int fd, int newfd, int flags)
{
	int n;

	RUN_ENTER();
	if (!(flags & ~O_CLOEXEC))
		make_way(fd, newfd);
	n = real.dup3(fd, newfd, flags);
	if (n >= 0)
		share(fd, newfd);
	return n;
}

static int set_nonblock(struct run_pair *p, bool on)
{
	int priority = on ? 0 : 1;

	atomic_store(&p->nonblock, on);
	return real.setsockopt(atomic_load(&p->side), SOL_SOCKET, SO_PRIORITY, &priority,
			       sizeof(priority));
}

static int fcntl_pair(int fd, struct run_pair *p, int cmd, unsigned long arg)
{
	int ret;

	switch (cmd) {
	case F_GETFL:
		ret = real.fcntl(fd, cmd);
		return ret < 0 || !p->listens || atomic_load(&p->nonblock) ? ret :
		       ret & ~O_NONBLOCK;
	case F_SETFL:
		if (!p->listens)
			break;
		ret = real.fcntl(fd, cmd, arg | O_NONBLOCK);
		if (!ret)
			set_nonblock(p, arg & O_NONBLOCK);
		return ret;
	case F_SETFD:
		ret = real.fcntl(fd, cmd, arg);
		run_pair_exec(p);
		return ret;
	}
	return real.fcntl(fd, cmd, arg);
}

/* A listener to be: another process that has it may make it non-blocking. */
static void block_note(int fd, bool block)
{
	struct run_slot *slot = run_slot(fd, false);

	if (slot && slot->block != RUN_BLOCK_UNKNOWN)
		slot->block = block ? RUN_BLOCK_YES : RUN_BLOCK_NO;
}

static int fcntl_any(int fd, int cmd, unsigned long arg)
{
	struct run_pair *p = run_pair_of(fd);
	int ret;

	if (UNLIKELY(p && run_is_ours()))
		ret = fcntl_pair(fd, p, cmd, arg);
	else
		ret = real.fcntl(fd, cmd, arg);
	if (!p && cmd == F_SETFL && !ret)
		block_note(fd, !(arg & O_NONBLOCK));
	if ((cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC) && ret >= 0)
		share(fd, ret);
	else if (p && cmd == F_SETFD && !run_is_ours())
		child_inherit(fd, fd);
	return ret;
}

EXPORT int fcntl(int fd, int cmd, ...)
{
	unsigned long arg;
	va_list args;

	RUN_ENTER();
	va_start(args, cmd);
	arg = va_arg(args, unsigned long);
	va_end(args);
	return fcntl_any(fd, cmd, arg);
}

EXPORT int fcntl64(int fd, int cmd, ...)
{
	unsigned long arg;
	va_list args;

	RUN_ENTER();
	va_start(args, cmd);
	arg = va_arg(args, unsigned long);
	va_end(args);
	return fcntl_any(fd, cmd, arg);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	struct run_pair *p;
	unsigned long arg;
	va_list args;
	int ret;

	RUN_ENTER();
	va_start(args, request);
	arg = va_arg(args, unsigned long);
	va_end(args);
	p = run_pair_of(fd);
	if (UNLIKELY(p)) {
		switch (request) {
		case FIONBIO:
			if (!p->listens)
				break;
			set_nonblock(p, *(int *)arg);
			return 0;
		case FIOCLEX:
		case FIONCLEX:
			ret = real.ioctl(fd, request, arg);
			if (run_is_ours())
				run_pair_exec(p);
			else
				child_inherit(fd, fd);
			return ret;
		}
	}
	ret = real.ioctl(fd, request, arg);
	if (UNLIKELY(p && !p->listens && request == FIONREAD && !ret)) {
		int side = 0;

		/* Either may be the next: room for the larger. */
		if (!real.ioctl(atomic_load(&p->side), FIONREAD, &side) && side > *(int *)arg)
			*(int *)arg = side;
	}
	if (!p && request == FIONBIO && !ret)
		block_note(fd, !*(int *)arg);
	if (UNLIKELY(ret && request == SIOCATMARK && run_is_rill(fd))) {
		/* There is no urgent data, so no mark either. */
		*(int *)arg = 0;
		return 0;
	}
	return ret;
}

EXPORT int sockatmark(int fd)
{
	int mark;

	return ioctl(fd, SIOCATMARK, &mark) ? -1 : mark;
}

/* posix_spawn() calls nothing of ours: the side is put on its list. */
EXPORT int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd,
					    int newfd)
{
	struct run_pair *p;
	int ret, side;

	RUN_ENTER();
	ret = real.posix_spawn_file_actions_adddup2(actions, fd, newfd);
	p = run_pair_of(fd);
	if (ret || !p)
		return ret;
	/* Onto itself: the new program inherits it. */
	side = atomic_load(&p->side);
	return real.posix_spawn_file_actions_adddup2(actions, side, side);
}

/* Who gets a doubled socket by SCM_RIGHTS does not get the side. */
void run_rights_sent(const struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)msg, c)) {
		size_t n = c->cmsg_len >= CMSG_LEN(0) ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) :
			   0;
		int fd;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			run_pair_end(fd);
		}
	}
}

/*
 * Some close through here: libuv does.  And an allocator calls it while it sets
 * itself up, before dlsym() could be called: so the call is made here.
 */
EXPORT long syscall(long number, ...)
{
	long a[6], ret;
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_close && run_is_up)
		return close(a[0]);
	ret = run_raw(number, a);
	if (ret >= -4095 && ret < 0) {
		errno = -ret;
		return -1;
	}
	return ret;
}
