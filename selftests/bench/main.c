// SPDX-License-Identifier: GPL-2.0-only
/*
 * The benchmark of AF_RILL: options, and the order of the measurements.
 *
 * Round by round, in each round row by row, in each row one peer after the
 * other: what is compared was measured within seconds, and what disturbs the
 * machine disturbs all of them.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define EXIT_FAILED	1	/* of cells */
#define EXIT_USAGE	2

struct settings settings = {
	.box_ns = 150 * NSEC_PER_MSEC,
	.cell_limit_s = 20,
	.slow_limit_s = 90,
	.busy_us = 50,
	.dir = "/tmp",
};

static unsigned int rounds = 5;
static bool quick;
static unsigned int peers_wanted = ~0u;
static char *patterns[32];
static size_t npatterns;

static const char help_text[] =
	"usage: bench [option...]\n"
	"\n"
	"Measures AF_RILL beside its peers. One JSON object a line on standard output\n"
	"(scripts/lib/bench-report makes the table and the chart of it), progress on\n"
	"standard error.\n"
	"\n"
	"  --rounds N       default: 5\n"
	"  --box MS         how long a measurement sends; default: 150\n"
	"  --quick          3 rounds of 40 ms; what takes seconds is done once\n"
	"  --only PATTERN   rows whose id matches one of these shell patterns, separated\n"
	"                   by commas; may be given again\n"
	"  --peers LIST     these peers only, separated by commas\n"
	"  --busy-poll US   what RILL_BUSY_POLL and SO_BUSY_POLL are set to; default: 50\n"
	"  --dir DIRECTORY  where files for sendfile and splice go; default: /tmp\n"
	"  --list           the rows and the peers, and measure nothing\n"
	"  --help           this text\n"
	"\n"
	"The exit status is 0 if every measurement was made or skipped with a reason, 1\n"
	"if one failed or none was made, 2 for a wrong option.\n";

static void __noreturn usage(const char *what, const char *value)
{
	fprintf(stderr, "bench: %s \"%s\" (--help says more)\n", what, value);
	exit(EXIT_USAGE);
}

static unsigned int number(const char *option, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || !n || n > 1000000)
		usage(option, text);
	return n;
}

static bool wanted(const char *row)
{
	for (size_t i = 0; i < npatterns; i++)
		if (!fnmatch(patterns[i], row, 0))
			return true;
	return !npatterns;
}

static bool job_wanted(const struct job *job)
{
	for (size_t i = 0; i < job->nrows; i++)
		if (wanted(job->rows[i].id))
			return true;
	return false;
}

static void parse_only(char *list)
{
	char *save = NULL, *p;

	for (p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		if (npatterns == ARRAY_SIZE(patterns))
			usage("too many patterns at", p);
		patterns[npatterns++] = p;
	}
}

static void parse_peers(char *list)
{
	char *save = NULL, *p;
	size_t i;

	peers_wanted = 0;
	for (p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < npeers && strcmp(peers[i].name, p); i++)
			;
		if (i == npeers)
			usage("no peer", p);
		peers_wanted |= peers[i].bit;
	}
}

static void list(void)
{
	puts("rows:");
	for (size_t i = 0; i < njobs; i++)
		for (size_t r = 0; r < jobs[i].nrows; r++)
			if (wanted(jobs[i].rows[r].id))
				printf("  %-28s %s\n", jobs[i].rows[r].id,
				       jobs[i].rows[r].title);
	puts("peers:");
	for (size_t i = 0; i < npeers; i++)
		printf("  %-28s %s\n", peers[i].name, peers[i].title);
}

