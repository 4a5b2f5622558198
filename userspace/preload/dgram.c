// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagrams, AF_UNIX and UDP over loopback: a socket is doubled when it is bound,
 * or first sends to somebody who is on AF_RILL.  Each send goes over the side if
 * the receiver has one, else over the program's own; receiving takes from both.
 *
 * Who sends is told by the name of his side.  For UDP that is believed if the
 * real socket at that address belongs to the same user; a sender of AF_UNIX that
 * is bound to a path uses its own socket, since a name does not tell the path.  An
 * abstract name has no owner: root's and the receiver's own user's are believed,
 * and who has one sends to another user over his own socket.
 *
 * Locking: the cache of receivers of UDP under one of run_lock().
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>

#include "preload.h"

#define CACHE		256
#define CACHE_LOCK	62
#define CACHE_MS	1000	/* an answer of sock_diag counts for so long */

/* An address of UDP, and the side that is there; an empty name: none. */
struct cached {
	struct sockaddr_storage	addr;
	char			name[RILL_NAME_SIZE];
	int64_t			until;
};

static struct cached cache[CACHE];

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static struct cached *cache_at(const struct sockaddr_storage *addr)
{
	const unsigned char *p = (const void *)addr;
	unsigned int h = 0;

	for (int i = 0; i < 28; i++)
		h = h * 31 + p[i];
	return &cache[h % CACHE];
}

/* Until when the answer counts; 0: there is none. */
static int64_t cache_find(const struct sockaddr_storage *addr, char *name)
{
	struct cached *c = cache_at(addr);
	int64_t until = 0;
	sigset_t saved;

	run_lock(CACHE_LOCK, &saved);
	if (c->until > now_ms() && !memcmp(&c->addr, addr, sizeof(*addr))) {
		until = c->until;
		memcpy(name, c->name, RILL_NAME_SIZE);
	}
	run_unlock(CACHE_LOCK, &saved);
	return until;
}

/* What came of an answer lives no longer than the answer. */
static void cache_put(const struct sockaddr_storage *addr, const char *name, int64_t until)
{
	struct cached *c = cache_at(addr);
	sigset_t saved;

	run_lock(CACHE_LOCK, &saved);
	c->addr = *addr;
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->until = until;
	run_unlock(CACHE_LOCK, &saved);
}

static bool is_dgram(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return !real.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && type == SOCK_DGRAM;
}

static int domain_of(int fd)
{
	int domain = -1;
	socklen_t len = sizeof(domain);

	return real.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) ? -1 : domain;
}

/* Ancillary data of IP that only the program's own socket can deliver. */
static bool wants_packet_info(const struct run_slot *slot)
{
	for (int i = 0; i < slot->n_shadows; i++)
		if (slot->shadows[i].value && run_is_packet_info(slot->shadows[i].level,
								 slot->shadows[i].name))
			return true;
	return false;
}

bool run_is_packet_info(int level, int name)
{
	return (level == IPPROTO_IP && (name == IP_PKTINFO || name == IP_RECVTTL ||
					name == IP_RECVTOS || name == IP_RECVERR ||
					name == IP_RECVORIGDSTADDR)) ||
	       (level == IPPROTO_IPV6 && (name == IPV6_RECVPKTINFO || name == IPV6_RECVERR ||
					  name == IPV6_RECVHOPLIMIT || name == IPV6_RECVTCLASS));
}

/* Double fd if that is of use; NULL if not. */
static struct run_pair *double_it(int fd)
{
	struct run_pair *p = run_pair_of(fd);
	struct run_slot *slot = run_slot(fd, true);

	if (p || !slot || wants_packet_info(slot))
		return p;
	if (run_listen_side(fd, -1))
		return NULL;
	return run_pair_of(fd);
}

/* bind() has bound fd. */
int run_dgram_bound(int fd)
{
	int domain = domain_of(fd);

	if (domain == AF_UNIX ? run.unix_on : run.udp_on)
		run_count(double_it(fd) ? RUN_LISTEN_RILL : RUN_LISTEN_OWN);
	return 0;
}

enum { UNNAMED, PATH, ABSTRACT };

