// SPDX-License-Identifier: GPL-2.0-only
/*
 * "rill run", from the inside: this program runs itself under it, uses sockets as
 * any program does, and looks by raw system calls at what they really are.
 *
 * A peer "without Rill" is one that makes its calls raw: they pass no library.
 *
 * Here are connections, datagrams and the names' safety; in run_test_how.c the
 * options of "rill run", in run_test_wait.c the calls that wait, in run_test_pass.c
 * sockets that go to another process, in run_test_ask.c what a program asks about
 * one, in run_test_data.c the less usual ways of data, and in run_test_found.c what
 * a review of the library has found.
 */
#define _GNU_SOURCE
#include "run_test.h"

int family;

static bool same(const struct sockaddr_storage *a, const struct sockaddr_storage *b, socklen_t len)
{
	return !memcmp(a, b, len);
}

/* Both ends are what the program believes, and went over AF_RILL. */
static void connection(int arg)
{
	int kind = arg & 0xff, type = arg >> 8;
	struct sockaddr_storage from = { 0 }, own = { 0 }, peer = { 0 };
	socklen_t len = sizeof(from), own_len = sizeof(own), peer_len = sizeof(peer);
	struct address a;
	int l = listener(kind, type, &a), c = client(type, &a), s, d = a.sa.sa_family;

	readable(l, true);
	s = accept(l, (struct sockaddr *)&from, &len);
	CHECK(s >= 0);
	CHECK(raw_domain(c) == family && raw_domain(s) == family);
	CHECK(raw_domain(l) == d);
	CHECK(option(c, SOL_SOCKET, SO_DOMAIN) == d);
	CHECK(option(s, SOL_SOCKET, SO_DOMAIN) == d);
	CHECK(option(s, SOL_SOCKET, SO_TYPE) == type);
	CHECK(option(s, SOL_SOCKET, SO_PROTOCOL) == (d == AF_UNIX ? 0 : IPPROTO_TCP));
	CHECK(option(l, SOL_SOCKET, SO_ACCEPTCONN) == 1);
	CHECK(option(s, SOL_SOCKET, SO_ACCEPTCONN) == 0);
	talk(c, s);

	/* The client's peer is whom it called; the server's is the client. */
	CHECK(getpeername(c, (struct sockaddr *)&peer, &peer_len) == 0);
	CHECK(peer.ss_family == d);
	CHECK(d == AF_UNIX || (peer_len == a.len && same(&peer, &a.ss, a.len)));
	CHECK(d != AF_UNIX || !strcmp(((struct sockaddr_un *)&peer)->sun_path, a.un.sun_path));
	CHECK(getsockname(c, (struct sockaddr *)&own, &own_len) == 0);
	CHECK(len == own_len && same(&from, &own, len));
	peer_len = sizeof(peer);
	CHECK(getpeername(s, (struct sockaddr *)&peer, &peer_len) == 0);
	CHECK(peer_len == own_len && same(&peer, &own, own_len));
	own_len = sizeof(own);
	CHECK(getsockname(s, (struct sockaddr *)&own, &own_len) == 0);
	CHECK(own_len == a.len && same(&own, &a.ss, a.len));

	/* And the end is seen. */
	CHECK(shutdown(c, SHUT_WR) == 0);
	CHECK(read(s, &d, 1) == 0);
	close(c);
	close(s);
	close(l);
	if (kind != PATH)
		return;
	unlink(a.un.sun_path);
	c = socket(AF_UNIX, type, 0);
	CHECK_ERR(connect(c, &a.sa, a.len), ENOENT);
}

