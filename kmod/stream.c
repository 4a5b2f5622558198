// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams: send and receive, on top of the ring.
 *
 * Locking: a send holds its own tx_mutex while it copies into the peer's ring,
 * a receive its own rx_mutex while it copies out of its own ring; neither holds
 * a mutex while it waits for data or for space, nor for more than about a ring
 * full of copying.
 *
 * Lifetime: the file is open, so the peer that rill_connection_ready() found
 * stays, with its ring, even if it closes meanwhile.
 *
 * Context: process.
 */
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "ring.h"
#include "af_rill.h"
#include "trace.h"

/* The ring is full.  Sleep until a quarter of it is free, or for timeo. */
static long rill_space_wait(struct sock *sk, struct sock *peer, long timeo)
{
	struct rill_ring *ring = &rill_sk(peer)->ring;
	struct rill_limit limit;
	DEFINE_WAIT(wait);

	for (;;) {
		prepare_to_wait(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
		rill_space_want(peer);
		/* Anew: SO_SNDBUF may have grown, which wakes this. */
		rill_ring_limit(ring, sk, &limit);
		if (rill_ring_writable(ring, &limit) ||
		    READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN ||
		    !timeo || signal_pending(current))
			break;
		rill_stat_inc(sock_net(sk), RILL_STAT_SLEEP_SPACE);
		timeo = schedule_timeout(timeo);
	}
	finish_wait(sk_sleep(sk), &wait);
	return timeo;
}

/*
 * One pass of a send, under tx_mutex: what fits, in chunks, and not much more
 * than a ring full, so that others get the mutex.  A reader that sleeps is woken
 * for the first chunk and copies while the next is written.
 * first: nothing of this send is in the ring yet.
 * wake: gets whether there are bytes that nobody was told of.
 */
static ssize_t rill_stream_fill(struct sock *sk, struct sock *peer,
				struct iov_iter *from, bool by_ref,
				struct rill_anc *anc, bool first, bool *wake)
{
	struct rill_ring *ring = &rill_sk(peer)->ring;
	struct rill_limit limit;
	ssize_t n, total = 0;

	rill_ring_limit(ring, sk, &limit);
	rill_busy_wrote(peer);
	for (;;) {
		n = -EPIPE;
		if (!(READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN))
			n = rill_ring_write(ring, from, by_ref, &limit, anc,
					    first && !total);
		if (n <= 0)
			return total ?: n;
		*wake = true;
		total += n;
		if (n < RILL_CHUNK || !iov_iter_count(from) ||
		    total >= limit.bytes)
			return total;
		/* head before the look who sleeps; see prepare_to_wait(). */
		smp_mb();
		rill_wake_reader(peer);
		*wake = false;
	}
}

static int rill_stream_write(struct sock *sk, struct sock *peer,
			     struct iov_iter *from, bool by_ref,
			     struct rill_anc *anc, long timeo)
{
	struct rill_sock *rs = rill_sk(sk);
	struct rill_ring *ring = &rill_sk(peer)->ring;
	int sent = 0, err = 0;
	bool wake = false;
	ssize_t n;

	for (;;) {
		if (rill_mutex_lock(&rs->tx_mutex)) {
			err = sock_intr_errno(timeo);
			break;
		}
		n = rill_stream_fill(sk, peer, from, by_ref, anc, !sent,
				     &wake);
		mutex_unlock(&rs->tx_mutex);
		/*
		 * The unlock before the look at dead, see rill_ring_kill(); and
		 * head before the look who sleeps, see prepare_to_wait().
		 */
		smp_mb__after_mutex_unlock();
		rill_ring_unlocked(ring, &rs->tx_mutex);

		if (n >= 0) {
			sent += n;
			if (!iov_iter_count(from))
				break;
			/* Before the mutex, which may be long in coming. */
			if (wake)
				rill_wake_reader(peer);
			wake = false;
			if (fatal_signal_pending(current))
				break;
			cond_resched();
			/* What stopped it, if anything did, comes next time. */
			continue;
		}
		err = n;
		if (err != -EAGAIN)
			break;
		/* A peek may wait for more than will come: tell it. */
		if (rill_ring_want(ring, RILL_WANT_SPACE))
			wake = true;
		/* Before it waits: one wake-up for all that is there by now. */
		if (wake)
			rill_wake_reader(peer);
		wake = false;
		if (!timeo) {
			if (rill_space_ask(sk))
				continue;
			rill_stat_inc(sock_net(sk), RILL_STAT_AGAIN_SPACE);
			break;
		}
		timeo = rill_space_wait(sk, peer, timeo);
		if (signal_pending(current)) {
			err = sock_intr_errno(timeo);
			break;
		}
	}
	if (wake)
		rill_wake_reader(peer);
	if (!sent)
		return err;
	rill_stat_sent(sk, SOCK_STREAM, sent);
	return sent;
}

/* by_ref: msg_iter is an ITER_BVEC, of which the ring may keep the pages. */
int rill_stream_send(struct socket *sock, struct msghdr *msg, bool by_ref)
{
	struct sock *sk = sock->sk, *peer;
	struct rill_anc anc = {};
	size_t len;
	long timeo;
	int err;

	if (msg->msg_flags & ~RILL_SEND_FLAGS)
		return -EOPNOTSUPP;
	timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	/* The count that is returned is an int. */
	iov_iter_truncate(&msg->msg_iter, MAX_RW_COUNT);
	len = iov_iter_count(&msg->msg_iter);
	peer = rill_connection_dest(sk, msg, &timeo);
	if (IS_ERR(peer)) {
		err = PTR_ERR(peer);
		peer = NULL;
		goto out;
	}

	if (msg->msg_controllen) {
		/* As in unix(7), no bytes carry no files. */
		err = rill_anc_parse(msg, &anc, len);
		if (err)
			goto out;
	}
	if (!anc.cred.pid && rill_wants_cred(sk, peer))
		rill_cred_current(&anc.cred);
	err = rill_stream_write(sk, peer, &msg->msg_iter, by_ref, &anc, timeo);
	rill_anc_clear(&anc);
	if (unlikely(err == -EPIPE))
		rill_connection_sigpipe(msg);
out:
	trace_rill_send(sk, peer, len, msg->msg_flags, err);
	return err;
}

int rill_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	bool by_ref = msg->msg_flags & MSG_SPLICE_PAGES &&
		      iov_iter_is_bvec(&msg->msg_iter);

	return rill_stream_send(sock, msg, by_ref);
}

