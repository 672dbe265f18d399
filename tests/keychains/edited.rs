//! Items that another program, or a hand, has changed; and large ones.

use oauthctl::sandbox::{Answer, Fault};

use super::{assert_session_lives, counts};
use crate::support::keyring::{self, Keyring};

#[test]
fn an_item_that_was_edited_is_exit_7_by_name_and_stays_until_a_login_says_that_it_replaces_it() {
    keyring::with(Keyring::Unlocked, || {
        let test = keyring::user();
        test.words("login -p bindeo").run().success();
        test.words("login").run().success();
        let whole = keyring::look(&test, "standard@user");
        let utf_16: Vec<u8> = whole.iter().flat_map(|&byte| [byte, 0]).collect();
        let long = b"x".repeat(100_000);
        for edited in [b"by hand", &b""[..], &whole[..whole.len() / 2], &utf_16, &long] {
            keyring::edit(&test, "standard@user", edited);
            let before = counts(&test);
            for command in ["header", "token", "refresh"] {
                let outcome = test.words(command).run().fails_with(7).stderr_lacks("ogged in");
                outcome
                    .stderr_has("the entry standard@user in the keychain store is damaged")
                    .stderr_has("logging in again: oauthctl login --profile standard");
            }
            assert_eq!(counts(&test), before);
            assert!(keyring::look(&test, "standard@user") == edited, "it was overwritten");
            test.words("header -p bindeo").prints_secrets().run().success().stderr_is("");
            let login = test.words("login").run().success();
            login.stderr_has("standard@user in the keychain store is damaged");
            assert_session_lives(&test);
        }
        // As it was, but for a blank at its end that an editor has left.
        let mut whole = keyring::look(&test, "standard@user");
        whole.push(b'\n');
        keyring::edit(&test, "standard@user", &whole);
        assert_session_lives(&test);
        keyring::edit(&test, "standard@user", b"by hand");
        test.words("logout").run().success().stderr_has("warning: nothing was revoked");
        test.words("login").run().success().stderr_lacks("damaged");
    });
}

#[test]
fn a_second_item_of_one_name_is_exit_7_until_both_are_forgotten() {
    keyring::with(Keyring::Unlocked, || {
        let test = keyring::user();
        test.words("login").run().success();
        test.words("login -p bindeo").run().success();
        let username = keyring::username(&test, "standard@user");
        let attributes = ["service", "oauthctl", "username", &username, "target", "default"];
        keyring::store(&[&attributes[..], &["more", "than one"]].concat(), b"second");
        for command in ["header", "token", "refresh", "login"] {
            let outcome = test.words(command).run().fails_with(7).stderr_lacks("ogged in");
            outcome
                .stderr_has("the keychain has more than one item for standard@user")
                .stderr_has("log in again after: oauthctl logout --local --profile standard");
        }
        test.words("header -p bindeo").prints_secrets().run().success().stderr_is("");
        let logout = test.words("logout --local").run().success();
        logout.stderr_has("warning: nothing was revoked: the keychain has more than one item");
        test.words("header").run().fails_with(4);
        test.words("login").run().success();
        assert_session_lives(&test);
    });
}

#[test]
fn an_item_that_is_gone_is_no_session_and_says_so() {
    keyring::with(Keyring::Unlocked, || {
        let test = keyring::user();
        test.words("login").run().success();
        let username = keyring::username(&test, "standard@user");
        keyring::clear(&["service", "oauthctl", "username", &username]);
        let outcome = test.words("header").run().fails_with(4);
        outcome.stderr_has("its entry is gone from the token store");
        test.words("login").run().success();
        assert_session_lives(&test);
    });
}

#[test]
fn a_token_of_a_hundred_kilobytes_is_kept_and_renewed() {
    keyring::with(Keyring::Unlocked, || {
        let test = keyring::user();
        let long = "x".repeat(100_000);
        let answer =
            format!(r#"{{"access_token":"{long}","refresh_token":"r","expires_in":3600}}"#);
        let answer = Answer::new(200).json(answer);
        test.server().behave(|behaviour| {
            behaviour.fault = Some(Fault { answer: Some(answer), ..Fault::default() });
        });
        test.words("login").run().success().stderr_has("store: keychain");
        test.words("refresh").run().success();
        test.words("token").run().success().stdout_is(&format!("{long}\n")).stderr_is("");
        assert!(keyring::look(&test, "standard@user").len() > 100_000);
    });
}
