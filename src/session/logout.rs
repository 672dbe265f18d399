//! A logout: the end of a session is written down before anything is removed.

use super::index::{self, IndexEntry};
use super::protocol::{self, Removal};
use super::slot::Slot;
use super::{Held, Session, is_broken, is_unreadable, remove_file};
use crate::error::{Error, Result, StoreError, StoreFault};
use crate::terms::Identity;
use crate::token::TokenSet;

/// What a logout found to forget.
#[derive(Debug)]
pub enum Forgot {
    /// Nothing.
    Nothing,
    /// A session, which is revoked where the provider can and the caller wanted it.
    Session,
    /// Something that could not be read, and so may live on at the server.
    Unread(Error),
}

/// Whether an entry is useless to whoever has no other key and no other program.
///
/// Where a file that many entries need is damaged, mending that comes first.
fn is_useless(error: &Error) -> bool {
    use StoreFault::{Ambiguous, WrongKey};
    let for_good = |error: &StoreError| matches!(error.fault, Ambiguous | WrongKey);
    is_unreadable(error) || matches!(error, Error::Store(error) if for_good(error))
}

impl Session<'_> {
    /// Forgets a slot, after revoking its tokens where the provider can and `at_server` asks for it.
    ///
    /// A revocation that fails is an error, but nothing is kept for it.
    pub fn logout(&self, slot: &Slot, at_server: bool) -> Result<Forgot> {
        let name = slot.name();
        if matches!(index::read(self.vault.data_dir(), &name), Ok(None)) {
            return Ok(Forgot::Nothing);
        }
        let _lock = self.lock_or_fail(slot)?;
        let (held, unread) = self.to_forget(slot)?;
        // It is said by now what is wrong with the line.
        let entry = index::read(self.vault.data_dir(), &name).ok().flatten();
        if entry.is_none() && held.is_none() && unread.is_none() {
            return Ok(Forgot::Nothing);
        }
        let store = entry.as_ref().map_or_else(|| self.vault.target(None), |entry| entry.store);
        let newest = held.as_ref().map_or(0, |held| held.generations().newest());
        let known = entry.map_or((0, 0), |entry| (entry.generation, entry.tombstone));
        let newest = newest.max(known.0).max(known.1);
        let tokens = held.as_ref().and_then(Held::tokens);
        let revoked = tokens
            .filter(|_| at_server)
            .map_or(Ok(()), |tokens| self.revoke(slot.identity, tokens));
        for removal in protocol::LOGOUT {
            match removal {
                Removal::Tombstone => {
                    let line = IndexEntry::new(store, newest, newest, None);
                    index::write(self.vault.data_dir(), &name, &line)?;
                }
                Removal::Journal => remove_file(&self.journal_path(slot))?,
                Removal::Record => self.vault.open(store)?.delete(&name)?,
            }
        }
        // A machine's slot has no journal that could bring its token back.
        if slot.identity == Identity::Client {
            index::remove(self.vault.data_dir(), &name)?;
        }
        if revoked.is_err() {
            self.report.warn(&format!("{} is forgotten here, but not revoked", name.as_str()));
        }
        revoked?;
        Ok(match unread.filter(|_| at_server) {
            Some(error) => Forgot::Unread(error),
            None if tokens.is_some() || known.0 > known.1 => Forgot::Session,
            None => Forgot::Nothing,
        })
    }

    /// What the slot holds, as far as it can be read, and why it is perhaps not all; what the store
    /// won't take any more is dropped with the rest.
    fn to_forget(&self, slot: &Slot) -> Result<(Option<Held>, Option<Error>)> {
        let name = slot.name();
        let (held, lost_line) = match index::read(self.vault.data_dir(), &name) {
            // The record may be where a login would look for it, but nobody knows.
            Err(error) if is_broken(&error) => {
                self.vault.sound_line(&name)?;
                (self.read_from(self.vault.target(None), 0, slot), Some(error))
            }
            line => (line.and_then(|_| Ok(self.recover(slot)?.held)), None),
        };
        match held {
            Ok(held) => Ok((held, lost_line)),
            // What can't be opened can't be revoked, yet it can be forgotten.
            Err(error) if is_useless(&error) => {
                self.report.warn(&format!("nothing was revoked: {}", error.sentence()));
                Ok((None, Some(error)))
            }
            Err(error) => Err(error),
        }
    }

    /// Revokes the refresh token and then the access token (RFC 7009 section 2.1).
    fn revoke(&self, identity: Identity, tokens: &TokenSet) -> Result<()> {
        let Some(endpoint) = &self.profile.endpoints.revocation else { return Ok(()) };
        if tokens.asked.conflict(&self.profile.asked(identity)) == Some("server") {
            self.report.warn("nothing was revoked: the token was asked for at another server");
            return Ok(());
        }
        let credentials = self.credentials()?;
        // Both within one time-out: others wait for the lock.
        let end = self.exchange.pace.now().saturating_add(self.timeout);
        let refresh_token = tokens.refresh_token.as_ref().map(|token| (token, "refresh_token"));
        for (token, hint) in
            refresh_token.into_iter().chain([(&tokens.access_token, "access_token")])
        {
            let dialect = &self.profile.request;
            let revoked = self.exchange.revoke(token, hint, endpoint, dialect, &credentials, end);
            match revoked {
                // Some servers revoke refresh tokens alone, and the access token with them; some
                // then say of it that it is none.
                Err(Error::Refused(refusal))
                    if matches!(
                        refusal.error.as_deref(),
                        Some("unsupported_token_type" | "invalid_token")
                    ) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Every slot of this profile that was ever filled.
    pub fn slots(&self) -> Result<Vec<Slot>> {
        let slots = index::slots(self.vault.data_dir())?.into_iter();
        Ok(slots.filter(|slot| slot.profile == self.profile.name).collect())
    }
}
