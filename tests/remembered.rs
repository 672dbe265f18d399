//! Which store holds a token is remembered: never a silent "not logged in", never a silent move.
#![cfg(target_os = "linux")]

use serde_json::Value;

use super::support::Test;
use super::support::keyring::{self, Keyring};

const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// A test with no store named, on the bus of this process.
fn on_the_bus() -> Test {
    Test::new().sandbox().env("OAUTHCTL_STORE", "").env(BUS, std::env::var(BUS).unwrap())
}

fn store(test: &Test) -> Value {
    test.words("show -p bindeo --json").run().success().json()[0]["store"].take()
}

#[test]
fn without_a_keychain_it_is_the_encrypted_file_said_once_on_stderr() {
    let test = Test::new().sandbox().env("OAUTHCTL_STORE", "");
    let login = test.words("login -p bindeo").run().success();
    let notes = login.stderr.lines().filter(|line| line.starts_with("note: no keychain"));
    assert_eq!(notes.count(), 1, "{login:?}");
    assert_eq!(store(&test), "file");
    test.words("header -p bindeo").prints_secrets().run().success().stderr_is("");
    test.words("login -p bindeo").run().success().stderr_lacks("note: ");
    test.words("login -p bindeo -q").run().success().stderr_is("");
    test.words("login -p kabbage").run().success().stderr_lacks("note: ");
}

#[test]
fn the_settings_name_a_store_too() {
    let test = Test::new().sandbox().env("OAUTHCTL_STORE", "");
    let test = test.config_file("config.toml", "store = \"file\"\n");
    test.words("login -p bindeo").run().success().stderr_lacks("note: ");
    test.words("header -p bindeo --store none").run().fails_with(7);
    test.words("header -p bindeo").env("OAUTHCTL_STORE", "none").run().fails_with(7);
}

#[test]
fn where_a_keychain_answers_it_keeps_all_that_is_secret() {
    keyring::with(Keyring::Unlocked, || {
        let test = on_the_bus();
        test.words("profile set bindeo client_secret --stdin")
            .stdin("client/secret:1")
            .run()
            .success();
        test.words("login -p bindeo").run().success().stderr_lacks("note: ");
        assert_eq!(store(&test), "keychain");
        test.words("refresh -p bindeo").run().success();
        test.words("token -p bindeo").prints_secrets().run().success();
        assert!(!test.data().join("tokens").exists() && !test.data().join("key").exists());
        test.words("logout -p bindeo").run().success();
        test.words("header -p bindeo").run().fails_with(4);
    });
}

#[test]
fn a_keychain_that_is_locked_or_gone_later_is_exit_7_with_a_hint() {
    keyring::with(Keyring::Unlocked, || {
        let test = on_the_bus();
        test.words("login -p bindeo").run().success();
        for command in ["header", "refresh", "exec -- true"] {
            let run = test.words("-p bindeo").args(command.split(' ')).env(BUS, "").run();
            let code = if command.starts_with("exec") { 125 } else { 7 };
            run.fails_with(code).stderr_has("hint: ").stderr_lacks("logged in");
        }
        test.words("header -p bindeo --store file").run().fails_with(7).stderr_has("migrate");
        test.words("header -p bindeo").prints_secrets().run().success();
        keyring::lock();
        let header = test.words("header -p bindeo --timeout 5s").run().fails_with(7);
        header.stderr_has("hint: unlock the keychain");
        assert_eq!(store(&test), "keychain");
    });
}

#[test]
fn a_login_into_another_store_moves_the_session_there() {
    keyring::with(Keyring::Unlocked, || {
        let test = on_the_bus();
        test.words("login -p bindeo").run().success();
        test.words("login -p bindeo --store file").run().success();
        assert_eq!(store(&test), "file");
        let token = format!("{}\n", test.access_token());
        test.words("token -p bindeo")
            .env(BUS, "")
            .prints_secrets()
            .run()
            .success()
            .stdout_is(&token);
        test.words("header -p bindeo --store keychain").run().fails_with(7);
    });
}

#[test]
fn migrate_moves_sessions_and_secrets_and_can_be_run_again() {
    keyring::with(Keyring::Unlocked, || {
        let test = on_the_bus();
        test.words("client-token -p bindeo --store file").prints_secrets().run().success();
        test.words("login -p bindeo --store file").run().success();
        test.words("profile set kabbage client_secret --stdin --store file")
            .stdin("client/secret:1")
            .run()
            .success();
        let before = test.access_token();
        let migrate = || test.words("store migrate file keychain").run().success();
        migrate().stderr_is("Moved 3 entries from the file store to the keychain store.\n");
        migrate().stderr_is("Moved 0 entries from the file store to the keychain store.\n");
        assert_eq!(store(&test), "keychain");
        assert_eq!(std::fs::read_dir(test.data().join("tokens")).unwrap().count(), 0);
        let token = test.words("token -p bindeo").prints_secrets().run().success();
        token.stdout_is(&format!("{before}\n"));
        test.words("login -p kabbage").run().success();
        test.words("refresh -p bindeo").run().success();
        test.words("store migrate keychain keychain").run().fails_with(2);
        test.words("store migrate keychain none").run().fails_with(2);
        test.words("store migrate keychain file -p bindeo").run().success();
        assert_eq!(store(&test), "file");
        test.words("refresh -p bindeo").run().success();
    });
}
