// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters of /proc/net/rill_stat: after each step, what has moved is just
 * what the step did, and in another namespace nothing has.
 */
#include "rill_test_cpu.h"
#include "rill_test_data.h"

#include <linux/filter.h>
#include <sys/mount.h>
#include <sys/sendfile.h>

#define MAX_COUNTERS	128
#define STAT_PATH	"/proc/thread-self/net/rill_stat"

struct counters {
	int			n;
	char			name[MAX_COUNTERS][40];
	unsigned long long	val[MAX_COUNTERS];
};

static bool is_gauge(const char *name)
{
	return !strcmp(name, "sockets") || !strcmp(name, "names") ||
	       !strcmp(name, "waiting");
}

static int counters_read(int fd, struct counters *c)
{
	char text[16384], *line, *save = NULL;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return n ? -errno : -ENODATA;
	text[n] = '\0';
	c->n = 0;
	for (line = strtok_r(text, "\n", &save); line && c->n < MAX_COUNTERS;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%39s %llu", c->name[c->n], &c->val[c->n]) != 2)
			return -EINVAL;
		if (!is_gauge(c->name[c->n]))
			c->n++;
	}
	return c->n ? 0 : -ENODATA;
}

struct view {
	int		fd;		/* of the test's own namespace */
	int		other;		/* of one in which nothing happens */
	struct counters	last;
	char		moved[1024];
};

FIXTURE(counters)
{
	struct view v;
};

FIXTURE_VARIANT(counters)
{
	int type;
	const char *word;
};

FIXTURE_VARIANT_ADD(counters, stream)
{
	.type = SOCK_STREAM, .word = "stream",
};

FIXTURE_VARIANT_ADD(counters, seqpacket)
{
	.type = SOCK_SEQPACKET, .word = "seqpacket",
};

FIXTURE_VARIANT_ADD(counters, dgram)
{
	.type = SOCK_DGRAM, .word = "dgram",
};

FIXTURE_SETUP(counters)
{
	int i;

	self->v.fd = -1;
	ASSERT_EQ(0, unshare(CLONE_NEWNET)) {
		TH_LOG("needs root");
	}
	self->v.other = open(STAT_PATH, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->v.other);
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	/* Whether a reader looks or sleeps is not for chance to say. */
	ASSERT_EQ(0, rt_write_file("/proc/sys/net/rill/busy_poll_us", "0\n"));
	self->v.fd = open(STAT_PATH, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->v.fd);
	ASSERT_EQ(0, counters_read(self->v.fd, &self->v.last));
	for (i = 0; i < self->v.last.n; i++)
		EXPECT_EQ(0, self->v.last.val[i]);
}

FIXTURE_TEARDOWN(counters)
{
	int i;

	if (self->v.fd < 0)
		return;
	EXPECT_EQ(0, counters_read(self->v.other, &self->v.last));
	for (i = 0; i < self->v.last.n; i++) {
		EXPECT_EQ(0, self->v.last.val[i]) {
			TH_LOG("%s of another namespace", self->v.last.name[i]);
		}
	}
	close(self->v.fd);
	close(self->v.other);
}

/* What has moved since the last call, as "name+1 other+2", in the file's order. */
static const char *moved(struct view *v)
{
	struct counters now;
	size_t len = 0;
	int i;

	v->moved[0] = '\0';
	if (counters_read(v->fd, &now) || now.n != v->last.n)
		return "cannot be read";
	for (i = 0; i < now.n; i++) {
		long long by = now.val[i] - v->last.val[i];

		if (by && len < sizeof(v->moved))
			len += snprintf(v->moved + len, sizeof(v->moved) - len,
					"%s%s%+lld", len ? " " : "", now.name[i], by);
	}
	v->last = now;
	return v->moved;
}

#define EXPECT_MOVED(...) do {						\
	char __want[512];						\
									\
	snprintf(__want, sizeof(__want), __VA_ARGS__);			\
	EXPECT_STREQ(__want, moved(&self->v));				\
} while (0)

/* By how much one counter has grown: does not touch what moved() remembers. */
static long long grown(struct view *v, const char *name)
{
	struct counters now;
	int i;

	if (counters_read(v->fd, &now))
		return -1;
	for (i = 0; i < now.n; i++)
		if (!strcmp(now.name[i], name))
			return now.val[i] - v->last.val[i];
	return -1;
}

