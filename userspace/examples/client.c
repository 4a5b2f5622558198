// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The shortest client: prints what the server of the name "hello" says. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/rill.h>

int main(void)
{
	struct sockaddr_rill name = { RILL_FAMILY_DEFAULT, 0, "hello" };
	int fd = socket(RILL_FAMILY_DEFAULT, SOCK_STREAM, 0);
	char buf[256];
	ssize_t n;

	if (fd < 0 || connect(fd, (void *)&name, sizeof(name)) < 0) {
		perror("client");
		return 1;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, n, stdout);
	return n < 0;
}
