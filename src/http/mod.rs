//! The way to a server: a trait that a closure can stand in for, and the adapter that really sends.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{HeaderValue, Request, Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Body, Proxy};

use self::connect::{Deadline, Lookup, Progress};
use self::failure::Failure;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::profile::check::is_protected;
use crate::profile::dialect::Method;
use crate::secret::Secret;
use crate::wire::challenge::is_bearer;
use crate::wire::{HttpRequest, HttpResponse};

mod connect;
mod failure;
mod proxy;
mod retry_after;
mod roots;
#[cfg(test)]
mod tests;

pub use self::roots::Trust;

/// Sends one request and reads its answer, within a deadline.
pub trait Transport {
    /// An answer of any status is `Ok`; redirects are never followed.
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse>;

    /// As [`Transport::send`], in the time that is left.
    fn send_within(&self, request: &HttpRequest, limits: Limits) -> Result<HttpResponse>;
}

/// How much time a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the look-up of the name to the last byte of the answer.
    pub whole: Duration,
    /// For the look-up, and for the connection, where they have less: nothing is sent by then.
    pub connect: Option<Duration>,
}

impl Limits {
    /// The longest that whoever can do without an answer waits for one that costs nothing, or for a
    /// look-up or a connection.
    pub const HURRIED: Duration = Duration::from_secs(3);

    /// For whoever can do without an answer: no long wait for a connection.
    ///
    /// Only for that. Once the request is out, its answer is waited for as ever.
    #[must_use]
    pub const fn hurried(self) -> Self {
        Self { connect: Some(Self::HURRIED), ..self }
    }
}

impl<F: Fn(&HttpRequest) -> Result<HttpResponse>> Transport for F {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse> {
        self(request)
    }

    fn send_within(&self, request: &HttpRequest, _: Limits) -> Result<HttpResponse> {
        self(request)
    }
}

/// The most of an answer that is read, in bytes, after decompression.
const LONGEST_BODY: u64 = 1024 * 1024;

/// The most that all headers of an answer may have, in bytes.
const LONGEST_HEAD: usize = 32 * 1024;

/// No deadline is later: an `Instant` has an end.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

const USER_AGENT: &str = concat!("oauthctl/", env!("CARGO_PKG_VERSION"));

/// Speaks HTTP and TLS. Nothing is read or loaded before a request needs it.
///
/// Each request has a connection of its own: one that is kept may die unnoticed, and then nobody
/// knows whether the refresh token that went into it is spent.
pub struct UreqTransport<'a> {
    timeout: Duration,
    ca_file: Option<PathBuf>,
    env: &'a Env,
    trust: &'a Trust,
}

impl<'a> UreqTransport<'a> {
    /// Gives a request `timeout` from the look-up of the name to the last byte of the answer, all of
    /// its tries together, trusts the certificates of `ca_file` besides the system's, and takes the
    /// proxy and `SSL_CERT_FILE` from the environment.
    #[must_use]
    pub const fn new(
        timeout: Duration,
        ca_file: Option<PathBuf>,
        env: &'a Env,
        trust: &'a Trust,
    ) -> Self {
        Self { timeout, ca_file, env, trust }
    }

    /// Whom to believe, list after list; a request without TLS believes nobody, and loads nothing.
    fn roots(&self, request: &HttpRequest) -> Result<Vec<RootCerts>> {
        if request.endpoint.scheme() != "https" {
            return Ok(vec![RootCerts::WebPki]);
        }
        self.trust.roots(self.env, self.ca_file.as_deref())
    }
}

impl Transport for UreqTransport<'_> {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse> {
        self.send_within(request, Limits { whole: self.timeout, connect: None })
    }

    fn send_within(&self, request: &HttpRequest, limits: Limits) -> Result<HttpResponse> {
        check(request)?;
        let proxy = proxy::choose(&request.endpoint, self.env)?;
        let deadline = Deadline::after(limits.whole.min(LONGEST_TIMEOUT));
        let explain = |failure: Failure| failure.explain(self.timeout, limits.connect);
        let roots = self.roots(request)?;
        let (last, others) = roots.split_last().expect("there are always roots");
        for roots in others {
            match attempt(request, proxy.clone(), roots.clone(), deadline, limits.connect) {
                // Nothing has left yet: somebody else may vouch for the server.
                Err(failure) if failure.is_untrusted() => {}
                result => return result.map_err(explain),
            }
        }
        attempt(request, proxy, last.clone(), deadline, limits.connect).map_err(explain)
    }
}

