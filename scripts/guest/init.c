// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the test VM: mounts, loads, runs one command, watches the kernel log.
 *
 * Everything goes to the host as frames over one virtio-serial port (under
 * User-Mode Linux: a serial line that is a socket of the host's), so that order
 * is kept and nothing of the command's output can be lost behind the exit status:
 * a letter, a 32-bit little-endian length, that many bytes.
 *
 *	S  the stock kernel is up, and nothing of ours is loaded yet
 *	W  it is up, but its log is not clean: the number of such lines
 *	B  the command starts now		O, E  its stdout, its stderr
 *	K  a line of the kernel log that fails the run
 *	I  what init has to say			F  the VM could not be set up
 *	X  the end: "TOKEN STATUS DIRTY"
 *
 * The host may send one byte, 'T': say what every process is doing, for a run
 * that is about to be killed for taking too long.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define CONF_DIR	"/etc/rill/"
#define PORT_NAME	"rill"
#define PORT_WAIT_MS	60000
#define KILL_WAIT_MS	15000
#define UNLOAD_WAIT_MS	15000
#define NAP_MS		5

#define __printf(a, b)	__attribute__((format(printf, a, b)))
#define __noreturn	__attribute__((noreturn))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static int port = -1;
static int kmsg = -1;
static int kids = -1;
static unsigned int dirty;
static char token[80];

/*
 * What a healthy kernel never says.  Matched anywhere in a record, whoever
 * wrote it, with the case as it stands.
 */
static const char * const bad_words[] = {
	"BUG:", "WARNING:", "Oops", "Kernel panic", "Call Trace:",
	"general protection fault", "kernel NULL pointer", "double fault",
	"Unable to handle kernel", "unable to handle kernel",
	"INFO: task ", "blocked for more than", "soft lockup", "hard LOCKUP",
	"self-detected stall", "detected stalls", "detected expedited stalls",
	"kthread starved",
	"possible recursive locking", "possible circular locking",
	"possible irq lock inversion", "inconsistent lock state",
	"suspicious RCU usage", "held lock freed", "bad unlock balance",
	"lock held when returning to user space", "locks held at exit",
	"non-static key", "lockdep is turned off", "DEBUG_LOCKS_WARN_ON",
	"refcount_t:", "UBSAN:", "KASAN:", "KCSAN:", "KMSAN:", "KFENCE:",
	"kmemleak:", "memory leak", "scheduling while atomic",
	"sleeping function called from invalid context",
	"unregister_netdevice: waiting", "list_add corruption",
	"list_del corruption", "Slab corruption", "Poison overwritten",
	"Objects remaining", "still has objects", "Bad page state",
	"page allocation failure", "invoked oom-killer", "Out of memory",
	"Attempt to release alive", "ODEBUG:", "workqueue lockup",
	"corrupted stack end", "stack-protector:", "nobody cared",
	"invalid opcode:", "divide error:", "protection fault:",
};

/*
 * Races in the kernel itself that KCSAN finds on the module's way, by the function
 * that it names.
 */
static const char * const kcsan_knows[] = {
	/* migrate_disable() counts in the task, and so does an interrupt on top. */
	"!bpf_sk_storage_free",
	/* In 7.2 the first exchanges the words that the second writes. */
	"!lock_sock_nested", "!release_sock",
};

static void nap(void)
{
	const struct timespec ts = { .tv_nsec = NAP_MS * 1000000L };

	nanosleep(&ts, NULL);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static bool write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static void frame(char type, const void *buf, size_t len)
{
	static unsigned char out[5 + 32768];

	if (port < 0) {
		/* Too early for the host: the console is all there is. */
		write_all(STDERR_FILENO, buf, len);
		write_all(STDERR_FILENO, "\n", 1);
		return;
	}
	if (len > sizeof(out) - 5)
		len = sizeof(out) - 5;
	out[0] = type;
	for (int i = 0; i < 4; i++)
		out[1 + i] = len >> (8 * i);
	memcpy(out + 5, buf, len);
	write_all(port, out, 5 + len);
}

__printf(2, 3)
static void say(char type, const char *fmt, ...)
{
	char buf[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n > 0)
		frame(type, buf, n < (int)sizeof(buf) ? n : (int)sizeof(buf) - 1);
}

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	/* Without ACPI the machine halts; the host does not wait for it. */
	for (;;)
		pause();
}

__printf(1, 2) __noreturn
static void give_up(const char *fmt, ...)
{
	char buf[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	frame('F', buf, strlen(buf));
	/*
	 * The host ends the VM when it has read that; without a port it never
	 * will, and the power-off without a token says as much.
	 */
	if (port >= 0) {
		struct pollfd p = { .fd = port };

		poll(&p, 1, 5000);
	}
	power_off();
	_exit(1);
}

static void mount_one(const char *what, const char *where, const char *type,
		      unsigned long flags, const char *data, bool must)
{
	mkdir(where, 0755);
	if (mount(what, where, type, flags, data) && must && errno != EBUSY)
		give_up("cannot mount %s on %s: %m", type, where);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write_all(fd, text, strlen(text));
	close(fd);
	return ok;
}

/* The whole file with a NUL behind it, or NULL. */
static char *read_file(const char *path, size_t *len)
{
	size_t size = 0, room = 4096;
	char *buf = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 || !buf)
		goto fail;
	while ((n = read(fd, buf + size, room - size - 1)) > 0) {
		size += n;
		if (room - size < 2) {
			char *more = realloc(buf, room *= 2);

			if (!more)
				goto fail;
			buf = more;
		}
	}
	if (n < 0)
		goto fail;
	close(fd);
	buf[size] = '\0';
	if (len)
		*len = size;
	return buf;
fail:
	if (fd >= 0)
		close(fd);
	free(buf);
	return NULL;
}

/* A setting "key=value" of CONF_DIR/config, or the value given. */
static const char *setting(const char *key, const char *otherwise)
{
	static char *text;
	size_t n = strlen(key);
	char *line, *end, *value;

	if (!text)
		text = read_file(CONF_DIR "config", NULL);
	for (line = text; line && *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			break;
		if (!strncmp(line, key, n) && line[n] == '=') {
			value = strndup(line + n + 1, end - line - n - 1);
			return value ? value : otherwise;
		}
	}
	return otherwise;
}

static int load_module(const char *path, const char *args)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, args, 0))
		err = -errno;
	close(fd);
	return err;
}

