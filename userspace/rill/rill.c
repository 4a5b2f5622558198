// SPDX-License-Identifier: GPL-2.0-only
/*
 * rill: one command whose words are programs of their own.
 *
 * "rill WORD ..." runs rill-WORD, which lies in ../lib/rill seen from the place
 * of this program, so that an installed tree may be moved as a whole.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rill/rill.h>

#define EXIT_USAGE	2
/* As a shell says it of a program that it cannot run. */
#define EXIT_NOT_RUN	126
#define EXIT_NOT_FOUND	127

static const struct {
	const char *word;
	const char *what;
} words[] = {
	{ "run",	"run a program with its local sockets moved to AF_RILL" },
	{ "ss",		"show the sockets, who holds both ends, and their queues" },
	{ "stat",	"show the counters of this network namespace" },
	{ "doctor",	"say whether AF_RILL works here, and what to do if not" },
};

static void usage(FILE *to)
{
	fputs("usage: rill COMMAND [ARGUMENT...]\n"
	      "       rill --help | --version\n\n"
	      "The commands; each has --help, and a page: man rill-COMMAND\n", to);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		fprintf(to, "  %-8s%s\n", words[i].word, words[i].what);
	fputs("\nThe exit status is the command's; 2 if there is no such command, 126 if\n"
	      "it cannot be run, 127 if it is not installed.\n", to);
}

/* The directory of the commands: ../lib/rill from here. */
static int find_dir(char *dir, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return -1;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -1;
	*slash = '\0';
	return snprintf(dir, size, "%s/../lib/rill", self) < (int)size ? 0 : -1;
}

int main(int argc, char **argv)
{
	char dir[PATH_MAX], path[PATH_MAX + NAME_MAX];
	size_t i;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		usage(stdout);
		return fflush(stdout) ? 1 : 0;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("rill %s\n", rill_version());
		return fflush(stdout) ? 1 : 0;
	}
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(argv[1], words[i].word))
			break;
	if (i == sizeof(words) / sizeof(words[0])) {
		fprintf(stderr, "rill: there is no command \"%s\"; rill --help lists them\n",
			argv[1]);
		return EXIT_USAGE;
	}
	if (find_dir(dir, sizeof(dir))) {
		fputs("rill: cannot tell where it is installed: is /proc mounted?\n", stderr);
		return EXIT_NOT_RUN;
	}
	snprintf(path, sizeof(path), "%s/rill-%s", dir, words[i].word);
	execv(path, argv + 1);
	i = errno;
	fprintf(stderr, "rill: cannot run %s: %s\n", path, strerror(i));
	return i == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
}
