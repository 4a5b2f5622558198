// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The options at SOL_RILL, with types. */
#include "internal.h"

RILL_API int rill_set_mode(int fd, int mode)
{
	return setsockopt(fd, SOL_RILL, RILL_MODE, &mode, sizeof(mode));
}

RILL_API int rill_get_mode(int fd, int *mode)
{
	socklen_t len = sizeof(*mode);

	return getsockopt(fd, SOL_RILL, RILL_MODE, mode, &len);
}

RILL_API int rill_set_owner(int fd, uid_t uid, gid_t gid)
{
	struct rill_owner owner = { .ro_uid = uid, .ro_gid = gid };

	return setsockopt(fd, SOL_RILL, RILL_OWNER, &owner, sizeof(owner));
}

RILL_API int rill_get_owner(int fd, uid_t *uid, gid_t *gid)
{
	struct rill_owner owner;
	socklen_t len = sizeof(owner);

	if (getsockopt(fd, SOL_RILL, RILL_OWNER, &owner, &len) < 0)
		return -1;
	if (uid)
		*uid = owner.ro_uid;
	if (gid)
		*gid = owner.ro_gid;
	return 0;
}

RILL_API int rill_set_busy_poll(int fd, int usec)
{
	return setsockopt(fd, SOL_RILL, RILL_BUSY_POLL, &usec, sizeof(usec));
}

RILL_API int rill_get_busy_poll(int fd, int *usec)
{
	socklen_t len = sizeof(*usec);

	return getsockopt(fd, SOL_RILL, RILL_BUSY_POLL, usec, &len);
}

RILL_API int rill_get_queue(int fd, struct rill_queue *queue)
{
	socklen_t len = sizeof(*queue);

	return getsockopt(fd, SOL_RILL, RILL_QUEUE, queue, &len);
}
