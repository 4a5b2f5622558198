// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define SERVICE_TYPE	0x72696c6c	/* any that TIPC has not reserved */

int tipc_family(void)
{
	return AF_TIPC;
}

/* A service address: whoever connects to it reaches who is bound to it. */
void tipc_address(struct addr *addr, unsigned int n)
{
	memset(addr, 0, sizeof(*addr));
	addr->tipc.family = AF_TIPC;
	addr->tipc.addrtype = TIPC_SERVICE_ADDR;
	addr->tipc.scope = TIPC_NODE_SCOPE;
	addr->tipc.addr.name.name.type = SERVICE_TYPE;
	addr->tipc.addr.name.name.instance = ((uint32_t)getpid() << 12) + n;
	addr->len = sizeof(addr->tipc);
}
