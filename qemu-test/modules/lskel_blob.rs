// SPDX-License-Identifier: GPL-2.0

//! Loads objects that user space hands in, for tests: it trusts them as it would its own.
//!
//! One write to `/dev/lskel_blob` is one object, in one of two forms: for the loader prog of `lskel`, as a
//! generated file has it, or for a loader prog of its own, as libbpf writes them. Numbers are `u32`, names
//! have their length before them and NUL behind. Before the first form there can be a signature: 2, the
//! number of the keyring, the size of the signature, the signature.
//!
//! | for `lskel` | for libbpf's |
//! |---|---|
//! | 1 | 0 |
//! | number of maps, progs, commands and struct_ops, size of the data, offset of the BTF's attr or 0 | number of maps and progs, size of the data and of the instructions |
//! | for each map: attr, offset of its value or 0, size of its value, name | for each map: `max_entries`, or 0 |
//! | for each prog: attr, type, name | |
//! | for each command: record, op (in the order of `Command`), two operands, name | |
//! | with struct_ops: cell of the layout prog, number of enums; for each map: `OpsDef`, with the number of members, then each `MemberDef`, names last; for each enum: `EnumDef` | |
//! | the data | the data, the instructions |
//!
//! struct_ops are registered: at least one of them, if there are any.
//!
//! A write that begins with 3 is the data of `apart.bpf.c`, whose interface the module has: it takes only these.
//!
//! The write fails with the errno of the load; dmesg names the step. What was loaded stays until the next write, or
//! until the file is closed.

#![allow(
    unsafe_code,
    reason = "a test: what user space hands in is taken at its word"
)]

#[cfg_attr(
    target_endian = "little",
    path = "../gallery/generated/apart.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../gallery/generated/apart.lskel-big-endian.rs"
)]
mod apart;
mod bpf;
mod lskel;

use apart::{
    globals,
    Apart, //
};
use bpf::{
    fd::{
        KeptOpen,
        OwnedFd, //
    },
    map::Map,
    syscall::{
        self,
        MapCreate,
        ProgLoad, //
    }, //
};
use kernel::{
    bindings,
    error::to_result,
    fs::{
        File,
        Kiocb, //
    },
    iov::IovIterSource,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    new_mutex,
    prelude::*,
    sync::Mutex, //
};
use lskel::{
    Command,
    EnumDef,
    Keyring,
    LoadError,
    MapDef,
    MemberDef,
    ObjectData,
    ObjectDef,
    OpsDef,
    ProgDef,
    Registered,
    Skeleton,
    StructOps, //
};

module! {
    type: LskelBlob,
    name: "lskel_blob",
    authors: ["The bpf_preload_rs developers"],
    description: "Loads light skeletons from user space, for tests",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
}

#[pin_data]
struct LskelBlob {
    #[pin]
    _device: MiscDeviceRegistration<Device>,
}

impl kernel::InPlaceModule for LskelBlob {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"lskel_blob" }),
        })
    }
}

#[pin_data]
struct Device {
    /// What the last write has loaded.
    #[pin]
    kept: Mutex<Kept>,
}

/// What is open, and what is registered.
#[derive(Default)]
struct Kept {
    _registered: KVec<Registered>,
    _open: KVec<KeptOpen>,
}

#[vtable]
impl MiscDevice for Device {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                kept <- new_mutex!(Kept::default()),
            }),
            GFP_KERNEL,
        )
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let mut request = KVVec::new();
        let len = iov.copy_from_iter_vec(&mut request, GFP_KERNEL)?;
        let mut request = Request(&request);
        let device = kiocb.file();
        let mut kept = device.kept.lock();

        *kept = Kept::default();
        *kept = match request.number()? {
            1 => load(request, None),
            2 => {
                let keyring = Keyring::from_number(request.number()? as i32);
                let len = request.number()?;
                let cms = request.bytes(len)?;

                match request.number()? {
                    1 => load(request, Some((cms, keyring))),
                    _ => Err(EINVAL),
                }
            }
            3 => load_apart(request),
            _ => load_libbpfs(request),
        }?;
        Ok(len)
    }
}

/// What is left of a request.
struct Request<'a>(&'a [u8]);

impl<'a> Request<'a> {
    fn bytes(&mut self, len: u32) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len as usize).ok_or(EINVAL)?;

        self.0 = rest;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32> {
        let bytes = self.bytes(4)?.first_chunk().ok_or(EINVAL)?;

        Ok(u32::from_ne_bytes(*bytes))
    }

    /// An offset, where 0 is none.
    fn offset(&mut self) -> Result<Option<u32>> {
        Ok(Some(self.number()?).filter(|&offset| offset != 0))
    }

    /// # Safety
    ///
    /// It must not be used any more when the request is gone.
    unsafe fn name(&mut self) -> Result<&'static CStr> {
        let len = self.number()?;
        let name = CStr::from_bytes_with_nul(self.bytes(len.checked_add(1).ok_or(EINVAL)?)?)
            .map_err(|_| EINVAL)?;

        // SAFETY: by this function's contract.
        Ok(unsafe { &*core::ptr::from_ref(name) })
    }
}

