/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The sockets of AF_RILL, asked by NETLINK_SOCK_DIAG: who talks to whom, with
 * what in between.  rill_diag.ko answers.  See sock_diag(7), rill(7), rill-ss(1).
 */
#ifndef _UAPI_LINUX_RILL_DIAG_H
#define _UAPI_LINUX_RILL_DIAG_H

#include <linux/types.h>
#include <linux/rill.h>

/*
 * A request, SOCK_DIAG_BY_FAMILY.  With NLM_F_DUMP it asks for the sockets of
 * the netlink socket's network namespace whose state and type are named; without,
 * for the one with this inode, or this cookie, or both; the one not given is 0.
 *
 * EINVAL: a flag or an attribute that the kernel does not know, padding or a
 * protocol that is not 0, a dump of no state or no type, one socket without
 * inode and cookie.  ERANGE: a prefix that is empty or longer than a name.
 * ENOENT: no such socket, or no rill_diag.ko.  ESTALE: the inode is another
 * socket's than the cookie.
 */
struct rill_diag_req {
	__u8	rdr_family;	/* the family number in use */
	__u8	rdr_protocol;	/* 0 */
	__u16	rdr_pad;	/* 0 */
	__u32	rdr_states;	/* 1 << RILL_DIAG_LISTEN ...; ~0 for all */
	__u32	rdr_types;	/* 1 << SOCK_STREAM ...; ~0 for all */
	__u32	rdr_show;	/* RILL_DIAG_SHOW_*: what to tell of each */
	__u32	rdr_ino;
	__u32	rdr_cookie[2];
};

/* Attributes that may follow it. */
enum {
	RILL_DIAG_REQ_UNSPEC,
	/*
	 * String: only sockets whose name, or whose peer's, begins so.  Of a dump:
	 * without NLM_F_DUMP the one socket is told, whatever this and the masks say.
	 */
	RILL_DIAG_REQ_PREFIX,
	__RILL_DIAG_REQ_MAX
};

#define RILL_DIAG_REQ_MAX	(__RILL_DIAG_REQ_MAX - 1)

/* States: the numbers that sock_diag(7) has for tcp(7). */
#define RILL_DIAG_CONNECTED	1
#define RILL_DIAG_CONNECTING	2	/* stands in a listener's waiting line */
#define RILL_DIAG_CLOSED	7	/* none of the others */
#define RILL_DIAG_LISTEN	10

#define RILL_DIAG_SHOW_NAME	0x01  /* NAME */
#define RILL_DIAG_SHOW_PEER	0x02  /* PEER, PEER_NAME */
#define RILL_DIAG_SHOW_UID	0x04  /* UID */
#define RILL_DIAG_SHOW_PERM	0x08  /* PERM */
#define RILL_DIAG_SHOW_QUEUE	0x10  /* QUEUE; of a listener LISTEN_QUEUE */
#define RILL_DIAG_SHOW_MEMINFO	0x20  /* MEMINFO, RING */
#define RILL_DIAG_SHOW_CRED	0x40  /* CRED, PEER_CRED */
#define RILL_DIAG_SHOW_VALID	0x7f

/* An answer; attributes follow. */
struct rill_diag_msg {
	__u8	rdm_family;
	__u8	rdm_type;	/* SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM */
	__u8	rdm_state;
	__u8	rdm_shutdown;	/* 1: receives no more; 2: sends no more */
	__u32	rdm_flags;	/* RILL_DIAG_F_* */
	__u32	rdm_ino;	/* 0: not accepted yet */
	__u32	rdm_cookie[2];
};

#define RILL_DIAG_F_UNACCEPTED	0x01  /* waits in its listener's queue */
#define RILL_DIAG_F_PAIR	0x02  /* made by socketpair() */
#define RILL_DIAG_F_HANGUP	0x04  /* the peer is closed */

/*
 * Attributes of an answer; each is there if it was asked for and there is
 * something to tell.  Ids are those that the asker's namespaces have for them: a
 * pid without one is 0, a uid or gid without one is the overflow id.
 */
enum {
	RILL_DIAG_UNSPEC,
	RILL_DIAG_NAME,		/* string; a connection's is its listener's */
	RILL_DIAG_PEER_NAME,	/* string */
	RILL_DIAG_PEER,		/* struct rill_diag_peer */
	RILL_DIAG_UID,		/* __u32: the socket's owner; not if unaccepted */
	RILL_DIAG_PERM,		/* struct rill_diag_perm: of NAME */
	RILL_DIAG_QUEUE,	/* struct rill_diag_queue */
	RILL_DIAG_LISTEN_QUEUE,	/* struct rill_queue */
	RILL_DIAG_MEMINFO,	/* __u32[]: SK_MEMINFO_* of linux/sock_diag.h */
	RILL_DIAG_RING,		/* struct rill_diag_ring: of a stream */
	RILL_DIAG_CRED,		/* struct rill_diag_cred */
	RILL_DIAG_PEER_CRED,	/* struct rill_diag_cred */
	__RILL_DIAG_MAX
};

#define RILL_DIAG_MAX	(__RILL_DIAG_MAX - 1)

/* The other end; of a socket that stands in line, the listener. */
struct rill_diag_peer {
	__u32	rdp_ino;	/* 0: not accepted yet, or closed */
	__u32	rdp_cookie[2];
	__u32	rdp_uid;	/* the socket's owner; ~0 where the inode is 0 */
};

/* Owner and mode of the name: who may connect.  RILL_OWNER, RILL_MODE. */
struct rill_diag_perm {
	__u32	rdn_uid;
	__u32	rdn_gid;
	__u32	rdn_mode;
};

/* As SIOCINQ and SIOCOUTQ tell it. */
struct rill_diag_queue {
	__u32	rdq_recv;
	__u32	rdq_send;
};

/* What lies in a stream's receiving ring. */
struct rill_diag_ring {
	__u32	rdi_bytes;	/* memory of its own pages, those kept ready too */
	__u32	rdi_slots;	/* slots in use: pieces not yet read, and marks */
};

/*
 * The process as it was recorded when it called connect(), listen() or
 * socketpair(): what the other end gets as SO_PEERCRED.  It may since have
 * passed the socket on, or be gone; and its pid be another's.
 */
struct rill_diag_cred {
	__u32	rdc_pid;
	__u32	rdc_uid;
	__u32	rdc_gid;
};

#endif /* _UAPI_LINUX_RILL_DIAG_H */
