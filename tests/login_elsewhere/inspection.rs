//! What a server tells of a token, and of the person behind it.

use serde_json::{Value, json};

use super::{World, param, tokens};
use crate::support::raw::answer;
use crate::support::signer::{Signer, unsigned};

const CODE: &str = "code=c0de-of-a-person";

/// Somebody logged in at a server that has both endpoints.
fn world() -> World {
    let world = World::new();
    world.says(|script| {
        script.metadata = json!({
            "introspection_endpoint": "BASE/introspect",
            "userinfo_endpoint": "BASE/userinfo",
        });
    });
    world.logs_in();
    world
}

impl World {
    #[track_caller]
    fn logs_in(&self) {
        let login = self.test.words("login").start();
        self.test.opens().comes_back_with(CODE);
        login.ends().success();
    }

    fn tells(&self, path: &'static str, status: u16, body: Value) {
        self.says(|script| {
            script.other.retain(|(known, ..)| *known != path);
            script.other.push((path, status, body));
        });
    }

    /// The `Authorization` headers of all requests for the person.
    fn bearers(&self) -> Vec<String> {
        let requests = self.server.requests().into_iter();
        let requests = requests.filter(|request| request.starts_with("GET /userinfo "));
        let bearer = |request: String| {
            let line = |line: &&str| line.to_ascii_lowercase().starts_with("authorization:");
            request.lines().find(line).unwrap_or_default()["authorization: ".len()..].to_owned()
        };
        requests.map(bearer).collect()
    }
}

#[test]
fn a_token_is_asked_about_by_a_form_with_a_hint() {
    let world = world();
    world.tells("/introspect", 200, json!({"active": true, "scope": "a b", "exp": 1, "sub": "me"}));
    let told = world.test.words("introspect").run().success().stderr_is("");
    told.stdout_is("active\ttrue\nexp\t1\nscope\ta b\nsub\tme\n");
    world.test.words("introspect --refresh-token").run().success();
    let requests = world.requests("/introspect");
    for (request, token, hint) in [
        (&requests[0], "acce55-token", "access_token"),
        (&requests[1], "refre5h-token", "refresh_token"),
    ] {
        assert_eq!((param(request, "token"), param(request, "token_type_hint")), (token, hint));
        assert_eq!(param(request, "client_id"), "us");
    }
}

#[test]
fn another_token_comes_by_stdin_and_never_as_an_argument() {
    let world = world();
    world.tells("/introspect", 200, json!({"active": false}));
    let told = world.test.words("introspect --token-stdin --json").stdin("an0ther-token\n");
    told.run().success().stdout_is("{\"active\":false}\n");
    let requests = world.requests("/introspect");
    assert_eq!(param(&requests[0], "token"), "an0ther-token");
    assert!(requests[0].iter().all(|(name, _)| name != "token_type_hint"));
    world.test.words("introspect --token-stdin").run().fails_with(2).stderr_has("is empty");
    world.test.words("introspect an0ther-token").run().fails_with(2);
    world.test.words("introspect --token an0ther-token").run().fails_with(2);
    world.test.words("introspect --token-stdin --refresh-token").run().fails_with(2);
    let told = world.test.words("introspect --token-stdin -vvv").stdin("an0ther-token\n").run();
    told.success().stderr_lacks("an0ther-token").stderr_has("(introspection)");
}

#[test]
fn a_token_of_another_server_is_not_shown_to_the_one_of_now() {
    let (world, other) = (world(), world());
    for world in [&world, &other] {
        world.tells("/introspect", 200, json!({"active": true}));
    }
    let set = format!("profile set x issuer {}", other.server.url(""));
    world.test.words(&set).run().success();
    for command in ["introspect", "introspect --refresh-token"] {
        let outcome = world.test.words(command).run().fails_with(4);
        outcome.stderr_has("the stored token was asked for with another server");
    }
    assert!(other.requests("/introspect").is_empty());
    // One that is asked about by another client, or with more scope, is the server's own all the same.
    world.test.words(&format!("profile set x issuer {}", world.server.url(""))).run().success();
    world.test.words("profile set x scope more").run().success();
    world.test.words("introspect").run().success();
}

#[test]
fn an_issuer_that_names_no_token_endpoint_gets_no_token_of_before() {
    let (old, new) = (World::new(), World::new());
    let set = |pair: String| old.test.words(&format!("profile set x {pair}")).run().success();
    set(format!("token_url {}", old.server.url("/token")));
    set(format!("authorization_url {}", old.server.url("/authorize")));
    set("issuer --unset".to_owned());
    old.logs_in();
    new.says(|script| {
        script.metadata = json!({
            "token_endpoint": null,
            "introspection_endpoint": "BASE/introspect",
            "userinfo_endpoint": "BASE/userinfo",
            "revocation_endpoint": "BASE/revoke",
        });
    });
    set("token_url --unset".to_owned());
    set(format!("issuer {}", new.server.url("")));
    for command in ["introspect", "userinfo", "token"] {
        let outcome = old.test.words(command).run().fails_with(4);
        outcome.stderr_has("the stored token was asked for with another server");
    }
    old.test.words("logout").run().success().stderr_has("nothing was revoked");
    let asked = new.server.requests().into_iter();
    assert_eq!(asked.filter(|request| !request.starts_with("GET /.well-known/")).count(), 0);
}

