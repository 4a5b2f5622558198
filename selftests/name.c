// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names: who may bind which, who may reach them, how long they live.
 */
#include "rill_test_data.h"

#define UID_A	1001	/* owner of the names below */
#define GID_A	2001
#define UID_B	1002
#define GID_B	2002

/* ---- taken and free ---------------------------------------------------- */

FIXTURE(life)
{
	struct rt_addr a;
};

FIXTURE_VARIANT(life)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(life, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(life, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(life, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(life, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(life, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

FIXTURE_SETUP(life)
{
	self->a = rt_new_addr(variant->family);
}

FIXTURE_TEARDOWN(life)
{
}

/* Is a free for this type?  Bound and closed again. */
static int try_name(enum rt_family family, int type, struct rt_addr *a)
{
	int fd = rt_bound(family, type, a);

	if (fd < 0)
		return fd;
	return SYS(close(fd));
}

TEST_F(life, in_use)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	unsigned int i;
	int fd = rt_bound(variant->family, variant->type, &self->a);

	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		/*
		 * One table for all types.  In unix(7) an abstract name is per
		 * type, which hides a server from clients of the wrong type.
		 */
		if (variant->family == RT_UNIX && types[i] != variant->type)
			continue;
		/* errno: bind EADDRINUSE */
		EXPECT_EQ(-EADDRINUSE, try_name(variant->family, types[i], &self->a));
	}
	EXPECT_EQ(0, close(fd));
	/* Free with the close: no TIME_WAIT, nothing to unlink. */
	for (i = 0; i < ARRAY_SIZE(types); i++)
		EXPECT_EQ(0, try_name(variant->family, types[i], &self->a));
}

TEST_F(life, loser_can_bind_another)
{
	struct rt_addr other = rt_new_addr(variant->family);
	int fd = rt_bound(variant->family, variant->type, &self->a);
	int fd2 = rt_socket(variant->family, variant->type);

	ASSERT_LE(0, fd);
	ASSERT_LE(0, fd2);
	EXPECT_EQ(-EADDRINUSE, rt_bind(fd2, &self->a));
	EXPECT_EQ(0, rt_bind(fd2, &other));
	close(fd);
	close(fd2);
}

TEST_F(life, rebind)
{
	struct rt_addr other = rt_new_addr(variant->family);
	int fd = rt_bound(variant->family, variant->type, &self->a);

	ASSERT_LE(0, fd);
	/* errno: bind EINVAL */
	EXPECT_EQ(-EINVAL, rt_bind(fd, &other));
	EXPECT_EQ(-EINVAL, rt_bind(fd, &self->a));
	EXPECT_EQ(0, try_name(variant->family, variant->type, &other));
	close(fd);
}

TEST_F(life, bind_when_connected)
{
	struct rt_addr other = rt_new_addr(variant->family);
	int lfd, fd;

	/*
	 * unix(7) lets a connected socket bind, which changes who its peer
	 * thinks it talks to; a datagram socket may, its name is for answers.
	 */
	if (variant->family == RT_UNIX || variant->type == SOCK_DGRAM)
		SKIP(return, "Rill's stream and seqpacket only");
	lfd = rt_listener(variant->family, variant->type, 1, &self->a);
	ASSERT_LE(0, lfd);
	fd = rt_client(variant->family, variant->type, &self->a);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, rt_bind(fd, &other));
	EXPECT_EQ(-EINVAL, rt_bind(lfd, &other));
	EXPECT_EQ(0, try_name(variant->family, variant->type, &other));
	close(fd);
	close(lfd);
}

TEST_F(life, killed)
{
	int pipefd[2], i;

	for (i = 0; i < 20; i++) {
		pid_t pid;
		char c;

		ASSERT_EQ(0, pipe(pipefd));
		pid = rt_fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			int fd = rt_bound(variant->family, variant->type, &self->a);

			CHECK(fd >= 0);
			if (variant->type != SOCK_DGRAM)
				CHECK_EQ(0, listen(fd, 5));
			CHECK_EQ(1, write(pipefd[1], "b", 1));
			for (;;)
				pause();
		}
		close(pipefd[1]);
		ASSERT_EQ(1, read(pipefd[0], &c, 1));
		close(pipefd[0]);
		EXPECT_EQ(-EADDRINUSE,
			  try_name(variant->family, variant->type, &self->a));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_LE(0, rt_wait_child(pid));
		/* Not a moment later. */
		EXPECT_EQ(0, try_name(variant->family, variant->type, &self->a));
	}
}

/* The name lives until the last close, whoever made it. */
TEST_F(life, inherited)
{
	int go[2], fd, cfd, status;
	pid_t pid;
	char c;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, go));
	fd = rt_bound(variant->family, variant->type, &self->a);
	ASSERT_LE(0, fd);
	if (variant->type != SOCK_DGRAM)
		ASSERT_EQ(0, listen(fd, 1));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(go[0]);
		/* Until the parent closed its copy and has tried the name. */
		CHECK_EQ(1, read(go[1], &c, 1));
		CHECK_EQ(0, close(fd));
		CHECK_EQ(1, write(go[1], "c", 1));
		CHECK_EQ(0, read(go[1], &c, 1));
		_exit(0);
	}
	close(go[1]);
	close(fd);
	EXPECT_EQ(-EADDRINUSE, try_name(variant->family, variant->type, &self->a));
	cfd = rt_client(variant->family, variant->type, &self->a);
	EXPECT_LE(0, cfd);
	close(cfd);
	ASSERT_EQ(1, write(go[0], "g", 1));
	ASSERT_EQ(1, read(go[0], &c, 1));
	EXPECT_EQ(0, try_name(variant->family, variant->type, &self->a));
	close(go[0]);
	status = rt_wait_child(pid);
	EXPECT_EQ(0, status);
}

