// SPDX-License-Identifier: GPL-2.0-only
/*
 * rillcat: standard input and output, or files, over AF_RILL sockets.
 *
 * What it works on: one or more connections (struct conn), each with what is
 * still to be sent to it, and one buffer (struct sink) for what came in and is
 * still to be written out.  Only when that buffer is empty is the next piece
 * received, from the next connection in turn: so a slow output holds back the
 * senders, messages of several clients come out whole, and no byte is dropped.
 *
 * Sockets are non-blocking.  Standard input and output are not made so, since
 * other programs share them: they are touched when poll() says so, and a pipe
 * gets no more at once than it takes without blocking.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <rill/rill.h>

enum {
	EXIT_OK = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_TIMEOUT = 3,
};

#define CHUNK		65536		/* bytes of a stream at once */
#define MESSAGE		16384		/* bytes of a message, unless -B */

static struct {
	const char *name;
	const char *send_path;
	const char *recv_path;
	int type;
	int mode;		/* -1: not given */
	int backlog;		/* -1: not given */
	int timeout_ms;		/* -1: none */
	size_t message;
	bool listen;
	bool keep;
	bool shut;		/* -N, or implied */
	bool no_input;		/* -d, or implied */
	bool probe;
	bool verbose;
} opt = {
	.type = SOCK_STREAM, .mode = -1, .backlog = -1, .timeout_ms = -1,
	.message = MESSAGE,
};

/* A connection, and what is still to be sent to it. */
struct conn {
	int fd;
	int id;
	bool in_eof;		/* the peer sends no more */
	bool in_done;		/* our input has ended */
	bool out_gone;		/* the peer reads no more */
	bool shut;		/* we have told the peer that our input has ended */
	bool hup;		/* poll() has reported a hang-up */
	bool broken;		/* an error: nothing more to be done with it */
	off_t offset;		/* --send with -k: where in the file it is */
	long long active;	/* when something last went in or out, in ms */
	char *buf;
	size_t start, end;
};

/* What came in and is still to be written to standard output or a file. */
static struct sink {
	int fd;
	bool regular;
	char *buf;
	size_t start, end, size;
} sink;

static struct conn **conns;
static size_t n_conns, max_conns;
static bool no_more_fds;	/* accept() is of no use until a client leaves */
static int source = -1;		/* where input is read from */
static int listener = -1;
static long long listen_active;
static long long progress;	/* when output was last written, in ms */
static int next_id;
static bool received;		/* a message, with -u */
static bool failed;		/* something went wrong with a connection */
static char printable[RILL_ESCAPED_SIZE];	/* opt.name, for messages */

static void vsay(const char *fmt, va_list ap)
{
	fputs("rillcat: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

__attribute__((format(printf, 1, 2)))
static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 1, 2)))
static void note(const char *fmt, ...)
{
	va_list ap;

	if (!opt.verbose)
		return;
	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
}

__attribute__((noreturn, format(printf, 2, 3)))
static void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	exit(status);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void *need(void *p)
{
	if (!p)
		die(EXIT_ERROR, "out of memory");
	return p;
}

/* ---- the command line ---- */

static void usage(FILE *to)
{
	fputs("usage: rillcat [options] NAME           connect to NAME\n"
	      "       rillcat -l [options] NAME        listen on NAME\n"
	      "\n"
	      "  -l, --listen          wait for a client instead of being one\n"
	      "  -k, --keep            with -l: go on for more clients, all at once\n"
	      "  -s, --seqpacket       messages over a connection (SOCK_SEQPACKET)\n"
	      "  -u, --dgram           datagrams (SOCK_DGRAM)\n"
	      "      --send FILE       send FILE instead of standard input; implies -N\n"
	      "      --recv FILE       write to FILE instead of standard output; without\n"
	      "                        --send, implies -d\n"
	      "  -N, --shutdown        tell the peer when the input has ended\n"
	      "  -d, --no-input        do not read standard input\n"
	      "  -z, --probe           only connect, send nothing\n"
	      "  -w, --timeout SECONDS give up after that long without progress\n"
	      "  -B, --message BYTES   with -s, -u: the longest message sent (16384)\n"
	      "  -m, --mode MODE       with -l: the mode of the name, in octal\n"
	      "  -q, --backlog N       with -l: connections that may wait for their turn\n"
	      "  -v, --verbose         say what happens, on standard error\n"
	      "  -h, --help            this text\n"
	      "  -V, --version         the version\n"
	      "\n"
	      "Exit status: 0 all went well, 1 an error, 2 wrong usage, 3 time-out.\n"
	      "See rillcat(1).\n", to);
}

