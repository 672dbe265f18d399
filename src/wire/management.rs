//! What is asked about a token: to revoke it (RFC 7009), to tell of it (RFC 7662).

use url::Url;

use super::HttpRequest;
use super::client_auth::ClientCredentials;
use super::request::{form, headers};
use crate::error::Result;
use crate::profile::dialect::{Method, RequestDialect};
use crate::secret::Secret;

/// The request to either endpoint, which is a form for every server; only the client proves itself
/// as it always does. A hint may be left out.
pub fn encode(
    token: &Secret,
    token_type_hint: Option<&str>,
    endpoint: &Url,
    dialect: &RequestDialect,
    credentials: &ClientCredentials,
) -> Result<HttpRequest> {
    let auth = credentials.authenticate(dialect.basic_encoding)?;
    let mut params = vec![("token", token.expose().as_str())];
    params.extend(token_type_hint.map(|hint| ("token_type_hint", hint)));
    params.extend(&auth.params);
    let body = Secret::new(form(&params).into_bytes());
    let content_type = Some("application/x-www-form-urlencoded");
    Ok(HttpRequest {
        method: Method::Post,
        endpoint: endpoint.clone(),
        query: None,
        headers: headers(content_type, auth.authorization, dialect),
        body: Some(body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::ClientAuthMethod;

    #[test]
    fn the_request_is_that_of_the_rfc() {
        let credentials = ClientCredentials {
            client_id: "s6BhdRkqt3".to_owned(),
            secret: Some(Secret::from("gX1fBat3bV")),
            method: ClientAuthMethod::ClientSecretBasic,
        };
        let endpoint = Url::parse("https://server.example.com/revoke").unwrap();
        let token = Secret::from("45ghiukldjahdnhzdauz");
        let dialect = RequestDialect::default();
        let request =
            encode(&token, Some("refresh_token"), &endpoint, &dialect, &credentials).unwrap();
        let body = request.body.unwrap();
        assert_eq!(body.expose(), b"token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token");
        let header = |name: &str| {
            request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.expose())
        };
        assert_eq!(header("Authorization").unwrap(), "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
        assert_eq!(header("Content-Type").unwrap(), "application/x-www-form-urlencoded");
    }
}
