// SPDX-License-Identifier: GPL-2.0
/*
 * No program of user space gets a socket of family AF_UNIX. rust_bpf_early.rs attaches this before
 * init runs.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define AF_UNIX 1

/* .bss: sockets asked for, and refused. */
__u32 asked;
__u32 refused;

SEC("lsm/socket_create")
int BPF_PROG(no_unix_sockets, int family, int type, int protocol, int kern, int ret)
{
	if (ret || kern)
		return ret;
	asked++;
	if (family != AF_UNIX)
		return 0;
	refused++;
	return -EACCES;
}

char LICENSE[] SEC("license") = "GPL";
