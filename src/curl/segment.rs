//! One set of URLs with its options, and what they would do to a token.

use super::heads::Manners;
use super::operands::operands;
use super::options::Item;
use super::place::{Files, Place};
use super::targets::{ApiHosts, Target};
use crate::error::{Error, Result};

/// What one set of URLs and options comes to; `--next` begins another.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option that was given or not")]
pub(super) struct Segment {
    pub(super) targets: Vec<Target>,
    pub(super) stderr: bool,
    pub(super) follow: bool,
    /// The values of `Host` headers.
    hosts: Vec<String>,
    insecure: bool,
    /// An option that leads a connection elsewhere than the URL says.
    diverted: Option<String>,
    globs: bool,
    globoff: bool,
    /// Something stands in the way of a repetition.
    once: bool,
    pub(super) stdin: bool,
    show: bool,
    retry: bool,
    proxied: bool,
    dump: Option<Vec<u8>>,
    output: Option<Vec<u8>>,
    remote_name: bool,
}

/// A request that can be repeated.
pub(super) struct Watch {
    pub(super) origin: Target,
    pub(super) manners: Manners,
    /// Where the user wants the heads, if anywhere.
    pub(super) dump: Option<Vec<u8>>,
    /// Whether heads go to where the body goes.
    pub(super) show: bool,
    /// Whether the body goes to standard output.
    pub(super) to_stdout: bool,
    /// Whether it does so by an explicit `-o -`, even if binary.
    pub(super) binary: bool,
}

impl Segment {
    /// Takes note of an option, or refuses it.
    pub(super) fn note(&mut self, item: &Item, place: &Place, files: &dyn Files) -> Result<()> {
        let on = item.on;
        if let Some(why) = refusal(&item.name).filter(|_| on) {
            return Err(place.refuse(format!("{} {why}", item.flag())));
        }
        let value = item.value.as_deref().unwrap_or_default();
        let line_break = value.iter().any(|byte| b"\r\n\0".contains(byte));
        if line_break && !is_content(&item.name) {
            return Err(place.refuse(format!("a line break in the argument of {}", item.flag())));
        }
        for operand in operands(item) {
            match operand {
                b"-" | b"/dev/stdin" => self.stdin = true,
                file if files.is_closed(file) => {
                    return Err(place.refuse(format!("{} isn't open", file.escape_ascii())));
                }
                file => self.once |= files.is_once(file),
            }
        }
        match item.name.as_str() {
            "url" => self.url(value, place)?,
            "header" => self.header(value, place)?,
            "insecure" => self.insecure = on,
            "stderr" => self.stderr = true,
            "location" | "follow" => self.follow |= on,
            "globoff" => self.globoff = on,
            "include" | "show-headers" | "head" => self.show |= on,
            "retry" => self.retry = true,
            "proxy" | "proxy1.0" | "preproxy" => self.proxied = true,
            "dump-header" => {
                self.dump = Some(value.to_vec()).filter(|value| value != b"/dev/null");
                self.once |= matches!(value, b"-" | b"%");
            }
            "output" => self.output = Some(value.to_vec()),
            "remote-name" | "remote-name-all" | "out-null" => self.remote_name |= on,
            "connect-to"
            | "resolve"
            | "unix-socket"
            | "abstract-unix-socket"
            | "doh-url"
            | "dns-servers"
            | "alt-svc" => self.diverted = Some(item.flag()),
            // What a first answer left behind would change what becomes of the second.
            "append" | "remote-header-name" | "skip-existing" | "parallel" => self.once |= on,
            "clobber" => self.once |= !on,
            "continue-at" => self.once = true,
            // It will be asked for, and the question must not be held back.
            "proxy-user" => self.once |= !value.contains(&b':'),
            _ => {}
        }
        Ok(())
    }

    fn url(&mut self, url: &[u8], place: &Place) -> Result<()> {
        if let Place::File { typed: false, .. } = place {
            return Err(place.refuse("a URL that nobody typed would get the token too"));
        }
        let target = Target::parse(url).map_err(|why| place.refuse(format!("a URL {why}")))?;
        // No host that was read can hold a brace; a bracket in it is an IPv6 address.
        let host = url.splitn(3, |&byte| byte == b'/').nth(2).unwrap_or_default();
        let path = host.iter().skip_while(|byte| !b"/?#".contains(byte));
        self.globs |= path.into_iter().any(|byte| b"{[".contains(byte));
        self.targets.push(target);
        Ok(())
    }