/* An accepted connection shows the name and does not hold it. */
TEST_F(life, accepted_does_not_hold)
{
	int lfd, cfd, afd;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "nothing to accept");
	lfd = rt_listener(variant->family, variant->type, 1, &self->a);
	ASSERT_LE(0, lfd);
	cfd = rt_client(variant->family, variant->type, &self->a);
	ASSERT_LE(0, cfd);
	afd = SYS(accept(lfd, NULL, NULL));
	ASSERT_LE(0, afd);
	close(lfd);
	EXPECT_EQ(0, try_name(variant->family, variant->type, &self->a));
	/* And the connection goes on. */
	EXPECT_EQ(1, SYS(send(cfd, "x", 1, 0)));
	close(cfd);
	close(afd);
}

TEST_F(life, autobind)
{
	struct sockaddr sa = { .sa_family = rt_af(variant->family) };
	socklen_t empty = variant->family == RT_RILL ? RILL_ADDR_MIN : sizeof(sa_family_t);
	struct rt_addr got[200];
	int fd[200], i, j;

	for (i = 0; i < 200; i++) {
		fd[i] = rt_socket(variant->family, variant->type);
		ASSERT_LE(0, fd[i]);
		ASSERT_EQ(0, SYS(bind(fd[i], &sa, empty)));
		memset(&got[i], 0, sizeof(got[i]));
		got[i].len = sizeof(got[i].ss);
		ASSERT_EQ(0, getsockname(fd[i], &got[i].sa, &got[i].len));
		if (variant->family == RT_RILL)
			EXPECT_EQ(0, strncmp(got[i].rill.srl_name,
					     RILL_PREFIX_AUTO, 5));
		for (j = 0; j < i; j++)
			ASSERT_NE(0, memcmp(&got[i], &got[j], sizeof(got[i])));
		/* It is a name as any other, bound once; unix(7) then says 0. */
		EXPECT_EQ(variant->family == RT_RILL ? -EINVAL : 0,
			  SYS(bind(fd[i], &sa, empty)));
	}
	if (variant->type == SOCK_DGRAM) {
		EXPECT_EQ(2, SYS(sendto(fd[0], "hi", 2, 0, &got[7].sa, got[7].len)));
		EXPECT_EQ(2, rt_get_int(fd[7], SOL_SOCKET, SO_TYPE));
		EXPECT_EQ(2, rt_drain(fd[7], 16));
	}
	for (i = 0; i < 200; i++)
		close(fd[i]);
}

TEST_F(life, wrong_type)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	unsigned int i;
	int fd = rt_bound(variant->family, variant->type, &self->a);

	ASSERT_LE(0, fd);
	if (variant->type != SOCK_DGRAM)
		ASSERT_EQ(0, listen(fd, 5));
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		int cfd = rt_socket(variant->family, types[i]);
		/* Abstract names of unix(7) are per type: nothing is found. */
		/* errno: connect EPROTOTYPE, send EPROTOTYPE */
		int want = variant->family == RT_RILL ? -EPROTOTYPE : -ECONNREFUSED;

		ASSERT_LE(0, cfd);
		if (types[i] == variant->type)
			want = 0;
		EXPECT_EQ(want, rt_connect(cfd, &self->a));
		close(cfd);
		if (types[i] != SOCK_DGRAM)
			continue;
		cfd = rt_socket(variant->family, SOCK_DGRAM);
		EXPECT_EQ(want ? want : 1,
			  SYS(sendto(cfd, "x", 1, 0, &self->a.sa, self->a.len)));
		close(cfd);
	}
	close(fd);
}

/* ---- may write, may not ------------------------------------------------ */

/* The eight sets of write bits, beside all that do not matter. */
static int mode_of(int i)
{
	return 0555 | (i & 4 ? 0200 : 0) | (i & 2 ? 0020 : 0) | (i & 1 ? 0002 : 0);
}

FIXTURE(access)
{
	char dir[64];
	int fd[8];
	struct rt_addr a[8];
};

FIXTURE_VARIANT(access)
{
	enum rt_family family;
	int type;
};

