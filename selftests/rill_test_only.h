/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Some of a program's tests, for who looks at one thing or has little time:
 * RILL_ONLY and RILL_NO_CONTROL in the environment.  The harness of 6.1 has no such
 * option.
 */
#ifndef RILL_TEST_ONLY_H
#define RILL_TEST_ONLY_H

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

static inline bool rt_only_part(const char *pattern, const char *name)
{
	return !*pattern || !fnmatch(pattern, name, 0);
}

/*
 * RILL_ONLY=FIXTURE.VARIANT.TEST, each of them a pattern ("*.rill_*.order"; the
 * fixture of a TEST() is "global"), leaves out all other tests of a program.
 */
static inline void rt_only(void)
{
	char want[256], *variant, *test;
	unsigned int left = 0;
	struct __fixture_variant_metadata **v;
	struct __fixture_metadata *f;
	struct __test_metadata **t;

	if (!getenv("RILL_ONLY"))
		return;
	snprintf(want, sizeof(want), "%s", getenv("RILL_ONLY"));
	variant = strchr(want, '.');
	test = variant ? strchr(variant + 1, '.') : NULL;
	if (!test) {
		fprintf(stderr, "# RILL_ONLY is FIXTURE.VARIANT.TEST\n");
		exit(KSFT_FAIL);
	}
	*variant++ = '\0';
	*test++ = '\0';
	for (f = __fixture_list; f; f = f->next) {
		bool variants = f->variant;

		for (t = &f->tests; *t;) {
			if (rt_only_part(test, (*t)->name))
				t = &(*t)->next;
			else
				*t = (*t)->next;
		}
		for (v = &f->variant; *v;) {
			if (rt_only_part(variant, (*v)->name))
				v = &(*v)->next;
			else
				*v = (*v)->next;
		}
		if (!rt_only_part(want, f->name) || (variants && !f->variant))
			f->tests = NULL;
		for (t = &f->tests; *t; t = &(*t)->next)
			left++;
	}
	if (!left) {
		fprintf(stderr, "# RILL_ONLY=%s: no test of this program is so called\n",
			getenv("RILL_ONLY"));
		exit(KSFT_FAIL);
	}
}

/*
 * RILL_NO_CONTROL=1 leaves out the control: the variants whose names begin with
 * "unix", which say that AF_UNIX does what its manual pages and these tests say.
 */
static inline void rt_no_control(void)
{
	struct __fixture_variant_metadata **v;
	struct __fixture_metadata *f;
	bool left = false;

	if (!getenv("RILL_NO_CONTROL"))
		return;
	for (f = __fixture_list; f; f = f->next) {
		bool variants = f->variant;

		for (v = &f->variant; *v;) {
			if (strncmp((*v)->name, "unix", 4))
				v = &(*v)->next;
			else
				*v = (*v)->next;
		}
		if (variants && !f->variant)
			f->tests = NULL;
		left |= !!f->tests;
	}
	if (!left) {
		printf("1..0 # SKIP all of it is the control\n");
		exit(KSFT_SKIP);
	}
}

/* For TEST_HARNESS_MAIN, which knows of no selection. */
#define test_harness_run(argc, argv) \
	(rt_only(), rt_no_control(), test_harness_run(argc, argv))

#endif /* RILL_TEST_ONLY_H */
