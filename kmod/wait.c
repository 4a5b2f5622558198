// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting: poll, and who wakes whom.
 *
 * Every sleeper and every poll of a socket stands in the wait queue of that
 * socket's own file, but for senders of messages, see flow.c.  Who changes a
 * state stores it first and then wakes; who waits stands in the queue first and
 * then looks, with a full barrier between on both sides, because a wake-up
 * costs nothing where nobody waits (skwq_has_sleeper()).
 *
 * The one to wake may be closing: its sk_wq is gone then, or goes after a grace
 * period, so wake-ups look at it under RCU and never at sk_socket.
 *
 * Context: any for the wake-ups.
 */
#include <linux/poll.h>

#include "ring.h"
#include "af_rill.h"

/* A wake-up for all events; TASK_NORMAL because a lingering close() is killable. */
void rill_wake_hangup(struct sock *sk, bool both)
{
	struct socket_wq *wq;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_all(&wq->wait);
	sk_wake_async(sk, SOCK_WAKE_WAITD, both ? POLL_HUP : POLL_IN);
	rcu_read_unlock();
}

/*
 * May sk have more messages in flight, for poll?  As unix(7): a quarter of
 * SO_SNDBUF.
 */
static bool rill_msg_writable(const struct sock *sk)
{
	return rill_msg_in_flight(sk) <= rill_sndbuf(sk) / 4;
}

/* sk_data_ready(): bytes, a message or a connection came. */
void rill_data_ready(struct sock *sk)
{
	struct socket_wq *wq;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq)) {
		rill_stat_inc(sock_net(sk), READ_ONCE(sk->sk_state) == TCP_LISTEN ?
			      RILL_STAT_WAKE_ACCEPT : RILL_STAT_WAKE_DATA);
		wake_up_interruptible_sync_poll(&wq->wait,
						EPOLLIN | EPOLLPRI |
						EPOLLRDNORM | EPOLLRDBAND);
	}
	sk_wake_async(sk, SOCK_WAKE_WAITD, POLL_IN);
	rcu_read_unlock();
}

/*
 * SO_SNDBUF has room for one more message, but not yet what poll wants: enough
 * for a send that sleeps.  poll(2) and epoll never report EPOLLMSG, so that key
 * wakes none of theirs.
 */
static void rill_write_some_space(struct sock *sk)
{
	struct socket_wq *wq;

	if (rill_msg_in_flight(sk) >= rill_sndbuf(sk))
		return;
	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_sync_poll(&wq->wait, EPOLLMSG);
	rcu_read_unlock();
}

/* sk_write_space(): from the peer's read, or from the end of a message. */
void rill_write_space(struct sock *sk)
{
	struct socket_wq *wq;

	if (!rill_is_stream(sk) && !rill_msg_writable(sk)) {
		rill_write_some_space(sk);
		return;
	}
	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq)) {
		rill_stat_inc(sock_net(sk), RILL_STAT_WAKE_SPACE);
		__wake_up_sync_key(&wq->wait, TASK_NORMAL,
				   poll_to_key(EPOLLOUT | EPOLLWRNORM |
					       EPOLLWRBAND));
	}
	sk_wake_async(sk, SOCK_WAKE_SPACE, POLL_OUT);
	rcu_read_unlock();
}

/* Stand in the queue of the caller's own socket; then the caller looks. */
void rill_wait_add(struct sock *sk, struct wait_queue_entry *wait)
{
	add_wait_queue(sk_sleep(sk), wait);
	/* Pairs with skwq_has_sleeper() of whoever wakes. */
	smp_mb();
}

void rill_wait_remove(struct sock *sk, struct wait_queue_entry *wait)
{
	remove_wait_queue(sk_sleep(sk), wait);
}

