//! `store status`: a look that reads no secret, asks nobody and makes nothing.

use serde_json::{Value, json};

use super::{all_files, filled, put, say_kept_in};
use crate::support::Test;

/// The object, and each store of it by its name.
fn status(test: &Test, words: &str) -> Value {
    let mut status = test.words(&format!("store status --json {words}")).run().success().json();
    let stores = status["stores"].take();
    for store in stores.as_array().unwrap() {
        status[store["store"].as_str().unwrap()] = store.clone();
    }
    status
}

#[test]
fn on_a_new_machine_it_tells_of_an_empty_store_and_makes_nothing() {
    let test = Test::new();
    let status = status(&test, "");
    assert_eq!(
        status["file"],
        json!({
            "store": "file", "status": "ok", "message": null, "entries": 0, "remembered": 0,
            "profiles": [], "location": test.data().join("tokens"),
        })
    );
    test.words("store status").run().success().stdout_has("file\tok\tOAUTHCTL_STORE\t0\t\t");
    assert!(!test.config().exists() && !test.data().exists());
}

#[test]
fn it_tells_which_store_new_entries_go_to_and_who_says_so() {
    let test = Test::new();
    let named = |test: &Test, words: &str| {
        let new = status(test, words)["new_entries"].take();
        format!("{} {}", new["store"].as_str().unwrap(), new["named_by"].as_str().unwrap())
    };
    assert_eq!(named(&test, ""), "file OAUTHCTL_STORE");
    assert_eq!(named(&test, "--store none"), "none --store");
    let test = test.env("OAUTHCTL_STORE", "");
    #[cfg(target_os = "linux")]
    {
        let status = status(&test, "");
        let new = &status["new_entries"];
        assert_eq!((&new["store"], &new["named_by"]), (&json!("file"), &json!("auto")));
        let reason = new["reason"].as_str().unwrap();
        assert!(reason.starts_with("no keychain can be used here: no session bus"), "{reason}");
        assert!(status["keychain"].is_null(), "{status}");
        test.words("store status").run().success().stdout_has("\tno keychain can be used here: ");
    }
    let test = test.config_file("config.toml", "store = \"file\"\n");
    assert_eq!(named(&test, ""), "file config.toml");
}

#[test]
fn it_counts_the_entries_of_each_profile_and_changes_nothing() {
    let test = filled();
    let before = all_files(&test);
    let all = status(&test, "");
    assert_eq!((&all["file"]["entries"], &all["file"]["remembered"]), (&json!(3), &json!(3)));
    assert_eq!(all["file"]["profiles"], json!(["kabbage", "standard"]));
    let one = status(&test, "-p kabbage");
    assert_eq!(
        (&one["file"]["entries"], &one["file"]["profiles"]),
        (&json!(1), &json!(["kabbage"]))
    );
    test.words("store status -p nobody").run().fails_with(3).stderr_has("no profile named nobody");
    assert_eq!(all_files(&test), before);
}

#[test]
fn a_remembered_store_that_can_not_be_reached_is_a_result() {
    let test = filled();
    say_kept_in(&test, "standard@user", "command");
    put(&test, "index/kabbage@secret.json", b"nonsense");
    let outcome = test.words("store status --json").run().success();
    outcome.stderr_has("warning: ").stderr_has("kabbage@secret.json is damaged");
    let command = status(&test, "")["command"].take();
    let expected = json!(["unreachable", null, 1, ["standard"]]);
    let found = ["status", "entries", "remembered", "profiles"].map(|name| command[name].clone());
    assert_eq!(json!(found), expected);
    assert!(!command["message"].as_str().unwrap().is_empty());
    test.words("store status").run().success().stdout_has("command\tunreachable\t\t1?\tstandard\t");
}

#[cfg(target_os = "linux")]
mod with_a_keychain {
    use std::os::unix::net::UnixListener;

    use super::super::{BUS, at_keyring, machine};
    use super::*;
    use crate::support::keyring::{self, Keyring};

    #[test]
    fn a_locked_one_is_told_and_nobody_is_asked() {
        keyring::with(Keyring::Unlocked, || {
            let test = at_keyring(machine());
            test.words("login").run().success();
            let open = status(&test, "");
            assert_eq!(open["new_entries"]["store"], "keychain");
            assert_eq!(
                (&open["keychain"]["status"], &open["keychain"]["entries"]),
                (&json!("ok"), &json!(1))
            );
            keyring::lock();
            let calls = keyring::listen();
            let locked = status(&test, "")["keychain"].take();
            assert_eq!(locked["status"], "locked");
            assert_eq!((&locked["entries"], &locked["remembered"]), (&Value::Null, &json!(1)));
            assert_eq!(locked["message"], "the keychain is locked");
            // A person could be asked, and is not.
            let at_terminal = test.words("store status --color never").terminal(200);
            at_terminal.ends().success().stdout_has("keychain  locked");
            let calls = calls.calls();
            assert!(calls.contains("ReadAlias"), "{calls}");
            assert!(!calls.contains("Unlock") && !calls.contains("GetSecret"), "{calls}");
        });
    }

    #[test]
    fn one_that_never_answers_is_waited_for_once() {
        let test = machine().env("OAUTHCTL_STORE", "");
        let bus = test.home().join("bus");
        let _silent = UnixListener::bind(&bus).unwrap();
        let test = test.env(BUS, format!("unix:path={}", bus.display()));
        let status = status(&test, "--timeout 1s");
        let reason = status["new_entries"]["reason"].as_str().unwrap();
        assert!(reason.contains("did not answer within 1s"), "{reason}");
        assert!(!test.data().exists());
    }
}
