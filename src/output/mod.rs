//! Tokens as text: pure functions, one format a file. No clock, no I/O.

use std::io::{self, Write};

use crate::secret::Secret;

pub mod details;
pub mod header;
pub mod humane;
pub mod json;
pub mod raw;
pub mod show;
pub mod stores;
pub mod summary;
pub mod table;

/// What `write` writes, in a buffer that never moves and so leaves no copy of a secret behind.
///
/// `write` runs twice, and the first time only the length of what it writes is kept.
fn measured(write: impl Fn(&mut dyn Write) -> io::Result<()>) -> Secret<Vec<u8>> {
    const WHY: &str = "memory refuses no write, and every key is a string";
    let mut length = Length(0);
    write(&mut length).expect(WHY);
    let mut buffer = Vec::with_capacity(length.0);
    write(&mut buffer).expect(WHY);
    Secret::new(buffer)
}

struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
