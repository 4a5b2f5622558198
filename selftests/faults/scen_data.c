// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenarios: data, in and out.
 */
#include "fault.h"

#include <linux/filter.h>
#include <sys/sendfile.h>

#define LARGE	180000		/* fits into a default buffer, and takes large pages */
#define NOSIG	(MSG_DONTWAIT | MSG_NOSIGNAL)

/* ---- send ---- */

static long act_send(struct ft_env *e)
{
	return SYS(send(e->fd[0], ft_out, 1000, NOSIG));
}

static long act_send_large(struct ft_env *e)
{
	return SYS(send(e->fd[0], ft_out, LARGE, NOSIG));
}

/* The message that a spare of fd[1] would serve: no allocation. */
static int setup_spare(struct ft_env *e)
{
	FT_TRY(ft_setup_pair(e));
	return ft_pass(e->fd[0], e->fd[1]);
}

static int setup_half_page(struct ft_env *e)
{
	e->len = 3000;
	return ft_setup_data(e);
}

static long act_send_more(struct ft_env *e)
{
	return SYS(send(e->fd[0], ft_out + e->len, 9000, NOSIG));
}

/* What comes is what was there before, and what this send said it had added. */
static int check_sent_more(struct ft_env *e, long ret)
{
	long sent = ret > 0 ? ret : 0, had = 0, n;

	if (e->type == SOCK_STREAM)
		return ft_check_sent(e, e->len + sent);
	FT_CHECK_EQ(e->len, SYS(recv(e->fd[1], ft_in, FT_BUF, MSG_DONTWAIT)));
	n = SYS(recv(e->fd[1], ft_in + e->len, FT_BUF - e->len, MSG_DONTWAIT));
	FT_CHECK_EQ(sent ? sent : -EAGAIN, n);
	had = e->len + sent;
	FT_CHECK_EQ(-1, rd_verify(ft_in, had, 1, 0));
	return ft_check_pair(e, ret);
}

static int setup_full(struct ft_env *e)
{
	FT_TRY(ft_setup_pair(e));
	e->len = rt_fill(e->fd[0], 20000);
	return e->len > 0 ? 0 : (int)e->len;
}

static int check_full(struct ft_env *e, long ret)
{
	(void)ret;
	FT_CHECK_EQ(e->len, rt_drain(e->fd[1], FT_BUF));
	return ft_check_pair(e, ret);
}

static long act_send_wait(struct ft_env *e)
{
	return SYS(send(e->fd[0], ft_out, 1000, MSG_NOSIGNAL));
}

static void wake_by_reading(struct ft_env *e)
{
	e->state = rt_drain(e->fd[1], FT_BUF);
}

/* The reader may have seen part of what came, or all. */
static int check_send_wait(struct ft_env *e, long ret)
{
	long rest = rt_drain(e->fd[1], FT_BUF);

	FT_CHECK_EQ(e->len + (ret > 0 ? ret : 0), e->state + rest);
	return ft_check_pair(e, ret);
}

static int setup_peer_closed(struct ft_env *e)
{
	FT_TRY(ft_setup_pair(e));
	close(e->fd[1]);
	e->fd[1] = -1;
	return 0;
}

/* It is at its end, whatever became of the send, and says so as often as asked. */
static int check_peer_closed(struct ft_env *e, long ret)
{
	struct pollfd p = { .fd = e->fd[0], .events = POLLIN | POLLOUT };

	(void)ret;
	FT_TRY(ft_quiet(e->fd[0]));
	FT_CHECK_EQ(-EPIPE, act_send(e));
	FT_CHECK_EQ(0, SYS(recv(e->fd[0], ft_in, 1, MSG_DONTWAIT)));
	FT_CHECK_EQ(1, SYS(poll(&p, 1, 0)));
	FT_CHECK(p.revents & POLLHUP);
	return ft_quiet(e->fd[0]);
}

