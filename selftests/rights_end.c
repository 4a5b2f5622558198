// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files in flight that nobody receives: they are closed with whatever they were
 * on their way to, however it ends.  What would keep them for ever is refused: a
 * socket that could come to hold itself.  And a user has not more of them in
 * flight than it may.
 */
#include "rill_test_fds.h"

#include <liburing.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>

#define UID_A	1001
#define GID_A	2001

FIXTURE(end)
{
	int fd[2];
	struct rr_pipe p;
};

FIXTURE_VARIANT(end)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(end, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(end, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(end, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(end, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(end, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(end, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(end)
{
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
	ASSERT_EQ(0, rr_pipe(&self->p));
}

FIXTURE_TEARDOWN(end)
{
	/* Whatever the test did, nothing is left of it. */
	if (self->p.w >= 0)
		close(self->p.w);
	close(self->fd[0]);
	close(self->fd[1]);
	EXPECT_TRUE(rr_gone(&self->p));
	close(self->p.r);
}

/* For the end of a test that closed the descriptor by itself. */
static void forget(int *fd)
{
	*fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* ---- the socket dies --------------------------------------------------------- */

TEST_F(end, receiver_closes)
{
	ASSERT_EQ(1, rr_send_pipe(self->fd[0], "x", 1, 0, &self->p));
	EXPECT_TRUE(rr_held(&self->p));
	close(self->fd[1]);
	forget(&self->fd[1]);
	EXPECT_TRUE(rr_gone(&self->p));
}

/* The sender's end is not what they hang on. */
TEST_F(end, sender_closes)
{
	struct rr_msg m;
	char c;

	ASSERT_EQ(1, rr_send_pipe(self->fd[0], "x", 1, 0, &self->p));
	close(self->fd[0]);
	forget(&self->fd[0]);
	EXPECT_TRUE(rr_held(&self->p));
	ASSERT_EQ(1, rr_recv(self->fd[1], &c, 1, 0, &m));
	ASSERT_EQ(1, m.n);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &self->p));
	rr_close(&m);
}

TEST_F(end, both_close)
{
	ASSERT_EQ(1, rr_send_pipe(self->fd[0], "x", 1, 0, &self->p));
	close(self->fd[0]);
	forget(&self->fd[0]);
	EXPECT_TRUE(rr_held(&self->p));
	close(self->fd[1]);
	forget(&self->fd[1]);
	EXPECT_TRUE(rr_gone(&self->p));
}

TEST_F(end, killed)
{
	pid_t pid = rt_fork();
	int fd[2], i;
	char c;

	ASSERT_LE(0, pid);
	if (!pid) {
		CHECK_EQ(0, socketpair(rt_af(variant->family), variant->type, 0, fd));
		for (i = 0; i < 5; i++) {
			CHECK_EQ(1, rr_send(fd[0], "x", 1, 0, &self->p.w, 1));
			CHECK_EQ(1, rr_send(fd[1], "x", 1, 0, &self->p.w, 1));
		}
		/* Tells that all is in flight, and waits for the end. */
		CHECK_EQ(1, write(self->p.w, "k", 1));
		pause();
		_exit(1);
	}
	close(self->p.w);
	self->p.w = -1;
	ASSERT_EQ(1, SYS(read(self->p.r, &c, 1)));
	EXPECT_TRUE(rr_held(&self->p));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_LE(0, rt_wait_child(pid));
	EXPECT_TRUE(rr_gone(&self->p));
}

/* What was sent before can be received; then the end closes what is left. */
TEST_F(end, shutdown)
{
	struct rr_msg m;
	char c;

	ASSERT_EQ(1, rr_send(self->fd[0], "x", 1, 0, &self->p.w, 1));
	ASSERT_EQ(1, rr_send_pipe(self->fd[0], "y", 1, 0, &self->p));
	ASSERT_EQ(0, shutdown(self->fd[0], SHUT_RDWR));
	ASSERT_EQ(0, shutdown(self->fd[1], SHUT_RDWR));
	EXPECT_TRUE(rr_held(&self->p));
	ASSERT_EQ(1, rr_recv(self->fd[1], &c, 1, 0, &m));
	ASSERT_EQ(1, m.n);
	EXPECT_TRUE(rr_is_pipe(m.fd[0], &self->p));
	rr_close(&m);
	EXPECT_TRUE(rr_held(&self->p));
	close(self->fd[1]);
	forget(&self->fd[1]);
	EXPECT_TRUE(rr_gone(&self->p));
}

/* A connection that nobody accepted, whichever end goes first. */
TEST_F(end, never_accepted)
{
	struct rt_addr a = { .len = 0 };
	int lfd, cfd, i;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "no connections");
	lfd = rt_listener(variant->family, variant->type, 2, &a);
	ASSERT_LE(0, lfd);
	for (i = 0; i < 2; i++) {
		struct rr_pipe p;

		cfd = rt_client(variant->family, variant->type, &a);
		ASSERT_LE(0, cfd);
		ASSERT_EQ(0, rr_pipe(&p));
		ASSERT_EQ(1, rr_send_pipe(cfd, "x", 1, 0, &p));
		EXPECT_TRUE(rr_held(&p));
		if (!i) {
			close(cfd);
			/* Who accepts it still gets what was sent. */
			EXPECT_TRUE(rr_held(&p));
		}
		close(lfd);
		EXPECT_TRUE(rr_gone(&p));
		close(p.r);
		if (!i) {
			lfd = rt_listener(variant->family, variant->type, 2, &a);
			ASSERT_LE(0, lfd);
		} else {
			close(cfd);
		}
	}
}

/* In line nothing can be sent yet, and nothing stays with the sender. */
TEST_F(end, in_line)
{
	struct rt_addr a = { .len = 0 };
	int lfd, cfd, wfd, i;

	if (variant->family == RT_UNIX || variant->type == SOCK_DGRAM)
		SKIP(return, "no line");
	lfd = rt_listener(variant->family, variant->type, 0, &a);
	ASSERT_LE(0, lfd);
	cfd = rt_client(variant->family, variant->type, &a);
	ASSERT_LE(0, cfd);
	wfd = rt_socket(variant->family, variant->type | SOCK_NONBLOCK);
	ASSERT_EQ(-EINPROGRESS, rt_connect(wfd, &a));
	for (i = 0; i < 10; i++)
		EXPECT_EQ(-EAGAIN, rr_send(wfd, "x", 1, 0, &self->p.w, 1));
	close(self->p.w);
	self->p.w = -1;
	EXPECT_TRUE(rr_gone(&self->p));
	close(lfd);
	close(cfd);
	close(wfd);
}

/* A reset takes them away at once, though the receiver is there. */
TEST_F(end, reset)
{
	char c;

	if (variant->family == RT_UNIX || variant->type == SOCK_DGRAM)
		SKIP(return, "no reset");
	ASSERT_EQ(0, rt_set_linger(self->fd[0], 1, 0));
	ASSERT_EQ(1, rr_send(self->fd[0], "x", 1, 0, &self->p.w, 1));
	ASSERT_EQ(1, SYS(send(self->fd[0], "y", 1, 0)));
	ASSERT_EQ(1, rr_send_pipe(self->fd[0], "z", 1, 0, &self->p));
	/* A part of it was read, and what is left of a message. */
	if (variant->type == SOCK_STREAM)
		ASSERT_EQ(1, SYS(recv(self->fd[1], &c, 1, 0)));
	EXPECT_TRUE(rr_held(&self->p));
	close(self->fd[0]);
	forget(&self->fd[0]);
	EXPECT_TRUE(rr_gone(&self->p));
	EXPECT_EQ(-ECONNRESET, SYS(recv(self->fd[1], &c, 1, 0)));
	EXPECT_EQ(0, SYS(recv(self->fd[1], &c, 1, 0)));
}

/* ---- a reset while a reader hangs ------------------------------------------- */

struct hang {
	int fd;
	char *at;
	size_t len;
};

static long hang_recv(void *arg)
{
	struct hang *h = arg;
	struct rr_msg m;
	long ret = rr_recv(h->fd, h->at, h->len, 0, &m);

	rr_close(&m);
	return ret;
}

/*
 * The reader copies into a page that does not come, before the files; then the
 * sender resets.  Nobody waits for that reader.  When its page comes, or never
 * will, the files go, though nobody calls any more: those of the bytes behind, or
 * of the very message that was to be copied.
 */
static void reset_under_a_reader(struct __test_metadata *_metadata,
				 int type, int *fd, struct rr_pipe *p, bool comes)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_zeropage zero = { 0 };
	long page = sysconf(_SC_PAGESIZE);
	struct hang h = { .fd = fd[1], .len = 1 };
	struct pollfd pfd = { .events = POLLIN };
	struct uffd_msg um;
	struct rt_thread t;

	pfd.fd = SYS(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
	if (pfd.fd < 0)
		SKIP(return, "no userfaultfd here (%d)", pfd.fd);
	h.at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, h.at);
	ASSERT_EQ(0, ioctl(pfd.fd, UFFDIO_API, &api));
	reg.range.start = (unsigned long)h.at;
	reg.range.len = page;
	ASSERT_EQ(0, ioctl(pfd.fd, UFFDIO_REGISTER, &reg));

	ASSERT_EQ(0, rt_set_linger(fd[0], 1, 0));
	if (type == SOCK_STREAM)
		ASSERT_EQ(1, SYS(send(fd[0], "x", 1, 0)));
	ASSERT_EQ(1, rr_send_pipe(fd[0], "y", 1, 0, p));
	ASSERT_EQ(0, rt_thread_start(&t, hang_recv, &h));
	ASSERT_EQ(1, poll(&pfd, 1, RT_WAIT_MS));
	ASSERT_EQ((long)sizeof(um), SYS(read(pfd.fd, &um, sizeof(um))));
	close(fd[0]);
	forget(&fd[0]);
	EXPECT_TRUE(rr_held(p));
	if (comes) {
		zero.range = reg.range;
		ASSERT_EQ(0, ioctl(pfd.fd, UFFDIO_ZEROPAGE, &zero));
	} else {
		munmap(h.at, page);
		ASSERT_EQ(0, ioctl(pfd.fd, UFFDIO_WAKE, &reg.range));
	}
	ASSERT_TRUE(rt_thread_join(&t));
	EXPECT_EQ(!comes ? -EFAULT : 1, t.ret);
	EXPECT_TRUE(rr_gone(p));
	if (comes)
		munmap(h.at, page);
	close(pfd.fd);
}

TEST_F(end, reset_while_a_reader_hangs)
{
	if (variant->family == RT_UNIX || variant->type == SOCK_DGRAM)
		SKIP(return, "no reset");
	reset_under_a_reader(_metadata, variant->type, self->fd, &self->p, true);
}

TEST_F(end, reset_while_a_reader_faults)
{
	if (variant->family == RT_UNIX || variant->type == SOCK_DGRAM)
		SKIP(return, "no reset");
	reset_under_a_reader(_metadata, variant->type, self->fd, &self->p, false);
}

/* ---- sends that fail -------------------------------------------------------- */

/* Whatever a send says, what it took it lets go of. */
TEST_F(end, sends_that_fail)
{
	struct rt_addr nobody = rt_new_addr(variant->family);
	long room = rt_get_int(self->fd[0], SOL_SOCKET, SO_SNDBUF);
	char *big = calloc(1, room + 100);
	int fd, i;

	ASSERT_NE(NULL, big);
	fd = rt_socket(variant->family, variant->type);
	ASSERT_LE(0, fd);
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-ENOTCONN, rr_send(fd, "x", 1, 0, &self->p.w, 1));
		if (variant->type != SOCK_STREAM)
			EXPECT_EQ(-EMSGSIZE, rr_send(self->fd[0], big, room + 100, 0,
						     &self->p.w, 1));
	}
	close(fd);
	/* The receiver reads no more; then it has gone. */
	ASSERT_EQ(0, shutdown(self->fd[1], SHUT_RD));
	EXPECT_EQ(-EPIPE, rr_send(self->fd[0], "x", 1, 0, &self->p.w, 1));
	close(self->fd[1]);
	forget(&self->fd[1]);
	EXPECT_GT(0, rr_send(self->fd[0], "x", 1, 0, &self->p.w, 1));
	EXPECT_GT(0, rr_send(self->fd[0], "x", 1, 0, &self->p.w, 1));
	if (variant->type == SOCK_DGRAM) {
		struct iovec iov = { "x", 1 };
		union {
			char buf[CMSG_SPACE(sizeof(int))];
			struct cmsghdr h;
		} u = { .h = {
			.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int)),
		} };
		struct msghdr msg = {
			.msg_name = &nobody.sa, .msg_namelen = nobody.len,
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = &u, .msg_controllen = sizeof(u),
		};

		memcpy(CMSG_DATA(&u.h), &self->p.w, sizeof(int));
		EXPECT_EQ(-ECONNREFUSED, SYS(sendmsg(self->fd[0], &msg, 0)));
	}
	free(big);
	close(self->p.w);
	self->p.w = -1;
	EXPECT_TRUE(rr_gone(&self->p));
}

