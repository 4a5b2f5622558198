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
 * A socket that was not told looks as long as net.rill.busy_poll_us says: a sleep
 * and a wake-up take tens of microseconds on an idle or a virtual CPU.  Where
 * looking is of no use it soon gives up: each miss doubles the number of waits
 * for which it does not try again.
 *
 * Locking: none; what it remembers are hints.  The reader holds no mutex, so that
 * a non-blocking call of another thread goes on, and stands in no wait queue, so
 * that the writer wakes nobody.  What comes too late for it is not lost: the
 * sleep that follows stands in the queue first and then looks, see wait.c.
 *
 * Context: process; it may be preempted, and moved to another CPU.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>

#include "af_rill.h"

/* So many looks for one at the clock, the run queue and the writer's CPU. */
#define RILL_BUSY_BATCH		16

/* Unasked, after n misses in a row, 2^n - 1 waits go by before another try. */
#define RILL_BUSY_MISSES_MAX	6

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

/* RILL_BUSY_POLL, as far as the namespace lets it have effect now. */
unsigned int rill_busy_usec(const struct sock *sk)
{
	const struct rill_net *rn = rill_net(sock_net(sk));
	int own = READ_ONCE(rill_sk(sk)->busy_poll_us);

	if (own < 0)
		return READ_ONCE(rn->busy_poll_us);
	return min(own, READ_ONCE(rn->max_busy_poll_us));
}

/* Unasked: was it of no use the last times? */
static bool rill_busy_skip(struct rill_sock *rs)
{
	u8 skips = READ_ONCE(rs->busy_skips);

	if (!skips)
		return false;
	WRITE_ONCE(rs->busy_skips, skips - 1);
	return true;
}

static void rill_busy_learn(struct rill_sock *rs, bool found)
{
	u8 misses = 0;

	if (!found)
		misses = min(READ_ONCE(rs->busy_misses) + 1,
			     RILL_BUSY_MISSES_MAX);
	if (misses == READ_ONCE(rs->busy_misses) && !misses)
		return;
	WRITE_ONCE(rs->busy_misses, misses);
	WRITE_ONCE(rs->busy_skips, BIT(misses) - 1);
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
	unsigned int core, usec;

	/* First what is cheap and most often says no. */
	if (!timeo || !rill_busy_may(sk))
		return false;
	core = rill_busy_core_usec(sk);
	busy->unasked = !core && READ_ONCE(rill_sk(sk)->busy_poll_us) < 0;
	usec = core;
	if (busy->unasked || READ_ONCE(rill_sk(sk)->busy_poll_us) >= 0)
		usec = max(core, rill_busy_usec(sk));
	if (!usec)
		return false;
	if (busy->unasked && rill_busy_skip(rill_sk(sk)))
		return false;
	busy->sk = sk;
	busy->looks = 0;
	busy->in_vain = false;
	busy->timeo = timeo;
	busy->start = jiffies;
	if (timeo != MAX_SCHEDULE_TIMEOUT)
		busy->start_ns = ktime_get_ns();
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

/*
 * Is its time-out up?  The jiffies alone would say so too early: the first is one in
 * part, and where the tick is late, as on a virtual CPU, several come at once.
 */
static bool rill_busy_timed_out(const struct rill_busy *busy)
{
	return !rill_busy_left(busy) &&
	       nsecs_to_jiffies(ktime_get_ns() - busy->start_ns) >= busy->timeo;
}

/* May the reader look once more?  Not if the CPU is wanted, or time is up. */
bool rill_busy_again(struct rill_busy *busy)
{
	if (need_resched() || signal_pending(current))
		return false;
	cpu_relax();
	if (++busy->looks % RILL_BUSY_BATCH)
		return true;
	if (!rill_busy_may(busy->sk))
		return false;
	busy->in_vain = (s64)(local_clock() - busy->end) >= 0 ||
			rill_busy_timed_out(busy);
	return !busy->in_vain;
}

/*
 * The end of it: the reader found something, or goes to sleep for what is left.  In
 * all, over the turns of one call, it is the jiffies that count.
 */
long rill_busy_end(const struct rill_busy *busy, bool found)
{
	long left = rill_busy_left(busy);

	/* A signal, or another task that wants the CPU, teaches nothing. */
	if (busy->unasked && (found || busy->in_vain))
		rill_busy_learn(rill_sk(busy->sk), found);
	rill_stat_inc(sock_net(busy->sk), found ? RILL_STAT_BUSY_POLL_HIT :
						  RILL_STAT_BUSY_POLL_MISS);
	return found || rill_busy_timed_out(busy) ? left : max(left, 1L);
}
