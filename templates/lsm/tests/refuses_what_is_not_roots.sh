#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
set -e

insmod hello.ko
cp /bin/busybox /root/date
/root/date
chown 1000 /root/date
if /root/date; then
	echo "a program that belongs to uid 1000 was started"
	exit 1
fi
rmmod hello
/root/date
dmesg | grep "hello: 1 programs were not root's"
