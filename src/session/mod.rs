//! The life of a token: the only place where a grant meets a store.
//!
//! Reading takes no lock. Whoever writes takes the slot's lock, puts in place what an earlier process
//! left in the journal, reads again, and only then asks the server:
//!
//! READ → LOCK → RECOVER → RE-READ → INTENT → SEND → GOT → STORE → CLEAN

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::index::{IndexEntry, IndexToken};
use self::lock::{Attempt, Lock};
use self::protocol::Generations;
use self::record::Record;
use self::slot::Slot;
use self::vault::Vault;
use crate::durable::{self, Links};
use crate::env::Env;
use crate::error::{About, Error, Result, StoreError, StoreFault};
use crate::exchange::Exchange;
use crate::profile::Profile;
use crate::report::Report;
use crate::secret::Secret;
use crate::store::{EntryName, disk};
use crate::terms::{ClientAuthMethod, Identity, StoreKind};
use crate::token::{Asked, MinTtl, TokenSet, UnixTime};
use crate::wire::client_auth::ClientCredentials;

mod answer;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod grants;
mod identity;
pub mod index;
mod inspect;
pub mod inventory;
mod journal;
mod kept;
pub mod leftover;
mod lock;
mod login;
mod logout;
mod mend;
pub mod migrate;
pub mod protocol;
mod record;
mod recover;
mod renew;
pub mod secrets;
pub mod slot;
mod spend;
pub mod vault;
pub mod verify;

pub use login::{Ask, Login};
pub use logout::Forgot;

/// Everything that a profile's tokens need to live.
pub struct Session<'a> {
    /// Whose tokens.
    pub profile: &'a Profile,
    /// Where they rest.
    pub vault: &'a Vault<'a>,
    /// The way to the server.
    pub exchange: &'a Exchange<'a>,
    /// Where secrets may come from.
    pub env: &'a Env,
    /// Who is told of it.
    pub report: &'a dyn Report,
    /// The time.
    pub clock: &'a dyn Fn() -> UnixTime,
    /// The longest that a request, or a call of a store, may take.
    pub timeout: Duration,
    /// A client secret that a person typed just now.
    pub typed_secret: Option<Secret>,
}

/// What is wanted of a token.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// The life it must have left.
    pub min_ttl: MinTtl,
    /// What makes it due.
    pub why: Why<'a>,
    /// Whether a token that still lives may serve where it can't be renewed.
    pub fallback: bool,
}

impl Want<'_> {
    /// So much life; a token that has less of it serves where it can't be renewed.
    #[must_use]
    pub const fn life(min_ttl: MinTtl) -> Self {
        Self { min_ttl, why: Why::Life, fallback: true }
    }
}

/// What makes a token due.
#[derive(Debug, Clone, Copy)]
pub enum Why<'a> {
    /// Too little life.
    Life,
    /// Somebody says so: nothing older will do.
    Forced,
    /// The resource server refused this very token.
    Refused(&'a Secret),
}

/// A token, and how it was come by.
#[derive(Debug, Clone)]
pub struct Obtained {
    /// The tokens.
    pub tokens: TokenSet,
    /// The store that holds them.
    pub store: StoreKind,
    /// Whether this very process asked the server for it.
    pub made_here: bool,
}

/// What a slot was found to hold.
#[derive(Debug)]
struct Held {
    store: StoreKind,
    tombstone: u64,
    record: Record,
}

impl Held {
    /// The tokens, unless they were logged out.
    fn tokens(&self) -> Option<&TokenSet> {
        self.record.tokens.as_ref().filter(|_| self.generations().is_session())
    }

    /// The tokens that are known to be there, as they are kept.
    fn into_cached(self) -> Option<Obtained> {
        let store = self.store;
        self.record.tokens.map(|tokens| Obtained { tokens, store, made_here: false })
    }

    /// These of its tokens, as they are kept.
    fn cached(&self, tokens: &TokenSet) -> Obtained {
        Obtained { tokens: tokens.clone(), store: self.store, made_here: false }
    }

