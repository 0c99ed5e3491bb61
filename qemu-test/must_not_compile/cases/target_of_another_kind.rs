// SPDX-License-Identifier: GPL-2.0
// error: expected `CgroupHook`, found `NetnsHook`

fn case(fd: &OwnedFd) -> Result<OwnedFd> {
    syscall::link_create(fd, &LinkTarget::Cgroup(syscall::NetnsHook::SkLookup, fd))
}
