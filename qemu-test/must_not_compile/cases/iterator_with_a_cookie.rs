// SPDX-License-Identifier: GPL-2.0
// error: no method named `attach_with_cookie` found

fn case() -> Result<Link, LoadError> {
    let skel = Skeleton::<iter_map_elem::IterMapElem>::open().load()?;
    skel.prog(iter_map_elem::progs::list_elements).attach_with_cookie(1)
}
