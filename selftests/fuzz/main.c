// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watching process: it starts working processes one after the other, and
 * looks after each whether the kernel complained, whether it ended in time, and
 * now and then whether all sockets are gone.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_STEP	5
#define FRESH_SECONDS	5	/* unasked */
#define STUCK_SECONDS	15	/* a program that takes longer does not end */
#define GONE_SECONDS	20	/* sockets that are not gone by then are lost */
#define TELL_SECONDS	10

struct fz_options fz_options = { .seed = 1, .slow = 1 };
struct fz_state *fz_state;
int fz_family;

static int kmsg_fd = -1;
static long sockets_before;
static double started, last_told;
static bool emit;
static volatile sig_atomic_t stopped;

static const char help[] =
"usage: fuzz [option...] [FILE...]\n"
"\n"
"Runs random programs of system calls against AF_RILL.  Without an option: the\n"
"crashes that were found once, the corpus, and fresh programs for 5 seconds.\n"
"Where the kernel has KCOV, and it is told the module's points, it keeps what\n"
"reaches something new.  TAP on standard output, what it finds after a #.\n"
"\n"
"  FILE...           run the programs in them, and say what each call returned\n"
"  --seed N          of the random numbers; default: 1\n"
"  --seconds T       of fresh programs; 0: only the corpus\n"
"  --calls N         stop after so many\n"
"  --corpus FILE     begin with these programs, besides the corpus built in\n"
"  --no-corpus       without the one built in\n"
"  --rounds N        run the corpus so many times at the beginning; default: 1\n"
"  --points FILE     the points of rill.ko, made by selftests/fuzz/points\n"
"  --coverage        fail if a point is neither reached nor explained, or fewer\n"
"                    than 90 % are reached\n"
"  --patience T      with --coverage, up to so many seconds more until each point is\n"
"                    reached or explained: some are reached only by a race\n"
"  --reload KO       in the end unload the module and load that one, the same\n"
"  --squat KO        then rill_squat.ko, too, beside which it must not load\n"
"  --emit            print each program that reached a new block, after \"#+ \"\n"
"  --distill         print the fewest programs of the corpus that reach the same\n"
"  --state TEXT      go on where a run ended that printed \"# state TEXT\"\n"
"  --slow N          time limits times N (an emulated machine: 5)\n"
"  --print N         print N random programs and exit\n"
"  --help            this text\n"
"\n"
"The exit status is 0 if all went well, 1 if not, 2 for a wrong option.\n";

/* ---- reading ---- */

static long number_in(const char *path, const char *key)
{
	char line[256];
	long n = -1;
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f)) {
		size_t len = strlen(key);

		if (!strncmp(line, key, len)) {
			n = strtol(line + len, NULL, 10);
			break;
		}
	}
	if (f)
		fclose(f);
	return n;
}

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!f) {
		perror(path);
		exit(2);
	}
	if (getdelim(&text, &size, '\0', f) < 0)
		text = strdup("");	/* empty */
	fclose(f);
	return text;
}

/* A list of programs: each begins with a line "== NAME". */
static const char *next_program(const char **list, char *name, size_t size, char *text)
{
	const char *from = *list, *end;

	*text = '\0';
	snprintf(name, size, "program");
	while (*from == '\n')
		from++;
	if (!strncmp(from, "==", 2)) {
		size_t len = strcspn(from, "\n");

		snprintf(name, size, "%.*s", (int)len, from + 2 + (from[2] == ' '));
		name[strcspn(name, "\n")] = '\0';
		from += len + (from[len] == '\n');
	}
	if (!*from)
		return NULL;
	end = strstr(from, "\n==");
	end = end ? end + 1 : from + strlen(from);
	snprintf(text, FZ_TEXT, "%.*s", (int)(end - from), from);
	*list = end;
	return text;
}

