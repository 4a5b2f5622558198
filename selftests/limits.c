// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits: a memory cgroup that is full, RLIMIT_NOFILE, a full waiting line, and a
 * reader that never reads.  Each ends in a clear errno or a short count, takes no
 * more memory than it may, and is over when there is room again.
 *
 * Prints what was reached.
 */
#include "rill_test_fds.h"

#include <sys/mount.h>
#include <sys/sendfile.h>

#define MIB		0x100000
#define LARGE		(24 * MIB)	/* buffers that hold far more than the cgroup */
#define ROOM		(6 * MIB)	/* for the cgroup, beside what it has */
#define CGROUP		"/sys/fs/cgroup"

#define MEM_RMEM	0		/* SK_MEMINFO_RMEM_ALLOC */

static char buf[MIB];

static long meminfo(int fd, int which)
{
	__u32 m[9] = { 0 };
	socklen_t len = sizeof(m);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, m, &len) ? -errno : (long)m[which];
}

/* ---- a memory cgroup --------------------------------------------------- */

FIXTURE(cgroup)
{
	char path[128];
};

FIXTURE_VARIANT(cgroup)
{
	int type;
	size_t size;		/* of a send */
};

FIXTURE_VARIANT_ADD(cgroup, stream)
{
	.type = SOCK_STREAM, .size = MIB,
};

FIXTURE_VARIANT_ADD(cgroup, stream_small)
{
	.type = SOCK_STREAM, .size = 3000,
};

FIXTURE_VARIANT_ADD(cgroup, seqpacket)
{
	.type = SOCK_SEQPACKET, .size = 100000,
};

FIXTURE_VARIANT_ADD(cgroup, dgram)
{
	.type = SOCK_DGRAM, .size = 3000,
};

static int cg_write(const char *dir, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return rt_write_file(path, text);
}

/* A number that stands alone, or behind a word. */
static long long cg_read(const char *dir, const char *file, const char *word)
{
	char path[256], text[4096], *p;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (rt_read_file(path, text, sizeof(text)) <= 0)
		return -1;
	if (!word)
		return atoll(text);
	for (p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!strncmp(p, word, strlen(word)) && p[strlen(word)] == ' ')
			return atoll(p + strlen(word));
	return -1;
}

FIXTURE_SETUP(cgroup)
{
	char text[256] = "";

	if (access(CGROUP "/cgroup.controllers", R_OK))
		mount("cgroup2", CGROUP, "cgroup2", 0, NULL);
	rt_read_file(CGROUP "/cgroup.controllers", text, sizeof(text));
	ASSERT_NE(NULL, strstr(text, "memory")) {
		TH_LOG("this kernel has no memory controller at " CGROUP);
	}
	ASSERT_EQ(0, cg_write(CGROUP, "cgroup.subtree_control", "+memory"));
	snprintf(self->path, sizeof(self->path), CGROUP "/rill-limits-%d",
		 getpid());
	ASSERT_EQ(0, SYS(mkdir(self->path, 0755)));
}

FIXTURE_TEARDOWN(cgroup)
{
	if (*self->path)
		EXPECT_TRUE(RT_UNTIL(!SYS(rmdir(self->path))));
}

static int enlarge(const int fd[2])
{
	for (int i = 0; i < 2; i++) {
		int err = rt_set_int(fd[i], SOL_SOCKET, SO_SNDBUFFORCE, LARGE);

		err = err ?: rt_set_int(fd[i], SOL_SOCKET, SO_RCVBUFFORCE, LARGE);
		if (err)
			return err;
	}
	return 0;
}

/* Sends until it is told why not; what was sent in all is in *total. */
static long send_until(int fd, size_t size, int flags, long *total)
{
	bool cut = false;
	long n;

	for (*total = 0; *total < LARGE; *total += n) {
		n = SYS(send(fd, buf, size, flags | MSG_NOSIGNAL));
		if (n < 0)
			return n;
		/* After a short count the next says why, or goes on. */
		CHECK(n > 0);
		cut |= n < (long)size;
	}
	return cut ? -EDOM : 0;
}

/* Without memory of its own: there is none to be had, and a page is worth a kill. */
static long drain(int fd)
{
	long total = 0, n;

	while ((n = SYS(recv(fd, buf, sizeof(buf), MSG_DONTWAIT))) > 0)
		total += n;
	return n == -EAGAIN ? total : n;
}

