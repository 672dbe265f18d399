//! `store`: what the token stores hold, what of it is broken, and how it gets from one to another.
#![cfg(unix)]

#[cfg(target_os = "linux")]
mod interrupted;
#[cfg(target_os = "linux")]
mod migrate;
#[cfg(target_os = "linux")]
mod recovered;
mod status;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::support::Test;
#[cfg(target_os = "linux")]
use super::support::{Outcome, Started};

#[cfg(target_os = "linux")]
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// A machine with a sandbox, on which the file store is named and the standard profile is in use.
fn machine() -> Test {
    Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard")
}

/// The same, with a user's session, a machine token and a client secret in the file store.
fn filled() -> Test {
    let test = machine();
    test.words("login").run().success();
    test.words("client-token").prints_secrets().run().success();
    keep_secret(&test);
    test
}

/// Keeps a client secret in the store, for a profile of its own.
fn keep_secret(test: &Test) {
    let run = test.words("profile set kabbage client_secret --stdin");
    run.stdin("client/secret:1").run().success();
}

/// The same machine, whose commands find the keyring of this process, and name no store.
#[cfg(target_os = "linux")]
fn at_keyring(test: Test) -> Test {
    let test = test.env("OAUTHCTL_STORE", "");
    [BUS, "XDG_RUNTIME_DIR"]
        .into_iter()
        .fold(test, |test, name| test.env(name, std::env::var_os(name).unwrap()))
}

/// The name of the one machine token's entry.
fn machine_entry(test: &Test) -> String {
    let is_machine = |name: &String| name.starts_with("standard@client-");
    let names = names(&test.data().join("index")).into_iter().find(is_machine);
    names.unwrap().trim_end_matches(".json").to_owned()
}

/// The names in a directory, sorted; none where there is none.
fn names(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        files.map(|file| file.file_name().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// The index's line on an entry.
fn line(test: &Test, entry: &str) -> Value {
    let path = test.data().join(format!("index/{entry}.json"));
    let mut line: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    // Of another line it is another.
    line.as_object_mut().unwrap().remove("check");
    line
}

/// A file below DATA with these bytes, private as all are there.
fn put(test: &Test, path: &str, bytes: &[u8]) -> PathBuf {
    let path = test.data().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(test.secret_file("put", ""), &path).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// Lets the index say that an entry is kept in another store.
fn say_kept_in(test: &Test, entry: &str, store: &str) {
    let mut line = line(test, entry);
    line["store"] = store.into();
    put_line(test, entry, line);
}

/// Writes a line of the index as it was before it had a check.
fn put_line(test: &Test, entry: &str, mut line: Value) {
    line["version"] = 1.into();
    put(test, &format!("index/{entry}.json"), line.to_string().as_bytes());
}

/// Every file of the home but the locks, with its bytes.
fn all_files(test: &Test) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for file in fs::read_dir(path).into_iter().flatten().flatten() {
            let path = file.path();
            if file.file_type().unwrap().is_dir() {
                walk(&path, files);
            } else if !path.parent().unwrap().ends_with("locks") {
                files.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(&test.home(), &mut files);
    files
}

/// The last refresh token that was handed out still works, and none was ever used twice.
#[cfg(target_os = "linux")]
#[track_caller]
fn assert_session_lives(test: &Test) {
    test.words("refresh").run().success().stderr_has("Renewed");
    assert_session_is_whole(test);
}

/// The last access token that was handed out is served.
#[cfg(target_os = "linux")]
#[track_caller]
fn assert_session_is_whole(test: &Test) {
    let token = format!("{}\n", test.access_token());
    test.words("token").prints_secrets().run().success().stdout_is(&token);
    assert_eq!(test.server().counts(oauthctl::sandbox::Provider::Standard).reuse, 0);
}

/// Whether strace can do here what it is needed for.
#[cfg(target_os = "linux")]
fn can_trace() -> bool {
    let traced = std::process::Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let can = traced.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("skipped: it needs strace, and leave to trace");
    }
    can
}

/// Waits until it is so.
#[cfg(target_os = "linux")]
#[track_caller]
fn wait_until(mut so: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !so() {
        assert!(std::time::Instant::now() < end, "it never happens");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// A command that stopped right after it had opened a file, and had read nothing of it.
#[cfg(target_os = "linux")]
struct Stopped<'a>(Started<'a>);

#[cfg(target_os = "linux")]
impl<'a> Stopped<'a> {
    /// Whether that can be done here: what a process that leaves no core dump opens, only root sees.
    fn is_possible() -> bool {
        let is_root = rustix::process::geteuid().is_root();
        if !is_root {
            eprintln!("skipped: it needs root");
        }
        is_root && can_trace()
    }

    /// Runs a command until it opens this file for the first time.
    fn at(test: &'a Test, words: &str, path: &Path) -> Self {
        let trace = test.home().join("trace");
        let script = format!(
            "exec strace -f -qq -o '{}' -P '{}' -e inject=openat:signal=STOP:when=1 '{}' {words}",
            trace.display(),
            path.display(),
            env!("CARGO_BIN_EXE_oauthctl"),
        );
        let started = test.shell(&script).prints_secrets().start();
        let traced = || fs::read_to_string(&trace).unwrap_or_default();
        wait_until(|| traced().contains("stopped by SIGSTOP"));
        fs::remove_file(trace).unwrap();
        Self(started)
    }

    /// Lets it go on to its end.
    fn ends(self) -> Outcome {
        let group = Pid::from_raw(i32::try_from(self.0.pid()).unwrap()).unwrap();
        kill_process_group(group, Signal::CONT).unwrap();
        self.0.ends()
    }
}
