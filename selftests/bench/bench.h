/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the benchmark share.
 *
 * A job is one kind of work in one size, a peer is what it is done with, and a
 * cell is one job with one peer, measured once.  main.c goes round by round
 * through all cells.  Each runs in a process group of its own under a time
 * limit (cell.c), so that a peer that hangs is a failed cell and nothing more.
 * What it found goes out as one line of JSON (json.c).
 */
#ifndef _BENCH_H
#define _BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <linux/vm_sockets.h>
#include <linux/tipc.h>
#include <linux/rill.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#define __noreturn	__attribute__((noreturn))

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL

#define KIB		1024UL
#define MIB		(1024UL * KIB)

/* ---- peer*.c: what the work is done with ---- */

enum {
	PEER_RILL	= 1 << 0,
	PEER_UNIX	= 1 << 1,
	PEER_TCP	= 1 << 2,
	PEER_UDP	= 1 << 3,
	PEER_VSOCK	= 1 << 4,
	PEER_TIPC	= 1 << 5,
	PEER_PIPE	= 1 << 6,
	PEER_SHM	= 1 << 7,	/* from here on: limits */
	PEER_MEMCPY	= 1 << 8,
	PEER_DEVNULL	= 1 << 9,
};

#define PEERS_STREAM	(PEER_RILL | PEER_UNIX | PEER_TCP | PEER_VSOCK | PEER_TIPC)
#define PEERS_MESSAGE	(PEER_RILL | PEER_UNIX | PEER_UDP | PEER_VSOCK | PEER_TIPC)

struct addr {
	union {
		struct sockaddr		sa;
		struct sockaddr_un	un;
		struct sockaddr_in	in;
		struct sockaddr_vm	vm;
		struct sockaddr_tipc	tipc;
		struct sockaddr_rill	rill;
	};
	socklen_t len;
};

struct peer {
	const char	*name;
	const char	*title;
	unsigned int	bit;
	/* The family's number, or below 0: not a socket. */
	int		(*family)(void);
	/* Its address number n; no two cells share one. */
	void		(*address)(struct addr *addr, unsigned int n);
	/* What a careful program sets on a connected socket. */
	int		(*tune)(int fd);
	/* Have readers spin for so long; negative errno, -EOPNOTSUPP: it cannot. */
	int		(*busy_poll)(int fd, unsigned int us);
	/* Messages may be lost when the receiver is slow. */
	bool		lossy;
	/* connect() ends only when somebody accepts. */
	bool		connect_waits;
};

extern const struct peer peers[];
extern const size_t npeers;

int peer_socket(const struct peer *peer, int type);
int peer_listen(const struct peer *peer, int type, int backlog, struct addr *addr);
int peer_connect(const struct peer *peer, int type, const struct addr *to);
void peer_pair(const struct peer *peer, int type, int fd[2]);
void peer_accepted(const struct peer *peer, int type, int listener,
		   const struct addr *addr, int fd[2]);
void peer_no_time_wait(const struct peer *peer, int fd);
void peer_duplex(const struct peer *peer, int type, int in[2], int out[2]);

int rill_family(void);
void rill_address(struct addr *addr, unsigned int n);
int rill_busy_poll(int fd, unsigned int us);
int unix_family(void);
void unix_address(struct addr *addr, unsigned int n);
int inet_family(void);
void inet_address(struct addr *addr, unsigned int n);
int tcp_tune(int fd);
int inet_busy_poll(int fd, unsigned int us);
int vsock_family(void);
void vsock_address(struct addr *addr, unsigned int n);
int tipc_family(void);
void tipc_address(struct addr *addr, unsigned int n);

/* ---- job.c: the work ---- */

enum unit {
	UNIT_BYTES_S,	/* bytes a second, more is better */
	UNIT_OPS_S,	/* a second, more is better */
	UNIT_NS,	/* less is better */
	UNIT_BYTES,	/* less is better */
};

/* A line of the table.  Most jobs fill one, some several. */
struct row {
	const char	*id;
	const char	*title;
	enum unit	unit;
	const char	*least;	/* the row of the same work with the least of it */
};

struct job {
	const struct row *rows;
	size_t		nrows;
	void		(*run)(const struct job *job, const struct peer *peer);
	unsigned int	peers;
	int		type;		/* SOCK_STREAM, ... */
	size_t		size;		/* of a write */
	size_t		rsize;		/* of the reader's buffer */
	int		arg;		/* the job's own */
	/* What has to be there before the first round; NULL: nothing. */
	void		(*prepare)(const struct job *job, const struct peer *peer);
	bool		slow;		/* takes seconds: once in a quick run */
};

extern const struct job jobs[];
extern const size_t njobs;

/* Bits of job.arg of round trips. */
enum {
	RTT_CROSS	= 1 << 0,	/* each side on a CPU of its own */
	RTT_BUSY	= 1 << 1,	/* busy polling */
	RTT_SLEEP	= 1 << 2,	/* readers sleep at once */
};

