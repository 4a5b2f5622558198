// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints' code: what they look up when they are on, and their events.
 *
 * Context: any but hard interrupts, with preemption off, and under the locks of
 * the sockets that are passed; a peer's callback and credential locks are taken.
 */
#include "af_rill.h"

/* Where the kernel has no tracing, nobody calls these. */

/* The inode of the socket's file, 0 if it has none. */
static unsigned long __maybe_unused rill_trace_ino(struct sock *sk)
{
	return sk ? sock_i_ino(sk) : 0;
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
