//! ID tokens, signed by real keys: what is believed, what is only kept, and what ends a login.

use std::net::TcpListener;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{World, tokens};
use crate::support::Outcome;
use crate::support::signer::{Signer, base64url, lacks_openssl, openssl, shared, unsigned};

const CODE: &str = "code=c0de-of-a-person";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn world_with(lines: &str, keys: &Value) -> World {
    let world = World::with(&format!("scope = [\"openid\"]\n{lines}"));
    world.has_keys(keys);
    world
}

fn world(keys: &Value) -> World {
    world_with("", keys)
}

impl World {
    fn has_keys(&self, keys: &Value) {
        self.says(|script| {
            script.other.retain(|(path, ..)| *path != "/jwks");
            script.other.push(("/jwks", 200, json!({ "keys": keys })));
        });
    }

    /// As if the keys that are remembered had been fetched then.
    fn keys_are_from(&self, then: u64) {
        let files = std::fs::read_dir(self.test.data().join("metadata")).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        let keys = files.find(|path| path.extension().is_some_and(|e| e == "keys")).unwrap();
        let mut document: Value = serde_json::from_slice(&std::fs::read(&keys).unwrap()).unwrap();
        document["fetched_at"] = then.into();
        std::fs::write(&keys, document.to_string()).unwrap();
    }

    /// How often the keys were asked for.
    fn key_fetches(&self) -> usize {
        let requests = self.server.requests();
        requests.iter().filter(|request| request.starts_with("GET /jwks ")).count()
    }

