# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2086
# PostgreSQL: pgbench over its socket directory and over TCP; a dump each way.

pg_bin=$(find /usr/lib/postgresql -type d -name bin | head -1)

# A prefix, not a function: what "launch" starts must be the program itself.
as_postgres="setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/tmp"

program_setup() {
	mkdir "$all/pg"
	chown postgres "$all/pg"
	$as_postgres "$pg_bin/initdb" -D "$all/pg/data" --no-sync -A trust >/dev/null
}

program_start() {
	chown postgres "$tmp"
	launch $as_postgres $RUN "$pg_bin/postgres" -D "$all/pg/data" -k "$tmp" -p "$port" \
		-c listen_addresses=127.0.0.1 -c fsync=off
	eventually $as_postgres "$pg_bin/pg_isready" -h 127.0.0.1 -p "$port" || return
	[ "$way" = rill ] && return
	$as_postgres "$pg_bin/pgbench" -q -i -s 1 -h "$tmp" -p "$port" postgres >>"$tmp/log" 2>&1
}

pg_rate() { # WHAT HOST
	local tps
	tps=$($as_postgres $RUN "$pg_bin/pgbench" -n -S -c 4 -t 1500 -h "$2" -p "$port" postgres \
		2>>"$tmp/log" | awk '$1 == "tps" { printf "%.0f\n", $3 }')
	[ -n "$tps" ] && figure "$1" "$tps" "transactions/s"
}

program_work() {
	local host sum first=
	for host in "$tmp" 127.0.0.1; do
		sum=$($as_postgres $RUN "$pg_bin/pg_dump" -h "$host" -p "$port" postgres 2>>"$tmp/log" |
			grep -v '^.restrict\|^.unrestrict' | sha256sum) || return
		[ -z "$first" ] || [ "$sum" = "$first" ] || return
		first=$sum
	done
	# And as somebody without Rill has it.
	sum=$($as_postgres "$pg_bin/pg_dump" -h "$tmp" -p "$port" postgres |
		grep -v '^.restrict\|^.unrestrict' | sha256sum)
	[ "$sum" = "$first" ] || return
	pg_rate path "$tmp" && pg_rate TCP 127.0.0.1
}
