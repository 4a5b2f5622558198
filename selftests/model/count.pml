/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What others make of the counters (kmod/ring.h: rill_ring_used(), kmod/ring.c:
 * rill_ring_writable()), who hold none of the mutexes: poll, a sleeper that looks
 * again, SIOCOUTQ.  Two loads of two counters that two others store; their
 * difference must never be negative.
 *
 * Here memory is weaker than in weak.pml: a store reaches each thread at a time
 * of its own.  A thread has a view, the newest value of each counter that it has
 * to see by now; a load gives that or any newer one.  A store with release
 * carries the view of its thread along, a load with acquire takes over what the
 * value carries.  A plain store carries nothing, a plain load takes nothing but
 * the value.  Counters only grow, so that a value tells which store it came from.
 */
#define N	3		/* bytes, of which each has a slot of its own */

/* rill_ring_write(): head, after w_pos. */
#ifdef NO_B_WRITE_HEAD_RELEASE
#define B_WRITE_HEAD_RELEASE	0
#else
#define B_WRITE_HEAD_RELEASE	1
#endif
/* rill_ring_read(): head, before all that w_pos counts. */
#ifdef NO_B_READ_HEAD_ACQUIRE
#define B_READ_HEAD_ACQUIRE	0
#else
#define B_READ_HEAD_ACQUIRE	1
#endif
/* rill_ring_read(): tail, after head. */
#ifdef NO_B_READ_TAIL_RELEASE
#define B_READ_TAIL_RELEASE	0
#else
#define B_READ_TAIL_RELEASE	1
#endif
/* rill_cursor_next(): r_pos, after w_pos. */
#ifdef NO_B_CURSOR_RPOS_RELEASE
#define B_CURSOR_RPOS_RELEASE	0
#else
#define B_CURSOR_RPOS_RELEASE	1
#endif
/* rill_ring_used(): tail, before head. */
#ifdef NO_B_USED_TAIL_ACQUIRE
#define B_USED_TAIL_ACQUIRE	0
#else
#define B_USED_TAIL_ACQUIRE	1
#endif
/* rill_ring_writable(): r_pos, before w_pos. */
#ifdef NO_B_WRITABLE_RPOS_ACQUIRE
#define B_WRITABLE_RPOS_ACQUIRE	0
#else
#define B_WRITABLE_RPOS_ACQUIRE	1
#endif

#include "reach.pml"

byte head, w_pos, tail, r_pos;	/* the newest values */
/* What a value carries. */
byte head_w_pos[N + 1];
byte tail_head[N + 1];
byte r_pos_w_pos[N + 1];

/* A load: anything from what the view demands to the newest. */
inline load(to, view, newest)
{
	atomic {
		to = view;
		do
		:: to < newest -> to++
		:: break
		od
	}
}

proctype Writer()
{
	do
	:: head == N -> break
	:: head < N ->
		w_pos++;
		atomic { head_w_pos[head + 1] = (B_WRITE_HEAD_RELEASE -> w_pos : 0);
			 head++ }
	od
}

proctype Reader()
{
	byte h, w;		/* its view */

	do
	:: tail == N -> break
	:: tail < N ->
		load(h, h, head);
		if
		:: B_READ_HEAD_ACQUIRE && head_w_pos[h] > w ->
			w = head_w_pos[h]
		:: else -> skip
		fi;
		do
		:: tail == h -> break
		:: tail < h ->
			atomic { tail_head[tail + 1] =
					(B_READ_TAIL_RELEASE -> h : 0);
				 tail++ };
			atomic { r_pos_w_pos[r_pos + 1] =
					(B_CURSOR_RPOS_RELEASE -> w : 0);
				 r_pos++ }
		od
	od
}

/* rill_ring_used() */
proctype Used()
{
	byte t, h;

	load(t, 0, tail);
	if
	:: B_USED_TAIL_ACQUIRE -> h = tail_head[t]
	:: else -> skip
	fi;
	load(h, h, head);
	assert(h >= t);
	if
	:: t == 2 && h == 2 -> REACH(1)
	:: t == 1 && h == 3 -> REACH(2)
	:: else -> skip
	fi
}

/* rill_ring_writable() */
proctype Writable()
{
	byte r, w;

	load(r, 0, r_pos);
	if
	:: B_WRITABLE_RPOS_ACQUIRE -> w = r_pos_w_pos[r]
	:: else -> skip
	fi;
	load(w, w, w_pos);
	assert(w >= r)
}

init {
	atomic {
		run Writer();
		run Reader();
		run Used();
		run Writable()
	}
}
