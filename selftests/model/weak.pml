/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weak memory for spin, which knows none: what ring.pml and its neighbours are
 * built on.
 *
 * A thread does not touch shared memory itself.  What it does is put into its
 * queue, and a process of its own (Memory) performs it some time later:
 *  - Stores to different places are performed in any order, those to one place
 *    in the order of the program.  So it is weaker than x86, and than SPARC's PSO.
 *  - A store with release is performed after all that stands before it in the
 *    queue; what stands behind it may overtake it.
 *  - A load whose value decides nothing yet (a byte that is copied, a pointer
 *    that is moved) stands in the same queue: it may be performed late.
 *  - A full barrier waits until the queue is empty.
 *  - A check may be performed late, too: the thread goes on as if it had
 *    passed, and it is performed when that is true.  So a control dependency
 *    orders nothing: what is stored behind it is often not marked, and a
 *    compiler may do what it likes.  Only an acquire makes the thread wait.
 * Loads that may be early are in the models: before each acquire the thread may
 * look at one thing that it needs later, and the acquire makes it forget that.
 * Address and data dependencies hold.
 *
 * What this does not cover: a store is seen by all others at the same time
 * (multi-copy atomic); count.pml is about machines that are not.  One early
 * load at a time.  The mutexes, wait queues and the page allocator of the kernel
 * are taken to be right: a lock is an acquire, an unlock a release, a failed
 * trylock orders nothing.
 *
 * The includer defines NLOC, NTHREAD and the hooks ON_STORE(l, v), called before
 * mem[l] becomes v, and ON_LOAD(l, v), called when v is expected at l.
 */

#define QLEN	6

mtype:op = { ST, LD, LR, MV, OR, AN, CK };

typedef Entry {
	mtype:op op;
	byte loc;
	byte val;		/* ST, OR, AN: what; LD, MV: expected; CK: at least */
	byte src;		/* MV: from where */
	bool rel
};

typedef Queue {
	Entry e[QLEN];
	byte n
};

byte mem[NLOC];
Queue q[NTHREAD];
byte reg[NTHREAD];		/* LR: what was loaded */
bool reg_ok[NTHREAD];

hidden byte w_i, w_v;

#define EMPTY(p)	(q[p].n == 0)

inline put(p, o, l, v, s, r)
{
	atomic {
		q[p].n < QLEN ->
		d_step {
			q[p].e[q[p].n].op = o;
			q[p].e[q[p].n].loc = l;
			q[p].e[q[p].n].val = v;
			q[p].e[q[p].n].src = s;
			q[p].e[q[p].n].rel = r;
			q[p].n = q[p].n + 1
		}
	}
}

/* A store; rel: 1 for smp_store_release(). */
#define store(p, l, v, rel)	put(p, ST, l, v, l, rel)
/* A load that may be late and has to find v. */
#define load_late(p, l, v)	put(p, LD, l, v, l, 0)
/* A load into reg[p]; it is there when reg_ok[p]. */
#define load_reg(p, l)		reg_ok[p] = 0; put(p, LR, l, 0, l, 0)
/* Move from s to l; v has to be found. */
#define move(p, l, s, v)	put(p, MV, l, v, s, 0)
/* Set or clear bits in one step, with no order: clear_bit(). */
#define set_late(p, l, v)	put(p, OR, l, v, l, 0)
#define clear_late(p, l, v)	put(p, AN, l, v, l, 0)
/* It was found to be v or more, says the thread. */
#define check_late(p, l, v)	put(p, CK, l, v, l, 0)

#define full_barrier(p)		EMPTY(p)

/* mutex_lock(), a mutex_trylock() that succeeds; and mutex_unlock(). */
#define lock(p, l)		atomic { mem[l] == 0 -> mem[l] = 1 }
#define unlock(p, l)		store(p, l, 0, 1)

/* May entry b overtake a? */
#define APART(p, a, b)	(q[p].e[a].loc != q[p].e[b].loc && \
			 q[p].e[a].loc != q[p].e[b].src && \
			 q[p].e[a].src != q[p].e[b].loc)
#define TRUE(p, i)	(q[p].e[i].op != CK || \
			 mem[q[p].e[i].loc] >= q[p].e[i].val)
#define FREE(p, i)	(i < q[p].n && TRUE(p, i) && \
			 (i == 0 || !q[p].e[i].rel))

inline perform(p, i)
{
	d_step {
		w_v = mem[q[p].e[i].src];
		if
		:: q[p].e[i].op == ST ->
			ON_STORE(q[p].e[i].loc, q[p].e[i].val);
			mem[q[p].e[i].loc] = q[p].e[i].val
		:: q[p].e[i].op == OR ->
			mem[q[p].e[i].loc] = w_v | q[p].e[i].val
		:: q[p].e[i].op == AN ->
			mem[q[p].e[i].loc] = w_v & ~q[p].e[i].val
		:: q[p].e[i].op == LD ->
			ON_LOAD(q[p].e[i].loc, q[p].e[i].val);
			assert(w_v == q[p].e[i].val)
		:: q[p].e[i].op == LR ->
			reg[p] = w_v;
			reg_ok[p] = 1
		:: q[p].e[i].op == MV ->
			assert(w_v == q[p].e[i].val);
			mem[q[p].e[i].loc] = w_v
		:: q[p].e[i].op == CK ->
			skip
		fi;
		w_i = i;
		do
		:: w_i + 1 < q[p].n ->
			q[p].e[w_i].op = q[p].e[w_i + 1].op;
			q[p].e[w_i].loc = q[p].e[w_i + 1].loc;
			q[p].e[w_i].val = q[p].e[w_i + 1].val;
			q[p].e[w_i].src = q[p].e[w_i + 1].src;
			q[p].e[w_i].rel = q[p].e[w_i + 1].rel;
			w_i++
		:: else -> break
		od;
		q[p].n = q[p].n - 1;
		q[p].e[w_i].op = 0;
		q[p].e[w_i].loc = 0;
		q[p].e[w_i].val = 0;
		q[p].e[w_i].src = 0;
		q[p].e[w_i].rel = 0;
		w_i = 0;
		w_v = 0
	}
}

proctype Memory(byte p)
{
end:	do
	:: atomic { FREE(p, 0) -> perform(p, 0) }
	:: atomic { FREE(p, 1) && APART(p, 0, 1) -> perform(p, 1) }
	:: atomic { FREE(p, 2) && APART(p, 0, 2) && APART(p, 1, 2) ->
		perform(p, 2) }
	:: atomic { FREE(p, 3) && APART(p, 0, 3) && APART(p, 1, 3) &&
		    APART(p, 2, 3) -> perform(p, 3) }
	:: atomic { FREE(p, 4) && APART(p, 0, 4) && APART(p, 1, 4) &&
		    APART(p, 2, 4) && APART(p, 3, 4) -> perform(p, 4) }
	:: atomic { FREE(p, 5) && APART(p, 0, 5) && APART(p, 1, 5) &&
		    APART(p, 2, 5) && APART(p, 3, 5) && APART(p, 4, 5) ->
		perform(p, 5) }
	od
}
