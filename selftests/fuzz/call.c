// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of a program: what each takes, and how it is made.
 *
 * A call's function returns what the system call did, or the negative errno.
 * New descriptors go into the slots that the call names.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rill_diag.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FD(i)	fz_fd(env, &c->arg[i])
#define NUM(i)	(c->arg[i].v)
#define LEN(i)	((size_t)c->arg[i].it[0].a)
#define MEM(i)	fz_mem(&c->arg[i].it[0])

#define CALL(name)							\
	static long do_##name(struct fz_env *env, const struct fz_call *c)

static long done(long ret)
{
	return ret < 0 ? -errno : ret;
}

/* The same with a new descriptor. */
static long gives(struct fz_env *env, const struct fz_call *c, long fd)
{
	if (fd < 0)
		return -errno;
	fz_slot_set(env, c->ret[0], fd);
	return 0;
}

static long gives_two(struct fz_env *env, const struct fz_call *c, long ret, const int fd[2])
{
	if (ret)
		return -errno;
	fz_slot_set(env, c->ret[0], fd[0]);
	fz_slot_set(env, c->ret[1], fd[1]);
	return 0;
}

/* ---- sockets ---- */

CALL(socket)
{
	return gives(env, c, socket(fz_family, NUM(0) | NUM(1), NUM(2)));
}

CALL(socketpair)
{
	int fd[2];

	return gives_two(env, c, socketpair(fz_family, NUM(0) | NUM(1), NUM(2), fd), fd);
}

/* Many sockets with names at once. */
CALL(crowd)
{
	const struct sockaddr_rill any = { .srl_family = fz_family };
	long n = NUM(1) & 255, i, ret = 0;
	int fd;

	(void)env;
	for (i = 0; i < n; i++) {
		fd = socket(fz_family, NUM(0) | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return i ? i : -errno;
		ret = done(bind(fd, (const struct sockaddr *)&any, RILL_ADDR_MIN));
	}
	return ret ? ret : n;
}

CALL(bind)
{
	struct sockaddr_storage room;
	void *addr;
	socklen_t len = fz_addr(env, &c->arg[1], &addr, &room);

	return done(syscall(SYS_bind, FD(0), addr, len));
}

CALL(connect)
{
	struct sockaddr_storage room;
	void *addr;
	socklen_t len = fz_addr(env, &c->arg[1], &addr, &room);

	return done(syscall(SYS_connect, FD(0), addr, len));
}

CALL(listen)
{
	return done(listen(FD(0), NUM(1)));
}

CALL(accept)
{
	struct sockaddr_storage room;
	socklen_t len = LEN(1);
	void *addr = c->arg[1].it[0].kind == FZ_MEM_OK ? &room : MEM(1);
	long fd = syscall(SYS_accept4, FD(0), addr, addr ? &len : NULL, NUM(2));

	return gives(env, c, fd);
}

CALL(getsockname)
{
	socklen_t len = LEN(1);

	return done(syscall(SYS_getsockname, FD(0), MEM(1), &len));
}

CALL(getpeername)
{
	socklen_t len = LEN(1);

	return done(syscall(SYS_getpeername, FD(0), MEM(1), &len));
}

CALL(shutdown)
{
	return done(shutdown(FD(0), NUM(1)));
}

CALL(close)
{
	int64_t slot = NUM(0);

	if (slot < 0 || slot >= FZ_SLOTS)
		return done(close(-1));
	return done(close(atomic_exchange(&env->slot[slot], -1)));
}

CALL(dup)
{
	return gives(env, c, fcntl(FD(0), F_DUPFD_CLOEXEC, 0));
}

/* ---- data ---- */

CALL(send)
{
	return done(syscall(SYS_sendto, FD(0), MEM(1), LEN(1), NUM(2), NULL, 0));
}

CALL(sendto)
{
	struct sockaddr_storage room;
	void *addr;
	socklen_t len = fz_addr(env, &c->arg[3], &addr, &room);

	return done(syscall(SYS_sendto, FD(0), MEM(1), LEN(1), NUM(2), addr, len));
}

CALL(recv)
{
	return done(syscall(SYS_recvfrom, FD(0), MEM(1), LEN(1), NUM(2), NULL, NULL));
}

CALL(recvfrom)
{
	socklen_t len = LEN(3);

	return done(syscall(SYS_recvfrom, FD(0), MEM(1), LEN(1), NUM(2), MEM(3), &len));
}

CALL(read)
{
	return done(syscall(SYS_read, FD(0), MEM(1), LEN(1)));
}

CALL(write)
{
	return done(syscall(SYS_write, FD(0), MEM(1), LEN(1)));
}

CALL(readv)
{
	struct iovec iov[FZ_ITEMS];

	return done(syscall(SYS_readv, FD(0), iov, fz_iov(&c->arg[1], iov)));
}

CALL(writev)
{
	struct iovec iov[FZ_ITEMS];

	return done(syscall(SYS_writev, FD(0), iov, fz_iov(&c->arg[1], iov)));
}

CALL(sendmsg)
{
	struct sockaddr_storage room;
	struct iovec iov[FZ_ITEMS];
	struct msghdr msg = { .msg_iov = iov };
	union {
		struct cmsghdr align;
		char bytes[512];
	} ctl;

	msg.msg_namelen = fz_addr(env, &c->arg[1], &msg.msg_name, &room);
	msg.msg_iovlen = fz_iov(&c->arg[2], iov);
	fz_ctl(env, &c->arg[3], ctl.bytes, sizeof(ctl), &msg);
	return done(syscall(SYS_sendmsg, FD(0), &msg, NUM(4)));
}

/* What came beside the data is closed: recvmsg() may be told of descriptors. */
static void close_received(struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(fd)) <= cmsg->cmsg_len; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
			close(fd);
		}
	}
}

