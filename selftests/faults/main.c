// SPDX-License-Identifier: GPL-2.0-only
/*
 * failnth: every system call on every socket type in every state, with its n-th
 * allocation or user copy failing, n = 1, 2, ... until none is injected; then, of
 * each place of rill.ko and rill_diag.ko from which a fault can come, that one did
 * come from it.
 *
 *	failnth [--only PATTERN] [--sites] [--verbose]
 *	failnth --load rill.ko rill_diag.ko
 *
 * Needs root, and a kernel with FAULT_INJECTION_DEBUG_FS, FAILSLAB,
 * FAIL_PAGE_ALLOC, FAULT_INJECTION_USERCOPY, FAIL_SKB_REALLOC and
 * FAULT_INJECTION_STACKTRACE_FILTER; without it all is skipped, but where
 * RILL_DEBUG_KERNEL=1 says that it has to work.  RILL_KO is the path of rill.ko,
 * beside which rill_diag.ko lies, if RILL_DIAG_KO does not say where else.
 * Nobody else may use fault injection meanwhile.
 *
 * After each scenario the kernel's log is looked at, and in the end for what
 * nobody freed: both name the scenario.
 */
#include "fault.h"
#include "rill_test_diag.h"

#include <fnmatch.h>
#include <limits.h>

#define MOST		20000		/* faults of one scenario: it never ends */
#define CHILD_MS	(6 * RT_WAIT_MS)

struct tally {
	unsigned long	plays, injected, failed, absorbed;
	unsigned int	errs[134];	/* by errno */
};

static struct tally *tally;		/* of one child; shared */
static struct ft_site *sites;		/* shared */
static int n_sites;
static bool all_sites;			/* of both modules */
static bool verbose;
char *ft_out, *ft_in;

static struct {
	const struct ft_scenario *list;
	const unsigned int *n;
} lists[] = {
	{ ft_conn, &ft_n_conn }, { ft_data, &ft_n_data },
	{ ft_rights, &ft_n_rights }, { ft_misc, &ft_n_misc },
	{ ft_diag, &ft_n_diag }, { ft_signal, &ft_n_signal },
	{ ft_crowd, &ft_n_crowd },
};

static const struct {
	unsigned int	bit;
	int		type;
} types[] = {
	{ FT_STREAM, SOCK_STREAM }, { FT_SEQPACKET, SOCK_SEQPACKET },
	{ FT_DGRAM, SOCK_DGRAM },
};

struct job {
	const struct ft_scenario *sc;
	int	type;
	char	name[128];
};

static struct job jobs[512];
static unsigned int n_jobs;

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	return p;
}

static void make_jobs(const char *pattern)
{
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
		for (unsigned int i = 0; i < *lists[l].n; i++) {
			const struct ft_scenario *sc = &lists[l].list[i];

			if (!sc->check)
				ksft_exit_fail_msg("%s: nothing is checked\n", sc->name);
			for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
				struct job *j = &jobs[n_jobs];

				if (!(sc->types & types[t].bit))
					continue;
				if (n_jobs == ARRAY_SIZE(jobs))
					ksft_exit_fail_msg("too many scenarios\n");
				j->sc = sc;
				j->type = types[t].type;
				snprintf(j->name, sizeof(j->name), "%s (%s)",
					 sc->name, ft_type_name(j->type));
				if (!pattern || !fnmatch(pattern, j->name, 0))
					n_jobs++;
			}
		}
	}
}

/* Pages that a call may touch are there: none is to be found in the middle of it. */
static void touch(void)
{
	static const char zero;

	for (long i = 0; i < FT_BUF; i += 4096) {
		ft_in[i] = zero;
		(void)*(volatile char *)&ft_out[i];
	}
	mlockall(MCL_CURRENT);
}

/* ---- in a child ---- */

/* Is this the place that the scenario is about? */
static bool is_place(const struct ft_scenario *sc, const struct ft_site *s)
{
	return sc->place.func && !fnmatch(sc->place.func, s->func, 0) &&
	       !fnmatch(sc->place.callee, s->callee, 0);
}

static struct ft_site *place_of(const struct ft_scenario *sc)
{
	for (int i = 0; i < n_sites; i++)
		if (is_place(sc, &sites[i]))
			return &sites[i];
	return NULL;
}

