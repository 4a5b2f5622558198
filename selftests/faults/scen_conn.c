// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenarios: sockets, names and connections.
 */
#include "fault.h"

static int none(struct ft_env *e)
{
	(void)e;
	return 0;
}

/* ---- socket, socketpair ---- */

static long act_socket(struct ft_env *e)
{
	return rt_socket(RT_RILL, e->type);
}

static long act_socketpair(struct ft_env *e)
{
	return SYS(socketpair(rt_rill_family(), e->type, 0, e->fd));
}

static int check_socketpair(struct ft_env *e, long ret)
{
	return ret ? 0 : ft_check_pair(e, ret);
}

static int check_socket(struct ft_env *e, long ret)
{
	if (ret == FT_WANT_FD)
		FT_CHECK_EQ(0, rt_bind(e->fd[7], &e->a));
	return 0;
}

/* ---- bind ---- */

static int setup_socket(struct ft_env *e)
{
	ft_fd(e, 0, rt_socket(RT_RILL, e->type));
	return 0;
}

static long act_bind(struct ft_env *e)
{
	return rt_bind(e->fd[0], &e->a);
}

/* The name is taken if bind() said so, and else can be had by anybody. */
static int check_bind(struct ft_env *e, long ret)
{
	ft_fd(e, 1, rt_socket(RT_RILL, e->type));
	FT_CHECK_EQ(ret ? 0 : -EADDRINUSE, rt_bind(e->fd[1], &e->a));
	if (!ret)
		return 0;
	close(e->fd[1]);
	e->fd[1] = -1;
	FT_CHECK_EQ(0, rt_bind(e->fd[0], &e->a));
	return 0;
}

static long act_autobind(struct ft_env *e)
{
	struct rt_addr any = rt_addr(RT_RILL, "");

	return rt_bind(e->fd[0], &any);
}

static int check_autobind(struct ft_env *e, long ret)
{
	if (ret)
		FT_CHECK_EQ(0, act_autobind(e));
	e->b.len = sizeof(e->b.ss);
	FT_CHECK_EQ(0, SYS(getsockname(e->fd[0], &e->b.sa, &e->b.len)));
	FT_CHECK(!strncmp(e->b.rill.srl_name, RILL_PREFIX_AUTO,
			  strlen(RILL_PREFIX_AUTO)));
	return 0;
}

static int setup_taken(struct ft_env *e)
{
	ft_fd(e, 1, rt_bound(RT_RILL, e->type, &e->a));
	ft_fd(e, 0, rt_socket(RT_RILL, e->type));
	return 0;
}

static int check_taken(struct ft_env *e, long ret)
{
	(void)ret;
	FT_CHECK_EQ(0, rt_bind(e->fd[0], &e->b));
	return 0;
}

/* ---- listen ---- */

static int setup_bound(struct ft_env *e)
{
	ft_fd(e, 0, rt_bound(RT_RILL, e->type | SOCK_NONBLOCK, &e->a));
	return 0;
}

static long act_listen(struct ft_env *e)
{
	return SYS(listen(e->fd[0], 5));
}

static int check_listen(struct ft_env *e, long ret)
{
	if (ret)
		FT_CHECK_EQ(0, act_listen(e));
	return ft_check_listener(e, ret);
}

static int setup_line_nonblock(struct ft_env *e)
{
	FT_TRY(ft_setup_line(e));
	return rt_set_nonblock(e->fd[0], true);
}

/* Who stood in line has been admitted. */
static int check_admitted(struct ft_env *e, long ret)
{
	struct rill_queue q;

	FT_CHECK_EQ(0, rt_queue(e->fd[0], &q));
	FT_CHECK_EQ(ret ? 1 : 0, q.rq_waiting);
	if (!ret)
		FT_CHECK_EQ(0, rt_connect(e->fd[2], &e->a));
	return ft_check_listener(e, ret);
}

/* ---- connect ---- */

