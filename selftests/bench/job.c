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
	ROWS(ROW(id_, title_, UNIT_NS)),					\
	.run = work_rtt, .peers = PEERS_STREAM | PEER_PIPE | (peers_),	\
	.type = SOCK_STREAM, .size = 64, .arg = arg_ }

#define MESSAGE(id_, title_, peers_, type_, size_) {			\
	ROWS(ROW(id_, title_, UNIT_OPS_S)),				\
	.run = work_message, .peers = PEERS_MESSAGE & (peers_),		\
	.type = type_, .size = size_ }

#define DGRAM(name_, size_)						\
	MESSAGE("dgram-" name_, "datagrams of " name_, ~0u, SOCK_DGRAM, size_)
#define SEQPACKET(name_, size_)						\
	MESSAGE("seq-" name_, "seqpacket of " name_, ~PEER_UDP, SOCK_SEQPACKET, size_)

/* The same work with more and more of something. */
#define GROW_ROW(id_, n_, title_)					\
	{ "grow-" id_ "-" n_, title_, UNIT_NS, "grow-" id_ "-10" }
#define GROW(id_, n_, text_, arg_) {					\
	ROWS(GROW_ROW("bind-" id_, n_, "bind+close, " text_),		\
	     GROW_ROW("connect-" id_, n_, "connect+accept+close, " text_), \
	     GROW_ROW("send-" id_, n_, "send+receive 64 B, " text_)),	\
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
	RTT("rtt-cross", "round trip across CPUs, sleeping", 0, RTT_CROSS),
	RTT("rtt-cross-busy", "round trip across CPUs, busy polling", PEER_SHM,
	    RTT_CROSS | RTT_BUSY),

	DGRAM("64B", 64),
	DGRAM("1KiB", 1 * KIB),
	DGRAM("8KiB", 8 * KIB),
	DGRAM("64KiB", 64 * KIB),
	SEQPACKET("64B", 64),
	SEQPACKET("1KiB", 1 * KIB),
	SEQPACKET("8KiB", 8 * KIB),
	SEQPACKET("64KiB", 64 * KIB),

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

	GROW("names", "10", "10 names bound", 10),
	GROW("names", "1000", "1,000 names bound", 1000),
	GROW("names", "100000", "100,000 names bound", 100000),
	GROW("pairs", "10", "10 pairs open", HOLD_PAIRS | 10),
	GROW("pairs", "1000", "1,000 pairs open", HOLD_PAIRS | 1000),
	GROW("pairs", "50000", "50,000 pairs open", HOLD_PAIRS | 50000),
	{ ROWS(GROW_ROW("backlog", "10", "connect+accept+close, backlog of 10"),
	       GROW_ROW("backlog", "4096", "connect+accept+close, backlog of 4,096")),
	  .run = work_backlog, .peers = PEER_RILL | PEER_UNIX | PEER_TCP,
	  .type = SOCK_STREAM },
};

const size_t njobs = ARRAY_SIZE(jobs);
