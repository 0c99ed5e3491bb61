// SPDX-License-Identifier: GPL-2.0
// error: expected `&mut element`, found `&mut number`

fn case(set: &Function<calls::args::element>) -> i32 {
    set.call(&mut calls::args::number {
        n: 1,
        ..Zeroable::zeroed()
    })
}
