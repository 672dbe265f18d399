//! Whose token is meant, and that no token is ever handed to who didn't ask for it.

use oauthctl::sandbox::Provider;

use super::support::Test;

/// Whose token a command hands out, as the server sees it.
fn whose(test: &Test, words: &str, env: &str) -> String {
    let run = test.words(words).env("OAUTHCTL_AS", env).prints_secrets().run();
    if run.status == 4 {
        return "exit 4".to_owned();
    }
    let object = test.words("show --json --reveal").prints_secrets().run().success().json();
    let token = run.success().stdout.trim().to_owned();
    let shown = object.as_array().unwrap().iter().find(|object| object["access_token"] == *token);
    shown.unwrap()["identity"].as_str().unwrap().to_owned()
}

#[test]
fn the_flag_beats_the_environment_which_beats_the_profile() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.words("login").run().success();
    assert_eq!(whose(&test, "token", ""), "user");
    assert_eq!(whose(&test, "token", "client"), "client");
    assert_eq!(whose(&test, "token --as user", "client"), "user");
    test.words("profile set standard identity client").run().success();
    assert_eq!(whose(&test, "token", ""), "client");
    assert_eq!(whose(&test, "token", "user"), "user");
    assert_eq!(whose(&test, "token --as user", ""), "user");
}

#[test]
fn what_is_cached_never_decides() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.words("client-token").prints_secrets().run().success();
    assert_eq!(whose(&test, "token", ""), "exit 4", "a machine token is no person's");
    let machine = Test::new().server_alone().variant(
        "machine",
        Provider::Standard,
        "grants = [\"client_credentials\"]\n",
    );
    assert_eq!(whose(&machine, "token -p machine", ""), "client");
}

#[test]
fn without_a_user_grant_the_client_is_meant() {
    for (lines, expected) in [
        ("# grants\n", "client"),
        ("grants = [\"client_credentials\", \"refresh_token\"]\n", "client"),
        ("# grants\nlogin_grant = \"password\"\n", "exit 4"),
        ("grants = [\"password\"]\n", "exit 4"),
        ("# grants\nauthorization_url = \"/authorize\"\n", "exit 4"),
        ("# grants\ndevice_authorization_url = \"/device\"\n", "exit 4"),
        ("identity = \"client\"\n", "client"),
        ("# grants\nidentity = \"user\"\n", "exit 4"),
    ] {
        let test = Test::new().server_alone().variant("x", Provider::Standard, lines);
        assert_eq!(whose(&test, "token -p x", ""), expected, "{lines}");
    }
}

#[test]
fn user_and_machine_tokens_never_mix() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "musement");
    let token = |words: &str| test.words(words).prints_secrets().run().success().stdout;
    let machine = token("client-token");
    test.words("login").run().success();
    let person = token("token");
    assert_ne!(machine, person);
    assert_eq!(token("token --as client"), machine);
    test.words("refresh").run().success();
    assert_eq!(token("client-token"), machine);
    let person = token("token");
    token("client-token --force");
    assert_eq!(token("token"), person);
    test.words("logout").run().success();
    assert_eq!(test.words("token").run().status, 4);
    token("token --as client");
}

#[test]
fn an_identity_that_is_none_is_refused() {
    let test = Test::new().sandbox();
    test.words("header -p bindeo --as admin").run().fails_with(2);
    let header = test.words("header -p bindeo").env("OAUTHCTL_AS", "admin");
    header.run().fails_with(3).stderr_has("OAUTHCTL_AS");
}

/// A token carries what it was asked with; when the profile says otherwise now, neither it nor its
/// refresh token is used.
#[test]
fn a_user_whose_profile_changed_must_log_in_again() {
    for (key, value, what) in [
        ("client_id", "other", "client_id"),
        ("token_url", "https://127.0.0.1:1/token", "server"),
        ("username", "other", "username"),
        ("scope", "a more", "scope"),
        ("request.params.audience", "api", "audience"),
        ("request.params.resource", "https://api.example.com/", "audience"),
    ] {
        let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
        test.words("login --scope a").run().success();
        test.words("token").prints_secrets().run().success();
        test.words(&format!("profile set standard {key}")).args(value.split(' ')).run().success();
        for command in ["header", "token", "refresh", "header --min-ttl 2h"] {
            let outcome = test.words(command).run().fails_with(4);
            outcome.stderr_has(&format!("was asked for with another {what}"));
        }
        assert_eq!(test.server().requests().len(), 1, "{key}");
        // What a person takes back is as it was.
        if key == "username" {
            test.words("profile set standard username user@sandbox").run().success();
            test.words("token").prints_secrets().run().success();
        }
    }
}

#[test]
fn the_environment_changes_a_profile_as_its_file_does() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.words("login").run().success();
    for (name, value) in
        [("OAUTHCTL_USERNAME", "bob"), ("OAUTHCTL_CLIENT_ID", "x"), ("OAUTHCTL_SCOPE", "x")]
    {
        test.words("token").env(name, value).run().fails_with(4);
    }
    test.words("token").prints_secrets().run().success();
}

/// A provider may move its token endpoint, but nobody else may do so for it.
#[test]
fn an_issuer_does_not_vouch_for_an_endpoint_of_the_environment() {
    let issuer = "https://id.example.com/";
    let test = Test::new().server_alone();
    let lines = format!(
        "issuer = \"{issuer}\"\n# client_secret\n# password\n\
         login_grant = \"password\"\n"
    );
    let preset = test.profile_of(Provider::Standard, &lines);
    let test = test
        .config_file("providers/mine.toml", &preset)
        .env("OAUTHCTL_CLIENT_SECRET", "client/secret:1")
        .env("OAUTHCTL_PASSWORD", "user/password:1")
        .env("OAUTHCTL_PROFILE", "mine");
    test.words("login").run().success();
    for (name, value) in [
        ("OAUTHCTL_TOKEN_URL", "https://127.0.0.1:1/token"),
        ("OAUTHCTL_BASE_URL", "https://127.0.0.1:1/"),
    ] {
        for named in ["", issuer] {
            let run = test.words("refresh").env(name, value).env("OAUTHCTL_ISSUER", named);
            run.run().fails_with(4).stderr_has("was asked for with another server");
        }
    }
    test.words("refresh").run().success();
}

#[test]
fn what_the_profile_leaves_unset_never_conflicts() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.words("profile set standard scope a b").run().success();
    test.words("login").run().success();
    for words in ["username --unset", "scope --unset", "scope b"] {
        test.words(&format!("profile set standard {words}")).run().success();
        test.words("token").prints_secrets().run().success();
    }
    test.words("refresh").run().success();
    test.words("token").prints_secrets().run().success();
}
