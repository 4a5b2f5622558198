// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Names to addresses and back.  The checks are those of the kernel, so a wrong
 * name gives the same errno with and without the module.
 */
#include <errno.h>
#include <string.h>
#include "internal.h"

int rill_addr_fill(struct sockaddr_rill *addr, socklen_t *len,
		   const char *name, int family)
{
	const unsigned char *p;
	size_t n;

	if (!addr || !len || !name) {
		errno = EINVAL;
		return -1;
	}
	n = strnlen(name, RILL_NAME_SIZE);
	if (n > RILL_NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (p = (const unsigned char *)name; *p; p++) {
		if (*p < 0x20 || *p == 0x7f) {
			errno = EINVAL;
			return -1;
		}
	}

	memset(addr, 0, sizeof(*addr));
	addr->srl_family = (__kernel_sa_family_t)family;
	memcpy(addr->srl_name, name, n);
	*len = (socklen_t)(n ? RILL_ADDR_MIN + n + 1 : RILL_ADDR_MIN);
	return 0;
}

RILL_API int rill_addr(struct sockaddr_rill *addr, socklen_t *len,
		       const char *name)
{
	struct sockaddr_rill sa;
	socklen_t salen;
	int family;

	/* A wrong name is told before a missing module. */
	if (!addr || !len) {
		errno = EINVAL;
		return -1;
	}
	if (rill_addr_fill(&sa, &salen, name, 0) < 0)
		return -1;
	family = rill_family();
	if (family < 0)
		return -1;
	sa.srl_family = (__kernel_sa_family_t)family;
	*addr = sa;
	*len = salen;
	return 0;
}

RILL_API ssize_t rill_addr_name(const struct sockaddr_rill *addr, socklen_t len,
				char *name, size_t size)
{
	size_t n = 0;

	if (!addr || !name || (len && len < RILL_ADDR_MIN) ||
	    len > sizeof(*addr)) {
		errno = EINVAL;
		return -1;
	}
	if (len > RILL_ADDR_MIN)
		n = strnlen(addr->srl_name, len - RILL_ADDR_MIN);
	if (size <= n) {
		errno = ERANGE;
		return -1;
	}
	memcpy(name, addr->srl_name, n);
	name[n] = '\0';
	return (ssize_t)n;
}

RILL_API ssize_t rill_name_escape(const char *name, char *buf, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)name;
	size_t n = 0, need;

	if (!name || !buf) {
		errno = EINVAL;
		return -1;
	}
	for (; *p; p++) {
		need = *p == '\\' ? 2 : (*p >= 0x20 && *p < 0x7f) ? 1 : 4;
		if (size <= n + need)
			goto too_small;
		if (need == 1) {
			buf[n] = (char)*p;
		} else {
			buf[n] = '\\';
			buf[n + 1] = need == 2 ? '\\' : 'x';
		}
		if (need == 4) {
			buf[n + 2] = hex[*p >> 4];
			buf[n + 3] = hex[*p & 15];
		}
		n += need;
	}
	if (size <= n)
		goto too_small;
	buf[n] = '\0';
	return (ssize_t)n;

too_small:
	if (size)
		buf[0] = '\0';
	errno = ERANGE;
	return -1;
}

static ssize_t name_of(int fd, char *name, bool peer)
{
	struct sockaddr_rill sa;
	socklen_t len = sizeof(sa);
	int family, ret;

	if (peer)
		ret = getpeername(fd, (struct sockaddr *)&sa, &len);
	else
		ret = getsockname(fd, (struct sockaddr *)&sa, &len);
	if (ret < 0)
		return -1;
	family = rill_family();
	if (family < 0)
		return -1;
	if (len < RILL_ADDR_MIN || len > sizeof(sa) || sa.srl_family != family) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return rill_addr_name(&sa, len, name, RILL_NAME_SIZE);
}

RILL_API ssize_t rill_own_name(int fd, char *name)
{
	return name_of(fd, name, false);
}

RILL_API ssize_t rill_peer_name(int fd, char *name)
{
	return name_of(fd, name, true);
}
