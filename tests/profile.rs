//! `profile`: files that are made, changed and shown without harm to what is there.

use oauthctl::sandbox::Provider;
use serde_json::{Value, json};

use super::support::{Outcome, Test};

fn path(test: &Test, name: &str) -> std::path::PathBuf {
    test.config().join("profiles").join(format!("{name}.toml"))
}

fn text(test: &Test, name: &str) -> String {
    std::fs::read_to_string(path(test, name)).unwrap()
}

fn run(test: &Test, words: &str) -> Outcome {
    test.words(&format!("profile {words}")).run()
}

#[test]
fn list_of_nothing_is_exit_0() {
    run(&Test::new(), "list").success().stdout_is("").stderr_is("");
    run(&Test::new(), "list --json").success().stdout_is("[]\n");
}

#[test]
fn list_tells_of_each_profile_also_of_a_broken_one() {
    let test = Test::new()
        .profile("a", "provider = \"barapi\"\n")
        .profile(
            "b",
            "provider = \"kabbage\"\nidentity = \"client\"\nbase_url = \"https://x.example\"\n",
        )
        .profile("broken", "nonsense = 1\n")
        .config_file("config.toml", "default_profile = \"b\"\n");
    let list = run(&test, "list --json").success().json();
    let error = format!("{}:1: unknown key nonsense", path(&test, "broken").display());
    let object = |name, provider, identity, default, error| json!({"name": name, "provider": provider, "identity": identity, "default": default, "error": error});
    assert_eq!(
        list,
        json!([
            object("a", json!("barapi"), json!("user"), false, Value::Null),
            object("b", json!("kabbage"), json!("client"), true, Value::Null),
            object("broken", Value::Null, Value::Null, false, json!(error)),
        ])
    );
    let table = format!("a\tbarapi\tuser\t\t\nb\tkabbage\tclient\tyes\t\nbroken\t\t\t\t{error}\n");
    run(&test, "list").success().stdout_is(&table);
}

#[test]
fn show_prints_the_resolved_profile_and_which_layer_each_value_came_from() {
    let test = Test::new()
        .profile("x", "provider = \"bindeo\"\nscope = [\"a\"]\n\n[request]\nformat = \"form\"\n");
    let show = test.words("profile show x").env("OAUTHCTL_CLIENT_ID", "me");
    let outcome = show.env("OAUTHCTL_PASSWORD", "hunter2").run().success();
    assert!(!outcome.stdout.contains("hunter2"));
    let file = path(&test, "x").display().to_string();
    for (line, origin) in [
        ("provider = \"bindeo\"", format!("{file}:1")),
        ("token_url = \"/access_token\"", "preset bindeo".to_owned()),
        ("client_id = \"me\"", "environment OAUTHCTL_CLIENT_ID".to_owned()),
        ("password = { env = \"OAUTHCTL_PASSWORD\" }", "environment OAUTHCTL_PASSWORD".to_owned()),
        ("scope = [\"a\"]", format!("{file}:2")),
        ("format = \"form\"", format!("{file}:5")),
    ] {
        let shown = outcome.stdout.lines().find(|shown| shown.starts_with(line));
        assert!(
            shown.is_some_and(|shown| shown.ends_with(&format!("  # {origin}"))),
            "{outcome:?}"
        );
    }
    let value: toml::Table = outcome.stdout.parse().unwrap();
    assert_eq!(value["request"]["format"].as_str(), Some("form"));
}

#[test]
fn show_works_for_what_is_not_whole_for_a_preset_and_for_the_default() {
    let test = Test::new().profile("x", "username = \"alice\"\n");
    run(&test, "show x").success().stdout_has("username = \"alice\"");
    run(&test, "show kabbage").success().stdout_has("token_url = \"/auth/token\"");
    run(&test, "show").fails_with(3).stderr_has("there are: x");
    let show = test.words("profile show").env("OAUTHCTL_PROFILE", "x").run().success();
    show.stdout_has("username = \"alice\"");
    run(&test, "show nobody").fails_with(3);
    run(&test, "show ../x").fails_with(3).stderr_has("must be a name");
}

#[test]
fn path_prints_where_the_file_is_or_would_be() {
    let test = Test::new();
    let expected = format!("{}\n", path(&test, "new").display());
    run(&test, "path new").success().stdout_is(&expected);
    assert!(!test.config().exists());
    let elsewhere = test.home().join("elsewhere");
    let run = test.words("profile path new --config-dir").arg(&elsewhere).run().success();
    run.stdout_is(&format!("{}/profiles/new.toml\n", elsewhere.display()));
}

