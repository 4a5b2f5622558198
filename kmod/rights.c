// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that travel beside data (SCM_RIGHTS): what a send may carry, who pays for
 * it while it is in flight, and how a receive gets it.
 *
 * Where files wait: in a mark of the ring, beside the first bytes of the send that
 * brought them (ring.c), or in a message (msg.c).  Here they are a struct
 * scm_fp_list of the core, whose parts for messages and descriptors are used
 * as they are: io_uring rings are known to them alone, and so is the layout of a
 * 32-bit caller.
 *
 * No cycle: a file in flight belongs to nobody's table, so a socket whose queue
 * held the last reference to itself, by however many steps, would never be
 * closed.  AF_UNIX lets that happen and has a collector, which does not know of
 * this family's queues.  Here what could close the circle is refused: sockets of
 * this family and of AF_UNIX, both of which hold files in their queues, and
 * io_uring rings, which hold files that were registered.  All else that a user
 * can make holds none: an epoll instance watches files and has no reference to
 * them, a pidfd has one to the process, a map of BPF to sockets and not their
 * files, a descriptor opened with O_PATH to the inode, whose file closes all the
 * same.  So a queue holds no file that can hold a socket of this family.  What
 * an administrator can set up (a mount, a block device or a transport over a
 * socket) is the administrator's, as with AF_UNIX; so are devices that keep files
 * or a whole address space, to which he admits users: vhost and binder.
 *
 * In flight: each user may have as many files in flight as RLIMIT_NOFILE says,
 * and once more what one message holds, as in unix(7).  The count is an own one:
 * that of AF_UNIX, in struct user_struct, is guarded by a lock that no module can
 * take.  So a user may have that many in each of the two families.
 *
 * Locking: a bucket's lock guards the users in it and their counts.
 *
 * Lifetime: a user's entry is there while the user has files in flight.
 *
 * Context: process; rill_rights_free() also in softirq.  The last fput() of a
 * file never closes it here: the core does that when the task returns to user
 * space, or in a worker, so it may be called with a mutex held.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/hashtable.h>
#include <linux/io_uring.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <net/scm.h>

#include "af_rill.h"

#define RILL_USER_BITS	6

/* Somebody with files in flight. */
struct rill_user {
	struct hlist_node	node;
	kuid_t			uid;
	unsigned long		files;
};

static struct {
	spinlock_t		lock;	/* of head and the users in it */
	struct hlist_head	head;
} rill_users[BIT(RILL_USER_BITS)];

static unsigned int rill_user_bucket(kuid_t uid)
{
	return hash_32(__kuid_val(uid), RILL_USER_BITS);
}

static struct rill_user *rill_user_find(unsigned int b, kuid_t uid)
{
	struct rill_user *user;

	lockdep_assert_held(&rill_users[b].lock);
	hlist_for_each_entry(user, &rill_users[b].head, node) {
		if (uid_eq(user->uid, uid))
			return user;
	}
	return NULL;
}

/* Count n more, unless there are more than limit.  0, -ETOOMANYREFS, -ENOMEM. */
static int rill_user_add(kuid_t uid, unsigned int n, unsigned long limit)
{
	unsigned int b = rill_user_bucket(uid);
	struct rill_user *user, *new;
	int err = 0;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->uid = uid;

	spin_lock_bh(&rill_users[b].lock);
	user = rill_user_find(b, uid);
	if (!user) {
		user = new;
		new = NULL;
		hlist_add_head(&user->node, &rill_users[b].head);
	} else if (user->files > limit) {
		err = -ETOOMANYREFS;
		n = 0;
	}
	user->files += n;
	spin_unlock_bh(&rill_users[b].lock);
	kfree(new);
	return err;
}

static void rill_user_sub(kuid_t uid, unsigned int n)
{
	unsigned int b = rill_user_bucket(uid);
	struct rill_user *user;

	spin_lock_bh(&rill_users[b].lock);
	user = rill_user_find(b, uid);
	if (WARN_ON_ONCE(!user || user->files < n))
		goto out;
	user->files -= n;
	if (!user->files) {
		hlist_del(&user->node);
		kfree(user);
	}
out:
	spin_unlock_bh(&rill_users[b].lock);
}

/* The sender pays for its files from here on. */
static int rill_rights_charge(const struct scm_fp_list *files)
{
	kuid_t uid = files->user->uid;
	int err;

	err = rill_user_add(uid, files->count, rlimit(RLIMIT_NOFILE));
	if (err == -ETOOMANYREFS &&
	    (capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN)))
		err = rill_user_add(uid, files->count, ULONG_MAX);
	return err;
}

static void rill_rights_uncharge(const struct scm_fp_list *files)
{
	rill_user_sub(files->user->uid, files->count);
}