/* A server is there for those without Rill too; every way of waiting sees both. */
static void both_kinds(int kind)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x1234567890ull }, got;
	struct timeval tv = { .tv_sec = WAIT_MS / 1000 };
	struct timespec ts = { .tv_sec = WAIT_MS / 1000 };
	struct address a;
	int l = listener(kind, SOCK_STREAM, &a), e = epoll_create1(0);

	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, l, &ev) == 0);
	for (int i = 0; i < 10; i++) {
		int c = i & 1 ? raw_client(SOCK_STREAM, &a) : client(SOCK_STREAM, &a), s;
		struct pollfd pfd = { .fd = l, .events = POLLIN };
		fd_set set;

		CHECK(raw_domain(c) == (i & 1 ? a.sa.sa_family : family));
		FD_ZERO(&set);
		FD_SET(l, &set);
		switch (i / 2) {
		case 0:
			CHECK(poll(&pfd, 1, WAIT_MS) == 1 && pfd.revents == POLLIN);
			break;
		case 1:
			CHECK(ppoll(&pfd, 1, &ts, NULL) == 1 && pfd.revents == POLLIN);
			break;
		case 2:
			CHECK(select(l + 1, &set, NULL, NULL, &tv) == 1 && FD_ISSET(l, &set));
			break;
		case 3:
			CHECK(pselect(l + 1, &set, NULL, NULL, &ts, NULL) == 1);
			CHECK(FD_ISSET(l, &set));
			break;
		case 4:
			CHECK(epoll_wait(e, &got, 1, WAIT_MS) == 1 && got.events == EPOLLIN);
			CHECK(got.data.u64 == ev.data.u64);
			break;
		}
		s = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		CHECK(s >= 0);
		CHECK(fcntl(s, F_GETFL) & O_NONBLOCK && fcntl(s, F_GETFD) & FD_CLOEXEC);
		CHECK(fcntl(s, F_SETFL, 0) == 0);
		talk(c, s);
		close(c);
		close(s);
		readable(l, false);
	}
	CHECK(epoll_ctl(e, EPOLL_CTL_DEL, l, NULL) == 0);
	close(client(SOCK_STREAM, &a));
	CHECK(epoll_wait(e, &got, 1, 0) == 0);
	/* The listener blocks, as it was made. */
	CHECK(!(fcntl(l, F_GETFL) & O_NONBLOCK));
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* In epoll before it connects, before it is bound. */
static void epoll_before(int arg)
{
	struct epoll_event lev = { .events = EPOLLIN, .data.u64 = 11 };
	struct epoll_event cev = { .events = EPOLLIN | EPOLLET, .data.u64 = 22 }, got;
	int e = epoll_create1(0), l, c, s;
	struct address a;

	(void)arg;
	address(&a, TCP4);
	l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, l, &lev) == 0);
	CHECK(bind(l, &a.sa, a.len) == 0 && listen(l, 8) == 0);
	CHECK(getsockname(l, &a.sa, &a.len) == 0);
	lev.data.u64 = 33;
	lev.events = EPOLLIN;
	CHECK(epoll_ctl(e, EPOLL_CTL_MOD, l, &lev) == 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);

	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, c, &cev) == 0);
	CHECK(connect(c, &a.sa, a.len) == 0);
	CHECK(raw_domain(c) == family);
	CHECK(epoll_wait(e, &got, 1, WAIT_MS) == 1 && got.data.u64 == 33);
	s = accept(l, NULL, NULL);
	CHECK(s >= 0);
	CHECK(write(s, "x", 1) == 1);
	CHECK(epoll_wait(e, &got, 1, WAIT_MS) == 1 && got.data.u64 == 22 && got.events == EPOLLIN);
	CHECK(epoll_wait(e, &got, 1, 0) == 0);	/* the edge has been told */
	CHECK_ERR(epoll_ctl(e, EPOLL_CTL_ADD, c, &cev), EEXIST);
}

/* The number stays, and all that was set on it. */
static void carried(int arg)
{
	struct timeval tv = { .tv_sec = 7 }, back;
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), c, d, one = 1, size = 300000;
	socklen_t len = sizeof(back);

	(void)arg;
	(void)l;
	c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	CHECK(setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK(setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	d = dup(c);
	CHECK(connect(c, &a.sa, a.len) == 0);
	CHECK(raw_domain(c) == family);
	CHECK(fcntl(c, F_GETFD) == FD_CLOEXEC && fcntl(d, F_GETFD) == 0);
	CHECK(raw_domain(d) == family);
	CHECK(option(c, IPPROTO_TCP, TCP_NODELAY) == 1);
	CHECK(getsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &back, &len) == 0 && back.tv_sec == 7);
	CHECK(option(c, SOL_SOCKET, SO_SNDBUF) >= 300000);
	close(c);
	CHECK(write(d, "x", 1) == 1);
}

