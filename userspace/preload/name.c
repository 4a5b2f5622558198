// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of AF_RILL made from addresses, and back.
 *
 * What a name cannot say, the path of a file or the address behind --map, is
 * kept in a small table of names that this process has met.  An address that has
 * fallen out of it reads as one without a path.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>

#include "preload.h"

#define KNOWN	256

struct known {
	char		name[RILL_NAME_SIZE];
	struct run_addr	addr;
};

static struct known known[KNOWN];

static uint64_t hash(const void *data, size_t len, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325ull ^ seed;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h ^ (h >> 29);
}

socklen_t run_rill_addr(struct sockaddr_rill *to, const char *name)
{
	size_t n = strlen(name);

	to->srl_family = run.family;
	to->srl_flags = 0;
	memcpy(to->srl_name, name, n + 1);
	return RILL_ADDR_MIN + n + 1;
}

/* As the kernel gives out an address: cut to the room, with its true length. */
void run_addr_out(const struct run_addr *from, struct sockaddr *to, socklen_t *len)
{
	memcpy(to, &from->ss, *len < from->len ? *len : from->len);
	*len = from->len;
}

bool run_addr_is(socklen_t len, sa_family_t family)
{
	switch (family) {
	case AF_UNIX:
		return len > sizeof(sa_family_t) && len <= sizeof(struct sockaddr_un);
	case AF_INET:
		return len >= sizeof(struct sockaddr_in);
	case AF_INET6:
		return len >= sizeof(struct sockaddr_in6);
	}
	return false;
}

void run_name_path(char *name, uid_t uid, uint64_t dev, uint64_t ino)
{
	snprintf(name, RILL_NAME_SIZE, "user/%u/unix/%llx:%llx", uid,
		 (unsigned long long)dev, (unsigned long long)ino);
}

void run_name_abstract(char *name, uid_t uid, const struct sockaddr *addr, socklen_t len)
{
	const char *text = ((const struct sockaddr_un *)addr)->sun_path + 1;
	size_t n = len - offsetof(struct sockaddr_un, sun_path) - 1;
	bool plain = n <= 90 && !(n && text[0] == '#');

	for (size_t i = 0; i < n && plain; i++)
		plain = text[i] >= 0x20 && text[i] < 0x7f;
	if (plain)
		snprintf(name, RILL_NAME_SIZE, "user/%u/unix/@%.*s", uid, (int)n, text);
	else
		snprintf(name, RILL_NAME_SIZE, "user/%u/unix/@#%016llx%016llx", uid,
			 (unsigned long long)hash(text, n, 0),
			 (unsigned long long)hash(text, n, 0x9e3779b97f4a7c15ull));
}

/* ADDR:PORT, with brackets for IPv6. */
int run_inet_text(char *to, size_t size, const struct sockaddr *addr)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;
	char text[INET6_ADDRSTRLEN];

	if (addr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)addr;

		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		return snprintf(to, size, "%s:%u", text, ntohs(in->sin_port));
	}
	inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
	return snprintf(to, size, "[%s]:%u", text, ntohs(in6->sin6_port));
}

void run_name_inet(char *name, uid_t uid, const char *what,
		   const struct sockaddr *addr, uint64_t ino)
{
	int n = snprintf(name, RILL_NAME_SIZE, "user/%u/%s/", uid, what);

	n += run_inet_text(name + n, RILL_NAME_SIZE - n, addr);
	if (ino)
		snprintf(name + n, RILL_NAME_SIZE - n, "#%llu", (unsigned long long)ino);
}

