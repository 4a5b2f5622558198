/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * AF_RILL: sockets between the programs of one machine.  See rill(7).
 */
#ifndef _UAPI_LINUX_RILL_H
#define _UAPI_LINUX_RILL_H

#include <linux/types.h>
#include <linux/socket.h>

/*
 * The family number.  Linux cannot register numbers of 46 and more, so Rill
 * borrows one of a protocol that Linux never had (18, AF_ASH).  The module
 * parameter "family" may pick another: a portable program reads the number in
 * use from /sys/module/rill/parameters/family, or asks librill(3).
 */
#define RILL_FAMILY_DEFAULT	18

#define RILL_FAMILY_PATH	"/sys/module/rill/parameters/family"

/* Room for a name, in bytes, its terminating NUL included. */
#define RILL_NAME_SIZE		124

/* The longest name, in bytes, without the NUL. */
#define RILL_NAME_MAX		123

/*
 * An address: the family, flags that must be 0, and a name of 1 to
 * RILL_NAME_MAX bytes, each 0x20 or above and not 0x7f.  The name ends at the
 * address length or at the first NUL; what follows the NUL is ignored.  The
 * kernel always gives out a NUL, and counts it in the length.
 *
 * An empty name asks bind() for a free one, "auto/" and a number.
 */
struct sockaddr_rill {
	__kernel_sa_family_t	srl_family;	/* the family number in use */
	__u16			srl_flags;	/* 0; any bit else is EINVAL */
	char			srl_name[RILL_NAME_SIZE];
};

/* Flags of srl_flags that this header knows. */
#define RILL_SRL_FLAGS_VALID	0

/* The shortest address length: an empty name. */
#define RILL_ADDR_MIN		4

/*
 * Prefixes of names that not everybody may bind (EACCES):
 *	sys/...		needs CAP_NET_BIND_SERVICE in the user namespace that
 *			owns the network namespace
 *	user/UID/...	needs that fsuid, in canonical decimal, as seen from the
 *			same user namespace
 *	auto/...	is given by the kernel only
 */
#define RILL_PREFIX_SYS		"sys/"
#define RILL_PREFIX_USER	"user/"
#define RILL_PREFIX_AUTO	"auto/"

/* The level of the options below, for getsockopt() and setsockopt(). */
#define SOL_RILL		0x524c

/*
 * int, 0 to 0777: the mode of the name, as of a file; connect() and sendto()
 * need the write bit.  Set before bind(), it replaces 0777 & ~umask (0666 for
 * a name that the kernel chose); set afterwards, it changes the name's mode.
 * EINVAL: a bit outside 0777; or the name belongs to another socket (that of a
 * connection is its listener's).  Reading it before it is set or bound: -1.
 */
#define RILL_MODE		1

/*
 * struct rill_owner: who owns the name, as the reader's user namespace sees
 * it.  Set before bind(), it replaces the caller's fsuid and fsgid; set
 * afterwards, it changes the name's owner.  ~0 leaves that half as it is.
 * EPERM: another owner than the caller and its groups, without CAP_CHOWN in
 * the user namespace that owns the network namespace.  EINVAL: an id without a
 * mapping, or a name that belongs to another socket.  Reading it before it is
 * set or bound: both ~0.
 */
#define RILL_OWNER		2

/*
 * struct rill_queue, read only: the queue of a listener.  EINVAL on a socket
 * that does not listen; a shorter buffer gets the first fields.
 */
#define RILL_QUEUE		3

/*
 * int, microseconds, 0 or more: how long a receive that found nothing looks for
 * data before it sleeps, if the last data came from another CPU and nobody else
 * wants this one.  As SO_BUSY_POLL, but anybody may set it, and what has effect
 * is bounded by net.rill.max_busy_poll_us, at any time; reading it gives the
 * value within that bound.  Of the two options the longer one counts.  EINVAL:
 * below 0.  An accepted socket has its listener's.  A socket that has neither
 * option set looks for net.rill.busy_poll_us, and less often where that is of no
 * use, and reads that; 0 here switches it off where SO_BUSY_POLL is 0 too.
 */
#define RILL_BUSY_POLL		4

struct rill_owner {
	__u32	ro_uid;
	__u32	ro_gid;
};

struct rill_queue {
	__u32	rq_len;		/* connections made and not yet accepted */
	__u32	rq_max;		/* the most of them: the backlog plus 1 */
	__u32	rq_waiting;	/* connectors that stand in the waiting line */
	__u32	rq_waiting_max;	/* the most of them: net.rill.max_waiting */
};

#endif /* _UAPI_LINUX_RILL_H */