/* Full, for a sender that does not wait, and one whose time is up. */
TEST_F(end, full)
{
	int i;

	ASSERT_LT(0, rt_fill(self->fd[0], 1000));
	ASSERT_LE(0, rt_fill(self->fd[0], 1));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(-EAGAIN, rr_send(self->fd[0], "x", 1, MSG_DONTWAIT, &self->p.w, 1));
	ASSERT_EQ(0, rt_set_timeo(self->fd[0], SO_SNDTIMEO, 20));
	EXPECT_EQ(-EAGAIN, rr_send_pipe(self->fd[0], "x", 1, 0, &self->p));
	EXPECT_TRUE(rr_gone(&self->p));
}

/* A filter drops the datagram: its files go with it. */
TEST_F(end, filtered)
{
	struct sock_filter none[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog prog = { .len = 1, .filter = none };

	if (variant->type != SOCK_DGRAM)
		SKIP(return, "datagrams only");
	ASSERT_EQ(0, SYS(setsockopt(self->fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog,
				    sizeof(prog))));
	EXPECT_EQ(1, rr_send_pipe(self->fd[0], "x", 1, 0, &self->p));
	EXPECT_TRUE(rr_gone(&self->p));
	EXPECT_EQ(0, rt_drain(self->fd[1], 10));
}

/* ---- what could hold itself -------------------------------------------------- */

/* Sockets of the namespace that were not closed yet. */
static int count_sockets(void)
{
	FILE *f = fopen("/proc/thread-self/net/rill", "re");
	char line[512];
	int n = -1;	/* the head line */

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		n++;
	fclose(f);
	return n;
}

/* A socket of the kind: -ELOOP over Rill, and what is beside it is let go. */
static long try_socket(int over, int fd, int w)
{
	int two[2] = { w, fd }, one[2] = { fd, w };
	long ret = rr_send(over, "x", 1, 0, two, 2);

	if (ret != rr_send(over, "x", 1, 0, one, 2) || ret != rr_send(over, "x", 1, 0, one, 1))
		return -EBADMSG;
	return ret;
}

TEST_F(end, sockets)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	enum rt_family family;
	struct rt_addr a;
	int fd, pair[2], i, path;
	char name[32];

	if (variant->family == RT_UNIX)
		SKIP(return, "AF_UNIX has a collector");
	/* errno: sendmsg ELOOP */
	EXPECT_EQ(-ELOOP, try_socket(self->fd[0], self->fd[0], self->p.w));
	EXPECT_EQ(-ELOOP, try_socket(self->fd[0], self->fd[1], self->p.w));
	for (family = RT_RILL; family <= RT_UNIX; family++) {
		for (i = 0; i < 3; i++) {
			fd = rt_socket(family, types[i]);
			EXPECT_EQ(-ELOOP, try_socket(self->fd[0], fd, self->p.w));
			close(fd);
			ASSERT_EQ(0, rt_pair(family, types[i], pair));
			EXPECT_EQ(-ELOOP, try_socket(self->fd[0], pair[1], self->p.w));
			/* Shut down, it holds as much as before. */
			shutdown(pair[0], SHUT_RDWR);
			EXPECT_EQ(-ELOOP, try_socket(self->fd[0], pair[0], self->p.w));
			close(pair[0]);
			close(pair[1]);
			if (types[i] == SOCK_DGRAM)
				continue;
			a.len = 0;
			fd = rt_listener(family, types[i], 1, &a);
			EXPECT_EQ(-ELOOP, try_socket(self->fd[0], fd, self->p.w));
			close(fd);
		}
	}
	EXPECT_EQ(0, rt_drain(self->fd[1], 10));
	/* Others hold nothing. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd >= 0) {
		EXPECT_EQ(1, rr_send(self->fd[0], "x", 1, 0, &fd, 1));
		close(fd);
	}
	/* This is no socket any more, but a place in the file system. */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", self->fd[1]);
	path = open(name, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, path);
	EXPECT_EQ(1, rr_send(self->fd[0], "x", 1, 0, &path, 1));
	close(path);
	/* It is in flight to what it leads to, which dies all the same. */
	EXPECT_EQ(1, rr_send_pipe(self->fd[0], "x", 1, 0, &self->p));
	close(self->fd[1]);
	forget(&self->fd[1]);
	EXPECT_TRUE(rr_gone(&self->p));
	EXPECT_EQ(variant->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE,
		  SYS(send(self->fd[0], "x", 1, MSG_NOSIGNAL)));
}