    /// What a right ID token says.
    fn claims(&self, nonce: Option<String>) -> Value {
        let mut claims = json!({
            "iss": self.server.url(""), "sub": "alice", "aud": "us",
            "iat": now(), "exp": now() + 300,
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        claims
    }

    fn answers_with(&self, id_token: &str) {
        let mut tokens = tokens();
        tokens["id_token"] = id_token.into();
        self.says(|script| script.token = vec![(200, tokens)]);
    }

    /// A login that brings the ID token that `make` makes of right claims.
    #[track_caller]
    fn logs_in_with(&self, make: impl FnOnce(Value) -> String) -> Outcome {
        let login = self.test.words("login").start();
        let visit = self.test.opens();
        self.answers_with(&make(self.claims(visit.maybe("nonce"))));
        visit.comes_back_with(CODE);
        login.ends()
    }

    /// What `show` tells of it.
    #[track_caller]
    fn shown(&self) -> Value {
        let shown = self.test.words("show --claims --json").run().success().json();
        shown[0].clone()
    }

    #[track_caller]
    fn assert_verified(&self, verified: bool) {
        let shown = self.shown();
        assert_eq!(shown["id_token_verified"], verified, "{shown}");
        assert_eq!(shown["id_token_claims"]["sub"], "alice");
    }

    /// The login ended with this word to the person, and nothing is kept.
    #[track_caller]
    fn assert_refuses(&self, why: &str, make: impl FnOnce(Value) -> String) {
        let outcome = self.logs_in_with(make).fails_with(6);
        outcome.stderr_has("the ID token is not to be believed").stderr_has(why);
        self.assert_nothing_left();
        assert!(self.test.words("token").run().fails_with(4).stderr.contains("login"));
    }

    /// The login ended well, but the token is told to be unverified.
    #[track_caller]
    fn assert_doubts(&self, why: &str, make: impl FnOnce(Value) -> String) {
        let outcome = self.logs_in_with(make).success().stderr_has("Logged in to x as alice: ");
        outcome.stderr_has("the ID token could not be verified").stderr_has(why);
        self.assert_verified(false);
        let printed = self.test.words("token --id").run().success();
        printed.stderr_has("was not verified");
    }
}

/// Claims with one of them changed.
fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn an_id_token_of_every_algorithm_is_verified_shown_and_printed() {
    if lacks_openssl() {
        return;
    }
    let (rsa, p256, ed25519) = (Signer::rsa("r"), Signer::p256("p"), Signer::ed25519("e"));
    let keys = json!([rsa.jwk(), p256.jwk(), ed25519.jwk()]);
    for (signer, alg) in [(&rsa, "RS256"), (&rsa, "PS256"), (&p256, "ES256"), (&ed25519, "EdDSA")] {
        let world = world(&keys);
        let mut id_token = String::new();
        let login = world.logs_in_with(|claims| {
            id_token = signer.signs(alg, &claims);
            id_token.clone()
        });
        login.success().stderr_lacks("warning");
        world.assert_verified(true);
        assert_eq!(world.shown()["subject"], "alice");
        assert_eq!(world.key_fetches(), 1);
        let printed = world.test.words("token --id").run().success();
        printed.stdout_is(&format!("{id_token}\n")).stderr_is("");
    }
}

#[test]
fn no_public_key_is_taken_for_a_secret() {
    if lacks_openssl() {
        return;
    }
    let rsa = Signer::rsa("r");
    let header = json!({"alg": "HS256", "kid": "r"});
    let modulus = rsa.jwk()["n"].as_str().unwrap().to_owned();
    for secret in [modulus.into_bytes(), rsa.jwk().to_string().into_bytes()] {
        let forged = |claims| shared(&secret, &header, &claims);
        world(&json!([rsa.jwk()])).assert_refuses("HS256", forged);
    }
    // Who has a secret may be given such a token; nobody says that it is verified.
    let world = world_with("client_secret = { env = \"S\" }\n", &json!([rsa.jwk()]));
    let world = World { test: world.test.env("S", "s3cret-of-client"), ..world };
    world.assert_doubts("HS256", |claims| shared(b"s3cret-of-client", &header, &claims));
}

#[test]
fn an_algorithm_that_the_server_does_not_name_is_none_of_its() {
    let p256 = Signer::p256("p");
    let says = |algorithms: Value| {
        let world = world_with("client_secret = { env = \"S\" }\n", &json!([p256.jwk()]));
        world.says(|script| {
            script.metadata = json!({"id_token_signing_alg_values_supported": algorithms});
        });
        World { test: world.test.env("S", "s3cret-of-client"), ..world }
    };
    let forged = |claims: Value| shared(b"x", &json!({"alg": "HS256"}), &claims);
    says(json!(["RS256", "ES256"])).assert_refuses("HS256", forged);
    // What the server may use and nobody here can verify is doubted, and still must fit.
    let foreign = |claims: Value| {
        format!("{}.{}", unsigned(&json!({"alg": "ES384"}), &claims), base64url([0; 96]))
    };
    says(json!(["ES384"])).assert_doubts("ES384", foreign);
    says(json!(["ES384"])).assert_refuses("nonce", |claims| {
        foreign(with(claims, "nonce", json!("of another login")))
    });
}

#[test]
fn a_header_that_fits_no_key_of_its_id_is_refused() {
    if lacks_openssl() {
        return;
    }
    let (rsa, p256) = (Signer::rsa("r"), Signer::p256("p"));
    let keys = json!([rsa.jwk(), p256.jwk()]);
    let header = |alg: &str, kid: &str| json!({"alg": alg, "kid": kid});
    world(&keys).assert_refuses("no public key", |claims| {
        rsa.signs_as("RS256", &header("ES256", "r"), &claims)
    });
    world(&keys).assert_refuses("no public key", |claims| {
        rsa.signs_as("RS256", &header("RS256", "p"), &claims)
    });
    world(&keys).assert_refuses("signature", |claims| {
        rsa.signs_as("PS256", &header("RS256", "r"), &claims)
    });
}

#[test]
fn a_token_without_a_right_signature_is_refused() {
    let p256 = Signer::p256("p");
    let keys = json!([p256.jwk()]);
    for alg in ["none", "None", "NONE"] {
        world(&keys).assert_refuses("algorithm", |claims| {
            unsigned(&json!({"alg": alg, "kid": "p"}), &claims) + "."
        });
    }
    let header = json!({"alg": "ES256", "kid": "p"});
    world(&keys).assert_refuses("signature", |claims| unsigned(&header, &claims) + ".");
    world(&keys).assert_refuses("no signed JWT", |claims| unsigned(&header, &claims));
    world(&keys).assert_refuses("signature", |claims| {
        let signed = p256.signs("ES256", &claims);
        let signature = signed.rsplit('.').next().unwrap();
        format!("{}.{signature}", unsigned(&header, &with(claims, "sub", json!("mallory"))))
    });
    world(&keys).assert_refuses("no signed JWT", |_| "opaque".to_owned());
    // Its own key, brought along.
    let own = Signer::p256("p");
    world(&keys).assert_refuses("signature", |claims| {
        let header =
            json!({"alg": "ES256", "kid": "p", "jwk": own.jwk(), "jku": "http://127.0.0.1:1/"});
        own.signs_as("ES256", &header, &claims)
    });
    world(&keys).assert_refuses("critical extension", |claims| {
        let header = json!({"alg": "ES256", "kid": "p", "crit": ["x"], "x": 1});
        p256.signs_as("ES256", &header, &claims)
    });
}

#[test]
fn for_a_key_that_is_not_known_the_server_is_asked_once_more_and_no_oftener() {
    let (old, new, never) = (Signer::p256("old"), Signer::p256("new"), Signer::p256("never"));
    let world = world(&json!([old.jwk()]));
    world.logs_in_with(|claims| old.signs("ES256", &claims)).success();
    world.logs_in_with(|claims| old.signs("ES256", &claims)).success();
    assert_eq!(world.key_fetches(), 1, "what is known is not asked for again");
    world.has_keys(&json!([old.jwk(), new.jwk()]));
    world.logs_in_with(|claims| new.signs("ES256", &claims)).success();
    world.assert_verified(true);
    assert_eq!(world.key_fetches(), 2);
    let before = world.shown();
    let refused = world.logs_in_with(|claims| never.signs("ES256", &claims)).fails_with(6);
    refused.stderr_has("the server has no public key for it");
    assert_eq!(world.key_fetches(), 3);
    // The session that there was serves on.
    assert_eq!(world.shown()["obtained_at"], before["obtained_at"]);
    world.test.words("token").prints_secrets().run().success();
}

#[test]
fn a_key_that_the_server_has_withdrawn_is_not_believed_for_ever() {
    let key = Signer::p256("old");
    let world = world(&json!([key.jwk()]));
    world.logs_in_with(|claims| key.signs("ES256", &claims)).success();
    world.says(|script| script.other = vec![("/jwks", 503, json!({}))]);
    world.keys_are_from(now() - 25 * 3600);
    world.logs_in_with(|claims| key.signs("ES256", &claims)).success();
    world.assert_verified(true);
    world.has_keys(&json!([]));
    let refused = world.logs_in_with(|claims| key.signs("ES256", &claims)).fails_with(6);
    refused.stderr_has("the server has no public key for it");
    assert_eq!(world.key_fetches(), 3);
}

#[test]
fn a_key_that_was_replaced_under_its_own_id_is_fetched() {
    let (old, new) = (Signer::p256("same"), Signer::p256("same"));
    let world = world(&json!([old.jwk()]));
    world.logs_in_with(|claims| old.signs("ES256", &claims)).success();
    world.has_keys(&json!([new.jwk()]));
    world.logs_in_with(|claims| new.signs("ES256", &claims)).success();
    world.assert_verified(true);
    assert_eq!(world.key_fetches(), 2);
}

#[test]
fn of_several_keys_of_one_id_any_may_have_signed() {
    if lacks_openssl() {
        return;
    }
    let (one, two, rsa) = (Signer::p256("same"), Signer::p256("same"), Signer::rsa("same"));
    let world =
        world(&json!([rsa.jwk(), one.jwk(), {}, 7, {"kty": "??", "kid": "same"}, two.jwk()]));
    world.logs_in_with(|claims| two.signs("ES256", &claims)).success();
    world.assert_verified(true);
    world.logs_in_with(|claims| rsa.signs("PS256", &claims)).success();
    assert_eq!(world.key_fetches(), 1);
}

#[test]
fn a_set_of_keys_that_is_too_large_verifies_nothing_and_hides_no_wrong_claim() {
    let p256 = Signer::p256("p");
    let mut huge = p256.jwk();
    huge["x5c"] = json!(["A".repeat(10 << 20)]);
    let many: Vec<Value> = (0..10_000).map(|_| p256.jwk()).collect();
    for keys in [json!([huge]), json!(many)] {
        let world = world(&keys);
        world.assert_doubts("", |claims| p256.signs("ES256", &claims));
        assert_eq!(world.key_fetches(), 1);
        let wrong =
            world.logs_in_with(|claims| p256.signs("ES256", &with(claims, "aud", json!("them"))));
        wrong.fails_with(6).stderr_has("is meant for another client");
    }
}

#[test]
fn keys_that_can_not_be_had_leave_a_token_unverified_and_hide_no_wrong_claim() {
    let p256 = Signer::p256("p");
    let world = world(&json!([]));
    for (status, body, why) in [
        (404, json!({}), "has no keys"),
        (302, json!({}), "has no keys"),
        (503, json!({}), "can't answer now"),
        (200, json!([]), "are no JSON object"),
        (200, json!({"keys": {}}), "have no list of keys"),
    ] {
        world.says(|script| script.other = vec![("/jwks", status, body)]);
        world.assert_doubts(why, |claims| p256.signs("ES256", &claims));
        let wrong = world
            .logs_in_with(|claims| p256.signs("ES256", &with(claims, "nonce", json!("another"))));
        wrong.fails_with(6).stderr_has("nonce");
    }
}

#[test]
fn a_key_that_is_too_short_or_for_something_else_verifies_nothing() {
    if lacks_openssl() {
        return;
    }
    let p256 = Signer::p256("p");
    for (name, value) in
        [("use", json!("enc")), ("key_ops", json!(["deriveKey"])), ("alg", json!("RS256"))]
    {
        let jwk = with(p256.jwk(), name, value);
        world(&json!([jwk])).assert_refuses("no public key", |claims| p256.signs("ES256", &claims));
    }
    let pem = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], b"");
    let text = openssl(&["rsa", "-noout", "-modulus"], &pem);
    let digits = String::from_utf8(text).unwrap().trim().replace("Modulus=", "");
    let modulus: Vec<u8> = (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    assert_eq!(modulus.len(), 128);
    let jwk = json!({"kty": "RSA", "kid": "r", "n": base64url(modulus), "e": "AQAB"});
    let world = world(&json!([jwk]));
    let file = world.test.secret_file("key.pem", std::str::from_utf8(&pem).unwrap());
    world.assert_refuses("no public key", |claims| {
        let start = unsigned(&json!({"alg": "RS256", "kid": "r"}), &claims);
        let signature =
            openssl(&["dgst", "-sha256", "-sign", file.to_str().unwrap()], start.as_bytes());
        format!("{start}.{}", base64url(signature))
    });
}

#[test]
fn every_claim_that_is_not_as_it_was_asked_for_ends_the_login() {
    let p256 = Signer::p256("p");
    let cases: [(&str, Value, &str); 14] = [
        ("iss", json!("https://evil.example"), "is not issued by"),
        ("aud", json!("them"), "is meant for another client"),
        ("aud", json!(["them"]), "is meant for another client"),
        ("aud", json!(["us", "them"]), "names no azp"),
        ("azp", json!("them"), "was given to another client"),
        ("azp", json!(7), "was given to another client"),
        ("exp", json!(now() - 3600), "has ended"),
        ("exp", Value::Null, "tells no end"),
        ("iat", json!(now() + 3600), "is of the future"),
        ("nonce", json!("of another login"), "answers another login"),
        ("nonce", Value::Null, "answers another login"),
        ("sub", json!(""), "names nobody"),
        ("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ"), "belongs to another access token"),
        ("at_hash", json!(7), "belongs to another access token"),
    ];
    let world = world(&json!([p256.jwk()]));
    for (name, value, why) in cases {
        world.assert_refuses(why, |claims| p256.signs("ES256", &with(claims, name, value)));
    }
    for name in ["iss", "sub", "aud", "exp", "iat", "nonce"] {
        world.assert_refuses("", |claims| p256.signs("ES256", &without(claims, name)));
    }
    let several = |claims| with(with(claims, "aud", json!(["us", "them"])), "azp", json!("us"));
    world.logs_in_with(|claims| p256.signs("ES256", &several(claims))).success();
    let hash = ring::digest::digest(&ring::digest::SHA256, b"acce55-token");
    let hash = base64url(&hash.as_ref()[..16]);
    world
        .logs_in_with(|claims| p256.signs("ES256", &with(claims, "at_hash", json!(hash))))
        .success();
    world.assert_verified(true);
}

