//! The key of the file store: 32 random bytes in DATA/key, or those of the environment.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{attempt, failed};
use crate::durable;
use crate::error::{Error, Result, StoreFault};
use crate::secret::Secret;
use crate::store::fault;
use crate::store::seal::{KEY_LEN, Key, generate_key};
use crate::terms::StoreKind;

/// Base64 (RFC 4648 section 4), with its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key that `OAUTHCTL_FILE_KEY` gives.
pub(super) fn from_base64(text: &Secret) -> Result<Key> {
    let bytes = BASE64.decode(text.expose().trim()).map(Secret::new).unwrap_or_default();
    key(&bytes).ok_or_else(|| Error::config("OAUTHCTL_FILE_KEY is not 32 bytes in base64"))
}

/// The key in this file; `None` where there is none.
///
/// It may be a link to another disk. One that is open to others is refused, as ssh refuses it: to
/// narrow its mode in silence would hide that it may be known.
pub(super) fn read(path: &Path) -> Result<Option<Key>> {
    let (bytes, mode) = match read_with_mode(path) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path, error)),
    };
    let refuse = |kind, what: String| {
        Err(fault(StoreKind::File, kind, format!("{} {what}", path.display()), None))
    };
    if mode & 0o077 != 0 {
        let what = format!("is open to others (mode {:04o}); it must be 0600", mode & 0o7777);
        return refuse(StoreFault::Denied, what);
    }
    match key(&bytes) {
        Some(key) => Ok(Some(key)),
        None => refuse(StoreFault::Corrupt, format!("is no key: it must be {KEY_LEN} bytes long")),
    }
}

/// Makes the key in this file; where another process was faster, takes that one's.
pub(super) fn create(path: &Path) -> Result<Key> {
    attempt(path, "write", || durable::create_once(path, generate_key()?.expose()))?;
    read(path)?.ok_or_else(|| failed("read", path, ErrorKind::NotFound.into()))
}

/// At most a byte more than a key has, and the file's mode; 0 where files have none.
fn read_with_mode(path: &Path) -> io::Result<(Secret<Vec<u8>>, u32)> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata()?.permissions());
    #[cfg(not(unix))]
    let mode = 0;
    // All that will be read fits, so that no copy is left behind by growing.
    let mut bytes = Vec::with_capacity(KEY_LEN + 1);
    file.take(KEY_LEN as u64 + 1).read_to_end(&mut bytes)?;
    Ok((Secret::new(bytes), mode))
}

fn key(bytes: &Secret<Vec<u8>>) -> Option<Key> {
    bytes.expose().as_slice().try_into().ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_the_environment_is_32_bytes_in_base64_and_nothing_else() {
        let decode = |text: &str| from_base64(&Secret::from(text));
        let padded = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let expected: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).unwrap());
        for text in [padded, &padded[..43], &format!("{padded}\n")] {
            assert_eq!(*decode(text).unwrap().expose(), expected);
        }
        for text in ["", "hunter2", &padded[..40], &format!("AAAA{padded}"), "\0", "é"] {
            let error = decode(text).unwrap_err();
            assert!(matches!(error, Error::Config(_)));
            assert_eq!(error.to_string(), "OAUTHCTL_FILE_KEY is not 32 bytes in base64");
        }
    }
}
