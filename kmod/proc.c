// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be seen of a namespace's sockets: /proc/net/rill, /proc/net/rill_stat
 * and the lines of /proc/PID/fdinfo.
 *
 * Locking and lifetime: the walk takes a reference on a socket under its bucket's
 * lock; what is shown is taken with rill_view_get().
 *
 * Context: process.
 */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "af_rill.h"

static const char *rill_type_name(const struct sock *sk)
{
	switch (sk->sk_type) {
	case SOCK_STREAM:
		return "stream";
	case SOCK_SEQPACKET:
		return "seqpacket";
	}
	return "dgram";
}

static const char *rill_state_name(const struct rill_view *view)
{
	switch (view->state) {
	case TCP_LISTEN:
		return "LISTEN";
	case TCP_SYN_SENT:
		return "CONNECTING";
	case TCP_ESTABLISHED:
		return "CONNECTED";
	}
	return "CLOSE";
}

static unsigned long rill_view_peer_ino(const struct rill_view *view)
{
	return view->peer ? sock_i_ino(view->peer) : 0;
}

static const char *rill_view_name(const struct rill_view *view)
{
	return view->name ? view->name->name : "-";
}

void rill_show_fdinfo(struct seq_file *m, struct socket *sock)
{
	struct rill_view view;

	rill_view_get(&view, sock->sk);
	seq_printf(m, "rill-type:\t%s\n", rill_type_name(sock->sk));
	seq_printf(m, "rill-state:\t%s\n", rill_state_name(&view));
	seq_printf(m, "rill-name:\t%s\n", rill_view_name(&view));
	seq_printf(m, "rill-peer-ino:\t%lu\n", rill_view_peer_ino(&view));
	seq_printf(m, "rill-recv-q:\t%ld\n", view.recv_q);
	seq_printf(m, "rill-send-q:\t%ld\n", view.send_q);
	rill_view_put(&view);
}

/* ---- /proc/net/rill ---- */

/* A position is that of rill_sock_next() plus one, for the headline. */
static struct sock *rill_seq_walk(struct seq_file *seq, loff_t *pos,
				  struct sock *prev)
{
	u64 at = *pos - 1;
	struct sock *sk = rill_sock_next(seq_file_net(seq), &at, prev);

	*pos = at + 1;
	return sk;
}

static void rill_seq_stop(struct seq_file *seq, void *v)
{
	struct sock *sk = v;

	if (v && v != SEQ_START_TOKEN)
		sock_put(sk);
}

static void *rill_seq_start(struct seq_file *seq, loff_t *pos)
{
	return *pos ? rill_seq_walk(seq, pos, NULL) : SEQ_START_TOKEN;
}

static void *rill_seq_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct sock *prev = v == SEQ_START_TOKEN ? NULL : v;
	struct sock *sk;

	++*pos;
	sk = rill_seq_walk(seq, pos, prev);
	if (prev)
		sock_put(prev);
	return sk;
}

static int rill_seq_show(struct seq_file *seq, void *v)
{
	struct rill_view view;
	struct sock *sk = v;

	if (v == SEQ_START_TOKEN) {
		seq_puts(seq, "Type State Inode Peer Recv-Q Send-Q Uid Name\n");
		return 0;
	}
	/* A new end whose connector stands in line is nobody's socket yet. */
	if (rill_sock_hidden(sk))
		return SEQ_SKIP;
	rill_view_get(&view, sk);
	/* The name comes last: it may have spaces, but nothing that ends a line. */
	seq_printf(seq, "%s %s %lu %lu %ld %ld %u %s\n",
		   rill_type_name(sk), rill_state_name(&view),
		   (unsigned long)sock_i_ino(sk), rill_view_peer_ino(&view),
		   view.recv_q, view.send_q,
		   from_kuid_munged(seq_user_ns(seq), rill_sock_uid(sk)),
		   rill_view_name(&view));
	rill_view_put(&view);
	return 0;
}

static const struct seq_operations rill_seq_ops = {
	.start	= rill_seq_start,
	.next	= rill_seq_next,
	.stop	= rill_seq_stop,
	.show	= rill_seq_show,
};

/* ---- /proc/net/rill_stat ---- */

