// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints, read through tracefs: each comes when it should, with the
 * fields that rill_trace(7) promises, and with the values of what was done.
 *
 * Every test has a namespace and a tracing instance of its own, whose filter
 * lets only that namespace's events in, so nothing else on the machine matters.
 */
#include "rill_test_data.h"

#include <linux/filter.h>
#include <sys/mount.h>

#define TRACING		"/sys/kernel/tracing"
#define TEXT		262144

struct trace {
	char		dir[96];	/* of the instance */
	char		*text;
	char		*next;		/* in text */
	unsigned int	netns;
};

static int trace_write(const struct trace *t, const char *file, const char *what)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", t->dir, file);
	return rt_write_file(path, what);
}

static int trace_on(const struct trace *t, const char *event)
{
	char path[64];

	snprintf(path, sizeof(path), "events/rill/%s/enable", event);
	return trace_write(t, path, "1\n");
}

/* Without CONFIG_EVENT_TRACING there is nothing to test. */
static bool trace_possible(void)
{
	char text[8192];

	return rt_read_file("/proc/filesystems", text, sizeof(text)) > 0 &&
	       strstr(text, "\ttracefs\n");
}

/*
 * An instance that does not keep the names of tasks, for which enabling any event
 * has the scheduler's own events patched in and out, on all processors: 6.12 in
 * QEMU 7.2 was once seen to trip over the int3 of that, in its idle task.  An
 * instance begins with the options of the whole.
 */
static int trace_mkdir(const char *dir)
{
	static const char option[] = TRACING "/options/record-cmd";
	char was[4] = "";
	int err = 0;

	rt_read_file(option, was, sizeof(was));
	rt_write_file(option, "0\n");
	if (mkdir(dir, 0700))
		err = -errno;
	if (*was == '1')
		rt_write_file(option, "1\n");
	return err;
}

static int trace_open(struct trace *t)
{
	char filter[64];
	struct stat st;
	int err;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	if (access(TRACING "/instances", F_OK) &&
	    mount("none", TRACING, "tracefs", 0, NULL))
		return -errno;
	if (stat("/proc/thread-self/ns/net", &st))
		return -errno;
	t->netns = st.st_ino;
	snprintf(t->dir, sizeof(t->dir), TRACING "/instances/rill-%d", getpid());
	err = trace_mkdir(t->dir);
	if (err)
		return err;
	snprintf(filter, sizeof(filter), "netns == %u\n", t->netns);
	err = trace_write(t, "events/rill/filter", filter);
	if (err)
		return err;
	t->text = malloc(TEXT);
	return t->text ? 0 : -ENOMEM;
}

/* Forget what has been recorded: that is what O_TRUNC means there. */
static int trace_clear(const struct trace *t)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/trace", t->dir);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Read what has been recorded, and forget it there. */
static int trace_read(struct trace *t)
{
	char path[128];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/trace", t->dir);
	n = rt_read_file(path, t->text, TEXT);
	if (n < 0)
		return n;
	t->next = t->text;
	return trace_clear(t);
}

/* The next event, as "name: fields", or "". */
static const char *trace_next(struct trace *t)
{
	char *line, *event;

	while ((line = t->next) && *line) {
		t->next = strchr(line, '\n');
		if (t->next)
			*t->next++ = '\0';
		event = *line == '#' ? NULL : strstr(line, ": rill_");
		if (event)
			return event + 2;
	}
	return "";
}

#define EXPECT_EVENT(...) do {						\
	char __want[512];						\
									\
	snprintf(__want, sizeof(__want), __VA_ARGS__);			\
	EXPECT_STREQ(__want, trace_next(&self->t));			\
} while (0)

/* The events of this test's namespace and type. */
#define EXPECT_CONNECT(ino, lino, waited, pid, lpid, err, name)		\
	EXPECT_EVENT("rill_connect: ino=%lu listener_ino=%lu netns=%u "	\
		     "type=%s waited=%d pid=%d listener_pid=%d err=%d "	\
		     "name=%s", ino, lino, self->t.netns, variant->word,	\
		     waited, pid, lpid, err, name)

