// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams and pages by reference: sendfile() and splice() into a stream, and
 * splice() out of one.  Only a recv() copies such bytes.
 *
 * In: the ring takes a reference to the page and a slot that owns nothing, so
 * the page is never written to and never reused, and goes back with its last
 * byte.  The bytes and the slot count against the capacity, which bounds what
 * one connection can pin.
 *
 * Out: the pipe gets a reference.  A page that the ring allocated leaves only
 * if it will not be appended to any more; of one that is still open the bytes
 * are copied.  A page that was lent is not among the spares before everybody
 * else has given it back, see rill_page_put(): who has the only reference is
 * alone with it.  A pipe may not steal it: it is charged as kernel memory, and
 * others may have it too.
 *
 * Each call wakes the reader, as in unix(7), even if it announces more (MSG_MORE,
 * MSG_SENDPAGE_NOTLAST): the core may stop there, at a page that cannot be read,
 * and nobody would wake him.
 *
 * Datagrams and seqpacket copy: what the core does for them is enough.
 *
 * Locking: called under the tx_mutex (in) or the rx_mutex (out), both of which
 * nest inside the pipe's mutex, which the core holds around all of this, also
 * while a call waits for data or for space; as for every socket.
 *
 * Context: process.
 */
#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/pipe_fs_i.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "ring.h"
#include "af_rill.h"
#include "trace.h"

/* ---- in ---- */

/**
 * rill_piece_get() - what a writer adds next
 * @piece: len is what may be added; gets what is to be
 * @from: an ITER_BVEC, not empty
 *
 * A page that may not be referenced (of a slab, or a part of one without a count
 * of its own), or not once more, is to be copied.
 */
void rill_piece_get(struct rill_piece *piece, const struct iov_iter *from)
{
	const struct bio_vec *bv = from->bvec;
	size_t at = from->iov_offset;
	struct page *page;

	/* There are bytes to come, so this ends. */
	while (at >= bv->bv_len) {
		at -= bv->bv_len;
		bv++;
	}
	piece->len = min_t(size_t, piece->len, bv->bv_len - at);
	at += bv->bv_offset;
	piece->off = offset_in_page(at);
	piece->len = min_t(size_t, piece->len, PAGE_SIZE - piece->off);
	page = bv->bv_page + (at >> PAGE_SHIFT);
	piece->page = sendpage_ok(page) && try_get_page(page) ? page : NULL;
}

/* Before 6.5; one page of a pipe, see compat.h. */
ssize_t rill_stream_sendpage(struct socket *sock, struct page *page, int offset,
			     size_t size, int flags)
{
	struct bio_vec bv = {
		.bv_page	= page,
		.bv_offset	= offset,
		.bv_len		= size,
	};
	struct msghdr msg = { .msg_flags = flags };

	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, &bv, 1, size);
	return rill_stream_send(sock, &msg, true);
}

/* ---- out ---- */

/* Will nobody write to the page any more?  avail: published from off on. */
static bool rill_slot_closed(const struct rill_slot *slot, u32 off,
			     size_t avail)
{
	u32 len = READ_ONCE(slot->len);

	/* It came by reference. */
	if (!READ_ONCE(slot->flags))
		return true;
	/* It is full, and all of it published: len is what there may be. */
	if (slot->off + len == page_size(slot->page) && avail >= len - off)
		return true;
	/* With bytes behind it, a slot and its flags change no more. */
	return avail > len - off &&
	       !(READ_ONCE(slot->flags) & RILL_SLOT_SHARED);
}

static bool rill_pipe_full(const struct pipe_inode_info *pipe)
{
	return pipe_full(pipe->head, pipe->tail, pipe->max_usage);
}

/**
 * rill_slot_lend() - put bytes of a slot into a pipe
 * @slot: the slot
 * @off: where in it
 * @n: how many; they are published
 * @avail: how many are published in all, from there on
 * @rd: for which read; told to stop when its pipe is full
 *
 * Return: the bytes, up to @n; -EAGAIN if the pipe is full, -EPIPE, or -ENOMEM.
 */
ssize_t rill_slot_lend(const struct rill_slot *slot, u32 off, size_t n,
		       size_t avail, struct rill_read *rd)
{
	struct pipe_inode_info *pipe = rd->pipe;
	struct pipe_buffer buf = {
		.page	= slot->page,
		.offset	= slot->off + off,
		.len	= n,
		.ops	= &nosteal_pipe_buf_ops,
	};
	ssize_t ret;

	if (rill_pipe_full(pipe)) {
		rd->stopped = true;
		return -EAGAIN;
	}
	if (!rill_slot_closed(slot, off, avail) || !try_get_page(buf.page)) {
		buf.page = alloc_page(RILL_GFP_DATA);
		if (!buf.page)
			return -ENOMEM;
		buf.len = min_t(size_t, buf.len,
				PAGE_SIZE - offset_in_page(buf.offset));
		memcpy_page(buf.page, 0, slot->page + (buf.offset >> PAGE_SHIFT),
			    offset_in_page(buf.offset), buf.len);
		buf.offset = 0;
	}
	/* It takes the reference, or gives it back. */
	ret = add_to_pipe(pipe, &buf);
	rd->stopped = rill_pipe_full(pipe);
	return ret;
}

ssize_t rill_stream_splice_read(struct socket *sock, loff_t *ppos,
				struct pipe_inode_info *pipe, size_t len,
				unsigned int flags)
{
	struct sock *sk = sock->sk, *peer;
	struct rill_read rd = {
		.pipe	= pipe,
		.len	= min_t(size_t, len, MAX_RW_COUNT),
	};
	bool nonblock = flags & SPLICE_F_NONBLOCK ||
			sock->file->f_flags & O_NONBLOCK;
	long timeo;
	int ret;

	if (*ppos)
		return -ESPIPE;
	timeo = sock_rcvtimeo(sk, nonblock);
	peer = rill_connection_ready(sk, &timeo);
	if (IS_ERR(peer)) {
		ret = PTR_ERR(peer);
		goto out;
	}

	rd.by_cred = rill_passcred_own(sk);
	rd.target = sock_rcvlowat(sk, 0, rd.len);
	ret = rill_stream_read(sk, peer, &rd, timeo);
	rill_cred_clear(&rd.cred);
	/* A pipe has no room for files: as with read(), they are closed. */
	rill_rights_drop(rd.files);
out:
	trace_rill_recv(sk, IS_ERR(peer) ? NULL : peer, len,
			nonblock ? MSG_DONTWAIT : 0, ret);
	return ret;
}
