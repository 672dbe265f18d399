//! `doctor`: what is wrong, and what to do about it.

use oauthctl::sandbox::Provider;
use serde_json::{Value, json};

use super::support::Test;
use super::support::raw::{RawServer, answer, host};

/// The findings of a check, as `status: message`.
fn findings(test: &Test, words: &str, check: &str) -> Vec<String> {
    let list = test.words(&format!("doctor --json {words}")).run().success().json();
    let found = list.as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    found
        .map(|finding| {
            let member = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            assert_eq!(member("status") != "ok", !member("advice").is_empty(), "{finding}");
            format!("{}: {}", member("status"), member("message"))
        })
        .collect()
}

#[track_caller]
fn assert_one(findings: &[String], start: &str, part: &str) {
    let [finding] = findings else { panic!("{findings:?}") };
    assert!(finding.starts_with(start) && finding.contains(part), "{finding}");
}

#[test]
fn profiles_are_counted_in_words_that_fit() {
    let test = Test::new();
    assert_one(&findings(&test, "", "config"), "ok: ", ": 0 profiles");
    let test = test.profile("x", "provider = \"bindeo\"\n");
    let found = findings(&test, "", "config");
    assert!(found[0].ends_with(": 1 profile"), "{found:?}");
}

#[test]
fn on_a_healthy_machine_every_check_is_ok() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo").run().success();
    let list = test.words("doctor -p bindeo --json").run().success().stderr_is("").json();
    let list = list.as_array().unwrap();
    let checks: Vec<_> = list.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    assert_eq!(checks, ["config", "permissions", "store", "curl", "reach", "clock"]);
    for finding in list {
        assert_eq!((&finding["status"], &finding["advice"]), (&"ok".into(), &Value::Null));
        assert_eq!(finding.as_object().unwrap().len(), 4);
    }
    let table = test.words("doctor -p bindeo").run().success();
    table.stdout_has("store\tok\tthe file store answers\t\n");
}

#[test]
fn on_a_new_machine_it_makes_nothing_and_ends_with_0() {
    let test = Test::new();
    assert_one(&findings(&test, "", "profile"), "warning: no profile is named", "");
    assert!(!test.config().exists() && !test.data().exists());
}

#[test]
fn it_spends_no_grant() {
    let test = Test::new().sandbox();
    findings(&test, "-p bindeo", "reach");
    let counts = test.server().counts(Provider::Bindeo);
    assert_eq!((counts.token_requests(), counts.other), (1, 1), "a look that grants nothing");
}

#[test]
fn every_broken_file_is_found() {
    let test = Test::new()
        .profile("fine", "provider = \"bindeo\"\n")
        .profile("broken", "nonsense = 1\n")
        .profile("lost", "provider = \"nobody\"\n")
        .config_file("providers/bad.toml", "token_url = 1\n");
    let found = findings(&test, "-p fine --timeout 1s", "config");
    assert_eq!(found.len(), 3, "{found:?}");
    for (finding, part) in found.iter().zip(["broken.toml:1: unknown key", "nobody", "bad.toml:1"])
    {
        assert!(finding.starts_with("error: ") && finding.contains(part), "{finding}");
    }
}

#[test]
fn broken_settings_are_found_too() {
    let test = Test::new().config_file("config.toml", "min_ttl = \"soon\"\n");
    test.words("show").run().fails_with(3).stderr_has("config.toml:1: min_ttl must be");
    assert_one(&findings(&test, "", "config"), "error: ", "config.toml:1: min_ttl must be");
}

#[cfg(unix)]
#[test]
fn permissions_that_were_opened_up_are_found() {
    use std::os::unix::fs::PermissionsExt;
    let test = Test::new().sandbox();
    test.words("login -p bindeo").run().success();
    assert_one(&findings(&test, "", "permissions"), "ok: ", "");
    let key = test.data().join("key");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    assert_one(&findings(&test, "", "permissions"), "error: ", &key.display().to_string());
    let table = test.words("doctor").run().success();
    table.stdout_has(&format!("chmod -R go= {}\n", test.data().display()));
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
}

