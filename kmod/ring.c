// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring: the bytes of a stream on their way to one end.
 *
 * It owns the pages between a writer's buffer and a reader's.  Bytes are
 * counted by head (written) and tail (read), which only ever grow.  Where they
 * lie is said by slots {page, offset, length}, which stand in segments: a
 * segment is a power-of-two array used in a circle.  One that has become too
 * small is not resized.  The writer puts a link to a larger one into its last
 * slot, and the reader who comes to the link frees the smaller one.  So growing
 * needs only the writer, and changing SO_RCVBUF or SO_SNDBUF needs nobody.
 *
 * Locking: writers hold the tx_mutex of the peer, readers the rx_mutex of the
 * owner.  No lock is shared by the two.  They meet in
 *  - head: the writer stores it (release) after the bytes, the slot and any
 *    link or mark before it; a reader that sees it (acquire) sees them all, and
 *    never looks behind it.
 *  - r_pos: the reader stores it (release) when it is done with a slot; a
 *    writer that sees it (acquire) may use the slot again.
 *  - sp_head and sp_got, the same for spare pages: the reader puts, the writer
 *    takes.
 *  - the last slot, which both may touch: the writer may append to its page,
 *    the reader reads what was published.  Its length is all that the page has
 *    room for, so that a small write stores head and nothing else that a reader
 *    looks at; it is cut when something else comes behind it.  The reader never
 *    gives it back before it has seen bytes of a later slot, so nobody has to
 *    claim it.  One that came by reference goes back with its last byte.
 *
 * A page may be a large one (compound, 32 KiB): many bytes at once are copied
 * half as fast again where they do not stop at each 4 KiB.
 *
 * A page that did not come from here is never written and never reused; the
 * last page is appended to only if the ring allocated it (RILL_SLOT_OWN).  A
 * page goes to the spares only if nobody else has a reference to it.  Pages
 * come and go by reference in splice.c.
 *
 * Lifetime: the counters are part of the owner's socket; all else hangs on the
 * store, which the first bytes make.  When the owner closes, it goes at once,
 * see rill_ring_kill(); when the ring was drained and stayed quiet for a second,
 * too, see idle.c.  So a quiet connection holds no memory, and one in use takes
 * none from the allocator for each message.
 *
 * Context: process, may sleep; rill_ring_free() also runs in softirq (RCU).
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "ring.h"
#include "trace.h"

void rill_ring_init(struct rill_ring *ring)
{
	INIT_LIST_HEAD(&ring->idle);
}

/* The rule for poll, for the wake-up and for who waits: a quarter is free. */
bool rill_ring_writable(const struct rill_ring *ring,
			const struct rill_limit *limit)
{
	/* Acquire: before w_pos, so that the difference is never negative. */
	u32 slots = smp_load_acquire(&ring->r_pos);

	slots = READ_ONCE(ring->w_pos) - slots;
	return rill_ring_used(ring) <= rill_limit_writable(limit) &&
	       slots <= limit->slots - limit->slots / 4;
}

/* ---- pages ---- */

static struct page *rill_page_count(struct rill_ring *ring, struct page *page)
{
	if (page)
		atomic_add(page_size(page),
			   &rill_ring_owner(ring)->sk_rmem_alloc);
	return page;
}

static void rill_page_free(struct rill_ring *ring, struct page *page)
{
	atomic_sub(page_size(page), &rill_ring_owner(ring)->sk_rmem_alloc);
	put_page(page);
}

static u32 rill_page_nr(const struct page *page)
{
	return page_size((struct page *)page) >> PAGE_SHIFT;
}

/* Without reclaim: it is a help, not a need. */
static struct page *rill_page_large(struct rill_ring *ring)
{
	return rill_page_count(ring, alloc_pages(RILL_GFP_LARGE,
						 RILL_LARGE_ORDER));
}

/* Take a spare, or NULL. */
static struct page *rill_spare_take(struct rill_store *st)
{
	struct page *page;

	/* Acquire: the reader is done with the page before it puts it here. */
	if (smp_load_acquire(&st->sp_head) == st->sp_tail)
		return NULL;
	page = st->spare[st->sp_tail++ % RILL_SPARES];
	/* Release: the entry was read before the reader fills it anew. */
	smp_store_release(&st->sp_got, st->sp_got + rill_page_nr(page));
	return page;
}

/*
 * For many bytes; but not if the ring holds much more than it may carry, as it
 * would if of many large pages only the first byte came to be.  A full set of
 * small spares does not count: they are to make room.
 */