/* What a sender of AF_UNIX is bound to: the receiver would want to know. */
static int bound_to(int fd)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);

	if (real.getsockname(fd, (struct sockaddr *)&un, &len) || un.sun_family != AF_UNIX ||
	    len <= sizeof(sa_family_t))
		return UNNAMED;
	return un.sun_path[0] ? PATH : ABSTRACT;
}

static bool is_user(const char *name, uid_t uid)
{
	char user[32];

	return !strncmp(name, user, snprintf(user, sizeof(user), "user/%u/", uid));
}

/* Of the names, those of receivers that would believe us. */
static int believers(char (*names)[RILL_NAME_SIZE], int n)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		if (is_user(names[i], geteuid()))
			memmove(names[count++], names[i], RILL_NAME_SIZE);
	return count;
}

/*
 * The sides that may be at addr.  *udp is where the answer belongs in the cache,
 * or has family 0; *until, how long it counts.
 */
static int find(int fd, int domain, const struct sockaddr *addr, socklen_t len,
		char (*names)[RILL_NAME_SIZE], struct sockaddr_storage *udp, int64_t *until)
{
	enum run_count why;
	int n, own = UNNAMED;

	udp->ss_family = 0;
	if (domain != AF_UNIX && addr->sa_family == domain && run_addr_is(len, domain) &&
	    run_addr_loopback(addr, udp)) {
		*until = cache_find(udp, names[0]);
		if (*until)
			return names[0][0] ? 1 : 0;
	}
	*until = now_ms() + CACHE_MS;
	if (domain == AF_UNIX)
		own = bound_to(fd);
	if (own == PATH) {
		run_count(RUN_NOT_BOUND);
		return 0;
	}
	n = run_targets(domain == AF_UNIX ? 0 : IPPROTO_UDP, domain, addr, len, names, udp, &why);
	if (n && own == ABSTRACT && geteuid() && !strncmp(names[0], "user/", 5)) {
		n = believers(names, n);
		why = RUN_NOT_BOUND;
	}
	if (!n) {
		run_count(why);
		if (udp->ss_family)
			cache_put(udp, "", *until);
	}
	return n;
}

/* What makes the program's own socket the one to use. */
static bool is_fallback(int err)
{
	return err != EAGAIN && err != EPIPE && err != EINTR && err != EFAULT && err != ENOBUFS &&
	       err != ENOMEM;
}

/* The program's own socket says so, which other processes may have, too. */
static bool may_wait(int fd, int flags)
{
	return !(flags & MSG_DONTWAIT) && !(real.fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static int wait_for(int fd, struct run_pair *p, int side, short events, int option)
{
	struct pollfd pfds[2] = { { .fd = side, .events = events },
				  { .fd = fd, .events = events } };
	struct timeval tv = { 0 };
	struct timespec ts;
	socklen_t len = sizeof(tv);
	int n;

	(void)p;
	real.getsockopt(fd < 0 ? side : fd, SOL_SOCKET, option, &tv, &len);
	ts.tv_sec = tv.tv_sec;
	ts.tv_nsec = tv.tv_usec * 1000;
	n = real.ppoll(pfds, 2, tv.tv_sec || tv.tv_usec ? &ts : NULL, NULL);
	if (n > 0)
		return 0;
	if (n == 0)
		errno = EAGAIN;
	else if (errno == EINTR && !tv.tv_sec && !tv.tv_usec && run_restart())
		return 0;
	return -1;
}

/* One message over the side; -2: over the program's own. */
static ssize_t send_side(int fd, struct run_pair *p, const struct msghdr *msg, int flags,
			 const char *name)
{
	struct sockaddr_rill addr;
	struct msghdr m = *msg;
	ssize_t n;

	m.msg_name = name ? &addr : NULL;
	m.msg_namelen = name ? run_rill_addr(&addr, name) : 0;
	for (;;) {
		n = real.sendmsg(atomic_load(&p->side), &m, flags);
		if (n >= 0) {
			run_count(RUN_SENT_RILL);
			return n;
		}
		if (is_fallback(errno))
			return -2;
		if (errno != EAGAIN || p->domain != AF_UNIX)
			return errno == EAGAIN ? -2 : -1;
		if (!may_wait(fd, flags))
			return -1;
		if (wait_for(-1, p, atomic_load(&p->side), POLLOUT, SO_SNDTIMEO))
			return -1;
	}
}

/* UDP binds a sender by itself when it first sends; the side's name needs that. */
static void bind_sender(int fd, int domain)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);
	in_port_t port;

	if (domain == AF_UNIX || real.getsockname(fd, (struct sockaddr *)&addr, &len))
		return;
	port = domain == AF_INET ? ((struct sockaddr_in *)&addr)->sin_port :
	       ((struct sockaddr_in6 *)&addr)->sin6_port;
	if (!port)
		real.bind(fd, (struct sockaddr *)&addr, len);
}

