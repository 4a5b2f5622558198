// SPDX-License-Identifier: GPL-2.0-only
/*
 * rill run: start a program with librill-run.so preloaded, as smc_run(8) does it
 * for SMC.  All that happens then is in userspace/preload/.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rill/rill.h>

#define EXIT_USAGE	2
#define EXIT_NOT_RUN	126
#define EXIT_NOT_FOUND	127
#define LIBRARY		"librill-run.so"

static void usage(FILE *to)
{
	fputs("usage: rill run [-v] [-r SIZE] [-t SIZE] [--only KINDS] [--map RULE]...\n"
	      "                [--socketpair] [--] COMMAND [ARGUMENT...]\n\n"
	      "Runs COMMAND with its local sockets moved to AF_RILL: AF_UNIX, and TCP and\n"
	      "UDP over loopback.  A peer that does not run so is reached as before.\n\n"
	      "  -r, --receive SIZE  receive buffer of the sockets; K, M and G may follow\n"
	      "  -t, --send SIZE     send buffer\n"
	      "  -o, --only KINDS    only these, with commas between: unix, tcp, udp\n"
	      "  -m, --map RULE      PATTERN=NAME: use this name; PATTERN=!: leave alone;\n"
	      "                      PATTERN is as tcp:127.0.0.1:6379 or unix:/run/*.sock\n"
	      "      --socketpair    what socketpair() makes, too\n"
	      "  -v, --verbose       each process says at its end what went over AF_RILL,\n"
	      "                      and why the rest did not\n"
	      "  -h, --help          this text\n\n"
	      "The exit status is COMMAND's; 2 for a wrong option, 126 if it cannot be run,\n"
	      "127 if there is no such program.\n", to);
}

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "rill run: %s \"%s\"; see rill run --help\n", what, value);
	return EXIT_USAGE;
}

/* A size as "64K"; -1 if it is none. */
static long long size_of(const char *text)
{
	int shift = 0;
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (end == text || errno || n <= 0 || n > INT_MAX)
		return -1;
	switch (*end) {
	case 'G': case 'g':
		shift += 10;
		__attribute__((fallthrough));
	case 'M': case 'm':
		shift += 10;
		__attribute__((fallthrough));
	case 'K': case 'k':
		shift += 10;
		end++;
	}
	n <<= shift;	/* of 31 bits, by 30 at most */
	return *end || n > INT_MAX / 2 ? -1 : n;
}

static bool kinds_are_right(const char *kinds)
{
	char buf[64], *save = NULL, *word;

	if (!*kinds || strlen(kinds) >= sizeof(buf))
		return false;
	strcpy(buf, kinds);
	for (word = strtok_r(buf, ",", &save); word; word = strtok_r(NULL, ",", &save))
		if (strcmp(word, "unix") && strcmp(word, "tcp") && strcmp(word, "udp"))
			return false;
	return true;
}

static bool rule_is_right(const char *rule)
{
	const char *eq = strrchr(rule, '=');
	size_t n;

	if (!eq || (strncmp(rule, "unix:", 5) && strncmp(rule, "tcp:", 4) &&
		    strncmp(rule, "udp:", 4) && rule[0] != '*'))
		return false;
	for (const char *p = eq + 1; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	n = strlen(eq + 1);
	return n && n < RILL_NAME_SIZE && !strchr(rule, '\n');
}

/* One more line of a variable, or one more word. */
static void add_to(const char *name, const char *value, const char *between)
{
	const char *old = getenv(name);
	char *all;

	if (!old || !*old) {
		setenv(name, value, 1);
		return;
	}
	if (asprintf(&all, "%s%s%s", old, between, value) < 0)
		exit(EXIT_NOT_RUN);
	setenv(name, all, 1);
	free(all);
}

/* Say so if the program cannot be helped. */
static void say_if_untouched(const char *path)
{
	Elf64_Ehdr head;
	Elf64_Phdr ph;
	struct stat st;
	bool interp = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!fstat(fd, &st) && (st.st_mode & (S_ISUID | S_ISGID)))
		fprintf(stderr, "rill run: %s is set-user-ID: it runs untouched\n", path);
	if (read(fd, &head, sizeof(head)) == sizeof(head) &&
	    !memcmp(head.e_ident, ELFMAG, SELFMAG)) {
		for (int i = 0; i < head.e_phnum; i++)
			if (pread(fd, &ph, sizeof(ph), head.e_phoff + i * sizeof(ph)) == sizeof(ph))
				interp |= ph.p_type == PT_INTERP;
		if (!interp || head.e_ident[EI_CLASS] != ELFCLASS64)
			fprintf(stderr, "rill run: %s is static: it runs untouched\n", path);
	}
	close(fd);
}

