/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of many sockets share, on top of rill_test_data.h: what the
 * kernel holds, before and after.
 *
 * Sockets are counted exactly, by the module's references, by
 * /proc/net/protocols and by the family's own slab caches.  Objects of other
 * caches are not: the kernel and other programs have some.  What is lost once a
 * turn shows all the same, as one object more a turn.
 */
#ifndef RILL_TEST_LEFT_H
#define RILL_TEST_LEFT_H

#include "rill_test_data.h"

#include <dirent.h>

#define RL_CACHES	512
#define RL_SHRINKS	128
#define RL_SETTLE_MS	RT_WAIT_MS

/*
 * So many objects of other caches come and go beside, however many the turns; and of
 * those that are looked at for lost references.
 */
#define RL_MORE		300
#define RL_REFERENCES	40

struct rl_left {
	long			refs;		/* of the module, by sockets mostly */
	long			protocols;	/* sockets in /proc/net/protocols */
	long long		sockets, names, waiting;	/* rill_stat */
	long			slab_kb, percpu_kb, free_kb;
	bool			exact;		/* no object counted that is free */
	int			n_caches;
	struct {
		char		name[48];
		long		objects;
		long		slab;		/* objects of one slab */
	}			cache[RL_CACHES];
};

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

/* Of the family alone: what is there of it is counted, to the object. */
static inline bool rl_of_family(const char *name)
{
	return !strncmp(name, "RILL", 4) || !strncmp(name, "rill", 4);
}

/* Each of them could be kept by one reference that nobody put. */
static inline bool rl_of_reference(const char *name)
{
	/* In 7.2 that of credentials is no jar any more. */
	return !strcmp(name, "pid") || !strcmp(name, "filp") ||
	       !strcmp(name, "cred_jar") || !strcmp(name, "cred");
}

static inline bool rl_of_interest(const char *name)
{
	static const char * const names[] = {
		"kmalloc", "sock_inode", "skbuff", "net_namespace",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strncmp(name, names[i], strlen(names[i])))
			return true;
	return rl_of_family(name) || rl_of_reference(name);
}

/* Where sysfs has the caches: of those that matter, how to shrink and count them. */
struct rl_sysfs {
	char	name[48];
	int	shrink, objects;
};

static inline int rl_open(const char *cache, const char *file, int flags)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/%s", cache, file);
	return open(path, flags | O_CLOEXEC);
}

/* Once; the files stay open: to open one makes objects that are freed much later. */
static inline int rl_sysfs(const struct rl_sysfs **caches)
{
	static struct rl_sysfs cache[RL_SHRINKS];
	static int n = -1;
	struct dirent *d;
	DIR *dir = NULL;

	*caches = cache;
	if (n < 0) {
		n = 0;
		dir = opendir("/sys/kernel/slab");
	}
	while (dir && n < RL_SHRINKS && (d = readdir(dir))) {
		struct rl_sysfs *c = &cache[n];

		if (!rl_of_interest(d->d_name))
			continue;
		snprintf(c->name, sizeof(c->name), "%.47s", d->d_name);
		c->shrink = rl_open(d->d_name, "shrink", O_WRONLY);
		c->objects = rl_open(d->d_name, "objects", O_RDONLY);
		n += c->shrink >= 0 && c->objects >= 0;
	}
	if (dir)
		closedir(dir);
	return n;
}

/* Objects of a cache, or -1. */
static inline long rl_objects(const struct rl_left *l, const char *name)
{
	for (int i = 0; i < l->n_caches; i++)
		if (!strcmp(l->cache[i].name, name))
			return l->cache[i].objects;
	return -1;
}

/*
 * Objects that are free, but that a CPU keeps at hand, count as used before they
 * are shrunk; so slabinfo is opened, and its buffer made, before that: with the one
 * file that it needs a CPU would take up to four slabs of files.  A cache that shares
 * its slabs with another is in sysfs by its own name, and in slabinfo by one of the
 * two.
 */