static ssize_t send_to(int fd, const struct msghdr *msg, int flags)
{
	char names[RUN_TARGETS][RILL_NAME_SIZE];
	struct run_pair *p = run_pair_of(fd);
	struct sockaddr_storage udp;
	int n, domain = p ? p->domain : domain_of(fd);
	int64_t until;
	ssize_t ret;

	if (domain != AF_UNIX && msg->msg_controllen)
		return real.sendmsg(fd, msg, flags);
	n = find(fd, domain, msg->msg_name, msg->msg_namelen, names, &udp, &until);
	if (!n)
		return real.sendmsg(fd, msg, flags);
	if (!p) {
		bind_sender(fd, domain);
		p = double_it(fd);
		if (!p)
			return real.sendmsg(fd, msg, flags);
	}
	for (int i = 0; i < n; i++) {
		ret = send_side(fd, p, msg, flags, names[i]);
		if (ret != -2) {
			if (udp.ss_family)
				cache_put(&udp, names[i], until);
			return ret;
		}
		if (errno != ECONNREFUSED)
			break;
	}
	if (udp.ss_family)
		cache_put(&udp, "", until);
	run_count(errno == EACCES ? RUN_NOT_DENIED : errno == ECONNREFUSED ? RUN_NOT_PEER :
		  RUN_NOT_OTHER);
	return real.sendmsg(fd, msg, flags);
}

/* Without an address: over the side if it is connected. */
static ssize_t send_connected(int fd, struct run_pair *p, const struct msghdr *msg, int flags)
{
	ssize_t ret;

	if (atomic_load(&p->connected)) {
		ret = send_side(fd, p, msg, flags, NULL);
		if (ret != -2)
			return ret;
		if (errno == ECONNREFUSED || errno == ENOTCONN || errno == EDESTADDRREQ)
			atomic_store(&p->connected, false);
	}
	return real.sendmsg(fd, msg, flags);
}

int run_dgram_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	char names[RUN_TARGETS][RILL_NAME_SIZE];
	struct sockaddr_storage udp;
	struct sockaddr_rill name;
	struct run_pair *p;
	int64_t until;
	int n, err = errno, domain = domain_of(fd), ret;

	ret = real.connect(fd, addr, len);
	if (ret || !run.family)
		return ret;
	n = addr->sa_family == AF_UNSPEC ? 0 : find(fd, domain, addr, len, names, &udp, &until);
	p = run_pair_of(fd);
	if (p && atomic_load(&p->connected)) {
		struct sockaddr none = { .sa_family = AF_UNSPEC };

		real.connect(atomic_load(&p->side), &none, sizeof(none));
		atomic_store(&p->connected, false);
	}
	if (n && !p)
		p = double_it(fd);
	for (int i = 0; p && i < n; i++)
		if (!real.connect(atomic_load(&p->side), (struct sockaddr *)&name,
				  run_rill_addr(&name, names[i]))) {
			atomic_store(&p->connected, true);
			run_count(RUN_CONNECT_RILL);
			errno = err;
			return 0;
		}
	if (n)
		run_count(RUN_NOT_PEER);
	errno = err;
	return 0;
}

/*
 * The sender, from the name of his side.  False: he is not who he says, and the
 * message is not to be delivered.
 */
