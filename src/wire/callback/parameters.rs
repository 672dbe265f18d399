//! The parameters of an answer, each at most once.

use crate::secret::Secret;

/// Those that mean something here; what others there are is ignored (RFC 6749 section 4.1.2).
const NAMES: [&str; 6] = ["code", "error", "error_description", "error_uri", "iss", "state"];

/// The parameters that mean something.
#[derive(Default)]
pub(super) struct Parameters([Option<Secret<Vec<u8>>>; NAMES.len()]);

impl Parameters {
    /// Reads a query (RFC 6749 appendix B); a parameter without a value counts as left out
    /// (section 3.1).
    pub(super) fn read(query: &[u8]) -> Result<Self, &'static str> {
        let mut found = Self::default();
        for pair in query.split(|&byte| byte == b'&') {
            let equals = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(equals);
            let malformed = "the answer is not encoded well";
            let name = decode(name).ok_or(malformed)?;
            let value = decode(value.get(1..).unwrap_or_default()).ok_or(malformed)?;
            let known = NAMES.iter().position(|known| known.as_bytes() == name.expose());
            let Some(at) = known.filter(|_| !value.expose().is_empty()) else { continue };
            if found.0[at].replace(value).is_some() {
                return Err("the answer has a parameter twice");
            }
        }
        Ok(found)
    }

    /// The value of a parameter.
    pub(super) fn bytes(&self, name: &str) -> Option<&Secret<Vec<u8>>> {
        self.0[NAMES.iter().position(|known| *known == name)?].as_ref()
    }

    /// The value of a parameter that must be text.
    pub(super) fn text(&self, name: &str) -> Result<Option<Secret>, &'static str> {
        let text = |value: &Secret<Vec<u8>>| std::str::from_utf8(value.expose()).map(Secret::from);
        self.bytes(name).map(text).transpose().map_err(|_| "the answer is not encoded well")
    }
}

/// Undoes the encoding of a form, and nothing that is no such encoding.
fn decode(text: &[u8]) -> Option<Secret<Vec<u8>>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => (hex(*bytes.next()?)? << 4) | hex(*bytes.next()?)?,
            _ => byte,
        });
    }
    let plain = Secret::new(plain);
    (!plain.expose().contains(&0)).then_some(plain)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
