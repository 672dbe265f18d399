//! How the sandbox behaves beyond what the documents say: what a client must survive.

use std::time::Duration;

use super::http::Answer;

/// What can be set at the start and changed while the server runs.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Seconds that new access tokens live; as documented where unset.
    pub expires_in: Option<u64>,
    /// How long the answer to a token request is held back, after the grant was carried out.
    pub delay: Duration,
    /// What token requests meet instead of their answer.
    pub fault: Option<Fault>,
    /// Seconds by which the server's clock is ahead: in `Date`, and in the times within a JWT.
    pub clock_skew: i64,
    /// Whether a refresh spends its token and brings a new one; else the answer has none.
    pub rotate: bool,
    /// What the use of a spent refresh token leads to.
    pub reuse: Reuse,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            expires_in: None,
            delay: Duration::ZERO,
            fault: None,
            clock_skew: 0,
            rotate: true,
            reuse: Reuse::RevokesFamily,
        }
    }
}

/// What the use of a spent refresh token leads to; unless granted, `invalid_grant` is the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Every token of the family is revoked (RFC 9700 section 4.14.2).
    RevokesFamily,
    /// Nothing else happens.
    Refused,
    /// It is granted as if the token were live, as by a server with a grace period.
    Granted,
}

/// A failure of the token endpoint.
#[derive(Debug, Clone, Default)]
pub struct Fault {
    /// How many token requests it strikes; all where unset.
    pub times: Option<u64>,
    /// Whether the grant is carried out all the same, so that only its answer is lost.
    pub after_grant: bool,
    /// What is answered; where unset the connection closes without a word.
    pub answer: Option<Answer>,
}

impl Fault {
    /// A fixed answer to every token request, with a body of JSON.
    #[must_use]
    pub fn answer(status: u16, body: impl Into<String>) -> Self {
        Self { answer: Some(Answer::new(status).json(body)), ..Self::default() }
    }
}

impl Behaviour {
    /// The fault that strikes the present request, which is counted.
    pub(super) fn strike(&mut self) -> Option<Fault> {
        let fault = self.fault.as_mut()?;
        if let Some(times) = &mut fault.times {
            *times = times.checked_sub(1)?;
        }
        Some(fault.clone())
    }
}
