// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sits on a family number and does nothing with it, so that module.sh can see
 * what rill.ko says when its number is taken by a module loaded before it.
 */
#include <linux/module.h>
#include <linux/net.h>

static int family = 18;
module_param(family, int, 0444);
MODULE_PARM_DESC(family, "family number to take (18)");

static int squat_create(struct net *net, struct socket *sock, int protocol,
			int kern)
{
	return -EAFNOSUPPORT;
}

static struct net_proto_family squat_family = {
	.create	= squat_create,
	.owner	= THIS_MODULE,
};

static int __init squat_init(void)
{
	squat_family.family = family;
	return sock_register(&squat_family);
}

static void __exit squat_exit(void)
{
	sock_unregister(squat_family.family);
}

module_init(squat_init);
module_exit(squat_exit);
MODULE_DESCRIPTION("Takes a socket family number (test helper of Rill)");
MODULE_LICENSE("GPL");
