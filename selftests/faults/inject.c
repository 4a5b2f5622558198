// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's fault injection: /proc/thread-self/fail-nth, and what debugfs has
 * for each kind.  Nothing is ever injected by probability, so only threads that
 * ask for it are hit; and nothing is said about it in the kernel log, in which
 * every line that looks bad is bad.
 */
#include "fault.h"

#include <inttypes.h>
#include <sys/mount.h>

#define DEBUGFS	"/sys/kernel/debug"

static const char * const kinds[] = {
	"failslab", "fail_page_alloc", "fail_usercopy", "fail_skb_realloc",
};

static int set(const char *kind, const char *what, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", kind, what);
	return rt_write_file(path, value);
}

const char *ft_inject_setup(void)
{
	static char why[160];
	int nth;

	if (access(DEBUGFS "/failslab", F_OK))
		mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (set(kinds[i], "verbose", "0")) {
			snprintf(why, sizeof(why), "no %s/%s in this kernel",
				 DEBUGFS, kinds[i]);
			return why;
		}
		if (set(kinds[i], "probability", "0"))
			return "the probability of a fault cannot be set";
	}
	if (set("failslab", "ignore-gfp-wait", "N") ||
	    set("fail_page_alloc", "ignore-gfp-wait", "N") ||
	    set("fail_page_alloc", "min-order", "0"))
		return "allocations that may wait cannot be made to fail";
	if (ft_inject_only(NULL))
		return "no FAULT_INJECTION_STACKTRACE_FILTER in this kernel";
	nth = ft_nth_open();
	if (nth < 0)
		return "no /proc/thread-self/fail-nth in this kernel";
	close(nth);
	return NULL;
}

void ft_inject_restore(void)
{
	ft_inject_only(NULL);
	ft_inject_never(NULL);
	set("failslab", "ignore-gfp-wait", "Y");
	set("fail_page_alloc", "ignore-gfp-wait", "Y");
	set("fail_page_alloc", "min-order", "1");
	ft_inject_highmem(false);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		set(kinds[i], "verbose", "2");
}

int ft_inject_only(const struct ft_range *range)
{
	char start[32], end[32];
	int err = 0;

	snprintf(start, sizeof(start), "0x%lx", range ? range->start : 0UL);
	snprintf(end, sizeof(end), "0x%lx", range ? range->end : ~0UL);
	for (size_t i = 0; !err && i < ARRAY_SIZE(kinds); i++) {
		err = set(kinds[i], "stacktrace-depth", "32");
		if (!err)
			err = set(kinds[i], "require-start", start);
		if (!err)
			err = set(kinds[i], "require-end", end);
	}
	return err;
}

int ft_inject_never(const struct ft_range *range)
{
	char start[32], end[32];
	int err = 0;

	snprintf(start, sizeof(start), "0x%lx", range ? range->start : 0UL);
	snprintf(end, sizeof(end), "0x%lx", range ? range->end : 0UL);
	for (size_t i = 0; !err && i < ARRAY_SIZE(kinds); i++) {
		err = set(kinds[i], "reject-end", end);
		if (!err)
			err = set(kinds[i], "reject-start", start);
	}
	return err;
}

int ft_inject_highmem(bool on)
{
	return set("fail_page_alloc", "ignore-gfp-highmem", on ? "N" : "Y");
}

int ft_nth_open(void)
{
	return SYS(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC));
}

int ft_nth_begin(int nth, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	return pwrite(nth, text, len, 0) == len ? 0 : -errno;
}

/*
 * To read it is a copy to user space, too, which counts, and so does what
 * switches it off.
 */
bool ft_nth_end(int nth)
{
	int saved = errno;
	char text[16] = "";
	bool injected;

	injected = pread(nth, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	while (!injected && pwrite(nth, "0", 1, 0) != 1)
		;
	errno = saved;
	return injected;
}

int ft_kernel_symbol(const char *name, struct ft_range *range)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long addr, found = 0, next = ~0UL;
	char line[512], sym[256], type;

	if (!f)
		return -errno;
	/* Twice: they are not sorted where there are modules. */
	for (int pass = 0; pass < 2; pass++) {
		rewind(f);
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%lx %c %255s", &addr, &type, sym) != 3)
				continue;
			if (!pass && !strcmp(sym, name) && strchr("tTwW", type))
				found = addr;
			if (pass && addr > found && addr < next)
				next = addr;
		}
		if (!found)
			break;
	}
	fclose(f);
	range->start = found;
	range->end = next;
	return found && next != ~0UL ? 0 : -ENOENT;
}
