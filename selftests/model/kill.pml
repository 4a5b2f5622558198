/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The owner of a ring closes (kmod/ring.c: rill_ring_kill(),
 * rill_ring_unlocked()) while two writers and the idle worker come by.  Nobody
 * waits for a mutex that a hanging buffer may hold; memory is weak, see weak.pml.
 *
 * What must hold:
 *  - Whoever purges is alone in the ring.
 *  - When all are gone no page is left, as soon as that.
 */

/* rill_ring_kill(): dead, then the trylock. */
#ifdef NO_B_KILL_MB
#define B_KILL_MB(p)	skip
#else
#define B_KILL_MB(p)	full_barrier(p)
#endif
/* rill_stream_write(): the unlock, then dead (and the queue, see sleep.pml). */
#ifdef NO_B_WRITE_UNLOCKED_MB
#define B_WRITE_UNLOCKED_MB(p)	skip
#else
#define B_WRITE_UNLOCKED_MB(p)	full_barrier(p)
#endif
/* rill_idle_try(): the unlock, then dead. */
#ifdef NO_B_IDLE_UNLOCKED_MB
#define B_IDLE_UNLOCKED_MB(p)	skip
#else
#define B_IDLE_UNLOCKED_MB(p)	full_barrier(p)
#endif

#define NTHREAD		4
#define CLOSER		2
#define IDLE		3

/* The shared memory. */
#define TX		0	/* the writers' mutex */
#define SHUTDOWN	1	/* the writing end's SEND_SHUTDOWN */
#define DEAD		2
#define NLOC		3

#define ON_STORE(l, v)	skip
#define ON_LOAD(l, v)	skip

#include "reach.pml"
#include "weak.pml"

byte pages, inside, gone;

inline ring_purge()
{
	inside++;
	assert(inside == 1);
	if
	:: pages -> REACH(1)
	:: else -> skip
	fi;
	pages = 0;
	inside--
}

inline ring_kill(p)
{
	store(p, DEAD, 1, 0);
	B_KILL_MB(p);
	if
	:: lock(p, TX);
		ring_purge();
		unlock(p, TX)
	:: atomic { mem[TX] != 0 -> REACH(2) }
	fi
}

/* After a full barrier. */
inline ring_unlocked(p)
{
	if
	:: mem[DEAD] -> REACH(3); ring_kill(p)
	:: !mem[DEAD] -> skip
	fi
}

/* rill_stream_write(), one piece */
proctype Writer(byte p)
{
	lock(p, TX);
	if
	:: mem[SHUTDOWN] -> skip
	:: !mem[SHUTDOWN] ->
		inside++;
		assert(inside == 1);
		pages++;
		inside--
	fi;
	unlock(p, TX);
	B_WRITE_UNLOCKED_MB(p);
	ring_unlocked(p);
	gone++
}

/* rill_connection_close() */
proctype Closer(byte p)
{
	store(p, SHUTDOWN, 1, 1);
	ring_kill(p);
	gone++
}

/* rill_idle_try(); the ring may have been drained, or not. */
proctype Idle(byte p)
{
	if
	:: lock(p, TX);
		if
		:: ring_purge()
		:: true -> skip
		fi;
		unlock(p, TX);
		B_IDLE_UNLOCKED_MB(p);
		ring_unlocked(p)
	:: atomic { mem[TX] != 0 -> skip }
	fi;
	gone++
}

init {
	atomic {
		run Memory(0);
		run Memory(1);
		run Memory(CLOSER);
		run Memory(IDLE);
		run Writer(0);
		run Writer(1);
		run Closer(CLOSER);
		run Idle(IDLE)
	};
	gone == NTHREAD && EMPTY(0) && EMPTY(1) && EMPTY(CLOSER) && EMPTY(IDLE);
	assert(pages == 0)
}
