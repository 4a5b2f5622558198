// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: send and receive of datagram and seqpacket sockets.
 *
 * A message is an skb in the receiver's sk_receive_queue.  It is charged to the
 * sender's sk_wmem_alloc, which bounds what one sender has in flight, and to
 * the receiver's sk_rmem_alloc, which bounds the queue (flow.c).
 *
 * Locking: the lock of the socket guards its queue and sk_rmem_alloc (the
 * queue's own lock is not used), so that no message comes in after
 * rill_sock_close() has marked it dead.  Receives hold rx_mutex from the look at
 * the first message until it is taken out, so that one whose copy faults stays
 * where it was.
 *
 * Lifetime: a message in a queue belongs to the queue; one that a receive copies
 * from belongs to that receive (reading), also if the queue is purged meanwhile.
 * It holds the sender's socket by its charge there, which answers for the source
 * address, and the sender's pid.  The skb of one that was read may become that
 * of another, see spare.c.
 *
 * Context: process.
 */
#include <linux/filter.h>
#include <linux/sched/signal.h>
#include <linux/skbuff.h>
#include <linux/uio.h>

#include "af_rill.h"
#include "trace.h"

/* As unix(7): what SO_SNDBUF has to hold besides the message. */
#define RILL_MSG_OVERHEAD	32
/* The least that a message counts in a queue. */
#define RILL_MSG_MIN_CHARGE	512

/* What the module keeps in an skb; the core keeps sock_skb_cb at the end. */
struct rill_skb_cb {
	struct rill_cred	cred;
	struct scm_fp_list	*files;		/* in flight, or NULL */
	u32			charge;		/* in the queue it stands in, or 0 */
	bool			reading;	/* a receive copies from it */
	bool			peeked;		/* with SO_PEEK_OFF; it is empty */
	bool			cut;		/* by the receiver's filter */
};

static struct rill_skb_cb *rill_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct rill_skb_cb) > SOCK_SKB_CB_OFFSET);
	return (struct rill_skb_cb *)skb->cb;
}

static void rill_skb_destruct(struct sk_buff *skb)
{
	struct scm_fp_list *files = rill_cb(skb)->files;

	if (unlikely(files))
		rill_rights_free(files);
	rill_cred_clear(&rill_cb(skb)->cred);
	rill_flow_uncharge(skb->sk, skb->truesize);
}

/* How much of a message of that length stands in pages of their own. */
static size_t rill_msg_paged(size_t len)
{
	size_t paged;

	if (len <= SKB_MAX_ALLOC)
		return 0;
	paged = min_t(size_t, len - SKB_MAX_ALLOC, MAX_SKB_FRAGS * PAGE_SIZE);
	return min_t(size_t, len, PAGE_ALIGN(paged));
}

static int rill_msg_fill(struct sk_buff *skb, struct msghdr *msg, size_t len)
{
	/* Most have no pages, and need none of the care that pages do. */
	if (!skb_is_nonlinear(skb))
		return copy_from_iter_full(skb->data, len, &msg->msg_iter) ?
		       0 : -EFAULT;
	return skb_copy_datagram_from_iter(skb, 0, &msg->msg_iter, len);
}

/* An skb for a message of that length; its bytes are still to be written. */
static struct sk_buff *rill_msg_alloc(struct sock *sk, struct sock *to,
				      size_t len)
{
	size_t paged = rill_msg_paged(len);
	struct sk_buff *skb;
	int err;

	skb = rill_spare_get(to, len - paged, paged);
	if (skb)
		return skb;
	skb = alloc_skb_with_frags(len - paged, paged, PAGE_ALLOC_COSTLY_ORDER,
				   &err, sk->sk_allocation);
	if (!skb)
		return NULL;
	skb_put(skb, len - paged);
	skb->data_len = paged;
	skb->len = len;
	return skb;
}

static struct sk_buff *rill_msg_make(struct sock *sk, struct sock *to,
				     struct msghdr *msg, size_t len,
				     struct rill_anc *anc)
{
	struct sk_buff *skb;
	int err;