#define EXPECT_FULL(ino, lino, joined, waiting, name)			\
	EXPECT_EVENT("rill_queue_full: ino=%lu listener_ino=%lu "	\
		     "netns=%u type=%s joined=%d queued=1 waiting=%d "	\
		     "name=%s", ino, lino, self->t.netns, variant->word,	\
		     joined, waiting, name)

#define EXPECT_ACCEPT(ino, peer, lino, pid, queued, waiting, name)	\
	EXPECT_EVENT("rill_accept: ino=%lu peer_ino=%lu listener_ino=%lu "	\
		     "netns=%u type=%s peer_pid=%d queued=%d "		\
		     "waiting=%d name=%s", ino, peer, lino, self->t.netns,	\
		     variant->word, pid, queued, waiting, name)

#define EXPECT_DATA(event, ino, peer, flags, size, ret)			\
	EXPECT_EVENT(event ": ino=%lu peer_ino=%lu netns=%u type=%s "	\
		     "flags=0x%x size=%d ret=%d", ino, peer, self->t.netns,	\
		     variant->word, flags, size, ret)

#define EXPECT_DROP(ino, why, messages, bytes, name)			\
	EXPECT_EVENT("rill_drop: ino=%lu netns=%u type=%s reason=%s "	\
		     "messages=%d bytes=%d name=%s", ino, self->t.netns,	\
		     variant->word, why, messages, bytes, name)

#define EXPECT_RESET(peer, why, name)					\
	EXPECT_EVENT("rill_reset: peer_ino=%lu netns=%u type=%s "	\
		     "reason=%s name=%s", peer, self->t.netns,		\
		     variant->word, why, name)

#define EXPECT_CLOSE(ino, state, name)					\
	EXPECT_EVENT("rill_close: ino=%lu netns=%u type=%s state=%s "	\
		     "name=%s", ino, self->t.netns, variant->word, state, name)

/* Nothing else. */
#define EXPECT_END()	EXPECT_STREQ("", trace_next(&self->t))

FIXTURE(trace)
{
	struct trace t;
	bool on;
};

FIXTURE_VARIANT(trace)
{
	int type;
	const char *word;
};

FIXTURE_VARIANT_ADD(trace, stream)
{
	.type = SOCK_STREAM, .word = "stream",
};

FIXTURE_VARIANT_ADD(trace, seqpacket)
{
	.type = SOCK_SEQPACKET, .word = "seqpacket",
};

FIXTURE_VARIANT_ADD(trace, dgram)
{
	.type = SOCK_DGRAM, .word = "dgram",
};

FIXTURE_SETUP(trace)
{
	memset(&self->t, 0, sizeof(self->t));
	self->on = false;
	if (!trace_possible())
		SKIP(return, "the kernel has no tracing");
	ASSERT_EQ(0, trace_open(&self->t)) {
		TH_LOG("needs root, and the module's events in " TRACING);
	}
	self->on = true;
}

FIXTURE_TEARDOWN(trace)
{
	if (self->t.dir[0])
		rmdir(self->t.dir);
	free(self->t.text);
}

/* What rill_trace(7) promises: the fields, their types, their order. */
static const struct {
	const char *event;
	const char *fields;
} formats[] = {
	{ "rill_connect",
	  "const void * skaddr;unsigned long ino;const void * listener;"
	  "unsigned long listener_ino;u32 netns;u16 type;u16 waited;int pid;"
	  "int listener_pid;int err;char name[124];" },
	{ "rill_queue_full",
	  "const void * skaddr;unsigned long ino;const void * listener;"
	  "unsigned long listener_ino;u32 netns;u16 type;u16 joined;u32 queued;"
	  "u32 waiting;char name[124];" },
	{ "rill_accept",
	  "const void * skaddr;unsigned long ino;const void * peer;"
	  "unsigned long peer_ino;unsigned long listener_ino;u32 netns;u16 type;"
	  "int peer_pid;u32 queued;u32 waiting;char name[124];" },
	{ "rill_send",
	  "const void * skaddr;unsigned long ino;const void * peer;"
	  "unsigned long peer_ino;u32 netns;u16 type;u32 flags;u64 size;s64 ret;" },
	{ "rill_recv",
	  "const void * skaddr;unsigned long ino;const void * peer;"
	  "unsigned long peer_ino;u32 netns;u16 type;u32 flags;u64 size;s64 ret;" },
	{ "rill_drop",
	  "const void * skaddr;unsigned long ino;u32 netns;u16 type;u16 reason;"
	  "u64 messages;u64 bytes;char name[124];" },
	{ "rill_reset",
	  "const void * skaddr;const void * peer;unsigned long peer_ino;u32 netns;"
	  "u16 type;u16 reason;char name[124];" },
	{ "rill_close",
	  "const void * skaddr;unsigned long ino;u32 netns;u16 type;u16 state;"
	  "char name[124];" },
};

