// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scene of a round: who does what to which socket, and those sockets in a
 * state in which that is interesting.
 *
 * A round is about a listener, its queue and its line, with connectors; or about
 * two ends that talk to each other.  Datagrams have no listener: they have two
 * ends, and a third socket that either may turn to.
 *
 * O_NONBLOCK belongs to the socket and not to the call, so a socket has it if
 * member 0, which never waits, does what has no flag of its own there.
 */
#include "race.h"

static bool moves_data(enum op op)
{
	return op == OP_SEND || op == OP_RECV || op == OP_PEEK || op == OP_SPLICE;
}

static bool of_listener(enum op op)
{
	return op == OP_CONNECT || op == OP_ACCEPT || op == OP_LISTEN;
}

static bool can_wait(enum op op)
{
	return moves_data(op) || op == OP_CONNECT || op == OP_ACCEPT || op == OP_POLL;
}

/* Does only O_NONBLOCK of the socket keep it from waiting? */
static bool waits_by_file(enum op op)
{
	return op == OP_CONNECT || op == OP_ACCEPT || op == OP_SPLICE;
}

static enum obj listener_obj(uint64_t *rng, enum op op)
{
	switch (op) {
	case OP_ACCEPT:
		return O_L;
	case OP_LISTEN:
		return rng_odds(rng, 15) ? O_L : O_C;
	case OP_CONNECT:
		return rng_odds(rng, 10) ? O_C : O_D;
	case OP_CLOSE:
	case OP_SHUTDOWN:
	case OP_POLL:
	case OP_SETSOCKOPT:
		return rng_odds(rng, 8) ? O_L : rng_odds(rng, 13) ? O_C : O_X;
	default:
		return rng_odds(rng, 14) ? O_C : O_D;
	}
}

static void plan_focus(uint64_t *rng)
{
	bool listener = of_listener(sc.op[0]) || of_listener(sc.op[1]);
	bool data = moves_data(sc.op[0]) && moves_data(sc.op[1]);

	if (is_dgram())
		sc.on_listener = false;
	else
		sc.on_listener = rng_odds(rng, listener ? 15 : data ? 2 : 6);
}

static enum op waiting_op(uint64_t *rng)
{
	static const enum op choice[] = {
		OP_RECV, OP_SEND, OP_POLL, OP_PEEK, OP_SPLICE, OP_ACCEPT, OP_CONNECT,
	};

	return choice[rng_below(rng, is_dgram() ? 5 : 7)];
}

/*
 * Who plays: two, of whom neither waits or one does; or, with member 0 aside,
 * two to three who all may.
 */
static void plan_crew(uint64_t *rng)
{
	bool swap = rng_odds(rng, 8);
	enum op a = sc.op[swap], b = sc.op[!swap];
	unsigned int how = rng_below(rng, 16);
	int i;

	for (i = 0; i < CREW; i++)
		crew[i].job.op = OP_NONE;
	if (a == OP_SIGNAL && b == OP_SIGNAL) {
		/* They need somebody to interrupt. */
		sc.members = 4;
		crew[1].job.op = waiting_op(rng);
		crew[1].job.block = true;
		crew[2].job.op = OP_SIGNAL;
		crew[3].job.op = OP_SIGNAL;
		crew[2].job.target = 1;
		crew[3].job.target = 1;
		return;
	}
	if (how < 12) {
		sc.members = 2;
		crew[0].job.op = a;
		crew[1].job.op = b;
		crew[1].job.block = how >= 8 && can_wait(b);
		crew[0].job.target = 1;
		crew[1].job.target = 0;
		return;
	}
	sc.members = how < 15 ? 3 : 4;
	for (i = 1; i < sc.members; i++) {
		crew[i].job.op = i & 1 ? a : b;
		crew[i].job.block = can_wait(crew[i].job.op);
		crew[i].job.target = i == 1 ? 2 : 1;
	}
}

