// SPDX-License-Identifier: GPL-2.0-only
/*
 * Credentials: those that travel beside data (SCM_CREDENTIALS), and those of
 * the peer that were taken when the connection was made (SO_PEERCRED).  And what
 * a send says in its control messages, of which files are the matter of rights.c.
 *
 * Locking: sk_peer_lock of a socket guards its sk_peer_pid and sk_peer_cred.
 * A struct rill_cred belongs to whoever holds it and counts for its pid.
 *
 * What a sender may claim follows unix(7) and the core's own check for it,
 * which a module cannot use (it refuses every family but PF_UNIX).
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/socket.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "af_rill.h"

void __rill_cred_clear(struct rill_cred *cred)
{
	put_pid(cred->pid);
	cred->pid = NULL;
}

void rill_cred_set(struct rill_cred *to, const struct rill_cred *from)
{
	struct pid *old = to->pid;

	*to = *from;
	get_pid(to->pid);
	put_pid(old);
}

void rill_cred_current(struct rill_cred *cred)
{
	cred->pid = get_pid(task_tgid(current));
	current_uid_gid(&cred->uid, &cred->gid);
}

static int rill_cred_claim(struct rill_cred *cred, const struct ucred *claim)
{
	struct user_namespace *ns = current_user_ns();
	kuid_t uid = make_kuid(ns, claim->uid);
	kgid_t gid = make_kgid(ns, claim->gid);
	const struct cred *me = current_cred();
	struct pid *pid;

	if (!uid_valid(uid) || !gid_valid(gid))
		return -EINVAL;
	if (claim->pid != task_tgid_vnr(current) &&
	    !ns_capable(task_active_pid_ns(current)->user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (!uid_eq(uid, me->uid) && !uid_eq(uid, me->euid) &&
	    !uid_eq(uid, me->suid) && !ns_capable(ns, CAP_SETUID))
		return -EPERM;
	if (!gid_eq(gid, me->gid) && !gid_eq(gid, me->egid) &&
	    !gid_eq(gid, me->sgid) && !ns_capable(ns, CAP_SETGID))
		return -EPERM;
	pid = find_get_pid(claim->pid);
	if (!pid)
		return -ESRCH;
	rill_cred_clear(cred);
	cred->pid = pid;
	cred->uid = uid;
	cred->gid = gid;
	return 0;
}

/**
 * rill_anc_parse() - the ancillary data of a send
 * @msg: the message
 * @anc: empty; gets what the sender claims to be and the files it sends
 * @carries: whether there is anything for files to travel beside
 *
 * Return: 0; -EINVAL for a malformed or unknown SOL_SOCKET message; -EPERM or
 * -ESRCH for what it may not claim; or what rill_rights_add() and
 * rill_rights_send() say.  Other levels are ignored, as by unix(7).
 */
int rill_anc_parse(struct msghdr *msg, struct rill_anc *anc, bool carries)
{
	struct scm_fp_list *files = NULL;
	struct cmsghdr *cmsg;
	struct ucred claim;
	int err = 0;

	for_each_cmsghdr(cmsg, msg) {
		err = -EINVAL;
		if (!CMSG_OK(msg, cmsg))
			break;
		err = 0;
		if (cmsg->cmsg_level != SOL_SOCKET)
			continue;
		switch (cmsg->cmsg_type) {
		case SCM_CREDENTIALS:
			err = -EINVAL;
			if (cmsg->cmsg_len != CMSG_LEN(sizeof(claim)))
				break;
			memcpy(&claim, CMSG_DATA(cmsg), sizeof(claim));
			err = rill_cred_claim(&anc->cred, &claim);
			break;
		case SCM_RIGHTS:
			err = rill_rights_add(cmsg, &files);
			break;
		default:
			err = -EINVAL;
		}
		if (err)
			break;
	}
	if (!err && files && carries) {
		err = rill_rights_send(&files);
		anc->files = files;
	} else {
		rill_rights_drop(files);
	}
	if (err)
		rill_cred_clear(&anc->cred);
	return err;
}

/* Tell a receiver that asked whose data it got. */
void rill_cred_report(struct sock *sk, struct msghdr *msg,
		      const struct rill_cred *cred)
{
	struct user_namespace *ns = current_user_ns();
	struct ucred ucred = {};

	if (!rill_passcred_own(sk))
		return;
	if (!msg->msg_control) {
		msg->msg_flags |= MSG_CTRUNC;
		return;
	}
	/* Not recorded: nobody's, as a receiver of unix(7) sees it. */
	ucred.pid = pid_vnr(cred->pid);
	ucred.uid = from_kuid_munged(ns, cred->pid ? cred->uid : INVALID_UID);
	ucred.gid = from_kgid_munged(ns, cred->pid ? cred->gid : INVALID_GID);
	put_cmsg(msg, SOL_SOCKET, SCM_CREDENTIALS, sizeof(ucred), &ucred);
}

static void rill_peercred_store(struct sock *sk, struct pid *pid,
				const struct cred *cred)
{
	const struct cred *old_cred;
	struct pid *old_pid;

	spin_lock(&sk->sk_peer_lock);
	old_pid = sk->sk_peer_pid;
	old_cred = sk->sk_peer_cred;
	sk->sk_peer_pid = pid;
	sk->sk_peer_cred = cred;
	spin_unlock(&sk->sk_peer_lock);

	put_pid(old_pid);
	put_cred(old_cred);
}

/* With a reference. */
static const struct cred *rill_cred_of_caller(void)
{
	/* The core writes a 0 into it each time. */
	return data_race(get_current_cred());
}

/* The peer of sk is the caller; or, for a listener, what its peers will see. */
void rill_peercred_current(struct sock *sk)
{
	rill_peercred_store(sk, get_pid(task_tgid(current)),
			    rill_cred_of_caller());
}

/* The same for a new end, which nobody else knows. */
void rill_peercred_init(struct sock *sk)
{
	WARN_ON_ONCE(sk->sk_peer_pid || sk->sk_peer_cred);
	sk->sk_peer_pid = get_pid(task_tgid(current));
	sk->sk_peer_cred = rill_cred_of_caller();
}

void rill_peercred_copy(struct sock *to, struct sock *from)
{
	const struct cred *cred;
	struct pid *pid;

	spin_lock(&from->sk_peer_lock);
	pid = get_pid(from->sk_peer_pid);
	cred = from->sk_peer_cred;
	/* As above. */
	cred = cred ? data_race(get_cred(cred)) : NULL;
	spin_unlock(&from->sk_peer_lock);
	rill_peercred_store(to, pid, cred);
}

void rill_peercred_clear(struct sock *sk)
{
	rill_peercred_store(sk, NULL, NULL);
}

/* As the first PID namespace sees it; 0 if there is none. */
pid_t rill_peercred_pid(struct sock *sk)
{
	pid_t pid;

	spin_lock(&sk->sk_peer_lock);
	pid = pid_nr(sk->sk_peer_pid);
	spin_unlock(&sk->sk_peer_lock);
	return pid;
}
