// SPDX-License-Identifier: GPL-2.0
// error: the trait bound `NoInteger: lskel::Args` is not satisfied

struct NoInteger(bool);

const SET: ProgId<calls::Calls, prog::Syscall<NoInteger>> = ProgId::new::<0>();

fn case(prog: Prog<'_, prog::Syscall<NoInteger>>) -> Result<i32, LoadError> {
    prog.call(&mut NoInteger(true))
}
