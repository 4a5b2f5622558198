// SPDX-License-Identifier: GPL-2.0-only
/*
 * rill_diag.ko: what NETLINK_SOCK_DIAG tells of a socket, against what was set
 * up; filters; what is refused; namespaces.  Dumps of many are in diag_many.c.
 */
#include "rill_test_diag.h"

#include <linux/netlink.h>

#define USER	1001
#define GROUP	1002

FIXTURE(diag)
{
	bool ready;
};

FIXTURE_VARIANT(diag)
{
	int type;
};

FIXTURE_VARIANT_ADD(diag, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(diag, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_VARIANT_ADD(diag, dgram)
{
	.type = SOCK_DGRAM,
};

/* A namespace of our own, in which there is nothing but ours. */
FIXTURE_SETUP(diag)
{
	if (unshare(CLONE_NEWNET))
		SKIP(return, "needs root");
	self->ready = true;
}

FIXTURE_TEARDOWN(diag)
{
}

static int count_all(void)
{
	struct dg_ask ask;

	dg_init(&ask);
	return dg_count(&ask);
}

static void check_cred(struct __test_metadata *_metadata,
		       const struct rill_diag_cred *cred, pid_t pid, uid_t uid,
		       gid_t gid)
{
	EXPECT_EQ((__u32)pid, cred->rdc_pid);
	EXPECT_EQ(uid, cred->rdc_uid);
	EXPECT_EQ(gid, cred->rdc_gid);
}

/* ---- every field -------------------------------------------------------- */

TEST_F(diag, unnamed)
{
	struct dg_sock s;
	int fd;

	if (!self->ready)
		return;
	EXPECT_EQ(0, count_all());
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dg_of(fd, &s));
	EXPECT_EQ(rt_rill_family(), s.msg.rdm_family);
	EXPECT_EQ(variant->type, s.msg.rdm_type);
	EXPECT_EQ(RILL_DIAG_CLOSED, s.msg.rdm_state);
	EXPECT_EQ(0, s.msg.rdm_shutdown);
	EXPECT_EQ(0, s.msg.rdm_flags);
	EXPECT_EQ(rt_inode(fd), s.msg.rdm_ino);
	EXPECT_NE(0, dg_cookie(s.msg.rdm_cookie));
	EXPECT_EQ(dg_cookie_of(fd), dg_cookie(s.msg.rdm_cookie));
	EXPECT_FALSE(s.has[RILL_DIAG_NAME]);
	EXPECT_FALSE(s.has[RILL_DIAG_PERM]);
	EXPECT_FALSE(s.has[RILL_DIAG_PEER]);
	EXPECT_FALSE(s.has[RILL_DIAG_PEER_NAME]);
	EXPECT_FALSE(s.has[RILL_DIAG_CRED]);
	EXPECT_FALSE(s.has[RILL_DIAG_PEER_CRED]);
	EXPECT_FALSE(s.has[RILL_DIAG_LISTEN_QUEUE]);
	EXPECT_TRUE(s.has[RILL_DIAG_UID]);
	EXPECT_EQ(0, s.uid);
	EXPECT_TRUE(s.has[RILL_DIAG_QUEUE]);
	EXPECT_EQ(0, s.queue.rdq_recv);
	EXPECT_EQ(0, s.queue.rdq_send);
	EXPECT_TRUE(s.has[RILL_DIAG_MEMINFO]);
	EXPECT_EQ(rt_get_int(fd, SOL_SOCKET, SO_RCVBUF), (int)s.mem[SK_MEMINFO_RCVBUF]);
	EXPECT_EQ(rt_get_int(fd, SOL_SOCKET, SO_SNDBUF), (int)s.mem[SK_MEMINFO_SNDBUF]);
	EXPECT_EQ(variant->type == SOCK_STREAM, s.has[RILL_DIAG_RING]);
	EXPECT_EQ(0, s.ring.rdi_bytes);
	EXPECT_EQ(0, s.ring.rdi_slots);
	EXPECT_EQ(1, count_all());
	close(fd);
	EXPECT_EQ(0, count_all());
}

TEST_F(diag, name_and_owner)
{
	struct rill_owner owner = { .ro_uid = USER, .ro_gid = GROUP };
	struct rt_addr a = rt_new_addr(RT_RILL);
	struct dg_sock s;
	int fd;

	if (!self->ready)
		return;
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_EQ(0, rt_set_int(fd, SOL_RILL, RILL_MODE, 0640));
	ASSERT_EQ(0, setsockopt(fd, SOL_RILL, RILL_OWNER, &owner, sizeof(owner)));
	ASSERT_EQ(0, rt_bind(fd, &a));
	ASSERT_EQ(0, dg_of(fd, &s));
	EXPECT_TRUE(s.has[RILL_DIAG_NAME]);
	EXPECT_STREQ(a.rill.srl_name, s.name);
	EXPECT_TRUE(s.has[RILL_DIAG_PERM]);
	EXPECT_EQ(0640, s.perm.rdn_mode);
	EXPECT_EQ(USER, s.perm.rdn_uid);
	EXPECT_EQ(GROUP, s.perm.rdn_gid);
	ASSERT_EQ(0, rt_set_int(fd, SOL_RILL, RILL_MODE, 0604));
	ASSERT_EQ(0, dg_of(fd, &s));
	EXPECT_EQ(0604, s.perm.rdn_mode);
	/* The socket's owner is another matter. */
	EXPECT_EQ(0, s.uid);
	ASSERT_EQ(0, fchown(fd, USER + 5, -1));
	ASSERT_EQ(0, dg_of(fd, &s));
	EXPECT_EQ(USER + 5, s.uid);
	EXPECT_EQ(USER, s.perm.rdn_uid);
	close(fd);
}

/* Each flag brings what it names and nothing else. */
TEST_F(diag, shows_what_is_asked)
{
	static const struct {
		__u32 show;
		int attr[2];
	} part[] = {
		{ 0, { 0, 0 } },
		{ RILL_DIAG_SHOW_NAME, { RILL_DIAG_NAME, 0 } },
		{ RILL_DIAG_SHOW_PEER, { RILL_DIAG_PEER, RILL_DIAG_PEER_NAME } },
		{ RILL_DIAG_SHOW_UID, { RILL_DIAG_UID, 0 } },
		{ RILL_DIAG_SHOW_PERM, { RILL_DIAG_PERM, 0 } },
		{ RILL_DIAG_SHOW_QUEUE, { RILL_DIAG_QUEUE, 0 } },
		{ RILL_DIAG_SHOW_MEMINFO, { RILL_DIAG_MEMINFO, RILL_DIAG_RING } },
		{ RILL_DIAG_SHOW_CRED, { RILL_DIAG_CRED, RILL_DIAG_PEER_CRED } },
	};
	struct rt_addr a = rt_new_addr(RT_RILL), b = rt_new_addr(RT_RILL);
	int lfd, cfd, afd = -1, nl, attr;
	struct dg_ask ask;
	struct dg_sock s;
	size_t i;

	if (!self->ready)
		return;
	/* All that there can be: a bound end whose peer is bound. */
	lfd = rt_bound(RT_RILL, variant->type, &a);
	cfd = rt_bound(RT_RILL, variant->type, &b);
	ASSERT_LE(0, cfd);
	if (variant->type != SOCK_DGRAM) {
		ASSERT_EQ(0, listen(lfd, 0));
		ASSERT_EQ(0, rt_connect(cfd, &a));
		afd = rt_accept(lfd, 0);
		ASSERT_LE(0, afd);
	} else {
		ASSERT_EQ(0, rt_connect(cfd, &a));
	}
	nl = dg_open();
	ASSERT_LE(0, nl);
	for (i = 0; i < ARRAY_SIZE(part); i++) {
		dg_init(&ask);
		ask.nlh.nlmsg_flags = NLM_F_REQUEST;
		ask.req.rdr_ino = rt_inode(cfd);
		ask.req.rdr_show = part[i].show;
		ASSERT_EQ(0, dg_ask(nl, &ask, dg_take, &s));
		EXPECT_EQ(rt_inode(cfd), s.msg.rdm_ino);
		for (attr = 1; attr <= RILL_DIAG_MAX; attr++) {
			bool want = attr == part[i].attr[0] || attr == part[i].attr[1];

			if (attr == RILL_DIAG_RING && variant->type != SOCK_STREAM)
				want = false;
			if (part[i].show == RILL_DIAG_SHOW_CRED &&
			    variant->type == SOCK_DGRAM)
				want = false;
			EXPECT_EQ(want, s.has[attr]) {
				TH_LOG("show %#x, attribute %d", part[i].show, attr);
			}
		}
	}
	close(nl);
	close(cfd);
	close(afd);
	close(lfd);
}

/* ---- connections -------------------------------------------------------- */

/*
 * A listener of ours, mode 0777, and a child of another user that connects,
 * says so, and closes when it is told.
 */
struct other {
	pid_t	pid;
	int	say[2], hear[2];
};

static void other_run(struct other *o, int type, const struct rt_addr *a)
{
	char c = 0;
	int fd;

	CHECK_EQ(0, rd_become(USER, GROUP, NULL, 0));
	fd = rt_client(RT_RILL, type, a);
	CHECK(fd >= 0);
	CHECK_EQ(5, send(fd, "hello", 5, 0));
	CHECK_EQ(1, write(o->hear[1], &c, 1));
	CHECK_EQ(1, read(o->say[0], &c, 1));
	close(fd);
	CHECK_EQ(1, write(o->hear[1], &c, 1));
	_exit(0);
}

static int other_start(struct other *o, int type, const struct rt_addr *a)
{
	char c;

	if (pipe(o->say) || pipe(o->hear))
		return -errno;
	o->pid = rt_fork();
	if (!o->pid)
		other_run(o, type, a);
	if (o->pid < 0)
		return o->pid;
	close(o->hear[1]);
	return read(o->hear[0], &c, 1) == 1 ? 0 : -EPIPE;
}

static int other_go_on(struct other *o)
{
	char c = 0;

	if (write(o->say[1], &c, 1) != 1)
		return -EPIPE;
	return read(o->hear[0], &c, 1) == 1 ? 0 : -EPIPE;
}

/* The one that stands behind ino in a dump. */
struct find {
	int		(*is)(const struct dg_sock *s, unsigned int ino);
	unsigned int	ino;
	int		hits;
	struct dg_sock	s;
};

static int is_peer_of(const struct dg_sock *s, unsigned int ino)
{
	return s->peer.rdp_ino == ino;
}

static int is_unaccepted(const struct dg_sock *s, unsigned int ino)
{
	(void)ino;
	return s->msg.rdm_flags & RILL_DIAG_F_UNACCEPTED;
}

static int find_each(const struct dg_sock *s, void *arg)
{
	struct find *f = arg;

	if (f->is(s, f->ino)) {
		f->hits++;
		f->s = *s;
	}
	return 0;
}

static int find_one(struct find *f)
{
	struct dg_ask ask;
	int nl = dg_open(), ret;

	if (nl < 0)
		return nl;
	dg_init(&ask);
	f->hits = 0;
	ret = dg_ask(nl, &ask, find_each, f);
	close(nl);
	return ret ?: f->hits;
}

TEST_F(diag, connection)
{
	struct rt_addr a = rt_new_addr(RT_RILL);
	struct find at_child = { .is = is_peer_of };
	struct find queued = { .is = is_unaccepted };
	bool stream = variant->type == SOCK_STREAM;
	struct other o;
	struct dg_sock s, c;
	int lfd, afd;

	if (!self->ready)
		return;
	if (variant->type == SOCK_DGRAM)
		SKIP(return, "has no connections");
	umask(0);
	lfd = rt_listener(RT_RILL, variant->type, 3, &a);
	ASSERT_LE(0, lfd);
	ASSERT_EQ(0, other_start(&o, variant->type, &a));

	/* Queued: there, and nobody's. */
	ASSERT_EQ(1, find_one(&queued));
	EXPECT_EQ(0, queued.s.msg.rdm_ino);
	EXPECT_EQ(RILL_DIAG_CONNECTED, queued.s.msg.rdm_state);
	EXPECT_FALSE(queued.s.has[RILL_DIAG_UID]);
	EXPECT_EQ(5, queued.s.queue.rdq_recv);
	check_cred(_metadata, &queued.s.cred, getpid(), 0, 0);
	check_cred(_metadata, &queued.s.peer_cred, o.pid, USER, GROUP);
	/* Its only handle is the cookie, which it keeps. */
	ASSERT_EQ(0, dg_by(0, dg_cookie(queued.s.msg.rdm_cookie), &s));
	EXPECT_EQ(RILL_DIAG_F_UNACCEPTED, s.msg.rdm_flags);
	afd = rt_accept(lfd, 0);
	ASSERT_LE(0, afd);
	EXPECT_EQ(0, find_one(&queued));

	/* Our end. */
	ASSERT_EQ(0, dg_of(afd, &s));
	EXPECT_EQ(dg_cookie(queued.s.msg.rdm_cookie), dg_cookie(s.msg.rdm_cookie));
	EXPECT_EQ(variant->type, s.msg.rdm_type);
	EXPECT_EQ(RILL_DIAG_CONNECTED, s.msg.rdm_state);
	EXPECT_EQ(0, s.msg.rdm_flags);
	EXPECT_EQ(0, s.msg.rdm_shutdown);
	EXPECT_STREQ(a.rill.srl_name, s.name);
	EXPECT_EQ(0777, s.perm.rdn_mode);
	EXPECT_FALSE(s.has[RILL_DIAG_PEER_NAME]);
	EXPECT_EQ(0, s.uid);
	EXPECT_TRUE(s.has[RILL_DIAG_PEER]);
	EXPECT_EQ(USER, s.peer.rdp_uid);
	EXPECT_EQ(5, s.queue.rdq_recv);
	EXPECT_EQ(0, s.queue.rdq_send);
	check_cred(_metadata, &s.cred, getpid(), 0, 0);
	check_cred(_metadata, &s.peer_cred, o.pid, USER, GROUP);
	EXPECT_LT(0, s.mem[SK_MEMINFO_RMEM_ALLOC]);
	if (stream) {
		EXPECT_EQ(s.mem[SK_MEMINFO_RMEM_ALLOC], s.ring.rdi_bytes);
		EXPECT_LE(sysconf(_SC_PAGESIZE), s.ring.rdi_bytes);
		/* Written before it was accepted: a mark, and the bytes. */
		EXPECT_EQ(2, s.ring.rdi_slots);
	}

	/* The other's: the same the other way round. */
	at_child.ino = rt_inode(afd);
	ASSERT_EQ(1, find_one(&at_child));
	c = at_child.s;
	EXPECT_EQ(c.msg.rdm_ino, s.peer.rdp_ino);
	EXPECT_EQ(dg_cookie(c.msg.rdm_cookie), dg_cookie(s.peer.rdp_cookie));
	EXPECT_EQ(dg_cookie(s.msg.rdm_cookie), dg_cookie(c.peer.rdp_cookie));
	EXPECT_EQ(RILL_DIAG_CONNECTED, c.msg.rdm_state);
	EXPECT_FALSE(c.has[RILL_DIAG_NAME]);
	EXPECT_FALSE(c.has[RILL_DIAG_PERM]);
	EXPECT_STREQ(a.rill.srl_name, c.peer_name);
	EXPECT_EQ(USER, c.uid);
	EXPECT_EQ(0, c.peer.rdp_uid);
	EXPECT_EQ(0, c.queue.rdq_recv);
	/* Of messages it is memory. */
	EXPECT_LE(5, c.queue.rdq_send);
	if (stream)
		EXPECT_EQ(5, c.queue.rdq_send);
	check_cred(_metadata, &c.cred, o.pid, USER, GROUP);
	check_cred(_metadata, &c.peer_cred, getpid(), 0, 0);

	/* Half closed, at both ends; then the other is gone, but remembered. */
	ASSERT_EQ(0, shutdown(afd, SHUT_WR));
	ASSERT_EQ(0, dg_of(afd, &s));
	EXPECT_EQ(2, s.msg.rdm_shutdown);
	ASSERT_EQ(1, find_one(&at_child));
	EXPECT_EQ(1, at_child.s.msg.rdm_shutdown);
	ASSERT_EQ(0, other_go_on(&o));
	ASSERT_EQ(0, dg_of(afd, &s));
	EXPECT_EQ(3, s.msg.rdm_shutdown);
	EXPECT_EQ(RILL_DIAG_F_HANGUP, s.msg.rdm_flags);
	EXPECT_EQ(0, s.peer.rdp_ino);
	EXPECT_EQ(~0U, s.peer.rdp_uid);
	EXPECT_EQ(5, s.queue.rdq_recv);
	check_cred(_metadata, &s.peer_cred, o.pid, USER, GROUP);
	close(afd);
	close(lfd);
	EXPECT_EQ(0, rt_wait_child(o.pid));
}

TEST_F(diag, listener)
{
	struct rt_addr a = { .len = 0 };
	struct dg_sock s, l;
	int lfd, fd[4], i;

	if (!self->ready)
		return;
	if (variant->type == SOCK_DGRAM)
		SKIP(return, "has no listener");
	lfd = rt_listener(RT_RILL, variant->type, 1, &a);
	ASSERT_LE(0, lfd);
	ASSERT_EQ(0, rt_write_file("/proc/sys/net/rill/max_waiting", "77\n"));
	for (i = 0; i < 4; i++) {
		fd[i] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
		ASSERT_EQ(i < 2 ? 0 : -EINPROGRESS, rt_connect(fd[i], &a));
	}
	ASSERT_EQ(0, dg_of(lfd, &l));
	EXPECT_EQ(RILL_DIAG_LISTEN, l.msg.rdm_state);
	EXPECT_FALSE(l.has[RILL_DIAG_QUEUE]);
	EXPECT_TRUE(l.has[RILL_DIAG_LISTEN_QUEUE]);
	EXPECT_EQ(2, l.listen.rq_len);
	EXPECT_EQ(2, l.listen.rq_max);
	EXPECT_EQ(2, l.listen.rq_waiting);
	EXPECT_EQ(77, l.listen.rq_waiting_max);
	EXPECT_FALSE(l.has[RILL_DIAG_PEER]);
	check_cred(_metadata, &l.cred, getpid(), 0, 0);
	EXPECT_FALSE(l.has[RILL_DIAG_PEER_CRED]);

	/* In line: the peer is the listener; the end in waiting is nobody's. */
	ASSERT_EQ(0, dg_of(fd[3], &s));
	EXPECT_EQ(RILL_DIAG_CONNECTING, s.msg.rdm_state);
	EXPECT_EQ(rt_inode(lfd), s.peer.rdp_ino);
	EXPECT_EQ(dg_cookie_of(lfd), dg_cookie(s.peer.rdp_cookie));
	EXPECT_STREQ(a.rill.srl_name, s.peer_name);
	check_cred(_metadata, &s.cred, getpid(), 0, 0);
	check_cred(_metadata, &s.peer_cred, getpid(), 0, 0);
	/* The listener, four connectors, two queued ends. */
	EXPECT_EQ(7, count_all());
	close(fd[3]);
	ASSERT_EQ(0, dg_of(lfd, &l));
	EXPECT_EQ(1, l.listen.rq_waiting);
	close(lfd);
	ASSERT_EQ(0, dg_of(fd[2], &s));
	EXPECT_EQ(RILL_DIAG_CLOSED, s.msg.rdm_state);
	EXPECT_FALSE(s.has[RILL_DIAG_PEER]);
	for (i = 0; i < 3; i++)
		close(fd[i]);
}

TEST_F(diag, datagram_peer)
{
	struct rt_addr a = { .len = 0 }, b = { .len = 0 };
	struct dg_sock s;
	int fd[2];

	if (!self->ready)
		return;
	if (variant->type != SOCK_DGRAM)
		SKIP(return, "about datagrams");
	fd[0] = rt_bound(RT_RILL, SOCK_DGRAM, &a);
	fd[1] = rt_bound(RT_RILL, SOCK_DGRAM, &b);
	ASSERT_LE(0, fd[1]);
	ASSERT_EQ(0, rt_connect(fd[0], &b));
	ASSERT_EQ(3, send(fd[0], "abc", 3, 0));
	ASSERT_EQ(0, dg_of(fd[0], &s));
	EXPECT_EQ(RILL_DIAG_CONNECTED, s.msg.rdm_state);
	EXPECT_EQ(rt_inode(fd[1]), s.peer.rdp_ino);
	EXPECT_STREQ(b.rill.srl_name, s.peer_name);
	EXPECT_STREQ(a.rill.srl_name, s.name);
	/* Nobody recorded anything. */
	EXPECT_FALSE(s.has[RILL_DIAG_CRED]);
	EXPECT_FALSE(s.has[RILL_DIAG_PEER_CRED]);
	EXPECT_LE(512, s.queue.rdq_send);
	ASSERT_EQ(0, dg_of(fd[1], &s));
	EXPECT_EQ(RILL_DIAG_CLOSED, s.msg.rdm_state);
	EXPECT_FALSE(s.has[RILL_DIAG_PEER]);
	EXPECT_EQ(3, s.queue.rdq_recv);
	ASSERT_EQ(0, rt_disconnect(fd[0]));
	ASSERT_EQ(0, dg_of(fd[0], &s));
	EXPECT_EQ(RILL_DIAG_CLOSED, s.msg.rdm_state);
	EXPECT_FALSE(s.has[RILL_DIAG_PEER]);
	close(fd[0]);
	close(fd[1]);
}

TEST_F(diag, socketpair)
{
	struct rt_addr a = { .len = 0 };
	struct dg_sock s;
	int fd[2], other;

	if (!self->ready)
		return;
	ASSERT_EQ(0, socketpair(rt_rill_family(), variant->type, 0, fd));
	ASSERT_EQ(0, dg_of(fd[0], &s));
	EXPECT_EQ(RILL_DIAG_CONNECTED, s.msg.rdm_state);
	EXPECT_EQ(RILL_DIAG_F_PAIR, s.msg.rdm_flags);
	EXPECT_EQ(rt_inode(fd[1]), s.peer.rdp_ino);
	check_cred(_metadata, &s.cred, getpid(), 0, 0);
	check_cred(_metadata, &s.peer_cred, getpid(), 0, 0);
	if (variant->type == SOCK_DGRAM) {
		/* Associated with another, it is no end of a pair any more. */
		other = rt_bound(RT_RILL, SOCK_DGRAM, &a);
		ASSERT_EQ(0, rt_connect(fd[0], &a));
		ASSERT_EQ(0, dg_of(fd[0], &s));
		EXPECT_EQ(rt_inode(other), s.peer.rdp_ino);
		EXPECT_FALSE(s.has[RILL_DIAG_CRED]);
		EXPECT_FALSE(s.has[RILL_DIAG_PEER_CRED]);
		ASSERT_EQ(0, dg_of(fd[1], &s));
		EXPECT_FALSE(s.has[RILL_DIAG_CRED]);
		close(other);
	}
	close(fd[0]);
	close(fd[1]);
}

/* ---- filters ------------------------------------------------------------ */

static int count_states(__u32 states, __u32 types)
{
	struct dg_ask ask;

	dg_init(&ask);
	ask.req.rdr_states = states;
	ask.req.rdr_types = types;
	return dg_count(&ask);
}

static int count_prefix(const char *prefix)
{
	struct dg_ask ask;

	dg_init(&ask);
	dg_attr(&ask, RILL_DIAG_REQ_PREFIX, prefix);
	return dg_count(&ask);
}

TEST_F(diag, filters)
{
	struct rt_addr one = rt_addr(RT_RILL, "one/a"), two = rt_addr(RT_RILL, "two/b");
	struct rt_addr longer = rt_addr(RT_RILL, "one/ab");
	__u32 mine = 1U << variant->type;
	int lfd, fd[3];

	if (!self->ready)
		return;
	if (variant->type == SOCK_DGRAM)
		SKIP(return, "has no listener");
	lfd = rt_listener(RT_RILL, variant->type, 0, &one);
	fd[0] = rt_client(RT_RILL, variant->type | SOCK_NONBLOCK, &one);
	fd[1] = rt_socket(RT_RILL, variant->type | SOCK_NONBLOCK);
	ASSERT_EQ(-EINPROGRESS, rt_connect(fd[1], &one));
	fd[2] = rt_bound(RT_RILL, SOCK_DGRAM, &two);
	ASSERT_LE(0, fd[2]);

	EXPECT_EQ(5, count_all());
	EXPECT_EQ(1, count_states(1 << RILL_DIAG_LISTEN, DG_ALL));
	EXPECT_EQ(1, count_states(1 << RILL_DIAG_CONNECTING, DG_ALL));
	EXPECT_EQ(2, count_states(1 << RILL_DIAG_CONNECTED, DG_ALL));
	EXPECT_EQ(1, count_states(1 << RILL_DIAG_CLOSED, DG_ALL));
	EXPECT_EQ(3, count_states(1 << RILL_DIAG_LISTEN | 1 << RILL_DIAG_CONNECTED, DG_ALL));
	EXPECT_EQ(0, count_states(1 << 4, DG_ALL));
	EXPECT_EQ(4, count_states(DG_ALL, mine));
	EXPECT_EQ(1, count_states(DG_ALL, 1 << SOCK_DGRAM));
	EXPECT_EQ(5, count_states(DG_ALL, mine | 1 << SOCK_DGRAM));
	EXPECT_EQ(0, count_states(DG_ALL, 1 << SOCK_RAW));

	/* Its own name, or the peer's. */
	EXPECT_EQ(-ERANGE, count_prefix(""));
	EXPECT_EQ(4, count_prefix("one/"));
	EXPECT_EQ(4, count_prefix("one/a"));
	EXPECT_EQ(0, count_prefix("one/ab"));
	EXPECT_EQ(1, count_prefix("t"));
	EXPECT_EQ(0, count_prefix("ne/"));
	close(fd[2]);
	fd[2] = rt_bound(RT_RILL, variant->type, &longer);
	ASSERT_LE(0, fd[2]);
	EXPECT_EQ(1, count_prefix("one/ab"));
	EXPECT_EQ(5, count_prefix("one/a"));
	close(fd[0]);
	close(fd[1]);
	close(fd[2]);
	close(lfd);
}

/* ---- what is refused ----------------------------------------------------- */

TEST_F(diag, bad_requests)
{
	char longest[RILL_NAME_SIZE + 1];
	struct dg_ask ask;
	struct dg_sock s;
	__u64 cookie;
	int nl, fd;

	if (!self->ready)
		return;
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, fd);
	nl = dg_open();
	ASSERT_LE(0, nl);

#define EXPECT_ASK(want, change) do {				\
	dg_init(&ask);						\
	change;							\
	EXPECT_EQ(want, dg_ask(nl, &ask, NULL, NULL));		\
} while (0)
	EXPECT_ASK(0, (void)0);
	EXPECT_ASK(-EINVAL, ask.req.rdr_protocol = 1);
	EXPECT_ASK(-EINVAL, ask.req.rdr_pad = 1);
	EXPECT_ASK(-EINVAL, ask.req.rdr_pad = 0x100);
	EXPECT_ASK(-EINVAL, ask.req.rdr_show |= RILL_DIAG_SHOW_VALID + 1);
	EXPECT_ASK(-EINVAL, ask.req.rdr_show = 1U << 31);
	EXPECT_ASK(-EINVAL, ask.req.rdr_states = 0);
	EXPECT_ASK(-EINVAL, ask.req.rdr_types = 0);
	EXPECT_ASK(-EINVAL, ask.nlh.nlmsg_len -= 4);
	EXPECT_ASK(-EINVAL, ask.nlh.nlmsg_len = NLMSG_LENGTH(2));
	EXPECT_ASK(-EINVAL, dg_attr(&ask, RILL_DIAG_REQ_UNSPEC, "x"));
	EXPECT_ASK(-EINVAL, dg_attr(&ask, RILL_DIAG_REQ_MAX + 1, "x"));
	memset(longest, 'x', sizeof(longest));
	longest[RILL_NAME_MAX] = '\0';
	EXPECT_ASK(0, dg_attr(&ask, RILL_DIAG_REQ_PREFIX, longest));
	longest[RILL_NAME_MAX] = 'x';
	longest[RILL_NAME_MAX + 1] = '\0';
	EXPECT_ASK(-ERANGE, dg_attr(&ask, RILL_DIAG_REQ_PREFIX, longest));
	EXPECT_ASK(-ERANGE, dg_attr(&ask, RILL_DIAG_REQ_PREFIX, ""));
	/* With its NUL, as mnl_attr_put_strz() sends it. */
	EXPECT_ASK(-ERANGE, {
		dg_attr(&ask, RILL_DIAG_REQ_PREFIX, "x");
		ask.prefix[0] = '\0';
	});
	/* An attribute that says it is longer than the message. */
	EXPECT_ASK(-EINVAL, {
		dg_attr(&ask, RILL_DIAG_REQ_PREFIX, "abcd");
		ask.attr.nla_len += 64;
	});
	EXPECT_ASK(-EOPNOTSUPP, {
		ask.nlh.nlmsg_type = SOCK_DESTROY;
		ask.nlh.nlmsg_flags = NLM_F_REQUEST;
	});
	close(nl);