static void options(int argc, char **argv)
{
	static const struct option table[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "box", required_argument, NULL, 'b' },
		{ "quick", no_argument, NULL, 'q' },
		{ "only", required_argument, NULL, 'o' },
		{ "peers", required_argument, NULL, 'p' },
		{ "busy-poll", required_argument, NULL, 'B' },
		{ "dir", required_argument, NULL, 'd' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	unsigned int n = 0, box = 0;
	bool listing = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		switch (c) {
		case 'r':
			n = number("--rounds wants a number, not", optarg);
			break;
		case 'b':
			box = number("--box wants milliseconds, not", optarg);
			break;
		case 'q':
			quick = true;
			break;
		case 'o':
			parse_only(optarg);
			break;
		case 'p':
			parse_peers(optarg);
			break;
		case 'B':
			settings.busy_us = number("--busy-poll wants microseconds, not",
						  optarg);
			break;
		case 'd':
			settings.dir = optarg;
			break;
		case 'l':
			listing = true;
			break;
		case 'h':
			fputs(help_text, stdout);
			exit(0);
		default:
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc)
		usage("unknown argument", argv[optind]);
	if (quick) {
		rounds = 3;
		settings.box_ns = 40 * NSEC_PER_MSEC;
	}
	if (n)
		rounds = n;
	if (box)
		settings.box_ns = box * NSEC_PER_MSEC;
	if (listing) {
		list();
		exit(0);
	}
}

static bool job_runs(const struct job *job, unsigned int round)
{
	return job_wanted(job) && !(quick && job->slow && round > 1);
}

static size_t count_cells(void)
{
	size_t n = 0;

	for (unsigned int round = 1; round <= rounds; round++)
		for (size_t j = 0; j < njobs; j++)
			if (job_runs(&jobs[j], round))
				n += __builtin_popcount(jobs[j].peers & peers_wanted);
	return n;
}

/* A line every other second. */
static void progress(size_t done, size_t all, unsigned int round, const char *row,
		     const char *peer)
{
	static uint64_t next;
	static uint64_t begin;
	uint64_t now = now_ns();

	if (!begin)
		begin = now;
	if (now < next && done < all)
		return;
	next = now + 2 * NSEC_PER_SEC;
	fprintf(stderr, "bench: %3zu %%, %llu s, round %u of %u, %s %s\n",
		all ? 100 * done / all : 100,
		(unsigned long long)((now - begin) / NSEC_PER_SEC), round, rounds,
		row, peer);
}

/* AF_UNIX takes half a minute to bind a hundred thousand names. */
static bool too_long(const struct job *job, const struct peer *peer)
{
	return quick && job->prepare == hold_prepare && peer->bit == PEER_UNIX &&
	       job->arg == 100000;
}

static void prepare(void)
{
	for (size_t j = 0; j < njobs; j++) {
		if (!job_wanted(&jobs[j]) || !jobs[j].prepare)
			continue;
		for (size_t p = 0; p < npeers; p++) {
			if (!(peers[p].bit & jobs[j].peers & peers_wanted) ||
			    too_long(&jobs[j], &peers[p]))
				continue;
			jobs[j].prepare(&jobs[j], &peers[p]);
		}
	}
}

int main(int argc, char **argv)
{
	unsigned int failed = 0, ok = 0;
	size_t done = 0, all;

	settings.cpus = sysconf(_SC_NPROCESSORS_ONLN);
	options(argc, argv);
	all = count_cells();
	if (!all) {
		fputs("bench: no row and peer match; see --list\n", stderr);
		return EXIT_USAGE;
	}
	cell_init();
	json_meta(rounds);
	for (size_t j = 0; j < njobs; j++)
		for (size_t r = 0; r < jobs[j].nrows; r++)
			if (wanted(jobs[j].rows[r].id))
				json_row(&jobs[j], &jobs[j].rows[r]);

	prepare();
	for (unsigned int round = 1; round <= rounds; round++) {
		for (size_t j = 0; j < njobs; j++) {
			if (!job_runs(&jobs[j], round))
				continue;
			for (size_t p = 0; p < npeers; p++) {
				if (!(peers[p].bit & jobs[j].peers & peers_wanted))
					continue;
				progress(done++, all, round, jobs[j].rows[0].id,
					 peers[p].name);
				cell_run(&jobs[j], &peers[p]);
				failed += cell->status == CELL_FAILED;
				ok += cell->status == CELL_OK;
				json_cell(&jobs[j], &peers[p], round, wanted);
			}
		}
	}
	progress(all, all, rounds, "done", "");
	hold_end();
	json_end(failed);
	return failed || !ok ? EXIT_FAILED : 0;
}
