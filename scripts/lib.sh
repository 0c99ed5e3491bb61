# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts in this folder: places, messages, progress. Sourced, never run.

set -euo pipefail

TOP=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd -P)
# The module project that is built and booted: this one, or one that scripts/new has made.
PROJECT=$(readlink -f "${PROJECT:-$TOP}")
CACHE=${BPF_PRELOAD_RS_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/bpf_preload_rs}
# The Debian release whose compilers the kernel was built with, and what it has beside it.
SUITE=${SUITE:-trixie}
case $SUITE in
sid | unstable) EXTRA_SUITE=experimental ;;
forky | testing) EXTRA_SUITE='' ;;
*) EXTRA_SUITE=$SUITE-backports ;;
esac

# The one that builds and runs everything but kernels and modules: generator, runner, guest, QEMU.
# shellcheck disable=SC2034
HOST_SUITE=trixie

# What a module project has of this one. lskel/gen is a tool, not part of it.
# shellcheck disable=SC2034
RUNTIME=(bindings_helper.h bpf.rs bpf lskel.rs lskel)
copy_runtime() { tar -C "$TOP" -c --exclude=lskel/gen "${RUNTIME[@]}" | tar -C "$1" -x; }

# Whether these are the scripts of the package lskel-dev, which has the host programs built.
is_package() { [[ -d $TOP/programs ]]; }

# Cargo's output, one folder for each checkout: cargo cannot tell the crates of two checkouts apart. The package lskel-dev
# has what of it is needed.
if is_package; then
	export CARGO_TARGET_DIR=$TOP/programs
else
	export CARGO_TARGET_DIR=$CACHE/target/$(printf '%s' "$TOP" | sha256sum | cut -c1-12)
fi

# The machine whose kernels are meant, by Debian's name, and what it is called elsewhere. A release ends in it.
if [[ ! ${ARCH-} ]]; then
	case ${KERNEL-} in
	*-arm64 | *-s390x) ARCH=${KERNEL##*-} ;;
	*) ARCH=amd64 ;;
	esac
fi
case $ARCH in
amd64 | x86 | x86_64) ARCH=amd64 MACHINE=x86_64 KERNEL_ARCH=x86 ;;
arm64 | aarch64) ARCH=arm64 MACHINE=aarch64 KERNEL_ARCH=arm64 ;;
s390x | s390) ARCH=s390x MACHINE=s390x KERNEL_ARCH=s390 ;;
*)
	printf "%s: error: unknown architecture ARCH=%s; it is amd64, arm64 or s390x\n" "${0##*/}" "$ARCH" >&2
	exit 1
	;;
esac
if [[ $ARCH != amd64 ]] && is_package; then
	printf '%s: error: the package lskel-dev is for amd64; for %s use a checkout of bpf_preload_rs\n' "${0##*/}" "$ARCH" >&2
	exit 1
fi
RUST_TARGET=$MACHINE-unknown-linux-gnu
# Where the toolchain root has a newer Rust than that of the suite, if ARCH= needs it.
# shellcheck disable=SC2034
NEWEST_RUST=/opt/rust

# Each command holds this, and all that it starts: scripts/cache, which takes it alone, then knows that nothing is used.
if [[ -d $CACHE && -r $CACHE ]]; then
	exec {CACHE_LOCK}<"$CACHE"
	flock -s "$CACHE_LOCK"
fi

# For cargo build: the generator and the runner. Together, as by itself the one has other features of what it depends on,
# which is then built twice.
# shellcheck disable=SC2034
ON_HOST=(--release --locked -p lskel-gen -p qemu-test)

# For cargo build: static programs, the same bytes wherever checkout and cache are. Cargo itself names the files of a
# checkout from its top.
# shellcheck disable=SC2034
STATIC=(--release --locked --features static --config qemu-test/guest/static.toml --target "$RUST_TARGET"
	--config "target.$RUST_TARGET.rustflags=['--remap-path-prefix=$CACHE/cargo=cargo']")

