// SPDX-License-Identifier: GPL-2.0-only
/*
 * What programs that were built with an earlier librill rely on: the type of
 * each call, the values of the constants, the layout of what is passed.  It is
 * only compiled, by build_test.sh.  A line changes together with the library's
 * soname; a new call adds one.
 */
#include <rill/rill.h>

#define CALL(name, ...)							\
	_Static_assert(__builtin_types_compatible_p(__typeof__(name) *,	\
						    __VA_ARGS__), #name)
#define VALUE(what, value) _Static_assert((what) == (value), #what)

#define addr	struct sockaddr_rill

CALL(rill_version,	const char *(*)(void));
CALL(rill_family,	int (*)(void));
CALL(rill_explain,	const char *(*)(int));
CALL(rill_addr,		int (*)(addr *, socklen_t *, const char *));
CALL(rill_addr_name,	ssize_t (*)(const addr *, socklen_t, char *, size_t));
CALL(rill_name_escape,	ssize_t (*)(const char *, char *, size_t));
CALL(rill_own_name,	ssize_t (*)(int, char *));
CALL(rill_peer_name,	ssize_t (*)(int, char *));
CALL(rill_socket,	int (*)(int, int));
CALL(rill_pair,		int (*)(int, int, int *));
CALL(rill_bind,		int (*)(int, const char *));
CALL(rill_listen,	int (*)(const char *, int, int, int));
CALL(rill_accept,	int (*)(int, int));
CALL(rill_connect,	int (*)(const char *, int, int, int));
CALL(rill_dgram,	int (*)(const char *, int));
CALL(rill_sendto,	ssize_t (*)(int, const void *, size_t, int, const char *));
CALL(rill_recvfrom,	ssize_t (*)(int, void *, size_t, int, char *));
CALL(rill_send_all,	ssize_t (*)(int, const void *, size_t, int, size_t *));
CALL(rill_recv_all,	ssize_t (*)(int, void *, size_t, int, size_t *));
CALL(rill_msg_send,	int (*)(int, const void *, size_t));
CALL(rill_msg_recv,	int (*)(int, void *, size_t, size_t *));
CALL(rill_set_mode,	int (*)(int, int));
CALL(rill_get_mode,	int (*)(int, int *));
CALL(rill_set_owner,	int (*)(int, uid_t, gid_t));
CALL(rill_get_owner,	int (*)(int, uid_t *, gid_t *));
CALL(rill_set_busy_poll,	int (*)(int, int));
CALL(rill_get_busy_poll,	int (*)(int, int *));
CALL(rill_get_queue,	int (*)(int, struct rill_queue *));

VALUE(RILL_ESCAPED_SIZE, 493);
VALUE(RILL_MSG_MAX, 4294967295U);
VALUE(RILL_FAMILY_DEFAULT, 18);
VALUE(RILL_NAME_SIZE, 124);
VALUE(RILL_NAME_MAX, 123);
VALUE(SOL_RILL, 0x524c);
VALUE(RILL_MODE, 1);
VALUE(RILL_OWNER, 2);
VALUE(RILL_QUEUE, 3);
VALUE(RILL_BUSY_POLL, 4);

VALUE(sizeof(struct rill_queue), 16);
VALUE(__builtin_offsetof(struct rill_queue, rq_len), 0);
VALUE(__builtin_offsetof(struct rill_queue, rq_max), 4);
VALUE(__builtin_offsetof(struct rill_queue, rq_waiting), 8);
VALUE(__builtin_offsetof(struct rill_queue, rq_waiting_max), 12);

VALUE(sizeof(addr), 128);
VALUE(__builtin_offsetof(addr, srl_family), 0);
VALUE(__builtin_offsetof(addr, srl_flags), 2);
VALUE(__builtin_offsetof(addr, srl_name), 4);
