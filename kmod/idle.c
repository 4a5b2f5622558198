// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quiet rings: one that was drained and stayed so gives back what it kept to
 * be fast (its pages, slots and spares: the store), see ring.c.
 *
 * So does, whatever it holds, a ring whose writer has reset (rill_idle_reset()).
 *
 * A read that empties its ring puts it on a list, if it is not there yet; a
 * worker comes by within two periods.  So the data path pays one flag.
 *
 * Locking: rill_idle_lock guards the list and idle_queued.  The worker excludes
 * both sides of a ring, by trylock only: whoever has a mutex is not quiet.
 *
 * Lifetime: the list has no reference.  The worker takes one before it drops
 * the lock; a ring that is freed leaves the list in rill_idle_forget().
 *
 * Context: process; rill_idle_forget() also in softirq (RCU).
 */
#include <linux/workqueue.h>

#include "ring.h"

#define RILL_IDLE_PERIOD	HZ

static LIST_HEAD(rill_idle_list);
static DEFINE_SPINLOCK(rill_idle_lock);
static void rill_idle_work_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(rill_idle_work, rill_idle_work_fn);

/* False: it is busy, look at it again later. */
static bool rill_idle_try(struct rill_ring *ring, u32 tail, struct sock *peer)
{
	struct mutex *readers = &rill_sk(rill_ring_owner(ring))->rx_mutex;
	struct mutex *writers = &rill_sk(peer)->tx_mutex;
	bool done = false;

	if (!mutex_trylock(readers))
		return false;
	if (mutex_trylock(writers)) {
		if (READ_ONCE(ring->discard)) {
			rill_ring_purge(ring);
			done = true;
		} else if (ring->head != ring->tail) {
			done = true;	/* its reader will queue it again */
		} else if ((u32)ring->tail == tail) {
			rill_ring_purge(ring);
			done = true;
		}
		mutex_unlock(writers);
		/* The owner may have closed meanwhile, see rill_ring_kill(). */
		smp_mb();
		rill_ring_unlocked(ring, writers);
	}
	mutex_unlock(readers);
	return done;
}

static void rill_idle_enqueue(struct rill_ring *ring)
{
	lockdep_assert_held(&rill_idle_lock);
	if (ring->idle_queued)
		return;
	WRITE_ONCE(ring->idle_queued, true);
	ring->idle_tail = READ_ONCE(ring->tail);
	list_move_tail(&ring->idle, &rill_idle_list);
	schedule_delayed_work(&rill_idle_work, RILL_IDLE_PERIOD);
}

static void rill_idle_work_fn(struct work_struct *work)
{
	struct rill_ring *ring;
	LIST_HEAD(todo);

	spin_lock_bh(&rill_idle_lock);
	list_splice_init(&rill_idle_list, &todo);
	while ((ring = list_first_entry_or_null(&todo, struct rill_ring,
						idle))) {
		struct sock *sk = rill_ring_owner(ring), *peer;
		u32 tail = ring->idle_tail;
		bool done = true;

		list_del_init(&ring->idle);
		/* Dying: its destructor waits for the lock that is held here. */
		if (!refcount_inc_not_zero(&sk->sk_refcnt))
			continue;
		/* From here on a read may queue it again. */
		WRITE_ONCE(ring->idle_queued, false);
		spin_unlock_bh(&rill_idle_lock);

		peer = rill_peer_get(sk);
		if (peer) {
			done = rill_idle_try(ring, tail, peer);
			sock_put(peer);
		}
		cond_resched();

		if (!done) {
			spin_lock_bh(&rill_idle_lock);
			rill_idle_enqueue(ring);
			spin_unlock_bh(&rill_idle_lock);
		}
		sock_put(sk);
		spin_lock_bh(&rill_idle_lock);
	}
	spin_unlock_bh(&rill_idle_lock);
}

/* See rill_idle_add(). */
void __rill_idle_add(struct rill_ring *ring)
{
	spin_lock_bh(&rill_idle_lock);
	rill_idle_enqueue(ring);
	spin_unlock_bh(&rill_idle_lock);
}

/**
 * rill_idle_reset() - give back what a ring holds that nobody may read any more
 * @ring: one marked "discard", by its writer's end as that closes; its owner is
 *	referenced
 *
 * At once, unless somebody is in the ring: then the worker comes by.
 */
void rill_idle_reset(struct rill_ring *ring)
{
	struct sock *peer = rill_peer_get(rill_ring_owner(ring));
	bool done = true;

	/* Else the owner closes, too, and gives back all. */
	if (peer) {
		done = rill_idle_try(ring, 0, peer);
		sock_put(peer);
	}
	if (done)
		return;
	/* With the lock: who is in the ring now may not have seen the mark. */
	spin_lock_bh(&rill_idle_lock);
	rill_idle_enqueue(ring);
	spin_unlock_bh(&rill_idle_lock);
}

void rill_idle_exit(void)
{
	cancel_delayed_work_sync(&rill_idle_work);
}

void rill_idle_forget(struct rill_ring *ring)
{
	/*
	 * Nobody has a reference any more that could queue it.  The worker that
	 * finds it dying leaves the flag, and is out when the lock is free.
	 */
	if (!READ_ONCE(ring->idle_queued))
		return;
	spin_lock_bh(&rill_idle_lock);
	list_del(&ring->idle);
	spin_unlock_bh(&rill_idle_lock);
}
