//! Logins at servers that no one here wrote, by people with a real browser.

mod authlib;
mod django;
mod oidc_provider;
mod page;

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use serde_json::Value;

use super::support::chromium::{Chromium, Person};
use super::support::{Outcome, Test, installed};

/// Whose server.
#[derive(Debug, Clone, Copy)]
enum Maker {
    OidcProvider,
    Django,
    Authlib,
}

/// A server and a browser. Where a test fails, the server's log is shown.
struct World {
    server: &'static Server,
    chromium: &'static Chromium,
}

impl World {
    /// The same server for all tests of it. Where something for it is not installed, the test is
    /// skipped, and says so; where nobody would read that, it fails.
    fn of(maker: Maker) -> Option<Self> {
        static SERVERS: [OnceLock<Server>; 3] = [const { OnceLock::new() }; 3];
        let server = &SERVERS[maker as usize];
        if let (Some(command), Some(chromium)) = (maker.command(), Chromium::get()) {
            return Some(Self { server: server.get_or_init(|| Server::start(command)), chromium });
        }
        let skipped = "skipped: it needs chromium, and what tests/run installs in target/others";
        assert!(env::var("CI").as_deref() != Ok("true"), "{skipped}");
        let _ = writeln!(io::stderr(), "{skipped}");
        None
    }

    /// A user with a profile `x` of this server and these lines.
    fn user(&self, lines: &str) -> Test {
        let profile = format!("issuer = \"{}\"\n{lines}", self.server.issuer);
        Test::new().browser().profile("x", &profile).env("OAUTHCTL_PROFILE", "x")
    }

    fn person(&self) -> Person {
        self.chromium.person()
    }

    /// The server's answer to a form, sent by somebody else than oauthctl.
    fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent
            .post(format!("{}{path}", self.server.issuer))
            .send_form(form.iter().copied())
            .unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&body).unwrap_or_default())
    }

    /// Waits until the server has written this to its log.
    #[track_caller]
    fn waits_for(&self, text: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.server.log.lock().unwrap().contains(text) {
            assert!(Instant::now() < end, "{text:?} is never in the log");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}'s log:\n{}", self.server.issuer, self.server.log.lock().unwrap());
        }
    }
}

impl Maker {
    /// How to start it, where it is installed as the files beside say.
    fn command(self) -> Option<Command> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/others");
        let python = |source| ("python", "requirements.txt", "bin/python", source);
        let (kind, wanted, program, source) = match self {
            Self::OidcProvider => ("node", "package-lock.json", "node", "oidc_provider.mjs"),
            Self::Django => python("django_server.py"),
            Self::Authlib => python("authlib_server.py"),
        };
        let place =
            Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("others").join(kind);
        let is_current =
            fs::read(place.join("installed")).ok() == fs::read(sources.join(wanted)).ok();
        let program =
            if program.contains('/') { place.join(program) } else { PathBuf::from(program) };
        let mut command = Command::new(&program);
        command.arg(sources.join(source)).current_dir(&place);
        let is_there = program.is_absolute() && program.exists() || installed(program.to_str()?);
        (is_current && is_there).then_some(command)
    }
}

/// It lives until this process ends, by its own choice: its stdin ends then.
struct Server {
    issuer: String,
    log: Arc<Mutex<String>>,
    _process: Child,
}

impl Server {
    fn start(mut command: Command) -> Self {
        command.env_clear().env("PATH", env::var_os("PATH").unwrap());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                kept.lock().unwrap().extend([line.as_str(), "\n"]);
            }
        });
        let mut issuer = String::new();
        stdout.read_line(&mut issuer).unwrap();
        assert!(
            issuer.starts_with("http://"),
            "{command:?} does not start:\n{}",
            log.lock().unwrap()
        );
        thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
        Self { issuer: issuer.trim().to_owned(), log, _process: process }
    }
}

/// A token of the profile, as it is kept.
#[track_caller]
fn kept(test: &Test, name: &str) -> String {
    let shown = test.words("show --json --reveal").prints_secrets().run().success().json();
    shown[0][name].as_str().unwrap_or_else(|| panic!("no {name}: {shown}")).to_owned()
}

/// What the server says of a token.
#[track_caller]
fn introspected(test: &Test, token: &str) -> Value {
    let run = test.words("introspect --token-stdin --json").stdin(token);
    run.prints_secrets().run().success().json()
}

/// The login ended well, and its ID token is known to be genuine.
#[track_caller]
fn is_verified(test: &Test, login: Outcome) -> Value {
    login.success().stdout_is("").stderr_has("Logged in to x").stderr_lacks("warning");
    let shown = test.words("show --json --claims").run().success().json();
    assert_eq!(shown[0]["id_token_verified"], true, "{shown}");
    shown[0].clone()
}
