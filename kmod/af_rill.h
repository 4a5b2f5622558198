/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the module share.  The way of a byte through them: socket,
 * name, listen and connect, stream, ring, wait; and of a message: socket, name,
 * dgram, msg, flow, wait.
 */
#ifndef _AF_RILL_H
#define _AF_RILL_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rhashtable.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock.h>
#include <linux/rill.h>

#include "compat.h"

struct cmsghdr;
struct scm_fp_list;

/* For data: no OOM kill at the cgroup's limit, but a short count or ENOMEM. */
#define RILL_GFP_DATA	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

extern unsigned int rill_family;
extern struct proto rill_proto, rill_msg_proto;

/* ---- net: the state of a network namespace ---- */

/* In the order of /proc/net/rill_stat; rill(7) says what each counts. */
enum rill_stat {
	RILL_STAT_CONNECT_OK,
	RILL_STAT_CONNECT_WAITED,
	RILL_STAT_CONNECT_OVERFLOW,
	RILL_STAT_CONNECT_NONAME,
	RILL_STAT_CONNECT_NOLISTENER,
	RILL_STAT_CONNECT_DENIED,
	RILL_STAT_CONNECT_WRONGTYPE,
	RILL_STAT_CONNECT_NOMEM,
	RILL_STAT_CONNECT_LEFT,
	RILL_STAT_CONNECT_REFUSED,
	RILL_STAT_ACCEPT_OK,
	RILL_STAT_PAIR_OK,
	RILL_STAT_BIND_OK,
	RILL_STAT_BIND_INUSE,
	RILL_STAT_BIND_DENIED,

	/* What flowed; see rill_flow_stat. */
	RILL_STAT_STREAM_SENT,
	RILL_STAT_STREAM_SENT_BYTES,
	RILL_STAT_STREAM_RECEIVED,
	RILL_STAT_STREAM_RECEIVED_BYTES,
	RILL_STAT_STREAM_DROPPED_BYTES,
	RILL_STAT_SEQPACKET_SENT,
	RILL_STAT_SEQPACKET_SENT_BYTES,
	RILL_STAT_SEQPACKET_RECEIVED,
	RILL_STAT_SEQPACKET_RECEIVED_BYTES,
	RILL_STAT_SEQPACKET_DROPPED,
	RILL_STAT_DGRAM_SENT,
	RILL_STAT_DGRAM_SENT_BYTES,
	RILL_STAT_DGRAM_RECEIVED,
	RILL_STAT_DGRAM_RECEIVED_BYTES,
	RILL_STAT_DGRAM_DROPPED,
	RILL_STAT_DGRAM_FILTERED,
	RILL_STAT_FILES_SENT,
	RILL_STAT_FILES_RECEIVED,
	RILL_STAT_FILES_DROPPED,

	RILL_STAT_SLEEP_SPACE,
	RILL_STAT_SLEEP_DATA,
	RILL_STAT_AGAIN_SPACE,
	RILL_STAT_AGAIN_DATA,
	RILL_STAT_WAKE_SPACE,
	RILL_STAT_WAKE_DATA,
	RILL_STAT_WAKE_ACCEPT,
	RILL_STAT_BUSY_POLL_HIT,
	RILL_STAT_BUSY_POLL_MISS,

	RILL_STAT_RESET_UNREAD,
	RILL_STAT_RESET_LINGER,
	RILL_STAT_RESET_UNACCEPTED,
	RILL_STAT_MAX
};

/* Those of one type, counted from its first. */
enum rill_flow_stat {
	RILL_FLOW_SENT,
	RILL_FLOW_SENT_BYTES,
	RILL_FLOW_RECEIVED,
	RILL_FLOW_RECEIVED_BYTES,
	RILL_FLOW_DROPPED,	/* bytes of a stream, else messages */
};

struct rill_stats {
	u64			count[RILL_STAT_MAX];
};

#define RILL_SOCK_BUCKET_BITS	6
#define RILL_SOCK_BUCKETS	BIT(RILL_SOCK_BUCKET_BITS)

