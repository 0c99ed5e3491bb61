// SPDX-License-Identifier: GPL-2.0
/*
 * Text: printed into memory, read as a number, compared, searched, and printed for whoever reads
 * /sys/kernel/tracing/trace_pipe.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern int bpf_strlen(const char *text) __ksym;
extern int bpf_strstr(const char *text, const char *part) __ksym;

char text[64];
__s64 printed;
long number;
__s64 digits;
__s64 same;
__s64 different;
__s32 length;
__s32 found_at;
__s32 not_found;

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(print_text, int a)
{
	__u64 args[] = { a, 0xbeef, (__u64) "seven" };

	printed = bpf_snprintf(text, sizeof(text), "%d %x %s", args, sizeof(args));
	digits = bpf_strtol("-42 is a number", 15, 10, &number);
	same = bpf_strncmp(text, sizeof("1 beef"), "1 beef seven");
	different = bpf_strncmp(text, sizeof(text), "something else");
	length = bpf_strlen(text);
	found_at = bpf_strstr(text, "beef");
	not_found = bpf_strstr(text, "pork");
	bpf_printk("lskel_gallery prints %s", text);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
