//! Directories that can't be written: what is fresh is served, and nothing is spent that could not be kept.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::evidence::is_stored;
use super::mounts::{mount, with_mounts};
use super::{DUE, assert_session_lives, counts, logged_in};
use crate::support::{Test, child};

/// DATA and what is in it.
const DIRECTORIES: [&str; 5] = ["", "tokens", "journals", "index", "locks"];

/// What each of these comes to: `refresh`, a token that is due, a new machine token, one of another
/// scope, `login`, `logout`.
type Statuses = [i32; 6];

/// Lets each directory in turn be written no more, and sees what comes of it.
fn in_each(close: impl Fn(&Path), open: impl Fn(&Path)) -> Vec<(&'static str, Statuses)> {
    let each = DIRECTORIES.map(|name| {
        let test = logged_in();
        test.words("client-token").prints_secrets().run().success();
        assert_session_lives(&test);
        let directory = test.data().join(name);
        close(&directory);
        assert_fresh_is_served(&test);
        let due = format!("token {DUE}");
        let commands = [
            "refresh",
            &due,
            "client-token --force",
            "client-token --scope other",
            "login",
            "logout",
        ];
        let statuses = commands.map(|command| {
            let status = try_command(&test, command);
            if command != "logout" {
                open(&directory);
                assert_session_lives(&test);
                close(&directory);
            }
            status
        });
        open(&directory);
        eprintln!("{name:9} {statuses:?}");
        // The end of a session is written down first: it may be gone although not all could be removed.
        test.words("logout").run().success();
        test.words("header").run().fails_with(4);
        test.words("login").run().success();
        assert_session_lives(&test);
        assert_eq!(counts(&test).reuse, 0);
        (name, statuses)
    });
    each.to_vec()
}

#[track_caller]
fn assert_fresh_is_served(test: &Test) {
    for command in ["header", "token", "show", "client-token", "header --as client"] {
        test.words(command).prints_secrets().run().success().stderr_is("");
    }
}

/// What was asked for was kept, or at least handed out; or nothing was asked for.
#[track_caller]
fn try_command(test: &Test, command: &str) -> i32 {
    let before = counts(test).token_requests();
    let outcome = test.words(command).prints_secrets().run();
    let sent = counts(test).token_requests() - before;
    match (outcome.status, sent) {
        (7, 0) => assert_eq!(outcome.stdout, "", "{command}: {outcome:?}"),
        (0, 0) => assert_eq!(command, "logout"),
        (0, 1) if command.starts_with("client-token") => {
            assert_eq!(outcome.stdout, format!("{}\n", test.access_token()));
        }
        (0, 1) => assert!(is_stored(test), "{command}: {outcome:?}"),
        _ => panic!("{command}, {sent} sent: {outcome:?}"),
    }
    outcome.status
}

#[test]
fn on_a_read_only_file_system_what_is_fresh_is_served_and_nothing_is_spent() {
    with_mounts(|| {
        let close = |directory: &Path| {
            let place = directory.to_str().unwrap();
            assert!(mount(&["--bind", place], directory));
            assert!(mount(&["-o", "remount,bind,ro"], directory));
        };
        let open = |directory: &Path| {
            assert!(Command::new("umount").arg(directory).status().unwrap().success());
        };
        let expected = [
            ("", [7, 7, 7, 7, 7, 7]),
            // A machine's token can be had again: it is handed out, with a warning.
            ("tokens", [7, 7, 0, 0, 7, 7]),
            ("journals", [7, 7, 0, 0, 7, 7]),
            // Its older lines lead to the same places, so that a warning is enough.
            ("index", [0, 0, 0, 0, 0, 7]),
            ("locks", [7, 7, 7, 7, 7, 7]),
        ];
        assert_eq!(in_each(close, open), expected);
    });
}

#[test]
fn where_a_user_may_not_write_what_is_fresh_is_served_and_nothing_is_spent() {
    let Some(by) = as_somebody_else() else {
        let _ = writeln!(io::stderr(), "skipped: nobody but root can run this test");
        return;
    };
    child::run_by(
        by,
        1,
        |_, _| (),
        || {
            let set = |directory: &Path, mode| {
                fs::set_permissions(directory, fs::Permissions::from_mode(mode)).unwrap();
            };
            let expected = [
                // What is in there can be written still, and so can the files that are there already.
                ("", [0, 0, 0, 0, 0, 0]),
                ("tokens", [7, 7, 0, 0, 7, 7]),
                ("journals", [7, 7, 0, 0, 7, 0]),
                ("index", [0, 0, 0, 0, 0, 7]),
                ("locks", [0, 0, 0, 7, 0, 0]),
            ];
            let (close, open) = (|at: &Path| set(at, 0o500), |at: &Path| set(at, 0o700));
            assert_eq!(in_each(close, open), expected);
        },
    );
}

/// Modes are nothing to root: how to run a test as somebody else, where that is needed and can be.
fn as_somebody_else() -> Option<&'static [&'static str]> {
    const NOBODY: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    if !rustix::process::geteuid().is_root() {
        return Some(&[]);
    }
    let mut command = Command::new(NOBODY[0]);
    command.args(&NOBODY[1..]).arg(std::env::current_exe().unwrap()).arg("--list");
    command.output().is_ok_and(|output| output.status.success()).then_some(NOBODY)
}