__attribute__((noreturn, format(printf, 1, 2)))
static void die_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	fputs("Try 'rillcat --help'.\n", stderr);
	exit(EXIT_USAGE);
}

static long number(const char *what, const char *text, int base, long min,
		   long max)
{
	char *end;
	long val;

	errno = 0;
	val = strtol(text, &end, base);
	if (errno || end == text || *end || val < min || val > max)
		die_usage(base == 8 ? "%s must be an octal number from %lo to %lo, not '%s'" :
				      "%s must be a number from %ld to %ld, not '%s'",
			  what, min, max, text);
	return val;
}

static int seconds(const char *text)
{
	char *end;
	double val;

	errno = 0;
	val = strtod(text, &end);
	/* Written so that "nan" fails too. */
	if (errno || end == text || *end || !(val >= 0.001 && val <= 2000000))
		die_usage("the time-out must be from 0.001 to 2000000 seconds, not '%s'",
			  text);
	return (int)(val * 1000);
}

static void parse(int argc, char **argv)
{
	enum { OPT_SEND = 256, OPT_RECV };
	static const struct option longs[] = {
		{ "listen", no_argument, NULL, 'l' },
		{ "keep", no_argument, NULL, 'k' },
		{ "seqpacket", no_argument, NULL, 's' },
		{ "dgram", no_argument, NULL, 'u' },
		{ "send", required_argument, NULL, OPT_SEND },
		{ "recv", required_argument, NULL, OPT_RECV },
		{ "shutdown", no_argument, NULL, 'N' },
		{ "no-input", no_argument, NULL, 'd' },
		{ "probe", no_argument, NULL, 'z' },
		{ "timeout", required_argument, NULL, 'w' },
		{ "message", required_argument, NULL, 'B' },
		{ "mode", required_argument, NULL, 'm' },
		{ "backlog", required_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	bool seqpacket = false, dgram = false, message = false;
	int c;

	while ((c = getopt_long(argc, argv, "lksuNdzw:B:m:q:vhV", longs, NULL)) != -1) {
		switch (c) {
		case 'l':
			opt.listen = true;
			break;
		case 'k':
			opt.keep = true;
			break;
		case 's':
			seqpacket = true;
			break;
		case 'u':
			dgram = true;
			break;
		case OPT_SEND:
			opt.send_path = optarg;
			break;
		case OPT_RECV:
			opt.recv_path = optarg;
			break;
		case 'N':
			opt.shut = true;
			break;
		case 'd':
			opt.no_input = true;
			break;
		case 'z':
			opt.probe = true;
			break;
		case 'w':
			opt.timeout_ms = seconds(optarg);
			break;
		case 'B':
			opt.message = (size_t)number("the length of a message",
						     optarg, 10, 1, 1 << 30);
			message = true;
			break;
		case 'm':
			opt.mode = (int)number("the mode", optarg, 8, 0, 0777);
			break;
		case 'q':
			opt.backlog = (int)number("the backlog", optarg, 10, 0,
						  INT_MAX);
			break;
		case 'v':
			opt.verbose = true;
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_OK);
		case 'V':
			printf("rillcat %s (librill %s)\n", RILL_VERSION,
			       rill_version());
			exit(EXIT_OK);
		default:
			die_usage("the options are not understood");
		}
	}

	if (argc - optind < 1)
		die_usage("a name is missing");
	if (argc - optind > 1)
		die_usage("one name is enough; '%s' is too many", argv[optind + 1]);
	opt.name = argv[optind];
	if (!*opt.name)
		die_usage("the name must not be empty");
	if (seqpacket && dgram)
		die_usage("-s and -u exclude each other");
	opt.type = seqpacket ? SOCK_SEQPACKET : dgram ? SOCK_DGRAM : SOCK_STREAM;
	if (!opt.listen && (opt.keep || opt.mode >= 0 || opt.backlog >= 0))
		die_usage("-k, -m and -q need -l");
	if (dgram && opt.backlog >= 0)
		die_usage("-q is for connections; datagrams have none");
	if (opt.probe && (opt.listen || opt.send_path || opt.recv_path))
		die_usage("-z only connects; it goes with neither -l nor a file");
	if (dgram && opt.keep && opt.send_path)
		die_usage("with -u -k there is nobody in particular to send a file to");
	if (message && opt.type == SOCK_STREAM)
		die_usage("-B is for messages; it needs -s or -u");

	if (opt.send_path)
		opt.shut = true;
	else if (opt.recv_path || opt.keep)
		opt.no_input = true;	/* with -k: whom would it be for? */
	if (opt.type == SOCK_STREAM)
		opt.message = CHUNK;
}

/* ---- files ---- */

/*
 * Puts /dev/null in the place of a standard descriptor that is closed, so that
 * no socket gets its number.
 */
static void fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			die(EXIT_ERROR, "cannot open /dev/null: %s",
			    strerror(errno));
	} while (fd <= STDERR_FILENO);
	close(fd);
}

