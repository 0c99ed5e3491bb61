// SPDX-License-Identifier: GPL-2.0

//! Has libbpf's calls that read the build host go to `src/host.rs`, and tells the worker whether it is built with a
//! sanitizer.

fn main() {
    for function in ["fopen64", "gzopen64", "open64", "uname"] {
        println!("cargo::rustc-link-arg=-Wl,--wrap={function}");
    }
    println!("cargo::rustc-check-cfg=cfg(sanitized)");
    if std::env::var_os("CARGO_CFG_SANITIZE").is_some() {
        println!("cargo::rustc-cfg=sanitized");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
