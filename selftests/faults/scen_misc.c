// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenarios: options, ioctl, poll, what /proc shows, and namespaces.
 */
#include "fault.h"

#include <linux/filter.h>
#include <sys/select.h>

/* ---- setsockopt, getsockopt ---- */

static int setup_bound(struct ft_env *e)
{
	ft_fd(e, 0, rt_bound(RT_RILL, e->type, &e->a));
	return 0;
}

/* Whatever an option did, or did not: the name can be had again after a close. */
static int check_bound(struct ft_env *e, long ret)
{
	(void)ret;
	ft_fd(e, 1, rt_socket(RT_RILL, e->type));
	FT_CHECK_EQ(-EADDRINUSE, rt_bind(e->fd[1], &e->a));
	close(e->fd[0]);
	e->fd[0] = -1;
	FT_CHECK_EQ(0, rt_bind(e->fd[1], &e->a));
	return 0;
}

static long act_set_mode(struct ft_env *e)
{
	return rt_set_int(e->fd[0], SOL_RILL, RILL_MODE, 0604);
}

static int check_mode(struct ft_env *e, long ret)
{
	mode_t mask = umask(0);

	umask(mask);
	FT_CHECK_EQ(ret ? 0777 & ~mask : 0604,
		    rt_get_int(e->fd[0], SOL_RILL, RILL_MODE));
	return check_bound(e, ret);
}

static long act_set_owner(struct ft_env *e)
{
	struct rill_owner o = { .ro_uid = 12, .ro_gid = 34 };

	return SYS(setsockopt(e->fd[0], SOL_RILL, RILL_OWNER, &o, sizeof(o)));
}

static int check_owner(struct ft_env *e, long ret)
{
	struct rill_owner o = { 0 };
	socklen_t len = sizeof(o);

	FT_CHECK_EQ(0, SYS(getsockopt(e->fd[0], SOL_RILL, RILL_OWNER, &o, &len)));
	FT_CHECK_EQ(ret ? 0 : 12, o.ro_uid);
	FT_CHECK_EQ(ret ? 0 : 34, o.ro_gid);
	return check_bound(e, ret);
}

static long act_set_busy(struct ft_env *e)
{
	return rt_set_int(e->fd[0], SOL_RILL, RILL_BUSY_POLL, 7);
}

static int check_busy(struct ft_env *e, long ret)
{
	if (!ret)
		FT_CHECK_EQ(7, rt_get_int(e->fd[0], SOL_RILL, RILL_BUSY_POLL));
	return check_bound(e, ret);
}

static long act_set_passcred(struct ft_env *e)
{
	return rt_set_int(e->fd[1], SOL_SOCKET, SO_PASSCRED, 1);
}

static int check_passcred(struct ft_env *e, long ret)
{
	struct ucred uc;

	FT_CHECK_EQ(1, SYS(send(e->fd[0], "x", 1, MSG_DONTWAIT)));
	FT_CHECK_EQ(1, rd_recv(e->fd[1], ft_in, 2, MSG_DONTWAIT, &e->msg));
	FT_CHECK_EQ(!ret, rd_creds(&e->msg, &uc));
	FT_CHECK_EQ(0, rt_set_int(e->fd[1], SOL_SOCKET, SO_PASSCRED, 0));
	return ft_check_pair(e, ret);
}

static long act_set_rcvbuf(struct ft_env *e)
{
	return rt_set_int(e->fd[1], SOL_SOCKET, SO_RCVBUF, 100000);
}

static int check_rcvbuf(struct ft_env *e, long ret)
{
	int now = rt_get_int(e->fd[1], SOL_SOCKET, SO_RCVBUF);

	FT_CHECK_EQ(!ret, now == 200000);
	return ft_check_pair(e, ret);
}

static long act_set_timeo(struct ft_env *e)
{
	return rt_set_timeo(e->fd[1], SO_RCVTIMEO, 40);
}

static long act_set_linger(struct ft_env *e)
{
	return rt_set_linger(e->fd[1], 1, 1);
}

