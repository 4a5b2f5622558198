// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filter of "rill ss": words as ss(8) has them, states and names.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ss.h"

enum {
	ALL_STATES = 1U << RILL_DIAG_CONNECTED | 1U << RILL_DIAG_CONNECTING |
		     1U << RILL_DIAG_CLOSED | 1U << RILL_DIAG_LISTEN,
};

/* Our word first, then what ss(8) calls it. */
static const struct {
	const char	*word;
	uint32_t	states;
} state_words[] = {
	{ "connected",		1U << RILL_DIAG_CONNECTED },
	{ "established",	1U << RILL_DIAG_CONNECTED },
	{ "estab",		1U << RILL_DIAG_CONNECTED },
	{ "connecting",		1U << RILL_DIAG_CONNECTING },
	{ "syn-sent",		1U << RILL_DIAG_CONNECTING },
	{ "listening",		1U << RILL_DIAG_LISTEN },
	{ "listen",		1U << RILL_DIAG_LISTEN },
	{ "closed",		1U << RILL_DIAG_CLOSED },
	{ "close",		1U << RILL_DIAG_CLOSED },
	{ "unconnected",	1U << RILL_DIAG_CLOSED },
	{ "unconn",		1U << RILL_DIAG_CLOSED },
	{ "all",		ALL_STATES },
};

static uint32_t states_of(const char *word)
{
	for (size_t i = 0; i < sizeof(state_words) / sizeof(state_words[0]); i++)
		if (!strcasecmp(word, state_words[i].word))
			return state_words[i].states;
	fprintf(stderr, "rill ss: no state is called \"%s\"; see rill ss --help\n", word);
	return 0;
}

static int add_pattern(struct ss_filter *f, enum ss_end end, const char *glob)
{
	if (f->n == SS_MAX_PATTERNS) {
		fprintf(stderr, "rill ss: more than %d patterns\n", SS_MAX_PATTERNS);
		return -1;
	}
	f->pattern[f->n].end = end;
	f->pattern[f->n].glob = glob;
	f->n++;
	return 0;
}

static int add_word(struct ss_filter *f, const char *word, const char *arg, uint32_t *only,
		    uint32_t *without)
{
	uint32_t states;

	if (!strcmp(word, "name"))
		return add_pattern(f, SS_EITHER, arg);
	if (!strcmp(word, "src"))
		return add_pattern(f, SS_OWN, arg);
	if (!strcmp(word, "dst"))
		return add_pattern(f, SS_PEER, arg);
	states = states_of(arg);
	if (!states)
		return -1;
	*(!strcmp(word, "state") ? only : without) |= states;
	return 0;
}

/*
 * Reads the words that follow the options.  *states: whether they name states,
 * which then count in place of the options'.  0, or -1 after a message.
 */
int ss_filter_parse(struct ss_filter *f, char **word, bool *states)
{
	static const char * const known[] = { "state", "exclude", "name", "src", "dst" };
	uint32_t only = 0, without = 0;
	size_t i;

	*states = false;
	for (; *word; word++) {
		if (!strcmp(*word, "and") || !strcmp(*word, "&&"))
			continue;
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (!strcmp(*word, known[i]))
				break;
		if (i == sizeof(known) / sizeof(known[0])) {
			fprintf(stderr, "rill ss: no filter is called \"%s\"; see rill ss --help\n",
				*word);
			return -1;
		}
		if (!word[1]) {
			fprintf(stderr, "rill ss: \"%s\" wants a word\n", *word);
			return -1;
		}
		if (add_word(f, word[0], word[1], &only, &without))
			return -1;
		if (i < 2)
			*states = true;
		word++;
	}
	if (*states) {
		f->states = (only ? only : ALL_STATES) & ~without;
		f->receivers = false;
	}
	return 0;
}

static bool glob_matches(const char *glob, const char *name)
{
	return name && !fnmatch(glob, name, 0);
}

bool ss_filter_match(const struct ss_filter *f, const struct ss_sock *s)
{
	if (!(f->states & 1U << s->msg.rdm_state) &&
	    !(f->receivers && s->msg.rdm_state == RILL_DIAG_CLOSED &&
	      s->msg.rdm_type == SOCK_DGRAM && s->name))
		return false;
	for (int i = 0; i < f->n; i++) {
		const char *glob = f->pattern[i].glob;
		bool own = f->pattern[i].end != SS_PEER && glob_matches(glob, s->name);
		bool peer = f->pattern[i].end != SS_OWN && glob_matches(glob, s->peer_name);

		if (!own && !peer)
			return false;
	}
	return true;
}

/*
 * What each name that the filter lets pass begins with, on either end, so that
 * the kernel need not tell the others: room for RILL_NAME_SIZE bytes.
 */
void ss_filter_prefix(const struct ss_filter *f, char *prefix)
{
	size_t len;

	prefix[0] = '\0';
	for (int i = 0; i < f->n && !prefix[0]; i++) {
		len = strcspn(f->pattern[i].glob, "*?[\\");
		if (len > RILL_NAME_MAX)
			len = RILL_NAME_MAX;
		memcpy(prefix, f->pattern[i].glob, len);
		prefix[len] = '\0';
	}
}