	skb = rill_msg_alloc(sk, to, len);
	if (!skb)
		return ERR_PTR(-ENOMEM);
	skb_set_owner_w(skb, sk);
	skb->destructor = rill_skb_destruct;
	/* The message takes over the reference on the pid, and the files. */
	rill_cb(skb)->cred = anc->cred;
	rill_cb(skb)->files = anc->files;
	rill_cb(skb)->charge = 0;
	rill_cb(skb)->reading = false;
	rill_cb(skb)->peeked = false;
	rill_cb(skb)->cut = false;
	anc->cred.pid = NULL;
	anc->files = NULL;

	err = rill_msg_fill(skb, msg, len);
	if (err) {
		kfree_skb(skb);
		return ERR_PTR(err);
	}
	return skb;
}

static bool rill_wants_stamp(const struct sock *sk)
{
	return sock_flag(sk, SOCK_RCVTSTAMP) || sock_flag(sk, SOCK_TIMESTAMP) ||
	       sock_flag(sk, SOCK_TIMESTAMPING_RX_SOFTWARE);
}

/* Why no message of sk's can go to that receiver, or 0. */
static int rill_msg_refused(struct sock *sk, struct sock *to)
{
	int err = 0;

	lockdep_assert_held(&rill_sk(to)->lock);
	if (rill_is_dgram(sk))
		err = rill_dgram_may_send(sk, to);
	if (!err && (to->sk_shutdown & RCV_SHUTDOWN ||
		     READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN))
		err = -EPIPE;
	return err;
}

/*
 * Put the message into the receiver's queue.  0; -EAGAIN if there is no room;
 * or why it can never go there.
 */
static int rill_msg_queue(struct sock *sk, struct sock *to, struct sk_buff *skb)
{
	struct rill_sock *ts = rill_sk(to);
	struct sk_buff_head gone;
	int err;

	__skb_queue_head_init(&gone);
	spin_lock(&ts->lock);
	err = rill_msg_refused(sk, to);
	if (err)
		goto out;
	err = -EAGAIN;
	if (!rill_flow_room(to))
		goto out;

	if (rill_wants_stamp(to))
		__net_timestamp(skb);
	rill_cb(skb)->charge = max_t(u32, skb->truesize, RILL_MSG_MIN_CHARGE);
	rill_flow_charge(to, rill_cb(skb)->charge);
	sock_skb_set_dropcount(to, skb);
	rill_rights_count(sk, rill_cb(skb)->files, RILL_STAT_FILES_SENT);
	rill_busy_wrote(to);
	__skb_queue_tail(&to->sk_receive_queue, skb);
	rill_spare_shrink(to, &gone);
	err = 0;
out:
	spin_unlock(&ts->lock);
	__skb_queue_purge(&gone);
	return err;
}

/*
 * The receiver's filter drops the message.  It was sent all the same, 0; unless
 * it could not have gone there, as the caller is told with a filter or without.
 */
static int rill_msg_filtered(struct sock *sk, struct sock *to,
			     struct sk_buff *skb, size_t len)
{
	int err;

	spin_lock(&rill_sk(to)->lock);
	err = rill_msg_refused(sk, to);
	spin_unlock(&rill_sk(to)->lock);
	if (err)
		return err;
	rill_drops_inc(to);
	rill_rights_count(sk, rill_cb(skb)->files, RILL_STAT_FILES_SENT);
	rill_rights_count(sk, rill_cb(skb)->files, RILL_STAT_FILES_DROPPED);
	rill_stat_inc(sock_net(to), RILL_STAT_DGRAM_FILTERED);
	trace_rill_drop(to, RILL_DROP_FILTER, 1, len);
	kfree_skb(skb);
	rill_stat_sent(sk, sk->sk_type, len);
	return 0;
}

