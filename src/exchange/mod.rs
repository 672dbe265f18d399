//! One request to a token endpoint and its answer, told to whoever listens.

use std::time::Duration;

use url::Url;

use self::retry::{Effort, Pace, Tries};
use crate::error::{Error, Result};
use crate::http::{Limits, Transport};
use crate::profile::dialect::{RequestDialect, ResponseDialect};
use crate::report::Report;
use crate::secret::Secret;
use crate::wire::client_auth::ClientCredentials;
use crate::wire::request::{TokenRequest, encode, redactor};
use crate::wire::response::decode;
use crate::wire::{HttpResponse, revocation, transcript};

pub mod retry;

/// Sends token requests.
///
/// Decoding is [`crate::wire::response::decode`], apart from this: between the two a session makes
/// the raw answer durable.
pub struct Exchange<'a> {
    /// The way to the server.
    pub transport: &'a dyn Transport,
    /// Who hears of it.
    pub report: &'a dyn Report,
    /// The time that passes between two tries.
    pub pace: &'a dyn Pace,
}

impl Exchange<'_> {
    /// Sends one request, once, and reads its answer of whatever status.
    pub fn send(
        &self,
        limits: Limits,
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
        self.transport.send_within(&http, limits)
    }

    /// Tells of an answer; apart from [`Exchange::send`], so that it is durable before.
    pub fn tell(
        &self,
        response: &HttpResponse,
        request: &TokenRequest,
        dialect: &RequestDialect,
        credentials: &ClientCredentials,
    ) {
        let got = || transcript::answer(response, &request.redactor(dialect, credentials));
        self.report.trace(1, &|| {
            format!("status {}, {} bytes", response.status, response.body.expose().len())
        });
        self.report.trace(2, &|| got().head);
        self.report.trace(3, &|| got().body);
    }

    /// The tries of a request that are to end within `timeout`.
    #[must_use]
    pub fn tries(&self, timeout: Duration, effort: Effort) -> Tries<'_> {
        Tries::until(self.pace.now().saturating_add(timeout), self.pace, effort)
    }

    /// Waits for the next try, and tells why.
    pub fn wait(&self, pause: Duration, outcome: Result<&HttpResponse, &Error>) {
        self.report.trace(1, &|| {
            let why = match outcome {
                Ok(_) => "the server can't answer now".to_owned(),
                Err(error) => error.sentence(),
            };
            format!("{why}; trying again in {:.1} s", pause.as_secs_f64())
        });
        self.pace.sleep(pause);
    }

    /// Revokes a token (RFC 7009); one that the server doesn't know any more is revoked too.
    ///
    /// It may be repeated as often as one likes, within what is left of a time that ends at `end`.
    pub fn revoke(
        &self,
        token: &Secret,
        token_type_hint: &str,
        endpoint: &Url,
        dialect: &RequestDialect,
        credentials: &ClientCredentials,
        end: Duration,
    ) -> Result<()> {
        let request = revocation::encode(token, token_type_hint, endpoint, dialect, credentials)?;
        let mut tries = Tries::until(end, self.pace, Effort::Repeated);
        let response = loop {
            self.report.trace(1, &|| {
                let (authority, path) = (transcript::authority(endpoint), endpoint.path());
                format!("POST {authority} {path} (revocation of the {token_type_hint})")
            });
            let outcome = self.transport.send_within(&request, tries.limits());
            if let Ok(response) = &outcome {
                self.report.trace(1, &|| format!("status {}", response.status));
            }
            let Some(pause) = tries.again(outcome.as_ref()) else { break outcome? };
            self.wait(pause, outcome.as_ref());
        };
        if response.is_success() {
            return Ok(());
        }
        let redactor = redactor([token.clone()], dialect, credentials);
        decode(&response, &ResponseDialect::default(), &redactor).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::report::Silent;
    use crate::secret::Secret;
    use crate::terms::ClientAuthMethod;

    /// Hears everything, and remembers it by its level.
    #[derive(Default)]
    struct Ear(RefCell<Vec<(u8, String)>>);

    impl Report for Ear {
        fn warn(&self, _: &str) {}
        fn note(&self, _: &str) {}
        fn trace(&self, level: u8, message: &dyn Fn() -> String) {
            self.0.borrow_mut().push((level, message()));
        }
    }

    const LIMITS: Limits = Limits { whole: Duration::from_secs(1), connect: None };

    /// Nobody waits: time stands still.
    struct AtOnce;

    impl Pace for AtOnce {
        fn now(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, _: Duration) {}

        fn chance(&self) -> f64 {
            0.0
        }
    }

    fn credentials(secret: Option<&str>) -> ClientCredentials {
        ClientCredentials {
            client_id: "client".to_owned(),
            secret: secret.map(Secret::from),
            method: ClientAuthMethod::ClientSecretBasic,
        }
    }

    #[test]
    fn the_story_has_everything_but_the_secrets() {
        let ear = Ear::default();
        let answer = |_: &crate::wire::HttpRequest| {
            let body = br#"{"access_token":"t0ken","expires_in":60,"error":"my p4ssword"}"#;
            Ok(HttpResponse {
                status: 200,
                content_type: Some("application/json".to_owned()),
                body: body.to_vec().into(),
                ..HttpResponse::default()
            })
        };
        let exchange = Exchange { transport: &answer, report: &ear, pace: &AtOnce };
        let request = TokenRequest::password("alice", Secret::from("p4ssword"), &[]);
        let endpoint = Url::parse("https://as.example/token?key=k3y").unwrap();
        let dialect = RequestDialect::default();
        let credentials = credentials(Some("s3cret"));
        let answer = exchange.send(LIMITS, &request, &endpoint, &dialect, &credentials).unwrap();
        exchange.tell(&answer, &request, &dialect, &credentials);
        let story = |level| {
            let heard = ear.0.borrow();
            let at_level = heard.iter().filter(|(at, _)| *at == level);
            at_level.map(|(_, text)| text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(story(1), ["POST as.example /token (password)", "status 200, 62 bytes"]);
        assert_eq!(
            story(2),
            [
                "POST /token?key=*** HTTP/1.1\nHost: as.example\nAccept: application/json\n\
                 Content-Type: application/x-www-form-urlencoded\nAuthorization: Basic ***\n",
                "HTTP/1.1 200\nContent-Type: application/json\n",
            ]
        );
        assert_eq!(
            story(3),
            [
                "grant_type=password&username=alice&password=***\n",
                "{\n  \"access_token\": [string of 5]\n  \"error\": \"my [redacted]\"\n  \
                 \"expires_in\": 60\n}\n",
            ]
        );
    }

    #[test]
    fn what_cannot_be_encoded_is_not_sent() {
        let sent = Cell::new(false);
        let transport = |_: &crate::wire::HttpRequest| {
            sent.set(true);
            Ok(HttpResponse::default())
        };
        let exchange = Exchange { transport: &transport, report: &Silent, pace: &AtOnce };
        let request = TokenRequest::client_credentials(&[]);
        let endpoint = Url::parse("https://as.example/token").unwrap();
        let error = exchange
            .send(LIMITS, &request, &endpoint, &RequestDialect::default(), &credentials(None))
            .unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error}");
        assert!(!sent.get());
    }
}
