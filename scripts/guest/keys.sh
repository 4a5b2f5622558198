#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: switch the static keys of memory cgroups on, for good, while no
# CPU but one runs.  An emulated machine only; elsewhere it does nothing.
#
# A static key is switched by patching the code that asks for it, by way of a
# breakpoint.  QEMU drops what it translated of that code, and then stores the
# new byte: a CPU that comes by in between, in its own thread, has the breakpoint
# translated again, and that stays.  The kernel dies of "Oops: int3" where its
# code, as it prints it, has none.  QEMU 7.2 and 10.0 were both seen to do so, in
# seconds, with /proc/sys/kernel/sched_schedstats written in a loop and nothing of
# ours loaded.
#
# Making the first memory cgroup switches keys that every allocation asks for.  The
# one made here stays, and so do they.
set -eu

top=/sys/fs/cgroup
grep -qs 'QEMU TCG' /proc/cpuinfo || exit 0
grep -qsw memory $top/cgroup.controllers || exit 0
[ ! -d $top/held ] || exit 0

online=/sys/devices/system/cpu/online
all=$(cat $online)
each() { # 0 or 1, for every CPU but the first
	for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
		[ ! -e "$cpu" ] || echo "$1" >"$cpu"
	done
}

each 0
[ "$(cat $online)" = 0 ]
echo +memory >$top/cgroup.subtree_control
mkdir $top/held
each 1
[ "$(cat $online)" = "$all" ]
