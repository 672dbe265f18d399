//! Two hundred processes at once.

use std::fs;
use std::time::Instant;

use oauthctl::sandbox::Provider;

use super::together::{assert_all_print, at_once, held_up_at};
use super::{counts, expired, slot_file};
use crate::support::{Started, Test};

/// How many there are.
const ALL: usize = 200;

/// The most memory that any of these processes ever had, in KiB.
fn most_memory(started: &[Started<'_>]) -> u64 {
    let most = |started: &Started<'_>| {
        let status = fs::read_to_string(format!("/proc/{}/status", started.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim_end_matches("kB").trim().parse::<u64>().unwrap()
    };
    started.iter().map(most).max().unwrap()
}

#[test]
fn ten_rotations_among_two_hundred_are_ten_requests_and_one_header_for_all() {
    let test = expired();
    // Each token has ended by the time the next two hundred look at it.
    test.server().behave(|behaviour| behaviour.expires_in = Some(0));
    let lock = slot_file(&test, "locks", ".lock");
    let mut memory = 0;
    let mut took = Vec::new();
    for round in 1..=10 {
        let mut released = None;
        let outcomes = held_up_at(&test, &lock, &["header"; ALL], |waiting| {
            memory = memory.max(most_memory(waiting));
            released = Some(Instant::now());
        });
        took.push(released.unwrap().elapsed().as_millis());
        assert_all_print(outcomes, &format!("Authorization: Bearer {}\n", test.access_token()));
        assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (round, 0));
    }
    eprintln!("{ALL} processes served in {took:?} ms; at most {memory} KiB each");
    assert!(memory < 64 << 10, "{memory} KiB");
}

#[test]
fn of_two_hundred_that_find_a_token_ended_one_asks() {
    let test = expired();
    let begun = Instant::now();
    let outcomes = at_once(&test, &["header"; ALL]);
    eprintln!("{ALL} processes in {} ms", begun.elapsed().as_millis());
    assert_all_print(outcomes, &format!("Authorization: Bearer {}\n", test.access_token()));
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (1, 0));
}

#[test]
fn of_two_hundred_that_want_a_machine_token_one_asks() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "kabbage");
    let begun = Instant::now();
    let outcomes = at_once(&test, &["client-token"; ALL]);
    eprintln!("{ALL} processes in {} ms", begun.elapsed().as_millis());
    assert_all_print(outcomes, &format!("{}\n", test.access_token()));
    assert_eq!(test.asked(Provider::Kabbage), 1);
}
