# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2086
# Python: socketserver with threads, asyncio, multiprocessing managers.

program_start() { :; }

program_work() {
	local what n
	$RUN python3 "$here/python_work.py" "$tmp" "$port" >"$tmp/figures" || return
	while read -r what n; do
		figure "$what" "$n" "calls/s"
	done <"$tmp/figures"
}
