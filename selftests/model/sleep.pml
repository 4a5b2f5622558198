/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who sleeps and who wakes (kmod/stream.c, wait.c, and rill_ring_want() and
 * rill_ring_wake() of kmod/ring.c): NW writers of M pieces each into a ring
 * that holds CAP, NR readers that read to the end, the end itself (shutdown, and
 * close() that lingers until all is read).  Memory is weak, see weak.pml.
 *
 * What must hold:
 *  - No lost wake-up: nobody sleeps for ever (else spin finds an invalid end
 *    state), and with -DPEEK nor does a peek that hopes for more than will come.
 *  - Who sees the end has seen all that was sent before it, and the error.
 *
 * With -DOPEN the connection stays open, so that no later wake-up makes good for
 * one that was lost; the reader (NR is 1 then) knows how much there is to come.
 *
 * The core's half of sleeping is taken to be right: a sleeper that stands in the
 * queue and a waker that looks there are one flag, which the sleeper sets
 * (prepare_to_wait(), add_wait_queue()) and the waker clears under the queue's
 * lock; what orders it with the condition is the two barriers below.  The
 * data itself is in ring.pml.
 */
#ifndef NW
#define NW	1
#endif
#ifndef NR
#define NR	1
#endif
#ifndef M
#define M	3
#endif
#ifndef CAP
#define CAP	2
#endif
/* So many or fewer are writable: a quarter is free. */
#define WRITABLE	(CAP - (CAP + 3) / 4)
/* More than ever is in the ring: the slots of small pieces are full first. */
#define NEED		(CAP + 1)

/* rill_ring_want(): test_and_set_bit() is a full barrier: say it, then look. */
#ifdef NO_B_WANT_MB
#define B_WANT_MB	0
#else
#define B_WANT_MB	1
#endif
/* rill_stream_read(), rill_ring_consumed(): tail, then want. */
#ifdef NO_B_CONSUMED_MB
#define B_CONSUMED_MB(p)	skip
#else
#define B_CONSUMED_MB(p)	full_barrier(p)
#endif
/* prepare_to_wait(), and so sock_poll_wait(): the queue, then the state. */
#ifdef NO_B_PREPARE_TO_WAIT_MB
#define B_PREPARE_TO_WAIT_MB(p)	skip
#else
#define B_PREPARE_TO_WAIT_MB(p)	full_barrier(p)
#endif
/* rill_stream_write(): head, then the queue (and dead, see kill.pml). */
#ifdef NO_B_WRITE_UNLOCKED_MB
#define B_WRITE_UNLOCKED_MB(p)	skip
#else
#define B_WRITE_UNLOCKED_MB(p)	full_barrier(p)
#endif
/* skwq_has_sleeper() in the other wake-ups: the state, then the queue. */
#ifdef NO_B_HAS_SLEEPER_MB
#define B_HAS_SLEEPER_MB(p)	skip
#else
#define B_HAS_SLEEPER_MB(p)	full_barrier(p)
#endif
/* rill_shutdown_add(): data and error, then the end. */
#ifdef NO_B_SHUTDOWN_ADD_RELEASE
#define B_SHUTDOWN_ADD_RELEASE	0
#else
#define B_SHUTDOWN_ADD_RELEASE	1
#endif
/* rill_shutdown_get(): the end, then data and error. */
#ifdef NO_B_SHUTDOWN_GET_ACQUIRE
#define B_SHUTDOWN_GET_ACQUIRE	0
#else
#define B_SHUTDOWN_GET_ACQUIRE	1
#endif

#define NTHREAD		(NW + NR)	/* the writers come first */
#define TOTAL		(NW * M)

/* The shared memory. */
#define HEAD		0
#define TAIL		1
#define WANT		2
#define SHUTDOWN	3
#define ERR		4
#define RX		5
#define TX		6
#define QUEUED(p)	(7 + (p))	/* in the queue of its own socket */
#define NLOC		(7 + NTHREAD)

