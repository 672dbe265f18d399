//! Proof Key for Code Exchange (RFC 7636), always with S256.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::secret::Secret;

/// The one `code_challenge_method`: `plain` proves nothing to whoever saw the request.
pub const METHOD: &str = "S256";

/// What proves that whoever redeems a code is the one who asked for it.
#[derive(Debug, Clone)]
pub struct PkceVerifier(Secret);

impl PkceVerifier {
    /// A verifier made of random bytes: 43 characters (section 4.1).
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(random)))
    }

    /// The `code_verifier`, for the token request.
    #[must_use]
    pub const fn as_secret(&self) -> &Secret {
        &self.0
    }

    /// The `code_challenge`, for the authorization request (section 4.2).
    #[must_use]
    pub fn challenge(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, self.0.expose().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_is_that_of_appendix_b() {
        let random = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212,
            37, 77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = PkceVerifier::new(random);
        let text = verifier.as_secret().expose();
        assert_eq!(text, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
