//! Which profile is in use, and where its values come from.

use oauthctl::sandbox::Provider;

use super::support::{Run, Test};

/// A command whose printed request tells which profile is in use.
fn dry<'a>(test: &'a Test, words: &str) -> Run<'a> {
    test.words(&format!("client-token --dry-run {words}"))
}

fn named() -> Test {
    ["a", "b", "c"].into_iter().fold(Test::new(), |test, name| {
        let text = format!(
            "token_url = \"https://id.example.com/token\"\nclient_id = \"client-{name}\"\n\
             client_auth = \"none\"\n"
        );
        test.profile(name, &text)
    })
}

#[test]
fn what_no_variable_can_say_is_not_asked_of_the_environment() {
    let test = Test::new();
    let run =
        |words: &str| test.words(words).env("OAUTHCTL_TOKEN_URL", "http://127.0.0.1:1/t").run();
    let outcome = run("userinfo").fails_with(3).stderr_has("no userinfo_url");
    outcome.stderr_has("--set userinfo_url=VALUE").stderr_lacks("OAUTHCTL_USERINFO_URL");
    run("client-token").fails_with(3).stderr_has("hint: set OAUTHCTL_CLIENT_ID");
}

#[test]
fn a_grant_that_lacks_its_endpoint_is_told_with_the_key_that_names_it() {
    let test =
        Test::new().profile("x", "token_url = \"http://127.0.0.1:1/t\"\nclient_id = \"a\"\n");
    for (grant, key) in [
        ("device_code", "device_authorization_url"),
        ("authorization_code", "authorization_url"),
        ("password", "login_grant"),
    ] {
        let outcome = test.words(&format!("login -p x --grant {grant}")).run().fails_with(3);
        outcome.stderr_has(&format!("hint: oauthctl profile set x {key} VALUE"));
    }
}

#[test]
fn the_profile_is_the_flags_else_the_environments_else_the_default() {
    let test = named().config_file("config.toml", "default_profile = \"c\"\n");
    for (words, env, expected) in [
        ("-p a", "b", "client-a"),
        ("--profile a", "b", "client-a"),
        ("--profile=a", "", "client-a"),
        ("", "b", "client-b"),
        ("", "", "client-c"),
    ] {
        let run = dry(&test, words).env("OAUTHCTL_PROFILE", env).run().success();
        run.stdout_has(&format!("client_id={expected}"));
    }
}

#[test]
fn without_any_the_error_lists_the_profiles() {
    let outcome = dry(&named(), "").run().fails_with(3);
    outcome.stderr_has("no profile is named; there are: a, b, c").stderr_has("hint: ");
    let outcome = dry(&Test::new(), "").run().fails_with(3);
    outcome.stderr_has("no profile is named, and there is none yet");
    let outcome = dry(&named(), "-p d").run().fails_with(3);
    outcome.stderr_has("there is no profile named d; there are: a, b, c");
    dry(&Test::new(), "-p bindo").run().fails_with(3).stderr_has("did you mean bindeo?");
}

#[test]
fn a_name_must_be_a_file_name_on_every_platform() {
    let test = Test::new();
    for name in ["A", "-a", ".a", "a/b", "../a", "nul", "com1", "a b", "ä", &"a".repeat(65)] {
        let run = test.words("client-token --dry-run").arg(format!("--profile={name}"));
        run.run().fails_with(3).stderr_has("the profile's name in --profile");
        let run = dry(&test, "").env("OAUTHCTL_PROFILE", name).run().fails_with(3);
        run.stderr_has("the profile's name in OAUTHCTL_PROFILE");
    }
}

#[test]
fn a_name_without_a_file_that_is_a_providers_name_uses_that_preset() {
    let test = Test::new();
    let run = dry(&test, "-p bindeo").env("OAUTHCTL_CLIENT_ID", "me");
    let run = run.env("OAUTHCTL_CLIENT_SECRET", "s3cret").run().success();
    run.stdout_has("POST /access_token HTTP/1.1\nHost: api.bindeo.com\n");
}

