//! The kernel's keys and external helpers, as a user sees them.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oauthctl::store::installation_id;
use serde_json::Value;

use super::support::keyring::{self, Keyring};
use super::support::pass::Pass;
use super::support::{Test, installed};

/// Keeps its items in files.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/helper.sh");

/// A test with this store named, and this program for its helper.
fn with(store: &str, helper: &[&str]) -> Test {
    let settings = format!("store = \"{store}\"\nstore_command = {helper:?}\n");
    Test::new().sandbox().env("OAUTHCTL_STORE", "").config_file("config.toml", &settings)
}

/// A test with a helper that keeps its items in files, and first does what `script` says.
fn scripted(script: &str) -> Test {
    let test = with("command", &["sh", SCRIPT]);
    // Not below the home: items are not sealed, and no secret may lie there in clear.
    let items = test.secret_file("fault", script);
    let items = items.parent().unwrap().to_owned();
    test.env("ITEMS", items)
}

fn fault(test: &Test, script: &str) {
    test.secret_file("fault", script);
}

fn skips(what: &str, is_there: bool) -> bool {
    if !is_there {
        // Not captured: that a test was skipped must be seen.
        let _ = writeln!(io::stderr(), "skipped: it needs {what}");
    }
    !is_there
}

fn store(test: &Test) -> Value {
    test.words("show -p bindeo --json").run().success().json()[0]["store"].take()
}

/// What a session goes through, from a login to the end.
fn a_session_lives_in(test: &Test, kind: &str) {
    test.words("header -p bindeo").run().fails_with(4);
    let login = test.words("login -p bindeo").run().success();
    login.stderr_has(&format!("(store: {kind})")).stderr_lacks("note: ");
    assert_eq!(store(test), kind);
    test.words("header -p bindeo").prints_secrets().run().success().stderr_is("");
    let before = test.access_token();
    test.words("refresh -p bindeo").run().success();
    let after = test.words("token -p bindeo").prints_secrets().run().success();
    assert_ne!(after.stdout.trim(), before);
    test.words("profile set bindeo client_secret --stdin").stdin("client/secret:1").run().success();
    test.words("client-token -p bindeo").prints_secrets().run().success();
    assert!(!test.data().join("tokens").exists() && !test.data().join("key").exists());
    test.words("logout -p bindeo").run().success();
    test.words("header -p bindeo").run().fails_with(4);
}

#[test]
fn a_session_lives_in_the_kernel() {
    let test = with("kernel", &["unused"]);
    let doctor = test.words("doctor --json").run().success();
    let answers = doctor.stdout.contains("the kernel store answers");
    if skips("a kernel with keys", answers) || skips("keyutils", installed("keyctl")) {
        return;
    }
    doctor.stdout_has("it is empty after the machine was stopped");
    a_session_lives_in(&test, "kernel");
    test.words("login -p bindeo").run().success();
    // As after a reboot.
    let id = installation_id(&test.data()).unwrap();
    test.shell(&format!("keyctl purge -p user oauthctl:{id}:")).run().success();
    let header = test.words("header -p bindeo").run().fails_with(4);
    header.stderr_has("hint: oauthctl login --profile bindeo\n");
    let login = test.words("login -p bindeo").run().fails_with(3);
    login.stderr_has("hint: oauthctl profile set bindeo client_secret --stdin\n");
    test.words("profile set bindeo client_secret --stdin").stdin("client/secret:1").run().success();
    test.words("login -p bindeo").run().success();
    test.words("header -p bindeo").prints_secrets().run().success();
    test.shell(&format!("keyctl purge -p user oauthctl:{id}:")).run().success();
}

/// A test with a password store in its home.
fn with_pass(helper: &[&str]) -> Option<(Test, Pass)> {
    let test = with("command", helper);
    let pass = Pass::start(&test.home())?;
    let test =
        pass.environment().into_iter().fold(test, |test, (name, value)| test.env(name, value));
    Some((test, pass))
}

