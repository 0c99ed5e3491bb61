// SPDX-License-Identifier: GPL-2.0
// error: no method named `attach` found

fn case() -> Result<Link, LoadError> {
    let skel = Skeleton::<calls::Calls>::open().load()?;
    skel.prog(calls::progs::set).attach()
}