/* Two ends, accepted, of which nothing has been counted yet. */
static int quiet_pair(struct view *v, int type, int fd[2])
{
	int err = rt_pair(RT_RILL, type, fd);

	moved(v);
	return err;
}

/* Every line: a word and a number, each word once, nothing without a name. */
TEST_F(counters, form)
{
	int i, j;

	EXPECT_LT(40, self->v.last.n);
	for (i = 0; i < self->v.last.n; i++) {
		const char *name = self->v.last.name[i];

		EXPECT_EQ(strlen(name), strspn(name, "abcdefghijklmnopqrstuvwxyz_"));
		for (j = 0; j < i; j++)
			EXPECT_STRNE(name, self->v.last.name[j]);
	}
}

TEST_F(counters, names)
{
	struct rt_addr a = rt_new_addr(RT_RILL), sys = rt_addr(RT_RILL, "user/4711/x");
	int fd, fd2;

	fd = rt_socket(RT_RILL, variant->type);
	fd2 = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, fd2);
	EXPECT_MOVED("%s", "");
	ASSERT_EQ(0, rt_bind(fd, &a));
	EXPECT_MOVED("bind_ok+1");
	EXPECT_EQ(-EADDRINUSE, rt_bind(fd2, &a));
	EXPECT_MOVED("bind_inuse+1");
	EXPECT_EQ(-EACCES, rt_bind(fd2, &sys));
	EXPECT_MOVED("bind_denied+1");
	close(fd);
	close(fd2);
	EXPECT_MOVED("%s", "");
}

/* Why a connect(), or a datagram, does not get there. */
TEST_F(counters, refused)
{
	int other = variant->type == SOCK_STREAM ? SOCK_SEQPACKET : SOCK_STREAM;
	struct rt_addr a = rt_new_addr(RT_RILL);
	int lfd, fd, wrong;
	pid_t pid;

	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &a));
	EXPECT_MOVED("connect_noname+1");

	umask(0777);
	lfd = rt_bound(RT_RILL, variant->type, &a);
	ASSERT_LE(0, lfd);
	EXPECT_MOVED("bind_ok+1");
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHECK_EQ(0, rd_become(1001, 1001, NULL, 0));
		CHECK_EQ(-EACCES, rt_connect(fd, &a));
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
	EXPECT_MOVED("connect_denied+1");

	wrong = rt_socket(RT_RILL, other);
	ASSERT_LE(0, wrong);
	EXPECT_EQ(-EPROTOTYPE, rt_connect(wrong, &a));
	EXPECT_MOVED("connect_wrongtype+1");

	if (variant->type != SOCK_DGRAM) {
		EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &a));
		EXPECT_MOVED("connect_nolistener+1");
		/* One that listened, and does not any more. */
		ASSERT_EQ(0, listen(lfd, 1));
		ASSERT_EQ(0, shutdown(lfd, SHUT_RDWR));
		EXPECT_EQ(-ECONNREFUSED, rt_connect(fd, &a));
		EXPECT_MOVED("connect_nolistener+1");
	} else {
		struct rt_addr none = rt_new_addr(RT_RILL);

		EXPECT_EQ(-ECONNREFUSED,
			  SYS(sendto(fd, "x", 1, 0, &none.sa, none.len)));
		EXPECT_MOVED("connect_noname+1");
	}
	close(lfd);
	close(wrong);
	close(fd);
}

TEST_F(counters, connections)
{
	struct rt_addr a = { .len = 0 };
	int lfd, cfd, afd, wfd[4], i;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "has no connections");
	lfd = rt_listener(RT_RILL, variant->type, 0, &a);
	ASSERT_LE(0, lfd);
	EXPECT_MOVED("bind_ok+1");
	cfd = rt_client(RT_RILL, variant->type, &a);
	ASSERT_LE(0, cfd);
	EXPECT_MOVED("connect_ok+1");
	for (i = 0; i < 4; i++) {
		wfd[i] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
		ASSERT_EQ(-EINPROGRESS, rt_connect(wfd[i], &a));
	}
	EXPECT_MOVED("connect_waited+4");

	afd = SYS(accept(lfd, NULL, NULL));
	ASSERT_LE(0, afd);
	EXPECT_MOVED("connect_ok+1 accept_ok+1");
	/* The end of a connection that nobody has anything to say about. */
	close(afd);
	close(cfd);
	EXPECT_MOVED("%s", "");

	close(wfd[3]);
	EXPECT_MOVED("connect_left+1");
	ASSERT_EQ(0, rt_disconnect(wfd[2]));
	EXPECT_MOVED("connect_left+1");
	ASSERT_EQ(0, rt_write_file("/proc/sys/net/rill/max_waiting", "1\n"));
	EXPECT_EQ(-ECONNREFUSED, rt_connect(wfd[2], &a));
	EXPECT_MOVED("connect_overflow+1");

	/* One in line, and one in the queue. */
	close(lfd);
	EXPECT_MOVED("connect_refused+1 reset_unaccepted+1");
	EXPECT_EQ(ECONNREFUSED, rt_so_error(wfd[1]));
	EXPECT_EQ(ECONNRESET, rt_so_error(wfd[0]));
	for (i = 0; i < 3; i++)
		close(wfd[i]);
	EXPECT_MOVED("%s", "");
}

