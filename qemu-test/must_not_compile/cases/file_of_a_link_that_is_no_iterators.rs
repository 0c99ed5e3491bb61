// SPDX-License-Identifier: GPL-2.0
// error: expected `&IterLink`, found `&Link`

fn case<'a>(name: LinkName, link: &'a Link) -> PreloadLink<'a> {
    PreloadLink {
        name,
        link: Handed::Lent(link),
    }
}
