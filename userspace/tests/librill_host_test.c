// SPDX-License-Identifier: GPL-2.0-only
/*
 * librill without the module: names and addresses, and the stream helpers over
 * AF_UNIX.  Compiled with the library's own files, under the sanitizers.
 */
#define _GNU_SOURCE
#include "stream_cases.h"
#include "internal.h"

#define FAMILY	18

static void test_addr_lengths(int arg)
{
	char name[RILL_NAME_SIZE + 8];
	struct sockaddr_rill sa;
	socklen_t len;
	size_t n, i;

	(void)arg;
	for (n = 0; n <= RILL_NAME_MAX; n++) {
		memset(name, 'x', n);
		name[n] = '\0';
		memset(&sa, 0xaa, sizeof(sa));
		CHECK(rill_addr_fill(&sa, &len, name, FAMILY) == 0);
		CHECK(sa.srl_family == FAMILY && sa.srl_flags == 0);
		CHECK(len == (n ? 4 + n + 1 : 4));
		CHECK(memcmp(sa.srl_name, name, n) == 0);
		/* No garbage of the caller's stack behind the name. */
		for (i = n; i < sizeof(sa.srl_name); i++)
			CHECK(sa.srl_name[i] == 0);
	}
	for (n = RILL_NAME_MAX + 1; n < sizeof(name); n++) {
		memset(name, 'x', n);
		name[n] = '\0';
		CHECK_ERR(rill_addr_fill(&sa, &len, name, FAMILY), ENAMETOOLONG);
		/* The public call says so with no module around. */
		CHECK_ERR(rill_addr(&sa, &len, name), ENAMETOOLONG);
	}
}

static void test_addr_bytes(int arg)
{
	struct sockaddr_rill sa;
	char name[4] = "a?b";
	socklen_t len;
	int c;

	(void)arg;
	for (c = 1; c < 256; c++) {
		name[1] = (char)c;
		if (c < 0x20 || c == 0x7f) {
			CHECK_ERR(rill_addr_fill(&sa, &len, name, FAMILY), EINVAL);
			CHECK_ERR(rill_addr(&sa, &len, name), EINVAL);
		} else {
			CHECK(rill_addr_fill(&sa, &len, name, FAMILY) == 0);
			CHECK(len == 8 && !strcmp(sa.srl_name, name));
		}
	}
	CHECK_ERR(rill_addr(NULL, &len, "x"), EINVAL);
	CHECK_ERR(rill_addr(&sa, NULL, "x"), EINVAL);
	CHECK_ERR(rill_addr(&sa, &len, NULL), EINVAL);
}

/* Every length, in a block of just that size: the sanitizer sees the rest. */
static void test_addr_name(int arg)
{
	char name[RILL_NAME_SIZE + 1], tiny[4];
	struct sockaddr_rill *sa;
	socklen_t len;

	(void)arg;
	for (len = 0; len <= sizeof(*sa); len++) {
		sa = malloc(len ? len : 1);
		CHECK(sa);
		memset(sa, 'n', len);
		if (len && len < 4) {
			CHECK_ERR(rill_addr_name(sa, len, name, sizeof(name)), EINVAL);
		} else {
			size_t n = len ? len - 4 : 0;

			CHECK(rill_addr_name(sa, len, name, sizeof(name)) ==
			      (ssize_t)n);
			CHECK(strlen(name) == n && strspn(name, "n") == n);
			if (n) {
				strcpy(tiny, "abc");
				CHECK_ERR(rill_addr_name(sa, len, tiny, n < 4 ? n : 4),
					  ERANGE);
				CHECK(!strcmp(tiny, "abc"));
			}
			/* A NUL ends it before the length does. */
			if (n > 2) {
				sa->srl_name[1] = '\0';
				CHECK(rill_addr_name(sa, len, name, 2) == 1);
				CHECK(!strcmp(name, "n"));
			}
		}
		free(sa);
	}
	sa = calloc(1, 256);
	CHECK(sa);
	CHECK_ERR(rill_addr_name(sa, sizeof(*sa) + 1, name, sizeof(name)), EINVAL);
	CHECK_ERR(rill_addr_name(sa, 5, name, 0), ERANGE);
	CHECK_ERR(rill_addr_name(NULL, 5, name, 1), EINVAL);
	CHECK_ERR(rill_addr_name(sa, 5, NULL, 1), EINVAL);
	free(sa);
}

static void test_addr_round_trip(int arg)
{
	char name[RILL_NAME_SIZE], back[RILL_NAME_SIZE];
	struct sockaddr_rill sa;
	unsigned int r = 3;
	socklen_t len;
	int round;
	size_t n, i;

	(void)arg;
	for (round = 0; round < 2000; round++) {
		r = r * 1103515245u + 12345;
		n = (r >> 8) % (RILL_NAME_MAX + 1);
		for (i = 0; i < n; i++) {
			r = r * 1103515245u + 12345;
			name[i] = (char)(r >> 16);
			if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
				name[i] = '/';
		}
		name[n] = '\0';
		CHECK(rill_addr_fill(&sa, &len, name, FAMILY) == 0);
		CHECK(rill_addr_name(&sa, len, back, sizeof(back)) == (ssize_t)n);
		CHECK(!strcmp(name, back));
	}
}