static void tcp_options(int arg)
{
	struct address a;
	int l = listener(TCP6, SOCK_STREAM, &a), c = client(SOCK_STREAM, &a), v = 33;

	(void)arg;
	CHECK(raw_domain(c) == family);
	CHECK(option(c, IPPROTO_TCP, TCP_NODELAY) == 0);
	CHECK(setsockopt(c, IPPROTO_TCP, TCP_KEEPIDLE, &v, sizeof(v)) == 0);
	CHECK(option(c, IPPROTO_TCP, TCP_KEEPIDLE) == 33);
	CHECK(setsockopt(c, IPPROTO_IPV6, IPV6_TCLASS, &v, sizeof(v)) == 0);
	CHECK(option(c, IPPROTO_IPV6, IPV6_V6ONLY) == 0);
	CHECK(setsockopt(c, SOL_SOCKET, SO_KEEPALIVE, &v, sizeof(v)) == 0);
	/* What would be a lie is refused. */
	CHECK(setsockopt(c, IPPROTO_TCP, TCP_ULP, "tls", 3) == -1);
	CHECK(option(c, IPPROTO_TCP, TCP_INFO) == -1);
	/* Another socket at that number knows nothing of it. */
	close(c);
	CHECK(client(SOCK_STREAM, &a) == c);
	CHECK(option(c, IPPROTO_TCP, TCP_KEEPIDLE) == 7200);
	(void)l;
}

/* Somebody without AF_RILL, or nobody at all. */
static void not_there(int arg)
{
	struct address a;
	int l, c;

	(void)arg;
	l = bound(TCP4, SOCK_STREAM, &a);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERR(connect(c, &a.sa, a.len), ECONNREFUSED);
	/* A server that is not doubled. */
	CHECK(syscall(SYS_listen, l, 8) == 0);
	close(c);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(c, &a.sa, a.len) == 0);
	CHECK(raw_domain(c) == AF_INET);
	/* And the socket goes on as it would. */
	CHECK_ERR(connect(c, &a.sa, a.len), EISCONN);
}

/* The queue is full: the waiting line, through the program's own calls. */
static void in_line(int arg)
{
	struct pollfd pfd = { .events = POLLOUT };
	struct address a;
	int l = bound(TCP4, SOCK_STREAM, &a), c;

	(void)arg;
	CHECK(listen(l, 0) == 0);
	close(client(SOCK_STREAM, &a));
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_ERR(connect(c, &a.sa, a.len), EINPROGRESS);
	CHECK(raw_domain(c) == family);
	CHECK_ERR(connect(c, &a.sa, a.len), EALREADY);
	pfd.fd = c;
	CHECK(poll(&pfd, 1, 0) == 0);
	close(accept(l, NULL, NULL));
	CHECK(poll(&pfd, 1, WAIT_MS) == 1 && pfd.revents == POLLOUT);
	CHECK(option(c, SOL_SOCKET, SO_ERROR) == 0);
	CHECK(connect(c, &a.sa, a.len) == 0);
	CHECK_ERR(connect(c, &a.sa, a.len), EISCONN);
}

/* The side is nobody's business, and goes with its socket. */
static void side(int arg)
{
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), x = side_of(), d, c, s;

	(void)arg;
	CHECK(x > 0);
	CHECK_ERR(close(x), EBADF);
	CHECK_ERR(dup(x), EBADF);
	CHECK(raw_domain(x) == family);
	/* A program may want that number. */
	CHECK(dup2(STDIN_FILENO, x) == x);
	CHECK(raw_domain(x) != family && side_of() > 0);
	c = client(SOCK_STREAM, &a);
	CHECK(raw_domain(c) == family);
	close(c);
	/* Of two fds, the last one closes it. */
	d = fcntl(l, F_DUPFD, 50);
	CHECK(d >= 50);
	close(l);
	CHECK(side_of() > 0);
	c = client(SOCK_STREAM, &a);
	CHECK(raw_domain(c) == family);
	CHECK(close(accept(d, NULL, NULL)) == 0);	/* the first client */
	s = accept(d, NULL, NULL);
	talk(c, s);
	close(d);
	CHECK(side_of() < 0);
	/* closefrom() and its kind. */
	l = listener(TCP4, SOCK_STREAM, &a);
	x = side_of();
	CHECK(x > l);
	CHECK(close_range(x - 20, x + 20, 0) == 0);
	CHECK(side_of() == x);
	closefrom(l);
	CHECK(side_of() < 0);
}