/* Once told, it is connected to nobody, and can be to somebody else. */
static int check_dgram_peer_closed(struct ft_env *e, long ret)
{
	struct rt_addr own = { .len = sizeof(own.ss) };

	FT_TRY(ft_quiet(e->fd[0]));
	if (ret != -ECONNREFUSED)
		FT_CHECK_EQ(-ECONNREFUSED, act_send(e));
	FT_CHECK_EQ(-ENOTCONN, act_send(e));
	FT_CHECK_EQ(-EAGAIN, SYS(recv(e->fd[0], ft_in, 1, MSG_DONTWAIT)));
	ft_fd(e, 1, rt_bound(RT_RILL, SOCK_DGRAM, &e->b));
	FT_CHECK_EQ(0, SYS(getsockname(e->fd[0], &own.sa, &own.len)));
	FT_TRY(rt_connect(e->fd[0], &e->b));
	FT_TRY(rt_connect(e->fd[1], &own));
	return ft_check_pair(e, ret);
}

/* Credentials beside the bytes: uid and gid change with each. */
static long send_creds(struct ft_env *e, unsigned int who, long off, long len)
{
	struct ucred uc = { .pid = getpid(), .uid = who, .gid = who };

	return rd_send_cmsg(e->fd[0], ft_out + off, len, MSG_DONTWAIT, SOL_SOCKET,
			    SCM_CREDENTIALS, &uc, sizeof(uc));
}

static long act_send_creds(struct ft_env *e)
{
	return send_creds(e, 1, 0, 5000);
}

/* Into the page that has begun, and into new ones: in whole, or what is said. */
static long act_send_creds_more(struct ft_env *e)
{
	return send_creds(e, 1, e->len, 9000);
}

/* So many marks that the next one needs a larger array of slots. */
static int setup_marks(struct ft_env *e)
{
	FT_TRY(ft_setup_pair(e));
	for (e->len = 0; e->len < 7; e->len++) {
		long n = send_creds(e, e->len % 2, e->len, 1);

		if (n != 1)
			return n < 0 ? (int)n : -EIO;
	}
	return 0;
}

static long act_send_mark(struct ft_env *e)
{
	return send_creds(e, 2, e->len, 1);
}

/* After it more marks, until the array has grown whatever it was. */
static int check_marks(struct ft_env *e, long ret)
{
	long want = e->len + (ret == 1), i;

	for (i = want; i < 60; i++)
		FT_CHECK_EQ(1, send_creds(e, i % 2, i, 1));
	if (e->type == SOCK_STREAM)
		return ft_check_sent(e, i);
	for (i = 0; i < 60; i++)
		FT_CHECK_EQ(1, SYS(recv(e->fd[1], ft_in, 10, MSG_DONTWAIT)));
	return ft_check_pair(e, ret);
}

static long act_sendmmsg(struct ft_env *e)
{
	struct iovec iov[3] = {
		{ ft_out, 100 }, { ft_out + 100, 20000 }, { ft_out + 20100, 7 },
	};
	struct mmsghdr mm[3] = {
		{ .msg_hdr = { .msg_iov = &iov[0], .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &iov[1], .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &iov[2], .msg_iovlen = 1 } },
	};
	long n = SYS(sendmmsg(e->fd[0], mm, 3, NOSIG));

	/* How many bytes, too, where a message may be cut. */
	for (long i = 0; i < n; i++)
		e->len += mm[i].msg_len;
	return n;
}

/*
 * Of those that it counts each came, in order; a message whose count could not
 * be told was sent all the same.
 */
static int check_sendmmsg(struct ft_env *e, long ret)
{
	const long sizes[] = { 100, 20000, 7 };
	long got = 0, n, i;

	for (i = 0; (n = SYS(recv(e->fd[1], ft_in + got, FT_BUF - got,
				  MSG_DONTWAIT))) > 0; i++) {
		if (e->type != SOCK_STREAM)
			FT_CHECK_EQ(sizes[i], n);
		got += n;
	}
	FT_CHECK_EQ(-EAGAIN, n);
	/* A short one in the middle leaves a gap in a stream. */
	if (got == 20107 || e->type != SOCK_STREAM)
		FT_CHECK_EQ(-1, rd_verify(ft_in, got, 1, 0));
	FT_CHECK(got >= e->len);
	if (e->type != SOCK_STREAM)
		FT_CHECK(i >= ret && i <= (ret < 0 ? 0 : ret) + 1);
	return ft_check_pair(e, ret);
}