static void corpus_add(const char *list, const char *what)
{
	struct fz_state *st = fz_state;
	char text[FZ_TEXT], name[128], message[128];

	while (next_program(&list, name, sizeof(name), text)) {
		struct fz_kept *k = &st->corpus[st->ncorpus];

		if (st->ncorpus == FZ_CORPUS / 2) {
			fprintf(stderr, "%s: too many programs\n", what);
			exit(2);
		}
		if (fz_parse(text, &k->prog, message, sizeof(message))) {
			fprintf(stderr, "%s: %s: %s\n", what, name, message);
			exit(2);
		}
		if (!k->prog.n)
			continue;
		k->blocks = true;
		k->told = true;
		st->ncorpus++;
	}
	st->nseeds = st->ncorpus;
}

/* ---- looking after ---- */

static void print_program(const char *prefix, const struct fz_prog *prog)
{
	char text[FZ_TEXT], *save, *line;

	fz_print(prog, text, sizeof(text));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		printf("%s%s\n", prefix, line);
}

static void print_recent(void)
{
	struct fz_state *st = fz_state;
	uint64_t n = st->nrecent, from = n > FZ_RECENT ? n - FZ_RECENT : 0;

	printf("# the last programs, the newest at the end:\n");
	for (; from < n; from++) {
		printf("#! == %llu\n", (unsigned long long)from);
		print_program("#! ", &st->recent[from % FZ_RECENT]);
	}
}

static void print_new(void)
{
	struct fz_state *st = fz_state;

	for (unsigned int i = st->nseeds; emit && i < st->ncorpus; i++) {
		struct fz_kept *k = &st->corpus[i];

		if (k->told || !k->blocks)
			continue;
		k->told = true;
		printf("#+ == s%llu-%u\n", (unsigned long long)fz_options.seed, i);
		print_program("#+ ", &k->prog);
	}
}

static void tell(bool now)
{
	struct fz_state *st = fz_state;
	double t = fz_now();

	if (!now && t < last_told + TELL_SECONDS)
		return;
	last_told = t;
	printf("# %.0f s: %llu calls, %.0f/s; %llu programs; corpus %u",
	       t - started, (unsigned long long)st->calls, st->calls / (t - started + 0.001),
	       (unsigned long long)st->nrecent, st->ncorpus);
	if (fz_npoints)
		printf("; blocks %u of %u; ways %u", st->cover.npoints, fz_npoints,
		       st->cover.nedges);
	printf("\n# state %llu,%llu\n", (unsigned long long)st->progs,
	       (unsigned long long)st->calls);
	fflush(stdout);
}

/* Everything in the kernel log that a healthy kernel does not say. */
static bool log_is_clean(void)
{
	static const char *const bad[] = {
		"BUG:", "WARNING:", "Oops", "general protection", "UBSAN", "KASAN", "KCSAN",
		"possible recursive", "possible circular", "inconsistent lock", "refcount_t:",
		"suspicious RCU", "sleeping function", "corruption", "INFO: task", "stall",
		"ODEBUG", "kernel BUG", "Bad page", "Objects remaining",
	};
	char text[2048];
	bool clean = true;
	ssize_t n;

	if (kmsg_fd < 0)
		return true;
	while ((n = read(kmsg_fd, text, sizeof(text) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		text[n] = '\0';
		for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
			if (!strstr(text, bad[i]))
				continue;
			printf("# the kernel says: %s", strchr(text, ';') ?: text);
			clean = false;
		}
	}
	return clean;
}

static bool sockets_gone(void)
{
	double until = fz_now() + GONE_SECONDS * fz_options.slow;
	long now;

	for (;;) {
		now = number_in("/proc/self/net/rill_stat", "sockets ");
		if (now <= sockets_before)
			return true;
		if (fz_now() > until)
			break;
		usleep(1000);
	}
	printf("# %ld sockets are left, %ld before\n", now, sockets_before);
	return false;
}

/* Those of other namespaces, too, hold the module; but rill_diag does as well. */
static bool module_free(void)
{
	long diag = access("/sys/module/rill_diag", F_OK) ? 0 : 1;
	double until = fz_now() + GONE_SECONDS * fz_options.slow;
	long now;

	do {
		now = number_in("/sys/module/rill/refcnt", "");
		if (now <= diag)
			return true;
		usleep(10000);
	} while (fz_now() < until);
	printf("# the module is still held: %ld\n", now);
	return false;
}

static void print_file(const char *path)
{
	char line[256];
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		printf("#   %s", line);
	if (f)
		fclose(f);
}

/* Where the threads of a stuck process are. */
static void print_stuck(pid_t pid)
{
	static const char *const what[] = { "comm", "syscall", "wchan", "stack" };
	char path[128];

	for (pid_t tid = pid; tid < pid + 8; tid++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, tid);
		if (access(path, F_OK))
			continue;
		printf("# thread %d\n", tid);
		for (unsigned int i = 0; i < ARRAY_SIZE(what); i++) {
			snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, what[i]);
			print_file(path);
			printf("\n");
		}
	}
}