/* Sockets of a namespace, for /proc/net/rill. */
struct rill_bucket {
	spinlock_t		lock;	/* of the rest, and its sockets' sk_node */
	struct hlist_head	head;	/* in the order of their ids */
	u64			last_id;	/* they count down */
};

/* A position in /proc/net/rill: the bucket, and the id in it. */
#define RILL_POS_ID_BITS	(63 - 1 - RILL_SOCK_BUCKET_BITS)
#define RILL_SOCK_FIRST_ID	(BIT_ULL(RILL_POS_ID_BITS) - 1)

struct rill_net {
	struct rhashtable	names;
	atomic64_t		auto_next;	/* number of the next auto/ name */
	int			max_waiting;
	int			busy_poll_us;	/* where no option says more */
	int			max_busy_poll_us;
	atomic_t		waiting;
	struct rill_stats __percpu *stats;
	struct ctl_table_header	*sysctl;
	struct rill_bucket	buckets[RILL_SOCK_BUCKETS];
};

extern unsigned int rill_net_id;

/* As net_generic(), in which there is a call where RCU is preemptible. */
static inline struct rill_net *rill_net(const struct net *net)
{
	const struct net_generic *gen;
	struct rill_net *rn;

	rcu_read_lock_sched();
	gen = rcu_dereference_sched(net->gen);
	rn = gen->ptr[rill_net_id];
	rcu_read_unlock_sched();
	return rn;
}

static inline void rill_net_count(const struct rill_net *rn,
				  enum rill_stat which)
{
	this_cpu_inc(rn->stats->count[which]);
}

static inline void rill_stat_inc(const struct net *net, enum rill_stat which)
{
	rill_net_count(rill_net(net), which);
}

/* The counters of a type, of the namespace of sk, which has that type. */
static inline u64 __percpu *rill_stat_flow(const struct sock *sk, int type)
{
	u64 __percpu *count = rill_net(sock_net(sk))->stats->count;

	switch (type) {
	case SOCK_STREAM:
		return count + RILL_STAT_STREAM_SENT;
	case SOCK_SEQPACKET:
		return count + RILL_STAT_SEQPACKET_SENT;
	}
	return count + RILL_STAT_DGRAM_SENT;
}

/* A send, or a message, has gone out. */
static inline void rill_stat_sent(const struct sock *sk, int type,
				  size_t bytes)
{
	u64 __percpu *flow = rill_stat_flow(sk, type);

	this_cpu_inc(flow[RILL_FLOW_SENT]);
	this_cpu_add(flow[RILL_FLOW_SENT_BYTES], bytes);
}

/* A receive has got bytes, or a message. */
static inline void rill_stat_received(const struct sock *sk, int type,
				      size_t bytes)
{
	u64 __percpu *flow = rill_stat_flow(sk, type);

	this_cpu_inc(flow[RILL_FLOW_RECEIVED]);
	this_cpu_add(flow[RILL_FLOW_RECEIVED_BYTES], bytes);
}

/* Why nobody will ever receive what was sent.  See rill_trace(7). */
enum rill_drop_reason {
	RILL_DROP_FILTER,	/* the receiver's filter does not want it */
	RILL_DROP_CLOSED,	/* the receiver was closed */
	RILL_DROP_RESET,	/* the sender was, with SO_LINGER 0 */
};

/* So many bytes of a stream, or messages, but not those that were filtered. */
static inline void rill_stat_dropped(const struct sock *sk, int type, size_t n)
{
	this_cpu_add(rill_stat_flow(sk, type)[RILL_FLOW_DROPPED], n);
}

u64 rill_stat_sum(const struct rill_net *rn, enum rill_stat which);
int rill_net_init(void);
void rill_net_exit(void);

/* ---- name: names and their table ---- */

/* A name as a caller gave it; not NUL-ended. */
struct rill_key {
	const char		*name;
	unsigned int		len;
};

struct rill_perm {
	kuid_t			uid;
	kgid_t			gid;
	umode_t			mode;
};

