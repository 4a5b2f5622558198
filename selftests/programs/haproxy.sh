# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2086
# HAProxy in front of nginx: it accepts over AF_RILL, and connects over it.

program_setup() {
	# The emulated machine of scripts/vm has none, and HAProxy 2.6 uses it.
	if grep -q '^flags' /proc/cpuinfo && ! grep -qw cx16 /proc/cpuinfo; then
		echo "this processor has no cmpxchg16b"
		return 4
	fi
}

program_start() {
	mkdir -m 777 "$tmp/www"
	head -c 300000 /dev/urandom >"$tmp/www/blob"
	head -c 1000 /dev/zero >"$tmp/www/small"
	cat >"$tmp/nginx.conf" <<-END
	daemon off;
	pid $tmp/nginx.pid;
	error_log $tmp/nginx.log;
	events { worker_connections 256; }
	http {
		access_log off;
		server { listen 127.0.0.1:$((port + 1)); root $tmp/www; }
	}
	END
	cat >"$tmp/haproxy.cfg" <<-END
	global
		maxconn 200
		nbthread 2
	defaults
		mode http
		timeout connect 20s
		timeout client 60s
		timeout server 60s
	frontend in
		bind 127.0.0.1:$port
		default_backend web
	backend web
		server one 127.0.0.1:$((port + 1)) check
	END
	launch $RUN nginx -c "$tmp/nginx.conf"
	launch $RUN haproxy -db -f "$tmp/haproxy.cfg"
	eventually curl -sf "http://127.0.0.1:$port/small"
}

program_work() {
	local rate
	$RUN curl -sf "http://127.0.0.1:$port/blob" | cmp - "$tmp/www/blob" || return
	curl -sf "http://127.0.0.1:$port/blob" | cmp - "$tmp/www/blob" || return
	$RUN wrk -t 1 -c 8 -d 4 --timeout 20s "http://127.0.0.1:$port/small" >"$tmp/wrk" || return
	! grep -E 'Socket errors|Non-2xx' "$tmp/wrk" || return
	rate=$(awk '$1 == "Requests/sec:" { printf "%.0f\n", $2 }' "$tmp/wrk")
	figure "through the proxy" "$rate" "requests/s"
}
