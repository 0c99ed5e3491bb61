// SPDX-License-Identifier: GPL-2.0
//! The table of scenarios, and the other things that runner and guest agree on.
//!
//! To add a scenario: a line in [`each_scenario`] here, and a function of that name in the guest's
//! `suite`. A line without a function does not compile, a function without a line is dead code.

/// Name of the virtio port that carries the guest's KTAP.
pub const KTAP_PORT: &str = "ktap";
/// Name of the virtio port whose text the runner shows on the user's terminal.
pub const SCREEN_PORT: &str = "screen";
/// Folder of the initramfs with the module under test, as `NAME.ko`.
pub const MODULE_DIR: &str = "/modules";
/// The kernel's own C provider in the initramfs.
pub const C_MODULE: &str = "/modules/c/bpf_preload.ko";

/// bpftool in the initramfs.
pub const BPFTOOL: &str = "/sbin/bpftool";

/// Folder of the initramfs with what lskel_blob.ko is to load, a file for each object.
pub const CORPUS_DIR: &str = "/corpus";
/// A module that is loaded before the corpus, where there is one.
pub const CORPUS_TESTMOD: &str = "/modules/bpf_testmod.ko";

/// What the guest is to do: the first word of its arguments, which are what follows `--` on the kernel's
/// command line. The second is the name of the module under test, the third the scenario's.
pub mod mode {
    /// Only say hello.
    pub const HELLO: &str = "hello";
    /// Run one scenario.
    pub const TEST: &str = "test";
    /// Show the module at work on the screen port.
    pub const DEMO: &str = "demo";
    /// A shell on the virtio console.
    pub const SHELL: &str = "shell";
    /// Load a corpus of light skeletons.
    pub const CORPUS: &str = "corpus";
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
    /// A second CPU.
    TwoCpus,
    /// A module of qemu-test/modules, by its name, in [`MODULE_DIR`].
    TestModule(&'static str),
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

/// Hands the table to the macro `$then`, as lines of `name, End, [Need…];`.
#[macro_export]
macro_rules! each_scenario {
    ($then:ident) => {
        $then! {
            // Mounts.
            mount_pins_maps_debug_and_progs_debug, Passes, [];
            files_list_the_modules_own_progs_and_map, Passes, [];
            files_list_what_bpf_lists, Passes, [];
            a_map_and_a_prog_loaded_after_the_mount_appear, Passes, [];
            a_prog_is_listed_with_its_full_name_from_btf, Passes, [];
            every_mount_has_both_files, Passes, [];
            two_mounts_at_the_same_time_have_both_files, Passes, [TwoCpus];
            a_mount_loads_the_module_by_its_alias, Passes, [Modprobe];
            mount_leaves_no_fd_in_the_mounting_task, Passes, [];
            // Loading.
            load_leaves_no_fd_in_the_loading_task, Passes, [];
            load_leaves_no_fd_when_0_1_and_2_are_closed, Passes, [];
            load_says_at_most_one_line, Passes, [];
            a_second_load_is_refused_with_eexist, Passes, [];
            a_corrupt_module_is_refused_and_leaves_nothing, Passes, [];
            load_says_why_and_leaves_nothing_with_the_jit_off, Passes, [];
            load_says_why_and_leaves_nothing_at_every_limit_of_open_files, Passes, [];
            load_is_refused_when_ops_are_taken, Passes, [CModule];
            // Unloading.
            rmmod_changes_no_fd_of_its_caller, Passes, [];
            rmmod_leaves_another_providers_ops_alone, Passes, [CModule];
            files_stay_readable_after_rmmod, Passes, [];
            a_mount_after_rmmod_finds_no_provider, Passes, [];
            nothing_is_left_after_rmmod_and_umount, Passes, [];
            ten_loads_and_unloads_each_give_readable_files, Passes, [];
            // Reading.
            every_row_agrees_with_bpftool, Passes, [Bpftool, TwoCpus];
            ten_thousand_progs_and_maps_are_listed_once_each, Passes, [];
            links_debug_names_what_links_are_attached_to, Passes, [Bpftool];
            odd_names_never_break_a_row, Passes, [];
            pin_puts_the_files_into_a_mount_that_is_older, Passes, [];
            pin_says_why_it_cannot, Passes, [];
            a_group_may_read_when_root_says_so, Passes, [];
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
            a_skeletons_optional_prog_is_not_loaded_and_unload_leaves_nothing, Passes,
                [TestModule("lskel_features")];
            // The runner itself: these have to fail, or it would pass what it should not.
            runner_fails_a_guest_that_panics, FailsWith("Kernel panic"), [];
            runner_fails_a_guest_whose_init_dies, FailsWith("Attempted to kill init"), [];
            runner_fails_a_kernel_that_warns, FailsWith("WARNING: "), [];
            runner_fails_a_missing_result, FailsWith("1 of 2 results"), [];
            runner_fails_a_report_without_a_plan, FailsWith("no plan"), [];
            runner_fails_an_empty_plan, FailsWith("no test"), [];
            runner_fails_a_failed_assertion, FailsWith("expected 1, seen 2"), [];
            runner_fails_a_guest_that_hangs, FailsWith("no end within"), [];
            runner_cannot_run_a_guest_that_says_nothing, CannotRun("never said hello"), [];
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
