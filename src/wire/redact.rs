//! Keeps secrets, and characters that play tricks on a terminal, out of what is shown.

use std::collections::HashSet;

use crate::escape::escape;
use crate::secret::Secret;

/// What stands for a secret in a request that is shown.
pub(super) const MASK: &str = "***";

/// Whether the value of an extra parameter is no secret (RFC 8707 and its forerunner).
pub(super) fn is_public(name: &str) -> bool {
    matches!(name, "audience" | "resource")
}

/// What stands in a text where a secret was.
const GAP: &str = "[redacted]";

/// What stands for a whole text that holds a secret too short to be cut out of it.
const WITHHELD: &str = "[withheld: it repeats a very short secret]";

/// Secrets of fewer characters hide the whole text: a gap would tell what it hides.
const SHORT: usize = 4;

/// So many bytes of a longer secret in a row are hidden too, as where a server cuts it off.
const RUN: usize = 16;

/// The most of a text that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// Knows the secrets of a request, and finds them in whatever comes back.
#[derive(Debug, Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
}

impl Redactor {
    /// Will hide these; empty ones are nothing to hide.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self { secrets: secrets.into_iter().filter(|s| !s.expose().is_empty()).collect() }
    }

    /// With more to hide.
    #[must_use]
    pub(super) fn and(&self, secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self::new(self.secrets.iter().cloned().chain(secrets))
    }

    /// The text without any secret, however it is escaped: plainly, as in a URL or a form, as in
    /// JSON or as in HTML, wholly or in part, and also where only a run of 16 bytes of it is left.
    ///
    /// A text that has a secret of one to three characters in it is withheld as a whole.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let mut hidden = vec![false; text.len()];
        for codec in CODECS {
            let view = View::new(text, codec);
            for secret in &self.secrets {
                let found = view.hide(secret.expose().as_bytes(), &mut hidden);
                if found && secret.expose().chars().count() < SHORT {
                    return WITHHELD.to_owned();
                }
            }
        }
        let mut clean = String::with_capacity(text.len());
        let mut in_gap = false;
        for (at, c) in text.char_indices() {
            // A run may begin or end inside a character: the whole character goes.
            if hidden[at..at + c.len_utf8()].contains(&true) {
                if !in_gap {
                    clean.push_str(GAP);
                }
                in_gap = true;
            } else {
                clean.push(c);
                in_gap = false;
            }
        }
        clean
    }

    /// The beginning of a text of any length, scrubbed.
    ///
    /// To be called before anything else is done to the text: what has been trimmed, split or
    /// folded may hold a secret that is no longer recognised.
    #[must_use]
    pub fn beginning(&self, text: &str) -> String {
        if text.len() <= LONGEST {
            return self.scrub(text);
        }
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let mut clean = self.scrub(&text[..end]);
        // The cut may have left the beginning of a secret: less than a run, each byte of which
        // may be escaped with up to eight characters.
        let tail = clean.char_indices().rev().nth(8 * RUN).map_or(0, |(at, _)| at);
        clean.truncate(tail);
        clean
    }

    /// A foreign text made fit to be shown on one line: scrubbed, escaped, of bounded length.
    #[must_use]
    pub fn show(&self, text: &str, max: usize) -> String {
        brief(&self.beginning(text), max)
    }
}

/// Takes one escape off the front of a text: how many bytes it had (0 where there is none) and
/// what it stands for, appended to the second argument.
type Codec = fn(&[u8], &mut Vec<u8>) -> usize;

/// One at a time, since the same bytes are an escape to one and plain text to another.
const CODECS: [Codec; 5] = [|_, _| 0, percent, form, json, html];

fn percent(text: &[u8], out: &mut Vec<u8>) -> usize {
    let [b'%', high, low, ..] = text else { return 0 };
    let (Some(high), Some(low)) = (hex(*high), hex(*low)) else { return 0 };
    out.push(high << 4 | low);
    3
}