/**
 * rill_stream_finish() - wait for the sends that copy at this moment
 * @sk: the caller's own end, which has SEND_SHUTDOWN: no other send begins
 * @peer: the other end, which is told next
 * @wait: or only see whether there are none
 *
 * So their bytes come before the end, not after it.  As tcp(7) waits for a send
 * that has the socket's lock, this waits for one whose buffer hangs; but it can
 * be killed.
 *
 * Return: whether there are none.
 */
bool rill_stream_finish(struct sock *sk, struct sock *peer, bool wait)
{
	struct rill_sock *rs = rill_sk(sk);

	if (!mutex_trylock(&rs->tx_mutex) &&
	    (!wait || mutex_lock_killable(&rs->tx_mutex)))
		return false;
	mutex_unlock(&rs->tx_mutex);
	/* The unlock before the look at dead, see rill_ring_kill(). */
	smp_mb__after_mutex_unlock();
	rill_ring_unlocked(&rill_sk(peer)->ring, &rs->tx_mutex);
	return true;
}

/* Where a peek begins, and how much it hopes for: both may change while it waits. */
static void rill_peek_aim(struct sock *sk, struct sock *peer,
			  struct rill_read *rd)
{
	struct rill_ring *ring = &rill_sk(sk)->ring;
	struct rill_limit limit;

	rd->skip = max(sk_peek_offset(sk, MSG_PEEK), 0);
	rill_ring_limit(ring, peer, &limit);
	rd->need = min(rd->skip + rd->target, limit.bytes);
	rd->need = max(rd->need, rd->skip + 1);
	/* No hope for more where files may end it. */
	if (unlikely(READ_ONCE(ring->rights)))
		rd->need = rd->skip + 1;
}

