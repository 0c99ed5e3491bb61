// SPDX-License-Identifier: GPL-2.0

//! struct_ops: structs of callbacks, as a congestion control or a scheduler is, that a part of the
//! kernel takes from BPF.
//!
//! Before the load, [`ops_mut()`] gives what is in a map: numbers to be set, callbacks to be left
//! out. During the load the object's *layout prog* asks where this kernel's struct has which
//! member, so that object and kernel may differ in order and number of members. After it,
//! [`register()`] gives a [`Registered`], which unregisters when it is dropped.
//!
//! [`ops_mut()`]: super::Skeleton::ops_mut
//! [`register()`]: super::Loaded::register
//!
//! C file: [`kernel/bpf/bpf_struct_ops.c`](srctree/kernel/bpf/bpf_struct_ops.c)

use super::{
    abi,
    advice,
    error::{
        LoadError,
        Step, //
    },
    object::{
        Command,
        MemberDef,
        Object,
        ObjectDef,
        OpsDef,
        StructOps, //
    },
    prog::{
        kind_of,
        ProgKind, //
    }, //
};
use crate::bpf::{
    fd::OwnedFd,
    link::{
        Link,
        StructOpsLink, //
    },
    map::Map,
    prog::Prog,
    syscall, //
};
use core::{
    marker::PhantomData,
    mem::offset_of, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// What is in a struct_ops map before the load.
///
/// # Safety
///
/// Any bytes are a value of it, and its alignment is 8 bytes at most. What it gives access to are
/// members of the object's struct.
pub unsafe trait Ops {}

/// A callback, which is a prog of the object.
#[repr(transparent)]
pub struct Callback(u64);

impl Callback {
    /// Leaves it out: its prog is not loaded, and the kernel may lack it.
    pub fn leave_out(&mut self) {
        self.0 = 0;
    }
}

/// Names a struct_ops map of `O`, and the type of what is in it.
pub struct OpsId<O, T>(usize, PhantomData<(O, T)>);

impl<O: Object, T: Ops> OpsId<O, T> {
    /// The one at this place in the object's list.
    pub const fn new<const INDEX: usize>() -> Self {
        const {
            match &O::DEF.ops {
                Some(ops) => assert!(
                    ops.maps[INDEX].size as usize == size_of::<T>(),
                    "the struct has another size"
                ),
                None => panic!("the object has no struct_ops"),
            }
        };
        Self(INDEX, PhantomData)
    }

    pub(super) const fn index(&self) -> usize {
        self.0
    }

    /// What is in the map, within a copy of the object's data. [`None`] if it is not there.
    pub(super) fn within<'a>(&self, data: &'a mut [u8]) -> Option<&'a mut T> {
        let def = O::DEF.ops.as_ref()?.maps.get(self.0)?;
        let value = data
            .get_mut(def.value as usize..)?
            .get_mut(..size_of::<T>())?
            .as_mut_ptr()
            .cast::<T>();

        if !value.is_aligned() {
            return None;
        }
        // SAFETY: as long as a `T`, aligned, and by the contract of `Ops` any bytes are one.
        Some(unsafe { &mut *value })
    }
}

/// What the kernel does not take without one of each of these.
const REQUIRED: &[(&CStr, &[&[&CStr]])] = &[(
    c"bpf_struct_ops_tcp_congestion_ops",
    &[
        &[c"ssthresh"],
        &[c"undo_cwnd"],
        &[c"cong_avoid", c"cong_control"],
    ],
)];

/// The value of a struct_ops map, as this kernel has it.
pub(super) struct Value {
    def: &'static OpsDef,
    words: KVVec<u64>,
    callbacks: KVec<Called>,
}

/// A callback that is not left out.
struct Called {
    name: &'static CStr,
    /// Which word of the value it is.
    word: usize,
    /// The number of its prog.
    prog: usize,
}

impl Value {
    /// Whether this prog is one of its callbacks.
    pub(super) fn calls(&self, prog: usize) -> bool {
        self.callbacks.iter().any(|called| called.prog == prog)
    }

    /// Puts the fds of the progs into it. 0 would stand for no callback.
    pub(super) fn set_fds(&mut self, progs: &[Option<OwnedFd>]) -> Result {
        for called in &self.callbacks {
            let fd = progs.get(called.prog).and_then(|fd| fd.as_ref());

            *self.words.get_mut(called.word).ok_or(EINVAL)? = fd
                .map(|fd| fd.as_raw().into())
                .filter(|&fd| fd != 0)
                .ok_or(EBADF)?;
        }
        Ok(())
    }

