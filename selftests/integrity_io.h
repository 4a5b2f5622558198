/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Data in random pieces, by each call and flag that moves some, where every byte
 * is known, and compared: what integrity.c is made of.
 */
#ifndef INTEGRITY_IO_H
#define INTEGRITY_IO_H

#include "rill_test_data.h"

#include <sys/mman.h>
#include <sys/sendfile.h>

#define MIB		1048576UL
#define BIGGEST		(192UL << 10)	/* longest send or receive */

struct rng {
	__u64 x;
};

static __u32 rnd(struct rng *r)
{
	r->x ^= r->x << 13;
	r->x ^= r->x >> 7;
	r->x ^= r->x << 17;
	return r->x >> 16;
}

/*
 * The byte at position p of direction d is table[(p + d * SHIFT) % PERIOD]: the
 * sender need not make it, and a piece that is lost or moved does not fit.
 */
#define PERIOD		1048573UL	/* a prime: nothing a kernel rounds to */
#define SHIFT		400009UL

static unsigned char table[PERIOD + BIGGEST + 8];
static unsigned long long seed;
static int table_file;		/* the same, for sendfile() and splice() */

/* The table of a seed, and its file: 0 or a negative errno. */
static int make_table(struct rng *r)
{
	size_t i;

	for (i = 0; i < PERIOD; i++)
		table[i] = rnd(r);
	/* %PERIOD must hold behind the end. */
	memcpy(table + PERIOD, table, BIGGEST + 8);
	if (!table_file) {
		table_file = SYS(memfd_create("integrity", MFD_CLOEXEC));
		if (table_file < 0)
			return table_file;
	}
	i = pwrite(table_file, table, sizeof(table), 0);
	return i == sizeof(table) ? 0 : -EIO;
}

static const unsigned char *at(int dir, __u64 pos)
{
	return table + (pos + dir * SHIFT) % PERIOD;
}

/* The sum of the bytes as words; true if they are what is expected. */
static bool compare(const unsigned char *got, const unsigned char *want, size_t len,
		    __u64 *sum)
{
	__u64 diff = 0, s = 0, a, b;

	while (len >= 8) {
		memcpy(&a, got, 8);
		memcpy(&b, want, 8);
		diff |= a ^ b;
		s += (a & 0x00ff00ff00ff00ffULL) + (a >> 8 & 0x00ff00ff00ff00ffULL);
		/* Folded before the 16-bit lanes can overflow. */
		if (s & 0x8000800080008000ULL) {
			*sum += (s & 0xffff) + (s >> 16 & 0xffff) + (s >> 32 & 0xffff) +
				(s >> 48);
			s = 0;
		}
		got += 8;
		want += 8;
		len -= 8;
	}
	*sum += (s & 0xffff) + (s >> 16 & 0xffff) + (s >> 32 & 0xffff) + (s >> 48);
	while (len--) {
		diff |= *got ^ *want++;
		*sum += *got++;
	}
	return !diff;
}

/* Small ones often, most of them long enough to get somewhere. */
static size_t rnd_size(struct rng *r, size_t max)
{
	size_t n;

	switch (rnd(r) % 16) {
	case 0:
		n = 1 + rnd(r) % 16;
		break;
	case 1:
		n = 1 + rnd(r) % 600;
		break;
	case 2:
		n = 4096 + rnd(r) % 3 - 1;
		break;
	case 3:
		n = 1 + rnd(r) % BIGGEST;
		break;
	default:
		n = 1 + rnd(r) % 60000;
	}
	return n < max ? n : max;
}

struct way {
	int fd;
	int dir;
	__u64 total;
	__u64 sum;
	__u64 calls, again, peeks;
	struct rng r;
	bool resize;
};

/* A text for the failure, and a negative errno for the caller. */
static long bad(struct way *w, const char *what, __u64 pos, long err)
{
	fprintf(stderr, "# direction %d at byte %llu: %s (%ld), seed %llu\n", w->dir,
		pos, what, err, seed);
	return err < 0 ? err : -EIO;
}

