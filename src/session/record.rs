//! What a store holds for a slot: tokens, their generation, and the key of the slot's journal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result, StoreError, StoreFault};
use crate::secret::{self, Secret};
use crate::store::seal::{self, Key};
use crate::terms::{GrantType, StoreKind};
use crate::token::{Asked, TokenSet, UnixTime};

/// The version of the record's form that this program writes.
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
        let fault = |fault, message| StoreError { fault, store, message, source: None };
        let corrupt = || {
            fault(StoreFault::Corrupt, format!("the entry {name} in the {store} store is damaged"))
        };
        let newer = |version| {
            let message = format!(
                "the entry {name} in the {store} store was written by a newer oauthctl (form {version})"
            );
            fault(StoreFault::Newer, message)
        };
        let stored: Stored = match serde_json::from_slice(bytes.expose()) {
            Ok(stored) => stored,
            // A newer form need not be like ours in anything but its version.
            Err(_) => match serde_json::from_slice(bytes.expose()) {
                Ok(Version { version }) if version > VERSION => return Err(newer(version).into()),
                _ => return Err(corrupt().into()),
            },
        };
        if stored.version > VERSION {
            return Err(newer(stored.version).into());
        }
        let key =
            STANDARD.decode(stored.journal_key.expose()).ok().and_then(|key| key.try_into().ok());
        Ok(Self {
            generation: stored.generation,
            tokens: stored.tokens.map(TokenSet::from),
            journal_key: Secret::new(key.ok_or_else(corrupt)?),
        })
    }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
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
