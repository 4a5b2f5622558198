#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Every errno that rill(7) promises is provoked by some test.
#
# The page's ERRORS section has one .Ss for each call (or group of calls), and
# in it ".It Bq Er ENAME" items.  A test says that it asserts one with a comment
# on the line of the assertion, or within the three lines above it:
#	errno: CALL ENAME[, CALL ENAME]...
# in C as a C comment, in shell behind a '#'.  A tag whose ENAME is not in the
# code next to it is a lie and fails.  In files that have no tags at all, an
# ENAME within six lines of "CALL(" counts.
#
# Needs no module.  The page: argument 1, else $RILL_MAN, else the source tree's.
set -u

here=$(cd "$(dirname "$0")" && pwd)
page=${1:-${RILL_MAN:-$here/../userspace/man/rill.7}}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 4
}

[ -r "$page" ] || skip_all "$page cannot be read: set RILL_MAN to rill.7"
set -- "$here"/*.c "$here"/*.sh
[ -e "$1" ] || skip_all "the sources of the tests are not here"
sources=
for f in "$@"; do
	[ "$f" = "$here/errno_cover.sh" ] || sources="$sources $f"
done

echo "TAP version 13"
# shellcheck disable=SC2086 # a list of names without blanks
awk -v page="$page" '
function base(f) {
	sub(/.*\//, "", f)
	return f
}

# Calls that the title of a subsection names; an alias counts for its group.
function calls_of(title, list,    i, n, w, word, out) {
	gsub(/[^a-z0-9_]+/, " ", title)
	n = split(title, w, " ")
	for (i = 1; i <= n; i++) {
		word = w[i]
		if (word in known)
			out = out " " word
	}
	return out
}

BEGIN {
	n = split("socket socketpair bind listen accept accept4 connect " \
		  "shutdown close send sendto sendmsg sendmmsg write writev " \
		  "recv recvfrom recvmsg recvmmsg read readv poll select " \
		  "getsockopt setsockopt getsockname getpeername ioctl " \
		  "splice sendfile insmod modprobe", k, " ")
	for (i = 1; i <= n; i++)
		known[k[i]] = 1
	# One kernel path, many names: any of them proves the errno.
	group["send"] = group["sendto"] = group["sendmsg"] = "send"
	group["sendmmsg"] = group["write"] = group["writev"] = "send"
	group["recv"] = group["recvfrom"] = group["recvmsg"] = "recv"
	group["recvmmsg"] = group["read"] = group["readv"] = "recv"
	group["accept4"] = "accept"
	group["insmod"] = group["modprobe"] = "insmod"
}

function g(call) {
	return (call in group) ? group[call] : call
}

FILENAME == page {
	if ($1 == ".Sh")
		errors = ($2 == "ERRORS")
	else if (errors && $1 == ".Ss") {
		title = $0
		sub(/^\.Ss +/, "", title)
		section = calls_of(title)
		shown = title
	} else if (errors && /^\.It Bq Er E/) {
		want[++wants] = section "|" $4 "|" shown
	}
	next
}

{
	if (FILENAME != file) {
		file = FILENAME
		files[++nfiles] = file
	}
	line[file, FNR] = $0
	last[file] = FNR
	if (match($0, /errno: [a-z]/))
		tagged[file] = 1
}

function code(s) {
	gsub(/\/\*[^*]*\*\//, "", s)
	sub(/\/\*.*/, "", s)
	sub(/^ *\*.*/, "", s)
	sub(/^[ \t]*#.*/, "", s)
	return s
}

# EAFNOSUPPORT is 97 where a shell script can see only the number.
function mentions(s, e) {
	s = code(s)
	if (match(s, "(^|[^A-Z])" e "([^A-Z]|$)"))
		return 1
	return (e == "EEXIST" && s ~ /File exists/) ||
	       (e == "EINVAL" && s ~ /Invalid/) ||
	       (e == "EAFNOSUPPORT" && s ~ /97/)
}

function near(f, i, e, before, after,    j) {
	for (j = i - before; j <= i + after; j++)
		if (mentions(line[f, j], e))
			return 1
	return 0
}

function read_tags(    a, f, i, rest, n, t, j, p) {
	for (a = 1; a <= nfiles; a++) {
		f = files[a]
		for (i = 1; i <= last[f]; i++) {
			rest = line[f, i]
			if (!match(rest, /errno: [a-z]/))
				continue
			rest = substr(rest, RSTART + 7)
			sub(/\*\/.*/, "", rest)
			n = split(rest, t, /, */)
			for (j = 1; j <= n; j++) {
				if (split(t[j], p, " ") < 2)
					continue
				if (p[2] !~ /^E[A-Z0-9]+$/)
					continue
				has[g(p[1]), p[2]] = base(f) ":" i
				if (!near(f, i, p[2], 0, 6))
					lies[++nlies] = base(f) ":" i ": " p[1] " " p[2]
			}
		}
	}
}

# The weaker proof, for files that carry no tags.
function untagged(call, e,    a, f, i, j) {
	for (a = 1; a <= nfiles; a++) {
		f = files[a]
		if (f in tagged)
			continue
		for (i = 1; i <= last[f]; i++) {
			if (!mentions(line[f, i], e))
				continue
			for (j = i - 6; j <= i + 6; j++)
				if (match(code(line[f, j]), "(^|[^a-z])" call "4?([^a-z]|$)"))
					return base(f) ":" i
		}
	}
	return ""
}

END {
	if (!wants) {
		print "1..1"
		print "# " page " has no \".It Bq Er\" items under ERRORS"
		print "not ok 1 rill(7) lists its errors"
		exit 1
	}
	read_tags()
	print "1.." wants + 1
	for (i = 1; i <= wants; i++) {
		split(want[i], p, "|")
		n = split(p[1], c, " ")
		found = ""
		if (n == 0) {		# "any call": whoever asserts it
			for (key in has) {
				split(key, kp, SUBSEP)
				if (kp[2] == p[2])
					found = has[key]
			}
		}
		for (j = 1; j <= n && found == ""; j++)
			if ((g(c[j]), p[2]) in has)
				found = has[g(c[j]), p[2]]
		for (j = 1; j <= n && found == ""; j++)
			found = untagged(c[j], p[2])
		if (found == "") {
			print "# no test asserts it; add /* errno: " \
				(n ? c[1] : "CALL") " " p[2] " */ to one that does"
			failed++
		}
		printf "%sok %d %s: %s%s\n", found == "" ? "not " : "", i, \
			p[3], p[2], found == "" ? "" : " (" found ")"
	}
	for (i = 1; i <= nlies; i++)
		print "# the tag is not at an assertion: " lies[i]
	printf "%sok %d every tag stands at an assertion\n", \
		nlies ? "not " : "", wants + 1
	exit failed || nlies ? 1 : 0
}
' "$page" $sources
