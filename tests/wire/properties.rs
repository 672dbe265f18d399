//! What holds for every request and every answer, tried with thousands at random.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use oauthctl::profile::dialect::{BasicEncoding, Format, Method, RequestDialect, ResponseDialect};
use oauthctl::secret::Secret;
use oauthctl::terms::ClientAuthMethod;
use oauthctl::wire::client_auth::ClientCredentials;
use oauthctl::wire::redact::Redactor;
use oauthctl::wire::request::{TokenRequest, encode};
use oauthctl::wire::response::{decode, expires_at};
use oauthctl::wire::{HttpRequest, HttpResponse, transcript};
use proptest::prelude::*;
use url::{Url, form_urlencoded};

const ESC: char = '\u{1b}';

/// Long and odd enough not to stand in any message by chance.
const SECRET: &str = "[A-Z0-9%&+/<>'\"\\\\ \u{1}é😀]{8,40}";

fn credentials(id: &str, secret: &str, method: ClientAuthMethod) -> ClientCredentials {
    ClientCredentials { client_id: id.to_owned(), secret: Some(Secret::from(secret)), method }
}

fn sent(
    [id, secret, username, password]: [&str; 4],
    dialect: &RequestDialect,
    method: ClientAuthMethod,
) -> HttpRequest {
    let request = TokenRequest::password(username, Secret::from(password), &[]);
    let endpoint = Url::parse("https://as.example/t").unwrap();
    encode(&request, &endpoint, dialect, &credentials(id, secret, method)).unwrap()
}

