// SPDX-License-Identifier: GPL-2.0-only
/*
 * How "rill run" is asked: --map, --receive and --send, and what it says to those
 * who ask wrongly.  A case starts this program anew with the options.
 */
#define _GNU_SOURCE
#include "run_test.h"

#define OPTIONS(...)	((char *[]){ __VA_ARGS__, NULL })

/* This program, as word, under the options; its checks count. */
static void under(char *const *options, const char *word)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid)
		exec_rill(options, OPTIONS("--as", (char *)word));
	tap_wait(pid);
}

/* A connection whose listener has the name of AF_RILL; NULL: it does not go there. */
static void named(int kind, const char *name)
{
	struct address a;
	int l = listener(kind, SOCK_STREAM, &a), c = client(SOCK_STREAM, &a), s, d = a.sa.sa_family;
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);

	s = accept(l, NULL, NULL);
	CHECK(s >= 0);
	talk(c, s);
	CHECK(raw_domain(c) == (name ? family : d) && raw_domain(s) == raw_domain(c));
	if (name) {
		size_t n = strlen(name);

		/* One that ends with a slash: all below it. */
		CHECK(!strncmp(raw_name(c, true), name, n));
		CHECK(name[n - 1] == '/' || !raw_name(c, true)[n]);
	}
	/* The program is told of none of this. */
	CHECK(option(c, SOL_SOCKET, SO_DOMAIN) == d && option(s, SOL_SOCKET, SO_DOMAIN) == d);
	CHECK(getpeername(c, (struct sockaddr *)&peer, &len) == 0 && peer.ss_family == d);
	if (d == AF_INET)
		CHECK(len == a.len && !memcmp(&peer, &a.ss, len));
	else
		CHECK(!strcmp(((struct sockaddr_un *)&peer)->sun_path, a.un.sun_path));
	len = sizeof(peer);
	CHECK(getsockname(s, (struct sockaddr *)&peer, &len) == 0 && peer.ss_family == d);
	if (kind == PATH)
		unlink(a.un.sun_path);
	close(l);
	close(s);
	close(c);
}

static void map_hit(int arg)
{
	(void)arg;
	under(OPTIONS("--map", "tcp:127.0.0.1:*=rt-tcp", "-m", "unix:/tmp/run_test-*=rt/unix",
		      "-m", "unix:@run_test-*=rt @"), "hit");
}

/* Who is not root gets past the file's mode, too. */
static void map_hit_nobody(int arg)
{
	pid_t pid = as_nobody();

	CHECK(pid >= 0);
	if (!pid) {
		map_hit(arg);
		exit(0);
	}
	tap_wait(pid);
}

static void map_miss(int arg)
{
	(void)arg;
	under(OPTIONS("-m", "tcp:127.0.0.1:1=rt-tcp", "-m", "unix:/run/*=rt-unix",
		      "-m", "udp:*=rt-udp", "-m", "unix:@other=rt-unix"), "miss");
}

static void map_never(int arg)
{
	(void)arg;
	under(OPTIONS("--map", "tcp:*=!", "--map=unix:/tmp/*=!"), "never");
	under(OPTIONS("--map", "*=!"), "never-any");
}

static void map_order(int arg)
{
	(void)arg;
	under(OPTIONS("-m", "tcp:127.0.0.1:*=rt-tcp", "-m", "tcp:*=!", "-m", "tcp:*=other",
		      "-m", "unix:/tmp/*=rt/unix", "-m", "unix:@*=rt @", "-m", "unix:*=!"),
	      "hit");
	under(OPTIONS("-m", "tcp:*=!", "-m", "tcp:127.0.0.1:*=rt-tcp", "-m", "unix:*=!",
		      "-m", "unix:/tmp/*=rt-unix"), "never");
}

/* Only the client has the rule: it falls back to the address. */
static void map_alone(int arg)
{
	struct address a;
	int l = listener(TCP4, SOCK_STREAM, &a);
	char port[8];
	pid_t pid = fork();

	(void)arg;
	if (!pid) {
		snprintf(port, sizeof(port), "%u", ntohs(a.in.sin_port));
		exec_rill(OPTIONS("-m", "tcp:*=rt-nobody"), OPTIONS("--as", "alone", port));
	}
	CHECK(close(accept(l, NULL, NULL)) == 0);
	tap_wait(pid);
}

static void map_exec(int arg)
{
	(void)arg;
	under(OPTIONS("-m", "tcp:*=rt", "-m", "unix:*=rt-unix"), "exec");
}

/* "rill run OPTION VALUE true" says one sentence with the value, and ends with 2. */
static void wrong(const char *opt, const char *value)
{
	char text[2048] = "", quoted[300];
	int out[2], status;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	CHECK(pipe(out) == 0);
	pid = fork();
	if (!pid) {
		dup2(out[1], STDERR_FILENO);
		exec_rill_command(OPTIONS((char *)opt, (char *)value), OPTIONS("true"));
	}
	close(out[1]);
	while (used < sizeof(text) - 1 &&
	       (n = read(out[0], text + used, sizeof(text) - 1 - used)) > 0)
		used += n;
	close(out[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 2)
		printf("# %s %s: status %x, \"%s\"\n", opt, value, status, text);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 2);
	snprintf(quoted, sizeof(quoted), " \"%s\"; see rill run --help\n", value);
	CHECK(!strncmp(text, "rill run: not ", 14) && strstr(text, quoted));
}