TEST_F(counters, pair)
{
	int sv[2];

	ASSERT_EQ(0, socketpair(rt_rill_family(), variant->type, 0, sv));
	EXPECT_MOVED("pair_ok+1");
	ASSERT_EQ(3, SYS(send(sv[0], "abc", 3, 0)));
	EXPECT_MOVED("%s_sent+1 %s_sent_bytes+3", variant->word, variant->word);
	close(sv[0]);
	close(sv[1]);
}

/* What flows is counted where it is sent and where it is received. */
TEST_F(counters, flow)
{
	bool stream = variant->type == SOCK_STREAM;
	const char *word = variant->word;
	char buf[1000];
	struct iovec iov[2] = {
		{ .iov_base = buf, .iov_len = 300 },
		{ .iov_base = buf + 300, .iov_len = 700 },
	};
	int fd[2], i;

	ASSERT_EQ(0, quiet_pair(&self->v, variant->type, fd));
	ASSERT_EQ(100, SYS(send(fd[0], buf, 100, 0)));
	EXPECT_MOVED("%s_sent+1 %s_sent_bytes+100", word, word);
	ASSERT_EQ(100, SYS(recv(fd[1], buf, sizeof(buf), MSG_PEEK)));
	EXPECT_MOVED("%s", "");
	/* The rest of a message is gone, and counts with it. */
	ASSERT_EQ(30, SYS(recv(fd[1], buf, 30, 0)));
	EXPECT_MOVED("%s_received+1 %s_received_bytes+%d", word, word, stream ? 30 : 100);
	if (stream) {
		ASSERT_EQ(70, SYS(recv(fd[1], buf, sizeof(buf), 0)));
		EXPECT_MOVED("stream_received+1 stream_received_bytes+70");
	}

	/* The other way, and one call is one send, whatever it consists of. */
	ASSERT_EQ(1000, SYS(writev(fd[1], iov, 2)));
	EXPECT_MOVED("%s_sent+1 %s_sent_bytes+1000", word, word);
	ASSERT_EQ(1000, SYS(readv(fd[0], iov, 2)));
	EXPECT_MOVED("%s_received+1 %s_received_bytes+1000", word, word);

	/* A call that fails moves no bytes. */
	EXPECT_EQ(-EFAULT, SYS(send(fd[0], (void *)1, 10, 0)));
	EXPECT_MOVED("%s", "");

	if (stream)
		goto out;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, SYS(send(fd[0], buf, 0, 0)));
	EXPECT_MOVED("%s_sent+3", word);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, SYS(recv(fd[1], buf, 1, 0)));
	EXPECT_MOVED("%s_received+3", word);
out:
	close(fd[0]);
	close(fd[1]);
}

/* The counters of all CPUs make the sum. */
TEST_F(counters, cpus)
{
	cpu_set_t all;
	int fd[2], cpu, n = 0;
	char c;

	ASSERT_EQ(0, sched_getaffinity(0, sizeof(all), &all));
	ASSERT_EQ(0, quiet_pair(&self->v, variant->type, fd));
	for (cpu = 0; cpu < CPU_SETSIZE && n < 8; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		ASSERT_EQ(0, rt_pin(cpu));
		ASSERT_EQ(1, SYS(send(fd[0], "x", 1, 0)));
		ASSERT_EQ(1, SYS(recv(fd[1], &c, 1, 0)));
		n++;
	}
	EXPECT_MOVED("%s_sent+%d %s_sent_bytes+%d %s_received+%d %s_received_bytes+%d",
		     variant->word, n, variant->word, n, variant->word, n,
		     variant->word, n);
	close(fd[0]);
	close(fd[1]);
}

