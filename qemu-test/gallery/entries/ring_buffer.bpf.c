// SPDX-License-Identifier: GPL-2.0
/*
 * A ring buffer: records go from BPF to user space, in the order of all CPUs. User space maps it into its memory
 * (libbpf's ring_buffer does) and can wait for a record.
 *
 * Each test run sends one record.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct record {
	__u32 number;
	__u32 tid;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	/* In bytes, a power of two, and whole pages on all machines. */
	__uint(max_entries, 64 * 1024);
} records SEC(".maps");

__u32 sent;
/* Nobody reads: no room. */
__u32 lost;

SEC("fentry/bpf_fentry_test3")
int BPF_PROG(send_record, char a)
{
	struct record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

	if (!record) {
		lost++;
		return 0;
	}
	record->number = ++sent;
	record->tid = bpf_get_current_pid_tgid();
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	/* From here on user space sees it. The verifier allows no way past this. */
	bpf_ringbuf_submit(record, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