static int limit_to_place(const struct ft_scenario *sc)
{
	const struct ft_site *s = place_of(sc);
	struct ft_range never;

	if (!s || !s->n_ret || ft_inject_only(&s->ret[0]) || ft_inject_highmem(true)) {
		printf("# faults cannot be limited to that place\n");
		return -ENOENT;
	}
	/* What this kernel has not got needs not be left out. */
	if (ft_kernel_symbol(sc->never, &never))
		return ft_inject_never(NULL);
	return ft_inject_never(&never);
}

/* Faults as the scenario wants them, and none where it does not. */
static int limit(const struct ft_scenario *sc)
{
	struct ft_range only, never;

	if (sc->place.func)
		return limit_to_place(sc);
	if ((sc->only && ft_kernel_symbol(sc->only, &only)) ||
	    (sc->never && ft_kernel_symbol(sc->never, &never)) ||
	    ft_inject_only(sc->only ? &only : NULL) ||
	    ft_inject_never(sc->never ? &never : NULL)) {
		printf("# faults cannot be limited\n");
		return -ENOENT;
	}
	return 0;
}

static bool play(const struct job *j, unsigned int n, struct ft_play *p)
{
	int err = ft_play_once(j->sc, j->type, n, p);

	tally->plays++;
	if (p->injected) {
		tally->injected++;
		if (p->ret == j->sc->want)
			tally->absorbed++;
		else
			tally->failed++;
		if (p->ret < 0 && p->ret > -134)
			tally->errs[-p->ret]++;
	}
	if (!err && !ft_allowed(j->sc, p)) {
		printf("# fault %u%s: the call gave %ld, which is not allowed\n", n,
		       p->injected ? "" : " (not injected)", p->ret);
		return false;
	}
	if (err) {
		printf("# fault %u%s: the call gave %ld; see line %d\n", n,
		       p->injected ? "" : " (not injected)", p->ret, err);
		return false;
	}
	return true;
}

/* The sockets are freed after a grace period at most. */
static bool all_freed(void)
{
	if (RT_UNTIL(!rt_counter("sockets")))
		return true;
	printf("# %lld sockets are never freed\n", rt_counter("sockets"));
	return false;
}

static int play_all(const struct job *j)
{
	struct ft_play p;
	unsigned int n;

	/* As it is, and to have what the kernel makes once behind us. */
	if (limit(j->sc) || !play(j, 0, &p))
		return 1;
	for (n = 1; n <= MOST; n++) {
		if (!play(j, n, &p))
			return 1;
		if (!p.injected || j->sc->place.func)
			break;
	}
	if (n > MOST) {
		printf("# it has no end\n");
		return 1;
	}
	if (j->sc->place.func) {
		ft_inject_highmem(false);
		snprintf(place_of(j->sc)->hit, sizeof(sites->hit), "%.95s", j->name);
	}
	return !all_freed();
}

/* Which scenario asks for memory, or copies, at this place? */
static int play_site(struct ft_site *s)
{
	struct ft_range loud;
	struct ft_play p;

	/* A word: somebody has a bad pointer for it. */
	for (unsigned int k = 0; k < n_jobs; k++)
		if (is_place(jobs[k].sc, s))
			return play_all(&jobs[k]);
	for (unsigned int k = 0; !s->n_ret && k < n_jobs; k++) {
		if (!jobs[k].sc->word || strcmp(jobs[k].sc->word, s->func))
			continue;
		if (!play(&jobs[k], 0, &p))
			return 1;
		if (p.ret == -EFAULT)
			snprintf(s->hit, sizeof(s->hit), "%.95s", jobs[k].name);
	}
	if (ft_kernel_symbol("__vmalloc_node_range_noprof", &loud) ||
	    ft_inject_never(&loud))
		return 1;
	for (unsigned int i = 0; i < s->n_ret; i++) {
		if (ft_inject_only(&s->ret[i]))
			return 1;
		for (unsigned int k = 0; k < n_jobs; k++) {
			if (jobs[k].sc->place.func)
				continue;
			if (!play(&jobs[k], 1, &p))
				return 1;
			if (!p.injected)
				continue;
			snprintf(s->hit, sizeof(s->hit), "%.95s", jobs[k].name);
			return 0;
		}
	}
	return !all_freed();
}

/* ---- the parent ---- */