static bool rill_stream_readable(struct sock *sk, struct sock *peer)
{
	struct rill_ring *ring = &rill_sk(sk)->ring;
	unsigned long bytes = rill_ring_readable(ring);
	struct rill_limit limit;
	unsigned long lowat;

	if (!bytes)
		return false;
	rill_ring_limit(ring, peer, &limit);
	lowat = min_t(unsigned long, sock_rcvlowat(sk, 0, INT_MAX),
		      limit.bytes / 2);
	/* A ring full of small pieces has to be read whatever the mark is. */
	if (bytes >= lowat || !rill_ring_writable(ring, &limit))
		return true;
	/*
	 * Then the writer has to go on.  It may sleep since before SO_RCVBUF
	 * grew, of which not every kernel tells the family (compat.h).  If it
	 * still wishes for room, the ring is full again.
	 */
	rill_ring_consumed(ring, peer);
	return test_bit(RILL_WANT_SPACE, &ring->want);
}

/* SO_RCVLOWAT, under lock_sock(): what is there may be enough now. */
int rill_set_rcvlowat(struct sock *sk, int val)
{
	WRITE_ONCE(sk->sk_rcvlowat, val ?: 1);
	if (rill_recv_queue(sk))
		sk->sk_data_ready(sk);
	return 0;
}

/*
 * The ring of peer is full: its reader is to say when it is not.  A peek that
 * waits for more than will come is told now.
 */
void rill_space_want(struct sock *peer)
{
	if (rill_ring_want(&rill_sk(peer)->ring, RILL_WANT_SPACE))
		peer->sk_data_ready(peer);
}

static bool rill_stream_writable(struct sock *sk, struct sock *peer)
{
	struct rill_ring *ring = &rill_sk(peer)->ring;
	struct rill_limit limit;

	rill_ring_limit(ring, sk, &limit);
	if (rill_ring_writable(ring, &limit))
		return true;
	rill_space_want(peer);
	return rill_ring_writable(ring, &limit);
}

static bool rill_writable(struct sock *sk)
{
	if (READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)
		return true;	/* EPIPE, at once */
	if (rill_is_stream(sk))
		return rill_stream_writable(sk, rill_sk(sk)->peer);
	return rill_msg_writable(sk) && rill_flow_writable(sk);
}

/**
 * rill_space_ask() - there is no room for a caller that does not wait
 * @sk: its socket; a connected one, or a datagram socket
 *
 * From here on its poll, its epoll and its SIGIO are told of room.
 *
 * Return: true if there is room meanwhile.
 */
bool rill_space_ask(struct sock *sk)
{
	if (rill_writable(sk))
		return true;
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	/* Say it, then look; pairs with the barriers of who makes room. */
	smp_mb__after_atomic();
	return rill_writable(sk);
}

__poll_t rill_poll(struct file *file, struct socket *sock,
		   struct poll_table_struct *wait)
{
	const __poll_t in = EPOLLIN | EPOLLRDNORM;
	const __poll_t out = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	struct sock *sk = sock->sk, *peer = NULL;
	__poll_t mask = 0;
	int shutdown;

	sock_poll_wait(file, sock, wait);
	/* Pairs with rill_shutdown_add(): before the data is looked at. */
	shutdown = rill_shutdown_get(sk);
	if (READ_ONCE(sk->sk_err))
		mask |= EPOLLERR;
	if (shutdown == SHUTDOWN_MASK)
		mask |= EPOLLHUP;
	if (shutdown & RCV_SHUTDOWN)
		mask |= EPOLLRDHUP | in;

	if (!rill_is_dgram(sk)) {
		/* Pairs with rill_connection_link(). */
		switch (smp_load_acquire(&sk->sk_state)) {
		case TCP_LISTEN:
			if (READ_ONCE(sk->sk_ack_backlog))
				mask |= in;
			return mask;
		case TCP_SYN_SENT:
			return mask;
		case TCP_CLOSE:
			/* It may have been refused since the look above. */
			if (READ_ONCE(sk->sk_err))
				mask |= EPOLLERR;
			/* As unix(7) and tcp(7) say of a socket not connected. */
			return mask | EPOLLHUP | out;
		}
		peer = rill_sk(sk)->peer;
	}
	if (rill_is_stream(sk) ? rill_stream_readable(sk, peer) :
	    !skb_queue_empty_lockless(&sk->sk_receive_queue))
		mask |= in;
	if (poll_requested_events(wait) & out && rill_space_ask(sk))
		mask |= out;
	return mask;
}
