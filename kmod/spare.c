// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spares: the skbs of messages that were read, kept by the receiving socket for
 * those that come next.  So a flow of messages allocates and frees nothing, and
 * what the kernel does to fresh memory (init_on_alloc=, the cgroup's charge) is
 * done once.
 *
 * How many: queue and spares together stay within SO_RCVBUF, so a socket holds
 * no more memory than its queue may.  The last one given back is the first one
 * taken, and those that lay at the bottom for a whole period are freed: a quiet
 * socket has none after two.  They count for no SO_SNDBUF and are charged to the
 * cgroup that allocated them.
 *
 * Where: in what struct sock has for those who queue what they send, which a
 * message socket does not.  The spares are in sk_write_queue, newest first, their
 * bytes in sk_forward_alloc.  A socket that has some is in rill_spare_list, by
 * its sk_bind_node.
 *
 * Locking: the socket's lock guards its spares, sk_forward_alloc and spare_least
 * (the fewest of them in this period; the queue's own lock is not used).
 * rill_spare_lock guards the list and is taken before a socket's lock; a socket
 * leaves the list under both.  Only receives put spares, so nobody does after
 * release().
 *
 * Lifetime: the list has no reference.  A socket leaves it in rill_spare_close(),
 * or when it has no spare left.
 *
 * Context: process.
 */
#include <linux/skbuff.h>
#include <linux/workqueue.h>

#include "af_rill.h"

#define RILL_SPARE_PERIOD	HZ
/* How many are looked at for one of the right size; the newest fit best. */
#define RILL_SPARE_TRIES	4

/* What the allocator rounds up to at most, besides twice what was asked for. */
#define RILL_SPARE_SLACK	512

static HLIST_HEAD(rill_spare_list);
static DEFINE_SPINLOCK(rill_spare_lock);
static void rill_spare_work_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(rill_spare_work, rill_spare_work_fn);

/* In sk_forward_alloc: what the socket has, and nothing is charged for. */
static unsigned int rill_spare_bytes(const struct sock *sk)
{
	return READ_ONCE(sk->sk_forward_alloc);
}

static void rill_spare_add(struct sock *sk, int bytes)
{
	lockdep_assert_held(&rill_sk(sk)->lock);
	WRITE_ONCE(sk->sk_forward_alloc, sk->sk_forward_alloc + bytes);
}

static u16 rill_spare_count(const struct sock *sk)
{
	return min_t(u32, skb_queue_len(&sk->sk_write_queue), U16_MAX);
}

/* Neither too small, nor so large that it would fill a queue for nothing. */
static bool rill_spare_fits(const struct sk_buff *skb, size_t head,
			    size_t paged)
{
	size_t room = skb_end_offset(skb);

	return skb->data_len == paged && head <= room &&
	       room <= 2 * head + RILL_SPARE_SLACK;
}

static void rill_spare_reset(struct sk_buff *skb, size_t head, size_t paged)
{
	skb->data = skb->head;
	skb_reset_tail_pointer(skb);
	skb->len = 0;
	skb->data_len = 0;
	skb_put(skb, head);
	skb->data_len = paged;
	skb->len += paged;
	/* What a filter's program and SO_TIMESTAMP leave there. */
	skb_clear_hash(skb);
	skb->tstamp = 0;
}

/**
 * rill_spare_get() - take a spare for a message
 * @sk: the receiver of the message, referenced
 * @head: how many bytes stand in its head
 * @paged: how many in its pages
 *
 * Return: an skb of that length whose bytes are to be written, with nothing in
 * its cb; or NULL.
 */
struct sk_buff *rill_spare_get(struct sock *sk, size_t head, size_t paged)
{
	struct rill_sock *rs = rill_sk(sk);
	struct sk_buff *skb, *found = NULL;
	int tries = RILL_SPARE_TRIES;

	if (skb_queue_empty_lockless(&sk->sk_write_queue))
		return NULL;
	spin_lock(&rs->lock);
	skb_queue_walk(&sk->sk_write_queue, skb) {
		if (rill_spare_fits(skb, head, paged)) {
			found = skb;
			break;
		}
		if (!--tries)
			break;
	}
	if (found) {
		__skb_unlink(found, &sk->sk_write_queue);
		rill_spare_add(sk, -found->truesize);
		rs->spare_least = min(rs->spare_least, rill_spare_count(sk));
	}
	spin_unlock(&rs->lock);
	if (found)
		rill_spare_reset(found, head, paged);
	return found;
}

/**
 * rill_spare_put() - keep the skb of a message that was read
 * @sk: the receiver, whose lock is held
 * @skb: the message; charged to nobody any more, and nobody else has it
 *
 * Return: false if it is the caller's to free.
 */
bool rill_spare_put(struct sock *sk, struct sk_buff *skb)
{
	lockdep_assert_held(&rill_sk(sk)->lock);
	if (atomic_read(&sk->sk_rmem_alloc) + rill_spare_bytes(sk) +
	    skb->truesize > rill_rcvbuf(sk))
		return false;
	if (skb_cloned(skb) || skb_shared(skb) || skb_pfmemalloc(skb))
		return false;
	__skb_queue_head(&sk->sk_write_queue, skb);
	rill_spare_add(sk, skb->truesize);
	return true;
}

/* After rill_spare_put() has kept one, with no lock held. */
void rill_spare_watch(struct sock *sk)
{
	/* Who takes it out does so with the lock that the put had. */
	if (!hlist_unhashed_lockless(&sk->sk_bind_node))
		return;
	spin_lock(&rill_spare_lock);
	if (hlist_unhashed(&sk->sk_bind_node)) {
		hlist_add_head(&sk->sk_bind_node, &rill_spare_list);
		schedule_delayed_work(&rill_spare_work, RILL_SPARE_PERIOD);
	}
	spin_unlock(&rill_spare_lock);
}

/* Take away so many of the oldest. */
static void rill_spare_cut(struct sock *sk, unsigned int count,
			   struct sk_buff_head *gone)
{
	struct sk_buff *skb;

	lockdep_assert_held(&rill_sk(sk)->lock);
	while (count-- && (skb = skb_peek_tail(&sk->sk_write_queue))) {
		__skb_unlink(skb, &sk->sk_write_queue);
		rill_spare_add(sk, -skb->truesize);
		__skb_queue_tail(gone, skb);
	}
	rill_sk(sk)->spare_least = rill_spare_count(sk);
}

/* Queue and spares are more than SO_RCVBUF together: away with the oldest. */
void __rill_spare_shrink(struct sock *sk, struct sk_buff_head *gone)
{
	lockdep_assert_held(&rill_sk(sk)->lock);
	while (!skb_queue_empty(&sk->sk_write_queue) && rill_spare_excess(sk))
		rill_spare_cut(sk, 1, gone);
}

/* Take what was not needed for a period. */
static void rill_spare_visit(struct sock *sk, struct sk_buff_head *gone)
{
	struct rill_sock *rs = rill_sk(sk);

	lockdep_assert_held(&rill_spare_lock);
	spin_lock(&rs->lock);
	rill_spare_cut(sk, rs->spare_least, gone);
	hlist_del_init(&sk->sk_bind_node);
	if (!skb_queue_empty(&sk->sk_write_queue))
		hlist_add_head(&sk->sk_bind_node, &rill_spare_list);
	spin_unlock(&rs->lock);
}

static void rill_spare_work_fn(struct work_struct *work)
{
	struct sk_buff_head gone;
	HLIST_HEAD(todo);

	__skb_queue_head_init(&gone);
	spin_lock(&rill_spare_lock);
	hlist_move_list(&rill_spare_list, &todo);
	while (!hlist_empty(&todo)) {
		rill_spare_visit(hlist_entry(todo.first, struct sock,
					     sk_bind_node), &gone);
		spin_unlock(&rill_spare_lock);
		__skb_queue_purge(&gone);
		cond_resched();
		spin_lock(&rill_spare_lock);
	}
	if (!hlist_empty(&rill_spare_list))
		schedule_delayed_work(&rill_spare_work, RILL_SPARE_PERIOD);
	spin_unlock(&rill_spare_lock);
}

/* The socket is dead: no system call can reach it any more. */
void rill_spare_close(struct sock *sk)
{
	struct sk_buff_head gone;
	bool listed;

	if (rill_is_stream(sk))
		return;
	/*
	 * Who sends to it may take one all the same, but nobody puts one.  With
	 * the lock: the worker that takes it out holds it to the end.
	 */
	spin_lock(&rill_sk(sk)->lock);
	listed = !hlist_unhashed(&sk->sk_bind_node);
	spin_unlock(&rill_sk(sk)->lock);
	if (!listed)
		return;
	__skb_queue_head_init(&gone);
	spin_lock(&rill_spare_lock);
	spin_lock(&rill_sk(sk)->lock);
	hlist_del_init(&sk->sk_bind_node);
	rill_spare_cut(sk, UINT_MAX, &gone);
	spin_unlock(&rill_sk(sk)->lock);
	spin_unlock(&rill_spare_lock);
	__skb_queue_purge(&gone);
}

void rill_spare_exit(void)
{
	cancel_delayed_work_sync(&rill_spare_work);
	WARN_ON_ONCE(!hlist_empty(&rill_spare_list));
}
