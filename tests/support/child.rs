//! A test that runs again in processes of its own, each with an environment of its own.

use std::any::type_name;
use std::env;
use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// Tells a child that it is one.
const MARK: &str = "OAUTHCTL_TEST_CHILD";

/// Runs `body` in so many children of this test at once, and waits for them. It tells whether this
/// is the parent, who may have more to do.
///
/// A child has `PATH` and what `prepare` gives it in its environment, and nothing else. What
/// `prepare` returns lives as long as the children do. `body` must be a closure that stands in the
/// test itself: its type tells which test is to run again.
pub fn run<F: FnOnce(), T>(
    children: usize,
    prepare: impl FnMut(usize, &mut Command) -> T,
    body: F,
) -> bool {
    run_by(&[], children, prepare, body)
}

/// The same, by a program that runs the command after its own arguments, such as `nice`.
pub fn run_by<F: FnOnce(), T>(
    by: &[&str],
    children: usize,
    mut prepare: impl FnMut(usize, &mut Command) -> T,
    body: F,
) -> bool {
    if env::var_os(MARK).is_some() {
        body();
        return false;
    }
    let path = type_name::<F>();
    let name = path.split_once("::").map_or(path, |(_, name)| name);
    let name = name.strip_suffix("::{{closure}}").expect("the body is a closure in a test");
    let start = |number| {
        let program = env::current_exe().unwrap();
        let mut words = by.iter().map(OsStr::new).chain([program.as_os_str()]);
        let mut child = Command::new(words.next().expect("there is the program itself"));
        child.args(words);
        child.env_clear().env(MARK, "1").env("PATH", env::var_os("PATH").unwrap_or_default());
        let kept = prepare(number, &mut child);
        child.args(["--exact", name, "--nocapture"]);
        child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        (child.spawn().unwrap(), kept)
    };
    let started: Vec<_> = (0..children).map(start).collect();
    for (child, _kept) in started {
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && told.contains("1 passed"),
            "{name} failed in its own process:\n{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        eprint!("{told}");
    }
    true
}
