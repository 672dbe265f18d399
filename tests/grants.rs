//! Every grant of every documented provider, from the command to the bytes that reach the server.

use oauthctl::sandbox::Provider::{self, Bindeo, Kabbage, Musement, Standard};

use super::support::Test;

/// What every request that has a form in its body begins with.
const FORM: &str = "accept: application/json\ncontent-type: application/x-www-form-urlencoded\n";
const JSON: &str = "accept: application/json\ncontent-type: application/json\n";
const QUERY: &str = "accept: application/json\n";

/// `sandbox-client` and its secret, as they are (RFC 2617) and form-encoded (RFC 6749).
const RAW: &str = "Basic c2FuZGJveC1jbGllbnQ6Y2xpZW50L3NlY3JldDox";
const ENCODED: &str = "Basic c2FuZGJveC1jbGllbnQ6Y2xpZW50JTJGc2VjcmV0JTNBMQ==";

fn basic(credentials: &str) -> String {
    FORM.replace("content-type", &format!("authorization: {credentials}\ncontent-type"))
}

/// The request of a grant at each provider that has it; `{}` stands for the refresh token.
fn documented(grant: &str) -> Vec<(Provider, String)> {
    let form = match grant {
        "password" => "&username=user%40sandbox&password=user%2Fpassword%3A1",
        "refresh_token" => "&refresh_token={}",
        _ => "",
    };
    let json = match grant {
        "password" => r#","username":"user@sandbox","password":"user/password:1""#,
        "refresh_token" => r#","refresh_token":"{}""#,
        _ => "",
    };
    let client = "client_id=sandbox-client&client_secret=client%2Fsecret%3A1";
    let mut requests = vec![
        (
            Bindeo,
            format!(
                "POST /bindeo/access_token\n{JSON}{{\"grant_type\":\"{grant}\",\
                 \"client_id\":\"sandbox-client\",\"client_secret\":\"client/secret:1\"{json}}}"
            ),
        ),
        (
            Musement,
            format!("GET /musement/api/v3/login?grant_type={grant}&{client}{form}\n{QUERY}"),
        ),
        (Kabbage, format!("POST /kabbage/auth/token\n{}grant_type={grant}{form}", basic(RAW))),
        (Standard, format!("POST /standard/token\n{}grant_type={grant}{form}", basic(ENCODED))),
    ];
    if grant != "client_credentials" {
        let scope = if grant == "password" { "&scope=" } else { "" };
        let body = format!("grant_type={grant}&{client}{form}{scope}");
        requests.push((Provider::Barapi, format!("POST /barapi/oauth/token\n{FORM}{body}")));
    }
    requests
}

#[test]
fn each_provider_is_asked_by_password_exactly_as_its_document_says() {
    let test = Test::new().sandbox();
    for (provider, request) in documented("password") {
        test.words("login --profile").arg(provider.name()).run().success().stdout_is("");
        assert_eq!(test.sent(), request);
        assert_eq!(test.asked(provider), 1);
        let header = format!("Authorization: Bearer {}\n", test.access_token());
        let run = test.words("header --profile").arg(provider.name()).prints_secrets().run();
        run.success().stdout_is(&header);
        assert_eq!(test.asked(provider), 1, "a fresh token needs no request");
    }
}

#[test]
fn each_provider_is_asked_by_client_credentials_exactly_as_its_document_says() {
    let test = Test::new().sandbox();
    for (provider, request) in documented("client_credentials") {
        let run = test.words("client-token --profile").arg(provider.name()).prints_secrets().run();
        run.success().stdout_is(&format!("{}\n", test.access_token())).stderr_is("");
        assert_eq!(test.sent(), request);
    }
}

