//! `store verify`: every entry is read, what is broken is named, and what is told to be done mends it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

#[cfg(target_os = "linux")]
use super::Stopped;
use super::{all_files, filled, machine_entry, names, put, say_kept_in};
use crate::support::{Outcome, Test};

/// Another key than any other.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn entry(test: &Test, name: &str) -> PathBuf {
    test.data().join("tokens").join(name)
}

fn flip_last_byte(path: PathBuf) {
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

/// What was verified, a line each: `store entry status`.
fn verified(outcome: &Outcome) -> Vec<String> {
    let word = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
    let list = outcome.json();
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| ["store", "entry", "status"].map(|name| word(row, name)).join(" ")).collect()
}

/// Everything can be read, and nothing is left over.
#[track_caller]
fn assert_all_is_well(test: &Test) {
    let outcome = test.words("store verify --json").run().success().stderr_is("");
    let rows = verified(&outcome);
    assert!(rows.iter().all(|row| row.ends_with(" ok")), "{rows:?}");
}

/// Does what the hints say, in the environment in which they were given.
#[track_caller]
fn do_as_told(test: &Test, hints: &[String], key: &str) {
    for hint in hints {
        let begins = ["oauthctl ", "rm ", "mv "].iter().filter_map(|word| hint.find(word)).min();
        let command = hint[begins.unwrap()..].replace("; oauthctl", " && oauthctl");
        let run = test.shell(&command).stdin("client/secret:1").env("OAUTHCTL_FILE_KEY", key);
        run.prints_secrets().run().success();
    }
}

fn hints(outcome: &Outcome) -> Vec<String> {
    let hints = outcome.stderr.lines().filter_map(|line| line.strip_prefix("hint: "));
    hints.map(str::to_owned).collect()
}

#[test]
fn where_there_is_nothing_all_is_well_and_nothing_is_made() {
    let test = Test::new();
    test.words("store verify").run().success().stdout_is("").stderr_is("");
    test.words("store verify --json").run().success().stdout_is("[]\n");
    test.words("store verify -p nobody").run().fails_with(3).stderr_has("no profile named nobody");
    assert!(!test.data().exists());
}

#[test]
fn every_entry_is_read_and_nothing_is_changed() {
    let test = filled();
    let before = all_files(&test);
    let machine = machine_entry(&test);
    let outcome = test.words("store verify --json").run().success().stderr_is("");
    let ok = |name: &str| format!("file {name} ok");
    assert_eq!(verified(&outcome), [ok("kabbage@secret"), ok(&machine), ok("standard@user")]);
    assert_eq!(
        outcome.json()[0],
        json!({
            "store": "file", "profile": "kabbage", "entry": "kabbage@secret", "status": "ok",
            "message": "it can be read", "advice": null,
        })
    );
    let one = test.words("store verify -p kabbage").run().success();
    one.stdout_is("file\tkabbage@secret\tok\tit can be read\t\n");
    assert_eq!(all_files(&test), before);
    test.words("logout").run().success();
    let outcome = test.words("store verify -p standard").run().success();
    outcome.stdout_has("standard@user\tok\tit is empty\t\n");
}

#[test]
fn what_is_broken_is_named_and_what_is_told_to_be_done_mends_it() {
    type Break = fn(&Test, &str);
    let damaged: Break = |test, name| flip_last_byte(entry(test, name));
    let newer: Break = |test, name| {
        let mut bytes = fs::read(entry(test, name)).unwrap();
        bytes[8] = 99;
        fs::write(entry(test, name), bytes).unwrap();
    };
    let missing: Break = |test, name| fs::remove_file(entry(test, name)).unwrap();
    let line: Break =
        |test, name| fs::write(test.data().join(format!("index/{name}.json")), "x").unwrap();
    for (break_it, says) in
        [(damaged, "is damaged"), (newer, "newer"), (missing, "has lost"), (line, "is damaged")]
    {
        let test = filled();
        let machine = machine_entry(&test);
        for name in ["kabbage@secret", &machine, "standard@user"] {
            break_it(&test, name);
            let broken = all_files(&test);
            let outcome = test.words("store verify --json").run().fails_with(7);
            let errors: Vec<_> =
                outcome.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
            let [error] = errors[..] else { panic!("{outcome:#?}") };
            assert!(error.contains(name) && error.contains(says), "{error}");
            let profile = name.split('@').next().unwrap();
            assert!(hints(&outcome)[0].contains(profile), "{outcome:#?}");
            let other = if profile == "kabbage" { "standard" } else { "kabbage" };
            test.words(&format!("store verify -p {other}")).run().success();
            assert_eq!(all_files(&test), broken);
            do_as_told(&test, &hints(&outcome), "");
            assert_all_is_well(&test);
        }
    }
}