TEST_F(trace, formats)
{
	char path[128], text[8192], *line, *save, *end;
	unsigned int i;

	if (!self->on)
		return;
	if (variant->type != SOCK_STREAM)
		SKIP(return, "the same for all types: the stream's variant reads them");
	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		char seen[1024] = "";

		snprintf(path, sizeof(path), "%s/events/rill/%s/format", self->t.dir,
			 formats[i].event);
		ASSERT_LT(0, rt_read_file(path, text, sizeof(text)));
		save = NULL;
		for (line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save)) {
			if (strncmp(line, "\tfield:", 7) || strstr(line, " common_"))
				continue;
			end = strchr(line, ';');
			ASSERT_NE(NULL, end);
			end[1] = '\0';
			strncat(seen, line + 7, sizeof(seen) - strlen(seen) - 1);
		}
		EXPECT_STREQ(formats[i].fields, seen);
	}
}

TEST_F(trace, connect)
{
	struct rt_addr a = rt_addr(RT_RILL, "with a space"), none = rt_new_addr(RT_RILL);
	int lfd, fd, pid = getpid();
	unsigned long ino;

	if (!self->on)
		return;
	lfd = rt_bound(RT_RILL, variant->type, &a);
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, lfd);
	ASSERT_LE(0, fd);
	ino = rt_inode(fd);
	ASSERT_EQ(0, trace_on(&self->t, "rill_connect"));
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &none));
	if (variant->type != SOCK_DGRAM) {
		EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &a));
		ASSERT_EQ(0, listen(lfd, 5));
	}
	ASSERT_EQ(0, rt_connect(fd, &a));
	ASSERT_EQ(0, trace_read(&self->t));
	EXPECT_CONNECT(ino, 0UL, 0, pid, 0, -ECONNREFUSED, none.rill.srl_name);
	if (variant->type != SOCK_DGRAM)
		EXPECT_CONNECT(ino, rt_inode(lfd), 0, pid, 0, -ECONNREFUSED,
			       "with a space");
	EXPECT_CONNECT(ino, rt_inode(lfd), 0, pid, variant->type == SOCK_DGRAM ? 0 : pid, 0,
		       "with a space");
	EXPECT_END();
	close(fd);
	close(lfd);
}

