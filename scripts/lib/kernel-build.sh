# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034
#
# Kernels of our own build, for the version that Debian 12 has no headers for and
# for the debug options that no distribution ships:
#
#	7.2		a small one, nothing switched on that costs time
#	7.2-uml		build A as User-Mode Linux, at the speed of this machine: KASAN,
#			lockdep, kmemleak, fault injection, KCOV, ...
#	7.2-debug	build A as an emulated PC, with preemption and DEBUG_VM
#	7.2-kcsan	build B: KCSAN, strict, with weak memory; without what the tests
#			for races do not use: disks, IP, BPF, ...
#
# Sourced by kernel.sh.  The configurations are the fragments in scripts/kernel/;
# an option of theirs that the kernel does not take fails the build.  The cache:
#
#	source/linux-7.2_VERSION/	the whole source, from Debian's package
#	kernel/RELEASE_VERSION-HASH/	a kernel, as Debian's; HASH is of its options
#					and of the compiler

kernel_build_packages=(gcc make libc6-dev xz-utils flex bison bc libelf-dev libssl-dev kmod)

_build_fragments() { # flavour: sets build_arch, build_target, fragments
	local dir=$rill_top/scripts/kernel
	build_arch=x86_64 build_target=bzImage
	fragments=("$dir/common.config")
	case $1 in
	7.2) fragments+=("$dir/x86.config") ;;
	7.2-debug) fragments+=("$dir/x86.config" "$dir/debug.config") ;;
	7.2-kcsan) fragments+=("$dir/x86.config" "$dir/kcsan.config") ;;
	7.2-uml)
		fragments+=("$dir/uml.config")
		build_arch=um build_target=linux
		;;
	esac
}

# To be changed with what _build_kernel does, the second with what it does to
# User-Mode Linux' source.
build_recipe=1
build_recipe_um=3

# User-Mode Linux looks at every word of a stack to find the return addresses,
# which KASAN, kmemleak and lockdep do at each allocation and lock: a millisecond
# each.  With frame pointers each frame says where the next one is.
_linux_uml_stacktrace() {
	local file=$linux/arch/um/kernel/stacktrace.c mark='for frame pointers'
	grep -q "$mark" "$file" && return
	# shellcheck disable=SC1003 # sed's own backslashes
	sed -i '/^\twhile (((long) sp & (THREAD_SIZE-1)) != 0) {$/i\
\t/* '"$mark"' */\
\twhile (!(bp \& 7) \&\& (bp ^ (unsigned long)sp) < THREAD_SIZE \&\&\
\t       bp >= (unsigned long)sp) {\
\t\tframe = (struct stack_frame *)bp;\
\t\taddr = READ_ONCE_NOCHECK(frame->return_address);\
\t\tif (__kernel_text_address(addr))\
\t\t\tops->address(data, addr, 1);\
\t\tsp = (unsigned long *)bp + 1;\
\t\tbp = READ_ONCE_NOCHECK(*(unsigned long *)frame);\
\t}\
\treturn;\
' "$file"
	grep -q "$mark" "$file" || {
		echo "$file has changed: _linux_uml_stacktrace() does not fit any more"
		return 1
	}
}