CALL(recvmsg)
{
	struct sockaddr_storage room;
	struct iovec iov[FZ_ITEMS];
	union {
		struct cmsghdr align;
		char bytes[512];
	} ctl;
	bool own = c->arg[3].it[0].kind == FZ_MEM_OK && LEN(3) <= sizeof(ctl);
	struct msghdr msg = {
		.msg_name	= c->arg[1].it[0].kind == FZ_MEM_OK ? &room : MEM(1),
		.msg_namelen	= LEN(1),
		.msg_iov	= iov,
		.msg_iovlen	= fz_iov(&c->arg[2], iov),
		.msg_control	= own ? &ctl : MEM(3),
		.msg_controllen	= LEN(3),
	};
	long ret = syscall(SYS_recvmsg, FD(0), &msg, NUM(4));

	if (ret >= 0 && own)
		close_received(&msg);
	return done(ret);
}

CALL(sendmmsg)
{
	struct sockaddr_storage room;
	struct iovec iov[FZ_ITEMS];
	struct mmsghdr msg[4] = {};
	union {
		struct cmsghdr align;
		char bytes[512];
	} ctl;

	for (unsigned int i = 0; i < 4; i++) {
		struct msghdr *m = &msg[i].msg_hdr;

		m->msg_namelen = fz_addr(env, &c->arg[1], &m->msg_name, &room);
		m->msg_iov = iov;
		m->msg_iovlen = fz_iov(&c->arg[2], iov);
		fz_ctl(env, &c->arg[3], ctl.bytes, sizeof(ctl), m);
	}
	return done(syscall(SYS_sendmmsg, FD(0), msg, 4, NUM(4)));
}

CALL(recvmmsg)
{
	struct iovec iov[FZ_ITEMS];
	struct timespec limit = { .tv_nsec = NUM(3) };
	struct mmsghdr msg[4] = {};

	for (unsigned int i = 0; i < 4; i++) {
		msg[i].msg_hdr.msg_iov = iov;
		msg[i].msg_hdr.msg_iovlen = fz_iov(&c->arg[1], iov);
	}
	return done(syscall(SYS_recvmmsg, FD(0), msg, 4, NUM(2), NUM(3) ? &limit : NULL));
}

/* As much as goes in, or out: full and empty queues are the interesting ones. */
CALL(fill)
{
	long n, total = 0;

	for (int i = 0; i < 400 && total < 1 << 20; i++) {
		n = syscall(SYS_sendto, FD(0), MEM(1), LEN(1), MSG_DONTWAIT | MSG_NOSIGNAL,
			    NULL, 0);
		if (n < 0)
			return i ? i : -errno;
		total += n;
	}
	return 0;
}