static void load_list(void)
{
	char *text = read_file(CONF_DIR "modules", NULL);
	char *save = NULL, *path;
	int err;

	if (!text)
		give_up("the image has no list of modules");
	for (path = strtok_r(text, "\n", &save); path;
	     path = strtok_r(NULL, "\n", &save)) {
		err = load_module(path, "");
		if (err && err != -EEXIST)
			give_up("cannot load %s: %s", path, strerror(-err));
	}
	free(text);
}

/* A test of what two CPUs do passes on one, or is skipped: neither is asked for. */
static void all_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus != atol(setting("cpus", "1")))
		give_up("there are to be %s CPUs, and the kernel has %ld",
			setting("cpus", "1"), cpus);
}

/* A terminal line as the port: all eight bits, and nothing made of them. */
static void open_line(const char *path)
{
	struct termios tio;

	port = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (port < 0 || tcgetattr(port, &tio))
		give_up("cannot open %s: %m", path);
	cfmakeraw(&tio);
	if (tcsetattr(port, TCSANOW, &tio))
		give_up("cannot set up %s: %m", path);
}

/* Open the virtio-serial port of our name, which appears when it likes to. */
static void open_port(void)
{
	long long end = now_ms() + PORT_WAIT_MS;
	const char *top = "/sys/class/virtio-ports";
	char path[512];
	struct dirent *d;
	char *name;
	DIR *dir;

	do {
		dir = opendir(top);
		while (dir && (d = readdir(dir))) {
			snprintf(path, sizeof(path), "%s/%s/name", top, d->d_name);
			name = read_file(path, NULL);
			if (!name || strncmp(name, PORT_NAME "\n", sizeof(PORT_NAME))) {
				free(name);
				continue;
			}
			free(name);
			snprintf(path, sizeof(path), "/dev/%s", d->d_name);
			port = open(path, O_RDWR | O_CLOEXEC);
			if (port >= 0)
				break;
		}
		if (dir)
			closedir(dir);
		if (port < 0)
			nap();
	} while (port < 0 && now_ms() < end);
	if (port < 0)
		give_up("the virtio-serial port \"" PORT_NAME "\" did not appear");
}

/*
 * A test that makes allocations fail, by injection or in a full memory cgroup, may
 * make the core say so with a stack.  It brackets that with two lines of its own in
 * the log, and then one "Call Trace:" is excused for each line between them that
 * begins such a report: a stack that has no such line before it, and every other bad
 * word, is as bad as ever, and so is a bracket that is never closed.
 */
#define EXCUSE_BEGIN	"rill-test: faults are injected from here"
#define EXCUSE_END	"rill-test: faults are injected to here"

static const char * const excused_heads[] = {
	"__kmem_cache_create_args(RILL", "kmem_cache_create_usercopy(RILL",
	": vmalloc error: ", ": page allocation failure: ",
	" invoked oom-killer: ",
	"percpu: allocation failed, ",
};

