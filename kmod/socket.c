// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket itself: making one, binding it, naming it, closing it, and the
 * tables by which the core calls the rest.
 *
 * Locking and lifetime: see struct rill_sock.  A socket is in its namespace's
 * bucket from the moment it is made until it is closed; a bucket's lock does not
 * nest with a socket's.
 *
 * Context: process; the destructor also runs in softirq (RCU).
 */
#include <linux/export.h>
#include <linux/hash.h>
#include <linux/security.h>
#include <linux/slab.h>

#include "ring.h"
#include "af_rill.h"
#include "trace.h"

struct proto rill_proto = {
	.name		= "RILL",
	.owner		= THIS_MODULE,
	.obj_size	= sizeof(struct rill_sock),
};

/* Messages need less than a stream. */
struct proto rill_msg_proto = {
	.name		= "RILL-MSG",
	.owner		= THIS_MODULE,
	.obj_size	= offsetofend(struct rill_sock, relay),
};

/* Kernels before 6.5 have it by back-port, if at all. */
#if IS_ENABLED(CONFIG_PROVE_LOCKING) && defined(lock_set_cmp_fn)
/* A listener's lock is taken before a connector's; nothing else nests. */
static int rill_lock_cmp(const struct lockdep_map *a,
			 const struct lockdep_map *b)
{
	const struct rill_sock *x = container_of(a, struct rill_sock,
						 lock.dep_map);
	const struct rill_sock *y = container_of(b, struct rill_sock,
						 lock.dep_map);
	bool x_listens = x->sk.sk_state == TCP_LISTEN;
	bool y_listens = y->sk.sk_state == TCP_LISTEN;

	if (x_listens != y_listens)
		return x_listens ? -1 : 1;
	return 0;
}

#define rill_lock_order(lock)	lock_set_cmp_fn(lock, rill_lock_cmp, NULL)
#else
#define rill_lock_order(lock)	do { } while (0)
#endif

static struct rill_bucket *rill_bucket(const struct sock *sk)
{
	return &rill_net(sock_net(sk))->buckets[hash_ptr(sk,
						RILL_SOCK_BUCKET_BITS)];
}

static void rill_sock_hash(struct sock *sk)
{
	struct rill_bucket *bucket = rill_bucket(sk);

	spin_lock(&bucket->lock);
	rill_sk(sk)->id = --bucket->last_id;
	__sk_add_node(sk, &bucket->head);
	spin_unlock(&bucket->lock);
}

static void rill_sock_unhash(struct sock *sk)
{
	struct rill_bucket *bucket = rill_bucket(sk);

	spin_lock(&bucket->lock);
	__sk_del_node_init(sk);
	spin_unlock(&bucket->lock);
}

/**
 * rill_sock_next() - walk the sockets of a namespace
 * @net: the namespace
 * @pos: where to look from; gets where the result stands
 * @prev: the socket that stands right before @pos, or NULL
 *
 * Ids stand in order and newcomers stand in front, so a walk that stops and
 * goes on, at any position, sees every socket that is there all the time, once.
 *
 * Return: the socket with a reference, or NULL at the end.
 */
struct sock *rill_sock_next(struct net *net, u64 *pos, struct sock *prev)
{
	u64 b = *pos >> RILL_POS_ID_BITS;
	u64 id = *pos & (BIT_ULL(RILL_POS_ID_BITS) - 1);
	struct hlist_node *node;
	struct sock *sk;

	for (; b < RILL_SOCK_BUCKETS; b++, id = 0, prev = NULL) {
		struct rill_bucket *bucket = &rill_net(net)->buckets[b];

		spin_lock(&bucket->lock);
		/* From prev, if it still stands there, else from the head. */
		node = bucket->head.first;
		if (prev && sk_hashed(prev))
			node = prev->sk_node.next;
		for (; node; node = node->next) {
			sk = hlist_entry(node, struct sock, sk_node);
			if (rill_sk(sk)->id < id)
				continue;
			sock_hold(sk);
			*pos = b << RILL_POS_ID_BITS | rill_sk(sk)->id;
			spin_unlock(&bucket->lock);
			return sk;
		}
		spin_unlock(&bucket->lock);
	}
	*pos = b << RILL_POS_ID_BITS;
	return NULL;
}
EXPORT_SYMBOL_GPL(rill_sock_next);

