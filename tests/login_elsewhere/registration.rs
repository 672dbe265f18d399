//! `profile add --register`: the server makes the client.

use std::fs;

use serde_json::{Value, json};

use super::{World, param};
use crate::support::raw::answer;
use crate::support::{Outcome, Run, Test};

const SECRET: &str = "m4de-secret";
const TOKEN: &str = "1nitial-token";

/// A server where clients register themselves, and a machine without a profile.
fn world(answer: (u16, Value)) -> World {
    let world = World::new();
    fs::remove_file(world.test.config().join("profiles/x.toml")).unwrap();
    world.says(|script| {
        script.metadata = json!({"registration_endpoint": "BASE/register"});
        script.other.push(("/register", answer.0, answer.1));
    });
    let test = [SECRET, TOKEN, "m4nage-token"].into_iter().fold(world.test, Test::secret);
    World { test, ..world }
}

fn made() -> Value {
    json!({"client_id": "made", "client_id_issued_at": 1, "registration_access_token": "m4nage-token",
        "registration_client_uri": "https://a.example/register/made"})
}

fn with(mut answer: Value, more: &Value) -> Value {
    answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answer
}

impl World {
    fn add<'a>(&'a self, words: &str) -> Run<'a> {
        let add = self.test.words("profile add work --register --issuer");
        add.arg(self.server.url("")).args(words.split_whitespace())
    }

    #[track_caller]
    fn file(&self) -> String {
        fs::read_to_string(self.test.config().join("profiles/work.toml")).unwrap()
    }

    /// The bodies of all registrations.
    fn registrations(&self) -> Vec<Value> {
        let requests = self.server.requests().into_iter();
        let posts = requests.filter(|request| request.starts_with("POST /register "));
        posts
            .map(|post| serde_json::from_str(post.split_once("\r\n\r\n").unwrap().1).unwrap())
            .collect()
    }

    /// Nothing is left of a profile that could not be made.
    #[track_caller]
    fn assert_not_made(&self) {
        let made = self.test.config().join("profiles/work.toml");
        assert!(!made.exists(), "{}", self.file());
        assert!(!self.test.config().join("config.toml").exists());
        self.assert_nothing_left();
        self.test.assert_nothing_leaked();
    }
}

