// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The echo service with a thread a client and calls that block: the shortest
 * there is, and fast as long as the clients are tens and not thousands.
 *
 *	echo_threads NAME [CLIENTS]
 *
 * Serves until CLIENTS have come and gone, or for ever.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <rill/rill.h>

static unsigned long long echoed;

static void die(const char *what)
{
	fprintf(stderr, "echo_threads: %s: %s\n", what, rill_explain(errno));
	exit(1);
}

static void *serve(void *arg)
{
	int fd = (intptr_t)arg;
	char buf[16384];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || rill_send_all(fd, buf, n, 0, NULL) < 0)
			break;	/* the client is gone */
		__atomic_add_fetch(&echoed, n, __ATOMIC_RELAXED);
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	long limit = argc > 2 ? atol(argv[2]) : 0, count;
	pthread_t *threads;
	int listener, fd;

	if (argc < 2) {
		fprintf(stderr, "usage: echo_threads NAME [CLIENTS]\n");
		return 2;
	}
	threads = calloc(limit ? limit : 1, sizeof(*threads));
	if (!threads)
		die("calloc");
	listener = rill_listen(argv[1], SOCK_STREAM, 128, 0);
	if (listener < 0)
		die("cannot listen");
	printf("echo_threads: listening on %s\n", argv[1]);
	fflush(stdout);

	for (count = 0; !limit || count < limit; count++) {
		pthread_t *thread = limit ? &threads[count] : threads;

		/* As many as there may be files: until one leaves. */
		while ((fd = rill_accept(listener, 0)) < 0 &&
		       (errno == EMFILE || errno == ENFILE))
			usleep(10000);
		if (fd < 0)
			die("accept");
		errno = pthread_create(thread, NULL, serve, (void *)(intptr_t)fd);
		if (errno)
			die("pthread_create");
		if (!limit)
			pthread_detach(*thread);
	}
	for (count = 0; count < limit; count++)
		pthread_join(threads[count], NULL);
	printf("echo_threads: %ld clients came and went, %llu bytes echoed\n",
	       limit, echoed);
	free(threads);
	return 0;
}