# Its processors are threads of the host, and interrupt each other by a signal,
# which was blocked and unblocked by a system call of the host's as often as
# interrupts are: a third of the time.  As with its other signals, it is enough to
# remember one that came meanwhile: then it is blocked, and sent again.
_linux_uml_ipis() {
	local dir=$linux/arch/um/os-Linux mark='masked once it came'
	grep -q "$mark" "$dir/internal.h" && return
	sed -i '/^extern __thread int signals_enabled;$/a\
extern __thread int ipi_masked;	/* '"$mark"' */' "$dir/internal.h"
	sed -i -e 's/^static __thread int __curr_cpu;$/&\n__thread int ipi_masked;/' \
		-e 's/^\tlongjmp(.*$/\tipi_masked = 1;\n&/' \
		-e '/^\t__local_ipi_set(0);$/d' \
		-e '/^\t__local_ipi_set(1);$/c\
	if (ipi_masked) {\
		ipi_masked = 0;\
		__local_ipi_set(1);\
	}' \
		-e '/^\tint save_errno = errno;$/a\
\
	if (!signals_enabled) {\
		ipi_masked = 1;\
		sigaddset(\&((ucontext_t *)uc)->uc_sigmask, IPI_SIGNAL);\
		pthread_sigqueue(pthread_self(), sig, si->si_value);\
		errno = save_errno;\
		return;\
	}' "$dir/smp.c"
	# A handler may have been elsewhere before it returns.
	sed -i '/^\t(\*handlers\[sig\])(sig, (struct siginfo \*)si, mc);$/a\
#ifdef CONFIG_SMP\
	if (ipi_masked)\
		sigaddset(\&uc->uc_sigmask, IPI_SIGNAL);\
	else\
		sigdelset(\&uc->uc_sigmask, IPI_SIGNAL);\
#endif' "$dir/signal.c"
	# To sleep, the signal is waited for, and must be blocked.
	sed -i '/^\tsigprocmask(SIG_BLOCK, &set, NULL);$/c\
#ifdef CONFIG_SMP\
	sigaddset(\&set, IPI_SIGNAL);\
	sigprocmask(SIG_BLOCK, \&set, NULL);\
	ipi_masked = 1;\
	sigdelset(\&set, IPI_SIGNAL);\
#endif\
	sigprocmask(SIG_BLOCK, \&set, NULL);' "$dir/time.c"
	[ "$(cat "$dir"/{internal.h,smp.c,signal.c,time.c} | grep -c ipi_masked)" -eq 8 ] || {
		echo "$dir has changed: _linux_uml_ipis() does not fit any more"
		return 1
	}
}

# 7.2 releases the shadow of freed vmalloc memory in two steps, for each area and
# then, only to flush TLBs, from the first to the last of them: there User-Mode Linux
# clears the shadow of all that lies between, many gigabytes, for a minute and more.
_linux_uml_kasan() {
	local file=$linux/mm/kasan/shadow.c mark='of an area alone'
	grep -q "$mark" "$file" && return
	sed -i '/^\t\t\t__memset(shadow_start, KASAN_SHADOW_INIT, /i\
			if (flags \& KASAN_VMALLOC_PAGE_RANGE) /* '"$mark"' */' "$file"
	grep -q "$mark" "$file" || {
		echo "$file has changed: _linux_uml_kasan() does not fit any more"
		return 1
	}
}

_build_hash() { # of fragments
	{
		cat "${fragments[@]}"
		echo "$build_recipe"
		[ "$build_arch" != um ] || echo "$build_recipe_um"
		gcc --version | head -n 1
	} | sha256sum | cut -c 1-12
}

# kernel_build_stale FLAVOUR DIRECTORY: is it of other options than today's?
kernel_build_stale() {
	local fragments=() build_arch build_target dir
	_build_fragments "$1"
	dir=$(readlink -f "$2") || return 0
	[[ $dir != *-"$(_build_hash)" ]]
}

_linux_unpack() { # directory package=version
	local dir=$1 new=$1.new.$$
	rm -rf "$dir".new.*
	_deb_unpack "$new/package" "$2" || return
	mkdir "$new/tree"
	tar -xJf "$new/package/usr/src/linux-source-7.2.tar.xz" -C "$new/tree" \
		--strip-components=1 || return
	mv -T "$new/tree" "$dir"
	rm -rf "$new"
}

# What an option of a fragment became.
_build_check_config() { # config fragments
	local line rc=0
	while read -r line; do
		case $line in
		\#* | '') continue ;;
		*=n) ! grep -q "^${line%=n}=" "$1" || { echo "not off: $line"; rc=1; } ;;
		*) grep -qxF -- "$line" "$1" || { echo "not taken: $line"; rc=1; } ;;
		esac
	done <"$2"
	return "$rc"
}

# Below what its user does.
_build_make() {
	nice -n 5 make -s -C "$linux" O="$obj" ARCH="$build_arch" "$@"
}