static long act_writev(struct ft_env *e)
{
	struct iovec iov[12];

	for (int i = 0; i < 12; i++) {
		iov[i].iov_base = ft_out + i * 500;
		iov[i].iov_len = 500;
	}
	return SYS(writev(e->fd[0], iov, 12));
}

static long act_write(struct ft_env *e)
{
	return SYS(write(e->fd[0], ft_out, 4096));
}

/* ---- datagrams by name ---- */

static int setup_sendto(struct ft_env *e)
{
	ft_fd(e, 1, rt_bound(RT_RILL, SOCK_DGRAM, &e->a));
	ft_fd(e, 0, rt_socket(RT_RILL, SOCK_DGRAM));
	return 0;
}

static long act_sendto(struct ft_env *e)
{
	return SYS(sendto(e->fd[0], ft_out, 1000, NOSIG, &e->a.sa, e->a.len));
}

static int check_sendto(struct ft_env *e, long ret)
{
	if (ret > 0)
		FT_CHECK_EQ(ret, rd_recv(e->fd[1], ft_in, 2000, MSG_DONTWAIT,
					 &e->msg));
	FT_CHECK_EQ(-EAGAIN, SYS(recv(e->fd[1], ft_in, 1, MSG_DONTWAIT)));
	FT_CHECK_EQ(1000, act_sendto(e));
	FT_CHECK_EQ(1000, rd_recv(e->fd[1], ft_in, 2000, MSG_DONTWAIT, &e->msg));
	/* Whoever got it can answer. */
	FT_CHECK_EQ(1, SYS(sendto(e->fd[1], "x", 1, NOSIG,
				  (struct sockaddr *)&e->msg.name,
				  e->msg.namelen)));
	FT_CHECK_EQ(1, SYS(recv(e->fd[0], ft_in, 2, MSG_DONTWAIT)));
	FT_TRY(ft_quiet(e->fd[0]));
	return ft_quiet(e->fd[1]);
}

static int setup_sendto_nobody(struct ft_env *e)
{
	FT_TRY(setup_sendto(e));
	close(e->fd[1]);
	e->fd[1] = -1;
	return 0;
}

static int check_sendto_nobody(struct ft_env *e, long ret)
{
	(void)ret;
	ft_fd(e, 1, rt_bound(RT_RILL, SOCK_DGRAM, &e->b));
	e->a = e->b;
	return check_sendto(e, -EIO);
}

/* A filter that lets the first 100 bytes through. */
static int setup_filtered(struct ft_env *e)
{
	struct sock_filter f[] = {
		{ 0x06 /* BPF_RET | BPF_K */, 0, 0, 100 },
	};
	struct sock_fprog prog = { .len = 1, .filter = f };

	FT_TRY(setup_sendto(e));
	return SYS(setsockopt(e->fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			      sizeof(prog)));
}

static int check_filtered(struct ft_env *e, long ret)
{
	if (ret > 0)
		FT_CHECK_EQ(100, SYS(recv(e->fd[1], ft_in, 2000, MSG_DONTWAIT)));
	FT_CHECK_EQ(-EAGAIN, SYS(recv(e->fd[1], ft_in, 1, MSG_DONTWAIT)));
	FT_CHECK_EQ(1000, act_sendto(e));
	FT_CHECK_EQ(100, SYS(recv(e->fd[1], ft_in, 2000, MSG_DONTWAIT)));
	FT_TRY(ft_quiet(e->fd[0]));
	return ft_quiet(e->fd[1]);
}

