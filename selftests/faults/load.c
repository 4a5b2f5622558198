// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading the modules, with each step of their beginning failing: the n-th
 * allocation of all that finit_module() does below do_one_initcall(), that is of
 * the module's own init, and then of the core around it.  After each nothing may
 * be left, and in the end it loads and works.
 *
 * rill_diag.ko's init asks for nothing, so no fault comes from it: that is tested,
 * too.
 */
#include "fault.h"
#include "rill_test_diag.h"

#define MOST	20000

struct module {
	const char	*name;
	const char	*path;
	int		ko;
	int		(*left)(void *unused);
	int		(*works)(void *unused);
};

/* The steps of rill_init() and of its part for each namespace; of rill_diag_init(). */
static const struct {
	const char	*func;		/* faults below it */
	const char	*what;
	bool		goes_on;	/* it asks again until it has what it needs */
	bool		on_demand;	/* of the core: RILL_FAULTS_ALL=1 */
	bool		diag;		/* of rill_diag.ko, with rill.ko loaded */
	bool		none;		/* it has nothing to ask for */
} steps[] = {
	{ .func = "proto_register", .what = "the slabs (proto_register)" },
	{ .func = "register_pernet_operations", .what = "the namespaces (register_pernet_subsys)" },
	{ .func = "__rhashtable_init_noprof", .what = "the table of names (rhashtable_init)",
	  .goes_on = true },
	/* What the core's register_net_sysctl_sz() ends in, by a jump perhaps. */
	{ .func = "__register_sysctl_table", .what = "net.rill.* (register_net_sysctl)" },
	{ .func = "proc_create_net_data", .what = "/proc/net/rill" },
	{ .func = "proc_create_net_single", .what = "/proc/net/rill_stat" },
	{ .func = "do_one_initcall", .what = "all of the module's init" },
	{ .func = NULL, .what = "all of finit_module()", .on_demand = true },
	{ .func = "do_one_initcall", .what = "rill_diag.ko: all of the module's init",
	  .diag = true, .none = true },
	{ .func = NULL, .what = "rill_diag.ko: all of finit_module()", .diag = true,
	  .on_demand = true },
};

static bool in_file(const char *path, const char *word)
{
	char line[512];
	bool found = false;
	FILE *f = fopen(path, "re");

	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line, word, strlen(word)) &&
			line[strlen(word)] == ' ';
	if (f)
		fclose(f);
	return found;
}

static int left_of_rill(void *unused)
{
	static const char * const paths[] = {
		"/proc/net/rill", "/proc/net/rill_stat", "/proc/sys/net/rill",
		"/sys/module/rill", "/sys/kernel/slab/RILL", "/sys/kernel/slab/RILL-MSG",
	};

	(void)unused;
	FT_CHECK(!in_file("/proc/modules", "rill"));
	FT_CHECK(!in_file("/proc/net/protocols", "RILL"));
	FT_CHECK(!in_file("/proc/net/protocols", "RILL-MSG"));
	FT_CHECK(!in_file("/proc/slabinfo", "RILL"));
	FT_CHECK(!in_file("/proc/slabinfo", "RILL-MSG"));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (!access(paths[i], F_OK)) {
			printf("# %s is left\n", paths[i]);
			FT_CHECK_EQ(-1, access(paths[i], F_OK));
		}
	}
	FT_CHECK_EQ(-EAFNOSUPPORT, SYS(socket(RILL_FAMILY_DEFAULT, SOCK_STREAM, 0)));
	return 0;
}

static long load(const struct module *m)
{
	return SYS(syscall(SYS_finit_module, m->ko, "", 0));
}

static bool unload(const struct module *m)
{
	long long end = rt_now_ms() + RT_WAIT_MS;
	long err;

	/* A closed socket is freed with a grace period. */
	do {
		err = SYS(syscall(SYS_delete_module, m->name, O_NONBLOCK));
		if (err != -EAGAIN)
			break;
		rt_pause();
	} while (rt_now_ms() < end);
	return !err || err == -ENOENT;
}

static int rill_works(void *unused)
{
	char c = 0;
	int fd[2];

	(void)unused;
	FT_CHECK_EQ(0, SYS(socketpair(RILL_FAMILY_DEFAULT, SOCK_STREAM, 0, fd)));
	FT_CHECK_EQ(1, SYS(write(fd[0], "x", 1)));
	FT_CHECK_EQ(1, SYS(read(fd[1], &c, 1)));
	FT_CHECK_EQ('x', c);
	close(fd[0]);
	close(fd[1]);
	return 0;
}

/* How many sockets a dump tells. */
static int ask_diag(void)
{
	struct dg_ask ask;

	dg_init(&ask);
	ask.req.rdr_family = RILL_FAMILY_DEFAULT;
	return dg_count(&ask);
}

/* Nothing of it, and nothing that holds rill.ko. */
static int left_of_diag(void *unused)
{
	char refs[32];

	(void)unused;
	FT_CHECK(!in_file("/proc/modules", "rill_diag"));
	FT_CHECK_EQ(-1, access("/sys/module/rill_diag", F_OK));
	FT_CHECK(rt_read_file("/sys/module/rill/refcnt", refs, sizeof(refs)) > 0);
	FT_CHECK_EQ(0, atoi(refs));
	FT_CHECK_EQ(-ENOENT, ask_diag());
	return 0;
}

