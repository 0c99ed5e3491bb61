// SPDX-License-Identifier: GPL-2.0
//! Map kinds.

use anyhow::Result;

use super::{expect_bss, load, test_run};

pub fn gallery_bloom_filter_knows_what_was_put_in() -> Result<()> {
    load("bloom_filter")?;
    test_run("use_filter")?;
    expect_bss("bloom_filter", &[("found", 2), ("missing", 1)])
}
