#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# "rill doctor": each problem, in a tree of files made up for it. socket() is the
# running kernel's: some cases need the module, the others do with and without.
# Prints TAP.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rill=${RILL:-$here/../bin/rill}
[ -x "$rill" ] || rill=$(command -v rill) || {
	echo "1..0 # SKIP no rill: build it, or set RILL"
	exit 4
}
json_check=$here/json_check
limit=60		# seconds, for one program
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
kernel=$(uname -r)
root=$tmp/root
export RILL_DOCTOR_ROOT=$root
real=/sys/module/rill/parameters/family

why() {
	echo "# $*"
	return 1
}
put() { # FILE TEXT, below the root
	{ [ -d "$root/${1%/*}" ] || mkdir -p "$root/${1%/*}"; } && printf '%b' "$2" >"$root/$1"
}
# status WANT ARGUMENT...
status() {
	local want=$1 got
	shift
	timeout "$limit" "$rill" doctor "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	[ $got = "$want" ] || why "rill doctor $*: exit status $got, not $want"
}
# says RESULT CHECK WORDS: such a line is there.
says() {
	grep -qE "^$1 +$2 .*$3" "$tmp/out" || why "no \"$1 $2 ... $3\""
}
# A machine on which all is well, but for what a case adds. The module is not there.
machine() {
	rm -rf "$root"
	mkdir -p "$root"/{lib/modules/"$kernel"/updates,proc/{sys/kernel,self},sys/module/module/parameters} &&
		put "lib/modules/$kernel/updates/rill.ko" "x\0vermagic=$kernel SMP\0" &&
		put "lib/modules/$kernel/modules.dep" "updates/rill.ko:\n" &&
		put proc/sys/kernel/modprobe "/sbin/modprobe\n" &&
		put proc/sys/kernel/modules_disabled "0\n" &&
		put proc/self/status "Name:\tx\nSeccomp:\t0\n" &&
		put sys/module/module/parameters/sig_enforce "N\n"
}
with_module() { # [FAMILY]
	put sys/module/rill/parameters/family "${1:-$(<"$real")}\n" &&
		put sys/module/rill/version "9.8\n"
}

n=0
failed=0
total=$(grep -cE '^t(_module)? [a-z_]+ "' "${BASH_SOURCE[0]}")
echo "TAP version 13"
echo "1..$total"
# t FUNCTION TITLE
t() {
	n=$((n + 1))
	: >"$tmp/out"
	: >"$tmp/err"
	if machine && "$1"; then
		echo "ok $n - $2"
	else
		sed 's/^/# /' "$tmp/out" "$tmp/err"
		echo "not ok $n - $2"
		failed=1
	fi
}
# As t, for what needs the module.
t_module() {
	if [ -e "$real" ]; then
		t "$@"
	else
		n=$((n + 1))
		echo "ok $n - $2 # SKIP the rill module is not loaded"
	fi
}

