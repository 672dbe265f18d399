//! What a user sees, command by command.

// A test may fail by a panic in what it calls as well, and nothing here is a library.
#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub)]

mod support;

#[cfg(target_os = "linux")]
mod curl_gate;
mod docs;
mod model;
#[cfg(target_os = "linux")]
mod renewal;
mod store;
mod wire;
