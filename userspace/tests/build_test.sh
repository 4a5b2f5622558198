#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What others build on: the symbols, the headers in C and C++, pkg-config, an
# installation, and a manual page for each call. Needs no module. Prints TAP.
#
#	build_test.sh OUTPUT	(where "make all" has built)
set -euo pipefail

src=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$(cd "${1:?usage: build_test.sh OUTPUT}" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

n=0
failed=0
# check TITLE COMMAND...: the command succeeds; what it says is shown otherwise.
check() {
	local title=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/log" 2>&1; then
		echo "ok $n - $title"
	else
		sed 's/^/# /' "$tmp/log"
		echo "not ok $n - $title"
		failed=1
	fi
}
skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

map_symbols() {
	sed -n 's/^\t\(rill_[a-z_]*\);$/\1/p' "$src/lib/librill.map" | sort
}

symbols() {
	diff <(map_symbols) \
		<(nm -D --defined-only "$out/lib/librill.so" |
			awk '$2 == "T" { print $3 }' | sed 's/@.*//' | sort)
}
versions() {
	! nm -D --defined-only "$out/lib/librill.so" | grep ' T ' | grep -v '@@RILL_0\.1$'
}
soname() {
	[ "$(objdump -p "$out/lib/librill.so" | awk '$1 == "SONAME" { print $2 }')" = librill.so.0 ]
}
# The names that a program linked with the archive could clash with.
archive() {
	! nm -g --defined-only "$out/lib/librill.a" | awk 'NF == 3 { print $3 }' | grep -v '^rill_'
}
declared() {
	diff <(map_symbols) <(sed -n '/^ \*/d; s/^[a-z].*[ *]\(rill_[a-z_]*\)(.*/\1/p' "$src/lib/rill.h" | sort)
}
# Every call has its line, and each still is what it was.
abi() {
	diff <(map_symbols) \
		<(sed -n 's/^CALL(\(rill_[a-z_]*\),.*/\1/p' "$src/tests/abi_test.c" | sort) &&
		cc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -I"$out/include" \
			"$src/tests/abi_test.c"
}
manual() {
	diff <(map_symbols) <(sed -n 's/^\.Nm \(rill_[a-z_]*\).*/\1/p' "$src/man/librill.3" | sort) &&
		diff <(map_symbols) <(sed -n 's/^\.Fn \(rill_[a-z_]*\) \(".*\|void\)/\1/p' "$src/man/librill.3" | sort)
}

installed=$tmp/root
use_c='#include <rill/rill.h>
int main(void) { return rill_explain(2) == 0 || (rill_family() < 0 && !*rill_version()); }'

do_install() {
	make --no-print-directory -C "$src" OUTPUT="$out" DESTDIR="$installed" PREFIX=/opt/rill install
}
files() {
	local f
	for f in bin/rillcat bin/rill lib/librill.so lib/librill.so.0 lib/librill.a \
		lib/pkgconfig/librill.pc include/rill/rill.h include/linux/rill.h \
		share/man/man1/rillcat.1 share/man/man3/librill.3 \
		share/man/man3/rill_connect.3 share/man/man7/rill.7; do
		[ -e "$installed/opt/rill/$f" ] || { echo "$f is missing"; return 1; }
	done
	[ "$(find "$installed/opt/rill/share/man/man3" -name 'rill_*.3' | wc -l)" = "$(map_symbols | wc -l)" ]
}
# A place of its own is not for the linker to know; the system is.
linker() {
	local install="make --no-print-directory -n -C $src OUTPUT=$out PREFIX=/opt/rill install"
	$install DESTDIR= | grep -qx ldconfig && ! $install DESTDIR=/x | grep ldconfig
}
# Debian's file names the licence that is in each file's head.
copyright() {
	local top=$src/.. patterns dir file of=()
	patterns=$(awk -v RS= '/^Files:/ && /\nLicense: LGPL/' "$top/debian/copyright" |
		sed -n '/^Copyright:/q; s/^Files://; p')
	cd "$top" || return
	while IFS= read -r file; do
		set -f
		for dir in $patterns; do
			# shellcheck disable=SC2053 # a pattern
			[[ $file != $dir ]] || of+=("$file")
		done
		set +f
	done < <(find userspace -name build -prune -o -name __pycache__ -prune -o -type f -print)
	diff <(printf '%s\n' "${of[@]}" | sort) <(grep -rlE --exclude-dir=build \
		--exclude-dir=__pycache__ '^[^ ]+ SPDX-License-Identifier: LGPL' userspace | sort)
}
# What pkg-config says is enough, and the program runs.
pkgconfig() {
	local flags
	printf '%s\n' "$use_c" >"$tmp/use.c"
	flags=$(PKG_CONFIG_PATH=$installed/opt/rill/lib/pkgconfig \
		PKG_CONFIG_SYSROOT_DIR=$installed pkg-config --cflags --libs librill)
	# shellcheck disable=SC2086 # a list
	${CC:-cc} -Wall -Wextra -Werror -o "$tmp/use" "$tmp/use.c" $flags &&
		LD_LIBRARY_PATH=$installed/opt/rill/lib "$tmp/use"
}
static() {
	printf '%s\n' "$use_c" >"$tmp/use.c"
	${CC:-cc} -Wall -Wextra -Werror -I"$installed/opt/rill/include" -o "$tmp/use" \
		"$tmp/use.c" "$installed/opt/rill/lib/librill.a" &&
		"$tmp/use" && ! ldd "$tmp/use" | grep librill
}
header() { # compiler option...
	local compiler=$1
	shift
	"$compiler" "$@" -Wall -Wextra -Werror -fsyntax-only -I"$out/include" - <<<"$use_c"
}
outputs() { # another OUTPUT, called from elsewhere
	(cd / && make --no-print-directory -f "$src/Makefile" OUTPUT="$tmp/other" \
		"$tmp/other/rillcat/rillcat") && [ -x "$tmp/other/rillcat/rillcat" ]
}
cleans() {
	mkdir -p "$tmp/other" && touch "$tmp/other/mine" &&
		make --no-print-directory -C "$src" OUTPUT="$tmp/other" clean &&
		[ "$(ls "$tmp/other")" = mine ]
}
usage_errors() {
	local rc args
	for args in "" "a b" "-x a" "-w 0 a" "-w nan a" "-m 1000 -l a" "-m 666 a" \
		"-k a" "-s -u a" "-q -1 -l a" "-q 1 -u -l a" "-z -l a" "-B 5 a" \
		"-u -l -k --send f a" "--send" "-z --recv f a"; do
		rc=0
		# shellcheck disable=SC2086 # a list
		"$out/rillcat/rillcat" $args >/dev/null 2>"$tmp/err" </dev/null || rc=$?
		[ "$rc" = 2 ] || { echo "rillcat $args: exit status $rc, not 2"; return 1; }
		[ -s "$tmp/err" ] || { echo "rillcat $args: says nothing"; return 1; }
	done
	"$out/rillcat/rillcat" --help | grep -q usage &&
		"$out/rillcat/rillcat" --version | grep -q "0\.1\.0"
}
no_module() {
	local rc=0
	"$out/rillcat/rillcat" name </dev/null 2>"$tmp/err" || rc=$?
	[ "$rc" = 1 ] && grep -q 'modprobe rill' "$tmp/err"
}
ss_no_module() {
	local rc=0
	"$out/bin/rill" ss 2>"$tmp/err" || rc=$?
	cat "$tmp/err"
	[ "$rc" = 1 ] && [ "$(grep -o 'modprobe rill' "$tmp/err" | wc -l)" = 1 ]
}

echo "TAP version 13"
check "the shared library exports what the map says" symbols
check "every symbol has its version" versions
check "the soname" soname
check "the archive defines rill_ names only" archive
check "the header declares every symbol" declared
check "the ABI: calls, constants and layouts are what they were" abi
check "librill(3) lists every symbol and its arguments" manual
check "rill.h in C11" header cc -std=c11 -D_POSIX_C_SOURCE=200809L -pedantic -x c
check "rill.h in C99" header cc -std=c99 -D_POSIX_C_SOURCE=200809L -pedantic -x c
if command -v c++ >/dev/null; then
	check "rill.h in C++" header c++ -std=c++11 -pedantic -x c++
	check "rill.h in C++20" header c++ -std=c++20 -pedantic -x c++
else
	skip "rill.h in C++" "no C++ compiler"
	skip "rill.h in C++20" "no C++ compiler"
fi
check "make install" do_install
check "make install: the files" files
check "make install: the linker's cache" linker
if [ -e "$src/../debian/copyright" ]; then
	check "debian/copyright names each file's licence" copyright
else
	skip "debian/copyright names each file's licence" "no debian/copyright"
fi
if command -v pkg-config >/dev/null; then
	check "a program built with pkg-config" pkgconfig
else
	skip "a program built with pkg-config" "no pkg-config"
fi
check "a program linked with the archive" static
check "another OUTPUT, from another directory" outputs
check "make clean removes what was made and nothing else" cleans
check "rillcat: wrong usage" usage_errors
if [ -e /sys/module/rill/parameters/family ]; then
	skip "rillcat: no module" "the module is loaded here"
	skip "rill ss: no module" "the module is loaded here"
else
	check "rillcat: no module" no_module
	check "rill ss: no module" ss_no_module
fi
echo "1..$n"
exit "$failed"
