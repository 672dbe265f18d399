//! Why a token request is refused, in RFC 6749's terms.

use super::http::Answer;
use super::provider::Dialect;

/// An error answer (RFC 6749 section 5.2).
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: u16,
    pub error: &'static str,
    /// Plain ASCII without quotes and backslashes, as the RFC wants it; nothing secret.
    pub description: String,
    header: Option<(&'static str, String)>,
}

impl Refusal {
    pub(super) fn new(error: &'static str, description: impl Into<String>) -> Self {
        let status = if error == "invalid_client" { 401 } else { 400 };
        Self { status, error, description: description.into(), header: None }
    }

    /// The request itself is wrong.
    pub(super) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    /// The client did not prove itself.
    pub(super) fn invalid_client(description: impl Into<String>) -> Self {
        Self::new("invalid_client", description)
    }

    pub(super) const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    pub(super) fn answer(&self, dialect: &Dialect) -> Answer {
        let members =
            [("error", self.error.into()), ("error_description", self.description.clone().into())];
        let answer = dialect.answer(self.status, &members);
        match &self.header {
            Some((name, value)) => answer.header(name, value),
            None => answer,
        }
    }
}
