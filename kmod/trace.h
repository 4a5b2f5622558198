/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: see rill_trace(7), which says what the fields mean.  Both are an
 * interface: fields may be added at the end, and are neither changed nor removed.
 *
 * Context: those of the places that have them; some hold sockets' locks.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM rill

#if !defined(_RILL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _RILL_TRACE_H

#include <linux/tracepoint.h>

#include "af_rill.h"

TRACE_DEFINE_ENUM(SOCK_STREAM);
TRACE_DEFINE_ENUM(SOCK_DGRAM);
TRACE_DEFINE_ENUM(SOCK_SEQPACKET);

#define rill_show_type(type)				\
	__print_symbolic(type,				\
			 { SOCK_STREAM,	"stream" },	\
			 { SOCK_DGRAM,	"dgram" },	\
			 { SOCK_SEQPACKET, "seqpacket" })

TRACE_DEFINE_ENUM(RILL_DROP_FILTER);
TRACE_DEFINE_ENUM(RILL_DROP_CLOSED);
TRACE_DEFINE_ENUM(RILL_DROP_RESET);

#define rill_show_drop(reason)				\
	__print_symbolic(reason,			\
			 { RILL_DROP_FILTER, "filter" },	\
			 { RILL_DROP_CLOSED, "closed" },	\
			 { RILL_DROP_RESET, "reset" })

TRACE_DEFINE_ENUM(RILL_RESET_UNREAD);
TRACE_DEFINE_ENUM(RILL_RESET_LINGER);
TRACE_DEFINE_ENUM(RILL_RESET_UNACCEPTED);

#define rill_show_reset(reason)					\
	__print_symbolic(reason,				\
			 { RILL_RESET_UNREAD, "unread" },	\
			 { RILL_RESET_LINGER, "linger" },	\
			 { RILL_RESET_UNACCEPTED, "unaccepted" })

TRACE_DEFINE_ENUM(TCP_ESTABLISHED);
TRACE_DEFINE_ENUM(TCP_SYN_SENT);
TRACE_DEFINE_ENUM(TCP_CLOSE);
TRACE_DEFINE_ENUM(TCP_LISTEN);

/* The words of /proc/net/rill. */
#define rill_show_state(state)					\
	__print_symbolic(state,					\
			 { TCP_ESTABLISHED, "CONNECTED" },	\
			 { TCP_SYN_SENT, "CONNECTING" },	\
			 { TCP_CLOSE,	"CLOSE" },		\
			 { TCP_LISTEN,	"LISTEN" })

TRACE_EVENT(rill_connect,

	TP_PROTO(struct sock *sk, struct sock *listener,
		 const struct rill_key *key, pid_t pid, pid_t listener_pid,
		 bool waited, int err),

	TP_ARGS(sk, listener, key, pid, listener_pid, waited, err),

	TP_STRUCT__entry(
		__field(const void *, skaddr)
		__field(unsigned long, ino)
		__field(const void *, listener)
		__field(unsigned long, listener_ino)
		__field(u32, netns)
		__field(u16, type)
		__field(u16, waited)
		__field(int, pid)
		__field(int, listener_pid)
		__field(int, err)
		__array(char, name, RILL_NAME_SIZE)
	),

	TP_fast_assign(
		__entry->skaddr = sk;
		__entry->ino = rill_trace_ino(sk);
		__entry->listener = listener;
		__entry->listener_ino = rill_trace_ino(listener);
		__entry->netns = sock_net(sk)->ns.inum;
		__entry->type = sk->sk_type;
		__entry->waited = waited;
		__entry->pid = pid;
		__entry->listener_pid = listener_pid;
		__entry->err = err;
		rill_trace_name(__entry->name, listener, key);
	),

	TP_printk("ino=%lu listener_ino=%lu netns=%u type=%s waited=%u pid=%d listener_pid=%d err=%d name=%s",
		  __entry->ino, __entry->listener_ino, __entry->netns,
		  rill_show_type(__entry->type), __entry->waited, __entry->pid,
		  __entry->listener_pid, __entry->err, __entry->name)
);

