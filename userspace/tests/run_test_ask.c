// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program asks about its socket: who is at the other end, and options.  On
 * AF_RILL it reads what it would have read without.
 */
#define _GNU_SOURCE
#include "run_test.h"

#ifndef SO_PEERNAME
#define SO_PEERNAME	28
#endif
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS	59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif

static void cred_is(int fd, pid_t pid, uid_t uid, gid_t gid)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && len == sizeof(cred));
	CHECK(cred.pid == pid && cred.uid == uid && cred.gid == gid);
}

static void asks(int fd, int domain, int protocol)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);

	CHECK(option(fd, SOL_SOCKET, SO_DOMAIN) == domain);
	CHECK(option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
	CHECK(option(fd, SOL_SOCKET, SO_PROTOCOL) == protocol);
	CHECK(getsockname(fd, (struct sockaddr *)&addr, &len) == 0 && addr.ss_family == domain);
	len = sizeof(addr);
	CHECK(getpeername(fd, (struct sockaddr *)&addr, &len) == 0 && addr.ss_family == domain);
}

/* getpeername(), cut to the room; SO_PEERNAME, which wants no more than there is. */
static void peer_names(int fd)
{
	struct sockaddr_storage a = { 0 }, b;
	socklen_t len = sizeof(a), part = 3, more;

	CHECK(getpeername(fd, (struct sockaddr *)&a, &len) == 0);
	memset(&b, 0x55, sizeof(b));
	CHECK(getpeername(fd, (struct sockaddr *)&b, &part) == 0 && part == len);
	CHECK(!memcmp(&a, &b, 3 < len ? 3 : len) && ((char *)&b)[3] == 0x55);
	memset(&b, 0, sizeof(b));
	part = len;
	CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &b, &part) == 0);
	CHECK(part == len && !memcmp(&a, &b, len));
	part = 2;
	CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &b, &part) == 0 && part == 2);
	more = len + 1;
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &b, &more), EINVAL);
}

