//! What may not be read or written is left where it is: nobody knows that it is broken.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use oauthctl::sandbox::Provider;

use super::{assert_session_lives, assert_told, hint, things, two_users};
use crate::support::{Outcome, Test, write_private};

/// Runs a command for which the modes of files count, as they don't for the administrator.
#[track_caller]
fn run(test: &Test, words: &str) -> Outcome {
    let program = env!("CARGO_BIN_EXE_oauthctl");
    if !rustix::process::geteuid().is_root() {
        return test.words(words).run();
    }
    let bounded = "setpriv --bounding-set=-dac_override,-dac_read_search";
    test.shell(&format!("exec {bounded} '{program}' {words}")).run()
}

fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(bits)).unwrap();
}

#[test]
fn what_may_not_be_read_is_told_left_alone_and_mended_by_the_hint() {
    for (file, words) in [
        ("tokens/standard@user", &["header", "refresh", "login", "logout"][..]),
        ("index/standard@user.json", &["header", "refresh", "login", "logout", "show -p standard"]),
        ("journals/standard@user.journal", &["refresh", "login", "logout"]),
        ("locks/standard@user.lock", &["refresh", "login", "logout"]),
        ("locks/standard@user.login", &["login"]),
        ("key", &["header", "refresh", "login", "logout", "login -p kabbage"]),
        ("tokens", &["header", "refresh", "login", "logout"]),
        ("index", &["header", "refresh", "login", "show"]),
        ("journals", &["refresh", "login"]),
        ("locks", &["refresh", "login", "logout"]),
    ] {
        eprintln!("{file}");
        let test = two_users();
        write_private(&test.data().join("journals/standard@user.journal"), "");
        let path = test.data().join(file);
        let right = if path.is_dir() { 0o700 } else { 0o600 };
        let before = things(&test);
        mode(&path, 0);
        for words in words {
            let told = assert_told(run(&test, words), &path);
            let told = told.stderr_has("caused by: Permission denied");
            assert_eq!(hint(&told), format!("chmod {right:o} {}", path.display()), "{words}");
        }
        assert_eq!(test.asked(Provider::Standard), 1, "a grant was spent");
        test.shell(&format!("chmod {right:o} {}", path.display())).run().success();
        let lost = things(&test);
        let lost: Vec<_> = before.keys().filter(|path| !lost.contains_key(*path)).collect();
        assert!(lost.is_empty(), "{lost:?} was moved");
        assert_session_lives(&test);
    }
}

#[test]
fn an_unreadable_entry_keeps_nobody_else_from_the_table_or_the_header() {
    for (file, words) in
        [("tokens/standard@user", "show --reveal"), ("index/standard@user.json", "show")]
    {
        let test = two_users();
        mode(&test.data().join(file), 0);
        let program = env!("CARGO_BIN_EXE_oauthctl");
        let bounded = "setpriv --bounding-set=-dac_override,-dac_read_search";
        let both = format!(
            "set -e; {bounded} '{program}' {words}; {bounded} '{program}' header -p bindeo"
        );
        let both =
            if rustix::process::geteuid().is_root() { both } else { both.replace(bounded, "") };
        let outcome = test.shell(&both).prints_secrets().run().success();
        outcome.stdout_has("bindeo").stdout_has("Authorization: ").stderr_has(file);
        mode(&test.data().join(file), 0o600);
    }
}

#[test]
fn a_directory_that_may_not_be_written_is_told_before_a_grant_is_spent() {
    for directory in ["tokens", "index", "journals", "locks"] {
        eprintln!("{directory}");
        let test = two_users();
        let path = test.data().join(directory);
        for words in ["login", "refresh"] {
            mode(&path, 0o500);
            let outcome = run(&test, words);
            mode(&path, 0o700);
            // The line and the lock that are there will do.
            if ["index", "locks"].contains(&directory) {
                outcome.success();
                continue;
            }
            let told = assert_told(outcome, &path);
            assert_eq!(hint(&told), format!("chmod 700 {}", path.display()));
        }
        let counts = test.server().counts(Provider::Standard);
        let renewed = u64::from(["index", "locks"].contains(&directory));
        assert!(counts.refresh_token == renewed, "{counts:?}");
        assert_session_lives(&test);
    }
}

#[test]
fn what_belongs_to_another_user_is_told_with_how_to_take_it() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may give files away");
        return;
    }
    let test = two_users();
    let path = test.data().join("tokens/standard@user");
    std::os::unix::fs::chown(&path, Some(1), None).unwrap();
    let told = assert_told(run(&test, "header"), &path);
    let taken = format!("sudo chown \"$(id -u)\" {}", path.display());
    assert_eq!(hint(&told), taken);
    test.shell(taken.trim_start_matches("sudo ")).run().success();
    assert_session_lives(&test);
}
