// SPDX-License-Identifier: GPL-2.0
// error: the object has no such map

const NONE: MapId<Features> = MapId::new::<5>();
