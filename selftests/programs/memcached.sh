# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2086
# memcached over TCP with the clients of libmemcached.

program_start() {
	launch $RUN memcached -u nobody -l 127.0.0.1 -p "$port"
	eventually memcping --servers="127.0.0.1:$port"
}

program_work() {
	local s
	head -c 500000 /dev/urandom >"$tmp/blob"
	$RUN memccp --servers="127.0.0.1:$port" "$tmp/blob" || return
	$RUN memccat --servers="127.0.0.1:$port" --file="$tmp/back" blob || return
	cmp "$tmp/blob" "$tmp/back" || return
	s=$(seconds $RUN memcslap --servers="127.0.0.1:$port" --concurrency=4 \
		--execute-number=4000 --test=set) || return
	figure "memcslap, set" "$(per_second 16000 "$s")" "sets/s"
}
