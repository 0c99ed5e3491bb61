// SPDX-License-Identifier: GPL-2.0
// error: no field `kept` on type `&mut globals::Bss`

fn case() -> Result<(), LoadError> {
    Skeleton::<globals::GlobalsObject>::open()
        .globals_mut(globals::globals::bss)?
        .kept
        .set(1);
    Ok(())
}
