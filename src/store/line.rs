//! A file of one line that says what it is and whether it is whole: `oauthctl KIND VERSION VALUE CHECK`.
//!
//! The check is the beginning of the SHA-256 of all that stands before it, in hexadecimal digits: a
//! key or an id in which a bit has changed would else be taken for another key or id.

use ring::digest::{SHA256, digest};

use super::seal::Broken;

/// The version that is written.
const VERSION: u32 = 1;

/// How every line begins, and no older form of what is kept in one.
const MAGIC: &str = "oauthctl ";

/// The line that keeps a value, which is one word.
pub(super) fn write(kind: &str, value: &str) -> String {
    // Room from the start, so that no copy of a secret is left behind when it grows.
    let mut line = String::with_capacity(MAGIC.len() + kind.len() + value.len() + 32);
    for part in [MAGIC, kind, " ", &VERSION.to_string(), " ", value] {
        line.push_str(part);
    }
    let check = check(line.as_bytes());
    line.push(' ');
    line.push_str(&check);
    line.push('\n');
    line
}

/// The value that a line keeps; `None` where it is no line, and so perhaps of an older form.
pub(super) fn read<'a>(kind: &str, bytes: &'a [u8]) -> Result<Option<&'a str>, Broken> {
    let Some(rest) = bytes.strip_prefix(MAGIC.as_bytes()) else { return Ok(None) };
    let rest = std::str::from_utf8(rest).map_err(|_| Broken::Corrupt)?.trim_end();
    let mut words = rest.split(' ');
    if words.next() != Some(kind) {
        return Err(Broken::Corrupt);
    }
    let version = words.next().and_then(|word| word.parse::<u32>().ok());
    match (version, words.next(), words.next(), words.next()) {
        (Some(version), ..) if version > VERSION => Err(Broken::Newer),
        (Some(VERSION), Some(value), Some(found), None) => {
            let end = MAGIC.len() + rest.len() - found.len() - 1;
            if check(&bytes[..end]) == found { Ok(Some(value)) } else { Err(Broken::Corrupt) }
        }
        _ => Err(Broken::Corrupt),
    }
}

/// Tells these bytes from others by which an accident may have replaced them; no proof against malice.
pub(crate) fn check(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    let start = hash.as_ref().first_chunk().expect("SHA-256 is longer than the check");
    format!("{:08x}", u32::from_be_bytes(*start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_and_no_byte_can_be_changed_or_cut() {
        let line = write("key", "value");
        assert!(line.starts_with("oauthctl key 1 value "), "{line}");
        assert_eq!(read("key", line.as_bytes()), Ok(Some("value")));
        assert_eq!(read("installation", line.as_bytes()), Err(Broken::Corrupt));
        for at in MAGIC.len()..line.len() - 1 {
            let mut flipped = line.clone().into_bytes();
            flipped[at] ^= 1;
            assert!(read("key", &flipped).is_err(), "{at}");
            assert_eq!(read("key", &line.as_bytes()[..at]), Err(Broken::Corrupt), "{at}");
        }
    }

    #[test]
    fn what_is_no_line_is_left_to_older_forms() {
        assert_eq!(read("key", &[7; 32]), Ok(None));
        assert_eq!(read("key", b""), Ok(None));
    }

    #[test]
    fn a_newer_version_is_told_whatever_follows() {
        assert_eq!(read("key", b"oauthctl key 2"), Err(Broken::Newer));
        assert_eq!(read("key", b"oauthctl key 12 a b c d\n"), Err(Broken::Newer));
        assert_eq!(read("key", b"oauthctl key 0 value 00000000\n"), Err(Broken::Corrupt));
    }
}
