// SPDX-License-Identifier: GPL-2.0

//! Makes a file in debugfs: what is written to it are addresses in the memory of the process that writes, and the
//! function reads what is there.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/call_user.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/call_user.lskel-big-endian.rs"
)]
mod object;

use crate::{
    hold,
    lskel::{
        Function,
        LoadError,
        Skeleton,
        Step, //
    },
    Held, //
};
use kernel::{
    debugfs::Dir,
    error::to_result,
    prelude::*,
    uaccess::UserSliceReader, //
};
use object::{
    args::text,
    progs,
    CallUser, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skel = Skeleton::<CallUser>::open().load()?;
    let read_user = skel.prog(progs::read_user).function()?;
    let dir = Dir::new(c"lskel_call_user");
    let file = KBox::pin_init(
        dir.write_callback_file(c"address", read_user, &say_what_is_there),
        GFP_KERNEL,
    )
    .map_err(|e| Step::Alloc.failed(e))?;

    hold((file, dir))
}

fn say_what_is_there(read_user: &Function<text>, address: &mut UserSliceReader) -> Result {
    let mut args = text {
        address: address.read()?,
        ..Zeroable::zeroed()
    };

    to_result(read_user.call(&mut args))?;
    pr_info!(
        "call_user: {:?}\n",
        CStr::from_bytes_until_nul(&args.text).unwrap_or_default()
    );
    Ok(())
}
