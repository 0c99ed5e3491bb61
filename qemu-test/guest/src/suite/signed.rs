// SPDX-License-Identifier: GPL-2.0
//! Signatures, which the kernel checks: what it takes, and what it refuses.

use std::ffi::{c_int, CString};
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Context, Result};
use libbpf_rs::libbpf_sys as sys;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};
use rustix::io::Errno;
use scenarios::{BLOB, MODULE_DIR, SIGNED_DIR, SIGNING_BPFTOOL};

use super::hostile::{expect_refusal, expect_refused};
use crate::bpf::{self, expect_both_files, Ids};
use crate::costs::warm_insmod;
use crate::kernel::{
    add_key, eventually, expect_fds, fds, insmod, insmod_with, load, module, module_file,
    mount_bpffs, need_bpf_lsm, release, rmmod, umount, unload, Messages,
};
use crate::ktap::{note, Skip};
use crate::lab::mount_debugfs;

const MNT: &str = "/tmp/bpf";

/// Numbers of `BPF_PROG_LOAD` for the kernel's own keyrings.
const KEYRINGS: [i32; 3] = [0, 1, 2];

/// A file that the runner has made.
pub(super) fn file(name: &str) -> Result<Vec<u8>> {
    let path = format!("{SIGNED_DIR}/{name}");
    fs::read(&path).with_context(|| path)
}

/// A keyring of this process's session: its children possess it, too.
pub(super) fn keyring(name: &str) -> Result<i32> {
    add_key("keyring", name, &[], libc::KEY_SPEC_SESSION_KEYRING)
}

/// The module with signed progs: its file, and parameters with a keyring that has their key.
pub fn signed_progs() -> Result<(String, String)> {
    let keyring = keyring("with the key")?;
    add_key("asymmetric", "", &file("cert_of_progs")?, keyring)?;
    Ok((
        format!("{MODULE_DIR}/signed_progs.ko"),
        format!("keyring={keyring}"),
    ))
}

/// A keyring with the key that has signed, and the key.
pub(super) fn keyring_with_key() -> Result<(i32, i32)> {
    let keyring = keyring("with the key")?;
    let key = add_key("asymmetric", "", &file("cert")?, keyring)?;
    Ok((keyring, key))
}

/// Whether the kernel checks nothing but the instructions.
pub(super) fn is_older() -> Result<bool> {
    let release = release();
    // As in 7.3.4+deb13-amd64, and 7.3-amd64 of a release candidate.
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    let [Some(Ok(major)), Some(Ok(minor))] = [numbers.next(), numbers.next()] else {
        anyhow::bail!("the kernel's release is {release}");
    };
    Ok((major, minor) < (7, 3))
}

/// Skips a scenario where the kernel checks nothing but the instructions.
fn need_signed_data() -> Result<()> {
    if is_older()? {
        return Err(Skip("this kernel verifies instructions alone".into()).into());
    }
    Ok(())
}

/// What the module shows of the kernel's verdict on its progs.
pub fn expect_verdict(expected: &str) -> Result<()> {
    let seen = fs::read_to_string(format!("{}/bpf_preload_rs/signature", mount_debugfs()?))?;
    ensure!(
        seen.strip_suffix('\n') == Some(expected),
        "the verdict: expected {expected:?}, seen {seen:?}"
    );
    Ok(())
}

/// One write to /dev/lskel_blob: the module's blob with a signature.
fn request(keyring: i32, signature: &[u8], blob: &[u8]) -> Vec<u8> {
    let size = signature.len() as u32;
    [
        &2_u32.to_ne_bytes()[..],
        &keyring.to_ne_bytes(),
        &size.to_ne_bytes(),
        signature,
        blob,
    ]
    .concat()
}

