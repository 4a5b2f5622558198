// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a review of the library has found: each case failed before its mend.
 */
#define _GNU_SOURCE
#include "run_test.h"

/*
 * Somebody keeps the name of a port of UDP that he has given up, and another user
 * has the port now: who keeps on sending is not his for long.
 */
static void given_up(int arg)
{
	int x, y, keep, c, ready[2], left[2], end[2], got = 0;
	struct address a;
	char byte;
	pid_t pid;

	(void)arg;
	if (geteuid())
		SKIP("needs root");
	CHECK(pipe(ready) == 0 && pipe(left) == 0 && pipe(end) == 0);
	pid = as_nobody();
	if (!pid) {
		x = bound(TCP4, SOCK_DGRAM, &a);
		keep = syscall(SYS_dup, side_of());
		CHECK(keep >= 0);
		CHECK(write(ready[1], &a, sizeof(a)) == sizeof(a));
		CHECK(recv(x, &byte, 1, 0) == 1 && counted("run_received_rill") == 1);
		close(x);
		CHECK(write(left[1], "x", 1) == 1);
		close(end[1]);
		_exit(read(end[0], &byte, 1) != 0);
	}
	CHECK(read(ready[0], &a, sizeof(a)) == sizeof(a));
	c = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(sendto(c, "1", 1, 0, &a.sa, a.len) == 1);
	CHECK(read(left[0], &byte, 1) == 1);
	y = syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0);
	CHECK(syscall(SYS_bind, y, &a.sa, a.len) == 0);
	for (int i = 0; i < 25 && !got; i++) {
		CHECK(sendto(c, "2", 1, 0, &a.sa, a.len) == 1);
		got = syscall(SYS_recvfrom, y, &byte, 1, MSG_DONTWAIT, NULL, NULL) == 1;
		usleep(100000);
	}
	close(end[1]);
	tap_wait(pid);
	CHECK(got);
}

int found_main(const char *word, char **args)
{
	(void)word;
	(void)args;
	return -1;
}

const struct tap_case found_cases[] = {
	{ "UDP, a port that was given up",	given_up, 0 },
};

const size_t found_count = TAP_COUNT(found_cases);