/* Files that nobody pays for: those of a receive. */
void rill_rights_drop(struct scm_fp_list *files)
{
	struct scm_cookie scm = { .fp = files };

	if (files)
		__scm_destroy(&scm);
}

/**
 * rill_rights_free() - files that were in flight, and that nobody will receive
 * @files: from rill_rights_send()
 */
void rill_rights_free(struct scm_fp_list *files)
{
	rill_rights_uncharge(files);
	rill_rights_drop(files);
}

void __rill_rights_count(const struct sock *sk, const struct scm_fp_list *files,
			 enum rill_stat which)
{
	this_cpu_add(rill_net(sock_net(sk))->stats->count[which], files->count);
}

/* Could the file hold others, which nobody could close in flight? */
static bool rill_rights_holds(struct file *file)
{
	struct socket *sock = sock_from_file(file);
	const struct proto_ops *ops = sock ? READ_ONCE(sock->ops) : NULL;

	return ops && (ops->family == PF_UNIX || rill_ops_are_own(ops));
}

/**
 * rill_rights_add() - a control message with files
 * @cmsg: the message, of a length that is right
 * @files: gets what it names, behind what an earlier one named; NULL after an
 *	error
 *
 * Return: 0; -EBADF for what is no descriptor; -EINVAL for too many, or an
 * io_uring ring; -ENOMEM.
 */
int rill_rights_add(struct cmsghdr *cmsg, struct scm_fp_list **files)
{
	/*
	 * It refuses io_uring rings, which could travel in a socket that they
	 * hold, and would keep it and this module for ever.  Kernels that have
	 * this function do: 6.1 from 6.1.83 on, 6.6 from 6.6.23 on, 6.8 and
	 * later.  Take one of these if there is none.
	 */
	static_assert(__same_type(io_is_uring_fops, bool (struct file *)));
	/* The core takes files for AF_UNIX alone, and looks at nothing else. */
	static const struct proto_ops ops = { .family = PF_UNIX };
	static struct socket sock = { .ops = &ops };
	struct msghdr msg = {
		.msg_control	= cmsg,
		.msg_controllen	= cmsg->cmsg_len,
	};
	struct scm_cookie scm = { .fp = *files };
	int err;

	err = __scm_send(&sock, &msg, &scm);
	*files = scm.fp;
	return err;
}

/**
 * rill_rights_send() - have files travel
 * @files: from rill_rights_add(), replaced by what is in flight; NULL after an
 *	error
 *
 * Return: 0; -ELOOP for a socket of this family or of AF_UNIX; -ETOOMANYREFS if
 * the user has too many in flight; -ENOMEM.
 */
int rill_rights_send(struct scm_fp_list **files)
{
	struct scm_fp_list *given = *files, *sent = NULL;
	int i, err = -ELOOP;

	for (i = 0; i < given->count; i++) {
		if (rill_rights_holds(given->fp[i]))
			goto out;
	}
	/* Theirs has room for as many as there can be, this one for these. */
	err = -ENOMEM;
	sent = scm_fp_dup(given);
	if (!sent)
		goto out;
	err = rill_rights_charge(sent);
	if (err) {
		rill_rights_drop(sent);
		sent = NULL;
	}
out:
	rill_rights_drop(given);
	*files = sent;
	return err;
}

/**
 * rill_rights_take() - what a receive gets of the files beside its data
 * @files: those in flight, not NULL; it becomes NULL unless @peek
 * @peek: they stay where they are
 *
 * Return: the files, which the caller delivers or drops; NULL if a peek has no
 * memory for them.
 */
struct scm_fp_list *rill_rights_take(struct scm_fp_list **files, bool peek)
{
	struct scm_fp_list *taken = *files;

	if (peek)
		return scm_fp_dup(taken);
	rill_rights_uncharge(taken);
	*files = NULL;
	return taken;
}

/**
 * rill_rights_deliver() - give a caller descriptors of files
 * @msg: where to; is told if they do not fit
 * @files: from rill_rights_take(); what is not delivered is let go
 */
void rill_rights_deliver(struct msghdr *msg, struct scm_fp_list *files)
{
	struct scm_cookie scm = { .fp = files };

	/* Without room for any, as in read(), or for a caller in the kernel. */
	if (!files || !msg->msg_control || !msg->msg_control_is_user) {
		msg->msg_flags |= MSG_CTRUNC;
		rill_rights_drop(files);
		return;
	}
	scm_detach_fds(msg, &scm);
}

void __init rill_rights_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(rill_users); i++) {
		spin_lock_init(&rill_users[i].lock);
		INIT_HLIST_HEAD(&rill_users[i].head);
	}
}

void rill_rights_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(rill_users); i++)
		WARN_ON_ONCE(!hlist_empty(&rill_users[i].head));
}
