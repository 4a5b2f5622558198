/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asking NETLINK_SOCK_DIAG about sockets of AF_RILL, and reading the answers.
 */
#ifndef RILL_TEST_DIAG_H
#define RILL_TEST_DIAG_H

#include "rill_test_data.h"

#include <linux/netlink.h>
#include <linux/rill_diag.h>
#include <linux/sock_diag.h>

#define DG_ALL		(~0U)
#define DG_BUF		65536

/* A question: the request, one attribute, and what the tests of errors change. */
struct dg_ask {
	struct nlmsghdr		nlh;
	struct rill_diag_req	req;
	struct nlattr		attr;
	char			prefix[256];
};

/* An answer. */
struct dg_sock {
	struct rill_diag_msg	msg;
	bool			has[RILL_DIAG_MAX + 1];
	char			name[RILL_NAME_SIZE];
	char			peer_name[RILL_NAME_SIZE];
	struct rill_diag_peer	peer;
	__u32			uid;
	struct rill_diag_perm	perm;
	struct rill_diag_queue	queue;
	struct rill_queue	listen;
	__u32			mem[SK_MEMINFO_VARS];
	struct rill_diag_ring	ring;
	struct rill_diag_cred	cred;
	struct rill_diag_cred	peer_cred;
};

/* Called for each answer; not 0 ends the reading with that. */
typedef int (*dg_each)(const struct dg_sock *s, void *arg);

static inline int dg_open(void)
{
	struct timeval tv = { .tv_sec = RT_WAIT_MS / 1000 };
	int nl = SYS(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			    NETLINK_SOCK_DIAG));

	if (nl >= 0)
		setsockopt(nl, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return nl;
}

/* A dump of everything, all shown; change what should be another. */
static inline void dg_init(struct dg_ask *ask)
{
	memset(ask, 0, sizeof(*ask));
	ask->nlh.nlmsg_len = offsetof(struct dg_ask, attr);
	ask->nlh.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	ask->nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ask->nlh.nlmsg_seq = 1;
	ask->req.rdr_family = rt_rill_family();
	ask->req.rdr_states = DG_ALL;
	ask->req.rdr_types = DG_ALL;
	ask->req.rdr_show = RILL_DIAG_SHOW_VALID;
}

static inline void dg_attr(struct dg_ask *ask, int type, const char *text)
{
	size_t len = strlen(text);

	ask->attr.nla_type = type;
	ask->attr.nla_len = NLA_HDRLEN + len;
	memcpy(ask->prefix, text, len);
	ask->nlh.nlmsg_len = NLMSG_ALIGN(offsetof(struct dg_ask, prefix) + len);
}

static inline int dg_send(int nl, const struct dg_ask *ask)
{
	long n = SYS(send(nl, ask, ask->nlh.nlmsg_len, 0));

	return n < 0 ? n : n == (long)ask->nlh.nlmsg_len ? 0 : -EIO;
}

static inline bool dg_copy(void *to, size_t size, const void *data, size_t len)
{
	if (len != size)
		return false;
	memcpy(to, data, len);
	return true;
}

static inline bool dg_copy_name(char *to, const char *data, size_t len)
{
	/* Ended by one NUL, which counts. */
	if (!len || len > RILL_NAME_SIZE || strnlen(data, len) != len - 1)
		return false;
	memcpy(to, data, len);
	return true;
}

static inline bool dg_parse_attr(struct dg_sock *s, int type, const void *data,
				 size_t len)
{
	switch (type) {
	case RILL_DIAG_NAME:
		return dg_copy_name(s->name, data, len);
	case RILL_DIAG_PEER_NAME:
		return dg_copy_name(s->peer_name, data, len);
	case RILL_DIAG_PEER:
		return dg_copy(&s->peer, sizeof(s->peer), data, len);
	case RILL_DIAG_UID:
		return dg_copy(&s->uid, sizeof(s->uid), data, len);
	case RILL_DIAG_PERM:
		return dg_copy(&s->perm, sizeof(s->perm), data, len);
	case RILL_DIAG_QUEUE:
		return dg_copy(&s->queue, sizeof(s->queue), data, len);
	case RILL_DIAG_LISTEN_QUEUE:
		return dg_copy(&s->listen, sizeof(s->listen), data, len);
	case RILL_DIAG_MEMINFO:
		/* Kernels may add to it. */
		if (len < sizeof(s->mem))
			return false;
		memcpy(s->mem, data, sizeof(s->mem));
		return true;
	case RILL_DIAG_RING:
		return dg_copy(&s->ring, sizeof(s->ring), data, len);
	case RILL_DIAG_CRED:
		return dg_copy(&s->cred, sizeof(s->cred), data, len);
	case RILL_DIAG_PEER_CRED:
		return dg_copy(&s->peer_cred, sizeof(s->peer_cred), data, len);
	}
	return false;
}

