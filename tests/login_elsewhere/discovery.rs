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
fn an_issuer_of_a_preset_is_filled_before_it_is_asked() {
    let world = World::with("");
    let test = world.test.config_file("providers/own.toml", "issuer = \"{base_url}\"\n").profile(
        "y",
        &format!(
            "provider = \"own\"\nbase_url = \"{}\"\nclient_id = \"us\"\n",
            world.server.url("")
        ),
    );
    test.words("login -p own").run().fails_with(3).stderr_has("own lacks base_url, client_id");
    let typed = test.words("login -p own").terminal(200);
    let typed = typed.sees("base_url: ").types(&world.server.url("")).sees("client_id: ");
    let typed = typed.types("us").sees("A browser opens");
    test.opens().comes_back_with("code=c0de-of-a-person");
    assert_eq!(typed.ends().status, 0);
    let login = test.words("login -p y").start();
    test.opens().comes_back_with("code=c0de-of-a-person");
    login.ends().success().stderr_lacks("warning");
    test.words("profile list").run().success().stdout_has("\ny\town\tuser\t");
}

#[test]
fn nobody_knows_what_a_profile_is_for_before_its_issuer_was_asked() {
    let world = World::new();
    world.test.words("profile list").run().success().stdout_is("x\t\t\t\t\n");
    let login = world.test.words("login").start();
    world.test.opens().comes_back_with("code=c0de-of-a-person");
    login.ends().success();
    world.test.words("profile list").run().success().stdout_is("x\t\tuser\t\t\n");
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
    refused.stderr_has("oauthctl profile add a --register --set registration_url=URL");
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

/// What is remembered of the server was fetched long ago.
fn age(world: &World) {
    let directory = world.test.data().join("metadata");
    for file in std::fs::read_dir(directory).unwrap().flatten() {
        let mut known: serde_json::Value =
            serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        known["fetched_at"] = json!(1000);
        std::fs::write(file.path(), known.to_string()).unwrap();
    }
}

#[test]
fn old_metadata_is_asked_for_again_before_the_server_is_asked_for_a_token_and_no_sooner() {
    let world = World::with(MACHINE);
    let run = |words: &str| {
        let command = world.test.words(words).env("S", "s3cret-of-client").prints_secrets();
        command.run().success()
    };
    run("header");
    age(&world);
    world.says(|script| script.metadata = json!({"token_endpoint": "BASE/moved"}));
    world.says(|script| {
        let moved = json!({"access_token": "acce55-token", "expires_in": 7200});
        script.other.push(("/moved", 200, moved));
    });
    for served in ["header", "token", "client-token", "exec -- true"] {
        run(served);
    }
    assert_eq!(fetches(&world), 1);
    run("header --min-ttl 2h");
    assert_eq!((fetches(&world), world.requests("/moved").len()), (2, 1));
    for asking in ["refresh", "refresh --all", "client-token --force", "token --min-ttl 3h"] {
        age(&world);
        let before = fetches(&world);
        run(asking);
        assert_eq!(fetches(&world), before + 1, "{asking}");
    }
}

#[test]
fn old_metadata_serves_where_there_is_no_newer() {
    let world = World::with(MACHINE);
    let run = |words: &str| {
        let command = world.test.words(words).env("S", "s3cret-of-client").prints_secrets();
        command.run().success()
    };
    run("header");
    age(&world);
    world.says(|script| script.metadata = json!({"issuer": "https://evil.example"}));
    let renewed = run("refresh");
    renewed.stderr_has("is not up to date").stderr_has("evil.example");
    assert_eq!(world.requests("/token").len(), 2);
}

#[test]
fn a_token_that_lives_is_served_where_nothing_is_known_of_its_server_any_more() {
    let world = World::with(MACHINE);
    let header =
        |words: &str| world.test.words(words).env("S", "s3cret-of-client").prints_secrets().run();
    header("header").success();
    std::fs::remove_dir_all(world.test.data().join("metadata")).unwrap();
    world.says(|script| script.metadata = json!({"issuer": "https://evil.example"}));
    header("header").success();
    assert_eq!(fetches(&world), 1);
    let served = header("header --min-ttl 2h").success();
    served.stderr_has("evil.example").stderr_has("serves on");
    header("refresh").fails_with(6);
}

#[test]
fn logging_out_needs_no_metadata_and_with_local_asks_for_none() {
    let world = World::with(MACHINE);
    let run = |words: &str| {
        world.test.words(words).env("S", "s3cret-of-client").prints_secrets().run().success()
    };
    for (words, fetched) in
        [("logout --local", 1), ("logout --local --all", 1), ("logout", 5), ("logout --all", 5)]
    {
        world.says(|script| script.metadata = json!({}));
        run("client-token");
        std::fs::remove_dir_all(world.test.data().join("metadata")).unwrap();
        world.says(|script| script.metadata = json!({"issuer": "https://evil.example"}));
        let before = fetches(&world);
        let out = run(words);
        if fetched > 1 {
            out.stderr_has("revoked").stderr_has("evil.example");
        }
        assert!((fetches(&world) > before) == (fetched > 1), "{words}");
        world.test.words("show").run().success().stdout_has("none");
    }
}

#[test]
fn all_are_renewed_for_the_audience_that_they_have() {
    let world = World::with(&format!(
        "{MACHINE}audience = \"https://a.example\"\nresource = [\"https://r1.example\", \"https://r2.example\"]\n"
    ));
    let run = |words: &str| {
        world.test.words(words).env("S", "s3cret-of-client").prints_secrets().run().success()
    };
    run("client-token");
    run("refresh --all");
    let requests = world.requests("/token");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0], requests[1]);
    assert_eq!(param(&requests[1], "audience"), "https://a.example");
    run("client-token --param audience=https://b.example");
    run("refresh --all");
    let audiences: Vec<_> = world.requests("/token")[3..]
        .iter()
        .map(|request| param(request, "audience").to_owned())
        .collect();
    assert!(audiences.contains(&"https://b.example".to_owned()), "{audiences:?}");
    assert!(audiences.contains(&"https://a.example".to_owned()), "{audiences:?}");
}

#[test]
fn a_refused_scope_is_answered_with_those_that_the_server_lists() {
    let world = World::new();
    world.says(|script| {
        script.metadata = json!({"scopes_supported": ["openid", "re\u{1b}ad"]});
        script.other.push(("/device", 400, json!({"error": "invalid_scope"})));
    });
    let login = world.test.words("login --grant device_code --scope wrong").run();
    login.fails_with(5).stderr_has("lists these scopes: openid re");
}
