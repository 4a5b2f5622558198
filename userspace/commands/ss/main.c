// SPDX-License-Identifier: GPL-2.0-only
/*
 * rill ss: the sockets of AF_RILL, and who is at both ends.  See rill-ss(1).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <rill/rill.h>

#include "ss.h"

/* As ss(8) without an option. */
enum { OPEN_STATES = 1U << RILL_DIAG_CONNECTED | 1U << RILL_DIAG_CONNECTING };

static void usage(FILE *to)
{
	fputs("usage: rill ss [-alpmenHsj] [-tux] [FILTER...]\n"
	      "Shows the AF_RILL sockets of this network namespace that are connected or about\n"
	      "to be, and the processes that made both ends.\n\n"
	      "  -a, --all          also those that listen, and those that are closed\n"
	      "  -l, --listening    those that listen, and named datagram sockets without a peer\n"
	      "  -p, --processes    all processes that hold either end, by a scan of /proc\n"
	      "  -m, --memory       buffers and memory\n"
	      "  -e, --extended     owners, modes, inodes, cookies, what is shut down\n"
	      "  -t, --stream       streams; -u, --dgram; -x, --seqpacket; default: all types\n"
	      "  -s, --summary      how many of which type and state\n"
	      "  -H, --no-header    no first line\n"
	      "  -j, --json         everything, as JSON\n"
	      "  -n, --numeric      nothing: ids are numbers in any case\n"
	      "  -h, --help; -V, --version\n\n"
	      "FILTER, of which all must hold; PATTERN is a name, or one with *, ? and [...]:\n"
	      "  state STATE        connected, connecting, listening, closed, all; may be repeated\n"
	      "  exclude STATE      not these\n"
	      "  name PATTERN       its name or its peer's\n"
	      "  src PATTERN        its own name\n"
	      "  dst PATTERN        its peer's name\n\n"
	      "The exit status is 0, 1 if the sockets could not be read, 2 for a wrong option.\n",
	      to);
}

static uint32_t what_to_ask(const struct ss_filter *f, const struct ss_view *view, bool json,
			    bool summary)
{
	uint32_t show = RILL_DIAG_SHOW_NAME | RILL_DIAG_SHOW_PEER;

	if (json)
		return RILL_DIAG_SHOW_VALID;
	if (summary)
		return f->n ? show : f->receivers ? RILL_DIAG_SHOW_NAME : 0;
	show |= RILL_DIAG_SHOW_QUEUE | RILL_DIAG_SHOW_CRED;
	if (view->memory)
		show |= RILL_DIAG_SHOW_MEMINFO;
	if (view->extended)
		show |= RILL_DIAG_SHOW_UID | RILL_DIAG_SHOW_PERM;
	return show;
}

static int show_sockets(const struct ss_filter *f, const struct ss_view *view, bool json,
			bool summary)
{
	struct ss_list list = { .n = 0 };
	int err;

	if (ss_dump(f, what_to_ask(f, view, json, summary), &list)) {
		ss_list_free(&list);
		return EXIT_FAIL;
	}
	if (view->processes) {
		err = ss_holders_read();
		if (err)
			fprintf(stderr, "rill ss: cannot look into /proc: %s\n", strerror(-err));
	}
	ss_list_sort(&list);
	if (json)
		ss_json(&list, view);
	else if (summary)
		ss_summary(&list);
	else
		ss_table(&list, view);
	ss_list_free(&list);
	ss_proc_free();
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "rill ss: cannot write: %s\n", strerror(errno));
		return EXIT_FAIL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "listening", no_argument, NULL, 'l' },
		{ "processes", no_argument, NULL, 'p' },
		{ "memory", no_argument, NULL, 'm' },
		{ "extended", no_argument, NULL, 'e' },
		{ "numeric", no_argument, NULL, 'n' },
		{ "stream", no_argument, NULL, 't' },
		{ "dgram", no_argument, NULL, 'u' },
		{ "seqpacket", no_argument, NULL, 'x' },
		{ "no-header", no_argument, NULL, 'H' },
		{ "summary", no_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct ss_filter filter = { .states = OPEN_STATES };
	struct ss_view view = { .header = true };
	bool json = false, summary = false, all = false, listening = false, states;
	int c;

	while ((c = getopt_long(argc, argv, "+alpmentuxHsjhV", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			all = true;
			break;
		case 'l':
			listening = true;
			break;
		case 'p':
			view.processes = true;
			break;
		case 'm':
			view.memory = true;
			break;
		case 'e':
			view.extended = true;
			break;
		case 'n':
			break;
		case 't':
			filter.types |= 1U << SOCK_STREAM;
			break;
		case 'u':
			filter.types |= 1U << SOCK_DGRAM;
			break;
		case 'x':
			filter.types |= 1U << SOCK_SEQPACKET;
			break;
		case 'H':
			view.header = false;
			break;
		case 's':
			summary = true;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			usage(stdout);
			return fflush(stdout) ? EXIT_FAIL : 0;
		case 'V':
			printf("rill ss %s\n", rill_version());
			return fflush(stdout) ? EXIT_FAIL : 0;
		default:
			fputs("rill ss: see rill ss --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (!filter.types)
		filter.types = ~0U;
	/* As ss -s: of everything. */
	if (all || summary) {
		filter.states = ~0U;
	} else if (listening) {
		filter.states = 1U << RILL_DIAG_LISTEN;
		filter.receivers = true;
	}
	if (ss_filter_parse(&filter, argv + optind, &states))
		return EXIT_USAGE;
	if (states && !filter.states) {
		fputs("rill ss: that excludes every state\n", stderr);
		return EXIT_USAGE;
	}
	return show_sockets(&filter, &view, json, summary);
}