/* Make a message, and queue it when there is room for it. */
static int rill_msg_send(struct sock *sk, struct sock *to, struct msghdr *msg,
			 size_t len, struct rill_anc *anc, long timeo)
{
	struct sk_buff *skb;
	int err;

	err = rill_flow_may_make(sk, to, &timeo);
	/* Who does not wait need not make what there is no room for. */
	if (!err && !timeo && !rill_flow_room(to))
		err = rill_flow_may_queue(sk, to, &timeo);
	if (err)
		goto out;
	skb = rill_msg_make(sk, to, msg, len, anc);
	if (IS_ERR(skb))
		return PTR_ERR(skb);
	if (rill_is_dgram(sk) && rcu_access_pointer(to->sk_filter) &&
	    sk_filter(to, skb)) {
		err = rill_msg_filtered(sk, to, skb, len);
		if (!err)
			return 0;
		goto failed;
	}
	rill_cb(skb)->cut = skb->len != len;
	do {
		err = rill_msg_queue(sk, to, skb);
		if (err != -EAGAIN)
			break;
		err = rill_flow_may_queue(sk, to, &timeo);
	} while (!err);
	if (!err) {
		rill_stat_sent(sk, sk->sk_type, len);
		/* It is queued, then look who waits; see rill_wait_add(). */
		smp_mb();
		rill_wake_reader(to);
		return 0;
	}
failed:
	kfree_skb(skb);
	/* io_uring sends the same again: from the beginning. */
	iov_iter_revert(&msg->msg_iter, len);
out:
	if (err == -EAGAIN)
		rill_stat_inc(sock_net(sk), RILL_STAT_AGAIN_SPACE);
	/* Not before the message is freed, which would count as room. */
	if (err == -EAGAIN && rill_space_ask(sk)) {
		/* Who has O_ASYNC is told of what came meanwhile. */
		sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
		sk_wake_async(sk, SOCK_WAKE_SPACE, POLL_OUT);
	}
	return err;
}

/* Whom a datagram goes to: the address it has, or the association. */
static struct sock *rill_dgram_dest(struct sock *sk, struct msghdr *msg)
{
	struct rill_key key;
	struct sock *peer;
	int err;

	if (msg->msg_namelen) {
		err = rill_addr_parse(msg->msg_name, msg->msg_namelen, &key);
		return err ? ERR_PTR(err) : rill_name_lookup(sk, &key);
	}
	peer = rill_dgram_peer(sk);
	return peer ?: ERR_PTR(-ENOTCONN);
}

/* So that whoever gets the datagram can answer. */
static int rill_dgram_name(struct sock *sk)
{
	int err = 0;

	if (likely(rill_sock_name(sk)) || rill_sk(sk)->pair)
		return 0;
	lock_sock(sk);
	if (!rill_sk(sk)->name)
		err = rill_name_autobind(sk);
	release_sock(sk);
	return err;
}

int rill_msg_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct sock *sk = sock->sk, *to;
	struct rill_anc anc = {};
	long timeo;
	int err;

	if (msg->msg_flags & ~RILL_SEND_FLAGS)
		return -EOPNOTSUPP;
	timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	/* A connection's peer stays while the file is open. */
	if (rill_is_dgram(sk))
		to = rill_dgram_dest(sk, msg);
	else
		to = rill_connection_dest(sk, msg, &timeo);
	if (IS_ERR(to)) {
		err = PTR_ERR(to);
		trace_rill_send(sk, NULL, len, msg->msg_flags, err);
		return err;
	}

	err = -EMSGSIZE;
	if (len > READ_ONCE(sk->sk_sndbuf) - RILL_MSG_OVERHEAD)
		goto out;
	err = rill_is_dgram(sk) ? rill_dgram_name(sk) : 0;
	if (!err && msg->msg_controllen)
		err = rill_anc_parse(msg, &anc, true);
	if (err)
		goto out;
	if (!anc.cred.pid && rill_wants_cred(sk, to))
		rill_cred_current(&anc.cred);
	err = rill_msg_send(sk, to, msg, len, &anc, timeo);
	rill_anc_clear(&anc);
	/*
	 * This may have had the wake-up of one that sleeps there already.  No
	 * barrier: those who came later look for themselves.
	 */
	rill_flow_wake(to);
	if (err == -ECONNREFUSED)
		rill_dgram_dissolve(sk, to);
	else if (err == -EPIPE && !rill_is_dgram(sk))
		rill_connection_sigpipe(msg);
out:
	trace_rill_send(sk, to, len, msg->msg_flags, err ?: len);
	if (rill_is_dgram(sk))
		sock_put(to);
	return err ?: len;
}

