//! Disks that are full to the last byte, or nearly: every level of room that makes a difference.

use std::io::{self, Write};
use std::time::Duration;

use oauthctl::sandbox::Provider;

use super::evidence::is_stored;
use super::mounts::{Disk, with_mounts};
use super::moved::{at_keyring, items};
use super::{DUE, assert_session_lives, counts, expired, journal, slot_file, start_asking};
use crate::support::keyring::{self, Keyring};
use crate::support::{Outcome, Test};

/// More pages than any renewal needs: journal and record are reserved with 64 KiB each.
const PLENTY: u64 = 40;

/// A user at the strictest server, whose DATA is a small disk.
fn on_a_small_disk(body: impl FnOnce(&Test, &Disk)) {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    let disk = Disk::mount(&test).expect("the disk is mounted");
    body(&test, &disk);
    test.assert_nothing_leaked();
}

/// Tokens end at once, so that every command must renew them.
fn end_tokens(test: &Test, at_once: bool) {
    test.server().behave(|behaviour| behaviour.expires_in = at_once.then_some(0));
}

/// Does this at every level of room; the status at each of them, with nothing left first.
fn at_every_level(disk: &Disk, what: &str, mut work: impl FnMut(u64) -> i32) -> Vec<i32> {
    let statuses: Vec<_> = (0..=PLENTY)
        .map(|pages| {
            disk.leave(pages);
            let status = work(pages);
            disk.empty();
            status
        })
        .collect();
    eprintln!("{what}: {statuses:?}");
    statuses
}

/// Nothing was sent and said so, or all is well: at this level of room.
#[track_caller]
fn assert_sent_or_refused(sent: u64, outcome: &Outcome, pages: u64) {
    let expected = if sent == 0 { 7 } else { 0 };
    assert_eq!((sent <= 1, outcome.status), (true, expected), "{pages} pages: {outcome:?}");
    assert!(sent == 1 || outcome.stdout.is_empty(), "{pages} pages: {outcome:?}");
}

#[test]
fn a_renewal_is_sent_where_there_is_room_for_its_answer_and_else_not() {
    with_mounts(|| {
        on_a_small_disk(|test, disk| {
            end_tokens(test, true);
            test.words("login").run().success();
            let statuses = at_every_level(disk, "header", |pages| {
                let before = counts(test).refresh_token;
                let outcome = test.words("header").prints_secrets().run();
                assert_sent_or_refused(counts(test).refresh_token - before, &outcome, pages);
                let status = outcome.status;
                outcome.stderr_lacks("could not be stored");
                disk.empty();
                test.words("refresh").run().success();
                assert_eq!(counts(test).reuse, 0);
                status
            });
            assert!(statuses.contains(&7) && statuses.contains(&0), "the levels tell nothing");
            end_tokens(test, false);
            assert_session_lives(test);
        });
    });
}

#[test]
fn what_is_reserved_on_ext4_is_there_when_the_disk_is_full() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    let Some(disk) = Disk::mount_ext4(&test) else {
        let _ = writeln!(io::stderr(), "skipped: it needs root, mkfs.ext4 and a loop device");
        return;
    };
    test.words("login").run().success();
    at_every_level(&disk, "refresh on ext4", |pages| {
        let before = counts(&test).refresh_token;
        let outcome = test.words("refresh").run();
        assert_sent_or_refused(counts(&test).refresh_token - before, &outcome, pages);
        disk.empty();
        assert_session_lives(&test);
        outcome.status
    });
    for pages in 0..=3 {
        let running = start_asking(&test, "refresh", Duration::from_millis(300));
        disk.leave(pages);
        running.ends().success().stderr_lacks("could not be stored");
        assert!(!journal(&test).exists() && is_stored(&test), "{pages} pages");
        disk.empty();
    }
    assert_session_lives(&test);
    assert_eq!(counts(&test).reuse, 0);
    test.assert_nothing_leaked();
}

#[test]
fn what_could_not_be_sent_for_lack_of_room_is_sent_once_there_is_room() {
    with_mounts(|| {
        on_a_small_disk(|test, disk| {
            test.words("login").run().success();
            for pages in 0..=PLENTY {
                disk.leave(pages);
                let before = counts(test).refresh_token;
                let outcome = test.words("refresh").run();
                let sent = counts(test).refresh_token - before;
                assert_sent_or_refused(sent, &outcome, pages);
                disk.empty();
                let header = test.words(&format!("header {DUE}")).prints_secrets().run().success();
                header.stderr_lacks("serves on");
                assert_eq!(counts(test).refresh_token, before + sent + 1, "{pages} pages");
            }
            assert_eq!(counts(test).reuse, 0);
        });
    });
}

#[test]
fn a_disk_that_fills_up_during_the_exchange_has_room_for_the_answer() {
    with_mounts(|| {
        on_a_small_disk(|test, disk| {
            test.words("login").run().success();
            for pages in 0..=3 {
                let running = start_asking(test, "refresh", Duration::from_millis(300));
                disk.leave(pages);
                running.ends().success().stderr_lacks("could not be stored");
                assert!(!journal(test).exists() && is_stored(test), "{pages} pages");
                // The disk is full still.
                let token = format!("{}\n", test.access_token());
                test.words("token").prints_secrets().run().success().stdout_is(&token);
                disk.empty();
            }
            assert_session_lives(test);
            assert_eq!(counts(test).reuse, 0);
        });
    });
}