/*
 * A bound name.
 *
 * Lifetime / locking requirements:
 *  - In the namespace's table from bind() until the holder's release(); the
 *    table has no reference of its own, the holder's counts for it.
 *  - References: the holder, and every connection made through it (they answer
 *    getsockname() and getpeername() with it).
 *  - holder: never changes.  A socket that binds is freed after a grace period
 *    (SOCK_RCU_FREE), so a lookup may try to take a reference under RCU.  Its
 *    destructor gives the reference on the name back, after the same grace
 *    period: so a lookup may look at the name, too, and it needs none of its
 *    own.
 *  - perm: written and read under perm_lock.
 *  - len, name: never change.
 */
struct rill_name {
	struct rhash_head	node;
	struct sock		*holder;
	seqlock_t		perm_lock;
	refcount_t		ref;
	struct rill_perm	perm;
	u8			len;
	char			name[];
};

extern const struct rhashtable_params rill_name_params;

static inline void rill_name_perm(const struct rill_name *name,
				  struct rill_perm *perm)
{
	unsigned int seq;

	do {
		seq = read_seqbegin(&name->perm_lock);
		*perm = name->perm;
	} while (read_seqretry(&name->perm_lock, seq));
}

int rill_addr_parse(const void *uaddr, int len, struct rill_key *key);
int rill_addr_fill(struct sockaddr_rill *to, const struct rill_name *name);
int rill_name_bind(struct sock *sk, const struct rill_key *key);
int rill_name_autobind(struct sock *sk);
void rill_name_unbind(struct sock *sk);
struct sock *rill_name_lookup(const struct sock *sk, const struct rill_key *key);
void rill_name_put(struct rill_name *name);

/* ---- cred: who sent it, who is the peer ---- */

/* Credentials that travel beside data.  pid is NULL: not recorded. */
struct rill_cred {
	struct pid		*pid;
	kuid_t			uid;
	kgid_t			gid;
};

static inline bool rill_cred_eq(const struct rill_cred *a,
				const struct rill_cred *b)
{
	return a->pid == b->pid &&
	       (!a->pid || (uid_eq(a->uid, b->uid) && gid_eq(a->gid, b->gid)));
}

void rill_cred_current(struct rill_cred *cred);
void rill_cred_set(struct rill_cred *to, const struct rill_cred *from);
void __rill_cred_clear(struct rill_cred *cred);
void rill_cred_report(struct sock *sk, struct msghdr *msg,
		      const struct rill_cred *cred);

static inline void rill_cred_clear(struct rill_cred *cred)
{
	if (unlikely(cred->pid))
		__rill_cred_clear(cred);
}

/* What a send puts beside its data. */
struct rill_anc {
	struct rill_cred	cred;
	struct scm_fp_list	*files;		/* in flight; NULL if there are none */
};

int rill_anc_parse(struct msghdr *msg, struct rill_anc *anc, bool carries);

void rill_peercred_init(struct sock *sk);
void rill_peercred_current(struct sock *sk);
void rill_peercred_copy(struct sock *to, struct sock *from);
void rill_peercred_clear(struct sock *sk);
pid_t rill_peercred_pid(struct sock *sk);

/* ---- rights: files that travel beside data ---- */

int rill_rights_add(struct cmsghdr *cmsg, struct scm_fp_list **files);
int rill_rights_send(struct scm_fp_list **files);
void rill_rights_free(struct scm_fp_list *files);
void rill_rights_drop(struct scm_fp_list *files);
void __rill_rights_count(const struct sock *sk, const struct scm_fp_list *files,
			 enum rill_stat which);
struct scm_fp_list *rill_rights_take(struct scm_fp_list **files, bool peek);
void rill_rights_deliver(struct msghdr *msg, struct scm_fp_list *files);
void rill_rights_init(void);
void rill_rights_exit(void);

/* Files that travel, if there are any, are sent, received or dropped. */
static inline void rill_rights_count(const struct sock *sk,
				     const struct scm_fp_list *files,
				     enum rill_stat which)
{
	if (unlikely(files))
		__rill_rights_count(sk, files, which);
}

