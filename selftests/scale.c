// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many: pairs held, names bound, connections made and gone, connectors that flood.
 *
 * SCALE_PAIRS, SCALE_NAMES, SCALE_CHURN and SCALE_SERVED say how many of each;
 * the full sizes are 100000, 100000, 1000000 and 1000, the first in 4 GiB of
 * memory.  RILL_ONLY (rill_test_only.h) leaves out the rest.
 *
 * What the n-th bind() or connect() costs is compared with what the thousandth
 * does, the two turn by turn, so that what else the machine does hits both; the
 * medians count, and one of three tries has to be good.  All three are made, and
 * printed.
 */
#include "rill_test_left.h"

#define MANY_S		7200	/* the bound of the full sizes, emulated */
#define FEW		1000
#define TURNS		501	/* odd, for the median */
#define TRIES		3
#define BACKLOG		4096

static int in_netns(int ns)
{
	return ns < 0 ? 0 : SYS(setns(ns, CLONE_NEWNET));
}

static int new_netns(void)
{
	if (unshare(CLONE_NEWNET))
		return -errno;
	return SYS(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

/* Room for so many descriptors, here and in the machine, beside rl_sysfs()'s. */
static int raise_files(long n)
{
	const rlim_t most = n + 100 + 2 * RL_SHRINKS;
	struct rlimit rl = { .rlim_cur = most, .rlim_max = most };
	char text[32];

	if (rl_number("/proc/sys/fs/file-max") < 2 * n) {
		snprintf(text, sizeof(text), "%ld\n", 2 * n + 10000);
		rt_write_file("/proc/sys/fs/file-max", text);
	}
	return SYS(setrlimit(RLIMIT_NOFILE, &rl));
}

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return x < y ? -1 : x > y;
}

static long long median(long long *v, int n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

/* ---- few and many, in a namespace each ---- */

struct crowd {
	int		ns;
	long		n;		/* pairs, or names */
	int		*fd;		/* two of a pair */
	int		lfd;
	struct rt_addr	a;
};

FIXTURE(scale)
{
	struct rl_left before;
	struct crowd c[2];		/* few, many */
};

FIXTURE_VARIANT(scale)
{
	int type;
};

FIXTURE_VARIANT_ADD(scale, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(scale, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(scale, dgram)
{
	.type = SOCK_DGRAM,
};

FIXTURE_SETUP(scale)
{
	rl_unused();
	for (int i = 0; i < 2; i++) {
		self->c[i].lfd = -1;
		self->c[i].ns = new_netns();
		ASSERT_LE(0, self->c[i].ns);
	}
	/* With the namespaces, which stay. */
	rl_read(&self->before, true);
	ASSERT_LE(0, self->before.refs);
}

FIXTURE_TEARDOWN(scale)
{
}

static int crowd_pair(struct crowd *c, int type, int fd[2])
{
	if (type == SOCK_DGRAM)
		return rt_pair(RT_RILL, type, fd);
	fd[0] = rt_client(RT_RILL, type, &c->a);
	if (fd[0] < 0)
		return fd[0];
	fd[1] = SYS(accept(c->lfd, NULL, NULL));
	return fd[1] < 0 ? fd[1] : 0;
}

/* Makes them; says how it goes on with the large ones. */
static int crowd_pairs(struct crowd *c, int type, long n)
{
	struct rl_left was, is;
	int err = 0;
	long i;

	c->fd = malloc(2 * n * sizeof(*c->fd));
	if (!c->fd)
		return -ENOMEM;
	memset(c->fd, 0, 2 * n * sizeof(*c->fd));
	err = in_netns(c->ns);
	if (!err && type != SOCK_DGRAM) {
		c->lfd = rt_listener(RT_RILL, type, BACKLOG, &c->a);
		err = c->lfd < 0 ? c->lfd : 0;
	}
	rl_read(&was, true);
	for (i = 0; i < n && !err; i++) {
		err = crowd_pair(c, type, c->fd + 2 * i);
		c->n += !err;
		if (n >= 20000 && (i + 1) % (n / 10) == 0)
			rd_say("%ld of %ld pairs", i + 1, n);
	}
	if (err) {
		rd_say("pair %ld: %s", i, strerror(-err));
		return err;
	}
	rl_read(&is, true);
	rd_say("%ld pairs: slab that cannot be reclaimed %ld bytes a pair", n,
	       (is.slab_kb - was.slab_kb) * 1024 / n);
	/* Of few pairs that is what else the machine does. */
	if (n >= 20000)
		rd_say("%ld pairs: MemFree %ld bytes a pair", n,
		       (was.free_kb - is.free_kb) * 1024 / n);
	return rt_counter("sockets") == 2 * n + (c->lfd >= 0) ? 0 : -EBADMSG;
}

/* Some of them, from all over: do they work? */
static int crowd_talk(struct crowd *c)
{
	long i, step = c->n / 100 ?: 1;
	char b;

	for (i = 0; i < c->n; i += step)
		if (SYS(send(c->fd[2 * i], "x", 1, 0)) != 1 ||
		    SYS(recv(c->fd[2 * i + 1], &b, 1, MSG_DONTWAIT)) != 1)
			return -EIO;
	return 0;
}

static void crowd_close(struct crowd *c, int each)
{
	for (long i = 0; i < each * c->n; i++)
		close(c->fd[i]);
	if (c->lfd >= 0)
		close(c->lfd);
	c->lfd = -1;
	c->n = 0;
	free(c->fd);
	c->fd = NULL;
}

/*
 * What one more costs there, in ns.  The socket is made before; afterwards it is
 * closed, so that their number stays.
 */
static long long cost_bind(struct crowd *c, int type)
{
	int fd = rt_socket(RT_RILL, type);
	struct rt_addr a = rt_new_addr(RT_RILL);
	long long t;
	int err;

	(void)c;
	if (fd < 0)
		return fd;
	t = now_ns();
	err = rt_bind(fd, &a);
	t = now_ns() - t;
	close(fd);
	return err ?: t;
}

static long long cost_connect(struct crowd *c, int type)
{
	int fd = rt_socket(RT_RILL, type), other;
	long long t;
	int err;

	if (fd < 0)
		return fd;
	t = now_ns();
	err = rt_connect(fd, &c->a);
	t = now_ns() - t;
	if (!err && type != SOCK_DGRAM) {
		other = SYS(accept(c->lfd, NULL, NULL));
		if (other < 0)
			err = other;
		else
			close(other);
	}
	close(fd);
	return err ?: t;
}

/* Are those of many at most twice as dear?  1, 0, or an errno. */
static int compare_costs(struct crowd c[2], int type, const char *what,
			 long long (*cost)(struct crowd *, int))
{
	static long long ns[2][TURNS];
	int try, i, k, err, good = 0;

	for (try = 0; try < TRIES; try++) {
		long long few, many;

		for (i = 0; i < 2 * TURNS; i++) {
			k = i & 1;
			err = in_netns(c[k].ns);
			if (err)
				return err;
			ns[k][i / 2] = cost(&c[k], type);
			if (ns[k][i / 2] < 0)
				return ns[k][i / 2];
		}
		few = median(ns[0], TURNS);
		many = median(ns[1], TURNS);
		rd_say("%s beside %ld: %lld ns, beside %ld: %lld ns, %.2f times (%d of %d)",
		       what, c[0].n, few, c[1].n, many, (double)many / few,
		       try + 1, TRIES);
		good |= many <= 2 * few;
	}
	return good;
}

TEST_F_TIMEOUT(scale, pairs, MANY_S)
{
	long n = rl_env("SCALE_PAIRS", 3000);
	int i;

	ASSERT_EQ(0, raise_files(2 * (n + FEW)));
	ASSERT_EQ(0, crowd_pairs(&self->c[0], variant->type, FEW));
	ASSERT_EQ(0, crowd_pairs(&self->c[1], variant->type, n));
	EXPECT_EQ(0, crowd_talk(&self->c[1]));
	if (variant->type != SOCK_DGRAM)
		EXPECT_EQ(1, compare_costs(self->c, variant->type, "connect()",
					   cost_connect));
	for (i = 0; i < 2; i++) {
		crowd_close(&self->c[i], 2);
		ASSERT_EQ(0, in_netns(self->c[i].ns));
		EXPECT_TRUE(RT_UNTIL(!rt_counter("sockets") && !rt_counter("names")));
		EXPECT_EQ(0, rl_protocols());
	}
	EXPECT_TRUE(rl_back(&self->before, RL_MORE));
}

static int crowd_names(struct crowd *c, int type, long n)
{
	int err = in_netns(c->ns);
	long i;

	c->fd = calloc(n, sizeof(*c->fd));
	if (!c->fd)
		return -ENOMEM;
	for (i = 0; i < n && !err; i++) {
		struct rt_addr a = { .len = 0 };

		c->fd[i] = rt_bound(RT_RILL, type, &a);
		err = c->fd[i] < 0 ? c->fd[i] : 0;
		c->n += !err;
		/* Whom to connect to: one from the middle. */
		if (i == n / 2)
			c->a = a;
		if (n >= 20000 && (i + 1) % (n / 10) == 0)
			rd_say("%ld of %ld names", i + 1, n);
	}
	if (!err && type != SOCK_DGRAM) {
		c->lfd = c->fd[n / 2];
		err = SYS(listen(c->lfd, BACKLOG));
	}
	return err ?: rt_counter("names") == n ? 0 : -EBADMSG;
}

TEST_F_TIMEOUT(scale, names, MANY_S)
{
	long n = rl_env("SCALE_NAMES", 5000);
	int i;

	ASSERT_EQ(0, raise_files(n + FEW));
	ASSERT_EQ(0, crowd_names(&self->c[0], variant->type, FEW));
	ASSERT_EQ(0, crowd_names(&self->c[1], variant->type, n));
	EXPECT_EQ(1, compare_costs(self->c, variant->type, "bind()", cost_bind));
	EXPECT_EQ(1, compare_costs(self->c, variant->type, "connect()", cost_connect));
	for (i = 0; i < 2; i++) {
		self->c[i].lfd = -1;
		crowd_close(&self->c[i], 1);
		ASSERT_EQ(0, in_netns(self->c[i].ns));
		EXPECT_TRUE(RT_UNTIL(!rt_counter("sockets") && !rt_counter("names")));
	}
	EXPECT_TRUE(rl_back(&self->before, RL_MORE));
}

/* ---- churn ---- */

/* One connection's life, in one of four orders. */
static int churn_one(int lfd, const struct rt_addr *a, int type, unsigned int how)
{
	int fd, other;
	char c;

	fd = rt_client(RT_RILL, type, a);
	if (fd < 0)
		return fd;
	if (how & 1 && SYS(send(fd, "x", 1, 0)) != 1)
		return -EIO;
	/* Gone before it is accepted, with data or without. */
	if (how & 2)
		close(fd);
	other = SYS(accept(lfd, NULL, NULL));
	if (other < 0)
		return other;
	if (how == 1 && SYS(recv(other, &c, 1, 0)) != 1)
		return -EIO;
	close(other);
	if (!(how & 2))
		close(fd);
	return 0;
}

TEST_F_TIMEOUT(scale, churn, MANY_S)
{
	long n = rl_env("SCALE_CHURN", 10000) / 2, i, tenth = n / 10 ?: 1;
	struct rt_addr a = { .len = 0 };
	struct rl_left before;
	int lfd, err = 0;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "has no connections");
	lfd = rt_listener(RT_RILL, variant->type, 16, &a);
	ASSERT_LE(0, lfd);
	for (i = 0; i < 1000 && !err; i++)	/* what is kept for the next */
		err = churn_one(lfd, &a, variant->type, i & 3);
	ASSERT_EQ(0, err);
	ASSERT_TRUE(RT_UNTIL(rt_counter("sockets") == 1));
	rl_read(&before, true);
	for (i = 0; i < n && !err; i++) {
		err = churn_one(lfd, &a, variant->type, i & 3);
		if ((i + 1) % tenth == 0)
			rd_say("%ld of %ld connections", i + 1, n);
	}
	ASSERT_EQ(0, err) {
		TH_LOG("connection %ld", i);
	}
	EXPECT_EQ(n + 1000, rt_counter("connect_ok"));
	EXPECT_EQ(n + 1000, rt_counter("accept_ok"));
	EXPECT_TRUE(rl_back(&before, RL_MORE / 2));
	close(lfd);
	EXPECT_TRUE(rl_back(&self->before, RL_MORE / 2));
	rd_say("%ld connect, accept and close", n);
}

/* ---- flood ---- */

#define FLOODERS	3

struct flood {
	struct rt_addr	a;
	int		type;
	atomic_bool	stop;
	atomic_llong	calls, in_line, refused, wrong;
};

/* Connects without end to one who does not accept; lets go of the oldest. */
static long flooder(void *arg)
{
	struct flood *f = arg;
	int fd[64], i;

	memset(fd, -1, sizeof(fd));
	for (i = 0; !atomic_load(&f->stop); i = (i + 1) % 64) {
		int err;

		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = rt_socket(RT_RILL, f->type | SOCK_NONBLOCK);
		if (fd[i] < 0)
			return fd[i];
		err = rt_connect(fd[i], &f->a);
		atomic_fetch_add(&f->calls, 1);
		if (err == -EINPROGRESS)
			atomic_fetch_add(&f->in_line, 1);
		else if (err == -ECONNREFUSED)
			atomic_fetch_add(&f->refused, 1);
		else if (err)
			atomic_fetch_add(&f->wrong, 1);
	}
	for (i = 0; i < 64; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	return 0;
}

/* A request to another listener: it has room, so it is served at once. */
static int serve_one(int lfd, const struct rt_addr *a, int type)
{
	int fd = rt_socket(RT_RILL, type | SOCK_NONBLOCK), other, err;
	char c;

	if (fd < 0)
		return fd;
	err = rt_connect(fd, a);
	if (err)
		goto out;
	other = SYS(accept4(lfd, NULL, NULL, SOCK_NONBLOCK));
	if (other < 0) {
		err = other;
		goto out;
	}
	if (SYS(send(fd, "?", 1, 0)) != 1 || SYS(recv(other, &c, 1, 0)) != 1 ||
	    SYS(send(other, "!", 1, 0)) != 1 || SYS(recv(fd, &c, 1, 0)) != 1 ||
	    c != '!')
		err = -EIO;
	close(other);
out:
	close(fd);
	return err;
}

TEST_F_TIMEOUT(scale, flood, MANY_S)
{
	long n = rl_env("SCALE_SERVED", 200), i;
	struct flood f = { .type = variant->type };
	struct rt_addr a = { .len = 0 };
	struct rt_thread t[FLOODERS];
	int lfd, victim, err = 0;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "has no connections");
	/* So that all that can happen does: queue, line, refusal. */
	ASSERT_EQ(0, rt_write_file("/proc/sys/net/rill/max_waiting", "100\n"));
	victim = rt_listener(RT_RILL, variant->type, 1, &f.a);
	lfd = rt_listener(RT_RILL, variant->type, 1, &a);
	ASSERT_LE(0, victim);
	ASSERT_LE(0, lfd);
	for (i = 0; i < FLOODERS; i++)
		ASSERT_EQ(0, rt_thread_start(&t[i], flooder, &f));
	EXPECT_TRUE(RT_UNTIL(atomic_load(&f.refused)));
	for (i = 0; i < n && !err; i++)
		err = serve_one(lfd, &a, variant->type);
	EXPECT_EQ(0, err) {
		TH_LOG("request %ld of another listener", i);
	}
	/* And who is flooded serves too, as soon as it accepts. */
	for (i = 0; i < 200 && !err; i++) {
		int fd = rt_accept(victim, 0);

		err = fd < 0 ? fd : close(fd);
	}
	EXPECT_EQ(0, err);
	atomic_store(&f.stop, true);
	for (i = 0; i < FLOODERS; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_EQ(0, t[i].ret);
	}
	EXPECT_EQ(0, atomic_load(&f.wrong));
	EXPECT_EQ(0, rt_counter("waiting"));
	rd_say("%ld requests served beside %lld connects to another: %lld in line, %lld refused",
	       n, atomic_load(&f.calls), atomic_load(&f.in_line),
	       atomic_load(&f.refused));
	close(victim);
	close(lfd);
	EXPECT_TRUE(RT_UNTIL(!rt_counter("sockets")));
}

TEST_HARNESS_MAIN