static int check_linger(struct ft_env *e, long ret)
{
	struct linger l = { 0 };
	socklen_t len = sizeof(l);

	FT_CHECK_EQ(0, SYS(getsockopt(e->fd[1], SOL_SOCKET, SO_LINGER, &l, &len)));
	FT_CHECK_EQ(!ret, l.l_onoff);
	FT_CHECK_EQ(0, rt_set_linger(e->fd[1], 0, 0));
	return ft_check_pair(e, ret);
}

/* The first 10 bytes of each message. */
static long act_attach(struct ft_env *e)
{
	struct sock_filter f[] = {
		{ BPF_RET | BPF_K, 0, 0, 10 },
	};
	struct sock_fprog prog = { .len = 1, .filter = f };

	return SYS(setsockopt(e->fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			      sizeof(prog)));
}

static int check_attach(struct ft_env *e, long ret)
{
	FT_CHECK_EQ(100, SYS(send(e->fd[0], ft_out, 100, MSG_DONTWAIT)));
	FT_CHECK_EQ(ret ? 100 : 10, SYS(recv(e->fd[1], ft_in, 200, MSG_DONTWAIT)));
	if (!ret)
		FT_CHECK_EQ(0, rt_set_int(e->fd[1], SOL_SOCKET,
					  SO_DETACH_FILTER, 0));
	return ft_check_pair(e, ret);
}

static long get(int fd, int level, int opt, socklen_t len)
{
	char val[256];

	return SYS(getsockopt(fd, level, opt, val, &len));
}

static long act_get_mode(struct ft_env *e)
{
	return get(e->fd[0], SOL_RILL, RILL_MODE, sizeof(int));
}

static long act_get_owner(struct ft_env *e)
{
	return get(e->fd[0], SOL_RILL, RILL_OWNER, sizeof(struct rill_owner));
}

static long act_get_busy(struct ft_env *e)
{
	return get(e->fd[0], SOL_RILL, RILL_BUSY_POLL, sizeof(int));
}

static long act_get_queue(struct ft_env *e)
{
	return get(e->fd[0], SOL_RILL, RILL_QUEUE, sizeof(struct rill_queue));
}

static int check_line(struct ft_env *e, long ret)
{
	FT_TRY(rt_set_nonblock(e->fd[0], true));
	return ft_check_listener(e, ret);
}

static long act_get_meminfo(struct ft_env *e)
{
	return get(e->fd[0], SOL_SOCKET, SO_MEMINFO, 36);
}

static long act_get_peercred(struct ft_env *e)
{
	return get(e->fd[0], SOL_SOCKET, SO_PEERCRED, sizeof(struct ucred));
}

static long act_get_peergroups(struct ft_env *e)
{
	return get(e->fd[0], SOL_SOCKET, SO_PEERGROUPS, 256);
}

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif

static long act_get_peerpidfd(struct ft_env *e)
{
	socklen_t len = sizeof(int);
	int fd = -1;
	long err;

	err = SYS(getsockopt(e->fd[0], SOL_SOCKET, SO_PEERPIDFD, &fd, &len));
	if (!err)
		close(fd);
	return err;
}

/* A length that cannot be read, and one that cannot be written. */
static char *untouchable(int prot)
{
	static char *page[2];
	int i = prot == PROT_READ;

	if (!page[i])
		page[i] = mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page[i];
}

static int setup_read_only(struct ft_env *e)
{
	char *p;

	FT_TRY(setup_bound(e));
	p = untouchable(PROT_READ);
	FT_TRY(SYS(mprotect(p, 4096, PROT_READ | PROT_WRITE)));
	*(int *)p = sizeof(int);
	return SYS(mprotect(p, 4096, PROT_READ));
}

static long act_get_bad_len(struct ft_env *e)
{
	int val;

	return SYS(getsockopt(e->fd[0], SOL_RILL, RILL_MODE, &val,
			      (socklen_t *)untouchable(PROT_NONE)));
}