#[test]
fn a_login_that_was_to_be_recent_is_recent() {
    let p256 = Signer::p256("p");
    let world = world_with("\n[authorization]\nmax_age = 60\n", &json!([p256.jwk()]));
    let at = |claims, login: u64| p256.signs("ES256", &with(claims, "auth_time", json!(login)));
    world.assert_refuses("longer ago than max_age", |claims| at(claims, now() - 3600));
    world.assert_refuses("tells no auth_time", |claims| p256.signs("ES256", &claims));
    world.logs_in_with(|claims| at(claims, now() - 30)).success();
    world.assert_verified(true);
}

#[test]
fn the_browser_says_that_the_login_did_not_work_when_its_id_token_is_wrong() {
    let p256 = Signer::p256("p");
    let world = world(&json!([p256.jwk()]));
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    world.answers_with(&p256.signs("ES256", &world.claims(Some("another".to_owned()))));
    let page = visit.comes_back_with(CODE);
    assert!(page.contains("did not work") && page.contains("nonce"), "{page}");
    login.ends().fails_with(6);
}

#[test]
fn a_wrong_id_token_is_no_session_where_nothing_is_stored_either() {
    let p256 = Signer::p256("p");
    let world = world(&json!([p256.jwk()]));
    let login = world.test.words("login --store none --json").start();
    let visit = world.test.opens();
    world.answers_with(&p256.signs("ES256", &world.claims(Some("another".to_owned()))));
    visit.comes_back_with(CODE);
    login.ends().fails_with(6).stderr_has("not to be believed");
}