static const char * const rill_stat_names[RILL_STAT_MAX] = {
	[RILL_STAT_CONNECT_OK]		= "connect_ok",
	[RILL_STAT_CONNECT_WAITED]	= "connect_waited",
	[RILL_STAT_CONNECT_OVERFLOW]	= "connect_overflow",
	[RILL_STAT_CONNECT_NONAME]	= "connect_noname",
	[RILL_STAT_CONNECT_NOLISTENER]	= "connect_nolistener",
	[RILL_STAT_CONNECT_DENIED]	= "connect_denied",
	[RILL_STAT_CONNECT_WRONGTYPE]	= "connect_wrongtype",
	[RILL_STAT_CONNECT_NOMEM]	= "connect_nomem",
	[RILL_STAT_CONNECT_LEFT]	= "connect_left",
	[RILL_STAT_CONNECT_REFUSED]	= "connect_refused",
	[RILL_STAT_ACCEPT_OK]		= "accept_ok",
	[RILL_STAT_PAIR_OK]		= "pair_ok",
	[RILL_STAT_BIND_OK]		= "bind_ok",
	[RILL_STAT_BIND_INUSE]		= "bind_inuse",
	[RILL_STAT_BIND_DENIED]		= "bind_denied",
	[RILL_STAT_STREAM_SENT]		= "stream_sent",
	[RILL_STAT_STREAM_SENT_BYTES]	= "stream_sent_bytes",
	[RILL_STAT_STREAM_RECEIVED]	= "stream_received",
	[RILL_STAT_STREAM_RECEIVED_BYTES] = "stream_received_bytes",
	[RILL_STAT_STREAM_DROPPED_BYTES] = "stream_dropped_bytes",
	[RILL_STAT_SEQPACKET_SENT]	= "seqpacket_sent",
	[RILL_STAT_SEQPACKET_SENT_BYTES] = "seqpacket_sent_bytes",
	[RILL_STAT_SEQPACKET_RECEIVED]	= "seqpacket_received",
	[RILL_STAT_SEQPACKET_RECEIVED_BYTES] = "seqpacket_received_bytes",
	[RILL_STAT_SEQPACKET_DROPPED]	= "seqpacket_dropped",
	[RILL_STAT_DGRAM_SENT]		= "dgram_sent",
	[RILL_STAT_DGRAM_SENT_BYTES]	= "dgram_sent_bytes",
	[RILL_STAT_DGRAM_RECEIVED]	= "dgram_received",
	[RILL_STAT_DGRAM_RECEIVED_BYTES] = "dgram_received_bytes",
	[RILL_STAT_DGRAM_DROPPED]	= "dgram_dropped",
	[RILL_STAT_DGRAM_FILTERED]	= "dgram_filtered",
	[RILL_STAT_FILES_SENT]		= "files_sent",
	[RILL_STAT_FILES_RECEIVED]	= "files_received",
	[RILL_STAT_FILES_DROPPED]	= "files_dropped",
	[RILL_STAT_SLEEP_SPACE]		= "sleep_space",
	[RILL_STAT_SLEEP_DATA]		= "sleep_data",
	[RILL_STAT_AGAIN_SPACE]		= "again_space",
	[RILL_STAT_AGAIN_DATA]		= "again_data",
	[RILL_STAT_WAKE_SPACE]		= "wake_space",
	[RILL_STAT_WAKE_DATA]		= "wake_data",
	[RILL_STAT_WAKE_ACCEPT]		= "wake_accept",
	[RILL_STAT_BUSY_POLL_HIT]	= "busy_poll_hit",
	[RILL_STAT_BUSY_POLL_MISS]	= "busy_poll_miss",
	[RILL_STAT_RESET_UNREAD]	= "reset_unread",
	[RILL_STAT_RESET_LINGER]	= "reset_linger",
	[RILL_STAT_RESET_UNACCEPTED]	= "reset_unaccepted",
};

static int rill_stat_show(struct seq_file *seq, void *v)
{
	struct net *net = seq_file_single_net(seq);
	struct rill_net *rn = rill_net(net);
	int i;

	for (i = 0; i < RILL_STAT_MAX; i++)
		seq_printf(seq, "%s %llu\n", rill_stat_names[i],
			   rill_stat_sum(rn, i));
	/* Those that are closed and not yet freed, too. */
	seq_printf(seq, "sockets %d\n",
		   sock_prot_inuse_get(net, &rill_proto) +
		   sock_prot_inuse_get(net, &rill_msg_proto));
	seq_printf(seq, "names %d\n", atomic_read(&rn->names.nelems));
	seq_printf(seq, "waiting %d\n", atomic_read(&rn->waiting));
	return 0;
}

int rill_proc_init(struct net *net)
{
	if (!proc_create_net("rill", 0444, net->proc_net, &rill_seq_ops,
			     sizeof(struct seq_net_private)))
		return -ENOMEM;
	if (!proc_create_net_single("rill_stat", 0444, net->proc_net,
				    rill_stat_show, NULL)) {
		remove_proc_entry("rill", net->proc_net);
		return -ENOMEM;
	}
	return 0;
}

void rill_proc_exit(struct net *net)
{
	remove_proc_entry("rill_stat", net->proc_net);
	remove_proc_entry("rill", net->proc_net);
}