TEST_F(end, io_uring)
{
	int files[3] = { self->fd[0], self->fd[1], self->p.w };
	struct io_uring io;

	if (io_uring_queue_init(4, &io, 0))
		SKIP(return, "no io_uring here");
	/* It holds both ends, and the pipe. */
	ASSERT_EQ(0, io_uring_register_files(&io, files, 3));
	/* errno: sendmsg EINVAL */
	EXPECT_EQ(-EINVAL, try_socket(self->fd[0], io.ring_fd, self->p.w));
	EXPECT_EQ(0, rt_drain(self->fd[1], 10));
	io_uring_queue_exit(&io);
}

/*
 * An epoll instance that watches both ends, and itself an instance, in flight to
 * one of them, with nobody else who has it.  Sockets are counted: none is left.
 */
TEST_F(end, epoll)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd[2], inner, outer;
	int before;

	if (variant->family == RT_UNIX)
		SKIP(return, "nothing counts them");
	/* Of its own: those of the test before may still be on their way out. */
	ASSERT_EQ(0, SYS(unshare(CLONE_NEWNET)));
	before = count_sockets();
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
	inner = epoll_create1(0);
	outer = epoll_create1(0);
	ASSERT_LE(0, inner);
	ASSERT_LE(0, outer);
	ASSERT_EQ(0, epoll_ctl(inner, EPOLL_CTL_ADD, fd[0], &ev));
	ASSERT_EQ(0, epoll_ctl(inner, EPOLL_CTL_ADD, fd[1], &ev));
	ASSERT_EQ(0, epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev));
	ASSERT_EQ(0, epoll_ctl(outer, EPOLL_CTL_ADD, fd[1], &ev));
	EXPECT_EQ(1, rr_send(fd[0], "x", 1, 0, &inner, 1));
	EXPECT_EQ(1, rr_send(fd[0], "x", 1, 0, &outer, 1));
	EXPECT_EQ(1, rr_send(fd[1], "x", 1, 0, &inner, 1));
	EXPECT_EQ(1, rr_send_pipe(fd[0], "x", 1, 0, &self->p));
	close(inner);
	close(outer);
	EXPECT_TRUE(rr_held(&self->p));
	EXPECT_EQ(before + 2, count_sockets());
	close(fd[0]);
	close(fd[1]);
	EXPECT_TRUE(rr_gone(&self->p));
	EXPECT_TRUE(RT_UNTIL(count_sockets() == before));
}

