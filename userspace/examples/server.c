// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The shortest server: greets one client on the name "hello". */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/rill.h>

int main(void)
{
	struct sockaddr_rill name = { RILL_FAMILY_DEFAULT, 0, "hello" };
	int fd = socket(RILL_FAMILY_DEFAULT, SOCK_STREAM, 0), conn = -1;
	const char *text = "Hello from the server.\n";

	if (fd >= 0 && bind(fd, (void *)&name, sizeof(name)) == 0 && listen(fd, 16) == 0)
		conn = accept(fd, NULL, NULL);
	if (conn < 0 || write(conn, text, strlen(text)) < 0) {
		perror("server");
		return 1;
	}
	return close(conn);
}