/* In a process of its own, which is not waited for forever. */
static bool run_child(int (*fn)(const struct job *j), const struct job *j,
		      struct ft_site *s)
{
	long long end = rt_now_ms() + CHILD_MS;
	int status = 0;
	pid_t pid;

	memset(tally, 0, sizeof(*tally));
	pid = rt_fork();
	if (!pid) {
		signal(SIGPIPE, SIG_IGN);
		touch();
		status = s ? play_site(s) : fn(j);
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0)
		return false;
	ft_leaks_played(pid, j ? j->name : s->func);
	while (!waitpid(pid, &status, WNOHANG)) {
		if (rt_now_ms() < end) {
			rt_pause();
			continue;
		}
		printf("# it hangs\n");
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return false;
	}
	if (WIFSIGNALED(status))
		printf("# killed by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Does a scenario play in which the core logs a stack? */
static bool is_loud(const struct job *j, const struct ft_site *s)
{
	bool loud = j && j->sc->place.func;

	for (unsigned int k = 0; !j && k < n_jobs; k++)
		loud |= is_place(jobs[k].sc, s);
	return loud;
}

/* The kernel had nothing bad to say either. */
static bool in_child(int (*fn)(const struct job *j), const struct job *j,
		     struct ft_site *s)
{
	bool ok, loud = is_loud(j, s);

	if (loud)
		ft_log_excuse(true);
	ok = run_child(fn, j, s);
	if (loud)
		ft_log_excuse(false);
	return ft_log_clean(loud) && ok;
}

static void add(struct tally *sum)
{
	sum->plays += tally->plays;
	sum->injected += tally->injected;
	sum->failed += tally->failed;
	sum->absorbed += tally->absorbed;
	for (size_t i = 0; i < ARRAY_SIZE(sum->errs); i++)
		sum->errs[i] += tally->errs[i];
}

static void say_tally(const char *what, const struct tally *t)
{
	printf("# %s: %lu plays, %lu faults injected: ", what, t->plays, t->injected);
	printf("%lu calls failed or did less, %lu were as if nothing had been;",
	       t->failed, t->absorbed);
	for (size_t i = 0; i < ARRAY_SIZE(t->errs); i++)
		if (t->errs[i])
			printf(" %s %u", strerrorname_np(i), t->errs[i]);
	printf("\n");
}

static void test_scenarios(struct tally *sum)
{
	for (unsigned int i = 0; i < n_jobs; i++) {
		const struct job *j = &jobs[i];
		bool ok = in_child(play_all, j, NULL);

		add(sum);
		if (verbose || !ok)
			say_tally(j->name, tally);
		ksft_test_result(ok, "%s: %lu faults\n", j->name, tally->injected);
	}
}

static void test_sites(struct tally *sum)
{
	int hit = 0, excused = 0, missed = 0;
	bool ok = true;

	for (int i = 0; i < n_sites; i++) {
		struct ft_site *s = &sites[i];

		if (!s->excuse && !*s->hit) {
			ok &= in_child(NULL, NULL, s);
			add(sum);
		}
		if (!s->excuse && !*s->hit)
			s->excuse = ft_site_missed(s);
		if (s->excuse)
			excused++;
		else if (*s->hit)
			hit++;
		else
			missed++;
		printf("# place %s: %s, %s: %s\n", s->module, s->func, s->callee,
		       s->excuse ?: *s->hit ? s->hit : "NO FAULT CAME FROM IT");
	}
	ft_inject_only(NULL);
	printf("# places of rill.ko and rill_diag.ko: %d, ", n_sites);
	printf("of which a fault came from %d, explained %d, missed %d\n", hit,
	       excused, missed);
	ksft_test_result(ok && all_sites && !missed,
			 "a fault came from every place of the modules\n");
}

/* Objects of a slab cache in use, counted after what lies idle was given back. */
static long slab_objects(const char *cache)
{
	char path[128], buf[64];

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	rt_write_file(path, "1\n");
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/objects", cache);
	return rt_read_file(path, buf, sizeof(buf)) > 0 ? atol(buf) : -1;
}

/* What cannot be read is not as before. */
static bool slab_as_before(const char *cache, long before)
{
	long now = slab_objects(cache);

	return before >= 0 && now >= 0 && now <= before;
}

static void test_slabs(long stream, long msg)
{
	bool ok = RT_UNTIL(slab_as_before("RILL", stream) &&
			   slab_as_before("RILL-MSG", msg));

	printf("# slab RILL %ld, before %ld; RILL-MSG %ld, before %ld\n",
	       slab_objects("RILL"), stream, slab_objects("RILL-MSG"), msg);
	ksft_test_result(ok, "no socket is left in a slab\n");
}

static void test_leaks(void)
{
	int n = ft_leaks();

	if (n == -ENOENT)
		ksft_test_result_skip("no kmemleak in this kernel\n");
	else
		ksft_test_result(!n, "no memory is lost: %d\n", n);
}

/* Asked, the core loads it. */
static bool load_diag(void)
{
	struct dg_ask ask;

	dg_init(&ask);
	return dg_count(&ask) >= 0;
}

static int read_sites_of(const char *ko, const char *module, struct ft_site **list,
			 int count)
{
	int n = ft_sites_read(ko, module, list, count);

	if (n >= 0 && n == count)
		n = -ENODATA;
	/* What it calls that nobody knows was said. */
	if (n < 0 && n != -EUNATCH)
		printf("# %s: %s\n", ko, strerror(-n));
	return n;
}

static void read_sites(void)
{
	const char *ko = getenv("RILL_KO"), *diag = getenv("RILL_DIAG_KO");
	struct ft_site *list = NULL;
	char beside[PATH_MAX];
	const char *slash;
	int n;

	if (!ko) {
		printf("# RILL_KO is not set: no list of places\n");
		return;
	}
	slash = strrchr(ko, '/');
	if (!diag) {
		snprintf(beside, sizeof(beside), "%.*srill_diag.ko",
			 slash ? (int)(slash + 1 - ko) : 0, ko);
		diag = beside;
	}
	n = read_sites_of(ko, "rill", &list, 0);
	if (n > 0) {
		n_sites = n;
		n = read_sites_of(diag, "rill_diag", &list, n);
	}
	all_sites = n > 0;
	if (n > 0)
		n_sites = n;
	if (n_sites) {
		n = n_sites;
		sites = shared(n * sizeof(*sites));
		memcpy(sites, list, n * sizeof(*sites));
	}
	free(list);
}

int main(int argc, char **argv)
{
	const char *pattern = NULL, *why;
	struct tally sum = { 0 }, of_sites = { 0 };
	bool only_sites = false;
	long stream, msg;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[1], "--load"))
		return ft_load_main(argv[2], argv[3]);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--only") && i + 1 < argc)
			pattern = argv[++i];
		else if (!strcmp(argv[i], "--sites"))
			only_sites = true;
		else if (!strcmp(argv[i], "--verbose"))
			verbose = true;
		else
			ksft_exit_fail_msg("usage: see the head of failnth's source\n");
	}
	ksft_print_header();
	why = geteuid() ? "needs root" : ft_inject_setup();
	if (why && !fault_expected())
		ksft_exit_skip("%s\n", why);
	if (why)
		ksft_exit_fail_msg("%s, but this is a debug kernel\n", why);
	if (rt_rill_family() < 0)
		ksft_exit_fail_msg("rill.ko is not loaded\n");
	if (!load_diag())
		ksft_exit_fail_msg("rill_diag.ko is not loaded\n");
	if (ft_log_open())
		ksft_exit_fail_msg("/dev/kmsg: %m\n");
	make_jobs(pattern);
	read_sites();
	tally = shared(sizeof(*tally));
	ft_out = shared(FT_BUF);
	ft_in = shared(FT_BUF);
	rd_fill(ft_out, FT_BUF, 1, 0);
	/* Counters of our own, which are all 0. */
	if (unshare(CLONE_NEWNET))
		ksft_exit_fail_msg("no network namespace: %m\n");
	stream = slab_objects("RILL");
	msg = slab_objects("RILL-MSG");

	ksft_set_plan((only_sites ? 0 : n_jobs) + (pattern ? 0 : 1) + 2);
	if (!only_sites)
		test_scenarios(&sum);
	if (!pattern)
		test_sites(&of_sites);
	ft_inject_restore();
	test_slabs(stream, msg);
	test_leaks();
	printf("# scenarios: %u\n", n_jobs);
	say_tally("scenarios", &sum);
	say_tally("places", &of_sites);
	ksft_finished();
	return 0;
}
