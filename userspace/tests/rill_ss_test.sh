#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# "rill ss" with the modules loaded, against sockets of rillcat: columns, both
# ends' processes, filters, JSON, what it says when nobody answers. Prints TAP.
#
# Environment: RILL, RILLCAT (programs); RILL_DIAG_KO (where modprobe does not find
# rill_diag). Waits for a state by looking at /proc/net/rill, for a limited time.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
find_program() { # NAME PATH: the path, or where PATH has it
	if [ -x "$2" ]; then echo "$2"; else command -v "$1"; fi
}
rill=$(find_program rill "${RILL:-$here/../bin/rill}") &&
	rillcat=$(find_program rillcat "${RILLCAT:-$here/../rillcat/rillcat}") || {
	echo "1..0 # SKIP no rill or rillcat: build them, or set RILL and RILLCAT"
	exit 4
}
[ -e /proc/net/rill ] || {
	echo "1..0 # SKIP the rill module is not loaded"
	exit 4
}

tmp=$(mktemp -d)
pids=()
# The processes' names tell the ends apart.
cp "$rillcat" "$tmp/a-server"
cp "$rillcat" "$tmp/a-client"
mkfifo "$tmp/hold" "$tmp/tick"
exec 5<>"$tmp/hold"

reap() {
	local p
	for p in "${pids[@]}"; do
		kill -KILL "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	pids=()
}
trap 'reap; rm -rf "$tmp"' EXIT
why() {
	echo "# $*"
	return 1
}
ss() { timeout 60 "$rill" ss "$@" 2>"$tmp/err"; }
# Neither has anything to read: they stay.
server() { # ARGUMENT...
	"$tmp/a-server" -l "$@" <&5 >/dev/null 2>&1 &
	pids+=($!)
	server=$!
}
client() { # ARGUMENT...
	"$tmp/a-client" "$@" <&5 >/dev/null 2>&1 &
	pids+=($!)
	client=$!
}
wait_line() { # PATTERN: until a line of /proc/net/rill matches
	local end=$((SECONDS + 60))
	until grep -qE "$1" /proc/net/rill; do
		[ $SECONDS -lt $end ] || why "/proc/net/rill has no line '$1'" || return 1
		read -rt 0.02 <>"$tmp/tick"
	done
	return 0
}
# A connection of which the server's end was accepted: it has an inode and a name.
connected() { wait_line "^$1 CONNECTED [1-9][0-9]* [1-9][0-9]* .* $2\$"; }
# has WHAT PATTERN: a line of the last output does; prints it if not.
has() {
	grep -qE -- "$2" "$tmp/out" && return
	sed 's/^/# | /' "$tmp/out"
	why "$1: no line has '$2'"
}
has_not() {
	! grep -qE -- "$2" "$tmp/out" && return
	sed 's/^/# | /' "$tmp/out"
	why "$1: a line has '$2'"
}
lines() { # N
	[ "$(wc -l <"$tmp/out")" -eq "$1" ] && return
	sed 's/^/# | /' "$tmp/out"
	why "$(wc -l <"$tmp/out") lines, not $1"
}
# exits STATUS ARGUMENT...: of rill ss
exits() {
	local want=$1 got
	shift
	ss "$@" >"$tmp/out"
	got=$?
	[ $got -eq "$want" ] || why "rill ss $*: exit status $got, not $want: $(cat "$tmp/err")"
}

n=0
failed=0
total=$(grep -c '^t [a-z_]' "${BASH_SOURCE[0]}")
echo "TAP version 13"
echo "1..$total"
t() { # FUNCTION TITLE [ARGUMENT...]
	local fn=$1 title=$2 rc
	shift 2
	n=$((n + 1))
	name=rill_ss_test/$$/$n
	"$fn" "$@"
	rc=$?
	if [ $rc -eq 0 ]; then
		echo "ok $n - $title"
	elif [ $rc -eq 4 ]; then
		echo "ok $n - $title # SKIP $skip"
	else
		echo "not ok $n - $title"
		failed=1
	fi
	reap
}

usage() {
	exits 0 --help && has help '^usage: rill ss' || return
	exits 0 --version && has version '^rill ss [0-9]' || return
	exits 2 --nonsense && [ ! -s "$tmp/out" ] || return
	exits 2 state || return
	exits 2 state nowhere || return
	exits 2 colour red || return
	exits 2 exclude all || return
	# In whatever order.
	exits 2 state closed exclude closed && exits 2 exclude closed state closed
}

header() {
	exits 0 name "$name" && lines 1 || return
	has header '^Type +State +Recv-Q +Send-Q +Local +Peer +Process$' || return
	exits 0 -H name "$name" && lines 0
}