#[test]
fn each_provider_is_asked_to_refresh_exactly_as_its_document_says() {
    let test = Test::new().sandbox();
    for (provider, request) in documented("refresh_token") {
        test.words("login --profile").arg(provider.name()).run().success();
        for _ in 0..2 {
            // The token of the last answer is sent, never an older one.
            let token = test.refresh_token();
            let token = if provider == Bindeo {
                token
            } else {
                token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
            };
            test.words("refresh --profile").arg(provider.name()).run().success().stdout_is("");
            assert_eq!(test.sent(), request.replace("{}", &token));
        }
        let header = format!("Authorization: Bearer {}\n", test.access_token());
        let run = test.words("header --profile").arg(provider.name()).prints_secrets().run();
        run.success().stdout_is(&header);
    }
}

#[test]
fn a_whole_life_at_each_provider_ends_with_nothing_to_hand_out() {
    for provider in Provider::ALL {
        let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", provider.name());
        test.words("header").run().fails_with(4);
        test.words("login").run().success();
        test.words("token").prints_secrets().run().success();
        test.words("refresh").run().success();
        let show = test.words("show --json -p").arg(provider.name()).run().success().json();
        assert_eq!(
            (&show[0]["status"], &show[0]["grant_type"]),
            (&"valid".into(), &"password".into())
        );
        test.words("logout").run().success().stdout_is("");
        test.words("header").run().fails_with(4);
    }
}

#[test]
fn barapi_has_no_client_credentials_so_they_are_exit_3_before_any_request() {
    let test = Test::new().sandbox();
    for command in [
        "client-token",
        "client-token --no-store",
        "client-token --dry-run",
        "header --as client",
        "token --as client",
        "refresh --as client",
    ] {
        let outcome = test.words(command).env("OAUTHCTL_PROFILE", "barapi").run().fails_with(3);
        outcome.stderr_has("the grant client_credentials: its grants are password, refresh_token");
    }
    assert_eq!(test.asked(Provider::Barapi), 0);
}

#[test]
fn a_refresh_token_that_came_with_a_machine_token_is_not_kept() {
    let test = Test::new().sandbox();
    test.words("client-token -p musement").prints_secrets().run().success();
    let issued = test.server().requests()[0].issued.len();
    assert_eq!(issued, 2, "musement sends one");
    let show = test.words("show -p musement --reveal --json").prints_secrets().run().success();
    let object = &show.json()[0];
    assert_eq!(
        (&object["has_refresh_token"], &object["refresh_token"]),
        (&false.into(), &().into())
    );
    test.words("refresh -p musement --as client").run().success();
    assert_eq!(test.server().counts(Musement).client_credentials, 2);
    assert_eq!(test.server().counts(Musement).refresh_token, 0);
}

#[test]
fn musements_comma_separates_scopes() {
    let test = Test::new().sandbox();
    let outcome = test.words("login -p musement --json").run().success();
    assert_eq!(outcome.json()["scope"], serde_json::json!(["user", "password"]));
}

#[test]
fn the_scope_goes_along_as_each_provider_wants_it() {
    let test = Test::new().sandbox();
    for (provider, expected) in [
        (Bindeo, r#""scope":"a b"}"#),
        (Musement, "&scope=a+b"),
        (Kabbage, "&scope=a+b"),
        (Provider::Barapi, "&scope=a+b"),
        (Standard, "&scope=a+b"),
    ] {
        let login = test.words("login --scope a --scope b --profile").arg(provider.name());
        login.run().success();
        assert!(test.sent().contains(expected), "{}", test.sent());
    }
    let show = test.words("show -p standard --json").run().success().json();
    assert_eq!(show[0]["scope"], serde_json::json!(["a", "b"]));
}

#[test]
fn extra_parameters_and_headers_go_along() {
    let lines =
        "[request]\nparams = { audience = \"api\" }\nheaders = { Accept-Language = \"fr\" }\n";
    let test = Test::new().server_alone().variant("x", Standard, lines);
    test.words("client-token -p x").prints_secrets().run().success();
    assert!(test.sent().ends_with("grant_type=client_credentials&audience=api"), "{}", test.sent());
    let head = test.server().requests()[0].head.expose().to_ascii_lowercase();
    assert!(head.contains("\naccept-language: fr\r\n"), "{head}");
}
