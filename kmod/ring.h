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
	/* A page that a later slot, behind a mark, goes on with and owns. */
	RILL_SLOT_SHARED = 1 << 3,
};

/*
 * A slot without flags is a page that came by reference: never written, never
 * reused, and given back with its last byte.
 */
struct rill_slot {
	union {
		struct page		*page;
		struct rill_mark	*mark;
		struct rill_seg		*next;
	};
	u16				flags;
	u16				off;	/* of the first byte in page */
	/* Bytes; of the last slot, if its page has room, how many there may be. */
	u32				len;
};

/* Or off would be too small. */
static_assert(PAGE_SIZE <= 1 << 16);

/*
 * What stands beside the bytes that follow it: the credentials of who wrote
 * them; and files, which go with the first so many of these bytes.
 */
struct rill_mark {
	struct rill_cred	cred;
	struct scm_fp_list	*files;		/* or NULL */
	u32			len;		/* bytes that came with them */
};

/* A power-of-two array of slots, used in a circle. */
struct rill_seg {
	u32			mask;
	struct rill_slot	slot[];
};

#define RILL_FIRST_SLOTS	16
#define RILL_SPARES		64	/* pages kept for reuse while bytes flow */

/*
 * What a ring needs while there are bytes: where they lie, and the pages that
 * wait to be used again.
 *
 * Locking: the first group belongs to the writer, the second to the reader;
 * sp_head and sp_got are read by the other side with acquire.  A small write
 * needs the first cache line only.
 */
struct rill_store {
	void			*w_at;		/* where the next byte goes .. */
	struct rill_slot	*w_slot;	/* .. in the last slot .. */
	u32			w_room;		/* .. which takes so many more */
	u32			w_base;		/* first slot of w_seg */
	unsigned long		w_tail;		/* tail, when last looked at */
	struct rill_cred	w_cred;		/* of the last mark */
	struct rill_seg		*w_seg;
	struct rill_mark	*w_mark;	/* with files, to be published */
	u32			sp_tail;	/* spares taken, ever */
	u32			sp_got;		/* the same in pages of PAGE_SIZE */

	struct rill_seg		*r_seg ____cacheline_aligned;
	u32			r_off;		/* bytes read of the slot at r_pos */
	u32			sp_head;	/* spares put, ever */
	u32			sp_put;		/* the same in pages of PAGE_SIZE */
	struct rill_cred	r_cred;		/* of the bytes at tail */
	struct rill_mark	*r_mark;	/* with files, for the byte at tail */

	struct page		*spare[RILL_SPARES] ____cacheline_aligned;
	/* The first segment; must be last. */
	struct rill_seg		first;
};

/*
 * For so many bytes or more at once, a large page; not where PAGE_SIZE is large
 * anyway.  Its offsets fit into 16 bits.
 */
#define RILL_LARGE_FROM		(16 * 1024)
#define RILL_LARGE_ORDER	get_order(32 * 1024)
#define RILL_GFP_LARGE		((GFP_KERNEL_ACCOUNT & ~__GFP_DIRECT_RECLAIM) | \
				 __GFP_COMP | __GFP_NORETRY | __GFP_NOWARN)

/* A pass copies so many bytes, or fewer, and then looks who waits. */
#define RILL_CHUNK		(32 * 1024)

/* So many small pieces, each marked or by reference, are as good as full. */
#define RILL_BYTES_PER_SLOT	512
#define RILL_MIN_SLOTS		16

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

/*
 * A send of so many bytes, or fewer, is not cut: there is room for it wherever
 * the ring is writable.
 */
static inline size_t rill_limit_whole(const struct rill_limit *limit)
{
	return min_t(size_t, DIV_ROUND_UP(limit->bytes, 4), RILL_CHUNK);
}

/* Whose ring it is: the receiving end's. */
static inline struct sock *rill_ring_owner(const struct rill_ring *ring)
{
	return &((struct rill_sock *)container_of(ring, struct rill_sock,
						  ring))->sk;
}

/* What a writer adds next: bytes to be copied, or part of a page as it is. */
struct rill_piece {
	struct page		*page;		/* with a reference; or NULL */
	unsigned int		off;		/* in page */
	size_t			len;
};

/* A read: what it asks for and what it got. */
struct rill_read {
	struct iov_iter		*to;
	struct pipe_inode_info	*pipe;		/* locked; in place of to */
	size_t			len;
	size_t			skip;		/* with peek: start this far in */
	bool			peek;
	bool			by_cred;	/* stop where credentials change */
	bool			stopped;	/* it may not go on */
	size_t			target;		/* with so many it waits for no more */
	size_t			need;		/* so many unread are worth a pass */
	size_t			total;		/* bytes copied, of all calls */
	struct rill_cred	cred;		/* of the first byte; referenced */
	bool			rights;		/* it met files, and ends with .. */
	unsigned long		end;		/* .. the bytes up to there */
	struct scm_fp_list	*files;		/* taken; or NULL: no memory */
};

