// SPDX-License-Identifier: GPL-2.0
//! What `make bench` and the scenario of the costs agree on: who is measured, and how a figure is written.

use std::collections::BTreeMap;

/// Whose costs are measured.
#[derive(Debug, PartialEq, Eq)]
pub struct Subject {
    /// In figures, and as name of its folder in the initramfs.
    pub key: &'static str,
    /// The module's name.
    pub module: &'static str,
    /// The head of its column.
    pub title: &'static str,
}

/// The kernel's own provider, as it is built out of tree. Ratios are to this one.
pub const C: Subject = Subject {
    key: "c",
    module: "bpf_preload",
    title: "C as built",
};
/// The same without `.BTF` and `.BTF.base`.
pub const C_WITHOUT_BTF: Subject = Subject {
    key: "c_without_btf",
    module: "bpf_preload",
    title: "C without its BTF",
};
/// The module under test.
pub const OURS: Subject = Subject {
    key: "ours",
    module: "bpf_preload_rs",
    title: "ours",
};
/// The iterators of the kernel's own provider, loaded by our runtime.
pub const C_BY_LSKEL: Subject = Subject {
    key: "c_by_lskel",
    module: "bench_c_iterators",
    title: "the C object by our runtime",
};
/// All of them, as the columns stand.
pub const SUBJECTS: [&Subject; 4] = [&C, &C_WITHOUT_BTF, &OURS, &C_BY_LSKEL];

impl Subject {
    /// Its module in the initramfs.
    pub fn file(&self) -> String {
        format!("{}/{}/{}.ko", super::MODULE_DIR, self.key, self.module)
    }
}

/// The module that loads an object of as many progs as its parameter `progs` says.
pub const MANY: &str = "lskel_many";
/// The numbers that it has objects of.
pub const PROGS: [u32; 5] = [1, 10, 50, 100, 200];

/// The module that calls functions as often as its parameters say.
pub const CALLS: &str = "bench_calls";
/// Its functions, by parameter, and what they do.
pub const FUNCTIONS: [(&str, &str); 2] = [
    ("nothing", "does nothing"),
    ("lookup", "looks up an element of a hash map"),
];

/// The rows that both files have when they are read.
pub const ROWS: [usize; 3] = [2, 1_000, 10_000];

/// The parts that the guest measures, each in a boot of its own: the second of these words after [`super::mode::BENCH`].
pub mod part {
    /// One subject, from a cold start; its key follows.
    pub const SUBJECT: &str = "subject";
    /// Reads of files with many rows.
    pub const ROWS: &str = "rows";
    /// Where an insmod spends it.
    pub const PHASES: &str = "phases";
    /// Objects of many progs, and calls.
    pub const MANY: &str = "many";
    /// What the scenario measures, without its verdict.
    pub const SHARE: &str = "share";
}

/// Begins a line of the report that has a figure.
const FIGURE: &str = "figure ";

/// A figure as the guest says it: whose, what, and how much. The name says the unit, if it is not instructions.
pub fn figure(subject: &str, name: &str, value: u64) -> String {
    format!("{FIGURE}{subject} {name} {value}")
}

/// By name, then by subject.
pub type Figures = BTreeMap<String, BTreeMap<String, u64>>;

/// Takes the figures out of the lines of a report. Of others it takes nothing.
pub fn read_figures<'a>(lines: impl Iterator<Item = &'a str>, into: &mut Figures) {
    for line in lines {
        let Some(rest) = line.strip_prefix(FIGURE) else {
            continue;
        };
        let words: Vec<_> = rest.split(' ').collect();
        if let [subject, name, value] = words[..] {
            if let Ok(value) = value.parse() {
                into.entry(name.to_owned())
                    .or_default()
                    .insert(subject.to_owned(), value);
            }
        }
    }
}

/// How much a figure may be over the one that is checked in, in percent.
pub const TOLERANCE: f64 = 3.0;

/// What the file of figures begins with.
const HEAD: &str = "# SPDX-License-Identifier: GPL-2.0
# What make test allows, and 3 % more: instructions of ours for each of the C provider's, in the same boot, by the
# kernel's series and flavour. make bench RECORD=1 writes it again.

";

/// The figures that are checked in, by [`series`] and name: ratios of ours to the C provider as built, in one boot.
#[derive(Debug, Default, PartialEq)]
pub struct Baseline(pub BTreeMap<String, BTreeMap<String, f64>>);

/// The series of a kernel release, with the Debian that has built it and its flavour: `7.3+deb13-amd64` of
/// `7.3.4+deb13-amd64`. What is checked in holds for all of it.
pub fn series(release: &str) -> String {
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (numbers, rest) = release.split_at(end.unwrap_or(release.len()));
    let series: Vec<_> = numbers.split('.').take(2).collect();
    series.join(".") + rest
}

impl Baseline {
    /// Those of this checkout.
    pub fn checked_in() -> Result<Self, toml::de::Error> {
        Self::parse(include_str!("../../bench.toml"))
    }

    /// Reads what [`Self::text`] writes.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text).map(Baseline)
    }

    /// The file.
    pub fn text(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("{HEAD}{}", toml::to_string(&self.0)?))
    }
}

#[cfg(test)]
mod tests {
    use super::{figure, read_figures, series, Baseline, Figures};

    #[test]
    fn the_file_that_is_checked_in_is_as_it_would_be_written() {
        let baseline = Baseline::checked_in().unwrap();
        assert_eq!(baseline.text().unwrap(), include_str!("../../bench.toml"));
    }

    #[test]
    fn a_series_goes_for_all_of_its_releases() {
        for (release, expected) in [
            ("7.3.4+deb13-amd64", "7.3+deb13-amd64"),
            ("7.3-amd64", "7.3-amd64"),
            ("7.2.12+deb13-cloud-amd64", "7.2+deb13-cloud-amd64"),
            ("7.3.4-s390x", "7.3-s390x"),
        ] {
            assert_eq!(series(release), expected);
        }
    }

    #[test]
    fn figures_are_told_from_other_lines() {
        let line = figure("c", "mount_cpu", 7);
        let mut figures = Figures::new();
        read_figures(["note", &line].into_iter(), &mut figures);
        assert_eq!(figures["mount_cpu"]["c"], 7);
        assert_eq!(figures.len(), 1);
    }
}
