//! The page that a person sees when the browser comes back.

use std::fmt::Write as _;

/// What the page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The login worked.
    Done,
    /// It didn't, and why.
    Failed(String),
    /// The request was not the answer to the login.
    Refused {
        /// The status to answer with.
        status: u16,
        /// Why, as a sentence without its full stop.
        reason: &'static str,
    },
}

const STYLE: &str = ":root{color-scheme:light dark}\
body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1.5rem}\
h1{font-size:1.6rem;line-height:1.25}\
p{overflow-wrap:anywhere}";

/// Takes the answer out of the address bar, where others could see it and it would be copied from.
const SCRIPT: &str = "history.replaceState(null,'',location.pathname)";

/// The only script that the page may run: the SHA-256 of that one.
const SCRIPT_HASH: &str = "UBodp8UhLR9ASBc1PNRKcs3r2CjAFWxCbrUGPN7u1jo=";

impl Page {
    /// The whole answer, head and body; the connection closes after it.
    ///
    /// It loads nothing, runs nothing from elsewhere, is kept nowhere, and has nothing secret in it.
    #[must_use]
    pub fn to_http(&self) -> Vec<u8> {
        let (status, heading, text) = match self {
            Self::Done => (
                "200 OK",
                "You are logged in",
                "This tab can be closed. The rest happens in the terminal.".to_owned(),
            ),
            Self::Failed(why) => (
                "400 Bad Request",
                "The login did not work",
                format!(
                    "{}.</p>\n<p>This tab can be closed; the terminal says what to do.",
                    escape(&sentence(why))
                ),
            ),
            Self::Refused { status, reason } => (
                refusal(*status),
                "This is not the answer to a login",
                format!("{}.", escape(&sentence(reason))),
            ),
        };
        let body = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{heading} - oauthctl</title>\n<style>{STYLE}</style>\n\
             <script>{SCRIPT}</script>\n</head>\n<body>\n<main>\n\
             <h1>{heading}</h1>\n<p role=\"status\">{text}</p>\n</main>\n</body>\n</html>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'sha256-{SCRIPT_HASH}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

fn refusal(status: u16) -> &'static str {
    match status {
        404 => "404 Not Found",
        405 => "405 Method Not Allowed\r\nAllow: GET",
        431 => "431 Request Header Fields Too Large",
        505 => "505 HTTP Version Not Supported",
        _ => "400 Bad Request",
    }
}

/// An error as the beginning of a sentence; its full stop is left to whoever ends it.
fn sentence(error: &str) -> String {
    let mut rest = error.trim_end_matches('.').chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest.clone()).collect()
}

/// Text as HTML has it, wherever it stands.
fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '"' | '\'' => drop(write!(html, "&#{};", u32::from(c))),
            _ => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    #[test]
    fn a_foreign_text_stays_a_text() {
        let page = Page::Failed("<script>alert('x')</script>&\"".to_owned()).to_http();
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;&#38;&#34;."));
        assert_eq!(page.matches("<script").count(), 1);
    }

    #[test]
    fn an_error_is_a_sentence_with_one_full_stop() {
        for (error, expected) in [("the server refused: no.", "The server refused: no"), ("", "")] {
            assert_eq!(sentence(error), expected);
        }
    }

    #[test]
    fn the_one_script_is_the_one_that_may_run() {
        let hash = ring::digest::digest(&ring::digest::SHA256, SCRIPT.as_bytes());
        assert_eq!(BASE64_STANDARD.encode(hash), SCRIPT_HASH);
    }

    #[test]
    fn the_length_is_that_of_the_body() {
        for page in
            [Page::Done, Page::Failed("é".to_owned()), Page::Refused { status: 404, reason: "x" }]
        {
            let text = String::from_utf8(page.to_http()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        }
    }
}
