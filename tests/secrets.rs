//! Where secrets come from, and that they go nowhere else.
#![cfg(unix)]

use oauthctl::sandbox::{Fault, Provider};

use super::support::Test;
use super::support::raw::{RawServer, answer};

fn with_secret(source: &str) -> Test {
    let lines = format!("client_secret = {source}\n");
    let test = Test::new().server_alone().variant("x", Provider::Standard, &lines);
    test.secret("client/secret:1").secret("user/password:1")
}

#[test]
fn a_secret_comes_from_the_environment() {
    let test = with_secret("{ env = \"CI_SECRET\" }");
    let outcome = test.words("client-token -p x").run().fails_with(3);
    outcome.stderr_has("is in the variable CI_SECRET, which is not set");
    let run = test.words("client-token -p x").env("CI_SECRET", "client/secret:1");
    run.prints_secrets().run().success();
}

#[test]
fn a_secret_comes_from_a_file() {
    for (contents, code) in [
        ("client/secret:1", 0),
        ("client/secret:1\n", 0),
        ("client/secret:1\r\n", 0),
        ("client/secret:1\n\n", 5),
        ("", 3),
        ("\n", 3),
    ] {
        let test = with_secret("{ file = \"secret\" }").config_file("secret", "");
        // Outside of the home, where no secret may lie in clear; a relative path begins at CONFIG.
        let path = test.secret_file("given", contents);
        let set = test.words("profile set x client_secret --file").arg(path);
        set.run().success();
        let outcome = test.words("client-token -p x").prints_secrets().run();
        assert_eq!(outcome.status, code, "{contents:?}: {outcome:?}");
    }
    let test = with_secret("{ file = \"no/such/file\" }");
    let outcome = test.words("client-token -p x").run().fails_with(3);
    outcome.stderr_has(&format!("{}/no/such/file", test.config().display()));
}

#[test]
fn a_secret_comes_from_a_command() {
    let test = with_secret("{ command = [\"printf\", \"client/%s\\n\", \"secret:1\"] }");
    test.words("client-token -p x").prints_secrets().run().success();
}

