// SPDX-License-Identifier: GPL-2.0
// error: the prog takes something else, or is not to be called

const SET: ProgId<calls::Calls, prog::Syscall<calls::args::number>> = ProgId::new::<0>();
