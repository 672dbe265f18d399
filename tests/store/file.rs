//! The file store: what it does with broken files, wrong keys, wide modes and a full disk.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use crate::support::child;
use oauthctl::error::{Error, StoreFault};
use oauthctl::secret::Secret;
use oauthctl::store::file::FileStore;
use oauthctl::store::{Place, Store, installation_id};
use tempfile::TempDir;

use super::{fault, keeps_the_contract, place, read, secret, user};

/// A key, in base64.
fn file_key(n: u8) -> Secret {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode([n; 32]).into()
}

fn open(data_dir: &Path) -> FileStore {
    FileStore::open(&place(data_dir)).unwrap()
}

/// A store with the entry `a@user`, and where that lies.
fn filled() -> (TempDir, FileStore, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    store.set(&user("a"), &secret(b"value")).unwrap();
    let path = home.path().join("tokens/a@user");
    assert!(path.exists());
    (home, store, path)
}

#[test]
fn the_file_store_keeps_the_contract() {
    keeps_the_contract(&|data_dir| Box::new(open(data_dir)));
}

#[test]
fn with_the_key_of_the_environment_the_contract_holds_and_no_key_is_on_disk() {
    let mut place = place(Path::new(""));
    place.file_key = Some(file_key(1));
    keeps_the_contract(&|data_dir| {
        let place = Place { data_dir: data_dir.to_owned(), ..place.clone() };
        assert!(!data_dir.join("key").exists());
        Box::new(FileStore::open(&place).unwrap())
    });
}

#[test]
fn reading_makes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    assert_eq!(read(&open(&data_dir), &user("a")), None);
    open(&data_dir).delete(&user("a")).unwrap();
    assert!(!data_dir.exists());
}

#[test]
fn nothing_readable_lies_on_the_disk() {
    let (_home, _store, path) = filled();
    let sealed = fs::read(path).unwrap();
    assert!(!sealed.windows(5).any(|bytes| bytes == b"value"));
}

#[test]
fn another_key_is_told_and_so_is_a_lost_one() {
    let (home, _store, path) = filled();
    let mut place = place(home.path());
    place.file_key = Some(file_key(2));
    let error = FileStore::open(&place).unwrap().get(&user("a")).unwrap_err();
    let expected = format!("{} was sealed with another key than OAUTHCTL_FILE_KEY", path.display());
    assert_eq!(error.to_string(), expected);
    assert_eq!(fault::<()>(Err(error)), StoreFault::WrongKey);

    fs::remove_file(home.path().join("key")).unwrap();
    assert_eq!(fault(open(home.path()).get(&user("a"))), StoreFault::WrongKey);
    let written = open(home.path()).set(&user("b"), &secret(b"x"));
    assert_eq!(fault(written), StoreFault::WrongKey);
    assert_eq!(fault(open(home.path()).reserve(&user("b"), 10)), StoreFault::WrongKey);
    assert!(!home.path().join("key").exists(), "a lost key was replaced");
    fs::remove_file(path).unwrap();
    open(home.path()).set(&user("b"), &secret(b"x")).unwrap();
}

#[test]
fn a_bad_key_in_the_environment_is_an_error_of_configuration_that_does_not_show_it() {
    let mut place = place(Path::new("/nowhere"));
    place.file_key = Some(Secret::from("hunter2"));
    let error = FileStore::open(&place).unwrap_err();
    assert!(matches!(error, Error::Config(_)));
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn what_is_broken_is_told_by_name_and_stays_as_it_is() {
    let (_home, store, path) = filled();
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let long = vec![0; 5 << 20];
    for broken in [&b""[..], b"by hand", &whole[..whole.len() - 1], &flipped, &long] {
        fs::write(&path, broken).unwrap();
        let error = store.get(&user("a")).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert_eq!(fault::<()>(Err(error)), StoreFault::Corrupt);
        assert!(fs::read(&path).unwrap() == broken);
    }
    store.set(&user("a"), &secret(b"new")).unwrap();
    assert_eq!(read(&store, &user("a")).unwrap(), b"new");
}

#[test]
fn a_newer_version_is_told() {
    let (_home, store, path) = filled();
    let mut newer = fs::read(&path).unwrap();
    newer[8] += 1;
    fs::write(&path, newer).unwrap();
    assert_eq!(fault(store.get(&user("a"))), StoreFault::Newer);
}

#[test]
fn an_entry_in_the_place_of_another_does_not_open() {
    let (_home, store, path) = filled();
    fs::copy(&path, path.with_file_name("b@user")).unwrap();
    assert_eq!(fault(store.get(&user("b"))), StoreFault::Corrupt);
}

#[test]
fn a_broken_key_is_told_and_never_replaced() {
    let (home, _store, _path) = filled();
    let key = home.path().join("key");
    for broken in [&b""[..], &[1; 31], &[1; 33]] {
        fs::write(&key, broken).unwrap();
        assert_eq!(fault(open(home.path()).get(&user("a"))), StoreFault::Corrupt);
        assert_eq!(fault(open(home.path()).set(&user("a"), &secret(b""))), StoreFault::Corrupt);
        assert_eq!(fs::read(&key).unwrap(), broken);
    }
}

#[test]
fn a_name_that_leads_out_of_the_directory_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    for profile in ["../x", "a/b", "/etc/x", "a~", "a\0b"] {
        assert_eq!(fault(store.set(&user(profile), &secret(b"x"))), StoreFault::Failed);
        assert_eq!(fault(store.get(&user(profile))), StoreFault::Failed);
    }
}

