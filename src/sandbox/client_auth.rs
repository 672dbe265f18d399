//! How the client proves itself (RFC 6749 section 2.3): in one place, the one that is documented.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Credentials;
use super::http::Head;
use super::parameters::{Parameters, form_decode};
use super::provider::{BasicEncoding, Dialect};
use super::refusal::Refusal;
use crate::secret::Secret;

/// Checks the client's credentials, wherever they stand.
pub(super) fn authenticate(
    dialect: &Dialect,
    head: &Head,
    parameters: &Parameters,
    client: &Credentials,
) -> Result<(), Refusal> {
    let posted = parameters.has("client_id") || parameters.has("client_secret");
    let place = dialect.place.phrase();
    let mut headers = head.values("authorization");
    match (headers.next(), headers.next(), posted) {
        (Some(_), Some(_), _) => {
            Err(Refusal::invalid_request("this request has more than one Authorization header"))
        }
        (Some(_), None, true) => Err(Refusal::invalid_request(format!(
            "the client proves itself in two places, in the Authorization header and {place} \
             (RFC 6749 section 2.3)"
        ))),
        (Some(header), None, false) => by_basic(dialect, header, client).map_err(|refusal| {
            refusal.header("WWW-Authenticate", format!("Basic realm=\"{}\"", dialect.name))
        }),
        (None, _, true) => by_parameters(parameters, client),
        (None, _, false) => Err(Refusal::invalid_client(match dialect.basic {
            Some(_) => format!("{} wants the client in HTTP Basic; there is none", dialect.name),
            None => format!("{} takes client_id and client_secret {place}", dialect.name),
        })),
    }
}

fn by_parameters(parameters: &Parameters, client: &Credentials) -> Result<(), Refusal> {
    let need = |name| {
        let missing = || Refusal::invalid_client(format!("the parameter {name} is missing"));
        parameters.get(name).ok_or_else(missing)
    };
    check(need("client_id")?.expose(), need("client_secret")?, client)
}

fn by_basic(dialect: &Dialect, header: &str, client: &Credentials) -> Result<(), Refusal> {
    let Some(encoding) = dialect.basic else {
        return Err(Refusal::invalid_client(format!(
            "{} takes client_id and client_secret {}; this request has an Authorization header",
            dialect.name,
            dialect.place.phrase()
        )));
    };
    let pair = user_pass(header).ok_or_else(|| {
        Refusal::invalid_client("the Authorization header is not Basic with base64 of ID:SECRET")
    })?;
    let (id, secret) = pair.expose().split_once(':').unwrap_or_default();
    match encoding {
        BasicEncoding::Raw => {
            let result = check(id, &secret.into(), client);
            if result.is_err() && by_form_encoding(id, secret, client).is_ok() {
                return Err(Refusal::invalid_client(format!(
                    "{} takes id and secret as they are; these are form-encoded",
                    dialect.name
                )));
            }
            result
        }
        BasicEncoding::Form => by_form_encoding(id, secret, client),
    }
}

/// The decoded `ID:SECRET` of a Basic header (RFC 7617).
fn user_pass(header: &str) -> Option<Secret> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    pair.contains(':').then(|| pair.into())
}

/// Takes id and secret as RFC 6749 section 2.3.1 encodes them, with nothing bare that is encoded.
fn by_form_encoding(id: &str, secret: &str, client: &Credentials) -> Result<(), Refusal> {
    let is_encoded = |byte: u8| byte.is_ascii_alphanumeric() || b"*-._+%~".contains(&byte);
    if !id.bytes().chain(secret.bytes()).all(is_encoded) {
        return Err(Refusal::invalid_client(
            "id and secret are to be form-encoded in HTTP Basic (RFC 6749 section 2.3.1)",
        ));
    }
    let decode = |text| form_decode(text).map_err(Refusal::invalid_client);
    check(decode(id)?.expose(), &decode(secret)?, client)
}

fn check(id: &str, secret: &Secret, client: &Credentials) -> Result<(), Refusal> {
    if id == client.client_id && *secret == client.client_secret {
        Ok(())
    } else {
        Err(Refusal::invalid_client("client_id or client_secret is wrong"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::raw_client::{FORM, JSON, basic, post};
    use super::super::{Options, Provider, Sandbox};

    const GRANT: &str = "grant_type=client_credentials";
    const POSTED: &str =
        "grant_type=client_credentials&client_id=sandbox-client&client_secret=client%2fsecret%3a1";

    #[test]
    fn the_client_proves_itself_in_one_place_and_in_the_right_encoding() {
        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        let (standard, kabbage) = (Provider::Standard, Provider::Kabbage);
        let encoded = basic("sandbox-client:client%2Fsecret%3A1");
        let raw = basic("sandbox-client:client/secret:1");
        let wrong = basic("sandbox-client:wrong");
        let colonless = basic("sandbox-client");
        let two = "400 invalid_request the client proves itself in two places";
        let malformed = "401 invalid_client the Authorization header is not Basic";
        for (provider, headers, body, expected) in [
            (standard, vec![FORM], GRANT, "401 invalid_client wants the client in HTTP Basic"),
            (standard, vec![FORM, &encoded], POSTED, two),
            (kabbage, vec![FORM, &raw], POSTED, two),
            (standard, vec![FORM, &encoded], "grant_type=client_credentials&client_id=x", two),
            (standard, vec![FORM, &encoded], "grant_type=client_credentials&client_secret=", two),
            (standard, vec![FORM, &encoded, &encoded], GRANT, "400 invalid_request more than one"),
            (standard, vec![FORM, &raw], GRANT, "401 invalid_client form-encoded"),
            (kabbage, vec![FORM, &encoded], GRANT, "401 invalid_client these are form-encoded"),
            (standard, vec![FORM, &wrong], GRANT, "401 invalid_client is wrong"),
            (kabbage, vec![FORM, &wrong], GRANT, "401 invalid_client is wrong"),
            (standard, vec![FORM, &colonless], GRANT, malformed),
            (standard, vec![FORM, "Authorization: Basic !"], GRANT, malformed),
            (standard, vec![FORM, "Authorization: Bearer x"], GRANT, malformed),
            (
                standard,
                vec![FORM],
                "client_id=sandbox-client&client_secret=",
                "401 invalid_client the parameter client_secret is missing",
            ),
            (
                standard,
                vec![FORM],
                "client_id=x&client_secret=client/secret:1",
                "401 invalid_client is wrong",
            ),
            (
                Provider::Bindeo,
                vec![JSON],
                "{}",
                "401 invalid_client takes client_id and client_secret as a JSON body",
            ),
        ] {
            let reply = post(&sandbox, provider, &headers, body);
            reply.assert_refused(expected);
            let challenged = reply.header("www-authenticate").is_some();
            assert_eq!(challenged, reply.status == 401 && headers.len() > 1, "{expected}");
        }
        assert_eq!(post(&sandbox, kabbage, &[FORM], POSTED).status, 200);
        assert_eq!(post(&sandbox, standard, &[FORM], POSTED).status, 200);
    }
}
