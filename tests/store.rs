//! One contract, run against every store; and what each store promises besides.
#[cfg(target_os = "linux")]
mod command;
mod file;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod keychain;
mod split;

use std::path::Path;
use std::time::Duration;

use oauthctl::error::{Error, Result, StoreFault};
use oauthctl::secret::Secret;
use oauthctl::store::{EntryName, Place, Store};

/// A place where nobody can be asked anything.
fn place(data_dir: &Path) -> Place {
    Place {
        data_dir: data_dir.to_owned(),
        timeout: Duration::from_secs(30),
        person: None,
        file_key: None,
        helper: None,
    }
}

fn user(profile: &str) -> EntryName {
    EntryName::new(profile, "user")
}

fn secret(bytes: &[u8]) -> Secret<Vec<u8>> {
    Secret::new(bytes.to_vec())
}

fn read(store: &dyn Store, name: &EntryName) -> Option<Vec<u8>> {
    store.get(name).unwrap().map(|value| value.expose().clone())
}

/// The fault that a call must end with.
fn fault<T>(result: Result<T>) -> StoreFault {
    match result {
        Err(Error::Store(error)) => error.fault,
        Err(error) => panic!("no fault of a store: {error}"),
        Ok(_) => panic!("it must fail"),
    }
}

/// What every store keeps to. `open` opens the store of a DATA directory anew.
fn keeps_the_contract(open: &(dyn Fn(&Path) -> Box<dyn Store> + Sync)) {
    keeps_the_contract_in(30, &[1, 100_000, 2559, 2560, 2561, 5120, 0, 100_000, 256], open);
}

/// As [`keeps_the_contract`], with so many writes while others read, and values of these lengths.
fn keeps_the_contract_in(
    writes: u8,
    lengths: &[usize],
    open: &(dyn Fn(&Path) -> Box<dyn Store> + Sync),
) {
    let home = tempfile::tempdir().unwrap();
    let (here, there) = (home.path().join("here"), home.path().join("there"));
    begins_empty(&*open(&here));
    keeps_what_is_set_until_it_is_deleted(&*open(&here));
    keeps_any_bytes(lengths, &*open(&here));
    keeps_names_apart(&*open(&here));
    reserving_changes_nothing(&*open(&here));
    keeps_directories_apart(&*open(&here), &*open(&there));
    shows_readers_whole_values(writes, &|| open(&here));
}

fn begins_empty(store: &dyn Store) {
    assert_eq!(read(store, &user("a")), None);
    store.delete(&user("a")).unwrap();
    assert_eq!(read(store, &user("a")), None);
}

fn keeps_what_is_set_until_it_is_deleted(store: &dyn Store) {
    let name = user("a");
    for value in [&b"first"[..], b"second", b"second", b""] {
        store.set(&name, &secret(value)).unwrap();
        assert_eq!(read(store, &name).unwrap(), value);
    }
    for _ in 0..2 {
        store.delete(&name).unwrap();
        assert_eq!(read(store, &name), None);
    }
    store.set(&name, &secret(b"again")).unwrap();
    assert_eq!(read(store, &name).unwrap(), b"again");
    store.delete(&name).unwrap();
}

fn keeps_any_bytes(lengths: &[usize], store: &dyn Store) {
    let name = user("bytes");
    for &len in lengths {
        let value: Vec<u8> = (0..=255).cycle().take(len).collect();
        store.set(&name, &secret(&value)).unwrap();
        assert!(read(store, &name).unwrap() == value, "{len} bytes");
    }
    store.delete(&name).unwrap();
}

fn keeps_names_apart(store: &dyn Store) {
    let names = [user("a"), user("b"), user("a.b"), EntryName::new("a", "client"), user("a-b")];
    for name in &names {
        store.set(name, &secret(name.as_str().as_bytes())).unwrap();
    }
    store.delete(&names[0]).unwrap();
    assert_eq!(read(store, &names[0]), None);
    let mut listed = store.names().unwrap();
    listed.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    let mut left = names[1..].to_vec();
    left.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    assert_eq!(listed, left);
    for name in &names[1..] {
        assert_eq!(read(store, name).unwrap(), name.as_str().as_bytes());
        store.delete(name).unwrap();
    }
}

fn reserving_changes_nothing(store: &dyn Store) {
    let name = user("a");
    store.reserve(&name, 10_000).unwrap();
    assert_eq!(read(store, &name), None);
    store.set(&name, &secret(b"short")).unwrap();
    assert_eq!(read(store, &name).unwrap(), b"short");
    store.reserve(&name, 10_000).unwrap();
    store.reserve(&name, 20).unwrap();
    assert_eq!(read(store, &name).unwrap(), b"short");
    store.set(&name, &secret(&vec![b'x'; 20_000])).unwrap();
    assert_eq!(read(store, &name).unwrap(), vec![b'x'; 20_000]);
    store.reserve(&name, 10).unwrap();
    store.delete(&name).unwrap();
    assert_eq!(read(store, &name), None);
    assert_eq!(store.names().unwrap(), []);
}

fn keeps_directories_apart(here: &dyn Store, there: &dyn Store) {
    let name = user("a");
    here.set(&name, &secret(b"here")).unwrap();
    assert_eq!(read(there, &name), None);
    assert_eq!(there.names().unwrap(), []);
    there.set(&name, &secret(b"there")).unwrap();
    assert_eq!(read(here, &name).unwrap(), b"here");
    there.delete(&name).unwrap();
    assert_eq!(read(here, &name).unwrap(), b"here");
    here.delete(&name).unwrap();
}

/// Readers at work while an entry is set find one value or the next, never none and never a mix.
fn shows_readers_whole_values(writes: u8, open: &(dyn Fn() -> Box<dyn Store> + Sync)) {
    let name = user("busy");
    let value = |n: u8| vec![n; 1 + usize::from(n) % 3 * 4000];
    open().set(&name, &secret(&value(0))).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let store = open();
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let seen = read(&*store, &name).expect("it was there all the time");
                    assert_eq!(seen, value(seen[0]));
                }
            });
        }
        let store = open();
        // Should a write fail, the readers must end all the same.
        let written = (1..=writes).try_for_each(|n| store.set(&name, &secret(&value(n))));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        written.unwrap();
    });
    open().delete(&name).unwrap();
}
