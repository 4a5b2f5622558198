# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Disks for the guest: a Debian 12 with the packages that a test needs, made by
# mmdebstrap, kept in the cache as
#
#	disk/NAME-HASH.ext2	HASH is of the packages' names and versions
#
# The guest gets a snapshot of it (scripts/vm --disk), and runs programs in it
# with disk.sh, so that the file stays as it was made.

disk_packages=(mmdebstrap genext2fs e2fsprogs)

_disk_make() { # file size-in-MiB package...
	local file=$1 size=$2 sources=$1.list new=$1.new.ext2 packages
	shift 2
	packages=$(IFS=,; echo "$*")
	rm -f "$new"
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' | sort -u >"$sources"
	mmdebstrap --variant=apt --include="$packages" \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--setup-hook='mkdir -p "$1/usr/sbin"; printf "#!/bin/sh\nexit 101\n" \
			>"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
		bookworm "$new" "$sources" || return
	# What it made has no room to spare, and the tests write.
	truncate -s "${size}M" "$new" || return
	e2fsck -fy "$new" || [ $? -le 2 ] || return
	resize2fs "$new" || return
	rm -f "$sources"
	mv "$new" "$file"
}

# Another run may have made it while this one waited.
_disk_fill() { # name file size-in-MiB package...
	[ ! -e "$2" ] || return 0
	rm -f "$rill_cache/disk/$1-"*
	step "making the disk \"$1\" (this once; a minute or three)" _disk_make "${@:2}"
}

# disk_use NAME SIZE PACKAGE...: sets disk, a file of SIZE MiB at most.
disk_use() {
	local name=$1 size=$2 hash
	shift 2
	kernel_need_lists
	need_packages "${disk_packages[@]}"
	hash=$({
		echo "$size"
		apt-cache policy "$@" | grep -E '^[^ ]|Candidate:'
		cat "$rill_top/scripts/lib/disk.sh"
	} | sha256sum | cut -c 1-12)
	disk=$rill_cache/disk/$name-$hash.ext2
	[ ! -e "$disk" ] || return 0
	locked "$rill_cache/disk/.lock" _disk_fill "$name" "$disk" "$size" "$@" ||
		die "could not make the disk \"$name\"; try apt-get update"
}
