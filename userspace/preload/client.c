// SPDX-License-Identifier: GPL-2.0-only
/*
 * connect(): find the server's name, connect an AF_RILL socket to it, and put
 * that over the program's fd.  Whatever does not work out leaves the program's
 * socket alone, and its own connect() runs.
 *
 * The socket goes over the fd as soon as its attempt stands, connected or in the
 * waiting line: a connect() that was interrupted or would block is then finished
 * by the program in the usual way, on the AF_RILL socket.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/un.h>

#include "preload.h"

static int int_option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	if (real.getsockopt(fd, SOL_SOCKET, name, &value, &len))
		return -1;
	return value;
}

/* Names of a path: root's, the owner's. */
static int targets_path(const struct sockaddr_un *un, socklen_t len,
			char (*names)[RILL_NAME_SIZE], enum run_count *why)
{
	char path[sizeof(un->sun_path) + 1];
	size_t n = len - offsetof(struct sockaddr_un, sun_path);
	struct stat st;
	int count = 0;

	memcpy(path, un->sun_path, n);
	path[n] = '\0';
	if (stat(path, &st) || !S_ISSOCK(st.st_mode))
		return 0;
	/* The side may not know yet that somebody has changed the file. */
	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS)) {
		*why = RUN_NOT_DENIED;
		return 0;
	}
	if (st.st_uid)
		run_name_path(names[count++], 0, st.st_dev, st.st_ino);
	run_name_path(names[count++], st.st_uid, st.st_dev, st.st_ino);
	return count;
}

/* Nobody to ask (tcp_diag, udp_diag): only what the caller itself may run. */
static int targets_unasked(const char *what, const struct sockaddr_storage *to,
			   char (*names)[RILL_NAME_SIZE])
{
	struct sockaddr_storage any = *to;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&any;
	in_port_t port = to->ss_family == AF_INET ? ((struct sockaddr_in *)&any)->sin_port :
			 in6->sin6_port;
	int n = 0;

	run_name_inet(names[n++], geteuid(), what, (const struct sockaddr *)to, 0);
	if (to->ss_family == AF_INET) {
		((struct sockaddr_in *)&any)->sin_addr.s_addr = htonl(INADDR_ANY);
		run_name_inet(names[n++], geteuid(), what, (struct sockaddr *)&any, 0);
	}
	memset(&any, 0, sizeof(any));
	in6->sin6_family = AF_INET6;
	in6->sin6_port = port;
	run_name_inet(names[n++], geteuid(), what, (struct sockaddr *)&any, 0);
	return n;
}

static int targets_inet(int protocol, const struct sockaddr *addr,
			char (*names)[RILL_NAME_SIZE], struct sockaddr_storage *to,
			enum run_count *why)
{
	const char *what = protocol == IPPROTO_TCP ? "tcp" : "udp";
	static bool diag_works[2];	/* only ever set */
	struct run_owner owner;
	int found;

	if (!run_addr_loopback(addr, to)) {
		*why = RUN_NOT_REMOTE;
		return 0;
	}
	found = run_diag_find(protocol, (struct sockaddr *)to, &owner);
	if (found > 0) {
		diag_works[protocol == IPPROTO_TCP] = true;
	} else if (!found && diag_works[protocol == IPPROTO_TCP]) {
		*why = RUN_NOT_NOBODY;
		return 0;
	}
	if (found <= 0)
		return targets_unasked(what, to, names);
	run_name_inet(names[0], owner.uid, what, (struct sockaddr *)&owner.addr, owner.ino);
	run_name_inet(names[1], owner.uid, what, (struct sockaddr *)&owner.addr, 0);
	return 2;
}

/**
 * run_targets() - the names by which a server may be there
 * @protocol: of a socket of IP, else 0
 * @domain: the family of the program's socket
 * @addr: where the program wants to go
 * @len: its length
 * @names: RUN_TARGETS of them, the best first
 * @to: gets the address of IP that counts
 * @why: gets the reason if there is none
 *
 * Return: how many.
 */
int run_targets(int protocol, int domain, const struct sockaddr *addr, socklen_t len,
		char (*names)[RILL_NAME_SIZE], struct sockaddr_storage *to,
		enum run_count *why)
{
	const char *kind = domain == AF_UNIX ? "unix" : protocol == IPPROTO_TCP ? "tcp" : "udp";
	int n;