#[test]
fn what_is_too_long_to_be_read_again_is_not_written() {
    let (_home, store, _path) = filled();
    let long = secret(&vec![0; 5 << 20]);
    assert_eq!(fault(store.reserve(&user("a"), long.expose().len())), StoreFault::Failed);
    assert_eq!(fault(store.set(&user("a"), &long)), StoreFault::Failed);
    assert_eq!(read(&store, &user("a")).unwrap(), b"value");
}

#[test]
fn what_a_crash_left_beside_an_entry_is_never_read_and_cut_off_by_the_next_set() {
    let (_home, store, path) = filled();
    let beside = path.with_file_name("a@user~new");
    fs::write(&beside, [1; 10_000]).unwrap();
    assert_eq!(read(&store, &user("a")).unwrap(), b"value");
    store.set(&user("a"), &secret(b"next")).unwrap();
    assert_eq!(read(&store, &user("a")).unwrap(), b"next");
    assert!(!beside.exists());
}

#[test]
fn processes_that_begin_at_once_share_one_key_and_one_installation_id() {
    const CHILDREN: usize = 4;
    let home = tempfile::tempdir().unwrap();
    let is_parent = child::run(
        CHILDREN,
        |number, child| {
            child.env("TEST_HOME", home.path()).env("TEST_NUMBER", number.to_string());
        },
        || {
            let home = PathBuf::from(env::var_os("TEST_HOME").unwrap());
            let number = env::var("TEST_NUMBER").unwrap();
            wait_for_the_others(&home, &number, CHILDREN);
            let data_dir = home.join("data");
            open(&data_dir).set(&user(&number), &secret(number.as_bytes())).unwrap();
            fs::write(home.join(&number), installation_id(&data_dir).unwrap()).unwrap();
        },
    );
    if !is_parent {
        return;
    }
    let store = open(&home.path().join("data"));
    let id = installation_id(&home.path().join("data")).unwrap();
    for number in (0..CHILDREN).map(|number| number.to_string()) {
        assert_eq!(read(&store, &user(&number)).unwrap(), number.as_bytes());
        assert_eq!(fs::read_to_string(home.path().join(number)).unwrap(), id);
    }
}

/// Returns in all processes at about the same moment.
fn wait_for_the_others(home: &Path, number: &str, all: usize) {
    let ready = home.join("ready");
    fs::create_dir_all(&ready).unwrap();
    fs::write(ready.join(number), "").unwrap();
    let begun = Instant::now();
    while fs::read_dir(&ready).unwrap().count() < all {
        assert!(begun.elapsed() < Duration::from_secs(60), "the others are gone");
    }
}

