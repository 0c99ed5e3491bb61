// SPDX-License-Identifier: GPL-2.0
// error: field `any` of struct

fn case<'a>(any: prog::AnyProg<'a>) -> Prog<'a, prog::Iter> {
    Prog { any, _kind: core::marker::PhantomData }
}