static bool rill_page_wants_large(const struct rill_ring *ring, size_t n)
{
	const struct sock *sk = rill_ring_owner(ring);

	return RILL_LARGE_ORDER && n >= RILL_LARGE_FROM &&
	       atomic_read(&sk->sk_rmem_alloc) <=
	       READ_ONCE(sk->sk_rcvbuf) + RILL_SPARES * PAGE_SIZE;
}

/* A page for up to n bytes; for many of them a large one, if there is one. */
static struct page *rill_page_get(struct rill_ring *ring, size_t n)
{
	bool large = rill_page_wants_large(ring, n);
	struct page *page, *spare;

	spare = rill_spare_take(ring->store);
	if (spare && (!large || PageCompound(spare)))
		return spare;
	page = large ? rill_page_large(ring) : NULL;
	if (!page)
		return spare ?: rill_page_count(ring,
						alloc_page(RILL_GFP_DATA));
	/* So that small spares make room for large ones. */
	if (spare)
		rill_page_free(ring, spare);
	return page;
}

/* The reader gives back a slot's reference to its page. */
static void rill_page_put(struct rill_ring *ring, struct rill_slot *slot)
{
	struct rill_store *st = ring->store;
	struct page *page = slot->page;
	u32 kept;

	if (!(slot->flags & RILL_SLOT_OWN)) {
		put_page(page);
		return;
	}
	/*
	 * Acquire, of sp_got: the writer has read the entries that it took.
	 * There are never more entries than pages in them.
	 */
	kept = st->sp_put - smp_load_acquire(&st->sp_got);
	if (kept + rill_page_nr(page) <= RILL_SPARES && page_count(page) == 1) {
		st->sp_put += rill_page_nr(page);
		st->spare[st->sp_head % RILL_SPARES] = page;
		/* Release: the entry, and the end of the use of the page. */
		smp_store_release(&st->sp_head, st->sp_head + 1);
		return;
	}
	rill_page_free(ring, page);
}

/* ---- the writer's side ---- */

/* The first bytes, or the first after a pause.  0 or -ENOMEM. */
static int rill_store_make(struct rill_ring *ring)
{
	struct rill_store *st;

	BUILD_BUG_ON(!is_power_of_2(RILL_SPARES));
	st = kzalloc(struct_size(st, first.slot, RILL_FIRST_SLOTS),
		     RILL_GFP_DATA);
	if (!st)
		return -ENOMEM;
	st->first.mask = RILL_FIRST_SLOTS - 1;
	st->w_seg = &st->first;
	st->r_seg = &st->first;
	st->w_base = ring->w_pos;
	st->w_tail = READ_ONCE(ring->tail);
	/* Readers look here after they have seen head move. */
	ring->store = st;
	return 0;
}

/* The first bytes did not come to be. */
static void rill_store_drop(struct rill_ring *ring)
{
	WARN_ON_ONCE(ring->w_pos != ring->store->w_base);
	kfree(ring->store);
	ring->store = NULL;
}

/* The last slot, if its page has room for more bytes. */
static struct rill_slot *rill_slot_open(const struct rill_store *st)
{
	return st->w_room ? st->w_slot : NULL;
}

/*
 * There will be no more bytes in the last slot.  A reader learns of it at the
 * latest with head, when there are bytes behind it.
 */
static void rill_slot_cut(struct rill_store *st)
{
	if (!st->w_room)
		return;
	WRITE_ONCE(st->w_slot->len, st->w_slot->len - st->w_room);
	st->w_room = 0;
}

/*
 * Make room for n more slots in the segment, which ends with a free slot for
 * the link.  0, -EAGAIN if the ring has as many slots as it may, -ENOMEM.
 */
static int rill_slots_reserve(struct rill_ring *ring, u32 n,
			      const struct rill_limit *limit)
{
	/* Acquire: the reader is done with the slots that it gave back. */
	u32 used = ring->w_pos - smp_load_acquire(&ring->r_pos);
	struct rill_store *st = ring->store;
	struct rill_seg *seg = st->w_seg;
	struct rill_slot *link;
	u32 size, here;

	/* Older slots are given back; this keeps the difference from wrapping. */
	if (ring->w_pos - st->w_base > seg->mask)
		st->w_base = ring->w_pos - seg->mask - 1;
	here = min(used, ring->w_pos - st->w_base);
	if (used + n > limit->slots)
		return -EAGAIN;
	if (here + n <= seg->mask)
		return 0;

	size = roundup_pow_of_two(max(2 * (seg->mask + 1), n + 2));
	seg = kvmalloc(struct_size(seg, slot, size), RILL_GFP_DATA);
	if (!seg)
		return -ENOMEM;
	seg->mask = size - 1;

	link = &st->w_seg->slot[ring->w_pos & st->w_seg->mask];
	link->next = seg;
	link->flags = RILL_SLOT_LINK;
	link->len = 0;
	rill_slot_cut(st);
	/* Nobody looks at the link before head moves past it. */
	WRITE_ONCE(ring->w_pos, ring->w_pos + 1);
	st->w_base = ring->w_pos;
	st->w_seg = seg;
	return 0;
}