/* A map for sockets takes none of these, and may travel. */
TEST_F(end, bpf_map)
{
	union bpf_attr attr;
	__u32 key = 0;
	__u64 value;
	int map;

	if (variant->family == RT_UNIX)
		SKIP(return, "nothing to ask");
	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_SOCKMAP;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = 1;
	map = SYS(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
	if (map < 0)
		SKIP(return, "no maps for sockets here (%d)", map);
	value = self->fd[1];
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = map;
	attr.key = (unsigned long)&key;
	attr.value = (unsigned long)&value;
	EXPECT_GT(0, SYS(syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr))));
	EXPECT_EQ(1, rr_send(self->fd[0], "x", 1, 0, &map, 1));
	close(map);
}

/* A process holds files, a pidfd holds a process that may end. */
TEST_F(end, pidfd)
{
	pid_t pid = rt_fork();
	int pidfd;

	ASSERT_LE(0, pid);
	if (!pid) {
		pidfd = syscall(SYS_pidfd_open, getpid(), 0);
		CHECK(pidfd >= 0);
		CHECK_EQ(1, rr_send(self->fd[0], "x", 1, 0, &pidfd, 1));
		CHECK_EQ(1, rr_send(self->fd[1], "x", 1, 0, &pidfd, 1));
		CHECK_EQ(1, rr_send(self->fd[0], "x", 1, 0, &self->p.w, 1));
		_exit(0);
	}
	close(self->p.w);
	self->p.w = -1;
	ASSERT_EQ(0, rt_wait_child(pid));
	EXPECT_TRUE(rr_held(&self->p));
}