static int setup_listener(struct ft_env *e)
{
	ft_fd(e, 0, rt_listener(RT_RILL, e->type, 5, &e->a));
	FT_TRY(rt_set_nonblock(e->fd[0], true));
	ft_fd(e, 3, rt_socket(RT_RILL, e->type | SOCK_NONBLOCK));
	return 0;
}

static long act_connect(struct ft_env *e)
{
	return rt_connect(e->fd[3], &e->a);
}

/* A connect() that failed has changed nothing, and can be done again. */
static int check_connect(struct ft_env *e, long ret)
{
	struct rill_queue q;

	FT_CHECK_EQ(0, rt_queue(e->fd[0], &q));
	FT_CHECK_EQ(ret ? 0 : 1, q.rq_len);
	if (ret)
		FT_CHECK_EQ(0, act_connect(e));
	FT_CHECK_EQ(-EISCONN, act_connect(e));
	ft_fd(e, 4, SYS(accept4(e->fd[0], NULL, NULL, SOCK_NONBLOCK)));
	FT_TRY(ft_pass(e->fd[3], e->fd[4]));
	return ft_pass(e->fd[4], e->fd[3]);
}

static int check_joined(struct ft_env *e, long ret)
{
	struct rill_queue q;

	FT_CHECK_EQ(0, rt_queue(e->fd[0], &q));
	FT_CHECK_EQ(ret == -EINPROGRESS ? 2 : 1, q.rq_waiting);
	FT_CHECK_EQ(1, q.rq_len);
	if (ret != -EINPROGRESS)
		FT_CHECK_EQ(-EINPROGRESS, act_connect(e));
	/* First come, first served. */
	ft_fd(e, 4, rt_accept(e->fd[0], 0));
	ft_fd(e, 5, rt_accept(e->fd[0], SOCK_NONBLOCK));
	ft_fd(e, 6, rt_accept(e->fd[0], SOCK_NONBLOCK));
	FT_CHECK_EQ(0, rt_connect(e->fd[2], &e->a));
	FT_CHECK_EQ(0, act_connect(e));
	FT_TRY(ft_pass(e->fd[2], e->fd[5]));
	return ft_pass(e->fd[3], e->fd[6]);
}

static int setup_line_blocking(struct ft_env *e)
{
	FT_TRY(ft_setup_line(e));
	return rt_set_nonblock(e->fd[3], false);
}

static void wake_by_accept(struct ft_env *e)
{
	/* The one in the queue, and the one that stood in line before. */
	e->fd[4] = rt_accept(e->fd[0], 0);
	e->fd[5] = rt_accept(e->fd[0], 0);
}

static int check_waited(struct ft_env *e, long ret)
{
	if (!ret) {
		ft_fd(e, 6, rt_accept(e->fd[0], SOCK_NONBLOCK));
		FT_TRY(ft_pass(e->fd[3], e->fd[6]));
	}
	FT_TRY(rt_set_nonblock(e->fd[0], true));
	return ft_check_listener(e, ret);
}

static void wake_by_close(struct ft_env *e)
{
	close(e->fd[0]);
	e->fd[0] = -1;
}

static int check_refused(struct ft_env *e, long ret)
{
	(void)ret;
	/* And the socket can be used for something else. */
	ft_fd(e, 5, rt_listener(RT_RILL, e->type, 5, &e->b));
	FT_CHECK_EQ(0, rt_connect(e->fd[3], &e->b));
	ft_fd(e, 6, SYS(accept4(e->fd[5], NULL, NULL, SOCK_NONBLOCK)));
	return ft_pass(e->fd[3], e->fd[6]);
}

static int setup_no_name(struct ft_env *e)
{
	ft_fd(e, 3, rt_socket(RT_RILL, e->type));
	return 0;
}

static int set_max_waiting(const char *n)
{
	return rt_write_file("/proc/sys/net/rill/max_waiting", n);
}

static int setup_line_full(struct ft_env *e)
{
	FT_TRY(ft_setup_line(e));
	return set_max_waiting("1");
}

