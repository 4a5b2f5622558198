// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listeners: the program's own stays what it is, and an AF_RILL listener, the
 * side, stands beside it under a high fd.  accept() takes from both.
 *
 * The program's listener is made non-blocking under its hands: two processes
 * that both see a connection must not leave the loser asleep in one of two
 * queues.  accept() sleeps in poll() over both instead, and fcntl() tells the
 * program what it set (pair->nonblock).  Across exec() that is kept as the
 * side's SO_PRIORITY, which has no meaning otherwise.
 *
 * Processes that share a socket and each call listen() have one side: the first has
 * the name.  The others take a side whose name nobody looks for, since they must
 * sleep in both likewise, and cannot tell whose O_NONBLOCK it is.
 *
 * The side's permission is never wider than the placeholder's, nor than that of the
 * directories above it: it gets the mode at listen() and chmod(), and accept() looks
 * whether any of them changed since.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "preload.h"

#define MAX_FDS	256	/* sockets that exec() left open, to look at */
#define AT_ONCE	64	/* more accept()s of other threads than may be under way */
#define DEPTH	64	/* directories above a file, to look at */

int run_side_socket(int type, bool cloexec)
{
	int x = real.socket(run.family, type | SOCK_NONBLOCK | (cloexec ? SOCK_CLOEXEC : 0), 0);

	if (x < 0)
		return -1;
	if (run.rcvbuf)
		real.setsockopt(x, SOL_SOCKET, SO_RCVBUF, &run.rcvbuf, sizeof(int));
	if (run.sndbuf)
		real.setsockopt(x, SOL_SOCKET, SO_SNDBUF, &run.sndbuf, sizeof(int));
	return x;
}

static bool path_of(const struct run_pair *p, char *path)
{
	const struct sockaddr_un *un = (const void *)&p->addr;
	size_t n = p->addr_len - offsetof(struct sockaddr_un, sun_path);

	if (p->domain != AF_UNIX || p->addr_len <= offsetof(struct sockaddr_un, sun_path) ||
	    !un->sun_path[0])
		return false;
	/* One that fills it has a length of one more, for the end that is not there. */
	if (n > sizeof(un->sun_path))
		n = sizeof(un->sun_path);
	memcpy(path, un->sun_path, n);
	path[n] = '\0';
	return true;
}

/* With one, the bits for group and others do not say whom a file lets in. */
static bool has_acl(const char *path)
{
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

/*
 * Whom the directories above a file let through to it, as bits of its mode.  One that
 * does not let everybody is to have the file's owner, or its group: who else is in
 * which group cannot be told.
 */
static int dirs_mode(const char *path, const struct stat *file)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path) + 3 * DEPTH + 2];
	const char *slash = strrchr(path, '/');
	size_t n = slash ? slash + 1 - path : 0;
	int mode = 0777;
	struct stat st, root;

	/* A link to it is in another directory. */
	if (lstat(path, &st) || S_ISLNK(st.st_mode) || stat("/", &root))
		return 0;
	memcpy(dir, path, n);
	strcpy(dir + n, ".");
	for (int i = 0; i < DEPTH && !stat(dir, &st); i++) {
		bool acl = has_acl(dir);

		if (acl || (st.st_mode & 011) != 011) {
			mode &= ~07;
			if (acl || !(st.st_mode & 010) || st.st_gid != file->st_gid)
				mode &= ~070;
			/* Who runs the server gains nothing. */
			if (st.st_uid != file->st_uid && file->st_uid != geteuid())
				mode &= ~0700;
		}
		if (st.st_dev == root.st_dev && st.st_ino == root.st_ino)
			return mode;
		strcat(dir, "/..");
	}
	return 0;
}

/* The mode that the file and the directories above it give the side. */
static int path_mode(const char *path, const struct stat *file)
{
	int mode = file->st_mode & 0777, err = errno;

	/* Mostly, nobody may write but who runs the server. */
	if (!(mode & 022) && file->st_uid == geteuid())
		return mode;
	if (has_acl(path))
		mode &= ~077;
	mode &= dirs_mode(path, file);
	errno = err;
	return mode;
}

