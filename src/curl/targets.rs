//! Where a token may go: the hosts of URLs against `api_hosts`.
//!
//! A URL is read so narrowly that no two parsers could see different hosts in it; whatever
//! they might dispute is refused.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::{Error, Result};

/// Which hosts may see a token.
///
/// The default is whatever host a URL of the command line names.
#[derive(Debug, Clone, Default)]
pub struct ApiHosts(Option<Vec<Pattern>>);

impl ApiHosts {
    /// The hosts of a profile's `api_hosts`: each with a port or without, `*.` for subdomains.
    pub fn listed<S: AsRef<str>>(patterns: &[S]) -> Result<Self> {
        patterns
            .iter()
            .map(|p| Pattern::parse(p.as_ref()))
            .collect::<Result<_>>()
            .map(Some)
            .map(Self)
    }

    /// The host and port of a profile's `base_url`.
    pub fn of(base_url: &str) -> Result<Self> {
        let Target { host, port, .. } = Target::parse(base_url.as_bytes())
            .map_err(|why| Error::config(format!("`base_url` {why}")))?;
        Ok(Self(Some(vec![Pattern { subdomains: false, host, port: Some(port) }])))
    }

    /// Whether `target` may see the token; `named` are the targets of the command line.
    pub(super) fn admits(&self, target: &Target, named: &[Target]) -> bool {
        match &self.0 {
            Some(patterns) => patterns.iter().any(|pattern| pattern.matches(target)),
            None => named.iter().any(|t| (&t.host, t.port) == (&target.host, target.port)),
        }
    }
}

/// One entry of `api_hosts`.
#[derive(Debug, Clone)]
struct Pattern {
    subdomains: bool,
    host: Host,
    port: Option<u16>,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::config(format!(
                "`api_hosts`: {text:?} is no host; one looks like api.example.com, \
                 *.example.com or [::1]:8080"
            ))
        };
        if let Ok(bare) = text.parse::<Ipv6Addr>() {
            return Ok(Self { subdomains: false, host: Host::V6(bare), port: None });
        }
        let (subdomains, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (host, port) = authority(rest).ok_or_else(wrong)?;
        if subdomains && !matches!(host, Host::Name(_)) {
            return Err(wrong());
        }
        Ok(Self { subdomains, host, port })
    }

    fn matches(&self, target: &Target) -> bool {
        let host = match (&self.host, &target.host) {
            (Host::Name(suffix), Host::Name(name)) if self.subdomains => {
                name.strip_suffix(suffix.as_str()).is_some_and(|sub| sub.ends_with('.'))
            }
            (ours, theirs) => ours == theirs,
        };
        host && self.port.is_none_or(|port| port == target.port)
    }
}

/// What a URL with another scheme does.
const NO_SCHEME: &str = "doesn't begin with https:// or http://";

/// Whether a URL names its scheme, and be it one that is refused.
pub(super) fn has_scheme(url: &[u8]) -> bool {
    let colon = url.windows(3).position(|window| window == b"://");
    // What a path or a query holds is no scheme of its own.
    colon.is_some_and(|colon| !url[..colon].iter().any(|byte| b"/?#".contains(byte)))
}

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Whether it is `https`.
    pub(super) secure: bool,
    host: Host,
    port: u16,
}

