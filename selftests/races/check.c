// SPDX-License-Identifier: GPL-2.0-only
/*
 * After the race, when one thread is left: what must hold whatever won.
 *
 *  - Nobody stands in line for nothing; each connection that a client has is one
 *    that accept() returned, once.
 *  - Every byte and message sent was received once, unless its receiver is gone.
 *  - What poll says is true; two ends that are left still talk to each other.
 *  - In the end all counters are 0.
 */
#include "race.h"

#define MAX_ENDS	(CREW * MAX_ACCEPTED + 8)

static int ends[MAX_ENDS];		/* accepted, in this round */
static int n_ends;

static short events_of(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };
	int n;

	do
		n = poll(&p, 1, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? POLLNVAL : p.revents;
}

static bool any_shut(void)
{
	for (int i = 0; i < O_N; i++)
		if (sc.was_shut[i])
			return true;
	return false;
}

/* Take out what closed, so that no number is used again by mistake. */
static void forget_closed(void)
{
	for (int i = 0; i < sc.members; i++) {
		struct job *j = &crew[i].job;

		if (j->op != OP_CLOSE || sc.fd[j->obj] < 0)
			continue;
		if (j->fd_close >= 0)
			close(sc.fd[j->obj]);
		sc.fd[j->obj] = -1;
	}
	if (sc.fd[O_L] < 0)
		sc.l_ready = false;
}

/* Receive all that is left there.  dir: from which direction, -1 unknown. */
static void drain(int fd, int dir, bool alone, bool ended, const char *who)
{
	long n;

	for (;;) {
		n = SYS(recv(fd, crew->buf, sizeof(crew->buf), MSG_DONTWAIT));
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		if (!take(crew, crew->buf, n, dir, false, alone))
			wrong("%s has what was not sent, or in another order", who);
	}
	if (n == -ECONNRESET && sc.lossy && !is_dgram())
		n = SYS(recv(fd, crew->buf, 1, MSG_DONTWAIT));
	if (n == 0 && (sc.lossy || any_shut()))
		return;
	if (n == -EAGAIN && !ended)
		return;
	wrong("%s: after all was read, recv() gives %ld (%s)", who, n,
	      n < 0 ? strerror(-n) : "the end");
}

/* Who was the only reader knows what comes next. */
static bool take_over(void)
{
	if (sc.readers > 1 || is_dgram())
		return false;
	for (int i = 1; i < sc.members; i++) {
		struct member *m = &crew[i];

		if (m->job.op == OP_RECV || (m->job.op == OP_SPLICE && m->variant))
			memcpy(crew->led.next, m->led.next, sizeof(m->led.next));
	}
	return true;
}

static void check_ledger(void)
{
	uint32_t sent, got, lost = 0, more = 0;
	int v, i;

	for (v = 0; v < 256; v++) {
		sent = 0;
		got = 0;
		for (i = 0; i < CREW; i++) {
			sent += crew[i].led.sent[v];
			got += crew[i].led.got[v];
		}
		if (got > sent)
			more += got - sent;
		else if (!sc.lossy)
			lost += sent - got;
	}
	if (lost || more)
		wrong("%u %s lost, %u doubled", lost, is_stream() ? "bytes" : "messages",
		      more);
}

/* ---- listeners ---- */

