/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * librill-run.so: what "rill run" puts into a program (LD_PRELOAD), so that its
 * local sockets talk over AF_RILL.  This is the design; each file has its part.
 *
 * Ask the socket itself.  What an fd is can be told from the kernel at any time:
 * its family from SO_DOMAIN, its addresses from its AF_RILL names.  So there is
 * no table of connections to go wrong over dup(), fork(), exec(), fclose(), raw
 * system calls or SCM_RIGHTS; getsockname() and its like translate the answer.
 *
 * A client (client.c) is replaced: connect() makes an AF_RILL socket, connects
 * it, and puts it over the program's fd with dup3(), with flags, options and
 * epoll registrations.  If nobody is there by that name, the program's own
 * connect() runs on its own socket, as if we were not here.
 *
 * A server (listener.c) is doubled: its own listener stays open under its fd,
 * so that everybody else reaches it, files have their modes, and ports are
 * unique; an AF_RILL listener, the "side", stands beside it under a high fd.
 * accept(), poll(), select() and epoll_ctl() attend to both.  Datagram sockets
 * (dgram.c) are doubled likewise.
 *
 * Names (name.c) say whose they are, which the kernel enforces for user/UID/:
 *	user/UID/unix/DEV:INO		a path: its placeholder's device and inode,
 *					so that every alias of it leads there and
 *					no length matters
 *	user/UID/unix/@NAME, @#HASH	an abstract name; hashed if long or binary
 *	user/UID/tcp/ADDR:PORT[#INO]	a listener as it is bound; #INO, its inode,
 *					with SO_REUSEPORT
 *	user/UID/tcp-client/SRC>DST	the connecting end of a TCP connection
 *	user/UID/udp/ADDR:PORT[#INO]
 * The client chooses UID: the placeholder's owner; who owns the real listener,
 * as inet_diag says (diag.c), for TCP and UDP; itself for abstract names, which
 * have no owner, and where there is no inet_diag.  Root's names go first: root
 * may chown() a placeholder, and could take over anything anyway.
 *
 * State (table.c): per fd, what the kernel does not tell: the epoll entries of a
 * socket that may be replaced later, options of TCP that AF_RILL has not, and
 * which side belongs to a doubled socket.  The last is found again after exec().
 *
 * Signals, threads, fork: close() and dup() take no lock.  The others that must
 * take one block signals meanwhile, and a forked child has all of them free.  A
 * child of vfork() shares our memory: it is told by its pid, and that memory is not
 * wiped, and changes nothing.
 * A thread that is cancelled is so in the program's own call, where it would be, or
 * in our connect(), which then closes what is ours; elsewhere not at all.
 */
#ifndef RILL_PRELOAD_H
#define RILL_PRELOAD_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/rill.h>

#define EXPORT		__attribute__((visibility("default")))
#define LIKELY(x)	__builtin_expect(!!(x), 1)
#define UNLIKELY(x)	__builtin_expect(!!(x), 0)

/* The calls that stand behind ours. */
#define RUN_CALLS(X)							\
	X(int, socket, (int, int, int))					\
	X(int, bind, (int, const struct sockaddr *, socklen_t))		\
	X(int, listen, (int, int))					\
	X(int, connect, (int, const struct sockaddr *, socklen_t))	\
	X(int, accept, (int, struct sockaddr *, socklen_t *))		\
	X(int, accept4, (int, struct sockaddr *, socklen_t *, int))	\
	X(int, shutdown, (int, int))					\
	X(int, socketpair, (int, int, int, int *))			\
	X(int, getsockname, (int, struct sockaddr *, socklen_t *))	\
	X(int, getpeername, (int, struct sockaddr *, socklen_t *))	\
	X(int, getsockopt, (int, int, int, void *, socklen_t *))	\
	X(int, setsockopt, (int, int, int, const void *, socklen_t))	\
	X(ssize_t, send, (int, const void *, size_t, int))		\
	X(ssize_t, sendto, (int, const void *, size_t, int,		\
			    const struct sockaddr *, socklen_t))	\
	X(ssize_t, sendmsg, (int, const struct msghdr *, int))		\
	X(int, sendmmsg, (int, struct mmsghdr *, unsigned int, int))	\
	X(ssize_t, recv, (int, void *, size_t, int))			\
	X(ssize_t, recvfrom, (int, void *, size_t, int,			\
			      struct sockaddr *, socklen_t *))		\
	X(ssize_t, recvmsg, (int, struct msghdr *, int))		\
	X(int, recvmmsg, (int, struct mmsghdr *, unsigned int, int,	\
			  struct timespec *))				\
	X(ssize_t, read, (int, void *, size_t))				\
	X(ssize_t, write, (int, const void *, size_t))			\
	X(ssize_t, readv, (int, const struct iovec *, int))		\
	X(ssize_t, writev, (int, const struct iovec *, int))		\
	X(int, close, (int))						\
	X(int, close_range, (unsigned int, unsigned int, int))		\
	X(int, fclose, (FILE *))					\
	X(int, dup, (int))						\
	X(int, dup2, (int, int))					\
	X(int, dup3, (int, int, int))					\
	X(int, fcntl, (int, int, ...))					\
	X(int, ioctl, (int, unsigned long, ...))			\
	X(int, poll, (struct pollfd *, nfds_t, int))			\
	X(int, ppoll, (struct pollfd *, nfds_t, const struct timespec *, \
		       const sigset_t *))				\
	X(int, select, (int, fd_set *, fd_set *, fd_set *, struct timeval *)) \
	X(int, pselect, (int, fd_set *, fd_set *, fd_set *,		\
			 const struct timespec *, const sigset_t *))	\
	X(int, epoll_ctl, (int, int, int, struct epoll_event *))	\
	X(int, posix_spawn_file_actions_adddup2,			\
	  (posix_spawn_file_actions_t *, int, int))			\
	X(int, chmod, (const char *, mode_t))				\
	X(int, fchmodat, (int, const char *, mode_t, int))

struct run_real {
#define X(type, name, args) type (*name) args;
	RUN_CALLS(X)
#undef X
};

extern struct run_real real;

/* What "rill run" was asked for (init.c), constant after the start. */
struct run_config {
	int	family;		/* of AF_RILL here; 0: the module is not there */
	bool	unix_on, tcp_on, udp_on, socketpair_on;
	bool	verbose;
	int	rcvbuf, sndbuf;	/* 0: as AF_RILL has them */
	pid_t	pid;		/* another one: we are a child, see run_is_ours() */
};

extern struct run_config run;
extern bool run_is_up;
void run_start(void);
bool run_is_ours(void);

/* First thing in every call: a constructor elsewhere may run before ours. */
#define RUN_ENTER() do {						\
	if (UNLIKELY(!run_is_up))					\
		run_start();						\
} while (0)

/* count.c: how many connections, and why not over AF_RILL. */
#define RUN_COUNTS(X)							\
	X(CONNECT_RILL,	"run_connect_rill",	"connections made over AF_RILL") \
	X(ACCEPT_RILL,	"run_accept_rill",	"connections accepted over AF_RILL") \
	X(SENT_RILL,	"run_sent_rill",	"datagrams sent over AF_RILL") \
	X(RECV_RILL,	"run_received_rill",	"datagrams received over AF_RILL") \
	X(ACCEPT_OWN,	"run_accept_own",	"clients that came over the program's own socket") \
	X(NOT_MODULE,	"run_not_module",	"rill.ko is not loaded") \
	X(NOT_REMOTE,	"run_not_remote",	"the address is not of this machine's loopback") \
	X(NOT_ONLY,	"run_not_only",		"excluded by --only") \
	X(NOT_MAP,	"run_not_map",		"excluded by --map") \
	X(NOT_NOBODY,	"run_not_nobody",	"nobody is at the address at all") \
	X(NOT_PEER,	"run_not_peer",		"the server does not run over AF_RILL") \
	X(NOT_DENIED,	"run_not_denied",	"AF_RILL refused the permission") \
	X(NOT_TYPE,	"run_not_type",		"the server's socket is of another type") \
	X(NOT_BOUND,	"run_not_bound",	"the client's own socket is bound to a path") \
	X(NOT_EPOLL,	"run_not_epoll",	"in too many epoll sets already") \
	X(NOT_PROTOCOL,	"run_not_protocol",	"a protocol that is not moved, or SO_ZEROCOPY") \
	X(NOT_OTHER,	"run_not_other",	"an error: limits, memory") \
	X(LISTEN_RILL,	"run_listen_rill",	"listeners doubled") \
	X(LISTEN_OWN,	"run_listen_own",	"listeners not doubled") \
	X(OTHER_NAME,	"run_accept_untrue",	"clients with an untrue name, not let in")

enum run_count {
#define X(id, word, text) RUN_##id,
	RUN_COUNTS(X)
#undef X
	RUN_COUNT_N
};

void run_count(enum run_count what);
void run_count_start(void);
void run_count_fork(void);
void run_count_exit(void);

/* table.c */
enum run_kind {
	RUN_NONE,	/* nothing that we know or want */
	RUN_FRESH,	/* a socket that the program made and may connect or bind */
	RUN_PAIR,	/* doubled: .pair */
	RUN_SIDE,	/* ours: the program must not touch it */
};

#define RUN_REGS	4
#define RUN_SHADOWS	10

struct run_reg {
	int		epfd;
	uint32_t	events;
	uint64_t	data;
};

/* An option of TCP or IP that AF_RILL has not. */
struct run_shadow {
	int	level, name, value;
};

#define RUN_BLOCK_UNKNOWN	0
#define RUN_BLOCK_YES		1
#define RUN_BLOCK_NO		2

/*
 * Locking: run_lock() of the fd for the registrations; kind and pair are
 * atomic; the options belong to whoever calls setsockopt().
 */
struct run_slot {
	atomic_uchar		kind;
	uint8_t			n_regs;
	uint8_t			n_shadows;
	bool			regs_lost;	/* more than fit */
	bool			options;	/* SOL_SOCKET ones were set */
	bool			inherits;	/* of them some that accept() hands on */
	bool			own;		/* connect() went its own way */
	bool			dupped;		/* another fd is the same socket */
	atomic_bool		busy;		/* a thread is doubling it */
	uint8_t			block;		/* what bind() and F_SETFL left, RUN_BLOCK_... */
	atomic_int		pair;
	uint64_t		shadow_ino;	/* 0: of the socket made here */
	uint64_t		path_dev, path_ino;	/* bound to this file */
	struct run_reg		regs[RUN_REGS];
	struct run_shadow	shadows[RUN_SHADOWS];
};

/* A doubled socket; in every process that has it. */
struct run_pair {
	atomic_int		refs;	/* fds of it in this process; 0: free */
	atomic_int		side;
	atomic_uint	turn;
	atomic_bool		nonblock;	/* what the program thinks it is */
	atomic_bool		connected;	/* a side for datagrams is */
	bool			listens;
	int			domain, type;
	struct sockaddr_storage	addr;		/* of the program's own socket */
	socklen_t		addr_len;
	uint64_t		path_dev, path_ino;
	/*
	 * Of the file when last looked at, whom it and the directories above let in, and
	 * what the side's mode became.
	 */
	uint32_t		path_st_mode, path_uid, path_gid, path_open, path_mode;
	/* How many more of accept() may have come before the side knew. */
	atomic_uint		suspects;
	char			name[RILL_NAME_SIZE];
};

#define RUN_PAIRS	1024
extern struct run_pair run_pairs[RUN_PAIRS];
extern atomic_int run_pairs_used;

struct run_slot *run_slot(int fd, bool make);
enum run_kind run_kind(int fd);
struct run_pair *run_pair_of(int fd);
struct run_pair *run_pair_new(int fd, int side);
void run_pair_share(int fd, int newfd);
void run_pair_aliases(int fd);
void run_pair_exec(struct run_pair *p);
void run_pair_end(int fd);
void run_pair_stop(struct run_pair *p);
void run_pair_drop(struct run_slot *slot);
void run_slot_forget(int fd);
void run_slot_fresh(int fd);
int run_side_move(int fd);
void run_side_mark(int fd);
void run_slots_each(int first, int last, void (*fn)(int fd, struct run_slot *, void *), void *arg);
void run_lock(int fd, sigset_t *saved);
void run_unlock(int fd, const sigset_t *saved);
void run_locks_reset(void);

/* name.c */
struct run_addr {
	struct sockaddr_storage	ss;
	socklen_t		len;
};

/* Who an AF_RILL socket stands for. */
struct run_identity {
	int		domain;		/* AF_UNIX, AF_INET, AF_INET6 */
	struct run_addr	local, peer;
	bool		peer_known;
	bool		untrue;		/* the peer's name is not to be believed */
};

#define RUN_PEER	1	/* want the peer's address too */

bool run_is_rill(int fd);
bool run_identify(int fd, struct run_identity *id);
void run_name_path(char *name, uid_t uid, uint64_t dev, uint64_t ino);
void run_name_abstract(char *name, uid_t uid, const struct sockaddr *addr, socklen_t len);
void run_name_inet(char *name, uid_t uid, const char *what,
		   const struct sockaddr *addr, uint64_t ino);
int run_inet_text(char *to, size_t size, const struct sockaddr *addr);
bool run_name_to_inet(const char *name, const char *what, struct run_addr *addr, uid_t *uid);
void run_name_to_abstract(const char *name, struct run_addr *addr);
bool run_addr_loopback(const struct sockaddr *addr, struct sockaddr_storage *to);
void run_addr_family(struct run_addr *addr, int family);
void run_addr_unmap(struct run_addr *addr);
bool run_addr_is(socklen_t len, sa_family_t family);
void run_known_add(const char *name, const struct sockaddr *addr, socklen_t len);
bool run_known_find(const char *name, struct run_addr *addr);
socklen_t run_rill_addr(struct sockaddr_rill *to, const char *name);
void run_addr_out(const struct run_addr *from, struct sockaddr *to, socklen_t *len);

/* diag.c: who holds an address; 1 somebody, 0 nobody (or no such module), -1 unknown. */
struct run_owner {
	uid_t			uid;
	uint64_t		ino;
	struct sockaddr_storage	addr;	/* as it is bound */
};

int run_diag_find(int protocol, const struct sockaddr *addr, struct run_owner *owner);
int run_diag_find_from(int protocol, const struct sockaddr *addr, const struct sockaddr *from,
		       struct run_owner *owner);

/* rule.c: 0 no rule, 1 name is set, -1 never. */
int run_rule_find(const char *kind, const struct sockaddr *addr, socklen_t len, char *name);
void run_rule_start(const char *rules);

/* option.c */
void run_options_inherit(int listener, int fd);

/* client.c */
int run_targets(int protocol, int domain, const struct sockaddr *addr, socklen_t len,
		char names[][RILL_NAME_SIZE], struct sockaddr_storage *real_addr,
		enum run_count *why);
#define RUN_TARGETS	4
bool run_option_inherits(int name);
bool run_option_zerocopy(int fd);
void run_options_plain(int from, int to);
void run_options_copy(int from, int to, bool unix_socket);

/* listener.c */
int run_side_socket(int type, bool cloexec);
int run_listen_side(int fd, int backlog);
int run_pair_accept(int fd, struct run_pair *p, struct sockaddr *addr, socklen_t *len, int flags);
void run_pair_file(struct run_pair *p);
void run_pairs_recover(void);

/* dgram.c */
int run_dgram_bound(int fd);
bool run_is_packet_info(int level, int name);
int run_dgram_connect(int fd, const struct sockaddr *addr, socklen_t len);

/* fd.c */
int run_close(int fd);
void run_rights_sent(const struct msghdr *msg);

/* poll.c */
void run_regs_carry(int fd, int side);
bool run_restart(void);

#endif