# One row for the listener, with its queue, limit and line, and who listens.
listener() {
	server -k -q 7 "$name"
	wait_line " LISTEN .* $name\$" || return
	exits 0 -H name "$name" && lines 0 || return
	exits 0 -lH name "$name" && lines 1 || return
	has row "^stream +LISTEN +0 +8 +$name +\* +users:\(\(\"a-server\",pid=$server\)\) waiting:0/[0-9]+\$"
}

# Both ends, each with both processes, without -p.
both_ends() {
	local type=$1
	shift
	server "$@" -k "$name"
	wait_line " LISTEN .* $name\$" || return
	client "$@" "$name"
	connected "$type" "$name" || return
	exits 0 -H name "$name" && lines 2 || return
	has client "^$type +CONNECTED +0 +0 +\* +$name +users:\(\(\"a-client\",pid=$client\)\) peer:\(\(\"a-server\",pid=$server\)\)\$" &&
		has server "^$type +CONNECTED +0 +0 +$name +\* +users:\(\(\"a-server\",pid=$server\)\) peer:\(\(\"a-client\",pid=$client\)\)\$"
}

# -p: all who have it open, with their descriptors; here a second one has.
holders() {
	server -k "$name"
	wait_line " LISTEN .* $name\$" || return
	client "$name"
	connected stream "$name" || return
	exits 0 -pH dst "$name" && lines 1 || return
	has holders "users:\(\(\"a-client\",pid=$client,fd=[0-9]+\)\) peer:\(\(\"a-server\",pid=$server,fd=[0-9]+\)\)\$" || return
	exits 0 -pjH dst "$name" || return
	has json "\"holders\":\[\{\"pid\":$client,\"fd\":[0-9]+,\"comm\":\"a-client\"\}\]"
}

datagrams() {
	server -u "$name"
	wait_line "^dgram .* $name\$" || return
	exits 0 -H name "$name" && lines 0 || return
	# It receives: that is what a datagram socket has for listening.
	exits 0 -lH name "$name" && lines 1 || return
	has row "^dgram +CLOSE +0 +0 +$name +\*" || return
	exits 0 -lHt name "$name" && lines 0
}

# A stopped server: what was sent waits in an end that nobody has accepted yet.
queues() {
	server -k "$name"
	wait_line " LISTEN .* $name\$" || return
	kill -STOP "$server"
	printf hello >"$tmp/hello"
	"$tmp/a-client" --send "$tmp/hello" "$name" >/dev/null 2>&1 &
	pids+=($!)
	wait_line "^stream CONNECTED 0 [1-9][0-9]* 5 0 .* $name\$" || return
	exits 0 -eH src "$name" && lines 1 || return
	has unaccepted "^stream +CONNECTED +5 +0 +$name +.* ino:0 .*mode:0[0-7]{3} .* unaccepted" || return
	exits 0 -H dst "$name" && has sent "^stream +CONNECTED +0 +5 +\* +$name " || return
	exits 0 -mlH name "$name" && has memory 'skmem:\(r[0-9]+,rb[0-9]+,.*\) ring:\(bytes0,slots0\)' || return
	exits 0 -lH name "$name" && has queue "LISTEN +1 +"
}

filters() {
	server -k "$name/one"
	wait_line " LISTEN .* $name/one\$" || return
	client "$name/one"
	connected stream "$name/one" || return
	server -u "$name/two"
	wait_line "^dgram .* $name/two\$" || return
	exits 0 -aH name "$name/*" && lines 4 || return
	exits 0 -aH name '*/one' name "$name/*" && lines 3 || return
	exits 0 -aH name "$name/tw?" && lines 1 || return
	exits 0 -aH name "$name/t[a-z]o" && lines 1 || return
	exits 0 -aH name "$name" && lines 0 || return
	exits 0 -aH src "$name/one" && lines 2 || return
	exits 0 -aH dst "$name/one" && lines 1 || return
	exits 0 -H state listening name "$name/*" && lines 1 || return
	exits 0 -H state listening state connected name "$name/*" && lines 3 || return
	exits 0 -H state all exclude connected and name "$name/*" && lines 2 || return
	exits 0 -H exclude connected state all name "$name/*" && lines 2 || return
	exits 0 -H state established name "$name/*" && lines 2 || return
	exits 0 -aHu name "$name/*" && lines 1 || return
	exits 0 -aHtx name "$name/*" && lines 3
}