static struct rill_slot *rill_slot_at(struct rill_ring *ring, u32 pos)
{
	struct rill_seg *seg = ring->store->w_seg;

	return &seg->slot[pos & seg->mask];
}

/*
 * The copies are bounded by the page here, hence _copy_from_iter(): the check
 * that copy_from_iter() adds costs as much as the copy of a small write.
 */

/* Copy up to n bytes behind those of the last slot. */
static size_t rill_write_append(struct rill_store *st, struct iov_iter *from,
				size_t n)
{
	DEBUG_NET_WARN_ON_ONCE(st->w_slot->flags != RILL_SLOT_OWN);
	n = _copy_from_iter(st->w_at, min_t(size_t, n, st->w_room), from);
	st->w_at += n;
	st->w_room -= n;
	return n;
}

/* Fill in the next slot, for which room is reserved. */
static struct rill_slot *rill_slot_add(struct rill_ring *ring,
				       struct page *page, unsigned int off,
				       size_t len, u16 flags)
{
	struct rill_slot *slot = rill_slot_at(ring, ring->w_pos);

	rill_slot_cut(ring->store);
	slot->page = page;
	slot->off = off;
	slot->flags = flags;
	WRITE_ONCE(slot->len, len);
	WRITE_ONCE(ring->w_pos, ring->w_pos + 1);
	return slot;
}

/*
 * Put what comes next into a new slot: a page by reference, or up to n bytes
 * copied into a new page or, behind a mark, into the page that the slot before
 * the mark has begun.  Room for the slot is reserved.
 */
static ssize_t rill_write_slot(struct rill_ring *ring, struct rill_slot *open,
			       struct iov_iter *from,
			       const struct rill_piece *piece)
{
	struct rill_store *st = ring->store;
	unsigned int off = open ? open->off + open->len - st->w_room : 0;
	struct page *page;
	size_t room;
	ssize_t copied;
	void *at;

	if (piece->page) {
		iov_iter_advance(from, piece->len);
		rill_slot_add(ring, piece->page, piece->off, piece->len, 0);
		return piece->len;
	}
	page = open ? open->page : rill_page_get(ring, piece->len);
	if (!page)
		return -ENOMEM;
	room = page_size(page) - off;
	at = page_address(page) + off;
	copied = _copy_from_iter(at, min(piece->len, room), from);
	if (!copied) {
		if (!open)
			rill_page_free(ring, page);
		return -EFAULT;
	}
	/*
	 * The page is the new slot's now, and the old one has a reference.
	 * That one cannot be given back meanwhile: the reader has seen nothing
	 * behind it yet.
	 */
	if (open) {
		get_page(page);
		WRITE_ONCE(open->flags, RILL_SLOT_SHARED);
	}
	st->w_slot = rill_slot_add(ring, page, off, room, RILL_SLOT_OWN);
	st->w_at = at + copied;
	st->w_room = room - copied;
	return copied;
}

/*
 * The bytes that follow have other credentials than those before, or files: put
 * a mark between, together with the first of the bytes, or neither.
 */
static ssize_t rill_write_mark(struct rill_ring *ring, struct iov_iter *from,
			       const struct rill_piece *piece,
			       const struct rill_limit *limit,
			       struct rill_anc *anc)
{
	struct rill_slot *open, *slot;
	struct rill_mark *mark;
	ssize_t copied;
	int err;

	err = rill_slots_reserve(ring, 2, limit);
	if (err)
		return err;
	mark = kzalloc(sizeof(*mark), RILL_GFP_DATA);
	if (!mark)
		return -ENOMEM;
	rill_cred_set(&mark->cred, &anc->cred);