static inline void rill_anc_clear(struct rill_anc *anc)
{
	rill_cred_clear(&anc->cred);
	if (unlikely(anc->files)) {
		rill_rights_free(anc->files);
		anc->files = NULL;
	}
}

/* ---- buffers ---- */

/*
 * What is counted in an int: more than this no buffer takes, whatever its option
 * says, and a message that goes beyond its limit still fits.
 */
#define RILL_BUF_MAX	(INT_MAX / 2)

static inline int rill_rcvbuf(const struct sock *sk)
{
	return min(READ_ONCE(sk->sk_rcvbuf), RILL_BUF_MAX);
}

static inline int rill_sndbuf(const struct sock *sk)
{
	return min(READ_ONCE(sk->sk_sndbuf), RILL_BUF_MAX);
}

/*
 * What the messages weigh that sk has sent and nobody has received.  Each weighs
 * a multiple of 8; but one that goes at this moment holds its last byte until
 * those who wait were told, see rill_flow_uncharge(), who are to see it gone.
 */
static inline int rill_msg_in_flight(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk) & ~7;
}

/* ---- ring: the bytes on their way to one end; see ring.c ---- */

struct rill_store;

/* Bit numbers of want: what the reader has to wake the writing end for. */
#define RILL_WANT_SPACE		0	/* a writer, or its poll, found it full */
#define RILL_WANT_EMPTY		1	/* the writer's close() lingers */

/*
 * The counters of a ring, part of the receiving end's socket.
 *
 * Lifetime / locking requirements:
 *  - head, w_pos: the writer's (the peer's tx_mutex); tail, r_pos: the
 *    reader's (the owner's rx_mutex).  Others read them with acquire.
 *  - want, discard, dead, rights: free of locks.
 *  - idle, idle_queued, idle_tail: under the idle list's lock.
 *  - store: what bytes need, made by the writer with the first of them, and
 *    freed by whoever excludes both sides.  Only writers, and readers of a
 *    ring that is not empty, may look at it.
 */
struct rill_ring {
	unsigned long		head;		/* bytes written, ever */
	u32			w_pos;		/* slots taken, ever */

	/* Seldom written, and looked at by both sides. */
	bool			discard;	/* the writer reset: drop all */
	bool			dead;		/* the reader is gone */
	bool			rights;		/* there may be files in it */
	struct rill_store	*store;
	u32			idle_tail;	/* tail when it was queued */

	/* Debian's 6.1 and 6.12: on another line, which a small write leaves alone. */
	unsigned long		tail;		/* bytes read, ever */
	u32			r_pos;		/* slots given back, ever */
	bool			idle_queued;
	unsigned long		want;
	struct list_head	idle;
};

/* ---- spare: messages that were read, for those that come; see spare.c ---- */

struct sk_buff *rill_spare_get(struct sock *sk, size_t head, size_t paged);
void __rill_spare_shrink(struct sock *sk, struct sk_buff_head *gone);

static inline bool rill_spare_excess(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc) + sk->sk_forward_alloc >
	       rill_rcvbuf(sk);
}

/* A message was queued; the lock is held.  gone: for the caller to free. */
static inline void rill_spare_shrink(struct sock *sk, struct sk_buff_head *gone)
{
	if (unlikely(sk->sk_forward_alloc && rill_spare_excess(sk)))
		__rill_spare_shrink(sk, gone);
}

bool rill_spare_put(struct sock *sk, struct sk_buff *skb);
void rill_spare_watch(struct sock *sk);
void rill_spare_close(struct sock *sk);
void rill_spare_exit(void);

/* ---- socket ---- */