/*
 * AF_UNIX passes sockets of this family, which hold none of its own.  So its
 * collector finds the circle that runs through its sockets alone, and with that
 * goes what hangs on it: the Rill socket with the file in its queue.
 */
TEST_F(end, inside_a_circle_of_unix)
{
	int fd[2], un[2], other[2];
	int before;

	if (variant->family == RT_UNIX)
		SKIP(return, "only with Rill inside");
	/* Of its own: those of the test before may still be on their way out. */
	ASSERT_EQ(0, SYS(unshare(CLONE_NEWNET)));
	before = count_sockets();
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, fd));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, un));
	ASSERT_EQ(1, rr_send_pipe(fd[0], "x", 1, 0, &self->p));
	ASSERT_EQ(1, rr_send(un[0], "x", 1, 0, &fd[0], 1));
	ASSERT_EQ(1, rr_send(un[0], "x", 1, 0, &fd[1], 1));
	ASSERT_EQ(1, rr_send(un[0], "x", 1, 0, &un[1], 1));
	ASSERT_EQ(1, rr_send(un[0], "x", 1, 0, &un[0], 1));
	close(fd[0]);
	close(fd[1]);
	EXPECT_TRUE(rr_held(&self->p));
	close(un[0]);
	close(un[1]);
	/* It works when a socket of AF_UNIX goes. */
	EXPECT_TRUE(RT_UNTIL(!socketpair(AF_UNIX, SOCK_STREAM, 0, other) &&
			     !close(other[0]) && !close(other[1]) &&
			     !rr_held(&self->p)));
	EXPECT_TRUE(RT_UNTIL(count_sockets() == before));
}