/* It follows the stack of the last one; whom it kills it says in other words. */
static const char excused_line[] = "Out of memory and no killable processes";

static bool excusing, excused;

static bool is_excused(const char *text)
{
	if (strstr(text, EXCUSE_BEGIN))
		excusing = true;
	if (strstr(text, EXCUSE_END))
		excusing = false;
	if (excusing && strstr(text, excused_line))
		return true;
	for (size_t i = 0; excusing && i < ARRAY_SIZE(excused_heads); i++) {
		if (strstr(text, excused_heads[i])) {
			excused = true;
			return true;
		}
	}
	if (!excusing || (excused && strstr(text, "Call Trace:"))) {
		excused = false;
		return excusing;
	}
	return false;
}

/*
 * KCSAN's strict mode finds races all over the kernel: clocks, futexes, files that
 * are used again.  Ours are those with a function of the modules in a stack.  A
 * report is held until a line of it says so, or it ends.
 */
static bool is_held_race(const char *text)
{
	static char race[256];
	bool begins = strstr(text, "BUG: KCSAN:");

	if (begins)
		snprintf(race, sizeof(race), "%s", text);
	else if (!strncmp(text, "=====", 5))
		*race = '\0';
	if (*race && strstr(text, "[rill")) {
		dirty++;
		frame('K', race, strlen(race));
		*race = '\0';
	}
	return begins;
}

static bool is_bad(const char *text)
{
	/* Only how it begins. */
	if (strstr(text, "kmemleak: Kernel memory leak detector initialized"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(bad_words); i++)
		if (strstr(text, bad_words[i]))
			return true;
	return false;
}

/* Read what the kernel log has, and report what must not be there. */
static void scan_kmsg(void)
{
	char rec[8193], *text, *nl;
	ssize_t n;

	for (;;) {
		n = read(kmsg, rec, sizeof(rec) - 1);
		if (n < 0 && errno == EPIPE) {
			dirty++;
			say('K', "the kernel log overran: lines are lost");
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		rec[n] = '\0';
		text = strchr(rec, ';');
		text = text ? text + 1 : rec;
		/* What follows the first line is a dictionary for udev. */
		nl = strchr(text, '\n');
		if (nl)
			*nl = '\0';
		if (!is_held_race(text) && !is_excused(text) && is_bad(text)) {
			dirty++;
			frame('K', text, strlen(text));
		}
	}
}

static void lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (!ioctl(fd, SIOCGIFFLAGS, &ifr)) {
		ifr.ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, &ifr);
	}
	close(fd);
}

/* What is every process of user space waiting for? */
static void say_who_waits(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while (proc && (d = readdir(proc))) {
		char path[300], *cmd, *stat, *wchan, *stack;
		size_t len = 0;

		if (!isdigit(d->d_name[0]) || atoi(d->d_name) == 1)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", d->d_name);
		cmd = read_file(path, &len);
		if (!cmd || !len) {	/* a kernel thread, or a zombie */
			free(cmd);
			continue;
		}
		for (size_t i = 0; i + 1 < len; i++)
			if (!cmd[i])
				cmd[i] = ' ';
		snprintf(path, sizeof(path), "/proc/%s/syscall", d->d_name);
		stat = read_file(path, NULL);
		snprintf(path, sizeof(path), "/proc/%s/wchan", d->d_name);
		wchan = read_file(path, NULL);
		snprintf(path, sizeof(path), "/proc/%s/stack", d->d_name);
		stack = read_file(path, NULL);
		say('I', "process %s (%.200s) is in %s, system call %s%.600s",
		    d->d_name, cmd, wchan ? wchan : "?", stat ? stat : "?\n",
		    stack ? stack : "");
		free(cmd);
		free(stat);
		free(wchan);
		free(stack);
	}
	if (proc)
		closedir(proc);
}