/*
 * Interrupt what sleeps in the working process, as its first thread does at a
 * program's end, unless it waits, with no signal to end that, for one of the
 * others: two splices into one pipe, of which one waits for data and has the
 * pipe locked, as it has with any socket.
 */
static void nudge(pid_t pid)
{
	char path[64];

	for (pid_t tid = pid; tid < pid + 8; tid++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, tid);
		if (!access(path, F_OK))
			syscall(SYS_tgkill, pid, tid, SIGUSR1);
	}
}

/* Wait for the working process.  False: it was in trouble. */
static bool wait_for(pid_t pid)
{
	double patience = STUCK_SECONDS * fz_options.slow, until = fz_now() + patience;
	uint64_t seen = fz_state->nrecent, nudged = UINT64_MAX;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (fz_state->nrecent != seen) {
			seen = fz_state->nrecent;
			until = fz_now() + patience;
		} else if (fz_now() > until) {
			printf("# the working process hangs\n");
			print_stuck(pid);
			fflush(stdout);
			kill(pid, SIGKILL);
			return false;
		} else if (fz_now() > until - patience / 2 && nudged != seen) {
			nudged = seen;
			printf("# a program takes its time: its sleepers are interrupted\n");
			nudge(pid);
		}
		usleep(2000);
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	printf("# the working process ended with %#x\n", status);
	return false;
}

/* One phase: the corpus so many times, then fresh programs.  Is all well? */
static bool work(double seconds, uint64_t replays, uint64_t calls)
{
	double until = fz_now() + seconds;
	struct fz_state *st = fz_state;
	unsigned int lives = 0;
	bool well = true;

	while (well && !stopped &&
	       (st->replayed < replays ||
		(fz_now() < until && (!calls || st->calls < calls)))) {
		pid_t pid = fork();

		if (!pid) {
			setpgid(0, 0);
			exit(fz_work(until, replays, calls));
		}
		well = wait_for(pid);
		if (st->is_wrong) {
			printf("# %s\n", st->wrong);
			print_program("#! ", &st->wrong_prog);
			well = false;
		}
		well = log_is_clean() && well;
		if (++lives % 8 == 0)
			well = sockets_gone() && well;
		print_new();
		tell(false);
	}
	well = well && sockets_gone();
	if (!well)
		print_recent();
	tell(true);
	return well;
}

/* ---- modes ---- */

static int run_files(char **file, bool verbose)
{
	struct fz_verdict verdict = {};
	char text[FZ_TEXT], name[128], message[128];
	struct fz_prog prog;
	const char *list;

	if (fz_run_init())
		return 2;
	for (; *file; file++) {
		list = read_whole(*file);
		while (next_program(&list, name, sizeof(name), text)) {
			if (fz_parse(text, &prog, message, sizeof(message))) {
				fprintf(stderr, "%s: %s: %s\n", *file, name, message);
				return 2;
			}
			printf("# == %s\n", name);
			fz_run(&prog, &verdict, verbose);
			if (*verdict.wrong)
				printf("# %s\n", verdict.wrong);
			if (*verdict.wrong || verdict.stuck)
				return 1;
		}
	}
	fflush(stdout);
	fz_trace_end();
	_exit(log_is_clean() ? 0 : 1);
}

