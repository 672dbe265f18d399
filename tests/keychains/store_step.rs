//! A keychain that fails after the server has answered: the token is handed out, and not lost.

use std::time::Duration;

use super::{assert_session_lives, counts, journal};
use crate::support::keyring::{self, Keyring};
use crate::support::{Started, Test};

/// Starts a renewal whose answer the server holds back.
fn start_renewal(test: &Test) -> Started<'_> {
    let before = counts(test).refresh_token;
    test.server().behave(|behaviour| behaviour.delay = Duration::from_secs(2));
    let started = test.words("token --timeout 10s").prints_secrets().start();
    while counts(test).refresh_token == before {
        std::thread::sleep(Duration::from_millis(2));
    }
    test.server().behave(|behaviour| behaviour.delay = Duration::ZERO);
    started
}

/// The new token is handed out with a warning, and the next run finds it where it belongs.
#[track_caller]
fn hands_out_and_keeps(test: &Test, renewal: Started<'_>, why: &str, heal: impl FnOnce()) {
    let renewed = format!("{}\n", test.access_token());
    let outcome = renewal.ends().success().stdout_is(&renewed);
    outcome
        .stderr_has(&format!("warning: the new token could not be stored: {why}"))
        .stderr_has("it is kept in the journal, and the next run puts it in place");
    assert!(journal(test).exists());
    heal();
    let asked = counts(test).refresh_token;
    test.words("token").prints_secrets().run().success().stdout_is(&renewed);
    assert_eq!(counts(test).refresh_token, asked, "what the journal has is asked for again");
    assert!(!journal(test).exists());
    assert_session_lives(test);
}

/// A user whose token has ended.
fn expired() -> Test {
    let test = keyring::user();
    test.server().behave(|behaviour| behaviour.expires_in = Some(0));
    test.words("login").run().success();
    test.server().behave(|behaviour| behaviour.expires_in = None);
    test
}

#[test]
fn a_keychain_that_is_locked_before_the_token_is_stored_loses_nothing() {
    keyring::with(Keyring::Unlocked, || {
        let test = expired();
        let renewal = start_renewal(&test);
        keyring::lock();
        let mut daemon = None;
        hands_out_and_keeps(&test, renewal, "the keychain is locked", || {
            keyring::daemon().kill();
            daemon = Some(keyring::restart());
        });
    });
}

#[test]
fn a_keychain_that_ends_before_the_token_is_stored_loses_nothing() {
    keyring::with(Keyring::Unlocked, || {
        let test = expired();
        let renewal = start_renewal(&test);
        keyring::daemon().kill();
        let mut daemon = None;
        hands_out_and_keeps(&test, renewal, "no keychain answers", || {
            daemon = Some(keyring::restart());
        });
    });
}

#[test]
fn a_keychain_that_hangs_before_the_token_is_stored_loses_nothing() {
    keyring::with(Keyring::Unlocked, || {
        let test = expired();
        let renewal = start_renewal(&test);
        let stopped = keyring::daemon().stop();
        let why = "the keychain did not answer within 10s";
        hands_out_and_keeps(&test, renewal, why, || drop(stopped));
    });
}

#[test]
fn a_keychain_that_is_killed_at_any_moment_of_a_renewal_loses_no_session() {
    keyring::with(Keyring::Unlocked, || {
        let test = expired();
        let mut _daemon = None;
        for run in 0..20 {
            let renewal = test.words("refresh").start();
            // The moments are spread over all that a renewal does.
            std::thread::sleep(Duration::from_millis(5 * run));
            keyring::daemon().kill();
            let ended = renewal.ends();
            assert!([0, 7].contains(&ended.status), "{ended:?}");
            _daemon = Some(keyring::restart());
            let next = test.words("refresh").run();
            assert_eq!(next.status, 0, "run {run}, after {ended:?}: {next:?}");
        }
        assert_session_lives(&test);
    });
}