/* What is dropped, why, and that nothing is lost to the count. */
TEST_F(counters, dropped)
{
	bool stream = variant->type == SOCK_STREAM;
	const char *word = variant->word;
	char buf[100];
	int fd[2], i;

	/* The reader closes. */
	ASSERT_EQ(0, quiet_pair(&self->v, variant->type, fd));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(100, SYS(send(fd[0], buf, 100, 0)));
	ASSERT_EQ(10, SYS(recv(fd[1], buf, 10, 0)));
	moved(&self->v);
	close(fd[1]);
	if (stream)
		EXPECT_MOVED("stream_dropped_bytes+290 reset_unread+1");
	else if (variant->type == SOCK_SEQPACKET)
		EXPECT_MOVED("seqpacket_dropped+2 reset_unread+1");
	else
		EXPECT_MOVED("dgram_dropped+2");
	EXPECT_EQ(variant->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE,
		  SYS(send(fd[0], buf, 1, MSG_NOSIGNAL)));
	EXPECT_MOVED("%s", "");
	close(fd[0]);
	EXPECT_MOVED("%s", "");
	if (variant->type == SOCK_DGRAM)
		return;

	/* The writer resets. */
	ASSERT_EQ(0, quiet_pair(&self->v, variant->type, fd));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(100, SYS(send(fd[0], buf, 100, 0)));
	EXPECT_MOVED("%s_sent+3 %s_sent_bytes+300", word, word);
	ASSERT_EQ(0, rt_set_linger(fd[0], 1, 0));
	close(fd[0]);
	EXPECT_EQ(-ECONNRESET, SYS(recv(fd[1], buf, sizeof(buf), 0)));
	if (stream)
		EXPECT_MOVED("stream_dropped_bytes+300 reset_linger+1");
	else
		EXPECT_MOVED("seqpacket_dropped+3 reset_linger+1");
	close(fd[1]);
	EXPECT_MOVED("%s", "");

	/* All was read: the end is no reset. */
	ASSERT_EQ(0, quiet_pair(&self->v, variant->type, fd));
	ASSERT_EQ(100, SYS(send(fd[0], buf, 100, 0)));
	ASSERT_EQ(100, SYS(recv(fd[1], buf, 100, 0)));
	moved(&self->v);
	close(fd[1]);
	close(fd[0]);
	EXPECT_MOVED("%s", "");
}

/* Files beside data: two sent, of which a peek takes none. */
static int send_files(int fd)
{
	int files[2] = { STDIN_FILENO, STDERR_FILENO };

	return rd_send_cmsg(fd, "x", 1, 0, SOL_SOCKET, SCM_RIGHTS, files, sizeof(files));
}

TEST_F(counters, files)
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} u;
	char c;
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	const char *word = variant->word;
	int fd[2];

	ASSERT_EQ(0, quiet_pair(&self->v, variant->type, fd));
	ASSERT_EQ(1, send_files(fd[0]));
	EXPECT_MOVED("%s_sent+1 %s_sent_bytes+1 files_sent+2", word, word);
	ASSERT_EQ(1, SYS(recvmsg(fd[1], &msg, MSG_PEEK)));
	EXPECT_MOVED("%s", "");
	msg.msg_controllen = sizeof(u.buf);
	ASSERT_EQ(1, SYS(recvmsg(fd[1], &msg, 0)));
	EXPECT_MOVED("%s_received+1 %s_received_bytes+1 files_received+2", word, word);
	/* A receiver that has no room for them has received them. */
	ASSERT_EQ(1, send_files(fd[0]));
	ASSERT_EQ(1, SYS(recv(fd[1], &c, 1, 0)));
	EXPECT_EQ(2, grown(&self->v, "files_received"));
	/* Nobody receives these. */
	ASSERT_EQ(1, send_files(fd[0]));
	moved(&self->v);
	close(fd[1]);
	EXPECT_EQ(2, grown(&self->v, "files_dropped"));
	/* Nor are these sent. */
	EXPECT_GT(0, SYS(rd_send_cmsg(fd[0], "x", 1, MSG_NOSIGNAL, SOL_SOCKET, SCM_RIGHTS,
				      &fd[0], sizeof(int))));
	close(fd[0]);
	EXPECT_EQ(0, grown(&self->v, "files_sent"));
}

