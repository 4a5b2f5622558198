// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module shows: /proc/net/rill, /proc/net/rill_stat, fdinfo and
 * /proc/net/protocols.
 *
 * Besides, the program that module.sh and autoload.sh run:
 *	procfs --socket		is socket() possible?  The exit status is the errno.
 *	procfs --traffic N	N pairs of each type at once, data through each
 *	procfs --hold KIND	keeps sockets until standard input ends
 */
#include "rill_test_data.h"

/* The longest name that there is. */
#define TEN	"0123456789"
#define LONGEST	TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "012"

#define HEADER	"Type State Inode Peer Recv-Q Send-Q Uid Name\n"
#define TEXT	1048576

FIXTURE(show)
{
	char *text;
};

FIXTURE_VARIANT(show)
{
	int type;
	const char *word;
};

FIXTURE_VARIANT_ADD(show, stream)
{
	.type = SOCK_STREAM, .word = "stream",
};

FIXTURE_VARIANT_ADD(show, dgram)
{
	.type = SOCK_DGRAM, .word = "dgram",
};

FIXTURE_VARIANT_ADD(show, seqpacket)
{
	.type = SOCK_SEQPACKET, .word = "seqpacket",
};

/* A namespace of our own, in which there is nothing but ours. */
FIXTURE_SETUP(show)
{
	if (unshare(CLONE_NEWNET))
		SKIP(return, "needs root");
	self->text = malloc(TEXT);
}

FIXTURE_TEARDOWN(show)
{
	free(self->text);
}

static int count_lines(char *text)
{
	int n = 0;

	if (rt_read_file("/proc/thread-self/net/rill", text, TEXT) < 0)
		return -1;
	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

static void check_line(struct __test_metadata *_metadata, int fd, const char *type,
		       const char *state, unsigned long peer, const char *name)
{
	struct rt_proc p;

	ASSERT_TRUE(rt_proc_find(rt_inode(fd), &p));
	EXPECT_STREQ(type, p.type);
	EXPECT_STREQ(state, p.state);
	EXPECT_EQ(peer, p.peer);
	EXPECT_EQ(geteuid(), p.uid);
	EXPECT_STREQ(name, p.name);
}

static void check_queues(struct __test_metadata *_metadata, int fd, long recvq, long sendq)
{
	struct rt_proc p;

	ASSERT_TRUE(rt_proc_find(rt_inode(fd), &p));
	EXPECT_EQ(recvq, (long)p.recvq);
	EXPECT_EQ(sendq, (long)p.sendq);
}

TEST_F(show, header)
{
	if (!self->text)
		return;
	ASSERT_EQ(1, count_lines(self->text));
	EXPECT_STREQ(HEADER, self->text);
}

TEST_F(show, states)
{
	struct rt_addr a = rt_new_addr(RT_RILL);
	int fd, cfd, wfd, afd;
	const char *name;
	struct rt_proc p;

	if (!self->text)
		return;
	name = a.rill.srl_name;
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, fd);
	check_line(_metadata, fd, variant->word, "CLOSE", 0, "-");
	ASSERT_EQ(0, rt_bind(fd, &a));
	check_line(_metadata, fd, variant->word, "CLOSE", 0, name);
	check_queues(_metadata, fd, 0, 0);
	cfd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, cfd);
	if (variant->type == SOCK_DGRAM) {
		ASSERT_EQ(0, rt_connect(cfd, &a));
		check_line(_metadata, cfd, variant->word, "CONNECTED", rt_inode(fd), "-");
		check_line(_metadata, fd, variant->word, "CLOSE", 0, name);
		ASSERT_EQ(0, rt_disconnect(cfd));
		check_line(_metadata, cfd, variant->word, "CLOSE", 0, "-");
		close(fd);
		close(cfd);
		EXPECT_TRUE(RT_UNTIL(count_lines(self->text) == 1));
		return;
	}

	ASSERT_EQ(0, listen(fd, 0));
	check_line(_metadata, fd, variant->word, "LISTEN", 0, name);
	/* Of the listener: how many wait to be accepted, and how many may. */
	check_queues(_metadata, fd, 0, 1);
	ASSERT_EQ(0, rt_connect(cfd, &a));
	check_queues(_metadata, fd, 1, 1);
	/* Connected, and its other end has no file yet. */
	check_line(_metadata, cfd, variant->word, "CONNECTED", 0, "-");
	ASSERT_TRUE(rt_proc_find(0, &p));
	EXPECT_STREQ(variant->word, p.type);
	EXPECT_STREQ("CONNECTED", p.state);
	EXPECT_EQ(rt_inode(cfd), p.peer);
	EXPECT_STREQ(name, p.name);

	wfd = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
	ASSERT_LE(0, wfd);
	ASSERT_EQ(-EINPROGRESS, rt_connect(wfd, &a));
	check_line(_metadata, wfd, variant->word, "CONNECTING", 0, "-");
	/* Header, listener, connected, its end, the one in line. */
	EXPECT_EQ(5, count_lines(self->text));

	afd = SYS(accept(fd, NULL, NULL));
	ASSERT_LE(0, afd);
	check_line(_metadata, afd, variant->word, "CONNECTED", rt_inode(cfd), name);
	check_line(_metadata, cfd, variant->word, "CONNECTED", rt_inode(afd), "-");
	check_line(_metadata, wfd, variant->word, "CONNECTED", 0, "-");
	close(cfd);
	/* A peer that is gone has no inode. */
	ASSERT_TRUE(rt_proc_find(rt_inode(afd), &p));
	EXPECT_EQ(0, p.peer);
	close(afd);
	close(wfd);
	close(fd);
	EXPECT_TRUE(RT_UNTIL(count_lines(self->text) == 1));
}

