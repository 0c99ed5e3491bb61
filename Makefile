# SPDX-License-Identifier: GPL-2.0
#
# For people: names for what scripts/ does. kbuild reads Kbuild, not this file.

# KDIR: a kernel directory of one's own. KERNEL: another release than the default one (make kernels).
# ARCH: another machine, by Debian's name. SUITE: another Debian, with its compilers.
export ARCH SUITE KDIR KERNEL KERNELS OBJECTS COMPARE SHARD CMDLINE FULL LINE_INFO
# For make install and make sign.
export DESTDIR KEY CERT
# For make: the key that signs the progs.
export SIGN_KEY SIGN_CERT

.PHONY: all
all: ## build the modules for the default kernel; KERNEL=RELEASE or KDIR=DIR for another; SIGN_KEY= and SIGN_CERT= sign their progs
	@scripts/module

.PHONY: pin
pin: ## build bpf-preload-pin, which puts the files into a bpffs that is mounted already
	@scripts/pin-program

.PHONY: install
install: ## install module, bpf-preload-pin and man pages; DESTDIR=DIR puts them below DIR
	@scripts/install

.PHONY: uninstall
uninstall: ## remove what make install installed
	@scripts/install --uninstall

.PHONY: sign
sign: ## sign the modules with a key of your own: KEY=FILE CERT=FILE; before make install or make deb
	@scripts/sign

.PHONY: deb
deb: ## Debian packages in build/deb: the module for one kernel, the module for DKMS, the tools
	@scripts/deb

.PHONY: release
release: ## source tarball and packages of what is committed, in build/release; the same bytes each time
	@scripts/release

.PHONY: demo
demo: ## the main job, from nothing: boot a stock kernel with the module and show both files
	@scripts/qemu demo

.PHONY: picture
picture: ## docs/demo.svg, the picture of make demo in README.md, from a new run
	@scripts/qemu picture

.PHONY: test
test: ## the tests: host crates, checks and every QEMU scenario; KERNELS="A B" chooses the kernels
	@scripts/test

.PHONY: test-corpus
test-corpus: ## light skeletons of the kernel's own selftests, loaded; OBJECTS=DIR for any folder of objects
	@scripts/test-corpus

.PHONY: test-distro
test-distro: ## install the packages in a whole Debian and boot it under QEMU
	@scripts/test-distro

.PHONY: test-debug
test-debug: ## the tests on a debug kernel: KASAN, lockdep, kmemleak, failed allocations; SHARD= for a part
	@scripts/test-debug

.PHONY: matrix
matrix: ## the scenarios on each kernel in the cache, and a table; KERNELS="A B" or KERNELS=all for others
	@scripts/matrix

.PHONY: test-sanitized
test-sanitized: ## the generator's tests with the address sanitizer
	@scripts/test-sanitized

.PHONY: test-builtin
test-builtin: ## the tests of the module built into a kernel: KUnit, init's fds, LSM and signed progs before init, costs
	@scripts/test-builtin

.PHONY: bench
bench: ## what it costs beside the C module, counted in instructions; JSON=1 for machines, RECORD=1 checks it in
	@scripts/bench $(if $(JSON),--json) $(if $(RECORD),--record)

.PHONY: patches
patches: ## the module as two patch series for the kernel's mailing lists, checked: build/patches/
	@scripts/patches

.PHONY: check
check: ## everything that needs no QEMU: formatting, lints, unsafe, generated files
	@scripts/check

.PHONY: new
new: ## a module project of your own, outside of this one: NAME=hello [KIND=lsm] [DIR=../hello] [SIGNED=1]; KIND= is one of scripts/new --help
	@scripts/new '$(NAME)' $(KIND:%=--kind '%') $(if $(SIGNED),--signed) --dir '$(or $(DIR),../$(NAME))'

.PHONY: shell
shell: ## an interactive guest with the module loaded and bpffs mounted
	@scripts/qemu shell

.PHONY: vng
vng: ## the same mount in a guest of virtme-ng
	@scripts/vng

.PHONY: lskel
lskel: ## generate the light skeletons in iterators/ again; LINE_INFO=1 with the lines of the source
	@scripts/lskel

.PHONY: kernels
kernels: ## list the kernels that the archive has
	@scripts/kernels

.PHONY: env
env: ## print where things are, as shell assignments
	@scripts/env

.PHONY: cache
cache: ## list what is in the cache folder, with sizes; DROP=old drops what nothing uses any more
	@scripts/cache $(DROP:%=--drop=%)

.PHONY: clean
clean: ## remove what was built in this checkout
	rm -rf build iterators/signed bpf_preload_rs.ko bpf_preload_links.ko

.PHONY: distclean
distclean: clean ## remove also the cache folder: toolchain root, kernel directories, cargo's output
	@scripts/distclean

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12