static long act_get_read_only_len(struct ft_env *e)
{
	int val;

	return SYS(getsockopt(e->fd[0], SOL_RILL, RILL_MODE, &val,
			      (socklen_t *)untouchable(PROT_READ)));
}

/* ---- ioctl ---- */

static long act_inq(struct ft_env *e)
{
	int n = -1;
	long err = SYS(ioctl(e->fd[1], SIOCINQ, &n));

	return err ?: n;
}

static long act_outq(struct ft_env *e)
{
	int n = -1;
	long err = SYS(ioctl(e->fd[0], SIOCOUTQ, &n));

	return err ?: n > 0;
}

static int check_untouched(struct ft_env *e, long ret)
{
	(void)ret;
	return ft_check_received(e, -EIO);
}

static long act_inq_bad(struct ft_env *e)
{
	return SYS(ioctl(e->fd[1], SIOCINQ, untouchable(PROT_NONE)));
}

/* ---- poll ---- */

static long act_poll(struct ft_env *e)
{
	struct pollfd p[2] = {
		{ .fd = e->fd[0], .events = POLLIN | POLLOUT },
		{ .fd = e->fd[1], .events = POLLIN },
	};

	return SYS(poll(p, 2, 0));
}

static long act_select(struct ft_env *e)
{
	struct timeval tv = { 0 };
	fd_set in;

	FD_ZERO(&in);
	FD_SET(e->fd[0], &in);
	FD_SET(e->fd[1], &in);
	return SYS(select(FT_FDS + 64, &in, NULL, NULL, &tv));
}

/* It sleeps, so it has to stand in wait queues. */
static long act_poll_wait(struct ft_env *e)
{
	struct pollfd p = { .fd = e->fd[1], .events = POLLIN };

	return SYS(ppoll(&p, 1, NULL, NULL));
}

static void wake_by_sending(struct ft_env *e)
{
	e->len = SYS(send(e->fd[0], ft_out, 100, MSG_DONTWAIT));
}

static int setup_epoll(struct ft_env *e)
{
	FT_TRY(ft_setup_data(e));
	ft_fd(e, 2, SYS(epoll_create1(EPOLL_CLOEXEC)));
	return 0;
}

static long act_epoll_add(struct ft_env *e)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT };

	return SYS(epoll_ctl(e->fd[2], EPOLL_CTL_ADD, e->fd[1], &ev));
}

static int check_epoll_add(struct ft_env *e, long ret)
{
	struct epoll_event ev;

	if (ret)
		FT_CHECK_EQ(0, act_epoll_add(e));
	FT_CHECK_EQ(1, SYS(epoll_wait(e->fd[2], &ev, 1, 0)));
	return check_untouched(e, ret);
}

static int setup_epoll_wait(struct ft_env *e)
{
	FT_TRY(setup_epoll(e));
	return act_epoll_add(e);
}

static long act_epoll_wait(struct ft_env *e)
{
	struct epoll_event ev;

	return SYS(epoll_wait(e->fd[2], &ev, 1, 0));
}

static long act_fasync(struct ft_env *e)
{
	return SYS(fcntl(e->fd[1], F_SETFL, O_ASYNC));
}

/* The core's sock_fasync() does not say that it had no memory. */
static int check_fasync(struct ft_env *e, long ret)
{
	if (!e->injected)
		FT_CHECK_EQ(O_ASYNC, fcntl(e->fd[1], F_GETFL) & O_ASYNC);
	FT_CHECK_EQ(0, SYS(fcntl(e->fd[1], F_SETFL, 0)));
	return ft_check_pair(e, ret);
}

/* ---- /proc ---- */

static int setup_proc(struct ft_env *e, const char *path)
{
	FT_TRY(ft_setup_data(e));
	ft_fd(e, 2, SYS(open(path, O_RDONLY | O_CLOEXEC)));
	return 0;
}

static int setup_proc_rill(struct ft_env *e)
{
	return setup_proc(e, "/proc/thread-self/net/rill");
}

static int setup_proc_stat(struct ft_env *e)
{
	return setup_proc(e, "/proc/thread-self/net/rill_stat");
}