#[test]
fn a_command_that_fails_or_hangs_is_exit_3_in_time_and_shows_nothing() {
    for (script, message) in [
        ("printf %s/%s client secret:1; exit 3", "failed: sh: exit status: 3"),
        ("exec sleep 1000", "did not end within 1 s: sh"),
        ("printf %s/%s client secret:1; exec sleep 1000", "did not end within 1 s: sh"),
        ("true", "is empty"),
    ] {
        let test = with_secret(&format!("{{ command = [\"sh\", \"-c\", \"{script}\"] }}"));
        let outcome = test.words("client-token -p x --timeout 1s").run().fails_with(3);
        outcome.stderr_has(message);
        assert!(test.server().requests().is_empty());
    }
    let test = with_secret("{ command = [\"no-such-command\"] }");
    test.words("client-token -p x").run().fails_with(3).stderr_has("no-such-command");
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_command_leaves_behind_keeps_nothing_of_ours_open() {
    let script = "sleep 1000 & echo $! >>left; echo hello >&2; printf client/%s secret:1";
    let test = with_secret(&format!("{{ command = [\"sh\", \"-c\", \"{script}\"] }}"));
    // Whoever reads our stderr reads it to its end.
    let run = test.shell("oauthctl client-token -p x 2>&1 >/dev/null | cat").run().success();
    run.stdout_is("note: sh: hello\n");
    let run = test.shell("oauthctl client-token -q --force -p x 2>&1 >/dev/null | cat").run();
    run.success().stdout_is("");
    test.shell("kill $(cat left)").run().success();
}

#[test]
fn a_secret_comes_from_the_store() {
    let test = with_secret("{ store = true }");
    test.words("client-token -p x").run().fails_with(3).stderr_has("is not in the token store");
    let set = test.words("profile set x client_secret --stdin");
    set.stdin("client/secret:1").run().success();
    test.words("client-token -p x").prints_secrets().run().success();
}

#[test]
fn the_stored_client_secret_is_no_password() {
    let test = with_secret("{ store = true }").profile(
        "p",
        "token_url = \"https://id.example.com/token\"\npassword = { store = true }\n",
    );
    let outcome = test.words("login -p p --dry-run").run().fails_with(3);
    outcome.stderr_has("p.toml:2: password ");
}

#[test]
fn the_environment_beats_every_source() {
    let test = with_secret("{ command = [\"false\"] }");
    let run = test.words("client-token -p x").env("OAUTHCTL_CLIENT_SECRET", "client/secret:1");
    run.prints_secrets().run().success();
}

#[test]
fn a_secret_is_looked_up_only_when_a_request_needs_it() {
    let test =
        with_secret("{ command = [\"sh\", \"-c\", \"touch asked; printf client/%s secret:1\"] }");
    let asked = || std::fs::remove_file(test.home().join("asked")).is_ok();
    for words in
        ["show", "profile show x", "header -p x", "client-token -p x --dry-run", "doctor -p x"]
    {
        test.words(words).run();
        assert!(!asked(), "{words}");
    }
    test.words("client-token -p x").prints_secrets().run().success();
    assert!(asked());
    test.words("client-token -p x").prints_secrets().run().success();
    test.words("token --as client -p x").prints_secrets().run().success();
    assert!(!asked(), "a cached token needs no secret");
}

#[test]
fn a_secret_in_a_profile_is_refused_and_not_repeated() {
    for text in [
        "client_secret = \"hunter2\"",
        "client_secret = { value = \"hunter2\" }",
        "password = \"hunter2\"",
        "client_secret = { env = \"A\", file = \"hunter2\" }",
    ] {
        let test = Test::new().profile("x", text).secret("hunter2");
        let outcome = test.words("header -p x").run().fails_with(3);
        outcome.stderr_has("x.toml:1: ");
        test.words("profile list").run().success();
        test.words("doctor -p x").run().success();
    }
}

#[test]
fn no_flag_takes_a_secret() {
    let test = Test::new().secret("hunter2");
    for words in [
        "login -p bindeo --password hunter2",
        "login -p bindeo --client-secret hunter2",
        "client-token -p bindeo --client-secret=hunter2",
        "profile add x --client-secret hunter2",
    ] {
        let outcome = test.words(words).run();
        assert_eq!((outcome.status, &*outcome.stdout), (2, ""), "{words}");
    }
}

#[test]
fn children_get_no_secret_of_ours() {
    let script = "env >&2; printf client/%s secret:1";
    let test = with_secret(&format!("{{ command = [\"sh\", \"-c\", \"{script}\"] }}"));
    let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let run = test.words("login -p x").env("OAUTHCTL_PASSWORD", "user/password:1");
    let outcome = run.env("OAUTHCTL_FILE_KEY", key).run().success();
    outcome.stderr_has("OAUTHCTL_DATA_DIR=").stderr_lacks("_PASSWORD").stderr_lacks("_FILE_KEY");
}

#[test]
fn the_file_key_of_the_environment_is_written_nowhere() {
    let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let test = Test::new().sandbox().env("OAUTHCTL_FILE_KEY", key).secret(key);
    test.words("login -p bindeo").run().success();
    test.words("header -p bindeo").prints_secrets().run().success();
    assert!(!test.data().join("key").exists());
    let other = "ZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGU=";
    let run = test.words("header -p bindeo").env("OAUTHCTL_FILE_KEY", other).run().fails_with(7);
    run.stderr_has("another key")
        .stderr_has("hint: check OAUTHCTL_FILE_KEY")
        .stderr_has(": oauthctl logout --local --profile bindeo\n");
    let run = test.words("header -p bindeo").env("OAUTHCTL_FILE_KEY", "").run().fails_with(7);
    run.stderr_has("its key");
}

#[test]
fn vvv_shows_requests_and_answers_with_every_secret_redacted() {
    let test = Test::new().sandbox();
    for provider in ["bindeo", "musement", "kabbage", "barapi", "standard"] {
        for command in ["login", "refresh"] {
            // The builder watches for every secret and every token, in every spelling.
            let outcome = test.words(&format!("{command} -vvv -p {provider}")).run().success();
            outcome.stderr_has("* HTTP/1.1 200").stderr_has("***").stderr_has("grant_type");
        }
    }
    let once = test.words("refresh -v -p kabbage").run().success();
    once.stderr_has("* POST ").stderr_lacks("grant_type=").stderr_lacks("Authorization");
    let twice = test.words("refresh -vv -p kabbage").run().success();
    twice.stderr_has("* Authorization: Basic ***").stderr_lacks("grant_type=");
}

#[test]
fn a_refusal_is_shown_without_secrets_and_control_characters() {
    let test = Test::new().sandbox();
    let body = r#"{"error":"invalid_request","error_description":"no\u001b[31m\u202e client/secret:1 or client%2Fsecret%3A1","error_uri":"https://example.com/e?s=user/password:1"}"#;
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(400, body)));
    let outcome = test.words("login -p standard").run().fails_with(5);
    let expected = "error: the server refused: invalid_request: no\\u{1b}[31m\\u{202e} [redacted] or \
                    [redacted] (see https://example.com/e?s=[redacted])\n";
    outcome.stderr_has(expected);
}