# arch_args KDIR: what make has to be told for a kernel directory of the user's own, if the user gave ARCH=. Those of the
# cache know it.
arch_args() { [[ $1 = "$CACHE"/kernels/* || ${ARCH@a} != *x* ]] || echo "ARCH=$KERNEL_ARCH"; }

# amd64_only: for scripts that know no other machine.
amd64_only() { [[ $ARCH = amd64 ]] || die "this is for amd64 only" "leave ARCH=$ARCH out"; }

# kbuild_rustc FILE: a line for the shell that calls rustc as Kbuild has, up to what it made; FILE is the .cmd of an object.
kbuild_rustc() {
	local folder saved
	folder=$(dirname "$1")
	saved=$(sed -n '1s/^savedcmd_[^ ]* := \(.*\) --out-dir .*/\1/p' "$1")
	[[ $saved ]] && echo "cd $folder && RUSTC_BOOTSTRAP=1 BPF_BINDINGS=$folder/bindings_generated.rs $saved"
}

# say TEXT: one line of progress, on stderr so that stdout stays for results.
say() { printf '  %s\n' "$*" >&2; }

# die CAUSE [REMEDY]: one line, and the end.
die() {
	printf '%s: error: %s%s\n' "${0##*/}" "$1" "${2:+; $2}" >&2
	exit 1
}

# usage: prints the comment block at the top of the calling script.
usage() { sed -n '/^#!/d; /^# SPDX/d; /^#/!q; s/^# \{0,1\}//p' "$0"; }

# help_or_no_args "$@": for scripts that take no argument but --help.
help_or_no_args() {
	case "${1-}" in
	'') ;;
	-h | --help) usage && exit 0 ;;
	*) die "unknown argument '$1'" "see $0 --help" ;;
	esac
}

# temporary PATH...: something is made there. What an earlier run has left is removed now, and what is there when the
# script ends, however it ends, is removed then: what is done has been moved away, or is `finished`. In the cache folder
# whoever makes X.tmp or X holds X.lock.
declare -A TEMPORARY=()
temporary() {
	local path
	for path; do
		remove "$path"
		TEMPORARY[$path]=y
	done
}
finished() { TEMPORARY[$1]=''; }
# What is mounted there stays.
remove() { rm -rf --one-file-system -- "$1"; }

# alive PID: or something in its process group.
alive() { kill -0 -- "-$1" 2>/dev/null || kill -0 "$1" 2>/dev/null; }

# finish: the end of each script, also by Ctrl-C or SIGTERM. What it has started ends first.
finish() {
	local pids=() pid path i
	trap '' INT TERM HUP
	read -ra pids 2>/dev/null <"/proc/$$/task/$$/children" || true
	for pid in "${pids[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
	done
	for pid in "${pids[@]}"; do
		for ((i = 0; i < 100; i++)); do
			alive "$pid" || continue 2
			sleep 0.1
		done
		kill -KILL -- "-$pid" 2>/dev/null || true
	done
	for path in "${!TEMPORARY[@]}"; do
		[[ ! ${TEMPORARY[$path]} ]] || remove "$path" || true
	done
}
trap finish EXIT

# run LABEL LOG COMMAND...: a long command with its output in LOG. A terminal gets a line that counts the seconds and
# shows where the command is; anything else gets a line every 20 seconds.
run() {
	local label=$1 log=$2 start=$SECONDS pid rc=0 shown=0 last
	shift 2
	mkdir -p "$(dirname "$log")"
	[[ -t 2 ]] || say "$label"
	# In a process group of its own, by which finish ends all of it.
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	set +m
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.3
		if [[ -t 2 ]]; then
			last=$(tail -c 300 "$log" 2>/dev/null | tr '\r' '\n' | tail -n 1 | tr -cd '[:print:]')
			printf '\r\033[K  %s  %ds  %.50s' "$label" $((SECONDS - start)) "$last" >&2
		elif ((SECONDS - start - shown >= 20)); then
			shown=$((SECONDS - start))
			say "$label: ${shown}s, $(wc -l <"$log") lines of log"
		fi
	done
	wait "$pid" || rc=$?
	if [[ -t 2 ]]; then printf '\r\033[K  %s  %ds\n' "$label" $((SECONDS - start)) >&2; fi
	return $rc
}

# show_end LOG: of a command that failed.
show_end() {
	tail -n 15 "$1" | sed 's/^/    /' >&2
	say "full log: $1"
}

