// SPDX-License-Identifier: GPL-2.0-only
/*
 * The words of the program format: what calls may be given, by name.  A value
 * without a name is a number.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD	76
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif
#ifndef SO_RCVMARK
#define SO_RCVMARK	75
#endif
#ifndef SO_RESERVE_MEM
#define SO_RESERVE_MEM	73
#endif
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK	72
#endif
#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL	69
#endif
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE	71
#endif
#ifndef SO_INQ
#define SO_INQ		84
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS	83
#endif

#define W(name)		{ #name, name }
#define S(opt)		{ #opt, FZ_OPT(SOL_SOCKET, opt) }
#define R(opt)		{ #opt, FZ_OPT(SOL_RILL, opt) }
#define SET(name)	\
	const struct fz_set fz_set_##name = { name##_words, ARRAY_SIZE(name##_words) }

static const struct fz_word type_words[] = {
	{ "stream", SOCK_STREAM }, { "seqpacket", SOCK_SEQPACKET }, { "dgram", SOCK_DGRAM },
	{ "raw", SOCK_RAW },
};

SET(type);

static const struct fz_word sock_words[] = {
	{ "nonblock", SOCK_NONBLOCK }, { "cloexec", SOCK_CLOEXEC },
};

SET(sock);

static const struct fz_word oflags_words[] = {
	{ "nonblock", O_NONBLOCK }, { "async", O_ASYNC }, { "direct", O_DIRECT },
};

SET(oflags);

static const struct fz_word msg_words[] = {
	{ "dontwait", MSG_DONTWAIT }, { "nosignal", MSG_NOSIGNAL }, { "peek", MSG_PEEK },
	{ "waitall", MSG_WAITALL }, { "trunc", MSG_TRUNC }, { "more", MSG_MORE },
	{ "oob", MSG_OOB }, { "errqueue", MSG_ERRQUEUE }, { "cloexec", MSG_CMSG_CLOEXEC },
	{ "ctrunc", MSG_CTRUNC }, { "eor", MSG_EOR }, { "confirm", MSG_CONFIRM },
	{ "dontroute", MSG_DONTROUTE }, { "waitforone", MSG_WAITFORONE },
	{ "zerocopy", MSG_ZEROCOPY }, { "fastopen", MSG_FASTOPEN }, { "batch", 0x40000 },
	{ "splice_pages", 0x8000000 },
};

SET(msg);

static const struct fz_word how_words[] = {
	{ "rd", SHUT_RD }, { "wr", SHUT_WR }, { "rdwr", SHUT_RDWR },
};

SET(how);

static const struct fz_word opt_words[] = {
	R(RILL_MODE), R(RILL_OWNER), R(RILL_QUEUE), R(RILL_BUSY_POLL),
	{ "RILL_NONE", FZ_OPT(SOL_RILL, 99) }, { "NO_LEVEL", FZ_OPT(12345, 1) }, S(SO_RCVBUF),
	S(SO_SNDBUF), S(SO_RCVBUFFORCE), S(SO_SNDBUFFORCE), S(SO_RCVLOWAT), S(SO_SNDLOWAT),
	S(SO_RCVTIMEO), S(SO_SNDTIMEO), S(SO_LINGER), S(SO_PEEK_OFF), S(SO_PASSCRED),
	S(SO_PEERCRED), S(SO_PEERGROUPS), S(SO_PEERSEC), S(SO_PASSSEC), S(SO_PEERPIDFD),
	S(SO_PASSPIDFD), S(SO_PASSRIGHTS), S(SO_ATTACH_FILTER), S(SO_DETACH_FILTER),
	S(SO_LOCK_FILTER), S(SO_ATTACH_BPF), S(SO_ERROR), S(SO_TYPE), S(SO_DOMAIN),
	S(SO_PROTOCOL), S(SO_ACCEPTCONN), S(SO_TIMESTAMP), S(SO_TIMESTAMPNS),
	S(SO_TIMESTAMPING), S(SO_RXQ_OVFL), S(SO_BUSY_POLL), S(SO_PREFER_BUSY_POLL),
	S(SO_KEEPALIVE), S(SO_OOBINLINE), S(SO_REUSEADDR), S(SO_REUSEPORT), S(SO_BROADCAST),
	S(SO_PRIORITY), S(SO_MARK), S(SO_RCVMARK), S(SO_WIFI_STATUS), S(SO_NOFCS),
	S(SO_ZEROCOPY), S(SO_TXTIME), S(SO_COOKIE), S(SO_NETNS_COOKIE), S(SO_INCOMING_CPU),
	S(SO_MEMINFO), S(SO_MAX_PACING_RATE), S(SO_RESERVE_MEM), S(SO_BUF_LOCK),
	S(SO_BINDTODEVICE), S(SO_PEERNAME), S(SO_DEBUG), S(SO_DONTROUTE), S(SO_INQ),
};

SET(opt);

static const struct fz_word ioctl_words[] = {
	W(SIOCINQ), W(SIOCOUTQ), W(FIONBIO), W(FIOASYNC), W(FIOSETOWN), W(FIOGETOWN),
	W(SIOCATMARK), W(SIOCGSTAMP_OLD), W(SIOCGSTAMPNS_OLD), W(SIOCGIFNAME), W(SIOCGIFCONF),
	W(SIOCGSKNS), { "NONE", 0x12345678 },
};

SET(ioctl);

static const struct fz_word poll_words[] = {
	{ "in", POLLIN }, { "out", POLLOUT }, { "pri", POLLPRI }, { "err", POLLERR },
	{ "hup", POLLHUP }, { "rdhup", POLLRDHUP }, { "et", (int64_t)EPOLLET },
	{ "oneshot", EPOLLONESHOT }, { "exclusive", EPOLLEXCLUSIVE },
};

SET(poll);

static const struct fz_word epoll_op_words[] = {
	{ "add", EPOLL_CTL_ADD }, { "mod", EPOLL_CTL_MOD }, { "del", EPOLL_CTL_DEL },
};

SET(epoll_op);

static const struct fz_word splice_words[] = {
	{ "nonblock", SPLICE_F_NONBLOCK }, { "move", SPLICE_F_MOVE },
	{ "more", SPLICE_F_MORE }, { "gift", SPLICE_F_GIFT },
};

SET(splice);

static const struct fz_word fcntl_words[] = {
	W(F_GETFL), W(F_SETFL), W(F_SETOWN), W(F_GETOWN), W(F_SETSIG), W(F_SETPIPE_SZ),
	W(F_SETFD),
};

SET(fcntl);

/* What a program may open besides sockets of the family. */
enum {
	FILE_MEMFD, FILE_NULL, FILE_ZERO, FILE_PROC, FILE_UNIX, FILE_UNIXDGRAM, FILE_INET,
	FILE_EVENT, FILE_URING,
};

