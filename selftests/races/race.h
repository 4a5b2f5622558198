/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the race test share.
 *
 * A crew of threads plays rounds.  In each, member 0, which is the main thread,
 * builds a scene (sockets in some state), gives each member an operation on it,
 * opens the gate, does its own, and then looks: at what every call returned
 * (judge.c), and at what became of the sockets and of every byte (check.c).
 *
 * What may block is never done by member 0, which is needed to tell a sleeper
 * that waits for something from one whose wake-up was lost, and to help the
 * former (crew.c).
 */
#ifndef RACE_H
#define RACE_H

#define RILL_TEST_NO_HARNESS
#include "../rill_test_data.h"

#include <linux/filter.h>

enum op {
	OP_CONNECT, OP_ACCEPT, OP_CLOSE, OP_SHUTDOWN, OP_SEND, OP_RECV, OP_POLL,
	OP_LISTEN, OP_SETSOCKOPT, OP_PEEK, OP_SPLICE, OP_SIGNAL,
	OP_N,
	OP_NONE = OP_N,
};

#define PAIRS		(OP_N * (OP_N + 1) / 2)
#define TYPES		3
#define CREW		4		/* threads, the main one among them */

/* The sockets of a scene. */
enum obj {
	O_L,			/* the listener; kept from round to round */
	O_C, O_D,		/* connectors that the operations use; datagrams: C is a third */
	O_P, O_Q,		/* two ends that talk to each other */
	O_X,			/* clients that were there before, EXTRAS of them */
	O_N = O_X + 5,
};

#define EXTRAS		(O_N - O_X)
#define MAX_ACCEPTED	8
#define MAX_LEN		8192		/* of a stream's send */
#define MAX_MSG		2000

/* What was sent and what was received, as it matters for this round. */
struct ledger {
	uint32_t		sent[256];	/* by byte value, or message id */
	uint32_t		got[256];
	uint8_t			count[2];	/* next byte or message to send, by direction */
	/* A reader that is alone sees each sender's bytes in their order. */
	uint8_t			next[CREW * 2];
};

/* What threads wait for, see crew.c. */
struct word {
	atomic_uint		value;
	atomic_int		sleepers;
};

struct job {
	enum op			op;
	enum obj		obj;
	int			fd;
	bool			block;
	unsigned int		delay;
	int			target;		/* signal: whom */
	int			fd_close;	/* close: what takes its place, or -1 */
};

struct member {
	int			index;
	pthread_t		thread;
	atomic_int		tid;
	uint64_t		rng;
	struct word		start;		/* the round it is to play */
	struct word		done;		/* the round it has played */
	atomic_uint		signals;	/* that its handler has seen */
	struct job		job;
	/* What it is doing, for the helper; ret when it is done. */
	atomic_short		events;		/* that would end a sleep, 0: unknown */
	long			ret;
	unsigned int		variant;
	bool			signalled;	/* during the call */
	const char		*wrong;		/* what it saw that cannot be */
	int			accepted[MAX_ACCEPTED];
	int			n_accepted;
	int			pipe[2];
	int			epfd;
	struct ledger		led;
	unsigned char		buf[MAX_LEN + 64];
};

struct scene {
	int			type;		/* SOCK_* */
	int			type_index;
	enum op			op[2];		/* the cell */
	unsigned int		round;
	int			members;	/* who play: member 0 too, perhaps with OP_NONE */
	bool			on_listener;	/* else on two ends */
	int			fd[O_N];	/* -1: there is none */
	bool			nonblock[O_N];
	bool			closed[O_N];	/* by an operation */
	bool			was_shut[O_N];	/* by an operation */
	struct rt_addr		name[O_N];	/* L; datagrams: P, Q, C */
	int			backlog;
	bool			l_ready;	/* L can serve another round */
	int			l_backlog;	/* what it has, -1: unknown */
	bool			l_nonblock;
	bool			lossy;		/* what was sent may be gone with an end */
	bool			timeo;		/* SO_*TIMEO may end a call */
	bool			lowat, peek_off, bufs;	/* options that are set */
	int			readers;	/* operations that take data */
	atomic_bool		drained;	/* who helps a sender takes data, too */
};

extern struct scene sc;
extern struct member crew[CREW];
extern atomic_uint failures;
extern int bad_fd;			/* an O_PATH descriptor: nothing works on it */
extern unsigned long long helped[3];	/* by an event, by a signal, not needed */
extern const char * const op_name[OP_N + 1];
extern const char * const obj_name[O_N];
extern const char * const type_name[TYPES];
extern const int type_value[TYPES];
extern int stuck_ms;

/* ---- random numbers, of one thread each ---- */

static inline uint32_t rng_next(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s >> 32;
}

/* 0 … n - 1 */
static inline uint32_t rng_below(uint64_t *s, uint32_t n)
{
	return (uint64_t)rng_next(s) * n >> 32;
}

static inline bool rng_odds(uint64_t *s, uint32_t of_16)
{
	return rng_next(s) >> 28 < of_16;
}

static inline bool is_stream(void)
{
	return sc.type == SOCK_STREAM;
}

static inline bool is_dgram(void)
{
	return sc.type == SOCK_DGRAM;
}

/* Which way does what is sent there go? */
static inline int dir_of(enum obj obj)
{
	return obj == O_Q;
}

__attribute__((format(printf, 1, 2)))
void wrong(const char *fmt, ...);

/* main.c */
void report_stuck(const char *why);

/* crew.c */
int crew_start(void);
void crew_stop(void);
void crew_play(void);

/* op.c */
void op_run(struct member *m);
long put(struct member *m, int fd, int dir, size_t len, int flags, bool by_write,
	 const struct rt_addr *to);
bool take(struct member *m, const unsigned char *buf, long n, int dir, bool peek,
	  bool alone);

/* judge.c */
void judge(const struct member *m);

/* scene.c */
bool scene_plan(uint64_t *rng);
bool scene_build(uint64_t *rng);
void scene_close(void);
void scene_drop_listener(void);

/* check.c */
void check(uint64_t *rng);
bool check_gone(void);

#endif /* RACE_H */
