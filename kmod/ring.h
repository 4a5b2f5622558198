/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring: the bytes of a stream on their way to one end.  See ring.c.
 */
#ifndef _RILL_RING_H
#define _RILL_RING_H

#include "af_rill.h"

/* What a slot holds. */
enum {
	/* A page that the ring allocated; if slots share it, the last has it. */
	RILL_SLOT_OWN	= 1 << 0,
	/* Ancillary data for what follows. */
	RILL_SLOT_MARK	= 1 << 1,
	/* Go on in the next segment. */
	RILL_SLOT_LINK	= 1 << 2,
};

/*
 * A slot without RILL_SLOT_OWN, MARK or LINK is a page that came by reference:
 * never written, never reused.
 */
struct rill_slot {
	union {
		struct page		*page;
		struct rill_mark	*mark;
		struct rill_seg		*next;
	};
	u16				flags;
	u16				off;	/* of the first byte in page */
	u32				len;	/* bytes; grows in the last slot */
};

/*
 * What stands beside the bytes that follow it: the credentials of who wrote
 * them.  Files of SCM_RIGHTS will sit here.
 */
struct rill_mark {
	struct rill_cred	cred;
};

/* A power-of-two array of slots, used in a circle. */
struct rill_seg {
	u32			mask;
	struct rill_slot	slot[];
};

#define RILL_INLINE_SLOTS	8
#define RILL_SPARES		16	/* pages kept for reuse while bytes flow */

/* Bit numbers of want: what the reader has to wake the writing end for. */
#define RILL_WANT_SPACE		0	/* a writer, or its poll, found it full */
#define RILL_WANT_EMPTY		1	/* the writer's close() lingers */

/*
 * Locking: the first group belongs to the writer (the peer's tx_mutex), the
 * second to the reader (the owner's rx_mutex); the other side may read head,
 * tail, r_pos and the spare counters with acquire.  Free of locks: want and
 * the flags behind it.  idle is under the idle list's lock.
 */
struct rill_ring {
	unsigned long		head;		/* bytes written, ever */
	struct rill_seg		*w_seg;
	u32			w_pos;		/* slots taken, ever */
	u32			w_base;		/* first of them in w_seg */
	u32			sp_tail;	/* spares taken, ever */
	bool			w_open;		/* the last slot may grow */
	struct rill_cred	w_cred;		/* of the last mark */

	unsigned long		tail ____cacheline_aligned;	/* bytes read */
	struct rill_seg		*r_seg;
	u32			r_pos;		/* slots given back, ever */
	u32			r_off;		/* bytes read of the slot at r_pos */
	u32			sp_head;	/* spares put, ever */
	struct rill_cred	r_cred;		/* of the bytes at tail */

	unsigned long		want ____cacheline_aligned;
	bool			discard;	/* the writer reset: drop all */
	bool			dead;		/* the reader is gone */
	bool			idle_queued;
	unsigned long		idle_head;	/* head when it was queued */
	struct list_head	idle;
	struct sock		*sk;		/* the owner, the reading end */

	struct page		*spare[RILL_SPARES];
	/* The first segment; must be last. */
	struct rill_seg		first;
};

/* How far the two ends let it fill. */
struct rill_limit {
	unsigned long		bytes;
	u32			slots;
};

/* A ring with so many unread bytes, or fewer, is writable: a quarter is free. */
static inline unsigned long rill_limit_writable(const struct rill_limit *limit)
{
	return limit->bytes - DIV_ROUND_UP(limit->bytes, 4);
}

/* A read: what it asks for and what it got. */
struct rill_read {
	struct iov_iter		*to;
	size_t			len;
	size_t			skip;		/* with peek: start this far in */
	bool			peek;
	bool			by_cred;	/* stop where credentials change */
	bool			stopped;	/* it did */
	size_t			need;		/* so many unread are worth a pass */
	size_t			total;		/* bytes copied, of all calls */
	struct rill_cred	cred;		/* of the first byte; referenced */
};

struct rill_ring *rill_ring_alloc(struct sock *sk);
void rill_ring_free(struct rill_ring *ring);
ssize_t rill_ring_write(struct rill_ring *ring, struct iov_iter *from,
			const struct rill_limit *limit,
			const struct rill_cred *cred);
ssize_t rill_ring_read(struct rill_ring *ring, struct rill_read *rd);
void rill_ring_consumed(struct rill_ring *ring, struct sock *writer);
bool rill_ring_want(struct rill_ring *ring, int what);
void rill_ring_unlocked(struct rill_ring *ring, struct mutex *writers);
void rill_ring_discard(struct rill_ring *ring);
void rill_ring_kill(struct rill_ring *ring, struct mutex *writers);
bool rill_ring_writable(const struct rill_ring *ring,
			const struct rill_limit *limit);
void rill_ring_limit(const struct rill_ring *ring, const struct sock *writer,
		     struct rill_limit *limit);
void rill_ring_purge(struct rill_ring *ring);

/* idle.c */
void rill_idle_add(struct rill_ring *ring);
void rill_idle_forget(struct rill_ring *ring);
void rill_idle_exit(void);

/*
 * Unread bytes.  Exact for whoever holds a side's mutex with the other side
 * quiet; else a moment's view that is never below 0: tail is read first.
 */
static inline unsigned long rill_ring_used(const struct rill_ring *ring)
{
	/* Acquire: before head, so that the difference is never negative. */
	unsigned long tail = smp_load_acquire(&ring->tail);

	/* Acquire: who finds bytes finds what they are. */
	return smp_load_acquire(&ring->head) - tail;
}

/* What a reader can still get. */
static inline unsigned long rill_ring_readable(const struct rill_ring *ring)
{
	return READ_ONCE(ring->discard) ? 0 : rill_ring_used(ring);
}

#endif /* _RILL_RING_H */