impl Target {
    /// Reads an absolute URL; what stands in the way is said as the end of a sentence.
    pub(super) fn parse(url: &[u8]) -> Result<Self, &'static str> {
        if url.iter().any(|&byte| byte <= b' ' || byte == b'\\' || byte == 0x7f) {
            return Err("holds a blank, a control character or a backslash");
        }
        let (scheme, rest) = match url.windows(3).position(|window| window == b"://") {
            Some(colon) => (&url[..colon], &url[colon + 3..]),
            None => return Err(NO_SCHEME),
        };
        let secure = scheme.eq_ignore_ascii_case(b"https");
        if !secure && !scheme.eq_ignore_ascii_case(b"http") {
            return Err(NO_SCHEME);
        }
        let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
        if rest[..end].contains(&b'@') {
            return Err("holds a user name");
        }
        let (host, port) = std::str::from_utf8(&rest[..end])
            .ok()
            .and_then(authority)
            .ok_or("has no plain host: a name in ASCII or an address in its usual form")?;
        Ok(Self { secure, host, port: port.unwrap_or(if secure { 443 } else { 80 }) })
    }

    /// Reads the value of a `Host` header for a request to `self`.
    pub(super) fn with_host(&self, value: &str) -> Option<Self> {
        let (host, port) = authority(value)?;
        let port = port.unwrap_or(if self.secure { 443 } else { 80 });
        Some(Self { secure: self.secure, host, port })
    }

    /// Whether it leads to this very machine, so that nothing passes over a network.
    pub(super) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Name(name) => name == "localhost",
            Host::V4(address) => address.is_loopback(),
            Host::V6(address) => address.is_loopback(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::V4(address) => write!(f, "{address}:{}", self.port),
            Host::V6(address) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

/// A host as every parser reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// In lower case.
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

/// Reads `host[:port]`.
fn authority(text: &str) -> Option<(Host, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        (Host::V6(address.parse().ok()?), rest)
    } else {
        let end = text.find(':').unwrap_or(text.len());
        (host(&text[..end])?, &text[end..])
    };
    match port.strip_prefix(':') {
        Some(digits) => Some((host, Some(self::port(digits)?))),
        None => port.is_empty().then_some((host, None)),
    }
}

fn port(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    plain.then(|| digits.parse().ok())?
}