#undef EXPECT_ASK

	/* One socket. */
	cookie = dg_cookie_of(fd);
	EXPECT_EQ(-EINVAL, dg_by(0, 0, &s));
	EXPECT_EQ(-ENOENT, dg_by(~0U, 0, &s));
	EXPECT_EQ(-ENOENT, dg_by(0, cookie + (1ULL << 32), &s));
	EXPECT_EQ(-ESTALE, dg_by(rt_inode(fd), cookie + 1, &s));
	EXPECT_EQ(-ESTALE, dg_by(rt_inode(fd), cookie + (1ULL << 32), &s));
	EXPECT_EQ(0, dg_by(rt_inode(fd), cookie, &s));
	EXPECT_EQ(0, dg_by(0, cookie, &s));
	EXPECT_EQ(rt_inode(fd), s.msg.rdm_ino);
	close(fd);
	EXPECT_EQ(-ENOENT, dg_by(0, cookie, &s));
}

/* ---- namespaces --------------------------------------------------------- */

TEST_F(diag, other_net)
{
	struct dg_ask ask;
	struct dg_sock s;
	int fd, nl;

	if (!self->ready)
		return;
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, count_all());
	nl = dg_open();
	ASSERT_LE(0, nl);
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	EXPECT_EQ(0, count_all());
	EXPECT_EQ(-ENOENT, dg_of(fd, &s));
	EXPECT_EQ(-ENOENT, dg_by(0, dg_cookie_of(fd), &s));
	/* The netlink socket's counts, not the caller's. */
	dg_init(&ask);
	ASSERT_EQ(0, dg_ask(nl, &ask, dg_take, &s));
	EXPECT_EQ(rt_inode(fd), s.msg.rdm_ino);
	close(nl);
	close(fd);
}