TEST_F(show, pair)
{
	int sv[2];

	if (!self->text)
		return;
	ASSERT_EQ(0, socketpair(rt_rill_family(), variant->type, 0, sv));
	check_line(_metadata, sv[0], variant->word, "CONNECTED", rt_inode(sv[1]), "-");
	check_line(_metadata, sv[1], variant->word, "CONNECTED", rt_inode(sv[0]), "-");
	ASSERT_EQ(100, SYS(send(sv[0], self->text, 100, 0)));
	ASSERT_EQ(20, SYS(send(sv[0], self->text, 20, 0)));
	if (variant->type == SOCK_STREAM) {
		check_queues(_metadata, sv[0], 0, 120);
		check_queues(_metadata, sv[1], 120, 0);
		ASSERT_EQ(50, SYS(recv(sv[1], self->text, 50, 0)));
		check_queues(_metadata, sv[0], 0, 70);
		check_queues(_metadata, sv[1], 70, 0);
	} else {
		struct rt_proc p;
		int outq;

		/* As the ioctls: the next message's length, and memory in flight. */
		ASSERT_EQ(0, ioctl(sv[0], SIOCOUTQ, &outq));
		ASSERT_TRUE(rt_proc_find(rt_inode(sv[0]), &p));
		EXPECT_EQ(outq, (int)p.sendq);
		EXPECT_LT(120, p.sendq);
		ASSERT_TRUE(rt_proc_find(rt_inode(sv[1]), &p));
		EXPECT_LE(100, p.recvq);
	}
	close(sv[0]);
	close(sv[1]);
}

TEST_F(show, uid)
{
	struct rt_proc p;
	int fd;

	if (!self->text)
		return;
	ASSERT_EQ(0, seteuid(1001));
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_EQ(0, seteuid(0));
	ASSERT_LE(0, fd);
	ASSERT_TRUE(rt_proc_find(rt_inode(fd), &p));
	EXPECT_EQ(1001, p.uid);
	close(fd);
}

