//! Who hears what is called on the bus.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Command, Stdio};

use super::session::Daemon;

/// Writes down every call on the bus from now on.
pub fn listen() -> Listener {
    let mut monitor = Command::new("dbus-monitor")
        .args(["--session", "--profile", "type='method_call'"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(monitor.stdout.take().unwrap());
    let mut listener = Listener { _monitor: Daemon(monitor), output, heard: String::new() };
    // It hears first how it comes to the bus, and last how it stops being an ordinary client.
    listener.hears("NameLost");
    listener.heard.clear();
    listener
}

/// Who listens on the bus.
pub struct Listener {
    _monitor: Daemon,
    output: BufReader<ChildStdout>,
    heard: String,
}

impl Listener {
    /// Waits until this method is called.
    pub fn hears(&mut self, method: &str) {
        while !self.heard.contains(method) {
            assert!(self.output.read_line(&mut self.heard).unwrap() > 0, "the monitor ended");
        }
    }

    /// The calls that were heard, a line each.
    pub fn calls(mut self) -> String {
        // The bus keeps the order: what came before this call is heard before it.
        let mut last = Command::new("dbus-send");
        last.args(["--session", "--type=method_call", "--dest=org.freedesktop.DBus"]);
        last.args(["/", "the.last.TheEnd"]);
        assert!(last.status().unwrap().success());
        self.hears("TheEnd");
        self.heard
    }
}
