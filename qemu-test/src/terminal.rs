// SPDX-License-Identifier: GPL-2.0
//! A session on a terminal as a picture.

use std::fmt::Write;

use anstyle::{Color, RgbColor, Style};
use anstyle_svg::Term;
use anyhow::{ensure, Result};

/// The terminal's width, in characters.
const WIDTH: usize = 110;

/// What root's shell says before each command.
const PROMPT: &str = "# ";

// On a background of its own, so that it can be read on a light page and on a dark one.
const TEXT: Color = Color::Rgb(RgbColor(0xd4, 0xd4, 0xd4));
const BACKGROUND: Color = Color::Rgb(RgbColor(0x1e, 0x1e, 0x1e));
const PROMPTS: Style = Style::new().fg_color(Some(Color::Rgb(RgbColor(0x87, 0xaf, 0x87))));
const COMMANDS: Style = Style::new().bold();
/// The first line of a file: the names of its columns.
const NAMES: Style = Style::new().fg_color(Some(Color::Rgb(RgbColor(0x87, 0xaf, 0xd7))));

/// A line as `less -S` shows it.
fn cut(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    line.chars().take(WIDTH - 1).chain(['>']).collect()
}

/// The picture of commands and what they print, as SVG.
pub fn svg(session: &str) -> Result<String> {
    let mut text = String::new();
    let mut after_cat = false;
    let mut commands = 0;
    for line in session.lines() {
        let line = cut(line);
        // Writing to a String does not fail.
        let _ = if let Some(command) = line.strip_prefix(PROMPT) {
            commands += 1;
            writeln!(
                text,
                "{PROMPTS}{PROMPT}{PROMPTS:#}{COMMANDS}{command}{COMMANDS:#}"
            )
        } else if after_cat {
            writeln!(text, "{NAMES}{line}{NAMES:#}")
        } else {
            writeln!(text, "{line}")
        };
        after_cat = line.starts_with("# cat ");
    }
    ensure!(
        commands > 0,
        "expected a session, seen no line that begins with {PROMPT:?}"
    );
    let picture = Term::new()
        .fg_color(TEXT)
        .bg_color(BACKGROUND)
        .render_svg(text.trim_end());
    Ok(format!(
        "<!-- SPDX-License-Identifier: GPL-2.0; made by make picture -->\n{picture}"
    ))
}

#[cfg(test)]
mod tests {
    use super::{svg, WIDTH};

    #[test]
    fn long_lines_are_cut_where_the_terminal_ends() {
        let fits = "x".repeat(WIDTH);
        let picture = svg(&format!("# a\n{fits}\ny{fits}\n")).unwrap();
        assert!(picture.contains(&format!(">{fits}<")), "{picture}");
        let rest = &fits[2..];
        assert!(picture.contains(&format!(">y{rest}&gt;<")), "{picture}");
    }

    #[test]
    fn what_is_no_session_has_no_picture() {
        assert!(svg("").is_err());
        assert!(svg("guest: no such module\n").is_err());
    }

    #[test]
    fn each_line_is_in_the_picture_as_it_is() {
        let picture = svg("# cat a&b\n  id name\n   2 <x>\n").unwrap();
        for line in ["cat a&amp;b", "  id name", "   2 &lt;x&gt;"] {
            assert!(picture.contains(line), "{line:?} is not in {picture}");
        }
    }
}
