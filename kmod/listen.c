// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listeners: the accept queue, and the waiting line behind it.
 *
 * A connection is made by the connector.  While the accept queue has room and
 * nobody stands in line, the new end goes into the queue and both are connected
 * at once.  Else the connector joins the line, with the new end ready beside
 * it, so that admitting it later needs no memory and cannot fail.  Whoever
 * makes room (accept(), or listen() with a larger backlog) admits the first of
 * the line.
 *
 * Locking: the listener's lock guards queue, line, waiting and sk_ack_backlog;
 * a connector's lock, taken inside it, guards its listener, child and state.
 * A connector is in the line, with listener and child set, exactly while its
 * state is TCP_SYN_SENT; both change under both locks.
 *
 * Lifetime: the queue holds a new end's first reference, which accept() hands
 * to the file.  A connector in line holds its new end's first reference, and
 * one on the listener; the line holds none on the connector, whose release()
 * leaves it.  A listener that goes away empties both; nobody can join it then,
 * since rill_queue_join() looks at sk_shutdown under the lock.
 *
 * Context: process.
 */
#include <linux/security.h>
#include <linux/sched/signal.h>

#include "af_rill.h"
#include "trace.h"

#define RILL_ADMIT_BATCH	64

/* The end of a wait in line, for tracing; child knows whose it was. */
static void rill_line_trace(struct sock *sk, struct rill_sock *ls,
			    struct sock *child, int err)
{
	if (trace_rill_connect_enabled())
		trace_rill_connect(sk, &ls->sk, NULL, rill_peercred_pid(child),
				   rill_peercred_pid(&ls->sk), true, err);
}

/* The connector and its new end become a connection, seen by accept(). */
static void __rill_queue_link(struct rill_net *rn, struct rill_sock *ls,
			      struct sock *sk, struct sock *child)
{
	lockdep_assert_held(&ls->lock);
	lockdep_assert_held(&rill_sk(sk)->lock);

	rill_connection_link(child, sk);
	rill_connection_link(sk, child);
	list_add_tail(&rill_sk(child)->link, &ls->queue);
	WRITE_ONCE(ls->sk.sk_ack_backlog, ls->sk.sk_ack_backlog + 1);
	rill_net_count(rn, RILL_STAT_CONNECT_OK);
}

/* Take a connector out of the line; the caller gets its new end. */
static struct sock *__rill_line_remove(struct rill_net *rn,
				       struct rill_sock *ls,
				       struct rill_sock *rs)
{
	struct sock *child = rs->child;

	lockdep_assert_held(&ls->lock);
	lockdep_assert_held(&rs->lock);

	list_del_init(&rs->link);
	rs->child = NULL;
	rs->listener = NULL;
	WRITE_ONCE(ls->waiting, ls->waiting - 1);
	atomic_dec(&rn->waiting);
	/* Not the last one: the caller has the listener locked. */
	sock_put(&ls->sk);
	return child;
}

/**
 * rill_queue_join() - a connector comes to a listener
 * @listener: referenced, not locked
 * @sk: the connector; lock_sock() is held, its state is TCP_CLOSE
 * @child: its new end, complete; the caller's reference is taken over unless
 *	an error is returned
 *
 * Return: 0 if connected, -EINPROGRESS if it stands in line now,
 * -ECONNREFUSED.
 */
int rill_queue_join(struct sock *listener, struct sock *sk, struct sock *child)
{
	struct rill_sock *ls = rill_sk(listener), *rs = rill_sk(sk);
	struct rill_net *rn = rill_net(sock_net(sk));
	int err = -ECONNREFUSED;

	spin_lock(&ls->lock);
	if (listener->sk_state != TCP_LISTEN ||
	    listener->sk_shutdown & RCV_SHUTDOWN) {
		rill_net_count(rn, RILL_STAT_CONNECT_NOLISTENER);
		goto out;
	}
	spin_lock(&rs->lock);
	if (!rill_queue_full(listener) && list_empty(&ls->line)) {
		__rill_queue_link(rn, ls, sk, child);
		err = 0;
	} else if (ls->waiting < (unsigned int)READ_ONCE(rn->max_waiting)) {
		sock_hold(listener);
		rs->listener = listener;
		rs->child = child;
		WRITE_ONCE(sk->sk_state, TCP_SYN_SENT);
		list_add_tail(&rs->link, &ls->line);
		WRITE_ONCE(ls->waiting, ls->waiting + 1);
		atomic_inc(&rn->waiting);
		rill_net_count(rn, RILL_STAT_CONNECT_WAITED);
		trace_rill_queue_full(sk, listener, true);
		err = -EINPROGRESS;
	} else {
		rill_net_count(rn, RILL_STAT_CONNECT_OVERFLOW);
		trace_rill_queue_full(sk, listener, false);
	}
	spin_unlock(&rs->lock);
out:
	spin_unlock(&ls->lock);
	if (!err)
		listener->sk_data_ready(listener);
	return err;
}

