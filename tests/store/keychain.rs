//! The keychain store on a real gnome-keyring, and where there is none.

mod ends;
mod unlock;

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::child;
use crate::support::keyring::{self, Keyring};
use oauthctl::error::StoreFault;
use oauthctl::store::keychain::KeychainStore;
use oauthctl::store::{Person, Place, Store, auto, installation_id};
use oauthctl::terms::StoreKind;

use super::{fault, keeps_the_contract, place, read, secret, user};

fn open(place: &Place) -> KeychainStore {
    KeychainStore::open(place).unwrap()
}

/// Every call ends with this fault; a store chosen by itself is a file.
fn all_end_with(expected: StoreFault, place: &Place) {
    installation_id(&place.data_dir).unwrap();
    let store = open(place);
    assert_eq!(fault(KeychainStore::probe(place)), expected);
    assert_eq!(fault(store.get(&user("a"))), expected);
    assert_eq!(fault(store.reserve(&user("a"), 10)), expected);
    assert_eq!(fault(store.set(&user("a"), &secret(b"value"))), expected);
    assert_eq!(fault(store.delete(&user("a"))), expected);
    assert_eq!(fault(store.names()), expected);
    let (kind, reason) = auto(place);
    assert_eq!(kind, StoreKind::File);
    assert_eq!(fault::<()>(Err(reason.unwrap())), expected);
}

#[test]
fn a_real_keyring_keeps_the_contract() {
    keyring::with(Keyring::Unlocked, || {
        keeps_the_contract(&|data_dir: &Path| Box::new(open(&place(data_dir))));
    });
}

#[test]
fn where_a_keychain_answers_it_is_the_store_of_choice() {
    keyring::with(Keyring::Unlocked, || {
        let home = tempfile::tempdir().unwrap();
        let (kind, reason) = auto(&place(home.path()));
        assert_eq!(kind, StoreKind::Keychain);
        assert!(reason.is_none());
        assert_eq!(home.path().read_dir().unwrap().count(), 0, "asking made something");
    });
}

#[test]
fn a_locked_keychain_is_told_and_nobody_is_asked_who_is_not_there() {
    keyring::with(Keyring::Unlocked, || {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path());
        open(&place).set(&user("a"), &secret(b"value")).unwrap();
        keyring::lock();
        let asked = keyring::listen();
        all_end_with(StoreFault::Locked, &place);
        // Of one that is not there, some keychains could not know it now.
        let (store, other) = (open(&place), user("b"));
        assert_eq!(fault(store.get(&other)), StoreFault::Locked);
        assert_eq!(fault(store.delete(&other)), StoreFault::Locked);
        assert_eq!(fault(store.set(&other, &secret(b""))), StoreFault::Locked);
        let asked = asked.calls();
        assert!(asked.contains("SearchItems"), "{asked}");
        assert!(!asked.contains("Unlock") && !asked.contains("Prompt"), "{asked}");
    });
}

#[test]
fn a_prompt_that_nothing_can_show_is_a_refusal() {
    keyring::with(Keyring::Unlocked, || {
        let home = tempfile::tempdir().unwrap();
        let place = Place { person: Some(Person::new(|_| ())), ..place(home.path()) };
        open(&place).set(&user("a"), &secret(b"value")).unwrap();
        keyring::lock();
        let asked = keyring::listen();
        KeychainStore::probe(&place).unwrap();
        assert_eq!(fault(open(&place).names()), StoreFault::Locked);
        assert!(!asked.calls().contains("Unlock"), "the probe or the list prompts");
        assert_eq!(fault(open(&place).get(&user("a"))), StoreFault::Denied);
        assert_eq!(fault(open(&place).set(&user("a"), &secret(b"new"))), StoreFault::Denied);
        assert_eq!(fault(open(&place).get(&user("b"))), StoreFault::Denied);
    });
}

#[test]
fn without_a_bus_there_is_no_keychain() {
    child::run(
        1,
        |_, child| {
            child.env("XDG_RUNTIME_DIR", "/nowhere");
        },
        || {
            let home = tempfile::tempdir().unwrap();
            all_end_with(StoreFault::Absent, &place(home.path()));
        },
    );
}

#[test]
fn behind_a_stale_address_there_is_no_keychain() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("bus");
    drop(UnixListener::bind(&socket).unwrap());
    let address = format!("unix:path={}", socket.display());
    child::run(
        1,
        |_, child| {
            child.env("DBUS_SESSION_BUS_ADDRESS", &address);
        },
        || {
            let home = tempfile::tempdir().unwrap();
            all_end_with(StoreFault::Absent, &place(home.path()));
        },
    );
}

