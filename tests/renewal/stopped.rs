//! Holders of the lock that are suspended, for longer than anybody waits for them.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::evidence::{Journal, is_stored, journal_state, settle};
use super::steps::can_trace;
use super::{DUE, Opens, assert_session_lives, counts, expired, hold_answers, journal};
use super::{logged_in, slot_file, start_asking, wait_until};
use crate::support::{Started, Test};

/// Longer than a command that is given a second for each request waits for the lock.
const LONG: Duration = Duration::from_millis(2500);

/// Starts a command that stops as if by itself, in a system call; a dash and a number tell which of
/// several of one name.
fn start_stopping<'a>(test: &'a Test, words: &str, call: &str) -> Started<'a> {
    let (call, number) = call.split_once('-').unwrap_or((call, "1"));
    let trace = test.secret_file("trace", "");
    let program = env!("CARGO_BIN_EXE_oauthctl");
    // The tracer is in the background: the command itself is ours.
    let options = format!("-D -e trace={call} -e inject={call}:signal=STOP:when={number}");
    let script = format!("exec strace {options} -o '{}' '{program}' {words}", trace.display());
    let started = test.shell(&script).prints_secrets().start();
    wait_until(|| fs::read_to_string(&trace).unwrap().contains("--- stopped by SIGSTOP ---"));
    started
}

/// Who can't wait is told whom it waited for, or is served the token that lives.
#[track_caller]
fn assert_waiters_are_told(test: &Test, holder: &Started<'_>) {
    let name = format!("process {}", holder.pid());
    let old = test.words("token").prints_secrets().run().success().stdout;
    let due = test.words(&format!("token {DUE}")).prints_secrets().run().success();
    due.stdout_is(&old).stderr_has(&name).stderr_has("serves on");
    let waiting = ["refresh --timeout 1s", "logout --timeout 1s", "login --timeout 1s"];
    let waiting = waiting.map(|command| test.words(command).start());
    for waiting in waiting {
        waiting.ends().fails_with(6).stderr_has(&name);
    }
}

#[test]
fn who_waits_for_a_process_that_was_stopped_has_a_live_token_or_is_told_its_id() {
    let test = logged_in();
    let holder = start_asking(&test, "refresh", Duration::from_millis(700));
    holder.signal(Signal::STOP);
    assert_waiters_are_told(&test, &holder);
    holder.signal(Signal::CONT);
    holder.ends().success();
    assert_session_lives(&test);
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (2, 0));
}

#[test]
fn who_waits_with_a_token_that_has_ended_gives_up_at_the_deadline() {
    let test = expired();
    let holder = start_asking(&test, "refresh", Duration::from_millis(700));
    holder.signal(Signal::STOP);
    let outcome = test.words("header --timeout 1s").run().fails_with(6);
    outcome.stderr_has(&format!("process {}", holder.pid()));
    holder.signal(Signal::KILL);
    holder.ends().fails_with(137);
}

#[test]
fn an_answer_that_came_while_its_process_was_stopped_is_not_taken_for_lost() {
    let test = logged_in();
    let holder = start_asking(&test, "refresh --timeout 1s", Duration::from_millis(300));
    holder.signal(Signal::STOP);
    // It has neither time nor patience left.
    thread::sleep(LONG);
    holder.signal(Signal::CONT);
    holder.ends().success();
    assert!(is_stored(&test));
    assert_session_lives(&test);
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (2, 0));
}

#[test]
fn a_process_that_was_stopped_while_it_sent_waits_for_its_answer() {
    if !can_trace() {
        return;
    }
    for call in ["connect", "sendto-1", "sendto-2"] {
        let test = logged_in();
        let holder = start_stopping(&test, "refresh --timeout 1s", call);
        thread::sleep(LONG);
        holder.signal(Signal::CONT);
        let outcome = holder.ends();
        settle(&test);
        assert_eq!(counts(&test).reuse, 0, "{call}: {outcome:?}");
        assert!(is_stored(&test), "{call}: {outcome:?}");
        assert_session_lives(&test);
        assert_eq!(counts(&test).reuse, 0, "{call}: {outcome:?}");
    }
}

#[test]
fn a_process_that_is_stopped_before_it_sends_holds_nobody_up_for_long_and_loses_nothing() {
    if !can_trace() {
        return;
    }
    let test = logged_in();
    let holder = start_stopping(&test, "refresh", "connect");
    assert_eq!(journal_state(&journal(&test)), Journal::Intent);
    assert_waiters_are_told(&test, &holder);
    assert_eq!(counts(&test).refresh_token, 0);
    holder.signal(Signal::CONT);
    holder.ends().success();
    assert_session_lives(&test);
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (2, 0));
}

#[test]
fn a_process_that_is_stopped_between_answer_and_store_stores_it_before_anybody_else_writes() {
    if !can_trace() {
        return;
    }
    for next in ["login", "logout", "refresh"] {
        let test = logged_in();
        let holder = start_stopping(&test, "refresh", "fdatasync");
        assert_eq!(journal_state(&journal(&test)), Journal::Answer);
        assert!(!is_stored(&test));
        assert_waiters_are_told(&test, &holder);
        let opens = Opens::of(&slot_file(&test, "locks", ".lock"));
        let waiting = test.words(next).start();
        opens.wait_for_one();
        holder.signal(Signal::CONT);
        holder.ends().success();
        waiting.ends().success();
        assert!(!journal(&test).exists());
        match next {
            // Nothing brings back what it has forgotten.
            "logout" => drop(test.words("header").run().fails_with(4)),
            // It may join the renewal that it has waited for.
            _ => assert_session_lives(&test),
        }
        assert_eq!(counts(&test).reuse, 0);
    }
}

#[test]
fn a_stopped_process_that_is_killed_leaves_its_answer_to_the_next() {
    if !can_trace() {
        return;
    }
    let test = expired();
    let holder = start_stopping(&test, "header", "fdatasync");
    holder.signal(Signal::KILL);
    holder.ends().fails_with(137);
    hold_answers(&test, Duration::ZERO);
    let token = format!("{}\n", test.access_token());
    test.words("token").prints_secrets().run().success().stdout_is(&token).stderr_is("");
    assert_eq!(counts(&test).refresh_token, 1);
    assert_session_lives(&test);
}