TEST_F(diag, unprivileged)
{
	struct rt_addr a = rt_new_addr(RT_RILL);
	struct dg_sock s;
	pid_t pid;
	int fd;

	if (!self->ready)
		return;
	fd = rt_bound(RT_RILL, variant->type, &a);
	ASSERT_LE(0, fd);
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHECK_EQ(0, rd_become(USER, GROUP, NULL, 0));
		CHECK_EQ(1, count_all());
		CHECK_EQ(0, dg_of(fd, &s));
		CHECK_EQ(0, s.uid);
		CHECK_EQ(0, strcmp(a.rill.srl_name, s.name));
		_exit(0);
	}
	EXPECT_EQ(0, rt_wait_child(pid));
	close(fd);
}

/* In a user namespace of its own, in which only uid 0, which is USER, is known. */
static void user_ns_child(int fd)
{
	struct dg_sock s;

	CHECK_EQ(0, rd_become(USER, GROUP, NULL, 0));
	CHECK_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	CHECK_EQ(0, unshare(CLONE_NEWUSER));
	CHECK_EQ(0, rt_write_file("/proc/self/setgroups", "deny"));
	CHECK_EQ(0, rt_write_file("/proc/self/uid_map", "0 1001 1\n"));
	CHECK_EQ(0, rt_write_file("/proc/self/gid_map", "0 1002 1\n"));
	CHECK_EQ(0, dg_of(fd, &s));
	/* The socket is root's, which has no number here; the name is USER's. */
	CHECK_EQ(65534, s.uid);
	CHECK_EQ(0, s.perm.rdn_uid);
	CHECK_EQ(0, s.perm.rdn_gid);
	_exit(0);
}

