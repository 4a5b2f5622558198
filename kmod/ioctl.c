// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl() of a socket, and the queue lengths that it tells, as /proc does.
 *
 * Context: process.
 */
#include <linux/compat.h>
#include <linux/sockios.h>
#include <asm/ioctls.h>
#include <linux/uaccess.h>

#include "ring.h"
#include "af_rill.h"

/* Unread bytes of a stream; the length of the next message. */
long rill_recv_queue(struct sock *sk)
{
	if (!rill_is_stream(sk))
		return rill_msg_next_len(sk);
	return rill_ring_readable(&rill_sk(sk)->ring);
}

/* Bytes that the peer has not read; the memory of messages in flight. */
long rill_send_queue(struct sock *sk)
{
	struct sock *peer;
	long bytes = 0;

	if (!rill_is_stream(sk))
		return sk_wmem_alloc_get(sk);
	peer = rill_peer_get(sk);
	if (peer) {
		if (!READ_ONCE(rill_sk(peer)->dead))
			bytes = rill_ring_readable(&rill_sk(peer)->ring);
		sock_put(peer);
	}
	return bytes;
}

int rill_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct sock *sk = sock->sk;
	long bytes;

	switch (cmd) {
	case SIOCINQ:
	case SIOCOUTQ:
		if (READ_ONCE(sk->sk_state) == TCP_LISTEN)
			return -EINVAL;
		bytes = cmd == SIOCINQ ? rill_recv_queue(sk) :
					 rill_send_queue(sk);
		return put_user((int)min_t(long, bytes, INT_MAX),
				(int __user *)arg);
	}
	return -ENOIOCTLCMD;
}

#ifdef CONFIG_COMPAT
int rill_compat_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	return rill_ioctl(sock, cmd, (unsigned long)compat_ptr(arg));
}
#endif
