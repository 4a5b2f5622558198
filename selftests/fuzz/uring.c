// SPDX-License-Identifier: GPL-2.0-only
/*
 * One request by io_uring, with a ring of its own: no library, and nothing kept.
 * A request that does not end at once is cancelled by the end of the ring, as a
 * program's that exits.
 */
#include "fuzz.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int			fd;
	size_t			size, sqe_size;
	struct io_uring_params	p;
	char			*at;
	struct io_uring_sqe	*sqe;
};

static int ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 2, &r->p);
	if (r->fd < 0)
		return -errno;
	r->size = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	if (r->size < r->p.sq_off.array + r->p.sq_entries * sizeof(uint32_t))
		r->size = r->p.sq_off.array + r->p.sq_entries * sizeof(uint32_t);
	r->sqe_size = r->p.sq_entries * sizeof(struct io_uring_sqe);
	r->at = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		     IORING_OFF_SQ_RING);
	r->sqe = mmap(NULL, r->sqe_size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		      IORING_OFF_SQES);
	if (r->at != MAP_FAILED && (void *)r->sqe != MAP_FAILED)
		return 0;
	close(r->fd);
	return -ENOMEM;
}

static void ring_close(struct ring *r)
{
	munmap(r->at, r->size);
	munmap(r->sqe, r->sqe_size);
	close(r->fd);
}

static void prepare(struct fz_env *env, const struct fz_call *c, struct io_uring_sqe *sqe,
		    struct sockaddr_storage *room)
{
	void *addr;
	socklen_t len;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = c->arg[0].v;
	sqe->fd = fz_fd(env, &c->arg[1]);
	switch (sqe->opcode) {
	case IORING_OP_ACCEPT:
		sqe->accept_flags = SOCK_CLOEXEC;
		break;
	case IORING_OP_CONNECT:
		len = fz_addr(env, &c->arg[4], &addr, room);
		sqe->addr = (uintptr_t)addr;
		sqe->off = len;
		break;
	case IORING_OP_POLL_ADD:
		sqe->poll32_events = c->arg[3].v & 0x3f;
		break;
	case IORING_OP_CLOSE:
		/* The slot keeps the number, which means nothing then. */
		break;
	case IORING_OP_SHUTDOWN:
		sqe->len = c->arg[3].v & 3;
		break;
	case IORING_OP_READ:
	case IORING_OP_WRITE:
	case IORING_OP_SEND:
	case IORING_OP_RECV:
		sqe->addr = (uintptr_t)fz_mem(&c->arg[2].it[0]);
		sqe->len = c->arg[2].it[0].a;
		if (sqe->opcode == IORING_OP_SEND || sqe->opcode == IORING_OP_RECV)
			sqe->msg_flags = c->arg[3].v;
		break;
	default:
		sqe->opcode = IORING_OP_NOP;
	}
}

long fz_uring(struct fz_env *env, const struct fz_call *c)
{
	struct sockaddr_storage room;
	struct io_uring_cqe *cqe;
	uint32_t *tail, *array;
	struct ring r;
	long ret;
	int err;

	err = ring_open(&r);
	if (err)
		return err;
	prepare(env, c, r.sqe, &room);
	tail = (uint32_t *)(r.at + r.p.sq_off.tail);
	array = (uint32_t *)(r.at + r.p.sq_off.array);
	array[0] = 0;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	ret = syscall(SYS_io_uring_enter, r.fd, 1, 0, 0, NULL, 0);
	if (ret < 0) {
		ret = -errno;
	} else if (__atomic_load_n((uint32_t *)(r.at + r.p.cq_off.tail), __ATOMIC_ACQUIRE)) {
		cqe = (struct io_uring_cqe *)(r.at + r.p.cq_off.cqes);
		ret = cqe->res;
	} else {
		ret = -EINPROGRESS;
	}
	ring_close(&r);
	return ret;
}
