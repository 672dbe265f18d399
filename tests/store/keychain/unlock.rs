//! A locked keychain, and a person who may be asked to unlock it.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use oauthctl::error::StoreFault;
use oauthctl::store::keychain::KeychainStore;
use oauthctl::store::{Person, Place, Store};

use super::super::{fault, place, read, secret, user};
use super::open;
use crate::support::keyring::{self, Keyring, prompter};

/// What a person was told.
type Told = Arc<Mutex<Vec<String>>>;

/// A place with a person of so much patience, where `a@user` is in a keychain that is locked.
fn locked(home: &std::path::Path, patience: Duration) -> (Place, Told) {
    let told = Told::default();
    let hears = Arc::clone(&told);
    let mut person = Person::new(move |text| hears.lock().unwrap().push(text.to_owned()));
    person.patience = patience;
    let place = Place { person: Some(person), ..place(home) };
    open(&place).set(&user("a"), &secret(b"value")).unwrap();
    keyring::lock();
    (place, told)
}

#[test]
fn who_unlocks_the_keychain_has_what_was_asked_for() {
    keyring::with(Keyring::OnScreen, || {
        let home = tempfile::tempdir().unwrap();
        let (place, _) = locked(home.path(), Duration::from_secs(60));
        let store = open(&place);
        let unlock = || thread::spawn(|| prompter::types(keyring::PASSWORD));
        let person = unlock();
        assert_eq!(read(&store, &user("a")).unwrap(), b"value");
        person.join().unwrap();
        keyring::lock();
        let person = unlock();
        store.set(&user("b"), &secret(b"new")).unwrap();
        person.join().unwrap();
        keyring::lock();
        let person = unlock();
        store.delete(&user("a")).unwrap();
        person.join().unwrap();
        assert_eq!(store.names().unwrap(), [user("b")]);
        keyring::lock();
        let person = unlock();
        assert_eq!(read(&store, &user("a")), None);
        person.join().unwrap();
    });
}

#[test]
fn a_prompt_that_is_dismissed_is_a_refusal() {
    keyring::with(Keyring::OnScreen, || {
        let home = tempfile::tempdir().unwrap();
        let (place, _) = locked(home.path(), Duration::from_secs(60));
        let store = open(&place);
        let dismiss = || thread::spawn(prompter::dismisses);
        let person = dismiss();
        assert_eq!(fault(store.get(&user("a"))), StoreFault::Denied);
        person.join().unwrap();
        let person = dismiss();
        assert_eq!(fault(store.set(&user("a"), &secret(b"new"))), StoreFault::Denied);
        person.join().unwrap();
        let person = dismiss();
        assert_eq!(fault(store.delete(&user("a"))), StoreFault::Denied);
        person.join().unwrap();
    });
}

#[test]
fn a_prompt_that_nobody_answers_is_given_up_on_and_nothing_is_written() {
    keyring::with(Keyring::OnScreen, || {
        let home = tempfile::tempdir().unwrap();
        let patience = Duration::from_secs(3);
        let (attended, told) = locked(home.path(), patience);
        let hurried = Place { timeout: Duration::from_secs(1), ..attended };
        let store = open(&hurried);
        for result in [
            store.get(&user("a")).map(|_| ()),
            store.set(&user("a"), &secret(b"new")),
            store.delete(&user("a")),
        ] {
            let error = result.unwrap_err();
            assert_eq!(error.to_string(), "nobody unlocked the keychain within 3s");
            assert_eq!(fault::<()>(Err(error)), StoreFault::TimedOut);
        }
        let note = "the keychain waits for its prompt to be answered, no longer than 3s";
        assert_eq!(*told.lock().unwrap(), [note; 3]);
        // A list needs no person.
        assert_eq!(fault(store.names()), StoreFault::Locked);
        KeychainStore::probe(&hurried).unwrap();
    });
}

#[test]
fn a_bus_or_a_keychain_that_ends_while_a_prompt_is_open_is_told() {
    keyring::with(Keyring::OnScreen, || {
        let home = tempfile::tempdir().unwrap();
        let (place, _) = locked(home.path(), Duration::from_secs(3));
        let hurried = Place { timeout: Duration::from_secs(1), ..place };
        let store = open(&hurried);
        let caller = thread::spawn(move || store.get(&user("a")));
        prompter::appears();
        keyring::daemon().kill();
        // Nobody says that the prompt has gone: this is as if it were not answered.
        assert_eq!(fault(caller.join().unwrap()), StoreFault::TimedOut);
        let _daemon = keyring::restart();
        keyring::lock();
        let patient = Place { timeout: Duration::from_secs(3600), ..hurried };
        let store = open(&patient);
        let mut asked = keyring::listen();
        let caller = thread::spawn(move || store.get(&user("a")));
        asked.hears("org.freedesktop.Secret.Prompt");
        keyring::bus().kill();
        assert_eq!(fault(caller.join().unwrap()), StoreFault::Absent);
    });
}