static inline void rl_slabs(struct rl_left *l)
{
	int i, n, fd = open("/proc/slabinfo", O_RDONLY | O_CLOEXEC);
	const struct rl_sysfs *sys;
	char line[512];
	FILE *f;

	n = rl_sysfs(&sys);
	l->n_caches = 0;
	l->exact = n && n < RL_SHRINKS && pread(fd, line, 1, 0) == 1;
	for (i = 0; i < 2 * n; i++) {
		/* The second time around those that are to be exact, with little after. */
		if (i >= n && !rl_of_reference(sys[i - n].name))
			continue;
		if (pwrite(sys[i % n].shrink, "1", 1, 0) != 1)
			l->exact = false;
	}
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f)
		return;
	while (l->n_caches < RL_CACHES && fgets(line, sizeof(line), f))
		if (sscanf(line, "%47s %ld %*d %*d %ld", l->cache[l->n_caches].name,
			   &l->cache[l->n_caches].objects,
			   &l->cache[l->n_caches].slab) == 3)
			l->n_caches += rl_of_interest(l->cache[l->n_caches].name);
	fclose(f);
	for (i = 0; i < n && l->n_caches < RL_CACHES; i++) {
		ssize_t len;

		if (rl_objects(l, sys[i].name) >= 0)
			continue;
		len = pread(sys[i].objects, line, sizeof(line) - 1, 0);
		line[len > 0 ? len : 0] = '\0';
		memcpy(l->cache[l->n_caches].name, sys[i].name, sizeof(sys[i].name));
		l->cache[l->n_caches].slab = 0;
		l->cache[l->n_caches++].objects = atol(line);
	}
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

/*
 * How many objects more than before are too many; of the family's own, one is.  The
 * slab that a CPU takes from counts as used, all of it, and who is busy beside takes
 * from some after the caches were shrunk.
 */
static inline long rl_too_many(const char *name, long slab, bool exact, long more)
{
	long at_hand = slab * sysconf(_SC_NPROCESSORS_ONLN);

	if (exact && rl_of_family(name))
		return 1;
	if (exact && rl_of_reference(name))
		return RL_REFERENCES;
	return more < LONG_MAX - at_hand ? more + at_hand : more;
}

/* Says which caches have too many objects more than before, and how many caches. */
static inline int rl_slabs_grown(const struct rl_left *before,
				 const struct rl_left *now, long more, bool tell)
{
	bool exact = before->exact && now->exact;
	int i, grown = 0;

	for (i = 0; i < now->n_caches; i++) {
		const char *name = now->cache[i].name;
		long was = rl_objects(before, name), most;

		was = was < 0 ? 0 : was;
		most = rl_too_many(name, now->cache[i].slab, exact, more);
		if (now->cache[i].objects - was < most)
			continue;
		grown++;
		if (tell)
			rd_say("slab %s: %ld -> %ld, where %ld more are too many", name,
			       was, now->cache[i].objects, most);
	}
	return grown;
}

/* The objects before and now; of many caches, of the one that has grown most. */
static inline void rl_say_slabs(const struct rl_left *before,
				const struct rl_left *now)
{
	long most = 0;
	int i, worst = -1;

	for (i = 0; i < now->n_caches; i++) {
		const char *name = now->cache[i].name;
		long was = rl_objects(before, name);

		was = was < 0 ? 0 : was;
		if (rl_of_family(name) || rl_of_reference(name)) {
			rd_say("slab %s: %ld -> %ld", name, was,
			       now->cache[i].objects);
		} else if (now->cache[i].objects - was > most) {
			most = now->cache[i].objects - was;
			worst = i;
		}
	}
	if (worst >= 0)
		rd_say("slab %s, of all others the one with most more: %ld -> %ld",
		       now->cache[worst].name, now->cache[worst].objects - most,
		       now->cache[worst].objects);
}

/*
 * Is all as it was, and no cache by so many objects larger?  Waits, bounded: sockets
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
	rd_say("references %ld -> %ld, in /proc/net/protocols %ld -> %ld", before->refs,
	       now.refs, before->protocols, now.protocols);
	rd_say("sockets %lld -> %lld, names %lld -> %lld, in line %lld -> %lld",
	       before->sockets, now.sockets, before->names, now.names,
	       before->waiting, now.waiting);
	rd_say("SUnreclaim %ld -> %ld kB, Percpu %ld -> %ld kB", before->slab_kb,
	       now.slab_kb, before->percpu_kb, now.percpu_kb);
	if (counts)
		rl_say_slabs(before, &now);
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
