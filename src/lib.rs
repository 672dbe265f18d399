//! OAuth 2.0 tokens for shells, scripts and CI: always fresh, never leaked, never lost.
pub mod duration;
pub mod env;
pub mod error;
pub mod escape;
pub mod report;
pub mod secret;

pub mod durable;
pub mod terms;
pub mod token;

pub mod profile;

pub mod output;
pub mod wire;

pub mod http;
pub mod store;

pub mod exchange;

pub mod curl;
pub mod session;

pub mod cli;

#[cfg(feature = "sandbox")]
pub mod sandbox;
