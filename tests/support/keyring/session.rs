//! A bus and a keyring in a home of their own.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;
use std::{env, fs, thread};

use tempfile::TempDir;

use super::{Keyring, PASSWORD, ask, prompter};

/// A bus and what runs on it; both end with the value.
pub(super) struct Session {
    pub(super) scene: Scene,
    _home: TempDir,
    daemons: Vec<Daemon>,
    /// Where prompts are shown; it ends last.
    _screen: Option<prompter::Screen>,
    /// Told when a daemon ended by itself.
    died: Rc<Cell<bool>>,
}

impl Session {
    pub(super) fn start(keyring: Keyring, died: &Rc<Cell<bool>>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let screen = (keyring == Keyring::OnScreen).then(prompter::screen);
        let scene = Scene {
            home: home.path().to_owned(),
            display: screen.as_ref().map(|screen| screen.name.clone()),
        };
        let mut daemons = vec![scene.start_bus()];
        if keyring != Keyring::Missing {
            daemons.push(scene.start_keyring(keyring != Keyring::Fresh));
        }
        Self { scene, _home: home, daemons, _screen: screen, died: Rc::clone(died) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let ended =
            self.daemons.iter_mut().any(|daemon| matches!(daemon.0.try_wait(), Ok(Some(_))));
        self.died.set(self.died.get() || ended);
    }
}

/// A process that ends with the value.
pub struct Daemon(pub(super) Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where a bus and a keyring are.
pub(super) struct Scene {
    home: PathBuf,
    /// The screen on which prompts are shown.
    display: Option<String>,
}

impl Scene {
    /// The one that this process finds.
    pub(super) fn here() -> Self {
        let home = env::var_os("XDG_RUNTIME_DIR").unwrap().into();
        Self { home, display: env::var("DISPLAY").ok() }
    }

    /// A bus that starts no service by itself but the prompter, where there is a screen for it: what
    /// the machine has installed doesn't matter.
    pub(super) fn start_bus(&self) -> Daemon {
        let config = self.home.join("bus.conf");
        let services = self.display.as_ref().map(|_| prompter::service(&self.home));
        let text = format!(
            "<busconfig><type>session</type><listen>{}</listen>{}<policy context=\"default\">\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
             <allow own=\"*\"/></policy></busconfig>",
            address(&self.home),
            services.unwrap_or_default()
        );
        fs::write(&config, text).unwrap();
        let _ = fs::remove_file(self.home.join("bus"));
        let mut command = Command::new("dbus-daemon");
        command.args(["--nofork", "--print-address", "--config-file"]).arg(config);
        command.env_clear().env("PATH", env::var_os("PATH").unwrap());
        self.enter(&mut command);
        let mut bus = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let bus = Daemon(bus);
        assert!(ready.starts_with("unix:"), "the bus did not start");
        bus
    }

    pub(super) fn start_keyring(&self, unlocked: bool) -> Daemon {
        self.start_keyring_in("", unlocked)
    }

    /// Starts a keyring that keeps its items in this directory of the home.
    pub(super) fn start_keyring_in(&self, directory: &str, unlocked: bool) -> Daemon {
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]);
        if unlocked {
            command.arg("--unlock");
        }
        command.env_clear().env("PATH", env::var_os("PATH").unwrap());
        self.enter(&mut command);
        command.env("HOME", self.home.join(directory));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = command.spawn().unwrap();
        daemon.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        let daemon = Daemon(daemon);
        self.wait_for_keyring(unlocked);
        daemon
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
    pub(super) fn enter(&self, command: &mut Command) {
        command
            .env("HOME", &self.home)
            .env("XDG_RUNTIME_DIR", &self.home)
            .env("DBUS_SESSION_BUS_ADDRESS", address(&self.home));
        if let Some(display) = &self.display {
            command.env("DISPLAY", display);
        }
    }
}

fn address(home: &Path) -> String {
    format!("unix:path={}/bus", home.display())
}
