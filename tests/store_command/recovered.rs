//! `store migrate` begins as every writer does: what a renewal left in the journal is not lost on the
//! way, whatever is wrong with the old store or the profile.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use oauthctl::sandbox::{Provider, Reuse};
use rustix::process::Signal;

use super::{assert_session_is_whole, assert_session_lives, at_keyring, machine, wait_until};
use crate::support::keyring::{self, Keyring};
use crate::support::{Started, Test};

/// A session in the file store, whose access token has ended.
fn expired() -> Test {
    let test = at_keyring(machine());
    test.server().behave(|behaviour| behaviour.expires_in = Some(0));
    test.words("login --store file").run().success();
    test.server().behave(|behaviour| behaviour.expires_in = None);
    test
}

/// A renewal that the server has carried out, and whose answer it holds back for so long.
fn start_renewing(test: &Test, time: Duration) -> Started<'_> {
    test.server().behave(|behaviour| behaviour.delay = time);
    let started = test.words("token").prints_secrets().start();
    wait_until(|| requests(test) == 1);
    test.server().behave(|behaviour| behaviour.delay = Duration::ZERO);
    started
}

/// How many renewals the server was asked for.
fn requests(test: &Test) -> u64 {
    test.server().counts(Provider::Standard).refresh_token
}

/// What stands in the way of the file store.
fn obstacle(test: &Test) -> PathBuf {
    test.data().join("tokens/standard@user~new")
}

fn journal(test: &Test) -> PathBuf {
    test.data().join("journals/standard@user.journal")
}

/// A session whose renewal is in the journal alone, since the file store takes nothing any more.
fn unstored() -> Test {
    let test = expired();
    let renewing = start_renewing(&test, Duration::from_millis(700));
    fs::remove_file(obstacle(&test)).unwrap();
    fs::create_dir(obstacle(&test)).unwrap();
    renewing.ends().success().stderr_has("kept in the journal");
    assert!(journal(&test).exists());
    test
}

#[test]
fn an_answer_in_the_journal_moves_with_its_session() {
    keyring::with(Keyring::Unlocked, || {
        let test = unstored();
        fs::remove_dir(obstacle(&test)).unwrap();
        test.words("store migrate file keychain").run().success();
        assert!(!journal(&test).exists());
        assert_session_is_whole(&test);
        assert_eq!(requests(&test), 1);
        assert_session_lives(&test);
    });
}

#[test]
fn an_answer_that_the_old_store_does_not_take_is_taken_by_the_new_one() {
    keyring::with(Keyring::Unlocked, || {
        let test = unstored();
        let outcome = test.words("store migrate file keychain").run().fails_with(7);
        outcome.stderr_has("is in the keychain store, but its old copy could not be removed");
        assert!(!journal(&test).exists());
        assert_session_is_whole(&test);
        assert_eq!(requests(&test), 1);
        fs::remove_dir(obstacle(&test)).unwrap();
        test.words("store migrate file keychain").run().success();
        assert_session_lives(&test);
    });
}

#[test]
fn an_answer_waits_in_the_journal_until_its_profile_is_mended() {
    keyring::with(Keyring::Unlocked, || {
        let test = unstored();
        fs::remove_dir(obstacle(&test)).unwrap();
        let profile = test.config().join("profiles/standard.toml");
        let whole = fs::read_to_string(&profile).unwrap();
        fs::write(&profile, "nonsense = 1\n").unwrap();
        test.words("store migrate file keychain").run().success();
        assert!(journal(&test).exists());
        fs::write(&profile, whole).unwrap();
        assert_session_is_whole(&test);
        assert!(!journal(&test).exists());
        assert_eq!(requests(&test), 1);
        assert_session_lives(&test);
    });
}

#[test]
fn a_request_without_an_answer_is_still_known_in_the_new_store() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring(machine());
        test.words("login --store file").run().success();
        test.server().behave(|behaviour| behaviour.delay = Duration::from_secs(3600));
        let renewing = test.words("refresh").start();
        wait_until(|| requests(&test) == 1);
        renewing.signal(Signal::KILL);
        renewing.ends().fails_with(137);
        test.server().behave(|behaviour| {
            behaviour.delay = Duration::ZERO;
            behaviour.reuse = Reuse::Granted;
        });
        test.words("store migrate file keychain").run().success();
        let served = test.words("header --min-ttl 2h").prints_secrets().run().success();
        served.stderr_has("got no answer");
        assert_eq!(requests(&test), 1);
        test.words("refresh").run().success();
        assert!(!journal(&test).exists());
    });
}