static int print_some(unsigned int n)
{
	struct fz_rand r = { .s = fz_options.seed };
	struct fz_prog prog;

	for (unsigned int i = 0; i < n; i++) {
		printf("== %u\n", i);
		fz_make(&r, &prog);
		print_program("", &prog);
	}
	return 0;
}

static unsigned int bits_new(const uint8_t *have, const uint8_t *map, size_t from, size_t to)
{
	unsigned int n = 0;

	for (size_t i = from; i < to; i++)
		n += __builtin_popcount(map[i] & ~have[i]);
	return n;
}

/* Greedy: first all blocks, then the ways while a program has many new ones. */
static void distill(void)
{
	static uint8_t have[FZ_MAP_SIZE];
	struct fz_state *st = fz_state;
	unsigned int n = 0;

	for (int pass = 0; pass < 2; pass++) {
		size_t to = pass ? FZ_MAP_SIZE : FZ_POINTS / 8;
		unsigned int least = pass ? 8 : 1;

		for (;;) {
			unsigned int best = 0, at = 0;

			for (unsigned int i = 0; i < st->nseeds; i++) {
				unsigned int new = bits_new(have, st->map[i], 0, to);

				/* Of two the shorter one. */
				if (new < best || !new)
					continue;
				if (new > best ||
				    st->corpus[i].prog.n < st->corpus[at].prog.n) {
					best = new;
					at = i;
				}
			}
			if (best < least)
				break;
			for (size_t i = 0; i < FZ_MAP_SIZE; i++)
				have[i] |= st->map[at][i];
			printf("#+ == %u\n", n++);
			print_program("#+ ", &st->corpus[at].prog);
		}
	}
}

static int verdict_nr, failed;

static void result(bool ok, const char *what)
{
	printf("%s %d %s\n", ok ? "ok" : "not ok", ++verdict_nr, what);
	fflush(stdout);
	failed |= !ok;
}

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static void faults_quiet(void)
{
	static const char *const dir[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	static const char *const file[] = {
		"verbose", "ignore-gfp-wait", "ignore-gfp-highmem", "min-order",
	};
	char path[128];

	/* What they say of each fault would be all that the log has. */
	for (unsigned int d = 0; d < ARRAY_SIZE(dir); d++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(file); i++) {
			int fd;

			snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", dir[d], file[i]);
			fd = open(path, O_WRONLY);
			if (fd < 0)
				continue;
			if (write(fd, "0", 1) < 0 && write(fd, "N", 1) < 0)
				perror(path);
			close(fd);
		}
	}
}

static void state_make(void)
{
	size_t size = sizeof(*fz_state);

	if (fz_options.distill)
		size += FZ_CORPUS * (size_t)FZ_MAP_SIZE;
	fz_state = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fz_state == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
}