	open = rill_slot_open(ring->store);
	slot = rill_slot_at(ring, ring->w_pos);
	slot->mark = mark;
	slot->flags = RILL_SLOT_MARK;
	slot->len = 0;
	WRITE_ONCE(ring->w_pos, ring->w_pos + 1);

	copied = rill_write_slot(ring, open, from, piece);
	if (copied < 0) {
		WRITE_ONCE(ring->w_pos, ring->w_pos - 1);
		rill_cred_clear(&mark->cred);
		kfree(mark);
		return copied;
	}
	rill_cred_set(&ring->store->w_cred, &anc->cred);
	if (anc->files) {
		rill_rights_count(rill_ring_owner(ring), anc->files,
				  RILL_STAT_FILES_SENT);
		mark->files = anc->files;
		anc->files = NULL;
		ring->store->w_mark = mark;
		WRITE_ONCE(ring->rights, true);
	}
	return copied;
}

/* Append one piece, or the beginning of it.  The bytes, or an errno. */
static ssize_t rill_write_piece(struct rill_ring *ring, struct iov_iter *from,
				const struct rill_piece *piece,
				const struct rill_limit *limit,
				struct rill_anc *anc)
{
	int err;

	if (unlikely(anc->files ||
		     !rill_cred_eq(&ring->store->w_cred, &anc->cred)))
		return rill_write_mark(ring, from, piece, limit, anc);
	if (!piece->page && rill_slot_open(ring->store))
		return rill_write_append(ring->store, from, piece->len) ?:
		       -EFAULT;
	err = rill_slots_reserve(ring, 1, limit);
	if (err)
		return err;
	return rill_write_slot(ring, NULL, from, piece);
}

/*
 * How many of so many bytes the ring has room for.  It is only a count: what the
 * reader is done with is said by r_pos for slots and by sp_head for pages.  tail,
 * which the reader stores all the time, is looked at only if it matters.
 */
static size_t rill_ring_room(struct rill_ring *ring, size_t want,
			     const struct rill_limit *limit)
{
	struct rill_store *st = ring->store;
	unsigned long used = ring->head - st->w_tail;

	if (used + want > limit->bytes) {
		st->w_tail = READ_ONCE(ring->tail);
		used = ring->head - st->w_tail;
	}
	DEBUG_NET_WARN_ON_ONCE((long)used < 0);
	return used < limit->bytes ? min_t(size_t, want, limit->bytes - used) : 0;
}

/*
 * Most sends are small, and go behind what their sender sent before, in the same
 * page; then there is nothing to reserve, nor to cut.  The bytes appended and
 * published, -EFAULT, or 0: this is no such send.
 */
static ssize_t rill_write_plain(struct rill_ring *ring, struct iov_iter *from,
				bool by_ref, const struct rill_limit *limit,
				const struct rill_anc *anc)
{
	struct rill_store *st = ring->store;
	size_t n = iov_iter_count(from);

	if (!st || n > min_t(size_t, st->w_room, RILL_CHUNK) || by_ref ||
	    anc->files || !rill_cred_eq(&st->w_cred, &anc->cred) ||
	    rill_ring_room(ring, n, limit) < n)
		return 0;
	n = rill_write_append(st, from, n);
	if (unlikely(!n))
		return -EFAULT;
	/* Release: the bytes come first; pairs with rill_ring_read(). */
	smp_store_release(&ring->head, ring->head + n);
	return n;
}

/* Any other: see rill_ring_write(), which has no use for the frame of this one. */
static noinline ssize_t rill_write_pieces(struct rill_ring *ring,
					  struct iov_iter *from, bool by_ref,
					  const struct rill_limit *limit,
					  struct rill_anc *anc, bool first)
{
	size_t count = min_t(size_t, iov_iter_count(from), RILL_CHUNK);
	bool whole = first && iov_iter_count(from) <= rill_limit_whole(limit);
	bool files = anc->files, once = whole || files;
	bool made = false;
	size_t room, total = 0;
	ssize_t n = 0;

	if (unlikely(!ring->store)) {
		if (rill_store_make(ring))
			return -ENOMEM;
		made = true;
	}
	room = rill_ring_room(ring, count, limit);
	if (!room || (whole && room < count))
		return -EAGAIN;
	/*
	 * All its slots: a mark, the rest of the last page, and new pages.  A
	 * mark may come with a link, which closes the page that has room.
	 */
	if (whole && !by_ref &&
	    count > min_t(size_t, ring->store->w_room, PAGE_SIZE))
		n = rill_slots_reserve(ring, 3 + count / PAGE_SIZE, limit);
	if (n)
		room = 0;

