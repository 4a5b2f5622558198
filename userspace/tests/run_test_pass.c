// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets that become another process's: by SCM_RIGHTS, over exec() as systemd
 * gives them, in prefork servers and threads; and the calls that move descriptors.
 */
#define _GNU_SOURCE
#include <spawn.h>

#include "run_test.h"

#define CLIENTS	40

enum { FORK, VFORK, VFORK_RANGE, VFORK_FLAG, SPAWN, CLOEXEC_RANGE, DUP_FCNTL, RANGE_FLAG };

static void send_fd(int to, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { .iov_base = "f", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK(sendmsg(to, &msg, 0) == 1);
}

static int receive_fd(int from, bool raw)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd;

	CHECK((raw ? syscall(SYS_recvmsg, from, &msg, 0) : recvmsg(from, &msg, 0)) == 1);
	CHECK(!(msg.msg_flags & MSG_CTRUNC) && CMSG_FIRSTHDR(&msg));
	CHECK(CMSG_FIRSTHDR(&msg)->cmsg_len == CMSG_LEN(sizeof(int)));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* Take a client, as one who knows nothing of us if raw, and answer him. */
static void serve(int l, bool raw)
{
	char buf[4];
	int s = raw ? syscall(SYS_accept, l, NULL, NULL) : accept(l, NULL, NULL);

	CHECK(s >= 0);
	CHECK(read(s, buf, 4) == 4 && write(s, buf, 4) == 4);
	close(s);
}

static void ask(int c)
{
	char buf[4];

	CHECK(write(c, "ping", 4) == 4 && read(c, buf, 4) == 4 && !memcmp(buf, "ping", 4));
	close(c);
}

/*
 * A listener goes to a process that was there before; who passed it on keeps it,
 * and never accepts.  0x100: the receiver makes raw calls.
 */
static void pass_listener(int arg)
{
	int kind = arg & 0xff, pair[2], l, d;
	bool raw = arg & 0x100;
	struct address a;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	pid = fork();
	if (!pid) {
		l = receive_fd(pair[1], raw);
		CHECK(!(syscall(SYS_fcntl, l, F_GETFL) & O_NONBLOCK));
		CHECK(option(l, SOL_SOCKET, SO_ACCEPTCONN) == 1);
		for (int i = 0; i < 6; i++)
			serve(l, raw);
		_exit(0);
	}
	l = listener(kind, SOCK_STREAM, &a);
	d = dup(l);
	send_fd(pair[0], l);
	for (int i = 0; i < 6; i++) {
		/* With a client who comes while accept() sleeps. */
		if (i == 4)
			asleep(pid);
		ask(i & 1 ? raw_client(SOCK_STREAM, &a) : client(SOCK_STREAM, &a));
	}
	tap_wait(pid);
	/* It works on for the one who passed it, under both numbers. */
	pid = fork();
	if (!pid) {
		serve(l, false);
		serve(d, false);
		_exit(0);
	}
	ask(client(SOCK_STREAM, &a));
	ask(client(SOCK_STREAM, &a));
	tap_wait(pid);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/*
 * A worker that forked before the listener was passed on still gets clients.  It
 * sleeps when the side ends, which is nothing to read; 0x100: it comes later.
 */
static void pass_with_worker(int arg)
{
	int kind = arg & 0xff, pair[2], ready[2], passed[2], l;
	bool late = arg & 0x100;
	struct address a;
	char byte;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK(pipe(ready) == 0 && pipe(passed) == 0);
	l = listener(kind, SOCK_STREAM, &a);
	pid = fork();
	if (!pid) {
		serve(l, false);
		CHECK(write(ready[1], "x", 1) == 1);
		CHECK(!late || read(passed[0], &byte, 1) == 1);
		readable(l, true);
		CHECK(write(ready[1], "y", 1) == 1);
		serve(l, false);
		serve(l, false);
		_exit(0);
	}
	ask(client(SOCK_STREAM, &a));
	CHECK(read(ready[0], &byte, 1) == 1);
	if (!late)
		asleep(pid);
	send_fd(pair[0], l);
	CHECK(write(passed[1], "x", 1) == 1);
	asleep(pid);
	readable(ready[0], false);
	ask(client(SOCK_STREAM, &a));
	ask(client(SOCK_STREAM, &a));
	tap_wait(pid);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

static void *serve_twice(void *arg)
{
	serve(*(int *)arg, false);
	serve(*(int *)arg, false);
	return NULL;
}

/* So does a thread that sleeps in accept() at that moment. */
static void pass_with_thread(int kind)
{
	int pair[2], l;
	pthread_t thread;
	struct address a;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	l = listener(kind, SOCK_STREAM, &a);
	CHECK(pthread_create(&thread, NULL, serve_twice, &l) == 0);
	other_asleep();
	send_fd(pair[0], l);
	ask(client(SOCK_STREAM, &a));
	ask(raw_client(SOCK_STREAM, &a));
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(receive_fd(pair[1], false) > 0);
}

/* Datagrams to a bound socket that was passed on. */
static void pass_dgram(int kind)
{
	int pair[2], s, c;
	struct address a;
	char byte;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	pid = fork();
	if (!pid) {
		s = receive_fd(pair[1], false);
		for (int i = 0; i < 3; i++)
			CHECK(recv(s, &byte, 1, 0) == 1);
		_exit(0);
	}
	s = bound(kind, SOCK_DGRAM, &a);
	send_fd(pair[0], s);
	c = socket(a.sa.sa_family, SOCK_DGRAM, 0);
	for (int i = 0; i < 3; i++)
		CHECK(sendto(c, "x", 1, 0, &a.sa, a.len) == 1);
	tap_wait(pid);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* A connection, which is one of AF_RILL: the receiver has the same one. */
static void pass_connection(int arg)
{
	int kind = arg & 0xff, pair[2], l, c, s;
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);
	bool raw = arg & 0x100;
	struct address a;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	address(&a, kind);
	pid = fork();
	if (!pid) {
		char buf[4];

		s = receive_fd(pair[1], raw);
		CHECK(raw_domain(s) == family);
		if (!raw) {
			CHECK(option(s, SOL_SOCKET, SO_DOMAIN) == a.sa.sa_family);
			CHECK(getpeername(s, (struct sockaddr *)&peer, &len) == 0);
			CHECK(peer.ss_family == a.sa.sa_family);
		}
		CHECK(read(s, buf, 4) == 4 && write(s, buf, 4) == 4);
		_exit(0);
	}
	l = listener(kind, SOCK_STREAM, &a);
	c = client(SOCK_STREAM, &a);
	s = accept(l, NULL, NULL);
	send_fd(pair[0], s);
	close(s);
	ask(c);
	tap_wait(pid);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* Descriptor 3 is a listener, as sd_listen_fds(3) has it. */
static int listen_fds(void)
{
	char *n = getenv("LISTEN_FDS");

	CHECK(n && !strcmp(n, "1"));
	CHECK(option(3, SOL_SOCKET, SO_ACCEPTCONN) == 1);
	CHECK(!(fcntl(3, F_GETFD) & FD_CLOEXEC));
	CHECK(!(fcntl(3, F_GETFL) & O_NONBLOCK));
	for (int i = 0; i < 4; i++)
		serve(3, false);
	/* Two clients of each kind. */
	CHECK(counted("run_accept_rill") == 2);
	/* And no other listener came along. */
	for (int fd = 4; fd < 1024; fd++)
		CHECK(option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1 || raw_domain(fd) == family);
	return 0;
}

/* Started with the listener as 3 by one who keeps it, and never accepts himself. */
static void systemd(int arg)
{
	char *const args[] = { "run_test", "--as", "listen-fds", NULL };
	int kind = arg & 0xff, how = arg >> 8, l, fd;
	posix_spawn_file_actions_t actions;
	struct address a, b;
	pid_t pid;

	setenv("LISTEN_FDS", "1", 1);
	close(3);
	CHECK(dup(0) == 3);
	/* Another one, which is not passed on. */
	CHECK(fcntl(listener(TCP4, SOCK_STREAM, &b), F_SETFD, FD_CLOEXEC) == 0);
	address(&a, kind);
	l = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(l, &a.sa, a.len) == 0 && listen(l, 8) == 0);
	a.len = sizeof(a.ss);
	CHECK(getsockname(l, &a.sa, &a.len) == 0);
	switch (how) {
	case FORK:
		pid = fork();
		if (pid)
			break;
		CHECK(dup2(l, 3) == 3);
		execv("/proc/self/exe", args);
		_exit(127);
	case VFORK:
		pid = vfork();
		if (pid)
			break;
		dup2(l, 3);
		close(l);
		execv("/proc/self/exe", args);
		_exit(127);
	case VFORK_RANGE:
		pid = vfork();
		if (pid)
			break;
		fcntl(l, F_SETFD, 0);
		dup2(l, 3);
		close_range(4, ~0u, 0);
		execv("/proc/self/exe", args);
		_exit(127);
	case VFORK_FLAG:
		pid = vfork();
		if (pid)
			break;
		dup2(l, 3);
		close_range(4, ~0u, CLOSE_RANGE_CLOEXEC);
		execv("/proc/self/exe", args);
		_exit(127);
	case SPAWN:
		posix_spawn_file_actions_init(&actions);
		CHECK(posix_spawn_file_actions_adddup2(&actions, l, 3) == 0);
		CHECK(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, args, environ) == 0);
		break;
	case CLOEXEC_RANGE:
		pid = fork();
		if (pid)
			break;
		CHECK(dup2(l, 3) == 3);
		CHECK(close_range(4, ~0u, 0) == 0);
		execv("/proc/self/exe", args);
		_exit(127);
	case DUP_FCNTL:
		pid = fork();
		if (pid)
			break;
		close(3);
		fd = fcntl(l, F_DUPFD_CLOEXEC, 3);
		CHECK(fd == 3 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
		CHECK(fcntl(fd, F_SETFD, 0) == 0);
		/* The other number stays as it was. */
		CHECK(fcntl(l, F_GETFD) == FD_CLOEXEC);
		CHECK(ioctl(l, FIOCLEX) == 0);
		execv("/proc/self/exe", args);
		_exit(127);
	default:
		pid = fork();
		if (pid)
			break;
		CHECK(dup2(l, 3) == 3);
		CHECK(close_range(4, ~0u, CLOSE_RANGE_CLOEXEC) == 0);
		execv("/proc/self/exe", args);
		_exit(127);
	}
	CHECK(pid > 0);
	for (int i = 0; i < 4; i++) {
		int c = i & 1 ? raw_client(SOCK_STREAM, &a) : client(SOCK_STREAM, &a);

		CHECK(raw_domain(c) == (i & 1 ? a.sa.sa_family : family));
		ask(c);
	}
	tap_wait(pid);
	/* The other one did not leave with it. */
	CHECK(raw_domain(client(SOCK_STREAM, &b)) == family);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* Nothing of a listener that closes at exec() is in the new program. */
static void not_inherited(int arg)
{
	struct address a;
	int l, d;
	pid_t pid;

	(void)arg;
	l = listener(TCP4, SOCK_STREAM, &a);
	CHECK(fcntl(l, F_SETFD, FD_CLOEXEC) == 0);
	/* A number that would have gone, but was closed before. */
	d = dup(l);
	close(d);
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "run_test", "--as", "no-rill", (char *)NULL);
		_exit(127);
	}
	tap_wait(pid);
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == family);
}

static int no_rill(void)
{
	for (int fd = 3; fd < 1024; fd++)
		CHECK(raw_domain(fd) != family);
	return 0;
}

/* Workers that forked before anything came share one listener. */
static void prefork(int kind)
{
	struct address a;
	int l = listener(kind, SOCK_STREAM, &a), quit;
	pid_t workers[4];

	for (int i = 0; i < 4; i++) {
		workers[i] = fork();
		if (workers[i])
			continue;
		/* Each ends with a client who says so. */
		for (char byte = 0; byte != 'q'; ) {
			int s = accept(l, NULL, NULL);

			CHECK(s >= 0);
			CHECK(read(s, &byte, 1) == 1 && write(s, &byte, 1) == 1);
			close(s);
		}
		_exit(0);
	}
	close(l);
	for (int i = 0; i < CLIENTS; i++) {
		int c = i & 1 ? raw_client(SOCK_STREAM, &a) : client(SOCK_STREAM, &a);
		char byte = 'x';

		CHECK(raw_domain(c) == (i & 1 ? a.sa.sa_family : family));
		CHECK(write(c, &byte, 1) == 1 && read(c, &byte, 1) == 1 && byte == 'x');
		close(c);
	}
	for (int i = 0; i < 4; i++) {
		quit = client(SOCK_STREAM, &a);
		CHECK(write(quit, "q", 1) == 1);
	}
	for (int i = 0; i < 4; i++)
		tap_wait(workers[i]);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

static atomic_int accepted;

static void *accept_some(void *arg)
{
	char byte = 0;

	while (byte != 'q') {
		int s = accept(*(int *)arg, NULL, NULL);

		CHECK(s >= 0);
		CHECK(read(s, &byte, 1) == 1 && write(s, &byte, 1) == 1);
		close(s);
		atomic_fetch_add(&accepted, 1);
	}
	return NULL;
}

static void threads(int kind)
{
	struct address a;
	int l = listener(kind, SOCK_STREAM, &a);
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&thread[i], NULL, accept_some, &l) == 0);
	for (int i = 0; i < CLIENTS + 4; i++) {
		int c = i & 1 ? raw_client(SOCK_STREAM, &a) : client(SOCK_STREAM, &a);
		char byte = i < CLIENTS ? 'x' : 'q';

		CHECK(write(c, &byte, 1) == 1 && read(c, &byte, 1) == 1);
		close(c);
	}
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	CHECK(accepted == CLIENTS + 4);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* A connection's number is given to another file, and the other way round. */
static void renumbered(int kind)
{
	struct address a;
	int l = listener(kind, SOCK_STREAM, &a), c = client(SOCK_STREAM, &a);
	int s = accept(l, NULL, NULL), d, e, v = 44;
	struct stat st;
	char byte;

	/* F_DUPFD_CLOEXEC and close_range() on a connection. */
	d = fcntl(c, F_DUPFD_CLOEXEC, 60);
	CHECK(d == 60 && fcntl(d, F_GETFD) == FD_CLOEXEC && raw_domain(d) == family);
	CHECK(option(d, SOL_SOCKET, SO_DOMAIN) == a.sa.sa_family);
	talk(d, s);
	CHECK(close_range(c, c, 0) == 0);
	CHECK_ERR(fcntl(c, F_GETFD), EBADF);
	talk(d, s);
	/* Over it goes a file: the last end closes, and nothing of it is left. */
	if (a.sa.sa_family == AF_INET)
		CHECK(setsockopt(d, IPPROTO_TCP, TCP_KEEPIDLE, &v, sizeof(v)) == 0);
	e = open("/dev/null", O_WRONLY);
	CHECK(e >= 0 && dup2(e, d) == d);
	CHECK(read(s, &byte, 1) == 0);
	CHECK(fstat(d, &st) == 0 && S_ISCHR(st.st_mode));
	CHECK_ERR(getsockopt(d, SOL_SOCKET, SO_DOMAIN, &v, &(socklen_t){ 4 }), ENOTSOCK);
	CHECK(write(d, "x", 1) == 1);
	close(s);
	/* And a connection over a file, over a listener, over another connection. */
	c = client(SOCK_STREAM, &a);
	s = accept(l, NULL, NULL);
	CHECK(dup2(c, e) == e);
	talk(e, s);
	CHECK(dup3(s, d, O_CLOEXEC) == d);
	talk(c, d);
	close(s);
	CHECK(option(d, SOL_SOCKET, SO_ACCEPTCONN) == 0);
	CHECK(dup2(c, l) == l);
	talk(l, d);
	CHECK(option(l, SOL_SOCKET, SO_ACCEPTCONN) == 0);
	CHECK_ERR(accept(l, NULL, NULL), EINVAL);
	/* The listener is gone with its last number, and its side. */
	s = socket(a.sa.sa_family, SOCK_STREAM, 0);
	CHECK_ERR(connect(s, &a.sa, a.len), ECONNREFUSED);
	CHECK(raw_domain(s) == a.sa.sa_family);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* A connection as the standard files of a program that is started. */
static void spawned(int how)
{
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), c = client(SOCK_STREAM, &a);
	int s = accept(l, NULL, NULL);
	char buf[8] = "";
	pid_t pid;

	CHECK(raw_domain(s) == family);
	pid = how == VFORK ? vfork() : fork();
	if (!pid) {
		dup2(s, 0);
		dup2(s, 1);
		close_range(3, ~0u, 0);
		execl("/bin/cat", "cat", (char *)NULL);
		_exit(127);
	}
	CHECK(close(s) == 0);
	CHECK(write(c, "spawned", 7) == 7 && shutdown(c, SHUT_WR) == 0);
	CHECK(recv(c, buf, 7, MSG_WAITALL) == 7 && !strcmp(buf, "spawned"));
	CHECK(read(c, buf, 1) == 0);
	tap_wait(pid);
	/* Ours are as they were. */
	close(c);
	c = client(SOCK_STREAM, &a);
	CHECK(raw_domain(c) == family);
	talk(c, accept(l, NULL, NULL));
}

int pass_main(const char *word, char **args)
{
	(void)args;
	if (!strcmp(word, "listen-fds"))
		return listen_fds();
	if (!strcmp(word, "no-rill"))
		return no_rill();
	return 2;
}

const struct tap_case pass_cases[] = {
	{ "a listener of TCP by SCM_RIGHTS",	pass_listener, TCP4 },
	{ "a listener of a path by SCM_RIGHTS",	pass_listener, PATH },
	{ "a listener by SCM_RIGHTS, to one without Rill", pass_listener, TCP4 | 0x100 },
	{ "a listener by SCM_RIGHTS, and a worker", pass_with_worker, TCP4 },
	{ "a listener by SCM_RIGHTS, and a worker that comes later", pass_with_worker,
	  TCP4 | 0x100 },
	{ "a listener by SCM_RIGHTS, and a thread", pass_with_thread, TCP4 },
	{ "a receiver of UDP by SCM_RIGHTS",	pass_dgram, TCP4 },
	{ "a receiver at a path by SCM_RIGHTS",	pass_dgram, PATH },
	{ "a connection of TCP by SCM_RIGHTS",	pass_connection, TCP4 },
	{ "a connection to a path by SCM_RIGHTS", pass_connection, PATH },
	{ "a connection by SCM_RIGHTS, to one without Rill", pass_connection, PATH | 0x100 },
	{ "LISTEN_FDS, TCP, fork",		systemd, TCP4 | FORK << 8 },
	{ "LISTEN_FDS, path, fork",		systemd, PATH | FORK << 8 },
	{ "LISTEN_FDS, vfork",			systemd, TCP4 | VFORK << 8 },
	{ "LISTEN_FDS, vfork, close_range",	systemd, PATH | VFORK_RANGE << 8 },
	{ "LISTEN_FDS, vfork, CLOSE_RANGE_CLOEXEC", systemd, TCP4 | VFORK_FLAG << 8 },
	{ "LISTEN_FDS, posix_spawn",		systemd, TCP4 | SPAWN << 8 },
	{ "LISTEN_FDS, fork, close_range",	systemd, PATH | CLOEXEC_RANGE << 8 },
	{ "LISTEN_FDS, F_DUPFD_CLOEXEC",	systemd, ABSTRACT | DUP_FCNTL << 8 },
	{ "LISTEN_FDS, CLOSE_RANGE_CLOEXEC",	systemd, TCP6 | RANGE_FLAG << 8 },
	{ "a listener that exec closes",	not_inherited, 0 },
	{ "TCP, prefork",			prefork, TCP4 },
	{ "path, prefork",			prefork, PATH },
	{ "TCP, threads accept",		threads, TCP4 },
	{ "path, threads accept",		threads, PATH },
	{ "TCP, numbers move",			renumbered, TCP4 },
	{ "path, numbers move",			renumbered, PATH },
	{ "a connection for a child of fork",	spawned, FORK },
	{ "a connection for a child of vfork",	spawned, VFORK },
};

const size_t pass_count = TAP_COUNT(pass_cases);
