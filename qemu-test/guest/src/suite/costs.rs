// SPDX-License-Identifier: GPL-2.0
//! A share of what `make bench` measures.

use anyhow::{bail, Result};
use scenarios::costs::{series, Baseline, TOLERANCE};

use crate::costs;
use crate::kernel::release;
use crate::ktap::{note, Skip};

pub fn it_costs_no_more_than_what_is_checked_in() -> Result<()> {
    let series = series(&release());
    let checked_in = Baseline::checked_in()?;
    let Some(expected) = checked_in.0.get(&series) else {
        let why = format!(
            "qemu-test/bench.toml has no figures of {series}: make bench RECORD=1 writes them"
        );
        return Err(Skip(why).into());
    };
    let seen = costs::share()?;
    let mut over = Vec::new();
    for (name, ratio) in expected {
        let Some([theirs, ours]) = seen.get(name) else {
            bail!("qemu-test/bench.toml has {name}, which is not measured");
        };
        let now = *ours as f64 / *theirs as f64;
        note(&format!(
            "| {name} | {ours} | of C's {theirs} | {now:.4} | checked in | {ratio:.4} |"
        ));
        if now > ratio * (1.0 + TOLERANCE / 100.0) {
            over.push(format!(
                "{name}: expected at most {TOLERANCE} % over {ratio:.4} of the C provider's instructions, seen {now:.4} ({ours} of {theirs})"
            ));
        }
    }
    if !over.is_empty() {
        bail!(
            "{}; if that is meant, make bench RECORD=1 checks it in",
            over.join("; ")
        );
    }
    Ok(())
}