#[test]
fn at_a_renewal_a_wrong_id_token_is_left_out_and_the_tokens_are_kept() {
    let (p256, other) = (Signer::p256("p"), Signer::p256("other"));
    let world = world(&json!([p256.jwk()]));
    world.logs_in_with(|claims| p256.signs("ES256", &claims)).success();
    let first = world.test.words("token --id").run().success().stdout;
    let wrong = [
        (p256.signs("ES256", &with(world.claims(None), "sub", json!("bob"))), "another person"),
        (p256.signs("ES256", &with(world.claims(None), "aud", json!("them"))), "another client"),
        (other.signs("ES256", &world.claims(None)), "no public key"),
        (unsigned(&json!({"alg": "none"}), &world.claims(None)) + ".", "algorithm"),
    ];
    for (id_token, why) in wrong {
        world.answers_with(&id_token);
        let renewed = world.test.words("refresh").run().success();
        renewed.stderr_has("warning").stderr_has("the new ID token is not kept").stderr_has(why);
        world.assert_verified(true);
        world.test.words("token --id").run().success().stdout_is(&first);
    }
    let right = p256.signs("ES256", &with(world.claims(None), "exp", json!(now() + 600)));
    world.answers_with(&right);
    world.test.words("refresh").run().success().stderr_lacks("warning");
    world.assert_verified(true);
    world.test.words("token --id").run().success().stdout_is(&format!("{right}\n"));
    // A renewal without one, or with the same one once more, leaves what is known as it was.
    world.test.words("refresh").run().success().stderr_lacks("warning");
    world.assert_verified(true);
    world.says(|script| script.token = vec![(200, tokens())]);
    world.test.words("refresh").run().success();
    world.assert_verified(true);
}

