//! What a server says of itself fills what a profile leaves out, and nothing else.

use serde_json::json;

use super::{World, param};

/// A profile of a machine, with a secret.
const MACHINE: &str = "client_secret = { env = \"S\" }\nidentity = \"client\"\n";

fn fetches(world: &World) -> usize {
    let requests = world.server.requests();
    requests.iter().filter(|request| request.contains("/.well-known/")).count()
}

#[test]
fn an_issuer_and_a_client_are_all_that_a_profile_needs() {
    let world = World::with(MACHINE);
    let token = || world.test.words("client-token --force").env("S", "s3cret-of-client");
    token().prints_secrets().run().success().stdout_is("acce55-token\n");
    token().prints_secrets().run().success();
    assert_eq!(fetches(&world), 1, "what is known is not asked for again");
    let request = world.server.requests().pop().unwrap().to_ascii_lowercase();
    assert!(request.contains("authorization: basic "), "{request}");
    let shown = world.test.words("profile show").run().success();
    shown.stdout_has(&format!("discovery of {}", world.server.url("")));
}

#[test]
fn a_server_that_does_not_take_basic_is_given_what_it_takes() {
    let world = World::with(MACHINE);
    world.says(|script| {
        let methods = json!(["private_key_jwt", "client_secret_post"]);
        script.metadata = json!({"token_endpoint_auth_methods_supported": methods});
    });
    let token = world.test.words("client-token").env("S", "s3cret-of-client").prints_secrets();
    token.run().success();
    let requests = world.requests("/token");
    assert_eq!(param(&requests[0], "client_secret"), "s3cret-of-client");
}

#[test]
fn an_endpoint_of_the_profile_wins() {
    let world =
        World::with("token_url = \"http://127.0.0.1:1/mine\"\nlogin_grant = \"password\"\n");
    let shown = world.test.words("login --dry-run --username u").run().success();
    shown.stdout_has("POST /mine HTTP/1.1\nHost: 127.0.0.1:1\n");
}

#[test]
fn metadata_of_another_issuer_is_refused_before_anything_secret_is_sent() {
    let world = World::with(MACHINE);
    world.says(|script| script.metadata = json!({"issuer": "https://evil.example"}));
    let token = world.test.words("client-token").env("S", "s3cret-of-client");
    token.run().fails_with(6).stderr_has("evil.example");
    assert!(world.requests("/token").is_empty());
}

#[test]
fn an_endpoint_that_is_not_safe_is_refused() {
    let world = World::new();
    world.says(|script| script.metadata = json!({"token_endpoint": "http://evil.example/token"}));
    world.test.words("login").run().fails_with(6).stderr_has("token_endpoint");
}

#[test]
fn a_fresh_token_needs_no_server() {
    let world = World::with(MACHINE);
    let header = || world.test.words("header").env("S", "s3cret-of-client").prints_secrets();
    header().run().success();
    let before = world.server.requests().len();
    header().run().success();
    assert_eq!(world.server.requests().len(), before);
}

#[test]
fn a_server_that_is_known_already_can_make_a_client_too() {
    let world = World::new();
    let add = |name: &str| {
        let issuer = world.server.url("");
        let add = format!("profile add {name} --issuer {issuer} --register");
        world.test.words(&add).run()
    };
    let refused = add("a").fails_with(3);
    refused.stderr_has("hint: oauthctl profile add NAME --register --set registration_url=URL");
    std::fs::remove_dir_all(world.test.data().join("metadata")).unwrap();
    world.says(|script| {
        script.metadata = json!({"registration_endpoint": "BASE/register"});
        script.other.push(("/register", 500, json!({})));
    });
    add("a").fails_with(6);
    world.says(|script| script.other = vec![("/register", 201, json!({"client_id": "made"}))]);
    add("a").success();
    assert_eq!(fetches(&world), 2);
    let shown = world.test.words("profile show a").run().success();
    shown.stdout_has("client_id = \"made\"");
}
