# SPDX-License-Identifier: GPL-2.0-only
#
# For a machine of one's own; scripts/build does the same for Debian's kernels
# without touching the source tree, and scripts/check tests it in a VM.
#
#	make			the module for this kernel (KDIR= for another),
#				and userspace
#	make install		both, as root; then "modprobe rill"
#	make module|userspace	one of them
#	make selftests		the kselftests; KSFT=.../tools/testing/selftests
#	make run_tests		run them: the module must be loaded
#	make check		everything, in a VM (scripts/check)
#	make clean
#
# AUTOLOAD=n builds a module that socket() does not load by itself.

KDIR		?= /lib/modules/$(shell uname -r)/build
AUTOLOAD	?= y

# Without vmlinux there is no BTF to take from it: do not let kbuild try.
KBUILD		= $(MAKE) -C $(KDIR) M=$(CURDIR) AUTOLOAD=$(AUTOLOAD) \
		  $(if $(wildcard $(KDIR)/vmlinux),,CONFIG_DEBUG_INFO_BTF_MODULES=)

.PHONY: all module userspace selftests install module_install run_tests check clean

all: module userspace

module:
	$(KBUILD) modules

userspace:
	$(MAKE) -C userspace

selftests:
	$(MAKE) -C selftests

install: module_install
	$(MAKE) -C userspace install

module_install: module
	$(KBUILD) modules_install

run_tests:
	$(MAKE) -C selftests run_tests

check:
	scripts/check

clean:
	$(KBUILD) clean
	$(MAKE) -C userspace clean
	-$(MAKE) -C selftests clean
