// SPDX-License-Identifier: GPL-2.0
/* What the kernel provides: symbols strong and weak, typed and not, a kfunc, configuration. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rq;

extern const void no_build_host_has_this __ksym;
extern const void nor_this __ksym __weak;
extern const struct rq runqueues __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_BPF_JIT __kconfig;
extern int CONFIG_HZ __kconfig __weak;
extern char CONFIG_LSM[8] __kconfig __weak;

__u64 addresses[3];

SEC("fentry/do_nanosleep")
int look(void *ctx)
{
	bpf_rcu_read_lock();
	addresses[0] = (__u64)&no_build_host_has_this;
	addresses[1] = (__u64)&nor_this;
	addresses[2] = (__u64)&runqueues;
	if (LINUX_KERNEL_VERSION > 0x060000 && CONFIG_BPF_JIT && CONFIG_LSM[0])
		addresses[0] += CONFIG_HZ;
	bpf_rcu_read_unlock();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
