#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A BPF file system that is mounted shows maps.debug and progs.debug: both can
# be read, and list the progs that print them. They stay when the module that
# provides them goes, a load of it that fails leaves nothing, and the next
# mount loads it again.

KSFT_SKIP=4
mnt=$(mktemp -d)
failed=0
number=0

# result NAME COMMAND...: one test.
result()
{
	name=$1
	shift
	number=$((number + 1))
	if "$@"; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failed=1
	fi
}

skip()
{
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

both_files()
{
	[ "$(ls "$mnt" | tr '\n' ' ')" = "maps.debug progs.debug " ]
}

maps_has_rows()
{
	[ "$(wc -l < "$mnt/maps.debug")" -gt 1 ]
}

# The provider that is loaded as a module.
module()
{
	sed -n 's/^\(bpf_preload\) .*/\1/p; s/^\(bpf_preload_rs\) .*/\1/p' /proc/modules
}

unload()
{
	/sbin/modprobe -r "$(module)" && [ -z "$(module)" ] && both_files && maps_has_rows
}

# Its progs are not signed.
failed_load()
{
	rows=$(grep -c dump_bpf "$mnt/progs.debug")
	! /sbin/modprobe -q bpf_preload_rs require_signed=1 && [ -z "$(module)" ] &&
		[ "$(grep -c dump_bpf "$mnt/progs.debug")" = "$rows" ]
}

mount_loads()
{
	umount "$mnt" && mount -t bpf none "$mnt" && [ -n "$(module)" ] &&
		both_files && maps_has_rows
}

cleanup()
{
	umount "$mnt" 2>/dev/null
	rmdir "$mnt"
}
trap cleanup EXIT

echo "TAP version 13"
if ! mount -t bpf none "$mnt" 2>/dev/null; then
	echo "1..0 # SKIP a BPF file system cannot be mounted: not root?"
	exit $KSFT_SKIP
fi
if [ -z "$(ls "$mnt")" ]; then
	echo "1..0 # SKIP nobody provides files: neither BPF_PRELOAD_RS nor BPF_PRELOAD"
	exit $KSFT_SKIP
fi

echo "1..7"
result only_two_files both_files
result only_root_may_read [ "$(find "$mnt" -type f -perm 400 -user 0 | wc -l)" = 2 ]
result maps_has_rows maps_has_rows
result progs_lists_its_own grep -q "dump_bpf_prog  *bpf_iter_bpf_prog" "$mnt/progs.debug"
if [ -z "$(module)" ]; then
	skip files_stay_when_the_module_goes "it is built in"
	skip failed_load_leaves_nothing "it is built in"
	skip mount_loads_it_again "it is built in"
else
	provider=$(module)
	result files_stay_when_the_module_goes unload
	if [ "$provider" = bpf_preload_rs ]; then
		result failed_load_leaves_nothing failed_load
	else
		skip failed_load_leaves_nothing "$provider cannot be told to fail"
	fi
	result mount_loads_it_again mount_loads
fi
exit $failed
