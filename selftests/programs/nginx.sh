# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2086
# nginx with a static file, and php-fpm behind it by FastCGI on a path.

program_start() {
	fpm=$(find /usr/sbin -name 'php-fpm*' | head -1)
	mkdir -m 777 "$tmp/www"
	head -c 300000 /dev/urandom >"$tmp/www/blob"
	head -c 1000 /dev/zero >"$tmp/www/small"
	# shellcheck disable=SC2016
	echo '<?php echo md5(file_get_contents("php://input")), " ", $_SERVER["REMOTE_ADDR"];' \
		>"$tmp/www/sum.php"
	cat >"$tmp/fpm.conf" <<-END
	[global]
	error_log = $tmp/fpm.log
	daemonize = no
	[www]
	user = www-data
	listen = $tmp/fpm.sock
	listen.owner = www-data
	listen.mode = 0660
	pm = static
	pm.max_children = 2
	END
	cat >"$tmp/nginx.conf" <<-END
	daemon off;
	user www-data;
	worker_processes 2;
	pid $tmp/nginx.pid;
	error_log $tmp/nginx.log;
	events { worker_connections 256; }
	http {
		access_log off;
		client_body_temp_path $tmp/body;
		fastcgi_temp_path $tmp/fastcgi;
		server {
			listen 127.0.0.1:$port;
			root $tmp/www;
			location ~ [.]php$ {
				include /etc/nginx/fastcgi_params;
				fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
				fastcgi_pass unix:$tmp/fpm.sock;
			}
		}
	}
	END
	launch $RUN "$fpm" -y "$tmp/fpm.conf" -F
	launch $RUN nginx -c "$tmp/nginx.conf"
	eventually curl -sf "http://127.0.0.1:$port/small" && eventually unix_listens "$tmp/fpm.sock"
}

wrk_rate() { # PATH
	$RUN wrk -t 1 -c 8 -d 4 --timeout 20s "http://127.0.0.1:$port/$1" >"$tmp/wrk" || return
	! grep -E 'Socket errors|Non-2xx' "$tmp/wrk" || return
	awk '$1 == "Requests/sec:" { printf "%.0f\n", $2 }' "$tmp/wrk"
}

program_work() {
	local got want
	$RUN curl -sf "http://127.0.0.1:$port/blob" | cmp - "$tmp/www/blob" || return
	want=$(md5sum <"$tmp/www/blob" | cut -d ' ' -f 1)
	got=$($RUN curl -sf --data-binary "@$tmp/www/blob" "http://127.0.0.1:$port/sum.php")
	[ "$got" = "$want 127.0.0.1" ] || { echo "# php said: $got"; return 1; }
	# Somebody without Rill gets the same.
	curl -sf "http://127.0.0.1:$port/blob" | cmp - "$tmp/www/blob" || return
	got=$(wrk_rate small) || return
	figure "static file" "$got" "requests/s"
	got=$(wrk_rate sum.php) || return
	figure "php-fpm" "$got" "requests/s"
}