#[test]
fn a_public_client_is_registered_and_logs_in() {
    let world = world((201, with(made(), &json!({"token_endpoint_auth_method": "none"}))));
    let added = world.add("--scope openid --scope a").run().success();
    added.stdout_is("").stderr_has("Made the profile work").stderr_lacks("warning");
    assert_eq!(
        world.registrations(),
        [json!({
            "client_name": "oauthctl",
            "application_type": "native",
            "redirect_uris": ["http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code",
                "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": "openid a",
        })]
    );
    let request = world.server.requests().pop().unwrap().to_ascii_lowercase();
    assert!(request.contains("content-type: application/json\r\n"));
    assert!(
        request.contains("accept: application/json\r\n") && !request.contains("authorization:")
    );
    let issuer = world.server.url("");
    assert_eq!(
        world.file(),
        format!(
            "issuer = \"{issuer}\"\nscope = [\"openid\", \"a\"]\nclient_id = \"made\"\n\
             client_auth = \"none\"\n"
        )
    );
    let login = world.test.words("login -p work").start();
    let visit = world.test.opens();
    assert_eq!(visit.param("client_id"), "made");
    visit.comes_back_with("code=c0de-of-a-person");
    login.ends().success();
    assert_eq!(param(&world.requests("/token")[0], "client_id"), "made");
    world.test.assert_nothing_leaked();
}

#[test]
fn a_secret_goes_to_the_store_and_to_no_file_and_the_servers_word_counts() {
    // The server makes a confidential client of what asked to be a public one.
    let more = json!({"client_secret": SECRET, "token_endpoint_auth_method": "client_secret_post",
        "client_secret_expires_at": 0});
    let world = world((201, with(made(), &more)));
    world.add("-vvv").run().success();
    let file = world.file();
    assert!(file.contains("client_auth = \"client_secret_post\""), "{file}");
    assert!(file.contains("client_secret = { store = true }"), "{file}");
    let token = world.test.words("client-token -p work").prints_secrets().run();
    token.success().stdout_is("acce55-token\n");
    let requests = world.requests("/token");
    assert_eq!(
        (param(&requests[0], "client_id"), param(&requests[0], "client_secret")),
        ("made", SECRET)
    );
    world.test.assert_nothing_leaked();
    world.test.words("profile remove work").run().success();
    world.assert_nothing_left();
}

#[test]
fn what_is_asked_for_is_what_the_profile_is_for() {
    let asked = |metadata: Value, words: &str| {
        let more = json!({"client_secret": SECRET});
        let world = world((201, with(made(), &more)));
        world.says(|script| script.metadata = with(script.metadata.clone(), &metadata));
        world.add(words).run().success();
        world.registrations().pop().unwrap()
    };
    let methods =
        json!({"token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"]});
    assert_eq!(asked(methods, "")["token_endpoint_auth_method"], "client_secret_post");
    let machine = asked(json!({}), "--set identity=client");
    assert_eq!(machine["grant_types"], json!(["client_credentials"]));
    assert_eq!(machine["response_types"], json!([]));
    assert_eq!(machine.get("redirect_uris"), None);
    assert_eq!(machine["token_endpoint_auth_method"], "client_secret_basic");
    let device = asked(json!({"authorization_endpoint": null}), "");
    assert_eq!(
        device["grant_types"],
        json!(["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"])
    );
    assert_eq!((&device["response_types"], device.get("redirect_uris")), (&json!([]), None));
    let own = asked(
        json!({}),
        "--set redirect_uri=http://localhost:8400/cb --set client_auth=client_secret_basic",
    );
    assert_eq!(own["redirect_uris"], json!(["http://localhost:8400/cb"]));
    assert_eq!(own["token_endpoint_auth_method"], "client_secret_basic");
}

#[test]
fn a_token_to_register_with_comes_by_stdin_alone() {
    let world = world((201, made()));
    world.add("--registration-token-stdin -vvv").stdin(format!("{TOKEN}\n")).run().success();
    let request = world.server.requests().pop().unwrap();
    assert!(request.contains(&format!("Bearer {TOKEN}\r\n")), "{request}");
    world.test.assert_nothing_leaked();
    world.test.words("profile add other --registration-token-stdin").run().fails_with(2);
    world.add("--client-id mine").run().fails_with(2);
    let empty =
        world.test.words("profile add other --register --registration-token-stdin --issuer");
    empty.arg(world.server.url("")).run().fails_with(2).stderr_has("is empty");
}

/// What goes wrong, and that nothing is left then.
#[track_caller]
fn refused(status: u16, body: &Value, code: i32, why: &str) -> Outcome {
    let world = world((status, body.clone()));
    let outcome = world.add("").run().fails_with(code).stderr_has(why);
    world.assert_not_made();
    assert_eq!(world.registrations().len(), 1);
    outcome
}

#[test]
fn a_server_that_refuses_or_makes_no_sense_is_told_and_nothing_is_left() {
    let error =
        json!({"error": "invalid_redirect_uri", "error_description": "no\u{1b}[2J loopback"});
    refused(400, &error, 5, "invalid_redirect_uri: no\\u{1b}[2J loopback").stderr_has(
        "hint: see what is sent with: oauthctl -vvv profile add work --register --issuer http",
    );
    refused(401, &json!({"error": "invalid_token"}), 5, "invalid_token");
    refused(200, &error, 5, "invalid_redirect_uri");
    refused(404, &json!({}), 5, "404");
    refused(503, &json!({}), 6, "503").stderr_has("hint: oauthctl doctor\n");
    refused(201, &json!({}), 6, "no client_id");
    refused(201, &json!([]), 6, "no client_id");
    refused(201, &json!({"client_id": ""}), 6, "no client_id");
    refused(201, &json!({"client_id": "\u{1b}[2J"}), 6, "no client_id");
    refused(201, &json!({"client_id": 7}), 6, "no client_id");
    let by = |method: &str| with(made(), &json!({"token_endpoint_auth_method": method}));
    refused(201, &by("private_key_jwt\u{7}"), 6, "private_key_jwt\\u{7}, which is not known here");
    refused(201, &by("client_secret_basic"), 6, "gave it no secret");
}

