// SPDX-License-Identifier: GPL-2.0
//! The table of scenarios, and the other things that runner and guest agree on.
//!
//! To add a scenario: a line in [`each_scenario`] here, and a function of that name in the guest's
//! `suite`. A line without a function does not compile, a function without a line is dead code.

pub mod costs;

/// Name of the virtio port that carries the guest's KTAP.
pub const KTAP_PORT: &str = "ktap";
/// Name of the virtio port whose text the runner shows on the user's terminal.
pub const SCREEN_PORT: &str = "screen";
/// What the guest says on [`KTAP_PORT`] in [`mode::WAIT`], when a snapshot of it can be made.
pub const SNAPSHOT_READY: &str = "waiting";
/// The file of the archive that it waits for which has its arguments, with a NUL between them.
pub const SNAPSHOT_ARGS: &str = "/args";
/// The guest in the initramfs.
pub const INIT: &str = "/init";
/// Folder of the initramfs with the module under test, as `NAME.ko`.
pub const MODULE_DIR: &str = "/modules";
/// The kernel's own C provider in the initramfs.
pub const C_MODULE: &str = "/modules/c/bpf_preload.ko";

/// The module of qemu-test/gallery.
pub const GALLERY: &str = "lskel_gallery";

/// Folder of the initramfs with the tests of a module project.
pub const TESTS_DIR: &str = "/tests";
/// The certificate of a project whose progs are signed, in the project and in the initramfs.
pub const SIGNING_CERT: &str = "/signing/cert.der";
/// What scripts there find in their environment: the number of a keyring with it.
pub const KEYRING: &str = "KEYRING";
/// The commands of its demo in the initramfs.
pub const DEMO: &str = "/demo";

/// bpftool in the initramfs.
pub const BPFTOOL: &str = "/sbin/bpftool";

/// The one of the kernel's own source.
pub const SIGNING_BPFTOOL: &str = "/sbin/bpftool-of-the-kernel";

/// iproute2's ss in the initramfs.
pub const SS: &str = "/sbin/ss";

/// Folder of the initramfs with what lskel_blob.ko is to load, a file for each object.
pub const CORPUS_DIR: &str = "/corpus";
/// What the name of a file there ends with that is for libbpf's own loader prog, beside one for ours.
pub const LIBBPFS: &str = ".libbpf";
/// What the guest says of an object that the two leave in the same state.
pub const SAME_STATE: &str = "the same state";
/// A module that is loaded before the corpus, where there is one.
pub const CORPUS_TESTMOD: &str = "/modules/bpf_testmod.ko";

/// The module's blobs in the initramfs, as lskel_blob.ko takes them.
pub const BLOB: &str = "/blob";
/// Those for machines of the other byte order.
pub const FOREIGN_BLOB: &str = "/foreign_blob";

/// The data in the initramfs that lskel_blob.ko knows and does not have.
pub const APART: &str = "/apart";

/// Folder of the initramfs with what is signed there, and the key's certificate.
pub const SIGNED_DIR: &str = "/signed";

/// Folder of the initramfs with objects for libbpf.
pub const OBJECTS_DIR: &str = "/objects";

/// graft/selftest in the initramfs.
pub const SELFTEST: &str = "/selftest.sh";

/// What the guest is to do: the first word of its arguments, which are what follows `--` on the kernel's
/// command line. The second is the name of the module under test, the third the scenario's.
pub mod mode {
    /// Wait for files and arguments, of another mode, as an archive on [`super::KTAP_PORT`].
    pub const WAIT: &str = "wait";
    /// Only say hello.
    pub const HELLO: &str = "hello";
    /// Run one scenario.
    pub const TEST: &str = "test";
    /// Show the module at work on the screen port.
    pub const DEMO: &str = "demo";
    /// Run a file of a module project: a test, or [`super::DEMO`].
    pub const SCRIPT: &str = "script";
    /// A shell on the virtio console.
    pub const SHELL: &str = "shell";
    /// Load a corpus of light skeletons.
    pub const CORPUS: &str = "corpus";
    /// Measure: [`crate::costs::part`] says what.
    pub const BENCH: &str = "bench";
}

