// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Which number the family has here.  The module may have been loaded with
 * family=, so a constant in the program would be wrong on some machines.
 *
 * The number is remembered in one atomic int: every thread that finds it unset
 * looks it up and stores the same answer.  A failure is not remembered, so the
 * module may be loaded while the program runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include "internal.h"

static atomic_int known_family;

/* The numbers that the module accepts, its default first. */
static const int candidates[] = { RILL_FAMILY_DEFAULT, 13, 22, 25 };

#define N_CANDIDATES	(sizeof(candidates) / sizeof(candidates[0]))

static int read_parameter(void)
{
	char text[16], *end;
	ssize_t n;
	long val;
	int fd;

	fd = open(RILL_FAMILY_PATH, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	do
		n = read(fd, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	rill_close_quiet(fd);
	if (n <= 0)
		return -1;

	text[n] = '\0';
	val = strtol(text, &end, 10);
	if (end == text || (*end && *end != '\n') || val <= 0 || val > 255) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return (int)val;
}

/*
 * Asks the kernel for a socket of @family, which may load the module, and asks
 * the socket whether it is one of Rill: somebody else may hold the number.
 */
static int probe(int family)
{
	socklen_t len = sizeof(int);
	int fd, mode, ret;

	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	ret = getsockopt(fd, SOL_RILL, RILL_MODE, &mode, &len);
	rill_close_quiet(fd);
	if (ret < 0) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return family;
}

int rill_family_refresh(void)
{
	size_t tries = 1, i;
	int family;

	family = read_parameter();
	if (family < 0) {
		/* With /sys at hand a second number would prove nothing. */
		if (access("/sys/module", F_OK) < 0)
			tries = N_CANDIDATES;
		for (i = 0; i < tries && family < 0; i++) {
			family = probe(candidates[i]);
			if (family < 0 && (errno == EMFILE || errno == ENFILE ||
					   errno == ENOMEM))
				return -1;
		}
	}
	if (family < 0) {
		/* The probe may have loaded the module with another number. */
		family = read_parameter();
	}
	if (family < 0) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	atomic_store_explicit(&known_family, family, memory_order_relaxed);
	return family;
}

RILL_API int rill_family(void)
{
	int family = atomic_load_explicit(&known_family, memory_order_relaxed);

	return family ? family : rill_family_refresh();
}