#[test]
fn entries_of_another_key_are_told_from_damaged_ones() {
    let test = filled().secret(KEY);
    let run = |words: &str| test.words(words).env("OAUTHCTL_FILE_KEY", KEY).run();
    let outcome = run("store verify").fails_with(7).stderr_has("with another key");
    assert_eq!(hints(&outcome).len(), 3, "{outcome:#?}");
    outcome.stderr_has("hint: check OAUTHCTL_FILE_KEY; where the key is lost, ");
    assert_all_is_well(&test);
    let outcome = run("store verify").fails_with(7);
    do_as_told(&test, &hints(&outcome), KEY);
    run("store verify").success();
}

#[test]
fn what_is_left_over_is_a_warning_and_can_be_removed_as_told() {
    let test = filled();
    let machine = machine_entry(&test);
    let index = |name: &str| test.data().join(format!("index/{name}.json"));
    for name in ["kabbage@secret", &machine, "standard@user"] {
        fs::remove_file(index(name)).unwrap();
    }
    put(&test, "journals/gone@user.journal", b"left over");
    put(&test, "tokens/standard@user~new", b"left over");
    for path in ["index/.abcdef.new", ".abcdef.new"] {
        let path = put(&test, path, b"left over");
        let old = SystemTime::now() - Duration::from_secs(120);
        File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    put(&test, "index/.justnow.new", b"left over");
    let before = all_files(&test);
    let outcome = test.words("store verify --json").run().success().stderr_is("");
    let warning = |name: &str| format!("file {name} warning");
    let rows = [
        warning("kabbage@secret"),
        warning(&machine),
        warning("standard@user"),
        warning("gone@user"),
        warning("standard@user"),
        "- - warning".to_owned(),
        "- - warning".to_owned(),
    ];
    assert_eq!(verified(&outcome), rows);
    let one = test.words("store verify --json -p kabbage").run().success();
    assert_eq!(verified(&one), rows[..1]);
    assert_eq!(all_files(&test), before);
    let list = outcome.json();
    let advice = list.as_array().unwrap().iter().map(|row| row["advice"].as_str().unwrap());
    // The files first: a login would take one of them away.
    let advice: Vec<_> = advice.rev().map(str::to_owned).collect();
    do_as_told(&test, &advice, "");
    assert_all_is_well(&test);
    assert_eq!(names(&test.data().join("journals")), [""; 0]);
}

#[test]
fn what_is_left_over_is_told_beside_what_is_broken_unless_all_is_to_be_quiet() {
    let test = filled();
    put(&test, "tokens/standard@user~new", b"left over");
    fs::remove_file(entry(&test, "standard@user")).unwrap();
    let loud = test.words("store verify").run().fails_with(7);
    loud.stderr_has("error: the file store has lost").stderr_has("warning: the temporary file");
    let quiet = test.words("store verify -q").run().fails_with(7);
    quiet.stderr_has("error: ").stderr_lacks("warning: ");
}

#[test]
fn the_entry_that_a_killed_logout_left_is_removed_by_another_one() {
    let test = filled();
    let path = entry(&test, "standard@user");
    let kept = fs::read(&path).unwrap();
    test.words("logout").run().success();
    put(&test, "tokens/standard@user", &kept);
    let outcome = test.words("store verify").run().success();
    outcome.stdout_has("standard@user\twarning\tthe file store still has the entry");
    do_as_told(&test, &["oauthctl logout --local --as user --profile standard".to_owned()], "");
    assert_all_is_well(&test);
    assert!(!path.exists());
}

#[test]
fn a_journal_that_can_not_be_read_is_named_with_its_entry() {
    let test = filled();
    let journal = test.data().join("journals/standard@user.journal");
    fs::create_dir(&journal).unwrap();
    let outcome = test.words("store verify").run().fails_with(7);
    let outcome = outcome.stderr_has(journal.to_str().unwrap());
    do_as_told(&test, &hints(&outcome), "");
    assert_all_is_well(&test);
}

#[test]
fn a_store_that_does_not_answer_is_told_once_and_hides_no_other() {
    let test = filled();
    let machine = machine_entry(&test);
    for name in [&machine, "standard@user"] {
        say_kept_in(&test, name, "command");
    }
    flip_last_byte(entry(&test, "kabbage@secret"));
    let outcome = test.words("store verify").run().fails_with(7);
    let errors: Vec<_> =
        outcome.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    let [damaged, silent] = errors[..] else { panic!("{outcome:#?}") };
    assert!(damaged.contains("kabbage@secret"), "{damaged}");
    assert!(silent.contains("2 entries of the command store can't be read: "), "{silent}");
}

/// The lock of the user's entry, as a process has it that is at work.
#[cfg(target_os = "linux")]
fn locked(test: &Test) -> File {
    let path = test.data().join("locks/standard@user.lock");
    let lock = File::options().write(true).open(path).unwrap();
    lock.lock().unwrap();
    lock
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_called_broken_or_left_over_while_somebody_is_at_work_on_it() {
    if !Stopped::is_possible() {
        return;
    }
    let test = filled();
    let lock = locked(&test);
    put(&test, "tokens/standard@user~new", b"left over");
    // An intent, as far as it has been written.
    put(&test, "journals/standard@user.journal", b"octlj");
    assert_all_is_well(&test);
    let path = entry(&test, "standard@user");
    let aside = test.home().join("aside");
    fs::rename(&path, &aside).unwrap();
    let lock_file = test.data().join("locks/standard@user.lock");
    // It has found nothing, and is about to see whether somebody is at work.
    let verifying = Stopped::at(&test, "store verify --json", &lock_file);
    fs::rename(&aside, &path).unwrap();
    fs::remove_file(test.data().join("tokens/standard@user~new")).unwrap();
    drop(lock);
    let rows = verified(&verifying.ends().success());
    assert!(rows.iter().all(|row| row.ends_with(" ok")), "{rows:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn who_is_at_work_for_too_long_is_named() {
    let test = filled();
    let _lock = locked(&test);
    fs::remove_file(entry(&test, "standard@user")).unwrap();
    let outcome = test.words("store verify --timeout 1s").run().fails_with(6);
    outcome.stderr_has("has been at work on the entry standard@user for longer than 2 s");
}

#[cfg(target_os = "linux")]
#[test]
fn renewals_at_the_same_time_are_no_fault() {
    let test = filled();
    let renew = "for n in 1 2 3 4 5 6 7 8 9 10; do oauthctl refresh -q || exit; done; >done";
    let renewing = test.shell(renew).start();
    while !test.home().join("done").exists() {
        assert_all_is_well(&test);
    }
    renewing.ends().success();
    fs::remove_file(test.home().join("done")).unwrap();
}

#[cfg(target_os = "linux")]
mod with_a_keychain {
    use super::super::{at_keyring, machine};
    use super::*;
    use crate::support::keyring::{self, Keyring};

    /// The attributes of the user's item.
    fn attributes(test: &Test) -> Vec<String> {
        let id = fs::read_to_string(test.data().join("installation_id")).unwrap();
        let id = id.split_whitespace().find(|word| word.len() == 32).unwrap();
        let username = format!("standard@user:{id}");
        ["service", "oauthctl", "username", &username, "target", "default"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn an_item_changed_by_hand_is_named_and_mended_as_told() {
        keyring::with(Keyring::Unlocked, || {
            let test = at_keyring(machine());
            test.words("login").run().success();
            assert_all_is_well(&test);
            let attributes = attributes(&test);
            let attributes: Vec<_> = attributes.iter().map(String::as_str).collect();
            keyring::store(&attributes, b"by hand");
            // Whether its journal can be read or not.
            let profile = test.config().join("profiles/standard.toml");
            let whole = fs::read_to_string(&profile).unwrap();
            for profile_text in ["nonsense = 1", &whole] {
                fs::write(&profile, profile_text).unwrap();
                let stays = test.words("store migrate keychain file").run().fails_with(7);
                stays.stderr_has("the entry standard@user in the keychain store is damaged");
            }
            let outcome = test.words("store verify").run().fails_with(7);
            do_as_told(&test, &hints(&outcome.stderr_has("is damaged")), "");
            assert_all_is_well(&test);
            keyring::store(&[&attributes[..], &["more", "than one"]].concat(), b"second");
            test.words("header").run().fails_with(7).stderr_has("hint: ");
            let outcome = test.words("store verify").run().fails_with(7);
            do_as_told(&test, &hints(&outcome.stderr_has("more than one")), "");
            let rows = verified(&test.words("store verify --json").run().success());
            assert_eq!(rows[0], "file standard@user ok");
        });
    }

    #[test]
    fn a_locked_keychain_is_exit_7_and_named_once() {
        keyring::with(Keyring::Unlocked, || {
            let test = at_keyring(machine());
            test.words("login").run().success();
            test.words("client-token").prints_secrets().run().success();
            keyring::lock();
            let outcome = test.words("store verify").run().fails_with(7);
            let lines: Vec<_> = outcome.stderr.lines().collect();
            let [error, hint] = lines[..] else { panic!("{outcome:#?}") };
            let told = "2 entries of the keychain store can't be read: the keychain is locked";
            assert_eq!(error, format!("error: {told}"));
            assert!(hint.starts_with("hint: unlock the keychain"), "{hint}");
        });
    }

    #[test]
    fn an_old_copy_in_another_store_goes_as_told() {
        keyring::with(Keyring::Unlocked, || {
            let test = at_keyring(machine());
            test.words("login --store file").run().success();
            let path = entry(&test, "standard@user");
            let kept = fs::read(&path).unwrap();
            test.words("store migrate file keychain").run().success();
            put(&test, "tokens/standard@user", &kept);
            let outcome = test.words("store verify --json").run().success();
            assert_eq!(
                verified(&outcome),
                ["keychain standard@user ok", "file standard@user warning"]
            );
            let advice = outcome.json()[1]["advice"].as_str().unwrap().to_owned();
            assert_eq!(advice, "oauthctl store migrate file keychain --profile standard");
            do_as_told(&test, &[advice], "");
            assert_all_is_well(&test);
            assert!(!path.exists());
        });
    }

    #[test]
    fn what_a_login_prepares_in_another_store_is_not_left_over() {
        keyring::with(Keyring::Unlocked, || {
            let test = at_keyring(machine());
            let given = test.secret_file("given", "user/password:1");
            let script = format!("until [ -e go ]; do sleep 0.01; done; cat '{}'", given.display());
            let line = format!("password = {{ command = [\"sh\", \"-c\", \"{script}\"] }}\n");
            let test = test.variant("typing", oauthctl::sandbox::Provider::Standard, &line);
            let test = test.env("OAUTHCTL_PROFILE", "typing");
            fs::write(test.home().join("go"), "").unwrap();
            test.words("login --store file").run().success();
            fs::remove_file(test.home().join("go")).unwrap();
            let login = test.words("login --store keychain").start();
            let items = || test.words("store status --json").run().success().json();
            super::super::wait_until(|| items()["stores"][0]["entries"] == 1);
            assert_all_is_well(&test);
            fs::write(test.home().join("go"), "").unwrap();
            login.ends().success();
            assert_all_is_well(&test);
        });
    }
}
