//! Reading what may have been damaged: bounded, without waiting, and only what is a file.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// What may stand in the place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// A link to a file that somebody keeps elsewhere will do.
    Followed,
    /// A link is as foreign as a directory.
    Refused,
}

/// A file's content, and what the system says of it.
#[derive(Debug)]
pub struct Content {
    /// All its bytes, in memory that was not moved while they were read.
    pub bytes: Vec<u8>,
    /// Its mode and the like.
    pub metadata: Metadata,
}

/// Why a file was not read.
#[derive(Debug)]
pub enum Unread {
    /// What is there is no file that this program wrote: it "is a directory", "is a link".
    Foreign(&'static str),
    /// The system's word.
    Failed(io::Error),
}

/// Reads a whole file of at most `limit` bytes; `None` where nothing is there.
///
/// A pipe or a device in its place is never waited for.
pub fn read(path: &Path, limit: usize, links: Links) -> Result<Option<Content>, Unread> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = match links {
            Links::Followed => OFlags::NONBLOCK,
            Links::Refused => OFlags::NONBLOCK | OFlags::NOFOLLOW,
        };
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) => return unopened(path, links, error),
    };
    let metadata = file.metadata().map_err(Unread::Failed)?;
    if let Some(what) = foreign(&metadata) {
        return Err(Unread::Foreign(what));
    }
    let Some(len) = usize::try_from(metadata.len()).ok().filter(|&len| len <= limit) else {
        return Err(Unread::Foreign("is longer than any that oauthctl writes"));
    };
    // Room for one byte more, and no reading beyond the length: neither is looked for with another call.
    let mut bytes = Vec::with_capacity(len + 1);
    file.take(metadata.len()).read_to_end(&mut bytes).map_err(Unread::Failed)?;
    Ok(Some(Content { bytes, metadata }))
}

fn unopened(path: &Path, links: Links, error: io::Error) -> Result<Option<Content>, Unread> {
    match (fs::symlink_metadata(path), error.kind()) {
        (Ok(metadata), ErrorKind::NotFound) if metadata.is_symlink() => {
            Err(Unread::Foreign("is a link that leads nowhere"))
        }
        (_, ErrorKind::NotFound) => Ok(None),
        (Ok(metadata), _) if !metadata.is_symlink() || links == Links::Refused => {
            Err(foreign(&metadata).map_or(Unread::Failed(error), Unread::Foreign))
        }
        _ => Err(Unread::Failed(error)),
    }
}

/// What stands where a file belongs; `None` where it is one.
fn foreign(metadata: &Metadata) -> Option<&'static str> {
    match metadata.file_type() {
        kind if kind.is_file() => None,
        kind if kind.is_dir() => Some("is a directory"),
        kind if kind.is_symlink() => Some("is a link"),
        _ => Some("is no regular file"),
    }
}

/// What keeps a file from being made or written: something else in its place, or a file where a
/// directory above it belongs.
#[must_use]
pub fn obstacle(path: &Path) -> Option<(PathBuf, &'static str)> {
    if let Ok(metadata) = fs::symlink_metadata(path) {
        return foreign(&metadata).map(|what| (path.to_owned(), what));
    }
    let above = path.ancestors().skip(1).find(|above| fs::symlink_metadata(above).is_ok())?;
    let is_directory = fs::metadata(above).is_ok_and(|metadata| metadata.is_dir());
    (!is_directory).then(|| (above.to_owned(), "is no directory"))
}

/// The file or directory whose mode or owner keeps this user from reading and writing `path`.
#[cfg(unix)]
#[must_use]
pub fn forbidding(path: &Path) -> Option<PathBuf> {
    use rustix::fs::{Access, access};
    let whole = Access::READ_OK | Access::WRITE_OK;
    let mut is_below = false;
    for (above, place) in path.ancestors().enumerate() {
        let Ok(metadata) = fs::metadata(place) else { continue };
        let needed = match above {
            0 if metadata.is_file() => whole,
            // New files are made there, or the directory that is missing.
            _ if above <= 1 || !is_below => whole | Access::EXEC_OK,
            _ => Access::EXEC_OK,
        };
        if access(place, needed) == Err(rustix::io::Errno::ACCESS) {
            return Some(place.to_owned());
        }
        is_below = true;
    }
    None
}

/// Access lists are not looked into.
#[cfg(not(unix))]
#[must_use]
pub fn forbidding(_: &Path) -> Option<PathBuf> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn text(path: &Path, links: Links) -> Result<Option<Vec<u8>>, &'static str> {
        match read(path, 8, links) {
            Ok(content) => Ok(content.map(|content| content.bytes)),
            Err(Unread::Foreign(what)) => Err(what),
            Err(Unread::Failed(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_no_file_is_named_and_holds_nobody_up() {
        let home = tempfile::tempdir().unwrap();
        let place = |name: &str| home.path().join(name);
        fs::write(place("file"), "12345678").unwrap();
        fs::write(place("long"), "123456789").unwrap();
        fs::create_dir(place("directory")).unwrap();
        mknodat(CWD, place("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        symlink(place("file"), place("link")).unwrap();
        symlink(place("nothing"), place("astray")).unwrap();
        let read = |name| text(&place(name), Links::Refused);
        assert_eq!(read("nothing"), Ok(None));
        assert_eq!(read("file"), Ok(Some(b"12345678".to_vec())));
        assert_eq!(read("long"), Err("is longer than any that oauthctl writes"));
        assert_eq!(read("directory"), Err("is a directory"));
        assert_eq!(read("pipe"), Err("is no regular file"));
        assert_eq!(read("link"), Err("is a link"));
        assert_eq!(read("astray"), Err("is a link"));
        let follow = |name| text(&place(name), Links::Followed);
        assert_eq!(follow("link"), Ok(Some(b"12345678".to_vec())));
        assert_eq!(follow("astray"), Err("is a link that leads nowhere"));
    }

    #[test]
    fn what_is_in_the_way_is_found_at_the_file_or_above_it() {
        let home = tempfile::tempdir().unwrap();
        let place = |name: &str| home.path().join(name);
        fs::write(place("file"), "").unwrap();
        fs::create_dir(place("directory")).unwrap();
        assert_eq!(obstacle(&place("file")), None);
        assert_eq!(obstacle(&place("directory/new/file")), None);
        assert_eq!(obstacle(&place("directory")), Some((place("directory"), "is a directory")));
        let above = Some((place("file"), "is no directory"));
        assert_eq!(obstacle(&place("file/x")), above);
        assert_eq!(obstacle(&place("file/x/y")), above);
    }
}
