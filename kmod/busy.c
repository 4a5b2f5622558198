// SPDX-License-Identifier: GPL-2.0-only
/*
 * Busy polling: a reader that found nothing looks for a while before it sleeps.
 *
 * It is for a writer that runs on another CPU at this moment: what that one
 * writes is there without a wake-up, and without the way out of idle.  How long
 * at most is said by SO_BUSY_POLL (net.core.busy_read) or by RILL_BUSY_POLL,
 * whichever is longer.  The reader looks only
 *  - while the last write into its socket came from another CPU; after none, it
 *    does not: a writer that is not running yet has to be woken first, by this
 *    CPU perhaps,
 *  - while no other task wants this CPU, and none has to be scheduled,
 *  - until a signal, or its time-out.
 *
 * Locking: none.  The reader holds no mutex, so that a non-blocking call of
 * another thread goes on, and stands in no wait queue, so that the writer wakes
 * nobody.  What comes too late for it is not lost: the sleep that follows stands
 * in the queue first and then looks, see wait.c.
 *
 * Context: process; it may be preempted, and moved to another CPU.
 */
#include <linux/jiffies.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>

#include "af_rill.h"

/* So many looks for one at the clock, the run queue and the writer's CPU. */
#define RILL_BUSY_BATCH		16

#ifdef CONFIG_NET_RX_BUSY_POLL
static unsigned int rill_busy_core_usec(const struct sock *sk)
{
	return READ_ONCE(sk->sk_ll_usec);
}

static void rill_busy_core_inherit(struct sock *child,
				   const struct sock *listener)
{
	WRITE_ONCE(child->sk_ll_usec, READ_ONCE(listener->sk_ll_usec));
}
#else
static unsigned int rill_busy_core_usec(const struct sock *sk)
{
	return 0;
}

static void rill_busy_core_inherit(struct sock *child,
				   const struct sock *listener)
{
}
#endif

/* RILL_BUSY_POLL, as far as the namespace's bound lets it have effect now. */
unsigned int rill_busy_usec(const struct sock *sk)
{
	unsigned int max = READ_ONCE(rill_net(sock_net(sk))->max_busy_poll_us);

	return min(READ_ONCE(rill_sk(sk)->busy_poll_us), max);
}

/* The end that accept() will return polls as its listener says, as in tcp(7). */
void rill_busy_inherit(struct sock *child, const struct sock *listener)
{
	rill_sk(child)->busy_poll_us = READ_ONCE(rill_sk(listener)->busy_poll_us);
	rill_busy_core_inherit(child, listener);
}

/* May what sk waits for come while this task keeps its CPU? */
static bool rill_busy_may(const struct sock *sk)
{
	unsigned int cpu = READ_ONCE(rill_sk(sk)->w_cpu);

	return cpu && cpu != raw_smp_processor_id() + 1 &&
	       single_task_running();
}

/**
 * rill_busy_begin() - may a reader that found nothing look again for a while?
 * @busy: what it is told by rill_busy_again() and rill_busy_end()
 * @sk: its socket; the caller holds no mutex and stands in no queue
 * @timeo: jiffies that it may wait in all
 *
 * Return: if it may.  Then it looks until there is something or
 * rill_busy_again() says no, and calls rill_busy_end().
 */
bool rill_busy_begin(struct rill_busy *busy, struct sock *sk, long timeo)
{
	unsigned int usec = max(rill_busy_core_usec(sk), rill_busy_usec(sk));

	if (likely(!usec) || !timeo || !rill_busy_may(sk))
		return false;
	busy->sk = sk;
	busy->looks = 0;
	busy->timeo = timeo;
	busy->start = jiffies;
	busy->end = local_clock() + (u64)usec * NSEC_PER_USEC;
	return true;
}

/* The jiffies of its time-out that a reader has left. */
static long rill_busy_left(const struct rill_busy *busy)
{
	unsigned long spent = jiffies - busy->start;

	if (busy->timeo == MAX_SCHEDULE_TIMEOUT)
		return busy->timeo;
	return spent < busy->timeo ? busy->timeo - spent : 0;
}

/* May the reader look once more?  Not if the CPU is wanted, or time is up. */
bool rill_busy_again(struct rill_busy *busy)
{
	if (need_resched() || signal_pending(current))
		return false;
	cpu_relax();
	if (++busy->looks % RILL_BUSY_BATCH)
		return true;
	return rill_busy_left(busy) && rill_busy_may(busy->sk) &&
	       (s64)(local_clock() - busy->end) < 0;
}

/* The end of it: the reader found something, or goes to sleep for what is left. */
long rill_busy_end(const struct rill_busy *busy, bool found)
{
	rill_stat_inc(sock_net(busy->sk), found ? RILL_STAT_BUSY_POLL_HIT :
						  RILL_STAT_BUSY_POLL_MISS);
	return rill_busy_left(busy);
}
