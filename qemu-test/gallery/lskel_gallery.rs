// SPDX-License-Identifier: GPL-2.0

//! The gallery: one small BPF object for each thing that BPF can do, loaded and attached from a module.
//!
//! Each entry is two pages to copy from: `entries/NAME.bpf.c`, and `entries/NAME.rs`, which loads and attaches
//! it. `NAME=1` on insmod's command line chooses an entry, and without any all are loaded.

#![deny(unsafe_code)]

mod bpf;
mod lskel;

use core::borrow::Borrow;
use kernel::prelude::*;
use lskel::{
    param_value,
    LoadError,
    Step, //
};

/// What keeps an entry at work: links, and globals that it shares with its progs.
type Held = KBox<dyn Send + Sync>;

/// Whether this kernel can have an entry.
fn is_possible(entry: &str) -> bool {
    match entry {
        "timer" => !cfg!(CONFIG_PREEMPT_RT),
        "kprobe_multi" | "kprobe_session" => cfg!(CONFIG_FPROBE),
        "scheduler" => cfg!(CONFIG_SCHED_CLASS_EXT),
        // x86's JIT unwinds by ORC.
        "exceptions" => !cfg!(CONFIG_X86_64) || cfg!(CONFIG_UNWINDER_ORC),
        _ => true,
    }
}

/// For the end of an entry's `load`: what is to be kept until the module goes.
fn hold<T: Send + Sync + 'static>(what: T) -> Result<Held, LoadError> {
    match KBox::new(what, GFP_KERNEL) {
        Ok(held) => Ok(held),
        Err(e) => Err(Step::Alloc.failed(e.into())),
    }
}

/// The entries: each is a file in `entries/` with a function `load`, and a parameter of the module. Those in
/// `on_request` are not loaded when none is chosen.
macro_rules! gallery {
    (
        all { $( $name:ident: $what:tt, )* }
        on_request { $( $other:ident: $other_what:tt, )* }
    ) => {
        mod entries {
            $( pub(super) mod $name; )*
            $( pub(super) mod $other; )*
        }

        module! {
            type: LskelGallery,
            name: "lskel_gallery",
            authors: ["The bpf_preload_rs developers"],
            description: "A light skeleton for each thing that BPF can do",
            license: "GPL",
            imports_ns: ["BPF_INTERNAL"],
            params: {
                log_level: u32 {
                    default: 1,
                    description: "level of the kernel's log of the load of `broken`",
                },
                $( $name: u8 { default: 0, description: $what, }, )*
                $( $other: u8 { default: 0, description: $other_what, }, )*
            },
        }

        /// Loads the entries that were chosen.
        fn load() -> Result<KVec<Held>> {
            let mut held = KVec::new();
            let chosen = false
                $( || on(module_parameters::$name.value()) )*
                $( || on(module_parameters::$other.value()) )*;

            $(
                if (!chosen && is_possible(stringify!($name))) || on(module_parameters::$name.value()) {
                    load_one(&mut held, stringify!($name), entries::$name::load)?;
                }
            )*
            $(
                if on(module_parameters::$other.value()) {
                    load_one(&mut held, stringify!($other), entries::$other::load)?;
                }
            )*
            Ok(held)
        }
    };
}

