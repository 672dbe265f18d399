//! What is kept for one slot: its entry in the store and its line in the index.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oauthctl::sandbox::Provider;

use super::{
    DAMAGES, Thing, aside, assert_session_lives, assert_told, follow, header_of_the_other, hint,
    things, two_users,
};
use crate::support::Test;

const USER: [&str; 2] = ["tokens/standard@user", "index/standard@user.json"];

fn generation(test: &Test) -> u64 {
    let line = fs::read(test.data().join("index/standard@user.json")).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
    line["generation"].as_u64().unwrap()
}

/// The files of the one machine slot of a profile, in the store and in the index.
fn machine_files(test: &Test) -> [PathBuf; 2] {
    ["tokens", "index"].map(|directory| {
        let mut files = fs::read_dir(test.data().join(directory)).unwrap();
        let is_machines = |path: &PathBuf| path.to_string_lossy().contains("@client-");
        files.find_map(|file| Some(file.unwrap().path()).filter(is_machines)).unwrap()
    })
}

#[test]
fn a_users_is_told_by_every_read_and_set_aside_by_the_login_of_the_hint() {
    for (file, damage) in USER.iter().flat_map(|file| DAMAGES.iter().map(move |d| (file, d))) {
        eprintln!("{file}: {}", damage.name);
        let test = two_users();
        test.words("refresh").run().success();
        let (path, before) = (test.data().join(file), generation(&test));
        let others = header_of_the_other(&test);
        (damage.apply)(&path);
        let (broken, all) = (Thing::at(&path), things(&test));
        let url = test.server().base_url(Provider::Standard);
        for words in
            ["header", "token --json", "show --reveal -p standard", "exec -- true", "refresh"]
        {
            let told = assert_told(test.words(words).run(), &path);
            assert_eq!(hint(&told), "oauthctl login --profile standard");
        }
        assert_told(test.words("curl -- -sS").arg(url).run(), &path);
        test.words("show").run().success();
        let told = assert_told(test.words("header").run(), &path);
        let locks = test.data().join("locks");
        let unlocked = |(path, _): &(PathBuf, Thing)| !path.starts_with(&locks);
        let now: Vec<_> = things(&test).into_iter().filter(unlocked).collect();
        assert_eq!(now, all.into_iter().filter(unlocked).collect::<Vec<_>>(), "a read moved it");
        assert_eq!(header_of_the_other(&test), others);

        let login = follow(&test, &told);
        login.stderr_has(&format!("it is set aside as {}\n", aside(&path).display()));
        assert_eq!(Thing::at(&aside(&path)), broken);
        assert!(generation(&test) > before, "a journal could be newer");
        assert_session_lives(&test);
        assert_eq!(header_of_the_other(&test), others);
        test.words("show").run().success().stderr_is("");
    }
}

#[test]
fn a_machines_is_told_by_every_read_and_set_aside_by_who_fetches_anew() {
    for (number, damage) in (0..2).flat_map(|number| DAMAGES.iter().map(move |d| (number, d))) {
        eprintln!("{number}: {}", damage.name);
        let test = two_users();
        let fetch = |words: &str| test.words(words).prints_secrets().run();
        fetch("client-token").success();
        let path = machine_files(&test)[number].clone();
        (damage.apply)(&path);
        let broken = Thing::at(&path);
        for words in ["client-token", "header --as client", "token --as client"] {
            let told = assert_told(fetch(words), &path);
            assert_eq!(hint(&told), "oauthctl client-token --force --profile standard");
        }
        assert_eq!(Thing::at(&path), broken, "a read moved it");
        let mends = if number == 0 { "client-token --force" } else { "refresh --as client" };
        let place = aside(&path);
        fetch(mends).success().stderr_has(&format!("it is set aside as {}\n", place.display()));
        assert_eq!(Thing::at(&place), broken);
        let token = format!("{}\n", test.access_token());
        fetch("client-token").success().stdout_is(&token).stderr_is("");
        assert_session_of_the_user(&test);
    }
}

fn assert_session_of_the_user(test: &Test) {
    test.words("refresh").run().success().stderr_has("Renewed");
    header_of_the_other(test);
}