/* In line: joined, admitted, left, refused; no room in it. */
TEST_F(trace, line)
{
	struct rt_addr a = rt_new_addr(RT_RILL);
	const char *name = a.rill.srl_name;
	int lfd, cfd, afd, wfd[3], i, pid = getpid();
	unsigned long lino;

	if (!self->on)
		return;
	if (variant->type == SOCK_DGRAM)
		SKIP(return, "has no line");
	lfd = rt_listener(RT_RILL, variant->type, 0, &a);
	ASSERT_LE(0, lfd);
	lino = rt_inode(lfd);
	cfd = rt_client(RT_RILL, variant->type, &a);
	ASSERT_LE(0, cfd);
	ASSERT_EQ(0, trace_on(&self->t, "rill_connect"));
	ASSERT_EQ(0, trace_on(&self->t, "rill_queue_full"));
	ASSERT_EQ(0, trace_on(&self->t, "rill_accept"));
	for (i = 0; i < 3; i++) {
		wfd[i] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
		ASSERT_EQ(-EINPROGRESS, rt_connect(wfd[i], &a));
	}
	ASSERT_EQ(0, trace_read(&self->t));
	for (i = 0; i < 3; i++)
		EXPECT_FULL(rt_inode(wfd[i]), lino, 1, i + 1, name);
	EXPECT_END();

	afd = SYS(accept(lfd, NULL, NULL));
	ASSERT_LE(0, afd);
	ASSERT_EQ(0, trace_read(&self->t));
	EXPECT_CONNECT(rt_inode(wfd[0]), lino, 1, pid, pid, 0, name);
	EXPECT_ACCEPT(rt_inode(afd), rt_inode(cfd), lino, pid, 1, 2, name);
	EXPECT_END();

	ASSERT_EQ(0, rt_disconnect(wfd[2]));
	ASSERT_EQ(0, trace_read(&self->t));
	EXPECT_CONNECT(rt_inode(wfd[2]), lino, 1, pid, pid, -ECONNABORTED, name);
	EXPECT_END();

	ASSERT_EQ(0, rt_write_file("/proc/sys/net/rill/max_waiting", "1\n"));
	EXPECT_EQ(-ECONNREFUSED, rt_connect(wfd[2], &a));
	ASSERT_EQ(0, trace_read(&self->t));
	EXPECT_FULL(rt_inode(wfd[2]), lino, 0, 1, name);
	EXPECT_CONNECT(rt_inode(wfd[2]), lino, 0, pid, pid, -ECONNREFUSED, name);
	EXPECT_END();

	close(lfd);
	ASSERT_EQ(0, trace_read(&self->t));
	/* The listener has no file any more. */
	EXPECT_CONNECT(rt_inode(wfd[1]), 0UL, 1, pid, pid, -ECONNREFUSED, name);
	EXPECT_END();
	for (i = 0; i < 3; i++)
		close(wfd[i]);
	close(cfd);
	close(afd);
}

/* A connector in line is named by its own process, not by that which admits it. */
TEST_F(trace, pid_in_line)
{
	struct rt_addr a = rt_new_addr(RT_RILL);
	int lfd, cfd, afd;
	char want[80];
	pid_t pid;

	if (!self->on)
		return;
	if (variant->type == SOCK_DGRAM)
		SKIP(return, "has no line");
	lfd = rt_listener(RT_RILL, variant->type, 0, &a);
	ASSERT_LE(0, lfd);
	cfd = rt_client(RT_RILL, variant->type, &a);
	ASSERT_LE(0, cfd);
	ASSERT_EQ(0, trace_on(&self->t, "rill_connect"));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(lfd);
		CHECK(rt_client(RT_RILL, variant->type, &a) >= 0);
		_exit(0);
	}
	ASSERT_TRUE(RT_UNTIL(rt_counter("waiting") == 1));
	afd = SYS(accept(lfd, NULL, NULL));
	ASSERT_LE(0, afd);
	EXPECT_EQ(0, rt_wait_child(pid));
	ASSERT_EQ(0, trace_read(&self->t));
	snprintf(want, sizeof(want), " waited=1 pid=%d listener_pid=%d err=0 ", pid, getpid());
	EXPECT_NE(NULL, strstr(trace_next(&self->t), want));
	EXPECT_END();
	close(lfd);
	close(cfd);
	close(afd);
}

