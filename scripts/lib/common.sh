# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
#
# What the scripts share: places, messages, progress, packages, locks.
# Sourced with "set -euo pipefail" in force; stdout belongs to the caller's
# result, so that everything said here goes to stderr.

rill_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rill_cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set; set it or XDG_CACHE_HOME}/.cache}/rill
# RILL_BUILD: another place than build/, for a build of another kind.
rill_build=${RILL_BUILD:-$rill_top/build}
rill_me=${0##*/}

# Exit codes that all the scripts share; --help of each lists its own.
# shellcheck disable=SC2034 # for whoever sources this file
readonly EXIT_USAGE=2 EXIT_SETUP=123 EXIT_CRASH=124 EXIT_DIRTY=125

# What need_packages() asks for, and not what else there may be of the same name: a
# PATH may begin with Pythons that are shell scripts, and end without sbin.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export LC_ALL=C

say() {
	printf '%s: %s\n' "$rill_me" "$*" >&2
}

die() {
	say "$*"
	exit "$EXIT_SETUP"
}

usage_error() {
	say "$* (--help says more)"
	exit "$EXIT_USAGE"
}

# A job runs in the background, in a group of its own, while the script waits: a signal
# is heeded at once, and whatever ends the script ends the job. A script with an EXIT
# trap of its own calls "end_job" there.
rill_job=
start_job() { # command...
	set -m
	{ "$@" || exit $?; } </dev/null &
	rill_job=$!
	set +m
}

# job COMMAND...: (a function too, in a shell of its own) as a job.
job() {
	local rc=0
	start_job "$@"
	wait "$rill_job" || rc=$?
	rill_job=
	return "$rc"
}

# The processes below PID.
_started_by() { # pid
	cat /proc/[0-9]*/stat 2>/dev/null | sed 's/(.*)/-/' | awk -v top="$1" '
		{ parent[$1] = $4 }
		END {
			for (pid in parent)
				for (p = pid; p in parent; p = parent[p])
					if (parent[p] == top) {
						print pid
						break
					}
		}' || true
}

# end_job [PID]: end a job with all that it has started, in whatever group.
end_job() {
	local pid=${1-$rill_job} all i
	[ -n "$pid" ] || return 0
	mapfile -t all < <(_started_by "$pid")
	all=(-- "-$pid" "${all[@]}")
	kill -TERM "${all[@]}" 2>/dev/null || true
	for ((i = 0; i < 100; i++)); do
		kill -0 "${all[@]}" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "${all[@]}" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
}
trap end_job EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# step TEXT COMMAND...: run it with its output in a file, say what is going on
# while it takes long, and show the output if it fails.
step() {
	local text=$1 start=$SECONDS file out next=3 rc=0
	shift
	# Without a name, nothing of it can be left behind.
	file=$(mktemp "${TMPDIR:-/tmp}/rill-step.XXXXXX")
	exec {out}<>"$file"
	rm -f "$file"
	start_job "$@" >&"$out" 2>&1
	while kill -0 "$rill_job" 2>/dev/null; do
		if [ $((SECONDS - start)) -ge "$next" ]; then
			say "$text ... $((SECONDS - start)) s"
			next=$((next < 10 ? 10 : next + 10))
		fi
		# Ten processes a second, for as long as a kernel is built, were a
		# seventh of a machine where a fork is dear. ("read -t" needs none, but
		# bash 5.2 aborts when a trap exits from it.)
		case $((SECONDS - start)) in
		[0-2]) sleep 0.1 ;;
		? | 1?) sleep 0.3 ;;
		*) sleep 1 ;;
		esac
	done
	wait "$rill_job" || rc=$?
	rill_job=
	if [ "$rc" -ne 0 ]; then
		say "$text: failed (exit status $rc)"
		sed 's/^/  | /' "/proc/self/fd/$out" >&2
	elif [ "$next" -gt 3 ]; then
		say "$text: done, $((SECONDS - start)) s"
	fi
	exec {out}>&-
	return "$rc"
}

# locked FILE COMMAND...: run the command (a function too) while FILE is locked,
# so that two runs never fill one place of the cache.
locked() {
	mkdir -p "${1%/*}"
	job _locked "$@"
}

_locked() { # file command...
	exec 9>"$1"
	if ! flock -n 9; then
		say "waiting for another run that holds $1"
		flock 9
	fi
	"${@:2}"
}

# lock_shared FILE: until "unlock_shared", nobody who locks FILE changes what it stands for.
lock_shared() {
	mkdir -p "${1%/*}"
	exec {rill_shared}>>"$1"
	flock -s -n "$rill_shared" && return
	say "waiting for another run that holds $1"
	flock -s -w 600 "$rill_shared" ||
		die "another run has held $1 for ten minutes: end it, then try again"
}

unlock_shared() {
	exec {rill_shared}>&-
}

_apt_install() {
	export DEBIAN_FRONTEND=noninteractive
	if ! apt-get install -y --no-install-recommends "$@"; then
		# The lists are missing, or older than the mirror.
		apt-get update && apt-get install -y --no-install-recommends "$@"
	fi
}

# need_packages PACKAGE...: have these installed, or say how.
need_packages() {
	local p installed missing=()
	command -v dpkg-query >/dev/null ||
		die "this needs Debian 12 (there is no dpkg-query here)"
	# It fails for one that it does not know.
	installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
		sed -n 's/ installed$//p') || true
	for p; do
		[[ $'\n'$installed$'\n' == *$'\n'"$p"$'\n'* ]] || missing+=("$p")
	done
	[ ${#missing[@]} -eq 0 ] && return
	if [ "$(id -u)" -ne 0 ]; then
		say "packages are missing; run this, then try again:"
		printf '  sudo apt-get update && sudo apt-get install -y --no-install-recommends %s\n' \
			"${missing[*]}" >&2
		exit "$EXIT_SETUP"
	fi
	step "installing ${missing[*]}" _apt_install "${missing[@]}" ||
		die "apt-get could not install: ${missing[*]}"
}