/// The device of lskel_blob.ko, which has loaded the first prog: BTF of the kernel stays from then on.
fn device() -> Result<File> {
    insmod(&format!("{MODULE_DIR}/lskel_blob.ko"))?.context("loading lskel_blob.ko")?;
    drop(bpf::prog("first", None)?);
    Ok(File::options().write(true).open("/dev/lskel_blob")?)
}

const OLD: &str = "failed to load the signed loader prog: EOPNOTSUPP (-95): kernels before 7.3";

pub fn a_signed_object_is_loaded_and_the_kernel_says_so() -> Result<()> {
    let device = device()?;
    let (keyring, _) = keyring_with_key()?;
    let blob = fs::read(BLOB)?;
    let signed = request(keyring, &file("good")?, &blob);
    if is_older()? {
        let write = || Ok(rustix::io::write(&device, &signed).map(|_| ()));
        expect_refusal(write, Errno::OPNOTSUPP, OLD)?;
        // The signature that such a kernel takes says nothing of the data.
        let insns_alone = request(keyring, &file("of_insns_alone")?, &blob);
        let write = || Ok(rustix::io::write(&device, &insns_alone).map(|_| ()));
        expect_refusal(write, Errno::OPNOTSUPP, OLD)?;
        rustix::io::write(&device, &blob).context("the blob without a signature")?;
        return Ok(());
    }
    let mut messages = Messages::from_now()?;
    let before = (fds()?, Ids::now());
    rustix::io::write(&device, &signed).context("the signed blob")?;
    let lines = messages.new_lines()?;
    ensure!(
        lines == [format!("lskel_blob: verified, keyring {keyring}")],
        "expected the kernel's verdict, seen {lines:?}"
    );
    let there = Ids::now().since(&before.1);
    ensure!(
        there.progs.len() >= 2 && !there.maps.is_empty(),
        "expected progs and a map, seen {there:?}"
    );
    expect_fds(&before.0, "a signed load")?;
    rustix::io::write(&device, &blob).context("the blob without a signature")?;
    drop(device);
    bpf::expect_nothing_since(&before.1, "a signed load")
}

pub fn a_wrong_signature_or_keyring_is_refused_in_one_line() -> Result<()> {
    let device = device()?;
    let (keyring, key) = keyring_with_key()?;
    let empty = self::keyring("without a key")?;
    let (good, blob) = (file("good")?, fs::read(BLOB)?);
    let flipped = |bytes: &[u8], at: usize| {
        let mut bad = bytes.to_vec();
        bad[at] ^= 1;
        bad
    };
    let mut longer = good.clone();
    longer.resize(8193, 0);
    let no_key = (Errno::NOKEY, "its key is not in that keyring");
    let rejected = (Errno::KEYREJECTED, "the signature is that of other data");
    let no_keyring = (Errno::INVAL, "there is no such keyring");
    let cut_short = (Errno::BADMSG, "the signature is cut short, or is none");
    let mut wrong = vec![
        (
            "an empty keyring",
            empty,
            good.clone(),
            blob.clone(),
            no_key,
        ),
        (
            "another key",
            keyring,
            file("of_another_key")?,
            blob.clone(),
            no_key,
        ),
        (
            "a number without a keyring",
            i32::MAX - 1,
            good.clone(),
            blob.clone(),
            no_keyring,
        ),
        (
            "a key that is no keyring",
            key,
            good.clone(),
            blob.clone(),
            no_key,
        ),
        (
            "no signature",
            keyring,
            Vec::new(),
            blob.clone(),
            (Errno::INVAL, cut_short.1),
        ),
        (
            "half a signature",
            keyring,
            good[..good.len() / 2].to_vec(),
            blob.clone(),
            cut_short,
        ),
        (
            "all but a byte of it",
            keyring,
            good[..good.len() - 1].to_vec(),
            blob.clone(),
            cut_short,
        ),
        (
            "8,193 bytes",
            keyring,
            longer,
            blob.clone(),
            (Errno::INVAL, "the signature is longer than"),
        ),
        (
            "a bit of the signature",
            keyring,
            flipped(&good, good.len() - 1),
            blob.clone(),
            rejected,
        ),
        (
            "the last bit of the data",
            keyring,
            good.clone(),
            flipped(&blob, blob.len() - 1),
            rejected,
        ),
        (
            "a bit amid the data",
            keyring,
            good.clone(),
            flipped(&blob, blob.len() - 4000),
            rejected,
        ),
        (
            "another object",
            keyring,
            file("of_links")?,
            blob.clone(),
            rejected,
        ),
        (
            "a bit of the instructions",
            keyring,
            file("of_other_insns")?,
            blob.clone(),
            rejected,
        ),
        (
            "the instructions alone",
            keyring,
            file("of_insns_alone")?,
            blob.clone(),
            rejected,
        ),
    ];
    for keyring in KEYRINGS {
        wrong.push((
            "one of the kernel's keyrings",
            keyring,
            good.clone(),
            blob.clone(),
            no_key,
        ));
    }
    for (what, keyring, signature, blob, (errno, advice)) in wrong {
        let request = request(keyring, &signature, &blob);
        let line = match is_older()? {
            true => OLD.to_owned(),
            false => format!(
                "lskel_blob: failed to load the signed loader prog: {}: {advice}",
                name(errno)
            ),
        };
        let errno = if is_older()? { Errno::OPNOTSUPP } else { errno };
        expect_refusal(
            || Ok(rustix::io::write(&device, &request).map(|_| ())),
            errno,
            &line,
        )
        .with_context(|| what)?;
    }
    Ok(())
}