static void __rill_msg_unlink(struct sock *sk, struct sk_buff *skb)
{
	__skb_unlink(skb, &sk->sk_receive_queue);
	rill_flow_charge(sk, -rill_cb(skb)->charge);
	rill_cb(skb)->charge = 0;
}

/*
 * Take all out of the queue: the owner closes, or the sender resets.  gone: for the
 * caller to free, which wakes who sent it.
 */
void rill_msg_drop(struct sock *sk, enum rill_drop_reason reason,
		   struct sk_buff_head *gone)
{
	struct sk_buff *skb, *next;
	size_t bytes = 0;

	spin_lock(&rill_sk(sk)->lock);
	skb_queue_walk_safe(&sk->sk_receive_queue, skb, next) {
		__rill_msg_unlink(sk, skb);
		/* Its receive will see that it is out of the queue. */
		if (rill_cb(skb)->reading)
			continue;
		bytes += skb->len;
		rill_rights_count(sk, rill_cb(skb)->files,
				  RILL_STAT_FILES_DROPPED);
		__skb_queue_tail(gone, skb);
	}
	spin_unlock(&rill_sk(sk)->lock);
	if (!skb_queue_empty(gone)) {
		rill_stat_dropped(sk, sk->sk_type, skb_queue_len(gone));
		trace_rill_drop(sk, reason, skb_queue_len(gone), bytes);
	}
}

void rill_msg_purge(struct sock *sk, enum rill_drop_reason reason)
{
	struct sk_buff_head gone;

	__skb_queue_head_init(&gone);
	rill_msg_drop(sk, reason, &gone);
	__skb_queue_purge(&gone);
}

/*
 * The message that a peek with SO_PEEK_OFF comes to, of which offset becomes that
 * within the message; if it is negative the first one, from its beginning.
 */
static struct sk_buff *rill_msg_find(struct sock *sk, int *offset)
{
	struct sk_buff *skb;

	lockdep_assert_held(&rill_sk(sk)->lock);
	if (*offset < 0) {
		*offset = 0;
		return skb_peek(&sk->sk_receive_queue);
	}
	skb_queue_walk(&sk->sk_receive_queue, skb) {
		/* The offset says nothing of an empty one. */
		if (*offset < skb->len ||
		    (!*offset && !rill_cb(skb)->peeked))
			return skb;
		*offset -= skb->len;
	}
	return NULL;
}

unsigned int rill_msg_next_len(struct sock *sk)
{
	struct sk_buff *skb;
	unsigned int len;
	int offset = -1;

	spin_lock(&rill_sk(sk)->lock);
	skb = rill_msg_find(sk, &offset);
	len = skb ? skb->len : 0;
	spin_unlock(&rill_sk(sk)->lock);
	return len;
}

/* The message to copy from, under rx_mutex until rill_msg_end(). */
static struct sk_buff *rill_msg_begin(struct sock *sk, int *offset)
{
	struct sk_buff *skb;

	spin_lock(&rill_sk(sk)->lock);
	skb = rill_msg_find(sk, offset);
	if (skb)
		rill_cb(skb)->reading = true;
	spin_unlock(&rill_sk(sk)->lock);
	return skb;
}

/*
 * A receive is done with the message, and with rx_mutex; take: it has all that
 * it wanted, so the message goes.
 */