#[test]
fn add_writes_a_file_and_the_first_one_is_the_default() {
    let test = Test::new();
    let words = "add work --provider kabbage --base-url https://api.example.com --client-id me \
                 --scope a --scope b --set request.params.audience=api --set min_ttl=2m";
    let outcome = run(&test, words).success().stdout_is("");
    outcome.stderr_is(&format!("Made the profile work: {}\n", path(&test, "work").display()));
    assert_eq!(
        text(&test, "work"),
        "provider = \"kabbage\"\nbase_url = \"https://api.example.com\"\nclient_id = \"me\"\n\
         scope = [\"a\", \"b\"]\nmin_ttl = \"2m\"\n\n[request.params]\naudience = \"api\"\n"
    );
    let settings = || std::fs::read_to_string(test.config().join("config.toml")).unwrap();
    assert_eq!(settings(), "default_profile = \"work\"\n");
    run(&test, "add second --provider bindeo").success();
    assert_eq!(settings(), "default_profile = \"work\"\n");
    run(&test, "add third --token-url https://id.example.com/token --default").success();
    assert_eq!(settings(), "default_profile = \"third\"\n");
    assert!(!test.data().exists());
    test.assert_nothing_leaked();
}

#[test]
fn add_refuses_what_can_not_be_and_writes_nothing() {
    let test = Test::new();
    for (words, code, message) in [
        ("add x", 2, "--provider, --token-url or --issuer"),
        ("add X --provider bindeo", 3, "must be a name"),
        ("add con --provider bindeo", 3, "device"),
        ("add x --provider bindo", 3, "there is no provider preset named bindo"),
        ("add x --token-url http://example.com/token", 3, "token_url must be an https URL"),
        ("add x --provider bindeo --set nonsense=1", 3, "unknown key nonsense"),
        ("add x --provider bindeo --set nonsense", 2, "--set takes KEY=VALUE"),
        ("add x --provider bindeo --set client_secret=hunter2", 2, "with: oauthctl profile set\n"),
        ("add x --provider bindeo --set request.params.scope=x", 3, "reserved"),
    ] {
        let outcome = run(&test, words).fails_with(code).stderr_has(message);
        outcome.stderr_lacks("hunter2");
        assert!(!test.config().exists(), "{words}");
    }
}

#[test]
fn a_profile_may_lack_what_the_environment_can_supply() {
    let test = Test::new();
    run(&test, "add x --token-url /token").success();
    test.words("client-token -p x").run().fails_with(3).stderr_has("base_url");
}

#[test]
fn add_never_replaces_a_profile() {
    let test = Test::new().profile("x", "username = \"alice\"\n");
    run(&test, "add x --provider bindeo").fails_with(3).stderr_has("is there already");
    assert_eq!(text(&test, "x"), "username = \"alice\"\n");
}

#[test]
fn add_takes_a_client_secret_from_stdin_into_the_store() {
    let test = Test::new().server_alone().secret("client/secret:1");
    let base_url = test.server().base_url(Provider::Bindeo);
    let words = format!(
        "profile add x --provider bindeo --client-id sandbox-client --base-url {base_url} \
         --client-secret-stdin"
    );
    test.words(&words).stdin("client/secret:1\n").run().success();
    assert!(text(&test, "x").ends_with("client_secret = { store = true }\n"));
    test.words("client-token -p x").prints_secrets().run().success();
}

#[test]
fn set_keeps_comments_and_order() {
    let before = "# mine\nprovider = \"bindeo\" # the one\n\nclient_id = \"a\" # me\n# the end\n";
    let test = Test::new().profile("x", before);
    run(&test, "set x client_id b").success().stdout_is("").stderr_is("");
    assert_eq!(text(&test, "x"), before.replace("\"a\"", "\"b\""));
    run(&test, "set x client_id a").success();
    run(&test, "set x scope one two").success();
    run(&test, "set x scope --unset").success();
    assert_eq!(text(&test, "x"), before);
    run(&test, "set x scope --unset").fails_with(3).stderr_has("scope is not set");
}