static void open_files(void)
{
	struct stat st;

	if (opt.send_path) {
		source = open(opt.send_path, O_RDONLY | O_CLOEXEC);
		if (source < 0)
			die(EXIT_ERROR, "cannot read '%s': %s", opt.send_path,
			    strerror(errno));
		if (fstat(source, &st) == 0 && S_ISDIR(st.st_mode))
			die(EXIT_ERROR, "cannot send '%s': it is a directory",
			    opt.send_path);
		if (opt.keep && lseek(source, 0, SEEK_CUR) < 0)
			die(EXIT_ERROR,
			    "cannot send '%s' to more than one client: it cannot be read twice. Copy it to a file first",
			    opt.send_path);
	} else if (!opt.no_input) {
		source = STDIN_FILENO;
	}

	sink.fd = STDOUT_FILENO;
	if (opt.recv_path) {
		sink.fd = open(opt.recv_path,
			       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (sink.fd < 0)
			die(EXIT_ERROR, "cannot write '%s': %s", opt.recv_path,
			    strerror(errno));
	}
	sink.regular = fstat(sink.fd, &st) == 0 && S_ISREG(st.st_mode);
	sink.size = CHUNK;
	sink.buf = need(malloc(sink.size));
}

static const char *output_name(void)
{
	return opt.recv_path ? opt.recv_path : "standard output";
}

static void sink_write(void)
{
	size_t n = sink.end - sink.start;
	ssize_t ret;

	/* More than that may block a pipe that poll() calls writable. */
	if (!sink.regular && n > PIPE_BUF)
		n = PIPE_BUF;
	ret = write(sink.fd, sink.buf + sink.start, n);
	if (ret < 0 && errno != EAGAIN && errno != EINTR)
		die(EXIT_ERROR, "cannot write to %s: %s", output_name(),
		    strerror(errno));
	if (ret > 0) {
		sink.start += (size_t)ret;
		progress = now_ms();
	}
}

static bool sink_empty(void)
{
	return sink.start == sink.end;
}

/* close() may be what tells of a full disk. */
static void sink_close(void)
{
	if (close(sink.fd) < 0 && errno != EINTR)
		die(EXIT_ERROR, "cannot write to %s: %s", output_name(),
		    strerror(errno));
}

/* ---- connections ---- */

static struct conn *conn_add(int fd)
{
	struct conn *c = need(calloc(1, sizeof(*c)));
	int on = 1;

	if (n_conns == max_conns) {
		max_conns = max_conns ? 2 * max_conns : 8;
		conns = need(realloc(conns, max_conns * sizeof(*conns)));
	}
	c->fd = fd;
	c->id = ++next_id;
	c->active = now_ms();
	c->in_done = source < 0;
	c->buf = need(malloc(opt.message));
	conns[n_conns++] = c;

	/*
	 * An empty message and the end of the connection both make recv() say
	 * 0; only the message comes with credentials.
	 */
	if (opt.type == SOCK_SEQPACKET)
		setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	return c;
}

static void conn_remove(size_t i)
{
	struct conn *c = conns[i];

	if (close(c->fd) < 0 && errno != EINTR)
		say("closing a socket: %s", strerror(errno));
	no_more_fds = false;
	free(c->buf);
	free(c);
	conns[i] = conns[--n_conns];
}

/*
 * Something went wrong with a connection.  What came over it is still written
 * out, and with -k the other clients are served on; the exit status remembers.
 */
__attribute__((format(printf, 2, 3)))
static void conn_fail(struct conn *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	failed = true;
	c->broken = true;
	c->in_done = true;
	c->start = c->end;
}

static void conn_read_input(struct conn *c)
{
	ssize_t n;

	if (opt.keep)
		n = pread(source, c->buf, opt.message, c->offset);
	else
		n = read(source, c->buf, opt.message);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		die(EXIT_ERROR, "cannot read %s: %s",
		    opt.send_path ? opt.send_path : "standard input",
		    strerror(errno));
	if (n == 0) {
		c->in_done = true;
		return;
	}
	c->offset += n;
	c->start = 0;
	c->end = (size_t)n;
	c->active = now_ms();
}

static void conn_send(struct conn *c)
{
	size_t n = c->end - c->start;
	ssize_t ret;

	ret = send(c->fd, c->buf + c->start, n, MSG_NOSIGNAL);
	if (ret < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (ret < 0 && errno == EMSGSIZE) {
		conn_fail(c, "a message of %zu bytes is too long for this socket; use a smaller -B",
			  n);
		return;
	}
	if (ret < 0) {
		conn_fail(c, "the peer did not take all that was to be sent: %s",
			  rill_explain(errno));
		/* It may still have something to say; recv() tells when not. */
		c->broken = opt.type == SOCK_DGRAM;
		c->out_gone = true;
		c->shut = true;
		return;
	}
	c->start += (size_t)ret;
	c->active = now_ms();
}

static void conn_shutdown(struct conn *c)
{
	c->shut = true;
	if (opt.type == SOCK_DGRAM)
		return;		/* there is nothing like it among datagrams */
	/* ENOTCONN: the peer is gone, and recv() will say how. */
	if (shutdown(c->fd, SHUT_WR) < 0 && errno != ENOTCONN)
		conn_fail(c, "cannot shut down the connection: %s",
			  strerror(errno));
}

/* Makes room for a message of any length: nothing of it is to be cut off. */
static bool sink_fit_message(int fd)
{
	int length = 0;

	if (ioctl(fd, FIONREAD, &length) < 0)
		return false;
	if ((size_t)length > sink.size) {
		sink.buf = need(realloc(sink.buf, (size_t)length));
		sink.size = (size_t)length;
	}
	return true;
}

static void conn_recv(struct conn *c)
{
	/* For the credentials alone: files that come along find no room, and are let go. */
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (opt.type != SOCK_STREAM && !sink_fit_message(c->fd)) {
		conn_fail(c, "cannot ask for the length of a message: %s",
			  strerror(errno));
		return;
	}
	iov.iov_base = sink.buf;
	iov.iov_len = sink.size;
	if (opt.type == SOCK_SEQPACKET) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
	}
	n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* That one peer has gone is not the end of listening to datagrams. */
	if (n < 0 && opt.type == SOCK_DGRAM &&
	    (errno == ECONNREFUSED || errno == ECONNRESET))
		return;
	if (n < 0) {
		conn_fail(c, "the connection broke: %s", rill_explain(errno));
		return;
	}
	if (msg.msg_flags & MSG_TRUNC) {
		conn_fail(c, "a message was longer than announced, its end is lost");
		return;
	}
	if (n == 0 && (opt.type == SOCK_STREAM ||
		       (opt.type == SOCK_SEQPACKET && !msg.msg_controllen))) {
		c->in_eof = true;
		return;
	}
	if (opt.type != SOCK_STREAM)
		note("a message of %zd bytes over connection %d", n, c->id);
	received = true;
	sink.start = 0;
	sink.end = (size_t)n;
	c->active = now_ms();
}

/* Has this connection nothing more to do? */
static bool conn_finished(const struct conn *c)
{
	bool all_sent = c->in_done && c->start == c->end && c->shut;

	if (c->broken)
		return true;
	if (opt.type == SOCK_DGRAM)	/* no end but that of our input */
		return all_sent && !opt.listen && opt.shut;
	if (!c->in_eof)
		return false;
	/* The peer sends no more.  Does it still read, and have we something? */
	if (all_sent || c->out_gone || c->hup)
		return true;
	/*
	 * Without -N, or with no input at all: now both have ended.  Only the
	 * close says so to the peer, when all that it sent has been written out.
	 */
	if (c->in_done && c->start == c->end)
		return true;
	/* A person at a terminal need not press ^D to see the server end. */
	return opt.listen && !opt.send_path && c->start == c->end &&
	       isatty(source);
}

/* The peer hung up.  Was there something that it should have read? */
static void conn_check_unsent(struct conn *c)
{
	if (!c->broken && !c->out_gone &&
	    (c->start < c->end || (opt.send_path && !c->in_done)))
		conn_fail(c, "the peer hung up before all was sent");
}

/* ---- beginning ---- */

static int make_listener(void)
{
	int fd, backlog = opt.backlog;

	fd = rill_socket(opt.type, SOCK_NONBLOCK);
	if (fd < 0)
		die(EXIT_ERROR, "cannot make a socket: %s", rill_explain(errno));
	if (opt.mode >= 0 && rill_set_mode(fd, opt.mode) < 0)
		die(EXIT_ERROR, "cannot set mode %03o: %s",
		    (unsigned int)opt.mode, strerror(errno));
	if (rill_bind(fd, opt.name) < 0)
		die(EXIT_ERROR, "cannot take the name '%s': %s", printable,
		    errno == EINVAL ? "it has a control character in it; use another name" :
				      rill_explain(errno));
	/*
	 * With one client to serve, the others had better stand in line (and be
	 * refused when it is there) than be connected to nobody.
	 */
	if (backlog < 0)
		backlog = opt.keep ? 128 : 0;
	if (opt.type != SOCK_DGRAM && listen(fd, backlog) < 0)
		die(EXIT_ERROR, "cannot listen on '%s': %s", printable,
		    rill_explain(errno));
	note("listening on %s", printable);
	return fd;
}

static int wait_for(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int n;

	/* No handler is installed, so a signal cannot stretch the time-out. */
	do
		n = poll(&pfd, 1, opt.timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		die(EXIT_ERROR, "poll: %s", strerror(errno));
	return n;
}

static int make_connection(void)
{
	struct sockaddr_rill sa;
	socklen_t len, errlen = sizeof(int);
	int fd, err = 0;

	fd = rill_socket(opt.type, SOCK_NONBLOCK);
	if (fd < 0)
		die(EXIT_ERROR, "cannot make a socket: %s", rill_explain(errno));
	if (rill_addr(&sa, &len, opt.name) < 0)
		die(EXIT_ERROR, "'%s' cannot be a name: %s", printable,
		    errno == EINVAL ? "it has a control character in it" :
				      rill_explain(errno));
	if (connect(fd, (struct sockaddr *)&sa, len) < 0) {
		err = errno;
		if (err == EINPROGRESS) {
			note("%s is busy; waiting in line", printable);
			if (!wait_for(fd, POLLOUT))
				die(EXIT_TIMEOUT, "cannot connect to '%s': %s",
				    printable, rill_explain(ETIMEDOUT));
			if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &errlen) < 0)
				err = errno;
		}
	}
	if (err)
		die(EXIT_ERROR, "cannot connect to '%s': %s", printable,
		    rill_explain(err));
	note("connected to %s", printable);
	return fd;
}