# Names may have anything but control bytes; a row stays a row of words.
escapes() {
	local odd="$name/a b\\c\"é"
	server -k "$odd"
	wait_line " LISTEN .* $name/a b" || return
	exits 0 -lH name "$name/*" && lines 1 || return
	has escaped "LISTEN +0 +[0-9]+ +$name/a\\\\x20b\\\\\\\\c\"\\\\xc3\\\\xa9 +\*" || return
	exits 0 -jl name "$name/*" || return
	"$here/json_check" <"$tmp/out" || return
	has json "\"name\":\"$name/a b\\\\\\\\\\\\\\\\c\\\\\"\\\\\\\\xc3\\\\\\\\xa9\""
}

json() {
	local objects
	# The check itself.
	! echo '[{"a":1,}]' | "$here/json_check" 2>/dev/null || why "json_check takes all" || return
	! echo '[{"a":1,"a":2}]' | "$here/json_check" 2>/dev/null || why "json_check takes doubles" || return
	exits 0 -j name "$name" && "$here/json_check" <"$tmp/out" || return
	server -k "$name"
	wait_line " LISTEN .* $name\$" || return
	client "$name"
	connected stream "$name" || return
	exits 0 -jap && "$here/json_check" <"$tmp/out" || return
	exits 0 -ja name "$name" && "$here/json_check" <"$tmp/out" || return
	objects=$(grep -c '"type":"stream"' "$tmp/out")
	[ "$objects" -eq 3 ] || why "$objects objects" || return
	has listener "\"state\":\"LISTEN\",.*\"queue\":\{\"length\":0,\"limit\":[0-9]+,\"waiting\":0,\"waiting_limit\":[0-9]+\}" &&
		has client "\"process\":\{\"pid\":$client,\"comm\":\"a-client\",.*\"peer\":\{.*\"name\":\"$name\",.*\"process\":\{\"pid\":$server,\"comm\":\"a-server\""
}

summary() {
	server -k "$name"
	wait_line " LISTEN .* $name\$" || return
	client "$name"
	connected stream "$name" || return
	exits 0 -s name "$name" || return
	has total '^Total: 3$' && has stream '^stream +3 +2 +0 +1 +0$' && has dgram '^dgram +0 +0 +0 +0 +0$'
}

# Another network namespace has other sockets.
namespace() {
	[ "$(id -u)" -eq 0 ] || { skip="needs root"; return 4; }
	server -k "$name"
	wait_line " LISTEN .* $name\$" || return
	timeout 60 unshare -n "$rill" ss -aH >"$tmp/out" 2>"$tmp/err" || why "$(cat "$tmp/err")" || return
	lines 0
}

# A full pipe, and a full disk.
output() {
	ss -a >/dev/full
	[ $? -eq 1 ] || why "no space left, and no complaint" || return
	grep -q 'cannot write' "$tmp/err"
}

# No rill_diag, and no helper that finds it: a sentence, and what to do.
nobody() {
	local was ko=${RILL_DIAG_KO:-}
	[ "$(id -u)" -eq 0 ] || { skip="needs root"; return 4; }
	[ -n "$ko" ] || ko=$(modinfo -n rill_diag 2>/dev/null) ||
		{ skip="rill_diag is not installed, and RILL_DIAG_KO not set"; return 4; }
	was=$(cat /proc/sys/kernel/modprobe)
	rmmod rill_diag 2>/dev/null
	if grep -q '^rill_diag ' /proc/modules; then
		skip="somebody uses rill_diag"
		return 4
	fi
	echo /nowhere >/proc/sys/kernel/modprobe
	exits 1 -a
	local rc=$?
	echo "$was" >/proc/sys/kernel/modprobe
	insmod "$ko"
	[ $rc -eq 0 ] && [ ! -s "$tmp/out" ] || return 1
	grep -q 'rill_diag.ko.*modprobe rill_diag' "$tmp/err" || why "$(cat "$tmp/err")" || return
	exits 0 -a
}

t usage "help, version, wrong options and filters"
t header "a header, without -H also for nothing"
t listener "a listener: queue, limit, line, who"
t both_ends "a stream: both ends, both processes" stream
t both_ends "a seqpacket: both ends, both processes" seqpacket -s
t holders "-p: who holds either end, with descriptors"
t datagrams "a named datagram socket is among -l"
t queues "what waits, in an end that was not accepted"
t filters "filters: names, patterns, states, types"
t escapes "names that need escaping, in both forms"
t json "JSON is valid, and has both ends"
t summary "-s counts"
t namespace "another network namespace"
t output "what cannot be written is an error"
t nobody "without rill_diag: a sentence and a remedy"
exit $failed