/* Make the side as open as the placeholder is, and remember that. */
void run_pair_file(struct run_pair *p)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct rill_owner owner;
	struct rill_queue queue;
	socklen_t len = sizeof(queue);
	int mode, side = atomic_load(&p->side);
	struct stat st;

	if (!path_of(p, path) || stat(path, &st) || st.st_dev != p->path_dev ||
	    st.st_ino != p->path_ino)
		return;
	mode = path_mode(path, &st);
	/* Not its ctime: two changes within a tick have the same. */
	if (p->path_st_mode == st.st_mode && p->path_uid == st.st_uid &&
	    p->path_gid == st.st_gid && p->path_open == (uint32_t)mode)
		return;
	p->path_open = mode;
	owner.ro_uid = st.st_uid;
	owner.ro_gid = st.st_gid;
	/* Another owner than the name can have: what everybody may, no more. */
	if (real.setsockopt(side, SOL_RILL, RILL_OWNER, &owner, sizeof(owner)))
		mode &= (mode >> 3) & (mode >> 6) & 07;
	real.setsockopt(side, SOL_RILL, RILL_MODE, &mode, sizeof(mode));
	/* Who is in the queue got there by the old mode, maybe after the change. */
	if (p->path_st_mode && p->listens &&
	    !real.getsockopt(side, SOL_RILL, RILL_QUEUE, &queue, &len))
		atomic_store(&p->suspects, queue.rq_len + queue.rq_waiting + AT_ONCE);
	p->path_uid = st.st_uid;
	p->path_gid = st.st_gid;
	p->path_mode = mode;
	p->path_st_mode = st.st_mode;
}

/* It may be another file by now, or the path be relative. */
static bool is_placeholder(int fd, const char *path, struct stat *st)
{
	const struct run_slot *slot = run_slot(fd, false);

	return !stat(path, st) && S_ISSOCK(st->st_mode) &&
	       (!slot || !slot->path_ino ||
		(slot->path_ino == st->st_ino && slot->path_dev == st->st_dev));
}

/* The names that the side may have, the best first. */
static int side_names(int fd, struct run_pair *p, char (*names)[RILL_NAME_SIZE])
{
	const struct sockaddr *addr = (const struct sockaddr *)&p->addr;
	const char *kind = p->domain == AF_UNIX ? "unix" :
			   p->type == SOCK_DGRAM ? "udp" : "tcp";
	int n, reuse = 0, only = 0;
	socklen_t len = sizeof(reuse);
	struct stat st;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];

	n = run_rule_find(kind, addr, p->addr_len, names[0]);
	if (n < 0)
		return 0;
	if (n) {
		/* Whatever the name, the file says who may. */
		if (path_of(p, path) && is_placeholder(fd, path, &st)) {
			p->path_dev = st.st_dev;
			p->path_ino = st.st_ino;
		}
		return 1;
	}
	if (p->domain != AF_UNIX) {
		struct sockaddr_storage to;
		const struct sockaddr_in *in = (const void *)addr;
		const struct sockaddr_in6 *in6 = (const void *)addr;
		bool any = p->domain == AF_INET ? in->sin_addr.s_addr == htonl(INADDR_ANY) :
			   IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);

		if (!any && !run_addr_loopback(addr, &to))
			return 0;
		if (fstat(fd, &st))
			return 0;
		real.getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reuse, &len);
		if (any && p->domain == AF_INET6)
			real.getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len);
		n = 0;
		/* Who cannot ask the kernel must not find one that is not for him. */
		if (!reuse && !only)
			run_name_inet(names[n++], geteuid(), kind, addr, 0);
		run_name_inet(names[n++], geteuid(), kind, addr, st.st_ino);
		return n;
	}
	if (path_of(p, path)) {
		if (!is_placeholder(fd, path, &st))
			return 0;
		p->path_dev = st.st_dev;
		p->path_ino = st.st_ino;
		run_name_path(names[0], geteuid(), st.st_dev, st.st_ino);
		return 1;
	}
	if (p->addr_len <= offsetof(struct sockaddr_un, sun_path))
		return 0;
	run_name_abstract(names[0], geteuid(), addr, p->addr_len);
	return 1;
}

