#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# "rill stat" with the module loaded: the table, JSON, names, the live view, what
# "rill run" has left, errors. Prints TAP.
#
# Runs in a network and a mount namespace of its own, so that nothing moves but
# what it moves. Every wait is bounded.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rill=${RILL:-$here/../bin/rill}
[ -x "$rill" ] || rill=$(command -v rill) || {
	echo "1..0 # SKIP no rill: build it, or set RILL"
	exit 4
}
stat=$(dirname "$rill")/../lib/rill/rill-stat
rillcat=${RILLCAT:-$here/../rillcat/rillcat}
[ -x "$rillcat" ] || rillcat=$(command -v rillcat) || {
	echo "1..0 # SKIP no rillcat: build it, or set RILLCAT"
	exit 4
}
[ -e /proc/net/rill_stat ] || {
	echo "1..0 # SKIP the rill module is not loaded"
	exit 4
}
if [ -z "${RILL_STAT_TEST_INSIDE:-}" ]; then
	[ "$(id -u)" = 0 ] || {
		echo "1..0 # SKIP needs root, for namespaces"
		exit 4
	}
	RILL_STAT_TEST_INSIDE=1 exec unshare -n -m bash "${BASH_SOURCE[0]}"
fi
mount -t tmpfs none /run && mount -t tmpfs none /tmp || exit 1

limit=60		# seconds, for one program
tmp=$(mktemp -d)
mkfifo "$tmp/tick"
pids=()
reap() {
	local p
	for p in "${pids[@]}"; do
		kill -KILL "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	pids=()
}
trap 'reap; rm -rf "$tmp"' EXIT

st() { # ARGUMENT...: runs rill stat, under the limit
	timeout "$limit" "$rill" stat "$@"
}
why() {
	echo "# $*"
	return 1
}
# status WANT COMMAND...
status() {
	local want=$1 got
	shift
	"$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	[ $got = "$want" ] || why "$*: exit status $got, not $want" || return 1
}
# wait_for PATTERN FILE: until a line of it matches.
wait_for() {
	local end=$((SECONDS + 40))
	until grep -qE "$1" "$2"; do
		[ $SECONDS -lt $end ] || why "$2 has no line '$1'" || return 1
		read -rt 0.02 <>"$tmp/tick"
	done
	return 0
}
# wait_for_lines N FILE: until it has so many.
wait_for_lines() {
	local end=$((SECONDS + 40))
	until [ "$(wc -l <"$2")" -ge "$1" ]; do
		[ $SECONDS -lt $end ] || why "$2 has only $(wc -l <"$2") lines" || return 1
		read -rt 0.02 <>"$tmp/tick"
	done
	return 0
}
# Somebody looks for a name that nobody has: connect_noname moves by one.
one_more() {
	"$rillcat" -z "nobody/$$" 2>/dev/null
	[ $? = 1 ] || why "rillcat -z of no name succeeds"
}

n=0
failed=0
total=$(grep -c '^t [a-z_]' "${BASH_SOURCE[0]}")
echo "TAP version 13"
echo "1..$total"
# t FUNCTION TITLE [ARGUMENT...]
t() {
	local fn=$1 title=$2
	shift 2
	n=$((n + 1))
	if "$fn" "$@"; then
		echo "ok $n - $title"
	else
		sed 's/^/# stderr: /' "$tmp/err" 2>/dev/null
		echo "not ok $n - $title"
		failed=1
	fi
	reap
	rm -rf "$tmp/out" "$tmp/err" "/run/user" "/tmp/rill-0"
}

# Every counter of the module, its value, and words on it: a new one needs them.
table() {
	local name value text re
	one_more || return
	status 0 st || return
	text=$(<"$tmp/out")
	while read -r name value; do
		re="
  $name +$value  [^ ]"
		[[ $text =~ $re ]] || why "no \"$name $value\" with words on it" || return
	done </proc/net/rill_stat
	grep -qE '^  connect_noname +[1-9]' "$tmp/out" || why "nothing was counted"
}

json() {
	local name value text re
	status 0 st --json || return
	[ "$(wc -l <"$tmp/out")" = 1 ] || why "not one line" || return
	grep -qE '^\{"counters":\{("[a-z_]+":[0-9]+,?)+\},"run":\{\}\}$' "$tmp/out" ||
		why "not of this form: $(cat "$tmp/out")" || return
	text=$(<"$tmp/out")
	while read -r name value; do
		re="[{,]\"$name\":${value}[,}]"
		[[ $text =~ $re ]] || why "no $name of $value" || return
	done </proc/net/rill_stat
}

