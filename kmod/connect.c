// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections of streams and seqpacket sockets: how they are made, waited for,
 * shut down and ended.
 *
 * Locking: connect() runs under lock_sock() of the connector but for its wait.
 * rill_connection_link() runs under the locks of listener and connector.
 *
 * Lifetime: each end holds a reference on the other from the link to its own
 * rill_connection_close().  An end that closes marks the other, wakes it and
 * lets go; the closed end's memory stays until the other end lets go too, its
 * ring's pages do not.
 *
 * Context: process.
 */
#include <linux/sched/signal.h>
#include <linux/security.h>

#include "ring.h"
#include "af_rill.h"
#include "trace.h"

/**
 * rill_connection_link() - one direction of a new connection
 * @sk: gets @peer; its lock is held, or nobody else knows it yet
 * @peer: the other end
 */
void rill_connection_link(struct sock *sk, struct sock *peer)
{
	sock_hold(peer);
	/*
	 * Release: the peer's name comes first.  The data path of sk,
	 * which may be running, reads peer with acquire and no lock.
	 */
	smp_store_release(&rill_sk(sk)->peer, peer);
	/* And whoever sees it connected sees the peer. */
	smp_store_release(&sk->sk_state, TCP_ESTABLISHED);
}

/* The end that accept() will return; it inherits the listener's buffers. */
static struct sock *rill_child_alloc(struct sock *sk, struct sock *listener)
{
	struct rill_name *name = rill_sock_name(listener);
	struct sock *child;

	child = rill_sock_alloc(sock_net(sk), NULL, sk->sk_type, 0);
	if (!child)
		return NULL;
	child->sk_rcvbuf = READ_ONCE(listener->sk_rcvbuf);
	child->sk_sndbuf = READ_ONCE(listener->sk_sndbuf);
	child->sk_userlocks = listener->sk_userlocks;
	child->sk_rcvlowat = READ_ONCE(listener->sk_rcvlowat);
	rill_busy_inherit(child, listener);

	/* Bound, or it would not listen; the reference keeps the name. */
	if (name && refcount_inc_not_zero(&name->ref))
		rill_sk(child)->name = name;
	rill_peercred_init(child);
	security_sk_clone(listener, child);
	return child;
}

/* The end of a connect() that stood in no line, for tracing. */
void rill_connect_trace(struct sock *sk, struct sock *listener,
			const struct rill_key *key, int err)
{
	if (trace_rill_connect_enabled())
		trace_rill_connect(sk, listener, key, task_tgid_nr(current),
				   listener ? rill_peercred_pid(listener) : 0,
				   false, err);
}

/* Begin a connection.  0, -EINPROGRESS if it stands in line now, or an error. */
static int rill_connect_start(struct sock *sk, const struct rill_key *key)
{
	struct sock *listener, *child;
	int err;

	/* What an earlier attempt left is not this one's. */
	sock_error(sk);
	listener = rill_name_lookup(sk, key);
	if (IS_ERR(listener)) {
		err = PTR_ERR(listener);
		rill_connect_trace(sk, NULL, key, err);
		return err;
	}
	/*
	 * Cheap to know before anything is made; decided in the join.  Acquire:
	 * who listens has a name, which the new end gets.
	 */
	if (smp_load_acquire(&listener->sk_state) != TCP_LISTEN) {
		rill_stat_inc(sock_net(sk), RILL_STAT_CONNECT_NOLISTENER);
		err = -ECONNREFUSED;
		goto out;
	}
	err = -ENOMEM;
	child = rill_child_alloc(sk, listener);
	if (!child) {
		rill_stat_inc(sock_net(sk), RILL_STAT_CONNECT_NOMEM);
		goto out;
	}
	rill_peercred_copy(sk, listener);
	err = rill_queue_join(listener, sk, child);
	if (err && err != -EINPROGRESS) {
		rill_peercred_clear(sk);
		rill_sock_close(child);
	}
out:
	/* Who stands in line is told of when that has ended. */
	if (err != -EINPROGRESS)
		rill_connect_trace(sk, listener, key, err);
	sock_put(listener);
	return err;
}

