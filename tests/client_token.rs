//! `client-token`: a machine's token, cached until it nears its end.

use oauthctl::sandbox::{Fault, Provider};

use super::support::{Outcome, Test};

fn fetch(test: &Test, words: &str) -> Outcome {
    test.words(&format!("client-token {words}")).prints_secrets().run().success()
}

fn test() -> Test {
    Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard")
}

fn count(test: &Test) -> u64 {
    test.server().counts(Provider::Standard).client_credentials
}

#[test]
fn it_prints_the_token_and_a_newline() {
    let test = test();
    fetch(&test, "").stdout_is(&format!("{}\n", test.access_token())).stderr_is("");
}

#[test]
fn json_is_an_object_of_the_token_its_type_and_its_end() {
    let test = test();
    let object = fetch(&test, "-p kabbage --json").json();
    let names: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = ["access_token", "token_type", "expires_at", "expires_in"];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(object["access_token"], test.access_token());
    assert_eq!(object["token_type"], "bearer");
    let end = object["expires_at"].as_str().unwrap();
    assert!(end.len() == 20 && end.ends_with('Z') && end.contains('T'), "{end}");
    assert!((86_300..=86_399).contains(&object["expires_in"].as_i64().unwrap()));
}

#[test]
fn it_is_cached_until_it_nears_its_end() {
    let test = test();
    let first = fetch(&test, "").stdout;
    fetch(&test, "").stdout_is(&first);
    fetch(&test, "--min-ttl 59m").stdout_is(&first);
    assert_eq!(count(&test), 1);
    let second = fetch(&test, "--min-ttl 2h").stdout;
    assert_ne!(first, second);
    assert_eq!(count(&test), 2);
}

#[test]
fn force_fetches_anew() {
    let test = test();
    let first = fetch(&test, "").stdout;
    let second = fetch(&test, "--force").stdout;
    assert_ne!(first, second);
    fetch(&test, "").stdout_is(&second);
    assert_eq!(count(&test), 2);
}

#[test]
fn force_never_falls_back_to_a_token_that_lives() {
    let test = test();
    let first = fetch(&test, "").stdout;
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(503, "{}")));
    test.words("client-token --force").run().fails_with(6);
    let served = fetch(&test, "--min-ttl 2h").stdout_is(&first);
    served.stderr_has("warning: the token could not be renewed: the server can't answer now");
}

#[test]
fn no_store_touches_no_store() {
    let test = test();
    fetch(&test, "--no-store");
    assert!(!test.data().exists());
    let cached = fetch(&test, "").stdout;
    let other = fetch(&test, "--no-store").stdout;
    assert_ne!(cached, other);
    fetch(&test, "").stdout_is(&cached);
    assert_eq!(count(&test), 3);
}

#[test]
fn no_store_works_whatever_store_is_remembered_named_or_broken() {
    let test = test();
    fetch(&test, "");
    test.words("client-token --store none").run().fails_with(7);
    fetch(&test, "--store none --no-store");
    std::fs::write(test.data().join("key"), "damaged").unwrap();
    test.words("client-token").run().fails_with(7);
    fetch(&test, "--no-store");
}

#[test]
fn machine_tokens_are_cached_apart_by_scope() {
    let test = test();
    let plain = fetch(&test, "").stdout;
    let both = fetch(&test, "--scope a --scope b").stdout;
    let one = fetch(&test, "--scope a").stdout;
    assert!(plain != both && both != one && plain != one);
    fetch(&test, "").stdout_is(&plain);
    fetch(&test, "--scope b --scope a").stdout_is(&both);
    test.words("client-token").env("OAUTHCTL_SCOPE", "b a").prints_secrets().run().stdout_is(&both);
    fetch(&test, "--scope a").stdout_is(&one);
    assert_eq!(count(&test), 3);
    let list = test.words("show -p standard --json").run().success().json();
    assert_eq!(list.as_array().unwrap().len(), 3);
}

#[test]
fn machine_tokens_are_cached_apart_by_audience() {
    let test = test();
    let plain = fetch(&test, "").stdout;
    let set = "profile set standard request.params.audience";
    test.words(&format!("{set} one")).run().success();
    let one = fetch(&test, "").stdout;
    assert!(test.sent().ends_with("&audience=one"));
    test.words(&format!("{set} two")).run().success();
    let two = fetch(&test, "").stdout;
    assert!(plain != one && one != two);
    test.words(&format!("{set} one")).run().success();
    fetch(&test, "").stdout_is(&one);
    test.words(&format!("{set} --unset")).run().success();
    fetch(&test, "").stdout_is(&plain);
    assert_eq!(count(&test), 3);
}

#[test]
fn dry_run_prints_the_redacted_request_and_sends_nothing() {
    let test = test();
    let outcome = test.words("client-token -p musement --dry-run --scope x").run().success();
    let host = test.server().address();
    assert_eq!(
        outcome.stdout,
        format!(
            "GET /musement/api/v3/login?grant_type=client_credentials&client_id=sandbox-client\
             &client_secret=***&scope=x HTTP/1.1\nHost: {host}\nAccept: application/json\n"
        )
    );
    assert!(test.server().requests().is_empty());
    assert!(!test.data().exists());
}

#[test]
fn with_the_store_none_every_token_is_fetched_anew() {
    let test = test().env("OAUTHCTL_STORE", "none");
    let first = fetch(&test, "").stdout;
    assert_ne!(fetch(&test, "").stdout, first);
    assert!(!test.data().join("tokens").exists());
}

#[test]
fn a_token_that_lives_shorter_than_is_wanted_is_handed_out_with_a_warning() {
    let test = test();
    let outcome = fetch(&test, "--min-ttl 2h");
    assert!(outcome.stderr.starts_with("warning: the new token lives for 3"), "{outcome:?}");
    fetch(&test, "--min-ttl 2h -q").stderr_is("");
}

#[test]
fn a_client_whose_profile_changed_is_given_a_new_token_and_never_the_old_one() {
    for (key, value) in [("client_auth", "client_secret_post"), ("scope", "more")] {
        let test = test();
        let first = fetch(&test, "").stdout;
        test.words(&format!("profile set standard {key} {value}")).run().success();
        let same = fetch(&test, "").stdout == first;
        assert_eq!(same, key == "client_auth", "{key}");
    }
    let test = test();
    fetch(&test, "");
    test.words("profile set standard client_id other").run().success();
    test.words("client-token").run().fails_with(5).stderr_has("invalid_client");
    assert_eq!(count(&test), 2);
    let elsewhere = test.server().base_url(Provider::Kabbage) + "/auth/token";
    test.words("profile set standard client_id sandbox-client").run().success();
    test.words(&format!("profile set standard token_url {elsewhere}")).run().success();
    test.words("profile set standard request.basic_encoding raw").run().success();
    let second = fetch(&test, "").stdout;
    assert_eq!(test.asked(Provider::Kabbage), 1);
    assert_eq!(second, test.access_token() + "\n");
}

#[test]
fn a_cached_token_needs_no_secret() {
    let test = test();
    let token = fetch(&test, "-p bindeo").stdout;
    test.words("profile set bindeo client_secret --unset").run().success();
    fetch(&test, "-p bindeo").stdout_is(&token);
    let lacks = test.words("client-token -p bindeo --force").run().fails_with(3);
    lacks.stderr_has("the profile bindeo lacks client_secret");
}
