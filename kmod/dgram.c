// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagram sockets: whom they are associated with.
 *
 * Locking: a datagram socket's peer changes under its lock; whoever reads it
 * takes a reference there (rill_peer_get()), or under RCU (rill_dgram_peer()).
 *
 * Lifetime: the association holds a reference on the peer, until connect()
 * makes another, a send finds the peer gone, or the socket is closed.
 *
 * Context: process.
 */
#include "af_rill.h"
#include "trace.h"

static void rill_dgram_associate(struct sock *sk, struct sock *peer)
{
	struct rill_sock *rs = rill_sk(sk);
	struct sock *old;

	if (peer)
		sock_hold(peer);
	spin_lock(&rs->lock);
	old = rs->peer;
	/* Release: for rill_dgram_peer(). */
	smp_store_release(&rs->peer, peer);
	WRITE_ONCE(sk->sk_state, peer ? TCP_ESTABLISHED : TCP_CLOSE);
	spin_unlock(&rs->lock);
	/* Senders that were not the new peer get EPERM. */
	rill_flow_end(sk);
	/* What poll waited for may not be what counts now. */
	rill_flow_unblock(sk);
	rill_write_space(sk);
	if (old)
		sock_put(old);
}

/**
 * rill_dgram_peer() - whom a send without an address goes to
 * @sk: the sender
 *
 * The same as rill_peer_get(), without the lock that those who send to @sk need:
 * a datagram socket is freed after a grace period (SOCK_RCU_FREE).  Another
 * thread may end the association meanwhile, which lets go of the peer.
 *
 * Return: the peer, referenced, or NULL.
 */
struct sock *rill_dgram_peer(struct sock *sk)
{
	struct sock *peer;

	rcu_read_lock();
	do {
		/* Acquire: pairs with rill_dgram_associate(). */
		peer = smp_load_acquire(&rill_sk(sk)->peer);
	} while (peer && !refcount_inc_not_zero(&peer->sk_refcnt));
	rcu_read_unlock();
	return peer;
}

/* A send has found the peer gone. */
void rill_dgram_dissolve(struct sock *sk, struct sock *peer)
{
	struct rill_sock *rs = rill_sk(sk);
	bool was;

	spin_lock(&rs->lock);
	was = rs->peer == peer;
	if (was) {
		WRITE_ONCE(rs->peer, NULL);
		WRITE_ONCE(sk->sk_state, TCP_CLOSE);
	}
	spin_unlock(&rs->lock);
	if (was)
		sock_put(peer);
}

/* May sk send to other?  Not if that is associated with a third. */
int rill_dgram_may_send(const struct sock *sk, const struct sock *other)
{
	const struct sock *peer;

	lockdep_assert_held(&rill_sk(other)->lock);
	if (rill_sk(other)->dead)
		return -ECONNREFUSED;
	peer = rill_sk(other)->peer;
	return !peer || peer == sk ? 0 : -EPERM;
}

int rill_dgram_connect(struct socket *sock, struct sockaddr_unsized *uaddr,
		       int len, int flags)
{
	struct sock *sk = sock->sk, *other;
	struct rill_key key;
	int err;

	if (len >= (int)sizeof(sa_family_t) && uaddr->sa_family == AF_UNSPEC) {
		rill_dgram_associate(sk, NULL);
		sock->state = SS_UNCONNECTED;
		return 0;
	}
	err = rill_addr_parse(uaddr, len, &key);
	if (err)
		return err;
	other = rill_name_lookup(sk, &key);
	if (IS_ERR(other)) {
		err = PTR_ERR(other);
		rill_connect_trace(sk, NULL, &key, err);
		return err;
	}

	spin_lock(&rill_sk(other)->lock);
	err = rill_dgram_may_send(sk, other);
	spin_unlock(&rill_sk(other)->lock);
	if (!err) {
		rill_dgram_associate(sk, other);
		sock->state = SS_CONNECTED;
	}
	rill_connect_trace(sk, other, &key, err);
	sock_put(other);
	return err;
}

/* The socket is dead, no system call can reach it any more. */
void rill_dgram_close(struct sock *sk)
{
	rill_msg_purge(sk, RILL_DROP_CLOSED);
	/* Wakes its senders too: they get ECONNREFUSED. */
	rill_dgram_associate(sk, NULL);
}
