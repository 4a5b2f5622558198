/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of many sockets share, on top of rill_test_data.h: what the
 * kernel holds, before and after.
 *
 * Sockets are counted exactly, by the module's references and by
 * /proc/net/protocols.  Slab objects are not: other programs have some, and of
 * each cache each CPU keeps a few.  What is lost once a turn shows all the same,
 * as one object more a turn.
 */
#ifndef RILL_TEST_LEFT_H
#define RILL_TEST_LEFT_H

#include "rill_test_data.h"

#include <dirent.h>

#define RL_CACHES	512
#define RL_SHRINKS	128
#define RL_SETTLE_MS	RT_WAIT_MS

struct rl_left {
	long			refs;		/* of the module, by sockets mostly */
	long			protocols;	/* sockets in /proc/net/protocols */
	long long		sockets, names, waiting;	/* rill_stat */
	long			slab_kb, percpu_kb, free_kb;
	int			n_caches;
	struct {
		char		name[48];
		long		objects;
		long		slab;		/* objects of one slab */
	}			cache[RL_CACHES];
};

/* A figure, at once: a test ends by _exit(). */
__attribute__((format(printf, 1, 2)))
static inline void rl_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	fflush(stdout);
}

static inline long rl_number(const char *path)
{
	char buf[64];

	return rt_read_file(path, buf, sizeof(buf)) > 0 ? atol(buf) : -1;
}

/* Sockets of the family, as /proc/net/protocols has them. */
static inline long rl_protocols(void)
{
	char line[256], name[32];
	long n, size, sum = 0;
	FILE *f;

	f = fopen("/proc/thread-self/net/protocols", "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%31s %ld %ld", name, &size, &n) == 3 &&
		    (!strcmp(name, "RILL") || !strcmp(name, "RILL-MSG")))
			sum += n;
	fclose(f);
	return sum;
}

static inline void rl_meminfo(struct rl_left *l)
{
	char line[256];
	FILE *f;

	f = fopen("/proc/meminfo", "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "SUnreclaim: %ld", &l->slab_kb) == 1)
			continue;
		if (sscanf(line, "Percpu: %ld", &l->percpu_kb) == 1)
			continue;
		if (sscanf(line, "MemFree: %ld", &l->free_kb) == 1)
			continue;
	}
	fclose(f);
}

/* A file that is lost is a socket that is lost, so filp need not be here. */
static inline bool rl_of_interest(const char *name)
{
	static const char * const names[] = {
		"RILL", "rill", "kmalloc", "sock_inode", "skbuff", "net_namespace",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strncmp(name, names[i], strlen(names[i])))
			return true;
	return false;
}

/*
 * Objects that are free, but that a CPU keeps at hand, count as used before.  The
 * files stay open: to open one makes objects that are freed much later.
 */
static inline void rl_shrink(void)
{
	static int fd[RL_SHRINKS], n = -1;
	struct dirent *d;
	DIR *dir = NULL;

	if (n < 0) {
		n = 0;
		dir = opendir("/sys/kernel/slab");
	}
	while (dir && n < RL_SHRINKS && (d = readdir(dir))) {
		char path[PATH_MAX];

		if (!rl_of_interest(d->d_name))
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", d->d_name);
		fd[n] = open(path, O_WRONLY | O_CLOEXEC);
		n += fd[n] >= 0;
	}
	if (dir)
		closedir(dir);
	for (int i = 0; i < n; i++)
		if (pwrite(fd[i], "1", 1, 0) != 1)
			return;
}

static inline void rl_slabs(struct rl_left *l)
{
	char line[512];
	FILE *f;

	rl_shrink();
	l->n_caches = 0;
	f = fopen("/proc/slabinfo", "re");
	if (!f)
		return;
	while (l->n_caches < RL_CACHES && fgets(line, sizeof(line), f))
		if (sscanf(line, "%47s %ld %*d %*d %ld", l->cache[l->n_caches].name,
			   &l->cache[l->n_caches].objects,
			   &l->cache[l->n_caches].slab) == 3)
			l->n_caches++;
	fclose(f);
}

