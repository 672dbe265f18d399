//! Files that outlive a crash whole: written aside, synced, then moved into their place.
//!
//! What is made here is 0600, and 0700 for directories, whatever the umask; on Windows both inherit
//! the access list of the user's profile.

mod read;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

pub use read::{Content, Links, Unread, forbidding, obstacle, read};

/// Replaces a file's content, making the file and its directories where they are missing.
///
/// A reader, or a crash, finds the old content or the new one. A symbolic link is followed, so that
/// a file which somebody keeps elsewhere stays there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = if path.is_symlink() { fs::canonicalize(path)? } else { path.to_owned() };
    write_aside(&target, bytes)?.persist(&target)?;
    sync_parent(&target)
}

/// Makes a file with this content unless there is one; tells whether this call made it.
///
/// Of many processes at once one wins, and none ever sees a part of the content.
pub fn create_once(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match write_aside(path, bytes)?.persist_noclobber(path) {
        Ok(_) => sync_parent(path).map(|()| true),
        Err(lost) if lost.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(failed.error),
    }
}

/// A synced temporary file beside `path`, removed again unless it is moved into its place.
fn write_aside(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let directory = parent(path);
    create_dir(directory)?;
    let mut file = tempfile::Builder::new().prefix(".").suffix(".new").tempfile_in(directory)?;
    restrict_file(file.as_file())?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes a directory, and those above it, where they are missing.
pub fn create_dir(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    let made =
        std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(path);
    #[cfg(not(unix))]
    let made = fs::create_dir(path);
    match made {
        Ok(()) => {
            // A umask can also take rights away from the owner.
            #[cfg(unix)]
            fs::set_permissions(path, mode(0o700))?;
            sync_parent(path)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && parent(path) != path => {
            create_dir(parent(path))?;
            create_dir(path)
        }
        Err(error) => Err(error),
    }
}

/// Opens a file for reading and writing, made where it is missing; its content stays until it is overwritten.
///
/// Anything in its place that is no file, such as a symbolic link or a pipe, is an error.
pub fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    restrict_file(&file)?;
    Ok(file)
}

/// Makes an open file `len` zeros long, on disk: writing over them later can't find the disk full.
///
/// File systems that never write in place (btrfs, ZFS, APFS) promise less: that there is room now.
pub fn allocate(file: &mut File, len: u64) -> io::Result<()> {
    file.set_len(0)?;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::{Errno, retry_on_intr};
        match retry_on_intr(|| fallocate(&*file, FallocateFlags::empty(), 0, len.max(1))) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            result => return Ok(result?),
        }
    }
    file.rewind()?;
    io::copy(&mut io::repeat(0).take(len), file)?;
    file.rewind()
}

/// Moves what is broken out of the way, to a name beside its own that nothing has; tells that name.
///
/// Who calls this holds the lock on what `path` is a part of: nobody else makes or moves it meanwhile.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = name_aside(path);
    fs::rename(path, &aside)?;
    sync_parent(path)?;
    // Somebody else may have made it, with wider modes.
    #[cfg(unix)]
    if let Ok(metadata) = fs::symlink_metadata(&aside)
        && !metadata.is_symlink()
    {
        let _ = fs::set_permissions(&aside, mode(if metadata.is_dir() { 0o700 } else { 0o600 }));
    }
    Ok(aside)
}

/// The name under which `path` would be set aside: `~` is in no name that is read.
#[must_use]
pub fn name_aside(path: &Path) -> PathBuf {
    let mut number = 1_u64;
    loop {
        let mut name = path.file_name().unwrap_or(OsStr::new("data")).to_owned();
        name.push(format!("~broken-{number}"));
        let aside = path.with_file_name(name);
        if fs::symlink_metadata(&aside).is_err() {
            return aside;
        }
        number += 1;
    }
}