#define WANT_SPACE	1
#define WANT_EMPTY	2

#define ON_STORE(l, v)	skip
#define ON_LOAD(l, v)	skip

#include "reach.pml"
#include "weak.pml"

byte head, tail;		/* of the mutexes' holders */
byte writers = NW;

#ifdef OPEN
#define MORE	(tail < TOTAL)
#else
#define MORE	true
#endif

/* A moment's view; a thread sees at least what it stored itself. */
#define MAX(a, b)	((a) > (b) -> (a) : (b))

/* The queue's lock is held: all of a socket's sleepers. */
inline wake(first, end)
{
	d_step {
		w_i = first;
		do
		:: w_i < end -> mem[QUEUED(w_i)] = 0; w_i++
		:: else -> break
		od;
		w_i = 0
	}
}

/* rill_wake_reader(), after a full barrier */
#define wake_reader()	wake(NW, NTHREAD)

/* sk_data_ready(), rill_wake_hangup() */
inline data_ready(p)
{
	B_HAS_SLEEPER_MB(p);
	wake(NW, NTHREAD)
}

/* rill_write_space() */
inline write_space(p)
{
	B_HAS_SLEEPER_MB(p);
	wake(0, NW)
}

/* rill_ring_want(); news: it was not set. */
inline ring_want(p, what)
{
	if
	:: B_WANT_MB ->
		atomic { full_barrier(p) -> news = !(mem[WANT] & what);
			 mem[WANT] = mem[WANT] | what }
	:: else ->
		news = !(mem[WANT] & what);
		set_late(p, WANT, what)
	fi
}

/* schedule() is a full barrier; the wake-up takes it from the queue. */
#define sleep(p)	full_barrier(p) && mem[QUEUED(p)] == 0
#define wait_remove(p)	store(p, QUEUED(p), 0, 0)

/* rill_stream_write(), rill_space_wait() */
proctype Writer(byte p)
{
	byte sent, mine;
	bool news, none;

	do
	:: sent == M -> break
	:: sent < M ->
		lock(p, TX);
		if
		:: atomic { head - mem[TAIL] < CAP ->
			head++; mine = head; none = 0 };
			store(p, HEAD, head, 1)
		:: atomic { head - mem[TAIL] >= CAP -> mine = head; none = 1 }
		fi;
		unlock(p, TX);
		B_WRITE_UNLOCKED_MB(p);
		if
		:: !none -> sent++; wake_reader()
		:: none ->
			ring_want(p, WANT_SPACE);
			if
			:: news -> wake_reader()
			:: else -> skip
			fi;
			/* rill_space_wait() */
			do
			:: true ->
				store(p, QUEUED(p), 1, 0);
				B_PREPARE_TO_WAIT_MB(p);
				ring_want(p, WANT_SPACE);
				if
				:: news -> data_ready(p)
				:: else -> skip
				fi;
				if
				:: atomic { MAX(mine, mem[HEAD]) - mem[TAIL] <=
					    WRITABLE -> break }
				:: atomic { MAX(mine, mem[HEAD]) - mem[TAIL] >
					    WRITABLE -> REACH(1) }
				fi;
				sleep(p);
				REACH(2)
			od;
			wait_remove(p);
			news = 0
		fi
	od;
#ifdef OPEN
	goto end_writer;
#endif
	/* The last one closes.  Before, programs saw to it that it is the last. */
	if
	:: NW > 1 -> full_barrier(p)
	:: else -> skip
	fi;
	writers--;
	if
	:: writers > 0 -> goto end_writer
	:: else -> skip
	fi;
	/* rill_connection_close(): the error, the end; rill_linger() waits. */
	store(p, ERR, 1, 0);
	store(p, SHUTDOWN, 1, B_SHUTDOWN_ADD_RELEASE);
	data_ready(p);
	/* rill_wait_add() has a barrier, which ring_want() makes needless here. */
	do
	:: true ->
		store(p, QUEUED(p), 1, 0);
		ring_want(p, WANT_EMPTY);
		if
		:: mem[TAIL] == TOTAL -> break
		:: mem[TAIL] != TOTAL -> REACH(3)
		fi;
		sleep(p)
	od;
	wait_remove(p);
end_writer: skip
}

