#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
set -e

# Nobody listens: "Connection refused" unless somebody else refuses it before.
says() { nc 127.0.0.1 "$1" 2>&1 | grep "$2"; }

insmod hello.ko port=2525
says 2525 'Operation not permitted'
says 2526 'Connection refused'
rmmod hello
dmesg | grep 'hello: 1 connections were refused'
says 2525 'Connection refused'