FIXTURE_VARIANT_ADD(access, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(access, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(access, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET,
};

/* The control: a path with the same owner and mode. */
FIXTURE_VARIANT_ADD(access, unix_path_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(access, unix_path_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM,
};

static int make_name(enum rt_family family, int type, const char *dir, int i,
		     struct rt_addr *a)
{
	struct rill_owner owner = { .ro_uid = UID_A, .ro_gid = GID_A };
	int fd = rt_socket(family, type);
	int err;

	if (fd < 0)
		return fd;
	if (family == RT_RILL) {
		*a = rt_new_addr(family);
		err = rt_bind(fd, a);
		if (!err)
			err = rt_set_int(fd, SOL_RILL, RILL_MODE, mode_of(i));
		if (!err)
			err = SYS(setsockopt(fd, SOL_RILL, RILL_OWNER, &owner,
					     sizeof(owner)));
	} else {
		memset(a, 0, sizeof(*a));
		a->un.sun_family = AF_UNIX;
		a->len = sizeof(a->un);
		snprintf(a->un.sun_path, sizeof(a->un.sun_path), "%s/%d", dir, i);
		err = rt_bind(fd, a);
		if (!err)
			err = SYS(chmod(a->un.sun_path, mode_of(i)));
		if (!err)
			err = SYS(chown(a->un.sun_path, UID_A, GID_A));
	}
	if (!err && type != SOCK_DGRAM)
		err = SYS(listen(fd, 20));
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

FIXTURE_SETUP(access)
{
	int i;

	memset(self->fd, 0xff, sizeof(self->fd));
	if (geteuid())
		SKIP(return, "needs root");
	snprintf(self->dir, sizeof(self->dir), "/tmp/rill-name-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, chmod(self->dir, 0755));
	for (i = 0; i < 8; i++) {
		self->fd[i] = make_name(variant->family, variant->type, self->dir, i,
					&self->a[i]);
		ASSERT_LE(0, self->fd[i]);
	}
}

FIXTURE_TEARDOWN(access)
{
	int i;

	for (i = 0; i < 8; i++) {
		if (self->fd[i] < 0)
			continue;
		close(self->fd[i]);
		if (variant->family == RT_UNIX)
			unlink(self->a[i].un.sun_path);
	}
	rmdir(self->dir);
}

/* In a child: which of the eight names can be reached? */
static void check_reach(const struct rt_addr *a, enum rt_family family, int type,
			int bit)
{
	int i;

	for (i = 0; i < 8; i++) {
		bool may = bit < 0 || i & bit;
		int fd = rt_socket(family, type | SOCK_NONBLOCK);

		CHECK(fd >= 0);
		/* errno: connect EACCES, send EACCES */
		CHECK_EQ(may ? 0 : -EACCES, rt_connect(fd, &a[i]));
		close(fd);
		if (type != SOCK_DGRAM)
			continue;
		fd = rt_socket(family, type | SOCK_NONBLOCK);
		CHECK_EQ(may ? 1 : -EACCES,
			 SYS(sendto(fd, "x", 1, 0, &a[i].sa, a[i].len)));
		close(fd);
	}
}

TEST_F(access, by_class)
{
	static const gid_t others[] = { 3000, 3001 }, member[] = { 3000, GID_A };
	static const struct {
		uid_t uid;
		gid_t gid;
		const gid_t *groups;
		int bit;
	} who[] = {
		{ UID_A, GID_A, others, 4 },	/* owner, also of the group: owner counts */
		{ UID_A, GID_B, others, 4 },
		{ UID_B, GID_A, others, 2 },	/* by its gid */
		{ UID_B, GID_B, member, 2 },	/* by a supplementary group */
		{ UID_B, GID_B, others, 1 },
		{ 0, 0, others, -1 },		/* CAP_DAC_OVERRIDE */
	};
	unsigned int i;

	if (self->fd[0] < 0)
		return;
	for (i = 0; i < ARRAY_SIZE(who); i++) {
		pid_t pid = rt_fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			CHECK_EQ(0, rd_become(who[i].uid, who[i].gid,
					      who[i].groups, 2));
			check_reach(self->a, variant->family, variant->type,
				    who[i].bit);
			_exit(0);
		}
		EXPECT_EQ(0, rt_wait_child(pid)) {
			TH_LOG("as uid %u gid %u", who[i].uid, who[i].gid);
		}
	}
}

/* The file-system ids count, not the effective ones. */
TEST_F(access, fsuid)
{
	pid_t pid;

	if (self->fd[0] < 0)
		return;
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHECK_EQ(0, setgroups(0, NULL));
		setfsgid(GID_B);
		setfsuid(UID_B);	/* and CAP_DAC_OVERRIDE is gone */
		CHECK_EQ(UID_B, setfsuid(-1));
		check_reach(self->a, variant->family, variant->type, 1);
		setfsuid(0);
		setfsuid(UID_A);
		check_reach(self->a, variant->family, variant->type, 4);
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
}

/* Root of neither class, without CAP_DAC_OVERRIDE, is one of the others. */
TEST_F(access, root_without_cap)
{
	pid_t pid;

	if (self->fd[0] < 0)
		return;
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHECK_EQ(0, setgroups(0, NULL));
		CHECK_EQ(0, rd_drop_cap(CAP_DAC_OVERRIDE));
		check_reach(self->a, variant->family, variant->type, 1);
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
}

/* A new mode holds from the next connect on. */
TEST_F(access, mode_changed)
{
	pid_t pid;
	int i;

	if (self->fd[0] < 0)
		return;
	for (i = 0; i < 8; i++) {
		if (variant->family == RT_RILL) {
			ASSERT_EQ(0, rt_set_int(self->fd[i], SOL_RILL, RILL_MODE,
						mode_of(7 - i)));
		} else {
			ASSERT_EQ(0, chmod(self->a[i].un.sun_path, mode_of(7 - i)));
		}
	}
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct rt_addr back[8];

		for (i = 0; i < 8; i++)
			back[7 - i] = self->a[i];
		CHECK_EQ(0, rd_become(UID_B, GID_B, NULL, 0));
		check_reach(back, variant->family, variant->type, 1);
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
}

/* An open connection does not care any more. */
TEST_F(access, connected_stays)
{
	pid_t pid;

	if (self->fd[0] < 0)
		return;
	if (variant->type != SOCK_STREAM)
		SKIP(return, "connections only");
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int fd, afd;
		char c;

		fd = rt_client(variant->family, variant->type, &self->a[7]);
		CHECK(fd >= 0);
		if (variant->family == RT_RILL)
			CHECK_EQ(0, rt_set_int(self->fd[7], SOL_RILL, RILL_MODE, 0));
		else
			CHECK_EQ(0, chmod(self->a[7].un.sun_path, 0));
		CHECK_EQ(0, rd_become(UID_B, GID_B, NULL, 0));
		afd = accept(self->fd[7], NULL, NULL);
		CHECK(afd >= 0);
		CHECK_EQ(1, send(fd, "x", 1, 0));
		CHECK_EQ(1, recv(afd, &c, 1, 0));
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
}

/* ---- RILL_MODE, RILL_OWNER --------------------------------------------- */

FIXTURE(own)
{
	struct rt_addr a;
	int fd;
};

FIXTURE_VARIANT(own)
{
	int type;
};

FIXTURE_VARIANT_ADD(own, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(own, dgram)
{
	.type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(own, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(own)
{
	self->a = rt_new_addr(RT_RILL);
	self->fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(own)
{
	close(self->fd);
}

static int get_mode(int fd)
{
	socklen_t len = sizeof(int);
	int mode = -2;

	if (getsockopt(fd, SOL_RILL, RILL_MODE, &mode, &len) || len != sizeof(int))
		return -1000 - errno;
	return mode;
}

static struct rill_owner get_owner(int fd)
{
	struct rill_owner o = { .ro_uid = 0xbad, .ro_gid = 0xbad };
	socklen_t len = sizeof(o);

	if (getsockopt(fd, SOL_RILL, RILL_OWNER, &o, &len) || len != sizeof(o))
		o.ro_uid = 0xdead;
	return o;
}

static int set_owner(int fd, __u32 uid, __u32 gid)
{
	struct rill_owner o = { .ro_uid = uid, .ro_gid = gid };

	return SYS(setsockopt(fd, SOL_RILL, RILL_OWNER, &o, sizeof(o)));
}

TEST_F(own, umask)
{
	static const int masks[] = { 0, 022, 027, 077, 0777 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		int fd, afd;

		umask(masks[i]);
		fd = rt_socket(RT_RILL, variant->type);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-1, get_mode(fd));
		ASSERT_EQ(0, rt_bind(fd, &self->a));
		EXPECT_EQ(0777 & ~masks[i], get_mode(fd));
		close(fd);

		/* Whoever gets a message may answer: the umask is not asked. */
		afd = rt_socket(RT_RILL, variant->type);
		ASSERT_LE(0, afd);
		ASSERT_EQ(0, SYS(bind(afd, &self->a.sa, RILL_ADDR_MIN)));
		EXPECT_EQ(0666, get_mode(afd));
		close(afd);
	}
}

/* A datagram that names its sender by itself does the same. */
TEST_F(own, autobind_on_send)
{
	struct rt_addr got = { .len = sizeof(got.ss) };
	int rfd;

	if (variant->type != SOCK_DGRAM)
		SKIP(return, "datagrams only");
	umask(077);
	rfd = rt_bound(RT_RILL, variant->type, &self->a);
	ASSERT_LE(0, rfd);
	EXPECT_EQ(1, SYS(sendto(self->fd, "x", 1, 0, &self->a.sa, self->a.len)));
	ASSERT_EQ(0, getsockname(self->fd, &got.sa, &got.len));
	EXPECT_EQ(0, strncmp(got.rill.srl_name, RILL_PREFIX_AUTO, 5));
	EXPECT_EQ(0666, get_mode(self->fd));
	close(rfd);

	/* Unless somebody said otherwise. */
	rfd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, rfd);
	ASSERT_EQ(0, rt_set_int(rfd, SOL_RILL, RILL_MODE, 0600));
	EXPECT_EQ(1, SYS(sendto(rfd, "x", 1, 0, &got.sa, got.len)));
	EXPECT_EQ(0600, get_mode(rfd));
	close(rfd);
}

TEST_F(own, mode_before_bind)
{
	umask(0777);
	EXPECT_EQ(0, rt_set_int(self->fd, SOL_RILL, RILL_MODE, 0621));
	EXPECT_EQ(0621, get_mode(self->fd));
	EXPECT_EQ(0, rt_set_int(self->fd, SOL_RILL, RILL_MODE, 0777));
	ASSERT_EQ(0, rt_bind(self->fd, &self->a));
	EXPECT_EQ(0777, get_mode(self->fd));
	EXPECT_EQ(0, rt_set_int(self->fd, SOL_RILL, RILL_MODE, 0));
	EXPECT_EQ(0, get_mode(self->fd));
}

TEST_F(own, bad_mode)
{
	static const int bad[] = { 01000, 04777, 02000, 010000, -1, INT_MIN, INT_MAX };
	unsigned int i;

	ASSERT_EQ(0, rt_set_int(self->fd, SOL_RILL, RILL_MODE, 0640));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		/* errno: setsockopt EINVAL */
		EXPECT_EQ(-EINVAL, rt_set_int(self->fd, SOL_RILL, RILL_MODE, bad[i]));
		EXPECT_EQ(0640, get_mode(self->fd));
	}
}

TEST_F(own, owner_is_the_binder)
{
	struct rill_owner o = get_owner(self->fd);

	EXPECT_EQ(~0U, o.ro_uid);
	EXPECT_EQ(~0U, o.ro_gid);
	ASSERT_EQ(0, rt_bind(self->fd, &self->a));
	o = get_owner(self->fd);
	EXPECT_EQ(geteuid(), o.ro_uid);
	EXPECT_EQ(getegid(), o.ro_gid);
	if (geteuid())
		SKIP(return, "the rest needs root");

	close(self->fd);
	setfsgid(GID_A);
	setfsuid(UID_A);
	self->fd = rt_bound(RT_RILL, variant->type, &self->a);
	setfsuid(0);
	setfsgid(0);
	ASSERT_LE(0, self->fd);
	o = get_owner(self->fd);
	EXPECT_EQ(UID_A, o.ro_uid);
	EXPECT_EQ(GID_A, o.ro_gid);
}

TEST_F(own, owner_set)
{
	struct rill_owner o;

	if (geteuid())
		SKIP(return, "needs root");
	/* Before the bind, by halves. */
	EXPECT_EQ(0, set_owner(self->fd, UID_A, ~0));
	ASSERT_EQ(0, rt_bind(self->fd, &self->a));
	o = get_owner(self->fd);
	EXPECT_EQ(UID_A, o.ro_uid);
	EXPECT_EQ(0, o.ro_gid);
	/* And afterwards. */
	EXPECT_EQ(0, set_owner(self->fd, ~0, GID_B));
	o = get_owner(self->fd);
	EXPECT_EQ(UID_A, o.ro_uid);
	EXPECT_EQ(GID_B, o.ro_gid);
	EXPECT_EQ(0, set_owner(self->fd, ~0, ~0));
	EXPECT_EQ(0, set_owner(self->fd, 0, 0));
	o = get_owner(self->fd);
	EXPECT_EQ(0, o.ro_uid);
	EXPECT_EQ(0, o.ro_gid);
}

TEST_F(own, owner_eperm)
{
	static const gid_t groups[] = { GID_B };
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct rill_owner o;
		int bound;

		CHECK_EQ(0, rd_become(UID_A, GID_A, groups, 1));
		for (bound = 0; bound < 2; bound++) {
			if (bound) {
				CHECK_EQ(0, rt_bind(self->fd, &self->a));
				CHECK_EQ(0, set_owner(self->fd, UID_A, GID_A));
			}
			/* errno: setsockopt EPERM */
			CHECK_EQ(-EPERM, set_owner(self->fd, UID_B, ~0));
			CHECK_EQ(-EPERM, set_owner(self->fd, 0, ~0));
			CHECK_EQ(-EPERM, set_owner(self->fd, ~0, 0));
			CHECK_EQ(-EPERM, set_owner(self->fd, ~0, 3000));
			/* One half that is not allowed spoils both. */
			CHECK_EQ(-EPERM, set_owner(self->fd, UID_A, 3000));
			CHECK_EQ(0, set_owner(self->fd, UID_A, GID_A));
			CHECK_EQ(0, set_owner(self->fd, ~0, GID_B));
			o = get_owner(self->fd);
			CHECK_EQ(UID_A, o.ro_uid);
			CHECK_EQ(GID_B, o.ro_gid);
		}
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));

	/* CAP_CHOWN alone makes the difference. */
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int fd = rt_socket(RT_RILL, variant->type);

		CHECK(fd >= 0);
		CHECK_EQ(0, setgroups(0, NULL));
		CHECK_EQ(0, set_owner(fd, UID_B, GID_B));
		CHECK_EQ(0, rd_drop_cap(CAP_CHOWN));
		CHECK_EQ(-EPERM, set_owner(fd, UID_A, ~0));
		CHECK_EQ(-EPERM, set_owner(fd, ~0, GID_A));
		CHECK_EQ(0, set_owner(fd, 0, 0));
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
}

/* Nobody may give away a name he was only lent. */
TEST_F(own, owner_of_a_lent_socket)
{
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, rt_bind(self->fd, &self->a));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHECK_EQ(0, rd_become(UID_A, GID_A, NULL, 0));
		CHECK_EQ(-EPERM, set_owner(self->fd, UID_B, ~0));
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
}

/* The name of a connection is its listener's. */
TEST_F(own, accepted)
{
	int cfd, afd;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "nothing to accept");
	ASSERT_EQ(0, rt_bind(self->fd, &self->a));
	ASSERT_EQ(0, listen(self->fd, 1));
	cfd = rt_client(RT_RILL, variant->type, &self->a);
	ASSERT_LE(0, cfd);
	afd = SYS(accept(self->fd, NULL, NULL));
	ASSERT_LE(0, afd);
	EXPECT_EQ(-EINVAL, rt_set_int(afd, SOL_RILL, RILL_MODE, 0700));
	EXPECT_EQ(-EINVAL, set_owner(afd, geteuid(), getegid()));
	close(afd);
	close(cfd);
}

/* ---- prefixes ---------------------------------------------------------- */

static int try_rill(const char *name)
{
	struct rt_addr a = rt_addr(RT_RILL, name);

	return try_name(RT_RILL, SOCK_DGRAM, &a);
}

TEST(prefix_nobody_may)
{
	static const char * const names[] = {
		"auto/", "auto/x", "auto/00000",
		"user/", "user/x", "user//x", "user/x/y",
		"user/-1/x", "user/+0/x", "user/ 0/x", "user/0 /x",
		"user/00/x", "user/000/x", "user/0x0/x", "user/0.0/x",
		"user/4294967295/x", "user/4294967296/x",
		"user/18446744073709551616/x", "user/99999999999999999999999/x",
	};
	unsigned int i;

	/* Not even root. */
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		/* errno: bind EACCES */
		EXPECT_EQ(-EACCES, try_rill(names[i])) {
			TH_LOG("%s", names[i]);
		}
	}
}