static int diag_works(void *unused)
{
	int fd[2];

	(void)unused;
	FT_CHECK_EQ(0, SYS(socketpair(RILL_FAMILY_DEFAULT, SOCK_STREAM, 0, fd)));
	FT_CHECK_EQ(2, ask_diag());
	close(fd[0]);
	close(fd[1]);
	/* Sockets hold rill.ko until they are freed. */
	FT_CHECK(RT_UNTIL(!rt_counter("sockets")));
	return 0;
}

static struct module rill = { "rill", NULL, -1, left_of_rill, rill_works };
static struct module diag = { "rill_diag", NULL, -1, left_of_diag, diag_works };

static bool left(const struct module *m)
{
	return ft_guard(m->left, NULL);
}

static bool works(const struct module *m)
{
	return !ft_guard(m->works, NULL);
}

/* What a load may fail with when memory is short, or a copy. */
static bool allowed(long err)
{
	return err == -ENOMEM || err == -ENOBUFS || err == -EFAULT;
}

/*
 * Not where the core adds a slab to sysfs: it goes on without, and stumbles when
 * that slab is destroyed (kobject_put() of what was never initialised, 7.2).
 */
static bool test_step(const struct module *m, const char *func,
		      unsigned long *failed, unsigned long *injected)
{
	struct ft_range range, core;
	unsigned int n;
	int nth = ft_nth_open();
	bool hit = true;
	long err;

	if (nth < 0 || (func && ft_kernel_symbol(func, &range)) ||
	    ft_inject_only(func ? &range : NULL) ||
	    ft_kernel_symbol("sysfs_slab_add", &core) ||
	    ft_inject_never(&core)) {
		printf("# faults cannot be limited to %s\n", func ?: "nothing");
		return false;
	}
	for (n = 1; hit && n <= MOST; n++) {
		if (ft_nth_begin(nth, n))
			return false;
		err = load(m);
		hit = ft_nth_end(nth);
		*injected += hit;
		if (err) {
			*failed += 1;
			if (!hit || !allowed(err)) {
				printf("# fault %u: loading gave %ld\n", n, err);
				return false;
			}
			if (left(m))
				return false;
			continue;
		}
		/* A fault that it got over, or none. */
		if (!works(m) || !unload(m) || left(m))
			return false;
	}
	close(nth);
	return n > 1 && n <= MOST;
}

static void open_module(struct module *m, const char *path)
{
	m->path = path;
	m->ko = open(path, O_RDONLY | O_CLOEXEC);
	if (m->ko < 0)
		ksft_exit_fail_msg("%s: %m\n", path);
}

static bool as_wanted(size_t i, unsigned long failed, unsigned long injected)
{
	if (steps[i].none)
		return !injected && !failed;
	if (steps[i].goes_on)
		return injected && !failed;
	/* Each step must have failed for once. */
	return failed;
}

static void test_one(size_t i)
{
	const struct module *m = steps[i].diag ? &diag : &rill;
	unsigned long failed = 0, injected = 0;
	bool ok;

	if (steps[i].on_demand && !getenv("RILL_FAULTS_ALL")) {
		ksft_test_result_skip("%s: set RILL_FAULTS_ALL=1\n", steps[i].what);
		return;
	}
	ok = (!steps[i].diag || !load(&rill)) &&
	     test_step(m, steps[i].func, &failed, &injected);
	if (!ok)
		unload(m);
	if (steps[i].diag)
		ok &= unload(&rill) && !left(&rill);
	ok &= ft_log_clean(true);
	ksft_test_result(ok && as_wanted(i, failed, injected),
			 "%s: %lu faults, of which %lu made loading fail\n",
			 steps[i].what, injected, failed);
}

int ft_load_main(const char *path, const char *diag_path)
{
	const char *why = geteuid() ? "needs root" : ft_inject_setup();
	bool was = in_file("/proc/modules", "rill");
	int hold, kid;

	ksft_print_header();
	if (why && !fault_expected())
		ksft_exit_skip("%s\n", why);
	if (why)
		ksft_exit_fail_msg("%s, but this is a debug kernel\n", why);
	open_module(&rill, path);
	open_module(&diag, diag_path);
	if (!unload(&diag) || !unload(&rill))
		ksft_exit_fail_msg("rill is in use: %m\n");
	if (ft_log_open())
		ksft_exit_fail_msg("/dev/kmsg: %m\n");
	/* A second namespace, so that the first has to be undone for it. */
	hold = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (hold < 0 || unshare(CLONE_NEWNET))
		ksft_exit_fail_msg("no network namespace: %m\n");
	kid = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (kid < 0 || setns(hold, CLONE_NEWNET))
		ksft_exit_fail_msg("not back in our namespace: %m\n");

	ksft_set_plan(ARRAY_SIZE(steps) + 2);
	if (ft_log_excuse(true))
		ksft_exit_fail_msg("/dev/kmsg: %m\n");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		test_one(i);
	ft_log_excuse(false);
	ft_inject_restore();
	ksft_test_result(!left(&rill) && !load(&rill) && works(&rill) &&
			 unload(&rill) && !left(&rill),
			 "then it loads, works and unloads\n");
	ksft_test_result(!load(&rill) && !left(&diag) && !load(&diag) && works(&diag) &&
			 unload(&diag) && !left(&diag) && unload(&rill),
			 "and so does rill_diag.ko\n");
	if (was && load(&rill))
		printf("# it cannot be loaded again\n");
	ksft_finished();
	return 0;
}
