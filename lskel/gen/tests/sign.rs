// SPDX-License-Identifier: GPL-2.0

//! Protects what is signed, and that nothing is signed or verified that should not be.

mod common;

use lskel_gen::sign::{self, Signer};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

fn rsa() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

fn ecdsa() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A folder with a key and its certificate, `key` and `cert`.
fn folder(key: &PKey<Private>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let certificate = sign::certify(key).unwrap();
    fs::write(dir.path().join("cert"), certificate.to_pem().unwrap()).unwrap();
    dir
}

fn run(dir: &Path, args: &[&str]) -> Output {
    let paths: Vec<_> = args
        .iter()
        .map(|arg| match arg.strip_prefix('@') {
            Some(file) => dir.join(file).to_str().unwrap().to_owned(),
            None => (*arg).to_owned(),
        })
        .collect();
    let paths: Vec<_> = paths.iter().map(|path| &**path).collect();
    common::lskel_gen(&paths)
}

/// Signs an object, and gives what was written.
fn sign(dir: &Path) -> PathBuf {
    let object = common::object("globals.bpf.c");
    let object = object.to_str().unwrap();
    let output = run(
        dir,
        &[
            object,
            "--sign-key",
            "@key",
            "--cert",
            "@cert",
            "-o",
            "@out",
        ],
    );
    assert!(output.status.success(), "{output:?}");
    dir.join("out")
}

const DATA: [&str; 2] = [
    "@out/globals.lskel-little-endian.data",
    "@out/globals.lskel-big-endian.data",
];

fn verify(dir: &Path) -> Result<(), String> {
    let output = run(dir, &["--verify", "--cert", "@cert", DATA[0], DATA[1]]);
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_was_signed_is_verified() {
    for key in [rsa(), ecdsa()] {
        let dir = folder(&key);
        sign(dir.path());
        verify(dir.path()).unwrap();
    }
}

#[test]
fn rsa_gives_the_same_bytes_again() {
    let dir = folder(&rsa());
    let signature = sign(dir.path()).join("globals.lskel-big-endian.sig");
    let first = fs::read(&signature).unwrap();
    sign(dir.path());
    assert_eq!(first, fs::read(&signature).unwrap());
    // The key has 256 bytes: there is no certificate in it, and there are no attributes.
    assert!(first.len() < 256 + 128, "{} bytes", first.len());
}

#[test]
fn a_changed_bit_is_found_in_data_and_signature() {
    let dir = folder(&rsa());
    let out = sign(dir.path());
    for name in ["data", "sig"] {
        let path = out.join(format!("globals.lskel-little-endian.{name}"));
        let good = fs::read(&path).unwrap();
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            let said = verify(dir.path()).unwrap_err();
            assert!(
                said.contains("globals.lskel-little-endian.data: cannot verify"),
                "{said}"
            );
        }
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        verify(dir.path()).unwrap_err();
        fs::write(&path, &good).unwrap();
    }
    verify(dir.path()).unwrap();
}

#[test]
fn a_signature_of_another_key_is_refused() {
    let (dir, other) = (folder(&rsa()), folder(&rsa()));
    sign(dir.path());
    fs::copy(other.path().join("cert"), dir.path().join("cert")).unwrap();
    verify(dir.path()).unwrap_err();
}

/// The module would be built without it.
#[test]
fn a_signature_that_the_text_does_not_name_is_refused() {
    let dir = folder(&rsa());
    let out = sign(dir.path());
    let files = common::generate(&common::object("globals.bpf.c"));
    let name = "globals.lskel-big-endian.rs";
    fs::write(out.join(name), &files[name]).unwrap();
    let said = verify(dir.path()).unwrap_err();
    assert!(said.contains("does not name the signature"), "{said}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let dir = folder(&rsa());
    let key = dir.path().join("key");
    for mode in [0o640, 0o604] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        let object = common::object("nothing.bpf.c");
        let said = common::refused_file(
            &object,
            &["--sign-key", key.to_str().unwrap(), "--cert", "/dev/null"],
        );
        assert!(said.contains("others can read the key"), "{said}");
    }
}

#[test]
fn keys_that_the_kernel_would_not_take_are_refused() {
    let certificate = |key| sign::certify(key).unwrap();
    let (one, other) = (rsa(), rsa());
    let why =
        |key: PKey<Private>, certificate| Signer::new(key, certificate).unwrap_err().to_string();
    assert!(why(one.clone(), certificate(&other)).contains("another key"));
    let ed25519 = PKey::generate_ed25519().unwrap();
    assert!(why(ed25519, certificate(&one)).contains("RSA or ECDSA"));
    let said = common::refused_file(
        &common::object("nothing.bpf.c"),
        &["--sign-key", "pkcs11:token=a", "--cert", "/dev/null"],
    );
    assert!(said.contains("PKCS#11"), "{said}");
}

#[test]
fn signed_code_is_as_rustfmt_leaves_it() {
    let dir = folder(&rsa());
    let out = sign(dir.path());
    fs::write(dir.path().join(".rustfmt.toml"), "edition = \"2021\"\n").unwrap();
    for order in ["little", "big"] {
        let path = out.join(format!("globals.lskel-{order}-endian.rs"));
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("const SIGNATURE:") && !text.contains("Unsigned for"),
            "{text}"
        );
        let output = std::process::Command::new("rustfmt")
            .args(["--check", path.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}