CALL(drain)
{
	for (int i = 0; i < 400; i++)
		if (syscall(SYS_recvfrom, FD(0), MEM(1), LEN(1), MSG_DONTWAIT, NULL, NULL) <= 0)
			return i ? i : -errno;
	return 0;
}

/* ---- options ---- */

static int set_filter(int fd, int64_t which, void *bad)
{
	static struct sock_filter code[][2] = {
		{ BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_RET | BPF_K, 0xffffffff) },
		{ BPF_STMT(BPF_RET | BPF_K, 4) },
		{ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 1), BPF_STMT(BPF_RET | BPF_A, 0) },
		{ BPF_STMT(0xffff, 0) },
	};
	struct sock_fprog prog = {
		.len	= which == 3 ? 2 : 1,
		.filter	= which >= 0 && which < 5 ? code[which] : bad,
	};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/* However it was set: no longer than a second, or a close() takes hours. */
static void bound_linger(struct fz_env *env, int fd)
{
	struct linger linger;
	socklen_t len = sizeof(linger);

	if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) || !linger.l_onoff ||
	    !linger.l_linger)
		return;
	linger.l_linger = 1;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	env->lingers = true;
}

CALL(setsockopt)
{
	int level = FZ_OPT_LEVEL(NUM(1)), name = FZ_OPT_NAME(NUM(1));
	const struct fz_item *it = &c->arg[4].it[0];
	int64_t value[16] = { 0 };
	int half[2] = { NUM(2), NUM(3) }, err;
	long ret;

	if (level == SOL_SOCKET && name == SO_ATTACH_FILTER)
		return done(set_filter(FD(0), NUM(2), MEM(4)));
	if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO)) {
		value[0] = NUM(2);
		value[1] = NUM(3);
	} else if (level == SOL_SOCKET && name == SO_LINGER) {
		half[1] = !!half[1];
		memcpy(value, half, sizeof(half));
	} else {
		memcpy(value, half, sizeof(half));
	}
	ret = syscall(SYS_setsockopt, FD(0), level, name,
		      it->kind == FZ_MEM_OK ? value : fz_mem(it), (socklen_t)it->a);
	err = errno;
	if (!ret && level == SOL_SOCKET && name == SO_LINGER)
		bound_linger(env, FD(0));
	errno = err;
	return done(ret);
}

CALL(getsockopt)
{
	socklen_t len = LEN(2);

	return done(syscall(SYS_getsockopt, FD(0), FZ_OPT_LEVEL(NUM(1)), FZ_OPT_NAME(NUM(1)),
			    MEM(2), NUM(3) ? (void *)0x10 : (void *)&len));
}

CALL(ioctl)
{
	int fd = FD(0);
	long ret;

	/* Those that give out a descriptor. */
	if (NUM(1) == SIOCGSKNS)
		return gives(env, c, ioctl(fd, NUM(1)));
	if (NUM(1) == FIOSETOWN) {
		int own = NUM(3) ? -getpgrp() : getpid();

		return done(ioctl(fd, FIOSETOWN, &own));
	}
	if ((NUM(1) == FIONBIO || NUM(1) == FIOASYNC) && c->arg[2].it[0].kind == FZ_MEM_OK) {
		int on = NUM(3);

		return done(ioctl(fd, NUM(1), &on));
	}
	ret = ioctl(fd, NUM(1), MEM(2));
	return done(ret);
}

CALL(fcntl)
{
	int64_t arg = NUM(2);

	if (NUM(1) == F_SETOWN)
		arg = arg ? getpid() : 0;
	if (NUM(1) == F_SETSIG)
		arg = arg ? SIGUSR2 : 0;
	if (NUM(1) == F_SETPIPE_SZ)
		arg = (arg & 15) << 12;
	return done(fcntl(FD(0), NUM(1), arg));
}

/* ---- waiting ---- */

CALL(poll)
{
	struct pollfd p[2] = {
		{ .fd = FD(0), .events = NUM(1) },
		{ .fd = FD(2), .events = NUM(1) },
	};

	return done(poll(p, 2, NUM(3) ? 2 : 0));
}