/// As the kernel's messages have it.
fn name(errno: Errno) -> String {
    let name = match errno {
        Errno::NOKEY => "ENOKEY",
        Errno::KEYREJECTED => "EKEYREJECTED",
        Errno::BADMSG => "EBADMSG",
        _ => "EINVAL",
    };
    format!("{name} (-{})", errno.raw_os_error())
}

/// Creates the loader's map as user space can, and loads the loader prog with it.
pub(super) fn load_from_user_space(
    exclusive: bool,
    frozen: bool,
    signature: &[u8],
    keyring: i32,
) -> Result<Result<OwnedFd, (Errno, String)>> {
    let (insns, value, hash) = (file("insns")?, file("value")?, file("hash")?);
    let mut opts = sys::bpf_map_create_opts {
        sz: size_of::<sys::bpf_map_create_opts>() as _,
        ..Default::default()
    };
    if exclusive {
        opts.excl_prog_hash = hash.as_ptr().cast();
        opts.excl_prog_hash_size = hash.len() as u32;
    }
    let size = value.len() as u32;
    let map = MapHandle::create(MapType::Array, Some("loader"), 4, size, 1, &opts)?;
    map.update(&0_u32.to_ne_bytes(), &value, MapFlags::ANY)?;
    if frozen {
        map.freeze()?;
    }
    let fd_array = [map.as_fd().as_raw_fd()];
    let mut log = vec![0_u8; 1 << 16];
    let mut attr = sys::bpf_attr::default();
    let prog = sys::bpf_attr__bindgen_ty_4 {
        prog_type: sys::BPF_PROG_TYPE_SYSCALL,
        insn_cnt: (insns.len() / 8) as u32,
        insns: insns.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 1,
        log_size: log.len() as u32,
        log_buf: log.as_mut_ptr() as u64,
        prog_flags: sys::BPF_F_SLEEPABLE,
        fd_array: fd_array.as_ptr() as u64,
        fd_array_cnt: 1,
        signature: signature.as_ptr() as u64,
        signature_size: signature.len() as u32,
        keyring_id: keyring,
        ..Default::default()
    };
    attr.__bindgen_anon_3 = prog;
    // SAFETY: all addresses are of live values of this function, with their sizes.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            sys::BPF_PROG_LOAD,
            &raw const attr,
            size_of::<sys::bpf_attr__bindgen_ty_4>(),
        )
    };
    if fd < 0 {
        let errno = Errno::from_io_error(&std::io::Error::last_os_error());
        let log = log.split(|byte| *byte == 0).next().unwrap_or_default();
        let log = String::from_utf8_lossy(log).into_owned();
        return Ok(Err((errno.context("no errno")?, log)));
    }
    // SAFETY: the call has opened it.
    Ok(Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) }))
}

