// SPDX-License-Identifier: GPL-2.0-only
/*
 * AF_RILL: sockets between the programs of one machine.  The module's coming
 * and going: the family is registered last and unregistered first.
 */
#include <linux/module.h>

#include "ring.h"
#include "af_rill.h"

unsigned int rill_family __ro_after_init = RILL_FAMILY_DEFAULT;
EXPORT_SYMBOL_GPL(rill_family);
module_param_named(family, rill_family, uint, 0444);
MODULE_PARM_DESC(family, "Family number: 18 (AF_ASH), 13, 22 or 25");

/* Numbers that no protocol of Linux has or ever had. */
static int __init rill_family_check(void)
{
	switch (rill_family) {
	case 13:
	case 18:
	case 22:
	case 25:
		return 0;
	}
	if (!rill_family || rill_family >= AF_MAX) {
		pr_err("rill: family=%u is no family number; use 18, 13, 22 or 25\n",
		       rill_family);
		return -EINVAL;
	}
	pr_err("rill: family=%u belongs to another protocol; use 18, 13, 22 or 25\n",
	       rill_family);
	return -EEXIST;
}

static int __init rill_init(void)
{
	int err;

	err = rill_family_check();
	if (err)
		return err;
	err = proto_register(&rill_proto, 1);
	if (err)
		return err;
	err = proto_register(&rill_msg_proto, 1);
	if (err)
		goto err_proto;
	rill_rights_init();
	err = rill_net_init();
	if (err)
		goto err_msg_proto;
	err = rill_socket_register();
	if (err) {
		if (err == -EEXIST)
			pr_err("rill: family %u is taken by another module; load with family=13, 22 or 25\n",
			       rill_family);
		goto err_net;
	}
	return 0;

err_net:
	rill_net_exit();
err_msg_proto:
	proto_unregister(&rill_msg_proto);
err_proto:
	proto_unregister(&rill_proto);
	return err;
}

static void __exit rill_exit(void)
{
	rill_socket_unregister();
	/* No socket is left: each holds the module. */
	rill_idle_exit();
	rill_spare_exit();
	rill_rights_exit();
	rill_net_exit();
	/* Nor anything under RCU: a socket holds it until it is freed. */
	proto_unregister(&rill_msg_proto);
	proto_unregister(&rill_proto);
}

module_init(rill_init);
module_exit(rill_exit);

MODULE_DESCRIPTION("AF_RILL: sockets between the programs of one machine");
MODULE_AUTHOR("The Rill developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
#ifndef RILL_NO_AUTOLOAD
MODULE_ALIAS_NETPROTO(PF_ASH);
#endif