static void family_find(void)
{
	fz_family = number_in(RILL_FAMILY_PATH, "");
	if (fz_family <= 0) {
		printf("1..1\nnot ok 1 rill.ko is not loaded\n");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", 1, NULL, 's' }, { "seconds", 1, NULL, 't' }, { "calls", 1, NULL, 'c' },
		{ "corpus", 1, NULL, 'C' }, { "no-corpus", 0, NULL, 'N' },
		{ "rounds", 1, NULL, 'r' }, { "points", 1, NULL, 'p' },
		{ "coverage", 0, NULL, 'v' }, { "patience", 1, NULL, 'w' },
		{ "emit", 0, NULL, 'e' },
		{ "distill", 0, NULL, 'd' }, { "state", 1, NULL, 'S' },
		{ "reload", 1, NULL, 'R' }, { "squat", 1, NULL, 'Q' },
		{ "slow", 1, NULL, 'l' }, { "print", 1, NULL, 'P' }, { "help", 0, NULL, 'h' },
		{}
	};
	const char *corpus = NULL, *points = NULL, *state = NULL, *reload = NULL, *squat = NULL;
	double seconds = FRESH_SECONDS, patience = 0;
	uint64_t calls = 0, rounds = 1;
	bool builtin = true, coverage = false;
	unsigned long long progs = 0, before = 0;
	int opt, print = 0;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			fz_options.seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			seconds = atof(optarg);
			break;
		case 'c':
			calls = strtoull(optarg, NULL, 0);
			break;
		case 'C':
			corpus = optarg;
			break;
		case 'N':
			builtin = false;
			break;
		case 'r':
			rounds = strtoull(optarg, NULL, 0);
			break;
		case 'p':
			points = optarg;
			break;
		case 'v':
			coverage = true;
			break;
		case 'w':
			patience = atof(optarg);
			break;
		case 'e':
			emit = true;
			break;
		case 'd':
			fz_options.distill = true;
			break;
		case 'S':
			state = optarg;
			break;
		case 'Q':
			squat = optarg;
			break;
		case 'R':
			reload = optarg;
			break;
		case 'l':
			fz_options.slow = atoi(optarg) ?: 1;
			break;
		case 'P':
			print = atoi(optarg);
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			fputs(help, stderr);
			return 2;
		}
	}
	if ((coverage || fz_options.distill) && !points) {
		fputs("fuzz: coverage needs --points\n", stderr);
		return 2;
	}
	state_make();
	if (print)
		return print_some(print);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n");
	family_find();
	faults_quiet();
	fz_trace_begin();
	kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg_fd >= 0)
		lseek(kmsg_fd, 0, SEEK_END);
	if (points && (fz_cover_load(points) || fz_cover_reasons(fz_reasons_text)))
		return 2;
	if (points && !fz_cover_on()) {
		printf("# this kernel has no KCOV: unguided\n");
		fz_npoints = 0;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (optind < argc)
		return run_files(argv + optind, true);

	if (state && sscanf(state, "%llu,%llu", &progs, &before) != 2) {
		fputs("fuzz: --state wants what \"# state\" said\n", stderr);
		return 2;
	}
	fz_state->progs = progs;
	fz_state->calls = before;
	sockets_before = number_in("/proc/self/net/rill_stat", "sockets ");
	started = fz_now();
	last_told = started;

	corpus_add(fz_crashes_text, "crashes");
	printf("# %u programs once found a bug\n", fz_state->nseeds);
	result(fz_state->nseeds && work(0, fz_state->nseeds, 0),
	       "the programs that once found a bug");
	if (builtin)
		corpus_add(fz_corpus_text, "corpus");
	if (corpus)
		corpus_add(read_whole(corpus), corpus);
	fz_state->replayed = 0;
	printf("# the corpus has %u programs\n", fz_state->nseeds);
	result(!failed && work(0, rounds * fz_state->nseeds, 0), "the corpus");
	if (fz_options.distill)
		distill();
	if (seconds > 0)
		result(!failed && work(seconds, 0, calls), "fresh programs");
	result(module_free() && log_is_clean(), "nothing is left");
	if (fz_npoints && reload) {
		int err = failed ? 0 : fz_cover_reload(reload, squat);

		if (err)
			printf("# %s: %s\n", reload, strerror(-err));
		result(!err && log_is_clean(), "unloading and loading");
	}
	if (fz_npoints && patience > 0) {
		double until = fz_now() + patience;
		bool well = !failed;

		while (well && fz_now() < until && fz_cover_open())
			well = work(PATIENCE_STEP, 0, 0);
		result(well && module_free() && log_is_clean(), "more of them, for the rest");
	}
	if (fz_npoints) {
		bool enough = fz_cover_report();

		if (coverage)
			result(enough, "every block is reached or explained, 90 % are reached");
	} else if (coverage) {
		result(false, "coverage needs KCOV");
	}
	printf("1..%d\n", verdict_nr);
	return failed;
}
