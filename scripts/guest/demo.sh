#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's side of scripts/demo.  Each part says what it shows, shows it with
# programs of userspace/, and checks it.
#
#	demo.sh FILE SHA256 [CLIENTS]
set -u

file=$1
sum=$2
clients=${3:-200}
failed=0
part=0
dir=$(mktemp -d) || exit 1
PATH=/rill/examples:$PATH

title() {
	part=$((part + 1))
	echo
	echo "== $part. $*"
}

# verdict TEXT STATUS
verdict() {
	if [ "$2" -eq 0 ]; then
		echo "   -> $1"
	else
		echo "   -> FAILED: $1"
		failed=$((failed + 1))
	fi
}

# try TEXT COMMAND...: run it, and it must succeed.
try() {
	text=$1
	shift
	echo "   \$ $*"
	timeout -k 5 120 "$@" >"$dir/out" 2>&1
	rc=$?
	sed 's/^/     /' "$dir/out"
	verdict "$text" $rc
}

# Wait until somebody holds a name, for 10 seconds at most.
name_is_there() {
	i=0
	while ! awk -v n="$1" '$NF == n && $2 == "LISTEN" { f = 1 } END { exit !f }' \
		/proc/net/rill; do
		i=$((i + 1))
		[ $i -lt 200 ] || return 1
		sleep 0.05
	done
}

# Wait for a process in the background, for 60 seconds at most.
finish() { # pid
	i=0
	while kill -0 "$1" 2>/dev/null; do
		i=$((i + 1))
		if [ $i -gt 600 ]; then
			kill -9 "$1"
			echo "     (it did not end)"
			return 1
		fi
		sleep 0.1
	done
	wait "$1"
}

echo "This is $(uname -sr) in a virtual machine, with rill.ko loaded:"
sed -n 's/^rill /     rill /p' /proc/modules
echo "The socket family is number $(cat /sys/module/rill/parameters/family)."

title "A server and a client: socket, bind, listen, accept; socket, connect, read"
echo "   \$ server &"
server >"$dir/server" 2>&1 &
pid=$!
name_is_there hello
verdict "the name \"hello\" has a listener" $?
try "the client got the greeting" client
finish $pid
verdict "the server ended well" $?

title "An epoll server, one thread, and $clients clients at once"
echo "   \$ echo_epoll demo/echo $clients &"
echo_epoll demo/echo "$clients" >"$dir/server" 2>&1 &
pid=$!
name_is_there demo/echo
try "every client got its own bytes back" many_clients demo/echo "$clients" 16
finish $pid
rc=$?
sed 's/^/     /' "$dir/server"
verdict "the server saw them all come and go" $rc

title "A file of $(($(wc -c <"$file") / 1000000)) MB through a stream"
echo "   \$ rillcat -l --recv $dir/copy demo/file &"
rillcat -l --recv "$dir/copy" demo/file >"$dir/server" 2>&1 &
pid=$!
name_is_there demo/file
start=$(cut -d' ' -f1 /proc/uptime)
try "sent" rillcat --send "$file" demo/file
finish $pid
verdict "received" $?
end=$(cut -d' ' -f1 /proc/uptime)
echo "     it took $(awk -v a="$start" -v b="$end" 'BEGIN { print b - a }') s"
copy=$(sha256sum <"$dir/copy" | cut -d' ' -f1)
echo "     sha256 before the VM was started: $sum"
echo "     sha256 of what was received:      $copy"
[ "$copy" = "$sum" ]
verdict "the same, byte for byte" $?
rm -f "$dir/copy"

title "Datagrams: boundaries kept, the empty one too, and an address to answer to"
try "each datagram came as it was sent" dgram_boundaries

title "A full backlog: connect() waits in line, and poll() says when it is through"
try "EINPROGRESS, then EPOLLOUT and SO_ERROR 0" full_backlog

title "kill -9 of a server: its name is free at once"
try "no file to unlink, no time to wait" name_free
echo "   The same with programs of the shell:"
echo "   \$ rillcat -lk demo/killed & kill -9 \$!; rillcat -lk demo/killed &"
rillcat -lk demo/killed </dev/null >/dev/null 2>&1 &
pid=$!
name_is_there demo/killed
kill -9 $pid
wait $pid 2>/dev/null
rillcat -lk demo/killed </dev/null >"$dir/server" 2>&1 &
pid=$!
name_is_there demo/killed
verdict "the second server holds the name" $?
try "and can be reached" rillcat -z demo/killed
kill $pid
wait $pid 2>/dev/null

title "Who talks to whom: /proc/net/rill, and the counters"
rillcat -l demo/view </dev/null >/dev/null 2>&1 &
pid=$!
name_is_there demo/view
try "the listener is there" grep -E 'Type|demo/view' /proc/net/rill
kill $pid
wait $pid 2>/dev/null
try "the counters are there" grep -E '^(connect_ok|connect_waited|bind_inuse) ' \
	/proc/net/rill_stat

echo
if [ $failed -eq 0 ]; then
	echo "All $part parts did what they should."
else
	echo "$failed checks FAILED."
fi
rm -rf "$dir"
[ $failed -eq 0 ]