gallery! {
    all {
        hash: "hash map",
        lru_hash: "hash map that drops what is least used",
        lpm_trie: "trie of prefixes",
        bloom_filter: "Bloom filter map",
        queue_stack: "queue and stack",
        percpu: "per-CPU array, and a per-CPU variable of the kernel",
        map_in_map: "array of maps",
        task_storage: "a value for each task",
        ring_buffer: "records from BPF to user space",
        user_ring_buffer: "records from user space to BPF",
        max_entries: "size of a map, set before load",
        global_data: "globals, set before and after load",
        global_functions: "functions that are checked by themselves",
        tail_call: "from prog to prog through an array",
        bpf_loop: "bpf_loop()",
        timer: "timer",
        tracing_cookies: "fentry, fexit, fmod_ret and tp_btf, each with a cookie",
        fsession: "one prog at the start and at the end of a function, which keeps a number in between",
        freplace: "a prog in the place of a function of another prog, or of another prog",
        raw_tp: "one prog twice at a tracepoint, with a cookie each time",
        kprobe_multi: "one prog on several functions, with a cookie for each",
        kprobe_session: "one prog at the start and at the return of a function",
        lsm_deny: "files and folders of a certain name cannot be deleted",
        lsm_sleepable: "files with a certain attribute cannot be opened",
        iter_link: "rows for all BPF links",
        iter_task: "rows for all tasks, those of a process, one, and for open files",
        iter_socket: "rows for all TCP and UDP sockets",
        iter_map_elem: "rows for the elements of a map, and for what it keeps of sockets",
        iter_cgroup: "rows for all cgroups, and for one",
        xdp: "drops packets that an interface receives",
        tcx: "changes packets that an interface receives, drops some that it sends",
        netfilter: "drops packets as a firewall does",
        cgroup_skb: "drops packets to a cgroup",
        cgroup_connect: "changes where a connect() in a cgroup goes",
        cgroup_deny: "a sysctl and a device that a cgroup may not have",
        sk_lookup: "chooses the socket that gets a connection",
        refused_attach: "what a module cannot attach, or not like that",
        core_fields: "CO-RE: fields, types and enum values of the kernel that loads it",
        ksyms: "weak and strong symbols of the kernel, with and without a type",
        kfuncs: "functions of the kernel that are not helpers",
        crash_kexec: "a kfunc that only some may call",
        open_coded_iter: "loops over numbers, threads and with may_goto",
        for_each_elem: "a function for each element of a map",
        dynptr: "memory whose size is known only at run time",
        strings: "text: printed, parsed, searched, traced",
        spin_lock: "a lock in a map's value",
        kptr: "a counted reference to a task, kept in a map",
        linked_list: "allocated objects in a linked list",
        rbtree: "allocated objects in a red-black tree",
        arena: "memory with pointers in it, shared with processes",
        workqueue: "work that a kernel thread does later",
        exceptions: "a prog that throws and catches",
        call_hash: "functions that look up, change and delete elements of a hash map",
        call_maps: "functions for an array, a per-CPU array, an LRU hash map, a queue and a stack",
        call_each: "a function that goes through a map",
        call_ring: "a function that puts records into a ring buffer",
        call_kfunc: "a function that finds a task by a kfunc",
        call_user: "a function that sleeps, called by several threads",
        call_threads: "a function that several kernel threads call at once",
        tcp_congestion: "a TCP congestion control",
        optional_ops: "a struct_ops map that is created only for who asks for it",
        scheduler: "a scheduler",
    }
    on_request {
        kernel_thread: "loads and attaches in a kernel thread",
        broken: "refused by the verifier, whose log goes to dmesg",
        missing_kfunc: "calls a function that no kernel has",
        module_btf: "attaches to a function of a module, and calls one that no kernel has",
        missing_target: "attaches to a function that no kernel has",
    }
}

/// Whether a parameter is set.
fn on(param: impl Borrow<u8>) -> bool {
    param_value::<u8>(param) != 0
}

fn load_one(held: &mut KVec<Held>, name: &str, load: fn() -> Result<Held, LoadError>) -> Result {
    let kept = load().and_then(|entry| match held.push(entry, GFP_KERNEL) {
        Ok(()) => Ok(()),
        Err(e) => Err(Step::Alloc.failed(e.into())),
    });

    Ok(kept.inspect_err(|e| pr_err!("{name}: {e}\n"))?)
}

struct LskelGallery {
    _held: KVec<Held>,
}

impl kernel::Module for LskelGallery {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self { _held: load()? })
    }
}
