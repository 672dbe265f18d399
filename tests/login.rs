//! `login`: what a person sees, what is kept, and what a failure leaves behind.

use oauthctl::sandbox::{Fault, Provider};
use serde_json::json;

use super::support::Test;

/// The members of the object of `show --json`, in order.
pub const MEMBERS: [&str; 13] = [
    "profile",
    "provider",
    "identity",
    "status",
    "grant_type",
    "token_type",
    "scope",
    "obtained_at",
    "expires_at",
    "expires_in",
    "has_refresh_token",
    "subject",
    "store",
];

#[test]
fn a_login_without_a_store_says_that_nothing_is_kept() {
    let test = Test::new().sandbox();
    let outcome = test.words("login -p bindeo --store none").run().success();
    outcome.stderr_has("it is kept nowhere (store: none).\n");
    test.words("header -p bindeo").run().fails_with(4);
}

#[test]
fn login_prints_nothing_and_a_summary_goes_to_stderr() {
    let outcome = Test::new().sandbox().words("login -p bindeo").run().success().stdout_is("");
    let summary = "Logged in to bindeo as user@sandbox: the token expires in ";
    assert!(outcome.stderr.starts_with(summary), "{outcome:?}");
    assert!(outcome.stderr.ends_with(" min, it is renewed by itself (store: file).\n"));
}

#[test]
fn quiet_says_errors_alone() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo -q").run().success().stderr_is("");
    let outcome = test.words("-q header -p standard").run().fails_with(4);
    assert!(outcome.stderr.starts_with("error: "), "{outcome:?}");
}

#[test]
fn login_json_prints_the_show_object() {
    let test = Test::new().sandbox();
    let mut login = test.words("login -p bindeo --json").run().success().json();
    let mut show = test.words("show -p bindeo --json").run().success().json();
    for object in [&mut login, &mut show[0]] {
        let left = object["expires_in"].take().as_i64().unwrap();
        assert!((3500..=3600).contains(&left), "{left}");
    }
    assert_eq!(login, show[0]);
    let printed = test.words("login -p bindeo --json").run().stdout;
    let places: Vec<_> = MEMBERS.map(|name| printed.find(&format!("\"{name}\":")).unwrap()).into();
    assert!(places.is_sorted(), "{printed}");
    assert_eq!(login.as_object().unwrap().len(), MEMBERS.len());
}

#[test]
fn a_wrong_password_is_exit_5() {
    let test = Test::new().sandbox().secret("wrong-password");
    let login = test.words("login -p bindeo").env("OAUTHCTL_PASSWORD", "wrong-password");
    login.run().fails_with(5).stderr_has("invalid_grant: username or password is wrong");
    test.words("header -p bindeo").run().fails_with(4);
}

#[test]
fn a_login_that_fails_leaves_the_session_before_it_as_it_was() {
    let test = Test::new().sandbox().secret("wrong-password");
    test.words("login -p bindeo").run().success();
    let token = test.access_token();
    let login = test.words("login -p bindeo").env("OAUTHCTL_PASSWORD", "wrong-password");
    login.run().fails_with(5);
    test.words("token -p bindeo").prints_secrets().run().success().stdout_is(&(token + "\n"));
}

#[test]
fn a_second_login_replaces_the_first() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo").run().success();
    let first = test.access_token();
    test.words("login -p bindeo").run().success();
    let second = test.access_token();
    assert_ne!(first, second);
    test.words("token -p bindeo").prints_secrets().run().success().stdout_is(&(second + "\n"));
}

#[test]
fn a_grant_that_the_profile_does_not_list_is_exit_3_before_any_request() {
    let test = Test::new().sandbox().variant(
        "machine",
        Provider::Standard,
        "grants = [\"client_credentials\"]\n",
    );
    for (words, grant) in [
        ("login -p bindeo --grant device_code", "device_code"),
        ("login -p bindeo --grant authorization_code", "authorization_code"),
        ("login -p machine", "password"),
        ("login -p machine --grant password --dry-run", "password"),
        ("login -p machine --refresh-token-stdin", "refresh_token"),
    ] {
        let outcome = test.words(words).stdin("any").run().fails_with(3);
        outcome.stderr_has(&format!("doesn't offer the grant {grant}"));
    }
    assert!(test.server().requests().is_empty());
}

#[test]
fn password_is_allowed_only_where_grants_or_login_grant_names_it() {
    let test = Test::new().server_alone().variant("bare", Provider::Standard, "# grants\n");
    let named = test.profile_of(Provider::Standard, "# grants\nlogin_grant = \"password\"\n");
    let test = test.profile("named", &named);
    let refused = test.words("login -p bare").run().fails_with(3);
    refused.stderr_has("neither grants nor login_grant names it");
    test.words("login -p named").run().success();
}

