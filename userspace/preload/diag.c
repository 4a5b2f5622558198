// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who really listens at an address of TCP, or has one of UDP: sock_diag(7) is
 * asked for the socket that the kernel itself would find.
 *
 * A socket for each question: to keep one would take an fd that the program may
 * close, and two threads would read each other's answers.
 */
#define _GNU_SOURCE
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <pthread.h>

#include "preload.h"

struct question {
	struct nlmsghdr			head;
	struct inet_diag_req_v2		req;
};

static void fill(struct question *q, int protocol, const struct sockaddr *addr,
		 const struct sockaddr *from)
{
	const struct sockaddr_in *in = (const void *)addr;
	const struct sockaddr_in6 *in6 = (const void *)addr;
	struct inet_diag_sockid *id = &q->req.id;
	/* In udp_diag the sides are named the other way round. */
	__be32 *own = protocol == IPPROTO_UDP ? id->idiag_dst : id->idiag_src;
	__be32 *other = protocol == IPPROTO_UDP ? id->idiag_src : id->idiag_dst;
	__be16 *port = protocol == IPPROTO_UDP ? &id->idiag_dport : &id->idiag_sport;

	memset(q, 0, sizeof(*q));
	q->head.nlmsg_len = sizeof(*q);
	q->head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	q->head.nlmsg_flags = NLM_F_REQUEST;
	q->req.sdiag_family = addr->sa_family;
	q->req.sdiag_protocol = protocol;
	q->req.idiag_states = ~0u;
	/* A socket of UDP that is connected is found by its peer only. */
	if (from && protocol == IPPROTO_UDP)
		id->idiag_sport = from->sa_family == AF_INET ?
				  ((const struct sockaddr_in *)from)->sin_port :
				  ((const struct sockaddr_in6 *)from)->sin6_port;
	id->idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	if (addr->sa_family == AF_INET) {
		own[0] = in->sin_addr.s_addr;
		other[0] = htonl(INADDR_LOOPBACK);
		*port = in->sin_port;
	} else {
		memcpy(own, &in6->sin6_addr, 16);
		memcpy(other, &in6addr_loopback, 16);
		*port = in6->sin6_port;
	}
}

static void take(const struct inet_diag_msg *msg, struct run_owner *owner)
{
	owner->uid = msg->idiag_uid;
	owner->ino = msg->idiag_inode;
	memset(&owner->addr, 0, sizeof(owner->addr));
	if (msg->idiag_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&owner->addr;

		in->sin_family = AF_INET;
		in->sin_addr.s_addr = msg->id.idiag_src[0];
		in->sin_port = msg->id.idiag_sport;
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&owner->addr;

		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, msg->id.idiag_src, 16);
		in6->sin6_port = msg->id.idiag_sport;
	}
}

int run_diag_find(int protocol, const struct sockaddr *addr, struct run_owner *owner)
{
	return run_diag_find_from(protocol, addr, NULL, owner);
}

static int ask(int protocol, const struct sockaddr *addr, const struct sockaddr *from,
	       struct run_owner *owner)
{
	static atomic_uint spread;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct {
		struct nlmsghdr		head;
		union {
			struct nlmsgerr		err;
			struct inet_diag_msg	msg;
			char			room[1024];
		};
	} answer;
	struct question q;
	int fd, ret = -1;
	ssize_t n;

	fd = real.socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -1;
	fill(&q, protocol, addr, from);
	/* Listeners with SO_REUSEPORT are chosen by the other side's port. */
	if (protocol == IPPROTO_TCP)
		q.req.id.idiag_dport = htons(61000 + atomic_fetch_add(&spread, 1) % 4000);
	if (real.sendto(fd, &q, sizeof(q), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		goto out;
	do {
		n = real.recv(fd, &answer, sizeof(answer), 0);
	} while (n < 0 && errno == EINTR);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)))
		goto out;
	if (answer.head.nlmsg_type == NLMSG_ERROR) {
		/* ENOENT is said by the protocol, or for want of the module. */
		ret = answer.err.error == -ENOENT ? 0 : -1;
		goto out;
	}
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
		goto out;
	if (protocol == IPPROTO_TCP && answer.msg.idiag_state != 10 /* LISTEN */) {
		ret = 0;
		goto out;
	}
	take(&answer.msg, owner);
	ret = 1;
out:
	run_close(fd);
	return ret;
}

/**
 * run_diag_find_from() - whose socket gets what is sent to an address
 * @protocol: IPPROTO_TCP, then it is a listener, or IPPROTO_UDP
 * @addr: the address
 * @from: the sender's address, of which the port counts; or NULL
 * @owner: gets the answer
 *
 * Return: 1; 0 if it is nobody's; -1 if it cannot be told.
 */
int run_diag_find_from(int protocol, const struct sockaddr *addr, const struct sockaddr *from,
		       struct run_owner *owner)
{
	int cancel, ret;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	ret = ask(protocol, addr, from, owner);
	pthread_setcancelstate(cancel, NULL);
	return ret;
}
