//! Files with the modes that they must have.

use std::fs::{self, FileType};
use std::path::Path;

/// Makes a directory and its parents, for their owner alone.
pub fn make_private(path: &Path) {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path).unwrap();
}

/// Writes a file for its owner alone.
pub fn write_private(path: &Path, content: impl AsRef<[u8]>) {
    make_private(path.parent().unwrap());
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.write(true).create(true).truncate(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, content.as_ref()).unwrap();
}

/// Visits everything at and below `path`, following no link; nothing where there is nothing.
pub fn walk(path: &Path, visit: &mut dyn FnMut(&Path, FileType)) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    visit(path, metadata.file_type());
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), visit);
        }
    }
}

/// Whether `secret` stands in `bytes`.
pub fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// A directory is 0700, a file 0600.
#[track_caller]
pub fn assert_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = fs::symlink_metadata(path).unwrap();
        // A link has no mode of its own.
        if metadata.is_symlink() {
            return;
        }
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        let mode = metadata.permissions().mode() & 0o7777;
        assert_eq!(mode, wanted, "{} is {mode:04o}", path.display());
    }
    #[cfg(not(unix))]
    let _ = path;
}
