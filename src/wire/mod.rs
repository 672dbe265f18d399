//! OAuth as bytes: pure functions between types and what goes over the wire. No clock, no I/O.

use url::Url;

use crate::profile::dialect::Method;
use crate::secret::Secret;

pub mod authorization;
pub mod callback;
pub mod challenge;
pub mod client_auth;
pub mod device;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod id_token;
pub mod jose;
pub mod jwt;
pub mod management;
pub mod metadata;
pub mod pkce;
pub mod redact;
pub mod registration;
pub mod request;
pub mod response;
pub mod transcript;
pub mod userinfo;

/// A request, ready to be sent. Whatever could be secret can't print itself.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The endpoint, without the parameters of this request.
    pub endpoint: Url,
    /// What goes into the query string, encoded, beside what the endpoint's URL already has.
    pub query: Option<Secret>,
    /// Headers, in the order of sending.
    pub headers: Vec<(String, Secret)>,
    /// The body.
    pub body: Option<Secret<Vec<u8>>>,
}

impl HttpRequest {
    /// The method as it stands in the request line.
    #[must_use]
    pub const fn method_name(&self) -> &'static str {
        match self.method {
            Method::Post => "POST",
            Method::Get => "GET",
        }
    }

    /// The request target (RFC 9112 section 3.2.1): the path and the whole query.
    #[must_use]
    pub fn target(&self) -> Secret {
        let own = self.endpoint.query().filter(|query| !query.is_empty());
        let added = self.query.as_ref().map(|query| query.expose().as_str());
        let path = self.endpoint.path();
        let room = [own, added].into_iter().flatten().map(|query| query.len() + 1).sum::<usize>();
        let mut target = String::with_capacity(path.len() + room);
        target.push_str(path);
        for (query, mark) in [own, added].into_iter().flatten().zip(['?', '&']) {
            target.push(mark);
            target.push_str(query);
        }
        Secret::new(target)
    }
}

/// An answer, read whole within bounds.
#[derive(Debug, Clone, Default)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// `Content-Type`, as the server wrote it.
    pub content_type: Option<String>,
    /// `Location`, as the server wrote it.
    pub location: Option<String>,
    /// `WWW-Authenticate` of the scheme Bearer, as the server wrote it.
    pub challenge: Option<String>,
    /// `Retry-After` in seconds, where it was given so.
    pub retry_after: Option<u64>,
    /// `Date`, as the server wrote it.
    pub date: Option<String>,
    /// The body.
    pub body: Secret<Vec<u8>>,
}

impl HttpResponse {
    /// Whether the status says that the request was granted.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_appended_to_what_the_endpoint_already_has() {
        let target = |endpoint: &str, query: Option<&str>| {
            let request = HttpRequest {
                method: Method::Get,
                endpoint: Url::parse(endpoint).unwrap(),
                query: query.map(Secret::from),
                headers: vec![],
                body: None,
            };
            request.target().expose().clone()
        };
        assert_eq!(target("https://h", None), "/");
        assert_eq!(target("https://h/t", Some("a=b")), "/t?a=b");
        assert_eq!(target("https://h/t?", Some("a=b")), "/t?a=b");
        assert_eq!(target("https://h/t?x=1&y#f", Some("a=b")), "/t?x=1&y&a=b");
        assert_eq!(target("https://h/t?x=1", None), "/t?x=1");
    }
}