    /// The number of its map.
    pub(super) fn map(&self) -> usize {
        self.def.map
    }

    /// Registers it. The map's fd and name are given.
    #[inline]
    pub(super) fn register(
        &self,
        fd: &OwnedFd,
        name: &'static CStr,
    ) -> Result<Registered, LoadError> {
        // Another task with this fd table can have put another map in its place.
        let map = Map::get_named(fd, name).map_err(|e| {
            Step::TakeFd(name)
                .failed(e)
                .advise_if(&[EBADF], advice::FDS_CHANGE)
        })?;

        match map.set_struct_ops(&self.words) {
            // It has its value from the last time.
            Err(e) if e == EBUSY && self.def.link => {}
            result => result.map_err(|e| self.refused(name, e))?,
        }
        if !self.def.link {
            return Ok(Registered(Held::Map(map)));
        }
        let link =
            syscall::link_create_struct_ops(fd).map_err(|e| Step::Register(name).failed(e))?;

        Link::get_from_fd(&link)
            .and_then(|link| link.try_into())
            .map(|link| Registered(Held::Link(link)))
            .map_err(|e| Step::TakeLink(name).failed(e))
    }

    /// Of a callback that is missing the kernel says no more than `EINVAL`.
    fn refused(&self, map: &'static CStr, error: Error) -> LoadError {
        let is_there = |name: &&CStr| self.callbacks.iter().any(|called| called.name == *name);
        // What is registered without a link has its value for good.
        let without_link: &[Error] = if self.def.link { &[] } else { &[EBUSY] };
        let missing = REQUIRED
            .iter()
            .filter(|(value_type, _)| error == EINVAL && *value_type == self.def.value_type)
            .flat_map(|(_, required)| required.iter())
            .find(|one_of| !one_of.iter().any(is_there))
            .and_then(|one_of| one_of.first());

        match missing {
            Some(name) => Step::RegisterWithout { map, name },
            None => Step::Register(map),
        }
        .failed(error)
        .advise_if(without_link, advice::WITHOUT_LINK)
    }
}

/// A struct_ops map that is registered for as long as this lives. When it is dropped, it is
/// unregistered before that returns.
///
/// The kernel can take it out before: it throws out a scheduler that has failed. That a part of the
/// kernel still calls its progs, for connections that are open, say, does not matter: it has
/// references of its own.
#[must_use = "dropped, it is no longer registered"]
pub struct Registered(Held);

enum Held {
    Link(StructOpsLink),
    Map(Map),
}

impl Drop for Registered {
    #[inline]
    fn drop(&mut self) {
        if let Held::Map(map) = &self.0 {
            map.clear_struct_ops();
        }
    }
}

/// What the layout prog leaves where the kernel has no such member.
const NO_ANSWER: u64 = u64::MAX;

/// Between the two runs of the loader prog, whose map `loader` is: asks the kernel for the layout
/// of its structs, and writes into the data what depends on it. Gives the maps' values.
///
/// Nothing rests on what the layout prog says: each offset is looked at, and the kernel looks at
/// the rest itself.
pub(super) fn lay_out(
    loader: &Map,
    table: u32,
    def: &'static ObjectDef,
    data: &[u8],
) -> Result<KVec<Value>, LoadError> {
    let mut values = KVec::new();
    let Some(ops) = &def.ops else {
        return Ok(values);
    };
    let answers = ask(loader, ops).map_err(|e| Step::RunLayout.failed(e))?;

    set_enums(loader, def, ops, &answers).map_err(|e| Step::RunLayout.failed(e))?;
    let mut answers = answers.chunks_exact(2);

    for of_map in ops.maps {
        let map = def.maps.get(of_map.map).map_or(c"", |map| map.name);
        let layout = MapLayout::of(loader, of_map, map)?;
        let value = layout.value(data, &mut answers)?;

        layout
            .write(loader, def, &value)
            .map_err(|e| Step::FillLoaderMap.failed(e))?;
        values
            .push(value, GFP_KERNEL)
            .map_err(|e| Step::Alloc.failed(e.into()))?;
    }
    leave_out(loader, table, def, &values).map_err(|e| Step::FillLoaderMap.failed(e))?;
    Ok(values)
}

/// How many of the layout prog's answers are about members.
fn about_members(ops: &StructOps) -> usize {
    ops.maps.iter().map(|map| 2 * map.members.len()).sum()
}

