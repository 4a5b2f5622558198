/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fuzzer of AF_RILL: programs of system calls, made and changed at random,
 * and kept if they reach code that none before them has reached.
 *
 *	value.c	the words of the program format: flags, options, addresses
 *	call.c	the calls: what each takes and how it is made
 *	memory.c	buffers good and bad, addresses, vectors, control messages
 *	text.c	programs as text
 *	make.c	programs at random, and changes to them
 *	uring.c	requests of io_uring
 *	trace.c	the tracepoints: switched, filtered, read
 *	run.c	one program run: threads, signals, what is put back afterwards
 *	cover.c	KCOV, coverage points, reasons for those not reached
 *	work.c	the process that runs programs, which is replaced now and then
 *	main.c	options, the process that watches, reports
 */
#ifndef RILL_FUZZ_H
#define RILL_FUZZ_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <linux/rill.h>

#define FZ_ARGS		6
#define FZ_ITEMS	3
#define FZ_CALLS	24	/* in a program */
#define FZ_SLOTS	12	/* of descriptors: f0, f1, ... */
#define FZ_HELPERS	2	/* threads besides the first */
#define FZ_TEXT		8192	/* room for a program as text */

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- a program ---- */

enum fz_kind {
	FZ_NONE,
	FZ_FD,		/* v: a slot, or -1 */
	FZ_NUM,		/* v */
	FZ_FLAGS,	/* v */
	FZ_ADDR,	/* v: an address of value.c, or FZ_ADDR_OF + slot; it[0].a: length */
	FZ_BUF,		/* it[0] */
	FZ_IOV,		/* it[0 .. n - 1] */
	FZ_CTL,		/* it[0 .. n - 1] */
};

#define FZ_ADDR_OF	100
#define FZ_LEN_NATURAL	(-1000)	/* of an address: as long as it is */

/* Where a buffer lies. */
enum fz_mem {
	FZ_MEM_OK,
	FZ_MEM_RO,	/* may be read only */
	FZ_MEM_HOLE,	/* begins 100 bytes before a page that is not there */
	FZ_MEM_EDGE,	/* ends where a page ends that has none behind it */
	FZ_MEM_NULL,
	FZ_MEM_BAD,
	FZ_MEM_KERNEL,
	FZ_MEM_MAX,
};

enum fz_ctl {
	FZ_CTL_CRED,	/* pid (0: own), uid, gid */
	FZ_CTL_RIGHTS,	/* up to two slots */
	FZ_CTL_RAW,	/* level, type, bytes */
	FZ_CTL_SHORT,	/* cmsg_len a, too short */
	FZ_CTL_LONG,	/* cmsg_len beyond the buffer */
	FZ_CTL_MAX,
};

struct fz_item {
	int64_t	a;
	int32_t	b, c;
	uint8_t	kind;
};

struct fz_arg {
	int64_t		v;
	struct fz_item	it[FZ_ITEMS];
	uint8_t		n;
};

enum fz_mode {
	FZ_HERE,
	FZ_ASYNC,	/* & by another thread; go on when it is done or sleeps */
	FZ_RACE,	/* && the same, and go on at once */
	FZ_FORK,	/* % by a child process */
	FZ_MODE_MAX,
};

struct fz_call {
	uint8_t		op;
	uint8_t		mode;
	uint8_t		fail;	/* !n: the n-th allocation or copy fails */
	int8_t		ret[2];	/* slots for new descriptors */
	struct fz_arg	arg[FZ_ARGS];
};

struct fz_prog {
	unsigned int	n;
	struct fz_call	call[FZ_CALLS];
};

/* ---- words (value.c) ---- */

struct fz_word {
	const char	*name;
	int64_t		v;
};

struct fz_set {
	const struct fz_word	*word;
	unsigned int		n;
};