static int check_line_full(struct ft_env *e, long ret)
{
	FT_CHECK_EQ(0, set_max_waiting("4096"));
	FT_TRY(rt_set_nonblock(e->fd[0], true));
	FT_TRY(ft_check_listener(e, ret));
	return check_refused(e, ret);
}

static long act_connect_again(struct ft_env *e)
{
	return rt_connect(e->fd[2], &e->a);
}

static int check_in_line(struct ft_env *e, long ret)
{
	struct rill_queue q;

	(void)ret;
	FT_CHECK_EQ(0, rt_queue(e->fd[0], &q));
	FT_CHECK_EQ(1, q.rq_waiting);
	ft_fd(e, 4, rt_accept(e->fd[0], 0));
	ft_fd(e, 5, rt_accept(e->fd[0], SOCK_NONBLOCK));
	FT_CHECK_EQ(0, rt_connect(e->fd[2], &e->a));
	return ft_pass(e->fd[2], e->fd[5]);
}

static long act_leave(struct ft_env *e)
{
	return rt_disconnect(e->fd[2]);
}

static int check_left(struct ft_env *e, long ret)
{
	struct rill_queue q;

	FT_CHECK_EQ(0, rt_queue(e->fd[0], &q));
	FT_CHECK_EQ(ret ? 1 : 0, q.rq_waiting);
	FT_TRY(rt_set_nonblock(e->fd[0], true));
	return ft_check_listener(e, ret);
}

static int setup_admitted(struct ft_env *e)
{
	FT_TRY(ft_setup_line(e));
	ft_fd(e, 4, SYS(accept(e->fd[0], NULL, NULL)));
	return rt_set_nonblock(e->fd[0], true);
}

static int check_result_told(struct ft_env *e, long ret)
{
	if (ret)
		FT_CHECK_EQ(0, act_connect_again(e));
	FT_CHECK_EQ(-EISCONN, act_connect_again(e));
	return ft_check_listener(e, ret);
}

static int setup_other_type(struct ft_env *e)
{
	ft_fd(e, 0, rt_listener(RT_RILL, e->type == SOCK_STREAM ?
				SOCK_SEQPACKET : SOCK_STREAM, 5, &e->a));
	ft_fd(e, 3, rt_socket(RT_RILL, e->type));
	return 0;
}

/* ---- datagrams: connect ---- */

static int setup_two(struct ft_env *e)
{
	ft_fd(e, 0, rt_bound(RT_RILL, SOCK_DGRAM, &e->a));
	ft_fd(e, 3, rt_socket(RT_RILL, SOCK_DGRAM));
	return 0;
}

static int check_dgram_connect(struct ft_env *e, long ret)
{
	if (ret)
		FT_CHECK_EQ(-ENOTCONN, SYS(send(e->fd[3], "x", 1, MSG_DONTWAIT)));
	if (ret)
		FT_CHECK_EQ(0, act_connect(e));
	return ft_pass(e->fd[3], e->fd[0]);
}

static long act_dissolve(struct ft_env *e)
{
	return rt_disconnect(e->fd[0]);
}

static int check_dissolve(struct ft_env *e, long ret)
{
	if (ret)
		return ft_check_pair(e, ret);
	FT_CHECK_EQ(-ENOTCONN, SYS(send(e->fd[0], "x", 1, MSG_DONTWAIT)));
	return 0;
}

/* ---- accept ---- */

static int setup_queued(struct ft_env *e)
{
	FT_TRY(setup_listener(e));
	return rt_connect(e->fd[3], &e->a);
}

static long act_accept(struct ft_env *e)
{
	return SYS(accept4(e->fd[0], NULL, NULL, SOCK_NONBLOCK));
}

static long act_accept_addr(struct ft_env *e)
{
	e->b.len = sizeof(e->b.ss);
	return SYS(accept4(e->fd[0], &e->b.sa, &e->b.len, SOCK_NONBLOCK));
}

