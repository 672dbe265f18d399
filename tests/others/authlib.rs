//! Python's Authlib, which tells of itself as RFC 8414 has it alone, below a path.

use super::{Maker, World, introspected, is_verified, kept};

const SCOPE: &str = "scope = [\"openid\", \"read\"]\n";

#[test]
fn a_secret_is_sent_as_the_server_takes_it_through_a_whole_life_of_a_session() {
    let Some(world) = World::of(Maker::Authlib) else { return };
    let person = world.person();
    for (client, secret) in [
        // It takes no plus for a blank, as a form has it, so that it must have them as they are.
        (
            "client_id = \"a client of basic\"\n[request]\nbasic_encoding = \"raw\"\n",
            "its secret: +&=?/é",
        ),
        (
            "client_id = \"a client of post: 100% +&=?/é\"\nclient_auth = \"client_secret_post\"\n",
            "its secret: 100% +&=?/é",
        ),
    ] {
        let profile = format!("client_secret = {{ env = \"SECRET\" }}\n{SCOPE}{client}");
        let test = world.user(&profile).env("SECRET", secret).secret(secret);
        let login = test.words("login").start();
        person.opens(test.opens().url.as_str());
        person.waits_for("document.querySelector('button[value=yes]')");
        // Somebody whom the server knows is not asked again.
        if person.finds("document.querySelector('input[name=name]') !== null") == true {
            person.types("input[name=name]", "alice");
        }
        person.presses("button[value=yes]");
        person.reads("You are logged in");
        let shown = is_verified(&test, login.ends());
        assert_eq!(shown["subject"], "alice", "{shown}");
        let told = test.words("userinfo --json").run().success().json();
        assert_eq!(told["email"], "alice@people.example");

        let old = kept(&test, "refresh_token");
        test.words("refresh").run().success();
        assert_eq!(introspected(&test, &old)["active"], false);
        let new = kept(&test, "access_token");
        assert_eq!(introspected(&test, &new)["active"], true);
        test.words("logout").run().success();
        assert_eq!(introspected(&test, &new)["active"], false);
    }
}

#[test]
fn a_device_that_asks_too_often_slows_down_and_is_let_in() {
    let Some(world) = World::of(Maker::Authlib) else { return };
    let test = world.user(&format!("client_id = \"a program\"\n{SCOPE}"));
    let person = world.person();
    let mut login = test.words("login --grant device_code").start();
    let page = login.shows(&format!("{}/device?user_code=", world.server.issuer));
    world.waits_for("slow_down");
    person.opens(page.url.as_str());
    person.types("input[name=name]", "bob");
    person.presses("button[value=yes]");
    person.reads("Back to the device");
    login.ends().success().stderr_has("Logged in to x");
    let old = kept(&test, "refresh_token");
    test.words("refresh").run().success();
    let form =
        [("grant_type", "refresh_token"), ("refresh_token", &old), ("client_id", "a program")];
    let (status, answer) = world.post("/token", &form);
    assert_eq!((status, &answer["error"]), (400, &"invalid_grant".into()));
}

#[test]
fn who_refuses_ends_the_login_with_exit_5() {
    let Some(world) = World::of(Maker::Authlib) else { return };
    let test = world.user(&format!("client_id = \"a program\"\n{SCOPE}"));
    let person = world.person();
    let login = test.words("login").start();
    person.opens(test.opens().url.as_str());
    person.types("input[name=name]", "carol");
    person.presses("button[value=no]");
    person.reads("The login did not work");
    login.ends().fails_with(5).stderr_has("access_denied");
}