/* A forked server; a child of vfork() that closes everything it knows. */
static void forked(int arg)
{
	struct address a;
	int l = listener(PATH, SOCK_STREAM, &a), c;
	char buf[8];
	pid_t pid;

	(void)arg;
	pid = fork();
	if (!pid) {
		int s = accept(l, NULL, NULL);

		CHECK(raw_domain(s) == family);
		CHECK(read(s, buf, 4) == 4 && write(s, buf, 4) == 4);
		_exit(0);
	}
	c = client(SOCK_STREAM, &a);
	CHECK(write(c, "fork", 4) == 4 && read(c, buf, 4) == 4);
	tap_wait(pid);
	close(c);

	pid = vfork();
	if (!pid) {
		close(l);
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	tap_wait(pid);
	CHECK(side_of() > 0);
	c = client(SOCK_STREAM, &a);
	CHECK(raw_domain(c) == family);
	talk(c, accept(l, NULL, NULL));
	unlink(a.un.sun_path);
}

/* A number that this process has counted; -1 if it has no file. */
long counted(const char *word)
{
	char path[64], text[4096] = "", *at;
	int fd;

	snprintf(path, sizeof(path), "/run/user/%u/rill/%d.stat", geteuid(), getpid());
	fd = open(path, O_RDONLY);
	if (fd < 0) {
		snprintf(path, sizeof(path), "/tmp/rill-%u/%d.stat", geteuid(), getpid());
		fd = open(path, O_RDONLY);
	}
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	close(fd);
	at = strstr(text, word);
	return at ? atol(at + strlen(word)) : -1;
}

/* What the child of after_exec() does: fd 9 is the listener it was given. */
static int exec_main(void)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	char buf[4];
	int s;

	CHECK(!(fcntl(9, F_GETFL) & O_NONBLOCK));
	s = accept(9, NULL, NULL);
	CHECK(raw_domain(s) == family);
	CHECK(getsockname(s, (struct sockaddr *)&un, &len) == 0 && un.sun_path[0] == '/');
	CHECK(read(s, buf, 4) == 4 && write(s, buf, 4) == 4);
	/* One before exec(), this one after. */
	CHECK(counted("run_accept_rill") == 2);
	return 0;
}

static void after_exec(int arg)
{
	struct address a;
	int l = listener(PATH, SOCK_STREAM, &a), c;
	char buf[4];
	pid_t pid;

	(void)arg;
	close(client(SOCK_STREAM, &a));
	pid = fork();
	if (!pid) {
		CHECK(close(accept(l, NULL, NULL)) == 0);
		dup2(l, 9);
		execl("/proc/self/exe", "run_test", "--exec", (char *)NULL);
		_exit(127);
	}
	c = client(SOCK_STREAM, &a);
	CHECK(raw_domain(c) == family);
	close(l);
	CHECK(write(c, "exec", 4) == 4 && read(c, buf, 4) == 4);
	tap_wait(pid);
	unlink(a.un.sun_path);
}

