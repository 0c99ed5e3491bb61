#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
set -e

if insmod hello.ko ifindex=999; then
	echo "it was loaded for an interface that is not there"
	exit 1
fi
dmesg | grep 'hello: .*interface'
