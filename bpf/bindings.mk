# SPDX-License-Identifier: GPL-2.0
#
# For the Kbuild of a module that has bpf/: bindgen's output of bindings_helper.h, the few declarations that
# kernel::bindings lacks. The names after --blocklist-type are the kernel's own, taken from there.
#
# Include it, and let the crate's object depend on $(bpf-bindings).

bpf-bindings := $(obj)/bindings_generated.rs

# gcc is not told for which machine, libclang has to be.
bpf-bindings-target := $(or $(filter --target=%,$(KBUILD_CFLAGS)),$(patsubst %-,--target=%,$(notdir $(CROSS_COMPILE))))

quiet_cmd_bpf_bindings = BINDGEN $@
      cmd_bpf_bindings = \
	$(BINDGEN) $< --rust-target 1.85 --use-core --ctypes-prefix kernel::ffi --no-layout-tests \
		--no-debug '.*' --allowlist-function '(kern_sys_bpf|__srcu_read_(un)?lock)' --allowlist-type 'bpf_preload_.*' \
		--allowlist-var '(bpf_preload_ops|BPF_PRELOAD_LINKS|LINUX_VERSION_CODE)' \
		--blocklist-type '(bpf_link|module|bpf_attr|srcu_struct)' \
		-o $@ -- -I$(objtree)/include/generated/uapi -w -funsigned-char $(bpf-bindings-target)

$(bpf-bindings): $(src)/bindings_helper.h FORCE
	$(call if_changed,bpf_bindings)

targets += bindings_generated.rs
clean-files += bindings_generated.rs

# bpf/bindings.rs includes it.
export BPF_BINDINGS := $(abspath $(bpf-bindings))
