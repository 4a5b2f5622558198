# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# The guest's file system: an uncompressed cpio (unpacking costs the emulated
# machine more than loading), with nothing in it that the run does not need.

# Modules of the stock kernel that the guest loads at boot, and others that
# programs in it may ask for.
image_boot_modules=(virtio_pci virtio_console)
image_more_modules=(vsock vsock_loopback vsock_diag tipc tipc_diag unix_diag
	inet_diag tcp_diag udp_diag af_packet_diag fuse veth dummy)

# Programs of the machine that scripts in the guest may want beside busybox.
image_programs=(/usr/bin/kmod /usr/bin/bash)

# image_copy_programs ROOT FILE DEST [FILE DEST]...: copy, with what ldd names.
image_copy() {
	local root=$1 file dest files=()
	shift
	while [ $# -gt 0 ]; do
		file=$1 dest=$root/${2#/}
		shift 2
		mkdir -p "${dest%/*}"
		cp -aL "$file" "$dest"
		if [ -d "$file" ]; then
			while IFS= read -r file; do
				files+=("$file")
			done < <(find "$file" -type f -perm /111)
		else
			files+=("$file")
		fi
	done
	[ ${#files[@]} -eq 0 ] || _image_libraries "$root" "${files[@]}"
}

# The libraries of the dynamic programs among FILEs. ldd takes tens of milliseconds
# for each: it is asked once for all that need the same in the same places.
_image_libraries() { # root file...
	local root=$1 file lib asked
	shift
	mapfile -t asked < <(readelf -W -h -d "$@" /dev/null 2>/dev/null | perl -ne '
		if (/^File: (.*)/) { $file = $1; $key = "" }
		elsif (/^  Class: +(\S+)/ || /\((?:NEEDED|RPATH|RUNPATH)\) +(.*)/) {
			$key .= " $1";
			$key .= " $1" if /\$/ && $file =~ m,(.*)/,;
			$asked{$file} = $key;
		}
		END {
			for (sort keys %asked) {
				print "$_\n" if !$seen{$asked{$_}}++;
			}
		}')
	[ ${#asked[@]} -gt 0 ] || return 0
	while IFS= read -r lib; do
		file=$root$lib
		[ -e "$file" ] && continue
		mkdir -p "${file%/*}"
		cp -L "$lib" "$file"
	done < <(ldd "${asked[@]}" 2>/dev/null |
		sed -nE 's/^[[:space:]]+(.* => )?(\/[^ ]+) \(0x[0-9a-f]+\)$/\2/p' | sort -u)
}

# The files to load for them, in order, below the directory of the kernel's modules;
# a kernel of ours has some built in.
_image_module_paths() { # name...
	{ modprobe -d "$kdir" -S "$krel" --all --show-depends "$@" 2>/dev/null || true; } |
		sed -n "s,^insmod $kdir/lib/modules/$krel/\\([^ ]*\\).*,\\1,p" | awk '!seen[$0]++'
}

# image_init FILE: the guest's PID 1, built when it is not there or old.
_image_init() { # file
	gcc -O2 -Wall -Wextra -Werror -static -o "$1.new" "$rill_top/scripts/guest/init.c" &&
		mv "$1.new" "$1"
}

# image_base ROOT: everything but the project's own files.
image_base() {
	local root=$1 dir name file programs=()
	local mods=$root/usr/lib/modules/$krel

	mkdir -p "$root"/{dev,proc,sys,tmp,run,root,var/tmp,etc/rill,etc/modprobe.d,rill/bin} \
		"$root"/usr/{bin,sbin,lib,lib32,lib64,libx32} "$mods"
	for dir in bin sbin lib lib32 lib64 libx32; do
		ln -s "usr/$dir" "$root/$dir"
	done
	ln -s ../proc/self/mounts "$root/etc/mtab"
	ln -s ../run "$root/var/run"
	# /dev/console and /dev/null come with the kernel's own first cpio.

	if [ ! -e "$rill_build/guest/init" ] ||
	   [ "$rill_top/scripts/guest/init.c" -nt "$rill_build/guest/init" ]; then
		mkdir -p "$rill_build/guest"
		locked "$rill_build/guest/.lock" \
			step "building the guest's init" _image_init "$rill_build/guest/init" ||
			die "could not build scripts/guest/init.c"
	fi
	cp "$rill_build/guest/init" "$root/init"

	cp -L "$(command -v busybox)" "$root/usr/bin/busybox"
	"$root/usr/bin/busybox" --list | env -C "$root/usr/bin" perl -lne '
		$_ eq "busybox" || symlink("busybox", $_) || die "$_: $!\n"'
	for file in "${image_programs[@]}"; do
		programs+=("$file" "$file")
	done
	image_copy "$root" "${programs[@]}"
	for name in modprobe insmod rmmod lsmod modinfo depmod; do
		rm -f "$root/usr/bin/$name"
		ln -s ../bin/kmod "$root/usr/sbin/$name"
	done

	# Compressed ones are unpacked here: not every kernel does it for init.
	_image_module_paths "${image_boot_modules[@]}" "${image_more_modules[@]}" |
		(cd "$kdir/lib/modules/$krel" && xargs -r cp --parents -t "$mods")
	find "$mods" -name '*.xz' -exec xz -d {} +
	_image_module_paths "${image_boot_modules[@]}" |
		sed "s,^,/lib/modules/$krel/,; s,[.]xz\$,," >"$root/etc/rill/modules"
	for file in modules.builtin modules.builtin.modinfo modules.order; do
		cp "$kdir/lib/modules/$krel/$file" "$mods/"
	done
	cp "$kdir/boot/config-$krel" "$root/rill/config"

	cat >"$root/etc/passwd" <<-END
	root:x:0:0:root:/root:/bin/sh
	user:x:1000:1000:user:/tmp:/bin/sh
	nobody:x:65534:65534:nobody:/:/bin/sh
	END
	cat >"$root/etc/group" <<-END
	root:x:0:
	user:x:1000:
	nogroup:x:65534:
	END
	echo 'passwd: files' >"$root/etc/nsswitch.conf"
	echo '127.0.0.1 localhost' >"$root/etc/hosts"
}

# image_project ROOT: the module, the tests, the programs: what was built of it.
image_project() {
	local root=$1 file
	local mods=$root/usr/lib/modules/$krel args=()

	for file in rill.ko rill_diag.ko; do
		[ -e "$rill_build/$krel/$file" ] || continue
		mkdir -p "$mods/updates"
		cp "$rill_build/$krel/$file" "$mods/updates/"
		ln -s "../lib/modules/$krel/updates/$file" "$root/rill/$file"
	done
	for file in "$rill_build/$krel/modules/"*.ko; do
		[ -e "$file" ] || continue
		mkdir -p "$root/rill/modules"
		cp "$file" "$root/rill/modules/"
	done
	[ ! -d "$rill_build/selftests" ] || args+=("$rill_build/selftests" rill/selftests)
	[ ! -d "$rill_build/userspace/tests" ] ||
		args+=("$rill_build/userspace/tests" rill/userspace/tests
		       "$rill_build/userspace/lib" rill/userspace/lib)
	[ ! -d "$rill_build/userspace/examples" ] ||
		args+=("$rill_build/userspace/examples" rill/examples)
	[ ! -e "$rill_build/userspace/rillcat/rillcat" ] ||
		args+=("$rill_build/userspace/rillcat/rillcat" usr/bin/rillcat)
	[ ! -e "$rill_build/userspace/bin/rill" ] ||
		args+=("$rill_build/userspace/bin/rill" usr/bin/rill)
	[ ! -d "$rill_build/userspace/lib/rill" ] ||
		args+=("$rill_build/userspace/lib/rill" usr/lib/rill)
	cp "$rill_top/scripts/guest/"*.sh "$root/rill/bin/"
	[ ${#args[@]} -eq 0 ] || image_copy "$root" "${args[@]}"
}

# image_pack ROOT FILE
image_pack() {
	depmod -b "$1" "$krel"
	(cd "$1" && find . -print0 | sort -z |
		cpio --null --create --format=newc --owner=0:0 --quiet) >"$2"
}
