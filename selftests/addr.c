// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses: what bind(), connect() and sendto() take and refuse at every length
 * from 0 to 200, and what getsockname(), getpeername(), accept() and recvfrom()
 * write: so many bytes as they say, and not one more.
 */
#include "rill_test_data.h"

#define MAX_LEN		200
#define OFF_NAME	((int)offsetof(struct sockaddr_rill, srl_name))
#define FILL		0xa5

/* ---- given by the user ------------------------------------------------- */

FIXTURE(given)
{
	char *edge;	/* what follows faults: a byte read too far is seen */
	int type;
};

FIXTURE_VARIANT(given)
{
	int type;
};

FIXTURE_VARIANT_ADD(given, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(given, dgram)
{
	.type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(given, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(given)
{
	self->edge = rd_map_edge(1);
	ASSERT_NE(NULL, self->edge);
	self->type = variant->type;
}

FIXTURE_TEARDOWN(given)
{
}

/* An address of len bytes that ends where memory ends. */
static char *put(char *edge, int len, int family, int flags, const char *name,
		 int name_len)
{
	struct {
		__kernel_sa_family_t family;
		__u16 flags;
		char name[MAX_LEN];
	} a = { .family = family, .flags = flags };
	char *p = edge - len;

	memcpy(a.name, name, name_len < MAX_LEN ? name_len : MAX_LEN);
	memcpy(p, &a, len);
	return p;
}

/* What is bound to fd: its length, and the name in name[]. */
static int name_of(int fd, char *name)
{
	struct sockaddr_rill a;
	socklen_t len = sizeof(a);

	memset(&a, FILL, sizeof(a));
	if (getsockname(fd, (struct sockaddr *)&a, &len))
		return -errno;
	memcpy(name, a.srl_name, RILL_NAME_SIZE);
	return len;
}

/*
 * bind() of an address: want is 0 or a negative errno.  A refused bind leaves
 * the socket as it was; one that worked gives back the name, NUL-terminated.
 */
static void try_bind(struct __test_metadata *_metadata, int type,
		     const char *addr, int len, int want, const char *name,
		     int name_len)
{
	char got[RILL_NAME_SIZE];
	int fd = rt_socket(RT_RILL, type);

	ASSERT_LE(0, fd);
	EXPECT_EQ(want, SYS(bind(fd, (void *)addr, len))) {
		TH_LOG("bind, length %d", len);
	}
	if (want) {
		EXPECT_EQ(OFF_NAME + 1, name_of(fd, got)) {
			TH_LOG("named after a refused bind, length %d", len);
		}
		EXPECT_EQ(0, got[0]);
	} else if (name_len) {
		EXPECT_EQ(OFF_NAME + name_len + 1, name_of(fd, got)) {
			TH_LOG("bound with length %d", len);
		}
		EXPECT_EQ(0, memcmp(got, name, name_len));
		EXPECT_EQ(0, got[name_len]);
	} else {
		EXPECT_LT(OFF_NAME + 6, name_of(fd, got));
		EXPECT_EQ(0, strncmp(got, RILL_PREFIX_AUTO, 5));
	}
	close(fd);
}

/* connect(), sendto() and sendmsg() of the same address to nobody. */
static void try_reach(struct __test_metadata *_metadata, int type,
		      const char *addr, int len, int want)
{
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_name = (void *)addr,
		.msg_namelen = len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	int fd = rt_socket(RT_RILL, type);

	ASSERT_LE(0, fd);
	EXPECT_EQ(want, SYS(connect(fd, (void *)addr, len))) {
		TH_LOG("connect, length %d", len);
	}
	if (type == SOCK_DGRAM) {
		/* No length is no address, as for unix(7). */
		EXPECT_EQ(len ? want : -ENOTCONN,
			  SYS(sendto(fd, "x", 1, 0, (void *)addr, len))) {
			TH_LOG("sendto, length %d", len);
		}
		/* Of a longer one sendmsg() cuts off what no address has room for. */
		if (len <= (int)sizeof(struct sockaddr_storage))
			EXPECT_EQ(len ? want : -ENOTCONN,
				  SYS(sendmsg(fd, &msg, 0))) {
				TH_LOG("sendmsg, length %d", len);
			}
	}
	close(fd);
}

TEST_F(given, unterminated)
{
	char name[MAX_LEN];
	int len;

	memset(name, 'u', sizeof(name));
	for (len = 0; len <= MAX_LEN; len++) {
		char *a = put(self->edge, len, rt_rill_family(), 0, name, MAX_LEN);
		int want = 0, n = len - OFF_NAME;

		/* errno: bind EINVAL, bind ENAMETOOLONG */
		if (len < RILL_ADDR_MIN || len > (int)sizeof(struct sockaddr_rill))
			want = -EINVAL;
		else if (n > RILL_NAME_MAX)
			want = -ENAMETOOLONG;
		try_bind(_metadata, self->type, a, len, want, name, n);

		/* An empty name is somebody's only in bind(). */
		/* errno: connect EINVAL, connect ECONNREFUSED, send EINVAL, send ECONNREFUSED */
		if (!want)
			want = n ? -ECONNREFUSED : -EINVAL;
		try_reach(_metadata, self->type, a, len, want);
	}

	/* errno: connect ENAMETOOLONG, send ENAMETOOLONG */
	try_reach(_metadata, self->type,
		  put(self->edge, sizeof(struct sockaddr_rill), rt_rill_family(), 0,
		      name, MAX_LEN),
		  sizeof(struct sockaddr_rill), -ENAMETOOLONG);
}

TEST_F(given, terminated)
{
	char name[MAX_LEN];
	int len;

	for (len = OFF_NAME + 1; len <= MAX_LEN; len++) {
		int n = len - OFF_NAME - 1, want = 0;
		char *a;

		memset(name, 't', sizeof(name));
		name[n] = '\0';
		a = put(self->edge, len, rt_rill_family(), 0, name, MAX_LEN);
		if (len > (int)sizeof(struct sockaddr_rill))
			want = -EINVAL;
		try_bind(_metadata, self->type, a, len, want, name, n);
		if (!want)
			want = n ? -ECONNREFUSED : -EINVAL;
		try_reach(_metadata, self->type, a, len, want);
	}
}

TEST_F(given, nul_ends_it)
{
	char name[MAX_LEN];
	int len;

	/* Bytes that a name must not have, after the end: nobody looks. */
	for (len = OFF_NAME + 4; len <= (int)sizeof(struct sockaddr_rill); len++) {
		char *a;

		memset(name, '\n', sizeof(name));
		memcpy(name, "abc", 4);
		a = put(self->edge, len, rt_rill_family(), 0, name, MAX_LEN);
		try_bind(_metadata, self->type, a, len, 0, name, 3);
		try_reach(_metadata, self->type, a, len, -ECONNREFUSED);
	}

	/* One that begins with the end is empty. */
	for (len = OFF_NAME + 1; len <= (int)sizeof(struct sockaddr_rill); len++) {
		char *a;

		memset(name, 'x', sizeof(name));
		name[0] = '\0';
		a = put(self->edge, len, rt_rill_family(), 0, name, MAX_LEN);
		try_bind(_metadata, self->type, a, len, 0, name, 0);
		try_reach(_metadata, self->type, a, len, -EINVAL);
	}
}

TEST_F(given, wrong_family)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, 45, 0xffff };
	char name[MAX_LEN];
	unsigned int i;
	int len;

	memset(name, 'f', sizeof(name));
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		for (len = 0; len <= MAX_LEN; len++) {
			char *a = put(self->edge, len, families[i], 0, name,
				      MAX_LEN);
			/* As tcp(7); unix(7) says EINVAL. */
			/* errno: bind EAFNOSUPPORT, connect EAFNOSUPPORT, send EAFNOSUPPORT */
			int want = -EAFNOSUPPORT;

			if (len < RILL_ADDR_MIN ||
			    len > (int)sizeof(struct sockaddr_rill))
				want = -EINVAL;
			try_bind(_metadata, self->type, a, len, want, name, 0);
			try_reach(_metadata, self->type, a, len, want);
		}
	}
}

