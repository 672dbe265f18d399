//! `exec`: a command with the token in its environment.
#![cfg(unix)]

use oauthctl::sandbox::Fault;
use rustix::process::Signal;

use super::support::{Run, Test};

fn test() -> Test {
    Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard").env("OAUTHCTL_AS", "client")
}

fn exec<'a>(test: &'a Test, script: &str) -> Run<'a> {
    test.words("exec -- sh -c").arg(script)
}

#[test]
fn the_token_is_in_oauthctl_token() {
    let test = test();
    let outcome = exec(&test, "printf %s \"$OAUTHCTL_TOKEN\"").prints_secrets().run().success();
    outcome.stdout_is(&test.access_token()).stderr_is("");
}

#[test]
fn env_names_another_variable() {
    let test = test();
    let run = test.words("exec --env GITHUB_TOKEN -- sh -c").arg("env | grep -c TOKEN=");
    run.run().success().stdout_is("1\n");
    let run = test.words("exec --env GITHUB_TOKEN -- sh -c").arg("printf %s \"$GITHUB_TOKEN\"");
    run.prints_secrets().run().success().stdout_is(&test.access_token());
    for name in ["1A", "A=B", "A-B", "OAUTHCTL_PASSWORD", "OAUTHCTL_CLIENT_SECRET"] {
        test.args(["exec", "--env", name, "--", "true"]).run().fails_with(2);
    }
}

#[test]
fn the_token_is_in_no_argv() {
    let test = test();
    exec(&test, "tr '\\0' ' ' </proc/$$/cmdline; cat /proc/$PPID/cmdline").run().success();
}

#[test]
fn the_status_is_the_commands_own() {
    let test = test();
    for code in [0, 1, 2, 42, 125, 255] {
        assert_eq!(exec(&test, &format!("exit {code}")).run().status, code);
    }
    for (signal, code) in [("TERM", 143), ("INT", 130), ("KILL", 137), ("PIPE", 141)] {
        assert_eq!(exec(&test, &format!("kill -{signal} $$")).run().status, code, "{signal}");
    }
}

#[test]
fn a_signal_reaches_the_command() {
    let test = test();
    let script = "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.01; done";
    let mut started = exec(&test, script).start();
    started.prints("ready");
    started.signal(Signal::TERM);
    let outcome = started.ends().stdout_is("ready\ncaught\n");
    assert_eq!(outcome.status, 9);
}

#[test]
fn the_commands_input_and_output_are_its_own() {
    let test = test();
    exec(&test, "cat; echo err >&2").stdin("in").run().success().stdout_is("in").stderr_is("err\n");
    let outcome = test.words("exec -- echo --help -p x").run().success();
    outcome.stdout_is("--help -p x\n");
}

#[test]
fn a_command_that_is_not_found_is_127_and_one_that_can_not_be_run_is_126() {
    let test = test();
    test.words("exec -- no-such-command").run().fails_with(127).stderr_has("no-such-command");
    test.words("exec -- /no/such/command").run().fails_with(127);
    let file = test.config().join("profiles/standard.toml");
    test.words("exec --").arg(file).run().fails_with(126).stderr_has("standard.toml");
    test.words("exec --").arg(test.config()).run().fails_with(126);
}

#[test]
fn when_oauthctl_itself_fails_it_is_125_whatever_the_reason() {
    let test = test();
    test.words("exec -p nobody -- true")
        .run()
        .fails_with(125)
        .stderr_has("no profile named nobody");
    test.words("exec --as user -- true").run().fails_with(125).stderr_has("oauthctl login");
    test.words("exec --store none -- true").env("OAUTHCTL_AS", "x").run().fails_with(125);
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(503, "{}")));
    test.words("exec -- true").run().fails_with(125);
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(400, "{}")));
    test.words("exec -- true").run().fails_with(125);
    std::fs::write(test.config().join("config.toml"), "nonsense = 1").unwrap();
    test.words("exec -- true").run().fails_with(125);
    std::fs::remove_file(test.config().join("config.toml")).unwrap();
}

#[test]
fn but_usage_is_2() {
    let test = test();
    for words in ["exec", "exec --", "exec --as admin -- true", "exec --nonsense -- true"] {
        test.words(words).run().fails_with(2);
    }
    assert!(test.server().requests().is_empty());
}

#[test]
fn the_secrets_of_the_environment_are_not_handed_on() {
    let test = test();
    let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let run = exec(&test, "env | cut -d= -f1")
        .env("OAUTHCTL_CLIENT_SECRET", "client/secret:1")
        .env("OAUTHCTL_PASSWORD", "user/password:1")
        .env("OAUTHCTL_FILE_KEY", key);
    let outcome = run.run().success();
    let names: Vec<_> = outcome.stdout.lines().filter(|name| name.contains("OAUTH")).collect();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "OAUTHCTL_AS",
            "OAUTHCTL_CONFIG_DIR",
            "OAUTHCTL_DATA_DIR",
            "OAUTHCTL_PROFILE",
            "OAUTHCTL_STORE",
            "OAUTHCTL_TOKEN"
        ]
    );
}

#[test]
fn a_token_with_less_life_than_min_ttl_is_renewed_first() {
    let test = test();
    exec(&test, "true").run().success();
    test.words("exec --min-ttl 2h -- true").run().success().stderr_has("warning: the new token");
    assert_eq!(test.server().requests().len(), 2);
}
