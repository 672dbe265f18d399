//! The journal: it may hold the only copy of what a server answered, and is overwritten only where it can't.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use oauthctl::sandbox::{Provider, Reuse};

use super::{DAMAGES, Thing, aside, assert_session_lives, assert_told, two_users};
use crate::support::{Test, write_private};

fn journal(test: &Test) -> PathBuf {
    test.data().join("journals/standard@user.journal")
}

fn entry(test: &Test) -> PathBuf {
    test.data().join("tokens/standard@user")
}

fn asked(test: &Test) -> u64 {
    test.server().counts(Provider::Standard).refresh_token
}

/// A user whose access token has ended, and whose store failed right after it was renewed: the
/// answer is in the journal alone. The server takes the spent refresh token once more.
fn unstored() -> Test {
    let test = two_users();
    test.server().behave(|behaviour| {
        behaviour.expires_in = Some(0);
        behaviour.reuse = Reuse::Granted;
    });
    test.words("login").run().success();
    test.server().behave(|behaviour| {
        behaviour.expires_in = None;
        behaviour.delay = Duration::from_millis(700);
    });
    let running = test.words("header").prints_secrets().start();
    let end = Instant::now() + Duration::from_secs(60);
    while asked(&test) == 0 {
        assert!(Instant::now() < end, "nothing is asked for");
        std::thread::sleep(Duration::from_millis(2));
    }
    test.server().behave(|behaviour| behaviour.delay = Duration::ZERO);
    let prepared = test.data().join("tokens/standard@user~new");
    fs::remove_file(&prepared).unwrap();
    super::make_directory(&prepared);
    running.ends().success().stderr_has("it is kept in the journal");
    fs::remove_dir(&prepared).unwrap();
    test
}

#[test]
fn a_broken_one_is_set_aside_before_another_request_is_written_down() {
    for damage in &DAMAGES {
        eprintln!("{}", damage.name);
        let test = unstored();
        (damage.apply)(&journal(&test));
        let broken = Thing::at(&journal(&test));
        let renewed = test.words("header").prints_secrets().run().success();
        renewed.stdout_has(&test.access_token());
        assert!(!journal(&test).exists());
        // An empty one is what a crash leaves before anything was sent.
        if damage.name == "empty" {
            renewed_in_silence(&test);
        } else {
            assert_eq!(Thing::at(&aside(&journal(&test))), broken);
        }
        assert_eq!(asked(&test), 2);
        assert_session_lives(&test);
    }
}

fn renewed_in_silence(test: &Test) {
    assert!(fs::symlink_metadata(aside(&journal(test))).is_err());
}

#[test]
fn a_broken_one_stays_in_its_place_while_the_token_lives() {
    let test = two_users();
    for content in ["a note", "octlj\0\0\0\x01whatever"] {
        write_private(&journal(&test), content);
        for _ in 0..2 {
            let due = test.words("header --min-ttl 2h").prints_secrets().run().success();
            due.stderr_has("serves on");
        }
        assert_eq!(fs::read(journal(&test)).unwrap(), content.as_bytes());
    }
    assert_eq!(asked(&test), 0);
    test.words("refresh").run().success().stderr_has("it is set aside as ");
    assert_session_lives(&test);
}

#[test]
fn one_whose_record_is_broken_is_set_aside_by_the_login_and_is_of_use_when_the_record_comes_back() {
    let test = unstored();
    let in_journal = test.access_token();
    let (kept, answer) = (fs::read(entry(&test)).unwrap(), fs::read(journal(&test)).unwrap());
    for file in [entry(&test), test.data().join("index/standard@user.json")] {
        write_private(&journal(&test), &answer);
        write_private(&entry(&test), &kept);
        fs::write(&file, "broken").unwrap();
        assert_told(test.words("header").run(), &file);
        assert_eq!(fs::read(journal(&test)).unwrap(), answer, "a read has moved it");
        if file == entry(&test) {
            let login = test.words("login").run().success();
            login.stderr_has(&format!("it is set aside as {}\n", aside(&journal(&test)).display()));
            // As from a backup.
            fs::rename(aside(&journal(&test)), journal(&test)).unwrap();
            write_private(&entry(&test), &kept);
        } else {
            // The record alone opens it: the line is mended and the answer finds its place.
            let login = test.words("login --password-stdin").stdin("wrong").run().fails_with(5);
            login.stderr_has("it is set aside as ");
            assert!(!journal(&test).exists());
        }
        let token = test.words("token").prints_secrets().run().success();
        token.stdout_is(&format!("{in_journal}\n"));
        assert!(!journal(&test).exists());
    }
    assert_eq!(asked(&test), 1);
}

#[test]
fn one_that_can_not_be_read_is_told_before_a_person_types() {
    let test = two_users();
    let newer = b"octlj\0\0\0\x02whatever";
    write_private(&journal(&test), newer);
    for broken in [false, true] {
        if broken {
            fs::write(entry(&test), "broken").unwrap();
        }
        let login = test.words("login --password-stdin").stdin("user/password:1").run();
        assert_told(login, &journal(&test)).stderr_has("newer oauthctl");
        assert_eq!(fs::read(journal(&test)).unwrap(), newer);
    }
    assert_eq!(test.server().counts(Provider::Standard).password, 1);
    test.words("logout --local").run().success();
    test.words("login").run().success();
    assert_session_lives(&test);
}