names() {
	status 0 st bind_ok 'connect_*' || return
	[ "$(grep -c '^  bind' "$tmp/out")" = 1 ] || why "bind_ok: $(cat "$tmp/out")" || return
	[ "$(grep -c '^  connect_' "$tmp/out")" = \
	  "$(grep -c '^connect_' /proc/net/rill_stat)" ] || why "connect_*" || return
	! grep -q '^  stream' "$tmp/out" || why "what nobody asked for" || return
	# In the order of the file, under their sections.
	[ "$(grep -v '^ ' "$tmp/out" | tr '\n' ' ')" = "connections  names " ] ||
		why "sections: $(grep -v '^ ' "$tmp/out")" || return
	status 0 st accept_ok || return
	[ "$(head -1 "$tmp/out")" = connections ] || why "the section of one" || return
	status 2 st bind_ok no_such_counter || return
	grep -q '"no_such_counter"' "$tmp/err" || why "does not say which"
}

# The change shows up, once, in the report of its interval.  Without timeout(1):
# the signal is for the program itself, and who runs the tests has a limit.
watch_json() {
	local seen changes
	: >"$tmp/out"
	"$stat" -j -w 0.3 >"$tmp/out" 2>"$tmp/err" &
	pids+=($!)
	# The first report is there: what comes now is a change.
	wait_for '"changes":\{\}' "$tmp/out" || return
	one_more || return
	wait_for '"changes":\{[^}]*"connect_noname":' "$tmp/out" || return
	# .. and a later one has nothing of it.
	seen=$(wc -l <"$tmp/out")
	wait_for_lines $((seen + 2)) "$tmp/out" || return
	kill -INT "${pids[0]}" || return
	wait "${pids[0]}" || why "exit status $? after SIGINT" || return
	pids=()
	# A report between rillcat's socket() and close() counts the socket, the next
	# one that it is gone.
	changes=$(grep -oE '"changes":\{[^}]*\}' "$tmp/out" | grep -oE '"[a-z_]+":-?[0-9]+' |
		grep -v '^"sockets":')
	[ "$changes" = '"connect_noname":1' ] || why "changes: $changes" || return
	[ "$(tail -c 2 "$tmp/out")" = "}" ] || why "the last line is cut"
}

watch_lines() {
	: >"$tmp/out"
	"$stat" -w0.3 sockets 'connect_*' >"$tmp/out" 2>"$tmp/err" &
	pids+=($!)
	until grep -q "connect_noname" "$tmp/out"; do
		kill -0 "${pids[0]}" || why "it ended" || return
		one_more || return
		read -rt 0.05 <>"$tmp/tick"
	done
	grep -qE '^[0-9:]{8} connect_noname +[0-9]+ +\+[0-9]+ +[0-9.]+/s$' "$tmp/out" ||
		why "$(cat "$tmp/out")" || return
	! grep -q connect_ok "$tmp/out" || why "what has not changed" || return
	kill -TERM "${pids[0]}" || return
	wait "${pids[0]}" || why "exit status $? after SIGTERM" || return
	pids=()
}

# A report in a pipe that is full, and that nobody reads.
watch_stuck() {
	local end=$((SECONDS + 120))
	mkfifo "$tmp/full"
	exec 6<>"$tmp/full"
	"$stat" -j -w 0.01 >"$tmp/full" 2>"$tmp/err" &
	pids+=($!)
	# It fills the pipe with its reports: until it sleeps in a write to it.
	until grep -qsE '^[0-9]+ 0x1 ' "/proc/${pids[0]}/syscall"; do
		[ $SECONDS -lt $end ] || why "the pipe is not full" || return
		read -rt 0.02 <>"$tmp/tick"
	done
	kill -TERM "${pids[0]}" || return
	while kill -0 "${pids[0]}" 2>/dev/null; do
		[ $SECONDS -lt $end ] || why "SIGTERM does not end it" || return
		read -rt 0.02 <>"$tmp/tick"
	done
	exec 6>&-
	wait "${pids[0]}" || why "exit status $? after SIGTERM" || return
	pids=()
	[ ! -s "$tmp/err" ] || why "it complains"
}

# What it has missed while it was stopped is one interval, not a report each.
watch_stopped() {
	local short
	: >"$tmp/out"
	"$stat" -j -w 0.2 >"$tmp/out" 2>"$tmp/err" &
	pids+=($!)
	wait_for_lines 1 "$tmp/out" && kill -STOP "${pids[0]}" || return
	read -rt 3 <>"$tmp/tick"
	kill -CONT "${pids[0]}"
	wait_for '"seconds":[1-9]' "$tmp/out" || return
	wait_for_lines $(($(wc -l <"$tmp/out") + 2)) "$tmp/out" || return
	short=$(grep -c '"seconds":0\.0' "$tmp/out")
	[ "$short" -lt 5 ] || why "$short reports of less than 0.1 s"
}