	while (room) {
		struct rill_piece piece = { .len = room };

		if (by_ref)
			rill_piece_get(&piece, from);
		n = rill_write_piece(ring, from, &piece, limit, anc);
		if (n < 0) {
			if (piece.page)
				put_page(piece.page);
			break;
		}
		room -= n;
		total += n;
		if (once)
			continue;
		/*
		 * Release: the bytes, the length and the slot come first.
		 * Pairs with the acquire in rill_ring_read().
		 */
		smp_store_release(&ring->head, ring->head + n);
	}
	if (unlikely(files && total)) {
		ring->store->w_mark->len = total;
		ring->store->w_mark = NULL;
	}
	if (once && total) {
		/* Release: the same, and the mark. */
		smp_store_release(&ring->head, ring->head + total);
	}
	/* Nobody else has seen it, and no reader would have it given back. */
	if (unlikely(made && !total))
		rill_store_drop(ring);
	return total ?: n;
}

/**
 * rill_ring_write() - append bytes
 * @ring: the receiving end's ring
 * @from: what to append
 * @by_ref: take pages by reference where that can be; @from is an ITER_BVEC
 * @limit: from rill_ring_limit()
 * @anc: who writes it, with a pid of NULL if that is not recorded; and files,
 *	which go with the first bytes and are taken from there
 * @first: @from is all of a send, of which nothing is in the ring yet
 *
 * Appends what fits, up to RILL_CHUNK, and publishes it page by page, so that a
 * reader on another CPU can begin.  But a send that is small goes in whole, and
 * is seen whole, so that the records of several writers and readers stay in one
 * piece; only memory that runs out, a bad address, and references to more pieces
 * than there are slots for, may end it within.  At once goes what comes with
 * files, too, which tells a reader where to stop.
 *
 * Return: the bytes appended, or -EAGAIN if the ring is full, or too full for all
 * of a small send, -ENOMEM, -EFAULT.
 */
ssize_t rill_ring_write(struct rill_ring *ring, struct iov_iter *from,
			bool by_ref, const struct rill_limit *limit,
			struct rill_anc *anc, bool first)
{
	ssize_t n;

	if (!iov_iter_count(from))
		return 0;
	n = rill_write_plain(ring, from, by_ref, limit, anc);
	return n ?: rill_write_pieces(ring, from, by_ref, limit, anc, first);
}

/* The writer's end closed with SO_LINGER 0: the reader gets none of the rest. */
void rill_ring_discard(struct rill_ring *ring)
{
	/* Release: what the last writer did; pairs with rill_ring_read(). */
	smp_store_release(&ring->discard, true);
	/* The next read would do, but files do not wait for it. */
	if (READ_ONCE(ring->rights))
		rill_idle_reset(ring);
}

/* ---- giving back ---- */

static void rill_mark_free(struct rill_ring *ring, struct rill_mark *mark)
{
	rill_rights_count(rill_ring_owner(ring), mark->files,
			  RILL_STAT_FILES_DROPPED);
	rill_cred_clear(&mark->cred);
	if (mark->files)
		rill_rights_free(mark->files);
	kfree(mark);
}

static void rill_ring_dropped(struct rill_ring *ring, unsigned long bytes)
{
	struct sock *sk = rill_ring_owner(ring);

	rill_stat_dropped(sk, SOCK_STREAM, bytes);
	trace_rill_drop(sk, READ_ONCE(ring->discard) ? RILL_DROP_RESET :
						       RILL_DROP_CLOSED,
			0, bytes);
}

/* Give back all that the ring holds, read or not.  Both sides are excluded. */
void rill_ring_purge(struct rill_ring *ring)
{
	struct rill_store *st = ring->store;
	unsigned long unread = ring->head - ring->tail;

	if (!st)
		return;
	if (unread)
		rill_ring_dropped(ring, unread);
	while (ring->r_pos != ring->w_pos) {
		struct rill_seg *seg = st->r_seg;
		struct rill_slot *slot = &seg->slot[ring->r_pos & seg->mask];

		if (slot->flags & RILL_SLOT_LINK) {
			st->r_seg = slot->next;
			if (seg != &st->first)
				kvfree(seg);
		} else if (slot->flags & RILL_SLOT_MARK) {
			rill_mark_free(ring, slot->mark);
		} else if (slot->flags & RILL_SLOT_OWN) {
			rill_page_free(ring, slot->page);
		} else {
			put_page(slot->page);
		}
		/* Release: who sees it sees the w_pos that it goes up to. */
		smp_store_release(&ring->r_pos, ring->r_pos + 1);
	}
	while (st->sp_tail != st->sp_head)
		rill_page_free(ring, st->spare[st->sp_tail++ % RILL_SPARES]);
	if (st->w_seg != &st->first)
		kvfree(st->w_seg);
	/* The next bytes are marked anew, if somebody asks for credentials. */
	rill_cred_clear(&st->w_cred);
	rill_cred_clear(&st->r_cred);
	if (st->r_mark)
		rill_mark_free(ring, st->r_mark);
	WRITE_ONCE(ring->rights, false);
	ring->store = NULL;
	kfree(st);
	WRITE_ONCE(ring->tail, ring->head);
	DEBUG_NET_WARN_ON_ONCE(atomic_read(&rill_ring_owner(ring)->sk_rmem_alloc));
}

