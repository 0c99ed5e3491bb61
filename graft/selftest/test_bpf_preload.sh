#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A BPF file system that is mounted shows maps.debug and progs.debug: both can
# be read, and list the progs that print them.

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

echo "1..4"
result only_two_files [ "$(ls "$mnt" | tr '\n' ' ')" = "maps.debug progs.debug " ]
result only_root_may_read [ "$(find "$mnt" -type f -perm 400 -user 0 | wc -l)" = 2 ]
result maps_has_rows [ "$(wc -l < "$mnt/maps.debug")" -gt 1 ]
result progs_lists_its_own grep -q "dump_bpf_prog  *bpf_iter_bpf_prog" "$mnt/progs.debug"
exit $failed
