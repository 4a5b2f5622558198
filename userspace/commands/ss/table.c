// SPDX-License-Identifier: GPL-2.0-only
/*
 * What "rill ss" prints for people: columns as ss(8), and the summary.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <rill/rill.h>

#include "ss.h"

const char *ss_type_word(const struct ss_sock *s)
{
	switch (s->msg.rdm_type) {
	case SOCK_STREAM:
		return "stream";
	case SOCK_SEQPACKET:
		return "seqpacket";
	case SOCK_DGRAM:
		return "dgram";
	}
	return "?";
}

const char *ss_state_word(const struct ss_sock *s)
{
	switch (s->msg.rdm_state) {
	case RILL_DIAG_CONNECTED:
		return "CONNECTED";
	case RILL_DIAG_CONNECTING:
		return "CONNECTING";
	case RILL_DIAG_LISTEN:
		return "LISTEN";
	case RILL_DIAG_CLOSED:
		return "CLOSE";
	}
	return "?";
}

static bool is_word(const char *name)
{
	for (const char *p = name; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '\\')
			return false;
	return true;
}

/* A name as one word: a space would begin another column.  None is "*". */
static const char *name_word(const char *name, char *buf)
{
	char escaped[RILL_ESCAPED_SIZE], *out = buf;

	if (!name)
		return "*";
	/* A name may be an asterisk, too. */
	if (!strcmp(name, "*"))
		return "\\x2a";
	/* Most are words as they are. */
	if (is_word(name))
		return name;
	if (rill_name_escape(name, escaped, sizeof(escaped)) < 0)
		return "?";
	for (const char *p = escaped; *p; p++) {
		if (*p == ' ') {
			memcpy(out, "\\x20", 4);
			out += 4;
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
	return buf;
}

/* ---- what stands in every row: without printf(), which would be most of it ---- */

static void put(const char *text)
{
	fputs_unlocked(text, stdout);
}

static void put_padded(const char *text, int width)
{
	int n = strlen(text);

	put(text);
	for (; n < width; n++)
		putchar_unlocked(' ');
}

static void put_number(uint32_t n, int width)
{
	char digits[12], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do {
		*--p = '0' + n % 10;
		n /= 10;
	} while (n);
	put_padded(p, width);
}

/* ---- who ---- */

/* One of them; fd is -1 for one that was recorded. */
static void print_process(uint32_t pid, int fd)
{
	put("(\"");
	put(ss_comm(pid));
	put("\",pid=");
	put_number(pid, 0);
	if (fd >= 0) {
		put(",fd=");
		put_number(fd, 0);
	}
	put(")");
}

static void print_who(const char *title, uint32_t ino, const struct rill_diag_cred *cred,
		      const struct ss_view *view)
{
	const struct ss_holder *h = NULL;
	size_t n = 0;

	if (view->processes)
		h = ss_holders_of(ino, &n);
	if (!n && !cred)
		return;
	put(" ");
	put(title);
	put(":(");
	if (!n)
		print_process(cred->rdc_pid, -1);
	for (size_t i = 0; i < n; i++) {
		put(i ? "," : "");
		print_process(h[i].pid, h[i].fd);
	}
	put(")");
}

static void print_processes(const struct ss_sock *s, const struct ss_view *view)
{
	print_who("users", s->msg.rdm_ino,
		  ss_has(s, RILL_DIAG_CRED) ? &s->cred : NULL, view);
	if (ss_has(s, RILL_DIAG_PEER))
		print_who("peer", s->peer.rdp_ino,
			  ss_has(s, RILL_DIAG_PEER_CRED) ? &s->peer_cred : NULL, view);
}

/* ---- the rest ---- */

static void print_flags(const struct ss_sock *s)
{
	static const char * const shut[] = { "", "rd", "wr", "both" };

	if (s->msg.rdm_flags & RILL_DIAG_F_UNACCEPTED)
		fputs(" unaccepted", stdout);
	if (s->msg.rdm_flags & RILL_DIAG_F_HANGUP)
		fputs(" hangup", stdout);
	if (s->msg.rdm_flags & RILL_DIAG_F_PAIR)
		fputs(" pair", stdout);
	if (s->msg.rdm_shutdown & 3)
		printf(" shut:%s", shut[s->msg.rdm_shutdown & 3]);
}

static void print_extended(const struct ss_sock *s)
{
	if (ss_has(s, RILL_DIAG_UID))
		printf(" uid:%u", s->uid);
	printf(" ino:%u sk:%llx", s->msg.rdm_ino, ss_cookie(s->msg.rdm_cookie));
	if (ss_has(s, RILL_DIAG_PERM))
		printf(" owner:%u:%u mode:%04o", s->perm.rdn_uid,
		       s->perm.rdn_gid, s->perm.rdn_mode);
	if (ss_has(s, RILL_DIAG_PEER)) {
		printf(" peer-ino:%u peer-sk:%llx", s->peer.rdp_ino,
		       ss_cookie(s->peer.rdp_cookie));
		if (s->peer.rdp_ino)
			printf(" peer-uid:%u", s->peer.rdp_uid);
	}
	print_flags(s);
}

static void print_memory(const struct ss_sock *s)
{
	/* As ss(8) calls them. */
	static const struct {
		const char	*key;
		int		at;
	} part[] = {
		{ "r", SK_MEMINFO_RMEM_ALLOC }, { "rb", SK_MEMINFO_RCVBUF },
		{ "t", SK_MEMINFO_WMEM_ALLOC }, { "tb", SK_MEMINFO_SNDBUF },
		{ "f", SK_MEMINFO_FWD_ALLOC }, { "w", SK_MEMINFO_WMEM_QUEUED },
		{ "o", SK_MEMINFO_OPTMEM }, { "bl", SK_MEMINFO_BACKLOG },
		{ "d", SK_MEMINFO_DROPS },
	};

	if (ss_has(s, RILL_DIAG_MEMINFO)) {
		for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
			printf("%s%s%u", i ? "," : " skmem:(", part[i].key, s->mem[part[i].at]);
		putchar_unlocked(')');
	}
	if (ss_has(s, RILL_DIAG_RING))
		printf(" ring:(bytes%u,slots%u)", s->ring.rdi_bytes, s->ring.rdi_slots);
}

static void print_row(const struct ss_sock *s, const struct ss_view *view, int local, int peer)
{
	char own_buf[SS_NAME_SIZE], peer_buf[SS_NAME_SIZE];
	bool listens = ss_has(s, RILL_DIAG_LISTEN_QUEUE);

	put_padded(ss_type_word(s), 10);
	put_padded(ss_state_word(s), 11);
	put_number(listens ? s->listen.rq_len : s->queue.rdq_recv, 6);
	put(" ");
	put_number(listens ? s->listen.rq_max : s->queue.rdq_send, 6);
	put(" ");
	put_padded(name_word(s->name, own_buf), local + 1);
	put_padded(name_word(s->peer_name, peer_buf), peer);
	print_processes(s, view);
	if (listens)
		printf(" waiting:%u/%u", s->listen.rq_waiting,
		       s->listen.rq_waiting_max);
	if (view->extended)
		print_extended(s);
	if (view->memory)
		print_memory(s);
	putchar_unlocked('\n');
}

void ss_table(const struct ss_list *list, const struct ss_view *view)
{
	int local = strlen("Local"), peer = strlen("Peer"), len;
	char buf[SS_NAME_SIZE];

	for (size_t i = 0; i < list->n; i++) {
		len = strlen(name_word(list->order[i]->name, buf));
		local = len > local ? len : local;
		len = strlen(name_word(list->order[i]->peer_name, buf));
		peer = len > peer ? len : peer;
	}
	if (view->header)
		printf("%-9s %-10s %-6s %-6s %-*s %-*s %s\n", "Type", "State", "Recv-Q", "Send-Q",
		       local, "Local", peer, "Peer", "Process");
	for (size_t i = 0; i < list->n; i++)
		print_row(list->order[i], view, local, peer);
}

/* ---- -s ---- */

void ss_summary(const struct ss_list *list)
{
	static const struct {
		const char *word;
		int type;
	} types[] = {
		{ "stream", SOCK_STREAM },
		{ "seqpacket", SOCK_SEQPACKET },
		{ "dgram", SOCK_DGRAM },
	};

	printf("Total: %zu\n\n%-9s %-8s %-10s %-10s %-8s %s\n", list->n, "Type", "Total",
	       "Connected", "Connecting", "Listen", "Close");
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		size_t by[16] = { 0 }, total = 0;

		for (size_t i = 0; i < list->n; i++) {
			if (list->order[i]->msg.rdm_type != types[t].type)
				continue;
			total++;
			by[list->order[i]->msg.rdm_state & 15]++;
		}
		printf("%-9s %-8zu %-10zu %-10zu %-8zu %zu\n", types[t].word, total,
		       by[RILL_DIAG_CONNECTED], by[RILL_DIAG_CONNECTING], by[RILL_DIAG_LISTEN],
		       by[RILL_DIAG_CLOSED]);
	}
}
