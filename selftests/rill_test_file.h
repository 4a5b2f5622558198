/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of sendfile() and splice() share, on top of rill_test_data.h:
 * files whose every byte says where it belongs.
 *
 * Whether somebody still has a page of a file is told by F_SEAL_WRITE of a
 * memfd: with more references than its own it says EBUSY.
 */
#ifndef RILL_TEST_FILE_H
#define RILL_TEST_FILE_H

#include "rill_test_data.h"

#include <sys/mman.h>
#include <sys/sendfile.h>

#define RF_SEED		77
#define RF_MIB		1048576L

/* A file whose every byte says where it belongs: a descriptor, or an errno. */
static inline int rf_make(size_t len)
{
	int fd = memfd_create("splice", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *buf = malloc(len + 1);
	int err = fd < 0 ? -errno : 0;

	if (!err && !buf)
		err = -ENOMEM;
	if (!err) {
		rd_fill(buf, len, RF_SEED, 0);
		if (pwrite(fd, buf, len, 0) != (ssize_t)len)
			err = -EIO;
	}
	free(buf);
	if (err && fd >= 0)
		close(fd);
	return err ?: fd;
}

/* Is it what it was? */
static inline bool rf_intact(int file, size_t len)
{
	char *buf = malloc(len);
	bool ok;

	ok = buf && pread(file, buf, len, 0) == (ssize_t)len &&
	     rd_verify(buf, len, RF_SEED, 0) < 0;
	free(buf);
	return ok;
}

/* -EBUSY as long as somebody has a page of the file, then 0. */
static inline long rf_seal(int file)
{
	return SYS(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
}

/* The next len bytes of the stream are those of the file from pos on. */
static inline bool rf_recv(int fd, size_t len, size_t pos)
{
	char *in = malloc(len);
	bool ok;

	ok = in && !rt_recv_all(fd, in, len) &&
	     rd_verify(in, len, RF_SEED, pos) < 0;
	free(in);
	return ok;
}

static inline int rf_queued(int fd)
{
	int n = -1;

	ioctl(fd, FIONREAD, &n);
	return n;
}

/* Moves exactly len bytes: 0, -ENODATA at an early end, or a negative errno. */
static inline long rf_splice_all(int in, int out, long len)
{
	long n, done;

	for (done = 0; done < len; done += n) {
		n = SYS(splice(in, NULL, out, NULL, len - done, SPLICE_F_MOVE));
		if (n <= 0)
			return n ? n : -ENODATA;
	}
	return 0;
}

#endif /* RILL_TEST_FILE_H */