/*
 * What was not accepted is there for the next one; but with an address that
 * could not be copied it was closed (as with every family), and the connector
 * sees the end.
 */
static int check_accept(struct ft_env *e, long ret)
{
	struct rill_queue q;

	FT_CHECK_EQ(0, rt_queue(e->fd[0], &q));
	if (ret == -EFAULT && !q.rq_len) {
		FT_CHECK_EQ(0, SYS(recv(e->fd[3], ft_in, 1, 0)));
		return ft_check_listener(e, ret);
	}
	FT_CHECK_EQ(ret == FT_WANT_FD ? 0 : 1, q.rq_len);
	if (ret != FT_WANT_FD)
		ft_fd(e, 7, act_accept(e));
	FT_TRY(ft_pass(e->fd[3], e->fd[7]));
	FT_TRY(ft_pass(e->fd[7], e->fd[3]));
	return ft_check_listener(e, ret);
}

static int check_accept_admits(struct ft_env *e, long ret)
{
	struct rill_queue q;
	bool lost = ret == -EFAULT;

	FT_CHECK_EQ(0, rt_queue(e->fd[0], &q));
	FT_CHECK_EQ(1, q.rq_len);
	if (ret == FT_WANT_FD || lost)
		FT_CHECK_EQ(0, q.rq_waiting);
	else
		FT_CHECK_EQ(1, q.rq_waiting);
	return ft_check_listener(e, ret);
}

static int setup_empty(struct ft_env *e)
{
	FT_TRY(setup_listener(e));
	return 0;
}

static int setup_sleeper(struct ft_env *e)
{
	FT_TRY(setup_listener(e));
	return rt_set_nonblock(e->fd[0], false);
}

static void wake_by_connect(struct ft_env *e)
{
	e->state = rt_connect(e->fd[3], &e->a);
}

static int check_slept_accept(struct ft_env *e, long ret)
{
	FT_CHECK_EQ(0, e->state);
	FT_TRY(rt_set_nonblock(e->fd[0], true));
	return check_accept(e, ret);
}

/* ---- getsockname, getpeername ---- */

static long act_getsockname(struct ft_env *e)
{
	e->b.len = sizeof(e->b.ss);
	return SYS(getsockname(e->fd[0], &e->b.sa, &e->b.len));
}

static int check_named(struct ft_env *e, long ret)
{
	if (ret)
		FT_CHECK_EQ(0, act_getsockname(e));
	FT_CHECK(rt_same_addr(RT_RILL, &e->a, &e->b));
	return 0;
}

static long act_getpeername(struct ft_env *e)
{
	e->b.len = sizeof(e->b.ss);
	return SYS(getpeername(e->fd[0], &e->b.sa, &e->b.len));
}

/* ---- shutdown, close ---- */

static long act_shutdown(struct ft_env *e)
{
	return SYS(shutdown(e->fd[0], SHUT_RDWR));
}

static int check_shut(struct ft_env *e, long ret)
{
	(void)ret;
	FT_CHECK_EQ(-EPIPE, SYS(send(e->fd[0], "x", 1, MSG_NOSIGNAL)));
	if (e->type == SOCK_DGRAM)
		return 0;
	FT_CHECK_EQ(0, SYS(recv(e->fd[1], ft_in, 1, MSG_DONTWAIT)));
	return 0;
}

static int check_shut_listener(struct ft_env *e, long ret)
{
	(void)ret;
	FT_CHECK_EQ(-ECONNRESET, SYS(recv(e->fd[1], ft_in, 1, MSG_DONTWAIT)));
	FT_CHECK_EQ(-ECONNREFUSED, rt_connect(e->fd[2], &e->a));
	/* It may listen again. */
	FT_CHECK_EQ(0, act_listen(e));
	FT_TRY(rt_set_nonblock(e->fd[0], true));
	return ft_check_listener(e, ret);
}

static long act_shutdown_line(struct ft_env *e)
{
	return SYS(shutdown(e->fd[2], SHUT_RDWR));
}

