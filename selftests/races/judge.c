// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a call in a race may return: 0, or what rill(7) documents for it, and
 * that only where this round gives cause for it.  EAGAIN is not for who may
 * wait, EINTR not for who got no signal, EBADF not if nobody closed.
 */
#include "race.h"

static bool waits(const struct member *m)
{
	return m->job.block && !sc.timeo;
}

/* Did somebody call off what that socket waits for? */
static bool called_off(enum obj obj)
{
	for (int i = 0; i < sc.members; i++)
		if (crew[i].job.op == OP_CONNECT && crew[i].variant &&
		    crew[i].job.obj == obj)
			return true;
	return false;
}

/* It stood in line, and was shut down or left there, or another was told why it failed. */
static bool left_line(const struct member *m)
{
	return !is_dgram() && sc.on_listener &&
	       (sc.was_shut[m->job.obj] || called_off(m->job.obj) ||
		sc.closed[O_L] || sc.was_shut[O_L]);
}

/* Has somebody closed or shut down an end? */
static bool may_end(void)
{
	return sc.lossy || sc.was_shut[O_P] || sc.was_shut[O_Q] || sc.was_shut[O_C];
}

static bool connect_ok(const struct member *m, int err)
{
	switch (err) {
	case EINTR:
		return m->job.block && m->signalled && !is_dgram();
	case EINPROGRESS:
		return !is_dgram() && !waits(m);
	case EALREADY:
		return !is_dgram() && !m->job.block;
	case EISCONN:
		return !is_dgram();
	case ECONNABORTED:
		return !is_dgram();
	case ECONNREFUSED:
		return true;
	case EPERM:
		return is_dgram();
	case EINVAL:
		/* AF_UNSPEC on a connection. */
		return !is_dgram() && m->variant;
	}
	return false;
}

static bool accept_ok(const struct member *m, int err)
{
	if (is_dgram())
		return err == EOPNOTSUPP;
	switch (err) {
	case EAGAIN:
		return !waits(m);
	case EINTR:
		return m->signalled;
	case EINVAL:
		return m->job.obj != O_L || sc.was_shut[O_L];
	}
	return false;
}

static bool send_ok(const struct member *m, int err)
{
	switch (err) {
	case EAGAIN:
		return !waits(m);
	case EINTR:
		return m->signalled;
	case EPIPE:
		return may_end();
	case ECONNABORTED:
		return left_line(m);
	case ENOTCONN:
		return is_dgram() || sc.on_listener;
	case ECONNREFUSED:
		return is_dgram() ? sc.closed[O_P] || sc.closed[O_Q] || sc.closed[O_C] :
		       sc.on_listener && (sc.closed[O_L] || sc.was_shut[O_L]);
	case EPERM:
		return is_dgram();
	case ENOBUFS:	/* ours: put() has no more ids */
		return !is_stream();
	}
	return false;
}

static bool recv_ok(const struct member *m, int err)
{
	switch (err) {
	case EAGAIN:
		return !waits(m);
	case EINTR:
		return m->signalled;
	case ECONNRESET:
		return !is_dgram() && sc.lossy;
	case ECONNABORTED:
		return left_line(m);
	case ENOTCONN:
		return !is_dgram() && sc.on_listener;
	case ECONNREFUSED:
		return sc.on_listener && (sc.closed[O_L] || sc.was_shut[O_L]);
	}
	return false;
}

static bool setsockopt_ok(const struct member *m, int err)
{
	switch (m->variant) {
	case 8:
		/* The name is the listener's. */
		return err == EINVAL && m->job.obj == O_Q;
	case 9:
		/* There was none to detach. */
		return err == ENOENT;
	case 13:
		return err == EINVAL && m->job.obj != O_L;
	}
	return false;
}

static bool errno_ok(const struct member *m, int err)
{
	if (err == EBADF)
		return sc.closed[m->job.obj];
	switch (m->job.op) {
	case OP_CONNECT:
		return connect_ok(m, err);
	case OP_ACCEPT:
		return accept_ok(m, err);
	case OP_SHUTDOWN:
		return err == ENOTCONN && !is_dgram() && sc.on_listener;
	case OP_SEND:
		return send_ok(m, err);
	case OP_SPLICE:
		return m->variant ? recv_ok(m, err) : send_ok(m, err);
	case OP_RECV:
	case OP_PEEK:
		return recv_ok(m, err);
	case OP_POLL:
		return err == EINTR ? m->signalled :
		       err == ENOENT && sc.closed[m->job.obj];
	case OP_LISTEN:
		if (is_dgram())
			return err == EOPNOTSUPP;
		return err == EINVAL && m->job.obj != O_L;
	case OP_SETSOCKOPT:
		return setsockopt_ok(m, err);
	case OP_CLOSE:
	case OP_SIGNAL:
	case OP_NONE:
		break;
	}
	return false;
}

static bool takes_data(const struct member *m)
{
	return m->job.op == OP_RECV || m->job.op == OP_PEEK ||
	       (m->job.op == OP_SPLICE && m->variant);
}

void judge(const struct member *m)
{
	if (m->wrong)
		wrong("member %d, %s on %s: %s", m->index, op_name[m->job.op],
		      obj_name[m->job.obj], m->wrong);
	/* SO_ERROR gives what it is, as a positive number. */
	if (m->ret < 0 && !errno_ok(m, -m->ret))
		wrong("member %d, %s (form %u) on %s, %s: %s", m->index,
		      op_name[m->job.op], m->variant, obj_name[m->job.obj],
		      m->job.block ? "may wait" : "may not wait", strerror(-m->ret));
	if (!m->ret && takes_data(m) && !sc.was_shut[m->job.obj] &&
	    (is_dgram() || !may_end()))
		wrong("member %d, %s on %s: an end that nobody made", m->index,
		      op_name[m->job.op], obj_name[m->job.obj]);
}
