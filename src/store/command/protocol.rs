//! The protocol of docker-credential-helpers, as far as bytes go.
//!
//! An item is a credential: its server is `https://oauthctl/INSTALLATION/PROFILE/PART`, made of what no
//! helper reads in its own way; its user is `oauthctl`; its secret is text, which says by its beginning
//! whose it is and in which version, and by a hash whether it is whole.

use std::collections::BTreeMap;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::Deserialize;

use crate::secret::Secret;

/// Whose credentials they are, in the place of a server and of a user.
const SERVICE: &str = "oauthctl";

/// What the secret of an item begins with, up to the version.
const MARK: &str = "oauthctl.";

/// The version of the secrets that are written.
const VERSION: &str = "1.";

/// How much of the hash of a value stands before it.
const HASH: Range<usize> = 0..16;

/// Parts of names, and what stands for them in a URL.
const PARTINGS: [char; 3] = ['@', '#', '~'];

/// What helpers say of an item that they don't have: the protocol's own words, then those of
/// `docker-credential-pass` for one that is half gone, or was never there.
const NOT_FOUND: [&str; 3] = [
    "credentials not found in native keychain",
    "no usernames for https://oauthctl/",
    " is not in the password store.",
];

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbled {
    /// It is none of the protocol.
    Answer,
    /// The item is not what was written.
    Item,
    /// The item was written by a newer version of this program.
    Newer,
}

/// The URL of the item of this name; `None` where a URL can't hold the name.
#[must_use]
pub fn url(installation: &str, name: &str) -> Option<String> {
    let path = name.replace(PARTINGS, "/");
    let fits = !name.contains('/') && path.split('/').all(is_plain);
    fits.then(|| prefix(installation) + &path)
}

/// The name of the item at this URL; `None` where it is none of this installation.
#[must_use]
pub fn name(installation: &str, url: &str) -> Option<String> {
    let path: Vec<&str> = url.strip_prefix(&prefix(installation))?.split('/').collect();
    if !path.iter().all(|part| is_plain(part)) {
        return None;
    }
    match path[..] {
        [profile, part] => Some(format!("{profile}@{part}")),
        [profile, part, aside @ "new"] => Some(format!("{profile}@{part}~{aside}")),
        [profile, part, chunk] => Some(format!("{profile}@{part}#{chunk}")),
        _ => None,
    }
}

/// Whether no helper reads this part of a path in its own way.
fn is_plain(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn prefix(installation: &str) -> String {
    format!("https://{SERVICE}/{installation}/")
}

/// A value as the secret of an item.
#[must_use]
pub fn seal(value: &Secret<Vec<u8>>) -> Secret {
    let hash = digest(&SHA256, value.expose());
    let bytes = Secret::new([&hash.as_ref()[HASH], value.expose().as_slice()].concat());
    // Nothing grows while it is written: no copy stays behind.
    let mut text = String::with_capacity(MARK.len() + bytes.expose().len() * 4 / 3 + 8);
    text.push_str(MARK);
    text.push_str(VERSION);
    URL_SAFE_NO_PAD.encode_string(bytes.expose(), &mut text);
    Secret::new(text)
}

/// The value in the secret of an item.
pub fn open(secret: &str) -> Result<Secret<Vec<u8>>, Garbled> {
    let versioned = secret.strip_prefix(MARK).ok_or(Garbled::Item)?;
    let Some(text) = versioned.strip_prefix(VERSION) else {
        let version = versioned.split('.').next().unwrap_or_default();
        let is_newer = version.parse::<u32>().is_ok_and(|version| version > 1);
        return Err(if is_newer { Garbled::Newer } else { Garbled::Item });
    };
    let bytes = URL_SAFE_NO_PAD.decode(text).map(Secret::new).map_err(|_| Garbled::Item)?;
    let (hash, value) = bytes.expose().split_at_checked(HASH.end).ok_or(Garbled::Item)?;
    if &digest(&SHA256, value).as_ref()[HASH] == hash {
        Ok(Secret::new(value.to_vec()))
    } else {
        Err(Garbled::Item)
    }
}

/// What `store` reads.
#[must_use]
pub fn credential(url: &str, secret: &Secret) -> Secret<Vec<u8>> {
    // Nothing in it needs an escape.
    let text = [
        "{\"ServerURL\":\"",
        url,
        "\",\"Username\":\"",
        SERVICE,
        "\",\"Secret\":\"",
        secret.expose(),
        "\"}\n",
    ];
    Secret::new(text.concat().into_bytes())
}

/// The value in what `get` prints; `None` where there is none, which some helpers say by an empty secret.
pub fn value(printed: &[u8]) -> Result<Option<Secret<Vec<u8>>>, Garbled> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Credential {
        secret: Secret,
    }
    // Its reader would take the members from an array as well.
    if !printed.trim_ascii_start().starts_with(b"{") {
        return Err(Garbled::Answer);
    }
    let credential: Credential = serde_json::from_slice(printed).map_err(|_| Garbled::Answer)?;
    match credential.secret.expose().as_str() {
        "" => Ok(None),
        secret => open(secret).map(Some),
    }
}

