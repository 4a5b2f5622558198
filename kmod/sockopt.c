// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options: those of SOL_RILL, and what of SOL_SOCKET the core leaves to the
 * family.
 *
 * Locking: lock_sock() for what bind() will use; a bound name's owner and mode
 * are written under its perm_lock, by the socket that holds the name only.
 *
 * Context: process.
 */
#include <linux/cred.h>
#include <linux/sockptr.h>
#include <linux/uidgid.h>

#include "af_rill.h"

/* The name whose owner and mode sk may set: its own. */
static struct rill_name *rill_own_name(struct sock *sk)
{
	struct rill_name *name = rill_sk(sk)->name;

	return name && name->holder == sk ? name : NULL;
}

/* A connection answers for its listener's name, and cannot change it. */
static bool rill_name_is_foreign(struct sock *sk)
{
	return rill_sk(sk)->name && !rill_own_name(sk);
}

static int rill_set_mode(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	struct rill_name *name;
	int mode, err = 0;

	if (optlen != sizeof(mode))
		return -EINVAL;
	if (copy_from_sockptr(&mode, optval, sizeof(mode)))
		return -EFAULT;
	if (mode & ~0777)
		return -EINVAL;

	lock_sock(sk);
	if (rill_name_is_foreign(sk)) {
		err = -EINVAL;
		goto out;
	}
	rill_sk(sk)->bind_mode = mode;
	name = rill_own_name(sk);
	if (name) {
		write_seqlock(&name->perm_lock);
		name->perm.mode = mode;
		write_sequnlock(&name->perm_lock);
	}
out:
	release_sock(sk);
	return err;
}

/* As chown(2): to oneself and one's own groups, or with CAP_CHOWN. */
static bool rill_may_give(const struct net *net, kuid_t uid, kgid_t gid)
{
	if ((!uid_valid(uid) || uid_eq(uid, current_fsuid())) &&
	    (!gid_valid(gid) || in_group_p(gid)))
		return true;
	return ns_capable(net->user_ns, CAP_CHOWN);
}

static int rill_set_owner(struct sock *sk, sockptr_t optval,
			  unsigned int optlen)
{
	struct user_namespace *ns = current_user_ns();
	struct rill_sock *rs = rill_sk(sk);
	struct rill_owner owner;
	struct rill_name *name;
	int err = 0;
	kuid_t uid;
	kgid_t gid;

	if (optlen != sizeof(owner))
		return -EINVAL;
	if (copy_from_sockptr(&owner, optval, sizeof(owner)))
		return -EFAULT;
	uid = make_kuid(ns, owner.ro_uid);
	gid = make_kgid(ns, owner.ro_gid);
	if ((owner.ro_uid != (uid_t)-1 && !uid_valid(uid)) ||
	    (owner.ro_gid != (gid_t)-1 && !gid_valid(gid)))
		return -EINVAL;
	if (!rill_may_give(sock_net(sk), uid, gid))
		return -EPERM;

	lock_sock(sk);
	if (rill_name_is_foreign(sk)) {
		err = -EINVAL;
		goto out;
	}
	if (uid_valid(uid))
		rs->bind_uid = uid;
	if (gid_valid(gid))
		rs->bind_gid = gid;
	name = rill_own_name(sk);
	if (name) {
		write_seqlock(&name->perm_lock);
		if (uid_valid(uid))
			name->perm.uid = uid;
		if (gid_valid(gid))
			name->perm.gid = gid;
		write_sequnlock(&name->perm_lock);
	}
out:
	release_sock(sk);
	return err;
}

/* Not bounded here: net.rill.max_busy_poll_us counts when it is used. */
static int rill_set_busy_poll(struct sock *sk, sockptr_t optval,
			      unsigned int optlen)
{
	int usec;

	if (optlen != sizeof(usec))
		return -EINVAL;
	if (copy_from_sockptr(&usec, optval, sizeof(usec)))
		return -EFAULT;
	if (usec < 0)
		return -EINVAL;
	WRITE_ONCE(rill_sk(sk)->busy_poll_us, usec);
	return 0;
}

static int rill_set_passcred(struct socket *sock, sockptr_t optval,
			     unsigned int optlen)
{
	int val, err;

	if (optlen < sizeof(val))
		return -EINVAL;
	if (copy_from_sockptr(&val, optval, sizeof(val)))
		return -EFAULT;
	/* So that reading it works where the core would answer. */
	err = sock_setsockopt(sock, SOL_SOCKET, SO_PASSCRED, optval, optlen);
	if (err && err != -EOPNOTSUPP)
		return err;
	WRITE_ONCE(rill_sk(sock->sk)->passcred, val);
	return 0;
}

