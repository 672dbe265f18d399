//! A keychain whose service hangs, or ends in the middle of a call: told in time, and nothing is lost.

use std::thread;
use std::time::Duration;

use oauthctl::error::{Result, StoreFault};
use oauthctl::store::keychain::KeychainStore;
use oauthctl::store::{Place, Store};

use super::super::{fault, place, read, secret, user};
use super::open;
use crate::support::keyring::{self, Keyring};

/// A call of the store.
type Call = fn(&KeychainStore) -> Result<()>;

/// Every call of a store, over the entry `a@user`.
const CALLS: [Call; 5] = [
    |store| store.get(&user("a")).map(|_| ()),
    |store| store.reserve(&user("a"), 10),
    |store| store.set(&user("a"), &secret(b"new")),
    |store| store.delete(&user("a")),
    |store| store.names().map(|_| ()),
];

#[test]
fn a_keychain_that_hangs_is_given_up_on_and_a_call_that_was_given_up_on_writes_nothing() {
    keyring::with(Keyring::Unlocked, || {
        let home = tempfile::tempdir().unwrap();
        let patient = place(home.path());
        open(&patient).set(&user("a"), &secret(b"old")).unwrap();
        let hurried = Place { timeout: Duration::from_millis(300), ..patient.clone() };
        let stopped = keyring::daemon().stop();
        for call in CALLS {
            let error = call(&open(&hurried)).unwrap_err();
            assert_eq!(error.to_string(), "the keychain did not answer within 300ms");
            assert_eq!(fault::<()>(Err(error)), StoreFault::TimedOut);
        }
        assert_eq!(fault(KeychainStore::probe(&hurried)), StoreFault::TimedOut);
        drop(stopped);
        // The calls that were given up on are behind this one.
        assert_eq!(read(&open(&patient), &user("a")).unwrap(), b"old");
        open(&patient).set(&user("b"), &secret(b"other")).unwrap();
        assert_eq!(read(&open(&patient), &user("a")).unwrap(), b"old");
    });
}

#[test]
fn a_keychain_that_ends_in_the_middle_of_a_call_is_told_and_has_lost_nothing_when_it_is_back() {
    keyring::with(Keyring::Unlocked, || {
        let home = tempfile::tempdir().unwrap();
        // Nobody waits for the deadline: the test does not last so long.
        let place = Place { timeout: Duration::from_secs(3600), ..place(home.path()) };
        open(&place).set(&user("a"), &secret(b"old")).unwrap();
        let mut _daemon = None;
        for call in CALLS {
            let daemon = keyring::daemon();
            let stopped = daemon.stop();
            let mut listener = keyring::listen();
            let store = open(&place);
            let caller = thread::spawn(move || call(&store));
            listener.hears("OpenSession");
            daemon.kill();
            drop(stopped);
            let fault = fault(caller.join().unwrap());
            assert!([StoreFault::TimedOut, StoreFault::Absent].contains(&fault), "{fault:?}");
            assert_eq!(super::fault(call(&open(&place))), StoreFault::Absent);
            _daemon = Some(keyring::restart());
            assert_eq!(read(&open(&place), &user("a")).unwrap(), b"old");
        }
    });
}

#[test]
fn a_bus_that_ends_in_the_middle_of_a_call_is_told_and_nothing_is_lost_when_it_is_back() {
    keyring::with(Keyring::Unlocked, || {
        let home = tempfile::tempdir().unwrap();
        let place = Place { timeout: Duration::from_secs(3600), ..place(home.path()) };
        open(&place).set(&user("a"), &secret(b"old")).unwrap();
        let mut _daemons = None;
        for call in CALLS {
            let stopped = keyring::daemon().stop();
            let mut listener = keyring::listen();
            let store = open(&place);
            let caller = thread::spawn(move || call(&store));
            listener.hears("OpenSession");
            keyring::bus().kill();
            assert_eq!(fault(caller.join().unwrap()), StoreFault::Absent);
            drop(stopped);
            _daemons = Some(keyring::restart_all());
            assert_eq!(read(&open(&place), &user("a")).unwrap(), b"old");
        }
    });
}
