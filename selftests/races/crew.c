// SPDX-License-Identifier: GPL-2.0-only
/*
 * The crew: threads that start together, and the help for those who sleep.
 *
 * Members 1 and up wait for a round to start.  All who play meet at the gate,
 * and begin after a delay of their own.  Waits are busy at first and asleep then.
 *
 * A member that has not come back sleeps, or is slow.  Member 0 asks poll about
 * what it waits for.  If that is there, the member has to come back with no
 * help: if it does not, a wake-up was lost.  If it is not there, member 0 makes
 * it happen, or interrupts the sleeper.
 */
#include "race.h"

#include <linux/futex.h>

#define QUIT		UINT_MAX
#define PATIENCE_US	30		/* before one looks who sleeps */
#define SPIN_MIN	32
#define SPIN_MAX	4096

/* A word that threads wait for: others change it, and wake those who sleep. */
static struct word gate;
static atomic_int missing;		/* at the gate */
static __thread struct member *self;
static __thread unsigned int patience = SPIN_MAX;

unsigned long long helped[3];

static void on_signal(int sig)
{
	(void)sig;
	if (self)
		atomic_fetch_add(&self->signals, 1);
}

/*
 * Until the word is no longer old, or for us microseconds (0: no limit).  Busily
 * at first, for as long as that has been of use lately: on a machine with other
 * work to do, who spins is in the way of whom it waits for.
 */
static void word_wait(struct word *w, unsigned int old, long us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };
	unsigned int n;

	for (n = 0; n < patience; n++) {
		if (atomic_load(&w->value) != old) {
			if (patience < SPIN_MAX)
				patience += patience / 8;
			return;
		}
		__builtin_ia32_pause();
	}
	if (patience > SPIN_MIN)
		patience -= patience / 4;
	atomic_fetch_add(&w->sleepers, 1);
	while (atomic_load(&w->value) == old) {
		syscall(SYS_futex, &w->value, FUTEX_WAIT_PRIVATE, old,
			us ? &ts : NULL);
		if (us)
			break;
	}
	atomic_fetch_sub(&w->sleepers, 1);
}

static void word_set(struct word *w, unsigned int value)
{
	atomic_store(&w->value, value);
	if (atomic_load(&w->sleepers))
		syscall(SYS_futex, &w->value, FUTEX_WAKE_PRIVATE, INT_MAX);
}

static unsigned int word_get(struct word *w)
{
	return atomic_load(&w->value);
}

static void *member_main(void *arg)
{
	struct member *m = arg;
	unsigned int last = 0;

	self = m;
	atomic_store(&m->tid, rt_gettid());
	for (;;) {
		word_wait(&m->start, last, 0);
		last = word_get(&m->start);
		if (last == QUIT)
			return NULL;
		/* The last of them opens the gate, for itself too. */
		if (atomic_fetch_sub(&missing, 1) == 1)
			word_set(&gate, last);
		else
			word_wait(&gate, last - 1, 0);
		op_run(m);
		word_set(&m->done, last);
	}
}

/* ---- help ---- */

/* Has an operation that is over put an end to sending from that end? */
static bool sending_ended(const struct member *m)
{
	enum obj obj = m->job.obj, other = obj == O_P ? O_Q : O_P;
	bool ended = false;
	int i;

	if (obj != O_P && obj != O_Q)
		return false;
	for (i = 0; i < sc.members; i++) {
		struct member *o = &crew[i];

		if (o == m)
			continue;
		if (i && word_get(&o->done) != sc.round) {
			/* Its call may keep a closed end alive. */
			if (o->job.obj == other)
				return false;
			continue;
		}
		if (o->ret)
			continue;
		if (o->job.op == OP_CLOSE)
			ended |= o->job.obj == other;
		if (o->job.op == OP_SHUTDOWN)
			ended |= o->job.obj == other ? o->variant != SHUT_WR :
				 o->job.obj == obj && o->variant != SHUT_RD;
	}
	return ended;
}