#[test]
fn keys_that_never_come_hold_no_renewal_up() {
    let p256 = Signer::p256("p");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let jwks = format!("jwks_url = \"http://{}/\"\n", silent.local_addr().unwrap());
    let world = world_with(&jwks, &json!([]));
    world.says(|script| script.token = vec![(200, tokens())]);
    let login = world.test.words("login").start();
    world.test.opens().comes_back_with(CODE);
    login.ends().success();
    world.answers_with(&p256.signs("ES256", &world.claims(None)));
    // Longer than any test may take.
    let renewed = world.test.words("refresh --timeout 1h").run().success();
    renewed.stderr_has("the ID token could not be verified");
    world.assert_verified(false);
}

#[test]
fn where_there_is_no_id_token_that_is_told_with_what_to_do() {
    let world = World::new();
    let login = world.test.words("login").start();
    world.test.opens().comes_back_with(CODE);
    login.ends().success();
    let outcome = world.test.words("token --id").run().fails_with(4);
    outcome.stderr_has("there is no ID token").stderr_has("hint: oauthctl login --profile x");
    assert_eq!(world.shown().get("id_token_verified"), None);
    world.test.words("token --id --json").run().fails_with(2);
    world.test.words("token").prints_secrets().run().success();
}

#[test]
fn without_an_issuer_nothing_is_verified_but_another_logins_token_is_refused() {
    let world = world(&json!([]));
    let base = world.server.url("");
    let lines = format!(
        "client_id = \"us\"\nscope = [\"openid\"]\ntoken_url = \"{base}/token\"\n\
         authorization_url = \"{base}/authorize\"\n"
    );
    let test = world.test.profile("x", &lines);
    let world = World { test, ..world };
    let p256 = Signer::p256("p");
    world.assert_refuses("answers another login", |claims| {
        p256.signs("ES256", &with(claims, "nonce", json!("another")))
    });
    for more in ["\u{1b}[2J", "\r\nX-Header: x", " x", "é"] {
        world.assert_refuses("no signed JWT", |claims| p256.signs("ES256", &claims) + more);
    }
    world.assert_doubts("the profile has no issuer", |claims| p256.signs("ES256", &claims));
    // That is told once, and not to each script that renews.
    world.answers_with(&p256.signs("ES256", &with(world.claims(None), "sub", json!("bob"))));
    world.test.words("refresh").run().success().stderr_lacks("warning");
}

