/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * librill: what programs that talk over AF_RILL would otherwise write
 * themselves.  See librill(3), and rill(7) for the socket family.
 *
 * All calls are thread safe.  A call that fails returns -1 and sets errno;
 * none prints, exits, or changes a signal's disposition.  Every descriptor
 * that the library makes is close-on-exec, and no call of it raises SIGPIPE.
 *
 * A "name" is a NUL-terminated string of 1 to RILL_NAME_MAX (123) bytes, each
 * 0x20 or above and not 0x7f.
 */
#ifndef RILL_RILL_H
#define RILL_RILL_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <linux/rill.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header; rill_version() is that of the library. */
#define RILL_VERSION		"0.1.0"

/* Room for any name that rill_name_escape() has made printable, and its NUL. */
#define RILL_ESCAPED_SIZE	(4 * RILL_NAME_MAX + 1)

/* The longest message of rill_msg_send(), in bytes. */
#define RILL_MSG_MAX		0xffffffffU

/**
 * rill_version() - the version of the library in use, as "0.1.0".
 */
const char *rill_version(void);

/**
 * rill_family() - the number of the family on this machine.
 *
 * Reads /sys/module/rill/parameters/family and remembers it.  If the module is
 * not there, asks for the default family once, which makes the kernel load it
 * where autoloading is allowed.  Works without /sys too.
 *
 * Return: the number, for socket() and srl_family.  -1 with errno
 *   EAFNOSUPPORT	the module is not loaded and could not be
 *   EMFILE, ENFILE, ENOMEM	no descriptor or memory to ask with
 */
int rill_family(void);

/**
 * rill_explain() - a sentence on an errno of this library or this family.
 * @err: the errno, as a positive number.
 *
 * Return: what it means here and what helps, without a full stop or a newline;
 * a constant string, never NULL.  An errno with no special meaning here gives
 * the C library's text.
 */
const char *rill_explain(int err);

/**
 * rill_addr() - makes an address of a name.
 * @addr: the address to fill; bytes that are not used become 0.
 * @len: gets the length to give to bind(), connect() or sendto(), in bytes.
 * @name: the name; "" makes the empty name, which asks bind() to choose one.
 *
 * Return: 0; or -1 with errno
 *   ENAMETOOLONG	@name is longer than RILL_NAME_MAX bytes
 *   EINVAL		@name has a byte below 0x20 or 0x7f; or an argument
 *			is NULL
 *   and what rill_family() may say.
 */
int rill_addr(struct sockaddr_rill *addr, socklen_t *len, const char *name);

/**
 * rill_addr_name() - the name in an address that the kernel gave out.
 * @addr: the address, from accept(), recvfrom(), getsockname(), ...
 * @len: its length in bytes; 0 (a sender without a name) is fine.
 * @name: gets the name and a NUL.
 * @size: room at @name; RILL_NAME_SIZE is always enough.
 *
 * Never reads past @len, whether or not the name ends in a NUL.
 *
 * Return: the length of the name in bytes, 0 if it has none; or -1 with errno
 *   EINVAL	@len is 1, 2, 3 or more than 128; or an argument is NULL
 *   ERANGE	@size is too small; nothing was written
 */
ssize_t rill_addr_name(const struct sockaddr_rill *addr, socklen_t len,
		       char *name, size_t size);

/**
 * rill_name_escape() - makes a name fit for a terminal or a log.
 * @name: the name.
 * @buf: gets it in printable ASCII: a backslash becomes "\\", any byte that is
 *   not printable ASCII becomes "\x" and two hexadecimal digits.
 * @size: room at @buf; RILL_ESCAPED_SIZE is enough for every name.
 *
 * Return: the length in bytes of what was written, without the NUL; or -1 with
 * errno
 *   EINVAL	an argument is NULL
 *   ERANGE	@size is too small; @buf then holds "" if @size is not 0
 */
ssize_t rill_name_escape(const char *name, char *buf, size_t size);

/**
 * rill_own_name(), rill_peer_name() - the name of a socket or of its peer.
 * @fd: the socket.
 * @name: gets the name and a NUL ("" if there is none); room for
 *   RILL_NAME_SIZE bytes.
 *
 * Return: the length of the name, 0 if it has none; or -1 with errno
 *   EBADF, ENOTSOCK	as getsockname(2)
 *   ENOTCONN		rill_peer_name(): the socket is not connected
 *   EAFNOSUPPORT	the socket is of another family
 */
