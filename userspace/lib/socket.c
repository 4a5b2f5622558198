// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Sockets by name: make, bind, listen, accept, connect, datagrams. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

int rill_sock_flags(int flags)
{
	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) {
		errno = EINVAL;
		return -1;
	}
	return flags | SOCK_CLOEXEC;
}

void rill_close_quiet(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

int rill_wait(int fd, short events, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	long long end = 0, left = timeout_ms;
	int n;

	if (timeout_ms > 0)
		end = now_ms() + timeout_ms;
	for (;;) {
		n = poll(&pfd, 1, (int)left);
		if (n >= 0)
			return n;
		if (errno != EINTR)
			return -1;
		if (timeout_ms > 0) {
			left = end - now_ms();
			if (left < 0)
				left = 0;
		}
	}
}

RILL_API int rill_socket(int type, int flags)
{
	int family, fd;

	flags = rill_sock_flags(flags);
	if (flags < 0)
		return -1;
	family = rill_family();
	if (family < 0)
		return -1;
	fd = socket(family, type | flags, 0);
	if (fd < 0 && errno == EAFNOSUPPORT) {
		/* The module may have been loaded anew with another number. */
		family = rill_family_refresh();
		if (family < 0)
			return -1;
		fd = socket(family, type | flags, 0);
	}
	return fd;
}

RILL_API int rill_pair(int type, int flags, int fds[2])
{
	int family, ret;

	flags = rill_sock_flags(flags);
	if (flags < 0)
		return -1;
	family = rill_family();
	if (family < 0)
		return -1;
	ret = socketpair(family, type | flags, 0, fds);
	if (ret < 0 && errno == EAFNOSUPPORT) {
		family = rill_family_refresh();
		if (family < 0)
			return -1;
		ret = socketpair(family, type | flags, 0, fds);
	}
	return ret;
}

RILL_API int rill_bind(int fd, const char *name)
{
	struct sockaddr_rill sa;
	socklen_t len;

	if (rill_addr(&sa, &len, name) < 0)
		return -1;
	return bind(fd, (struct sockaddr *)&sa, len);
}

RILL_API int rill_listen(const char *name, int type, int backlog, int flags)
{
	int fd;

	fd = rill_socket(type, flags);
	if (fd < 0)
		return -1;
	if (rill_bind(fd, name) < 0 || listen(fd, backlog) < 0) {
		rill_close_quiet(fd);
		return -1;
	}
	return fd;
}

RILL_API int rill_accept(int fd, int flags)
{
	int conn;

	flags = rill_sock_flags(flags);
	if (flags < 0)
		return -1;
	do
		conn = accept4(fd, NULL, NULL, flags);
	while (conn < 0 && errno == EINTR);
	return conn;
}

/* Waits for the place in line that a non-blocking connect() has taken. */
static int wait_connected(int fd, int timeout_ms)
{
	socklen_t len = sizeof(int);
	int err, n;

	n = rill_wait(fd, POLLOUT, timeout_ms);
	if (n < 0)
		return -1;
	if (n == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -1;
	if (err) {
		errno = err;
		return -1;
	}
	return 0;
}

RILL_API int rill_connect(const char *name, int type, int flags, int timeout_ms)
{
	struct sockaddr_rill sa;
	socklen_t len;
	int fd, fl;

	flags = rill_sock_flags(flags);
	if (flags < 0)
		return -1;
	if (timeout_ms < -1) {
		errno = EINVAL;
		return -1;
	}
	if (rill_addr(&sa, &len, name) < 0)
		return -1;
	/*
	 * The connect itself never sleeps: one that a signal interrupts keeps
	 * its place in line, and poll() is how to wait for it with a limit.
	 */
	fd = rill_socket(type, flags | SOCK_NONBLOCK);
	if (fd < 0)
		return -1;
	/* rill_socket() may have found a newer number than rill_addr(). */
	sa.srl_family = (__kernel_sa_family_t)rill_family();
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 &&
	    (errno != EINPROGRESS || wait_connected(fd, timeout_ms) < 0))
		goto err_close;

	if (!(flags & SOCK_NONBLOCK)) {
		fl = fcntl(fd, F_GETFL);
		if (fl < 0 || fcntl(fd, F_SETFL, fl & ~O_NONBLOCK) < 0)
			goto err_close;
	}
	return fd;

err_close:
	rill_close_quiet(fd);
	return -1;
}

RILL_API int rill_dgram(const char *name, int flags)
{
	int fd;

	fd = rill_socket(SOCK_DGRAM, flags);
	if (fd >= 0 && name && rill_bind(fd, name) < 0) {
		rill_close_quiet(fd);
		return -1;
	}
	return fd;
}

RILL_API ssize_t rill_sendto(int fd, const void *buf, size_t len, int flags,
			     const char *name)
{
	struct sockaddr_rill sa;
	socklen_t salen;
	ssize_t n;

	if (rill_addr(&sa, &salen, name) < 0)
		return -1;
	do
		n = sendto(fd, buf, len, flags | MSG_NOSIGNAL,
			   (struct sockaddr *)&sa, salen);
	while (n < 0 && errno == EINTR);
	return n;
}

RILL_API ssize_t rill_recvfrom(int fd, void *buf, size_t size, int flags,
			       char *name)
{
	struct sockaddr_rill sa;
	socklen_t len;
	ssize_t n;

	do {
		len = sizeof(sa);
		n = recvfrom(fd, buf, size, flags, (struct sockaddr *)&sa, &len);
	} while (n < 0 && errno == EINTR);
	if (n >= 0 && name &&
	    rill_addr_name(&sa, len, name, RILL_NAME_SIZE) < 0)
		name[0] = '\0';	/* not an address of ours; the data count */
	return n;
}