#[test]
fn the_keys_of_an_issuer_are_found_also_where_a_profile_has_all_the_endpoints() {
    let p256 = Signer::p256("p");
    let world = world(&json!([p256.jwk()]));
    let base = world.server.url("");
    let lines = format!(
        "issuer = \"{base}\"\nclient_id = \"us\"\nscope = [\"openid\"]\n\
         token_url = \"{base}/token\"\nauthorization_url = \"{base}/authorize\"\n"
    );
    let test = world.test.profile("x", &lines);
    let world = World { test, ..world };
    world.logs_in_with(|claims| p256.signs("ES256", &claims)).success();
    world.assert_verified(true);
}

#[test]
fn a_login_that_was_killed_before_its_id_token_was_judged_is_judged_by_the_next_run() {
    let p256 = Signer::p256("p");
    for right in [true, false] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let jwks = format!("jwks_url = \"http://{}/\"\n", silent.local_addr().unwrap());
        let world = world_with(&jwks, &json!([]));
        let login = world.test.words("login").start();
        let visit = world.test.opens();
        let nonce = if right { visit.param("nonce") } else { "of another login".to_owned() };
        world.answers_with(&p256.signs("ES256", &world.claims(Some(nonce))));
        let visit = std::thread::spawn(move || visit.comes_back_with(CODE));
        let asked_for_keys = silent.accept().unwrap();
        login.signal(Signal::KILL);
        login.ends();
        visit.join().unwrap();
        drop((silent, asked_for_keys));
        let token = world.test.words("token").prints_secrets().run();
        if right {
            let token = token.success().stdout_is("acce55-token\n");
            token.stderr_has("could not be verified");
            world.assert_verified(false);
        } else {
            token.fails_with(4).stderr_has("nonce");
        }
    }
}
