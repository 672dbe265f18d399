//! What is written about the program is true: pages, completions, and every command of the README.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use oauthctl::profile::schema::PROFILE;

/// What a test can't run: it runs the tests, or builds for minutes.
const NOT_RUN: [&str; 2] = ["tests/run", "cargo install --locked --path ."];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_oauthctl"))
}

fn succeeded(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stdout}{stderr}", output.status);
    stdout
}

fn files(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.map(|path| (name(&path), fs::read_to_string(path).unwrap())).collect()
}

/// Compares a directory of the tree with what the program writes today; `UPDATE=1` replaces it.
fn is_current(directory: &str, written: &BTreeMap<String, String>) {
    let path = root().join(directory);
    if std::env::var_os("UPDATE").is_some() {
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        for (name, text) in written {
            fs::write(path.join(name), text).unwrap();
        }
    }
    let kept = files(&path);
    assert_eq!(
        kept.keys().collect::<Vec<_>>(),
        written.keys().collect::<Vec<_>>(),
        "{directory} has other files: UPDATE=1 cargo test"
    );
    for (name, text) in written {
        assert!(&kept[name] == text, "{directory}/{name} is out of date: UPDATE=1 cargo test");
    }
}

#[test]
fn every_key_of_a_profile_is_explained() {
    let help = succeeded(&program().args(["profile", "set", "--help"]).output().unwrap());
    let (_, keys) = help.split_once("Keys ").unwrap();
    let words: Vec<_> = keys.split([' ', ',', '\n']).collect();
    for field in PROFILE {
        let table = format!("{}.NAME", field.key);
        assert!(words.contains(&field.key) || words.contains(&&*table), "{}", field.key);
    }
}

#[test]
fn the_man_pages_are_current() {
    let directory = tempfile::tempdir().unwrap();
    let output = program().args(["man", "--write"]).arg(directory.path()).output().unwrap();
    succeeded(&output);
    is_current("man", &files(directory.path()));
}

#[test]
fn the_completions_are_current() {
    let script = |shell| succeeded(&program().args(["completions", shell]).output().unwrap());
    let files = [
        ("oauthctl.bash", "bash"),
        ("_oauthctl", "zsh"),
        ("oauthctl.fish", "fish"),
        ("_oauthctl.ps1", "powershell"),
        ("oauthctl.elv", "elvish"),
    ];
    is_current("completions", &files.map(|(name, shell)| (name.to_owned(), script(shell))).into());
}

#[test]
fn profile_names_are_completed_as_they_are_now() {
    let config = tempfile::tempdir().unwrap();
    fs::create_dir(config.path().join("profiles")).unwrap();
    fs::write(config.path().join("profiles/binary.toml"), "").unwrap();
    let output = program()
        .env_clear()
        .envs([("COMPLETE", "bash"), ("_CLAP_IFS", "\n"), ("_CLAP_COMPLETE_INDEX", "2")])
        .env("OAUTHCTL_CONFIG_DIR", config.path())
        .env("OAUTHCTL_DATA_DIR", config.path())
        .args(["--", "oauthctl", "--profile", "bin"])
        .output()
        .unwrap();
    assert_eq!(succeeded(&output), "binary\nbindeo");
}

/// The commands of the README: whole blocks of `sh`, and what follows `$` in a `console`.
fn commands(readme: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut blocks = readme.split("\n```");
    while let Some(block) = blocks.next() {
        let Some((language, text)) = block.split_once('\n') else { continue };
        match language {
            "sh" => commands.push(text.to_owned()),
            "console" => commands
                .extend(text.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned)),
            _ => continue,
        }
        // What comes next is the prose behind the block.
        blocks.next();
    }
    commands
}

#[test]
fn every_command_of_the_readme_runs() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let commands = commands(&readme);
    assert!(commands.len() > 10, "the README has lost its commands: {commands:?}");
    for skipped in NOT_RUN {
        assert!(commands.iter().any(|command| command == skipped), "{skipped} is no longer there");
    }
    let mut script = String::from(
        "for profile in bindeo musement kabbage standard; do oauthctl login --profile $profile; done\n\
         base() { oauthctl profile show \"$1\" | sed -n 's/^base_url = \"\\([^\"]*\\)\".*/\\1/p'; }\n\
         bindeo=$(base bindeo) musement=$(base musement) standard=$(base standard)\n\
         export WORK_SECRET=client/secret:1 CI_SECRET=client/secret:1\n",
    );
    for command in commands.iter().filter(|command| !NOT_RUN.contains(&command.as_str())) {
        // In a pipeline of CI there is no configuration, and so no default profile.
        let bare = if command.contains("OAUTHCTL_TOKEN_URL") {
            "export OAUTHCTL_CONFIG_DIR=$(mktemp -d) OAUTHCTL_DATA_DIR=$(mktemp -d)\n"
        } else {
            ""
        };
        let command = command
            .replace("https://api.bindeo.com", "$bindeo")
            .replace("https://api.musement.com", "$musement")
            .replace("https://id.example.com", "$standard");
        let first = command.lines().next().unwrap();
        script.extend([format!(
            "echo {first:?} >&2
(
{bare}{command}
)
"
        )]);
    }
    let home = tempfile::tempdir().unwrap();
    let output = program()
        .args(["sandbox", "--", "bash", "-euo", "pipefail", "-c", &script])
        .current_dir(root())
        .env("HOME", home.path())
        .env("PATH", stand_in_for_cargo(home.path()))
        .env("BUILT", env!("CARGO_BIN_EXE_oauthctl"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = succeeded(&output);
    assert!(stdout.contains("\"provider\":\"bindeo\",\"identity\":\"user\""), "{stdout}");
}

/// Stands in for `cargo run`: what it would run is built already, and must not change while other
/// tests run it.
const CARGO: &str = "#!/bin/sh\n[ \"$1\" = run ] || exit 1\n\
                     until [ \"$1\" = -- ]; do shift; done\nshift\nexec \"$BUILT\" \"$@\"\n";

fn stand_in_for_cargo(directory: &Path) -> std::ffi::OsString {
    let path = directory.join("cargo");
    fs::write(&path, CARGO).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(directory.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(paths).unwrap()
}

#[test]
fn every_exit_code_is_told_alike_in_the_readme_and_in_the_help() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let help = succeeded(&program().arg("--help").output().unwrap());
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "125", "126, 127", "128+N"] {
        assert!(readme.contains(&format!("| {code} | ")), "{code} in the README");
        assert!(help.contains(&format!("{code} ")), "{code} in the help");
    }
}
