//! Hands a secret to a child by a descriptor that no other process can open by name.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// A descriptor whose content a child reads once; Linux's memory files can be read again.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn holding(content: &[u8]) -> io::Result<OwnedFd> {
    let fd = memory()?;
    let mut file = File::from(fd);
    io::Write::write_all(&mut file, content)?;
    Ok(file.into())
}

/// An empty file without a name, which a child fills.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn empty() -> io::Result<File> {
    memory().map(File::from)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn memory() -> io::Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, memfd_create};
    // Some systems demand the promise never to execute it, which older kernels don't know.
    let sealed = MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL;
    match memfd_create("oauthctl", sealed) {
        Err(rustix::io::Errno::INVAL) => Ok(memfd_create("oauthctl", MemfdFlags::CLOEXEC)?),
        other => Ok(other?),
    }
}

/// A pipe that is filled beforehand: elsewhere, `/dev/fd` shares the offset of a file.
///
/// What doesn't fit is an error, since nobody reads yet.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn holding(content: &[u8]) -> io::Result<OwnedFd> {
    let (reader, mut writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&writer, true)?;
    io::Write::write_all(&mut writer, content)?;
    Ok(reader.into())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn empty() -> io::Result<File> {
    tempfile::tempfile()
}

/// The name by which a child that inherits the descriptor opens it.
pub(super) fn path(fd: impl AsFd) -> String {
    format!("/dev/fd/{}", fd.as_fd().as_raw_fd())
}

/// Lets children inherit the descriptor, or not any longer.
pub(super) fn inherit(fd: impl AsFd, yes: bool) -> io::Result<()> {
    Ok(fcntl_setfd(fd, if yes { FdFlags::empty() } else { FdFlags::CLOEXEC })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_holds_is_read_by_its_path() {
        let fd = holding(b"header = \"x\"\n").unwrap();
        assert_eq!(std::fs::read(path(&fd)).unwrap(), b"header = \"x\"\n");
        let file = empty().unwrap();
        assert!(std::fs::read(path(&file)).unwrap().is_empty());
    }

    #[test]
    fn a_child_inherits_it_only_when_told_so() {
        let fd = holding(b"secret").unwrap();
        let cat = || {
            let output = std::process::Command::new("cat").arg(path(&fd)).output().unwrap();
            (output.status.success(), output.stdout)
        };
        assert!(!cat().0);
        inherit(&fd, true).unwrap();
        assert_eq!(cat(), (true, b"secret".to_vec()));
        inherit(&fd, false).unwrap();
        assert!(!cat().0);
    }
}
