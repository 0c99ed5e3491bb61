// SPDX-License-Identifier: GPL-2.0
//! The figures as tables, in Markdown.

use std::fmt::Write;

use scenarios::costs::{Figures, C, C_BY_LSKEL, FUNCTIONS, OURS, PROGS, ROWS, SUBJECTS};

use super::line;

/// How a number is shown.
#[derive(Clone, Copy)]
pub enum Unit {
    /// Millions of instructions.
    Ms,
    /// Thousands of instructions.
    Us,
    /// As it is.
    Plain,
}

impl Unit {
    fn show(self, value: u64) -> String {
        match self {
            Unit::Ms => format!("{:.2} ms", value as f64 / 1e6),
            Unit::Us => format!("{:.1} us", value as f64 / 1e3),
            Unit::Plain => with_commas(value),
        }
    }
}

/// With a comma after each thousand.
fn with_commas(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The rows of the first table: a figure, what it is called, and how it is shown.
pub const FIGURES: &[(&str, &str, Unit)] = &[
    ("insmod_warm_cpu", "insmod, warm: cpu", Unit::Ms),
    ("insmod_warm_latency", "insmod, warm: latency", Unit::Ms),
    ("insmod_cold_cpu", "insmod, cold: cpu", Unit::Ms),
    ("insmod_cold_latency", "insmod, cold: latency", Unit::Ms),
    ("rmmod_cpu", "rmmod: cpu", Unit::Us),
    ("mount_first_cpu", "first mount: cpu", Unit::Us),
    ("mount_later_cpu", "later mount: cpu", Unit::Us),
    ("insmod_hold_0_cpu", "insmod hold=0: cpu", Unit::Ms),
    ("mount_hold_0_cpu", "mount with hold=0: cpu", Unit::Ms),
    (
        "mount_autoload_latency",
        "mount that loads the module by its alias: latency",
        Unit::Ms,
    ),
    (
        "proc_modules_bytes",
        "size in /proc/modules, bytes",
        Unit::Plain,
    ),
    (
        "ko_bytes",
        ".ko on disk, without debug sections, bytes",
        Unit::Plain,
    ),
    (
        "bpf_bytes",
        "BPF memory held (memlock of progs and maps), bytes",
        Unit::Plain,
    ),
    ("kernel_kib", "memory held in all, KiB", Unit::Plain),
    ("loader_slots", "loader prog, slots", Unit::Plain),
    ("data_bytes", "data of the loader, bytes", Unit::Plain),
];

/// Phases of an insmod, and what they are called.
pub const PHASES: &[(&str, &str)] = &[
    ("live_registers", "live registers"),
    ("do_check", "do_check"),
    ("co_re", "CO-RE"),
    ("rest_of_bpf_check", "rest of bpf_check"),
    ("jit", "JIT"),
    ("btf", "BTF of the progs"),
    ("btf_of_the_module", "BTF of the module"),
    ("module_loader", "module loader"),
    ("rest", "rest of init"),
    ("outside", "before and after it"),
];

/// A figure of a subject.
pub fn get(figures: &Figures, name: &str, subject: &str) -> Option<u64> {
    figures.get(name)?.get(subject).copied()
}

/// One figure by another.
pub fn ratio(figures: &Figures, name: &str, subject: &str, to: &str) -> Option<f64> {
    let (of, to) = (get(figures, name, subject)?, get(figures, name, to)?);
    (to > 0).then(|| of as f64 / to as f64)
}

fn shown(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".to_owned())
}

fn shown_ratio(value: Option<f64>) -> String {
    shown(value.map(|value| format!("{value:.2}")))
}

/// All tables.
pub fn markdown(release: &str, figures: &Figures) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write_all(&mut text, release, figures);
    text
}

