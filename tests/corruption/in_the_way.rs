//! What stands where a file or a directory of oauthctl's belongs.

use std::fs;

use oauthctl::sandbox::Provider;

use super::{
    DAMAGES, Damage, Thing, aside, assert_session_lives, assert_told, follow, header_of_the_other,
    hint, two_users,
};

/// The damages that are no file.
fn no_files() -> impl Iterator<Item = &'static Damage> {
    DAMAGES.iter().filter(|damage| damage.name.starts_with("a "))
}

#[test]
fn a_file_where_a_directory_belongs_is_told_and_moved_away_by_the_hint() {
    for directory in ["tokens", "index", "journals", "locks", ""] {
        eprintln!("{directory}");
        let test = two_users();
        test.words("refresh").run().success();
        let path = test.data().join(directory);
        let path = if directory.is_empty() { test.data() } else { path };
        fs::rename(&path, test.home().join("elsewhere")).unwrap();
        let asked = test.asked(Provider::Standard);
        crate::support::write_private(&path, "a note");
        let told = assert_told(test.words("refresh").run(), &path);
        assert_eq!(hint(&told), format!("mv {} {}", path.display(), aside(&path).display()));
        assert_eq!(fs::read(&path).unwrap(), b"a note");
        assert_eq!(test.asked(Provider::Standard), asked, "a grant was spent");
        if ["journals", "locks"].contains(&directory) {
            header_of_the_other(&test);
        }
        let doctor = if directory == "index" || directory.is_empty() {
            assert_told(test.words("doctor").run(), &path);
            None
        } else {
            Some(test.words("doctor").run().success())
        };
        if let Some(doctor) = doctor {
            doctor.stdout_has(&format!("{} is no directory", path.display()));
        }
        follow(&test, &told);
        assert_eq!(fs::read(aside(&path)).unwrap(), b"a note");
        fs::rename(test.home().join("elsewhere"), &path).unwrap();
        assert_session_lives(&test);
    }
}

#[test]
fn what_is_no_file_where_a_lock_belongs_is_told_and_moved_away_by_the_hint() {
    for (lock, words) in [("standard@user.lock", "refresh"), ("standard@user.login", "login")] {
        for damage in no_files() {
            eprintln!("{lock}: {}", damage.name);
            let test = two_users();
            let path = test.data().join("locks").join(lock);
            (damage.apply)(&path);
            let thing = Thing::at(&path);
            let told = assert_told(test.words(words).run(), &path);
            assert_eq!(hint(&told), format!("mv {} {}", path.display(), aside(&path).display()));
            assert_eq!(Thing::at(&path), thing);
            header_of_the_other(&test);
            test.words("header").prints_secrets().run().success();
            test.words("doctor").run().success().stdout_has(&path.display().to_string());
            follow(&test, &told);
            assert_eq!(Thing::at(&aside(&path)), thing);
            test.words(words).run().success();
            assert_session_lives(&test);
        }
    }
}

#[test]
fn whatever_stands_in_a_lock_it_locks() {
    for content in ["", "4711 and more", "\u{0}\u{1}", "-1"] {
        let test = two_users();
        fs::write(test.data().join("locks/standard@user.lock"), content).unwrap();
        assert_session_lives(&test);
    }
}

#[test]
fn what_is_no_file_where_an_entry_is_prepared_is_told_before_anything_is_sent() {
    for damage in no_files() {
        eprintln!("{}", damage.name);
        let test = two_users();
        let path = test.data().join("tokens/standard@user~new");
        crate::support::write_private(&path, "");
        (damage.apply)(&path);
        let told = assert_told(test.words("refresh").run(), &path);
        assert_eq!(test.asked(Provider::Standard), 1);
        follow(&test, &told);
        assert_session_lives(&test);
    }
}
