#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# socket(18) loads the module, unless the administrator said "blacklist rill".
# Runs as root in a test VM; rill.ko must be in /lib/modules and known to depmod
# (with RILL_KO set and rill not there, it is put there and taken away again).
set -u

here=$(cd "$(dirname "$0")" && pwd)
holder=$here/procfs
conf=/etc/modprobe.d/rill-selftest.conf
n=0
failed=0

say() {
	echo "# $*"
}

result() { # status name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		failed=$((failed + 1))
	fi
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 4
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root: run it in the VM with scripts/vm"
[ -e /proc/modules ] || skip_all "this kernel has no modules: run it in the VM"
[ -x "$holder" ] || skip_all "build the tests first: make -C selftests"
helper=$(cat /proc/sys/kernel/modprobe 2>/dev/null)
[ -n "$helper" ] && [ -x "$helper" ] ||
	skip_all "the kernel's helper ($helper) does not exist: install kmod"

loaded() {
	grep -q '^rill ' /proc/modules
}

# The last reference of a closed socket goes with an RCU grace period.
unload() {
	left=1000
	# Loaded by a question to sock_diag; it holds rill.
	rmmod rill_diag 2>/dev/null
	until rmmod rill 2>/dev/null; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 0.05
	done
}

installed=
was_loaded=0
cleanup() {
	rm -f "$conf"
	if [ -n "$installed" ]; then
		rm -f "$installed"
		depmod -a
	fi
	if [ "$was_loaded" -eq 1 ]; then
		loaded || insmod "${RILL_KO:-$(modinfo -n rill)}"
	else
		loaded && unload
	fi
}
trap cleanup EXIT
trap 'exit 1' INT TERM

if loaded; then
	was_loaded=1
	unload || skip_all "rill is loaded and in use; close its users first"
fi

# What the kernel asks for, and depmod found in the module.
finds_alias() {
	grep -q '^alias net-pf-18 rill$' "/lib/modules/$(uname -r)/modules.alias" 2>/dev/null
}

if ! finds_alias && [ -r "${RILL_KO:-}" ]; then
	dir=/lib/modules/$(uname -r)
	if mkdir -p "$dir/extra" && cp "$RILL_KO" "$dir/extra/rill.ko"; then
		installed=$dir/extra/rill.ko
		depmod -a
	fi
fi
finds_alias || skip_all "rill.ko is not in /lib/modules, or built with AUTOLOAD=n"

echo "TAP version 13"
echo "1..3"

mkdir -p /etc/modprobe.d
rm -f "$conf"

# errno: socket EAFNOSUPPORT
echo "blacklist rill" >"$conf"
"$holder" --socket
status=$?
bad=0
[ "$status" -eq 97 ] || {
	say "socket() with the blacklist: errno $status, not EAFNOSUPPORT (97)"
	bad=1
}
loaded && { say "the module is loaded in spite of the blacklist"; bad=1; }
result "$bad" "with 'blacklist rill' socket() is EAFNOSUPPORT"

rm -f "$conf"
"$holder" --socket
status=$?
bad=0
[ "$status" -eq 0 ] || { say "socket(): errno $status"; bad=1; }
loaded || { say "the module is not loaded"; bad=1; }
result "$bad" "socket() loads the module"

bad=0
if loaded; then
	unload || bad=1
fi
loaded && { say "rmmod did not take it away"; bad=1; }
"$holder" --socket || { say "socket(): errno $?"; bad=1; }
loaded || { say "the module is not loaded"; bad=1; }
"$holder" --traffic 4 || { say "no traffic after loading by socket()"; bad=1; }
result "$bad" "unloaded by hand, the next socket() loads it again"

say "Totals: pass:$((n - failed)) fail:$failed xfail:0 xpass:0 skip:0 error:0"
[ "$failed" -eq 0 ]
