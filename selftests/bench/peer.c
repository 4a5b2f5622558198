// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peers, and how connections are made with any of them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define CONNECT_WAIT_MS	5000

const struct peer peers[] = {
	{ .name = "rill", .title = "AF_RILL", .bit = PEER_RILL,
	  .family = rill_family, .address = rill_address,
	  .busy_poll = rill_busy_poll },
	{ .name = "unix", .title = "AF_UNIX", .bit = PEER_UNIX,
	  .family = unix_family, .address = unix_address },
	{ .name = "tcp", .title = "TCP on loopback, TCP_NODELAY", .bit = PEER_TCP,
	  .family = inet_family, .address = inet_address, .tune = tcp_tune,
	  .busy_poll = inet_busy_poll },
	{ .name = "udp", .title = "UDP on loopback", .bit = PEER_UDP,
	  .family = inet_family, .address = inet_address,
	  .busy_poll = inet_busy_poll, .lossy = true },
	{ .name = "vsock", .title = "AF_VSOCK on loopback", .bit = PEER_VSOCK,
	  .family = vsock_family, .address = vsock_address },
	{ .name = "tipc", .title = "TIPC on this node", .bit = PEER_TIPC,
	  .family = tipc_family, .address = tipc_address,
	  .lossy = true, .connect_waits = true },
	{ .name = "pipe", .title = "pipe(2)", .bit = PEER_PIPE },
	{ .name = "shm", .title = "limit: a ring in shared memory, both sides spin",
	  .bit = PEER_SHM },
	{ .name = "memcpy", .title = "limit: memcpy() by one side",
	  .bit = PEER_MEMCPY },
	{ .name = "devnull", .title = "limit: write() to /dev/null",
	  .bit = PEER_DEVNULL },
};

const size_t npeers = ARRAY_SIZE(peers);

static const char *type_name(int type)
{
	switch (type) {
	case SOCK_STREAM:
		return "stream";
	case SOCK_SEQPACKET:
		return "seqpacket";
	case SOCK_DGRAM:
		return "dgram";
	default:
		return "rdm";
	}
}

/* A TIPC datagram that waits for room is called reliable. */
static int real_type(const struct peer *peer, int type)
{
	return peer->bit == PEER_TIPC && type == SOCK_DGRAM ? SOCK_RDM : type;
}

int peer_socket(const struct peer *peer, int type)
{
	int fd = socket(peer->family(), real_type(peer, type) | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
	case ESOCKTNOSUPPORT:
	case EPROTOTYPE:
	case ENODEV:
		if (peer->bit == PEER_RILL)
			break;
		cell_skip("this kernel has no %s sockets of %s: %m",
			  type_name(real_type(peer, type)), peer->title);
	}
	cell_fail("socket: %m");
}

/* Bound, and listening unless backlog is below 0; addr is where. */
static int bind_next(const struct peer *peer, int type, int backlog,
		     struct addr *addr)
{
	static unsigned int next;
	int fd = peer_socket(peer, type);

	peer->address(addr, next++);
	if (bind(fd, &addr->sa, addr->len)) {
		if (errno == EADDRNOTAVAIL || errno == ENODEV)
			cell_skip("no %s: bind: %m", peer->title);
		cell_fail("bind: %m");
	}
	if (backlog >= 0 && listen(fd, backlog))
		cell_fail("listen: %m");
	/* What the kernel chose; TIPC would answer with its own port. */
	if (peer->bit != PEER_TIPC) {
		addr->len = sizeof(addr->rill);
		if (getsockname(fd, &addr->sa, &addr->len))
			cell_fail("getsockname: %m");
	}
	return fd;
}

int peer_listen(const struct peer *peer, int type, int backlog, struct addr *addr)
{
	return bind_next(peer, type, backlog, addr);
}

int peer_connect(const struct peer *peer, int type, const struct addr *to)
{
	int fd = peer_socket(peer, type);

	if (connect(fd, &to->sa, to->len)) {
		if (errno == ENETUNREACH || errno == ENODEV || errno == EHOSTUNREACH)
			cell_skip("%s has no loopback: connect: %m", peer->title);
		cell_fail("connect: %m");
	}
	return fd;
}

static void nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	if (fcntl(fd, F_SETFL, flags))
		cell_fail("fcntl: %m");
}

/* A connection of our own with our own listener: fd[0] connected, fd[1] accepted. */
void peer_accepted(const struct peer *peer, int type, int listener,
		   const struct addr *addr, int fd[2])
{
	struct pollfd p = { .events = POLLOUT };
	int err = 0;
	socklen_t len = sizeof(err);

	if (!peer->connect_waits && peer->bit != PEER_VSOCK) {
		fd[0] = peer_connect(peer, type, addr);
	} else {
		fd[0] = peer_socket(peer, type);
		nonblock(fd[0], true);
		if (connect(fd[0], &addr->sa, addr->len) && errno != EINPROGRESS) {
			if (errno == ENETUNREACH || errno == ENODEV)
				cell_skip("%s has no loopback: connect: %m",
					  peer->title);
			cell_fail("connect: %m");
		}
	}
	fd[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd[1] < 0)
		cell_fail("accept: %m");
	if (peer->connect_waits || peer->bit == PEER_VSOCK) {
		p.fd = fd[0];
		if (poll(&p, 1, CONNECT_WAIT_MS) != 1)
			cell_fail("connect() did not end");
		if (getsockopt(fd[0], SOL_SOCKET, SO_ERROR, &err, &len) || err)
			cell_fail("connect: %s", strerror(err));
		nonblock(fd[0], false);
	}
	if (peer->tune)
		for (int i = 0; i < 2; i++)
			if (peer->tune(fd[i]))
				cell_fail("setsockopt: %m");
}

static void dgram_pair(const struct peer *peer, int type, int fd[2])
{
	struct addr addr[2];

	for (int i = 0; i < 2; i++)
		fd[i] = bind_next(peer, type, -1, &addr[i]);
	for (int i = 0; i < 2; i++)
		if (connect(fd[i], &addr[!i].sa, addr[!i].len))
			cell_fail("connect: %m");
}

/* A connected pair, made the way a client and a server make it. */
void peer_pair(const struct peer *peer, int type, int fd[2])
{
	struct addr addr;
	int listener;

	if (type == SOCK_DGRAM) {
		dgram_pair(peer, type, fd);
		return;
	}
	listener = peer_listen(peer, type, 8, &addr);
	peer_accepted(peer, type, listener, &addr, fd);
	close(listener);
}

/*
 * TCP would keep the port for a minute after the close(), and there are not
 * enough ports for all of the many connections of some jobs.
 */
void peer_no_time_wait(const struct peer *peer, int fd)
{
	const struct linger reset = { .l_onoff = 1 };

	if (peer->bit == PEER_TCP &&
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		cell_fail("SO_LINGER: %m");
}

/*
 * Two ends that both read and write: end i reads in[i] and writes out[i], which
 * are one socket, or ends of two pipes.
 */
void peer_duplex(const struct peer *peer, int type, int in[2], int out[2])
{
	int p[2];

	if (peer->bit != PEER_PIPE) {
		peer_pair(peer, type, in);
		out[0] = in[0];
		out[1] = in[1];
		return;
	}
	for (int i = 0; i < 2; i++) {
		if (pipe(p))
			cell_fail("pipe: %m");
		in[i] = p[0];
		out[!i] = p[1];
	}
}