# Configure and build in DIR, which is whole when this returns 0.
_build_kernel() { # directory
	local dir=$1 obj=$1/usr/src/obj rel
	mkdir -p "$obj" "$dir/boot"
	# A later fragment's word on an option is the one that counts.
	awk '/^CONFIG_/ { split($0, word, "="); if (!(word[1] in says)) name[++n] = word[1]
			says[word[1]] = $0 }
		END { for (i = 1; i <= n; i++) print says[name[i]] }' "${fragments[@]}" >"$dir/fragment"
	if [ "$build_arch" = um ]; then
		_linux_uml_stacktrace && _linux_uml_ipis && _linux_uml_kasan || return
	fi
	_build_make KCONFIG_ALLCONFIG="$dir/fragment" allnoconfig || return
	_build_check_config "$obj/.config" "$dir/fragment" || return
	_build_make -j"$(nproc)" "$build_target" modules || return
	rel=$(cat "$obj/include/config/kernel.release") || return
	_build_make INSTALL_MOD_PATH="$dir" DEPMOD=true modules_install || return
	rm -f "$dir/lib/modules/$rel/build" "$dir/lib/modules/$rel/source"
	if [ "$build_arch" = um ]; then
		cp "$obj/linux" "$dir/boot/vmlinuz-$rel" || return
	else
		cp "$obj/arch/x86/boot/bzImage" "$dir/boot/vmlinuz-$rel" || return
	fi
	cp "$obj/.config" "$dir/boot/config-$rel" || return
	cp "$obj/System.map" "$dir/boot/System.map-$rel" || return
	# What modules are built with stays; 90 % of the space does not.
	find "$obj" -name '*.o' ! -path '*/tools/*' ! -path '*/scripts/*' -delete
	find "$obj" -name '*.a' ! -path '*/tools/*' -delete
	rm -f "$obj/vmlinux" "$obj/vmlinux.unstripped" "$obj/linux" "$obj"/.tmp_vmlinux*
	depmod -b "$dir" "$rel" || return
	mv "$obj" "$dir/usr/src/linux-headers-$rel"
	echo "$rel" >"$dir/release"
}

# The object tree names its own place.
_build_place() { # built-directory final-directory release
	local headers=$1/usr/src/linux-headers-$3
	sed -i "s,$1/usr/src/obj,$2/usr/src/linux-headers-$3,g" "$headers/Makefile" || return
	rm -rf "$2"
	mv -T "$1" "$2"
}

# Says which version of the source there is today.
_linux_version() {
	local version apt_options=()
	kernel_need_lists
	_apt_private sid
	version=$(_apt_field linux-source-7.2 Version)
	[ -n "$version" ] || die "the mirror has no linux-source-7.2 (it was in sid)"
	echo "$version"
}

_linux_fetch() { # directory version
	local apt_options=()
	[ ! -d "$1" ] || return 0
	_apt_private sid
	step "fetching linux-source-7.2 $2 (this once)" _linux_unpack "$1" "linux-source-7.2=$2" ||
		die "could not fetch linux-source-7.2; try apt-get update"
}

# Two flavours may be built beside each other; the lists and the source are of both.
_kernel_build() { # flavour
	local flavour=$1 version linux hash new rel lock=$rill_cache/source/.lock
	local fragments=() build_arch build_target
	version=$(locked "$lock" _linux_version) || exit
	_build_fragments "$flavour"
	hash=$(_build_hash)
	kdir=$(find "$rill_cache/kernel" -maxdepth 1 -type d \
		-name "7.2*_$version-$hash" 2>/dev/null | head -n 1)
	if [ -z "$kdir" ]; then
		need_packages "${kernel_build_packages[@]}"
		linux=$rill_cache/source/linux-7.2_$version
		locked "$lock" _linux_fetch "$linux" "$version" || exit
		new=$rill_cache/kernel/.build-$flavour
		rm -rf "$new"
		mkdir -p "$new"
		step "building the kernel $flavour (this once; 4 to 12 minutes on two cores)" \
			_build_kernel "$new" || die "the kernel $flavour did not build"
		rel=$(cat "$new/release")
		kdir=$rill_cache/kernel/${rel}_$version-$hash
		_build_place "$new" "$kdir" "$rel" || die "cannot write to $rill_cache"
	fi
	ln -sfnT "${kdir##*/}" "$rill_cache/kernel/for-$flavour"
}
