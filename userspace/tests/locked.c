// SPDX-License-Identifier: GPL-2.0-only
/*
 * locked FILE COMMAND [ARGUMENT...]: run COMMAND while FILE is locked, as flock(1)
 * does, which the test machine has not got.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd;

	if (argc < 3) {
		fputs("usage: locked FILE COMMAND [ARGUMENT...]\n", stderr);
		return 2;
	}
	/* It goes with COMMAND, and the lock with it. */
	fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	if (fd < 0 || flock(fd, LOCK_EX)) {
		perror(argv[1]);
		return 1;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