/* A page that came by reference and is never read. */
TEST_F(counters, dropped_page)
{
	int fd[2], file;

	if (variant->type != SOCK_STREAM)
		SKIP(return, "about a ring");
	file = SYS(memfd_create("page", 0));
	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, 4096));
	ASSERT_EQ(0, quiet_pair(&self->v, variant->type, fd));
	ASSERT_EQ(4096, SYS(sendfile(fd[0], file, NULL, 4096)));
	EXPECT_MOVED("stream_sent+1 stream_sent_bytes+4096");
	close(fd[1]);
	EXPECT_MOVED("stream_dropped_bytes+4096 reset_unread+1");
	close(fd[0]);
	close(file);
}

TEST_F(counters, filtered)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = { .len = 1, .filter = &none };
	int fd[2];

	if (variant->type != SOCK_DGRAM)
		SKIP(return, "about datagrams");
	ASSERT_EQ(0, quiet_pair(&self->v, variant->type, fd));
	ASSERT_EQ(0, setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	ASSERT_EQ(5, SYS(send(fd[0], "abcde", 5, 0)));
	EXPECT_MOVED("dgram_sent+1 dgram_sent_bytes+5 dgram_filtered+1");
	ASSERT_EQ(1, send_files(fd[0]));
	EXPECT_EQ(2, grown(&self->v, "files_sent"));
	EXPECT_EQ(2, grown(&self->v, "files_dropped"));
	moved(&self->v);
	close(fd[0]);
	close(fd[1]);
	EXPECT_MOVED("%s", "");
}

/* A reader that finds nothing: goes away, sleeps, is woken, polls. */
TEST_F(counters, no_data)
{
	struct rt_call c = { .nr = SYS_recvfrom };
	const char *word = variant->word;
	char buf[100];
	int fd[2];

	ASSERT_EQ(0, quiet_pair(&self->v, variant->type, fd));
	EXPECT_EQ(-EAGAIN, SYS(recv(fd[1], buf, 1, MSG_DONTWAIT)));
	EXPECT_MOVED("again_data+1");

	c.fd = fd[1];
	c.buf = buf;
	c.len = sizeof(buf);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	EXPECT_MOVED("sleep_data+1");
	ASSERT_EQ(1, SYS(send(fd[0], "x", 1, 0)));
	ASSERT_EQ(1, rt_call_end(&c));
	EXPECT_MOVED("%s_sent+1 %s_sent_bytes+1 %s_received+1 %s_received_bytes+1 wake_data+1",
		     word, word, word, word);
	/* Nobody waits: nobody is woken. */
	ASSERT_EQ(1, SYS(send(fd[0], "x", 1, 0)));
	ASSERT_EQ(1, SYS(recv(fd[1], buf, 1, 0)));
	EXPECT_EQ(0, grown(&self->v, "wake_data"));
	moved(&self->v);

	/* poll() counts as somebody who waits, and sleeps in no receive. */
	c = (struct rt_call){ .nr = SYS_ppoll, .fd = fd[1], .events = POLLIN };
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	EXPECT_MOVED("%s", "");
	ASSERT_EQ(1, SYS(send(fd[0], "x", 1, 0)));
	ASSERT_EQ(POLLIN, rt_call_end(&c));
	EXPECT_MOVED("%s_sent+1 %s_sent_bytes+1 wake_data+1", word, word);
	close(fd[0]);
	close(fd[1]);
}

/* A writer that finds no room: goes away, sleeps, is woken. */
TEST_F(counters, no_space)
{
	struct rt_call c = { .nr = SYS_sendto };
	char buf[4096] = { 0 };
	int fd[2];

	ASSERT_EQ(0, rt_pair(RT_RILL, variant->type, fd));
	ASSERT_EQ(0, rt_set_int(fd[1], SOL_SOCKET, SO_RCVBUF, 16384));
	ASSERT_LT(0, rt_fill(fd[0], sizeof(buf)));
	moved(&self->v);
	EXPECT_EQ(-EAGAIN, SYS(send(fd[0], buf, 1, MSG_DONTWAIT)));
	EXPECT_MOVED("again_space+1");

	c.fd = fd[0];
	c.buf = buf;
	c.len = 1;
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	EXPECT_EQ(1, grown(&self->v, "sleep_space"));
	EXPECT_EQ(0, grown(&self->v, "wake_space"));
	ASSERT_LT(0, rt_drain(fd[1], sizeof(buf)));
	ASSERT_EQ(1, rt_call_end(&c));
	EXPECT_LE(1, grown(&self->v, "wake_space"));
	EXPECT_EQ(0, grown(&self->v, "sleep_data"));
	close(fd[0]);
	close(fd[1]);
}

