//! The key of the file store: without it nothing opens, and so nothing may take its place in silence.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DAMAGES, Thing, aside, assert_session_lives, assert_told, hint, two_users};
use crate::support::{Test, write_private};

fn key(test: &Test) -> PathBuf {
    test.data().join("key")
}

/// Whatever needs the store says so and changes nothing: an old user's command, and a new user's.
#[track_caller]
fn assert_nothing_goes(test: &Test, named: &Path) -> String {
    let before = Thing::at(&test.data().join("tokens"));
    let words = ["header", "refresh", "login", "login -p kabbage", "header -p bindeo"];
    let hints = words.map(|words| hint(&assert_told(test.words(words).run(), named)));
    assert_eq!(Thing::at(&test.data().join("tokens")), before);
    assert!(hints.iter().all(|hint| *hint == hints[0]), "{hints:?}");
    hints[0].clone()
}

#[test]
fn a_damaged_one_is_told_and_never_replaced_and_opens_all_when_it_is_restored() {
    for damage in &DAMAGES {
        eprintln!("{}", damage.name);
        let test = two_users();
        let (key, kept) = (key(&test), fs::read(key(&test)).unwrap());
        (damage.apply)(&key);
        let broken = Thing::at(&key);
        let away = assert_nothing_goes(&test, &key);
        assert_eq!(Thing::at(&key), broken);
        assert_eq!(away, format!("mv {} {}", key.display(), aside(&key).display()));
        test.shell(&away).run().success();
        assert_eq!(Thing::at(&aside(&key)), broken);
        // From a backup.
        write_private(&key, kept);
        assert_session_lives(&test);
    }
}

#[test]
fn a_lost_one_is_told_and_no_other_is_made_until_what_it_sealed_is_given_up() {
    let test = two_users();
    let (key, tokens) = (key(&test), test.data().join("tokens"));
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let away = assert_nothing_goes(&test, &key);
    assert!(!key.exists(), "a new key was made");
    assert_eq!(away, format!("mv {} {}", tokens.display(), aside(&tokens).display()));
    // The other way out: it is found again.
    write_private(&key, &kept);
    assert_session_lives(&test);
    fs::remove_file(&key).unwrap();

    let sealed = fs::read(tokens.join("standard@user")).unwrap();
    test.shell(&away).run().success();
    test.words("header").run().fails_with(4).stderr_has("its entry is gone from the token store");
    test.words("login").run().success();
    assert_session_lives(&test);
    assert_eq!(fs::read(aside(&tokens).join("standard@user")).unwrap(), sealed);
}

#[test]
fn forgetting_all_gives_up_what_a_lost_one_sealed_too() {
    let test = two_users();
    fs::remove_file(key(&test)).unwrap();
    test.words("logout --all --local").run().success();
    test.words("login").run().success();
    assert_session_lives(&test);
}

#[test]
fn one_that_was_changed_into_another_is_told_by_every_entry() {
    // Of form 0, which is nothing but the key itself.
    let test = two_users();
    let kept = fs::read(key(&test)).unwrap();
    fs::write(key(&test), [7; 32]).unwrap();
    for (words, entry) in [
        ("header", "standard@user"),
        ("login", "standard@user"),
        ("header -p bindeo", "bindeo@user"),
    ] {
        let outcome = assert_told(test.words(words).run(), &test.data().join("tokens").join(entry));
        outcome.stderr_has(&format!("another key than {}", key(&test).display()));
    }
    fs::write(key(&test), kept).unwrap();
    assert_session_lives(&test);
}

#[test]
fn one_that_is_kept_elsewhere_and_gone_from_there_is_not_made_anew() {
    let test = two_users();
    let (key, disk) = (key(&test), test.home().join("disk"));
    fs::rename(&key, &disk).unwrap();
    std::os::unix::fs::symlink(&disk, &key).unwrap();
    assert_session_lives(&test);
    fs::rename(&disk, test.home().join("unmounted")).unwrap();
    assert_nothing_goes(&test, &key);
    assert!(key.is_symlink());
    fs::rename(test.home().join("unmounted"), &disk).unwrap();
    assert_session_lives(&test);
}

#[test]
fn the_doctor_names_it_with_what_to_do() {
    let test = two_users();
    let key = key(&test);
    fs::write(&key, "broken").unwrap();
    let doctor = test.words("doctor").run().success();
    let line = doctor.stdout.lines().find(|line| line.contains(&key.display().to_string()));
    let line = line.unwrap_or_else(|| panic!("{doctor:#?}"));
    assert!(line.starts_with("store\terror\t") && line.contains(": mv "), "{line}");
    fs::remove_file(&key).unwrap();
    test.words("doctor").run().success().stdout_has("its key").stdout_has(": mv ");
}
