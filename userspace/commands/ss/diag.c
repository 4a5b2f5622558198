// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asking NETLINK_SOCK_DIAG, which rill_diag.ko answers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <rill/rill.h>

#include "ss.h"

/* The kernel makes its answers as large as the reader has room for, up to this. */
#define ANSWER_SIZE	32768

static void *more_memory(void *old, size_t size)
{
	void *p = realloc(old, size);

	if (!p) {
		fputs("rill ss: out of memory\n", stderr);
		exit(EXIT_FAIL);
	}
	return p;
}

static struct ss_sock *list_add(struct ss_list *list)
{
	if (list->n == list->room) {
		list->room = list->room ? 2 * list->room : 256;
		list->sock = more_memory(list->sock, list->room * sizeof(*list->sock));
	}
	memset(&list->sock[list->n], 0, sizeof(*list->sock));
	return &list->sock[list->n++];
}

static void sock_clear(struct ss_sock *s)
{
	free(s->name);
	free(s->peer_name);
}

/* By the name that a connection goes by, a listener first; then by inode. */
static int by_name(const void *a, const void *b)
{
	const struct ss_sock *x = *(struct ss_sock * const *)a;
	const struct ss_sock *y = *(struct ss_sock * const *)b;
	const char *m = x->name ? x->name : x->peer_name;
	const char *n = y->name ? y->name : y->peer_name;
	bool x_listens = x->msg.rdm_state == RILL_DIAG_LISTEN;
	bool y_listens = y->msg.rdm_state == RILL_DIAG_LISTEN;
	int order;

	if (!m != !n)
		return m ? -1 : 1;
	order = m ? strcmp(m, n) : 0;
	if (order)
		return order;
	if (x_listens != y_listens)
		return x_listens ? -1 : 1;
	if (x->msg.rdm_ino != y->msg.rdm_ino)
		return x->msg.rdm_ino < y->msg.rdm_ino ? -1 : 1;
	return memcmp(x->msg.rdm_cookie, y->msg.rdm_cookie, sizeof(x->msg.rdm_cookie));
}

void ss_list_sort(struct ss_list *list)
{
	list->order = more_memory(list->order, (list->n + 1) * sizeof(*list->order));
	for (size_t i = 0; i < list->n; i++)
		list->order[i] = &list->sock[i];
	qsort(list->order, list->n, sizeof(*list->order), by_name);
}

void ss_list_free(struct ss_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		sock_clear(&list->sock[i]);
	free(list->sock);
	free(list->order);
	memset(list, 0, sizeof(*list));
}

static char *copy_name(const char *data, size_t len)
{
	char *name = more_memory(NULL, len + 1);

	memcpy(name, data, len);
	name[len] = '\0';
	return name;
}

/* Where an attribute goes that is as it is. */
static void *field_of(struct ss_sock *s, int type, size_t *size)
{
	switch (type) {
	case RILL_DIAG_PEER:
		*size = sizeof(s->peer);
		return &s->peer;
	case RILL_DIAG_UID:
		*size = sizeof(s->uid);
		return &s->uid;
	case RILL_DIAG_PERM:
		*size = sizeof(s->perm);
		return &s->perm;
	case RILL_DIAG_QUEUE:
		*size = sizeof(s->queue);
		return &s->queue;
	case RILL_DIAG_LISTEN_QUEUE:
		*size = sizeof(s->listen);
		return &s->listen;
	case RILL_DIAG_MEMINFO:
		*size = sizeof(s->mem);
		return s->mem;
	case RILL_DIAG_RING:
		*size = sizeof(s->ring);
		return &s->ring;
	case RILL_DIAG_CRED:
		*size = sizeof(s->cred);
		return &s->cred;
	case RILL_DIAG_PEER_CRED:
		*size = sizeof(s->peer_cred);
		return &s->peer_cred;
	}
	return NULL;
}

/* A later kernel may tell more of something, and more things. */
static void read_attr(struct ss_sock *s, int type, const void *data, size_t len)
{
	size_t size;
	void *field;

	if (type <= 0 || type > RILL_DIAG_MAX || ss_has(s, type))
		return;
	if (type == RILL_DIAG_NAME) {
		s->name = copy_name(data, len);
	} else if (type == RILL_DIAG_PEER_NAME) {
		s->peer_name = copy_name(data, len);
	} else {
		field = field_of(s, type, &size);
		if (!field || len < size)
			return;
		memcpy(field, data, size);
	}
	s->has |= 1U << type;
}

