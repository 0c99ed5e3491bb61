// SPDX-License-Identifier: GPL-2.0
/*
 * What the tests of make test-builtin ask of a kernel's boot. scripts/builtin-kernel puts it into the kernels
 * that it builds.
 */
#include <linux/filter.h>
#include <linux/init.h>

/* lab_jit_off: BPF has no JIT until user space switches it on. */
static int __init lab_jit_off(char *unused)
{
	bpf_jit_enable = 0;
	return 0;
}
early_param("lab_jit_off", lab_jit_off);