/// The last gate before a secret leaves: whatever was checked before is checked again.
fn check(request: &HttpRequest) -> Result<()> {
    let url = &request.endpoint;
    let host = url.host_str().unwrap_or_default();
    if !is_protected(url) {
        return Err(Error::config(format!(
            "{}://{host} is refused: secrets go only to https, or to http on this machine",
            url.scheme()
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::config(format!("the URL of {host} has a username or a password in it")));
    }
    Ok(())
}

/// One connection, one request, one answer.
fn attempt(
    request: &HttpRequest,
    proxy: Option<Proxy>,
    roots: RootCerts,
    deadline: Deadline,
    connect: Option<Duration>,
) -> Result<HttpResponse, Failure> {
    let progress = Arc::new(Progress::new(proxy.is_some()));
    let fail = {
        let via = proxy.clone();
        let progress = Arc::clone(&progress);
        move |error| Failure::new(error, progress.phase(), &request.endpoint, via.as_ref())
    };
    let connector = connect::chain(&progress, deadline);
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_resolve(connect)
        .timeout_connect(connect)
        .user_agent(USER_AGENT)
        .max_response_header_size(LONGEST_HEAD)
        // A head that is too large must fit in, to be seen as such.
        .input_buffer_size(2 * LONGEST_HEAD)
        .output_buffer_size(LONGEST_HEAD)
        .proxy(proxy)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .build();
    let agent = Agent::with_parts(config, connector, Lookup::new(&progress, deadline));
    let response = match (&request.body, request.method) {
        (Some(body), _) => run(&agent, request, body.expose().as_slice()),
        // A POST without a body says so: `Content-Length: 0`.
        (None, Method::Post) => run(&agent, request, &[][..]),
        (None, Method::Get) => run(&agent, request, ()),
    };
    read(response.map_err(&fail)?).map_err(&fail)
}

fn run(
    agent: &Agent,
    request: &HttpRequest,
    body: impl AsSendBody,
) -> Result<Response<Body>, ureq::Error> {
    let url = &request.endpoint[..url::Position::BeforePath];
    let mut builder = Request::builder()
        .method(request.method_name())
        .uri(Secret::new(format!("{url}{}", request.target().expose())).expose());
    for (name, value) in &request.headers {
        let mut value = HeaderValue::from_bytes(value.expose().as_bytes())
            .map_err(|error| ureq::Error::Http(error.into()))?;
        value.set_sensitive(true);
        builder = builder.header(name, value);
    }
    agent.run(builder.body(body)?)
}

fn read(mut response: Response<Body>) -> Result<HttpResponse, ureq::Error> {
    let mut body = Vec::with_capacity(8 * 1024);
    // The limit of ureq's own counts before decompression.
    let mut reader = response.body_mut().as_reader().take(LONGEST_BODY + 1);
    reader.read_to_end(&mut body)?;
    if body.len() as u64 > LONGEST_BODY {
        return Err(ureq::Error::BodyExceedsLimit(LONGEST_BODY));
    }
    let text = |name| {
        let value: Option<&HeaderValue> = response.headers().get(name);
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let date = text(header::DATE);
    let challenges = response.headers().get_all(header::WWW_AUTHENTICATE).into_iter();
    let challenge = challenges
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .find(|value| is_bearer(value));
    Ok(HttpResponse {
        status: response.status().as_u16(),
        content_type: text(header::CONTENT_TYPE),
        location: text(header::LOCATION),
        challenge,
        retry_after: text(header::RETRY_AFTER)
            .and_then(|value| retry_after::seconds(&value, date.as_deref())),
        date,
        body: Secret::new(body),
    })
}
