// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints' code: what they look up when they are on, and their events.
 *
 * Context: any but hard interrupts, with preemption off, so that no lock is taken
 * here that sleeps under PREEMPT_RT; under the locks of the sockets passed.
 */
#include "af_rill.h"

/* Where the kernel has no tracing, nobody calls these. */

/* The inode of the socket's file, 0 if it has none. */
static unsigned long __maybe_unused rill_trace_ino(const struct sock *sk)
{
	struct socket *sock;
	unsigned long ino;

	if (!sk)
		return 0;
	/* A file's inode is freed after a grace period. */
	rcu_read_lock();
	sock = READ_ONCE(sk->sk_socket);
	ino = sock ? SOCK_INODE(sock)->i_ino : 0;
	rcu_read_unlock();
	return ino;
}

/* The name that somebody looked for, else that of a socket, else an empty one. */
static void __maybe_unused rill_trace_name(char *to, const struct sock *sk,
					   const struct rill_key *key)
{
	const struct rill_name *name = sk ? rill_sock_name(sk) : NULL;

	if (key) {
		memcpy(to, key->name, key->len);
		to[key->len] = '\0';
	} else if (name) {
		memcpy(to, name->name, name->len + 1);
	} else {
		to[0] = '\0';
	}
}

#define CREATE_TRACE_POINTS
#include "trace.h"
