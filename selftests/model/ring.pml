/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring's data path (kmod/ring.c): one writer, one reader, bytes in pages,
 * pages in slots, spare pages; with -DIDLE also the worker of kmod/idle.c that
 * empties a drained ring, with -DDISCARD a writer that resets at any time
 * (SO_LINGER with 0).  Memory is weak, see weak.pml.
 *
 * What must hold:
 *  - A byte that is read is the one that was written there, and only once it was.
 *  - A byte is overwritten only when it was read (overrun).
 *  - No page is written or read after it was given back to the allocator, none
 *    is given back twice, and the writer takes just the spare pages that the
 *    reader put, each once.
 *  - Nobody looks at slots that are not there: at the store (kmod/ring.h) before
 *    it is made, after it was freed, or at one of earlier.
 *  - A reader that finds the ring discarded gives back all of its pages.
 *
 * What is left out: tail, on purpose.  The writer uses a slot again because of
 * r_pos and a page because of sp_head, never because of tail, which only says
 * how much may be in the ring; so this writer knows no limit in bytes and still
 * must not overrun.  Also left out: links, marks and pages by reference, which
 * are published by head as any slot is and like any slot cut the one before; who
 * lends a page to a pipe (rill_slot_closed()); and page_count(): nobody else has a
 * page.
 *
 * NBYTES go through pages of PB bytes, NSLOT slots, NSPARE spares, NPAGE pages.
 */
#ifndef NBYTES
#define NBYTES	5
#endif
#ifndef PB
#define PB	2
#endif
#ifndef NSLOT
#define NSLOT	2
#endif
#ifndef NPAGE
#define NPAGE	3
#endif
#define NSPARE	1

/* rill_ring_write(): head, after the bytes and the slot. */
#ifdef NO_B_WRITE_HEAD_RELEASE
#define B_WRITE_HEAD_RELEASE	0
#else
#define B_WRITE_HEAD_RELEASE	1
#endif
/* rill_ring_read(): head, before what it publishes. */
#ifdef NO_B_READ_HEAD_ACQUIRE
#define B_READ_HEAD_ACQUIRE	0
#else
#define B_READ_HEAD_ACQUIRE	1
#endif
/* rill_cursor_next(): r_pos, after the last look at the slot. */
#ifdef NO_B_CURSOR_RPOS_RELEASE
#define B_CURSOR_RPOS_RELEASE	0
#else
#define B_CURSOR_RPOS_RELEASE	1
#endif
/* rill_slots_reserve(): r_pos, before the slot is filled anew. */
#ifdef NO_B_RESERVE_RPOS_ACQUIRE
#define B_RESERVE_RPOS_ACQUIRE	0
#else
#define B_RESERVE_RPOS_ACQUIRE	1
#endif
/* rill_page_put(): sp_head, after the entry and the use of the page. */
#ifdef NO_B_PUT_SPHEAD_RELEASE
#define B_PUT_SPHEAD_RELEASE	0
#else
#define B_PUT_SPHEAD_RELEASE	1
#endif
/* rill_spare_take(): sp_head, before the entry is looked at. */
#ifdef NO_B_GET_SPHEAD_ACQUIRE
#define B_GET_SPHEAD_ACQUIRE	0
#else
#define B_GET_SPHEAD_ACQUIRE	1
#endif
/* rill_spare_take(): sp_got (here each page counts 1), after the entry was read. */
#ifdef NO_B_GET_SPTAIL_RELEASE
#define B_GET_SPTAIL_RELEASE	0
#else
#define B_GET_SPTAIL_RELEASE	1
#endif
/* rill_page_put(): sp_got, before the entry is filled anew. */
#ifdef NO_B_PUT_SPTAIL_ACQUIRE
#define B_PUT_SPTAIL_ACQUIRE	0
#else
#define B_PUT_SPTAIL_ACQUIRE	1
#endif

/* rill_ring_discard(): discard, after all that the writer left. */
#ifdef NO_B_DISCARD_RELEASE
#define B_DISCARD_RELEASE	0
#else
#define B_DISCARD_RELEASE	1
#endif
/* rill_ring_read(): discard, before w_pos and the rest of the writer's state. */
#ifdef NO_B_READ_DISCARD_ACQUIRE
#define B_READ_DISCARD_ACQUIRE	0
#else
#define B_READ_DISCARD_ACQUIRE	1
#endif

