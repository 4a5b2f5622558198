// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading the module, with each step of its beginning failing: the n-th
 * allocation of all that finit_module() does below do_one_initcall(), that is of
 * the module's own init, and then of the core around it.  After each nothing may
 * be left, and in the end it loads and works.
 */
#include "fault.h"

#define MOST	20000

/* The steps of rill_init() and of its part for each namespace. */
static const struct {
	const char	*func;		/* faults below it */
	const char	*what;
	bool		goes_on;	/* it asks again until it has what it needs */
	bool		on_demand;	/* of the core: RILL_FAULTS_ALL=1 */
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

static int check_nothing(void *unused)
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

static bool left(void)
{
	return ft_guard(check_nothing, NULL);
}

/*
 * The core prints a stack where it cannot make a slab, or has no pages for
 * vmalloc(): between these lines that is excused (scripts/guest/init.c).
 */
static int bracket(const char *line)
{
	return rt_write_file("/dev/kmsg", line);
}

static long load(int ko)
{
	return SYS(syscall(SYS_finit_module, ko, "", 0));
}

static bool unload(void)
{
	long long end = rt_now_ms() + RT_WAIT_MS;
	long err;

	/* A closed socket is freed with a grace period. */
	do {
		err = SYS(syscall(SYS_delete_module, "rill", O_NONBLOCK));
		if (err != -EAGAIN)
			break;
		rt_pause();
	} while (rt_now_ms() < end);
	return !err || err == -ENOENT;
}

static int check_works(void *unused)
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

static bool works(void)
{
	return !ft_guard(check_works, NULL);
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
static bool test_step(int ko, const char *func, unsigned long *failed,
		      unsigned long *injected)
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
		err = load(ko);
		hit = ft_nth_end(nth);
		*injected += hit;
		if (err) {
			*failed += 1;
			if (!hit || !allowed(err)) {
				printf("# fault %u: loading gave %ld\n", n, err);
				return false;
			}
			if (left())
				return false;
			continue;
		}
		/* A fault that it got over, or none. */
		if (!works() || !unload() || left())
			return false;
	}
	close(nth);
	return n > 1 && n <= MOST;
}

int ft_load_main(const char *path)
{
	const char *why = geteuid() ? "needs root" : ft_inject_setup();
	bool was = in_file("/proc/modules", "rill");
	int ko, hold, kid;

	ksft_print_header();
	if (why && !fault_expected())
		ksft_exit_skip("%s\n", why);
	if (why)
		ksft_exit_fail_msg("%s, but this is a debug kernel\n", why);
	ko = open(path, O_RDONLY | O_CLOEXEC);
	if (ko < 0)
		ksft_exit_fail_msg("%s: %m\n", path);
	if (!unload())
		ksft_exit_fail_msg("rill is in use: %m\n");
	/* A second namespace, so that the first has to be undone for it. */
	hold = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (hold < 0 || unshare(CLONE_NEWNET))
		ksft_exit_fail_msg("no network namespace: %m\n");
	kid = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (kid < 0 || setns(hold, CLONE_NEWNET))
		ksft_exit_fail_msg("not back in our namespace: %m\n");

	ksft_set_plan(ARRAY_SIZE(steps) + 1);
	if (bracket("rill-test: faults are injected from here\n"))
		ksft_exit_fail_msg("/dev/kmsg: %m\n");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		unsigned long failed = 0, injected = 0;
		bool ok;

		if (steps[i].on_demand && !getenv("RILL_FAULTS_ALL")) {
			ksft_test_result_skip("%s: set RILL_FAULTS_ALL=1\n",
					      steps[i].what);
			continue;
		}
		ok = test_step(ko, steps[i].func, &failed, &injected);
		/* Each step must have failed for once. */
		ksft_test_result(ok && (steps[i].goes_on ? injected && !failed : failed),
				 "%s: %lu faults, of which %lu made loading fail\n",
				 steps[i].what, injected, failed);
		if (!ok)
			unload();
	}
	bracket("rill-test: faults are injected to here\n");
	ft_inject_restore();
	ksft_test_result(!left() && !load(ko) && works() && unload() && !left(),
			 "then it loads, works and unloads\n");
	if (was && load(ko))
		printf("# it cannot be loaded again\n");
	ksft_finished();
	return 0;
}