/* ---- recv ---- */

static long act_recv(struct ft_env *e)
{
	return SYS(recv(e->fd[1], ft_in, 20000, MSG_DONTWAIT));
}

static int setup_large(struct ft_env *e)
{
	e->len = LARGE;
	return ft_setup_data(e);
}

static long act_recv_large(struct ft_env *e)
{
	return SYS(recv(e->fd[1], ft_in, FT_BUF, MSG_DONTWAIT));
}

#define SHORT	77

/* What stands behind the room that the receive has is not what is sent. */
static int setup_short(struct ft_env *e)
{
	FT_TRY(ft_setup_data(e));
	ft_in[SHORT] = ~ft_out[SHORT];
	return 0;
}

static long act_recv_short(struct ft_env *e)
{
	return SYS(recv(e->fd[1], ft_in, SHORT, MSG_DONTWAIT | MSG_TRUNC));
}

/* The message is gone, cut off; or it is still there, whole. */
static int check_short(struct ft_env *e, long ret)
{
	if (ret < 0)
		return ft_check_received(e, ret);
	FT_CHECK_EQ(SHORT, rd_verify(ft_in, SHORT + 1, 1, 0));
	return ft_check_pair(e, ret);
}

static long act_peek(struct ft_env *e)
{
	return SYS(recv(e->fd[1], ft_in, 5000, MSG_DONTWAIT | MSG_PEEK));
}

/* A peek takes nothing. */
static int check_peeked(struct ft_env *e, long ret)
{
	if (ret > 0)
		FT_CHECK_EQ(-1, rd_verify(ft_in, ret, 1, 0));
	return ft_check_received(e, -EIO);
}

static long act_recv_all(struct ft_env *e)
{
	return SYS(recv(e->fd[1], ft_in, e->len, MSG_WAITALL));
}

static int setup_creds(struct ft_env *e)
{
	e->len = 3000;
	FT_TRY(ft_setup_pair(e));
	FT_TRY(rt_set_int(e->fd[1], SOL_SOCKET, SO_PASSCRED, 1));
	return SYS(send(e->fd[0], ft_out, e->len, NOSIG)) == e->len ? 0 : -EIO;
}

static long act_recvmsg(struct ft_env *e)
{
	return rd_recv(e->fd[1], ft_in, 5000, MSG_DONTWAIT, &e->msg);
}

/*
 * Credentials that could not be copied out are not there, as with every family.
 * Where the core fails behind the family's back, to copy the address or the flags,
 * the data are gone.
 */
static int check_recvmsg(struct ft_env *e, long ret)
{
	struct ucred uc;
	long rest;

	FT_CHECK_EQ(0, rt_set_int(e->fd[1], SOL_SOCKET, SO_PASSCRED, 0));
	if (ret > 0) {
		if (rd_creds(&e->msg, &uc))
			FT_CHECK_EQ(getpid(), uc.pid);
		else
			FT_CHECK(e->injected);
		return ft_check_received(e, ret);
	}
	rest = rt_drain(e->fd[1], FT_BUF);
	if (e->type == SOCK_STREAM)
		FT_CHECK(rest >= 0 && rest <= e->len);
	else
		FT_CHECK(!rest || rest == e->len);
	return ft_check_pair(e, ret);
}

static int setup_stamp(struct ft_env *e)
{
	FT_TRY(ft_setup_pair(e));
	FT_TRY(rt_set_int(e->fd[1], SOL_SOCKET, SO_TIMESTAMP, 1));
	e->len = 3000;
	return SYS(send(e->fd[0], ft_out, e->len, NOSIG)) == e->len ? 0 : -EIO;
}

static int check_stamp(struct ft_env *e, long ret)
{
	if (ret > 0 && !e->injected)
		FT_CHECK(rd_cmsg(&e->msg, SOL_SOCKET, SO_TIMESTAMP, NULL));
	FT_CHECK_EQ(0, rt_set_int(e->fd[1], SOL_SOCKET, SO_TIMESTAMP, 0));
	if (ret > 0)
		return ft_check_received(e, ret);
	FT_CHECK(rt_drain(e->fd[1], FT_BUF) % e->len == 0);
	return ft_check_pair(e, ret);
}

