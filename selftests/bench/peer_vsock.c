// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "bench.h"

#ifndef VMADDR_CID_LOCAL
#define VMADDR_CID_LOCAL	1
#endif

int vsock_family(void)
{
	return AF_VSOCK;
}

/* The kernel chooses the port. */
void vsock_address(struct addr *addr, unsigned int n)
{
	(void)n;
	memset(addr, 0, sizeof(*addr));
	addr->vm.svm_family = AF_VSOCK;
	addr->vm.svm_cid = VMADDR_CID_LOCAL;
	addr->vm.svm_port = VMADDR_PORT_ANY;
	addr->len = sizeof(addr->vm);
}