/* ---- how many ------------------------------------------------------------------ */

#define LIMIT	20

/* Sends one file a time until it may not: how many went, or a negative errno. */
static long send_until(int fd, int w, int most)
{
	long ret;
	int n;

	for (n = 0; n < most; n++) {
		ret = rr_send(fd, "x", 1, MSG_DONTWAIT, &w, 1);
		if (ret == -ETOOMANYREFS)
			return n;
		if (ret != 1)
			return ret;
	}
	return n;
}

static void become_limited(void)
{
	struct rlimit lim = { .rlim_cur = LIMIT, .rlim_max = LIMIT };

	CHECK_EQ(0, setrlimit(RLIMIT_NOFILE, &lim));
	CHECK_EQ(0, rd_become(UID_A, GID_A, NULL, 0));
}

TEST_F(end, as_many_as_a_user_may)
{
	int more[2], three[3];
	struct rr_msg m;
	pid_t pid;
	char c;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, more));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		become_limited();
		/* errno: sendmsg ETOOMANYREFS */
		CHECK_EQ(LIMIT + 1, send_until(self->fd[0], self->p.w, LIMIT + 1));
		CHECK_EQ(-ETOOMANYREFS, rr_send(self->fd[0], "x", 1, 0, &self->p.w, 1));
		/* Wherever they are to go. */
		CHECK_EQ(0, send_until(more[0], self->p.w, 1));
		CHECK_EQ(0, send_until(self->fd[1], self->p.w, 1));
		/* No files, no question. */
		CHECK_EQ(1, SYS(send(more[0], "x", 1, 0)));
		CHECK_EQ(1, SYS(recv(more[1], &c, 1, 0)));
		/* A peek leaves them there. */
		CHECK_EQ(1, rr_recv(self->fd[1], &c, 1, MSG_PEEK, &m));
		CHECK_EQ(1, m.n);
		rr_close(&m);
		CHECK_EQ(0, send_until(more[0], self->p.w, 1));
		/* One is received, another may go, in a send with two more. */
		CHECK_EQ(1, rr_recv(self->fd[1], &c, 1, 0, &m));
		CHECK_EQ(1, m.n);
		rr_close(&m);
		three[0] = self->p.w;
		three[1] = self->p.w;
		three[2] = self->p.w;
		CHECK_EQ(1, rr_send(more[0], "x", 1, 0, three, 3));
		CHECK_EQ(0, send_until(more[0], self->p.w, 1));
		/* Three more received, by one that does not want them. */
		CHECK_EQ(1, SYS(recv(more[1], &c, 1, 0)));
		CHECK_EQ(1, send_until(more[0], self->p.w, 5));
		/* Closed unread, they count no more. */
		close(more[1]);
		_exit(0);
	}
	close(more[1]);
	EXPECT_EQ(0, rt_wait_child(pid));
	close(more[0]);

	/* Root may go on, though root has more in flight than the limit. */
	EXPECT_EQ(3 * LIMIT, send_until(self->fd[1], self->p.w, 3 * LIMIT));
	/* Nothing of the user's is left with the sockets gone. */
	close(self->fd[0]);
	close(self->fd[1]);
	ASSERT_EQ(0, rt_pair(variant->family, variant->type, self->fd));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		become_limited();
		CHECK_EQ(LIMIT + 1, send_until(self->fd[0], self->p.w, 2 * LIMIT));
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
}

