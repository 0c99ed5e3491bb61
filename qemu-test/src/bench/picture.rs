// SPDX-License-Identifier: GPL-2.0
//! The figures as a picture: where a warm insmod spends its time, and ratios to the C provider.

use std::fmt::Write;

use scenarios::costs::{Figures, C, C_BY_LSKEL, OURS, SUBJECTS};

use super::tables::{get, ratio, PHASES};

/// All sizes in pixels.
const WIDTH: f64 = 860.0;
const LEFT: f64 = 210.0;
const RIGHT: f64 = 70.0;
const BAR: f64 = 22.0;
const STEP: f64 = 32.0;

/// One for each phase, and told apart without colours by their order.
const COLOURS: [&str; 10] = [
    "#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#ff9da7",
    "#9c755f", "#bab0ac",
];

/// The ratios that are shown, and what they are called.
const RATIOS: &[(&str, &str)] = &[
    ("insmod_warm_cpu", "insmod, warm: cpu"),
    ("insmod_warm_latency", "insmod, warm: latency"),
    ("insmod_cold_cpu", "insmod, cold: cpu"),
    ("mount_later_cpu", "mount: cpu"),
    ("rmmod_cpu", "rmmod: cpu"),
    ("proc_modules_bytes", "size in /proc/modules"),
    ("bpf_bytes", "BPF memory"),
];

fn text(out: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let _ = writeln!(
        out,
        r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="#222">{words}</text>"##
    );
}

fn bar(out: &mut String, x: f64, y: f64, width: f64, height: f64, colour: &str) {
    let _ = writeln!(
        out,
        r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
    );
}

/// The picture, as SVG.
pub fn svg(release: &str, figures: &Figures) -> String {
    let mut out = String::new();
    let room = WIDTH - LEFT - RIGHT;
    let mut y = 28.0;

    text(
        &mut out,
        12.0,
        y,
        "start",
        "Where a warm insmod spends its cpu time, in ms (millions of instructions, traced)",
    );
    y += 16.0;
    let all = |key: &str| get(figures, "phases_traced", key).unwrap_or(0) as f64;
    let most = SUBJECTS
        .iter()
        .map(|subject| all(subject.key))
        .fold(1.0, f64::max);
    for subject in SUBJECTS {
        text(&mut out, LEFT - 8.0, y + 16.0, "end", subject.title);
        let mut x = LEFT;
        for ((phase, _), colour) in PHASES.iter().zip(COLOURS) {
            let time = get(figures, &format!("phase_{phase}"), subject.key).unwrap_or(0) as f64;
            let width = time / most * room;
            bar(&mut out, x, y, width, BAR, colour);
            x += width;
        }
        text(
            &mut out,
            x + 6.0,
            y + 16.0,
            "start",
            &format!("{:.1}", all(subject.key) / 1e6),
        );
        y += STEP;
    }
    for (index, ((_, title), colour)) in PHASES.iter().zip(COLOURS).enumerate() {
        let x = 12.0 + (index % 5) as f64 * 168.0;
        let y = y + 4.0 + (index / 5) as f64 * 20.0;
        bar(&mut out, x, y, 12.0, 12.0, colour);
        text(&mut out, x + 18.0, y + 11.0, "start", title);
    }
    y += 84.0;

    text(
        &mut out,
        12.0,
        y,
        "start",
        &format!("As ratios to {} (the line at 1)", C.title),
    );
    for (index, subject) in [&OURS, &C_BY_LSKEL].into_iter().enumerate() {
        let x = 330.0 + index as f64 * 90.0;
        bar(&mut out, x, y - 11.0, 12.0, 12.0, COLOURS[index]);
        text(&mut out, x + 18.0, y, "start", subject.title);
    }
    y += 16.0;
    let of = |name: &str, key: &str| ratio(figures, name, key, C.key);
    let most = RATIOS
        .iter()
        .flat_map(|(name, _)| [of(name, OURS.key), of(name, C_BY_LSKEL.key)])
        .flatten()
        .fold(1.2, f64::max);
    let top = y;
    for (name, title) in RATIOS {
        text(&mut out, LEFT - 8.0, y + 17.0, "end", title);
        for (index, subject) in [&OURS, &C_BY_LSKEL].into_iter().enumerate() {
            let Some(ratio) = of(name, subject.key) else {
                continue;
            };
            let (y, width) = (y + index as f64 * 13.0, ratio / most * room);
            bar(&mut out, LEFT, y, width, 11.0, COLOURS[index]);
            text(
                &mut out,
                LEFT + width + 6.0,
                y + 10.0,
                "start",
                &format!("{ratio:.2}"),
            );
        }
        y += STEP;
    }
    let one = LEFT + room / most;
    let _ = writeln!(
        out,
        r##"<line x1="{one:.1}" y1="{:.1}" x2="{one:.1}" y2="{:.1}" stroke="#222" stroke-dasharray="3 3"/>"##,
        top - 4.0,
        y - 2.0
    );
    text(
        &mut out,
        12.0,
        y + 18.0,
        "start",
        &format!("Linux {release}; made by make bench"),
    );

    let height = y + 32.0;
    format!(
        "<!-- SPDX-License-Identifier: GPL-2.0 -->\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n{out}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::{svg, COLOURS, PHASES};
    use scenarios::costs::Figures;

    #[test]
    fn each_phase_has_a_colour() {
        assert_eq!(COLOURS.len(), PHASES.len());
    }

    #[test]
    fn a_picture_of_nothing_is_one() {
        let picture = svg("7.3.4", &Figures::new());
        assert!(
            picture.ends_with("</svg>\n") && !picture.contains("NaN"),
            "{picture}"
        );
    }
}
