//! What the journal is for: an answer that the store did not take.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use oauthctl::sandbox::Fault;

use super::{
    DUE, assert_session_lives, counts, expired, journal, logged_in, slot_file, start_asking,
};
use crate::support::Test;

const PENDING: &str = "it is kept in the journal, and the next run puts it in place";

/// The name under which the file store writes an entry before it moves it into its place.
fn aside(test: &Test) -> PathBuf {
    slot_file(test, "tokens", "~new")
}

/// A session whose ended token was renewed while the store began to fail, right after the exchange.
///
/// A directory in the way stops root as well.
fn unstored() -> Test {
    let test = expired();
    let running = start_asking(&test, "header", Duration::from_millis(700));
    fs::remove_file(aside(&test)).unwrap();
    fs::create_dir(aside(&test)).unwrap();
    let header = format!("Authorization: Bearer {}\n", test.access_token());
    running.ends().success().stdout_is(&header).stderr_has(PENDING);
    test
}

/// The store works again.
fn mend(test: &Test) {
    fs::remove_dir(aside(test)).unwrap();
}

#[test]
fn a_token_that_can_not_be_stored_is_handed_out_and_put_in_place_by_the_next_run() {
    let test = unstored();
    let token = format!("{}\n", test.access_token());
    // As long as the store fails.
    test.words("token").prints_secrets().run().success().stdout_is(&token).stderr_has(PENDING);
    mend(&test);
    test.words("token").prints_secrets().run().success().stdout_is(&token).stderr_is("");
    assert!(!journal(&test).exists());
    assert_eq!(counts(&test).refresh_token, 1);
    assert_session_lives(&test);
    assert_eq!(counts(&test).reuse, 0);
}

#[test]
fn nothing_is_asked_for_while_the_journal_has_the_only_copy() {
    let test = unstored();
    for command in ["refresh", "login"] {
        test.words(command).run().fails_with(7).stderr_has("standard@user");
    }
    assert_eq!((counts(&test).refresh_token, counts(&test).password), (1, 1));
    mend(&test);
    assert_session_lives(&test);
}

#[test]
fn a_refresh_after_a_recovery_renews_what_was_recovered() {
    let test = unstored();
    mend(&test);
    test.words("refresh").run().success().stderr_has("Renewed");
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (2, 0));
}

#[test]
fn a_logout_drops_what_could_not_be_stored_and_nothing_brings_it_back() {
    let test = unstored();
    mend(&test);
    let files = [journal(&test), slot_file(&test, "tokens", "")];
    let kept = files.each_ref().map(|path| fs::read(path).unwrap());
    test.words("logout").run().success();
    // As a backup does, and as a logout leaves it that is killed half-way.
    for (path, bytes) in files.iter().zip(kept) {
        assert!(!path.exists());
        fs::copy(journal_of(&test, &bytes), path).unwrap();
    }
    for command in ["header", "refresh"] {
        test.words(command).run().fails_with(4);
    }
    assert_eq!(counts(&test).refresh_token, 1);
    test.words("login").run().success();
    assert_session_lives(&test);
    assert_eq!(counts(&test).refresh_token, 2);
}

#[test]
fn a_journal_that_is_older_than_the_store_changes_nothing() {
    let test = unstored();
    let old = fs::read(journal(&test)).unwrap();
    mend(&test);
    assert_session_lives(&test);
    fs::copy(journal_of(&test, &old), journal(&test)).unwrap();
    let token = format!("{}\n", test.access_token());
    let due = format!("token {DUE}");
    let renewed = test.words(&due).prints_secrets().run().success();
    assert_ne!(renewed.stdout, token);
    assert!(!journal(&test).exists());
    assert_session_lives(&test);
    assert_eq!(counts(&test).reuse, 0);
}

/// A private file of these bytes.
fn journal_of(test: &Test, bytes: &[u8]) -> PathBuf {
    let path = test.secret_file("journal", "");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_journal_that_is_torn_or_anothers_is_no_answer() {
    let other = unstored();
    let foreign = fs::read(journal(&other)).unwrap();
    mend(&other);
    let half = &foreign[..foreign.len() / 2];
    for bytes in [&b""[..], b"octlj", &vec![0xff; 70_000], half, &foreign] {
        let test = expired();
        fs::create_dir_all(journal(&test).parent().unwrap()).unwrap();
        fs::copy(journal_of(&test, bytes), journal(&test)).unwrap();
        let token = test.words("token").prints_secrets().run().success();
        token.stdout_is(&format!("{}\n", test.access_token()));
        assert!(!journal(&test).exists());
        assert_session_lives(&test);
        assert_eq!(counts(&test).reuse, 0);
    }
}

#[test]
fn an_answer_that_makes_no_sense_is_kept_until_the_profile_is_mended() {
    let test = logged_in();
    let body = r#"{"data":{"access_token":"nested"},"refresh_token":"r2"}"#;
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(200, body)));
    test.words("refresh").run().fails_with(6);
    let due = format!("token {DUE}");
    test.words(&due).prints_secrets().run().success().stderr_has("got no answer");
    assert_eq!(counts(&test).refresh_token, 1);
    let profile = test.config().join("profiles/standard.toml");
    let before = fs::read_to_string(&profile).unwrap();
    fs::write(&profile, before + "[response]\naccess_token = \"/data/access_token\"\n").unwrap();
    test.words(&due).run().success().stdout_is("nested\n").stderr_is("");
    assert!(!journal(&test).exists());
}