#[test]
fn set_takes_every_kind_of_value() {
    let test = Test::new().profile("x", "provider = \"bindeo\"\n");
    for (words, line) in [
        ("scope one two", "scope = [\"one\", \"two\"]"),
        ("grants password refresh_token", "grants = [\"password\", \"refresh_token\"]"),
        ("api_hosts *.example.com", "api_hosts = [\"*.example.com\"]"),
        ("min_ttl 5m", "min_ttl = \"5m\""),
        ("request.send_empty_scope true", "send_empty_scope = true"),
        ("response.default_expires_in 60", "default_expires_in = 60"),
        ("response.access_token /data/token", "access_token = \"/data/token\""),
        ("request.headers.X-Any one", "X-Any = \"one\""),
        ("client_secret --env NAME", "client_secret = { env = \"NAME\" }"),
        ("client_secret --file /a/b", "client_secret = { file = \"/a/b\" }"),
        (
            "client_secret --command op read -x y",
            "client_secret = { command = [\"op\", \"read\", \"-x\", \"y\"] }",
        ),
        ("password --env NAME", "password = { env = \"NAME\" }"),
    ] {
        run(&test, &format!("set x {words}")).success();
        assert!(text(&test, "x").contains(&format!("{line}\n")), "{words}: {}", text(&test, "x"));
    }
}

#[test]
fn bad_input_never_damages_what_is_there() {
    let before = "# mine\nprovider = \"bindeo\"\n";
    let test = Test::new().profile("x", before).secret("hunter2");
    for (words, code, message) in [
        ("set x nonsense 1", 3, "unknown key nonsense"),
        ("set x clientid 1", 3, "did you mean client_id?"),
        ("set x token_url ftp://x", 3, "token_url must be an https URL"),
        ("set x token_url http://example.com/t", 3, "plain http"),
        ("set x identity admin", 3, "must be one of user, client"),
        ("set x min_ttl soon", 3, "length of time"),
        ("set x request.params.client_id y", 3, "reserved"),
        ("set x request.headers.Authorization y", 3, "reserved"),
        ("set x request.send_empty_scope maybe", 3, "true or false"),
        ("set x response.default_expires_in -1", 2, ""),
        ("set x client_id a b", 2, "takes one value"),
        ("set x client_id", 2, "needs a value"),
        ("set x client_id --env NAME", 2, "is no secret"),
        ("set x client_secret hunter2", 2, "never an argument"),
        ("set x password hunter2", 2, "never an argument"),
        ("set x password --stdin", 2, "is never saved"),
        ("set x client_secret --stdin", 2, "is empty"),
    ] {
        run(&test, words).fails_with(code).stderr_has(message);
        assert_eq!(text(&test, "x"), before, "{words}");
    }
    assert!(!test.data().exists());
}

#[test]
fn a_file_that_is_broken_is_not_touched() {
    for broken in ["provider = \"bindeo\nclient_id = 1", "nonsense = 1\n"] {
        let test = Test::new().profile("x", broken);
        run(&test, "set x client_id a").fails_with(3);
        assert_eq!(text(&test, "x"), broken);
    }
}

#[test]
fn set_of_a_presets_name_makes_a_profile_of_it() {
    let test = Test::new();
    run(&test, "set bindeo client_id me").success();
    assert_eq!(text(&test, "bindeo"), "provider = \"bindeo\"\nclient_id = \"me\"\n");
    run(&test, "set nobody client_id me").fails_with(3);
}

#[test]
fn a_client_secret_from_stdin_rests_in_the_store_and_serves() {
    let test = Test::new().sandbox().variant(
        "x",
        Provider::Standard,
        "# client_secret\nclient_id = \"sandbox-client\"\n",
    );
    let set = test.words("profile set x client_secret --stdin");
    set.stdin("client/secret:1").run().success().stdout_is("");
    assert!(text(&test, "x").contains("client_secret = { store = true }"));
    test.words("login -p x").run().success();
    run(&test, "show x").success().stdout_has("client_secret = { store = true }");
    // A new one replaces it.
    test.words("profile set x client_secret --stdin").stdin("wrong").run().success();
    test.words("refresh -p x").run().fails_with(5).stderr_has("hint: see which client_id");
}

#[test]
fn remove_takes_the_file_the_tokens_the_secret_and_the_default_away() {
    let test = Test::new().sandbox();
    let set = test.words("profile set standard client_secret --stdin");
    set.stdin("client/secret:1").run().success();
    std::fs::write(
        test.config().join("config.toml"),
        "default_profile = \"standard\"\n# mine\nmin_ttl = \"5m\"\n",
    )
    .unwrap();
    test.words("login").run().success();
    test.words("client-token").prints_secrets().run().success();
    let tokens = || std::fs::read_dir(test.data().join("tokens")).unwrap().count();
    assert_eq!(tokens(), 3);
    run(&test, "remove standard").success().stdout_is("");
    assert_eq!(tokens(), 0);
    assert!(!path(&test, "standard").exists());
    let settings = std::fs::read_to_string(test.config().join("config.toml")).unwrap();
    assert_eq!(settings, "# mine\nmin_ttl = \"5m\"\n");
    std::fs::remove_file(test.config().join("config.toml")).unwrap();
    run(&test, "remove standard").fails_with(3).stderr_has("has no file");
    run(&test, "remove kabbage").success();
}

