// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs at random, and random changes to programs.  Everything here follows
 * from the random numbers alone.
 */
#include "fuzz.h"

#include <string.h>

uint64_t fz_rand(struct fz_rand *r)
{
	/* splitmix64 */
	uint64_t z = (r->s += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

unsigned int fz_below(struct fz_rand *r, unsigned int n)
{
	return n ? fz_rand(r) % n : 0;
}

static bool one_in(struct fz_rand *r, unsigned int n)
{
	return !fz_below(r, n);
}

static int64_t pick(struct fz_rand *r, const int64_t *list, unsigned int n)
{
	return list[fz_below(r, n)];
}

/* What each slot is likely to hold where a program has got to. */
struct guess {
	uint8_t	thing[FZ_SLOTS];
};

static int slot_free(struct fz_rand *r, const struct guess *g)
{
	int from = fz_below(r, FZ_SLOTS);

	for (int i = 0; i < FZ_SLOTS; i++)
		if (!g->thing[(from + i) % FZ_SLOTS])
			return (from + i) % FZ_SLOTS;
	return from;
}

static int slot_of(struct fz_rand *r, const struct guess *g, enum fz_thing thing)
{
	int from = fz_below(r, FZ_SLOTS);
	bool any = thing == FZ_ANY || one_in(r, 12);

	if (one_in(r, 60))
		return -1;
	for (int i = 0; i < FZ_SLOTS; i++) {
		int s = (from + i) % FZ_SLOTS;
		enum fz_thing is = g->thing[s];

		if (any ? is != FZ_ANY :
		    is == thing || (is == FZ_LISTENER && thing == FZ_SOCK && one_in(r, 4)))
			return s;
	}
	return from;
}

static int64_t length(struct fz_rand *r)
{
	static const int64_t usual[] = {
		0, 1, 1, 2, 7, 8, 64, 100, 100, 500, 1000, 4000, 4095, 4096, 4097, 8192, 9000,
	};
	static const int64_t large[] = {
		16384, 32767, 32768, 32769, 40000, 65535, 65536, 65537, 70000, 131072, 200000,
		212992, 300000, 1 << 20,
	};
	static const int64_t odd[] = { -1, 0x7fffffff, 0x80000000LL, 1LL << 40, 0x7ffff000 };

	if (one_in(r, 60))
		return pick(r, odd, ARRAY_SIZE(odd));
	if (one_in(r, 6))
		return pick(r, large, ARRAY_SIZE(large));
	if (one_in(r, 4))
		return fz_below(r, 10000);
	return pick(r, usual, ARRAY_SIZE(usual));
}

static void make_buf(struct fz_rand *r, struct fz_item *it)
{
	it->a = length(r);
	it->kind = one_in(r, 8) ? fz_below(r, FZ_MEM_MAX) : FZ_MEM_OK;
}

static int64_t any_number(struct fz_rand *r)
{
	static const int64_t n[] = {
		0, 0, 1, 1, 1, 2, 3, 4, 5, 10, 16, 64, 100, 127, 128, 1000, 4096, 8192, 65536,
		212992, 300000, 1 << 20, 0x3fffffff, -1, -1, -2, -100, 0x7fffffff,
		-0x80000000LL, 0777, 0666, 0222, 0444, 01000, 4608, 2304, 0x80000000LL,
	};

	return one_in(r, 4) ? (int64_t)fz_below(r, 2000) : pick(r, n, ARRAY_SIZE(n));
}

/* The size that an option has. */
static int64_t option_size(int64_t opt)
{
	if (FZ_OPT_LEVEL(opt) == SOL_RILL)
		return FZ_OPT_NAME(opt) == RILL_OWNER ? 8 : FZ_OPT_NAME(opt) == RILL_QUEUE ? 16 : 4;
	switch (FZ_OPT_NAME(opt)) {
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
	case SO_ATTACH_FILTER:
		return 16;
	case SO_LINGER:
	case SO_COOKIE:
	case SO_NETNS_COOKIE:
	case SO_TIMESTAMPING:
		return 8;
	case SO_PEERCRED:
		return 12;
	case SO_PEERNAME:
		return 128;
	}
	return 4;
}

static int64_t make_flags(struct fz_rand *r, const struct fz_set *set)
{
	int64_t v = 0;

	if (set == &fz_set_sock)
		return one_in(r, 4) ? 0 : SOCK_NONBLOCK | (one_in(r, 10) ? SOCK_CLOEXEC : 0);
	if (set == &fz_set_msg && !one_in(r, 6))
		v = MSG_DONTWAIT;
	if (set == &fz_set_msg && !one_in(r, 3))
		return v;
	if (set == &fz_set_poll)
		v = 5;
	while (one_in(r, 2))
		v |= set->word[fz_below(r, set->n)].v;
	if (one_in(r, 40))
		v |= 1LL << fz_below(r, 32);
	return v;
}

static void make_addr(struct fz_rand *r, struct fz_arg *a)
{
	a->it[0].a = one_in(r, 20) ? (int64_t)fz_below(r, 140) : FZ_LEN_NATURAL;
	if (one_in(r, 12))
		a->v = fz_below(r, fz_set_addr.n);
	else if (one_in(r, 4))
		a->v = FZ_ADDR_OF + fz_below(r, FZ_SLOTS);
	else if (one_in(r, 8))
		a->v = 5;
	else
		a->v = 1 + fz_below(r, 3);
}

static void make_ctl(struct fz_rand *r, const struct guess *g, struct fz_arg *a)
{
	a->n = one_in(r, 2) ? 1 + fz_below(r, FZ_ITEMS) : 0;
	for (unsigned int i = 0; i < a->n; i++) {
		struct fz_item *it = &a->it[i];

		it->kind = one_in(r, 5) ? fz_below(r, FZ_CTL_MAX) : fz_below(r, 2);
		switch (it->kind) {
		case FZ_CTL_CRED:
			it->a = one_in(r, 6) ? any_number(r) : 0;
			it->b = one_in(r, 3) ? any_number(r) : 0;
			it->c = one_in(r, 6) ? any_number(r) : 0;
			break;
		case FZ_CTL_RIGHTS:
			it->a = slot_of(r, g, one_in(r, 6) ? FZ_ANY : FZ_FILE);
			it->b = one_in(r, 2) ? -2 : slot_of(r, g, FZ_ANY);
			break;
		default:
			it->a = one_in(r, 2) ? SOL_SOCKET : any_number(r);
			it->b = fz_below(r, 8);
			it->c = fz_below(r, 65);
		}
	}
}

static int64_t make_number(struct fz_rand *r, const struct fz_set *set)
{
	static const int64_t seen[] = {
		/* what most programs do with options of their own, and the core's */
		FZ_OPT(SOL_RILL, RILL_MODE), FZ_OPT(SOL_RILL, RILL_OWNER),
		FZ_OPT(SOL_RILL, RILL_BUSY_POLL), FZ_OPT(SOL_RILL, RILL_QUEUE),
		FZ_OPT(SOL_SOCKET, SO_RCVBUF), FZ_OPT(SOL_SOCKET, SO_SNDBUF),
		FZ_OPT(SOL_SOCKET, SO_PASSCRED), FZ_OPT(SOL_SOCKET, SO_RCVLOWAT),
		FZ_OPT(SOL_SOCKET, SO_LINGER), FZ_OPT(SOL_SOCKET, SO_PEEK_OFF),
		FZ_OPT(SOL_SOCKET, SO_RCVTIMEO), FZ_OPT(SOL_SOCKET, SO_SNDTIMEO),
		FZ_OPT(SOL_SOCKET, SO_ATTACH_FILTER),
	};

	if (!set)
		return any_number(r);
	if (set == &fz_set_opt && one_in(r, 2))
		return pick(r, seen, ARRAY_SIZE(seen));
	if (one_in(r, 50))
		return any_number(r);
	if (set == &fz_set_type && one_in(r, 2))
		return SOCK_STREAM;
	return set->word[fz_below(r, set == &fz_set_type ? 3 : set->n)].v;
}

static void make_arg(struct fz_rand *r, const struct guess *g, struct fz_call *c, unsigned int i)
{
	const struct fz_argdesc *d = &fz_descs[c->op].arg[i];
	struct fz_arg *a = &c->arg[i];

	memset(a, 0, sizeof(*a));
	switch (d->kind) {
	case FZ_FD:
		a->v = slot_of(r, g, d->thing);
		break;
	case FZ_NUM:
		a->v = make_number(r, d->set);
		break;
	case FZ_FLAGS:
		a->v = make_flags(r, d->set);
		break;
	case FZ_ADDR:
		make_addr(r, a);
		break;
	case FZ_BUF:
		make_buf(r, &a->it[0]);
		break;
	case FZ_IOV:
		a->n = 1 + fz_below(r, FZ_ITEMS);
		if (one_in(r, 20))
			a->n = 0;
		for (unsigned int n = 0; n < a->n; n++)
			make_buf(r, &a->it[n]);
		break;
	case FZ_CTL:
		make_ctl(r, g, a);
		break;
	default:
		break;
	}
}

static void make_option(struct fz_rand *r, struct fz_call *c)
{
	switch (FZ_OPT_NAME(c->arg[1].v)) {
	case SO_LINGER:
		/* Waiting is slow. */
		if (!one_in(r, 10))
			c->arg[3].v = 0;
		break;
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
		c->arg[2].v = 0;
		c->arg[3].v = 1 + fz_below(r, 3000);
		break;
	case SO_PEEK_OFF:
		c->arg[2].v = (int64_t)fz_below(r, 200) - 1;
		break;
	case SO_ATTACH_FILTER:
		c->arg[2].v = fz_below(r, 6);
		break;
	}
}

/* Pipes and files have two ends that do not do the same. */
static void make_splice(struct fz_rand *r, const struct guess *g, struct fz_call *c)
{
	bool in = one_in(r, 2);

	c->arg[in].v = slot_of(r, g, FZ_PIPE);
	c->arg[!in].v = slot_of(r, g, one_in(r, 6) ? FZ_FILE : FZ_SOCK);
	c->arg[2].v = length(r);
	c->arg[4].v = 0;
}

/* Some numbers only make sense together, or in a range. */
static void make_sensible(struct fz_rand *r, const struct guess *g, struct fz_call *c)
{
	const char *name = fz_descs[c->op].name;

	if (one_in(r, 10))
		return;
	if (!strcmp(name, "socket") || !strcmp(name, "socketpair")) {
		c->arg[2].v = one_in(r, 30) ? fz_family : 0;
	} else if (!strcmp(name, "listen")) {
		c->arg[1].v = one_in(r, 3) ? (int64_t)fz_below(r, 5) : 0;
	} else if (!strcmp(name, "setsockopt")) {
		c->arg[4].it[0] = (struct fz_item){ .a = option_size(c->arg[1].v) };
		make_option(r, c);
	} else if (!strcmp(name, "getsockopt")) {
		c->arg[2].it[0].a = option_size(c->arg[1].v);
		c->arg[3].v = 0;
	} else if (!strcmp(name, "recvmsg")) {
		c->arg[1].it[0] = (struct fz_item){ .a = 128 };
		c->arg[3].it[0] = (struct fz_item){ .a = one_in(r, 3) ? fz_below(r, 100) : 256 };
	} else if (!strcmp(name, "getsockname") || !strcmp(name, "getpeername") ||
		   !strcmp(name, "accept")) {
		c->arg[1].it[0].a = one_in(r, 2) ? 128 : fz_below(r, 130);
	} else if (!strcmp(name, "splice")) {
		make_splice(r, g, c);
	} else if (!strcmp(name, "file")) {
		c->arg[0].v = one_in(r, 2) ? 0 : c->arg[0].v;
	} else if (!strcmp(name, "sendfile")) {
		c->arg[2].v = fz_below(r, 3) * 4000 - 1;
		c->arg[3].v = length(r);
	} else if (!strcmp(name, "setuid") || !strcmp(name, "setgid")) {
		c->arg[0].v = one_in(r, 2) ? 0 : 1000;
	} else if (!strcmp(name, "poll") || !strcmp(name, "epoll_wait")) {
		/* Waiting without cause is slow. */
		c->arg[!strcmp(name, "poll") ? 3 : 1].v = one_in(r, 10);
	} else if (!strcmp(name, "diag")) {
		c->arg[0].v = one_in(r, 3) ? (int64_t)fz_below(r, 4096) : 0xffffffff;
		c->arg[1].v = one_in(r, 3) ? (int64_t)fz_below(r, 64) : 0xffffffff;
		c->arg[2].v = fz_below(r, 128);
		c->arg[3].v = one_in(r, 5) ? fz_below(r, 10000) : 0;
	} else if (!strcmp(name, "sysctl")) {
		c->arg[1].v = fz_below(r, 4);
	}
}

static uint8_t pick_op(struct fz_rand *r)
{
	static unsigned int total;
	unsigned int at;

	if (!total)
		for (unsigned int i = 0; i < fz_ndescs; i++)
			total += fz_descs[i].weight;
	at = fz_below(r, total);
	for (unsigned int i = 0;; i++) {
		if (at < fz_descs[i].weight)
			return i;
		at -= fz_descs[i].weight;
	}
}

static void make_modes(struct fz_rand *r, struct fz_call *c)
{
	if (one_in(r, 12))
		c->mode = FZ_ASYNC;
	else if (one_in(r, 20))
		c->mode = FZ_RACE;
	else if (one_in(r, 300))
		c->mode = FZ_FORK;
	if (one_in(r, 25))
		c->fail = 1 + fz_below(r, one_in(r, 3) ? 12 : 4);
}

static void make_call(struct fz_rand *r, const struct guess *g, struct fz_call *c, int op)
{
	memset(c, 0, sizeof(*c));
	c->op = op >= 0 ? op : pick_op(r);
	c->ret[0] = slot_free(r, g);
	c->ret[1] = (c->ret[0] + 1 + fz_below(r, FZ_SLOTS - 1)) % FZ_SLOTS;
	for (unsigned int i = 0; i < FZ_ARGS; i++)
		make_arg(r, g, c, i);
	make_sensible(r, g, c);
	make_modes(r, c);
}

/* What the slots hold after the call. */
static void guess_after(struct guess *g, const struct fz_call *c)
{
	const struct fz_desc *d = &fz_descs[c->op];
	int64_t slot = c->arg[0].v;

	for (unsigned int i = 0; i < d->rets; i++)
		g->thing[c->ret[i]] = d->thing;
	if (slot < 0 || slot >= FZ_SLOTS || d->arg[0].kind != FZ_FD)
		return;
	if (!strcmp(d->name, "listen"))
		g->thing[slot] = FZ_LISTENER;
	else if (!strcmp(d->name, "close"))
		g->thing[slot] = 0;
}

static void guess_until(struct guess *g, const struct fz_prog *prog, unsigned int n)
{
	memset(g, 0, sizeof(*g));
	for (unsigned int i = 0; i < n; i++)
		guess_after(g, &prog->call[i]);
}

static struct fz_call *append(struct fz_rand *r, struct fz_prog *prog, struct guess *g,
			      const char *name)
{
	struct fz_call *c;

	if (prog->n == FZ_CALLS)
		return NULL;
	c = &prog->call[prog->n++];
	make_call(r, g, c, name ? fz_desc_find(name) : -1);
	if (name) {
		c->mode = FZ_HERE;
		c->fail = 0;
	}
	return c;
}

/* Two sockets that can talk, made in one of the usual ways. */
static void make_start(struct fz_rand *r, struct fz_prog *prog, struct guess *g)
{
	static const int64_t types[] = { SOCK_STREAM, SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	int64_t type = pick(r, types, ARRAY_SIZE(types)), name = 1 + fz_below(r, 3);
	int64_t flags = one_in(r, 4) ? 0 : SOCK_NONBLOCK;
	unsigned int first = prog->n;
	struct fz_call *c;
	int a, b;

	if (one_in(r, 3)) {
		c = append(r, prog, g, "socketpair");
		c->arg[0].v = type;
		c->arg[1].v = flags;
		c->arg[2].v = 0;
		guess_after(g, c);
		return;
	}
	for (int i = 0; i < 2; i++) {
		c = append(r, prog, g, "socket");
		c->arg[0].v = type;
		c->arg[1].v = flags;
		c->arg[2].v = 0;
		guess_after(g, c);
	}
	a = prog->call[first].ret[0];
	b = prog->call[first + 1].ret[0];
	c = append(r, prog, g, "bind");
	c->arg[0].v = a;
	c->arg[1] = (struct fz_arg){ .v = name, .it[0].a = FZ_LEN_NATURAL };
	if (type != SOCK_DGRAM) {
		c = append(r, prog, g, "listen");
		c->arg[0].v = a;
		guess_after(g, c);
	}
	c = append(r, prog, g, "connect");
	c->arg[0].v = b;
	c->arg[1] = (struct fz_arg){ .v = name, .it[0].a = FZ_LEN_NATURAL };
	if (type != SOCK_DGRAM && !one_in(r, 4)) {
		c = append(r, prog, g, "accept");
		c->arg[0].v = a;
		guess_after(g, c);
	}
}

void fz_make(struct fz_rand *r, struct fz_prog *prog)
{
	struct guess g = {};
	unsigned int want;

	memset(prog, 0, sizeof(*prog));
	if (!one_in(r, 8))
		make_start(r, prog, &g);
	if (one_in(r, 4))
		make_start(r, prog, &g);
	if (one_in(r, 3))
		guess_after(&g, append(r, prog, &g, "file"));
	want = prog->n + 3 + fz_below(r, 12);
	while (prog->n < want && prog->n < FZ_CALLS) {
		struct fz_call *c = append(r, prog, &g, NULL);

		guess_after(&g, c);
	}
}

/* ---- changes ---- */

bool fz_remove(struct fz_prog *prog, unsigned int i)
{
	if (i >= prog->n || prog->n == 1)
		return false;
	memmove(&prog->call[i], &prog->call[i + 1], (prog->n - i - 1) * sizeof(prog->call[0]));
	prog->n--;
	return true;
}

static void insert(struct fz_rand *r, struct fz_prog *prog)
{
	unsigned int at = fz_below(r, prog->n + 1);
	struct guess g;

	if (prog->n == FZ_CALLS)
		return;
	if (one_in(r, 2))
		at = prog->n;
	memmove(&prog->call[at + 1], &prog->call[at], (prog->n - at) * sizeof(prog->call[0]));
	prog->n++;
	guess_until(&g, prog, at);
	make_call(r, &g, &prog->call[at], -1);
}

static void change_arg(struct fz_rand *r, struct fz_prog *prog)
{
	unsigned int at = fz_below(r, prog->n), n = 0;
	struct fz_call *c = &prog->call[at];
	struct guess g;

	while (n < FZ_ARGS && fz_descs[c->op].arg[n].kind)
		n++;
	if (!n)
		return;
	guess_until(&g, prog, at);
	make_arg(r, &g, c, fz_below(r, n));
	if (one_in(r, 3))
		make_sensible(r, &g, c);
}

static void change_mode(struct fz_rand *r, struct fz_prog *prog)
{
	struct fz_call *c = &prog->call[fz_below(r, prog->n)];

	switch (fz_below(r, 4)) {
	case 0:
		c->mode = FZ_HERE;
		c->fail = 0;
		break;
	case 1:
		c->mode = one_in(r, 10) ? FZ_FORK : FZ_ASYNC;
		break;
	case 2:
		c->mode = FZ_RACE;
		break;
	default:
		c->fail = c->fail ? c->fail + 1 - 2 * fz_below(r, 2) : 1 + fz_below(r, 6);
	}
}

static void splice(struct fz_rand *r, struct fz_prog *prog, const struct fz_prog *other)
{
	unsigned int from = one_in(r, 2) ? 0 : fz_below(r, other->n);
	unsigned int keep = one_in(r, 2) ? prog->n : 1 + fz_below(r, prog->n);

	prog->n = keep;
	while (from < other->n && prog->n < FZ_CALLS)
		prog->call[prog->n++] = other->call[from++];
}

static void copy_call(struct fz_rand *r, struct fz_prog *prog)
{
	struct fz_call c = prog->call[fz_below(r, prog->n)];
	unsigned int at = fz_below(r, prog->n + 1);

	if (prog->n == FZ_CALLS)
		return;
	memmove(&prog->call[at + 1], &prog->call[at], (prog->n - at) * sizeof(prog->call[0]));
	prog->call[at] = c;
	prog->n++;
}

static void swap(struct fz_rand *r, struct fz_prog *prog)
{
	unsigned int a = fz_below(r, prog->n), b = fz_below(r, prog->n);
	struct fz_call c = prog->call[a];

	prog->call[a] = prog->call[b];
	prog->call[b] = c;
}

/* The same program with sockets of another type. */
static void change_type(struct fz_rand *r, struct fz_prog *prog)
{
	int64_t type = fz_set_type.word[fz_below(r, 3)].v;

	for (unsigned int i = 0; i < prog->n; i++)
		if (fz_descs[prog->call[i].op].arg[0].set == &fz_set_type)
			prog->call[i].arg[0].v = type;
}

/* other: another program of the corpus, or NULL */
void fz_change(struct fz_rand *r, struct fz_prog *prog, const struct fz_prog *other)
{
	if (!prog->n) {
		fz_make(r, prog);
		return;
	}
	do {
		switch (fz_below(r, 16)) {
		case 0:
		case 1:
		case 2:
		case 3:
			insert(r, prog);
			break;
		case 4:
			fz_remove(prog, fz_below(r, prog->n));
			break;
		case 5:
		case 6:
		case 7:
		case 8:
		case 9:
			change_arg(r, prog);
			break;
		case 10:
			change_mode(r, prog);
			break;
		case 11:
		case 12:
			if (other && other->n)
				splice(r, prog, other);
			break;
		case 13:
			copy_call(r, prog);
			break;
		case 14:
			swap(r, prog);
			break;
		case 15:
			change_type(r, prog);
			break;
		}
	} while (!one_in(r, 3));
}
