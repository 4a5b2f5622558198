// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for a doubled socket is waiting for either of its two.
 *
 * epoll: the side is put into the same set with the same events and data, so
 * that epoll_wait() is the kernel's own.  A program may see a listener twice in
 * one batch; what it can accept is then there twice too.  Entries of a socket
 * that may be replaced or doubled later are remembered (slot->regs).
 *
 * poll(), select(): only with a doubled socket among the fds the call is made on
 * a longer list.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "preload.h"

/* An event of the side that means something to the program: input. */
#define SIDE_EVENTS	(EPOLLIN | EPOLLRDNORM | EPOLLET | EPOLLONESHOT | \
			 EPOLLEXCLUSIVE | EPOLLWAKEUP)

#define FEW	64	/* fds that fit on the stack */

/* A longer list, without malloc(): poll() is for signal handlers, too. */
struct list {
	struct pollfd	few[FEW];
	struct pollfd	*all;
	size_t		size;		/* of what is mapped */
};

/*
 * After EINTR: would the kernel have gone on with a call that restarts?  If every
 * handler that there is has SA_RESTART, it would.
 */
bool run_restart(void)
{
	struct sigaction sa;

	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		if (sigaction(sig, NULL, &sa))
			continue;
		if (!(sa.sa_flags & SA_SIGINFO) &&
		    (sa.sa_handler == SIG_DFL || sa.sa_handler == SIG_IGN))
			continue;
		if (!(sa.sa_flags & SA_RESTART))
			return false;
	}
	return true;
}

static void side_ctl(int epfd, int op, int side, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events & SIDE_EVENTS };

	ev.data.u64 = data;
	if (real.epoll_ctl(epfd, op, side, &ev) && errno == EEXIST)
		real.epoll_ctl(epfd, EPOLL_CTL_MOD, side, &ev);
}

/* fd is doubled now: the sets that have it get its side. */
void run_regs_carry(int fd, int side)
{
	struct run_slot *slot = run_slot(fd, true);
	sigset_t saved;

	run_lock(fd, &saved);
	for (int i = 0; i < slot->n_regs; i++)
		side_ctl(slot->regs[i].epfd, EPOLL_CTL_ADD, side, slot->regs[i].events,
			 slot->regs[i].data);
	slot->n_regs = 0;
	run_unlock(fd, &saved);
}

static void reg_note(int fd, struct run_slot *slot, int epfd, int op, struct epoll_event *ev)
{
	sigset_t saved;
	int i;

	run_lock(fd, &saved);
	for (i = 0; i < slot->n_regs; i++)
		if (slot->regs[i].epfd == epfd)
			break;
	if (op == EPOLL_CTL_DEL) {
		if (i < slot->n_regs)
			slot->regs[i] = slot->regs[--slot->n_regs];
	} else if (i == RUN_REGS) {
		slot->regs_lost = true;
	} else {
		slot->regs[i] = (struct run_reg){ epfd, ev->events, ev->data.u64 };
		if (i == slot->n_regs)
			slot->n_regs++;
	}
	run_unlock(fd, &saved);
}

EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	struct run_slot *slot;
	struct run_pair *p;
	int ret, err;

	RUN_ENTER();
	ret = real.epoll_ctl(epfd, op, fd, ev);
	slot = run_slot(fd, false);
	if (ret || !slot)
		return ret;
	switch (atomic_load(&slot->kind)) {
	case RUN_FRESH:
		reg_note(fd, slot, epfd, op, ev);
		break;
	case RUN_PAIR:
		err = errno;
		p = run_pair_of(fd);
		if (p)
			side_ctl(epfd, op, atomic_load(&p->side), ev ? ev->events : 0,
				 ev ? ev->data.u64 : 0);
		errno = err;
		break;
	}
	return 0;
}

static bool any_pair(const struct pollfd *fds, nfds_t n)
{
	if (LIKELY(!atomic_load_explicit(&run_pairs_used, memory_order_relaxed)))
		return false;
	for (nfds_t i = 0; i < n; i++)
		if (run_pair_of(fds[i].fd))
			return true;
	return false;
}

static bool list_make(struct list *list, size_t n)
{
	list->all = list->few;
	list->size = 0;
	if (n <= FEW)
		return true;
	list->size = n * sizeof(*list->all);
	list->all = mmap(NULL, list->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (list->all != MAP_FAILED)
		return true;
	errno = ENOMEM;
	return false;
}

static void list_end(void *arg)
{
	struct list *list = arg;
	int err = errno;

	if (list->size)
		munmap(list->all, list->size);
	errno = err;
}

/* The thread may be cancelled here. */
static int list_poll(struct list *list, nfds_t n, const struct timespec *timeout,
		     const sigset_t *mask,
		     int (*how)(struct pollfd *, nfds_t, const struct timespec *,
				const sigset_t *))
{
	int ret;

	pthread_cleanup_push(list_end, list);
	ret = how(list->all, n, timeout, mask);
	pthread_cleanup_pop(0);
	return ret;
}

static int poll_both(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		     const sigset_t *mask)
{
	struct pollfd *all;
	struct list list;
	nfds_t total;
	int ret, count;

	if (!list_make(&list, n * 2))
		return -1;
	all = list.all;
again:
	total = n;
	count = 0;
	memcpy(all, fds, n * sizeof(*all));
	for (nfds_t i = 0; i < n; i++) {
		struct run_pair *p = run_pair_of(fds[i].fd);

		if (p && (fds[i].events & (POLLIN | POLLRDNORM)))
			all[total++] = (struct pollfd){ .fd = atomic_load(&p->side),
				.events = (fds[i].events & (POLLIN | POLLRDNORM)) | POLLRDHUP };
	}
	ret = list_poll(&list, total, timeout, mask, real.ppoll);
	if (ret >= 0) {
		nfds_t side = n;

		for (nfds_t i = 0; i < n; i++) {
			struct run_pair *p = run_pair_of(fds[i].fd);

			fds[i].revents = all[i].revents;
			if (side < total && p && fds[i].events & (POLLIN | POLLRDNORM) &&
			    atomic_load(&p->side) == all[side].fd) {
				if (all[side].revents & (POLLRDHUP | POLLHUP | POLLNVAL)) {
					run_pair_end(fds[i].fd);
					goto again;
				}
				/* An error is one of the next call, whatever is waited for. */
				fds[i].revents |= all[side++].revents &
						  (fds[i].events | POLLERR);
			}
			count += !!fds[i].revents;
		}
		ret = count;
	}
	list_end(&list);
	return ret;
}

EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec ts = { timeout / 1000, timeout % 1000 * 1000000L };

	RUN_ENTER();
	if (LIKELY(!any_pair(fds, n)))
		return real.poll(fds, n, timeout);
	return poll_both(fds, n, timeout < 0 ? NULL : &ts, NULL);
}

EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		 const sigset_t *mask)
{
	RUN_ENTER();
	if (LIKELY(!any_pair(fds, n)))
		return real.ppoll(fds, n, timeout, mask);
	return poll_both(fds, n, timeout, mask);
}

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size)
{
	if (size / sizeof(*fds) < n)
		abort();
	return poll(fds, n, timeout);
}

int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		const sigset_t *mask, size_t size);
EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		       const sigset_t *mask, size_t size)
{
	if (size / sizeof(*fds) < n)
		abort();
	return ppoll(fds, n, timeout, mask);
}

#define BITS	(8 * (int)sizeof(fd_mask))

/* A program may have sets larger than fd_set. */
static bool in_set(int fd, const fd_set *set)
{
	return set && (((const fd_mask *)set)[fd / BITS] >> (fd % BITS)) & 1;
}

static void set_clear(int fd, fd_set *set)
{
	if (set)
		((fd_mask *)set)[fd / BITS] &= ~((fd_mask)1 << (fd % BITS));
}

static bool select_has_pair(int n, const fd_set *in)
{
	if (LIKELY(!atomic_load_explicit(&run_pairs_used, memory_order_relaxed)) || !in)
		return false;
	for (int fd = 0; fd < n; fd++)
		if (in_set(fd, in) && run_pair_of(fd))
			return true;
	return false;
}

static int select_both(int n, fd_set *in, fd_set *out, fd_set *except,
		       const struct timespec *timeout, const sigset_t *mask)
{
	int total = 0, count = 0, ret;
	struct pollfd *all;
	struct list list;

	if (!list_make(&list, n))
		return -1;
	all = list.all;
	for (int fd = 0; fd < n; fd++) {
		short events = (in_set(fd, in) ? POLLIN : 0) | (in_set(fd, out) ? POLLOUT : 0) |
			       (in_set(fd, except) ? POLLPRI : 0);

		if (events)
			all[total++] = (struct pollfd){ .fd = fd, .events = events };
	}
	ret = list_poll(&list, total, timeout, mask, ppoll);
	for (int i = 0; ret >= 0 && i < total; i++)
		if (all[i].revents & POLLNVAL) {
			errno = EBADF;
			ret = -1;
		}
	for (int i = 0; ret >= 0 && i < total; i++) {
		short got = all[i].revents, want = all[i].events;

		if ((want & POLLIN) && (got & (POLLIN | POLLHUP | POLLERR)))
			count++;
		else
			set_clear(all[i].fd, in);
		if ((want & POLLOUT) && (got & (POLLOUT | POLLERR)))
			count++;
		else
			set_clear(all[i].fd, out);
		if ((want & POLLPRI) && (got & POLLPRI))
			count++;
		else
			set_clear(all[i].fd, except);
	}
	list_end(&list);
	return ret < 0 ? ret : count;
}

EXPORT int select(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	struct timespec ts, begin, end;
	int64_t left;
	int ret;

	RUN_ENTER();
	if (LIKELY(!select_has_pair(n, in)))
		return real.select(n, in, out, except, timeout);
	if (!timeout)
		return select_both(n, in, out, except, NULL, NULL);
	if (timeout->tv_sec < 0 || timeout->tv_usec < 0) {
		errno = EINVAL;
		return -1;
	}
	ts.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
	ts.tv_nsec = timeout->tv_usec % 1000000 * 1000;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	ret = select_both(n, in, out, except, &ts, NULL);
	/* Linux tells what is left. */
	clock_gettime(CLOCK_MONOTONIC, &end);
	left = (ts.tv_sec - (end.tv_sec - begin.tv_sec)) * 1000000LL +
	       (ts.tv_nsec - (end.tv_nsec - begin.tv_nsec)) / 1000;
	if (left < 0)
		left = 0;
	timeout->tv_sec = left / 1000000;
	timeout->tv_usec = left % 1000000;
	return ret;
}

EXPORT int pselect(int n, fd_set *in, fd_set *out, fd_set *except,
		   const struct timespec *timeout, const sigset_t *mask)
{
	RUN_ENTER();
	if (LIKELY(!select_has_pair(n, in)))
		return real.pselect(n, in, out, except, timeout, mask);
	return select_both(n, in, out, except, timeout, mask);
}
