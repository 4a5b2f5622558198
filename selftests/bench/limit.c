// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limits: what no socket can beat, measured as the sockets are.
 *
 *  - A ring of bytes in memory that both processes have mapped, with one
 *    producer and one consumer, who spin on each other's counter and copy with
 *    memcpy().  No system call, nobody sleeps.
 *  - memcpy() of one buffer to another by one process: one copy.
 *  - write() to /dev/null: what a call costs that does nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define RING_SIZE	(256 * KIB)	/* a power of two, near a socket's buffer */
#define RING_STEP	(16 * KIB)	/* a larger copy is published in steps */

enum { FROM, TO };

/* Each counter has a cache line, and the data begin on a page of their own. */
struct ring {
	uint64_t head;
	char pad1[56];
	uint64_t tail;
	char pad2[56];
	bool end;
	char pad3[4096 - 2 * 64 - 1];
	char data[RING_SIZE];
};

static inline void relax(void)
{
	__builtin_ia32_pause();
}

static struct ring *ring_new(void)
{
	struct ring *ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (ring == MAP_FAILED)
		cell_fail("mmap: %m");
	return ring;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Bytes until the next step, the end of the ring, or the end of n. */
static size_t chunk(uint64_t pos, size_t room, size_t n)
{
	return least(least(n, room), least(RING_STEP, RING_SIZE - pos % RING_SIZE));
}

static size_t ring_used(struct ring *ring, uint64_t head)
{
	uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

	return head - tail;
}

static void ring_write(struct ring *ring, const char *buf, size_t len)
{
	uint64_t head = ring->head;
	size_t n, room;

	while (len) {
		while (!(room = RING_SIZE - ring_used(ring, head)))
			relax();
		n = chunk(head, room, len);
		memcpy(ring->data + head % RING_SIZE, buf, n);
		head += n;
		buf += n;
		len -= n;
		__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
	}
}

/* As read(): what is there, up to len, at least a byte; 0 at the end. */
static size_t ring_read(struct ring *ring, char *buf, size_t len)
{
	uint64_t tail = ring->tail;
	size_t n, used, done = 0;

	while (!(used = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) - tail)) {
		if (__atomic_load_n(&ring->end, __ATOMIC_ACQUIRE) &&
		    __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == tail)
			return 0;
		relax();
	}
	for (len = least(len, used); len; len -= n) {
		n = chunk(tail, len, len);
		memcpy(buf + done, ring->data + tail % RING_SIZE, n);
		tail += n;
		done += n;
		__atomic_store_n(&ring->tail, tail, __ATOMIC_RELEASE);
	}
	return done;
}

static void ring_sender(struct ring *ring, const struct job *job, struct gate *gate)
{
	struct side *side = &cell->side[FROM];
	unsigned int stride = deadline_stride(job->size);
	char *buf = buffer(job->size);
	uint64_t end;

	pattern_fill(buf, job->size, 0);
	ring_write(ring, buf, job->size);
	gate_wait(gate);
	side_begin(side);
	end = side->t0 + settings.box_ns;
	do {
		for (unsigned int i = 0; i < stride; i++)
			ring_write(ring, buf, job->size);
		side->ops += stride;
	} while (now_ns() < end);
	side_end(side);
	side->bytes = side->ops * job->size;
	__atomic_store_n(&ring->end, true, __ATOMIC_RELEASE);
}

static void shm_stream(const struct job *job)
{
	struct side *from = &cell->side[FROM], *to = &cell->side[TO];
	char *buf = buffer(job->rsize > job->size ? job->rsize : job->size);
	struct ring *ring = ring_new();
	struct gate gate;
	size_t n, done = 0;
	pid_t pid;

	if (settings.cpus < 2)
		cell_skip("both sides spin: it needs two CPUs");
	gate_init(&gate);
	pid = cell_fork(1);
	if (!pid) {
		ring_sender(ring, job, &gate);
		_exit(0);
	}
	pin(0);
	while (done < job->size)
		done += ring_read(ring, buf + done, job->size - done);
	if (!pattern_ok(buf, job->size, 0))
		cell_fail("the data differ from what was sent");
	gate_open(&gate, 1);
	side_begin(to);
	while ((n = ring_read(ring, buf, job->rsize))) {
		to->bytes += n;
		to->ops++;
	}
	side_end(to);
	cell_join(pid);
	if (to->bytes != from->bytes)
		cell_fail("not all bytes arrived");
	cell_sides(job, from, to);
}

/* One process that does the same thing again and again. */
static void alone(const struct job *job, int fd)
{
	struct side *side = &cell->side[FROM];
	unsigned int stride = deadline_stride(job->size);
	char *from = buffer(job->size), *to = buffer(job->size);
	uint64_t end;

	pin(0);
	side_begin(side);
	end = side->t0 + settings.box_ns;
	do {
		for (unsigned int i = 0; i < stride; i++) {
			if (fd >= 0) {
				write_full(fd, from, job->size);
				continue;
			}
			memcpy(to, from, job->size);
			/* It must not be found out that nobody reads it. */
			__asm__ volatile("" : : "r" (to) : "memory");
		}
		side->ops += stride;
	} while (now_ns() < end);
	side_end(side);
	side->bytes = side->ops * job->size;
	cell_sides(job, side, side);
	cell->sample[0].cpu_ns = side->cpu;
}

void limit_stream(const struct job *job, const struct peer *peer)
{
	int fd;

	switch (peer->bit) {
	case PEER_SHM:
		shm_stream(job);
		return;
	case PEER_MEMCPY:
		alone(job, -1);
		return;
	}
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		cell_fail("/dev/null: %m");
	alone(job, fd);
}

static void ring_read_full(struct ring *ring, char *buf, size_t len)
{
	while (len) {
		size_t n = ring_read(ring, buf, len);

		buf += n;
		len -= n;
	}
}

/* Two rings; job->size divides RING_SIZE, so that no message wraps. */
void limit_rtt(const struct job *job, const struct peer *peer)
{
	struct ring *there = ring_new(), *back = ring_new();
	struct side *c = &cell->side[FROM], *s = &cell->side[TO];
	struct sample *sample;
	char buf[4096];
	uint64_t end;
	pid_t pid;

	(void)peer;
	if (!(job->arg & RTT_CROSS) || settings.cpus < 2)
		cell_skip("both sides spin: it needs two CPUs");
	if (job->size > sizeof(buf))
		cell_fail("messages of %zu bytes", job->size);
	pid = cell_fork(0);
	if (!pid) {
		size_t n;

		side_begin(s);
		while ((n = ring_read(there, buf, job->size)))
			ring_write(back, buf, n);
		side_end(s);
		_exit(0);
	}
	pin(1);
	pattern_fill(buf, job->size, 0);
	side_begin(c);
	end = c->t0 + settings.box_ns;
	do {
		for (int i = 0; i < 16; i++) {
			ring_write(there, buf, job->size);
			ring_read_full(back, buf, job->size);
		}
		c->ops += 16;
	} while (now_ns() < end);
	side_end(c);
	__atomic_store_n(&there->end, true, __ATOMIC_RELEASE);
	cell_join(pid);
	if (!pattern_ok(buf, job->size, 0))
		cell_fail("the answer differs from the request");
	sample = cell_sample(job->rows[0].id);
	sample->ns = c->t1 - c->t0;
	sample->ops = c->ops;
	sample->bytes = 2 * c->ops * job->size;
	sample->cpu_ns = c->cpu + s->cpu;
	sample->value = (double)sample->ns / c->ops;
}
