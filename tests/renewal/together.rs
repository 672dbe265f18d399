//! Many processes at once: one request, one token.

use std::fs::File;
use std::time::Duration;

use super::{counts, expired, hold_answers, logged_in, slot_file, wait_until_open};
use crate::support::{Outcome, Started, Test};

/// Runs each of these at once, to their ends.
fn at_once(test: &Test, commands: &[&str]) -> Vec<Outcome> {
    let started: Vec<_> = commands.iter().map(|words| start(test, words)).collect();
    started.into_iter().map(Started::ends).collect()
}

/// The same; none of them gets the slot's lock before each has read what is stored.
fn held_up(test: &Test, commands: &[&str]) -> Vec<Outcome> {
    let path = slot_file(test, "locks", ".lock");
    let lock = File::options().write(true).open(&path).unwrap();
    lock.lock().unwrap();
    let started: Vec<_> = commands.iter().map(|words| start(test, words)).collect();
    wait_until_open(&path, &started);
    drop(lock);
    started.into_iter().map(Started::ends).collect()
}

fn start<'a>(test: &'a Test, words: &str) -> Started<'a> {
    test.words(words).prints_secrets().start()
}

/// All ended well, and printed this.
#[track_caller]
fn assert_all_print(outcomes: Vec<Outcome>, line: &str) {
    for outcome in outcomes {
        outcome.success().stdout_is(line);
    }
}

#[test]
fn of_fifty_that_find_a_token_ended_one_asks_and_all_print_the_same_header() {
    let test = expired();
    let outcomes = at_once(&test, &["header"; 50]);
    assert_all_print(outcomes, &format!("Authorization: Bearer {}\n", test.access_token()));
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (1, 0));
}

#[test]
fn of_fifty_that_want_a_machine_token_one_asks() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "kabbage");
    let outcomes = at_once(&test, &["client-token"; 50]);
    assert_all_print(outcomes, &format!("{}\n", test.access_token()));
    assert_eq!(test.asked(oauthctl::sandbox::Provider::Kabbage), 1);
}

#[test]
fn however_slow_the_server_is_it_is_asked_once() {
    let test = expired();
    hold_answers(&test, Duration::from_millis(1500));
    let outcomes = at_once(&test, &["token"; 20]);
    assert_all_print(outcomes, &format!("{}\n", test.access_token()));
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (1, 0));
}

#[test]
fn a_token_that_ends_at_once_is_still_one_for_all_who_waited_for_it() {
    let test = expired();
    test.server().behave(|behaviour| behaviour.expires_in = Some(0));
    let outcomes = held_up(&test, &["token"; 10]);
    assert_all_print(outcomes, &format!("{}\n", test.access_token()));
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (1, 0));
}

#[test]
fn refresh_joins_the_others_as_they_join_it() {
    let test = expired();
    let commands = ["refresh", "header", "token", "refresh --json", "refresh --if-expiring 5m"];
    for outcome in held_up(&test, &commands.repeat(4)) {
        outcome.success();
    }
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (1, 0));
}

#[test]
fn a_forced_machine_token_joins_the_others_too() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "kabbage");
    test.words("client-token").prints_secrets().run().success();
    let locks = std::fs::read_dir(test.data().join("locks")).unwrap();
    let path = locks.flatten().next().unwrap().path();
    let lock = File::options().write(true).open(&path).unwrap();
    lock.lock().unwrap();
    let started: Vec<_> = (0..6).map(|_| start(&test, "client-token --force")).collect();
    wait_until_open(&path, &started);
    drop(lock);
    assert_all_print(
        started.into_iter().map(Started::ends).collect(),
        &format!("{}\n", test.access_token()),
    );
    assert_eq!(test.asked(oauthctl::sandbox::Provider::Kabbage), 2);
}

#[test]
fn ten_rotations_in_a_row_spend_each_refresh_token_once() {
    let test = logged_in();
    for round in 1..=10 {
        for outcome in held_up(&test, &["refresh"; 4]) {
            outcome.success();
        }
        assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (round, 0));
    }
}
