#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The examples, with the module loaded: each echo service with many clients that
# check every byte, requests over a pool, the logger. Prints TAP.
#
# Waits for a state by looking at /proc/net/rill, for a limited time; whatever
# hangs is ended by timeout(1) and fails.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for dir in "${RILL_EXAMPLES:-}" "$here/../examples" /rill/examples; do
	[ -n "$dir" ] && [ -x "$dir/echo_epoll" ] && break
done
[ -x "$dir/echo_epoll" ] || {
	echo "1..0 # SKIP no examples: build them, or set RILL_EXAMPLES"
	exit 4
}
rillcat=${RILLCAT:-$here/../rillcat/rillcat}
[ -x "$rillcat" ] || rillcat=$(command -v rillcat) || {
	echo "1..0 # SKIP no rillcat: build it, or set RILLCAT"
	exit 4
}
[ -e /proc/net/rill ] || {
	echo "1..0 # SKIP the rill module is not loaded"
	exit 4
}

limit=60		# seconds, for one program
clients=20
tmp=$(mktemp -d)
mkfifo "$tmp/tick"
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$tmp"' EXIT
count=0 failed=0

point() { # text command...
	local text=$1
	shift
	count=$((count + 1))
	if "$@" >"$tmp/out" 2>&1; then
		echo "ok $count $text"
	else
		echo "not ok $count $text"
		sed 's/^/# /' "$tmp/out"
		failed=1
	fi
}

run() { timeout "$limit" "$dir/$1" "${@:2}"; }

# A listener that listens, which is after it is bound, or a datagram socket.
bound() { # name
	local end=$((SECONDS + 30))
	until grep -qE "( LISTEN |^dgram ).* $1\$" /proc/net/rill; do
		[ $SECONDS -lt $end ] || { echo "nobody has the name $1"; return 1; }
		read -rt 0.02 <>"$tmp/tick"
	done
	return 0
}

echo_service() { # program
	local name=test/$1 pid
	run "$1" "$name" "$clients" >"$tmp/server" 2>&1 &
	pid=$!
	bound "$name" && run many_clients "$name" "$clients" 256 || return
	wait "$pid" || { echo "$1 ended with $?"; cat "$tmp/server"; return 1; }
	cat "$tmp/server"
	grep -q "$clients clients came and went, $((clients * 256 * 1024)) bytes" "$tmp/server"
}

# With fewer files than clients: those who wait are served when others have left.
few_files() { # program
	(ulimit -n 12 && exec timeout "$limit" "$dir/$1" "test/few/$1" "$clients") \
		>"$tmp/server" 2>&1 &
	local pid=$!
	bound "test/few/$1" && run many_clients "test/few/$1" "$clients" 16 || return
	wait "$pid" || { echo "$1 ended with $?"; cat "$tmp/server"; return 1; }
}

requests() {
	local pid rc
	# Not run(): what is killed would be its shell.
	timeout "$limit" "$dir/request" serve test/request >"$tmp/server" 2>&1 &
	pid=$!
	bound test/request && run request ask test/request 8 500
	rc=$?
	kill "$pid"
	wait "$pid"
	return $rc
}

# Eight threads never need more than eight connections at a time, and four of
# those are kept.
pool_is_used() {
	local made
	made=$(requests | sed -n 's/^request: 4000 answers over \([0-9]*\) connections$/\1/p')
	echo "connections: ${made:-none}"
	[ -n "$made" ] && [ "$made" -lt 4000 ]
}

logger() {
	local pid i sender
	for ((i = 0; i < 200; i++)); do
		echo "line $i of two hundred"
	done >"$tmp/lines"
	run dgram_logger test/log "$tmp/log" 200 &
	pid=$!
	bound test/log || return
	run dgram_logger test/log - <"$tmp/lines" || return
	wait "$pid" || { echo "the logger ended with $?"; return 1; }
	sed 's/^pid [0-9]* uid 0: //' "$tmp/log" | cmp - "$tmp/lines" || return
	sender=$(cut -d' ' -f2 "$tmp/log" | sort -u)
	[ "$(wc -w <<<"$sender")" -eq 1 ] && [ "$sender" -gt 1 ]
}

# A message is a line, whatever is in it.
logger_forged() {
	local pid
	run dgram_logger test/forged "$tmp/forged" 1 &
	pid=$!
	bound test/forged || return
	printf 'one\npid 1 uid 0: \r\033[1Atwo\0three' | timeout "$limit" "$rillcat" -uN test/forged ||
		return
	wait "$pid" || { echo "the logger ended with $?"; return 1; }
	cat "$tmp/forged"
	[ "$(wc -l <"$tmp/forged")" -eq 1 ] &&
		grep -q '^pid [0-9]* uid 0: one?pid 1 uid 0: ??\[1Atwo?three$' "$tmp/forged"
}

name_taken() {
	local pid rc
	run name_free || return
	timeout "$limit" "$dir/dgram_logger" example/free "$tmp/log" &
	pid=$!
	bound example/free || return
	run name_free
	rc=$?
	kill "$pid"
	wait "$pid"
	[ $rc -eq 1 ] || { echo "exit status $rc, not 1"; return 1; }
}

[ -x "$dir/echo_uring" ] || { echo "# echo_uring was not built"; failed=1; }
echo "TAP version 13"
for program in echo_threads echo_poll echo_epoll echo_edge echo_uring; do
	point "$program serves $clients clients" echo_service "$program"
	point "$program has fewer files than clients" few_files "$program"
done
point "request: eight threads, 4000 requests" requests
point "request: the pool's connections are used again" pool_is_used
point "dgram_logger writes down each line and who sent it" logger
point "dgram_logger: no message is two lines" logger_forged
point "name_free: also if somebody else has it" name_taken
echo "1..$count"
exit $failed