TRACE_EVENT(rill_queue_full,

	TP_PROTO(struct sock *sk, struct sock *listener, bool joined),

	TP_ARGS(sk, listener, joined),

	TP_STRUCT__entry(
		__field(const void *, skaddr)
		__field(unsigned long, ino)
		__field(const void *, listener)
		__field(unsigned long, listener_ino)
		__field(u32, netns)
		__field(u16, type)
		__field(u16, joined)
		__field(u32, queued)
		__field(u32, waiting)
		__array(char, name, RILL_NAME_SIZE)
	),

	TP_fast_assign(
		__entry->skaddr = sk;
		__entry->ino = rill_trace_ino(sk);
		__entry->listener = listener;
		__entry->listener_ino = rill_trace_ino(listener);
		__entry->netns = sock_net(sk)->ns.inum;
		__entry->type = sk->sk_type;
		__entry->joined = joined;
		__entry->queued = READ_ONCE(listener->sk_ack_backlog);
		__entry->waiting = READ_ONCE(rill_sk(listener)->waiting);
		rill_trace_name(__entry->name, listener, NULL);
	),

	TP_printk("ino=%lu listener_ino=%lu netns=%u type=%s joined=%u queued=%u waiting=%u name=%s",
		  __entry->ino, __entry->listener_ino, __entry->netns,
		  rill_show_type(__entry->type), __entry->joined,
		  __entry->queued, __entry->waiting, __entry->name)
);

TRACE_EVENT(rill_accept,

	TP_PROTO(struct sock *sk, struct sock *listener, pid_t peer_pid),

	TP_ARGS(sk, listener, peer_pid),

	TP_STRUCT__entry(
		__field(const void *, skaddr)
		__field(unsigned long, ino)
		__field(const void *, peer)
		__field(unsigned long, peer_ino)
		__field(unsigned long, listener_ino)
		__field(u32, netns)
		__field(u16, type)
		__field(int, peer_pid)
		__field(u32, queued)
		__field(u32, waiting)
		__array(char, name, RILL_NAME_SIZE)
	),

	TP_fast_assign(
		__entry->skaddr = sk;
		__entry->ino = rill_trace_ino(sk);
		__entry->peer = rill_sk(sk)->peer;
		__entry->peer_ino = rill_trace_ino(rill_sk(sk)->peer);
		__entry->listener_ino = rill_trace_ino(listener);
		__entry->netns = sock_net(sk)->ns.inum;
		__entry->type = sk->sk_type;
		__entry->peer_pid = peer_pid;
		__entry->queued = READ_ONCE(listener->sk_ack_backlog);
		__entry->waiting = READ_ONCE(rill_sk(listener)->waiting);
		rill_trace_name(__entry->name, sk, NULL);
	),

	TP_printk("ino=%lu peer_ino=%lu listener_ino=%lu netns=%u type=%s peer_pid=%d queued=%u waiting=%u name=%s",
		  __entry->ino, __entry->peer_ino, __entry->listener_ino,
		  __entry->netns, rill_show_type(__entry->type),
		  __entry->peer_pid, __entry->queued, __entry->waiting,
		  __entry->name)
);

/* A call that moves data.  peer may be NULL. */
DECLARE_EVENT_CLASS(rill_data,

	TP_PROTO(struct sock *sk, struct sock *peer, size_t size,
		 unsigned int flags, long ret),

	TP_ARGS(sk, peer, size, flags, ret),

	TP_STRUCT__entry(
		__field(const void *, skaddr)
		__field(unsigned long, ino)
		__field(const void *, peer)
		__field(unsigned long, peer_ino)
		__field(u32, netns)
		__field(u16, type)
		__field(u32, flags)
		__field(u64, size)
		__field(s64, ret)
	),

	TP_fast_assign(
		__entry->skaddr = sk;
		__entry->ino = rill_trace_ino(sk);
		__entry->peer = peer;
		__entry->peer_ino = rill_trace_ino(peer);
		__entry->netns = sock_net(sk)->ns.inum;
		__entry->type = sk->sk_type;
		__entry->flags = flags;
		__entry->size = size;
		__entry->ret = ret;
	),

	TP_printk("ino=%lu peer_ino=%lu netns=%u type=%s flags=0x%x size=%llu ret=%lld",
		  __entry->ino, __entry->peer_ino, __entry->netns,
		  rill_show_type(__entry->type), __entry->flags, __entry->size,
		  __entry->ret)
);

