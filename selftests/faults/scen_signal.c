// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenarios: signals that the module sends.  One for which there is no memory
 * comes all the same, and only says less.
 *
 * They stay blocked, so that none is delivered in the middle of a call: that would
 * be copies to the program's stack, which can fail, too.
 */
#include "fault.h"

static bool is_pending(int sig)
{
	const struct timespec now = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return SYS(sigtimedwait(&set, NULL, &now)) == sig;
}

/* It is not ignored either: blocked, it is kept. */
static int block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	FT_TRY(SYS(sigprocmask(SIG_BLOCK, &set, NULL)));
	is_pending(sig);
	return 0;
}

/* ---- SIGPIPE ---- */

static int setup_pipe(struct ft_env *e)
{
	FT_TRY(ft_setup_pair(e));
	close(e->fd[1]);
	e->fd[1] = -1;
	return block(SIGPIPE);
}

static long act_send_pipe(struct ft_env *e)
{
	return SYS(send(e->fd[0], ft_out, 1000, MSG_DONTWAIT));
}

/* As often as there is EPIPE. */
static int check_pipe(struct ft_env *e, long ret)
{
	FT_CHECK_EQ(ret == -EPIPE, is_pending(SIGPIPE));
	FT_CHECK_EQ(-EPIPE, act_send_pipe(e));
	FT_CHECK(is_pending(SIGPIPE));
	FT_CHECK(!is_pending(SIGPIPE));
	return ft_quiet(e->fd[0]);
}

/* ---- SIGIO ---- */

/* O_ASYNC, and what a socket on its way here has told is taken. */
static int make_async(int fd)
{
	FT_TRY(block(SIGIO));
	FT_TRY(SYS(fcntl(fd, F_SETOWN, getpid())));
	FT_TRY(SYS(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC)));
	is_pending(SIGIO);
	return 0;
}

static int setup_data(struct ft_env *e)
{
	FT_TRY(ft_setup_pair(e));
	return make_async(e->fd[1]);
}

static long act_send(struct ft_env *e)
{
	return SYS(send(e->fd[0], ft_out, 1000, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int check_data(struct ft_env *e, long ret)
{
	FT_CHECK_EQ(ret > 0, is_pending(SIGIO));
	return ft_check_sent(e, ret);
}

/* fd[0] has found no room, and may now hear of some. */
static int setup_full(struct ft_env *e)
{
	FT_TRY(ft_setup_pair(e));
	FT_TRY(make_async(e->fd[0]));
	e->len = rt_fill(e->fd[0], 20000);
	FT_CHECK(e->len > 0);
	is_pending(SIGIO);
	return 0;
}

/* All is read, what a fault has kept back a second time. */
static long act_drain(struct ft_env *e)
{
	long got = 0, n;

	do {
		n = SYS(recv(e->fd[1], ft_in, FT_BUF, MSG_DONTWAIT));
		got += n > 0 ? n : 0;
	} while (n > 0 || n == -EFAULT);
	return n == -EAGAIN ? got == e->len : n;
}

static int check_room(struct ft_env *e, long ret)
{
	FT_CHECK(is_pending(SIGIO));
	return ft_check_pair(e, ret);
}

/* fd[0] sends to fd[1], which fd[2] has filled, and is to hear of room there. */
static int setup_full_other(struct ft_env *e)
{
	ft_fd(e, 1, rt_bound(RT_RILL, SOCK_DGRAM, &e->a));
	FT_TRY(rt_set_int(e->fd[1], SOL_SOCKET, SO_RCVBUF, 10000));
	ft_fd(e, 2, rt_client(RT_RILL, SOCK_DGRAM, &e->a));
	e->len = rt_fill(e->fd[2], 1000);
	FT_CHECK(e->len > 0);
	ft_fd(e, 0, rt_bound(RT_RILL, SOCK_DGRAM, &e->b));
	return make_async(e->fd[0]);
}

static long act_sendto(struct ft_env *e)
{
	return SYS(sendto(e->fd[0], ft_out, 1000, MSG_DONTWAIT | MSG_NOSIGNAL,
			  &e->a.sa, e->a.len));
}

static int check_full_other(struct ft_env *e, long ret)
{
	FT_CHECK(!is_pending(SIGIO));
	FT_CHECK_EQ(e->len, rt_drain(e->fd[1], FT_BUF));
	FT_CHECK_EQ(ret == -EAGAIN, is_pending(SIGIO));
	FT_CHECK_EQ(1000, act_sendto(e));
	FT_CHECK_EQ(1000, SYS(recv(e->fd[1], ft_in, 2000, MSG_DONTWAIT)));
	FT_TRY(ft_quiet(e->fd[0]));
	return ft_quiet(e->fd[1]);
}

static long act_close(struct ft_env *e)
{
	long err = SYS(close(e->fd[0]));

	e->fd[0] = -1;
	return err;
}

static int check_end(struct ft_env *e, long ret)
{
	(void)ret;
	FT_CHECK(is_pending(SIGIO));
	FT_CHECK_EQ(0, SYS(recv(e->fd[1], ft_in, 1, MSG_DONTWAIT)));
	return 0;
}

/* The one in line is to hear what becomes of it. */
static int setup_line(struct ft_env *e)
{
	FT_TRY(ft_setup_line(e));
	return make_async(e->fd[2]);
}

static long act_accept(struct ft_env *e)
{
	return SYS(accept(e->fd[0], NULL, NULL));
}

static int check_admitted(struct ft_env *e, long ret)
{
	if (ret == FT_WANT_FD) {
		FT_CHECK(is_pending(SIGIO));
		FT_TRY(rt_connect(e->fd[2], &e->a));
		FT_TRY(ft_pass(e->fd[1], e->fd[7]));
	}
	FT_TRY(rt_set_nonblock(e->fd[0], true));
	return ft_check_listener(e, ret);
}

static int check_refused(struct ft_env *e, long ret)
{
	(void)ret;
	FT_CHECK(is_pending(SIGIO));
	FT_CHECK_EQ(ECONNREFUSED, rt_so_error(e->fd[2]));
	return 0;
}

#define ERRS	{ ENOMEM, EFAULT }

const struct ft_scenario ft_signal[] = {
	{ "send, SIGPIPE", FT_CONN, setup_pipe, act_send_pipe, -EPIPE,
	  .errs = ERRS, .check = check_pipe },
	{ "send, SIGIO for data", FT_ALL, setup_data, act_send, 1000,
	  .partial = true, .errs = ERRS, .check = check_data },
	{ "recv, SIGIO for room", FT_ALL, setup_full, act_drain, 1,
	  .check = check_room },
	{ "sendto, SIGIO for room there", FT_DGRAM, setup_full_other, act_sendto,
	  -EAGAIN, .errs = ERRS, .check = check_full_other },
	{ "close, SIGIO for the end", FT_CONN, setup_data, act_close, 0,
	  .check = check_end },
	{ "accept, SIGIO in line", FT_CONN, setup_line, act_accept, FT_WANT_FD,
	  .errs = { ENOMEM, EFAULT, ENFILE, EMFILE }, .check = check_admitted },
	{ "close a listener, SIGIO in line", FT_CONN, setup_line, act_close, 0,
	  .check = check_refused },
};

const unsigned int ft_n_signal = ARRAY_SIZE(ft_signal);