CALL(select)
{
	struct timeval none = {};
	fd_set in, out, err;
	int fd = FD(0);

	if (fd < 0 || fd >= FD_SETSIZE)
		return -EBADF;
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&err);
	FD_SET(fd, &in);
	if (NUM(1) & 1)
		FD_SET(fd, &out);
	if (NUM(1) & 2)
		FD_SET(fd, &err);
	return done(select(fd + 1, &in, &out, &err, &none));
}

CALL(epoll)
{
	return gives(env, c, epoll_create1(EPOLL_CLOEXEC));
}

CALL(epoll_ctl)
{
	struct epoll_event ev = { .events = NUM(3) };

	return done(epoll_ctl(FD(0), NUM(1), FD(2), &ev));
}

CALL(epoll_wait)
{
	struct epoll_event ev[4];

	return done(epoll_wait(FD(0), ev, 4, NUM(1) ? 2 : 0));
}

/* ---- pipes and files ---- */

CALL(pipe)
{
	int fd[2];

	return gives_two(env, c, pipe2(fd, O_CLOEXEC | NUM(0)), fd);
}

CALL(splice)
{
	loff_t off = 1;

	return done(splice(FD(0), NUM(4) == 1 ? &off : NULL, FD(1), NUM(4) == 2 ? &off : NULL,
			   NUM(2), NUM(3)));
}

CALL(tee)
{
	return done(tee(FD(0), FD(1), NUM(2), NUM(3)));
}

CALL(vmsplice)
{
	struct iovec iov[FZ_ITEMS];
	unsigned int n = fz_iov(&c->arg[1], iov);

	return done(vmsplice(FD(0), iov, n, NUM(2)));
}

/* Many small pages by reference, each of which takes a slot. */
CALL(trickle)
{
	struct iovec iov = { MEM(2), 1 };
	int n, p[2], to = FD(0);
	long ret = 0;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	for (n = 0; n < (NUM(1) & 1023); n++) {
		if (vmsplice(p[1], &iov, 1, 0) < 0 ||
		    splice(p[0], NULL, to, NULL, 1, SPLICE_F_NONBLOCK) < 0) {
			ret = -errno;
			break;
		}
	}
	close(p[0]);
	close(p[1]);
	return n ? n : ret;
}

CALL(sendfile)
{
	off_t off = NUM(2);

	return done(sendfile(FD(0), FD(1), off >= 0 ? &off : NULL, NUM(3)));
}

static int memfd(void)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	static const char text[5000] = "fuzz";

	/* Bytes, a hole, and an end within a page. */
	if (fd >= 0 && (write(fd, text, sizeof(text)) < 0 || ftruncate(fd, 70001))) {
		close(fd);
		return -1;
	}
	return fd;
}

CALL(file)
{
	char params[128] = {};
	long fd = -1;

	switch (NUM(0)) {
	case 0:
		fd = memfd();
		break;
	case 1:
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		break;
	case 2:
		fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
		break;
	case 3:
		fd = open("/proc/thread-self/net/rill", O_RDONLY | O_CLOEXEC);
		break;
	case 4:
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		break;
	case 5:
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		break;
	case 6:
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		break;
	case 7:
		fd = eventfd(0, EFD_NONBLOCK);
		break;
	case 8:
		fd = syscall(SYS_io_uring_setup, 1, params);
		break;
	default:
		errno = EINVAL;
	}
	return gives(env, c, fd);
}

CALL(mmap)
{
	void *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, FD(0), 0);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, 4096);
	return 0;
}

CALL(stat)
{
	struct stat st;

	return done(fstat(FD(0), &st));
}

/* ---- what the module shows, and its settings ---- */

static long show(const char *path, size_t step)
{
	char text[8192];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long n, total = 0;

	if (fd < 0)
		return -errno;
	if (!step || step > sizeof(text))
		step = sizeof(text);
	for (int i = 0; i < 8 && (n = read(fd, text, step)) > 0; i++) {
		total += n;
		/* Now and then from somewhere else. */
		if (step == 100 && i == 2)
			lseek(fd, 300, SEEK_SET);
	}
	close(fd);
	return total;
}

