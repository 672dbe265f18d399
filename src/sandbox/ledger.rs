//! What was issued: tokens, the families they belong to, and what became of them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};

use super::behaviour::Reuse;
use super::provider::Provider;
use crate::secret::Secret;

/// How many tokens are remembered at least; the oldest go first.
const REMEMBERED: u64 = 100_000;

/// Whose tokens they are, from log-in on through all renewals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub provider: Provider,
    /// The user; nobody where the client acts for itself.
    pub username: Option<String>,
    /// The scope that was asked for, which may be empty.
    pub scope: String,
    /// All tokens that came of one log-in.
    family: u64,
}

impl Session {
    fn has(&self, word: &str) -> bool {
        self.scope.split(' ').any(|own| own == word)
    }
}

/// Why a refresh token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejected {
    /// Nobody issued it, or it was for another provider.
    Unknown,
    /// It was revoked.
    Revoked,
    /// It was used before.
    Spent,
    /// More scope is asked for than was granted.
    Wider,
}

/// Every token, by its digest: the ledger itself has no secret.
#[derive(Default)]
pub(super) struct Ledger {
    tokens: HashMap<[u8; 32], Token>,
    serial: u64,
}

struct Token {
    session: Session,
    kind: Kind,
    state: State,
    serial: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Without an end where it is beyond what the clock can count.
    Access {
        until: Option<Instant>,
    },
    Refresh,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Live,
    Spent,
    Revoked,
}

impl Ledger {
    /// Opens a session, which has no token yet.
    pub(super) fn open(
        &mut self,
        provider: Provider,
        username: Option<String>,
        scope: String,
    ) -> Session {
        self.serial += 1;
        Session { provider, username, scope, family: self.serial }
    }

    /// Notes an access token that lives as long as is said.
    pub(super) fn issue_access(&mut self, session: &Session, token: &Secret, life: Duration) {
        self.issue(session, token, Kind::Access { until: Instant::now().checked_add(life) });
    }

    /// Notes a refresh token.
    pub(super) fn issue_refresh(&mut self, session: &Session, token: &Secret) {
        self.issue(session, token, Kind::Refresh);
    }

    fn issue(&mut self, session: &Session, token: &Secret, kind: Kind) {
        self.serial += 1;
        let (session, serial) = (session.clone(), self.serial);
        self.tokens.insert(key(token), Token { session, kind, state: State::Live, serial });
        if self.tokens.len() as u64 > 2 * REMEMBERED {
            self.tokens.retain(|_, token| token.serial + REMEMBERED > serial);
        }
    }

    /// The session of an access token that is live.
    pub(super) fn session(&self, provider: Provider, token: &Secret) -> Option<&Session> {
        let token = self.tokens.get(&key(token))?;
        let Kind::Access { until } = token.kind else { return None };
        let fresh = until.is_none_or(|until| Instant::now() < until);
        let live = token.state == State::Live && token.session.provider == provider;
        (fresh && live).then_some(&token.session)
    }

    /// Whether it is a refresh token of this provider that was used before.
    pub(super) fn is_spent(&self, provider: Provider, token: &Secret) -> bool {
        let token = self.tokens.get(&key(token));
        token.is_some_and(|t| t.state == State::Spent && t.session.provider == provider)
    }

    /// Takes a refresh token in payment for a scope; `spend` makes it useless from now on.
    pub(super) fn redeem(
        &mut self,
        provider: Provider,
        token: &Secret,
        scope: &str,
        spend: bool,
        reuse: Reuse,
    ) -> Result<Session, Rejected> {
        let token = self.tokens.get_mut(&key(token)).ok_or(Rejected::Unknown)?;
        if token.kind != Kind::Refresh || token.session.provider != provider {
            return Err(Rejected::Unknown);
        }
        let session = token.session.clone();
        match (token.state, reuse) {
            (State::Live, _) | (State::Spent, Reuse::Granted) => {
                if !scope.split_terminator(' ').all(|word| session.has(word)) {
                    return Err(Rejected::Wider);
                }
                if spend {
                    token.state = State::Spent;
                }
                Ok(session)
            }
            (State::Spent, Reuse::RevokesFamily) => {
                self.revoke(|other| other.session.family == session.family);
                Err(Rejected::Spent)
            }
            (State::Spent, Reuse::Refused) => Err(Rejected::Spent),
            (State::Revoked, _) => Err(Rejected::Revoked),
        }
    }

    /// Revokes all access tokens of a provider.
    pub(super) fn revoke_access_tokens(&mut self, provider: Provider) {
        self.revoke(|token| token.session.provider == provider && token.kind != Kind::Refresh);
    }

    /// Revokes all refresh tokens of a provider.
    pub(super) fn revoke_refresh_tokens(&mut self, provider: Provider) {
        self.revoke(|token| token.session.provider == provider && token.kind == Kind::Refresh);
    }

    /// A spent token stays spent, so that its use is known for what it is.
    fn revoke(&mut self, chosen: impl Fn(&Token) -> bool) {
        for token in self.tokens.values_mut() {
            if token.state == State::Live && chosen(token) {
                token.state = State::Revoked;
            }
        }
    }
}

fn key(token: &Secret) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, token.expose().as_bytes()).as_ref());
    key
}
