// SPDX-License-Identifier: GPL-2.0

#include <linux/filter.h>
#include <linux/rcupdate_trace.h>

#ifdef CONFIG_BPF_SYSCALL
__rust_helper void rust_helper_rcu_read_lock_trace(void)
{
	rcu_read_lock_trace();
}

__rust_helper void rust_helper_rcu_read_unlock_trace(void)
{
	rcu_read_unlock_trace();
}

__rust_helper u32 rust_helper_bpf_prog_run_pin_on_cpu(const struct bpf_prog *prog,
						      const void *ctx)
{
	return bpf_prog_run_pin_on_cpu(prog, ctx);
}
#endif
