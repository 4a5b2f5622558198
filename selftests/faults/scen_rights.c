// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenarios: files that travel beside data.  What is passed is the writing end of
 * a pipe: when the last reference is gone, the reading end says so.
 */
#include "fault.h"

#define LEN	2000

/* fd[2]: the reading end; fd[3]: the writing end, which is passed. */
static int setup_pipe(struct ft_env *e)
{
	FT_TRY(ft_setup_pair(e));
	return SYS(pipe2(e->fd + 2, O_CLOEXEC | O_NONBLOCK));
}

static long act_send(struct ft_env *e)
{
	return rd_send_cmsg(e->fd[0], ft_out, LEN, MSG_DONTWAIT, SOL_SOCKET,
			    SCM_RIGHTS, &e->fd[3], sizeof(int));
}

static long act_recv(struct ft_env *e)
{
	return rd_recv(e->fd[1], ft_in, LEN, MSG_DONTWAIT, &e->msg);
}

static long act_peek(struct ft_env *e)
{
	return rd_recv(e->fd[1], ft_in, LEN, MSG_DONTWAIT | MSG_PEEK, &e->msg);
}

/* The descriptor that came along is closed: 1; -1: there is none. */
static int close_passed(struct ft_env *e)
{
	size_t len = 0;
	int *fd = rd_cmsg(&e->msg, SOL_SOCKET, SCM_RIGHTS, &len);

	if (!fd || len != sizeof(int))
		return -1;
	FT_CHECK_EQ(0, SYS(close(*fd)));
	return 1;
}

/* Nobody has the writing end any more. */
static int check_gone(struct ft_env *e)
{
	char c;

	close(e->fd[3]);
	e->fd[3] = -1;
	FT_CHECK(RT_UNTIL(read(e->fd[2], &c, 1) == 0));
	return ft_check_pair(e, 0);
}

/* It came with the bytes that were sent, once; or nothing came. */
static int check_sent(struct ft_env *e, long ret)
{
	if (ret > 0) {
		FT_CHECK_EQ(ret, act_recv(e));
		FT_CHECK_EQ(-1, rd_verify(ft_in, ret, 1, 0));
		FT_CHECK_EQ(1, close_passed(e));
	}
	FT_CHECK_EQ(-EAGAIN, act_recv(e));
	return check_gone(e);
}

static int setup_passed(struct ft_env *e)
{
	FT_TRY(setup_pipe(e));
	return act_send(e) == LEN ? 0 : -EIO;
}

/*
 * A descriptor that could not be made is lost, and MSG_CTRUNC says so; if its
 * number could not be copied out, or the header, it is as with every family.
 */
static int check_received(struct ft_env *e, long ret)
{
	long rest;

	if (ret > 0) {
		FT_CHECK_EQ(-1, rd_verify(ft_in, ret, 1, 0));
		if (close_passed(e) != 1)
			FT_CHECK(e->injected);
	}
	/* What is left of the data, with the file if that was not taken. */
	rest = rd_recv(e->fd[1], ft_in, FT_BUF, MSG_DONTWAIT, &e->msg);
	if (rest > 0)
		close_passed(e);
	if (ret == LEN)
		FT_CHECK_EQ(-EAGAIN, rest);
	else if (ret > 0)
		FT_CHECK_EQ(LEN - ret, rest);
	else
		FT_CHECK(rest == LEN || rest == -EAGAIN);
	/* The header could not be told: a descriptor that nobody knows. */
	if (ret == -EFAULT)
		closefrom(e->fd[3] + 1);
	return check_gone(e);
}

/* A peek leaves both where they are. */
static int check_peeked(struct ft_env *e, long ret)
{
	if (ret > 0 && close_passed(e) != 1)
		FT_CHECK(e->injected);
	if (ret == -EFAULT)
		closefrom(e->fd[3] + 1);
	return check_sent(e, LEN);
}

/* So many are open that for one more the table of descriptors has to grow. */
static int setup_crowded(struct ft_env *e)
{
	struct rlimit r;
	char text[4096], *p;
	int size, fd;

	FT_TRY(setup_passed(e));
	FT_CHECK(rt_read_file("/proc/thread-self/status", text, sizeof(text)) > 0);
	p = strstr(text, "FDSize:");
	FT_CHECK(p);
	size = atoi(p + strlen("FDSize:"));
	FT_TRY(SYS(getrlimit(RLIMIT_NOFILE, &r)));
	r.rlim_cur = r.rlim_max;
	FT_TRY(SYS(setrlimit(RLIMIT_NOFILE, &r)));
	do {
		fd = SYS(dup(e->fd[2]));
		FT_CHECK(fd >= 0);
	} while (fd < size - 2);	/* act() needs one itself */
	return 0;
}

static int check_crowded(struct ft_env *e, long ret)
{
	int fd = rd_cmsg(&e->msg, SOL_SOCKET, SCM_RIGHTS, NULL) ? 1 : 0;

	if (ret > 0 && !fd)
		FT_CHECK(e->msg.flags & MSG_CTRUNC);
	close_passed(e);
	closefrom(e->fd[3] + 1);
	memset(&e->msg, 0, sizeof(e->msg));
	return ret > 0 ? check_gone(e) : check_received(e, ret);
}

static long act_read(struct ft_env *e)
{
	return SYS(read(e->fd[1], ft_in, LEN));
}

static int check_read(struct ft_env *e, long ret)
{
	memset(&e->msg, 0, sizeof(e->msg));
	if (ret <= 0)
		return check_sent(e, LEN);
	if (ret < LEN)
		FT_CHECK_EQ(LEN - ret, rt_drain(e->fd[1], LEN));
	return check_gone(e);
}

static long act_close(struct ft_env *e)
{
	long ret = SYS(close(e->fd[1]));

	e->fd[1] = -1;
	return ret;
}

static int check_closed(struct ft_env *e, long ret)
{
	char c;

	(void)ret;
	close(e->fd[3]);
	e->fd[3] = -1;
	FT_CHECK(RT_UNTIL(read(e->fd[2], &c, 1) == 0));
	return 0;
}

#define ERRS	{ ENOMEM, EFAULT, ENOBUFS }

const struct ft_scenario ft_rights[] = {
	{ "sendmsg, with a file", FT_ALL, setup_pipe, act_send, LEN,
	  .partial = true, .errs = ERRS, .check = check_sent },
	{ "recvmsg, with a file", FT_ALL, setup_passed, act_recv, LEN,
	  .partial = true, .errs = ERRS, .check = check_received },
	{ "recvmsg, with a file, many open", FT_ALL, setup_crowded, act_recv, LEN,
	  .partial = true, .errs = ERRS, .check = check_crowded },
	{ "recvmsg, a peek with a file", FT_ALL, setup_passed, act_peek, LEN,
	  .partial = true, .errs = ERRS, .check = check_peeked },
	{ "read, drops a file", FT_ALL, setup_passed, act_read, LEN,
	  .partial = true, .errs = ERRS, .check = check_read },
	{ "close, with a file unread", FT_ALL, setup_passed, act_close, 0,
	  .check = check_closed },
};

const unsigned int ft_n_rights = ARRAY_SIZE(ft_rights);
