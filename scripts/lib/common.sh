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

# A clean clone on a minimal machine may have a PATH without sbin.
PATH=$PATH:/usr/sbin:/sbin
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

# step TEXT COMMAND...: run it with its output in a file, say what is going on
# while it takes long, and show the output if it fails.
step() {
	local text=$1 start=$SECONDS out pid next=3 rc=0
	shift
	out=$(mktemp "${TMPDIR:-/tmp}/rill-step.XXXXXX")
	"$@" >"$out" 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		if [ $((SECONDS - start)) -ge "$next" ]; then
			say "$text ... $((SECONDS - start)) s"
			next=$((next < 10 ? 10 : next + 10))
		fi
		sleep 0.1
	done
	wait "$pid" || rc=$?
	if [ "$rc" -ne 0 ]; then
		say "$text: failed (exit status $rc)"
		sed 's/^/  | /' "$out" >&2
	elif [ "$next" -gt 3 ]; then
		say "$text: done, $((SECONDS - start)) s"
	fi
	rm -f "$out"
	return "$rc"
}

# locked FILE COMMAND...: run the command (a function too) while FILE is locked,
# so that two runs never fill one place of the cache.
locked() {
	local file=$1 rc=0
	shift
	mkdir -p "${file%/*}"
	(
		if ! flock -n 9; then
			say "waiting for another run that holds $file"
			flock 9
		fi
		"$@"
	) 9>"$file" || rc=$?
	return "$rc"
}

have_package() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
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
	local p missing=()
	command -v dpkg-query >/dev/null ||
		die "this needs Debian 12 (there is no dpkg-query here)"
	for p; do
		have_package "$p" || missing+=("$p")
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
