// SPDX-License-Identifier: GPL-2.0-only
/*
 * One way: a process on CPU 0 reads what a process on CPU 1 writes.
 *
 * The sender writes until its time is up and then ends the stream; the reader's
 * end-of-file is the end of the time that counts.  Both count the bytes.
 * work_file.c does the same with files.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum { FROM, TO };

/* What is compared before the clock runs, at least one write of it. */
static size_t check_size(const struct job *job)
{
	return job->size > 64 * KIB ? job->size : 64 * KIB;
}

static void send_pattern(int fd, const struct job *job, char *buf)
{
	for (uint64_t pos = 0; pos < check_size(job); pos += job->size) {
		pattern_fill(buf, job->size, pos);
		write_full(fd, buf, job->size);
	}
}

static void check_pattern(int fd, const struct job *job, char *buf)
{
	uint64_t pos = 0;

	while (pos < check_size(job)) {
		size_t left = check_size(job) - pos;
		ssize_t n = get_some(fd, buf, left < job->rsize ? left : job->rsize);

		if (n < 0)
			cell_fail("read: %m");
		if (!n)
			cell_fail("the end of the data came too early");
		if (!pattern_ok(buf, n, pos))
			cell_fail("the data differ from what was sent");
		pos += n;
	}
}

void stream_sender(int fd, const struct job *job, struct gate *gate,
		   struct side *side)
{
	unsigned int stride = deadline_stride(job->size);
	char *buf = buffer(job->size);
	uint64_t end;

	send_pattern(fd, job, buf);
	gate_wait(gate);
	side_begin(side);
	end = side->t0 + settings.box_ns;
	do {
		for (unsigned int i = 0; i < stride; i++) {
			ssize_t n = put_some(fd, buf, job->size);

			if (n <= 0)
				cell_fail("write: %s", n ? strerror(errno) :
					  "nothing written");
			side->bytes += n;
			side->ops++;
		}
	} while (now_ns() < end);
	side_end(side);
}

void stream_reader(int fd, const struct job *job, struct gate *gate,
		   struct side *side)
{
	char *buf = buffer(job->rsize);
	ssize_t n;

	check_pattern(fd, job, buf);
	gate_open(gate, 1);
	side_begin(side);
	while ((n = get_some(fd, buf, job->rsize)) > 0) {
		side->bytes += n;
		side->ops++;
	}
	side_end(side);
	/* TIPC tells of an end that way when the other side has closed. */
	if (n < 0 && errno != ECONNRESET)
		cell_fail("read: %m");
}

void stream_cell(const struct job *job, const struct peer *peer,
		 stream_side_fn *sender, stream_side_fn *reader)
{
	struct side *from = &cell->side[FROM], *to = &cell->side[TO];
	int in[2], out[2];
	struct gate gate;
	pid_t pid;

	gate_init(&gate);
	peer_duplex(peer, job->type, in, out);
	pid = cell_fork(1);
	if (!pid) {
		close(in[1]);
		if (out[1] != in[1])
			close(out[1]);
		sender(out[0], job, &gate, from);
		/* A pipe and TIPC know no half-close; there the close() ends it. */
		shutdown(out[0], SHUT_WR);
		close(out[0]);
		_exit(0);
	}
	close(out[0]);
	if (in[0] != out[0])
		close(in[0]);
	pin(0);
	reader(in[1], job, &gate, to);
	cell_join(pid);
	if (to->bytes != from->bytes)
		cell_fail("%llu bytes were sent and %llu arrived",
			  (unsigned long long)from->bytes,
			  (unsigned long long)to->bytes);
	cell_sides(job, from, to);
}

void work_stream(const struct job *job, const struct peer *peer)
{
	if (peer->bit >= PEER_SHM)
		limit_stream(job, peer);
	else
		stream_cell(job, peer, stream_sender, stream_reader);
}