	*why = RUN_NOT_OTHER;
	if (!run_addr_is(len, addr->sa_family) || addr->sa_family != domain)
		return 0;
	*why = RUN_NOT_MODULE;
	if (!run.family)
		return 0;
	*why = RUN_NOT_ONLY;
	if (domain == AF_UNIX ? !run.unix_on : protocol == IPPROTO_TCP ? !run.tcp_on : !run.udp_on)
		return 0;
	*why = RUN_NOT_MAP;
	n = run_rule_find(kind, addr, len, names[0]);
	if (n < 0)
		return 0;
	if (n) {
		if (domain != AF_UNIX && !run_addr_loopback(addr, to)) {
			/* A rule may well name an address of another machine. */
			memset(to, 0, sizeof(*to));
			((struct sockaddr_in *)to)->sin_family = AF_INET;
			((struct sockaddr_in *)to)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		}
		return 1;
	}
	*why = RUN_NOT_NOBODY;
	if (domain != AF_UNIX)
		return targets_inet(protocol, addr, names, to, why);
	if (((const struct sockaddr_un *)addr)->sun_path[0])
		return targets_path((const struct sockaddr_un *)addr, len, names, why);
	n = 0;
	if (geteuid())
		run_name_abstract(names[n++], 0, addr, len);
	run_name_abstract(names[n++], geteuid(), addr, len);
	return n;
}

static void copy_option(int from, int to, int name, size_t size)
{
	char value[sizeof(struct timeval) * 2];
	socklen_t len = size;

	if (!real.getsockopt(from, SOL_SOCKET, name, value, &len))
		real.setsockopt(to, SOL_SOCKET, name, value, len);
}

