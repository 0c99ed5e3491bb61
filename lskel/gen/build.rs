// SPDX-License-Identifier: GPL-2.0

//! Has libbpf's calls that read the build host go to `src/host.rs`, and tells the tests where its headers
//! are.

fn main() {
    for function in ["fopen64", "gzopen64", "open64", "uname"] {
        println!("cargo::rustc-link-arg=-Wl,--wrap={function}");
    }
    if let Ok(include) = std::env::var("DEP_BPF_INCLUDE") {
        println!("cargo::rustc-env=LIBBPF_INCLUDE={include}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
