//! `show`: the cached tokens, as a table for people and as objects for programs.

use oauthctl::sandbox::{Fault, Provider};
use serde_json::{Value, json};

use super::login::MEMBERS;
use super::support::Test;

fn list(test: &Test, words: &str) -> Vec<Value> {
    let json = test.words(&format!("show --json {words}")).run().success().json();
    json.as_array().unwrap().clone()
}

fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn sorted<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut names: Vec<_> = MEMBERS.iter().chain(more).copied().collect();
    names.sort_unstable();
    names
}

#[test]
fn an_empty_list_is_exit_0() {
    let test = Test::new();
    test.words("show").run().success().stdout_is("").stderr_is("");
    test.words("show --json").run().success().stdout_is("[]\n").stderr_is("");
    test.words("show --json --claims --reveal").run().success().stdout_is("[]\n");
    assert!(!test.config().exists() && !test.data().exists());
}

#[test]
fn a_name_that_is_no_profile_is_exit_3() {
    Test::new().sandbox().words("show -p nobody").run().fails_with(3).stderr_has("standard");
}

#[test]
fn every_profile_that_has_a_file_or_a_token_is_listed() {
    let test = Test::new().sandbox();
    for words in ["login -p bindeo", "login -p standard"] {
        test.words(words).run().success();
    }
    for words in ["client-token -p standard", "client-token -p standard --scope a"] {
        test.words(words).prints_secrets().run().success();
    }
    std::fs::remove_file(test.config().join("profiles/bindeo.toml")).unwrap();
    let all = list(&test, "");
    let told: Vec<_> = all.iter().map(|o| (&o["profile"], &o["identity"], &o["status"])).collect();
    let (user, client, none) = (json!("user"), json!("client"), Value::Null);
    let (valid, nothing) = (json!("valid"), json!("none"));
    assert_eq!(
        told,
        [
            (&json!("barapi"), &none, &nothing),
            (&json!("bindeo"), &user, &valid),
            (&json!("kabbage"), &none, &nothing),
            (&json!("musement"), &none, &nothing),
            (&json!("standard"), &client, &valid),
            (&json!("standard"), &client, &valid),
            (&json!("standard"), &user, &valid),
        ]
    );
    assert_eq!(list(&test, "-p standard").len(), 3);
    let named = test.words("show --json").env("OAUTHCTL_PROFILE", "bindeo").run().success();
    assert_eq!(named.json().as_array().unwrap().len(), all.len(), "only the flag chooses");
}

#[test]
fn a_profile_without_a_token_has_status_none_and_null_elsewhere() {
    let test = Test::new().sandbox();
    for words in ["-p bindeo", "-p bindeo --as user"] {
        let [object] = &list(&test, words)[..] else { panic!("one object") };
        assert_eq!(names(object), sorted(&[]));
        let filled = object.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
        let filled: Vec<_> = filled.map(|(name, value)| (name.as_str(), value)).collect();
        assert_eq!(filled, [("profile", &json!("bindeo")), ("status", &json!("none"))]);
    }
}

