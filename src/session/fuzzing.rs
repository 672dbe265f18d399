//! What must hold of every record and every line of the index.

#![allow(clippy::missing_panics_doc, reason = "to panic is all that they do")]

use super::record::Record;
use super::{index, kept};
use crate::error::{Error, Result, StoreError, StoreFault};
use crate::secret::Secret;
use crate::store::EntryName;
use crate::store::seal::Broken;
use crate::terms::StoreKind;
use crate::token::TokenSet;

pub use super::journal::fuzzing::journal;

/// Stands where a secret might.
const SECRET: &str = "hunter2hunter2";

/// What a store holds for a slot, and the same as a secret that is kept by itself.
pub fn record(data: &[u8]) {
    let bytes = Secret::new(data.to_vec());
    match read(&bytes) {
        Ok(record) => {
            written_and_read(&record);
            hides_its_secrets(&record);
        }
        Err(error) => unreadable(&error),
    }
    let kept_as =
        |bytes: &_| kept::decode(bytes, StoreKind::File, &EntryName::new("work", "secret"));
    assert_eq!(kept_as(&kept::encode(&bytes)).ok().as_ref(), Some(&bytes));
    match kept_as(&bytes) {
        Ok(secret) => assert!(data.ends_with(secret.expose())),
        Err(error) => unreadable(&error),
    }
}

fn read(bytes: &Secret<Vec<u8>>) -> Result<Record> {
    Record::from_bytes(bytes, StoreKind::File, "work@user")
}

/// What is written is read, and is the same.
pub(super) fn written_and_read(record: &Record) {
    let bytes = record.to_bytes().expect("a record is JSON");
    let again = read(&bytes).expect("what was written is read");
    assert_eq!((again.generation, &again.tokens), (record.generation, &record.tokens));
    assert_eq!(again.journal_key.expose(), record.journal_key.expose());
}

/// Another record, that differs in its secrets alone, looks the same.
fn hides_its_secrets(record: &Record) {
    let other = |secret: &Option<Secret>| secret.as_ref().map(|_| Secret::from("other"));
    let others = Record {
        generation: record.generation,
        tokens: record.tokens.clone().map(|tokens| TokenSet {
            access_token: Secret::from("other"),
            refresh_token: other(&tokens.refresh_token),
            id_token: other(&tokens.id_token),
            extra: tokens.extra.keys().map(|name| (name.clone(), false.into())).collect(),
            ..tokens
        }),
        journal_key: Secret::new([0; 32]),
    };
    assert_eq!(format!("{record:?}"), format!("{others:?}"));
}

/// An error that says what is wrong, and not what stood there.
pub(super) fn unreadable(error: &Error) {
    use StoreFault::{Corrupt, Newer, WrongKey};
    assert!(
        matches!(error, Error::Store(StoreError { fault: Corrupt | Newer | WrongKey, .. })),
        "{error:?}"
    );
    assert!(!format!("{} {error:?}", error.sentence()).contains(SECRET), "{error:?}");
}

/// A line of the index, and the same with its check.
pub fn index(data: &[u8]) {
    for bytes in [data.to_vec(), index::with_check(data.trim_ascii_end().to_vec())] {
        let entry = match index::decode(&bytes) {
            Ok(entry) => entry,
            Err(broken) => {
                assert_ne!(broken, Broken::WrongKey);
                continue;
            }
        };
        let line = index::encode(&entry).expect("a line is JSON");
        assert_eq!(index::decode(&line), Ok(entry));
        for bit in (0..line.len() * 8).step_by(1 + data.len() % 97) {
            let mut altered = line.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(index::decode(&altered).is_err(), "{bit}");
        }
        assert!(index::decode(&line[..data.len() % line.len()]).is_err());
    }
}
