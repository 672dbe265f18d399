//! What a store holds for a slot: tokens, their generation, and the key of the slot's journal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::form_of;
use crate::error::{About, Error, Result, StoreError, StoreFault};
use crate::secret::{self, Secret};
use crate::store::seal::{self, Key};
use crate::terms::{GrantType, StoreKind};
use crate::token::{Asked, TokenSet, UnixTime};

/// The version of the record's form that this program writes; there is no older one.
const VERSION: u32 = 1;

/// The record of one slot.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Grows by one at each renewal and each login.
    pub generation: u64,
    /// The tokens; none while the first login is under way.
    pub tokens: Option<TokenSet>,
    /// Seals the slot's journal: it is kept here, so that no key for it lies on the disk of who uses a keychain.
    pub(crate) journal_key: Key,
}

impl Record {
    /// A record before its first tokens.
    pub(crate) fn placeholder(generation: u64) -> Result<Self> {
        let key = seal::generate_key().map_err(|error| Error::io("can't make a key", error))?;
        Ok(Self { generation, tokens: None, journal_key: key })
    }

    /// The bytes that a store keeps.
    pub(super) fn to_bytes(&self) -> Result<Secret<Vec<u8>>> {
        let stored = Stored {
            version: VERSION,
            generation: self.generation,
            journal_key: Secret::new(STANDARD.encode(self.journal_key.expose())),
            tokens: self.tokens.as_ref().map(StoredTokens::from),
        };
        // Room from the start, so that no copy is left behind when the buffer grows.
        let mut bytes = Vec::with_capacity(16 * 1024);
        serde_json::to_writer(&mut bytes, &stored)
            .map_err(|error| Error::io("can't write a record", std::io::Error::other(error)))?;
        Ok(Secret::new(bytes))
    }

    /// Reads what a store kept.
    pub(super) fn from_bytes(
        bytes: &Secret<Vec<u8>>,
        store: StoreKind,
        name: &str,
    ) -> Result<Self> {
        let fault = |fault, message| {
            StoreError::new(fault, store, message).about(About::Entry(name.to_owned()))
        };
        let corrupt = || {
            fault(StoreFault::Corrupt, format!("the entry {name} in the {store} store is damaged"))
        };
        let newer = |version| {
            let message = format!(
                "the entry {name} in the {store} store was written by a newer oauthctl (form {version})"
            );
            fault(StoreFault::Newer, message)
        };
        // A newer form need not be like ours in anything but its version.
        let stored: Stored = match form_of(bytes.expose()) {
            Some(VERSION) => serde_json::from_slice(bytes.expose()).map_err(|_| corrupt())?,
            Some(version) if version > VERSION => return Err(newer(version).into()),
            _ => return Err(corrupt().into()),
        };
        let key =
            STANDARD.decode(stored.journal_key.expose()).ok().and_then(|key| key.try_into().ok());
        Ok(Self {
            generation: stored.generation,
            tokens: stored.tokens.map(TokenSet::from),
            journal_key: Secret::new(key.ok_or_else(corrupt)?),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    generation: u64,
    #[serde(serialize_with = "secret::exposed")]
    journal_key: Secret,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    tokens: Option<StoredTokens>,
}

#[derive(Serialize, Deserialize)]
struct StoredTokens {
    #[serde(serialize_with = "secret::exposed")]
    access_token: Secret,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    token_type: Option<String>,
    #[serde(
        serialize_with = "secret::maybe_exposed",
        skip_serializing_if = "Option::is_none",
        default
    )]
    refresh_token: Option<Secret>,
    #[serde(
        serialize_with = "secret::maybe_exposed",
        skip_serializing_if = "Option::is_none",
        default
    )]
    id_token: Option<Secret>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    id_token_verified: bool,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    scope: Vec<String>,
    obtained_at: UnixTime,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    expires_at: Option<UnixTime>,
    grant_type: GrantType,
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    extra: Map<String, Value>,
    #[serde(default)]
    asked: Asked,
}

impl From<&TokenSet> for StoredTokens {
    fn from(tokens: &TokenSet) -> Self {
        let tokens = tokens.clone();
        Self {
            access_token: tokens.access_token,
            token_type: tokens.token_type,
            refresh_token: tokens.refresh_token,
            id_token: tokens.id_token,
            id_token_verified: tokens.id_token_verified,
            scope: tokens.scope,
            obtained_at: tokens.obtained_at,
            expires_at: tokens.expires_at,
            grant_type: tokens.grant_type,
            extra: tokens.extra,
            asked: tokens.asked,
        }
    }
}

impl From<StoredTokens> for TokenSet {
    fn from(stored: StoredTokens) -> Self {
        Self {
            access_token: stored.access_token,
            token_type: stored.token_type,
            refresh_token: stored.refresh_token,
            id_token: stored.id_token,
            id_token_verified: stored.id_token_verified,
            scope: stored.scope,
            obtained_at: stored.obtained_at,
            expires_at: stored.expires_at,
            grant_type: stored.grant_type,
            extra: stored.extra,
            asked: stored.asked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with all that a record can have: a new field makes a new version.
    fn full() -> Record {
        let words = || vec!["read".to_owned(), "write".to_owned()];
        let asked = Asked {
            issuer: Some("https://id.example.com".into()),
            token_endpoint: Some("https://id.example.com/token".into()),
            client_id: Some("client".into()),
            audience: Some("https://api.example.com".into()),
            username: Some("alice".into()),
            scope: words(),
        };
        let tokens = TokenSet {
            access_token: Secret::from("golden-access-token"),
            token_type: Some("Bearer".into()),
            refresh_token: Some(Secret::from("golden-refresh-token")),
            id_token: Some(Secret::from("golden-id-token")),
            id_token_verified: false,
            scope: words(),
            obtained_at: 1_750_000_000,
            expires_at: Some(4_102_444_800),
            grant_type: GrantType::Password,
            extra: Map::from_iter([("tenant".to_owned(), Value::from("north"))]),
            asked,
        };
        Record { generation: 7, tokens: Some(tokens), journal_key: Secret::new([3; 32]) }
    }

    fn read(bytes: &[u8]) -> Result<Record> {
        Record::from_bytes(&Secret::new(bytes.to_vec()), StoreKind::File, "work@user")
    }

    #[test]
    fn every_form_is_read_and_the_newest_is_written() {
        let golden = include_bytes!("../../tests/golden/record-1.json");
        assert_eq!(full().to_bytes().unwrap().expose(), golden);
        let record = read(golden).unwrap();
        assert_eq!((record.generation, record.tokens), (7, full().tokens));
        assert_eq!(record.journal_key.expose(), &[3; 32]);
    }

    #[test]
    fn another_version_is_told_whatever_else_is_there() {
        let fault = |text: &str| match read(text.as_bytes()) {
            Err(Error::Store(error)) => error.fault,
            other => panic!("{other:?}"),
        };
        let golden = include_str!("../../tests/golden/record-1.json");
        let with = |version: &str| golden.replace("\"version\":1", version);
        assert_eq!(fault(&with("\"version\":2")), StoreFault::Newer);
        assert_eq!(fault("{\"version\":2,\"sessions\":[]}"), StoreFault::Newer);
        assert_eq!(fault(&with("\"version\":0")), StoreFault::Corrupt);
        assert_eq!(fault(&with("\"form\":1")), StoreFault::Corrupt);
    }
}
