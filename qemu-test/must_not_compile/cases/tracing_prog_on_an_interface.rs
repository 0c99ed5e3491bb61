// SPDX-License-Identifier: GPL-2.0
// error: no method named `attach_interface` found

fn case() -> Result<Link, LoadError> {
    let skel = open().load()?;
    skel.prog(features::progs::jump).attach_interface(1, 0)
}
