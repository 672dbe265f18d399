//! The answer to an authorization request (RFC 6749 section 4.1.2): as a browser brings it to the
//! redirect URI, or as a person pastes it.
//!
//! Any page and any process can send something to a port of this machine. So only what carries the
//! login's own `state` is its answer; all else is refused without ending the login.

use url::{Position, Url};

use self::parameters::Parameters;
use super::redact::Redactor;
use super::transcript::authority;
use crate::error::{Error, ErrorResponse, Result};
use crate::secret::Secret;

mod head;
mod parameters;

/// The longest head of a request, and the longest text that is pasted, in bytes: a code may have
/// 4 KB, and a browser sends the cookies that any server on this machine ever set.
pub const LONGEST: usize = 64 * 1024;

/// The redirect URIs of those who show the code to a person instead of redirecting.
const OUT_OF_BAND: [&str; 2] = ["urn:ietf:wg:oauth:2.0:oob", "urn:ietf:wg:oauth:2.0:oob:auto"];

/// What must be known of an authorization request to tell its answer.
#[derive(Debug)]
pub struct Expected<'a> {
    /// The redirect URI as it was sent, with the port that is listened on.
    pub redirect_uri: &'a Url,
    /// The `state` that was sent.
    pub state: &'a Secret,
    /// The server's issuer, where it is known.
    pub issuer: Option<&'a str>,
    /// Whether the server promises `iss` in each answer (RFC 9207 section 3).
    pub requires_iss: bool,
}

/// What the server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callback {
    /// The authorization code: visible ASCII and blanks.
    Code(Secret),
    /// Why there is none, fit to be shown.
    Error(ErrorResponse),
}

/// What is to be done with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The request is not whole yet. Whoever leaves here, as a browser does that only connected in
    /// advance, is owed no answer.
    NeedMore,
    /// It is not the answer: to be refused, while the login goes on waiting.
    Ignore(Refusal),
    /// The answer.
    Answer(Callback),
}

/// How a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The status (RFC 9110 section 15).
    pub status: u16,
    /// Why, as a sentence without its full stop.
    pub reason: &'static str,
}

const fn bad(reason: &'static str) -> Refusal {
    Refusal { status: 400, reason }
}

impl Expected<'_> {
    /// Judges what has come over a connection so far; more bytes never change what is judged.
    #[must_use]
    pub fn request(&self, bytes: &[u8]) -> Verdict {
        match self.judge(bytes) {
            Ok(None) => Verdict::NeedMore,
            Ok(Some(callback)) => Verdict::Answer(callback),
            Err(refusal) => Verdict::Ignore(refusal),
        }
    }

    fn judge(&self, bytes: &[u8]) -> Result<Option<Callback>, Refusal> {
        let Some(head) = head::read(bytes)? else { return Ok(None) };
        // A name that somebody made lead here is not ours, though the connection be.
        if !head.host.eq_ignore_ascii_case(authority(self.redirect_uri).as_bytes()) {
            return Err(bad("the request is meant for another host"));
        }
        if head.path != self.redirect_uri.path() {
            return Err(Refusal { status: 404, reason: "there is nothing here" });
        }
        if head.method != "GET" {
            return Err(Refusal { status: 405, reason: "an answer comes by GET alone" });
        }
        self.answer(head.query.as_bytes()).map(Some).map_err(bad)
    }

    /// Judges the URL that a browser was redirected to, as a person pasted it; where the redirect
    /// URI is out of band, the code alone.
    pub fn pasted(&self, text: &str) -> Result<Callback> {
        self.judge_pasted(unquoted(text)).map_err(|reason| Error::BadAnswer(reason.to_owned()))
    }

    fn judge_pasted(&self, text: &str) -> Result<Callback, &'static str> {
        if text.len() > LONGEST {
            return Err("what was pasted is too long");
        }
        if OUT_OF_BAND.contains(&self.redirect_uri.as_str()) {
            let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            let code = fits.then(|| Callback::Code(Secret::from(text)));
            return code.ok_or("what was pasted is no code");
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err("what was pasted has blanks in it");
        }
        let url = Url::parse(text).map_err(|_| "what was pasted is no whole URL")?;
        if url[..Position::AfterPath] != self.redirect_uri[..Position::AfterPath] {
            return Err("what was pasted doesn't begin with the redirect URI");
        }
        // What follows a `#` no browser would have sent.
        let sent = text.split('#').next().unwrap_or_default();
        self.answer(sent.split_once('?').map_or("", |(_, query)| query).as_bytes())
    }

    /// Judges the parameters of an answer.
    fn answer(&self, query: &[u8]) -> Result<Callback, &'static str> {
        let found = Parameters::read(query)?;
        match found.text("state")? {
            None => return Err("the answer has no state"),
            Some(state) if state != *self.state => {
                return Err("the answer's state is not that of this login");
            }
            Some(_) => {}
        }
        // Some servers that promise it leave it out of an error. That only ends this login: no code goes
        // anywhere, and who sent it knows the state.
        let is_error = found.bytes("error").is_some();
        match (found.text("iss")?, self.issuer) {
            (None, _) if self.requires_iss && !is_error => {
                return Err("the answer doesn't name its issuer");
            }
            (Some(iss), Some(issuer)) if iss.expose() != issuer => {
                return Err("the answer is from another issuer");
            }
            _ => {}
        }
        match (found.text("code")?, found.bytes("error")) {
            (Some(_), Some(_)) => Err("the answer has both a code and an error"),
            (None, None) => Err("the answer has neither a code nor an error"),
            (Some(code), None) if !code.expose().bytes().all(is_vschar) => {
                Err("the answer's code has characters that no code has")
            }
            (Some(code), None) => Ok(Callback::Code(code)),
            (None, Some(_)) => Ok(Callback::Error(self.error(&found))),
        }
    }

    /// The error of RFC 6749 section 4.1.2.1, whatever its encoding.
    fn error(&self, found: &Parameters) -> ErrorResponse {
        let redactor = Redactor::new([self.state.clone()]);
        let show = |name, max| {
            let text = String::from_utf8_lossy(found.bytes(name)?.expose());
            Some(redactor.show(&text, max))
        };
        ErrorResponse {
            // It came by a redirect.
            status: 302,
            error: show("error", 100),
            description: show("error_description", 500),
            uri: show("error_uri", 300),
        }
    }
}

/// RFC 6749 appendix A.11.
const fn is_vschar(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// The text without the blanks and the pair of quotes around it.
fn unquoted(text: &str) -> &str {
    const PAIRS: [(char, char); 4] = [('"', '"'), ('\'', '\''), ('`', '`'), ('<', '>')];
    let text = text.trim();
    let inner = PAIRS.iter().find_map(|(open, close)| {
        text.strip_prefix(*open).and_then(|rest| rest.strip_suffix(*close))
    });
    inner.unwrap_or(text).trim()
}

#[cfg(test)]
mod tests;
