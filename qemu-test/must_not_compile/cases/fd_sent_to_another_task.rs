// SPDX-License-Identifier: GPL-2.0
// error: cannot be sent between threads safely

fn case(fd: OwnedFd) {
    needs_send(fd);
}
