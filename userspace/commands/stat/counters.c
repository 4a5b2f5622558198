// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters: what each is about, and how they are read.
 *
 * A counter of a newer module that has no words here is shown all the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stat.h"

static const struct word words[] = {
	{ "connect_ok", "connections", "made", false },
	{ "connect_waited", NULL, "connectors that joined a waiting line", false },
	{ "connect_overflow", NULL, "refused: the line was full", false },
	{ "connect_noname", NULL, "refused: nobody has the name (sendto() too)", false },
	{ "connect_nolistener", NULL, "refused: who has the name does not listen", false },
	{ "connect_denied", NULL, "refused: no permission (sendto() too)", false },
	{ "connect_wrongtype", NULL, "refused: the name is of another type (sendto() too)", false },
	{ "connect_nomem", NULL, "refused: no memory", false },
	{ "connect_left", NULL, "connectors that left the line", false },
	{ "connect_refused", NULL, "connectors in line whose listener went away", false },
	{ "accept_ok", NULL, "accepted", false },
	{ "pair_ok", NULL, "pairs made by socketpair()", false },
	{ "bind_ok", "names", "given", false },
	{ "bind_inuse", NULL, "refused: somebody has it", false },
	{ "bind_denied", NULL, "refused: no permission", false },
	{ "stream_sent", "streams", "sends", false },
	{ "stream_sent_bytes", NULL, "bytes sent", false },
	{ "stream_received", NULL, "receives", false },
	{ "stream_received_bytes", NULL, "bytes received", false },
	{ "stream_dropped_bytes", NULL, "bytes that nobody will receive", false },
	{ "seqpacket_sent", "seqpacket", "messages sent", false },
	{ "seqpacket_sent_bytes", NULL, "bytes sent", false },
	{ "seqpacket_received", NULL, "messages received", false },
	{ "seqpacket_received_bytes", NULL, "bytes received", false },
	{ "seqpacket_dropped", NULL, "messages that nobody will receive", false },
	{ "dgram_sent", "datagrams", "messages sent", false },
	{ "dgram_sent_bytes", NULL, "bytes sent", false },
	{ "dgram_received", NULL, "messages received", false },
	{ "dgram_received_bytes", NULL, "bytes received", false },
	{ "dgram_dropped", NULL, "messages that nobody will receive", false },
	{ "dgram_filtered", NULL, "messages that the receiver's filter dropped", false },
	{ "files_sent", "files", "sent, beside data", false },
	{ "files_received", NULL, "received", false },
	{ "files_dropped", NULL, "closed because nobody will receive them", false },
	{ "sleep_space", "waiting", "senders that went to sleep for room", false },
	{ "sleep_data", NULL, "receivers that went to sleep for data", false },
	{ "again_space", NULL, "sends that would not wait for room", false },
	{ "again_data", NULL, "receives that would not wait for data", false },
	{ "wake_space", NULL, "wake-ups because of room", false },
	{ "wake_data", NULL, "wake-ups because of data", false },
	{ "wake_accept", NULL, "wake-ups because of a connection to accept", false },
	{ "busy_poll_hit", NULL, "waits that busy polling saved", false },
	{ "busy_poll_miss", NULL, "busy polling in vain", false },
	{ "reset_unread", "resets", "ends closed with something unread", false },
	{ "reset_linger", NULL, "ends closed with SO_LINGER of 0", false },
	{ "reset_unaccepted", NULL, "never accepted: the listener went away", false },
	{ "sockets", "now", "sockets", true },
	{ "names", NULL, "names", true },
	{ "waiting", NULL, "connectors in line", true },
};

const struct word *word_find(const char *name)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].name, name))
			return &words[i];
	return NULL;
}

static struct counter *counter_find(struct counters *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++)
		if (!strcmp(set->c[i].name, name))
			return &set->c[i];
	return NULL;
}

uint64_t counter_get(const struct counters *set, const char *name)
{
	const struct counter *c = counter_find((struct counters *)set, name);

	return c ? c->value : 0;
}

/* Lines of "WORD NUMBER".  sum: add to what is there.  -1: none of the kind. */
int counters_parse(struct counters *set, char *text, bool sum)
{
	char *line, *save = NULL, name[NAME_SIZE], tail;
	unsigned long long value;
	struct counter *c;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		/* One that is being written this moment may be torn. */
		if (sscanf(line, "%47[a-zA-Z0-9_.-] %llu %c", name, &value, &tail) != 2)
			continue;
		c = sum ? counter_find(set, name) : NULL;
		if (!c) {
			if (set->n == MAX_COUNTERS)
				break;
			c = &set->c[set->n++];
			snprintf(c->name, sizeof(c->name), "%s", name);
			c->value = 0;
		}
		c->value += value;
	}
	return set->n ? 0 : -1;
}

static int kernel_read(struct counters *set)
{
	char text[32768];
	size_t used = 0;
	ssize_t n;
	int fd;

	fd = open(STAT_PATH, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += n;
	close(fd);
	if (n < 0)
		return -1;
	text[used] = '\0';
	if (counters_parse(set, text, false)) {
		errno = EBADMSG;
		return -1;
	}
	return 0;
}

/* 0, or -1 with errno. */
int sample_read(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	clock_gettime(CLOCK_MONOTONIC, &s->when);
	s->wall = time(NULL);
	if (kernel_read(&s->kernel))
		return -1;
	run_read(&s->run);
	return 0;
}

/* Keep what matches one of the patterns. */
void counters_choose(struct counters *set, char *const *patterns, int n)
{
	size_t kept = 0;
	int p;

	if (!n)
		return;
	for (size_t i = 0; i < set->n; i++) {
		for (p = 0; p < n && fnmatch(patterns[p], set->c[i].name, 0); p++)
			;
		if (p < n)
			set->c[kept++] = set->c[i];
	}
	set->n = kept;
}