static int bind_side(int fd, int side, struct run_pair *p)
{
	char names[2][RILL_NAME_SIZE];
	struct sockaddr_rill addr;
	int n, mode = 0666;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];

	/* A sender of datagrams without an address of its own. */
	if (p->type == SOCK_DGRAM && p->domain == AF_UNIX && p->addr_len <= sizeof(sa_family_t))
		return 0;
	n = side_names(fd, p, names);
	if (!n)
		return -1;
	if (path_of(p, path))
		mode = 0;	/* nobody, until run_pair_file() */
	real.setsockopt(side, SOL_RILL, RILL_MODE, &mode, sizeof(mode));
	for (int i = 0; i < n; i++)
		if (!real.bind(side, (struct sockaddr *)&addr, run_rill_addr(&addr, names[i]))) {
			strcpy(p->name, names[i]);
			run_known_add(p->name, (struct sockaddr *)&p->addr, p->addr_len);
			return 0;
		}
	/* The own socket is another process's, too, or another thread's. */
	if (!p->listens || errno != EADDRINUSE)
		return -1;
	n = snprintf(p->name, sizeof(p->name), "%s~%d.%d", names[n - 1], getpid(), fd);
	mode = 0;
	real.setsockopt(side, SOL_RILL, RILL_MODE, &mode, sizeof(mode));
	if (n >= (int)sizeof(p->name) ||
	    real.bind(side, (struct sockaddr *)&addr, run_rill_addr(&addr, p->name)))
		return -1;
	return 1;
}

/* Fill in a new pair of fd and side, but for its name. */
static bool pair_fill(int fd, struct run_pair *p)
{
	socklen_t len = sizeof(p->domain);

	p->addr_len = sizeof(p->addr);
	memset(&p->addr, 0, sizeof(p->addr));
	p->path_dev = 0;
	p->path_ino = 0;
	p->path_st_mode = 0;
	atomic_store(&p->suspects, 0);
	atomic_store(&p->connected, false);
	return !real.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &p->domain, &len) &&
	       !real.getsockopt(fd, SOL_SOCKET, SO_TYPE, &p->type, &len) &&
	       !real.getsockname(fd, (struct sockaddr *)&p->addr, &p->addr_len);
}

static void pair_begin(int fd, struct run_pair *p)
{
	struct run_slot *slot = run_slot(fd, true);
	int flags = real.fcntl(fd, F_GETFL);

	atomic_store(&p->nonblock, slot->block == RUN_BLOCK_UNKNOWN ? flags & O_NONBLOCK :
		     slot->block == RUN_BLOCK_NO);
	if (p->listens && !atomic_load(&p->nonblock)) {
		int one = 1;

		real.setsockopt(atomic_load(&p->side), SOL_SOCKET, SO_PRIORITY, &one, sizeof(one));
		real.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	}
	atomic_fetch_add(&run_pairs_used, 1);
	atomic_store(&slot->kind, RUN_PAIR);
	run_regs_carry(fd, atomic_load(&p->side));
	run_pair_aliases(fd);
}

static int double_fd(int fd, struct run_slot *slot, int backlog)
{
	bool set = slot->options || atomic_load(&slot->kind) != RUN_FRESH;
	struct run_pair *p, probe;
	int ret, side, cloexec = real.fcntl(fd, F_GETFD) & FD_CLOEXEC;

	if (run_pair_of(fd))
		return 0;	/* another thread was faster */
	if (slot->regs_lost || !pair_fill(fd, &probe))
		return -1;
	if (probe.type != SOCK_STREAM && probe.type != SOCK_SEQPACKET && probe.type != SOCK_DGRAM)
		return -1;
	if (set && run_option_zerocopy(fd))
		return -1;
	side = run_side_socket(probe.type, cloexec);
	if (side < 0)
		return -1;
	if (set)
		run_options_copy(fd, side, probe.domain == AF_UNIX);
	side = run_side_move(side);
	p = run_pair_new(fd, side);
	if (!p) {
		run_close(side);
		return -1;
	}
	pair_fill(fd, p);
	p->listens = backlog >= 0;
	ret = bind_side(fd, side, p);
	if (ret < 0 || (p->listens && real.listen(side, backlog))) {
		run_slot(side, true)->kind = RUN_NONE;
		atomic_store(&p->refs, 0);
		run_close(side);
		return -1;
	}
	run_pair_file(p);
	pair_begin(fd, p);
	return ret;
}

/**
 * run_listen_side() - double a socket
 * @fd: the program's own, bound
 * @backlog: of listen(); -1 for datagrams
 *
 * One thread does it; the others do not wait, and use the program's own meanwhile.
 *
 * Return: 0, 1 if another process has the name, or -1 if it stays alone.
 */
