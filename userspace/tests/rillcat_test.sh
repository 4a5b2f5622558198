#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# rillcat with the module loaded: files, pipes, many clients, datagrams,
# messages, time-outs, exit statuses. Prints TAP.
#
# Waits for a state by looking at /proc/net/rill, for a limited time; whatever
# hangs is ended by timeout(1) and fails.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rillcat=${RILLCAT:-$here/../rillcat/rillcat}
[ -x "$rillcat" ] || rillcat=$(command -v rillcat) || {
	echo "1..0 # SKIP no rillcat: build it, or set RILLCAT"
	exit 4
}
[ -e /proc/net/rill ] || {
	echo "1..0 # SKIP the rill module is not loaded"
	exit 4
}

limit=120		# seconds, for one program
tmp=$(mktemp -d)
pids=()
# Ends what is still running of the case.
reap() {
	local p
	exec 5>&- 7>&-
	for p in "${pids[@]}"; do
		kill "$p" 2>/dev/null
		kill -CONT "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	pids=()
}
trap 'reap; rm -rf "$tmp"' EXIT

# Files that a case keeps open are 5 and 7: no program may inherit them, or their
# other end would never see the end.
rc() { # ARGUMENT...: runs rillcat, under the limit
	timeout "$limit" "$rillcat" "$@" 5>&- 7>&-
}
start() { # ARGUMENT...: the same in the background; its number goes to pids
	{ timeout "$limit" "$rillcat" "$@" <&6 5>&- 6<&- 7>&- & } 6<&0
	pids+=($!)
}
why() {
	echo "# $*"
	return 1
}

# wait_line PATTERN: until a line of /proc/net/rill matches.
wait_line() {
	local end=$((SECONDS + 60))
	until grep -qE "$1" /proc/net/rill; do
		[ $SECONDS -lt $end ] || why "/proc/net/rill has no line '$1'" || return 1
		read -rt 0.02 <>"$tmp/tick"
	done
	return 0
}
listening() { wait_line " LISTEN .* $1\$"; }
bound() { wait_line "^dgram .* $1\$"; }
# ended STATUS PID...: each has this exit status.
ended() {
	local want=$1 p got
	shift
	for p; do
		wait "$p"
		got=$?
		[ $got = "$want" ] || why "exit status $got, not $want" || return 1
	done
}
mkfifo "$tmp/tick"

sum() { sha256sum <"$1"; }
same() {
	[ "$(sum "$1")" = "$(sum "$2")" ] ||
		why "$1 ($(stat -c %s "$1") bytes) and $2 ($(stat -c %s "$2") bytes) differ"
}

