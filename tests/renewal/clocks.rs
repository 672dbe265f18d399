//! Clocks that are set, that differ, and processes that are stopped: `faketime` shifts the program's.

use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use oauthctl::sandbox::{Provider, Reuse};
use rustix::process::Signal;
use serde_json::Value;

use super::{
    DUE, assert_session_lives, counts, expired, grant_grace, journal, logged_in, start_asking,
};
use crate::support::{Outcome, Run, Test};

/// The library that shifts a program's clock; none on a machine without it.
pub(crate) fn shifter() -> Option<&'static str> {
    static LIBRARY: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        let found = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
        let found = found.ok().filter(|found| found.status.success());
        let found = found.map(|found| String::from_utf8(found.stdout).unwrap().trim().to_owned());
        if found.is_none() {
            eprintln!("skipped: it needs faketime");
        }
        found
    };
    LIBRARY.get_or_init(find).as_deref()
}

/// The command by another clock: `+1d`, or `@2038-01-19 03:14:08`.
fn by<'a>(run: Run<'a>, clock: &str) -> Run<'a> {
    let run = run.env("LD_PRELOAD", shifter().unwrap()).env("FAKETIME", clock);
    run.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1").env("TZ", "UTC")
}

/// The object of `show`.
fn shown(run: Run<'_>) -> Value {
    run.run().success().json()[0].clone()
}

/// Seconds by which one moment is after another, as `show` tells them.
fn seconds_between(from: &Value, to: &Value) -> i64 {
    let moment = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    moment(to).as_second() - moment(from).as_second()
}

/// How often a token was renewed.
type Renewals = fn(&Test) -> u64;

const RENEWED: [(&str, Renewals); 2] = [
    ("token", |test| counts(test).refresh_token),
    ("client-token", |test| counts(test).client_credentials - 1),
];

#[test]
fn a_clock_that_is_set_forward_and_back_costs_one_renewal_each_time() {
    if shifter().is_none() {
        return;
    }
    for (words, renewals) in RENEWED {
        let test = logged_in();
        test.words("client-token").prints_secrets().run().success();
        let at = |clock: &str, renewed: u64| {
            by(test.words(words), clock).prints_secrets().run().success().stderr_is("");
            assert_eq!(renewals(&test), renewed, "{words} at {clock}");
        };
        for (clock, renewed) in
            [("+0", 0), ("+1d", 1), ("+0", 2), ("-1d", 3), ("+0", 4), ("+2d", 5)]
        {
            for _ in 0..3 {
                at(clock, renewed);
            }
        }
        // Ten seconds are no more than two clocks that are right may differ by.
        at("+172790s", 5);
        assert_eq!(counts(&test).reuse, 0);
    }
}

#[test]
fn a_token_from_the_future_is_not_said_to_live_longer_than_it_was_given() {
    if shifter().is_none() {
        return;
    }
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    by(test.words("login"), "+1d").run().success();
    let there = shown(by(test.words("show --json -p standard"), "+1d"));
    let here = shown(test.words("show --json -p standard"));
    let now = jiff::Timestamp::now().to_string();
    let ahead = seconds_between(&Value::from(now), &here["obtained_at"]);
    assert!((86_000..=86_400).contains(&ahead), "the clock was not shifted: {ahead}");
    assert_eq!((&there["status"], &here["status"]), (&"valid".into(), &"expiring".into()));
    let life = seconds_between(&here["obtained_at"], &here["expires_at"]);
    assert_eq!(here["expires_in"], life);
    test.words("show --claims -p standard").run().success().stdout_has("(in at most ");
    let renewed = test.words("token --json").prints_secrets().run().success().json();
    assert!(renewed["expires_in"].as_i64().unwrap() <= life);
    assert_eq!(counts(&test).refresh_token, 1);
}

#[test]
fn a_token_from_the_future_serves_on_where_it_can_not_be_renewed() {
    if shifter().is_none() {
        return;
    }
    let grants = "grants = [\"password\"]\nlogin_grant = \"password\"\n";
    let test = Test::new().sandbox().variant("once", Provider::Standard, grants);
    let test = test.env("OAUTHCTL_PROFILE", "once");
    by(test.words("login"), "+1d").run().success();
    let served = test.words("token").prints_secrets().run().success();
    served.stdout_is(&format!("{}\n", test.access_token())).stderr_has("serves on, for at most");
}

#[test]
fn no_clock_is_too_wrong_to_work_with() {
    if shifter().is_none() {
        return;
    }
    let clocks = ["@1970-01-01 00:00:01", "@2038-01-19 03:14:08", "@2106-02-07 06:28:16"];
    for (login, use_) in [(0, 2), (2, 0), (1, 2), (2, 1)].map(|(a, b)| (clocks[a], clocks[b])) {
        let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
        by(test.words("login"), login).run().success();
        let seen = shown(by(test.words("show --json -p standard"), use_));
        let left = seen["expires_in"].as_i64().unwrap();
        assert!((0..=3600).contains(&left), "{login}, {use_}: {seen}");
        by(test.words("show"), use_).run().success();
        by(test.words("header"), use_).prints_secrets().run().success();
        by(test.words("refresh"), use_).run().success().stderr_has("expires in ");
        assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (2, 0));
    }
}

#[test]
fn a_server_whose_clock_is_wrong_costs_no_renewal() {
    // Where only the JWT tells of its end, it does so by the server's clock.
    let lines = "[response]\nexpires_in = \"/nowhere\"\n";
    for skew in [-86_400, -1800, 1800, 86_400] {
        let test = Test::new().sandbox().variant("far", Provider::Bindeo, lines);
        let test = test.env("OAUTHCTL_PROFILE", "far");
        test.server().behave(|behaviour| behaviour.clock_skew = skew);
        for _ in 0..3 {
            test.words("client-token").prints_secrets().run().success().stderr_is("");
        }
        assert_eq!(test.asked(Provider::Bindeo), 1, "{skew}");
        let seen = shown(test.words("show --json -p far --as client"));
        let left = seen["expires_in"].as_i64().unwrap();
        assert!((60..=86_400).contains(&left), "{skew}: {seen}");
    }
}

/// Stops a refresh while its answer is held back, for longer than the two seconds that it has.
fn stopped(test: &Test, answer_after: Duration) -> Outcome {
    let running = start_asking(test, "refresh --timeout 2s", answer_after);
    running.signal(Signal::STOP);
    thread::sleep(Duration::from_secs(4));
    running.signal(Signal::CONT);
    running.ends()
}

#[test]
fn an_answer_that_came_while_the_process_was_stopped_is_not_lost() {
    for test in [logged_in(), expired()] {
        stopped(&test, Duration::from_millis(500)).success().stderr_has("Renewed");
        assert!(!journal(&test).exists());
        assert_session_lives(&test);
        assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (2, 0));
    }
}

#[test]
fn a_time_out_after_a_stop_is_an_answer_lost() {
    let test = logged_in();
    let old = format!("Authorization: Bearer {}\n", test.access_token());
    stopped(&test, Duration::from_secs(3600)).fails_with(6).stderr_has("timed out after 2s");
    for _ in 0..2 {
        let header = test.words(&format!("header {DUE}")).prints_secrets().run().success();
        header.stdout_is(&old).stderr_has("got no answer");
    }
    assert_eq!(counts(&test).refresh_token, 1);
    grant_grace(&test);
    test.words("refresh").run().success();
    test.server().behave(|behaviour| behaviour.reuse = Reuse::RevokesFamily);
    assert_session_lives(&test);
}