/* ---- the reader's side ---- */

/* Where a read stands.  A peek moves a copy. */
struct rill_cursor {
	struct rill_seg		*seg;
	u32			pos;
	u32			off;
	u32			left;		/* bytes that go with mark's files */
	struct rill_mark	*mark;		/* with files, not taken yet */
	const struct rill_cred	*cred;
};

/* Go past a mark; unless it is a peek, it is given back, or kept for its files. */
static void rill_cursor_mark(struct rill_store *st, struct rill_cursor *cur,
			     struct rill_mark *mark, bool peek)
{
	if (mark->files) {
		/* Every byte before it was read, or skipped. */
		DEBUG_NET_WARN_ON_ONCE(cur->mark || !mark->len);
		cur->mark = mark;
		cur->left = mark->len;
	}
	if (peek) {
		cur->cred = &mark->cred;
		return;
	}
	rill_cred_clear(&st->r_cred);
	st->r_cred = mark->cred;
	mark->cred.pid = NULL;
	if (mark->files)
		st->r_mark = mark;
	else
		kfree(mark);
}

/* Go on to the next slot; unless it is a peek, the slot is given back. */
static void rill_cursor_next(struct rill_ring *ring, struct rill_cursor *cur,
			     struct rill_slot *slot, bool peek)
{
	struct rill_store *st = ring->store;
	struct rill_seg *old = cur->seg;
	bool link = slot->flags & RILL_SLOT_LINK;

	if (link)
		cur->seg = slot->next;
	else if (slot->flags & RILL_SLOT_MARK)
		rill_cursor_mark(st, cur, slot->mark, peek);
	else if (!peek)
		rill_page_put(ring, slot);
	cur->pos++;
	cur->off = 0;
	if (peek)
		return;
	st->r_seg = cur->seg;
	st->r_off = 0;
	/* Release: nothing of the slot is touched after this. */
	smp_store_release(&ring->r_pos, cur->pos);
	if (link && old != &st->first)
		kvfree(old);
}

/* With the read's own: an idle ring forgets who wrote last, see idle.c. */
static bool rill_mark_stops(const struct rill_read *rd,
			    const struct rill_slot *slot)
{
	return rd->total && rd->by_cred &&
	       !rill_cred_eq(&rd->cred, &slot->mark->cred);
}

/*
 * Bytes are there of who has cred.  The first give theirs to the read; others may
 * be of somebody else without a mark that this read met: between two passes another
 * reader may have taken it, or an idle ring have forgotten it.
 */
static bool rill_read_stops(struct rill_read *rd, const struct rill_cred *cred)
{
	if (rd->total)
		return !rill_cred_eq(&rd->cred, cred);
	rill_cred_set(&rd->cred, cred);
	return false;
}

/* A peek has skipped n bytes. */
static void rill_cursor_skip(struct rill_cursor *cur, size_t n)
{
	if (n >= cur->left)
		cur->mark = NULL;
	else
		cur->left -= n;
}

/*
 * The first byte of those that go with files has been copied, or with a peek any
 * of them: the files are the read's, which ends where these bytes do.
 */
static void rill_read_rights(struct rill_ring *ring, struct rill_cursor *cur,
			     struct rill_read *rd)
{
	struct rill_mark *mark = cur->mark;

	cur->mark = NULL;
	DEBUG_NET_WARN_ON_ONCE(rd->rights);
	rd->rights = true;
	rd->end = ring->tail + cur->left;
	if (!rd->peek)
		rill_rights_count(rill_ring_owner(ring), mark->files,
				  RILL_STAT_FILES_RECEIVED);
	rd->files = rill_rights_take(&mark->files, rd->peek);
	if (!rd->peek) {
		ring->store->r_mark = NULL;
		kfree(mark);
	}
}

