// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A logger: programs send it lines as datagrams, and it writes down each with the
 * process it came from, which the kernel vouches for and no sender can forge: what
 * would end a line, or move about in it, becomes a question mark.
 *
 *	dgram_logger NAME FILE [LINES]	write LINES lines, or go on for ever
 *	dgram_logger NAME -		send the lines of standard input
 *
 * A sender that is faster than the logger waits: nothing is dropped.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <rill/rill.h>

#define LONGEST	8192

static void die(const char *what)
{
	fprintf(stderr, "dgram_logger: %s: %s\n", what, rill_explain(errno));
	exit(1);
}

/* One line and who sent it; its length. */
static ssize_t receive(int fd, char *line, struct ucred *from)
{
	union {
		char buf[CMSG_SPACE(sizeof(*from))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = line, .iov_len = LONGEST };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t n;

	do
		n = recvmsg(fd, &msg, 0);
	while (n < 0 && errno == EINTR);
	cmsg = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET ||
	    cmsg->cmsg_type != SCM_CREDENTIALS)
		die("cannot receive");
	memcpy(from, CMSG_DATA(cmsg), sizeof(*from));
	return n;
}

static void take(const char *name, const char *path, long limit)
{
	int fd = rill_socket(SOCK_DGRAM, 0), on = 1;
	FILE *log = fopen(path, "a");
	char line[LONGEST];
	struct ucred from;

	if (!log)
		die(path);
	/* First, then the name: what is sent before this has no sender. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
	    rill_bind(fd, name))
		die("cannot take lines");
	printf("dgram_logger: %s goes to %s\n", name, path);
	fflush(stdout);
	for (long i = 0; !limit || i < limit; i++) {
		ssize_t n = receive(fd, line, &from);

		for (ssize_t k = 0; k < n; k++)
			if (iscntrl((unsigned char)line[k]))
				line[k] = '?';
		fprintf(log, "pid %d uid %u: %.*s\n", from.pid, from.uid, (int)n, line);
		if (fflush(log))
			die(path);
	}
	if (fclose(log))
		die(path);
}

static void give(const char *name)
{
	int fd = rill_dgram(NULL, 0);
	char line[LONGEST];

	if (fd < 0)
		die("no socket");
	while (fgets(line, sizeof(line), stdin))
		if (rill_sendto(fd, line, strcspn(line, "\n"), 0, name) < 0)
			die("cannot send");
}

int main(int argc, char **argv)
{
	if (argc < 3 || argc > 4) {
		fputs("usage: dgram_logger NAME FILE [LINES]\n"
		      "       dgram_logger NAME -\n", stderr);
		return 2;
	}
	if (!strcmp(argv[2], "-"))
		give(argv[1]);
	else
		take(argv[1], argv[2], argc > 3 ? atol(argv[3]) : 0);
	return 0;
}
