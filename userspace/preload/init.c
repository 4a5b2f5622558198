// SPDX-License-Identifier: GPL-2.0-only
/*
 * The start: the calls behind ours, what "rill run" asked for, and fork().
 *
 * Context: run_start() is called once, by the constructor or by the first call.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#include "preload.h"

struct run_real real;
struct run_config run;
bool run_is_up;

static bool word_in(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ',') && (!p[n] || p[n] == ','))
			return true;
	return false;
}

static int number_of(const char *name)
{
	const char *s = getenv(name);

	return s ? atoi(s) : 0;
}

static int family_now(void)
{
	char text[16];
	ssize_t n;
	int fd = open(RILL_FAMILY_PATH, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	n = real.read(fd, text, sizeof(text) - 1);
	run_close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return atoi(text);
}

static void fork_child(void)
{
	run.pid = getpid();
	run_locks_reset();
	run_count_fork();
}

void run_start(void)
{
	const char *only;

	if (run_is_up)
		return;
#define X(type, name, args) { real.name = (type (*)args)dlsym(RTLD_NEXT, #name); }
	RUN_CALLS(X)
#undef X
	run_is_up = true;
	run.pid = getpid();
	run.verbose = number_of("RILL_RUN_VERBOSE");
	run.rcvbuf = number_of("RILL_RUN_RCVBUF");
	run.sndbuf = number_of("RILL_RUN_SNDBUF");
	only = getenv("RILL_RUN_ONLY");
	run.unix_on = !only || word_in(only, "unix");
	run.tcp_on = !only || word_in(only, "tcp");
	run.udp_on = !only || word_in(only, "udp");
	run_rule_start(getenv("RILL_RUN_MAP"));
	run.family = family_now();
	run_count_start();
	pthread_atfork(NULL, NULL, fork_child);
	if (run.family)
		run_pairs_recover();
}

__attribute__((constructor)) static void start(void)
{
	int err = errno;

	run_start();
	errno = err;
}

__attribute__((destructor)) static void end(void)
{
	run_count_exit();
}