/*
 * A socket.
 *
 * Lifetime / locking requirements:
 *  - The file holds one reference until release(); a connection that was not
 *    accepted yet is held by its listener's queue, a new end whose connector
 *    stands in line by the connector (child).
 *  - lock_sock() makes bind(), listen(), connect() and options of one socket
 *    exclude each other.  It is never held while waiting for another party and
 *    never taken by the data path.
 *  - lock guards sk_state, sk_shutdown, dead, queue, line, waiting, link,
 *    listener, child and, for datagrams, peer; for messages, sk_receive_queue,
 *    sk_rmem_alloc and the spares.  Order: lock_sock(), then the listener's
 *    lock, then the connector's (rill_lock_cmp() tells lockdep), then
 *    sk_peer_lock or a peer_wait.lock.
 *  - name: NULL, then published once (release/acquire) and kept until the
 *    socket is freed, so that whoever holds a reference may read it.
 *  - peer of a stream or seqpacket: NULL, then published once under lock
 *    (release/acquire), with a reference that release() gives back.  The data
 *    path reads it with no lock: it runs only while the file is open.  Others
 *    take rill_peer_get().  A datagram's peer changes under lock.
 *  - ring of a stream: rx_mutex excludes its readers (this end's), the peer's
 *    tx_mutex its writers.  Both are taken interruptibly by the data
 *    path and never held while waiting for data or space; nobody but the data
 *    path, and shutdown() for its own end, takes them, except by trylock.
 *  - peer_wait: senders whose messages did not fit into this socket's queue;
 *    see flow.c for relay.
 *  - Two unions keep it within the size of AF_UNIX's.  One goes by sk_type,
 *    which never changes: look at it first.  The other by role, which sk_state
 *    tells under lock: TCP_LISTEN is never left and never entered but from
 *    TCP_CLOSE, where the socket stands in no queue and no line.
 */
struct rill_sock {
	struct sock		sk;	/* first */
	spinlock_t		lock;		/* see above */
	u8			connecting:1;	/* lock_sock: result not told yet */
	u8			pair:1;		/* an end of a socketpair() */
	bool			accepted;	/* a file has it, or had */
	bool			dead;
	bool			passcred;
	/* Written from another CPU only when the writer has moved. */
	u16			w_cpu;		/* see rill_busy_wrote() */

	/* What bind() is to use, lock_sock; mode is -1 where it is not set. */
	s16			bind_mode;
	kuid_t			bind_uid;
	struct sock		*peer;

	/* By role. */
	union {
		struct {	/* a listener's */
			struct list_head	queue;
			struct list_head	line;
		};
		struct {	/* in a queue (a new end) or line (a connector) */
			struct list_head	link;
			/* In line: whose, with a reference. */
			struct sock		*listener;
			/* In line: the new end, ready. */
			struct sock		*child;
		};
	};

	/*
	 * What a reader of this end writes stands apart, on 6.1 on another
	 * cache line, from what its writers look at (above) and write (ring).
	 */
	struct mutex		rx_mutex;	/* readers of this end */
	union {			/* by role */
		unsigned int	waiting;	/* a listener's: length of line */
		struct {	/* an end's */
			bool	was_reset;	/* told, once; lock */
			bool	lingers;	/* in close(): it reads no more */
		};
	};
	int			busy_poll_us;	/* RILL_BUSY_POLL; -1: not set */
	struct rill_name	*name;
	kgid_t			bind_gid;
	u8			busy_misses;	/* in a row, see busy.c */
	u8			busy_skips;	/* waits before it looks again */
	u16			spare_least;	/* see spare.c */
	u64			id;		/* unique in the bucket */

	/* By type; must be last, see rill_msg_proto. */
	union {
		struct {	/* a stream */
			struct mutex		tx_mutex; /* writers to the peer */
			struct rill_ring	ring;
		};
		struct {	/* messages: flow control */
			wait_queue_head_t	peer_wait;
			/* Its private is the receiver it stands at. */
			wait_queue_entry_t	relay;
		};
	};
};

static inline struct rill_sock *rill_sk(const struct sock *sk)
{
	return (struct rill_sock *)sk;
}

static inline struct rill_name *rill_sock_name(const struct sock *sk)
{
	/* Pairs with the release in rill_name_insert(). */
	return smp_load_acquire(&rill_sk(sk)->name);
}

static inline bool rill_passcred(const struct sock *sk)
{
	return rill_passcred_get(sk, &rill_sk(sk)->passcred);
}

/* The same for the caller's own socket, in a call on its file. */
static inline bool rill_passcred_own(const struct sock *sk)
{
	return rill_passcred_here(sk, &rill_sk(sk)->passcred);
}