/* Server and client are two processes; raw: the same questions without Rill. */
static void peer(int arg)
{
	int kind = arg & 0xff, l, s, d;
	bool raw = arg & 0x100;
	struct address a;
	char byte;
	pid_t pid;

	l = listener(kind, SOCK_STREAM, &a);
	d = a.sa.sa_family;
	pid = fork();
	if (!pid) {
		int c = raw ? raw_client(SOCK_STREAM, &a) : client(SOCK_STREAM, &a);

		CHECK(raw_domain(c) == (raw ? d : family));
		asks(c, d, d == AF_UNIX ? 0 : IPPROTO_TCP);
		peer_names(c);
		if (d == AF_UNIX)
			cred_is(c, getppid(), geteuid(), getegid());
		else
			cred_is(c, 0, -1, -1);
		CHECK(read(c, &byte, 1) == 0);
		_exit(0);
	}
	s = accept(l, NULL, NULL);
	CHECK(raw_domain(s) == (raw ? d : family));
	asks(s, d, d == AF_UNIX ? 0 : IPPROTO_TCP);
	peer_names(s);
	if (d == AF_UNIX) {
		cred_is(s, pid, geteuid(), getegid());
	} else {
		gid_t groups[64];
		socklen_t len = sizeof(groups);
		int pidfd;

		cred_is(s, 0, -1, -1);
		CHECK_ERR(getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, groups, &len), ENODATA);
		len = sizeof(pidfd);
		CHECK(getsockopt(s, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == -1);
		CHECK(errno == ENODATA || errno == ENOPROTOOPT);
	}
	close(s);
	tap_wait(pid);
	/* Not connected: nobody is there. */
	s = socket(d, SOCK_STREAM, 0);
	CHECK_ERR(getpeername(s, &a.sa, &a.len), ENOTCONN);
	CHECK_ERR(getpeername(l, &a.sa, &a.len), ENOTCONN);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

/* A socket of IPv6 that goes to an address of IPv4, and a listener of both. */
static void mapped(int arg)
{
	int v6 = arg & 1, bind_first = arg & 2, c, s, l;
	struct address a, to, from = { 0 };
	struct sockaddr_in6 own, seen;
	socklen_t len = sizeof(own);

	l = listener(v6 ? ANY6 : TCP4, SOCK_STREAM, &a);
	address(&to, TCP6);
	CHECK(inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.in6.sin6_addr) == 1);
	to.in6.sin6_port = v6 ? a.in6.sin6_port : a.in.sin_port;
	c = socket(AF_INET6, SOCK_STREAM, 0);
	if (bind_first) {
		struct sockaddr_in6 any = { .sin6_family = AF_INET6 };

		CHECK(bind(c, (struct sockaddr *)&any, sizeof(any)) == 0);
		CHECK(getsockname(c, (struct sockaddr *)&seen, &len) == 0);
	}
	CHECK(connect(c, &to.sa, to.len) == 0);
	CHECK(raw_domain(c) == family);
	asks(c, AF_INET6, IPPROTO_TCP);
	CHECK(getsockname(c, (struct sockaddr *)&own, &len) == 0 && len == sizeof(own));
	CHECK(IN6_IS_ADDR_V4MAPPED(&own.sin6_addr) && own.sin6_port);
	CHECK(!bind_first || own.sin6_port == seen.sin6_port);
	CHECK(getpeername(c, (struct sockaddr *)&seen, &len) == 0 && len == sizeof(seen));
	CHECK(!memcmp(&seen, &to.in6, sizeof(seen)));
	from.len = sizeof(from.ss);
	s = accept(l, &from.sa, &from.len);
	CHECK(raw_domain(s) == family);
	asks(s, v6 ? AF_INET6 : AF_INET, IPPROTO_TCP);
	if (v6) {
		CHECK(from.len == sizeof(own) && !memcmp(&from.in6, &own, sizeof(own)));
	} else {
		CHECK(from.len == sizeof(from.in) && from.in.sin_port == own.sin6_port);
		CHECK(from.in.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	}
	talk(c, s);
}

/* A client of IPv4 at a listener of IPv6, with and without IPV6_V6ONLY. */
static void v6only(int only)
{
	struct address a, b, from = { .len = sizeof(from.ss) };
	int l, m, c, s;

	/* A port that is free for IPv4, too. */
	do {
		address(&a, ANY6);
		l = socket(AF_INET6, SOCK_STREAM, 0);
		CHECK(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) == 0);
		CHECK(bind(l, &a.sa, a.len) == 0 && getsockname(l, &a.sa, &a.len) == 0);
		address(&b, TCP4);
		b.in.sin_port = a.in6.sin6_port;
		m = socket(AF_INET, SOCK_STREAM, 0);
	} while (only && bind(m, &b.sa, b.len) == -1 && errno == EADDRINUSE);
	CHECK(listen(l, 8) == 0);
	CHECK(option(l, IPPROTO_IPV6, IPV6_V6ONLY) == only);
	c = socket(AF_INET, SOCK_STREAM, 0);
	if (only) {
		CHECK_ERR(connect(c, &b.sa, b.len), ECONNREFUSED);
		/* Each family has its own. */
		close(c);
		CHECK(listen(m, 8) == 0);
		c = client(SOCK_STREAM, &b);
		CHECK(raw_domain(c) == family);
		s = accept(m, &from.sa, &from.len);
		CHECK(from.sa.sa_family == AF_INET);
		readable(l, false);
		talk(c, s);
	} else {
		CHECK(connect(c, &b.sa, b.len) == 0 && raw_domain(c) == family);
		s = accept(l, &from.sa, &from.len);
		CHECK(from.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&from.in6.sin6_addr));
		asks(s, AF_INET6, IPPROTO_TCP);
		talk(c, s);
	}
	a.in6.sin6_addr = in6addr_loopback;
	c = client(SOCK_STREAM, &a);
	CHECK(raw_domain(c) == family);
	from.len = sizeof(from.ss);
	s = accept(l, &from.sa, &from.len);
	CHECK(from.sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&from.in6.sin6_addr));
	talk(c, s);
	CHECK(!only || (fcntl(m, F_SETFL, O_NONBLOCK) == 0 && accept(m, NULL, NULL) == -1));
}

/* Ports that the kernel chooses: of a listener, of one that never bound, of clients. */
static void port_zero(int arg)
{
	struct address a, own, before, from;
	int l = listener(TCP4, SOCK_STREAM, &a), c, s, seen[3];

	(void)arg;
	CHECK(a.in.sin_port && a.len == sizeof(a.in));
	CHECK(close(listener(TCP4, SOCK_STREAM, &own)) == 0 && own.in.sin_port != a.in.sin_port);
	for (int i = 0; i < 3; i++) {
		own.len = sizeof(own.ss);
		from.len = sizeof(from.ss);
		before.len = sizeof(before.ss);
		c = socket(AF_INET, SOCK_STREAM, 0);
		if (i) {
			/* Bound first, to any address or loopback: this port it is. */
			address(&own, i == 1 ? ANY4 : TCP4);
			CHECK(bind(c, &own.sa, own.len) == 0);
			CHECK(getsockname(c, &before.sa, &before.len) == 0 && before.in.sin_port);
			/* Where Rill's client before has it, TCP may give it again. */
			if (before.in.sin_port == seen[i - 1]) {
				i--;
				continue;
			}
		}
		CHECK(connect(c, &a.sa, a.len) == 0 && raw_domain(c) == family);
		own.len = sizeof(own.ss);
		CHECK(getsockname(c, &own.sa, &own.len) == 0 && own.in.sin_port);
		CHECK(own.in.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
		CHECK(!i || own.in.sin_port == before.in.sin_port);
		s = accept(l, &from.sa, &from.len);
		CHECK(from.len == own.len && !memcmp(&from.in, &own.in, own.len));
		seen[i] = own.in.sin_port;
		talk(c, s);
	}
	CHECK(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2]);
	/* listen() without bind(). */
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(listen(c, 8) == 0);
	own.len = sizeof(own.ss);
	CHECK(getsockname(c, &own.sa, &own.len) == 0 && own.in.sin_port);
	CHECK(own.in.sin_addr.s_addr == htonl(INADDR_ANY));
	l = c;
	address(&a, TCP4);
	a.in.sin_port = own.in.sin_port;
	c = client(SOCK_STREAM, &a);
	CHECK(raw_domain(c) == family);
	talk(c, accept(l, NULL, NULL));
}

