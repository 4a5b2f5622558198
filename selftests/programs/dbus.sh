# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2086
# A private bus of dbus-daemon: calls between two of its clients, and a file passed.

program_start() {
	launch $RUN dbus-daemon --session --nofork --address="unix:path=$tmp/bus"
	eventually unix_listens "$tmp/bus"
}

program_work() {
	local n
	export DBUS_SESSION_BUS_ADDRESS="unix:path=$tmp/bus"
	dbus-send --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames \
		>>"$tmp/log" 2>&1 || return
	launch $RUN python3 "$here/dbus_service.py"
	n=$($RUN python3 "$here/dbus_client.py") || return
	figure "calls" "$n" "calls/s"
}