#[test]
fn what_the_server_made_something_else_of_is_told() {
    let changed = |more: Value| {
        let world = world((201, with(made(), &more)));
        world.add("").run().success()
    };
    changed(json!({"redirect_uris": ["http://127.0.0.1/callback"]})).stderr_lacks("warning");
    let other = changed(json!({"redirect_uris": ["https://else.example/\u{1b}"]}));
    other
        .stderr_has("did not register the redirect_uri http://127.0.0.1/callback")
        .stderr_has("https://else.example/\\u{1b}");
    let ends =
        changed(json!({"client_secret": SECRET, "client_secret_expires_at": 4_102_444_800_i64}));
    ends.stderr_has("warning: the client's secret ends at 2100-01-01T00:00:00Z");
}

#[test]
fn a_profile_that_is_there_is_left_alone_and_no_client_is_made() {
    let world = world((201, made()));
    world.add("").run().success();
    let file = world.file();
    world.add("").run().fails_with(3).stderr_has("is there already");
    assert_eq!(world.file(), file);
    assert_eq!(world.registrations().len(), 1);
}

#[test]
fn a_server_without_registration_is_exit_3_with_the_key_to_set() {
    let world = world((201, made()));
    world.says(|script| script.metadata = json!({}));
    let outcome = world.add("").env("OAUTHCTL_PROFILE", "x").run().fails_with(3);
    outcome
        .stderr_has("offers no registration")
        .stderr_has("oauthctl profile add work --register --set registration_url=URL");
    world.assert_not_made();
    world.says(|script| script.metadata = json!({"registration_endpoint": "http://evil.example/"}));
    world.test.words("profile add work --register --provider bindeo").run().fails_with(3);
}

#[test]
fn a_store_that_does_not_answer_is_told_before_a_client_is_made() {
    let world = world((201, with(made(), &json!({"client_secret": SECRET}))));
    let add = world.add("--set client_auth=client_secret_basic").env("OAUTHCTL_STORE", "keychain");
    add.run().fails_with(7);
    assert!(world.registrations().is_empty());
    world.assert_not_made();
}

#[test]
fn a_client_whose_secret_can_not_be_kept_is_told_and_no_profile_is_made() {
    let world = world((201, with(made(), &json!({"client_secret": SECRET}))));
    let helper = "[\"sh\", \"-c\", \"[ $1 = get ] && echo credentials not found in native keychain; cat >/dev/null; exit 1\", \"helper\"]";
    fs::create_dir_all(world.test.config()).unwrap();
    let settings = world.test.config().join("config.toml");
    crate::support::write_private(&settings, format!("store_command = {helper}\n"));
    let add = world.add("").env("OAUTHCTL_STORE", "command").run().fails_with(7);
    add.stderr_has("has registered the client made in vain");
    assert_eq!(world.registrations().len(), 1);
    fs::remove_file(settings).unwrap();
    world.assert_not_made();
    // Once more, and it is whole.
    world.add("").run().success();
    assert!(world.file().contains("client_secret = { store = true }"));
}

#[test]
fn a_profile_that_can_not_be_written_leaves_no_secret_behind() {
    let world = world((201, with(made(), &json!({"client_secret": SECRET}))));
    let profiles = world.test.config().join("profiles");
    fs::remove_dir_all(&profiles).unwrap();
    crate::support::write_private(&profiles, "in the way");
    let outcome = world.add("").run();
    assert_ne!(outcome.status, 0);
    outcome.stderr_has("has registered the client made in vain");
    world.assert_nothing_left();
}

#[test]
fn an_answer_that_is_huge_or_late_makes_no_profile() {
    let world = world((201, made()));
    let huge = format!("{{\"client_id\":\"{}\"}}", "x".repeat(10 << 20));
    world.says(|script| script.raw = vec![("/register", answer(201, "application/json", &huge))]);
    world.add("").run().fails_with(6);
    world.assert_not_made();
}