TEST(prefix_everybody_may)
{
	static const char * const names[] = {
		"sys", "user", "auto", "sysx/x", "users/0/x", "automatic/x",
		"SYS/x", "User/1/x", "/sys/x", " sys/x", "x/sys/x",
	};
	pid_t pid = rt_fork();
	unsigned int i;

	ASSERT_LE(0, pid);
	if (!pid) {
		if (!geteuid())
			CHECK_EQ(0, rd_become(UID_A, GID_A, NULL, 0));
		for (i = 0; i < ARRAY_SIZE(names); i++)
			CHECK_EQ(0, try_rill(names[i]));
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
}

TEST(prefix_sys)
{
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	EXPECT_EQ(0, try_rill("sys/selftest"));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHECK_EQ(0, rd_drop_cap(CAP_NET_BIND_SERVICE));
		CHECK_EQ(-EACCES, try_rill("sys/selftest"));
		CHECK_EQ(-EACCES, try_rill("sys/"));
		CHECK_EQ(0, try_rill("sys"));
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
}

static void as_user(uid_t uid)
{
	char name[RILL_NAME_SIZE];

	CHECK_EQ(0, rd_become(uid, GID_A, NULL, 0));
	snprintf(name, sizeof(name), "user/%u/x", uid);
	CHECK_EQ(0, try_rill(name));
	snprintf(name, sizeof(name), "user/%u/x/y z", uid);
	CHECK_EQ(0, try_rill(name));
	snprintf(name, sizeof(name), "user/%u//", uid);
	CHECK_EQ(0, try_rill(name));
	snprintf(name, sizeof(name), "user/%u", uid);
	CHECK_EQ(-EACCES, try_rill(name));
	snprintf(name, sizeof(name), "user/%u/", uid);
	CHECK_EQ(-EACCES, try_rill(name));
	snprintf(name, sizeof(name), "user/0%u/x", uid);
	CHECK_EQ(-EACCES, try_rill(name));
	snprintf(name, sizeof(name), "user/00%u/x", uid);
	CHECK_EQ(-EACCES, try_rill(name));
	snprintf(name, sizeof(name), "user/%u0/x", uid);
	CHECK_EQ(-EACCES, try_rill(name));
	snprintf(name, sizeof(name), "user/%ux/x", uid);
	CHECK_EQ(-EACCES, try_rill(name));
	snprintf(name, sizeof(name), "user/%u/x", uid + 1);
	CHECK_EQ(-EACCES, try_rill(name));
	/* One that is the same after an overflow of 32 bits. */
	snprintf(name, sizeof(name), "user/%llu/x", (1ULL << 32) + uid);
	CHECK_EQ(-EACCES, try_rill(name));
	CHECK_EQ(-EACCES, try_rill("user/0/x"));
	CHECK_EQ(-EACCES, try_rill("sys/x"));
}

TEST(prefix_user)
{
	static const uid_t uids[] = { 7, UID_A, 65534, 4294967293U };
	unsigned int i;

	if (geteuid())
		SKIP(return, "needs root");
	EXPECT_EQ(0, try_rill("user/0/x"));
	EXPECT_EQ(-EACCES, try_rill("user/1001/x"));
	for (i = 0; i < ARRAY_SIZE(uids); i++) {
		pid_t pid = rt_fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			as_user(uids[i]);
			_exit(0);
		}
		EXPECT_EQ(0, rt_wait_child(pid)) {
			TH_LOG("as uid %u", uids[i]);
		}
	}
	/* The file-system id. */
	setfsuid(UID_A);
	EXPECT_EQ(0, try_rill("user/1001/x"));
	EXPECT_EQ(-EACCES, try_rill("user/0/x"));
	setfsuid(0);
}