n=0
failed=0
total=$(grep -c '^t [a-z_]' "${BASH_SOURCE[0]}")
echo "TAP version 13"
echo "1..$total"
# t FUNCTION TITLE [ARGUMENT...]
t() {
	local fn=$1 title=$2 begin=$SECONDS
	shift 2
	n=$((n + 1))
	name=rillcat_test/$$/$n
	if "$fn" "$@"; then
		echo "ok $n - $title"
	else
		sed 's/^/# stderr: /' "$tmp"/*.err 2>/dev/null
		echo "not ok $n - $title"
		failed=1
	fi
	reap
	[ $((SECONDS - begin)) -lt 3 ] || echo "# $n took $((SECONDS - begin)) s"
	rm -f "$tmp"/in* "$tmp"/out* "$tmp"/*.err
}

big=$tmp/big
small=$tmp/small
mid=$tmp/mid
head -c $((50 * 1024 * 1024)) /dev/urandom >"$big"
head -c $((6 * 1024 * 1024 + 11)) "$big" >"$mid"
head -c 100003 "$big" >"$small"

# --send to --recv: a file, and the options of both sides.
file_transfer() {
	local file=$1
	shift
	start -l "$@" --recv "$tmp/out" "$name" 2>"$tmp/l.err"
	listening "$name" || return
	rc "$@" --send "$file" "$name" 2>"$tmp/c.err" || why "the client: $?" || return
	# Success here is success there.
	same "$file" "$tmp/out" && ended 0 "${pids[0]}"
}

# From the server to the client.
file_transfer_back() {
	start -l --send "$mid" "$name" 2>"$tmp/l.err"
	listening "$name" || return
	rc --recv "$tmp/out" "$name" 2>"$tmp/c.err" || why "the client: $?" || return
	ended 0 "${pids[0]}" && same "$mid" "$tmp/out"
}

# Through pipes on all sides, and in both directions at once.
both_ways() {
	start -l -N "$@" "$name" < <(cat "$mid") 2>"$tmp/l.err" > >(cat >"$tmp/out1")
	listening "$name" || return
	tac "$small" | cat - "$mid" | rc -N "$@" "$name" 2>"$tmp/c.err" | cat >"$tmp/out2"
	[ "${PIPESTATUS[2]}" = 0 ] || why "the client failed" || return
	ended 0 "${pids[0]}" || return
	tac "$small" | cat - "$mid" >"$tmp/out3"
	# The process substitution may still be writing.
	local end=$((SECONDS + 60))
	until cmp -s "$tmp/out3" "$tmp/out1"; do
		[ $SECONDS -lt $end ] || why "the server's output differs" || return
		read -rt 0.05 <>"$tmp/tick"
	done
	same "$mid" "$tmp/out2"
}

# A reader that begins late and reads little at a time holds the sender back.
slow_reader() {
	mkfifo "$tmp/outfifo"
	# Opened for both first, since to open one end waits for the other.
	exec 5<>"$tmp/outfifo"
	start -l -d "$name" >"$tmp/outfifo" 2>"$tmp/l.err"
	exec 7<"$tmp/outfifo" 5>&-
	listening "$name" || return
	start --send "$mid" "$name" 2>"$tmp/c.err"
	# The stream is full now: something waits unread on both sides.
	wait_line "^stream CONNECTED [0-9]+ [0-9]+ [1-9][0-9]* " || return
	dd bs=777 <&7 2>/dev/null | sha256sum >"$tmp/out"
	ended 0 "${pids[@]}" && [ "$(cat "$tmp/out")" = "$(sum "$mid")" ] ||
		why "bytes are missing"
}

# -k: several clients at once, each of which sends its own lines.
many_clients() {
	local i
	start -l -k "$@" "$name" >"$tmp/out" 2>"$tmp/l.err"
	listening "$name" || return
	for i in 1 2 3 4 5 6 7 8; do
		yes "client $i says something that is one line" | head -n 2000 >"$tmp/in$i"
		start -N "$@" "$name" <"$tmp/in$i" >"$tmp/out$i" 2>"$tmp/c$i.err"
	done
	ended 0 "${pids[@]:1}" || return
	for i in 1 2 3 4 5 6 7 8; do
		[ ! -s "$tmp/out$i" ] || why "client $i got something" || return
	done
	# The server ends a connection when all of it is written out.
	[ "$(stat -c %s "$tmp/out")" = $((8 * 2000 * 41)) ] ||
		why "$(stat -c %s "$tmp/out") bytes came" || return
	if [ "${1-}" = -s ]; then
		# Messages come whole: here each is one line.
		[ "$(sort "$tmp/out" | uniq -c | awk '$1 == 2000' | wc -l)" = 8 ] ||
			why "lines are mixed"
	else
		[ "$(tr -cd 1-8 <"$tmp/out" | fold -w1 | sort | uniq -c | awk '$1 == 2000' | wc -l)" = 8 ] ||
			why "bytes are missing"
	fi
}

# -k --send: each client gets all of the file.
file_server() {
	local i
	start -l -k --send "$small" "$name" 2>"$tmp/l.err"
	listening "$name" || return
	for i in 1 2 3 4 5; do
		start --recv "$tmp/out$i" "$name" 2>"$tmp/c$i.err"
	done
	ended 0 "${pids[@]:1}" || return
	for i in 1 2 3 4 5; do
		same "$small" "$tmp/out$i" || return
	done
	# Killed, it leaves no name.
	kill "${pids[0]}"
	ended 143 "${pids[0]}" && ! grep " $name\$" /proc/net/rill
}

# -k survives a client that breaks the connection.
rude_client() {
	start -l -k --send "$mid" "$name" 2>"$tmp/l.err"
	listening "$name" || return
	rc -d "$name" 2>"$tmp/c1.err" | head -c 1000 >/dev/null
	rc --recv "$tmp/out" "$name" 2>"$tmp/c2.err" || why "the second client: $?" || return
	same "$mid" "$tmp/out"
}

datagrams() {
	start -l -u -d -w 3 "$name" >"$tmp/out" 2>"$tmp/l.err"
	bound "$name" || return
	rc -u -N -B 1000 "$name" <"$mid" 2>"$tmp/c.err" || why "the client: $?" || return
	ended 0 "${pids[0]}" && same "$mid" "$tmp/out"
}

# Boundaries: a reader of -v counts the messages.
boundaries() {
	local option=$1 want=$2
	start -l -v -d -w 2 "$option" "$name" >"$tmp/out" 2>"$tmp/l.err"
	wait_line "( LISTEN |^dgram ).* $name\$" || return
	rc -N -B 1000 "$option" "$name" <"$small" 2>"$tmp/c.err" || why "the client: $?" || return
	ended 0 "${pids[0]}" && same "$small" "$tmp/out" || return
	[ "$(grep -c 'message of' "$tmp/l.err")" = "$want" ] ||
		why "$(grep -c 'message of' "$tmp/l.err") messages, not $want"
}

# A datagram can be answered.
datagram_answer() {
	local end=$((SECONDS + 60))
	mkfifo "$tmp/outfifo1" "$tmp/outfifo2"
	exec 5<>"$tmp/outfifo1" 7<>"$tmp/outfifo2"
	start -l -u -w 60 "$name" <"$tmp/outfifo1" >"$tmp/out1" 2>"$tmp/l.err"
	bound "$name" || return
	start -u -w 60 "$name" <"$tmp/outfifo2" >"$tmp/out2" 2>"$tmp/c.err"
	echo question >&7
	until [ -s "$tmp/out1" ]; do
		[ $SECONDS -lt $end ] || why "no question came" || return
		read -rt 0.02 <>"$tmp/tick"
	done
	echo answer >&5
	until [ -s "$tmp/out2" ]; do
		[ $SECONDS -lt $end ] || why "no answer came" || return
		read -rt 0.02 <>"$tmp/tick"
	done
	[ "$(cat "$tmp/out1")" = question ] && [ "$(cat "$tmp/out2")" = answer ]
}

# Without -k: who comes when the first client is there is refused.
one_client() {
	mkfifo "$tmp/outfifo"
	exec 5<>"$tmp/outfifo"
	start -l -d "$name" >/dev/null 2>"$tmp/l.err"
	listening "$name" || return
	start -N "$name" <"$tmp/outfifo" 2>"$tmp/c1.err"
	wait_line "^stream CONNECTED .* $name\$" || return
	local status=0
	rc "$name" </dev/null 2>"$tmp/c2.err" || status=$?
	[ $status = 1 ] || why "a second client: $status" || return
	exec 5>&-
	ended 0 "${pids[@]}"
}

# A busy listener: -w counts in line, and the client says what it waits for.
busy() {
	local status=0
	# A listener that accepts nobody: stopped before the first one comes.
	"$rillcat" -l -k -q 0 "$name" </dev/null 2>"$tmp/l.err" &
	pids+=($!)
	listening "$name" || return
	kill -STOP "${pids[0]}"
	rc -z "$name" 2>"$tmp/c1.err" || why "the first: $?" || { kill -CONT "${pids[0]}"; return 1; }
	rc -v -w 0.5 "$name" </dev/null 2>"$tmp/c2.err" || status=$?
	kill -CONT "${pids[0]}"
	[ $status = 3 ] || why "exit status $status, not 3" || return
	grep -q 'waiting in line' "$tmp/c2.err" || why "says nothing of waiting" || return
	# And with more time it gets in.
	rc -z -w 60 "$name" 2>"$tmp/c3.err" || why "the third: $?"
}

statuses() {
	local status=0
	rc -z "$name" 2>"$tmp/1.err"
	[ $? = 1 ] || why "nobody listens: not 1" || return
	grep -q 'nobody listens' "$tmp/1.err" || why "does not say why" || return
	rc -l -w 0.2 "$name" 2>"$tmp/2.err" </dev/null
	[ $? = 3 ] || why "no client came: not 3" || return
	rc -l -u -w 0.2 "$name" 2>"$tmp/2.err" </dev/null
	[ $? = 3 ] || why "no datagram came: not 3" || return
	rc -l "auto/x" </dev/null 2>"$tmp/3.err"
	[ $? = 1 ] && grep -q 'no permission' "$tmp/3.err" || why "auto/: not 1" || return
	rc -l "user/0815/x" </dev/null 2>"$tmp/3.err"
	[ $? = 1 ] || why "user/0815/: not 1" || return
	rc -l "$(printf 'a\tb')" </dev/null 2>"$tmp/4.err"
	[ $? = 1 ] && grep -q 'control character' "$tmp/4.err" || why "a tab: not 1" || return
	rc -l "$(printf '%0200d' 0)" </dev/null 2>"$tmp/5.err"
	[ $? = 1 ] && grep -q 'too long' "$tmp/5.err" || why "a long name: not 1" || return
	rc --send /nonexistent "$name" 2>"$tmp/6.err"
	[ $? = 1 ] || why "no such file: not 1" || return
	rc --send / "$name" 2>"$tmp/6.err"
	[ $? = 1 ] || why "a directory: not 1" || return
	rc 2>/dev/null
	[ $? = 2 ] || why "no name: not 2" || return
	rc -w nothing "$name" 2>/dev/null
	[ $? = 2 ] || why "-w nothing: not 2"
}

wrong_type() {
	local status=0
	start -l -k "$name" 2>"$tmp/l.err"
	listening "$name" || return
	rc -s -z "$name" 2>"$tmp/c.err" || status=$?
	[ $status = 1 ] && grep -q 'another type of socket' "$tmp/c.err" || why "status $status" || return
	rc -l "$name" </dev/null 2>"$tmp/c.err"
	[ $? = 1 ] && grep -q 'holds that name' "$tmp/c.err"
}

# -w on both sides of an idle connection.
idle() {
	local status=0
	start -l -N "$name" >/dev/null 2>"$tmp/l.err" <>"$tmp/tick"
	listening "$name" || return
	rc -w 0.5 "$name" <>"$tmp/tick" 2>"$tmp/c.err" || status=$?
	[ $status = 3 ] || why "exit status $status, not 3"
}

# The peer goes away in the middle of a file: an error, not a short success.
broken() {
	local status=0
	start -l --recv /dev/full "$name" 2>"$tmp/l.err"
	listening "$name" || return
	rc --send "$small" "$name" 2>"$tmp/c.err" || status=$?
	[ $status = 1 ] || why "the sender: $status, not 1" || return
	ended 1 "${pids[0]}" && grep -q 'No space left' "$tmp/l.err"
}

# probe_as_nobody: connects to the name as another user; the exit status.
probe_as_nobody() {
	su -s /bin/sh nobody -c \
		"exec timeout $limit $(printf '%q ' "$rillcat" -z "$name")" 2>"$tmp/c.err"
}

# -m: the mode of the name.
mode() {
	local status=0
	if [ "$(id -u)" != 0 ]; then
		echo "# not root: only the owner's side is tested"
	else
		[ "$(su -s /bin/sh nobody -c 'id -u')" = "$(id -u nobody)" ] ||
			why "su does not make a nobody of root" || return
	fi
	start -l -k -m 600 "$name" 2>"$tmp/l.err"
	listening "$name" || return
	rc -z "$name" 2>"$tmp/c.err" || why "the owner: $?" || return
	[ "$(id -u)" = 0 ] || return 0
	probe_as_nobody || status=$?
	[ $status = 1 ] && grep -q 'no permission' "$tmp/c.err" ||
		why "somebody else: $status, not 1" || return
	reap
	start -l -k -m 666 "$name" 2>"$tmp/l.err"
	listening "$name" || return
	probe_as_nobody || why "mode 666 keeps others out: $?"
}

# Empty input, empty file: the end is the end.
empty() {
	start -l --recv "$tmp/out" "$@" "$name" 2>"$tmp/l.err"
	listening "$name" || return
	rc --send /dev/null "$@" "$name" 2>"$tmp/c.err" || why "the client: $?" || return
	ended 0 "${pids[0]}" && [ -e "$tmp/out" ] && [ ! -s "$tmp/out" ]
}

# What was received is written out even if what was to be sent cannot be.
last_words() {
	# The server fails to write out what it gets.
	rc -l -N "$name" <"$small" 2>"$tmp/l.err" | head -c 0 &
	pids+=($!)
	listening "$name" || return
	local status=0
	rc -N "$name" <"$small" >"$tmp/out" 2>"$tmp/c.err" || status=$?
	[ $status -le 1 ] || why "the client: $status" || return
	# A prefix of what was said, and nothing else.
	cmp -n "$(stat -c %s "$tmp/out")" "$tmp/out" "$small"
}

t file_transfer "a file of 50 MB: stream" "$big"
t file_transfer "a file of 50 MB: seqpacket" "$big" -s
t file_transfer "a file in long messages" "$mid" -s -B 100000
t file_transfer "a file in short messages" "$small" -s -B 1
t file_transfer_back "a file from the server"
t both_ways "both directions at once through pipes: stream"
t both_ways "both directions at once through pipes: seqpacket" -s
t slow_reader "a slow reader holds the sender back"
t many_clients "-k: eight clients at once: stream"
t many_clients "-k: eight clients at once: messages stay whole" -s -B 41
t file_server "-k --send: each client gets all of the file"
t rude_client "-k: a client that breaks the connection"
t datagrams "datagrams: none is lost"
t boundaries "boundaries of datagrams" -u 101
t boundaries "boundaries of messages" -s 101
t datagram_answer "a datagram is answered"
t one_client "without -k: one client"
t busy "a busy listener: waiting in line, with a time-out"
t statuses "exit statuses"
t wrong_type "another type, a name that is taken"
t idle "-w: an idle connection"
t broken "the receiver fails in the middle"
t mode "-m: the mode of the name"
t empty "an empty file: stream"
t empty "an empty file: seqpacket" -s
t last_words "the server is gone in the middle"
exit $failed