static void wrong_rules(int arg)
{
	static const char * const rules[] = {
		"", "=", "!", "tcp", "tcp:127.0.0.1:80", "=name", "tcp:*=", "unix:/x=", "sctp:*=x",
		"/run/x=name", "tcp=name", "tcp:*=a\nunix:*=b", "tcp:*=bell\a", "tcp:*=del\177",
	};
	char longest[160];

	(void)arg;
	for (size_t i = 0; i < TAP_COUNT(rules); i++)
		wrong("--map", rules[i]);
	sprintf(longest, "tcp:*=%0*d", RILL_NAME_SIZE, 0);
	wrong("-m", longest);
	/* One less is a name. */
	sprintf(longest, "tcp:*=%0*d", RILL_NAME_SIZE - 1, 0);
	setenv("RT_NAME", longest + 6, 1);
	under(OPTIONS("-m", longest), "longest");
}

static void wrong_sizes(int arg)
{
	static const char * const wrong_ones[] = {
		"", "0", "-1", "0K", "x", "K", "1T", "1KB", "64K ", "1.5M", "0x10", "1G",
		"2147483648", "99999999999999999999", "4294967296K", "17179869184G",
		"17592186044417M", "18014398509481985K",
	};

	(void)arg;
	for (size_t i = 0; i < TAP_COUNT(wrong_ones); i++) {
		wrong("-r", wrong_ones[i]);
		wrong("--send", wrong_ones[i]);
	}
}

/* What a socket of AF_RILL has if this is set; 0: nothing. */
static int size_as_set(int type, int name, int value)
{
	int fd = syscall(SYS_socket, family, type, 0), size;

	CHECK(fd >= 0);
	if (value)
		CHECK(setsockopt(fd, SOL_SOCKET, name, &value, sizeof(value)) == 0);
	size = option(fd, SOL_SOCKET, name);
	close(fd);
	return size;
}

static void sizes(int arg)
{
	(void)arg;
	under(OPTIONS("-r", "1M", "-t", "65536"), "sizes");
	under(OPTIONS("--receive", "1024k", "--send=64K"), "sizes");
	under(OPTIONS("--receive", "1024k"), "receive");
	under(OPTIONS("-r", "1m", "-t", "1M"), "both");
}

static long fill(int fd)
{
	static char buf[4096];
	long sum = 0;
	ssize_t n;

	while ((n = send(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		sum += n;
	CHECK(errno == EAGAIN);
	return sum;
}

static void sizes_are(int kind, int receive, int send)
{
	int want_r = size_as_set(SOCK_STREAM, SO_RCVBUF, receive);
	int want_s = size_as_set(SOCK_STREAM, SO_SNDBUF, send);
	struct address a;
	int l = listener(kind, SOCK_STREAM, &a), c = client(SOCK_STREAM, &a), s;

	s = accept(l, NULL, NULL);
	CHECK(raw_domain(c) == family && raw_domain(s) == family);
	CHECK(!receive || want_r != size_as_set(SOCK_STREAM, SO_RCVBUF, 0));
	CHECK(!send || want_s != size_as_set(SOCK_STREAM, SO_SNDBUF, 0));
	CHECK(option(c, SOL_SOCKET, SO_RCVBUF) == want_r);
	CHECK(option(s, SOL_SOCKET, SO_RCVBUF) == want_r);
	CHECK(option(c, SOL_SOCKET, SO_SNDBUF) == want_s);
	CHECK(option(s, SOL_SOCKET, SO_SNDBUF) == want_s);
	/* It is not only said. */
	CHECK(fill(c) == (want_r < want_s ? want_r : want_s));
	CHECK(fill(s) == (want_r < want_s ? want_r : want_s));
	/* What the program sets later is its own affair. */
	receive = 200000;
	CHECK(setsockopt(c, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive)) == 0);
	CHECK(option(c, SOL_SOCKET, SO_RCVBUF) == size_as_set(SOCK_STREAM, SO_RCVBUF, receive));
	if (kind == PATH)
		unlink(a.un.sun_path);
}

static int alone(char **args)
{
	struct address a;

	address(&a, TCP4);
	CHECK(args[0]);
	a.in.sin_port = htons(atoi(args[0]));
	CHECK(raw_domain(client(SOCK_STREAM, &a)) == AF_INET);
	CHECK(counted("run_not_peer") == 1);
	return 0;
}

/* A listener with a name of --map goes over exec(), too. */
static void mapped_exec(int kind)
{
	struct address a;
	int l = listener(kind, SOCK_STREAM, &a), c;
	char buf[4];
	pid_t pid = fork();

	if (!pid) {
		dup2(l, 9);
		execl("/proc/self/exe", "run_test", "--as", "exec-end", (char *)NULL);
		_exit(127);
	}
	c = client(SOCK_STREAM, &a);
	CHECK(raw_domain(c) == family && !strncmp(raw_name(c, true), "rt", 2));
	close(l);
	CHECK(write(c, "exec", 4) == 4 && read(c, buf, 4) == 4);
	tap_wait(pid);
	close(c);
	if (kind == PATH)
		unlink(a.un.sun_path);
}

static int exec_end(void)
{
	char buf[4];
	int s;

	CHECK(!(fcntl(9, F_GETFL) & O_NONBLOCK));
	s = accept(9, NULL, NULL);
	CHECK(raw_domain(s) == family);
	CHECK(option(s, SOL_SOCKET, SO_DOMAIN) == option(9, SOL_SOCKET, SO_DOMAIN));
	CHECK(read(s, buf, 4) == 4 && write(s, buf, 4) == 4);
	return 0;
}

/* Both ends of each type, as the program sees them, and as they are. */
static void pairs_are(bool moved)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (int i = 0; i < 3; i++) {
		struct sockaddr_un un = { 0 };
		socklen_t len = sizeof(un);
		char buf[8];
		int fd[2];

		CHECK(!socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, fd));
		for (int j = 0; j < 2; j++) {
			CHECK(raw_domain(fd[j]) == (moved ? family : AF_UNIX));
			CHECK(option(fd[j], SOL_SOCKET, SO_DOMAIN) == AF_UNIX);
			CHECK(option(fd[j], SOL_SOCKET, SO_TYPE) == types[i]);
			CHECK(fcntl(fd[j], F_GETFD) == FD_CLOEXEC);
			CHECK(write(fd[j], "hello", 5) == 5);
			CHECK(recvfrom(fd[!j], buf, sizeof(buf), 0, (struct sockaddr *)&un,
				       &len) == 5 && !memcmp(buf, "hello", 5));
			CHECK(!len || un.sun_family == AF_UNIX);
			len = sizeof(un);
			CHECK(!getpeername(fd[j], (struct sockaddr *)&un, &len) &&
			      un.sun_family == AF_UNIX && len == sizeof(sa_family_t));
		}
		close(fd[0]);
		CHECK(types[i] == SOCK_DGRAM || read(fd[1], buf, 1) == 0);
		close(fd[1]);
	}
	/* Who has nothing to count has no file of counters. */
	CHECK(moved ? counted("run_connect_rill") == 3 : counted("run_connect_rill") <= 0);
}