/* Accept all that there is.  Does it still listen? */
static bool accept_rest(void)
{
	struct rill_queue q = { 0 };
	socklen_t len = sizeof(q);
	short ev;
	int i, k;

	n_ends = 0;
	for (i = 0; i < CREW; i++)
		for (k = 0; k < crew[i].n_accepted; k++)
			ends[n_ends++] = crew[i].accepted[k];
	if (sc.fd[O_L] < 0)
		return false;
	for (;;) {
		int fd;

		ev = events_of(sc.fd[O_L]);
		if (ev & POLLRDHUP)
			return false;
		if (!(ev & POLLIN))
			break;
		fd = SYS(accept4(sc.fd[O_L], NULL, NULL, SOCK_NONBLOCK));
		if (fd < 0) {
			wrong("poll says there is one, accept(): %s", strerror(-fd));
			break;
		}
		if (n_ends == MAX_ENDS) {
			wrong("accept() without end");
			close(fd);
			break;
		}
		/* Closed with the scene. */
		for (k = 0; k < CREW && crew[k].n_accepted == MAX_ACCEPTED; k++)
			;
		crew[k].accepted[crew[k].n_accepted++] = fd;
		ends[n_ends++] = fd;
	}
	if (getsockopt(sc.fd[O_L], SOL_RILL, RILL_QUEUE, &q, &len) ||
	    q.rq_len || q.rq_waiting)
		wrong("the queue is empty and has %u, in line %u", q.rq_len,
		      q.rq_waiting);
	return true;
}

/* Each connected client says who it is; each accepted end has heard one. */
static void check_tokens(const bool *connected)
{
	unsigned int said = 0, heard = 0;
	unsigned char c;
	int i;

	for (i = O_C; i < O_N; i++) {
		c = i;
		if (!connected[i])
			continue;
		said |= 1U << i;
		if (SYS(send(sc.fd[i], &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL)) != 1)
			wrong("%s is connected and cannot send", obj_name[i]);
	}
	for (i = 0; i < n_ends; i++) {
		if (SYS(recv(ends[i], &c, 1, MSG_DONTWAIT)) != 1) {
			wrong("an accepted end that nobody has at the other side");
			continue;
		}
		if (c >= O_N || heard & 1U << c)
			wrong("two accepted ends of one client");
		heard |= 1U << (c & 31);
	}
	if (said != heard)
		wrong("connected: %#x, accepted: %#x", said, heard);
}

static void check_listener(void)
{
	bool alone = take_over(), connected[O_N] = { false };
	bool calm = !sc.lossy && !any_shut(), listens;
	int i;

	listens = accept_rest();
	for (i = 0; i < n_ends; i++)
		drain(ends[i], 0, alone, false, "an accepted end");
	for (i = O_C; i < O_N; i++) {
		short ev;

		if (sc.fd[i] < 0)
			continue;
		ev = events_of(sc.fd[i]);
		connected[i] = !(ev & POLLHUP);
		if (!ev)
			wrong("%s stands in line, %s", obj_name[i], listens ?
			      "and the queue is empty" : "and nobody listens");
		/* Less than SO_RCVLOWAT is no POLLIN. */
		if (connected[i] || ev & POLLIN)
			drain(sc.fd[i], 1, alone, !connected[i], obj_name[i]);
	}
	for (i = 0; i < sc.members && calm; i++) {
		const struct member *m = &crew[i];

		if (m->job.op == OP_CONNECT && !m->variant && !m->ret &&
		    sc.op[0] != sc.op[1] && !connected[m->job.obj])
			wrong("connect() of %s gave 0, and it is not connected",
			      obj_name[m->job.obj]);
	}
	check_ledger();
	if (calm && listens)
		check_tokens(connected);
}

/* ---- two ends ---- */

static void check_ping(enum obj from, enum obj to)
{
	unsigned char c = 0x5a, d = 0;
	long n = SYS(send(sc.fd[from], &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL));

	if (is_dgram() && n < 0)
		return;
	if (n == 1 && is_dgram()) {
		/* To whom is known to the winner of the race. */
		if (SYS(recv(sc.fd[to], &d, 1, MSG_DONTWAIT)) != 1 &&
		    SYS(recv(sc.fd[O_C], &d, 1, MSG_DONTWAIT)) != 1)
			wrong("a datagram went nowhere");
		return;
	}
	if (n != 1 || SYS(recv(sc.fd[to], &d, 1, MSG_DONTWAIT)) != 1 || d != c)
		wrong("%s cannot talk to %s any more", obj_name[from], obj_name[to]);
}

