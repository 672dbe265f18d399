//! `refresh`: renewal on demand.

use oauthctl::sandbox::{Fault, Provider};

use super::login::MEMBERS;
use super::support::Test;

fn test() -> Test {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.words("login").run().success();
    test
}

fn refreshes(test: &Test) -> u64 {
    test.server().counts(Provider::Standard).refresh_token
}

fn token(test: &Test) -> String {
    test.words("token").prints_secrets().run().success().stdout
}

#[test]
fn it_renews_now_and_tells_of_it_on_stderr() {
    let test = test();
    let first = token(&test);
    let outcome = test.words("refresh").run().success().stdout_is("");
    outcome.stderr_has("Renewed: the user token of standard expires in ");
    assert_ne!(token(&test), first);
    assert_eq!(refreshes(&test), 1);
}

#[test]
fn json_is_the_object_of_show() {
    let test = test();
    let object = test.words("refresh --json").run().success().json();
    let mut names: Vec<_> = MEMBERS.into();
    names.sort_unstable();
    assert_eq!(object.as_object().unwrap().keys().collect::<Vec<_>>(), names);
    assert_eq!((&object["profile"], &object["status"]), (&"standard".into(), &"valid".into()));
    assert_eq!(object["grant_type"], "password", "the grant that began the session");
}

#[test]
fn a_client_is_renewed_by_client_credentials() {
    let test = test();
    test.words("refresh --as client").run().success().stderr_has("the client token of standard");
    test.words("refresh --as client").run().success();
    assert_eq!(test.server().counts(Provider::Standard).client_credentials, 2);
    assert_eq!(refreshes(&test), 0);
}

#[test]
fn if_expiring_leaves_a_token_with_more_life_alone() {
    let test = test();
    test.words("refresh --if-expiring 59m").run().success().stderr_has("Fresh already");
    assert_eq!(refreshes(&test), 0);
    test.words("refresh --if-expiring 2h").run().success().stderr_has("Renewed");
    assert_eq!(refreshes(&test), 1);
    test.words("refresh --if-expiring soon").run().fails_with(2);
}

#[test]
fn all_renews_every_cached_token_and_prints_an_array() {
    let test = test();
    test.words("refresh --all --json -p bindeo").run().success().stdout_is("[]\n");
    test.words("login -p bindeo").run().success();
    test.words("client-token -p kabbage --scope x").prints_secrets().run().success();
    let list = test.words("refresh --all --json").run().success().json();
    let list: Vec<_> = list.as_array().unwrap().iter().map(|object| &object["profile"]).collect();
    assert_eq!(list, ["bindeo", "kabbage", "standard"]);
    assert_eq!((refreshes(&test), test.server().counts(Provider::Bindeo).refresh_token), (1, 1));
    assert_eq!(test.server().counts(Provider::Kabbage).client_credentials, 2);
    test.words("refresh --all").run().success().stdout_is("");
    assert_eq!(test.words("show --json -p kabbage").run().json().as_array().unwrap().len(), 1);
}

#[test]
fn all_goes_on_after_a_failure_and_ends_with_its_code() {
    let test = test();
    test.words("login -p bindeo").run().success();
    test.server().revoke_refresh_tokens(Provider::Bindeo);
    let outcome = test.words("refresh --all --json").run().fails_with(4);
    outcome
        .stderr_has("error: the user token of bindeo was not renewed\ncaused by: ")
        .stderr_has("hint: oauthctl login --profile bindeo\n")
        .stderr_has("Renewed: the user token of standard");
    assert_eq!(refreshes(&test), 1);
}

#[test]
fn all_hints_at_the_profile_and_the_identity_that_failed() {
    let test = test();
    test.words("client-token -p kabbage").prints_secrets().run().success();
    test.server().behave(|behaviour| {
        behaviour.fault = Some(Fault::answer(400, "{\"error\":\"invalid_request\"}"));
    });
    let outcome = test.words("refresh --all").run().fails_with(5);
    outcome.stderr_has("oauthctl -vvv refresh --as client --profile kabbage\n");
}

#[test]
fn all_of_nothing_is_exit_0() {
    Test::new().words("refresh --all").run().success().stdout_is("").stderr_is("");
    Test::new().words("refresh --all --json").run().success().stdout_is("[]\n");
}

#[test]
fn it_never_falls_back_to_a_token_that_lives() {
    let test = test();
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(503, "{}")));
    test.words("refresh").run().fails_with(6);
    test.words("refresh --if-expiring 2h").run().fails_with(6);
    test.server().behave(|behaviour| behaviour.fault = None);
    test.server().revoke_refresh_tokens(Provider::Standard);
    test.words("refresh").run().fails_with(4).stderr_has("hint: oauthctl login --profile standard");
    token(&test);
}

#[test]
fn a_session_without_a_refresh_token_is_not_said_to_have_ended() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    let answer = "{\"access_token\":\"a\",\"expires_in\":3600}";
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(200, answer)));
    test.words("login").run().success();
    let outcome = test.words("refresh").run().fails_with(4);
    outcome.stderr_has("there is no refresh token").stderr_lacks("ended");
}

#[test]
fn the_old_refresh_token_is_kept_when_the_answer_has_none() {
    let test = test();
    test.server().behave(|behaviour| behaviour.rotate = false);
    let refresh_token = test.refresh_token();
    for _ in 0..2 {
        test.words("refresh").run().success();
        assert!(test.sent().ends_with(&refresh_token));
    }
}

#[test]
fn a_rotated_refresh_token_is_never_used_again() {
    let test = test();
    for _ in 0..3 {
        test.words("refresh").run().success();
    }
    assert_eq!(test.server().counts(Provider::Standard).reuse, 0);
}

#[test]
fn nothing_to_refresh_is_exit_4() {
    Test::new().sandbox().words("refresh -p bindeo").run().fails_with(4);
}

#[test]
fn dry_run_prints_the_redacted_request_and_sends_nothing() {
    let test = Test::new().sandbox();
    let outcome = test.words("refresh -p bindeo --dry-run").run().success();
    outcome.stdout_has("\"client_secret\":\"***\",\"refresh_token\":\"***\"}");
    let outcome = test.words("refresh -p bindeo --dry-run --as client").run().success();
    outcome.stdout_has("{\"grant_type\":\"client_credentials\"");
    assert!(test.server().requests().is_empty() && !test.data().exists());
}