/* Is there something to do for this reader? */
static bool rill_read_ready(struct sock *sk, struct sock *peer,
			    struct rill_read *rd)
{
	struct rill_ring *ring = &rill_sk(sk)->ring;
	unsigned long bytes = rill_ring_readable(ring);
	struct rill_limit limit;

	if (rd->peek)
		rill_peek_aim(sk, peer, rd);
	if (bytes >= rd->need || READ_ONCE(sk->sk_err) ||
	    READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN)
		return true;
	if (bytes <= rd->skip)
		return false;
	/* Less than it hoped for, but the writer waits for it to be read? */
	if (!test_bit(RILL_WANT_SPACE, &ring->want))
		return false;
	rill_ring_limit(ring, peer, &limit);
	if (!rill_ring_writable(ring, &limit))
		return true;
	/* It need not wait; and when it does again, that is to be news. */
	rill_ring_consumed(ring, peer);
	return test_bit(RILL_WANT_SPACE, &ring->want);
}

/* With busy polling: look for a while.  Returns whether that was of use. */
static bool rill_read_poll(struct sock *sk, struct sock *peer,
			   struct rill_read *rd, long *timeo)
{
	struct rill_busy busy;
	bool found;

	if (!rill_busy_begin(&busy, sk, *timeo))
		return false;
	do
		found = rill_read_ready(sk, peer, rd);
	while (!found && rill_busy_again(&busy));
	*timeo = rill_busy_end(&busy, found);
	return found;
}

static long rill_data_wait(struct sock *sk, struct sock *peer,
			   struct rill_read *rd, long timeo)
{
	DEFINE_WAIT(wait);

	if (rill_read_poll(sk, peer, rd, &timeo))
		return timeo;
	for (;;) {
		prepare_to_wait(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
		if (rill_read_ready(sk, peer, rd) || !timeo ||
		    signal_pending(current))
			break;
		rill_stat_inc(sock_net(sk), RILL_STAT_SLEEP_DATA);
		timeo = schedule_timeout(timeo);
	}
	finish_wait(sk_sleep(sk), &wait);
	return timeo;
}

/* So much was read: a peek that sleeps at its offset may be before data now. */
static void rill_peek_moved(struct sock *sk, int bytes)
{
	if (READ_ONCE(sk->sk_peek_off) < 0)
		return;
	sk_peek_offset_bwd(sk, bytes);
	/* The offset, then who waits; pairs with prepare_to_wait(). */
	smp_mb();
	if (rill_ring_readable(&rill_sk(sk)->ring) > READ_ONCE(sk->sk_peek_off))
		rill_wake_reader(sk);
}

/*
 * One pass of a receive, under rx_mutex.  The bytes copied, 0 or an errno.
 * wait: rather none than less than the target of a peek.
 */
static ssize_t rill_stream_pass(struct sock *sk, struct sock *peer,
				struct rill_read *rd, bool wait)
{
	struct rill_ring *ring = &rill_sk(sk)->ring;
	ssize_t n;

	if (rd->peek) {
		if (!wait)
			rill_peek_aim(sk, peer, rd);
		else if (!rill_read_ready(sk, peer, rd))
			return 0;
	}
	n = rill_ring_read(ring, rd);
	if (n <= 0)
		return n;
	if (rd->peek) {
		sk_peek_offset_fwd(sk, n);
		return n;
	}
	rill_peek_moved(sk, n);
	rill_idle_add(ring);
	return n;
}

/* Passes while there is a chunk to copy, up to a ring full: others may wait. */
static ssize_t rill_stream_drain(struct sock *sk, struct sock *peer,
				 struct rill_read *rd, bool wait)
{
	struct rill_ring *ring = &rill_sk(sk)->ring;
	struct rill_limit limit;
	size_t total = 0;
	ssize_t n;