static bool wait_for(int fd, short ev)
{
	return rt_poll(fd, ev) > 0;
}

/* A pipe of each thread's own, for splice(). */
static bool pipe_of(int p[2])
{
	return !pipe2(p, O_CLOEXEC) && fcntl(p[1], F_SETPIPE_SZ, 65536) > 0;
}

/* From the file or from the memory of the table, by way of the pipe. */
static long send_spliced(struct way *w, const unsigned char *p, size_t len, int pipe[2],
			 bool from_memory)
{
	struct iovec iov = { (void *)p, len < 50000 ? len : 50000 };
	loff_t off = p - table;
	long n, done, some;

	n = from_memory ? SYS(vmsplice(pipe[1], &iov, 1, 0)) :
	    SYS(splice(table_file, &off, pipe[1], NULL, iov.iov_len, 0));
	for (done = 0; n > 0 && done < n; done += some) {
		some = SYS(splice(pipe[0], NULL, w->fd, NULL, n - done,
				  rnd(&w->r) % 2 ? SPLICE_F_MORE : 0));
		if (some <= 0)
			return some ?: -EIO;
	}
	return n;
}

/* Up to four pieces by one call. */
static long send_many(struct way *w, const unsigned char *p, size_t len, int flags)
{
	struct mmsghdr m[4] = { };
	struct iovec iov[4];
	long n, total = 0;
	int i;

	for (i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ (void *)(p + len / 4 * i), len / 4 };
		if (i == 3)
			iov[i].iov_len = len - len / 4 * 3;
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	n = SYS(sendmmsg(w->fd, m, 4, flags));
	for (i = 0; i < n; i++) {
		total += m[i].msg_len;
		/* What follows a short one is at another place: never seen to come. */
		if (m[i].msg_len < iov[i].iov_len)
			return i == n - 1 ? total : -EBADMSG;
	}
	return n < 0 ? n : total;
}

static long sender(void *arg)
{
	struct way *w = arg;
	__u64 pos = 0;
	int pipe[2];

	if (!pipe_of(pipe))
		return bad(w, "pipe", 0, -errno);
	while (pos < w->total) {
		size_t len = rnd_size(&w->r, w->total - pos);
		const unsigned char *p = at(w->dir, pos);
		struct iovec iov[3];
		struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
		int flags = MSG_NOSIGNAL;
		__u32 kind = rnd(&w->r) % 16;
		off_t off = p - table;
		size_t k = rnd(&w->r) % (len + 1);
		long n;

		iov[0] = (struct iovec){ (void *)p, k / 2 };
		iov[1] = (struct iovec){ (void *)(p + k / 2), k - k / 2 };
		iov[2] = (struct iovec){ (void *)(p + k), len - k };
		if (rnd(&w->r) % 4 == 0)
			flags |= MSG_MORE;
		if (kind < 4)
			flags |= MSG_DONTWAIT;
		switch (kind) {
		case 0:
			n = SYS(sendmsg(w->fd, &msg, flags));
			break;
		case 4:
			n = SYS(writev(w->fd, iov, 3));
			break;
		case 5:
			n = SYS(sendfile(w->fd, table_file, &off, len));
			break;
		case 6:
		case 7:
			n = send_spliced(w, p, len, pipe, kind == 7);
			break;
		case 8:
			/* A piece that waits is sent in full: the next one fits behind. */
			n = send_many(w, p, len, flags);
			break;
		case 9:
			n = SYS(write(w->fd, p, len));
			break;
		default:
			n = SYS(send(w->fd, p, len, flags));
		}
		w->calls++;
		if (n == -EAGAIN && kind < 4) {
			w->again++;
			if (!wait_for(w->fd, POLLOUT))
				return bad(w, "never writable again", pos, -ETIMEDOUT);
			continue;
		}
		if (n <= 0 || n > (long)len)
			return bad(w, "send", pos, n);
		compare(p, p, n, &w->sum);
		pos += n;
		if (w->resize && rnd(&w->r) % 512 == 0)
			rt_set_int(w->fd, SOL_SOCKET, SO_SNDBUF,
				   1 + rnd(&w->r) % 200000);
	}
	close(pipe[0]);
	close(pipe[1]);
	return SYS(shutdown(w->fd, SHUT_WR));
}