/* A receiver that is full of another's messages: its reads wake the sender. */
TEST_F(counters, no_space_for_second)
{
	struct rt_call c = { .nr = SYS_sendto };
	struct rt_addr a = { .len = 0 };
	char buf[4096] = { 0 };
	int rfd, fd[2];

	if (variant->type != SOCK_DGRAM)
		SKIP(return, "about datagrams");
	rfd = rt_bound(RT_RILL, SOCK_DGRAM, &a);
	fd[0] = rt_client(RT_RILL, SOCK_DGRAM, &a);
	fd[1] = rt_client(RT_RILL, SOCK_DGRAM, &a);
	ASSERT_LE(0, fd[1]);
	ASSERT_EQ(0, rt_set_int(rfd, SOL_SOCKET, SO_RCVBUF, 4096));
	ASSERT_LT(0, rt_fill(fd[0], sizeof(buf)));
	c.fd = fd[1];
	c.buf = buf;
	c.len = 1;
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	moved(&self->v);
	EXPECT_EQ(0, grown(&self->v, "wake_space"));
	ASSERT_LT(0, SYS(recv(rfd, buf, sizeof(buf), 0)));
	ASSERT_EQ(1, rt_call_end(&c));
	EXPECT_EQ(1, grown(&self->v, "wake_space"));
	close(rfd);
	close(fd[0]);
	close(fd[1]);
}

TEST_F(counters, accept_woken)
{
	struct rt_call c = { .nr = SYS_accept };
	struct rt_addr a = { .len = 0 };
	int lfd, cfd;
	long afd;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "has no connections");
	lfd = rt_listener(RT_RILL, variant->type, 5, &a);
	ASSERT_LE(0, lfd);
	moved(&self->v);
	c.fd = lfd;
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	cfd = rt_client(RT_RILL, variant->type, &a);
	ASSERT_LE(0, cfd);
	afd = rt_call_end(&c);
	ASSERT_LE(0, afd);
	EXPECT_MOVED("connect_ok+1 accept_ok+1 wake_accept+1");
	close(afd);
	close(cfd);
	close(lfd);
}

/*
 * Busy polling has a test of its own, busy.c: here it is only that one wait that
 * looked, whatever came of it, is one hit or one miss.
 */
TEST_F(counters, busy_poll)
{
	struct rt_call c = { .nr = SYS_recvfrom };
	long long hit, miss;
	cpu_set_t one;
	char buf[8];
	int fd[2];

	ASSERT_EQ(0, sched_getaffinity(0, sizeof(one), &one));
	if (CPU_COUNT(&one) < 2)
		SKIP(return, "needs two CPUs");
	ASSERT_EQ(0, rt_write_file("/proc/sys/net/rill/max_busy_poll_us", "1000000\n"));
	ASSERT_EQ(0, quiet_pair(&self->v, variant->type, fd));
	ASSERT_EQ(0, rt_set_int(fd[1], SOL_RILL, RILL_BUSY_POLL, 1000));
	/* The last write came from another CPU than the one that will read. */
	ASSERT_EQ(0, rt_pin(0));
	ASSERT_EQ(1, SYS(send(fd[0], "x", 1, 0)));
	ASSERT_EQ(0, rt_pin(1));
	ASSERT_EQ(1, SYS(recv(fd[1], buf, 1, 0)));
	moved(&self->v);
	c.fd = fd[1];
	c.buf = buf;
	c.len = sizeof(buf);
	ASSERT_EQ(0, rt_call_start(&c));
	ASSERT_TRUE(rt_call_sleeps(&c));
	hit = grown(&self->v, "busy_poll_hit");
	miss = grown(&self->v, "busy_poll_miss");
	EXPECT_EQ(0, hit);
	/* None, if another task wanted the CPU at once. */
	EXPECT_GE(1, miss);
	EXPECT_EQ(1, grown(&self->v, "sleep_data"));
	ASSERT_EQ(1, SYS(send(fd[0], "x", 1, 0)));
	ASSERT_EQ(1, rt_call_end(&c));
	close(fd[0]);
	close(fd[1]);
}

