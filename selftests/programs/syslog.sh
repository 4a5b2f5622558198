# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2086
# Datagrams of syslog(): libc's own, by Python, and logger(1)'s, to /dev/log.

program_start() {
	rm -f /dev/log
	$RUN socat -u UNIX-RECV:/dev/log "OPEN:$tmp/lines,creat,append" &
	jobs_of_way+=($!)
	eventually test -S /dev/log
}

program_work() {
	local s
	s=$(seconds $RUN python3 -c '
import syslog
syslog.openlog("program", syslog.LOG_PID, syslog.LOG_DAEMON)
for i in range(40000):
    syslog.syslog(syslog.LOG_INFO, "line %d" % i)
') || return
	$RUN logger -t shell "from logger" || return
	eventually grep -q "from logger" "$tmp/lines" || return
	# Each once, in order.
	grep -ao 'line [0-9]*' "$tmp/lines" | cut -d ' ' -f 2 >"$tmp/numbers"
	seq 0 39999 | cmp - "$tmp/numbers" || return
	figure "syslog()" "$(per_second 40000 "$s")" "lines/s"
}

program_stop() { rm -f /dev/log; }
