//! Makes tokens that look as each document shows them.

use std::fmt::Write as _;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;

use super::provider::Shape;
use crate::secret::Secret;

/// What a token says about itself, where its shape lets it speak.
pub(super) struct Claims<'a> {
    pub audience: &'a str,
    pub subject: &'a str,
    pub scope: &'a str,
    /// Seconds since the epoch.
    pub issued_at: i64,
    /// Seconds that it lives.
    pub expires_in: u64,
}

/// Makes a token of a shape.
pub(super) fn token(shape: Shape, claims: &Claims) -> io::Result<Secret> {
    Ok(Secret::new(match shape {
        Shape::Jwt => jwt(claims)?,
        Shape::Base64(length) => STANDARD.encode(random(length)?.expose()),
        Shape::Base64Url(length) => URL_SAFE_NO_PAD.encode(random(length)?.expose()),
        Shape::HexInBase64 => STANDARD_NO_PAD.encode(hex(random(32)?.expose())),
        Shape::Dotted(groups) => {
            let groups: io::Result<Vec<_>> = groups.iter().map(|&length| word(length)).collect();
            groups?.join(".")
        }
    }))
}

/// The header and the claims that bindeo's document shows.
fn jwt(claims: &Claims) -> io::Result<String> {
    let id = hex(random(40)?.expose());
    let header = format!(r#"{{"typ":"JWT","alg":"RS256","jti":"{id}"}}"#);
    let (audience, subject) = (Value::from(claims.audience), Value::from(claims.subject));
    let scopes = claims.scope.split_ascii_whitespace().collect::<Value>();
    let start = claims.issued_at;
    let end = start.saturating_add_unsigned(claims.expires_in);
    let payload = format!(
        "{{\"aud\":{audience},\"jti\":\"{id}\",\"iat\":{start},\"nbf\":{start},\
         \"exp\":{end},\"sub\":{subject},\"scopes\":{scopes}}}"
    );
    let signature = random(128)?;
    let parts = [header.as_bytes(), payload.as_bytes(), signature.expose()];
    Ok(parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join("."))
}

fn random(length: usize) -> io::Result<Secret<Vec<u8>>> {
    let mut bytes = vec![0; length];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(bytes.into())
}

fn word(length: usize) -> io::Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
    Ok(random(length)?.expose().iter().map(letter).collect())
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::super::provider::Provider;
    use super::*;

    const CLAIMS: Claims =
        Claims { audience: "c\"", subject: "u", scope: "a b", issued_at: 1000, expires_in: 60 };

    fn tokens(provider: Provider) -> [String; 2] {
        let dialect = provider.dialect();
        [dialect.access_token, dialect.refresh_token]
            .map(|shape| token(shape, &CLAIMS).expect("random numbers").expose().clone())
    }

    #[test]
    fn bindeos_access_token_is_a_jwt_with_the_documented_claims() {
        let [access, refresh] = tokens(Provider::Bindeo);
        let parts: Vec<_> = access
            .split('.')
            .map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url"))
            .collect();
        let texts: Vec<_> = parts[..2].iter().map(|part| String::from_utf8_lossy(part)).collect();
        let id = texts[0].rsplit('"').nth(1).expect("a jti");
        assert_eq!(texts[0], format!(r#"{{"typ":"JWT","alg":"RS256","jti":"{id}"}}"#));
        assert_eq!(
            texts[1],
            format!(
                r#"{{"aud":"c\"","jti":"{id}","iat":1000,"nbf":1000,"exp":1060,"sub":"u","scopes":["a","b"]}}"#
            )
        );
        assert_eq!((id.len(), parts[2].len(), parts.len()), (80, 128, 3));
        assert_eq!(
            (refresh.len(), STANDARD.decode(&refresh).map(|bytes| bytes.len())),
            (512, Ok(384))
        );
    }

    #[test]
    fn musements_tokens_are_hexadecimal_digits_in_base64() {
        for token in tokens(Provider::Musement) {
            let digits = STANDARD_NO_PAD.decode(&token).expect("base64");
            assert_eq!((token.len(), digits.len()), (86, 64));
            assert!(digits.iter().all(u8::is_ascii_hexdigit));
        }
    }

    #[test]
    fn barapis_tokens_have_dots_but_are_no_jwts() {
        let groups = |token: &String| token.split('.').map(str::len).collect::<Vec<_>>();
        let [access, refresh] = tokens(Provider::Barapi);
        assert_eq!(groups(&access), [20, 32, 18]);
        assert_eq!(groups(&refresh), [17, 13, 16, 19]);
    }

    #[test]
    fn no_token_is_made_twice() {
        for provider in Provider::ALL {
            let ([a, b], [c, d]) = (tokens(provider), tokens(provider));
            assert!(a != b && a != c && b != d && c != d);
        }
    }
}
