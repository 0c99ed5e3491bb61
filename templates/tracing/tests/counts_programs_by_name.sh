#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
set -e

insmod hello.ko
for _ in 1 2 3; do /bin/date; done
count=$(bpftool map dump name programs | grep -A 1 '"date"' | sed -n 's/.*"value": //p')
[ "$count" = 3 ] || { echo "date was started 3 times, counted: '$count'"; exit 1; }
rmmod hello
dmesg | grep 'hello: [0-9]* programs were started'