#[cfg(unix)]
mod on_unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn what_is_made_is_for_the_owner_alone_whatever_the_umask() {
        child::run(
            1,
            |_, _| (),
            || {
                for umask in [0, 0o777] {
                    // The home itself is no part of it.
                    rustix::process::umask(Mode::from_raw_mode(0o077));
                    let home = tempfile::tempdir().unwrap();
                    rustix::process::umask(Mode::from_raw_mode(umask));
                    let data_dir = home.path().join("above/data");
                    let store = open(&data_dir);
                    store.set(&user("a"), &secret(b"value")).unwrap();
                    store.reserve(&user("a"), 10).unwrap();
                    installation_id(&data_dir).unwrap();
                    for directory in ["above", "above/data", "above/data/tokens"] {
                        assert_eq!(mode_of(&home.path().join(directory)), 0o700, "{directory}");
                    }
                    for file in ["key", "installation_id", "tokens/a@user", "tokens/a@user~new"] {
                        assert_eq!(mode_of(&data_dir.join(file)), 0o600, "{file}");
                    }
                }
            },
        );
    }

    #[test]
    fn a_key_that_is_open_to_others_is_refused_and_left_so() {
        let (home, _store, _path) = filled();
        let key = home.path().join("key");
        for mode in [0o640, 0o604, 0o660, 0o777] {
            fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(fault(open(home.path()).get(&user("a"))), StoreFault::Denied);
            assert_eq!(fault(open(home.path()).set(&user("a"), &secret(b""))), StoreFault::Denied);
            assert_eq!(mode_of(&key), mode);
        }
    }

    #[test]
    fn the_key_may_be_kept_elsewhere_by_a_link() {
        let (home, _store, _path) = filled();
        let (key, elsewhere) = (home.path().join("key"), home.path().join("elsewhere"));
        fs::rename(&key, &elsewhere).unwrap();
        symlink(&elsewhere, &key).unwrap();
        assert_eq!(read(&open(home.path()), &user("a")).unwrap(), b"value");
    }

    #[test]
    fn nothing_is_written_or_read_through_a_link_in_the_place_of_an_entry() {
        let (_home, store, path) = filled();
        let elsewhere = path.with_file_name("elsewhere");
        fs::write(&elsewhere, "mine").unwrap();
        symlink(&elsewhere, path.with_file_name("a@user~new")).unwrap();
        assert_eq!(fault(store.set(&user("a"), &secret(b"new"))), StoreFault::Failed);
        symlink(&path, path.with_file_name("b@user")).unwrap();
        assert_eq!(fault(store.get(&user("b"))), StoreFault::Corrupt);
        assert_eq!(fs::read(elsewhere).unwrap(), b"mine");
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_holds_nobody_up() {
        let (home, store, path) = filled();
        for path in [&path, &home.path().join("key")] {
            fs::remove_file(path).unwrap();
            mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        }
        assert_eq!(fault(store.get(&user("a"))), StoreFault::Corrupt);
        assert_eq!(fault(open(home.path()).get(&user("a"))), StoreFault::Corrupt);
    }
}

#[cfg(target_os = "linux")]
mod on_a_small_disk {
    use std::io::{self, Write};
    use std::process::Command;

    use super::*;

    /// A file system of 256 KiB; `None` where this user may not mount one.
    struct SmallDisk(TempDir);

    impl SmallDisk {
        fn mount() -> Option<Self> {
            let disk = Self(tempfile::tempdir().unwrap());
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(disk.0.path());
            let mounted = mount.output().is_ok_and(|output| output.status.success());
            if !mounted {
                // Not captured: that a test was skipped must be seen.
                let _ = writeln!(io::stderr(), "skipped: it needs the right to mount");
            }
            mounted.then_some(disk)
        }

        fn fill(&self) {
            fs::write(self.0.path().join("rest"), vec![0; 512 << 10]).unwrap_err();
        }
    }

    impl Drop for SmallDisk {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(self.0.path()).output();
        }
    }

    #[test]
    fn a_full_disk_shows_when_room_is_reserved_and_the_old_value_stays() {
        let Some(disk) = SmallDisk::mount() else { return };
        let store = open(disk.0.path());
        store.set(&user("a"), &secret(b"value")).unwrap();
        assert_eq!(fault(store.reserve(&user("a"), 300 << 10)), StoreFault::Failed);
        assert_eq!(fault(store.set(&user("a"), &secret(&vec![1; 300 << 10]))), StoreFault::Failed);
        assert_eq!(read(&store, &user("a")).unwrap(), b"value");
        disk.fill();
        assert_eq!(fault(store.set(&user("a"), &secret(&[1; 10_000]))), StoreFault::Failed);
        assert_eq!(read(&store, &user("a")).unwrap(), b"value");
        assert_eq!(fs::read_dir(disk.0.path().join("tokens")).unwrap().count(), 1);
    }

    #[test]
    fn what_was_reserved_can_be_set_when_the_disk_is_full() {
        let Some(disk) = SmallDisk::mount() else { return };
        let store = open(disk.0.path());
        store.set(&user("a"), &secret(b"value")).unwrap();
        store.reserve(&user("a"), 100_000).unwrap();
        disk.fill();
        store.set(&user("a"), &secret(&vec![1; 100_000])).unwrap();
        assert_eq!(read(&store, &user("a")).unwrap(), vec![1; 100_000]);
    }
}