fn host(text: &str) -> Option<Host> {
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if text.len() > 253 || !text.split('.').all(fits) {
        return None;
    }
    // A last label that is a number makes the whole an IPv4 address to some parsers, in octal or
    // hexadecimal and with fewer than four parts: only the plain form is the same to all.
    let last = text.rsplit('.').next()?.to_ascii_lowercase();
    if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
        return text.parse().ok().map(Host::V4);
    }
    Some(Host::Name(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(url.as_bytes()).unwrap()
    }

    fn admits(patterns: &[&str], url: &str) -> bool {
        ApiHosts::listed(patterns).unwrap().admits(&target(url), &[])
    }

    #[test]
    fn a_plain_url_has_a_scheme_a_host_and_a_port() {
        for (url, shown, secure) in [
            ("https://api.bindeo.com/x", "api.bindeo.com:443", true),
            ("HTTPS://API.Bindeo.com", "api.bindeo.com:443", true),
            ("https://api.bindeo.com:8443?q=a@b", "api.bindeo.com:8443", true),
            ("https://api.bindeo.com#@evil.com", "api.bindeo.com:443", true),
            ("https://api.bindeo.com/users/@me", "api.bindeo.com:443", true),
            ("http://127.0.0.1:1/", "127.0.0.1:1", false),
            ("http://[::1]/", "[::1]:80", false),
            ("https://[0:0::1]:9/", "[::1]:9", true),
            ("https://xn--bcher-kva.example/", "xn--bcher-kva.example:443", true),
            ("https://my_host/", "my_host:443", true),
        ] {
            let target = target(url);
            assert_eq!((target.to_string().as_str(), target.secure), (shown, secure), "{url}");
        }
    }

    #[test]
    fn what_two_parsers_read_differently_is_refused() {
        for url in [
            r"https://api.bindeo.com\@evil.com/",
            r"https:\\api.bindeo.com/",
            "https://api.bindeo.com@evil.com/",
            "https://user:pass@api.bindeo.com/",
            "https://api.bindeo.com/a b",
            " https://api.bindeo.com/",
            "https://api.bindeo.com/\r\nHost: evil",
            "https://api.bindeo.com\t/",
            "https://api.bindeo.com\u{7f}/",
            "api.bindeo.com/x",
            "//api.bindeo.com/x",
            "https:/api.bindeo.com/",
            "https:///api.bindeo.com/",
            "https:////api.bindeo.com/",
            "https:api.bindeo.com/",
            "ftp://api.bindeo.com/",
            "file:///etc/passwd",
            "httpsx://api.bindeo.com/",
            "@urls.txt",
            "",
            "https://",
            "https://:443/",
            "https://api.bindeo.com:/",
            "https://api.bindeo.com:0443/",
            "https://api.bindeo.com:0/",
            "https://api.bindeo.com:65536/",
            "https://api.bindeo.com:+443/",
            "https://api.bindeo.com:443:443/",
            "https://api.bindeo.com./",
            "https://.api.bindeo.com/",
            "https://api..bindeo.com/",
            "https://api.bindeo.com{/,.evil.com/}",
            "https://{api,evil}.com/",
            "https://host[1-3].com/",
            "https://api%2ebindeo.com/",
            "https://b\u{fc}cher.example/",
            "https://api.bindeo.com\u{ff0f}.evil.com/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://127.0.0.01/",
            "https://1.2.3.4.5/",
            "https://evil.0x1/",
            "https://[::1/",
            "https://[::1]x/",
            "https://[fe80::1%25eth0]/",
            "https://[127.0.0.1]/",
            "https://::1/",
        ] {
            assert!(Target::parse(url.as_bytes()).is_err(), "{url}");
        }
        assert!(Target::parse(b"https://a\xff/").is_err());
    }

    #[test]
    fn a_pattern_admits_its_host_alone() {
        assert!(admits(&["api.bindeo.com"], "https://API.bindeo.com/"));
        assert!(admits(&["api.bindeo.com"], "https://api.bindeo.com:8443/"));
        assert!(admits(&["API.bindeo.com:8443"], "https://api.bindeo.com:8443/"));
        assert!(!admits(&["api.bindeo.com:8443"], "https://api.bindeo.com/"));
        assert!(!admits(&["api.bindeo.com"], "https://bindeo.com/"));
        assert!(!admits(&["api.bindeo.com"], "https://xapi.bindeo.com/"));
        assert!(!admits(&["api.bindeo.com"], "https://api.bindeo.com.evil.com/"));
        assert!(!admits(&[], "https://api.bindeo.com/"));
        assert!(admits(&["::1"], "http://[::1]:8080/"));
        assert!(!admits(&["localhost"], "http://127.0.0.1/"));
    }

    #[test]
    fn a_star_admits_subdomains_and_not_the_domain() {
        assert!(admits(&["*.bindeo.com"], "https://api.bindeo.com/"));
        assert!(admits(&["*.bindeo.com"], "https://a.b.bindeo.com/"));
        assert!(!admits(&["*.bindeo.com"], "https://bindeo.com/"));
        assert!(!admits(&["*.bindeo.com"], "https://evilbindeo.com/"));
        assert!(!admits(&["*.bindeo.com:8443"], "https://api.bindeo.com/"));
    }

    #[test]
    fn a_pattern_that_is_no_host_is_refused() {
        for text in
            ["", "*", "*.", "a.*.com", "https://a.com", "a.com/", "*.127.0.0.1", "*.[::1]", "a:"]
        {
            assert!(ApiHosts::listed(&[text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_base_url_admits_its_own_port_alone() {
        let hosts = ApiHosts::of("https://api.bindeo.com/v2").unwrap();
        assert!(hosts.admits(&target("https://api.bindeo.com/other"), &[]));
        assert!(!hosts.admits(&target("https://api.bindeo.com:8443/"), &[]));
        assert!(ApiHosts::of("api.bindeo.com").is_err());
    }

    #[test]
    fn without_a_list_the_named_hosts_alone_are_admitted() {
        let named = [target("https://api.bindeo.com/")];
        assert!(ApiHosts::default().admits(&named[0], &named));
        assert!(!ApiHosts::default().admits(&target("https://evil.com/"), &named));
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        for url in
            ["http://127.0.0.1/", "http://127.9.9.9/", "http://[::1]/", "http://LOCALHOST:1/"]
        {
            assert!(target(url).is_loopback(), "{url}");
        }
        for url in
            ["http://128.0.0.1/", "http://[::2]/", "http://localhost.evil.com/", "http://0.0.0.0/"]
        {
            assert!(!target(url).is_loopback(), "{url}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_url_makes_it_panic(url in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
            let _ = Target::parse(&url);
            let _ = Target::parse(&[b"https://", &url[..]].concat());
        }
    }
}
