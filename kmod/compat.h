/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one file that names kernel versions.  Supported: 6.1 and later, with the fix
 * that rill_rights_add() asks for.
 */
#ifndef _RILL_COMPAT_H
#define _RILL_COMPAT_H

#include <linux/net.h>
#include <linux/version.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "rill needs Linux 6.1 or later"
#endif

/* 6.10 put the arguments of accept() into a struct. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define RILL_DEFINE_ACCEPT(fn)						\
	int fn(struct socket *sock, struct socket *newsock, int flags,	\
	       bool kern)						\
	{								\
		return fn##_flags(sock, newsock, flags);		\
	}
#define RILL_DECLARE_ACCEPT(fn)						\
	int fn(struct socket *sock, struct socket *newsock, int flags,	\
	       bool kern)
#else
#define RILL_DEFINE_ACCEPT(fn)						\
	int fn(struct socket *sock, struct socket *newsock,		\
	       struct proto_accept_arg *arg)				\
	{								\
		return fn##_flags(sock, newsock, arg->flags);		\
	}
#define RILL_DECLARE_ACCEPT(fn)						\
	int fn(struct socket *sock, struct socket *newsock,		\
	       struct proto_accept_arg *arg)
#endif

/* 6.19 gave addresses whose size only the length tells a type of their own. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define sockaddr_unsized	sockaddr
#endif

/* 6.5 folded sendpage() into sendmsg() with MSG_SPLICE_PAGES. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define RILL_COMPAT_SENDPAGE(fn)	.sendpage = fn,
#else
#define RILL_COMPAT_SENDPAGE(fn)
#endif

/* A full barrier right behind mutex_unlock(), whose contract is only a release. */
#ifdef CONFIG_PREEMPT_RT
/* With its debugging the owner is cleared by a plain store. */
#define smp_mb__after_mutex_unlock()	smp_mb()
#else
/* The owner is cleared by an atomic operation. */
#define smp_mb__after_mutex_unlock()	smp_mb__after_atomic()
#endif

#ifdef CONFIG_COMPAT
#define RILL_COMPAT_IOCTL	.compat_ioctl = rill_compat_ioctl,
#else
#define RILL_COMPAT_IOCTL
#endif

#ifndef MSG_SPLICE_PAGES
#define MSG_SPLICE_PAGES	0
#endif
#ifndef MSG_SENDPAGE_NOTLAST
#define MSG_SENDPAGE_NOTLAST	0
#endif
#ifndef MSG_NO_SHARED_FRAGS
#define MSG_NO_SHARED_FRAGS	0
#endif

/* 6.6 wants the number of entries, 6.11 no empty entry behind them. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define rill_sysctl_register(net, path, table, entries)	\
	((void)(entries), register_net_sysctl(net, path, table))
#else
#define rill_sysctl_register(net, path, table, entries)	\
	register_net_sysctl_sz(net, path, table, entries)
#endif

/*
 * SO_PASSCRED.  Up to 6.1 the core keeps every SOL_SOCKET option to itself and
 * the bit in the socket's flags.  Later, a family may ask for the call, which
 * it must: 7.2 refuses the option outside the families that it knows.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
static inline void rill_custom_sockopt(struct socket *sock)
{
}

/* For whoever has the socket's file open. */
static inline bool rill_passcred_here(const struct sock *sk, const bool *own)
{
	return test_bit(SOCK_PASSCRED, &sk->sk_socket->flags);
}

static inline bool rill_passcred_get(const struct sock *sk, const bool *own)
{
	const struct socket *sock;
	bool on;

	/* sk may be the peer, which may be closing: its socket is under RCU. */
	rcu_read_lock_sched();
	sock = READ_ONCE(sk->sk_socket);
	on = sock && test_bit(SOCK_PASSCRED, &sock->flags);
	rcu_read_unlock_sched();
	return on;
}

#else
static inline void rill_custom_sockopt(struct socket *sock)
{
	set_bit(SOCK_CUSTOM_SOCKOPT, &sock->flags);
}

static inline bool rill_passcred_here(const struct sock *sk, const bool *own)
{
	return READ_ONCE(*own);
}

static inline bool rill_passcred_get(const struct sock *sk, const bool *own)
{
	return READ_ONCE(*own);
}

#endif

/* Where the core keeps the bit and answers getsockopt(). */
#ifdef SOCK_PASSCRED
static inline void rill_passcred_inherit(struct socket *sock, bool on)
{
	if (on)
		set_bit(SOCK_PASSCRED, &sock->flags);
}
#else
static inline void rill_passcred_inherit(struct socket *sock, bool on)
{
}
#endif

/* 6.18 hides the counter of drops; sk_drops_add() took an skb before. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define rill_drops_inc(sk)	atomic_inc(&(sk)->sk_drops)
#else
#define rill_drops_inc(sk)	sk_drops_inc(sk)
#endif

/* 6.17 stores what sock_i_uid() had to look up. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define rill_sock_uid(sk)	sock_i_uid(sk)
#else
#define rill_sock_uid(sk)	sk_uid(sk)
#endif

#endif /* _RILL_COMPAT_H */