static bool sender(struct run_pair *p, const struct sockaddr_rill *from, struct run_addr *addr)
{
	struct sockaddr_storage to;
	struct run_owner owner;
	char name[RILL_NAME_SIZE];
	uid_t uid;

	memset(addr, 0, sizeof(*addr));
	if (p->domain == AF_UNIX) {
		if (is_user(from->srl_name, 0) || is_user(from->srl_name, geteuid()))
			run_name_to_abstract(from->srl_name, addr);
		if (addr->len <= sizeof(sa_family_t))
			addr->len = 0;
		return true;
	}
	if (!run_name_to_inet(from->srl_name, "udp", addr, &uid) ||
	    !run_addr_loopback((struct sockaddr *)&addr->ss, &to))
		return false;
	/* Bound to any address of both families: it is seen as of ours. */
	if (p->domain == AF_INET && to.ss_family == AF_INET6) {
		in_port_t port = ((struct sockaddr_in6 *)&to)->sin6_port;

		memset(&to, 0, sizeof(to));
		((struct sockaddr_in *)&to)->sin_family = AF_INET;
		((struct sockaddr_in *)&to)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		((struct sockaddr_in *)&to)->sin_port = port;
	}
	addr->ss = to;
	addr->len = to.ss_family == AF_INET ? sizeof(struct sockaddr_in) :
		    sizeof(struct sockaddr_in6);
	if (!cache_find(&to, name) || strcmp(name, from->srl_name)) {
		int64_t until = now_ms() + CACHE_MS;
		int found = run_diag_find_from(IPPROTO_UDP, (struct sockaddr *)&to,
					       (struct sockaddr *)&p->addr, &owner);

		if (uid != (found > 0 ? owner.uid : geteuid()))
			return false;
		cache_put(&to, from->srl_name, until);
	}
	run_addr_family(addr, p->domain);
	return true;
}

/* The sender's address is the one that the program's own socket is connected to. */
static bool is_peer_inet(const struct run_addr *from, const struct run_addr *peer)
{
	struct run_addr a = *from, b = *peer;
	const struct sockaddr_in *a4 = (void *)&a.ss, *b4 = (void *)&b.ss;
	const struct sockaddr_in6 *a6 = (void *)&a.ss, *b6 = (void *)&b.ss;

	run_addr_unmap(&a);
	run_addr_unmap(&b);
	if (a.ss.ss_family != b.ss.ss_family)
		return false;
	if (a.ss.ss_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a6->sin6_port == b6->sin6_port &&
	       IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
}

/*
 * May the sender be heard?  A side whose peer is not on AF_RILL is connected to
 * nobody, and takes from everybody; the program's own socket knows better.
 */
static bool is_welcome(int fd, struct run_pair *p, const struct sockaddr_rill *from,
		       const struct run_addr *addr)
{
	char name[RILL_NAME_SIZE];
	struct run_addr peer = { .len = sizeof(peer.ss) };
	const struct sockaddr_un *un = (void *)&peer.ss;

	if (atomic_load(&p->connected) ||
	    real.getpeername(fd, (struct sockaddr *)&peer.ss, &peer.len))
		return true;
	if (p->domain != AF_UNIX)
		return is_peer_inet(addr, &peer);
	/* A path's owner, or one without a name, sends over his own. */
	if (peer.len <= offsetof(struct sockaddr_un, sun_path) || un->sun_path[0])
		return false;
	run_name_abstract(name, 0, (struct sockaddr *)&peer.ss, peer.len);
	if (!strcmp(name, from->srl_name))
		return true;
	run_name_abstract(name, geteuid(), (struct sockaddr *)&peer.ss, peer.len);
	return !strcmp(name, from->srl_name);
}

/* Files came along that the program is not to have; the kernel gives them out last. */
static void rights_drop(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		const unsigned char *end = (unsigned char *)c + c->cmsg_len;
		int fd;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (unsigned char *at = CMSG_DATA(c); at + sizeof(fd) <= end; at += sizeof(fd)) {
			memcpy(&fd, at, sizeof(fd));
			run_close(fd);
		}
		m->msg_controllen = (char *)c - (char *)m->msg_control;
		return;
	}
}

