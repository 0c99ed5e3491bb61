// SPDX-License-Identifier: GPL-2.0

//! Signatures: made and checked as the kernel checks them, over the loader prog and its map.

use crate::skeleton::ByteOrder;
use crate::{abi, Error, Result};
use openssl::asn1::Asn1Time;
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::stack::Stack;
use openssl::x509::extension::SubjectKeyIdentifier;
use openssl::x509::{X509Builder, X509NameBuilder, X509};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What the kernel takes, in bytes: `KMALLOC_MAX_CACHE_SIZE` with pages of 4 KiB.
const MAX_SIZE: usize = 8192;

/// Who may do what with a file beside its owner.
const OTHERS: u32 = 0o077;

/// The loader prog for data of this size.
fn loader(byte_order: ByteOrder, data_size: usize) -> Result<Vec<u8>> {
    let mut insns = match byte_order {
        ByteOrder::Little => include_bytes!("../../loader-little-endian.insns").to_vec(),
        ByteOrder::Big => include_bytes!("../../loader-big-endian.insns").to_vec(),
    };
    let limit =
        u32::try_from(data_size).map_err(|_| Error::Input("the data are too large".into()))?;
    insns[abi::LIMIT_AT..][..4].copy_from_slice(&byte_order.u32(limit));
    Ok(insns)
}

/// What is signed of an object: the loader prog and the value of its map.
pub fn payload(byte_order: ByteOrder, data: &[u8]) -> Result<Vec<u8>> {
    let mut payload = loader(byte_order, data.len())?;
    payload.extend(data);
    payload.resize(payload.len() + abi::SLACK as usize, 0);
    Ok(payload)
}

fn failed(what: &str) -> impl FnOnce(ErrorStack) -> Error + '_ {
    move |e| {
        let cause = e.errors().first().and_then(|e| e.reason());
        Error::Input(format!(
            "cannot {what}: {}",
            cause.unwrap_or("unknown cause")
        ))
    }
}

/// Reads a certificate, in PEM or DER.
pub fn certificate(path: &Path) -> Result<X509> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    X509::from_pem(&bytes)
        .or_else(|_| X509::from_der(&bytes))
        .map_err(failed(&format!(
            "read a certificate from {}",
            path.display()
        )))
}

/// A key with its certificate.
#[derive(Debug, Clone)]
pub struct Signer {
    key: PKey<Private>,
    certificate: X509,
}

impl Signer {
    /// Reads both. The key stays where it is: nobody else may be able to read it there.
    pub fn read(key_path: &Path, certificate_path: &Path) -> Result<Self> {
        if key_path.to_string_lossy().starts_with("pkcs11:") {
            return Err(Error::unsupported(
                "the key is in a PKCS#11 token, which this cannot use",
                "give the file of a key",
            ));
        }
        let metadata = fs::metadata(key_path).map_err(Error::io("read", key_path))?;
        if metadata.permissions().mode() & OTHERS != 0 {
            return Err(Error::unsupported(
                format!("others can read the key {}", key_path.display()),
                format!("chmod go= {}, and ask who has read it", key_path.display()),
            ));
        }
        let bytes = fs::read(key_path).map_err(Error::io("read", key_path))?;
        let key = PKey::private_key_from_pem(&bytes).map_err(failed(&format!(
            "read a private key from {}",
            key_path.display()
        )))?;
        Self::new(key, certificate(certificate_path)?)
    }

    /// Of a key that is there already.
    pub fn new(key: PKey<Private>, certificate: X509) -> Result<Self> {
        if !matches!(key.id(), Id::RSA | Id::EC) {
            return Err(Error::unsupported(
                "the key is not of RSA or ECDSA",
                "use one that is: the kernel hashes with SHA-256 for these",
            ));
        }
        let public = certificate
            .public_key()
            .map_err(failed("read the certificate's key"))?;
        if !public.public_eq(&key) {
            return Err(Error::unsupported(
                "the certificate is that of another key",
                "give the two that belong together",
            ));
        }
        if certificate.subject_key_id().is_none() {
            return Err(Error::unsupported(
                "the certificate does not say what its key is called",
                "make one with subjectKeyIdentifier: the kernel finds the key by it",
            ));
        }
        Ok(Self { key, certificate })
    }

