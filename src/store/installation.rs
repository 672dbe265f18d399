//! The installation id: which DATA directory a keychain item belongs to.
//!
//! | form | content of DATA/installation_id |
//! | --- | --- |
//! | 0 | 32 hexadecimal digits |
//! | 1 | `oauthctl installation 1`, the digits, and a check |

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::disk::{broken, failed, newer, unread};
use super::seal::Broken;
use super::{line, seal};
use crate::durable::{self, Links};
use crate::error::{About, Result};
use crate::terms::StoreKind;

/// Hexadecimal digits in an id: 16 random bytes.
const DIGITS: usize = 32;

/// What the line of an id is called.
const KIND: &str = "installation";

/// More than an id ever takes, in bytes.
const LONGEST: usize = 256;

/// The id of this DATA directory, made on first use; of many processes at once, all get the same.
pub fn installation_id(data_dir: &Path) -> Result<String> {
    if let Some(id) = existing(data_dir)? {
        return Ok(id);
    }
    let path = path(data_dir);
    let made = seal::random().and_then(|random| {
        let id = format!("{:0width$x}", u128::from_ne_bytes(random), width = DIGITS);
        durable::create_once(&path, line::write(KIND, &id).as_bytes())
    });
    made.map_err(|error| failed(StoreKind::Keychain, "write", &path, error))?;
    existing(data_dir)?
        .ok_or_else(|| failed(StoreKind::Keychain, "read", &path, ErrorKind::NotFound.into()))
}

/// The id of this DATA directory; `None` where none was made, and so no item can be its own.
pub(super) fn existing(data_dir: &Path) -> Result<Option<String>> {
    let path = path(data_dir);
    let about = About::File(path.clone());
    let content = match durable::read(&path, LONGEST, Links::Followed) {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(None),
        Err(why) => return Err(unread(StoreKind::Keychain, &path, about, why)),
    };
    match parse(&content.bytes) {
        Ok(id) => Ok(Some(id)),
        Err(Broken::Newer) => Err(newer(StoreKind::Keychain, &path, about)),
        Err(_) => Err(broken(StoreKind::Keychain, &path, about, "is damaged")),
    }
}

fn parse(bytes: &[u8]) -> Result<String, Broken> {
    let id = match line::read(KIND, bytes)? {
        Some(id) => id,
        // Form 0, which is still read and no longer written.
        None => std::str::from_utf8(bytes).map_err(|_| Broken::Corrupt)?.trim_end(),
    };
    let is_id = id.len() == DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned()).ok_or(Broken::Corrupt)
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("installation_id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, StoreFault};

    const ID: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn an_id_is_made_once_and_is_another_elsewhere() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(existing(here.path()).unwrap(), None);
        let id = installation_id(&here.path().join("data")).unwrap();
        assert_eq!(installation_id(&here.path().join("data")).unwrap(), id);
        assert_ne!(installation_id(there.path()).unwrap(), id);
    }

    #[test]
    fn every_form_is_read_and_the_newest_is_written() {
        let golden = include_bytes!("../../tests/golden/installation_id-1");
        assert_eq!(line::write(KIND, ID).as_bytes(), golden);
        for form in [&include_bytes!("../../tests/golden/installation_id-0")[..], golden] {
            assert_eq!(parse(form).unwrap(), ID);
        }
    }

    #[test]
    fn a_damaged_id_is_an_error_and_stays_as_it_is() {
        let data = tempfile::tempdir().unwrap();
        let (wrong, long, endless) = ([b'x'; 32], [b'a'; 33], vec![b'a'; 1 << 20]);
        let cut = &line::write(KIND, ID).into_bytes()[..40];
        for damaged in [&b""[..], b"abc", b"\xff", &wrong, &long, &endless, cut] {
            std::fs::write(path(data.path()), damaged).unwrap();
            let error = installation_id(data.path()).unwrap_err();
            assert!(
                matches!(&error, Error::Store(store) if store.fault == StoreFault::Corrupt),
                "{error}"
            );
            assert_eq!(std::fs::read(path(data.path())).unwrap(), damaged);
        }
    }
}