# step LABEL LOG COMMAND...: as run. On failure the end of the log is shown, and the caller says what to do.
step() {
	local rc=0
	run "$@" || rc=$?
	((rc == 0)) || show_end "$2"
	return $rc
}

# archive_step LABEL LOG COMMAND...: a step that reads from the Debian archive. While that is being updated, for some
# minutes, its index does not fit its release or its files: the command is tried again, and has to start from nothing each time.
# For tests, ARCHIVE_PAUSE= is the pause in seconds.
archive_step() {
	local log=$2 try rc why pause=${ARCHIVE_PAUSE:-60}
	for try in 1 2 3; do
		rc=0
		run "$@" || rc=$?
		((rc)) || return 0
		why=$(grep -m 1 -oE 'File has unexpected size[^[]*[^[ ]|Mirror sync in progress|Hash Sum mismatch|404 +Not Found' "$log" | head -n 1) || break
		why="the Debian archive is being updated just now (its index does not fit what it has: $why)"
		((try < 3)) || die "$why" "try again later"
		say "$why: trying again in $pause s"
		sleep "$pause"
	done
	show_end "$log"
	return $rc
}

# make_key KEY CERT NAME [PEM]: a new RSA key that only its owner can read, and its certificate, in DER or PEM. The key is there
# as a whole or not at all.
make_key() {
	(umask 077 && "$TOP/scripts/in-toolroot" openssl req -new -x509 -newkey rsa:2048 -nodes -sha256 -days 36500 -subj "/CN=$3/" \
		-outform "${4:-DER}" -out "$2" -keyout "$1.new" </dev/null) && chmod 644 "$2" && mv "$1.new" "$1"
}

# parts_for_graft DIR: copies the parts of KERNEL_SOURCE that scripts/graft touches.
parts_for_graft() {
	tar -C "$KERNEL_SOURCE" -cf - Makefile MAINTAINERS Documentation/bpf rust kernel/bpf samples/rust tools/testing/selftests/rust | tar -C "$1" -xf -
}

# later_patches: the patches of the second series, in the order in which graft/later takes them out: the last one first.
later_patches() { awk '/^= / && !seen[$2]++ { print $2 }' "$TOP/graft/later"; }
# later_sections DIR: each section of graft/later as a file NUMBER.PATCH, and as NUMBER.PATCH.of the files that it is of.
later_sections() {
	mkdir "$1"
	awk -v dir="$1" '
		/^= / { at = dir sprintf("/%03d.", ++n) $2; print $3 >(at ".of"); next }
		at && NF { print >at }' "$TOP/graft/later"
}

# clang_args KDIR: what make has to be told for a kernel that was built with clang.
clang_args() { ! grep -qx CONFIG_CC_IS_CLANG=y "$1/include/config/auto.conf" || echo LLVM=1; }

# compilers: what builds kernels here. Not the toolchain root as a whole: most of its packages have no part in that.
compilers() { "$TOP/scripts/in-toolroot" --root "$("$TOP/scripts/toolroot" --path)" sh -c 'for tool in clang ld.lld rustc bindgen pahole; do $tool --version; done'; }

# check_config LINES CONFIG LOG: every line of the fragments is in the configuration. An option whose needs are not
# met goes in silence.
check_config() {
	local lost
	lost=$(grep -E '^(CONFIG_|# CONFIG_.* is not set)' "$1" | grep -vxFf "$2" | head -n 3 | paste -sd' ' || true)
	[[ -z $lost ]] || die "the configuration does not hold: $lost" "see $3 and qemu-test/configs"
}

# package_version: of the Debian packages.
package_version() { sed -n '1s/.*(\(.*\)).*/\1/p' "$TOP/debian/changelog"; }

# modules_of DIR: the modules of the project's Kbuild, as they are when they are built there.
modules_of() { sed -n 's/^obj-m *[+:]*= *//p' "$PROJECT/Kbuild" | tr -s ' ' '\n' | sed "s|\(.*\)\.o\$|$1/\1.ko|"; }

# need_root: chroot, mount namespaces and mmdebstrap need it.
need_root() {
	((EUID == 0)) || die "this needs root (mmdebstrap, mount namespaces, chroot)" \
		"run it with sudo, or give KDIR= to build with your own kernel directory"
}
