#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
set -e

insmod hello.ko
for _ in 1 2 3 4 5; do /bin/date; done
/bin/true
rmmod hello
dmesg | grep 'hello: [0-9]* programs; most often, 5 times, date'
