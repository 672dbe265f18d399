//! A locked keychain, and a person at a terminal.

use super::{assert_session_lives, counts};
use crate::support::Test;
use crate::support::keyring::{self, Keyring, prompter};

/// A user whose session is in a keychain that is locked.
fn locked() -> Test {
    let test = keyring::user().env("NO_COLOR", "1");
    test.words("login").run().success();
    keyring::lock();
    test
}

#[test]
fn at_a_terminal_a_person_is_asked_to_unlock_the_keychain_and_has_the_token() {
    keyring::with(Keyring::OnScreen, || {
        let test = locked();
        for command in ["token", "refresh", "login", "logout"] {
            keyring::lock();
            let terminal = test.words(command).prints_secrets().terminal(80);
            prompter::types(keyring::PASSWORD);
            let outcome = terminal.ends().success();
            if command == "token" {
                outcome.stdout_has(&test.access_token());
            }
        }
        assert_eq!((counts(&test).refresh_token, counts(&test).password), (1, 2));
    });
}

#[test]
fn a_prompt_that_is_dismissed_is_exit_7_and_the_session_stays() {
    keyring::with(Keyring::OnScreen, || {
        let test = locked();
        for command in ["header", "refresh", "login", "logout"] {
            let terminal = test.words(command).terminal(200);
            prompter::dismisses();
            let outcome = terminal.ends();
            assert_eq!(outcome.status, 7, "{outcome:?}");
            let hint = "hint: where the keychain's prompt can be seen, answer it after: oauthctl";
            let hint = format!("{hint} {command} --profile standard");
            outcome.stdout_has("prompt to unlock the keychain was dismissed").stdout_has(&hint);
        }
        assert_eq!((counts(&test).refresh_token, counts(&test).password), (0, 1));
        let terminal = test.words("token").prints_secrets().terminal(80);
        prompter::types(keyring::PASSWORD);
        terminal.ends().success().stdout_has(&test.access_token());
        assert_session_lives(&test);
    });
}

#[test]
fn who_does_not_answer_a_prompt_is_told_that_it_waits_and_can_interrupt() {
    keyring::with(Keyring::OnScreen, || {
        let test = locked();
        let waiting = test.words("header --timeout 1s").terminal(200);
        prompter::appears();
        let note = "note: the keychain waits for its prompt to be answered, no longer than 60s";
        assert_eq!(waiting.sees(note).types("\x03").ends().status, 130);
        // The prompt stays on the screen. Who answers it now has unlocked the keychain all the same.
        prompter::types(keyring::PASSWORD);
        assert_session_lives(&test);
        keyring::lock();
        let quiet = test.words("header -q --timeout 1s").terminal(200);
        prompter::appears();
        // Longer than it takes until others are told.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        let outcome = quiet.types("\x03").ends();
        assert!(!outcome.stdout.contains("note:"), "{outcome:?}");
    });
}

#[test]
fn no_input_at_a_terminal_asks_nobody_to_unlock_anything() {
    keyring::with(Keyring::OnScreen, || {
        let test = locked();
        let listener = keyring::listen();
        for command in ["header", "refresh", "login", "logout", "client-token"] {
            let outcome = test.words(command).arg("--no-input").terminal(200).ends();
            assert_eq!(outcome.status, 7, "{outcome:?}");
            outcome.stdout_has("error: the keychain is locked");
        }
        // Nor does anybody need to unlock it who only wants to know what is wrong.
        test.words("doctor").terminal(200).ends().success().stdout_has("the keychain is locked");
        test.words("show").terminal(200).ends().success();
        let calls = listener.calls();
        assert!(calls.contains("SearchItems"), "{calls}");
        assert!(!calls.contains("Unlock") && !calls.contains("Prompt"), "{calls}");
    });
}
