// SPDX-License-Identifier: GPL-2.0
// error: the map's value has another size

const BSS: Section<Features, features::Data> = Section::new::<4>();
