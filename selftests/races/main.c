// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races: twelve operations in all pairs, on sockets of three types.
 *
 * A cell is a pair of operations and a type.  Rounds are played in chunks, cell
 * by cell, and again from the first, so that whoever stops it has each cell tried
 * about as often.  All that is random comes from the seed, the cell and the number
 * of the chunk; what the scheduler does comes from nowhere, which is the point.
 *
 * The whole state is the number of chunks that are done, so a run can be stopped
 * at any time and gone on with: --state, or --from with what a "# state" line
 * said.
 */
#include "race.h"

#include <getopt.h>

struct scene sc;
struct member crew[CREW];
atomic_uint failures;
int bad_fd;
int stuck_ms;

const char * const op_name[OP_N + 1] = {
	"connect", "accept", "close", "shutdown", "send", "recv", "poll", "listen",
	"setsockopt", "peek", "splice", "signal", "nothing",
};

const char * const obj_name[O_N] = {
	"L", "C", "D", "P", "Q", "X0", "X1", "X2", "X3", "X4",
};

const char * const type_name[TYPES] = { "stream", "seqpacket", "dgram" };
const int type_value[TYPES] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };

struct cell {
	enum op			op[2];
	int			type;
	unsigned long long	rounds;
	unsigned int		failures;
};

static struct cell cells[PAIRS * TYPES];
static unsigned int n_cells;

/* What was asked for. */
static unsigned long long seed, rounds = 20, from;
static unsigned int chunk;
static long seconds = -1;
static const char *state_file;

static unsigned long long played;
static long long began_ms;
static volatile sig_atomic_t stop;
static struct cell *current;
static unsigned long long current_chunk;

static void usage(void)
{
	printf("usage: race [option...]\n"
	       "\n"
	       "Plays rounds of two to four threads with two operations on the same sockets\n"
	       "of AF_RILL, and looks after each at what was returned, at every byte and at\n"
	       "every connection.  Needs the module, and root for a namespace of its own.\n"
	       "\n"
	       "  --rounds N      rounds of each cell (pair and type); default: 20, and then\n"
	       "                  more until --seconds are over\n"
	       "  --seconds N     go on for so long after one chunk of each cell, and with\n"
	       "                  --rounds no longer than so; default: RACE_SECONDS, or 20\n"
	       "  --pairs LIST    as connect+accept,close+*; default: all 78\n"
	       "  --types LIST    of stream,seqpacket,dgram; default: all\n"
	       "  --seed S        default: from the clock; it is printed\n"
	       "  --chunk N       rounds of a cell at a time; default: 20, or 500 with --rounds\n"
	       "  --state FILE    go on where FILE says, and write it when stopped (SIGINT,\n"
	       "                  SIGTERM) and as it goes\n"
	       "  --from STATE    go on there: what a \"# state\" line said\n"
	       "  --stuck SECONDS after which a call counts as hung; default: 20\n"
	       "  --list          print the cells, and end\n"
	       "  --help          this text\n"
	       "\n"
	       "operations: connect accept close shutdown send recv poll listen setsockopt\n"
	       "            peek splice signal\n"
	       "\n"
	       "Below scripts/campaign, CAMPAIGN_STATE and CAMPAIGN_SECONDS are --from and\n"
	       "--seconds.\n"
	       "\n"
	       "Exit status: 0 all rounds were right, 1 some were not, 2 wrong option,\n"
	       "3 stopped before the end, with nothing wrong so far.\n");
}

__attribute__((format(printf, 1, 2)))
static void bad_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "race: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, " (--help says more)\n");
	va_end(ap);
	exit(2);
}

static void say_where(void)
{
	int i;

	printf("# in %s+%s %s, chunk %llu, round %u, seed %llu, %s\n",
	       op_name[sc.op[0]], op_name[sc.op[1]], type_name[sc.type_index],
	       current_chunk, sc.round, seed,
	       sc.on_listener ? "at a listener" : "between two ends");
	for (i = 0; i < sc.members; i++) {
		const struct member *m = &crew[i];

		printf("#   member %d: %s (form %u) on %s%s%s: %ld%s\n", i,
		       op_name[m->job.op], m->variant, obj_name[m->job.obj],
		       m->job.block ? ", may wait" : "",
		       atomic_load(&m->done.value) == sc.round || !i ? "" : ", not back",
		       m->ret, m->signalled ? ", had a signal" : "");
	}
}