fn form(text: &[u8], out: &mut Vec<u8>) -> usize {
    if text.first() == Some(&b'+') {
        out.push(b' ');
        return 1;
    }
    percent(text, out)
}

fn json(text: &[u8], out: &mut Vec<u8>) -> usize {
    let [b'\\', escape, ..] = text else { return 0 };
    let plain = match escape {
        b'"' | b'\\' | b'/' => *escape,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return json_unicode(text, out),
        _ => return 0,
    };
    out.push(plain);
    2
}

fn json_unicode(text: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(first) = code_unit(text) else { return 0 };
    let second = text.get(6..).and_then(code_unit);
    for (units, taken) in [(vec![first], 6), (vec![first, second.unwrap_or(0)], 12)] {
        if let Some(Ok(c)) = char::decode_utf16(units).next() {
            push(c, out);
            return taken;
        }
    }
    0
}

/// The code unit that a `\uXXXX` at the front of a text stands for.
fn code_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | u16::from(hex(*digit)?)))
}

fn html(text: &[u8], out: &mut Vec<u8>) -> usize {
    const NAMED: [(&str, char); 5] =
        [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')];
    let Some(end) = text.iter().take(12).position(|byte| *byte == b';') else { return 0 };
    let Some(Ok(name)) = text[..end].strip_prefix(b"&").map(std::str::from_utf8) else { return 0 };
    let numbered = name.strip_prefix('#').and_then(|number| {
        char::from_u32(match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        })
    });
    let named = || NAMED.iter().find(|(known, _)| *known == name).map(|(_, c)| *c);
    let Some(c) = numbered.or_else(named) else { return 0 };
    push(c, out);
    end + 1
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A text with its escapes undone, and where each byte came from.
struct View {
    bytes: Vec<u8>,
    /// Where in the text each byte begins; one more entry for the end.
    origin: Vec<usize>,
}

impl View {
    fn new(text: &str, codec: Codec) -> Self {
        let text = text.as_bytes();
        let mut bytes = Vec::with_capacity(text.len());
        let mut origin = Vec::with_capacity(text.len() + 1);
        let mut at = 0;
        while at < text.len() {
            let taken = match codec(&text[at..], &mut bytes) {
                0 => {
                    bytes.push(text[at]);
                    1
                }
                taken => taken,
            };
            origin.resize(bytes.len(), at);
            at += taken;
        }
        origin.push(at);
        Self { bytes, origin }
    }

    /// Marks what of the text is this secret, or a long run of it; whether there was any.
    fn hide(&self, secret: &[u8], hidden: &mut [bool]) -> bool {
        let run = secret.len().min(RUN);
        let runs: HashSet<&[u8]> = secret.windows(run).collect();
        let mut found = false;
        for (at, _) in self.bytes.windows(run).enumerate().filter(|(_, seen)| runs.contains(seen)) {
            hidden[self.origin[at]..self.origin[at + run]].fill(true);
            found = true;
        }
        found
    }
}

/// At most `max` characters of the text, and an ellipsis where there are more; then made safe for a
/// terminal.
#[must_use]
pub fn brief(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", escape(&text[..end])),
        None => escape(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        Redactor::new(secrets.iter().map(|s| Secret::from(*s)))
    }

    #[test]
    fn a_secret_is_found_in_every_encoding() {
        let hide = redactor(&["p@ss/w\"rd &é<'\\%41+😀"]);
        for echo in [
            r#"p@ss/w"rd &é<'\%41+😀"#,
            "p%40ss%2Fw%22rd%20%26%C3%A9%3C%27%5C%2541%2B%F0%9F%98%80",
            "p%40ss%2fw%22rd+%26%c3%a9%3c%27%5c%2541%2b%f0%9f%98%80",
            r#"p@ss/w\"rd &é<'\\%41+😀"#,
            r#"p@ss\/w\"rd \u0026\u00e9\u003c\u0027\\%41+\ud83d\ude00"#,
            r"\u0070\u0040\u0073\u0073\u002F\u0077\u0022\u0072\u0064\u0020\u0026\u00E9\u003C\u0027\u005C\u0025\u0034\u0031\u002B\uD83D\uDE00",
            r"p@ss/w&quot;rd &amp;&#233;&lt;&#39;\%41+&#x1F600;",
            r"p&#64;ss&#x2F;w&#34;rd &amp;é&lt;&apos;\%41+😀",
        ] {
            assert_eq!(hide.scrub(&format!("before {echo} after")), "before [redacted] after");
        }
    }

    #[test]
    fn a_secret_that_looks_like_an_escape_is_found_too() {
        for secret in ["50%25off", "a\\u0041b", "x&amp;y", "a+b c", "%%%%", "\\\\\\\\"] {
            let hide = redactor(&[secret]);
            assert_eq!(hide.scrub(&format!("<{secret}>")), "<[redacted]>");
        }
    }

    #[test]
    fn overlapping_and_adjoining_secrets_leave_nothing() {
        let hide = redactor(&["abcdef", "defghi", "jklm"]);
        assert_eq!(hide.scrub("abcdefghi abcdefjklm xabcdefabcdefx"), {
            "[redacted] [redacted] x[redacted]x"
        });
        assert_eq!(redactor(&["aaaa"]).scrub("aaaaaaa b"), "[redacted] b");
        assert_eq!(redactor(&["abcd", "abcdefgh"]).scrub("abcdefgh"), "[redacted]");
    }

    #[test]
    fn a_long_secret_is_hidden_even_where_it_is_cut_off() {
        let hide = redactor(&["NWU4ZjcyMzA0ZTVhM2JjY2MyMjU5NDQ4YWYxYzNkZWQ"]);
        assert_eq!(
            hide.scrub("token NWU4ZjcyMzA0ZTVhM2Jj... is bad"),
            "token [redacted]... is bad"
        );
        assert_eq!(hide.scrub("ends in M2JjY2MyMjU5NDQ4YWYxYzNkZWQ"), "ends in [redacted]");
    }

    #[test]
    fn a_cut_inside_a_character_hides_the_whole_character() {
        let hide = redactor(&["éééééééééééééééé"]);
        assert_eq!(hide.scrub("xééééééééé|"), "x[redacted]|");
        assert_eq!(hide.scrub("x©éééééééé|"), "x[redacted]|");
        assert_eq!(hide.scrub("%A9éééééééé"), "[redacted]");
    }

    #[test]
    fn a_text_with_a_very_short_secret_is_withheld_whole() {
        assert_eq!(redactor(&["e"]).scrub("the end"), WITHHELD);
        assert_eq!(redactor(&["a b"]).scrub("x a%20b x"), WITHHELD);
        assert_eq!(redactor(&["é😀"]).scrub("x é😀 x"), WITHHELD);
        assert_eq!(redactor(&["xyz", ""]).scrub("the end"), "the end");
    }

    #[test]
    fn what_is_brief_is_cut_between_characters_and_escaped() {
        assert_eq!(brief("éééé", 4), "éééé");
        assert_eq!(brief("ééééé", 4), "éééé…");
        assert_eq!(brief("\x1b[2J\u{202e}x", 5), "\\u{1b}[2J\\u{202e}…");
    }

    #[test]
    fn a_huge_text_is_not_cut_in_the_middle_of_a_secret() {
        let secret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHI";
        let cut = LONGEST % secret.len();
        assert!((1..RUN).contains(&cut), "the cut leaves less than a run");
        assert_eq!(redactor(&[secret]).show(&secret.repeat(1000), 500), "");
    }

    #[test]
    fn what_is_shown_of_a_huge_text_is_bounded() {
        let hide = redactor(&["hunter2"]);
        let shown = hide.show(&"é hunter2 ".repeat(1_000_000), 50);
        assert_eq!(shown.chars().count(), 51);
        assert!(!shown.contains("hunter"));
    }
}
