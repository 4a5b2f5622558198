# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2086
# Node.js: net over a path, http over TCP.

program_start() { :; }

program_work() {
	local what n
	$RUN nodejs "$here/nodejs_work.js" "$tmp" "$port" >"$tmp/figures" || return
	while read -r what n; do
		figure "$what" "$n" "calls/s"
	done <"$tmp/figures"
}