/* Names that want to look like columns, lines, or nothing. */
TEST_F(show, forgery)
{
	static const char * const names[] = {
		" ", "  two  spaces  ", "-", "a b",
		"x stream LISTEN 1 2 3 4 0 root",
		"stream CONNECTED 1 1 0 0 0 innocent",
		"\\n\\nstream", "\\012", "%s%n", "%",
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9f",	/* UTF-8 */
		"\xc2\x85\xe2\x80\xa8x",		/* its line ends */
		"\xff\xfe\x80\x9b[2J",			/* not UTF-8, a C1 escape */
		LONGEST,
	};
	struct rt_proc p;
	unsigned int i;
	int fd[16];

	if (!self->text)
		return;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct rt_addr a = rt_addr(RT_RILL, names[i]);

		fd[i] = rt_bound(RT_RILL, variant->type, &a);
		ASSERT_LE(0, fd[i]) {
			TH_LOG("name %u: '%s'", i, names[i]);
		}
		/* One more socket is one more line. */
		EXPECT_EQ(i + 2, count_lines(self->text));
	}
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		char *line, *save = NULL, want[256];
		int hits = 0;

		/* The columns are ours, up to the seventh blank; the rest is the name. */
		snprintf(want, sizeof(want), "%s CLOSE %lu 0 0 0 0 %s", variant->word,
			 rt_inode(fd[i]), names[i]);
		ASSERT_LT(0, count_lines(self->text));
		for (line = strtok_r(self->text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			hits += !strcmp(line, want);
		EXPECT_EQ(1, hits) {
			TH_LOG("no line for '%s'", names[i]);
		}
	}
	/* None that can end a line or move a cursor. */
	for (i = 1; i < 0x20; i++) {
		struct rt_addr a = rt_addr(RT_RILL, "ab?cd");

		a.rill.srl_name[2] = i;
		EXPECT_EQ(-EINVAL, rt_bound(RT_RILL, variant->type, &a));
	}
	ASSERT_TRUE(rt_proc_find(rt_inode(fd[0]), &p));
	for (i = 0; i < ARRAY_SIZE(names); i++)
		close(fd[i]);
}

/* ---- fdinfo ------------------------------------------------------------ */

static bool fdinfo(int fd, const char *key, char *val, size_t size)
{
	char path[64], buf[4096], *p;

	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", fd);
	if (rt_read_file(path, buf, sizeof(buf)) <= 0)
		return false;
	p = strstr(buf, key);
	if (!p || (p != buf && p[-1] != '\n'))
		return false;
	p += strlen(key);
	while (*p == '\t')
		p++;
	p[strcspn(p, "\n")] = '\0';
	snprintf(val, size, "%s", p);
	return true;
}

#define EXPECT_INFO(fd, key, want) do {			\
	char __val[256] = "(no such line)";		\
							\
	fdinfo(fd, key, __val, sizeof(__val));		\
	EXPECT_STREQ(want, __val);			\
} while (0)

TEST_F(show, fdinfo)
{
	struct rt_addr a = rt_addr(RT_RILL, "with space\xc3\xa4");
	char ino[32];
	int fd, cfd;

	if (!self->text)
		return;
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, fd);
	EXPECT_INFO(fd, "rill-type:", variant->word);
	EXPECT_INFO(fd, "rill-state:", "CLOSE");
	EXPECT_INFO(fd, "rill-name:", "-");
	EXPECT_INFO(fd, "rill-peer-ino:", "0");
	ASSERT_EQ(0, rt_bind(fd, &a));
	EXPECT_INFO(fd, "rill-name:", "with space\xc3\xa4");
	cfd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, cfd);
	if (variant->type != SOCK_DGRAM) {
		ASSERT_EQ(0, listen(fd, 4));
		EXPECT_INFO(fd, "rill-state:", "LISTEN");
		EXPECT_INFO(fd, "rill-recv-q:", "0");
		EXPECT_INFO(fd, "rill-send-q:", "5");
	}
	ASSERT_EQ(0, rt_connect(cfd, &a));
	EXPECT_INFO(cfd, "rill-state:", "CONNECTED");
	if (variant->type == SOCK_DGRAM) {
		snprintf(ino, sizeof(ino), "%lu", rt_inode(fd));
		EXPECT_INFO(cfd, "rill-peer-ino:", ino);
		ASSERT_EQ(7, SYS(send(cfd, "1234567", 7, 0)));
		EXPECT_INFO(fd, "rill-recv-q:", "7");
	} else {
		EXPECT_INFO(fd, "rill-recv-q:", "1");
		EXPECT_INFO(cfd, "rill-peer-ino:", "0");
	}
	if (variant->type == SOCK_STREAM) {
		ASSERT_EQ(7, SYS(send(cfd, "1234567", 7, 0)));
		EXPECT_INFO(cfd, "rill-send-q:", "7");
	}
	close(cfd);
	close(fd);
}