/* ---- another user namespace -------------------------------------------- */

#define MAP_FIRST	100000	/* uid 0 of the namespace, outside */

static int write_map(pid_t pid, const char *file)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	snprintf(text, sizeof(text), "0 %d 1000\n", MAP_FIRST);
	return rt_write_file(path, text);
}

/* What a root of a user and a network namespace of its own may do. */
static void in_user_ns(int go)
{
	struct rill_owner o;
	struct rt_addr a = rt_addr(RT_RILL, "in-ns");
	int fd, cfd;
	char c;

	CHECK_EQ(0, unshare(CLONE_NEWUSER));
	CHECK_EQ(1, write(go, "u", 1));
	CHECK_EQ(1, read(go, &c, 1));		/* the maps are written */
	CHECK_EQ(0, setresgid(0, 0, 0));
	CHECK_EQ(0, setresuid(0, 0, 0));
	CHECK_EQ(0, prctl(PR_SET_PDEATHSIG, SIGKILL));

	/* Still the old network namespace: its root is somebody else. */
	CHECK_EQ(-EACCES, try_rill("sys/selftest-ns"));
	CHECK_EQ(-EACCES, try_rill("user/0/x"));
	CHECK_EQ(0, try_rill("user/100000/x"));

	CHECK_EQ(0, unshare(CLONE_NEWNET));
	CHECK_EQ(0, try_rill("sys/selftest-ns"));
	CHECK_EQ(0, try_rill("user/0/x"));
	CHECK_EQ(-EACCES, try_rill("user/100000/x"));
	CHECK_EQ(-EACCES, try_rill("user/1/x"));

	fd = rt_bound(RT_RILL, SOCK_DGRAM, &a);
	CHECK(fd >= 0);
	o = get_owner(fd);
	CHECK_EQ(0, o.ro_uid);
	CHECK_EQ(0, o.ro_gid);
	CHECK_EQ(0, set_owner(fd, 5, 6));
	o = get_owner(fd);
	CHECK_EQ(5, o.ro_uid);
	CHECK_EQ(6, o.ro_gid);
	/* No such id here. */
	CHECK_EQ(-EINVAL, set_owner(fd, 5000, ~0));
	CHECK_EQ(-EINVAL, set_owner(fd, ~0, 5000));
	/* CAP_DAC_OVERRIDE counts, for an owner that is mapped. */
	CHECK_EQ(0, rt_set_int(fd, SOL_RILL, RILL_MODE, 0));
	cfd = rt_client(RT_RILL, SOCK_DGRAM, &a);
	CHECK(cfd >= 0);
	close(cfd);
	close(fd);

	/* The parent binds a name here that belongs to its own root. */
	CHECK_EQ(1, write(go, "n", 1));
	CHECK_EQ(1, read(go, &c, 1));
	a = rt_addr(RT_RILL, "of-outer-root");
	fd = rt_socket(RT_RILL, SOCK_DGRAM);
	CHECK(fd >= 0);
	CHECK_EQ(-EACCES, rt_connect(fd, &a));
	close(fd);
	CHECK_EQ(1, write(go, "d", 1));
	CHECK_EQ(1, read(go, &c, 1));
}