TEST_F(given, unspec_is_no_name)
{
	int len;

	for (len = RILL_ADDR_MIN; len <= (int)sizeof(struct sockaddr_rill); len++) {
		char *a = put(self->edge, len, AF_UNSPEC, 0, "unspec", 6);
		int fd;

		try_bind(_metadata, self->type, a, len, -EAFNOSUPPORT, NULL, 0);
		/* An unconnected socket stays unconnected. */
		fd = rt_socket(RT_RILL, self->type);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, SYS(connect(fd, (void *)a, len)));
		close(fd);
	}
}

TEST_F(given, flags)
{
	int bit, len;

	for (bit = 0; bit < 16; bit++) {
		for (len = 0; len <= MAX_LEN; len++) {
			char name[MAX_LEN];
			char *a;

			/* Short enough that only the flag is wrong. */
			memset(name, 0, sizeof(name));
			memset(name, 'g', 100);
			a = put(self->edge, len, rt_rill_family(), 1 << bit, name,
				MAX_LEN);
			try_bind(_metadata, self->type, a, len, -EINVAL, name, 0);
			try_reach(_metadata, self->type, a, len, -EINVAL);
		}
	}
}

TEST_F(given, control_bytes)
{
	static const int places[] = { 0, 1, 60, RILL_NAME_MAX - 1 };
	unsigned int i;
	int c;

	for (c = 1; c < 256; c++) {
		bool bad = c < 0x20 || c == 0x7f;

		for (i = 0; i < ARRAY_SIZE(places); i++) {
			char name[RILL_NAME_MAX];
			int len = OFF_NAME + RILL_NAME_MAX;
			char *a;

			memset(name, 'c', sizeof(name));
			name[places[i]] = c;
			a = put(self->edge, len, rt_rill_family(), 0, name,
				RILL_NAME_MAX);
			try_bind(_metadata, self->type, a, len,
				 bad ? -EINVAL : 0, name, RILL_NAME_MAX);
			try_reach(_metadata, self->type, a, len,
				  bad ? -EINVAL : -ECONNREFUSED);
		}
	}
}

