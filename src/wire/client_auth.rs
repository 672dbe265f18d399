//! How a client proves itself at the token endpoint (RFC 6749 section 2.3).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use url::form_urlencoded::byte_serialize;

use super::redact::MASK;
use crate::error::{Error, Result};
use crate::profile::dialect::BasicEncoding;
use crate::secret::Secret;
use crate::terms::ClientAuthMethod;

/// Who asks, and how it is proved.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The client.
    pub client_id: String,
    /// Its secret; a public client has none.
    pub secret: Option<Secret>,
    /// How they go along.
    pub method: ClientAuthMethod,
}

/// What the credentials add to a request.
#[derive(Debug)]
pub struct ClientAuth<'a> {
    /// The value of `Authorization`.
    pub authorization: Option<Secret>,
    /// The parameters.
    pub params: Vec<(&'static str, &'a str)>,
}

impl ClientCredentials {
    /// What these credentials add to a request.
    pub fn authenticate(&self, encoding: BasicEncoding) -> Result<ClientAuth<'_>> {
        if self.client_id.is_empty() {
            return Err(Error::missing("client_id", "the client_id is not set"));
        }
        let id = ("client_id", self.client_id.as_str());
        Ok(match self.method {
            ClientAuthMethod::ClientSecretBasic => {
                let pair = self.userid_and_password(encoding)?;
                let mut value = String::with_capacity(6 + pair.expose().len().div_ceil(3) * 4);
                value.push_str("Basic ");
                BASE64_STANDARD.encode_string(pair.expose(), &mut value);
                ClientAuth { authorization: Some(Secret::new(value)), params: Vec::new() }
            }
            ClientAuthMethod::ClientSecretPost => ClientAuth {
                authorization: None,
                params: vec![id, ("client_secret", self.secret()?.expose())],
            },
            ClientAuthMethod::None => ClientAuth { authorization: None, params: vec![id] },
        })
    }

    /// These credentials with the secret masked, for showing.
    #[must_use]
    pub fn redacted(&self) -> Self {
        Self {
            client_id: self.client_id.clone(),
            secret: Some(Secret::from(MASK)),
            method: self.method,
        }
    }

    fn secret(&self) -> Result<&Secret> {
        self.secret.as_ref().ok_or_else(|| {
            let message = format!("{} needs a client_secret, and none is set", self.method);
            Error::missing("client_secret", message)
        })
    }

    /// What RFC 7617 section 2 calls the user-pass, encoded as the server expects it.
    fn userid_and_password(&self, encoding: BasicEncoding) -> Result<Secret> {
        let (id, secret) = (self.client_id.as_str(), self.secret()?.expose().as_str());
        // Form encoding makes three bytes of one at the most, so the buffer never moves.
        let mut pair = String::with_capacity(3 * (id.len() + secret.len()) + 1);
        match encoding {
            BasicEncoding::Rfc6749 => {
                pair.extend(byte_serialize(id.as_bytes()));
                pair.push(':');
                pair.extend(byte_serialize(secret.as_bytes()));
            }
            BasicEncoding::Raw => {
                if id.contains(':') {
                    return Err(Error::config(
                        "the client_id has a colon, which HTTP Basic can't carry as it is; \
                         set request.basic_encoding = \"rfc6749\" or client_auth = \
                         \"client_secret_post\"",
                    ));
                }
                if id.chars().chain(secret.chars()).any(char::is_control) {
                    return Err(Error::config(
                        "the client_id or the client_secret has a control character, \
                         which HTTP Basic can't carry as it is (RFC 7617 section 2)",
                    ));
                }
                pair.push_str(id);
                pair.push(':');
                pair.push_str(secret);
            }
        }
        Ok(Secret::new(pair))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(id: &str, secret: &str, encoding: BasicEncoding) -> Result<String> {
        let credentials = ClientCredentials {
            client_id: id.to_owned(),
            secret: Some(Secret::from(secret)),
            method: ClientAuthMethod::ClientSecretBasic,
        };
        let auth = credentials.authenticate(encoding)?;
        assert!(auth.params.is_empty(), "Basic sends nothing among the parameters");
        Ok(auth.authorization.unwrap().expose().clone())
    }

    #[test]
    fn basic_is_the_one_of_rfc_6749_section_2_3_1() {
        for encoding in [BasicEncoding::Rfc6749, BasicEncoding::Raw] {
            assert_eq!(
                basic("s6BhdRkqt3", "gX1fBat3bV", encoding).unwrap(),
                "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"
            );
        }
    }

    #[test]
    fn raw_refuses_what_it_cannot_carry() {
        for (id, secret) in [("a:b", "c"), ("a", "c\n"), ("a\u{85}", "c")] {
            let error = basic(id, secret, BasicEncoding::Raw).unwrap_err();
            assert!(matches!(error, Error::Config(_)), "{error}");
            assert!(basic(id, secret, BasicEncoding::Rfc6749).is_ok());
        }
        assert!(basic("a", "c:d", BasicEncoding::Raw).is_ok());
    }

    #[test]
    fn a_missing_secret_is_named() {
        for method in [ClientAuthMethod::ClientSecretBasic, ClientAuthMethod::ClientSecretPost] {
            let credentials = ClientCredentials { client_id: "c".to_owned(), secret: None, method };
            let error = credentials.authenticate(BasicEncoding::Raw).unwrap_err();
            let Error::Config(error) = error else { panic!("{error}") };
            assert_eq!(error.missing, Some("client_secret"));
        }
    }

    #[test]
    fn a_public_client_sends_its_id_and_keeps_a_secret_it_has() {
        let credentials = ClientCredentials {
            client_id: "c".to_owned(),
            secret: Some(Secret::from("s")),
            method: ClientAuthMethod::None,
        };
        let auth = credentials.authenticate(BasicEncoding::Rfc6749).unwrap();
        assert!(auth.authorization.is_none());
        assert_eq!(auth.params, [("client_id", "c")]);
    }
}
