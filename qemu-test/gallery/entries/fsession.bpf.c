// SPDX-License-Identifier: GPL-2.0
/*
 * fsession: one prog that is called when a function of the kernel starts and when it ends. In between it keeps 8 bytes.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stdbool.h>

extern bool bpf_session_is_return(void *ctx) __ksym;
extern __u64 *bpf_session_cookie(void *ctx) __ksym;

/* The sum of the numbers that were kept, and of the cookies from the module. */
__u64 kept;
__u64 cookies;
__u64 started;

SEC("fsession/bpf_fentry_test1")
int BPF_PROG(session, int a, int ret)
{
	__u64 *number = bpf_session_cookie(ctx);

	if (!bpf_session_is_return(ctx)) {
		*number = ++started;
		cookies += bpf_get_attach_cookie(ctx);
	} else if (ret == a + 1) {
		kept += *number;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
