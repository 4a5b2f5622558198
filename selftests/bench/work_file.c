// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files and streams: sendfile() of a file that is in memory, and splice() from
 * the stream into a file.  The other side is that of work_stream.c.
 *
 * The files are made once, have no name, and are inherited.  The pattern repeats
 * every PATTERN_SIZE bytes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "bench.h"

#define FILE_SIZE	(64 * MIB)
#define PATTERN_SIZE	(1 * MIB)
#define CHECK_SIZE	(64 * KIB)

static int source = -1, target = -1;

static int file_new(const char *content)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/rill-bench.XXXXXX", settings.dir);
	fd = mkstemp(path);
	if (fd < 0) {
		fprintf(stderr, "bench: %s: %m\n", path);
		exit(1);
	}
	unlink(path);
	for (size_t pos = 0; pos < FILE_SIZE; pos += PATTERN_SIZE) {
		if (pwrite(fd, content, PATTERN_SIZE, pos) != PATTERN_SIZE) {
			fprintf(stderr, "bench: %s: %m\n", path);
			exit(1);
		}
	}
	return fd;
}

void files_prepare(const struct job *job, const struct peer *peer)
{
	char *content;

	(void)job;
	(void)peer;
	if (source >= 0)
		return;
	content = calloc(1, PATTERN_SIZE);
	if (!content) {
		perror("bench: malloc");
		exit(1);
	}
	/* All pages of both are there when the clock runs. */
	target = file_new(content);
	pattern_fill(content, PATTERN_SIZE, 0);
	source = file_new(content);
	free(content);
}

/* ---- sendfile ---- */

static size_t sendfile_some(int fd, off_t *off, size_t len)
{
	ssize_t n = sendfile(fd, source, off, len);

	if (n <= 0)
		cell_fail("sendfile: %s", n ? strerror(errno) : "nothing was sent");
	return n;
}

/* Whole files, until the time is up. */
static void sendfile_sender(int fd, const struct job *job, struct gate *gate,
			    struct side *side)
{
	off_t off = 0;
	uint64_t end;

	(void)job;
	while (off < (off_t)CHECK_SIZE)
		sendfile_some(fd, &off, CHECK_SIZE - off);
	gate_wait(gate);
	side_begin(side);
	end = side->t0 + settings.box_ns;
	do {
		off = 0;
		while (off < (off_t)FILE_SIZE)
			side->bytes += sendfile_some(fd, &off, FILE_SIZE - off);
		side->ops++;
	} while (now_ns() < end);
	side_end(side);
}

void work_sendfile(const struct job *job, const struct peer *peer)
{
	stream_cell(job, peer, sendfile_sender, stream_reader);
}

/* ---- splice ---- */

/* What has come, up to len bytes, into the file at pos; 0 at the end. */
static size_t splice_some(int fd, const int *pipefd, loff_t pos, size_t len)
{
	ssize_t n, m, done = 0;

	/* A pipe needs no other in between. */
	if (pipefd[0] < 0) {
		n = splice(fd, NULL, target, &pos, len, SPLICE_F_MOVE);
		if (n < 0)
			cell_fail("splice to the file: %m");
		return n;
	}
	n = splice(fd, NULL, pipefd[1], NULL, len, SPLICE_F_MOVE);
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n < 0 && errno == EINVAL)
		cell_skip("splice() from it is not supported");
	if (n < 0)
		cell_fail("splice from the stream: %m");
	while (done < n) {
		m = splice(pipefd[0], NULL, target, &pos, n - done, SPLICE_F_MOVE);
		if (m <= 0)
			cell_fail("splice to the file: %s", m ? strerror(errno) :
				  "nothing was moved");
		done += m;
	}
	return n;
}

static void splice_check(void)
{
	char *buf = buffer(CHECK_SIZE);

	if (pread(target, buf, CHECK_SIZE, 0) != (ssize_t)CHECK_SIZE ||
	    !pattern_ok(buf, CHECK_SIZE, 0))
		cell_fail("the file differs from what was sent");
}

static void splice_to_file(int fd, const int *pipefd, const struct job *job,
			   struct gate *gate, struct side *side)
{
	static const char zero[CHECK_SIZE];
	size_t n, pos;

	if (pwrite(target, zero, CHECK_SIZE, 0) != (ssize_t)CHECK_SIZE)
		cell_fail("pwrite: %m");
	for (pos = 0; pos < CHECK_SIZE; pos += n) {
		n = splice_some(fd, pipefd, pos, CHECK_SIZE - pos);
		if (!n)
			cell_fail("the end of the data came too early");
	}
	splice_check();
	gate_open(gate, 1);
	side_begin(side);
	while ((n = splice_some(fd, pipefd, pos, job->rsize))) {
		side->bytes += n;
		side->ops++;
		pos = pos + n + job->rsize > FILE_SIZE ? 0 : pos + n;
	}
	side_end(side);
}

static void splice_reader(int fd, const struct job *job, struct gate *gate,
			  struct side *side)
{
	int pipefd[2];

	if (pipe(pipefd))
		cell_fail("pipe: %m");
	splice_to_file(fd, pipefd, job, gate, side);
}

static void splice_pipe_reader(int fd, const struct job *job, struct gate *gate,
			       struct side *side)
{
	static const int none[2] = { -1, -1 };

	splice_to_file(fd, none, job, gate, side);
}

void work_splice(const struct job *job, const struct peer *peer)
{
	stream_cell(job, peer, stream_sender,
		    peer->bit == PEER_PIPE ? splice_pipe_reader : splice_reader);
}
