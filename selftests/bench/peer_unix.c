// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

int unix_family(void)
{
	return AF_UNIX;
}

/* Abstract: names of the kernel, as rill's, with no file behind them. */
void unix_address(struct addr *addr, unsigned int n)
{
	int len;

	memset(addr, 0, sizeof(*addr));
	addr->un.sun_family = AF_UNIX;
	len = snprintf(addr->un.sun_path + 1, sizeof(addr->un.sun_path) - 1,
		       "bench/%d/%u", (int)getpid(), n);
	addr->len = offsetof(struct sockaddr_un, sun_path) + 1 + len;
}