#[test]
fn the_environment_alone_is_a_profile_for_ci_without_files() {
    let test = Test::new().server_alone();
    let test = [
        ("OAUTHCTL_TOKEN_URL", test.server().token_url(Provider::Standard)),
        ("OAUTHCTL_CLIENT_ID", "sandbox-client".to_owned()),
        ("OAUTHCTL_CLIENT_SECRET", "client/secret:1".to_owned()),
    ]
    .into_iter()
    .fold(test, |test, (name, value)| test.env(name, value))
    .secret("client/secret:1");
    let token = test.words("client-token").prints_secrets().run().success().stdout;
    assert!(test.sent().contains("authorization: Basic "), "client_secret_basic by default");
    test.words("header").prints_secrets().run().success();
    assert_eq!(test.asked(Provider::Standard), 1);
    let show = test.words("show --json").run().success().json();
    assert_eq!((&show[0]["profile"], &show[0]["identity"]), (&"env".into(), &"client".into()));
    assert!(!test.config().exists());
    test.words("client-token").prints_secrets().run().success().stdout_is(&token);
}

#[test]
fn a_preset_and_a_base_url_of_the_environment_are_a_profile_too() {
    let test = Test::new().server_alone();
    let run = test.words("client-token --no-store").env("OAUTHCTL_PROVIDER", "kabbage");
    let run = run.env("OAUTHCTL_BASE_URL", test.server().base_url(Provider::Kabbage));
    let run = run.env("OAUTHCTL_CLIENT_ID", "sandbox-client");
    run.env("OAUTHCTL_CLIENT_SECRET", "client/secret:1").prints_secrets().run().success();
    assert_eq!(test.asked(Provider::Kabbage), 1);
}

#[test]
fn beside_a_profile_that_has_a_file_they_are_exit_3() {
    let test = Test::new().sandbox();
    for name in ["OAUTHCTL_TOKEN_URL", "OAUTHCTL_BASE_URL", "OAUTHCTL_ISSUER", "OAUTHCTL_PROVIDER"]
    {
        let value = if name == "OAUTHCTL_PROVIDER" { "bindeo" } else { "https://evil.example.com" };
        for words in ["client-token", "header", "login", "client-token --dry-run"] {
            let run = test.words(words).env("OAUTHCTL_PROFILE", "standard").env(name, value);
            run.run().fails_with(3).stderr_has(&format!("{name} is set"));
        }
    }
    let test = test.config_file("config.toml", "default_profile = \"standard\"\n");
    let run = test.words("client-token").env("OAUTHCTL_TOKEN_URL", "https://evil.example.com");
    run.run().fails_with(3);
    assert!(test.server().requests().is_empty());
}

#[test]
fn a_presets_secret_goes_nowhere_that_the_environment_says() {
    for secret in ["client_secret", "password"] {
        let preset = format!(
            "token_url = \"https://id.example.com/token\"\nclient_id = \"x\"\n{secret} = {{ env = \"S\" }}\n"
        );
        let test = Test::new().config_file("providers/mine.toml", &preset);
        dry(&test, "-p mine").run().success();
        dry(&test, "").env("OAUTHCTL_PROVIDER", "mine").run().success();
        for variable in ["OAUTHCTL_TOKEN_URL", "OAUTHCTL_BASE_URL", "OAUTHCTL_ISSUER"] {
            for run in [dry(&test, "-p mine"), dry(&test, "").env("OAUTHCTL_PROVIDER", "mine")] {
                let outcome = run.env(variable, "https://evil.example.com/").run().fails_with(3);
                outcome.stdout_is("").stderr_has(variable).stderr_has(secret);
            }
        }
    }
}

#[test]
fn flags_beat_the_environment_which_beats_the_profile_which_beats_the_preset() {
    let test = Test::new()
        .config_file(
            "providers/base.toml",
            "token_url = \"https://id.example.com/\"\nclient_id = \"i\"\nscope = [\"preset\"]\n",
        )
        .profile("bare", "provider = \"base\"\n")
        .profile("own", "provider = \"base\"\nscope = [\"profile\"]\n");
    for (words, env, expected) in [
        ("-p bare", "", "preset"),
        ("-p own", "", "profile"),
        ("-p own", "environment", "environment"),
        ("-p own --scope flag", "environment", "flag"),
        ("-p own", "one two", "one+two"),
    ] {
        let run = dry(&test, words).env("OAUTHCTL_SCOPE", env).run().success();
        run.stdout_has(&format!("scope={expected}\n"));
    }
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let test = named();
    for name in ["OAUTHCTL_PROFILE", "OAUTHCTL_TOKEN_URL", "OAUTHCTL_CLIENT_ID", "OAUTHCTL_TIMEOUT"]
    {
        dry(&test, "-p a").env(name, "").run().success().stdout_has("client_id=client-a");
    }
}

