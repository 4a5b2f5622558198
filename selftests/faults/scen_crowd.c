// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scenario that takes many names: their table grows in a bind itself.  The
 * kernel's thread that would do it has no chance, since somebody of a higher
 * priority has its CPU.
 */
#include "fault.h"

#define SMALL	64		/* the table's size at first: rill_name_params */
#define CROWD	(3 * SMALL)

static int crowd[CROWD];

static int take_cpu(void)
{
	struct sched_param sp = { .sched_priority = 1 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	FT_TRY(SYS(sched_setaffinity(0, sizeof(one), &one)));
	return SYS(sched_setscheduler(0, SCHED_FIFO, &sp));
}

static int give_cpu(void)
{
	struct sched_param sp = { 0 };
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	FT_TRY(SYS(sched_setscheduler(0, SCHED_OTHER, &sp)));
	return SYS(sched_setaffinity(0, sizeof(all), &all));
}

static int setup_grows(struct ft_env *e)
{
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = rt_socket(RT_RILL, e->type);
		if (crowd[i] < 0)
			return crowd[i];
	}
	return take_cpu();
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
	FT_CHECK_EQ(0, give_cpu());
	for (int i = 0; i < CROWD; i++)
		close(crowd[i]);
	FT_CHECK(ret >= CROWD - 1);
	FT_CHECK_EQ(ret, names);
	return 0;
}

const struct ft_scenario ft_crowd[] = {
	{ "bind, the table grows", FT_STREAM, setup_grows, act_grows, CROWD,
	  .partial = true, .check = check_grows, .only = "rhashtable_insert_slow" },
};

const unsigned int ft_n_crowd = ARRAY_SIZE(ft_crowd);
