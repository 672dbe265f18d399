//! What must hold of every record, whatever lies in a store.

#![allow(clippy::missing_panics_doc, reason = "to panic is all that they do")]

use super::record::Record;
use crate::error::{Error, StoreError, StoreFault};
use crate::secret::Secret;
use crate::terms::StoreKind;
use crate::token::TokenSet;

/// Stands where a secret might.
const SECRET: &str = "hunter2hunter2";

/// What a store holds for a slot.
pub fn record(data: &[u8]) {
    let read = |bytes: &Secret<Vec<u8>>| Record::from_bytes(bytes, StoreKind::File, "work@user");
    let record = match read(&Secret::new(data.to_vec())) {
        Ok(record) => record,
        Err(error) => return unreadable(&error),
    };
    let bytes = record.to_bytes().expect("a record is JSON");
    let again = read(&bytes).expect("what was written is read");
    assert_eq!((again.generation, &again.tokens), (record.generation, &record.tokens));
    assert_eq!(again.journal_key.expose(), record.journal_key.expose());
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
fn unreadable(error: &Error) {
    use StoreFault::{Corrupt, Newer, WrongKey};
    assert!(
        matches!(error, Error::Store(StoreError { fault: Corrupt | Newer | WrongKey, .. })),
        "{error:?}"
    );
    assert!(!format!("{} {error:?}", error.sentence()).contains(SECRET), "{error:?}");
}