ssize_t rill_own_name(int fd, char *name);
ssize_t rill_peer_name(int fd, char *name);

/**
 * rill_socket() - a new socket, neither bound nor connected.
 * @type: SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET.
 * @flags: 0 or SOCK_NONBLOCK.  SOCK_CLOEXEC may be given and is always set.
 *
 * Return: a descriptor; or -1 with errno
 *   EINVAL		a bit in @flags that is none of these, or a @type that
 *			is none of any family's
 *   ESOCKTNOSUPPORT	another @type
 *   EMFILE, ENFILE, ENOMEM	as socket(2)
 *   and what rill_family() may say.
 */
int rill_socket(int type, int flags);

/**
 * rill_pair() - socketpair(2) of this family.
 * @type, @flags: as for rill_socket().
 * @fds: gets the two descriptors.
 *
 * Return: 0; or -1 with errno as rill_socket().
 */
int rill_pair(int type, int flags, int fds[2]);

/**
 * rill_bind() - bind(2) with a name.
 * @fd: a socket of this family.
 * @name: the name; "" lets the kernel choose ("auto/" and a number).
 *
 * Return: 0; or -1 with errno
 *   EADDRINUSE	a living socket holds the name
 *   EACCES	"sys/", "user/" or "auto/" without the right to it
 *   EINVAL	the socket has a name already, or is connected or connecting
 *   and what rill_addr() may say.
 */
int rill_bind(int fd, const char *name);

/**
 * rill_listen() - a socket that listens on a name.
 * @name: the name; "" lets the kernel choose (see rill_own_name()).
 * @type: SOCK_STREAM or SOCK_SEQPACKET.
 * @backlog: connections that may wait for accept() besides one, 0 or more; the
 *   kernel lowers it to net.core.somaxconn.  What is more stands in the
 *   waiting line.
 * @flags: as for rill_socket().
 *
 * The name's mode is 0777 & ~umask.  To give another one use rill_socket(),
 * rill_set_mode(), rill_bind() and listen(2), in that order.
 *
 * Return: a descriptor; or -1 with errno
 *   EOPNOTSUPP	SOCK_DGRAM cannot listen
 *   and what rill_socket() and rill_bind() may say.
 */
int rill_listen(const char *name, int type, int backlog, int flags);

/**
 * rill_accept() - the next connection of a listener.
 * @fd: the listener.
 * @flags: as for rill_socket(), for the new descriptor.
 *
 * Goes on waiting after a signal.
 *
 * Return: a descriptor; or -1 with errno
 *   EAGAIN	there is none: @fd is non-blocking, or SO_RCVTIMEO has passed
 *   EINVAL	@fd does not listen (any more); a wrong bit in @flags
 *   EBADF, ENOTSOCK, EOPNOTSUPP, EMFILE, ENFILE, ENOMEM	as accept(2)
 */
int rill_accept(int fd, int flags);

/**
 * rill_connect() - a socket that is connected to a name.
 * @name: the name, not "".
 * @type: as for rill_socket().
 * @flags: as for rill_socket().  SOCK_NONBLOCK is for what comes after: the
 *   call itself waits in every case.
 * @timeout_ms: how long to stand in the waiting line of a listener that is
 *   full, in milliseconds; 0 not at all, -1 for as long as it takes.
 *
 * Goes on waiting after a signal; the time-out counts on.  A program that does
 * something else meanwhile uses rill_socket(), rill_addr() and connect(2).
 *
 * Return: a descriptor; or -1 with errno
 *   ECONNREFUSED	nobody has the name; nobody listens on it; its waiting
 *			line is full; or the listener went away meanwhile
 *   EACCES	the mode of the name does not let the caller in
 *   EPROTOTYPE	the name is that of a socket of another type
 *   ETIMEDOUT	still in line after @timeout_ms
 *   EPERM	SOCK_DGRAM: that socket is connected to another one
 *   EINVAL	@timeout_ms is below -1; @name is ""
 *   and what rill_socket() and rill_addr() may say.
 */
int rill_connect(const char *name, int type, int flags, int timeout_ms);