int run_listen_side(int fd, int backlog)
{
	struct run_slot *slot = run_slot(fd, true);
	int ret;

	if (!slot || atomic_exchange(&slot->busy, true))
		return -1;
	ret = double_fd(fd, slot, backlog);
	atomic_store(&slot->busy, false);
	return ret;
}

EXPORT int listen(int fd, int backlog)
{
	struct run_pair *p;
	int ret, err = errno, domain = 0;
	socklen_t len = sizeof(domain);

	RUN_ENTER();
	ret = real.listen(fd, backlog);
	if (ret || !run.family)
		return ret;
	p = run_pair_of(fd);
	if (p) {
		real.listen(atomic_load(&p->side), backlog);
		return 0;
	}
	if (real.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len))
		return 0;
	if ((domain == AF_UNIX && run.unix_on) ||
	    ((domain == AF_INET || domain == AF_INET6) && run.tcp_on)) {
		/* As the kernel reads it. */
		if (backlog < 0)
			backlog = INT32_MAX;
		run_count(run_listen_side(fd, backlog) ? RUN_LISTEN_OWN : RUN_LISTEN_RILL);
	}
	errno = err;
	return 0;
}

/* Let nobody in whom the file would not let in now. */
static bool client_may(struct run_pair *p, int fd)
{
	uint32_t st_mode = p->path_st_mode, uid = p->path_uid, gid = p->path_gid;
	uint32_t open = p->path_open;
	struct ucred cred;
	gid_t groups[64];
	socklen_t len = sizeof(cred), size = sizeof(groups);
	unsigned int mode, suspects;

	if (!p->path_ino)
		return true;
	run_pair_file(p);
	if (p->path_st_mode == st_mode && p->path_uid == uid && p->path_gid == gid &&
	    p->path_open == open) {
		suspects = atomic_load(&p->suspects);
		if (!suspects)
			return true;	/* the kernel has checked it, with what is so now */
		atomic_compare_exchange_strong(&p->suspects, &suspects, suspects - 1);
	}
	if (real.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return false;
	mode = p->path_mode;
	if (cred.uid == 0)
		return true;
	if (cred.uid == p->path_uid)
		return mode & 0200;
	if (cred.gid == p->path_gid)
		return mode & 0020;
	if (!real.getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		for (size_t i = 0; i < size / sizeof(gid_t); i++)
			if (groups[i] == p->path_gid)
				return mode & 0020;
	return mode & 0002;
}

static void tell_peer(int n, struct run_pair *p, struct sockaddr *addr, socklen_t *len)
{
	struct run_identity id;
	struct run_addr none = { .ss.ss_family = p->domain, .len = sizeof(sa_family_t) };

	if (!addr || !len)
		return;
	run_addr_out(run_identify(n, &id) ? &id.peer : &none, addr, len);
}

static int take_side(int fd, struct run_pair *p, struct sockaddr *addr, socklen_t *len, int flags)
{
	for (;;) {
		int n = real.accept4(atomic_load(&p->side), NULL, NULL, flags);

		if (n < 0)
			return n;
		if (!client_may(p, n)) {
			run_close(n);
			continue;
		}
		run_slot_forget(n);
		run_options_inherit(fd, n);
		tell_peer(n, p, addr, len);
		run_count(RUN_ACCEPT_RILL);
		return n;
	}
}

static int take_own(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	int n = real.accept4(fd, addr, len, flags);

	if (n >= 0) {
		run_slot_forget(n);
		run_count(RUN_ACCEPT_OWN);
	}
	return n;
}

/* The program would listen on, but the process that passed the socket on ended it. */
static bool side_is_dead(struct run_pair *p)
{
	struct pollfd pfd = { .fd = atomic_load(&p->side), .events = POLLRDHUP };

	return real.poll(&pfd, 1, 0) == 1 && pfd.revents & POLLRDHUP;
}

/* What the program is to hear of; the next try would be in vain. */
static bool is_limit(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS;
}

int run_pair_accept(int fd, struct run_pair *p, struct sockaddr *addr, socklen_t *len, int flags)
{
	/* Mostly the side goes first, but nobody waits for ever. */
	bool own_first = atomic_fetch_add(&p->turn, 1) % 8 == 7;
	struct timespec limit, *timeout = NULL;
	struct timeval tv = { 0 };
	socklen_t size = sizeof(tv);

	for (;;) {
		struct pollfd pfds[2] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = atomic_load(&p->side), .events = POLLIN },
		};
		int n;

		/* Another thread may have passed it on meanwhile. */
		if (run_pair_of(fd) != p)
			return real.accept4(fd, addr, len, flags);
		for (int i = 0; i < 2; i++) {
			bool own = i ? !own_first : own_first;

			n = own ? take_own(fd, addr, len, flags) :
			    take_side(fd, p, addr, len, flags);
			if (n >= 0)
				return n;
			if (!own && errno == EINVAL && side_is_dead(p)) {
				run_pair_end(fd);
				return real.accept4(fd, addr, len, flags);
			}
			if (own ? errno != EAGAIN : is_limit(errno))
				return -1;
			if (!own && (errno == EBADF || errno == ENOTSOCK)) {
				run_pair_stop(p);
				return real.accept4(fd, addr, len, flags);
			}
		}
		if (atomic_load(&p->nonblock)) {
			errno = EAGAIN;
			return -1;
		}
		if (!timeout && !real.getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &size) &&
		    (tv.tv_sec || tv.tv_usec)) {
			limit.tv_sec = tv.tv_sec;
			limit.tv_nsec = tv.tv_usec * 1000;
			timeout = &limit;
		}
		n = real.ppoll(pfds, 2, timeout, NULL);
		if (n == 0) {
			errno = EAGAIN;
			return -1;
		}
		if (n < 0 && (errno != EINTR || timeout || !run_restart()))
			return -1;
	}
}

