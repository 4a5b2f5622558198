// SPDX-License-Identifier: GPL-2.0-only
/*
 * rill_diag.ko: the answers to NETLINK_SOCK_DIAG, see linux/rill_diag.h.  A
 * module of its own, which the first question loads.
 *
 * A dump walks the sockets of the asker's network namespace as /proc/net/rill
 * does, by rill_sock_next(): what does not fit into one answer goes on in the
 * next from where it stopped, whatever came and went meanwhile.
 *
 * Locking: none is held while an answer is written.
 *
 * Lifetime: between two answers a dump holds no socket, but its request, the
 * asker's user and pid namespaces (whoever reads the next answer may be another),
 * and, by netlink, this module; and this one holds rill.ko.
 *
 * Context: process.
 */
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sock_diag.h>
#include <linux/user_namespace.h>
#include <net/netlink.h>
#include <linux/rill_diag.h>

#include "ring.h"
#include "af_rill.h"

/* A request that was checked, and how far its dump is. */
struct rill_diag {
	struct rill_diag_req	req;
	struct user_namespace	*user_ns;	/* both with a reference */
	struct pid_namespace	*pid_ns;
	u64			pos;
	unsigned int		prefix_len;
	char			prefix[RILL_NAME_SIZE];
};

/* A socket about to be told. */
struct rill_diag_item {
	struct sock		*sk;
	struct rill_view	view;
	struct sock		*other;		/* the peer, or the listener */
};

static const struct nla_policy rill_diag_policy[RILL_DIAG_REQ_MAX + 1] = {
	[RILL_DIAG_REQ_PREFIX]	= { .type = NLA_STRING, .len = RILL_NAME_MAX },
};

/* ---- the request ---- */

static int rill_diag_check(const struct rill_diag_req *req, bool dump)
{
	if (req->rdr_protocol || req->rdr_pad)
		return -EINVAL;
	if (req->rdr_show & ~RILL_DIAG_SHOW_VALID)
		return -EINVAL;
	if (dump)
		return req->rdr_states && req->rdr_types ? 0 : -EINVAL;
	return req->rdr_ino || req->rdr_cookie[0] || req->rdr_cookie[1] ?
	       0 : -EINVAL;
}

static void rill_diag_free(struct rill_diag *rd)
{
	put_user_ns(rd->user_ns);
	put_pid_ns(rd->pid_ns);
	kfree(rd);
}

/* In the context of whoever asks. */
static struct rill_diag *rill_diag_make(const struct sk_buff *in_skb,
					const struct nlmsghdr *nlh, bool dump)
{
	struct nlattr *tb[RILL_DIAG_REQ_MAX + 1];
	struct rill_diag *rd;
	int err;

	err = nlmsg_parse(nlh, sizeof(rd->req), tb, RILL_DIAG_REQ_MAX,
			  rill_diag_policy, NULL);
	if (!err)
		err = rill_diag_check(nlmsg_data(nlh), dump);
	/* One of a NUL alone is empty, too. */
	if (!err && tb[RILL_DIAG_REQ_PREFIX] &&
	    !*(const char *)nla_data(tb[RILL_DIAG_REQ_PREFIX]))
		err = -ERANGE;
	if (err)
		return ERR_PTR(err);

	rd = kzalloc(sizeof(*rd), GFP_KERNEL_ACCOUNT);
	if (!rd)
		return ERR_PTR(-ENOMEM);
	memcpy(&rd->req, nlmsg_data(nlh), sizeof(rd->req));
	if (tb[RILL_DIAG_REQ_PREFIX]) {
		nla_strscpy(rd->prefix, tb[RILL_DIAG_REQ_PREFIX],
			    sizeof(rd->prefix));
		rd->prefix_len = strlen(rd->prefix);
	}
	rd->user_ns = get_user_ns(sk_user_ns(NETLINK_CB(in_skb).sk));
	rd->pid_ns = get_pid_ns(task_active_pid_ns(current));
	return rd;
}

/* ---- an answer ---- */

/*
 * Inode and owner of a socket; false if it has no file, or none any more.  Once
 * it has lost its file it gets no other: what is read in between is of the file.
 */
static bool rill_diag_owner(struct sock *sk, u32 *ino, kuid_t *uid)
{
	*ino = sock_i_ino(sk);
	*uid = rill_sock_uid(sk);
	if (*ino && sock_i_ino(sk))
		return true;
	*ino = 0;
	return false;
}

static int rill_diag_put_name(struct sk_buff *skb, int attr,
			      const struct rill_name *name)
{
	return name ? nla_put_string(skb, attr, name->name) : 0;
}