	for (;;) {
		n = rill_stream_pass(sk, peer, rd, wait);
		if (n < 0)
			return n;
		rd->len -= n;
		total += n;
		if (n < RILL_CHUNK || !rd->len || rd->peek)
			return n;
		rill_ring_limit(ring, peer, &limit);
		if (total >= limit.bytes)
			return n;
		/* With the mutex held: the writer goes on meanwhile. */
		rill_ring_consumed(ring, peer);
	}
}

/**
 * rill_stream_read() - receive, or lend to a pipe
 * @sk: the caller's own end, connected
 * @peer: the other end
 * @rd: what is asked for; gets what came
 * @timeo: how long it may wait
 *
 * Return: the bytes, 0 at the end, or an errno.
 */
int rill_stream_read(struct sock *sk, struct sock *peer, struct rill_read *rd,
		     long timeo)
{
	struct rill_sock *rs = rill_sk(sk);
	int shutdown, failed, err = 0, interrupted = 0;
	ssize_t n;

	rd->need = 1;
	for (;;) {
		/*
		 * First: what was sent before a shutdown or a reset is seen
		 * after it; and a reset before the end that comes with it.
		 */
		shutdown = rill_shutdown_get(sk);
		failed = rill_reset_get(sk);
		n = 0;
		/* An empty ring needs no mutex, but for what a pass decides. */
		if (rill_ring_used(&rs->ring) || rd->peek || rd->rights) {
			if (rill_mutex_lock(&rs->rx_mutex)) {
				err = sock_intr_errno(timeo);
				break;
			}
			n = rill_stream_drain(sk, peer, rd, timeo);
			mutex_unlock(&rs->rx_mutex);
			/* tail, then who waits, as in rill_ring_consumed(). */
			smp_mb__after_mutex_unlock();
			if (!rd->peek)
				rill_ring_wake(&rs->ring, peer);
		}

		if (n < 0) {
			err = n;
			break;
		}
		if (n == RILL_CHUNK && rd->len && !rd->peek) {
			if (fatal_signal_pending(current))
				break;
			cond_resched();
			continue;
		}
		if (rd->total >= rd->target || rd->stopped ||
		    (rd->peek && rd->total))
			break;
		/* An error is kept for the call that gets no bytes. */
		if (failed && rd->total)
			break;
		err = failed ? sock_error(sk) : 0;
		if (err || shutdown & RCV_SHUTDOWN)
			break;
		err = interrupted;
		if (err)
			break;
		err = -EAGAIN;
		if (!timeo) {
			rill_stat_inc(sock_net(sk), RILL_STAT_AGAIN_DATA);
			break;
		}
		timeo = rill_data_wait(sk, peer, rd, timeo);
		if (!signal_pending(current) || rill_read_ready(sk, peer, rd))
			continue;
		if (rill_ring_readable(&rs->ring) <= rd->skip) {
			err = sock_intr_errno(timeo);
			break;
		}
		/* A peek that hoped for more: what is there, if it still is. */
		interrupted = sock_intr_errno(timeo);
		timeo = 0;
	}
	if (!rd->total)
		return err;
	if (!rd->peek)
		rill_stat_received(sk, SOCK_STREAM, rd->total);
	return rd->total;
}

int rill_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			int flags)
{
	struct sock *sk = sock->sk, *peer;
	struct rill_read rd = {
		.to	= &msg->msg_iter,
		.len	= min_t(size_t, len, MAX_RW_COUNT),
		.peek	= flags & MSG_PEEK,
	};
	long timeo;
	int ret;

	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;	/* always empty */
	if (flags & ~RILL_RECV_FLAGS)
		return -EOPNOTSUPP;
	timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	peer = rill_connection_ready(sk, &timeo);
	if (IS_ERR(peer)) {
		ret = PTR_ERR(peer);
		trace_rill_recv(sk, NULL, len, flags, ret);
		return ret;
	}
	if (!len)
		return 0;

	rd.target = sock_rcvlowat(sk, flags & MSG_WAITALL, rd.len);
	rd.by_cred = rill_passcred_own(sk);
	ret = rill_stream_read(sk, peer, &rd, timeo);
	if (ret > 0) {
		rill_name_copy(msg, peer);
		if (rd.by_cred)
			rill_cred_report(sk, msg, &rd.cred);
		if (unlikely(rd.rights))
			rill_rights_deliver(msg, rd.files);
		if (msg->msg_get_inq)
			msg->msg_inq = min_t(long, INT_MAX,
					     rill_recv_queue(sk));
	}
	rill_cred_clear(&rd.cred);
	trace_rill_recv(sk, peer, len, flags, ret);
	return ret;
}
