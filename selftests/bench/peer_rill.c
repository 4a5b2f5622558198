// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

/* Of a header that is older than busy polling. */
#ifndef RILL_BUSY_POLL
#define RILL_BUSY_POLL	4
#endif

/* The number in use, which a module parameter may change. */
int rill_family(void)
{
	static int family;
	FILE *f;

	if (family)
		return family;
	f = fopen(RILL_FAMILY_PATH, "re");
	if (!f)
		cell_fail("rill.ko is not loaded: %s: %m", RILL_FAMILY_PATH);
	if (fscanf(f, "%d", &family) != 1)
		cell_fail("%s holds no number", RILL_FAMILY_PATH);
	fclose(f);
	return family;
}

void rill_address(struct addr *addr, unsigned int n)
{
	int len;

	memset(addr, 0, sizeof(*addr));
	addr->rill.srl_family = rill_family();
	len = snprintf(addr->rill.srl_name, sizeof(addr->rill.srl_name),
		       "bench/%d/%u", (int)getpid(), n);
	addr->len = offsetof(struct sockaddr_rill, srl_name) + len + 1;
}

int rill_busy_poll(int fd, unsigned int us)
{
	int val = us;

	return setsockopt(fd, SOL_RILL, RILL_BUSY_POLL, &val, sizeof(val)) ? -errno : 0;
}