static int rill_diag_put_peer(const struct rill_diag *rd, struct sk_buff *skb,
			      struct sock *other)
{
	struct rill_diag_peer peer = { .rdp_uid = ~0 };
	kuid_t uid;

	if (!other)
		return 0;
	if (rill_diag_owner(other, &peer.rdp_ino, &uid))
		peer.rdp_uid = from_kuid_munged(rd->user_ns, uid);
	sock_diag_save_cookie(other, peer.rdp_cookie);
	return nla_put(skb, RILL_DIAG_PEER, sizeof(peer), &peer) ?:
	       rill_diag_put_name(skb, RILL_DIAG_PEER_NAME,
				  rill_sock_name(other));
}

static int rill_diag_put_perm(const struct rill_diag *rd, struct sk_buff *skb,
			      const struct rill_name *name)
{
	struct rill_diag_perm out;
	struct rill_perm perm;

	if (!name)
		return 0;
	rill_name_perm(name, &perm);
	out.rdn_uid = from_kuid_munged(rd->user_ns, perm.uid);
	out.rdn_gid = from_kgid_munged(rd->user_ns, perm.gid);
	out.rdn_mode = perm.mode;
	return nla_put(skb, RILL_DIAG_PERM, sizeof(out), &out);
}

static u32 rill_diag_u32(long n)
{
	return clamp_t(long, n, 0, U32_MAX);
}

static int rill_diag_put_queue(struct sk_buff *skb,
			       const struct rill_view *view)
{
	struct rill_diag_queue queue;

	if (view->state == TCP_LISTEN)
		return nla_put(skb, RILL_DIAG_LISTEN_QUEUE,
			       sizeof(view->queue), &view->queue);
	queue.rdq_recv = rill_diag_u32(view->recv_q);
	queue.rdq_send = rill_diag_u32(view->send_q);
	return nla_put(skb, RILL_DIAG_QUEUE, sizeof(queue), &queue);
}

static int rill_diag_put_meminfo(struct sk_buff *skb, struct sock *sk)
{
	struct rill_diag_ring ring;
	u32 slots;
	int err;

	err = sock_diag_put_meminfo(sk, skb, RILL_DIAG_MEMINFO);
	if (err || !rill_is_stream(sk))
		return err;
	/* Acquire: before w_pos, so that the difference is never negative. */
	slots = smp_load_acquire(&rill_sk(sk)->ring.r_pos);
	ring.rdi_slots = READ_ONCE(rill_sk(sk)->ring.w_pos) - slots;
	ring.rdi_bytes = atomic_read(&sk->sk_rmem_alloc);
	return nla_put(skb, RILL_DIAG_RING, sizeof(ring), &ring);
}

static int rill_diag_put_cred(const struct rill_diag *rd, struct sk_buff *skb,
			      int attr, struct rill_cred *cred)
{
	struct rill_diag_cred out;

	if (!cred->pid)
		return 0;
	out.rdc_pid = pid_nr_ns(cred->pid, rd->pid_ns);
	out.rdc_uid = from_kuid_munged(rd->user_ns, cred->uid);
	out.rdc_gid = from_kgid_munged(rd->user_ns, cred->gid);
	put_pid(cred->pid);
	return nla_put(skb, attr, sizeof(out), &out);
}

static int rill_diag_put_creds(const struct rill_diag *rd, struct sk_buff *skb,
			       const struct rill_diag_item *item)
{
	struct rill_cred own, peer;
	int err, peer_err;

	rill_view_creds(&item->view, item->sk, &own, &peer);
	err = rill_diag_put_cred(rd, skb, RILL_DIAG_CRED, &own);
	peer_err = rill_diag_put_cred(rd, skb, RILL_DIAG_PEER_CRED, &peer);
	return err ?: peer_err;
}

static int rill_diag_put_attrs(const struct rill_diag *rd, struct sk_buff *skb,
			       const struct rill_diag_item *item)
{
	const struct rill_view *view = &item->view;
	u32 show = rd->req.rdr_show;
	struct sock *sk = item->sk;
	int err = 0;
	kuid_t uid;
	u32 ino;

	if (show & RILL_DIAG_SHOW_NAME)
		err = rill_diag_put_name(skb, RILL_DIAG_NAME, view->name);
	if (!err && show & RILL_DIAG_SHOW_PEER)
		err = rill_diag_put_peer(rd, skb, item->other);
	if (!err && show & RILL_DIAG_SHOW_UID && rill_diag_owner(sk, &ino, &uid))
		err = nla_put_u32(skb, RILL_DIAG_UID,
				  from_kuid_munged(rd->user_ns, uid));
	if (!err && show & RILL_DIAG_SHOW_PERM)
		err = rill_diag_put_perm(rd, skb, view->name);
	if (!err && show & RILL_DIAG_SHOW_QUEUE)
		err = rill_diag_put_queue(skb, view);
	if (!err && show & RILL_DIAG_SHOW_MEMINFO)
		err = rill_diag_put_meminfo(skb, sk);
	if (!err && show & RILL_DIAG_SHOW_CRED)
		err = rill_diag_put_creds(rd, skb, item);
	return err;
}