TEST_F(diag, other_user_ns)
{
	struct rill_owner owner = { .ro_uid = USER, .ro_gid = GROUP };
	struct rt_addr a = rt_new_addr(RT_RILL);
	pid_t pid;
	int fd;

	if (!self->ready)
		return;
	fd = rt_socket(RT_RILL, variant->type);
	ASSERT_EQ(0, setsockopt(fd, SOL_RILL, RILL_OWNER, &owner, sizeof(owner)));
	ASSERT_EQ(0, rt_bind(fd, &a));
	pid = rt_fork();
	ASSERT_LE(0, pid);
	if (!pid)
		user_ns_child(fd);
	EXPECT_EQ(0, rt_wait_child(pid));
	close(fd);
}

/* ---- pids: of whoever asks, also if another reads ------------------------ */

/* Many, so that a dump needs several answers: the rest is made while read. */
#define PAIRS	400

struct pids {
	__u32	want[2];	/* these only */
	int	sockets;
	int	wrong;
};

static int pids_each(const struct dg_sock *s, void *arg)
{
	struct pids *p = arg;

	p->sockets++;
	if (!s->has[RILL_DIAG_CRED] ||
	    (s->cred.rdc_pid != p->want[0] && s->cred.rdc_pid != p->want[1]))
		p->wrong++;
	return 0;
}