/* Send what a pipe holds; false at its end. */
static bool pump(int fd, char type)
{
	static char buf[32768];
	ssize_t n;

	n = read(fd, buf, sizeof(buf));
	if (n > 0)
		frame(type, buf, n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static char **read_argv(void)
{
	size_t len, count = 0, used = 0;
	char *text = read_file(CONF_DIR "argv", &len);
	char **argv;

	if (!text || !len)
		give_up("the image names no command");
	for (size_t i = 0; i < len; i++)
		count += !text[i];
	argv = calloc(count + 1, sizeof(*argv));
	if (!argv)
		give_up("out of memory");
	for (size_t i = 0; i < count; i++) {
		argv[i] = text + used;
		used += strlen(argv[i]) + 1;
	}
	return argv;
}

/* Start the command, on the console if that is interactive. */
static pid_t start(char **argv, int out, int err, bool console)
{
	sigset_t none;
	pid_t pid;
	int fd;

	pid = fork();
	if (pid)
		return pid;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	fd = open(console ? "/dev/ttyS0" : "/dev/null", O_RDWR);
	if (fd < 0)
		_exit(126);
	if (console) {
		ioctl(fd, TIOCSCTTY, 1);
		out = fd;
		err = fd;
	}
	dup2(fd, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	if (chdir("/root"))
		_exit(126);
	execvp(argv[0], argv);
	fd = errno;
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(fd));
	_exit(fd == ENOENT ? 127 : 126);
}

/* Reap whoever ended; true when it was the command. */
static bool reap(pid_t pid, int *status)
{
	struct signalfd_siginfo si;
	bool found = false;
	pid_t p;
	int st;

	while (read(kids, &si, sizeof(si)) > 0)
		;
	while ((p = waitpid(-1, &st, WNOHANG)) > 0) {
		if (p != pid)
			continue;
		found = true;
		*status = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
	}
	return found;
}

/* Nothing of the command may outlive it: what cannot be killed is a finding. */
static bool kill_rest(void)
{
	long long end = now_ms() + KILL_WAIT_MS;
	pid_t p;

	while (now_ms() < end) {
		kill(-1, SIGKILL);
		while ((p = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (p < 0 && errno == ECHILD)
			return true;
		nap();
	}
	dirty++;
	say('K', "a process of the command cannot be killed");
	say_who_waits();
	write_file("/proc/sysrq-trigger", "w");
	return false;
}

static void unload_one(const char *module)
{
	long long end = now_ms() + UNLOAD_WAIT_MS;

	while (syscall(SYS_delete_module, module, O_NONBLOCK)) {
		if (errno == ENOENT)
			return;
		if (now_ms() >= end) {
			dirty++;
			say('K', "%s is still in use with every process dead: %m", module);
			return;
		}
		nap();
	}
}

/*
 * Unload the modules: a leaked reference, or a leaked object, shows here.  The
 * first is there if somebody asked sock_diag, and holds the second.
 */
static void unload(void)
{
	unload_one("rill_diag");
	unload_one("rill");
}

/* One with lockdep and kmemleak: there they have to be seen at work. */
static bool debug_kernel(void)
{
	return !strcmp(setting("debug", "0"), "1");
}

static void scan_leaks(void)
{
	const char *path = "/sys/kernel/debug/kmemleak";
	const struct timespec age = { .tv_sec = 6 };
	char *report;

	if (access(path, W_OK)) {
		if (debug_kernel()) {
			dirty++;
			say('K', "there is no %s: this run proves nothing of leaks", path);
		}
		return;
	}
	/* It reports objects of 5 seconds and more, seen twice unreachable. */
	for (int i = 0; i < 2; i++) {
		if (i)
			nanosleep(&age, NULL);
		if (!write_file(path, "scan")) {
			dirty++;
			say('K', "kmemleak does not scan (%m): this run proves nothing of leaks");
			return;
		}
	}
	report = read_file(path, NULL);
	if (report && *report) {
		dirty++;
		say('K', "kmemleak: %.900s", report);
	}
	free(report);
}

/* Lockdep says why it gave up only once, and may have done so before this run. */
static void check_lockdep(void)
{
	char *stats = read_file("/proc/lockdep_stats", NULL);
	const char *line = stats ? strstr(stats, "debug_locks:") : NULL;

	if (line ? strtol(line + strlen("debug_locks:"), NULL, 10) != 1 : debug_kernel()) {
		dirty++;
		say('K', "lockdep is %s: this run proves nothing of locks",
		    line ? "off, by itself" : "not there");
	}
	free(stats);
}

static void set_up(void)
{
	static const char * const env[][2] = {
		{ "PATH", "/rill/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin" },
		{ "HOME", "/root" },
		{ "TERM", "dumb" },
		{ "LC_ALL", "C" },
	};
	sigset_t chld;

	umask(022);
	mount_one("dev", "/dev", "devtmpfs", MS_NOSUID, "mode=0755", true);
	mount_one("proc", "/proc", "proc", MS_NOSUID | MS_NODEV, NULL, true);
	mount_one("sys", "/sys", "sysfs", MS_NOSUID | MS_NODEV, NULL, true);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		give_up("cannot open /dev/kmsg: %m");
	/*
	 * User-Mode Linux 7.2 warns of itself as its second CPU starts
	 * (kmemleak's call_rcu() on a CPU that RCU does not watch yet), and the
	 * kernel with KCSAN of its own races before the second CPU starts.
	 */
	if (!strcmp(setting("kmsg", "boot"), "init"))
		lseek(kmsg, 0, SEEK_END);
	load_list();
	if (*setting("port", ""))
		open_line(setting("port", ""));
	else
		open_port();

	all_cpus();
	mount_one("pts", "/dev/pts", "devpts", MS_NOSUID, "mode=0620,ptmxmode=0666", false);
	mount_one("shm", "/dev/shm", "tmpfs", MS_NOSUID, "mode=1777", true);
	mount_one("tmp", "/tmp", "tmpfs", 0, "mode=1777", true);
	mount_one("run", "/run", "tmpfs", MS_NOSUID, "mode=0755", true);
	mount_one("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID, NULL, false);
	mount_one("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL, false);
	for (size_t i = 0; i < ARRAY_SIZE(kcsan_knows); i++)
		write_file("/sys/kernel/debug/kcsan", kcsan_knows[i]);
	if (symlink("/proc/self/fd", "/dev/fd") && errno != EEXIST)
		give_up("cannot make /dev/fd: %m");
	lo_up();
	sethostname("rill", 4);
	for (size_t i = 0; i < ARRAY_SIZE(env); i++)
		setenv(env[i][0], env[i][1], 1);

	write_file("/proc/sys/kernel/hung_task_timeout_secs", setting("hung", "60"));
	write_file("/proc/sys/kernel/hung_task_warnings", "-1");
	write_file("/proc/sys/kernel/panic_on_oops", "1");
	write_file("/proc/sys/kernel/panic", "-1");

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	kids = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
	if (kids < 0)
		give_up("no signalfd: %m");
}

static int run(char **argv, bool console)
{
	int out[2], err[2], status = -1;
	struct pollfd p[5];
	bool left = false;
	pid_t pid;

	/* Our ends must never block us: the kernel log is watched all the time. */
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		give_up("no pipe: %m");
	pid = start(argv, out[1], err[1], console);
	if (pid < 0)
		give_up("cannot fork: %m");
	close(out[1]);
	close(err[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);

	p[0] = (struct pollfd) { .fd = out[0], .events = POLLIN };
	p[1] = (struct pollfd) { .fd = err[0], .events = POLLIN };
	p[2] = (struct pollfd) { .fd = kmsg, .events = POLLIN };
	p[3] = (struct pollfd) { .fd = kids, .events = POLLIN };
	p[4] = (struct pollfd) { .fd = port, .events = POLLIN };

	/* To the end of the command, then to the end of both pipes. */
	while (!left || p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 5, -1) < 0)
			continue;
		if (p[0].revents && !pump(p[0].fd, 'O'))
			p[0].fd = -1;
		if (p[1].revents && !pump(p[1].fd, 'E'))
			p[1].fd = -1;
		if (p[2].revents)
			scan_kmsg();
		if (p[3].revents && reap(pid, &status)) {
			left = true;
			if (!kill_rest())
				return status;
		}
		if (p[4].revents & POLLIN) {
			char c;

			if (read(port, &c, 1) == 1 && c == 'T')
				say_who_waits();
		}
		if (p[4].revents & POLLHUP)
			p[4].fd = -1;
	}
	return status;
}

int main(void)
{
	const char *ko, *args;
	struct utsname uts;
	bool console;
	char **argv;
	int status, err;

	set_up();
	snprintf(token, sizeof(token), "%s", setting("token", "?"));
	console = !strcmp(setting("interactive", "0"), "1");
	argv = read_argv();
	uname(&uts);

	scan_kmsg();
	if (dirty) {
		say('W', "%u", dirty);
		pause();	/* the host ends the VM */
	}
	say('S', "Linux %s", uts.release);
	ko = setting("insmod", "");
	args = setting("module_args", "");
	if (*ko) {
		err = load_module(ko, args);
		if (err)
			give_up("cannot load rill.ko%s%s: %s; the kernel log says why",
				*args ? " with " : "", args, strerror(-err));
	}
	scan_kmsg();
	say('B', "Linux %s is up after %lld.%lld s", uts.release,
	    now_ms() / 1000, now_ms() / 100 % 10);

	status = run(argv, console);
	unload();
	scan_leaks();
	check_lockdep();
	scan_kmsg();
	if (excusing) {
		dirty++;
		say('K', "the injection of faults was never said to end");
	}
	say('X', "%s %d %u", token, status, dirty);
	/* The host ends the VM; what it still has to read must not be cut off. */
	for (int i = 0; i < 1000; i++)
		nap();
	power_off();
}