TEST_F(trace, traffic)
{
	unsigned long ino[2];
	char buf[100];
	int fd[2];
	long n;

	if (!self->on)
		return;
	ASSERT_EQ(0, rt_pair(RT_RILL, variant->type, fd));
	ino[0] = rt_inode(fd[0]);
	ino[1] = rt_inode(fd[1]);
	ASSERT_EQ(0, trace_on(&self->t, "rill_send"));
	ASSERT_EQ(0, trace_on(&self->t, "rill_recv"));
	EXPECT_EQ(-EAGAIN, SYS(recv(fd[1], buf, 50, MSG_DONTWAIT)));
	ASSERT_EQ(100, SYS(send(fd[0], buf, 100, MSG_NOSIGNAL)));
	ASSERT_EQ(60, SYS(recv(fd[1], buf, 60, MSG_PEEK)));
	n = SYS(recv(fd[1], buf, 100, 0));
	ASSERT_EQ(100, n);
	ASSERT_EQ(1, SYS(send(fd[1], "x", 1, 0)));
	ASSERT_EQ(0, trace_read(&self->t));
	/* Of a message that did not come nobody knows the sender. */
	EXPECT_DATA("rill_recv", ino[1], variant->type == SOCK_STREAM ? ino[0] : 0UL,
		    MSG_DONTWAIT, 50, -EAGAIN);
	EXPECT_DATA("rill_send", ino[0], ino[1], MSG_NOSIGNAL, 100, 100);
	EXPECT_DATA("rill_recv", ino[1], ino[0], MSG_PEEK, 60, 60);
	EXPECT_DATA("rill_recv", ino[1], ino[0], 0, 100, 100);
	EXPECT_DATA("rill_send", ino[1], ino[0], 0, 1, 1);
	EXPECT_END();

	close(fd[1]);
	EXPECT_EQ(variant->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE,
		  SYS(send(fd[0], buf, 1, MSG_NOSIGNAL)));
	ASSERT_EQ(0, trace_read(&self->t));
	EXPECT_DATA("rill_send", ino[0], 0UL, MSG_NOSIGNAL, 1,
		    variant->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE);
	EXPECT_END();
	close(fd[0]);
}

/* Without a peer: not connected, and a datagram to nobody. */
TEST_F(trace, no_peer)
{
	struct rt_addr none = rt_new_addr(RT_RILL);
	bool dgram = variant->type == SOCK_DGRAM;
	unsigned long ino;
	int fd, err;

	if (!self->on)
		return;
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, fd);
	ino = rt_inode(fd);
	ASSERT_EQ(0, trace_on(&self->t, "rill_send"));
	if (dgram)
		err = SYS(sendto(fd, "abc", 3, 0, &none.sa, none.len));
	else
		err = SYS(send(fd, "abc", 3, 0));
	EXPECT_EQ(dgram ? -ECONNREFUSED : -ENOTCONN, err);
	ASSERT_EQ(0, trace_read(&self->t));
	EXPECT_DATA("rill_send", ino, 0UL, 0, 3, err);
	EXPECT_END();
	close(fd);
}

TEST_F(trace, drop_and_reset)
{
	bool stream = variant->type == SOCK_STREAM;
	struct rt_addr a = { .len = 0 };
	int fd[2], lfd, i;
	char buf[100];

	if (!self->on)
		return;
	ASSERT_EQ(0, trace_on(&self->t, "rill_drop"));
	ASSERT_EQ(0, trace_on(&self->t, "rill_reset"));
	if (variant->type == SOCK_DGRAM) {
		struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
		struct sock_fprog prog = { .len = 1, .filter = &none };

		fd[1] = rt_bound(RT_RILL, SOCK_DGRAM, &a);
		fd[0] = rt_client(RT_RILL, SOCK_DGRAM, &a);
		ASSERT_LE(0, fd[0]);
		ASSERT_EQ(100, SYS(send(fd[0], buf, 100, 0)));
		ASSERT_EQ(50, SYS(send(fd[0], buf, 50, 0)));
		ASSERT_EQ(0, setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog,
					sizeof(prog)));
		ASSERT_EQ(7, SYS(send(fd[0], buf, 7, 0)));
		ASSERT_EQ(0, trace_read(&self->t));
		EXPECT_DROP(rt_inode(fd[1]), "filter", 1, 7, a.rill.srl_name);
		EXPECT_END();
		close(fd[1]);
		ASSERT_EQ(0, trace_read(&self->t));
		EXPECT_DROP(0UL, "closed", 2, 150, a.rill.srl_name);
		EXPECT_END();
		close(fd[0]);
		return;
	}

	lfd = rt_listener(RT_RILL, variant->type, 5, &a);
	ASSERT_LE(0, lfd);
	/* The reader closes: fd[1] is the one that was accepted, and has the name. */
	fd[0] = rt_client(RT_RILL, variant->type, &a);
	fd[1] = SYS(accept(lfd, NULL, NULL));
	ASSERT_LE(0, fd[1]);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(100, SYS(send(fd[0], buf, 100, 0)));
	close(fd[1]);
	ASSERT_EQ(0, trace_read(&self->t));
	EXPECT_DROP(0UL, "closed", stream ? 0 : 3, 300, a.rill.srl_name);
	EXPECT_RESET(rt_inode(fd[0]), "unread", a.rill.srl_name);
	EXPECT_END();
	close(fd[0]);

	/* The writer resets. */
	fd[0] = rt_client(RT_RILL, variant->type, &a);
	fd[1] = SYS(accept(lfd, NULL, NULL));
	ASSERT_LE(0, fd[1]);
	ASSERT_EQ(10, SYS(send(fd[0], buf, 10, 0)));
	ASSERT_EQ(0, rt_set_linger(fd[0], 1, 0));
	close(fd[0]);
	EXPECT_EQ(-ECONNRESET, SYS(recv(fd[1], buf, sizeof(buf), 0)));
	ASSERT_EQ(0, trace_read(&self->t));
	/* A stream's reader drops when it comes by. */
	if (stream)
		EXPECT_RESET(rt_inode(fd[1]), "linger", "");
	EXPECT_DROP(rt_inode(fd[1]), "reset", !stream, 10, a.rill.srl_name);
	if (!stream)
		EXPECT_RESET(rt_inode(fd[1]), "linger", "");
	EXPECT_END();
	close(fd[1]);

	/* Never accepted. */
	fd[0] = rt_client(RT_RILL, variant->type, &a);
	ASSERT_LE(0, fd[0]);
	close(lfd);
	ASSERT_EQ(0, trace_read(&self->t));
	EXPECT_RESET(rt_inode(fd[0]), "unaccepted", a.rill.srl_name);
	EXPECT_END();
	close(fd[0]);
}

