#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Loading and unloading: which family numbers are taken or refused, that rmmod
# is refused while a socket lives anywhere, and that nothing is left afterwards.
#
# Runs as root in a test VM.  Environment:
#	RILL_KO		rill.ko (without it: modprobe finds it in /lib/modules)
#	RILL_SQUAT_KO	modules/rill_squat.ko (without it: its test is skipped)
#	RILL_CYCLES	load/unload cycles, 200
# Should run with rill not loaded; if it is, it is unloaded first and loaded
# again at the end.
set -u

here=$(cd "$(dirname "$0")" && pwd)
holder=$here/procfs
cycles=${RILL_CYCLES:-200}
tests=13
n=0
failed=0
skipped=0

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

skip() { # name why
	n=$((n + 1))
	skipped=$((skipped + 1))
	echo "ok $n $1 # SKIP $2"
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 4
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root: run it in the VM with scripts/vm"
[ -e /proc/modules ] || skip_all "this kernel has no modules: run it in the VM"
[ -x "$holder" ] || skip_all "build the tests first: make -C selftests"

ko=${RILL_KO:-}
if [ -z "$ko" ]; then
	ko=$(modinfo -n rill 2>/dev/null) ||
		skip_all "set RILL_KO to the path of rill.ko"
fi
[ -r "$ko" ] || skip_all "$ko cannot be read: set RILL_KO to rill.ko"

tmp=$(mktemp -d) || exit 1
unload_retries=0
kids=
was_loaded=0

loaded() {
	grep -q '^rill ' /proc/modules
}

# Nothing below may hang: a holder that got stuck is killed.
stop_kids() {
	for k in $kids; do
		kill -9 "$k" 2>/dev/null
		wait "$k" 2>/dev/null
	done
	kids=
}

cleanup() {
	stop_kids
	rmmod rill_squat 2>/dev/null
	if [ "$was_loaded" -eq 1 ]; then
		loaded || insmod "$ko"
	else
		loaded && rmmod rill
	fi
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

load() { # arguments of the module; the message goes to $tmp/err
	insmod "$ko" "$@" 2>"$tmp/err"
}

# One attempt: for those that must fail.  rill_diag, which a question to sock_diag
# loads, holds rill.
try_unload() {
	rmmod rill_diag 2>/dev/null
	rmmod rill 2>"$tmp/err"
}

# The last reference of a closed socket goes with an RCU grace period, so "in
# use" may be true for a moment longer than anybody has it open: a minute at most,
# on a machine that has much else to do.
unload() {
	unload_left=1000
	until try_unload; do
		unload_left=$((unload_left - 1))
		[ "$unload_left" -gt 0 ] || return 1
		grep -Eq 'in use|temporarily unavailable' "$tmp/err" || return 1
		unload_retries=$((unload_retries + 1))
		sleep 0.05
	done
	return 0
}

# What the kernel logged since the mark; PID 1 of the VM goes on seeing it all.
mark_log() {
	mark=$(dmesg | wc -l)
}

new_log() {
	dmesg | tail -n +"$((mark + 1))"
}

refused() { # expected message, then the module's arguments
	want=$1
	shift
	mark_log
	if load "$@"; then
		say "loading with '$*' worked"
		unload
		return 1
	fi
	if ! grep -q "$want" "$tmp/err"; then
		say "loading with '$*' gave: $(cat "$tmp/err"), not: $want"
		return 1
	fi
	if loaded; then
		say "refused, and still in /proc/modules"
		return 1
	fi
	return 0
}

# A line of rill's that names the number, not only in its time stamp.
log_has_rill_line() {
	new_log | sed 's/^\[[^]]*\] *//' | grep '^rill: ' | grep -qw "$1" && return 0
	say "no line of rill with the number $1 in the log; it has:"
	new_log | sed 's/^/#   /'
	return 1
}

# hold KIND: starts the holder and waits till its sockets exist.
hold() {
	rm -f "$tmp/in" "$tmp/out"
	mkfifo "$tmp/in" "$tmp/out" || return 1
	"$holder" --hold "$1" <"$tmp/in" >"$tmp/out" &
	kids="$kids $!"
	holder_pid=$!
	# Open for writing first: the holder waits in its open() for reading.
	exec 8>"$tmp/in" 9<"$tmp/out"
	# The holder prints one line, or dies and we see EOF: no time-out needed.
	read -r line <&9 || line=nothing
	[ "$line" = ready ] && return 0
	say "holder $1 said '$line'"
	return 1
}

let_go() {
	exec 8>&-
	wait "$holder_pid"
	status=$?
	exec 9<&-
	kids=
	return "$status"
}

# rmmod refused while KIND lives, and possible at once afterwards.
held_by() {
	bad=0
	load || { say "load: $(cat "$tmp/err")"; return 1; }
	hold "$1" || bad=1
	if try_unload; then
		say "rmmod worked while the holder of '$1' lived"
		bad=1
	else
		# kmod says "in use", busybox the EWOULDBLOCK of delete_module().
		grep -Eq 'in use|temporarily unavailable|busy' "$tmp/err" || {
			say "rmmod: $(cat "$tmp/err")"
			bad=1
		}
	fi
	let_go || { say "holder '$1' failed"; bad=1; }
	if ! unload; then
		say "rmmod after the last close: $(cat "$tmp/err")"
		bad=1
	fi
	return "$bad"
}

# slab_snapshot FILE: the name of each cache and its objects, counted exactly where
# SLUB lets us flush. What a CPU takes from counts as used, up to four slabs and all
# that is in them; so nothing is opened and nobody is started between the shrinking, by
# which CPUs give them back, and the look. To shrink a cache takes an object of
# kmalloc-8: that one comes last.
slab_snapshot() {
	exec 4</proc/slabinfo 5>"$1"
	for c in /sys/kernel/slab/*/shrink; do
		[ "${c%/kmalloc-8/shrink}" = "$c" ] && [ -w "$c" ] && echo 1 >"$c" 2>/dev/null
	done
	c=/sys/kernel/slab/kmalloc-8/shrink
	[ -w "$c" ] && echo 1 >"$c"
	while read -r name count _ <&4; do
		echo "$name $count" >&5
	done
	exec 4<&- 5>&-
}

meminfo() {
	awk -v k="$1:" '$1 == k { print $2 }' /proc/meminfo
}

if loaded; then
	was_loaded=1
	unload || skip_all "rill is loaded and in use; close its users first"
fi

echo "TAP version 13"
echo "1..$tests"

# 1: another free number
bad=1
if load family=22; then
	bad=0
	f=$(cat /sys/module/rill/parameters/family)
	[ "$f" = 22 ] || { say "parameter reads $f"; bad=1; }
	m=$(stat -c %a /sys/module/rill/parameters/family)
	[ "$m" = 444 ] || { say "parameter has mode $m"; bad=1; }
	"$holder" --traffic 4 || { say "no traffic over family 22"; bad=1; }
	unload || { say "rmmod: $(cat "$tmp/err")"; bad=1; }
else
	say "$(cat "$tmp/err")"
fi
result "$bad" "family=22 works and can be read in sysfs"

# 2: the default
bad=1
if load; then
	bad=0
	f=$(cat /sys/module/rill/parameters/family)
	[ "$f" = 18 ] || { say "parameter reads $f"; bad=1; }
	grep -q '^RILL ' /proc/net/protocols || {
		say "no RILL in /proc/net/protocols"
		bad=1
	}
	[ -r /proc/net/rill ] || { say "no /proc/net/rill"; bad=1; }
	[ -r /proc/sys/net/rill/max_waiting ] || { say "no sysctl"; bad=1; }
	unload || { say "rmmod: $(cat "$tmp/err")"; bad=1; }
	for f in /proc/net/rill /proc/net/rill_stat /proc/sys/net/rill \
		/sys/module/rill; do
		[ -e "$f" ] && { say "$f is left"; bad=1; }
	done
	grep -q '^RILL ' /proc/net/protocols && {
		say "RILL is left in /proc/net/protocols"
		bad=1
	}
fi
result "$bad" "the default is 18, and unloading removes every file"

# Linux 7 keeps EEXIST for "is loaded already": what the module says reaches
# insmod as EBUSY (do_init_module() of kernel/module/main.c).
taken="\(File exists\|Device or resource busy\)"

# 3 to 5: numbers that cannot be had.  errno: insmod EEXIST, insmod EINVAL
refused "$taken" family=1 && log_has_rill_line 1
result $? "family=1 (AF_UNIX) is EEXIST with a line in the log"

# kmod says "Invalid parameters", busybox the words of the errno.
invalid="Invalid \(parameters\|argument\)"
refused "$invalid" family=99 && refused "$invalid" family=-1 &&
	refused "$invalid" family=46
result $? "family=99, -1 and 46 are EINVAL"

if [ -r "${RILL_SQUAT_KO:-}" ]; then
	if insmod "$RILL_SQUAT_KO"; then
		refused "$taken" && log_has_rill_line 18
		bad=$?
		rmmod rill_squat || bad=1
		if load && unload; then :; else
			say "not loadable after rill_squat left"
			bad=1
		fi
	else
		bad=1
	fi
	result "$bad" "a number taken by another module is EEXIST with a log line"
else
	skip "a number taken by another module is EEXIST with a log line" \
		"set RILL_SQUAT_KO to modules/rill_squat.ko"
fi

# 6 to 10: who keeps the module
for kind in open queued orphan waiting inflight; do
	held_by "$kind"
	result $? "rmmod is refused while sockets are held: $kind"
done

# 11: the RCU callbacks of a heap of closes must not outlive the code
bad=0
for _ in 1 2 3 4 5; do
	load || { say "load: $(cat "$tmp/err")"; bad=1; break; }
	"$holder" --traffic 500 || { say "traffic failed"; bad=1; }
	unload || { say "rmmod: $(cat "$tmp/err")"; bad=1; break; }
done
result "$bad" "unload right after 3,000 sockets were closed"

# 12, 13: many cycles, and what they left
per_cycle=10
cycle() {
	load || { say "cycle $1: load: $(cat "$tmp/err")"; return 1; }
	"$holder" --traffic "$per_cycle" || { say "cycle $1: traffic"; return 1; }
	unload || { say "cycle $1: rmmod: $(cat "$tmp/err")"; return 1; }
}

bad=0
i=0
while [ "$i" -lt 10 ]; do	# warm the caches
	i=$((i + 1))
	cycle "warm-up $i" || { bad=1; break; }
done
slab_snapshot "$tmp/before"
unreclaim=$(meminfo SUnreclaim)
percpu=$(meminfo Percpu)
vmalloc=$(meminfo VmallocUsed)
i=0
while [ "$bad" -eq 0 ] && [ "$i" -lt "$cycles" ]; do
	i=$((i + 1))
	cycle "$i" || bad=1
	[ $((i % 25)) -eq 0 ] && say "$i of $cycles cycles"
	[ "$i" -eq $((cycles / 2)) ] && slab_snapshot "$tmp/middle"
done
result "$bad" "$cycles cycles of load, traffic, unload"

slab_snapshot "$tmp/after"
bad=0
# Of anything lost once a cycle there would be $cycles more, of anything lost
# once a socket far more; half of that, in each half of the cycles, is above what
# the rest of the system does, whose own objects come and go.
limit=$((cycles / 4))
awk -v limit="$limit" '
	FNR == 1 { file++ }
	# These are filled by whoever opens files; they are not ours to bound.
	$1 ~ /^(dentry|inode_cache|proc_inode_cache|filp|cred_jar|pid)$/ { next }
	$1 !~ /^(kmalloc|sock_inode|skbuff|rill|RILL|net_ns)/ { next }
	file == 1 { first[$1] = $2 }
	file == 2 { middle[$1] = $2 }
	file == 3 && $1 in first && $1 in middle {
		one = middle[$1] - first[$1]
		two = $2 - middle[$1]
		text = "# slab " $1 ": " first[$1] " -> " middle[$1] " -> " $2
		if (one > limit && two > limit) {
			print text
			bad = 1
		}
		if (one + two > most) {
			most = one + two
			worst = text
		}
	}
	END { if (worst) print worst ", the one with most more"; exit bad }' "$tmp/before" "$tmp/middle" "$tmp/after" || bad=1
if grep -i 'rill' "$tmp/after"; then
	say "a cache of rill is left"
	bad=1
fi
grow=$(($(meminfo SUnreclaim) - unreclaim))
pgrow=$(($(meminfo Percpu) - percpu))
vgrow=$(($(meminfo VmallocUsed) - vmalloc))
say "after $cycles cycles: SUnreclaim ${grow} kB, Percpu ${pgrow} kB, VmallocUsed ${vgrow} kB more"
[ "$grow" -lt 2048 ] || { say "unreclaimable slab grew"; bad=1; }
[ "$pgrow" -lt 512 ] || { say "percpu memory grew"; bad=1; }
[ "$vgrow" -lt 1024 ] || { say "vmalloc memory grew"; bad=1; }
result "$bad" "no memory is left behind"

say "rmmod had to be tried again $unload_retries times"
say "Totals: pass:$((n - failed - skipped)) fail:$failed xfail:0 xpass:0 skip:$skipped error:0"
[ "$failed" -eq 0 ]
