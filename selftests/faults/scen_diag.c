// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenarios: questions to sock_diag, which rill_diag.ko answers.
 *
 * What has failed may have failed in netlink: the question was not taken, the
 * answer could not be copied, or was not made.  An answer that came is right, and
 * nobody holds a socket or the module any more, once the asker has closed.
 */
#include "fault.h"
#include "rill_test_diag.h"

#define CROWD	40	/* an answer has room for a dozen */

static struct dg_ask ask;
static struct dg_sock told[CROWD + 8];
static int crowd[CROWD];

static int keep(const struct dg_sock *s, void *count)
{
	int *n = count;

	if (*n == ARRAY_SIZE(told))
		return -E2BIG;
	told[(*n)++] = *s;
	return 0;
}

/* How many were told, or a negative errno. */
static long act_ask(struct ft_env *e)
{
	bool dump = ask.nlh.nlmsg_flags & NLM_F_DUMP;
	int n = 0, ret = dg_send(e->fd[6], &ask);

	while (!ret)
		ret = dg_recv_into(e->fd[6], dump, ft_in, keep, &n);
	return ret < 0 ? ret : n;
}

/* fd[6] asks: for all sockets, or for one. */
static int setup_asker(struct ft_env *e)
{
	ft_fd(e, 6, dg_open());
	dg_init(&ask);
	return 0;
}

static void ask_for(int fd)
{
	ask.nlh.nlmsg_flags = NLM_F_REQUEST;
	ask.req.rdr_ino = rt_inode(fd);
}

static const struct dg_sock *told_of(int fd, int n)
{
	for (int i = 0; i < n; i++)
		if (told[i].msg.rdm_ino == rt_inode(fd))
			return &told[i];
	return NULL;
}

/* The dump or the answer has failed whole, and the next one is as it was to be. */
static int ask_again(struct ft_env *e, long want)
{
	char refs[32];

	close(e->fd[6]);
	FT_CHECK(rt_read_file("/sys/module/rill_diag/refcnt", refs, sizeof(refs)) > 0);
	FT_CHECK_EQ(0, atoi(refs));
	ft_fd(e, 6, dg_open());
	FT_CHECK_EQ(want, act_ask(e));
	return 0;
}

static void check_told_data(struct ft_env *e, int fd, long n)
{
	int other = fd == e->fd[0] ? e->fd[1] : e->fd[0];
	const struct dg_sock *s = told_of(fd, n);

	FT_CHECK(s);
	FT_CHECK_EQ(e->type, s->msg.rdm_type);
	FT_CHECK(s->has[RILL_DIAG_PEER]);
	FT_CHECK_EQ(rt_inode(other), s->peer.rdp_ino);
	FT_CHECK(s->has[RILL_DIAG_QUEUE]);
	FT_CHECK_EQ(fd == e->fd[1] ? e->len : 0, s->queue.rdq_recv);
	FT_CHECK(s->has[RILL_DIAG_MEMINFO]);
	FT_CHECK_EQ(e->type == SOCK_STREAM, s->has[RILL_DIAG_RING]);
}

/* ---- sockets with data ---- */

static int setup_dump(struct ft_env *e)
{
	FT_TRY(ft_setup_data(e));
	return setup_asker(e);
}

static int check_dump(struct ft_env *e, long ret)
{
	if (ret < 0)
		FT_TRY(ask_again(e, 2));
	check_told_data(e, e->fd[0], 2);
	check_told_data(e, e->fd[1], 2);
	if (ret >= 0)
		FT_TRY(ask_again(e, 2));
	return ft_check_received(e, -EIO);
}

static int setup_one(struct ft_env *e)
{
	FT_TRY(setup_dump(e));
	ask_for(e->fd[1]);
	return 0;
}

static int check_one(struct ft_env *e, long ret)
{
	if (ret < 0)
		FT_TRY(ask_again(e, 1));
	check_told_data(e, e->fd[1], 1);
	if (ret >= 0)
		FT_TRY(ask_again(e, 1));
	return ft_check_received(e, -EIO);
}

static int setup_none(struct ft_env *e)
{
	FT_TRY(setup_one(e));
	/* The asker is a socket of another family. */
	ask.req.rdr_ino = rt_inode(e->fd[6]);
	return 0;
}

static int check_none(struct ft_env *e, long ret)
{
	(void)ret;
	FT_TRY(ask_again(e, -ENOENT));
	return ft_check_received(e, -EIO);
}

/* ---- a listener with one in its queue and one in line ---- */

static int setup_line_dump(struct ft_env *e)
{
	FT_TRY(ft_setup_line(e));
	return setup_asker(e);
}

