// SPDX-License-Identifier: GPL-2.0-only
/*
 * --map: PATTERN=NAME and PATTERN=!, one a line of RILL_RUN_MAP; the first that
 * fits decides.  A pattern is "KIND:ADDRESS" with the wildcards of fnmatch(3):
 *	unix:/run/app-*	tcp:127.0.0.1:6379	udp:*:53	unix:@name
 */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <stdlib.h>
#include <sys/un.h>

#include "preload.h"

static const char *rules;

void run_rule_start(const char *text)
{
	rules = text && text[0] ? text : NULL;
}

static void address_text(char *to, size_t size, const char *kind,
			 const struct sockaddr *addr, socklen_t len)
{
	int n = snprintf(to, size, "%s:", kind);

	if (addr->sa_family == AF_UNIX) {
		const char *path = ((const struct sockaddr_un *)addr)->sun_path;
		size_t max = len - offsetof(struct sockaddr_un, sun_path);

		if (path[0])
			snprintf(to + n, size - n, "%.*s", (int)max, path);
		else
			snprintf(to + n, size - n, "@%.*s", (int)max - 1, path + 1);
	} else {
		run_inet_text(to + n, size - n, addr);
	}
}

int run_rule_find(const char *kind, const struct sockaddr *addr, socklen_t len, char *name)
{
	char text[192], pattern[512];

	if (!rules)
		return 0;
	address_text(text, sizeof(text), kind, addr, len);
	for (const char *p = rules; *p; ) {
		size_t n = strcspn(p, "\n");
		const char *eq = memrchr(p, '=', n);

		if (eq && eq - p < (int)sizeof(pattern)) {
			size_t rest = n - (eq + 1 - p);

			memcpy(pattern, p, eq - p);
			pattern[eq - p] = '\0';
			if (!fnmatch(pattern, text, 0)) {
				if (rest == 1 && eq[1] == '!')
					return -1;
				if (rest >= RILL_NAME_SIZE)
					return -1;
				memcpy(name, eq + 1, rest);
				name[rest] = '\0';
				return 1;
			}
		}
		p += n + (p[n] == '\n');
	}
	return 0;
}
