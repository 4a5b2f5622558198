// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flow control of messages: a receiver whose queue is full makes its senders
 * wait, each of them until there is room for it.
 *
 * A queue counts bytes of memory in sk_rmem_alloc.  It has room while it is
 * empty or below SO_RCVBUF, whatever the size of the next message, so that
 * poll and send agree.
 *
 * A sender that sleeps for room stands in the receiver's peer_wait, exclusively:
 * one message read wakes one, and a send that ends wakes the next if there is
 * still room.  It stands in its own wait queue too, where a wait for SO_SNDBUF
 * ends.  A sender that does not sleep (EAGAIN, poll) has its relay entry in
 * peer_wait, which on a wake-up takes itself out and wakes the sender's own
 * wait queue; relay.private says in whose peer_wait it is.  There is one for each
 * sender: the last receiver that was full counts, until it has room, also if a
 * send goes well meanwhile, to another one or of another thread.
 *
 * Locking: relay.private is set under the sender's lock and the peer_wait.lock of
 * what it is set to; it is cleared under that peer_wait.lock.  Order: the
 * sender's lock, the receiver's peer_wait.lock, the sender's wait queue.
 *
 * Lifetime: a receiver that closes wakes its peer_wait, which takes all relays
 * out, and none is put there afterwards (rill_flow_block() looks at dead).  A
 * sender takes its relay out when it closes.  So no reference is needed; who
 * follows it does so under RCU (datagram sockets are SOCK_RCU_FREE,
 * a connection's end is held by the other).
 */
#include <linux/sched/signal.h>

#include "af_rill.h"

bool rill_flow_room(const struct sock *sk)
{
	int bytes = atomic_read(&sk->sk_rmem_alloc);

	return !bytes || bytes < rill_rcvbuf(sk);
}

/* A message comes into the queue of sk, or goes. */
void rill_flow_charge(struct sock *sk, int bytes)
{
	lockdep_assert_held(&rill_sk(sk)->lock);
	/* The lock excludes all who change it; others only look. */
	atomic_set(&sk->sk_rmem_alloc, atomic_read(&sk->sk_rmem_alloc) + bytes);
}

/*
 * There may be room at sk: wake a sender that waits for it.  After a full
 * barrier if this is who made the room.
 */
void rill_flow_wake(struct sock *sk)
{
	struct rill_sock *rs = rill_sk(sk);

	/* The barrier is the caller's; who came later looks for itself. */
	if (!waitqueue_active(&rs->peer_wait) || !rill_flow_room(sk))
		return;
	rill_stat_inc(sock_net(sk), RILL_STAT_WAKE_SPACE);
	wake_up_interruptible_sync_poll(&rs->peer_wait, EPOLLOUT | EPOLLWRNORM |
					EPOLLWRBAND);
}

/**
 * rill_flow_uncharge() - a message that sk sent is gone
 * @sk: the sender, which may have been closed; its charge held its memory
 * @bytes: what was charged to its sk_wmem_alloc
 *
 * Has a full barrier between the two things that it is about: room, and who
 * waits for it.
 */
void rill_flow_uncharge(struct sock *sk, unsigned int bytes)
{
	/* But for one, which holds the socket until the end of this. */
	WARN_ON_ONCE(refcount_sub_and_test(bytes - 1, &sk->sk_wmem_alloc));
	/*
	 * Room first, then look who waits for it, in the sender's wait queue and
	 * in peer_wait; pairs with set_current_state() of those who sleep and
	 * the barrier of rill_flow_block() and rill_space_ask().
	 */
	smp_mb();
	/* Or a user in the kernel has put its own function there. */
	if (rill_waited_for(sk) || sk->sk_write_space != rill_write_space)
		sk->sk_write_space(sk);
	sk_free(sk);
}

/* What a send waits for. */
enum rill_flow_phase {
	RILL_FLOW_MAKE,		/* SO_SNDBUF has room for another message */
	RILL_FLOW_QUEUE,	/* the receiver has, for one that was made */
};

/* Would a send from sk to that receiver go on at once, well or with an error? */
static bool rill_flow_open(const struct sock *sk, const struct sock *to,
			   enum rill_flow_phase phase)
{
	const struct sock *peer = READ_ONCE(rill_sk(to)->peer);

	if (phase == RILL_FLOW_QUEUE ? rill_flow_room(to) :
	    rill_msg_in_flight(sk) < rill_sndbuf(sk))
		return true;
	return READ_ONCE(rill_sk(to)->dead) || (peer && peer != sk) ||
	       READ_ONCE(to->sk_shutdown) & RCV_SHUTDOWN ||
	       READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN;
}

/*
 * Who sleeps for room at a receiver stands in the own queue for what ends the
 * send, which has no key; not for data, nor for room in SO_SNDBUF.
 */
static int rill_flow_wake_end(struct wait_queue_entry *wait, unsigned int mode,
			      int sync, void *key)
{
	if (key)
		return 0;
	return autoremove_wake_function(wait, mode, sync, key);
}

/* Sleep until a send may go on, or for timeo. */
static long rill_flow_wait(struct sock *sk, struct sock *to,
			   enum rill_flow_phase phase, long timeo)
{
	struct wait_queue_head *queue = &rill_sk(to)->peer_wait;
	DEFINE_WAIT_FUNC(own, phase == RILL_FLOW_QUEUE ? rill_flow_wake_end :
				autoremove_wake_function);
	DEFINE_WAIT(full);

	/* The own queue too, for room in SO_SNDBUF and for shutdown(). */
	prepare_to_wait(sk_sleep(sk), &own, TASK_INTERRUPTIBLE);
	/* Exclusive only for who can use the one wake-up. */
	if (phase == RILL_FLOW_QUEUE)
		prepare_to_wait_exclusive(queue, &full, TASK_INTERRUPTIBLE);
	else
		prepare_to_wait(queue, &full, TASK_INTERRUPTIBLE);
	if (!rill_flow_open(sk, to, phase) && !signal_pending(current)) {
		rill_stat_inc(sock_net(sk), RILL_STAT_SLEEP_SPACE);
		timeo = schedule_timeout(timeo);
	}
	finish_wait(queue, &full);
	finish_wait(sk_sleep(sk), &own);
	return timeo;
}

static int rill_flow_relay(struct wait_queue_entry *relay, unsigned int mode,
			   int flags, void *key)
{
	struct rill_sock *rs = container_of(relay, struct rill_sock, relay);
	struct sock *to = rs->relay.private;
	struct socket_wq *wq;

	lockdep_assert_held(&rill_sk(to)->peer_wait.lock);
	__remove_wait_queue(&rill_sk(to)->peer_wait, relay);
	WRITE_ONCE(rs->relay.private, NULL);

	rcu_read_lock();
	wq = rcu_dereference(rs->sk.sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_poll(&wq->wait, key_to_poll(key));
	sk_wake_async(&rs->sk, SOCK_WAKE_SPACE, POLL_OUT);
	rcu_read_unlock();
	return 0;
}

static void __rill_flow_unblock(struct rill_sock *rs)
{
	struct rill_sock *ts;
	struct sock *to;

	lockdep_assert_held(&rs->lock);
	rcu_read_lock();
	to = READ_ONCE(rs->relay.private);
	if (to) {
		ts = rill_sk(to);
		spin_lock_irq(&ts->peer_wait.lock);
		/* Unless the relay ran meanwhile. */
		if (rs->relay.private) {
			__remove_wait_queue(&ts->peer_wait, &rs->relay);
			WRITE_ONCE(rs->relay.private, NULL);
		}
		spin_unlock_irq(&ts->peer_wait.lock);
	}
	rcu_read_unlock();
}

void rill_flow_unblock(struct sock *sk)
{
	if (!READ_ONCE(rill_sk(sk)->relay.private))
		return;
	spin_lock(&rill_sk(sk)->lock);
	__rill_flow_unblock(rill_sk(sk));
	spin_unlock(&rill_sk(sk)->lock);
}

/* Have poll of sk wait for a receiver.  False: the send may go on meanwhile. */
static bool rill_flow_block(struct sock *sk, struct sock *to,
			    enum rill_flow_phase phase)
{
	struct rill_sock *rs = rill_sk(sk), *ts = rill_sk(to);
	bool open;

	spin_lock(&rs->lock);
	if (READ_ONCE(rs->relay.private) != to) {
		__rill_flow_unblock(rs);
		spin_lock_irq(&ts->peer_wait.lock);
		WRITE_ONCE(rs->relay.private, to);
		__add_wait_queue(&ts->peer_wait, &rs->relay);
		spin_unlock_irq(&ts->peer_wait.lock);
	}
	/* In the queue, then look; pairs with wq_has_sleeper(). */
	smp_mb();
	open = rill_flow_open(sk, to, phase);
	if (open)
		__rill_flow_unblock(rs);
	spin_unlock(&rs->lock);
	return !open;
}

static int rill_flow_admit(struct sock *sk, struct sock *to,
			   enum rill_flow_phase phase, long *timeo)
{
	while (!rill_flow_open(sk, to, phase)) {
		if (!*timeo) {
			if (rill_flow_block(sk, to, phase))
				return -EAGAIN;
			continue;
		}
		*timeo = rill_flow_wait(sk, to, phase, *timeo);
		if (signal_pending(current) && !rill_flow_open(sk, to, phase))
			return sock_intr_errno(*timeo);
	}
	return 0;
}

/**
 * rill_flow_may_make() - wait until the sender may have one more in flight
 * @sk: the sender
 * @to: the receiver, referenced
 * @timeo: jiffies to wait; gets what is left
 *
 * Return: 0 if the send may be tried, which may find an error; -EAGAIN; or the
 * errno of a signal.
 */
int rill_flow_may_make(struct sock *sk, struct sock *to, long *timeo)
{
	return rill_flow_admit(sk, to, RILL_FLOW_MAKE, timeo);
}

/**
 * rill_flow_may_queue() - wait until the receiver has room
 * @sk: the sender, whose message is made
 * @to: the receiver, referenced
 * @timeo: jiffies to wait; gets what is left
 *
 * Return: 0 if it may be tried: another sender may be faster; -EAGAIN, with
 * poll of sk told to wait for this receiver; or the errno of a signal.
 */
int rill_flow_may_queue(struct sock *sk, struct sock *to, long *timeo)
{
	return rill_flow_admit(sk, to, RILL_FLOW_QUEUE, timeo);
}

/* For poll: is there room where sk would send, or where it could not? */
bool rill_flow_writable(struct sock *sk)
{
	struct sock *to, *peer;
	bool blocked;

	rcu_read_lock();
	to = READ_ONCE(rill_sk(sk)->relay.private);
	blocked = to && !rill_flow_open(sk, to, RILL_FLOW_QUEUE);
	rcu_read_unlock();
	if (blocked)
		return false;

	peer = rill_peer_get(sk);
	if (!peer)
		return true;
	blocked = !rill_flow_open(sk, peer, RILL_FLOW_QUEUE) &&
		  rill_flow_block(sk, peer, RILL_FLOW_QUEUE);
	sock_put(peer);
	return !blocked;
}

/* Nothing more will come in at sk: all who wait for room are to see why. */
void rill_flow_end(struct sock *sk)
{
	struct rill_sock *rs = rill_sk(sk);

	/* wq_has_sleeper() has the barrier after what has just changed. */
	if (wq_has_sleeper(&rs->peer_wait))
		wake_up_interruptible_all(&rs->peer_wait);
}

void rill_flow_init(struct sock *sk)
{
	struct rill_sock *rs = rill_sk(sk);

	init_waitqueue_head(&rs->peer_wait);
	init_waitqueue_func_entry(&rs->relay, rill_flow_relay);
}
