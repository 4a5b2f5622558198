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
#include <sys/mman.h>

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

/* In a page that the kernel empties for the child of any fork; 1: it is ours. */
static atomic_int *is_own_memory;

static void fork_child(void)
{
	run.pid = getpid();
	if (is_own_memory)
		atomic_store(is_own_memory, 1);
	run_locks_reset();
	run_count_fork();
}

/*
 * Are the tables ours, and not those of the parent whose memory we share?  A child
 * that was forked past the C library takes them over here.
 */
bool run_is_ours(void)
{
	if (LIKELY(run.pid == getpid()))
		return true;
	if (!is_own_memory || atomic_load(is_own_memory))
		return false;
	fork_child();
	return true;
}

static void own_memory_start(void)
{
	size_t size = sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	if (madvise(page, size, MADV_WIPEONFORK)) {
		munmap(page, size);
		return;
	}
	is_own_memory = page;
	atomic_store(is_own_memory, 1);
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
	own_memory_start();
	run.verbose = number_of("RILL_RUN_VERBOSE");
	run.rcvbuf = number_of("RILL_RUN_RCVBUF");
	run.sndbuf = number_of("RILL_RUN_SNDBUF");
	only = getenv("RILL_RUN_ONLY");
	run.unix_on = !only || word_in(only, "unix");
	run.tcp_on = !only || word_in(only, "tcp");
	run.udp_on = !only || word_in(only, "udp");
	run.socketpair_on = number_of("RILL_RUN_SOCKETPAIR");
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
