# SPDX-License-Identifier: GPL-2.0
# A module, on its way into the kernel: it takes bpf and lskel from the kernel crate. See scripts/graft.

s/^\(pub \)\?mod \(bpf\|lskel\);$/use kernel::\2;/
