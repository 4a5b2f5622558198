// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints: what they tell is computed only if somebody wants it.
 *
 * They are on in an instance of the kernel's tracing that is the fuzzer's own, with
 * a buffer, filters and triggers of its own, which goes with all that it has.  What
 * a program changes there is put back behind it.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/rill-fuzz"
#define READS		64
#define MARK_PIECE	1000

static bool mounted, switches;
static pid_t owner;

static const char *const events[] = {
	"rill_connect", "rill_queue_full", "rill_accept", "rill_send", "rill_recv",
	"rill_drop", "rill_reset", "rill_close",
};

static long put(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	long ret = 0;

	if (fd < 0)
		return -errno;
	if (*text && write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static long set(const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	return put(path, text, 0);
}

static long set_event(unsigned int event, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), INSTANCE "/events/rill/%s/%s",
		 events[event % ARRAY_SIZE(events)], file);
	return put(path, text, 0);
}

/* O_TRUNC is what forgets. */
static long clear(const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	return put(path, "", O_TRUNC);
}

/*
 * Without the names of tasks, for which enabling an event has the scheduler's own
 * patched in and out: see selftests/trace.c; as has a filter by pid, so there is none
 * here.  An instance begins with the options of the whole.
 *
 * Programs switch what is told only where it can be counted what that reaches: each
 * switch has the kernel's code changed under CPUs that run it, which is more a test
 * of an emulator than of the module.
 */
void fz_trace_begin(void)
{
	static const char option[] = TRACING "/options/record-cmd";
	bool named;
	char was = '0';
	int fd;

	owner = getpid();
	switches = !access("/sys/kernel/debug/kcov", F_OK);
	atexit(fz_trace_end);
	if (access(TRACING "/instances", F_OK))
		mounted = !mount("none", TRACING, "tracefs", 0, NULL);
	fd = open(option, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	named = read(fd, &was, 1) == 1 && was == '1';
	close(fd);
	if (named)
		put(option, "0\n", 0);
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		perror(INSTANCE);
	if (named)
		put(option, "1\n", 0);
	set("buffer_size_kb", "64\n");
	set("events/rill/enable", "1\n");
}

/* Also at exit, which processes have that it forked. */
void fz_trace_end(void)
{
	if (owner != getpid())
		return;
	owner = 0;
	rmdir(INSTANCE);
	if (mounted)
		umount2(TRACING, MNT_DETACH);
}

/* As it is at the beginning of a program. */
void fz_trace_back(void)
{
	if (!switches || access(INSTANCE, F_OK))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(events); i++) {
		set_event(i, "trigger", "!traceon\n");
		set_event(i, "trigger", "!traceoff\n");
		set_event(i, "filter", "0\n");
	}
	set("options/context-info", "1\n");
	set("tracing_on", "1\n");
	set("events/rill/enable", "1\n");
}

/* Before this event is told next, so many bytes stand in its reader's buffer. */
static long mark(unsigned int event, long len)
{
	static const char name[] = "tracing_mark_write: ";
	char text[MARK_PIECE];
	long n, left = len, ret;

	memset(text, 'm', sizeof(text));
	ret = set("events/rill/enable", "0\n");
	if (!ret)
		ret = set_event(event, "enable", "1\n");
	if (!ret)
		ret = set("options/context-info", "0\n");
	if (!ret)
		ret = clear("trace");
	while (!ret && left > (long)sizeof(name)) {
		n = left < MARK_PIECE ? left : MARK_PIECE;
		/* Its name comes before it, and the end of a line behind. */
		text[n - sizeof(name)] = '\0';
		ret = set("trace_marker", text);
		text[n - sizeof(name)] = 'm';
		left -= n;
	}
	return ret;
}

static long show(const char *file, size_t step)
{
	static __thread char text[16384];
	long n, total = 0;
	char path[128];
	int fd;

	if (!step || step > sizeof(text))
		step = sizeof(text);
	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (int i = 0; i < READS && (n = read(fd, text, step)) > 0; i++)
		total += n;
	close(fd);
	return total;
}

long fz_trace(int64_t what, int64_t event, int64_t number)
{
	static const char *const filters[] = {
		"0", "netns == 0", "type == 1 && netns != 0", "netns ==",
	};
	static const char *const triggers[] = {
		"traceon", "traceon if netns == 0", "traceoff", "traceoff if type == 2",
	};

	if (!switches && what != FZ_TRACE_READ && what != FZ_TRACE_PIPE)
		return -EOPNOTSUPP;
	switch (what) {
	case FZ_TRACE_ON:
		return set("tracing_on", number ? "1\n" : "0\n");
	case FZ_TRACE_EVENT:
		return set_event(event, "enable", number ? "1\n" : "0\n");
	case FZ_TRACE_FILTER:
		return set_event(event, "filter", filters[number & 3]);
	case FZ_TRACE_TRIGGER:
		return set_event(event, "trigger", triggers[number & 3]);
	case FZ_TRACE_MARK:
		return mark(event, number & 16383);
	case FZ_TRACE_READ:
		return show("trace", number);
	case FZ_TRACE_PIPE:
		return show("trace_pipe", number);
	case FZ_TRACE_CLEAR:
		return clear("trace");
	}
	return -EINVAL;
}
