// SPDX-License-Identifier: GPL-2.0-only
/*
 * The twelve operations, each in several forms chosen at random, and the data
 * that they move.
 *
 * Every byte of a stream says who sent it, in which direction, and its number
 * modulo 32; a message has an identity of the same kind.  What is received is
 * counted by value: with what was sent it tells loss and doubling, whoever read
 * what.  A reader that is alone also sees each sender's bytes in their order.
 */
#include "race.h"

#define SEQ_BITS	5
#define SEQ_MASK	31
#define MAGIC		0x52494c4cU

struct header {
	uint32_t	magic;		/* MAGIC + the round */
	uint16_t	len;
	uint8_t		id;
	uint8_t		pad;
};

static unsigned char pattern[CREW * 2][MAX_LEN + 2 * (SEQ_MASK + 1)];

static void __attribute__((constructor)) make_pattern(void)
{
	for (unsigned int s = 0; s < CREW * 2; s++)
		for (unsigned int i = 0; i < sizeof(pattern[s]); i++)
			pattern[s][i] = s << SEQ_BITS | (i & SEQ_MASK);
}

static void ledger_sent(struct ledger *led, int base, int seq, size_t n)
{
	size_t all = n >> SEQ_BITS;

	if (all)
		for (int i = 0; i <= SEQ_MASK; i++)
			led->sent[base + i] += all;
	for (n &= SEQ_MASK; n; n--)
		led->sent[base + (seq++ & SEQ_MASK)]++;
}

/* The bytes or the message to send next. */
static const unsigned char *next_data(struct member *m, int dir, size_t *len)
{
	struct ledger *led = &m->led;
	int base = (m->index * 2 + dir) << SEQ_BITS;
	struct header h;

	if (is_stream())
		return &pattern[m->index * 2 + dir][led->count[dir] & SEQ_MASK];
	if (led->count[dir] > SEQ_MASK)
		return NULL;
	if (*len > MAX_MSG)
		*len = MAX_MSG;
	if (*len < sizeof(h))
		*len = sizeof(h);
	h = (struct header){
		.magic	= MAGIC + sc.round,
		.len	= *len,
		.id	= base + led->count[dir],
	};
	memcpy(m->buf, &h, sizeof(h));
	memcpy(m->buf + sizeof(h), &pattern[m->index * 2 + dir][led->count[dir]],
	       *len - sizeof(h));
	return m->buf;
}

static void data_sent(struct member *m, int dir, size_t len, long n)
{
	struct ledger *led = &m->led;
	int base = (m->index * 2 + dir) << SEQ_BITS;

	if (n <= 0)
		return;
	if (is_stream()) {
		ledger_sent(led, base, led->count[dir], n);
		led->count[dir] += n;
	} else {
		if ((size_t)n != len)
			m->wrong = "a message was sent in part";
		led->sent[base + led->count[dir]++]++;
	}
	if ((size_t)n > len)
		m->wrong = "more was sent than there was";
}

/* Sends what comes next: the bytes, or a negative errno; -ENOBUFS: no more ids. */
long put(struct member *m, int fd, int dir, size_t len, int flags, bool by_write,
	 const struct rt_addr *to)
{
	const unsigned char *data = next_data(m, dir, &len);
	long n;

	if (!data)
		return -ENOBUFS;
	if (by_write)
		n = SYS(write(fd, data, len));
	else
		n = SYS(sendto(fd, data, len, flags, to ? &to->sa : NULL,
			       to ? to->len : 0));
	data_sent(m, dir, len, n);
	return n;
}

static bool take_message(struct member *m, const unsigned char *buf, long n,
			 bool peek)
{
	struct header h;
	long i;

	/* From the middle of a message on. */
	if (peek && sc.peek_off)
		return true;
	if (n < (long)sizeof(h))
		return false;
	memcpy(&h, buf, sizeof(h));
	if (h.magic != MAGIC + sc.round || h.len != n)
		return false;
	for (i = sizeof(h); i < n; i++)
		if (buf[i] != (unsigned char)((h.id & ~SEQ_MASK) |
		    ((h.id + i - sizeof(h)) & SEQ_MASK)))
			return false;
	if (!peek)
		m->led.got[h.id]++;
	return true;
}

