// SPDX-License-Identifier: GPL-2.0-only
/*
 * The work that is measured, in the order of the table.
 */
#include "bench.h"

#define ROWS(...)	.rows = (const struct row[]){ __VA_ARGS__ }, \
			.nrows = ARRAY_SIZE(((const struct row[]){ __VA_ARGS__ }))

#define ROW(id_, title_, unit_)	{ .id = id_, .title = title_, .unit = unit_ }

#define LIMITS		(PEER_SHM | PEER_MEMCPY | PEER_DEVNULL)

#define STREAM(id_, title_, size_, rsize_) {				\
	ROWS(ROW(id_, title_, UNIT_BYTES_S)),				\
	.run = work_stream, .peers = PEERS_STREAM | PEER_PIPE | LIMITS,	\
	.type = SOCK_STREAM, .size = size_, .rsize = rsize_ }

#define RTT(id_, title_, peers_, arg_) {				\
	ROWS(ROW(id_, title_, UNIT_NS)),				\
	.run = work_rtt, .peers = PEERS_STREAM | PEER_PIPE | (peers_),	\
	.type = SOCK_STREAM, .size = 64, .arg = arg_ }

#define MESSAGE(id_, title_, peers_, type_, size_) {			\
	ROWS(ROW(id_, title_, UNIT_OPS_S)),				\
	.run = work_message, .peers = PEERS_MESSAGE & (peers_),		\
	.type = type_, .size = size_ }

/* The same work with more and more of something. */
#define GROW_ROW(id_, title_, least_)	{ id_, title_, UNIT_NS, least_ }

#define GROW(arg_, ...) {						\
	ROWS(__VA_ARGS__),						\
	.run = work_grow, .prepare = hold_prepare,			\
	.peers = PEER_RILL | PEER_UNIX, .type = SOCK_STREAM, .size = 64, \
	.arg = arg_ }

