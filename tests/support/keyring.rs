//! A real gnome-keyring on a real D-Bus, both private to one test: nothing of the user's is touched.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;
use std::{env, fs, thread};

use tempfile::TempDir;

use super::{child, installed};

/// What a test finds on the bus.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keyring {
    /// A bus, and nobody on it.
    Missing,
    /// A keyring in a fresh home: it has no default collection.
    Fresh,
    /// A keyring with an unlocked default collection.
    Unlocked,
}

const PROGRAMS: [&str; 5] =
    ["dbus-daemon", "dbus-send", "dbus-monitor", "gnome-keyring-daemon", "secret-tool"];

/// Runs `body`, a closure in a test, in a process that finds such a keyring.
///
/// Where the programs for it are not installed, the test is skipped, and says so. gnome-keyring dies
/// now and then when many clients come and go (42.1, in `plain_negotiate`):
/// a test that failed with it is run again.
pub fn with<F: FnOnce() + Clone>(keyring: Keyring, body: F) {
    if !PROGRAMS.iter().all(|program| installed(program)) {
        // Not captured: that a test was skipped must be seen.
        let _ = writeln!(io::stderr(), "skipped: it needs dbus, gnome-keyring, libsecret-tools");
        return;
    }
    for attempts_left in (0..5).rev() {
        let died = Rc::new(Cell::new(false));
        let run = AssertUnwindSafe(|| {
            child::run(
                1,
                |_, child| {
                    let session = Session::start(keyring, &died);
                    session.enter(child);
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

/// Locks the default collection of the keyring that this process finds.
pub fn lock() {
    let collection = "array:objpath:/org/freedesktop/secrets/aliases/default";
    ask(&mut Command::new("dbus-send"), "Lock", collection).expect("the keyring does not lock");
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

/// Writes down every call on the bus from now on.
pub fn listen() -> Listener {
    let mut monitor = Command::new("dbus-monitor")
        .args(["--session", "--profile", "type='method_call'"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(monitor.stdout.take().unwrap());
    // It hears first how it comes to the bus, and last how it stops being an ordinary client.
    let mut line = String::new();
    while !line.contains("NameLost") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "the monitor ended");
    }
    Listener { _monitor: Daemon(monitor), output }
}

/// Who listens on the bus.
pub struct Listener {
    _monitor: Daemon,
    output: BufReader<ChildStdout>,
}

impl Listener {
    /// The calls that were heard, a line each.
    pub fn calls(mut self) -> String {
        // The bus keeps the order: what came before this call is heard before it.
        let mut calls = String::new();
        ask(&mut Command::new("dbus-send"), "TheEnd", "string:");
        while !calls.contains("TheEnd") {
            self.output.read_line(&mut calls).unwrap();
        }
        calls
    }
}

/// A bus and what runs on it; both end with the value.
struct Session {
    home: TempDir,
    daemons: Vec<Daemon>,
    /// Told when a daemon ended by itself.
    died: Rc<Cell<bool>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        let ended =
            self.daemons.iter_mut().any(|daemon| matches!(daemon.0.try_wait(), Ok(Some(_))));
        self.died.set(self.died.get() || ended);
    }
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Session {
    fn start(keyring: Keyring, died: &Rc<Cell<bool>>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut session = Self { home, daemons: Vec::new(), died: Rc::clone(died) };
        session.start_bus();
        if keyring != Keyring::Missing {
            session.start_keyring(keyring == Keyring::Unlocked);
        }
        session
    }

    /// A bus that starts no service by itself: what the machine has installed doesn't matter.
    fn start_bus(&mut self) {
        let config = self.home.path().join("bus.conf");
        let text = format!(
            "<busconfig><type>session</type><listen>{}</listen><policy context=\"default\">\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
             <allow own=\"*\"/></policy></busconfig>",
            address(self.home.path())
        );
        fs::write(&config, text).unwrap();
        let mut bus = Command::new("dbus-daemon")
            .args(["--nofork", "--print-address", "--config-file"])
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        self.daemons.push(Daemon(bus));
        assert!(ready.starts_with("unix:"), "the bus did not start");
    }

    fn start_keyring(&mut self, unlocked: bool) {
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]);
        if unlocked {
            command.arg("--unlock");
        }
        command.env_clear().env("PATH", env::var_os("PATH").unwrap());
        self.enter(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = command.spawn().unwrap();
        daemon.stdin.take().unwrap().write_all(b"password").unwrap();
        self.daemons.push(Daemon(daemon));
        self.wait_for_keyring(unlocked);
    }

    fn wait_for_keyring(&self, unlocked: bool) {
        for _ in 0..500 {
            let mut command = Command::new("dbus-send");
            self.enter(&mut command);
            match ask(&mut command, "ReadAlias", "string:default") {
                Some(answer) if !unlocked || answer.contains("/collection/") => return,
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
        panic!("the keyring did not start");
    }

    /// Lets a program find this session, and no other.
    fn enter(&self, command: &mut Command) {
        let home = self.home.path();
        command
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home)
            .env("DBUS_SESSION_BUS_ADDRESS", address(home));
    }
}

/// Calls a method of the Secret Service; `None` where it fails or nobody answers.
fn ask(dbus_send: &mut Command, method: &str, argument: &str) -> Option<String> {
    let output = dbus_send
        .args(["--session", "--print-reply", "--dest=org.freedesktop.secrets"])
        .arg("/org/freedesktop/secrets")
        .arg(format!("org.freedesktop.Secret.Service.{method}"))
        .arg(argument)
        .output()
        .unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

fn address(home: &Path) -> String {
    format!("unix:path={}/bus", home.display())
}
