#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest, for scripts/trace/show: guest.sh SCRIPT.bt...
set -u
mount -t tracefs none /sys/kernel/tracing 2>/dev/null
mount -t debugfs none /sys/kernel/debug 2>/dev/null
rc=0
for name; do
	printf '\n==== %s\n' "$name"
	out=/tmp/${name%.bt}.out
	# What the scripts look at: who connects, waits, sends, loses.
	work=/rill/selftests/counters
	unset RILL_ONLY
	if [ "$name" = line.bt ]; then
		work=/rill/selftests/backlog
		export RILL_ONLY='line.*.*hundred*'
	fi
	bpftrace "/rill/trace/$name" -c "$work" >"$out" 2>&1 </dev/null || rc=1
	grep -v -e '^TAP' -e '^ok' -e '^#  ' -e '^1\.\.' "$out" | head -60
	# Nothing but the head line or the greeting is nothing seen.
	[ "$(grep -c -v -e '^#' -e '^ok' -e '^TAP' "$out")" -gt 6 ] || rc=1
done
exit $rc
