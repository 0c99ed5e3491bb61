// SPDX-License-Identifier: GPL-2.0

//! KUnit tests: what the types promise, in a kernel that has them built in.

use super::{
    fd::OwnedFd,
    link::{
        IterLink,
        Link, //
    },
    map::Map,
    preload::LinkName,
    prog::Prog,
    syscall::{
        self,
        InterfaceHook,
        LinkTarget,
        MapCreate,
        ProgLoad, //
    },
};
use kernel::{
    bindings,
    macros::kunit_tests,
    prelude::*, //
};

fn map() -> Result<OwnedFd> {
    syscall::map_create(&MapCreate {
        map_type: bindings::bpf_map_type_BPF_MAP_TYPE_ARRAY,
        map_name: c"kunit",
        key_size: 4,
        value_size: 8,
        max_entries: 1,
        map_flags: 0,
    })
}

/// Loads a prog of a kind that needs no BTF.
fn prog(insns: &[u8]) -> Result<OwnedFd> {
    syscall::prog_load(&ProgLoad {
        prog_type: bindings::bpf_prog_type_BPF_PROG_TYPE_XDP,
        prog_name: c"kunit",
        insns,
        license: c"GPL",
        prog_flags: 0,
        fd_array: &[],
    })
}

/// `r0 = 0; exit`
const GOOD: [u8; 16] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

#[kunit_tests(rust_bpf)]
mod suite {
    use super::*;

    /// The lowest free number is given out first: it is the same again, so it was closed.
    #[test]
    fn fd_is_closed_on_drop() -> Result {
        let first = map()?;
        let number = first.as_raw();
        let second = map()?;

        assert!(second.as_raw() != number);
        drop(first);
        let third = map()?;
        assert_eq!(third.as_raw(), number);
        Ok(())
    }

    #[test]
    fn an_errno_is_no_fd() {
        // SAFETY: negative.
        let error = unsafe { OwnedFd::from_ret(-9) }.err();

        assert_eq!(error, Some(EBADF));
    }

    #[test]
    fn a_map_is_no_link() -> Result {
        let error = Link::get_from_fd(&map()?).err();

        assert_eq!(error, Some(EINVAL));
        Ok(())
    }

    /// bpffs would take any link for an iterator's.
    #[test]
    fn a_link_that_is_no_iterators_is_refused() -> Result {
        let fd = syscall::link_create(
            &prog(&GOOD)?,
            // The loopback interface, in generic mode (XDP_FLAGS_SKB_MODE).
            &LinkTarget::Interface {
                hook: InterfaceHook::Xdp,
                ifindex: 1,
                flags: 2,
            },
        )?;
        let link = Link::get_from_fd(&fd)?;

        assert!(link.link_type() != bindings::bpf_link_type_BPF_LINK_TYPE_ITER);
        assert_eq!(IterLink::try_from(link).err(), Some(EINVAL));
        Ok(())
    }

    #[test]
    fn a_name_that_bpffs_could_not_show_is_refused() {
        assert!(LinkName::new(c"maps.debug").is_some());
        assert!(LinkName::new(c"fifteen_bytes_x").is_some());
        assert!(LinkName::new(c"sixteen_bytes_xx").is_none());
        assert!(LinkName::new(c"").is_none());
        assert!(LinkName::new(c"a/b").is_none());
    }

    #[test]
    fn a_blob_that_is_no_prog_is_refused() -> Result {
        prog(&GOOD)?;
        // Half an instruction, no end, no such instruction.
        assert_eq!(prog(&GOOD[..12]).err(), Some(EINVAL));
        assert_eq!(prog(&GOOD[..8]).err(), Some(EINVAL));
        assert_eq!(prog(&[0xff; 16]).err(), Some(EINVAL));
        Ok(())
    }

    /// What is behind an array would be read as an fd.
    #[test]
    fn an_fd_that_is_not_in_the_array_is_refused() {
        let registers = if cfg!(target_endian = "little") {
            0x51
        } else {
            0x15
        };
        // `r1 = map by index 0`, of none.
        let mut insns = [0; 32];
        insns[0] = 0x18;
        insns[1] = registers;
        insns[16..].copy_from_slice(&GOOD);

        assert_eq!(prog(&insns).err(), Some(EINVAL));
    }

    #[test]
    fn a_map_is_written_to_within_its_value_only() -> Result {
        let map = Map::get_from_fd(&map()?)?;

        map.write(4, &1_u32.to_ne_bytes())?;
        assert_eq!(map.read_u32(4)?, 1);
        assert_eq!(map.write(5, &[0; 4]).err(), Some(EINVAL));
        assert_eq!(map.read_u32(8).err(), Some(EINVAL));
        assert_eq!(map.read_u32(2).err(), Some(EINVAL));
        Ok(())
    }

    /// Without an fd, and in a task that has no part in a system call.
    #[test]
    fn a_prog_that_is_run_reads_and_writes_its_context() -> Result {
        let [r0_r1, r1_r0] = if cfg!(target_endian = "little") {
            [0x10, 0x01]
        } else {
            [0x01, 0x10]
        };
        let one = 1_i32.to_ne_bytes();
        // `r0 = *(u32 *)(r1 + 0); r0 += 1; *(u32 *)(r1 + 4) = r0; exit`
        let mut insns = [0; 32];
        insns[0] = 0x61;
        insns[1] = r0_r1;
        insns[8] = 0x07;
        insns[12..16].copy_from_slice(&one);
        insns[16] = 0x63;
        insns[17] = r1_r0;
        let off = 4_i16.to_ne_bytes();
        insns[18..20].copy_from_slice(&off);
        insns[24] = 0x95;

        let fd = syscall::prog_load(&ProgLoad {
            prog_type: bindings::bpf_prog_type_BPF_PROG_TYPE_SYSCALL,
            prog_name: c"kunit",
            insns: &insns,
            license: c"GPL",
            prog_flags: bindings::BPF_F_SLEEPABLE,
            fd_array: &[],
        })?;
        let prog = Prog::get_from_fd(&fd, bindings::bpf_prog_type_BPF_PROG_TYPE_SYSCALL)?;
        let mut ctx = [41_u32, 0];

        drop(fd);
        assert!(prog.is_named(c"kunit"));
        assert!(!prog.is_named(c"kunits"));
        assert_eq!(prog.context_size() as usize, size_of_val(&ctx));
        // SAFETY: it is such a prog, and the context is as large as it wants.
        let ret = unsafe { prog.run(ctx.as_mut_ptr().cast()) };
        assert_eq!((ret, ctx), (42, [41, 42]));
        Ok(())
    }

    /// Where a provider is built in, its slot is taken by now.
    #[test]
    #[cfg(any(CONFIG_BPF_PRELOAD_RS = "y", CONFIG_BPF_PRELOAD_UMD = "y"))]
    fn a_second_provider_is_refused() {
        use super::super::preload::{
            Preload,
            PreloadLink,
            Registration,
            BPF_PRELOAD_LINKS, //
        };

        struct Nothing;

        impl Preload for Nothing {
            fn preload(&self) -> Result<[PreloadLink<'_>; BPF_PRELOAD_LINKS]> {
                Err(ENOENT)
            }
        }

        // SAFETY: NULL stands for what is built in.
        static BUILT_IN: ThisModule = unsafe { ThisModule::from_ptr(core::ptr::null_mut()) };
        let error = Registration::new(&BUILT_IN, Nothing).err();

        assert_eq!(error, Some(EBUSY));
    }
}
