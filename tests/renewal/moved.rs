//! Which store a session is in, with a real keyring: it is remembered, and only a login moves it.

use std::env;
use std::fs;

use oauthctl::sandbox::Provider;
use rustix::process::{Pid, Signal, kill_process_group};

use super::{counts, slot_file, wait_until, wait_until_held};
use crate::support::Test;
use crate::support::keyring::{self, Keyring};

/// A user whose commands find the keyring of this process, and name no store.
pub fn at_keyring() -> Test {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard").env("OAUTHCTL_STORE", "");
    ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"]
        .into_iter()
        .fold(test, |test, name| test.env(name, env::var_os(name).unwrap()))
}

/// How many items the keyring has for this program.
pub fn items() -> usize {
    let mut tool = std::process::Command::new("secret-tool");
    let output = tool.args(["search", "--all", "service", "oauthctl"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.starts_with("label = ")).count()
}

#[track_caller]
fn assert_session_lives(test: &Test) {
    test.words("refresh").run().success();
    let token = format!("{}\n", test.access_token());
    test.words("token").prints_secrets().run().success().stdout_is(&token).stderr_is("");
    assert_eq!(counts(test).reuse, 0);
}

#[test]
fn a_login_moves_the_session_to_the_store_that_it_names_and_leaves_nothing_behind() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring();
        test.words("login --store file").run().success();
        assert_session_lives(&test);
        test.words("login --store keychain").run().success().stderr_has("store: keychain");
        assert!(!slot_file(&test, "tokens", "").exists());
        assert_eq!(items(), 1);
        assert_session_lives(&test);
        test.words("login --store file").run().success().stderr_has("store: file");
        assert_eq!(items(), 0);
        assert_session_lives(&test);
    });
}

#[test]
fn another_store_than_the_remembered_one_is_exit_7() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring();
        test.words("login").run().success().stderr_has("store: keychain");
        for command in ["header", "refresh", "logout"] {
            let outcome = test.words(&format!("{command} --store file")).run().fails_with(7);
            outcome.stderr_has("hint: oauthctl store migrate");
        }
        assert_session_lives(&test);
    });
}

#[test]
fn a_keychain_that_is_locked_or_gone_is_exit_7_and_nobody_is_logged_out() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring();
        test.words("login").run().success();
        for command in ["header", "refresh", "login", "logout"] {
            let nowhere = test.home().join("nowhere");
            let outcome = test
                .words(command)
                .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", nowhere.display()))
                .run();
            outcome.fails_with(7).stderr_has("keychain");
        }
        keyring::lock();
        for command in ["header", "refresh", "login", "logout"] {
            test.words(command).run().fails_with(7).stderr_has("locked");
        }
        assert_eq!((counts(&test).refresh_token, counts(&test).password), (0, 1));
    });
}

#[test]
fn a_login_that_is_interrupted_or_refused_moves_nothing() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring();
        let script = "until [ -e go ]; do sleep 0.01; done; echo wrong";
        let line = format!("password = {{ command = [\"sh\", \"-c\", \"{script}\"] }}\n");
        let test = test.variant("typing", Provider::Standard, &line);
        let test = test.env("OAUTHCTL_PROFILE", "typing");
        let login = test.words("login --store file --password-stdin");
        login.stdin("user/password:1").run().success();
        for ends in [true, false] {
            let login = test.words("login --store keychain").start();
            wait_until_held(&test.data().join("locks/typing@user.login"), &login);
            // It has proved that the keychain can be written, and asks.
            wait_until(|| items() == 1);
            test.words("refresh").run().success();
            if ends {
                // As a terminal does, to all in front of it.
                let group = Pid::from_raw(i32::try_from(login.pid()).unwrap()).unwrap();
                kill_process_group(group, Signal::INT).unwrap();
                login.ends().fails_with(130);
            } else {
                fs::write(test.home().join("go"), "").unwrap();
                login.ends().fails_with(5);
                assert_eq!(items(), 0);
            }
            assert_session_lives(&test);
        }
    });
}

#[test]
fn fifty_processes_and_a_keychain_make_one_request() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring();
        test.server().behave(|behaviour| behaviour.expires_in = Some(0));
        test.words("login").run().success();
        test.server().behave(|behaviour| behaviour.expires_in = None);
        let started: Vec<_> =
            (0..50).map(|_| test.words("token").prints_secrets().start()).collect();
        let outcomes: Vec<_> =
            started.into_iter().map(|started| started.ends().success()).collect();
        for outcome in outcomes {
            outcome.stdout_is(&format!("{}\n", test.access_token()));
        }
        assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (1, 0));
    });
}