#[test]
fn a_variable_that_makes_no_sense_is_exit_3_and_named() {
    let test = named();
    for (name, value) in [
        ("OAUTHCTL_TIMEOUT", "soon"),
        ("OAUTHCTL_TIMEOUT", "0"),
        ("OAUTHCTL_MIN_TTL", "soon"),
        ("OAUTHCTL_AS", "admin"),
    ] {
        dry(&test, "-p a").env(name, value).run().fails_with(3).stderr_has(name);
    }
    let run = test.words("client-token -p a").env("OAUTHCTL_STORE", "cloud").run().fails_with(3);
    run.stderr_has("OAUTHCTL_STORE");
    let run = test.words("client-token -p a").env("OAUTHCTL_FILE_KEY", "short").run();
    run.fails_with(3).stderr_has("OAUTHCTL_FILE_KEY is not 32 bytes in base64");
}

#[test]
fn global_flags_stand_before_or_after_the_command() {
    let test = named();
    for words in [
        "-p a client-token --dry-run",
        "client-token -p a --dry-run",
        "client-token --dry-run -p a",
    ] {
        test.words(words).run().success().stdout_has("client-a");
    }
}

#[test]
fn the_directories_are_the_flags_else_the_environments_else_the_platforms() {
    let test = named();
    let elsewhere = test.home().join("elsewhere");
    dry(&test, "-p a --config-dir").arg(&elsewhere).run().fails_with(3);
    let path = |run: Run<'_>| run.run().success().stdout;
    let platform = test.words("profile path x").env("OAUTHCTL_CONFIG_DIR", "");
    let expected = test.home().join(".config/oauthctl/profiles/x.toml");
    if cfg!(target_os = "linux") {
        assert_eq!(path(platform), format!("{}\n", expected.display()));
    }
    let relative = test.words("profile path x --config-dir here");
    assert_eq!(path(relative), format!("{}\n", test.home().join("here/profiles/x.toml").display()));
}

#[test]
fn an_error_in_a_file_names_the_file_the_line_and_the_nearest_right_name() {
    for (text, message) in [
        ("\nclientid = \"x\"\n", "x.toml:2: unknown key clientid; did you mean client_id?"),
        ("client_id = 1\n", "x.toml:1: client_id must be a text in quotes"),
        ("token_url = \"nonsense\"\n", "x.toml:1: token_url must be a URL"),
        ("token_url = \"oauth/token\"\n", "or begin with / to follow base_url"),
        ("token_url = \"http://example.com/\"\n", "x.toml:1: token_url must be an https URL"),
        ("[request]\nparams = { scope = \"x\" }\n", "x.toml:2: request.params.scope is reserved"),
        ("client_id = \n", "x.toml:1: not valid TOML"),
        ("client_id = \"x\n", "x.toml:1: not valid TOML: invalid basic string\n"),
        ("provider = \"bindo\"\n", "did you mean bindeo?"),
    ] {
        let test = Test::new().profile("x", text);
        test.words("header -p x").run().fails_with(3).stderr_has(message);
    }
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    for (url, sends) in [
        ("http://127.0.0.1:1/t", true),
        ("http://127.8.8.8:1/t", true),
        ("http://[::1]:1/t", true),
        ("http://localhost:1/t", true),
        ("http://localhost.example.com:1/t", false),
        ("http://10.0.0.1:1/t", false),
        ("http://example.com/t", false),
    ] {
        let run = Test::new();
        let run = run.words("client-token --no-store").env("OAUTHCTL_TOKEN_URL", url);
        let outcome = run.env("OAUTHCTL_CLIENT_ID", "a").run();
        assert_eq!(outcome.status, if sends { 6 } else { 3 }, "{url}: {outcome:?}");
    }
}