static size_t rill_slot_copy(const struct rill_slot *slot, u32 off, size_t n,
			     struct iov_iter *to)
{
	void *at;

	/* A page of the ring's own, which may be a large one, is always mapped. */
	if (READ_ONCE(slot->flags))
		return _copy_to_iter(page_address(slot->page) + slot->off + off,
				     n, to);
	at = kmap_local_page(slot->page);
	n = _copy_to_iter(at + slot->off + off, n, to);
	kunmap_local(at);
	return n;
}

/*
 * Most reads are of bytes of one page with nothing beside them; then there is no
 * need for a cursor.  The bytes copied, -EFAULT, or 0: this is no such read.
 */
static ssize_t rill_read_plain(struct rill_ring *ring, struct rill_read *rd,
			       size_t avail)
{
	struct rill_store *st = ring->store;
	struct rill_slot *slot = &st->r_seg->slot[ring->r_pos & st->r_seg->mask];
	size_t n = min3(rd->len, avail, (size_t)RILL_CHUNK);
	u32 off = st->r_off;

	if (rd->peek || rd->by_cred || rd->pipe || rd->rights || st->r_mark ||
	    READ_ONCE(slot->flags) != RILL_SLOT_OWN ||
	    n > READ_ONCE(slot->len) - off)
		return 0;
	n = _copy_to_iter(page_address(slot->page) + slot->off + off, n, rd->to);
	if (unlikely(!n))
		return -EFAULT;
	st->r_off = off + n;
	rd->total += n;
	/* Space for the writer; the bytes were copied before. */
	smp_store_release(&ring->tail, ring->tail + n);
	return n;
}

/* Any other: see rill_ring_read(), which has no use for the frame of this one. */
static noinline ssize_t rill_read_slots(struct rill_ring *ring,
					struct rill_read *rd,
					unsigned long avail)
{
	size_t len = rd->len, skip = rd->skip, total = 0, n;
	struct rill_store *st = ring->store;
	struct rill_cursor cur = {
		.seg = st->r_seg, .pos = ring->r_pos, .off = st->r_off,
		.mark = st->r_mark, .cred = &st->r_cred,
	};
	ssize_t copied;

	if (!rd->peek)
		len = min_t(size_t, len, RILL_CHUNK);
	if (unlikely(cur.mark))
		cur.left = cur.mark->len;

	while (len && avail) {
		struct rill_slot *slot = &cur.seg->slot[cur.pos & cur.seg->mask];

		/* Bytes that are published have a slot, and are in it. */
		DEBUG_NET_WARN_ON_ONCE(cur.pos == READ_ONCE(ring->w_pos) ||
				       READ_ONCE(slot->len) < cur.off);
		if (unlikely(READ_ONCE(slot->flags) &
			     (RILL_SLOT_MARK | RILL_SLOT_LINK))) {
			if (slot->flags & RILL_SLOT_MARK &&
			    rill_mark_stops(rd, slot)) {
				rd->stopped = true;
				break;
			}
			rill_cursor_next(ring, &cur, slot, rd->peek);
			continue;
		}
		/* It may have room for more; avail bounds what was published. */
		n = READ_ONCE(slot->len) - cur.off;
		if (!n) {
			rill_cursor_next(ring, &cur, slot, rd->peek);
			continue;
		}
		n = min3(n, avail, max(len, skip));
		if (skip) {
			n = min(n, skip);
			skip -= n;
			cur.off += n;
			avail -= n;
			if (unlikely(cur.mark))
				rill_cursor_skip(&cur, n);
			continue;
		}
		n = min(n, len);
		if (unlikely(cur.mark))
			n = min_t(size_t, n, cur.left);
		if (unlikely(rd->by_cred) && rill_read_stops(rd, cur.cred)) {
			rd->stopped = true;
			break;
		}
		if (rd->pipe)
			copied = rill_slot_lend(slot, cur.off, n, avail, rd);
		else
			copied = rill_slot_copy(slot, cur.off, n, rd->to);
		if (copied < 0)
			return total ?: copied;
		if (unlikely(cur.mark && copied)) {
			rill_read_rights(ring, &cur, rd);
			avail = cur.left;
		}
		cur.off += copied;
		avail -= copied;
		len -= copied;
		total += copied;
		rd->total += copied;
		if (!rd->peek) {
			st->r_off = cur.off;
			/* Space for the writer; the bytes were copied before. */
			smp_store_release(&ring->tail, ring->tail + copied);
		}
		if (copied < n && !rd->pipe)
			return total ?: -EFAULT;
		/* It grows no more: somebody may wait for the page. */
		if (!READ_ONCE(slot->flags) && cur.off == slot->len)
			rill_cursor_next(ring, &cur, slot, rd->peek);
	}
	if (unlikely(rd->rights && !avail))
		rd->stopped = true;
	return total;
}

