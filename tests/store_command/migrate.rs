//! `store migrate`: what moves, what stays, and what is told of it.

use std::fs;

use serde_json::{Value, json};

use super::{
    BUS, Stopped, all_files, assert_session_is_whole, assert_session_lives, at_keyring, filled,
    keep_secret, line, machine, machine_entry, names, put, put_line, say_kept_in,
};
use crate::support::Test;
use crate::support::keyring::{self, Keyring};

/// The same machine as [`filled`], with a keyring.
fn filled_at_keyring() -> Test {
    let test = at_keyring(machine());
    test.words("login --store file").run().success();
    test.words("client-token --store file").prints_secrets().run().success();
    let run = test.words("profile set kabbage client_secret --stdin --store file");
    run.stdin("client/secret:1").run().success();
    test
}

/// How many entries each store has.
fn counts(test: &Test) -> [Value; 2] {
    let status = test.words("store status --json").run().success().json();
    let stores = status["stores"].as_array().unwrap();
    ["keychain", "file"].map(|kind| {
        let store = stores.iter().find(|store| store["store"] == kind);
        store.map_or(Value::Null, |store| store["entries"].clone())
    })
}

#[test]
fn all_that_is_kept_moves_there_and_back_and_the_index_keeps_what_it_knew() {
    keyring::with(Keyring::Unlocked, || {
        let test = filled_at_keyring();
        test.words("refresh").run().success();
        let entries = ["standard@user", "kabbage@secret", &machine_entry(&test)].map(str::to_owned);
        let lines = entries.each_ref().map(|entry| line(&test, entry));
        assert_eq!((&lines[0]["generation"], &lines[0]["login"]), (&json!(2), &json!(1)));
        test.words("store migrate file keychain").run().success().stdout_is("");
        assert_eq!(counts(&test), [3, 0]);
        for (entry, before) in entries.iter().zip(&lines) {
            let mut moved = line(&test, entry);
            assert_eq!(moved["store"], "keychain");
            moved["store"] = "file".into();
            assert_eq!(moved, *before);
        }
        assert_session_lives(&test);
        test.words("client-token").prints_secrets().run().success();
        assert_eq!(
            test.server().counts(oauthctl::sandbox::Provider::Standard).client_credentials,
            1
        );
        test.words("store migrate keychain file").run().success();
        assert_eq!(counts(&test), [0, 3]);
        assert_session_lives(&test);
        test.words("login -p kabbage").run().success();
    });
}

#[test]
fn who_is_logged_out_stays_so_and_logs_in_in_the_new_store() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring(machine());
        test.words("login --store file").run().success();
        test.words("logout").run().success();
        let before = line(&test, "standard@user");
        assert_eq!((&before["tombstone"], &before["store"]), (&json!(1), &json!("file")));
        let outcome = test.words("store migrate file keychain").run().success();
        outcome.stderr_is("Moved 0 entries from the file store to the keychain store.\n");
        let after = line(&test, "standard@user");
        assert_eq!((&after["tombstone"], &after["store"]), (&json!(1), &json!("keychain")));
        test.words("header").run().fails_with(4);
        test.words("login").run().success().stderr_has("store: keychain");
        assert_session_lives(&test);
    });
}

#[test]
fn one_profile_moves_alone() {
    keyring::with(Keyring::Unlocked, || {
        let test = filled_at_keyring();
        let outcome = test.words("store migrate file keychain -p kabbage").run().success();
        outcome.stderr_is("Moved 1 entry from the file store to the keychain store.\n");
        assert_eq!(counts(&test), [1, 2]);
        let outcome = test.words("store migrate file keychain -p nobody").run().fails_with(3);
        outcome.stderr_has("no profile named nobody");
        assert_session_lives(&test);
    });
}

#[test]
fn what_can_not_be_moved_is_named_and_the_rest_moves_all_the_same() {
    keyring::with(Keyring::Unlocked, || {
        let test = filled_at_keyring();
        let path = test.data().join("tokens").join(machine_entry(&test));
        fs::write(&path, "damaged").unwrap();
        fs::remove_file(test.data().join("tokens/kabbage@secret")).unwrap();
        put(&test, "index/bindeo@user.json", b"damaged");
        let outcome = test.words("store migrate file keychain").run().fails_with(7);
        for (entry, why) in [("bindeo@user", "is damaged"), (&*machine_entry(&test), "is damaged")]
        {
            let line = format!("error: the entry {entry} was not moved\ncaused by: ");
            assert!(outcome.stderr.contains(&line) && outcome.stderr.contains(why), "{outcome:#?}");
        }
        let outcome =
            outcome.stderr_has("hint: set it aside by fetching another: oauthctl client-token");
        outcome.stderr_has("Moved 1 entry from the file store to the keychain store.\n");
        assert_eq!(fs::read(&path).unwrap(), b"damaged");
        assert_session_lives(&test);
    });
}

