// SPDX-License-Identifier: GPL-2.0-only
/*
 * What systemd lets a unit do, as "systemctl show" tells it.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ' ' || p[-1] == '~') &&
		    (!p[n] || p[n] == ' ' || p[n] == ':'))
			return true;
	return false;
}

static void check_families(const char *unit, const char *list, unsigned int family)
{
	const char *name = family_name(family);
	bool deny = *list == '~';
	char remedy[256];

	if (!strcmp(list, "~")) {
		found(OK, "unit", NULL, "%s: no RestrictAddressFamilies=", unit);
	} else if (has_word(list, name) != deny) {
		found(OK, "unit", NULL, "%s: RestrictAddressFamilies= lets %s through", unit, name);
	} else {
		snprintf(remedy, sizeof(remedy), deny ?
			 "Take %s out of the unit's RestrictAddressFamilies=." :
			 "\"systemctl edit\": [Service] RestrictAddressFamilies=%s; restart it.",
			 name);
		found(PROBLEM, "unit", remedy,
		      "%s: RestrictAddressFamilies= shuts out family %u, %s", unit, family, name);
	}
}

static void check_calls(const char *unit, const char *list)
{
	bool deny = *list == '~';
	bool named = has_word(list, "socket") || has_word(list, "@network-io") ||
		     (!deny && has_word(list, "@system-service"));

	if (!strcmp(list, "~"))
		found(OK, "unit", NULL, "%s: no SystemCallFilter=", unit);
	else if (named != deny)
		found(OK, "unit", NULL, "%s: SystemCallFilter= lets socket() through", unit);
	else
		found(PROBLEM, "unit", deny ?
		      "Take socket or @network-io out of the unit's SystemCallFilter=~." :
		      "\"systemctl edit\": [Service] SystemCallFilter=@network-io; restart it.",
		      "%s: SystemCallFilter= shuts out socket()", unit);
}

void check_unit(const char *unit, unsigned int family)
{
	/* "~" forbids nothing; an empty list, as of "none", allows nothing. */
	char line[65536], families[4096] = "~", calls[65536] = "~", load[64] = "";
	bool private = false;
	int fds[2], status;
	FILE *from;
	pid_t pid;

	pid = pipe(fds) ? -1 : fork();
	if (pid < 0) {
		found(PROBLEM, "unit", NULL, "cannot start systemctl");
		return;
	}
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execlp("systemctl", "systemctl", "show", "-p", "LoadState",
		       "-p", "RestrictAddressFamilies", "-p", "SystemCallFilter",
		       "-p", "PrivateNetwork", "--", unit, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	from = fdopen(fds[0], "r");
	while (from && fgets(line, sizeof(line), from)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "LoadState=", 10))
			snprintf(load, sizeof(load), "%.60s", line + 10);
		else if (!strncmp(line, "RestrictAddressFamilies=", 24))
			snprintf(families, sizeof(families), "%.4000s", line + 24);
		else if (!strncmp(line, "SystemCallFilter=", 17))
			snprintf(calls, sizeof(calls), "%s", line + 17);
		else if (!strcmp(line, "PrivateNetwork=yes"))
			private = true;
	}
	if (from)
		fclose(from);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		status = -1;
	else
		status = WEXITSTATUS(status);
	if (status == 127) {
		found(PROBLEM, "unit", "Ask where systemd runs.",
		      "%s: there is no systemctl here, so nothing is known of units", unit);
		return;
	}
	if (status) {
		found(PROBLEM, "unit", "Try \"systemctl status\" by hand.",
		      "%s: systemctl failed", unit);
		return;
	}
	if (!strcmp(load, "not-found")) {
		found(PROBLEM, "unit", "\"systemctl list-units\" lists the units.",
		      "%s: there is no such unit", unit);
		return;
	}
	check_families(unit, families, family);
	check_calls(unit, calls);
	if (private)
		found(NOTE, "unit", "With PrivateNetwork=no it sees the names of the others.",
		      "%s: PrivateNetwork=yes: its names are its own, and nobody else's", unit);
}
