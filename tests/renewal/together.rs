//! Many processes at once: one request, one token.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use super::{Opens, counts, expired, hold_answers, slot_file};
use crate::support::{Outcome, Started, Test};

/// Runs each of these at once, to their ends.
pub fn at_once(test: &Test, commands: &[&str]) -> Vec<Outcome> {
    let started: Vec<_> = commands.iter().map(|words| start(test, words)).collect();
    started.into_iter().map(Started::ends).collect()
}

/// The same; none of them gets the user's lock before each has read what is stored.
fn held_up(test: &Test, commands: &[&str]) -> Vec<Outcome> {
    held_up_at(test, &slot_file(test, "locks", ".lock"), commands, |_| ())
}

/// The same, at any lock; they are shown when all of them wait.
pub fn held_up_at(
    test: &Test,
    path: &Path,
    commands: &[&str],
    waiting: impl FnOnce(&[Started<'_>]),
) -> Vec<Outcome> {
    let lock = File::options().write(true).open(path).unwrap();
    lock.lock().unwrap();
    let opens = Opens::of(path);
    let start = |words: &&str| {
        let started = start(test, words);
        opens.wait_for_one();
        started
    };
    let started: Vec<_> = commands.iter().map(start).collect();
    waiting(&started);
    drop(lock);
    started.into_iter().map(Started::ends).collect()
}

fn start<'a>(test: &'a Test, words: &str) -> Started<'a> {
    test.words(words).prints_secrets().start()
}

/// All ended well, and printed this.
#[track_caller]
pub fn assert_all_print(outcomes: Vec<Outcome>, line: &str) {
    for outcome in outcomes {
        outcome.success().stdout_is(line);
    }
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
    let outcomes = held_up_at(&test, &path, &["client-token --force"; 6], |_| ());
    assert_all_print(outcomes, &format!("{}\n", test.access_token()));
    assert_eq!(test.asked(oauthctl::sandbox::Provider::Kabbage), 2);
}