TEST(user_namespace)
{
	struct rt_addr a = rt_addr(RT_RILL, "of-outer-root");
	struct rill_owner o;
	int go[2], nsfd, fd, own_ns;
	char path[64], c = 0;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	if (access("/proc/self/ns/user", F_OK))
		SKIP(return, "this kernel has no user namespaces");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, go));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(go[0]);
		in_user_ns(go[1]);
		_exit(0);
	}
	close(go[1]);
	ASSERT_EQ(1, read(go[0], &c, 1));
	ASSERT_EQ(0, write_map(pid, "uid_map"));
	ASSERT_EQ(0, write_map(pid, "gid_map"));
	ASSERT_EQ(1, write(go[0], "m", 1));
	ASSERT_EQ(1, read(go[0], &c, 1)) {
		rt_wait_child(pid);
	}
	ASSERT_EQ('n', c);

	/* In its network namespace with ids that do not exist there. */
	own_ns = open("/proc/self/ns/net", O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	nsfd = open(path, O_RDONLY);
	ASSERT_LE(0, nsfd);
	ASSERT_EQ(0, setns(nsfd, CLONE_NEWNET));
	EXPECT_EQ(-EACCES, try_rill("user/0/x"));
	EXPECT_EQ(-EACCES, try_rill("user/65534/x"));
	EXPECT_EQ(-EACCES, try_rill("user/4294967295/x"));
	/* Its owner's owner has every capability there. */
	EXPECT_EQ(0, try_rill("sys/outer"));
	fd = rt_bound(RT_RILL, SOCK_DGRAM, &a);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, rt_set_int(fd, SOL_RILL, RILL_MODE, 0700));
	o = get_owner(fd);
	EXPECT_EQ(0, o.ro_uid);
	ASSERT_EQ(0, setns(own_ns, CLONE_NEWNET));

	ASSERT_EQ(1, write(go[0], "b", 1));
	ASSERT_EQ(1, read(go[0], &c, 1));
	EXPECT_EQ('d', c);
	ASSERT_EQ(1, write(go[0], "e", 1));
	EXPECT_EQ(0, rt_wait_child(pid));
	close(go[0]);
	close(fd);
	close(nsfd);
	close(own_ns);
}

