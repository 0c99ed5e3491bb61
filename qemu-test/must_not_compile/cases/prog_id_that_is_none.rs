// SPDX-License-Identifier: GPL-2.0
// error: the object has no such prog

const NONE: ProgId<Features, prog::Tracing> = ProgId::new::<11>();
