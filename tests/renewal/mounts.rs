//! File systems that a test mounts for itself.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::statvfs;

use crate::support::{Test, child};

/// What tmpfs counts in, in bytes.
const PAGE: u64 = 4096;

/// Runs `body`, a closure in a test, where it may mount: as root in a namespace of its own.
pub fn with_mounts<F: FnOnce()>(body: F) {
    let unshared = Command::new("unshare").args(["-rm", "true"]).status();
    if !unshared.is_ok_and(|status| status.success()) {
        // Not captured: that a test was skipped must be seen.
        let _ = writeln!(io::stderr(), "skipped: it needs a mount namespace of its own");
        return;
    }
    child::run_by(&["unshare", "-rm"], 1, |_, _| (), body);
}

/// Mounts something there, if that may be.
pub fn mount(arguments: &[&str], place: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(place).output();
    output.is_ok_and(|output| output.status.success())
}

/// A small file system on which DATA lies.
pub struct Disk {
    path: PathBuf,
}

impl Disk {
    pub fn mount(test: &Test) -> Option<Self> {
        let path = test.data();
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        mount(&["-t", "tmpfs", "-o", "size=512k,nr_inodes=100,mode=700", "none"], &path)
            .then_some(Self { path })
    }

    /// The same with the file system that most disks have, which only root may mount.
    pub fn mount_ext4(test: &Test) -> Option<Self> {
        let (path, image) = (test.data(), test.secret_file("image", ""));
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        fs::File::create(&image).unwrap().set_len(8 << 20).unwrap();
        let image = image.to_str().unwrap();
        let made = Command::new("mkfs.ext4").args(["-q", "-b", "4096", "-m", "0", image]).status();
        let mounted = made.is_ok_and(|made| made.success()) && mount(&["-o", "loop", image], &path);
        mounted.then(|| {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
            Self { path }
        })
    }

    /// Fills it but for so many pages.
    pub fn leave(&self, pages: u64) {
        self.empty();
        let mut file = OpenOptions::new();
        let mut file = file.write(true).create(true).mode(0o600).open(self.filler()).unwrap();
        // What was removed may take its time to be free.
        while let Some(rest @ 1..) = self.free().checked_sub(pages * PAGE) {
            // A file system keeps notes on the filler too.
            let _ = file.write_all(&vec![0; usize::try_from(rest).unwrap()]);
            file.sync_all().unwrap();
        }
    }

    fn free(&self) -> u64 {
        let all = statvfs(&self.path).unwrap();
        all.f_bavail * all.f_frsize
    }

    /// Leaves room for so many files, whatever their size.
    pub fn leave_files(&self, files: u64) {
        self.empty();
        DirBuilder::new().mode(0o700).create(self.filler()).unwrap();
        let mut file = OpenOptions::new();
        let file = file.write(true).create(true).mode(0o600);
        for number in files..statvfs(&self.path).unwrap().f_ffree {
            file.open(self.filler().join(number.to_string())).unwrap();
        }
    }

    /// Takes away what fills it.
    pub fn empty(&self) {
        let _ = fs::remove_file(self.filler()).or_else(|_| fs::remove_dir_all(self.filler()));
    }

    /// Takes away all that there is.
    pub fn clear(&self) {
        for entry in fs::read_dir(&self.path).unwrap().flatten() {
            let is_directory = entry.file_type().unwrap().is_dir();
            let remove = if is_directory { fs::remove_dir_all } else { fs::remove_file };
            remove(entry.path()).unwrap();
        }
    }

    fn filler(&self) -> PathBuf {
        self.path.join("full")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).output();
    }
}