extern const struct fz_set fz_set_type, fz_set_sock, fz_set_msg, fz_set_how,
	fz_set_opt, fz_set_ioctl, fz_set_poll, fz_set_epoll_op, fz_set_splice,
	fz_set_fcntl, fz_set_file, fz_set_proc, fz_set_sysctl, fz_set_oflags,
	fz_set_uring, fz_set_trace, fz_set_event;
extern const char *const fz_mem_names[FZ_MEM_MAX];
extern const char *const fz_ctl_names[FZ_CTL_MAX];
extern const struct fz_set fz_set_addr;

#define FZ_OPT(level, name)	((int64_t)(level) << 32 | (name))
#define FZ_OPT_LEVEL(v)		((int)((v) >> 32))
#define FZ_OPT_NAME(v)		((int)(v))

/* ---- calls (call.c) ---- */

/* What a descriptor is likely to be, so that programs make some sense. */
enum fz_thing {
	FZ_ANY,
	FZ_SOCK,
	FZ_LISTENER,
	FZ_PIPE,
	FZ_EPOLL,
	FZ_FILE,
	FZ_NOTHING,
};

struct fz_argdesc {
	enum fz_kind		kind;
	const struct fz_set	*set;
	enum fz_thing		thing;
};

/* What is to be put back, whoever did it. */
#define FZ_LEAVES_SYSCTL	1
#define FZ_LEAVES_TRACE		2

struct fz_env;

struct fz_desc {
	const char		*name;
	long			(*fn)(struct fz_env *env, const struct fz_call *call);
	uint8_t			weight;
	uint8_t			rets;
	uint8_t			thing;		/* of what it returns */
	bool			first;		/* by the first thread only */
	bool			closes;		/* and may linger */
	uint8_t			leaves;		/* what others see, too: FZ_LEAVES_* */
	struct fz_argdesc	arg[FZ_ARGS];
};

extern const struct fz_desc fz_descs[];
extern const unsigned int fz_ndescs;
int fz_desc_find(const char *name);
bool fz_may_not_fail(const struct fz_call *call);

/* ---- running (run.c) ---- */

/* What the calls of a program share. */
struct fz_env {
	atomic_int	slot[FZ_SLOTS];
	bool		lingers;	/* some close() might */
	uint8_t		leaves;		/* changed: FZ_LEAVES_* */
	bool		ids;		/* changed */
	bool		netns;		/* changed */
	bool		limited;	/* RLIMIT_NOFILE changed */
};

#define FZ_TEXT_MAX	0x100000	/* of the module's code */

bool fz_fail_set(int fd, unsigned int nth);
bool fz_faults_of_module(bool only);
int fz_fd(struct fz_env *env, const struct fz_arg *arg);
void fz_slot_set(struct fz_env *env, int slot, int fd);
long fz_uring(struct fz_env *env, const struct fz_call *call);	/* uring.c */

/* ---- tracepoints (trace.c) ---- */

enum fz_trace {
	FZ_TRACE_ON,
	FZ_TRACE_EVENT,
	FZ_TRACE_FILTER,
	FZ_TRACE_TRIGGER,
	FZ_TRACE_MARK,
	FZ_TRACE_READ,
	FZ_TRACE_PIPE,
	FZ_TRACE_CLEAR,
};

void fz_trace_begin(void);
void fz_trace_end(void);
void fz_trace_back(void);
long fz_trace(int64_t what, int64_t event, int64_t number);

struct fz_verdict {
	unsigned int	calls;
	bool		stuck;		/* a thread does not come back: end the process */
	char		wrong[160];	/* something impossible was returned */
};

int fz_run_init(void);
void fz_run(const struct fz_prog *prog, struct fz_verdict *verdict, bool verbose);

/* ---- memory (memory.c) ---- */

#define FZ_ARENA	1048576

int fz_mem_init(void);
void *fz_mem(const struct fz_item *item);
socklen_t fz_addr(struct fz_env *env, const struct fz_arg *arg, void **addr,
		  struct sockaddr_storage *room);
