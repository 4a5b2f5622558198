/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that do not come until a test says so: whoever touches one hangs in it.
 */
#ifndef RILL_TEST_UFFD_H
#define RILL_TEST_UFFD_H

#include "rill_test.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* For the pages of a private mapping that nobody has touched: a descriptor or a
 * negative errno.
 */
static inline int rt_uffd(void *map, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
		.range = { .start = (unsigned long)map, .len = len },
	};
	int err, fd = SYS(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));

	if (fd < 0)
		return fd;
	err = SYS(ioctl(fd, UFFDIO_API, &api)) ?: SYS(ioctl(fd, UFFDIO_REGISTER, &reg));
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* Waits until somebody hangs in a page. */
static inline bool rt_uffd_hangs(int fd)
{
	struct uffd_msg m;

	return rt_poll(fd, POLLIN) & POLLIN && read(fd, &m, sizeof(m)) == sizeof(m) &&
	       m.event == UFFD_EVENT_PAGEFAULT;
}

/* Fills a page with 'u', and who hangs in it goes on. */
static inline int rt_uffd_fill(int fd, void *page, size_t size)
{
	char *src = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_copy c = {
		.dst = (unsigned long)page, .src = (unsigned long)src, .len = size,
	};
	int err;

	if (src == MAP_FAILED)
		return -errno;
	memset(src, 'u', size);
	err = SYS(ioctl(fd, UFFDIO_COPY, &c));
	munmap(src, size);
	return err;
}

#endif