/* Joins it, as a process whose own memory is there already; its bound comes later. */
static void join_cgroup(const char *path)
{
	char deep[65536];

	/* What the stack may need, for no page of it can be had then. */
	memset(deep, 1, sizeof(deep));
	memset(buf, *deep, sizeof(buf));
	CHECK_EQ(0, cg_write(path, "cgroup.procs", "0"));
	CHECK_EQ(0, SYS(mlockall(MCL_CURRENT)));
}

/* A bound, when all that is no data is there. */
static void bound_cgroup(const char *path)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld",
		 cg_read(path, "memory.current", NULL) + ROOM);
	CHECK_EQ(0, cg_write(path, "memory.max", text));
}

/*
 * One send that is larger than the room that there is: the limit is reached in its
 * middle, and it must say how much of it went before.
 */
static void cut_at_limit(const int fd[2], int flags)
{
	struct iovec iov[8];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };
	long n;

	for (size_t i = 0; i < ARRAY_SIZE(iov); i++)
		iov[i] = (struct iovec){ buf, sizeof(buf) };
	n = SYS(sendmsg(fd[0], &msg, flags | MSG_NOSIGNAL));
	CHECK(n > ROOM / 4);
	CHECK(n < (long)(ARRAY_SIZE(iov) * sizeof(buf)));
	CHECK_EQ(-ENOMEM, SYS(sendmsg(fd[0], &msg, flags | MSG_NOSIGNAL)));
	CHECK_EQ(n, drain(fd[1]));
	rd_say("of one send of %zu bytes the first %ld went", ARRAY_SIZE(iov) * sizeof(buf),
	       n);
}

static void fill_cgroup(const char *path, int type, size_t size)
{
	long total, again, ret;
	int fd[2], i;

	CHECK_EQ(0, rt_pair(RT_RILL, type, fd));
	CHECK_EQ(0, enlarge(fd));
	CHECK_EQ(0, rt_send_all(fd[0], buf, 10));
	CHECK_EQ(10, SYS(recv(fd[1], buf, 10, 0)));
	join_cgroup(path);
	bound_cgroup(path);

	for (i = 0; i < 3; i++) {
		/* One that may wait must not wait for what no reader gives. */
		ret = send_until(fd[0], size, i == 1 ? 0 : MSG_DONTWAIT, &total);
		/* errno: send ENOMEM */
		CHECK_EQ(-ENOMEM, ret);
		CHECK(total > ROOM / 4);
		CHECK(total <= 2 * ROOM);
		ret = send_until(fd[0], size, MSG_DONTWAIT, &again);
		CHECK_EQ(-ENOMEM, ret);
		CHECK(again < MIB);
		total += again;
		/* What was sent comes, and then there is room again. */
		CHECK_EQ(total, drain(fd[1]));
		rd_say("%ld bytes were in flight, and then ENOMEM", total);
	}
	/* A message goes whole or not at all. */
	for (i = 0; type == SOCK_STREAM && i < 2; i++)
		cut_at_limit(fd, i ? 0 : MSG_DONTWAIT);
	CHECK_EQ(0, rt_send_all(fd[0], buf, size));
	CHECK_EQ(size, drain(fd[1]));
	_exit(0);
}

