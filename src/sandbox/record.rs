//! What came, as the server saw it, so that a test can assert on this side of the wire.

use std::collections::VecDeque;
use std::time::Instant;

use super::provider::{Grant, Provider};
use crate::secret::Secret;

/// How many bytes of requests are kept; the oldest go first.
const KEPT: usize = 16 * 1024 * 1024;

/// A request to a token endpoint.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The provider that was asked.
    pub provider: Provider,
    /// When it was decided: from here on a spent refresh token is spent.
    pub at: Instant,
    /// The grant, where the request is well-formed enough to name one.
    pub grant: Option<Grant>,
    /// What came of it.
    pub outcome: Outcome,
    /// The method.
    pub method: String,
    /// The target of the request line, as received.
    pub target: Secret,
    /// The whole head, as received.
    pub head: Secret,
    /// The body, freed of its transfer coding; empty where it was too long.
    pub body: Secret<Vec<u8>>,
    /// The tokens that were made for it, even where a fault took the answer away.
    pub issued: Vec<Secret>,
}

/// What came of a token request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The grant was carried out, even where a fault took the answer away.
    Granted,
    /// It was refused.
    Refused {
        /// The `error` code.
        error: &'static str,
        /// The `error_description`.
        description: String,
    },
    /// A fault struck before it was looked at.
    Struck,
}

/// How often things happened at one provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Token requests by client credentials, whatever came of them.
    pub client_credentials: u64,
    /// Token requests by username and password, whatever came of them.
    pub password: u64,
    /// Token requests by refresh token, whatever came of them.
    pub refresh_token: u64,
    /// Token requests that name no known grant or are malformed.
    pub other: u64,
    /// Uses of a refresh token that was spent before.
    pub reuse: u64,
    /// Requests for resources.
    pub resource: u64,
    /// Those of them that had no live token.
    pub unauthorized: u64,
}

impl Counts {
    /// All token requests.
    #[must_use]
    pub const fn token_requests(&self) -> u64 {
        self.client_credentials + self.password + self.refresh_token + self.other
    }
}

/// What came so far.
#[derive(Default)]
pub(super) struct Record {
    requests: VecDeque<Recorded>,
    bytes: usize,
    counts: [Counts; Provider::ALL.len()],
}

impl Record {
    pub(super) fn add(&mut self, request: Recorded) {
        let counts = self.counts_mut(request.provider);
        *match request.grant {
            Some(Grant::ClientCredentials) => &mut counts.client_credentials,
            Some(Grant::Password) => &mut counts.password,
            Some(Grant::RefreshToken) => &mut counts.refresh_token,
            None => &mut counts.other,
        } += 1;
        self.bytes += size(&request);
        self.requests.push_back(request);
        while self.bytes > KEPT {
            self.bytes -= self.requests.pop_front().as_ref().map_or(self.bytes, size);
        }
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.requests.iter().cloned().collect()
    }

    pub(super) const fn counts(&self, provider: Provider) -> Counts {
        self.counts[provider as usize]
    }

    pub(super) const fn counts_mut(&mut self, provider: Provider) -> &mut Counts {
        &mut self.counts[provider as usize]
    }
}

fn size(request: &Recorded) -> usize {
    let issued: usize = request.issued.iter().map(|token| token.expose().len()).sum();
    // The target stands a second time in the head.
    size_of::<Recorded>() + 2 * request.head.expose().len() + request.body.expose().len() + issued
}
