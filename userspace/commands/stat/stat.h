/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of "rill stat" share: a set of counters as read at one moment,
 * and how it is shown.
 */
#ifndef RILL_STAT_H
#define RILL_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define STAT_PATH	"/proc/thread-self/net/rill_stat"
#define MAX_COUNTERS	256
#define NAME_SIZE	48

struct counter {
	char name[NAME_SIZE];
	uint64_t value;
};

/* In the order of the file. */
struct counters {
	size_t n;
	struct counter c[MAX_COUNTERS];
};

struct sample {
	struct timespec when;		/* CLOCK_MONOTONIC */
	time_t wall;
	struct counters kernel;
	struct counters run;		/* of "rill run", this user's */
};

/* What may be said of a counter. */
struct word {
	const char *name;
	const char *section;		/* of which it is the first, or NULL */
	const char *text;
	bool gauge;			/* goes down, too */
};

/* counters.c */
const struct word *word_find(const char *name);
uint64_t counter_get(const struct counters *set, const char *name);
int counters_parse(struct counters *set, char *text, bool sum);
int sample_read(struct sample *s);
void counters_choose(struct counters *set, char *const *patterns, int n);

/* run.c */
void run_read(struct counters *set);

/* show.c */
void show_table(const struct sample *s);
void show_json(const struct sample *s);
void show_changes(const struct sample *old, const struct sample *now);
void show_live(const struct sample *first, const struct sample *old,
	       const struct sample *now);
void show_json_changes(const struct sample *old, const struct sample *now);

#endif /* RILL_STAT_H */
