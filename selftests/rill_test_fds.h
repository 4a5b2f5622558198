/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of SCM_RIGHTS share, on top of rill_test_data.h.
 *
 * Who still has a file is told by a pipe: its reading end says POLLHUP when the
 * last reference to the writing end is gone, in flight or not.  The core closes
 * a file when the task that let go of it returns to user space, or in a worker:
 * so "gone" waits, bounded, and "held" need not.
 */
#ifndef RILL_TEST_FDS_H
#define RILL_TEST_FDS_H

#include "rill_test_data.h"

#include <dirent.h>

#define RR_MAX		253	/* SCM_MAX_FD */

/* Wants one more, to see that there are not more than expected. */
#define RR_SPACE	CMSG_SPACE((RR_MAX + 1) * sizeof(int))

/* A pipe of which only the reading end stays here once the other was sent. */
struct rr_pipe {
	int r, w;
};

static inline int rr_pipe(struct rr_pipe *p)
{
	int fd[2], err = SYS(pipe2(fd, O_CLOEXEC));

	p->r = err ? -1 : fd[0];
	p->w = err ? -1 : fd[1];
	return err;
}

static inline bool rr_held(const struct rr_pipe *p)
{
	return !(rt_events(p->r, POLLIN) & POLLHUP);
}

static inline bool rr_gone(const struct rr_pipe *p)
{
	return RT_UNTIL(!rr_held(p));
}

/* Descriptors that are open in this process. */
static inline int rr_count(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -3;	/* ".", ".." and that of the directory */

	if (!dir)
		return -errno;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline bool rr_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

/* Sends bytes with n descriptors. */
static inline long rr_send(int to, const void *buf, size_t len, int flags,
			   const int *fds, size_t n)
{
	union {
		char buf[RR_SPACE];
		struct cmsghdr align;
	} u;
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	memset(&u, 0, sizeof(u));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return SYS(sendmsg(to, &msg, flags | MSG_NOSIGNAL));
}

/* The same with the writing end of a pipe, which is closed here. */
static inline long rr_send_pipe(int to, const void *buf, size_t len, int flags,
				struct rr_pipe *p)
{
	long ret = rr_send(to, buf, len, flags, &p->w, 1);

	close(p->w);
	p->w = -1;
	return ret;
}

/* What a receive brought. */
struct rr_msg {
	int		flags;
	bool		creds;
	struct ucred	ucred;
	int		n;
	int		fd[RR_MAX + 1];
};

/* Receives with so much room for control messages. */
static inline long rr_recv_room(int from, void *buf, size_t len, int flags,
				size_t room, struct rr_msg *m)
{
	union {
		char buf[RR_SPACE + CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} u;
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = room < sizeof(u) ? room : sizeof(u),
	};
	struct cmsghdr *c;
	size_t size;
	long ret;

	memset(&u, 0, sizeof(u));
	memset(m, 0, sizeof(*m));
	ret = SYS(recvmsg(from, &msg, flags));
	m->flags = msg.msg_flags;
	if (ret < 0)
		return ret;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		size = c->cmsg_len - CMSG_LEN(0);
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS && size == sizeof(m->ucred)) {
			memcpy(&m->ucred, CMSG_DATA(c), size);
			m->creds = true;
		} else if (c->cmsg_type == SCM_RIGHTS) {
			memcpy(m->fd + m->n, CMSG_DATA(c), size);
			m->n += size / sizeof(int);
		}
	}
	return ret;
}

static inline long rr_recv(int from, void *buf, size_t len, int flags,
			   struct rr_msg *m)
{
	return rr_recv_room(from, buf, len, flags, SIZE_MAX, m);
}

static inline void rr_close(struct rr_msg *m)
{
	while (m->n)
		close(m->fd[--m->n]);
}

/* Are these the two ends of one pipe?  Writes to one, reads from the other. */
static inline bool rr_is_pipe(int w, const struct rr_pipe *p)
{
	char c = 0;

	return write(w, "z", 1) == 1 && read(p->r, &c, 1) == 1 && c == 'z';
}

#endif /* RILL_TEST_FDS_H */