#[test]
fn a_table_leaves_out_a_token_that_the_server_repeats() {
    let world = world();
    let echo = json!({"active": true, "a": ["acce55-token", {"acce55-token": "%61cce55-token"}]});
    for (path, command) in [("/introspect", "introspect"), ("/userinfo", "userinfo")] {
        world.tells(path, 200, echo.clone());
        let told = world.test.words(command).run().success();
        assert!(!told.stdout.contains("cce55-token"), "{told:?}");
        told.stdout_has("[redacted]");
    }
}

#[test]
fn a_table_shows_what_is_hostile_and_json_is_what_the_server_wrote() {
    let world = world();
    let body = " {\"active\" : true,\n \"username\":\"\\u001b[2J\\u202e\\u009bm\\r\\nx\\ty\", \
                \"a\\u001b]0;x\\u0007\": {\"b\": [1, \"\\u001b[31m\"]}, \"big\": 1e400}\n\n";
    for (path, command) in [("/introspect", "introspect"), ("/userinfo", "userinfo")] {
        let text = body.replace(", \"big\": 1e400", "");
        world.says(|script| {
            script.raw = vec![(path, answer(200, "application/json", &text))];
        });
        let table = world.test.words(command).run().success();
        assert!(table.stdout.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
        let table = table.stdout_has("username\t\\u{1b}[2J\\u{202e}\\u{9b}m\\r\\nx\\ty\n");
        table.stdout_has("a\\u{1b}]0;x\\u{7}\t");
        let json = world.test.words(&format!("{command} --json")).run().success();
        json.stdout_is(&format!("{}\n", text.trim()));
    }
}

#[test]
fn an_answer_that_is_none_is_told() {
    let world = world();
    for (status, kind, body, code, why) in [
        (200, "application/json", "{}", 6, "whether the token is active"),
        (200, "application/json", "{\"active\":\"true\"}", 6, "whether the token is active"),
        (200, "application/json", "{\"error\":\"invalid_client\"}", 5, "invalid_client"),
        (401, "application/json", "{\"error\":\"invalid_client\"}", 5, "invalid_client"),
        (403, "text/html", "<h1>\u{1b}no</h1>", 5, ""),
        (200, "text/html", "<h1>hello</h1>", 6, "neither a JSON object nor a JWT"),
        (200, "application/json", "[]", 6, "neither a JSON object nor a JWT"),
        (200, "application/json", "", 6, "neither a JSON object nor a JWT"),
        (302, "text/html", "", 6, "redirect"),
        (503, "text/html", "", 6, "503"),
    ] {
        world.says(|script| script.raw = vec![("/introspect", answer(status, kind, body))]);
        let outcome = world.test.words("introspect").run().fails_with(code);
        assert!(!outcome.stderr.contains('\u{1b}'), "{outcome:?}");
        outcome.stderr_has(why);
    }
}

#[test]
fn an_answer_that_is_huge_is_not_read_to_its_end() {
    let world = world();
    let huge = format!("{{\"active\":true,\"sub\":\"{}\"}}", "x".repeat(10 << 20));
    for (path, command) in [("/introspect", "introspect"), ("/userinfo", "userinfo")] {
        world.says(|script| script.raw = vec![(path, answer(200, "application/json", &huge))]);
        world.test.words(command).run().fails_with(6);
    }
}

#[test]
fn a_server_without_the_endpoint_is_exit_3_with_the_key_to_set() {
    let world = World::new();
    world.logs_in();
    for (command, key) in [("introspect", "introspection_url"), ("userinfo", "userinfo_url")] {
        let outcome = world.test.words(command).run().fails_with(3);
        outcome
            .stderr_has(&format!("the profile x has no {key}"))
            .stderr_has(&format!("hint: oauthctl profile set x {key} VALUE"));
    }
}

#[test]
fn who_is_not_logged_in_is_told_so_and_nothing_is_asked() {
    let world = World::new();
    world.says(|script| {
        script.metadata = json!({
            "introspection_endpoint": "BASE/introspect",
            "userinfo_endpoint": "BASE/userinfo",
        });
    });
    for command in ["introspect", "introspect --refresh-token", "userinfo"] {
        let outcome = world.test.words(command).run().fails_with(4);
        outcome.stderr_has("hint: oauthctl login --profile x");
    }
    assert!(world.requests("/introspect").is_empty() && world.bearers().is_empty());
    // A token from elsewhere needs no login.
    world.tells("/introspect", 200, json!({"active": true}));
    world.test.words("introspect --token-stdin").stdin("an0ther-token").run().success();
}

#[test]
fn a_person_is_asked_about_with_the_token_in_a_header_alone() {
    let world = world();
    world.tells("/userinfo", 200, json!({"sub": "me", "email": "me@a.example"}));
    let told = world.test.words("userinfo").run().success().stderr_is("");
    told.stdout_is("email\tme@a.example\nsub\tme\n");
    assert_eq!(world.bearers(), ["Bearer acce55-token"]);
    let told = world.test.words("userinfo --json -vvv").run().success();
    told.stdout_is("{\"email\":\"me@a.example\",\"sub\":\"me\"}\n");
}

#[test]
fn a_token_that_is_refused_is_renewed_once() {
    let world = world();
    world.tells("/userinfo", 401, json!({}));
    let mut renewed = tokens();
    renewed["access_token"] = "acce55-token-2".into();
    world.says(|script| script.token = vec![(200, renewed)]);
    world.test.words("userinfo").run().fails_with(5).stderr_has("401");
    assert_eq!(world.bearers(), ["Bearer acce55-token", "Bearer acce55-token-2"]);
    assert_eq!(world.requests("/token").len(), 2, "the login's, and one renewal");
    // What the server says in its header is told (RFC 6750 section 3).
    let head = "HTTP/1.1 403 X\r\nWWW-Authenticate: Bearer realm=\"x, y\", error=\"insufficient_scope\",\
                error_description=\"needs \\\"openid\\\" \u{9b}m\", scope=\"openid\"\r\n\
                Content-Length: 0\r\nConnection: close\r\n\r\n";
    world.says(|script| script.raw = vec![("/userinfo", head.to_owned())]);
    let outcome = world.test.words("userinfo").run().fails_with(5);
    let outcome = outcome.stderr_has("insufficient_scope: needs \"openid\" ");
    outcome
        .stderr_lacks("\u{9b}")
        .stderr_has("hint: see what is sent with: oauthctl -vvv userinfo");
}

#[test]
fn a_machine_that_has_no_token_yet_gets_one_to_ask_about() {
    let world = World::with("identity = \"client\"\nclient_secret = { env = \"S\" }\n");
    world.says(|script| script.metadata = json!({"introspection_endpoint": "BASE/introspect"}));
    world.tells("/introspect", 200, json!({"active": true}));
    let told = world.test.words("introspect").env("S", "s3cret-of-client").run();
    told.success().stdout_is("active\ttrue\n");
    let requests = world.requests("/token");
    assert_eq!(param(&requests[0], "grant_type"), "client_credentials");
    assert_eq!(param(&world.requests("/introspect")[0], "token"), "acce55-token");
}

#[test]
fn of_another_person_than_the_id_tokens_nothing_is_told() {
    let signer = Signer::p256("p");
    let world = World::with("scope = [\"openid\"]\n");
    world.says(|script| {
        script.metadata = json!({"userinfo_endpoint": "BASE/userinfo"});
        script.other.push(("/jwks", 200, json!({"keys": [signer.jwk()]})));
    });
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    let claims = json!({
        "iss": world.server.url(""), "sub": "alice", "aud": "us", "iat": 4, "exp": 4_102_444_800_i64,
        "nonce": visit.param("nonce"),
    });
    let mut answer = tokens();
    answer["id_token"] = signer.signs("ES256", &claims).into();
    world.says(|script| script.token = vec![(200, answer)]);
    visit.comes_back_with(CODE);
    login.ends().success();
    for body in [
        json!({"sub": "mallory", "email": "m@a.example"}),
        json!({"sub": ["alice"], "email": "m@a.example"}),
        json!({"sub": "Alice", "email": "m@a.example"}),
        json!({"email": "m@a.example"}),
    ] {
        world.tells("/userinfo", 200, body);
        for words in ["userinfo", "userinfo --json"] {
            let outcome = world.test.words(words).run().fails_with(6);
            outcome.stderr_has("tells of another person").stderr_lacks("m@a.example");
        }
    }
    world.tells("/userinfo", 200, json!({"sub": "alice"}));
    world.test.words("userinfo").run().success().stdout_is("sub\talice\n");
}

#[test]
fn a_signed_answer_is_verified() {
    let signer = Signer::p256("p");
    let world = world();
    world.tells("/jwks", 200, json!({"keys": [signer.jwk()]}));
    let claims = json!({"sub": "me", "iss": world.server.url(""), "aud": "us"});
    let says = |jwt: &str| {
        let answer = answer(200, "application/jwt", jwt);
        world.says(|script| script.raw = vec![("/userinfo", answer)]);
        world.test.words("userinfo --json").run()
    };
    let told = says(&signer.signs("ES256", &claims)).success().stderr_is("");
    assert_eq!(told.json(), claims);
    let other = Signer::p256("p").signs("ES256", &claims);
    says(&other).fails_with(6).stderr_has("not to be believed: its signature is wrong");
    let none = unsigned(&json!({"alg": "none"}), &claims) + ".";
    says(&none).fails_with(6).stderr_has("not to be believed");
    says("a.b.c").fails_with(6).stderr_has("neither a JSON object nor a JWT");
    // Encrypted: nobody has a key for that here.
    says("e30.e30.e30.e30.e30").fails_with(6).stderr_has("neither a JSON object nor a JWT");
    let foreign = unsigned(&json!({"alg": "ES512"}), &claims) + ".AAAA";
    says(&foreign).success().stderr_has("could not be verified: its algorithm ES512");
}