/* The first process of a pid namespace: connects one pair itself, then asks. */
static void pid_ns_first(int nl, int ready)
{
	struct pids p = { .want = { 0, 1 } };
	struct dg_ask ask;
	int fd[2];
	char c = 0;

	CHECK_EQ(1, getpid());
	CHECK_EQ(0, socketpair(rt_rill_family(), SOCK_STREAM, 0, fd));
	dg_init(&ask);
	CHECK_EQ(0, dg_ask(nl, &ask, pids_each, &p));
	CHECK_EQ(2 * PAIRS + 2, p.sockets);
	CHECK_EQ(0, p.wrong);
	/* Now ask only; the one outside reads. */
	CHECK_EQ(0, dg_send(nl, &ask));
	CHECK_EQ(1, write(ready, &c, 1));
	for (;;)
		pause();
}

TEST_F(diag, other_pid_ns)
{
	struct pids ours = { 0 }, theirs = { .want = { 0, 1 } };
	int fd[PAIRS][2], i, nl, ready[2], ret;
	struct dg_ask ask;
	pid_t pid;
	char c;

	if (!self->ready)
		return;
	/* Datagrams are not connected by whom; the rest is the same. */
	if (variant->type != SOCK_STREAM)
		SKIP(return, "the stream's variant runs it");
	for (i = 0; i < PAIRS; i++)
		ASSERT_EQ(0, socketpair(rt_rill_family(), SOCK_STREAM, 0, fd[i]));
	nl = dg_open();
	ASSERT_LE(0, nl);
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	/* Not rt_fork(): the parent has no number there. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pid_ns_first(nl, ready[1]);
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &c, 1));

	/* What it asked for: in its numbers, although we read. */
	while (!(ret = dg_recv(nl, true, pids_each, &theirs)))
		;
	EXPECT_EQ(1, ret);
	EXPECT_EQ(2 * PAIRS + 2, theirs.sockets);
	EXPECT_EQ(0, theirs.wrong);
	/* And what we ask for, in ours. */
	ours.want[0] = getpid();
	ours.want[1] = pid;
	dg_init(&ask);
	ASSERT_EQ(0, dg_ask(nl, &ask, pids_each, &ours));
	EXPECT_EQ(2 * PAIRS + 2, ours.sockets);
	EXPECT_EQ(0, ours.wrong);
	kill(pid, SIGKILL);
	ASSERT_LE(0, rt_wait_child(pid));
	close(nl);
}

TEST_HARNESS_MAIN