void rill_ring_init(struct rill_ring *ring);
void rill_ring_free(struct rill_ring *ring);
ssize_t rill_ring_write(struct rill_ring *ring, struct iov_iter *from,
			bool by_ref, const struct rill_limit *limit,
			struct rill_anc *anc, bool first);
ssize_t rill_ring_read(struct rill_ring *ring, struct rill_read *rd);
void __rill_ring_wake(struct rill_ring *ring, struct sock *writer,
		      unsigned long want);
bool rill_ring_want(struct rill_ring *ring, int what);
void rill_ring_discard(struct rill_ring *ring);
bool rill_ring_kill(struct rill_ring *ring, struct mutex *writers);
bool rill_ring_writable(const struct rill_ring *ring,
			const struct rill_limit *limit);
void rill_ring_purge(struct rill_ring *ring);

/*
 * A reader has made room, and then was at a full barrier: wake the writing end
 * if it waits for that.
 */
static inline void rill_ring_wake(struct rill_ring *ring, struct sock *writer)
{
	unsigned long want = READ_ONCE(ring->want);

	if (unlikely(want))
		__rill_ring_wake(ring, writer, want);
}

/* The same without that barrier. */
static inline void rill_ring_consumed(struct rill_ring *ring,
				      struct sock *writer)
{
	/*
	 * Publish tail and r_pos, then look who waits.  Pairs with the barrier
	 * of rill_ring_want(): of a reader that frees space and a writer that
	 * says it waits, at least one sees the other.
	 */
	smp_mb();
	rill_ring_wake(ring, writer);
}

static inline void rill_ring_limit(const struct rill_ring *ring,
				   const struct sock *writer,
				   struct rill_limit *limit)
{
	unsigned long bytes = min(rill_rcvbuf(rill_ring_owner(ring)),
				  rill_sndbuf(writer));

	limit->bytes = max(bytes, PAGE_SIZE);
	limit->slots = max_t(u32, limit->bytes / RILL_BYTES_PER_SLOT,
			     RILL_MIN_SLOTS);
}

/*
 * A writer, or the idle worker, has released the writers' mutex, with a full
 * barrier after that; pairs with the one of rill_ring_kill().
 */
static inline void rill_ring_unlocked(struct rill_ring *ring,
				      struct mutex *writers)
{
	struct rill_sock *writer = container_of(writers, struct rill_sock,
						tx_mutex);

	if (unlikely(READ_ONCE(ring->dead)) && rill_ring_kill(ring, writers))
		rill_connection_lost(rill_ring_owner(ring), &writer->sk);
}

/* splice.c */
void rill_piece_get(struct rill_piece *piece, const struct iov_iter *from);
ssize_t rill_slot_lend(const struct rill_slot *slot, u32 off, size_t n,
		       size_t avail, struct rill_read *rd);

/* stream.c */
int rill_stream_read(struct sock *sk, struct sock *peer, struct rill_read *rd,
		     long timeo);
bool rill_stream_finish(struct sock *sk, struct sock *peer, bool wait);

/* idle.c */
void __rill_idle_add(struct rill_ring *ring);
void rill_idle_reset(struct rill_ring *ring);
void rill_idle_forget(struct rill_ring *ring);
void rill_idle_exit(void);

/*
 * Unread bytes.  Exact for whoever holds a side's mutex with the other side
 * quiet; else a moment's view that is never below 0: tail is read first.  So 0
 * says that the ring was empty when head was read.
 */
static inline unsigned long rill_ring_used(const struct rill_ring *ring)
{
	/* Acquire: before head, so that the difference is never negative. */
	unsigned long tail = smp_load_acquire(&ring->tail);

	/* Acquire: who finds bytes finds what they are. */
	return smp_load_acquire(&ring->head) - tail;
}

/*
 * After a read; rx_mutex is held.  If the ring is empty, have its pages given back
 * in case it stays so for a while.
 */
static inline void rill_idle_add(struct rill_ring *ring)
{
	if (!READ_ONCE(ring->idle_queued) && !rill_ring_used(ring))
		__rill_idle_add(ring);
}

/* What a reader can still get. */
static inline unsigned long rill_ring_readable(const struct rill_ring *ring)
{
	return READ_ONCE(ring->discard) ? 0 : rill_ring_used(ring);
}

#endif /* _RILL_RING_H */