static inline bool rill_is_dgram(const struct sock *sk)
{
	return sk->sk_type == SOCK_DGRAM;
}

static inline bool rill_is_stream(const struct sock *sk)
{
	return sk->sk_type == SOCK_STREAM;
}

static inline void rill_shutdown_add(struct sock *sk, int how)
{
	lockdep_assert_held(&rill_sk(sk)->lock);
	/* The state that how ends was stored before: readers look at how first. */
	smp_store_release(&sk->sk_shutdown, sk->sk_shutdown | how);
}

/* Pairs with rill_shutdown_add(): look at this first, then for data. */
static inline int rill_shutdown_get(const struct sock *sk)
{
	/* Acquire: what is looked at next is looked at after this. */
	return smp_load_acquire(&sk->sk_shutdown);
}

/* Pairs with rill_connection_tell(): look at this, then for data. */
static inline int rill_reset_get(const struct sock *sk)
{
	/* Acquire: what was sent before the reset is seen. */
	return smp_load_acquire(&sk->sk_err);
}

/*
 * As mutex_lock_interruptible(), but only a signal is a reason not to wait for
 * whoever copies: not the work that io_uring has for this task.
 */
static inline int rill_mutex_lock(struct mutex *mutex)
{
	if (likely(!mutex_lock_interruptible(mutex)))
		return 0;
	return task_sigpending(current) ? -EINTR : mutex_lock_killable(mutex);
}

/*
 * Should data that sk, the caller's own, sends to peer carry credentials?  Yes
 * if either side asked, or nobody can have asked yet because the peer was not
 * accepted.
 */
static inline bool rill_wants_cred(const struct sock *sk, const struct sock *peer)
{
	/* Acquire: passcred as accept() has made it. */
	return !smp_load_acquire(&rill_sk(peer)->accepted) ||
	       rill_passcred_own(sk) || rill_passcred(peer);
}

#define RILL_SEND_FLAGS	(MSG_DONTROUTE | MSG_DONTWAIT | MSG_EOR | MSG_WAITALL | \
			 MSG_CONFIRM | MSG_NOSIGNAL | MSG_MORE | MSG_BATCH |	\
			 MSG_ZEROCOPY | MSG_SPLICE_PAGES | MSG_CMSG_COMPAT |	\
			 MSG_SENDPAGE_NOTLAST | MSG_NO_SHARED_FRAGS)
#define RILL_RECV_FLAGS	(MSG_PEEK | MSG_DONTWAIT | MSG_WAITALL | MSG_TRUNC |	\
			 MSG_NOSIGNAL | MSG_CMSG_CLOEXEC | MSG_CMSG_COMPAT)

struct sock *rill_sock_alloc(struct net *net, struct socket *sock, int type,
			     int kern);
void rill_sock_close(struct sock *sk);
struct sock *rill_sock_next(struct net *net, u64 *pos, struct sock *prev);
struct sock *rill_peer_get(struct sock *sk);
void __rill_name_copy(struct msghdr *msg, const struct sock *from);

/* The sender's address, for recvmsg() with room for it. */
static inline void rill_name_copy(struct msghdr *msg, const struct sock *from)
{
	if (unlikely(msg->msg_name))
		__rill_name_copy(msg, from);
}

bool rill_ops_are_own(const struct proto_ops *ops);
int rill_socket_register(void);
void rill_socket_unregister(void);

/* ---- listen: the accept queue and the waiting line ---- */

int rill_listen(struct socket *sock, int backlog);
RILL_DECLARE_ACCEPT(rill_accept);
int rill_queue_join(struct sock *listener, struct sock *sk, struct sock *child);
bool rill_line_leave(struct sock *sk, int err);
void rill_listener_close(struct sock *sk);

static inline bool rill_queue_full(const struct sock *listener)
{
	return READ_ONCE(listener->sk_ack_backlog) >
	       READ_ONCE(listener->sk_max_ack_backlog);
}

/* ---- connect: connections of stream and seqpacket ---- */