/**
 * rill_dgram() - a datagram socket.
 * @name: its name; "" lets the kernel choose one now; NULL lets the kernel
 *   choose one at the first send.
 * @flags: as for rill_socket().
 *
 * Return: a descriptor; or -1 with errno as rill_socket() and rill_bind().
 */
int rill_dgram(const char *name, int flags);

/**
 * rill_sendto() - sends one datagram to a name.
 * @fd: a datagram socket.
 * @buf, @len: the datagram, in bytes; 0 bytes are a datagram too.
 * @flags: as send(2); MSG_NOSIGNAL is added.
 * @name: to whom, not "".
 *
 * Begins anew after a signal, as long as nothing has been sent.
 *
 * Return: @len; or -1 with errno
 *   EMSGSIZE	more than SO_SNDBUF has room for
 *   EAGAIN	the receiver is full: @fd is non-blocking, or SO_SNDTIMEO has
 *		passed
 *   ECONNREFUSED, EACCES, EPROTOTYPE, EPERM	as rill_connect()
 *   EPIPE	the receiver has shut down its reading side, or @fd was shut
 *		down for writing
 *   and what rill_addr() may say.
 */
ssize_t rill_sendto(int fd, const void *buf, size_t len, int flags,
		    const char *name);

/**
 * rill_recvfrom() - receives one datagram and says from whom.
 * @fd: a datagram socket.
 * @buf, @size: where to, and the room there in bytes.
 * @flags: as recv(2).  With MSG_TRUNC the result is the datagram's real length,
 *   also if it was longer than @size.
 * @name: NULL, or room for RILL_NAME_SIZE bytes: gets the sender's name, "" if
 *   it has none.
 *
 * Begins anew after a signal.
 *
 * Return: bytes received; or -1 with errno as recvfrom(2).
 */
ssize_t rill_recvfrom(int fd, void *buf, size_t size, int flags, char *name);

/**
 * rill_send_all() - sends all of a buffer over a stream.
 * @fd: a connected stream socket, of any family, blocking or not.
 * @buf, @len: what to send, in bytes.
 * @flags: as send(2); MSG_NOSIGNAL is added.  Without MSG_DONTWAIT the call
 *   waits for room, on a non-blocking socket as well.
 * @done: NULL, or gets the bytes sent in every case, also after an error.
 *
 * Goes on after a signal and after a short count.
 *
 * Return: @len; or -1 with errno
 *   EAGAIN	MSG_DONTWAIT and no room, or SO_SNDTIMEO has passed
 *   EPIPE	the peer is gone or reads no more
 *   EINVAL	@len is above SSIZE_MAX
 *   others	as send(2)
 */
ssize_t rill_send_all(int fd, const void *buf, size_t len, int flags,
		      size_t *done);

/**
 * rill_recv_all() - fills a buffer from a stream.
 * @fd: a connected stream socket, of any family, blocking or not.
 * @buf, @len: where to, and how many bytes.
 * @flags: as recv(2), but not MSG_PEEK.  Without MSG_DONTWAIT the call waits
 *   for data, on a non-blocking socket as well.
 * @done: NULL, or gets the bytes received in every case, also after an error.
 *
 * Goes on after a signal and after a short count.
 *
 * Return: @len; less (0 as well) only if the peer's data end there; or -1 with
 * errno
 *   EAGAIN	MSG_DONTWAIT and no data, or SO_RCVTIMEO has passed
 *   ECONNRESET	the peer closed with data unread
 *   EINVAL	MSG_PEEK; or @len is above SSIZE_MAX
 *   others	as recv(2)
 */
ssize_t rill_recv_all(int fd, void *buf, size_t len, int flags, size_t *done);

/**
 * rill_msg_send() - sends a message over a stream: its length, then its bytes.
 * @fd: a connected stream socket, of any family.
 * @buf, @len: the message, 0 to RILL_MSG_MAX bytes.
 *
 * On the wire: the length as 32 bits in network byte order (the most
 * significant byte first), then that many bytes.
 *
 * A message is sent as a whole or not at all: once its first byte is out, the
 * call waits for the rest, on a non-blocking socket as well.  Threads that send
 * over one socket must take turns.
 *
 * Return: 0; or -1 with errno
 *   EMSGSIZE	@len is above RILL_MSG_MAX; nothing was sent
 *   EAGAIN	nothing was sent: the socket is non-blocking and has no room,
 *		or SO_SNDTIMEO has passed
 *   ETIMEDOUT	SO_SNDTIMEO has passed in the middle: the socket is of no more
 *		use, close it
 *   EPIPE	the peer is gone or reads no more
 *   others	as send(2)
 */