    fn header(&mut self, header: &[u8], place: &Place) -> Result<()> {
        if header.first().is_some_and(u8::is_ascii_whitespace) {
            return Err(place.refuse("a header can't begin with a blank"));
        }
        let end = header.iter().position(|byte| b":;".contains(byte)).unwrap_or(header.len());
        let name = header[..end].trim_ascii();
        if name.eq_ignore_ascii_case(b"authorization") {
            return Err(place.refuse("the header Authorization is the token's alone"));
        }
        if name.eq_ignore_ascii_case(b"host") {
            let value = String::from_utf8_lossy(header[end..].get(1..).unwrap_or_default());
            self.hosts.push(value.trim().to_owned());
        }
        Ok(())
    }

    /// The protocols to allow, and whether the connection may prove nothing about its far end.
    pub(super) fn check(&self) -> Result<(&'static str, bool)> {
        if self.targets.is_empty() {
            return Err(Error::Usage("no URL is given for curl".to_owned()));
        }
        let plain = self.targets.iter().find(|target| !target.secure);
        let Some(unverified) = plain.or(self.targets.first().filter(|_| self.insecure)) else {
            return Ok(("=https", false));
        };
        if let Some(target) = self.targets.iter().find(|target| !target.is_loopback()) {
            return Err(Error::config(if self.insecure {
                format!("--insecure would give the token to anyone who answers for {target}")
            } else if target.secure {
                format!("{target} and {unverified}: --next must part https from plain http")
            } else {
                format!("{target}: the token goes to https alone, but for this very machine")
            }));
        }
        if let Some(flag) = &self.diverted {
            return Err(Error::config(format!(
                "{flag} could lead the token elsewhere than to {unverified}"
            )));
        }
        Ok((if plain.is_some() { "=http,https" } else { "=https" }, true))
    }

    /// Whether all hosts may see the token; `named` are those of the whole command line.
    pub(super) fn check_hosts(&self, hosts: &ApiHosts, named: &[Target]) -> Result<()> {
        for target in &self.targets {
            if !hosts.admits(target, named) {
                return Err(Error::config(format!(
                    "the token may not go to {target}: the profile's `api_hosts` would have to list it"
                )));
            }
            if target.is_loopback() {
                continue;
            }
            // One front may serve many names, and hand the request to whom the header names.
            for value in self.hosts.iter().filter(|value| !value.is_empty()) {
                if !target.with_host(value).is_some_and(|other| hosts.admits(&other, named)) {
                    return Err(Error::config(
                        "the header Host names a host that the token may not go to",
                    ));
                }
            }
        }
        Ok(())
    }

    /// What to watch, where there is one request that can be made twice.
    pub(super) fn watch(&self, proxied: bool) -> Option<Watch> {
        let [origin] = &*self.targets else { return None };
        if self.once || (self.globs && !self.globoff) {
            return None;
        }
        let connect =
            origin.secure && (self.proxied || proxied) && (self.show || self.dump.is_some());
        let binary = self.output.as_deref() == Some(b"-");
        Some(Watch {
            origin: origin.clone(),
            manners: Manners { follow: self.follow, retry: self.retry, connect },
            dump: self.dump.clone(),
            show: self.show,
            to_stdout: binary || (self.output.is_none() && !self.remote_name),
            binary,
        })
    }
}

/// Why an option may never stand beside a token.
fn refusal(name: &str) -> Option<&'static str> {
    Some(match name {
        "user" | "oauth2-bearer" | "aws-sigv4" | "netrc" | "netrc-file" | "netrc-optional"
        | "anyauth" | "basic" | "digest" | "negotiate" | "ntlm" | "ntlm-wb" => {
            "would authorize beside the token"
        }
        "location-trusted" => "would give the token to any host that a redirect names",
        "trace" | "trace-ascii" | "trace-config" | "libcurl" => "would write the token down",
        "metalink" => "would give the token to hosts that nobody named",
        "variable" => "makes arguments that can't be judged",
        _ if name.starts_with("expand-") => "makes arguments that can't be judged",
        _ => return None,
    })
}

/// Whether an option's argument is content, which may have lines, and no part of a head.
fn is_content(name: &str) -> bool {
    name.starts_with("data")
        || matches!(name, "json" | "form" | "form-string" | "url-query" | "write-out")
}