void rill_connect_trace(struct sock *sk, struct sock *listener,
			const struct rill_key *key, int err);
int rill_connect(struct socket *sock, struct sockaddr_unsized *uaddr, int len,
		 int flags);
/* Why an end that goes away leaves ECONNRESET to the other.  See rill_trace(7). */
enum rill_reset_reason {
	RILL_RESET_NONE,
	RILL_RESET_UNREAD,
	RILL_RESET_LINGER,
	RILL_RESET_UNACCEPTED,
};

int rill_socketpair(struct socket *a, struct socket *b);
void rill_connection_link(struct sock *sk, struct sock *peer);
void rill_connection_close(struct sock *sk);
void rill_connection_lost(struct sock *sk, struct sock *peer);
struct sock *rill_connection_await(struct sock *sk, long *timeo);
void rill_connection_sigpipe(const struct msghdr *msg);
int rill_shutdown(struct socket *sock, int how);
void rill_linger(struct sock *sk);

/* Before data: the peer, or why there is none; see rill_connection_await(). */
static inline struct sock *rill_connection_ready(struct sock *sk, long *timeo)
{
	/* Pairs with the release of rill_connection_link(). */
	struct sock *peer = smp_load_acquire(&rill_sk(sk)->peer);

	return likely(peer) ? peer : rill_connection_await(sk, timeo);
}

/* The same for a send, which may not name another destination. */
static inline struct sock *rill_connection_dest(struct sock *sk,
						const struct msghdr *msg,
						long *timeo)
{
	if (unlikely(msg->msg_namelen))
		return ERR_PTR(READ_ONCE(rill_sk(sk)->peer) ? -EISCONN :
							      -EOPNOTSUPP);
	return rill_connection_ready(sk, timeo);
}

/* ---- stream ---- */

int rill_stream_send(struct socket *sock, struct msghdr *msg, bool by_ref);
int rill_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
int rill_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			int flags);

/* ---- splice: pages that come and go by reference ---- */

ssize_t rill_stream_sendpage(struct socket *sock, struct page *page, int offset,
			     size_t size, int flags);
ssize_t rill_stream_splice_read(struct socket *sock, loff_t *ppos,
				struct pipe_inode_info *pipe, size_t len,
				unsigned int flags);

/* ---- msg, dgram, flow: datagrams and seqpacket ---- */

int rill_msg_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
int rill_msg_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
		     int flags);
void rill_msg_drop(struct sock *sk, enum rill_drop_reason reason,
		   struct sk_buff_head *gone);
void rill_msg_purge(struct sock *sk, enum rill_drop_reason reason);
unsigned int rill_msg_next_len(struct sock *sk);

int rill_dgram_connect(struct socket *sock, struct sockaddr_unsized *uaddr,
		       int len, int flags);
struct sock *rill_dgram_peer(struct sock *sk);
int rill_dgram_may_send(const struct sock *sk, const struct sock *other);
void rill_dgram_dissolve(struct sock *sk, struct sock *peer);
void rill_dgram_close(struct sock *sk);

bool rill_flow_room(const struct sock *sk);
void rill_flow_charge(struct sock *sk, int bytes);
void rill_flow_uncharge(struct sock *sk, unsigned int bytes);
void rill_flow_wake(struct sock *sk);
int rill_flow_may_make(struct sock *sk, struct sock *to, long *timeo);
int rill_flow_may_queue(struct sock *sk, struct sock *to, long *timeo);
void rill_flow_unblock(struct sock *sk);
bool rill_flow_writable(struct sock *sk);
void rill_flow_end(struct sock *sk);
void rill_flow_init(struct sock *sk);

/* ---- wait: poll, wake-ups ---- */

__poll_t rill_poll(struct file *file, struct socket *sock,
		   struct poll_table_struct *wait);
int rill_set_rcvlowat(struct sock *sk, int val);
void rill_data_ready(struct sock *sk);
void rill_write_space(struct sock *sk);
void rill_space_want(struct sock *peer);
bool rill_space_ask(struct sock *sk);
void rill_wait_add(struct sock *sk, struct wait_queue_entry *wait);
void rill_wait_remove(struct sock *sk, struct wait_queue_entry *wait);
void rill_wake_hangup(struct sock *sk, bool both);

