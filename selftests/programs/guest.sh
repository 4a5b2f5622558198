#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Where the programs run: each NAME.sh is read once for each way, with RUN empty or
# "rill run", and has these functions:
#
#	program_setup	once, before the first way (may be missing); 4 skips the
#			program, with what it says as the reason
#	program_start	starts the servers: $RUN COMMAND... &
#	program_work	uses them, checks the data, calls "figure"; fails if it is wrong
#	program_stop	ends them (the default kills what program_start has left)
#
# and from here:
#	figure WHAT NUMBER UNIT		one row of the table
#	eventually COMMAND...		until it succeeds, for two minutes at most, or
#					one of ours has ended
#	launch COMMAND...		in the background, to be ended by us
#	$tmp				a directory of this way
#	$port, $((port + 1)) ...	ports of this way
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LC_ALL=C
ip link set lo up 2>/dev/null || true
number=0
all=$(mktemp -d /tmp/programs.XXXXXX)
chmod 755 "$all"
trap 'rm -rf "$all"' EXIT
failed=0

figure() {
	printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$all/figures.$way"
}
eventually() {
	local end=$((SECONDS + 120)) pid
	until "$@" >/dev/null 2>&1; do
		for pid in "${jobs_of_way[@]}"; do
			kill -0 "$pid" 2>/dev/null || { echo "# a server has ended"; return 1; }
		done
		[ $SECONDS -lt $end ] || { echo "# never came true: $*"; return 1; }
		sleep 0.1
	done
}
# Somebody listens at this AF_UNIX address (as /proc/net/unix has it), which is
# after it is bound.
unix_listens() { # ADDRESS
	grep -qE "^[^ ]+ [^ ]+ [^ ]+ 00010000 .* $1\$" /proc/net/unix
}
launch() {
	"$@" >>"$tmp/log" 2>&1 </dev/null &
	jobs_of_way+=($!)
}
# Seconds that a command takes, with three digits.
seconds() {
	local begin=${EPOCHREALTIME/./}
	"$@" >"$tmp/out" 2>&1 || { tail -3 "$tmp/out" | sed 's/^/# /' >&2; return 1; }
	local us=$((${EPOCHREALTIME/./} - begin))
	printf '%d.%03d\n' $((us / 1000000)) $((us / 1000 % 1000))
}
per_second() { # count seconds
	awk -v n="$1" -v s="$2" 'BEGIN { printf "%.0f\n", s ? n / s : 0 }'
}
program_setup() { :; }
program_stop() { :; }

stats_clear() {
	rm -f /tmp/rill-*/*.stat /run/user/*/rill/*.stat
}
stat_of() { # WORD
	cat /tmp/rill-*/*.stat /run/user/*/rill/*.stat 2>/dev/null |
		awk -v word="$1" '$1 == word { n += $2 } END { print n + 0 }'
}
reasons() {
	cat /tmp/rill-*/*.stat /run/user/*/rill/*.stat 2>/dev/null |
		awk '$1 ~ /^run_not_/ && $2 { n[substr($1, 9)] += $2 }
		     END { for (w in n) { printf "%s%s %d", sep, w, n[w]; sep = ", " } }'
}

one_way() { # name way
	local rc=0 pid
	way=$2
	# shellcheck disable=SC2034	# the programs use them
	RUN=
	# shellcheck disable=SC2034
	[ "$way" = own ] || RUN="rill run"
	tmp=$all/$1.$way
	# shellcheck disable=SC2034
	port=$((20000 + RANDOM % 8000))
	jobs_of_way=()
	mkdir -m 777 "$tmp"
	: >"$all/figures.$way"
	stats_clear
	program_start && program_work || rc=$?
	program_stop
	for pid in "${jobs_of_way[@]}"; do
		kill "$pid" 2>/dev/null
	done
	for pid in "${jobs_of_way[@]}"; do
		timeout 20 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	if [ $rc != 0 ]; then
		echo "# $1, $way: failed with $rc; the end of its log:"
		tail -n 15 "$tmp/log" 2>/dev/null | sed 's/^/#   /'
	fi
	return $rc
}

row() { # name
	local what own unit rill over back
	over=$(($(stat_of run_connect_rill) + $(stat_of run_sent_rill)))
	back=$(cat /tmp/rill-*/*.stat /run/user/*/rill/*.stat 2>/dev/null |
		awk '$1 ~ /^run_not_/ { n += $2 } END { print n + 0 }')
	while IFS=$'\t' read -r what own unit; do
		rill=$(awk -F '\t' -v what="$what" '$1 == what { print $2 }' "$all/figures.rill")
		echo "| $1 | $what | $own | ${rill:--} | $unit | $over | $back$(
			[ "$back" = 0 ] || echo ": $(reasons)") |"
	done <"$all/figures.own" >>"$all/table"
	if [ "$over" = 0 ]; then
		echo "# $1: nothing went over AF_RILL"
		return 1
	fi
}

result() { # "ok" or "not ok", TEXT
	number=$((number + 1))
	[ "$1" = ok ] || failed=1
	echo "$1 $number - $2"
}

[ -e /proc/net/rill ] || { echo "rill.ko is not loaded"; exit 1; }
echo "TAP version 13"
echo "1..$#"
for name; do
	unset -f program_setup program_start program_work program_stop
	program_setup() { :; }
	program_stop() { :; }
	# shellcheck disable=SC1090
	. "$here/$name.sh"
	begin=$SECONDS
	program_setup >"$all/setup" 2>&1
	case $? in
	0) ;;
	4)
		result ok "$name # SKIP $(cat "$all/setup")"
		continue
		;;
	*)
		sed 's/^/# /' "$all/setup" | tail -5
		result "not ok" "$name: what it needs could not be set up"
		continue
		;;
	esac
	ok=1
	one_way "$name" own || ok=0
	one_way "$name" rill || ok=0
	row "$name" || ok=0
	echo "# $name took $((SECONDS - begin)) s"
	[ $ok = 1 ] && ok=ok || ok="not ok"
	result "$ok" "$name, as it is and under rill run"
done
echo "# | program | figure | own | rill run | unit | over AF_RILL | not, and why |"
echo "# |---|---|---:|---:|---|---:|---|"
sed 's/^/# /' "$all/table" 2>/dev/null
[ $failed = 0 ]