static void socketpairs(int unused)
{
	(void)unused;
	under(OPTIONS("--socketpair"), "pairs-moved");
	under(OPTIONS("--only", "tcp"), "pairs-own");
	under(OPTIONS(NULL), "pairs-own");
}

int how_main(const char *word, char **args)
{
	char name[32];

	if (!strcmp(word, "hit")) {
		named(TCP4, "rt-tcp");
		named(PATH, "rt/unix");
		return 0;
	}
	if (!strcmp(word, "miss")) {
		snprintf(name, sizeof(name), "user/%u/tcp/", geteuid());
		named(TCP4, name);
		snprintf(name, sizeof(name), "user/%u/unix/", geteuid());
		named(PATH, name);
		return 0;
	}
	if (!strcmp(word, "never") || !strcmp(word, "never-any")) {
		named(TCP4, NULL);
		named(PATH, NULL);
		CHECK(counted("run_not_map") == 2);
		CHECK(counted("run_listen_own") == 2);
		CHECK(counted("run_listen_rill") == 0);
		return 0;
	}
	if (!strcmp(word, "pairs-moved") || !strcmp(word, "pairs-own")) {
		pairs_are(word[6] == 'm');
		return 0;
	}
	if (!strcmp(word, "longest")) {
		named(TCP4, getenv("RT_NAME"));
		return 0;
	}
	if (!strcmp(word, "alone"))
		return alone(args);
	if (!strcmp(word, "exec")) {
		mapped_exec(TCP4);
		mapped_exec(PATH);
		return 0;
	}
	if (!strcmp(word, "exec-end"))
		return exec_end();
	if (!strcmp(word, "sizes") || !strcmp(word, "receive") || !strcmp(word, "both")) {
		int send = word[0] == 's' ? 65536 : word[0] == 'b' ? 1 << 20 : 0;

		sizes_are(TCP4, 1 << 20, send);
		sizes_are(PATH, 1 << 20, send);
		return 0;
	}
	return -1;
}

const struct tap_case how_cases[] = {
	{ "--map, a rule that fits",		map_hit, 0 },
	{ "--map, a rule that fits, nobody",	map_hit_nobody, 0 },
	{ "--map, none that fits",		map_miss, 0 },
	{ "--map, left alone",			map_never, 0 },
	{ "--map, the first of several",	map_order, 0 },
	{ "--map, the client only",		map_alone, 0 },
	{ "--map, a listener after exec",	map_exec, 0 },
	{ "--map, wrong rules",			wrong_rules, 0 },
	{ "--socketpair",			socketpairs, 0 },
	{ "--receive and --send",		sizes, 0 },
	{ "--receive and --send, wrong sizes",	wrong_sizes, 0 },
};

const size_t how_count = TAP_COUNT(how_cases);