/* A socket that was refused a bad name is as good as new. */
TEST_F(given, refused_then_good)
{
	struct rt_addr a = rt_new_addr(RT_RILL), bad = a;
	int fd = rt_socket(RT_RILL, self->type), other;

	ASSERT_LE(0, fd);
	bad.rill.srl_flags = 1;
	EXPECT_EQ(-EINVAL, rt_bind(fd, &bad));
	bad = a;
	bad.rill.srl_name[3] = '\t';
	EXPECT_EQ(-EINVAL, rt_bind(fd, &bad));
	EXPECT_EQ(-EFAULT, SYS(bind(fd, (void *)(self->edge - 8), 100)));
	EXPECT_EQ(0, rt_bind(fd, &a));

	/* And no name of the refused ones is taken. */
	bad.rill.srl_name[3] = 'x';
	other = rt_socket(RT_RILL, self->type);
	ASSERT_LE(0, other);
	EXPECT_EQ(0, rt_bind(other, &bad));
	close(other);
	close(fd);
}

/* ---- written by the kernel --------------------------------------------- */

FIXTURE(taken)
{
	enum rt_family family;
	int type;
	int lfd;	/* listener; datagram: the receiver */
	int cfd;	/* a bound client */
	struct rt_addr laddr, caddr;
};

FIXTURE_VARIANT(taken)
{
	enum rt_family family;
	int type;
	int name_len;
};

FIXTURE_VARIANT_ADD(taken, rill_stream)
{
	.family = RT_RILL, .type = SOCK_STREAM, .name_len = 20,
};

FIXTURE_VARIANT_ADD(taken, rill_stream_longest)
{
	.family = RT_RILL, .type = SOCK_STREAM, .name_len = RILL_NAME_MAX,
};

FIXTURE_VARIANT_ADD(taken, rill_dgram)
{
	.family = RT_RILL, .type = SOCK_DGRAM, .name_len = 20,
};

FIXTURE_VARIANT_ADD(taken, rill_seqpacket)
{
	.family = RT_RILL, .type = SOCK_SEQPACKET, .name_len = 21,
};

FIXTURE_VARIANT_ADD(taken, unix_stream)
{
	.family = RT_UNIX, .type = SOCK_STREAM, .name_len = 20,
};

