// SPDX-License-Identifier: GPL-2.0
/*
 * A function that sleeps: it reads the memory of the process that has it called, and waits for as long as a page of it
 * takes to come. Others can be called meanwhile, and this one too.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct text {
	const char *address;
	char text[16];
};

SEC("syscall")
int read_user(struct text *args)
{
	return bpf_copy_from_user(args->text, sizeof(args->text), args->address);
}

char LICENSE[] SEC("license") = "GPL";
