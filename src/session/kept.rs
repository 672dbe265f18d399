//! The form in which a secret is kept by itself, such as a client's.
//!
//! | form | bytes of the entry |
//! | --- | --- |
//! | 0 | the secret itself, which is text |
//! | 1 | a byte 0xFF, `oauthctl secret 1`, a newline, the secret |
//!
//! No text has a byte 0xFF: neither form is taken for the other, and a program that knows form 0 alone
//! refuses form 1 instead of sending it to a server.

use super::about;
use crate::error::{Result, StoreError, StoreFault};
use crate::secret::Secret;
use crate::store::EntryName;
use crate::terms::StoreKind;

/// The version that is written.
const VERSION: u32 = 1;

const MAGIC: &[u8] = b"\xffoauthctl secret ";

/// The bytes that a store keeps.
pub(super) fn encode(secret: &Secret<Vec<u8>>) -> Secret<Vec<u8>> {
    let version = VERSION.to_string();
    Secret::new([MAGIC, version.as_bytes(), b"\n", secret.expose()].concat())
}

/// The secret in what a store kept.
pub(super) fn decode(
    bytes: &Secret<Vec<u8>>,
    store: StoreKind,
    name: &EntryName,
) -> Result<Secret<Vec<u8>>> {
    if bytes.expose().first() != Some(&MAGIC[0]) {
        return Ok(bytes.clone());
    }
    let (fault, what) = match form_and_secret(bytes.expose()) {
        Some((VERSION, secret)) => return Ok(Secret::new(secret.to_vec())),
        Some((version, _)) if version > VERSION => {
            (StoreFault::Newer, "was written by a newer oauthctl")
        }
        _ => (StoreFault::Corrupt, "is damaged"),
    };
    let message = format!("the entry {} in the {store} store {what}", name.as_str());
    Err(StoreError::new(fault, store, message).about(about(name)).into())
}

fn form_and_secret(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let end = rest.iter().position(|&byte| byte == b'\n')?;
    let (version, secret) = rest.split_at(end);
    Some((std::str::from_utf8(version).ok()?.parse().ok()?, &secret[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    const SECRET: &[u8] = b"golden client/secret:1";

    fn read(bytes: &[u8]) -> Result<Vec<u8>, StoreFault> {
        let name = EntryName::new("work", "secret");
        match decode(&Secret::new(bytes.to_vec()), StoreKind::File, &name) {
            Ok(secret) => Ok(secret.expose().clone()),
            Err(Error::Store(error)) => Err(error.fault),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn every_form_is_read_and_the_newest_is_written() {
        let golden = include_bytes!("../../tests/golden/secret-1");
        assert_eq!(encode(&Secret::new(SECRET.to_vec())).expose(), golden);
        for form in [&include_bytes!("../../tests/golden/secret-0")[..], golden] {
            assert_eq!(read(form), Ok(SECRET.to_vec()));
        }
    }

    #[test]
    fn another_version_is_told_and_never_taken_for_the_secret() {
        assert_eq!(read(b"\xffoauthctl secret 2\nx"), Err(StoreFault::Newer));
        for damaged in [&b"\xff"[..], b"\xffoauthctl secret 1", b"\xffoauthctl secret 0\nx"] {
            assert_eq!(read(damaged), Err(StoreFault::Corrupt));
        }
    }
}