static const struct fz_word file_words[] = {
	{ "memfd", FILE_MEMFD }, { "null", FILE_NULL }, { "zero", FILE_ZERO },
	{ "proc", FILE_PROC }, { "unix", FILE_UNIX }, { "unixdgram", FILE_UNIXDGRAM },
	{ "inet", FILE_INET }, { "event", FILE_EVENT }, { "uring", FILE_URING },
};

SET(file);

static const struct fz_word proc_words[] = {
	{ "rill", 0 }, { "rill_stat", 1 }, { "protocols", 2 }, { "sockets", 3 },
};

SET(proc);

static const struct fz_word sysctl_words[] = {
	{ "max_waiting", 0 }, { "busy_poll_us", 1 }, { "max_busy_poll_us", 2 },
};

SET(sysctl);

static const struct fz_word uring_words[] = {
	{ "send", IORING_OP_SEND }, { "recv", IORING_OP_RECV }, { "accept", IORING_OP_ACCEPT },
	{ "connect", IORING_OP_CONNECT }, { "poll", IORING_OP_POLL_ADD },
	{ "read", IORING_OP_READ }, { "write", IORING_OP_WRITE }, { "close", IORING_OP_CLOSE },
	{ "shutdown", IORING_OP_SHUTDOWN }, { "nop", IORING_OP_NOP },
};

SET(uring);

static const struct fz_word trace_words[] = {
	{ "on", FZ_TRACE_ON }, { "event", FZ_TRACE_EVENT }, { "filter", FZ_TRACE_FILTER },
	{ "trigger", FZ_TRACE_TRIGGER }, { "mark", FZ_TRACE_MARK },
	{ "read", FZ_TRACE_READ }, { "pipe", FZ_TRACE_PIPE }, { "clear", FZ_TRACE_CLEAR },
};

SET(trace);

static const struct fz_word event_words[] = {
	{ "connect", 0 }, { "queue_full", 1 }, { "accept", 2 }, { "send", 3 }, { "recv", 4 },
	{ "drop", 5 }, { "reset", 6 }, { "close", 7 },
};

SET(event);

/* Addresses; what they are is said in memory.c. */
static const struct fz_word addr_words[] = {
	{ "none", 0 }, { "a", 1 }, { "b", 2 }, { "c", 3 }, { "d", 4 }, { "empty", 5 },
	{ "long", 6 }, { "toolong", 7 }, { "control", 8 }, { "del", 9 }, { "nul", 10 },
	{ "sys", 11 }, { "user0", 12 }, { "user1000", 13 }, { "user", 14 }, { "auto", 15 },
	{ "family", 16 }, { "flags", 17 }, { "unspec", 18 }, { "bad", 19 }, { "mode0", 20 },
};

SET(addr);

const char *const fz_mem_names[FZ_MEM_MAX] = {
	[FZ_MEM_OK]	= "ok",
	[FZ_MEM_RO]	= "ro",
	[FZ_MEM_HOLE]	= "hole",
	[FZ_MEM_EDGE]	= "edge",
	[FZ_MEM_NULL]	= "null",
	[FZ_MEM_BAD]	= "bad",
	[FZ_MEM_KERNEL]	= "kernel",
};

const char *const fz_ctl_names[FZ_CTL_MAX] = {
	[FZ_CTL_CRED]	= "cred",
	[FZ_CTL_RIGHTS]	= "rights",
	[FZ_CTL_RAW]	= "raw",
	[FZ_CTL_SHORT]	= "short",
	[FZ_CTL_LONG]	= "long",
};