static long act_recvmmsg(struct ft_env *e)
{
	struct iovec iov = { ft_in, 20000 };
	struct mmsghdr mm = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	long n = SYS(recvmmsg(e->fd[1], &mm, 1, MSG_DONTWAIT, NULL));

	return n == 1 ? (long)mm.msg_len : n;
}

static int check_lenient(struct ft_env *e, long ret)
{
	if (ret >= 0)
		return ft_check_received(e, ret);
	return check_recvmsg(e, ret);
}

static long act_recv_none(struct ft_env *e)
{
	return SYS(recv(e->fd[1], ft_in, 100, MSG_DONTWAIT));
}

static long act_recv_wait(struct ft_env *e)
{
	return SYS(recv(e->fd[1], ft_in, 20000, 0));
}

static void wake_by_sending(struct ft_env *e)
{
	e->len = SYS(send(e->fd[0], ft_out, 3000, NOSIG));
}

static int setup_eof(struct ft_env *e)
{
	FT_TRY(ft_setup_pair(e));
	return SYS(shutdown(e->fd[0], SHUT_WR));
}

static int check_eof(struct ft_env *e, long ret)
{
	(void)ret;
	FT_CHECK_EQ(0, SYS(recv(e->fd[1], ft_in, 1, MSG_DONTWAIT)));
	return ft_pass(e->fd[1], e->fd[0]);
}

static long act_readv(struct ft_env *e)
{
	struct iovec iov[9];

	for (int i = 0; i < 9; i++) {
		iov[i].iov_base = ft_in + i * 2000;
		iov[i].iov_len = 2000;
	}
	return SYS(readv(e->fd[1], iov, 9));
}

static long act_read(struct ft_env *e)
{
	return SYS(read(e->fd[1], ft_in, 20000));
}

/* ---- splice, sendfile ---- */

static int file = -1;

/* fd[2]: a pipe's reading end, fd[3]: its writing end; and a file of ft_out. */
static int setup_splice(struct ft_env *e)
{
	if (file < 0) {
		file = SYS(memfd_create("failnth", MFD_CLOEXEC));
		if (file < 0)
			return file;
		if (write(file, ft_out, LARGE) != LARGE)
			return -EIO;
	}
	FT_TRY(ft_setup_pair(e));
	return SYS(pipe2(e->fd + 2, O_CLOEXEC | O_NONBLOCK));
}

static long act_sendfile(struct ft_env *e)
{
	off_t off = 0;

	FT_TRY(rt_set_nonblock(e->fd[0], true));
	return SYS(sendfile(e->fd[0], file, &off, 40000));
}

static int setup_splice_in(struct ft_env *e)
{
	loff_t off = 0;

	FT_TRY(setup_splice(e));
	return SYS(splice(file, &off, e->fd[3], NULL, 30000, 0)) == 30000 ?
	       0 : -EIO;
}

static long act_splice_in(struct ft_env *e)
{
	return SYS(splice(e->fd[2], NULL, e->fd[0], NULL, 30000,
			  SPLICE_F_NONBLOCK));
}

/* What the socket did not take is still in the pipe. */
static int check_splice_in(struct ft_env *e, long ret)
{
	long sent = ret > 0 ? ret : 0, n, got = 0;

	while ((n = SYS(read(e->fd[2], ft_in + got, FT_BUF - got))) > 0)
		got += n;
	FT_CHECK_EQ(30000, sent + got);
	FT_CHECK_EQ(-1, rd_verify(ft_in, got, 1, sent));
	if (e->type == SOCK_STREAM)
		return ft_check_sent(e, sent);
	FT_CHECK_EQ(sent, rt_drain(e->fd[1], FT_BUF));
	return ft_check_pair(e, ret);
}

