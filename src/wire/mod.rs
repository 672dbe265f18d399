//! OAuth as bytes: pure functions between types and what goes over the wire. No clock, no I/O.

use url::Url;

use crate::profile::dialect::Method;
use crate::secret::Secret;

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

/// An answer, read whole within bounds.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// `Content-Type`, as the server wrote it.
    pub content_type: Option<String>,
    /// `Retry-After` in seconds, where it was given so.
    pub retry_after: Option<u64>,
    /// `Date`, as the server wrote it.
    pub date: Option<String>,
    /// The body.
    pub body: Secret<Vec<u8>>,
}
