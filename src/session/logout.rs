//! A logout: the end of a session is written down before anything is removed.

use super::index::{self, IndexEntry};
use super::journal;
use super::protocol::{self, Removal};
use super::recover::Recovered;
use super::slot::Slot;
use super::{Held, Session, has_fault};
use crate::error::{Error, Result, StoreFault};
use crate::terms::Identity;
use crate::token::TokenSet;

/// What makes an entry useless to whoever has no other key and no other program.
const UNREADABLE: [StoreFault; 4] =
    [StoreFault::Corrupt, StoreFault::WrongKey, StoreFault::Newer, StoreFault::Ambiguous];

impl Session<'_> {
    /// Forgets a slot, after revoking its tokens where the provider can and `at_server` asks for it;
    /// tells whether there was anything to forget.
    ///
    /// A revocation that fails is an error, but nothing is kept for it.
    pub fn logout(&self, slot: &Slot, at_server: bool) -> Result<bool> {
        let name = slot.name();
        if index::read(self.vault.data_dir(), &name)?.is_none() {
            return Ok(false);
        }
        let _lock = self.lock_or_fail(slot)?;
        let held = match self.recover(slot) {
            // What the store won't take any more is dropped with the rest.
            Ok(Recovered { held, .. }) => held,
            // What can't be opened can't be revoked, yet it can be forgotten.
            Err(error) if has_fault(&error, &UNREADABLE) => {
                self.report.warn(&format!("nothing was revoked: {}", error.sentence()));
                None
            }
            Err(error) => return Err(error),
        };
        let Some(entry) = index::read(self.vault.data_dir(), &name)? else { return Ok(false) };
        let newest = held.as_ref().map_or(0, |held| held.generations().newest());
        let newest = newest.max(entry.generation).max(entry.tombstone);
        let tokens = held.as_ref().and_then(Held::tokens);
        let revoked = tokens
            .filter(|_| at_server)
            .map_or(Ok(()), |tokens| self.revoke(slot.identity, tokens));
        for removal in protocol::LOGOUT {
            match removal {
                Removal::Tombstone => {
                    let line = IndexEntry::new(entry.store, newest, newest, None);
                    index::write(self.vault.data_dir(), &name, &line)?;
                }
                Removal::Journal => journal::remove(&self.journal_path(slot))?,
                Removal::Record => self.vault.open(entry.store)?.delete(&name)?,
            }
        }
        // A machine's slot has no journal that could bring its token back.
        if slot.identity == Identity::Client {
            index::remove(self.vault.data_dir(), &name)?;
        }
        if revoked.is_err() {
            self.report.warn(&format!("{} is forgotten here, but not revoked", name.as_str()));
        }
        revoked.map(|()| tokens.is_some() || entry.generation > entry.tombstone)
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