static int setup_fdinfo(struct ft_env *e)
{
	char path[64];

	FT_TRY(ft_setup_data(e));
	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", e->fd[1]);
	ft_fd(e, 2, SYS(open(path, O_RDONLY | O_CLOEXEC)));
	return 0;
}

static long act_read_proc(struct ft_env *e)
{
	long n = SYS(read(e->fd[2], ft_in, 65536));

	return n > 0 ? 1 : n;
}

static long act_open_proc(struct ft_env *e)
{
	(void)e;
	return SYS(open("/proc/self/net/rill", O_RDONLY | O_CLOEXEC));
}

/* ---- sysctl, namespaces ---- */

static int setup_sysctl(struct ft_env *e)
{
	FT_TRY(ft_setup_pair(e));
	ft_fd(e, 2, SYS(open("/proc/sys/net/rill/max_waiting", O_RDWR | O_CLOEXEC)));
	return 0;
}

static long act_sysctl(struct ft_env *e)
{
	return SYS(write(e->fd[2], "4096\n", 5));
}

static int setup_netns(struct ft_env *e)
{
	ft_fd(e, 2, SYS(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)));
	return 0;
}

static long act_netns(struct ft_env *e)
{
	(void)e;
	return SYS(unshare(CLONE_NEWNET));
}

/* The new one works; one that could not be made has left us where we were. */
static int check_netns(struct ft_env *e, long ret)
{
	struct stat st[2];

	FT_CHECK_EQ(0, SYS(fstat(e->fd[2], &st[0])));
	FT_CHECK_EQ(0, SYS(stat("/proc/thread-self/ns/net", &st[1])));
	FT_CHECK_EQ(!ret, st[0].st_ino != st[1].st_ino);
	if (!ret) {
		FT_CHECK_EQ(0, rt_counter("sockets"));
		FT_TRY(rt_pair(RT_RILL, SOCK_STREAM, e->fd));
		FT_TRY(ft_pass(e->fd[0], e->fd[1]));
	}
	return ft_netns_back(e);
}

#define MEM		{ ENOMEM, EFAULT }

