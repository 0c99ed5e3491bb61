// SPDX-License-Identifier: GPL-2.0
//! What the guest says: KTAP version 1, as far as the guest uses it (no nested tests).

/// How a report ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All planned tests ran and at least one of them is ok.
    Passed,
    /// All planned tests were skipped.
    Skipped(String),
    /// Anything else, and why.
    Failed(String),
}

/// A report, read line by line.
#[derive(Debug, Default)]
pub struct Report {
    hello: bool,
    plan: Option<usize>,
    results: usize,
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
    diagnostics: Vec<String>,
    broken: Option<String>,
}

impl Report {
    /// Reads the next line.
    pub fn line(&mut self, line: &str) {
        if let Err(why) = self.try_line(line) {
            self.broken
                .get_or_insert(format!("broken report: {why}: {line:?}"));
        }
    }

    fn try_line(&mut self, line: &str) -> Result<(), String> {
        if !self.hello {
            self.hello = line == "KTAP version 1";
            return self.hello.then_some(()).ok_or("no version line".into());
        }
        if let Some(text) = line.strip_prefix('#') {
            self.diagnostics.push(text.trim().to_owned());
        } else if let Some(count) = line.strip_prefix("1..") {
            // What was said before the plan belongs to no test.
            self.diagnostics.clear();
            let count = count.parse().map_err(|_| "bad plan")?;
            if self.plan.replace(count).is_some() {
                return Err("second plan".into());
            }
        } else if let Some(result) = line.strip_prefix("ok ") {
            match self.result(result)? {
                (_, Some(reason)) => self.skipped.push(reason),
                (_, None) => self.passed += 1,
            }
        } else if let Some(result) = line.strip_prefix("not ok ") {
            let (name, _) = self.result(result)?;
            // What was said before a failure belongs to it.
            let why = std::mem::take(&mut self.diagnostics).join("\n  ");
            self.failed.push(format!("{name}: {why}"));
        } else {
            return Err("not a line of KTAP".into());
        }
        Ok(())
    }

    /// `N name # SKIP reason`: the name and the reason of a skip.
    fn result(&mut self, text: &str) -> Result<(String, Option<String>), String> {
        let (number, name) = text.split_once(' ').ok_or("no name")?;
        self.results += 1;
        if number.parse() != Ok(self.results) {
            return Err(format!("expected result {}", self.results));
        }
        Ok(match name.split_once("# SKIP") {
            Some((name, reason)) => (name.trim().into(), Some(reason.trim().into())),
            None => (name.trim().into(), None),
        })
    }

    /// Whether the guest has said hello.
    pub fn hello(&self) -> bool {
        self.hello
    }

    /// How it ended. A test that is missing has failed, and so has a report without any.
    pub fn verdict(&self) -> Verdict {
        let failed = |why: &str| Verdict::Failed(why.to_owned());
        if !self.failed.is_empty() {
            return Verdict::Failed(self.failed.join("\n"));
        }
        if let Some(broken) = &self.broken {
            return failed(broken);
        }
        match self.plan {
            _ if !self.hello => failed("the guest never said hello"),
            None => failed("the guest's report has no plan"),
            Some(0) => failed("the guest's report has no test in it"),
            Some(plan) if plan != self.results => Verdict::Failed(format!(
                "the guest's report has {} of {plan} results",
                self.results
            )),
            Some(_) if self.passed == 0 => Verdict::Skipped(self.skipped.join("; ")),
            Some(_) => Verdict::Passed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, Verdict};

    fn verdict(lines: &[&str]) -> Verdict {
        let mut report = Report::default();
        lines.iter().for_each(|line| report.line(line));
        report.verdict()
    }

    fn assert_fails(lines: &[&str], expected: &str) {
        match verdict(lines) {
            Verdict::Failed(why) if why.contains(expected) => {}
            seen => panic!("{lines:?}: expected a failure with {expected:?}, seen {seen:?}"),
        }
    }

    #[test]
    fn complete_report_passes() {
        let lines = ["KTAP version 1", "# Linux 7.3", "1..2", "ok 1 a", "ok 2 b"];
        assert_eq!(verdict(&lines), Verdict::Passed);
    }

    #[test]
    fn failure_carries_its_diagnostics() {
        assert_fails(
            &[
                "KTAP version 1",
                "1..1",
                "# expected 1, seen 2",
                "not ok 1 a",
            ],
            "a: expected 1, seen 2",
        );
    }

    #[test]
    fn one_failure_among_passes_fails() {
        assert_fails(&["KTAP version 1", "1..2", "not ok 1 a", "ok 2 b"], "a");
    }

    #[test]
    fn missing_result_fails() {
        assert_fails(&["KTAP version 1", "1..2", "ok 1 a"], "1 of 2 results");
        assert_fails(&["KTAP version 1", "1..1"], "0 of 1 results");
    }

    #[test]
    fn result_beyond_the_plan_fails() {
        assert_fails(
            &["KTAP version 1", "1..1", "ok 1 a", "ok 2 b"],
            "2 of 1 results",
        );
    }

    #[test]
    fn result_out_of_order_fails() {
        assert_fails(&["KTAP version 1", "1..1", "ok 2 a"], "expected result 1");
        assert_fails(
            &["KTAP version 1", "1..2", "ok 1 a", "ok 1 a"],
            "expected result 2",
        );
    }

    #[test]
    fn no_tests_is_a_failure() {
        assert_fails(&[], "never said hello");
        assert_fails(&["KTAP version 1"], "no plan");
        assert_fails(&["KTAP version 1", "1..0"], "no test");
        assert_fails(&["KTAP version 1", "ok 1 a"], "no plan");
    }

    #[test]
    fn anything_else_fails() {
        assert_fails(&["1..1", "ok 1 a"], "no version line");
        assert_fails(&["KTAP version 1", "1..1", "okay"], "not a line");
        assert_fails(&["KTAP version 1", "1..x"], "bad plan");
        assert_fails(&["KTAP version 1", "1..1", "1..1", "ok 1 a"], "second plan");
    }

    #[test]
    fn skip_is_neither_pass_nor_failure() {
        assert_eq!(
            verdict(&["KTAP version 1", "1..1", "ok 1 a # SKIP no JIT"]),
            Verdict::Skipped("no JIT".into())
        );
        assert_eq!(
            verdict(&["KTAP version 1", "1..2", "ok 1 a # SKIP no JIT", "ok 2 b"]),
            Verdict::Passed
        );
    }
}