static u32 rill_diag_flags(const struct rill_diag_item *item)
{
	const struct rill_sock *rs = rill_sk(item->sk);
	u32 flags = 0;

	if (!READ_ONCE(rs->accepted))
		flags |= RILL_DIAG_F_UNACCEPTED;
	if (rs->pair)
		flags |= RILL_DIAG_F_PAIR;
	if (item->view.peer && READ_ONCE(rill_sk(item->view.peer)->dead))
		flags |= RILL_DIAG_F_HANGUP;
	return flags;
}

/* 0, or -EMSGSIZE with nothing written. */
static int rill_diag_put(const struct rill_diag *rd, struct sk_buff *skb,
			 const struct rill_diag_item *item, u32 portid, u32 seq,
			 u16 nlflags)
{
	struct rill_diag_msg *msg;
	struct nlmsghdr *nlh;

	nlh = nlmsg_put(skb, portid, seq, SOCK_DIAG_BY_FAMILY, sizeof(*msg),
			nlflags);
	if (!nlh)
		return -EMSGSIZE;
	msg = nlmsg_data(nlh);
	msg->rdm_family = rill_family;
	msg->rdm_type = item->sk->sk_type;
	msg->rdm_state = item->view.state;
	msg->rdm_shutdown = item->view.shutdown;
	msg->rdm_flags = rill_diag_flags(item);
	msg->rdm_ino = sock_i_ino(item->sk);
	sock_diag_save_cookie(item->sk, msg->rdm_cookie);
	if (rill_diag_put_attrs(rd, skb, item)) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

static void rill_diag_item_get(struct rill_diag_item *item, struct sock *sk)
{
	item->sk = sk;
	rill_view_get(&item->view, sk);
	item->other = item->view.peer ?: item->view.listener;
}

static void rill_diag_item_put(struct rill_diag_item *item)
{
	rill_view_put(&item->view);
}

/* ---- a dump ---- */

static bool rill_diag_name_matches(const struct rill_diag *rd,
				   const struct rill_name *name)
{
	return name && !strncmp(name->name, rd->prefix, rd->prefix_len);
}

static bool rill_diag_matches(const struct rill_diag *rd,
			      const struct rill_diag_item *item)
{
	if (!(rd->req.rdr_states & BIT(item->view.state)))
		return false;
	if (!rd->prefix_len || rill_diag_name_matches(rd, item->view.name))
		return true;
	return item->other &&
	       rill_diag_name_matches(rd, rill_sock_name(item->other));
}

/* 0, also if it was not asked for; -EMSGSIZE if it does not fit any more. */
static int rill_diag_dump_one(const struct rill_diag *rd, struct sk_buff *skb,
			      struct netlink_callback *cb, struct sock *sk)
{
	struct rill_diag_item item;
	int err = 0;

	/* What costs nothing comes first; the state is looked at again. */
	if (!(rd->req.rdr_types & BIT(sk->sk_type)) ||
	    !(rd->req.rdr_states & BIT(READ_ONCE(sk->sk_state))) ||
	    rill_sock_hidden(sk))
		return 0;
	rill_diag_item_get(&item, sk);
	if (rill_diag_matches(rd, &item))
		err = rill_diag_put(rd, skb, &item, NETLINK_CB(cb->skb).portid,
				    cb->nlh->nlmsg_seq, NLM_F_MULTI);
	rill_diag_item_put(&item);
	return err;
}

static int rill_diag_dump_start(struct netlink_callback *cb)
{
	struct rill_diag *rd = rill_diag_make(cb->skb, cb->nlh, true);

	if (IS_ERR(rd))
		return PTR_ERR(rd);
	cb->args[0] = (long)rd;
	return 0;
}

static int rill_diag_dump_done(struct netlink_callback *cb)
{
	rill_diag_free((struct rill_diag *)cb->args[0]);
	return 0;
}

static int rill_diag_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct rill_diag *rd = (struct rill_diag *)cb->args[0];
	struct net *net = sock_net(skb->sk);
	struct sock *sk, *prev = NULL;
	int err = 0;

	/* The one that did not fit is the next answer's first. */
	while ((sk = rill_sock_next(net, &rd->pos, prev))) {
		if (prev)
			sock_put(prev);
		prev = sk;
		err = rill_diag_dump_one(rd, skb, cb, sk);
		if (err)
			break;
		rd->pos++;
		cond_resched();
	}
	if (prev)
		sock_put(prev);
	return skb->len ?: err;
}

