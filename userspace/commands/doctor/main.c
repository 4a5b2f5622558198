// SPDX-License-Identifier: GPL-2.0-only
/*
 * rill doctor: does AF_RILL work here, and what to do if not.  See rill-doctor(1).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rill/rill.h>

#include "doctor.h"

#define EXIT_USAGE	2

const char *root = "";
static bool json;
static int n_found, n_problems;

static void usage(FILE *to)
{
	fputs("usage: rill doctor [-j] [-u UNIT]\n"
	      "Says whether AF_RILL works here, and what to do if not.\n\n"
	      "  -u, --unit UNIT  also, whether systemd lets this unit use it\n"
	      "  -j, --json       as JSON, an object\n"
	      "  -h, --help; -V, --version\n\n"
	      "The exit status is 0 if all is well, 1 if there is a problem, 2 for a wrong\n"
	      "option.\n", to);
}

/* What is not ASCII becomes a question mark: it may be no UTF-8. */
static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else
			putchar(*s < ' ' || *s > '~' ? '?' : *s);
	}
	putchar('"');
}

void found(enum verdict v, const char *check, const char *remedy, const char *format, ...)
{
	static const char * const words[] = { "ok", "note", "problem" };
	char text[PATH_MAX + 512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	n_problems += v == PROBLEM;
	if (!json) {
		printf("%-8s %-10s %s\n", words[v], check, text);
		if (remedy)
			printf("%-19s -> %s\n", "", remedy);
		return;
	}
	printf("%s{\"check\":\"%s\",\"result\":\"%s\",\"text\":", n_found++ ? "," : "",
	       check, words[v]);
	json_string(text);
	fputs(",\"remedy\":", stdout);
	if (remedy)
		json_string(remedy);
	else
		fputs("null", stdout);
	putchar('}');
}

bool slurp(const char *path, char *to, size_t size)
{
	char full[PATH_MAX];
	ssize_t n;
	int fd;

	to[0] = '\0';
	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return false;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, to, size - 1);
	close(fd);
	if (n < 0)
		return false;
	to[n] = '\0';
	if (n && to[n - 1] == '\n')
		to[n - 1] = '\0';
	return true;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "unit", required_argument, NULL, 'u' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	const char *unit = NULL;
	unsigned int family;
	int c;

	while ((c = getopt_long(argc, argv, "u:jhV", longs, NULL)) != -1) {
		switch (c) {
		case 'u':
			unit = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			usage(stdout);
			return fflush(stdout) ? 1 : 0;
		case 'V':
			printf("rill doctor %s\n", rill_version());
			return fflush(stdout) ? 1 : 0;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc || (unit && !*unit)) {
		usage(stderr);
		return EXIT_USAGE;
	}
	/*
	 * For the test: files of /proc, /sys, /lib, /run and /etc are looked for below
	 * this. socket() and uname() remain the running kernel's.
	 */
	if (getenv("RILL_DOCTOR_ROOT"))
		root = getenv("RILL_DOCTOR_ROOT");

	if (json)
		fputs("{\"findings\":[", stdout);
	family = check_kernel();
	if (unit)
		check_unit(unit, family);
	if (json)
		printf("],\"problems\":%d}\n", n_problems);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "rill doctor: cannot write: %s\n", strerror(errno));
		return 1;
	}
	return n_problems ? 1 : 0;
}