    fn generations(&self) -> Generations {
        Generations { record: self.record.generation, tombstone: self.tombstone }
    }
}

impl Session<'_> {
    /// The token of this identity, renewed first when it must be.
    pub fn token(&self, identity: Identity, want: Want<'_>) -> Result<Obtained> {
        self.obtain(&self.slot(identity), want)
    }

    /// The slot of this identity.
    #[must_use]
    pub fn slot(&self, identity: Identity) -> Slot {
        match identity {
            Identity::User => Slot::user(&self.profile.name),
            Identity::Client => {
                let asked = self.profile.asked(identity);
                Slot::client(&self.profile.name, &asked.scope, asked.audience.as_deref())
            }
        }
    }

    /// What a slot holds now, as its store and the index say; needs no lock.
    pub fn stored(&self, slot: &Slot) -> Result<Option<Obtained>> {
        Ok(self.read(slot)?.and_then(|held| held.tokens().map(|tokens| held.cached(tokens))))
    }

    /// The client, with its secret where it has one: the moment in which the secret is looked up.
    pub fn credentials(&self) -> Result<ClientCredentials> {
        let method = self.profile.client_auth();
        let client_id = self.profile.client_id()?.to_owned();
        let secret = match (&self.typed_secret, &self.profile.client_secret, method) {
            (_, _, ClientAuthMethod::None) => None,
            (Some(typed), _, _) => Some(typed.clone()),
            (None, Some(source), _) => Some(self.open_secret(source, "client_secret")?),
            (None, None, _) => {
                let message = format!(
                    "the profile {} has no client_secret, which {method} needs",
                    self.profile.name
                );
                return Err(Error::missing("client_secret", message));
            }
        };
        Ok(ClientCredentials { client_id, secret, method })
    }

    /// Opens a secret of the profile.
    pub fn open_secret(
        &self,
        source: &crate::profile::schema::SecretSource,
        key: &'static str,
    ) -> Result<Secret> {
        secrets::open(source, key, &self.profile.name, self.env, self.vault, self.timeout)
    }

    /// READ: what the slot holds.
    fn read(&self, slot: &Slot) -> Result<Option<Held>> {
        let name = slot.name();
        let Some((IndexEntry { store, tombstone, .. }, Some(bytes))) = self.vault.find(&name)?
        else {
            return Ok(None);
        };
        let record = Record::from_bytes(&bytes, store, name.as_str())?;
        Ok(Some(Held { store, tombstone, record }))
    }

    fn read_from(&self, store: StoreKind, tombstone: u64, slot: &Slot) -> Result<Option<Held>> {
        let name = slot.name();
        let Some(bytes) = self.vault.get(store, &name)? else { return Ok(None) };
        let record = Record::from_bytes(&bytes, store, name.as_str())?;
        Ok(Some(Held { store, tombstone, record }))
    }

    /// STORE: the index first, then the secret. The store that keeps nothing isn't remembered.
    fn write(&self, slot: &Slot, held: &Held) -> Result<()> {
        if held.store == StoreKind::None {
            return Ok(());
        }
        let token =
            held.tokens().map(|tokens| IndexToken::of(tokens, self.profile.provider.as_deref()));
        let mut entry = IndexEntry::new(held.store, held.record.generation, held.tombstone, token);
        entry.login = self.last_login(slot);
        let (data_dir, name) = (self.vault.data_dir(), slot.name());
        if let Err(error) = index::write(data_dir, &name, &entry) {
            // An older line will do, as long as it leads to the same place.
            let leads =
                |old: &IndexEntry| (old.store, old.tombstone) == (held.store, held.tombstone);
            if !index::read(data_dir, &name)?.is_some_and(|old| leads(&old)) {
                return Err(error);
            }
            self.report.warn(&format!("the index is out of date: {}", error.sentence()));
        }
        self.vault.open(held.store)?.set(&name, &held.record.to_bytes()?)
    }

    /// The generation that the last login made, as far as it is known.
    fn last_login(&self, slot: &Slot) -> u64 {
        let entry = index::read(self.vault.data_dir(), &slot.name());
        entry.ok().flatten().map_or(0, |entry| entry.login)
    }

    /// LOCK: the slot's own, no longer than `patience`.
    fn lock(&self, slot: &Slot, patience: Duration) -> Result<Attempt> {
        Lock::acquire(&slot.file(self.vault.data_dir(), "locks", "lock"), patience)
    }

    /// As [`Session::lock`], where there is nothing to fall back to.
    fn lock_or_fail(&self, slot: &Slot) -> Result<Lock> {
        match self.lock(slot, self.patience())? {
            Attempt::Held(lock) => Ok(lock),
            Attempt::Busy(pid) => Err(self.busy(pid)),
        }
    }

    /// How long a holder may take: a request and a call of the store.
    fn patience(&self) -> Duration {
        self.timeout.saturating_mul(2)
    }

    fn busy(&self, pid: Option<u32>) -> Error {
        let who = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
        Error::Busy(format!(
            "another oauthctl{who} has been renewing the token of the profile {} for longer than {} s",
            self.profile.name,
            self.patience().as_secs()
        ))
    }

    fn journal_path(&self, slot: &Slot) -> PathBuf {
        slot.file(self.vault.data_dir(), "journals", "journal")
    }

    /// What a token must have been asked with to be used now.
    fn asked(&self, slot: &Slot) -> Asked {
        self.profile.asked(slot.identity)
    }
}

