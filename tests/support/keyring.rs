//! A real gnome-keyring on a real D-Bus, both private to one test: nothing of the user's is touched.

mod listener;
pub mod prompter;
mod session;

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;
use std::{env, thread};

pub use listener::listen;
use oauthctl::store::installation_id;
use rustix::process::{Pid, Signal, kill_process};
use secret_service::EncryptionType;
use secret_service::blocking::{Item, SecretService};
pub use session::Daemon;
use session::{Scene, Session};

use super::{Test, child, installed};

/// What a test finds on the bus.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keyring {
    /// A bus, and nobody on it.
    Missing,
    /// A keyring in a fresh home: it has no default collection.
    Fresh,
    /// A keyring with an unlocked default collection; once it is locked, nothing shows its prompt.
    Unlocked,
    /// The same, with a screen on which prompts are shown: see [`prompter`].
    OnScreen,
}

const PROGRAMS: [&str; 5] =
    ["dbus-daemon", "dbus-send", "dbus-monitor", "gnome-keyring-daemon", "secret-tool"];

/// The password of the default collection.
pub const PASSWORD: &str = "password";

/// Runs `body`, a closure in a test, in a process that finds such a keyring.
///
/// Where the programs for it are not installed, the test is skipped, and says so. gnome-keyring dies
/// now and then when many clients come and go (42.1, in `plain_negotiate`):
/// a test that failed with it is run again.
pub fn with<F: FnOnce() + Clone>(keyring: Keyring, body: F) {
    let all = PROGRAMS.iter().all(|program| installed(program));
    if !all || keyring == Keyring::OnScreen && !prompter::installed() {
        // Not captured: that a test was skipped must be seen.
        let needs = "dbus, gnome-keyring, libsecret-tools, some gcr, xvfb, xdotool";
        let _ = writeln!(io::stderr(), "skipped: it needs {needs}");
        return;
    }
    for attempts_left in (0..5).rev() {
        let died = Rc::new(Cell::new(false));
        let run = AssertUnwindSafe(|| {
            child::run(
                1,
                |_, child| {
                    let session = Session::start(keyring, &died);
                    session.scene.enter(child);
                    session
                },
                body.clone(),
            )
        });
        match catch_unwind(run) {
            Ok(_) => return,
            Err(_) if died.get() && attempts_left > 0 => {}
            Err(failure) => resume_unwind(failure),
        }
    }
}

/// A user whose commands find the keyring of this process, and name no store.
pub fn user() -> Test {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard").env("OAUTHCTL_STORE", "");
    ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"]
        .into_iter()
        .fold(test, |test, name| test.env(name, env::var_os(name).unwrap()))
}

/// Locks the default collection of the keyring that this process finds.
pub fn lock() {
    let collection = "array:objpath:/org/freedesktop/secrets/aliases/default";
    ask(&mut Command::new("dbus-send"), "Lock", collection).expect("the keyring does not lock");
}

/// What the item of an entry holds, as another program sees it.
pub fn look(test: &Test, entry: &str) -> Vec<u8> {
    with_item(test, entry, |item| item.get_secret().unwrap())
}

/// Changes what the item of an entry holds, as another program could.
pub fn edit(test: &Test, entry: &str, secret: &[u8]) {
    with_item(test, entry, |item| item.set_secret(secret, "text/plain").unwrap());
}

fn with_item<T>(test: &Test, entry: &str, work: impl FnOnce(&Item<'_>) -> T) -> T {
    let service = SecretService::connect(EncryptionType::Plain).unwrap();
    let username = username(test, entry);
    let attributes = HashMap::from([("service", "oauthctl"), ("username", &*username)]);
    let found = service.search_items(attributes).unwrap();
    let [item] = &found.unlocked[..] else { panic!("{entry} is not one item") };
    work(item)
}

/// What tells the item of an entry from all others.
pub fn username(test: &Test, entry: &str) -> String {
    format!("{entry}:{}", installation_id(&test.data()).unwrap())
}

/// Makes an item as another program could, in the keyring that this process finds.
pub fn store(attributes: &[&str], secret: &[u8]) {
    let mut tool = Command::new("secret-tool")
        .args(["store", "--label=by hand"])
        .args(attributes)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(secret).unwrap();
    assert!(tool.wait().unwrap().success());
}

/// Removes every item with these attributes, as another program could.
pub fn clear(attributes: &[&str]) {
    let mut tool = Command::new("secret-tool");
    assert!(tool.arg("clear").args(attributes).status().unwrap().success());
}

/// The keyring's process.
pub fn daemon() -> Service {
    Service::of("org.freedesktop.secrets")
}

/// The process of the bus.
pub fn bus() -> Service {
    Service::of("org.freedesktop.DBus")
}

/// Starts a keyring that has nothing, in the place of one that has ended.
pub fn start_fresh() -> Daemon {
    Scene::here().start_keyring_in("fresh", false)
}

/// Starts a keyring again, unlocked, after the one that this process found has ended.
pub fn restart() -> Daemon {
    Scene::here().start_keyring(true)
}

/// Starts a bus and a keyring again, after those that this process found have ended.
pub fn restart_all() -> [Daemon; 2] {
    let scene = Scene::here();
    let bus = scene.start_bus();
    [scene.start_keyring(true), bus]
}

/// A process that serves on the bus.
pub struct Service {
    name: &'static str,
    pid: Pid,
}

impl Service {
    fn of(name: &'static str) -> Self {
        let answer = ask_bus("GetConnectionUnixProcessID", name).expect("nobody has this name");
        let pid = answer.split_whitespace().last().and_then(|pid| pid.parse().ok());
        Self { name, pid: Pid::from_raw(pid.unwrap()).unwrap() }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Suspends it, until the value is dropped.
    pub fn stop(&self) -> Stopped {
        self.signal(Signal::STOP);
        Stopped(self.pid)
    }

    /// Kills it, and waits until the bus knows.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        while ask_bus("NameHasOwner", self.name).is_some_and(|answer| answer.contains("true")) {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A process that is suspended.
pub struct Stopped(Pid);

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// What the bus itself says of a name.
fn ask_bus(method: &str, name: &str) -> Option<String> {
    let mut command = Command::new("dbus-send");
    command
        .args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"])
        .arg(format!("org.freedesktop.DBus.{method}"))
        .arg(format!("string:{name}"));
    answer(&mut command)
}

/// Calls a method of the Secret Service; `None` where it fails or nobody answers.
fn ask(dbus_send: &mut Command, method: &str, argument: &str) -> Option<String> {
    dbus_send
        .args(["--session", "--print-reply", "--dest=org.freedesktop.secrets"])
        .arg("/org/freedesktop/secrets")
        .arg(format!("org.freedesktop.Secret.Service.{method}"))
        .arg(argument);
    answer(dbus_send)
}

fn answer(dbus_send: &mut Command) -> Option<String> {
    let output = dbus_send.output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}