/* Whether fd is moved or not, this is what it reads, and what it keeps. */
static void tcp_as_ever(int fd, bool moved)
{
	static const struct { int name, plain, set; } table[] = {
		{ TCP_NODELAY, 0, 1 },
		{ TCP_CORK, 0, 1 },
		{ TCP_KEEPIDLE, 7200, 60 },
		{ TCP_KEEPINTVL, 75, 10 },
		{ TCP_KEEPCNT, 9, 4 },
		{ TCP_USER_TIMEOUT, 0, 9000 },
		{ TCP_QUICKACK, 1, 1 },
	};
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int v, ret;

	for (size_t i = 0; i < TAP_COUNT(table); i++) {
		CHECK(option(fd, IPPROTO_TCP, table[i].name) == table[i].plain);
		v = table[i].set;
		CHECK(setsockopt(fd, IPPROTO_TCP, table[i].name, &v, sizeof(v)) == 0);
	}
	for (size_t i = 0; i < TAP_COUNT(table); i++)
		CHECK(option(fd, IPPROTO_TCP, table[i].name) == table[i].set);
	CHECK(option(fd, IPPROTO_TCP, TCP_MAXSEG) > 0);
	/* What would be a lie. */
	ret = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	CHECK(moved ? ret == -1 && errno == ENOPROTOOPT : ret == 0);
	/* None that there is. */
	CHECK_ERR(getsockopt(fd, IPPROTO_TCP, 9999, &v, &(socklen_t){ 4 }), ENOPROTOOPT);
	CHECK(option(fd, SOL_SOCKET, SO_REUSEADDR) == 0);
	v = 1;
	CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v)) == 0);
	CHECK(option(fd, SOL_SOCKET, SO_REUSEADDR) == 1);
}

static void tcp_table(int kind)
{
	struct address a;
	int l = listener(kind, SOCK_STREAM, &a), c, s, v = 1;

	c = client(SOCK_STREAM, &a);
	s = accept(l, NULL, NULL);
	CHECK(raw_domain(c) == family && raw_domain(s) == family);
	tcp_as_ever(c, true);
	tcp_as_ever(s, true);
	/* An option of the other family, and of TCP on a path. */
	c = raw_client(SOCK_STREAM, &a);
	s = accept(l, NULL, NULL);
	tcp_as_ever(c, false);
	tcp_as_ever(s, false);
	l = listener(ABSTRACT, SOCK_STREAM, &a);
	c = client(SOCK_STREAM, &a);
	CHECK(raw_domain(c) == family);
	CHECK_ERR(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &v, sizeof(v)), EOPNOTSUPP);
	CHECK_ERR(getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &v, &(socklen_t){ 4 }), EOPNOTSUPP);
}

/* An accepted connection has the options of its listener. */
static void inherited(int arg)
{
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a), one = 1, idle = 99;

	(void)arg;
	CHECK(setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	CHECK(setsockopt(l, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) == 0);
	CHECK(setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) == 0);
	for (int i = 0; i < 2; i++) {
		int c = i ? raw_client(SOCK_STREAM, &a) : client(SOCK_STREAM, &a);
		int s = accept(l, NULL, NULL);

		CHECK(raw_domain(s) == (i ? AF_INET : family));
		CHECK(option(s, IPPROTO_TCP, TCP_NODELAY) == 1);
		CHECK(option(s, IPPROTO_TCP, TCP_KEEPIDLE) == 99);
		CHECK(option(s, SOL_SOCKET, SO_KEEPALIVE) == 1);
		close(c);
		close(s);
	}
}

const struct tap_case ask_cases[] = {
	{ "TCP, who is the peer",		peer, TCP4 },
	{ "IPv6, who is the peer",		peer, TCP6 },
	{ "path, who is the peer",		peer, PATH },
	{ "abstract, who is the peer",		peer, ABSTRACT },
	{ "TCP, who is the peer without Rill",	peer, TCP4 | 0x100 },
	{ "path, who is the peer without Rill",	peer, PATH | 0x100 },
	{ "a mapped address, to IPv4",		mapped, 0 },
	{ "a mapped address, to IPv6",		mapped, 1 },
	{ "a mapped address, to IPv4, bound",	mapped, 2 },
	{ "a mapped address, to IPv6, bound",	mapped, 3 },
	{ "IPV6_V6ONLY",			v6only, 1 },
	{ "a listener of both families",	v6only, 0 },
	{ "port 0",				port_zero, 0 },
	{ "options of TCP, IPv4",		tcp_table, TCP4 },
	{ "options of TCP, IPv6",		tcp_table, TCP6 },
	{ "options of the listener",		inherited, 0 },
};

const size_t ask_count = TAP_COUNT(ask_cases);