/// The names of an installation's items in what `list` prints.
pub fn names(installation: &str, printed: &[u8]) -> Result<Vec<String>, Garbled> {
    let all: BTreeMap<String, String> =
        serde_json::from_slice(printed).map_err(|_| Garbled::Answer)?;
    Ok(all.keys().filter_map(|url| name(installation, url)).collect())
}

/// Whether a helper says that it doesn't have an item.
#[must_use]
pub fn is_not_found(words: &str) -> bool {
    NOT_FOUND.iter().any(|known| words.contains(known))
}

/// The text without any secret of an item in it, known or not.
#[must_use]
pub fn hide(text: &str) -> String {
    let mut pieces = text.split(MARK);
    let mut clean = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let secret = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        clean.push_str("[redacted]");
        clean.push_str(piece.trim_start_matches(secret));
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_name_and_its_url_tell_each_other() {
        for name in ["a@user", "a.b-c@client-0f", "a@user~new", "a@user#1.4095", "new@new"] {
            let url = url(HERE, name).unwrap();
            assert!(url.starts_with("https://oauthctl/0123456789abcdef0123456789abcdef/"));
            let path = &url["https://".len()..];
            assert!(path.chars().all(|c| c.is_ascii_alphanumeric() || "./-".contains(c)), "{url}");
            assert_eq!(super::name(HERE, &url).as_deref(), Some(name));
            assert_eq!(super::name("f123456789abcdef0123456789abcdef", &url), None);
        }
        for odd in ["a/b@user", "a@us er", "ä@user", "@user", "a@user?x", "a@%75ser", "a\n@user"] {
            assert_eq!(url(HERE, odd), None, "{odd}");
        }
        for odd in ["a", "a/", "/user", "a//user", "a/user/0.1/x", "a@b/user", "a/us er", ""] {
            assert_eq!(super::name(HERE, &(prefix(HERE) + odd)), None, "{odd}");
        }
    }

    #[test]
    fn the_secret_of_version_1_is_read_as_long_as_there_are_any() {
        let golden = "oauthctl.1.LPJNul-wow4m6DsqxbninmhlbGxv";
        assert_eq!(seal(&Secret::new(b"hello".to_vec())).expose(), golden);
        assert_eq!(open(golden).unwrap().expose(), b"hello");
        let text = credential("https://oauthctl/x/a/user", &Secret::from(golden));
        let text = String::from_utf8(text.expose().clone()).unwrap();
        assert_eq!(
            text,
            format!(
                "{{\"ServerURL\":\"https://oauthctl/x/a/user\",\"Username\":\"oauthctl\",\
                 \"Secret\":\"{golden}\"}}\n"
            )
        );
        assert_eq!(value(text.as_bytes()).unwrap().unwrap().expose(), b"hello");
    }

    #[test]
    fn what_was_not_written_so_is_no_value() {
        let whole = seal(&Secret::new(vec![7; 100])).expose().clone();
        for end in 0..whole.len() {
            assert_eq!(open(&whole[..end]).unwrap_err(), Garbled::Item, "{end}");
        }
        for odd in [&format!("{whole}A")[..], &whole.replacen("Bwc", "Bwd", 1), "hunter2"] {
            assert_eq!(open(odd).unwrap_err(), Garbled::Item, "{odd}");
        }
        assert_eq!(open("oauthctl.2.x").unwrap_err(), Garbled::Newer);
        assert_eq!(open("oauthctl.0.x").unwrap_err(), Garbled::Item);
    }

    #[test]
    fn an_answer_is_read_strictly() {
        let none = br#"{"ServerURL":"https://x","Username":"","Secret":""}"#;
        assert_eq!(value(none).unwrap(), None);
        for odd in [
            &b""[..],
            b"garbage",
            b"{}",
            b"[]",
            b"[\"\"]",
            b"{\"Secret\":1}",
            b"{\"Secret\":\"\"} x",
            b"\xff",
        ] {
            assert_eq!(value(odd).unwrap_err(), Garbled::Answer);
        }
        assert_eq!(value(br#"{"Secret":"by hand"}"#).unwrap_err(), Garbled::Item);
        let list = format!(
            "{{\"https://docker.example\":\"me\",\"{0}\":\"oauthctl\",\"{0}/0.1\":\"\"}}",
            url(HERE, "a@user").unwrap()
        );
        assert_eq!(names(HERE, list.as_bytes()).unwrap(), ["a@user", "a@user#0.1"]);
        assert_eq!(names(HERE, b"{}").unwrap(), [""; 0]);
        for odd in [&b""[..], b"null", b"[]", b"{\"a\":1}"] {
            assert_eq!(names(HERE, odd).unwrap_err(), Garbled::Answer);
        }
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_stands() {
        let secret = seal(&Secret::new(vec![7; 40])).expose().clone();
        let text = format!("{{\"Secret\":\"{secret}\"}} and {secret}");
        assert_eq!(hide(&text), "{\"Secret\":\"[redacted]\"} and [redacted]");
        assert_eq!(hide("at https://oauthctl/x"), "at https://oauthctl/x");
    }
}