/**
 * rill_ring_read() - take bytes, or look at them
 * @ring: the caller's own ring
 * @rd: where to and how; rd->cred and rd->files may get references
 *
 * Takes up to RILL_CHUNK; a peek has no such bound.
 *
 * Return: the bytes copied or lent, 0 if there is none, -EFAULT, or for a pipe
 * -EAGAIN or -ENOMEM.
 */
ssize_t rill_ring_read(struct rill_ring *ring, struct rill_read *rd)
{
	/* Pairs with the release in rill_ring_write(). */
	unsigned long avail = smp_load_acquire(&ring->head) - ring->tail;
	ssize_t n;

	/* Acquire: all that the writer, which is gone, has left behind. */
	if (smp_load_acquire(&ring->discard)) {
		/* So rx_mutex excludes both sides. */
		rill_ring_purge(ring);
		return 0;
	}
	if (unlikely(rd->rights)) {
		/* Others may have read on meanwhile. */
		if ((long)(rd->end - ring->tail) <= 0) {
			rd->stopped = true;
			return 0;
		}
		avail = rd->end - ring->tail;
	}
	if (!avail)
		return 0;
	DEBUG_NET_WARN_ON_ONCE((long)avail < 0 || !ring->store);
	n = rill_read_plain(ring, rd, avail);
	return n ?: rill_read_slots(ring, rd, avail);
}

/* See rill_ring_wake(); want: what the writing end waits for. */
void __rill_ring_wake(struct rill_ring *ring, struct sock *writer,
		      unsigned long want)
{
	struct rill_limit limit;
	bool wake = false;

	if (want & BIT(RILL_WANT_SPACE)) {
		rill_ring_limit(ring, writer, &limit);
		if (rill_ring_writable(ring, &limit)) {
			/* Who sets it anew stands in the wait queue already. */
			clear_bit(RILL_WANT_SPACE, &ring->want);
			wake = true;
		}
	}
	if (want & BIT(RILL_WANT_EMPTY) && !rill_ring_readable(ring)) {
		clear_bit(RILL_WANT_EMPTY, &ring->want);
		wake = true;
	}
	if (wake)
		writer->sk_write_space(writer);
}

/**
 * rill_ring_want() - have the reader wake the writing end
 * @ring: the receiving end's ring
 * @what: RILL_WANT_SPACE or RILL_WANT_EMPTY
 *
 * The caller stands in its own wait queue already, and checks again after this.
 *
 * Return: whether that is news.
 */
bool rill_ring_want(struct rill_ring *ring, int what)
{
	/*
	 * A full barrier: say it, then look.  Pairs with the one of
	 * rill_ring_consumed(), and of rill_stream_read().
	 */
	return !test_and_set_bit(what, &ring->want);
}

/* ---- the end ---- */

/**
 * rill_ring_kill() - nobody will read this any more
 * @ring: the closing end's ring
 * @writers: the tx_mutex of the other end
 *
 * Called by the owner's release(), and again by a writer that gave up its mutex
 * (see stream.c).  release() must not wait for a writer, whose buffer may hang:
 * if one is in the ring, the writer purges when it comes out.  Either the
 * writer sees dead, or the trylock here succeeds.
 *
 * Return: whether there were bytes to read.  What a writer that is in the ring
 * adds to them it learns of from its own call.
 */
bool rill_ring_kill(struct rill_ring *ring, struct mutex *writers)
{
	bool unread;

	WRITE_ONCE(ring->dead, true);
	/* dead before the trylock; pairs with the unlock before the check. */
	smp_mb();
	if (!mutex_trylock(writers))
		return rill_ring_readable(ring);
	unread = rill_ring_readable(ring);
	rill_ring_purge(ring);
	mutex_unlock(writers);
	return unread;
}

/* The destructor of the owner. */
void rill_ring_free(struct rill_ring *ring)
{
	rill_idle_forget(ring);
	rill_ring_purge(ring);
}