FIXTURE_VARIANT_ADD(taken, unix_dgram)
{
	.family = RT_UNIX, .type = SOCK_DGRAM, .name_len = 20,
};

FIXTURE_VARIANT_ADD(taken, unix_seqpacket)
{
	.family = RT_UNIX, .type = SOCK_SEQPACKET, .name_len = 21,
};

static struct rt_addr long_addr(enum rt_family family, char c, int len)
{
	char name[256];

	snprintf(name, sizeof(name), "%c-%d-%0*d", c, getpid(), RILL_NAME_MAX, 0);
	name[len] = '\0';
	return rt_addr(family, name);
}

FIXTURE_SETUP(taken)
{
	/* AF_UNIX has room for 107 bytes; the variants stay below. */
	self->family = variant->family;
	self->type = variant->type;
	self->laddr = long_addr(variant->family, 'l', variant->name_len);
	self->caddr = long_addr(variant->family, 'c', variant->name_len);
	if (variant->type == SOCK_DGRAM)
		self->lfd = rt_bound(variant->family, variant->type, &self->laddr);
	else
		self->lfd = rt_listener(variant->family, variant->type, 300,
					&self->laddr);
	ASSERT_LE(0, self->lfd);
	self->cfd = rt_bound(variant->family, variant->type, &self->caddr);
	ASSERT_LE(0, self->cfd);
	/* Rill's addresses end in a NUL that counts; abstract ones do not. */
	if (variant->family == RT_RILL) {
		self->laddr.len++;
		self->caddr.len++;
	}
}

FIXTURE_TEARDOWN(taken)
{
	close(self->lfd);
	close(self->cfd);
}

/*
 * Of the buffer of size bytes that the kernel got, exactly min(size, length of
 * the address) may have changed, and the whole length was told.
 */
static void check_buffer(struct __test_metadata *_metadata,
			 const unsigned char *buf, size_t buf_size, socklen_t size,
			 socklen_t told, const struct rt_addr *want)
{
	size_t n = size < want->len ? size : want->len, i;

	EXPECT_EQ(want->len, told) {
		TH_LOG("with a buffer of %u", size);
	}
	EXPECT_EQ(0, memcmp(buf, want, n)) {
		TH_LOG("wrong bytes in a buffer of %u", size);
	}
	for (i = n; i < buf_size; i++) {
		if (buf[i] == FILL)
			continue;
		EXPECT_EQ(FILL, buf[i]) {
			TH_LOG("byte %zu of a buffer of %u was written", i, size);
		}
		break;
	}
}

TEST_F(taken, getsockname)
{
	unsigned char buf[256];
	socklen_t size, len;

	for (size = 0; size <= MAX_LEN; size++) {
		memset(buf, FILL, sizeof(buf));
		len = size;
		ASSERT_EQ(0, SYS(getsockname(self->lfd, (void *)buf, &len)));
		check_buffer(_metadata, buf, sizeof(buf), size, len, &self->laddr);
	}
}

TEST_F(taken, getpeername)
{
	unsigned char buf[256];
	socklen_t size, len;

	len = sizeof(buf);
	/* errno: getpeername ENOTCONN */
	EXPECT_EQ(-ENOTCONN, SYS(getpeername(self->cfd, (void *)buf, &len)));
	if (variant->type != SOCK_DGRAM)
		EXPECT_EQ(-ENOTCONN, SYS(getpeername(self->lfd, (void *)buf, &len)));

	ASSERT_EQ(0, SYS(connect(self->cfd, &self->laddr.sa, self->laddr.len)));
	for (size = 0; size <= MAX_LEN; size++) {
		memset(buf, FILL, sizeof(buf));
		len = size;
		ASSERT_EQ(0, SYS(getpeername(self->cfd, (void *)buf, &len)));
		check_buffer(_metadata, buf, sizeof(buf), size, len, &self->laddr);
	}
}

