//! A person with a browser, as far as a login needs one: the URL to open, and requests to the
//! redirect URI.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use url::Url;

use super::{Started, Test};

impl Test {
    /// With a browser that only writes down which URLs it is to open, a line each.
    pub fn browser(self) -> Self {
        let path = self.home().join("browser");
        fs::write(
            &path,
            "#!/bin/sh\nenv >\"$HOME/browser.env\"\nprintf '%s\\n' \"$1\" >>\"$HOME/opened\"\n",
        )
        .unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let path = path.to_str().unwrap().to_owned();
        self.env("BROWSER", path)
    }

    fn opened_file(&self) -> PathBuf {
        self.home().join("opened")
    }

    /// The URLs that the browser was to open so far.
    pub fn opened(&self) -> Vec<String> {
        let text = fs::read_to_string(self.opened_file()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for the browser to be opened, and forgets that it was.
    #[track_caller]
    pub fn opens(&self) -> Visit {
        let visit = self.opens_alone();
        visit.redirect_uri();
        visit
    }

    /// The same, of a URL that need not tell where its answer goes.
    #[track_caller]
    pub fn opens_alone(&self) -> Visit {
        let end = Instant::now() + Duration::from_secs(60);
        while !fs::read_to_string(self.opened_file()).is_ok_and(|text| text.ends_with('\n')) {
            assert!(Instant::now() < end, "no browser is opened");
            std::thread::sleep(Duration::from_millis(2));
        }
        let url = self.opened().pop().unwrap();
        fs::remove_file(self.opened_file()).unwrap();
        Visit::of(&url)
    }
}

impl Started<'_> {
    /// Waits until the command has shown a URL to open that begins so.
    #[track_caller]
    pub fn shows(&mut self, beginning: &str) -> Visit {
        let told = self.tells(&format!("  {beginning}"));
        let told = if told.ends_with('\n') { told } else { self.tells("\n\n") };
        let url = told.lines().map(str::trim).find(|line| line.starts_with(beginning)).unwrap();
        Visit::of(url)
    }
}

/// An authorization request, as the browser has it before it.
pub struct Visit {
    /// The whole URL.
    pub url: Url,
}

impl Visit {
    fn of(url: &str) -> Self {
        Self { url: Url::parse(url).unwrap() }
    }

    /// A parameter of the request.
    #[track_caller]
    pub fn param(&self, name: &str) -> String {
        self.maybe(name).unwrap_or_else(|| panic!("no {name} in {}", self.url))
    }

    /// A parameter of the request, where it is there.
    pub fn maybe(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into())
    }

    /// Where the answer goes.
    pub fn redirect_uri(&self) -> Url {
        Url::parse(&self.param("redirect_uri")).unwrap()
    }

    /// The URL of an answer with these parameters besides the state.
    pub fn answer(&self, query: &str) -> String {
        format!("{}?{query}&state={}", self.param("redirect_uri"), self.param("state"))
    }

    /// Brings an answer with these parameters besides the state; the page that is shown then.
    pub fn comes_back_with(&self, query: &str) -> String {
        self.get(&self.answer(query))
    }

    /// Fetches a URL of the redirect URI's host, as a browser does.
    pub fn get(&self, url: &str) -> String {
        let url = Url::parse(url).unwrap();
        let target = &url[url::Position::BeforePath..];
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        self.sends(&format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: keep-alive\r\n\r\n"
        ))
    }

    /// Connects to where the answer goes.
    pub fn connects(&self) -> TcpStream {
        let uri = self.redirect_uri();
        let address = uri.socket_addrs(|| None).unwrap();
        let stream = TcpStream::connect(&*address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Sends these bytes; all that comes back.
    pub fn sends(&self, bytes: &str) -> String {
        let mut stream = self.connects();
        // Whoever refuses a request may do so before all of it was sent.
        let _ = stream.write_all(bytes.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}
