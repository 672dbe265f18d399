//! What is known about a provider and a client.
pub mod dialect;
