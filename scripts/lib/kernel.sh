# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034
#
# The kernels of the tests and what modules for them are built with, in the cache.
# Debian's, unpacked (kernel-build.sh has those that are built here):
#
#	kernel/NAME_VERSION/	boot/, lib/modules/, usr/src/ (the headers)
#	kernel/for-FLAVOUR	a link to the one that FLAVOUR means today
#	source/VERSION/		of linux-source-6.1: kselftest, checkpatch
#	apt/			apt's lists for releases the machine does not follow
#
# Nothing is installed on the machine itself.  A directory is filled under
# another name and renamed, so that what exists is whole.
#
# kernel_use FLAVOUR sets:
#	krel	as uname -r says it		kdir	its directory
#	kimage	the kernel to boot		khdr	the headers to build with
#	karch	x86_64, or um for User-Mode Linux
#	kdebug	1 where it has lockdep, fault injection, kmemleak
#	kslow	by how much time-outs are longer there: 1, or more for debug builds

# shellcheck source=kernel-build.sh
. "$(dirname "${BASH_SOURCE[0]}")/kernel-build.sh"

kernel_flavours="6.1 (cloud), 6.1-generic, 6.12 (cloud, from bookworm-backports), \
6.12-generic, and built here: 7.2, 7.2-debug, 7.2-kcsan, 7.2-uml"

# kernel_need_lists: have apt's lists, which a fresh machine lacks.
kernel_need_lists() {
	local target
	while read -r target; do
		[ -e "$target" ] && return
	done < <(apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' 2>/dev/null)
	if [ "$(id -u)" -ne 0 ]; then
		say "apt has no package lists; run this, then try again:"
		echo "  sudo apt-get update" >&2
		exit "$EXIT_SETUP"
	fi
	step "fetching apt's lists" apt-get update || die "apt-get update failed"
}

# Options of apt for a release that the machine's own configuration lacks, with
# the mirror that this configuration names.
_apt_private() { # release
	local dir=$rill_cache/apt/$1 uri key='' base=${1%%-*}
	# A mirror has all the releases.
	[ "$base" != sid ] || base=bookworm
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	apt_options=(
		-o "Dir::Etc::sourcelist=$dir/sources.list"
		-o Dir::Etc::sourceparts=-
		-o "Dir::State::Lists=$dir/lists"
		-o "Dir::Cache=$dir/cache"
		-o "APT::Sandbox::User=$(id -un)"
	)
	# The lists change every few hours; a day-old kernel does as well.
	if [ -n "$(find "$dir/fetched" -mtime -1 2>/dev/null)" ]; then
		return
	fi
	uri=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		sed -n "s/^$base //p" | head -n 1)
	[ -n "$uri" ] || die "apt's configuration names no mirror of $base"
	[ ! -e $keyring ] || key="[signed-by=$keyring] "
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	printf 'deb %s%s %s main\n' "$key" "$uri" "$1" >"$dir/sources.list"
	# By itself apt-get is content with half of them; lists/partial/ has what is not whole.
	if step "fetching apt's lists of $1" apt-get "${apt_options[@]}" --error-on=any update; then
		touch "$dir/fetched"
		return
	fi
	[ -n "$(find "$dir/lists" -maxdepth 1 -name '*_Packages*' 2>/dev/null)" ] ||
		die "apt-get could not fetch the lists of $1; try again when the mirror answers"
	say "going on with the lists of an earlier run"
}

_apt_field() { # package field
	apt-cache "${apt_options[@]}" show --no-all-versions "$1" 2>/dev/null |
		sed -n "s/^$2: //p" | head -n 1
}

# The one package among what PACKAGE depends on whose name matches.
_apt_depends() { # package pattern
	_apt_field "$1" Depends | tr -d ' ' | tr ',|' '\n\n' | sed 's/(.*//' |
		grep -E "^$2\$" | head -n 1
}

_deb_unpack() { # directory package=version...
	local dir=$1 deb
	shift
	mkdir -p "$dir/debs"
	if [ "$(id -u)" -eq 0 ]; then
		chmod 755 "$dir" "$dir/debs"
	fi
	(cd "$dir/debs" && apt-get "${apt_options[@]}" -o APT::Sandbox::User="$(id -un)" \
		download "$@") || return
	for deb in "$dir/debs/"*.deb; do
		dpkg -x "$deb" "$dir" || return
	done
	rm -rf "${dir:?}/debs" "${dir:?}/usr/share"
}

_kernel_unpack() { # directory release package...
	local dir=$1 rel=$2 version
	local new=$1.new.$$
	shift 2
	[ ! -d "$dir" ] || return 0
	rm -rf "$dir".new.*
	_deb_unpack "$new" "$@" || return
	# The headers name each other by absolute paths of an installed package.
	sed -i 's,^include /usr/src/,include $(dir $(lastword $(MAKEFILE_LIST)))../,' \
		"$new/usr/src/linux-headers-$rel/Makefile" || return
	rm -f "$new/lib/modules/$rel/build" "$new/lib/modules/$rel/source"
	depmod -b "$new" "$rel" || return
	mv -T "$new" "$dir"
}