static void welcome(void)
{
	int fd = rill_accept(listener, SOCK_NONBLOCK);

	if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
		return;
	/* Too many clients: those in the queue wait until one has left. */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM) &&
	    n_conns) {
		no_more_fds = true;
		return;
	}
	if (fd < 0)
		die(EXIT_ERROR, "cannot accept a client: %s", strerror(errno));
	note("connection %d is here", conn_add(fd)->id);
	if (!opt.keep) {
		close(listener);
		listener = -1;
	}
}

/*
 * Datagrams, listening, without -k: the first sender becomes the peer, so that
 * it can be answered.
 */
static void first_datagram(void)
{
	struct sockaddr_rill from;
	struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from) };
	char name[RILL_NAME_SIZE], text[RILL_ESCAPED_SIZE];
	struct conn *c;

	/* Only its sender is looked at; conn_recv() then takes all of it. */
	if (recvmsg(listener, &msg, MSG_PEEK) < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		die(EXIT_ERROR, "cannot receive: %s", strerror(errno));
	}
	c = conn_add(listener);
	listener = -1;
	if (rill_addr_name(&from, msg.msg_namelen, name, sizeof(name)) > 0) {
		rill_name_escape(name, text, sizeof(text));
		note("the first datagram is from %s", text);
		if (connect(c->fd, (struct sockaddr *)&from, msg.msg_namelen) == 0)
			return;
	}
	/* It has gone, or will not be answered: then there is only receiving. */
	c->in_done = true;
	c->shut = true;
}