TEST_F(trace, close)
{
	struct rt_addr a = { .len = 0 };
	unsigned long ino[3];
	int fd, cfd, afd;

	if (!self->on)
		return;
	ASSERT_EQ(0, trace_on(&self->t, "rill_close"));
	fd = rt_bound(RT_RILL, variant->type, &a);
	ASSERT_LE(0, fd);
	ino[0] = rt_inode(fd);
	if (variant->type == SOCK_DGRAM) {
		close(fd);
		ASSERT_EQ(0, trace_read(&self->t));
		EXPECT_CLOSE(ino[0], "CLOSE", a.rill.srl_name);
		EXPECT_END();
		return;
	}
	ASSERT_EQ(0, listen(fd, 1));
	cfd = rt_client(RT_RILL, variant->type, &a);
	ASSERT_LE(0, cfd);
	afd = SYS(accept(fd, NULL, NULL));
	ASSERT_LE(0, afd);
	ino[1] = rt_inode(cfd);
	ino[2] = rt_inode(afd);
	close(fd);
	close(cfd);
	close(afd);
	ASSERT_EQ(0, trace_read(&self->t));
	EXPECT_CLOSE(ino[0], "LISTEN", a.rill.srl_name);
	EXPECT_CLOSE(ino[1], "CONNECTED", "");
	EXPECT_CLOSE(ino[2], "CONNECTED", a.rill.srl_name);
	EXPECT_END();
}

/* Off again: nothing comes. */
TEST_F(trace, off)
{
	int fd[2];

	if (!self->on)
		return;
	ASSERT_EQ(0, trace_write(&self->t, "events/rill/enable", "1\n"));
	ASSERT_EQ(0, rt_pair(RT_RILL, variant->type, fd));
	ASSERT_EQ(1, SYS(send(fd[0], "x", 1, 0)));
	ASSERT_EQ(0, trace_read(&self->t));
	EXPECT_STRNE("", trace_next(&self->t));
	ASSERT_EQ(0, trace_write(&self->t, "events/rill/enable", "0\n"));
	ASSERT_EQ(0, trace_clear(&self->t));
	ASSERT_EQ(1, SYS(send(fd[0], "x", 1, 0)));
	close(fd[0]);
	close(fd[1]);
	ASSERT_EQ(0, trace_read(&self->t));
	EXPECT_END();
}

TEST_HARNESS_MAIN
