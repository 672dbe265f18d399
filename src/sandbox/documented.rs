//! What the documents show is granted byte for byte; what another's document shows is refused.

use super::raw_client::{BY_PASSWORD, Reply, request, send, token_request};
use super::{Credentials, Options, Provider, Sandbox};

/// A document's own credentials, and its requests: log-in by client, by password, and refresh.
///
/// Each is method and target, header lines, and body; `{refresh_token}` is all that is filled in.
struct Document {
    provider: Provider,
    /// Client ID, client secret, username, password.
    credentials: [&'static str; 4],
    requests: &'static [(&'static str, &'static [&'static str], &'static str)],
}

const JSON: &[&str] = &["content-type: application/json"];
const FORM: &[&str] = &["Content-Type: application/x-www-form-urlencoded"];
const BASIC: &[&str] = &[
    "Authorization: Basic Q0xJRU5UX0lEOkNMSUVOVF9TRUNSRVQ=",
    "Content-Type: application/x-www-form-urlencoded",
];

const DOCUMENTS: [Document; 4] = [
    Document {
        provider: Provider::Bindeo,
        credentials: ["YOUR CLIENT ID", "YOUR CLIENT SECRET", "USERNAME", "USER PASSWORD"],
        requests: &[
            (
                "POST /bindeo/access_token",
                JSON,
                r#"{"grant_type":"client_credentials","client_id":"YOUR CLIENT ID","client_secret":"YOUR CLIENT SECRET"}"#,
            ),
            (
                "POST /bindeo/access_token",
                JSON,
                r#"{"grant_type":"password","client_id":"YOUR CLIENT ID","client_secret":"YOUR CLIENT SECRET","username":"USERNAME","password":"USER PASSWORD"}"#,
            ),
            (
                "POST /bindeo/access_token",
                JSON,
                r#"{"grant_type":"refresh_token","client_id":"YOUR CLIENT ID","client_secret":"YOUR CLIENT SECRET","refresh_token":"{refresh_token}"}"#,
            ),
        ],
    },
    Document {
        provider: Provider::Musement,
        credentials: ["{client_id}", "{client_secret}", "{username}", "{password}"],
        requests: &[
            (
                "GET /musement/api/v3/login?client_id={client_id}&client_secret={client_secret}&grant_type=client_credentials",
                &[],
                "",
            ),
            (
                "GET /musement/api/v3/login?client_id={client_id}&client_secret={client_secret}&grant_type=password&username={username}&password={password}",
                &[],
                "",
            ),
            (
                "GET /musement/api/v3/login?client_id={client_id}&client_secret={client_secret}&refresh_token={refresh_token}&grant_type=refresh_token",
                &[],
                "",
            ),
        ],
    },
    Document {
        provider: Provider::Kabbage,
        credentials: ["CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD"],
        requests: &[
            ("POST /kabbage/auth/token", BASIC, "grant_type=client_credentials"),
            (
                "POST /kabbage/auth/token",
                BASIC,
                "grant_type=password&username=USERNAME&password=PASSWORD",
            ),
            (
                "POST /kabbage/auth/token",
                BASIC,
                "grant_type=refresh_token&refresh_token={refresh_token}",
            ),
            (
                "POST /kabbage/auth/token",
                FORM,
                "grant_type=client_credentials&client_id=CLIENT_ID&client_secret=CLIENT_SECRET",
            ),
        ],
    },
    Document {
        provider: Provider::Barapi,
        credentials: [
            "332269999912132097",
            "937it3ow87i4ery69876wqire",
            "john@doe.com",
            "mypassword123",
        ],
        requests: &[
            (
                "POST /barapi/oauth/token",
                FORM,
                "client_id=332269999912132097&client_secret=937it3ow87i4ery69876wqire&grant_type=password&username=john%40doe.com&password=mypassword123&scope=",
            ),
            (
                "POST /barapi/oauth/token",
                FORM,
                "client_id=332269999912132097&client_secret=937it3ow87i4ery69876wqire&grant_type=refresh_token&refresh_token={refresh_token}",
            ),
        ],
    },
];

#[test]
fn each_documents_requests_are_granted_byte_for_byte() {
    for Document { provider, credentials, requests } in DOCUMENTS {
        let [client_id, client_secret, username, password] = credentials;
        let credentials = Credentials {
            client_id: client_id.to_owned(),
            client_secret: client_secret.into(),
            username: username.to_owned(),
            password: password.into(),
        };
        let sandbox =
            Sandbox::start(Options { credentials, ..Options::default() }).expect("a sandbox");
        let mut refresh_token = String::new();
        for (line, headers, body) in requests {
            let line = line.replace("{refresh_token}", &refresh_token);
            let body = body.replace("{refresh_token}", &refresh_token);
            let reply = send(&sandbox, request(&line, headers, &body));
            assert_eq!(reply.status, 200, "{line} {body} {}", reply.text());
            refresh_token = reply.member("refresh_token");
        }
        assert!(sandbox.counts(provider).other == 0);
    }
}

/// The request of one provider, sent to the token endpoint of another.
fn astray(sandbox: &Sandbox, from: Provider, to: Provider) -> Reply {
    let path =
        |provider: Provider| format!("/{}{}", provider.name(), provider.dialect().token_path);
    let request = token_request(from, BY_PASSWORD);
    send(sandbox, request.replacen(&path(from), &path(to), 1))
}

#[test]
fn a_request_in_anothers_dialect_is_refused_with_what_is_wrong() {
    const POST: &str = "405 invalid_request the method POST, not GET";
    const GET: &str = "405 invalid_request the method GET, not POST";
    const IS_FORM: &str = "400 invalid_request this request has a form";
    const IS_JSON: &str = "400 invalid_request this request has a JSON body";
    const EMPTY_SCOPE: &str = "400 invalid_request the parameter scope is empty";
    const BASIC: &str = "401 invalid_client this request has an Authorization header";
    const RAW: &str = "401 invalid_client id and secret are to be form-encoded";
    const ENCODED: &str = "401 invalid_client these are form-encoded";
    const GRANTED: &str = "200 ";
    let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
    // A row for each sender, in the order of `Provider::ALL`, as the columns.
    let table = [
        [GRANTED, POST, IS_JSON, IS_JSON, IS_JSON],
        [GET, GRANTED, GET, GET, GET],
        [IS_FORM, POST, GRANTED, BASIC, RAW],
        [IS_FORM, POST, EMPTY_SCOPE, GRANTED, EMPTY_SCOPE],
        [IS_FORM, POST, ENCODED, BASIC, GRANTED],
    ];
    for (from, row) in Provider::ALL.into_iter().zip(table) {
        for (to, expected) in Provider::ALL.into_iter().zip(row) {
            astray(&sandbox, from, to).assert_refused(expected);
        }
    }
}