/* Each of the capabilities is enough, none is not. */
TEST_F(end, privileged)
{
	static const int drop[][2] = {
		{ CAP_SYS_ADMIN, -1 }, { CAP_SYS_RESOURCE, -1 },
		{ CAP_SYS_ADMIN, CAP_SYS_RESOURCE },
	};
	int i, j;

	if (geteuid())
		SKIP(return, "needs root");
	for (i = 0; i < 3; i++) {
		pid_t pid = rt_fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			struct rlimit lim = { .rlim_cur = LIMIT, .rlim_max = LIMIT };
			long want = i < 2 ? 2 * LIMIT : LIMIT + 1;

			CHECK_EQ(0, setrlimit(RLIMIT_NOFILE, &lim));
			/* A user of its own, that keeps what root may. */
			CHECK_EQ(0, prctl(PR_SET_KEEPCAPS, 1));
			CHECK_EQ(0, setresuid(UID_A + 1 + i, UID_A + 1 + i, 0));
			CHECK_EQ(0, setresuid(-1, 0, -1));
			for (j = 0; j < 2; j++) {
				if (drop[i][j] >= 0)
					CHECK_EQ(0, rd_drop_cap(drop[i][j]));
			}
			CHECK_EQ(want, send_until(self->fd[0], self->p.w, 2 * LIMIT));
			_exit(0);
		}
		EXPECT_EQ(0, rt_wait_child(pid));
		rt_drain(self->fd[1], 100);
	}
}

