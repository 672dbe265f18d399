//! Processes that are told to end, or are ended, in the middle of a renewal.

use std::fs;
use std::time::Duration;

use oauthctl::sandbox::{Provider, Reuse};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::{
    DUE, Opens, assert_session_lives, counts, expired, grant_grace, hold_answers, journal,
    logged_in, slot_file, start_asking, wait_until,
};
use crate::support::Started;

#[test]
fn a_signal_during_the_exchange_ends_the_process_once_the_token_is_stored() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        let test = logged_in();
        let running = start_asking(&test, "refresh", Duration::from_millis(700));
        running.signal(signal);
        running.signal(signal);
        running.ends().fails_with(128 + signal.as_raw());
        assert!(!journal(&test).exists());
        let token = format!("{}\n", test.access_token());
        test.words("token").prints_secrets().run().success().stdout_is(&token).stderr_is("");
        assert_session_lives(&test);
        assert_eq!(counts(&test).reuse, 0);
    }
}

#[test]
fn a_signal_before_the_exchange_ends_the_process_at_once() {
    let test = expired();
    let lock = fs::File::options().write(true).open(slot_file(&test, "locks", ".lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    let opens = Opens::of(&slot_file(&test, "locks", ".lock"));
    let waiting = test.words("header").start();
    opens.wait_for_one();
    waiting.signal(Signal::INT);
    waiting.ends().fails_with(130);
    assert_eq!(counts(&test).refresh_token, 0);
}

#[test]
fn a_process_that_is_suspended_during_the_exchange_stores_first_and_stops_then() {
    let test = logged_in();
    let running = start_asking(&test, "refresh", Duration::from_millis(700));
    running.signal(Signal::TSTP);
    let stopped = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", running.pid())).unwrap();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    };
    wait_until(stopped);
    assert!(!journal(&test).exists());
    let token = format!("{}\n", test.access_token());
    test.words("token").prints_secrets().run().success().stdout_is(&token);
    running.signal(Signal::CONT);
    running.ends().success();
}

#[test]
fn after_a_kill_before_the_answer_the_refresh_token_waits_for_the_tokens_end_and_is_tried_once() {
    let test = logged_in();
    let old = test.access_token();
    let running = start_asking(&test, "refresh", Duration::from_secs(3600));
    running.signal(Signal::KILL);
    running.ends().fails_with(137);
    assert!(journal(&test).exists());
    // The server revokes the access token as well when it sees the refresh token again.
    for _ in 0..2 {
        let header = test.words(&format!("header {DUE}")).prints_secrets().run().success();
        header.stdout_is(&format!("Authorization: Bearer {old}\n")).stderr_has("got no answer");
    }
    assert_eq!(counts(&test).refresh_token, 1);
    grant_grace(&test);
    test.words("refresh").run().success();
    assert_eq!(counts(&test).refresh_token, 2);
    assert!(!journal(&test).exists());
    test.server().behave(|behaviour| behaviour.reuse = Reuse::RevokesFamily);
    assert_session_lives(&test);
}

#[test]
fn a_signal_that_is_ignored_from_the_start_stays_ignored() {
    let test = logged_in();
    let before = counts(&test).refresh_token;
    hold_answers(&test, Duration::from_millis(700));
    let running = test.shell("trap '' HUP; oauthctl refresh").start();
    wait_until(|| counts(&test).refresh_token > before);
    kill_process_group(group(&running), Signal::HUP).unwrap();
    running.ends().success();
}

#[test]
fn curl_ends_with_this_program_also_after_a_renewal() {
    let test = expired();
    let url = format!("{}/bytes?n=1000000", test.server().base_url(Provider::Standard));
    let running = test.words("curl -- -sS --limit-rate 10K").arg(url).prints_secrets().start();
    wait_until(|| counts(&test).resource > 0);
    let group = group(&running);
    running.signal(Signal::TERM);
    assert_eq!(running.ends().status, 143);
    wait_until(|| test_kill_process_group(group).is_err());
}

/// The process group that a command leads.
fn group(running: &Started<'_>) -> Pid {
    Pid::from_raw(i32::try_from(running.pid()).unwrap()).unwrap()
}