static int check_sendfile(struct ft_env *e, long ret)
{
	long sent = ret > 0 ? ret : 0;

	FT_TRY(rt_set_nonblock(e->fd[0], false));
	if (e->type == SOCK_STREAM)
		return ft_check_sent(e, sent);
	FT_CHECK_EQ(sent, rt_drain(e->fd[1], FT_BUF));
	return ft_check_pair(e, ret);
}

static int setup_splice_out(struct ft_env *e)
{
	e->len = 10000;
	FT_TRY(setup_splice(e));
	return SYS(send(e->fd[0], ft_out, e->len, NOSIG)) == e->len ? 0 : -EIO;
}

/* To the last byte: of the page that is still written to, bytes are copied. */
static long act_splice_out(struct ft_env *e)
{
	return SYS(splice(e->fd[1], NULL, e->fd[3], NULL, 10000,
			  SPLICE_F_NONBLOCK));
}

static int check_splice_out(struct ft_env *e, long ret)
{
	long had = ret > 0 ? ret : 0, n, got = 0;

	while ((n = SYS(read(e->fd[2], ft_in + got, FT_BUF - got))) > 0)
		got += n;
	FT_CHECK_EQ(had, got);
	FT_CHECK_EQ(-1, rd_verify(ft_in, got, 1, 0));
	if (e->type != SOCK_STREAM)	/* the core's doing: it may be gone */
		return check_recvmsg(e, -EIO);
	while (got < e->len) {
		n = SYS(recv(e->fd[1], ft_in + got, FT_BUF - got, MSG_DONTWAIT));
		FT_CHECK(n > 0);
		got += n;
	}
	FT_CHECK_EQ(-1, rd_verify(ft_in, got, 1, 0));
	return ft_check_pair(e, ret);
}

#define IN_ERRS		{ ENOMEM, EFAULT }

