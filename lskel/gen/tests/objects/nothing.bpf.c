// SPDX-License-Identifier: GPL-2.0
/* Almost an empty object: one prog, no map, and names that Rust reserves. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int match(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
