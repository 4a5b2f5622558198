// SPDX-License-Identifier: GPL-2.0-only
/*
 * rill stat: the counters of this network namespace.  See rill-stat(1).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rill/rill.h>

#include "stat.h"

#define EXIT_USAGE	2
#define MAX_SECONDS	86400

static struct {
	bool watch;
	bool json;
	double every;		/* seconds */
	long count;		/* reports; 0: no end */
	char **patterns;
	int n_patterns;
} opt = { .every = 1 };

static volatile sig_atomic_t ended;

static void usage(FILE *to)
{
	fputs("usage: rill stat [-w [SECONDS]] [-c COUNT] [-j] [NAME...]\n"
	      "Shows the counters of AF_RILL in this network namespace, and what \"rill run\"\n"
	      "has counted for this user.  NAME may have *, ? and [...].\n\n"
	      "  -w, --watch[=SECONDS]  what changes, every so many seconds (default: 1), until\n"
	      "                         Ctrl-C: on a terminal a table, else a line a change\n"
	      "  -c, --count COUNT      end after so many reports; with -w\n"
	      "  -j, --json             as JSON: an object, with -w one a line\n"
	      "  -h, --help; -V, --version\n\n"
	      "The exit status is 0, 1 if the counters could not be read or shown, 2 for a\n"
	      "wrong option or a NAME that is no counter's.\n", to);
}

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "rill stat: %s \"%s\"; rill stat --help says more\n", what, value);
	return EXIT_USAGE;
}

static bool number(const char *text, double min, double max, double *to)
{
	char *end;
	double d;

	errno = 0;
	d = strtod(text, &end);
	/* So that a NaN is refused, too. */
	if (end == text || *end || errno || !(d >= min && d <= max))
		return false;
	*to = d;
	return true;
}

static int read_error(void)
{
	if (errno == ENOENT)
		fputs("rill stat: the module rill is not loaded: there is no /proc/net/rill_stat;\n"
		      "\"modprobe rill\" loads it, and \"rill doctor\" says what is wrong if it does not\n",
		      stderr);
	else
		fprintf(stderr, "rill stat: cannot read /proc/net/rill_stat: %s\n",
			strerror(errno));
	return 1;
}

/* Read, and keep what was asked for.  0 or an exit status. */
static int take(struct sample *s)
{
	if (sample_read(s))
		return read_error();
	counters_choose(&s->kernel, opt.patterns, opt.n_patterns);
	counters_choose(&s->run, opt.patterns, opt.n_patterns);
	return 0;
}

static int flushed(void)
{
	/* What a signal that asks for the end has cut short is no error. */
	if ((!fflush(stdout) && !ferror(stdout)) || ended)
		return 0;
	fprintf(stderr, "rill stat: cannot write: %s\n", strerror(errno));
	return 1;
}

static void end(int sig)
{
	(void)sig;
	ended = 1;
	/* The write() to interrupt may be the next one. */
	alarm(1);
}

/* Sleep until a moment.  False: a signal asks for the end. */
static bool sleep_until(const struct timespec *then, const sigset_t *ends)
{
	struct timespec now, left;

	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = then->tv_sec - now.tv_sec;
		left.tv_nsec = then->tv_nsec - now.tv_nsec;
		if (left.tv_nsec < 0) {
			left.tv_sec--;
			left.tv_nsec += 1000000000;
		}
		if (left.tv_sec < 0)
			left = (struct timespec){ 0 };
		if (sigtimedwait(ends, NULL, &left) > 0)
			return false;
		if (errno == EAGAIN)
			return true;
	}
}

/* The next moment after the last sample; those that were missed are not made up for. */
static void advance(struct timespec *t, const struct timespec *last)
{
	long whole = (long)opt.every;

	t->tv_sec += whole;
	t->tv_nsec += (long)((opt.every - whole) * 1e9);
	if (t->tv_nsec >= 1000000000) {
		t->tv_sec++;
		t->tv_nsec -= 1000000000;
	}
	if (t->tv_sec < last->tv_sec ||
	    (t->tv_sec == last->tv_sec && t->tv_nsec <= last->tv_nsec)) {
		*t = *last;
		advance(t, &(struct timespec){ 0 });
	}
}

static void report(const struct sample *first, const struct sample *old,
		   const struct sample *now, bool live)
{
	if (opt.json)
		show_json_changes(old, now);
	else if (live)
		show_live(first, old, now);
	else
		show_changes(old, now);
}

static int watch(void)
{
	static struct sample first, old, now;
	bool live = !opt.json && isatty(STDOUT_FILENO);
	struct sigaction act = { .sa_handler = end };
	struct timespec then;
	sigset_t ends;
	int err;

	/*
	 * From here on Ctrl-C is an end like any other: after a report, unless that
	 * stands in a pipe that nobody reads.
	 */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGALRM, &act, NULL);
	err = take(&first);
	if (err)
		return err;
	old = first;
	then = first.when;
	for (long n = 0; !opt.count || n < opt.count; n++) {
		advance(&then, &old.when);
		if (!sleep_until(&then, &ends))
			break;
		err = take(&now);
		if (err)
			return err;
		sigprocmask(SIG_UNBLOCK, &ends, NULL);
		report(&first, &old, &now, live);
		err = flushed();
		if (err || ended)
			return err;
		sigprocmask(SIG_BLOCK, &ends, NULL);
		old = now;
	}
	return 0;
}

static int once(void)
{
	static struct sample s;
	int err = take(&s);

	if (err)
		return err;
	if (opt.json)
		show_json(&s);
	else
		show_table(&s);
	return flushed();
}

/* Each NAME has to be some counter's: a slip of the pen is not a 0. */
static int check_names(void)
{
	static struct sample s;

	for (int i = 0; i < opt.n_patterns; i++) {
		if (sample_read(&s))
			return read_error();
		counters_choose(&s.kernel, opt.patterns + i, 1);
		counters_choose(&s.run, opt.patterns + i, 1);
		if (!s.kernel.n && !s.run.n)
			return usage_error("there is no counter", opt.patterns[i]);
	}
	return 0;
}

static int options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "watch", optional_argument, NULL, 'w' },
		{ "count", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	double d;
	int c;

	while ((c = getopt_long(argc, argv, "w::c:jhV", longs, NULL)) != -1) {
		switch (c) {
		case 'w':
			opt.watch = true;
			/* "-w 5", as well as "-w5"; no counter is called 5. */
			if (!optarg && optind < argc &&
			    number(argv[optind], 0.01, MAX_SECONDS, &d))
				optarg = argv[optind++];
			if (optarg && !number(optarg, 0.01, MAX_SECONDS, &opt.every))
				return usage_error("that is no number of seconds:", optarg);
			break;
		case 'c':
			if (!number(optarg, 1, 1e9, &d) || d != (long)d)
				return usage_error("that is no number of reports:", optarg);
			opt.count = (long)d;
			break;
		case 'j':
			opt.json = true;
			break;
		case 'h':
			usage(stdout);
			exit(flushed());
		case 'V':
			printf("rill stat %s\n", rill_version());
			exit(flushed());
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (opt.count && !opt.watch)
		return usage_error("without -w there is one report, so no", "-c");
	opt.patterns = argv + optind;
	opt.n_patterns = argc - optind;
	return 0;
}

int main(int argc, char **argv)
{
	int err = options(argc, argv);

	if (!err)
		err = check_names();
	if (!err)
		err = opt.watch ? watch() : once();
	return err;
}
