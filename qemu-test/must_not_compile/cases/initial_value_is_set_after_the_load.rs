// SPDX-License-Identifier: GPL-2.0
// error: no method named `globals_mut` found

fn case() -> Result<(), LoadError> {
    let mut skel = open().load()?;
    skel.globals_mut(features::globals::rodata)?.answer.set(1);
    Ok(())
}
