//! `header` and `token`: the token itself, renewed first when it must be.

use oauthctl::sandbox::{Fault, Provider};

use super::support::{Outcome, Test};

fn test() -> Test {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.words("login").run().success();
    test
}

fn token(test: &Test, words: &str) -> Outcome {
    test.words(&format!("token {words}")).prints_secrets().run().success()
}

fn refreshes(test: &Test) -> u64 {
    test.server().counts(Provider::Standard).refresh_token
}

#[test]
fn header_prints_the_header_line() {
    let test = test();
    let line = format!("Authorization: Bearer {}\n", test.access_token());
    test.words("header").prints_secrets().run().success().stdout_is(&line).stderr_is("");
}

#[test]
fn token_prints_the_bare_access_token() {
    let test = test();
    token(&test, "").stdout_is(&format!("{}\n", test.access_token())).stderr_is("");
}

#[test]
fn token_json_is_as_for_client_token() {
    let test = test();
    let object = token(&test, "--json").json();
    assert_eq!(object.as_object().unwrap().len(), 4);
    assert_eq!(object["access_token"], test.access_token());
    assert_eq!(object["token_type"], "Bearer");
}

#[test]
fn the_scheme_is_bearer_whatever_the_case_of_the_token_type() {
    let test = test();
    for kind in ["bearer", "BEARER", ""] {
        let body = format!("{{\"access_token\":\"tok\",\"token_type\":\"{kind}\"}}");
        test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(200, body)));
        test.words("client-token --force").run().success().stdout_is("tok\n");
        test.words("header --as client").run().success().stdout_is("Authorization: Bearer tok\n");
    }
}

#[test]
fn a_machine_token_is_fetched_by_header_and_token_themselves() {
    let test = Test::new().sandbox();
    let header = test.words("header -p bindeo --as client").prints_secrets().run().success();
    header.stdout_is(&format!("Authorization: Bearer {}\n", test.access_token()));
    test.words("token -p bindeo --as client").prints_secrets().run().success();
    assert_eq!(test.server().counts(Provider::Bindeo).client_credentials, 1);
}

#[test]
fn a_missing_user_token_is_exit_4_and_the_hint_names_the_login() {
    let test = Test::new().sandbox();
    for command in ["header", "token"] {
        let outcome = test.words(command).env("OAUTHCTL_PROFILE", "bindeo").run().fails_with(4);
        outcome.stderr_has("\nhint: oauthctl login --profile bindeo\n");
    }
    assert!(test.server().requests().is_empty());
}

#[test]
fn a_token_with_less_life_left_is_renewed_first() {
    let test = test();
    let first = test.access_token();
    token(&test, "--min-ttl 59m").stdout_is(&format!("{first}\n"));
    assert_eq!(refreshes(&test), 0);
    token(&test, "--min-ttl 61m").stdout_is(&format!("{}\n", test.access_token()));
    assert_eq!(refreshes(&test), 1);
    assert_ne!(test.access_token(), first);
}

#[test]
fn a_token_that_was_just_obtained_is_handed_out_whatever_its_life_with_a_warning() {
    let test = test();
    let outcome = token(&test, "--min-ttl 61m");
    assert!(outcome.stderr.starts_with("warning: the new token lives for 3"), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1);
}

#[test]
fn min_ttl_of_the_flag_beats_the_environments_which_beats_the_profiles_which_beats_the_settings() {
    let test = test();
    let renewed = |words: &str, env: &str| {
        let before = refreshes(&test);
        test.words(words).env("OAUTHCTL_MIN_TTL", env).prints_secrets().run().success();
        refreshes(&test) > before
    };
    assert!(!renewed("header", ""));
    std::fs::write(test.config().join("config.toml"), "min_ttl = \"2h\"\n").unwrap();
    assert!(renewed("header", ""));
    test.words("profile set standard min_ttl 5m").run().success();
    assert!(!renewed("header", ""));
    assert!(renewed("header", "2h"));
    assert!(!renewed("header --min-ttl 1m", "2h"));
    test.words("profile set standard min_ttl 7200").run().success();
    assert!(renewed("header", ""));
    assert!(!renewed("header --min-ttl 0", ""));
    std::fs::remove_file(test.config().join("config.toml")).unwrap();
}

#[test]
fn a_token_without_a_known_end_is_handed_out_until_it_is_refused() {
    let test = Test::new().sandbox();
    let body = r#"{"access_token":"endless","refresh_token":"r"}"#;
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(200, body)));
    test.words("login -p bindeo").run().success().stderr_has("no end known");
    let token = test.words("token -p bindeo --json --min-ttl 7d").run().success().json();
    assert_eq!((&token["expires_at"], &token["expires_in"]), (&().into(), &().into()));
    let show = test.words("show -p bindeo --json").run().success().json();
    assert_eq!(show[0]["status"], "unknown");
    assert_eq!(test.asked(Provider::Bindeo), 1);
}

#[test]
fn an_expired_token_without_a_refresh_token_is_exit_4() {
    let test = Test::new().sandbox();
    let body = r#"{"access_token":"short","expires_in":0}"#;
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(200, body)));
    test.words("login -p bindeo").run().success().stderr_has("no refresh token came with it");
    test.words("header -p bindeo").run().fails_with(4).stderr_has("no refresh token");
    assert_eq!(test.asked(Provider::Bindeo), 1);
}

#[test]
fn an_expired_token_is_renewed_and_where_that_fails_nothing_is_handed_out() {
    let test = Test::new().sandbox();
    test.server().behave(|behaviour| behaviour.expires_in = Some(0));
    test.words("login -p standard").run().success();
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(503, "{}")));
    test.words("header -p standard").run().fails_with(6);
    test.server().behave(|behaviour| {
        behaviour.fault = None;
        behaviour.expires_in = None;
    });
    test.words("header -p standard").prints_secrets().run().success().stderr_is("");
}

#[test]
fn while_the_token_lives_a_failed_renewal_is_a_warning() {
    for (status, body) in [(503, "{}"), (429, "{}"), (200, "<html>"), (200, "")] {
        let test = test();
        let first = format!("{}\n", test.access_token());
        test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(status, body)));
        let outcome = token(&test, "--min-ttl 2h").stdout_is(&first);
        outcome.stderr_has("warning: the token could not be renewed: ");
    }
    let test = test();
    let first = format!("{}\n", test.access_token());
    test.server().revoke_refresh_tokens(Provider::Standard);
    let outcome = token(&test, "--min-ttl 2h").stdout_is(&first);
    outcome.stderr_has("the refresh token no longer works: the server refused: invalid_grant");
    token(&test, "").stdout_is(&first).stderr_is("");
}

#[test]
fn a_refresh_token_is_used_only_where_the_profile_lists_the_grant() {
    let test = test();
    test.words("profile set standard grants password client_credentials").run().success();
    let first = format!("{}\n", test.access_token());
    token(&test, "--min-ttl 2h").stdout_is(&first).stderr_has("warning");
    test.words("refresh").run().fails_with(3).stderr_has("doesn't offer the grant refresh_token");
    assert_eq!(refreshes(&test), 0);
}

#[test]
fn the_default_min_ttl_is_never_more_than_half_of_the_tokens_own_life() {
    let test = Test::new().sandbox();
    test.server().behave(|behaviour| behaviour.expires_in = Some(50));
    test.words("login -p standard").run().success();
    token(&test, "-p standard").stderr_is("");
    assert_eq!(refreshes(&test), 0);
    assert_eq!(test.words("show -p standard --json").run().json()[0]["status"], "valid");
    token(&test, "-p standard --min-ttl 60s");
    assert_eq!(refreshes(&test), 1);
}