/// Runs the layout prog.
fn ask(loader: &Map, ops: &StructOps) -> Result<KVec<u64>> {
    let mut answers = KVec::from_elem(NO_ANSWER, about_members(ops), GFP_KERNEL)?;
    answers.resize(about_members(ops) + ops.enums.len(), 0, GFP_KERNEL)?;
    let prog = Prog::get_from_number(
        loader.read_u32(ops.layout as usize)?,
        bindings::bpf_prog_type_BPF_PROG_TYPE_SYSCALL,
    )?;

    // Another task with this fd table can have put another prog in its place.
    if prog.context_size() as usize > size_of_val(&*answers) {
        return Err(EBADF);
    }
    // SAFETY: such a prog, as it was asked for, and it uses no more than there is; a `KVec` of u64
    // is aligned as they are.
    unsafe { prog.run(answers.as_mut_ptr().cast()) };
    Ok(answers)
}

/// Gives globals the values of enumerators, in the memory of their maps.
fn set_enums(loader: &Map, def: &ObjectDef, ops: &StructOps, answers: &[u64]) -> Result {
    let values = answers.get(about_members(ops)..).unwrap_or_default();

    for (of, value) in ops.enums.iter().zip(values) {
        let map_def = def.maps.get(of.map).ok_or(EINVAL)?;
        let cell = abi::CELLS as usize + size_of::<u32>() * of.map;
        let map = Map::get_from_number(loader.read_u32(cell)?)?;

        // Another task with this fd table can have put another map in its place.
        if !map.has_value_of(map_def.value_size as usize) {
            return Err(EBADF);
        }
        map.write(of.offset as usize, &value.to_ne_bytes())?;
    }
    Ok(())
}

/// How many members a struct_ops may have: `BPF_STRUCT_OPS_MAX_NR_MEMBERS`.
const MAX_MEMBERS: u32 = 64;

/// A prog that is attached to the struct of this map. From it one comes to the struct's type, in
/// whatever BTF that is, without a reference of one's own, which the kernel would not take back
/// from a module.
fn attached(struct_id: u32, module: u32) -> Result<Prog> {
    // Of some member the kernel takes a callback that does nothing.
    for member in 0..MAX_MEMBERS {
        match syscall::empty_callback(c"__empty.prog", struct_id, module, member) {
            Ok(fd) => {
                let prog_type = bindings::bpf_prog_type_BPF_PROG_TYPE_STRUCT_OPS;

                return Prog::get_from_fd(&fd, prog_type);
            }
            Err(e) if e == EINVAL || e == EACCES => {}
            // Memory, capabilities; or the kernel takes no such struct.
            Err(e) => return Err(e),
        }
    }
    Err(ENOTSUPP)
}

/// Where this kernel has what.
struct MapLayout {
    def: &'static OpsDef,
    map: &'static CStr,
    /// The size of the map's value, in bytes.
    size: usize,
    /// Where the struct begins in it.
    start: usize,
    /// The number of the struct, and what is attached to it.
    struct_id: u32,
    prog: Prog,
}

impl MapLayout {
    fn of(loader: &Map, def: &'static OpsDef, map: &'static CStr) -> Result<Self, LoadError> {
        let find = || {
            let cell = |at: u32| loader.read_u32(at as usize);
            let struct_id = cell(def.struct_id)?;
            let prog = attached(struct_id, cell(def.module)?)?;
            let value = prog
                .attach_btf()
                .and_then(|btf| btf.struct_of(cell(def.value_id).ok()?))
                .ok_or(EINVAL)?;
            // The first member is for the kernel: what state the map is in.
            let (size, start) = (value.size(), value.members().nth(1).ok_or(EINVAL)? / 8);

            Ok(Self {
                def,
                map,
                size,
                start,
                struct_id,
                prog,
            })
        };

        find().map_err(|e| {
            Step::FindType {
                map,
                name: def.value_type,
            }
            .failed(e)
        })
    }

