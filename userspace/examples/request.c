// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Requests and answers, each after its length; threads share a pool of connections.
 *
 *	request serve NAME		answer each with the same in capitals
 *	request ask NAME THREADS COUNT	COUNT requests of each thread
 *
 * A connection belongs to one request at a time.  One that failed is closed.
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <rill/rill.h>

#define POOL	4	/* idle connections that are kept */
#define LONGEST	4096

static const char *name;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int idle[POOL], idles;
static long made, answered, wanted;

static void die(const char *what)
{
	fprintf(stderr, "request: %s: %s\n", what, rill_explain(errno));
	exit(1);
}

static int pool_get(void)
{
	int fd = -1;

	pthread_mutex_lock(&lock);
	if (idles)
		fd = idle[--idles];
	else
		made++;
	pthread_mutex_unlock(&lock);
	return fd < 0 ? rill_connect(name, SOCK_STREAM, 0, 10000) : fd;
}

static void pool_put(int fd)
{
	pthread_mutex_lock(&lock);
	if (idles < POOL) {
		idle[idles++] = fd;
		fd = -1;
	}
	pthread_mutex_unlock(&lock);
	if (fd >= 0)
		close(fd);
}

/* One request, one answer: 0, or -1 with errno. */
static int ask(const char *text, char *answer, size_t size, size_t *len)
{
	int fd = pool_get();

	if (fd < 0)
		return -1;
	if (rill_msg_send(fd, text, strlen(text)) < 0 ||
	    rill_msg_recv(fd, answer, size, len) != 1) {
		close(fd);
		return -1;
	}
	pool_put(fd);
	return 0;
}

static void *asker(void *arg)
{
	char text[64], answer[LONGEST];
	size_t len;

	for (long i = 0; i < wanted; i++) {
		snprintf(text, sizeof(text), "request %ld of thread %p", i, arg);
		if (ask(text, answer, sizeof(answer), &len) < 0)
			die("ask");
		if (len != strlen(text) || strncasecmp(text, answer, len))
			die("a wrong answer");
		__atomic_add_fetch(&answered, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *answerer(void *arg)
{
	int fd = *(int *)arg;
	char text[LONGEST];
	size_t len;

	while (rill_msg_recv(fd, text, sizeof(text), &len) == 1) {
		for (size_t i = 0; i < len; i++)
			text[i] = toupper((unsigned char)text[i]);
		if (rill_msg_send(fd, text, len) < 0)
			break;
	}
	close(fd);
	free(arg);
	return NULL;
}

static void serve(void)
{
	int listener = rill_listen(name, SOCK_STREAM, 128, 0);

	if (listener < 0)
		die("cannot listen");
	printf("request: listening on %s\n", name);
	fflush(stdout);
	for (;;) {
		pthread_t thread;
		int *fd = malloc(sizeof(*fd));

		if (fd)
			*fd = rill_accept(listener, 0);
		if (!fd || *fd < 0 || pthread_create(&thread, NULL, answerer, fd))
			die("accept");
		pthread_detach(thread);
	}
}

int main(int argc, char **argv)
{
	int threads = argc > 3 ? atoi(argv[3]) : 0;
	pthread_t thread[64];

	name = argc > 2 ? argv[2] : NULL;
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve();
	if (argc != 5 || strcmp(argv[1], "ask") || threads < 1 || threads > 64) {
		fputs("usage: request serve NAME\n"
		      "       request ask NAME THREADS COUNT\n", stderr);
		return 2;
	}
	wanted = atol(argv[4]);
	for (int i = 0; i < threads; i++) {
		errno = pthread_create(&thread[i], NULL, asker, (void *)(long)i);
		if (errno)
			die("pthread_create");
	}
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("request: %ld answers over %ld connections\n", answered, made);
	return 0;
}