static int read_sock(struct ss_list *list, const struct nlmsghdr *nlh,
		     const struct ss_filter *f)
{
	const char *p = (const char *)nlh + NLMSG_HDRLEN;
	const char *end = (const char *)nlh + nlh->nlmsg_len;
	struct ss_sock *s;

	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(s->msg)))
		return -EBADMSG;
	s = list_add(list);
	memcpy(&s->msg, p, sizeof(s->msg));
	p += NLMSG_ALIGN(sizeof(s->msg));
	while (end - p >= NLA_HDRLEN) {
		struct nlattr a;

		memcpy(&a, p, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > end - p)
			return -EBADMSG;
		read_attr(s, a.nla_type & NLA_TYPE_MASK, p + NLA_HDRLEN, a.nla_len - NLA_HDRLEN);
		if (NLA_ALIGN(a.nla_len) >= end - p)
			break;
		p += NLA_ALIGN(a.nla_len);
	}
	if (!ss_filter_match(f, s)) {
		sock_clear(s);
		list->n--;
	}
	return 0;
}

static int ask(int nl, const struct ss_filter *f, uint32_t show, int family)
{
	struct {
		struct nlmsghdr		nlh;
		struct rill_diag_req	req;
		struct nlattr		attr;
		char			prefix[RILL_NAME_SIZE];
	} q;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	size_t len;

	memset(&q, 0, sizeof(q));
	q.nlh.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	q.nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	q.nlh.nlmsg_len = offsetof(__typeof__(q), attr);
	q.req.rdr_family = family;
	q.req.rdr_states = f->states | (f->receivers ? 1U << RILL_DIAG_CLOSED : 0);
	q.req.rdr_types = f->types;
	q.req.rdr_show = show;
	ss_filter_prefix(f, q.prefix);
	len = strlen(q.prefix);
	if (len) {
		q.attr.nla_type = RILL_DIAG_REQ_PREFIX;
		q.attr.nla_len = NLA_HDRLEN + len;
		q.nlh.nlmsg_len = NLMSG_ALIGN(offsetof(__typeof__(q), prefix) + len);
	}
	if (sendto(nl, &q, q.nlh.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

/* 0 to go on, 1 at the end, or a negative errno. */
static int read_answer(int nl, char *buf, struct ss_list *list, const struct ss_filter *f)
{
	struct iovec iov = { .iov_base = buf, .iov_len = ANSWER_SIZE };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	ssize_t n = recvmsg(nl, &msg, 0);
	int ret = 0, err;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (!n || msg.msg_flags & MSG_TRUNC)
		return -EBADMSG;
	for (; !ret && NLMSG_OK(nlh, (size_t)n); nlh = NLMSG_NEXT(nlh, n)) {
		switch (nlh->nlmsg_type) {
		case NLMSG_ERROR:
		case NLMSG_DONE:
			/* Both begin with an errno. */
			err = 0;
			if (nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(err)))
				memcpy(&err, NLMSG_DATA(nlh), sizeof(err));
			return err ? err : 1;
		case SOCK_DIAG_BY_FAMILY:
			ret = read_sock(list, nlh, f);
		}
	}
	return ret;
}

static const char nobody[] =
	"nobody to ask: rill_diag.ko is not loaded and could not be: try \"modprobe rill_diag\"";
static const char other_version[] =
	"rill_diag.ko does not understand the question: it is of another version than this program";

static void complain(int err)
{
	if (err == ENOENT)
		fprintf(stderr, "rill ss: %s\n", nobody);
	else if (err == EINVAL)
		fprintf(stderr, "rill ss: %s\n", other_version);
	else
		fprintf(stderr, "rill ss: cannot read the sockets: %s\n", strerror(err));
}

/* The sockets that pass the filter.  0, or -1 after a message. */
int ss_dump(const struct ss_filter *f, uint32_t show, struct ss_list *list)
{
	int family = rill_family(), nl, ret;
	char *buf;

	if (family < 0) {
		fprintf(stderr, "rill ss: %s\n", rill_explain(errno));
		return -1;
	}
	nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (nl < 0) {
		fprintf(stderr, "rill ss: cannot open a netlink socket: %s\n", strerror(errno));
		return -1;
	}
	buf = more_memory(NULL, ANSWER_SIZE);
	ret = ask(nl, f, show, family);
	while (!ret)
		ret = read_answer(nl, buf, list, f);
	free(buf);
	close(nl);
	if (ret > 0)
		return 0;
	complain(-ret);
	return -1;
}
