//! A renewal taken apart into its system calls: their order, and what is left when it is killed before
//! any of them, or when any of them fails.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use super::evidence::{Evidence, Journal, Newest, assert_sent_once, last_presented, settle};
use super::{assert_session_lives, counts, expired, journal, logged_in};
use crate::support::{Outcome, Test};

/// The calls that change something outside of the process, or take something in from there.
const TELLING: &str = "openat mkdir mkdirat fchmod ftruncate fallocate lseek write fsync fdatasync rename \
    renameat unlink unlinkat flock socket connect setsockopt sendto getrandom ioctl fcntl close exit_group";

/// Those of them that leave something behind, or let something be left.
const CHANGING: &str = "openat mkdir mkdirat fchmod ftruncate fallocate write fsync fdatasync rename \
    renameat unlink unlinkat flock connect sendto exit_group";

/// Those that a disk can fail; of a full one, the second alone.
const OF_A_DISK: [(&str, &str); 2] = [
    (
        "EIO",
        "openat mkdir mkdirat fchmod ftruncate fallocate lseek write fsync fdatasync rename \
        renameat unlink unlinkat flock statx read",
    ),
    ("ENOSPC", "openat mkdir mkdirat ftruncate fallocate write fsync fdatasync rename renameat"),
];

/// Whether a call is one of these.
fn is_among(call: &Call, names: &str) -> bool {
    names.split_whitespace().any(|name| name == call.0)
}

/// Whether strace works here.
pub fn can_trace() -> bool {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    let works = works.is_ok_and(|status| status.success());
    if !works {
        // Not captured: that a test was skipped must be seen.
        let _ = writeln!(io::stderr(), "skipped: it needs strace, and the right to use it");
    }
    works
}

/// A command that runs under strace, with these options, and where that writes.
fn traced(test: &Test, options: &str, words: &str) -> (Outcome, String) {
    // Outside of the home, where everything is searched for secrets.
    let trace: PathBuf = test.secret_file("trace", "");
    let program = env!("CARGO_BIN_EXE_oauthctl");
    let script = format!("exec strace -f {options} -o '{}' '{program}' {words}", trace.display());
    let outcome = test.shell(&script).prints_secrets().run();
    (outcome, fs::read_to_string(trace).unwrap())
}

/// Two workers go through these, each with a session of its own.
fn share<T: Sync>(all: &[T], work: impl Fn(&mut dyn Iterator<Item = &T>) + Sync) {
    thread::scope(|scope| {
        let work = &work;
        for first in [0, 1] {
            scope.spawn(move || work(&mut all.iter().skip(first).step_by(2)));
        }
    });
}

/// A system call, by its name and its number among those of its name.
type Call = (String, usize);

