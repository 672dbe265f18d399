//! The way to a server: a trait that a closure can stand in for, and the adapter that really sends.

use crate::error::Result;
use crate::wire::{HttpRequest, HttpResponse};

/// Sends one request and reads its answer, within a deadline.
pub trait Transport {
    /// An answer of any status is `Ok`; redirects are never followed.
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse>;
}

impl<F: Fn(&HttpRequest) -> Result<HttpResponse>> Transport for F {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse> {
        self(request)
    }
}