static bool rill_in_line(const struct sock *sk)
{
	/* Pairs with rill_connection_link(). */
	return smp_load_acquire(&sk->sk_state) == TCP_SYN_SENT;
}

/*
 * Sleep while sk stands in line, for timeo jiffies, of which it gets the rest.
 * 0: it left the line, connected or not.  Else it keeps its place: -EINPROGRESS
 * if the time is up, or the errno of a signal.
 */
static int rill_connection_wait(struct sock *sk, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	rill_wait_add(sk, &wait);
	while (rill_in_line(sk)) {
		err = -EINPROGRESS;
		if (!*timeo)
			break;
		err = sock_intr_errno(*timeo);
		if (signal_pending(current))
			break;
		*timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, *timeo);
		err = 0;
	}
	rill_wait_remove(sk, &wait);
	return err;
}

/**
 * rill_connection_await() - rill_connection_ready() of a socket without a peer
 * @sk: a stream or seqpacket socket
 * @timeo: jiffies to wait if it stands in line; gets what is left
 *
 * In line it waits, as tcp(7) does in SYN_SENT.
 *
 * Return: the peer, which stays while the file is open; -ENOTCONN, -EAGAIN, the
 * errno of a signal, or why the connection failed.
 */
struct sock *rill_connection_await(struct sock *sk, long *timeo)
{
	struct sock *peer;
	int err;

	if (!rill_in_line(sk)) {
		/* Admitted since the caller looked?  The state came after. */
		peer = smp_load_acquire(&rill_sk(sk)->peer);
		return peer ?: ERR_PTR(-ENOTCONN);
	}
	err = rill_connection_wait(sk, timeo);
	if (err)
		return ERR_PTR(err == -EINPROGRESS ? -EAGAIN : err);
	/* The connector was admitted, or refused. */
	peer = smp_load_acquire(&rill_sk(sk)->peer);
	if (peer)
		return peer;
	/* Somebody else was told why, or has called it off. */
	return ERR_PTR(sock_error(sk) ?: -ECONNABORTED);
}

/* A send has ended with EPIPE: say so in both ways. */
void rill_connection_sigpipe(const struct msghdr *msg)
{
	if (!(msg->msg_flags & MSG_NOSIGNAL))
		send_sig(SIGPIPE, current, 0);
}

static int rill_connect_unspec(struct sock *sk)
{
	int err = 0;

	lock_sock(sk);
	if (rill_line_leave(sk, 0)) {
		/* Others may wait for the connection. */
		rill_wake_hangup(sk, true);
	} else if (sk->sk_state != TCP_CLOSE) {
		err = -EINVAL;
		goto out;
	}
	rill_sk(sk)->connecting = 0;
	sock_error(sk);
out:
	release_sock(sk);
	return err;
}

/* A connect() that was told EINPROGRESS, or was interrupted, has ended. */
static int rill_connect_result(struct sock *sk)
{
	rill_sk(sk)->connecting = 0;
	if (sk->sk_state == TCP_ESTABLISHED)
		return 0;
	return sock_error(sk) ?: -ECONNABORTED;
}

