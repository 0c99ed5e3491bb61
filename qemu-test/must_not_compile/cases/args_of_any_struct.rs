// SPDX-License-Identifier: GPL-2.0
// error: doesn't satisfy `NoInteger: call::Args`

struct NoInteger(bool);

fn case(prog: Prog<'_, prog::Syscall<NoInteger>>) -> Result<i32, LoadError> {
    prog.call(&mut NoInteger(true))
}