/* The modules that use rill.ko: rill_diag.ko, if somebody has asked. */
static inline long rl_holders(void)
{
	DIR *dir = opendir("/sys/module/rill/holders");
	struct dirent *d;
	long n = 0;

	while (dir && (d = readdir(dir)))
		n += *d->d_name != '.';
	if (dir)
		closedir(dir);
	return n;
}

/* Waits until the sockets of tests before are gone. */
static inline bool rl_unused(void)
{
	return RT_UNTIL(rl_number("/sys/module/rill/refcnt") == rl_holders());
}

static inline void rl_read(struct rl_left *l, bool slabs)
{
	l->refs = rl_number("/sys/module/rill/refcnt");
	l->protocols = rl_protocols();
	l->sockets = rt_counter("sockets");
	l->names = rt_counter("names");
	l->waiting = rt_counter("waiting");
	if (slabs)
		rl_slabs(l);
	rl_meminfo(l);
}

/* Is what is counted exactly as it was? */
static inline bool rl_counts_same(const struct rl_left *a, const struct rl_left *b)
{
	return a->refs == b->refs && a->protocols == b->protocols &&
	       a->sockets == b->sockets && a->names == b->names &&
	       a->waiting == b->waiting;
}

/* Says which caches have so many more objects than before, and how many caches. */
static inline int rl_slabs_grown(const struct rl_left *before,
				 const struct rl_left *now, long more, bool tell)
{
	int i, k, grown = 0;

	for (i = 0; i < now->n_caches; i++) {
		long was = 0;

		if (!rl_of_interest(now->cache[i].name))
			continue;
		for (k = 0; k < before->n_caches; k++)
			if (!strcmp(before->cache[k].name, now->cache[i].name))
				was = before->cache[k].objects;
		/* The slab that a CPU takes from counts as used, all of it. */
		was += now->cache[i].slab * sysconf(_SC_NPROCESSORS_ONLN);
		if (now->cache[i].objects - was < more)
			continue;
		grown++;
		if (tell)
			rl_say("slab %s: %ld, of them at hand at most, -> %ld",
			       now->cache[i].name, was, now->cache[i].objects);
	}
	return grown;
}

/*
 * Is all as it was, and no cache by more objects larger?  Waits, bounded: sockets
 * and namespaces are freed by others, after grace periods.
 */
static inline bool rl_back(const struct rl_left *before, long more)
{
	struct rl_left now = { 0 };
	long long end = rt_now_ms() + RL_SETTLE_MS;
	bool counts, slabs;

	for (;;) {
		rl_read(&now, false);
		counts = rl_counts_same(before, &now);
		if (counts)
			rl_slabs(&now);
		slabs = counts && !rl_slabs_grown(before, &now, more, false);
		if (slabs || rt_now_ms() >= end)
			break;
		for (int i = 0; i < 20; i++)
			rt_pause();
	}
	rl_say("references %ld -> %ld, in /proc/net/protocols %ld -> %ld", before->refs,
	       now.refs, before->protocols, now.protocols);
	rl_say("sockets %lld -> %lld, names %lld -> %lld, in line %lld -> %lld",
	       before->sockets, now.sockets, before->names, now.names,
	       before->waiting, now.waiting);
	rl_say("SUnreclaim %ld -> %ld kB, Percpu %ld -> %ld kB", before->slab_kb,
	       now.slab_kb, before->percpu_kb, now.percpu_kb);
	if (counts && !slabs)
		rl_slabs_grown(before, &now, more, true);
	return counts && slabs;
}

/* A size from the environment. */
static inline long rl_env(const char *name, long otherwise)
{
	const char *text = getenv(name);
	long n = text ? atol(text) : 0;

	return n > 0 ? n : otherwise;
}

#endif /* RILL_TEST_LEFT_H */