/* ---- the loop ---- */

/* Since when nothing has moved: output that is slow moves as well. */
static long long conn_active(const struct conn *c)
{
	return c->active > progress ? c->active : progress;
}

/* How long poll() may sleep until somebody's time is over. */
static int next_timeout(void)
{
	long long first = LLONG_MAX, left;
	size_t i;

	if (opt.timeout_ms < 0)
		return -1;
	if (listener >= 0 && !opt.keep)
		first = listen_active;
	for (i = 0; i < n_conns; i++)
		if (conn_active(conns[i]) < first)
			first = conn_active(conns[i]);
	if (first == LLONG_MAX)
		return -1;
	left = first + opt.timeout_ms - now_ms();
	return left < 0 ? 0 : (int)left;
}

static void check_timeouts(void)
{
	long long now = now_ms();
	size_t i;

	if (opt.timeout_ms < 0)
		return;
	if (listener >= 0 && !opt.keep && now - listen_active >= opt.timeout_ms)
		die(EXIT_TIMEOUT, "no client came in time");
	for (i = n_conns; i-- > 0;) {
		if (now - conn_active(conns[i]) < opt.timeout_ms)
			continue;
		if (opt.type == SOCK_DGRAM && sink_empty() &&
		    (received || (conns[i]->in_done && !opt.listen))) {
			/* The only way in which a talk by datagrams ends. */
			conn_remove(i);
			continue;
		}
		if (!opt.keep || opt.type == SOCK_DGRAM)
			die(EXIT_TIMEOUT, "nothing moved for too long");
		say("connection %d was idle for too long", conns[i]->id);
		failed = true;
		conn_remove(i);
	}
}