CALL(proc)
{
	static const char *const path[] = {
		"/proc/thread-self/net/rill", "/proc/thread-self/net/rill_stat",
		"/proc/thread-self/net/protocols", "/proc/thread-self/net/sockstat",
	};

	(void)env;
	return show(path[NUM(0) & 3], NUM(1));
}

CALL(fdinfo)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", FD(0));
	return show(path, 0);
}

CALL(sysctl)
{
	static const char *const path[] = {
		"/proc/sys/net/rill/max_waiting", "/proc/sys/net/rill/busy_poll_us",
		"/proc/sys/net/rill/max_busy_poll_us",
	};
	int fd = open(path[(uint64_t)NUM(0) % 3], O_WRONLY | O_CLOEXEC);
	long ret;

	(void)env;
	if (fd < 0)
		return -errno;
	ret = done(dprintf(fd, "%d\n", (int)NUM(1)) < 0 ? -1 : 0);
	close(fd);
	return ret;
}

/* ---- who calls; only of the calling thread, and put back at the end ---- */

CALL(setuid)
{
	env->ids = true;
	/* The saved one is the way back. */
	return done(syscall(SYS_setresuid, NUM(0), NUM(0), 0));
}

CALL(setgid)
{
	gid_t gid = NUM(0);

	env->ids = true;
	syscall(SYS_setgroups, 1, &gid);
	return done(syscall(SYS_setresgid, -1, gid, -1));
}

CALL(umask)
{
	(void)env;
	return done(umask(NUM(0)));
}

CALL(netns)
{
	(void)c;
	env->netns = true;
	return done(unshare(CLONE_NEWNET));
}

CALL(userns)
{
	(void)c;
	(void)env;
	/* One thread only may: by a child process (%). */
	return done(unshare(CLONE_NEWUSER | CLONE_NEWNET));
}

/* How many files may be in flight; put back at the end. */
CALL(nofile)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	env->limited = true;
	limit.rlim_cur = NUM(0) & 255;
	return done(setrlimit(RLIMIT_NOFILE, &limit));
}

/* All sockets, or the first ones of an answer that is not read to its end. */
CALL(diag)
{
	struct {
		struct nlmsghdr		nlh;
		struct rill_diag_req	req;
	} ask = {
		.nlh.nlmsg_len		= sizeof(ask),
		.nlh.nlmsg_type		= SOCK_DIAG_BY_FAMILY,
		.nlh.nlmsg_flags	= NLM_F_REQUEST | (NUM(3) ? 0 : NLM_F_DUMP),
		.req.rdr_family		= fz_family,
		.req.rdr_states		= NUM(0),
		.req.rdr_types		= NUM(1),
		.req.rdr_show		= NUM(2),
		.req.rdr_ino		= NUM(3),
	};
	static __thread char answer[16384];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	long ret, total = 0;

	(void)env;
	if (fd < 0)
		return -errno;
	ret = done(send(fd, &ask, sizeof(ask), 0));
	for (int i = 0; ret > 0 && i < 8; i++) {
		ret = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
		total += ret > 0 ? ret : 0;
	}
	close(fd);
	return ret < 0 && !total ? ret : total;
}

CALL(alarm)
{
	struct itimerval soon = { .it_value.tv_usec = NUM(0) & 1023 };

	(void)env;
	if (!soon.it_value.tv_usec)
		soon.it_value.tv_usec = 100;
	soon.it_interval.tv_usec = 3000;
	return done(setitimer(ITIMER_REAL, &soon, NULL));
}

CALL(pause)
{
	struct timespec t = { .tv_nsec = (NUM(0) & 15) * 1000000 };

	(void)env;
	while (nanosleep(&t, &t) && errno == EINTR)
		;
	return 0;
}

/*
 * A namespace whose making fails at the module's n-th allocation: one takes hundreds,
 * of a number that varies, and the module's come late.  Needs a filter that only a
 * kernel for tests has.
 */