int rill_connect(struct socket *sock, struct sockaddr_unsized *uaddr, int len,
		 int flags)
{
	struct sock *sk = sock->sk;
	struct rill_sock *rs = rill_sk(sk);
	struct rill_key key;
	long timeo;
	int err;

	if (len >= (int)sizeof(sa_family_t) && uaddr->sa_family == AF_UNSPEC)
		return rill_connect_unspec(sk);
	err = rill_addr_parse(uaddr, len, &key);
	if (err)
		return err;

	lock_sock(sk);
	timeo = sock_sndtimeo(sk, flags & O_NONBLOCK);
	switch (READ_ONCE(sk->sk_state)) {
	case TCP_CLOSE:
		if (rs->connecting) {
			err = rill_connect_result(sk);
			goto out;
		}
		err = rill_connect_start(sk, &key);
		if (err != -EINPROGRESS)
			goto out;
		rs->connecting = 1;
		break;
	case TCP_SYN_SENT:
		err = -EALREADY;
		if (!timeo)
			goto out;
		break;
	case TCP_ESTABLISHED:
		err = rs->connecting ? rill_connect_result(sk) : -EISCONN;
		goto out;
	default:
		err = -EINVAL;
		goto out;
	}

	release_sock(sk);
	err = rill_connection_wait(sk, &timeo);
	lock_sock(sk);
	/* Another thread may have told the result, or left the line .. */
	if (!err && sk->sk_state == TCP_SYN_SENT)
		err = -ECONNABORTED;	/* .. and stands in another by now */
	else if (!err && rs->connecting)
		err = rill_connect_result(sk);
	else if (!err && sk->sk_state != TCP_ESTABLISHED)
		err = -ECONNABORTED;
out:
	if (!err)
		sock->state = SS_CONNECTED;
	release_sock(sk);
	return err;
}

int rill_socketpair(struct socket *a, struct socket *b)
{
	struct sock *ska = a->sk, *skb = b->sk;

	rill_sk(ska)->pair = 1;
	rill_sk(skb)->pair = 1;
	rill_peercred_current(ska);
	rill_peercred_current(skb);
	rill_connection_link(ska, skb);
	rill_connection_link(skb, ska);
	rill_stat_inc(sock_net(ska), RILL_STAT_PAIR_OK);
	a->state = SS_CONNECTED;
	b->state = SS_CONNECTED;
	return 0;
}

/* Bytes or messages that the owner of sk never read. */
static bool rill_unread(struct sock *sk)
{
	return rill_is_stream(sk) ? rill_ring_readable(&rill_sk(sk)->ring) :
	       !skb_queue_empty_lockless(&sk->sk_receive_queue);
}

static bool rill_resets(const struct sock *sk)
{
	return sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime;
}

/* Is the other end to see ECONNRESET, and why? */
static enum rill_reset_reason rill_reset_reason(struct sock *sk, bool unread)
{
	if (!rill_sk(sk)->accepted)
		return RILL_RESET_UNACCEPTED;
	if (rill_resets(sk))
		return RILL_RESET_LINGER;
	return unread ? RILL_RESET_UNREAD : RILL_RESET_NONE;
}

/* The other end was told of a reset. */
static void rill_reset_count(struct sock *sk, struct sock *peer,
			     enum rill_reset_reason reason)
{
	rill_stat_inc(sock_net(sk), RILL_STAT_RESET_UNREAD + reason -
				    RILL_RESET_UNREAD);
	trace_rill_reset(sk, peer, reason);
}

static void rill_shutdown_mark(struct sock *sk, int how)
{
	spin_lock(&rill_sk(sk)->lock);
	rill_shutdown_add(sk, how);
	spin_unlock(&rill_sk(sk)->lock);
}

/* The other end may not send any more; what it did not read may be lost, too. */
static void rill_connection_cut(struct sock *sk, struct sock *peer)
{
	if (rill_resets(sk)) {
		if (rill_is_stream(sk))
			rill_ring_discard(&rill_sk(peer)->ring);
		else
			rill_msg_purge(peer, RILL_DROP_RESET);
	}
	rill_shutdown_mark(peer, SEND_SHUTDOWN);
}

/* Tell the other end of its end (how), and of a reset if there is one: once. */
static void rill_connection_tell(struct sock *sk, struct sock *peer,
				 enum rill_reset_reason reset, int how)
{
	struct rill_sock *rp = rill_sk(peer);

