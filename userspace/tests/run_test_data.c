// SPDX-License-Identifier: GPL-2.0-only
/*
 * The less usual ways of data through a connection that was moved: urgent data,
 * what there is to read, sendfile(), splice().
 */
#define _GNU_SOURCE
#include <linux/sockios.h>
#include <sys/sendfile.h>

#include "run_test.h"

static void connected(int kind, int *c, int *s)
{
	struct address a;
	int l = listener(kind, SOCK_STREAM, &a);

	*c = client(SOCK_STREAM, &a);
	*s = accept(l, NULL, NULL);
	CHECK(raw_domain(*c) == family && raw_domain(*s) == family);
	close(l);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* Refused, and nothing else is harmed: programs that watch for it find none. */
static void urgent(int kind)
{
	struct pollfd pfd = { .events = POLLPRI };
	int c, s, v = 1;
	char byte;

	connected(kind, &c, &s);
	CHECK_ERR(send(c, "!", 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(recv(s, &byte, 1, MSG_OOB | MSG_DONTWAIT), EOPNOTSUPP);
	CHECK(setsockopt(s, SOL_SOCKET, SO_OOBINLINE, &v, sizeof(v)) == 0);
	CHECK(option(s, SOL_SOCKET, SO_OOBINLINE) == 1);
	CHECK(write(c, "abc", 3) == 3);
	pfd.fd = s;
	CHECK(poll(&pfd, 1, 0) == 0);
	v = 9;
	CHECK(ioctl(s, SIOCATMARK, &v) == 0 && v == 0);
	CHECK(sockatmark(s) == 0);
	CHECK(recv(s, &byte, 1, 0) == 1 && byte == 'a');
	CHECK(recv(s, &byte, 1, 0) == 1 && recv(s, &byte, 1, 0) == 1 && byte == 'c');
	talk(s, c);
}

static int amount(int fd, int request)
{
	int v = -1;

	CHECK(ioctl(fd, request, &v) == 0);
	return v;
}

static void amounts(int kind)
{
	int c, s, v = 1;
	char buf[100];

	connected(kind, &c, &s);
	CHECK(amount(s, FIONREAD) == 0 && amount(c, FIONREAD) == 0);
	CHECK(write(c, buf, 60) == 60 && write(c, buf, 40) == 40);
	CHECK(amount(s, FIONREAD) == 100 && amount(s, SIOCINQ) == 100);
	CHECK(amount(c, SIOCOUTQ) == 100);
	CHECK(recv(s, buf, 30, MSG_PEEK) == 30 && amount(s, FIONREAD) == 100);
	CHECK(recv(s, buf, 30, 0) == 30 && amount(s, FIONREAD) == 70);
	CHECK(read(s, buf, 100) == 70 && amount(s, FIONREAD) == 0);
	CHECK(ioctl(s, FIONBIO, &v) == 0 && fcntl(s, F_GETFL) & O_NONBLOCK);
	CHECK_ERR(read(s, buf, 1), EAGAIN);
	CHECK(ioctl(s, FIOCLEX) == 0 && fcntl(s, F_GETFD) == FD_CLOEXEC);
	CHECK_ERR(ioctl(s, 0x12345, &v), ENOTTY);
}

#define BIG	300000

static char pattern(size_t i)
{
	return i * 31 + i / 251;
}

static int file_of(size_t n)
{
	FILE *f = tmpfile();

	CHECK(f);
	for (size_t i = 0; i < n; i++)
		putc(pattern(i), f);
	CHECK(fflush(f) == 0 && lseek(fileno(f), 0, SEEK_SET) == 0);
	return fileno(f);
}

/* Another process reads to the end, and compares. */
static pid_t reader(int s, int other)
{
	size_t n = 0;
	char buf[5000];
	ssize_t got;
	pid_t pid = fork();

	if (pid)
		return pid;
	close(other);
	while ((got = read(s, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < got; i++, n++)
			CHECK(buf[i] == pattern(n));
	CHECK(got == 0 && n == BIG);
	_exit(0);
}

static void from_file(int kind)
{
	int c, s, f = file_of(BIG);
	off_t at = 0;
	ssize_t n;
	pid_t pid;

	connected(kind, &c, &s);
	pid = reader(s, c);
	while (at < BIG) {
		n = sendfile(c, f, &at, BIG - at);
		CHECK(n > 0);
	}
	CHECK(sendfile(c, f, &at, 10) == 0);
	close(c);
	tap_wait(pid);
}

/* A file, a pipe, the connection; and the connection, a pipe, a file. */
static void through_pipes(int kind)
{
	int c, s, in[2], out[2], f = file_of(BIG), g = file_of(0);
	loff_t from = 0, to = 0;
	ssize_t n, m;
	char *got;
	pid_t pid;

	CHECK(pipe(in) == 0 && pipe(out) == 0);
	connected(kind, &c, &s);
	pid = fork();
	if (!pid) {
		close(s);
		while (from < BIG) {
			n = splice(f, &from, in[1], NULL, 65536, 0);
			CHECK(n > 0);
			for (; n; n -= m) {
				m = splice(in[0], NULL, c, NULL, n, SPLICE_F_MORE);
				CHECK(m > 0);
			}
		}
		_exit(0);
	}
	close(c);
	while ((n = splice(s, NULL, out[1], NULL, 65536, 0)) > 0)
		for (; n; n -= m) {
			m = splice(out[0], NULL, g, &to, n, 0);
			CHECK(m > 0);
		}
	CHECK(n == 0 && to == BIG);
	tap_wait(pid);
	got = mmap(NULL, BIG, PROT_READ, MAP_SHARED, g, 0);
	CHECK(got != MAP_FAILED);
	for (size_t i = 0; i < BIG; i++)
		CHECK(got[i] == pattern(i));
}

const struct tap_case data_cases[] = {
	{ "TCP, urgent data",		urgent, TCP4 },
	{ "path, urgent data",		urgent, PATH },
	{ "TCP, how much there is",	amounts, TCP4 },
	{ "path, how much there is",	amounts, PATH },
	{ "TCP, sendfile()",		from_file, TCP4 },
	{ "path, sendfile()",		from_file, PATH },
	{ "TCP, splice()",		through_pipes, TCP4 },
	{ "path, splice()",		through_pipes, PATH },
};

const size_t data_count = TAP_COUNT(data_cases);