#[test]
fn the_hint_for_a_machines_token_asks_for_the_same_scope() {
    for number in 0..2 {
        let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
        let words = "client-token --scope a --scope b";
        test.words(words).prints_secrets().run().success();
        let path = machine_files(&test)[number].clone();
        fs::write(&path, "").unwrap();
        let told = assert_told(test.words(words).run(), &path);
        let expected = "oauthctl client-token --force --scope a --scope b --profile standard";
        assert_eq!(hint(&told), expected);
        let all = assert_told(test.words("refresh --all").run(), &path);
        assert_eq!(hint(&all), "oauthctl logout --local --as client --profile standard");
        follow(&test, &told);
        test.words(words).prints_secrets().run().success().stderr_is("");
        fs::write(&path, "").unwrap();
        let all = assert_told(test.words("refresh --all").run(), &path);
        follow(&test, &all);
        test.words("refresh --all").run().success();
    }
}

#[test]
fn of_many_that_mend_at_once_one_sets_it_aside_and_none_takes_what_another_made() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.words("client-token").prints_secrets().run().success();
    for path in machine_files(&test) {
        fs::write(&path, "broken").unwrap();
        let started: Vec<_> =
            (0..8).map(|_| test.words("client-token --force").prints_secrets().start()).collect();
        let ended: Vec<_> = started.into_iter().map(|one| one.ends().success()).collect();
        let moved = ended.iter().filter(|outcome| outcome.stderr.contains("set aside")).count();
        assert_eq!(moved, 1, "{ended:#?}");
        let files: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(files.len(), 2, "{files:?}");
        assert_eq!(fs::read(aside(&path)).unwrap(), b"broken");
    }
}

#[test]
fn nothing_is_set_aside_but_under_the_lock() {
    let lines = "client_secret = { store = true }\n";
    let test = Test::new().sandbox().variant("x", Provider::Standard, lines);
    let give = "profile set x client_secret --stdin";
    test.words(give).stdin("client/secret:1").run().success();
    test.words("login -p x").run().success();
    test.words("client-token -p x").prints_secrets().run().success();
    let [machines, _] = machine_files(&test);
    let tokens = test.data().join("tokens");
    for (words, path) in [
        (give, tokens.join("x@secret")),
        ("login -p x", tokens.join("x@user")),
        ("client-token --force -p x", machines),
    ] {
        eprintln!("{words}");
        fs::write(&path, "broken").unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let lock = test.data().join("locks").join(name + ".lock");
        let held = fs::File::options().write(true).open(&lock).unwrap();
        held.lock().unwrap();
        let given = test.secret_file("given", "client/secret:1");
        let program = env!("CARGO_BIN_EXE_oauthctl");
        let script = format!("exec '{program}' {words} <'{}'", given.display());
        let waits = test.shell(&script).prints_secrets().start();
        wait_until_open(&lock, waits.pid());
        assert_eq!(fs::read(&path).unwrap(), b"broken");
        drop(held);
        waits.ends().success().stderr_has("it is set aside as ");
        assert_eq!(fs::read(aside(&path)).unwrap(), b"broken");
    }
}