#[test]
fn a_token_is_redacted_wherever_its_answer_repeats_it() {
    let token = "a-token-that-is-told-twice";
    for (kind, code) in [("Bearer", 0), (token, 6)] {
        let server = RawServer::start(move |_| {
            let body = serde_json::json!({
                "data": { "token": token }, "message": format!("it is {token}"),
                "token_type": kind, "error_uri": format!("https://x/?{token}"),
            });
            answer(200, "application/json", &body.to_string())
        });
        let lines = format!(
            "base_url = \"{}\"\n[response]\naccess_token = \"/data/token\"\n",
            server.url("")
        );
        let test = Test::new().sandbox().variant("x", Provider::Standard, &lines).secret(token);
        let outcome = test.words("login -p x -vvv").run();
        assert_eq!(outcome.status, code, "{}", outcome.stderr);
        outcome.stderr_has("\"message\": \"it is [redacted]\"");
    }
}

/// A server that says everything that it was told, in each place where an answer can.
#[test]
fn what_a_server_echoes_back_is_redacted_too() {
    for (status, kind, code) in [
        (400, "application/json", 5),
        (200, "application/json", 6),
        (503, "application/json", 6),
        (401, "text/html", 5),
        (200, "text/html", 6),
        (500, "text/plain", 6),
    ] {
        let server = RawServer::start(move |request| {
            let body = match kind {
                "application/json" => serde_json::json!({
                    "error_description": request, "message": request, "any": request,
                    "client/secret:1": 1, "scope": request
                })
                .to_string(),
                "text/html" => format!("<html><title>{request}</title>{request}</html>"),
                _ => request.replace("\r\n", " "),
            };
            let body = if status == 400 {
                body.replacen('{', "{\"error\":\"invalid_request\",", 1)
            } else {
                body
            };
            answer(status, kind, &body)
        });
        for (provider, lines) in [
            (Provider::Standard, String::new()),
            (Provider::Bindeo, "token_url = \"/token\"\n".to_owned()),
            (Provider::Musement, "token_url = \"/token\"\n".to_owned()),
            (Provider::Kabbage, "token_url = \"/token\"\n".to_owned()),
        ] {
            let base = format!("base_url = \"{}\"\n", server.url(""));
            let test = Test::new().sandbox().variant("x", provider, &(lines + &base));
            let outcome = test.words("login -p x -vvv").run().fails_with(code);
            outcome.stderr_has("* HTTP/1.1 ");
        }
    }
}

#[test]
fn what_oauthctl_makes_is_private_whatever_the_umask() {
    // The builder has set the umask to 0; when the test ends it looks at every file.
    let test = Test::new().sandbox().variant("own", Provider::Standard, "");
    test.words("login -p own").run().success();
    test.words("refresh -p own").run().success();
    test.words("client-token -p own").prints_secrets().run().success();
    test.words("profile set own username me").run().success();
    test.words("profile add another --provider bindeo --default").run().success();
    test.words("logout -p own").run().success();
    let kept = std::fs::read_dir(test.data()).unwrap().count();
    assert!(kept >= 3, "there is something to look at");
    // Also with the narrowest.
    let narrow = Test::new().sandbox();
    narrow
        .shell("umask 777; oauthctl login -p bindeo && oauthctl refresh -p bindeo")
        .run()
        .success();
}