unsigned int fz_iov(const struct fz_arg *arg, struct iovec *iov);
void fz_ctl(struct fz_env *env, const struct fz_arg *arg, void *room, size_t size,
	    struct msghdr *msg);

/* ---- text (text.c) ---- */

int fz_print(const struct fz_prog *prog, char *text, size_t size);
int fz_print_call(const struct fz_call *call, char *text, size_t size);
/* Parse one program; 0, or -1 with a message. */
int fz_parse(const char *text, struct fz_prog *prog, char *message, size_t size);

/* ---- making (make.c) ---- */

struct fz_rand {
	uint64_t	s;
};

uint64_t fz_rand(struct fz_rand *r);
unsigned int fz_below(struct fz_rand *r, unsigned int n);
void fz_make(struct fz_rand *r, struct fz_prog *prog);
void fz_change(struct fz_rand *r, struct fz_prog *prog, const struct fz_prog *other);
bool fz_remove(struct fz_prog *prog, unsigned int i);

/* ---- coverage (cover.c) ---- */

#define FZ_POINTS	8192
#define FZ_EDGES	65536
#define FZ_PCS		65536
#define FZ_MAP_SIZE	((FZ_POINTS + FZ_EDGES) / 8)

/* In memory that all processes share: what was ever reached, and by this run. */
struct fz_cover {
	uint8_t		point[FZ_POINTS];
	uint8_t		edge[FZ_EDGES];
	atomic_uint npoints;
	atomic_uint nedges;
	atomic_uint strange;	/* in the module, and no point that we know */
	atomic_ulong strange_pc;
	struct {
		atomic_uint npoints, nedges;
		atomic_uchar	point_hit[FZ_POINTS];
		atomic_uchar	edge_hit[FZ_EDGES];
		uint16_t	point[FZ_POINTS];
		uint16_t	edge[FZ_EDGES];
	} run;
};

extern unsigned int fz_npoints;

int fz_cover_load(const char *points);
int fz_cover_reasons(const char *text);
bool fz_cover_on(void);
void fz_cover_thread(unsigned int nr);
void fz_cover_child(void);
void fz_cover_child_end(void);
int fz_cover_reload(const char *ko, const char *squatter);
void fz_cover_begin(void);
void fz_cover_end(void);
unsigned int fz_cover_merge(uint16_t *points, unsigned int max, unsigned int *edges);
bool fz_cover_has(const uint16_t *points, unsigned int n);
void fz_cover_map(uint8_t *map);
unsigned int fz_cover_open(void);
bool fz_cover_report(void);

/* ---- working (work.c) ---- */

#define FZ_CORPUS	2048
#define FZ_RECENT	16

struct fz_kept {
	struct fz_prog	prog;
	bool		blocks;		/* it found blocks, not just a new way */
	bool		told;		/* printed */
};

/* In memory that all processes share. */
struct fz_state {
	atomic_ulong calls;
	atomic_ulong progs;
	atomic_ulong replayed;	/* of the programs it began with */
	atomic_uint ncorpus;
	unsigned int	nseeds;
	atomic_ulong nrecent;
	struct fz_prog	recent[FZ_RECENT];
	bool		is_wrong;
	char		wrong[160];
	struct fz_prog	wrong_prog;
	struct fz_cover	cover;
	struct fz_kept	corpus[FZ_CORPUS];
	uint8_t		map[][FZ_MAP_SIZE];	/* with distill */
};

struct fz_options {
	uint64_t	seed;
	unsigned int	slow;		/* time limits times that */
	bool		distill;
	bool		verbose;
};

/* The texts that the Makefile has put in (data.S). */
extern const char fz_corpus_text[], fz_crashes_text[], fz_reasons_text[];

extern struct fz_options fz_options;
extern struct fz_state *fz_state;
extern int fz_family;		/* the number in use */

double fz_now(void);
/* The life of one working process: until so many programs are replayed, or a time. */
int fz_work(double until, uint64_t replay, uint64_t calls);

#endif /* RILL_FUZZ_H */
