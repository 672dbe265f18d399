//! One lock a slot: a file of its own, never removed, never stolen, released by death.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::durable;
use crate::error::Result;
use crate::store::disk;
use crate::terms::StoreKind;

/// A lock that this process holds until it drops it or ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// What came of trying to lock.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The lock is ours.
    Held(Lock),
    /// Another process kept it past the deadline; its id, where it can be read.
    Busy(Option<u32>),
}

impl Lock {
    /// Waits for the lock, no longer than `patience`. Who locks is about to write.
    pub(super) fn acquire(path: &Path, patience: Duration) -> Result<Attempt> {
        #[cfg(unix)]
        crate::signals::survive_full_files();
        let fault = |error| disk::failed(StoreKind::File, "lock", path, error);
        let mut file = open(path).map_err(fault)?;
        let begun = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(fault(error)),
            }
            let Some(left) = patience.checked_sub(begun.elapsed()) else {
                return Ok(Attempt::Busy(holder(&mut file)));
            };
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(25));
        }
        // Who waits in vain is told whom it waited for. The lock itself needs no contents, not
        // even on a full disk.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Attempt::Held(Self { _file: file }))
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    match durable::open_private(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                durable::create_dir(directory)?;
            }
            durable::open_private(path)
        }
        other => other,
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_names_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("locks/a.lock");
        let held = Lock::acquire(&path, Duration::ZERO).unwrap();
        assert!(matches!(held, Attempt::Held(_)));
        match Lock::acquire(&path, Duration::from_millis(20)).unwrap() {
            Attempt::Busy(pid) => assert_eq!(pid, Some(std::process::id())),
            Attempt::Held(_) => panic!("two hold one lock"),
        }
        drop(held);
        assert!(matches!(Lock::acquire(&path, Duration::ZERO).unwrap(), Attempt::Held(_)));
    }
}
