//! The real prompter of GNOME on a screen that nobody sees, and somebody who types there.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How the bus starts the prompter, as its package has it.
const SERVICE: &str = "/usr/share/dbus-1/services/org.gnome.keyring.SystemPrompter.service";

/// Never reached unless something hangs.
const DEADLINE: Duration = Duration::from_secs(30);

pub(super) fn installed() -> bool {
    ["Xvfb", "xdotool"].iter().all(|program| super::installed(program))
        && Path::new(SERVICE).exists()
}

/// A screen without a machine.
pub(super) struct Screen {
    server: Child,
    /// What `DISPLAY` must be to find it.
    pub name: String,
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Killed, it would leave its lock and its socket behind.
        let _ = kill_process(Pid::from_child(&self.server), Signal::TERM);
        let _ = self.server.wait();
    }
}

/// Starts a screen.
pub(super) fn screen() -> Screen {
    let mut server = Command::new("Xvfb")
        // By default it begins anew when its last client leaves, and drops one that comes just then.
        .args(["-noreset", "-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut number = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
    assert!(!number.is_empty(), "the screen did not start");
    Screen { server, name: format!(":{}", number.trim()) }
}

/// What a bus must be told to find the prompter, and nothing else that the machine has.
pub(super) fn service(home: &Path) -> String {
    let directory = home.join("services");
    fs::create_dir_all(&directory).unwrap();
    fs::copy(SERVICE, directory.join("prompter.service")).unwrap();
    format!("<servicedir>{}</servicedir>", directory.display())
}

/// Waits until the prompt is seen.
pub fn appears() {
    wait_until(is_seen);
}

/// Waits for the prompt and types this into it.
pub fn types(password: &str) {
    // What is typed before the prompt has taken hold of the keyboard is lost: hence again.
    answer(&["key", "ctrl+a", "type", "--args", "1", password, "key", "Return"]);
}

/// Waits for the prompt and dismisses it.
pub fn dismisses() {
    answer(&["key", "Escape"]);
}

fn answer(keys: &[&str]) {
    appears();
    wait_until(|| {
        xdotool(keys);
        thread::sleep(Duration::from_millis(100));
        !is_seen()
    });
}

fn is_seen() -> bool {
    xdotool(&["search", "--onlyvisible", "--class", "gcr-prompter"])
}

fn xdotool(words: &[&str]) -> bool {
    Command::new("xdotool").args(words).output().unwrap().status.success()
}

fn wait_until(mut so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !so() {
        assert!(Instant::now() < end, "it never happens");
        thread::sleep(Duration::from_millis(20));
    }
}
