#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: run programs of tests, one after the other, each with a time
# limit.  lib/tap-filter on the host reads the marks and judges.
#
#	tests.sh DIRECTORY [PROGRAM...]
#
# Without a PROGRAM: every kselftest in DIRECTORY but the scripts, which load
# and unload the module themselves.  SKIP_TESTS names some to leave out.
set -u

if ! keys.sh; then
	echo "Bail out! keys.sh could not switch the keys on: $(cat /sys/devices/system/cpu/online) online"
	exit 1
fi
cd "$1" || exit 1
shift
limit=$(sed -n 's/^timeout=//p' settings 2>/dev/null)
limit=$((${RILL_TEST_TIMEOUT:-${limit:-120}} * ${RILL_TIME_SCALE:-1}))

if [ $# -eq 0 ]; then
	for file in *; do
		case $file in
		*.sh | *.so | *.so.*) continue ;;
		esac
		case " ${SKIP_TESTS:-} " in
		*" $file "*) continue ;;
		esac
		if [ -f "$file" ] && [ -x "$file" ]; then
			set -- "$@" "$file"
		fi
	done
fi

for file; do
	start=$(cut -d. -f1 /proc/uptime)
	echo "# START $file"
	timeout -k 10 "$limit" "./$file" 2>&1
	rc=$?
	echo "# $file took $(($(cut -d. -f1 /proc/uptime) - start)) s"
	echo "# END $file $rc"
done
[ $# -gt 0 ]
