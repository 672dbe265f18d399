//! `store migrate`, ended at any step or failing there: the session lives, and a second run completes.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::{assert_session_lives, at_keyring, can_trace, line, machine};
use crate::support::Test;
use crate::support::keyring::{self, Keyring};

/// The calls by which a process changes files, or sees to it that they last; not every machine has
/// all of them.
const CALLS: &[&str] = &[
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "fsync",
    "ftruncate",
    "fallocate",
    "write",
];

/// The call by which it speaks to a keychain.
const SPEAKS: &str = "sendmsg";

/// There, and back.
const WAYS: [(&str, &str); 2] = [("file", "keychain"), ("keychain", "file")];

/// Runs a migration of which the nth such call, in any of its threads, comes to `end`; tells whether
/// there was one.
fn run_with(test: &Test, words: &str, call: &str, nth: usize, end: &str) -> bool {
    let trace = test.home().join("trace");
    let script = format!(
        "exec strace -f -qq -o '{}' -e trace=?{call} -e inject=?{call}:{end}:when={nth} '{}' {words}",
        trace.display(),
        env!("CARGO_BIN_EXE_oauthctl"),
    );
    test.shell(&script).run();
    let calls = fs::read_to_string(&trace).unwrap();
    fs::remove_file(trace).unwrap();
    calls.contains("INJECTED") || calls.contains("killed by SIGKILL")
}

/// A session in the file store, beside a keyring.
fn test() -> Test {
    let test = at_keyring(machine());
    test.words("login --store file").run().success();
    test
}

fn token(test: &Test, what: &str) -> String {
    let token = test.words("token").prints_secrets().run();
    assert_eq!(token.status, 0, "{what}: {token:#?}");
    token.stdout
}

/// The session is there now, and after another run it is in the new store, and in no other.
#[track_caller]
fn assert_can_be_completed(test: &Test, from: &str, to: &str, what: &str) {
    let before = token(test, what);
    let again = test.words(&format!("store migrate {from} {to}")).run();
    assert_eq!(again.status, 0, "{what}: {again:#?}");
    assert_eq!(line(test, "standard@user")["store"], to, "{what}");
    assert_eq!(token(test, what), before, "{what}");
    let verified = test.words("store verify").run();
    // What a kill left half-written is told of once it is a while old, and on a slow machine it is.
    let warns = |line: &str| line.contains("warning") && !line.contains("the temporary file");
    assert!(!verified.stdout.lines().any(warns), "{what}: {verified:#?}");
    assert_eq!(verified.status, 0, "{what}: {verified:#?}");
}

/// Ends a migration in this way at its every step, there and back.
fn at_every_step(calls: &[&str], end: &str) {
    let test = test();
    for (from, to) in WAYS {
        let words = format!("store migrate {from} {to}");
        let mut steps = 0;
        for call in calls {
            for nth in 1.. {
                let came = run_with(&test, &words, call, nth, end);
                if came {
                    steps += 1;
                    let what = format!("{end} at {call} {nth} from {from} to {to}");
                    assert_can_be_completed(&test, from, to, &what);
                }
                test.words(&format!("store migrate {to} {from}")).run().success();
                if !came {
                    break;
                }
            }
        }
        assert!(steps >= 10, "{steps} steps from {from} to {to}");
        test.words(&words).run().success();
    }
    assert_session_lives(&test);
}

#[test]
fn a_kill_at_any_step_loses_nothing_and_a_second_run_completes() {
    if can_trace() {
        let calls = [CALLS, &[SPEAKS]].concat();
        keyring::with(Keyring::Unlocked, || at_every_step(&calls, "signal=KILL"));
    }
}

#[test]
fn a_full_disk_at_any_step_loses_nothing_and_a_second_run_completes() {
    if can_trace() {
        keyring::with(Keyring::Unlocked, || at_every_step(CALLS, "error=ENOSPC"));
    }
}

#[test]
fn a_kill_at_any_moment_loses_nothing_and_a_second_run_completes() {
    keyring::with(Keyring::Unlocked, || {
        let test = test();
        let run = test.words("profile set kabbage client_secret --stdin --store file");
        run.stdin("client/secret:1").run().success();
        let seed = RandomState::new();
        let mut killed = 0;
        for run in 0..30 {
            let (from, to) = WAYS[run % 2];
            let migrating = test.words(&format!("store migrate {from} {to}")).start();
            thread::sleep(Duration::from_micros(seed.hash_one(run) % 200_000));
            migrating.signal(Signal::KILL);
            killed += usize::from(migrating.ends().status == 137);
            let what = format!("{seed:?}, run {run}");
            assert_can_be_completed(&test, from, to, &what);
            assert_eq!(line(&test, "kabbage@secret")["store"], to, "{what}");
        }
        assert!(killed > 0, "{seed:?}: every run ended by itself");
        test.words("client-token -p kabbage --no-store").prints_secrets().run().success();
        assert_session_lives(&test);
    });
}
