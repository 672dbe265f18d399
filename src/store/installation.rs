//! The installation id: which DATA directory a keychain item belongs to.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::{fault, seal};
use crate::durable;
use crate::error::{Error, Result, StoreFault};
use crate::terms::StoreKind;

/// Hexadecimal digits in an id: 16 random bytes.
const DIGITS: usize = 32;

/// The id of this DATA directory, made on first use; of many processes at once, all get the same.
pub fn installation_id(data_dir: &Path) -> Result<String> {
    if let Some(id) = existing(data_dir)? {
        return Ok(id);
    }
    let path = path(data_dir);
    let made = seal::random().and_then(|random| {
        let id = format!("{:0width$x}", u128::from_ne_bytes(random), width = DIGITS);
        durable::create_once(&path, id.as_bytes())
    });
    made.map_err(|error| failed("write", &path, error))?;
    existing(data_dir)?.ok_or_else(|| failed("read", &path, ErrorKind::NotFound.into()))
}

/// The id of this DATA directory; `None` where none was made, and so no item can be its own.
pub(super) fn existing(data_dir: &Path) -> Result<Option<String>> {
    let path = path(data_dir);
    let mut text = String::with_capacity(DIGITS + 3);
    let read =
        File::open(&path).and_then(|file| file.take(DIGITS as u64 + 3).read_to_string(&mut text));
    match read {
        Ok(_) => {}
        // Not even text: said below.
        Err(error) if error.kind() == ErrorKind::InvalidData => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", &path, error)),
    }
    let id = text.trim_end();
    if id.len() == DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Some(id.to_owned()));
    }
    let message =
        format!("{} is damaged: it must be {} hexadecimal digits", path.display(), DIGITS);
    Err(fault(StoreKind::Keychain, StoreFault::Corrupt, message, None))
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("installation_id")
}

fn failed(verb: &str, path: &Path, error: io::Error) -> Error {
    let message = format!("can't {verb} {}", path.display());
    fault(StoreKind::Keychain, StoreFault::Failed, message, Some(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_once_and_is_another_elsewhere() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(existing(here.path()).unwrap(), None);
        let id = installation_id(&here.path().join("data")).unwrap();
        assert_eq!(installation_id(&here.path().join("data")).unwrap(), id);
        assert_ne!(installation_id(there.path()).unwrap(), id);
    }

    #[test]
    fn a_damaged_id_is_an_error_and_stays_as_it_is() {
        let data = tempfile::tempdir().unwrap();
        let (wrong, long, endless) = ([b'x'; 32], [b'a'; 33], vec![b'a'; 1 << 20]);
        for damaged in [&b""[..], b"abc", b"\xff", &wrong, &long, &endless] {
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
