// SPDX-License-Identifier: GPL-2.0-only
/*
 * One play of a scenario: set up, act with the n-th fault, check, clean up.
 */
#include "fault.h"

#include <setjmp.h>

#define STACK	(256 * 1024)

const char *ft_type_name(int type)
{
	return type == SOCK_STREAM ? "stream" :
	       type == SOCK_SEQPACKET ? "seqpacket" : "dgram";
}

static jmp_buf wrong;

void ft_wrong(int line, const char *what, long long got)
{
	printf("# line %d: not so: %s (%lld)\n", line, what, got);
	longjmp(wrong, line);
}

void ft_try(int line, int err)
{
	if (err)
		ft_wrong(line, "it works", err);
}

void ft_fd(struct ft_env *e, int i, int fd)
{
	e->fd[i] = fd;
	if (fd < 0)
		ft_wrong(__LINE__, "there is a descriptor", fd);
}

int ft_guard(int (*fn)(void *arg), void *arg)
{
	int line = setjmp(wrong);

	return line ?: fn(arg);
}

/* What a call may need of its stack is there before: no page faults in it. */
static void __attribute__((noinline)) touch_stack(void)
{
	char room[16 * 1024];

	memset(room, 1, sizeof(room));
	__asm__ volatile("" : : "r"(room) : "memory");
}

struct actor {
	const struct ft_scenario *sc;
	struct ft_env	*env;
	unsigned int	n;
	struct ft_play	*play;
	atomic_int	tid;
	atomic_int	done;
};

static void act(struct actor *a)
{
	int nth = ft_nth_open();

	touch_stack();
	if (nth < 0 || ft_nth_begin(nth, a->n)) {
		a->play->ret = -ENOTRECOVERABLE;
	} else {
		a->play->ret = a->sc->act(a->env);
		/* 0 asks for none, and is what is read after one. */
		a->play->injected = ft_nth_end(nth) && a->n;
	}
	close(nth);
	a->env->injected = a->play->injected;
	atomic_store(&a->done, 1);
}

static void *actor_main(void *data)
{
	struct actor *a = data;

	atomic_store(&a->tid, rt_gettid());
	act(a);
	return NULL;
}

/* In a thread, and woken when it sleeps, or when it has come back already. */
static int act_asleep(struct actor *a)
{
	struct timespec ts;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	err = pthread_create(&thread, &attr, actor_main, a);
	pthread_attr_destroy(&attr);
	if (err)
		return -err;
	FT_CHECK(RT_UNTIL(atomic_load(&a->done) ||
			  (atomic_load(&a->tid) &&
			   rt_sleeps_in(atomic_load(&a->tid), a->sc->nr))));
	a->sc->wake(a->env);
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += RT_WAIT_MS / 1000;
	FT_CHECK_EQ(0, pthread_timedjoin_np(thread, NULL, &ts));
	return 0;
}

/*
 * Every name gone, nobody in line, no socket in /proc/net/rill: what close()
 * promises.  The sockets themselves go with a grace period.
 */
int ft_nothing_left(void *unused)
{
	char line[256] = "";
	FILE *f;
	int n = 0;

	(void)unused;
	FT_CHECK_EQ(0, rt_counter("names"));
	FT_CHECK_EQ(0, rt_counter("waiting"));
	f = fopen("/proc/thread-self/net/rill", "re");
	FT_CHECK(f);
	while (fgets(line, sizeof(line), f))
		n++;
	fclose(f);
	if (n != 1)
		printf("# left: %s", line);
	FT_CHECK_EQ(1, n);
	return 0;
}

/* In ft_guard(). */
static int play(void *data)
{
	struct actor *a = data;
	const struct ft_scenario *sc = a->sc;
	struct ft_env *e = a->env;

	/* What an earlier play received is not taken for what this one has. */
	memset(ft_in, 0, FT_BUF);
	FT_TRY(sc->setup(e));
	if (sc->wake)
		FT_TRY(act_asleep(a));
	else
		act(a);
	if (sc->want == FT_WANT_FD && a->play->ret >= 0) {
		e->fd[7] = a->play->ret;
		a->play->ret = FT_WANT_FD;
	}
	if (sc->check)
		FT_TRY(sc->check(e, a->play->ret));
	return 0;
}

/**
 * ft_play_once() - play a scenario
 * @sc: which
 * @type: a socket type that it has
 * @n: which allocation or copy fails; 0: none
 * @result: gets what the call returned, and whether something was injected
 *
 * Return: 0, or the line of what went wrong.
 */
int ft_play_once(const struct ft_scenario *sc, int type, unsigned int n,
		 struct ft_play *result)
{
	struct ft_env e = { .type = type, .n = n };
	struct actor a = { .sc = sc, .env = &e, .n = n, .play = result };
	static unsigned int names;
	char name[64];
	int err;

	for (int i = 0; i < FT_FDS; i++)
		e.fd[i] = -1;
	snprintf(name, sizeof(name), "failnth/%u/a", names);
	e.a = rt_addr(RT_RILL, name);
	snprintf(name, sizeof(name), "failnth/%u/b", names++);
	e.b = rt_addr(RT_RILL, name);
	result->ret = 0;
	result->injected = false;
	err = ft_guard(play, &a);
	for (int i = 0; i < FT_FDS; i++)
		if (e.fd[i] >= 0)
			close(e.fd[i]);
	return err ?: ft_guard(ft_nothing_left, NULL);
}

bool ft_allowed(const struct ft_scenario *sc, const struct ft_play *play)
{
	if (play->ret == sc->want)
		return true;
	if (!play->injected)
		return false;
	if (sc->partial && play->ret > 0 && play->ret < sc->want)
		return true;
	for (int i = 0; i < FT_ERRS && sc->errs[i]; i++)
		if (play->ret == -sc->errs[i])
			return true;
	return false;
}
