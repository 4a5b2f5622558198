// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names: their syntax, their table, who may bind and who may connect.
 *
 * One table for each network namespace, for all socket types.  A name lives
 * there from bind() to the release() of the socket that bound it; there is
 * nothing to unlink and nothing left behind.
 *
 * Locking: the table is an rhashtable, with RCU lookup and a lock for each
 * bucket of its own.  bind() runs under lock_sock(); whether a name is free and
 * taking it is one step of the table.  Owner and mode are set before that step.
 *
 * Lifetime: see struct rill_name.
 *
 * Context: process.
 */
#include <linux/cred.h>
#include <linux/fs_struct.h>
#include <linux/jhash.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "af_rill.h"

static u32 rill_key_hash(const void *data, u32 len, u32 seed)
{
	const struct rill_key *key = data;

	return jhash(key->name, key->len, seed);
}

static u32 rill_name_hash(const void *data, u32 len, u32 seed)
{
	const struct rill_name *name = data;

	return jhash(name->name, name->len, seed);
}

static int rill_name_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct rill_key *key = arg->key;
	const struct rill_name *name = obj;

	return key->len != name->len || memcmp(key->name, name->name, key->len);
}

const struct rhashtable_params rill_name_params = {
	.head_offset		= offsetof(struct rill_name, node),
	.key_len		= sizeof(struct rill_key),
	.hashfn			= rill_key_hash,
	.obj_hashfn		= rill_name_hash,
	.obj_cmpfn		= rill_name_cmp,
	.min_size		= 64,	/* few names do not make it grow and shrink */
	.automatic_shrinking	= true,
};

/**
 * rill_addr_parse() - check an address and find its name
 * @uaddr: the address, in kernel memory
 * @len: its length as the caller gave it
 * @key: gets the name, which stays inside @uaddr; length 0 for an empty one
 *
 * Return: 0, -EINVAL, -EAFNOSUPPORT or -ENAMETOOLONG.
 */
int rill_addr_parse(const void *uaddr, int len, struct rill_key *key)
{
	const struct sockaddr_rill *addr = uaddr;
	unsigned int max, i;

	BUILD_BUG_ON(sizeof(*addr) != 128);
	BUILD_BUG_ON(offsetof(struct sockaddr_rill, srl_name) != RILL_ADDR_MIN);

	if (len < RILL_ADDR_MIN || len > (int)sizeof(*addr))
		return -EINVAL;
	if (addr->srl_family != rill_family)
		return -EAFNOSUPPORT;
	if (addr->srl_flags & ~RILL_SRL_FLAGS_VALID)
		return -EINVAL;

	max = len - RILL_ADDR_MIN;
	for (i = 0; i < max && addr->srl_name[i]; i++) {
		unsigned char c = addr->srl_name[i];

		if (c < 0x20 || c == 0x7f)
			return -EINVAL;
	}
	if (i > RILL_NAME_MAX)
		return -ENAMETOOLONG;
	key->name = addr->srl_name;
	key->len = i;
	return 0;
}

/* Write an address; NULL is the unnamed one.  Returns its length. */
int rill_addr_fill(struct sockaddr_rill *to, const struct rill_name *name)
{
	unsigned int len = name ? name->len : 0;

	to->srl_family = rill_family;
	to->srl_flags = 0;
	if (name)
		memcpy(to->srl_name, name->name, len);
	to->srl_name[len] = '\0';
	return RILL_ADDR_MIN + len + 1;
}

static bool rill_key_has_prefix(const struct rill_key *key, const char *prefix)
{
	size_t n = strlen(prefix);

	return key->len >= n && !memcmp(key->name, prefix, n);
}

/* May the caller bind this name? */
static int rill_key_permission(const struct net *net, const struct rill_key *key)
{
	char own[sizeof(RILL_PREFIX_USER) + 12];

	if (rill_key_has_prefix(key, RILL_PREFIX_AUTO))
		return -EACCES;
	if (rill_key_has_prefix(key, RILL_PREFIX_SYS) &&
	    !ns_capable(net->user_ns, CAP_NET_BIND_SERVICE))
		return -EACCES;
	if (rill_key_has_prefix(key, RILL_PREFIX_USER)) {
		uid_t uid = from_kuid(net->user_ns, current_fsuid());

		if (uid == (uid_t)-1)
			return -EACCES;
		snprintf(own, sizeof(own), RILL_PREFIX_USER "%u/", uid);
		if (!rill_key_has_prefix(key, own) || key->len == strlen(own))
			return -EACCES;
	}
	return 0;
}

/* The last is never before the holder's destructor, see struct rill_name. */
void rill_name_put(struct rill_name *name)
{
	if (name && refcount_dec_and_test(&name->ref))
		kfree(name);
}

