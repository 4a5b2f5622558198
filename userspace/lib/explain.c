// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* What an errno means for this family, and what helps. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include "internal.h"

static const struct {
	int err;
	const char *text;
} explanations[] = {
	{ EAFNOSUPPORT,
	  "the rill module is not loaded; as root run 'modprobe rill', or insmod its file" },
	{ ENAMETOOLONG, "the name is too long; 123 bytes is the most" },
	{ EADDRINUSE, "a living socket holds that name; see its line in /proc/net/rill" },
	{ EACCES,
	  "no permission; the name's mode keeps you out, or its prefix is reserved" },
	{ ECONNREFUSED,
	  "nobody listens on that name, or its waiting line is full; start the server first" },
	{ EPROTOTYPE,
	  "the name is that of another type of socket: stream, datagram or seqpacket" },
	{ ETIMEDOUT,
	  "the time is over; the server accepts too slowly, or its backlog is too small" },
	{ ECONNRESET, "the peer closed without reading all that was sent" },
	{ EPIPE, "the peer has closed, or reads no more" },
	{ EMSGSIZE,
	  "the message is too long; raise SO_SNDBUF of the sender, or send less at once" },
	{ EPROTO, "the peer's data end in the middle of a message" },
	{ EPERM, "that socket is connected to another one, or the right to do this is missing" },
	{ EINPROGRESS, "in the waiting line; poll for POLLOUT, then ask SO_ERROR" },
	{ EALREADY, "still in the waiting line; poll for POLLOUT, then ask SO_ERROR" },
	{ ENOTCONN, "the socket is not connected" },
	{ EISCONN, "the socket is connected already" },
	{ ESOCKTNOSUPPORT,
	  "no such type; there are SOCK_STREAM, SOCK_DGRAM and SOCK_SEQPACKET" },
};

static const char *libc_text(int err)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
	/* strerror() may write into a buffer that threads share. */
	const char *text = strerrordesc_np(err);
#else
	const char *text = strerror(err);
#endif
	return text ? text : "unknown error";
}

RILL_API const char *rill_explain(int err)
{
	size_t i;

	for (i = 0; i < sizeof(explanations) / sizeof(explanations[0]); i++)
		if (explanations[i].err == err)
			return explanations[i].text;
	return libc_text(err);
}

RILL_API const char *rill_version(void)
{
	return RILL_VERSION;
}
