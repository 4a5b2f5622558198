// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clocks, CPUs, buffers and the pattern that data are checked with.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* CPU time of this process so far, its system calls included. */
uint64_t cpu_ns(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * NSEC_PER_SEC +
	       (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000ULL;
}

void pin(int cpu)
{
	char name[20];
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % settings.cpus, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		cell_fail("cannot pin to CPU %d: %m", cpu % settings.cpus);
	/* For a profile, which then tells the sides apart. */
	snprintf(name, sizeof(name), "bench-cpu%hu",
		 (unsigned short)(cpu % settings.cpus));
	prctl(PR_SET_NAME, name);
}

void raise_nofile(unsigned long n)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl))
		cell_fail("getrlimit: %m");
	if (rl.rlim_cur >= n)
		return;
	rl.rlim_cur = n;
	if (rl.rlim_max < n)
		rl.rlim_max = n;
	if (setrlimit(RLIMIT_NOFILE, &rl))
		cell_skip("may not open %lu files: %m", n);
}

/* Memory that has its pages already. */
void *buffer(size_t size)
{
	void *buf = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buf == MAP_FAILED)
		cell_fail("no memory for a buffer of %zu bytes: %m", size);
	return buf;
}

/* The eight bytes at position pos of the stream, pos a multiple of 8. */
static uint64_t pattern_word(uint64_t pos)
{
	uint64_t x = pos * 0x9e3779b97f4a7c15ULL + 0x632be59bd9b4e019ULL;

	return x ^ (x >> 29);
}

static unsigned char pattern_byte(uint64_t pos)
{
	return pattern_word(pos & ~7ULL) >> (8 * (pos & 7));
}

void pattern_fill(void *buf, size_t len, uint64_t pos)
{
	unsigned char *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = pattern_byte(pos + i);
}

bool pattern_ok(const void *buf, size_t len, uint64_t pos)
{
	const unsigned char *p = buf;

	for (size_t i = 0; i < len; i++)
		if (p[i] != pattern_byte(pos + i))
			return false;
	return true;
}

static bool by_socket;

/*
 * Sockets are used by send() and recv(), as most programs for sockets do; what
 * is no socket by write() and read().
 */
void use_socket_calls(bool yes)
{
	by_socket = yes;
}

ssize_t put_some(int fd, const void *buf, size_t len)
{
	return by_socket ? send(fd, buf, len, MSG_NOSIGNAL) : write(fd, buf, len);
}

ssize_t get_some(int fd, void *buf, size_t len)
{
	return by_socket ? recv(fd, buf, len, 0) : read(fd, buf, len);
}

void write_full(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = put_some(fd, p, len);

		if (n <= 0)
			cell_fail("write: %s", n ? strerror(errno) : "nothing written");
		p += n;
		len -= n;
	}
}

/*
 * false: the end of the data came before its first byte.  TIPC tells of it as of
 * a reset.
 */
bool read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = get_some(fd, (char *)buf + done, len - done);

		if (!done && (!n || (n < 0 && errno == ECONNRESET)))
			return false;
		if (n < 0)
			cell_fail("read: %m");
		if (!n)
			cell_fail("the end of the data came too early");
		done += n;
	}
	return true;
}

void side_begin(struct side *side)
{
	side->cpu = cpu_ns();
	side->t0 = now_ns();
}

void side_end(struct side *side)
{
	side->t1 = now_ns();
	side->cpu = cpu_ns() - side->cpu;
}

/* The clock is asked once in so many writes of this size. */
unsigned int deadline_stride(size_t size)
{
	size_t n = 16 * KIB / size;

	return n < 1 ? 1 : n > 64 ? 64 : n;
}