    /// Makes the map's value of the object's, with what the layout prog has answered.
    fn value<'a>(
        &self,
        data: &[u8],
        answers: &mut impl Iterator<Item = &'a [u64]>,
    ) -> Result<Value, LoadError> {
        let failed = |e| Step::Alloc.failed(e);
        let words = self.size.div_ceil(size_of::<u64>());
        let mut words = KVVec::from_elem(0_u64, words, GFP_KERNEL).map_err(|e| failed(e.into()))?;
        let mut callbacks = KVec::new();

        for member in self.def.members {
            let set = data
                .get(self.def.value as usize + member.offset as usize..)
                .and_then(|data| data.get(..member.size as usize))
                .ok_or(failed(EINVAL))?;
            let answer = answers.next();

            if set.iter().all(|&byte| byte == 0) {
                continue;
            }
            let refused = |e| {
                Step::FindMember {
                    map: self.map,
                    name: member.name,
                }
                .failed(e)
            };
            let &[at, size] = answer.unwrap_or_default() else {
                return Err(failed(EINVAL));
            };
            if at == NO_ANSWER {
                return Err(refused(ENOENT));
            }
            if size != member.size.into() {
                return Err(refused(EINVAL).with_advice(advice::OTHER_SIZE));
            }
            let at = usize::try_from(at)
                .ok()
                .and_then(|at| at.checked_add(self.start))
                .ok_or(refused(EINVAL))?;

            if member.is_callback {
                let called = called(member, at, set).ok_or(refused(EINVAL))?;

                callbacks
                    .push(called, GFP_KERNEL)
                    .map_err(|e| failed(e.into()))?;
            } else {
                put(&mut words, at, set).ok_or(refused(EINVAL))?;
            }
        }
        Ok(Value {
            def: self.def,
            words,
            callbacks,
        })
    }

    /// Writes into the data how large the value is, and of each prog the number of its member.
    fn write(&self, loader: &Map, def: &ObjectDef, value: &Value) -> Result {
        let attr = def.maps.get(self.def.map).ok_or(EINVAL)?.attr as usize;
        let at = attr + offset_of!(bindings::bpf_attr, __bindgen_anon_1.value_size);

        let btf = self.prog.attach_btf().ok_or(EINVAL)?;
        let of = btf.struct_of(self.struct_id).ok_or(EINVAL)?;

        loader.write(at, &u32::try_from(self.size)?.to_ne_bytes())?;
        for called in &value.callbacks {
            let bits = (called.word * size_of::<u64>() - self.start) * 8;
            let number = of.members().position(|at| at == bits);
            let number = u32::try_from(number.ok_or(ENOENT)?)?;
            let attr = def.progs.get(called.prog).ok_or(EINVAL)?.attr as usize;
            let at = attr + offset_of!(bindings::bpf_attr, __bindgen_anon_3.expected_attach_type);

            loader.write(at, &number.to_ne_bytes())?;
        }
        Ok(())
    }
}

/// The callback whose number is `set`, and whose place in the value is `at`.
fn called(member: &MemberDef, at: usize, set: &[u8]) -> Option<Called> {
    let number = u64::from_ne_bytes(*set.first_chunk()?);

    Some(Called {
        name: member.name,
        word: (at % size_of::<u64>() == 0).then_some(at / size_of::<u64>())?,
        prog: usize::try_from(number).ok()?.checked_sub(1)?,
    })
}

/// Puts bytes into words, as they lie in memory.
fn put(words: &mut [u64], at: usize, bytes: &[u8]) -> Option<()> {
    for (at, byte) in (at..).zip(bytes) {
        let word = words.get_mut(at / size_of::<u64>())?;
        let mut in_memory = word.to_ne_bytes();

        *in_memory.get_mut(at % size_of::<u64>())? = *byte;
        *word = u64::from_ne_bytes(in_memory);
    }
    Some(())
}

/// Has the loader prog pass by the progs of callbacks that were left out: the kernel may not have
/// what they are for.
fn leave_out(loader: &Map, table: u32, def: &ObjectDef, values: &[Value]) -> Result {
    for &(record, ref command) in def.commands {
        let &Command::LoadProg(prog) = command else {
            continue;
        };
        if !is_left_out(def, values, prog) {
            continue;
        }
        let cell = abi::CELLS + (size_of::<u32>() * (def.maps.len() + prog)) as u32;
        let at = table as usize + size_of::<abi::record>() * record as usize;

        // A cell is copied to itself.
        loader.write(at + offset_of!(abi::record, op), &[abi::COPY])?;
        loader.write(at + offset_of!(abi::record, a), &cell.to_ne_bytes())?;
        loader.write(at + offset_of!(abi::record, b), &cell.to_ne_bytes())?;
    }
    Ok(())
}

/// Whether a prog is one of callbacks that were left out.
pub(super) fn is_left_out(def: &ObjectDef, values: &[Value], prog: usize) -> bool {
    let is_callback = def
        .progs
        .get(prog)
        .is_some_and(|def| kind_of(def) == ProgKind::Callback);

    is_callback && !values.iter().any(|value| value.calls(prog))
}
