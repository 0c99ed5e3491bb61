#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
set -e

insmod hello.ko
bpf-preload-pin --iter hello
head -n 1 /sys/fs/bpf/hello | grep 'process *thread *uid *name'
sleep 100 &
grep "^ *$! *$! *0 *sleep$" /sys/fs/bpf/hello
kill $!

# The file holds what it needs of the module.
rmmod hello
grep '^ *1 *1 *0 *init$' /sys/fs/bpf/hello
rm /sys/fs/bpf/hello
