// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "bench.h"

#ifndef SO_BUSY_POLL
#define SO_BUSY_POLL	46
#endif

int inet_family(void)
{
	return AF_INET;
}

/* The kernel chooses the port. */
void inet_address(struct addr *addr, unsigned int n)
{
	(void)n;
	memset(addr, 0, sizeof(*addr));
	addr->in.sin_family = AF_INET;
	addr->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	addr->len = sizeof(addr->in);
}

int tcp_tune(int fd)
{
	int one = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* It has an effect with a device that can be polled; loopback cannot. */
int inet_busy_poll(int fd, unsigned int us)
{
	int val = us;

	return setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &val, sizeof(val)) ? -errno : 0;
}
