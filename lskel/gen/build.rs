// SPDX-License-Identifier: GPL-2.0

//! Has libbpf's calls that read the build host go to `src/host.rs`.

fn main() {
    for function in ["fopen", "gzopen", "uname"] {
        println!("cargo::rustc-link-arg=-Wl,--wrap={function}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
