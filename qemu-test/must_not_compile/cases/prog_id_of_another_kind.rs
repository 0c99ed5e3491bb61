// SPDX-License-Identifier: GPL-2.0
// error: the prog is of another kind

const JUMP: ProgId<Features, prog::Iter> = ProgId::new::<1>();
