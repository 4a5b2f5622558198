#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Loading the modules with each step of their init failing, see faults/load.c; a
# script so that it stands with those that load and unload the module.
#
# Runs as root in a test VM.  Environment:
#	RILL_KO			rill.ko (without it: where modprobe finds it)
#	RILL_DIAG_KO		rill_diag.ko (without it: beside rill.ko)
#	RILL_DEBUG_KERNEL	1: a kernel without fault injection is a failure
set -u

here=$(cd "$(dirname "$0")" && pwd)
ko=${RILL_KO:-}
[ -n "$ko" ] || ko=$(modinfo -n rill 2>/dev/null) || {
	echo "1..0 # SKIP set RILL_KO to the path of rill.ko"
	exit 4
}
# A question for a socket of the family is not to load it meanwhile.
helper=$(cat /proc/sys/kernel/modprobe)
trap 'echo "$helper" >/proc/sys/kernel/modprobe' EXIT
echo /bin/false >/proc/sys/kernel/modprobe
"$here/failnth" --load "$ko" "${RILL_DIAG_KO:-${ko%/*}/rill_diag.ko}"