/// What a scenario's machine has beside the module under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The kernel's own C provider, at [`C_MODULE`].
    CModule,
    /// kmod's modprobe, and depmod's indexes with the module under test.
    Modprobe,
    /// bpftool, at [`BPFTOOL`].
    Bpftool,
    /// BusyBox, for the guest to link its commands.
    Busybox,
    /// ss, at [`SS`], which is only there for amd64. Another kernel does not run it.
    Ss,
    /// A second CPU.
    TwoCpus,
    /// A boot of its own, where others start from a snapshot of a machine that has booted.
    OwnBoot,
    /// A module that scripts/test-modules builds, by its name, in [`MODULE_DIR`].
    TestModule(&'static str),
    /// The same, but for kernels that lack what it is for: its scenario skips itself where it is not there.
    ModuleIfAny(&'static str),
    /// The module's blobs, at [`BLOB`] and [`FOREIGN_BLOB`].
    Blob,
    /// The data of qemu-test/modules/apart.bpf.c, at [`APART`].
    Apart,
    /// Signatures of the module's blobs, and of other things, with the certificates, in [`SIGNED_DIR`].
    Signatures,
    /// bpftool of the kernel's own source, at [`SIGNING_BPFTOOL`] if the archive has it, with the key and an object in
    /// [`SIGNED_DIR`].
    SigningBpftool,
    /// The object of a source in qemu-test/modules, by its name, in [`OBJECTS_DIR`].
    Object(&'static str),
    /// Words for the kernel's command line: with them it has a boot of its own.
    Cmdline(&'static str),
    /// The debug kernel.
    DebugKernel,
    /// A kernel of scripts/builtin-kernel, by the word that it takes, and a boot of its own. Another kernel does not run it.
    Builtin(&'static str),
    /// BusyBox, and the selftest of the kernel tree, at [`SELFTEST`].
    Selftest,
    /// Time that counts instructions, so that two runs can be compared.
    CountedTime,
    /// It is one of the few that tell whether a kernel can be used at all: [`SHORT`].
    Short,
    /// On the debug kernel it is run with the others of this shard (`make test-debug SHARD=`).
    Shard(&'static str),
}

/// The shard of what says nothing of one.
pub const OTHER_SHARD: &str = "scenarios";

/// The shard of [`Need::Short`], each of which is in another one too.
pub const SHORT: &str = "short";

/// Whether a release is that of the debug kernel: see qemu-test/configs/base.config.
pub fn is_debug(release: &str) -> bool {
    release.contains("-debug-")
}

/// Which kernel of scripts/builtin-kernel a release is that of.
pub fn builtin(release: &str) -> Option<&str> {
    let (_, kind) = release.split_once("-builtin-")?;
    kind.split('-').next()
}

/// How a boot has to end for its test to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The guest reports success and the console is clean.
    Passes,
    /// The runner reports a failure that has this text: a test of the runner itself.
    FailsWith(&'static str),
    /// The runner reports that the test could not run, with this text: a test of the runner itself.
    CannotRun(&'static str),
}

/// A line of the table: one function of the guest, one boot.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// A sentence.
    pub name: &'static str,
    /// How its boot has to end.
    pub end: End,
    /// What its machine has.
    pub needs: &'static [Need],
}

impl Scenario {
    /// The shard that it belongs to.
    pub fn shard(&self) -> &'static str {
        self.needs
            .iter()
            .find_map(|need| match need {
                Need::Shard(name) => Some(*name),
                _ => None,
            })
            .unwrap_or(OTHER_SHARD)
    }

    /// Whether it belongs to a shard.
    pub fn is_in(&self, shard: &str) -> bool {
        self.shard() == shard || (shard == SHORT && self.needs.contains(&Need::Short))
    }

    /// Whether it has a boot of its own, and starts from no snapshot.
    pub fn has_own_boot(&self) -> bool {
        self.needs
            .iter()
            .any(|need| matches!(need, Need::OwnBoot | Need::Cmdline(_) | Need::Builtin(_)))
    }

    /// Whether the kernel of a release is one that it is meant for.
    pub fn is_for(&self, release: &str) -> bool {
        let mut kinds = self.needs.iter().filter_map(|need| match need {
            Need::Builtin(kind) => Some(*kind),
            _ => None,
        });
        match builtin(release) {
            Some(kind) if kinds.any(|own| own == kind) => true,
            // A module as any other.
            Some("m") => self
                .needs
                .iter()
                .all(|need| matches!(need, Need::Short | Need::OwnBoot)),
            Some(_) => false,
            None if kinds.next().is_some() => false,
            // There: not what is about the runner, or counts instructions.
            None if is_debug(release) => {
                self.shard() != OTHER_SHARD
                    || (self.end == End::Passes && !self.needs.contains(&Need::CountedTime))
            }
            None => {
                !self.needs.contains(&Need::DebugKernel)
                    && (release.ends_with("-amd64") || !self.needs.contains(&Need::Ss))
            }
        }
    }
}

/// Hands the table to the macro `$then`, as lines of `name, End, [Need…];`.
#[macro_export]
macro_rules! each_scenario {
    ($then:ident) => {
        $then! {
            // Mounts.
            mount_pins_maps_debug_and_progs_debug, Passes, [Short, OwnBoot];
            files_list_the_modules_own_progs_and_map, Passes, [];
            files_list_what_bpf_lists, Passes, [Short];
            a_map_and_a_prog_loaded_after_the_mount_appear, Passes, [];
            a_prog_is_listed_with_its_full_name_from_btf, Passes, [];
            every_mount_has_both_files, Passes, [];
            two_mounts_at_the_same_time_have_both_files, Passes, [TwoCpus];
            a_mount_loads_the_module_by_its_alias, Passes, [Short, Modprobe];
            mount_leaves_no_fd_in_the_mounting_task, Passes, [];
            // Loading.
            load_leaves_no_fd_in_the_loading_task, Passes, [];
            load_leaves_no_fd_when_0_1_and_2_are_closed, Passes, [];
            load_says_at_most_one_line, Passes, [];
            a_second_load_is_refused_with_eexist, Passes, [];
            a_corrupt_module_is_refused_and_leaves_nothing, Passes, [];
            load_says_why_and_leaves_nothing_with_the_jit_off, Passes, [];
            load_says_why_and_leaves_nothing_without_the_capabilities, Passes, [];
            load_says_why_and_leaves_nothing_at_every_limit_of_open_files, Passes, [];
            load_is_refused_when_ops_are_taken, Passes, [CModule];
            // Unloading.
            rmmod_changes_no_fd_of_its_caller, Passes, [];
            rmmod_leaves_another_providers_ops_alone, Passes, [CModule];
            rmmod_waits_for_mounts_that_have_read_the_slot, Passes, [];
            files_stay_readable_after_rmmod, Passes, [];
            a_mount_after_rmmod_finds_no_provider, Passes, [];
            nothing_is_left_after_rmmod_and_umount, Passes, [Short];
            ten_loads_and_unloads_each_give_readable_files, Passes, [];
            with_hold_0_what_a_mount_has_loaded_goes_with_its_files, Passes, [];
            with_hold_0_a_hundred_mounts_at_once_and_rmmods_between_leave_nothing, Passes, [TwoCpus];
            // Reading.
            every_row_agrees_with_bpftool, Passes, [Bpftool, TwoCpus, TestModule("lskel_gallery")];
            a_prog_has_its_functions_name_or_its_own_or_none, Passes, [];
            a_prog_names_the_prog_that_it_was_loaded_for_until_it_is_attached, Passes, [Modprobe];
            run_counts_are_those_of_bpftool_while_progs_run, Passes, [Bpftool, TwoCpus];
            a_row_costs_less_than_one_of_bpftool, Passes, [Bpftool, CountedTime];
            ten_thousand_progs_and_maps_are_listed_once_each, Passes, [];
            links_debug_names_what_links_are_attached_to, Passes, [Bpftool, Modprobe];
            odd_names_never_break_a_row, Passes, [Modprobe];
            pin_puts_the_files_into_a_mount_that_is_older, Passes, [Modprobe];
            links_debug_costs_nothing_before_it_is_pinned_and_after_it_is_removed, Passes, [Modprobe];
            pin_takes_links_debug_from_a_module_that_is_loaded, Passes, [];
            pin_says_why_it_cannot, Passes, [Modprobe];
            pin_takes_any_iterator_by_its_progs_name_or_its_links_id, Passes, [];
            a_group_may_read_when_root_says_so, Passes, [];
            // Costs: make bench has all of them.
            it_costs_no_more_than_what_is_checked_in, Passes, [CModule, CountedTime];
            // Light skeletons: qemu-test/modules/README.md says which feature is seen where.
            a_skeletons_globals_set_before_and_after_load_are_what_progs_see, Passes,
                [TestModule("lskel_features")];
            a_skeletons_max_entries_set_before_load_hold, Passes, [TestModule("lskel_features")];
            a_skeletons_static_prog_array_slot_is_filled, Passes, [TestModule("lskel_features")];
            a_skeletons_fentry_fexit_fmod_ret_and_tp_btf_progs_run, Passes,
                [TestModule("lskel_features")];
            a_skeletons_lsm_prog_runs, Passes, [TestModule("lskel_features")];
            a_skeletons_subprogs_ksyms_and_fields_are_resolved, Passes,
                [TestModule("lskel_features")];
            a_skeleton_of_500_progs_loads_on_the_kernels_stack, Passes, [TestModule("lskel_many")];
            a_skeleton_is_loaded_after_init_only_if_it_was_kept, Passes, [TestModule("lskel_many")];
            a_skeleton_takes_the_data_that_it_was_built_with_and_no_others, Passes,
                [Apart, TestModule("lskel_blob")];
            a_skeletons_optional_prog_is_not_loaded_and_unload_leaves_nothing, Passes,
                [TestModule("lskel_features")];
            // The examples.
            the_file_of_udp_sockets_agrees_with_ss, Passes,
                [Ss, TestModule("sockets"), TestModule("inet_diag"), TestModule("udp_diag")];
            gate_unloads_before_the_seal_and_leaves_nothing, Passes, [TestModule("gate")];
            gate_cannot_be_had_by_id_or_updated, Passes, [TestModule("gate")];
            gate_stays_and_lets_no_unsigned_module_in, Passes,
                [TestModule("gate"), TestModule("sockets")];
            gate_refuses_progs_but_signed_ones, Passes, [TestModule("gate"), Signatures];
            gate_refuses_kernel_images_and_memory, Passes, [TestModule("gate")];
            gate_refuses_unsigned_kernel_images, Passes, [TestModule("gate")];
            gate_refuses_kprobes_and_lives_with_ftrace, Passes, [TestModule("gate")];
            gate_refuses_processes_of_other_users, Passes, [TestModule("gate")];
            gate_does_not_open_again, Passes, [TestModule("gate")];
            gate_counts_in_a_file_and_tells_dmesg_a_little_at_a_time, Passes, [TestModule("gate")];
            gate_holds_in_a_user_namespace, Passes, [TestModule("gate")];
            gate_holds_in_another_root, Passes, [TestModule("gate")];
            gate_runs_no_loader_from_before_the_seal, Passes, [TestModule("gate"), Signatures];
            gate_lets_signed_modules_in, Passes,
                [DebugKernel, Shard("settings"), TestModule("gate"), TestModule("signed"), TestModule("sockets")];
            gate_costs_this_much, Passes, [TestModule("gate"), CountedTime];
            gate_lets_everyday_life_go_on, Passes, [TestModule("gate"), Signatures];
            gate_leaves_out_the_rules_that_it_is_told_to, Passes,
                [TestModule("gate"), TestModule("sockets")];
            gate_is_not_sealed_with_rescue, Passes, [TestModule("gate")];
            gate_says_when_no_prog_is_asked, Passes, [TestModule("gate"), Cmdline("lsm=landlock")];
            gate_cannot_end_work_from_before_the_seal, Passes,
                [TestModule("gate"), Bpftool, Object("loads_by_work")];
            no_timer_loads_progs, Passes, [Bpftool, Object("loads_by_timer")];
            gate_attaches_whole_or_not_at_all_when_memory_is_short, Passes, [TestModule("gate")];
            gate_cannot_undo_what_was_open_before_the_seal, Passes, [TestModule("gate")];
            // The gallery: qemu-test/gallery/README.md has a table of its entries.
            gallery_hash_counts_by_the_name_of_the_task, Passes, [TestModule("lskel_gallery")];
            gallery_lru_hash_drops_what_was_not_used, Passes, [TestModule("lskel_gallery")];
            gallery_lpm_trie_finds_the_longest_prefix, Passes, [TestModule("lskel_gallery")];
            gallery_bloom_filter_knows_what_was_put_in, Passes, [TestModule("lskel_gallery")];
            gallery_queue_stack_give_back_first_and_last, Passes, [TestModule("lskel_gallery")];
            gallery_percpu_counts_each_cpu_by_itself, Passes, [TwoCpus, TestModule("lskel_gallery")];
            gallery_map_in_map_takes_another_map_at_run_time, Passes, [TestModule("lskel_gallery")];
            gallery_task_storage_belongs_to_one_task, Passes, [TestModule("lskel_gallery")];
            gallery_ring_buffer_brings_records_to_user_space, Passes, [TestModule("lskel_gallery")];
            gallery_user_ring_buffer_brings_records_to_bpf, Passes, [TestModule("lskel_gallery")];
            gallery_max_entries_are_what_the_module_has_set, Passes, [TestModule("lskel_gallery")];
            gallery_global_data_is_shared_with_the_module, Passes, [TestModule("lskel_gallery")];
            gallery_global_functions_return_what_they_should, Passes, [TestModule("lskel_gallery")];
            gallery_tail_call_goes_where_the_array_says, Passes, [TestModule("lskel_gallery")];
            gallery_bpf_loop_ends_after_its_turns_or_early, Passes, [TestModule("lskel_gallery")];
            gallery_timer_goes_off_by_itself, Passes, [TestModule("lskel_gallery")];
            gallery_tracing_progs_see_their_cookies, Passes, [TestModule("lskel_gallery")];
            gallery_fsession_keeps_a_number_from_start_to_end, Passes,
                [TestModule("lskel_gallery")];
            gallery_freplace_is_in_the_place_of_functions_and_progs, Passes,
                [TestModule("lskel_gallery")];
            gallery_raw_tp_is_attached_twice_with_its_cookies, Passes,
                [TestModule("lskel_gallery")];
            gallery_kprobe_multi_counts_calls_by_cookie, Passes, [TestModule("lskel_gallery")];
            gallery_kprobe_session_runs_at_start_and_at_the_return_it_asks_for, Passes,
                [TestModule("lskel_gallery")];
            gallery_lsm_deny_keeps_a_file_and_a_folder_until_rmmod, Passes,
                [TestModule("lskel_gallery")];
            gallery_lsm_sleepable_locks_a_file_by_its_attribute, Passes,
                [TestModule("lskel_gallery")];
            gallery_refused_attach_says_why_and_what_to_do_instead, Passes,
                [TestModule("lskel_gallery")];
            gallery_a_kernel_thread_attaches_what_needs_no_process, Passes,
                [TestModule("lskel_gallery")];
            gallery_iter_link_lists_its_own_link, Passes, [TestModule("lskel_gallery")];
            gallery_iter_task_lists_all_tasks_a_process_a_thread_and_open_files, Passes,
                [TestModule("lskel_gallery")];
            gallery_iter_socket_lists_listening_and_connected_ports, Passes,
                [TestModule("lskel_gallery")];
            gallery_iter_map_elem_lists_elements_and_socket_storage, Passes,
                [TestModule("lskel_gallery")];
            gallery_iter_cgroup_lists_all_cgroups_or_one, Passes, [TestModule("lskel_gallery")];
            gallery_xdp_drops_packets_until_rmmod, Passes, [TestModule("lskel_gallery")];
            gallery_tcx_changes_and_drops_packets_until_rmmod, Passes,
                [TestModule("lskel_gallery")];
            gallery_netfilter_drops_packets_until_rmmod, Passes, [TestModule("lskel_gallery")];
            gallery_cgroup_skb_drops_packets_until_rmmod, Passes, [TestModule("lskel_gallery")];
            gallery_cgroup_connect_goes_elsewhere_until_rmmod, Passes,
                [TestModule("lskel_gallery")];
            gallery_cgroup_deny_refuses_a_sysctl_and_a_device_until_rmmod, Passes,
                [TestModule("lskel_gallery")];
            gallery_sk_lookup_chooses_the_socket_until_rmmod, Passes, [TestModule("lskel_gallery")];
            gallery_core_fields_gets_the_kernels_layout, Passes, [TestModule("lskel_gallery")];
            gallery_ksyms_finds_variables_and_addresses, Passes,
                [TestModule("lskel_gallery"), TwoCpus];
            gallery_kfuncs_are_called, Passes, [TestModule("lskel_gallery")];
            gallery_crash_kexec_loads_for_who_may_reboot, Passes, [TestModule("lskel_gallery")];
            gallery_open_coded_iter_loops_to_the_end, Passes, [TestModule("lskel_gallery")];
            gallery_for_each_elem_visits_elements_until_told_to_stop, Passes,
                [TestModule("lskel_gallery")];
            gallery_dynptr_checks_bounds_at_run_time, Passes, [TestModule("lskel_gallery")];
            gallery_strings_are_printed_parsed_and_traced, Passes, [TestModule("lskel_gallery")];
            gallery_spin_lock_guards_a_value_on_two_cpus, Passes,
                [TestModule("lskel_gallery"), TwoCpus];
            gallery_kptr_keeps_a_task_that_has_ended, Passes, [TestModule("lskel_gallery")];
            gallery_linked_list_keeps_its_order, Passes, [TestModule("lskel_gallery")];
            gallery_rbtree_gives_the_smallest_first, Passes, [TestModule("lskel_gallery")];
            gallery_arena_is_a_list_in_the_memory_of_a_process, Passes,
                [TestModule("lskel_gallery")];
            gallery_workqueue_does_the_job_in_a_kernel_thread, Passes,
                [TestModule("lskel_gallery")];
            gallery_exceptions_end_a_prog_from_deep_inside, Passes, [TestModule("lskel_gallery")];
            gallery_call_hash_looks_up_changes_and_deletes, Passes, [TestModule("lskel_gallery")];
            gallery_call_maps_of_other_kinds, Passes, [TestModule("lskel_gallery")];
            gallery_call_each_goes_through_a_map, Passes, [TestModule("lskel_gallery")];
            gallery_call_ring_sends_records_to_user_space, Passes, [TestModule("lskel_gallery")];
            gallery_call_kfunc_finds_a_task, Passes, [TestModule("lskel_gallery")];
            gallery_call_user_sleeps_in_three_threads_at_once, Passes,
                [TestModule("lskel_gallery")];
            gallery_call_threads_meet_in_one_function, Passes, [TestModule("lskel_gallery")];
            gallery_tcp_congestion_serves_connections_and_is_gone_after_rmmod, Passes,
                [TestModule("lskel_gallery")];
            gallery_optional_ops_are_left_out_unless_asked_for, Passes, [TestModule("lskel_gallery")];
            gallery_scheduler_runs_tasks_until_rmmod, Passes, [TestModule("lskel_gallery")];
            gallery_scheduler_that_fails_is_thrown_out, Passes, [TestModule("lskel_gallery")];
            gallery_scheduler_that_stalls_is_thrown_out, Passes, [TestModule("lskel_gallery")];
            gallery_two_schedulers_come_and_go_at_once, Passes,
                [TestModule("lskel_gallery"), TestModule("scheduler"), TwoCpus];
            gallery_struct_ops_load_in_a_thread_without_fds_0_to_2, Passes,
                [TestModule("lskel_gallery")];
            a_hid_fix_of_the_kernels_own_changes_a_device_until_rmmod, Passes,
                [ModuleIfAny("hid"), ModuleIfAny("hid-generic"), ModuleIfAny("uhid"), ModuleIfAny("hid_fix")];
            example_congestion_counts_connections_and_keeps_the_window, Passes,
                [TestModule("congestion")];
            example_scheduler_says_why_it_was_thrown_out, Passes, [TestModule("scheduler")];
            gallery_a_refused_prog_is_explained_in_dmesg, Passes, [TestModule("lskel_gallery")];
            gallery_a_refused_prog_is_tried_twice, Passes, [TestModule("lskel_gallery")];
            gallery_log_level_sets_what_is_logged, Passes, [TestModule("lskel_gallery")];
            gallery_names_what_the_kernel_lacks, Passes, [TestModule("lskel_gallery")];
            gallery_a_failed_load_leaves_no_btf_of_a_module_open, Passes,
                [CModule, TestModule("lskel_gallery")];
            gallery_leaves_nothing_after_rmmod, Passes, [TestModule("lskel_gallery")];
            gallery_leaves_nothing_when_its_last_entry_is_refused, Passes,
                [TestModule("lskel_gallery")];
            a_scenario_starts_in_an_idle_machine, Passes, [CountedTime];
            // The runner itself: these have to fail, or it would pass what it should not.
            runner_fails_a_guest_that_panics, FailsWith("Kernel panic"), [OwnBoot];
            runner_fails_a_guest_whose_init_dies, FailsWith("Attempted to kill init"), [];
            runner_fails_a_kernel_that_warns, FailsWith("WARNING: "), [];
            runner_fails_a_missing_result, FailsWith("1 of 2 results"), [];
            runner_fails_a_report_without_a_plan, FailsWith("no plan"), [];
            runner_fails_an_empty_plan, FailsWith("no test"), [];
            runner_fails_a_failed_assertion, FailsWith("expected 1, seen 2"), [];
            runner_fails_a_guest_that_hangs, FailsWith("no end within"), [];
            runner_cannot_run_a_guest_that_says_nothing, CannotRun("never said hello"), [];
            // The lab: what is planted has to be seen, or a clean report proves nothing.
            the_lab_sees_a_leak, FailsWith("suspected memory leaks"),
                [DebugKernel, Shard("controls"), TestModule("lab_faults")];
            the_lab_sees_a_use_after_free, FailsWith("BUG: KASAN: slab-use-after-free"),
                [DebugKernel, Shard("controls"), TestModule("lab_faults")];
            the_lab_sees_a_lock_inversion, FailsWith("possible circular locking dependency"),
                [DebugKernel, Shard("controls"), TestModule("lab_faults")];
            the_lab_sees_a_map_left_behind, FailsWith("left after"),
                [DebugKernel, Shard("controls"), TestModule("lab_faults")];
            the_lab_sees_an_fd_left_open, FailsWith("after loading the C provider"),
                [DebugKernel, Shard("controls"), CModule];
            the_lab_makes_an_allocation_fail, Passes,
                [DebugKernel, Shard("controls"), TestModule("lab_faults")];
            the_kernels_own_unit_tests_of_rust_pass, Passes,
                [DebugKernel, Shard("controls"), Cmdline("kunit.autorun=1")];
            // Each allocation in turn fails.
            every_failed_allocation_of_insmod_unwinds, Passes,
                [DebugKernel, Shard("failpoints"), TestModule("lab_stacks")];
            every_failed_allocation_of_a_signed_insmod_unwinds, Passes,
                [DebugKernel, Shard("failpoints"), Signatures, TestModule("signed_progs"), TestModule("lab_stacks")];
            every_failed_allocation_of_insmod_of_the_gate_unwinds, Passes,
                [DebugKernel, Shard("failpoints"), TestModule("gate"), TestModule("lab_stacks")];
            every_failed_allocation_of_a_mount_is_the_kernels_own, Passes, [DebugKernel, Shard("failpoints")];
            every_failed_allocation_of_rmmod_is_harmless, Passes, [DebugKernel, Shard("failpoints")];
            failed_allocations_of_each_gallery_entry_unwind, Passes,
                [DebugKernel, Shard("gallery"), TestModule("lskel_gallery"), TestModule("lab_stacks")];
            the_c_provider_with_failed_allocations, Passes,
                [DebugKernel, Shard("failpoints"), CModule, TestModule("lab_stacks")];
            // Much of it; README.md says how to choose how much.
            a_storm_of_mounts_reads_signals_and_rmmods_is_harmless, Passes,
                [Shard("storms"), TwoCpus];
            memory_is_flat_over_very_many_mounts, Passes, [Shard("storms")];
            // Blobs.
            a_changed_blob_is_refused_or_harmless, Passes,
                [Shard("blob"), Blob, TestModule("lskel_blob")];
            a_blob_of_the_other_byte_order_is_refused_in_one_line, Passes,
                [Short, Shard("blob"), Blob, TestModule("lskel_blob")];
            // Signatures.
            a_signed_object_is_loaded_and_the_kernel_says_so, Passes,
                [Blob, Signatures, TestModule("lskel_blob")];
            a_wrong_signature_or_keyring_is_refused_in_one_line, Passes,
                [Blob, Signatures, TestModule("lskel_blob")];
            a_signed_map_has_to_be_frozen_and_exclusive, Passes, [Signatures];
            the_modules_signed_progs_are_loaded_with_their_key_only, Passes,
                [Signatures, TestModule("signed_progs"), TestModule("signed_links")];
            a_policy_of_verified_progs_lets_signed_modules_in_and_no_others, Passes,
                [Blob, Signatures, TestModule("signed_progs"), TestModule("lskel_blob"),
                 TestModule("lab_policy")];
            what_bpftool_signs_is_taken_by_the_kernel_that_takes_ours, Passes,
                [Signatures, SigningBpftool, TestModule("signed_progs"), TestModule("lab_policy")];
            a_signed_load_costs_little_more_than_an_unsigned_one, Passes,
                [Signatures, CountedTime, TestModule("signed_progs")];
            require_signed_refuses_a_module_whose_progs_are_not_signed, Passes, [];
            // Tasks that mean no good.
            a_thread_that_changes_the_fd_table_gets_no_wrong_link_pinned, Passes,
                [Shard("hostile"), TwoCpus];
            a_memory_cgroup_too_small_refuses_cleanly, Passes, [Shard("hostile")];
            a_task_with_a_seccomp_filter_on_bpf_loads, Passes, [Shard("hostile")];
            a_task_without_address_space_loads, Passes, [Shard("hostile")];
            a_delegated_mount_of_a_user_namespace_has_both_files_which_its_root_cannot_read, Passes, [Shard("hostile")];
            a_mount_in_a_chroot_without_modprobe_works, Passes, [Shard("hostile")];
            // Settings of the kernel.
            load_says_why_when_an_lsm_denies_bpf, Passes, [Shard("settings")];
            load_does_not_care_for_unprivileged_bpf_disabled, Passes, [Shard("settings")];
            only_a_signed_module_loads_where_signatures_are_enforced, Passes,
                [DebugKernel, Shard("settings"), Cmdline("module.sig_enforce=1"), TestModule("signed")];
            a_signed_module_loads_under_lockdown_integrity, Passes,
                [DebugKernel, Shard("settings"), TestModule("signed")];
            load_says_why_under_lockdown_confidentiality, Passes,
                [DebugKernel, Shard("settings"),
                 TestModule("signed")];
            // Built in: make test-builtin.
            init_starts_with_the_console_and_no_other_fd, Passes,
                [Builtin("y"), Builtin("early"), Cmdline("kunit.enable=0")];
            the_first_mount_of_a_boot_has_both_files, Passes,
                [Builtin("y"), Builtin("early"), Cmdline("kunit.enable=0")];
            no_process_holds_an_fd_of_bpf, Passes, [Builtin("y"), Cmdline("kunit.enable=0")];
            enable_0_on_the_command_line_switches_it_off, Passes,
                [Builtin("y"), Cmdline("kunit.enable=0 bpf_preload_rs.enable=0")];
            progs_belong_to_root_whoever_mounts_first, Passes,
                [Builtin("y"), Cmdline("kunit.enable=0")];
            a_first_mount_is_not_charged_for_the_progs, Passes,
                [Builtin("y"), Selftest, Cmdline("kunit.enable=0")];
            a_first_mount_under_signals_has_both_files, Passes,
                [Builtin("y"), TwoCpus, Cmdline("kunit.enable=0")];
            a_first_mount_without_a_free_fd_has_both_files, Passes,
                [Builtin("y"), Cmdline("kunit.enable=0")];
            a_load_that_fails_at_boot_is_tried_at_each_mount, Passes,
                [Builtin("y"), Cmdline("kunit.enable=0 lab_jit_off")];
            a_load_that_cannot_succeed_is_said_once_at_boot, Passes,
                [Builtin("y"), Cmdline("kunit.enable=0 initcall_blacklist=bpf_prog_iter_init")];
            a_load_that_cannot_succeed_at_a_mount_costs_the_next_ones_nothing, Passes,
                [Builtin("y"), Cmdline("kunit.enable=0 lab_jit_off initcall_blacklist=bpf_prog_iter_init")];
            unit_tests_and_examples_pass_at_boot, Passes, [Builtin("y"), Cmdline("kunit.autorun=1")];
            init_is_denied_what_a_prog_denies_that_is_built_in, Passes,
                [Builtin("early"), Cmdline("kunit.enable=0")];
            a_scheduler_is_enabled_before_init_for_who_asks_for_it, Passes,
                [Builtin("early"), Cmdline("kunit.enable=0 scheduler.enable=1 scheduler.slice_ms=7")];
            a_scheduler_that_is_built_in_waits_to_be_asked_for, Passes,
                [Builtin("early"), Cmdline("kunit.enable=0")];
            gate_is_sealed_before_init_which_obeys_it, Passes,
                [Builtin("early"), Cmdline("kunit.enable=0 gate.seal=1")];
            gate_is_not_there_before_init_with_rescue, Passes,
                [Builtin("early"), Cmdline("kunit.enable=0 gate.seal=1 gate.rescue=1")];
            signed_progs_are_there_before_init_under_a_policy_that_lets_in_no_others, Passes,
                [Builtin("signed"), Cmdline("kunit.enable=0 bpf_preload_rs.keyring=0")];
            unsigned_progs_are_refused_before_init_where_kconfig_says_so, Passes,
                [Builtin("signed"), Cmdline("kunit.enable=0 bpf_preload_rs.keyring=2")];
            the_selftest_of_the_kernel_tree_passes_and_can_fail, Passes,
                [Builtin("y"), Selftest, Cmdline("kunit.enable=0 lab_jit_off")];
            the_selftest_of_the_kernel_tree_passes_for_the_module_and_can_fail, Passes,
                [Builtin("m"), Selftest, Modprobe];
            a_module_that_does_not_import_bpf_internal_is_refused, Passes, [Builtin("m")];
            boot_and_mounts_cost_this_much, Passes,
                [Builtin("y"), Builtin("c"), CountedTime, Cmdline("kunit.enable=0")];
            loads_of_the_modules_cost_this_much, Passes, [Builtin("m"), CountedTime];
        }
    };
}

macro_rules! table {
    ($($name:ident, $end:ident $(($text:literal))?, [$($need:ident $(($of:literal))?),*];)*) => {
        /// All scenarios.
        pub const SCENARIOS: &[Scenario] = &[$(Scenario {
            name: stringify!($name),
            end: End::$end $(($text))?,
            needs: &[$(Need::$need $(($of))?),*],
        }),*];
    };
}
each_scenario!(table);
