// SPDX-License-Identifier: GPL-2.0
// This one compiles: the others fail for what they do.

fn case() -> Result<Link, LoadError> {
    let mut skel = open();
    skel.globals_mut(features::globals::rodata)?.answer.set(1);
    let skel = skel.load()?;
    skel.globals(features::globals::bss)?.jumps.set(1);
    needs_send(skel.globals(features::globals::rodata)?);
    let calls = Skeleton::<calls::Calls>::open().load()?;
    let twice = calls.prog(calls::progs::twice).function()?;
    twice.call(&mut calls::args::number {
        n: 1,
        ..Zeroable::zeroed()
    });
    needs_send(twice);
    skel.prog(features::progs::jump).attach()
}