int rill_msg_send(int fd, const void *buf, size_t len);

/**
 * rill_msg_recv() - receives what rill_msg_send() sent.
 * @fd: a connected stream socket, of any family.
 * @buf, @size: where to, and the longest message that the caller takes, in
 *   bytes.
 * @len: NULL, or gets the length of the message, also with EMSGSIZE.
 *
 * On a blocking socket the call waits for a message.  Once the first byte of
 * one has come it waits for the rest, on a non-blocking socket as well.
 * Threads that receive from one socket must take turns.
 *
 * Return: 1 and a message; 0 if the peer's data end where a message would
 * begin; or -1 with errno
 *   EMSGSIZE	the message is longer than @size (*@len says how long).  It
 *		was read and thrown away: the next call gives the next one
 *   EAGAIN	no message has begun: the socket is non-blocking, or
 *		SO_RCVTIMEO has passed
 *   EPROTO	the peer's data end in the middle of a message
 *   ETIMEDOUT	SO_RCVTIMEO has passed in the middle of one: the socket is of
 *		no more use, close it
 *   ECONNRESET	the peer closed with data unread
 *   others	as recv(2)
 */
int rill_msg_recv(int fd, void *buf, size_t size, size_t *len);

/**
 * rill_set_mode(), rill_get_mode() - RILL_MODE, who may reach a name.
 * @fd: a socket of this family; to have the mode from the first moment set it
 *   before rill_bind().
 * @mode: 0 to 0777 as of a file; who connects or sends needs the write bit.
 *   Reading gives -1 if none was set and the socket is not bound.
 *
 * Return: 0; or -1 with errno
 *   EINVAL	a bit outside 0777; or the name belongs to another socket
 *   EBADF, ENOTSOCK	as setsockopt(2)
 *   ENOPROTOOPT, EOPNOTSUPP	the socket is of another family
 */
int rill_set_mode(int fd, int mode);
int rill_get_mode(int fd, int *mode);

/**
 * rill_set_owner(), rill_get_owner() - RILL_OWNER, whose name it is.
 * @fd: a socket of this family.
 * @uid, @gid: the owner; -1 leaves that half as it is.  Reading gives -1 if
 *   none was set and the socket is not bound; a NULL pointer is skipped.
 *
 * Return: 0; or -1 with errno
 *   EPERM	another owner than the caller, without CAP_CHOWN
 *   EINVAL	an id without a mapping; the name belongs to another socket
 *   EBADF, ENOTSOCK	as setsockopt(2)
 *   ENOPROTOOPT, EOPNOTSUPP	the socket is of another family
 */
int rill_set_owner(int fd, uid_t uid, gid_t gid);
int rill_get_owner(int fd, uid_t *uid, gid_t *gid);

/**
 * rill_set_busy_poll(), rill_get_busy_poll() - RILL_BUSY_POLL, how long a
 *   receive looks for data before it sleeps.
 * @fd: a socket of this family.
 * @usec: microseconds, 0 or more.  No more than net.rill.max_busy_poll_us has
 *   effect; reading gives the value within that bound, before it is set
 *   net.rill.busy_poll_us.  SO_BUSY_POLL is not looked at.
 *
 * Return: 0; or -1 with errno
 *   EINVAL	less than 0
 *   EBADF, ENOTSOCK	as setsockopt(2)
 *   ENOPROTOOPT, EOPNOTSUPP	the socket is of another family
 */
int rill_set_busy_poll(int fd, int usec);
int rill_get_busy_poll(int fd, int *usec);

/**
 * rill_get_queue() - RILL_QUEUE, how full a listener is.
 * @fd: the listener.
 * @queue: gets connections not yet accepted and the most of them, connectors
 *   in the waiting line and the most of them.
 *
 * Return: 0; or -1 with errno
 *   EINVAL	the socket does not listen
 *   EBADF, ENOTSOCK	as getsockopt(2)
 *   ENOPROTOOPT, EOPNOTSUPP	the socket is of another family
 */
int rill_get_queue(int fd, struct rill_queue *queue);

#ifdef __cplusplus
}
#endif

#endif /* RILL_RILL_H */
