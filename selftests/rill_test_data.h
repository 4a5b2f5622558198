/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of names, data, options and files of AF_RILL share, on top of
 * rill_test.h.
 */
#ifndef RILL_TEST_DATA_H
#define RILL_TEST_DATA_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <sys/syscall.h>

/* 32-bit x86 has accept4() only, and a number is all that rill_test.h wants. */
#ifndef SYS_accept
#define SYS_accept	(-2)
#endif

#include "rill_test.h"

#include <grp.h>
#include <limits.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <linux/capability.h>
#include <linux/sock_diag.h>

/* errno_cover.sh reads the "errno:" tags of these programs; its head says how. */

/* ---- figures ----------------------------------------------------------- */

/* A figure, at once: a test ends by _exit(). */
__attribute__((format(printf, 1, 2)))
static inline void rd_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	fflush(stdout);
}

/* ---- checks in a child process ----------------------------------------- */

/* An EXPECT in a child would be lost: this says where it was, and exits. */
#define CHECK(cond) do {						\
	if (!(cond)) {							\
		fprintf(stderr, "# %s:%d: in a child: %s (errno %d)\n",	\
			__FILE__, __LINE__, #cond, errno);		\
		_exit(1);						\
	}								\
} while (0)

/* As CHECK, for a value that should be told when it is wrong. */
#define CHECK_EQ(want, got) do {					\
	long long __want = (want), __got = (got);			\
									\
	if (__want != __got) {						\
		fprintf(stderr, "# %s:%d: in a child: %s is %lld, not %lld\n", \
			__FILE__, __LINE__, #got, __got, __want);	\
		_exit(1);						\
	}								\
} while (0)

/* Becomes somebody without any capability. */
static inline int rd_become(uid_t uid, gid_t gid, const gid_t *groups,
			    int n_groups)
{
	if (setgroups(n_groups, groups) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid))
		return -errno;
	/* setresuid() clears the flag, and with it the death of the parent. */
	return SYS(prctl(PR_SET_PDEATHSIG, SIGKILL));
}

/* Takes one capability away from this thread for good. */
static inline int rd_drop_cap(int cap)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return -errno;
	d[CAP_TO_INDEX(cap)].effective &= ~CAP_TO_MASK(cap);
	d[CAP_TO_INDEX(cap)].permitted &= ~CAP_TO_MASK(cap);
	d[CAP_TO_INDEX(cap)].inheritable &= ~CAP_TO_MASK(cap);
	return SYS(syscall(SYS_capset, &h, d));
}

/* ---- memory with a hole ------------------------------------------------ */

/* n pages, of which the one with index hole cannot be touched. */
static inline char *rd_map_hole(size_t n, size_t hole)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, n * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + hole * page, page, PROT_NONE))
		return NULL;
	return p;
}

/* The end of a page after which nothing can be touched. */
static inline char *rd_map_edge(size_t pages)
{
	char *p = rd_map_hole(pages + 1, pages);

	return p ? p + pages * sysconf(_SC_PAGESIZE) : NULL;
}

/* ---- ancillary data ---------------------------------------------------- */

/* Sends with one control message; len is that of its data. */
static inline long rd_send_cmsg(int fd, const void *buf, size_t size,
				int flags, int level, int type,
				const void *data, size_t len)
{
	union {
		char buf[CMSG_SPACE(256)];
		struct cmsghdr align;
	} u = { 0 };
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = CMSG_SPACE(len),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	return SYS(sendmsg(fd, &msg, flags | MSG_NOSIGNAL));
}

/* Of a stream: the memory of what was sent to fd, which its ring holds. */
static inline long rd_held(int fd)
{
	__u32 m[9];
	socklen_t len = sizeof(m);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, m, &len))
		return -errno;
	return m[SK_MEMINFO_RMEM_ALLOC];
}

/* What a receive with room for control messages brought. */
struct rd_msg {
	long		ret;
	int		flags;
	socklen_t	namelen;
	size_t		controllen;
	struct sockaddr_storage name;
	union {
		char		control[512];
		struct cmsghdr	align;
	};
};

static inline long rd_recv(int fd, void *buf, size_t size, int flags,
			   struct rd_msg *m)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = {
		.msg_name = &m->name,
		.msg_namelen = sizeof(m->name),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = m->control,
		.msg_controllen = sizeof(m->control),
	};

	memset(m, 0, sizeof(*m));
	m->ret = SYS(recvmsg(fd, &msg, flags));
	m->flags = msg.msg_flags;
	m->namelen = msg.msg_namelen;
	m->controllen = msg.msg_controllen;
	return m->ret;
}

/* The data of a control message, or NULL; its length in *len. */
static inline void *rd_cmsg(struct rd_msg *m, int level, int type, size_t *len)
{
	struct msghdr msg = {
		.msg_control = m->control,
		.msg_controllen = m->controllen,
	};
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != level || c->cmsg_type != type)
			continue;
		if (len)
			*len = c->cmsg_len - CMSG_LEN(0);
		return CMSG_DATA(c);
	}
	return NULL;
}

/* The credentials that came along: false if none. */
static inline bool rd_creds(struct rd_msg *m, struct ucred *uc)
{
	size_t len;
	void *p = rd_cmsg(m, SOL_SOCKET, SCM_CREDENTIALS, &len);

	if (!p || len != sizeof(*uc))
		return false;
	memcpy(uc, p, sizeof(*uc));
	return true;
}

/* ---- data whose every byte says where it belongs ----------------------- */

static inline __u64 rd_mix(__u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* The byte at a position of a stream. */
static inline unsigned char rd_byte(__u64 seed, __u64 pos)
{
	__u64 w = rd_mix(seed + (pos >> 3));

	return (unsigned char)(w >> (pos & 7) * 8);
}

static inline void rd_fill(void *buf, size_t len, __u64 seed, __u64 pos)
{
	unsigned char *p = buf;

	while (len && pos & 7) {
		*p++ = rd_byte(seed, pos++);
		len--;
	}
	while (len >= 8) {
		__u64 w = rd_mix(seed + (pos >> 3));

		memcpy(p, &w, 8);
		p += 8;
		pos += 8;
		len -= 8;
	}
	while (len--)
		*p++ = rd_byte(seed, pos++);
}

/* The index of the first byte that is wrong, or -1. */
static inline long rd_verify(const void *buf, size_t len, __u64 seed,
			     __u64 pos)
{
	const unsigned char *p = buf, *start = buf;

	while (len && pos & 7) {
		if (*p != rd_byte(seed, pos++))
			return p - start;
		p++;
		len--;
	}
	while (len >= 8) {
		__u64 w = rd_mix(seed + (pos >> 3)), got;

		memcpy(&got, p, 8);
		if (got != w) {
			while (*p == rd_byte(seed, pos)) {
				p++;
				pos++;
			}
			return p - start;
		}
		p += 8;
		pos += 8;
		len -= 8;
	}
	for (; len; len--, p++) {
		if (*p != rd_byte(seed, pos++))
			return p - start;
	}
	return -1;
}

#endif /* RILL_TEST_DATA_H */
