// SPDX-License-Identifier: GPL-2.0
// error: the method `globals_mut` exists for struct `Skeleton<GlobalsObject>`, but its trait bounds were not satisfied

fn case() -> Result<(), LoadError> {
    let mut skel = Skeleton::<signed::GlobalsObject>::open();
    skel.globals_mut(signed::globals::bss)?;
    Ok(())
}