/* ---- counters ---------------------------------------------------------- */

#define EXPECT_COUNT(name, want) EXPECT_EQ(want, rt_counter(name))

TEST_F(show, gauges)
{
	struct rt_addr a = rt_new_addr(RT_RILL);
	int fd[3], i;

	if (!self->text)
		return;
	EXPECT_COUNT("sockets", 0);
	EXPECT_COUNT("names", 0);
	EXPECT_COUNT("waiting", 0);
	for (i = 0; i < 3; i++) {
		fd[i] = rt_socket(RT_RILL, variant->type);
		EXPECT_COUNT("sockets", i + 1);
	}
	ASSERT_EQ(0, rt_bind(fd[0], &a));
	EXPECT_COUNT("names", 1);
	EXPECT_COUNT("bind_ok", 1);
	EXPECT_COUNT("bind_inuse", 0);
	EXPECT_EQ(-EADDRINUSE, rt_bind(fd[1], &a));
	EXPECT_COUNT("bind_inuse", 1);
	EXPECT_COUNT("bind_ok", 1);
	a = rt_addr(RT_RILL, "auto/x");
	EXPECT_EQ(-EACCES, rt_bind(fd[1], &a));
	EXPECT_COUNT("bind_denied", 1);
	for (i = 0; i < 3; i++)
		close(fd[i]);
	EXPECT_TRUE(RT_UNTIL(!rt_counter("sockets")));
	EXPECT_COUNT("names", 0);
}

TEST_F(show, connects)
{
	struct rt_addr a = rt_new_addr(RT_RILL), b = rt_new_addr(RT_RILL);
	int lfd, cfd, wfd[3], i, afd;
	pid_t pid;

	if (!self->text)
		return;
	cfd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, cfd);
	EXPECT_EQ(-ECONNREFUSED, rt_connect(cfd, &b));
	EXPECT_COUNT("connect_noname", 1);
	umask(0777);
	lfd = rt_bound(RT_RILL, variant->type, &a);
	ASSERT_LE(0, lfd);
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHECK_EQ(0, rd_become(1001, 1001, NULL, 0));
		CHECK_EQ(-EACCES, rt_connect(cfd, &a));
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
	EXPECT_COUNT("connect_denied", 1);
	if (variant->type == SOCK_DGRAM)
		return;

	/* Bound, and not listening. */
	EXPECT_EQ(-ECONNREFUSED, rt_connect(cfd, &a));
	EXPECT_COUNT("connect_nolistener", 1);
	ASSERT_EQ(0, listen(lfd, 0));
	ASSERT_EQ(0, rt_connect(cfd, &a));
	EXPECT_COUNT("connect_ok", 1);
	EXPECT_COUNT("connect_waited", 0);
	for (i = 0; i < 3; i++) {
		wfd[i] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
		ASSERT_EQ(-EINPROGRESS, rt_connect(wfd[i], &a));
		EXPECT_COUNT("connect_waited", i + 1);
		EXPECT_COUNT("waiting", i + 1);
	}
	EXPECT_COUNT("connect_ok", 1);
	EXPECT_COUNT("accept_ok", 0);
	afd = SYS(accept(lfd, NULL, NULL));
	ASSERT_LE(0, afd);
	EXPECT_COUNT("accept_ok", 1);
	EXPECT_COUNT("connect_ok", 2);
	EXPECT_COUNT("waiting", 2);
	close(wfd[2]);
	EXPECT_COUNT("connect_left", 1);
	EXPECT_COUNT("waiting", 1);
	ASSERT_EQ(0, rt_disconnect(wfd[1]));
	EXPECT_COUNT("connect_left", 2);
	EXPECT_COUNT("waiting", 0);

	/* No line at all: whoever finds no room is refused, and counted. */
	ASSERT_EQ(0, rt_write_file("/proc/sys/net/rill/max_waiting", "0\n"));
	/* errno: connect ECONNREFUSED */
	EXPECT_EQ(-ECONNREFUSED, rt_connect(wfd[1], &a));
	EXPECT_COUNT("connect_overflow", 1);
	EXPECT_COUNT("connect_waited", 3);
}