fn write_all(out: &mut String, release: &str, figures: &Figures) -> std::fmt::Result {
    let titles: Vec<_> = SUBJECTS.iter().map(|subject| subject.title).collect();
    writeln!(
        out,
        "Linux {release}, an ms is a million instructions of the machine; the ratios are to {}:\n",
        C.title
    )?;
    writeln!(
        out,
        "| | {} | ours : C | C object : C |",
        titles.join(" | ")
    )?;
    writeln!(out, "|---|{}---|---|", "---|".repeat(titles.len()))?;
    for (name, title, unit) in FIGURES {
        let cells = SUBJECTS
            .map(|subject| shown(get(figures, name, subject.key).map(|value| unit.show(value))));
        writeln!(
            out,
            "| {title} | {} | {} | {} |",
            cells.join(" | "),
            shown_ratio(ratio(figures, name, OURS.key, C.key)),
            shown_ratio(ratio(figures, name, C_BY_LSKEL.key, C.key)),
        )?;
    }

    writeln!(
        out,
        "\nReading a file, warm, and a row of it beside bpftool's:\n"
    )?;
    writeln!(
        out,
        "| | rows | C as built | ours | bpftool … list | ours : C | a row of ours | of bpftool | bpftool : ours |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|")?;
    for kind in ["maps", "progs"] {
        for wanted in ROWS {
            let name = format!("read_{kind}_{wanted}");
            let rows = |subject| get(figures, &format!("rows_{kind}_{wanted}"), subject);
            let cell =
                |subject| shown(get(figures, &name, subject).map(|value| Unit::Us.show(value)));
            let a_row =
                |subject, rows: Option<u64>| Some(get(figures, &name, subject)? / rows?.max(1));
            let (ours, theirs) = (
                a_row(OURS.key, rows(OURS.key)),
                a_row("bpftool", rows(C.key)),
            );
            let count = |subject| shown(rows(subject).map(with_commas));
            // Ours may have more than two progs of its own.
            let seen = if rows(C.key) == rows(OURS.key) {
                count(C.key)
            } else {
                format!("{}; {} of ours", count(C.key), count(OURS.key))
            };
            writeln!(
                out,
                "| {kind}.debug | {seen} | {} | {} | {} | {} | {} | {} | {} |",
                cell(C.key),
                cell(OURS.key),
                cell("bpftool"),
                shown_ratio(ratio(figures, &name, OURS.key, C.key)),
                shown(ours.map(|value| Unit::Us.show(value))),
                shown(theirs.map(|value| Unit::Us.show(value))),
                shown(
                    ours.zip(theirs)
                        .map(|(ours, theirs)| format!("{:.1}", theirs as f64 / ours as f64))
                ),
            )?;
        }
    }

    writeln!(
        out,
        "\nWhere a warm insmod spends its cpu time, as function_graph sees it. The tracing is in it: the last two rows say how much.\n"
    )?;
    writeln!(out, "| | {} |", titles.join(" | "))?;
    writeln!(out, "|---|{}", "---|".repeat(titles.len()))?;
    let phase = |out: &mut String, name: &str, title: &str| {
        let cells = SUBJECTS.map(|subject| {
            shown(get(figures, name, subject.key).map(|value| Unit::Ms.show(value)))
        });
        writeln!(out, "| {title} | {} |", cells.join(" | "))
    };
    for (name, title) in PHASES {
        phase(out, &format!("phase_{name}"), title)?;
    }
    phase(out, "phases_traced", "all, traced")?;
    phase(out, "phases_untraced", "all, not traced")?;

    writeln!(
        out,
        "\nAn insmod that loads an object of some small progs by our runtime, warm, cpu:\n"
    )?;
    let counts: Vec<_> = PROGS.iter().map(u32::to_string).collect();
    writeln!(out, "| progs | {} | each one more |", counts.join(" | "))?;
    writeln!(out, "|---|{}---|", "---|".repeat(counts.len()))?;
    let cells = PROGS.map(|count| {
        shown(
            get(figures, &format!("progs_{count}_cpu"), OURS.key).map(|value| Unit::Ms.show(value)),
        )
    });
    let each = line(figures).map(|(_, each)| Unit::Us.show(each.round().max(0.0) as u64));
    writeln!(out, "| | {} | {} |", cells.join(" | "), shown(each))?;

    writeln!(
        out,
        "\nA call of a prog as a function, in a loop, warm, in instructions:\n"
    )?;
    let titles = FUNCTIONS.map(|(_, title)| title);
    writeln!(out, "| a prog that | {} |", titles.join(" | "))?;
    writeln!(out, "|---|{}", "---|".repeat(titles.len()))?;
    let cells = FUNCTIONS.map(|(function, _)| {
        shown(get(figures, &format!("call_{function}"), OURS.key).map(with_commas))
    });
    writeln!(out, "| | {} |", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::{markdown, with_commas, Unit};
    use scenarios::costs::Figures;

    #[test]
    fn numbers_are_shown_for_people() {
        for (value, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(with_commas(value), expected);
        }
        assert_eq!(Unit::Ms.show(34_512_345), "34.51 ms");
        assert_eq!(Unit::Us.show(27_949), "27.9 us");
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let mut figures = Figures::new();
        let row = figures.entry("rmmod_cpu".into()).or_default();
        row.insert("c".into(), 200_000);
        row.insert("ours".into(), 100_000);
        let text = markdown("7.3.4", &figures);
        assert!(
            text.contains("| rmmod: cpu | 200.0 us | - | 100.0 us | - | 0.50 | - |"),
            "{text}"
        );
    }
}