void work_stream(const struct job *job, const struct peer *peer);
void work_rtt(const struct job *job, const struct peer *peer);
void work_message(const struct job *job, const struct peer *peer);
void work_connect(const struct job *job, const struct peer *peer);
void work_connect_thread(const struct job *job, const struct peer *peer);
void work_fanin(const struct job *job, const struct peer *peer);
void work_echo(const struct job *job, const struct peer *peer);
void work_sendfile(const struct job *job, const struct peer *peer);
void work_splice(const struct job *job, const struct peer *peer);
void work_memory(const struct job *job, const struct peer *peer);
void work_grow(const struct job *job, const struct peer *peer);
void work_backlog(const struct job *job, const struct peer *peer);

struct gate;
struct side;

/* One side of a stream; it fills in what it did. */
typedef void stream_side_fn(int fd, const struct job *job, struct gate *gate,
			    struct side *side);

stream_side_fn stream_sender;
stream_side_fn stream_reader;
void stream_cell(const struct job *job, const struct peer *peer,
		 stream_side_fn *sender, stream_side_fn *reader);
void files_prepare(const struct job *job, const struct peer *peer);

/* ---- hold.c: many of something, through all rounds ---- */

/* In job.arg: so many names, or pairs. */
#define HOLD_MASK	0x0fffff
#define HOLD_PAIRS	0x100000

void hold_prepare(const struct job *job, const struct peer *peer);
void hold_enter(const struct job *job, const struct peer *peer);
void hold_end(void);

/* ---- limit.c: what no socket can beat ---- */

void limit_stream(const struct job *job, const struct peer *peer);
void limit_rtt(const struct job *job, const struct peer *peer);

/* ---- cell.c: one cell under a time limit ---- */

/* What one side of a cell did in the time that counts. */
struct side {
	uint64_t	t0, t1;		/* ns */
	uint64_t	bytes;
	uint64_t	ops;
	uint64_t	cpu;		/* ns */
	uint64_t	lost;
};

struct sample {
	const char	*row;
	double		value;
	uint64_t	bytes;
	uint64_t	ops;
	uint64_t	ns;
	uint64_t	cpu_ns;
	uint64_t	lost;
	char		note[512];	/* JSON of its own, or empty */
};

enum cell_status { CELL_NOTHING, CELL_OK, CELL_SKIPPED, CELL_FAILED };

#define CELL_SAMPLES	12
#define CELL_SIDES	16

/* Shared by the processes of a cell and main(). */
struct cell {
	enum cell_status status;
	char		why[200];
	size_t		nsamples;
	struct sample	sample[CELL_SAMPLES];
	struct side	side[CELL_SIDES];
	int		stop;		/* by __atomic_*() */
};

extern struct cell *cell;

struct settings {
	uint64_t	box_ns;		/* how long a cell sends */
	unsigned int	cell_limit_s;
	unsigned int	slow_limit_s;
	unsigned int	busy_us;
	int		cpus;
	const char	*dir;		/* for files: tmpfs, or a page cache */
};

extern struct settings settings;

void cell_init(void);
void cell_run(const struct job *job, const struct peer *peer);
__printf(1, 2) __noreturn void cell_skip(const char *fmt, ...);
__printf(1, 2) __noreturn void cell_fail(const char *fmt, ...);
struct sample *cell_sample(const char *row);
void cell_sides(const struct job *job, const struct side *from,
		const struct side *to);

/* Lets processes of a cell start together; see cell.c. */
struct gate {
	int ready[2];
	int go[2];
};

void gate_init(struct gate *gate);
void gate_wait(struct gate *gate);
void gate_open(struct gate *gate, unsigned int n);

pid_t cell_fork(int cpu);
void cell_join(pid_t pid);

/* ---- util.c ---- */

uint64_t now_ns(void);
uint64_t cpu_ns(void);
void pin(int cpu);
void raise_nofile(unsigned long n);
void *buffer(size_t size);
void pattern_fill(void *buf, size_t len, uint64_t pos);
bool pattern_ok(const void *buf, size_t len, uint64_t pos);
void use_socket_calls(bool yes);
ssize_t put_some(int fd, const void *buf, size_t len);
ssize_t get_some(int fd, void *buf, size_t len);
void write_full(int fd, const void *buf, size_t len);
bool read_full(int fd, void *buf, size_t len);
void side_begin(struct side *side);
void side_end(struct side *side);
unsigned int deadline_stride(size_t size);

/* ---- json.c ---- */

void json_meta(unsigned int rounds);
void json_row(const struct job *job, const struct row *row);
void json_cell(const struct job *job, const struct peer *peer, unsigned int round,
	       bool (*wanted)(const char *row));
void json_end(unsigned int failed);

#endif /* _BENCH_H */