static void end_child(struct __test_metadata *_metadata, pid_t pid)
{
	int status = rt_wait_child(pid);

	EXPECT_EQ(0, status);
	if (status == -ETIMEDOUT) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

TEST_F(cgroup, at_its_limit)
{
	pid_t pid = rt_fork();

	ASSERT_LE(0, pid);
	if (!pid)
		fill_cgroup(self->path, variant->type, variant->size);
	end_child(_metadata, pid);
	EXPECT_LT(0, cg_read(self->path, "memory.events", "max"));
	EXPECT_EQ(0, cg_read(self->path, "memory.events", "oom_kill"));
}

/*
 * Other calls.  Each is made again and again in a cgroup without room, until it is
 * refused, which says when; and all that was not refused is there, whole, when
 * there is room again.
 */
#define EACH		64	/* of a call: for so many there is no room */
#define PIECE		4000

struct full {
	int		type;
	int		fd[2], to[2];	/* what takes all the room; and another pair */
	long		sent, came;	/* bytes in them */
	int		lfd, full, queue;	/* listeners: idle, full, with EACH ends */
	struct rt_addr	room, taken, waiting, name[EACH];
	int		sock[EACH], pair[EACH][2], bound[EACH], conn[EACH];
	int		line[EACH], client[EACH], end[EACH];
	int		file, in[2], out[2];	/* in: a pipe with data */
};

static long full_send(struct full *f, int i)
{
	(void)i;
	return SYS(send(f->to[0], buf, PIECE, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static long full_writev(struct full *f, int i)
{
	struct iovec iov[2] = { { buf, PIECE / 2 }, { buf, PIECE / 2 } };

	(void)i;
	return SYS(writev(f->to[0], iov, 2));
}

static long full_sendfile(struct full *f, int i)
{
	off_t off = 0;

	(void)i;
	return SYS(sendfile(f->to[0], f->file, &off, PIECE));
}

static long full_splice_in(struct full *f, int i)
{
	(void)i;
	return SYS(splice(f->in[0], NULL, f->to[0], NULL, 512, SPLICE_F_NONBLOCK));
}

/* An empty pipe has places for them. */
static long full_splice_out(struct full *f, int i)
{
	return i < 9 ? SYS(splice(f->fd[1], NULL, f->out[1], NULL, PIECE,
				  SPLICE_F_NONBLOCK)) : -EXFULL;
}

static long full_rights(struct full *f, int i)
{
	(void)i;
	return rr_send(f->to[0], buf, 1, MSG_DONTWAIT, &f->file, 1);
}

static long full_socket(struct full *f, int i)
{
	return f->sock[i] = rt_socket(RT_RILL, f->type);
}

static long full_socketpair(struct full *f, int i)
{
	return SYS(socketpair(rt_rill_family(), f->type, 0, f->pair[i]));
}

static long full_bind(struct full *f, int i)
{
	return rt_bind(f->bound[i], &f->name[i]);
}

static long full_connect(struct full *f, int i)
{
	return rt_connect(f->conn[i], &f->room);
}

static long full_join(struct full *f, int i)
{
	return rt_connect(f->line[i], &f->taken);
}

static long full_accept(struct full *f, int i)
{
	return f->end[i] = SYS(accept(f->queue, NULL, NULL));
}

enum { STREAM = 1, SEQPACKET = 2, DGRAM = 4, CONNECTED = 3, MESSAGES = 6, ALL = 7 };

struct full_call {
	const char	*what;
	long		(*call)(struct full *f, int i);
	int		types, refused;	/* whose; of which it must be refused */
	int		errs[2];
	int		made;
	long		err;
};

/* All their memory is that of data: nobody is to be killed for it. */
static struct full_call of_data[] = {
	{ .what = "send()", .call = full_send,
	  .types = ALL, .refused = ALL, .errs = { ENOMEM } },
	{ .what = "writev()", .call = full_writev,
	  .types = ALL, .refused = ALL, .errs = { ENOMEM } },
	/* A stream takes the pages as they are, and needs little beside. */
	{ .what = "sendfile()", .call = full_sendfile,
	  .types = ALL, .refused = MESSAGES, .errs = { ENOMEM } },
	{ .what = "splice() to a socket", .call = full_splice_in,
	  .types = ALL, .refused = MESSAGES, .errs = { ENOMEM } },
	/* By reference, and what it takes makes room. */
	{ .what = "splice() from a socket", .call = full_splice_out,
	  .types = ALL, .refused = 0, .errs = { ENOMEM } },
};

/* ENFILE is what the kernel says of a socket whose inode it has no memory for. */
static struct full_call of_others[] = {
	{ .what = "sendmsg() with a file", .call = full_rights,
	  .types = ALL, .refused = ALL, .errs = { ENOMEM, ENOBUFS } },
	{ .what = "socket()", .call = full_socket,
	  .types = ALL, .refused = ALL, .errs = { ENOMEM, ENFILE } },
	{ .what = "socketpair()", .call = full_socketpair,
	  .types = ALL, .refused = ALL, .errs = { ENOMEM, ENFILE } },
	{ .what = "bind()", .call = full_bind,
	  .types = ALL, .refused = ALL, .errs = { ENOMEM } },
	{ .what = "connect()", .call = full_connect,
	  .types = ALL, .refused = CONNECTED, .errs = { ENOMEM } },
	{ .what = "connect() in line", .call = full_join,
	  .types = CONNECTED, .refused = CONNECTED, .errs = { ENOMEM } },
	{ .what = "accept()", .call = full_accept,
	  .types = CONNECTED, .refused = CONNECTED, .errs = { ENOMEM, ENFILE } },
};

static int full_type(const struct full *f)
{
	return f->type == SOCK_STREAM ? STREAM :
	       f->type == SOCK_SEQPACKET ? SEQPACKET : DGRAM;
}

/* Out of the cgroup, as all that is to be there before. */
static void full_make(struct full *f)
{
	bool dgram = f->type == SOCK_DGRAM;
	cpu_set_t cpu;
	int i;

	/* Each CPU may have some room of its own. */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	CHECK_EQ(0, SYS(sched_setaffinity(0, sizeof(cpu), &cpu)));
	CHECK_EQ(0, rt_pair(RT_RILL, f->type, f->fd));
	CHECK_EQ(0, rt_pair(RT_RILL, f->type, f->to));
	CHECK_EQ(0, enlarge(f->fd));
	CHECK_EQ(0, enlarge(f->to));
	f->file = memfd_create("limits", MFD_CLOEXEC);
	CHECK_EQ(PIECE, write(f->file, buf, PIECE));
	CHECK_EQ(0, SYS(pipe(f->in)));
	CHECK_EQ(0, SYS(pipe(f->out)));
	CHECK_EQ(0x8000, write(f->in[1], buf, 0x8000));
	/* It leaves this task the pipe that is in its middle. */
	CHECK_EQ(PIECE, full_sendfile(f, 0));
	CHECK_EQ(PIECE, drain(f->to[1]));

	f->lfd = dgram ? rt_bound(RT_RILL, f->type, &f->room) :
			 rt_listener(RT_RILL, f->type, EACH, &f->room);
	CHECK(f->lfd >= 0);
	for (i = 0; i < EACH; i++) {
		f->name[i] = rt_new_addr(RT_RILL);
		f->bound[i] = rt_socket(RT_RILL, f->type);
		f->conn[i] = rt_socket(RT_RILL, f->type);
		CHECK(f->bound[i] >= 0);
		CHECK(f->conn[i] >= 0);
	}
	if (dgram)
		return;
	f->full = rt_listener(RT_RILL, f->type, 0, &f->taken);
	CHECK(f->full >= 0);
	CHECK(rt_client(RT_RILL, f->type, &f->taken) >= 0);
	f->queue = rt_listener(RT_RILL, f->type, EACH, &f->waiting);
	for (i = 0; i < EACH; i++) {
		char c = i;

		f->line[i] = rt_socket(RT_RILL, f->type | SOCK_NONBLOCK);
		f->client[i] = rt_client(RT_RILL, f->type, &f->waiting);
		CHECK(f->line[i] >= 0);
		CHECK_EQ(1, SYS(send(f->client[i], &c, 1, 0)));
	}
}

/* The last byte of the room, too. */
static void full_top(struct full *f)
{
	long n;

	CHECK_EQ(-ENOMEM, send_until(f->fd[0], PIECE, MSG_DONTWAIT, &n));
	f->sent += n;
	CHECK_EQ(-ENOMEM, send_until(f->fd[0], 1, MSG_DONTWAIT, &n));
	f->sent += n;
}

static void full_count(struct full *f, const struct full_call *c, long n)
{
	if (c->call == full_splice_out)
		f->sent -= n;
	else if (c < of_data + ARRAY_SIZE(of_data) && c >= of_data)
		f->came += n;
	else if (c->call == full_rights)
		f->came += n;
}

static bool full_made(long ret)
{
	return ret >= 0 || ret == -EINPROGRESS;
}

static void full_try(struct full *f, struct full_call *c)
{
	full_top(f);
	for (c->made = 0, c->err = 0; c->made < EACH; c->made++) {
		long ret = c->call(f, c->made);

		if (!full_made(ret)) {
			c->err = ret;
			break;
		}
		full_count(f, c, ret);
	}
}

/* There is room: was it refused as it should, and does it now what it was to do? */
static void full_again(struct full *f, struct full_call *c)
{
	int type = full_type(f);
	long ret;

	rd_say("%s: %d, and then %s", c->what, c->made,
	       c->err ? strerrorname_np(-c->err) : "no more were tried");
	if (!c->err || c->err == -EXFULL) {
		CHECK(!(c->refused & type));
		return;
	}
	CHECK(c->err == -c->errs[0] || (c->errs[1] && c->err == -c->errs[1]));
	ret = c->call(f, c->made);
	CHECK(full_made(ret));
	full_count(f, c, ret);
}

static bool full_talk(int a, int b)
{
	char c = 0;

	return SYS(send(a, "?", 1, MSG_NOSIGNAL)) == 1 &&
	       SYS(recv(b, &c, 1, MSG_DONTWAIT)) == 1 && c == '?' &&
	       SYS(send(b, "!", 1, MSG_NOSIGNAL)) == 1 &&
	       SYS(recv(a, &c, 1, MSG_DONTWAIT)) == 1 && c == '!';
}

static int made(long (*call)(struct full *f, int i))
{
	for (size_t i = 0; i < ARRAY_SIZE(of_others); i++)
		if (of_others[i].call == call)
			return of_others[i].made;
	return 0;
}

/* All of it, made at the limit or now. */
static void full_works(struct full *f)
{
	bool seen[EACH] = { false };
	int i, end;
	char c;

	for (i = 0; i <= made(full_socketpair); i++)
		CHECK(full_talk(f->pair[i][0], f->pair[i][1]));
	for (i = 0; i < EACH; i++) {
		if (i > made(full_bind))
			CHECK_EQ(0, full_bind(f, i));
		CHECK_EQ(-EADDRINUSE, rt_bound(RT_RILL, f->type, &f->name[i]));
	}
	if (f->type == SOCK_DGRAM)
		return;
	for (i = 0; i < EACH; i++) {
		if (i > made(full_connect))
			CHECK_EQ(0, full_connect(f, i));
		end = rt_accept(f->lfd, 0);
		CHECK(end >= 0);
		CHECK(full_talk(f->conn[i], end));
		close(end);
		if (i > made(full_accept))
			CHECK(full_accept(f, i) >= 0);
		CHECK_EQ(1, SYS(recv(f->end[i], &c, 1, MSG_DONTWAIT)));
		CHECK(c >= 0 && c < EACH && !seen[(int)c]);
		seen[(int)c] = true;
		CHECK(full_talk(f->client[(int)c], f->end[i]));
	}
	CHECK_EQ(0, close(rt_accept(f->full, 0)));
	for (i = 0; i < EACH; i++) {
		if (i > made(full_join))
			CHECK(full_made(full_join(f, i)));
		end = rt_accept(f->full, 0);
		CHECK(end >= 0);
		CHECK(full_talk(f->line[i], end));
		close(end);
	}
}

static void full_cgroup(const char *path, int type, struct full_call *calls, size_t n,
			bool others)
{
	static struct full f;
	char file[160];
	int max;
	size_t i;

	f.type = type;
	full_make(&f);
	if (others)
		CHECK_EQ(0, rt_write_file("/proc/self/oom_score_adj", "-1000"));
	join_cgroup(path);
	snprintf(file, sizeof(file), "%s/memory.max", path);
	max = open(file, O_WRONLY | O_CLOEXEC);
	CHECK(max >= 0);
	bound_cgroup(path);

	/* From here on nothing else may ask for memory: no file, no output. */
	for (i = 0; i < n; i++)
		if (calls[i].types & full_type(&f))
			full_try(&f, &calls[i]);
	CHECK_EQ(3, write(max, "max", 3));

	for (i = 0; i < n; i++)
		if (calls[i].types & full_type(&f))
			full_again(&f, &calls[i]);
	if (others)
		full_works(&f);
	CHECK_EQ(f.sent, drain(f.fd[1]));
	CHECK_EQ(f.came, drain(f.to[1]));
	CHECK(full_talk(f.fd[0], f.fd[1]));
	CHECK(full_talk(f.to[0], f.to[1]));
	rd_say("%ld bytes were in flight", f.sent);
	_exit(0);
}

TEST_F(cgroup, calls_of_data_at_its_limit)
{
	pid_t pid;

	if (variant->type == SOCK_STREAM && variant->size != MIB)
		SKIP(return, "once for each type");
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid)
		full_cgroup(self->path, variant->type, of_data, ARRAY_SIZE(of_data), false);
	end_child(_metadata, pid);
	EXPECT_LT(0, cg_read(self->path, "memory.events", "max"));
	EXPECT_EQ(0, cg_read(self->path, "memory.events", "oom"));
	EXPECT_EQ(0, cg_read(self->path, "memory.events", "oom_kill"));
}

/*
 * A socket, its file, its name and the list of files in flight are allocated as those
 * of any family are, and most of it by the core: at the limit of its cgroup the
 * kernel looks for somebody to kill rather than to refuse them.  Who may not be
 * killed hears ENOMEM, after a report in the log (scripts/guest/init.c excuses it).
 */
TEST_F(cgroup, other_calls_at_its_limit)
{
	pid_t pid;

	if (variant->type == SOCK_STREAM && variant->size != MIB)
		SKIP(return, "once for each type");
	rt_write_file("/dev/kmsg", "rill-test: faults are injected from here\n");
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid)
		full_cgroup(self->path, variant->type, of_others, ARRAY_SIZE(of_others),
			    true);
	end_child(_metadata, pid);
	rt_write_file("/dev/kmsg", "rill-test: faults are injected to here\n");
	EXPECT_LT(0, cg_read(self->path, "memory.events", "oom"));
	EXPECT_EQ(0, cg_read(self->path, "memory.events", "oom_kill"));
}

/* ---- descriptors ------------------------------------------------------- */

FIXTURE(files)
{
	struct rlimit had;
	struct rt_addr a;
	int lfd, next;
};

FIXTURE_VARIANT(files)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(files, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(files, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(files, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_SETUP(files)
{
	ASSERT_EQ(0, unshare(CLONE_NEWNET));	/* counters of its own */
	self->lfd = rt_listener(variant->family, variant->type, 5, &self->a);
	ASSERT_LE(0, self->lfd);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &self->had));
	self->next = SYS(dup(self->lfd));
	ASSERT_EQ(0, close(self->next));
}

FIXTURE_TEARDOWN(files)
{
	setrlimit(RLIMIT_NOFILE, &self->had);
	close(self->lfd);
}

/* So many more descriptors may be opened. */
static int allow(const struct rlimit *had, int next, int more)
{
	struct rlimit r = { .rlim_cur = next + more, .rlim_max = had->rlim_max };

	return SYS(setrlimit(RLIMIT_NOFILE, &r));
}

static long sockets(enum rt_family family)
{
	return family == RT_RILL ? rt_counter("sockets") : 0;
}

TEST_F(files, socket)
{
	int pair[2];

	ASSERT_EQ(0, allow(&self->had, self->next, 0));
	/* errno: socket EMFILE */
	EXPECT_EQ(-EMFILE, rt_socket(variant->family, variant->type));
	/* errno: socketpair EMFILE */
	EXPECT_EQ(-EMFILE, SYS(socketpair(rt_af(variant->family), variant->type,
					  0, pair)));
	/* One is not enough for a pair, and is not lost. */
	ASSERT_EQ(0, allow(&self->had, self->next, 1));
	EXPECT_EQ(-EMFILE, SYS(socketpair(rt_af(variant->family), variant->type,
					  0, pair)));
	pair[0] = rt_socket(variant->family, variant->type);
	EXPECT_EQ(self->next, pair[0]);
	close(pair[0]);
	rd_say("EMFILE with %d descriptors of %d open; of %d, one more socket, but no pair",
	       self->next, self->next, self->next + 1);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &self->had));
	if (variant->family == RT_RILL)
		EXPECT_TRUE(RT_UNTIL(sockets(RT_RILL) == 1));
}

TEST_F(files, accept)
{
	int c = rt_client(variant->family, variant->type, &self->a), s, i;
	struct rill_queue q;

	ASSERT_LE(0, c);
	ASSERT_EQ(0, allow(&self->had, c + 1, 0));
	for (i = 0; i < 3; i++) {
		/* errno: accept EMFILE */
		EXPECT_EQ(-EMFILE, SYS(accept(self->lfd, NULL, NULL)));
	}
	/* The connection is where it was, and can be seen by poll(). */
	EXPECT_EQ(POLLIN, rt_events(self->lfd, POLLIN));
	if (variant->family == RT_RILL) {
		ASSERT_EQ(0, rt_queue(self->lfd, &q));
		EXPECT_EQ(1, q.rq_len);
	}
	ASSERT_EQ(0, rt_send_all(c, "x", 1));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &self->had));
	s = SYS(accept(self->lfd, NULL, NULL));
	ASSERT_LE(0, s);
	EXPECT_EQ(1, SYS(recv(s, buf, 2, 0)));
	rd_say("accept() with %d descriptors of %d open: EMFILE %d times, then the end",
	       c + 1, c + 1, i);
	close(s);
	close(c);
	if (variant->family == RT_RILL)
		EXPECT_TRUE(RT_UNTIL(sockets(RT_RILL) == 1));
}

