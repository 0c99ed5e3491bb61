// SPDX-License-Identifier: GPL-2.0
// error: no method named `function` found

fn case() -> Result<(), LoadError> {
    let skel = Skeleton::<calls::Calls>::open().load()?;
    skel.prog(calls::progs::by_address).function().map(drop)
}