/* ---- one socket ---- */

static bool rill_diag_is(struct sock *sk, const struct rill_diag_req *req)
{
	u32 cookie[2];

	if (req->rdr_ino)
		return sock_i_ino(sk) == req->rdr_ino;
	/* One that was never asked for has none yet. */
	if (!atomic64_read(&sk->sk_cookie))
		return false;
	sock_diag_save_cookie(sk, cookie);
	return cookie[0] == req->rdr_cookie[0] && cookie[1] == req->rdr_cookie[1];
}

/* The socket with a reference, or -ENOENT or -ESTALE. */
static struct sock *rill_diag_find(struct net *net,
				   const struct rill_diag_req *req)
{
	struct sock *sk, *prev = NULL;
	u64 pos = 0;
	u32 cookie[2];

	while ((sk = rill_sock_next(net, &pos, prev))) {
		if (prev)
			sock_put(prev);
		prev = sk;
		if (!rill_sock_hidden(sk) && rill_diag_is(sk, req))
			break;
		pos++;
		cond_resched();
	}
	if (!sk) {
		if (prev)
			sock_put(prev);
		return ERR_PTR(-ENOENT);
	}
	if (req->rdr_cookie[0] || req->rdr_cookie[1]) {
		sock_diag_save_cookie(sk, cookie);
		if (cookie[0] != req->rdr_cookie[0] ||
		    cookie[1] != req->rdr_cookie[1]) {
			sock_put(sk);
			return ERR_PTR(-ESTALE);
		}
	}
	return sk;
}

static int rill_diag_tell_one(struct sk_buff *in_skb, const struct nlmsghdr *nlh,
			      const struct rill_diag *rd)
{
	struct net *net = sock_net(in_skb->sk);
	u32 portid = NETLINK_CB(in_skb).portid;
	struct rill_diag_item item;
	struct sk_buff *skb;
	struct sock *sk;
	int err;

	sk = rill_diag_find(net, &rd->req);
	if (IS_ERR(sk))
		return PTR_ERR(sk);
	err = -ENOMEM;
	/* Several times what the longest names need. */
	skb = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb)
		goto out;
	rill_diag_item_get(&item, sk);
	err = rill_diag_put(rd, skb, &item, portid, nlh->nlmsg_seq, 0);
	rill_diag_item_put(&item);
	if (err)
		nlmsg_free(skb);
	else
		err = nlmsg_unicast(net->diag_nlsk, skb, portid);
out:
	sock_put(sk);
	return err;
}

static int rill_diag_one(struct sk_buff *in_skb, const struct nlmsghdr *nlh)
{
	struct rill_diag *rd = rill_diag_make(in_skb, nlh, false);
	int err;

	if (IS_ERR(rd))
		return PTR_ERR(rd);
	err = rill_diag_tell_one(in_skb, nlh, rd);
	rill_diag_free(rd);
	return err;
}

/* ---- coming and going ---- */

static int rill_diag_ask(struct sk_buff *skb, struct nlmsghdr *nlh)
{
	struct netlink_dump_control control = {
		.start	= rill_diag_dump_start,
		.dump	= rill_diag_dump,
		.done	= rill_diag_dump_done,
	};

	if (nlh->nlmsg_flags & NLM_F_DUMP)
		return netlink_dump_start(sock_net(skb->sk)->diag_nlsk, skb,
					  nlh, &control);
	return rill_diag_one(skb, nlh);
}

static struct sock_diag_handler rill_diag_handler __ro_after_init = {
#ifdef RILL_DIAG_HAS_OWNER
	.owner	= THIS_MODULE,
#endif
	.dump	= rill_diag_ask,
};

static int __init rill_diag_init(void)
{
	rill_diag_handler.family = rill_family;
	return sock_diag_register(&rill_diag_handler);
}

static void __exit rill_diag_exit(void)
{
	sock_diag_unregister(&rill_diag_handler);
}

module_init(rill_diag_init);
module_exit(rill_diag_exit);

MODULE_DESCRIPTION("AF_RILL: answers to sock_diag");
MODULE_AUTHOR("The Rill developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
/* The core asks only for a family that is there: this does not load rill.ko. */
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_NETLINK, NETLINK_SOCK_DIAG, 18);
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_NETLINK, NETLINK_SOCK_DIAG, 13);
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_NETLINK, NETLINK_SOCK_DIAG, 22);
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_NETLINK, NETLINK_SOCK_DIAG, 25);