    /// With a new RSA key, which goes with this, and a certificate that it signs itself: for tests.
    pub fn throwaway() -> Result<Self> {
        Rsa::generate(2048)
            .and_then(PKey::from_rsa)
            .and_then(|key| {
                let certificate = certify(&key)?;
                Ok(Self { key, certificate })
            })
            .map_err(failed("make a key"))
    }

    /// The certificate in DER, as the kernel takes it into a keyring.
    pub fn certificate(&self) -> Result<Vec<u8>> {
        self.certificate
            .to_der()
            .map_err(failed("write a certificate"))
    }

    /// The signature of an object's data: a detached CMS in DER.
    pub fn sign(&self, byte_order: ByteOrder, data: &[u8]) -> Result<Vec<u8>> {
        self.sign_bytes(&payload(byte_order, data)?)
    }

    /// The signature of these bytes.
    pub fn sign_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let options = CMSOptions::DETACHED
            | CMSOptions::BINARY
            | CMSOptions::CMS_NOCERTS
            | CMSOptions::NOATTR
            | CMSOptions::NOSMIMECAP
            | CMSOptions::USE_KEYID;
        let (certificate, key) = (Some(&*self.certificate), Some(&*self.key));
        let signature = CmsContentInfo::sign(certificate, key, None, Some(bytes), options)
            .and_then(|cms| cms.to_der())
            .map_err(failed("sign"))?;
        check_size(&signature)?;
        Ok(signature)
    }
}

/// A certificate of a key by itself, for a day.
pub fn certify(key: &PKey<Private>) -> std::result::Result<X509, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", "throwaway")?;
    let name = name.build();
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(1)?)?;
    builder.set_pubkey(key)?;
    let key_id = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(key_id)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}

fn check_size(signature: &[u8]) -> Result<()> {
    if signature.len() > MAX_SIZE {
        return Err(Error::unsupported(
            format!("the signature has {} bytes", signature.len()),
            format!("use a smaller key: the kernel takes {MAX_SIZE} bytes"),
        ));
    }
    Ok(())
}

/// Checks a signature of an object's data.
pub fn verify(
    certificate: &X509,
    byte_order: ByteOrder,
    data: &[u8],
    signature: &[u8],
) -> Result<()> {
    let payload = payload(byte_order, data)?;
    let check = || {
        let mut certificates = Stack::new()?;
        certificates.push(certificate.clone())?;
        // Nothing but this certificate: the kernel trusts a key for being in a keyring.
        CmsContentInfo::from_der(signature)?.verify(
            Some(&certificates),
            None,
            Some(&payload),
            None,
            CMSOptions::BINARY | CMSOptions::NO_SIGNER_CERT_VERIFY | CMSOptions::NOINTERN,
        )
    };
    check_size(signature)?;
    check().map_err(failed("verify the signature with this certificate"))
}

/// Checks the signature of the data in a file `NAME.lskel-E.data`, and that the generated file beside it names it.
pub fn verify_file(certificate: &X509, path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".data").unwrap_or_default();
    let order = ByteOrder::ALL
        .into_iter()
        .find(|order| stem.ends_with(&format!(".lskel-{order}")))
        .ok_or_else(|| Error::Input(format!("{name} is not called NAME.lskel-E.data")))?;
    let beside = |what: &str| -> (PathBuf, String) {
        let name = format!("{stem}.{what}");
        (path.with_file_name(&name), name)
    };
    let ((text, _), (signature, signature_name)) = (beside("rs"), beside("sig"));
    let read = |path: &Path| fs::read(path).map_err(Error::io("read", path));

    verify(certificate, order, &read(path)?, &read(&signature)?).map_err(|e| e.in_object(&name))?;
    if !String::from_utf8_lossy(&read(&text)?).contains(&format!("\"{signature_name}\"")) {
        return Err(Error::Input(format!(
            "{} does not name the signature: it would load without it",
            text.display()
        )));
    }
    Ok(())
}
