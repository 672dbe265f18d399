//! The key of the file store: 32 random bytes in DATA/key, or those of the environment.
//!
//! | form | content of DATA/key |
//! | --- | --- |
//! | 0 | the 32 bytes themselves |
//! | 1 | `oauthctl key 1`, the bytes in base64, and a check |

use std::io::ErrorKind;
use std::path::Path;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::durable::{self, Links};
use crate::error::{About, Error, Result, StoreError, StoreFault};
use crate::secret::Secret;
use crate::store::disk::{broken, failed, newer, unread};
use crate::store::line;
use crate::store::seal::{Broken, Key, generate_key};
use crate::terms::StoreKind;

/// Base64 (RFC 4648 section 4), with its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the line of a key is called.
const KIND: &str = "key";

/// More than a key's file ever takes, in bytes.
const LONGEST: usize = 256;

/// The key that `OAUTHCTL_FILE_KEY` gives.
pub(super) fn from_base64(text: &Secret) -> Result<Key> {
    decode(text.expose().trim())
        .ok_or_else(|| Error::config("OAUTHCTL_FILE_KEY is not 32 bytes in base64"))
}

/// The key in this file; `None` where there is none.
///
/// It may be a link to another disk. One that is open to others is refused, as ssh refuses it: to
/// narrow its mode in silence would hide that it may be known.
pub(super) fn read(path: &Path) -> Result<Option<Key>> {
    let about = About::File(path.to_owned());
    let content = match durable::read(path, LONGEST, Links::Followed) {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(None),
        Err(why) => return Err(unread(StoreKind::File, path, about, why)),
    };
    let bytes = Secret::new(content.bytes);
    #[cfg(unix)]
    refuse_open(path, std::os::unix::fs::MetadataExt::mode(&content.metadata))?;
    match parse(&bytes) {
        Ok(key) => Ok(Some(key)),
        Err(Broken::Newer) => Err(newer(StoreKind::File, path, about)),
        Err(_) => Err(broken(StoreKind::File, path, about, "is damaged: it holds no key")),
    }
}

#[cfg(unix)]
fn refuse_open(path: &Path, mode: u32) -> Result<()> {
    if mode & 0o077 != 0 {
        let (shown, mode) = (path.display(), mode & 0o7777);
        let message = format!("{shown} is open to others (mode {mode:04o}); it must be 0600");
        let error = StoreError::new(StoreFault::Denied, StoreKind::File, message);
        return Err(error.about(About::File(path.to_owned())).into());
    }
    Ok(())
}

/// Makes the key in this file; where another process was faster, takes that one's.
pub(super) fn create(path: &Path) -> Result<Key> {
    generate_key()
        .and_then(|key| durable::create_once(path, to_line(&key).expose().as_bytes()))
        .map_err(|error| failed(StoreKind::File, "write", path, error))?;
    read(path)?.ok_or_else(|| failed(StoreKind::File, "read", path, ErrorKind::NotFound.into()))
}

fn to_line(key: &Key) -> Secret {
    let value = Secret::new(BASE64.encode(key.expose()));
    Secret::new(line::write(KIND, value.expose()))
}

fn parse(bytes: &Secret<Vec<u8>>) -> Result<Key, Broken> {
    match line::read(KIND, bytes.expose())? {
        Some(value) => decode(value).ok_or(Broken::Corrupt),
        // Form 0, which is still read and no longer written.
        None => from_bytes(bytes).ok_or(Broken::Corrupt),
    }
}

fn decode(text: &str) -> Option<Key> {
    from_bytes(&BASE64.decode(text).map(Secret::new).ok()?)
}

fn from_bytes(bytes: &Secret<Vec<u8>>) -> Option<Key> {
    bytes.expose().as_slice().try_into().ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> [u8; 32] {
        std::array::from_fn(|n| u8::try_from(n).unwrap())
    }

    #[test]
    fn a_key_of_the_environment_is_32_bytes_in_base64_and_nothing_else() {
        let decode = |text: &str| from_base64(&Secret::from(text));
        let padded = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        for text in [padded, &padded[..43], &format!("{padded}\n")] {
            assert_eq!(*decode(text).unwrap().expose(), counted());
        }
        for text in ["", "hunter2", &padded[..40], &format!("AAAA{padded}"), "\0", "é"] {
            let error = decode(text).unwrap_err();
            assert!(matches!(error, Error::Config(_)));
            assert_eq!(error.to_string(), "OAUTHCTL_FILE_KEY is not 32 bytes in base64");
        }
    }

    #[test]
    fn every_form_is_read_and_the_newest_is_written() {
        let golden = include_bytes!("../../../tests/golden/key-1");
        assert_eq!(to_line(&Secret::new(counted())).expose().as_bytes(), golden);
        for form in [&include_bytes!("../../../tests/golden/key-0")[..], golden] {
            assert_eq!(*parse(&form.to_vec().into()).unwrap().expose(), counted());
        }
    }

    #[test]
    fn the_first_32_bytes_of_a_line_are_no_key() {
        let line = to_line(&Secret::new(counted()));
        let cut = line.expose().as_bytes()[..32].to_vec();
        assert_eq!(parse(&cut.into()).unwrap_err(), Broken::Corrupt);
    }
}