/* What the member waits for is there: it has to come back by itself. */
static bool must_return(struct member *m)
{
	struct pollfd p = { .fd = m->job.fd, .events = atomic_load(&m->events) };
	enum op op = m->job.op;
	int n;

	if (!p.events)
		return false;
	/* Poll of messages may say no: it looks at SO_SNDBUF first. */
	if (p.events == POLLOUT && op != OP_POLL && sending_ended(m))
		return true;
	if (op == OP_PEEK && (sc.lowat || sc.peek_off))
		return false;		/* it may wait for more than poll does */
	/* Nobody tells the family that SO_RCVBUF grew before the next poll. */
	if (sc.bufs && !rt_kernel_is(6, 2))
		return false;
	do
		n = poll(&p, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1 && !(p.revents & POLLNVAL);
}

/* The other end of a pair, if it is there. */
static int other_end(enum obj obj)
{
	enum obj other = obj == O_P ? O_Q : O_P;

	if (obj != O_P && obj != O_Q)
		return -1;
	return sc.closed[other] ? -1 : sc.fd[other];
}

static bool help_connect(void)
{
	for (int i = O_X; i < O_N; i++) {
		if (sc.fd[i] >= 0)
			continue;
		sc.fd[i] = rt_socket(RT_RILL, sc.type | SOCK_NONBLOCK);
		return sc.fd[i] >= 0 && rt_connect(sc.fd[i], &sc.name[O_L]) == 0;
	}
	return false;
}

static bool help_drain(struct member *m)
{
	int fd = other_end(m->job.obj);
	long n;

	if (fd < 0 || sc.readers)
		return false;
	/* Before a byte is gone: a peek that comes behind it may find the rest. */
	atomic_store(&sc.drained, true);
	do {
		n = SYS(recv(fd, crew->buf, sizeof(crew->buf), MSG_DONTWAIT));
		if (!take(crew, crew->buf, n, is_dgram() ? -1 : dir_of(m->job.obj),
			  false, true))
			wrong("received what was not sent, beside a sender");
	} while (n > 0);
	return true;
}

static bool help_data(struct member *m)
{
	int fd = other_end(m->job.obj);

	return fd >= 0 && put(crew, fd, dir_of(m->job.obj) ^ 1, 64,
			      MSG_DONTWAIT | MSG_NOSIGNAL, false,
			      is_dgram() ? &sc.name[m->job.obj] : NULL) > 0;
}

/* Have happen what a sleeper waits for.  False: it has to be a signal. */
static bool help(struct member *m)
{
	switch (m->job.op) {
	case OP_ACCEPT:
		return !sc.closed[O_L] && m->job.obj == O_L && help_connect();
	case OP_SPLICE:
		return m->variant ? help_data(m) : help_drain(m);
	case OP_RECV:
	case OP_PEEK:
		return help_data(m);
	case OP_SEND:
		return help_drain(m);
	default:
		return false;
	}
}

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* Wait for a member that may sleep. */
static void bring_back(struct member *m, unsigned int round)
{
	bool tried = false, by_signal = false, by_event = false;
	long long begin = 0, since = 0;
	long nap = PATIENCE_US;

	for (;;) {
		long long now;

		word_wait(&m->done, round - 1, nap);
		if (word_get(&m->done) == round)
			break;
		now = now_us();
		begin = begin ?: now;
		if (now - begin > stuck_ms * 1000LL)
			report_stuck("a call cannot be interrupted");
		if (must_return(m)) {
			/* It is awake, or will never be: let it run. */
			since = since ?: now;
			if (now - since > stuck_ms * 1000LL)
				report_stuck("a wake-up was lost");
			nap = now - since > 20000 ? 5000 : 200;
			begin = now;
			continue;
		}
		since = 0;
		if (!tried && rng_odds(&crew->rng, 8)) {
			tried = true;
			by_event = help(m);
			nap = 100;
			continue;
		}
		tried = true;
		by_signal = true;
		/* Again: it may have come before the call began. */
		pthread_kill(m->thread, SIGUSR1);
		nap = 200 + (now - begin) / 4;
		if (nap > 20000)
			nap = 20000;
	}
	helped[by_signal ? 1 : by_event ? 0 : 2]++;
}

/* One round: everybody's job is set. */
void crew_play(void)
{
	unsigned int round = sc.round;
	int i;

	/* Words count rounds, for whoever did not play the last one too. */
	atomic_store(&missing, sc.members);
	atomic_store(&gate.value, round - 1);
	for (i = 1; i < sc.members; i++) {
		atomic_store(&crew[i].done.value, round - 1);
		word_set(&crew[i].start, round);
	}
	if (atomic_fetch_sub(&missing, 1) == 1)
		word_set(&gate, round);
	else
		word_wait(&gate, round - 1, 0);
	op_run(crew);
	for (i = 1; i < sc.members; i++) {
		if (crew[i].job.block)
			bring_back(&crew[i], round);
		else
			word_wait(&crew[i].done, round - 1, 0);
	}
}

static void pin(pthread_t thread, int cpu)
{
	cpu_set_t set;

	/* Two that race are to run at the same time; with one CPU, so be it. */
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sysconf(_SC_NPROCESSORS_ONLN) > cpu)
		pthread_setaffinity_np(thread, sizeof(set), &set);
}

static int member_init(struct member *m, int index)
{
	m->index = index;
	m->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (m->epfd < 0 || pipe2(m->pipe, O_CLOEXEC))
		return -errno;
	return 0;
}

int crew_start(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int i, err;

	/* USR1 ends a call, after USR2 and IO it is restarted where it can be. */
	sigaction(SIGUSR1, &sa, NULL);
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR2, &sa, NULL);
	sigaction(SIGIO, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);

	self = crew;
	crew->thread = pthread_self();
	atomic_store(&crew->tid, rt_gettid());
	for (i = 0; i < CREW; i++) {
		err = member_init(&crew[i], i);
		if (!err && i)
			err = -pthread_create(&crew[i].thread, NULL, member_main,
					      &crew[i]);
		if (err)
			return err;
	}
	pin(crew->thread, 0);
	pin(crew[1].thread, 1);
	return 0;
}

void crew_stop(void)
{
	for (int i = 1; i < CREW; i++) {
		word_set(&crew[i].start, QUIT);
		pthread_join(crew[i].thread, NULL);
	}
}