/* By way of the pipe: the bytes, 0 at the end, or a negative errno. */
static long recv_spliced(struct way *w, unsigned char *buf, size_t len, int pipe[2],
			 bool wait)
{
	long n, done, some;

	len = len < 50000 ? len : 50000;
	n = SYS(splice(w->fd, NULL, pipe[1], NULL, len, wait ? 0 : SPLICE_F_NONBLOCK));
	for (done = 0; n > 0 && done < n; done += some) {
		some = SYS(read(pipe[0], buf + done, n - done));
		if (some <= 0)
			return some ?: -EIO;
	}
	return n;
}

/* Up to four pieces by one call, one behind the other. */
static long recv_many(struct way *w, unsigned char *buf, size_t len)
{
	struct mmsghdr m[4] = { };
	struct iovec iov[4];
	long n, total = 0;
	int i;

	for (i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ buf + len / 4 * i, len / 4 };
		if (i == 3)
			iov[i].iov_len = len - len / 4 * 3;
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	n = SYS(recvmmsg(w->fd, m, 4, MSG_WAITFORONE, NULL));
	for (i = 0; i < n; i++) {
		memmove(buf + total, iov[i].iov_base, m[i].msg_len);
		total += m[i].msg_len;
	}
	return n < 0 ? n : total;
}

static long receiver(void *arg)
{
	struct way *w = arg;
	unsigned char *buf = malloc(BIGGEST + 8);
	__u64 pos = 0, ignored;
	long err = 0;
	int pipe[2];

	if (!pipe_of(pipe))
		return bad(w, "pipe", 0, -errno);
	while (!err) {
		size_t len = rnd_size(&w->r, BIGGEST), off = rnd(&w->r) % 8;
		struct iovec iov[3];
		__u32 kind = rnd(&w->r) % 16;
		int flags = 0;
		size_t k;
		long n;

		switch (kind) {
		case 0:
			flags = MSG_PEEK;
			break;
		case 1:
			flags = MSG_PEEK | MSG_DONTWAIT;
			break;
		case 2:
		case 3:
			flags = MSG_DONTWAIT;
			break;
		case 4:
		case 5:
			flags = MSG_WAITALL;
			break;
		case 7:
			/* Of a stream it means nothing. */
			flags = MSG_TRUNC;
			break;
		}
		if (len < 4 && kind == 10)
			len = 4;
		if (kind == 8 || kind == 9) {
			n = recv_spliced(w, buf + off, len, pipe, kind == 8);
			/* To wait for, as with the flag. */
			if (kind == 9)
				flags = MSG_DONTWAIT;
		} else if (kind == 10) {
			n = recv_many(w, buf + off, len);
		} else if (kind == 6) {
			k = rnd(&w->r) % (len + 1);
			iov[0] = (struct iovec){ buf + off, k / 2 };
			iov[1] = (struct iovec){ buf + off + k / 2, k - k / 2 };
			iov[2] = (struct iovec){ buf + off + k, len - k };
			n = SYS(readv(w->fd, iov, 3));
		} else {
			n = SYS(recv(w->fd, buf + off, len, flags));
		}
		w->calls++;
		if (n == -EAGAIN && flags & MSG_DONTWAIT) {
			w->again++;
			if (!wait_for(w->fd, POLLIN))
				err = bad(w, "never readable again", pos, -ETIMEDOUT);
			continue;
		}
		if (n < 0 || n > (long)len) {
			err = bad(w, "recv", pos, n);
			break;
		}
		if (!n) {
			if (pos != w->total)
				err = bad(w, "early end", pos, 0);
			break;
		}
		if (flags & MSG_WAITALL && n < (long)len && pos + n != w->total) {
			err = bad(w, "MSG_WAITALL came back early", pos, n);
			break;
		}
		if (!compare(buf + off, at(w->dir, pos), n,
			     flags & MSG_PEEK ? &ignored : &w->sum)) {
			err = bad(w, "wrong bytes", pos, n);
			break;
		}
		if (flags & MSG_PEEK)
			w->peeks++;
		else
			pos += n;
		if (w->resize && rnd(&w->r) % 512 == 0)
			rt_set_int(w->fd, SOL_SOCKET, SO_RCVBUF,
				   1 + rnd(&w->r) % 200000);
	}
	close(pipe[0]);
	close(pipe[1]);
	free(buf);
	return err;
}

