// SPDX-License-Identifier: GPL-2.0
// error: this function takes 2 arguments but 3 arguments were supplied

fn case(prog: &OwnedFd, hook: NetfilterHook) -> Result<OwnedFd> {
    syscall::link_create(prog, 28, &LinkTarget::Netfilter(hook))
}