/* What needs no waiting: input with -k, telling of its end, taking leave. */
static void settle(void)
{
	struct conn *c;
	size_t i;

	for (i = n_conns; i-- > 0;) {
		c = conns[i];
		if (opt.keep && !c->in_done && c->start == c->end)
			conn_read_input(c);
		if (opt.shut && !c->shut && c->in_done && c->start == c->end)
			conn_shutdown(c);
		if (!sink_empty() || !conn_finished(c))
			continue;
		conn_check_unsent(c);
		note("connection %d is done", c->id);
		conn_remove(i);
	}
}

/* In pfds[]: first these three, then the connections. */
enum { P_OUTPUT, P_LISTENER, P_INPUT, P_CONNS };

static void fill_pfds(struct pollfd *pfds)
{
	struct pollfd *p;
	struct conn *c;
	size_t i;

	pfds[P_OUTPUT] = (struct pollfd){ .fd = sink_empty() ? -1 : sink.fd,
					  .events = POLLOUT };
	pfds[P_LISTENER] = (struct pollfd){ .fd = no_more_fds ? -1 : listener,
					    .events = POLLIN };
	pfds[P_INPUT] = (struct pollfd){ .fd = -1, .events = POLLIN };
	for (i = 0; i < n_conns; i++) {
		c = conns[i];
		p = &pfds[P_CONNS + i];
		*p = (struct pollfd){ .fd = c->fd };
		if (!opt.keep && !c->in_done && c->start == c->end)
			pfds[P_INPUT].fd = source;
		if (!c->in_eof && sink_empty())
			p->events |= POLLIN;
		if (c->start < c->end)
			p->events |= POLLOUT;
		/*
		 * A hang-up cannot be masked, and would make poll() return at
		 * once: while the output is full, wait for that alone.
		 */
		if (!sink_empty() && c->hup)
			p->fd = -1;
	}
}