#[test]
fn a_session_lives_in_docker_credential_pass_and_no_secret_is_in_an_argument_or_the_environment() {
    const RECORDER: &str = "#!/bin/sh\n\
        printf '%s\\n' \"$@\" >>\"$HOME/argv\"\nenv >>\"$HOME/environment\"\n\
        exec docker-credential-pass \"$@\"\n";
    let Some((test, _pass)) = with_pass(&["sh", "recorder"]) else { return };
    fs::write(test.home().join("recorder"), RECORDER).unwrap();
    let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let test =
        test.env("OAUTHCTL_PASSWORD", "user/password:1").env("OAUTHCTL_FILE_KEY", key).secret(key);
    a_session_lives_in(&test, "command");
    let argv = fs::read_to_string(test.home().join("argv")).unwrap();
    assert!(argv.lines().all(|word| ["get", "store", "erase"].contains(&word)), "{argv}");
    let environment = fs::read_to_string(test.home().join("environment")).unwrap();
    assert!(environment.contains("OAUTHCTL_DATA_DIR="));
    for secret in ["OAUTHCTL_PASSWORD", "OAUTHCTL_FILE_KEY", "oauthctl.1."] {
        assert!(!environment.contains(secret), "{secret}");
    }
    // Nor in the arguments of what the helper runs in its turn.
    let traced = format!(
        "strace -f -qq -s 100000 -e trace=execve -o argv {} login -p bindeo",
        env!("CARGO_BIN_EXE_oauthctl")
    );
    test.shell(&traced).run().success();
    let argv = fs::read_to_string(test.home().join("argv")).unwrap();
    assert!(argv.contains("gpg") && !argv.contains("oauthctl.1."), "{argv}");
    test.words("logout -p bindeo").run().success();
}

#[test]
fn a_session_lives_in_docker_credential_secretservice() {
    const HELPER: &str = "docker-credential-secretservice";
    const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";
    if skips("golang-docker-credential-helpers", installed(HELPER)) {
        return;
    }
    keyring::with(Keyring::Unlocked, || {
        let test = with("command", &[HELPER]).env(BUS, std::env::var(BUS).unwrap());
        a_session_lives_in(&test, "command");
        test.words("login -p bindeo").run().success();
        let doctor = test.words("doctor --json").run().success();
        doctor.stdout_has("the command store answers by docker-credential-secretservice");
        let gone = test.words("header -p bindeo").env(BUS, "").run().fails_with(7);
        gone.stderr_has(
            "error: the helper docker-credential-secretservice failed to read bindeo@user",
        );
        gone_keeps_nothing_back(&test);
    });
}

fn gone_keeps_nothing_back(test: &Test) {
    test.words("header -p bindeo").prints_secrets().run().success();
    test.words("logout -p bindeo").run().success();
}

#[test]
fn without_a_helper_it_is_exit_3_and_the_file_is_named() {
    let test = Test::new().sandbox();
    let login = test.words("login -p bindeo --store command").run().fails_with(3);
    let settings = test.config().join("config.toml");
    login
        .stderr_has(&format!("error: {}: store_command is missing", settings.display()))
        .stderr_has("\nhint: add a line such as this one: store_command = [\"docker-cred");
    let doctor = test.words("doctor --store command --json").run().success();
    doctor.stdout_has("store_command is missing").stdout_has("add a line such as this one");
    assert!(test.server().requests().is_empty());
}

#[test]
fn a_helper_that_is_gone_or_fails_later_is_exit_7_with_a_hint() {
    let test = scripted("");
    test.words("login -p bindeo").run().success();
    for (script, timeout, told) in [
        ("echo 'the vault is sealed'; exit 1", "30s", "caused by: the vault is sealed\nhint: "),
        ("exec sleep 1000", "1s", "error: the helper sh did not answer within 1s\nhint: "),
        ("echo garbage; exit", "30s", "error: the answer of the helper sh makes no sense\nhint: "),
    ] {
        fault(&test, script);
        for command in ["header", "refresh", "logout"] {
            let run = test.words(command).args(["-p", "bindeo", "--timeout", timeout]).run();
            run.fails_with(7).stderr_has(told).stderr_lacks("logged in");
        }
        test.words("exec -p bindeo --timeout").args([timeout, "--", "true"]).run().fails_with(125);
    }
    fs::write(test.config().join("config.toml"), "store_command = [\"no-such-helper\"]\n").unwrap();
    let header = test.words("header -p bindeo").run().fails_with(7);
    header
        .stderr_has("error: the helper no-such-helper can't be run\ncaused by: No such file")
        .stderr_has("hint: install the helper, or name another one as store_command");
    test.words("doctor --json").run().success().stdout_has("no-such-helper can't be run");
    fs::write(test.config().join("config.toml"), format!("store_command = {:?}\n", ["sh", SCRIPT]))
        .unwrap();
    fault(&test, "");
    test.words("header -p bindeo").prints_secrets().run().success();
}

