/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests that need to know on which processor a task runs.
 */
#ifndef RILL_TEST_CPU_H
#define RILL_TEST_CPU_H

#include "rill_test.h"

/* The calling thread, and those that it starts, run on this one only. */
static inline int rt_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return SYS(sched_setaffinity(0, sizeof(set), &set));
}

#endif /* RILL_TEST_CPU_H */
