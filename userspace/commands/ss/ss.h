/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of "rill ss" share: main.c reads the options, filter.c the
 * filter, diag.c asks the kernel, proc.c knows processes, table.c and json.c
 * print.
 */
#ifndef RILL_SS_H
#define RILL_SS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/rill_diag.h>
#include <linux/sock_diag.h>

#define EXIT_FAIL	1
#define EXIT_USAGE	2

/* Room for a printed name: each byte may become \xNN. */
#define SS_NAME_SIZE	(4 * RILL_NAME_MAX + 1)

/* A socket, as the kernel told it. */
struct ss_sock {
	struct rill_diag_msg	msg;
	uint32_t		has;		/* 1 << RILL_DIAG_* */
	char			*name;		/* NULL: none */
	char			*peer_name;
	struct rill_diag_peer	peer;
	uint32_t		uid;
	struct rill_diag_perm	perm;
	struct rill_diag_queue	queue;
	struct rill_queue	listen;
	uint32_t		mem[SK_MEMINFO_VARS];
	struct rill_diag_ring	ring;
	struct rill_diag_cred	cred;
	struct rill_diag_cred	peer_cred;
};

static inline bool ss_has(const struct ss_sock *s, int attr)
{
	return s->has & 1U << attr;
}

static inline unsigned long long ss_cookie(const uint32_t *cookie)
{
	return (unsigned long long)cookie[1] << 32 | cookie[0];
}

struct ss_list {
	struct ss_sock		*sock;
	size_t			n, room;
	struct ss_sock		**order;	/* as they are shown */
};

/* Which sockets. */
enum ss_end {
	SS_OWN,
	SS_PEER,
	SS_EITHER,
};

#define SS_MAX_PATTERNS	32

struct ss_filter {
	uint32_t		states;		/* 1 << RILL_DIAG_CONNECTED ... */
	uint32_t		types;		/* 1 << SOCK_STREAM ... */
	bool			receivers;	/* -l: closed ones, if named datagrams */
	int			n;
	struct {
		enum ss_end	end;
		const char	*glob;
	} pattern[SS_MAX_PATTERNS];
};

/* What of them. */
struct ss_view {
	bool			header;
	bool			processes;	/* all who hold them */
	bool			memory;
	bool			extended;
};

/* filter.c */
int ss_filter_parse(struct ss_filter *f, char **word, bool *states);
bool ss_filter_match(const struct ss_filter *f, const struct ss_sock *s);
void ss_filter_prefix(const struct ss_filter *f, char *prefix);

/* diag.c */
int ss_dump(const struct ss_filter *f, uint32_t show, struct ss_list *list);
void ss_list_sort(struct ss_list *list);
void ss_list_free(struct ss_list *list);

/* proc.c */
struct ss_holder {
	uint32_t		ino;
	int			pid;
	int			fd;
};

const char *ss_comm(int pid);
int ss_holders_read(void);
const struct ss_holder *ss_holders_of(uint32_t ino, size_t *n);
void ss_proc_free(void);

/* table.c */
const char *ss_type_word(const struct ss_sock *s);
const char *ss_state_word(const struct ss_sock *s);
void ss_table(const struct ss_list *list, const struct ss_view *view);
void ss_summary(const struct ss_list *list);

/* json.c */
void ss_json(const struct ss_list *list, const struct ss_view *view);

#endif /* RILL_SS_H */