static void rill_msg_end(struct sock *sk, struct sk_buff *skb, bool take)
{
	struct scm_fp_list *files = rill_cb(skb)->files;
	struct rill_cred cred = rill_cb(skb)->cred;
	unsigned int bytes = skb->truesize;
	struct sock *from = skb->sk;
	bool spare = false;

	if (take)
		rill_stat_received(sk, sk->sk_type, skb->len);
	spin_lock(&rill_sk(sk)->lock);
	rill_cb(skb)->reading = false;
	/* Not queued any more: the peer's reset has purged it meanwhile. */
	if (!rill_cb(skb)->charge) {
		if (!take) {
			rill_stat_dropped(sk, sk->sk_type, 1);
			trace_rill_drop(sk, RILL_DROP_RESET, 1, skb->len);
		}
		take = true;
	} else if (take) {
		__rill_msg_unlink(sk, skb);
	}
	if (take) {
		skb->destructor = NULL;
		skb->sk = NULL;
		/* Cut, it counts for more memory than it has. */
		spare = !rill_cb(skb)->cut && rill_spare_put(sk, skb);
	}
	spin_unlock(&rill_sk(sk)->lock);
	mutex_unlock(&rill_sk(sk)->rx_mutex);
	if (!take)
		return;

	if (spare)
		rill_spare_watch(sk);
	else
		consume_skb(skb);
	/* Purged, while the copy of it failed. */
	if (unlikely(files)) {
		rill_rights_count(sk, files, RILL_STAT_FILES_DROPPED);
		rill_rights_free(files);
	}
	rill_cred_clear(&cred);
	/* With the barrier that rill_flow_wake() needs. */
	rill_flow_uncharge(from, bytes);
	rill_flow_wake(sk);
}

static bool rill_msg_drain(struct sk_buff *skb, int offset, struct msghdr *msg,
			   unsigned int len)
{
	size_t n;

	if (skb_is_nonlinear(skb))
		return !skb_copy_datagram_msg(skb, offset, msg, len);
	n = copy_to_iter(skb->data + offset, len, &msg->msg_iter);
	if (n == len)
		return true;
	iov_iter_revert(&msg->msg_iter, n);
	return false;
}

/* So much of it was peeked at: the next peek goes on behind that. */
static void rill_msg_peeked(struct sock *sk, struct sk_buff *skb,
			    unsigned int bytes)
{
	if (READ_ONCE(sk->sk_peek_off) < 0)
		return;
	sk_peek_offset_fwd(sk, bytes);
	if (skb->len)
		return;
	spin_lock(&rill_sk(sk)->lock);
	rill_cb(skb)->peeked = true;
	spin_unlock(&rill_sk(sk)->lock);
}

/* Copy one message out.  Its length as the caller is to see it, or an errno. */
static int rill_msg_copy(struct sock *sk, struct msghdr *msg, size_t size,
			 int flags, struct sk_buff *skb, int offset)
{
	unsigned int len = skb->len - offset;
	unsigned int copy = min_t(size_t, len, size);

	if (!rill_msg_drain(skb, offset, msg, copy))
		return -EFAULT;
	if (copy < len)
		msg->msg_flags |= MSG_TRUNC;
	rill_name_copy(msg, skb->sk);
	sock_recv_cmsgs(msg, sk, skb);
	rill_cred_report(sk, msg, &rill_cb(skb)->cred);
	if (flags & MSG_PEEK)
		rill_msg_peeked(sk, skb, copy);
	else
		/* Before it goes, under the lock; see rill_msg_ready(). */
		sk_peek_offset_bwd(sk, skb->len);
	return flags & MSG_TRUNC ? len : copy;
}

/* For rill_msg_find(). */
static int rill_msg_start(struct sock *sk, int flags)
{
	return flags & MSG_PEEK ? sk_peek_offset(sk, flags) : -1;
}

static bool rill_msg_ready(struct sock *sk, int flags)
{
	struct sk_buff *skb;
	int offset;

	if (READ_ONCE(sk->sk_err) || READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN)
		return true;
	if (rill_msg_start(sk, flags) < 0)
		return !skb_queue_empty_lockless(&sk->sk_receive_queue);
	spin_lock(&rill_sk(sk)->lock);
	/* Anew at each look, and with the queue: a receive may have moved it. */
	offset = rill_msg_start(sk, flags);
	skb = rill_msg_find(sk, &offset);
	spin_unlock(&rill_sk(sk)->lock);
	return skb;
}

/* With busy polling: look for a while.  Returns whether that was of use. */
static bool rill_msg_poll(struct sock *sk, int flags, long *timeo)
{
	struct rill_busy busy;
	bool found;

	if (!rill_busy_begin(&busy, sk, *timeo))
		return false;
	do
		found = rill_msg_ready(sk, flags);
	while (!found && rill_busy_again(&busy));
	*timeo = rill_busy_end(&busy, found);
	return found;
}

