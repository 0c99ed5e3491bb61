// SPDX-License-Identifier: GPL-2.0
// error: expected `ProgId<Features, _>`, found `ProgId<IterMapElem, Iter>`

fn case() -> Result<(), LoadError> {
    let skel = open().load()?;
    skel.prog(iter_map_elem::progs::list_elements);
    Ok(())
}