static bool makes_fd(enum op op)
{
	return op == OP_ACCEPT;
}

static void plan_job(uint64_t *rng, struct job *j)
{
	j->fd_close = -1;
	j->delay = rng_next(rng) & ((1U << rng_below(rng, 15)) - 1);
	if (sc.on_listener)
		j->obj = listener_obj(rng, j->op);
	else
		j->obj = rng_odds(rng, 8) ? O_P : O_Q;
	switch (j->op) {
	case OP_CLOSE:
		sc.closed[j->obj] = true;
		sc.lossy = true;
		break;
	case OP_SHUTDOWN:
		sc.was_shut[j->obj] = true;
		if (j->obj == O_L)
			sc.lossy = true;
		break;
	case OP_RECV:
		sc.readers++;
		break;
	default:
		break;
	}
}

static void plan_setsockopt(uint64_t *rng, struct member *m)
{
	m->variant = rng_below(rng, 15);
	switch (m->variant) {
	case 0:
	case 1:
		sc.bufs = true;
		break;
	case 2:
		sc.lowat = true;
		break;
	case 5:
		sc.timeo = true;
		break;
	case 6:
		sc.peek_off = true;
		break;
	}
}

static void plan_nonblock(uint64_t *rng)
{
	bool need[O_N] = { false }, wait[O_N] = { false };
	int i;

	for (i = 0; i < sc.members; i++) {
		struct job *j = &crew[i].job;

		if (j->op == OP_NONE || j->op == OP_SIGNAL)
			continue;
		if (j->block)
			wait[j->obj] = true;
		else if (waits_by_file(j->op))
			need[j->obj] = true;
	}
	for (i = 0; i < O_N; i++)
		sc.nonblock[i] = need[i] || (!wait[i] && rng_odds(rng, 12));
	for (i = 0; i < sc.members; i++)
		if (sc.nonblock[crew[i].job.obj] && crew[i].job.op != OP_POLL)
			crew[i].job.block = false;
}

/* Who does what to which socket. */
bool scene_plan(uint64_t *rng)
{
	bool fds = false;
	int i;

	for (i = 0; i < O_N; i++) {
		sc.closed[i] = false;
		sc.was_shut[i] = false;
		if (i != O_L)
			sc.fd[i] = -1;
	}
	sc.lossy = false;
	sc.timeo = false;
	sc.lowat = false;
	sc.peek_off = false;
	sc.bufs = false;
	sc.readers = 0;
	atomic_store(&sc.drained, false);
	for (i = 0; i < CREW; i++) {
		struct member *m = &crew[i];

		memset(&m->led, 0, sizeof(m->led));
		memset(&m->job, 0, sizeof(m->job));
		m->n_accepted = 0;
		m->ret = 0;
		m->variant = 0;
		m->wrong = NULL;
		m->signalled = false;
		atomic_store(&m->events, 0);
		m->rng = (uint64_t)rng_next(rng) << 32 | rng_next(rng) | 1;
	}
	plan_focus(rng);
	plan_crew(rng);
	for (i = 0; i < sc.members; i++) {
		struct member *m = &crew[i];

		if (m->job.op == OP_NONE)
			continue;
		plan_job(rng, &m->job);
		fds |= makes_fd(m->job.op);
		if (m->job.op == OP_SETSOCKOPT)
			plan_setsockopt(rng, m);
		if (m->job.op == OP_SPLICE) {
			m->variant = rng_odds(rng, 8);
			sc.readers += m->variant;
		}
	}
	plan_nonblock(rng);
	for (i = 0; i < sc.members; i++)
		if (crew[i].job.op == OP_CLOSE && (fds || sc.members > 2))
			crew[i].job.fd_close = bad_fd;
	return true;
}

/* ---- building it ---- */

static int sock(enum obj obj)
{
	return rt_socket(RT_RILL, sc.type | (sc.nonblock[obj] ? SOCK_NONBLOCK : 0));
}

