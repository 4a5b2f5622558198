// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a socket looks like to others: to /proc here, to rill_diag.ko.
 *
 * Locking and lifetime: the view is taken under the socket's lock, with
 * references on the other sockets in it and none on its own, which the caller
 * has.  It is a moment's: each of them may change as soon as it is taken.
 *
 * Context: process.
 */
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/pid.h>

#include "ring.h"
#include "af_rill.h"

/**
 * rill_view_get() - look at a socket
 * @view: gets what is seen; rill_view_put() gives it back
 * @sk: the socket; the caller has a reference
 */
void rill_view_get(struct rill_view *view, struct sock *sk)
{
	struct rill_sock *rs = rill_sk(sk);

	memset(view, 0, sizeof(*view));
	spin_lock(&rs->lock);
	view->state = sk->sk_state;
	view->shutdown = sk->sk_shutdown;
	view->peer = rs->peer;
	if (view->state == TCP_SYN_SENT) {
		view->listener = rs->listener;
		view->child = rs->child;
		sock_hold(view->listener);
		sock_hold(view->child);
	}
	if (view->state == TCP_LISTEN) {
		view->queue.rq_len = sk->sk_ack_backlog;
		view->queue.rq_max = sk->sk_max_ack_backlog + 1;
		view->queue.rq_waiting = rs->waiting;
	}
	if (view->peer)
		sock_hold(view->peer);
	spin_unlock(&rs->lock);

	view->name = rill_sock_name(sk);
	if (view->state == TCP_LISTEN) {
		view->queue.rq_waiting_max =
			READ_ONCE(rill_net(sock_net(sk))->max_waiting);
		view->recv_q = view->queue.rq_len;
		view->send_q = view->queue.rq_max;
	} else {
		view->recv_q = rill_recv_queue(sk);
		view->send_q = rill_send_queue(sk);
	}
}
EXPORT_SYMBOL_GPL(rill_view_get);

void rill_view_put(struct rill_view *view)
{
	if (view->peer)
		sock_put(view->peer);
	if (view->listener)
		sock_put(view->listener);
	if (view->child)
		sock_put(view->child);
}
EXPORT_SYMBOL_GPL(rill_view_put);

/* What SO_PEERCRED of sk tells, with a reference on the pid. */
static void rill_view_cred(struct rill_cred *cred, struct sock *sk)
{
	if (!sk)
		return;
	spin_lock(&sk->sk_peer_lock);
	if (sk->sk_peer_cred) {
		cred->pid = get_pid(sk->sk_peer_pid);
		cred->uid = sk->sk_peer_cred->euid;
		cred->gid = sk->sk_peer_cred->egid;
	}
	spin_unlock(&sk->sk_peer_lock);
}

/*
 * Both ends of a connection for good; of datagrams only those of a socketpair()
 * that still is one.
 */
static bool rill_view_is_pair(const struct rill_view *view, const struct sock *sk)
{
	const struct rill_sock *peer;

	if (!view->peer)
		return false;
	peer = rill_sk(view->peer);
	return !rill_is_dgram(sk) ||
	       (rill_sk(sk)->pair && peer->pair && READ_ONCE(peer->peer) == sk);
}

/**
 * rill_view_creds() - who was at both ends when they were made
 * @view: of @sk
 * @sk: the socket
 * @own: gets who connected, or listened, on this end; pid NULL if not recorded
 * @peer: the same of the other end
 *
 * Each end has the other's recorded.  The caller gives back both pids.
 */
void rill_view_creds(const struct rill_view *view, struct sock *sk,
		     struct rill_cred *own, struct rill_cred *peer)
{
	memset(own, 0, sizeof(*own));
	memset(peer, 0, sizeof(*peer));
	if (view->state == TCP_LISTEN) {
		rill_view_cred(own, sk);
	} else if (view->child) {
		rill_view_cred(own, view->child);
		rill_view_cred(peer, view->listener);
	} else if (rill_view_is_pair(view, sk)) {
		rill_view_cred(own, view->peer);
		rill_view_cred(peer, sk);
	}
}
EXPORT_SYMBOL_GPL(rill_view_creds);
