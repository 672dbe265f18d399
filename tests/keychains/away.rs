//! A keychain that is not there, locked or hung, and nobody who could help.

use std::os::unix::net::UnixListener;

use super::{assert_session_lives, counts};
use crate::support::keyring::{self, Keyring};
use crate::support::{Run, Test};

const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// What a user can ask for of a session, and of a slot that is not filled yet.
const COMMANDS: [&str; 7] = [
    "header",
    "token",
    "refresh",
    "login",
    "logout",
    "client-token",
    "profile set standard client_secret --stdin",
];

/// Whatever is asked for is exit 7 with these words, and nothing else happens.
#[track_caller]
fn all_fail(test: &Test, message: &str, hint: &str, with: impl for<'a> Fn(Run<'a>) -> Run<'a>) {
    let before = counts(test);
    for command in COMMANDS {
        let run = with(test.words(command).stdin("client/secret:1"));
        let outcome = run.run().fails_with(7).stderr_has(&format!("error: {message}"));
        let hint = format!("hint: {hint}");
        outcome.stderr_has(&hint).stderr_lacks("ogged in").stderr_lacks("note:");
    }
    assert_eq!(counts(test), before, "something was asked of the server");
    // What is known without the keychain is shown all the same.
    let shown = with(test.words("show --json")).run().success().json();
    let kept = shown.as_array().unwrap().iter().find(|object| object["profile"] == "standard");
    assert_eq!(kept.unwrap()["store"], "keychain");
    let status = with(test.words("store status --json")).run().success().json();
    assert_eq!(status["new_entries"]["store"], "keychain");
    let found = with(test.words("doctor")).run().success().stdout;
    assert!(found.contains(&format!("store\terror\t{message}")), "{found}");
}

fn logged_in() -> Test {
    let test = keyring::user();
    test.words("login").run().success().stderr_has("store: keychain");
    test
}

const NOWHERE: &str = "where no keychain runs, keep tokens in an encrypted file: oauthctl login";

#[test]
fn without_a_bus_a_session_in_a_keychain_is_exit_7_and_waits_for_it() {
    keyring::with(Keyring::Unlocked, || {
        let test = logged_in();
        let stale = test.home().join("stale");
        drop(UnixListener::bind(&stale).unwrap());
        for address in [String::new(), format!("unix:path={}", stale.display())] {
            all_fail(&test, "no session bus can be reached", NOWHERE, |run| {
                run.env(BUS, &address).env("XDG_RUNTIME_DIR", "/nowhere")
            });
        }
        assert_session_lives(&test);
    });
}

#[test]
fn on_a_bus_without_a_keychain_a_session_is_exit_7_and_waits_for_it() {
    keyring::with(Keyring::Unlocked, || {
        let test = logged_in();
        keyring::daemon().kill();
        all_fail(&test, "no keychain answers on the session bus", NOWHERE, |run| run);
        let _daemon = keyring::restart();
        assert_session_lives(&test);
    });
}

#[test]
fn in_a_keychain_without_a_collection_a_session_is_exit_7_and_waits_for_it() {
    keyring::with(Keyring::Unlocked, || {
        let test = logged_in();
        keyring::daemon().kill();
        let fresh = keyring::start_fresh();
        all_fail(&test, "the keychain has no default collection", NOWHERE, |run| run);
        drop(fresh);
        let _daemon = keyring::restart();
        assert_session_lives(&test);
    });
}

#[test]
fn in_a_locked_keychain_a_session_is_exit_7_and_nobody_is_asked_who_is_not_there() {
    keyring::with(Keyring::Unlocked, || {
        let test = logged_in();
        keyring::lock();
        let listener = keyring::listen();
        let hint = "unlock the keychain, or do so when asked at a terminal: oauthctl ";
        all_fail(&test, "the keychain is locked", hint, |run| run);
        let calls = listener.calls();
        assert!(calls.contains("SearchItems"), "{calls}");
        assert!(!calls.contains("Unlock") && !calls.contains("Prompt"), "{calls}");
        keyring::daemon().kill();
        let _daemon = keyring::restart();
        assert_session_lives(&test);
    });
}

