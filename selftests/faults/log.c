// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel has to say: its log, read after each scenario, and what
 * kmemleak finds in the end, with the scenario that asked for it.
 */
#include "fault.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define AGE		6	/* seconds: kmemleak is silent of what is younger than 5 */

/* As scripts/guest/init.c has them, which looks at the whole log in the end. */
static const char * const bad_words[] = {
	"BUG:", "WARNING:", "Oops", "general protection fault",
	"Unable to handle kernel", "unable to handle kernel", "INFO: task ",
	"possible recursive locking", "possible circular locking",
	"possible irq lock inversion", "inconsistent lock state",
	"suspicious RCU usage", "held lock freed", "bad unlock balance",
	"lock held when returning to user space", "locks held at exit",
	"non-static key", "lockdep is turned off", "refcount_t:", "UBSAN:",
	"KASAN:", "KFENCE:", "memory leak", "scheduling while atomic",
	"sleeping function called from invalid context",
	"list_add corruption", "list_del corruption", "Slab corruption",
	"Poison overwritten", "Objects remaining", "still has objects",
	"Bad page state", "Attempt to release alive", "ODEBUG:",
	"soft lockup", "detected stalls", "self-detected stall",
};

/* What the core says of memory that was made short: not where that is expected. */
static const char * const short_words[] = {
	"Call Trace:", "page allocation failure", "invoked oom-killer",
	"Out of memory",
};

static int kmsg = -1;

/* From here on.  0 or a negative errno. */
int ft_log_open(void)
{
	kmsg = SYS(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	if (kmsg < 0)
		return kmsg;
	return lseek(kmsg, 0, SEEK_END) < 0 ? -errno : 0;
}

/*
 * The core prints a stack where it cannot make a slab, or has no pages for
 * vmalloc() or for a CPU: between two lines that is excused (scripts/guest/init.c).
 */
int ft_log_excuse(bool begin)
{
	return rt_write_file("/dev/kmsg",
			     begin ? "rill-test: faults are injected from here\n" :
				     "rill-test: faults are injected to here\n");
}

static bool has(const char *text, const char * const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

/**
 * ft_log_clean() - has the kernel said anything bad since the last time?
 * @shortage: it may say that memory is short
 *
 * Return: true if not; else what it said was printed.
 */
bool ft_log_clean(bool shortage)
{
	char rec[8193], *text;
	bool clean = true;
	ssize_t n;

	for (;;) {
		n = read(kmsg, rec, sizeof(rec) - 1);
		if (n < 0 && errno == EPIPE) {
			printf("# the kernel log overran: lines are lost\n");
			clean = false;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return clean;
		rec[n] = '\0';
		text = strchr(rec, ';');
		text = text ? text + 1 : rec;
		text[strcspn(text, "\n")] = '\0';
		if (!has(text, bad_words, ARRAY_SIZE(bad_words)) &&
		    (shortage || !has(text, short_words, ARRAY_SIZE(short_words))))
			continue;
		printf("# the kernel says: %s\n", text);
		clean = false;
	}
}

/* ---- leaks ---- */

/* Every process that played, in the order in which they were made. */
static struct {
	pid_t	pid;
	char	name[128];
} played[1024];

static unsigned int n_played;

void ft_leaks_played(pid_t pid, const char *name)
{
	if (n_played == ARRAY_SIZE(played))
		return;
	played[n_played].pid = pid;
	snprintf(played[n_played++].name, sizeof(played[0].name), "%.127s", name);
}

/* Its threads have numbers between its own and the next one's. */
static const char *who_played(pid_t pid)
{
	const char *name = "before the first";

	for (unsigned int i = 0; i < n_played && played[i].pid <= pid; i++)
		name = played[i].name;
	return name;
}

/**
 * ft_leaks() - what was asked for by this program, and nobody can find any more
 *
 * Return: how many objects, or a negative errno; -ENOENT where there is no kmemleak.
 */
int ft_leaks(void)
{
	const struct timespec age = { .tv_sec = AGE };
	char line[512], object[512] = "";
	int n = 0, pid, err;
	FILE *f;

	err = rt_write_file(KMEMLEAK, "scan\n");
	if (err)
		return err;
	nanosleep(&age, NULL);
	/* Seen twice, it is reported. */
	err = rt_write_file(KMEMLEAK, "scan\n");
	if (err)
		return err;
	f = fopen(KMEMLEAK, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "unreferenced object", 19))
			snprintf(object, sizeof(object), "%s", line);
		if (sscanf(line, " comm \"failnth\", pid %d", &pid) != 1 ||
		    pid < getpid())
			continue;
		printf("# %s was left by: %s\n", object, who_played(pid));
		n++;
	}
	fclose(f);
	return n;
}