pub fn a_signed_map_has_to_be_frozen_and_exclusive() -> Result<()> {
    let (keyring, _) = keyring_with_key()?;
    let good = file("good")?;
    let insns_alone = file("of_insns_alone")?;
    let before = Ids::now();
    let load = |exclusive, frozen| load_from_user_space(exclusive, frozen, &good, keyring);
    if is_older()? {
        // Why its signatures are not used: it takes this one whatever is in the map.
        let seen = load_from_user_space(false, false, &insns_alone, keyring)?;
        ensure!(seen.is_ok(), "the instructions alone: {seen:?}");
        let seen = load(true, true)?;
        ensure!(
            matches!(seen, Err((Errno::KEYREJECTED, _))),
            "instructions and map: {seen:?}"
        );
    } else {
        let seen = load(true, true)?;
        ensure!(seen.is_ok(), "frozen and exclusive: {seen:?}");
        drop(seen);
        for (exclusive, frozen, text) in [
            (true, false, "must be frozen"),
            (false, true, "must be exclusive"),
        ] {
            let seen = load(exclusive, frozen)?;
            let Err((errno, log)) = seen else {
                anyhow::bail!("{text}: expected EPERM, seen a prog");
            };
            ensure!(
                errno == Errno::PERM && log.lines().filter(|line| line.contains(text)).count() == 1,
                "{text}: expected EPERM and one line, seen {errno:?} and {log:?}"
            );
        }
    }
    // A prog of the scheme that it has, and nothing else.
    bpf::expect_nothing_since(&before, "loads from user space")
}

pub fn the_modules_signed_progs_are_loaded_with_their_key_only() -> Result<()> {
    let keyring = keyring("with the key")?;
    add_key("asymmetric", "", &file("cert_of_progs")?, keyring)?;
    drop(bpf::prog("first", None)?);
    let file = format!("{MODULE_DIR}/signed_progs.ko");
    let links = format!("{MODULE_DIR}/signed_links.ko");
    let params = CString::new(format!("keyring={keyring} require_signed=1"))?;
    if is_older()? {
        return expect_refusal(|| insmod_with(&file, &params), Errno::OPNOTSUPP, OLD);
    }
    for (file, object) in [(&file, "iterators"), (&links, "links")] {
        expect_refused(
            file,
            Errno::NOKEY,
            &format!("{object}: failed to load the signed loader prog: ENOKEY (-126): its key"),
        )?;
    }
    let before = (fds()?, Ids::now());
    insmod_with(&file, &params)?.context("loading the module with the key")?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)?;
    expect_verdict(&format!("verified, keyring {keyring}"))?;
    insmod_with(&links, &params)?.context("loading the module of links with the key")?;
    rmmod("bpf_preload_links")?;
    umount(MNT)?;
    rmmod(module())?;
    expect_fds(&before.0, "signed progs")?;
    bpf::expect_nothing_since(&before.1, "signed progs")
}

