// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenarios that take many: names, whose table grows in a bind itself, and network
 * namespaces, whose memory for each CPU is found in the making of one.  The kernel's
 * thread that would do it before has no chance, since somebody of a higher priority
 * has its CPU.
 */
#include "fault.h"

#include <linux/bpf.h>

#define SMALL	64		/* the table's size at first: rill_name_params */
#define CROWD	(3 * SMALL)

static int crowd[CROWD];

static int setup_grows(struct ft_env *e)
{
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = rt_socket(RT_RILL, e->type);
		if (crowd[i] < 0)
			return crowd[i];
	}
	return ft_take_cpu();
}

/* How many have got a name. */
static long act_grows(struct ft_env *e)
{
	long bound = 0;

	(void)e;
	for (int i = 0; i < CROWD; i++) {
		struct rt_addr any = rt_addr(RT_RILL, "");
		long err = rt_bind(crowd[i], &any);

		if (err && err != -ENOMEM && err != -EFAULT)
			return err;
		bound += !err;
	}
	return bound;
}

static int check_grows(struct ft_env *e, long ret)
{
	long names = rt_counter("names");

	(void)e;
	FT_CHECK_EQ(0, ft_give_cpu());
	for (int i = 0; i < CROWD; i++)
		close(crowd[i]);
	FT_CHECK(ret >= CROWD - 1);
	FT_CHECK_EQ(ret, names);
	return 0;
}

/* ---- namespaces ---- */

/*
 * alloc_percpu() has no injection of its own, and seldom anything to ask for: it
 * takes from pages that are there, and when few are left, a worker gets more.  Where
 * the worker has no chance, and every gap is filled, it asks for a page itself if
 * what it gives does not end in the one that has begun: of the module's, every
 * twentieth or so.
 */
#define MANY	200
#define GAPS	4096

static int many[MANY], fillers[MANY + 1];
static unsigned int n_many, n_fillers;

/* So many pieces of memory for each CPU. */
static int fill(unsigned int size, unsigned int pieces)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_PERCPU_ARRAY;
	attr.key_size = sizeof(int);
	attr.value_size = size;
	attr.max_entries = pieces;
	fd = SYS(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
	if (fd >= 0)
		fillers[n_fillers++] = fd;
	return fd < 0 ? fd : 0;
}

static int setup_many_netns(struct ft_env *e)
{
	n_many = 0;
	n_fillers = 0;
	ft_fd(e, 2, SYS(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)));
	FT_TRY(ft_take_cpu());
	return fill(64, GAPS);
}

static long act_many_netns(struct ft_env *e)
{
	long err;

	do {
		err = SYS(unshare(CLONE_NEWNET));
		if (err)
			return err;
		many[n_many++] = SYS(open("/proc/thread-self/ns/net",
					  O_RDONLY | O_CLOEXEC));
		/*
		 * The next one begins somewhere else in its page, and gaps of
		 * namespaces that have died meanwhile are filled.
		 */
		err = fill(64 + 8 * (n_many % 8), 100);
		if (err)
			return err;
	} while (e->n && n_many < MANY);
	return 0;
}

static int check_many_netns(struct ft_env *e, long ret)
{
	FT_TRY(ft_give_cpu());
	if (!e->n != !ret)
		printf("# after %u namespaces\n", n_many);
	for (unsigned int i = 0; i < n_many; i++)
		close(many[i]);
	for (unsigned int i = 0; i < n_fillers; i++)
		close(fillers[i]);
	/* The fault that was asked for came, and nobody got over it. */
	FT_CHECK_EQ(!!e->n, e->injected);
	FT_CHECK_EQ(e->n ? -ENOMEM : 0, ret);
	FT_TRY(rt_pair(RT_RILL, SOCK_STREAM, e->fd));
	FT_TRY(ft_pass(e->fd[0], e->fd[1]));
	return ft_netns_back(e);
}

const struct ft_scenario ft_crowd[] = {
	{ "bind, the table grows", FT_STREAM, setup_grows, act_grows, CROWD,
	  .partial = true, .check = check_grows, .only = "rhashtable_insert_slow" },
	{ "unshare, percpu memory", FT_STREAM, setup_many_netns, act_many_netns, 0,
	  .errs = { ENOMEM }, .check = check_many_netns,
	  .place = { "rill_net_ns_init", "pcpu_alloc*" },
	  /* kmemleak's own, which does without: its callers may have no frame. */
	  .never = "__alloc_object" },
};

const unsigned int ft_n_crowd = ARRAY_SIZE(ft_crowd);