TEST_F(show, protocols)
{
	const char *proto = variant->type == SOCK_STREAM ? "RILL" : "RILL-MSG";
	char *line, *save = NULL;
	int hits = 0, fd[5], i;
	long sockets = -1;

	if (!self->text)
		return;
	for (i = 0; i < 5; i++)
		fd[i] = rt_socket(RT_RILL, variant->type);
	ASSERT_LT(0, rt_read_file("/proc/thread-self/net/protocols", self->text, TEXT));
	for (line = strtok_r(self->text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char name[32];
		long size;

		if (sscanf(line, "%31s %ld %ld", name, &size, &sockets) != 3 ||
		    strcmp(name, proto))
			continue;
		hits++;
		/* Per namespace. */
		EXPECT_EQ(5, sockets);
		EXPECT_LT(500, size);
	}
	EXPECT_EQ(1, hits);
	for (i = 0; i < 5; i++)
		close(fd[i]);
}

/* ---- read while everything moves --------------------------------------- */

static atomic_bool stop;

static long churn(void *arg)
{
	int type = *(int *)arg;
	struct rt_addr a;
	long n = 0;
	int fd[2];

	while (!atomic_load(&stop)) {
		a = rt_new_addr(RT_RILL);
		fd[0] = rt_bound(RT_RILL, type, &a);
		if (fd[0] < 0)
			return fd[0];
		if (type != SOCK_DGRAM)
			listen(fd[0], 3);
		fd[1] = rt_client(RT_RILL, type, &a);
		if (fd[1] < 0)
			return fd[1];
		send(fd[1], "x", 1, MSG_NOSIGNAL);
		close(fd[n & 1]);
		close(fd[!(n & 1)]);
		n++;
	}
	return n;
}

TEST_F_TIMEOUT(show, while_churning, 60)
{
	struct rt_thread t[2];
	int type = variant->type, i, still;
	struct rt_proc p;
	char *line, *save;

	if (!self->text)
		return;
	/* One that is there all the time is seen every time. */
	still = rt_socket(RT_RILL, type);
	ASSERT_LE(0, still);
	atomic_store(&stop, false);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, rt_thread_start(&t[i], churn, &type));
	for (i = 0; i < 300; i++) {
		int seen = 0;

		ASSERT_LT(0, count_lines(self->text));
		ASSERT_EQ(0, strncmp(self->text, HEADER, strlen(HEADER)));
		save = NULL;
		line = strtok_r(self->text, "\n", &save);
		while ((line = strtok_r(NULL, "\n", &save))) {
			ASSERT_TRUE(rt_proc_parse(line, &p)) {
				TH_LOG("cannot read '%s'", line);
			}
			EXPECT_STREQ(variant->word, p.type);
			seen += p.inode == rt_inode(still);
		}
		EXPECT_EQ(1, seen);
	}
	atomic_store(&stop, true);
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_LT(0, t[i].ret);
	}
	close(still);
	EXPECT_TRUE(RT_UNTIL(!rt_counter("sockets")));
}

/* In small pieces, more than a page of it: each line once. */
TEST_F(show, small_reads)
{
	int fd[300], file, i, n = 0, len = 0;
	char *line, *save = NULL;

	if (!self->text)
		return;
	for (i = 0; i < 300; i++) {
		fd[i] = rt_socket(RT_RILL, variant->type);
		ASSERT_LE(0, fd[i]);
	}
	file = open("/proc/thread-self/net/rill", O_RDONLY);
	ASSERT_LE(0, file);
	while ((n = read(file, self->text + len, 100)) > 0)
		len += n;
	EXPECT_EQ(0, n);
	self->text[len] = '\0';
	n = 0;
	strtok_r(self->text, "\n", &save);
	while ((line = strtok_r(NULL, "\n", &save))) {
		struct rt_proc p;

		ASSERT_TRUE(rt_proc_parse(line, &p));
		for (i = 0; i < 300; i++) {
			if (fd[i] < 0 || rt_inode(fd[i]) != p.inode)
				continue;
			close(fd[i]);
			fd[i] = -1;
			n++;
		}
	}
	EXPECT_EQ(300, n);
	close(file);
}