#[test]
fn in_a_keychain_that_hangs_a_session_is_exit_7_once_the_timeout_is_over() {
    keyring::with(Keyring::Unlocked, || {
        let test = logged_in();
        let stopped = keyring::daemon().stop();
        let message = "the keychain did not answer within 1s";
        let hint = "unlock or restart the keychain, and see whether it answers: oauthctl doctor";
        all_fail(&test, message, hint, |run| run.arg("--timeout=1s"));
        drop(stopped);
        let silent = test.home().join("silent");
        let _listener = UnixListener::bind(&silent).unwrap();
        let address = format!("unix:path={}", silent.display());
        all_fail(&test, message, hint, |run| run.env(BUS, &address).arg("--timeout=1s"));
        std::fs::remove_file(silent).unwrap();
        assert_session_lives(&test);
    });
}

#[test]
fn a_new_user_whose_keychain_is_locked_keeps_tokens_in_a_file_and_is_told_why() {
    keyring::with(Keyring::Unlocked, || {
        let test = keyring::user();
        keyring::lock();
        let login = test.words("login").run().success().stderr_has("store: file");
        login.stderr_has("note: no keychain can be used here (the keychain is locked), so tokens");
        test.words("login -p bindeo").run().success().stderr_lacks("note:");
        test.words("header").prints_secrets().run().success().stderr_is("");
        // A keychain that is named is the one that is meant.
        test.words("login -p kabbage --store keychain").run().fails_with(7).stderr_has("locked");
    });
}

#[test]
fn what_a_locked_keychain_did_not_take_is_not_remembered_to_be_there() {
    keyring::with(Keyring::Unlocked, || {
        let test = keyring::user();
        keyring::lock();
        let set = "profile set standard client_secret --stdin";
        for command in ["login", "client-token", set] {
            let run = |store: &str| {
                let run = test.words(command).arg(format!("--store={store}")).prints_secrets();
                run.stdin("client/secret:1").run()
            };
            run("keychain").fails_with(7).stderr_has("the keychain is locked");
            run("file").success().stderr_lacks("keychain");
        }
    });
}

#[test]
fn a_keychain_that_was_never_used_must_answer_where_it_is_named() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    for command in ["login", "client-token"] {
        let outcome = test.words(command).arg("--store=keychain").run().fails_with(7);
        outcome.stderr_has("no session bus can be reached");
    }
    assert_eq!(counts(&test).token_requests(), 0);
    let found = test.words("doctor --store keychain").run().success();
    found.stdout_has("store\terror\tno session bus can be reached");
}

#[test]
fn who_has_tokens_in_a_keychain_has_no_new_ones_in_files_while_it_is_locked_or_gone() {
    keyring::with(Keyring::Unlocked, || {
        let test = logged_in();
        // One that is in a file is no leave to put others there.
        test.words("login -p kabbage --store file").run().success();
        keyring::lock();
        for command in ["login", "client-token"] {
            let run = || test.words(command).arg("-p=bindeo");
            run().run().fails_with(7).stderr_has("the keychain is locked");
            run().env(BUS, "").run().fails_with(7).stderr_has("no session bus");
            run().arg("--no-input").run().fails_with(7);
        }
        let entries = std::fs::read_dir(test.data().join("tokens")).unwrap();
        let entries: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(entries, ["kabbage@user"]);
        test.words("login -p bindeo --store file").run().success();
        // Once nothing is kept there any more, it is no longer the store of choice.
        keyring::daemon().kill();
        let _daemon = keyring::restart();
        test.words("logout").run().success();
        keyring::lock();
        test.words("login -p musement").run().success().stderr_has("store: file");
    });
}
