// SPDX-License-Identifier: GPL-2.0
/*
 * A function that puts a record into a ring buffer, for user space: as long as its text is, by a dynptr.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

struct message {
	__u32 len;
	char text[60];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} messages SEC(".maps");

SEC("syscall")
int ring_send(struct message *args)
{
	struct bpf_dynptr record;
	__u32 len = args->len;
	long err = -EINVAL;

	if (len > sizeof(args->text))
		return -EINVAL;
	/* Submitted or discarded in any case, also where there is no room: the verifier sees to it. */
	if (!bpf_ringbuf_reserve_dynptr(&messages, len, 0, &record))
		err = bpf_dynptr_write(&record, 0, args->text, len, 0);
	if (err)
		bpf_ringbuf_discard_dynptr(&record, 0);
	else
		bpf_ringbuf_submit_dynptr(&record, 0);
	return err;
}

char LICENSE[] SEC("license") = "GPL";
