#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
set -e

insmod hello.ko
ping -c 1 -W 5 -s 64 127.0.0.1
if ping -c 1 -W 1 -s 65 127.0.0.1; then
	echo "a ping of 65 bytes came through"
	exit 1
fi
rmmod hello
dmesg | grep 'hello: 1 pings were dropped'
ping -c 1 -W 5 -s 65 127.0.0.1