static ssize_t recv_side(int fd, struct run_pair *p, struct msghdr *msg, int flags)
{
	struct sockaddr_rill from;
	struct msghdr m;
	struct run_addr addr;
	bool welcome;
	ssize_t n;

	for (;;) {
		m = *msg;
		m.msg_name = &from;
		m.msg_namelen = sizeof(from);
		memset(&from, 0, sizeof(from));
		n = real.recvmsg(atomic_load(&p->side), &m, flags | MSG_DONTWAIT);
		if (n < 0)
			return n;
		welcome = sender(p, &from, &addr) && is_welcome(fd, p, &from, &addr);
		if (!welcome || p->domain != AF_UNIX)
			rights_drop(&m);
		if (welcome)
			break;
		run_count(RUN_OTHER_NAME);
		if (flags & MSG_PEEK)
			real.recv(atomic_load(&p->side), NULL, 0, MSG_DONTWAIT | MSG_TRUNC);
	}
	if (msg->msg_name)
		run_addr_out(&addr, msg->msg_name, &msg->msg_namelen);
	msg->msg_controllen = m.msg_controllen;
	msg->msg_flags = m.msg_flags;
	if (!(flags & MSG_PEEK))
		run_count(RUN_RECV_RILL);
	return n;
}

static ssize_t recv_both(int fd, struct run_pair *p, struct msghdr *msg, int flags)
{
	bool own_first = atomic_fetch_add(&p->turn, 1) % 8 == 7;
	ssize_t n;

	for (;;) {
		for (int i = 0; i < 2; i++) {
			bool own = i ? !own_first : own_first;

			n = own ? real.recvmsg(fd, msg, flags | MSG_DONTWAIT) :
			    recv_side(fd, p, msg, flags);
			if (n >= 0 || (errno != EAGAIN && own))
				return n;
			if (!own && (errno == EBADF || errno == ENOTSOCK)) {
				run_pair_stop(p);
				return real.recvmsg(fd, msg, flags);
			}
		}
		if (flags & MSG_ERRQUEUE || !may_wait(fd, flags)) {
			errno = EAGAIN;
			return -1;
		}
		if (wait_for(fd, p, atomic_load(&p->side), POLLIN, SO_RCVTIMEO))
			return -1;
	}
}

/* What may be sent elsewhere: a datagram socket with an address. */
static bool to_somewhere(int fd, const void *addr)
{
	struct run_slot *slot;

	if (!addr || !run.family)
		return false;
	slot = run_slot(fd, false);
	if (!slot || atomic_load(&slot->kind) == RUN_NONE || atomic_load(&slot->kind) == RUN_SIDE)
		return false;
	return is_dgram(fd);
}

static struct run_pair *dgram_pair(int fd)
{
	struct run_pair *p = run_pair_of(fd);

	return UNLIKELY(p && !p->listens) ? p : NULL;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct run_pair *p;

	RUN_ENTER();
	if (UNLIKELY(msg && msg->msg_controllen && atomic_load(&run_pairs_used)))
		run_rights_sent(msg);
	if (msg && msg->msg_name && to_somewhere(fd, msg->msg_name))
		return send_to(fd, msg, flags);
	p = dgram_pair(fd);
	return p && msg ? send_connected(fd, p, msg, flags) : real.sendmsg(fd, msg, flags);
}

EXPORT ssize_t sendto(int fd, const void *buf, size_t len, int flags,
		      __CONST_SOCKADDR_ARG addr, socklen_t addr_len)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_name = (void *)addr.__sockaddr__, .msg_namelen = addr_len };

	RUN_ENTER();
	if (!to_somewhere(fd, addr.__sockaddr__) && !dgram_pair(fd))
		return real.sendto(fd, buf, len, flags, addr.__sockaddr__, addr_len);
	return sendmsg(fd, &msg, flags);
}

EXPORT ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct run_pair *p;

	RUN_ENTER();
	p = dgram_pair(fd);
	return p ? send_connected(fd, p, &msg, flags) : real.send(fd, buf, len, flags);
}

EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	RUN_ENTER();
	return dgram_pair(fd) ? send(fd, buf, len, 0) : real.write(fd, buf, len);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int n)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };
	struct run_pair *p;

	RUN_ENTER();
	p = dgram_pair(fd);
	return p ? send_connected(fd, p, &msg, 0) : real.writev(fd, iov, n);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	unsigned int i;

	RUN_ENTER();
	for (i = 0; i < n && UNLIKELY(atomic_load(&run_pairs_used)); i++)
		if (msgs[i].msg_hdr.msg_controllen)
			run_rights_sent(&msgs[i].msg_hdr);
	if (!n || (!dgram_pair(fd) && !to_somewhere(fd, msgs[0].msg_hdr.msg_name)))
		return real.sendmmsg(fd, msgs, n, flags);
	for (i = 0; i < n; i++) {
		ssize_t ret = sendmsg(fd, &msgs[i].msg_hdr, flags);

		if (ret < 0)
			return i ? (int)i : -1;
		msgs[i].msg_len = ret;
	}
	return n;
}