	spin_lock(&rp->lock);
	if (rp->was_reset)
		reset = RILL_RESET_NONE;
	if (reset) {
		rp->was_reset = true;
		/* Release: after all that was sent; see rill_reset_get(). */
		smp_store_release(&peer->sk_err, ECONNRESET);
	}
	rill_shutdown_add(peer, how);
	spin_unlock(&rp->lock);
	if (reset)
		rill_reset_count(sk, peer, reset);
	rill_wake_hangup(peer, READ_ONCE(peer->sk_shutdown) == SHUTDOWN_MASK);
}

/**
 * rill_connection_lost() - a send ended after its receiver had closed
 * @sk: the receiver, which purged, or has left it to the sender, what was sent
 * @peer: the sender, in the call, or on its way out of it
 */
void rill_connection_lost(struct sock *sk, struct sock *peer)
{
	rill_connection_tell(sk, peer, RILL_RESET_UNREAD, 0);
}

/**
 * rill_connection_close() - an end goes away
 * @sk: the end; dead, no system call can reach it any more
 *
 * The other end drains what was sent, then sees EOF, or ECONNRESET if this end
 * had something unread, was never accepted, or resets (SO_LINGER with 0).
 */
void rill_connection_close(struct sock *sk)
{
	struct rill_sock *rs = rill_sk(sk);
	struct sock *peer = rs->peer;
	struct sk_buff_head gone;
	bool last, unread;

	/* It stood in line, and was refused just now. */
	if (!peer)
		return;
	/* Nobody is at the other end any more, and nobody will be. */
	last = READ_ONCE(rill_sk(peer)->dead);
	if (!last)
		rill_connection_cut(sk, peer);
	__skb_queue_head_init(&gone);
	if (rill_is_stream(sk)) {
		unread = rill_ring_kill(&rs->ring, &rill_sk(peer)->tx_mutex);
	} else {
		rill_msg_drop(sk, RILL_DROP_CLOSED, &gone);
		unread = !skb_queue_empty(&gone);
		rill_flow_unblock(sk);
	}
	if (!last)
		rill_connection_tell(sk, peer, rill_reset_reason(sk, unread),
				     RCV_SHUTDOWN);
	if (!rill_is_stream(sk)) {
		/*
		 * Both wake the peer for room that is no use to it: a poll that
		 * sleeps is to see why, and so has been told before.
		 */
		__skb_queue_purge(&gone);
		rill_flow_end(sk);
	}

	spin_lock(&rs->lock);
	rs->peer = NULL;
	spin_unlock(&rs->lock);
	sock_put(peer);
}

/* Has the peer read all that sk sent, or gone? */
static bool rill_all_read(struct sock *sk, struct sock *peer)
{
	/* It will not, if it closes too. */
	if (READ_ONCE(rill_sk(peer)->dead) ||
	    READ_ONCE(rill_sk(peer)->lingers))
		return true;
	if (rill_is_stream(sk))
		return !rill_ring_readable(&rill_sk(peer)->ring);
	/* All are sk's.  Not what it is charged: readers are slow to return it. */
	return skb_queue_empty_lockless(&peer->sk_receive_queue);
}

/**
 * rill_linger() - SO_LINGER: the wait of close() until the peer has read
 * @sk: the closing end
 *
 * Killable, and never in an exiting task, a kernel thread or an io worker,
 * which have nobody to tell.
 */