/* The shared memory. */
#define HEAD		0
#define RPOS		1
#define SPHEAD		2
#define SPTAIL		3
#define RX		4	/* the owner's rx_mutex */
#define TX		5	/* the peer's tx_mutex */
#define WPOS		6
#define DISCARDED	7
#define STORE		8	/* ring->store: 0, or which one */
#define SLOT_PAGE(s)	(9 + (s) % NSLOT)
#define SLOT_LEN(s)	(9 + NSLOT + (s) % NSLOT)
#define SPARE(k)	(9 + 2 * NSLOT + (k) % NSPARE)
#define DATA0		(9 + 2 * NSLOT + NSPARE)
#define DATA(g, o)	(DATA0 + (g) * PB + (o))
#define NLOC		(DATA0 + NPAGE * PB)

#define W		0
#define R		1
#define I		2
#ifdef IDLE
#define NTHREAD		3
#else
#define NTHREAD		2
#endif

/* For the assertions only. */
bool alive[NPAGE];		/* not with the allocator */
bool was_read[NBYTES + 1];	/* byte n, counted from 1, its value too */
byte was_put[NBYTES + 1];	/* the page that was put as the n-th spare */

byte the_store;			/* the one that is alive, with the slots in it */

#define PAGE_OF(l)	(((l) - DATA0) / PB)
#define ON_STORE(l, v)						\
	if							\
	:: (l) >= DATA0 ->					\
		assert(alive[PAGE_OF(l)]);			\
		assert(mem[l] == 0 || was_read[mem[l]])		\
	:: (l) >= SLOT_PAGE(0) && (l) < DATA0 ->		\
		assert(the_store)					\
	:: else -> skip						\
	fi
#define ON_LOAD(l, v)						\
	assert(alive[PAGE_OF(l)]);				\
	was_read[v] = 1

#include "reach.pml"
#include "weak.pml"

/* Under the writers' mutex: */
byte head, w_pos, w_len, w_page, sp_tail, stores;
bool w_open;
/* Under the readers': */
byte tail, r_pos, r_off, sp_head;

#ifdef IDLE
#define LOCK(p, l)	lock(p, l)
#define UNLOCK(p, l)	unlock(p, l)
#else
#define LOCK(p, l)	skip
#define UNLOCK(p, l)	skip
#endif

/* What the reader waits for; with IDLE it does not, its call may find nothing. */
#if defined(IDLE)
#define SOMETHING	skip
#elif defined(DISCARD)
#define SOMETHING	(mem[HEAD] != tail || mem[DISCARDED])
#else
#define SOMETHING	(mem[HEAD] != tail)
#endif

hidden byte f_i;

/* Any page: one that was given back last is as likely as a fresh one. */
inline page_alloc(g)
{
	if
	:: atomic { !alive[0] -> alive[0] = 1; g = 0 }
	:: atomic { !alive[1] -> alive[1] = 1; g = 1 }
#if NPAGE > 2
	:: atomic { alive[0] && !alive[2] -> alive[2] = 1; g = 2 }
#endif
#if NPAGE > 3
	:: atomic { alive[0] && alive[2] && !alive[3] -> alive[3] = 1; g = 3 }
#endif
	fi
}

/*
 * put_page(), the last reference: fully ordered, as atomic_dec_and_test().
 * drop: unread bytes, too.
 */
inline page_free(p, g, drop)
{
	full_barrier(p);
	d_step {
		assert(alive[g]);
		alive[g] = 0;
		/* Whatever was in it. */
		for (f_i : 0 .. PB - 1) {
			assert(drop || mem[DATA(g, f_i)] == 0 ||
			       was_read[mem[DATA(g, f_i)]]);
			mem[DATA(g, f_i)] = 0
		}
		f_i = 0
	}
}

/* rill_page_get() */
inline page_get()
{
	early_ok = 0;
	if
	:: true -> skip
	:: atomic { early = mem[SPARE(sp_tail)]; early_ok = 1 }
	fi;
	if
	:: atomic { mem[SPHEAD] != sp_tail ->
		if
		:: B_GET_SPHEAD_ACQUIRE -> early_ok = 0
		:: else -> skip
		fi };
		if
		:: early_ok ->
			w_page = early;
			store(W, SPTAIL, sp_tail + 1, B_GET_SPTAIL_RELEASE)
		:: else ->
			load_reg(W, SPARE(sp_tail));
			store(W, SPTAIL, sp_tail + 1, B_GET_SPTAIL_RELEASE);
			atomic { reg_ok[W] -> w_page = reg[W]; reg_ok[W] = 0;
				 reg[W] = 0 }
		fi;
		assert(w_page == was_put[sp_tail]);
		REACH(1);
		sp_tail++
	:: atomic { mem[SPHEAD] == sp_tail -> early_ok = 0 };
		page_alloc(w_page)
	fi;
	early = 0;
	early_ok = 0
}

