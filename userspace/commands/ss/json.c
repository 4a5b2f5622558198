// SPDX-License-Identifier: GPL-2.0-only
/*
 * What "rill ss --json" prints: an array of objects, of which each has every
 * key that the socket has something for.
 */
#include <stdio.h>

#include <rill/rill.h>

#include "ss.h"

/* Escaped text is ASCII: what is left is its backslash, and the quote. */
static void put_text(const char *escaped)
{
	putchar_unlocked('"');
	for (; *escaped; escaped++) {
		if (*escaped == '\\' || *escaped == '"')
			putchar_unlocked('\\');
		putchar_unlocked(*escaped);
	}
	putchar_unlocked('"');
}

static void put_name(const char *key, const char *name)
{
	char escaped[RILL_ESCAPED_SIZE];

	if (!name || rill_name_escape(name, escaped, sizeof(escaped)) < 0)
		return;
	printf(",\"%s\":", key);
	put_text(escaped);
}

static void put_cookie(const uint32_t *cookie)
{
	/* As text: not every reader of JSON has 64 bits. */
	printf("\"cookie\":\"%llx\"", ss_cookie(cookie));
}

static void put_process(const char *key, const struct rill_diag_cred *cred)
{
	printf(",\"%s\":{\"pid\":%u,\"comm\":", key, cred->rdc_pid);
	put_text(ss_comm(cred->rdc_pid));
	printf(",\"uid\":%u,\"gid\":%u}", cred->rdc_uid, cred->rdc_gid);
}

static void put_holders(const char *key, uint32_t ino)
{
	const struct ss_holder *h;
	size_t n;

	h = ss_holders_of(ino, &n);
	printf(",\"%s\":[", key);
	for (size_t i = 0; i < n; i++) {
		printf("%s{\"pid\":%d,\"fd\":%d,\"comm\":", i ? "," : "", h[i].pid, h[i].fd);
		put_text(ss_comm(h[i].pid));
		putchar_unlocked('}');
	}
	putchar_unlocked(']');
}

static const char *truth(uint32_t yes)
{
	return yes ? "true" : "false";
}

static void put_memory(const struct ss_sock *s)
{
	static const struct {
		const char	*key;
		int		at;
	} part[] = {
		{ "rmem_alloc", SK_MEMINFO_RMEM_ALLOC }, { "rcvbuf", SK_MEMINFO_RCVBUF },
		{ "wmem_alloc", SK_MEMINFO_WMEM_ALLOC }, { "sndbuf", SK_MEMINFO_SNDBUF },
		{ "fwd_alloc", SK_MEMINFO_FWD_ALLOC }, { "wmem_queued", SK_MEMINFO_WMEM_QUEUED },
		{ "optmem", SK_MEMINFO_OPTMEM }, { "backlog", SK_MEMINFO_BACKLOG },
		{ "drops", SK_MEMINFO_DROPS },
	};

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		printf("%s\"%s\":%u", i ? "," : ",\"memory\":{", part[i].key,
		       s->mem[part[i].at]);
	putchar_unlocked('}');
	if (ss_has(s, RILL_DIAG_RING))
		printf(",\"ring\":{\"bytes\":%u,\"slots\":%u}",
		       s->ring.rdi_bytes, s->ring.rdi_slots);
}

static void put_queue(const struct rill_queue *q)
{
	printf(",\"queue\":{\"length\":%u,\"limit\":%u,", q->rq_len, q->rq_max);
	printf("\"waiting\":%u,\"waiting_limit\":%u}", q->rq_waiting, q->rq_waiting_max);
}

static void put_peer(const struct ss_sock *s, const struct ss_view *view)
{
	printf(",\"peer\":{\"inode\":%u,", s->peer.rdp_ino);
	put_cookie(s->peer.rdp_cookie);
	put_name("name", s->peer_name);
	if (s->peer.rdp_ino)
		printf(",\"uid\":%u", s->peer.rdp_uid);
	if (ss_has(s, RILL_DIAG_PEER_CRED))
		put_process("process", &s->peer_cred);
	if (view->processes)
		put_holders("holders", s->peer.rdp_ino);
	putchar_unlocked('}');
}

static void put_sock(const struct ss_sock *s, const struct ss_view *view)
{
	printf("{\"type\":\"%s\",\"state\":\"%s\",\"inode\":%u,", ss_type_word(s),
	       ss_state_word(s), s->msg.rdm_ino);
	put_cookie(s->msg.rdm_cookie);
	put_name("name", s->name);
	if (ss_has(s, RILL_DIAG_PERM))
		printf(",\"name_owner\":{\"uid\":%u,\"gid\":%u,\"mode\":\"%04o\"}",
		       s->perm.rdn_uid, s->perm.rdn_gid, s->perm.rdn_mode);
	if (ss_has(s, RILL_DIAG_UID))
		printf(",\"uid\":%u", s->uid);
	if (ss_has(s, RILL_DIAG_QUEUE))
		printf(",\"recv_q\":%u,\"send_q\":%u", s->queue.rdq_recv,
		       s->queue.rdq_send);
	if (ss_has(s, RILL_DIAG_LISTEN_QUEUE))
		put_queue(&s->listen);
	printf(",\"shut_rd\":%s,\"shut_wr\":%s", truth(s->msg.rdm_shutdown & 1),
	       truth(s->msg.rdm_shutdown & 2));
	printf(",\"unaccepted\":%s,\"pair\":%s,\"hangup\":%s",
	       truth(s->msg.rdm_flags & RILL_DIAG_F_UNACCEPTED),
	       truth(s->msg.rdm_flags & RILL_DIAG_F_PAIR),
	       truth(s->msg.rdm_flags & RILL_DIAG_F_HANGUP));
	if (ss_has(s, RILL_DIAG_MEMINFO))
		put_memory(s);
	if (ss_has(s, RILL_DIAG_CRED))
		put_process("process", &s->cred);
	if (view->processes)
		put_holders("holders", s->msg.rdm_ino);
	if (ss_has(s, RILL_DIAG_PEER))
		put_peer(s, view);
	putchar_unlocked('}');
}

void ss_json(const struct ss_list *list, const struct ss_view *view)
{
	putchar_unlocked('[');
	for (size_t i = 0; i < list->n; i++) {
		fputs(i ? ",\n" : "\n", stdout);
		put_sock(list->order[i], view);
	}
	fputs("\n]\n", stdout);
}