static struct rill_name *rill_name_alloc(struct sock *sk,
					 const struct rill_key *key,
					 umode_t mode)
{
	struct rill_sock *rs = rill_sk(sk);
	struct rill_name *name;

	/* Not struct_size(): what a short name saves is 32 bytes. */
	name = kzalloc(offsetof(struct rill_name, name[key->len + 1]),
		       GFP_KERNEL_ACCOUNT);
	if (!name)
		return NULL;
	refcount_set(&name->ref, 1);
	seqlock_init(&name->perm_lock);
	name->holder = sk;
	name->perm.uid = uid_valid(rs->bind_uid) ? rs->bind_uid : current_fsuid();
	name->perm.gid = gid_valid(rs->bind_gid) ? rs->bind_gid : current_fsgid();
	name->perm.mode = rs->bind_mode >= 0 ? rs->bind_mode : mode;
	name->len = key->len;
	memcpy(name->name, key->name, key->len);
	return name;
}

static int rill_name_insert(struct sock *sk, const struct rill_key *key,
			    umode_t mode)
{
	struct rill_net *rn = rill_net(sock_net(sk));
	struct rill_name *name;
	int err;

	name = rill_name_alloc(sk, key, mode);
	if (!name)
		return -ENOMEM;
	/* A lookup may find the name at once and try a reference under RCU. */
	sock_set_flag(sk, SOCK_RCU_FREE);
	err = rhashtable_lookup_insert_key(&rn->names, key, &name->node,
					   rill_name_params);
	if (err) {
		kfree(name);
		if (err == -EEXIST)
			return -EADDRINUSE;
		return -ENOMEM;
	}
	/* Pairs with rill_sock_name(). */
	smp_store_release(&rill_sk(sk)->name, name);
	rill_stat_inc(sock_net(sk), RILL_STAT_BIND_OK);
	return 0;
}

/* Bind sk, which has no name, to the name that the caller chose. */
int rill_name_bind(struct sock *sk, const struct rill_key *key)
{
	struct net *net = sock_net(sk);
	int err;

	err = rill_key_permission(net, key);
	if (err) {
		rill_stat_inc(net, RILL_STAT_BIND_DENIED);
		return err;
	}
	err = rill_name_insert(sk, key, 0777 & ~current_umask());
	if (err == -EADDRINUSE)
		rill_stat_inc(net, RILL_STAT_BIND_INUSE);
	return err;
}

/*
 * Bind sk, which has no name, to one that was never used in this namespace, so
 * that an answer never goes to a stranger.
 */
int rill_name_autobind(struct sock *sk)
{
	char buf[sizeof(RILL_PREFIX_AUTO) + 16];
	struct rill_key key = { .name = buf };
	u64 n = atomic64_inc_return(&rill_net(sock_net(sk))->auto_next);

	key.len = snprintf(buf, sizeof(buf), RILL_PREFIX_AUTO "%llx", n);
	return rill_name_insert(sk, &key, 0666);
}

/* release(): the name is free for others at once. */
void rill_name_unbind(struct sock *sk)
{
	struct rill_name *name = rill_sk(sk)->name;

	if (name && name->holder == sk)
		rhashtable_remove_fast(&rill_net(sock_net(sk))->names,
				       &name->node, rill_name_params);
}

/* connect() and sendto() need write permission, as on a file. */
static int rill_name_permission(const struct net *net, struct rill_name *name)
{
	struct rill_perm perm;
	umode_t mode;

	rill_name_perm(name, &perm);
	mode = perm.mode;
	if (uid_eq(current_fsuid(), perm.uid))
		mode >>= 6;
	else if (in_group_p(perm.gid))
		mode >>= 3;
	if (mode & 02)
		return 0;
	if (kuid_has_mapping(net->user_ns, perm.uid) &&
	    kgid_has_mapping(net->user_ns, perm.gid) &&
	    ns_capable(net->user_ns, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

/**
 * rill_name_lookup() - find whom to connect or send to
 * @sk: the caller's socket: its namespace counts, and its type
 * @key: the name
 *
 * Return: the holder with a reference; -EINVAL for an empty name, -ECONNREFUSED
 * for one that nobody has, -EACCES, -EPROTOTYPE.
 */
struct sock *rill_name_lookup(const struct sock *sk, const struct rill_key *key)
{
	struct net *net = sock_net(sk);
	struct rill_name *name;
	struct sock *holder;
	int err;

	if (!key->len)
		return ERR_PTR(-EINVAL);

	rcu_read_lock();
	name = rhashtable_lookup(&rill_net(net)->names, key, rill_name_params);
	if (!name || !refcount_inc_not_zero(&name->holder->sk_refcnt)) {
		rcu_read_unlock();
		rill_stat_inc(net, RILL_STAT_CONNECT_NONAME);
		return ERR_PTR(-ECONNREFUSED);
	}
	holder = name->holder;
	err = rill_name_permission(net, name);
	rcu_read_unlock();

	if (err) {
		rill_stat_inc(net, RILL_STAT_CONNECT_DENIED);
		sock_put(holder);
		return ERR_PTR(err);
	}
	if (holder->sk_type != sk->sk_type) {
		rill_stat_inc(net, RILL_STAT_CONNECT_WRONGTYPE);
		sock_put(holder);
		return ERR_PTR(-EPROTOTYPE);
	}
	return holder;
}