#[test]
fn what_a_store_has_lost_is_not_moved() {
    keyring::with(Keyring::Unlocked, || {
        let test = filled_at_keyring();
        fs::remove_file(test.data().join("tokens/standard@user")).unwrap();
        let before = line(&test, "standard@user");
        let outcome = test.words("store migrate file keychain").run().fails_with(7);
        let outcome = outcome.stderr_has("the file store has lost the entry standard@user");
        outcome.stderr_has("hint: ").stderr_has("Moved 2 entries");
        assert_eq!(line(&test, "standard@user"), before);
    });
}

#[test]
fn a_store_that_does_not_answer_is_exit_7_before_anything_is_moved() {
    let test = filled().env("OAUTHCTL_STORE", "");
    let before = all_files(&test);
    let away = test.words("store migrate file keychain").run().fails_with(7);
    away.stderr_has("no session bus can be reached").stderr_has("hint: ");
    let back = test.words("store migrate keychain file").run().fails_with(7);
    back.stderr_has("no session bus can be reached").stderr_has("hint: ");
    assert_eq!(all_files(&test), before);
    assert_session_lives(&test);
}

#[test]
fn a_keychain_that_is_locked_is_exit_7_and_nothing_is_moved() {
    keyring::with(Keyring::Unlocked, || {
        let test = filled_at_keyring();
        test.words("store migrate file keychain -p standard").run().success();
        keyring::lock();
        let before = all_files(&test);
        for words in ["keychain file", "file keychain"] {
            let outcome = test.words(&format!("store migrate {words}")).run().fails_with(7);
            outcome.stderr_has("hint: unlock the keychain");
        }
        assert_eq!(all_files(&test), before);
    });
}

#[test]
fn every_store_but_none_can_be_named() {
    let test = Test::new();
    for words in ["file none", "none file", "file auto", "file nowhere", "file", "kernel kernel"] {
        test.words(&format!("store migrate {words}")).run().fails_with(2);
    }
    for words in ["kernel file", "file kernel", "command file", "file command"] {
        assert_ne!(test.words(&format!("store migrate {words}")).run().status, 2, "{words}");
    }
}

#[test]
fn an_old_copy_goes_with_the_next_run() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring(machine());
        test.words("login --store file").run().success();
        let path = test.data().join("tokens/standard@user");
        let kept = fs::read(&path).unwrap();
        test.words("store migrate file keychain").run().success();
        test.words("refresh").run().success();
        put(&test, "tokens/standard@user", &kept);
        test.words("store migrate file keychain").run().success().stderr_has("Moved 0 entries");
        assert!(!path.exists());
        assert_session_lives(&test);
    });
}

#[test]
fn the_old_copy_that_is_the_only_one_is_moved_once_more() {
    keyring::with(Keyring::Unlocked, || {
        let test = filled_at_keyring();
        // As a run is interrupted that has not erased yet, before the new store loses its memory.
        for entry in ["standard@user", "kabbage@secret"] {
            say_kept_in(&test, entry, "keychain");
        }
        let outcome = test.words("store migrate file keychain").run().success();
        outcome.stderr_has("Moved 3 entries");
        assert_eq!(counts(&test), [3, 0]);
        assert_session_lives(&test);
    });
}

#[test]
fn the_old_copy_of_a_session_that_ended_is_not_taken_for_the_new_one() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring(machine());
        test.words("login --store file").run().success();
        let mut newer = line(&test, "standard@user");
        newer["store"] = "keychain".into();
        newer["generation"] = 2.into();
        put_line(&test, "standard@user", newer);
        let outcome = test.words("store migrate file keychain").run().fails_with(7);
        outcome.stderr_has("the keychain store has lost the entry standard@user");
        test.words("token").run().fails_with(4);
        assert_eq!(counts(&test), [0, 1]);
    });
}