fn unform(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// The same secret as servers may repeat it.
fn disguises(secret: &str) -> Vec<String> {
    let bytes: Vec<_> = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let units: Vec<_> = secret.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    let chars: Vec<_> = secret.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect();
    let json = serde_json::to_string(secret).unwrap();
    vec![
        secret.to_owned(),
        form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        bytes.concat(),
        json[1..json.len() - 1].to_owned(),
        json[1..json.len() - 1].replace('/', "\\/"),
        units.concat(),
        secret
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;"),
        chars.concat(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn credentials_of_any_language_come_through_every_format(
        values in ["\\PC{1,20}", any::<String>(), any::<String>(), any::<String>()],
    ) {
        let [id, secret, username, password] = [0, 1, 2, 3].map(|i| values[i].as_str());
        let expected = [
            ("grant_type", "password"),
            ("client_id", id),
            ("client_secret", secret),
            ("username", username),
            ("password", password),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let post = ClientAuthMethod::ClientSecretPost;

        let form = sent([id, secret, username, password], &RequestDialect::default(), post);
        prop_assert_eq!(&unform(form.body.unwrap().expose()), &expected);

        let json = RequestDialect { format: Format::Json, ..RequestDialect::default() };
        let json = sent([id, secret, username, password], &json, post);
        let json: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(json.body.unwrap().expose()).unwrap();
        prop_assert_eq!(json.len(), expected.len());
        for (name, value) in &expected {
            prop_assert_eq!(json[name].as_str(), Some(value.as_str()));
        }

        let query = RequestDialect {
            format: Format::Query,
            method: Method::Get,
            ..RequestDialect::default()
        };
        let query = sent([id, secret, username, password], &query, post);
        let whole = format!("https://as.example{}", query.target().expose());
        let pairs: Vec<_> = Url::parse(&whole).unwrap().query_pairs().into_owned().collect();
        prop_assert_eq!(&pairs, &expected);
    }

    #[test]
    fn credentials_of_any_language_come_through_basic(
        id in "[^:\\pC]{1,20}",
        odd in "\\PC{1,20}",
        secret in "\\PC{0,20}",
    ) {
        let pair = |id: &str, encoding| {
            let credentials = credentials(id, &secret, ClientAuthMethod::ClientSecretBasic);
            let value = credentials.authenticate(encoding).unwrap().authorization.unwrap();
            let pair = BASE64_STANDARD.decode(value.expose().strip_prefix("Basic ").unwrap());
            let pair = String::from_utf8(pair.unwrap()).unwrap();
            let (id, secret) = pair.split_once(':').unwrap();
            (id.to_owned(), secret.to_owned())
        };
        prop_assert_eq!(pair(&id, BasicEncoding::Raw), (id, secret.clone()));
        let (sent_id, sent_secret) = pair(&odd, BasicEncoding::Rfc6749);
        let decoded = unform(format!("{sent_id}={sent_secret}").as_bytes());
        prop_assert_eq!(decoded, [(odd, secret)]);
    }

    #[test]
    fn no_answer_makes_it_panic(
        status in 100..1000_u16,
        content_type in proptest::option::of("\\PC{0,30}"),
        location in proptest::option::of(any::<String>()),
        body in prop_oneof![
            any::<Vec<u8>>(),
            any::<String>().prop_map(String::into_bytes),
            "[\\[{\"a:,}\\]0-9e]{0,40}".prop_map(String::into_bytes),
            "(<|</)?title>?[^<]{0,9}(İ|</title>)?".prop_map(String::into_bytes),
            r#"\{("(access_token|expires_in|scope|error|token_type)":("a"|1|-1|1e99|null|\[\]|\{\}|"\.e30\."),?){0,5}\}"#
                .prop_map(|text| text.replace(",}", "}").into_bytes()),
        ],
        pointer in proptest::option::of("/\\PC{0,5}(/0)?"),
        now in any::<i64>(),
    ) {
        let response = HttpResponse {
            status,
            content_type,
            location,
            body: body.into(),
            ..HttpResponse::default()
        };
        let dialect = ResponseDialect {
            expires_in: pointer.clone(),
            scope: pointer,
            scope_separator: Some(",".to_owned()),
            ..ResponseDialect::default()
        };
        let redactor = Redactor::new([Secret::from("secret")]);
        if let Ok(token) = decode(&response, &dialect, &redactor) {
            prop_assert!(expires_at(&token, now, &dialect).is_none_or(|end| end >= now));
        }
        let shown = transcript::answer(&response, &redactor).to_string();
        prop_assert!(!shown.contains(ESC));
    }

    #[test]
    fn whatever_a_server_repeats_we_do_not(
        secret in SECRET,
        disguise in 0..8_usize,
        around in ["[a-z .,:]{0,9}", "[a-z .,:]{0,9}"],
        status in prop_oneof![Just(200_u16), Just(302), Just(400), Just(503)],
        shape in 0..6,
    ) {
        let echo = &disguises(&secret)[disguise];
        let text = format!("{}{echo}{}", around[0], around[1]);
        let json = |member: &str| serde_json::json!({ member: text, "error": "e" }).to_string();
        let (content_type, body) = match shape {
            0 => ("application/json", json("error_description")),
            1 => ("application/json", json("error_uri")),
            2 => ("application/json", serde_json::json!({ "error": text }).to_string()),
            3 => ("text/html", format!("<title>{text}</title>")),
            4 => ("text/plain", text.clone()),
            _ => (text.as_str(), json("token_type")),
        };
        let response = HttpResponse {
            status,
            content_type: Some(content_type.to_owned()),
            location: Some(format!("https://{text}/")),
            body: body.into_bytes().into(),
            ..HttpResponse::default()
        };
        let redactor = Redactor::new([Secret::from(secret.as_str())]);
        let error = decode(&response, &ResponseDialect::default(), &redactor).unwrap_err();
        let answer = transcript::answer(&response, &redactor);
        for shown in [error.to_string(), format!("{error:?}"), answer.to_string()] {
            for hidden in disguises(&secret) {
                prop_assert!(!shown.contains(&hidden), "{shown} repeats {hidden}");
            }
        }
    }

    #[test]
    fn what_is_shown_of_a_request_has_no_secret_in_it(
        values in [SECRET, SECRET, SECRET, SECRET],
        format in prop_oneof![Just(Format::Form), Just(Format::Json), Just(Format::Query)],
        method in prop_oneof![
            Just(ClientAuthMethod::ClientSecretBasic),
            Just(ClientAuthMethod::ClientSecretPost),
        ],
    ) {
        let [secret, password, param, own] = [0, 1, 2, 3].map(|i| values[i].as_str());
        let dialect = RequestDialect {
            format,
            params: vec![("tenant".to_owned(), param.to_owned())],
            headers: vec![("X-Key".to_owned(), param.to_owned())],
            ..RequestDialect::default()
        };
        let mut endpoint = Url::parse("https://as.example/t").unwrap();
        endpoint.query_pairs_mut().append_pair("key", own).append_key_only(own);
        let request = TokenRequest::password("alice", Secret::from(password), &[]);
        let credentials = credentials("client", secret, method);
        let shown = transcript::request(&request, &endpoint, &dialect, &credentials).unwrap();
        let basic = credentials.authenticate(dialect.basic_encoding).unwrap().authorization;
        let hidden = values.iter().flat_map(|value| disguises(value));
        for hidden in hidden.chain(basic.map(|value| value.expose().clone())) {
            prop_assert!(!shown.to_string().contains(&hidden), "{shown} shows {hidden}");
        }
    }
}