pub fn a_policy_of_verified_progs_lets_signed_modules_in_and_no_others() -> Result<()> {
    need_bpf_lsm()?;
    need_signed_data()?;
    let device = device()?;
    let (keyring, _) = keyring_with_key()?;
    add_key("asymmetric", "", &file("cert_of_progs")?, keyring)?;
    let (good, blob) = (file("good")?, fs::read(BLOB)?);
    let signed_progs = format!("{MODULE_DIR}/signed_progs.ko");
    let params = CString::new(format!("keyring={keyring}"))?;
    insmod(&format!("{MODULE_DIR}/lab_policy.ko"))?.context("loading the policy")?;

    // From user space, and from the kernel.
    ensure!(
        bpf::prog("unsigned", None).is_err(),
        "expected an unsigned prog refused, seen it loaded"
    );
    let seen = load_from_user_space(true, true, &good, keyring)?;
    ensure!(seen.is_ok(), "a signed prog from user space: {seen:?}");
    drop(seen);
    let line = "failed to load the loader prog: EPERM (-1)";
    expect_refused(&module_file(), Errno::PERM, line)?;
    let write = |request: &[u8]| rustix::io::write(&device, request).map(|_| ());
    expect_refusal(|| Ok(write(&blob)), Errno::PERM, line)?;
    write(&request(keyring, &good, &blob)).context("the signed blob")?;
    insmod_with(&signed_progs, &params)?.context("loading the module with signed progs")?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)?;
    umount(MNT)?;
    rmmod(module())?;

    rmmod("lab_policy")?;
    eventually(load)
}

pub fn what_bpftool_signs_is_taken_by_the_kernel_that_takes_ours() -> Result<()> {
    need_bpf_lsm()?;
    need_signed_data()?;
    if !Path::new(SIGNING_BPFTOOL).exists() {
        return Err(Skip("the archive has no bpftool of this kernel's version".into()).into());
    }
    let (key, cert) = (
        format!("{SIGNED_DIR}/key"),
        format!("{SIGNED_DIR}/cert_of_progs"),
    );
    let bpftool = |options: &[&str]| {
        let load = ["prog", "load", &format!("{SIGNED_DIR}/iterators.o"), "/pin"];
        let output = Command::new(SIGNING_BPFTOOL)
            .args(options)
            .args(load)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok::<_, anyhow::Error>((output.status.success(), said))
    };
    let (file, params) = signed_progs()?;
    insmod(&format!("{MODULE_DIR}/lab_policy.ko"))?.context("loading the policy")?;

    let (unsigned, said) = bpftool(&["-L"])?;
    ensure!(
        !unsigned && said.starts_with("err -1\nfailed to load loader prog"),
        "expected bpftool's unsigned loader refused, seen {said:?}"
    );
    let (signed, said) = bpftool(&["-S", "-k", &key, "-i", &cert])?;
    ensure!(signed, "what bpftool has signed: {said:?}");
    insmod_with(&file, &CString::new(params)?)?.context("what we have signed, with that key")?;
    rmmod(module())?;
    rmmod("lab_policy")
}

pub fn a_signed_load_costs_little_more_than_an_unsigned_one() -> Result<()> {
    /// In percent: a check by an RSA key of 2,048 bits. On s390x all else costs half as much as on amd64.
    const LIMIT: u64 = if cfg!(target_arch = "s390x") { 20 } else { 10 };

    need_signed_data()?;
    let (file, params) = signed_progs()?;
    let unsigned = warm_insmod(&module_file(), "", module())?;
    let signed = warm_insmod(&file, &params, module())?;
    note(&format!(
        "| instructions of a warm insmod | unsigned {unsigned} | signed {signed} |"
    ));
    ensure!(
        signed <= unsigned + unsigned * LIMIT / 100,
        "a signed load: expected at most {LIMIT} % over {unsigned} instructions, seen {signed}"
    );
    Ok(())
}

pub fn require_signed_refuses_a_module_whose_progs_are_not_signed() -> Result<()> {
    drop(bpf::prog("first", None)?);
    expect_refusal(
        || insmod_with(&module_file(), c"require_signed=1"),
        Errno::KEYREJECTED,
        "iterators: failed to load the signed loader prog: EKEYREJECTED (-129): it is not signed",
    )?;
    load()?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)?;
    umount(MNT)?;
    unload()
}