EXPORT int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *len, int flags)
{
	struct run_pair *p;
	int n;

	RUN_ENTER();
	p = run_pair_of(fd);
	if (p && p->listens)
		return run_pair_accept(fd, p, addr.__sockaddr__, len, flags);
	n = real.accept4(fd, addr.__sockaddr__, len, flags);
	if (n >= 0)
		run_slot_forget(n);
	return n;
}

EXPORT int accept(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	struct run_pair *p;
	int n;

	RUN_ENTER();
	p = run_pair_of(fd);
	if (p && p->listens)
		return run_pair_accept(fd, p, addr.__sockaddr__, len, 0);
	n = real.accept(fd, addr.__sockaddr__, len);
	if (n >= 0)
		run_slot_forget(n);
	return n;
}

EXPORT int bind(int fd, __CONST_SOCKADDR_ARG arg, socklen_t len)
{
	const struct sockaddr *addr = arg.__sockaddr__;
	int ret, type = 0, err = errno;
	socklen_t size = sizeof(type);
	struct run_slot *slot;

	RUN_ENTER();
	ret = real.bind(fd, addr, len);
	if (ret || !run.family || !addr || len < sizeof(sa_family_t))
		return ret;
	slot = run_slot(fd, false);
	if (!slot || atomic_load(&slot->kind) != RUN_FRESH)
		return 0;
	if (!slot->dupped)
		slot->block = real.fcntl(fd, F_GETFL) & O_NONBLOCK ? RUN_BLOCK_NO : RUN_BLOCK_YES;
	if (addr->sa_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path) &&
	    len <= sizeof(struct sockaddr_un) && ((const struct sockaddr_un *)addr)->sun_path[0]) {
		char path[sizeof(struct sockaddr_un)] = { 0 };
		struct stat st;

		memcpy(path, ((const struct sockaddr_un *)addr)->sun_path,
		       len - offsetof(struct sockaddr_un, sun_path));
		if (!stat(path, &st)) {
			slot->path_dev = st.st_dev;
			slot->path_ino = st.st_ino;
		}
	}
	if (!real.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_DGRAM)
		run_dgram_bound(fd);
	errno = err;
	return 0;
}

EXPORT int shutdown(int fd, int how)
{
	struct run_pair *p;

	RUN_ENTER();
	p = run_pair_of(fd);
	if (p)
		real.shutdown(atomic_load(&p->side), how);
	return real.shutdown(fd, how);
}

static void mode_changed(void)
{
	for (int i = 0; i < RUN_PAIRS; i++)
		if (atomic_load(&run_pairs[i].refs) && run_pairs[i].path_ino)
			run_pair_file(&run_pairs[i]);
}

