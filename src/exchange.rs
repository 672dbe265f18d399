//! One request to a token endpoint and its answer, told to whoever listens.

use url::Url;

use crate::error::Result;
use crate::http::Transport;
use crate::profile::dialect::{RequestDialect, ResponseDialect};
use crate::report::Report;
use crate::secret::Secret;
use crate::wire::client_auth::ClientCredentials;
use crate::wire::redact::Redactor;
use crate::wire::request::{TokenRequest, encode};
use crate::wire::response::decode;
use crate::wire::{HttpResponse, revocation, transcript};

/// Sends token requests.
///
/// Decoding is [`crate::wire::response::decode`], apart from this: between the two a session makes
/// the raw answer durable.
pub struct Exchange<'a> {
    /// The way to the server.
    pub transport: &'a dyn Transport,
    /// Who hears of it.
    pub report: &'a dyn Report,
}

impl Exchange<'_> {
    /// Sends one request, once, and reads its answer of whatever status.
    pub fn send(
        &self,
        request: &TokenRequest,
        endpoint: &Url,
        dialect: &RequestDialect,
        credentials: &ClientCredentials,
    ) -> Result<HttpResponse> {
        let http = encode(request, endpoint, dialect, credentials)?;
        self.report.trace(1, &|| {
            let grant = request.grant_type();
            let authority = transcript::authority(endpoint);
            format!("{} {authority} {} ({grant})", http.method_name(), endpoint.path())
        });
        let sent = || transcript::request(request, endpoint, dialect, credentials);
        self.report.trace(2, &|| sent().map_or_else(|error| error.to_string(), |text| text.head));
        self.report.trace(3, &|| sent().map_or_else(|error| error.to_string(), |text| text.body));
        let response = self.transport.send(&http)?;
        let got = || transcript::answer(&response, &request.redactor(dialect, credentials));
        self.report.trace(1, &|| {
            format!("status {}, {} bytes", response.status, response.body.expose().len())
        });
        self.report.trace(2, &|| got().head);
        self.report.trace(3, &|| got().body);
        Ok(response)
    }

    /// Revokes a token (RFC 7009); one that the server doesn't know any more is revoked too.
    pub fn revoke(
        &self,
        token: &Secret,
        token_type_hint: &str,
        endpoint: &Url,
        dialect: &RequestDialect,
        credentials: &ClientCredentials,
    ) -> Result<()> {
        let request = revocation::encode(token, token_type_hint, endpoint, dialect, credentials)?;
        self.report.trace(1, &|| {
            let authority = transcript::authority(endpoint);
            format!("POST {authority} {} (revocation of the {token_type_hint})", endpoint.path())
        });
        let response = self.transport.send(&request)?;
        self.report.trace(1, &|| format!("status {}", response.status));
        if response.is_success() {
            return Ok(());
        }
        let secrets = credentials.secret.iter().chain([token]).cloned();
        decode(&response, &ResponseDialect::default(), &Redactor::new(secrets)).map(|_| ())
    }
}
