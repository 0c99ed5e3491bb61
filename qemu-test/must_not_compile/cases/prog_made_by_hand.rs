// SPDX-License-Identifier: GPL-2.0
// error: cannot initialize a tuple struct which contains private fields

fn case(skel: &Loaded<Features>) -> Prog<'_, prog::Iter> {
    skel.prog(ProgId(1, core::marker::PhantomData))
}
