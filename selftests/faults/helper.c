// SPDX-License-Identifier: GPL-2.0-only
/*
 * States that scenarios begin with, and checks that they end with.
 *
 * Bytes that are sent come from ft_out, whose every byte says where it belongs
 * (seed 1), so that what was lost or came twice is seen.
 */
#include "fault.h"

#define SEED	1

/* fd[0] and fd[1] talk to each other. */
int ft_setup_pair(struct ft_env *e)
{
	return rt_pair(RT_RILL, e->type, e->fd);
}

/* The same, with len bytes (10000 unless set) on their way to fd[1]. */
int ft_setup_data(struct ft_env *e)
{
	if (!e->len)
		e->len = 10000;
	FT_TRY(ft_setup_pair(e));
	return SYS(send(e->fd[0], ft_out, e->len, MSG_DONTWAIT)) == e->len ?
	       0 : -EIO;
}

/*
 * fd[0] listens with a full queue (fd[1] is in it), and fd[2] stands in line;
 * fd[3] is a socket for whatever is to be done.
 */
int ft_setup_line(struct ft_env *e)
{
	int err;

	ft_fd(e, 0, rt_listener(RT_RILL, e->type, 0, &e->a));
	ft_fd(e, 1, rt_client(RT_RILL, e->type, &e->a));
	ft_fd(e, 2, rt_socket(RT_RILL, e->type | SOCK_NONBLOCK));
	err = rt_connect(e->fd[2], &e->a);
	if (err != -EINPROGRESS)
		return err ?: -EIO;
	ft_fd(e, 3, rt_socket(RT_RILL, e->type | SOCK_NONBLOCK));
	return 0;
}

/* The memory of messages is given back where nothing is on its way. */
int ft_quiet(int fd)
{
	__u32 m[9] = { 0 };
	socklen_t len = sizeof(m);
	int type = rt_get_int(fd, SOL_SOCKET, SO_TYPE);
	int n = -1;

	FT_CHECK_EQ(0, SYS(ioctl(fd, SIOCINQ, &n)));
	FT_CHECK_EQ(0, n);
	FT_CHECK_EQ(0, SYS(ioctl(fd, SIOCOUTQ, &n)));
	FT_CHECK_EQ(0, n);
	if (type == SOCK_STREAM)
		return 0;	/* its ring keeps a few pages for a while */
	FT_CHECK_EQ(0, SYS(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, m, &len)));
	FT_CHECK_EQ(0, m[0]);	/* SK_MEMINFO_RMEM_ALLOC */
	FT_CHECK_EQ(0, m[2]);	/* SK_MEMINFO_WMEM_ALLOC */
	return 0;
}

/* Data flow from one end to the other. */
int ft_pass(int from, int to)
{
	const int sizes[] = { 1, 1000, 40000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		FT_CHECK_EQ(sizes[i], SYS(send(from, ft_out, sizes[i],
					       MSG_NOSIGNAL | MSG_DONTWAIT)));
		FT_CHECK_EQ(sizes[i], SYS(recv(to, ft_in, FT_BUF, MSG_DONTWAIT)));
		FT_CHECK_EQ(-1, rd_verify(ft_in, sizes[i], SEED, 0));
	}
	FT_CHECK_EQ(-EAGAIN, SYS(recv(to, ft_in, 1, MSG_DONTWAIT)));
	return 0;
}

/* fd[0] and fd[1] have nothing on the way, and work in both directions. */
int ft_check_pair(struct ft_env *e, long ret)
{
	(void)ret;
	FT_TRY(ft_quiet(e->fd[0]));
	FT_TRY(ft_quiet(e->fd[1]));
	FT_TRY(ft_pass(e->fd[0], e->fd[1]));
	FT_TRY(ft_pass(e->fd[1], e->fd[0]));
	FT_TRY(ft_quiet(e->fd[0]));
	FT_TRY(ft_quiet(e->fd[1]));
	return 0;
}

/* fd[0] said that it has sent so much: that, and no more, comes to fd[1]. */
int ft_check_sent(struct ft_env *e, long ret)
{
	long got = 0, n;

	while ((n = SYS(recv(e->fd[1], ft_in + got, FT_BUF - got,
			     MSG_DONTWAIT))) > 0)
		got += n;
	FT_CHECK_EQ(-EAGAIN, n);
	FT_CHECK_EQ(ret > 0 ? ret : 0, got);
	FT_CHECK_EQ(-1, rd_verify(ft_in, got, SEED, 0));
	return ft_check_pair(e, ret);
}

/*
 * fd[1] got that of the len bytes that fd[0] has sent; the rest of a stream is
 * there, and a message that was not received is whole.
 */
int ft_check_received(struct ft_env *e, long ret)
{
	long had = ret > 0 ? ret : 0, n;

	FT_CHECK_EQ(-1, rd_verify(ft_in, had, SEED, 0));
	if (e->type != SOCK_STREAM && ret >= 0)
		return ft_check_pair(e, ret);
	while (had < e->len) {
		n = SYS(recv(e->fd[1], ft_in + had, FT_BUF - had, MSG_DONTWAIT));
		FT_CHECK(n > 0);
		if (e->type != SOCK_STREAM)
			FT_CHECK_EQ(e->len, n);
		had += n;
	}
	FT_CHECK_EQ(e->len, had);
	FT_CHECK_EQ(-1, rd_verify(ft_in, had, SEED, 0));
	return ft_check_pair(e, ret);
}

/* The listener fd[0] still takes connections, and they work. */
int ft_check_listener(struct ft_env *e, long ret)
{
	int c, s;

	(void)ret;
	/* What stood there, and has one end or none by now. */
	while ((s = SYS(accept4(e->fd[0], NULL, NULL, SOCK_NONBLOCK))) >= 0)
		close(s);
	FT_CHECK_EQ(-EAGAIN, s);
	c = rt_client(RT_RILL, e->type, &e->a);
	FT_CHECK(c >= 0);
	s = SYS(accept(e->fd[0], NULL, NULL));
	FT_CHECK(s >= 0);
	ft_pass(c, s);
	ft_pass(s, c);
	close(c);
	close(s);
	return 0;
}

/* No worker of the kernel runs on it any more. */
int ft_take_cpu(void)
{
	struct sched_param sp = { .sched_priority = 1 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	FT_TRY(SYS(sched_setaffinity(0, sizeof(one), &one)));
	return SYS(sched_setscheduler(0, SCHED_FIFO, &sp));
}

int ft_give_cpu(void)
{
	struct sched_param sp = { 0 };
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	FT_TRY(SYS(sched_setscheduler(0, SCHED_OTHER, &sp)));
	return SYS(sched_setaffinity(0, sizeof(all), &all));
}

/* Back to the namespace of fd[2], with no end of the other's left. */
int ft_netns_back(struct ft_env *e)
{
	for (int i = 0; i < 2; i++) {
		close(e->fd[i]);
		e->fd[i] = -1;
	}
	return SYS(setns(e->fd[2], CLONE_NEWNET));
}
