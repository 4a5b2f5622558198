// SPDX-License-Identifier: GPL-2.0-only
/*
 * syslog(): the C library's own calls its sockets past the symbol table, so it is
 * written here anew on top of our calls: a datagram to /dev/log, "<PRI>" in
 * front, the time, the name and the process as glibc writes them.
 *
 * Locking: one mutex, as in the C library; syslog() is not for signal handlers.
 * Who has it is not cancelled.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/syslog.h>
#include <sys/un.h>
#include <time.h>

#include "preload.h"

#define LINE	8192

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *ident;
static int options, facility = LOG_USER, mask = 0xff, log_fd = -1;
static bool was_stream;

static int log_lock(void)
{
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&lock);
	return cancel;
}

static void log_unlock(int cancel)
{
	pthread_mutex_unlock(&lock);
	pthread_setcancelstate(cancel, NULL);
}

static void connect_log(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = _PATH_LOG };
	__CONST_SOCKADDR_ARG addr = { .__sockaddr__ = (struct sockaddr *)&un };

	if (log_fd >= 0)
		return;
	log_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (log_fd < 0)
		return;
	was_stream = false;
	if (!connect(log_fd, addr, sizeof(un)))
		return;
	close(log_fd);
	log_fd = -1;
	if (errno != EPROTOTYPE)
		return;
	log_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (log_fd < 0)
		return;
	was_stream = true;
	if (!connect(log_fd, addr, sizeof(un)))
		return;
	close(log_fd);
	log_fd = -1;
}

static void disconnect_log(void)
{
	if (log_fd >= 0)
		close(log_fd);
	log_fd = -1;
}

/* The head of the line; *text is where what also goes to stderr begins. */
static int head(char *line, size_t size, int priority, int *text)
{
	time_t now = time(NULL);
	char pid[16] = "";
	struct tm tm = { 0 };
	int n;

	localtime_r(&now, &tm);
	if (options & LOG_PID)
		snprintf(pid, sizeof(pid), "[%d]", getpid());
	/* As in English, whatever the program's own language is. */
	*text = snprintf(line, size, "<%d>%.3s %2d %02d:%02d:%02d ", priority,
			 &"JanFebMarAprMayJunJulAugSepOctNovDec"[tm.tm_mon % 12 * 3],
			 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	n = *text + snprintf(line + *text, size - *text, "%s%s: ",
			     ident ? ident : program_invocation_short_name, pid);
	return n < (int)size ? n : (int)size - 1;
}

static void say(int priority, const char *format, va_list args)
{
	int saved = errno, text, n, add, cancel;
	char line[LINE];

	if (priority & ~(LOG_PRIMASK | LOG_FACMASK))
		priority &= LOG_PRIMASK | LOG_FACMASK;
	if (!(LOG_MASK(LOG_PRI(priority)) & mask))
		return;
	cancel = log_lock();
	if (!(priority & LOG_FACMASK))
		priority |= facility;
	n = head(line, sizeof(line), priority, &text);
	errno = saved;	/* for %m */
	add = vsnprintf(line + n, sizeof(line) - n, format, args);
	if (add < 0)
		goto out;
	n = n + add < LINE ? n + add : LINE - 1;
	if (options & LOG_PERROR) {
		struct iovec iov[2] = { { line + text, n - text }, { "\n", 1 } };

		if (line[n - 1] == '\n')
			iov[1].iov_len = 0;
		if (real.writev(STDERR_FILENO, iov, 2) < 0)
			errno = saved;
	}
	for (int try = 0; try < 2; try++) {
		connect_log();
		if (log_fd < 0)
			break;
		if (send(log_fd, line, n + (was_stream ? 1 : 0), MSG_NOSIGNAL) >= 0)
			goto out;
		disconnect_log();
	}
	if (options & LOG_CONS) {
		int fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);

		if (fd >= 0) {
			dprintf(fd, "%s\r\n", line + text);
			run_close(fd);
		}
	}
out:
	log_unlock(cancel);
	errno = saved;
}

EXPORT void openlog(const char *name, int option, int fac)
{
	int cancel;

	RUN_ENTER();
	cancel = log_lock();
	if (name)
		ident = name;
	options = option;
	if (fac && !(fac & ~LOG_FACMASK))
		facility = fac;
	if (option & LOG_NDELAY)
		connect_log();
	log_unlock(cancel);
}

EXPORT void closelog(void)
{
	int cancel;

	RUN_ENTER();
	cancel = log_lock();
	disconnect_log();
	ident = NULL;
	log_unlock(cancel);
}

EXPORT int setlogmask(int new)
{
	int old, cancel = log_lock();

	old = mask;
	if (new)
		mask = new;
	log_unlock(cancel);
	return old;
}

EXPORT void vsyslog(int priority, const char *format, va_list args)
{
	RUN_ENTER();
	say(priority, format, args);
}

EXPORT void syslog(int priority, const char *format, ...)
{
	va_list args;

	RUN_ENTER();
	va_start(args, format);
	say(priority, format, args);
	va_end(args);
}

void __syslog_chk(int priority, int flag, const char *format, ...);
EXPORT void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;

	(void)flag;
	RUN_ENTER();
	va_start(args, format);
	say(priority, format, args);
	va_end(args);
}

void __vsyslog_chk(int priority, int flag, const char *format, va_list args);
EXPORT void __vsyslog_chk(int priority, int flag, const char *format, va_list args)
{
	(void)flag;
	RUN_ENTER();
	say(priority, format, args);
}