#[test]
fn the_password_can_come_from_stdin() {
    let test = Test::new().sandbox().variant("x", Provider::Bindeo, "# password\n");
    test.words("login -p x").run().fails_with(3).stderr_has("lacks password");
    for typed in ["user/password:1", "user/password:1\n", "user/password:1\r\n"] {
        test.words("login -p x --password-stdin").stdin(typed).run().success();
    }
    test.words("login -p x --password-stdin").run().fails_with(2).stderr_has("is empty");
    let long = "x".repeat(100_000);
    test.words("login -p x --password-stdin").stdin(long).run().fails_with(2);
    test.words("login -p x --password-stdin").stdin(b"\xff\xfe".as_slice()).run().fails_with(2);
}

#[test]
fn the_username_of_the_flag_beats_the_environments_which_beats_the_profiles() {
    let test = Test::new().sandbox();
    let login = |words: &str, env: &str| {
        let run = test.words(words).env("OAUTHCTL_USERNAME", env).run().success();
        run.stdout.lines().last().unwrap().to_owned()
    };
    assert!(login("login -p bindeo --dry-run", "").contains("\"username\":\"user@sandbox\""));
    assert!(login("login -p bindeo --dry-run", "e").contains("\"username\":\"e\""));
    assert!(login("login -p bindeo --dry-run --username f", "e").contains("\"username\":\"f\""));
}

#[test]
fn a_refresh_token_can_be_imported() {
    let test = Test::new().sandbox();
    test.words("login -p standard").run().success();
    let refresh_token = test.refresh_token();
    test.words("logout -p standard").run().success();
    let import = test.words("login -p standard --refresh-token-stdin --json");
    let object = import.stdin(refresh_token.as_str()).run().success().json();
    assert_eq!(test.server().counts(Provider::Standard).refresh_token, 1);
    assert!(test.sent().contains(&refresh_token));
    assert_eq!(
        (&object["grant_type"], &object["has_refresh_token"], &object["identity"]),
        (&json!("refresh_token"), &json!(true), &json!("user"))
    );
    test.words("header -p standard").prints_secrets().run().success();
    test.words("refresh -p standard").run().success();
}

#[test]
fn an_imported_refresh_token_is_kept_when_the_answer_has_none() {
    let test = Test::new().sandbox();
    test.words("login -p standard").run().success();
    let refresh_token = test.refresh_token();
    test.words("logout -p standard").run().success();
    test.server().behave(|behaviour| behaviour.rotate = false);
    let import = test.words("login -p standard --refresh-token-stdin");
    import.stdin(refresh_token.as_str()).run().success();
    test.words("refresh -p standard").run().success();
    assert!(test.sent().ends_with(&refresh_token));
}

#[test]
fn an_import_that_is_refused_is_exit_5_and_leaves_nothing() {
    let test = Test::new().sandbox().secret("no-such-token");
    let import = test.words("login -p standard --refresh-token-stdin");
    import.stdin("no-such-token").run().fails_with(5);
    assert_eq!(test.words("show -p standard --json").run().json()[0]["status"], "none");
}

#[test]
fn dry_run_prints_the_redacted_request_and_sends_nothing() {
    let test = Test::new().sandbox();
    let outcome = test.words("login -p kabbage --dry-run").run().success().stderr_is("");
    let host = test.server().address();
    assert_eq!(
        outcome.stdout,
        format!(
            "POST /kabbage/auth/token HTTP/1.1\nHost: {host}\nAccept: application/json\n\
             Content-Type: application/x-www-form-urlencoded\nAuthorization: Basic ***\n\n\
             grant_type=password&username=user%40sandbox&password=***\n"
        )
    );
    test.words("login -p musement --dry-run --refresh-token-stdin").run().success();
    assert!(test.server().requests().is_empty());
    assert!(!test.data().exists());
}

#[test]
fn with_no_terminal_the_error_names_all_that_is_missing() {
    let test = Test::new();
    let outcome = test.words("login --profile bindeo").run().fails_with(3);
    outcome.stderr_has("the profile bindeo lacks client_id, client_secret");
    let outcome = test.words("login --profile kabbage").run().fails_with(3);
    outcome.stderr_has("lacks base_url, client_id, client_secret");
    assert!(!test.config().exists() && !test.data().exists());
}

#[test]
fn what_the_environment_supplies_is_not_saved() {
    let test = Test::new().server_alone();
    let server = test.server();
    let test_env = [
        ("OAUTHCTL_PROFILE", "bindeo".to_owned()),
        ("OAUTHCTL_BASE_URL", server.base_url(Provider::Bindeo)),
        ("OAUTHCTL_CLIENT_ID", "sandbox-client".to_owned()),
        ("OAUTHCTL_CLIENT_SECRET", "client/secret:1".to_owned()),
        ("OAUTHCTL_USERNAME", "user@sandbox".to_owned()),
        ("OAUTHCTL_PASSWORD", "user/password:1".to_owned()),
    ];
    let test = test_env.into_iter().fold(test, |test, (name, value)| test.env(name, value));
    test.words("login").run().success();
    test.words("header").prints_secrets().run().success();
    assert!(!test.config().exists());
}

