/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table of cases, each run in a process of its own under a time limit, with
 * TAP on standard output.  A case returns if all is well; CHECK() and SKIP()
 * end it otherwise, with the reason on a line that begins with "#".
 */
#ifndef RILL_TESTS_TAP_H
#define RILL_TESTS_TAP_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A hang is a failure after this long; an emulated machine is slow. */
#define TAP_SECONDS	120

struct tap_case {
	const char *name;
	void (*run)(int arg);
	int arg;
};

#define TAP_COUNT(cases)	(sizeof(cases) / sizeof((cases)[0]))

#define CHECK(what) do {						\
	if (!(what)) {							\
		printf("# %s:%d: not true: %s (errno %d: %s)\n",	\
		       __FILE__, __LINE__, #what, errno, strerror(errno)); \
		exit(1);						\
	}								\
} while (0)

/* The call fails, and with this errno. */
#define CHECK_ERR(call, err) do {					\
	long long ret_;							\
									\
	errno = 0;							\
	ret_ = (long long)(call);					\
	if (ret_ != -1 || errno != (err)) {				\
		printf("# %s:%d: %s gave %lld, errno %d (%s), not %s\n", \
		       __FILE__, __LINE__, #call, ret_, errno,		\
		       strerror(errno), #err);				\
		exit(1);						\
	}								\
} while (0)

#define SKIP(why) do {							\
	printf("# SKIP %s\n", why);					\
	exit(4);							\
} while (0)

/* For a child of a case: its checks count as those of the case. */
static inline void tap_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		CHECK(errno == EINTR);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int tap_number, tap_failed;

static inline void tap_run(const struct tap_case *cases, size_t n,
			   const char *suffix)
{
	int status;
	size_t i;
	pid_t pid;

	for (i = 0; i < n; i++) {
		fflush(stdout);
		pid = fork();
		if (pid < 0) {
			printf("Bail out! fork: %s\n", strerror(errno));
			exit(1);
		}
		if (pid == 0) {
			/* Its own group, so that what it leaves can be ended. */
			setpgid(0, 0);
			alarm(TAP_SECONDS);
			cases[i].run(cases[i].arg);
			exit(0);
		}
		if (waitpid(pid, &status, 0) != pid)
			status = 1 << 8;
		kill(-pid, SIGKILL);
		tap_number++;
		if (WIFSIGNALED(status))
			printf("# ended by signal %d%s\n", WTERMSIG(status),
			       WTERMSIG(status) == SIGALRM ? ": it hung" : "");
		if (WIFEXITED(status) && WEXITSTATUS(status) == 4) {
			printf("ok %d - %s%s # SKIP see above\n", tap_number,
			       cases[i].name, suffix);
			continue;
		}
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			printf("not ");
			tap_failed++;
		}
		printf("ok %d - %s%s\n", tap_number, cases[i].name, suffix);
	}
}

static inline void tap_begin(size_t plan)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%zu\n", plan);
}

static inline int tap_end(void)
{
	return tap_failed ? 1 : 0;
}

#endif /* RILL_TESTS_TAP_H */
