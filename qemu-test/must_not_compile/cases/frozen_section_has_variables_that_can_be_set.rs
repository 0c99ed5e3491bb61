// SPDX-License-Identifier: GPL-2.0
// error: what the kernel freezes is not to be changed

#[repr(C)]
struct Rodata {
    answer: [Var<u32>; 2],
}

// SAFETY: a test of what comes behind it.
#[allow(unsafe_code)]
unsafe impl Globals for Rodata {
    const FROZEN: bool = false;
    const GAPS: &'static [(usize, usize)] = &[];
}

const RODATA: Section<Features, Rodata> = Section::new::<2>();
