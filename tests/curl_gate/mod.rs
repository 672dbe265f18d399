//! `oauthctl curl` with the system's curl and servers on loopback: what arrives there, what the
//! user sees, and where the token is meanwhile.

mod confinement;
mod refusal;
mod server;
mod transparency;
mod user;