#[test]
fn a_login_spends_nothing_where_the_helper_does_not_keep_it() {
    let test = scripted("[ $1 = store ] && { echo 'disk full'; exit 1; }");
    let login = test.words("login -p bindeo").run().fails_with(7);
    login.stderr_has("error: the helper sh failed to write bindeo@user").stderr_has("disk full");
    assert!(test.server().requests().is_empty(), "a password was spent");
}

/// A renewal whose answer the helper does not take is not lost, and neither is the session.
#[test]
fn what_a_helper_fails_to_store_is_put_in_place_by_the_next_run() {
    let test = scripted("");
    test.words("login -p bindeo").run().success();
    // It is asked four times before the request, to try itself out; then it dies while it writes.
    fault(
        &test,
        "[ $1 = store ] || return 0\n\
         n=$(cat $ITEMS/count 2>/dev/null || echo 0); echo $((n + 1)) >$ITEMS/count\n\
         [ $n -ge 1 ] && DIES_IN_STORE=1\n",
    );
    let refresh = test.words("refresh -p bindeo").run().success();
    refresh.stderr_has("warning: ").stderr_has("it is kept in the journal");
    fault(&test, "");
    let before = test.server().requests().len();
    test.words("refresh -p bindeo").run().success();
    assert_eq!(test.server().requests().len(), before + 1);
    test.words("header -p bindeo").prints_secrets().run().success().stderr_is("");
}

#[test]
fn what_a_helper_complains_about_is_shown_escaped_but_for_quiet() {
    let test = scripted("printf 'a \\033[31mwarning\\n' >&2");
    let login = test.words("login -p bindeo").run().success();
    login.stderr_has("note: sh: a \\u{1b}[31mwarning\n");
    test.words("header -p bindeo -q").prints_secrets().run().success().stderr_is("");
    fault(&test, "echo 'only there' >&2; exit 1");
    let header = test.words("header -p bindeo -q").run().fails_with(7);
    header.stderr_has("caused by: only there\n").stderr_lacks("note: ");
}

#[test]
fn a_helper_may_ask_a_person_at_a_terminal_and_nobody_else() {
    let test = scripted("");
    test.words("login -p bindeo").run().success();
    fault(
        &test,
        "sleep 2; printf 'PIN: ' >&2; read -r pin </dev/tty; [ \"$pin\" = 1234 ] || exit 1",
    );
    // However short the deadline: that is no person's.
    let header = test.words("header -p bindeo --timeout 1s").prints_secrets();
    let ended = header.terminal(80).sees("sh: PIN:").types("1234").ends().success();
    ended.stdout_has("Authorization: Bearer ");
    let header = test.words("header -p bindeo --timeout 1s --no-input").terminal(80).ends();
    assert_eq!(header.status, 7, "{header:?}");
    fault(&test, "echo \"${DISPLAY-none} ${GPG_TTY-none}\" >&2");
    let run = test.words("header -p bindeo").env("DISPLAY", ":0").env("GPG_TTY", "/dev/pts/0");
    run.prints_secrets().run().success().stderr_is("note: sh: none none\n");
}

/// Whatever a helper does, no more than it was given is known of a session.
#[test]
fn two_data_directories_share_no_entry() {
    let test = scripted("");
    test.words("login -p bindeo").run().success();
    let other: PathBuf = test.home().join("other");
    let header = test.words("header -p bindeo").env("OAUTHCTL_DATA_DIR", &other).run();
    header.fails_with(4);
    test.words("login -p bindeo").env("OAUTHCTL_DATA_DIR", &other).run().success();
    test.words("logout -p bindeo").env("OAUTHCTL_DATA_DIR", &other).run().success();
    test.words("header -p bindeo").prints_secrets().run().success();
    assert!(Path::new(SCRIPT).exists());
}