static bool take_bytes(struct member *m, const unsigned char *buf, long n, int dir,
		       bool peek, bool alone)
{
	struct ledger *led = &m->led;
	bool known[CREW * 2] = { false };
	uint8_t next[CREW * 2];
	long i;

	if (alone) {
		memcpy(next, led->next, sizeof(next));
		memset(known, true, sizeof(known));
	}
	for (i = 0; i < n; i++) {
		int s = buf[i] >> SEQ_BITS;

		if (dir >= 0 && (s & 1) != dir)
			return false;
		if (known[s] && next[s] != (buf[i] & SEQ_MASK))
			return false;
		known[s] = true;
		next[s] = (buf[i] + 1) & SEQ_MASK;
		if (!peek)
			led->got[buf[i]]++;
	}
	if (alone && !peek)
		memcpy(led->next, next, sizeof(next));
	return true;
}

/*
 * What a call received: is it what was sent?  dir: where from, -1 unknown;
 * alone: nobody else reads there in this round.
 */
bool take(struct member *m, const unsigned char *buf, long n, int dir, bool peek,
	  bool alone)
{
	if (n <= 0)
		return true;
	if (!is_stream())
		return take_message(m, buf, n, peek);
	/* Between two passes of one call another reader may have had some. */
	if (!alone && (sc.lowat || sc.timeo))
		dir = -1;
	else
		return take_bytes(m, buf, n, dir, peek, alone);
	if (!peek)
		for (long i = 0; i < n; i++)
			m->led.got[buf[i]]++;
	return true;
}

/* ---- the operations ---- */

static int mine_dir(const struct job *j)
{
	return dir_of(j->obj);
}

/* From where does this end receive? */
static int from_dir(const struct job *j)
{
	return is_dgram() ? -1 : j->obj == O_Q ? 0 : 1;
}

static bool reads_alone(void)
{
	return sc.readers == 1;
}

/* After a peek: did it see all from the first byte on? */
static bool peeks_alone(void)
{
	return !sc.readers && !sc.peek_off && !atomic_load(&sc.drained);
}

static size_t some_len(struct member *m)
{
	if (rng_odds(&m->rng, 11))
		return 1 + rng_below(&m->rng, 64);
	return 1 + rng_below(&m->rng, MAX_LEN);
}

/* To whom does a datagram go?  NULL: to the peer. */
static const struct rt_addr *dest(struct member *m)
{
	if (!is_dgram() || rng_odds(&m->rng, 8))
		return NULL;
	m->variant |= 1;
	return &sc.name[m->job.obj == O_P ? O_Q : O_P];
}

static long do_connect(struct member *m)
{
	const struct rt_addr *to = &sc.name[O_L];

	m->variant = 0;
	if (rng_odds(&m->rng, is_dgram() ? 5 : 1)) {
		m->variant = 1;
		return rt_disconnect(m->job.fd);
	}
	if (is_dgram()) {
		to = &sc.name[rng_odds(&m->rng, 8) ? O_C :
			      m->job.obj == O_P ? O_Q : O_P];
		return rt_connect(m->job.fd, to);
	}
	atomic_store(&m->events, POLLOUT);
	return rt_connect(m->job.fd, to);
}

static long do_accept(struct member *m)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	bool name = rng_odds(&m->rng, 4);
	int flags = rng_odds(&m->rng, 8) ? SOCK_CLOEXEC : 0;
	long fd;

	atomic_store(&m->events, POLLIN);
	fd = SYS(accept4(m->job.fd, name ? (struct sockaddr *)&ss : NULL,
			 name ? &len : NULL, flags));
	if (fd < 0)
		return fd;
	if (m->n_accepted == MAX_ACCEPTED) {
		close(fd);
		m->wrong = "accept() without end";
		return 0;
	}
	m->accepted[m->n_accepted++] = fd;
	/* Say something, so that a reader at the other end has what to read. */
	if (rng_odds(&m->rng, 8))
		put(m, fd, 1, 1 + rng_below(&m->rng, 64),
		    MSG_DONTWAIT | MSG_NOSIGNAL, false, NULL);
	return 0;
}

static long do_close(struct member *m)
{
	/* While descriptors are made, the number must not be free. */
	if (m->job.fd_close >= 0) {
		long ret = SYS(dup2(m->job.fd_close, m->job.fd));

		return ret < 0 ? ret : 0;
	}
	return SYS(close(m->job.fd));
}

static long do_shutdown(struct member *m)
{
	m->variant = rng_below(&m->rng, 3);
	return SYS(shutdown(m->job.fd, m->variant));
}

static long do_send(struct member *m)
{
	int flags = MSG_NOSIGNAL | (m->job.block ? 0 : MSG_DONTWAIT);
	bool plain = m->job.block || sc.nonblock[m->job.obj];
	const struct rt_addr *to;

	m->variant = 0;
	to = dest(m);
	atomic_store(&m->events, POLLOUT);
	if (!to && plain && rng_odds(&m->rng, 4))
		return put(m, m->job.fd, mine_dir(&m->job), some_len(m), 0, true, NULL);
	if (rng_odds(&m->rng, 3))
		flags |= MSG_MORE;
	return put(m, m->job.fd, mine_dir(&m->job), some_len(m), flags, false, to);
}