#[test]
fn as_chooses_whose_tokens_are_shown_and_so_does_the_environment() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo").run().success();
    test.words("client-token -p bindeo").prints_secrets().run().success();
    let identities = |words: &str, env: &str| {
        let run = test.words(&format!("show -p bindeo --json {words}")).env("OAUTHCTL_AS", env);
        let list = run.run().success().json();
        list.as_array().unwrap().iter().map(|o| o["identity"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(identities("", ""), ["client", "user"]);
    assert_eq!(identities("--as user", ""), ["user"]);
    assert_eq!(identities("", "client"), ["client"]);
    assert_eq!(identities("--as user", "client"), ["user"]);
}

#[test]
fn an_object_has_every_member_of_the_contract_and_no_other() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo --scope a").run().success();
    let [object] = &list(&test, "-p bindeo")[..] else { panic!("one object") };
    assert_eq!(names(object), sorted(&[]));
    for (name, value) in [
        ("profile", json!("bindeo")),
        ("provider", json!("bindeo")),
        ("identity", json!("user")),
        ("status", json!("valid")),
        ("grant_type", json!("password")),
        ("token_type", json!("Bearer")),
        ("scope", json!(["a"])),
        ("has_refresh_token", json!(true)),
        ("subject", json!("user@sandbox")),
        ("store", json!("file")),
    ] {
        assert_eq!(object[name], value, "{name}");
    }
    for name in ["obtained_at", "expires_at"] {
        let time = object[name].as_str().unwrap();
        assert!(time.len() == "2026-01-01T00:00:00Z".len() && time.ends_with('Z'), "{time}");
    }
    assert!((3500..=3600).contains(&object["expires_in"].as_i64().unwrap()));
}

#[test]
fn a_profile_of_no_preset_has_no_provider() {
    let test = Test::new().sandbox();
    test.words("client-token -p standard").prints_secrets().run().success();
    let [object] = &list(&test, "-p standard")[..] else { panic!("one object") };
    assert_eq!((&object["provider"], &object["subject"]), (&Value::Null, &Value::Null));
}

#[test]
fn the_subject_is_that_of_the_jwt_else_the_username() {
    let test = Test::new().sandbox();
    test.words("client-token -p bindeo").prints_secrets().run().success();
    assert_eq!(list(&test, "-p bindeo")[0]["subject"], "sandbox-client");
    test.words("login -p kabbage").run().success();
    assert_eq!(list(&test, "-p kabbage")[0]["subject"], "user@sandbox");
    // {"sub":"from the ID token"}
    let id_token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJmcm9tIHRoZSBJRCB0b2tlbiJ9.x";
    let body = format!("{{\"access_token\":\"a\",\"id_token\":\"{id_token}\"}}");
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(200, body)));
    test.words("login -p kabbage").run().success();
    assert_eq!(list(&test, "-p kabbage")[0]["subject"], "from the ID token");
    let claims = &list(&test, "-p kabbage --claims")[0];
    assert_eq!(claims["id_token_claims"], json!({"sub": "from the ID token"}));
    assert_eq!(claims["claims"], Value::Null);
}

#[test]
fn the_status_says_how_the_token_stands() {
    let test = Test::new().sandbox();
    let status = || list(&test, "-p standard")[0]["status"].clone();
    assert_eq!(status(), "none");
    test.words("login -p standard").run().success();
    assert_eq!(status(), "valid");
    test.words("profile set standard min_ttl 2h").run().success();
    assert_eq!(status(), "expiring");
    test.server().behave(|behaviour| behaviour.expires_in = Some(0));
    test.words("login -p standard").run().success();
    assert_eq!(status(), "expired");
    assert_eq!(list(&test, "-p standard")[0]["expires_in"], 0);
    let endless = Fault::answer(200, r#"{"access_token":"a"}"#);
    test.server().behave(|behaviour| behaviour.fault = Some(endless));
    test.words("login -p standard").run().success();
    assert_eq!(status(), "unknown");
    let object = &list(&test, "-p standard")[0];
    assert_eq!((&object["expires_at"], &object["expires_in"]), (&Value::Null, &Value::Null));
    test.words("logout -p standard").run().success();
    assert_eq!(status(), "none");
}

#[test]
fn claims_decodes_jwts() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo").run().success();
    let [object] = &list(&test, "-p bindeo --claims")[..] else { panic!("one object") };
    assert_eq!(names(object), sorted(&["claims", "id_token_claims"]));
    assert_eq!(object["claims"]["sub"], "user@sandbox");
    assert_eq!(object["claims"]["aud"], "sandbox-client");
    assert_eq!(object["id_token_claims"], Value::Null);
    let lines = test.words("show -p bindeo --claims").run().success();
    lines.stdout_has("\nclaims.sub: user@sandbox\n").stdout_has("profile: bindeo\n");
    test.words("login -p standard").run().success();
    assert_eq!(list(&test, "-p standard --claims")[0]["claims"], Value::Null);
}

#[test]
fn only_reveal_prints_secrets() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo").run().success();
    // Each of these is watched by the builder for every token.
    for words in ["show", "show --claims", "show --json", "show --json --claims", "show -vvv"] {
        test.words(words).run().success();
    }
    let run = test.words("show --reveal --json -p bindeo").prints_secrets().run().success();
    let object = &run.json()[0];
    assert_eq!(names(object), sorted(&["access_token", "refresh_token", "id_token"]));
    assert_eq!(object["access_token"], test.access_token());
    assert_eq!(object["refresh_token"], test.refresh_token());
    assert_eq!(object["id_token"], Value::Null);
    let lines = test.words("show --reveal -p bindeo").prints_secrets().run().success();
    lines.stdout_has(&format!("\naccess_token: {}\n", test.access_token()));
    test.words("show --reveal --json -p bindeo --store none").run().fails_with(7);
}

