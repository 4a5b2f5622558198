#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest, in the Debian system on its disk: install the packages, use what
# they brought, remove them again, and see that nothing stayed.  TAP.
#
# selftests/package/run starts this, with the packages in /rill/packages.
set -u
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C

n=0 failed=0
ok() { # text command...
	local text=$1 out rc=0
	shift
	out=$("$@" 2>&1) || rc=$?
	n=$((n + 1))
	if [ "$rc" -eq 0 ]; then
		echo "ok $n - $text"
	else
		echo "not ok $n - $text"
		printf '%s\n' "$out" | tail -n 60 | sed 's/^/# /'
		failed=1
	fi
}
not() { ! "$@"; }

release=$(uname -r)
ko=/lib/modules/$release/updates/dkms/rill.ko

before() { find /etc /usr /var/lib/dkms /lib/modules -xdev 2>/dev/null |
	grep -vE '/(modules\.[a-z.]*|ld\.so\.cache|mok\.(key|pub)|__pycache__.*)$' | sort; }

echo "TAP version 13"
before >/tmp/before
ok "nothing of it is there before" not test -e /proc/net/rill
ok "the packages install, and DKMS builds the module for $release" \
	dpkg -i /rill/packages/*.deb
ok "the module is where modprobe finds it" modinfo -k "$release" rill
ok "DKMS signed it with its own key" \
	sh -c "modinfo -k $release -F signer rill | grep -q ."
echo "# signer: $(modinfo -k "$release" -F signer rill 2>&1)"

# Nobody calls modprobe: socket() does, through the kernel.
talk() {
	local dir=/tmp/talk pid i
	mkdir -p $dir
	head -c 1000000 /dev/urandom >$dir/in
	timeout 60 rillcat -l --recv $dir/out user/0/package &
	pid=$!
	# The name shows that it listens; nothing else tells.
	for ((i = 0; i < 600; i++)); do
		! grep -qs user/0/package /proc/net/rill || break
		read -rt 0.1 <> <(:) || true
	done
	timeout 60 rillcat --send $dir/in user/0/package || return
	wait $pid || return
	cmp $dir/in $dir/out
}
ok "rillcat moves a megabyte, the module being loaded by the first socket()" talk
ok "the module that runs is the packages'" \
	sh -c "grep -q '^rill ' /proc/modules && test -e $ko"

program() {
	cat >/tmp/p.c <<-'END'
	#include <rill/rill.h>
	#include <stdio.h>
	#include <string.h>
	int main(void)
	{
		int fds[2];
		char buf[6] = "";

		return rill_pair(SOCK_STREAM, 0, fds) || rill_send_all(fds[0], "rill", 5, 0, NULL) != 5 ||
		       rill_recv_all(fds[1], buf, 5, 0, NULL) != 5 || strcmp(buf, "rill");
	}
	END
	# shellcheck disable=SC2046 # words
	gcc -Wall -Werror -o /tmp/p /tmp/p.c $(pkg-config --cflags --libs librill) && /tmp/p
}
ok "a program builds with pkg-config librill, and runs" program
# Through rill_diag, which the kernel loads when it is asked for.
seen() {
	local pid rc=1 i
	timeout 60 rillcat -l user/0/seen &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		! rill ss -l | grep -q user/0/seen || { rc=0; break; }
		read -rt 0.1 <> <(:) || true
	done
	kill $pid
	wait $pid 2>/dev/null
	return $rc
}
ok "rill ss shows a listener" seen
ok "rill --help" rill --help
for word in $(rill --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
	ok "rill $word is installed" rill "$word" --help
done
for page in man1/rillcat.1 man3/librill.3 man7/rill.7; do
	# dpkg leaves manual pages out of this system: the package has them.
	ok "$page is in a package" sh -c "dpkg -L rill-tools librill-dev | grep -q /$page"
done
ok "completion for bash loads and knows the words" bash -c '
	. /usr/share/bash-completion/completions/rill
	COMP_WORDS=(rill "") COMP_CWORD=1; _rill
	[[ " ${COMPREPLY[*]} " == *" stat "* ]]'

ok "Python's module works as installed" \
	timeout 120 python3 /rill/bin/test_rill.py

ok "the packages are removed" dpkg -r rill-tools python3-rill librill-dev librill0 \
	rill-dkms
ok "the module can be unloaded, or was" sh -c 'rmmod rill_diag rill 2>/dev/null; ! test -e /proc/net/rill'
ok "the module's file is gone" not test -e "$ko"
ok "DKMS has forgotten it" sh -c '! dkms status | grep rill'
ok "the packages are purged" dpkg -P rill-tools python3-rill librill-dev librill0 rill-dkms
before >/tmp/after
left() { diff /tmp/before /tmp/after | grep '^>' | grep -vE '/var/lib/dkms$'; }
ok "no file of theirs is left" sh -c "! test -n \"$(left)\""
left | sed 's/^/# /'
echo "1..$n"
exit $failed
