//! Renewal as its users have it: many processes, interrupted ones, failing disks, servers and keychains.

mod clocks;
mod interrupted;
mod journal;
mod logins;
mod moved;
mod outage;
mod retries;
mod servers;
mod together;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oauthctl::sandbox::{Counts, Provider, Reuse};

use super::support::{Started, Test};

/// Never reached unless something hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// The longest life of the sandbox's tokens is an hour: with this they are due, and live.
const DUE: &str = "--min-ttl 2h";

/// A machine on which a user has logged in at the strictest of servers.
fn logged_in() -> Test {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.words("login").run().success();
    test
}

/// The same, with an access token that has ended.
fn expired() -> Test {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.server().behave(|behaviour| behaviour.expires_in = Some(0));
    test.words("login").run().success();
    test.server().behave(|behaviour| behaviour.expires_in = None);
    test
}

fn counts(test: &Test) -> Counts {
    test.server().counts(Provider::Standard)
}

/// The server holds answers back from now on; zero ends that.
fn hold_answers(test: &Test, time: Duration) {
    test.server().behave(|behaviour| behaviour.delay = time);
}

/// The server takes a spent refresh token as well, as one with a grace period does.
fn grant_grace(test: &Test) {
    test.server().behave(|behaviour| behaviour.reuse = Reuse::Granted);
}

/// Waits until it is so.
#[track_caller]
fn wait_until(mut so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !so() {
        assert!(Instant::now() < end, "it never happens");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Starts a command that asks for a renewal, whose answer the server holds back for so long.
///
/// When this returns the server has carried the renewal out.
fn start_asking<'a>(test: &'a Test, words: &str, time: Duration) -> Started<'a> {
    let before = counts(test).refresh_token;
    hold_answers(test, time);
    let started = test.words(words).prints_secrets().start();
    wait_until(|| counts(test).refresh_token > before);
    hold_answers(test, Duration::ZERO);
    started
}

/// A file below DATA of the user's slot.
fn slot_file(test: &Test, directory: &str, ending: &str) -> PathBuf {
    test.data().join(directory).join(format!("standard@user{ending}"))
}

fn journal(test: &Test) -> PathBuf {
    slot_file(test, "journals", ".journal")
}

/// Waits until every one of these processes has the file open.
fn wait_until_open(file: &Path, started: &[Started<'_>]) {
    let open =
        |pid: u32| {
            let descriptors = fs::read_dir(format!("/proc/{pid}/fd"));
            descriptors.into_iter().flatten().flatten().any(|descriptor| {
                fs::read_link(descriptor.path()).is_ok_and(|target| target == file)
            })
        };
    wait_until(|| started.iter().all(|started| open(started.pid())));
}

/// The last refresh token that was handed out still works, and the access token too.
#[track_caller]
fn assert_session_lives(test: &Test) {
    test.words("refresh").run().success().stderr_has("Renewed");
    test.words("token")
        .prints_secrets()
        .run()
        .success()
        .stdout_is(&format!("{}\n", test.access_token()));
}