static void test_escape(int arg)
{
	char name[RILL_NAME_SIZE], *out;
	unsigned char back[RILL_NAME_SIZE];
	size_t size, n, i;
	ssize_t ret;
	int c;

	(void)arg;
	/* Every byte value, decoded again. */
	for (c = 1; c < 256; c++) {
		char text[RILL_ESCAPED_SIZE];

		snprintf(name, sizeof(name), "<%c>", c);
		ret = rill_name_escape(name, text, sizeof(text));
		CHECK(ret > 0 && strlen(text) == (size_t)ret);
		for (i = 0, n = 0; text[i]; n++) {
			CHECK(text[i] >= 0x20 && text[i] < 0x7f);
			if (text[i] != '\\') {
				back[n] = (unsigned char)text[i++];
			} else if (text[i + 1] == '\\') {
				back[n] = '\\';
				i += 2;
			} else {
				unsigned int v;

				CHECK(sscanf(text + i, "\\x%2x", &v) == 1);
				back[n] = (unsigned char)v;
				i += 4;
			}
		}
		CHECK(n == 3 && back[1] == (unsigned char)c);
	}
	/* The worst name fits into what the header promises, and not into less. */
	memset(name, 0xff, RILL_NAME_MAX);
	name[RILL_NAME_MAX] = '\0';
	for (size = 0; size <= RILL_ESCAPED_SIZE; size++) {
		out = malloc(size ? size : 1);
		CHECK(out);
		if (size < RILL_ESCAPED_SIZE) {
			CHECK_ERR(rill_name_escape(name, out, size), ERANGE);
			CHECK(!size || !out[0]);
		} else {
			CHECK(rill_name_escape(name, out, size) ==
			      RILL_ESCAPED_SIZE - 1);
		}
		free(out);
	}
	CHECK_ERR(rill_name_escape(NULL, name, 5), EINVAL);
	CHECK_ERR(rill_name_escape("x", NULL, 5), EINVAL);
}

static void test_explain(int arg)
{
	int err;

	(void)arg;
	for (err = -1; err < 4200; err++) {
		const char *text = rill_explain(err);

		CHECK(text && *text && !strchr(text, '\n'));
		CHECK(text[strlen(text) - 1] != '.');
	}
	CHECK(strstr(rill_explain(EAFNOSUPPORT), "modprobe rill"));
	CHECK(strcmp(rill_version(), RILL_VERSION) == 0);
}

static void test_arguments_first(int arg)
{
	int fds[2];

	(void)arg;
	/* Wrong flags are told before the family is asked for. */
	CHECK_ERR(rill_socket(SOCK_STREAM, 1 << 30), EINVAL);
	CHECK_ERR(rill_pair(SOCK_STREAM, MSG_DONTWAIT, fds), EINVAL);
	CHECK_ERR(rill_accept(-1, 1), EINVAL);
	CHECK_ERR(rill_accept(-1, 0), EBADF);
	CHECK_ERR(rill_connect("x", SOCK_STREAM, 1, -1), EINVAL);
	CHECK_ERR(rill_connect("x", SOCK_STREAM, 0, -2), EINVAL);
}

/* What a program sees where the module is not. */
static void test_no_module(int arg)
{
	struct sockaddr_rill sa, before;
	char name[RILL_NAME_SIZE];
	socklen_t len = 77;
	int fds[2];

	(void)arg;
	if (access(RILL_FAMILY_PATH, F_OK) == 0)
		SKIP("the module is loaded here");
	memset(&sa, 0x55, sizeof(sa));
	before = sa;
	CHECK_ERR(rill_family(), EAFNOSUPPORT);
	CHECK_ERR(rill_addr(&sa, &len, "good"), EAFNOSUPPORT);
	/* An error changes nothing. */
	CHECK(len == 77 && !memcmp(&sa, &before, sizeof(sa)));
	CHECK_ERR(rill_socket(SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(rill_pair(SOCK_STREAM, 0, fds), EAFNOSUPPORT);
	CHECK_ERR(rill_listen("x", SOCK_STREAM, 1, 0), EAFNOSUPPORT);
	CHECK_ERR(rill_connect("x", SOCK_STREAM, 0, 0), EAFNOSUPPORT);
	CHECK_ERR(rill_dgram(NULL, 0), EAFNOSUPPORT);
	CHECK_ERR(rill_sendto(0, "", 0, 0, "x"), EAFNOSUPPORT);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	CHECK_ERR(rill_own_name(fds[0], name), EAFNOSUPPORT);
}

static const struct tap_case cases[] = {
	{ "rill_addr: every length", test_addr_lengths, 0 },
	{ "rill_addr: every byte", test_addr_bytes, 0 },
	{ "rill_addr_name: every length, no byte too far", test_addr_name, 0 },
	{ "rill_addr and rill_addr_name: there and back", test_addr_round_trip, 0 },
	{ "rill_name_escape", test_escape, 0 },
	{ "rill_explain and rill_version", test_explain, 0 },
	{ "wrong arguments come first", test_arguments_first, 0 },
	{ "no module", test_no_module, 0 },
};

int main(void)
{
	tap_begin(TAP_COUNT(cases) + TAP_COUNT(stream_cases));
	tap_run(cases, TAP_COUNT(cases), "");
	run_stream_cases(AF_UNIX, " (AF_UNIX)");
	return tap_end();
}
