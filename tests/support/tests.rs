//! The builder's own tests, with a shell in oauthctl's place: a builder that sees nothing proves nothing.
#![cfg(unix)]

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::Test;
use super::run::{Process, read_all};

#[test]
fn a_command_sees_the_home_of_its_test_and_nothing_of_the_machine() {
    let outcome = Test::of_shell().env("A", "1").script("env").env("B", "2").run().success();
    let mut names: Vec<_> =
        outcome.stdout.lines().filter_map(|line| line.split('=').next()).collect();
    // What a shell sets by itself.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "A",
            "B",
            "HOME",
            "LANG",
            "OAUTHCTL_CONFIG_DIR",
            "OAUTHCTL_DATA_DIR",
            "OAUTHCTL_STORE",
            "PATH",
            "TMPDIR",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_RUNTIME_DIR",
        ]
    );
}

#[test]
fn a_command_reads_its_stdin_and_is_judged_by_all_that_it_writes() {
    let test = Test::of_shell();
    test.script("cat; echo hm >&2").stdin("in").run().success().stdout_is("in").stderr_is("hm\n");
    test.script("cat; echo error: no >&2; exit 3").run().fails_with(3).stderr_has("error: no");
    let outcome = test.script("echo '{\"a\": 1}'").run().success().stdout_has("\"a\"");
    assert_eq!(outcome.json()["a"], 1);
    assert_eq!(test.script("kill -TERM $$").run().status, 143);
}

#[test]
fn more_input_and_output_than_a_pipe_holds_is_no_trouble() {
    let input = "x".repeat(1 << 20);
    Test::of_shell().script("cat").stdin(input.as_str()).run().success().stdout_is(&input);
    Test::of_shell().script("exit 0").stdin(input).run().success();
}

#[test]
#[should_panic(expected = "left: \"half\"")]
fn a_failure_that_wrote_to_stdout_is_noticed() {
    Test::of_shell().script("printf half; exit 3").run().fails_with(3);
}

#[test]
#[should_panic(expected = "hangs\nstdout: so far")]
fn a_command_that_hangs_is_ended() {
    let test = Test::of_shell();
    test.script("echo so far; exec sleep 1000").deadline(Duration::from_millis(300)).run();
}

#[test]
fn the_children_of_a_command_that_hangs_end_with_it() {
    let test = Test::of_shell();
    let mut command = test.script("").command("sh");
    command.args(["-c", "sleep 1000 & wait"]);
    let mut process = Process::start(command, Duration::from_millis(300));
    let stdout = read_all(process.child.stdout.take().unwrap());
    assert_eq!(process.wait(), None);
    // The pipe ends with the last process that could write to it.
    assert_eq!(stdout.recv_timeout(super::DEADLINE), Err(RecvTimeoutError::Disconnected));
}

#[test]
#[should_panic(expected = "on stderr")]
fn a_secret_on_stderr_is_noticed() {
    Test::of_shell().secret("hunter2").script("echo hunter2 >&2").prints_secrets().run();
}

#[test]
#[should_panic(expected = "on stdout")]
fn a_secret_on_stdout_is_noticed() {
    Test::of_shell().secret("hunter2").script("echo hunter2").run();
}

#[test]
#[should_panic(expected = "on stdout")]
fn a_secret_on_the_stdout_of_a_failure_is_noticed_whatever_its_purpose() {
    Test::of_shell().secret("hunter2").script("echo hunter2; exit 1").prints_secrets().run();
}

#[test]
fn a_command_whose_purpose_it_is_may_print_a_secret() {
    let test = Test::of_shell().secret("hunter2");
    test.script("echo hunter2").prints_secrets().run().success().stdout_is("hunter2\n");
}

#[test]
fn what_the_builder_makes_is_private_and_secrets_are_kept_apart() {
    let test = Test::of_shell().secret("hunter2").profile("p", "").config_file("config.toml", "");
    let file = test.secret_file("secret", "hunter2");
    test.script("cat \"$FILE\"").env("FILE", file).prints_secrets().run().stdout_is("hunter2");
    test.script("umask 077; mkdir -p \"$OAUTHCTL_DATA_DIR\"; : >\"$OAUTHCTL_DATA_DIR/x\"").run();
    test.assert_nothing_leaked();
}

#[test]
#[should_panic(expected = "holds Some(\"hunter2\")")]
fn a_secret_in_a_file_is_noticed() {
    let test = Test::of_shell().secret("hunter2");
    test.script("echo a hunter2 b >\"$TMPDIR/x\"").run().success();
    test.assert_nothing_leaked();
}

#[test]
#[should_panic(expected = "data/x is 0666")]
fn a_file_that_others_can_read_is_noticed() {
    let test = Test::of_shell();
    let script = "mkdir -m 700 \"$OAUTHCTL_DATA_DIR\"; : >\"$OAUTHCTL_DATA_DIR/x\"";
    test.script(script).run().success();
    test.assert_nothing_leaked();
}

#[cfg(target_os = "linux")]
mod at_a_terminal {
    use super::*;

    #[test]
    fn a_command_has_a_terminal_and_a_person_answers() {
        let script = "test -t 0 && test -t 1 && test -t 2 && stty size </dev/tty; \
                      stty -echo; printf 'Password: '; read -r word; echo \"got ${#word}\"; exit 4";
        let test = Test::of_shell().secret("hunter2");
        let terminal = test.script(script).terminal(80).sees("50 80\r\n").sees("Password: ");
        let outcome = terminal.types_unseen("hunter2").ends();
        assert_eq!((outcome.status, &*outcome.stdout), (4, "50 80\nPassword: got 7\n"));
    }

    #[test]
    #[should_panic(expected = "on stdout")]
    fn a_secret_on_the_screen_is_noticed() {
        let test = Test::of_shell().secret("hunter2");
        test.script("printf '> '; read -r word").terminal(80).sees("> ").types("hunter2").ends();
    }

    #[test]
    #[should_panic(expected = "no \"Password\" in \"Name\"")]
    fn a_prompt_that_does_not_come_is_noticed() {
        Test::of_shell().script("printf Name").terminal(80).sees("Password");
    }
}