static inline int dg_parse(struct dg_sock *s, const struct nlmsghdr *nlh)
{
	const char *p = NLMSG_DATA(nlh), *end = (const char *)nlh + nlh->nlmsg_len;

	memset(s, 0, sizeof(*s));
	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(s->msg)))
		return -EBADMSG;
	memcpy(&s->msg, p, sizeof(s->msg));
	p += NLMSG_ALIGN(sizeof(s->msg));
	while (p + NLA_HDRLEN <= end) {
		const struct nlattr *a = (const struct nlattr *)p;

		if (a->nla_len < NLA_HDRLEN || p + a->nla_len > end ||
		    a->nla_type > RILL_DIAG_MAX || s->has[a->nla_type])
			return -EBADMSG;
		if (!dg_parse_attr(s, a->nla_type, p + NLA_HDRLEN,
				   a->nla_len - NLA_HDRLEN))
			return -EBADMSG;
		s->has[a->nla_type] = true;
		p += NLA_ALIGN(a->nla_len);
	}
	return 0;
}

/* One receive: 0 to go on, 1 at the end, or a negative errno.  buf: of DG_BUF. */
static inline int dg_recv_into(int nl, bool dump, char *buf, dg_each each, void *arg)
{
	struct nlmsghdr *nlh;
	struct dg_sock s;
	long n;
	int ret = 0;

	n = SYS(recv(nl, buf, DG_BUF, 0));
	if (n < 0)
		ret = n;
	for (nlh = (struct nlmsghdr *)buf; !ret && NLMSG_OK(nlh, n);
	     nlh = NLMSG_NEXT(nlh, n)) {
		if (nlh->nlmsg_type == NLMSG_ERROR) {
			ret = ((struct nlmsgerr *)NLMSG_DATA(nlh))->error ?: 1;
		} else if (nlh->nlmsg_type == NLMSG_DONE) {
			ret = *(int *)NLMSG_DATA(nlh) ?: 1;
		} else if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY) {
			ret = -EBADMSG;
		} else {
			ret = dg_parse(&s, nlh) ?: (each ? each(&s, arg) : 0);
			if (!ret && !dump)
				ret = 1;
		}
	}
	return ret;
}

static inline int dg_recv(int nl, bool dump, dg_each each, void *arg)
{
	char *buf = malloc(DG_BUF);
	int ret = buf ? dg_recv_into(nl, dump, buf, each, arg) : -ENOMEM;

	free(buf);
	return ret;
}

/* Asks, and reads to the end: 0 or a negative errno. */
static inline int dg_ask(int nl, const struct dg_ask *ask, dg_each each, void *arg)
{
	bool dump = ask->nlh.nlmsg_flags & NLM_F_DUMP;
	int ret = dg_send(nl, ask);

	while (!ret)
		ret = dg_recv(nl, dump, each, arg);
	return ret < 0 ? ret : 0;
}

static inline int dg_take(const struct dg_sock *s, void *arg)
{
	memcpy(arg, s, sizeof(*s));
	return 0;
}

/* One socket, by its inode and, if that is not 0, its cookie. */
static inline int dg_by(unsigned int ino, __u64 cookie, struct dg_sock *s)
{
	struct dg_ask ask;
	int nl = dg_open(), ret;

	if (nl < 0)
		return nl;
	dg_init(&ask);
	ask.nlh.nlmsg_flags = NLM_F_REQUEST;
	ask.req.rdr_ino = ino;
	ask.req.rdr_cookie[0] = cookie;
	ask.req.rdr_cookie[1] = cookie >> 32;
	ret = dg_ask(nl, &ask, dg_take, s);
	close(nl);
	return ret;
}

static inline int dg_of(int fd, struct dg_sock *s)
{
	return dg_by(rt_inode(fd), 0, s);
}

static inline __u64 dg_cookie(const __u32 cookie[2])
{
	return (__u64)cookie[1] << 32 | cookie[0];
}

static inline __u64 dg_cookie_of(int fd)
{
	__u64 cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ? 0 : cookie;
}

static inline int dg_count_each(const struct dg_sock *s, void *arg)
{
	(void)s;
	++*(int *)arg;
	return 0;
}

/* How many sockets a dump tells, or a negative errno. */
static inline int dg_count(const struct dg_ask *ask)
{
	int nl = dg_open(), n = 0, ret;

	if (nl < 0)
		return nl;
	ret = dg_ask(nl, ask, dg_count_each, &n);
	close(nl);
	return ret ?: n;
}

#endif /* RILL_TEST_DIAG_H */
