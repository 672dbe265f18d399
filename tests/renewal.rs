//! Renewal as its users have it: many processes, interrupted ones, failing disks, servers and keychains.

pub(crate) mod clocks;
mod crowd;
mod disks;
mod evidence;
mod interrupted;
mod journal;
mod kills;
mod logins;
mod mounts;
mod moved;
mod outage;
mod readonly;
mod retries;
mod servers;
mod steps;
mod stopped;
mod together;

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oauthctl::sandbox::{Counts, Provider, Reuse};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

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

/// Waits until this process holds a lock: then its id stands there.
fn wait_until_held(lock: &Path, by: &Started<'_>) {
    let pid = by.pid().to_string();
    wait_until(|| fs::read_to_string(lock).is_ok_and(|holder| holder == pid));
}

/// Notes that a file is opened: any user may, also of processes that nobody may look into.
struct Opens(OwnedFd);

impl Opens {
    /// From now on.
    fn of(file: &Path) -> Self {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&inotify, file, WatchFlags::OPEN).unwrap();
        Self(inotify)
    }

    /// Waits until one more process has opened it. Two at once would be taken for one.
    fn wait_for_one(&self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.0, &mut buffer);
        wait_until(|| {
            std::iter::repeat_with(|| events.next().is_ok()).take_while(|read| *read).count() > 0
        });
    }
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
