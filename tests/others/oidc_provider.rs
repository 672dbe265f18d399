//! npm's oidc-provider, a certified one.

use std::net::TcpListener;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Maker, Person, World, introspected, is_verified, kept};

pub(super) const CLIENT: &str = "client_id = \"signed-by-RS256\"\n";
const ALL: &str = "scope = [\"openid\", \"email\", \"offline_access\"]\n";

impl Person {
    /// Signs in where that is asked, and agrees to all, until there is nothing more to agree to.
    fn agrees(&self, name: &str, end: &str) {
        let sign_in = "input[name=login]";
        let agree = "button[autofocus].login-submit, button[form='op.deviceInputForm'], \
                     button[form='op.deviceConfirmForm'][autofocus]";
        let shows = |element: &str| format!("document.querySelector(\"{element}\")");
        let reads = format!("document.body.innerText.includes('{end}')");
        loop {
            let asked =
                [(&*shows(sign_in), "who"), (&*shows(agree), "whether"), (&*reads, "no more")];
            match self.waits_for_one(&asked) {
                "who" => {
                    self.types(sign_in, name);
                    self.types("input[name=password]", "any");
                    self.presses("button[type=submit]");
                }
                "whether" => self.presses(agree),
                _ => return,
            }
        }
    }

    pub(super) fn logs_in(&self, name: &str) {
        self.agrees(name, "You are logged in");
    }
}

#[test]
fn an_issuer_and_a_client_are_enough_for_a_whole_life_of_a_session() {
    let Some(world) = World::of(Maker::OidcProvider) else { return };
    let test = world.user(&format!("{CLIENT}{ALL}"));
    let person = world.person();
    let login = test.words("login").start();
    person.opens(test.opens().url.as_str());
    person.logs_in("alice");
    let shown = is_verified(&test, login.ends());
    assert_eq!((&shown["subject"], &shown["has_refresh_token"]), (&"alice".into(), &true.into()));
    let first = (kept(&test, "access_token"), kept(&test, "refresh_token"));
    let test = test.secret(&first.0).secret(&first.1);

    let told = test.words("userinfo --json").run().success().json();
    assert_eq!((&told["sub"], &told["email"]), (&"alice".into(), &"alice@people.example".into()));
    let told = introspected(&test, &first.0);
    assert_eq!((&told["active"], &told["sub"]), (&true.into(), &"alice".into()), "{told}");

    test.words("refresh").run().success();
    let second = (kept(&test, "access_token"), kept(&test, "refresh_token"));
    assert!(first.0 != second.0 && first.1 != second.1);
    let test = test.secret(&second.0).secret(&second.1);
    test.words("logout").run().success();
    for token in [&second.0, &second.1] {
        assert_eq!(introspected(&test, token)["active"], false);
    }
    test.words("header").run().fails_with(4);
}

#[test]
fn a_refresh_token_that_was_rotated_is_refused_and_its_session_ends() {
    let Some(world) = World::of(Maker::OidcProvider) else { return };
    let test = world.user(&format!("{CLIENT}{ALL}"));
    let person = world.person();
    let login = test.words("login").start();
    person.opens(test.opens().url.as_str());
    person.logs_in("bob");
    is_verified(&test, login.ends());
    let old = kept(&test, "refresh_token");
    test.words("refresh").run().success();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &old),
        ("client_id", "signed-by-RS256"),
    ];
    let (status, answer) = world.post("/token", &form);
    assert_eq!((status, &answer["error"]), (400, &"invalid_grant".into()));
    let ended = test.words("refresh").run().fails_with(4);
    ended.stderr_has("invalid_grant").stderr_has("hint: oauthctl login --profile x");
}

#[test]
fn an_id_token_is_verified_whatever_it_is_signed_by_and_wherever_the_browser_comes_back() {
    let Some(world) = World::of(Maker::OidcProvider) else { return };
    let person = world.person();
    let v6 = TcpListener::bind("[::1]:0").map_or("localhost", |_| "[::1]");
    for (algorithm, host) in
        [("RS256", "127.0.0.1"), ("PS256", "127.0.0.1"), ("ES256", v6), ("EdDSA", "localhost")]
    {
        let test = world.user(&format!(
            "client_id = \"signed-by-{algorithm}\"\nscope = [\"openid\"]\n\
             redirect_uri = \"http://{host}/callback\"\n"
        ));
        let login = test.words("login").start();
        person.opens(test.opens().url.as_str());
        person.logs_in("carol");
        is_verified(&test, login.ends());
        let token = test.words("token --id").prints_secrets().run().success().stdout;
        let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["alg"], algorithm);
    }
}

