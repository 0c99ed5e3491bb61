// SPDX-License-Identifier: GPL-2.0
// error: cannot borrow data in dereference of

fn case() -> Result<(), LoadError> {
    let skel = open().load()?;
    skel.globals(features::globals::rodata)?.answer.set(1);
    Ok(())
}
