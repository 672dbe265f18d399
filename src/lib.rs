//! OAuth 2.0 tokens for shells, scripts and CI: always fresh, never leaked, never lost.
//!
//! The library is the program's own: its API may change with every release.
//!
//! # The way of the data
//!
//! Arguments become a [`profile::Profile`]; the [`session`] finds a fresh token in a [`store`], or
//! makes a [`wire::request::TokenRequest`], has the [`exchange`] send it by a [`http::Transport`],
//! reads the answer into a [`token::TokenSet`], stores it, and hands it to [`output`].
//!
//! # The floors
//!
//! A module imports only from floors below its own.
//!
//! | floor | modules |
//! | --- | --- |
//! | 0 | [`error`], [`secret`], [`report`], [`escape`], [`duration`], [`env`](mod@env): words that everyone needs |
//! | 1 | [`terms`], [`token`], [`durable`], `program`: the RFCs' names, a token's life, files that outlive a crash, programs that hold nobody up |
//! | 2 | [`profile`]: layers of TOML, merged into pure data |
//! | 3 | [`wire`], [`output`]: bytes to types and back, pure functions |
//! | 4 | [`http`], [`store`]: the way to a server, and where secrets rest |
//! | 5 | [`exchange`], [`discovery`]: one request to a server, and its answer; what a server says of itself |
//! | 6 | [`grant`]: a browser, a listener, a code that a person confirms |
//! | 7 | [`session`], [`curl`]: where a grant meets a store; where a token meets curl |
//! | 8 | [`cli`]: the command line |
//!
//! The sandbox stands apart: it imports errors and secrets alone, so that no bug of [`wire`] can
//! cancel itself out.

pub mod duration;
pub mod env;
pub mod error;
pub mod escape;
pub mod report;
pub mod secret;
#[cfg(unix)]
mod signals;
#[cfg(target_os = "linux")]
mod start;

pub mod durable;
mod program;
pub mod terms;
pub mod token;

pub mod profile;

pub mod output;
pub mod wire;

pub mod http;
pub mod store;

pub mod discovery;
pub mod exchange;

pub mod grant;

pub mod curl;
pub mod session;

pub mod cli;

#[cfg(feature = "sandbox")]
pub mod sandbox;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