/* ---- messages ---------------------------------------------------------- */

#define LONGEST		60000

struct head {
	__u32 sender;
	__u32 len;	/* of the data behind this */
	__u64 seq;
	__u64 pos;
};

struct talk {
	int fd;
	int id;
	__u64 total;
	__u64 pos;
	__u64 sum;
	__u64 messages;
	struct rng r;
};

/* The next messages of a talker, up to n, of which none is longer than it may be. */
static int prepare(struct talk *t, struct head *h, struct iovec (*iov)[2], int n)
{
	__u64 pos = t->pos;
	int i;

	for (i = 0; i < n && pos < t->total; i++) {
		size_t max = t->total - pos < LONGEST ? t->total - pos : LONGEST;

		h[i] = (struct head){ .sender = t->id, .seq = t->messages + i, .pos = pos };
		h[i].len = rnd_size(&t->r, max);
		/* Now and then one of nothing but its head. */
		if (rnd(&t->r) % 32 == 0)
			h[i].len = 0;
		iov[i][0] = (struct iovec){ &h[i], sizeof(h[i]) };
		iov[i][1] = (struct iovec){ (void *)at(t->id, pos), h[i].len };
		pos += h[i].len;
	}
	return i;
}

static long talker(void *arg)
{
	struct talk *t = arg;

	while (t->pos < t->total) {
		struct mmsghdr m[4] = { };
		struct iovec iov[4][2];
		struct head h[4];
		int flags = MSG_NOSIGNAL, kind = rnd(&t->r) % 8, i, k;
		long n;

		k = prepare(t, h, iov, kind == 7 ? 4 : 1);
		for (i = 0; i < k; i++) {
			m[i].msg_hdr.msg_iov = iov[i];
			m[i].msg_hdr.msg_iovlen = 2;
		}
		if (kind < 2)
			flags |= MSG_DONTWAIT;
		if (rnd(&t->r) % 8 == 0)
			flags |= MSG_MORE | MSG_EOR;
		do {
			if (kind == 7) {
				n = SYS(sendmmsg(t->fd, m, k, flags));
			} else {
				n = kind == 6 ? SYS(writev(t->fd, iov[0], 2)) :
				    SYS(sendmsg(t->fd, &m[0].msg_hdr, flags));
				m[0].msg_len = n;
				n = n < 0 ? n : 1;
			}
			if (n == -EAGAIN && !wait_for(t->fd, POLLOUT))
				return -ETIMEDOUT;
		} while (n == -EAGAIN);
		for (i = 0; i < n; i++) {
			if (m[i].msg_len != sizeof(h[i]) + h[i].len)
				break;
			compare(iov[i][1].iov_base, iov[i][1].iov_base, h[i].len, &t->sum);
			t->pos += h[i].len;
			t->messages++;
		}
		if (n <= 0 || i < n) {
			fprintf(stderr, "# sender %d, message %llu: %ld, seed %llu\n",
				t->id, t->messages, n < 0 ? n : (long)m[i].msg_len, seed);
			return n < 0 ? n : -EIO;
		}
	}
	return 0;
}