TEST_F(taken, unnamed)
{
	unsigned char buf[256];
	struct rt_addr none = { .len = 0 };
	socklen_t size, len;
	int fd = rt_socket(variant->family, variant->type), sv[2];

	ASSERT_LE(0, fd);
	none.sa.sa_family = rt_af(variant->family);
	/* unix(7): the family only.  Rill: an empty name, NUL-terminated. */
	none.len = variant->family == RT_RILL ? OFF_NAME + 1 : sizeof(sa_family_t);
	for (size = 0; size <= MAX_LEN; size++) {
		memset(buf, FILL, sizeof(buf));
		len = size;
		ASSERT_EQ(0, SYS(getsockname(fd, (void *)buf, &len)));
		check_buffer(_metadata, buf, sizeof(buf), size, len, &none);
	}
	close(fd);

	ASSERT_EQ(0, socketpair(rt_af(variant->family), variant->type, 0, sv));
	for (size = 0; size <= MAX_LEN; size++) {
		memset(buf, FILL, sizeof(buf));
		len = size;
		ASSERT_EQ(0, SYS(getpeername(sv[0], (void *)buf, &len)));
		check_buffer(_metadata, buf, sizeof(buf), size, len, &none);
	}
	close(sv[0]);
	close(sv[1]);
}

TEST_F(taken, accept)
{
	unsigned char buf[256];
	socklen_t size, len;
	int fd, afd;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "nothing to accept");

	for (size = 0; size <= MAX_LEN; size++) {
		fd = rt_bound(variant->family, variant->type, &self->caddr);
		/* The name of the fixture's client is taken: use another. */
		if (fd < 0) {
			close(self->cfd);
			self->caddr.len -= variant->family == RT_RILL;
			fd = rt_bound(variant->family, variant->type, &self->caddr);
			self->caddr.len += variant->family == RT_RILL;
		}
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, SYS(connect(fd, &self->laddr.sa, self->laddr.len)));
		memset(buf, FILL, sizeof(buf));
		len = size;
		afd = SYS(accept(self->lfd, (void *)buf, &len));
		ASSERT_LE(0, afd);
		check_buffer(_metadata, buf, sizeof(buf), size, len, &self->caddr);
		/* The accepted end has its listener's name. */
		memset(buf, FILL, sizeof(buf));
		len = size;
		ASSERT_EQ(0, SYS(getsockname(afd, (void *)buf, &len)));
		check_buffer(_metadata, buf, sizeof(buf), size, len, &self->laddr);
		close(afd);
		close(fd);
	}
	self->cfd = rt_socket(variant->family, variant->type);
}

TEST_F(taken, accept_bad_buffer)
{
	struct rt_addr got;
	socklen_t len;
	int fd, afd;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "nothing to accept");

	/* Unnamed client: as getpeername() says it. */
	fd = rt_client(variant->family, variant->type, &self->laddr);
	ASSERT_LE(0, fd);
	len = sizeof(got.ss);
	afd = SYS(accept(self->lfd, &got.sa, &len));
	ASSERT_LE(0, afd);
	EXPECT_EQ(variant->family == RT_RILL ? OFF_NAME + 1 : 2, (int)len);
	close(afd);
	close(fd);

	/* The length cannot be negative. */
	fd = rt_client(variant->family, variant->type, &self->laddr);
	ASSERT_LE(0, fd);
	len = -1;
	EXPECT_EQ(-EINVAL, SYS(accept(self->lfd, &got.sa, &len)));
	close(fd);
}

TEST_F(taken, recvfrom)
{
	unsigned char buf[256];
	socklen_t size, len;
	int afd = self->lfd;
	char c;

	ASSERT_EQ(0, SYS(connect(self->cfd, &self->laddr.sa, self->laddr.len)));
	if (variant->type != SOCK_DGRAM) {
		afd = SYS(accept(self->lfd, NULL, NULL));
		ASSERT_LE(0, afd);
	}
	for (size = 0; size <= MAX_LEN; size++) {
		ASSERT_EQ(1, SYS(send(self->cfd, "m", 1, 0)));
		memset(buf, FILL, sizeof(buf));
		len = size;
		ASSERT_EQ(1, SYS(recvfrom(afd, &c, 1, 0, (void *)buf, &len)));
		check_buffer(_metadata, buf, sizeof(buf), size, len, &self->caddr);
	}
	if (afd != self->lfd)
		close(afd);
}