#[test]
fn where_not_a_byte_may_be_written_nothing_is_sent() {
    let test = expired();
    // No file may grow: by default the first write would kill.
    let outcome = test.shell("ulimit -f 0; oauthctl header").run();
    outcome.fails_with(7).stderr_has("so nothing was sent");
    assert_eq!(counts(&test).refresh_token, 0);
    assert_session_lives(&test);
}

#[test]
fn a_full_disk_keeps_nobody_from_a_token_that_is_fresh() {
    with_mounts(|| {
        on_a_small_disk(|test, disk| {
            test.words("login").run().success();
            test.words("client-token").prints_secrets().run().success();
            disk.leave(0);
            for command in ["header", "token", "show", "client-token", "header --as client"] {
                let outcome = test.words(command).prints_secrets().run().success();
                outcome.stderr_is("");
            }
        });
    });
}

#[test]
fn without_room_for_one_more_file_nothing_is_sent_either() {
    with_mounts(|| {
        on_a_small_disk(|test, disk| {
            test.words("login").run().success();
            let mut statuses = Vec::new();
            for files in 0..=4 {
                disk.leave_files(files);
                let before = counts(test).refresh_token;
                let outcome = test.words("refresh").run();
                assert_sent_or_refused(counts(test).refresh_token - before, &outcome, files);
                statuses.push(outcome.status);
                disk.empty();
                assert_session_lives(test);
            }
            eprintln!("refresh: {statuses:?}");
            assert_eq!((statuses.first(), statuses.last()), (Some(&7), Some(&0)));
            assert_eq!(counts(test).reuse, 0);
        });
    });
}

#[test]
fn a_first_login_spends_the_password_only_where_there_is_room_for_its_tokens() {
    with_mounts(|| {
        on_a_small_disk(|test, disk| {
            at_every_level(disk, "first login", |pages| {
                disk.clear();
                disk.leave(pages);
                let before = counts(test).password;
                let outcome = test.words("login").run();
                assert_sent_or_refused(counts(test).password - before, &outcome, pages);
                disk.empty();
                if outcome.status == 7 {
                    test.words("header").run().fails_with(4);
                    test.words("login").run().success();
                }
                assert_session_lives(test);
                outcome.status
            });
        });
    });
}

#[test]
fn a_login_for_which_there_is_no_room_leaves_the_session_as_it_was() {
    with_mounts(|| {
        on_a_small_disk(|test, disk| {
            test.words("login").run().success();
            at_every_level(disk, "login", |pages| {
                let before = counts(test).password;
                let outcome = test.words("login").run();
                assert_sent_or_refused(counts(test).password - before, &outcome, pages);
                disk.empty();
                assert_session_lives(test);
                outcome.status
            });
            assert_eq!(counts(test).reuse, 0);
        });
    });
}

#[test]
fn a_machine_token_is_handed_out_also_where_there_is_no_room_to_keep_it() {
    with_mounts(|| {
        on_a_small_disk(|test, disk| {
            at_every_level(disk, "client-token", |pages| {
                disk.clear();
                disk.leave(pages);
                let before = test.asked(Provider::Standard);
                let outcome = test.words("client-token").prints_secrets().run();
                let sent = test.asked(Provider::Standard) - before;
                assert_sent_or_refused(sent, &outcome, pages);
                if sent == 1 {
                    assert_eq!(outcome.stdout, format!("{}\n", test.access_token()));
                }
                disk.empty();
                test.words("client-token").prints_secrets().run().success().stderr_is("");
                outcome.status
            });
        });
    });
}

#[test]
fn a_logout_is_whole_or_can_be_done_again() {
    with_mounts(|| {
        on_a_small_disk(|test, disk| {
            at_every_level(disk, "logout", |pages| {
                disk.empty();
                test.words("login").run().success();
                disk.leave(pages);
                let outcome = test.words("logout").run();
                disk.empty();
                if outcome.status == 0 {
                    test.words("header").run().fails_with(4);
                } else {
                    assert_eq!(outcome.status, 7, "{pages} pages: {outcome:?}");
                    assert_session_lives(test);
                    test.words("logout").run().success();
                    test.words("header").run().fails_with(4);
                }
                outcome.status
            });
            assert_eq!(counts(test).reuse, 0);
        });
    });
}

#[test]
fn a_migration_for_which_there_is_no_room_leaves_every_entry_where_it_was() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring();
        let Some(disk) = Disk::mount(&test) else {
            let _ = writeln!(io::stderr(), "skipped: it needs the right to mount");
            return;
        };
        test.words("login").run().success();
        let mut statuses = Vec::new();
        for pages in 0..=4 {
            for (from, to) in [("keychain", "file"), ("file", "keychain")] {
                let migrate = format!("store migrate {from} {to}");
                disk.leave(pages);
                let full = test.words(&migrate).run();
                statuses.push(full.status);
                // Still on the full disk.
                test.words("token").prints_secrets().run().success();
                disk.empty();
                if full.status != 0 {
                    full.fails_with(7);
                    test.words(&migrate).run().success();
                }
                let in_file = slot_file(&test, "tokens", "").exists();
                assert_eq!((items(), in_file), if to == "file" { (0, true) } else { (1, false) });
                assert_session_lives(&test);
            }
        }
        eprintln!("migrations: {statuses:?}");
        assert!(statuses.contains(&7) && statuses.contains(&0));
        assert_eq!(counts(&test).reuse, 0);
        test.assert_nothing_leaked();
        drop(disk);
    });
}
