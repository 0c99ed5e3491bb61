// SPDX-License-Identifier: GPL-2.0
// error: the method `function` exists for struct `Prog<'_, Syscall<Opaque>>`, but its trait bounds were not satisfied

fn case() -> Result<(), LoadError> {
    let skel = Skeleton::<calls::Calls>::open().load()?;
    skel.prog(calls::progs::by_address).function().map(drop)
}