fn load(mut request: Request<'_>, signature: Option<(&[u8], Keyring)>) -> Result<Kept> {
    let [maps, progs, commands, ops, len] = [
        request.number()?,
        request.number()?,
        request.number()?,
        request.number()?,
        request.number()?,
    ];
    let btf = request.offset()?;
    let mut map_defs = KVec::new();
    let mut prog_defs = KVec::new();
    let mut command_list = KVVec::new();

    for _ in 0..maps {
        let def = MapDef {
            attr: request.number()?,
            value: request.offset()?,
            value_size: request.number()?,
            // SAFETY: what is made of it here goes at the end of this function.
            name: unsafe { request.name() }?,
            // The loader does not ask for the rest.
            map_type: 0,
            key_size: 0,
            max_entries: 0,
            frozen: false,
        };
        map_defs.push(def, GFP_KERNEL)?;
    }
    for _ in 0..progs {
        let def = ProgDef {
            attr: request.number()?,
            prog_type: request.number()?,
            // SAFETY: as above.
            name: unsafe { request.name() }?,
            section: c"",
            expected_attach_type: 0,
            args: None,
        };
        prog_defs.push(def, GFP_KERNEL)?;
    }
    for _ in 0..commands {
        let [record, op, a, b] = [
            request.number()?,
            request.number()?,
            request.number()?,
            request.number()?,
        ];
        let (a, b) = (a as usize, b as usize);
        // SAFETY: as above.
        let name = unsafe { request.name() }?;
        let command = match op {
            0 => Command::LoadBtf,
            1 => Command::CreateMap(a),
            2 => Command::UpdateMap(a),
            3 => Command::FreezeMap(a),
            4 => Command::Find(a, name),
            5 => Command::LoadProg(a),
            6 => Command::PutProg(a, b),
            7 => Command::LoadLayout,
            8 => Command::FindType(a, name),
            _ => return Err(EINVAL),
        };
        command_list.push((record, command), GFP_KERNEL)?;
    }

    let [layout, enum_count] = match ops {
        0 => [0, 0],
        _ => [request.number()?, request.number()?],
    };
    let mut enums = KVec::new();
    let mut members = KVec::new();
    let mut ops_defs = KVec::new();

    for _ in 0..ops {
        let [map, value_id, struct_id, module, link, value, size, count] = [
            request.number()?,
            request.number()?,
            request.number()?,
            request.number()?,
            request.number()?,
            request.number()?,
            request.number()?,
            request.number()?,
        ];
        // SAFETY: as above.
        let value_type = unsafe { request.name() }?;
        let mut of_map = KVec::new();

        for _ in 0..count {
            let member = MemberDef {
                offset: request.number()?,
                size: request.number()?,
                is_callback: request.number()? != 0,
                // SAFETY: as above.
                name: unsafe { request.name() }?,
            };
            of_map.push(member, GFP_KERNEL)?;
        }
        let def = OpsDef {
            map: map as usize,
            value_type,
            value_id,
            struct_id,
            module,
            link: link != 0,
            value,
            size,
            // SAFETY: it stays where it is when it goes into the list, which lives to the end of this function.
            members: unsafe { &*core::ptr::from_ref(&*of_map) },
        };
        members.push(of_map, GFP_KERNEL)?;
        ops_defs.push(def, GFP_KERNEL)?;
    }

    for _ in 0..enum_count {
        let def = EnumDef {
            map: request.number()? as usize,
            offset: request.number()?,
        };
        enums.push(def, GFP_KERNEL)?;
    }

    // SAFETY: they live to the end of this function, and so does what is made of them: errors are said here.
    let def = unsafe {
        ObjectDef {
            name: c"blob",
            data: ObjectData::new(&*core::ptr::from_ref(request.bytes(len)?)),
            btf,
            maps: &*core::ptr::from_ref(&*map_defs),
            progs: &*core::ptr::from_ref(&*prog_defs),
            ops: (ops > 0).then_some(StructOps {
                layout,
                maps: &*core::ptr::from_ref(&*ops_defs),
                enums: &*core::ptr::from_ref(&*enums),
            }),
            commands: &*core::ptr::from_ref(&*command_list),
        }
    };
    let (cms, keyring) = signature.unzip();
    // SAFETY: the lifetimes as above; the rest is this module's purpose.
    unsafe {
        load_object(
            &*core::ptr::from_ref(&def),
            cms.map(|cms| &*core::ptr::from_ref(cms)),
            keyring.unwrap_or(Keyring::Secondary),
        )
    }
}

