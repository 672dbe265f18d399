//! OAuth 2.0 tokens for shells, scripts and CI: always fresh, never leaked, never lost.
pub mod error;
pub mod report;
pub mod secret;
pub mod terms;

pub mod token;

pub mod profile;

pub mod wire;

pub mod http;
pub mod store;

pub mod curl;
