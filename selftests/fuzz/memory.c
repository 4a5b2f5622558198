// SPDX-License-Identifier: GPL-2.0-only
/*
 * What calls point to: buffers, some of which fault, addresses, vectors and
 * control messages.
 *
 * The arena is shared by all threads of the working process; what is sent is
 * whatever stands there.
 */
#include "fuzz.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE	4096
#define HOLE_AT	(16 * PAGE)
#define HOLES	(64 * PAGE)

static char *arena, *readonly, *holes;

int fz_mem_init(void)
{
	/*
	 * Nothing stands behind any of them.  What is written to is there from the
	 * beginning: User-Mode Linux (7.2, SMP) dies of two threads for which the
	 * kernel writes to the same new page.
	 */
	arena = mmap(NULL, FZ_ARENA + PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	readonly = mmap(NULL, FZ_ARENA + PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	holes = mmap(NULL, HOLES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (arena == MAP_FAILED || readonly == MAP_FAILED || holes == MAP_FAILED)
		return -1;
	memset(arena, 'r', 65536);
	if (mprotect(arena + FZ_ARENA, PAGE, PROT_NONE) ||
	    mprotect(readonly + FZ_ARENA, PAGE, PROT_NONE) ||
	    munmap(holes + HOLE_AT, PAGE))
		return -1;
	return 0;
}

void *fz_mem(const struct fz_item *item)
{
	int64_t len = item->a;

	switch (item->kind) {
	case FZ_MEM_OK:
		return arena;
	case FZ_MEM_RO:
		return readonly;
	case FZ_MEM_HOLE:
		return holes + HOLE_AT - 100;
	case FZ_MEM_EDGE:
		if (len < 0 || len > FZ_ARENA)
			len = PAGE;
		return arena + FZ_ARENA - len;
	case FZ_MEM_NULL:
		return NULL;
	case FZ_MEM_BAD:
		return (void *)0x10;
	}
	return (void *)0xffff888000001000;
}

/* Writes the address; returns its natural length. */
static socklen_t address(int64_t which, struct sockaddr_rill *to, int family)
{
	static const char *const names[] = {
		[1] = "a", [2] = "b", [3] = "c", [4] = "fuzz/a longer name", [5] = "",
		[8] = "con\ttrol", [9] = "del\x7f", [11] = "sys/a", [12] = "user/0/a",
		[13] = "user/1000/a", [14] = "user/0/", [15] = "auto/1", [16] = "a",
		[17] = "a", [18] = "", [20] = "a",
	};
	size_t len;

	memset(to, 0, sizeof(*to));
	to->srl_family = family;
	switch (which) {
	case 6:
	case 7:
		len = which == 6 ? RILL_NAME_MAX : RILL_NAME_SIZE;
		memset(to->srl_name, 'l', len);
		return RILL_ADDR_MIN + len;
	case 10:
		memcpy(to->srl_name, "a\0\x01\x7f", 4);
		return RILL_ADDR_MIN + 4;
	case 16:
		to->srl_family = AF_UNIX;
		break;
	case 17:
		to->srl_flags = 1;
		break;
	case 18:
		to->srl_family = AF_UNSPEC;
		return sizeof(sa_family_t);
	}
	len = strlen(names[which]);
	memcpy(to->srl_name, names[which], len);
	return RILL_ADDR_MIN + len;
}

/* Gives the length to pass, and the pointer. */
socklen_t fz_addr(struct fz_env *env, const struct fz_arg *arg, void **addr,
		  struct sockaddr_storage *room)
{
	socklen_t len = sizeof(*room);
	int fd;

	*addr = room;
	if (arg->v == 0) {
		*addr = NULL;
		len = 0;
	} else if (arg->v == 19) {
		*addr = (void *)0x10;
		len = 16;
	} else if (arg->v >= FZ_ADDR_OF) {
		fd = arg->v - FZ_ADDR_OF < FZ_SLOTS ? env->slot[arg->v - FZ_ADDR_OF] : -1;
		if (getsockname(fd, (struct sockaddr *)room, &len))
			len = 0;
	} else {
		len = address(arg->v, (struct sockaddr_rill *)room, fz_family);
	}
	return arg->it[0].a == FZ_LEN_NATURAL ? len : (socklen_t)arg->it[0].a;
}

unsigned int fz_iov(const struct fz_arg *arg, struct iovec *iov)
{
	unsigned int i;

	for (i = 0; i < arg->n; i++) {
		iov[i].iov_base = fz_mem(&arg->it[i]);
		iov[i].iov_len = arg->it[i].a;
	}
	return i;
}

/* room: where the messages are put; msg is told. */
void fz_ctl(struct fz_env *env, const struct fz_arg *arg, void *room, size_t size,
	    struct msghdr *msg)
{
	struct cmsghdr *cmsg = room;
	size_t used = 0, data;
	unsigned int i;

	memset(room, 0, size);
	for (i = 0; i < arg->n; i++) {
		const struct fz_item *it = &arg->it[i];
		struct ucred cred;
		int fds[2];

		cmsg->cmsg_level = SOL_SOCKET;
		data = 0;
		switch (it->kind) {
		case FZ_CTL_CRED:
			cred.pid = it->a ?: getpid();
			cred.uid = it->b;
			cred.gid = it->c;
			data = sizeof(cred);
			cmsg->cmsg_type = SCM_CREDENTIALS;
			memcpy(CMSG_DATA(cmsg), &cred, data);
			break;
		case FZ_CTL_RIGHTS:
			fds[0] = it->a >= 0 && it->a < FZ_SLOTS ? env->slot[it->a] : -1;
			fds[1] = it->b >= 0 && it->b < FZ_SLOTS ? env->slot[it->b] : -1;
			data = it->b == -2 ? sizeof(int) : sizeof(fds);
			cmsg->cmsg_type = SCM_RIGHTS;
			memcpy(CMSG_DATA(cmsg), fds, data);
			break;
		case FZ_CTL_RAW:
			cmsg->cmsg_level = it->a;
			cmsg->cmsg_type = it->b;
			data = it->c > 0 && it->c <= 64 ? it->c : 0;
			break;
		}
		cmsg->cmsg_len = CMSG_LEN(data);
		if (it->kind == FZ_CTL_SHORT)
			cmsg->cmsg_len = it->a;
		else if (it->kind == FZ_CTL_LONG)
			cmsg->cmsg_len = 4096 + it->a;
		used += CMSG_SPACE(data);
		cmsg = (struct cmsghdr *)((char *)room + used);
	}
	msg->msg_control = used ? room : NULL;
	msg->msg_controllen = used;
}
