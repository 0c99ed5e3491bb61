# SPDX-License-Identifier: GPL-2.0
# bpf/ and lskel/, on their way into the kernel crate: scripts/graft.

# What a module keeps to itself, the crate offers.
s/pub(crate) /pub /g
s/^macro_rules! \(const_link_name\|late_initcall_sync\|lskel_fields\) /#[macro_export]\n&/
# Each part is used by someone, and the crate has no lint for unsafe code.
/^#!\[allow(unsafe_code,/d
/^#!\[allow($/,/^)\]$/d
/^#!\[allow(unreachable_pub,/d
# What the kernel's bindings lack comes with them.
s/^mod bindings;$/use kernel::bindings;/