/* Everything that was sent was received, dropped or filtered; several at once. */
#define MESSAGES	2000

static long sender(void *arg)
{
	char buf[64] = { 0 };
	int fd = *(int *)arg, i;

	for (i = 0; i < MESSAGES; i++)
		if (send(fd, buf, sizeof(buf), MSG_NOSIGNAL) != sizeof(buf))
			return -errno;
	return 0;
}

TEST_F_TIMEOUT(counters, sum, 60)
{
	long long sent, received, dropped;
	char name[64], buf[64];
	struct rt_thread t[2];
	int fd[2], i;

	ASSERT_EQ(0, quiet_pair(&self->v, variant->type, fd));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, rt_thread_start(&t[i], sender, &fd[0]));
	/* All but a handful, which nobody will read. */
	for (i = 0; i < 2 * MESSAGES - 5; i++)
		ASSERT_EQ(0, rt_recv_all(fd[1], buf, sizeof(buf)));
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_EQ(0, t[i].ret);
	}
	close(fd[1]);
	close(fd[0]);
	snprintf(name, sizeof(name), "%s_sent_bytes", variant->word);
	sent = grown(&self->v, name);
	snprintf(name, sizeof(name), "%s_received_bytes", variant->word);
	received = grown(&self->v, name);
	EXPECT_EQ(2 * MESSAGES * 64, sent);
	EXPECT_EQ((2 * MESSAGES - 5) * 64, received);
	if (variant->type == SOCK_STREAM) {
		dropped = grown(&self->v, "stream_dropped_bytes");
		EXPECT_EQ(sent, received + dropped);
	} else {
		snprintf(name, sizeof(name), "%s_dropped", variant->word);
		EXPECT_EQ(5, grown(&self->v, name));
	}
}

/*
 * For want of memory.  Needs a kernel with fault injection: the nth allocation
 * of this thread fails, for n from 1 on, until none does.
 */
static int fail_nth(int fd, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", n);

	return pwrite(fd, text, len, 0) == len ? 0 : -errno;
}

/* As they were is as nobody needs them: without a fail-nth, nothing fails. */
static int fail_setup(void)
{
	static const char * const quiet[] = { "failslab", "fail_usercopy", "fail_page_alloc" };
	char path[96];
	unsigned int i;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	if (mount("none", "/sys/kernel/debug", "debugfs", 0, NULL) && errno != EBUSY)
		return -errno;
	/* A failure that is asked for is not to be told in the kernel's log. */
	for (i = 0; i < ARRAY_SIZE(quiet); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", quiet[i]);
		rt_write_file(path, "0\n");
	}
	return rt_write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N\n");
}

TEST_F(counters, no_memory)
{
	struct rt_addr a = { .len = 0 };
	int lfd, fd, warm, nth, n, err = -ENOMEM, failed = 0;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "its connect() allocates nothing");
	if (access("/proc/thread-self/fail-nth", W_OK) || fail_setup()) {
		const char *debug = getenv("RILL_DEBUG_KERNEL");

		ASSERT_FALSE(debug && atoi(debug) == 1);
		SKIP(return, "the kernel has no fault injection");
	}
	lfd = rt_listener(RT_RILL, variant->type, 5, &a);
	fd = rt_socket(RT_RILL, variant->type);
	warm = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, lfd);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, warm);
	/*
	 * What this thread allocates for anything else would take the failure
	 * away from connect(), and do without: a page fault on what it shares
	 * with its parent until it writes, as the stack, or debugobjects when a
	 * file is closed.  So once without a failure, and the file stays open.
	 */
	nth = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, nth);
	ASSERT_EQ(0, fail_nth(nth, 0));
	ASSERT_EQ(0, rt_connect(warm, &a));
	moved(&self->v);
	/* -EFAULT is the copy of the address, which fails by the same counter. */
	for (n = 1; (err == -ENOMEM || err == -EFAULT) && n < 100; n++) {
		ASSERT_EQ(0, fail_nth(nth, n));
		err = rt_connect(fd, &a);
		fail_nth(nth, 0);
		failed += err == -ENOMEM;
	}
	EXPECT_EQ(0, err);
	EXPECT_LT(0, failed);
	EXPECT_MOVED("connect_ok+1 connect_nomem+%d", failed);
	close(nth);
	close(fd);
	close(warm);
	close(lfd);
}

TEST_HARNESS_MAIN