/// Makes the names in the directory of `path` outlive a crash.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    // Windows has no such call: its file systems keep names by a journal of their own.
    if cfg!(windows) {
        return Ok(());
    }
    match File::open(parent(path))?.sync_all() {
        // Some network file systems can't sync a directory, and nothing more can be done there.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

#[cfg(unix)]
fn restrict_file(file: &File) -> io::Result<()> {
    file.set_permissions(mode(0o600))
}

#[cfg(not(unix))]
fn restrict_file(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn mode(bits: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_makes_the_directories_and_then_leaves_nothing_else_behind() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/file");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(parent(&path)).unwrap().count(), 1);
    }

    #[test]
    fn of_many_that_create_at_once_one_wins_and_all_see_its_content() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/key");
        let made = std::thread::scope(|scope| {
            let create = |n: u8| {
                let path = &path;
                scope.spawn(move || (create_once(path, &[n; 64]).unwrap(), fs::read(path).unwrap()))
            };
            let all: Vec<_> = (0..16).map(create).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(made.iter().filter(|(won, _)| *won).count(), 1);
        let content = fs::read(&path).unwrap();
        assert_eq!(content.len(), 64);
        assert!(made.iter().all(|(_, seen)| *seen == content));
        assert_eq!(fs::read_dir(parent(&path)).unwrap().count(), 1);
    }

    #[test]
    fn allocated_space_is_zeros_and_writing_begins_at_its_start() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        fs::write(&path, "left over").unwrap();
        let mut file = open_private(&path).unwrap();
        allocate(&mut file, 10_000).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [0; 10_000]);
        file.write_all(b"x").unwrap();
        assert_eq!(fs::read(&path).unwrap()[..2], *b"x\0");
    }

    #[cfg(unix)]
    mod on_unix {
        use std::os::unix::fs::{PermissionsExt, symlink};

        use super::*;

        fn mode_of(path: &Path) -> u32 {
            fs::metadata(path).unwrap().permissions().mode() & 0o7777
        }

        #[test]
        fn a_file_that_is_kept_elsewhere_by_a_link_stays_there() {
            let home = tempfile::tempdir().unwrap();
            let (real, link) = (home.path().join("real"), home.path().join("link"));
            fs::write(&real, "old").unwrap();
            symlink(&real, &link).unwrap();
            replace(&link, b"new").unwrap();
            assert!(link.is_symlink());
            assert_eq!(fs::read(&real).unwrap(), b"new");
        }

        #[test]
        fn a_private_file_is_not_written_through_a_link() {
            let home = tempfile::tempdir().unwrap();
            let (real, link) = (home.path().join("real"), home.path().join("link"));
            fs::write(&real, "old").unwrap();
            symlink(&real, &link).unwrap();
            open_private(&link).unwrap_err();
        }

        #[test]
        fn what_is_broken_is_set_aside_under_a_name_of_its_own_and_stays_as_it_is() {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("a@user");
            for (number, content) in [(1, "first"), (2, "second")] {
                fs::write(&path, content).unwrap();
                fs::set_permissions(&path, mode(0o666)).unwrap();
                let aside = set_aside(&path).unwrap();
                assert_eq!(aside, home.path().join(format!("a@user~broken-{number}")));
                assert_eq!(fs::read_to_string(&aside).unwrap(), content);
                assert_eq!(mode_of(&aside), 0o600);
            }
            symlink("/nowhere", &path).unwrap();
            assert!(set_aside(&path).unwrap().is_symlink());
            fs::create_dir(&path).unwrap();
            assert_eq!(mode_of(&set_aside(&path).unwrap()), 0o700);
            assert!(!path.exists());
        }

        #[test]
        fn a_private_file_with_wide_modes_is_narrowed() {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("file");
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, mode(0o666)).unwrap();
            open_private(&path).unwrap();
            assert_eq!(mode_of(&path), 0o600);
        }

        #[test]
        fn what_is_made_is_for_the_owner_alone() {
            let home = tempfile::tempdir().unwrap();
            replace(&home.path().join("a/b/file"), b"").unwrap();
            assert_eq!(mode_of(&home.path().join("a")), 0o700);
            assert_eq!(mode_of(&home.path().join("a/b")), 0o700);
            assert_eq!(mode_of(&home.path().join("a/b/file")), 0o600);
        }

        #[test]
        fn a_file_in_the_place_of_a_directory_is_an_error() {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("file");
            fs::write(&path, "").unwrap();
            assert_eq!(create_dir(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            replace(&path.join("x"), b"").unwrap_err();
        }
    }
}
