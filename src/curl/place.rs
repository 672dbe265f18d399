//! Where an option stands, and what must be known of the files that options name.

use std::io;
use std::path::PathBuf;

use crate::error::{ConfigError, Error};

/// What the judgement needs to know of files.
pub(super) trait Files {
    /// The whole content of a file, or of standard input for `-`.
    fn read(&self, name: &[u8]) -> io::Result<Vec<u8>>;

    /// Whether a file yields its content only once, as a pipe does.
    fn is_once(&self, name: &[u8]) -> bool;

    /// Whether it names a descriptor that isn't open, which one of ours could come to be.
    fn is_closed(&self, name: &[u8]) -> bool;
}

/// Where an option stands.
#[derive(Clone)]
pub(super) enum Place {
    CommandLine,
    /// A line of a file; `typed` unless it is curl's own `.curlrc`.
    File {
        file: PathBuf,
        line: usize,
        typed: bool,
    },
}

impl Place {
    /// An error about what stands here.
    pub(super) fn refuse(&self, message: impl Into<String>) -> Error {
        match self {
            Self::CommandLine => Error::config(message),
            Self::File { file, line, .. } => Error::Config(ConfigError {
                message: message.into(),
                file: Some(file.clone()),
                line: Some(*line),
                missing: None,
            }),
        }
    }
}
