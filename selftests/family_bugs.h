/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of bugs that other socket families had share: each runs in a
 * network namespace of its own, so that it can say what is left of it: nothing.
 */
#ifndef FAMILY_BUGS_H
#define FAMILY_BUGS_H

#include "rill_test_data.h"

/* errno_cover.sh reads no tags here: each errno has its test elsewhere. */

/* A namespace with no other socket in it. */
static inline int fb_alone(void)
{
	return SYS(unshare(CLONE_NEWNET));
}

/*
 * All that was made is gone: sockets (after a grace period), names, places in line.
 * What is left after ten seconds will be.
 */
static inline bool fb_gone(enum rt_family family)
{
	long long end = rt_now_ms() + RT_WAIT_MS / 2;

	while (family == RT_RILL && rt_counter("sockets") && rt_now_ms() < end)
		rt_pause();
	if (family == RT_UNIX ||
	    (!rt_counter("sockets") && !rt_counter("names") && !rt_counter("waiting")))
		return true;
	fprintf(stderr, "# left: %lld sockets, %lld names, %lld in line\n",
		rt_counter("sockets"), rt_counter("names"), rt_counter("waiting"));
	return false;
}

/* One byte goes through, and is the one that was sent. */
static inline bool fb_talk(int from, int to)
{
	static unsigned char n;
	unsigned char in = 0, out = ++n;

	return SYS(send(from, &out, 1, MSG_NOSIGNAL | MSG_DONTWAIT)) == 1 &&
	       SYS(recv(to, &in, 1, MSG_DONTWAIT)) == 1 && in == out;
}

static inline bool fb_talk_both(int a, int b)
{
	return fb_talk(a, b) && fb_talk(b, a);
}

#endif /* FAMILY_BUGS_H */
