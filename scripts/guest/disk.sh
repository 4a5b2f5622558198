#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: run a command in the Debian system on the machine's disk.
#
#	disk.sh COMMAND [ARGUMENT...]
#
# /rill, /proc, /sys, /dev and the kernel's modules are there as outside; /tmp and
# /run are the disk's own.  What is written is gone with the machine.
#
# With DISK_MODULES=own in the environment it is the other way round with the
# kernel's modules: those on the disk are the machine's, for modprobe and for the
# kernel's own requests.
set -eu

root=/disk
if [ ! -e $root/proc/self ]; then
	mkdir -p $root
	# User-Mode Linux has disks of its own kind.
	disk=/dev/vda
	[ -e $disk ] || disk=/dev/ubda
	mount -t ext4 $disk $root
	for dir in proc sys dev rill lib/modules; do
		mkdir -p "$root/$dir"
		if [ "$dir" = lib/modules ] && [ "${DISK_MODULES:-}" = own ]; then
			mount --bind "$root/$dir" "/$dir"
		else
			mount --rbind "/$dir" "$root/$dir"
		fi
	done
	mount -t tmpfs -o mode=1777 tmp $root/tmp
	mount -t tmpfs -o mode=0755 run $root/run
	if [ "${DISK_MODULES:-}" != own ]; then
		for file in rill rillcat; do
			[ ! -e "/usr/bin/$file" ] || cp "/usr/bin/$file" "$root/usr/bin/"
		done
		[ ! -d /usr/lib/rill ] || cp -r /usr/lib/rill "$root/usr/lib/"
	fi
	echo '127.0.0.1 localhost rill' >$root/etc/hosts
fi
exec chroot $root "$@"