static bool failed(const char *what, long err)
{
	wrong("cannot build the scene: %s: %s", what, strerror(-err));
	return false;
}

void scene_drop_listener(void)
{
	if (sc.fd[O_L] >= 0)
		close(sc.fd[O_L]);
	sc.fd[O_L] = -1;
	sc.l_ready = false;
}

static bool build_listener(void)
{
	int fd = sc.fd[O_L], err;

	if (!sc.l_ready) {
		scene_drop_listener();
		fd = sock(O_L);
		if (fd < 0)
			return failed("socket", fd);
		sc.fd[O_L] = fd;
		/* The name of one that is closed is free at once. */
		err = rt_bind(fd, &sc.name[O_L]);
		if (err)
			return failed("bind", err);
		sc.l_ready = true;
		sc.l_backlog = -1;
		sc.l_nonblock = sc.nonblock[O_L];
	}
	if (sc.l_nonblock != sc.nonblock[O_L]) {
		rt_set_nonblock(fd, sc.nonblock[O_L]);
		sc.l_nonblock = sc.nonblock[O_L];
	}
	if (sc.l_backlog == sc.backlog)
		return true;
	sc.l_backlog = sc.backlog;
	err = SYS(listen(fd, sc.backlog));
	return err ? failed("listen", err) : true;
}

/* Clients that have come before: some, a queue full, or a line as well. */
static bool build_extras(uint64_t *rng)
{
	int n, i, err;

	switch (rng_below(rng, 4)) {
	case 0:
	case 1:
		n = 0;
		break;
	case 2:
		n = 1 + sc.backlog;
		break;
	default:
		n = 1 + sc.backlog + 1 + rng_below(rng, 2);
		break;
	}
	for (i = 0; i < n && i < EXTRAS - 1; i++) {
		sc.fd[O_X + i] = rt_socket(RT_RILL, sc.type | SOCK_NONBLOCK);
		err = sc.fd[O_X + i] < 0 ? sc.fd[O_X + i] :
		      rt_connect(sc.fd[O_X + i], &sc.name[O_L]);
		if (err && !(err == -EINPROGRESS && i > sc.backlog))
			return failed("a client", err);
	}
	return true;
}

static bool build_on_listener(uint64_t *rng)
{
	bool d = false;
	int i, err;

	sc.backlog = rng_below(rng, 2);
	if (!build_listener() || !build_extras(rng))
		return false;
	for (i = 0; i < sc.members; i++) {
		d |= crew[i].job.obj == O_D;
		/* Such as there are. */
		if (crew[i].job.obj == O_X && sc.fd[O_X] < 0)
			crew[i].job.obj = O_C;
	}
	sc.fd[O_C] = sock(O_C);
	if (sc.fd[O_C] < 0)
		return failed("socket", sc.fd[O_C]);
	/* Connected or in line already? */
	if (rng_odds(rng, sc.op[0] == OP_CONNECT ? 4 : 9)) {
		if (!sc.nonblock[O_C])
			rt_set_nonblock(sc.fd[O_C], true);
		err = rt_connect(sc.fd[O_C], &sc.name[O_L]);
		if (err && err != -EINPROGRESS)
			return failed("connect", err);
		if (!sc.nonblock[O_C])
			rt_set_nonblock(sc.fd[O_C], false);
	}
	if (d) {
		sc.fd[O_D] = sock(O_D);
		if (sc.fd[O_D] < 0)
			return failed("socket", sc.fd[O_D]);
	}
	return true;
}