static void check_end(enum obj obj, bool alone)
{
	enum obj other = obj == O_P ? O_Q : O_P;
	int fd = sc.fd[obj];
	short ev;

	if (fd < 0)
		return;
	drain(fd, is_dgram() ? -1 : dir_of(other), alone,
	      !is_dgram() && sc.closed[other], obj_name[obj]);
	if (sc.closed[other]) {
		ev = events_of(fd);
		if (!is_dgram() && (ev & (POLLHUP | POLLRDHUP | POLLIN)) !=
		    (POLLHUP | POLLRDHUP | POLLIN))
			wrong("the peer of %s has closed, and poll says %#x",
			      obj_name[obj], ev);
	}
}

static void check_pair(void)
{
	bool alone = take_over();
	int i;

	check_end(O_P, alone);
	check_end(O_Q, alone);
	if (is_dgram() && sc.fd[O_C] >= 0)
		drain(sc.fd[O_C], -1, false, false, obj_name[O_C]);
	check_ledger();
	if (any_shut() || sc.closed[O_P] || sc.closed[O_Q])
		return;
	for (i = O_P; i <= O_Q && !is_dgram(); i++) {
		short ev = events_of(sc.fd[i]);

		if (ev != POLLOUT)
			wrong("%s is empty on both ways, and poll says %#x",
			      obj_name[i], ev);
	}
	check_ping(O_P, O_Q);
	check_ping(O_Q, O_P);
}

/* ---- counters ---- */

struct counters {
	long long connected, accepted, waiting, sockets, names;
};

static long long find(const char *text, const char *name)
{
	const char *p = strstr(text, name);

	return p ? atoll(p + strlen(name)) : -1;
}

static bool read_counters(struct counters *c)
{
	static int fd = -1;
	char buf[1024];
	ssize_t n;

	if (fd < 0)
		fd = open("/proc/thread-self/net/rill_stat", O_RDONLY | O_CLOEXEC);
	n = pread(fd, buf, sizeof(buf) - 1, 0);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	c->connected = find(buf, "connect_ok ");
	c->accepted = find(buf, "accept_ok ");
	c->waiting = find(buf, "\nwaiting ");
	c->sockets = find(buf, "\nsockets ");
	c->names = find(buf, "\nnames ");
	return true;
}

void check(uint64_t *rng)
{
	static struct counters before;
	static bool have;
	struct counters now;
	int i;

	for (i = 0; i < sc.members; i++)
		judge(&crew[i]);
	forget_closed();
	if (sc.on_listener)
		check_listener();
	else
		check_pair();
	for (i = 0; i < sc.members; i++) {
		const struct job *j = &crew[i].job;

		if (j->obj != O_L)
			continue;
		if (j->op == OP_SETSOCKOPT)
			sc.l_ready = false;
		else if (j->op == OP_LISTEN || j->op == OP_SHUTDOWN)
			sc.l_backlog = -1;
	}
	scene_close();

	/* Connections made are connections accepted, round by round. */
	if (sc.lossy || any_shut() || sc.fd[O_L] < 0) {
		have = false;
	} else if (have || rng_odds(rng, 1)) {
		if (!read_counters(&now)) {
			wrong("cannot read the counters");
			return;
		}
		if (now.waiting)
			wrong("%lld in line when all is closed", now.waiting);
		if (have && now.connected - before.connected !=
			    now.accepted - before.accepted)
			wrong("%lld connections were made, %lld accepted",
			      now.connected - before.connected,
			      now.accepted - before.accepted);
		have = !have;
		before = now;
	}
	if (!sc.l_ready)
		scene_drop_listener();
}

static bool all_gone(struct counters *c)
{
	return read_counters(c) && !c->sockets && !c->names && !c->waiting;
}

/* Everything is closed: what is left?  A grace period may have to pass. */
bool check_gone(void)
{
	struct counters c = { 0 };

	if (RT_UNTIL(all_gone(&c)))
		return true;
	wrong("left behind: %lld sockets, %lld names, %lld in line", c.sockets,
	      c.names, c.waiting);
	return false;
}