#[test]
fn a_server_that_fails_is_exit_6_and_the_login_leaves_nothing() {
    let test = Test::new().sandbox();
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(503, "{}")));
    test.words("login -p bindeo").run().fails_with(6);
    assert_eq!(test.words("show -p bindeo --json").run().json()[0]["status"], "none");
    assert!(!test.data().join("index/bindeo@user.json").exists());
}

#[cfg(target_os = "linux")]
mod at_a_terminal {
    use super::*;

    /// A preset named bindeo that leads to the sandbox, and no profile.
    fn new_machine() -> Test {
        let test = Test::new().server_alone();
        let base_url = test.server().base_url(Provider::Bindeo);
        let preset = format!("provider = \"bindeo\"\nbase_url = \"{base_url}\"\n");
        test.config_file("providers/bindeo.toml", &preset)
            .secret("client/secret:1")
            .secret("user/password:1")
    }

    fn file(test: &Test, path: &str) -> Option<String> {
        std::fs::read_to_string(test.config().join(path)).ok()
    }

    #[test]
    fn what_is_missing_is_asked_for_and_what_a_person_types_is_saved_but_never_a_password() {
        let test = new_machine();
        let terminal = test.words("login --profile bindeo").terminal(80);
        let terminal = terminal.sees("client_id: ").types("sandbox-client");
        let terminal = terminal.sees("client_secret: ").types_unseen("client/secret:1");
        let terminal = terminal.sees("username: ").types("user@sandbox");
        let terminal = terminal.sees("password: ").types_unseen("user/password:1");
        terminal.ends().success().stdout_has("Logged in to bindeo as user@sandbox");
        assert_eq!(
            file(&test, "profiles/bindeo.toml").unwrap(),
            "provider = \"bindeo\"\nclient_id = \"sandbox-client\"\nusername = \"user@sandbox\"\n\
             client_secret = { store = true }\n"
        );
        assert_eq!(file(&test, "config.toml").unwrap(), "default_profile = \"bindeo\"\n");
        // The profile is the default one now, and only the password is asked for again.
        test.words("refresh").run().success();
        let terminal = test.words("login").terminal(80).sees("password: ");
        let outcome = terminal.types_unseen("user/password:1").ends().success();
        assert!(!outcome.stdout.contains("username:") && !outcome.stdout.contains("client_"));
        test.words("client-token").prints_secrets().run().success();
    }

    #[test]
    fn a_client_secret_that_the_server_refuses_is_not_saved() {
        let test = new_machine().secret("wrong-secret");
        let terminal = test.words("login -p bindeo --username u").terminal(80);
        let terminal = terminal.sees("client_id: ").types("sandbox-client");
        let terminal = terminal.sees("client_secret: ").types_unseen("wrong-secret");
        let outcome = terminal.sees("password: ").types_unseen("user/password:1").ends();
        assert_eq!(outcome.status, 5);
        assert_eq!((file(&test, "profiles/bindeo.toml"), file(&test, "config.toml")), (None, None));
    }

    #[test]
    fn no_input_forbids_questions() {
        let test = new_machine();
        let outcome = test.words("login -p bindeo --no-input").terminal(80).ends();
        assert_eq!(outcome.status, 3);
        outcome.stdout_has("lacks client_id, client_secret");
    }

    #[test]
    fn a_machine_token_too_is_had_with_what_is_typed() {
        let test = new_machine();
        let terminal = test.words("client-token -p bindeo --no-store --json").prints_secrets();
        let terminal = terminal.terminal(80).sees("client_id: ").types("sandbox-client");
        let terminal = terminal.sees("client_secret: ").types_unseen("client/secret:1");
        terminal.sees("access_token").ends().success();
        assert!(!test.data().exists(), "--no-store touches no store");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn after_a_second_of_waiting_a_terminal_shows_that_it_waits() {
    let test = Test::new().sandbox();
    test.server().behave(|behaviour| behaviour.delay = std::time::Duration::from_secs(2));
    let login = || test.words("login -p bindeo --password-stdin");
    login().stdin("user/password:1").run().success().stderr_lacks("waiting for");
    let refresh = test.words("refresh -p bindeo").terminal(80).sees("waiting for 127.0.0.1");
    assert_eq!(refresh.sees("Renewed: the user token of bindeo").ends().status, 0);
    let quiet = test.words("refresh -p bindeo -q").terminal(80).ends();
    assert!(!quiet.stdout.contains("waiting for"), "{quiet:?}");
}