static void rill_sock_destruct(struct sock *sk)
{
	struct rill_sock *rs = rill_sk(sk);

	if (rill_is_stream(sk))
		rill_ring_free(&rs->ring);
	else
		WARN_ON_ONCE(rs->relay.private);
	rill_name_put(rs->name);

	WARN_ON_ONCE(!sk_unhashed(sk));
	WARN_ON_ONCE(sk->sk_socket);
	WARN_ON_ONCE(rs->peer);
	if (sk->sk_state == TCP_LISTEN)
		WARN_ON_ONCE(!list_empty(&rs->queue) || !list_empty(&rs->line));
	else
		WARN_ON_ONCE(!list_empty(&rs->link) || rs->listener || rs->child);
	WARN_ON_ONCE(!skb_queue_empty(&sk->sk_receive_queue));
	WARN_ON_ONCE(!skb_queue_empty(&sk->sk_write_queue));
	WARN_ON_ONCE(atomic_read(&sk->sk_rmem_alloc));
	WARN_ON_ONCE(refcount_read(&sk->sk_wmem_alloc));

	sock_prot_inuse_add(sock_net(sk), sk->sk_prot, -1);
}

/**
 * rill_sock_alloc() - make a socket
 * @net: its namespace
 * @sock: what it belongs to, NULL for one that is to be accepted
 * @type: SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM
 * @kern: from the core; a kernel socket does not hold the namespace
 *
 * Return: the socket with one reference, or NULL.
 */
struct sock *rill_sock_alloc(struct net *net, struct socket *sock, int type,
			     int kern)
{
	struct rill_sock *rs;
	struct sock *sk;

	/* The slab is of SLAB_ACCOUNT anyway. */
	sk = sk_alloc(net, rill_family, GFP_KERNEL,
		      type == SOCK_STREAM ? &rill_proto : &rill_msg_proto, kern);
	if (!sk)
		return NULL;
	sock_init_data(sock, sk);
	sk->sk_type		= type;
	sk->sk_allocation	= RILL_GFP_DATA;
	sk->sk_data_ready	= rill_data_ready;
	sk->sk_write_space	= rill_write_space;
	sk->sk_destruct		= rill_sock_destruct;
	/* A datagram's sender finds it by name, and by its relay, under RCU. */
	if (type == SOCK_DGRAM)
		sock_set_flag(sk, SOCK_RCU_FREE);

	rs = rill_sk(sk);
	spin_lock_init(&rs->lock);
	rill_lock_order(&rs->lock);
	mutex_init(&rs->rx_mutex);
	INIT_LIST_HEAD(&rs->link);
	if (type == SOCK_STREAM) {
		mutex_init(&rs->tx_mutex);
		rill_ring_init(&rs->ring);
	} else {
		rill_flow_init(sk);
	}
	rs->accepted	= sock;
	rs->busy_poll_us = -1;
	rs->bind_mode	= -1;
	rs->bind_uid	= INVALID_UID;
	rs->bind_gid	= INVALID_GID;

	sock_prot_inuse_add(net, sk->sk_prot, 1);
	rill_sock_hash(sk);
	return sk;
}

/* A reference to the peer, for those who do not own the socket's file. */
struct sock *rill_peer_get(struct sock *sk)
{
	struct sock *peer;

	spin_lock(&rill_sk(sk)->lock);
	peer = rill_sk(sk)->peer;
	if (peer)
		sock_hold(peer);
	spin_unlock(&rill_sk(sk)->lock);
	return peer;
}

/* An unnamed sender has none, as in unix(7). */
void __rill_name_copy(struct msghdr *msg, const struct sock *from)
{
	const struct rill_name *name = rill_sock_name(from);

	if (name)
		msg->msg_namelen = rill_addr_fill(msg->msg_name, name);
}

/**
 * rill_sock_close() - take a socket out of the world
 * @sk: one that no system call can reach any more: its file is closed, or it
 *	never had one
 *
 * Drops the caller's reference.
 */
void rill_sock_close(struct sock *sk)
{
	struct rill_sock *rs = rill_sk(sk);
	int state;

	trace_rill_close(sk);
	rill_sock_unhash(sk);

	spin_lock(&rs->lock);
	state = sk->sk_state;
	WRITE_ONCE(rs->dead, true);
	rill_shutdown_add(sk, SHUTDOWN_MASK);
	spin_unlock(&rs->lock);

	/* From here on nobody is woken through this socket. */
	sock_orphan(sk);
	if (rill_is_dgram(sk))
		rill_dgram_close(sk);
	else if (state == TCP_LISTEN)
		rill_listener_close(sk);
	else if (state == TCP_ESTABLISHED ||
		 /* It may have been admitted, or refused, since. */
		 (state == TCP_SYN_SENT && !rill_line_leave(sk, 0)))
		rill_connection_close(sk);
	rill_spare_close(sk);
	/*
	 * As in rill_name_insert(), of which lookups have to be sure: SIOCGSTAMP
	 * of 6.12 sets a flag without the lock, so that one set meanwhile may be
	 * lost.  No call is in flight here.
	 */
	if (rs->name && rs->name->holder == sk)
		sock_set_flag(sk, SOCK_RCU_FREE);
	sock_put(sk);
}

static int rill_release(struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	/* The name is free at once, even if the rest takes its time. */
	rill_name_unbind(sk);
	rill_linger(sk);
	sock->sk = NULL;
	rill_sock_close(sk);
	return 0;
}