void wrong(const char *fmt, ...)
{
	static unsigned int in_round = -1U;
	va_list ap;

	if (atomic_fetch_add(&failures, 1) > 200)
		return;
	if (in_round != sc.round)
		say_where();
	in_round = sc.round;
	printf("# wrong: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static void say_file(int tid, const char *name)
{
	char path[64], buf[4096], *line, *save = NULL;

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", tid, name);
	if (rt_read_file(path, buf, sizeof(buf)) <= 0)
		return;
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		printf("#     %s: %s\n", name, line);
}

/* A call does not come back: there is no way to go on. */
void report_stuck(const char *why)
{
	int i;

	printf("# HANG: %s\n", why);
	say_where();
	for (i = 0; i < sc.members; i++) {
		int tid = atomic_load(&crew[i].tid);

		printf("#   member %d, %c:\n", i, rt_task_state(tid));
		say_file(tid, "wchan");
		say_file(tid, "syscall");
		say_file(tid, "stack");
	}
	printf("not ok %u %s %s+%s # hangs\n", (unsigned int)(current - cells) + 1,
	       type_name[sc.type_index], op_name[sc.op[0]], op_name[sc.op[1]]);
	fflush(stdout);
	_exit(1);
}

/* Member 0 itself may hang. */
static void *watchdog(void *arg)
{
	unsigned long long last = -1ULL;
	long long since = rt_now_ms();

	(void)arg;
	for (;;) {
		unsigned long long now = __atomic_load_n(&played, __ATOMIC_RELAXED);

		sleep(1);
		if (now != last) {
			last = now;
			since = rt_now_ms();
		} else if (rt_now_ms() - since > 3LL * stuck_ms) {
			report_stuck("no round for long");
		}
	}
	return NULL;
}

/* ---- the cells ---- */

static int op_find(const char *name, size_t len)
{
	for (int i = 0; i < OP_N; i++)
		if (strlen(op_name[i]) == len && !strncmp(op_name[i], name, len))
			return i;
	if (len == 1 && *name == '*')
		return OP_N;
	bad_usage("there is no operation \"%.*s\"", (int)len, name);
	return -1;
}

static bool pair_wanted(const char *list, int a, int b)
{
	const char *p = list, *plus, *end;

	if (!list || !strcmp(list, "all"))
		return true;
	for (; *p; p = *end ? end + 1 : end) {
		int x, y;

		end = strchrnul(p, ',');
		plus = memchr(p, '+', end - p);
		if (!plus)
			bad_usage("a pair is OPERATION+OPERATION, not \"%.*s\"",
				  (int)(end - p), p);
		x = op_find(p, plus - p);
		y = op_find(plus + 1, end - plus - 1);
		if (((x == OP_N || x == a) && (y == OP_N || y == b)) ||
		    ((x == OP_N || x == b) && (y == OP_N || y == a)))
			return true;
	}
	return false;
}

static bool type_wanted(const char *list, int type)
{
	const char *p = list, *end;
	bool any = !list;

	for (; list && *p; p = *end ? end + 1 : end) {
		int i;

		end = strchrnul(p, ',');
		for (i = 0; i < TYPES; i++)
			if (strlen(type_name[i]) == (size_t)(end - p) &&
			    !strncmp(type_name[i], p, end - p))
				break;
		if (i == TYPES)
			bad_usage("there is no type \"%.*s\"", (int)(end - p), p);
		any |= i == type;
	}
	return any;
}

static void make_cells(const char *pairs, const char *types)
{
	for (int a = 0; a < OP_N; a++)
		for (int b = a; b < OP_N; b++)
			for (int t = 0; t < TYPES; t++)
				if (pair_wanted(pairs, a, b) && type_wanted(types, t))
					cells[n_cells++] = (struct cell){
						.op = { a, b }, .type = t,
					};
	if (!n_cells)
		bad_usage("no cell is left");
}

/* ---- state ---- */

/* What it says has to be enough to go on, and to see that it is the same run. */
static void state_print(char *buf, size_t size, unsigned long long done)
{
	snprintf(buf, size, "race1:%llu:%u:%u:%llu", seed, chunk, n_cells, done);
}

static void state_parse(const char *text)
{
	unsigned long long s, done;
	unsigned int c, n;

	if (sscanf(text, "race1:%llu:%u:%u:%llu", &s, &c, &n, &done) != 4)
		bad_usage("\"%s\" is no state", text);
	if (n != n_cells)
		bad_usage("the state is of a run with %u cells, not %u", n, n_cells);
	seed = s;
	chunk = c;
	from = done;
}

static void state_save(unsigned long long done)
{
	char text[128], path[4096];
	FILE *f;

	state_print(text, sizeof(text), done);
	printf("# state %s\n", text);
	fflush(stdout);
	if (!state_file)
		return;
	snprintf(path, sizeof(path), "%s.new", state_file);
	f = fopen(path, "we");
	if (!f || fprintf(f, "%s\n", text) < 0 || fclose(f) || rename(path, state_file))
		printf("# cannot write %s: %s\n", state_file, strerror(errno));
}

static void state_load(void)
{
	char buf[128];

	if (state_file && rt_read_file(state_file, buf, sizeof(buf)) > 0)
		state_parse(buf);
}

/* ---- playing ---- */

static uint64_t chunk_rng(const struct cell *c, unsigned long long pass)
{
	uint64_t id = c->op[0] << 16 | c->op[1] << 8 | c->type;
	uint64_t x = rd_mix(rd_mix(seed + 0x9e3779b97f4a7c15ULL) ^ rd_mix(id << 32 ^ pass));

	return x ?: 1;
}

static void play_chunk(struct cell *c, unsigned long long pass, unsigned int n)
{
	uint64_t rng = chunk_rng(c, pass);
	unsigned int before = atomic_load(&failures);
	static unsigned int round;

	sc.op[0] = c->op[0];
	sc.op[1] = c->op[1];
	sc.type_index = c->type;
	sc.type = type_value[c->type];
	sc.fd[O_L] = -1;
	sc.l_ready = false;
	sc.backlog = 0;
	sc.l_backlog = -1;
	while (n--) {
		/* 0 is none, UINT_MAX is the end. */
		round = round % 0x7fffffff + 1;
		sc.round = round;
		scene_plan(&rng);
		if (scene_build(&rng))
			crew_play();
		check(&rng);
		c->rounds++;
		__atomic_store_n(&played, played + 1, __ATOMIC_RELAXED);
	}
	scene_drop_listener();
	check_gone();
	c->failures += atomic_load(&failures) - before;
}

static void progress(unsigned long long at, unsigned long long all)
{
	double s = (rt_now_ms() - began_ms) / 1000.0;

	printf("# %.0f s: %llu rounds, %.0f a second, chunk %llu", s, played,
	       s > 0 ? played / s : 0, at);
	if (all != -1ULL)
		printf(" of %llu", all);
	printf(", at %s %s+%s; sleepers: %llu woken, %llu helped, %llu interrupted%s\n",
	       type_name[current->type], op_name[current->op[0]],
	       op_name[current->op[1]], helped[2], helped[0], helped[1],
	       atomic_load(&failures) ? "; FAILURES" : "");
}

/* Is it time to end? */
static bool over(unsigned long long at)
{
	if (stop)
		return true;
	if (seconds < 0 || rt_now_ms() - began_ms < seconds * 1000LL)
		return false;
	/* Every cell once, however slow the machine is. */
	return rounds != 0 || at >= n_cells;
}

/* The chunk to go on with. */
static unsigned long long play(unsigned long long all)
{
	long long told = rt_now_ms();
	unsigned long long at;
	unsigned int i;

	/* What was played before it was stopped counts too. */
	for (i = 0; i < n_cells; i++) {
		cells[i].rounds = (from / n_cells + (i < from % n_cells)) * chunk;
		if (rounds && cells[i].rounds > rounds)
			cells[i].rounds = rounds;
	}
	for (at = from; at < all && !over(at); at++) {
		unsigned int n = chunk;

		current = &cells[at % n_cells];
		current_chunk = at;
		if (rounds && rounds - at / n_cells * chunk < n)
			n = rounds - at / n_cells * chunk;
		play_chunk(current, at / n_cells, n);
		if (atomic_load(&failures) > 200)
			break;
		if (rt_now_ms() - told >= 10000) {
			told = rt_now_ms();
			progress(at + 1, all);
			state_save(at + 1);
		}
	}
	return at;
}

static void on_stop(int sig)
{
	(void)sig;
	stop = 1;
}

static void set_up(void)
{
	struct sigaction sa = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
	pthread_t dog;
	sigset_t set;
	int err;

	if (rt_rill_family() < 0) {
		printf("Bail out! the module is not loaded\n");
		exit(1);
	}
	/* Counters of its own.  Without root it shares them, and says so. */
	if (unshare(CLONE_NEWNET))
		printf("# no namespace of its own: others' sockets may be counted\n");
	bad_fd = open("/", O_PATH | O_CLOEXEC);
	/* Low numbers are for the sockets; this one is out of the way. */
	bad_fd = fcntl(bad_fd, F_DUPFD_CLOEXEC, 200);
	for (int i = 0; i < 4; i++) {
		static const enum obj named[] = { O_L, O_P, O_Q, O_C };
		char name[32];

		snprintf(name, sizeof(name), "race/%s", obj_name[named[i]]);
		sc.name[named[i]] = rt_addr(RT_RILL, name);
	}
	/* Signals that stop it are for the watchdog, which waits for nothing. */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (pthread_create(&dog, NULL, watchdog, NULL)) {
		printf("Bail out! no thread\n");
		exit(1);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	err = crew_start();
	if (err) {
		printf("Bail out! no crew: %s\n", strerror(-err));
		exit(1);
	}
}

static unsigned int report(void)
{
	unsigned int bad = 0, later = 0, i;
	unsigned long long least = -1ULL;

	for (i = 0; i < n_cells; i++) {
		const struct cell *c = &cells[i];
		bool ok = !c->failures && (c->rounds || rounds);

		bad += !ok;
		later += ok && !c->rounds;
		if (c->rounds < least)
			least = c->rounds;
		printf("%s %u %s %s+%s: %llu rounds%s\n", ok ? "ok" : "not ok", i + 1,
		       type_name[c->type], op_name[c->op[0]], op_name[c->op[1]],
		       c->rounds, ok && !c->rounds ? " # SKIP not its turn yet" : "");
	}
	printf("# %llu rounds now; of each of %u cells at least %llu so far; seed %llu; %u wrong\n",
	       played, n_cells, least, seed, atomic_load(&failures));
	printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0\n",
	       n_cells - bad - later, bad, later);
	return bad;
}

static unsigned long long number(const char *opt, const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 0);

	if (!*text || *end || *text == '-')
		bad_usage("%s wants a number, not \"%s\"", opt, text);
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' },
		{ "pairs", required_argument, NULL, 'p' },
		{ "types", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 'S' },
		{ "chunk", required_argument, NULL, 'c' },
		{ "state", required_argument, NULL, 'f' },
		{ "from", required_argument, NULL, 'F' },
		{ "stuck", required_argument, NULL, 'k' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *pairs = NULL, *types = NULL, *state = getenv("CAMPAIGN_STATE");
	const char *env = getenv("RACE_SECONDS"), *slice = getenv("CAMPAIGN_SECONDS");
	unsigned long long all, at;
	bool bounded = false, list = false;
	unsigned int bad;
	int o;

	setlinebuf(stdout);
	seed = (unsigned long long)time(NULL) * 1000 + getpid() % 1000;
	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (o) {
		case 'r':
			rounds = number("--rounds", optarg);
			bounded = true;
			break;
		case 's':
			seconds = number("--seconds", optarg);
			break;
		case 'p':
			pairs = optarg;
			break;
		case 't':
			types = optarg;
			break;
		case 'S':
			seed = number("--seed", optarg);
			break;
		case 'c':
			chunk = number("--chunk", optarg);
			break;
		case 'f':
			state_file = optarg;
			break;
		case 'F':
			state = optarg;
			break;
		case 'k':
			stuck_ms = number("--stuck", optarg) * 1000;
			break;
		case 'l':
			list = true;
			break;
		case 'h':
			usage();
			return 0;
		default:
			bad_usage("there is no such option");
		}
	}
	if (optind < argc)
		bad_usage("it takes no arguments");
	make_cells(pairs, types);
	if (list) {
		for (unsigned int i = 0; i < n_cells; i++)
			printf("%s %s+%s\n", type_name[cells[i].type],
			       op_name[cells[i].op[0]], op_name[cells[i].op[1]]);
		return 0;
	}
	if (!chunk)
		chunk = bounded ? 500 : 20;
	if (bounded && !rounds)
		bad_usage("--rounds wants at least 1");
	if (!bounded) {
		rounds = 0;
		if (seconds < 0)
			seconds = env ? number("RACE_SECONDS", env) : 20;
	}
	if (slice && seconds < 0)
		seconds = number("CAMPAIGN_SECONDS", slice);
	if (!stuck_ms)
		stuck_ms = RT_WAIT_MS;
	state_load();
	if (state && *state)
		state_parse(state);
	all = rounds ? (rounds + chunk - 1) / chunk * n_cells : -1ULL;

	printf("TAP version 13\n1..%u\n", n_cells);
	printf("# %u cells, seed %llu, chunks of %u", n_cells, seed, chunk);
	if (rounds)
		printf(", %llu rounds of each", rounds);
	if (from)
		printf(", from chunk %llu", from);
	printf("\n");

	set_up();
	began_ms = rt_now_ms();
	current = cells;
	at = play(all);
	current = &cells[at ? (at - 1) % n_cells : 0];
	progress(at, all);
	state_save(at);
	bad = report();
	crew_stop();
	if (atomic_load(&failures) || bad)
		return 1;
	return rounds && at < all ? 3 : 0;
}
