// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Whole buffers and whole messages over a stream.
 *
 * send() and recv() may stop early: a signal, a full or an empty buffer, a
 * time-out.  EAGAIN has two meanings that only the socket's own mode tells
 * apart: "non-blocking, come back" and "blocking, SO_RCVTIMEO has passed".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include "internal.h"

static bool is_nonblocking(int fd)
{
	int saved = errno;
	int fl = fcntl(fd, F_GETFL);

	errno = saved;
	return fl >= 0 && (fl & O_NONBLOCK);
}

/*
 * After a call that failed: may it be tried again?  Waits first if the socket
 * is non-blocking and the caller did not ask for MSG_DONTWAIT.
 */
static bool try_again(int fd, short events, int flags)
{
	if (errno == EINTR)
		return true;
	if (errno != EAGAIN || (flags & MSG_DONTWAIT) || !is_nonblocking(fd))
		return false;
	return rill_wait(fd, events, -1) >= 0;
}

RILL_API ssize_t rill_send_all(int fd, const void *buf, size_t len, int flags,
			       size_t *done)
{
	const char *p = buf;
	size_t sent = 0;
	ssize_t n;

	if (done)
		*done = 0;
	if (len > SSIZE_MAX) {
		errno = EINVAL;
		return -1;
	}
	while (sent < len) {
		n = send(fd, p + sent, len - sent, flags | MSG_NOSIGNAL);
		if (n >= 0)
			sent += (size_t)n;
		else if (!try_again(fd, POLLOUT, flags))
			break;
	}
	if (done)
		*done = sent;
	return sent < len ? -1 : (ssize_t)len;
}

RILL_API ssize_t rill_recv_all(int fd, void *buf, size_t len, int flags,
			       size_t *done)
{
	size_t got = 0;
	ssize_t n = 1;
	char *p = buf;

	if (done)
		*done = 0;
	if (len > SSIZE_MAX || (flags & MSG_PEEK)) {
		errno = EINVAL;
		return -1;
	}
	while (got < len) {
		n = recv(fd, p + got, len - got, flags);
		if (n > 0)
			got += (size_t)n;
		else if (n == 0 || !try_again(fd, POLLIN, flags))
			break;
	}
	if (done)
		*done = got;
	return n < 0 ? -1 : (ssize_t)got;
}

/* Steps an iovec of two past @n bytes. */
static void iov_advance(struct iovec iov[2], size_t n)
{
	size_t part;
	int i;

	for (i = 0; i < 2; i++) {
		part = n < iov[i].iov_len ? n : iov[i].iov_len;
		iov[i].iov_base = (char *)iov[i].iov_base + part;
		iov[i].iov_len -= part;
		n -= part;
	}
}

RILL_API int rill_msg_send(int fd, const void *buf, size_t len)
{
	struct msghdr msg = { 0 };
	struct iovec iov[2];
	size_t sent = 0;
	uint32_t prefix;
	ssize_t n;

#if SIZE_MAX > UINT32_MAX
	if (len > RILL_MSG_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
#endif
	prefix = htonl((uint32_t)len);
	iov[0].iov_base = &prefix;
	iov[0].iov_len = sizeof(prefix);
	iov[1].iov_base = (void *)(uintptr_t)buf;
	iov[1].iov_len = len;
	msg.msg_iov = iov;
	msg.msg_iovlen = 2;

	while (iov[0].iov_len + iov[1].iov_len) {
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
		if (n >= 0) {
			sent += (size_t)n;
			iov_advance(iov, (size_t)n);
			continue;
		}
		/* Before the first byte a full socket is the caller's affair. */
		if (!sent && errno == EAGAIN)
			return -1;
		if (!try_again(fd, POLLOUT, 0)) {
			if (errno == EAGAIN)
				errno = ETIMEDOUT;
			return -1;
		}
	}
	return 0;
}

/* rill_recv_all() in the middle of a message, where an end is an error. */
static int recv_rest(int fd, void *buf, size_t len)
{
	ssize_t n = rill_recv_all(fd, buf, len, 0, NULL);

	if (n < 0) {
		if (errno == EAGAIN)
			errno = ETIMEDOUT;
		return -1;
	}
	if ((size_t)n < len) {
		errno = EPROTO;
		return -1;
	}
	return 0;
}

static int discard(int fd, size_t len)
{
	char scratch[8192];
	size_t n;

	for (; len; len -= n) {
		n = len < sizeof(scratch) ? len : sizeof(scratch);
		if (recv_rest(fd, scratch, n) < 0)
			return -1;
	}
	return 0;
}

RILL_API int rill_msg_recv(int fd, void *buf, size_t size, size_t *len)
{
	uint32_t prefix;
	size_t length;
	ssize_t n;

	if (len)
		*len = 0;
	do
		n = recv(fd, &prefix, sizeof(prefix), 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return (int)n;
	if (recv_rest(fd, (char *)&prefix + n, sizeof(prefix) - (size_t)n) < 0)
		return -1;

	length = ntohl(prefix);
	if (len)
		*len = length;
	if (length > size) {
		if (discard(fd, length) < 0)
			return -1;
		errno = EMSGSIZE;
		return -1;
	}
	return recv_rest(fd, buf, length) < 0 ? -1 : 1;
}
