//! The heads of answers, as curl writes them to a file while it runs.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use super::{os, private};

/// So much of the heads is read, in bytes.
const LIMIT: usize = 1 << 20;

/// Where the heads of answers are to be found.
pub(super) enum Dump {
    /// In a file without a name.
    Ours(File),
    /// Where the user wants them; what is there beforehand means nothing.
    Users {
        /// Its path.
        path: PathBuf,
        /// How it was.
        before: Option<Stamp>,
    },
}

/// What changes when a file is written.
pub(super) type Stamp = (u64, u64, i64, i64, i64, i64);

fn stamp(meta: &Metadata) -> Stamp {
    let written = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
    (meta.ino(), meta.size(), written.0, written.1, written.2, written.3)
}

impl Dump {
    /// A file of ours, unless the user names one.
    pub(super) fn new(users: Option<&[u8]>) -> io::Result<Self> {
        let Some(path) = users else { return Ok(Self::Ours(private::empty()?)) };
        let path = PathBuf::from(os(path));
        let before = std::fs::metadata(&path).ok().as_ref().map(stamp);
        Ok(Self::Users { path, before })
    }

    /// What curl wrote so far; what can't be read says nothing.
    pub(super) fn read(&self) -> Vec<u8> {
        let mut text = Vec::new();
        match self {
            // At its beginning, whatever offset the descriptor shares with curl's.
            Self::Ours(file) => {
                let mut chunk = [0; 4096];
                while let Ok(read) = file.read_at(&mut chunk, text.len() as u64) {
                    text.extend_from_slice(&chunk[..read]);
                    if read < chunk.len() || text.len() > LIMIT {
                        break;
                    }
                }
            }
            Self::Users { path, before } => {
                if let Ok(file) = File::open(path)
                    && file.metadata().is_ok_and(|meta| Some(stamp(&meta)) != *before)
                {
                    let _ = file.take(LIMIT as u64).read_to_end(&mut text);
                }
            }
        }
        text
    }
}