/*
 * Admit from the line while there is room, but not too many under one lock.
 * Returns whether there are more to admit.
 */
static bool __rill_line_admit(struct rill_sock *ls)
{
	struct rill_net *rn = rill_net(sock_net(&ls->sk));
	int budget = RILL_ADMIT_BATCH;
	struct rill_sock *rs;
	struct sock *child;

	lockdep_assert_held(&ls->lock);
	while (!rill_queue_full(&ls->sk) && !list_empty(&ls->line)) {
		if (!budget--)
			return true;
		rs = list_first_entry(&ls->line, struct rill_sock, link);
		spin_lock(&rs->lock);
		child = __rill_line_remove(rn, ls, rs);
		__rill_queue_link(rn, ls, &rs->sk, child);
		rill_line_trace(&rs->sk, ls, child, 0);
		/*
		 * Under its lock, which its release() takes before the socket
		 * can go away.
		 */
		rs->sk.sk_state_change(&rs->sk);
		sk_wake_async(&rs->sk, SOCK_WAKE_IO, POLL_OUT);
		spin_unlock(&rs->lock);
		/* One more to accept: wake one more. */
		ls->sk.sk_data_ready(&ls->sk);
	}
	return false;
}

/**
 * rill_line_leave() - a connector gives up its place
 * @sk: the connector
 * @err: what its SO_ERROR is to say; or 0
 *
 * Return: whether it stood in line; it is unconnected then.
 */
bool rill_line_leave(struct sock *sk, int err)
{
	struct rill_net *rn = rill_net(sock_net(sk));
	struct rill_sock *rs = rill_sk(sk), *ls;
	struct sock *listener = NULL, *child = NULL;

	spin_lock(&rs->lock);
	/* Else it may be a listener, which has no such field. */
	if (sk->sk_state == TCP_SYN_SENT) {
		listener = rs->listener;
		sock_hold(listener);
	}
	spin_unlock(&rs->lock);
	if (!listener)
		return false;

	ls = rill_sk(listener);
	spin_lock(&ls->lock);
	spin_lock(&rs->lock);
	/* It may have been admitted or refused meanwhile. */
	if (rs->listener == listener) {
		child = __rill_line_remove(rn, ls, rs);
		WRITE_ONCE(sk->sk_err, err);
		/* Release: whoever sees the state sees why. */
		smp_store_release(&sk->sk_state, TCP_CLOSE);
		rill_net_count(rn, RILL_STAT_CONNECT_LEFT);
		rill_line_trace(sk, ls, child, -ECONNABORTED);
	}
	spin_unlock(&rs->lock);
	spin_unlock(&ls->lock);
	sock_put(listener);

	if (!child)
		return false;
	rill_sock_close(child);
	rill_peercred_clear(sk);
	return true;
}

/* Refuse the first of the line.  Returns its new end, for the caller to close. */
static struct sock *rill_line_refuse(struct rill_sock *ls)
{
	struct rill_net *rn = rill_net(sock_net(&ls->sk));
	struct sock *child = NULL;
	struct rill_sock *rs;

	spin_lock(&ls->lock);
	rs = list_first_entry_or_null(&ls->line, struct rill_sock, link);
	if (rs) {
		spin_lock(&rs->lock);
		child = __rill_line_remove(rn, ls, rs);
		rill_peercred_clear(&rs->sk);
		WRITE_ONCE(rs->sk.sk_err, ECONNREFUSED);
		/* Release: whoever sees the state sees why. */
		smp_store_release(&rs->sk.sk_state, TCP_CLOSE);
		rill_net_count(rn, RILL_STAT_CONNECT_REFUSED);
		rill_line_trace(&rs->sk, ls, child, -ECONNREFUSED);
		rs->sk.sk_state_change(&rs->sk);
		sk_wake_async(&rs->sk, SOCK_WAKE_IO, POLL_ERR);
		spin_unlock(&rs->lock);
	}
	spin_unlock(&ls->lock);
	return child;
}

static struct sock *__rill_queue_pop(struct rill_sock *ls)
{
	struct rill_sock *rs;

	lockdep_assert_held(&ls->lock);
	rs = list_first_entry_or_null(&ls->queue, struct rill_sock, link);
	if (!rs)
		return NULL;
	list_del_init(&rs->link);
	WRITE_ONCE(ls->sk.sk_ack_backlog, ls->sk.sk_ack_backlog - 1);
	return &rs->sk;
}

/**
 * rill_listener_close() - a listener goes away: refuse all who wait for it
 * @sk: the listener; dead or shut down, so that nobody joins any more
 */