/* Not for the room that its own reads make for others, see rill_write_space(). */
static int rill_msg_wake(struct wait_queue_entry *wait, unsigned int mode,
			 int sync, void *key)
{
	if (key && !(key_to_poll(key) & (EPOLLIN | EPOLLERR)))
		return 0;
	return autoremove_wake_function(wait, mode, sync, key);
}

static long rill_msg_wait(struct sock *sk, int flags, long timeo)
{
	DEFINE_WAIT_FUNC(wait, rill_msg_wake);

	if (rill_msg_poll(sk, flags, &timeo))
		return timeo;
	for (;;) {
		prepare_to_wait(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
		if (rill_msg_ready(sk, flags) || !timeo ||
		    signal_pending(current))
			break;
		rill_stat_inc(sock_net(sk), RILL_STAT_SLEEP_DATA);
		timeo = schedule_timeout(timeo);
	}
	finish_wait(sk_sleep(sk), &wait);
	return timeo;
}

/* The message to receive, with rx_mutex held; NULL at the end; or an errno. */
static struct sk_buff *rill_msg_get(struct sock *sk, int flags, long timeo,
				    int *offset)
{
	struct rill_sock *rs = rill_sk(sk);
	struct sk_buff *skb;
	int shutdown, failed, err;

	for (;;) {
		/* First, and in this order, see rill_stream_read(). */
		shutdown = rill_shutdown_get(sk);
		failed = rill_reset_get(sk);
		/* Nothing is found without the mutex. */
		if (!skb_queue_empty_lockless(&sk->sk_receive_queue)) {
			if (rill_mutex_lock(&rs->rx_mutex))
				return ERR_PTR(sock_intr_errno(timeo));
			*offset = rill_msg_start(sk, flags);
			skb = rill_msg_begin(sk, offset);
			if (skb)
				return skb;
			mutex_unlock(&rs->rx_mutex);
		}

		err = failed ? sock_error(sk) : 0;
		if (err)
			return ERR_PTR(err);
		if (shutdown & RCV_SHUTDOWN)
			return NULL;
		if (!timeo) {
			rill_stat_inc(sock_net(sk), RILL_STAT_AGAIN_DATA);
			return ERR_PTR(-EAGAIN);
		}
		timeo = rill_msg_wait(sk, flags, timeo);
		if (signal_pending(current) && !rill_msg_ready(sk, flags))
			return ERR_PTR(sock_intr_errno(timeo));
	}
}

int rill_msg_recvmsg(struct socket *sock, struct msghdr *msg, size_t size,
		     int flags)
{
	struct sock *sk = sock->sk, *peer;
	struct scm_fp_list *files = NULL;
	bool rights, peek = flags & MSG_PEEK;
	struct sk_buff *skb;
	int offset, ret;
	long timeo;

	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;	/* always empty */
	if (flags & ~RILL_RECV_FLAGS)
		return -EOPNOTSUPP;
	timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	if (!rill_is_dgram(sk)) {
		peer = rill_connection_ready(sk, &timeo);
		if (IS_ERR(peer)) {
			ret = PTR_ERR(peer);
			trace_rill_recv(sk, NULL, size, flags, ret);
			return ret;
		}
	}
	skb = rill_msg_get(sk, flags, timeo, &offset);
	if (IS_ERR_OR_NULL(skb)) {
		ret = PTR_ERR_OR_ZERO(skb);
		trace_rill_recv(sk, NULL, size, flags, ret);
		return ret;
	}

	ret = rill_msg_copy(sk, msg, size, flags, skb, offset);
	/* The message keeps its sender as long as it is there. */
	trace_rill_recv(sk, skb->sk, size, flags, ret);
	rights = ret >= 0 && rill_cb(skb)->files;
	if (unlikely(rights)) {
		if (!peek)
			rill_rights_count(sk, rill_cb(skb)->files,
					  RILL_STAT_FILES_RECEIVED);
		files = rill_rights_take(&rill_cb(skb)->files, peek);
	}
	rill_msg_end(sk, skb, ret >= 0 && !peek);
	/* After the message: a caller's buffer may hang, or the LSM's answer. */
	if (unlikely(rights))
		rill_rights_deliver(msg, files);
	return ret;
}