/// Waits until this process has the file open.
fn wait_until_open(file: &Path, pid: u32) {
    let is_open = || {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut targets =
            descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
        targets.any(|target| target == file)
    };
    let end = Instant::now() + Duration::from_secs(60);
    while !is_open() {
        assert!(Instant::now() < end, "it never opens {}", file.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_digit_that_has_changed_in_the_index_logs_nobody_out_in_silence() {
    let test = two_users();
    let path = test.data().join(USER[1]);
    let line = fs::read_to_string(&path).unwrap();
    assert!(line.contains("\"tombstone\":0"), "{line}");
    fs::write(&path, line.replace("\"tombstone\":0", "\"tombstone\":8")).unwrap();
    for words in ["header", "refresh", "show -p standard"] {
        assert_told(test.words(words).run(), &path);
    }
    test.words("login").run().success();
    assert_session_lives(&test);
}

#[test]
fn a_client_secret_is_told_and_set_aside_by_giving_it_again() {
    let files = ["tokens/x@secret", "index/x@secret.json"];
    for (file, damage) in files.iter().flat_map(|file| DAMAGES.iter().map(move |d| (file, d))) {
        eprintln!("{file}: {}", damage.name);
        let lines = "client_secret = { store = true }\n";
        let test = Test::new().sandbox().variant("x", Provider::Standard, lines);
        let give = || test.words("profile set x client_secret --stdin").stdin("client/secret:1");
        give().run().success().stderr_lacks("warning");
        let path = test.data().join(file);
        (damage.apply)(&path);
        let broken = Thing::at(&path);
        let told = assert_told(test.words("client-token -p x").run(), &path);
        assert_eq!(hint(&told), "oauthctl profile set x client_secret --stdin");
        assert!(test.server().requests().is_empty());
        assert_eq!(Thing::at(&path), broken);
        give().run().success().stderr_has("it is set aside as ");
        assert_eq!(Thing::at(&aside(&path)), broken);
        test.words("client-token -p x").prints_secrets().run().success();
    }
}

#[test]
fn what_is_broken_twice_has_two_names() {
    let test = two_users();
    let path = test.data().join(USER[0]);
    for content in ["first", "second"] {
        fs::write(&path, content).unwrap();
        test.words("login").run().success();
    }
    let second = path.with_file_name("standard@user~broken-2");
    assert_eq!(fs::read(aside(&path)).unwrap(), b"first");
    assert_eq!(fs::read(second).unwrap(), b"second");
    assert_session_lives(&test);
}

#[test]
fn a_login_that_fails_loses_nothing_of_a_session_whose_line_alone_was_broken() {
    let test = two_users();
    fs::write(test.data().join(USER[1]), "broken").unwrap();
    test.words("login --password-stdin").stdin("wrong").run().fails_with(5);
    assert_session_lives(&test);
}

#[test]
fn a_logout_forgets_what_is_broken_and_all_of_it_ends_with_7_once_the_others_are_forgotten() {
    for file in USER {
        for content in ["broken", "{\"version\":99}"] {
            let test = two_users();
            fs::write(test.data().join(file), content).unwrap();
            test.words("logout").run().success().stderr_has("warning: ");
            test.words("header").run().fails_with(4);
            test.words("login").run().success();
            assert_session_lives(&test);

            fs::write(test.data().join(file), content).unwrap();
            let all = test.words("logout --all").run().fails_with(7);
            all.stderr_has("standard@user");
            for profile in ["standard", "bindeo"] {
                test.words("header -p").arg(profile).run().fails_with(4);
            }
            test.words("logout --all").run().success().stderr_is("");
        }
    }
}

#[test]
fn renewing_all_renews_the_others_and_ends_with_7() {
    for file in USER {
        let test = two_users();
        let path = test.data().join(file);
        fs::write(&path, "broken").unwrap();
        let before = header_of_the_other(&test);
        let all = assert_told(test.words("refresh --all").run(), &path);
        assert_eq!(hint(&all), "oauthctl login --profile standard");
        assert_ne!(header_of_the_other(&test), before);
    }
}

#[test]
fn the_table_of_all_lists_the_others_and_says_which_is_broken() {
    for (file, words) in [(USER[1], "show"), (USER[0], "show --reveal"), (USER[1], "show --claims")]
    {
        let test = two_users();
        let path = test.data().join(file);
        fs::write(&path, "broken").unwrap();
        let show = test.words(words).prints_secrets().run().success();
        show.stdout_has("bindeo").stderr_has(&format!("{} is damaged", path.display()));
    }
}

#[test]
fn the_doctor_names_each_with_what_mends_it_and_then_what_was_set_aside() {
    for file in USER {
        let test = two_users();
        let path = test.data().join(file);
        fs::write(&path, "broken").unwrap();
        let doctor = test.words("doctor").run().success();
        let line = doctor.stdout.lines().find(|line| line.contains(&path.display().to_string()));
        let line = line.unwrap_or_else(|| panic!("{doctor:#?}"));
        assert!(line.starts_with("store\terror\t") && line.contains("is damaged"), "{line}");
        assert!(line.ends_with(": oauthctl login --profile standard"), "{line}");
        test.words("login").run().success();
        let doctor = test.words("doctor").run().success();
        doctor.stdout_has(&format!("{}", aside(&path).display())).stdout_has("store\twarning\t");
    }
}