#[test]
fn on_a_bus_without_a_keyring_there_is_no_keychain() {
    keyring::with(Keyring::Missing, || {
        let home = tempfile::tempdir().unwrap();
        all_end_with(StoreFault::Absent, &place(home.path()));
    });
}

#[test]
fn a_keyring_without_a_collection_is_none_to_keep_anything_in() {
    keyring::with(Keyring::Fresh, || {
        let home = tempfile::tempdir().unwrap();
        for person in [None, Some(Person::new(|_| ()))] {
            let place = Place { person, ..place(home.path()) };
            let error = open(&place).set(&user("a"), &secret(b"value")).unwrap_err();
            assert_eq!(error.to_string(), "the keychain has no default collection");
            all_end_with(StoreFault::Absent, &place);
        }
    });
}

#[test]
fn a_bus_that_never_answers_is_given_up_on() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("bus");
    let _silent = UnixListener::bind(&socket).unwrap();
    let address = format!("unix:path={}", socket.display());
    child::run(
        1,
        |_, child| {
            child.env("DBUS_SESSION_BUS_ADDRESS", &address);
        },
        || {
            let home = tempfile::tempdir().unwrap();
            let timeout = Duration::from_millis(50);
            all_end_with(StoreFault::TimedOut, &Place { timeout, ..place(home.path()) });
        },
    );
}

#[test]
fn what_another_program_wrote_is_handed_over_as_it_is() {
    keyring::with(Keyring::Unlocked, || {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path());
        let attributes = attributes(&place);
        for by_hand in [&b"by hand"[..], b""] {
            keyring::store(&attributes, by_hand);
            assert_eq!(read(&open(&place), &user("a")).unwrap(), by_hand);
        }
        keyring::store(&[&attributes[..], &["more", "than one"]].concat(), b"second");
        all_end_in_ambiguity(&place);
    });
}

#[test]
fn five_hundred_entries_are_listed_and_read_far_within_the_deadline() {
    keyring::with(Keyring::Unlocked, || {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path());
        for n in 0..500 {
            open(&place).set(&user(&format!("p{n}")), &secret(b"value")).unwrap();
        }
        let hurried = Place { timeout: Duration::from_secs(10), ..place };
        assert_eq!(open(&hurried).names().unwrap().len(), 500);
        assert_eq!(read(&open(&hurried), &user("p250")).unwrap(), b"value");
    });
}

#[test]
fn entries_that_come_and_go_keep_no_other_from_being_listed() {
    keyring::with(Keyring::Unlocked, || {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path());
        open(&place).set(&user("stays"), &secret(b"value")).unwrap();
        let fleeting = user("fleeting");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let store = open(&place);
                while !done.load(Ordering::Relaxed) {
                    store.set(&fleeting, &secret(b"value")).unwrap();
                    store.delete(&fleeting).unwrap();
                }
            });
            for _ in 0..200 {
                let names = open(&place).names();
                if names.is_err() {
                    done.store(true, Ordering::Relaxed);
                }
                let mut names = names.unwrap();
                names.retain(|name| *name != fleeting);
                assert_eq!(names, [user("stays")]);
            }
            done.store(true, Ordering::Relaxed);
        });
    });
}

fn all_end_in_ambiguity(place: &Place) {
    let store = open(place);
    assert_eq!(fault(store.get(&user("a"))), StoreFault::Ambiguous);
    assert_eq!(fault(store.reserve(&user("a"), 10)), StoreFault::Ambiguous);
    assert_eq!(fault(store.set(&user("a"), &secret(b"value"))), StoreFault::Ambiguous);
    assert_eq!(store.names().unwrap(), [user("a")]);
    assert_eq!(auto(place).0, StoreKind::Keychain);
}

#[test]
fn who_deletes_an_entry_is_rid_of_every_item_that_answers_to_its_name() {
    keyring::with(Keyring::Unlocked, || {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path());
        let store = open(&place);
        store.set(&user("a"), &secret(b"value")).unwrap();
        store.set(&user("b"), &secret(b"other")).unwrap();
        keyring::store(&[&attributes(&place)[..], &["more", "than one"]].concat(), b"second");
        store.delete(&user("a")).unwrap();
        assert_eq!(store.names().unwrap(), [user("b")]);
    });
}

/// The attributes of the item of `a@user`.
fn attributes(place: &Place) -> [&'static str; 6] {
    let username = format!("a@user:{}", installation_id(&place.data_dir).unwrap());
    ["service", "oauthctl", "username", username.leak(), "target", "default"]
}
