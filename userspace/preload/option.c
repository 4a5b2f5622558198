// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program asks about its socket: the answers of the kernel, in the terms
 * of the family that the program believes it has.  Options of TCP and IP that
 * AF_RILL has not are taken, and read back as they were set.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "preload.h"

#ifndef SO_PEERNAME
#define SO_PEERNAME	28
#endif
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS	59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif

static int say_name(int fd, struct sockaddr *addr, socklen_t *len, socklen_t room, bool peer)
{
	struct run_identity id;
	int err = errno;

	if (*len < sizeof(sa_family_t) || room < sizeof(sa_family_t) ||
	    addr->sa_family != run.family || !run.family)
		return 0;
	if (!run_identify(fd, &id))
		return 0;
	*len = room;
	run_addr_out(peer ? &id.peer : &id.local, addr, len);
	errno = err;
	return 0;
}

EXPORT int getsockname(int fd, __SOCKADDR_ARG arg, socklen_t *len)
{
	socklen_t room = len ? *len : 0;
	int ret;

	RUN_ENTER();
	ret = real.getsockname(fd, arg.__sockaddr__, len);
	return ret ? ret : say_name(fd, arg.__sockaddr__, len, room, false);
}

EXPORT int getpeername(int fd, __SOCKADDR_ARG arg, socklen_t *len)
{
	socklen_t room = len ? *len : 0;
	int ret;

	RUN_ENTER();
	ret = real.getpeername(fd, arg.__sockaddr__, len);
	return ret ? ret : say_name(fd, arg.__sockaddr__, len, room, true);
}

/* Where the options of fd are kept; NULL: nothing is known. */
static struct run_slot *shadows_of(int fd, bool make)
{
	struct run_slot *slot = run_slot(fd, make);
	struct stat st;

	if (!slot)
		return NULL;
	if (atomic_load(&slot->kind) == RUN_FRESH || atomic_load(&slot->kind) == RUN_PAIR)
		return slot;
	if (fstat(fd, &st))
		return NULL;
	if (slot->shadow_ino != st.st_ino) {
		if (!make)
			return NULL;
		slot->n_shadows = 0;
		slot->shadow_ino = st.st_ino;
	}
	return slot;
}

static void shadow_set(int fd, int level, int name, int value)
{
	struct run_slot *slot = shadows_of(fd, true);
	int i;

	if (!slot)
		return;
	for (i = 0; i < slot->n_shadows; i++)
		if (slot->shadows[i].level == level && slot->shadows[i].name == name)
			break;
	if (i >= RUN_SHADOWS)
		return;
	slot->shadows[i] = (struct run_shadow){ level, name, value };
	if (i == slot->n_shadows)
		slot->n_shadows++;
}

static bool shadow_get(int fd, int level, int name, int *value)
{
	struct run_slot *slot = shadows_of(fd, false);

	for (int i = 0; slot && i < slot->n_shadows; i++)
		if (slot->shadows[i].level == level && slot->shadows[i].name == name) {
			*value = slot->shadows[i].value;
			return true;
		}
	return false;
}

static bool is_inet(int domain)
{
	return domain == AF_INET || domain == AF_INET6;
}

/* A new connection has what was set on its listener. */
void run_options_inherit(int listener, int fd)
{
	struct run_slot *from = run_slot(listener, false);
	struct run_pair *p = run_pair_of(listener);

	for (int i = 0; from && i < from->n_shadows; i++)
		shadow_set(fd, from->shadows[i].level, from->shadows[i].name,
			   from->shadows[i].value);
	if (from && from->inherits && p && is_inet(p->domain))
		run_options_plain(listener, fd);
}

/* Options that promise what AF_RILL does not do: programs have another way. */
static bool is_promise(int level, int name)
{
	if (level != IPPROTO_TCP)
		return false;
	switch (name) {
	case 14:	/* TCP_MD5SIG */
	case 19:	/* TCP_REPAIR */
	case 31:	/* TCP_ULP: TLS in the kernel */
	case 35:	/* TCP_ZEROCOPY_RECEIVE */
		return true;
	}
	return false;
}

static bool is_inet_level(int level)
{
	return level == IPPROTO_TCP || level == IPPROTO_IP || level == IPPROTO_IPV6;
}

static int domain_of(int fd)
{
	struct run_identity id;

	return run_is_rill(fd) && run_identify(fd, &id) ? id.domain : -1;
}

static int int_value(const void *value, socklen_t len)
{
	int v = 0;

	memcpy(&v, value, len < sizeof(v) ? len : sizeof(v));
	return v;
}