/* rill_ring_write(), byte by byte: each is published, as a page of a large send is. */
proctype Writer()
{
	byte early;
	bool early_ok;

	do
	:: head == NBYTES -> break
#ifdef DISCARD
	:: head > 0 ->
		store(W, DISCARDED, 1, B_DISCARD_RELEASE);
		break
#endif
	:: head < NBYTES ->
		LOCK(W, TX);
		if
		:: !the_store ->
			/* rill_store_make() */
			atomic { stores++; the_store = stores };
			store(W, STORE, the_store, 0)
		:: else -> skip
		fi;
		if
		:: w_open && w_len < PB ->
			/* rill_write_append() */
			REACH(4);
			store(W, DATA(w_page, w_len), head + 1, 0);
			w_len++
		:: true ->
			/* The page is full, or what comes needs another slot. */
			/* rill_slots_reserve(); -EAGAIN: it waits */
			if
			:: w_pos < NSLOT -> skip
			:: w_pos >= NSLOT && B_RESERVE_RPOS_ACQUIRE ->
				mem[RPOS] >= w_pos + 1 - NSLOT;
				REACH(5)
			:: w_pos >= NSLOT && !B_RESERVE_RPOS_ACQUIRE ->
				check_late(W, RPOS, w_pos + 1 - NSLOT)
			fi;
			page_get();
			/* rill_write_slot() */
			store(W, DATA(w_page, 0), head + 1, 0);
			/* rill_slot_cut() */
			if
			:: w_open && w_len < PB ->
				REACH(8);
				store(W, SLOT_LEN(w_pos - 1), w_len, 0)
			:: else -> skip
			fi;
			store(W, SLOT_PAGE(w_pos), w_page, 0);
			/* As long as the page; it is cut if that proves too much. */
			store(W, SLOT_LEN(w_pos), PB, 0);
			atomic { w_len = 1; w_open = 1; w_pos++ }
		fi;
		head++;
#ifdef DISCARD
		store(W, WPOS, w_pos, 0);
#endif
		store(W, HEAD, head, B_WRITE_HEAD_RELEASE);
		UNLOCK(W, TX)
	od
}

/* rill_cursor_next() and rill_page_put() */
inline cursor_next()
{
	if
	:: B_PUT_SPTAIL_ACQUIRE -> atomic {
		room = (sp_head - mem[SPTAIL] < NSPARE) }
	:: else ->
		room = 1;
		if
		:: sp_head >= NSPARE ->
			check_late(R, SPTAIL, sp_head + 1 - NSPARE)
		:: else -> skip
		fi
	fi;
	if
	:: room ->
		was_put[sp_head] = page;
		move(R, SPARE(sp_head), SLOT_PAGE(r_pos), page);
		sp_head++;
		store(R, SPHEAD, sp_head, B_PUT_SPHEAD_RELEASE);
		if
		:: sp_head > NSPARE -> REACH(2)
		:: else -> skip
		fi
	:: else ->
		REACH(3);
		page_free(R, page, 0)
	fi;
	room = 0;
	atomic { r_pos++; r_off = 0 };
	store(R, RPOS, r_pos, B_CURSOR_RPOS_RELEASE)
}

#ifdef DISCARD
/* rill_ring_purge(), by a reader who finds that the writer is gone. */
inline ring_purge()
{
	atomic {
		avail = (what == 4 -> early : mem[WPOS]);
		assert(avail == w_pos);
		REACH(7)
	};
	do
	:: r_pos == avail -> break
	:: r_pos != avail ->
		page = mem[SLOT_PAGE(r_pos)];
		page_free(R, page, 1);
		r_pos++
	od;
	do
	:: mem[SPTAIL] == sp_head -> break
	:: mem[SPTAIL] != sp_head ->
		full_barrier(R);
		sp_head--;
		page = mem[SPARE(sp_head)];
		page_free(R, page, 1)
	od;
	assert(!alive[0] && !alive[1] && !alive[NPAGE - 1]);
	assert(the_store);
	the_store = 0
}
#endif