/* rill_stream_read(), rill_data_wait() */
proctype Reader(byte p)
{
	byte mine, early, what, n, want;
	bool end, peek;

#ifdef PEEK
	peek = (p == NW);
#endif
	do
#ifdef OPEN
	:: tail == TOTAL -> break
#endif
	:: MORE ->
		n = 0;
		/* One of the two may have been loaded before. */
		if
		:: peek -> goto wait
		:: !peek -> what = 0
		:: atomic { !peek -> what = 1; early = mem[HEAD] }
		:: atomic { !peek -> what = 2; early = mem[ERR] }
		fi;
		atomic {
			end = mem[SHUTDOWN];
			if
			:: B_SHUTDOWN_GET_ACQUIRE -> what = 0; early = 0
			:: else -> skip
			fi
		};
		/* rill_ring_used(); an empty ring needs no mutex */
		mine = mem[TAIL];
		if
		:: atomic { (what == 1 -> early : mem[HEAD]) == mine ->
				REACH(8); mine = 0; goto looked }
		:: atomic { (what == 1 -> early : mem[HEAD]) != mine -> mine = 0 }
		fi;
		lock(p, RX);
		/* rill_ring_read(); as much as there is, or less */
		if
		:: atomic { (what == 1 -> early : mem[HEAD]) > tail -> n = 1 }
		:: atomic { mem[HEAD] > tail + 1 -> n = mem[HEAD] - tail }
		:: atomic { (what == 1 -> early : mem[HEAD]) <= tail -> n = 0 }
		fi;
		atomic { tail = tail + n; mine = tail };
		if
		:: n -> store(p, TAIL, tail, 1)
		:: else -> skip
		fi;
		unlock(p, RX);
looked:
		if
		:: n ->
			/* rill_ring_wake() */
			B_CONSUMED_MB(p);
			want = mem[WANT];
			n = 0;
			if
			:: atomic { want & WANT_SPACE && mem[HEAD] -
				    MAX(mine, mem[TAIL]) <= WRITABLE -> n = 1 };
				clear_late(p, WANT, WANT_SPACE)
			:: else -> skip
			fi;
			if
			:: atomic { want & WANT_EMPTY &&
				    mem[HEAD] == MAX(mine, mem[TAIL]) -> n = 1 };
				clear_late(p, WANT, WANT_EMPTY)
			:: else -> skip
			fi;
			want = 0;
			if
			:: n -> REACH(4); write_space(p)
			:: else -> skip
			fi
		:: !n && end ->
			assert(tail == TOTAL);
			assert((what == 2 -> early : mem[ERR]) == 1);
			break
		:: !n && !end ->
wait:
			what = 0;
			early = 0;
			do
			:: true ->
				store(p, QUEUED(p), 1, 0);
				B_PREPARE_TO_WAIT_MB(p);
				/* rill_read_ready() */
				atomic {
					n = mem[HEAD] - MAX(mine, mem[TAIL]);
					if
					:: mem[SHUTDOWN] -> break
					:: peek && n >= NEED -> break
					:: peek && n && mem[WANT] & WANT_SPACE &&
					   n > WRITABLE -> REACH(5); break
					:: !peek && n -> break
					:: else -> n = 0; REACH(6)
					fi
				};
				sleep(p);
				REACH(7)
			od;
			n = 0;
			peek = 0;
			wait_remove(p)
		fi
	od
}

init {
	byte p;

	atomic {
		do
		:: p < NTHREAD ->
			run Memory(p);
			if
			:: p < NW -> run Writer(p)
			:: else -> run Reader(p)
			fi;
			p++
		:: else -> break
		od
	}
}
