# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2086
# socat: a file over a path, an abstract name, TCP and UDP.

program_start() {
	head -c 128000000 /dev/urandom >"$tmp/blob"
}

transfer() { # LISTEN CONNECT WORD-OF-/proc
	local pid s
	$RUN socat -u "$1" "CREATE:$tmp/back" &
	pid=$!
	eventually listening "$3" || return
	s=$(seconds $RUN socat -u "FILE:$tmp/blob" "$2") || return
	wait $pid || return
	cmp "$tmp/blob" "$tmp/back" || return
	figure "$3" "$(per_second 128000 "$s")" "kB/s"
}
listening() {
	case $1 in
	path) unix_listens "$tmp/sock" ;;
	abstract) unix_listens "@socat-$port" ;;
	TCP) grep -qi ":$(printf %04x "$port") .* 0A " /proc/net/tcp ;;
	esac
}

program_work() {
	transfer "UNIX-LISTEN:$tmp/sock" "UNIX-CONNECT:$tmp/sock" path &&
		transfer "ABSTRACT-LISTEN:socat-$port" "ABSTRACT-CONNECT:socat-$port" abstract &&
		transfer "TCP-LISTEN:$port,bind=127.0.0.1" "TCP:127.0.0.1:$port" TCP
}
