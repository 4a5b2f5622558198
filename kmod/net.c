// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of a network namespace: names, sockets, counters, net.rill.*.
 *
 * Lifetime: made with the namespace, or with the module for those that exist.
 * Every socket of a user holds its namespace until it has been freed, so nothing
 * is left when the namespace goes.
 *
 * Context: process.
 */
#include <linux/slab.h>
#include <linux/sysctl.h>

#include "af_rill.h"

#define RILL_MAX_WAITING	4096
#define RILL_MAX_BUSY_POLL_US	200
#define RILL_BUSY_POLL_US	50	/* what sysctl/net.rst advises */

unsigned int rill_net_id __read_mostly;

static const struct ctl_table rill_sysctl_template[] = {
	{
		.procname	= "max_waiting",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ZERO,
	},
	{
		.procname	= "busy_poll_us",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ZERO,
	},
	{
		.procname	= "max_busy_poll_us",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ZERO,
	},
};

static int rill_sysctl_init(struct net *net, struct rill_net *rn)
{
	size_t n = ARRAY_SIZE(rill_sysctl_template);
	struct ctl_table *table;

	/* One more, empty: older kernels look for it (compat.h). */
	table = kcalloc(n + 1, sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	memcpy(table, rill_sysctl_template, sizeof(rill_sysctl_template));
	table[0].data = &rn->max_waiting;
	table[1].data = &rn->busy_poll_us;
	table[2].data = &rn->max_busy_poll_us;
	rn->sysctl = rill_sysctl_register(net, "net/rill", table, n);
	if (!rn->sysctl) {
		kfree(table);
		return -ENOMEM;
	}
	return 0;
}

static void rill_sysctl_exit(struct rill_net *rn)
{
	const struct ctl_table *table = rn->sysctl->ctl_table_arg;

	unregister_net_sysctl_table(rn->sysctl);
	kfree(table);
}

u64 rill_stat_sum(const struct rill_net *rn, enum rill_stat which)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(rn->stats, cpu)->count[which]);
	return sum;
}

static int __net_init rill_net_ns_init(struct net *net)
{
	struct rill_net *rn = rill_net(net);
	int err, i;

	rn->max_waiting = RILL_MAX_WAITING;
	rn->busy_poll_us = RILL_BUSY_POLL_US;
	rn->max_busy_poll_us = RILL_MAX_BUSY_POLL_US;
	for (i = 0; i < RILL_SOCK_BUCKETS; i++) {
		spin_lock_init(&rn->buckets[i].lock);
		INIT_HLIST_HEAD(&rn->buckets[i].head);
		rn->buckets[i].last_id = RILL_SOCK_FIRST_ID;
	}

	rn->stats = alloc_percpu(struct rill_stats);
	if (!rn->stats)
		return -ENOMEM;
	err = rhashtable_init(&rn->names, &rill_name_params);
	if (err)
		goto err_stats;
	err = rill_sysctl_init(net, rn);
	if (err)
		goto err_names;
	err = rill_proc_init(net);
	if (err)
		goto err_sysctl;
	return 0;

err_sysctl:
	rill_sysctl_exit(rn);
err_names:
	rhashtable_destroy(&rn->names);
err_stats:
	free_percpu(rn->stats);
	return err;
}

static void __net_exit rill_net_ns_exit(struct net *net)
{
	struct rill_net *rn = rill_net(net);
	int i;

	rill_proc_exit(net);
	rill_sysctl_exit(rn);
	for (i = 0; i < RILL_SOCK_BUCKETS; i++)
		WARN_ON_ONCE(!hlist_empty(&rn->buckets[i].head));
	WARN_ON_ONCE(atomic_read(&rn->waiting));
	WARN_ON_ONCE(atomic_read(&rn->names.nelems));
	rhashtable_destroy(&rn->names);
	free_percpu(rn->stats);
}

static struct pernet_operations rill_net_ops = {
	.init	= rill_net_ns_init,
	.exit	= rill_net_ns_exit,
	.id	= &rill_net_id,
	.size	= sizeof(struct rill_net),
};

int __init rill_net_init(void)
{
	return register_pernet_subsys(&rill_net_ops);
}

void rill_net_exit(void)
{
	unregister_pernet_subsys(&rill_net_ops);
}