/* Another user stands at every name that he can have; the client passes him by. */
static void takeover(int kind)
{
	bool udp = kind & 0x100;
	struct address a;
	char name[3][RILL_NAME_SIZE], what[RILL_NAME_SIZE], byte;
	int l, c, ready[2], end[2];
	struct stat st;
	pid_t pid;

	if (geteuid())
		SKIP("needs root");
	kind &= 0xff;
	CHECK(pipe(ready) == 0 && pipe(end) == 0);
	/* A server without Rill: nobody has its names. */
	address(&a, kind);
	l = syscall(SYS_socket, a.sa.sa_family, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	CHECK(syscall(SYS_bind, l, &a.sa, a.len) == 0);
	if (!udp)
		CHECK(syscall(SYS_listen, l, 8) == 0);
	a.len = sizeof(a.ss);
	CHECK(getsockname(l, &a.sa, &a.len) == 0);
	switch (kind) {
	case PATH:
		CHECK(stat(a.un.sun_path, &st) == 0);
		snprintf(what, sizeof(what), "unix/%llx:%llx", (long long)st.st_dev,
			 (long long)st.st_ino);
		break;
	case ABSTRACT:
		snprintf(what, sizeof(what), "unix/@%.90s", a.un.sun_path + 1);
		break;
	default:
		snprintf(what, sizeof(what), "%s/127.0.0.1:%u", udp ? "udp" : "tcp",
			 ntohs(a.in.sin_port));
	}
	pid = as_nobody();
	if (!pid) {
		int type = udp ? SOCK_DGRAM : SOCK_STREAM, mode = 0666, fd;

		snprintf(name[0], sizeof(name[0]), "user/%u/%.100s", NOBODY, what);
		snprintf(name[1], sizeof(name[1]), "user/0/%.100s", what);
		fd = name_bind(name[0], type);
		CHECK(fd >= 0);
		CHECK(!syscall(SYS_setsockopt, fd, SOL_RILL, RILL_MODE, &mode, sizeof(mode)));
		CHECK(udp || !syscall(SYS_listen, fd, 8));
		CHECK(name_bind(name[1], type) == -1 && errno == EACCES);
		close(ready[1]);
		close(end[1]);
		_exit(syscall(SYS_read, end[0], &byte, 1) != 0);
	}
	close(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 0);
	c = client(udp ? SOCK_DGRAM : SOCK_STREAM, &a);
	if (udp) {
		struct pollfd pfd = { .fd = l, .events = POLLIN };

		CHECK(send(c, "secret", 6, 0) == 6);
		CHECK(syscall(SYS_poll, &pfd, 1, WAIT_MS) == 1);
	}
	CHECK(raw_domain(c) == a.sa.sa_family);
	close(end[1]);
	tap_wait(pid);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* The placeholder's mode decides, now. */
static void file_mode(int arg)
{
	struct address a;
	mode_t old = umask(0);
	int l = listener(PATH, SOCK_STREAM, &a), c;
	pid_t pid;

	(void)arg;
	umask(old);
	if (geteuid())
		SKIP("needs root");
	for (int i = 0; i < 3; i++) {
		/* Open; closed by our own chmod(); by somebody else's. */
		if (i == 1)
			CHECK(chmod(a.un.sun_path, 0700) == 0);
		if (i == 2) {
			CHECK(chmod(a.un.sun_path, 0777) == 0);
			CHECK(syscall(SYS_chmod, a.un.sun_path, 0700) == 0);
		}
		pid = as_nobody();
		if (!pid) {
			struct sockaddr_rill addr = { .srl_family = family };
			struct stat st;

			c = socket(AF_UNIX, SOCK_STREAM, 0);
			if (!i) {
				CHECK(connect(c, &a.sa, a.len) == 0 && raw_domain(c) == family);
				_exit(0);
			}
			CHECK_ERR(connect(c, &a.sa, a.len), EACCES);
			/* Nor by the name itself, past the library. */
			CHECK(stat(a.un.sun_path, &st) == 0);
			snprintf(addr.srl_name, sizeof(addr.srl_name), "user/0/unix/%llx:%llx",
				 (long long)st.st_dev, (long long)st.st_ino);
			c = syscall(SYS_socket, family, SOCK_STREAM, 0);
			if (i == 1)
				CHECK_ERR(syscall(SYS_connect, c, &addr, sizeof(addr)), EACCES);
			else	/* The side is told at accept(), which turns him away. */
				CHECK(syscall(SYS_connect, c, &addr, sizeof(addr)) == 0 &&
				      syscall(SYS_read, c, &st, 1) <= 0);
			_exit(0);
		}
		if (i == 2) {
			readable(l, true);
			CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
			CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
		}
		tap_wait(pid);
		if (!i)
			CHECK(close(accept(l, NULL, NULL)) == 0);
	}
	unlink(a.un.sun_path);
}

/* A connection by the bare name with an address that is not the sender's to use. */
static void untrue_client(int arg)
{
	struct address a, from = { .len = sizeof(from.ss) };
	int l = listener(TCP4, SOCK_STREAM, &a), s;
	pid_t pid;

	(void)arg;
	if (geteuid())
		SKIP("needs root");
	pid = as_nobody();
	if (!pid) {
		struct sockaddr_rill addr = { .srl_family = family };
		char name[RILL_NAME_SIZE];
		int c;

		snprintf(name, sizeof(name), "user/%u/tcp-client/127.0.0.1:22>127.0.0.1:%u", NOBODY,
			 ntohs(a.in.sin_port));
		c = name_bind(name, SOCK_STREAM);
		CHECK(c >= 0);
		snprintf(addr.srl_name, sizeof(addr.srl_name), "user/0/tcp/127.0.0.1:%u",
			 ntohs(a.in.sin_port));
		CHECK(syscall(SYS_connect, c, &addr, sizeof(addr)) == 0);
		_exit(0);
	}
	s = accept(l, &from.sa, &from.len);
	CHECK(s >= 0 && from.sa.sa_family == AF_INET && from.in.sin_port != htons(22));
	tap_wait(pid);
}

/* Several listeners on one port, as the kernel has them. */
static void reuseport(int arg)
{
	int l[2], one = 1, got[2] = { 0 };
	struct address a;

	(void)arg;
	address(&a, TCP4);
	for (int i = 0; i < 2; i++) {
		l[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		CHECK(!setsockopt(l[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
		CHECK(bind(l[i], &a.sa, a.len) == 0 && listen(l[i], 64) == 0);
		CHECK(getsockname(l[i], &a.sa, &a.len) == 0);
	}
	for (int i = 0; i < 60; i++) {
		int c = client(SOCK_STREAM, &a), s;

		CHECK(raw_domain(c) == family);
		for (int j = 0; j < 2; j++) {
			s = accept(l[j], NULL, NULL);
			if (s >= 0) {
				got[j]++;
				close(s);
			}
		}
		close(c);
	}
	CHECK(got[0] + got[1] == 60 && got[0] && got[1]);
}

static void on_signal(int sig)
{
	(void)sig;
}

static atomic_int accept_tid;

static void *accept_thread(void *arg)
{
	accept_tid = syscall(SYS_gettid);
	return (void *)(long)accept(*(int *)arg, NULL, NULL);
}

/* accept() sleeps, is restarted or interrupted as asked, and wakes for a client. */
static void sleeping_accept(int restart)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = restart ? SA_RESTART : 0 };
	char state = 0;
	pthread_t thread;
	struct address a;
	int l = listener(ABSTRACT, SOCK_STREAM, &a), fd;
	void *ret;

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, accept_thread, &l) == 0);
	/* Until it sleeps, which it does nowhere else. */
	for (time_t end = time(NULL) + 60; time(NULL) < end && state != 'S'; sched_yield()) {
		char path[64], text[128] = "", *at;

		if (!accept_tid)
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", accept_tid);
		fd = open(path, O_RDONLY);
		CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
		close(fd);
		at = strrchr(text, ')');
		state = at ? at[2] : 0;
	}
	CHECK(state == 'S');
	CHECK(pthread_kill(thread, SIGUSR1) == 0);
	if (restart) {
		close(client(SOCK_STREAM, &a));
		CHECK(pthread_join(thread, &ret) == 0);
		CHECK((long)ret >= 0);
	} else {
		CHECK(pthread_join(thread, &ret) == 0);
		CHECK((long)ret == -1);
	}
}

/* Datagrams between sockets of both kinds, and answers to the address they gave. */
static void dgram(int arg)
{
	int kind = arg & 0xff;
	bool raw = arg & 0x100, connected = arg & 0x200;
	struct address a, from;
	int s = bound(kind, SOCK_DGRAM, &a), c, d = a.sa.sa_family;
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 5 }, got;
	int e = epoll_create1(0);
	char buf[16];

	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, s, &ev) == 0);
	c = raw ? syscall(SYS_socket, d, SOCK_DGRAM, 0) : socket(d, SOCK_DGRAM, 0);
	CHECK(c >= 0);
	for (int i = 0; i < 3; i++) {
		memset(&from, 0, sizeof(from));
		from.len = sizeof(from.ss);
		if (raw)
			CHECK(syscall(SYS_sendto, c, "hello", 5, 0, &a.sa, a.len) == 5);
		else if (connected)
			CHECK((i || connect(c, &a.sa, a.len) == 0) && write(c, "hello", 5) == 5);
		else
			CHECK(sendto(c, "hello", 5, 0, &a.sa, a.len) == 5);
		CHECK(epoll_wait(e, &got, 1, WAIT_MS) == 1 && got.data.u64 == 5);
		readable(s, true);
		CHECK(recvfrom(s, buf, sizeof(buf), 0, &from.sa, &from.len) == 5);
		CHECK(!memcmp(buf, "hello", 5));
		readable(s, false);
		if (d == AF_UNIX)
			continue;
		CHECK(from.sa.sa_family == d);
		CHECK(sendto(s, "answer", 6, 0, &from.sa, from.len) == 6);
		if (raw)
			CHECK(syscall(SYS_recvfrom, c, buf, sizeof(buf), 0, NULL, NULL) == 6);
		else
			CHECK(recv(c, buf, sizeof(buf), 0) == 6);
		CHECK(!memcmp(buf, "answer", 6));
	}
	CHECK(recv(s, buf, sizeof(buf), MSG_DONTWAIT) == -1 && errno == EAGAIN);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* Did they go over AF_RILL?  The process's counter says so. */