#[test]
fn a_token_whose_profile_is_gone_is_revealed_too() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo").run().success();
    test.words("login -p standard").run().success();
    std::fs::remove_file(test.config().join("profiles/standard.toml")).unwrap();
    let run = test.words("show --reveal --json").prints_secrets().run().success();
    let shown = run.json().as_array().unwrap().iter().find(|o| o["profile"] == "standard").cloned();
    assert_eq!(shown.unwrap()["access_token"], test.access_token());
}

#[test]
fn in_a_pipe_the_table_is_one_line_a_token_its_values_between_tabs_and_no_header() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo --scope a --scope b").run().success();
    let end = list(&test, "-p bindeo")[0]["expires_at"].as_str().unwrap().to_owned();
    let line = format!("bindeo\tuser\tvalid\t{end}\tuser@sandbox\ta b\tfile\n");
    test.words("show -p bindeo").run().success().stdout_is(&line);
    test.words("show -p standard").run().success().stdout_is("standard\t\tnone\t\t\t\t\n");
}

#[test]
fn what_a_server_names_can_not_steer_the_terminal() {
    let test = Test::new().sandbox();
    let body = "{\"access_token\":\"a\",\"scope\":\"a\\u001b[2J b\\u202e\"}";
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(200, body)));
    test.words("login -p standard").run().success();
    let outcome = test.words("show -p standard").run().success();
    assert!(!outcome.stdout.contains(['\u{1b}', '\u{202e}']), "{outcome:?}");
    outcome.stdout_has("a\\u{1b}[2J b\\u{202e}");
}

#[test]
fn it_asks_no_server_and_opens_no_store() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo").run().success();
    std::fs::write(test.data().join("key"), "damaged").unwrap();
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::default()));
    let before = test.asked(Provider::Bindeo);
    assert_eq!(list(&test, "-p bindeo")[0]["status"], "valid");
    assert_eq!(test.asked(Provider::Bindeo), before);
}

#[cfg(target_os = "linux")]
#[test]
fn at_a_terminal_the_table_has_a_header_and_fits() {
    let test = Test::new().sandbox();
    test.words("login -p standard --scope one --scope another --scope third-scope").run().success();
    test.words("login -p bindeo").run().success();
    for columns in [60, 100, 200] {
        let screen = test.words("show --color never").terminal(columns).ends().success().stdout;
        assert!(screen.starts_with("PROFILE"), "{screen}");
        for line in screen.lines() {
            assert!(line.chars().count() <= columns.into(), "{columns} columns:\n{screen}");
        }
    }
    let wide = test.words("show --color never").terminal(200).ends().success();
    wide.stdout_has("user@sandbox").stdout_has("one another third-scope").stdout_has("in ");
}

#[cfg(target_os = "linux")]
#[test]
fn colour_is_for_terminals_unless_no_color_or_the_flag_says_otherwise() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo").run().success();
    let colored = |words: &str, env: &str| {
        let run = test.words(words).env("NO_COLOR", env).terminal(100).ends().success();
        run.stdout.contains("\u{1b}[32mvalid")
    };
    assert!(colored("show", ""));
    assert!(!colored("show", "1"));
    assert!(!colored("show --color never", ""));
    assert!(colored("show --color always", "1"));
    let piped = test.words("show --color always").run().success();
    piped.stdout_has("\u{1b}[32mvalid");
    assert!(!test.words("show").run().stdout.contains('\u{1b}'));
    std::fs::write(test.config().join("config.toml"), "color = \"never\"\n").unwrap();
    assert!(!colored("show", ""));
    std::fs::remove_file(test.config().join("config.toml")).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn an_empty_list_at_a_terminal_says_how_to_begin() {
    let outcome = Test::new().words("show").terminal(80).ends().success();
    outcome.stdout_has("Begin with: oauthctl profile add NAME");
}

#[test]
fn a_damaged_entry_hides_no_other() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo").run().success();
    test.words("login -p kabbage").run().success();
    std::fs::write(test.data().join("index/kabbage@user.json"), "{").unwrap();
    let show = test.words("show --json").run().success();
    show.stderr_has("kabbage@user.json is damaged");
    let status = test.words("show --json").run().json();
    let valid = status.as_array().unwrap().iter().filter(|token| token["status"] == "valid");
    assert_eq!(valid.count(), 1);
    test.words("show -p kabbage").run().fails_with(7);
}