/// Loads an object and registers its struct_ops. By itself for the kernel's stack.
///
/// # Safety
///
/// As [`Skeleton::open_def`].
#[inline(never)]
unsafe fn load_object(
    def: &'static ObjectDef,
    cms: Option<&'static [u8]>,
    keyring: Keyring,
) -> Result<Kept> {
    // SAFETY: by this function's contract.
    let loaded = unsafe { Skeleton::open_def(def, cms) }
        .keyring(keyring)
        .load()
        .inspect_err(|e| pr_err!("{e}\n"))?;

    if cms.is_some() {
        pr_info!("{}\n", loaded.verdict());
    }

    let mut registered = KVec::new();
    let mut refused = None;

    for result in (0..).map_while(|number| loaded.register_nth(number)) {
        match result {
            Ok(of_map) => registered.push(of_map, GFP_KERNEL)?,
            Err(e) => refused = Some(e),
        }
    }
    // Some objects have others beside it, which are to be refused.
    if let (true, Some(e)) = (registered.is_empty(), refused) {
        pr_err!("{e}\n");
        return Err(e.into());
    }
    Ok(Kept {
        _registered: registered,
        _open: loaded.keep_all_open().inspect_err(|e| pr_err!("{e}\n"))?,
    })
}

fn load_apart(request: Request<'_>) -> Result<Kept> {
    let mut data = KVVec::new();

    data.extend_from_slice(request.0, GFP_KERNEL)?;
    let kept = || -> Result<_, LoadError> {
        let mut skel = Skeleton::<Apart>::open_with(data)?;
        skel.globals_mut(globals::rodata)?.step.set(3);

        skel.load()?.keep_all_open()
    };

    Ok(Kept {
        _open: kept().inspect_err(|e| pr_err!("{e}\n"))?,
        ..Kept::default()
    })
}

// What libbpf's loader progs have as context: a head of six words (size, `BPF_SKEL_KERNEL`, and four that stay
// 0), four words for each map (fd, `max_entries`, two that stay 0), one for each prog (fd). A fd of 0 is none.
const HEAD: usize = 6;
const MAP: usize = 4;
const BPF_SKEL_KERNEL: u32 = 1;

fn load_libbpfs(mut request: Request<'_>) -> Result<Kept> {
    let [maps, progs, data_len, insns_len] = [
        request.number()?,
        request.number()?,
        request.number()?,
        request.number()?,
    ];
    let (maps, progs) = (maps as usize, progs as usize);
    let words = HEAD + maps * MAP + progs;

    if words > usize::from(u16::MAX) / 4 {
        return Err(E2BIG);
    }
    let mut ctx = KVVec::<u32>::from_elem(0, words, GFP_KERNEL)?;

    *ctx.get_mut(0).ok_or(EINVAL)? = 4 * words as u32;
    *ctx.get_mut(1).ok_or(EINVAL)? = BPF_SKEL_KERNEL;
    for map in 0..maps {
        *ctx.get_mut(HEAD + map * MAP + 1).ok_or(EINVAL)? = request.number()?;
    }
    let (data, insns) = (request.bytes(data_len)?, request.bytes(insns_len)?);
    run_libbpfs(data, insns, &mut ctx)
        .inspect_err(|e| pr_err!("libbpf's loader prog failed: {e:?}\n"))?;

    let place = |n: usize| HEAD + n.min(maps) * MAP + n.saturating_sub(maps);
    let mut kept = KVec::new();
    let mut missing = 0;

    for n in 0..maps + progs {
        match ctx.get(place(n)) {
            Some(&fd @ 1..) => {
                // SAFETY: the loader prog has opened it, and nothing else knows of it.
                let fd = unsafe { OwnedFd::from_ret(fd as c_int) }?;
                kept.push(fd.keep_open()?, GFP_KERNEL)?;
            }
            _ => missing += 1,
        }
    }
    if missing > 0 {
        pr_err!(
            "the loader prog gave no fd for {missing} of {} maps and progs\n",
            maps + progs
        );
        return Err(EBADF);
    }
    Ok(Kept {
        _open: kept,
        ..Kept::default()
    })
}

fn run_libbpfs(data: &[u8], insns: &[u8], ctx: &mut [u32]) -> Result {
    let map = syscall::map_create(&MapCreate {
        map_type: bindings::bpf_map_type_BPF_MAP_TYPE_ARRAY,
        map_name: c"__loader.map",
        key_size: 4,
        value_size: u32::try_from(data.len())?,
        max_entries: 1,
        map_flags: 0,
    })?;
    Map::get_from_fd(&map)?.write(0, data)?;
    let prog = syscall::prog_load(&ProgLoad {
        prog_type: bindings::bpf_prog_type_BPF_PROG_TYPE_SYSCALL,
        prog_name: c"__loader.prog",
        insns,
        license: c"Dual BSD/GPL",
        prog_flags: bindings::BPF_F_SLEEPABLE,
        fd_array: &[map.as_raw()],
    })?;

    // SAFETY: this module's purpose.
    to_result(unsafe { syscall::prog_run(&prog, ctx) }?)
}