/* Is there a sleeper, a poll or SIGIO?  After a full barrier. */
static inline bool rill_waited_for(const struct sock *sk)
{
	const struct socket_wq *wq;
	bool any;

	/* RCU waits for this, too, and it is no call. */
	rcu_read_lock_sched();
	wq = rcu_dereference_sched(sk->sk_wq);
	/* The caller's barrier pairs with the one of who waits. */
	any = wq && (waitqueue_active((wait_queue_head_t *)&wq->wait) ||
		     wq->fasync_list);
	rcu_read_unlock_sched();
	return any;
}

/*
 * Bytes or a message came for sk: wake its readers, polls and SIGIO, if there
 * are any.  After a full barrier.
 */
static inline void rill_wake_reader(struct sock *sk)
{
	/* Or a user in the kernel has put its own function there. */
	if (rill_waited_for(sk) || sk->sk_data_ready != rill_data_ready)
		sk->sk_data_ready(sk);
}

/* ---- busy: look for a while before sleeping ---- */

/* A reader's turn of busy polling. */
struct rill_busy {
	struct sock		*sk;
	unsigned int		looks;
	unsigned long		start;		/* jiffies */
	u64			start_ns;	/* ktime_get_ns(), with a time-out */
	long			timeo;		/* at the start, jiffies */
	u64			end;		/* local_clock() */
	bool			unasked;	/* no option of the socket's says so */
	bool			in_vain;	/* it has looked all the time */
};

/*
 * Bytes or a message go to sk, from this CPU.  0 stands for none so far, and for
 * the one CPU that does not fit.
 */
static inline void rill_busy_wrote(struct sock *sk)
{
	u16 cpu = raw_smp_processor_id() + 1;

	/* Only a change is stored: readers that look share the line. */
	if (unlikely(READ_ONCE(rill_sk(sk)->w_cpu) != cpu))
		WRITE_ONCE(rill_sk(sk)->w_cpu, cpu);
}

unsigned int rill_busy_usec(const struct sock *sk);
void rill_busy_inherit(struct sock *child, const struct sock *listener);
bool rill_busy_begin(struct rill_busy *busy, struct sock *sk, long timeo);
bool rill_busy_again(struct rill_busy *busy);
long rill_busy_end(const struct rill_busy *busy, bool found);

/* ---- sockopt ---- */

int rill_setsockopt(struct socket *sock, int level, int optname,
		    sockptr_t optval, unsigned int optlen);
int rill_getsockopt(struct socket *sock, int level, int optname,
		    char __user *optval, int __user *optlen);

/* ---- ioctl ---- */

long rill_recv_queue(struct sock *sk);
long rill_send_queue(struct sock *sk);
int rill_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);
#ifdef CONFIG_COMPAT
int rill_compat_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);
#endif

/* ---- view: what a socket looks like to others ---- */

struct rill_view {
	int			state;
	int			shutdown;
	long			recv_q;		/* of a listener: queue's */
	long			send_q;
	struct rill_queue	queue;		/* of a listener */
	const struct rill_name	*name;
	struct sock		*peer;		/* these with a reference, or NULL */
	struct sock		*listener;	/* in line: whose */
	struct sock		*child;		/* in line: the new end */
};

void rill_view_get(struct rill_view *view, struct sock *sk);
void rill_view_put(struct rill_view *view);
void rill_view_creds(const struct rill_view *view, struct sock *sk,
		     struct rill_cred *own, struct rill_cred *peer);

/* A new end whose connector stands in line is nobody's socket yet. */
static inline bool rill_sock_hidden(const struct sock *sk)
{
	return !READ_ONCE(rill_sk(sk)->accepted) && !READ_ONCE(rill_sk(sk)->peer);
}

/* ---- proc ---- */

void rill_show_fdinfo(struct seq_file *m, struct socket *sock);
int rill_proc_init(struct net *net);
void rill_proc_exit(struct net *net);

#endif /* _AF_RILL_H */