DEFINE_EVENT(rill_data, rill_send,

	TP_PROTO(struct sock *sk, struct sock *peer, size_t size,
		 unsigned int flags, long ret),

	TP_ARGS(sk, peer, size, flags, ret)
);

DEFINE_EVENT(rill_data, rill_recv,

	TP_PROTO(struct sock *sk, struct sock *peer, size_t size,
		 unsigned int flags, long ret),

	TP_ARGS(sk, peer, size, flags, ret)
);

TRACE_EVENT(rill_drop,

	TP_PROTO(struct sock *sk, enum rill_drop_reason reason,
		 size_t messages, size_t bytes),

	TP_ARGS(sk, reason, messages, bytes),

	TP_STRUCT__entry(
		__field(const void *, skaddr)
		__field(unsigned long, ino)
		__field(u32, netns)
		__field(u16, type)
		__field(u16, reason)
		__field(u64, messages)
		__field(u64, bytes)
		__array(char, name, RILL_NAME_SIZE)
	),

	TP_fast_assign(
		__entry->skaddr = sk;
		__entry->ino = rill_trace_ino(sk);
		__entry->netns = sock_net(sk)->ns.inum;
		__entry->type = sk->sk_type;
		__entry->reason = reason;
		__entry->messages = messages;
		__entry->bytes = bytes;
		rill_trace_name(__entry->name, sk, NULL);
	),

	TP_printk("ino=%lu netns=%u type=%s reason=%s messages=%llu bytes=%llu name=%s",
		  __entry->ino, __entry->netns, rill_show_type(__entry->type),
		  rill_show_drop(__entry->reason), __entry->messages,
		  __entry->bytes, __entry->name)
);

TRACE_EVENT(rill_reset,

	TP_PROTO(struct sock *sk, struct sock *peer,
		 enum rill_reset_reason reason),

	TP_ARGS(sk, peer, reason),

	TP_STRUCT__entry(
		__field(const void *, skaddr)
		__field(const void *, peer)
		__field(unsigned long, peer_ino)
		__field(u32, netns)
		__field(u16, type)
		__field(u16, reason)
		__array(char, name, RILL_NAME_SIZE)
	),

	TP_fast_assign(
		__entry->skaddr = sk;
		__entry->peer = peer;
		__entry->peer_ino = rill_trace_ino(peer);
		__entry->netns = sock_net(sk)->ns.inum;
		__entry->type = sk->sk_type;
		__entry->reason = reason;
		rill_trace_name(__entry->name, sk, NULL);
	),

	TP_printk("peer_ino=%lu netns=%u type=%s reason=%s name=%s",
		  __entry->peer_ino, __entry->netns,
		  rill_show_type(__entry->type),
		  rill_show_reset(__entry->reason), __entry->name)
);

TRACE_EVENT(rill_close,

	TP_PROTO(struct sock *sk),

	TP_ARGS(sk),

	TP_STRUCT__entry(
		__field(const void *, skaddr)
		__field(unsigned long, ino)
		__field(u32, netns)
		__field(u16, type)
		__field(u16, state)
		__array(char, name, RILL_NAME_SIZE)
	),

	TP_fast_assign(
		__entry->skaddr = sk;
		__entry->ino = rill_trace_ino(sk);
		__entry->netns = sock_net(sk)->ns.inum;
		__entry->type = sk->sk_type;
		__entry->state = READ_ONCE(sk->sk_state);
		rill_trace_name(__entry->name, sk, NULL);
	),

	TP_printk("ino=%lu netns=%u type=%s state=%s name=%s",
		  __entry->ino, __entry->netns, rill_show_type(__entry->type),
		  rill_show_state(__entry->state), __entry->name)
);

#endif /* _RILL_TRACE_H */

/* Found by -I, wherever the source is: see Kbuild. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