const struct ft_scenario ft_data[] = {
	{ "send", FT_ALL, ft_setup_pair, act_send, 1000,
	  .partial = true, .errs = IN_ERRS, .check = ft_check_sent },
	{ "send, large", FT_ALL, ft_setup_pair, act_send_large, LARGE,
	  .partial = true, .errs = IN_ERRS, .check = ft_check_sent },
	{ "send, with spares there", FT_ALL, setup_spare, act_send, 1000,
	  .partial = true, .errs = IN_ERRS, .check = ft_check_sent },
	{ "send, behind data", FT_ALL, setup_half_page, act_send_more, 9000,
	  .partial = true, .errs = IN_ERRS, .check = check_sent_more },
	{ "send, no room", FT_ALL, setup_full, act_send, -EAGAIN,
	  .errs = IN_ERRS, .check = check_full },
	{ "send, waits for room", FT_ALL, setup_full, act_send_wait, 1000,
	  .partial = true, .errs = IN_ERRS, .check = check_send_wait,
	  .wake = wake_by_reading, .nr = SYS_sendto },
	{ "send, the peer is gone", FT_CONN, setup_peer_closed, act_send, -EPIPE,
	  .errs = IN_ERRS, .check = check_peer_closed },
	{ "send, the peer is gone", FT_DGRAM, setup_peer_closed, act_send,
	  -ECONNREFUSED, .errs = IN_ERRS, .check = check_dgram_peer_closed },
	{ "write", FT_ALL, ft_setup_pair, act_write, 4096,
	  .partial = true, .errs = IN_ERRS, .check = ft_check_sent },
	{ "writev", FT_ALL, ft_setup_pair, act_writev, 6000,
	  .partial = true, .errs = IN_ERRS, .check = ft_check_sent },
	{ "sendmsg, with credentials", FT_ALL, ft_setup_pair, act_send_creds, 5000,
	  .partial = true, .errs = { ENOMEM, EFAULT, ENOBUFS },
	  .check = ft_check_sent },
	{ "sendmsg, pages behind a mark", FT_ALL, setup_half_page,
	  act_send_creds_more, 9000, .partial = true,
	  .errs = { ENOMEM, EFAULT, ENOBUFS }, .check = check_sent_more },
	{ "sendmsg, behind many marks", FT_ALL, setup_marks, act_send_mark, 1,
	  .errs = { ENOMEM, EFAULT, ENOBUFS }, .check = check_marks },
	{ "sendmmsg", FT_ALL, ft_setup_pair, act_sendmmsg, 3,
	  .partial = true, .errs = IN_ERRS, .check = check_sendmmsg },
	{ "sendto, no name yet", FT_DGRAM, setup_sendto, act_sendto, 1000,
	  .errs = IN_ERRS, .check = check_sendto },
	{ "sendto, nobody there", FT_DGRAM, setup_sendto_nobody, act_sendto,
	  -ECONNREFUSED, .errs = IN_ERRS, .check = check_sendto_nobody },
	{ "sendto, filtered", FT_DGRAM, setup_filtered, act_sendto, 1000,
	  .errs = IN_ERRS, .check = check_filtered },
	{ "recv", FT_ALL, ft_setup_data, act_recv, 10000,
	  .partial = true, .errs = { EFAULT }, .check = ft_check_received },
	{ "recv, large", FT_ALL, setup_large, act_recv_large, LARGE,
	  .partial = true, .errs = { EFAULT }, .check = ft_check_received },
	{ "recv, too short", FT_MSG, setup_short, act_recv_short, 10000,
	  .errs = { EFAULT }, .check = check_short },
	{ "recv, a peek", FT_ALL, ft_setup_data, act_peek, 5000,
	  .partial = true, .errs = { EFAULT }, .check = check_peeked },
	{ "recv, all", FT_ALL, ft_setup_data, act_recv_all, 10000,
	  .partial = true, .errs = { EFAULT }, .check = ft_check_received },
	{ "recv, nothing there", FT_ALL, ft_setup_pair, act_recv_none, -EAGAIN,
	  .errs = { EFAULT }, .check = ft_check_pair },
	{ "recv, sleeps", FT_ALL, ft_setup_pair, act_recv_wait, 3000,
	  .partial = true, .errs = { EFAULT }, .check = ft_check_received,
	  .wake = wake_by_sending, .nr = SYS_recvfrom },
	{ "recv, at the end", FT_CONN, setup_eof, act_recv_none, 0,
	  .errs = { EFAULT }, .check = check_eof },
	{ "recvmsg, with credentials", FT_ALL, setup_creds, act_recvmsg, 3000,
	  .partial = true, .errs = { ENOMEM, EFAULT, ENOBUFS },
	  .check = check_recvmsg },
	{ "recvmsg, with a time stamp", FT_MSG, setup_stamp, act_recvmsg, 3000,
	  .errs = { ENOMEM, EFAULT, ENOBUFS }, .check = check_stamp },
	{ "recvmmsg", FT_ALL, ft_setup_data, act_recvmmsg, 10000,
	  .partial = true, .errs = { ENOMEM, EFAULT }, .check = check_lenient },
	{ "read", FT_ALL, ft_setup_data, act_read, 10000,
	  .partial = true, .errs = { EFAULT }, .check = ft_check_received },
	{ "readv", FT_ALL, ft_setup_data, act_readv, 10000,
	  .partial = true, .errs = { ENOMEM, EFAULT }, .check = ft_check_received },
	{ "sendfile", FT_ALL, setup_splice, act_sendfile, 40000,
	  .partial = true, .errs = IN_ERRS, .check = check_sendfile },
	{ "splice, in", FT_ALL, setup_splice_in, act_splice_in, 30000,
	  .partial = true, .errs = IN_ERRS, .check = check_splice_in },
	{ "splice, out", FT_ALL, setup_splice_out, act_splice_out, 10000,
	  .partial = true, .errs = IN_ERRS, .check = check_splice_out },
};

const unsigned int ft_n_data = ARRAY_SIZE(ft_data);