/* ---- io_uring ------------------------------------------------------------------ */

/* The result of one request, whichever completes first; has remembers others. */
static int result_of(struct io_uring *io, int tag, int has[2])
{
	struct __kernel_timespec ts = { .tv_sec = RT_WAIT_MS / 1000 };
	struct io_uring_cqe *cqe;
	int err;

	while (has[tag] == -EINPROGRESS) {
		err = io_uring_wait_cqe_timeout(io, &cqe, &ts);
		if (err)
			return err;
		has[cqe->user_data] = cqe->res;
		io_uring_cqe_seen(io, cqe);
	}
	err = has[tag];
	has[tag] = -EINPROGRESS;
	return err;
}

/* A send and a receive through a ring, also where the send has to wait. */
TEST_F(end, through_io_uring)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr h;
	} out = { .h = {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)),
	} }, in;
	struct iovec oiov = { "x", 1 }, iiov;
	struct msghdr omsg = {
		.msg_iov = &oiov, .msg_iovlen = 1,
		.msg_control = &out, .msg_controllen = sizeof(out),
	}, imsg;
	int full, fd, err, has[2] = { -EINPROGRESS, -EINPROGRESS };
	struct io_uring_sqe *sqe;
	struct io_uring io;
	char buf[2000];
	bool files;

	err = io_uring_queue_init(4, &io, 0);
	if (err)
		SKIP(return, "no io_uring here (%d)", err);
	memcpy(CMSG_DATA(&out.h), &self->p.w, sizeof(int));
	for (full = 0; full < 2; full++) {
		if (full) {
			ASSERT_LT(0, rt_fill(self->fd[0], 1000));
			ASSERT_LE(0, rt_fill(self->fd[0], 1));
		}
		sqe = io_uring_get_sqe(&io);
		io_uring_prep_sendmsg(sqe, self->fd[0], &omsg, 0);
		sqe->user_data = 0;
		ASSERT_EQ(1, io_uring_submit(&io));
		/* Until the files come, which is with the last byte. */
		for (files = false; !files; files = imsg.msg_controllen) {
			iiov = (struct iovec){ buf, sizeof(buf) };
			imsg = (struct msghdr){
				.msg_iov = &iiov, .msg_iovlen = 1,
				.msg_control = &in, .msg_controllen = sizeof(in),
			};
			sqe = io_uring_get_sqe(&io);
			io_uring_prep_recvmsg(sqe, self->fd[1], &imsg,
					      MSG_CMSG_CLOEXEC);
			sqe->user_data = 1;
			ASSERT_EQ(1, io_uring_submit(&io));
			ASSERT_LT(0, result_of(&io, 1, has));
		}
		EXPECT_EQ(sizeof(in), imsg.msg_controllen);
		memcpy(&fd, CMSG_DATA(&in.h), sizeof(fd));
		EXPECT_TRUE(rr_cloexec(fd));
		EXPECT_TRUE(rr_is_pipe(fd, &self->p));
		close(fd);
		EXPECT_EQ(1, result_of(&io, 0, has));
		EXPECT_EQ(-EAGAIN, SYS(recv(self->fd[1], buf, 1, MSG_DONTWAIT)));
	}
	io_uring_queue_exit(&io);
	close(self->p.w);
	self->p.w = -1;
	EXPECT_TRUE(rr_gone(&self->p));
}

TEST_HARNESS_MAIN