/* Wake who waits for room at sk. */
static void rill_rcvbuf_changed(struct sock *sk)
{
	struct sock *peer;

	if (!rill_is_stream(sk)) {
		/* The new size is stored, then look who waits. */
		smp_mb();
		rill_flow_wake(sk);
		return;
	}
	peer = rill_peer_get(sk);
	if (peer) {
		peer->sk_write_space(peer);
		sock_put(peer);
	}
}

/* Where the core lets the family have a look first (compat.h). */
static int rill_set_socket(struct socket *sock, int optname, sockptr_t optval,
			   unsigned int optlen)
{
	int err;

	switch (optname) {
	case SO_PASSCRED:
		return rill_set_passcred(sock, optval, optlen);
	case SO_PASSSEC:
#ifdef SO_PASSPIDFD
	case SO_PASSPIDFD:
#endif
		/* A module cannot answer them. */
		return -ENOPROTOOPT;
	}
	err = sock_setsockopt(sock, SOL_SOCKET, optname, optval, optlen);
	/* As the core does for SO_SNDBUF: it may have grown for senders here. */
	if (!err && (optname == SO_RCVBUF || optname == SO_RCVBUFFORCE))
		rill_rcvbuf_changed(sock->sk);
	return err;
}

int rill_setsockopt(struct socket *sock, int level, int optname,
		    sockptr_t optval, unsigned int optlen)
{
	if (level == SOL_SOCKET)
		return rill_set_socket(sock, optname, optval, optlen);
	if (level != SOL_RILL)
		return -ENOPROTOOPT;
	switch (optname) {
	case RILL_MODE:
		return rill_set_mode(sock->sk, optval, optlen);
	case RILL_OWNER:
		return rill_set_owner(sock->sk, optval, optlen);
	case RILL_BUSY_POLL:
		return rill_set_busy_poll(sock->sk, optval, optlen);
	}
	return -ENOPROTOOPT;
}

static int rill_get_mode(struct sock *sk)
{
	struct rill_name *name = rill_sock_name(sk);

	return name ? READ_ONCE(name->perm.mode) :
	       READ_ONCE(rill_sk(sk)->bind_mode);
}

static void rill_get_owner(struct sock *sk, struct rill_owner *owner)
{
	struct user_namespace *ns = current_user_ns();
	struct rill_name *name;
	kuid_t uid;
	kgid_t gid;

	lock_sock(sk);
	name = rill_sk(sk)->name;
	if (name) {
		read_seqlock_excl(&name->perm_lock);
		uid = name->perm.uid;
		gid = name->perm.gid;
		read_sequnlock_excl(&name->perm_lock);
	} else {
		uid = rill_sk(sk)->bind_uid;
		gid = rill_sk(sk)->bind_gid;
	}
	release_sock(sk);
	owner->ro_uid = uid_valid(uid) ? from_kuid_munged(ns, uid) : -1;
	owner->ro_gid = gid_valid(gid) ? from_kgid_munged(ns, gid) : -1;
}

static int rill_get_queue(struct sock *sk, struct rill_queue *queue)
{
	struct rill_sock *rs = rill_sk(sk);
	int err = -EINVAL;

	spin_lock(&rs->lock);
	if (sk->sk_state == TCP_LISTEN) {
		queue->rq_len = sk->sk_ack_backlog;
		queue->rq_max = sk->sk_max_ack_backlog + 1;
		queue->rq_waiting = rs->waiting;
		err = 0;
	}
	spin_unlock(&rs->lock);
	queue->rq_waiting_max = READ_ONCE(rill_net(sock_net(sk))->max_waiting);
	return err;
}

int rill_getsockopt(struct socket *sock, int level, int optname,
		    char __user *optval, int __user *optlen)
{
	union {
		int			mode;
		int			usec;
		struct rill_owner	owner;
		struct rill_queue	queue;
	} val;
	int len, size, err = 0;

	if (level != SOL_RILL)
		return -ENOPROTOOPT;
	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;

	memset(&val, 0, sizeof(val));
	switch (optname) {
	case RILL_MODE:
		val.mode = rill_get_mode(sock->sk);
		size = sizeof(val.mode);
		break;
	case RILL_OWNER:
		rill_get_owner(sock->sk, &val.owner);
		size = sizeof(val.owner);
		break;
	case RILL_QUEUE:
		err = rill_get_queue(sock->sk, &val.queue);
		size = sizeof(val.queue);
		break;
	case RILL_BUSY_POLL:
		val.usec = rill_busy_usec(sock->sk);
		size = sizeof(val.usec);
		break;
	default:
		return -ENOPROTOOPT;
	}
	if (err)
		return err;
	len = min(len, size);
	if (copy_to_user(optval, &val, len) || put_user(len, optlen))
		return -EFAULT;
	return 0;
}
