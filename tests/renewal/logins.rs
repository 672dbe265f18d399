//! Logins and logouts beside renewals, and beside each other.

use std::fs;
use std::time::Duration;

use oauthctl::sandbox::Provider;

use super::{
    Opens, assert_session_lives, counts, expired, journal, logged_in, slot_file, start_asking,
    wait_until_held,
};
use crate::support::Test;

/// A user whose password comes only once `answer` says so, as if it were typed.
fn typing() -> Test {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "typing");
    let password = test.secret_file("typed", "user/password:1");
    let script = format!("until [ -e go ]; do sleep 0.01; done; cat {}", password.display());
    let line = format!("password = {{ command = [\"sh\", \"-c\", \"{script}\"] }}\n");
    test.variant("typing", Provider::Standard, &line)
}

fn answer(test: &Test) {
    fs::write(test.home().join("go"), "").unwrap();
}

#[test]
fn a_login_beside_a_renewal_waits_for_it_and_replaces_its_session() {
    let test = expired();
    let renewal = start_asking(&test, "header", Duration::from_millis(700));
    let login = test.words("login").start();
    renewal.ends().success().stdout_has("Authorization: Bearer ");
    login.ends().success();
    let token = format!("{}\n", test.access_token());
    test.words("token").prints_secrets().run().success().stdout_is(&token);
    assert_eq!((counts(&test).refresh_token, counts(&test).password), (1, 2));
    assert_session_lives(&test);
    assert_eq!(counts(&test).reuse, 0);
}

#[test]
fn a_logout_beside_a_renewal_waits_for_it_and_nothing_is_left() {
    let test = logged_in();
    let renewal = start_asking(&test, "refresh", Duration::from_millis(700));
    let logout = test.words("logout").start();
    renewal.ends().success();
    logout.ends().success();
    test.words("header").run().fails_with(4);
    test.words("refresh").run().fails_with(4);
    assert!(!journal(&test).exists());
    assert_eq!(fs::read_dir(test.data().join("tokens")).unwrap().count(), 0);
    assert_eq!(counts(&test).refresh_token, 1);
    test.words("login").run().success();
    assert_session_lives(&test);
}

#[test]
fn of_two_logins_at_once_the_second_uses_the_firsts_result() {
    let test = typing();
    let first = test.words("login").start();
    let lock = test.data().join("locks/typing@user.login");
    wait_until_held(&lock, &first);
    let opens = Opens::of(&lock);
    let second = test.words("login").start();
    opens.wait_for_one();
    answer(&test);
    let outcomes = [first, second].map(|login| login.ends().success());
    let notes =
        outcomes.iter().filter(|outcome| outcome.stderr.contains("its token is used")).count();
    assert_eq!((notes, counts(&test).password), (1, 1));
}

#[test]
fn a_login_that_waited_takes_no_renewal_for_the_other_login() {
    let test = typing();
    answer(&test);
    test.words("login").run().success();
    fs::remove_file(test.home().join("go")).unwrap();
    let first = test.words("login").start();
    let lock = test.data().join("locks/typing@user.login");
    wait_until_held(&lock, &first);
    let opens = Opens::of(&lock);
    let second = test.words("login").env("OAUTHCTL_PASSWORD", "user/password:1").start();
    opens.wait_for_one();
    test.words("refresh").run().success();
    // The person at the first one mistypes.
    test.secret_file("typed", "mistyped");
    answer(&test);
    first.ends().fails_with(5);
    second.ends().success().stderr_lacks("its token is used");
    assert_eq!(counts(&test).password, 3);
    assert_session_lives(&test);
}

#[test]
fn a_second_login_that_asks_for_another_user_does_not_use_the_firsts_result() {
    let test = typing();
    let first = test.words("login").start();
    let lock = test.data().join("locks/typing@user.login");
    wait_until_held(&lock, &first);
    let opens = Opens::of(&lock);
    let second = test.words("login --username bob").start();
    opens.wait_for_one();
    answer(&test);
    first.ends().success();
    second.ends().fails_with(5);
    assert_eq!(counts(&test).password, 2);
    test.words("refresh").run().success();
}

#[test]
fn a_logout_while_a_person_types_does_not_spoil_the_login() {
    let test = typing();
    answer(&test);
    test.words("login").run().success();
    fs::remove_file(test.home().join("go")).unwrap();
    let login = test.words("login").start();
    wait_until_held(&test.data().join("locks/typing@user.login"), &login);
    test.words("logout").run().success();
    answer(&test);
    login.ends().success();
    test.words("refresh").run().success();
}

#[test]
fn a_login_that_is_refused_leaves_the_session_as_it_was() {
    let test = logged_in();
    test.words("login --password-stdin").stdin("wrong").run().fails_with(5);
    assert_session_lives(&test);
}

#[test]
fn a_first_login_that_is_refused_leaves_nothing() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.words("login --password-stdin").stdin("wrong").run().fails_with(5);
    assert!(!slot_file(&test, "tokens", "").exists());
    assert!(!slot_file(&test, "index", ".json").exists());
    test.words("header").run().fails_with(4);
}

#[test]
fn what_is_damaged_is_replaced_by_a_login_and_forgotten_by_a_logout() {
    for command in ["login", "logout"] {
        let test = logged_in();
        let entry = slot_file(&test, "tokens", "");
        let bytes = fs::read(&entry).unwrap();
        fs::write(&entry, &bytes[..bytes.len() - 1]).unwrap();
        test.words("header").run().fails_with(7).stderr_has("is damaged");
        test.words(command).run().success().stderr_has("warning: ");
        test.words("login").run().success();
        assert_session_lives(&test);
    }
}

#[test]
fn what_another_key_sealed_is_left_alone_but_by_a_logout() {
    let test = logged_in();
    let key = fs::read(test.data().join("key")).unwrap();
    fs::write(test.data().join("key"), [7; 32]).unwrap();
    for command in ["header", "login", "refresh"] {
        test.words(command).run().fails_with(7).stderr_has("another key");
    }
    fs::write(test.data().join("key"), &key).unwrap();
    assert_session_lives(&test);
    fs::write(test.data().join("key"), [7; 32]).unwrap();
    test.words("logout").run().success().stderr_has("nothing was revoked");
    test.words("login").run().success();
    assert_session_lives(&test);
}