CALL(netns_short)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	unsigned int nth = NUM(0) & 63;
	sigset_t all, was;
	long ret = -ENOENT;

	env->netns = true;
	/* A signal's frame is no part of it. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &was);
	if (fd >= 0 && fz_faults_of_module(true)) {
		fz_fail_set(fd, nth);
		ret = done(unshare(CLONE_NEWNET));
		fz_fail_set(fd, 0);
	}
	fz_faults_of_module(false);
	if (fd >= 0)
		close(fd);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return ret;
}

CALL(trace)
{
	(void)env;
	return fz_trace(NUM(0), NUM(1), NUM(2));
}

CALL(uring)
{
	return fz_uring(env, c);
}

#define DO(word)	.name = #word, .fn = do_##word
#define fd(t)		{ .kind = FZ_FD, .thing = t }
#define num()		{ .kind = FZ_NUM }
#define one_of(s)	{ .kind = FZ_NUM, .set = &fz_set_##s }
#define flags(s)	{ .kind = FZ_FLAGS, .set = &fz_set_##s }
#define addr()		{ .kind = FZ_ADDR }
#define buf()		{ .kind = FZ_BUF }
#define iov()		{ .kind = FZ_IOV }
#define ctl()		{ .kind = FZ_CTL }

const struct fz_desc fz_descs[] = {
	{ DO(socket), .weight = 12, .rets = 1, .thing = FZ_SOCK,
	  .arg = { one_of(type), flags(sock), num() } },
	{ DO(socketpair), .weight = 8, .rets = 2, .thing = FZ_SOCK,
	  .arg = { one_of(type), flags(sock), num() } },
	{ DO(crowd), .weight = 1, .arg = { one_of(type), num() } },
	{ DO(bind), .weight = 10, .arg = { fd(FZ_SOCK), addr() } },
	{ DO(listen), .weight = 8, .arg = { fd(FZ_SOCK), num() } },
	{ DO(accept), .weight = 10, .rets = 1, .thing = FZ_SOCK,
	  .arg = { fd(FZ_LISTENER), buf(), flags(sock) } },
	{ DO(connect), .weight = 14, .arg = { fd(FZ_SOCK), addr() } },
	{ DO(getsockname), .weight = 2, .arg = { fd(FZ_SOCK), buf() } },
	{ DO(getpeername), .weight = 2, .arg = { fd(FZ_SOCK), buf() } },
	{ DO(shutdown), .weight = 8, .arg = { fd(FZ_SOCK), one_of(how) } },
	{ DO(close), .weight = 12, .closes = true, .arg = { fd(FZ_ANY) } },
	{ DO(dup), .weight = 2, .rets = 1, .thing = FZ_SOCK, .arg = { fd(FZ_ANY) } },
	{ DO(send), .weight = 14, .arg = { fd(FZ_SOCK), buf(), flags(msg) } },
	{ DO(sendto), .weight = 10, .arg = { fd(FZ_SOCK), buf(), flags(msg), addr() } },
	{ DO(recv), .weight = 14, .arg = { fd(FZ_SOCK), buf(), flags(msg) } },
	{ DO(recvfrom), .weight = 4, .arg = { fd(FZ_SOCK), buf(), flags(msg), buf() } },
	{ DO(read), .weight = 4, .arg = { fd(FZ_ANY), buf() } },
	{ DO(write), .weight = 4, .arg = { fd(FZ_ANY), buf() } },
	{ DO(readv), .weight = 2, .arg = { fd(FZ_SOCK), iov() } },
	{ DO(writev), .weight = 2, .arg = { fd(FZ_SOCK), iov() } },
	{ DO(sendmsg), .weight = 12, .arg = { fd(FZ_SOCK), addr(), iov(), ctl(), flags(msg) } },
	{ DO(recvmsg), .weight = 12, .arg = { fd(FZ_SOCK), buf(), iov(), buf(), flags(msg) } },
	{ DO(sendmmsg), .weight = 3, .arg = { fd(FZ_SOCK), addr(), iov(), ctl(), flags(msg) } },
	{ DO(recvmmsg), .weight = 3, .arg = { fd(FZ_SOCK), iov(), flags(msg), num() } },
	{ DO(fill), .weight = 4, .arg = { fd(FZ_SOCK), buf() } },
	{ DO(drain), .weight = 4, .arg = { fd(FZ_SOCK), buf() } },
	{ DO(setsockopt), .weight = 20, .arg = { fd(FZ_SOCK), one_of(opt), num(), num(), buf() } },
	{ DO(getsockopt), .weight = 8, .arg = { fd(FZ_SOCK), one_of(opt), buf(), num() } },
	{ DO(ioctl), .weight = 5, .rets = 1, .thing = FZ_ANY,
	  .arg = { fd(FZ_SOCK), one_of(ioctl), buf(), num() } },
	{ DO(fcntl), .weight = 4, .arg = { fd(FZ_ANY), one_of(fcntl), flags(oflags) } },
	{ DO(poll), .weight = 6, .arg = { fd(FZ_SOCK), flags(poll), fd(FZ_ANY), num() } },
	{ DO(select), .weight = 2, .arg = { fd(FZ_SOCK), num() } },
	{ DO(epoll), .weight = 2, .rets = 1, .thing = FZ_EPOLL, .arg = {} },
	{ DO(epoll_ctl), .weight = 5,
	  .arg = { fd(FZ_EPOLL), one_of(epoll_op), fd(FZ_ANY), flags(poll) } },
	{ DO(epoll_wait), .weight = 3, .arg = { fd(FZ_EPOLL), num() } },
	{ DO(pipe), .weight = 3, .rets = 2, .thing = FZ_PIPE, .arg = { flags(oflags) } },
	{ DO(splice), .weight = 8, .arg = { fd(FZ_ANY), fd(FZ_ANY), num(), flags(splice), num() } },
	{ DO(tee), .weight = 1, .arg = { fd(FZ_PIPE), fd(FZ_PIPE), num(), flags(splice) } },
	{ DO(vmsplice), .weight = 2, .arg = { fd(FZ_PIPE), iov(), flags(splice) } },
	{ DO(trickle), .weight = 1, .arg = { fd(FZ_SOCK), num(), buf() } },
	{ DO(sendfile), .weight = 4, .arg = { fd(FZ_SOCK), fd(FZ_FILE), num(), num() } },
	{ DO(file), .weight = 3, .rets = 1, .thing = FZ_FILE, .arg = { one_of(file) } },
	{ DO(mmap), .weight = 1, .arg = { fd(FZ_SOCK) } },
	{ DO(stat), .weight = 1, .arg = { fd(FZ_SOCK) } },
	{ DO(proc), .weight = 2, .arg = { one_of(proc), num() } },
	{ DO(fdinfo), .weight = 1, .arg = { fd(FZ_SOCK) } },
	{ DO(sysctl), .weight = 1, .first = true, .leaves = FZ_LEAVES_SYSCTL,
	  .arg = { one_of(sysctl), num() } },
	{ DO(setuid), .weight = 2, .first = true, .arg = { num() } },
	{ DO(setgid), .weight = 1, .first = true, .arg = { num() } },
	{ DO(umask), .weight = 1, .first = true, .arg = { num() } },
	{ DO(netns), .weight = 1, .first = true },
	{ DO(netns_short), .weight = 0, .first = true, .arg = { num() } },
	{ DO(userns), .weight = 0, .rets = 0 },
	{ DO(nofile), .weight = 1, .first = true, .arg = { num() } },
	{ DO(diag), .weight = 2, .arg = { num(), num(), num(), num() } },
	{ DO(alarm), .weight = 1, .first = true, .arg = { num() } },
	{ DO(pause), .weight = 0, .first = true, .arg = { num() } },
	{ DO(trace), .weight = 1, .first = true, .leaves = FZ_LEAVES_TRACE,
	  .arg = { one_of(trace), one_of(event), num() } },
	{ DO(uring), .weight = 3, .first = true,
	  .arg = { one_of(uring), fd(FZ_SOCK), buf(), flags(msg), addr() } },
};

const unsigned int fz_ndescs = ARRAY_SIZE(fz_descs);

/* Where the core says aloud in the log that it got no memory, or does not expect it. */
bool fz_may_not_fail(const struct fz_call *c)
{
	return fz_descs[c->op].fn == do_trace ||
	       (fz_descs[c->op].fn == do_setsockopt &&
		c->arg[1].v == FZ_OPT(SOL_SOCKET, SO_ATTACH_FILTER));
}

int fz_desc_find(const char *name)
{
	for (unsigned int i = 0; i < fz_ndescs; i++)
		if (!strcmp(fz_descs[i].name, name))
			return i;
	return -1;
}
