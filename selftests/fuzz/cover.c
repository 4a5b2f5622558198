// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coverage: KCOV of every thread that runs a program, counted in points.
 *
 * A point is a place where the compiler put a call to count (one a basic block).
 * All that there are is in a list made of rill.ko (selftests/fuzz/points), with
 * function and line, so what was not reached can be named.  A reason for it
 * stands in unreached.txt, by function and text of the line, which outlive
 * changes elsewhere and other compilers.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KCOV_PATH	"/sys/kernel/debug/kcov"
#define KCOV_INIT_TRACE	_IOR('c', 1, unsigned long)
#define KCOV_ENABLE	_IO('c', 100)
#define KCOV_TRACE_PC	0

#define TABLE		65536
#define THREADS		(1 + FZ_HELPERS)
#define CHILD_PCS	8192
#define INIT_SEARCH	512
/* Where KASLR may put a kernel, of which KCOV does not tell. */
#define SLIDE_STEP	0x200000UL
#define SLIDE_MAX	0x40000000UL

struct point {
	uint64_t	pc;		/* 0: not known where, or gone */
	uint64_t	offset;
	char		*section, *function, *line, *text;
	bool		lockdeps;
};

struct reason {
	char		*function, *text, *why;
	bool		used;
};

unsigned int fz_npoints;
static struct point points[FZ_POINTS];
static struct reason reasons[512];
static unsigned int nreasons;
static struct { uint64_t pc; uint16_t point; } table[TABLE];
static uint64_t text_base, text_low, text_high, slide;
static bool slide_known;
static bool reloading;	/* KASAN's constructors run, which nothing describes */

static atomic_ulong *area[THREADS], *child_area;

static unsigned int table_at(uint64_t pc)
{
	unsigned int at = (pc * 0x9e3779b97f4a7c15ULL) >> 48;

	while (table[at].pc && table[at].pc != pc)
		at = (at + 1) % TABLE;
	return at;
}