static long act_close(struct ft_env *e)
{
	long ret = SYS(close(e->fd[0]));

	e->fd[0] = -1;
	return ret;
}

static int setup_unread(struct ft_env *e)
{
	FT_TRY(ft_setup_data(e));
	return SYS(send(e->fd[1], ft_out, 5000, MSG_DONTWAIT)) == 5000 ? 0 : -EIO;
}

/* What was sent before comes; then the news that the peer has not read all. */
static int check_closed(struct ft_env *e, long ret)
{
	(void)ret;
	FT_CHECK_EQ(e->len, SYS(recv(e->fd[1], ft_in, FT_BUF, MSG_DONTWAIT)));
	FT_CHECK_EQ(-1, rd_verify(ft_in, e->len, 1, 0));
	if (e->type == SOCK_DGRAM)
		return 0;
	FT_CHECK_EQ(-ECONNRESET, SYS(recv(e->fd[1], ft_in, 1, MSG_DONTWAIT)));
	FT_CHECK_EQ(0, SYS(recv(e->fd[1], ft_in, 1, MSG_DONTWAIT)));
	return 0;
}

static int setup_linger(struct ft_env *e)
{
	FT_TRY(ft_setup_data(e));
	return rt_set_linger(e->fd[0], 1, 0);
}

static int check_reset(struct ft_env *e, long ret)
{
	(void)ret;
	FT_CHECK_EQ(-ECONNRESET, SYS(recv(e->fd[1], ft_in, 1, MSG_DONTWAIT)));
	return 0;
}

static int check_closed_listener(struct ft_env *e, long ret)
{
	(void)ret;
	FT_CHECK_EQ(-ECONNRESET, SYS(recv(e->fd[1], ft_in, 1, MSG_DONTWAIT)));
	FT_CHECK_EQ(-ECONNREFUSED, rt_connect(e->fd[2], &e->a));
	FT_CHECK_EQ(0, rt_bind(e->fd[3], &e->a));
	return 0;
}

static long act_close_line(struct ft_env *e)
{
	long ret = SYS(close(e->fd[2]));

	e->fd[2] = -1;
	return ret;
}

static int check_close_line(struct ft_env *e, long ret)
{
	FT_TRY(rt_set_nonblock(e->fd[0], true));
	return ft_check_listener(e, ret);
}