static long do_recv(struct member *m, bool peek)
{
	int flags = (m->job.block ? 0 : MSG_DONTWAIT) | (peek ? MSG_PEEK : 0);
	bool plain = m->job.block || sc.nonblock[m->job.obj];
	size_t len = is_stream() ? some_len(m) : sizeof(m->buf);
	struct rd_msg msg;
	long n;

	m->variant = 0;
	atomic_store(&m->events, POLLIN);
	if (!peek && plain && rng_odds(&m->rng, 4)) {
		n = SYS(read(m->job.fd, m->buf, len));
	} else if (rng_odds(&m->rng, 4)) {
		n = rd_recv(m->job.fd, m->buf, len, flags, &msg);
	} else {
		if (is_stream() && !peek && reads_alone() && rng_odds(&m->rng, 3)) {
			m->variant = 2;
			flags |= MSG_WAITALL;
		}
		n = SYS(recv(m->job.fd, m->buf, len, flags));
	}
	if (!take(m, m->buf, n, from_dir(&m->job), peek,
		  peek ? peeks_alone() : reads_alone()))
		m->wrong = peek ? "peeked what was not sent" : "received what was not sent";
	return n;
}

static long do_poll(struct member *m)
{
	static const short choice[] = {
		POLLIN, POLLOUT, POLLIN | POLLOUT, POLLRDHUP, POLLIN | POLLRDHUP, 0,
	};
	short events = choice[rng_below(&m->rng, 6)];
	int timeout = m->job.block ? -1 : 0;
	struct epoll_event ev = { .events = events };
	struct pollfd p = { .fd = m->job.fd, .events = events };
	unsigned int seen;
	long n;

	/* The helper may not poll for 0, but HUP and ERR come unasked. */
	atomic_store(&m->events, events | POLLERR);
	m->variant = rng_below(&m->rng, 3);
	if (m->variant < 2) {
		n = SYS(poll(&p, 1, timeout));
		seen = (unsigned short)p.revents;
	} else {
		if (rng_odds(&m->rng, 8))
			ev.events |= EPOLLET;
		if (rng_odds(&m->rng, 4))
			ev.events |= EPOLLONESHOT;
		n = SYS(epoll_ctl(m->epfd, EPOLL_CTL_ADD, m->job.fd, &ev));
		if (n)
			return n;
		ev.events = 0;
		n = SYS(epoll_wait(m->epfd, &ev, 1, timeout));
		seen = n > 0 ? ev.events : 0;
		/* Unless another thread closed it. */
		epoll_ctl(m->epfd, EPOLL_CTL_DEL, m->job.fd, NULL);
	}
	if (seen & ~(events | POLLERR | POLLHUP | POLLNVAL) ||
	    (n == 1 ? !seen : seen))
		m->wrong = "poll told what was not asked for";
	return n < 0 ? n : 0;
}

static long do_listen(struct member *m)
{
	return SYS(listen(m->job.fd, rng_below(&m->rng, 4)));
}

static long set_bytes(int fd, int level, int opt, const void *val, socklen_t len)
{
	return SYS(setsockopt(fd, level, opt, val, len));
}

