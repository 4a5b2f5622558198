# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2086
# Redis over TCP and over a path; a megabyte there and back; pub/sub.

program_start() {
	launch $RUN redis-server --port "$port" --save "" --unixsocket "$tmp/redis.sock" \
		--unixsocketperm 777
	eventually redis-cli -p "$port" ping
}

redis_bench() { # WHAT OPTION...
	local what=$1 rps
	shift
	rps=$($RUN redis-benchmark "$@" -n 60000 -c 8 -t get --csv 2>/dev/null |
		awk -F '"' '$2 == "GET" { print $4 }')
	figure "$what" "${rps%.*}" "GET/s"
	[ -n "$rps" ]
}

program_work() {
	local sum pid
	head -c 1000000 /dev/urandom | base64 -w 0 >"$tmp/blob"
	$RUN redis-cli -p "$port" -x set blob <"$tmp/blob" >/dev/null || return
	sum=$($RUN redis-cli -s "$tmp/redis.sock" get blob | head -c -1 | cmp - "$tmp/blob" && echo same)
	[ "$sum" = same ] || return

	$RUN redis-cli -p "$port" subscribe news >"$tmp/news" &
	pid=$!
	eventually grep -q subscribe "$tmp/news" || return
	for i in 1 2 3 4 5; do
		$RUN redis-cli -s "$tmp/redis.sock" publish news "number $i" >/dev/null || return
	done
	eventually grep -q "number 5" "$tmp/news"
	kill $pid
	wait $pid 2>/dev/null
	[ "$(grep -c '^number' "$tmp/news")" = 5 ] || return

	redis_bench TCP -p "$port" && redis_bench path -s "$tmp/redis.sock"
}