static bool build_pair(uint64_t *rng)
{
	int p = sc.nonblock[O_P] ? SOCK_NONBLOCK : 0;
	int q = sc.nonblock[O_Q] ? SOCK_NONBLOCK : 0;
	int fd[2], err;

	if (rng_odds(rng, 8)) {
		err = SYS(socketpair(rt_rill_family(), sc.type | p, 0, fd));
		if (err)
			return failed("socketpair", err);
		if (p != q)
			rt_set_nonblock(fd[1], q);
	} else {
		if (sc.l_backlog < 0)
			sc.backlog = 0;
		if (!build_listener())
			return false;
		fd[0] = rt_client(RT_RILL, sc.type | p, &sc.name[O_L]);
		if (fd[0] < 0)
			return failed("connect", fd[0]);
		fd[1] = SYS(accept4(sc.fd[O_L], NULL, NULL, q));
		if (fd[1] < 0)
			return failed("accept", fd[1]);
	}
	sc.fd[O_P] = fd[0];
	sc.fd[O_Q] = fd[1];
	return true;
}

static bool build_dgram(uint64_t *rng)
{
	static const enum obj all[] = { O_P, O_Q, O_C };
	int i, err;

	for (i = 0; i < 3; i++) {
		int fd = sock(all[i]);

		if (fd < 0)
			return failed("socket", fd);
		sc.fd[all[i]] = fd;
		err = rt_bind(fd, &sc.name[all[i]]);
		if (err)
			return failed("bind", err);
	}
	if (rng_odds(rng, 11)) {
		err = rt_connect(sc.fd[O_P], &sc.name[O_Q]);
		if (err)
			return failed("connect", err);
	}
	if (rng_odds(rng, 8)) {
		err = rt_connect(sc.fd[O_Q], &sc.name[O_P]);
		if (err)
			return failed("connect", err);
	}
	return true;
}

/* Bytes or messages on their way already: none, some, or as many as fit. */
static bool preload(uint64_t *rng, enum obj obj)
{
	const struct rt_addr *to = is_dgram() ? &sc.name[obj == O_P ? O_Q : O_P] : NULL;
	int how = rng_below(rng, 4);
	long n;

	if (how < 2)
		return true;
	if (how == 3) {
		/* Small, or it would take long. */
		rt_set_int(sc.fd[obj], SOL_SOCKET, SO_SNDBUF, 1);
		rt_set_int(sc.fd[obj == O_P ? O_Q : O_P], SOL_SOCKET, SO_RCVBUF, 1);
	}
	do
		n = put(crew, sc.fd[obj], dir_of(obj), how == 2 ? 40 : MAX_LEN,
			MSG_DONTWAIT | MSG_NOSIGNAL, false, to);
	while (n > 0 && how == 3);
	if (n < 0 && n != -EAGAIN && n != -ENOBUFS && n != -EPERM)
		return failed("send", n);
	return true;
}

bool scene_build(uint64_t *rng)
{
	int i;

	if (sc.on_listener) {
		if (!build_on_listener(rng))
			return false;
	} else if (!(is_dgram() ? build_dgram(rng) : build_pair(rng)) ||
		   !preload(rng, O_P) || !preload(rng, O_Q)) {
		return false;
	}
	/* After an object was replaced, flags and marks are its own. */
	for (i = 0; i < sc.members; i++) {
		struct job *j = &crew[i].job;

		j->fd = sc.fd[j->obj];
		if (j->op == OP_CLOSE)
			sc.closed[j->obj] = true;
		if (j->op == OP_SHUTDOWN)
			sc.was_shut[j->obj] = true;
		if (sc.nonblock[j->obj] && j->op != OP_POLL)
			j->block = false;
	}
	return true;
}

/* Everything but the listener. */
void scene_close(void)
{
	int i, k;

	for (i = 0; i < CREW; i++) {
		for (k = 0; k < crew[i].n_accepted; k++)
			close(crew[i].accepted[k]);
		crew[i].n_accepted = 0;
	}
	for (i = 0; i < O_N; i++) {
		if (i == O_L || sc.fd[i] < 0)
			continue;
		close(sc.fd[i]);
		sc.fd[i] = -1;
	}
}