#[test]
fn a_clock_that_differs_from_the_servers_is_found() {
    let test = Test::new().sandbox();
    for (skew, start) in [(0, "ok: "), (50, "ok: "), (3600, "error: 3"), (-3600, "error: 3")] {
        test.server().behave(|behaviour| behaviour.clock_skew = skew);
        let part = match skew {
            3600 => "s behind the server's",
            -3600 => "s ahead of the server's",
            _ => "within a minute",
        };
        assert_one(&findings(&test, "-p standard", "clock"), start, part);
    }
}

#[test]
fn a_server_that_can_not_be_reached_is_found() {
    let test =
        Test::new().profile("x", "token_url = \"http://127.0.0.1:1/token\"\nclient_id = \"a\"\n");
    assert_one(&findings(&test, "-p x", "reach"), "error: 127.0.0.1:1 refused", "");
    assert!(findings(&test, "-p x", "clock").is_empty());
}

#[test]
fn an_issuer_is_asked_for_the_endpoints_though_nobody_has_logged_in() {
    let server = RawServer::start(|request| {
        let base = format!("http://{}", host(request));
        let of = |path: &str| format!("{base}{path}");
        let body = json!({"issuer": of(""), "token_endpoint": of("/t"), "jwks_uri": of("/k")});
        answer(200, "application/json", &body.to_string())
    });
    let profile = |issuer: &str| format!("issuer = \"{issuer}\"\nclient_id = \"us\"\n");
    let test = Test::new()
        .profile("x", &profile(&server.url("")))
        .profile("other", &profile(&server.url("/other")))
        .profile("away", &profile("http://127.0.0.1:1"));
    assert_one(&findings(&test, "-p x", "discovery"), "ok: ", "tells its endpoints: token, jwks");
    assert_one(&findings(&test, "-p x", "reach"), "ok: ", "");
    for (name, part) in [("other", "not of the issuer"), ("away", "127.0.0.1:1 refused")] {
        let words = format!("-p {name}");
        assert_one(&findings(&test, &words, "discovery"), "error: ", part);
        for check in ["profile", "reach"] {
            assert!(findings(&test, &words, check).is_empty(), "{name}: {check}");
        }
    }
}

#[test]
fn secrets_in_the_url_are_warned_of() {
    let test = Test::new().sandbox();
    assert_one(&findings(&test, "-p musement", "profile"), "warning: ", "secrets in the URL");
}

#[test]
fn a_source_that_can_not_be_opened_is_found() {
    let test = Test::new().server_alone();
    let lines = "client_secret = { env = \"NO_SUCH\" }\npassword = { file = \"/no/such\" }\n";
    let test = test.variant("x", Provider::Standard, lines);
    let found = findings(&test, "-p x", "profile");
    let [secret, password] = &found[..] else { panic!("{found:?}") };
    assert!(secret.contains("the variable NO_SUCH is not set"), "{secret}");
    assert!(password.contains("there is no file /no/such"), "{password}");
}

#[test]
fn a_store_that_keeps_nothing_or_can_not_be_opened_is_found() {
    let test = Test::new().sandbox();
    assert_one(&findings(&test, "--store none", "store"), "warning: the store is none", "");
    test.words("login -p bindeo").run().success();
    let found = findings(&test, "--store none", "store");
    assert!(found.iter().any(|finding| finding == "ok: the file store answers"), "{found:?}");
    std::fs::write(test.data().join("index/bindeo@user.json"), "{").unwrap();
    let found = findings(&test, "", "store");
    assert!(found.iter().any(|finding| finding.starts_with("error: ")), "{found:?}");
}

#[test]
fn tls_that_fails_is_told_from_a_server_that_is_not_there() {
    let test = Test::new().sandbox();
    // The sandbox speaks plain http: whoever asks it for TLS gets no proper answer.
    let url = test.server().token_url(Provider::Bindeo).replace("http:", "https:");
    let test = test.profile("x", &format!("token_url = \"{url}\"\n"));
    assert_one(&findings(&test, "-p x", "tls"), "error: ", "TLS");
    assert_eq!(findings(&test, "-p x", "reach"), [""; 0]);
}