const struct job jobs[] = {
	STREAM("stream-64B", "one-way 64 B", 64, 64 * KIB),
	STREAM("stream-64B-read64B", "one-way 64 B, reads of 64 B", 64, 64),
	STREAM("stream-1KiB", "one-way 1 KiB", 1 * KIB, 64 * KIB),
	STREAM("stream-1KiB-read1KiB", "one-way 1 KiB, reads of 1 KiB", 1 * KIB, 1 * KIB),
	STREAM("stream-4KiB", "one-way 4 KiB", 4 * KIB, 64 * KIB),
	STREAM("stream-64KiB", "one-way 64 KiB", 64 * KIB, 64 * KIB),
	STREAM("stream-1MiB", "one-way 1 MiB", 1 * MIB, 1 * MIB),

	RTT("rtt-one-cpu", "round trip, one CPU", 0, 0),
	RTT("rtt-one-cpu-busy", "round trip, one CPU, busy polling", 0, RTT_BUSY),
	RTT("rtt-cross", "round trip across CPUs, sockets as they come", 0, RTT_CROSS),
	RTT("rtt-cross-sleep", "round trip across CPUs, sleeping", 0,
	    RTT_CROSS | RTT_SLEEP),
	RTT("rtt-cross-busy", "round trip across CPUs, busy polling", PEER_SHM,
	    RTT_CROSS | RTT_BUSY),

	MESSAGE("dgram-64B", "datagrams of 64 B", ~0u, SOCK_DGRAM, 64),
	MESSAGE("dgram-1KiB", "datagrams of 1 KiB", ~0u, SOCK_DGRAM, 1 * KIB),
	MESSAGE("dgram-8KiB", "datagrams of 8 KiB", ~0u, SOCK_DGRAM, 8 * KIB),
	MESSAGE("dgram-64KiB", "datagrams of 64 KiB", ~0u, SOCK_DGRAM, 64 * KIB),
	MESSAGE("seq-64B", "seqpacket of 64 B", ~PEER_UDP, SOCK_SEQPACKET,
		64),
	MESSAGE("seq-1KiB", "seqpacket of 1 KiB", ~PEER_UDP, SOCK_SEQPACKET,
		1 * KIB),
	MESSAGE("seq-8KiB", "seqpacket of 8 KiB", ~PEER_UDP, SOCK_SEQPACKET,
		8 * KIB),
	MESSAGE("seq-64KiB", "seqpacket of 64 KiB", ~PEER_UDP, SOCK_SEQPACKET,
		64 * KIB),

	{ ROWS(ROW("connect", "connect+accept+close, two processes", UNIT_OPS_S)),
	  .run = work_connect, .peers = PEERS_STREAM, .type = SOCK_STREAM },
	{ ROWS(ROW("connect-thread", "connect+accept+close, one thread", UNIT_OPS_S)),
	  .run = work_connect_thread, .peers = PEERS_STREAM, .type = SOCK_STREAM },

	{ ROWS(ROW("fanin-8", "8 senders of 64 B into one epoll reader", UNIT_OPS_S)),
	  .run = work_fanin, .peers = PEERS_STREAM | PEER_PIPE,
	  .type = SOCK_STREAM, .size = 64, .rsize = 64 * KIB, .arg = 8 },
	{ ROWS(ROW("echo-1000", "epoll echo server, 1,000 connections, 64 B", UNIT_OPS_S)),
	  .run = work_echo, .peers = PEERS_STREAM,
	  .type = SOCK_STREAM, .size = 64, .arg = 1000 },

	{ ROWS(ROW("sendfile", "sendfile of 64 MiB of page cache", UNIT_BYTES_S)),
	  .run = work_sendfile, .peers = PEERS_STREAM | PEER_PIPE,
	  .type = SOCK_STREAM, .size = 64 * KIB, .rsize = 64 * KIB,
	  .prepare = files_prepare },
	{ ROWS(ROW("splice", "splice into a file, from writes of 64 KiB", UNIT_BYTES_S)),
	  .run = work_splice, .peers = PEERS_STREAM | PEER_PIPE,
	  .type = SOCK_STREAM, .size = 64 * KIB, .rsize = 64 * KIB,
	  .prepare = files_prepare },

	{ ROWS(ROW("memory-new", "memory of a pair, right after connect", UNIT_BYTES),
	       ROW("memory-idle", "memory of a pair, 64 B each way, then quiet",
		   UNIT_BYTES)),
	  .run = work_memory, .peers = PEER_RILL | PEER_UNIX | PEER_TCP,
	  .type = SOCK_STREAM, .size = 64, .arg = 10000, .slow = true },

	GROW(10,
	     GROW_ROW("grow-bind-names-10",
		      "bind+close, 10 names bound",
		      "grow-bind-names-10"),
	     GROW_ROW("grow-connect-names-10",
		      "connect+accept+close, 10 names bound",
		      "grow-connect-names-10"),
	     GROW_ROW("grow-send-names-10",
		      "send+receive 64 B, 10 names bound",
		      "grow-send-names-10")),
	GROW(1000,
	     GROW_ROW("grow-bind-names-1000",
		      "bind+close, 1,000 names bound",
		      "grow-bind-names-10"),
	     GROW_ROW("grow-connect-names-1000",
		      "connect+accept+close, 1,000 names bound",
		      "grow-connect-names-10"),
	     GROW_ROW("grow-send-names-1000",
		      "send+receive 64 B, 1,000 names bound",
		      "grow-send-names-10")),
	GROW(100000,
	     GROW_ROW("grow-bind-names-100000",
		      "bind+close, 100,000 names bound",
		      "grow-bind-names-10"),
	     GROW_ROW("grow-connect-names-100000",
		      "connect+accept+close, 100,000 names bound",
		      "grow-connect-names-10"),
	     GROW_ROW("grow-send-names-100000",
		      "send+receive 64 B, 100,000 names bound",
		      "grow-send-names-10")),
	GROW(HOLD_PAIRS | 10,
	     GROW_ROW("grow-bind-pairs-10",
		      "bind+close, 10 pairs open",
		      "grow-bind-pairs-10"),
	     GROW_ROW("grow-connect-pairs-10",
		      "connect+accept+close, 10 pairs open",
		      "grow-connect-pairs-10"),
	     GROW_ROW("grow-send-pairs-10",
		      "send+receive 64 B, 10 pairs open",
		      "grow-send-pairs-10")),
	GROW(HOLD_PAIRS | 1000,
	     GROW_ROW("grow-bind-pairs-1000",
		      "bind+close, 1,000 pairs open",
		      "grow-bind-pairs-10"),
	     GROW_ROW("grow-connect-pairs-1000",
		      "connect+accept+close, 1,000 pairs open",
		      "grow-connect-pairs-10"),
	     GROW_ROW("grow-send-pairs-1000",
		      "send+receive 64 B, 1,000 pairs open",
		      "grow-send-pairs-10")),
	GROW(HOLD_PAIRS | 50000,
	     GROW_ROW("grow-bind-pairs-50000",
		      "bind+close, 50,000 pairs open",
		      "grow-bind-pairs-10"),
	     GROW_ROW("grow-connect-pairs-50000",
		      "connect+accept+close, 50,000 pairs open",
		      "grow-connect-pairs-10"),
	     GROW_ROW("grow-send-pairs-50000",
		      "send+receive 64 B, 50,000 pairs open",
		      "grow-send-pairs-10")),
	{ ROWS(GROW_ROW("grow-backlog-10", "connect+accept+close, backlog of 10",
			"grow-backlog-10"),
	       GROW_ROW("grow-backlog-4096", "connect+accept+close, backlog of 4,096",
			"grow-backlog-10")),
	  .run = work_backlog, .peers = PEER_RILL | PEER_UNIX | PEER_TCP,
	  .type = SOCK_STREAM },
};

const size_t njobs = ARRAY_SIZE(jobs);
