// SPDX-License-Identifier: GPL-2.0
/*
 * Dynptrs: memory whose size is known only when the prog runs. Reads and writes are checked then, and one that
 * does not fit is an error, not a refused prog.
 *
 * One prog works on the memory of a map's value. The other puts records into a ring buffer that are just as
 * long as the name of the task that runs it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern int bpf_dynptr_adjust(const struct bpf_dynptr *p, __u64 start, __u64 end) __ksym;
extern __u64 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u64 offset, void *buffer,
			      __u64 size) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[16]);
} dyn_memory SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} dyn_records SEC(".maps");

/* Read back after it was written, through a slice, and through a slice that was narrowed before. */
__u32 read_back;
__u32 sliced;
__u32 narrowed_size;
__u32 narrowed;
/* What is past the end cannot be had. */
__s32 write_past_end;
__u32 slices_past_end;

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(use_memory, int a)
{
	__u32 zero = 0, written = 0x12345678;
	struct bpf_dynptr memory;
	__u32 buffer, *slice;
	__u8 *value;

	value = bpf_map_lookup_elem(&dyn_memory, &zero);
	if (!value || bpf_dynptr_from_mem(value, 16, 0, &memory))
		return 0;
	bpf_dynptr_write(&memory, 8, &written, sizeof(written), 0);
	bpf_dynptr_read(&read_back, sizeof(read_back), &memory, 8, 0);
	write_past_end = bpf_dynptr_write(&memory, 13, &written, sizeof(written), 0);

	slice = bpf_dynptr_slice(&memory, 8, &buffer, sizeof(buffer));
	if (slice)
		sliced = *slice;
	slice = bpf_dynptr_slice(&memory, 13, &buffer, sizeof(buffer));
	if (slice)
		slices_past_end++;

	/* From here on bytes 8 to 12 are all that there is. */
	bpf_dynptr_adjust(&memory, 8, 12);
	narrowed_size = bpf_dynptr_size(&memory);
	slice = bpf_dynptr_data(&memory, 0, sizeof(*slice));
	if (slice)
		narrowed = *slice;
	return 0;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(send_record, int a)
{
	struct bpf_dynptr record;
	char comm[16];
	__u32 length;

	bpf_get_current_comm(comm, sizeof(comm));
	for (length = 0; length < sizeof(comm) - 1 && comm[length]; length++)
		;
	/* Also what could not be had must be given back. */
	if (bpf_ringbuf_reserve_dynptr(&dyn_records, length, 0, &record)) {
		bpf_ringbuf_discard_dynptr(&record, 0);
		return 0;
	}
	if (length)
		bpf_dynptr_write(&record, 0, comm, length, 0);
	bpf_ringbuf_submit_dynptr(&record, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