/* ---- for the scripts --------------------------------------------------- */

static int raise_files(void)
{
	struct rlimit r = { .rlim_cur = 20000, .rlim_max = 20000 };

	return SYS(setrlimit(RLIMIT_NOFILE, &r));
}

static const int all_types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

static int traffic(int pairs)
{
	int (*fd)[2] = calloc(pairs * 3, sizeof(*fd));
	char out[3000], in[3000];
	int i, n = pairs * 3;

	raise_files();
	for (i = 0; i < n; i++) {
		CHECK_EQ(0, rt_pair(RT_RILL, all_types[i % 3], fd[i]));
		CHECK_EQ(0, rt_set_int(fd[i][1], SOL_SOCKET, SO_PASSCRED, 1));
	}
	for (i = 0; i < n; i++) {
		long len = 1 + i * 7 % 3000;

		rd_fill(out, len, i, 0);
		CHECK_EQ(len, SYS(send(fd[i][0], out, len, 0)));
		CHECK_EQ(len, SYS(send(fd[i][1], out, len, 0)));
	}
	for (i = 0; i < n; i++) {
		long len = 1 + i * 7 % 3000;

		CHECK_EQ(len, SYS(recv(fd[i][1], in, sizeof(in), 0)));
		CHECK_EQ(-1, rd_verify(in, len, i, 0));
		/* The other direction stays unread: a close must cope. */
	}
	return 0;
}

static int hold(const char *kind)
{
	struct rt_addr a = { .len = 0 };
	int lfd, cfd, afd = -1, sv[2], i;
	char c;

	if (!strcmp(kind, "open")) {
		for (i = 0; i < 3; i++)
			CHECK(rt_socket(RT_RILL, all_types[i]) >= 0);
	} else if (!strcmp(kind, "queued") || !strcmp(kind, "orphan") ||
		   !strcmp(kind, "waiting")) {
		lfd = rt_listener(RT_RILL, SOCK_STREAM, 0, &a);
		CHECK(lfd >= 0);
		cfd = rt_client(RT_RILL, SOCK_STREAM, &a);
		CHECK(cfd >= 0);
		CHECK_EQ(3, send(cfd, "abc", 3, 0));
		if (!strcmp(kind, "queued")) {
			/* Only the queue knows of the other end now. */
			close(cfd);
		} else if (!strcmp(kind, "orphan")) {
			afd = accept(lfd, NULL, NULL);
			CHECK(afd >= 0);
			close(lfd);
			close(cfd);
		} else {
			for (i = 0; i < 10; i++) {
				cfd = rt_socket(RT_RILL, SOCK_STREAM | SOCK_NONBLOCK);
				CHECK_EQ(-EINPROGRESS, rt_connect(cfd, &a));
			}
		}
	} else if (!strcmp(kind, "inflight")) {
		/* No process has it open: it is on its way through AF_UNIX. */
		CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
		cfd = rt_socket(RT_RILL, SOCK_STREAM);
		CHECK(cfd >= 0);
		CHECK_EQ(1, rd_send_cmsg(sv[0], "x", 1, 0, SOL_SOCKET, SCM_RIGHTS,
					 &cfd, sizeof(cfd)));
		close(cfd);
	} else {
		fprintf(stderr, "procfs --hold open|queued|orphan|waiting|inflight\n");
		return 2;
	}
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}

/* The harness brings its own main(): ours comes before it. */
#define main harness_main
TEST_HARNESS_MAIN
#undef main

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--socket"))
		return socket(RILL_FAMILY_DEFAULT, SOCK_STREAM, 0) < 0 ? errno : 0;
	if (argc == 3 && !strcmp(argv[1], "--traffic"))
		return traffic(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "--hold"))
		return hold(argv[2]);
	return harness_main(argc, argv);
}