static void look_at(const char *command)
{
	const char *dirs = getenv("PATH");
	char path[PATH_MAX];

	if (strchr(command, '/')) {
		say_if_untouched(command);
		return;
	}
	while (dirs && *dirs) {
		size_t n = strcspn(dirs, ":");

		snprintf(path, sizeof(path), "%.*s/%s", (int)n, dirs, command);
		if (!access(path, X_OK)) {
			say_if_untouched(path);
			return;
		}
		dirs += n + (dirs[n] == ':');
	}
}

static int find_library(char *path, size_t size)
{
	char self[PATH_MAX - sizeof(LIBRARY)];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return -1;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(path, size, "%s/" LIBRARY, self);
	return access(path, R_OK);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "receive",	required_argument,	NULL, 'r' },
		{ "send",	required_argument,	NULL, 't' },
		{ "only",	required_argument,	NULL, 'o' },
		{ "map",	required_argument,	NULL, 'm' },
		{ "socketpair",	no_argument,		NULL, 'p' },
		{ "verbose",	no_argument,		NULL, 'v' },
		{ "help",	no_argument,		NULL, 'h' },
		{ 0 }
	};
	char library[PATH_MAX], number[24];
	bool verbose = false;
	long long size;
	int opt, err;

	while ((opt = getopt_long(argc, argv, "+r:t:o:m:vh", options, NULL)) != -1) {
		switch (opt) {
		case 'r':
		case 't':
			size = size_of(optarg);
			if (size < 0)
				return usage_error("not a size:", optarg);
			snprintf(number, sizeof(number), "%lld", size);
			setenv(opt == 'r' ? "RILL_RUN_RCVBUF" : "RILL_RUN_SNDBUF", number, 1);
			break;
		case 'o':
			if (!kinds_are_right(optarg))
				return usage_error("not of unix, tcp, udp:", optarg);
			setenv("RILL_RUN_ONLY", optarg, 1);
			break;
		case 'm':
			if (!rule_is_right(optarg))
				return usage_error("not a rule:", optarg);
			add_to("RILL_RUN_MAP", optarg, "\n");
			break;
		case 'p':
			setenv("RILL_RUN_SOCKETPAIR", "1", 1);
			break;
		case 'v':
			verbose = true;
			setenv("RILL_RUN_VERBOSE", "1", 1);
			break;
		case 'h':
			usage(stdout);
			return fflush(stdout) ? 1 : 0;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (find_library(library, sizeof(library))) {
		fprintf(stderr, "rill run: no %s beside this program\n", LIBRARY);
		return EXIT_NOT_RUN;
	}
	if (verbose && rill_family() < 0)
		fputs("rill run: rill.ko is not loaded: nothing will go over AF_RILL\n", stderr);
	if (verbose)
		look_at(argv[optind]);
	add_to("LD_PRELOAD", library, " ");
	execvp(argv[optind], argv + optind);
	err = errno;
	fprintf(stderr, "rill run: cannot run %s: %s\n", argv[optind], strerror(err));
	return err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
}