/* rill_ring_read(): all that head says, over and over. */
proctype Reader()
{
	byte avail, slen, page, early, what;
	bool room;
#ifdef DISCARD
	bool gone;
#endif

	do
	:: tail == NBYTES -> break
	:: tail < NBYTES ->
		/* One of the things behind head may have been loaded before. */
		if
		:: what = 0
		:: atomic { what = 1; early = mem[SLOT_LEN(r_pos)] }
		:: atomic { what = 2; early = mem[SLOT_PAGE(r_pos)] }
		:: atomic { r_off < PB -> what = 3;
			    early = mem[DATA(mem[SLOT_PAGE(r_pos)], r_off)] }
		:: atomic { what = 5; early = mem[STORE] }
		fi;
		LOCK(R, RX);
		atomic {
			SOMETHING;
			avail = mem[HEAD] - tail;
			if
			:: B_READ_HEAD_ACQUIRE -> what = 0; early = 0
			:: else -> skip
			fi
		};
#ifdef DISCARD
		if
		:: true -> skip
		:: atomic { what = 4; early = mem[WPOS] }
		fi;
		atomic {
			gone = mem[DISCARDED];
			if
			:: B_READ_DISCARD_ACQUIRE -> what = 0; early = 0
			:: else -> skip
			fi
		};
		if
		:: gone -> ring_purge(); break
		:: else -> skip
		fi;
#endif
		if
		:: avail ->
			assert(the_store);
			assert((what == 5 -> early : mem[STORE]) == the_store)
		:: else -> skip
		fi;
		do
		:: avail == 0 -> break
		:: avail > 0 ->
			atomic {
				assert(the_store);
				slen = (what == 1 -> early : mem[SLOT_LEN(r_pos)]);
				if
				:: what == 1 -> what = 0; early = 0
				:: else -> skip
				fi
			};
			if
			:: slen == r_off ->
				cursor_next();
				/* That was about another slot. */
				atomic { what = 0; early = 0 }
			:: else ->
				atomic {
					assert(slen > r_off);
					page = (what == 2 -> early :
						mem[SLOT_PAGE(r_pos)])
				};
				if
				:: what == 3 -> assert(early == tail + 1);
					was_read[tail + 1] = 1
				:: else ->
					load_late(R, DATA(page, r_off), tail + 1)
				fi;
				atomic { r_off++; tail++; avail--; what = 0;
					 early = 0; slen = 0 }
			fi
		od;
		UNLOCK(R, RX)
	od
}

#ifdef IDLE
/* rill_idle_try() and rill_ring_purge(), of a ring that was drained. */
proctype Idle()
{
	byte g;
	byte turns = 0;

	do
	:: turns == 2 -> break
	:: turns < 2 ->
		turns++;
#ifndef NO_B_IDLE_TRY_READERS
		if
		:: lock(I, RX)
		:: atomic { mem[RX] != 0 -> goto next }
		fi;
#endif
#ifndef NO_B_IDLE_TRY_WRITERS
		if
		:: lock(I, TX)
		:: atomic { mem[TX] != 0 -> goto unlock_rx }
		fi;
#endif
		if
		:: head == tail ->
			if
			:: w_open && head && head < NBYTES -> REACH(6)
			:: else -> skip
			fi;
			do
			:: r_pos == w_pos -> break
			:: r_pos != w_pos ->
				g = mem[SLOT_PAGE(r_pos)];
				page_free(I, g, 0);
				r_pos++
			od;
			do
			:: sp_tail == sp_head -> break
			:: sp_tail != sp_head ->
				g = mem[SPARE(sp_tail)];
				page_free(I, g, 0);
				sp_tail++
			od;
			g = 0;
			w_open = 0;
			r_off = 0;
			store(I, STORE, 0, 0);
			store(I, RPOS, r_pos, 0);
			store(I, SPTAIL, sp_tail, 0);
			full_barrier(I);
			the_store = 0
		:: else -> skip
		fi;
#ifndef NO_B_IDLE_TRY_WRITERS
		unlock(I, TX);
#endif
unlock_rx:
#ifndef NO_B_IDLE_TRY_READERS
		unlock(I, RX);
#endif
next:		skip
	od
}
#endif

init {
	atomic {
		run Memory(W);
		run Memory(R);
		run Writer();
		run Reader();
#ifdef IDLE
		run Memory(I);
		run Idle();
#endif
	}
}