count() {
	status 0 st -w 0.05 -c 3 -j || return
	[ "$(wc -l <"$tmp/out")" = 3 ] || why "$(wc -l <"$tmp/out") reports" || return
	# "-w" with no number, before a name.
	status 0 st -c 1 -j -w sockets || return
	[ "$(wc -l <"$tmp/out")" = 1 ] || why "$(wc -l <"$tmp/out") reports"
}

# What processes under "rill run" have left: the sum; nobody else's.
run_files() {
	mkdir -p /run/user/0/rill && mkdir -m 700 /tmp/rill-0 || return
	printf 'over_rill 3\nfell_back 1\n' >/run/user/0/rill/10.stat
	printf 'over_rill                   4\ntorn 1' >/run/user/0/rill/11.stat
	printf 'over_rill 20\nnot a line\n\n' >/tmp/rill-0/exited.stat
	printf 'over_rill 1000\n' >/tmp/rill-0/other
	printf 'over_rill 1000\n' >/tmp/strange
	ln -s /tmp/strange /tmp/rill-0/12.stat
	printf 'over_rill 1000\n' >/tmp/rill-0/13.stat
	chown 1234 /tmp/rill-0/13.stat
	mkfifo /tmp/rill-0/14.stat
	status 0 st -j over_rill fell_back || return
	grep -q '"run":{"over_rill":27,"fell_back":1}' "$tmp/out" ||
		why "$(cat "$tmp/out")" || return
	status 0 st || return
	grep -q '^rill run' "$tmp/out" && grep -qE '^  over_rill +27$' "$tmp/out" ||
		why "the table has no such section" || return
	# A directory that others may write to, or made.
	chmod 777 /tmp/rill-0
	status 0 st -j over_rill || return
	grep -q '"over_rill":7}' "$tmp/out" || why "believes mode 777" || return
	chmod 700 /tmp/rill-0
	chown 1234 /tmp/rill-0
	status 0 st -j over_rill || return
	grep -q '"over_rill":7}' "$tmp/out" || why "believes a stranger"
	rm -f /tmp/strange
}

# Of a process that is about to end, its numbers in both files: counted once.
run_exits() {
	local pid
	mkdir -m 700 /tmp/rill-0 && mkfifo "$tmp/locked" || return
	printf 'over_rill 3\n' >/tmp/rill-0/10.stat
	# shellcheck disable=SC2016
	"$here/locked" /tmp/rill-0/exited.stat bash -c '
		echo over_rill 3 >/tmp/rill-0/exited.stat
		echo >"$0/locked"
		read -rt 0.2 <>"$0/tick"
		rm /tmp/rill-0/10.stat' "$tmp" &
	pid=$!
	read -rt "$limit" <"$tmp/locked" || why "nobody has the lock" || return
	status 0 st -j over_rill || return
	wait "$pid"
	grep -q '"over_rill":3}' "$tmp/out" || why "$(cat "$tmp/out")"
}

wrong_usage() {
	local bad
	for bad in "-w -1" "-w0" "-wnan" "-w 5x" "--watch=x" "-w -c 0" "-w -c 1.5" "-c 3" \
		   "--nonsense" ""; do
		# shellcheck disable=SC2086
		[ -z "$bad" ] || status 2 st $bad || return
	done
	status 0 st --help && grep -q '^usage: rill stat' "$tmp/out" &&
		[ ! -s "$tmp/err" ] || why "--help" || return
	status 0 st --version && grep -qE '^rill stat [0-9]' "$tmp/out" || why "--version"
}

write_error() {
	[ -e /dev/full ] || mknod /dev/full c 1 7 || return
	timeout "$limit" "$rill" stat >/dev/full 2>"$tmp/err"
	[ $? = 1 ] && grep -q 'cannot write' "$tmp/err" || why "no word of a full disk"
}

no_module() {
	# A /proc in which there is no such file.
	# shellcheck disable=SC2016
	status 1 unshare -m sh -c 'mount -t tmpfs none /proc && exec "$0"' "$stat" || return
	grep -q 'the module rill is not loaded' "$tmp/err" || why "$(cat "$tmp/err")" || return
	[ ! -s "$tmp/out" ] || why "it shows something"
}

t table "all counters, with words on each"
t json "the same as JSON"
t names "only some of them"
t watch_json "-w: a change, as JSON; SIGINT"
t watch_lines "-w: lines of what has changed; SIGTERM"
t watch_stuck "-w: SIGTERM while the output is stuck"
t watch_stopped "-w: no burst after it was stopped"
t count "-c: so many reports"
t run_files "what rill run has counted"
t run_exits "a process that ends meanwhile"
t wrong_usage "wrong options, --help, --version"
t write_error "a full disk"
t no_module "no module"
exit $failed
