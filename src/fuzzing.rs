//! What must hold whatever comes from outside: one function for each kind of bytes.
//!
//! The fuzzers in `fuzz/` call them with what they find, and the tests with the seeds of the
//! fuzzers' corpus and with mutations of them. Each panics where its bytes break a rule.

pub use crate::curl::fuzzing::{curl, stream};
pub use crate::profile::fuzzing::profile;
pub use crate::session::fuzzing::{index, journal, record};
pub use crate::store::fuzzing::{helper, sealed, split};
pub use crate::wire::fuzzing::{answer, callback, claims, redaction};

#[cfg(test)]
mod tests;