static long do_setsockopt(struct member *m)
{
	static const struct sock_filter all[] = {
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	const struct sock_fprog prog = { 1, (struct sock_filter *)all };
	struct linger reset = { 1, 0 }, off = { 0, 0 };
	struct timeval tv = { .tv_usec = 1000 };
	struct f_owner_ex own = { F_OWNER_TID, atomic_load(&m->tid) };
	struct ucred uc;
	struct rill_queue q;
	socklen_t len;
	int fd = m->job.fd;
	bool on = rng_odds(&m->rng, 8);

	switch (m->variant) {
	case 0:
		return rt_set_int(fd, SOL_SOCKET, SO_RCVBUF, on ? 1 : 65536);
	case 1:
		return rt_set_int(fd, SOL_SOCKET, SO_SNDBUF, on ? 1 : 65536);
	case 2:
		return rt_set_int(fd, SOL_SOCKET, SO_RCVLOWAT,
				  1 + rng_below(&m->rng, 64));
	case 3:
		return set_bytes(fd, SOL_SOCKET, SO_LINGER, on ? &reset : &off,
				 sizeof(reset));
	case 4:
		return rt_set_int(fd, SOL_SOCKET, SO_PASSCRED, on);
	case 5:
		return set_bytes(fd, SOL_SOCKET, on ? SO_RCVTIMEO : SO_SNDTIMEO, &tv,
				 sizeof(tv));
	case 6:
		return rt_set_int(fd, SOL_SOCKET, SO_PEEK_OFF,
				  on ? -1 : (int)rng_below(&m->rng, 16));
	case 7:
		return rt_set_int(fd, SOL_RILL, RILL_BUSY_POLL, on ? 20 : 0);
	case 8:
		return rt_set_int(fd, SOL_RILL, RILL_MODE, on ? 0600 : 0777);
	case 9:
		return set_bytes(fd, SOL_SOCKET, on ? SO_ATTACH_FILTER :
				 SO_DETACH_FILTER, &prog, sizeof(prog));
	case 10:
		return rt_set_int(fd, SOL_SOCKET, SO_TIMESTAMP, on);
	case 11:
		if (SYS(fcntl(fd, F_SETOWN_EX, &own)))
			return -errno;
		return SYS(fcntl(fd, F_SETFL, O_ASYNC | (sc.nonblock[m->job.obj] ?
						       O_NONBLOCK : 0)));
	case 12:
		len = sizeof(uc);
		return SYS(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &uc, &len));
	case 13:
		len = sizeof(q);
		return SYS(getsockopt(fd, SOL_RILL, RILL_QUEUE, &q, &len));
	default:
		return rt_get_int(fd, SOL_SOCKET, SO_ERROR);
	}
}

static void empty_pipe(struct member *m, long left)
{
	while (left > 0) {
		long n = read(m->pipe[0], m->buf, left < MAX_LEN ? left : MAX_LEN);

		if (n <= 0) {
			m->wrong = "the pipe lost what splice() did not take";
			return;
		}
		left -= n;
	}
}

static long splice_in(struct member *m)
{
	int dir = mine_dir(&m->job);
	size_t len = some_len(m);
	const unsigned char *data = next_data(m, dir, &len);
	long n;

	if (!data)
		return -ENOBUFS;
	if (write(m->pipe[1], data, len) != (ssize_t)len) {
		m->wrong = "the pipe did not take it";
		return 0;
	}
	atomic_store(&m->events, POLLOUT);
	n = SYS(splice(m->pipe[0], NULL, m->job.fd, NULL, len, 0));
	data_sent(m, dir, len, n);
	empty_pipe(m, n > 0 ? (long)len - n : (long)len);
	return n;
}

static long splice_out(struct member *m)
{
	size_t want = is_stream() ? some_len(m) : MAX_LEN;
	long n, got = 0;

	atomic_store(&m->events, POLLIN);
	n = SYS(splice(m->job.fd, NULL, m->pipe[1], NULL, want,
		       m->job.block ? 0 : SPLICE_F_NONBLOCK));
	while (got < n) {
		long part = read(m->pipe[0], m->buf + got, n - got);

		if (part <= 0) {
			m->wrong = "the pipe has not what splice() promised";
			return n;
		}
		got += part;
	}
	if (!take(m, m->buf, n, from_dir(&m->job), false, reads_alone()))
		m->wrong = "spliced what was not sent";
	return n;
}

static long do_splice(struct member *m)
{
	/* scene_plan() chose the direction. */
	return m->variant ? splice_out(m) : splice_in(m);
}

static long do_signal(struct member *m)
{
	struct member *to = &crew[m->job.target];
	unsigned int n = 1 + rng_below(&m->rng, 3);

	while (n--)
		pthread_kill(to->thread, rng_odds(&m->rng, 8) ? SIGUSR1 : SIGUSR2);
	return 0;
}

static long op_call(struct member *m)
{
	switch (m->job.op) {
	case OP_CONNECT:
		return do_connect(m);
	case OP_ACCEPT:
		return do_accept(m);
	case OP_CLOSE:
		return do_close(m);
	case OP_SHUTDOWN:
		return do_shutdown(m);
	case OP_SEND:
		return do_send(m);
	case OP_RECV:
		return do_recv(m, false);
	case OP_POLL:
		return do_poll(m);
	case OP_LISTEN:
		return do_listen(m);
	case OP_SETSOCKOPT:
		return do_setsockopt(m);
	case OP_PEEK:
		return do_recv(m, true);
	case OP_SPLICE:
		return do_splice(m);
	case OP_SIGNAL:
		return do_signal(m);
	case OP_NONE:
		break;
	}
	return 0;
}

void op_run(struct member *m)
{
	unsigned int before = atomic_load(&m->signals);

	for (unsigned int d = m->job.delay; d; d--)
		__asm__ volatile("" ::: "memory");
	m->ret = op_call(m);
	m->signalled = atomic_load(&m->signals) != before;
}