static int rill_bind(struct socket *sock, struct sockaddr_unsized *uaddr,
		     int len)
{
	struct sock *sk = sock->sk;
	struct rill_key key;
	int err;

	err = rill_addr_parse(uaddr, len, &key);
	if (err)
		return err;

	lock_sock(sk);
	if (rill_sk(sk)->name ||
	    (sk->sk_state != TCP_CLOSE && !rill_is_dgram(sk)))
		err = -EINVAL;
	else if (key.len)
		err = rill_name_bind(sk, &key);
	else
		err = rill_name_autobind(sk);
	release_sock(sk);
	return err;
}

static int rill_getname(struct socket *sock, struct sockaddr *uaddr, int peer)
{
	struct sockaddr_rill *addr = (struct sockaddr_rill *)uaddr;
	struct sock *sk = sock->sk, *other;
	int len;

	if (!peer)
		return rill_addr_fill(addr, rill_sock_name(sk));

	other = rill_peer_get(sk);
	if (!other)
		return -ENOTCONN;
	len = rill_addr_fill(addr, rill_sock_name(other));
	sock_put(other);
	return len;
}

/*
 * .family is that of the default; a number that "family=" chose is not known
 * here.  The core asks it of nothing but AF_UNIX (__scm_send()).
 */
#define RILL_COMMON_OPS				\
	.family		= RILL_FAMILY_DEFAULT,	\
	.owner		= THIS_MODULE,		\
	.release	= rill_release,		\
	.bind		= rill_bind,		\
	.socketpair	= rill_socketpair,	\
	.getname	= rill_getname,		\
	.poll		= rill_poll,		\
	.ioctl		= rill_ioctl,		\
	RILL_COMPAT_IOCTL			\
	.gettstamp	= sock_gettstamp,	\
	.shutdown	= rill_shutdown,	\
	.setsockopt	= rill_setsockopt,	\
	.getsockopt	= rill_getsockopt,	\
	.show_fdinfo	= rill_show_fdinfo,	\
	.mmap		= sock_no_mmap,		\
	.set_peek_off	= sk_set_peek_off,	\
	.set_rcvlowat	= rill_set_rcvlowat

static const struct proto_ops rill_stream_ops = {
	RILL_COMMON_OPS,
	.connect	= rill_connect,
	.listen		= rill_listen,
	.accept		= rill_accept,
	.sendmsg	= rill_stream_sendmsg,
	.recvmsg	= rill_stream_recvmsg,
	.splice_read	= rill_stream_splice_read,
	RILL_COMPAT_SENDPAGE(rill_stream_sendpage)
};

static const struct proto_ops rill_seqpacket_ops = {
	RILL_COMMON_OPS,
	.connect	= rill_connect,
	.listen		= rill_listen,
	.accept		= rill_accept,
	.sendmsg	= rill_msg_sendmsg,
	.recvmsg	= rill_msg_recvmsg,
	RILL_COMPAT_SENDPAGE(sock_no_sendpage)
};

static const struct proto_ops rill_dgram_ops = {
	RILL_COMMON_OPS,
	.connect	= rill_dgram_connect,
	.listen		= sock_no_listen,
	.accept		= sock_no_accept,
	.sendmsg	= rill_msg_sendmsg,
	.recvmsg	= rill_msg_recvmsg,
	RILL_COMPAT_SENDPAGE(sock_no_sendpage)
};

/* Is this what a socket of the family has, whatever its number? */
bool rill_ops_are_own(const struct proto_ops *ops)
{
	return ops->release == rill_release;
}

static int rill_create(struct net *net, struct socket *sock, int protocol,
		       int kern)
{
	const struct proto_ops *ops;

	/* As in unix(7), the family's number is taken for 0. */
	if (protocol && protocol != rill_family)
		return -EPROTONOSUPPORT;
	switch (sock->type) {
	case SOCK_STREAM:
		ops = &rill_stream_ops;
		break;
	case SOCK_SEQPACKET:
		ops = &rill_seqpacket_ops;
		break;
	case SOCK_DGRAM:
		ops = &rill_dgram_ops;
		break;
	default:
		return -ESOCKTNOSUPPORT;
	}
	sock->state = SS_UNCONNECTED;
	sock->ops = ops;
	rill_custom_sockopt(sock);
	return rill_sock_alloc(net, sock, sock->type, kern) ? 0 : -ENOMEM;
}

static struct net_proto_family rill_family_ops __ro_after_init = {
	.create	= rill_create,
	.owner	= THIS_MODULE,
};

int __init rill_socket_register(void)
{
	rill_family_ops.family = rill_family;
	return sock_register(&rill_family_ops);
}

void rill_socket_unregister(void)
{
	sock_unregister(rill_family);
}
