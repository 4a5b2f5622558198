// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Datagrams keep their boundaries, the empty one too, and can be answered: the
 * sender never chose a name, the kernel gave it one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <linux/rill.h>

#define CHECK(what) do {						\
	if (!(what)) {							\
		fprintf(stderr, "dgram_boundaries: not true: %s\n", #what); \
		perror("dgram_boundaries: the last error was");		\
		exit(1);						\
	}								\
} while (0)

int main(void)
{
	struct sockaddr_rill to = { RILL_FAMILY_DEFAULT, 0, "example/dgram" };
	static const char *const text[] = { "one", "", "three words here" };
	struct sockaddr_rill from;
	socklen_t len;
	char buf[64];
	int rx, tx;
	size_t i;
	ssize_t n;

	rx = socket(RILL_FAMILY_DEFAULT, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(rx >= 0);
	CHECK(bind(rx, (void *)&to, sizeof(to)) == 0);
	tx = socket(RILL_FAMILY_DEFAULT, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(tx >= 0);

	/* All are sent before the first is received, and do not melt together. */
	for (i = 0; i < 3; i++)
		CHECK(sendto(tx, text[i], strlen(text[i]), 0, (void *)&to,
			     sizeof(to)) == (ssize_t)strlen(text[i]));
	for (i = 0; i < 3; i++) {
		len = sizeof(from);
		n = recvfrom(rx, buf, sizeof(buf), 0, (void *)&from, &len);
		CHECK(n == (ssize_t)strlen(text[i]));
		CHECK(memcmp(buf, text[i], n) == 0);
		printf("dgram_boundaries: %zd bytes \"%s\" from %s\n", n, text[i],
		       from.srl_name);
	}

	/* A buffer that is too small cuts the datagram, and says so. */
	CHECK(sendto(tx, text[2], 16, 0, (void *)&to, sizeof(to)) == 16);
	CHECK(recv(rx, buf, 5, MSG_TRUNC) == 16);
	printf("dgram_boundaries: 5 bytes taken, MSG_TRUNC told of all 16\n");

	/* The sender's name is there to be answered. */
	CHECK(strncmp(from.srl_name, "auto/", 5) == 0);
	CHECK(sendto(rx, "answer", 6, 0, (void *)&from, len) == 6);
	CHECK(recv(tx, buf, sizeof(buf), 0) == 6 && !memcmp(buf, "answer", 6));
	printf("dgram_boundaries: the answer came back to %s\n", from.srl_name);

	/* Nobody there is told at once. */
	close(rx);
	CHECK(sendto(tx, "x", 1, 0, (void *)&to, sizeof(to)) == -1);
	perror("dgram_boundaries: after the receiver closed");
	return 0;
}
