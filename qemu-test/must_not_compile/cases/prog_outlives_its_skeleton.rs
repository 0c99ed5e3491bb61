// SPDX-License-Identifier: GPL-2.0
// error: cannot return value referencing local variable `skel`

fn case() -> Result<Prog<'static, prog::Tracing>, LoadError> {
    let skel = open().load()?;
    Ok(skel.prog(features::progs::jump))
}