static uint64_t section_base(const char *name)
{
	char path[128], text[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/module/rill/sections/%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtoull(text, NULL, 16);
}

/* Where the points of the loaded module are; init: those that run once, too. */
static void points_place(bool init)
{
	const char *section = "";
	uint64_t base = 0;

	memset(table, 0, sizeof(table));
	text_low = ~0ULL;
	text_high = 0;
	for (unsigned int i = 0; i < fz_npoints; i++) {
		struct point *p = &points[i];
		unsigned int at;

		if (strcmp(section, p->section)) {
			section = p->section;
			/* What ran at loading is gone, and its memory may be others'. */
			base = init || strncmp(section, ".init", 5) ? section_base(section) : 0;
		}
		p->pc = base ? base + p->offset : 0;
		if (!base)
			continue;
		if (!strcmp(section, ".text")) {
			text_base = base;
			text_low = p->pc < text_low ? p->pc : text_low;
			text_high = p->pc > text_high ? p->pc : text_high;
		}
		at = table_at(p->pc);
		table[at].pc = p->pc;
		table[at].point = i;
	}
}

/*
 * Blocks that the kernel's macros have for lockdep's sake alone, several for each
 * thing that may be wrong: not the module's, and not there without lockdep.  Where
 * such a macro shares its line with what the module does, this is not counted
 * either.
 */
static bool of_lockdep(const struct point *p)
{
	static const char *const marks[] = {
		"RCU_LOCKDEP_WARN(", "rcu_dereference", "rht_dereference", "lockdep_assert_",
		"rht_for_each_rcu", "srcu_check_read_flavor", "seqcount_lockdep_reader_access",
	};

	/* Does RCU watch?  Asked even if the tracepoint is off. */
	if (!strncmp(p->function, "trace_rill_", 11) && strstr(p->text, "_EVENT("))
		return true;
	for (unsigned int i = 0; i < ARRAY_SIZE(marks); i++)
		if (strstr(p->text, marks[i]))
			return true;
	return false;
}

/* Lines of section, offset, function, place, text, with tabs between. */
int fz_cover_load(const char *path)
{
	char line[1024], *field[5], *save;
	FILE *f = fopen(path, "r");

	if (!f) {
		perror(path);
		return -1;
	}
	while (fgets(line, sizeof(line), f)) {
		struct point *p;
		unsigned int n = 0;

		line[strcspn(line, "\n")] = '\0';
		for (char *s = strtok_r(line, "\t", &save); s && n < 5;
		     s = strtok_r(NULL, "\t", &save))
			field[n++] = s;
		if (n < 4 || *line == '#')
			continue;
		if (fz_npoints == FZ_POINTS) {
			fprintf(stderr, "%s: too many points\n", path);
			fclose(f);
			return -1;
		}
		p = &points[fz_npoints++];
		p->section = strdup(field[0]);
		p->offset = strtoull(field[1], NULL, 16);
		p->function = strdup(field[2]);
		p->line = strdup(field[3]);
		p->text = strdup(n > 4 ? field[4] : "");
		p->lockdeps = of_lockdep(p);
	}
	fclose(f);
	points_place(false);
	if (!text_high) {
		fprintf(stderr, "%s: is it of the module that is loaded?\n", path);
		return -1;
	}
	return 0;
}

/* Lines as "FUNCTION[@OUTERMOST]: PART OF THE LINE -- WHY"; * for any. */
int fz_cover_reasons(const char *text)
{
	char *all = strdup(text), *save, *line;

	for (line = strtok_r(all, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strstr(line, ": "), *dash = strstr(line, " -- ");

		if (*line == '#' || !*line)
			continue;
		if (!colon || !dash || dash < colon || nreasons == ARRAY_SIZE(reasons)) {
			fprintf(stderr, "unreached: \"%s\"?\n", line);
			return -1;
		}
		*colon = *dash = '\0';
		reasons[nreasons].function = line;
		reasons[nreasons].text = colon + 2;
		reasons[nreasons].why = dash + 4;
		nreasons++;
	}
	return 0;
}

bool fz_cover_on(void)
{
	return fz_npoints && !access(KCOV_PATH, R_OK | W_OK);
}

static atomic_ulong *kcov_open(unsigned long pcs)
{
	int fd = open(KCOV_PATH, O_RDWR | O_CLOEXEC);
	void *at;

	if (fd < 0)
		return NULL;
	if (ioctl(fd, KCOV_INIT_TRACE, pcs))
		return NULL;
	at = mmap(NULL, pcs * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		return NULL;
	return at;
}

/* From here on what the calling thread does is counted. */
void fz_cover_thread(unsigned int nr)
{
	if (!fz_npoints)
		return;
	area[nr] = kcov_open(FZ_PCS);
	if (!area[nr]) {
		perror(KCOV_PATH);
		exit(2);
	}
}

static int point_of(uint64_t pc)
{
	unsigned int at = table_at(pc);

	return table[at].pc ? table[at].point : -1;
}

/* The module's addresses as KCOV tells them may be shifted: by how much? */
static void slide_find(const atomic_ulong *pcs, uint64_t n)
{
	unsigned long try;

	for (try = 0; try < SLIDE_MAX; try += SLIDE_STEP) {
		unsigned int known = 0;

		for (uint64_t i = 0; i < n; i++)
			known += point_of(pcs[i] + try) >= 0;
		if (known >= 3) {
			slide = try;
			slide_known = true;
			return;
		}
	}
}

static void run_add(int point, unsigned int edge)
{
	struct fz_cover *cv = &fz_state->cover;

	if (!atomic_exchange_explicit(&cv->run.point_hit[point], 1, memory_order_relaxed))
		cv->run.point[atomic_fetch_add(&cv->run.npoints, 1)] = point;
	if (!cv->run.edge_hit[edge] && !atomic_exchange(&cv->run.edge_hit[edge], 1))
		cv->run.edge[atomic_fetch_add(&cv->run.nedges, 1)] = edge;
}

static void collect(atomic_ulong *from, uint64_t max)
{
	struct fz_cover *cv = &fz_state->cover;
	uint64_t n = from[0];
	unsigned int prev = 0;

	if (n > max - 1)
		n = max - 1;
	if (n && !slide_known)
		slide_find(from + 1, n);
	for (uint64_t i = 1; i <= n; i++) {
		uint64_t pc = from[i] + slide;
		int point = point_of(pc);

		if (point < 0) {
			/* What is not in .text is of another module, or of the kernel. */
			if (pc >= text_low && pc <= text_high && !reloading) {
				cv->strange_pc = pc - text_base;
				cv->strange++;
			}
			continue;
		}
		run_add(point, (prev * 31 + point) % FZ_EDGES);
		prev = point + 1;
	}
	from[0] = 0;
}

void fz_cover_child(void)
{
	if (fz_npoints)
		child_area = kcov_open(CHILD_PCS);
}

void fz_cover_child_end(void)
{
	if (child_area)
		collect(child_area, CHILD_PCS);
}

/* Of the counts, moved so far, how many are points of the init section? */
static unsigned int init_points(const atomic_ulong *pcs, uint64_t shift, bool add)
{
	unsigned int known = 0;

	for (uint64_t i = 1; i <= pcs[0]; i++) {
		int point = point_of(pcs[i] + shift);

		if (point < 0 || strcmp(points[point].section, ".init.text"))
			continue;
		known++;
		if (add)
			run_add(point, point);
	}
	return known;
}

/* Where the init section begins to run: behind KASAN's constructors. */
static uint64_t init_first(const atomic_ulong *pcs)
{
	for (uint64_t i = 1; i <= pcs[0]; i++) {
		int point = point_of(pcs[i] + slide);

		if (point >= 0 && !strcmp(points[point].section, ".init.text"))
			return pcs[i] + slide;
	}
	return 0;
}

/*
 * A load that fails leaves no addresses.  Its init section is where the most of its
 * points are found if it begins as that of a load which succeeds; the rest is left
 * out.
 */
static void collect_failed(const atomic_ulong *pcs, uint64_t first)
{
	unsigned int most = 0;
	uint64_t shift = 0;

	for (uint64_t i = 1; first && i <= pcs[0] && i <= INIT_SEARCH; i++) {
		unsigned int known = init_points(pcs, first - pcs[i], false);

		if (known > most) {
			most = known;
			shift = first - pcs[i];
		}
	}
	if (most)
		init_points(pcs, shift, true);
}

static int load(int fd, const char *params)
{
	return syscall(SYS_finit_module, fd, params, 0) ? -errno : 0;
}

/* Once out, once in; between, a load with these parameters must fail. */
static int reload(int fd, atomic_ulong *pcs, const char *refused, int squat)
{
	static uint64_t first;	/* what its init section begins with */
	int ret;

	points_place(true);
	/* That one holds it, and comes when it is asked for. */
	syscall(SYS_delete_module, "rill_diag", 0);
	pcs[0] = 0;
	if (syscall(SYS_delete_module, "rill", 0))
		return -errno;
	collect(pcs, FZ_PCS);
	if (squat >= 0) {
		ret = load(squat, "");
		if (ret)
			return ret;
		pcs[0] = 0;
	}
	if (refused) {
		if (!load(fd, refused))
			return -ENOTRECOVERABLE;
		collect_failed(pcs, first);
	}
	if (squat >= 0 && syscall(SYS_delete_module, "rill_squat", 0))
		return -errno;
	pcs[0] = 0;
	ret = load(fd, "");
	points_place(true);
	first = init_first(pcs);
	collect(pcs, FZ_PCS);
	return ret;
}

/*
 * Unload the module and load it again, with everything that this thread does
 * counted: what runs then, and for a namespace that comes and goes, no socket's
 * call reaches.  Also with parameters that it refuses, and beside a module that
 * has its number, if there is one.  0 or a negative errno.
 */
int fz_cover_reload(const char *ko, const char *squatter)
{
	static const char *const refused[] = { NULL, "family=99", "family=0", "family=2" };
	atomic_ulong *pcs = kcov_open(FZ_PCS);
	int fd = open(ko, O_RDONLY | O_CLOEXEC), squat = -1, ret = 0;
	uint16_t list[1];
	unsigned int edges;

	if (squatter) {
		squat = open(squatter, O_RDONLY | O_CLOEXEC);
		if (squat < 0)
			return -errno;
	}
	if (fd < 0 || !pcs)
		return -errno;
	fz_cover_begin();
	reloading = true;
	for (unsigned int i = 0; !ret && i < ARRAY_SIZE(refused); i++)
		ret = reload(fd, pcs, refused[i], -1);
	if (!ret && squat >= 0)
		ret = reload(fd, pcs, "", squat);
	close(fd);
	reloading = false;
	points_place(false);
	fz_cover_merge(list, 1, &edges);
	return ret;
}

void fz_cover_begin(void)
{
	struct fz_cover *cv = &fz_state->cover;

	if (!fz_npoints)
		return;
	for (unsigned int i = 0; i < cv->run.npoints; i++)
		cv->run.point_hit[cv->run.point[i]] = 0;
	for (unsigned int i = 0; i < cv->run.nedges; i++)
		cv->run.edge_hit[cv->run.edge[i]] = 0;
	cv->run.npoints = 0;
	cv->run.nedges = 0;
	for (unsigned int i = 0; i < THREADS; i++)
		if (area[i])
			area[i][0] = 0;
}

void fz_cover_end(void)
{
	for (unsigned int i = 0; fz_npoints && i < THREADS; i++)
		collect(area[i], FZ_PCS);
}

/* What this run reached is reached.  How many points are new, and which. */
unsigned int fz_cover_merge(uint16_t *list, unsigned int max, unsigned int *edges)
{
	struct fz_cover *cv = &fz_state->cover;
	unsigned int n = 0;

	*edges = 0;
	for (unsigned int i = 0; i < cv->run.npoints; i++) {
		if (cv->point[cv->run.point[i]])
			continue;
		cv->point[cv->run.point[i]] = 1;
		cv->npoints++;
		if (n < max)
			list[n++] = cv->run.point[i];
	}
	for (unsigned int i = 0; i < cv->run.nedges; i++) {
		if (cv->edge[cv->run.edge[i]])
			continue;
		cv->edge[cv->run.edge[i]] = 1;
		cv->nedges++;
		(*edges)++;
	}
	return n;
}

/* Has this run reached all of them? */
bool fz_cover_has(const uint16_t *list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (!fz_state->cover.run.point_hit[list[i]])
			return false;
	return true;
}

/* Points and edges of this run as bits, added to the map. */
void fz_cover_map(uint8_t *map)
{
	struct fz_cover *cv = &fz_state->cover;

	for (unsigned int i = 0; i < cv->run.npoints; i++)
		map[cv->run.point[i] / 8] |= 1 << cv->run.point[i] % 8;
	for (unsigned int i = 0; i < cv->run.nedges; i++) {
		unsigned int at = FZ_POINTS + cv->run.edge[i];

		map[at / 8] |= 1 << at % 8;
	}
}

/* "F", wherever it is inlined; "F@OUTERMOST"; or "*" for F. */
static bool is_of(const struct point *p, const char *want)
{
	const char *in = strchr(p->function, '@'), *at = strchr(want, '@');
	size_t own = in ? (size_t)(in - p->function) : strlen(p->function);
	size_t len = at ? (size_t)(at - want) : strlen(want);

	if (at && strcmp(at + 1, in ? in + 1 : p->function))
		return false;
	return (len == 1 && *want == '*') || (len == own && !strncmp(want, p->function, len));
}

/* A part that ends with $ is the end of the line. */
static bool has(const char *text, const char *part)
{
	size_t all = strlen(text), len = strcspn(part, "$");

	if (!part[len])
		return strstr(text, part);
	return len <= all && !strncmp(text + all - len, part, len);
}

static const char *reason_of(const struct point *p)
{
	const char *why = NULL;

	for (unsigned int i = 0; i < nreasons; i++) {
		struct reason *r = &reasons[i];

		if (!is_of(p, r->function))
			continue;
		if (strcmp(r->text, "*") && !has(p->text, r->text))
			continue;
		r->used = true;
		if (!why)
			why = r->why;
	}
	return why;
}

/* How many points are neither reached nor explained? */
unsigned int fz_cover_open(void)
{
	unsigned int open = 0;

	for (unsigned int i = 0; i < fz_npoints; i++)
		open += !points[i].lockdeps && !fz_state->cover.point[i] &&
			!reason_of(&points[i]);
	return open;
}

/* Is all that is not reached explained, and are 90 % reached? */
bool fz_cover_report(void)
{
	const struct fz_cover *cv = &fz_state->cover;
	unsigned int explained = 0, open = 0, reached = 0, lockdeps = 0, asserts = 0, all;

	for (unsigned int i = 0; i < fz_npoints; i++) {
		const struct point *p = &points[i];
		const char *why;

		if (p->lockdeps) {
			lockdeps++;
			continue;
		}
		if (cv->point[i]) {
			reached++;
			continue;
		}
		why = reason_of(p);
		if (why && !strncmp(why, "assertion:", 10))
			asserts++;
		else if (why)
			explained++;
		else
			open++;
		/* A line may have several copies: the place tells which. */
		printf("# unreached %s %s+%#llx %s: %s -- %s\n", p->line, p->section,
		       (unsigned long long)p->offset, p->function, p->text,
		       why ?: "NO REASON");
	}
	for (unsigned int i = 0; i < nreasons; i++)
		if (!reasons[i].used)
			printf("# reached, or gone, has a reason: %s: %s\n", reasons[i].function,
			       reasons[i].text);
	if (cv->strange)
		printf("# %u counts of unknown points, as .text+%#llx: another rill.ko?\n",
		       cv->strange, (unsigned long long)cv->strange_pc);
	all = fz_npoints - lockdeps - asserts;
	printf("# coverage: %u of %u blocks (%.1f %%); not reached: %u with a reason, %u without\n",
	       reached, all, 100.0 * reached / all, explained, open);
	printf("# not counted: %u that only a bug reaches, with which it were %u of %u (%.1f %%)\n",
	       asserts, reached, all + asserts, 100.0 * reached / (all + asserts));
	printf("# nor the %u blocks of lockdep's macros\n", lockdeps);
	return !open && !cv->strange && reached * 10 >= all * 9;
}
