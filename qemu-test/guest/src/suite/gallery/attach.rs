// SPDX-License-Identifier: GPL-2.0
//! Ways to attach.

use anyhow::{ensure, Result};

use super::{expect_bss, load, test_run};
use crate::bpf;

pub fn gallery_kprobe_multi_counts_calls_by_cookie() -> Result<()> {
    load("kprobe_multi")?;
    for _ in 0..3 {
        test_run("trigger")?;
    }
    expect_bss("kprobe_multi", &[("returned", 3)])?;
    // One counter for each cookie: none is 0 or 3.
    let calls = bpf::global("kprobe_m.bss", "calls")?;
    let calls: Vec<_> = calls
        .chunks_exact(4)
        .map(|bytes| u32::from_ne_bytes(bytes.try_into().unwrap()))
        .collect();
    ensure!(
        calls == [0, 3, 3, 0],
        "calls by cookie: expected [0, 3, 3, 0], seen {calls:?}"
    );
    Ok(())
}
