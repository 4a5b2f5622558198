// SPDX-License-Identifier: GPL-2.0-only
/*
 * What "rill run" has counted: the sum of the files *.stat of this user, one a
 * process, in /run/user/UID/rill and /tmp/rill-UID.
 *
 * The second is in a directory where anybody may make one: neither is believed
 * unless it is this user's own, and nobody else may write there.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stat.h"

#define TRIES	100
#define TRY_US	10000

static void file_read(int dir, const char *name, struct counters *set)
{
	char text[16384];
	struct stat st;
	ssize_t n;
	int fd;

	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid()) {
		n = read(fd, text, sizeof(text) - 1);
		if (n > 0) {
			text[n] = '\0';
			counters_parse(set, text, true);
		}
	}
	close(fd);
}

/*
 * A process that ends moves its numbers from its file to exited.stat, which it has
 * locked meanwhile.  -1 if there is none; whoever has it for long is not waited for.
 */
static int exited_lock(int dir)
{
	int fd = openat(dir, "exited.stat", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	for (int i = 0; fd >= 0 && i < TRIES && flock(fd, LOCK_SH | LOCK_NB); i++)
		usleep(TRY_US);
	return fd;
}

static void dir_read(const char *path, struct counters *set)
{
	const struct dirent *e;
	struct stat st;
	int fd, lock;
	size_t len;
	DIR *dir;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) || st.st_uid != geteuid() || st.st_mode & 022) {
		close(fd);
		return;
	}
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	lock = exited_lock(fd);
	while ((e = readdir(dir))) {
		len = strlen(e->d_name);
		if (len > 5 && !strcmp(e->d_name + len - 5, ".stat"))
			file_read(fd, e->d_name, set);
	}
	if (lock >= 0)
		close(lock);
	closedir(dir);
}

void run_read(struct counters *set)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/user/%u/rill", geteuid());
	dir_read(path, set);
	snprintf(path, sizeof(path), "/tmp/rill-%u", geteuid());
	dir_read(path, set);
}
