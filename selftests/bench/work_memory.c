// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a connected pair of sockets holds of the kernel's memory, slab and pages
 * together: the free memory that ten thousand of them take away.  Once right
 * after connect, and once after bytes went both ways and nothing more happened.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define POLL_MS		100
#define SETTLE_MS	5000
#define QUIET_MS	5000	/* a family may wait before it gives back */
#define NOISE		(256 * KIB)
#define CACHES		400

#define SLABINFO	"%39s %lu %lu %lu %lu %lu : tunables %*u %*u %*u :" \
			" slabdata %*u %lu"

struct memory {
	uint64_t	free;		/* with what CPUs hold of free pages */
	uint64_t	slab;
	size_t		ncaches;
	struct {
		char		name[40];
		uint64_t	bytes;
	} cache[CACHES];
};

static void nap(void)
{
	const struct timespec ts = { .tv_nsec = POLL_MS * NSEC_PER_MSEC };

	nanosleep(&ts, NULL);
}

static FILE *open_proc(const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f)
		cell_skip("%s: %m", path);
	return f;
}

static void read_meminfo(struct memory *mem)
{
	FILE *f = open_proc("/proc/meminfo");
	unsigned long long kib;
	char line[200];

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "MemFree: %llu kB", &kib) == 1)
			mem->free = kib * KIB;
		if (sscanf(line, "Slab: %llu kB", &kib) == 1)
			mem->slab = kib * KIB;
	}
	fclose(f);
}

/* Free pages in the CPUs' own lists, which MemFree leaves out. */
static void read_zoneinfo(struct memory *mem)
{
	FILE *f = open_proc("/proc/zoneinfo");
	unsigned long long pages;
	char line[200];
	bool lists = false;

	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "Node", 4))
			lists = false;
		else if (strstr(line, "pagesets"))
			lists = true;
		else if (lists && sscanf(line, " count: %llu", &pages) == 1)
			mem->free += pages * sysconf(_SC_PAGESIZE);
	}
	fclose(f);
}

static void read_slabinfo(struct memory *mem)
{
	FILE *f = fopen("/proc/slabinfo", "re");
	unsigned long active, objs, size, per, pages, slabs;
	char line[512], name[40];

	mem->ncaches = 0;
	while (f && mem->ncaches < CACHES && fgets(line, sizeof(line), f)) {
		if (sscanf(line, SLABINFO, name, &active, &objs, &size, &per, &pages,
			   &slabs) != 7)
			continue;
		strcpy(mem->cache[mem->ncaches].name, name);
		mem->cache[mem->ncaches++].bytes = slabs * pages * sysconf(_SC_PAGESIZE);
	}
	if (f)
		fclose(f);
}

static void read_memory(struct memory *mem)
{
	read_meminfo(mem);
	read_zoneinfo(mem);
	read_slabinfo(mem);
}

/* Others may still be giving memory back: wait until it stays as it is. */
static void settle(struct memory *mem)
{
	uint64_t end = now_ns() + SETTLE_MS * NSEC_PER_MSEC, last;
	int same = 0;

	read_memory(mem);
	while (same < 3 && now_ns() < end) {
		last = mem->free;
		nap();
		read_memory(mem);
		same = mem->free - last + NOISE < 2 * NOISE ? same + 1 : 0;
	}
}

static double taken(const struct memory *before, const struct memory *now, int n)
{
	return ((double)before->free - now->free) / n;
}

/* By cache, what grew by a byte a pair or more. */
static void caches(struct sample *s, const struct memory *before,
		   const struct memory *now, int n)
{
	size_t len = 0, room = sizeof(s->note);

	len += snprintf(s->note, room, "{\"slab\":%.1f,\"caches\":{",
			((double)now->slab - before->slab) / n);
	for (size_t i = 0, found = 0; i < now->ncaches; i++) {
		double grown = 0;

		for (size_t j = 0; j < before->ncaches; j++)
			if (!strcmp(now->cache[i].name, before->cache[j].name))
				grown = ((double)now->cache[i].bytes -
					 before->cache[j].bytes) / n;
		if (grown < 16 || len + 80 > room)
			continue;
		len += snprintf(s->note + len, room - len, "%s\"%s\":%.1f",
				found++ ? "," : "", now->cache[i].name, grown);
	}
	snprintf(s->note + len, room - len, "}}");
}

static void report(const struct job *job, size_t row, const struct memory *before,
		   const struct memory *now)
{
	struct sample *s = cell_sample(job->rows[row].id);

	s->value = taken(before, now, job->arg);
	caches(s, before, now, job->arg);
}

static void talk(int (*fd)[2], int n, size_t size)
{
	char *buf = buffer(size);

	for (int i = 0; i < n; i++) {
		for (int side = 0; side < 2; side++) {
			pattern_fill(buf, size, 0);
			write_full(fd[i][side], buf, size);
			memset(buf, 0, size);
			if (!read_full(fd[i][!side], buf, size) ||
			    !pattern_ok(buf, size, 0))
				cell_fail("the data differ from what was sent");
		}
	}
}

void work_memory(const struct job *job, const struct peer *peer)
{
	int n = job->arg, listener, top = 2 * n + 100;
	int (*fd)[2] = buffer(n * sizeof(*fd));
	struct memory *before = buffer(sizeof(*before));
	struct memory *now = buffer(sizeof(*now));
	double new;
	struct addr addr;
	uint64_t end;

	pin(0);
	raise_nofile(top + 1);
	listener = peer_listen(peer, job->type, 128, &addr);
	/* The table of files takes its memory now. */
	if (dup2(listener, top) != top)
		cell_fail("dup2: %m");
	close(top);
	/* And what this family makes once. */
	peer_accepted(peer, job->type, listener, &addr, fd[0]);
	talk(fd, 1, job->size);
	settle(before);
	for (int i = 0; i < n; i++) {
		peer_accepted(peer, job->type, listener, &addr, fd[i]);
		peer_no_time_wait(peer, fd[i][0]);
	}
	read_memory(now);
	new = taken(before, now, n);
	report(job, 0, before, now);

	talk(fd, n, job->size);
	end = now_ns() + QUIET_MS * NSEC_PER_MSEC;
	do {
		nap();
		read_memory(now);
	} while (taken(before, now, n) > new * 1.01 && now_ns() < end);
	report(job, 1, before, now);
}