_kernel_fetch() { # flavour
	local flavour=$1 meta=amd64 major image headers version kbuild common
	local apt_options=()
	case $flavour in
	*-generic) ;;
	*) meta=cloud-amd64 ;;
	esac
	major=${flavour%-generic}
	case $major in
	6.1) kernel_need_lists ;;
	6.12) kernel_need_lists; _apt_private bookworm-backports ;;
	esac
	image=$(_apt_depends "linux-image-$meta" "linux-image-${major}[.][^ ]*") || true
	[ -n "$image" ] ||
		die "apt offers no linux-image-$meta of version $major; Debian 12 with" \
		    "its usual sources does (run apt-get update if the lists are old)"
	version=$(_apt_field "$image" Version)
	headers=linux-headers-${image#linux-image-}
	common=$(_apt_depends "$headers" 'linux-headers-.*-common.*')
	kbuild=$(_apt_depends "$headers" 'linux-kbuild-.*')
	if [ -z "$common" ] || [ -z "$kbuild" ]; then
		die "apt does not know the headers of $image"
	fi
	krel=${image#linux-image-}
	kdir=$rill_cache/kernel/${krel}_$version
	if [ ! -d "$kdir" ]; then
		step "fetching $image $version and its headers (this once)" \
			_kernel_unpack "$kdir" "$krel" "$image=$version" "$headers" \
			"$common" "$kbuild" ||
			die "could not fetch $image; try apt-get update"
	fi
	ln -sfnT "${kdir##*/}" "$rill_cache/kernel/for-$flavour"
}

kernel_use() { # flavour
	local flavour=$1 link=$rill_cache/kernel/for-$1
	local fetch=_kernel_fetch stale=false lock=$rill_cache/kernel/.lock
	# linux-kbuild's programs need the last two.
	local packages=(kmod libelf1 libssl3)
	karch=x86_64 kslow=1 kdebug=0
	case $flavour in
	6.1 | 6.1-generic | 6.12 | 6.12-generic) ;;
	7.2) ;;
	7.2-debug) kslow=5 kdebug=1 ;;
	7.2-kcsan) kslow=5 ;;
	7.2-uml) karch=um kslow=2 kdebug=1 ;;
	*) usage_error "no kernel \"$flavour\"; there are: $kernel_flavours" ;;
	esac
	case $flavour in
	7.2*)
		fetch=_kernel_build stale="kernel_build_stale $flavour $link"
		lock+=-$flavour
		packages+=(gcc)	# whose version is part of what it is known by
		;;
	esac
	need_packages "${packages[@]}"
	# Ask apt again only when it has new lists.
	if [ ! -d "$link/boot" ] || $stale ||
	   [ /var/lib/apt/lists -nt "$link/boot/.asked" ]; then
		locked "$lock" "$fetch" "$flavour" || exit
		touch "$link/boot/.asked"
	fi
	kdir=$(readlink -f "$link")
	krel=${kdir##*/}
	krel=${krel%%_*}
	kimage=$kdir/boot/vmlinuz-$krel
	khdr=$kdir/usr/src/linux-headers-$krel
	[ -r "$kimage" ] && [ -r "$khdr/Makefile" ] ||
		die "$kdir is damaged: remove it, and it is fetched again"
}

_source_unpack() { # directory package=version
	local dir=$1 new=$1.new.$$
	rm -rf "$dir".new.*
	_deb_unpack "$new/package" "$2" || return
	mkdir "$new/tree"
	tar -xJf "$new/package/usr/src/linux-source-6.1.tar.xz" -C "$new/tree" \
		--strip-components=1 --wildcards --no-wildcards-match-slash \
		'linux-source-6.1/scripts/checkpatch.pl' \
		'linux-source-6.1/scripts/spelling.txt' \
		'linux-source-6.1/scripts/const_structs.checkpatch' \
		'linux-source-6.1/scripts/subarch.include' \
		'linux-source-6.1/tools/testing/selftests/lib.mk' \
		'linux-source-6.1/tools/testing/selftests/*.h' \
		'linux-source-6.1/tools/testing/selftests/*.sh' \
		'linux-source-6.1/tools/testing/selftests/kselftest/*' || return
	mv -T "$new/tree" "$dir"
	rm -rf "$new"
}

_source_fetch() {
	local version apt_options=()
	kernel_need_lists
	version=$(_apt_field linux-source-6.1 Version)
	[ -n "$version" ] || die "apt knows no linux-source-6.1; try apt-get update"
	if [ ! -d "$rill_cache/source/$version" ]; then
		step "fetching linux-source-6.1 $version (this once)" \
			_source_unpack "$rill_cache/source/$version" \
			"linux-source-6.1=$version" ||
			die "could not fetch linux-source-6.1; try apt-get update"
	fi
	ln -sfnT "$version" "$rill_cache/source/current"
	touch "$rill_cache/source/.asked"
}

# source_use: sets ksource, a tree that holds kselftest and checkpatch.
source_use() {
	need_packages xz-utils
	if [ ! -d "$rill_cache/source/current/scripts" ] ||
	   [ /var/lib/apt/lists -nt "$rill_cache/source/.asked" ]; then
		locked "$rill_cache/source/.lock" _source_fetch
	fi
	ksource=$(readlink -f "$rill_cache/source/current")
	ksft=$ksource/tools/testing/selftests
	[ -r "$ksft/lib.mk" ] ||
		die "$ksource is damaged: remove it, and it is fetched again"
}

# our_warnings DIRECTORY LOG: what a module's build in DIRECTORY was warned for; fails
# if for nothing.  Kbuild names its files by relative paths from 6.13 on.  What the
# kernel's own headers are warned for is not ours to mend.
our_warnings() {
	local dir
	dir=$(sed 's/[][\.*^$+?(){}|]/\\&/g' <<<"$1/")
	grep -E -A6 "^($dir|(\./)*)(kmod/|uapi/|rill)[^:]*:.*(warning|error):|^WARNING:" "$2"
}
