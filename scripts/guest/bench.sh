#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: the benchmark, on a machine set up as a distribution would.
#
#	bench.sh [OPTION of bench...]
#	bench.sh --profile PEER,... [OPTION of bench...]
#
# The second form runs each peer under perf, and prints where the time goes.
set -u

# Sockets load their modules by themselves; a transport of vsock does not.
modprobe -a vsock_loopback tipc 2>/dev/null
# What systemd sets on every machine; the kernel's own 10 would cripple AF_UNIX.
echo 512 >/proc/sys/net/unix/max_dgram_qlen

if [ "${1:-}" != --profile ]; then
	exec bench "$@"
fi

peers=$2
shift 2
rc=0
for peer in $(echo "$peers" | tr , ' '); do
	perf record -q -e cpu-clock -F 1999 -o /tmp/perf.data -- \
		bench --peers "$peer" "$@" >/tmp/bench.out || rc=1
	echo "==== $peer"
	grep -E '"what":"(sample|skip|fail)"' /tmp/bench.out
	# Two processes: by CPU, which is in the name that the benchmark gives them.
	perf report -i /tmp/perf.data --stdio --no-children --percent-limit 0.4 \
		-F overhead,comm,dso,symbol >/tmp/perf.out 2>/tmp/perf.err || {
		cat /tmp/perf.err
		rc=1
	}
	grep -vE '^#?$|[(]Cannot load|more info' /tmp/perf.out
done
exit "$rc"
