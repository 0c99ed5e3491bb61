// SPDX-License-Identifier: GPL-2.0
/*
 * Progs that are asked what a cgroup may do: nobody in it may write to /proc/sys/kernel/domainname, or make a
 * device node with the numbers 240, 47.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static const char domainname[] = "kernel/domainname";

/* Both return 1 to allow it, 0 to refuse it with EPERM. */
SEC("cgroup/sysctl")
int deny_sysctl(struct bpf_sysctl *ctx)
{
	char name[sizeof(domainname) + 1] = {};

	if (!ctx->write || bpf_sysctl_get_name(ctx, name, sizeof(name), 0) < 0)
		return 1;
	return bpf_strncmp(name, sizeof(name), domainname) != 0;
}

SEC("cgroup/dev")
int deny_device(struct bpf_cgroup_dev_ctx *ctx)
{
	return !(ctx->major == 240 && ctx->minor == 47);
}

char LICENSE[] SEC("license") = "GPL";