/* Buffers are copied if somebody set them: the kernel shows twice the value. */
static void copy_buffer(int from, int to, int name, int domain, int type)
{
	int value = int_option(from, name), plain, fd;

	fd = real.socket(domain, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	plain = int_option(fd, name);
	run_close(fd);
	if (value > 0 && plain != value) {
		value /= 2;
		real.setsockopt(to, SOL_SOCKET, name, &value, sizeof(value));
	}
}

/* Of those options that a connection of TCP has from its listener. */
bool run_option_inherits(int name)
{
	return name == SO_RCVTIMEO || name == SO_SNDTIMEO || name == SO_LINGER ||
	       name == SO_RCVLOWAT || name == SO_KEEPALIVE || name == SO_OOBINLINE;
}

void run_options_plain(int from, int to)
{
	copy_option(from, to, SO_RCVTIMEO, sizeof(struct timeval));
	copy_option(from, to, SO_SNDTIMEO, sizeof(struct timeval));
	copy_option(from, to, SO_LINGER, sizeof(struct linger));
	copy_option(from, to, SO_RCVLOWAT, sizeof(int));
	copy_option(from, to, SO_KEEPALIVE, sizeof(int));
	copy_option(from, to, SO_OOBINLINE, sizeof(int));
}

/* MSG_ZEROCOPY waits for completions, which AF_RILL does not send. */
bool run_option_zerocopy(int fd)
{
	return int_option(fd, SO_ZEROCOPY) == 1;
}

/* The options of SOL_SOCKET that mean something on the other one too. */
void run_options_copy(int from, int to, bool unix_socket)
{
	int domain = int_option(from, SO_DOMAIN), type = int_option(from, SO_TYPE);

	run_options_plain(from, to);
	if (unix_socket)
		copy_option(from, to, SO_PASSCRED, sizeof(int));
	if (!run.rcvbuf)
		copy_buffer(from, to, SO_RCVBUF, domain, type);
	if (!run.sndbuf)
		copy_buffer(from, to, SO_SNDBUF, domain, type);
}

static bool is_any(const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET)
		return ((const struct sockaddr_in *)addr)->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

/*
 * The connecting end of TCP has a name too: the server asks who came.  Numbers
 * above the usual range of the kernel's own come first, so that no connection
 * over TCP looks the same.
 */
static int bind_client(int fd, const struct sockaddr_storage *to, int own, int domain)
{
	static atomic_uint next;
	struct sockaddr_storage src = *to;
	struct sockaddr_rill addr;
	struct run_addr bound, shown;
	char name[RILL_NAME_SIZE], dst[50], text[50];
	bool fixed = false;
	in_port_t own_port = 0;
	unsigned int port;

	if (src.ss_family == AF_INET)
		((struct sockaddr_in *)&src)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* Where the program bound it counts, if it did. */
	bound.len = sizeof(bound.ss);
	if (!real.getsockname(own, (struct sockaddr *)&bound.ss, &bound.len)) {
		run_addr_unmap(&bound);
		own_port = bound.ss.ss_family == AF_INET ?
			   ((struct sockaddr_in *)&bound.ss)->sin_port :
			   ((struct sockaddr_in6 *)&bound.ss)->sin6_port;
		fixed = own_port;
		if (!is_any(&bound.ss) &&
		    (!run_addr_loopback((struct sockaddr *)&bound.ss, &src) ||
		     src.ss_family != to->ss_family))
			return -1;
	}
	run_inet_text(dst, sizeof(dst), (const struct sockaddr *)to);
	if (!atomic_load(&next))
		atomic_store(&next, (unsigned int)getpid() * 2654435761u >> 7);

	for (int i = 0; i < 64; i++) {
		port = atomic_fetch_add(&next, 1);
		port = i < 16 ? 61000 + port % 4536 : 1024 + port * 7919u % 59976;
		shown.ss = src;
		if (src.ss_family == AF_INET)
			((struct sockaddr_in *)&shown.ss)->sin_port =
				fixed ? own_port : htons(port);
		else
			((struct sockaddr_in6 *)&shown.ss)->sin6_port =
				fixed ? own_port : htons(port);
		/* Of which family the socket is can be told from this end. */
		run_addr_family(&shown, domain);
		run_inet_text(text, sizeof(text), (struct sockaddr *)&shown.ss);
		snprintf(name, sizeof(name), "user/%u/tcp-client/%s>%s", geteuid(), text, dst);
		if (!real.bind(fd, (struct sockaddr *)&addr, run_rill_addr(&addr, name)))
			return 0;
		if (errno != EADDRINUSE || fixed)
			return -1;
	}
	return -1;
}

/* Put x over fd, in its epoll sets too. */
static void replace(int fd, int x)
{
	struct run_slot *slot = run_slot(fd, true);
	struct run_reg regs[RUN_REGS];
	struct stat st;
	int n = 0, cloexec;
	sigset_t saved;

	cloexec = real.fcntl(fd, F_GETFD) & FD_CLOEXEC;
	run_lock(fd, &saved);
	for (int i = 0; slot && i < slot->n_regs; i++) {
		/* The kernel says whether it is still there. */
		if (!real.epoll_ctl(slot->regs[i].epfd, EPOLL_CTL_DEL, fd, NULL))
			regs[n++] = slot->regs[i];
	}
	real.dup3(x, fd, cloexec ? O_CLOEXEC : 0);
	for (int i = 0; i < n; i++) {
		struct epoll_event ev = { .events = regs[i].events };

		ev.data.u64 = regs[i].data;
		real.epoll_ctl(regs[i].epfd, EPOLL_CTL_ADD, fd, &ev);
	}
	if (slot) {
		slot->n_regs = 0;
		if (slot->n_shadows)
			slot->shadow_ino = fstat(x, &st) ? 0 : st.st_ino;
		atomic_store(&slot->kind, RUN_NONE);
	}
	run_unlock(fd, &saved);
}

/* Other numbers of the same socket, by dup(). */
struct alias {
	int		fd, x;
	struct stat	st;
	bool		regs_lost;
};

static void alias_each(int fd, struct run_slot *slot, void *arg)
{
	struct alias *alias = arg;
	struct stat st;

	if (fd == alias->fd || atomic_load(&slot->kind) != RUN_FRESH || !slot->dupped ||
	    fstat(fd, &st) || st.st_ino != alias->st.st_ino || st.st_dev != alias->st.st_dev)
		return;
	if (alias->x >= 0)
		replace(fd, alias->x);
	else
		alias->regs_lost |= slot->regs_lost;
}

/* Is the socket in more epoll sets than we know, under any of its numbers? */
static bool is_lost(int fd, struct run_slot *slot)
{
	struct alias alias = { .fd = fd, .x = -1 };

	if (!slot || slot->regs_lost || !slot->dupped || fstat(fd, &alias.st))
		return slot && slot->regs_lost;
	run_slots_each(0, INT32_MAX, alias_each, &alias);
	return alias.regs_lost;
}

/* Put x over fd, and over what dup() made of it. */
static void install(int fd, int x)
{
	struct run_slot *slot = run_slot(fd, true);
	struct alias alias = { .fd = fd, .x = x };

	if (slot && slot->dupped && !fstat(fd, &alias.st))
		run_slots_each(0, INT32_MAX, alias_each, &alias);
	replace(fd, x);
	run_close(x);
}

static void close_cancelled(void *arg)
{
	run_close((intptr_t)arg);
}

/* connect() of a socket that the program knows nothing of, nor closes. */
static int connect_ours(int x, const struct sockaddr_rill *name, socklen_t len)
{
	int ret;

	pthread_cleanup_push(close_cancelled, (void *)(intptr_t)x);
	ret = real.connect(x, (const struct sockaddr *)name, len);
	pthread_cleanup_pop(0);
	return ret;
}

/* 0 or -1 with errno as of connect(); 1: do what the program would. */
static int connect_rill(int fd, int domain, int type, const struct sockaddr *addr,
			socklen_t len)
{
	struct run_slot *slot = run_slot(fd, true);
	char names[RUN_TARGETS][RILL_NAME_SIZE];
	struct sockaddr_storage to;
	struct sockaddr_rill name;
	enum run_count why;
	int n, x, flags, ret = -1, err = 0, i;
	struct run_addr own = { .len = sizeof(own.ss) };
	bool set;	/* some option may be */

	n = run_targets(domain == AF_UNIX ? 0 : IPPROTO_TCP, domain, addr, len, names, &to, &why);
	if (!n)
		goto own;
	why = RUN_NOT_EPOLL;
	if (is_lost(fd, slot))
		goto own;
	why = RUN_NOT_BOUND;
	if (domain == AF_UNIX &&
	    !real.getsockname(fd, (struct sockaddr *)&own.ss, &own.len) &&
	    own.len > sizeof(sa_family_t))
		goto own;
	set = !slot || atomic_load(&slot->kind) != RUN_FRESH || slot->options;
	why = RUN_NOT_PROTOCOL;
	if (set && run_option_zerocopy(fd))
		goto own;

	why = RUN_NOT_OTHER;
	flags = real.fcntl(fd, F_GETFL);
	x = real.socket(run.family, type | SOCK_CLOEXEC | (flags & O_NONBLOCK ? SOCK_NONBLOCK : 0),
			0);
	if (x < 0)
		goto own;
	if (run.rcvbuf)
		real.setsockopt(x, SOL_SOCKET, SO_RCVBUF, &run.rcvbuf, sizeof(int));
	if (run.sndbuf)
		real.setsockopt(x, SOL_SOCKET, SO_SNDBUF, &run.sndbuf, sizeof(int));
	if (set)
		run_options_copy(fd, x, domain == AF_UNIX);
	if (domain != AF_UNIX && bind_client(x, &to, fd, domain))
		goto close;
	for (i = 0; i < n; i++) {
		ret = connect_ours(x, &name, run_rill_addr(&name, names[i]));
		err = errno;
		if (!ret || err != ECONNREFUSED)
			break;
	}
	if (ret && err != EINPROGRESS && err != EINTR) {
		why = err == ECONNREFUSED ? RUN_NOT_PEER : err == EACCES ? RUN_NOT_DENIED :
		      err == EPROTOTYPE ? RUN_NOT_TYPE : RUN_NOT_OTHER;
		goto close;
	}
	if (domain == AF_UNIX || strncmp(names[i], "user/", 5))
		run_known_add(names[i], addr, len);
	if (flags & O_ASYNC) {
		struct f_owner_ex owner;

		if (!real.fcntl(fd, F_GETOWN_EX, &owner))
			real.fcntl(x, F_SETOWN_EX, &owner);
		real.fcntl(x, F_SETSIG, real.fcntl(fd, F_GETSIG));
		real.fcntl(x, F_SETFL, flags & (O_ASYNC | O_NONBLOCK));
	}
	install(fd, x);
	run_count(RUN_CONNECT_RILL);
	errno = err;
	return ret;
close:
	run_close(x);
own:
	if (slot)
		slot->own = true;
	run_count(why);
	return 1;
}

/* connect() on a socket that is of AF_RILL already. */
static int connect_again(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_rill name;

	if (len >= sizeof(sa_family_t) && addr->sa_family == AF_UNSPEC)
		return real.connect(fd, addr, len);
	/* In line or connected, the name is not looked at. */
	return real.connect(fd, (struct sockaddr *)&name, run_rill_addr(&name, "user/again"));
}

EXPORT int connect(int fd, __CONST_SOCKADDR_ARG arg, socklen_t len)
{
	const struct sockaddr *addr = arg.__sockaddr__;
	struct run_slot *slot;
	int domain, type, protocol, ret;

	RUN_ENTER();
	if (!addr || len < sizeof(sa_family_t) || len > sizeof(struct sockaddr_storage))
		return real.connect(fd, addr, len);
	slot = run_slot(fd, false);
	domain = int_option(fd, SO_DOMAIN);
	if (domain == run.family && run.family)
		return addr->sa_family == run.family ? real.connect(fd, addr, len) :
		       connect_again(fd, addr, len);
	/* A receiver parts from its peer: its side, too. */
	if (addr->sa_family == AF_UNSPEC && run_pair_of(fd) && !run_pair_of(fd)->listens)
		return run_dgram_connect(fd, addr, len);
	if (domain != addr->sa_family ||
	    (domain != AF_UNIX && domain != AF_INET && domain != AF_INET6))
		return real.connect(fd, addr, len);
	type = int_option(fd, SO_TYPE);
	if (type == SOCK_DGRAM)
		return run_dgram_connect(fd, addr, len);
	if (slot && slot->own && atomic_load(&slot->kind) == RUN_FRESH)
		return real.connect(fd, addr, len);
	protocol = int_option(fd, SO_PROTOCOL);
	if (!(domain == AF_UNIX && (type == SOCK_STREAM || type == SOCK_SEQPACKET)) &&
	    !(domain != AF_UNIX && type == SOCK_STREAM &&
	      (protocol == IPPROTO_TCP || protocol == 262 /* MPTCP */))) {
		run_count(RUN_NOT_PROTOCOL);
		return real.connect(fd, addr, len);
	}
	if (run_pair_of(fd) || int_option(fd, SO_ACCEPTCONN) == 1)
		return real.connect(fd, addr, len);
	if (!slot || atomic_load(&slot->kind) != RUN_FRESH) {
		/* Not made here: it may be connected, or on its way. */
		struct sockaddr_storage peer;
		socklen_t peer_len = sizeof(peer);

		if (!real.getpeername(fd, (struct sockaddr *)&peer, &peer_len))
			return real.connect(fd, addr, len);
	}
	ret = connect_rill(fd, domain, type, addr, len);
	return ret == 1 ? real.connect(fd, addr, len) : ret;
}

EXPORT int socket(int domain, int type, int protocol)
{
	int fd;

	RUN_ENTER();
	fd = real.socket(domain, type, protocol);
	if (fd < 0)
		return fd;
	if (domain == AF_UNIX || domain == AF_INET || domain == AF_INET6)
		run_slot_fresh(fd);
	else
		run_slot_forget(fd);
	return fd;
}

/* Moved only if asked for: its ends are passed on, as what they are. */
EXPORT int socketpair(int domain, int type, int protocol, int fd[2])
{
	int ret = -1, err = errno;

	RUN_ENTER();
	if (run.socketpair_on && domain == AF_UNIX && run.family &&
	    (!protocol || protocol == AF_UNIX))
		ret = real.socketpair(run.family, type, 0, fd);
	if (!ret) {
		run_count(RUN_CONNECT_RILL);
		for (int i = 0; i < 2; i++) {
			if (run.rcvbuf)
				real.setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &run.rcvbuf,
						sizeof(int));
			if (run.sndbuf)
				real.setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &run.sndbuf,
						sizeof(int));
		}
		errno = err;
	} else {
		errno = err;
		ret = real.socketpair(domain, type, protocol, fd);
	}
	for (int i = 0; i < 2 && !ret; i++)
		run_slot_forget(fd[i]);
	return ret;
}
