//! A real browser without a screen, and people who use it, told what to do by pipes.
//!
//! Chromium's own protocol on descriptors 3 and 4 needs no port and no other program, and ends the
//! browser when this process ends, however it does.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::installed;
use super::run::read_all;

/// Never reached unless it hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// It keeps what it writes in a directory of its own, and asks nobody beyond this machine.
const SCRIPT: &str = "trap : INT TERM
here=$(mktemp -d) || exit
HOME=$here TMPDIR=$here chromium --headless --no-sandbox --remote-debugging-pipe --user-data-dir=\"$here/user\" \
    --no-first-run --disable-gpu --disable-dev-shm-usage --disable-background-networking \
    --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE ::1, EXCLUDE localhost' \
    about:blank 3<&0 4>&1 </dev/null >\"$here/log\" 2>&1 || tail -n 20 \"$here/log\" >&2
rm -rf \"$here\"";

/// The one browser of this process.
pub struct Chromium(Mutex<Pipe>);

struct Pipe {
    _shell: Child,
    to: ChildStdin,
    from: Receiver<Vec<u8>>,
    received: Vec<u8>,
    calls: u64,
}

impl Chromium {
    /// The browser, started when it is first needed; `None` where none is installed.
    pub fn get() -> Option<&'static Self> {
        static CHROMIUM: OnceLock<Chromium> = OnceLock::new();
        installed("chromium").then(|| CHROMIUM.get_or_init(Self::start))
    }

    fn start() -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut shell = shell.spawn().unwrap();
        let (to, from) = (shell.stdin.take().unwrap(), shell.stdout.take().unwrap());
        let from = read_all(from);
        Self(Mutex::new(Pipe { _shell: shell, to, from, received: Vec::new(), calls: 0 }))
    }

    /// Somebody at the browser who has no cookies yet.
    pub fn person(&'static self) -> Person {
        let call = |method, params: &Value| self.call(None, method, params).unwrap();
        let text = |answer: Value, name: &str| answer[name].as_str().unwrap().to_owned();
        let context = text(call("Target.createBrowserContext", &json!({})), "browserContextId");
        let tab = json!({"url": "about:blank", "browserContextId": context});
        let target = text(call("Target.createTarget", &tab), "targetId");
        let attach = json!({"targetId": target, "flatten": true});
        let session = text(call("Target.attachToTarget", &attach), "sessionId");
        Person { chromium: self, context, session }
    }

    /// What it answers; what it tells besides is left out.
    fn call(&self, session: Option<&str>, method: &str, params: &Value) -> Result<Value, String> {
        // A test that failed here fails no other.
        let mut pipe = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        pipe.calls += 1;
        let id = pipe.calls;
        let mut call = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            call["sessionId"] = session.into();
        }
        pipe.to.write_all(format!("{call}\0").as_bytes()).expect("Chromium has ended");
        let end = Instant::now() + DEADLINE;
        loop {
            let mut message = pipe.next(end);
            if message["id"] == id {
                return match message.get("error") {
                    Some(error) => Err(format!("{method}: {error}")),
                    None => Ok(message["result"].take()),
                };
            }
        }
    }
}

impl Pipe {
    fn next(&mut self, end: Instant) -> Value {
        loop {
            if let Some(at) = self.received.iter().position(|byte| *byte == 0) {
                let message: Vec<u8> = self.received.drain(..=at).collect();
                return serde_json::from_slice(&message[..at]).unwrap();
            }
            let left = end.saturating_duration_since(Instant::now());
            self.received.extend(self.from.recv_timeout(left).expect("Chromium does not answer"));
        }
    }
}

/// Somebody with a tab and cookies of their own.
pub struct Person {
    chromium: &'static Chromium,
    context: String,
    session: String,
}

impl Person {
    fn call(&self, method: &str, params: &Value) -> Result<Value, String> {
        self.chromium.call(Some(&self.session), method, params)
    }

    /// Opens a URL, and waits for its page.
    #[track_caller]
    pub fn opens(&self, url: &str) {
        let answer = self.call("Page.navigate", &json!({"url": url})).unwrap();
        assert!(answer.get("errorText").is_none(), "{url}: {answer}");
    }

    /// What a piece of JavaScript comes to on the page that is there.
    #[track_caller]
    pub fn finds(&self, script: &str) -> Value {
        self.evaluates(script).unwrap()
    }

    /// It fails as well where the page changes meanwhile.
    fn evaluates(&self, script: &str) -> Result<Value, String> {
        let mut answer =
            self.call("Runtime.evaluate", &json!({"expression": script, "returnByValue": true}))?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(format!("{script}: {details}")),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Waits until a piece of JavaScript is true of a page that is loaded, and so of the next one where
    /// this one is about to go.
    #[track_caller]
    pub fn waits_for(&self, script: &str) {
        self.waits_for_one(&[(script, "it")]);
    }

    /// The same of one of several pieces, each with a name: the name of the first that is true.
    #[track_caller]
    pub fn waits_for_one<'a>(&self, scripts: &[(&str, &'a str)]) -> &'a str {
        let mut whole = "window.goes || document.readyState !== 'complete' ? -1 : ".to_owned();
        for (index, (script, _)) in scripts.iter().enumerate() {
            whole += &[script, " ? ", &index.to_string(), " : "].concat();
        }
        whole += "-1";
        let end = Instant::now() + DEADLINE;
        loop {
            let found = self.evaluates(&whole).ok().and_then(|index| index.as_u64());
            if let Some(index) = found.and_then(|index| usize::try_from(index).ok()) {
                return scripts[index].1;
            }
            assert!(Instant::now() < end, "never {whole}: {}", self.page());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until this can be read on the page.
    #[track_caller]
    pub fn reads(&self, text: &str) {
        self.waits_for(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Waits for a field, and types into it.
    #[track_caller]
    pub fn types(&self, field: &str, text: &str) {
        let (field, text) = (json!(field), json!(text));
        self.waits_for(&format!("document.querySelector({field})"));
        self.finds(&format!("document.querySelector({field}).value = {text}"));
    }

    /// Waits for a button or a link, and presses it.
    #[track_caller]
    pub fn presses(&self, button: &str) {
        let button = json!(button);
        self.waits_for(&format!("document.querySelector({button})"));
        // A page that goes may take the answer with it.
        let _ = self
            .evaluates(&format!("window.goes = true; document.querySelector({button}).click()"));
    }

    /// The address and the text of the page.
    pub fn page(&self) -> String {
        let script = "location.href + '\\n' + document.body?.innerText";
        self.evaluates(script).map_or_else(|error| error, |page| page.to_string())
    }

    /// Prefers `light` or `dark` from now on.
    pub fn prefers(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", &json!({"features": features})).unwrap();
    }

    /// Has a screen so wide from now on, in CSS pixels, as a phone has it.
    pub fn is_on_a_screen_of(&self, width: u32) {
        let screen = json!({"width": width, "height": 640, "deviceScaleFactor": 1, "mobile": true});
        self.call("Emulation.setDeviceMetricsOverride", &screen).unwrap();
    }

    /// Takes a picture of what is seen.
    pub fn takes_a_picture(&self, path: &Path) {
        let picture = self.call("Page.captureScreenshot", &json!({})).unwrap();
        let bytes = BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // A browser that has ended has said so before.
        if !thread::panicking() {
            let context = json!({"browserContextId": self.context});
            let _ = self.chromium.call(None, "Target.disposeBrowserContext", &context);
        }
    }
}