/// The longest index line or journal that is read, in bytes: far above any that is written.
const LONGEST_FILE: usize = 4 << 20;

/// Reads a file that is kept for an entry; `None` where there is none.
fn read_file(path: &Path, name: &EntryName) -> Result<Option<Vec<u8>>> {
    match durable::read(path, LONGEST_FILE, Links::Refused) {
        Ok(content) => Ok(content.map(|content| content.bytes)),
        Err(why) => Err(disk::unread(StoreKind::File, path, about(name), why)),
    }
}

/// Removes a file; one that is not there is no error.
fn remove_file(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(disk::failed(StoreKind::File, "remove", path, error))
        }
        _ => Ok(()),
    }
}

/// Moves a broken file out of the way, and tells where it is now; the caller holds the entry's lock.
fn set_aside(path: &Path) -> Result<PathBuf> {
    durable::set_aside(path)
        .map_err(|error| disk::failed(StoreKind::File, "set aside", path, error))
}

/// The version that a JSON text says it has, whatever else stands in it.
fn form_of(json: &[u8]) -> Option<u32> {
    #[derive(serde::Deserialize)]
    struct Form {
        version: u32,
    }
    // As this program writes it, so that nothing else is read for it.
    if let Some(rest) = json.strip_prefix(b"{\"version\":")
        && let Some(end) = rest.iter().position(|&byte| byte == b',')
        && let Ok(digits) = std::str::from_utf8(&rest[..end])
        && let Ok(version) = digits.parse()
    {
        return Some(version);
    }
    serde_json::from_slice(json).ok().map(|Form { version }| version)
}

/// A fault of one entry.
fn about(name: &EntryName) -> About {
    About::Entry(name.as_str().to_owned())
}

/// Whether what is kept for one entry can't be read with this key and by this program.
fn is_unreadable(error: &Error) -> bool {
    use StoreFault::{Corrupt, Newer, WrongKey};
    matches!(
        error,
        Error::Store(StoreError { fault: Corrupt | WrongKey | Newer, about: About::Entry(_), .. })
    )
}

/// Whether what is kept for one entry is damaged, and nothing else is in the way.
fn is_broken(error: &Error) -> bool {
    matches!(
        error,
        Error::Store(StoreError { fault: StoreFault::Corrupt, about: About::Entry(_), .. })
    )
}