/* ---- many -------------------------------------------------------------- */

#define MANY	20000

FIXTURE(many)
{
	int *fd;
};

FIXTURE_SETUP(many)
{
	struct rlimit r = { .rlim_cur = MANY + 100, .rlim_max = MANY + 100 };

	if (setrlimit(RLIMIT_NOFILE, &r))
		SKIP(return, "needs root to open %d files", MANY);
	self->fd = calloc(MANY, sizeof(int));
	ASSERT_NE(NULL, self->fd);
}

FIXTURE_TEARDOWN(many)
{
}

static struct rt_addr many_addr(int i)
{
	char name[64];

	snprintf(name, sizeof(name), "many/%d/%d", getpid(), i);
	return rt_addr(RT_RILL, name);
}

TEST_F_TIMEOUT(many, names, 120)
{
	long long t[4];
	int i, fd;

	if (!self->fd)
		return;
	t[0] = rt_now_ms();
	for (i = 0; i < MANY; i++) {
		struct rt_addr a = many_addr(i);

		self->fd[i] = rt_bound(RT_RILL, SOCK_DGRAM, &a);
		ASSERT_LE(0, self->fd[i]) {
			TH_LOG("name %d", i);
		}
		if (i == 999)
			t[1] = rt_now_ms();
		if (i == MANY - 1001)
			t[2] = rt_now_ms();
	}
	t[3] = rt_now_ms();
	TH_LOG("first 1000 names in %lld ms, last 1000 of %d in %lld ms",
	       t[1] - t[0], MANY, t[3] - t[2]);

	fd = rt_socket(RT_RILL, SOCK_DGRAM);
	ASSERT_LE(0, fd);
	for (i = 0; i < MANY; i++) {
		struct rt_addr a = many_addr(i);
		int got = -1;

		ASSERT_EQ(4, SYS(sendto(fd, &i, 4, 0, &a.sa, a.len)));
		ASSERT_EQ(4, SYS(recv(self->fd[i], &got, 4, MSG_DONTWAIT)));
		ASSERT_EQ(i, got);
	}
	/* Every other one goes, and what was next to it stays. */
	for (i = 1; i < MANY; i += 2)
		close(self->fd[i]);
	for (i = 0; i < MANY; i++) {
		struct rt_addr a = many_addr(i);
		int got = -1;

		ASSERT_EQ(i & 1 ? -ECONNREFUSED : 4,
			  SYS(sendto(fd, &i, 4, 0, &a.sa, a.len)));
		if (i & 1)
			continue;
		ASSERT_EQ(4, SYS(recv(self->fd[i], &got, 4, MSG_DONTWAIT)));
		ASSERT_EQ(i, got);
	}
	for (i = 0; i < MANY; i++) {
		struct rt_addr a = many_addr(i);

		if (i & 1)
			continue;
		close(self->fd[i]);
		ASSERT_EQ(0, try_name(RT_RILL, SOCK_STREAM, &a));
	}
	close(fd);
}

/* Two that fight for one name: there is one winner, every time. */
static long fight(void *arg)
{
	struct rt_addr a = *(struct rt_addr *)arg;
	long long end = rt_now_ms() + RT_WAIT_MS / 2;
	long won = 0;
	int i;

	/* And once in the end, when the others are done. */
	for (i = 0; i < 2000 || (!won && rt_now_ms() < end); i++) {
		int fd = rt_bound(RT_RILL, SOCK_STREAM, &a);

		if (fd == -EADDRINUSE)
			continue;
		if (fd < 0)
			return fd;
		won++;
		/* While it is held nobody else gets it. */
		if (rt_bound(RT_RILL, SOCK_DGRAM, &a) != -EADDRINUSE)
			return -EEXIST;
		close(fd);
	}
	return won;
}

TEST(fight_for_a_name)
{
	struct rt_addr a = rt_new_addr(RT_RILL);
	struct rt_thread t[4];
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, rt_thread_start(&t[i], fight, &a));
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(rt_thread_join(&t[i]));
		EXPECT_LT(0, t[i].ret);
	}
	EXPECT_EQ(0, try_name(RT_RILL, SOCK_STREAM, &a));
}

TEST_HARNESS_MAIN
