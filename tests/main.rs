//! What a user sees, command by command.

// A test may fail by a panic in what it calls as well, and nothing here is a library.
#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub)]

mod support;

mod client_token;
#[cfg(target_os = "linux")]
mod corruption;
#[cfg(target_os = "linux")]
mod curl_gate;
mod docs;
mod doctor;
mod environment;
mod exec;
mod exit_codes;
#[cfg(target_os = "linux")]
mod fault_table;
mod formats;
mod grants;
mod guard;
mod header;
mod identity;
#[cfg(target_os = "linux")]
mod keychains;
mod login;
#[cfg(target_os = "linux")]
mod login_elsewhere;
mod logout;
mod model;
#[cfg(target_os = "linux")]
mod others;
mod presets;
mod profile;
mod properties;
mod provider;
mod refresh;
mod remembered;
#[cfg(target_os = "linux")]
mod renewal;
mod sandbox;
mod secrecy;
mod secrets;
mod show;
mod store;
mod store_command;
mod stores;
mod wire;