/* What has come of whom. */
struct heard {
	__u64 seq[4], pos[4];
	int left;
};

/* A message of n bytes, of which so many as there is room for are in buf. */
static long hear(struct heard *x, const unsigned char *buf, long n, size_t room, bool peek,
		 int senders, struct talk *sent, struct talk *got)
{
	__u64 ignored = 0, *sum = &ignored;
	const unsigned char *want;
	struct head h;
	size_t have;

	if (n < (long)sizeof(h))
		return n < 0 ? n : -EBADMSG;
	memcpy(&h, buf, sizeof(h));
	if (h.sender >= (unsigned int)senders || h.seq != x->seq[h.sender] ||
	    h.pos != x->pos[h.sender] || n != (long)(sizeof(h) + h.len)) {
		fprintf(stderr, "# message of %ld: sender %u seq %llu (%llu), seed %llu\n",
			n, h.sender, h.seq, h.sender < 4 ? x->seq[h.sender] : 0, seed);
		return -EILSEQ;
	}
	want = at(h.sender, h.pos);
	have = room < sizeof(h) + h.len ? room - sizeof(h) : h.len;
	if (!peek && have == h.len)
		sum = &got[h.sender].sum;
	if (!compare(buf + sizeof(h), want, have, sum))
		return -EBADMSG;
	if (peek)
		return 0;
	/* What was cut off on purpose is not missing from the sum. */
	if (have < h.len)
		compare(want, want, h.len, &got[h.sender].sum);
	x->seq[h.sender]++;
	x->pos[h.sender] += h.len;
	if (x->pos[h.sender] == sent[h.sender].total && h.len)
		x->left--;
	return 0;
}

/* Takes n senders' messages until each said all; checks order and bytes. */
static long listener(int fd, int n, struct talk *sent, struct talk *got, struct rng *r)
{
	const size_t max = sizeof(struct head) + LONGEST;
	unsigned char *buf = malloc(4 * max);
	struct heard x = { .left = n };
	long ret = 0;
	int i;

	while (x.left && !ret) {
		struct mmsghdr m[4] = { };
		struct iovec iov[4];
		size_t room = max;
		__u32 kind = rnd(r) % 16;
		int flags = 0;

		if (kind == 0 || kind == 1)
			flags |= MSG_PEEK;
		if (kind == 2 || kind == 3)
			flags |= MSG_DONTWAIT;
		/* A short buffer, and the true length all the same. */
		if (kind < 8 && rnd(r) % 8 == 0) {
			room = sizeof(struct head) + rnd(r) % 5000;
			flags |= MSG_TRUNC;
		}
		if (kind == 14 || kind == 15) {
			for (i = 0; i < 4; i++) {
				iov[i] = (struct iovec){ buf + i * max, max };
				m[i].msg_hdr.msg_iov = &iov[i];
				m[i].msg_hdr.msg_iovlen = 1;
			}
			ret = SYS(recvmmsg(fd, m, 4, MSG_WAITFORONE, NULL));
			for (i = 0; i < ret; i++) {
				long err = hear(&x, buf + i * max, m[i].msg_len, max,
						false, n, sent, got);

				if (err)
					ret = err;
			}
			ret = ret > 0 ? 0 : ret;
			continue;
		}
		if (kind == 13) {
			iov[0] = (struct iovec){ buf, rnd(r) % 5000 };
			iov[1] = (struct iovec){ buf + iov[0].iov_len, max - iov[0].iov_len };
			ret = SYS(readv(fd, iov, 2));
		} else {
			ret = SYS(recv(fd, buf, room, flags));
		}
		if (ret == -EAGAIN && flags & MSG_DONTWAIT) {
			ret = wait_for(fd, POLLIN) ? 0 : -ETIMEDOUT;
			continue;
		}
		ret = hear(&x, buf, ret, room, flags & MSG_PEEK, n, sent, got);
	}
	free(buf);
	return ret;
}

#endif /* INTEGRITY_IO_H */