const struct ft_scenario ft_misc[] = {
	{ "setsockopt RILL_MODE", FT_ALL, setup_bound, act_set_mode, 0,
	  .errs = MEM, .check = check_mode },
	{ "setsockopt RILL_OWNER", FT_ALL, setup_bound, act_set_owner, 0,
	  .errs = MEM, .check = check_owner },
	{ "setsockopt RILL_BUSY_POLL", FT_ALL, setup_bound, act_set_busy, 0,
	  .errs = MEM, .check = check_busy },
	{ "setsockopt SO_PASSCRED", FT_ALL, ft_setup_pair, act_set_passcred, 0,
	  .errs = MEM, .check = check_passcred },
	{ "setsockopt SO_RCVBUF", FT_ALL, ft_setup_pair, act_set_rcvbuf, 0,
	  .errs = MEM, .check = check_rcvbuf },
	{ "setsockopt SO_RCVTIMEO", FT_ALL, ft_setup_pair, act_set_timeo, 0,
	  .errs = MEM, .check = ft_check_pair },
	{ "setsockopt SO_LINGER", FT_ALL, ft_setup_pair, act_set_linger, 0,
	  .errs = MEM, .check = check_linger },
	{ "setsockopt SO_ATTACH_FILTER", FT_DGRAM, ft_setup_pair, act_attach, 0,
	  .errs = MEM, .check = check_attach,
	  .never = "__vmalloc_node_range_noprof" },
	{ "getsockopt RILL_MODE", FT_ALL, setup_bound, act_get_mode, 0,
	  .errs = MEM, .check = check_bound },
	{ "getsockopt RILL_OWNER", FT_ALL, setup_bound, act_get_owner, 0,
	  .errs = MEM, .check = check_bound },
	{ "getsockopt RILL_BUSY_POLL", FT_ALL, setup_bound, act_get_busy, 0,
	  .errs = MEM, .check = check_bound },
	{ "getsockopt RILL_QUEUE", FT_CONN, ft_setup_line, act_get_queue, 0,
	  .errs = MEM, .check = check_line },
	{ "getsockopt SO_MEMINFO", FT_ALL, ft_setup_pair, act_get_meminfo, 0,
	  .errs = MEM, .check = ft_check_pair },
	{ "getsockopt SO_PEERCRED", FT_CONN, ft_setup_pair, act_get_peercred, 0,
	  .errs = MEM, .check = ft_check_pair },
	{ "getsockopt SO_PEERGROUPS", FT_CONN, ft_setup_pair, act_get_peergroups, 0,
	  .errs = MEM, .check = ft_check_pair },
	{ "getsockopt SO_PEERPIDFD", FT_CONN, ft_setup_pair, act_get_peerpidfd, 0,
	  .errs = { ENOMEM, EFAULT, ENFILE }, .check = ft_check_pair },
	{ "getsockopt, no such length", FT_ALL, setup_bound, act_get_bad_len, -EFAULT,
	  .errs = MEM, .check = check_bound, .word = "rill_getsockopt" },
	{ "getsockopt, length is read-only", FT_ALL, setup_read_only,
	  act_get_read_only_len, -EFAULT, .errs = MEM, .check = check_bound,
	  .word = "rill_getsockopt" },
	{ "ioctl SIOCINQ", FT_ALL, ft_setup_data, act_inq, 10000,
	  .errs = MEM, .check = check_untouched },
	{ "ioctl SIOCOUTQ", FT_ALL, ft_setup_data, act_outq, 1,
	  .errs = MEM, .check = check_untouched },
	{ "ioctl SIOCINQ, bad pointer", FT_ALL, ft_setup_data, act_inq_bad, -EFAULT,
	  .errs = MEM, .check = check_untouched, .word = "rill_ioctl" },
	{ "poll", FT_ALL, ft_setup_data, act_poll, 2,
	  .errs = MEM, .check = check_untouched },
	{ "ppoll, sleeps", FT_ALL, ft_setup_pair, act_poll_wait, 1,
	  .errs = MEM, .check = check_untouched, .wake = wake_by_sending,
	  .nr = SYS_ppoll },
	{ "select", FT_ALL, ft_setup_data, act_select, 1,
	  .errs = MEM, .check = check_untouched },
	{ "epoll_ctl", FT_ALL, setup_epoll, act_epoll_add, 0,
	  .errs = { ENOMEM, EFAULT, ENOSPC }, .check = check_epoll_add },
	{ "epoll_wait", FT_ALL, setup_epoll_wait, act_epoll_wait, 1,
	  .errs = MEM, .check = check_untouched },
	{ "fcntl O_ASYNC", FT_ALL, ft_setup_pair, act_fasync, 0,
	  .errs = MEM, .check = check_fasync },
	{ "open /proc/net/rill", FT_STREAM, ft_setup_data, act_open_proc, FT_WANT_FD,
	  .errs = { ENOMEM, EFAULT, ENFILE }, .check = check_untouched },
	{ "read /proc/net/rill", FT_ALL, setup_proc_rill, act_read_proc, 1,
	  .errs = MEM, .check = check_untouched },
	{ "read /proc/net/rill_stat", FT_STREAM, setup_proc_stat, act_read_proc, 1,
	  .errs = MEM, .check = check_untouched },
	{ "read /proc/self/fdinfo", FT_ALL, setup_fdinfo, act_read_proc, 1,
	  .errs = MEM, .check = check_untouched },
	{ "write net.rill.max_waiting", FT_STREAM, setup_sysctl, act_sysctl, 5,
	  .errs = MEM, .check = ft_check_pair },
	{ "unshare a network namespace", FT_STREAM, setup_netns, act_netns, 0,
	  .errs = MEM, .check = check_netns, .only = "rill_net_ns_init" },
};

const unsigned int ft_n_misc = ARRAY_SIZE(ft_misc);