const struct ft_scenario ft_conn[] = {
	{ "socket", FT_ALL, none, act_socket, FT_WANT_FD,
	  .errs = { ENOMEM, ENFILE }, .check = check_socket },
	{ "socketpair", FT_ALL, none, act_socketpair, 0,
	  .errs = { ENOMEM, ENFILE, EFAULT }, .check = check_socketpair },
	{ "bind, a name", FT_ALL, setup_socket, act_bind, 0,
	  .errs = { ENOMEM, EFAULT }, .check = check_bind },
	{ "bind, any name", FT_ALL, setup_socket, act_autobind, 0,
	  .errs = { ENOMEM, EFAULT }, .check = check_autobind },
	{ "bind, a name that is taken", FT_ALL, setup_taken, act_bind, -EADDRINUSE,
	  .errs = { ENOMEM, EFAULT }, .check = check_taken },
	{ "listen", FT_CONN, setup_bound, act_listen, 0, .check = check_listen },
	{ "listen, a longer queue admits", FT_CONN, setup_line_nonblock, act_listen, 0,
	  .check = check_admitted },
	{ "connect, room in the queue", FT_CONN, setup_listener, act_connect, 0,
	  .errs = { ENOMEM, EFAULT }, .check = check_connect },
	{ "connect, joins the line", FT_CONN, ft_setup_line, act_connect, -EINPROGRESS,
	  .errs = { ENOMEM, EFAULT }, .check = check_joined },
	{ "connect, waits and is admitted", FT_CONN, setup_line_blocking, act_connect, 0,
	  .errs = { ENOMEM, EFAULT }, .check = check_waited,
	  .wake = wake_by_accept, .nr = SYS_connect },
	{ "connect, waits and is refused", FT_CONN, setup_line_blocking, act_connect,
	  -ECONNREFUSED, .errs = { ENOMEM, EFAULT }, .check = check_refused,
	  .wake = wake_by_close, .nr = SYS_connect },
	{ "connect, no such name", FT_CONN, setup_no_name, act_connect, -ECONNREFUSED,
	  .errs = { ENOMEM, EFAULT }, .check = check_refused },
	{ "connect, the line is full", FT_CONN, setup_line_full, act_connect,
	  -ECONNREFUSED, .errs = { ENOMEM, EFAULT }, .check = check_line_full },
	{ "connect, in line already", FT_CONN, ft_setup_line, act_connect_again,
	  -EALREADY, .errs = { EFAULT }, .check = check_in_line },
	{ "connect, leaves the line", FT_CONN, ft_setup_line, act_leave, 0,
	  .errs = { EFAULT }, .check = check_left },
	{ "connect, asks for the result", FT_CONN, setup_admitted, act_connect_again, 0,
	  .errs = { EFAULT }, .check = check_result_told },
	{ "connect, to another type", FT_CONN, setup_other_type, act_connect,
	  -EPROTOTYPE, .errs = { ENOMEM, EFAULT }, .check = check_refused },
	{ "connect, datagrams", FT_DGRAM, setup_two, act_connect, 0,
	  .errs = { EFAULT }, .check = check_dgram_connect },
	{ "connect, dissolves", FT_DGRAM, ft_setup_pair, act_dissolve, 0,
	  .errs = { EFAULT }, .check = check_dissolve },
	{ "accept", FT_CONN, setup_queued, act_accept, FT_WANT_FD,
	  .errs = { ENOMEM, ENFILE }, .check = check_accept },
	{ "accept, with an address", FT_CONN, setup_queued, act_accept_addr, FT_WANT_FD,
	  .errs = { ENOMEM, ENFILE, EFAULT }, .check = check_accept },
	{ "accept, admits from the line", FT_CONN, setup_line_nonblock, act_accept_addr,
	  FT_WANT_FD, .errs = { ENOMEM, ENFILE, EFAULT },
	  .check = check_accept_admits },
	{ "accept, nobody there", FT_CONN, setup_empty, act_accept, -EAGAIN,
	  .errs = { ENOMEM, ENFILE }, .check = ft_check_listener },
	{ "accept, sleeps", FT_CONN, setup_sleeper, act_accept, FT_WANT_FD,
	  .errs = { ENOMEM, ENFILE }, .check = check_slept_accept,
	  .wake = wake_by_connect, .nr = SYS_accept4 },
	{ "getsockname", FT_ALL, setup_bound, act_getsockname, 0,
	  .errs = { EFAULT }, .check = check_named },
	{ "getpeername", FT_ALL, ft_setup_pair, act_getpeername, 0,
	  .errs = { EFAULT }, .check = ft_check_pair },
	{ "shutdown", FT_ALL, ft_setup_pair, act_shutdown, 0, .check = check_shut },
	{ "shutdown, a listener", FT_CONN, ft_setup_line, act_shutdown, 0,
	  .check = check_shut_listener },
	{ "shutdown, in line", FT_CONN, ft_setup_line, act_shutdown_line, 0,
	  .check = check_left },
	{ "close, unread data", FT_ALL, setup_unread, act_close, 0,
	  .check = check_closed },
	{ "close, lingering for 0 s", FT_CONN, setup_linger, act_close, 0,
	  .check = check_reset },
	{ "close, a listener", FT_CONN, ft_setup_line, act_close, 0,
	  .check = check_closed_listener },
	{ "close, in line", FT_CONN, ft_setup_line, act_close_line, 0,
	  .check = check_close_line },
};

const unsigned int ft_n_conn = ARRAY_SIZE(ft_conn);
