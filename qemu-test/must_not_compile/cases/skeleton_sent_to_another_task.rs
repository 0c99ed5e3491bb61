// SPDX-License-Identifier: GPL-2.0
// error: cannot be sent between threads safely

fn case() -> Result<(), LoadError> {
    needs_send(open().load()?);
    Ok(())
}