#[test]
fn what_is_in_a_third_store_stays_there() {
    keyring::with(Keyring::Unlocked, || {
        let test = filled_at_keyring();
        say_kept_in(&test, "kabbage@secret", "command");
        test.words("store migrate file keychain").run().success().stderr_has("Moved 2 entries");
        assert_eq!(line(&test, "kabbage@secret")["store"], "command");
    });
}

#[test]
fn an_old_copy_that_can_not_be_removed_is_told_and_shadows_nothing() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring(machine());
        test.words("login --store file").run().success();
        // A directory in the way of the file's removal stops root as well.
        let aside = test.data().join("tokens/standard@user~new");
        fs::create_dir(&aside).unwrap();
        let outcome = test.words("store migrate file keychain").run().fails_with(7);
        outcome
            .stderr_has(
                "error: the entry standard@user is in the keychain store, but its old copy could",
            )
            .stderr_has("Moved 1 entry from the file store to the keychain store.\n");
        assert_session_lives(&test);
        fs::remove_dir(aside).unwrap();
        test.words("store migrate file keychain").run().success();
        assert_eq!(names(&test.data().join("tokens")), [""; 0]);
        assert_session_lives(&test);
    });
}

#[test]
fn two_at_once_and_a_refresh_between_them_lose_nothing() {
    keyring::with(Keyring::Unlocked, || {
        let test = filled_at_keyring();
        for (from, to) in [("file", "keychain"), ("keychain", "file"), ("file", "keychain")] {
            let words = format!("store migrate {from} {to}");
            let migrating = [test.words(&words).start(), test.words(&words).start()];
            let refreshing = test.words("refresh").start();
            let reading: Vec<_> =
                (0..4).map(|_| test.words("token").prints_secrets().start()).collect();
            for started in migrating {
                started.ends().success();
            }
            refreshing.ends().success();
            for started in reading {
                started.ends().success();
            }
            let erased = usize::from(from == "file");
            assert_eq!(counts(&test)[erased], 0);
            assert_session_is_whole(&test);
        }
        assert_session_lives(&test);
    });
}

#[test]
fn moves_against_each_other_leave_every_entry_in_one_store() {
    keyring::with(Keyring::Unlocked, || {
        let test = filled_at_keyring();
        let there = ["store migrate file keychain", "store migrate keychain file"].repeat(3);
        let started: Vec<_> = there.iter().map(|words| test.words(words).start()).collect();
        for started in started {
            started.ends().success();
        }
        let [keychain, file] = counts(&test).map(|count| count.as_u64().unwrap());
        assert_eq!(keychain + file, 3);
        assert_session_lives(&test);
        test.words("store verify").run().success();
    });
}

#[test]
fn who_reads_while_an_entry_moves_finds_it() {
    if !Stopped::is_possible() {
        return;
    }
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring(machine());
        keep_secret_in(&test, "file");
        let line = test.data().join("index/kabbage@secret.json");
        let words = "client-token -p kabbage --no-store";
        // It is about to learn where the secret is, and then looks there in vain.
        let reading = Stopped::at(&test, words, &line);
        test.words("store migrate file keychain").run().success();
        reading.ends().success();
    });
}

fn keep_secret_in(test: &Test, store: &str) {
    let run = test.words(&format!("profile set kabbage client_secret --stdin --store {store}"));
    run.stdin("client/secret:1").run().success();
}

#[test]
fn a_secret_that_is_set_while_it_moves_is_the_one_that_stays() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring(machine());
        keep_secret_in(&test, "file");
        for _ in 0..5 {
            let set = |value: &str| {
                let run = test.words("profile set kabbage client_secret --stdin");
                run.stdin(value).run().success();
            };
            set("an old one");
            let moving = test.words("store migrate file keychain").start();
            set("client/secret:1");
            moving.ends().success();
            test.words("client-token -p kabbage --no-store").prints_secrets().run().success();
            test.words("store migrate keychain file").run().success();
        }
    });
}

#[test]
fn a_keychain_that_comes_back_later_still_has_what_it_had() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring(machine());
        test.words("login --store keychain").run().success();
        keep_secret(&test);
        let run = test.words("store migrate keychain file").env(BUS, "unix:path=/nowhere");
        run.run().fails_with(7).stderr_has("hint: ");
        assert_eq!(counts(&test), [2, 0]);
        assert_session_lives(&test);
    });
}
