#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
set -e

insmod hello.ko uid=1000
/bin/date
if bpftool map dump name programs | grep '"date"'; then
	echo "counted what root has started"
	exit 1
fi
rmmod hello
dmesg | grep 'hello: 0 programs were started'
