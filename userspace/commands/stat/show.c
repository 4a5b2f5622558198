// SPDX-License-Identifier: GPL-2.0-only
/*
 * The forms in which counters are shown.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "stat.h"

static const char *text_of(const char *name)
{
	const struct word *w = word_find(name);

	return w ? w->text : "";
}

static bool is_gauge(const char *name)
{
	const struct word *w = word_find(name);

	return w && w->gauge;
}

/* Of which section is it?  One that is not known goes on with the one before. */
static const char *section_of(const struct counters *set, size_t i)
{
	const char *section = NULL;
	const struct word *w = word_find(set->c[i].name);

	/* The first of a section may not have been chosen. */
	for (; w; w--) {
		section = w->section;
		if (section)
			return section;
	}
	return i ? section_of(set, i - 1) : "others";
}

void show_table(const struct sample *s)
{
	const char *section, *last = "";

	for (size_t i = 0; i < s->kernel.n; i++) {
		section = section_of(&s->kernel, i);
		if (strcmp(section, last))
			printf("%s%s\n", i ? "\n" : "", section);
		last = section;
		printf("  %-25s %20llu  %s\n", s->kernel.c[i].name,
		       (unsigned long long)s->kernel.c[i].value,
		       text_of(s->kernel.c[i].name));
	}
	if (s->run.n)
		printf("%srill run, all programs of this user\n", s->kernel.n ? "\n" : "");
	for (size_t i = 0; i < s->run.n; i++)
		printf("  %-25s %20llu\n", s->run.c[i].name,
		       (unsigned long long)s->run.c[i].value);
}

/* Names need no escapes: counters_parse() takes none that does. */
static void json_set(const char *key, const struct counters *set)
{
	printf("\"%s\":{", key);
	for (size_t i = 0; i < set->n; i++)
		printf("%s\"%s\":%llu", i ? "," : "", set->c[i].name,
		       (unsigned long long)set->c[i].value);
	printf("}");
}

void show_json(const struct sample *s)
{
	printf("{");
	json_set("counters", &s->kernel);
	printf(",");
	json_set("run", &s->run);
	printf("}\n");
}

static double seconds(const struct sample *old, const struct sample *now)
{
	double s = (now->when.tv_sec - old->when.tv_sec) +
		   (now->when.tv_nsec - old->when.tv_nsec) / 1e9;

	return s > 0 ? s : 0.001;
}

/* Negative for a gauge that fell, or if the module was loaded anew. */
static long long difference(const struct counters *old, const struct counter *c)
{
	return (long long)(c->value - counter_get(old, c->name));
}

static void json_diff(const char *key, const struct counters *old,
		      const struct counters *now)
{
	const char *comma = "";

	printf(",\"%s\":{", key);
	for (size_t i = 0; i < now->n; i++) {
		long long by = difference(old, &now->c[i]);

		if (!by)
			continue;
		printf("%s\"%s\":%lld", comma, now->c[i].name, by);
		comma = ",";
	}
	printf("}");
}

void show_json_changes(const struct sample *old, const struct sample *now)
{
	printf("{\"time\":%lld,\"seconds\":%.3f,", (long long)now->wall, seconds(old, now));
	json_set("counters", &now->kernel);
	json_diff("changes", &old->kernel, &now->kernel);
	printf(",");
	json_set("run", &now->run);
	json_diff("run_changes", &old->run, &now->run);
	printf("}\n");
}

static void clock_text(const struct sample *s, char *buf, size_t size)
{
	struct tm tm;

	if (!localtime_r(&s->wall, &tm) || !strftime(buf, size, "%H:%M:%S", &tm))
		snprintf(buf, size, "-");
}

static void line_changes(const char *when, const struct counters *old,
			 const struct counters *now, double secs)
{
	for (size_t i = 0; i < now->n; i++) {
		long long by = difference(old, &now->c[i]);

		if (by)
			printf("%s %-25s %20llu %+16lld %16.1f/s\n", when, now->c[i].name,
			       (unsigned long long)now->c[i].value, by, by / secs);
	}
}

/* For a pipe or a file: a line for each that has changed. */
void show_changes(const struct sample *old, const struct sample *now)
{
	char when[16];

	clock_text(now, when, sizeof(when));
	line_changes(when, &old->kernel, &now->kernel, seconds(old, now));
	line_changes(when, &old->run, &now->run, seconds(old, now));
}

/* A line that is wider than the terminal would be two there: it is cut. */
static int live_rows(const struct counters *first, const struct counters *old,
		     const struct counters *now, double secs, int rows, int cols)
{
	char line[256];

	for (size_t i = 0; i < now->n && rows > 0; i++) {
		const struct counter *c = &now->c[i];
		bool gauge = is_gauge(c->name);

		if (!gauge && !difference(first, c))
			continue;
		if (gauge)
			snprintf(line, sizeof(line), "%-25s %20llu %18s  %s", c->name,
				 (unsigned long long)c->value, "", text_of(c->name));
		else
			snprintf(line, sizeof(line), "%-25s %20llu %16.1f/s  %s", c->name,
				 (unsigned long long)c->value, difference(old, c) / secs,
				 text_of(c->name));
		printf("%.*s\n", cols, line);
		rows--;
	}
	return rows;
}

/* For a terminal: what has moved since the beginning, drawn anew each time. */
void show_live(const struct sample *first, const struct sample *old,
	       const struct sample *now)
{
	double secs = seconds(old, now);
	int rows = 24, cols = 80;
	struct winsize ws;
	char when[16], line[80];

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_row && ws.ws_col) {
		rows = ws.ws_row;
		cols = ws.ws_col;
	}
	clock_text(now, when, sizeof(when));
	snprintf(line, sizeof(line), "%s  what has moved in %.0f s; Ctrl-C ends it", when,
		 seconds(first, now));
	/* Home, and away with what was there. */
	printf("\033[H\033[J%.*s\n", cols, line);
	rows = live_rows(&first->kernel, &old->kernel, &now->kernel, secs, rows - 2, cols);
	live_rows(&first->run, &old->run, &now->run, secs, rows, cols);
}