well() {
	with_module || return
	status 0 && says ok module 'version 9.8' && says ok family "$(cat "$real")" &&
		says ok socket works && says ok file 'is for this kernel' &&
		says ok autoload /sbin/modprobe && says ok signature 'without' &&
		says note diag 'not loaded' || return
	put sys/module/rill_diag/version "1\n"
	status 0 && says ok diag 'is loaded'
}
not_loaded() {
	status 1 && says problem module 'not loaded' && says problem socket '' &&
		says ok file '' && says ok autoload '' || return
	grep -qE '^(note|problem) +family ' "$tmp/out" || why "no word of families"
}
# No kernel has a family of this number.
no_socket() {
	with_module 250
	put proc/self/status "Name:\tx\nSeccomp:\t2\n"
	status 1 && says ok module '' && says problem socket 'family 250.*has a seccomp filter'
}
no_file() {
	rm -r "${root:?}/lib"
	status 1 && says problem file 'no rill.ko below' || return
	put "lib/modules/1.2.3-other/extra/rill.ko.xz" x
	status 1 && says problem file 'only for another: .*/1.2.3-other/extra/rill.ko.xz' || return
	with_module 18
	status "$([ -e "$real" ] && echo 0 || echo 1)" && says note file 'only for another'
}
compressed() {
	local end
	for end in xz zst gz; do
		rm "$root/lib/modules/$kernel/updates/"*
		put "lib/modules/$kernel/updates/rill.ko.$end" x
		put "lib/modules/$kernel/modules.dep" "updates/rill.ko.$end:\n"
		status 1 && says ok file "rill.ko.$end; which kernel" || return
	done
}
vermagic() {
	put "lib/modules/$kernel/updates/rill.ko" "\0vermagic=1.2.3 SMP\0"
	status 1 && says problem file 'is for kernel 1.2.3, but'
}
no_dep() {
	put "lib/modules/$kernel/modules.dep" "kernel/krill.ko:\nupdates/rill_diag.ko: x\n"
	status 1 && says problem file 'modules.dep does not'
}
disabled() {
	put proc/sys/kernel/modules_disabled "1\n"
	status 1 && says problem autoload 'modules_disabled=1'
}
no_modprobe() {
	put proc/sys/kernel/modprobe "\n"
	status 1 && says problem autoload 'no program'
}
blacklist() {
	local dir line
	for dir in etc run usr/local/lib usr/lib lib; do
		for line in "blacklist rill" "install rill /bin/false" "alias net-pf-18 off" \
			    "blacklist net-pf-18" "  blacklist\trill"; do
			machine
			put "$dir/modprobe.d/a.conf" "# one\n$line\n"
			status 1 && says problem autoload "$dir/modprobe.d/a.conf" || return
		done
	done
	machine
	put etc/modprobe.d/a.conf "# blacklist rill\nblacklist krill\noptions rill family=22\n"
	put etc/modprobe.d/a.conf.bak "blacklist rill\n"
	status 1 && says ok autoload ''
}
# Of two files of one name the first in modprobe's order counts.
masked() {
	local pair
	for pair in "etc run" "run usr/local/lib" "usr/local/lib usr/lib" "usr/lib lib" "etc lib"; do
		machine
		put "${pair% *}/modprobe.d/a.conf" "# nothing\n"
		put "${pair#* }/modprobe.d/a.conf" "blacklist rill\n"
		status 1 && says ok autoload '' || return
		put "${pair#* }/modprobe.d/b.conf" "blacklist rill\n"
		status 1 && says problem autoload "${pair#* }/modprobe.d/b.conf" || return
		machine
		put "${pair% *}/modprobe.d/a.conf" "blacklist rill\n"
		put "${pair#* }/modprobe.d/a.conf" "# nothing\n"
		status 1 && says problem autoload "${pair% *}/modprobe.d/a.conf" || return
	done
}
command_line() {
	local option
	for option in modprobe.blacklist=rill modprobe.blacklist=x,rill module_blacklist=rill,x; do
		put proc/cmdline "ro quiet $option splash\n"
		status 1 && says problem autoload "/proc/cmdline: ${option%=*}=rill" || return
	done
	put proc/cmdline "modprobe.blacklist=krill,rill_x module_blacklist= blacklist=rill rill\n"
	status 1 && says ok autoload ''
}
signatures() {
	put sys/module/module/parameters/sig_enforce "Y\n"
	status 1 && says problem signature 'sig_enforce.*no signature' &&
		grep -q 'mokutil --import' "$tmp/out" || return
	put "lib/modules/$kernel/updates/rill.ko" \
		"\0vermagic=$kernel SMP\0 ~Module signature appended~\n"
	status 1 && says note signature sig_enforce || return
	put sys/module/module/parameters/sig_enforce "N\n"
	put sys/kernel/security/lockdown "none [integrity] confidentiality\n"
	put sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c \
		'\006\0\0\0\001'
	status 1 && says note signature 'lockdown, Secure Boot is on' || return
	put sys/kernel/security/lockdown "[none] integrity confidentiality\n"
	status 1 && says ok signature 'though Secure Boot'
}
lsm() {
	put sys/fs/selinux/enforce 1
	put sys/module/apparmor/parameters/enabled "Y\n"
	status 1 && says note lsm 'SELinux is in force.*class socket' &&
		says note lsm 'AppArmor.*network ash' || return
	# By the number that the module has.
	with_module 13
	status "$([ -e "$real" ] && [ "$(cat "$real")" = 13 ] && echo 0 || echo 1)" &&
		says note lsm 'AppArmor.*network netbeui' &&
		grep -q 'the line "network netbeui,"' "$tmp/out" || return
	rm -r "$root/sys/module/rill"
	put sys/fs/selinux/enforce 0
	put sys/module/apparmor/parameters/enabled "N\n"
	status 1 && says note lsm permissive || return
	! grep -q AppArmor "$tmp/out" || why "AppArmor is off"
}
# unit RESULT WORDS LINES...: as systemctl says these.  It writes a list of what is
# forbidden with a "~", one of what is allowed, as "none" is, without; no list is "~".
unit() {
	local result=$1 words=$2
	shift 2
	mkdir -p "$tmp/bin"
	{
		echo '#!/bin/sh'
		printf 'echo "%s"\n' "$@"
	} >"$tmp/bin/systemctl"
	chmod 755 "$tmp/bin/systemctl"
	PATH=$tmp/bin:$PATH status 1 --unit x.service && says "$result" unit "x.service: .*$words"
}
units() {
	unit problem 'shuts out family 18' "RestrictAddressFamilies=AF_UNIX AF_INET" &&
		unit problem 'shuts out family' "RestrictAddressFamilies=" &&
		unit problem 'shuts out family' "RestrictAddressFamilies=~AF_ASH" &&
		unit ok 'lets AF_ASH' "RestrictAddressFamilies=AF_UNIX AF_ASH" &&
		unit ok 'lets AF_ASH' "RestrictAddressFamilies=~AF_INET" &&
		unit ok 'no Restrict' "RestrictAddressFamilies=~" &&
		unit ok 'no Restrict' "LoadState=loaded" &&
		unit problem 'out socket' "SystemCallFilter=read socketpair write" &&
		unit problem 'out socket' "SystemCallFilter=~mount socket" &&
		unit ok 'lets socket' "SystemCallFilter=read socket write" &&
		unit problem 'out socket' "SystemCallFilter=" &&
		unit ok 'no SystemCall' "SystemCallFilter=~" &&
		unit note 'PrivateNetwork' "PrivateNetwork=yes" &&
		unit problem 'no such unit' "LoadState=not-found" || return
	rm "$tmp/bin/systemctl"
	# A PATH of nothing but what status() takes.
	ln -sf "$(command -v timeout)" "$tmp/bin/timeout"
	local old=$PATH
	PATH=$tmp/bin
	timeout "$limit" "$rill" doctor -u x.service >"$tmp/out" 2>"$tmp/err"
	PATH=$old
	says problem unit 'there is no systemctl'
}
json() {
	put etc/modprobe.d/'a"\\b.conf' "blacklist rill\n"
	status 1 --json || return
	"$json_check" <"$tmp/out" || why "no JSON" || return
	grep -q '"check":"autoload","result":"problem"' "$tmp/out" || why "not in it"
}
usage() {
	local bad
	for bad in --nonsense word -u --unit=; do
		status 2 "$bad" || return
	done
	status 0 --help && grep -q '^usage: rill doctor' "$tmp/out" || return
	status 0 --version && grep -qE '^rill doctor [0-9]' "$tmp/out" || why "--version"
}

t_module well "all is well"
t not_loaded "not loaded"
t no_socket "loaded, but socket() does not work"
t no_file "no file, or of another kernel only"
t compressed "compressed files"
t vermagic "built for another kernel"
t no_dep "modules.dep does not have it"
t disabled "kernel.modules_disabled"
t no_modprobe "no kernel.modprobe"
t blacklist "modprobe.d"
t masked "modprobe.d: files of one name"
t command_line "the kernel's command line"
t signatures "signatures, lockdown, Secure Boot"
t lsm "SELinux, AppArmor"
t units "--unit"
t json "--json"
t usage "wrong options, --help, --version"
exit $failed