/// The calls of a command.
fn calls(test: &Test, words: &str) -> Vec<Call> {
    let (outcome, trace) = traced(test, "", words);
    outcome.success();
    let main = trace.split(' ').next().unwrap();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let calls = trace.lines().filter_map(|line| line.strip_prefix(main)?.trim().split_once('('));
    let calls = calls.filter(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    let mut number = |name| *numbers.entry(name).and_modify(|n| *n += 1).or_insert(1);
    calls.map(|(name, _)| (name.to_owned(), number(name))).collect()
}

/// Those of them that have one of these names.
fn named(calls: &[Call], names: &str) -> Vec<Call> {
    calls.iter().filter(|call| is_among(call, names)).cloned().collect()
}

/// Kills a command before this call.
#[track_caller]
fn kill_before(test: &Test, (name, number): &Call, words: &str) {
    let options = format!("-e trace={name} -e inject={name}:signal=KILL:when={number}");
    let (outcome, _) = traced(test, &options, words);
    assert_eq!(outcome.status, 137, "{name} {number}: {outcome:?}");
}

#[test]
fn a_kill_before_any_system_call_loses_no_session_but_between_the_two_commits() {
    if !can_trace() {
        return;
    }
    let calls = calls(&logged_in(), "refresh");
    let telling = named(&calls, TELLING);
    let lost = Mutex::new(HashSet::new());
    share(&telling, |telling| {
        let test = logged_in();
        let mut retried = Vec::new();
        for call in telling {
            let before = counts(&test).refresh_token;
            kill_before(&test, call, "refresh");
            let found = Evidence::gather(&test, 0, before);
            if found.newest == Newest::Nowhere {
                assert_eq!(found.journal, Journal::Intent, "{call:?}");
                lost.lock().unwrap().insert(call.clone());
                retried.push(last_presented(&test));
                test.words("refresh").run().fails_with(4);
                test.words("login").run().success();
            } else {
                let next = test.words("refresh").run();
                assert_eq!(next.status, 0, "{call:?}, {found:?}: {next:?}");
            }
        }
        assert_session_lives(&test);
        assert_sent_once(&test, &retried);
        assert_eq!(counts(&test).reuse, retried.len() as u64);
    });
    let at = |name: &str| calls.iter().rposition(|call| call.0 == name).unwrap();
    // From the last piece of the request on, until the journal has the length of the answer.
    let window = named(&calls[at("sendto") + 1..at("fdatasync")], TELLING);
    eprintln!("of {} kills these lose the session: {window:?}", telling.len());
    assert_eq!(lost.into_inner().unwrap(), window.into_iter().collect());
}

#[test]
fn a_login_that_is_killed_before_any_system_call_leaves_the_old_session_or_the_new() {
    if !can_trace() {
        return;
    }
    share(&named(&calls(&logged_in(), "login"), CHANGING), |changing| {
        let test = logged_in();
        for call in changing {
            kill_before(&test, call, "login");
            settle(&test);
            let next = test.words("refresh").run();
            assert_eq!(next.status, 0, "{call:?}: {next:?}");
        }
        assert_session_lives(&test);
        assert_eq!(counts(&test).reuse, 0);
    });
}

#[test]
fn a_first_login_that_is_killed_before_any_system_call_can_be_done_again() {
    if !can_trace() {
        return;
    }
    let new = || Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    share(&named(&calls(&new(), "login"), CHANGING), |changing| {
        let test = new();
        for call in changing {
            kill_before(&test, call, "login");
            let header = test.words("header").prints_secrets().run();
            assert!([0, 4].contains(&header.status), "{call:?}: {header:?}");
            let next = test.words("login").run();
            assert_eq!(next.status, 0, "{call:?}: {next:?}");
            test.words("refresh").run().success();
            fs::remove_dir_all(test.data()).unwrap();
        }
        assert_eq!(counts(&test).reuse, 0);
    });
}

#[test]
fn a_logout_that_is_killed_before_any_system_call_is_done_or_undone() {
    if !can_trace() {
        return;
    }
    share(&named(&calls(&logged_in(), "logout"), CHANGING), |changing| {
        let test = logged_in();
        for call in changing {
            kill_before(&test, call, "logout");
            let next = test.words("refresh").run();
            assert!([0, 4].contains(&next.status), "{call:?}: {next:?}");
            test.words("logout").run().success();
            test.words("header").run().fails_with(4);
            test.words("login").run().success();
        }
        assert_session_lives(&test);
        assert_eq!(counts(&test).reuse, 0);
    });
}

#[test]
fn a_system_call_of_the_disk_that_fails_loses_no_session_whichever_it_is() {
    if !can_trace() {
        return;
    }
    let calls = calls(&logged_in(), "refresh");
    let fault = |(error, names)| {
        calls.iter().filter(move |call| is_among(call, names)).map(move |call| (call, error))
    };
    let faults: Vec<_> = OF_A_DISK.into_iter().flat_map(fault).collect();
    eprintln!("{} faults", faults.len());
    share(&faults, |faults| {
        let test = expired();
        // Ended at once, so that each command renews.
        test.server().behave(|behaviour| behaviour.expires_in = Some(0));
        for (call, error) in faults {
            let (name, number) = call;
            let before = counts(&test).refresh_token;
            let options = format!("-e trace={name} -e inject={name}:error={error}:when={number}");
            let (outcome, _) = traced(&test, &options, "header");
            let found = Evidence::gather(&test, 0, before);
            let told = format!("{error} at {call:?}: {outcome:?}, {found:?}");
            assert_ne!(found.newest, Newest::Nowhere, "{told}");
            if found.granted > 0 && outcome.status == 0 {
                let header = format!("Authorization: Bearer {}\n", test.access_token());
                assert_eq!(outcome.stdout, header, "{told}");
            } else {
                assert!(outcome.status != 0 && outcome.stdout.is_empty(), "{told}");
            }
            let next = test.words("refresh").run();
            assert_eq!(next.status, 0, "{told}, then {next:?}");
        }
        test.server().behave(|behaviour| behaviour.expires_in = None);
        assert_session_lives(&test);
        assert_eq!(counts(&test).reuse, 0);
    });
}

/// Whether strace can tell what a call was told.
fn can_read() -> bool {
    let may = rustix::process::geteuid().is_root();
    if !may {
        let _ =
            writeln!(io::stderr(), "skipped: only root may read in a process without core dumps");
    }
    may && can_trace()
}

/// What a command makes durable, removes and sends, in its order; files below DATA.
fn order(test: &Test, words: &str) -> Vec<String> {
    let options = "-y -e trace=fsync,fdatasync,?rename,?renameat,?unlink,?unlinkat,sendto";
    let (outcome, trace) = traced(test, options, words);
    outcome.success();
    let data = format!("{}/", test.data().display());
    let below = |text: &str| {
        let path = text.split(data.as_str()).last()?;
        let path = path.split(['>', '"']).next()?;
        Some(match path.split_once("/.") {
            Some((directory, _)) => format!("{directory}/.new"),
            None => path.to_owned(),
        })
    };
    let step = |line: &str| {
        let (_, call) = line.split_once(' ')?;
        let (name, arguments) = call.trim().split_once('(')?;
        // They have other names on other machines.
        let name = name.trim_end_matches('2').trim_end_matches("at");
        match name {
            "sendto" => arguments.contains("POST").then(|| "send".to_owned()),
            _ if arguments.contains(&data) => Some(format!("{name} {}", below(arguments)?)),
            _ => None,
        }
    };
    trace.lines().filter_map(step).collect()
}

#[test]
fn what_a_power_cut_must_not_take_is_synced_before_the_next_step() {
    if !can_read() {
        return;
    }
    let test = logged_in();
    assert_session_lives(&test);
    let renewal = [
        // INTENT: nothing is sent before it stands, and room for the new record with it.
        "fsync journals/standard@user.journal",
        "fsync journals",
        "fsync tokens/standard@user~new",
        "send",
        // GOT: the answer stands before anything else is done with it.
        "fdatasync journals/standard@user.journal",
        // STORE: first where the record is, then the record.
        "fsync index/.new",
        "rename index/standard@user.json",
        "fsync index",
        "fsync tokens/standard@user~new",
        "rename tokens/standard@user",
        "fsync tokens",
        // CLEAN: the journal goes when nothing needs it.
        "unlink journals/standard@user.journal",
    ];
    assert_eq!(order(&test, "refresh"), renewal);
}

#[test]
fn a_logout_is_written_down_before_anything_is_removed() {
    if !can_read() {
        return;
    }
    let test = logged_in();
    fs::write(journal(&test), "left over").unwrap();
    let logout = [
        "fsync index/.new",
        "rename index/standard@user.json",
        "fsync index",
        "unlink journals/standard@user.journal",
        "unlink tokens/standard@user~new",
        "unlink tokens/standard@user",
        "fsync tokens",
    ];
    assert_eq!(order(&test, "logout"), logout);
}

#[test]
fn a_login_proves_the_store_before_the_password_is_sent() {
    if !can_read() {
        return;
    }
    let test = logged_in();
    let order = order(&test, "login");
    let sent = order.iter().position(|step| step == "send").unwrap();
    let stored = |steps: &[String]| {
        let at = |step: &str| steps.iter().position(|done| done == step);
        at("rename tokens/standard@user") < at("fsync tokens") && at("fsync tokens").is_some()
    };
    assert!(stored(&order[..sent]), "{order:?}");
    assert!(stored(&order[sent..]), "{order:?}");
    let answered = order[sent..].iter().position(|step| step.starts_with("fdatasync journals/"));
    assert_eq!(answered, Some(1), "{order:?}");
}