/* One ADDR:PORT, ended by any of ends or the end. */
static bool inet_parse(const char *text, const char *ends, struct run_addr *addr)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&addr->ss;
	size_t n = strcspn(text, ends);
	char buf[64], *colon, *end;
	unsigned long port;

	if (n >= sizeof(buf))
		return false;
	memcpy(buf, text, n);
	buf[n] = '\0';
	colon = strrchr(buf, ':');
	if (!colon || colon[1] < '0' || colon[1] > '9')
		return false;
	*colon = '\0';
	port = strtoul(colon + 1, &end, 10);
	if (*end || port > 65535)
		return false;
	memset(addr, 0, sizeof(*addr));
	if (buf[0] == '[') {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr->ss;

		n = strlen(buf);
		if (buf[n - 1] != ']')
			return false;
		buf[n - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		addr->len = sizeof(*in6);
		return inet_pton(AF_INET6, buf + 1, &in6->sin6_addr) == 1;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	addr->len = sizeof(*in);
	return inet_pton(AF_INET, buf, &in->sin_addr) == 1;
}

/* user/UID/WHAT/ADDR:PORT... -> the address. */
bool run_name_to_inet(const char *name, const char *what, struct run_addr *addr, uid_t *uid)
{
	size_t n = strlen(what);
	char *end;

	if (strncmp(name, "user/", 5))
		return false;
	*uid = strtoul(name + 5, &end, 10);
	if (end == name + 5 || *end != '/' || strncmp(end + 1, what, n) || end[n + 1] != '/')
		return false;
	return inet_parse(end + n + 2, ">#", addr);
}

/* The other half of user/UID/tcp-client/SRC>DST. */
static bool client_dst(const char *name, struct run_addr *addr)
{
	const char *dst = strchr(name, '>');

	return dst && inet_parse(dst + 1, "", addr);
}

/*
 * Is it an address that leads to this machine only?  Then to gets it in the
 * family that counts: IPv4 for a mapped one, and no "any".
 */
bool run_addr_loopback(const struct sockaddr *addr, struct sockaddr_storage *to)
{
	struct sockaddr_in *in = (struct sockaddr_in *)to;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (addr->sa_family == AF_INET) {
		memcpy(in, addr, sizeof(*in));
	} else {
		memcpy(in6, addr, sizeof(*in6));
		in6->sin6_flowinfo = 0;
		in6->sin6_scope_id = 0;
		if (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
			in6->sin6_addr = in6addr_loopback;
		if (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
			return true;
		if (!IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			return false;
		in_addr_t v4 = in6->sin6_addr.s6_addr32[3];
		in_port_t port = in6->sin6_port;

		memset(to, 0, sizeof(*to));
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = v4;
		in->sin_port = port;
	}
	if (in->sin_addr.s_addr == htonl(INADDR_ANY))
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
}

/* The same address as a socket of that family shows it. */
void run_addr_family(struct run_addr *addr, int family)
{
	struct sockaddr_in in;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr->ss;

	if (family != AF_INET6 || addr->ss.ss_family != AF_INET)
		return;
	memcpy(&in, &addr->ss, sizeof(in));
	memset(addr, 0, sizeof(*addr));
	in6->sin6_family = AF_INET6;
	in6->sin6_port = in.sin_port;
	in6->sin6_addr.s6_addr[10] = 0xff;
	in6->sin6_addr.s6_addr[11] = 0xff;
	in6->sin6_addr.s6_addr32[3] = in.sin_addr.s_addr;
	addr->len = sizeof(*in6);
}

/* IPv4 in IPv6's clothes becomes IPv4. */
void run_addr_unmap(struct run_addr *addr)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in *in = (struct sockaddr_in *)&addr->ss;

	memcpy(&in6, &addr->ss, sizeof(in6));
	if (in6.sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return;
	memset(addr, 0, sizeof(*addr));
	in->sin_family = AF_INET;
	in->sin_port = in6.sin6_port;
	in->sin_addr.s_addr = in6.sin6_addr.s6_addr32[3];
	addr->len = sizeof(*in);
}

static struct known *known_at(const char *name)
{
	return &known[hash(name, strlen(name), 0) % KNOWN];
}

void run_known_add(const char *name, const struct sockaddr *addr, socklen_t len)
{
	struct known *k = known_at(name);
	sigset_t saved;

	run_lock(-1 & 63, &saved);
	if (strcmp(k->name, name) || k->addr.len != len || memcmp(&k->addr.ss, addr, len)) {
		strcpy(k->name, name);
		memset(&k->addr, 0, sizeof(k->addr));
		memcpy(&k->addr.ss, addr, len);
		k->addr.len = len;
	}
	run_unlock(-1 & 63, &saved);
}

bool run_known_find(const char *name, struct run_addr *addr)
{
	struct known *k = known_at(name);
	sigset_t saved;
	bool found;

	run_lock(-1 & 63, &saved);
	found = k->name[0] && !strcmp(k->name, name);
	if (found)
		*addr = k->addr;
	run_unlock(-1 & 63, &saved);
	return found;
}

bool run_is_rill(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return run.family && !real.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) &&
	       domain == run.family;
}

static bool name_of(int fd, char *name,
		    int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_rill addr = { 0 };
	socklen_t len = sizeof(addr);

	name[0] = '\0';
	if (get(fd, (struct sockaddr *)&addr, &len) || addr.srl_family != run.family)
		return false;
	memcpy(name, addr.srl_name, RILL_NAME_SIZE);
	name[RILL_NAME_SIZE - 1] = '\0';
	return true;
}

static void unix_unnamed(struct run_addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->ss.ss_family = AF_UNIX;
	addr->len = sizeof(sa_family_t);
}

/* user/UID/unix/@NAME -> the address; one without a name if it is another, or a hash. */
void run_name_to_abstract(const char *name, struct run_addr *addr)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&addr->ss;
	const char *at = strstr(name, "/unix/@");
	size_t n;

	unix_unnamed(addr);
	if (!at || at[7] == '#')
		return;
	n = strlen(at + 7);
	/* Somebody's own invention. */
	if (n >= sizeof(un->sun_path))
		return;
	memcpy(un->sun_path + 1, at + 7, n);
	addr->len = offsetof(struct sockaddr_un, sun_path) + 1 + n;
}

/* What one name of a connection says about the address of a server. */
static bool server_addr(const char *name, struct run_addr *addr)
{
	uid_t uid;

	if (run_known_find(name, addr))
		return true;
	if (run_name_to_inet(name, "tcp", addr, &uid) || run_name_to_inet(name, "udp", addr, &uid))
		return true;
	run_name_to_abstract(name, addr);
	return name[0];
}

/*
 * A client of another user must not pass for an address that is not a client's:
 * an address outside loopback, or a port that only root may use.
 */
static bool client_true(const struct run_addr *src, const struct run_addr *dst, uid_t uid)
{
	struct sockaddr_storage to;
	in_port_t port = src->ss.ss_family == AF_INET ?
		((const struct sockaddr_in *)&src->ss)->sin_port :
		((const struct sockaddr_in6 *)&src->ss)->sin6_port;

	return run_addr_loopback((const struct sockaddr *)&src->ss, &to) &&
	       run_addr_loopback((const struct sockaddr *)&dst->ss, &to) &&
	       (ntohs(port) >= 1024 || uid == 0);
}

/**
 * run_identify() - whom an AF_RILL connection stands for
 * @fd: a connected stream or seqpacket socket
 * @id: gets it
 *
 * Return: false if fd is not of AF_RILL.
 */
bool run_identify(int fd, struct run_identity *id)
{
	char local[RILL_NAME_SIZE], peer[RILL_NAME_SIZE];
	struct run_addr src, dst;
	uid_t uid;

	memset(id, 0, sizeof(*id));
	if (!name_of(fd, local, real.getsockname))
		return false;
	id->peer_known = name_of(fd, peer, real.getpeername);

	if (run_name_to_inet(local, "tcp-client", &src, &uid) && client_dst(local, &dst)) {
		id->domain = src.ss.ss_family;
		id->local = src;
		id->peer = dst;
		run_addr_family(&id->peer, id->domain);
		return true;
	}
	if (!local[0]) {
		/* A client of a path or an abstract name. */
		id->domain = AF_UNIX;
		unix_unnamed(&id->local);
		server_addr(peer, &id->peer);
		return true;
	}
	server_addr(local, &id->local);
	/* A name of --map that this process has not met: the client's tells more. */
	if (id->local.ss.ss_family == AF_UNIX && id->local.len == sizeof(sa_family_t) &&
	    run_name_to_inet(peer, "tcp-client", &src, &uid) && client_dst(peer, &dst))
		id->local = dst;
	id->domain = id->local.ss.ss_family;
	if (id->domain == AF_UNIX) {
		unix_unnamed(&id->peer);
		return true;
	}
	/* An accepted one: its listener may be bound to any address. */
	if (run_name_to_inet(peer, "tcp-client", &src, &uid) && client_dst(peer, &dst) &&
	    client_true(&src, &dst, uid)) {
		run_addr_unmap(&src);
		id->local = dst;
		id->peer = src;
	} else {
		struct sockaddr_storage to;

		id->untrue = id->peer_known;
		run_addr_loopback((struct sockaddr *)&id->local.ss, &to);
		memcpy(&id->local.ss, &to, sizeof(to));
		id->local.len = to.ss_family == AF_INET ? sizeof(struct sockaddr_in) :
				sizeof(struct sockaddr_in6);
		id->peer = id->local;
		((struct sockaddr_in *)&id->peer.ss)->sin_port = 0;
	}
	run_addr_family(&id->local, id->domain);
	run_addr_family(&id->peer, id->domain);
	return true;
}
