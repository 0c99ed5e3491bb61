// SPDX-License-Identifier: GPL-2.0
//! The scenarios: one function each, under the names of the table.

mod builtin;
mod controls;
mod costs;
mod failpoints;
mod features;
mod gallery;
mod gate;
mod hid;
mod hostile;
mod load;
mod mount;
mod read;
mod runner;
mod signed;
mod sockets;
mod storms;
mod unload;

use anyhow::Result;
use scenarios::{each_scenario, Scenario, SCENARIOS};

use builtin::*;
use controls::*;
use costs::*;
use failpoints::*;
use features::*;
use gallery::*;
use gate::*;
use hid::*;
pub use hostile::child as hostile_child;
use hostile::*;
use load::*;
use mount::*;
use read::*;
use runner::*;
use signed::*;
use sockets::*;
pub use storms::child as storm_child;
use storms::*;
use unload::*;

/// A scenario: an error says what was expected and what was seen.
pub type Function = fn() -> Result<()>;

macro_rules! functions {
    ($($name:ident, $end:ident $(($text:literal))?, $needs:tt;)*) => {
        const FUNCTIONS: &[Function] = &[$($name),*];
    };
}
each_scenario!(functions);

/// The scenario of a name, and its function.
pub fn find(name: &str) -> Option<(&'static Scenario, Function)> {
    let index = SCENARIOS.iter().position(|known| known.name == name)?;
    Some((&SCENARIOS[index], FUNCTIONS[index]))
}