static void serve(struct conn *c, short revents)
{
	if (revents & (POLLHUP | POLLERR))
		c->hup = true;
	if ((revents & (POLLIN | POLLHUP | POLLERR)) && !c->in_eof && sink_empty())
		conn_recv(c);
	if ((revents & (POLLOUT | POLLHUP | POLLERR)) && c->start < c->end)
		conn_send(c);
}

static void run(void)
{
	size_t turn = 0, n_pfds = 0, i, k;
	struct pollfd *pfds = NULL;

	listen_active = now_ms();
	for (;;) {
		settle();
		if (listener < 0 && !n_conns && sink_empty())
			break;
		if (P_CONNS + n_conns > n_pfds) {
			n_pfds = P_CONNS + 2 * n_conns;
			pfds = need(realloc(pfds, n_pfds * sizeof(*pfds)));
		}
		fill_pfds(pfds);
		if (poll(pfds, P_CONNS + n_conns, next_timeout()) < 0) {
			if (errno == EINTR)
				continue;
			die(EXIT_ERROR, "poll: %s", strerror(errno));
		}

		if (pfds[P_OUTPUT].revents)
			sink_write();
		if (pfds[P_INPUT].revents)
			conn_read_input(conns[0]);
		/* From a new place each time, so that all get their turn. */
		for (i = 0; i < n_conns; i++) {
			k = (turn + i) % n_conns;
			serve(conns[k], pfds[P_CONNS + k].revents);
		}
		turn++;
		/* Last, since it adds to conns[] what pfds[] does not have. */
		if (pfds[P_LISTENER].revents) {
			if (opt.type == SOCK_DGRAM)
				first_datagram();
			else
				welcome();
		}
		check_timeouts();
	}
	free(pfds);
}

int main(int argc, char **argv)
{
	struct conn *c;
	int fd;

	fill_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	parse(argc, argv);
	rill_name_escape(opt.name, printable, sizeof(printable));
	open_files();

	if (opt.listen) {
		fd = make_listener();
		if (opt.type == SOCK_DGRAM && opt.keep) {
			c = conn_add(fd);
			c->in_done = true;
			c->shut = true;
		} else {
			listener = fd;
		}
	} else {
		fd = make_connection();
		if (opt.probe) {
			close(fd);
			return EXIT_OK;
		}
		conn_add(fd);
	}
	run();
	sink_close();
	return failed ? EXIT_ERROR : EXIT_OK;
}
