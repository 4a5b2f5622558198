/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What the files of librill share and nobody else sees. */
#ifndef LIBRILL_INTERNAL_H
#define LIBRILL_INTERNAL_H

#include <stdbool.h>
#include "rill.h"

/* The library is built with hidden symbols; this shows one. */
#define RILL_API __attribute__((visibility("default")))

/* rill_addr() for a family number that is known already. */
int rill_addr_fill(struct sockaddr_rill *addr, socklen_t *len,
		   const char *name, int family);

/* Looks the family up again; for a number that turned out to be stale. */
int rill_family_refresh(void);

/* @flags of the calls that make a descriptor: checked, close-on-exec added. */
int rill_sock_flags(int flags);

/* close() that leaves errno alone, for the ways out of an error. */
void rill_close_quiet(int fd);

/*
 * Waits for @events, for @timeout_ms (-1: forever) from the call on.  A signal
 * does not end it.  1 if something came, 0 if the time is over, -1 and errno.
 */
int rill_wait(int fd, short events, int timeout_ms);

#endif /* LIBRILL_INTERNAL_H */