#[test]
fn what_is_asked_is_pushed_by_a_client_of_odd_characters_for_one_resource() {
    let Some(world) = World::of(Maker::OidcProvider) else { return };
    let secret = "its secret: 100% +&=?/\"\\";
    let client = "client_id = 'a client: 100% +&=?/\"'\nclient_secret = { env = \"SECRET\" }\n\
                  scope = [\"openid\", \"read\", \"offline_access\"]\n\
                  resource = [\"https://api.example/v1\"]\n";
    let test = world.user(client).env("SECRET", secret).secret(secret);
    let person = world.person();
    let refused = test.words("login").start();
    person.opens(test.opens().url.as_str());
    person.reads("The login did not work");
    refused.ends().fails_with(5).stderr_has("Pushed Authorization Request");

    let profile = test.config().join("profiles/x.toml");
    let pushed = std::fs::read_to_string(&profile).unwrap() + "\n[authorization]\npushed = true\n";
    std::fs::write(&profile, pushed).unwrap();
    let login = test.words("login").start();
    let visit = test.opens_alone();
    let names: Vec<_> = visit.url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["client_id", "response_type", "request_uri"]);
    person.opens(visit.url.as_str());
    person.logs_in("dave");
    let shown = is_verified(&test, login.ends());
    assert_eq!(shown["claims"]["aud"], "https://api.example/v1", "{shown}");
    assert_eq!(shown["claims"]["scope"], "read", "{shown}");
    test.words("refresh").run().success();
    let refresh_token = kept(&test, "refresh_token");
    assert_eq!(introspected(&test, &refresh_token)["active"], true);
    test.words("logout").run().success();
    assert_eq!(introspected(&test, &refresh_token)["active"], false);
}

#[test]
fn who_refuses_ends_the_login_with_exit_5() {
    let Some(world) = World::of(Maker::OidcProvider) else { return };
    let test = world.user(&format!("{CLIENT}{ALL}"));
    let person = world.person();
    let login = test.words("login").start();
    person.opens(test.opens().url.as_str());
    person.presses("a[href$='/abort']");
    person.reads("The login did not work");
    person.reads("access_denied");
    login.ends().fails_with(5).stderr_has("access_denied");
    test.words("header").run().fails_with(4);
}

#[test]
fn a_device_is_let_in_by_its_code_or_kept_out() {
    let Some(world) = World::of(Maker::OidcProvider) else { return };
    let test = world.user(&format!("{CLIENT}{ALL}"));
    let person = world.person();
    let mut login = test.words("login --grant device_code").start();
    let complete = login.shows(&format!("{}/device?user_code=", world.server.issuer));
    person.opens(complete.url.as_str());
    person.agrees("erin", "Sign-in Success");
    let shown = is_verified(&test, login.ends());
    assert_eq!(shown["subject"], "erin");
    assert_eq!(shown["grant_type"], "device_code");
    test.words("refresh").run().success();

    let mut login = test.words("login --grant device_code").start();
    let complete = login.shows(&format!("{}/device?user_code=", world.server.issuer));
    person.opens(complete.url.as_str());
    person.presses("button[name=abort]");
    person.reads("interrupted");
    login.ends().fails_with(5).stderr_has("access_denied");
    test.words("header").prints_secrets().run().success();
}

#[test]
fn a_server_makes_a_client_and_that_client_logs_in() {
    let Some(world) = World::of(Maker::OidcProvider) else { return };
    let test = world.user(CLIENT).secret("the-word-of-the-house");
    let add = format!(
        "profile add made --issuer {} --register --registration-token-stdin --scope openid",
        world.server.issuer
    );
    test.words(&add).stdin("the-word-of-another-house").run().fails_with(5);
    test.words(&add).stdin("the-word-of-the-house").run().success();
    let person = world.person();
    let login = test.words("login --profile made").start();
    person.opens(test.opens().url.as_str());
    person.logs_in("frank");
    login.ends().success().stderr_has("Logged in to made");
    test.words("header --profile made").prints_secrets().run().success();
}
