/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults: what the parts of failnth share.
 *
 * A scenario is a system call on a socket type in a state.  It is played again
 * and again from its beginning, with the n-th allocation or user copy of the call
 * failing, n = 1, 2, ... until none is injected.  After each, the result must be
 * one that the scenario allows, the sockets must still do their work (check), and
 * what they took must be given back.
 */
#ifndef FAULT_H
#define FAULT_H

/* The harness can be in one file of a program only; here it is in none. */
#define RILL_TEST_NO_HARNESS
#include "rill_test_data.h"
#include <kselftest.h>

#define FT_STREAM	1
#define FT_SEQPACKET	2
#define FT_DGRAM	4
#define FT_CONN		(FT_STREAM | FT_SEQPACKET)
#define FT_MSG		(FT_SEQPACKET | FT_DGRAM)
#define FT_ALL		(FT_CONN | FT_DGRAM)

#define FT_BUF		(512 * 1024)
#define FT_FDS		8
#define FT_ERRS		6

/* want: any descriptor, which goes to fd[7]. */
#define FT_WANT_FD	0x10000000000L

/* What a play works with; zero but for type and fd[], which are -1. */
struct ft_env {
	int		type;
	int		fd[FT_FDS];	/* closed at the end, if not -1 */
	struct rt_addr	a, b;		/* names that nobody has */
	long		len;		/* bytes that were or are to be sent */
	long		state;		/* of the scenario's own */
	struct rd_msg	msg;
	bool		injected;
	unsigned int	n;		/* the fault that is asked for, or 0 */
};

struct ft_scenario {
	const char	*name;
	unsigned int	types;
	int		(*setup)(struct ft_env *e);
	long		(*act)(struct ft_env *e);
	/* What act returns with nothing injected. */
	long		want;
	/* Fewer bytes than want are fine, too, if something was injected. */
	bool		partial;
	/* The errno values that an injected fault may give. */
	int		errs[FT_ERRS];
	/* Does everything still work?  It gives 0, or ends the play. */
	int		(*check)(struct ft_env *e, long ret);
	/*
	 * act sleeps in system call nr, in a thread of its own, until wake()
	 * has done something about it; it may have failed before that.
	 */
	void		(*wake)(struct ft_env *e);
	long		nr;
	/* Only faults below this function of the kernel: a play is dear. */
	const char	*only;
	/*
	 * One fault only, from this place of the module, of which the core logs a
	 * stack: a function, and what it calls, both patterns.
	 */
	struct {
		const char	*func, *callee;
	} place;
	/*
	 * None below this one: it logs a stack for each fault, as if a real one
	 * had been, or it does without the memory, and what called it succeeds.
	 */
	const char	*never;
	/*
	 * It shows with a bad pointer, for which act is made, that this copy of
	 * one word can fail: such copies know no injection.
	 */
	const char	*word;
};

extern const struct ft_scenario ft_conn[], ft_data[], ft_rights[], ft_misc[], ft_crowd[],
	ft_diag[], ft_signal[];
extern const unsigned int ft_n_conn, ft_n_data, ft_n_rights, ft_n_misc, ft_n_crowd,
	ft_n_diag, ft_n_signal;

/* Data to send, and room to receive; never touched for the first time in a call. */
extern char *ft_out, *ft_in;

/*
 * What is not as it should be is said, and ends the play: ft_guard() gives the
 * line.  Not for the thread of an act that sleeps.
 */
void ft_wrong(int line, const char *what, long long got) __attribute__((noreturn));
void ft_try(int line, int err);
/* The descriptor, or the end of the play. */
void ft_fd(struct ft_env *e, int i, int fd);
int ft_guard(int (*fn)(void *arg), void *arg);

#define FT_CHECK(cond) do {						\
	if (!(cond))							\
		ft_wrong(__LINE__, #cond, errno);			\
} while (0)

#define FT_CHECK_EQ(want, got) do {					\
	long long __got = (got);					\
									\
	if ((long long)(want) != __got)					\
		ft_wrong(__LINE__, #got " == " #want, __got);		\
} while (0)

/* Of what gives 0 or a negative errno. */
#define FT_TRY(call)	ft_try(__LINE__, call)

/* ---- inject.c ---- */

struct ft_range {
	unsigned long	start, end;	/* of return addresses: [start, end) */
};

/* NULL, or why this kernel cannot do it. */
const char *ft_inject_setup(void);
void ft_inject_restore(void);
/* Only faults of calls made from there; NULL: all. */
int ft_inject_only(const struct ft_range *range);
/* And none made from below there; NULL: no such place. */
int ft_inject_never(const struct ft_range *range);
/* Also pages that need no address of the kernel's; a program's are such, too. */
int ft_inject_highmem(bool on);
/* This thread's: fail the n-th from now on.  A descriptor for the other two. */
int ft_nth_open(void);
int ft_nth_begin(int nth, unsigned int n);
/* true: it was injected. */
bool ft_nth_end(int nth);
/* Where a function of the kernel lies. */
int ft_kernel_symbol(const char *name, struct ft_range *range);

/* ---- play.c ---- */

struct ft_play {
	long		ret;
	bool		injected;
};

int ft_play_once(const struct ft_scenario *sc, int type, unsigned int n,
		 struct ft_play *result);
bool ft_allowed(const struct ft_scenario *sc, const struct ft_play *play);
const char *ft_type_name(int type);
int ft_nothing_left(void *unused);

/* ---- helper.c: what scenarios share ---- */

int ft_setup_pair(struct ft_env *e);
int ft_setup_data(struct ft_env *e);
int ft_setup_line(struct ft_env *e);
int ft_check_pair(struct ft_env *e, long ret);
int ft_check_sent(struct ft_env *e, long ret);
int ft_check_received(struct ft_env *e, long ret);
int ft_check_listener(struct ft_env *e, long ret);
int ft_pass(int from, int to);
int ft_quiet(int fd);
int ft_take_cpu(void);
int ft_give_cpu(void);
int ft_netns_back(struct ft_env *e);

/* Whether the kernel was built to have them: then nothing is skipped. */
static inline bool fault_expected(void)
{
	const char *debug = getenv("RILL_DEBUG_KERNEL");

	return debug && strcmp(debug, "0");
}

/* ---- sites.c ---- */

struct ft_site {
	const char	*module;
	char		func[64];	/* of the module */
	char		callee[64];
	struct ft_range	ret[4];		/* return addresses */
	unsigned int	n_ret;
	const char	*excuse;	/* why nothing is injected there */
	char		hit[96];	/* the scenario that did it */
};

/*
 * Adds the places of a module from which a fault can come to the count that there
 * are: their number, or -errno.
 */
int ft_sites_read(const char *ko, const char *module, struct ft_site **sites,
		  int count);
const char *ft_site_missed(const struct ft_site *s);

/* ---- log.c ---- */

int ft_log_open(void);
int ft_log_excuse(bool begin);
bool ft_log_clean(bool shortage);
void ft_leaks_played(pid_t pid, const char *name);
int ft_leaks(void);

/* ---- load.c ---- */

int ft_load_main(const char *ko, const char *diag_ko);

#endif /* FAULT_H */