#[test]
fn a_broken_profile_can_be_removed() {
    let test = Test::new().profile("x", "nonsense = 1\n");
    run(&test, "remove x").success();
    assert!(!path(&test, "x").exists());
}

#[cfg(unix)]
mod edit {
    use super::*;

    const BEFORE: &str = "# mine\nprovider = \"bindeo\"\n";

    /// Runs `profile edit x` with a script as the editor, whose argument is the file.
    fn edit(test: &Test, script: &str) -> Outcome {
        let path = test.secret_file("editor", script);
        let editor = format!("sh {}", path.display());
        test.words("profile edit x").env("EDITOR", editor).run()
    }

    #[test]
    fn the_file_is_replaced_when_it_is_sound() {
        let test = Test::new().profile("x", BEFORE);
        edit(&test, "echo 'client_id = \"me\" # new' >>\"$1\"").success().stdout_is("");
        assert_eq!(text(&test, "x"), format!("{BEFORE}client_id = \"me\" # new\n"));
        test.assert_nothing_leaked();
    }

    #[test]
    fn invalid_edits_leave_the_file_untouched() {
        let test = Test::new().profile("x", BEFORE);
        for script in ["echo 'nonsense = 1' >>\"$1\"", "echo '=' >\"$1\"", "printf '\\377' >\"$1\""]
        {
            edit(&test, script).fails_with(3);
            assert_eq!(text(&test, "x"), BEFORE);
        }
        edit(&test, "echo broken >\"$1\"; exit 1").fails_with(1).stderr_has("the editor");
        edit(&test, "kill -KILL $$").fails_with(1);
        assert_eq!(text(&test, "x"), BEFORE);
    }

    #[test]
    fn nothing_changed_is_nothing_written() {
        let test = Test::new().profile("x", BEFORE);
        edit(&test, "true").success().stderr_is("Nothing was changed.\n");
        let draft = |home: &std::path::Path| std::fs::read_dir(home.join("tmp")).unwrap().count();
        assert_eq!(draft(&test.home()), 0, "the draft is gone");
    }

    #[test]
    fn the_editor_sees_no_secret_of_the_environment() {
        let test = Test::new().profile("x", BEFORE);
        let path = test.secret_file("editor", "env | grep OAUTHCTL_ | cut -d= -f1 | sort");
        let run = test.words("profile edit x").env("EDITOR", format!("sh {}", path.display()));
        let run = run.env("OAUTHCTL_PASSWORD", "p").env("OAUTHCTL_CLIENT_SECRET", "s");
        let outcome = run.env("OAUTHCTL_FILE_KEY", "k").run().success();
        outcome.stdout_is("OAUTHCTL_CONFIG_DIR\nOAUTHCTL_DATA_DIR\nOAUTHCTL_STORE\n");
    }

    #[test]
    fn visual_comes_before_editor() {
        let test = Test::new().profile("x", BEFORE);
        let run = test.words("profile edit x").env("VISUAL", "true").env("EDITOR", "false").run();
        run.success();
        let run = test.words("profile edit x").env("EDITOR", "no-such-editor").run();
        run.fails_with(1).stderr_has("no-such-editor");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn at_a_terminal_add_asks_for_what_is_missing() {
    let test = Test::new().secret("client/secret:1");
    let terminal = test.words("profile add mine").terminal(100);
    let terminal = terminal.sees("provider (atlassian, ").sees(", zoom): ").types("kabbage");
    let terminal = terminal.sees("base_url: ").types("https://api.example.com");
    let terminal = terminal.sees("client_id: ").types("me");
    terminal.sees("client_secret: ").types_unseen("client/secret:1").ends().success();
    assert_eq!(
        text(&test, "mine"),
        "provider = \"kabbage\"\nbase_url = \"https://api.example.com\"\nclient_id = \"me\"\n\
         client_secret = { store = true }\n"
    );
    test.assert_nothing_leaked();
}

#[test]
#[cfg(unix)]
fn a_pipe_in_the_place_of_a_profile_is_not_waited_for() {
    let test = Test::new().profile("x", "");
    let path = test.config().join("profiles/x.toml");
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    test.words("header -p x").run().fails_with(3);
}