static void check_told_listener(struct ft_env *e, long n)
{
	const struct dg_sock *s = told_of(e->fd[0], n);

	FT_CHECK(s);
	FT_CHECK_EQ(RILL_DIAG_LISTEN, s->msg.rdm_state);
	FT_CHECK(s->has[RILL_DIAG_LISTEN_QUEUE]);
	FT_CHECK_EQ(1, s->listen.rq_len);
	FT_CHECK_EQ(1, s->listen.rq_waiting);
	FT_CHECK(s->has[RILL_DIAG_NAME]);
	FT_CHECK(!strcmp(e->a.rill.srl_name, s->name));
}

static int check_line(struct ft_env *e, long ret)
{
	FT_TRY(rt_set_nonblock(e->fd[0], true));
	return ft_check_listener(e, ret);
}

/* Both ends of the connection, the listener, the connector, and one for nothing. */
#define LINE	5

static int check_line_dump(struct ft_env *e, long ret)
{
	if (ret < 0)
		FT_TRY(ask_again(e, LINE));
	check_told_listener(e, LINE);
	FT_CHECK(told_of(e->fd[1], LINE) && told_of(e->fd[2], LINE) &&
		 told_of(e->fd[3], LINE));
	FT_CHECK_EQ(RILL_DIAG_CONNECTING, told_of(e->fd[2], LINE)->msg.rdm_state);
	if (ret >= 0)
		FT_TRY(ask_again(e, LINE));
	return check_line(e, ret);
}

static int setup_line_one(struct ft_env *e)
{
	FT_TRY(setup_line_dump(e));
	ask_for(e->fd[0]);
	return 0;
}

static int check_line_one(struct ft_env *e, long ret)
{
	if (ret < 0)
		FT_TRY(ask_again(e, 1));
	check_told_listener(e, 1);
	return check_line(e, ret);
}

/* ---- by name ---- */

static int setup_named(struct ft_env *e)
{
	ft_fd(e, 0, rt_bound(RT_RILL, e->type, &e->a));
	ft_fd(e, 1, rt_bound(RT_RILL, e->type, &e->b));
	FT_TRY(setup_asker(e));
	dg_attr(&ask, RILL_DIAG_REQ_PREFIX, e->a.rill.srl_name);
	return 0;
}

static int check_named(struct ft_env *e, long ret)
{
	if (ret < 0)
		FT_TRY(ask_again(e, 1));
	FT_CHECK(told_of(e->fd[0], 1));
	FT_CHECK(!strcmp(e->a.rill.srl_name, told[0].name));
	close(e->fd[0]);
	e->fd[0] = -1;
	return ask_again(e, 0);
}

/* ---- more than fit into an answer ---- */

static int setup_crowd(struct ft_env *e)
{
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = rt_socket(RT_RILL, e->type);
		FT_CHECK(crowd[i] >= 0);
	}
	return setup_asker(e);
}

static int check_crowd(struct ft_env *e, long ret)
{
	if (ret < 0)
		FT_TRY(ask_again(e, CROWD));
	for (int i = 0; i < CROWD; i++) {
		FT_CHECK(told_of(crowd[i], CROWD));
		FT_CHECK_EQ(0, SYS(close(crowd[i])));
	}
	return ask_again(e, 0);
}

#define ERRS	{ ENOMEM, EFAULT, ENOBUFS }

const struct ft_scenario ft_diag[] = {
	{ "sock_diag, a dump", FT_ALL, setup_dump, act_ask, 2,
	  .errs = ERRS, .check = check_dump },
	{ "sock_diag, a dump of a line", FT_CONN, setup_line_dump, act_ask, LINE,
	  .errs = ERRS, .check = check_line_dump },
	{ "sock_diag, a dump by name", FT_ALL, setup_named, act_ask, 1,
	  .errs = ERRS, .check = check_named },
	{ "sock_diag, a dump in several answers", FT_ALL, setup_crowd, act_ask, CROWD,
	  .errs = ERRS, .check = check_crowd },
	{ "sock_diag, one socket", FT_ALL, setup_one, act_ask, 1,
	  .errs = ERRS, .check = check_one },
	{ "sock_diag, one that listens", FT_CONN, setup_line_one, act_ask, 1,
	  .errs = ERRS, .check = check_line_one },
	{ "sock_diag, no such socket", FT_ALL, setup_none, act_ask, -ENOENT,
	  .errs = ERRS, .check = check_none },
};

const unsigned int ft_n_diag = ARRAY_SIZE(ft_diag);