/* AF_UNIX has no options of its own, and says so in another way. */
static int unix_errno(int fd, int level, int err)
{
	return err == ENOPROTOOPT && level != SOL_SOCKET && level != SOL_RILL &&
	       domain_of(fd) == AF_UNIX ? EOPNOTSUPP : err;
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct run_slot *slot;
	struct run_pair *p;
	int ret, err = errno;

	RUN_ENTER();
	ret = real.setsockopt(fd, level, name, value, len);
	slot = run_slot(fd, false);
	if (!ret) {
		if (!slot)
			return 0;
		if (level == SOL_SOCKET && run_option_inherits(name))
			slot->inherits = true;
		if (atomic_load(&slot->kind) == RUN_FRESH) {
			if (level == SOL_SOCKET)
				slot->options = true;
			else if (is_inet_level(level) && len >= 1)
				shadow_set(fd, level, name, int_value(value, len));
		} else if (run_is_packet_info(level, name) && len >= 1 && int_value(value, len)) {
			/* Datagrams must come over the program's own from now on. */
			p = run_pair_of(fd);
			if (p && !p->listens)
				run_slot_forget(fd);
		} else if (level == SOL_SOCKET && name == SO_ZEROCOPY && int_value(value, len)) {
			/* Nor does AF_RILL tell when a buffer is free again. */
			run_pair_end(fd);
			errno = err;
		} else if (level == SOL_SOCKET) {
			p = run_pair_of(fd);
			if (p && name != SO_PRIORITY)
				real.setsockopt(atomic_load(&p->side), level, name, value, len);
			errno = err;
		} else if (atomic_load(&slot->kind) == RUN_PAIR && is_inet_level(level) &&
			   len >= 1) {
			shadow_set(fd, level, name, int_value(value, len));
		}
		return 0;
	}
	if (errno != ENOPROTOOPT && errno != EOPNOTSUPP && errno != EINVAL)
		return ret;
	ret = errno;
	if ((is_inet_level(level) && !is_promise(level, name)) ||
	    (level == SOL_SOCKET && name == SO_REUSEPORT)) {
		if (is_inet(domain_of(fd))) {
			if (len >= 1)
				shadow_set(fd, level, name, int_value(value, len));
			errno = err;
			return 0;
		}
	}
	errno = unix_errno(fd, level, ret);
	return -1;
}

/* What an option of a connection on this machine reads that nobody set. */
static int plain_value(int level, int name, int *value)
{
	*value = 0;
	if (level == IPPROTO_TCP) {
		switch (name) {
		case TCP_MAXSEG:
			*value = 65483;
			return 0;
		case TCP_KEEPIDLE:
			*value = 7200;
			return 0;
		case TCP_KEEPINTVL:
			*value = 75;
			return 0;
		case TCP_KEEPCNT:
			*value = 9;
			return 0;
		case TCP_QUICKACK:
			*value = 1;
			return 0;
		case TCP_NODELAY:
		case TCP_CORK:
		case TCP_DEFER_ACCEPT:
		case TCP_USER_TIMEOUT:
		case TCP_LINGER2:
			return 0;
		}
		return -1;
	}
	if (level == IPPROTO_IP && name == IP_TTL)
		*value = 64;
	else if (level == IPPROTO_IP && name == IP_MTU)
		*value = 65535;
	else if (level == IPPROTO_IPV6 && name == IPV6_UNICAST_HOPS)
		*value = 64;
	else if (!(level == IPPROTO_IP && (name == IP_TOS || name == IP_OPTIONS)) &&
		 !(level == IPPROTO_IPV6 && (name == IPV6_V6ONLY || name == IPV6_TCLASS)))
		return -1;
	return 0;
}

static int give(int v, void *value, socklen_t *len)
{
	if (*len > sizeof(v))
		*len = sizeof(v);
	memcpy(value, &v, *len);
	return 0;
}

/* The family and its kin, which the kernel answered of AF_RILL. */
static void correct(int fd, int name, void *value, socklen_t *len)
{
	int domain;

	switch (name) {
	case SO_DOMAIN:
		if (*len < sizeof(int) || int_value(value, sizeof(int)) != run.family)
			return;
		domain = domain_of(fd);
		if (domain > 0)
			give(domain, value, len);
		return;
	case SO_PROTOCOL:
		if (*len == sizeof(int) && !int_value(value, sizeof(int)) &&
		    is_inet(domain_of(fd)))
			give(IPPROTO_TCP, value, len);
		return;
	case SO_PEERCRED:
		/* TCP does not know. */
		if (*len == sizeof(struct ucred) && is_inet(domain_of(fd))) {
			struct ucred none = { .pid = 0, .uid = -1, .gid = -1 };

			memcpy(value, &none, sizeof(none));
		}
		return;
	}
}

/* getpeername() by another door; as there, no more than there is. */
static int peer_name(int fd, void *value, socklen_t *len)
{
	struct run_identity id;

	if (!run_identify(fd, &id) || !id.peer_known) {
		errno = ENOTCONN;
		return -1;
	}
	if (*len > id.peer.len) {
		errno = EINVAL;
		return -1;
	}
	memcpy(value, &id.peer.ss, *len);
	return 0;
}

EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	int ret, v, err = errno;

	RUN_ENTER();
	if (UNLIKELY(level == SOL_SOCKET && value && len)) {
		if (name == SO_PEERNAME && run_is_rill(fd))
			return peer_name(fd, value, len);
		if ((name == SO_PEERGROUPS || name == SO_PEERPIDFD) && is_inet(domain_of(fd))) {
			errno = ENODATA;
			return -1;
		}
	}
	ret = real.getsockopt(fd, level, name, value, len);
	if (!run.family)
		return ret;
	if (!ret) {
		if (level == SOL_SOCKET &&
		    (name == SO_DOMAIN || name == SO_PROTOCOL || name == SO_PEERCRED)) {
			correct(fd, name, value, len);
			errno = err;
		}
		return 0;
	}
	if (errno != ENOPROTOOPT && errno != EOPNOTSUPP)
		return ret;
	ret = errno;
	if (is_inet_level(level) && is_inet(domain_of(fd))) {
		if (shadow_get(fd, level, name, &v) || !plain_value(level, name, &v)) {
			errno = err;
			return give(v, value, len);
		}
		ret = ENOPROTOOPT;
	}
	errno = unix_errno(fd, level, ret);
	return -1;
}
