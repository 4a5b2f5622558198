// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes, from /proc: what one is called, and who holds a socket.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rill/rill.h>

#include "ss.h"

/* ---- names ---- */

#define BUCKETS	4096

struct comm {
	struct comm	*next;
	int		pid;
	char		text[];
};

static struct comm *comms[BUCKETS];

/* A thread may call itself anything: as a name, and a quote as \x22. */
static void escape_comm(const char *raw, char *out, size_t size)
{
	char one[2] = "", piece[8];
	size_t n = 0;

	for (; *raw; raw++) {
		if (*raw == '"') {
			strcpy(piece, "\\x22");
		} else {
			one[0] = *raw;
			rill_name_escape(one, piece, sizeof(piece));
		}
		if (n + strlen(piece) >= size)
			break;
		strcpy(out + n, piece);
		n += strlen(piece);
	}
	out[n] = '\0';
}

static void read_comm(int pid, char *out, size_t size)
{
	char path[64], raw[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, raw, sizeof(raw) - 1);
		close(fd);
	}
	if (n <= 0) {
		snprintf(out, size, "?");
		return;
	}
	raw[raw[n - 1] == '\n' ? n - 1 : n] = '\0';
	escape_comm(raw, out, size);
}

/* What the process is called, printable; "?" if it is gone, or not to be seen. */
const char *ss_comm(int pid)
{
	struct comm **head = &comms[(unsigned int)pid % BUCKETS], *c;
	char text[256];

	if (pid <= 0)
		return "?";
	for (c = *head; c; c = c->next)
		if (c->pid == pid)
			return c->text;
	read_comm(pid, text, sizeof(text));
	c = malloc(sizeof(*c) + strlen(text) + 1);
	if (!c)
		return "?";
	c->pid = pid;
	strcpy(c->text, text);
	c->next = *head;
	*head = c;
	return c->text;
}

/* ---- holders ---- */

static struct ss_holder *holders;
static size_t n_holders, room;

static int holder_add(uint32_t ino, int pid, int fd)
{
	struct ss_holder *p;

	if (n_holders == room) {
		p = realloc(holders, (room ? 2 * room : 1024) * sizeof(*p));
		if (!p)
			return -ENOMEM;
		holders = p;
		room = room ? 2 * room : 1024;
	}
	holders[n_holders++] = (struct ss_holder){ .ino = ino, .pid = pid, .fd = fd };
	return 0;
}

static int read_fds(int pid)
{
	char path[64], link[64];
	struct dirent *de;
	unsigned int ino;
	int ret = 0;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	/* Gone, or another user's: others are still worth telling. */
	if (!dir)
		return 0;
	while (!ret && (de = readdir(dir))) {
		if (!isdigit((unsigned char)de->d_name[0]))
			continue;
		n = readlinkat(dirfd(dir), de->d_name, link, sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = '\0';
		if (sscanf(link, "socket:[%u]", &ino) == 1)
			ret = holder_add(ino, pid, atoi(de->d_name));
	}
	closedir(dir);
	return ret;
}

static int holder_cmp(const void *a, const void *b)
{
	const struct ss_holder *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->fd - y->fd;
}

/* Who has which socket open, as far as this user may see.  0 or an errno. */
int ss_holders_read(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *de;
	int ret = 0;

	if (!proc)
		return -errno;
	while (!ret && (de = readdir(proc)))
		if (isdigit((unsigned char)de->d_name[0]))
			ret = read_fds(atoi(de->d_name));
	closedir(proc);
	if (n_holders)
		qsort(holders, n_holders, sizeof(*holders), holder_cmp);
	return ret;
}

/* Those of one socket. */
const struct ss_holder *ss_holders_of(uint32_t ino, size_t *n)
{
	size_t low = 0, high = n_holders, mid, end;

	*n = 0;
	if (!ino)
		return NULL;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (holders[mid].ino < ino)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < n_holders && holders[end].ino == ino; end++)
		;
	*n = end - low;
	return *n ? &holders[low] : NULL;
}

void ss_proc_free(void)
{
	struct comm *c;

	free(holders);
	holders = NULL;
	n_holders = 0;
	room = 0;
	for (size_t i = 0; i < BUCKETS; i++) {
		while ((c = comms[i])) {
			comms[i] = c->next;
			free(c);
		}
	}
}
