// SPDX-License-Identifier: GPL-2.0
// error: called `Option::unwrap()` on a `None` value

const NAME: LinkName = LinkName::new(c"sixteen_bytes_xx").unwrap();