void rill_linger(struct sock *sk)
{
	struct sock *peer = READ_ONCE(rill_sk(sk)->peer);
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long timeo;

	if (!sock_flag(sk, SOCK_LINGER) || !sk->sk_lingertime || !peer ||
	    rill_is_dgram(sk))
		return;
	if (current->flags & (PF_EXITING | PF_KTHREAD | PF_IO_WORKER) ||
	    READ_ONCE(rill_sk(peer)->dead))
		return;

	/* Then tell, which wakes the peer if it lingers, too. */
	WRITE_ONCE(rill_sk(sk)->lingers, true);

	/*
	 * Nobody will read here any more: the peer may send nothing, or a send of
	 * it would wait for this end, which waits for its reads.  And there will
	 * be no more from here: it may read on to the end, and why.
	 */
	rill_shutdown_mark(peer, SEND_SHUTDOWN);
	rill_connection_tell(sk, peer, rill_unread(sk) ? RILL_RESET_UNREAD :
							 RILL_RESET_NONE,
			     RCV_SHUTDOWN);

	timeo = min_t(unsigned long, sk->sk_lingertime, MAX_SCHEDULE_TIMEOUT);
	rill_wait_add(sk, &wait);
	for (;;) {
		if (rill_is_stream(sk))
			rill_ring_want(&rill_sk(peer)->ring, RILL_WANT_EMPTY);
		if (rill_all_read(sk, peer) || !timeo ||
		    fatal_signal_pending(current))
			break;
		/*
		 * Unsafe: close() has the inode's lock, which nobody wants but
		 * a chown() through O_PATH.
		 */
		timeo = wait_woken(&wait,
				   TASK_KILLABLE | TASK_FREEZABLE_UNSAFE,
				   timeo);
	}
	rill_wait_remove(sk, &wait);
}

static void rill_shutdown_listener(struct sock *sk, int how)
{
	rill_shutdown_mark(sk, how);
	/* To send means nothing to a listener. */
	if (how & RCV_SHUTDOWN)
		rill_listener_close(sk);
	rill_wake_hangup(sk, how == SHUTDOWN_MASK);
}

/* Those that wait at sk, and those that wait for room there. */
static void rill_shutdown_wake(struct sock *sk, int how)
{
	rill_wake_hangup(sk, how == SHUTDOWN_MASK);
	if (!rill_is_stream(sk))
		rill_flow_end(sk);
}

/* Of a connection, whose ends stay what they are: lock_sock() is not needed. */
static void rill_shutdown_connection(struct sock *sk, struct sock *peer, int how)
{
	/* What one end will not send the other will not receive. */
	int others = (how & RCV_SHUTDOWN ? SEND_SHUTDOWN : 0) |
		     (how & SEND_SHUTDOWN ? RCV_SHUTDOWN : 0);

	/* All, then wake: who waits for room at one end polls the other. */
	rill_shutdown_mark(sk, how);
	if (how & SEND_SHUTDOWN && rill_is_stream(sk) &&
	    !rill_stream_finish(sk, peer, false)) {
		/* It may hang until somebody goes on who sleeps here. */
		rill_shutdown_mark(peer, others & SEND_SHUTDOWN);
		rill_shutdown_wake(sk, how);
		if (others & SEND_SHUTDOWN)
			rill_shutdown_wake(peer, SEND_SHUTDOWN);
		rill_stream_finish(sk, peer, true);
	}
	rill_shutdown_mark(peer, others);
	rill_shutdown_wake(sk, how);
	rill_shutdown_wake(peer, others);
}

int rill_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk, *peer = NULL;
	int err = 0;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	how++;	/* RCV_SHUTDOWN, SEND_SHUTDOWN or both */

	lock_sock(sk);
	if (rill_is_dgram(sk)) {
		rill_shutdown_mark(sk, how);
		rill_shutdown_wake(sk, how);
	} else if (sk->sk_state == TCP_LISTEN) {
		rill_shutdown_listener(sk, how);
	} else if (rill_line_leave(sk, ECONNABORTED)) {
		/* As tcp(7) in SYN_SENT: the connect() is off, and polls see it. */
		rill_wake_hangup(sk, true);
	} else {
		peer = rill_sk(sk)->peer;
		if (!peer)
			err = -ENOTCONN;
	}
	release_sock(sk);
	if (peer)
		rill_shutdown_connection(sk, peer, how);
	return err;
}