void rill_listener_close(struct sock *sk)
{
	struct rill_sock *ls = rill_sk(sk);
	struct sock *child;

	/* The line first, or the queue's end would admit from it. */
	while ((child = rill_line_refuse(ls))) {
		rill_sock_close(child);
		cond_resched();
	}
	for (;;) {
		spin_lock(&ls->lock);
		child = __rill_queue_pop(ls);
		spin_unlock(&ls->lock);
		if (!child)
			break;
		/* Not accepted: its connector sees ECONNRESET and a hang-up. */
		rill_sock_close(child);
		cond_resched();
	}
}

/* From here on, and for good, it is a listener: see struct rill_sock. */
static void __rill_listener_init(struct rill_sock *rs)
{
	lockdep_assert_held(&rs->lock);
	WARN_ON_ONCE(!list_empty(&rs->link) || rs->listener || rs->child);
	WARN_ON_ONCE(rs->peer);
	INIT_LIST_HEAD(&rs->queue);
	INIT_LIST_HEAD(&rs->line);
	rs->waiting = 0;
}

int rill_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;
	struct rill_sock *rs = rill_sk(sk);
	int err = -EINVAL;
	bool more;

	lock_sock(sk);
	if (!rs->name || rs->name->holder != sk)
		goto out;
	if (sk->sk_state != TCP_CLOSE && sk->sk_state != TCP_LISTEN)
		goto out;

	/* What connectors will see as SO_PEERCRED. */
	rill_peercred_current(sk);
	sock_error(sk);

	spin_lock(&rs->lock);
	if (sk->sk_state == TCP_CLOSE)
		__rill_listener_init(rs);
	WRITE_ONCE(sk->sk_max_ack_backlog, backlog);
	WRITE_ONCE(sk->sk_state, TCP_LISTEN);
	/* After a shutdown() it listens again. */
	WRITE_ONCE(sk->sk_shutdown, 0);
	rs->connecting = 0;
	spin_unlock(&rs->lock);
	do {
		spin_lock(&rs->lock);
		more = __rill_line_admit(rs);
		spin_unlock(&rs->lock);
		cond_resched();
	} while (more);
	err = 0;
out:
	release_sock(sk);
	return err;
}

/* Take the next connection, if there is one, and admit from the line. */
static struct sock *rill_queue_take(struct sock *sk, int *err)
{
	struct rill_sock *ls = rill_sk(sk);
	struct sock *child = NULL;

	*err = -EINVAL;
	spin_lock(&ls->lock);
	if (sk->sk_state == TCP_LISTEN && !(sk->sk_shutdown & RCV_SHUTDOWN)) {
		*err = 0;
		child = __rill_queue_pop(ls);
		if (child && !list_empty(&ls->line))
			__rill_line_admit(ls);
	}
	spin_unlock(&ls->lock);
	return child;
}

/* Sleep until there is a connection to take.  0, or why there is none. */
static int rill_accept_wait(struct sock *sk, struct sock **child, long timeo)
{
	DEFINE_WAIT(wait);
	int err;

	for (;;) {
		/* Exclusive: one connection wakes one sleeper. */
		prepare_to_wait_exclusive(sk_sleep(sk), &wait,
					  TASK_INTERRUPTIBLE);
		*child = rill_queue_take(sk, &err);
		if (*child || err)
			break;
		err = -EAGAIN;
		if (!timeo)
			break;
		err = sock_intr_errno(timeo);
		if (signal_pending(current))
			break;
		timeo = schedule_timeout(timeo);
	}
	finish_wait(sk_sleep(sk), &wait);

	/*
	 * A wake-up may have met this sleeper after it took another connection,
	 * or decided to go without: pass it on, or a connection and another
	 * sleeper would wait for each other.
	 */
	if (READ_ONCE(sk->sk_ack_backlog))
		sk->sk_data_ready(sk);
	return *child ? 0 : err;
}

static int rill_accept_flags(struct socket *sock, struct socket *newsock,
			     int flags)
{
	struct sock *sk = sock->sk, *child;
	struct rill_sock *cs;
	bool passcred;
	long timeo;
	int err;

	child = rill_queue_take(sk, &err);
	if (!child) {
		if (err)
			return err;
		timeo = sock_rcvtimeo(sk, flags & O_NONBLOCK);
		if (!timeo)
			return -EAGAIN;
		err = rill_accept_wait(sk, &child, timeo);
		if (err)
			return err;
	}

	cs = rill_sk(child);
	passcred = rill_passcred_own(sk);
	rill_custom_sockopt(newsock);
	rill_passcred_inherit(newsock, passcred);
	newsock->state = SS_CONNECTED;
	sock_graft(child, newsock);
	WRITE_ONCE(cs->passcred, passcred);
	/* Release: passcred, and on 6.1 the socket, come before. */
	smp_store_release(&cs->accepted, true);
	rill_stat_inc(sock_net(sk), RILL_STAT_ACCEPT_OK);
	if (trace_rill_accept_enabled())
		trace_rill_accept(child, sk, rill_peercred_pid(child));
	return 0;
}

RILL_DEFINE_ACCEPT(rill_accept)
