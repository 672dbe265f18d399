//! Every exit code by a test of its own, and what goes with it on stdout and stderr.
#![cfg(unix)]

use std::process::Command;

use oauthctl::sandbox::{Answer, Fault, Provider};

use super::support::Test;

fn test() -> Test {
    Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard")
}

fn fault(test: &Test, fault: Fault) {
    test.server().behave(|behaviour| behaviour.fault = Some(fault));
}

#[test]
fn a_result_that_can_not_be_written_is_1() {
    let test = test();
    test.words("login").run().success();
    for command in [
        "header",
        "token --json",
        "client-token",
        "show",
        "show --json",
        "refresh --json",
        "login --dry-run",
        "profile list",
        "profile show standard",
        "profile path standard",
        "provider list",
        "doctor",
        "store status",
        "store verify",
        "man",
        "completions bash",
        "sandbox",
        "--help",
        "--version",
        "login --help",
    ] {
        let outcome = test.shell(&format!("oauthctl {command} >/dev/full")).run().fails_with(1);
        outcome.stderr_has("error: can't write to stdout\ncaused by: No space left on device");
    }
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let test = test();
    test.words("login").run().success();
    for command in [
        "header",
        "show --json",
        "man",
        "--help",
        "profile show",
        "doctor",
        "provider list",
        "store status",
    ] {
        // The reader is gone before the writer begins.
        let script =
            format!("{{ sleep 0.05; oauthctl {command}; echo $? >status; }} | :; cat status");
        let outcome = test.shell(&script).run().success().stderr_is("");
        assert_eq!(outcome.stdout, "141\n", "{command}");
        test.shell(&format!("oauthctl {command} >&-")).run().success().stderr_is("");
    }
    std::fs::remove_file(test.home().join("status")).unwrap();
}

#[test]
fn a_file_that_is_opened_is_never_taken_for_a_standard_stream_that_was_closed() {
    let test = test();
    test.words("login").run().success();
    for closed in ["0<&-", "1>&-", "2>&-", "0<&- 1>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"] {
        test.shell(&format!("oauthctl -vvv refresh --json {closed} 2>/dev/null")).run();
        test.shell(&format!("oauthctl -vvv refresh --json {closed}")).run();
        let found = Command::new("grep").args(["-rlE", "POST|profile"]).arg(test.data()).output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        assert_eq!(found, "", "{closed}");
        test.words("store verify").run().success();
    }
}

#[test]
fn wrong_usage_is_2() {
    let test = test();
    for words in [
        "",
        "nonsense",
        "header --nonsense",
        "header extra",
        "header --min-ttl soon",
        "header --min-ttl -5",
        "header --as",
        "header -q -v",
        "--timeout 0 header",
        "--timeout soon header",
        "--store cloud header",
        "--color sometimes header",
        "login --grant implicit",
        "login --password-stdin --refresh-token-stdin",
        "refresh --all --as user",
        "curl",
        "exec",
        "completions tcsh",
        "man nonsense",
        "profile",
        "profile set x",
        "store",
        "store migrate file",
    ] {
        let outcome = test.words(words).run().fails_with(2);
        assert!(!outcome.stderr.is_empty(), "{words}");
    }
    assert!(!test.data().exists());
}

#[test]
fn a_profile_that_is_missing_wrong_or_incomplete_is_3() {
    let test = test()
        .profile("wrong", "nonsense = 1\n")
        .profile("bare", "client_id = \"a\"\n")
        .profile("nobody", "token_url = \"https://id.example.com/\"\n")
        .profile("secretless", "token_url = \"https://id.example.com/\"\nclient_id = \"a\"\nclient_auth = \"client_secret_post\"\n");
    for (profile, message) in [
        ("missing", "there is no profile named missing"),
        ("wrong", "wrong.toml:1"),
        ("bare", "token_url"),
        ("nobody", "client_id"),
        ("secretless", "client_secret"),
    ] {
        for command in ["client-token", "header --as client"] {
            let run = test.words(command).env("OAUTHCTL_PROFILE", profile).run().fails_with(3);
            run.stderr_has(message).stderr_has("hint: ");
        }
    }
}

#[test]
fn a_person_must_log_in_is_4() {
    let test = test();
    for command in ["header", "token", "refresh"] {
        test.words(command)
            .run()
            .fails_with(4)
            .stderr_has("hint: oauthctl login --profile standard");
    }
    test.words("login").run().success();
    test.server().revoke_refresh_tokens(Provider::Standard);
    test.words("refresh").run().fails_with(4).stderr_has("invalid_grant");
}