/*
 * A connection that was moved: the address that the kernel gave of its peer, in the
 * terms of its family.  TCP gives none, nor does AF_UNIX of a peer without a name.
 */
static socklen_t moved_from(int fd, struct sockaddr *addr, socklen_t room, socklen_t len)
{
	struct run_identity id;
	int err = errno;

	if (LIKELY(len < sizeof(sa_family_t) || room < sizeof(sa_family_t) ||
		   addr->sa_family != run.family || !run.family || is_dgram(fd)))
		return len;
	if (run_identify(fd, &id)) {
		len = room;
		if (id.domain != AF_UNIX || id.peer.len <= sizeof(sa_family_t))
			id.peer.len = 0;
		run_addr_out(&id.peer, addr, &len);
	}
	errno = err;
	return len;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct run_pair *p;
	socklen_t room;
	ssize_t n;

	RUN_ENTER();
	p = dgram_pair(fd);
	if (p && msg)
		return recv_both(fd, p, msg, flags);
	room = msg ? msg->msg_namelen : 0;
	n = real.recvmsg(fd, msg, flags);
	if (n >= 0 && msg->msg_name)
		msg->msg_namelen = moved_from(fd, msg->msg_name, room, msg->msg_namelen);
	return n;
}

EXPORT ssize_t recvfrom(int fd, void *buf, size_t len, int flags, __SOCKADDR_ARG addr,
			socklen_t *addr_len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct run_pair *p;
	ssize_t n;

	RUN_ENTER();
	p = dgram_pair(fd);
	if (!p) {
		socklen_t room = addr.__sockaddr__ && addr_len ? *addr_len : 0;

		n = real.recvfrom(fd, buf, len, flags, addr.__sockaddr__, addr_len);
		if (n >= 0 && addr.__sockaddr__ && addr_len)
			*addr_len = moved_from(fd, addr.__sockaddr__, room, *addr_len);
		return n;
	}
	if (addr.__sockaddr__ && addr_len) {
		msg.msg_name = addr.__sockaddr__;
		msg.msg_namelen = *addr_len;
	}
	n = recv_both(fd, p, &msg, flags);
	if (n >= 0 && msg.msg_name)
		*addr_len = msg.msg_namelen;
	return n;
}

EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	__SOCKADDR_ARG none = { .__sockaddr__ = NULL };

	RUN_ENTER();
	return dgram_pair(fd) ? recvfrom(fd, buf, len, flags, none, NULL) :
	       real.recv(fd, buf, len, flags);
}

EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	RUN_ENTER();
	return dgram_pair(fd) ? recv(fd, buf, len, 0) : real.read(fd, buf, len);
}

EXPORT ssize_t readv(int fd, const struct iovec *iov, int n)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };
	struct run_pair *p;

	RUN_ENTER();
	p = dgram_pair(fd);
	return p ? recv_both(fd, p, &msg, 0) : real.readv(fd, iov, n);
}

EXPORT int recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags,
		    struct timespec *timeout)
{
	unsigned int i;

	RUN_ENTER();
	if (!dgram_pair(fd))
		return real.recvmmsg(fd, msgs, n, flags, timeout);
	for (i = 0; i < n; i++) {
		ssize_t ret = recvmsg(fd, &msgs[i].msg_hdr,
				      (flags & ~MSG_WAITFORONE) | (i ? MSG_DONTWAIT : 0));

		if (ret < 0)
			return i ? (int)i : -1;
		msgs[i].msg_len = ret;
	}
	return n;
}

ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags);
EXPORT ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
	if (len > room)
		abort();
	return recv(fd, buf, len, flags);
}

ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
		       struct sockaddr *addr, socklen_t *addr_len);
EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
			      struct sockaddr *addr, socklen_t *addr_len)
{
	__SOCKADDR_ARG arg = { .__sockaddr__ = addr };

	if (len > room)
		abort();
	return recvfrom(fd, buf, len, flags, arg, addr_len);
}

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
EXPORT ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	if (len > room)
		abort();
	return read(fd, buf, len);
}