EXPORT int chmod(const char *path, mode_t mode)
{
	int ret;

	RUN_ENTER();
	ret = real.chmod(path, mode);
	if (!ret && atomic_load(&run_pairs_used))
		mode_changed();
	return ret;
}

EXPORT int fchmodat(int dir, const char *path, mode_t mode, int flags)
{
	int ret;

	RUN_ENTER();
	ret = real.fchmodat(dir, path, mode, flags);
	if (!ret && atomic_load(&run_pairs_used))
		mode_changed();
	return ret;
}

/* A name past "user/UID", whatever uid it was bound with; or all of it. */
static const char *uidless(const char *name)
{
	const char *at = strncmp(name, "user/", 5) ? NULL : strchr(name + 5, '/');

	return at ? at : name;
}

/* The name of a side, as side_names() makes it, whichever of the processes it is of. */
static bool is_name_of(const char *side, const char *name)
{
	size_t n;

	side = uidless(side);
	name = uidless(name);
	n = strlen(name);
	return !strncmp(side, name, n) && (!side[n] || (side[n] == '~' &&
	       strspn(side + n + 1, "0123456789.") == strlen(side + n + 1)));
}

/* Names of --map are anybody's; these are of nobody but us. */
static bool is_side_name(const char *name)
{
	const char *at = uidless(name);

	return at != name && (!strncmp(at, "/unix/", 6) || !strncmp(at, "/tcp/", 5) ||
			      !strncmp(at, "/udp/", 5));
}

/*
 * After exec(): sides that were inherited find their sockets by their names.  False:
 * there is none.
 */
static bool recover_side(int side, const int *fds, int n)
{
	struct sockaddr_rill addr;
	socklen_t len = sizeof(addr);
	struct run_pair probe, *p;
	char names[2][RILL_NAME_SIZE];

	if (real.getsockname(side, (struct sockaddr *)&addr, &len))
		return true;
	for (int i = 0; i < n; i++) {
		int count, priority = 0;

		if (!pair_fill(fds[i], &probe) || probe.domain == run.family)
			continue;
		count = side_names(fds[i], &probe, names);
		for (int j = 0; j < count; j++) {
			if (!is_name_of(addr.srl_name, names[j]))
				continue;
			run_slot_fresh(fds[i]);
			p = run_pair_new(fds[i], side);
			if (!p)
				return false;
			pair_fill(fds[i], p);
			p->path_dev = probe.path_dev;
			p->path_ino = probe.path_ino;
			p->listens = probe.type != SOCK_DGRAM;
			strcpy(p->name, addr.srl_name);
			run_known_add(p->name, (struct sockaddr *)&p->addr, p->addr_len);
			run_pair_file(p);
			pair_begin(fds[i], p);
			len = sizeof(priority);
			if (!real.getsockopt(side, SOL_SOCKET, SO_PRIORITY, &priority, &len) &&
			    priority == 1)
				atomic_store(&p->nonblock, false);
			/* Another fd of the same socket? */
			for (int k = i + 1; k < n; k++) {
				struct stat x, y;

				if (!fstat(fds[i], &x) && !fstat(fds[k], &y) &&
				    x.st_ino == y.st_ino)
					run_pair_share(fds[i], fds[k]);
			}
			return true;
		}
	}
	return !is_side_name(addr.srl_name);
}

void run_pairs_recover(void)
{
	int sides[64], fds[MAX_FDS], n_sides = 0, n_fds = 0, value;
	struct dirent *entry;
	socklen_t len;
	struct stat st;
	DIR *dir = opendir("/proc/self/fd");

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == dirfd(dir) || fstat(fd, &st) ||
		    !S_ISSOCK(st.st_mode))
			continue;
		len = sizeof(value);
		if (run_is_rill(fd)) {
			int type = 0;

			real.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
			if (real.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) ||
			    (!value && type != SOCK_DGRAM))
				continue;
			if (n_sides < 64)
				sides[n_sides++] = fd;
		} else if (n_fds < MAX_FDS) {
			fds[n_fds++] = fd;
		}
	}
	closedir(dir);
	for (int i = 0; i < n_sides; i++)
		/* One whose socket was closed on the way would keep the name for nobody. */
		if (!recover_side(sides[i], fds, n_fds) && n_fds < MAX_FDS)
			run_close(sides[i]);
}
