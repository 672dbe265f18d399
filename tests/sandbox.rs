//! `sandbox`: an authorization server to try things out with, that leaves no trace.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use super::support::{Run, Test};

fn sandbox<'a>(test: &'a Test, flags: &str, script: &str) -> Run<'a> {
    test.words(&format!("sandbox {flags} -- sh -c")).arg(script)
}

#[test]
fn it_runs_a_command_with_profiles_that_point_there_for_every_dialect() {
    let test = Test::new();
    let script = "for p in bindeo musement kabbage barapi standard; do \
                      oauthctl login -q -p $p && oauthctl header -p $p && oauthctl refresh -q -p $p \
                      || exit 1; \
                  done; oauthctl client-token -p kabbage";
    let outcome = sandbox(&test, "", script).run().success().stderr_is("");
    let headers = outcome.stdout.lines().filter(|line| line.starts_with("Authorization: Bearer "));
    assert_eq!((headers.count(), outcome.stdout.lines().count()), (5, 6));
}

#[test]
fn its_status_is_the_commands_own() {
    let test = Test::new();
    for code in [0, 1, 2, 42, 125] {
        assert_eq!(sandbox(&test, "", &format!("exit {code}")).run().status, code);
    }
    assert_eq!(sandbox(&test, "", "kill -TERM $$").run().status, 143);
    assert_eq!(sandbox(&test, "", "kill -KILL $$").run().status, 137);
}

#[test]
fn a_command_that_is_not_found_is_127_and_one_that_can_not_be_run_is_126() {
    let test = Test::new().config_file("config.toml", "");
    test.words("sandbox -- no-such-command").run().fails_with(127);
    test.words("sandbox --").arg(test.config().join("config.toml")).run().fails_with(126);
}

#[test]
fn its_own_failure_is_125_and_usage_is_2() {
    let test = Test::new().server_alone();
    let taken = test.server().address().port();
    let outcome = test.words(&format!("sandbox --port {taken} -- true")).run().fails_with(125);
    outcome.stderr_has(&format!("127.0.0.1:{taken}"));
    test.words(&format!("sandbox --port {taken}")).run().fails_with(1);
    for words in ["--fail 200 -- true", "--fail-times 1 -- true", "--expires-in soon", "--port x"] {
        test.words(&format!("sandbox {words}")).run().fails_with(2);
    }
}

#[test]
fn the_command_finds_this_very_program_first_on_its_path() {
    let test = Test::new();
    let run = sandbox(&test, "", "readlink -f \"$(command -v oauthctl)\"; oauthctl --version");
    let program = std::fs::canonicalize(env!("CARGO_BIN_EXE_oauthctl")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    run.run().success().stdout_is(&format!("{}\noauthctl {version}\n", program.display()));
}

#[test]
fn the_users_own_settings_do_not_reach_the_command() {
    let test = Test::new().profile("bindeo", "provider = \"bindeo\"\nclient_id = \"mine\"\n");
    let run = sandbox(&test, "", "env | grep ^OAUTHCTL_ | cut -d= -f1 | sort");
    let outcome = run
        .env("OAUTHCTL_TOKEN_URL", "https://example.com/token")
        .env("OAUTHCTL_PROFILE", "mine")
        .env("OAUTHCTL_CLIENT_SECRET", "mine")
        .env("OAUTHCTL_ANYTHING", "mine")
        .run()
        .success();
    outcome.stdout_is("OAUTHCTL_CONFIG_DIR\nOAUTHCTL_DATA_DIR\nOAUTHCTL_PASSWORD\n");
    let run = sandbox(&test, "", "oauthctl profile show bindeo").run().success();
    run.stdout_has("client_id = \"sandbox-client\"");
}

#[test]
fn the_users_own_files_are_left_alone_and_nothing_stays_behind() {
    let test = Test::new().config_file("config.toml", "default_profile = \"mine\"\n");
    let script = "oauthctl login && oauthctl profile set bindeo scope x && oauthctl logout --all";
    sandbox(&test, "", script).run().success();
    let files = |path| std::fs::read_dir(path).unwrap().count();
    assert_eq!((files(test.config()), files(test.home().join("tmp"))), (1, 0));
    assert!(!test.data().exists());
}

#[test]
fn what_it_writes_is_private_while_it_runs() {
    let test = Test::new();
    let script = "oauthctl login -q && find \"$OAUTHCTL_CONFIG_DIR/..\" -perm /077 ! -type l";
    sandbox(&test, "", script).run().success().stdout_is("");
}

#[test]
fn a_signal_is_passed_on_to_the_command() {
    let test = Test::new();
    let script = "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.01; done";
    let mut started = sandbox(&test, "", script).start();
    started.prints("ready");
    started.signal(Signal::TERM);
    let outcome = started.ends().stdout_is("ready\ncaught\n");
    assert_eq!(outcome.status, 9);
}

#[test]
fn tokens_live_and_requests_fail_as_is_told() {
    let test = Test::new();
    let script = "oauthctl client-token --json | grep expires_in";
    let life = sandbox(&test, "--expires-in 1h", script).run().success().stdout;
    assert!(life.contains("360") || life.contains("359"), "{life}");
    let script = "oauthctl client-token; echo $?; oauthctl client-token >/dev/null; echo $?";
    let outcome = sandbox(&test, "--fail 400 --fail-times 1", script).run().success();
    outcome.stdout_is("5\n0\n").stderr_has("the sandbox was told to fail");
    let outcome = sandbox(&test, "--fail 503", script).run().success();
    outcome.stdout_is("6\n6\n");
    let script = "oauthctl --timeout 1s client-token; echo $?";
    sandbox(&test, "--delay 10s", script).run().success().stdout_is("6\n");
}

#[test]
fn alone_it_prints_its_addresses_and_serves_until_it_is_interrupted() {
    let test = Test::new();
    let mut started = test.words("sandbox").start();
    let printed = started.prints("\npassword ");
    let address = |name: &str| {
        let line = printed.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    for name in ["bindeo", "musement", "kabbage", "barapi", "standard"] {
        let url = address(name);
        let (host, _) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut connection = TcpStream::connect(host).unwrap();
        let request =
            format!("GET /{name}/status?code=204 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    }
    // What it prints is enough to use it.
    let token_url = address("standard") + "/token";
    let token = test.words("client-token --no-store").env("OAUTHCTL_TOKEN_URL", token_url);
    let token = token.env("OAUTHCTL_CLIENT_ID", address("client_id"));
    token.env("OAUTHCTL_CLIENT_SECRET", address("client_secret")).run().success();
    started.signal(Signal::INT);
    assert_eq!(started.ends().status, 130);
    assert!(!test.data().exists() && !test.config().exists());
}
