// SPDX-License-Identifier: GPL-2.0
// error: no method named `call` found

fn case() -> Result<i32, LoadError> {
    let skel = open().load()?;
    skel.prog(features::progs::jump).call(&mut ())
}