/* ---- the waiting line -------------------------------------------------- */

#define MAX_WAITING	"/proc/sys/net/rill/max_waiting"

FIXTURE(line)
{
	struct rt_addr a;
	int lfd;
};

FIXTURE_VARIANT(line)
{
	int type;
};

FIXTURE_VARIANT_ADD(line, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(line, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(line)
{
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	self->lfd = rt_listener(RT_RILL, variant->type, 0, &self->a);
	ASSERT_LE(0, self->lfd);
}

FIXTURE_TEARDOWN(line)
{
	close(self->lfd);
}

TEST_F(line, full)
{
	enum { LINE = 3, TRIES = 50 };
	int fd[1 + LINE], extra, i;
	struct rill_queue q;
	long before;

	ASSERT_EQ(0, rt_write_file(MAX_WAITING, "3"));
	for (i = 0; i <= LINE; i++) {
		fd[i] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
		EXPECT_EQ(i ? -EINPROGRESS : 0, rt_connect(fd[i], &self->a));
	}
	before = rt_counter("sockets");
	extra = rt_socket(RT_RILL, variant->type);
	for (i = 0; i < TRIES; i++) {
		/* One that may wait is not made to wait for it. */
		ASSERT_EQ(0, rt_set_nonblock(extra, i & 1));
		/* errno: connect ECONNREFUSED */
		ASSERT_EQ(-ECONNREFUSED, rt_connect(extra, &self->a));
		ASSERT_EQ(0, rt_queue(self->lfd, &q));
		ASSERT_EQ(LINE, q.rq_waiting);
		ASSERT_EQ(LINE, q.rq_waiting_max);
	}
	rd_say("%u places in line of %u, then ECONNREFUSED %d times", q.rq_waiting,
	       q.rq_waiting_max, i);
	EXPECT_EQ(TRIES, rt_counter("connect_overflow"));
	EXPECT_EQ(LINE, rt_counter("waiting"));
	/* Nothing stays of those that were refused. */
	EXPECT_TRUE(RT_UNTIL(rt_counter("sockets") == before + 1));

	/* One moves up, and the next may join. */
	ASSERT_EQ(0, close(rt_accept(self->lfd, 0)));
	ASSERT_EQ(0, rt_set_nonblock(extra, true));
	EXPECT_EQ(-EINPROGRESS, rt_connect(extra, &self->a));
	ASSERT_EQ(0, rt_queue(self->lfd, &q));
	EXPECT_EQ(LINE, q.rq_waiting);

	/* A bound that is lowered drops nobody; none is a bound, too. */
	ASSERT_EQ(0, rt_write_file(MAX_WAITING, "0"));
	for (i = 0; i <= LINE; i++)
		EXPECT_EQ(0, close(rt_accept(self->lfd, 0)));
	i = rt_client(RT_RILL, variant->type, &self->a);
	EXPECT_LE(0, i);
	EXPECT_EQ(-ECONNREFUSED, rt_client(RT_RILL, variant->type, &self->a));
	close(i);
	for (i = 0; i <= LINE; i++)
		close(fd[i]);
	close(extra);
	EXPECT_EQ(0, rt_counter("waiting"));
}

/* ---- a reader that never reads ----------------------------------------- */

FIXTURE(reader)
{
	int fd[2];
};

FIXTURE_VARIANT(reader)
{
	int type;
	size_t size;
};

FIXTURE_VARIANT_ADD(reader, stream)
{
	.type = SOCK_STREAM, .size = 20000,
};

FIXTURE_VARIANT_ADD(reader, stream_bytes)
{
	.type = SOCK_STREAM, .size = 1,
};

FIXTURE_VARIANT_ADD(reader, seqpacket)
{
	.type = SOCK_SEQPACKET, .size = 20000,
};

FIXTURE_VARIANT_ADD(reader, seqpacket_empty)
{
	.type = SOCK_SEQPACKET, .size = 0,
};

FIXTURE_VARIANT_ADD(reader, dgram)
{
	.type = SOCK_DGRAM, .size = 20000,
};

FIXTURE_VARIANT_ADD(reader, dgram_bytes)
{
	.type = SOCK_DGRAM, .size = 1,
};

FIXTURE_SETUP(reader)
{
	ASSERT_EQ(0, rt_pair(RT_RILL, variant->type, self->fd));
}

FIXTURE_TEARDOWN(reader)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

/* How many sends there was room for, at most so many; and the bytes, on top. */
static long sends(int fd, size_t size, long most, long *bytes)
{
	long n, count;

	for (count = 0; count < most; count++) {
		n = SYS(send(fd, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL));
		if (n < 0)
			return n == -EAGAIN ? count : n;
		*bytes += n;
	}
	return count;
}

TEST_F(reader, takes_so_much_and_no_more)
{
	long rcv = rt_get_int(self->fd[1], SOL_SOCKET, SO_RCVBUF);
	long snd = rt_get_int(self->fd[0], SOL_SOCKET, SO_SNDBUF);
	long page = sysconf(_SC_PAGESIZE), held, count, bytes = 0, i;
	/* One message more than there is room for; or a page that is not full. */
	long most = rcv + 2 * variant->size + 16 * page;

	count = sends(self->fd[0], variant->size, 10000000, &bytes);
	ASSERT_LT(0, count);
	EXPECT_EQ(0, rt_events(self->fd[0], POLLOUT));
	held = meminfo(self->fd[1], MEM_RMEM);
	EXPECT_LT(0, held);
	EXPECT_GE(most, held);
	rd_say("the sender stopped after %ld sends of %zu bytes, %ld in all", count,
	       variant->size, bytes);
	rd_say("they hold %ld bytes of memory; SO_SNDBUF %ld, SO_RCVBUF %ld", held, snd,
	       rcv);
	/* A message has its price, however short it is. */
	if (variant->type != SOCK_STREAM) {
		EXPECT_GE(rcv / 512 + 1, count);
	} else {
		/* The last one may have been cut short. */
		most = (snd < rcv ? snd : rcv) + variant->size;
		EXPECT_GE(most, count * (long)variant->size);
	}
	/* To ask again and again changes nothing. */
	for (i = 0; i < 1000; i++) {
		/* errno: send EAGAIN */
		ASSERT_EQ(-EAGAIN, SYS(send(self->fd[0], buf,
					    variant->size, MSG_DONTWAIT)));
	}
	EXPECT_EQ(held, meminfo(self->fd[1], MEM_RMEM));
	/* Nor to wait for it for a while. */
	ASSERT_EQ(0, rt_set_timeo(self->fd[0], SO_SNDTIMEO, 50));
	EXPECT_EQ(-EAGAIN, SYS(send(self->fd[0], buf, variant->size, 0)));
	EXPECT_EQ(held, meminfo(self->fd[1], MEM_RMEM));
}

/* Many who send to one: it is the receiver's bound that counts. */
TEST(many_senders)
{
	enum { SENDERS = 100 };
	struct rt_addr a = { .len = 0 };
	int fd[SENDERS], to, i;
	long rcv, count = 0, bytes = 0, n;

	to = rt_bound(RT_RILL, SOCK_DGRAM, &a);
	ASSERT_LE(0, to);
	rcv = rt_get_int(to, SOL_SOCKET, SO_RCVBUF);
	for (i = 0; i < SENDERS; i++) {
		fd[i] = rt_client(RT_RILL, SOCK_DGRAM, &a);
		ASSERT_LE(0, fd[i]);
		n = sends(fd[i], 10000, 1000000, &bytes);
		ASSERT_LE(0, n);
		count += n;
	}
	EXPECT_LT(0, count);
	rd_say("%d senders stopped after %ld bytes in all, which hold %ld; SO_RCVBUF %ld",
	       SENDERS, bytes, meminfo(to, MEM_RMEM), rcv);
	/* One message of each that was there first, at most, beside its fill. */
	EXPECT_GE(rcv + 32768, meminfo(to, MEM_RMEM));
	EXPECT_GE(rcv + 32768, count * 10000);
	for (i = 0; i < SENDERS; i++)
		close(fd[i]);
	close(to);
}

/* Nobody accepts: the queue and the line are bounded, and so is what is sent. */
TEST(nobody_accepts)
{
	enum { TRIES = 200, LINE = 20, BACKLOG = 9 };
	struct rt_addr a = { .len = 0 };
	int fd[TRIES], lfd, i, queued = 0, waiting = 0, refused = 0;
	long n, total = 0;
	char had[32];

	ASSERT_LT(0, rt_read_file(MAX_WAITING, had, sizeof(had)));
	ASSERT_EQ(0, rt_write_file(MAX_WAITING, "20"));
	lfd = rt_listener(RT_RILL, SOCK_STREAM, BACKLOG, &a);
	ASSERT_LE(0, lfd);
	for (i = 0; i < TRIES; i++) {
		fd[i] = rt_socket(RT_RILL, SOCK_STREAM | SOCK_NONBLOCK);
		n = rt_connect(fd[i], &a);
		queued += !n;
		waiting += n == -EINPROGRESS;
		refused += n == -ECONNREFUSED;
		if (n)
			continue;
		n = rt_fill(fd[i], 20000);
		EXPECT_LT(0, n);
		EXPECT_GE(rt_capacity(fd[i], lfd), n);
		total += n;
	}
	rd_say("of %d connectors %d in the queue, %d in line, %d refused; %ld bytes sent",
	       TRIES, queued, waiting, refused, total);
	EXPECT_EQ(BACKLOG + 1, queued);
	EXPECT_EQ(LINE, waiting);
	EXPECT_EQ(TRIES - LINE - BACKLOG - 1, refused);
	for (i = 0; i < TRIES; i++)
		close(fd[i]);
	close(lfd);
	EXPECT_EQ(0, rt_write_file(MAX_WAITING, had));
}

TEST_HARNESS_MAIN