#[test]
fn a_refusal_of_the_server_is_5() {
    let test = test();
    for (status, body, message) in [
        (400, r#"{"error":"invalid_request"}"#, "invalid_request"),
        (401, r#"{"error":"invalid_client"}"#, "invalid_client"),
        (403, "", "the server refused with status 403"),
        (404, "<html><title>Not here</title></html>", "Not here"),
        (
            200,
            r#"{"error":"invalid_scope","error_description":"none such"}"#,
            "invalid_scope: none such",
        ),
        (200, r#"{"error":{"code":7,"message":"no"}}"#, "no"),
    ] {
        fault(&test, Fault::answer(status, body));
        for command in ["login", "client-token --force", "header --as client"] {
            let outcome = test.words(command).run().fails_with(5).stderr_has("the server refused");
            outcome.stderr_has(message);
        }
    }
}

#[test]
fn the_hint_after_a_refusal_names_a_command_that_makes_the_same_request() {
    let test = test();
    fault(&test, Fault::answer(400, r#"{"error":"invalid_request"}"#));
    for (command, again) in [
        ("login", "login"),
        ("client-token", "client-token --force"),
        ("header --as client", "header --as client"),
        ("token --as client", "header --as client"),
        ("refresh --as client", "refresh --as client"),
    ] {
        let outcome = test.words(command).run().fails_with(5);
        outcome.stderr_has(&format!("oauthctl -vvv {again} --profile standard\n"));
        let told = test.words(&format!("-vvv {again} --profile standard")).run().fails_with(5);
        told.stderr_has("* POST ");
    }
}

#[test]
fn trouble_on_the_way_or_an_answer_that_makes_no_sense_is_6() {
    let test = test();
    let redirect = Answer::new(302).header("Location", "https://evil.example.com/");
    for (reply, message) in [
        (Answer::new(503).json("{}"), "status 503"),
        (Answer::new(500), "status 500"),
        (Answer::new(429).json("{}"), "status 429"),
        (redirect, "the server redirects to evil.example.com"),
        (Answer::new(200), "the answer is empty"),
        (Answer::new(200).json("<html><title>Log in</title></html>"), "not valid JSON"),
        (Answer::new(200).json("[]"), "no object"),
        (Answer::new(200).json("{}"), "the answer has no access token"),
        (Answer::new(200).json(r#"{"access_token":""}"#), "the answer has no access token"),
        (Answer::new(200).json(r#"{"access_token":"a\nb"}"#), "can't stand in a header"),
        (Answer::new(200).json(r#"{"access_token":"tok","token_type":"mac"}"#), "of type mac"),
        // As kabbage's document has it, without a comma.
        (Answer::new(200).json("{\"access_token\":\"tok\"\n\"expires_in\":1}"), "line 2 column 1"),
    ] {
        fault(&test, Fault { answer: Some(reply), ..Fault::default() });
        for command in ["login", "client-token --force", "header --as client"] {
            let outcome = test.words(command).run().fails_with(6).stderr_has(message);
            outcome.stderr_lacks("tok\"").stderr_has("hint: ");
        }
    }
    fault(&test, Fault::default());
    test.words("client-token").run().fails_with(6);
}

#[test]
fn a_server_that_is_not_there_or_hangs_is_6() {
    let test = Test::new()
        .sandbox()
        .profile("gone", "token_url = \"http://127.0.0.1:1/\"\nclient_id = \"a\"\n");
    let outcome = test.words("client-token -p gone").run().fails_with(6);
    outcome.stderr_has("refused").stderr_has("hint: oauthctl doctor --profile gone");
    test.server().behave(|behaviour| behaviour.delay = std::time::Duration::from_secs(1000));
    let outcome = test.words("client-token -p standard --timeout 1s").run().fails_with(6);
    outcome.stderr_has("timed out after 1s");
    let run = test.words("client-token -p standard").env("OAUTHCTL_TIMEOUT", "1s");
    run.run().fails_with(6);
}

#[test]
fn a_store_that_is_elsewhere_is_7_and_the_hint_is_to_migrate() {
    let test = test();
    test.words("login").run().success();
    for command in ["header", "token", "refresh"] {
        let run = test.words(command).env("OAUTHCTL_STORE", "none").run().fails_with(7);
        run.stderr_has("is kept in the file store").stderr_has("oauthctl store migrate");
        test.words(command).arg("--store=none").run().fails_with(7);
    }
    test.words("header").prints_secrets().run().success();
    // The remembered store wins over `auto`, and a login goes where it is told.
    test.words("header --store auto").prints_secrets().run().success().stderr_is("");
    test.words("login --store none").run().success();
    test.words("header").prints_secrets().run().success();
}

#[test]
fn a_store_that_is_damaged_is_7_and_is_left_as_it_is() {
    let test = test();
    test.words("login").run().success();
    let entry = test.data().join("tokens/standard@user");
    let before = std::fs::read(&entry).unwrap();
    let mut damaged = before.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&entry, &damaged).unwrap();
    for command in ["header", "token", "refresh", "show --reveal -p standard"] {
        test.words(command).run().fails_with(7).stderr_has("is damaged");
    }
    assert_eq!(std::fs::read(&entry).unwrap(), damaged);
    std::fs::write(&entry, &before).unwrap();
    test.words("header").prints_secrets().run().success();
    std::fs::write(test.data().join("index/standard@user.json"), "nonsense").unwrap();
    test.words("header").run().fails_with(7);
    assert_eq!(test.asked(Provider::Standard), 1);
}

#[test]
fn every_command_has_help_and_help_is_0() {
    let test = Test::new();
    let help = test.words("--help").run().success().stderr_is("").stdout;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<_> =
        commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for name in
        ["login", "client-token", "refresh", "show", "header", "token", "curl", "exec", "logout"]
    {
        assert!(names.contains(&name), "{name}");
    }
    for name in names.iter().filter(|name| **name != "help") {
        test.words(&format!("{name} --help")).run().success().stdout_has("Usage: oauthctl");
    }
    test.words("--version").run().success().stdout_is(concat!(
        "oauthctl ",
        env!("CARGO_PKG_VERSION"),
        "\n"
    ));
    assert!(!test.config().exists() && !test.data().exists());
}

#[test]
fn oauthctl_ended_by_a_signal_is_128_and_its_number() {
    use rustix::process::Signal;
    let test = test();
    test.server().behave(|behaviour| behaviour.delay = std::time::Duration::from_secs(1000));
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let before = test.asked(Provider::Standard);
        let started = test.words("client-token --no-store").start();
        while test.asked(Provider::Standard) == before {
            std::thread::yield_now();
        }
        started.signal(signal);
        assert_eq!(started.ends().status, code);
    }
}