static void dgram_counted(int kind)
{
	struct address a;
	char byte;
	int s = bound(kind, SOCK_DGRAM, &a), c = socket(a.sa.sa_family, SOCK_DGRAM, 0);

	for (int i = 0; i < 5; i++) {
		CHECK(sendto(c, "x", 1, 0, &a.sa, a.len) == 1);
		CHECK(recv(s, &byte, 1, 0) == 1);
	}
	CHECK(counted("run_sent_rill") == 5);
	CHECK(counted("run_received_rill") == 5);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* A datagram by the bare name, with a port of another user's socket. */
static void untrue_sender(int arg)
{
	struct address a, victim;
	int s = bound(TCP4, SOCK_DGRAM, &a), v = bound(TCP4, SOCK_DGRAM, &victim);
	char buf[16];
	pid_t pid;

	(void)arg;
	(void)v;
	if (geteuid())
		SKIP("needs root");
	pid = as_nobody();
	if (!pid) {
		struct sockaddr_rill addr = { .srl_family = family };
		char name[RILL_NAME_SIZE];
		int c;

		snprintf(name, sizeof(name), "user/%u/udp/127.0.0.1:%u", NOBODY,
			 ntohs(victim.in.sin_port));
		c = name_bind(name, SOCK_DGRAM);
		CHECK(c >= 0);
		snprintf(addr.srl_name, sizeof(addr.srl_name), "user/0/udp/127.0.0.1:%u",
			 ntohs(a.in.sin_port));
		CHECK(syscall(SYS_sendto, c, "forged", 6, 0, &addr, sizeof(addr)) == 6);
		_exit(0);
	}
	tap_wait(pid);
	CHECK(recv(s, buf, sizeof(buf), MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

static void log_line(int arg)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	char buf[256] = "";
	int s;

	(void)arg;
	if (!access("/dev/log", F_OK))
		SKIP("somebody has /dev/log");
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (bind(s, (struct sockaddr *)&un, sizeof(un)))
		SKIP("no /dev/log can be made");
	openlog("run_test", LOG_PID, LOG_DAEMON);
	errno = ENOENT;
	syslog(LOG_WARNING, "number %d: %m", 42);
	CHECK(recv(s, buf, sizeof(buf) - 1, MSG_DONTWAIT) > 0);
	unlink("/dev/log");
	CHECK(!strncmp(buf, "<28>", 4));
	CHECK(strstr(buf, " run_test[") && strstr(buf, "]: number 42: No such file"));
	setlogmask(LOG_UPTO(LOG_ERR));
	syslog(LOG_WARNING, "not said");
	CHECK(recv(s, buf, sizeof(buf) - 1, MSG_DONTWAIT) == -1);
}

static const struct tap_case cases[] = {
	{ "stream by path",			connection, PATH | SOCK_STREAM << 8 },
	{ "seqpacket by path",			connection, PATH | SOCK_SEQPACKET << 8 },
	{ "stream by abstract name",		connection, ABSTRACT | SOCK_STREAM << 8 },
	{ "TCP over IPv4",			connection, TCP4 | SOCK_STREAM << 8 },
	{ "TCP over IPv6",			connection, TCP6 | SOCK_STREAM << 8 },
	{ "TCP, listener on any address",	connection, ANY4 | SOCK_STREAM << 8 },
	{ "TCP, listener on any IPv6 address",	connection, ANY6 | SOCK_STREAM << 8 },
	{ "path, clients of both kinds",	both_kinds, PATH },
	{ "abstract, clients of both kinds",	both_kinds, ABSTRACT },
	{ "TCP, clients of both kinds",		both_kinds, TCP4 },
	{ "in epoll before connect and bind",	epoll_before, 0 },
	{ "flags, options and dups are carried over", carried, 0 },
	{ "options of TCP",			tcp_options, 0 },
	{ "nobody there, or not on AF_RILL",	not_there, 0 },
	{ "non-blocking connect in line",	in_line, 0 },
	{ "the side",				side, 0 },
	{ "fork and vfork",			forked, 0 },
	{ "a listener after exec",		after_exec, 0 },
	{ "take-over of a path",		takeover, PATH },
	{ "take-over of an abstract name",	takeover, ABSTRACT },
	{ "take-over of TCP",			takeover, TCP4 },
	{ "take-over of UDP",			takeover, TCP4 | 0x100 },
	{ "the placeholder's mode",		file_mode, 0 },
	{ "a client with an untrue address",	untrue_client, 0 },
	{ "a datagram with an untrue address",	untrue_sender, 0 },
	{ "SO_REUSEPORT",			reuseport, 0 },
	{ "accept sleeps and is interrupted",	sleeping_accept, 0 },
	{ "accept sleeps and is restarted",	sleeping_accept, 1 },
	{ "datagrams by path",			dgram, PATH },
	{ "datagrams by abstract name",		dgram, ABSTRACT },
	{ "UDP over IPv4",			dgram, TCP4 },
	{ "UDP over IPv6",			dgram, TCP6 },
	{ "UDP, receiver on any address",	dgram, ANY4 },
	{ "UDP, connected",			dgram, TCP4 | 0x200 },
	{ "datagrams by path, connected",	dgram, PATH | 0x200 },
	{ "UDP, a sender without Rill",		dgram, TCP4 | 0x100 },
	{ "datagrams by path, a sender without Rill", dgram, PATH | 0x100 },
	{ "UDP goes over AF_RILL",		dgram_counted, TCP4 },
	{ "datagrams by path go over AF_RILL",	dgram_counted, PATH },
	{ "syslog",				log_line, 0 },
};

static void add_words(char **all, int *n, int max, char *const *words)
{
	for (; words && *words && *n < max; words++)
		all[(*n)++] = *words;
}

void exec_rill_command(char *const *options, char *const *command)
{
	char rill[PATH_MAX], *all[32] = { rill, "run" };
	ssize_t n = readlink("/proc/self/exe", rill, sizeof(rill) - 20);
	int count = 2;

	if (n <= 0)
		_exit(1);
	rill[n] = '\0';
	/* By ../bin/rill, or the one that is installed. */
	*strrchr(rill, '/') = '\0';
	strcat(rill, "/../bin/rill");
	if (access(rill, X_OK))
		strcpy(rill, "rill");
	add_words(all, &count, 30, options);
	if (command)
		all[count++] = "--";
	add_words(all, &count, 31, command);
	unsetenv("LD_PRELOAD");
	execvp(rill, all);
	perror(rill);
	_exit(1);
}

void exec_rill(char *const *options, char *const *args)
{
	char self[PATH_MAX] = "", *command[16] = { self };
	int count = 1;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		_exit(1);
	add_words(command, &count, 15, args);
	exec_rill_command(options, command);
}

int main(int argc, char **argv)
{
	const char *preload = getenv("LD_PRELOAD");

	if (access("/proc/net/rill", F_OK)) {
		puts("1..0 # SKIP the rill module is not loaded");
		return 4;
	}
	family = rill_family();
	if (!preload || !strstr(preload, "librill-run.so"))
		exec_rill(NULL, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "--exec"))
		return exec_main();
	if (argc > 2 && !strcmp(argv[1], "--as")) {
		int ret = how_main(argv[2], argv + 3);

		if (ret < 0)
			ret = found_main(argv[2], argv + 3);
		return ret >= 0 ? ret : pass_main(argv[2], argv + 3);
	}
	if (argc > 1 && !strcmp(argv[1], "found")) {
		tap_begin(found_count);
		tap_run(found_cases, found_count, "");
		return tap_end();
	}
	tap_begin(TAP_COUNT(cases) + how_count + wait_count + pass_count + ask_count + data_count +
		  found_count);
	tap_run(cases, TAP_COUNT(cases), "");
	tap_run(how_cases, how_count, "");
	tap_run(wait_cases, wait_count, "");
	tap_run(pass_cases, pass_count, "");
	tap_run(ask_cases, ask_count, "");
	tap_run(data_cases, data_count, "");
	tap_run(found_cases, found_count, "");
	return tap_end();
}
