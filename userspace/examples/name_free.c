// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A name dies with its socket, also when the program is killed: no file to
 * unlink, no time to wait, and while it lives nobody else gets it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/rill.h>

#define CHECK(what) do {						\
	if (!(what)) {							\
		fprintf(stderr, "name_free: not true: %s\n", #what);	\
		perror("name_free: the last error was");		\
		exit(1);						\
	}								\
} while (0)

static struct sockaddr_rill name = { RILL_FAMILY_DEFAULT, 0, "example/free" };

static int new_server(void)
{
	int fd = socket(RILL_FAMILY_DEFAULT, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	if (bind(fd, (void *)&name, sizeof(name)) < 0) {
		close(fd);
		return -1;
	}
	CHECK(listen(fd, 16) == 0);
	return fd;
}

int main(void)
{
	int ready[2], status, fd;
	char c;
	pid_t pid;

	CHECK(pipe(ready) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		/* If we fail: the parent waits for it before. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CHECK(new_server() >= 0);
		CHECK(write(ready[1], "", 1) == 1);
		for (;;)
			pause();
	}

	/* So that there is an end to read if the child has failed. */
	close(ready[1]);
	CHECK(read(ready[0], &c, 1) == 1);
	printf("name_free: process %d holds the name %s\n", (int)pid, name.srl_name);
	CHECK(new_server() == -1 && errno == EADDRINUSE);
	printf("name_free: while it lives, bind() says EADDRINUSE\n");

	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	fd = new_server();
	CHECK(fd >= 0);
	printf("name_free: after kill -9 the name is free at once\n");
	return 0;
}
