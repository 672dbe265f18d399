//! Whom to believe: the certificates at the root of every server's.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use crate::env::Env;
use crate::error::{ConfigError, Result};

/// The most that is read of a file, in bytes: a distribution's bundle has a quarter of a million.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Where distributions keep all their roots in one file.
#[cfg(not(any(windows, target_os = "macos")))]
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// Whom this command has found out to believe, so that no file is read twice.
#[derive(Debug, Default)]
pub struct Trust(RefCell<Vec<(Option<PathBuf>, Vec<RootCerts>)>>);

impl Trust {
    /// These lists, whatever the system has.
    #[cfg(test)]
    pub(super) fn of(lists: Vec<RootCerts>) -> Self {
        Self(RefCell::new(vec![(None, lists)]))
    }

    /// As [`load`], once for each `ca_file`.
    pub(super) fn roots(&self, env: &Env, ca_file: Option<&Path>) -> Result<Vec<RootCerts>> {
        let known = |(path, _): &&(Option<PathBuf>, _)| path.as_deref() == ca_file;
        if let Some((_, roots)) = self.0.borrow().iter().find(known) {
            return Ok(roots.clone());
        }
        let roots = load(env, ca_file)?;
        self.0.borrow_mut().push((ca_file.map(Path::to_owned), roots.clone()));
        Ok(roots)
    }
}

/// Everyone to believe, in lists to be tried one after the other; there is at least one.
///
/// Two lists are needed where the system's own can't be read, only asked.
fn load(env: &Env, ca_file: Option<&Path>) -> Result<Vec<RootCerts>> {
    let own = ca_file.map(|path| read("ca_file", path)).transpose()?.unwrap_or_default();
    let system = match env.os("SSL_CERT_FILE") {
        Some(path) => Some(read("SSL_CERT_FILE", Path::new(&path))?),
        None => bundle(),
    };
    Ok(match system {
        Some(system) => vec![listed(own.into_iter().chain(system))],
        None if own.is_empty() => vec![BUILT_IN],
        None => vec![listed(own), BUILT_IN],
    })
}

fn listed(certificates: impl IntoIterator<Item = Certificate<'static>>) -> RootCerts {
    RootCerts::Specific(Arc::new(certificates.into_iter().collect()))
}

#[cfg(any(windows, target_os = "macos"))]
const BUILT_IN: RootCerts = RootCerts::PlatformVerifier;

#[cfg(any(windows, target_os = "macos"))]
const fn bundle() -> Option<Vec<Certificate<'static>>> {
    None
}

#[cfg(not(any(windows, target_os = "macos")))]
const BUILT_IN: RootCerts = RootCerts::WebPki;

/// The first of the distribution's files that has certificates.
///
/// One file read is three times as fast as the directory of them all.
#[cfg(not(any(windows, target_os = "macos")))]
fn bundle() -> Option<Vec<Certificate<'static>>> {
    let all = BUNDLES.iter().filter_map(|path| bytes(Path::new(path)).ok());
    let mut parsed = all.map(|pem| certificates(&pem).filter_map(Result::ok).collect::<Vec<_>>());
    parsed.find(|certificates| !certificates.is_empty())
}

/// The certificates of a file that somebody named: each must be sound, and there must be one.
fn read(name: &str, path: &Path) -> Result<Vec<Certificate<'static>>> {
    let wrong = |message: String| ConfigError {
        message: format!("{name}: {message}"),
        file: Some(path.to_owned()),
        ..ConfigError::default()
    };
    let pem = bytes(path).map_err(|error| wrong(format!("the file can't be read: {error}")))?;
    let found: Vec<_> = certificates(&pem)
        .collect::<Result<_, _>>()
        .map_err(|()| wrong("the file has a damaged certificate".to_owned()))?;
    if found.is_empty() {
        return Err(wrong("the file has no certificate (PEM) in it".to_owned()).into());
    }
    Ok(found)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The certificates of a PEM file (RFC 7468); keys and others that stand there are passed over.
fn certificates(pem: &[u8]) -> impl Iterator<Item = Result<Certificate<'static>, ()>> + '_ {
    parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(found)) if is_der(found.der()) => Some(Ok(found)),
        Ok(PemItem::Certificate(_)) | Err(_) => Some(Err(())),
        Ok(_) => None,
    })
}

/// Whether the bytes are one whole DER sequence: what isn't is later ignored without a word.
fn is_der(bytes: &[u8]) -> bool {
    let (header, length) = match bytes {
        [0x30, 0x82, high, low, ..] => (4, usize::from(*high) << 8 | usize::from(*low)),
        [0x30, 0x81, length, ..] => (3, usize::from(*length)),
        _ => return false,
    };
    bytes.len() == header + length
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    use super::*;
    use crate::error::Error;

    fn pem(kind: &str, der: &[u8]) -> String {
        let text = BASE64_STANDARD.encode(der);
        format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
    }

    /// What looks like a certificate from outside.
    fn sound() -> String {
        pem("CERTIFICATE", &[&[0x30, 0x81, 0x80][..], &[0; 0x80]].concat())
    }

    fn loaded(ca_file: Option<&str>, cert_file: Option<&str>) -> Result<Vec<RootCerts>> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let ca_file = ca_file.map(|text| write("ca.pem", text));
        let cert_file = cert_file.map(|text| write("roots.pem", text).to_str().unwrap().to_owned());
        let env = Env::of(&[("SSL_CERT_FILE", cert_file.as_deref().unwrap_or_default())]);
        load(&env, ca_file.as_deref())
    }

    fn count(roots: &RootCerts) -> usize {
        let RootCerts::Specific(certificates) = roots else { panic!("{roots:?}") };
        certificates.len()
    }

    #[test]
    fn a_file_without_a_sound_certificate_is_named() {
        let key = pem("PRIVATE KEY", b"key");
        let damaged = [
            pem("CERTIFICATE", b"garbage"),
            pem("CERTIFICATE", &[0x30, 0x82, 9, 9, 1]),
            sound().replace("MIG", "M?G"),
            sound() + "-----BEGIN CERTIFICATE-----\nMIGA",
            sound() + &pem("CERTIFICATE", &[]),
        ];
        for text in ["", "no PEM at all", &key].into_iter().chain(damaged.iter().map(|s| &**s)) {
            for (ca_file, cert_file, name) in [
                (Some(text), None, "ca.pem: ca_file"),
                (None, Some(text), "roots.pem: SSL_CERT_FILE"),
            ] {
                let Err(Error::Config(error)) = loaded(ca_file, cert_file) else {
                    panic!("{text:?} passed");
                };
                assert!(error.to_string().contains(name), "{error}");
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let missing = Path::new("/nonexistent/ca.pem");
        let Err(Error::Config(error)) = load(&Env::of(&[]), Some(missing)) else { panic!() };
        assert_eq!(error.file.as_deref(), Some(missing));
        assert!(load(&Env::of(&[("SSL_CERT_FILE", "/nonexistent/roots.pem")]), None).is_err());
    }

    #[test]
    fn the_own_list_is_added_to_the_systems() {
        let (one, two) = (sound(), sound() + &pem("PRIVATE KEY", b"key") + &sound());
        let roots = loaded(Some(&one), Some(&two)).unwrap();
        assert_eq!(roots.iter().map(count).collect::<Vec<_>>(), [3]);
        assert_eq!(loaded(Some(&two), None).map(|lists| count(&lists[0])).unwrap(), {
            2 + bundle().map_or(0, |system| system.len())
        });
    }
}