TEST_F(taken, recvmsg)
{
	unsigned char buf[256];
	char c;
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	struct msghdr msg = {
		.msg_name = buf,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	socklen_t size;
	int afd = self->lfd;

	ASSERT_EQ(0, SYS(connect(self->cfd, &self->laddr.sa, self->laddr.len)));
	if (variant->type != SOCK_DGRAM) {
		afd = SYS(accept(self->lfd, NULL, NULL));
		ASSERT_LE(0, afd);
	}
	for (size = 0; size <= MAX_LEN; size++) {
		ASSERT_EQ(1, SYS(send(self->cfd, "m", 1, 0)));
		memset(buf, FILL, sizeof(buf));
		msg.msg_namelen = size;
		ASSERT_EQ(1, SYS(recvmsg(afd, &msg, 0)));
		check_buffer(_metadata, buf, sizeof(buf), size, msg.msg_namelen,
			     &self->caddr);
	}
	if (afd != self->lfd)
		close(afd);
}

/* Nobody's name: length 0, and not a byte written. */
TEST_F(taken, recvfrom_unnamed)
{
	unsigned char buf[256], c;
	socklen_t len = sizeof(buf);
	unsigned int i;
	int sv[2];

	ASSERT_EQ(0, socketpair(rt_af(variant->family), variant->type, 0, sv));
	ASSERT_EQ(1, SYS(send(sv[0], "m", 1, 0)));
	memset(buf, FILL, sizeof(buf));
	ASSERT_EQ(1, SYS(recvfrom(sv[1], &c, 1, 0, (void *)buf, &len)));
	EXPECT_EQ(0, len);
	for (i = 0; i < sizeof(buf); i++)
		ASSERT_EQ(FILL, buf[i]);
	close(sv[0]);
	close(sv[1]);
}

TEST_F(taken, bad_pointers)
{
	char *edge = rd_map_edge(1);
	unsigned char buf[256];
	socklen_t len;

	ASSERT_NE(NULL, edge);
	len = -1;
	/* errno: getsockname EINVAL */
	EXPECT_EQ(-EINVAL, SYS(getsockname(self->lfd, (void *)buf, &len)));
	len = INT_MIN;
	EXPECT_EQ(-EINVAL, SYS(getsockname(self->lfd, (void *)buf, &len)));
	len = 100;
	/* errno: getsockname EFAULT */
	EXPECT_EQ(-EFAULT, SYS(getsockname(self->lfd, (void *)edge, &len)));
	EXPECT_EQ(-EFAULT, SYS(getsockname(self->lfd, (void *)buf, (void *)edge)));
	/* errno: bind EINVAL, bind EFAULT */
	EXPECT_EQ(-EINVAL, SYS(bind(self->cfd, &self->caddr.sa, -1)));
	EXPECT_EQ(-EFAULT, SYS(bind(self->cfd, (void *)edge, 20)));
	EXPECT_EQ(-EFAULT, SYS(bind(self->cfd, (void *)(edge - 10), 20)));
	/* errno: connect EINVAL, connect EFAULT */
	EXPECT_EQ(-EINVAL, SYS(connect(self->cfd, &self->laddr.sa, -1)));
	EXPECT_EQ(-EFAULT, SYS(connect(self->cfd, (void *)edge, 20)));
	EXPECT_EQ(-EFAULT, SYS(connect(self->cfd, (void *)(edge - 10), 20)));
	/* errno: send EINVAL, send EFAULT */
	EXPECT_EQ(-EINVAL, SYS(sendto(self->cfd, "x", 1, 0, &self->laddr.sa, -1)));
	EXPECT_EQ(-EFAULT, SYS(sendto(self->cfd, "x", 1, 0, (void *)edge, 20)));

	/* None of it did anything: the socket connects. */
	EXPECT_EQ(0, SYS(connect(self->cfd, &self->laddr.sa, self->laddr.len)));
	len = 100;
	/* errno: getpeername EFAULT, getpeername EINVAL */
	EXPECT_EQ(-EFAULT, SYS(getpeername(self->cfd, (void *)edge, &len)));
	len = -1;
	EXPECT_EQ(-EINVAL, SYS(getpeername(self->cfd, (void *)buf, &len)));
}

TEST_HARNESS_MAIN
