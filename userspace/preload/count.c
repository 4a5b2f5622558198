// SPDX-License-Identifier: GPL-2.0-only
/*
 * What went over AF_RILL and what did not, and why.
 *
 * Each process that has something to say maps a file PID.stat of lines "WORD
 * NUMBER" in /run/user/UID/rill, or /tmp/rill-UID, and writes its numbers in
 * place, so that they are there also if it is killed.  "rill stat" sums them.
 * At its end a process adds its own to exited.stat and unlinks its file.
 *
 * Locking: the counters are atomic; the text of one may be torn for a moment.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "preload.h"

#define LINE	44	/* a word, blanks, 20 digits, the end of the line */
/* For the lock of those that are gone; without it, what is ours stays a file. */
#define TRIES	100
#define TRY_US	2000

static atomic_ullong counts[RUN_COUNT_N];
static char *_Atomic file_text;
static atomic_int file_state;		/* 0 not tried, 1 being made, 2 done */
static dev_t stderr_dev;
static ino_t stderr_ino;

static const struct {
	const char *word, *text;
} said[] = {
#define X(id, word, text) { word, text },
	RUN_COUNTS(X)
#undef X
};

static bool dir_is_ours(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return false;
	return !lstat(dir, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 077);
}

static bool file_path(char *path, size_t size, const char *name)
{
	char dir[64], up[48];
	struct stat st;

	snprintf(up, sizeof(up), "/run/user/%u", geteuid());
	snprintf(dir, sizeof(dir), "%s/rill", up);
	if (stat(up, &st) || !dir_is_ours(dir)) {
		snprintf(dir, sizeof(dir), "/tmp/rill-%u", geteuid());
		if (!dir_is_ours(dir))
			return false;
	}
	snprintf(path, size, "%s/%s", dir, name);
	return true;
}

static void line_write(char *text, int i, uint64_t n)
{
	char line[LINE + 1];

	snprintf(line, sizeof(line), "%-22s %20llu\n", said[i].word, (unsigned long long)n);
	memcpy(text + (size_t)i * LINE, line, LINE);
}

/* A program with a limit for its files would get SIGXFSZ, which ends it. */
static bool may_grow(size_t size)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur >= size;
}

/* What this process counted before an exec() still counts. */
static void file_before(int fd)
{
	char text[LINE * RUN_COUNT_N];

	if (pread(fd, text, sizeof(text), 0) != sizeof(text))
		return;
	for (int i = 0; i < RUN_COUNT_N; i++) {
		text[(i + 1) * LINE - 1] = '\0';
		atomic_fetch_add(&counts[i], strtoull(text + i * LINE + 23, NULL, 10));
	}
}

static void file_make(void)
{
	size_t size = LINE * RUN_COUNT_N;
	char name[32], path[128];
	char *text;
	int fd;

	snprintf(name, sizeof(name), "%d.stat", getpid());
	if (!may_grow(size) || !file_path(path, sizeof(path), name))
		return;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	file_before(fd);
	/* A hole of a full disk could not be written to: SIGBUS. */
	if (!posix_fallocate(fd, 0, size)) {
		text = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (text != MAP_FAILED) {
			for (int i = 0; i < RUN_COUNT_N; i++)
				line_write(text, i, counts[i]);
			atomic_store(&file_text, text);
		}
	}
	run_close(fd);
}

void run_count(enum run_count what)
{
	int none = 0, err = errno, cancel;
	char *text;

	atomic_fetch_add_explicit(&counts[what], 1, memory_order_relaxed);
	if (UNLIKELY(!run_is_ours()))
		goto out;
	if (UNLIKELY(atomic_load(&file_state) == 0) &&
	    atomic_compare_exchange_strong(&file_state, &none, 1)) {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
		file_make();
		pthread_setcancelstate(cancel, NULL);
		atomic_store(&file_state, 2);
	}
	text = atomic_load(&file_text);
	if (text)
		line_write(text, what, atomic_load(&counts[what]));
out:
	errno = err;
}

void run_count_start(void)
{
	struct stat st;

	if (!fstat(STDERR_FILENO, &st)) {
		stderr_dev = st.st_dev;
		stderr_ino = st.st_ino;
	}
}

/* A child counts for itself. */
void run_count_fork(void)
{
	for (int i = 0; i < RUN_COUNT_N; i++)
		atomic_store(&counts[i], 0);
	atomic_store(&file_text, NULL);
	atomic_store(&file_state, 0);
}

/* Add ours to those of the processes that are gone. */
static void file_end(void)
{
	char path[128], name[32], text[LINE * RUN_COUNT_N * 2 + 1];
	size_t used = 0;
	ssize_t n;
	int fd;

	if (!may_grow(LINE * RUN_COUNT_N) || !file_path(path, sizeof(path), "exited.stat"))
		return;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	/* A child that was forked meanwhile, by another, may have it for long. */
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK || i == TRIES)
			goto out;
		usleep(TRY_US);
	}
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	char sum[LINE * RUN_COUNT_N + 1];

	for (int i = 0; i < RUN_COUNT_N; i++) {
		char *at = strstr(text, said[i].word);
		uint64_t before = at ? strtoull(at + strlen(said[i].word), NULL, 10) : 0;

		used += snprintf(sum + used, sizeof(sum) - used, "%-22s %20llu\n",
				 said[i].word, (unsigned long long)(before + counts[i]));
	}
	if (pwrite(fd, sum, used, 0) == (ssize_t)used) {
		snprintf(name, sizeof(name), "%d.stat", getpid());
		if (file_path(path, sizeof(path), name))
			unlink(path);
	}
	flock(fd, LOCK_UN);
out:
	run_close(fd);
}

void run_count_exit(void)
{
	char text[2048];
	size_t n = 0;
	struct stat st;

	if (!run_is_ours())
		return;
	if (atomic_load(&file_text))
		file_end();
	/* File 2 may have become something else. */
	if (!run.verbose || fstat(STDERR_FILENO, &st) || st.st_dev != stderr_dev ||
	    st.st_ino != stderr_ino)
		return;
	n = snprintf(text, sizeof(text), "rill run: %s[%d]:", program_invocation_short_name,
		     getpid());
	for (int i = 0; i < RUN_COUNT_N; i++)
		if (counts[i] && n < sizeof(text) - 200)
			n += snprintf(text + n, sizeof(text) - n, "\n  %12llu %s",
				      (unsigned long long)counts[i], said[i].text);
	if (text[n - 1] == ':')
		n += snprintf(text + n, sizeof(text) - n, " no connections");
	text[n++] = '\n';
	if (real.write(STDERR_FILENO, text, n) < 0)
		return;
}
