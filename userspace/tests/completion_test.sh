#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Completion for bash, with a table of names made up for it: what others have bound
# is never run, and each name comes back as one word. Needs no module. Prints TAP.
#
#	completion_test.sh OUTPUT	(where "make all" has built)
set -uo pipefail

src=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$(cd "${1:?usage: completion_test.sh OUTPUT}" && pwd)
PATH=$out/bin:$out/rillcat:$PATH
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
# What a glob would find here.
: >found

# shellcheck disable=SC2016 # that is what they are called
names=('plain/one' 'plain/two' '$(touch ran1)' '`touch ran2`' '$(touch${IFS}ran3)' '*' '$HOME'
	'two  blanks ' "it's" 'a;touch ran4' 'a&b|c>ran5' '"quoted"' 'back\slash' '~' '{x,y}'
	$'latin\xe9')
{
	echo 'Type State Inode Peer Recv-Q Send-Q Uid Name'
	for name in "${names[@]}" -h --help -; do
		echo "stream LISTEN 12 0 0 0 1000 $name"
	done
} >table
# shellcheck source=/dev/null
. <(sed "s,/proc/net/rill,$tmp/table,g" "$src/completion/rill")

n=0
failed=0
why() {
	echo "# $*"
	return 1
}
check() { # FUNCTION TITLE
	n=$((n + 1))
	if "$1" && ! compgen -G 'ran*' >/dev/null; then
		echo "ok $n - $2"
	else
		compgen -G 'ran*' | sed 's/^/# was run: /'
		rm -f ran*
		echo "not ok $n - $2"
		failed=1
	fi
}
# complete_words WORD...: as the line is when Tab is pressed, the last one unfinished.
complete_words() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	"_$1"
}
# offers WANT WORD...: those, and no others.
offers() {
	local want=$1
	shift
	complete_words "$@"
	[ "${COMPREPLY[*]}" = "$want" ] || why "$*: '${COMPREPLY[*]}', not '$want'"
}

# Each, and back to what it was when the shell reads the line.
hostile() {
	local line word got=()
	complete_words "$@" ''
	[ ${#COMPREPLY[@]} -eq ${#names[@]} ] ||
		why "${#COMPREPLY[@]} words for ${#names[@]} names: ${COMPREPLY[*]}" || return
	for word in "${COMPREPLY[@]}"; do
		eval "line=($word)"
		[ ${#line[@]} -eq 1 ] || why "$word is ${#line[@]} words" || return
		got+=("${line[0]}")
	done
	diff <(printf '%s\n' "${names[@]}" | sort) <(printf '%s\n' "${got[@]}" | sort)
}
hostile_rillcat() { hostile rillcat; }
hostile_ss() { hostile rill ss name && hostile rill ss -a src && hostile rill ss state all dst; }
begun() {
	offers "plain/one plain/two" rillcat plain/ && offers "it\\'s" rillcat it &&
		offers "it\\'s" rillcat "it\\'" && offers 'two\ \ blanks\ ' rillcat 'two\ ' &&
		offers '\$\(touch\ ran1\)' rillcat '$(touch ' && offers '' rillcat nobody
}
words() {
	offers "stat" rill sta && offers "run" rill ru && offers "--help" rill --h &&
		offers "--only" rill run --on && offers "--json" rill ss --j &&
		offers "--recv" rillcat --rec
}
filters() {
	offers "state exclude name src dst" rill ss '' && offers "exclude" rill ss -a e &&
		offers "name" rill ss state all n &&
		offers "connected connecting listening closed all" rill ss state '' &&
		offers "closed" rill ss name x exclude cl
}
run_options() {
	local option
	for option in -o --only; do
		offers "unix" rill run "$option" un || return
	done
	offers "unix" rill run --only = un && offers "unix tcp udp" rill run --only = &&
		offers "" rill run -r '' && offers "" rill run --map unix : /x || return
	# Behind an argument, in one piece or more, stands a command.
	_command_offset() { COMPREPLY=("command:$1"); }
	for option in -r --receive -t --send -o --only -m --map; do
		offers "command:4" rill run "$option" x cmd '' || return
	done
	offers "command:5" rill run --only = unix cmd '' &&
		offers "command:10" rill run -m tcp : 127.0.0.1 : 6379 = '!' cmd '' &&
		offers "command:3" rill run -v cmd ''
}

echo "TAP version 13"
check hostile_rillcat "rillcat: names that look like commands"
check hostile_ss "rill ss: names that look like commands"
check begun "names that are begun"
check words "commands and options"
check filters "rill ss: what the filter is made of"
check run_options "rill run: options with arguments"
echo "1..$n"
exit $failed
